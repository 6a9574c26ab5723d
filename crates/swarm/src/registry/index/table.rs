//! One table of positions, open-addressed.

use super::super::prefetch::fetch;
use super::narrow;

/// An entry that is none.
const FREE: u32 = u32::MAX;

/// Places of the smallest table.
const PLACES_MIN: usize = 16;

/// Positions whose lines of the table are fetched together when it is made anew.
const AHEAD: usize = 32;

/// Positions, found by the hash of what stands there.
///
/// A position stands at the place that its hash says, or at the next free one. It has as many bits of its entry as it
/// needs; the others are of the hash, so that the array is seldom looked into in vain, and one line of the cache tells where
/// something is. Grows only when more than three quarters of the places would be taken, so that growth can be told
/// beforehand.
#[derive(Debug, Default)]
pub(in crate::registry) struct Table {
    /// A power of two of them, or none.
    places: Box<[u32]>,
    taken: u32,
    /// The bits of an entry that are its position. No position has all of them set.
    mask: u32,
}

impl Table {
    /// An empty one with room for `capacity`.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let places = vec![FREE; places_for(capacity)].into_boxed_slice();
        let mask = narrow(places.len() - 1);
        Self { places, taken: 0, mask }
    }

    /// Bytes of an empty one with room for `capacity`.
    pub(super) const fn bytes_for(capacity: usize) -> usize {
        places_for(capacity) * size_of::<u32>()
    }

    pub(super) fn len(&self) -> usize {
        self.taken as usize
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.places)
    }

    /// Whether one more position makes it grow, to twice as many places.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.places.len() / 4 * 3
    }

    /// How many more bytes one more position would take.
    pub(super) fn growth_bytes(&self) -> usize {
        if self.is_full() { self.bytes().max(Self::bytes_for(0)) } else { 0 }
    }

    /// Whether a table of half its size would be half empty.
    pub(super) fn is_sparse(&self) -> bool {
        self.places.len() > PLACES_MIN && self.len() < self.places.len() / 8
    }

    /// All positions, in no order.
    pub(super) fn positions(&self) -> impl Iterator<Item = u32> {
        self.places.iter().filter(|&&entry| entry != FREE).map(|entry| entry & self.mask)
    }

    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        self.place(hash, is_it).map(|place| (self.places[place] & self.mask) as usize)
    }

    /// Has the line fetched in which a search for `hash` begins.
    pub(super) fn prefetch(&self, hash: u64) {
        if !self.places.is_empty() {
            fetch(&self.places[self.home(hash)]);
        }
    }

    /// Adds the position `at`.
    pub(super) fn insert(&mut self, at: usize, hash_of: impl Fn(u32) -> u64) {
        if self.is_full() {
            self.resize(self.places.len() / 4 * 3 + 1, &hash_of);
        }
        self.add(narrow(at), hash_of(narrow(at)));
    }

    /// Adds positions for which there is room.
    pub(super) fn extend(&mut self, positions: impl IntoIterator<Item = u32>, hash_of: impl Fn(u32) -> u64) {
        let mut positions = positions.into_iter();
        let mut some = [(0, 0); AHEAD];
        loop {
            let mut count = 0;
            // All of their lines are on their way before the first is looked at.
            for (some, at) in some.iter_mut().zip(positions.by_ref().take(AHEAD)) {
                *some = (at, hash_of(at));
                self.prefetch(some.1);
                count += 1;
            }
            some[..count].iter().for_each(|(at, hash)| self.add(*at, *hash));
            if count < AHEAD {
                return;
            }
        }
    }

    /// What was at `was` is now at `at`.
    pub(super) fn moved(&mut self, hash: u64, was: usize, at: usize) {
        if let Some(place) = self.place(hash, |it| it as usize == was) {
            self.make_fit(narrow(at));
            self.places[place] = self.entry(narrow(at), hash);
        }
    }

    /// Takes the position `at` out; false if it was not here. What stands at all other positions must still be there.
    pub(super) fn remove(&mut self, hash: u64, at: usize, hash_of: impl Fn(u32) -> u64) -> bool {
        let Some(mut hole) = self.place(hash, |it| it as usize == at) else { return false };
        let last = self.places.len() - 1;
        let mut next = hole;
        loop {
            next = (next + 1) & last;
            let entry = self.places[next];
            if entry == FREE {
                break;
            }
            // It may stand in the hole unless its search begins behind that.
            let home = self.home(hash_of(entry & self.mask));
            if (next.wrapping_sub(home) & last) >= (next.wrapping_sub(hole) & last) {
                self.places[hole] = entry;
                hole = next;
            }
        }
        self.places[hole] = FREE;
        self.taken -= 1;
        true
    }

    /// Makes it as large as `capacity` positions need, and those that it has.
    pub(super) fn resize(&mut self, capacity: usize, hash_of: impl Fn(u32) -> u64) {
        let mut resized = Self::with_capacity(capacity.max(self.len()));
        resized.extend(self.positions(), hash_of);
        *self = resized;
    }

    /// Whether it would be smaller with room for no more than `capacity`.
    pub(super) fn would_shrink(&self, capacity: usize) -> bool {
        places_for(capacity.max(self.len())) < self.places.len()
    }

    fn add(&mut self, at: u32, hash: u64) {
        self.make_fit(at);
        let last = self.places.len() - 1;
        let mut place = self.home(hash);
        while self.places[place] != FREE {
            place = (place + 1) & last;
        }
        self.places[place] = self.entry(at, hash);
        self.taken += 1;
    }

    /// Gives positions as many bits of their entries as `at` needs. What is here already needs no more.
    fn make_fit(&mut self, at: u32) {
        if at < self.mask {
            return;
        }
        let wider = (at + 2).checked_next_power_of_two().map_or(u32::MAX, |one_more| one_more - 1);
        let added = wider & !self.mask;
        self.mask = wider;
        for entry in self.places.iter_mut().filter(|entry| **entry != FREE) {
            *entry &= !added;
        }
    }

    /// Where the entry is whose position `is_it`.
    fn place(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let last = self.places.len().checked_sub(1)?;
        let mask = self.mask;
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
            place = (place + 1) & last;
        }
    }

    /// Where the search for something begins: by the upper half of its hash.
    fn home(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.places.len() - 1)
    }

    /// The position with the lower bits of the hash in what it leaves free.
    fn entry(&self, at: u32, hash: u64) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
        let tag = hash as u32;
        (tag & !self.mask) | at
    }
}

/// How many places a table for so many positions has.
const fn places_for(capacity: usize) -> usize {
    let places = (capacity + capacity.div_ceil(3)).next_power_of_two();
    if places > PLACES_MIN { places } else { PLACES_MIN }
}
