//! One hub a state directory.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::StartError;

/// What the file is called.
const FILE: &str = "lock";

/// Held while a hub uses a state directory. The system lets go of it with the process, however that ends.
#[derive(Debug)]
pub(super) struct StateLock {
    _file: File,
}

impl StateLock {
    pub(super) fn take(state_dir: &Path) -> Result<Self, StartError> {
        let path = state_dir.join(FILE);
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| {
                StartError::new(format!(
                    "{} cannot be written: {error}; choose another --state-dir",
                    path.display()
                ))
            })?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(error) if io::Error::from(error).kind() == io::ErrorKind::WouldBlock => {
                let dir = state_dir.display();
                let text = format!(
                    "another hub uses the state directory {dir}; stop it, or choose another with --state-dir"
                );
                Err(StartError { text, is_taken: true })
            }
            Err(error) => Err(StartError::new(format!(
                "the state directory {} cannot be locked: {error}",
                state_dir.display()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_one_hubs_until_it_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let lock = StateLock::take(dir.path()).unwrap();
        let error = StateLock::take(dir.path()).unwrap_err();
        assert!(error.to_string().starts_with("another hub uses the state directory "), "{error}");
        assert!(error.is_taken());
        drop(lock);
        StateLock::take(dir.path()).unwrap();
    }
}
