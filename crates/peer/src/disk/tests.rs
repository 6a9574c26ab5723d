//! Torrents on a real disk, in temporary folders.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use bytes::Bytes;
use sha1::{Digest, Sha1};
use wire::metainfo::{Builder, Content, Metainfo};

use super::*;

mod attacks;
mod operations;
mod restart;
mod transfer;

/// A torrent of such files, or of a single one, and its payload.
pub(super) fn torrent(
    files: &[(Vec<String>, u64)],
    piece_bytes: u64,
    single: Option<&[u8]>,
) -> (Layout, Vec<u8>) {
    named_torrent("torrent", files, piece_bytes, single)
}

pub(super) fn named_torrent(
    name: &str,
    files: &[(Vec<String>, u64)],
    piece_bytes: u64,
    single: Option<&[u8]>,
) -> (Layout, Vec<u8>) {
    let mut payload = Vec::new();
    for (number, (path, bytes)) in files.iter().enumerate() {
        let pad = path.first().is_some_and(|folder| folder == ".pad");
        let byte =
            |at: u64| if pad { 0 } else { u8::try_from((at * 7 + at / 251 + number as u64) % 251).unwrap() };
        payload.extend((0..*bytes).map(byte));
    }
    let content = match single {
        Some(bytes) => {
            payload = bytes.to_vec();
            Content::File(bytes.len() as u64)
        }
        None => Content::Folder(files.to_vec()),
    };
    let chunk = usize::try_from(piece_bytes).unwrap();
    let pieces = payload.chunks(chunk).flat_map(|piece| <[u8; 20]>::from(Sha1::digest(piece))).collect();
    let mut bytes = Vec::new();
    Builder { name: name.to_owned(), content, piece_length: piece_bytes, pieces, ..Builder::default() }
        .encode(&mut bytes);
    (Layout::new(Arc::new(Metainfo::decode(&bytes).unwrap())).unwrap(), payload)
}

fn path(text: &str) -> Vec<String> {
    text.split('/').map(str::to_owned).collect()
}

/// A torrent that has what is awkward: an empty file, one of exactly two pieces, padding, pieces of several files,
/// blanks and other letters in names.
fn awkward() -> (Layout, Vec<u8>) {
    let files = [
        (path("a b/größe.txt"), 100_000),
        (path("empty"), 0),
        (path(".pad/31072"), 31_072),
        (path("exact"), 131_072),
        (path("tiny/1"), 5),
        (path("tiny/2"), 7),
        (path("tiny/deep/er/3"), 90_000),
    ];
    torrent(&files, 65_536, None)
}

/// A disk in a folder of its own, and one torrent on it.
struct Bench {
    folder: tempfile::TempDir,
    disk: Disk,
    layout: Layout,
    payload: Vec<u8>,
}

/// A torrent's storage, and what it says.
struct Open {
    storage: Storage,
    done: Receiver<Done>,
}

impl Bench {
    fn new((layout, payload): (Layout, Vec<u8>)) -> Self {
        let config = Config { open_files_max: 4, ..Config::default() };
        let folder = tempfile::tempdir().unwrap();
        Self { folder, disk: Disk::start(&config).unwrap(), layout, payload }
    }

    /// The same in memory where that can be had, for what would wait for a disk too often.
    fn in_memory(torrent: (Layout, Vec<u8>), config: &Config) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let (layout, payload) = torrent;
        Self { folder, disk: Disk::start(config).unwrap(), layout, payload }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    fn state_dir(&self) -> PathBuf {
        let state = self.folder.path().join("state");
        fs::create_dir_all(&state).unwrap();
        state
    }

    /// What is remembered of torrents.
    fn records(&self) -> Vec<PathBuf> {
        let all = fs::read_dir(self.state_dir()).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.extension().is_some_and(|end| end == "resume")).collect()
    }

    /// Where a finished file is.
    fn file(&self, name: &str) -> PathBuf {
        self.target().join("torrent").join(name)
    }

    fn parts(&self) -> PathBuf {
        self.target().join(format!(".skep-{}", self.layout.info_hash()))
    }

    fn open_at(&self, place: Place) -> Result<Open, Problem> {
        let (sender, done) = mpsc::channel();
        let sink = move |done| drop(sender.send(done));
        let storage = self.disk.open(self.layout.clone(), place, |_| true, sink)?;
        Ok(Open { storage, done })
    }

    fn open(&self) -> Open {
        self.open_at(Place::Download(self.target())).unwrap()
    }

    /// Opens and checks the download, believing what was saved.
    fn reopen(&self) -> (Open, Checked) {
        let open = self.open();
        let checked = open.storage.check(Some(&self.state_dir()), &no_progress).unwrap();
        (open, checked)
    }

    /// The torrent, all of it there under its own names, and saved.
    fn finished(&self) -> Open {
        let (open, checked) = self.reopen();
        assert!(checked.have.is_empty());
        open.fetch(&self.payload, 0..self.layout.pieces());
        open.storage.save(&self.state_dir()).unwrap();
        open
    }

    /// Whether all files are there as they should be, and nothing else.
    fn assert_complete(&self) {
        let mut at = 0;
        for (index, file) in self.layout.files().iter().enumerate() {
            let end = at + usize::try_from(file.length).unwrap();
            if self.layout.is_stored(index) {
                let path = self.layout.path(index).fold(self.target(), |path, name| path.join(name));
                let content = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert!(content == self.payload[at..end], "{} is wrong", path.display());
            }
            at = end;
        }
        assert!(!self.parts().exists(), "the hidden folder is gone");
    }
}

impl Open {
    /// Writes and verifies pieces.
    fn fetch(&self, payload: &[u8], pieces: impl IntoIterator<Item = u32>) {
        for piece in pieces {
            self.write_piece(payload, piece);
            self.storage.verify(piece);
            assert_eq!(self.hashed(), (piece, Ok(true)));
        }
    }

    fn write_piece(&self, payload: &[u8], piece: u32) {
        let layout = self.storage.layout();
        let start = usize::try_from(layout.position(piece, 0)).unwrap();
        let bytes = &payload[start..start + layout.piece_bytes(piece) as usize];
        for (begin, block) in (0..).step_by(16_384).zip(bytes.chunks(16_384)) {
            self.write(piece, begin, block);
        }
    }

    fn write(&self, piece: u32, begin: u32, block: &[u8]) {
        self.storage.write(piece, begin, Bytes::copy_from_slice(block), room());
    }

    /// The next hash that is said. Writes before it must have succeeded, and files have got their names.
    fn hashed(&self) -> (u32, Result<bool, Problem>) {
        loop {
            match self.done.recv().unwrap() {
                Done::Hashed { piece, good } => return (piece, good),
                Done::Written { outcome, .. } => outcome.unwrap(),
                Done::Named { outcome, .. } => drop(outcome.unwrap()),
                Done::Read { .. } => panic!("nothing was read"),
            }
        }
    }

    fn read(&self, piece: u32, begin: u32, bytes: u32) -> Result<Bytes, Problem> {
        self.storage.read(piece, begin, bytes, 7, room());
        match self.done.recv().unwrap() {
            Done::Read { tag: 7, data } => data,
            other => panic!("{other:?}"),
        }
    }
}

fn room() -> Room {
    Budget::new(1 << 20).try_take(1).unwrap()
}

fn no_progress(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}
