use wire::peer::{METADATA_BLOCK_BYTES, metadata_block_bytes};

use crate::peer::PeerKey;
use crate::time::{Micros, SECOND};

/// How long a block of metadata may take before another peer is asked.
const ANSWER_WITHIN: Micros = 5 * SECOND;

/// How long nothing may come before a peer that says another size is asked.
const STALL: Micros = 2 * ANSWER_WITHIN;

/// How long a peer is left alone by which that happened: it may be slow, or be waiting for its own chance to harm.
const MUTE_REST: Micros = 60 * SECOND;

/// The longest info dictionary that is fetched from peers, in bytes: it is held in memory before anybody can say that
/// it is right. Longer ones come in a torrent file.
pub(crate) const FETCHED_BYTES_MAX: u32 = 16 << 20;

/// An info dictionary on its way (BEP 9). Its size is a stranger's word: the first peer's counts until the whole proves
/// wrong or nothing comes of it, and the memory grows only with what has come.
#[derive(Debug, Default)]
pub(crate) struct Fetch {
    size: u32,
    blocks: Vec<Part>,
    left: usize,
    /// Who sent the blocks that are here.
    senders: Vec<PeerKey>,
    /// When something came last, or the size was chosen.
    moved_at: Micros,
    /// Who is not asked until then: for ever, who sent blocks of a whole that was wrong.
    suspects: Vec<(PeerKey, Micros)>,
}

#[derive(Debug, Clone)]
enum Part {
    Missing,
    Asked(PeerKey, Micros),
    Here(Box<[u8]>),
}

impl Fetch {
    /// Chooses a block to ask `peer` for, which says that the whole has `size` bytes.
    pub(crate) fn ask(&mut self, peer: PeerKey, size: u32, now: Micros) -> Option<u32> {
        let is_suspect = self.suspects.iter().any(|&(suspect, until)| suspect == peer && now < until);
        if size == 0 || size > FETCHED_BYTES_MAX || is_suspect {
            return None;
        }
        if self.size != size && now >= self.moved_at + STALL {
            self.doubt(now);
        }
        if self.size == 0 {
            self.moved_at = now;
            self.size = size;
            self.left = size.div_ceil(METADATA_BLOCK_BYTES) as usize;
            self.blocks = vec![Part::Missing; self.left];
        }
        let is_open = |part: &Part| match part {
            Part::Missing => true,
            Part::Asked(_, at) => now >= at + ANSWER_WITHIN,
            Part::Here(_) => false,
        };
        let at = self.blocks.iter().position(is_open).filter(|_| self.size == size)?;
        self.blocks[at] = Part::Asked(peer, now);
        u32::try_from(at).ok()
    }

    /// A block came; the whole, if it was the last one missing.
    pub(crate) fn receive(
        &mut self,
        peer: PeerKey,
        block: u32,
        total: u32,
        data: &[u8],
        now: Micros,
    ) -> Option<Vec<u8>> {
        let part = self.blocks.get_mut(block as usize).filter(|_| total == self.size)?;
        let is_ours = matches!(part, Part::Asked(asked, _) if *asked == peer);
        if !is_ours || data.len() != metadata_block_bytes(total, block) as usize {
            return None;
        }
        *part = Part::Here(data.into());
        self.left -= 1;
        self.moved_at = now;
        if !self.senders.contains(&peer) {
            self.senders.push(peer);
        }
        let whole = self.blocks.iter().flat_map(|part| match part {
            Part::Here(data) => &data[..],
            _ => &[],
        });
        (self.left == 0).then(|| whole.copied().collect())
    }

    /// `peer` will not send what it was asked for.
    pub(crate) fn released(&mut self, peer: PeerKey) {
        for part in &mut self.blocks {
            if matches!(part, Part::Asked(asked, _) if *asked == peer) {
                *part = Part::Missing;
            }
        }
        // Nothing came by that size: it may have been a lie.
        if self.blocks.iter().all(|part| matches!(part, Part::Missing)) {
            self.size = 0;
            self.blocks.clear();
        }
    }

