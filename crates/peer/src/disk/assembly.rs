//! The hash of a piece while its blocks come.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use super::problem::Problem;

/// A piece that is being written.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    hasher: Sha1,
    /// Bytes from the piece's start that went into the hash.
    hashed: u32,
    /// Blocks that came before those in front of them.
    held: BTreeMap<u32, Bytes>,
    /// A block came over another one, so that what was hashed may not be what is on disk.
    rewritten: bool,
    /// A block is not on disk.
    failed: Option<Problem>,
}

/// What is still to be hashed, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// This block.
    Held(Bytes),
    /// So many bytes from there on, which are only on disk.
    OnDisk { begin: u32, bytes: u32 },
}

impl Assembly {
    /// Takes a block that is on disk now. It is held, if it comes early, only as far as `room` goes, in bytes.
    pub(super) fn add(&mut self, begin: u32, data: &Bytes, room: &mut usize) {
        if self.rewritten {
            return;
        }
        if begin < self.hashed || self.overlaps_held(begin, data.len()) {
            self.rewritten = true;
            self.release(room);
        } else if begin == self.hashed {
            self.hash(data);
            while let Some(entry) = self.held.first_entry().filter(|entry| *entry.key() == self.hashed) {
                let data = entry.remove();
                *room += data.len();
                self.hash(&data);
            }
        } else if data.len() <= *room {
            *room -= data.len();
            self.held.insert(begin, data.clone());
        }
    }

    /// Notes that a block could not be written.
    pub(super) fn fail(&mut self, problem: &Problem) {
        self.failed.get_or_insert_with(|| problem.clone());
    }

    /// The hash so far, and what must be added to it for a piece of `bytes`. What was held is in there.
    pub(super) fn finish(mut self, bytes: u32, room: &mut usize) -> Result<(Sha1, Vec<Rest>), Problem> {
        let held = std::mem::take(&mut self.held);
        *room += held.values().map(Bytes::len).sum::<usize>();
        if let Some(problem) = self.failed {
            return Err(problem);
        }
        let (hasher, mut at) = if self.rewritten { (Sha1::new(), 0) } else { (self.hasher, self.hashed) };
        let mut rest = Vec::new();
        for (begin, data) in held {
            if begin > at {
                rest.push(Rest::OnDisk { begin: at, bytes: begin - at });
            }
            at = begin.saturating_add(length(&data));
            rest.push(Rest::Held(data));
        }
        if at < bytes {
            rest.push(Rest::OnDisk { begin: at, bytes: bytes - at });
        }
        Ok((hasher, rest))
    }

    fn hash(&mut self, data: &Bytes) {
        self.hasher.update(data);
        self.hashed = self.hashed.saturating_add(length(data));
    }

    fn overlaps_held(&self, begin: u32, bytes: usize) -> bool {
        let end = u64::from(begin) + bytes as u64;
        let before = self.held.range(..=begin).next_back();
        let over_before =
            before.is_some_and(|(at, data)| u64::from(*at) + data.len() as u64 > u64::from(begin));
        over_before || self.held.range(begin..).next().is_some_and(|(at, _)| u64::from(*at) < end)
    }

    /// Lets go of what is held.
    pub(super) fn release(&mut self, room: &mut usize) {
        *room += std::mem::take(&mut self.held).values().map(Bytes::len).sum::<usize>();
    }
}

/// Pieces have at most 2^30 bytes, and blocks are inside them.
fn length(data: &Bytes) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: usize = 100;

    fn block(byte: u8) -> Bytes {
        Bytes::from(vec![byte; 10])
    }

    fn sha1(parts: &[Bytes]) -> [u8; 20] {
        Sha1::digest(parts.concat()).into()
    }

    #[test]
    fn blocks_in_order_or_nearly_need_no_disk() {
        for order in [[0_u8, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let (mut assembly, mut room) = (Assembly::default(), ROOM);
            for number in order {
                assembly.add(u32::from(number) * 10, &block(number), &mut room);
            }
            let (hasher, rest) = assembly.finish(30, &mut room).unwrap();
            assert_eq!((rest.len(), room), (0, ROOM));
            assert_eq!(<[u8; 20]>::from(hasher.finalize()), sha1(&[block(0), block(1), block(2)]));
        }
    }

    #[test]
    fn what_there_is_no_room_for_is_read_back() {
        let (mut assembly, mut room) = (Assembly::default(), 10);
        assembly.add(20, &block(2), &mut room);
        assembly.add(10, &block(1), &mut room);
        let (_, rest) = assembly.finish(40, &mut room).unwrap();
        let on_disk = |begin, bytes| Rest::OnDisk { begin, bytes };
        assert_eq!(rest, [on_disk(0, 20), Rest::Held(block(2)), on_disk(30, 10)]);
        assert_eq!(room, 10);
    }

    #[test]
    fn a_block_over_another_makes_all_be_read_back() {
        for begin in [0, 5, 15, 20, 25, 29] {
            let (mut assembly, mut room) = (Assembly::default(), ROOM);
            assembly.add(0, &block(0), &mut room);
            assembly.add(20, &block(2), &mut room);
            assembly.add(begin, &block(9), &mut room);
            let (_, rest) = assembly.finish(30, &mut room).unwrap();
            assert_eq!(rest, [Rest::OnDisk { begin: 0, bytes: 30 }], "{begin}");
            assert_eq!(room, ROOM);
        }
    }
}
