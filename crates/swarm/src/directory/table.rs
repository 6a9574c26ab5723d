//! Finding things by their hash, in a table that tells beforehand what more of them would take.

use hashbrown::HashTable;

/// Entries by hash.
#[derive(Debug)]
pub(super) struct Table<T>(HashTable<T>);

/// What a table takes beside its places: the ends of its control bytes, and alignment.
const TABLE_EXTRA_BYTES: usize = 48;

/// So many places a table keeps, however few are taken.
const PLACES_KEPT: usize = 64;

impl<T> Table<T> {
    pub(super) fn find(&self, hash: u64, is_it: impl FnMut(&T) -> bool) -> Option<&T> {
        self.0.find(hash, is_it)
    }

    pub(super) fn find_mut(&mut self, hash: u64, is_it: impl FnMut(&T) -> bool) -> Option<&mut T> {
        self.0.find_mut(hash, is_it)
    }

    /// Adds an entry that is not there yet.
    pub(super) fn insert(&mut self, entry: T, hash_of: impl Fn(&T) -> u64) {
        self.0.insert_unique(hash_of(&entry), entry, hash_of);
    }

    /// Removes an entry. Whatever else is in the table must be possible to hash.
    pub(super) fn remove(&mut self, hash: u64, is_it: impl FnMut(&T) -> bool, hash_of: impl Fn(&T) -> u64) {
        if let Ok(entry) = self.0.find_entry(hash, is_it) {
            entry.remove();
        }
        if self.0.is_empty() {
            self.0 = HashTable::new();
        } else if self.0.num_buckets() > PLACES_KEPT && self.0.len() < self.0.num_buckets() / 8 {
            self.0.shrink_to(2 * self.0.len(), hash_of);
        }
    }

    /// Makes room for `more`.
    pub(super) fn reserve(&mut self, more: usize, hash_of: impl Fn(&T) -> u64) {
        self.0.reserve(more, hash_of);
    }

    /// How many bytes room for `more` would take at most.
    pub(super) fn growth_bytes(&self, more: usize) -> usize {
        let len = self.0.len() + more;
        if len <= self.0.capacity() {
            return 0;
        }
        // It may double because of the traces of what was removed. An eighth of the places stays empty.
        let places = (len * 8 / 7 + 1).next_power_of_two().max(2 * self.0.num_buckets()).max(4);
        (places * (size_of::<T>() + 1) + TABLE_EXTRA_BYTES).saturating_sub(self.heap_bytes())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.allocation_size()
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(HashTable::new())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash_of(it: &u32) -> u64 {
        u64::from(*it).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    proptest! {
        #[test]
        fn growth_is_told_beforehand(steps in proptest::collection::vec((any::<bool>(), 0u32..60), 0..400)) {
            let mut table = Table::default();
            let (mut first, mut next) = (0, 0);
            for (grows, number) in steps {
                if grows {
                    let bytes_max = table.heap_bytes() + table.growth_bytes(number as usize);
                    table.reserve(number as usize, hash_of);
                    for it in next..next + number {
                        table.insert(it, hash_of);
                    }
                    next += number;
                    prop_assert!(table.heap_bytes() <= bytes_max, "{} > {bytes_max}", table.heap_bytes());
                } else {
                    let end = next.min(first + number);
                    for it in first..end {
                        table.remove(hash_of(&it), |&at| at == it, hash_of);
                    }
                    first = end;
                }
                for it in 0..next {
                    prop_assert_eq!(table.find(hash_of(&it), |&at| at == it).is_some(), it >= first);
                }
            }
            prop_assert!(table.heap_bytes() <= 5 * PLACES_KEPT.max(16 * (next - first) as usize) + TABLE_EXTRA_BYTES);
        }
    }
}
