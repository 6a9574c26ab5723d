//! What the sender of a request may do, by what it shows: the admin token, a token of a scope, a client's certificate,
//! or a member's passkey.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use swarm::UserId;

use super::links::client_ip;
use super::query::Parameters;
use super::{ApiState, Problem};
use crate::acts::Actor;
use crate::config::Mode;
use crate::listener::http::handover::Origin;
use crate::store::roll::{Role, Scope, SecretHash};

/// What the audit log calls whoever shows the admin token, or a certificate.
const ADMIN_TOKEN: &str = "admin-token";
const CERTIFICATE: &str = "certificate";

/// The cookie of a browser whose person has signed in.
pub(crate) const COOKIE: &str = "skep-passkey";

/// What somebody may do. Where a request comes from, be it loopback, gives no right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// What everybody may: nothing was shown.
    Stranger,
    /// What members may: the passkey of one was shown.
    Member(Member),
    /// What the scope of a token says, or of a client's certificate.
    Holder {
        /// What the token is called.
        name: String,
        /// What it is good for.
        scope: Scope,
    },
}

/// A member that has shown its passkey.
#[derive(Clone, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub user: UserId,
    /// What it may do.
    pub role: Role,
    /// What was shown: links for it carry it.
    pub passkey: String,
}

/// Who sends a request, and may do something that is recorded.
#[derive(Debug, Clone)]
pub(crate) struct Acting {
    pub(crate) standing: Standing,
    pub(crate) ip: IpAddr,
}

impl Standing {
    /// What the sender of a request may do.
    ///
    /// # Errors
    ///
    /// 403 for a secret that is wrong: who shows one relies on it.
    pub(crate) fn of(parts: &Parts, state: &ApiState) -> Result<Self, Problem> {
        if let Some(shown) = bearer(&parts.headers) {
            return Self::of_secret(shown, state);
        }
        if parts.extensions.get().is_some_and(Origin::is_certified) {
            return Ok(Self::Holder { name: CERTIFICATE.to_owned(), scope: Scope::Admin });
        }
        if state.mode() == Mode::Members {
            if let Some(passkey) = Parameters::of_parts(parts)?.get("passkey") {
                return Self::of_secret(passkey.as_bytes(), state);
            }
            // A browser goes on showing a passkey that was changed since; then its person signs in again.
            if let Some(passkey) = cookie(&parts.headers) {
                return Ok(Self::of_secret(passkey.as_bytes(), state).unwrap_or(Self::Stranger));
            }
        }
        Ok(Self::Stranger)
    }

    /// What whoever knows this secret may do.
    ///
    /// # Errors
    ///
    /// 403 if it is none.
    pub(crate) fn of_secret(shown: &[u8], state: &ApiState) -> Result<Self, Problem> {
        if state.admin.is(shown) {
            return Ok(Self::Holder { name: ADMIN_TOKEN.to_owned(), scope: Scope::Admin });
        }
        if let Some((name, scope)) = state.members.token(shown) {
            return Ok(Self::Holder { name, scope });
        }
        if state.mode() == Mode::Members
            && let Some(known) = state.members.policy().gate().find(&SecretHash::of(shown))
            && let Ok(passkey) = std::str::from_utf8(shown)
        {
            if known.disabled || known.is_over(state.members.now()) {
                let detail = "your account is disabled or over; ask those who run this hub";
                return Err(Problem::new(StatusCode::FORBIDDEN, detail));
            }
            let passkey = passkey.to_owned();
            return Ok(Self::Member(Member { user: known.user, role: known.role, passkey }));
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "this is not the hub's admin token, nor another secret that it knows",
        ))
    }

    /// Whether the sender may do what needs this scope.
    #[must_use]
    pub(crate) fn may(&self, needed: Scope) -> bool {
        match self {
            Self::Holder { scope, .. } => match needed {
                Scope::Read => true,
                Scope::Torrents => matches!(scope, Scope::Torrents | Scope::Admin),
                Scope::Users => matches!(scope, Scope::Users | Scope::Admin),
                Scope::Admin => *scope == Scope::Admin,
            },
            Self::Stranger | Self::Member(_) => false,
        }
    }

    /// Lets those go on who may do what needs this scope.
    ///
    /// # Errors
    ///
    /// 401 if nothing was shown that could open it, 403 if what was shown does not.
    pub(crate) fn require(&self, needed: Scope) -> Result<(), Problem> {
        match self {
            _ if self.may(needed) => Ok(()),
            Self::Holder { name, scope } => Err(Problem::new(
                StatusCode::FORBIDDEN,
                format!(
                    "the token `{name}` has the scope `{}`, and this needs `{}`",
                    scope.name(),
                    needed.name()
                ),
            )),
            Self::Stranger | Self::Member(_) => Err(unauthorized(
                "this needs the hub's admin token, or one with the scope for it: send it as `Authorization: Bearer …`",
            )),
        }
    }

    /// Lets those go on who may see what the hub has.
    ///
    /// # Errors
    ///
    /// 401 if the hub is for members, and nothing was shown.
    pub(crate) fn require_to_see(&self, mode: Mode) -> Result<(), Problem> {
        match self {
            Self::Stranger if mode == Mode::Members => {
                Err(unauthorized("this hub is for members: send your passkey as `Authorization: Bearer …`"))
            }
            _ => Ok(()),
        }
    }
}

