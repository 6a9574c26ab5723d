//! Where files live.
//!
//! A download keeps its unfinished files in one hidden folder, `.skep-<info hash>`, in the folder that it goes to, named
//! by their numbers in the torrent. So nothing unfinished ever has a name that somebody might open or share, a name may
//! be as long as the file system takes, folders appear with their first finished file, and finishing a file is one
//! rename on the same file system.
//!
//! Names come from the network. Each is looked up in the descriptor of the folder before it, and symbolic links are not
//! followed, so nothing outside the folder is touched whatever stands inside it. A name that is taken is never replaced.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::problem::{Cause, Doing, Problem};
use super::{Layout, READ_BACK_BYTES};

/// Where the files of a torrent live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// They are fetched into this folder, under the torrent's name. Links on the way to the folder are followed.
    Download(PathBuf),
    /// They are there, at this path whatever the torrent's name is, and are never written: a file if the torrent is a
    /// single one, otherwise the folder. Links on the way to it are followed.
    Source(PathBuf),
}

impl Place {
    /// The folder, or what is shared.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Download(path) | Self::Source(path) => path,
        }
    }
}

/// Under which name a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Standing {
    /// None.
    #[default]
    Absent,
    /// Its number, in the hidden folder.
    Part,
    /// Its own.
    Own,
}

/// By what a change of a file is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its length.
    pub bytes: u64,
    /// Its number in its file system.
    pub inode: u64,
    /// When the content changed, in nanoseconds of Unix time.
    pub modified_ns: i64,
    /// When anything about it changed: unlike the other, nobody can set it back.
    pub changed_ns: i64,
}

/// What the lookups of one torrent need.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) place: Place,
    layout: Layout,
    parts: String,
}

impl Site {
    pub(super) fn new(place: Place, layout: Layout) -> Self {
        let parts = format!(".skep-{}", layout.info_hash());
        Self { place, layout, parts }
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) const fn is_source(&self) -> bool {
        matches!(self.place, Place::Source(_))
    }

    /// The folder of downloads, or what is shared.
    pub(super) fn root(&self) -> &Path {
        self.place.path()
    }

    /// What a person is told about where `file` is.
    pub(super) fn path(&self, file: usize, standing: Standing) -> PathBuf {
        match (&self.place, standing) {
            (Place::Download(folder), Standing::Part) => folder.join(&self.parts).join(file.to_string()),
            (Place::Download(folder), _) => folder.join(self.layout.path(file).collect::<PathBuf>()),
            (Place::Source(path), _) => {
                self.below_source(file).fold(path.clone(), |path, name| path.join(name))
            }
        }
    }

    /// Makes the folder of downloads, and sees that it takes the torrent's names. It says which folder it is: what
    /// other torrents' claims are compared with.
    pub(super) fn prepare(&self) -> Result<(u64, u64), Problem> {
        let root = self.root();
        fs::create_dir_all(root).map_err(|error| Problem::io(Doing::Write, root, &error))?;
        let fd = self.open_root()?;
        let mut checked = "";
        for file in (0..self.layout.files().len()).filter(|file| self.layout.is_stored(*file)) {
            // A name is too long or not wherever it stands. Neighbors mostly share their folders.
            for name in self.layout.path(file).filter(|name| name.len() > SHORT_NAME_BYTES) {
                if name == checked {
                    continue;
                }
                let found = rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW);
                if found.is_err_and(|error| error == Errno::NAMETOOLONG) {
                    let path = self.path(file, Standing::Own);
                    return Err(Problem::new(Doing::Write, path, Cause::NameTooLong));
                }
                checked = name;
            }
        }
        let stat = rustix::fs::fstat(&fd).map_err(|error| Problem::errno(Doing::Open, root, error))?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// Makes the hidden folder, and keeps other processes out of it until the descriptor is closed.
    pub(super) fn lock(&self) -> Result<OwnedFd, Problem> {
        let path = self.root().join(&self.parts);
        let parts = self.open_parts(true)?;
        match rustix::fs::flock(&parts, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(Problem::new(Doing::Open, path, Cause::Locked)),
            // Not all file systems lock folders. Then nobody is kept out, but names are still given to one file only.
            Ok(()) | Err(_) => Ok(parts),
        }
    }

