//! Which block to ask a peer for.

use std::net::IpAddr;

use crate::bits::Bits;
use crate::dice::Dice;
use crate::layout::Layout;
use crate::peer::PeerKey;

mod open;
mod rarity;
#[cfg(test)]
mod tests;

use open::Open;
use rarity::Rarity;

/// How many peers one block is asked of in the end game.
const DUPLICATES_MAX: u8 = 2;

/// The pieces started at once may always be this many, however large they are.
const OPEN_PIECES_MIN: usize = 8;

/// The most suggestions of one peer that are remembered (BEP 6).
pub(crate) const SUGGESTIONS_MAX: usize = 64;

/// No open piece.
const NOT_OPEN: u32 = u32::MAX;

/// How much a person wants a file, and so its pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Not at all.
    Skip,
    /// After all others.
    Low,
    /// As the others.
    #[default]
    Normal,
    /// Before all others.
    High,
}

/// What is still missing, what was started, and in which order the rest should come.
#[derive(Debug)]
pub(crate) struct Picker {
    layout: Layout,
    /// What is wanted and not verified.
    lacking: Bits,
    priorities: Vec<Priority>,
    rarity: Rarity,
    opens: Vec<Open>,
    /// Where in `opens` a piece is.
    open_at: Vec<u32>,
    open_max: usize,
    /// Free blocks of all open pieces.
    free: u32,
}

/// Who wants something to ask for.
pub(crate) struct Asker<'a> {
    pub(crate) peer: PeerKey,
    pub(crate) has: &'a Bits,
    /// It is suspected of bad data: it gets pieces of its own only.
    pub(crate) on_parole: bool,
    /// Only these may be asked for: it chokes us (BEP 6, allowed fast).
    pub(crate) only: Option<&'a [u32]>,
    /// What it would like to be asked for (BEP 6).
    pub(crate) suggested: &'a mut Vec<u32>,
    /// The piece it was asked for last.
    pub(crate) current: &'a mut Option<u32>,
    /// Any piece will do: we have nothing to give yet.
    pub(crate) any: bool,
}

/// What a block that came was good for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// Nothing: it was there, or nobody wants it.
    Unwanted,
    /// It was missing.
    Wanted {
        /// Of how many other peers it is asked.
        others: u8,
        /// It was the last of its piece.
        complete: bool,
    },
}

impl Priority {
    const CLASSES: usize = 3;

    const fn class(self) -> Option<usize> {
        match self {
            Self::Skip => None,
            Self::Low => Some(2),
            Self::Normal => Some(1),
            Self::High => Some(0),
        }
    }
}

impl Picker {
    /// `open_bytes_max`: how much may be started and not verified.
    pub(crate) fn new(layout: Layout, have: &Bits, open_bytes_max: u64) -> Self {
        let pieces = layout.pieces();
        let fitting = open_bytes_max / u64::from(layout.piece_bytes_max().max(1));
        let mut picker = Self {
            layout,
            lacking: Bits::none(pieces),
            priorities: vec![Priority::Normal; pieces as usize],
            rarity: Rarity::new(pieces),
            opens: Vec::new(),
            open_at: vec![NOT_OPEN; pieces as usize],
            open_max: usize::try_from(fitting).unwrap_or(usize::MAX).max(OPEN_PIECES_MIN),
            free: 0,
        };
        for piece in (0..pieces).filter(|&piece| !have.has(piece)) {
            picker.lacking.insert(piece);
            picker.rarity.insert(piece, Priority::Normal);
        }
        picker
    }

    /// What is wanted and not verified.
    pub(crate) const fn lacking(&self) -> &Bits {
        &self.lacking
    }

    /// A peer that has everything is not counted: it makes no piece rarer than another.
    pub(crate) fn peer_came(&mut self, has: &Bits) {
        if !has.is_full() {
            has.iter().for_each(|piece| self.rarity.gained(piece, self.priorities[piece as usize]));
        }
    }

    pub(crate) fn peer_went(&mut self, has: &Bits) {
        if !has.is_full() {
            has.iter().for_each(|piece| self.rarity.lost(piece, self.priorities[piece as usize]));
        }
    }

    /// A peer got `piece`; `has` includes it.
    pub(crate) fn peer_got(&mut self, piece: u32, has: &Bits) {
        if has.is_full() {
            let others = has.iter().filter(|&other| other != piece);
            others.for_each(|other| self.rarity.lost(other, self.priorities[other as usize]));
        } else {
            self.rarity.gained(piece, self.priorities[piece as usize]);
        }
    }

