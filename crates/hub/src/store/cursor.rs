use std::fmt;
use std::str::FromStr;

/// Where a page ended: a place in the order of a listing, which stays the same whatever comes or goes around it.
///
/// Its text is for the next request only; what it looks like may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// How well torrents match here: 0 is best.
    pub(super) tier: u8,
    /// The store's number of the last torrent; later ones have higher numbers.
    pub(super) id: i64,
}

/// A text that no listing has handed out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cursor: only what `next` of another page said can be one")]
pub struct BadCursor(String);

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let parts = || {
            let (tier, id) = text.split_once('-')?;
            Some(Self {
                tier: tier.parse().ok()?,
                id: i64::from_str_radix(id, 16).ok().filter(|id| *id >= 0)?,
            })
        };
        parts().ok_or_else(|| BadCursor(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.tier, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_its_text_and_other_text_is_quoted() {
        let cursor = Cursor { tier: 2, id: 0x1f };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in ["", "2", "2-", "-", "2-zz", "2--1", "300-1", "2-ffffffffffffffffff", "é"] {
            let error = wrong.parse::<Cursor>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{wrong}`")), "{error}");
        }
    }
}
