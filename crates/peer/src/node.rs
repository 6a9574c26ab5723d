//! The node: the torrents of one process, their connections and files, driven by the engine.
//!
//! What happens anywhere (a connection read something, the disk wrote something, time passed) is told to the torrent's
//! engine under one lock, which is held for memory work only: what the engine wants done is put into queues there and
//! done by others. The data of a block goes from the buffer that the network filled to the disk without a copy.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use bytes::Bytes;
use engine::{Config, Content, Event, Identity, Micros, PeerKey, Session, Source, Stats};
use parking_lot::Mutex;
use swarm::{Endpoint, InfoHash, PeerId, Port};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::task::AbortHandle;
use wire::metainfo::Metainfo;

use crate::announce::{self, Announcer, Patience, TrackerStatus, Trackers};
use crate::disk::{self, Disk, Place, Problem, Storage};
use crate::net::{self, Outbound, Supply};

mod act;
mod connection;
mod describe;
mod timer;
mod trackers;

/// Connections that may be shaking hands with us at once.
const WELCOMES_MAX: usize = 128;

/// Connections that are being made at once.
const HALF_OPEN_MAX: usize = 32;

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where others connect to us; 0 is any free port.
    pub port: u16,
    /// The most connections of all torrents together.
    pub connections_max: usize,
    /// Bytes a second for all uploads.
    pub upload_limit: Option<u64>,
    /// Bytes a second for all downloads.
    pub download_limit: Option<u64>,
    /// Our program and version, as others show it.
    pub client: &'static str,
}

/// The torrents of one process. It stops when the last clone is dropped, or at once by [`Node::stop`].
#[derive(Debug, Clone)]
pub struct Node(Arc<Owner>);

/// How far a torrent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Its description is asked of peers.
    Describing,
    /// What is there is hashed.
    Checking,
    /// Pieces are fetched.
    Fetching,
    /// Everything is there, at this path, and shared.
    Whole(PathBuf),
    /// It does nothing until it is started again.
    Paused(String),
}

/// A torrent as a person wants to see it.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its name, once that is known.
    pub name: Option<String>,
    /// All bytes, once that is known; without padding between files.
    pub bytes: Option<u64>,
    /// How far it is.
    pub phase: Phase,
    /// Its numbers.
    pub stats: Stats,
}

/// Stops everything when the last who could use it is gone.
#[derive(Debug)]
struct Owner {
    inner: Arc<Inner>,
    tasks: Vec<AbortHandle>,
}

#[derive(Debug)]
struct Inner {
    core: Mutex<Core>,
    options: Options,
    peer_id: PeerId,
    port: Option<Port>,
    started: Instant,
    runtime: Handle,
    disk: Disk,
    /// Memory for what connections read.
    supply: Supply,
    /// Who waits for what is read from the disk.
    reads: Mutex<HashMap<u64, oneshot::Sender<Option<Bytes>>>>,
    next_read: AtomicU64,
    welcomes: Arc<Semaphore>,
    /// The ways to trackers; `None` if we cannot be reached ourselves, and so have nothing to announce.
    trackers: Option<Arc<Trackers>>,
    /// A timeout has come nearer.
    sooner: Notify,
}

#[derive(Debug)]
struct Core {
    session: Session,
    torrents: HashMap<InfoHash, Running>,
    /// When the timer will look next.
    armed: Micros,
}

/// A torrent and what belongs to it.
#[derive(Debug)]
struct Running {
    engine: engine::Torrent,
    links: HashMap<PeerKey, Link>,
    storage: Option<Storage>,
    /// Where it is fetched to; `None` if it is shared from where it is.
    folder: Option<PathBuf>,
    phase: watch::Sender<Phase>,
    announcer: Option<Announcer>,
}

/// One connection.
#[derive(Debug)]
struct Link {
    outbound: Arc<Outbound>,
    task: AbortHandle,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, connections_max: 500, upload_limit: None, download_limit: None, client: "Skep" }
    }
}

