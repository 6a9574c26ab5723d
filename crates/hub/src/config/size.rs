use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;

/// The units a size may be written in, largest first within each family.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// What a size may look like, for messages.
const EXPECTED: &str = "a number of bytes, or a size such as \"512 MiB\" or \"2 GB\"";

/// Reads a number of bytes: `4096`, `4 KiB`, `1.5GiB`, `2 GB`. A unit's case does not matter, nor does a missing `B`.
///
/// # Errors
/// A sentence that quotes the text and says what would be right.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let refuse = || format!("`{text}` is not a size: {EXPECTED} is expected");
    let trimmed = text.trim();
    let split =
        trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let number = number.replace('_', "");
    let factor = factor(unit.trim()).ok_or_else(refuse)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let whole: u64 = whole.parse().map_err(|_| refuse())?;
    let fraction = match fraction {
        "" => 0,
        digits if digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()) => {
            let thousandths: u64 = format!("{digits:0<3}").parse().map_err(|_| refuse())?;
            u64::try_from(u128::from(factor) * u128::from(thousandths) / 1000).map_err(|_| refuse())?
        }
        _ => return Err(refuse()),
    };
    whole.checked_mul(factor).and_then(|bytes| bytes.checked_add(fraction)).ok_or_else(refuse)
}

fn factor(unit: &str) -> Option<u64> {
    if unit.is_empty() {
        return Some(1);
    }
    let same =
        |name: &str| name.eq_ignore_ascii_case(unit) || name[..name.len() - 1].eq_ignore_ascii_case(unit);
    UNITS.iter().find(|(name, _)| same(name)).map(|&(_, factor)| factor)
}

/// Writes a size so that [`parse_size`] reads the same number: in the largest binary unit that divides it.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let exact = UNITS[..4].iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    match exact {
        Some((unit, factor)) => format!("{} {unit}", bytes / factor),
        None => format!("{bytes} B"),
    }
}

/// Serde for a size in bytes, written as a number or as text with a unit.
pub(super) fn serialize<S: Serializer>(bytes: &usize, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_size(*bytes as u64))
}

/// See [`serialize`].
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    struct Size;

    impl Visitor<'_> for Size {
        type Value = usize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(EXPECTED)
        }

        fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<usize, E> {
            usize::try_from(bytes).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(bytes), &self))
        }

        fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<usize, E> {
            usize::try_from(bytes).map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<usize, E> {
            self.visit_u64(parse_size(text).map_err(E::custom)?)
        }
    }

    deserializer.deserialize_any(Size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("4 KiB", 4096),
            ("4k", 4000),
            ("4 kib", 4096),
            ("4Ki", 4096),
            ("1.5 GiB", 3 << 29),
            ("2 GB", 2_000_000_000),
            ("1_000 B", 1000),
            (" 512 MiB ", 512 << 20),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_quoted() {
        for text in ["", "MiB", "-1", "1.2345 MiB", "12 parsecs", "1..5 MiB", "99999999 TiB", "é"] {
            let error = parse_size(text).unwrap_err();
            assert!(error.starts_with(&format!("`{text}` is not a size")), "{error}");
        }
    }

    #[test]
    fn a_written_size_is_read_as_itself() {
        for bytes in [0, 1, 1023, 1024, 1025, 512 << 20, 1 << 30, u64::MAX] {
            assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }
        assert_eq!(format_size(512 << 20), "512 MiB");
        assert_eq!(format_size(1500), "1500 B");
    }
}