    /// The whole was wrong: start again with others.
    pub(crate) fn restart(&mut self) {
        let senders = std::mem::take(&mut self.senders);
        self.start_without(senders, Micros::MAX);
    }

    /// Nothing comes by this size: for a while, it is others' turn.
    fn doubt(&mut self, now: Micros) {
        self.suspects.retain(|&(_, until)| now < until);
        let mut mute = std::mem::take(&mut self.senders);
        mute.extend(self.blocks.iter().filter_map(|part| match part {
            Part::Asked(asked, _) => Some(*asked),
            _ => None,
        }));
        self.start_without(mute, now + MUTE_REST);
    }

    fn start_without(&mut self, peers: Vec<PeerKey>, until: Micros) {
        let mut suspects = std::mem::take(&mut self.suspects);
        suspects.extend(peers.into_iter().map(|peer| (peer, until)));
        *self = Self { suspects, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: PeerKey = PeerKey { slot: 0, generation: 1 };
    const B: PeerKey = PeerKey { slot: 1, generation: 2 };

    #[test]
    fn blocks_come_from_several_and_late_ones_are_asked_again() {
        let mut fetch = Fetch::default();
        assert_eq!(fetch.ask(A, 20_000, 0), Some(0));
        assert_eq!(fetch.ask(B, 30_000, 0), None);
        assert_eq!(fetch.ask(B, 20_000, 0), Some(1));
        assert_eq!(fetch.ask(B, 20_000, 1), None);
        assert_eq!(fetch.receive(B, 1, 20_000, &[2; 3_616], 1), None);
        assert_eq!(fetch.ask(B, 20_000, ANSWER_WITHIN), Some(0));
        assert_eq!(fetch.receive(A, 0, 20_000, &[1; 16_384], 2), None);
        assert_eq!(fetch.receive(B, 0, 20_000, &[1; 16_384], 2).unwrap().len(), 20_000);
    }

    #[test]
    fn a_lie_about_the_size_is_forgotten_and_its_teller_too() {
        let mut fetch = Fetch::default();
        fetch.ask(A, 1 << 20, 0);
        fetch.released(A);
        assert_eq!(fetch.ask(B, 10, 0), Some(0));
        assert!(fetch.receive(B, 0, 10, &[0; 10], 0).is_some());
        fetch.restart();
        assert_eq!((fetch.ask(B, 10, 0), fetch.ask(A, 10, 0)), (None, Some(0)));
        assert_eq!(fetch.ask(A, FETCHED_BYTES_MAX + 1, 0), None);
    }

    #[test]
    fn who_says_a_size_and_then_nothing_does_not_keep_others_from_saying_theirs() {
        const C: PeerKey = PeerKey { slot: 2, generation: 3 };
        let mut fetch = Fetch::default();
        assert_eq!(fetch.ask(A, 1 << 20, 0), Some(0));
        // It keeps on giving a little, too slowly to be of use.
        assert!(fetch.receive(A, 0, 1 << 20, &[0; 16_384], STALL / 2).is_none());
        assert_eq!(fetch.ask(A, 1 << 20, STALL / 2), Some(1));
        assert_eq!(fetch.ask(B, 10, STALL), None);
        let now = STALL / 2 + STALL;
        assert_eq!(fetch.ask(B, 10, now), Some(0));
        assert_eq!(fetch.ask(A, 1 << 20, now + STALL), None, "it had its turn");
        assert_eq!(fetch.ask(C, 30, now + STALL), Some(0));
        assert!(fetch.receive(C, 0, 30, &[0; 30], now + STALL).is_some());
        // The slow may have been right.
        fetch.restart();
        assert_eq!(fetch.ask(C, 30, Micros::MAX - 1), None);
        assert_eq!(fetch.ask(A, 1 << 20, now + MUTE_REST), Some(0));
    }
}
