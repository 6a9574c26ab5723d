use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use std::os::unix::process::CommandExt;

/// A file system in memory, so that no disk is measured.
const MEMORY: &str = "/dev/shm";

/// What the programs and the rest of the machine need of memory beside the files.
const SPARE_BYTES: u64 = 2 << 30;

/// A folder in memory. It goes when this is dropped, and also when this process is killed: what is in it is gigabytes
/// of the machine's memory.
pub(super) struct Folder {
    path: PathBuf,
    /// Removes the folder when its standard input ends.
    remover: Child,
}

impl Folder {
    /// An empty one, if there is room for `bytes`.
    pub(super) fn with_room_for(bytes: u64) -> Result<Self, String> {
        let free =
            free_bytes().map_err(|error| format!("cannot tell how much fits into {MEMORY}: {error}"))?;
        let wanted = bytes + SPARE_BYTES;
        if free < wanted {
            return Err(format!(
                "{MEMORY} has room for {} MiB, and this takes {} MiB; --quick takes less",
                free >> 20,
                wanted >> 20
            ));
        }
        let cannot = |error: io::Error| format!("cannot make a folder in {MEMORY}: {error}");
        let path = tempfile::Builder::new().prefix("skep-bench-").tempdir_in(MEMORY).map_err(cannot)?.keep();
        let mut remover = Command::new("sh");
        remover.args(["-c", "cat; rm -rf \"$0\""]).arg(&path);
        // Ctrl-C is for us and not for it.
        remover.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let remover = remover.spawn().map_err(cannot)?;
        Ok(Self { path, remover })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.remover.stdin.take());
        let _ = self.remover.wait();
    }
}

/// What can still be written: the file system has its own bound, and what is in it is memory.
fn free_bytes() -> io::Result<u64> {
    let file_system = rustix::fs::statvfs(MEMORY)?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|text| text.parse().ok());
    let available = kibibytes.map_or(u64::MAX, |kibibytes: u64| kibibytes * 1024);
    Ok(available.min(file_system.f_bavail.saturating_mul(file_system.f_frsize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_folder_is_gone() {
        let folder = Folder::with_room_for(1).unwrap();
        let path = folder.path().to_path_buf();
        fs::write(path.join("file"), "data").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn there_must_be_room() {
        let error = Folder::with_room_for(1 << 60).err().unwrap();
        assert!(error.contains("has room for"), "{error}");
    }
}
