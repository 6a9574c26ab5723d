//! The store, for whoever may not wait on a disk.
//!
//! Writes go through a bounded queue to one thread, which puts all that waits into one transaction: many changes in
//! flight share one sync of the disk, and each is answered after it. Reads run on a few connections of their own and
//! never wait for the writer. The announce path touches `Durable::completed` alone, which never waits for anything.

mod readers;
mod writer;

use std::path::Path;
use std::sync::Arc;

use swarm::InfoHash;

use self::readers::Readers;
use self::writer::Writer;
use crate::store::{Change, Effect, Fault, OpenError, Store, sqlite::Sqlite};

pub(crate) use self::readers::Opener;
#[cfg(test)]
pub(crate) use self::writer::COMPLETED_PENDING_MAX;
pub(crate) use self::writer::Room;

/// A handle on the store; clones share it. When the last one goes, it waits until what was queued is on disk.
#[derive(Clone)]
pub struct Durable(Arc<Inner>);

struct Inner {
    writer: Writer,
    readers: Readers,
}

/// The check of a database that goes on beside its first use.
pub struct Checking(std::thread::JoinHandle<Result<(), OpenError>>);

impl Checking {
    /// Waits until it is done.
    ///
    /// # Errors
    ///
    /// The database is damaged.
    pub fn finish(self) -> Result<(), OpenError> {
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Durable {
    /// Opens the store in `state_dir`, with so many bytes of changes that may wait to be written. The whole database is
    /// checked meanwhile: what is read before that has come to its end is to be used only if all is well. Blocking.
    pub fn open(state_dir: &Path, queue_bytes_max: usize) -> Result<(Self, Checking), OpenError> {
        let store = Sqlite::open_unchecked(state_dir)?;
        let checked = state_dir.to_owned();
        let checking = std::thread::spawn(move || Sqlite::check(&checked));
        let state_dir = state_dir.to_owned();
        let reader = move || Ok(Box::new(Sqlite::open_reader(&state_dir)?) as Box<dyn Store>);
        let durable = Self::over(Box::new(store), Box::new(reader), queue_bytes_max)?;
        Ok((durable, Checking(checking)))
    }

    /// The same over any store; `reader` opens it once more for reading.
    pub(crate) fn over(
        store: Box<dyn Store>,
        reader: Opener,
        queue_bytes_max: usize,
    ) -> Result<Self, OpenError> {
        let readers = Readers::new(reader)?;
        let writer = Writer::start(store, queue_bytes_max);
        Ok(Self(Arc::new(Inner { writer, readers })))
    }

    /// Room in the queue for `bytes` if there is some now.
    pub(crate) fn room_now(&self, bytes: usize) -> Option<Room> {
        self.0.writer.room_now(bytes)
    }

    /// Room in the queue for `bytes` as soon as there is some.
    pub(crate) async fn room(&self, bytes: usize) -> Result<Room, Fault> {
        self.0.writer.room(bytes).await
    }

    /// Makes a change; it is on disk, synced, when this returns.
    pub(crate) async fn change(&self, change: Change, room: Room) -> Result<Effect, Fault> {
        self.0.writer.change(change, room).await
    }

    /// Runs `work` on a connection. If the caller goes away the work is done all the same, and nobody hears of it.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.0.readers.read(work).await
    }

    /// The same for whoever may block.
    pub(crate) fn read_here<T>(&self, work: impl FnOnce(&dyn Store) -> Result<T, Fault>) -> Result<T, Fault> {
        self.0.readers.read_here(work)
    }

    /// Counts a completed download of a torrent, if it is catalogued. Never waits: counts are gathered in memory and
    /// written together within about a second.
    pub(crate) fn completed(&self, hash: InfoHash) {
        self.0.writer.completed(hash);
    }

    /// Completed downloads that were not counted because too many torrents had some at once.
    pub(crate) fn completed_lost(&self) -> u64 {
        self.0.writer.completed_lost()
    }

    /// Returns when every completed download that was counted before is on disk, synced.
    pub(crate) async fn flush(&self) -> Result<(), Fault> {
        let room = self.room(0).await?;
        self.0.writer.flush(room).await
    }

    /// Units of the queue that are in use.
    #[cfg(test)]
    pub(crate) fn units_taken(&self) -> usize {
        self.0.writer.units_taken()
    }
}
