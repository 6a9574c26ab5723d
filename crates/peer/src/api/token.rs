//! The secret that opens the API to programs of the same user.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, StatusCode, header};
use subtle::ConstantTimeEq;

use super::Problem;

/// What the file in the state directory is called.
pub const TOKEN_FILE: &str = "peer-token";

/// Random bytes of a token; it is twice as many characters.
const TOKEN_BYTES: usize = 32;

/// Bytes of a token file that are read.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

/// Who knows this token may use the API.
#[derive(Clone)]
pub struct Token(String);

/// The token file can neither be read nor made. One line: which file, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {wrong}", path.display())]
pub struct TokenError {
    path: PathBuf,
    wrong: io::Error,
}

impl Token {
    /// The token in `state_dir`, made there at the first start, in a file that only its own user can read.
    ///
    /// # Errors
    /// The file cannot be read or made, or holds no token.
    pub fn load_or_create(state_dir: &Path) -> Result<Self, TokenError> {
        let path = state_dir.join(TOKEN_FILE);
        let found = match load(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(state_dir, &path),
            other => other,
        };
        found.map(Self).map_err(|wrong| TokenError { path, wrong })
    }

    /// Whether a request with these `headers` shows it (RFC 6750 §2.1).
    ///
    /// # Errors
    /// 401 if it shows none, 403 if it shows another.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let value = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let shown = value.and_then(|value| value.split_at_checked(b"Bearer ".len()));
        let Some((_, shown)) = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer ")) else {
            return Err(Problem::no_token());
        };
        // It takes as long wherever two tokens differ; that ours has 64 characters is no secret.
        if shown.trim_ascii().ct_eq(self.0.as_bytes()).into() {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "this is not the peer's token"))
    }
}

impl fmt::Debug for Token {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

fn load(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text)?;
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
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let token = hex(&rand::random::<[u8; TOKEN_BYTES]>());
    let draft = state_dir.join(format!("{TOKEN_FILE}.{}", hex(&rand::random::<[u8; 8]>())));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = writeln!(file, "{token}").and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => load(path),
        linked => linked.map(|()| token),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let made = Token::load_or_create(dir.path()).unwrap();
        let path = dir.path().join(TOKEN_FILE);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", made.0));
        assert_eq!(made.0.len(), 2 * TOKEN_BYTES);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(Token::load_or_create(dir.path()).unwrap().0, made.0);
    }

    #[test]
    fn a_file_without_a_token_is_told_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(TOKEN_FILE);
        fs::write(&path, "two words").unwrap();
        let error = Token::load_or_create(dir.path()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: it holds no token", path.display())), "{error}");
    }

    #[test]
    fn nothing_but_the_token_is_let_through() {
        let token = Token("opensesame".to_owned());
        let status = |shown: &str| {
            let value = HeaderValue::from_str(shown).unwrap();
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
            token.check(&headers).map_err(|problem| problem.status())
        };
        for right in ["Bearer opensesame", "bearer opensesame", "Bearer  opensesame"] {
            assert_eq!(status(right), Ok(()), "{right}");
        }
        for none in ["Basic b3BlbnNlc2FtZTo=", "opensesame", ""] {
            assert_eq!(status(none), Err(401), "{none}");
        }
        for wrong in ["Bearer x", "Bearer opensesame2", "Bearer opensesam", "Bearer "] {
            assert_eq!(status(wrong), Err(403), "{wrong}");
        }
        assert_eq!(token.check(&HeaderMap::new()).map_err(|problem| problem.status()), Err(401));
    }
}
