//! The classic dialects: being known in those that the hub serves, and getting files from their peers.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use peer::classic::directory::{Directory, Found};
use peer::classic::fetch::{Fetched, Order, Progress};
use peer::classic::{DOWNLOAD_PREFIX, Dialect, Item, Presence, Stock};

use super::Peer;
use crate::commands::peering::classics;
use crate::format::plain;

/// How often the hub is asked which dialects it serves.
const ASK: Duration = Duration::from_secs(60);

/// How long after a try in vain it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What of a peer has to do with the classic dialects.
#[derive(Debug)]
pub(super) struct Classics {
    pub(super) stock: Arc<Stock>,
    /// `None` if others cannot connect to us.
    pub(super) presence: Option<Presence>,
    pub(super) user: String,
    /// Whether downloads have their own names in `beacon`, too.
    pub(super) plain_names: bool,
    trackers: Mutex<Vec<(Dialect, SocketAddr)>>,
    downloads: Mutex<Vec<Download>>,
    /// What was fetched from classic peers in this run.
    fetched: Mutex<BTreeSet<String>>,
}

/// A file that is coming from classic peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Download {
    /// Its name.
    pub(super) name: String,
    /// How far it is.
    pub(super) progress: Progress,
}

impl Classics {
    pub(super) fn new(
        stock: Arc<Stock>,
        presence: Option<Presence>,
        user: String,
        plain_names: bool,
    ) -> Self {
        Self {
            stock,
            presence,
            user,
            plain_names,
            trackers: Mutex::default(),
            downloads: Mutex::default(),
            fetched: Mutex::default(),
        }
    }

    /// Offers an entry of the folder, if it is a file.
    pub(super) async fn offer(&self, name: &str) {
        let is_download = !self.plain_names && self.fetched.lock().contains(name);
        let prefix = is_download.then_some(DOWNLOAD_PREFIX);
        let (stock, name) = (self.stock.clone(), name.to_owned());
        // If it panicked, that was said already.
        let _ = tokio::task::spawn_blocking(move || stock.offer(&name, prefix)).await;
    }
}

impl Peer {
    /// Keeps present in whatever dialects the hub serves.
    pub(super) async fn attend_all(self: Arc<Self>) {
        let Some(client) = self.tracker.client() else { return std::future::pending().await };
        let seen_at = self.announce.first().map(String::as_str);
        loop {
            let wait = match classics::trackers(client, seen_at).await {
                Ok(trackers) => {
                    if let Some(presence) = &self.classics.presence {
                        presence.attend(&trackers);
                    }
                    *self.classics.trackers.lock() = trackers;
                    ASK
                }
                // That it does not answer is said by who tells it of torrents.
                Err(_) => ASK_AGAIN,
            };
            tokio::time::sleep(wait).await;
        }
    }
}

/// What a person at a terminal can ask of a peer, as far as it is about the classic dialects: who has a file, what
/// there is, what is given away and what is coming, and to fetch a file by its name.
impl Peer {
    /// Asks all dialects that the hub serves who has the file of exactly that name, and how it can be got.
    pub(super) async fn who_has(&self, name: &str) -> Found {
        self.directory().look_up(name).await
    }

    /// The dialects that the hub serves, by name.
    pub(super) fn classic_dialects(&self) -> Vec<&'static str> {
        self.classics.trackers.lock().iter().map(|(dialect, _)| dialect.name()).collect()
    }

    /// Fetches the file of that name from classic peers into the folder, and offers it at once. `progress` must not wait.
    /// Dropped, it stops; the next time it goes on from there.
    pub(super) async fn fetch_classic(
        &self,
        name: &str,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Fetched, String> {
        let words = |error: &dyn std::fmt::Display| plain(&error.to_string()).into_owned();
        let downloads = &self.classics.downloads;
        let noting = |now: Progress| {
            if let Some(download) = downloads.lock().iter_mut().find(|download| download.name == name) {
                download.progress = now;
            }
            progress(now);
        };
        let order = Order::new(name, self.folder.path(), name, &noting).map_err(|error| words(&error))?;
        let found = self.who_has(name).await;
        let start = Progress { bytes: 0, bytes_max: None };
        downloads.lock().push(Download { name: name.to_owned(), progress: start });
        let _coming = Coming { downloads, name };
        let fetched = found.fetch(&order).await.map_err(|error| words(&error))?;
        tracing::info!("fetched `{}` from classic peers; {}", plain(name), fetched.check);
        self.classics.fetched.lock().insert(name.to_owned());
        self.classics.offer(name).await;
        Ok(fetched)
    }

    /// The files that classic peers are given, by name.
    pub(super) fn given(&self) -> Vec<Item> {
        self.classics.stock.items()
    }

    /// The files that are coming from classic peers. What comes as torrents is told by the node.
    pub(super) fn coming(&self) -> Vec<Download> {
        self.classics.downloads.lock().clone()
    }

    fn directory(&self) -> Directory {
        Directory::new(self.classics.trackers.lock().clone(), &self.classics.user)
    }
}

/// Takes a download off the list when it ends, however it does.
struct Coming<'a> {
    downloads: &'a Mutex<Vec<Download>>,
    name: &'a str,
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.downloads.lock().retain(|download| download.name != self.name);
    }
}
