//! Finding things in an array by what they are called.

use super::prefetch::fetch;

/// The positions 0 to `len` of an array, found by the hash of what stands there.
///
/// Open addressing: a position stands at the place that its hash says, or at the next free one. It has as many bits of
/// its entry as the table has places; the others are of the hash, so that the array is seldom looked into in vain, and one
/// line of the cache tells where something is. Grows only when more than three quarters of the places would be taken, so
/// that growth can be told beforehand.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// A power of two of them, or none.
    places: Box<[u32]>,
    len: usize,
}

/// An entry that is none. No position has all bits set, as a quarter of the places is free.
const FREE: u32 = u32::MAX;

/// Places of the smallest table.
const PLACES_MIN: usize = 16;

/// Positions whose lines of the table are fetched together when it is made anew.
const AHEAD: usize = 32;

/// Positions of which a table is made in a fraction of a millisecond.
const SHORT_WORK: usize = 1 << 15;

impl Index {
    /// An index of all positions below `len`, with room for `capacity`.
    pub(super) fn of(len: usize, capacity: usize, hash_of: impl Fn(u32) -> u64) -> Self {
        let mut index = Self::default();
        index.rebuild(len, capacity, hash_of);
        index
    }

    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        self.place(hash, is_it).map(|place| (self.places[place] & self.mask()) as usize)
    }

    /// Has the line fetched in which a search for `hash` begins.
    pub(super) fn prefetch(&self, hash: u64) {
        if !self.places.is_empty() {
            fetch(&self.places[self.home(hash)]);
        }
    }

    /// Adds the position `at`. All others below `len` are here already.
    pub(super) fn insert(&mut self, at: usize, len: usize, hash_of: impl Fn(u32) -> u64) {
        if self.is_full() {
            // Twice as many places.
            self.rebuild(len, self.places.len() / 4 * 3 + 1, hash_of);
        } else {
            self.add(narrow(at), hash_of(narrow(at)));
        }
    }

    /// What was at `was` is now at `at`.
    pub(super) fn moved(&mut self, hash: u64, was: usize, at: usize) {
        if let Some(place) = self.place(hash, |it| it as usize == was) {
            self.places[place] = self.entry(narrow(at), hash);
        }
    }

    /// Takes the position `at` out. What stands at all other positions must still be there.
    pub(super) fn remove(&mut self, hash: u64, at: usize, hash_of: impl Fn(u32) -> u64) {
        let Some(mut hole) = self.place(hash, |it| it as usize == at) else { return };
        let mask = self.mask() as usize;
        let mut next = hole;
        loop {
            next = (next + 1) & mask;
            let entry = self.places[next];
            if entry == FREE {
                break;
            }
            // It may stand in the hole unless its search begins behind that.
            let home = self.home(hash_of(entry & self.mask()));
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.places[hole] = entry;
                hole = next;
            }
        }
        self.places[hole] = FREE;
        self.len -= 1;
    }

    /// Gives memory back that `capacity` positions do not need. Not while there are so many that it would take long: others
    /// wait meanwhile.
    pub(super) fn shrink_to(&mut self, capacity: usize, hash_of: impl Fn(u32) -> u64) {
        if self.len <= SHORT_WORK && places_for(capacity.max(self.len)) < self.places.len() {
            self.rebuild(self.len, capacity, hash_of);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.places)
    }

    /// How many more bytes one more position would take.
    pub(super) fn growth_bytes(&self) -> usize {
        if self.is_full() { self.heap_bytes().max(PLACES_MIN * size_of::<u32>()) } else { 0 }
    }

    /// Whether one more position makes the table grow.
    fn is_full(&self) -> bool {
        self.len >= self.places.len() / 4 * 3
    }

    fn rebuild(&mut self, len: usize, capacity: usize, hash_of: impl Fn(u32) -> u64) {
        self.places = vec![FREE; places_for(capacity.max(len))].into();
        self.len = 0;
        let mut hashes = [0; AHEAD];
        for first in (0..len).step_by(AHEAD) {
            let positions = narrow(first)..narrow(len.min(first + AHEAD));
            // All of their lines are on their way before the first is looked at.
            for (hash, at) in hashes.iter_mut().zip(positions.clone()) {
                *hash = hash_of(at);
                self.prefetch(*hash);
            }
            hashes.iter().zip(positions).for_each(|(hash, at)| self.add(at, *hash));
        }
    }

    fn add(&mut self, at: u32, hash: u64) {
        let mask = self.mask() as usize;
        let mut place = self.home(hash);
        while self.places[place] != FREE {
            place = (place + 1) & mask;
        }
        self.places[place] = self.entry(at, hash);
        self.len += 1;
    }

    /// Where the entry is whose position `is_it`.
    fn place(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let mask = self.mask();
        let sought = self.entry(0, hash);
        let mut place = self.home(hash);
        loop {
            let entry = self.places[place];
            if entry == FREE {
                return None;
            }
            if (entry ^ sought) & !mask == 0 && is_it(entry & mask) {
                return Some(place);
            }
            place = (place + 1) & mask as usize;
        }
    }

    /// The bits of an entry that are its position: those of the number of places.
    fn mask(&self) -> u32 {
        narrow(self.places.len()).wrapping_sub(1)
    }

    /// Where the search for something begins: by the upper bits of its hash.
    fn home(&self, hash: u64) -> usize {
        (hash >> 32) as usize & self.mask() as usize
    }

    /// The position with the lower bits of the hash in what it leaves free.
    fn entry(&self, at: u32, hash: u64) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
        let tag = hash as u32;
        (tag & !self.mask()) | at
    }
}

/// How many places a table for so many positions has.
fn places_for(capacity: usize) -> usize {
    (capacity + capacity.div_ceil(3)).next_power_of_two().max(PLACES_MIN)
}

/// A position as the table keeps it. The memory budget is far below four thousand million of anything.
pub(super) fn narrow(at: usize) -> u32 {
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
                    index.remove(hash_of(u32::try_from(len).unwrap()), len, hash_of);
                }
            }
            for at in 0..len {
                let hash = hash_of(u32::try_from(at).unwrap());
                prop_assert_eq!(index.find(hash, |it| it as usize == at), Some(at));
            }
        }

        /// However many hashes are alike: an array of names from which some are taken, the last filling the gap.
        #[test]
        fn it_finds_what_a_search_from_end_to_end_finds(
            steps in proptest::collection::vec((0_u32..60, any::<bool>()), 0..400),
            alike in 1_u64..20,
        ) {
            let hash = |name: u32| ((u64::from(name) % alike) << 60) | (u64::from(name) % 3);
            let (mut names, mut index): (Vec<u32>, Index) = (Vec::new(), Index::default());
            for (name, adds) in steps {
                let found = index.find(hash(name), |at| names[at as usize] == name);
                prop_assert_eq!(found, names.iter().position(|other| *other == name));
                match (found, adds) {
                    (None, true) => {
                        names.push(name);
                        index.insert(names.len() - 1, names.len(), |at| hash(names[at as usize]));
                    }
                    (Some(at), false) => {
                        index.remove(hash(name), at, |at| hash(names[at as usize]));
                        names.swap_remove(at);
                        if let Some(moved) = names.get(at) {
                            index.moved(hash(*moved), names.len(), at);
                        }
                        index.shrink_to(names.len(), |at| hash(names[at as usize]));
                    }
                    _ => {}
                }
            }
        }
    }
}
