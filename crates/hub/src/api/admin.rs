//! The secret that opens what changes settings or removes what is there, and the certificate that does so in its place.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use subtle::ConstantTimeEq;

use super::{ApiState, Problem};
use crate::listener::http::handover::Origin;

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

/// What somebody may do. Where a request comes from, be it loopback, gives no right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// What everybody may: no token was shown.
    Stranger,
    /// Everything: the token was shown, and is right; or a client's certificate.
    Admin,
}

/// An extractor that lets nobody through but who shows the token or a certificate.
#[derive(Debug, Clone, Copy)]
pub struct Admin;

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
    fn is(&self, shown: &[u8]) -> bool {
        blake3::hash(shown).as_bytes().ct_eq(self.hash.as_bytes()).into()
    }

    /// What the sender of a request with these `headers` may do.
    ///
    /// # Errors
    ///
    /// 403 for a token that is wrong: who shows one relies on it.
    pub fn standing(&self, headers: &HeaderMap) -> Result<Standing, Problem> {
        match bearer(headers) {
            None => Ok(Standing::Stranger),
            Some(shown) => self.standing_of(shown),
        }
    }

    /// The same of a token that was shown in another way than a header.
    pub(crate) fn standing_of(&self, shown: &[u8]) -> Result<Standing, Problem> {
        if self.is(shown) {
            return Ok(Standing::Admin);
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "this is not the hub's admin token"))
    }
}

impl Standing {
    /// Whether the sender may go on.
    ///
    /// # Errors
    ///
    /// 401 if no token was shown.
    pub fn require_admin(self) -> Result<(), Problem> {
        match self {
            Self::Admin => Ok(()),
            Self::Stranger => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "this needs the hub's admin token: send it as `Authorization: Bearer …`",
            )
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        }
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

impl FromRequestParts<Arc<ApiState>> for Standing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        Ok(match state.admin.standing(&parts.headers)? {
            Standing::Stranger if parts.extensions.get().is_some_and(Origin::is_certified) => Standing::Admin,
            standing => standing,
        })
    }
}

impl FromRequestParts<Arc<ApiState>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        Standing::from_request_parts(parts, state).await?.require_admin()?;
        Ok(Self)
    }
}

/// The token of `Authorization: Bearer <token>` (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
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

    fn shown(token: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(token).unwrap())])
    }

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

    #[test]
    fn no_token_is_a_stranger_and_a_wrong_one_is_refused() {
        let token = AdminToken::of("opensesame");
        for right in ["Bearer opensesame", "bearer opensesame", "BEARER  opensesame "] {
            assert_eq!(token.standing(&shown(right)).unwrap(), Standing::Admin, "{right}");
        }
        for none in ["Basic b3BlbnNlc2FtZTo=", "opensesame", ""] {
            assert_eq!(token.standing(&shown(none)).unwrap(), Standing::Stranger, "{none}");
        }
        for wrong in ["Bearer x", "Bearer opensesame2", "Bearer "] {
            assert_eq!(token.standing(&shown(wrong)).unwrap_err().status(), 403, "{wrong}");
        }
        assert_eq!(Standing::Stranger.require_admin().unwrap_err().status(), 401);
    }
}