impl Acting {
    /// Who it is, if it may do what needs this scope.
    ///
    /// # Errors
    ///
    /// See [`Standing::require`].
    pub(crate) fn require(self, needed: Scope) -> Result<Actor, Problem> {
        self.standing.require(needed)?;
        let who = match self.standing {
            Standing::Holder { name, .. } => name,
            Standing::Stranger | Standing::Member(_) => String::new(),
        };
        Ok(Actor { who, address: self.ip })
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Member({:?}, {:?})", self.user, self.role)
    }
}

impl FromRequestParts<Arc<ApiState>> for Standing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        Self::of(parts, state)
    }
}

impl FromRequestParts<Arc<ApiState>> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        Ok(Self { standing: Standing::of(parts, state)?, ip: client_ip(parts)? })
    }
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// The token of `Authorization: Bearer <token>` (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// The passkey that a browser was given to show.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_opens_what_it_is_for() {
        let holder = |scope| Standing::Holder { name: "ci".into(), scope };
        let opens = |standing: &Standing| Scope::ALL.map(|needed| standing.may(needed));
        assert_eq!(opens(&holder(Scope::Read)), [true, false, false, false]);
        assert_eq!(opens(&holder(Scope::Torrents)), [true, true, false, false]);
        assert_eq!(opens(&holder(Scope::Users)), [true, false, true, false]);
        assert_eq!(opens(&holder(Scope::Admin)), [true; 4]);
        assert_eq!(opens(&Standing::Stranger), [false; 4]);
        let refused = holder(Scope::Read).require(Scope::Users).unwrap_err();
        assert_eq!(refused.detail(), "the token `ci` has the scope `read`, and this needs `users`");
        assert_eq!(
            (refused.status(), Standing::Stranger.require(Scope::Read).unwrap_err().status()),
            (StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED,)
        );
    }

    #[test]
    fn a_header_has_its_scheme_in_any_case() {
        let headers = |value: &str| {
            HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
        };
        for right in ["Bearer opensesame", "bearer opensesame", "BEARER  opensesame "] {
            assert_eq!(bearer(&headers(right)), Some(&b"opensesame"[..]), "{right}");
        }
        for none in ["Basic b3BlbnNlc2FtZTo=", "opensesame", ""] {
            assert_eq!(bearer(&headers(none)), None, "{none}");
        }
        assert_eq!(bearer(&headers("Bearer ")), Some(&b""[..]));
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = HeaderMap::from_iter([(
            header::COOKIE,
            HeaderValue::from_static("a=b; skep-passkey=0a1b ; skep-passkeys=no"),
        )]);
        assert_eq!(cookie(&headers), Some("0a1b"));
        assert_eq!(cookie(&HeaderMap::new()), None);
    }
}
