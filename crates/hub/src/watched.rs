//! Files that are read anew when they have changed.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

/// Some files that belong together, and how they were when they were last read.
pub(crate) struct Watched {
    paths: Vec<PathBuf>,
    watch: Mutex<Watch>,
}

struct Watch {
    /// As they were when they were last read.
    read: Stamp,
    /// As they are now, if they have changed and may be still changing.
    changing: Option<Stamp>,
}

/// Tells whether files have changed. A link counts as what it leads to; what is not there has no state.
type Stamp = Vec<Option<FileState>>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    bytes: u64,
    written: (i64, i64),
}

impl Watched {
    /// Those at `paths`, as they are now: to be called before they are read.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        let watch = Mutex::new(Watch { read: stamp(&paths), changing: None });
        Self { paths, watch }
    }

    /// Whether they have changed, and not since the last look. To be called every second or so; they are to be read then.
    pub(crate) fn look(&self) -> bool {
        let mut watch = self.watch.lock();
        let stamp = stamp(&self.paths);
        if stamp == watch.read {
            watch.changing = None;
        } else if watch.changing.as_ref() == Some(&stamp) {
            *watch = Watch { read: stamp, changing: None };
            return true;
        } else {
            watch.changing = Some(stamp);
        }
        false
    }

    /// They are read now, whether they seem to have changed or not.
    pub(crate) fn mark(&self) {
        *self.watch.lock() = Watch { read: stamp(&self.paths), changing: None };
    }
}

fn stamp(paths: &[PathBuf]) -> Stamp {
    let of = |path: &Path| {
        let about = fs::metadata(path).ok()?;
        Some(FileState {
            device: about.dev(),
            inode: about.ino(),
            bytes: about.size(),
            written: (about.mtime(), about.mtime_nsec()),
        })
    };
    paths.iter().map(|path| of(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_it_has_settled() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| dir.path().join(name));
        fs::write(&paths[0], "one").unwrap();
        let watched = Watched::new(paths.to_vec());
        assert!(!watched.look() && !watched.look());
        fs::write(&paths[1], "two").unwrap();
        assert!(!watched.look(), "it may be still changing");
        fs::write(&paths[1], "three").unwrap();
        assert!(!watched.look(), "it was");
        assert!(watched.look());
        assert!(!watched.look());
        fs::remove_file(&paths[0]).unwrap();
        watched.mark();
        assert!(!watched.look() && !watched.look());
    }
}
