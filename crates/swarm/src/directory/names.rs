//! Every name once, and who holds it.

use super::dialect::Transfer;
use super::shelf::Shelf;
use super::slab::Slab;
use super::table::Table;
use crate::salt::Salt;

/// Names by number and by text.
#[derive(Debug, Default)]
pub(super) struct Names {
    slab: Slab<Name>,
    table: Table<u32>,
    /// Bytes that texts and shelves hold on the heap.
    heap_bytes: usize,
    /// How many names have somebody who serves them in each way.
    served: [usize; Transfer::ALL.len()],
}

/// A name that somebody holds.
#[derive(Debug)]
pub(super) struct Name {
    text: Box<str>,
    shelves: [Shelf; Transfer::ALL.len()],
}

impl Name {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn shelf(&self, transfer: Transfer) -> &Shelf {
        &self.shelves[transfer as usize]
    }

    fn heap_bytes(&self) -> usize {
        self.text.len() + self.shelves.iter().map(Shelf::heap_bytes).sum::<usize>()
    }
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn slots(&self) -> usize {
        self.slab.slots()
    }

    /// How many names somebody serves in that way.
    pub(super) const fn served(&self, transfer: Transfer) -> usize {
        self.served[transfer as usize]
    }

    pub(super) fn get(&self, at: u32) -> Option<&Name> {
        self.slab.get(at)
    }

    pub(super) fn name(&self, at: u32) -> &Name {
        &self.slab[at]
    }

    pub(super) fn find(&self, text: &str, salt: &Salt) -> Option<u32> {
        self.table.find(salt.hash(text.as_bytes()), |&at| *self.slab[at].text == *text).copied()
    }

    /// Adds a name that is not there yet. Somebody must come to hold it, or else it is to be dropped.
    pub(super) fn insert(&mut self, text: &str, salt: &Salt) -> u32 {
        let at = self.slab.insert(Name { text: text.into(), shelves: Default::default() });
        self.heap_bytes += text.len();
        self.table.insert(at, hash_of(&self.slab, salt));
        at
    }

    /// Forgets the name if nobody holds it any more.
    pub(super) fn drop_unheld(&mut self, at: u32, salt: &Salt) {
        let name = &self.slab[at];
        if !name.shelves.iter().all(|shelf| shelf.postings().is_empty()) {
            return;
        }
        self.heap_bytes -= name.heap_bytes();
        self.table.remove(hash_of(&self.slab, salt)(&at), |&it| it == at, hash_of(&self.slab, salt));
        self.slab.remove(at);
    }

    /// Changes a shelf of a name, and keeps account of it.
    pub(super) fn change(&mut self, at: u32, transfer: Transfer, change: impl FnOnce(&mut Shelf)) {
        let shelf = &mut self.slab[at].shelves[transfer as usize];
        let before = (shelf.heap_bytes(), !shelf.postings().is_empty());
        change(shelf);
        self.heap_bytes = self.heap_bytes + shelf.heap_bytes() - before.0;
        let served = &mut self.served[transfer as usize];
        *served = *served + usize::from(!shelf.postings().is_empty()) - usize::from(before.1);
    }

    /// Makes room for `more` names.
    pub(super) fn reserve(&mut self, more: usize, salt: &Salt) {
        self.slab.reserve(more);
        self.table.reserve(more, hash_of(&self.slab, salt));
    }

    /// How many bytes room for `more` names would take at most, without their texts.
    pub(super) fn growth_bytes(&self, more: usize) -> usize {
        self.slab.growth_bytes(more) + self.table.growth_bytes(more)
    }

    /// What `heap_bytes` must be.
    #[cfg(test)]
    pub(super) fn heap_bytes_counted(&self) -> usize {
        let slots = 0..u32::try_from(self.slots()).unwrap();
        slots.filter_map(|at| self.get(at)).map(Name::heap_bytes).sum()
    }

    #[cfg(test)]
    pub(super) const fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slab.heap_bytes() + self.table.heap_bytes() + self.heap_bytes
    }
}

/// The hash of the name at a number.
fn hash_of(slab: &Slab<Name>, salt: &Salt) -> impl Fn(&u32) -> u64 {
    |&at| salt.hash(slab[at].text.as_bytes())
}
