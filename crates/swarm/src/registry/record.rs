//! Swarms as plain records: to look at, to write down, and to read back in.

use std::ops::Range;

use super::pack::Role;
use super::swarm::Swarm;
use super::tick::{Marks, Ticks};
use super::{Full, Registry};
use crate::{Counts, Endpoint, InfoHash, Seconds};

/// One peer as others may see or keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerRecord {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// What it is.
    pub role: Role,
    /// Seconds since it was last heard of.
    pub idle_secs: u32,
    /// Whether its completed download has been counted.
    pub counted: bool,
}

/// A swarm that is looked at, or a part of its peers.
#[derive(Debug, Clone)]
pub struct SwarmView<'a> {
    swarm: &'a Swarm,
    ticks: Ticks,
    part: Range<usize>,
    is_continued: bool,
}

/// How far an export has come.
#[derive(Debug, Clone, Default)]
pub struct ExportCursor {
    swarms_left: Option<usize>,
    /// How many peers of the last of these are still to be shown; `None` before its first.
    peers_left: Option<usize>,
}

impl<'a> SwarmView<'a> {
    pub(super) fn new(swarm: &'a Swarm, ticks: Ticks) -> Self {
        Self { swarm, ticks, part: 0..swarm.len(), is_continued: false }
    }

    /// Its info hash.
    #[must_use]
    pub const fn hash(&self) -> InfoHash {
        self.swarm.hash
    }

    /// How many peers of which kind, and completed downloads.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.swarm.counts()
    }

    /// Whether it stays while it is empty.
    #[must_use]
    pub fn pinned(&self) -> bool {
        self.swarm.pinned()
    }

    /// Whether others of its peers were shown before.
    #[must_use]
    pub const fn is_continued(&self) -> bool {
        self.is_continued
    }

    /// Everybody in it, or in this part of it, as of `now`.
    pub fn peers(&self, now: Seconds) -> impl ExactSizeIterator<Item = PeerRecord> + use<'a> {
        let Self { swarm, ticks, .. } = *self;
        self.part.clone().map(move |position| {
            let (endpoint, role, stamp) = swarm.peer(position).expect("positions up to the length are taken");
            PeerRecord {
                endpoint,
                role,
                idle_secs: ticks.age_secs(stamp, now),
                counted: stamp.marks().counted,
            }
        })
    }
}

impl Registry {
    /// Shows `each` swarm to the caller, some at a time: as many as `budget` peers and swarms. Of a large one so many
    /// peers, and more with the next call. Returns false once all have been shown. Announces may come between calls:
    /// whoever was there from beginning to end is shown, perhaps twice.
    pub fn export(
        &self,
        cursor: &mut ExportCursor,
        budget: usize,
        mut each: impl FnMut(SwarmView<'_>),
    ) -> bool {
        let mut left = cursor.swarms_left.unwrap_or(usize::MAX).min(self.swarms.len());
        let mut spent = 0;
        while left > 0 && spent < budget {
            let whole = SwarmView::new(&self.swarms[left - 1], self.ticks);
            // From the last to the first, as those that leave are replaced from behind.
            let end = cursor.peers_left.map_or(whole.part.end, |peers_left| peers_left.min(whole.part.end));
            let part = end.saturating_sub(budget - spent)..end;
            spent += 1 + part.len();
            left -= usize::from(part.start == 0);
            let is_continued = cursor.peers_left.is_some();
            cursor.peers_left = (part.start > 0).then_some(part.start);
            each(SwarmView { part, is_continued, ..whole });
        }
        cursor.swarms_left = Some(left);
        left > 0
    }

    /// Takes in a swarm that was written down. Peers already known are left as they are; those silent for too long
    /// are passed over, and a swarm of which nothing is left is not made.
    ///
    /// # Errors
    ///
    /// [`Full`] when the memory budget is reached; what was taken in until then stays.
    pub fn import(
        &mut self,
        hash: InfoHash,
        completed: u32,
        peers: impl IntoIterator<Item = PeerRecord>,
        now: Seconds,
    ) -> Result<(), Full> {
        let ttl_secs = self.config.peer_ttl_secs;
        let mut peers = peers.into_iter().filter(|peer| peer.idle_secs <= ttl_secs).peekable();
        let at = match (self.find(&hash), peers.peek()) {
            (Some(at), _) => at,
            (None, None) if completed == 0 => return Ok(()),
            (None, None) => self.make_swarm(hash, 0, now)?,
            (None, Some(first)) => self.admit(hash, first.endpoint, now)?,
        };
        let swarm = &mut self.swarms[at];
        swarm.set_completed(swarm.completed().max(completed));
        for peer in peers {
            if self.swarms[at].find(peer.endpoint, &self.salt).is_some() {
                continue;
            }
            if !self.fits(self.swarms[at].growth_bytes(peer.endpoint)) {
                return Err(Full);
            }
            let stamp =
                self.ticks.stamp_aged(now, peer.idle_secs, Marks { counted: peer.counted, detailed: false });
            self.put_in(at, peer.endpoint, peer.role, stamp);
        }
        Ok(())
    }
}
