//! The hub's catalogue: what it is to be told of, for as long as that takes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use swarm::InfoHash;
use tokio::sync::Notify;
use wire::metainfo::Metainfo;

use super::Peer;
use crate::client::{Client, ClientError};
use crate::commands::add::send::{Fate, Sender, Tries};
use crate::format::plain;

/// How long is waited after the first try in vain, and twice as long after each further one.
const WAIT_FIRST: Duration = Duration::from_secs(1);

/// How long is waited at most, unless the hub asks for more.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The longest wait that a hub may ask for.
const WAIT_ASKED_MAX: Duration = Duration::from_secs(3600);

/// Torrents that the hub is to be told of.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pending: Mutex<VecDeque<Arc<Metainfo>>>,
    changed: Notify,
}

impl Catalogue {
    pub(super) fn add(&self, torrent: Arc<Metainfo>) {
        self.pending.lock().push_back(torrent);
        self.changed.notify_waiters();
    }

    pub(super) fn forget(&self, hash: InfoHash) {
        self.pending.lock().retain(|torrent| torrent.info_hash() != hash);
        self.changed.notify_waiters();
    }

    /// Waits until nothing is left to be told.
    pub(super) async fn is_done(&self) {
        self.until(|pending| pending.is_empty().then_some(())).await;
    }

    async fn next(&self) -> Arc<Metainfo> {
        self.until(|pending| pending.front().cloned()).await
    }

    async fn until<T>(&self, look: impl Fn(&VecDeque<Arc<Metainfo>>) -> Option<T>) -> T {
        loop {
            // It hears of what changes from now on.
            let changed = self.changed.notified();
            if let Some(found) = look(&self.pending.lock()) {
                return found;
            }
            changed.await;
        }
    }
}

impl Peer {
    /// Tells the hub of everything that is shared, and goes on trying while there is none.
    pub(super) async fn register_all(self: Arc<Self>) {
        if let Some(client) = self.tracker.client() {
            let wait = self.register_at(client).await;
            tracing::warn!("{wait}: others need magnet links");
        } else {
            tracing::warn!("a tracker over UDP has no catalogue: others need magnet links");
        }
        loop {
            let torrent = self.catalogue.next().await;
            self.catalogue.forget(torrent.info_hash());
        }
    }

    /// Tells a hub of everything, until it turns out to be none, and why.
    async fn register_at(&self, client: &Client) -> ClientError {
        let tries =
            Tries { count: 1, delay: Duration::ZERO, timeout: WAIT_ASKED_MAX, created_by: "Skep".to_owned() };
        let mut sender = Sender::new(client, tries);
        let mut backoff = Backoff::default();
        loop {
            let torrent = self.catalogue.next().await;
            let name = plain(torrent.name()).into_owned();
            match self.register(client, &mut sender, &torrent).await {
                Ok(fate) => {
                    tracing::info!(hash = %torrent.info_hash(), "in the catalogue: `{name}`, {}", fate.word());
                }
                Err(error) if error.is_no_hub() => return error,
                Err(error) if error.is_passing() => {
                    let wait = backoff.fail(&error);
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Err(error) => tracing::warn!("the hub does not take `{name}` into its catalogue: {error}"),
            }
            backoff.succeed();
            self.catalogue.forget(torrent.info_hash());
        }
    }

    /// Tells a hub of a torrent, if it does not have it.
    async fn register(
        &self,
        client: &Client,
        sender: &mut Sender<'_>,
        torrent: &Metainfo,
    ) -> Result<Fate, ClientError> {
        let place = format!("api/v1/torrents/{}", torrent.info_hash());
        match client.get::<Value>(&place, &[]).await {
            // Bare facts give way to the file.
            Ok(known) if !known["torrent_url"].is_null() => return Ok(Fate::Known),
            Err(error) if error.is_passing() => return Err(error),
            Ok(_) | Err(_) => {}
        }
        sender.send(super::records::file(torrent, &[self.tracker.told(&self.announce)]), torrent).await
    }
}

/// How long to wait for a hub that cannot be told of anything now.
#[derive(Debug, Default)]
struct Backoff {
    last: Option<Duration>,
    silent: bool,
}

impl Backoff {
    fn fail(&mut self, error: &ClientError) -> Duration {
        let wait = self.last.map_or(WAIT_FIRST, |last| (last * 2).min(WAIT_MAX));
        self.last = Some(wait);
        if !std::mem::replace(&mut self.silent, true) {
            tracing::warn!("{error}; trying again until it does, and sharing meanwhile");
        }
        wait.max(error.retry_after().unwrap_or_default().min(WAIT_ASKED_MAX))
    }

    fn succeed(&mut self) {
        if std::mem::take(self).silent {
            tracing::info!("the hub answers");
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    #[test]
    fn the_waits_grow_and_have_an_end_and_the_hubs_wish_is_heard() {
        let silence = ClientError::NoHub { url: "http://h".to_owned(), cause: "refused".to_owned() };
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..8).map(|_| backoff.fail(&silence).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.succeed();
        let busy = |secs| ClientError::Refused {
            status: StatusCode::TOO_MANY_REQUESTS,
            reason: "too many".to_owned(),
            explained: true,
            retry_after: Some(Duration::from_secs(secs)),
        };
        assert_eq!(backoff.fail(&busy(30)).as_secs(), 30);
        assert_eq!(backoff.fail(&busy(0)).as_secs(), 2);
        assert_eq!(backoff.fail(&busy(1 << 40)), WAIT_ASKED_MAX);
    }
}
