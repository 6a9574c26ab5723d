//! From entries of the folder to torrents that are shared, and back.

use std::sync::Arc;

use peer::folder::{Offer, Withdrawal, is_shared_name};
use swarm::InfoHash;
use tokio::task::JoinSet;
use wire::metainfo::Metainfo;

use super::Peer;
use crate::commands::peering::sharing::{self, Hashed};
use crate::format::{plain, size};
use crate::make;

/// Torrents whose trackers are being told that they are shared no longer.
const LEAVING_MAX: usize = 64;

impl Peer {
    /// Hashes and shares what is to be offered, one after another.
    pub(super) async fn offer_all(self: Arc<Self>) {
        loop {
            let offer = self.folder.next_offer().await;
            let shared = self.offer(&offer).await;
            if let Err(why) = &shared
                && self.folder.is_wanted(&offer)
            {
                tracing::warn!("`{}` is not shared: {}", plain(&offer.name), plain(why));
            }
            self.folder.offered(&offer, shared.ok());
        }
    }

    /// Takes back what is to be.
    pub(super) async fn withdraw_all(self: Arc<Self>) {
        let mut leaving = JoinSet::new();
        loop {
            let Withdrawal { name, info_hash } = self.folder.next_withdrawal().await;
            tracing::info!(hash = %info_hash, "no longer shared: `{}`", plain(&name));
            while leaving.len() >= LEAVING_MAX || leaving.try_join_next().is_some() {
                if leaving.len() >= LEAVING_MAX {
                    leaving.join_next().await;
                }
            }
            let peer = self.clone();
            leaving.spawn(async move { peer.leave(info_hash).await });
        }
    }

    /// Shares and fetches a torrent no longer.
    pub(super) async fn leave(&self, hash: InfoHash) {
        self.shared.lock().retain(|shared| *shared != hash);
        self.catalogue.forget(hash);
        self.records.forget(hash);
        if let Some(torrent) = self.node.metainfo(hash) {
            self.classics.stock.withdraw(torrent.name());
        }
        self.node.remove(hash).await;
        self.folder.withdrawn(hash);
    }

    async fn offer(&self, offer: &Offer) -> Result<InfoHash, String> {
        let (torrent, tiers) = match self.share_fetched(offer).await {
            Some(torrent) => {
                let tiers = torrent.trackers().to_vec();
                (torrent, tiers)
            }
            None => {
                let torrent = self.share_made(offer).await?;
                self.catalogue.add(torrent.clone());
                (torrent, self.announce.iter().map(|url| vec![url.clone()]).collect())
            }
        };
        let hash = torrent.info_hash();
        self.node.announce(hash, tiers);
        self.shared.lock().push(hash);
        self.classics.offer(&offer.name).await;
        tracing::info!(%hash, "sharing `{}`, {}", plain(&offer.name), size(torrent.size()));
        Ok(hash)
    }

    /// Shares an entry that was fetched in an earlier run as what it was then, if it still is that.
    async fn share_fetched(&self, offer: &Offer) -> Option<Arc<Metainfo>> {
        let torrent = self.records.fetched(&offer.name)?;
        let path = self.folder.path().join(&offer.name);
        match self.node.share(torrent.clone(), path).await {
            Ok(_) => Some(torrent),
            Err(problem) => {
                tracing::info!(%problem, "`{}` is not what was fetched any more", plain(&offer.name));
                self.records.forget(torrent.info_hash());
                None
            }
        }
    }

    /// Makes a torrent of an entry, and shares it.
    async fn share_made(&self, offer: &Offer) -> Result<Arc<Metainfo>, String> {
        let path = self.folder.path().join(&offer.name);
        let options = make::Options {
            trackers: vec![self.tracker.told(&self.announce)],
            private: self.tracker.is_for_members(),
            created_by: Some(concat!("Skep ", env!("CARGO_PKG_VERSION")).to_owned()),
            takes: Some(is_shared_name),
            state_dir: Some(self.state_dir.clone()),
            ..make::Options::default()
        };
        let (folder, again) = (self.folder.clone(), offer.clone());
        let hashing = tokio::task::spawn_blocking(move || {
            let made = sharing::hash(&path, &options, &()).map_err(|error| error.to_string())?;
            // A link may have come in its place, or another file into it.
            match folder.stamp(&again.name) == Some(again.stamp) {
                true => Ok(made),
                false => Err("it changed while it was hashed".to_owned()),
            }
        });
        let Hashed { torrent, left_out, .. } = hashing.await.map_err(|error| error.to_string())??;
        for left_out in left_out {
            tracing::warn!("left out: {}", plain(&left_out.to_string()));
        }
        let path = self.folder.path().join(&offer.name);
        self.node.share(torrent.clone(), path).await.map_err(|problem| problem.to_string())?;
        Ok(torrent)
    }
}
