//! Drawing some of many at random, without bias and without repetition.

use rand_core::Rng;

use crate::chance::below;

/// Draws positions. Keeps its memory between draws.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    /// An open-addressed set of the positions drawn so far, plus one; 0 is an empty place.
    drawn: Vec<u32>,
}

impl Sampler {
    /// Calls `emit` with `want` positions below `of`, all different and none of them `without`, every choice as
    /// likely as any other; with all there are, from a random start, if there are no more than `want`.
    pub(super) fn draw(
        &mut self,
        want: u32,
        of: u32,
        without: Option<u32>,
        rng: &mut impl Rng,
        mut emit: impl FnMut(u32),
    ) {
        let without = without.filter(|&it| it < of);
        let eligible = of - u32::from(without.is_some());
        let want = want.min(eligible);
        if want == 0 {
            return;
        }
        if want <= eligible / 2 {
            self.reset(want + 1);
            if let Some(it) = without {
                self.note(it);
            }
            let mut left = want;
            while left > 0 {
                let position = below(of, rng);
                if self.note(position) {
                    emit(position);
                    left -= 1;
                }
            }
            return;
        }
        // More than half are wanted: draw those to leave out instead.
        self.reset(eligible - want + 1);
        if let Some(it) = without {
            self.note(it);
        }
        let mut left_out = eligible - want;
        while left_out > 0 {
            if self.note(below(of, rng)) {
                left_out -= 1;
            }
        }
        let mut start = below(of, rng);
        while self.has(start) {
            start = below(of, rng);
        }
        (start..of).chain(0..start).filter(|&position| !self.has(position)).for_each(emit);
    }

    fn reset(&mut self, members: u32) {
        self.drawn.clear();
        self.drawn.resize((2 * members as usize).next_power_of_two(), 0);
    }

    /// Where `position` is in the set, or would be.
    fn place(&self, position: u32) -> usize {
        let mask = self.drawn.len() - 1;
        // Fibonacci hashing; half of the places stay empty, so the search ends.
        let mut place = (position.wrapping_mul(0x9E37_79B9) >> 7) as usize & mask;
        while self.drawn[place] != 0 && self.drawn[place] != position + 1 {
            place = (place + 1) & mask;
        }
        place
    }

    /// Adds `position`; false if it was there.
    fn note(&mut self, position: u32) -> bool {
        let place = self.place(position);
        let new = self.drawn[place] == 0;
        self.drawn[place] = position + 1;
        new
    }

    fn has(&self, position: u32) -> bool {
        self.drawn[self.place(position)] != 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Dice;

    proptest! {
        #[test]
        fn draws_are_distinct_and_as_many_as_asked(want in 0u32..300, of in 0u32..500, it: Option<u32>, seed: u64) {
            let mut drawn = Vec::new();
            Sampler::default().draw(want, of, it, &mut Dice::new(seed), |position| drawn.push(position));
            let eligible = of - u32::from(it.is_some_and(|it| it < of));
            prop_assert_eq!(drawn.len(), want.min(eligible) as usize);
            prop_assert!(drawn.iter().all(|&position| position < of && Some(position) != it));
            drawn.sort_unstable();
            drawn.dedup();
            prop_assert_eq!(drawn.len(), want.min(eligible) as usize);
        }
    }

    /// Pearson's statistic over how often each position was drawn, against what chance allows one time in 10^6.
    #[test]
    fn every_position_is_as_likely_as_any_other() {
        let mut dice = Dice::new(1);
        let mut sampler = Sampler::default();
        for (want, of, without) in [(10, 100, None), (10, 101, Some(40)), (70, 100, None), (1, 3, Some(0))] {
            let mut seen = vec![0u32; of as usize];
            let mut first = seen.clone();
            let rounds = 20_000;
            for _ in 0..rounds {
                let mut leader = None;
                sampler.draw(want, of, without, &mut dice, |position| {
                    seen[position as usize] += 1;
                    leader.get_or_insert(position);
                });
                first[leader.unwrap() as usize] += 1;
            }
            for (counts, draws) in [(seen, want), (first, 1)] {
                let eligible = f64::from(of - u32::from(without.is_some()));
                let expected = f64::from(rounds * draws) / eligible;
                let statistic: f64 = (0..of)
                    .filter(|&position| Some(position) != without)
                    .map(|position| (f64::from(counts[position as usize]) - expected).powi(2) / expected)
                    .sum();
                let free = eligible - 1.0;
                // Wilson and Hilferty's approximation of the quantile at 4.75 standard deviations.
                let limit = free * (1.0 - 2.0 / (9.0 * free) + 4.75 * (2.0 / (9.0 * free)).sqrt()).powi(3);
                assert!(statistic < limit.max(25.0), "{want} of {of}: {statistic} over {limit}");
            }
        }
    }
}
