use std::fmt;
use std::str::FromStr;

/// The 20 bytes that name a swarm: the SHA-1 of a torrent's info dictionary (BEP 3), or the first 20 bytes of its
/// SHA-256 (BEP 52).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash(pub [u8; 20]);

/// A text that is not 40 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoHashError(String);

impl InfoHash {
    /// Length in bytes.
    pub const LEN: usize = 20;

    /// The hash's raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl From<[u8; 20]> for InfoHash {
    fn from(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for InfoHash {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl FromStr for InfoHash {
    type Err = InfoHashError;

    /// Reads 40 hexadecimal digits, in upper or lower case.
    fn from_str(text: &str) -> Result<Self, InfoHashError> {
        let refuse = || InfoHashError(text.chars().take(64).collect());
        if text.len() != 2 * Self::LEN {
            return Err(refuse());
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let mut bytes = [0; Self::LEN];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else { return Err(refuse()) };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for InfoHash {
    /// 40 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for InfoHashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not an info hash: 40 hexadecimal digits are expected", self.0)
    }
}

impl std::error::Error for InfoHashError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_each_other() {
        let hash = InfoHash(*b"\x00\x01\x7f\x80\xffabcdefghijklmno");
        assert_eq!(hash.to_string(), "00017f80ff6162636465666768696a6b6c6d6e6f");
        assert_eq!(hash.to_string().to_uppercase().parse(), Ok(hash));
    }

    #[test]
    fn a_wrong_text_is_quoted() {
        for wrong in ["", "zz", &"g".repeat(40), &"é".repeat(20), &"a".repeat(41)] {
            let error = wrong.parse::<InfoHash>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{wrong}`")), "{error}");
        }
    }
}
