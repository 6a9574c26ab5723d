use std::fmt;

use wire::http::RetryIn;

use super::Metric;

/// Minutes after which a client may try again when the hub is out of memory.
const FULL_RETRY_MINUTES: u32 = 30;

/// Why an announce was not taken. Displayed, it is a sentence for the person who reads it in a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The client says that it listens on port 0.
    PortZero,
    /// The announce address has a passkey, and this hub has no members.
    PasskeyUnwanted,
    /// The memory budget is reached.
    Full,
}

impl Refusal {
    /// When the same announce may do better (BEP 31).
    #[must_use]
    pub const fn retry_in(self) -> Option<RetryIn> {
        match self {
            Self::PortZero => None,
            Self::PasskeyUnwanted => Some(RetryIn::Never),
            Self::Full => Some(RetryIn::Minutes(FULL_RETRY_MINUTES)),
        }
    }

    /// Under which name it is counted.
    #[must_use]
    pub const fn metric(self) -> Metric {
        match self {
            Self::PortZero => Metric::RefusedPortZero,
            Self::PasskeyUnwanted => Metric::RefusedPasskey,
            Self::Full => Metric::RefusedFull,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortZero => {
                f.write_str("port 0 is none that a peer can listen on; state one from 1 to 65535")
            }
            Self::PasskeyUnwanted => {
                f.write_str("this tracker has no members; announce to /announce, without a passkey")
            }
            Self::Full => {
                write!(f, "this tracker has no room for more; try again in {FULL_RETRY_MINUTES} minutes")
            }
        }
    }
}

impl std::error::Error for Refusal {}
