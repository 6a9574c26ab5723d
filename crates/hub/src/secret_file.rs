//! Secrets of the hub's own, each in a file of the state directory, made at the first start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Bytes of a file that are read.
const FILE_BYTES_MAX: u64 = 4096;

/// The file can neither be read nor made. One line: which file, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {wrong}", path.display())]
pub struct SecretError {
    path: PathBuf,
    wrong: String,
}

/// The secret in the file `name` of `state_dir`, made there if there is none, in a file that only the hub's own user can
/// read. Blocking.
///
/// # Errors
///
/// [`SecretError`] if the file cannot be read or made, or holds no secret.
pub(crate) fn load_or_create(
    state_dir: &Path,
    name: &str,
    make: impl FnOnce() -> String,
) -> Result<String, SecretError> {
    let path = state_dir.join(name);
    let found = match load(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(state_dir, name, &make()),
        other => other,
    };
    found.map_err(|error| SecretError { path, wrong: error.to_string() })
}

fn load(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others can read this secret; chmod 600 it");
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let secret = text.trim();
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        let wrong = "it holds no secret (visible ASCII characters); remove it, and a new one is made";
        return Err(io::Error::new(io::ErrorKind::InvalidData, wrong));
    }
    Ok(secret.to_owned())
}

/// Makes the file. It appears whole or not at all; if another process makes one at the same time, the first counts for
/// both.
fn create(state_dir: &Path, name: &str, secret: &str) -> io::Result<String> {
    let nonce: u64 = rand::random();
    let (path, draft) = (state_dir.join(name), state_dir.join(format!("{name}.{nonce:016x}")));
    let linked = write(&draft, secret).and_then(|()| fs::hard_link(&draft, &path));
    let removed = fs::remove_file(&draft);
    match linked {
        Ok(()) => {
            removed?;
            File::open(state_dir)?.sync_all()?;
            Ok(secret.to_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => load(&path),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, secret: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let load = || load_or_create(dir.path(), "name", || "made".to_owned()).unwrap();
        assert_eq!(
            (load(), load_or_create(dir.path(), "name", || "other".to_owned()).unwrap()),
            (load(), load())
        );
        let path = dir.path().join("name");
        assert_eq!(fs::read_to_string(&path).unwrap(), "made\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_without_a_secret_is_told_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("name");
        let told = |dir: &Path| load_or_create(dir, "name", || "made".to_owned()).unwrap_err().to_string();
        for wrong in ["", "\n", "two words", "caf\u{e9}"] {
            fs::write(&path, wrong).unwrap();
            let told = told(dir.path());
            assert!(told.starts_with(&format!("{}: it holds no secret", path.display())), "{told}");
        }
        let nowhere = dir.path().join("nowhere");
        let told = told(&nowhere);
        assert!(told.starts_with(&format!("{}: ", nowhere.join("name").display())), "{told}");
    }
}
