//! What a torrent is, for the engine: from its file, or from an info dictionary that peers sent (BEP 9).

use std::path::Path;
use std::sync::Arc;

use engine::{Bits, Content, Layout};
use sha1::{Digest, Sha1};
use swarm::InfoHash;
use wire::metainfo::Metainfo;

use super::{Inner, Phase};
use crate::store::Problem;

/// How a torrent is cut.
///
/// # Errors
/// A sentence: it has no version 1 hashes, or too many pieces.
pub(super) fn layout(metainfo: &Metainfo) -> Result<Layout, String> {
    let layout = u32::try_from(metainfo.piece_length())
        .ok()
        .and_then(|piece_bytes| Layout::new(metainfo.payload_size(), piece_bytes))
        .ok_or("the torrent has too many pieces")?;
    if metainfo.pieces().len() != layout.pieces() as usize * 20 {
        return Err("the torrent is version 2 only (BEP 52), which cannot be shared here".to_owned());
    }
    Ok(layout)
}

pub(super) fn content(metainfo: &Metainfo, layout: Layout, have: Bits) -> Content {
    let metadata_bytes = u32::try_from(metainfo.info_bytes().len()).unwrap_or(0);
    Content { layout, private: metainfo.private(), metadata_bytes, have }
}

pub(super) fn unfit(path: &Path, why: String) -> Problem {
    Problem { doing: "share", path: path.to_owned(), why }
}

/// Reads an info dictionary that peers sent, hashes what is there of its files, and tells the engine.
pub(super) fn learn(inner: &Arc<Inner>, hash: InfoHash, info: &[u8], folder: &Path) {
    let Some(metainfo) = read(hash, info) else {
        inner.enter(hash, Phase::Describing);
        return inner.step(hash, |running, now, _| running.engine.misdescribed(now));
    };
    let metainfo = Arc::new(metainfo);
    let files = Arc::new(inner.lanes.fetched(metainfo.clone(), folder));
    let checked = layout(&metainfo).map_err(|why| unfit(&files.root(), why));
    let checked = checked.and_then(|layout| Ok((layout, files.check(&layout)?)));
    match checked {
        Ok((layout, have)) => {
            let whole = have.is_full();
            inner.step(hash, |running, now, session| {
                running.files = Some(files.clone());
                running.phase.send_replace(Phase::Fetching);
                running.engine.described(content(&metainfo, layout, have), now, session);
            });
            if whole {
                inner.finish(hash, files);
            }
        }
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
