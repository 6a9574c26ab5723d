//! Which bytes of which files a piece is made of. Nothing here touches a disk.

use std::ops::Range;
use std::sync::Arc;

use swarm::InfoHash;
use wire::metainfo::{File, Metainfo};

use super::Pieces;

/// The length of a piece's hash, in bytes.
const HASH_BYTES: usize = 20;

/// A torrent's payload: its files, one behind the other, cut into pieces.
#[derive(Debug, Clone)]
pub struct Layout {
    metainfo: Arc<Metainfo>,
    /// Where in the payload each file starts.
    starts: Box<[u64]>,
    size: u64,
    piece_bytes: u32,
    pieces: u32,
    /// Whether some of the payload is in no file.
    padded: bool,
}

/// Consecutive bytes of the payload in one file, or in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The file's place in [`Layout::files`]; `None` for padding, which is zeros.
    pub file: Option<usize>,
    /// Where in the file it starts.
    pub offset: u64,
    /// Its length, in bytes; never 0.
    pub bytes: usize,
}

/// Why a torrent has no layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It has no version 1 hashes.
    #[error("the torrent is version 2 only (BEP 52); a version 1 or hybrid one is needed")]
    NoHashes,
    /// Messages number pieces, and bytes in a piece, with 32 bits.
    #[error(
        "{size} bytes in pieces of {piece_length} are more pieces, or longer ones, than peers can number"
    )]
    Pieces {
        /// All bytes.
        size: u64,
        /// Bytes in a piece.
        piece_length: u64,
    },
}

impl Layout {
    /// The layout of a torrent.
    ///
    /// # Errors
    ///
    /// If it cannot be shared piece by piece, as BEP 3 says.
    pub fn new(metainfo: Arc<Metainfo>) -> Result<Self, Unfit> {
        let size = metainfo.payload_size();
        let piece_length = metainfo.piece_length();
        let hashes = metainfo.pieces().len() / HASH_BYTES;
        let piece_bytes = u32::try_from(piece_length).map_err(|_| Unfit::Pieces { size, piece_length })?;
        let pieces = u32::try_from(size.div_ceil(piece_length.max(1)));
        let pieces = pieces.map_err(|_| Unfit::Pieces { size, piece_length })?;
        if hashes != pieces as usize {
            return Err(Unfit::NoHashes);
        }
        let mut starts = Vec::with_capacity(metainfo.files().len());
        let mut end = 0;
        for file in metainfo.files() {
            starts.push(end);
            end += file.length;
        }
        let padded = metainfo.files().iter().any(|file| file.pad && file.length > 0);
        Ok(Self { metainfo, starts: starts.into(), size, piece_bytes, pieces, padded })
    }

    /// What the torrent file says.
    #[must_use]
    pub fn metainfo(&self) -> &Arc<Metainfo> {
        &self.metainfo
    }

    /// The torrent's name among trackers and peers.
    #[must_use]
    pub fn info_hash(&self) -> InfoHash {
        self.metainfo.info_hash()
    }

    /// The files in the order of the payload, padding included.
    #[must_use]
    pub fn files(&self) -> &[File] {
        self.metainfo.files()
    }

    /// Whether a file is on a disk: neither padding nor a symbolic link, which is never made.
    #[must_use]
    pub fn is_stored(&self, file: usize) -> bool {
        self.files().get(file).is_some_and(|file| !file.pad && !file.symlink)
    }

    /// The names that lead from the folder of downloads to a file.
    pub fn path(&self, file: usize) -> impl Iterator<Item = &str> {
        let folder = (!self.metainfo.is_single_file()).then(|| self.metainfo.name());
        let path = self.files().get(file).map_or(&[][..], |file| &file.path);
        folder.into_iter().chain(path.iter().map(String::as_str))
    }

    /// All bytes, padding included.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// How many pieces there are.
    #[must_use]
    pub const fn pieces(&self) -> u32 {
        self.pieces
    }

