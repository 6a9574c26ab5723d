//! Getting a file from the peers of the four dialects.
//!
//! What comes is kept in a hidden file of the target folder until all is there; then it gets its own name, if that is
//! still free. A holder that stalls, lies or breaks off is left for another; what each did is told if none is left.

mod answer;
mod partial;
mod pieces;
mod record;
mod stream;

pub use pieces::{chunks, parts};
pub use stream::{download, whole};

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use swarm::directory::{FileName, FileNameError};

use super::Error;

/// Holders that are asked at all.
const HOLDERS_MAX: usize = 64;

/// The largest file that is fetched whose size nobody says, in bytes.
const BYTES_MAX: u64 = 1 << 40;

/// A file that is wanted.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// Under which name its holders have it.
    name: &'a str,
    folder: &'a std::path::Path,
    own_name: &'a str,
    progress: &'a (dyn Fn(Progress) + Send + Sync),
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are here.
    pub bytes: u64,
    /// How many it will be, as far as anybody says. `token` and `chunklist` say it to within one part or chunk.
    pub bytes_max: Option<u64>,
}

/// A file that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where.
    pub path: PathBuf,
    /// How large it is.
    pub bytes: u64,
    /// How far it is known to be the right one.
    pub check: Check,
}

/// By what a file was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Each chunk has the SHA-256 that the seeder told the tracker.
    Hashes,
    /// It has as many bytes as its holder says. Nothing says which.
    Length,
    /// It has as many parts as the tracker says; of the last one nobody says how long it is. Nothing says which bytes.
    Parts,
    /// Nothing: it is what came until a holder closed the connection.
    Nothing,
}

/// Why a file is not here.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The name can be no file's.
    #[error("{0}")]
    Name(#[from] FileNameError),
    /// Something has its name already.
    #[error("`{}` is there already; move it away or choose another name", .0.display())]
    Taken(PathBuf),
    /// It is being fetched already.
    #[error("`{}` is being fetched by another process", .0.display())]
    Locked(PathBuf),
    /// The disk.
    #[error("cannot {doing} `{}`: {source}", path.display())]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
    /// It has more parts than a file is believed to have.
    #[error("{parts} parts are too many: at most {parts_max} are fetched")]
    TooManyParts {
        /// As many.
        parts: u32,
        /// The bound.
        parts_max: u32,
    },
    /// Nobody offers it.
    #[error("nobody offers `{0}`")]
    Nobody(String),
    /// None of its holders gave it, each for a reason of its own.
    #[error("nobody could give `{name}`: {}", Reasons(reasons))]
    Failed {
        /// Its name.
        name: String,
        /// What each holder did.
        reasons: Vec<Error>,
    },
}

struct Reasons<'a>(&'a [Error]);

impl<'a> Order<'a> {
    /// The file that others have under `name`, into `folder`, where it is called `own_name`. `progress` is told how far
    /// it is; it must not wait.
    ///
    /// # Errors
    /// If the file cannot have that name in a folder.
    pub fn new(
        name: &'a str,
        folder: &'a std::path::Path,
        own_name: &'a str,
        progress: &'a (dyn Fn(Progress) + Send + Sync),
    ) -> Result<Self, FetchError> {
        FileName::new(name)?;
        FileName::new(own_name)?;
        Ok(Self { name, folder, own_name, progress })
    }

    /// Under which name its holders have it.
    pub(super) const fn name(&self) -> &'a str {
        self.name
    }

    /// Those holders that are asked, each once.
    fn holders(&self, holders: &[SocketAddr]) -> Result<Vec<SocketAddr>, FetchError> {
        let mut asked = Vec::new();
        for holder in holders {
            if asked.len() < HOLDERS_MAX && !asked.contains(holder) {
                asked.push(*holder);
            }
        }
        if asked.is_empty() { Err(FetchError::Nobody(self.name.to_owned())) } else { Ok(asked) }
    }

    fn failed(&self, reasons: Vec<Error>) -> FetchError {
        FetchError::Failed { name: self.name.to_owned(), reasons }
    }
}

impl Check {
    /// Whether it is known that the bytes are the right ones.
    #[must_use]
    pub const fn is_verified(self) -> bool {
        matches!(self, Self::Hashes)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hashes => "verified: each chunk has the SHA-256 of the chunk list",
            Self::Length => "not verified: it has the length that its holder said, but no hash is known",
            Self::Parts => "not verified: it has all its parts, but no hash is known",
            Self::Nothing => "not verified: neither its length nor a hash is known",
        })
    }
}

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, reason) in self.0.iter().enumerate() {
            write!(f, "{}{reason}", if number > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}
