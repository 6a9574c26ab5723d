//! One swarm: a hash, its peers in both address families, and how often it was completed.
//!
//! Peers have positions from 0 to `len`: IPv4 first, then IPv6, each family in its zones. A position holds until
//! the swarm is changed, and removing the peer at a position moves only peers behind it.

use std::ops::Range;

use rand_core::Rng;

use super::pack::{Compact, Key, Pack, Role, Slot, Zones, endpoint};
use super::sample::Sampler;
use super::tick::Stamp;
use crate::salt::Salt;
use crate::{Counts, Endpoint, Families, InfoHash, Reply};

/// A swarm of one or two IPv4 peers, as most are, holds them here; any other has them on the heap.
#[derive(Debug)]
pub(super) struct Swarm {
    pub(super) hash: InfoHash,
    tally: Tally,
    peers: Peers,
}

/// Two facts in four bytes: 31 bits of how often the torrent was completed, and whether the swarm stays while it is
/// empty.
#[derive(Debug, Clone, Copy)]
struct Tally(u32);

#[derive(Debug)]
enum Peers {
    /// Nobody, since the time stamped.
    Nobody(Stamp),
    Few(Few),
    Many(Box<Many>),
}

/// How many peers are held without heap.
const FEW: usize = 2;

/// One or two IPv4 peers, in zones like the many.
#[derive(Debug)]
struct Few {
    len: u8,
    seeders: u8,
    partials: u8,
    slots: [Slot<6>; FEW],
}

#[derive(Debug, Default)]
struct Many {
    v4: Pack<6>,
    v6: Pack<18>,
}

/// Who is drawn from for an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    /// Only those who still fetch: what a seeder has a use for.
    pub(super) leechers_only: bool,
    pub(super) families: Families,
    /// The position that is never drawn: the asker's own.
    pub(super) without: Option<usize>,
}

impl Swarm {
    pub(super) fn new(hash: InfoHash, now: Stamp) -> Self {
        Self { hash, tally: Tally(0), peers: Peers::Nobody(now) }
    }

    pub(super) fn len(&self) -> usize {
        match &self.peers {
            Peers::Nobody(_) => 0,
            Peers::Few(few) => few.slots().len(),
            Peers::Many(many) => many.v4.len() + many.v6.len(),
        }
    }