    /// Removes the hidden folder if nothing is in it.
    pub(super) fn remove_empty_parts(&self) {
        if let Ok(root) = self.open_root() {
            // It may hold parts still, or never have been made.
            let _ = rustix::fs::unlinkat(&root, self.parts.as_str(), AtFlags::REMOVEDIR);
        }
    }

    /// Removes every part, and the hidden folder.
    pub(super) fn remove_parts(&self) -> Result<(), Problem> {
        let parts = match self.open_parts(false) {
            Ok(parts) => parts,
            Err(problem) if problem.cause == Cause::Missing => return Ok(()),
            Err(problem) => return Err(problem),
        };
        for file in 0..self.layout.files().len() {
            match rustix::fs::unlinkat(&parts, file.to_string(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => {
                    return Err(Problem::errno(Doing::Write, &self.path(file, Standing::Part), error));
                }
            }
        }
        self.remove_empty_parts();
        Ok(())
    }

    /// What is under one of a file's names; `None` if nothing is.
    pub(super) fn look(&self, file: usize, standing: Standing) -> Result<Option<Identity>, Problem> {
        let path = || self.path(file, standing);
        let found = self.at(file, standing, false).and_then(|(folder, name)| {
            rustix::fs::statat(&folder, &name, self.last_name_flags())
                .map_err(|error| Problem::errno(Doing::Open, &path(), error))
        });
        match found {
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Ok(Some(Identity::of_stat(&stat))),
                FileType::Symlink => Err(Problem::new(Doing::Open, path(), Cause::Symlink)),
                _ => Err(Problem::new(Doing::Open, path(), Cause::InTheWay)),
            },
            Err(problem) if problem.cause == Cause::Missing => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Opens a file that is there.
    pub(super) fn open(&self, file: usize, standing: Standing, write: bool) -> Result<File, Problem> {
        let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
        self.open_with(file, standing, access)
    }

    /// Makes the part of a file, as long as the file will be, without taking room for it.
    pub(super) fn create_part(&self, file: usize) -> Result<File, Problem> {
        drop(self.open_parts(true)?);
        let part = self.open_with(file, Standing::Part, OFlags::RDWR | OFlags::CREATE)?;
        self.fit(file, &part)?;
        Ok(part)
    }

    /// Gives an open part the length that the file will have.
    pub(super) fn fit(&self, file: usize, part: &File) -> Result<(), Problem> {
        let bytes = self.layout.files().get(file).map_or(0, |file| file.length);
        let fitted = rustix::fs::ftruncate(part, bytes);
        fitted.map_err(|error| Problem::errno(Doing::Write, &self.path(file, Standing::Part), error))
    }

    /// Gives a part its own name, which must be free, or that of a file with the same bytes. What it is then.
    pub(super) fn give_name(&self, file: usize) -> Result<Identity, Problem> {
        let path = self.path(file, Standing::Own);
        let problem = |error| Problem::errno(Doing::Name, &path, error);
        let (from, part) = self.at(file, Standing::Part, false)?;
        let (to, name) = self.at(file, Standing::Own, true)?;
        match rename_to_free(&from, &part, &to, &name) {
            Err(Errno::EXIST) if self.is_there_already(file)? => {
                rustix::fs::unlinkat(&from, &part, AtFlags::empty()).map_err(problem)?;
            }
            renamed => renamed.map_err(problem)?,
        }
        let stat = rustix::fs::statat(&to, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(problem)?;
        Ok(Identity::of_stat(&stat))
    }

    /// Whether what has a file's name is the same, byte for byte, as its part.
    fn is_there_already(&self, file: usize) -> Result<bool, Problem> {
        let io = |error| Problem::io(Doing::Read, &self.path(file, Standing::Own), &error);
        let own = self.open(file, Standing::Own, false)?;
        let part = self.open(file, Standing::Part, false)?;
        let bytes = own.metadata().map_err(io)?.len();
        if bytes != part.metadata().map_err(io)?.len() {
            return Ok(false);
        }
        let mut buffers = [vec![0; READ_BACK_BYTES], vec![0; READ_BACK_BYTES]];
        for offset in (0..bytes).step_by(READ_BACK_BYTES) {
            let length =
                usize::try_from(bytes - offset).map_or(READ_BACK_BYTES, |rest| rest.min(READ_BACK_BYTES));
            let [a, b] = &mut buffers;
            own.read_exact_at(&mut a[..length], offset).map_err(io)?;
            part.read_exact_at(&mut b[..length], offset).map_err(io)?;
            if a[..length] != b[..length] {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes a file that turned out to be unfinished a part again.
    pub(super) fn take_name(&self, file: usize) -> Result<(), Problem> {
        drop(self.open_parts(true)?);
        let (from, name) = self.at(file, Standing::Own, false)?;
        let (to, part) = self.at(file, Standing::Part, false)?;
        let path = || self.path(file, Standing::Own);
        rename_to_free(&from, &name, &to, &part)
            .map_err(|error| Problem::errno(Doing::Write, &path(), error))?;
        self.fit(file, &self.open(file, Standing::Part, true)?)
    }

    fn open_with(&self, file: usize, standing: Standing, access: OFlags) -> Result<File, Problem> {
        let (folder, name) = self.at(file, standing, false)?;
        let path = || self.path(file, standing);
        let follow = match self.last_name_flags() {
            AtFlags::SYMLINK_NOFOLLOW => OFlags::NOFOLLOW,
            _ => OFlags::empty(),
        };
        // Without NONBLOCK, opening a pipe would wait for its other end.
        let flags = access | follow | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let executable = self.layout.files().get(file).is_some_and(|file| file.executable);
        let mode = Mode::from_raw_mode(if executable { 0o777 } else { 0o666 });
        let fd = rustix::fs::openat(&folder, &name, flags, mode)
            .map_err(|error| Problem::errno(Doing::Open, &path(), error))?;
        let stat = rustix::fs::fstat(&fd).map_err(|error| Problem::errno(Doing::Open, &path(), error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(fd.into()),
            _ => Err(Problem::new(Doing::Open, path(), Cause::InTheWay)),
        }
    }

    /// The folder of a file, and its name there.
    fn at(&self, file: usize, standing: Standing, create: bool) -> Result<(OwnedFd, OsString), Problem> {
        match (&self.place, standing) {
            (Place::Download(_), Standing::Part) => Ok((self.open_parts(false)?, file.to_string().into())),
            (Place::Download(root), _) => descend(self.open_root()?, root, self.layout.path(file), create),
            (Place::Source(path), _) if self.layout.metainfo().is_single_file() => {
                let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
                    return Err(Problem::new(Doing::Open, path, Cause::InTheWay));
                };
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                Ok((open_folder(folder)?, name.to_owned()))
            }
            (Place::Source(path), _) => descend(open_folder(path)?, path, self.below_source(file), false),
        }
    }

    /// The names that lead from what is shared to a file.
    fn below_source(&self, file: usize) -> impl Iterator<Item = &str> {
        self.layout.path(file).skip(1)
    }

    /// A single file that is shared is named by the person, who may name a link to it.
    fn last_name_flags(&self) -> AtFlags {
        if self.is_source() && self.layout.metainfo().is_single_file() {
            AtFlags::empty()
        } else {
            AtFlags::SYMLINK_NOFOLLOW
        }
    }

    fn open_root(&self) -> Result<OwnedFd, Problem> {
        open_folder(self.root())
    }

    fn open_parts(&self, create: bool) -> Result<OwnedFd, Problem> {
        let (root, path) = (self.open_root()?, self.root().join(&self.parts));
        open_below(&root, &self.parts, &path, create)
    }
}

/// How coarse the times of files may be: a change that follows another one so closely may not show.
const COARSENESS: Duration = Duration::from_millis(20);

impl Identity {
    /// That of the file that `metadata` is of.
    #[must_use]
    pub fn of(metadata: &fs::Metadata) -> Self {
        let ns = |secs: i64, ns: i64| secs.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            bytes: metadata.len(),
            inode: metadata.ino(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// How long to wait until a further change would show: then it is to be taken again.
    #[must_use]
    pub fn settles_in(&self) -> Option<Duration> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let changed = Duration::from_nanos(u64::try_from(self.changed_ns).ok()?);
        // A time to come is that of another clock.
        let age = now.checked_sub(changed)?;
        COARSENESS.checked_sub(age).filter(|wait| !wait.is_zero())
    }

    fn of_stat(stat: &Stat) -> Self {
        let ns = |secs: i64, ns: u64| secs.saturating_mul(1_000_000_000).saturating_add_unsigned(ns);
        Self {
            bytes: u64::try_from(stat.st_size).unwrap_or_default(),
            inode: stat.st_ino,
            modified_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
            changed_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    pub(super) fn of_open(file: &File) -> Option<Self> {
        rustix::fs::fstat(file).ok().as_ref().map(Self::of_stat)
    }
}

/// Every file system takes names of so many bytes.
const SHORT_NAME_BYTES: usize = 100;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a folder that a person named.
fn open_folder(path: &Path) -> Result<OwnedFd, Problem> {
    rustix::fs::open(path, FOLDER, Mode::empty()).map_err(|error| Problem::errno(Doing::Open, path, error))
}

/// Walks down from `folder`, which is at `path`, to the folder of the last of `names`.
fn descend<'a>(
    mut folder: OwnedFd,
    path: &Path,
    names: impl Iterator<Item = &'a str>,
    create: bool,
) -> Result<(OwnedFd, OsString), Problem> {
    let mut path = path.to_owned();
    let mut names = names.peekable();
    while let Some(name) = names.next() {
        path.push(name);
        if names.peek().is_none() {
            return Ok((folder, name.into()));
        }
        folder = open_below(&folder, name, &path, create)?;
    }
    Err(Problem::new(Doing::Open, path, Cause::InTheWay))
}

/// Opens, or makes, the folder `name` of `folder`. It is never a link.
fn open_below(folder: impl AsFd, name: &str, path: &Path, create: bool) -> Result<OwnedFd, Problem> {
    if name.is_empty() || name == "." || name == ".." || name.contains('/') {
        return Err(Problem::new(Doing::Open, path, Cause::InTheWay));
    }
    if create {
        match rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Problem::errno(Doing::Write, path, error)),
        }
    }
    rustix::fs::openat(&folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map_err(|error| {
        let link = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
        match link {
            true => Problem::new(Doing::Open, path, Cause::Symlink),
            false => Problem::errno(Doing::Open, path, error),
        }
    })
}

/// Renames to a name that nothing has; `EXIST` if something has it.
pub(crate) fn rename_to_free(
    from: &OwnedFd,
    name: &OsStr,
    to: &OwnedFd,
    new_name: &OsStr,
) -> Result<(), Errno> {
    match rustix::fs::renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE) {
        // Not all file systems know the flag. A second name is refused just so where the name is taken.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            match rustix::fs::linkat(from, name, to, new_name, AtFlags::empty()) {
                Ok(()) => rustix::fs::unlinkat(from, name, AtFlags::empty()),
                // And not all know second names. What is left is to look first.
                Err(Errno::PERM | Errno::NOSYS | Errno::NOTSUP) => {
                    match rustix::fs::statat(to, new_name, AtFlags::SYMLINK_NOFOLLOW) {
                        Err(Errno::NOENT) => rustix::fs::renameat(from, name, to, new_name),
                        taken => taken.and(Err(Errno::EXIST)),
                    }
                }
                Err(error) => Err(error),
            }
        }
        done => done,
    }
}
