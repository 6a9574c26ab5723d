//! What is asked of the dice.

use hashbrown::HashTable;
use rand_core::Rng;

/// A number below `bound`, each as likely as any other (Lemire 2019, "Fast random integer generation in an interval").
pub(crate) fn below(bound: u32, rng: &mut impl Rng) -> u32 {
    let bound = u64::from(bound);
    loop {
        let product = u64::from(rng.next_u32()) * bound;
        let (high, low) = (product >> 32, product & u64::from(u32::MAX));
        if low >= bound || low >= (1 << 32) % bound {
            return u32::try_from(high).unwrap_or(0);
        }
    }
}

/// The numbers below some bound in random order, drawn one by one, for who cannot say beforehand how many it takes.
///
/// Fisher and Yates's shuffle of an array that is only thought of: what has moved in it is remembered, and costs
/// memory for as many as are drawn.
pub(crate) struct Shuffle {
    next: u32,
    of: u32,
    /// Where something else stands than its own number: place and what stands there.
    moved: HashTable<(u32, u32)>,
}

impl Shuffle {
    pub(crate) const fn new(of: u32) -> Self {
        Self { next: 0, of, moved: HashTable::new() }
    }

    /// One that was not drawn yet, each as likely as any other; `None` after the last.
    pub(crate) fn draw(&mut self, rng: &mut impl Rng) -> Option<u32> {
        if self.next == self.of {
            return None;
        }
        let front = self.take(self.next).unwrap_or(self.next);
        let place = self.next + below(self.of - self.next, rng);
        let drawn = if place == self.next { front } else { self.put(place, front) };
        self.next += 1;
        Some(drawn)
    }

    /// What stands at `place`, which will not be looked at again.
    fn take(&mut self, place: u32) -> Option<u32> {
        let entry = self.moved.find_entry(hash(place), |&(at, _)| at == place).ok()?;
        Some(entry.remove().0.1)
    }

    /// Puts `number` at `place`, and returns what stood there.
    fn put(&mut self, place: u32, number: u32) -> u32 {
        if let Some((_, stands)) = self.moved.find_mut(hash(place), |&(at, _)| at == place) {
            return std::mem::replace(stands, number);
        }
        self.moved.insert_unique(hash(place), (place, number), |&(at, _)| hash(at));
        place
    }
}

/// Fibonacci hashing: the places are random themselves.
fn hash(place: u32) -> u64 {
    u64::from(place).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Dice;

    #[test]
    fn a_shuffle_draws_everything_once() {
        for of in [0, 1, 2, 7, 300] {
            let (mut shuffle, mut dice) = (Shuffle::new(of), Dice::new(of.into()));
            let mut drawn: Vec<u32> = std::iter::from_fn(|| shuffle.draw(&mut dice)).collect();
            drawn.sort_unstable();
            assert!(drawn.into_iter().eq(0..of));
        }
    }

    /// Each of the 24 orders of four is as likely as any other: Pearson's statistic against its quantile at 10^-6.
    #[test]
    fn every_order_is_as_likely_as_any_other() {
        let mut dice = Dice::new(3);
        let mut seen = std::collections::BTreeMap::new();
        let rounds = 24_000;
        for _ in 0..rounds {
            let mut shuffle = Shuffle::new(4);
            let order: Vec<u32> = std::iter::from_fn(|| shuffle.draw(&mut dice)).collect();
            *seen.entry(order).or_insert(0u32) += 1;
        }
        let expected = f64::from(rounds) / 24.0;
        let statistic: f64 = seen.values().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
        assert_eq!(seen.len(), 24);
        assert!(statistic < 70.0, "{statistic}");
    }
}
