use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::Malformed;

/// What a certificate is known by: the SHA-256 of its DER form. It is written as pairs of hexadecimal digits with colons,
/// as other programs do, and read without them too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of a certificate in DER form.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let expected = "64 hexadecimal digits, with or without colons";
        let wrong = || Malformed::found("SHA-256 fingerprint", text.as_bytes(), expected);
        let digits: Vec<char> = text.trim().chars().filter(|&char| char != ':').collect();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return Err(wrong());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            for digit in pair {
                let digit = digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                *byte = *byte << 4 | digit.ok_or_else(wrong)?;
            }
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `sha256sum` says of three letters (FIPS 180-2, B.1).
    #[test]
    fn it_is_sha_256() {
        let abc =
            "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD";
        assert_eq!(Fingerprint::of(b"abc").to_string(), abc);
    }

    #[test]
    fn it_is_read_as_people_write_it() {
        let colons = ["AB"; 32].join(":");
        for text in [colons.clone(), "ab".repeat(32), format!(" {colons}\n")] {
            assert_eq!(text.parse::<Fingerprint>().unwrap().to_string(), colons);
        }
        for wrong in ["", "ab", &"ab".repeat(33), &"xy".repeat(32), &"é".repeat(32), &"é".repeat(64)] {
            let reason = wrong.parse::<Fingerprint>().unwrap_err().to_string();
            assert!(reason.starts_with("SHA-256 fingerprint `"), "{reason}");
        }
    }
}