    /// When the last peer left; `None` while somebody is here.
    pub(super) fn empty_since(&self) -> Option<Stamp> {
        match self.peers {
            Peers::Nobody(since) => Some(since),
            Peers::Few(_) | Peers::Many(_) => None,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let [seeders, partials] = [Role::Seeder, Role::Partial].map(|role| {
            let [v4, v6] = self.zones_of(role);
            v4.len() + v6.len()
        });
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Counts {
            complete: count(seeders),
            incomplete: count(self.len() - seeders),
            downloaders: count(self.len() - seeders - partials),
            completed: self.tally.completed(),
        }
    }

    pub(super) fn completed(&self) -> u32 {
        self.tally.completed()
    }

    pub(super) fn set_completed(&mut self, completed: u32) {
        self.tally = Tally::new(completed, self.tally.pinned());
    }

    pub(super) fn pinned(&self) -> bool {
        self.tally.pinned()
    }

    pub(super) fn set_pinned(&mut self, pinned: bool) {
        self.tally = Tally::new(self.tally.completed(), pinned);
    }

    pub(super) fn find(&self, endpoint: Endpoint, salt: &Salt) -> Option<usize> {
        match (&self.peers, Key::from(endpoint)) {
            (Peers::Few(few), Key::V4(address)) => {
                few.slots().iter().position(|slot| slot.address == address)
            }
            (Peers::Many(many), Key::V4(address)) => many.v4.find(&address, salt),
            (Peers::Many(many), Key::V6(address)) => {
                many.v6.find(&address, salt).map(|at| many.v4.len() + at)
            }
            (Peers::Nobody(_), _) | (Peers::Few(_), Key::V6(_)) => None,
        }
    }

    /// The endpoint, role and stamp of the peer at `position`.
    pub(super) fn peer(&self, position: usize) -> Option<(Endpoint, Role, Stamp)> {
        let (endpoint, stamp) = match &self.peers {
            Peers::Nobody(_) => return None,
            Peers::Few(few) => few.slots().get(position).map(|slot| (endpoint(&slot.address), slot.stamp))?,
            Peers::Many(many) => match position.checked_sub(many.v4.len()) {
                None => many.v4.slots().get(position).map(|slot| (endpoint(&slot.address), slot.stamp))?,
                Some(at) => many.v6.slots().get(at).map(|slot| (endpoint(&slot.address), slot.stamp))?,
            },
        };
        Some((endpoint?, self.role(position), stamp))
    }

    pub(super) fn role(&self, position: usize) -> Role {
        match &self.peers {
            Peers::Nobody(_) => Role::Leecher,
            Peers::Few(few) => few.zones().role(position),
            Peers::Many(many) => match position.checked_sub(many.v4.len()) {
                None => many.v4.zones().role(position),
                Some(at) => many.v6.zones().role(at),
            },
        }
    }

    pub(super) fn stamp_mut(&mut self, position: usize) -> Option<&mut Stamp> {
        match &mut self.peers {
            Peers::Nobody(_) => None,
            Peers::Few(few) => few.slots.get_mut(position).map(|slot| &mut slot.stamp),
            Peers::Many(many) => match position.checked_sub(many.v4.len()) {
                None => many.v4.stamp_mut(position),
                Some(at) => many.v6.stamp_mut(at),
            },
        }
    }

    /// Adds a peer that is not here yet, and says at which position.
    pub(super) fn insert(&mut self, endpoint: Endpoint, role: Role, stamp: Stamp, salt: &Salt) -> usize {
        let key = Key::from(endpoint);
        if let (Peers::Nobody(_), Key::V4(address)) = (&self.peers, &key) {
            self.peers = Peers::Few(Few::one(Slot { address: *address, stamp }, role));
            return 0;
        }
        if let (Peers::Few(few), Key::V4(address)) = (&mut self.peers, &key)
            && let Some(position) = few.insert(Slot { address: *address, stamp }, role)
        {
            return position;
        }
        let many = self.make_many(salt);
        match key {
            Key::V4(address) => many.v4.insert(Slot { address, stamp }, role, salt),
            Key::V6(address) => many.v4.len() + many.v6.insert(Slot { address, stamp }, role, salt),
        }
    }

    /// Takes out the peer at `position`, at the time `now`.
    pub(super) fn remove(&mut self, position: usize, now: Stamp, salt: &Salt) {
        match &mut self.peers {
            Peers::Nobody(_) => {}
            Peers::Few(few) => few.remove(position),
            Peers::Many(many) => {
                match position.checked_sub(many.v4.len()) {
                    None => many.v4.remove(position, salt),
                    Some(at) => many.v6.remove(at, salt),
                }
                // At one below what fits, so that a swarm at the edge does not move back and forth.
                if many.v6.len() == 0 && many.v4.len() < FEW {
                    let zones = many.v4.zones();
                    let last = many.v4.slots().first().map(|slot| Few::one(*slot, zones.role(0)));
                    self.peers = last.map_or(Peers::Nobody(now), Peers::Few);
                }
            }
        }
        if self.len() == 0 && self.empty_since().is_none() {
            self.peers = Peers::Nobody(now);
        }
    }

    /// Draws up to `want` peers of `pool` into `reply`, each as likely as any other, and as likely to be the first.
    pub(super) fn sample(
        &self,
        want: u32,
        pool: Pool,
        sampler: &mut Sampler,
        rng: &mut impl Rng,
        reply: &mut Reply,
    ) {
        let [v4, v6] = self.ranges(pool);
        let count = |range: &Range<usize>| u32::try_from(range.len()).unwrap_or(u32::MAX);
        let in_v4 = count(&v4);
        let without = pool.without.and_then(|position| {
            if v4.contains(&position) {
                u32::try_from(position - v4.start).ok()
            } else if v6.contains(&position) {
                u32::try_from(position - v6.start).ok().map(|at| in_v4 + at)
            } else {
                None
            }
        });
        let slots = self.slots();
        if v6.is_empty() {
            // Most often; the others are a few instructions a peer dearer.
            let peers = &slots.0[v4];
            reply.v4.reserve(want.min(in_v4) as usize * size_of::<Compact<6>>());
            let emit = |drawn| reply.v4.extend_from_slice(&peers[drawn as usize].address);
            return sampler.draw(want, in_v4, without, rng, emit);
        }
        sampler.draw(want, in_v4 + count(&v6), without, rng, |drawn| {
            if drawn < in_v4 {
                reply.v4.extend_from_slice(&slots.0[v4.start + drawn as usize].address);
            } else {
                let position = v6.start + (drawn - in_v4) as usize;
                reply.v6.extend_from_slice(&slots.1[position - slots.0.len()].address);
            }
        });
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match &self.peers {
            Peers::Nobody(_) | Peers::Few(_) => 0,
            Peers::Many(many) => size_of::<Many>() + many.v4.heap_bytes() + many.v6.heap_bytes(),
        }
    }

    /// How many more bytes this endpoint would take on the heap at most.
    pub(super) fn growth_bytes(&self, endpoint: Endpoint) -> usize {
        match (&self.peers, endpoint) {
            (Peers::Many(many), Endpoint::V4(..)) => many.v4.growth_bytes(),
            (Peers::Many(many), Endpoint::V6(..)) => many.v6.growth_bytes(),
            (Peers::Nobody(_), Endpoint::V4(..)) => 0,
            (Peers::Few(few), Endpoint::V4(..)) if few.slots().len() < FEW => 0,
            (Peers::Nobody(_) | Peers::Few(_), _) => {
                size_of::<Many>() + Pack::<6>::default().growth_bytes() + Pack::<18>::default().growth_bytes()
            }
        }
    }

    /// Positions of the peers in the address family of `endpoint`.
    pub(super) fn family_of(&self, endpoint: Endpoint) -> Range<usize> {
        let in_v4 = self.slots().0.len();
        match endpoint {
            Endpoint::V4(..) => 0..in_v4,
            Endpoint::V6(..) => in_v4..self.len(),
        }
    }

    /// Positions of the peers of `role`, IPv4 and IPv6.
    fn zones_of(&self, role: Role) -> [Range<usize>; 2] {
        match &self.peers {
            Peers::Nobody(_) => [0..0, 0..0],
            Peers::Few(few) => [few.zones().of(role), 0..0],
            Peers::Many(many) => {
                let (v6, shift) = (many.v6.zones().of(role), many.v4.len());
                [many.v4.zones().of(role), v6.start + shift..v6.end + shift]
            }
        }
    }

    fn ranges(&self, pool: Pool) -> [Range<usize>; 2] {
        let [v4, v6] = if pool.leechers_only {
            self.zones_of(Role::Leecher)
        } else {
            let in_v4 = self.slots().0.len();
            [0..in_v4, in_v4..self.len()]
        };
        match pool.families {
            Families::V4 => [v4, 0..0],
            Families::V6 => [0..0, v6],
            Families::Both => [v4, v6],
        }
    }

    fn slots(&self) -> (&[Slot<6>], &[Slot<18>]) {
        match &self.peers {
            Peers::Nobody(_) => (&[], &[]),
            Peers::Few(few) => (few.slots(), &[]),
            Peers::Many(many) => (many.v4.slots(), many.v6.slots()),
        }
    }

    fn make_many(&mut self, salt: &Salt) -> &mut Many {
        let moved = match &self.peers {
            Peers::Many(_) => None,
            Peers::Nobody(_) => Some(Box::default()),
            Peers::Few(few) => {
                let mut many: Box<Many> = Box::default();
                for (at, slot) in few.slots().iter().enumerate() {
                    many.v4.insert(*slot, few.zones().role(at), salt);
                }
                Some(many)
            }
        };
        if let Some(many) = moved {
            self.peers = Peers::Many(many);
        }
        match &mut self.peers {
            Peers::Many(many) => many,
            Peers::Nobody(_) | Peers::Few(_) => unreachable!("made so above"),
        }
    }
}

impl Few {
    fn one(slot: Slot<6>, role: Role) -> Self {
        let mut few = Self { len: 1, seeders: 0, partials: 0, slots: [slot; FEW] };
        few.count(role, 1);
        few
    }

