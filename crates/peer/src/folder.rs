//! A folder whose entries are shared: what is there, what comes, changes and goes.
//!
//! What to do about it is decided in [`shelf`], which is pure. Here are the looks at the folder that it decides from, and
//! when they are made: soon after the system told of a change, when something may have become quiet, and now and then in
//! any case, since events get lost and file systems of other machines send none.

mod events;
mod lock;
mod look;
pub mod shelf;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use swarm::InfoHash;
use tokio::sync::{Notify, watch};

pub use lock::OpenError;
pub use look::LeftOut;
pub use shelf::{Download, ENTRIES_MAX, Offer, QUIET, Stamp, Withdrawal};

use events::{Events, Wakes};
use lock::Lock;
use look::Seen;
use shelf::{Scope, Shelf};

/// How long changes gather before they are looked at, and the least time between two looks.
const GATHER: Duration = Duration::from_millis(100);

/// Between two looks at everything, where the system tells of changes.
const ROUND: Duration = Duration::from_secs(10);

/// The same where it does not.
const ROUND_DEAF: Duration = Duration::from_millis(500);

/// After a look there is rest for so many times as long as it took.
const REST: u32 = 10;

/// After a look at everything, the next is put off for so many times as long as it took.
const ROUND_REST: u32 = 100;

/// What the names of files end with that are not finished, or that nobody wants.
const UNFINISHED: [&str; 6] = [".part", ".partial", ".crdownload", ".aria2", ".tmp", "~"];

/// Whether what is called so is shared at all: it is neither hidden nor unfinished.
#[must_use]
pub fn is_shared_name(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let ends_with = |end: &&str| {
        let start = name.len().checked_sub(end.len());
        start.is_some_and(|start| name[start..].eq_ignore_ascii_case(end.as_bytes()))
    };
    !name.starts_with(b".") && !UNFINISHED.iter().any(ends_with)
}

/// A folder whose entries are to be shared, and that is nobody else's as long as this is there. Clones are the same.
#[derive(Debug, Clone)]
pub struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    since: Instant,
    shelf: Mutex<Shelf>,
    /// There may be something to be done.
    changed: Notify,
    settled: watch::Sender<bool>,
    wakes: Arc<Wakes>,
    _lock: Lock,
}

impl Folder {
    /// Takes a folder, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be made or read, or another process has it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let lock = Lock::take(path)?;
        Ok(Self(Arc::new(Inner {
            // Events name what they are of by its whole path.
            path: path.canonicalize().map_err(|error| OpenError::unusable(path, error))?,
            since: Instant::now(),
            shelf: Mutex::new(Shelf::new(ENTRIES_MAX)),
            changed: Notify::new(),
            settled: watch::Sender::new(false),
            wakes: Arc::default(),
            _lock: lock,
        })))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Looks at it for as long as this is polled. `downloads`: the torrents that are being fetched into it, or were.
    pub async fn watch(&self, downloads: impl Fn() -> BTreeMap<String, Download>) {
        let (mut told, mut events) = (Told::default(), Events::new(self.0.wakes.clone()));
        let mut next_round = Duration::ZERO;
        loop {
            let mut rest = GATHER;
            if let Some(scope) = self.scope(self.now() >= next_round) {
                let began = self.now();
                let seen;
                (events, seen) = self.look(events, scope).await;
                let took = self.now() - began;
                rest = rest.max(took * REST);
                if !seen.as_ref().is_ok_and(|seen| seen.look.scope != Scope::All) {
                    let (round, rest) =
                        if events.are_heard() { (ROUND, ROUND_REST) } else { (ROUND_DEAF, REST) };
                    next_round = self.now() + round.max(took * rest);
                }
                match seen {
                    Ok(seen) => {
                        // What a download has put there is known as its own now, and was not when the look began.
                        self.0.shelf.lock().see(&seen.look, &downloads());
                        self.changed();
                        told.tell(self.path(), &seen);
                    }
                    Err(error) => told.fail(self.path(), &error),
                }
            }
            tokio::time::sleep(rest).await;
            let next = self.0.shelf.lock().next_look().map_or(next_round, |at| at.min(next_round));
            tokio::select! {
                () = tokio::time::sleep(next.saturating_sub(self.now())) => {}
                () = self.0.wakes.woken() => {}
            }
        }
    }

    /// What is to be offered next, as soon as there is something.
    pub async fn next_offer(&self) -> Offer {
        self.next(Shelf::next_offer).await
    }

    /// What is to be taken back next, as soon as there is something.
    pub async fn next_withdrawal(&self) -> Withdrawal {
        self.next(Shelf::next_withdrawal).await
    }

    async fn next<T>(&self, take: impl Fn(&mut Shelf) -> Option<T>) -> T {
        loop {
            // It hears of what changes from now on.
            let changed = self.0.changed.notified();
            if let Some(next) = take(&mut self.0.shelf.lock()) {
                return next;
            }
            changed.await;
        }
    }

