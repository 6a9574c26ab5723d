//! What is kept between runs: which pieces are good, in the state directory.
//!
//! A torrent is saved after a check that had to hash something, when it is whole, when it is paused or taken out, and
//! now and then while pieces come. What is not saved costs no data, only the time to hash it again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Inner;
use super::torrent::Stay;
use crate::disk::{self, Storage};

/// How long it takes at least until what has come is saved.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many times as long as the last saving took is waited until the next: it makes the disk write what it holds back.
const REST_FACTOR: u32 = 20;

/// Where torrents are kept.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: Option<PathBuf>,
    /// One at a time.
    saving: Mutex<()>,
}

impl Keeper {
    /// Without a folder nothing is kept.
    pub(super) fn new(folder: Option<PathBuf>) -> std::io::Result<Self> {
        if let Some(folder) = &folder {
            disk::prepare_state_dir(folder)?;
        }
        Ok(Self { folder, saving: Mutex::default() })
    }

    pub(super) fn folder(&self) -> Option<&PathBuf> {
        self.folder.as_ref()
    }

    /// Saves what is unsaved of a torrent that leaves, and waits until all that was being saved is.
    pub(super) fn finish(&self, unsaved: Option<Storage>) {
        let _one = self.saving.lock();
        if let Some(storage) = unsaved {
            self.write(&storage);
        }
    }

    fn write(&self, storage: &Storage) {
        let Some(folder) = &self.folder else { return };
        if let Err(problem) = storage.save(folder) {
            tracing::warn!(%problem, "what is good will be hashed again at the next start");
        }
    }
}

impl Inner {
    /// Saves what is known of a torrent's files, if there is something new.
    pub(super) fn save_soon(self: &Arc<Self>, stay: Stay) {
        let inner = self.clone();
        self.runtime.spawn_blocking(move || inner.save(stay));
    }

    /// Saves what is known of a torrent's files, if there is something new, or waits until somebody has.
    pub(super) fn save(self: &Arc<Self>, stay: Stay) {
        let _one = self.keeper.saving.lock();
        let storage = self.turn(stay, |turn| turn.running.unsaved_storage()).flatten();
        if let Some(storage) = storage {
            self.keeper.write(&storage);
        }
    }
}

/// Saves what has come, now and then.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut wait = INTERVAL;
    loop {
        tokio::time::sleep(wait).await;
        let began = Instant::now();
        let stays =
            inner.core.lock().torrents.values().filter(|one| one.unsaved).map(|one| one.stay).collect();
        let stays: Vec<Stay> = stays;
        let saver = inner.clone();
        let saving =
            inner.runtime.spawn_blocking(move || stays.into_iter().for_each(|stay| saver.save(stay)));
        // If it panicked, that was said already.
        let _ = saving.await;
        wait = INTERVAL.max(began.elapsed() * REST_FACTOR);
    }
}
