use std::collections::HashMap;
use std::io::IoSlice;
use std::mem;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use sha1::Digest;

use super::assembly::{Assembly, Rest};
use super::check::read_back;
use super::files::write_at;
use super::pool::{Job, Write};
use super::problem::{Cause, Doing, Problem};
use super::storage::Inner;
use super::{Done, READ_BACK_BYTES};

/// Blocks that came before those in front of them, kept in memory by one thread, in bytes.
const HELD_BYTES_MAX: usize = 2 << 20;

/// Pieces whose hash one thread keeps under way. Others are read back.
const ASSEMBLIES_MAX: usize = 1_024;

/// What is written with one call, in bytes; little enough to be in the core's cache still when it is hashed.
const RUN_BYTES_MAX: usize = 256 << 10;

/// A thread that writes and hashes.
pub(super) struct Writer {
    assemblies: HashMap<(u64, u32), (Weak<Inner>, Assembly)>,
    held_room: usize,
    run: Vec<Write>,
    scratch: Box<[u8]>,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            assemblies: HashMap::new(),
            held_room: HELD_BYTES_MAX,
            run: Vec::new(),
            scratch: Box::default(),
        }
    }
}

impl Writer {
    /// Does a batch, and tells the torrents.
    pub(super) fn run(&mut self, batch: &mut Vec<Job>) {
        for job in batch.drain(..) {
            match job {
                Job::Write(write) => self.run.push(write),
                Job::Verify { storage, piece } => {
                    self.write_all();
                    self.verify(&storage, piece);
                }
                Job::Mark { .. } => self.write_all(),
            }
        }
        self.write_all();
    }

    /// Writes what was gathered.
    fn write_all(&mut self) {
        let mut writes = mem::take(&mut self.run);
        sort(&mut writes);
        let mut writes = writes.into_iter().peekable();
        let mut run = Vec::new();
        while let Some(first) = writes.next() {
            let Some(first) = accepted(first) else { continue };
            let mut end = position(&first) + first.data.len() as u64;
            let mut bytes = first.data.len();
            run.push(first);
            while let Some(next) = writes.next_if(|next| {
                let storage = &run[0].storage;
                next.storage.id == storage.id && position(next) == end && bytes < RUN_BYTES_MAX
            }) {
                let Some(next) = accepted(next) else { break };
                end += next.data.len() as u64;
                bytes += next.data.len();
                run.push(next);
            }
            let outcome = write_run(&run);
            for write in run.drain(..) {
                self.written(write, outcome.clone());
            }
        }
    }

    fn written(&mut self, write: Write, outcome: Result<(), Problem>) {
        let Write { storage, piece, begin, data, room } = write;
        let assemblies = &mut self.assemblies;
        if assemblies.len() >= ASSEMBLIES_MAX && !assemblies.contains_key(&(storage.id, piece)) {
            self.make_way();
        }
        let entry = self.assemblies.entry((storage.id, piece));
        let (_, assembly) = entry.or_insert_with(|| (Arc::downgrade(&storage), Assembly::default()));
        match &outcome {
            Ok(()) => assembly.add(begin, &data, &mut self.held_room),
            Err(problem) => assembly.fail(problem),
        }
        let bytes = length(&data);
        drop((data, room));
        storage.sink.done(Done::Written { piece, begin, bytes, outcome });
    }

    fn verify(&mut self, storage: &Arc<Inner>, piece: u32) {
        let (_, assembly) = self.assemblies.remove(&(storage.id, piece)).unwrap_or_default();
        if storage.has(piece) {
            storage.sink.done(Done::Hashed { piece, good: Ok(true) });
            return;
        }
        let good = self.hash(storage, piece, assembly);
        if good == Ok(true) {
            storage.verified(piece);
        }
        storage.sink.done(Done::Hashed { piece, good });
    }

    fn hash(&mut self, storage: &Inner, piece: u32, assembly: Assembly) -> Result<bool, Problem> {
        let layout = storage.site.layout();
        let (mut hasher, rest) = assembly.finish(layout.piece_bytes(piece), &mut self.held_room)?;
        for part in rest {
            match part {
                Rest::Held(data) => hasher.update(&data),
                Rest::OnDisk { begin, bytes } => {
                    if self.scratch.is_empty() {
                        self.scratch = vec![0; READ_BACK_BYTES].into();
                    }
                    read_back(storage, piece, begin, bytes, &mut self.scratch, &mut hasher)?;
                }
            }
        }
        Ok(layout.hash(piece) == Some(hasher.finalize().into()))
    }

