use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;
use wire::metainfo::{METAINFO_BYTES_MAX, Metainfo};

use crate::env::Env;
use crate::exit::Failure;
use crate::format::{plain, size};

/// A file to register, and what to call it.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) shown: String,
}

/// All files that `paths` name, in their order; those of a directory sorted by path.
///
/// # Errors
/// If a path does not exist or a directory holds no .torrent file, so that a typing error is told before anything is
/// registered.
pub(super) fn collect(paths: &[PathBuf], env: &Env) -> Result<Vec<Found>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let full = env.path(path);
        let shown = path.display().to_string();
        let kind = std::fs::metadata(&full)
            .map_err(|error| Failure::Failed(format!("{}: {error}", plain(&shown))))?;
        if !kind.is_dir() {
            files.push(found(full, path));
            continue;
        }
        let before = files.len();
        for entry in WalkDir::new(&full).follow_links(true).sort_by_file_name() {
            let entry = entry.map_err(|error| Failure::Failed(format!("{}: {error}", plain(&shown))))?;
            if entry.file_type().is_file() && is_torrent(entry.path()) {
                let below = entry.path().strip_prefix(&full).unwrap_or(entry.path());
                files.push(found(entry.path().to_owned(), &path.join(below)));
            }
        }
        if files.len() == before {
            return Err(Failure::Failed(format!(
                "{}: no file in this directory ends in .torrent",
                plain(&shown)
            )));
        }
    }
    Ok(files)
}

fn found(path: PathBuf, shown: &Path) -> Found {
    Found { path, shown: plain(&shown.display().to_string()).into_owned() }
}

fn is_torrent(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("torrent"))
}

/// Reads a torrent file, and makes sure that it is one before it travels.
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, Metainfo), String> {
    let mut bytes = Vec::new();
    let bytes_max = METAINFO_BYTES_MAX as u64;
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > METAINFO_BYTES_MAX {
        return Err(format!("not a torrent file: it has more than {}", size(bytes_max)));
    }
    let metainfo = Metainfo::decode(&bytes).map_err(|fault| format!("not a torrent file: {fault}"))?;
    Ok((bytes, metainfo))
}
