//! Swarms as plain records: to look at, to write down, and to read back in.

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

/// A swarm that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct SwarmView<'a> {
    swarm: &'a Swarm,
    ticks: Ticks,
}

/// How far an export has come.
#[derive(Debug, Clone, Default)]
pub struct ExportCursor {
    swarms_left: Option<usize>,
}

impl<'a> SwarmView<'a> {
    pub(super) const fn new(swarm: &'a Swarm, ticks: Ticks) -> Self {
        Self { swarm, ticks }
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

    /// Everybody in it, as of `now`.
    pub fn peers(&self, now: Seconds) -> impl ExactSizeIterator<Item = PeerRecord> + use<'a> {
        let Self { swarm, ticks } = *self;
        (0..swarm.len()).map(move |position| {
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
    /// Shows `each` swarm to the caller, some at a time: as many as it takes to pass `budget` peers and swarms.
    /// Returns false once all have been shown. Announces may come between calls: whoever was there from beginning
    /// to end is shown, perhaps twice.
    pub fn export(
        &self,
        cursor: &mut ExportCursor,
        budget: usize,
        mut each: impl FnMut(SwarmView<'_>),
    ) -> bool {
        let mut left = cursor.swarms_left.unwrap_or(usize::MAX).min(self.swarms.len());
        let mut spent = 0;
        while left > 0 && spent < budget {
            left -= 1;
            spent += 1 + self.swarms[left].len();
            each(SwarmView::new(&self.swarms[left], self.ticks));
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
