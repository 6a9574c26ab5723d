//! What holders offer: names, and how large what they name is.

use std::fmt;

/// The longest name of a file, in bytes: what file systems take.
pub const FILE_NAME_BYTES_MAX: usize = 255;

/// The longest chunk list, in bytes.
pub const CHUNK_LIST_BYTES_MAX: usize = 1 << 20;

/// Bytes of a part in `token`.
pub const PART_BYTES: u64 = 64 << 10;

/// A name that can be a file's in any folder, and no way out of it: 1 to 255 bytes, no slash or backslash, no control
/// characters, neither `.` nor `..`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName<'a>(&'a str);

/// A text that is no [`FileName`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNameError {
    /// Its first characters.
    text: String,
    wrong: &'static str,
}

/// How large a file is, in the words of the dialect that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Extent {
    /// Nobody said.
    #[default]
    Unknown,
    /// So many parts (`token`).
    Parts(u32),
    /// So many bytes (`index`; in `chunklist` the size that the seeder believes its list to have). Kept up to 2^62.
    Bytes(u64),
}

/// A name that a holder offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The file's name.
    pub name: FileName<'a>,
    /// What the holder says of its size.
    pub extent: Extent,
}

/// The chunks of the one file that a holder gives away by their numbers, as it wrote them down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkList<'a> {
    /// The name it has in `chunklist`.
    pub name: FileName<'a>,
    /// Its bytes, kept unchanged; at most [`CHUNK_LIST_BYTES_MAX`].
    pub bytes: &'a [u8],
    /// How many bytes the seeder believes that it has.
    pub stated_bytes: u64,
}

impl<'a> FileName<'a> {
    /// The name, if it is one.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the text.
    pub fn new(text: &'a str) -> Result<Self, FileNameError> {
        let wrong = if text.is_empty() {
            "has no characters"
        } else if text.len() > FILE_NAME_BYTES_MAX {
            "is longer than 255 bytes"
        } else if text.contains(['/', '\\']) || text == "." || text == ".." {
            "is a path: give the name of a file alone"
        } else if text.contains(char::is_control) {
            "has control characters"
        } else {
            return Ok(Self(text));
        };
        Err(FileNameError { text: text.chars().take(64).collect(), wrong })
    }

    /// The name as text.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl Extent {
    /// How many parts that makes in `token`, where even an empty file has one.
    #[must_use]
    pub fn parts(self) -> Option<u32> {
        match self {
            Self::Unknown => None,
            Self::Parts(parts) => Some(parts),
            Self::Bytes(bytes) => Some(u32::try_from(bytes.div_ceil(PART_BYTES).max(1)).unwrap_or(u32::MAX)),
        }
    }

    /// How many bytes that is, if it was said in bytes.
    #[must_use]
    pub const fn bytes(self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Unknown | Self::Parts(_) => None,
        }
    }
}

/// An [`Extent`] in eight bytes that need no alignment to eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackedExtent([u32; 2]);

/// The two highest bits say what the others count.
const UNIT_SHIFT: u32 = 62;
const COUNT_MASK: u64 = (1 << UNIT_SHIFT) - 1;
const PARTS: u64 = 1;
const BYTES: u64 = 2;

impl From<Extent> for PackedExtent {
    fn from(extent: Extent) -> Self {
        let word = match extent {
            Extent::Unknown => 0,
            Extent::Parts(parts) => PARTS << UNIT_SHIFT | u64::from(parts),
            Extent::Bytes(bytes) => BYTES << UNIT_SHIFT | bytes.min(COUNT_MASK),
        };
        let low = |word: u64| u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0);
        Self([low(word >> 32), low(word)])
    }
}

impl From<PackedExtent> for Extent {
    fn from(PackedExtent([high, low]): PackedExtent) -> Self {
        let word = u64::from(high) << 32 | u64::from(low);
        match word >> UNIT_SHIFT {
            PARTS => Self::Parts(low),
            BYTES => Self::Bytes(word & COUNT_MASK),
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for FileName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for FileNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file name `{}` {}", self.text.escape_debug(), self.wrong)
    }
}

impl std::error::Error for FileNameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        for name in ["document.pdf", "[download]a b.mkv", "Größe", "...", ".hidden", &"n".repeat(255)] {
            assert_eq!(FileName::new(name).unwrap().as_str(), name);
        }
        for path in
            ["", ".", "..", "../a", "/etc/passwd", "a\\b", "a\0", "a\nb", "\u{1b}[2J", &"n".repeat(256)]
        {
            let error = FileName::new(path).unwrap_err().to_string();
            assert!(!error.contains(char::is_control), "{error:?}");
        }
        assert_eq!(
            FileName::new("../a").unwrap_err().to_string(),
            "the file name `../a` is a path: give the name of a file alone"
        );
    }

    #[test]
    fn extents_are_kept() {
        for extent in [
            Extent::Unknown,
            Extent::Parts(0),
            Extent::Parts(u32::MAX),
            Extent::Bytes(0),
            Extent::Bytes(5 << 40 | 7),
        ] {
            assert_eq!(Extent::from(PackedExtent::from(extent)), extent);
        }
        assert_eq!(Extent::from(PackedExtent::from(Extent::Bytes(u64::MAX))), Extent::Bytes(COUNT_MASK));
    }

    #[test]
    fn parts_follow_from_bytes() {
        let parts = |bytes| Extent::Bytes(bytes).parts().unwrap();
        assert_eq!((parts(0), parts(1), parts(65_536), parts(65_537)), (1, 1, 1, 2));
        assert_eq!(parts(u64::MAX), u32::MAX);
        assert_eq!((Extent::Parts(0).parts(), Extent::Unknown.parts()), (Some(0), None));
    }
}
