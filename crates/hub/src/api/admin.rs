//! The secret that opens everything.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;

/// What the file in the state directory is called.
pub const TOKEN_FILE: &str = "admin-token";

/// Random bytes of a token that is made here; it is twice as many characters.
const TOKEN_BYTES: usize = 32;

/// Bytes of a token file that are read.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

/// Who knows this token may do everything. Only its hash is kept.
#[derive(Clone)]
pub struct AdminToken {
    hash: blake3::Hash,
}

/// The token file can neither be read nor made. One line: which file, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {wrong}", path.display())]
pub struct TokenError {
    path: PathBuf,
    wrong: String,
}

impl AdminToken {
    /// The token that is configured. Otherwise the one in `state_dir`, made there at the first start, in a file that
    /// only the hub's own user can read.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the file cannot be read or made, or holds no token.
    pub fn load_or_create(state_dir: &Path, configured: Option<&str>) -> Result<Self, TokenError> {
        if let Some(token) = configured {
            return Ok(Self::of(token));
        }
        let path = state_dir.join(TOKEN_FILE);
        let found = match load(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(state_dir, &path),
            other => other,
        };
        match found {
            Ok(token) => Ok(Self::of(&token)),
            Err(error) => Err(TokenError { path, wrong: error.to_string() }),
        }
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

fn load(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others can read the admin token; chmod 600 it");
    }
    let mut text = String::new();
    file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text)?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let wrong = "it holds no token (visible ASCII characters); remove it, and a new one is made";
        return Err(io::Error::new(io::ErrorKind::InvalidData, wrong));
    }
    Ok(token.to_owned())
}

/// Makes a token. The file appears whole or not at all; if another process makes one at the same time, the first counts
/// for both.
fn create(state_dir: &Path, path: &Path) -> io::Result<String> {
    let random: [u8; TOKEN_BYTES] = rand::random();
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let nonce: u64 = rand::random();
    let draft = state_dir.join(format!("{TOKEN_FILE}.{nonce:016x}"));
    let linked = write(&draft, &token).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match linked {
        Ok(()) => {
            removed?;
            File::open(state_dir)?.sync_all()?;
            Ok(token)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => load(path),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, token: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let made = AdminToken::load_or_create(dir.path(), None).unwrap();
        let path = dir.path().join(TOKEN_FILE);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!((text.len(), text.trim_end().len()), (65, 64));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
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

    #[test]
    fn a_file_without_a_token_is_told_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(TOKEN_FILE);
        for wrong in ["", "\n", "two words", "caf\u{e9}"] {
            fs::write(&path, wrong).unwrap();
            let error = AdminToken::load_or_create(dir.path(), None).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: it holds no token", path.display())), "{error}");
        }
        let nowhere = dir.path().join("nowhere");
        let error = AdminToken::load_or_create(&nowhere, None).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: ", nowhere.join(TOKEN_FILE).display())), "{error}");
    }
}
