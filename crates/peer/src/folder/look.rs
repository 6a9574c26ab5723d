//! One look at a folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use sha1::{Digest, Sha1};
use walkdir::WalkDir;
use wire::metainfo::FILES_MAX;

use super::is_shared_name;
use super::shelf::{ENTRIES_MAX, Look, Scope, Stamp};

/// Why something in the folder is not shared. It prints as what follows its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut {
    /// It is a symbolic link, which may lead out of the folder.
    Link,
    /// It is a socket, pipe or device.
    Special,
    /// Its name is not UTF-8, as torrents want it.
    NotUtf8,
    /// It has more files than a torrent may.
    TooManyFiles,
    /// The system says no.
    Unreadable(String),
}

/// What a look found.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) look: Look,
    pub(super) left_out: BTreeMap<OsString, LeftOut>,
    /// Entries that were not admitted.
    pub(super) beyond: usize,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link => f.write_str("is a symbolic link"),
            Self::Special => f.write_str("is a socket, pipe or device"),
            Self::NotUtf8 => f.write_str("is not a name in UTF-8; rename it"),
            Self::TooManyFiles => write!(f, "has more than {FILES_MAX} files"),
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
        }
    }
}

/// Looks at what is in `scope`. What is not `admits`-ed is not looked at. Times are told from `since` on.
pub(super) fn look(
    folder: &Path,
    scope: Scope,
    since: Instant,
    mut admits: impl FnMut(&str) -> bool,
) -> io::Result<Seen> {
    let began = since.elapsed();
    let look = Look { began, ended: began, scope: scope.clone(), found: BTreeMap::new() };
    let mut seen = Seen { look, left_out: BTreeMap::new(), beyond: 0 };
    match scope {
        Scope::Names(names) => {
            for name in names {
                seen.look_at(folder, name.into(), &mut admits);
            }
        }
        Scope::All => {
            let entries = match fs::read_dir(folder) {
                // It is gone, and all that was in it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                entries => Some(entries?),
            };
            for entry in entries.into_iter().flatten() {
                seen.look_at(folder, entry?.file_name(), &mut admits);
            }
        }
    }
    seen.look.ended = since.elapsed();
    Ok(seen)
}

impl Seen {
    fn look_at(&mut self, folder: &Path, name: OsString, admits: &mut impl FnMut(&str) -> bool) {
        if !is_shared_name(&name) {
            return;
        }
        let Some(text) = name.to_str() else { return self.leave_out(name, LeftOut::NotUtf8) };
        if !admits(text) {
            self.beyond += 1;
            return;
        }
        match stamp(&folder.join(text)) {
            Ok(stamp) => drop(self.look.found.insert(text.to_owned(), stamp)),
            // It is gone.
            Err(None) => {}
            Err(Some(why)) => self.leave_out(name, why),
        }
    }

    fn leave_out(&mut self, name: OsString, why: LeftOut) {
        if self.left_out.len() < ENTRIES_MAX {
            self.left_out.insert(name, why);
        }
    }
}

/// What is at `path`; without a reason if nothing is.
pub(super) fn stamp(path: &Path) -> Result<Stamp, Option<LeftOut>> {
    let metadata = fs::symlink_metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => None,
        _ => Some(LeftOut::Unreadable(error.to_string())),
    })?;
    let mut hasher = Sha1::new();
    let kind = metadata.file_type();
    if kind.is_file() {
        hasher.update("file\0");
        add(&mut hasher, &metadata);
    } else if kind.is_dir() {
        hasher.update("folder\0");
        add_files(&mut hasher, path)?;
    } else {
        return Err(Some(if kind.is_symlink() { LeftOut::Link } else { LeftOut::Special }));
    }
    Ok(Stamp(hasher.finalize().into()))
}

/// Adds all files below `folder` that are shared with it.
fn add_files(hasher: &mut Sha1, folder: &Path) -> Result<(), Option<LeftOut>> {
    let mut files = 0;
    let walk = WalkDir::new(folder).min_depth(1).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(|entry| is_shared_name(entry.file_name())) {
        let found = entry.and_then(|entry| Ok((entry.metadata()?, entry)));
        let (metadata, entry) = match found {
            Ok(found) => found,
            // It has gone while we looked, and there will be another look for that.
            Err(error) if error.io_error().is_some_and(|it| it.kind() == io::ErrorKind::NotFound) => continue,
            Err(error) => return Err(Some(LeftOut::Unreadable(error.to_string()))),
        };
        if !metadata.is_file() {
            continue;
        }
        files += 1;
        if files > FILES_MAX {
            return Err(Some(LeftOut::TooManyFiles));
        }
        let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        hasher.update(below.as_os_str().as_bytes());
        hasher.update([0]);
        add(hasher, &metadata);
    }
    Ok(())
}

/// Adds that by which a file's change is noticed.
fn add(hasher: &mut Sha1, metadata: &Metadata) {
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    hasher.update(metadata.len().to_le_bytes());
    hasher.update(metadata.ino().to_le_bytes());
    times.iter().for_each(|time| hasher.update(time.to_le_bytes()));
}
