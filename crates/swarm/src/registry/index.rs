//! Finding things in an array by what they are called.

use hashbrown::HashTable;

/// The positions 0 to `len` of an array, found by the hash of what stands there.
///
/// Grows only when there are more positions than the table has room for, so that growth can be told beforehand.
#[derive(Debug, Default)]
pub(super) struct Index(HashTable<u32>);

/// Bytes that the smallest table takes at most.
const TABLE_BYTES_MIN: usize = 64;

impl Index {
    /// An index of all positions below `len`.
    pub(super) fn of(len: usize, capacity: usize, hash_of: impl Fn(u32) -> u64) -> Self {
        let mut index = Self(HashTable::with_capacity(capacity));
        index.fill(len, hash_of);
        index
    }

    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        self.0.find(hash, |&at| is_it(at)).map(|&at| at as usize)
    }

    /// Adds the position `at`. All others below `len` are here already.
    pub(super) fn insert(&mut self, at: usize, len: usize, hash_of: impl Fn(u32) -> u64) {
        if self.is_full() {
            self.0.reserve(self.0.num_buckets(), |&at| hash_of(at));
        } else if self.0.len() == self.0.capacity() {
            // What was removed has left traces, which would make the table grow for nothing.
            self.0.clear();
            return self.fill(len, hash_of);
        }
        let at = narrow(at);
        self.0.insert_unique(hash_of(at), at, |&at| hash_of(at));
    }

    /// What was at `was` is now at `at`.
    pub(super) fn moved(&mut self, hash: u64, was: usize, at: usize) {
        if let Some(entry) = self.0.find_mut(hash, |&it| it as usize == was) {
            *entry = narrow(at);
        }
    }

    pub(super) fn remove(&mut self, hash: u64, at: usize) {
        if let Ok(entry) = self.0.find_entry(hash, |&it| it as usize == at) {
            entry.remove();
        }
    }

    pub(super) fn shrink_to(&mut self, capacity: usize, hash_of: impl Fn(u32) -> u64) {
        self.0.shrink_to(capacity, |&at| hash_of(at));
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.allocation_size()
    }

    /// How many more bytes one more position would take.
    pub(super) fn growth_bytes(&self) -> usize {
        if self.is_full() { self.heap_bytes().max(TABLE_BYTES_MIN) } else { 0 }
    }

    /// Whether one more position makes the table grow. Three quarters of its places are used; an eighth is left to
    /// the traces of what was removed, so that it is seldom filled anew.
    fn is_full(&self) -> bool {
        let places = self.0.num_buckets();
        self.0.len() >= if places < 8 { places.saturating_sub(1) } else { places / 4 * 3 }
    }

    fn fill(&mut self, len: usize, hash_of: impl Fn(u32) -> u64) {
        for at in 0..narrow(len) {
            self.0.insert_unique(hash_of(at), at, |&at| hash_of(at));
        }
    }
}

/// A position as the table keeps it. The memory budget is far below four thousand million of anything.
fn narrow(at: usize) -> u32 {
    u32::try_from(at).expect("there are fewer positions than a u32 can count")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash_of(at: u32) -> u64 {
        u64::from(at).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    proptest! {
        /// Coming and going at the end never makes the table larger than was said.
        #[test]
        fn growth_is_told_beforehand(steps in proptest::collection::vec(any::<bool>(), 0..4_000)) {
            let mut index = Index::default();
            let mut len = 0;
            for grows in steps {
                let (bytes, growth_bytes) = (index.heap_bytes(), index.growth_bytes());
                if grows {
                    len += 1;
                    index.insert(len - 1, len, hash_of);
                    prop_assert!(index.heap_bytes() <= bytes + growth_bytes);
                } else if len > 0 {
                    len -= 1;
                    index.remove(hash_of(u32::try_from(len).unwrap()), len);
                }
            }
            for at in 0..len {
                let hash = hash_of(u32::try_from(at).unwrap());
                prop_assert_eq!(index.find(hash, |it| it as usize == at), Some(at));
            }
        }
    }
}
