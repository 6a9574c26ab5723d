//! One swarm: a hash, its peers in both address families, and how often it was completed.
//!
//! Peers have positions from 0 to `len`: IPv4 first, then IPv6, each family in its zones. A position holds until
//! the swarm is changed, and removing the peer at a position moves only peers behind it.

use std::ops::Range;

use rand_core::Rng;

use super::pack::{Compact, Key, Pack, Role, Slot, Zones, endpoint, growth, is_sparse, scan};
use super::prefetch::{fetch, fetch_all};
use super::sample::Sampler;
use super::short::{self, FEW, Lengths, SEVERAL};
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
    /// IPv4 peers, so few that they are held without heap.
    Few(Lengths, [Slot<6>; FEW]),
    /// IPv4 peers in an array, one step away.
    Several(Lengths, Box<[Slot<6>]>),
    /// More, or some of IPv6.
    Many(Box<Many>),
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
        self.v4().0.len() + self.v6().0.len()
    }

    /// When the last peer left; `None` while somebody is here.
    pub(super) fn empty_since(&self) -> Option<Stamp> {
        match self.peers {
            Peers::Nobody(since) => Some(since),
            Peers::Few(..) | Peers::Several(..) | Peers::Many(_) => None,
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
            (Peers::Many(many), Key::V4(address)) => many.v4.find(&address, salt),
            (Peers::Many(many), Key::V6(address)) => {
                many.v6.find(&address, salt).map(|at| many.v4.len() + at)
            }
            (_, Key::V4(address)) => scan(self.v4().0, &address),
            (_, Key::V6(_)) => None,
        }
    }

    /// The endpoint, role and stamp of the peer at `position`.
    pub(super) fn peer(&self, position: usize) -> Option<(Endpoint, Role, Stamp)> {
        let (v4, v6) = (self.v4().0, self.v6().0);
        let (endpoint, stamp) = match position.checked_sub(v4.len()) {
            None => v4.get(position).map(|slot| (endpoint(&slot.address), slot.stamp))?,
            Some(at) => v6.get(at).map(|slot| (endpoint(&slot.address), slot.stamp))?,
        };
        Some((endpoint?, self.role(position), stamp))
    }

    pub(super) fn role(&self, position: usize) -> Role {
        let ((v4, zones), (_, zones_of_v6)) = (self.v4(), self.v6());
        match position.checked_sub(v4.len()) {
            None => zones.role(position),
            Some(at) => zones_of_v6.role(at),
        }
    }

    pub(super) fn stamp_mut(&mut self, position: usize) -> Option<&mut Stamp> {
        match &mut self.peers {
            Peers::Nobody(_) => None,
            Peers::Few(_, slots) => slots.get_mut(position).map(|slot| &mut slot.stamp),
            Peers::Several(_, slots) => slots.get_mut(position).map(|slot| &mut slot.stamp),
            Peers::Many(many) => match position.checked_sub(many.v4.len()) {
                None => many.v4.stamp_mut(position),
                Some(at) => many.v6.stamp_mut(at),
            },
        }
    }

    /// Adds a peer that is not here yet, and says at which position.
    pub(super) fn insert(&mut self, endpoint: Endpoint, role: Role, stamp: Stamp, salt: &Salt) -> usize {
        match Key::from(endpoint) {
            Key::V4(address) => self.insert_v4(Slot { address, stamp }, role, salt),
            Key::V6(address) => {
                let many = self.make_many();
                many.v4.len() + many.v6.insert(Slot { address, stamp }, role, salt)
            }
        }
    }

    fn insert_v4(&mut self, slot: Slot<6>, role: Role, salt: &Salt) -> usize {
        let inserted = match &mut self.peers {
            Peers::Nobody(_) => None,
            Peers::Few(lengths, slots) => lengths.insert(slots, slot, role),
            Peers::Several(lengths, slots) => lengths.insert(slots, slot, role),
            Peers::Many(many) => Some(many.v4.insert(slot, role, salt)),
        };
        if let Some(position) = inserted {
            return position;
        }
        let (held, zones) = self.v4();
        let grown = match held.len() {
            0..FEW => Peers::Few(Lengths::of(zones), short::few(held)),
            FEW..SEVERAL => Peers::Several(Lengths::of(zones), short::several(held)),
            _ => return self.make_many().v4.insert(slot, role, salt),
        };
        self.peers = grown;
        self.insert_v4(slot, role, salt)
    }

    /// Takes out the peer at `position`, at the time `now`.
    pub(super) fn remove(&mut self, position: usize, now: Stamp, salt: &Salt) {
        match &mut self.peers {
            Peers::Nobody(_) => {}
            Peers::Few(lengths, slots) => lengths.remove(slots, position),
            Peers::Several(lengths, slots) => lengths.remove(slots, position),
            Peers::Many(many) => match position.checked_sub(many.v4.len()) {
                None => many.v4.remove(position, salt),
                Some(at) => many.v6.remove(at, salt),
            },
        }
        let (held, zones) = self.v4();
        // Well below what fits, so that a swarm at the edge does not move back and forth.
        let shrunk = match &self.peers {
            Peers::Nobody(_) => None,
            _ if self.len() == 0 => Some(Peers::Nobody(now)),
            Peers::Few(..) => None,
            Peers::Many(many) if many.v6.len() > 0 || held.len() >= SEVERAL / 2 => None,
            _ if held.len() < FEW => Some(Peers::Few(Lengths::of(zones), short::few(held))),
            Peers::Several(_, slots) if !is_sparse(held.len(), slots.len()) => None,
            Peers::Several(..) | Peers::Many(_) => {
                Some(Peers::Several(Lengths::of(zones), short::several(held)))
            }
        };
        if let Some(shrunk) = shrunk {
            self.peers = shrunk;
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
        let slots = (self.v4().0, self.v6().0);
        if v6.is_empty() {
            // Most often; the others are a few instructions a peer dearer.
            let peers = &slots.0[v4];
            reply.v4.reserve(want.min(in_v4) as usize * size_of::<Compact<6>>());
            let emit = |drawn| reply.v4.extend_from_slice(&peers[drawn as usize].address);
            return sampler.draw(want, in_v4, without, rng, |drawn| fetch(&peers[drawn as usize]), emit);
        }
        let in_v6 = count(&v6);
        let (peers, peers_of_v6) = (&slots.0[v4], &slots.1[v6.start - slots.0.len()..v6.end - slots.0.len()]);
        let fetch = |drawn: u32| match drawn.checked_sub(in_v4) {
            None => fetch(&peers[drawn as usize]),
            Some(drawn) => fetch(&peers_of_v6[drawn as usize]),
        };
        sampler.draw(want, in_v4 + in_v6, without, rng, fetch, |drawn| match drawn.checked_sub(in_v4) {
            None => reply.v4.extend_from_slice(&peers[drawn as usize].address),
            Some(drawn) => reply.v6.extend_from_slice(&peers_of_v6[drawn as usize].address),
        });
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match &self.peers {
            Peers::Nobody(_) | Peers::Few(..) => 0,
            Peers::Several(_, slots) => size_of_val(&**slots),
            Peers::Many(many) => size_of::<Many>() + many.v4.heap_bytes() + many.v6.heap_bytes(),
        }
    }

    /// How many more bytes this endpoint would take on the heap at most.
    pub(super) fn growth_bytes(&self, endpoint: Endpoint) -> usize {
        let held = self.v4().0.len();
        match (&self.peers, endpoint) {
            (Peers::Many(many), Endpoint::V4(..)) => many.v4.growth_bytes(),
            (Peers::Many(many), Endpoint::V6(..)) => many.v6.growth_bytes(),
            (_, Endpoint::V4(..)) if held < FEW => 0,
            (Peers::Several(_, slots), Endpoint::V4(..)) if held < slots.len() => 0,
            (_, Endpoint::V4(..)) if held < SEVERAL => short::capacity(held) * size_of::<Slot<6>>(),
            (_, Endpoint::V4(..)) => size_of::<Many>() + growth(held) * size_of::<Slot<6>>(),
            (_, Endpoint::V6(..)) => {
                size_of::<Many>() + size_of_val(self.v4().0) + Pack::<18>::default().growth_bytes()
            }
        }
    }

    /// Positions of the peers in the address family of `endpoint`.
    pub(super) fn family_of(&self, endpoint: Endpoint) -> Range<usize> {
        let in_v4 = self.v4().0.len();
        match endpoint {
            Endpoint::V4(..) => 0..in_v4,
            Endpoint::V6(..) => in_v4..self.len(),
        }
    }

    /// Positions of the peers of `role`, IPv4 and IPv6.
    fn zones_of(&self, role: Role) -> [Range<usize>; 2] {
        let ((v4, zones), (_, zones_of_v6)) = (self.v4(), self.v6());
        let (v6, shift) = (zones_of_v6.of(role), v4.len());
        [zones.of(role), v6.start + shift..v6.end + shift]
    }

    fn ranges(&self, pool: Pool) -> [Range<usize>; 2] {
        let [v4, v6] = if pool.leechers_only {
            self.zones_of(Role::Leecher)
        } else {
            let in_v4 = self.v4().0.len();
            [0..in_v4, in_v4..self.len()]
        };
        match pool.families {
            Families::V4 => [v4, 0..0],
            Families::V6 => [0..0, v6],
            Families::Both => [v4, v6],
        }
    }

    /// Has the memory fetched where the peers are, if that is elsewhere.
    pub(super) fn prefetch_peers(&self) {
        match &self.peers {
            Peers::Nobody(_) | Peers::Few(..) => {}
            Peers::Several(lengths, slots) => fetch_all(taken(*lengths, slots).0),
            Peers::Many(many) => fetch_all(std::slice::from_ref(&**many)),
        }
    }

    /// The IPv4 peers.
    fn v4(&self) -> (&[Slot<6>], Zones) {
        match &self.peers {
            Peers::Nobody(_) => (&[], Zones::default()),
            Peers::Few(lengths, slots) => taken(*lengths, slots),
            Peers::Several(lengths, slots) => taken(*lengths, slots),
            Peers::Many(many) => (many.v4.slots(), many.v4.zones()),
        }
    }

    /// The IPv6 peers.
    fn v6(&self) -> (&[Slot<18>], Zones) {
        match &self.peers {
            Peers::Nobody(_) | Peers::Few(..) | Peers::Several(..) => (&[], Zones::default()),
            Peers::Many(many) => (many.v6.slots(), many.v6.zones()),
        }
    }

    fn make_many(&mut self) -> &mut Many {
        if !matches!(self.peers, Peers::Many(_)) {
            let (held, zones) = self.v4();
            self.peers = Peers::Many(Box::new(Many { v4: Pack::of(held, zones), v6: Pack::default() }));
        }
        match &mut self.peers {
            Peers::Many(many) => many,
            Peers::Nobody(_) | Peers::Few(..) | Peers::Several(..) => unreachable!("made so above"),
        }
    }
}

/// The taken part of a short array.
fn taken(lengths: Lengths, slots: &[Slot<6>]) -> (&[Slot<6>], Zones) {
    let zones = lengths.zones();
    (&slots[..zones.len], zones)
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
