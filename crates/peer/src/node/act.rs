//! What an engine wants done.

use std::sync::Arc;

use bytes::Bytes;
use engine::{Action, Event, PeerKey};
use wire::metainfo::Metainfo;
use wire::peer::{METADATA_BLOCK_BYTES, Metadata, encode_extended};

use super::torrent::{Running, Stay};
use super::{Inner, Pause, Phase, Turn, connection, describe};
use crate::disk::{Cause, Done, Problem, Room};

impl Turn<'_> {
    /// Does what the torrent's engine wants. `data`: the data of the block that was just announced to it, and what was paid
    /// for it.
    pub(super) fn act(&mut self, mut data: Option<(Bytes, Room)>) {
        let (inner, stay) = (self.inner, self.running.stay);
        loop {
            let mut stuck: Option<PeerKey> = None;
            let (mut completed, mut described) = (false, None);
            let Running { engine, links, storage, unsaved, .. } = &mut *self.running;
            while let Some(action) = engine.next_action() {
                let full = match action {
                    Action::Connect { endpoint } => {
                        inner.runtime.spawn(connection::dial(inner.clone(), stay, endpoint));
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
                        completed = true;
                        None
                    }
                    Action::Metadata { bytes } => {
                        described = Some(bytes.to_vec());
                        None
                    }
                    Action::Banned { ip } => {
                        tracing::warn!(%ip, "it sent bad data again and is banned");
                        None
                    }
                    Action::Verified { .. } => {
                        *unsaved = true;
                        None
                    }
                };
                stuck = stuck.or(full);
            }
            if let Some(info) = described {
                self.running.enter(Phase::Checking);
                inner.runtime.spawn(describe::learn(inner.clone(), stay, info));
            }
            if completed {
                self.complete();
            }
            // Who does not read what it is sent is let go.
            let Some(peer) = stuck else { return };
            if let Some(link) = self.running.links.remove(&peer) {
                link.task.abort();
            }
            self.tell(Event::Gone { peer });
        }
    }

    /// All that was wanted is there.
    fn complete(&mut self) {
        if let Some(storage) = &self.running.storage {
            self.running.enter(Phase::Whole(storage.path()));
        }
        self.running.report(self.now);
        self.inner.save_soon(self.running.stay);
    }
}

impl Inner {
    /// Takes in what came of something that was asked of the disk.
    pub(super) fn done(self: &Arc<Self>, stay: Stay, done: Done) {
        match done {
            Done::Read { tag, data } => {
                let reader = self.reads.lock().remove(&tag);
                let problem = data.as_ref().err().cloned();
                if let Some(reader) = reader {
                    // Nobody waits any more if the connection has ended.
                    let _ = reader.send(data.ok());
                }
                if let Some(problem) = problem {
                    self.fail(stay, &problem);
                }
            }
            Done::Written { bytes, outcome, .. } => {
                self.handle(stay, Event::Written { bytes });
                if let Err(problem) = outcome {
                    self.fail(stay, &problem);
                }
            }
            Done::Hashed { piece, good: Ok(good) } => self.handle(stay, Event::Hashed { piece, good }),
            Done::Hashed { good: Err(problem), .. } | Done::Named { outcome: Err(problem), .. } => {
                self.fail(stay, &problem);
            }
            Done::Named { file, outcome: Ok(path) } => {
                tracing::debug!(hash = %stay.hash, file, ?path, "a file is complete");
            }
        }
    }

    /// Something is wrong with a torrent's files: it pauses, others go on.
    pub(super) fn fail(self: &Arc<Self>, stay: Stay, problem: &Problem) {
        if problem.cause != Cause::Cancelled {
            tracing::error!(hash = %stay.hash, %problem, "paused");
            self.pause(stay, Pause::Problem(problem.to_string()));
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