    /// The bytes of every piece but the last.
    #[must_use]
    pub const fn piece_bytes_max(&self) -> u32 {
        self.piece_bytes
    }

    /// The bytes of `piece`; 0 if it does not exist.
    #[must_use]
    pub fn piece_bytes(&self, piece: u32) -> u32 {
        let left = self.size.saturating_sub(self.position(piece, 0));
        u32::try_from(left).map_or(self.piece_bytes, |left| left.min(self.piece_bytes))
    }

    /// The SHA-1 that `piece` must have.
    #[must_use]
    pub fn hash(&self, piece: u32) -> Option<[u8; HASH_BYTES]> {
        let start = (piece as usize).checked_mul(HASH_BYTES)?;
        self.metainfo.pieces().get(start..start.checked_add(HASH_BYTES)?)?.try_into().ok()
    }

    /// Where in the payload a byte of a piece is.
    #[must_use]
    pub fn position(&self, piece: u32, begin: u32) -> u64 {
        u64::from(piece) * u64::from(self.piece_bytes) + u64::from(begin)
    }

    /// Whether these bytes are inside `piece`, and at least one.
    #[must_use]
    pub fn contains(&self, piece: u32, begin: u32, bytes: usize) -> bool {
        let end = u64::from(begin).saturating_add(bytes as u64);
        bytes > 0 && end <= u64::from(self.piece_bytes(piece))
    }

    /// Whether some of the payload is padding.
    #[must_use]
    pub const fn is_padded(&self) -> bool {
        self.padded
    }

    /// Where `bytes` bytes from `position` of the payload are; none behind its end.
    pub fn spans(&self, position: u64, bytes: usize) -> impl Iterator<Item = Span> {
        let end = position.saturating_add(bytes as u64).min(self.size);
        // Empty files start where the next one does, so the last that starts here or before has the byte.
        let first = self.starts.partition_point(|start| *start <= position).saturating_sub(1);
        let files = self.files().get(first..).unwrap_or_default().iter();
        let starts = self.starts.get(first..).unwrap_or_default();
        let overlapping = files.zip(starts).zip(first..).take_while(move |((_, start), _)| **start < end);
        overlapping.filter_map(move |((file, start), index)| {
            let from = position.max(*start);
            let to = end.min(start + file.length);
            let bytes = usize::try_from(to.checked_sub(from)?).ok()?;
            let stored = !file.pad && !file.symlink;
            (bytes > 0).then_some(Span { file: stored.then_some(index), offset: from - start, bytes })
        })
    }

    /// Where the bytes of `piece` are.
    pub fn piece_spans(&self, piece: u32) -> impl Iterator<Item = Span> {
        self.spans(self.position(piece, 0), self.piece_bytes(piece) as usize)
    }

    /// The stored files that `piece` has bytes of.
    pub fn files_of(&self, piece: u32) -> impl Iterator<Item = usize> {
        self.piece_spans(piece).filter_map(|span| span.file)
    }

    /// The pieces that have bytes of `file`; none if it is empty.
    #[must_use]
    pub fn pieces_of(&self, file: usize) -> Range<u32> {
        let (Some(start), Some(entry)) = (self.starts.get(file), self.files().get(file)) else { return 0..0 };
        if entry.length == 0 {
            return 0..0;
        }
        let piece =
            |position: u64| u32::try_from(position / u64::from(self.piece_bytes)).unwrap_or(self.pieces);
        piece(*start)..piece(start + entry.length - 1).saturating_add(1)
    }

    /// The pieces that have bytes of a wanted file. Padding is wanted by nobody.
    #[must_use]
    pub fn wanted(&self, wants: impl Fn(usize) -> bool) -> Pieces {
        let mut pieces = Pieces::none(self.pieces);
        for file in (0..self.files().len()).filter(|file| self.is_stored(*file) && wants(*file)) {
            for piece in self.pieces_of(file) {
                pieces.insert(piece);
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests;
