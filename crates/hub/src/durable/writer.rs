use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use swarm::InfoHash;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::store::{Change, Effect, Fault, Store};

/// How long completed downloads are gathered before they are written, unless something else is written earlier.
const COMPLETED_DELAY: Duration = Duration::from_secs(1);

/// How long they are kept after they could not be written, before the next try.
const COMPLETED_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Different torrents whose completed downloads are gathered; those of more are lost and counted as lost.
pub(crate) const COMPLETED_PENDING_MAX: usize = 65_536;

/// Changes in one transaction.
const BATCH_CHANGES_MAX: usize = 1_024;

/// The queue is measured in units of so many bytes; every job takes one unit at least, which bounds their number.
const UNIT_BYTES: usize = 1_024;

/// The thread that writes, and the bounded queue before it.
pub(super) struct Writer {
    /// `None` only while dropping. What is sent holds its part of `units`, which bounds the channel; a
    /// [`Message::Completions`] is sent once between two times that `pending` is emptied.
    sender: Option<Sender<Message>>,
    units: Arc<Semaphore>,
    units_max: u32,
    pending: Arc<Pending>,
    thread: Option<JoinHandle<()>>,
}

/// A place in the queue, given back when what took it is answered.
pub(crate) type Room = OwnedSemaphorePermit;

enum Message {
    Job(Job),
    /// There are completed downloads to be written.
    Completions,
}

struct Job {
    /// `None` to have only what is pending on disk.
    change: Option<Change>,
    answer: oneshot::Sender<Result<Option<Effect>, Fault>>,
    room: Room,
}

/// Completed downloads that are not written yet.
#[derive(Default)]
struct Pending {
    counts: Mutex<HashMap<InfoHash, u32>>,
    lost: AtomicU64,
}

impl Writer {
    pub(super) fn start(store: Box<dyn Store>, queue_bytes_max: usize) -> Self {
        let (sender, receiver) = channel();
        let pending = Arc::new(Pending::default());
        let units_max = u32::try_from(queue_bytes_max.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).max(1);
        let units = Arc::new(Semaphore::new((units_max as usize).min(Semaphore::MAX_PERMITS)));
        let thread = {
            let pending = Arc::clone(&pending);
            std::thread::Builder::new().name("store".into()).spawn(move || {
                Loop { store, receiver, pending, due: None }.run();
            })
        };
        // Without a thread the receiver is gone, and every job is answered with a fault.
        let thread = thread.map_err(|error| tracing::error!(%error, "cannot start the store's writer")).ok();
        Self { sender: Some(sender), units, units_max, pending, thread }
    }

    /// Room for `bytes` if there is some now.
    pub(super) fn room_now(&self, bytes: usize) -> Option<Room> {
        Arc::clone(&self.units).try_acquire_many_owned(self.units_of(bytes)).ok()
    }

    /// Room for `bytes` as soon as there is some.
    pub(super) async fn room(&self, bytes: usize) -> Result<Room, Fault> {
        Arc::clone(&self.units).acquire_many_owned(self.units_of(bytes)).await.map_err(|_| stopped())
    }

