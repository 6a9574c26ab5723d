//! A file system that is soon full.

use std::path::Path;
use std::process::{self, Command};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::{run, skip};

/// What the sources of our mounts are called, before the process's id.
const PREFIX: &str = "skep-lab-";

/// A file system in memory, unmounted when this is dropped. Those of processes that died without are swept.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// One that takes `bytes`, or `None`, after saying why ([`skip`]), where this process may not make one.
    ///
    /// # Panics
    /// If there is no room for a folder.
    #[must_use]
    pub fn new(bytes: u64) -> Option<Self> {
        if !geteuid().is_root() {
            skip("only root may mount a file system");
            return None;
        }
        sweep();
        let folder = tempfile::tempdir().expect("a folder to mount on");
        let source = format!("{PREFIX}{}", process::id());
        let size = format!("size={bytes}");
        match run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, &source]).arg(folder.path())) {
            Ok(_) => Some(Self { folder }),
            Err(reason) => {
                skip(reason);
                None
            }
        }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes it take `bytes`.
    ///
    /// # Panics
    /// If the operating system refuses.
    pub fn resize(&self, bytes: u64) {
        let options = format!("remount,size={bytes}");
        run(Command::new("mount").args(["-o", &options]).arg(self.path()))
            .unwrap_or_else(|reason| panic!("{reason}"));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(self.path());
    }
}

/// Unmounts what processes that are gone have left.
fn sweep() {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let owner = words.next().and_then(|source| source.strip_prefix(PREFIX)?.parse::<u32>().ok());
        let is_gone = |id: u32| !Path::new("/proc").join(id.to_string()).exists();
        if let (Some(true), Some(path)) = (owner.map(is_gone), words.next()) {
            unmount(Path::new(path));
        }
    }
}

fn unmount(path: &Path) {
    // Lazily: a program that still uses it is about to end. What cannot be unmounted now is swept by a later run.
    let _ = run(Command::new("umount").arg("--lazy").arg(path));
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_is_full_until_it_grows_and_gone_when_dropped() {
        let Some(disk) = SmallDisk::new(1 << 20) else { return };
        let file = disk.path().join("file");
        let error = fs::write(&file, vec![1; 2 << 20]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        disk.resize(4 << 20);
        fs::write(&file, vec![1; 2 << 20]).unwrap();
        let path = disk.path().to_owned();
        drop(disk);
        assert!(!path.exists());
    }
}
