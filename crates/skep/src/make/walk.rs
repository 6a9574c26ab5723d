use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use peer::disk::Identity;
use walkdir::{DirEntry, WalkDir};
use wire::metainfo::{COMPONENTS_MAX, FILES_MAX};

use super::{Kind, LeftOut, MakeError, Options, own_name};

/// What is to be shared.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of the torrent.
    pub(super) files: Vec<Source>,
    /// Whether the torrent is one file, not a folder.
    pub(super) single: bool,
    pub(super) left_out: Vec<LeftOut>,
}

/// A file to be read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// Its path in the torrent.
    pub(super) names: Vec<String>,
    /// By which it is known not to have changed.
    pub(super) identity: Identity,
}

/// Finds the files of `paths`, of which there is one at least. Of a file that was written to just now it waits until a
/// further change would show.
pub(super) fn walk(paths: &[PathBuf], options: &Options) -> Result<Found, MakeError> {
    let found = find(paths, options)?;
    match found.files.iter().filter_map(|file| file.identity.settles_in()).max() {
        Some(wait) => {
            thread::sleep(wait);
            find(paths, options)
        }
        None => Ok(found),
    }
}

fn find(paths: &[PathBuf], options: &Options) -> Result<Found, MakeError> {
    let mut found = Found::default();
    if let [path] = paths {
        found.single = found.add(path, &[], options)?;
        return Ok(found);
    }
    let mut named =
        paths.iter().map(|path| Ok((own_name(path)?, path))).collect::<Result<Vec<_>, MakeError>>()?;
    named.sort();
    let mut names = HashSet::new();
    for (name, path) in &named {
        if !names.insert(name) {
            return Err(MakeError::Twice(name.clone()));
        }
        found.add(path, std::slice::from_ref(name), options)?;
    }
    Ok(found)
}

impl Found {
    /// Adds what is at `path`, as `names` in the torrent. True if that is a file.
    fn add(&mut self, path: &Path, names: &[String], options: &Options) -> Result<bool, MakeError> {
        let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
        if metadata.is_file() {
            self.push(path.into(), names.to_vec(), &metadata)?;
            return Ok(true);
        }
        if !metadata.is_dir() {
            return Err(MakeError::Special(path.into()));
        }
        let before = self.files.len();
        let is_taken = |entry: &DirEntry| options.takes.is_none_or(|takes| takes(entry.file_name()));
        let walk = WalkDir::new(path).min_depth(1).follow_links(options.follow_links).sort_by_file_name();
        for entry in walk.into_iter().filter_entry(is_taken) {
            let entry = entry.map_err(|error| walk_error(path, error))?;
            let kind = entry.file_type();
            if kind.is_file() {
                let metadata = entry.metadata().map_err(|error| walk_error(path, error))?;
                let names = names_below(path, entry.path(), names)?;
                self.push(entry.into_path(), names, &metadata)?;
            } else if !kind.is_dir() {
                let kind = if kind.is_symlink() { Kind::Link } else { Kind::Special };
                self.left_out.push(LeftOut { path: entry.into_path(), kind });
            }
        }
        if self.files.len() == before {
            return Err(MakeError::EmptyFolder(path.into()));
        }
        Ok(false)
    }

    fn push(&mut self, path: PathBuf, names: Vec<String>, metadata: &Metadata) -> Result<(), MakeError> {
        if names.len() > COMPONENTS_MAX {
            return Err(MakeError::TooDeep(path));
        }
        if self.files.len() == FILES_MAX {
            return Err(MakeError::TooManyFiles);
        }
        self.files.push(Source { path, names, identity: Identity::of(metadata) });
        Ok(())
    }
}

fn names_below(folder: &Path, path: &Path, above: &[String]) -> Result<Vec<String>, MakeError> {
    let mut names = above.to_vec();
    for name in path.strip_prefix(folder).unwrap_or(path) {
        let name = name.to_str().ok_or_else(|| MakeError::NotUtf8(path.into()))?;
        names.push(name.to_owned());
    }
    Ok(names)
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> MakeError {
    match source.kind() {
        io::ErrorKind::NotFound => MakeError::Missing(path.into()),
        _ => MakeError::Unreadable { path: path.into(), source },
    }
}

fn walk_error(folder: &Path, error: walkdir::Error) -> MakeError {
    let path = error.path().unwrap_or(folder).to_owned();
    match error.into_io_error() {
        Some(source) => MakeError::Unreadable { path, source },
        None => MakeError::Loop(path),
    }
}
