//! The memory budget: what is counted, and what is given up, in which order, when it is reached.
//!
//! 1. Details are dropped, and no new ones are taken while more than three quarters of the budget are in use.
//! 2. A swarm that may not grow lets a new peer replace the idlest of a few.
//! 3. From then on until the sweep has gone round, idle peers of large swarms are let go after half their time.
//! 4. New swarms are refused.
//!
//! Counted is what is asked of the allocator; its own few bytes a block are not.

use rand_core::Rng;

use super::Registry;
use super::swarm::Swarm;
use super::tick::Marks;
use crate::{Endpoint, InfoHash, Seconds};

/// A swarm of at least so many peers is large: its idle peers are the first to go.
const LARGE_SWARM_PEERS: usize = 64;

/// Among how many peers the idlest is looked for when one must go.
const IDLEST_OF: u32 = 8;

/// The memory budget is reached: the peer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// What was given up for lack of memory, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shed {
    /// Details of peers dropped.
    pub details: u64,
    /// Peers replaced by newer ones, or let go before their time.
    pub peers: u64,
    /// Announces and pins refused.
    pub refused: u64,
}

impl Registry {
    /// Bytes taken of the budget.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.swarms.capacity() * size_of::<Swarm>()
            + self.index.heap_bytes()
            + self.heap_bytes
            + self.details.heap_bytes()
    }

    /// Whether something did not fit since the sweep last went round.
    #[must_use]
    pub fn is_short_of_memory(&self) -> bool {
        self.short_of_memory
    }

    /// Seconds a peer of a swarm with `peers` peers may stay silent.
    pub(super) fn ttl_secs(&self, peers: usize) -> u32 {
        let ttl = self.config.peer_ttl_secs;
        if self.short_of_memory && peers >= LARGE_SWARM_PEERS { ttl / 2 } else { ttl }
    }

    /// Bytes that new details may take.
    pub(super) fn details_bytes_free(&self) -> usize {
        (self.config.memory_bytes_max / 4 * 3).saturating_sub(self.memory_bytes())
    }

    /// Adds a swarm for the peer at `endpoint`, if both fit.
    pub(super) fn admit(&mut self, hash: InfoHash, endpoint: Endpoint, now: Seconds) -> Result<usize, Full> {
        let peer_bytes = Swarm::new(hash, self.ticks.stamp(now, Marks::default())).growth_bytes(endpoint);
        self.make_swarm(hash, peer_bytes, now)
    }

    /// Adds an empty swarm, if it and `more_bytes` fit.
    pub(super) fn make_swarm(
        &mut self,
        hash: InfoHash,
        more_bytes: usize,
        now: Seconds,
    ) -> Result<usize, Full> {
        let slot_bytes = if self.swarms.len() == self.swarms.capacity() {
            super::growth(self.swarms.len()) * size_of::<Swarm>()
        } else {
            0
        };
        if !self.fits(slot_bytes + self.index.growth_bytes() + more_bytes) {
            self.shed.refused += 1;
            return Err(Full);
        }
        Ok(self.push_swarm(hash, now))
    }

    /// Sees to it that the peer at `endpoint`, which is new to the swarm at `at`, can be added.
    pub(super) fn make_room(
        &mut self,
        at: usize,
        endpoint: Endpoint,
        now: Seconds,
        rng: &mut impl Rng,
    ) -> Result<(), Full> {
        let growth_bytes = self.swarms[at].growth_bytes(endpoint);
        if growth_bytes == 0 || self.fits(growth_bytes) {
            return Ok(());
        }
        let idlest = self.idlest(at, endpoint, now, rng);
        let Some(position) = idlest else {
            self.shed.refused += 1;
            return Err(Full);
        };
        self.take_out(at, position);
        self.shed.peers += 1;
        Ok(())
    }

    /// Whether `bytes` more can be had, after giving up the details if need be.
    pub(super) fn fits(&mut self, bytes: usize) -> bool {
        if self.memory_bytes() + bytes <= self.config.memory_bytes_max {
            return true;
        }
        self.shed.details += self.details.clear() as u64;
        let fits = self.memory_bytes() + bytes <= self.config.memory_bytes_max;
        self.short_of_memory |= !fits;
        fits
    }

    /// The position of the peer that was silent longest, among a few of the family of `endpoint`.
    fn idlest(&self, at: usize, endpoint: Endpoint, now: Seconds, rng: &mut impl Rng) -> Option<usize> {
        let swarm = &self.swarms[at];
        let family = swarm.family_of(endpoint);
        let len = u64::try_from(family.len()).ok().filter(|&len| len > 0)?;
        (0..IDLEST_OF).map(|_| family.start + usize::try_from(rng.next_u64() % len).unwrap_or(0)).max_by_key(
            |&position| swarm.standing(position).map(|(_, stamp)| self.ticks.age_secs(stamp, now)),
        )
    }
}
