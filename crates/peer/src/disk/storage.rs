use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::budget::Room;
use super::check::{self, Checked, Progress};
use super::claims::Claim;
use super::files::Key;
use super::place::{Identity, Place, Site, Standing};
use super::pool::{Job, Read, Shared, Write};
use super::problem::{Cause, Doing, Problem};
use super::resume::{self, Saved};
use super::{Done, Layout, Pieces, Sink};

/// The files of one torrent. Clones are the same files.
///
/// [`check`](Self::check) it first: before that it has no piece. What [`read`](Self::read), [`write`](Self::write) and
/// [`verify`](Self::verify) come to is told to the [`Sink`]; they never wait. The other methods wait for the disk, and
/// do not belong on a thread that serves others.
///
/// When the last clone is dropped, what was asked for is still done.
#[derive(Debug, Clone)]
pub struct Storage(Arc<Handle>);

/// What the owners of a torrent hold, and the disk's threads do not.
#[derive(Debug)]
struct Handle(Arc<Inner>);

pub(super) struct Inner {
    pub(super) id: u64,
    pub(super) site: Site,
    pub(super) wanted: Wanted,
    pub(super) shared: Arc<Shared>,
    pub(super) sink: Box<dyn Sink>,
    pub(super) state: Mutex<State>,
    pub(super) claim: Option<Claim>,
}

/// What of a torrent shall be there.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) files: Box<[bool]>,
    pub(super) pieces: Pieces,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) have: Pieces,
    /// Pieces of which something was written since the check.
    pub(super) begun: Pieces,
    pub(super) files: Box<[FileState]>,
    /// Wanted pieces that are missing.
    pub(super) missing: u32,
    /// Keeps other processes out of the hidden folder.
    pub(super) lock: Option<OwnedFd>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FileState {
    pub(super) standing: Standing,
    /// Of its pieces, those that are missing.
    pub(super) missing: u32,
    /// What it was when it was last known to be good.
    pub(super) identity: Option<Identity>,
    /// Some of it may not be on disk yet.
    pub(super) dirty: bool,
}

impl Storage {
    pub(super) fn new(inner: Inner) -> Self {
        Self(Arc::new(Handle(Arc::new(inner))))
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.0.0
    }

