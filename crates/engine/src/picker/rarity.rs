use super::Priority;
use crate::bits::Bits;
use crate::dice::Dice;

/// How many pieces are looked at in the order of rarity before a peer's own pieces are gone through instead.
const PROBES_MAX: usize = 64;

/// The pieces that may be started, ordered by priority and then by how many peers have them.
///
/// A piece found at one more or one less peer moves to the neighboring bucket by one swap; nothing is sorted.
#[derive(Debug)]
pub(super) struct Rarity {
    /// How many peers have each piece, those that have all of them left out.
    counts: Vec<u16>,
    /// Where each piece is in its class's order.
    places: Vec<u32>,
    classes: [Class; Priority::CLASSES],
    startable: Bits,
}

/// The pieces of one priority: buckets by count, one after the other.
#[derive(Debug, Default)]
struct Class {
    order: Vec<u32>,
    /// Where in `order` the bucket of each count starts.
    starts: Vec<u32>,
}

impl Rarity {
    pub(super) fn new(pieces: u32) -> Self {
        let len = pieces as usize;
        Self {
            counts: vec![0; len],
            places: vec![0; len],
            classes: Default::default(),
            startable: Bits::none(pieces),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.startable.is_empty()
    }

    pub(super) fn count(&self, piece: u32) -> u16 {
        self.counts.get(piece as usize).copied().unwrap_or(0)
    }

    pub(super) const fn startable(&self) -> &Bits {
        &self.startable
    }

    pub(super) fn insert(&mut self, piece: u32, priority: Priority) {
        let Some(class) = priority.class() else { return };
        if self.startable.insert(piece) {
            let count = usize::from(self.count(piece));
            self.classes[class].insert(piece, count, &mut self.places);
        }
    }

    pub(super) fn remove(&mut self, piece: u32, priority: Priority) {
        let Some(class) = priority.class() else { return };
        if self.startable.remove(piece) {
            let count = usize::from(self.count(piece));
            self.classes[class].remove(piece, count, &mut self.places);
        }
    }

    /// One more peer has `piece`.
    pub(super) fn gained(&mut self, piece: u32, priority: Priority) {
        let count = self.counts[piece as usize];
        self.counts[piece as usize] = count.saturating_add(1);
        if let (Some(class), true, true) = (priority.class(), self.startable.has(piece), count < u16::MAX) {
            self.classes[class].up(piece, usize::from(count), &mut self.places);
        }
    }

    /// One peer fewer has `piece`.
    pub(super) fn lost(&mut self, piece: u32, priority: Priority) {
        let count = self.counts[piece as usize];
        self.counts[piece as usize] = count.saturating_sub(1);
        if let (Some(class), true, true) = (priority.class(), self.startable.has(piece), count > 0) {
            self.classes[class].down(piece, usize::from(count), &mut self.places);
        }
    }

    /// One of the rarest pieces of the highest priority among those in `has`. `everything`: `has` is of a peer that is
    /// not counted.
    pub(super) fn rarest(&self, has: &Bits, everything: bool, dice: &mut Dice) -> Option<u32> {
        let mut probes = 0;
        for class in &self.classes {
            // A piece that a counted peer has is in the bucket of 1 or a later one.
            for bucket in usize::from(!everything)..class.starts.len() {
                let pieces = class.bucket(bucket);
                let first = dice.below(pieces.len());
                for &piece in pieces[first..].iter().chain(&pieces[..first]) {
                    if has.has(piece) {
                        return Some(piece);
                    }
                    probes += 1;
                    if probes == PROBES_MAX {
                        return self.rarest_of_few(has, dice);
                    }
                }
            }
        }
        None
    }

    /// The same, by looking at all pieces in `has`: few, or the order would have found one.
    fn rarest_of_few(&self, has: &Bits, dice: &mut Dice) -> Option<u32> {
        let (mut best, mut ties) = (None, 0);
        for piece in has.common(&self.startable, 0) {
            let class = self.classes.iter().position(|class| class.holds(piece, &self.places));
            let key = (class, self.count(piece));
            match best {
                Some((other, _)) if key > other => {}
                Some((other, _)) if key == other => {
                    ties += 1;
                    if dice.below(ties) == 0 {
                        best = Some((key, piece));
                    }
                }
                _ => {
                    best = Some((key, piece));
                    ties = 1;
                }
            }
        }
        best.map(|(_, piece)| piece)
    }

    /// Any startable piece in `has`, of the highest priority there is among the first few.
    pub(super) fn any(&self, has: &Bits, dice: &mut Dice) -> Option<u32> {
        let start = dice.below(self.counts.len());
        let some = has.common(&self.startable, u32::try_from(start).unwrap_or(0)).take(PROBES_MAX);
        let class = |piece: u32| self.classes.iter().position(|class| class.holds(piece, &self.places));
        some.min_by_key(|&piece| class(piece))
    }
}

impl Class {
    fn bucket(&self, count: usize) -> &[u32] {
        let end = self.starts.get(count + 1).map_or(self.order.len(), |&end| end as usize);
        self.starts.get(count).map_or(&[], |&start| &self.order[start as usize..end])
    }

    fn holds(&self, piece: u32, places: &[u32]) -> bool {
        self.order.get(places[piece as usize] as usize) == Some(&piece)
    }

    fn insert(&mut self, piece: u32, count: usize, places: &mut [u32]) {
        let end = self.end();
        while self.starts.len() <= count {
            self.starts.push(end);
        }
        self.order.push(piece);
        places[piece as usize] = end;
        // Each later bucket gives its first place to the one before and takes a new one at its end.
        for bucket in (count + 1..self.starts.len()).rev() {
            self.swap(places[piece as usize], self.starts[bucket], places);
            self.starts[bucket] += 1;
        }
    }

    fn remove(&mut self, piece: u32, count: usize, places: &mut [u32]) {
        for bucket in count..self.starts.len() {
            let last = self.starts.get(bucket + 1).map_or(self.end(), |&start| start) - 1;
            self.swap(places[piece as usize], last, places);
            if let Some(start) = self.starts.get_mut(bucket + 1) {
                *start -= 1;
            }
        }
        self.order.pop();
    }

    /// Moves `piece` from the bucket of `count` to the next.
    fn up(&mut self, piece: u32, count: usize, places: &mut [u32]) {
        if self.starts.len() == count + 1 {
            self.starts.push(self.end());
        }
        let last = self.starts[count + 1] - 1;
        self.swap(places[piece as usize], last, places);
        self.starts[count + 1] = last;
    }

    /// Moves `piece` from the bucket of `count` to the one before.
    fn down(&mut self, piece: u32, count: usize, places: &mut [u32]) {
        let first = self.starts[count];
        self.swap(places[piece as usize], first, places);
        self.starts[count] = first + 1;
    }

    fn swap(&mut self, a: u32, b: u32, places: &mut [u32]) {
        self.order.swap(a as usize, b as usize);
        places[self.order[a as usize] as usize] = a;
        places[self.order[b as usize] as usize] = b;
    }

    fn end(&self) -> u32 {
        u32::try_from(self.order.len()).unwrap_or(u32::MAX)
    }
}