impl Node {
    /// Starts to listen. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// The port is taken, or the system refuses threads or sockets.
    pub fn start(options: Options) -> io::Result<Self> {
        let listeners = net::listen(options.port)?;
        let port = listeners.first().and_then(|listener| listener.local_addr().ok());
        let mut session = Session::new(options.connections_max, HALF_OPEN_MAX);
        session.upload.set(options.upload_limit);
        session.download.set(options.download_limit);
        let port = port.and_then(|address| Port::new(address.port()));
        let peer_id = peer_id();
        let identity = port.map(|port| announce::Identity { peer_id, port, key: rand::random() });
        let trackers = identity.map(|identity| Trackers::new(identity, Patience::default()));
        let trackers = trackers.transpose().map_err(io::Error::other)?.map(Arc::new);
        let disk = Disk::start(&disk::Config::default())?;
        let inner = Arc::new(Inner {
            core: Mutex::new(Core { session, torrents: HashMap::new(), armed: Micros::MAX }),
            options,
            peer_id,
            port,
            started: Instant::now(),
            runtime: Handle::current(),
            supply: Supply::new(disk.incoming().clone()),
            disk,
            reads: Mutex::default(),
            next_read: AtomicU64::new(0),
            welcomes: Arc::new(Semaphore::new(WELCOMES_MAX)),
            trackers,
            sooner: Notify::new(),
        });
        let mut tasks = vec![tokio::spawn(timer::run(inner.clone())).abort_handle()];
        for listener in listeners {
            tasks.push(tokio::spawn(connection::accept(inner.clone(), listener)).abort_handle());
        }
        Ok(Self(Arc::new(Owner { inner, tasks })))
    }

    /// The port where others connect to us.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.inner.port.map_or(0, Port::get)
    }

    /// Shares a torrent from where it is: `path` is its folder, or its only file. All of it is hashed first.
    ///
    /// # Errors
    /// Something is missing or different, or cannot be read.
    pub async fn share(&self, metainfo: Arc<Metainfo>, path: PathBuf) -> Result<InfoHash, Problem> {
        let inner = self.0.inner.clone();
        blocking(move || {
            let hash = metainfo.info_hash();
            let opened = inner.open(metainfo, Place::Source(path.clone()))?;
            if !opened.content.have.is_full() {
                let changed =
                    || Problem { doing: disk::Doing::Read, path: path.clone(), cause: disk::Cause::Changed };
                return Err(opened.first_problem.unwrap_or_else(changed));
            }
            inner.add(hash, Some(opened.content), Some(opened.storage), None, Phase::Whole(path));
            Ok(hash)
        })
        .await
    }

    /// Fetches a torrent into `folder`, and shares what it has of it. What is there already is hashed first, and only
    /// the rest is fetched.
    ///
    /// # Errors
    /// The torrent cannot be kept there.
    pub async fn fetch(&self, metainfo: Arc<Metainfo>, folder: &Path) -> Result<InfoHash, Problem> {
        let (inner, folder) = (self.0.inner.clone(), folder.to_owned());
        blocking(move || {
            let hash = metainfo.info_hash();
            let opened = inner.open(metainfo, Place::Download(folder.clone()))?;
            let whole = opened.content.have.is_full();
            let phase = if whole { Phase::Whole(opened.storage.path()) } else { Phase::Fetching };
            inner.add(hash, Some(opened.content), Some(opened.storage), Some(folder), phase);
            Ok(hash)
        })
        .await
    }

    /// Fetches a torrent of which only the info hash is known; its description is asked of peers (BEP 9).
    pub fn fetch_described(&self, hash: InfoHash, folder: &Path) {
        self.0.inner.add(hash, None, None, Some(folder.to_owned()), Phase::Describing);
    }

    /// Tells of addresses where others may have a torrent.
    pub fn add_peers(&self, hash: InfoHash, source: Source, endpoints: &[Endpoint]) {
        self.0.inner.handle(hash, Event::Addresses { source, endpoints });
    }

    /// Announces a torrent to its trackers (BEP 12), and connects to whom they name. Each is told once that we are there.
    pub fn announce(&self, hash: InfoHash, tiers: Vec<Vec<String>>) {
        self.0.inner.announce(hash, tiers);
    }

    /// What a torrent's trackers said, in order; none if it is not announced.
    #[must_use]
    pub fn trackers(&self, hash: InfoHash) -> Vec<TrackerStatus> {
        let core = self.0.inner.core.lock();
        let announcer = core.torrents.get(&hash).and_then(|running| running.announcer.as_ref());
        announcer.map(Announcer::status).unwrap_or_default()
    }

    /// How a torrent stands; `None` if it is not here.
    #[must_use]
    pub fn status(&self, hash: InfoHash) -> Option<Status> {
        let inner = &self.0.inner;
        let now = inner.now();
        let mut core = inner.core.lock();
        core.torrents.get_mut(&hash).map(|running| running.status(now))
    }

    /// How all torrents stand.
    #[must_use]
    pub fn statuses(&self) -> Vec<Status> {
        let now = self.0.inner.now();
        self.0.inner.core.lock().torrents.values_mut().map(|running| running.status(now)).collect()
    }

    /// The phases of a torrent as they come; `None` if it is not here.
    #[must_use]
    pub fn phases(&self, hash: InfoHash) -> Option<watch::Receiver<Phase>> {
        self.0.inner.core.lock().torrents.get(&hash).map(|running| running.phase.subscribe())
    }

    /// Waits until a torrent is whole, and says where it is.
    ///
    /// # Errors
    /// It was paused, for this reason, or is not here.
    pub async fn whole(&self, hash: InfoHash) -> Result<PathBuf, String> {
        let gone = || format!("the torrent {hash} is not here");
        let mut phases = self.phases(hash).ok_or_else(gone)?;
        loop {
            match &*phases.borrow_and_update() {
                Phase::Whole(path) => return Ok(path.clone()),
                Phase::Paused(why) => return Err(why.clone()),
                Phase::Describing | Phase::Checking | Phase::Fetching => {}
            }
            phases.changed().await.map_err(|_| gone())?;
        }
    }

    /// Closes all connections, stops listening, and tells trackers that we leave, who have
    /// [`STOP_TIME_MAX`](crate::announce::STOP_TIME_MAX) to hear it.
    pub async fn stop(&self) {
        let leaving = self.0.stop();
        let stops: Vec<_> = leaving.into_iter().map(|announcer| tokio::spawn(announcer.stop())).collect();
        for stop in stops {
            // If one panicked, that was said already.
            let _ = stop.await;
        }
    }
}

