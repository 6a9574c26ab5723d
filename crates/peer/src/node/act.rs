//! What an engine wants done.

use std::sync::Arc;

use bytes::Bytes;
use engine::{Action, Event, Micros, PeerKey, Session};
use swarm::InfoHash;
use wire::metainfo::Metainfo;
use wire::peer::{METADATA_BLOCK_BYTES, Metadata, encode_extended};

use super::{Inner, Phase, Running, connection, describe};
use crate::store::{Files, Problem};

impl Inner {
    /// Does what a torrent's engine wants. `data`: the data of the block that was just announced to it.
    pub(super) fn act(
        self: &Arc<Self>,
        hash: InfoHash,
        running: &mut Running,
        session: &mut Session,
        now: Micros,
        mut data: Option<Bytes>,
    ) {
        loop {
            let mut stuck: Option<PeerKey> = None;
            let Running { engine, links, files, phase, folder, .. } = &mut *running;
            while let Some(action) = engine.next_action() {
                let full = match action {
                    Action::Connect { endpoint } => {
                        self.runtime.spawn(connection::dial(self.clone(), hash, endpoint));
                        None
                    }
                    Action::Send { peer, bytes } => {
                        links.get(&peer).and_then(|link| link.outbound.messages(bytes).err()).map(|_| peer)
                    }
                    Action::SendBlock { peer, block } => {
                        if let Some(link) = links.get(&peer) {
                            link.outbound.block(block);
                        }
                        None
                    }
                    Action::SendMetadata { peer, id, block } => {
                        let message = files.as_ref().and_then(|files| metadata(files.metainfo(), id, block));
                        let link = links.get(&peer);
                        let both = link.zip(message);
                        both.and_then(|(link, message)| link.outbound.messages(&message).err()).map(|_| peer)
                    }
                    Action::Disconnect { peer, reason } => {
                        tracing::debug!(?peer, %reason, "disconnected");
                        if let Some(link) = links.remove(&peer) {
                            link.task.abort();
                        }
                        None
                    }
                    Action::Write { block } => {
                        if let (Some(files), Some(data)) = (files.as_ref(), data.take()) {
                            self.write(hash, files.clone(), block, data);
                        }
                        None
                    }
                    Action::Verify { piece } => {
                        if let Some(files) = files {
                            self.verify(hash, files.clone(), piece);
                        }
                        None
                    }
                    Action::Completed => {
                        if let Some(files) = files {
                            self.finish(hash, files.clone());
                        }
                        None
                    }
                    Action::Metadata { bytes } => {
                        if let Some(folder) = folder {
                            phase.send_replace(Phase::Checking);
                            let (inner, info, folder) = (self.clone(), bytes.to_vec(), folder.clone());
                            self.lanes.run(0, move || describe::learn(&inner, hash, &info, &folder));
                        }
                        None
                    }
                    Action::Banned { ip } => {
                        tracing::warn!(%ip, "it sent bad data again and is banned");
                        None
                    }
                    Action::Verified { .. } => None,
                };
                stuck = stuck.or(full);
            }
            // Who does not read what it is sent is let go.
            let Some(peer) = stuck else { return };
            if let Some(link) = links.remove(&peer) {
                link.task.abort();
            }
            engine.handle(Event::Gone { peer }, now, session);
        }
    }

    fn write(self: &Arc<Self>, hash: InfoHash, files: Arc<Files>, block: wire::peer::Block, data: Bytes) {
        let inner = self.clone();
        self.lanes.run(block.piece, move || {
            let written = files.write(block, &data);
            drop(data);
            inner.handle(hash, Event::Written { bytes: block.length });
            if let Err(problem) = written {
                inner.fail(hash, &problem);
            }
        });
    }

    fn verify(self: &Arc<Self>, hash: InfoHash, files: Arc<Files>, piece: u32) {
        let inner = self.clone();
        self.lanes.run(piece, move || {
            let good = match describe::layout(files.metainfo()) {
                Ok(layout) => files.is_good(piece, &layout),
                Err(why) => Err(describe::unfit(&files.root(), why)),
            };
            match good {
                Ok(good) => inner.handle(hash, Event::Hashed { piece, good }),
                Err(problem) => inner.fail(hash, &problem),
            }
        });
    }

    /// Everything is there: it gets its own name.
    pub(super) fn finish(self: &Arc<Self>, hash: InfoHash, files: Arc<Files>) {
        let inner = self.clone();
        self.lanes.run(0, move || match files.finish() {
            Ok(path) => {
                inner.report(hash);
                inner.enter(hash, Phase::Whole(path));
            }
            Err(problem) => inner.fail(hash, &problem),
        });
    }

    /// The disk failed: this torrent pauses, others go on.
    pub(super) fn fail(self: &Arc<Self>, hash: InfoHash, problem: &Problem) {
        tracing::error!(%hash, %problem, "paused");
        self.handle(hash, Event::Pause);
        self.enter(hash, Phase::Paused(problem.to_string()));
    }

    pub(super) fn enter(&self, hash: InfoHash, phase: Phase) {
        if let Some(running) = self.core.lock().torrents.get(&hash) {
            running.phase.send_replace(phase);
        }
    }
}

/// A block of the info dictionary as an extended message; `None` if there is no such block.
fn metadata(metainfo: &Metainfo, id: u8, block: u32) -> Option<Vec<u8>> {
    let info = metainfo.info_bytes();
    let start = block.checked_mul(METADATA_BLOCK_BYTES)? as usize;
    let end = info.len().min(start.checked_add(METADATA_BLOCK_BYTES as usize)?);
    let data = info.get(start..end)?;
    let total_bytes = u32::try_from(info.len()).ok()?;
    let mut message = Vec::with_capacity(data.len() + 64);
    encode_extended(id, &mut message, |payload| Metadata::Data { block, total_bytes, data }.encode(payload));
    Some(message)
}
