//! How a command ends.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// How the process ends, as its parent sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// 0: what was asked is done.
    Success = 0,
    /// 1: it could not be done, or not all of it.
    Failed = 1,
    /// 2: it was asked wrongly: a flag, an argument or the configuration is wrong, or a port or directory that the
    /// configuration names cannot be used. Nothing was done.
    Misuse = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not succeed. The text is the whole message; what prints it puts `error: ` before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// What was asked could not be done.
    Failed(String),
    /// Nothing has the name that was given.
    Unknown(String),
    /// What was asked makes no sense.
    Misuse(String),
    /// Part of it failed, and each failure has been told already.
    Told,
    /// Whoever read the results has stopped reading, as `head` does. Nothing is wrong.
    Unread,
}

/// What a command returns.
pub type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure in the words of `cause`.
    pub fn failed(cause: impl fmt::Display) -> Self {
        Self::Failed(cause.to_string())
    }

    /// A misuse in the words of `cause`.
    pub fn misuse(cause: impl fmt::Display) -> Self {
        Self::Misuse(cause.to_string())
    }

    /// The process's exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Failed(_) | Self::Unknown(_) | Self::Told => Exit::Failed,
            Self::Misuse(_) => Exit::Misuse,
            Self::Unread => Exit::Success,
        }
    }

    /// What is still to be told, if anything.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Failed(message) | Self::Unknown(message) | Self::Misuse(message) => Some(message),
            Self::Told | Self::Unread => None,
        }
    }
}

impl From<io::Error> for Failure {
    /// For writing results; errors of files are to be told with their path.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Failed(format!("cannot write the results: {error}")),
        }
    }
}
