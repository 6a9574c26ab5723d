//! Webhooks: what has happened at the hub, told to other programs over HTTP as it happens.
//!
//! Messages are signed, tried again where they fail, and wait in memory within bounds: who tells never waits. What waits when
//! the process ends is tried once more, and is lost with it.

mod delivery;
mod message;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use reqwest::{Client, StatusCode, Url, header, redirect};
use swarm::InfoHash;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use self::message::{Event, Torrent, User};

use self::delivery::{Miss, Post, deliver};
use self::message::{Key, Message};
use crate::catalogue::{Catalogue, now_unix};
use crate::config::WebhooksConfig;
use crate::secret_file;

/// What the file in the state directory is called that has the secret.
pub const SECRET_FILE: &str = "webhook-secret";

/// Events that wait to become messages.
const EVENTS_MAX: usize = 1_000;

/// Messages that wait for one receiver.
const MESSAGES_MAX: usize = 10_000;

/// How long a receiver may take to answer.
const POST_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the stopping hub waits for messages to arrive.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where what happens is told. Clones are one; the default tells nobody.
#[derive(Clone, Default)]
pub struct Webhooks(Option<Arc<Inner>>);

struct Inner {
    events: mpsc::Sender<Happened>,
    counts: Arc<Counts>,
}

/// The tasks that send.
pub(crate) struct Sending {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// What became of messages, each counted once a receiver.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) delivered: AtomicU64,
    /// Given up.
    pub(crate) failed: AtomicU64,
    /// There was no room for.
    pub(crate) dropped: AtomicU64,
}

/// Something that has happened, as far as those know it who may not wait.
enum Happened {
    Known(Event),
    /// A torrent was completed for the first time since it is here.
    Completed(InfoHash),
}

impl Webhooks {
    /// Sends to the receivers that `config` names. The secret is in the file [`SECRET_FILE`] of `state_dir`, made at the first
    /// start. Needs a tokio runtime; blocking.
    ///
    /// # Errors
    ///
    /// In words, why the secret cannot be used, or HTTP cannot be set up.
    pub(crate) fn start(
        config: &WebhooksConfig,
        state_dir: &Path,
        catalogue: Catalogue,
    ) -> Result<(Self, Sending), String> {
        let (stop, stopping) = watch::channel(false);
        let mut sending = Sending { tasks: JoinSet::new(), stop };
        if config.urls.is_empty() {
            return Ok((Self::default(), sending));
        }
        let secret = secret_file::load_or_create(state_dir, SECRET_FILE, Key::random);
        let key = Key::read(&secret.map_err(|error| error.to_string())?).ok_or_else(|| {
            let path = state_dir.join(SECRET_FILE);
            format!("{}: `whsec_` and 16 bytes or more in Base64 are expected", path.display())
        })?;
        // Another part of the program may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("skep/", env!("CARGO_PKG_VERSION")))
            .timeout(POST_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| format!("webhooks: HTTP cannot be set up: {error}"))?;
        let counts = Arc::new(Counts::default());
        let mut receivers = Vec::new();
        for url in &config.urls {
            let (sender, messages) = mpsc::channel(MESSAGES_MAX);
            let receiver = Receiver { client: client.clone(), url: url.clone(), key: key.clone() };
            // What may be secret of an address is its path and query.
            let name = url.origin().ascii_serialization();
            let (stopping, counts) = (stopping.clone(), counts.clone());
            sending.tasks.spawn(async move { deliver(receiver, &name, messages, stopping, &counts).await });
            receivers.push(sender);
        }
        let (events, happened) = mpsc::channel(EVENTS_MAX);
        sending.tasks.spawn(compose(happened, catalogue, receivers, stopping, counts.clone()));
        Ok((Self(Some(Arc::new(Inner { events, counts }))), sending))
    }

    /// Tells of something.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        self.send(|| Happened::Known(event()));
    }

    /// Tells that a torrent was completed for the first time, if it is one of the catalogue.
    pub(crate) fn tell_completed(&self, hash: InfoHash) {
        self.send(|| Happened::Completed(hash));
    }

    fn send(&self, happened: impl FnOnce() -> Happened) {
        if let Some(inner) = &self.0
            && inner.events.try_send(happened()).is_err()
        {
            inner.counts.dropped.fetch_add(1, Relaxed);
        }
    }

    /// What became of messages, if there is anybody to tell.
    pub(crate) fn counts(&self) -> Option<&Counts> {
        self.0.as_deref().map(|inner| &*inner.counts)
    }
}

impl Sending {
    /// Tries what waits a last time, and ends.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        if timeout(STOP_TIMEOUT, async { while self.tasks.join_next().await.is_some() {} }).await.is_err() {
            tracing::error!("webhooks that did not answer in time are lost");
        }
    }
}

/// Makes messages of what happens, and gives each receiver its own.
async fn compose(
    mut happened: mpsc::Receiver<Happened>,
    catalogue: Catalogue,
    receivers: Vec<mpsc::Sender<Arc<Message>>>,
    mut stopping: watch::Receiver<bool>,
    counts: Arc<Counts>,
) {
    loop {
        let happened = tokio::select! {
            biased;
            next = happened.recv() => next,
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        let event = match happened {
            Some(Happened::Known(event)) => event,
            Some(Happened::Completed(hash)) => match catalogue.get(hash).await {
                Ok(Some(torrent)) => Event::TorrentCompleted((&torrent).into()),
                Ok(None) => continue,
                Err(fault) => {
                    tracing::error!(%fault, %hash, "nobody is told that a torrent was completed");
                    continue;
                }
            },
            None => return,
        };
        let message = Arc::new(Message::new(&event, now_unix()));
        for receiver in &receivers {
            if receiver.try_send(message.clone()).is_err() {
                counts.dropped.fetch_add(1, Relaxed);
            }
        }
    }
}

/// A receiver on the network.
struct Receiver {
    client: Client,
    url: Url,
    key: Key,
}

impl Post for Receiver {
    async fn post(&self, message: &Message) -> Result<(), Miss> {
        let now = now_unix();
        let request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", self.key.sign(message, now))
            .body(message.body.clone());
        // An address may have a secret in it.
        let answer = request.send().await.map_err(|error| Miss::Failed(cause(&error.without_url())))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(Miss::Gone),
            status => Err(Miss::Failed(format!("it answers {status}"))),
        }
    }
}

/// The last of the causes, which says most.
fn cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map_or_else(String::new, ToString::to_string)
}

impl From<&crate::catalogue::Torrent> for Torrent {
    fn from(torrent: &crate::catalogue::Torrent) -> Self {
        Self { info_hash: torrent.info_hash, name: torrent.name.clone(), size: torrent.size }
    }
}

impl From<&crate::store::roll::Member> for User {
    fn from(member: &crate::store::roll::Member) -> Self {
        Self { name: member.name.clone(), role: member.role.name(), invited_by: member.invited_by.clone() }
    }
}
