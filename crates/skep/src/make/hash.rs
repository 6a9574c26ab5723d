use std::fs::{self, File};
use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use peer::disk::Identity;
use sha1::{Digest, Sha1};

use super::walk::Source;
use super::{MakeError, Progress};

/// Bytes read at a time. They are still in a core's own cache when they are hashed, so that the copy from the page
/// cache costs little beside the hash.
const CHUNK_BYTES: usize = 64 << 10;

/// Bytes that a thread takes on at a time, or one piece if that is longer: long enough for the disk to read ahead,
/// short enough that all threads end together.
const RUN_BYTES: u64 = 4 << 20;

const HASH_BYTES: usize = 20;

/// The SHA-1 of every piece of `files`, one after another.
pub(super) fn pieces(
    files: &[Source],
    piece_length: u64,
    threads: Option<NonZeroUsize>,
    progress: &dyn Progress,
) -> Result<Vec<u8>, MakeError> {
    let job = Job::new(files, piece_length, progress);
    let cores = threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let threads = usize::try_from(job.runs()).map_or(cores, |runs| runs.clamp(1, cores));
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| job.work());
        }
        job.work();
    });
    let hashes = job.finish()?;
    // A file that was written to after its part was read shows it here.
    for file in files {
        let metadata = fs::metadata(&file.path).map_err(|source| unreadable(file, source))?;
        check(file, Identity::of(&metadata))?;
    }
    Ok(hashes)
}

/// What all threads share.
struct Job<'a> {
    files: &'a [Source],
    /// Where in the payload each file starts, and where the last one ends.
    starts: Vec<u64>,
    piece_length: u64,
    pieces: u64,
    /// Pieces in a run.
    run: u64,
    /// The first piece that nobody has taken on.
    next: AtomicU64,
    hashes: Mutex<Vec<u8>>,
    failed: AtomicBool,
    failure: Mutex<Option<MakeError>>,
    progress: &'a dyn Progress,
}

impl<'a> Job<'a> {
    fn new(files: &'a [Source], piece_length: u64, progress: &'a dyn Progress) -> Self {
        let mut size = 0;
        let mut starts = vec![0];
        starts.extend(files.iter().map(|file| {
            size += file.identity.bytes;
            size
        }));
        let pieces = size.div_ceil(piece_length);
        Self {
            files,
            starts,
            piece_length,
            pieces,
            run: (RUN_BYTES / piece_length).max(1),
            next: AtomicU64::new(0),
            hashes: Mutex::new(vec![0; index(pieces) * HASH_BYTES]),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            progress,
        }
    }

    fn runs(&self) -> u64 {
        self.pieces.div_ceil(self.run)
    }

    fn size(&self) -> u64 {
        self.starts.last().copied().unwrap_or_default()
    }

    /// Hashes runs until there are none left, or until any thread has failed.
    fn work(&self) {
        let mut reader = Reader { buffer: vec![0; CHUNK_BYTES].into_boxed_slice(), open: None };
        while !self.failed.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(self.run, Ordering::Relaxed);
            if first >= self.pieces {
                break;
            }
            if let Err(error) = self.hash_run(first..self.pieces.min(first + self.run), &mut reader) {
                self.failed.store(true, Ordering::Relaxed);
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
            }
        }
    }

    fn hash_run(&self, run: Range<u64>, reader: &mut Reader) -> Result<(), MakeError> {
        let mut hashes = Vec::with_capacity(index(run.end - run.start) * HASH_BYTES);
        let (start, end) = (run.start * self.piece_length, self.size().min(run.end * self.piece_length));
        for piece in run.clone() {
            let from = piece * self.piece_length;
            let mut hasher = Sha1::new();
            self.read(from..end.min(from + self.piece_length), reader, |bytes| hasher.update(bytes))?;
            hashes.extend_from_slice(&hasher.finalize());
        }
        let at = index(run.start) * HASH_BYTES;
        let mut all = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        all[at..at + hashes.len()].copy_from_slice(&hashes);
        drop(all);
        self.progress.hashed(end - start);
        Ok(())
    }

    /// Hands over the payload's bytes in `range`, from as many files as it takes.
    fn read(
        &self,
        range: Range<u64>,
        reader: &mut Reader,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), MakeError> {
        let mut at = range.start;
        // Of those that start at or before the byte, the last; empty files that start there come before it.
        let mut file = self.starts.partition_point(|start| *start <= at) - 1;
        while at < range.end {
            let end = range.end.min(self.starts[file + 1]);
            if at < end {
                reader.read(
                    file,
                    &self.files[file],
                    at - self.starts[file]..end - self.starts[file],
                    &mut take,
                )?;
                at = end;
            }
            file += 1;
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>, MakeError> {
        match self.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(self.hashes.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

/// A thread's own buffer and the file it read last.
struct Reader {
    buffer: Box<[u8]>,
    open: Option<(usize, File)>,
}

impl Reader {
    fn read(
        &mut self,
        number: usize,
        source: &Source,
        range: Range<u64>,
        take: &mut impl FnMut(&[u8]),
    ) -> Result<(), MakeError> {
        let file = match &mut self.open {
            Some((open, file)) if *open == number => file,
            open => &mut open.insert((number, opened(source)?)).1,
        };
        let mut at = range.start;
        while at < range.end {
            let wanted = usize::try_from(range.end - at).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
            match read_at(file, &mut self.buffer[..wanted], at) {
                Ok(0) => return Err(MakeError::Changed(source.path.clone())),
                Ok(count) => {
                    take(&self.buffer[..count]);
                    at += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(source, error)),
            }
        }
        Ok(())
    }
}

fn opened(source: &Source) -> Result<File, MakeError> {
    let file = File::open(&source.path).map_err(|error| unreadable(source, error))?;
    let metadata = file.metadata().map_err(|error| unreadable(source, error))?;
    check(source, Identity::of(&metadata))?;
    #[cfg(target_os = "linux")]
    {
        // Only a wish: a file system that does not know it reads all the same.
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential);
    }
    Ok(file)
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

fn check(source: &Source, now: Identity) -> Result<(), MakeError> {
    if now == source.identity { Ok(()) } else { Err(MakeError::Changed(source.path.clone())) }
}

/// A file that was there a moment ago.
fn unreadable(source: &Source, error: io::Error) -> MakeError {
    match error.kind() {
        io::ErrorKind::NotFound => MakeError::Changed(source.path.clone()),
        _ => MakeError::Unreadable { path: source.path.clone(), source: error },
    }
}

/// Lossless: there are at most [`super::PIECES_MAX`] pieces.
fn index(pieces: u64) -> usize {
    usize::try_from(pieces).unwrap_or(usize::MAX)
}
