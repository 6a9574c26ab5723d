use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use wire::Malformed;

/// What went wrong with a tracker or a peer, and with which. It prints as a sentence for a person; what the other side
/// said is in it, and may hold any characters.
#[derive(Debug, thiserror::Error)]
#[error("{who} {wrong}")]
pub struct Error {
    /// The other side.
    pub who: SocketAddr,
    /// What went wrong with it.
    pub wrong: Wrong,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// There is no way to it, or nobody listens.
    #[error("cannot be reached: {0}")]
    Unreachable(io::Error),
    /// The connection broke.
    #[error("broke off: {0}")]
    BrokeOff(io::Error),
    /// It closed the connection, and had not answered.
    #[error("closed the connection without an answer")]
    Closed,
    /// Nothing came for so long.
    #[error("was silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// Something came, but so slowly that it would never end.
    #[error("is too slow: it did not send {bytes} bytes in {} s", .span.as_secs())]
    Slow {
        /// How much should have come.
        bytes: u64,
        /// In which time.
        span: Duration,
    },
    /// It said no, in these words.
    #[error("refuses: {0}")]
    Refuses(String),
    /// What it said is none of the dialect.
    #[error("does not speak this dialect: {0}")]
    Malformed(#[from] Malformed),
    /// What it said is of the dialect, but no answer to what it was asked.
    #[error("answered something else than it was asked")]
    OffTopic,
    /// It would fetch the chunk list from a port where nobody can listen here.
    #[error("fetches chunk lists from port {port}, where this machine cannot listen: {source}")]
    NoSideChannel {
        /// The port.
        port: u32,
        /// Why not.
        source: io::Error,
    },
    /// It was to be sent something that cannot be read here.
    #[error("cannot be sent more: {0}")]
    Unread(io::Error),
    /// It has not got the file, the part or the chunk.
    #[error("has not got it")]
    NotThere,
    /// It ended before all had come.
    #[error("ended after {bytes} of {expected} bytes")]
    Short {
        /// How much came.
        bytes: u64,
        /// How much should have.
        expected: u64,
    },
    /// It sent more than there should be.
    #[error("sends more than {0} bytes")]
    Long(u64),
    /// It has a file of that name that is another one.
    #[error("has another file of that name: {found} instead of {expected}")]
    Other {
        /// What it says of its file.
        found: String,
        /// What it should have said.
        expected: String,
    },
    /// It sent a chunk whose SHA-256 is not that in the chunk list.
    #[error("sent a chunk {0} that is not the one in the chunk list")]
    Forged(u32),
}

impl Wrong {
    /// With that side.
    pub(super) const fn with(self, who: SocketAddr) -> Error {
        Error { who, wrong: self }
    }
}
