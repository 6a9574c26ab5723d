//! What a torrent is, for the engine: from its file, or from an info dictionary that peers sent (BEP 9).

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use engine::{Bits, Content};
use sha1::{Digest, Sha1};
use swarm::InfoHash;
use wire::metainfo::Metainfo;

use super::{Inner, Phase};
use crate::disk::{Cause, Doing, Layout, Place, Problem, Storage};

/// A torrent whose files were found and hashed.
pub(super) struct Opened {
    pub(super) storage: Storage,
    pub(super) content: Content,
    /// Why something is not there, if it might be expected.
    pub(super) first_problem: Option<Problem>,
}

impl Inner {
    /// Finds the files of a torrent, and hashes what is there of them. Waits for the disk.
    pub(super) fn open(self: &Arc<Self>, metainfo: Arc<Metainfo>, place: Place) -> Result<Opened, Problem> {
        let path = match &place {
            Place::Download(path) | Place::Source(path) => path.clone(),
        };
        let layout = Layout::new(metainfo.clone()).map_err(|why| unfit(&path, why.to_string()))?;
        let cut = engine::Layout::new(layout.size(), layout.piece_bytes_max());
        let cut = cut.ok_or_else(|| unfit(&path, "the torrent has too many pieces".to_owned()))?;
        let (inner, hash): (Weak<Self>, _) = (Arc::downgrade(self), metainfo.info_hash());
        let sink = move |done| {
            if let Some(inner) = inner.upgrade() {
                inner.done(hash, done);
            }
        };
        let storage = self.disk.open(layout, place, |_| true, sink)?;
        let checked = storage.check(None, &|_| ControlFlow::Continue(()))?;
        let have = Bits::from_bitfield(checked.have.as_bytes(), cut.pieces());
        let content = Content {
            layout: cut,
            private: metainfo.private(),
            metadata_bytes: u32::try_from(metainfo.info_bytes().len()).unwrap_or(0),
            have: have.unwrap_or_else(|| Bits::none(cut.pieces())),
        };
        Ok(Opened { storage, content, first_problem: checked.first_problem })
    }
}

pub(super) fn unfit(path: &Path, why: String) -> Problem {
    Problem { doing: Doing::Open, path: path.to_owned(), cause: Cause::Unfit(why) }
}

/// Reads an info dictionary that peers sent, hashes what is there of its files, and tells the engine.
pub(super) fn learn(inner: &Arc<Inner>, hash: InfoHash, info: &[u8], folder: PathBuf) {
    let Some(metainfo) = read(hash, info) else {
        inner.enter(hash, Phase::Describing);
        return inner.step(hash, |running, now, _| running.engine.misdescribed(now));
    };
    match inner.open(Arc::new(metainfo), Place::Download(folder)) {
        Ok(Opened { storage, content, .. }) => inner.step(hash, |running, now, session| {
            let whole = content.have.is_full();
            let phase = if whole { Phase::Whole(storage.path()) } else { Phase::Fetching };
            running.storage = Some(storage);
            running.phase.send_replace(phase);
            running.engine.described(content, now, session);
        }),
        Err(problem) => inner.fail(hash, &problem),
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
