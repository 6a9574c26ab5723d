//! The peers of one swarm and one address family, in one packed array.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::index::Index;
use super::tick::Stamp;
use crate::salt::Salt;
use crate::{Endpoint, Port};

/// The compact form of an endpoint, as it is on the wire: 6 bytes (BEP 23) or 18 (BEP 7).
pub(super) type Compact<const N: usize> = [u8; N];

/// One peer: where it listens, and when it was last heard of. What it is (seeder, partial seed, leecher) is said by
/// where in the array it stands.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Slot<const N: usize> {
    pub(super) address: Compact<N>,
    pub(super) stamp: Stamp,
}

/// What a peer is to others. The order is that of the zones in the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Has everything.
    Seeder,
    /// Has all it wants, but not everything (BEP 21).
    Partial,
    /// Still fetching.
    Leecher,
}

/// Where in an array of peers each role stands: seeders, partial seeds, leechers, in this order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Zones {
    pub(super) seeders: usize,
    pub(super) partials: usize,
    pub(super) len: usize,
}

impl Zones {
    pub(super) fn of(self, role: Role) -> Range<usize> {
        let uploaders = self.seeders + self.partials;
        match role {
            Role::Seeder => 0..self.seeders,
            Role::Partial => self.seeders..uploaders,
            Role::Leecher => uploaders..self.len,
        }
    }

    /// Who moves, from where and to where, for one more of `role` to stand at the end of its zone. There is room behind all.
    pub(super) fn moves_to_admit(self, role: Role) -> impl Iterator<Item = (usize, usize)> {
        let mut free = self.len;
        // The zones behind make room by moving their first member to their end.
        [Role::Leecher, Role::Partial].into_iter().filter(move |zone| role < *zone).map(move |zone| {
            let first = self.of(zone).start;
            (first, std::mem::replace(&mut free, first))
        })
    }

    /// Who moves when the peer at `at` has gone. Those before it stay where they are.
    pub(super) fn moves_to_close(self, at: usize) -> impl Iterator<Item = (usize, usize)> {
        let (role, mut gap) = (self.role(at), at);
        // A zone's last member fills the gap, and leaves one at the start of the next zone.
        [Role::Seeder, Role::Partial, Role::Leecher]
            .into_iter()
            .filter(move |zone| *zone >= role)
            .filter_map(move |zone| self.of(zone).next_back())
            .map(move |last| (last, std::mem::replace(&mut gap, last)))
    }

    /// What the peer at `at` is.
    pub(super) fn role(self, at: usize) -> Role {
        if at < self.seeders {
            Role::Seeder
        } else if at < self.seeders + self.partials {
            Role::Partial
        } else {
            Role::Leecher
        }
    }
}

/// Above this many peers a pack keeps an index by endpoint; below half of it the index is dropped again.
const INDEX_FROM: usize = 256;

/// Peers in three zones: seeders, partial seeds, leechers. So a seeder's answer (leechers only) is drawn from one
/// unbroken range, and the counts are the zones' lengths.
#[derive(Debug, Default)]
pub(super) struct Pack<const N: usize> {
    slots: Vec<Slot<N>>,
    seeders: u32,
    partials: u32,
    index: Option<Box<Index>>,
}

impl<const N: usize> Pack<N> {
    /// Of peers that stand in their zones, so few that they need no index.
    pub(super) fn of(slots: &[Slot<N>], zones: Zones) -> Self {
        let [seeders, partials] = [zones.seeders, zones.partials].map(super::index::narrow);
        Self { slots: slots.to_vec(), seeders, partials, index: None }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn slots(&self) -> &[Slot<N>] {
        &self.slots
    }

    pub(super) fn stamp_mut(&mut self, at: usize) -> Option<&mut Stamp> {
        self.slots.get_mut(at).map(|slot| &mut slot.stamp)
    }

    pub(super) fn zones(&self) -> Zones {
        Zones { seeders: self.seeders as usize, partials: self.partials as usize, len: self.slots.len() }
    }

    pub(super) fn find(&self, address: &Compact<N>, salt: &Salt) -> Option<usize> {
        match &self.index {
            None => scan(&self.slots, address),
            Some(index) => index.find(salt.hash(address), |at| self.slots[at as usize].address == *address),
        }
    }

    /// Adds a peer that is not there yet, and says where.
    pub(super) fn insert(&mut self, slot: Slot<N>, role: Role, salt: &Salt) -> usize {
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(growth(self.slots.len()));
        }
        let zones = self.zones();
        let at = zones.of(role).end;
        self.slots.push(slot);
        for (was, at) in zones.moves_to_admit(role) {
            self.slots[at] = self.slots[was];
            self.reindex_moved(at, was, salt);
        }
        self.slots[at] = slot;
        match role {
            Role::Seeder => self.seeders += 1,
            Role::Partial => self.partials += 1,
            Role::Leecher => {}
        }
        let hash_of = hash_of(&self.slots, salt);
        if let Some(index) = &mut self.index {
            index.insert(at, hash_of);
        } else if self.slots.len() > INDEX_FROM {
            let capacity = self.slots.len() + growth(self.slots.len());
            self.index = Some(Box::new(Index::of(self.slots.len(), capacity, hash_of)));
        }
        at
    }

