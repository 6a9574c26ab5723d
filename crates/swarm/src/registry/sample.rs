//! Drawing some of many at random, without bias and without repetition.

use rand_core::Rng;

use crate::chance::below;

/// Positions of which one bit each is kept.
const SMALL_MAX: u32 = 1_024;

/// Words of 64 bits that have one for each of so many positions.
const WORDS: usize = SMALL_MAX as usize / 64;

/// Where one in so many or more is wanted, chance is asked of all positions at once, and not of each wanted one.
const DENSE_FROM: u32 = 8;

/// Binary places of the part that is wanted: with so many, what chance gives is wrong by few positions.
const PLACES: u32 = 5;

/// Draws positions. Keeps its memory between draws.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    /// A bit for each position drawn so far.
    bits: [u64; WORDS],
    /// The same where there are too many.
    drawn: Drawn,
    /// Those drawn one by one, in the order in which they were.
    far: Vec<u32>,
}

impl Sampler {
    /// Calls `emit` with `want` positions below `of`, all different and none of them `without`, every choice as likely as
    /// any other, and each of them as likely to be the first; with all there are, if there are no more than `want`.
    /// Positions that are few of many, and so most likely far apart in memory, are named to `fetch` before the first is
    /// emitted.
    pub(super) fn draw(
        &mut self,
        want: u32,
        of: u32,
        without: Option<u32>,
        rng: &mut impl Rng,
        mut fetch: impl FnMut(u32),
        emit: impl FnMut(u32),
    ) {
        let without = without.filter(|&it| it < of);
        let eligible = of - u32::from(without.is_some());
        let want = want.min(eligible);
        if want == 0 {
            return;
        }
        if want == eligible {
            return everybody(of, without, rng, emit);
        }
        if of > SMALL_MAX && want > eligible / 2 {
            return self.all_but_some(eligible - want, of, without, rng, emit);
        }
        self.far.clear();
        let far = |position| {
            fetch(position);
            self.far.push(position);
        };
        if of <= SMALL_MAX {
            let words = of.div_ceil(64) as usize;
            self.bits[..words].fill(0);
            let mut bits = Bits { words: &mut self.bits[..words], of };
            if want >= eligible / DENSE_FROM {
                bits.choose(want, without, rng);
                return bits.emit_from_any(rng, emit);
            }
            // Marked, it is never drawn.
            if let Some(it) = without {
                bits.mark(it);
            }
            some(want, of, rng, |position| bits.mark(position), far);
        } else {
            self.drawn.reset(want + 1);
            if let Some(it) = without {
                self.drawn.note(it);
            }
            some(want, of, rng, |position| self.drawn.note(position), far);
        }
        self.far.iter().copied().for_each(emit);
    }

    /// Draws those to leave out, where most of very many are wanted.
    fn all_but_some(
        &mut self,
        leave_out: u32,
        of: u32,
        without: Option<u32>,
        rng: &mut impl Rng,
        emit: impl FnMut(u32),
    ) {
        self.drawn.reset(leave_out + 1);
        if let Some(it) = without {
            self.drawn.note(it);
        }
        some(leave_out, of, rng, |position| self.drawn.note(position), |_| ());
        let mut start = below(of, rng);
        while self.drawn.has(start) {
            start = below(of, rng);
        }
        (start..of).chain(0..start).filter(|&position| !self.drawn.has(position)).for_each(emit);
    }
}

/// Calls `emit` with all positions but `without`, in their order from any of them on.
fn everybody(of: u32, without: Option<u32>, rng: &mut impl Rng, mut emit: impl FnMut(u32)) {
    let Some(it) = without else {
        let start = below(of, rng);
        return (start..of).chain(0..start).for_each(emit);
    };
    let start = below(of - 1, rng);
    if start < it {
        (start..it).for_each(&mut emit);
        (it + 1..of).for_each(&mut emit);
        (0..start).for_each(emit);
    } else {
        (start + 1..of).for_each(&mut emit);
        (0..it).for_each(&mut emit);
        (it + 1..=start).for_each(emit);
    }
}

/// An open-addressed set of positions, each plus one; 0 is an empty place.
#[derive(Debug, Default)]
struct Drawn(Vec<u32>);

impl Drawn {
    /// Empties it, with room for so many.
    fn reset(&mut self, members: u32) {
        self.0.clear();
        self.0.resize((2 * members as usize).next_power_of_two(), 0);
    }

    /// Where `position` is, or would be.
    fn place(&self, position: u32) -> usize {
        let mask = self.0.len() - 1;
        // Fibonacci hashing; half of the places stay empty, so the search ends.
        let mut place = (position.wrapping_mul(0x9E37_79B9) >> 7) as usize & mask;
        while self.0[place] != 0 && self.0[place] != position + 1 {
            place = (place + 1) & mask;
        }
        place
    }

    /// Adds `position`; false if it was there.
    fn note(&mut self, position: u32) -> bool {
        let place = self.place(position);
        let new = self.0[place] == 0;
        self.0[place] = position + 1;
        new
    }

    fn has(&self, position: u32) -> bool {
        self.0[self.place(position)] != 0
    }
}