impl Owner {
    /// Ends everything but the announcing.
    fn stop(&self) -> Vec<Announcer> {
        self.tasks.iter().for_each(AbortHandle::abort);
        let hashes: Vec<InfoHash> = self.inner.core.lock().torrents.keys().copied().collect();
        for hash in hashes {
            self.inner.handle(hash, Event::Pause);
            self.inner.report(hash);
        }
        let torrents = std::mem::take(&mut self.inner.core.lock().torrents);
        torrents.into_values().filter_map(|running| running.announcer).collect()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Dropped, the announcers tell trackers by themselves.
        drop(self.stop());
    }
}

impl Running {
    fn status(&mut self, now: Micros) -> Status {
        let metainfo = self.storage.as_ref().map(|storage| storage.layout().metainfo());
        Status {
            name: metainfo.map(|metainfo| metainfo.name().to_owned()),
            bytes: metainfo.map(|metainfo| metainfo.size()),
            phase: self.phase.borrow().clone(),
            stats: self.engine.stats(now),
        }
    }
}

impl Inner {
    fn now(&self) -> Micros {
        Micros::try_from(self.started.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }

    /// Takes a torrent in; one that is here already stays as it is.
    fn add(
        self: &Arc<Self>,
        hash: InfoHash,
        content: Option<Content>,
        storage: Option<Storage>,
        folder: Option<PathBuf>,
        phase: Phase,
    ) {
        let identity =
            Identity { info_hash: hash, peer_id: self.peer_id, port: self.port, client: self.options.client };
        let engine = engine::Torrent::new(identity, content, Config::default(), rand::random(), self.now());
        let phase = watch::Sender::new(phase);
        let running = Running { engine, links: HashMap::new(), storage, folder, phase, announcer: None };
        self.core.lock().torrents.entry(hash).or_insert(running);
        self.handle(hash, Event::Tick);
    }

    /// Tells a torrent's engine what happened, and has done what it wants.
    fn handle(self: &Arc<Self>, hash: InfoHash, event: Event<'_>) {
        self.step(hash, |running, now, session| running.engine.handle(event, now, session));
    }

    /// Does something with a torrent's engine, and what that wants then. Nothing if the torrent is not here.
    fn step(self: &Arc<Self>, hash: InfoHash, work: impl FnOnce(&mut Running, Micros, &mut Session)) {
        let now = self.now();
        let mut core = self.core.lock();
        let Core { session, torrents, armed } = &mut *core;
        let Some(running) = torrents.get_mut(&hash) else { return };
        work(running, now, session);
        self.act(hash, running, session, now, None);
        self.arm(running, session, now, armed);
    }

    /// Has the timer look sooner, if this torrent wants it to.
    fn arm(&self, running: &mut Running, session: &mut Session, now: Micros, armed: &mut Micros) {
        if let Some(at) = running.engine.next_timeout(now, session).filter(|at| *at < *armed) {
            *armed = at;
            self.sooner.notify_one();
        }
    }
}

/// Does what waits for the disk where nobody waits for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(describe::unfit(Path::new("."), error.to_string())))
}

/// What we call ourselves: two letters and a version (BEP 20), then chance.
fn peer_id() -> PeerId {
    let mut id = *b"-SK0100-............";
    id[8..].copy_from_slice(&rand::random::<[u8; 12]>());
    PeerId(id)
}