    /// Takes the peer at `at` out; peers behind it move, those before it stay where they are. Its room is kept.
    pub(super) fn remove(&mut self, at: usize, salt: &Salt) {
        let zones = self.zones();
        let role = zones.role(at);
        self.unindex(at, salt);
        for (was, at) in zones.moves_to_close(at) {
            self.slots[at] = self.slots[was];
            self.reindex_moved(at, was, salt);
        }
        self.slots.pop();
        match role {
            Role::Seeder => self.seeders -= 1,
            Role::Partial => self.partials -= 1,
            Role::Leecher => {}
        }
    }

    /// Gives memory back once a quarter or less of it is used.
    pub(super) fn shrink(&mut self, salt: &Salt) {
        if self.index.is_some() && self.slots.len() < INDEX_FROM / 2 {
            self.index = None;
        }
        let len = self.slots.len();
        if is_sparse(len, self.slots.capacity()) {
            self.slots.shrink_to(len + growth(len));
            if let Some(index) = &mut self.index {
                index.shrink_to(len + growth(len), hash_of(&self.slots, salt));
            }
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let index = self.index.as_ref().map_or(0, |index| index.heap_bytes() + size_of::<Index>());
        self.slots.capacity() * size_of::<Slot<N>>() + index
    }

    /// How many more bytes one more peer would take at most.
    pub(super) fn growth_bytes(&self) -> usize {
        let slots = if self.slots.len() == self.slots.capacity() {
            growth(self.slots.len()) * size_of::<Slot<N>>()
        } else {
            0
        };
        let index = match &self.index {
            Some(index) => index.growth_bytes(),
            None if self.slots.len() == INDEX_FROM => 8 * INDEX_FROM * size_of::<u32>(),
            _ => 0,
        };
        slots + index
    }

    /// Tells the index that the peer now at `at` stood at `was`, where nothing indexed stands any more.
    fn reindex_moved(&mut self, at: usize, was: usize, salt: &Salt) {
        let Some(index) = &mut self.index else { return };
        if at == was {
            return;
        }
        // When called, `slots[at]` is the moved peer, and the index still says `was`.
        index.moved(salt.hash(&self.slots[at].address), was, at);
    }

    fn unindex(&mut self, at: usize, salt: &Salt) {
        let hash_of = hash_of(&self.slots, salt);
        if let Some(index) = &mut self.index {
            index.remove(salt.hash(&self.slots[at].address), at, hash_of);
        }
    }
}

/// Slots that are compared before it is looked whether one of them was it: a cache line of IPv4's.
const SCANNED: usize = 8;

/// The place of an address. A run of slots is compared without a branch, several at a time.
pub(super) fn scan<const N: usize>(slots: &[Slot<N>], address: &Compact<N>) -> Option<usize> {
    let (runs, rest) = slots.as_chunks::<SCANNED>();
    let found = runs.iter().position(|run| run.iter().fold(false, |found, slot| found | slot.is_at(address)));
    let (start, last) = match found {
        Some(at) => (at * SCANNED, &runs[at][..]),
        None => (slots.len() - rest.len(), rest),
    };
    last.iter().position(|slot| slot.is_at(address)).map(|at| start + at)
}

impl<const N: usize> Default for Slot<N> {
    fn default() -> Self {
        Self { address: [0; N], stamp: Stamp::default() }
    }
}

impl<const N: usize> Slot<N> {
    fn is_at(&self, address: &Compact<N>) -> bool {
        match (self.address.first_chunk::<6>(), address.first_chunk::<6>()) {
            // One number each, eight bytes of which two do not count: several can be compared at once.
            (Some(ours), Some(theirs)) if N == 6 => (word(ours, self.stamp) ^ word(theirs, self.stamp)) == 0,
            _ => self.address == *address,
        }
    }
}

fn word(&[a, b, c, d, e, f]: &[u8; 6], Stamp([g, h]): Stamp) -> u64 {
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The hash of what stands at a position.
fn hash_of<const N: usize>(slots: &[Slot<N>], salt: &Salt) -> impl Fn(u32) -> u64 {
    |at| salt.hash(&slots[at as usize].address)
}

/// How many slots an array of `len` grows by: a quarter, so that little is reserved in vain.
pub(super) const fn growth(len: usize) -> usize {
    if len < 8 { 4 } else { len / 4 }
}

/// Whether so little of an array is used that a smaller one would do.
pub(super) const fn is_sparse(len: usize, capacity: usize) -> bool {
    capacity > 8 && len <= capacity / 4
}

/// The compact forms of an endpoint, one per family.
pub(super) enum Key {
    V4(Compact<6>),
    V6(Compact<18>),
}

impl From<Endpoint> for Key {
    fn from(endpoint: Endpoint) -> Self {
        let port = endpoint.port().get().to_be_bytes();
        match endpoint.ip() {
            IpAddr::V4(ip) => {
                let [a, b, c, d] = ip.octets();
                Self::V4([a, b, c, d, port[0], port[1]])
            }
            IpAddr::V6(ip) => {
                let mut bytes = [0; 18];
                bytes[..16].copy_from_slice(&ip.octets());
                bytes[16..].copy_from_slice(&port);
                Self::V6(bytes)
            }
        }
    }
}

/// The endpoint that a stored compact form stands for.
pub(super) fn endpoint<const N: usize>(address: &Compact<N>) -> Option<Endpoint> {
    let (ip, port) = address.split_last_chunk::<2>()?;
    let port = Port::new(u16::from_be_bytes(*port))?;
    if let Ok(octets) = <[u8; 4]>::try_from(ip) {
        return Some(Endpoint::V4(Ipv4Addr::from(octets), port));
    }
    let octets = <[u8; 16]>::try_from(ip).ok()?;
    Some(Endpoint::V6(Ipv6Addr::from(octets), port))
}