    /// How the torrent's bytes lie in its files.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        self.inner().site.layout()
    }

    /// The verified pieces.
    #[must_use]
    pub fn have(&self) -> Pieces {
        self.inner().state.lock().have.clone()
    }

    /// The pieces of wanted files.
    #[must_use]
    pub fn wanted(&self) -> &Pieces {
        &self.inner().wanted.pieces
    }

    /// Bytes of wanted files.
    #[must_use]
    pub fn wanted_bytes(&self) -> u64 {
        let files = self.layout().files().iter().zip(&self.inner().wanted.files);
        files.filter(|(file, wanted)| **wanted && !file.pad).map(|(file, _)| file.length).sum()
    }

    /// Where a person finds the torrent when it is complete: its file or folder.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match &self.inner().site.place {
            Place::Download(folder) => folder.join(self.layout().metainfo().name()),
            Place::Source(path) => path.clone(),
        }
    }

    /// Finds out which pieces are there; see [`Checked`]. Files that are complete get their names, and files that
    /// turn out to be damaged lose them.
    ///
    /// What [`save`](Self::save) wrote into `state_dir` is believed of files that have not changed since. Without it
    /// all that is there is hashed, on all cores; one torrent is hashed at a time. `progress` is called now and then,
    /// on any thread, and may break the check off. What was asked for before is done first; nothing else should be asked
    /// for while it runs.
    ///
    /// # Errors
    ///
    /// A file that must not be touched is in the way, a name cannot be given, or the check was broken off. Files that
    /// are missing or cannot be read are no error: their pieces are not there.
    pub fn check(
        &self,
        state_dir: Option<&Path>,
        progress: &(dyn Fn(Progress) -> std::ops::ControlFlow<()> + Sync),
    ) -> Result<Checked, Problem> {
        let inner = self.inner();
        inner.shared.finish_writes();
        inner.lock_parts()?;
        let saved = state_dir.and_then(|folder| resume::load(folder, self.layout(), &inner.site.place));
        check::run(inner, saved.as_ref(), progress)
    }

    /// Writes what is known to be good into `state_dir`, once it and what was to be written before are on disk, for a later
    /// [`check`](Self::check).
    ///
    /// # Errors
    ///
    /// The system's; the state saved before is then still there.
    pub fn save(&self, state_dir: &Path) -> Result<(), Problem> {
        let inner = &**self.inner();
        inner.shared.finish_writes();
        let (have, mut files) = {
            let mut state = inner.state.lock();
            let files = state.files.clone();
            state.files.iter_mut().for_each(|file| file.dirty = false);
            (state.have.clone(), files)
        };
        let synced = inner.sync(&files);
        if let Err(problem) = synced {
            let mut state = inner.state.lock();
            state.files.iter_mut().zip(&files).for_each(|(file, before)| file.dirty |= before.dirty);
            return Err(problem);
        }
        for (index, file) in files.iter_mut().enumerate() {
            if file.standing == Standing::Part {
                file.identity = inner.site.look(index, Standing::Part).ok().flatten();
            }
        }
        // Last: what is begun later changes a file that was looked at before.
        let begun = inner.state.lock().begun.clone();
        let files = files.iter().map(|file| (file.standing, file.identity)).collect();
        resume::save(state_dir, self.layout(), &inner.site.place, &Saved { have, begun, files })
    }

    /// Reads a block of a piece that is there; then [`Done::Read`] with the same `tag`.
    ///
    /// `room` is for at least as many bytes, out of [`Disk::outgoing`](super::Disk::outgoing). It is given back when
    /// the last copy of the data is dropped.
    pub fn read(&self, piece: u32, begin: u32, bytes: u32, tag: u64, room: Room) {
        let storage = self.inner().clone();
        self.inner().shared.read(Read { storage, piece, begin, bytes: bytes as usize, tag, room });
    }

    /// Writes a block of a piece; then [`Done::Written`]. Nothing is written over a piece that is verified.
    ///
    /// `room` is for at least as many bytes, out of [`Disk::incoming`](super::Disk::incoming). `data` may be kept until
    /// the piece is verified, and keeps the buffer in memory of which it is a part.
    pub fn write(&self, piece: u32, begin: u32, data: Bytes, room: Room) {
        let job = Job::Write(Write { storage: self.inner().clone(), piece, begin, data, room });
        self.inner().shared.write(self.inner().id, piece, job);
    }

    /// Hashes a piece, after all writes to it that came before; then [`Done::Hashed`]. If it is good, files that are
    /// complete with it have got their names before that is said ([`Done::Named`]).
    pub fn verify(&self, piece: u32) {
        self.inner().shared.write(
            self.inner().id,
            piece,
            Job::Verify { storage: self.inner().clone(), piece },
        );
    }

    /// Deletes what is unfinished of a download. Files under their own names stay.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn discard(&self) -> Result<(), Problem> {
        if self.inner().site.is_source() {
            return Ok(());
        }
        self.inner().shared.files.close_all(self.inner().id);
        self.inner().site.remove_parts()
    }
}

impl Inner {
    /// A file that is open, or opened now.
    pub(super) fn file(&self, file: usize, write: bool) -> Result<Arc<File>, Problem> {
        let key = Key { storage: self.id, file };
        self.shared.files.get(key, write, || {
            let standing = self.state.lock().files[file].standing;
            match self.open(file, standing, write) {
                // It may have got its name just now.
                Err(problem) if problem.cause == Cause::Missing => {
                    let now = self.state.lock().files[file].standing;
                    if now == standing { Err(problem) } else { self.open(file, now, write) }
                }
                opened => opened,
            }
        })
    }

    fn open(&self, file: usize, standing: Standing, write: bool) -> Result<File, Problem> {
        let problem = |cause| Problem::new(Doing::Open, self.site.path(file, standing), cause);
        match (standing, write) {
            (Standing::Absent, false) => Err(problem(Cause::Missing)),
            (Standing::Absent, true) if !self.site.is_source() => {
                let part = self.site.create_part(file)?;
                self.state.lock().files[file].standing = Standing::Part;
                Ok(part)
            }
            (Standing::Absent | Standing::Own, true) => {
                Err(problem(Cause::Unfit("it is only read, and never written".to_owned())))
            }
            (standing, write) => self.site.open(file, standing, write),
        }
    }

    /// Whether a finished file still is what was verified. Whoever was given other bytes would think that we lie.
    pub(super) fn unchanged(&self, file: usize, open: &File) -> Result<(), Problem> {
        let FileState { standing, identity, .. } = self.state.lock().files[file];
        if standing != Standing::Own || identity.is_none() || Identity::of_open(open) == identity {
            return Ok(());
        }
        Err(Problem::new(Doing::Read, self.site.path(file, standing), Cause::Changed))
    }

