//! A torrent's files: positional reads and writes, hashing, and a name of their own once they are whole.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use engine::Bits;
use parking_lot::Mutex;
use sha1::{Digest, Sha1};
use wire::metainfo::Metainfo;
use wire::peer::Block;

/// Files that are open at once, of all torrents.
const OPEN_FILES_MAX: usize = 128;

/// Bytes that are read at once to be hashed.
const HASH_CHUNK_BYTES: usize = 256 << 10;

/// The length of a SHA-1, in bytes.
const HASH_BYTES: usize = 20;

/// Threads that read, write and hash, each in the order that it was told.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<mpsc::Sender<Job>>,
    open: Arc<OpenFiles>,
}

type Job = Box<dyn FnOnce() + Send>;

type OpenFile = (u64, usize, bool, Arc<File>);

/// Open files, the one used longest ago first.
#[derive(Debug, Default)]
struct OpenFiles(Mutex<VecDeque<OpenFile>>);

/// The files of one torrent.
#[derive(Debug)]
pub(crate) struct Files {
    /// Tells torrents apart among the open files.
    id: u64,
    metainfo: Arc<Metainfo>,
    /// Where in the payload each file starts.
    starts: Vec<u64>,
    /// The folder, or the only file.
    root: Mutex<PathBuf>,
    /// What the root is called once everything is there; `None` if it is shared as it is, and never written.
    named: Option<PathBuf>,
    open: Arc<OpenFiles>,
}

/// What failed, with which file: a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing} `{}`: {why}", path.display())]
pub struct Problem {
    /// What was tried, as a verb.
    pub doing: &'static str,
    /// With which file or folder.
    pub path: PathBuf,
    /// What came of it.
    pub why: String,
}

impl Lanes {
    /// Starts `count` threads.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let start = |n| {
            let (sender, jobs) = mpsc::channel::<Job>();
            let work = move || jobs.into_iter().for_each(|job| job());
            std::thread::Builder::new().name(format!("disk-{n}")).spawn(work)?;
            Ok(sender)
        };
        let lanes = (0..count.max(1)).map(start).collect::<io::Result<_>>()?;
        Ok(Self { lanes, open: Arc::default() })
    }

    /// Has `job` done after all that was told before for the same `piece`.
    pub(crate) fn run(&self, piece: u32, job: impl FnOnce() + Send + 'static) {
        let lane = &self.lanes[piece as usize % self.lanes.len()];
        // A lane ends only with all who could tell it something.
        let _ = lane.send(Box::new(job));
    }

    /// The files of a torrent that is shared from where it is: `root` is the folder, or the only file.
    pub(crate) fn shared(&self, metainfo: Arc<Metainfo>, root: PathBuf) -> Files {
        Files::new(metainfo, root, None, self.open.clone())
    }

    /// The files of a torrent that is fetched into `folder`.
    pub(crate) fn fetched(&self, metainfo: Arc<Metainfo>, folder: &Path) -> Files {
        let named = folder.join(metainfo.name());
        let root = if named.exists() { named.clone() } else { unfinished(&named) };
        Files::new(metainfo, root, Some(named), self.open.clone())
    }
}

impl Files {
    fn new(metainfo: Arc<Metainfo>, root: PathBuf, named: Option<PathBuf>, open: Arc<OpenFiles>) -> Self {
        let ends = metainfo.files().iter().scan(0, |end, file| {
            let start = *end;
            *end += file.length;
            Some(start)
        });
        let starts = ends.collect();
        Self { id: rand::random(), metainfo, starts, root: Mutex::new(root), named, open }
    }

    /// What the torrent says.
    pub(crate) fn metainfo(&self) -> &Arc<Metainfo> {
        &self.metainfo
    }

