use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use super::record::Record;
use super::{FetchError, Order};
use crate::disk::rename_to_free;

/// A file that is not all here yet, beside where it will be. Clones are the same file.
///
/// Its hidden name is made of a hash, so that it is a name whatever the file's own is. Both are looked up in the
/// descriptor of the folder, and links are not followed: so nothing outside the folder is ever touched.
#[derive(Debug, Clone)]
pub(super) struct Partial(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: OwnedFd,
    folder_path: PathBuf,
    file: File,
    hidden: String,
    own: String,
}

impl Partial {
    /// Opens what is there from before, or begins. `dialect` keeps apart what dialects keep of a file.
    pub(super) async fn open(order: &Order<'_>, dialect: &'static str) -> Result<Self, FetchError> {
        let (folder, name, own) = (order.folder.to_owned(), order.name.to_owned(), order.own_name.to_owned());
        blocking(move || open(folder, &format!("{dialect}\n{name}\n{own}"), own)).await
    }

    /// How many bytes are there.
    pub(super) async fn length(&self) -> Result<u64, FetchError> {
        let this = self.clone();
        blocking(move || {
            let metadata = this.0.file.metadata().map_err(|source| this.problem("read", source))?;
            Ok(metadata.len())
        })
        .await
    }

    /// Makes it so many bytes long.
    pub(super) async fn cut(&self, length: u64) -> Result<(), FetchError> {
        let this = self.clone();
        blocking(move || this.0.file.set_len(length).map_err(|source| this.problem("write", source))).await
    }

    /// Writes `bytes` at `offset`, and gives the buffer back.
    pub(super) async fn write(&self, bytes: Vec<u8>, offset: u64) -> Result<Vec<u8>, FetchError> {
        let this = self.clone();
        blocking(move || {
            let written = this.0.file.write_all_at(&bytes, offset);
            written.map(|()| bytes).map_err(|source| this.problem("write", source))
        })
        .await
    }

    /// The SHA-256 of up to `bytes_max` bytes from `offset` on, and how many there are.
    pub(super) async fn hash(&self, offset: u64, bytes_max: usize) -> Result<([u8; 32], u64), FetchError> {
        let this = self.clone();
        blocking(move || {
            let (mut bytes, mut filled) = (vec![0; bytes_max], 0);
            while filled < bytes.len() {
                match this.0.file.read_at(&mut bytes[filled..], offset + filled as u64) {
                    Ok(0) => break,
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(source) => return Err(this.problem("read", source)),
                }
            }
            Ok((Sha256::digest(&bytes[..filled]).into(), filled as u64))
        })
        .await
    }

    /// What is remembered of it; nothing if that cannot be read, is broken or is of another size.
    pub(super) async fn recall(&self, size: u64) -> Option<Record> {
        let this = self.clone();
        spawn_blocking(move || {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let file = rustix::fs::openat(&this.0.folder, this.record_name(), flags, Mode::empty()).ok()?;
            Record::read(File::from(file), size)
        })
        .await
        .ok()?
    }

    /// Remembers what of it is there. That is on the disk before it is said to be.
    pub(super) async fn remember(&self, record: Record) -> Result<(), FetchError> {
        let this = self.clone();
        blocking(move || {
            let save = || {
                this.0.file.sync_data()?;
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mode = Mode::from_raw_mode(0o666);
                let name = this.record_name();
                // What is written over an older record is never shorter, and a broken one counts for nothing.
                let file = rustix::fs::openat(&this.0.folder, name, flags, mode)?;
                record.write(File::from(file))
            };
            save().map_err(|source: io::Error| this.problem("write", source))
        })
        .await
    }

    /// Makes it so many bytes long, and gives it its own name.
    pub(super) async fn finish(&self, length: u64) -> Result<PathBuf, FetchError> {
        let this = self.clone();
        blocking(move || {
            let Inner { folder, file, hidden, own, .. } = &*this.0;
            let done = file.set_len(length).and_then(|()| file.sync_all());
            done.map_err(|source| this.problem("write", source))?;
            match rename_to_free(folder, OsStr::new(hidden), folder, OsStr::new(own)) {
                Ok(()) => {}
                Err(Errno::EXIST) => return Err(FetchError::Taken(this.path())),
                Err(error) => return Err(this.problem("name", error.into())),
            }
            this.forget();
            Ok(this.path())
        })
        .await
    }

    /// Takes it away, where nothing of it can be used again.
    pub(super) async fn discard(&self) {
        let this = self.clone();
        let discarded = spawn_blocking(move || {
            // What stays behind is overwritten the next time.
            let _ = rustix::fs::unlinkat(&this.0.folder, &*this.0.hidden, AtFlags::empty());
            this.forget();
        });
        let _ = discarded.await;
    }

    fn forget(&self) {
        // There may be none.
        let _ = rustix::fs::unlinkat(&self.0.folder, self.record_name(), AtFlags::empty());
    }

    fn record_name(&self) -> String {
        format!("{}.have", self.0.hidden)
    }

    fn path(&self) -> PathBuf {
        self.0.folder_path.join(&self.0.own)
    }

    fn problem(&self, doing: &'static str, source: io::Error) -> FetchError {
        FetchError::Disk { doing, path: self.path(), source }
    }
}

fn open(folder_path: PathBuf, key: &str, own: String) -> Result<Partial, FetchError> {
    let path = folder_path.join(&own);
    let problem = |doing, source: io::Error| FetchError::Disk { doing, path: path.clone(), source };
    fs::create_dir_all(&folder_path).map_err(|error| problem("write", error))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(&folder_path, flags, Mode::empty())
        .map_err(|error| problem("write", error.into()))?;
    let hash = Sha256::digest(key.as_bytes());
    let hidden: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let hidden = format!(".skep-classic-{hidden}");
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::openat(&folder, &*hidden, flags, Mode::from_raw_mode(0o666))
        .map_err(|error| problem("write", error.into()))?;
    let stat = rustix::fs::fstat(&file).map_err(|error| problem("write", error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(FetchError::Taken(folder_path.join(hidden)));
    }
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
        return Err(FetchError::Locked(path));
    }
    // Who had it until now may have given it its own name in between, or taken it away.
    match rustix::fs::statat(&folder, &*hidden, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) if (named.st_dev, named.st_ino) == (stat.st_dev, stat.st_ino) => {}
        _ => return Err(FetchError::Locked(path)),
    }
    match rustix::fs::statat(&folder, &*own, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => {}
        Ok(_) => {
            if stat.st_size == 0 {
                // Nothing was begun before. If it stays, it does no harm.
                let _ = rustix::fs::unlinkat(&folder, &*hidden, AtFlags::empty());
            }
            return Err(FetchError::Taken(path));
        }
        Err(error) => return Err(problem("write", error.into())),
    }
    Ok(Partial(Arc::new(Inner { folder, folder_path, file: file.into(), hidden, own })))
}

/// Does what waits for the disk on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
