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
    /// IPv6 peers in an array, one step away.
    SeveralV6(Lengths, Box<[Slot<18>]>),
    /// More, or some of each family.
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
        let [v4, v6] = self.zones();
        v4.len + v6.len
    }

    /// When the last peer left; `None` while somebody is here.
    pub(super) fn empty_since(&self) -> Option<Stamp> {
        match self.peers {
            Peers::Nobody(since) => Some(since),
            Peers::Few(..) | Peers::Several(..) | Peers::SeveralV6(..) | Peers::Many(_) => None,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let [v4, v6] = self.zones();
        let (seeders, partials) = (v4.seeders + v6.seeders, v4.partials + v6.partials);
        let incomplete = v4.len + v6.len - seeders;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Counts {
            complete: count(seeders),
            incomplete: count(incomplete),
            downloaders: count(incomplete - partials),
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
            (Peers::SeveralV6(lengths, slots), Key::V6(address)) => scan(taken(*lengths, slots).0, &address),
            (_, Key::V6(_)) => None,
        }
    }

    /// The endpoint, role and stamp of the peer at `position`.
    pub(super) fn peer(&self, position: usize) -> Option<(Endpoint, Role, Stamp)> {
        let ((v4, zones), (v6, zones_of_v6)) = (self.v4(), self.v6());
        match position.checked_sub(v4.len()) {
            None => described(v4, zones, position),
            Some(at) => described(v6, zones_of_v6, at),
        }
    }

    /// The role and stamp of the peer at `position`.
    pub(super) fn standing(&self, position: usize) -> Option<(Role, Stamp)> {
        match &self.peers {
            Peers::Nobody(_) => None,
            Peers::Few(lengths, slots) => standing(slots, lengths.zones(), position),
            Peers::Several(lengths, slots) => standing(slots, lengths.zones(), position),
            Peers::SeveralV6(lengths, slots) => standing(slots, lengths.zones(), position),
            Peers::Many(many) => match position.checked_sub(many.v4.len()) {
                None => standing(many.v4.slots(), many.v4.zones(), position),
                Some(at) => standing(many.v6.slots(), many.v6.zones(), at),
            },
        }
    }

    pub(super) fn stamp_mut(&mut self, position: usize) -> Option<&mut Stamp> {
        match &mut self.peers {
            Peers::Nobody(_) => None,
            Peers::Few(_, slots) => slots.get_mut(position).map(|slot| &mut slot.stamp),
            Peers::Several(_, slots) => slots.get_mut(position).map(|slot| &mut slot.stamp),
            Peers::SeveralV6(_, slots) => slots.get_mut(position).map(|slot| &mut slot.stamp),
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
            Key::V6(address) => self.insert_v6(Slot { address, stamp }, role, salt),
        }
    }

    fn insert_v4(&mut self, slot: Slot<6>, role: Role, salt: &Salt) -> usize {
        let inserted = match &mut self.peers {
            Peers::Nobody(_) => None,
            Peers::Few(lengths, slots) => lengths.insert(slots, slot, role),
            Peers::Several(lengths, slots) => lengths.insert(slots, slot, role),
            Peers::SeveralV6(..) => return self.make_many().v4.insert(slot, role, salt),
            Peers::Many(many) => Some(many.v4.insert(slot, role, salt)),
        };
        if let Some(position) = inserted {
            return position;
        }
        let (held, zones) = self.v4();
        let grown = match held.len() {
            0..FEW => Peers::Few(Lengths::of(zones), short::few(held)),
            FEW..SEVERAL => {
                Peers::Several(Lengths::of(zones), short::several(held, short::capacity(held.len())))
            }
            _ => return self.make_many().v4.insert(slot, role, salt),
        };
        self.peers = grown;
        self.insert_v4(slot, role, salt)
    }

    fn insert_v6(&mut self, slot: Slot<18>, role: Role, salt: &Salt) -> usize {
        let inserted = match &mut self.peers {
            Peers::SeveralV6(lengths, slots) => lengths.insert(slots, slot, role),
            _ => None,
        };
        if let Some(position) = inserted {
            return position;
        }
        let (held, zones) = self.v6();
        match &self.peers {
            Peers::Nobody(_) | Peers::SeveralV6(..) if held.len() < SEVERAL => {
                self.peers =
                    Peers::SeveralV6(Lengths::of(zones), short::several(held, short::capacity(held.len())));
                self.insert_v6(slot, role, salt)
            }
            _ => {
                let many = self.make_many();
                many.v4.len() + many.v6.insert(slot, role, salt)
            }
        }
    }

    /// Gives back memory that is not needed, at the time `now`: once somebody was taken out, and nobody takes the room.
    pub(super) fn shrink(&mut self, now: Stamp, salt: &Salt) {
        if let Peers::Many(many) = &mut self.peers {
            many.v4.shrink(salt);
            many.v6.shrink(salt);
        }
        if let Some(shrunk) = self.shrunk(now) {
            self.peers = shrunk;
        }
    }

    /// Makes the peer at `position` one of `role`, and says at which position it is then. Takes no more memory.
    pub(super) fn change(&mut self, position: usize, role: Role, stamp: Stamp, salt: &Salt) -> usize {
        let Some((endpoint, ..)) = self.peer(position) else { return position };
        self.remove(position, salt);
        self.insert(endpoint, role, stamp, salt)
    }

    /// Takes out the peer at `position`, and keeps its room for another of its family.
    pub(super) fn remove(&mut self, position: usize, salt: &Salt) {
        match &mut self.peers {
            Peers::Nobody(_) => {}
            Peers::Few(lengths, slots) => lengths.remove(slots, position),
            Peers::Several(lengths, slots) => lengths.remove(slots, position),
            Peers::SeveralV6(lengths, slots) => lengths.remove(slots, position),
            Peers::Many(many) => match position.checked_sub(many.v4.len()) {
                None => many.v4.remove(position, salt),
                Some(at) => many.v6.remove(at, salt),
            },
        }
    }

    /// The peers in as little room as they need, at the time `now`; `None` if they have not much more already.
    fn shrunk(&self, now: Stamp) -> Option<Peers> {
        let ((v4, zones), (v6, zones_of_v6)) = (self.v4(), self.v6());
        let is_roomy = match &self.peers {
            Peers::Nobody(_) => false,
            _ if self.len() == 0 => return Some(Peers::Nobody(now)),
            Peers::Few(..) => false,
            Peers::Several(_, slots) => v4.len() < FEW || is_sparse(v4.len(), slots.len()),
            Peers::SeveralV6(_, slots) => is_sparse(v6.len(), slots.len()),
            // Well below what fits, so that a swarm at the edge does not move back and forth.
            Peers::Many(_) => v4.is_empty() != v6.is_empty() && self.len() < SEVERAL / 2,
        };
        if !is_roomy {
            return None;
        }
        Some(if v4.is_empty() {
            Peers::SeveralV6(Lengths::of(zones_of_v6), short::several(v6, 0))
        } else if v4.len() < FEW {
            Peers::Few(Lengths::of(zones), short::few(v4))
        } else {
            Peers::Several(Lengths::of(zones), short::several(v4, 0))
        })
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
        let slots = (self.v4().0, self.v6().0);
        let within = |range: &Range<usize>, at: usize| {
            range.contains(&at).then(|| u32::try_from(at - range.start).unwrap_or(u32::MAX))
        };
        let without = pool.without.and_then(|position| match position.checked_sub(slots.0.len()) {
            None => within(&v4, position),
            Some(at) => within(&v6, at).map(|at| in_v4 + at),
        });
        if v6.is_empty() {
            // Most often; the others are a few instructions a peer dearer.
            let peers = &slots.0[v4];
            reply.v4.reserve(want.min(in_v4) as usize * size_of::<Compact<6>>());
            let emit = |drawn| reply.v4.extend_from_slice(&peers[drawn as usize].address);
            return sampler.draw(want, in_v4, without, rng, |drawn| fetch(&peers[drawn as usize]), emit);
        }
        let in_v6 = count(&v6);
        let (peers, peers_of_v6) = (&slots.0[v4], &slots.1[v6]);
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
            Peers::SeveralV6(_, slots) => size_of_val(&**slots),
            Peers::Many(many) => size_of::<Many>() + many.v4.heap_bytes() + many.v6.heap_bytes(),
        }
    }

    /// How many more bytes this endpoint would take on the heap at most.
    pub(super) fn growth_bytes(&self, endpoint: Endpoint) -> usize {
        let (v4, v6) = (self.v4().0.len(), self.v6().0.len());
        match (&self.peers, endpoint) {
            (Peers::Many(many), Endpoint::V4(..)) => many.v4.growth_bytes(),
            (Peers::Many(many), Endpoint::V6(..)) => many.v6.growth_bytes(),
            (Peers::SeveralV6(..), Endpoint::V4(..)) => {
                size_of::<Many>() + size_of_val(self.v6().0) + Pack::<6>::default().growth_bytes()
            }
            (_, Endpoint::V4(..)) if v4 < FEW => 0,
            (Peers::Several(_, slots), Endpoint::V4(..)) if v4 < slots.len() => 0,
            (_, Endpoint::V4(..)) if v4 < SEVERAL => short::capacity(v4) * size_of::<Slot<6>>(),
            (_, Endpoint::V4(..)) => size_of::<Many>() + growth(v4) * size_of::<Slot<6>>(),
            (Peers::SeveralV6(_, slots), Endpoint::V6(..)) if v6 < slots.len() => 0,
            (Peers::Nobody(_) | Peers::SeveralV6(..), Endpoint::V6(..)) if v6 < SEVERAL => {
                short::capacity(v6) * size_of::<Slot<18>>()
            }
            (Peers::SeveralV6(..), Endpoint::V6(..)) => {
                size_of::<Many>() + growth(v6) * size_of::<Slot<18>>()
            }
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

    /// Who of each family may be drawn, in its own positions.
    fn ranges(&self, pool: Pool) -> [Range<usize>; 2] {
        let [v4, v6] = self.zones();
        let range = |zones: Zones, is_wanted: bool| match (is_wanted, pool.leechers_only) {
            (false, _) => 0..0,
            (true, true) => zones.of(Role::Leecher),
            (true, false) => 0..zones.len,
        };
        [range(v4, pool.families != Families::V6), range(v6, pool.families != Families::V4)]
    }

    /// Has the memory fetched where the peers are, if that is elsewhere.
    pub(super) fn prefetch_peers(&self) {
        match &self.peers {
            Peers::Nobody(_) | Peers::Few(..) => {}
            Peers::Several(lengths, slots) => fetch_all(taken(*lengths, slots).0),
            Peers::SeveralV6(lengths, slots) => fetch_all(taken(*lengths, slots).0),
            Peers::Many(many) => fetch_all(std::slice::from_ref(&**many)),
        }
    }

    /// How many of which kind there are of each family.
    fn zones(&self) -> [Zones; 2] {
        match &self.peers {
            Peers::Nobody(_) => [Zones::default(); 2],
            Peers::Few(lengths, _) | Peers::Several(lengths, _) => [lengths.zones(), Zones::default()],
            Peers::SeveralV6(lengths, _) => [Zones::default(), lengths.zones()],
            Peers::Many(many) => [many.v4.zones(), many.v6.zones()],
        }
    }

    /// The IPv4 peers.
    fn v4(&self) -> (&[Slot<6>], Zones) {
        match &self.peers {
            Peers::Nobody(_) | Peers::SeveralV6(..) => (&[], Zones::default()),
            Peers::Few(lengths, slots) => taken(*lengths, slots),
            Peers::Several(lengths, slots) => taken(*lengths, slots),
            Peers::Many(many) => (many.v4.slots(), many.v4.zones()),
        }
    }

    /// The IPv6 peers.
    fn v6(&self) -> (&[Slot<18>], Zones) {
        match &self.peers {
            Peers::Nobody(_) | Peers::Few(..) | Peers::Several(..) => (&[], Zones::default()),
            Peers::SeveralV6(lengths, slots) => taken(*lengths, slots),
            Peers::Many(many) => (many.v6.slots(), many.v6.zones()),
        }
    }

    fn make_many(&mut self) -> &mut Many {
        if !matches!(self.peers, Peers::Many(_)) {
            let ((v4, zones), (v6, zones_of_v6)) = (self.v4(), self.v6());
            let many = Many { v4: Pack::of(v4, zones), v6: Pack::of(v6, zones_of_v6) };
            self.peers = Peers::Many(Box::new(many));
        }
        match &mut self.peers {
            Peers::Many(many) => many,
            Peers::Nobody(_) | Peers::Few(..) | Peers::Several(..) | Peers::SeveralV6(..) => {
                unreachable!("made so above")
            }
        }
    }
}

/// The peer at a position of an array.
fn described<const N: usize>(slots: &[Slot<N>], zones: Zones, at: usize) -> Option<(Endpoint, Role, Stamp)> {
    let (role, stamp) = standing(slots, zones, at)?;
    Some((endpoint(&slots[at].address)?, role, stamp))
}

/// What the peer at a position of an array is.
fn standing<const N: usize>(slots: &[Slot<N>], zones: Zones, at: usize) -> Option<(Role, Stamp)> {
    slots.get(at).filter(|_| at < zones.len).map(|slot| (zones.role(at), slot.stamp))
}

/// The taken part of a short array.
fn taken<const N: usize>(lengths: Lengths, slots: &[Slot<N>]) -> (&[Slot<N>], Zones) {
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