    /// What an error with one of the files means.
    pub(super) fn problem(&self, doing: Doing, file: usize, error: &std::io::Error) -> Problem {
        let standing = self.state.lock().files[file].standing;
        Problem::io(doing, &self.site.path(file, standing), error)
    }

    pub(super) fn has(&self, piece: u32) -> bool {
        self.state.lock().have.contains(piece)
    }

    /// Notes that a piece is written to. It is not, and this is false, if it is verified already.
    pub(super) fn begin(&self, piece: u32) -> bool {
        let mut state = self.state.lock();
        let missing = !state.have.contains(piece);
        if missing {
            state.begun.insert(piece);
        }
        missing
    }

    /// Counts a piece whose hash is right, and gives the files that are complete with it their names.
    pub(super) fn verified(&self, piece: u32) {
        let complete = {
            let mut guard = self.state.lock();
            let state = &mut *guard;
            if !state.have.insert(piece) {
                return;
            }
            state.missing = state.missing.saturating_sub(u32::from(self.wanted.pieces.contains(piece)));
            let mut complete = Vec::new();
            for file in self.site.layout().files_of(piece) {
                let entry = &mut state.files[file];
                entry.missing = entry.missing.saturating_sub(1);
                entry.dirty = true;
                if entry.missing == 0 && entry.standing == Standing::Part && self.wanted.files[file] {
                    complete.push(file);
                }
            }
            complete
        };
        for file in complete {
            let outcome = self.name(file);
            self.sink.done(Done::Named { file, outcome });
        }
        self.release_if_complete();
    }

    /// Gives a complete part its own name.
    pub(super) fn name(&self, file: usize) -> Result<PathBuf, Problem> {
        let identity = self.site.give_name(file)?;
        {
            let mut state = self.state.lock();
            state.files[file].standing = Standing::Own;
            state.files[file].identity = Some(identity);
        }
        self.shared.files.close(Key { storage: self.id, file });
        Ok(self.site.path(file, Standing::Own))
    }

    /// Keeps other processes out of a download's hidden folder, for as long as something is missing.
    pub(super) fn lock_parts(&self) -> Result<(), Problem> {
        let mut state = self.state.lock();
        if self.site.is_source() || state.lock.is_some() {
            return Ok(());
        }
        state.lock = match self.site.lock() {
            Ok(lock) => Some(lock),
            // What is complete can be shared from where nothing can be written.
            Err(problem) if problem.cause == Cause::Denied => None,
            Err(problem) => return Err(problem),
        };
        Ok(())
    }

    /// Lets go of the hidden folder once nothing more is to be written.
    pub(super) fn release_if_complete(&self) {
        let lock = {
            let mut state = self.state.lock();
            if state.missing > 0 {
                return;
            }
            state.lock.take()
        };
        if lock.is_some() {
            self.site.remove_empty_parts();
        }
    }

    /// Sees that what was written to `files` is on disk.
    fn sync(&self, files: &[FileState]) -> Result<(), Problem> {
        let dirty = || files.iter().enumerate().filter(|(_, file)| file.dirty).map(|(index, _)| index);
        #[cfg(target_os = "linux")]
        if dirty().count() > SYNCED_ONE_BY_ONE_MAX {
            let root = self.site.root();
            let io = |error| Problem::io(Doing::Save, root, &error);
            let folder = File::open(root).map_err(io)?;
            return rustix::fs::syncfs(folder).map_err(|error| Problem::errno(Doing::Save, root, error));
        }
        for index in dirty() {
            let file = match self.file(index, false) {
                Ok(file) => file,
                // What is gone is missing at the next start, and nothing is lost by saving the rest.
                Err(problem) if problem.cause == Cause::Missing => continue,
                Err(problem) => return Err(problem),
            };
            let path = self.site.path(index, files[index].standing);
            file.sync_data().map_err(|error| Problem::io(Doing::Save, &path, &error))?;
        }
        Ok(())
    }
}

/// With more files than this, one call for the whole file system is faster than one for each.
#[cfg(target_os = "linux")]
const SYNCED_ONE_BY_ONE_MAX: usize = 16;

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(claim) = &self.0.claim {
            self.0.shared.claims.close(claim);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.files.close_all(self.id);
        if let Some(lock) = self.state.get_mut().lock.take() {
            self.site.remove_empty_parts();
            // Before the claim: whoever waits for that takes the lock next.
            drop(lock);
        }
        if let Some(claim) = &self.claim {
            self.shared.claims.release(claim);
        }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("id", &self.id).field("site", &self.site).finish_non_exhaustive()
    }
}
