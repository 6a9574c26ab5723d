use std::fmt;

use crate::store::roll::SecretHash;

/// Random bytes of a secret; it is twice as many characters.
const SECRET_BYTES: usize = 16;

/// A passkey, a token or an invitation's code: random, in hexadecimal digits, so that it fits an address. It is told to
/// whoever asked for it, once, and kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn random() -> Self {
        let random: [u8; SECRET_BYTES] = rand::random();
        Self(random.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(super) fn hash(&self) -> SecretHash {
        SecretHash::of(self.0.as_bytes())
    }

    /// As it is told.
    #[must_use]
    pub fn tell(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
