//! Staying known to the trackers of the classic dialects, whatever becomes of them and of what is offered.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use swarm::Port;
use swarm::directory::{Dialect, Extent};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::stock::{Item, Stock};
use super::{Error, Shelf, beacon, chunklist, index, token};

/// How long changes gather before trackers are told of them.
const GATHER: Duration = Duration::from_millis(500);

/// How often a `token` tracker is told everything again, which has no heartbeats: after a restart it knows nobody.
const TOKEN_AGAIN: Duration = Duration::from_secs(30);

/// Every how many heartbeats a `chunklist` tracker is asked whether it still knows us: its answer names everybody.
const LIST_EVERY: u32 = 3;

/// How long is waited after the first try in vain, and twice as long after each further one.
const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// How long is waited at most.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How long a tracker may take to hear that it is over.
const GOODBYE: Duration = Duration::from_secs(3);

/// Names that a tracker is told of at most, those that came last. Others are given to who asks for them all the same.
const NAMES_MAX: usize = 4_096;

/// Keeps trackers of the classic dialects told of what is offered at a port. Dropped, it tells them nothing more, and
/// they forget after a while.
#[derive(Debug)]
pub struct Presence {
    stock: Arc<Stock>,
    user: String,
    port: Port,
    members: Mutex<HashMap<(Dialect, SocketAddr), Task>>,
}

#[derive(Debug)]
struct Task {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Presence {
    /// One who is called `user` and gives away at `port` what is in `stock`. Nobody is told yet.
    #[must_use]
    pub fn new(stock: Arc<Stock>, user: impl Into<String>, port: Port) -> Self {
        Self { stock, user: user.into(), port, members: Mutex::default() }
    }

    /// Is known to these trackers from now on, and says goodbye to all others.
    pub fn attend(&self, trackers: &[(Dialect, SocketAddr)]) {
        let mut members = self.members.lock();
        members.retain(|tracker, member| {
            let stays = trackers.contains(tracker) && !member.task.is_finished();
            // It says goodbye, and ends by itself.
            let _ = member.stop.send(!stays);
            stays
        });
        for &(dialect, tracker) in trackers {
            members.entry((dialect, tracker)).or_insert_with(|| {
                let (stop, stopped) = watch::channel(false);
                let member = Member::new(dialect, tracker, self);
                Task { stop, task: tokio::spawn(member.run(stopped)) }
            });
        }
    }

