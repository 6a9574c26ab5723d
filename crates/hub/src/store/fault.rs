use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The store could not do what it was asked, through no fault of who asked: a full disk, a read-only file, a lost
/// device. To be logged with its cause; the process goes on.
#[derive(Debug, Clone)]
pub struct Fault {
    doing: &'static str,
    cause: Arc<dyn Error + Send + Sync>,
}

impl Fault {
    /// A fault met while `doing` something ("could not …").
    pub fn new(doing: &'static str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { doing, cause: Arc::from(cause.into()) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.doing, self.cause)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The cause itself is part of the sentence.
        self.cause.source()
    }
}

/// The database cannot be used. One line: which file, what is wrong with it, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {wrong}; {advice}", path.display())]
pub struct OpenError {
    path: PathBuf,
    wrong: String,
    advice: &'static str,
}

impl OpenError {
    pub(crate) fn new(path: &Path, wrong: impl Into<String>, advice: &'static str) -> Self {
        let wrong = wrong.into().replace(['\n', '\r'], " ");
        Self { path: path.to_owned(), wrong, advice }
    }

    /// The file or directory that cannot be used.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
