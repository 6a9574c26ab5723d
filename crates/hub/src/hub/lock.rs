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
                StartError(format!(
                    "{} cannot be written: {error}; choose another --state-dir",
                    path.display()
                ))
            })?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(error) if io::Error::from(error).kind() == io::ErrorKind::WouldBlock => {
                Err(StartError(format!(
                    "another hub uses the state directory {}; stop it, or choose another with --state-dir",
                    state_dir.display()
                )))
            }
            Err(error) => Err(StartError(format!(
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
        drop(lock);
        StateLock::take(dir.path()).unwrap();
    }
}
