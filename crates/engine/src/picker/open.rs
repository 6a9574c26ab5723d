use std::net::IpAddr;

use crate::peer::PeerKey;

/// A block that has come; any smaller state is the number of peers it is asked of.
const RECEIVED: u8 = u8::MAX;

/// A piece that was started and is not verified yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) piece: u32,
    /// Whose piece it is; others join only if they find nothing to start.
    pub(super) owner: Option<PeerKey>,
    /// Nobody may join: the owner is suspected of bad data, and the piece will tell.
    pub(super) alone: bool,
    blocks: Vec<u8>,
    /// Who sent each block, by place in `senders`.
    from: Vec<u16>,
    senders: Vec<IpAddr>,
    /// Blocks that were neither asked for nor received.
    free: u32,
    /// Blocks that were not received.
    left: u32,
    /// No block before this one is free.
    cursor: usize,
}

impl Open {
    pub(super) fn new(piece: u32, blocks: u32, owner: PeerKey, alone: bool) -> Self {
        Self {
            piece,
            owner: Some(owner),
            alone,
            blocks: vec![0; blocks as usize],
            from: vec![0; blocks as usize],
            senders: Vec::new(),
            free: blocks,
            left: blocks,
            cursor: 0,
        }
    }

    pub(super) const fn free(&self) -> u32 {
        self.free
    }

    pub(super) const fn left(&self) -> u32 {
        self.left
    }

    /// Nothing has come and nothing is on its way.
    pub(super) fn is_untouched(&self) -> bool {
        self.free as usize == self.blocks.len()
    }

    /// Whether `peer` may take blocks of it that are free.
    pub(super) fn admits(&self, peer: PeerKey, on_parole: bool) -> bool {
        self.owner == Some(peer) || !(self.alone || on_parole)
    }

    /// Asks for the next free block.
    pub(super) fn ask_next(&mut self) -> Option<u32> {
        if self.free == 0 {
            return None;
        }
        let at = self.cursor + self.blocks[self.cursor..].iter().position(|&state| state == 0)?;
        self.cursor = at + 1;
        self.blocks[at] = 1;
        self.free -= 1;
        u32::try_from(at).ok()
    }

    /// Asks for a block that others were asked for too, fewer than `times_max` of them.
    pub(super) fn ask_again(
        &mut self,
        start: usize,
        times_max: u8,
        is_asked: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let len = self.blocks.len();
        let at = (0..len).map(|step| (start + step) % len).find(|&at| {
            (1..times_max).contains(&self.blocks[at]) && u32::try_from(at).is_ok_and(|index| !is_asked(index))
        })?;
        self.blocks[at] += 1;
        u32::try_from(at).ok()
    }

    /// One peer will not send the block after all.
    pub(super) fn release(&mut self, index: u32) {
        let at = index as usize;
        if matches!(self.blocks.get(at), Some(&asked) if (1..RECEIVED).contains(&asked)) {
            self.blocks[at] -= 1;
            if self.blocks[at] == 0 {
                self.free += 1;
                self.cursor = self.cursor.min(at);
            }
        }
    }

    /// The block came: of how many others it is asked, or `None` if it was there.
    pub(super) fn receive(&mut self, index: u32, sender: IpAddr, was_asked: bool) -> Option<u8> {
        let at = index as usize;
        let others = match *self.blocks.get(at)? {
            RECEIVED => return None,
            0 => {
                self.free -= 1;
                0
            }
            asked => asked - u8::from(was_asked),
        };
        self.blocks[at] = RECEIVED;
        self.left -= 1;
        let known = self.senders.iter().position(|other| *other == sender);
        let place = known.unwrap_or_else(|| {
            self.senders.push(sender);
            self.senders.len() - 1
        });
        self.from[at] = u16::try_from(place).unwrap_or(u16::MAX);
        Some(others)
    }

    pub(super) fn senders(&self) -> &[IpAddr] {
        &self.senders
    }
}
