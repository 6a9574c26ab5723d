//! What the system tells of changes in a folder.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::is_shared_name;

/// Changed entries that are remembered by name; when there are more, all are looked at.
const DIRTY_MAX: usize = 1_000;

/// What has changed since the last look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Dirty {
    /// Perhaps everything.
    All,
    /// These entries.
    Names(BTreeSet<String>),
}

/// Changes that were told of and not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    dirty: Mutex<Dirty>,
    wake: Notify,
    /// Some of what happens is not told of.
    deaf: AtomicBool,
}

/// The system's telling of changes in a folder.
#[derive(Debug)]
pub(super) struct Events {
    wakes: Arc<Wakes>,
    /// The folder, by device and number, that was to be watched last.
    folder: Option<(u64, u64)>,
    /// `None` if the system refused.
    watcher: Option<RecommendedWatcher>,
}

impl Default for Dirty {
    fn default() -> Self {
        Self::Names(BTreeSet::new())
    }
}

impl Wakes {
    /// What has changed since the last time.
    pub(super) fn take(&self) -> Dirty {
        std::mem::take(&mut *self.dirty.lock())
    }

    /// Waits until something has changed.
    pub(super) async fn woken(&self) {
        while *self.dirty.lock() == Dirty::default() {
            self.wake.notified().await;
        }
    }

    fn note(&self, folder: &Path, event: notify::Result<notify::Event>) {
        let Ok(event) = event else {
            // As when the system watches no more folders for us.
            self.deaf.store(true, Ordering::Relaxed);
            return self.all();
        };
        if event.need_rescan() {
            return self.all();
        }
        // Reading changes nothing; what we serve would keep us looking.
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        for path in &event.paths {
            let Ok(below) = path.strip_prefix(folder) else { continue };
            match below.iter().next() {
                Some(name) if !is_shared_name(name) => {}
                Some(name) => name.to_str().map_or_else(|| self.all(), |name| self.one(name)),
                // The folder itself.
                None => self.all(),
            }
        }
    }

    fn one(&self, name: &str) {
        let mut dirty = self.dirty.lock();
        match &mut *dirty {
            Dirty::All => return,
            Dirty::Names(names) if names.len() < DIRTY_MAX => drop(names.insert(name.to_owned())),
            Dirty::Names(_) => *dirty = Dirty::All,
        }
        drop(dirty);
        self.wake.notify_one();
    }

    fn all(&self) {
        *self.dirty.lock() = Dirty::All;
        self.wake.notify_one();
    }
}

impl Events {
    pub(super) fn new(wakes: Arc<Wakes>) -> Self {
        Self { wakes, folder: None, watcher: None }
    }

    /// Whether all that happens is told of.
    pub(super) fn are_heard(&self) -> bool {
        self.watcher.is_some() && !self.wakes.deaf.load(Ordering::Relaxed)
    }

    /// Sees that the folder that is at `path` now is watched, if there is one. Whether that is another than before.
    pub(super) fn listen(&mut self, path: &Path) -> bool {
        let folder = std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
        if folder == self.folder {
            return false;
        }
        self.folder = folder;
        self.watcher = None;
        if folder.is_some() {
            match self.watcher(path) {
                Ok(watcher) => self.watcher = Some(watcher),
                Err(error) => tracing::warn!(
                    folder = %path.display(),
                    "the system does not tell of changes ({error}); they are looked for again and again"
                ),
            }
        }
        true
    }

    fn watcher(&self, path: &Path) -> notify::Result<RecommendedWatcher> {
        let (wakes, folder) = (self.wakes.clone(), path.to_owned());
        let mut watcher = notify::recommended_watcher(move |event| wakes.note(&folder, event))?;
        watcher.watch(path, RecursiveMode::Recursive)?;
        Ok(watcher)
    }
}