    fn slots(&self) -> &[Slot<6>] {
        &self.slots[..usize::from(self.len)]
    }

    fn zones(&self) -> Zones {
        Zones { seeders: self.seeders.into(), partials: self.partials.into(), len: self.len.into() }
    }

    /// Where the peer now stands; `None` if there is no room.
    fn insert(&mut self, slot: Slot<6>, role: Role) -> Option<usize> {
        let len = usize::from(self.len);
        if len == FEW {
            return None;
        }
        let at = self.zones().of(role).end;
        self.slots.copy_within(at..len, at + 1);
        self.slots[at] = slot;
        self.len += 1;
        self.count(role, 1);
        Some(at)
    }

    fn remove(&mut self, at: usize) {
        if at < usize::from(self.len) {
            self.count(self.zones().role(at), -1);
            self.slots.copy_within(at + 1..usize::from(self.len), at);
            self.len -= 1;
        }
    }

    fn count(&mut self, role: Role, by: i8) {
        match role {
            Role::Seeder => self.seeders = self.seeders.wrapping_add_signed(by),
            Role::Partial => self.partials = self.partials.wrapping_add_signed(by),
            Role::Leecher => {}
        }
    }
}

impl Tally {
    const PINNED: u32 = 1 << 31;

    const fn new(completed: u32, pinned: bool) -> Self {
        let completed = if completed < Self::PINNED { completed } else { Self::PINNED - 1 };
        Self(completed | if pinned { Self::PINNED } else { 0 })
    }

    const fn completed(self) -> u32 {
        self.0 & !Self::PINNED
    }

    const fn pinned(self) -> bool {
        self.0 & Self::PINNED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_swarm_takes_48_bytes_and_no_heap() {
        assert_eq!(size_of::<Swarm>(), 48);
    }
}
