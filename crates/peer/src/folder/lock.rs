//! One process a folder.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// A folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the folder {} is shared by another peer; stop that one, or name another folder", .0.display())]
    Taken(PathBuf),
    /// The system says no.
    #[error("the folder {} cannot be used: {source}", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Held while a folder is shared. The system lets go of it with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    _folder: OwnedFd,
}

impl OpenError {
    pub(super) fn unusable(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Unusable { path: path.to_owned(), source: source.into() }
    }
}

impl Lock {
    /// Makes the folder if it is not there, and locks it itself, so that nothing of ours lies in it.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        std::fs::create_dir_all(path).map_err(|error| OpenError::unusable(path, error))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder =
            rustix::fs::open(path, flags, Mode::empty()).map_err(|error| OpenError::unusable(path, error))?;
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(OpenError::Taken(path.to_owned())),
            // Not all file systems lock folders. There, nobody is kept out.
            Ok(()) | Err(_) => Ok(Self { _folder: folder }),
        }
    }
}
