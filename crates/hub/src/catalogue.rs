//! The catalogue: which torrents the hub has heard of by name, in the [store](crate::durable).
//!
//! The announce path touches [`Catalogue::completed`] alone, which never waits for anything.

mod export;
mod limits;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use swarm::InfoHash;

pub use self::export::{Export, export};
pub use self::limits::{Limits, TooLarge};
use crate::durable::{Checking, Durable, Room};
use crate::store::{Addition, Change, Effect, Select, Words};
pub use crate::store::{BadCursor, Fault, NewTorrent, OpenError, Outcome, Page, Torrent, TorrentFile};

/// The most torrents that one page of a listing has, whatever is asked for.
pub const PAGE_TORRENTS_MAX: usize = 500;

/// Torrents, each with the downloads of it that were completed.
pub type Completed = Vec<(InfoHash, u32)>;

/// The present, in Unix seconds.
pub type Clock = fn() -> i64;

/// The system's clock; 0 if it stands before 1970.
#[must_use]
pub fn now_unix() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A handle on the catalogue; clones share it. When the last one goes, it waits until what was queued is on disk.
#[derive(Clone)]
pub struct Catalogue {
    inner: Arc<Inner>,
}

struct Inner {
    durable: Durable,
    limits: Limits,
    clock: Clock,
}

/// Which part of the catalogue to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// Words that name or file names must have, in any order, the last perhaps unfinished; letter case, accents and
    /// punctuation do not matter. `None` or blank for all torrents.
    pub words: Option<String>,
    /// How many torrents at most: from 1 to [`PAGE_TORRENTS_MAX`], to which other numbers are moved.
    pub limit: usize,
    /// What `next` of the page before said; `None` for the first page.
    pub cursor: Option<String>,
}

/// What came of an addition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The torrent as the catalogue has it now.
    pub torrent: Torrent,
    /// What the addition did to it.
    pub outcome: Outcome,
}

