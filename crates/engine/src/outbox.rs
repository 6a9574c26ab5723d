use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::Range;

use swarm::Endpoint;
use wire::peer::{Block, Message, encode};

use crate::event::{Action, Reason};
use crate::peer::PeerKey;

/// Actions that wait to be taken. Messages stand in one buffer, which is reused: nothing is allocated for one.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Queued>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Queued {
    Connect(Endpoint),
    Send(PeerKey, Range<usize>),
    SendBlock(PeerKey, Block),
    SendMetadata(PeerKey, u8, u32),
    Disconnect(PeerKey, Reason),
    Write(Block),
    Verify(u32),
    Verified(u32),
    Completed,
    Metadata(Range<usize>),
    Banned(IpAddr),
}

impl Outbox {
    pub(crate) fn next(&mut self) -> Option<Action<'_>> {
        let Some(queued) = self.queue.pop_front() else {
            self.bytes.clear();
            return None;
        };
        Some(match queued {
            Queued::Connect(endpoint) => Action::Connect { endpoint },
            Queued::Send(peer, range) => Action::Send { peer, bytes: &self.bytes[range] },
            Queued::SendBlock(peer, block) => Action::SendBlock { peer, block },
            Queued::SendMetadata(peer, id, block) => Action::SendMetadata { peer, id, block },
            Queued::Disconnect(peer, reason) => Action::Disconnect { peer, reason },
            Queued::Write(block) => Action::Write { block },
            Queued::Verify(piece) => Action::Verify { piece },
            Queued::Verified(piece) => Action::Verified { piece },
            Queued::Completed => Action::Completed,
            Queued::Metadata(range) => Action::Metadata { bytes: &self.bytes[range] },
            Queued::Banned(ip) => Action::Banned { ip },
        })
    }

    /// Sends a message; those to the same peer in a row are one action.
    pub(crate) fn send(&mut self, peer: PeerKey, message: &Message<'_>) {
        self.send_with(peer, |bytes| encode(message, bytes));
    }

    pub(crate) fn send_with(&mut self, peer: PeerKey, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        fill(&mut self.bytes);
        let end = self.bytes.len();
        match self.queue.back_mut() {
            Some(Queued::Send(to, range)) if *to == peer && range.end == start => range.end = end,
            _ => self.queue.push_back(Queued::Send(peer, start..end)),
        }
    }

    pub(crate) fn metadata(&mut self, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.queue.push_back(Queued::Metadata(start..self.bytes.len()));
    }

    pub(crate) fn connect(&mut self, endpoint: Endpoint) {
        self.queue.push_back(Queued::Connect(endpoint));
    }

    pub(crate) fn send_block(&mut self, peer: PeerKey, block: Block) {
        self.queue.push_back(Queued::SendBlock(peer, block));
    }

    pub(crate) fn send_metadata(&mut self, peer: PeerKey, id: u8, block: u32) {
        self.queue.push_back(Queued::SendMetadata(peer, id, block));
    }

    pub(crate) fn disconnect(&mut self, peer: PeerKey, reason: Reason) {
        self.queue.push_back(Queued::Disconnect(peer, reason));
    }

    pub(crate) fn write(&mut self, block: Block) {
        self.queue.push_back(Queued::Write(block));
    }

    pub(crate) fn verify(&mut self, piece: u32) {
        self.queue.push_back(Queued::Verify(piece));
    }

    pub(crate) fn verified(&mut self, piece: u32) {
        self.queue.push_back(Queued::Verified(piece));
    }

    pub(crate) fn completed(&mut self) {
        self.queue.push_back(Queued::Completed);
    }

    pub(crate) fn banned(&mut self, ip: IpAddr) {
        self.queue.push_back(Queued::Banned(ip));
    }
}
