use std::collections::VecDeque;

use crate::bits::Bits;
use crate::dice::Dice;
use crate::layout::Layout;
use crate::peer::Peer;
use crate::restraint::Restraint;
use crate::time::{Micros, SECOND};

/// How many pieces of the queue are looked at for one that a peer was not shown.
const PROBES_MAX: usize = 64;

/// How long a piece is left to the peer that it was shown to before another is shown it too.
const CLAIM: Micros = SECOND;

/// The most pieces that a peer is shown ahead of its requests.
const OFFERS_MAX: u64 = 256;

/// Of the only seeder: which pieces nobody else has, and whom to show them to.
///
/// Each peer is shown other pieces than the rest (in the manner of BEP 16), and a peer is shown the next ones as it asks
/// for the last: so each upload is of something that nobody has, with any client at the other end, and no peer waits for
/// another. Once each piece has gone out, everything is shown to everybody.
#[derive(Debug)]
pub(crate) struct Spread {
    /// Pieces that somebody else has or was sent.
    out: Bits,
    /// The others, those longest unclaimed first.
    queue: VecDeque<u32>,
    claimed_at: Vec<Option<Micros>>,
    /// When the first piece was shown.
    began: Option<Micros>,
    sent_bytes: Vec<u32>,
}

impl Spread {
    pub(crate) fn new(pieces: u32, dice: &mut Dice) -> Self {
        let mut queue: Vec<u32> = (0..pieces).collect();
        dice.shuffle(&mut queue);
        Self {
            out: Bits::none(pieces),
            queue: queue.into(),
            claimed_at: vec![None; pieces as usize],
            began: None,
            sent_bytes: vec![0; pieces as usize],
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.out.is_full()
    }

    /// What follows once it is done; `None` if nothing had to be shown.
    pub(crate) fn restraint(&self, now: Micros) -> Option<Restraint> {
        self.began.map(|began| Restraint::new(now - began, now))
    }

    /// Somebody else has `piece`.
    pub(crate) fn seen(&mut self, piece: u32) {
        self.out.insert(piece);
    }

    /// Part of `piece` goes out.
    pub(crate) fn sent(&mut self, piece: u32, bytes: u32, layout: &Layout) {
        if let Some(sent) = self.sent_bytes.get_mut(piece as usize) {
            *sent = sent.saturating_add(bytes);
            if *sent >= layout.piece_bytes(piece) {
                self.out.insert(piece);
            }
        }
    }

    /// How many pieces a peer that takes `rate` bytes a second should know of ahead of its requests.
    pub(crate) fn offers(rate: u64, layout: &Layout) -> usize {
        let ahead = rate / 10 / u64::from(layout.piece_bytes_max().max(1));
        usize::try_from(ahead.clamp(2, OFFERS_MAX)).unwrap_or(2)
    }

    /// A piece to show to `peer`.
    pub(crate) fn offer(&mut self, peer: &Peer, now: Micros) -> Option<u32> {
        while self.queue.front().is_some_and(|&piece| self.out.has(piece)) {
            self.queue.pop_front();
        }
        let fits = |piece: u32| !(self.out.has(piece) || peer.has.has(piece) || peer.was_shown(piece));
        let at = self.queue.iter().take(PROBES_MAX).position(|&piece| fits(piece))?;
        let piece = self.queue[at];
        let claim = &mut self.claimed_at[piece as usize];
        if claim.is_some_and(|at| now < at + CLAIM) {
            return None;
        }
        *claim = Some(now);
        self.began.get_or_insert(now);
        self.queue.remove(at);
        self.queue.push_back(piece);
        Some(piece)
    }

    /// The peer that `piece` was shown to will not take it now.
    pub(crate) fn unclaim(&mut self, piece: u32) {
        if let Some(claim) = self.claimed_at.get_mut(piece as usize)
            && claim.take().is_some()
            && !self.out.has(piece)
        {
            self.queue.push_front(piece);
        }
    }
}