/// Why nothing was added.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AddError {
    /// The queue is full: worth another try in a moment.
    #[error("more additions are waiting than can be written; try again in a moment")]
    Busy,
    /// It is more than the catalogue takes.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// Its address has added as many torrents as one may.
    #[error("your address has added {max} torrents, and may not add more")]
    TooMany {
        /// [`Limits::torrents_per_address`].
        max: u32,
    },
    /// The store failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why nothing was listed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ListError {
    /// The asker made the cursor up.
    #[error(transparent)]
    Cursor(#[from] BadCursor),
    /// The store failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Catalogue {
    /// Opens the store in `state_dir`, and the catalogue in it with the standard [`Limits`], and tells how often each
    /// torrent of it was completed. Reads the whole database to check it; blocking.
    pub fn open(state_dir: &Path) -> Result<(Self, Completed), OpenError> {
        Self::open_with(state_dir, Limits::default(), now_unix)
    }

    /// The same with limits and a clock of the caller's.
    pub fn open_with(state_dir: &Path, limits: Limits, clock: Clock) -> Result<(Self, Completed), OpenError> {
        let (catalogue, completed, checking) = Self::open_unchecked(state_dir, limits, clock)?;
        checking.finish()?;
        Ok((catalogue, completed))
    }

    /// The same while the database is still being checked.
    pub fn open_unchecked(
        state_dir: &Path,
        limits: Limits,
        clock: Clock,
    ) -> Result<(Self, Completed, Checking), OpenError> {
        let (durable, checking) = Durable::open(state_dir, limits.queue_bytes_max)?;
        let completed = match durable.read_here(|store| store.completed()) {
            Ok(completed) => completed,
            Err(fault) => {
                // Why it cannot be read is what the check says, if it says something.
                checking.finish()?;
                return Err(OpenError::new(state_dir, fault.to_string(), "see that the disk can be read"));
            }
        };
        let completed = completed
            .into_iter()
            .map(|(hash, count)| (hash, u32::try_from(count).unwrap_or(u32::MAX)))
            .collect();
        Ok((Self::over(durable, limits, clock), completed, checking))
    }

    fn over(durable: Durable, limits: Limits, clock: Clock) -> Self {
        Self { inner: Arc::new(Inner { durable, limits, clock }) }
    }

    /// The store that it is in, with whatever else is.
    #[must_use]
    pub fn durable(&self) -> &Durable {
        &self.inner.durable
    }

    /// Adds a torrent, or what is told of it to what is known. It is on disk, synced, when this returns.
    ///
    /// What came from a .torrent file is never changed; bare facts give way to a .torrent file, and among themselves
    /// the first stays (see `store::merge`).
    pub async fn add(&self, torrent: NewTorrent) -> Result<Added, AddError> {
        let bytes = self.inner.limits.check(&torrent)?;
        let room = self.inner.durable.room_now(bytes).ok_or(AddError::Busy)?;
        self.write(torrent, 0, self.inner.limits.torrents_per_address, room).await
    }

    /// Adds a torrent that an older tracker knew, with the downloads it had counted: the greater count stays, so that
    /// the same import twice is one. Waits while the queue is full; what one address may add does not count.
    pub async fn import(&self, torrent: NewTorrent, completed: u64) -> Result<Added, AddError> {
        let bytes = self.inner.limits.check(&torrent)?;
        let room = self.inner.durable.room(bytes).await?;
        self.write(torrent, completed, None, room).await
    }

    async fn write(
        &self,
        torrent: NewTorrent,
        completed: u64,
        per_address_max: Option<u32>,
        room: Room,
    ) -> Result<Added, AddError> {
        let addition = Addition { torrent, now: (self.inner.clock)(), completed, per_address_max };
        match self.inner.durable.change(Change::Add(Box::new(addition)), room).await? {
            Effect::Added(torrent, outcome) => Ok(Added { torrent: *torrent, outcome }),
            _ => Err(AddError::TooMany { max: per_address_max.unwrap_or(0) }),
        }
    }

    /// One torrent with its files.
    pub async fn get(&self, hash: InfoHash) -> Result<Option<Torrent>, Fault> {
        self.inner.durable.read(move |store| store.get(&hash)).await
    }

    /// The bytes of a torrent's .torrent file, as they were added.
    pub async fn metainfo(&self, hash: InfoHash) -> Result<Option<Vec<u8>>, Fault> {
        self.inner.durable.read(move |store| store.metainfo(&hash)).await
    }

    /// A page of a listing, newest first, or best match first if there are words (see [`Store::list`](crate::store::Store::list)). A torrent that
    /// comes or goes between two pages neither repeats nor hides another.
    pub async fn list(&self, query: Query) -> Result<Page, ListError> {
        let select = Select {
            words: query.words.as_deref().and_then(Words::new),
            limit: query.limit.clamp(1, PAGE_TORRENTS_MAX),
            after: query.cursor.as_deref().map(str::parse).transpose()?,
        };
        Ok(self.inner.durable.read(move |store| store.list(&select)).await?)
    }

    /// Removes a torrent with all that belongs to it; tells whether it was there. It is gone from the disk when this
    /// returns. Waits while the queue is full.
    pub async fn remove(&self, hash: InfoHash) -> Result<bool, Fault> {
        let room = self.inner.durable.room(0).await?;
        let effect = self.inner.durable.change(Change::Remove(hash), room).await?;
        Ok(effect == Effect::Removed(true))
    }

    /// Counts a completed download of a torrent, if it is catalogued. Never waits: counts are gathered in memory and
    /// written together within about a second.
    pub fn completed(&self, hash: InfoHash) {
        self.inner.durable.completed(hash);
    }

    /// Completed downloads that were not counted because too many torrents had some at once.
    #[must_use]
    pub fn completed_lost(&self) -> u64 {
        self.inner.durable.completed_lost()
    }

    /// Returns when every completed download that was counted before is on disk, synced.
    pub async fn flush(&self) -> Result<(), Fault> {
        self.inner.durable.flush().await
    }
}
