//! Who holds names.

use std::net::IpAddr;

use super::dialect::{Dialect, Key};
use super::queue::{Queues, Wait};
use super::slab::{NONE, Slab};
use super::table::Table;
use crate::Endpoint;
use crate::salt::Salt;

/// A holder's number: its dialect in the two highest bits, and its place among those of the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HolderId(pub(super) u32);

const DIALECT_SHIFT: u32 = 30;

/// A holder as it is kept.
#[derive(Debug)]
pub(super) struct Holder {
    /// Peer id, user name or seeder's name; empty in `beacon`.
    pub(super) label: Box<str>,
    /// The numbers of the names it holds, in order, each once.
    pub(super) names: Box<[u32]>,
    /// The address it was seen at.
    pub(super) source: IpAddr,
    /// Where others can reach it.
    pub(super) endpoint: Endpoint,
    /// The number of its chunk list, or [`NONE`].
    pub(super) list: u32,
    /// How many chunk lists were given a name of theirs before it gave its own that one.
    pub(super) list_turn: u64,
    /// Its place among the listed seeders, or [`NONE`].
    pub(super) seat: u32,
    /// What it is waiting for, and since when.
    pub(super) wait: Wait,
    /// Probes that failed in a row.
    pub(super) failures: u8,
    /// Whether it serves all four dialects.
    pub(super) serves_all: bool,
}

/// All holders, by number and by key.
#[derive(Debug, Default)]
pub(super) struct Holders {
    by_dialect: [Slab<Holder>; Dialect::ALL.len()],
    by_key: Table<HolderId>,
    by_address: Table<Crowd>,
    pub(super) queues: Queues,
    /// Bytes that labels and lists of names hold on the heap.
    heap_bytes: usize,
}

/// How many holders there are at an address.
#[derive(Debug)]
struct Crowd {
    address: IpAddr,
    holders: usize,
}

impl HolderId {
    pub(super) fn new(dialect: Dialect, at: u32) -> Self {
        debug_assert!(at < 1 << DIALECT_SHIFT, "the memory budget is below a thousand million holders");
        Self((dialect as u32) << DIALECT_SHIFT | at)
    }

    pub(super) const fn dialect(self) -> Dialect {
        Dialect::ALL[(self.0 >> DIALECT_SHIFT) as usize]
    }

    const fn at(self) -> u32 {
        self.0 & ((1 << DIALECT_SHIFT) - 1)
    }
}

impl Holder {
    pub(super) fn new(label: &str, endpoint: Endpoint, source: IpAddr) -> Self {
        Self {
            label: label.into(),
            names: Box::default(),
            source,
            endpoint,
            list: NONE,
            list_turn: 0,
            seat: NONE,
            wait: Wait::default(),
            failures: 0,
            serves_all: false,
        }
    }

    fn heap_bytes(&self) -> usize {
        self.label.len() + size_of_val(&*self.names)
    }
}

impl Holders {
    pub(super) fn len(&self, dialect: Dialect) -> usize {
        self.by_dialect[dialect.number()].len()
    }

    pub(super) fn slots(&self, dialect: Dialect) -> usize {
        self.by_dialect[dialect.number()].slots()
    }

    pub(super) fn find(&self, key: &Key<'_>, salt: &Salt) -> Option<HolderId> {
        self.by_key.find(hash(key, salt), |&id| self.key(id) == *key).copied()
    }

    pub(super) fn get(&self, id: HolderId) -> Option<&Holder> {
        self.by_dialect[id.dialect().number()].get(id.at())
    }

    pub(super) fn holder(&self, id: HolderId) -> &Holder {
        &self.by_dialect[id.dialect().number()][id.at()]
    }

    /// To change whatever takes no memory and is no part of the key.
    pub(super) fn holder_mut(&mut self, id: HolderId) -> &mut Holder {
        &mut self.by_dialect[id.dialect().number()][id.at()]
    }

