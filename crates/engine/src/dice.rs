/// A random source of the torrent's own, seeded by the caller (SplitMix64, Steele et al. 2014): the same seed and the
/// same events give the same behavior. Nothing here is a secret, so it need not be unguessable.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number from 0 to `of` - 1; 0 if `of` is 0.
    #[expect(clippy::cast_possible_truncation, reason = "the high half of a product with `of` is below `of`")]
    pub(crate) const fn below(&mut self, of: usize) -> usize {
        ((self.next() as u128 * of as u128) >> 64) as usize
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
