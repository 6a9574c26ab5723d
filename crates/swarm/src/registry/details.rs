//! What only some deployments want to know of a peer, beside the compact arrays.

use hashbrown::HashTable;

use crate::salt::Salt;
use crate::{Detail, Endpoint, InfoHash};

/// Details by swarm and endpoint, never more than a stated number.
#[derive(Debug)]
pub(super) struct Details {
    table: HashTable<Entry>,
    max: usize,
}

#[derive(Debug)]
struct Entry {
    hash: InfoHash,
    endpoint: Endpoint,
    detail: Detail,
}

impl Details {
    pub(super) const fn new(max: usize) -> Self {
        Self { table: HashTable::new(), max }
    }

    pub(super) fn set_max(&mut self, max: usize) {
        self.max = max;
        if self.table.len() > max {
            self.clear();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn get(&self, hash: &InfoHash, endpoint: Endpoint, salt: &Salt) -> Option<&Detail> {
        if self.is_empty() {
            return None;
        }
        let is_it = |entry: &Entry| entry.hash == *hash && entry.endpoint == endpoint;
        self.table.find(key(hash, endpoint, salt), is_it).map(|entry| &entry.detail)
    }

    /// Whether a new detail would be kept, if `bytes_free` more bytes may be taken.
    pub(super) fn has_room(&self, bytes_free: usize) -> bool {
        self.table.len() < self.max && self.growth_bytes() <= bytes_free
    }

    fn growth_bytes(&self) -> usize {
        let grows = self.table.len() == self.table.capacity();
        if grows { self.heap_bytes().max(4 * size_of::<Entry>()) } else { 0 }
    }

    /// Keeps `detail`; a new one only if there is room in number and `bytes_free` more bytes may be taken.
    pub(super) fn keep(
        &mut self,
        hash: InfoHash,
        endpoint: Endpoint,
        detail: Detail,
        bytes_free: usize,
        salt: &Salt,
    ) {
        let place = key(&hash, endpoint, salt);
        let is_it = |entry: &Entry| entry.hash == hash && entry.endpoint == endpoint;
        if let Some(entry) = self.table.find_mut(place, is_it) {
            entry.detail = detail;
            return;
        }
        if self.has_room(bytes_free) {
            let rehash = |entry: &Entry| key(&entry.hash, entry.endpoint, salt);
            self.table.insert_unique(place, Entry { hash, endpoint, detail }, rehash);
        }
    }

    pub(super) fn forget(&mut self, hash: &InfoHash, endpoint: Endpoint, salt: &Salt) {
        if self.is_empty() {
            return;
        }
        let is_it = |entry: &Entry| entry.hash == *hash && entry.endpoint == endpoint;
        if let Ok(entry) = self.table.find_entry(key(hash, endpoint, salt), is_it) {
            entry.remove();
        }
        if self.table.capacity() > 64 && self.table.len() < self.table.capacity() / 8 {
            self.table.shrink_to(2 * self.table.len(), |entry| key(&entry.hash, entry.endpoint, salt));
        }
    }

    /// Forgets everything and gives the memory back; how many details that were.
    pub(super) fn clear(&mut self) -> usize {
        std::mem::take(&mut self.table).len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.table.allocation_size()
    }
}

fn key(hash: &InfoHash, endpoint: Endpoint, salt: &Salt) -> u64 {
    let mut bytes = [0; 38];
    bytes[..20].copy_from_slice(&hash.0);
    match endpoint {
        Endpoint::V4(ip, _) => bytes[20..24].copy_from_slice(&ip.octets()),
        Endpoint::V6(ip, _) => bytes[20..36].copy_from_slice(&ip.octets()),
    }
    bytes[36..].copy_from_slice(&endpoint.port().get().to_be_bytes());
    salt.hash(&bytes)
}
