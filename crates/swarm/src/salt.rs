//! Hashing for tables whose keys strangers choose.

/// A secret that each table hashes its keys with, so that nobody outside can make them collide on purpose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Salt([u64; 3]);

impl Salt {
    /// Spreads one secret number over the words that hashing needs.
    pub(crate) const fn new(secret: u64) -> Self {
        let a = spread(secret);
        let b = spread(a ^ secret.rotate_left(32));
        Self([a | 1, b | 1, spread(b) | 1])
    }

    /// A hash of `key`, well spread over all 64 bits.
    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        let mut state = self.0[0] ^ key.len() as u64;
        let (words, rest) = key.as_chunks::<8>();
        for word in words {
            state = fold(state ^ u64::from_le_bytes(*word), self.0[1]);
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        fold(fold(state ^ u64::from_le_bytes(last), self.0[1]), self.0[2])
    }
}

/// One step of Knuth's MMIX generator.
const fn spread(x: u64) -> u64 {
    x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// Both halves of the 128-bit product, mixed: every bit of the input reaches every bit of the output.
#[expect(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_of_difference_changes_half_of_the_hash() {
        let salt = Salt::new(7);
        let mut flipped = 0;
        for bit in 0..160 {
            let mut key = [0x5a_u8; 20];
            let before = salt.hash(&key);
            key[bit / 8] ^= 1 << (bit % 8);
            flipped += (before ^ salt.hash(&key)).count_ones();
        }
        let mean = f64::from(flipped) / 160.0;
        assert!((28.0..36.0).contains(&mean), "{mean} of 64 bits change on average");
    }

    #[test]
    fn two_registries_hash_differently() {
        assert_ne!(Salt::new(1).hash(b"key"), Salt::new(2).hash(b"key"));
    }
}
