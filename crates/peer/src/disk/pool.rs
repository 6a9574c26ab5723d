//! The threads that read, write and hash.
//!
//! All that concerns one piece is done by one thread, in the order in which it was asked for: so a piece's hash needs no
//! lock, and is taken of blocks that are still in that core's cache. What waits is taken in batches, and neighbors among
//! it are read or written with one call. Reads have threads of their own, so that an upload never waits for a hash.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::{io, mem, thread};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::budget::{Budget, Room};
use super::buffers::Buffers;
use super::claims::{Claim, Claims};
use super::files::Files;
use super::place::{Place, Site};
use super::problem::{Cause, Doing, Problem};
use super::storage::{Inner, State, Storage, Wanted};
use super::{Config, Layout, Pieces, Sink, reader, writer};

/// The disk of a peer: all its torrents' files. Clones are the same; with the last one the threads end, after what
/// was asked of them.
#[derive(Debug, Clone)]
pub struct Disk {
    shared: Arc<Shared>,
    _threads: Arc<Threads>,
}

/// What a torrent's storage needs of the disk.
pub(super) struct Shared {
    pub(super) files: Files,
    pub(super) claims: Claims,
    /// Held while a torrent's files are hashed, which takes all cores.
    pub(super) hashing: Mutex<()>,
    pub(super) buffers: Arc<Buffers>,
    reads: Queue<Read>,
    writes: Box<[Queue<Job>]>,
    incoming: Budget,
    outgoing: Budget,
    next_id: AtomicU64,
}

/// A block to be read.
pub(super) struct Read {
    pub(super) storage: Arc<Inner>,
    pub(super) piece: u32,
    pub(super) begin: u32,
    pub(super) bytes: usize,
    pub(super) tag: u64,
    pub(super) room: Room,
}

/// A block to be written.
pub(super) struct Write {
    pub(super) storage: Arc<Inner>,
    pub(super) piece: u32,
    pub(super) begin: u32,
    pub(super) data: Bytes,
    pub(super) room: Room,
}

/// What a thread that writes is asked for.
pub(super) enum Job {
    Write(Write),
    Verify {
        storage: Arc<Inner>,
        piece: u32,
    },
    /// Dropped once all before it is done.
    Mark {
        _done: mpsc::Sender<Infallible>,
    },
}

/// The most requests that a thread takes at once.
pub(super) const BATCH_MAX: usize = 64;

impl Disk {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// The system's, if it gives no threads.
    pub fn start(config: &Config) -> io::Result<Self> {
        let writers = config.writers.max(1);
        let shared = Arc::new(Shared {
            files: Files::new(config.open_files_max),
            claims: Claims::default(),
            hashing: Mutex::default(),
            buffers: Arc::new(Buffers::new(config.outgoing_bytes_max as usize)),
            reads: Queue::default(),
            writes: (0..writers).map(|_| Queue::default()).collect(),
            incoming: Budget::new(config.incoming_bytes_max),
            outgoing: Budget::new(config.outgoing_bytes_max),
            next_id: AtomicU64::new(0),
        });
        let mut threads = Threads { shared: shared.clone(), handles: Vec::new() };
        for number in 0..config.readers.max(1) {
            let shared = shared.clone();
            let name = format!("disk-read-{number}");
            let run = move || shared.reads.serve(&mut |batch| reader::run(&shared.buffers, batch));
            threads.handles.push(thread::Builder::new().name(name).spawn(run)?);
        }
        for number in 0..writers {
            let shared = shared.clone();
            let name = format!("disk-write-{number}");
            let run = move || {
                let mut writer = writer::Writer::default();
                shared.writes[number].serve(&mut |batch| writer.run(batch));
            };
            threads.handles.push(thread::Builder::new().name(name).spawn(run)?);
        }
        Ok(Self { shared, _threads: Arc::new(threads) })
    }

