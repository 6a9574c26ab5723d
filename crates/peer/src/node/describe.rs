//! What a torrent is, from an info dictionary that peers sent (BEP 9).

use std::sync::Arc;

use sha1::{Digest, Sha1};
use swarm::InfoHash;
use wire::metainfo::Metainfo;

use super::torrent::Stay;
use super::{Inner, Phase};

/// Reads an info dictionary that peers sent, and opens the torrent; or has the engine ask others.
pub(super) async fn learn(inner: Arc<Inner>, stay: Stay, info: Vec<u8>) {
    let read = inner.runtime.spawn_blocking(move || read(stay.hash, &info)).await;
    let known = inner.turn(stay, |turn| match read {
        Ok(Some(metainfo)) => {
            turn.running.metainfo = Some(Arc::new(metainfo));
            true
        }
        Ok(None) | Err(_) => {
            if !turn.running.is_paused() {
                turn.running.enter(Phase::Describing);
            }
            turn.running.engine.misdescribed(turn.now);
            false
        }
    });
    if known == Some(true)
        && let Err(problem) = inner.open(stay).await
    {
        inner.fail(stay, &problem);
    }
}

/// The torrent whose info dictionary this is; `None` if it has another hash or cannot be read.
fn read(hash: InfoHash, info: &[u8]) -> Option<Metainfo> {
    if Sha1::digest(info).as_slice() != hash.as_bytes() {
        return None;
    }
    let torrent = [b"d4:info", info, b"e"].concat();
    match Metainfo::decode(&torrent) {
        Ok(metainfo) => Some(metainfo),
        Err(error) => {
            tracing::warn!(%hash, %error, "the torrent's description cannot be read");
            None
        }
    }
}
