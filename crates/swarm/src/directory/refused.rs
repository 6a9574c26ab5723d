//! Why somebody may not join.

use std::fmt;

use super::offer::CHUNK_LIST_BYTES_MAX;

/// The longest peer id, user name or seeder's name, in bytes.
pub const LABEL_BYTES_MAX: usize = 255;

/// Why nobody joined. Nothing has changed: what the holder offered before, it offers still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The memory budget leaves no place for it.
    Full,
    /// There are as many names in all as there may be.
    Names {
        /// How many that is.
        max: usize,
    },
    /// It would hold more names than one may.
    NamesOfHolder {
        /// How many that is.
        max: usize,
    },
    /// There are as many holders at its address as there may be.
    HoldersOfAddress {
        /// How many that is.
        max: usize,
    },
    /// What it calls itself is empty, longer than [`LABEL_BYTES_MAX`], or has control characters.
    Label,
    /// Its chunk list is longer than [`CHUNK_LIST_BYTES_MAX`].
    ChunkList {
        /// How long it is.
        bytes: usize,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the directory's memory budget is reached"),
            Self::Names { max } => write!(f, "the directory holds {max} names, and may not hold more"),
            Self::NamesOfHolder { max } => write!(f, "a peer may offer {max} names, and this would be more"),
            Self::HoldersOfAddress { max } => {
                write!(f, "{max} peers are known at this address, and there may not be more")
            }
            Self::Label => {
                write!(f, "a peer's name has 1 to {LABEL_BYTES_MAX} bytes, and no control characters")
            }
            Self::ChunkList { bytes } => {
                write!(f, "the chunk list has {bytes} bytes, and may have {CHUNK_LIST_BYTES_MAX}")
            }
        }
    }
}

impl std::error::Error for Refused {}
