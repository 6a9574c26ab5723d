//! Fetching the chunk lists of those who register in `chunklist`: the tracker connects to the seeder.
//!
//! All seeders of one address listen at one port for it, so they are called one after another.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use swarm::Port;
use swarm::directory::{CHUNK_LIST_BYTES_MAX, Dialect};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::probes::is_itself;
use crate::classic::{Count, Registrar, Seeding};

/// Addresses that are called at a time.
const ADDRESSES_MAX: usize = 256;

/// Seeders of one address that may wait for their call.
const WAITING_PER_ADDRESS_MAX: usize = 64;

/// How long a seeder may take to listen once it has registered.
const ANSWER: Duration = Duration::from_secs(5);

/// How long to wait before a seeder is called again that does not listen yet.
const CALL_AGAIN: Duration = Duration::from_millis(50);

/// The silence that ends a list.
const SILENCE: Duration = Duration::from_secs(2);

/// How long a list may take as a whole.
const LIST: Duration = Duration::from_secs(30);

/// Seeders to be called, and the calls that go on.
pub(super) struct Calls {
    desk: Arc<Desk>,
    tasks: Mutex<JoinSet<()>>,
}

struct Desk {
    registrar: Arc<Registrar>,
    seeders_port: Port,
    /// Who waits, by address. An address is here for as long as somebody calls there.
    waiting: Mutex<HashMap<IpAddr, VecDeque<Seeding>>>,
}

impl Calls {
    pub(super) fn new(registrar: Arc<Registrar>, seeders_port: Port) -> Self {
        let desk = Desk { registrar, seeders_port, waiting: Mutex::default() };
        Self { desk: Arc::new(desk), tasks: Mutex::default() }
    }

    /// Where seeders give their lists away.
    pub(super) fn seeders_port(&self) -> Port {
        self.desk.seeders_port
    }

    /// Has a seeder called. One that registers again before its turn waits once.
    pub(super) fn call(&self, seeding: Seeding) {
        let source = seeding.source;
        let mut waiting = self.desk.waiting.lock();
        if let Some(others) = waiting.get_mut(&source) {
            match others.iter().position(|other| other.name == seeding.name) {
                Some(same) => others[same] = seeding,
                None if others.len() < WAITING_PER_ADDRESS_MAX => others.push_back(seeding),
                None => self.desk.registrar.note(Dialect::Chunklist, Count::Limited),
            }
            return;
        }
        if waiting.len() >= ADDRESSES_MAX {
            return self.desk.registrar.note(Dialect::Chunklist, Count::Limited);
        }
        waiting.insert(source, VecDeque::from([seeding]));
        drop(waiting);
        let desk = self.desk.clone();
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move { desk.call_all(source).await });
    }
}

impl Desk {
    /// Calls those who wait at an address until nobody does.
    async fn call_all(&self, source: IpAddr) {
        while let Some(seeding) = self.next(source) {
            let called = match self.fetch(source, seeding.size).await {
                Ok(list) => self.registrar.seeder(&seeding, &list),
                Err(why) => Err(why),
            };
            if let Err(why) = called {
                let name = seeding.name.escape_debug();
                tracing::info!("[REFUSED] {name} at {source}: {why}");
            }
        }
    }

    fn next(&self, source: IpAddr) -> Option<Seeding> {
        let mut waiting = self.waiting.lock();
        let seeding = waiting.get_mut(&source)?.pop_front();
        if seeding.is_none() {
            waiting.remove(&source);
        }
        seeding
    }

    /// A seeder's list: what it writes until it closes, has written what it said, or is silent.
    async fn fetch(&self, source: IpAddr, size: u64) -> Result<Vec<u8>, String> {
        let until = Instant::now() + LIST;
        let mut stream = self.connect(source).await?;
        let stated = usize::try_from(size).unwrap_or(usize::MAX);
        let enough = if stated == 0 { CHUNK_LIST_BYTES_MAX } else { stated.min(CHUNK_LIST_BYTES_MAX) };
        let mut list = Vec::new();
        let mut block = [0; 8 << 10];
        loop {
            let silent = (Instant::now() + SILENCE).min(until);
            match timeout_at(silent, stream.read(&mut block)).await {
                Ok(Ok(0)) | Err(_) if list.is_empty() => return Err("it wrote no chunk list".to_owned()),
                Ok(Ok(0)) | Err(_) => return Ok(list),
                Ok(Ok(len)) => list.extend_from_slice(&block[..len]),
                Ok(Err(error)) => return Err(format!("its chunk list broke off: {error}")),
            }
            if list.len() >= enough {
                if list.len() > CHUNK_LIST_BYTES_MAX {
                    return Err(format!("its chunk list has more than {CHUNK_LIST_BYTES_MAX} bytes"));
                }
                return Ok(list);
            }
        }
    }

    async fn connect(&self, source: IpAddr) -> Result<TcpStream, String> {
        let address = SocketAddr::new(source, self.seeders_port.get());
        let mut last = None;
        let connecting = async {
            loop {
                match TcpStream::connect(address).await {
                    Ok(stream) if !is_itself(&stream) => return stream,
                    Ok(_) => {}
                    Err(error) => last = Some(error),
                }
                sleep(CALL_AGAIN).await;
            }
        };
        timeout(ANSWER, connecting).await.map_err(|_| {
            let why = last.map_or_else(|| "no answer".to_owned(), |error| error.to_string());
            format!("its chunk list cannot be fetched at port {}: {why}", self.seeders_port)
        })
    }
}
