/// A set of pieces, and how many are in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bits {
    words: Vec<u64>,
    len: u32,
    count: u32,
}

const WORD_BITS: u32 = u64::BITS;

impl Bits {
    /// The empty set of `len` pieces.
    #[must_use]
    pub fn none(len: u32) -> Self {
        Self { words: vec![0; len.div_ceil(WORD_BITS) as usize], len, count: 0 }
    }

    /// The set of all of `len` pieces.
    #[must_use]
    pub fn all(len: u32) -> Self {
        let mut words = vec![u64::MAX; len.div_ceil(WORD_BITS) as usize];
        if let (Some(last), used @ 1..) = (words.last_mut(), len % WORD_BITS) {
            *last = (1 << used) - 1;
        }
        Self { words, len, count: len }
    }

    /// Reads a BEP 3 bitfield, the first piece in the highest bit of the first byte; `None` if its length is not that
    /// of `len` pieces or a spare bit is set.
    #[must_use]
    pub fn from_bitfield(bytes: &[u8], len: u32) -> Option<Self> {
        wire::peer::check_bitfield(bytes, len).ok()?;
        let mut bits = Self::none(len);
        for (word, chunk) in bits.words.iter_mut().zip(bytes.chunks(8)) {
            let mut octets = [0; 8];
            octets[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_be_bytes(octets).reverse_bits();
            bits.count += word.count_ones();
        }
        Some(bits)
    }

    /// The BEP 3 bitfield.
    #[must_use]
    pub fn to_bitfield(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            self.words.iter().flat_map(|word| word.reverse_bits().to_be_bytes()).collect();
        bytes.truncate(self.len.div_ceil(8) as usize);
        bytes
    }

    /// How many pieces there are, in the set or not.
    #[must_use]
    pub const fn pieces(&self) -> u32 {
        self.len
    }

    /// Whether no piece is in the set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many pieces are in the set.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether all pieces are in the set.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.count == self.len
    }

    /// Whether `piece` is in the set; false for one that does not exist.
    #[must_use]
    pub fn has(&self, piece: u32) -> bool {
        self.words.get((piece / WORD_BITS) as usize).is_some_and(|word| word >> (piece % WORD_BITS) & 1 == 1)
    }

    /// Adds `piece`; false if it was there or does not exist.
    pub fn insert(&mut self, piece: u32) -> bool {
        if piece >= self.len || self.has(piece) {
            return false;
        }
        self.words[(piece / WORD_BITS) as usize] |= 1 << (piece % WORD_BITS);
        self.count += 1;
        true
    }

    /// Takes `piece` out; false if it was not there.
    pub fn remove(&mut self, piece: u32) -> bool {
        if !self.has(piece) {
            return false;
        }
        self.words[(piece / WORD_BITS) as usize] &= !(1 << (piece % WORD_BITS));
        self.count -= 1;
        true
    }

    /// Adds all that is in `other`, a set of as many pieces.
    pub(crate) fn unite(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, more)| *word |= more);
        self.count = self.words.iter().map(|word| word.count_ones()).sum();
    }

    /// The pieces in the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let words = (0..).step_by(WORD_BITS as usize).zip(self.words.iter().copied());
        words.flat_map(|(first, word)| Ones(word).map(move |bit| first + bit))
    }

    /// The pieces in both sets, in order from the word of `start` on and around: a word of 64 is one step.
    pub(crate) fn common<'a>(&'a self, other: &'a Self, start: u32) -> impl Iterator<Item = u32> + 'a {
        let words = self.words.len().min(other.words.len());
        let start = ((start / WORD_BITS) as usize).min(words);
        let both = move |at: usize| self.words[at] & other.words[at];
        let order = (start..words).chain(0..start);
        order.flat_map(move |at| {
            let first = u32::try_from(at).unwrap_or(u32::MAX) * WORD_BITS;
            Ones(both(at)).map(move |bit| first + bit)
        })
    }

    /// How many pieces are in both sets.
    pub(crate) fn common_count(&self, other: &Self) -> u32 {
        self.words.iter().zip(&other.words).map(|(a, b)| (a & b).count_ones()).sum()
    }
}

/// The positions of the bits that are set.
struct Ones(u64);

impl Iterator for Ones {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        (self.0 != 0).then(|| {
            let bit = self.0.trailing_zeros();
            self.0 &= self.0 - 1;
            bit
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_piece_is_the_highest_bit() {
        let bits = Bits::from_bitfield(&[0b1010_0000, 0b0100_0000], 10).unwrap();
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 2, 9]);
        assert_eq!(bits.to_bitfield(), [0b1010_0000, 0b0100_0000]);
        assert_eq!(Bits::from_bitfield(&[0, 0b0010_0000], 10), None);
        assert_eq!(Bits::from_bitfield(&[0], 10), None);
    }

    #[test]
    fn full_and_empty_sets_of_any_length() {
        for len in [0, 1, 63, 64, 65, 200] {
            let all = Bits::all(len);
            assert!(all.is_full());
            assert_eq!(all.iter().count(), len as usize);
            assert_eq!(Bits::from_bitfield(&all.to_bitfield(), len), Some(all.clone()));
            assert_eq!(all.common_count(&Bits::none(len)), 0);
            assert_eq!(all.common(&all, 70).count(), len as usize);
        }
    }

    #[test]
    fn members_come_and_go_once() {
        let mut bits = Bits::none(70);
        assert!(bits.insert(69) && !bits.insert(69) && !bits.insert(70));
        assert_eq!(bits.count(), 1);
        assert!(bits.remove(69) && !bits.remove(69) && !bits.remove(700));
        assert!(bits.is_empty());
    }
}