    /// Forgets the pieces of torrents that are gone, or else one piece, which will be read back.
    fn make_way(&mut self) {
        let room = &mut self.held_room;
        self.assemblies.retain(|_, (storage, assembly)| {
            let keep = storage.strong_count() > 0;
            if !keep {
                assembly.release(room);
            }
            keep
        });
        if self.assemblies.len() >= ASSEMBLIES_MAX
            && let Some(key) = self.assemblies.keys().next().copied()
            && let Some((_, mut assembly)) = self.assemblies.remove(&key)
        {
            assembly.release(&mut self.held_room);
        }
    }
}

/// Brings neighbors together, unless some blocks lie over others: then the last one that came must win.
fn sort(writes: &mut [Write]) {
    let key = |write: &Write| (write.storage.id, write.piece, write.begin);
    if writes.is_sorted_by_key(key) {
        return;
    }
    let mut ranges: Vec<_> = writes.iter().map(|write| (key(write), write.data.len())).collect();
    ranges.sort_unstable();
    let apart = ranges.windows(2).all(|pair| {
        let [((storage, piece, begin), bytes), (next, _)] = pair else { return true };
        (*storage, *piece) != (next.0, next.1) || u64::from(*begin) + *bytes as u64 <= u64::from(next.2)
    });
    if apart {
        writes.sort_unstable_by_key(key);
    }
}

fn position(write: &Write) -> u64 {
    write.storage.site.layout().position(write.piece, write.begin)
}

/// The block as it is kept, with zeros where padding is; `None` if it is not written at all, which is said.
fn accepted(mut write: Write) -> Option<Write> {
    let storage = &write.storage;
    let layout = storage.site.layout();
    let outcome = if !layout.contains(write.piece, write.begin, write.data.len()) {
        let bytes = write.data.len();
        let why = format!("piece {} has no {bytes} bytes from {}", write.piece, write.begin);
        Err(Problem::new(Doing::Write, storage.site.root(), Cause::Unfit(why)))
    } else if !storage.begin(write.piece) {
        Ok(())
    } else {
        if layout.is_padded() {
            write.data = with_padding(&write);
        }
        return Some(write);
    };
    let (piece, begin, bytes) = (write.piece, write.begin, length(&write.data));
    storage.sink.done(Done::Written { piece, begin, bytes, outcome });
    None
}

/// The data, with zeros where padding is: what would be read back.
fn with_padding(write: &Write) -> Bytes {
    let layout = write.storage.site.layout();
    let spans = || layout.spans(position(write), write.data.len());
    if spans().all(|span| span.file.is_some()) {
        return write.data.clone();
    }
    let mut data = write.data.to_vec();
    let mut at = 0;
    for span in spans() {
        if span.file.is_none() {
            data[at..at + span.bytes].fill(0);
        }
        at += span.bytes;
    }
    data.into()
}

/// Writes neighboring blocks of one torrent.
fn write_run(run: &[Write]) -> Result<(), Problem> {
    let Some(first) = run.first() else { return Ok(()) };
    let storage = &first.storage;
    let total = run.iter().map(|write| write.data.len()).sum();
    let mut rest = run.iter().map(|write| &write.data[..]);
    let mut current: &[u8] = &[];
    let mut parts = Vec::new();
    for span in storage.site.layout().spans(position(first), total) {
        parts.clear();
        let mut missing = span.bytes;
        while missing > 0 {
            if current.is_empty() {
                match rest.next() {
                    Some(data) => current = data,
                    None => break,
                }
            }
            let (part, later) = current.split_at(missing.min(current.len()));
            missing -= part.len();
            current = later;
            parts.push(IoSlice::new(part));
        }
        if let Some(file) = span.file {
            let open = storage.file(file, true)?;
            write_at(&open, &mut parts, span.offset)
                .map_err(|error| storage.problem(Doing::Write, file, &error))?;
        }
    }
    Ok(())
}

/// Blocks are inside pieces, which have at most 2^30 bytes.
fn length(data: &Bytes) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}
