//! Links and connections: FIFO queues with a rate, a delay, and a window on each connection as TCP has.

use std::collections::VecDeque;

use engine::{Micros, SECOND};
use wire::peer::Block;

/// The bytes of a `piece` message before its data.
const BLOCK_HEAD: u64 = 13;

/// What a connection may have in flight, in bytes, on links without delay.
const WINDOW_MIN: u64 = 96 << 10;

/// Messages up to this many bytes pass a downlink at once: they are acknowledged by small packets between large ones.
pub(crate) const SMALL: u64 = 512;

/// One direction of a node's link.
pub(crate) struct Line {
    pub(crate) rate: u64,
    free_at: Micros,
}

pub(crate) enum Packet {
    Messages(Vec<u8>),
    Block { block: Block, good: bool },
}

pub(crate) struct Connection {
    pub(crate) ends: [End; 2],
    pub(crate) open: bool,
    pub(crate) window: u64,
}

pub(crate) struct End {
    pub(crate) node: usize,
    pub(crate) in_flight: u64,
    pub(crate) pending: VecDeque<Packet>,
    pub(crate) delivered_at: Micros,
}

impl Line {
    pub(crate) fn new(rate: u64) -> Self {
        Self { rate, free_at: 0 }
    }

    /// When `bytes` that are queued now have passed.
    pub(crate) fn pass(&mut self, bytes: u64, now: Micros) -> Micros {
        self.free_at = self.free_at.max(now) + (bytes * SECOND).div_ceil(self.rate);
        self.free_at
    }
}

impl Packet {
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Messages(bytes) => bytes.len() as u64,
            Self::Block { block, .. } => u64::from(block.length) + BLOCK_HEAD,
        }
    }
}

impl Connection {
    pub(crate) fn new(nodes: [usize; 2], rate: u64, delay: Micros) -> Self {
        let end = |node| End { node, in_flight: 0, pending: VecDeque::new(), delivered_at: 0 };
        Self { ends: nodes.map(end), open: true, window: WINDOW_MIN.max(4 * delay * rate / SECOND) }
    }

    /// The next packet of a side that fits the window.
    pub(crate) fn next(&mut self, side: usize) -> Option<Packet> {
        let end = &mut self.ends[side];
        let fits = end.pending.front().is_some_and(|packet| end.in_flight + packet.bytes() <= self.window);
        let packet = if fits || end.in_flight == 0 { end.pending.pop_front() } else { None }?;
        end.in_flight += packet.bytes();
        Some(packet)
    }
}
