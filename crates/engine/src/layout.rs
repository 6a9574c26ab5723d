use wire::peer::{BLOCK_BYTES_MAX, Block};

/// The bytes of a block: what is asked for at once (BEP 3).
#[expect(clippy::cast_possible_truncation, reason = "16 KiB")]
pub const BLOCK_BYTES: u32 = BLOCK_BYTES_MAX as u32;

/// How a torrent's bytes are cut into pieces, and pieces into blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    size: u64,
    piece_bytes: u32,
    pieces: u32,
}

impl Layout {
    /// The layout of `size` bytes in pieces of `piece_bytes`; `None` if a piece would be empty or there would be more
    /// pieces than messages can number.
    #[must_use]
    pub fn new(size: u64, piece_bytes: u32) -> Option<Self> {
        let pieces = size.checked_div(u64::from(piece_bytes))?
            + u64::from(!size.is_multiple_of(u64::from(piece_bytes)));
        Some(Self { size, piece_bytes, pieces: u32::try_from(pieces).ok()? })
    }

    /// All bytes, padding included.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of every piece but the last.
    #[must_use]
    pub const fn piece_bytes_max(&self) -> u32 {
        self.piece_bytes
    }

    /// How many pieces there are.
    #[must_use]
    pub const fn pieces(&self) -> u32 {
        self.pieces
    }

    /// The bytes of `piece`; 0 if it does not exist.
    #[must_use]
    pub fn piece_bytes(&self, piece: u32) -> u32 {
        let left = self.size.saturating_sub(u64::from(piece) * u64::from(self.piece_bytes));
        u32::try_from(left).map_or(self.piece_bytes, |left| left.min(self.piece_bytes))
    }

    /// How many blocks `piece` has.
    #[must_use]
    pub fn blocks(&self, piece: u32) -> u32 {
        self.piece_bytes(piece).div_ceil(BLOCK_BYTES)
    }

    /// The block of `piece` with number `index`.
    #[must_use]
    pub fn block(&self, piece: u32, index: u32) -> Block {
        let begin = index * BLOCK_BYTES;
        Block { piece, begin, length: self.piece_bytes(piece).saturating_sub(begin).min(BLOCK_BYTES) }
    }

    /// The number of a block in its piece; `None` if it is not one that [`block`](Self::block) gives.
    #[must_use]
    pub fn index(&self, block: Block) -> Option<u32> {
        let index = block.begin / BLOCK_BYTES;
        (block.length > 0 && self.block(block.piece, index) == block).then_some(index)
    }

    /// Whether somebody may ask for `block`: not empty, inside its piece, and no longer than anybody sends.
    #[must_use]
    pub fn allows(&self, block: Block) -> bool {
        let end = u64::from(block.begin) + u64::from(block.length);
        (1..=BLOCK_BYTES).contains(&block.length) && end <= u64::from(self.piece_bytes(block.piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_piece_and_block_are_short() {
        let layout = Layout::new(100_000, 40_000).unwrap();
        assert_eq!((layout.pieces(), layout.piece_bytes(1), layout.piece_bytes(2)), (3, 40_000, 20_000));
        assert_eq!(layout.blocks(0), 3);
        let last = layout.block(2, 1);
        assert_eq!(last, Block { piece: 2, begin: 16_384, length: 3_616 });
        assert_eq!(layout.index(last), Some(1));
        assert_eq!(layout.index(Block { length: 3_617, ..last }), None);
        assert!(
            !layout.allows(Block { length: 3_617, ..last }) && layout.allows(Block { length: 1, ..last })
        );
        assert_eq!((layout.piece_bytes(3), layout.block(3, 0).length), (0, 0));
    }

    #[test]
    fn no_layout_without_pieces() {
        assert_eq!(Layout::new(5, 0), None);
        assert_eq!(Layout::new(u64::MAX, 16_384), None);
        assert_eq!(Layout::new(0, 16_384).unwrap().pieces(), 0);
    }
}
