use std::fmt;

use wire::http::RetryIn;

use super::Metric;
use crate::policy::attendance::Beyond;

/// Minutes after which a client may try again when the hub is out of memory.
const FULL_RETRY_MINUTES: u32 = 30;

/// Minutes after which a client may try again that has asked too often, or shown too many wrong passkeys.
const RATE_RETRY_MINUTES: u32 = 1;

/// Minutes after which what somebody can put right, here or there, may be right.
const MEMBER_RETRY_MINUTES: u32 = 60;

/// Why an announce was not taken. Displayed, it is a sentence for the person who reads it in a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The client says that it listens on port 0.
    PortZero,
    /// Nobody may announce from that network.
    NetworkDenied,
    /// Too many requests came from that address or network.
    TooOften,
    /// Such a client may not be used.
    ClientDenied,
    /// The torrent may not be announced.
    TorrentDenied,
    /// The announce address has a passkey, and this hub has no members.
    PasskeyUnwanted,
    /// The hub is for members, and the announce address has no passkey.
    PasskeyMissing,
    /// The passkey is nobody's, or is so no longer.
    PasskeyUnknown,
    /// Too many wrong passkeys came from there.
    PasskeysTooMany,
    /// The member is disabled.
    MemberDisabled,
    /// The membership has ended.
    MemberOver,
    /// The member takes part in as much as one may at a time.
    Beyond(Beyond),
    /// The torrent is not in the catalogue, and the hub is for those of it.
    Unlisted,
    /// The memory budget is reached.
    Full,
}

impl Refusal {
    /// When the same announce may do better (BEP 31).
    #[must_use]
    pub const fn retry_in(self) -> Option<RetryIn> {
        match self {
            Self::PortZero => None,
            Self::PasskeyUnwanted | Self::PasskeyMissing | Self::PasskeyUnknown => Some(RetryIn::Never),
            Self::PasskeysTooMany | Self::TooOften => Some(RetryIn::Minutes(RATE_RETRY_MINUTES)),
            Self::NetworkDenied
            | Self::ClientDenied
            | Self::TorrentDenied
            | Self::MemberDisabled
            | Self::MemberOver
            | Self::Beyond(_)
            | Self::Unlisted => Some(RetryIn::Minutes(MEMBER_RETRY_MINUTES)),
            Self::Full => Some(RetryIn::Minutes(FULL_RETRY_MINUTES)),
        }
    }

    /// Under which name it is counted.
    #[must_use]
    pub const fn metric(self) -> Metric {
        match self {
            Self::PortZero => Metric::RefusedPortZero,
            Self::NetworkDenied => Metric::RefusedNetwork,
            Self::TooOften => Metric::RefusedRate,
            Self::ClientDenied => Metric::RefusedClient,
            Self::TorrentDenied => Metric::RefusedTorrent,
            Self::PasskeyUnwanted | Self::PasskeyMissing | Self::PasskeyUnknown | Self::PasskeysTooMany => {
                Metric::RefusedPasskey
            }
            Self::MemberDisabled | Self::MemberOver | Self::Beyond(_) => Metric::RefusedMember,
            Self::Unlisted => Metric::RefusedUnlisted,
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
            Self::NetworkDenied => {
                f.write_str("this tracker takes no announces from your network; ask those who run it")
            }
            Self::TooOften => {
                f.write_str("too many requests come from your address or network; wait a minute")
            }
            Self::ClientDenied => f.write_str(
                "your client may not be used with this tracker; ask those who run it which ones may",
            ),
            Self::TorrentDenied => f.write_str("this torrent may not be announced to this tracker"),
            Self::PasskeyUnwanted => {
                f.write_str("this tracker has no members; announce to /announce, without a passkey")
            }
            Self::PasskeyMissing => f.write_str(
                "this tracker is for members: download the .torrent here, with your passkey, and use that",
            ),
            Self::PasskeyUnknown => f.write_str(
                "your passkey is not known (any more): download the .torrent again with the one you have now",
            ),
            Self::PasskeysTooMany => {
                f.write_str("too many wrong passkeys came from your address; wait a minute")
            }
            Self::MemberDisabled => f.write_str("your account is disabled; ask those who run this tracker"),
            Self::MemberOver => f.write_str("your membership has ended; ask those who run this tracker"),
            Self::Beyond(Beyond::Torrents(max)) => {
                write!(f, "you may be in {max} torrents at a time; stop another one first")
            }
            Self::Beyond(Beyond::Clients(max)) => {
                write!(f, "you may have {max} clients in one torrent at a time; stop another one first")
            }
            Self::Beyond(Beyond::Addresses(max)) => {
                write!(
                    f,
                    "you may announce from {max} addresses at a time; stop your clients at another first"
                )
            }
            Self::Unlisted => {
                f.write_str("this torrent is not in this tracker's catalogue; it must be added there first")
            }
            Self::Full => {
                write!(f, "this tracker has no room for more; try again in {FULL_RETRY_MINUTES} minutes")
            }
        }
    }
}

impl std::error::Error for Refusal {}
