//! What an engine wants done.

use std::sync::Arc;

use bytes::Bytes;
use engine::{Action, Event, Micros, PeerKey, Session};
use swarm::InfoHash;
use wire::metainfo::Metainfo;
use wire::peer::{METADATA_BLOCK_BYTES, Metadata, encode_extended};

use super::{Inner, Phase, Running, connection, describe};
use crate::disk::{Done, Problem, Room};

impl Inner {
    /// Does what a torrent's engine wants. `data`: the data of the block that was just announced to it, and what was paid
    /// for it.
    pub(super) fn act(
        self: &Arc<Self>,
        hash: InfoHash,
        running: &mut Running,
        session: &mut Session,
        now: Micros,
        mut data: Option<(Bytes, Room)>,
    ) {
        loop {
            let mut stuck: Option<PeerKey> = None;
            let mut report = false;
            let Running { engine, links, storage, phase, folder, .. } = &mut *running;
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
                        let metainfo = storage.as_ref().map(|storage| storage.layout().metainfo());
                        let message = metainfo.and_then(|metainfo| metadata(metainfo, id, block));
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
                        if let (Some(storage), Some((data, room))) = (storage.as_ref(), data.take()) {
                            storage.write(block.piece, block.begin, data, room);
                        }
                        None
                    }
                    Action::Verify { piece } => {
                        if let Some(storage) = storage {
                            storage.verify(piece);
                        }
                        None
                    }
                    Action::Completed => {
                        if let Some(storage) = storage {
                            phase.send_replace(Phase::Whole(storage.path()));
                        }
                        report = true;
                        None
                    }
                    Action::Metadata { bytes } => {
                        if let Some(folder) = folder {
                            phase.send_replace(Phase::Checking);
                            let (inner, info, folder) = (self.clone(), bytes.to_vec(), folder.clone());
                            self.runtime.spawn_blocking(move || describe::learn(&inner, hash, &info, folder));
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
            if report {
                running.report(now);
            }
            // Who does not read what it is sent is let go.
            let Some(peer) = stuck else { return };
            if let Some(link) = running.links.remove(&peer) {
                link.task.abort();
            }
            running.engine.handle(Event::Gone { peer }, now, session);
        }
    }

    /// Takes in what came of something that was asked of the disk.
    pub(super) fn done(self: &Arc<Self>, hash: InfoHash, done: Done) {
        match done {
            Done::Read { tag, data } => {
                let reader = self.reads.lock().remove(&tag);
                let problem = data.as_ref().err().cloned();
                if let Some(reader) = reader {
                    // Nobody waits any more if the connection has ended.
                    let _ = reader.send(data.ok());
                }
                if let Some(problem) = problem {
                    self.fail(hash, &problem);
                }
            }
            Done::Written { bytes, outcome, .. } => {
                self.handle(hash, Event::Written { bytes });
                if let Err(problem) = outcome {
                    self.fail(hash, &problem);
                }
            }
            Done::Hashed { piece, good: Ok(good) } => self.handle(hash, Event::Hashed { piece, good }),
            Done::Hashed { good: Err(problem), .. } | Done::Named { outcome: Err(problem), .. } => {
                self.fail(hash, &problem);
            }
            Done::Named { file, outcome: Ok(path) } => {
                tracing::debug!(%hash, file, ?path, "a file is complete");
            }
        }
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
