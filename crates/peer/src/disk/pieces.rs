/// A set of pieces, in the form of BEP 3's bitfield: the first piece is the highest bit of the first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pieces {
    bytes: Box<[u8]>,
    len: u32,
    count: u32,
}

impl Pieces {
    /// No piece of `len`.
    #[must_use]
    pub fn none(len: u32) -> Self {
        Self { bytes: vec![0; len.div_ceil(8) as usize].into(), len, count: 0 }
    }

    /// A bitfield of `len` pieces; `None` if it has another length or bits set behind the last piece.
    #[must_use]
    pub fn from_bytes(bytes: &[u8], len: u32) -> Option<Self> {
        let spare = len.div_ceil(8) * 8 - len;
        let clean = bytes.last().is_none_or(|last| last.trailing_zeros() >= spare);
        let count = bytes.iter().map(|byte| byte.count_ones()).sum();
        (bytes.len() == len.div_ceil(8) as usize && clean).then(|| Self { bytes: bytes.into(), len, count })
    }

    /// The bitfield.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many pieces the torrent has.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// How many are in the set.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether none is in the set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether all are in the set.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.count == self.len
    }

    /// Whether `piece` is in the set; of a piece that does not exist, no.
    #[must_use]
    pub fn contains(&self, piece: u32) -> bool {
        self.bytes.get(piece as usize / 8).is_some_and(|byte| byte & bit(piece) != 0)
    }

    /// Puts `piece` into the set. Whether it was not there, and exists.
    pub fn insert(&mut self, piece: u32) -> bool {
        if piece >= self.len || self.contains(piece) {
            return false;
        }
        self.bytes[piece as usize / 8] |= bit(piece);
        self.count += 1;
        true
    }

    /// The pieces in the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.len).filter(|piece| self.contains(*piece))
    }
}

const fn bit(piece: u32) -> u8 {
    0x80 >> (piece % 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_piece_is_the_highest_bit() {
        let mut pieces = Pieces::none(10);
        assert!(pieces.insert(0) && pieces.insert(9) && !pieces.insert(9) && !pieces.insert(10));
        assert_eq!(pieces.as_bytes(), [0x80, 0x40]);
        assert_eq!((pieces.count(), pieces.is_full(), pieces.contains(8)), (2, false, false));
        assert_eq!(pieces.iter().collect::<Vec<_>>(), [0, 9]);
        assert_eq!(Pieces::from_bytes(&[0x80, 0x40], 10), Some(pieces));
    }

    #[test]
    fn a_bitfield_has_its_length_and_nothing_behind_it() {
        assert_eq!(Pieces::from_bytes(&[0xff], 9), None);
        assert_eq!(Pieces::from_bytes(&[0xff, 0xc0], 9), None);
        assert!(Pieces::from_bytes(&[0xff, 0x80], 9).is_some_and(|pieces| pieces.is_full()));
        assert!(Pieces::from_bytes(&[], 0).is_some_and(|pieces| pieces.is_full() && pieces.is_empty()));
    }
}
