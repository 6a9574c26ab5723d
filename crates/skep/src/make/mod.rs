//! `skep make`: a new torrent from files and folders.
//!
//! The same files and options always give the same torrent. A folder's files come sorted by the bytes of their names,
//! hidden and empty ones among them. Files are hashed on all cores, each read a chunk at a time into memory that stays
//! in the processor's cache. Symbolic links that the caller names are followed; those inside a folder are left out and
//! reported, as are sockets, pipes and devices, unless [`Options::follow_links`] says that links stand for what they
//! point at.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use kept::Kept;
use peer::disk::Identity;
use wire::Malformed;
use wire::metainfo::{Builder, Content, Metainfo};

mod hash;
mod kept;
mod plan;
mod walk;

pub use plan::{PIECE_LENGTH_MAX, PIECE_LENGTH_MIN, PIECES_MAX, piece_length_for};

/// What a torrent should say beside its files' contents.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The torrent's name; the file's or folder's own if `None`. Needed for several paths.
    pub name: Option<String>,
    /// Bytes in a piece, a power of two; [chosen by size](piece_length_for) if `None`.
    pub piece_length: Option<u64>,
    /// Whether peers may be learned from the torrent's own trackers only (BEP 27).
    pub private: bool,
    /// Sets this copy apart from others of the same files.
    pub source: Option<String>,
    /// A remark.
    pub comment: Option<String>,
    /// The program that makes it.
    pub created_by: Option<String>,
    /// Now, in Unix seconds; without it the torrent depends on the files alone.
    pub creation_date: Option<i64>,
    /// Trackers in their tiers (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// Addresses that serve the same files (BEP 19).
    pub web_seeds: Vec<String>,
    /// Whether symbolic links inside a folder stand for what they point at.
    pub follow_links: bool,
    /// Which names inside a folder it takes, of folders too; all if `None`. What it does not take is not told of.
    pub takes: Option<fn(&OsStr) -> bool>,
    /// Threads that hash; one a core if `None`.
    pub threads: Option<NonZeroUsize>,
    /// Where to keep what was hashed: the next time nothing is hashed if the files are the same, none has changed, and
    /// pieces are as long. `None`: nowhere.
    pub state_dir: Option<PathBuf>,
}

/// Who watches the work. Any of the hashing threads may call.
pub trait Progress: Sync {
    /// All files have been found and none has been read yet. Not said if none needs to be.
    fn found(&self, files: usize, bytes: u64);

    /// So many bytes more have been hashed.
    fn hashed(&self, bytes: u64);
}

/// Nobody watches.
impl Progress for () {
    fn found(&self, _: usize, _: u64) {}
    fn hashed(&self, _: u64) {}
}

/// A new torrent.
#[derive(Debug)]
pub struct Made {
    /// The torrent file.
    pub bytes: Vec<u8>,
    /// The same, read back.
    pub torrent: Metainfo,
    /// What was met in a folder and is not in the torrent.
    pub left_out: Vec<LeftOut>,
    /// What its files were when they were hashed, in its order.
    pub files: Vec<Identity>,
    /// Whether they were hashed just now, and not before.
    pub hashed: bool,
}

/// Something in a folder that a torrent does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
}

/// Kinds of things that a torrent does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A symbolic link.
    Link,
    /// A socket, pipe or device.
    Special,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Link => "a symbolic link",
            Kind::Special => "a socket, pipe or device",
        };
        write!(f, "`{}` is {kind}", self.path.display())
    }
}

/// Why there is no torrent.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum MakeError {
    #[error("nothing to share: a file or folder is expected")]
    Nothing,
    #[error("there is no file or folder at `{}`", .0.display())]
    Missing(PathBuf),
    #[error("`{}` cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("`{}` is a socket, pipe or device: a file or folder is expected", .0.display())]
    Special(PathBuf),
    #[error("`{}` is a symbolic link to a folder around it, which has no end", .0.display())]
    Loop(PathBuf),
    #[error("`{}` changed while it was read: try again when nothing writes to it", .0.display())]
    Changed(PathBuf),
    #[error("the folder `{}` has no files in it", .0.display())]
    EmptyFolder(PathBuf),
    #[error("`{}` is empty: one byte at least is expected", .0.display())]
    NoBytes(PathBuf),
    #[error("the name of `{}` is not UTF-8, as torrents want it: rename it", .0.display())]
    NotUtf8(PathBuf),
    #[error("`{}` has no name of its own: give the torrent one", .0.display())]
    NameNeeded(PathBuf),
    #[error("{0} paths make one torrent, which needs a name")]
    NameNeededForSeveral(usize),
    #[error(
        "`{0}` is no name for a torrent: one without `/` and `\\` that is not empty, `.` or `..` is expected"
    )]
    Name(String),
    #[error("two of the paths are called `{0}`: in one torrent their names must differ")]
    Twice(String),
    #[error(
        "piece length {0} is not a power of two from {PIECE_LENGTH_MIN} (16 KiB) to {PIECE_LENGTH_MAX} (256 MiB)"
    )]
    PieceLength(u64),
    #[error(
        "{pieces} pieces are too many ({PIECES_MAX} at most): {size} bytes want longer pieces than {length}"
    )]
    TooManyPieces { pieces: u64, size: u64, length: u64 },
    #[error("more than {max} files are too many for one torrent", max = wire::metainfo::FILES_MAX)]
    TooManyFiles,
    #[error("`{}` is too deep: {max} names in a path at most", .0.display(), max = wire::metainfo::COMPONENTS_MAX)]
    TooDeep(PathBuf),
    #[error("no program would read such a torrent: {0}")]
    Unfit(#[from] Malformed),
}

