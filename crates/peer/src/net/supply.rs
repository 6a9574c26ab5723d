//! Memory for what comes from the network.

use std::collections::VecDeque;

use bytes::BytesMut;
use parking_lot::Mutex;

use crate::disk::{Budget, Room};

/// Room for one read while much comes.
pub(crate) const READ_BYTES_MAX: usize = 256 << 10;

/// Used chunks that are kept: most are used again at once, and then their memory needs no preparing by the system.
const CHUNKS_MAX: usize = 16;

/// How many of them are looked at for one that nobody uses any more.
const PROBES_MAX: usize = 4;

/// What all connections together may have read and not passed on, and the memory for it.
///
/// A connection pays for a read before it reads, and what a block has paid goes with it to the disk. So while the disk is
/// slow nothing more is read, and it is the other side that waits, in its own memory.
#[derive(Debug)]
pub(crate) struct Supply {
    budget: Budget,
    /// Chunks that may still be in use, those longest here first.
    chunks: Mutex<VecDeque<BytesMut>>,
}

impl Supply {
    /// `budget`: what may have come and not be written.
    pub(crate) fn new(budget: Budget) -> Self {
        Self { budget, chunks: Mutex::default() }
    }

    /// Waits until `bytes` may be read.
    pub(crate) async fn pay(&self, bytes: usize) -> Room {
        self.budget.take(u32::try_from(bytes).unwrap_or(u32::MAX)).await
    }

    /// Sees that `buffer` has `room` behind what is in it, without preparing new memory if that can be.
    pub(crate) fn extend(&self, buffer: &mut BytesMut, room: usize) {
        if buffer.capacity() - buffer.len() >= room / 2 || buffer.try_reclaim(room) {
            return;
        }
        if room < READ_BYTES_MAX {
            return buffer.reserve(room);
        }
        let mut chunk = self.chunk(buffer.len() + room);
        chunk.extend_from_slice(buffer);
        let mut used = std::mem::replace(buffer, chunk);
        used.clear();
        let mut chunks = self.chunks.lock();
        if chunks.len() < CHUNKS_MAX {
            chunks.push_back(used);
        }
    }

    fn chunk(&self, bytes: usize) -> BytesMut {
        let mut chunks = self.chunks.lock();
        for _ in 0..PROBES_MAX.min(chunks.len()) {
            let Some(mut chunk) = chunks.pop_front() else { break };
            if chunk.try_reclaim(bytes) {
                return chunk;
            }
            chunks.push_back(chunk);
        }
        drop(chunks);
        BytesMut::with_capacity(bytes.next_multiple_of(READ_BYTES_MAX / 4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_used_again_when_its_blocks_are_gone() {
        let supply = Supply::new(Budget::new(1 << 20));
        let mut buffer = BytesMut::new();
        supply.extend(&mut buffer, READ_BYTES_MAX);
        let first = buffer.as_ptr();
        buffer.resize(READ_BYTES_MAX, 7);
        let block = buffer.split_to(READ_BYTES_MAX - 5).freeze();
        supply.extend(&mut buffer, READ_BYTES_MAX);
        let second = buffer.as_ptr();
        assert_eq!(&buffer[..], [7; 5], "what was left comes along");
        assert_ne!(first, second, "the block is still in the first");
        buffer.resize(READ_BYTES_MAX, 8);
        let other = buffer.split().freeze();
        drop(block);
        supply.extend(&mut buffer, READ_BYTES_MAX);
        assert_eq!(buffer.as_ptr(), first);
        assert_eq!(other.len(), READ_BYTES_MAX);
    }

    #[test]
    fn little_room_is_little_memory() {
        let supply = Supply::new(Budget::new(1 << 20));
        let mut buffer = BytesMut::new();
        supply.extend(&mut buffer, 4 << 10);
        assert!((4 << 10..8 << 10).contains(&buffer.capacity()));
    }
}
