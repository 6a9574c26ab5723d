//! Finding things in an array by what they are called.

mod table;

use table::Table;

/// The positions 0 to `len` of an array, found by the hash of what stands there.
///
/// One table, or many where one would be so large that to make it anew would take long: others wait meanwhile. Each of the
/// many grows by itself.
#[derive(Debug)]
pub(super) enum Index {
    One(Table),
    Many(Box<Many>),
}

/// Positions at which one table becomes many instead of growing, and of which it is made anew in a fraction of a millisecond.
const MANY_FROM: usize = 24_576;

/// Positions below which many become one again.
const ONE_BELOW: usize = MANY_FROM / 4;

/// How many: those of a million positions are then made anew as fast as one of the smallest index that has many.
const PARTS: usize = 1 << u8::BITS;

/// Positions of which a part has room at first: a quarter more than its share.
const FIRST_CAPACITY: usize = MANY_FROM / PARTS * 5 / 4;

#[derive(Debug)]
pub(super) struct Many {
    parts: [Table; PARTS],
    len: usize,
    /// Those of all parts together.
    bytes: usize,
    /// Of the largest part there was, and so what one more position takes at most.
    largest_bytes: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self::One(Table::default())
    }
}

impl Index {
    /// An index of all positions below `len`, which are few, with room for `capacity`.
    pub(super) fn of(len: usize, capacity: usize, hash_of: impl Fn(u32) -> u64) -> Self {
        let mut table = Table::with_capacity(capacity.max(len));
        table.extend(0..narrow(len), hash_of);
        Self::One(table)
    }

    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        self.table(hash).find(hash, is_it)
    }

    /// Has the line fetched in which a search for `hash` begins.
    pub(super) fn prefetch(&self, hash: u64) {
        self.table(hash).prefetch(hash);
    }

    /// Adds the position `at`. What stands at all others must still be there.
    pub(super) fn insert(&mut self, at: usize, hash_of: impl Fn(u32) -> u64) {
        if let Self::One(table) = self
            && table.is_full()
            && table.len() >= MANY_FROM
        {
            *self = Self::Many(Box::new(Many::of(table, &hash_of)));
        }
        match self {
            Self::One(table) => table.insert(at, hash_of),
            Self::Many(many) => many.insert(at, hash_of),
        }
    }

    /// What was at `was` is now at `at`.
    pub(super) fn moved(&mut self, hash: u64, was: usize, at: usize) {
        match self {
            Self::One(table) => table.moved(hash, was, at),
            Self::Many(many) => many.parts[part_of(hash)].moved(hash, was, at),
        }
    }

    /// Takes the position `at` out. What stands at all other positions must still be there.
    pub(super) fn remove(&mut self, hash: u64, at: usize, hash_of: impl Fn(u32) -> u64) {
        match self {
            Self::One(table) => {
                table.remove(hash, at, hash_of);
            }
            Self::Many(many) => many.remove(hash, at, hash_of),
        }
    }

    /// Gives memory back that `capacity` positions do not need.
    pub(super) fn shrink_to(&mut self, capacity: usize, hash_of: impl Fn(u32) -> u64) {
        match self {
            Self::One(table) if table.would_shrink(capacity) => table.resize(capacity, hash_of),
            Self::Many(many) if many.len < ONE_BELOW => {
                let mut table = Table::with_capacity(capacity.max(many.len));
                many.parts.iter().for_each(|part| table.extend(part.positions(), &hash_of));
                *self = Self::One(table);
            }
            Self::One(_) | Self::Many(_) => {}
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::One(table) => table.bytes(),
            Self::Many(many) => size_of::<Many>() + many.bytes,
        }
    }

    /// How many more bytes one more position would take at most.
    pub(super) fn growth_bytes(&self) -> usize {
        match self {
            Self::One(table) if table.len() >= MANY_FROM && table.is_full() => Many::FIRST_BYTES_MAX,
            Self::One(table) => table.growth_bytes(),
            Self::Many(many) => many.largest_bytes,
        }
    }

    fn table(&self, hash: u64) -> &Table {
        match self {
            Self::One(table) => table,
            Self::Many(many) => &many.parts[part_of(hash)],
        }
    }
}

impl Many {
    /// How many bytes they take at first at most, with one position more: each part what it is made with, and those that
    /// have grown, however the hashes are spread, all together as much again.
    const FIRST_BYTES_MAX: usize = size_of::<Self>() + 2 * PARTS * Table::bytes_for(FIRST_CAPACITY);

    fn of(table: &Table, hash_of: impl Fn(u32) -> u64) -> Self {
        let parts = std::array::from_fn(|_| Table::with_capacity(FIRST_CAPACITY));
        let mut many = Self { parts, len: 0, bytes: 0, largest_bytes: 0 };
        table.positions().for_each(|at| {
            many.parts[part_of(hash_of(at))].insert(at as usize, &hash_of);
        });
        many.len = table.len();
        many.bytes = many.parts.iter().map(Table::bytes).sum();
        many.largest_bytes = many.parts.iter().map(Table::bytes).max().unwrap_or(0);
        many
    }

    fn insert(&mut self, at: usize, hash_of: impl Fn(u32) -> u64) {
        self.change(hash_of(narrow(at)), |part| part.insert(at, hash_of));
        self.len += 1;
    }

    fn remove(&mut self, hash: u64, at: usize, hash_of: impl Fn(u32) -> u64) {
        let mut was_here = false;
        self.change(hash, |part| {
            was_here = part.remove(hash, at, &hash_of);
            if part.is_sparse() {
                part.resize(2 * part.len(), hash_of);
            }
        });
        self.len -= usize::from(was_here);
    }

    fn change(&mut self, hash: u64, change: impl FnOnce(&mut Table)) {
        let part = &mut self.parts[part_of(hash)];
        let before = part.bytes();
        change(part);
        let after = part.bytes();
        self.bytes = self.bytes + after - before;
        self.largest_bytes = self.largest_bytes.max(after);
    }
}

/// Which of many tables has the entry: by the uppermost byte of the hash, which no table of less than sixteen million places
/// looks at.
fn part_of(hash: u64) -> usize {
    let [.., uppermost] = hash.to_le_bytes();
    uppermost.into()
}

/// A position as a table keeps it. The memory budget is far below four thousand million of anything.
pub(super) fn narrow(at: usize) -> u32 {
    u32::try_from(at).expect("there are fewer positions than a u32 can count")
}

#[cfg(test)]
mod tests;
