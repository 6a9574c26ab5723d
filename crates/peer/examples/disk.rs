//! How fast a torrent is written, hashed, checked and read: `cargo run --release -p peer --example disk [MIB [FOLDER]]`.
//!
//! The folder should be in memory (`/dev/shm`, where it is by default): then what is measured is the program.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use bytes::Bytes;
use peer::disk::{Config, Disk, Done, Layout, Place, Storage};
use sha1::{Digest, Sha1};
use wire::metainfo::{Builder, Content, Metainfo};

const PIECE_BYTES: u32 = 1 << 20;
const BLOCK_BYTES: u32 = 16 << 10;

/// Blocks in a piece.
const BLOCKS: u32 = PIECE_BYTES / BLOCK_BYTES;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mib: u32 = arguments.next().as_deref().unwrap_or("1024").parse()?;
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "/dev/shm".to_owned()));
    let target = tempfile::tempdir_in(folder)?;

    // Each piece is another stretch of the same bytes, so that making them takes no memory and no time.
    let source: Vec<u8> =
        (0..4 * PIECE_BYTES).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let source = Bytes::from(source);
    let layout = layout(mib, &source)?;
    let disk = Disk::start(&Config::default())?;

    for (what, order) in [("blocks in order", 1), ("from four peers in turn", 4)] {
        let (storage, done) = open(&disk, &layout, target.path().join(what))?;
        measure(&format!("write and hash, {what}"), mib, || {
            write(&disk, &storage, &done, &source, mib, order);
        });
        measure("read", mib, || read(&disk, &storage, &done, mib));
        measure("check", mib, || {
            let checked = storage.check(None, &|_| ControlFlow::Continue(()));
            assert!(checked.is_ok_and(|checked| checked.have.is_full()), "the check finds all pieces");
        });
    }
    println!("peak memory {}", status("VmHWM"));
    drop(disk);
    idle(target.path())
}

/// What a thousand torrents of 64 MiB cost that are shared and that nobody asks for.
fn idle(target: &Path) -> Result<(), Box<dyn Error>> {
    const TORRENTS: u32 = 1_000;
    let disk = Disk::start(&Config::default())?;
    let before = status("VmRSS");
    let mut torrents = Vec::new();
    for number in 0..TORRENTS {
        let pieces: Vec<u8> = number.to_be_bytes().repeat(5 * 64);
        let path = target.join(number.to_string());
        std::fs::File::create(&path)?.set_len(64 << 20)?;
        let metainfo = metainfo(64, pieces)?;
        let layout = Layout::new(Arc::new(metainfo))?;
        torrents.push(disk.open(layout, Place::Source(path), |_| true, drop)?);
    }
    let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    println!(
        "{} idle torrents: {descriptors} descriptors, memory {before} -> {}",
        torrents.len(),
        status("VmRSS")
    );
    Ok(())
}

/// Writes every piece, its blocks as they come from so many peers, and waits until all are verified.
fn write(disk: &Disk, storage: &Storage, done: &Receiver<Done>, source: &Bytes, mib: u32, peers: u32) {
    let mut verified = 0;
    let mut take = |done: Done| match done {
        Done::Hashed { good: Ok(true), .. } => verified += 1,
        Done::Written { outcome: Ok(()), .. } | Done::Named { outcome: Ok(_), .. } => {}
        other => panic!("{other:?}"),
    };
    for piece in 0..mib {
        let data = piece_data(source, piece);
        for block in 0..BLOCKS {
            // Each peer sends a run of its own, and they take turns.
            let block = block % peers * (BLOCKS / peers) + block / peers;
            let begin = block * BLOCK_BYTES;
            let room = loop {
                match disk.incoming().try_take(BLOCK_BYTES) {
                    Some(room) => break room,
                    None => take(done.recv().expect("the disk answers")),
                }
            };
            storage.write(piece, begin, data.slice(begin as usize..(begin + BLOCK_BYTES) as usize), room);
        }
        storage.verify(piece);
    }
    while storage.have().count() < mib {
        take(done.recv().expect("the disk answers"));
    }
}

/// Reads every block, sixteen at a time as a busy peer asks for them.
fn read(disk: &Disk, storage: &Storage, done: &Receiver<Done>, mib: u32) {
    let blocks = mib * BLOCKS;
    let (mut asked, mut answered) = (0, 0);
    while answered < blocks {
        while asked < blocks && asked < answered + 16 {
            let Some(room) = disk.outgoing().try_take(BLOCK_BYTES) else { break };
            storage.read(asked / BLOCKS, asked % BLOCKS * BLOCK_BYTES, BLOCK_BYTES, 0, room);
            asked += 1;
        }
        match done.recv().expect("the disk answers") {
            Done::Read { data: Ok(_), .. } => answered += 1,
            Done::Read { data: Err(problem), .. } => panic!("{problem}"),
            _ => {}
        }
    }
}

fn open(disk: &Disk, layout: &Layout, target: PathBuf) -> Result<(Storage, Receiver<Done>), Box<dyn Error>> {
    let (sender, done) = mpsc::channel();
    let sink = move |done| drop(sender.send(done));
    let storage = disk.open(layout.clone(), Place::Download(target), |_| true, sink)?;
    storage.check(None, &|_| ControlFlow::Continue(()))?;
    Ok((storage, done))
}

fn layout(mib: u32, source: &Bytes) -> Result<Layout, Box<dyn Error>> {
    let pieces =
        (0..mib).flat_map(|piece| <[u8; 20]>::from(Sha1::digest(piece_data(source, piece)))).collect();
    Ok(Layout::new(Arc::new(metainfo(mib, pieces)?))?)
}

fn metainfo(mib: u32, pieces: Vec<u8>) -> Result<Metainfo, Box<dyn Error>> {
    let content = Content::File(u64::from(mib) << 20);
    let builder = Builder {
        name: "payload".into(),
        content,
        piece_length: PIECE_BYTES.into(),
        pieces,
        ..Builder::default()
    };
    let mut bytes = Vec::new();
    builder.encode(&mut bytes);
    Ok(Metainfo::decode(&bytes)?)
}

fn piece_data(source: &Bytes, piece: u32) -> Bytes {
    let start = (piece % 1_000 * 3_001) as usize;
    source.slice(start..start + PIECE_BYTES as usize)
}

fn measure(what: &str, mib: u32, work: impl FnOnce()) {
    let (start, cpu_start) = (Instant::now(), cpu_secs());
    work();
    let (secs, cpu) = (start.elapsed().as_secs_f64(), cpu_secs() - cpu_start);
    let rate = f64::from(mib) * 1.048_576 / secs;
    println!("{what:40} {rate:8.0} MB/s  {secs:6.2} s  {cpu:6.2} s CPU");
}

/// The processor time of this process, in seconds; 0 where it cannot be asked for.
fn cpu_secs() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn status(field: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}