    /// Where the files are now.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.lock().clone()
    }

    /// Which pieces are there, by their hashes.
    ///
    /// # Errors
    /// Something is in the way, or cannot be read.
    pub(crate) fn check(&self, layout: &engine::Layout) -> Result<Bits, Problem> {
        let mut have = Bits::none(layout.pieces());
        if self.root().exists() {
            for piece in 0..layout.pieces() {
                if self.is_good(piece, layout).unwrap_or(false) {
                    have.insert(piece);
                }
            }
        }
        if self.named.as_ref() == Some(&self.root()) && !have.is_full() {
            let why = "something else has that name; move it away or choose another folder".to_owned();
            return Err(Problem { doing: "write to", path: self.root(), why });
        }
        Ok(have)
    }

    /// Whether `piece` has the hash that it must have.
    pub(crate) fn is_good(&self, piece: u32, layout: &engine::Layout) -> Result<bool, Problem> {
        let mut hash = Sha1::new();
        let mut position = u64::from(piece) * u64::from(layout.piece_bytes_max());
        let mut left = layout.piece_bytes(piece) as usize;
        let mut chunk = vec![0; left.min(HASH_CHUNK_BYTES)];
        while left > 0 {
            let chunk_bytes = left.min(chunk.len());
            self.read_at(position, &mut chunk[..chunk_bytes])?;
            hash.update(&chunk[..chunk_bytes]);
            position += chunk_bytes as u64;
            left -= chunk_bytes;
        }
        let at = piece as usize * HASH_BYTES;
        let expected = self.metainfo.pieces().get(at..at + HASH_BYTES);
        Ok(expected == Some(hash.finalize().as_slice()))
    }

    /// Reads a block.
    pub(crate) fn read(&self, block: Block) -> Result<Vec<u8>, Problem> {
        let mut data = vec![0; block.length as usize];
        self.read_at(self.position(block), &mut data)?;
        Ok(data)
    }

    /// Writes a block.
    pub(crate) fn write(&self, block: Block, data: &[u8]) -> Result<(), Problem> {
        let mut done = 0;
        for (file, offset, bytes) in self.spans(self.position(block), data.len()) {
            if let Some(file) = file {
                let part = &data[done..done + bytes];
                let opened = self.open(file, true)?;
                opened.write_all_at(part, offset).map_err(|error| self.problem("write to", file, &error))?;
            }
            done += bytes;
        }
        Ok(())
    }

    /// Makes what has no bytes, and gives everything its own name. Where it is now.
    pub(crate) fn finish(&self) -> Result<PathBuf, Problem> {
        for (file, entry) in self.metainfo.files().iter().enumerate() {
            if entry.length == 0 && !entry.pad && !entry.symlink && self.named.is_some() {
                self.open(file, true)?;
            }
        }
        let mut root = self.root.lock();
        if let Some(named) = self.named.as_ref().filter(|named| **named != *root) {
            let fail = |why: String| Problem { doing: "give its name to", path: named.clone(), why };
            if named.exists() {
                return Err(fail("something else has that name".to_owned()));
            }
            fs::rename(&*root, named).map_err(|error| fail(error.to_string()))?;
            root.clone_from(named);
        }
        Ok(root.clone())
    }

    fn position(&self, block: Block) -> u64 {
        u64::from(block.piece) * self.metainfo.piece_length() + u64::from(block.begin)
    }

    fn read_at(&self, position: u64, data: &mut [u8]) -> Result<(), Problem> {
        let mut done = 0;
        for (file, offset, bytes) in self.spans(position, data.len()) {
            let part = &mut data[done..done + bytes];
            match file {
                Some(file) => {
                    let opened = self.open(file, false)?;
                    opened.read_exact_at(part, offset).map_err(|error| self.problem("read", file, &error))?;
                }
                None => part.fill(0),
            }
            done += bytes;
        }
        Ok(())
    }

    /// Which files some bytes are in: the file (`None` for padding), where in it, and how many.
    fn spans(&self, position: u64, bytes: usize) -> impl Iterator<Item = (Option<usize>, u64, usize)> {
        let end = position + bytes as u64;
        let first = self.starts.partition_point(|start| *start <= position).saturating_sub(1);
        let files = self.metainfo.files().iter().zip(&self.starts).enumerate().skip(first);
        let touched = files.take_while(move |(_, (_, start))| **start < end);
        touched.filter_map(move |(index, (file, start))| {
            let from = position.max(*start);
            let to = end.min(start + file.length);
            let bytes = usize::try_from(to.checked_sub(from)?).ok().filter(|bytes| *bytes > 0)?;
            Some(((!file.pad && !file.symlink).then_some(index), from - start, bytes))
        })
    }

    fn path(&self, file: usize) -> PathBuf {
        let mut path = self.root();
        if !self.metainfo.is_single_file() {
            path.extend(&self.metainfo.files()[file].path);
        }
        path
    }

    fn open(&self, file: usize, write: bool) -> Result<Arc<File>, Problem> {
        if let Some(open) = self.open.get(self.id, file, write) {
            return Ok(open);
        }
        let path = self.path(file);
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        if write {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)
                    .map_err(|error| self.problem("make the folder of", file, &error))?;
            }
            options.write(true).create(true).truncate(false);
        } else if self.named.is_none() {
            // What the person named may be a link.
            options.custom_flags(0);
        }
        let opened = Arc::new(options.open(&path).map_err(|error| self.problem("open", file, &error))?);
        self.open.put((self.id, file, write, opened.clone()));
        Ok(opened)
    }

    fn problem(&self, doing: &'static str, file: usize, error: &io::Error) -> Problem {
        let why = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it is shorter than in the torrent".to_owned(),
            io::ErrorKind::StorageFull => "the disk is full".to_owned(),
            io::ErrorKind::NotFound => "it is not there".to_owned(),
            io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        Problem { doing, path: self.path(file), why }
    }
}

impl OpenFiles {
    fn get(&self, id: u64, file: usize, write: bool) -> Option<Arc<File>> {
        let mut open = self.0.lock();
        let is_it = |entry: &OpenFile| entry.0 == id && entry.1 == file && (entry.2 || !write);
        let at = open.iter().rposition(is_it)?;
        let entry = open.remove(at)?;
        let found = entry.3.clone();
        open.push_back(entry);
        Some(found)
    }

    fn put(&self, entry: OpenFile) {
        let mut open = self.0.lock();
        if open.len() == OPEN_FILES_MAX {
            open.pop_front();
        }
        open.push_back(entry);
    }
}

/// What `named` is called while it is not whole.
fn unfinished(named: &Path) -> PathBuf {
    let mut name = named.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}