    pub(super) fn key(&self, id: HolderId) -> Key<'_> {
        key_in(&self.by_dialect, id)
    }

    /// How many holders there are at an address.
    pub(super) fn at_address(&self, address: IpAddr, salt: &Salt) -> usize {
        let found = self.by_address.find(hash_address(address, salt), |crowd| crowd.address == address);
        found.map_or(0, |crowd| crowd.holders)
    }

    /// Adds a holder whose key is not there yet. It waits in no queue.
    pub(super) fn insert(&mut self, dialect: Dialect, holder: Holder, salt: &Salt) -> HolderId {
        let address = holder.source;
        self.heap_bytes += holder.heap_bytes();
        let id = HolderId::new(dialect, self.by_dialect[dialect.number()].insert(holder));
        self.by_key.insert(id, hash_of(&self.by_dialect, salt));
        let place = hash_address(address, salt);
        match self.by_address.find_mut(place, |crowd| crowd.address == address) {
            Some(crowd) => crowd.holders += 1,
            None => self
                .by_address
                .insert(Crowd { address, holders: 1 }, |crowd| hash_address(crowd.address, salt)),
        }
        id
    }

    /// Takes out a holder that holds nothing any more.
    pub(super) fn remove(&mut self, id: HolderId, salt: &Salt) {
        self.wait_in(id, None, 0);
        let place = hash(&self.key(id), salt);
        self.by_key.remove(place, |&it| it == id, hash_of(&self.by_dialect, salt));
        let Some(holder) = self.by_dialect[id.dialect().number()].remove(id.at()) else { return };
        self.heap_bytes -= holder.heap_bytes();
        let (address, place) = (holder.source, hash_address(holder.source, salt));
        let Some(crowd) = self.by_address.find_mut(place, |crowd| crowd.address == address) else { return };
        crowd.holders -= 1;
        if crowd.holders == 0 {
            let hash_of = |crowd: &Crowd| hash_address(crowd.address, salt);
            self.by_address.remove(place, |crowd| crowd.address == address, hash_of);
        }
    }

    /// Puts down which names a holder holds, in order.
    pub(super) fn set_names(&mut self, id: HolderId, names: Box<[u32]>) -> Box<[u32]> {
        let new_bytes = size_of_val(&*names);
        let old = std::mem::replace(&mut self.holder_mut(id).names, names);
        self.heap_bytes = self.heap_bytes + new_bytes - size_of_val(&*old);
        old
    }

    /// How many bytes one more holder with that key would take at most, without its names.
    pub(super) fn growth_bytes(&self, key: &Key<'_>, salt: &Salt) -> usize {
        let crowd = if self.at_address(key.address(), salt) == 0 { 1 } else { 0 };
        self.by_dialect[key.dialect().number()].growth_bytes(1)
            + self.by_key.growth_bytes(1)
            + self.by_address.growth_bytes(crowd)
            + key.label().len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.by_dialect.iter().map(Slab::heap_bytes).sum::<usize>()
            + self.by_key.heap_bytes()
            + self.by_address.heap_bytes()
            + self.heap_bytes
    }
}

fn key_in(by_dialect: &[Slab<Holder>; Dialect::ALL.len()], id: HolderId) -> Key<'_> {
    let holder = &by_dialect[id.dialect().number()][id.at()];
    match id.dialect() {
        Dialect::Token => Key::token(&holder.label, holder.source),
        Dialect::Index => Key::index(&holder.label, holder.source),
        Dialect::Chunklist => Key::chunklist(&holder.label, holder.source),
        Dialect::Beacon => Key::beacon(holder.endpoint),
    }
}

/// The hash of the key of the holder at a number.
fn hash_of<'a>(
    by_dialect: &'a [Slab<Holder>; Dialect::ALL.len()],
    salt: &'a Salt,
) -> impl Fn(&HolderId) -> u64 + 'a {
    |&id| hash(&key_in(by_dialect, id), salt)
}

fn hash(key: &Key<'_>, salt: &Salt) -> u64 {
    let mut bytes = [0; 28];
    bytes[..8].copy_from_slice(&salt.hash(key.label().as_bytes()).to_le_bytes());
    bytes[8..24].copy_from_slice(&octets(key.address()));
    let port = key.port().map_or(0, crate::Port::get);
    bytes[24..26].copy_from_slice(&port.to_le_bytes());
    bytes[26] = u8::from(key.address().is_ipv4());
    bytes[27] = key.dialect() as u8;
    salt.hash(&bytes)
}

fn hash_address(address: IpAddr, salt: &Salt) -> u64 {
    salt.hash(&octets(address))
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