/// Makes a torrent of `paths`: of one file, of one folder, or of several of them in a folder of the given name.
///
/// # Errors
/// Something is missing, unreadable, empty, or changed meanwhile; or the options do not go with it.
pub fn build(paths: &[PathBuf], options: &Options, progress: &dyn Progress) -> Result<Made, MakeError> {
    let name = torrent_name(paths, options)?;
    let found = walk::walk(paths, options)?;
    let size = found.files.iter().map(|file| file.identity.bytes).sum();
    if size == 0 {
        return Err(MakeError::NoBytes(paths[0].clone()));
    }
    let piece_length = plan::piece_length(options.piece_length, size)?;
    let kept = options.state_dir.as_ref().map(|folder| Kept::new(folder, paths, &found.files, piece_length));
    let known = kept.as_ref().and_then(Kept::find);
    let hashed = known.is_none();
    let pieces = match known {
        Some(pieces) => pieces,
        None => {
            progress.found(found.files.len(), size);
            let pieces = hash::pieces(&found.files, piece_length, options.threads, progress)?;
            if let Some(kept) = &kept {
                kept.keep(&pieces);
            }
            pieces
        }
    };
    let files = found.files.iter().map(|file| file.identity).collect();

    let content = if found.single {
        Content::File(size)
    } else {
        Content::Folder(found.files.into_iter().map(|file| (file.names, file.identity.bytes)).collect())
    };
    let mut bytes = Vec::new();
    let builder = Builder {
        name,
        content,
        piece_length,
        pieces,
        private: options.private,
        source: options.source.clone(),
        comment: options.comment.clone(),
        created_by: options.created_by.clone(),
        creation_date: options.creation_date,
        trackers: options.trackers.clone(),
        web_seeds: options.web_seeds.clone(),
    };
    builder.encode(&mut bytes);
    let torrent = Metainfo::decode(&bytes)?;
    Ok(Made { bytes, torrent, left_out: found.left_out, files, hashed })
}

/// Sees whether there is something to share at `path`, without hashing it: that files are there, can be opened, and
/// have names that a torrent takes.
///
/// # Errors
/// As [`build`].
pub fn survey(path: &Path) -> Result<(), MakeError> {
    let paths = [path.to_owned()];
    let options = Options::default();
    torrent_name(&paths, &options)?;
    let found = walk::walk(&paths, &options)?;
    if found.files.iter().all(|file| file.identity.bytes == 0) {
        return Err(MakeError::NoBytes(path.into()));
    }
    for file in &found.files {
        File::open(&file.path).map_err(|source| walk::unreadable(&file.path, source))?;
    }
    Ok(())
}

fn torrent_name(paths: &[PathBuf], options: &Options) -> Result<String, MakeError> {
    let name = match (&options.name, paths) {
        (_, []) => return Err(MakeError::Nothing),
        (Some(name), _) => name.clone(),
        (None, [path]) => own_name(path)?,
        (None, _) => return Err(MakeError::NameNeededForSeveral(paths.len())),
    };
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0']) {
        return Err(MakeError::Name(name));
    }
    Ok(name)
}

/// What a path's file or folder is called, also where the path (`.`, `..`) does not say.
fn own_name(path: &Path) -> Result<String, MakeError> {
    let name = match path.file_name() {
        Some(name) => name.to_owned(),
        None => {
            let full = path.canonicalize().map_err(|source| walk::unreadable(path, source))?;
            full.file_name().ok_or_else(|| MakeError::NameNeeded(path.into()))?.to_owned()
        }
    };
    name.into_string().map_err(|_| MakeError::NotUtf8(path.into()))
}

#[cfg(test)]
mod tests;