    /// Waits until everything that the first look found is shared, or known not to be.
    pub async fn settled(&self) {
        // The sender is here.
        let _ = self.0.settled.subscribe().wait_for(|settled| *settled).await;
    }

    /// Whether an entry is still to be offered as it was when that was asked.
    #[must_use]
    pub fn is_wanted(&self, offer: &Offer) -> bool {
        self.0.shelf.lock().is_wanted(offer)
    }

    /// Takes in what came of an [`Offer`]: the torrent as which it is shared, or `None` if it cannot be.
    pub fn offered(&self, offer: &Offer, torrent: Option<InfoHash>) {
        self.0.shelf.lock().offered(offer, torrent);
        self.changed();
    }

    /// Takes in that what was to be [withdrawn](Withdrawal), or was [dismissed](Self::dismiss), is shared no longer.
    pub fn withdrawn(&self, info_hash: InfoHash) {
        self.0.shelf.lock().withdrawn(info_hash);
        self.changed();
    }

    /// Takes note that somebody is taking down a torrent, and will say when it is [withdrawn](Self::withdrawn): its entry
    /// is not offered again before it changes.
    pub fn dismiss(&self, info_hash: InfoHash) {
        self.0.shelf.lock().dismiss(info_hash);
        self.changed();
    }

    /// What an entry is now; `None` if it is not there, or is not to be shared. Waits for the disk.
    #[must_use]
    pub fn stamp(&self, name: &str) -> Option<Stamp> {
        look::stamp(&self.0.path.join(name)).ok()
    }

    /// What is to be looked at now, if anything.
    fn scope(&self, all: bool) -> Option<Scope> {
        let mut names = self.0.shelf.lock().ripe(self.now());
        match self.0.wakes.take() {
            _ if all => return Some(Scope::All),
            events::Dirty::All => return Some(Scope::All),
            events::Dirty::Names(dirty) => names.extend(dirty),
        }
        (!names.is_empty()).then_some(Scope::Names(names))
    }

    async fn look(&self, mut events: Events, scope: Scope) -> (Events, io::Result<Seen>) {
        let inner = self.0.clone();
        let looking = tokio::task::spawn_blocking(move || {
            // That the folder itself has gone is not told as long as we hold it.
            let scope = if events.listen(&inner.path) { Scope::All } else { scope };
            // One that comes may take the place of one that has gone, but only when that is known.
            let mut room = inner.shelf.lock().room();
            let seen = look::look(&inner.path, scope, inner.since, |name| {
                if inner.shelf.lock().knows(name) {
                    return true;
                }
                let admitted = room > 0;
                room = room.saturating_sub(1);
                admitted
            });
            (events, seen)
        });
        let lost = |error| (Events::new(self.0.wakes.clone()), Err(io::Error::other(error)));
        looking.await.unwrap_or_else(lost)
    }

    /// Tells who waits for what the shelf says.
    fn changed(&self) {
        let settled = *self.0.settled.borrow() || self.0.shelf.lock().is_settled();
        self.0.settled.send_if_modified(|before| std::mem::replace(before, settled) != settled);
        self.0.changed.notify_waiters();
    }

    fn now(&self) -> Duration {
        self.0.since.elapsed()
    }
}

/// What was said of a folder, so that nothing is said twice.
#[derive(Debug, Default)]
struct Told {
    left_out: BTreeMap<OsString, LeftOut>,
    beyond: bool,
    failure: Option<String>,
}

impl Told {
    fn tell(&mut self, folder: &Path, seen: &Seen) {
        if self.failure.take().is_some() {
            tracing::info!(folder = %folder.display(), "the folder can be read again");
        }
        for (name, why) in &seen.left_out {
            if self.left_out.get(name) != Some(why) {
                tracing::warn!("left out: {name:?} {why}");
            }
        }
        match &seen.look.scope {
            Scope::All => {
                if seen.beyond > 0 && !self.beyond {
                    tracing::warn!(
                        left_out = seen.beyond,
                        "more than {ENTRIES_MAX} entries are in the folder; the others are left out"
                    );
                }
                self.beyond = seen.beyond > 0;
                self.left_out.clone_from(&seen.left_out);
            }
            Scope::Names(names) => {
                self.left_out.retain(|name, _| name.to_str().is_none_or(|name| !names.contains(name)));
                let room = ENTRIES_MAX.saturating_sub(self.left_out.len());
                let more = seen.left_out.iter().take(room);
                self.left_out.extend(more.map(|(name, why)| (name.clone(), why.clone())));
            }
        }
    }

    fn fail(&mut self, folder: &Path, error: &io::Error) {
        let failure = error.to_string();
        if self.failure.as_ref() != Some(&failure) {
            tracing::error!(folder = %folder.display(), "the folder cannot be read: {failure}");
            self.failure = Some(failure);
        }
    }
}