    /// Sets how much `piece` is wanted. A started piece that is skipped is forgotten.
    pub(crate) fn prioritize(&mut self, piece: u32, priority: Priority, have: bool) {
        let old = std::mem::replace(&mut self.priorities[piece as usize], priority);
        if have || old == priority {
            return;
        }
        self.rarity.remove(piece, old);
        if priority == Priority::Skip {
            self.lacking.remove(piece);
            self.close(piece);
            return;
        }
        self.lacking.insert(piece);
        if self.open_mut(piece).is_none() {
            self.rarity.insert(piece, priority);
        }
    }

    /// Chooses a block for `asker` and notes that it is asked for.
    ///
    /// Its current piece first; then one that was started and has no owner any more; then a new one, the rarest it
    /// has; then it helps with somebody else's.
    pub(crate) fn pick(&mut self, asker: &mut Asker<'_>, dice: &mut Dice) -> Option<(u32, u32)> {
        if let Some(piece) = *asker.current {
            if asker.may(piece)
                && let Some(index) = self.ask_next(piece, asker)
            {
                return Some((piece, index));
            }
            *asker.current = None;
        }
        let piece =
            self.abandoned(asker).or_else(|| self.start(asker, dice)).or_else(|| self.busiest(asker))?;
        *asker.current = Some(piece);
        self.ask_next(piece, asker).map(|index| (piece, index))
    }

    /// Chooses a block that somebody else is asked for already: in the end game, when all that is missing is.
    pub(crate) fn pick_again(
        &mut self,
        asker: &Asker<'_>,
        is_asked: impl Fn(u32, u32) -> bool,
        dice: &mut Dice,
    ) -> Option<(u32, u32)> {
        if !self.is_end_game() || asker.on_parole {
            return None;
        }
        let start = dice.below(self.opens.len());
        (0..self.opens.len()).find_map(|step| {
            let at = (start + step) % self.opens.len();
            let open = &mut self.opens[at];
            if open.alone || open.left() == 0 || !asker.may(open.piece) {
                return None;
            }
            let (piece, first) = (open.piece, dice.below(self.layout.blocks(open.piece) as usize));
            let index = open.ask_again(first, DUPLICATES_MAX, |index| is_asked(piece, index))?;
            Some((piece, index))
        })
    }

    /// All that is missing is asked for.
    pub(crate) const fn is_end_game(&self) -> bool {
        self.free == 0 && self.rarity.is_empty() && !self.opens.is_empty()
    }

    /// A peer will not send this block after all.
    pub(crate) fn release(&mut self, piece: u32, index: u32) {
        let Some(open) = self.open_mut(piece) else { return };
        let before = open.free();
        open.release(index);
        let (gained, idle) = (open.free() - before, open.is_untouched());
        self.free += gained;
        if idle {
            self.close(piece);
            self.rarity.insert(piece, self.priorities[piece as usize]);
        }
    }

    /// `peer` gives up the pieces it owns. What a suspect sent is not built upon by others.
    pub(crate) fn disown(&mut self, peer: PeerKey) {
        let mut restart = Vec::new();
        for open in self.opens.iter_mut().filter(|open| open.owner == Some(peer)) {
            open.owner = None;
            if open.alone && open.left() > 0 {
                restart.push(open.piece);
            }
        }
        for piece in restart {
            self.close(piece);
            self.rarity.insert(piece, self.priorities[piece as usize]);
        }
    }

    /// A block came from `sender`. `was_asked`: it counts among those asked for it.
    pub(crate) fn receive(&mut self, piece: u32, index: u32, sender: IpAddr, was_asked: bool) -> Receipt {
        let Some(open) = self.open_mut(piece) else { return Receipt::Unwanted };
        let before = open.free();
        match open.receive(index, sender, was_asked) {
            None => Receipt::Unwanted,
            Some(others) => {
                let (taken, complete) = (before - open.free(), open.left() == 0);
                self.free -= taken;
                Receipt::Wanted { others, complete }
            }
        }
    }

