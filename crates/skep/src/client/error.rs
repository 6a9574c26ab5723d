use std::error::Error;
use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::exit::Failure;
use crate::format::{duration, plain};

/// Characters of somebody's text that a message quotes at most.
const QUOTED_CHARS_MAX: usize = 300;

/// Why a hub did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientError {
    /// Nobody answers at its address.
    NoHub {
        /// The hub's address.
        url: String,
        /// The system's words.
        cause: String,
    },
    /// It did not answer in time.
    Timeout {
        /// The hub's address.
        url: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// Its certificate is not the one that is expected, or from nobody that is known.
    Distrusted {
        /// The hub's address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The connection ended before the answer did.
    Broken {
        /// The hub's address.
        url: String,
        /// The system's words.
        cause: String,
    },
    /// It answered that it will not.
    Refused {
        /// The answer's status.
        status: StatusCode,
        /// Its reason, in a sentence.
        reason: String,
        /// Whether the reason is its own, as a hub gives one; else nothing but the status is known.
        explained: bool,
        /// When to ask again, if it said so.
        retry_after: Option<Duration>,
    },
    /// What answered is no hub.
    NotAHub {
        /// The address.
        url: String,
        /// What gave it away.
        what: String,
    },
}

impl ClientError {
    /// Whether the same request may succeed a little later.
    #[must_use]
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::NoHub { .. } | Self::Timeout { .. } | Self::Broken { .. } => true,
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Distrusted { .. } | Self::NotAHub { .. } => false,
        }
    }

    /// Whether nothing at all came back, so that the next request need not be tried.
    #[must_use]
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::NoHub { .. } | Self::Timeout { .. } | Self::Distrusted { .. })
    }

    /// Whether something answered that is no hub, such as another tracker.
    #[must_use]
    pub(crate) fn is_no_hub(&self) -> bool {
        match self {
            Self::NotAHub { .. } => true,
            Self::Refused { status, explained, .. } => status.is_client_error() && !explained,
            Self::NoHub { .. } | Self::Timeout { .. } | Self::Distrusted { .. } | Self::Broken { .. } => {
                false
            }
        }
    }

    /// The status of a refusal.
    #[must_use]
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// When to ask again, if the hub said so.
    #[must_use]
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHub { url, cause } => write!(
                f,
                "no hub answers at {url} ({cause}); start one with `skep serve`, \
                 or name another with --tracker URL or SKEP_TRACKER"
            ),
            Self::Timeout { url, after } => {
                write!(f, "the hub at {url} did not answer within {}", duration(*after))
            }
            Self::Distrusted { url, why } => write!(
                f,
                "the hub at {url} is not trusted: {why}; what is to be expected is named with \
                 --tracker-fingerprint SHA256 or --tracker-ca FILE"
            ),
            Self::Broken { url, cause } => write!(f, "the connection to the hub at {url} broke: {cause}"),
            Self::Refused { reason, .. } => f.write_str(reason),
            Self::NotAHub { url, what } => {
                write!(f, "what answers at {url} does not seem to be a Skep hub: {what}")
            }
        }
    }
}

impl Error for ClientError {}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::failed(error)
    }
}

/// The innermost cause of an error, which is the one that says something: `Connection refused`.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// A body that says why: RFC 9457, or the `error` and `message` of older hubs.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    title: Option<String>,
    detail: Option<String>,
    error: Option<String>,
    message: Option<String>,
}

/// The sentence that explains a refusal, and whether it is whoever refused that says it.
pub(super) fn reason(status: StatusCode, body: &[u8], location: Option<&str>) -> (String, bool) {
    if let (true, Some(location)) = (status.is_redirection(), location) {
        return (format!("the hub is elsewhere; try --tracker {}", short(location)), true);
    }
    let told: Reason = serde_json::from_slice(body).unwrap_or_default();
    let words =
        told.detail.or(told.error).or(told.message).or(told.title).filter(|words| !words.trim().is_empty());
    match words {
        Some(words) => (short(&words), true),
        None => {
            let name = status.canonical_reason().map_or(String::new(), |name| format!(" {name}"));
            (format!("the hub answered {}{name}", status.as_u16()), false)
        }
    }
}

/// Somebody's text, safe and short enough for a message.
fn short(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((at, _)) => format!("{}…", plain(&text[..at])),
        None => plain(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_hubs_words() {
        let bad = StatusCode::BAD_REQUEST;
        for (body, expected) in [
            (
                r#"{"type":"about:blank","title":"Bad Request","detail":"`x` is no torrent"}"#,
                "`x` is no torrent",
            ),
            (r#"{"title":"Bad Request"}"#, "Bad Request"),
            (r#"{"error":"Missing info_hash"}"#, "Missing info_hash"),
            (r#"{"message":"no"}"#, "no"),
            ("<html>", "the hub answered 400 Bad Request"),
            ("", "the hub answered 400 Bad Request"),
            (r#"{"detail":"a\u001bb"}"#, r"a\u{1b}b"),
        ] {
            let explained = !expected.starts_with("the hub answered");
            assert_eq!(reason(bad, body.as_bytes(), None), (expected.to_owned(), explained));
        }
        let long = format!(r#"{{"detail":"{}"}}"#, "é".repeat(1000));
        assert_eq!(reason(bad, long.as_bytes(), None).0.chars().count(), QUOTED_CHARS_MAX + 1);
        assert_eq!(
            reason(StatusCode::FOUND, b"", Some("https://hub.example/")).0,
            "the hub is elsewhere; try --tracker https://hub.example/"
        );
    }

    #[test]
    fn who_refuses_without_a_hubs_words_is_none() {
        let refused = |status, explained| ClientError::Refused {
            status,
            reason: "no".into(),
            explained,
            retry_after: None,
        };
        assert!(refused(StatusCode::NOT_FOUND, false).is_no_hub());
        assert!(!refused(StatusCode::NOT_FOUND, true).is_no_hub());
        assert!(!refused(StatusCode::BAD_GATEWAY, false).is_no_hub(), "a proxy before a hub that is down");
        assert!(ClientError::NotAHub { url: "u".into(), what: "w".into() }.is_no_hub());
        assert!(!ClientError::NoHub { url: "u".into(), cause: "c".into() }.is_no_hub());
    }
}