    /// Opens the files of a torrent, of which those that `wants` names shall be there. Nothing is read yet; see
    /// [`Storage::check`]. It waits for the disk.
    ///
    /// # Errors
    ///
    /// The folder cannot be used, does not take the names, or another torrent or process is writing there.
    pub fn open(
        &self,
        layout: Layout,
        place: Place,
        wants: impl Fn(usize) -> bool,
        sink: impl Sink,
    ) -> Result<Storage, Problem> {
        let name = layout.metainfo().name().to_owned();
        let info_hash = layout.info_hash();
        let wanted =
            Wanted { files: (0..layout.files().len()).map(&wants).collect(), pieces: layout.wanted(&wants) };
        let state = State {
            have: Pieces::none(layout.pieces()),
            begun: Pieces::none(layout.pieces()),
            files: vec![Default::default(); layout.files().len()].into(),
            missing: wanted.pieces.count(),
            lock: None,
        };
        let site = Site::new(place, layout);
        let claim = if site.is_source() {
            None
        } else {
            let (device, inode) = site.prepare()?;
            Some(Claim { device, inode, name })
        };
        if let Some(claim) = &claim
            && let Err(other) = self.shared.claims.take(claim, info_hash)
        {
            let path = site.root().join(&claim.name);
            return Err(Problem::new(Doing::Write, path, Cause::Claimed(other)));
        }
        let inner = Inner {
            id: self.shared.next_id.fetch_add(1, Ordering::Relaxed),
            site,
            wanted,
            shared: self.shared.clone(),
            sink: Box::new(sink),
            state: Mutex::new(state),
            claim,
        };
        inner.lock_parts()?;
        Ok(Storage::new(inner))
    }

    /// What may have come from the network and not be written yet. Whoever takes room before reading from a socket
    /// keeps the peer's memory bounded and lets the other side wait while the disk is slow.
    #[must_use]
    pub fn incoming(&self) -> &Budget {
        &self.shared.incoming
    }

    /// What may have been read and not be sent yet. A connection that is slow to send should take little of it.
    #[must_use]
    pub fn outgoing(&self) -> &Budget {
        &self.shared.outgoing
    }

    /// How many files are open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.shared.files.len()
    }
}

impl Shared {
    pub(super) fn read(&self, read: Read) {
        self.reads.push(read);
    }

    /// Everything about a piece goes to the same thread.
    pub(super) fn write(&self, storage: u64, piece: u32, job: Job) {
        let number = storage.wrapping_add(u64::from(piece)) % self.writes.len() as u64;
        if let Some(queue) = usize::try_from(number).ok().and_then(|number| self.writes.get(number)) {
            queue.push(job);
        }
    }
}

impl Shared {
    /// Waits until all that was to be written is, as far as that was asked for before. Not for the disk's own threads.
    pub(super) fn finish_writes(&self) {
        let (done, marks) = mpsc::channel();
        self.writes.iter().for_each(|queue| queue.push(Job::Mark { _done: done.clone() }));
        drop(done);
        // It is never sent anything, and ends with the last mark.
        let _ = marks.recv();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("files", &self.files).finish_non_exhaustive()
    }
}

/// The threads; they end with this.
struct Threads {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.reads.close();
        self.shared.writes.iter().for_each(Queue::close);
        for handle in mem::take(&mut self.handles) {
            // A sink may hold the disk, and be dropped by the thread that used it last.
            if handle.thread().id() != thread::current().id() {
                let _ = handle.join();
            }
        }
    }
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").field("handles", &self.handles).finish_non_exhaustive()
    }
}

/// What waits for a thread. Its length is bounded by the budgets: nothing but a verification is in it without room.
struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    more: Condvar,
}

struct Waiting<T> {
    jobs: VecDeque<T>,
    closed: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let waiting = Waiting { jobs: VecDeque::new(), closed: false };
        Self { waiting: Mutex::new(waiting), more: Condvar::new() }
    }
}

impl<T> Queue<T> {
    fn push(&self, job: T) {
        let mut waiting = self.waiting.lock();
        if !waiting.closed {
            waiting.jobs.push_back(job);
            drop(waiting);
            self.more.notify_one();
        }
    }

    fn close(&self) {
        self.waiting.lock().closed = true;
        self.more.notify_all();
    }

    /// Hands batches to `work` until the queue is closed and empty.
    fn serve(&self, work: &mut dyn FnMut(&mut Vec<T>)) {
        let mut batch = Vec::new();
        loop {
            {
                let mut waiting = self.waiting.lock();
                while waiting.jobs.is_empty() {
                    if waiting.closed {
                        return;
                    }
                    self.more.wait(&mut waiting);
                }
                let take = waiting.jobs.len().min(BATCH_MAX);
                batch.extend(waiting.jobs.drain(..take));
            }
            work(&mut batch);
            batch.clear();
        }
    }
}