    /// A complete piece was hashed: who sent its blocks. A bad one is to be fetched again.
    pub(crate) fn hashed(&mut self, piece: u32, good: bool) -> Vec<IpAddr> {
        let Some(open) = self.open_mut(piece).filter(|open| open.left() == 0) else { return Vec::new() };
        let senders = open.senders().to_vec();
        self.close(piece);
        if good {
            self.lacking.remove(piece);
        } else {
            self.rarity.insert(piece, self.priorities[piece as usize]);
        }
        senders
    }

    fn ask_next(&mut self, piece: u32, asker: &Asker<'_>) -> Option<u32> {
        let open = self.open_mut(piece).filter(|open| open.admits(asker.peer, asker.on_parole))?;
        let index = open.ask_next()?;
        if open.owner.is_none() {
            open.owner = Some(asker.peer);
        }
        self.free -= 1;
        Some(index)
    }

    /// A started piece without an owner, the one that lacks least.
    fn abandoned(&self, asker: &Asker<'_>) -> Option<u32> {
        if self.free == 0 || asker.on_parole {
            return None;
        }
        let open = self.opens.iter().filter(|open| open.owner.is_none() && open.free() > 0);
        open.filter(|open| asker.may(open.piece)).min_by_key(|open| open.left()).map(|open| open.piece)
    }

    /// Somebody else's started piece, the one with most to do.
    fn busiest(&self, asker: &Asker<'_>) -> Option<u32> {
        if self.free == 0 {
            return None;
        }
        let open =
            self.opens.iter().filter(|open| open.free() > 0 && open.admits(asker.peer, asker.on_parole));
        open.filter(|open| asker.may(open.piece)).max_by_key(|open| open.free()).map(|open| open.piece)
    }

    fn start(&mut self, asker: &mut Asker<'_>, dice: &mut Dice) -> Option<u32> {
        if self.opens.len() >= self.open_max || self.rarity.is_empty() {
            return None;
        }
        let startable = self.rarity.startable();
        let piece = if let Some(only) = asker.only {
            only.iter().copied().find(|&piece| asker.has.has(piece) && startable.has(piece))
        } else {
            let has = asker.has;
            let mut suggested = std::iter::from_fn(|| asker.suggested.pop());
            let suggested = suggested.find(|&piece| has.has(piece) && startable.has(piece));
            suggested
                .or_else(|| if asker.any { self.rarity.any(has, dice) } else { None })
                .or_else(|| self.rarity.rarest(has, has.is_full(), dice))
        }?;
        self.rarity.remove(piece, self.priorities[piece as usize]);
        let blocks = self.layout.blocks(piece);
        self.open_at[piece as usize] = u32::try_from(self.opens.len()).unwrap_or(NOT_OPEN);
        self.opens.push(Open::new(piece, blocks, asker.peer, asker.on_parole));
        self.free += blocks;
        Some(piece)
    }

    fn close(&mut self, piece: u32) {
        let at = self.open_at[piece as usize] as usize;
        if at >= self.opens.len() {
            return;
        }
        let open = self.opens.swap_remove(at);
        self.free -= open.free();
        self.open_at[piece as usize] = NOT_OPEN;
        if let Some(moved) = self.opens.get(at) {
            self.open_at[moved.piece as usize] = u32::try_from(at).unwrap_or(NOT_OPEN);
        }
    }

    fn open_mut(&mut self, piece: u32) -> Option<&mut Open> {
        let at = *self.open_at.get(piece as usize)?;
        self.opens.get_mut(at as usize)
    }
}

impl Asker<'_> {
    fn may(&self, piece: u32) -> bool {
        self.has.has(piece) && self.only.is_none_or(|only| only.contains(&piece))
    }
}

/// How much each piece is wanted: as much as the most wanted of the files that it has bytes of. `files`: the length of
/// each in bytes, padding included, and how much it is wanted.
#[must_use]
pub fn piece_priorities(layout: &Layout, files: impl IntoIterator<Item = (u64, Priority)>) -> Vec<Priority> {
    let mut priorities = vec![Priority::Skip; layout.pieces() as usize];
    let piece_bytes = u64::from(layout.piece_bytes_max());
    let mut start = 0_u64;
    for (length, priority) in files {
        let end = start.saturating_add(length);
        if length > 0 {
            let [first, last] =
                [start, end - 1].map(|at| usize::try_from(at / piece_bytes).unwrap_or(usize::MAX));
            priorities
                .iter_mut()
                .take(last.saturating_add(1))
                .skip(first)
                .for_each(|one| *one = priority.max(*one));
        }
        start = end;
    }
    priorities
}
