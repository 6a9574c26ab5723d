//! Chunk lists, and which seeders are listed with theirs.

use std::sync::Arc;

use super::dialect::Transfer;
use super::holder::{HolderId, Holders};
use super::names::Names;
use super::slab::{NONE, Slab};
use crate::salt::Salt;

/// What sharing takes beside the bytes that are shared: two counts.
const SHARED_EXTRA_BYTES: usize = 2 * size_of::<usize>();

/// Chunk lists by number, each once for all who gave the same under the same name.
#[derive(Debug, Default)]
pub(super) struct Lists {
    slab: Slab<List>,
    /// The seeders that are listed. There is always room for all who have a list.
    seats: Vec<HolderId>,
    holders: usize,
    /// How many took up a list under a name so far.
    turns: u64,
    heap_bytes: usize,
}

#[derive(Debug)]
struct List {
    bytes: Arc<[u8]>,
    hash: u64,
    name: u32,
    holders: usize,
}

impl Lists {
    /// The seeders that are listed, in no order.
    pub(super) fn seats(&self) -> &[HolderId] {
        &self.seats
    }

    pub(super) fn bytes(&self, list: u32) -> Option<&Arc<[u8]>> {
        self.slab.get(list).map(|list| &list.bytes)
    }

    /// The number of the name that a list was given under.
    pub(super) fn name(&self, list: u32) -> Option<u32> {
        self.slab.get(list).map(|list| list.name)
    }

    /// The list of those bytes that somebody on the shelf has.
    pub(super) fn same(
        &self,
        names: &Names,
        holders: &Holders,
        name: u32,
        bytes: &[u8],
        salt: &Salt,
    ) -> Option<u32> {
        let hash = salt.hash(bytes);
        let lists = names.name(name).shelf(Transfer::Chunks).postings().iter();
        let mut lists = lists.map(|posting| holders.holder(posting.holder).list);
        lists.find(|&at| self.slab.get(at).is_some_and(|list| list.hash == hash && *list.bytes == *bytes))
    }

    /// Lets a holder that has no list have the one of those bytes, under that name.
    pub(super) fn give(
        &mut self,
        holders: &mut Holders,
        id: HolderId,
        name: u32,
        bytes: &[u8],
        same: Option<u32>,
        salt: &Salt,
    ) {
        let list = same.unwrap_or_else(|| {
            self.heap_bytes += bytes.len() + SHARED_EXTRA_BYTES;
            self.slab.insert(List { bytes: bytes.into(), hash: salt.hash(bytes), name, holders: 0 })
        });
        self.slab[list].holders += 1;
        let growth = self.seats_growth(1);
        self.seats.reserve_exact(self.seats.capacity() - self.seats.len() + growth);
        self.holders += 1;
        holders.holder_mut(id).list = list;
    }

    /// Takes a holder's list from it.
    pub(super) fn take(&mut self, holders: &mut Holders, id: HolderId) {
        self.unseat(holders, id);
        let list = std::mem::replace(&mut holders.holder_mut(id).list, NONE);
        if list == NONE {
            return;
        }
        self.holders -= 1;
        self.slab[list].holders -= 1;
        if self.slab[list].holders == 0 {
            self.heap_bytes -= self.slab[list].bytes.len() + SHARED_EXTRA_BYTES;
            self.slab.remove(list);
        }
        if self.holders == 0 {
            self.seats = Vec::new();
        }
    }

    /// A turn later than all before.
    pub(super) fn next_turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// Sees to it that of those who seed under a name the ones are listed that have the list of the first, and an
    /// endpoint once.
    pub(super) fn reseat(&mut self, names: &Names, holders: &mut Holders, name: u32) {
        let shelf = names.name(name).shelf(Transfer::Chunks).postings();
        let first =
            shelf.iter().map(|posting| holders.holder(posting.holder)).min_by_key(|holder| holder.list_turn);
        let Some(decides) = first.map(|holder| holder.list) else { return };
        // Those at one endpoint stand side by side, the dialect's own first.
        let mut listed = None;
        for posting in shelf {
            let holder = holders.holder(posting.holder);
            let endpoint = Some(holder.endpoint);
            if holder.list == decides && endpoint != listed {
                listed = endpoint;
                self.seat(holders, posting.holder);
            } else {
                self.unseat(holders, posting.holder);
            }
        }
    }

    fn seat(&mut self, holders: &mut Holders, id: HolderId) {
        let holder = holders.holder_mut(id);
        if holder.seat == NONE {
            holder.seat =
                u32::try_from(self.seats.len()).expect("there are fewer seeders than a u32 can count");
            self.seats.push(id);
        }
    }

    fn unseat(&mut self, holders: &mut Holders, id: HolderId) {
        let seat = std::mem::replace(&mut holders.holder_mut(id).seat, NONE);
        if seat != NONE {
            self.seats.swap_remove(seat as usize);
            if let Some(&moved) = self.seats.get(seat as usize) {
                holders.holder_mut(moved).seat = seat;
            }
        }
    }

    /// Bytes that would be free again if one holder gave its list up.
    pub(super) fn freed_bytes(&self, list: u32) -> usize {
        let list = self.slab.get(list).filter(|list| list.holders == 1);
        list.map_or(0, |list| list.bytes.len() + SHARED_EXTRA_BYTES)
    }

    /// How many bytes `holders` more holders of a list would take, and a list of `bytes` if it is a new one.
    pub(super) fn growth_bytes(&self, holders: usize, bytes: Option<usize>) -> usize {
        self.seats_growth(holders) * size_of::<HolderId>()
            + bytes.map_or(0, |bytes| bytes + SHARED_EXTRA_BYTES + self.slab.growth_bytes(1))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slab.heap_bytes() + self.seats.capacity() * size_of::<HolderId>() + self.heap_bytes
    }

    /// By how many seats the row must grow so that `more` can sit.
    fn seats_growth(&self, more: usize) -> usize {
        let missing = (self.holders + more).saturating_sub(self.seats.capacity());
        if missing == 0 { 0 } else { missing.max(self.seats.capacity() / 4).max(4) }
    }
}