/// Calls `emit` with `want` positions below `of` for which `mark` says that they are new.
fn some(
    want: u32,
    of: u32,
    rng: &mut impl Rng,
    mut mark: impl FnMut(u32) -> bool,
    mut emit: impl FnMut(u32),
) {
    let mut left = want;
    while left > 0 {
        let position = below(of, rng);
        if mark(position) {
            emit(position);
            left -= 1;
        }
    }
}

/// A bit for each position below `of`.
struct Bits<'a> {
    words: &'a mut [u64],
    of: u32,
}

impl Bits<'_> {
    /// Marks `want` positions other than `without`, every choice as likely as any other.
    ///
    /// Each position is marked by chance first, with about the odds that are wanted, all of a word at once. However many
    /// that marks, every choice of as many is as likely; and so it stays while single positions, any of them, are marked or
    /// unmarked until there are as many as are wanted.
    fn choose(&mut self, want: u32, without: Option<u32>, rng: &mut impl Rng) {
        // Where nearly all are wanted, all are marked: to find the last few by chance would take long.
        let left_out = self.of - want;
        let part =
            if left_out <= self.of.div_ceil(DENSE_FROM) { 1 << PLACES } else { (want << PLACES) / self.of };
        for word in &mut *self.words {
            *word = chances(part, rng);
        }
        // What is beyond the end of the last word is no position.
        if let Some(last) = self.words.last_mut() {
            *last &= u64::MAX >> (u64::BITS * self.of.div_ceil(u64::BITS) - self.of);
        }
        if let Some(it) = without {
            self.unmark(it);
        }
        let mut marked: u32 = self.words.iter().map(|word| word.count_ones()).sum();
        while marked != want {
            let position = below(self.of, rng);
            if marked > want {
                marked -= u32::from(self.has(position));
                self.unmark(position);
            } else if Some(position) != without {
                marked += u32::from(self.mark(position));
            }
        }
    }

    /// Calls `emit` with the marked positions in order from any of them on, and then with those before it.
    fn emit_from_any(&self, rng: &mut impl Rng, mut emit: impl FnMut(u32)) {
        let mut start = below(self.of, rng);
        while !self.has(start) {
            start = below(self.of, rng);
        }
        let (first, behind) = (start / u64::BITS, u64::MAX << (start % u64::BITS));
        let mut emit_word = |at: u32, mut word: u64| {
            while word != 0 {
                emit(at * u64::BITS + word.trailing_zeros());
                word &= word - 1;
            }
        };
        let word_of_start = self.words[first as usize];
        emit_word(first, word_of_start & behind);
        let words = || (0_u32..).zip(&*self.words);
        words().skip(first as usize + 1).for_each(|(at, word)| emit_word(at, *word));
        words().take(first as usize).for_each(|(at, word)| emit_word(at, *word));
        emit_word(first, word_of_start & !behind);
    }

    fn has(&self, position: u32) -> bool {
        self.words[(position / u64::BITS) as usize] >> (position % u64::BITS) & 1 != 0
    }

    /// Marks `position`; false if it was.
    fn mark(&mut self, position: u32) -> bool {
        let (word, bit) = (&mut self.words[(position / u64::BITS) as usize], 1 << (position % u64::BITS));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn unmark(&mut self, position: u32) {
        self.words[(position / u64::BITS) as usize] &= !(1 << (position % u64::BITS));
    }
}

/// Sixty-four bits, each set with the odds of `part` in 2^[`PLACES`], and by itself.
fn chances(part: u32, rng: &mut impl Rng) -> u64 {
    if part >> PLACES != 0 {
        return u64::MAX;
    }
    // From the last place to the first: each random bit halves the odds, and a place that is set adds a half.
    (0..PLACES).fold(0, |word, place| {
        let random = rng.next_u64();
        if part >> place & 1 != 0 { word | random } else { word & random }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Dice;

    proptest! {
        #[test]
        fn draws_are_distinct_and_as_many_as_asked(want in 0u32..300, of in 0u32..1_200, it: Option<u32>, seed: u64) {
            let mut drawn = Vec::new();
            let mut sampler = Sampler::default();
            sampler.draw(want, of, it, &mut Dice::new(seed), |_| (), |position| drawn.push(position));
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
        for (want, of, without) in [
            (10, 100, None),
            (10, 101, Some(40)),
            (30, 64, Some(63)),
            (50, 100, Some(3)),
            (70, 100, None),
            (1, 3, Some(0)),
            (1, 2, Some(1)),
            (5, 5, None),
            (69, 70, Some(30)),
            (1_999, 2_000, Some(7)),
            (2, 129, Some(128)),
            (140, 1_024, Some(7)),
            (9, 1_030, Some(7)),
            (1_000, 1_030, None),
        ] {
            let mut seen = vec![0u32; of as usize];
            let mut first = seen.clone();
            let rounds = 20_000;
            for _ in 0..rounds {
                let mut leader = None;
                let emit = |position: u32| {
                    seen[position as usize] += 1;
                    leader.get_or_insert(position);
                };
                sampler.draw(want, of, without, &mut dice, |_| (), emit);
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
