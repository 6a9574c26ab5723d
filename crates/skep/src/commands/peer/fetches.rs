//! Fetching into the folder, for who asks by the API.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::Source as PeerSource;
use peer::api::{FetchRequest, Problem, Wish};
use peer::node::{Change, Files, Phase};
use swarm::{Endpoint, InfoHash};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use wire::magnet::Magnet;
use wire::metainfo::Metainfo;

use super::Peer;
use super::records::{self, Record};
use crate::commands::get::find::{Finder, Found, Source, endpoints};
use crate::exit::Failure;
use crate::format::plain;

/// Requests that are worked on at a time.
const REQUESTS_MAX: usize = 16;

/// How long is waited for what is there already to be looked at, before it is said that the fetching has begun.
const OPENING_PATIENCE: Duration = Duration::from_secs(5);

/// How long the node may take to take in what is to be fetched on.
const TAKING_IN: Duration = Duration::from_millis(10);

impl Peer {
    /// Fetches on what was being fetched when the last run ended. It returns when the node knows of all, so that their
    /// files are not taken for somebody else's.
    pub(super) async fn go_on(self: &Arc<Self>) {
        for record in self.records.all() {
            let (hash, torrent, tiers, peers) = match record {
                Record::Whole(torrent) => {
                    let peer = self.clone();
                    let looking = tokio::task::spawn_blocking(move || {
                        peer.records.vouch(&peer.state_dir, peer.folder.path(), &torrent);
                    });
                    // If it panicked, that was said already; it is hashed again then.
                    let _ = looking.await;
                    continue;
                }
                Record::Torrent(torrent) => {
                    let tiers = torrent.trackers().to_vec();
                    (torrent.info_hash(), Some(torrent), tiers, Vec::new())
                }
                Record::Magnet(magnet) => (magnet.info_hash, None, tiers(&magnet), endpoints(&magnet)),
            };
            let opening = match torrent {
                Some(torrent) => Some(tokio::spawn(self.clone().open(torrent))),
                None => {
                    self.node.fetch_described(hash, self.folder.path(), Files::All);
                    None
                }
            };
            while self.node.status(hash).is_none() && opening.as_ref().is_some_and(|it| !it.is_finished()) {
                tokio::time::sleep(TAKING_IN).await;
            }
            self.begin(hash, tiers, &peers);
        }
    }

    /// Fetches what is asked for.
    pub(super) async fn fetch_all(self: Arc<Self>, mut requests: mpsc::Receiver<FetchRequest>) {
        let mut working = JoinSet::new();
        while let Some((wish, answer)) = requests.recv().await {
            while working.try_join_next().is_some() {}
            if working.len() >= REQUESTS_MAX {
                working.join_next().await;
            }
            let peer = self.clone();
            working.spawn(async move {
                let outcome = peer.fetch(wish).await;
                // Whoever asked may have gone.
                let _ = answer.send(outcome);
            });
        }
    }

    /// Takes down what is asked for.
    pub(super) async fn remove_all(
        self: Arc<Self>,
        mut requests: mpsc::Receiver<(InfoHash, oneshot::Sender<()>)>,
    ) {
        let mut working = JoinSet::new();
        while let Some((hash, answer)) = requests.recv().await {
            while working.try_join_next().is_some() {}
            if working.len() >= REQUESTS_MAX {
                working.join_next().await;
            }
            tracing::info!(%hash, "taken down");
            self.folder.dismiss(hash);
            let peer = self.clone();
            working.spawn(async move {
                peer.leave(hash).await;
                // Whoever asked may have gone.
                let _ = answer.send(());
            });
        }
    }

    /// Keeps up with what becomes of the torrents that are fetched.
    pub(super) async fn follow(self: Arc<Self>) {
        let mut changes = self.node.changes();
        while let Some(change) = changes.next().await {
            match change {
                Change::Phase(hash, _) => self.clone().note(hash).await,
                Change::Missed => {
                    for listed in self.node.torrents() {
                        self.clone().note(listed.hash).await;
                    }
                }
                Change::Added(_) | Change::Tracker(..) | Change::Removed(_) => {}
            }
        }
    }

