//! The secret that opens everything.

use std::fmt;
use std::path::Path;

use subtle::ConstantTimeEq;

use crate::secret_file::{self, SecretError};

/// What the file in the state directory is called.
pub const TOKEN_FILE: &str = "admin-token";

/// Random bytes of a token that is made here; it is twice as many characters.
const TOKEN_BYTES: usize = 32;

/// Who knows this token may do everything. Only its hash is kept.
#[derive(Clone)]
pub struct AdminToken {
    hash: blake3::Hash,
}

impl AdminToken {
    /// The token that is configured. Otherwise the one in `state_dir`, made there at the first start, in a file that
    /// only the hub's own user can read.
    ///
    /// # Errors
    ///
    /// [`SecretError`] if the file cannot be read or made, or holds no token.
    pub fn load_or_create(state_dir: &Path, configured: Option<&str>) -> Result<Self, SecretError> {
        if let Some(token) = configured {
            return Ok(Self::of(token));
        }
        secret_file::load_or_create(state_dir, TOKEN_FILE, random).map(|token| Self::of(&token))
    }

    fn of(token: &str) -> Self {
        Self { hash: blake3::hash(token.as_bytes()) }
    }

    /// Compares in a time that tells nothing of where two tokens differ.
    pub(super) fn is(&self, shown: &[u8]) -> bool {
        blake3::hash(shown).as_bytes().ct_eq(self.hash.as_bytes()).into()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

fn random() -> String {
    let random: [u8; TOKEN_BYTES] = rand::random();
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_token_is_made_at_the_first_start() {
        let dir = tempfile::tempdir().unwrap();
        let made = AdminToken::load_or_create(dir.path(), None).unwrap();
        let path = dir.path().join(TOKEN_FILE);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!((text.len(), text.trim_end().len()), (65, 64));
        let loaded = AdminToken::load_or_create(dir.path(), None).unwrap();
        assert_eq!(made.hash, loaded.hash);
        assert!(made.is(text.trim_end().as_bytes()));
    }

    #[test]
    fn a_configured_token_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let token = AdminToken::load_or_create(dir.path(), Some("opensesame")).unwrap();
        assert!(token.is(b"opensesame") && !token.is(b"opensesame ") && !token.is(b""));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