    /// Says goodbye to all, which takes a few seconds at most.
    pub async fn leave(&self) {
        let members: Vec<Task> = self.members.lock().drain().map(|(_, member)| member).collect();
        for member in &members {
            // If it has ended, it needs not hear.
            let _ = member.stop.send(true);
        }
        for member in members {
            // If one panicked, that was said already.
            let _ = member.task.await;
        }
    }
}

/// What one tracker is told.
struct Member {
    dialect: Dialect,
    tracker: SocketAddr,
    client: Client,
    stock: Arc<Stock>,
    port: Port,
    /// Names that the tracker knows. What a `beacon` tracker knows cannot be taken back one by one.
    told: BTreeSet<String>,
    /// The hashes of the file with this number in the stock.
    chunks: Option<(u64, Vec<[u8; 32]>)>,
    beats: u32,
}

enum Client {
    Token(token::Client),
    Index(index::Client),
    Chunklist(chunklist::Client),
    Beacon(beacon::Client),
}

impl Member {
    fn new(dialect: Dialect, tracker: SocketAddr, presence: &Presence) -> Self {
        let user = presence.user.clone();
        let client = match dialect {
            Dialect::Token => Client::Token(token::Client::new(tracker, user)),
            Dialect::Index => Client::Index(index::Client::new(tracker, user)),
            Dialect::Chunklist => Client::Chunklist(chunklist::Client::new(tracker)),
            Dialect::Beacon => Client::Beacon(beacon::Client::new(tracker)),
        };
        let (stock, port) = (presence.stock.clone(), presence.port);
        Self { dialect, tracker, client, stock, port, told: BTreeSet::new(), chunks: None, beats: 0 }
    }

    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            // If nobody could tell any more, it is over as well.
            _ = stopped.wait_for(|stopped| *stopped) => {}
            never = self.keep() => match never {},
        }
        if timeout(GOODBYE, self.leave()).await.is_err() {
            tracing::debug!(tracker = %self.tracker, "does not hear our goodbye in `{}`", self.dialect.name());
        }
    }

    /// Registers and beats. What fails is said once.
    async fn keep(&mut self) -> Infallible {
        let name = self.dialect.name();
        let mut changes = self.stock.changes();
        let (mut pause, mut is_failing) = (PAUSE_FIRST, false);
        loop {
            changes.borrow_and_update();
            match self.register().await {
                Ok(()) => {
                    if std::mem::take(&mut is_failing) {
                        tracing::info!(tracker = %self.tracker, "knows of us again in `{name}`");
                    }
                    pause = PAUSE_FIRST;
                    let why = self.beat_until(&mut changes).await;
                    tracing::debug!(tracker = %self.tracker, "is told again in `{name}`: {why}");
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(
                            "{error}; it is told again of what is here in `{name}` until it listens"
                        );
                    }
                    self.told.clear();
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// Tells the tracker all that is offered.
    async fn register(&mut self) -> Result<(), Error> {
        let mut items = self.stock.items();
        items.sort_unstable_by_key(|item| std::cmp::Reverse(item.number));
        items.truncate(NAMES_MAX);
        match &mut self.client {
            Client::Token(_) | Client::Index(_) if items.is_empty() && self.told.is_empty() => {}
            Client::Token(client) => {
                let parts = |item: &Item| Extent::Bytes(item.bytes).parts().unwrap_or(0);
                let files: Vec<_> = items.iter().map(|item| (item.name.clone(), parts(item))).collect();
                client.register(self.port, &files).await?;
            }
            Client::Index(client) if items.is_empty() => client.exit().await?,
            Client::Index(client) => {
                let files: Vec<_> = items.iter().map(|item| (item.name.clone(), item.bytes)).collect();
                client.register(self.port, &files).await?;
            }
            Client::Chunklist(_) => return self.register_chunks().await,
            Client::Beacon(client) => {
                let names: BTreeSet<String> = items.into_iter().map(|item| item.beacon_name).collect();
                if !self.told.is_subset(&names) {
                    client.exit(self.port).await?;
                    self.told.clear();
                }
                for name in names.difference(&self.told) {
                    client.register(name, self.port).await?;
                }
                self.told = names;
                return Ok(());
            }
        }
        self.told = items.into_iter().map(|item| item.name).collect();
        Ok(())
    }

    /// Tells the tracker of the one file whose chunks are given away, and takes back the one before: whoever asked for
    /// its chunks would be given those of the other.
    async fn register_chunks(&mut self) -> Result<(), Error> {
        let Client::Chunklist(client) = &self.client else { return Ok(()) };
        let item = self.stock.chunked_item();
        for name in &self.told {
            if item.as_ref().is_none_or(|item| item.name != *name) {
                client.exit(name).await?;
            }
        }
        self.told.clear();
        let Some(item) = item else { return Ok(()) };
        if self.chunks.as_ref().is_none_or(|(number, _)| *number != item.number) {
            let (stock, name) = (self.stock.clone(), item.name.clone());
            let hashing = spawn_blocking(move || chunklist::hash_chunks(&mut stock.open(&name)?));
            let hashed = hashing.await.map_err(std::io::Error::other).flatten();
            self.chunks = match hashed {
                Ok(chunks) => Some((item.number, chunks)),
                // It has changed or gone, which will be heard of.
                Err(error) => {
                    tracing::debug!(%error, "a file has no chunk list");
                    return Ok(());
                }
            };
        }
        let Some((_, chunks)) = &self.chunks else { return Ok(()) };
        if !client.register(&item.name, self.port, chunks).await? {
            tracing::debug!(tracker = %self.tracker, "did not fetch the chunk list");
        }
        self.told.insert(item.name);
        Ok(())
    }

    /// Beats until the tracker is to be told again, and says why.
    async fn beat_until(&mut self, changes: &mut watch::Receiver<u64>) -> String {
        let every = match self.dialect {
            Dialect::Token => TOKEN_AGAIN,
            Dialect::Index => index::HEARTBEAT,
            Dialect::Chunklist => chunklist::HEARTBEAT,
            Dialect::Beacon => beacon::HEARTBEAT,
        };
        loop {
            let beat = async {
                sleep(every).await;
                self.beat().await
            };
            tokio::select! {
                beaten = beat => match beaten {
                    Ok(true) => {}
                    Ok(false) => {
                        self.told.clear();
                        return "it has forgotten us".to_owned();
                    }
                    Err(error) => {
                        self.told.clear();
                        return error.to_string();
                    }
                },
                changed = changes.changed() => match changed {
                    Ok(()) => {
                        sleep(GATHER).await;
                        return "what is here has changed".to_owned();
                    }
                    // The stock is here, so its sender is.
                    Err(_) => std::future::pending().await,
                },
            }
        }
    }

    /// Says that we are still here, and whether the tracker knows that.
    async fn beat(&mut self) -> Result<bool, Error> {
        self.beats = self.beats.wrapping_add(1);
        let Some(name) = self.told.first() else { return Ok(true) };
        match &mut self.client {
            Client::Token(_) => Ok(false),
            Client::Index(client) => client.keep_alive().await.map(|()| true),
            Client::Chunklist(client) => {
                client.heartbeat(name).await?;
                if !self.beats.is_multiple_of(LIST_EVERY) {
                    return Ok(true);
                }
                let seeders = client.list().await?;
                Ok(seeders.iter().any(|seeder| seeder.name == *name && seeder.port == self.port))
            }
            Client::Beacon(client) => {
                client.heartbeat(self.port).await?;
                // Of many holders it names some. Then it is told again, which does no harm.
                let holders = client.request(name).await?;
                Ok(holders.iter().any(|holder| holder.port() == self.port))
            }
        }
    }

    /// Says goodbye.
    async fn leave(&mut self) {
        let left = match (&mut self.client, self.told.first()) {
            (Client::Beacon(client), _) => client.exit(self.port).await,
            (_, None) => return,
            (Client::Token(client), Some(_)) => client.exit(self.port).await,
            (Client::Index(client), Some(_)) => client.exit().await,
            (Client::Chunklist(client), Some(name)) => client.exit(name).await,
        };
        if let Err(error) = left {
            tracing::debug!(%error, "a tracker does not hear our goodbye");
        }
    }
}
