use std::fs::File;
use std::io::{self, Read, Write};

/// What is remembered of a file that is not all here, so that it can be gone on with: its size, in the words of its
/// dialect, and which of its pieces are here.
///
/// In a file it is a line of digits and, if there are pieces, a line with a digit for each: 1 if it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Bytes, or parts.
    pub(super) size: u64,
    pub(super) pieces: Vec<bool>,
}

/// The longest one that is read, in bytes.
const BYTES_MAX: u64 = 32 << 20;

impl Record {
    /// Reads one of a file of that size; `None` if it is none or of another.
    pub(super) fn read(file: File, size: u64) -> Option<Self> {
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text).ok()?;
        let (first, rest) = text.split_once('\n')?;
        let digits = rest.strip_suffix('\n')?;
        if first.parse() != Ok(size) {
            return None;
        }
        let piece = |digit| match digit {
            b'0' => Some(false),
            b'1' => Some(true),
            _ => None,
        };
        Some(Self { size, pieces: digits.bytes().map(piece).collect::<Option<_>>()? })
    }

    pub(super) fn write(&self, mut file: File) -> io::Result<()> {
        let digits: String = self.pieces.iter().map(|&is_here| if is_here { '1' } else { '0' }).collect();
        let text = format!("{}\n{digits}\n", self.size);
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_recalled_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let record = Record { size: 5, pieces: vec![true, false, true, true, false] };
        record.write(File::create(&path).unwrap()).unwrap();
        let read = |size| Record::read(File::open(&path).unwrap(), size);
        assert_eq!(read(5), Some(record));
        assert_eq!(read(6), None);
        let bytes = std::fs::read(&path).unwrap();
        for cut in 0..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(read(5), None, "{cut}");
        }
        std::fs::write(&path, "5\n10x10\n").unwrap();
        assert_eq!(read(5), None);
    }
}