    /// What is larger than the whole queue takes all of it.
    fn units_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes / UNIT_BYTES + 1).unwrap_or(u32::MAX).min(self.units_max)
    }

    /// Makes a change; it is on disk when this returns.
    pub(super) async fn change(&self, change: Change, room: Room) -> Result<Effect, Fault> {
        self.send(Some(change), room).await?.ok_or_else(stopped)
    }

    /// Writes what is pending; it is on disk when this returns.
    pub(super) async fn flush(&self, room: Room) -> Result<(), Fault> {
        self.send(None, room).await.map(drop)
    }

    async fn send(&self, change: Option<Change>, room: Room) -> Result<Option<Effect>, Fault> {
        let (answer, answered) = oneshot::channel();
        let job = Job { change, answer, room };
        let sender = self.sender.as_ref().ok_or_else(stopped)?;
        sender.send(Message::Job(job)).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Counts a completed download; waits for nothing but a lock that is never held over any work.
    pub(super) fn completed(&self, hash: InfoHash) {
        let first = self.pending.add(hash, 1);
        if let (true, Some(sender)) = (first, &self.sender) {
            // If the thread is gone the counts stay where they are, and `flush` tells.
            let _ = sender.send(Message::Completions);
        }
    }

    /// Units of the queue that are in use.
    #[cfg(test)]
    pub(super) fn units_taken(&self) -> usize {
        self.units_max as usize - self.units.available_permits()
    }

    pub(super) fn completed_lost(&self) -> u64 {
        self.pending.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

impl Pending {
    /// Whether it was empty before.
    fn add(&self, hash: InfoHash, count: u32) -> bool {
        let mut counts = self.counts.lock();
        let first = counts.is_empty();
        let full = counts.len() >= COMPLETED_PENDING_MAX;
        match counts.get_mut(&hash) {
            Some(known) => *known = known.saturating_add(count),
            None if full => drop(self.lost.fetch_add(u64::from(count), Ordering::Relaxed)),
            None => drop(counts.insert(hash, count)),
        }
        first
    }

    fn take(&self) -> HashMap<InfoHash, u32> {
        std::mem::take(&mut *self.counts.lock())
    }
}

/// The writing thread.
struct Loop {
    store: Box<dyn Store>,
    receiver: Receiver<Message>,
    pending: Arc<Pending>,
    /// When completed downloads are to be written; `None` while there are none.
    due: Option<Instant>,
}

impl Loop {
    /// Until the last sender is gone and all is written.
    fn run(mut self) {
        loop {
            match self.next() {
                Ok(Message::Job(job)) => {
                    let batch = self.batch(job);
                    self.write(batch);
                }
                Ok(Message::Completions) => {
                    self.due.get_or_insert_with(|| Instant::now() + COMPLETED_DELAY);
                }
                Err(RecvTimeoutError::Timeout) => self.write(Vec::new()),
                Err(RecvTimeoutError::Disconnected) => return self.write(Vec::new()),
            }
        }
    }

    fn next(&self) -> Result<Message, RecvTimeoutError> {
        match self.due {
            Some(due) => self.receiver.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => self.receiver.recv().map_err(RecvTimeoutError::from),
        }
    }

    /// `first` and what else waits.
    fn batch(&self, first: Job) -> Vec<Job> {
        let mut batch = vec![first];
        while batch.len() < BATCH_CHANGES_MAX {
            match self.receiver.try_recv() {
                Ok(Message::Job(job)) => batch.push(job),
                // They are written with this batch.
                Ok(Message::Completions) => {}
                Err(_) => break,
            }
        }
        batch
    }

    /// Writes a batch, and the pending completed downloads with it, in one transaction; then answers.
    fn write(&mut self, batch: Vec<Job>) {
        let completed = self.pending.take();
        self.due = None;
        let mut changes = Vec::with_capacity(batch.len() + completed.len());
        let mut answers = Vec::with_capacity(batch.len());
        for Job { change, answer, room } in batch {
            answers.push((answer, change.is_some(), room));
            changes.extend(change);
        }
        changes.extend(completed.iter().map(|(hash, count)| Change::Completed(*hash, *count)));
        let result = if changes.is_empty() { Ok(Vec::new()) } else { self.store.apply(&changes) };
        // The memory goes before the room in the queue that stood for it, and the room before the answer.
        drop(changes);
        match result {
            Ok(effects) => {
                let mut effects = effects.into_iter();
                for (answer, changed, room) in answers {
                    drop(room);
                    // Whoever has gone away does not need to know.
                    let _ = answer.send(Ok(effects.by_ref().take(usize::from(changed)).next()));
                }
            }
            Err(fault) => {
                if !completed.is_empty() {
                    tracing::error!(%fault, torrents = completed.len(), "completed downloads are not written yet");
                    for (hash, count) in completed {
                        self.pending.add(hash, count);
                    }
                    self.due = Some(Instant::now() + COMPLETED_RETRY_DELAY);
                }
                for (answer, _, room) in answers {
                    drop(room);
                    let _ = answer.send(Err(fault.clone()));
                }
            }
        }
    }
}

fn stopped() -> Fault {
    Fault::new("write to the store", "its writer has stopped")
}
