//! Giving chunk lists away: who has asked for one by datagram connects for it, and says nothing.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use swarm::directory::Dialect;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::doors::Door;
use crate::classic::{Count, Registrar};

/// How long an ask waits for its connection.
const ASK: Duration = Duration::from_secs(10);

/// How long a connection waits for its ask, which may be on its way.
const LATE: Duration = Duration::from_secs(2);

/// Asks of one address that may wait.
const ASKS_PER_ADDRESS_MAX: usize = 64;

/// Addresses whose asks may wait.
const ADDRESSES_MAX: usize = 4_096;

/// Connections at a time, in all and of one address.
const CONNECTIONS_MAX: usize = 512;
const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;

/// How long a client may take for a list.
const LIST: Duration = Duration::from_secs(30);

/// How long accepting rests when the system has no room for another connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What is asked for, and by whom.
pub(super) struct Lists {
    registrar: Arc<Registrar>,
    asks: Mutex<Asks>,
    came: Notify,
    door: Arc<Door>,
}

/// Asks that wait for their connection, by address; the oldest first.
#[derive(Default)]
struct Asks(HashMap<IpAddr, VecDeque<Ask>>);

struct Ask {
    /// The port that the datagram came from: one client has one for as long as it has its socket.
    port: u16,
    name: String,
    at: Instant,
}

impl Lists {
    pub(super) fn new(registrar: Arc<Registrar>) -> Self {
        let door = Door::new(CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX);
        Self { registrar, asks: Mutex::default(), came: Notify::new(), door }
    }

    /// Somebody at `source` will connect for the list of that name.
    pub(super) fn asked(&self, source: IpAddr, port: u16, name: String) {
        let now = Instant::now();
        if !self.asks.lock().add(source, Ask { port, name, at: now }, now) {
            self.registrar.note(Dialect::Chunklist, Count::Limited);
        }
        self.came.notify_waiters();
    }

    /// Serves whoever connects. It never ends.
    pub(super) async fn accept(self: Arc<Self>, socket: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((stream, from)) => match self.door.enter(from.ip()) {
                    Some(pass) => {
                        let lists = self.clone();
                        connections.spawn(async move {
                            lists.give(stream, from.ip().to_canonical()).await;
                            drop(pass);
                        });
                    }
                    None => self.registrar.note(Dialect::Chunklist, Count::Limited),
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection for a chunk list");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// Writes the list that was asked for, if there is one, and closes.
    async fn give(&self, mut stream: TcpStream, source: IpAddr) {
        let Some(name) = self.ask_of(source).await else { return };
        let Some(list) = self.registrar.chunk_list(&name) else { return };
        let writing = async {
            stream.write_all(&list).await?;
            stream.shutdown().await
        };
        if !matches!(timeout(LIST, writing).await, Ok(Ok(()))) {
            tracing::debug!(%source, "a chunk list was not taken");
        }
    }

    /// The name that somebody at `source` has asked for, or asks for within a moment.
    async fn ask_of(&self, source: IpAddr) -> Option<String> {
        let until = Instant::now() + LATE;
        loop {
            // Before looking: an ask that comes in between is not missed.
            let came = self.came.notified();
            tokio::pin!(came);
            came.as_mut().enable();
            if let Some(name) = self.asks.lock().take(source, Instant::now()) {
                return Some(name);
            }
            timeout_at(until, came).await.ok()?;
        }
    }
}

impl Asks {
    /// Takes an ask. Another of the same client is in its place: it goes on with the last thing it asked for. False if
    /// there is no room.
    fn add(&mut self, source: IpAddr, ask: Ask, now: Instant) -> bool {
        if !self.0.contains_key(&source) && self.0.len() >= ADDRESSES_MAX {
            self.0.retain(|_, asks| asks.iter().any(|ask| now < ask.at + ASK));
            if self.0.len() >= ADDRESSES_MAX {
                return false;
            }
        }
        let asks = self.0.entry(source).or_default();
        asks.retain(|other| now < other.at + ASK && other.port != ask.port);
        if asks.len() >= ASKS_PER_ADDRESS_MAX {
            asks.pop_front();
        }
        asks.push_back(ask);
        true
    }

    /// The oldest ask of an address that still holds.
    fn take(&mut self, source: IpAddr, now: Instant) -> Option<String> {
        let asks = self.0.get_mut(&source)?;
        asks.retain(|ask| now < ask.at + ASK);
        let ask = asks.pop_front();
        if asks.is_empty() {
            self.0.remove(&source);
        }
        ask.map(|ask| ask.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_goes_on_with_what_it_asked_last_and_others_wait_their_turn() {
        let mut asks = Asks::default();
        let (here, now) = (IpAddr::from([10, 0, 0, 5]), Instant::now());
        let add = |asks: &mut Asks, port, name: &str, at: Instant| {
            assert!(asks.add(here, Ask { port, name: name.to_owned(), at }, at));
        };
        add(&mut asks, 1, "a", now);
        add(&mut asks, 2, "b", now);
        add(&mut asks, 1, "c", now);
        assert_eq!(asks.take([10, 0, 0, 6].into(), now), None);
        assert_eq!(asks.take(here, now).as_deref(), Some("b"));
        assert_eq!(asks.take(here, now).as_deref(), Some("c"));
        assert_eq!(asks.take(here, now), None);
        add(&mut asks, 1, "d", now);
        assert_eq!(asks.take(here, now + ASK), None, "too late");
        assert!(asks.0.is_empty());
    }

    #[test]
    fn asks_are_bounded() {
        let mut asks = Asks::default();
        let now = Instant::now();
        let ask = |port, at| Ask { port, name: "a".to_owned(), at };
        for port in 0..200 {
            assert!(asks.add([10, 0, 0, 5].into(), ask(port, now), now));
        }
        assert_eq!(asks.0[&IpAddr::from([10, 0, 0, 5])].len(), ASKS_PER_ADDRESS_MAX);
        for n in 1..u32::try_from(ADDRESSES_MAX).unwrap() {
            assert!(asks.add(n.to_be_bytes().into(), ask(1, now), now));
        }
        assert!(!asks.add([9, 9, 9, 9].into(), ask(1, now), now));
        let later = now + ASK;
        assert!(asks.add([9, 9, 9, 9].into(), ask(1, later), later));
        assert_eq!(asks.0.len(), 1);
    }
}