    /// Notes how far a torrent is, if it is one that is fetched.
    async fn note(self: Arc<Self>, hash: InfoHash) {
        let Some(status) = self.node.status(hash) else { return };
        let torrent = match self.records.get(hash) {
            None | Some(Record::Whole(_)) => return,
            Some(Record::Torrent(torrent)) => torrent,
            Some(Record::Magnet(magnet)) => {
                let Some(torrent) = self.node.metainfo(hash) else { return };
                let Some(torrent) = records::with_tiers(&torrent, &tiers(&magnet)) else { return };
                self.keep(Record::Torrent(torrent.clone())).await;
                torrent
            }
        };
        match status.phase {
            Phase::Whole(path) => {
                tracing::info!(%hash, "complete: {}", plain(&path.to_string_lossy()));
                self.classics.offer(torrent.name()).await;
                self.keep(Record::Whole(torrent)).await;
            }
            Phase::Fetching => tracing::info!(%hash, "fetching `{}`", plain(torrent.name())),
            Phase::Describing | Phase::Checking | Phase::Paused(_) => {}
        }
    }

    async fn keep(self: &Arc<Self>, record: Record) {
        let peer = self.clone();
        // If it panicked, that was said already.
        let _ = tokio::task::spawn_blocking(move || peer.records.keep(record)).await;
    }

    /// Begins to fetch what is wished for, unless it is here or coming; which torrent it is, and whether it has begun.
    pub(super) async fn fetch(self: &Arc<Self>, wish: Wish) -> Result<(InfoHash, bool), Problem> {
        let found = self.find(wish).await.map_err(|failure| match failure {
            Failure::Misuse(why) => Problem::bad_request(why),
            other => Problem::not_found(other.message().unwrap_or_default()),
        })?;
        let (hash, Found { source, name, tiers, peers, .. }) = (found.hash(), found);
        if self.node.status(hash).is_some() {
            return Ok((hash, false));
        }
        if !self.records.has_room() {
            return Err(Problem::conflict("as many torrents have been fetched into the folder as may be"));
        }
        tracing::info!(%hash, "to be fetched: `{}`", plain(&name));
        match source {
            Source::Torrent(torrent) => {
                let torrent = records::with_tiers(&torrent, &tiers).unwrap_or(torrent);
                self.keep(Record::Torrent(torrent.clone())).await;
                let mut opening = tokio::spawn(self.clone().open(torrent));
                // What takes longer is told as its phases are.
                if let Ok(opened) = tokio::time::timeout(OPENING_PATIENCE, &mut opening).await {
                    opened
                        .map_err(|error| Problem::conflict(error.to_string()))?
                        .map_err(Problem::conflict)?;
                }
            }
            Source::Hash(info_hash) => {
                let peers = peers.iter().map(Endpoint::to_string).collect();
                let magnet = Magnet { trackers: tiers.concat(), peers, ..Magnet::new(info_hash) };
                self.keep(Record::Magnet(Box::new(magnet))).await;
                self.node.fetch_described(hash, self.folder.path(), Files::All);
            }
        }
        self.begin(hash, tiers, &peers);
        Ok((hash, true))
    }

    fn begin(&self, hash: InfoHash, tiers: Vec<Vec<String>>, peers: &[Endpoint]) {
        self.node.announce(hash, tiers);
        self.node.add_peers(hash, PeerSource::Person, peers);
    }

    /// Begins to fetch a torrent into the folder; it returns when what is there of it was looked at.
    async fn open(self: Arc<Self>, torrent: Arc<Metainfo>) -> Result<(), String> {
        let (hash, folder) = (torrent.info_hash(), PathBuf::from(self.folder.path()));
        let opened = self.node.fetch(torrent.clone(), &folder, Files::All).await;
        opened.map(drop).map_err(|problem| {
            let name = plain(torrent.name()).into_owned();
            tracing::error!(%hash, %problem, "`{name}` cannot be fetched");
            self.records.forget(hash);
            problem.to_string()
        })
    }

    async fn find(&self, wish: Wish) -> Result<Found, Failure> {
        let finder = Finder { tracker: &self.tracker, is_named: self.is_named };
        match wish {
            // A file here is not what is meant by whom is not here.
            Wish::Named(what) if is_path(&what) => Err(Failure::Misuse(format!(
                "`{}` is a path: send the .torrent file itself, as application/x-bittorrent",
                plain(&what)
            ))),
            Wish::Named(what) => finder.find(&what, Path::new("")).await,
            Wish::Torrent(bytes) => {
                let torrent = Metainfo::decode(&bytes)
                    .map_err(|error| Failure::Misuse(format!("what was sent is no torrent: {error}")))?;
                finder.by_torrent(torrent).await
            }
        }
    }
}

/// The trackers of a magnet link, each in a tier of its own.
fn tiers(magnet: &Magnet) -> Vec<Vec<String>> {
    magnet.trackers.iter().map(|url| vec![url.clone()]).collect()
}

/// Whether `get` would take it for a file's path.
fn is_path(what: &str) -> bool {
    let is_magnet = what.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:"));
    !is_magnet && !what.contains("://") && (what.contains('/') || what.ends_with(".torrent"))
}
