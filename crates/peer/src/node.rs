//! The node: the torrents of one process, their connections and files, driven by the engine.
//!
//! What happens anywhere (a connection read something, the disk wrote something, time passed) is told to the torrent's
//! engine under one lock, which is held for memory work only: what the engine wants done is put into queues there and
//! done by others. The data of a block goes from the buffer that the network filled to the disk without a copy.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use bytes::Bytes;
use engine::{Event, Micros, Session, Source};
use parking_lot::Mutex;
use swarm::{Endpoint, InfoHash, PeerId, Port};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, broadcast, oneshot, watch};
use tokio::task::AbortHandle;
use wire::metainfo::Metainfo;

use crate::announce::{self, Patience, TrackerStatus, Trackers};
use crate::classic::{Pace, Server, Shelf};
use crate::disk::{self, Disk, Place, Problem};
use crate::folder::Download;
use crate::net::{self, Supply};
use crate::trust::Trust;

mod act;
mod changes;
mod connection;
mod describe;
mod keeping;
mod life;
mod opening;
mod timer;
mod torrent;
mod trackers;
mod web;

pub use changes::{CHANGES_MAX, Change, Changes};
pub use torrent::{Chooser, Files, Listed, Pause, Phase, Status};

use keeping::Keeper;
use life::Leaving;
use timer::Agenda;
use torrent::{Running, Stay};

/// Connections that may be shaking hands with us at once.
const WELCOMES_MAX: usize = 128;

/// Connections that are being made at once.
const HALF_OPEN_MAX: usize = 32;

/// Torrents whose files are looked for at once.
const OPENINGS_MAX: usize = 4;

/// How a node is set up.
#[derive(Clone)]
pub struct Options {
    /// Where others connect to us: 0 is any free port, `None` the first free one from 6881 on.
    pub port: Option<u16>,
    /// The most connections of all torrents together.
    pub connections_max: usize,
    /// How much may be transferred.
    pub limits: Limits,
    /// Where to keep which pieces are known to be good, so that they need not be hashed again. Several processes may
    /// use the same folder. `None`: nowhere.
    pub state_dir: Option<PathBuf>,
    /// Our program and version, as others show it.
    pub client: &'static str,
    /// What peers of the classic dialects are given on the same port; `None`: nothing.
    pub classic: Option<Arc<dyn Shelf>>,
    /// By what the certificate of a hub is known, if not by the system's authorities.
    pub trust: Option<Trust>,
}

/// Limits of all torrents together, in bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Of all uploads.
    pub upload: Option<u64>,
    /// Of all downloads.
    pub download: Option<u64>,
}

/// The torrents of one process. It stops when the last clone is dropped, or at once by [`Node::stop`].
#[derive(Debug, Clone)]
pub struct Node(Arc<Owner>);

/// Stops everything when the last who could use it is gone.
#[derive(Debug)]
struct Owner {
    inner: Arc<Inner>,
    tasks: Vec<AbortHandle>,
}

#[derive(Debug)]
struct Inner {
    core: Mutex<Core>,
    client: &'static str,
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
    openings: Semaphore,
    web: web::Web,
    keeper: Keeper,
    /// The ways to trackers; `None` if we cannot be reached ourselves, and so have nothing to announce.
    trackers: Option<Arc<Trackers>>,
    changes: broadcast::Sender<Change>,
    /// A timeout has come nearer.
    sooner: Notify,
}

#[derive(Debug)]
struct Core {
    session: Session,
    torrents: HashMap<InfoHash, Running>,
    agenda: Agenda,
    next_stay: u64,
}

/// A torrent while something is done with it.
struct Turn<'a> {
    inner: &'a Arc<Inner>,
    running: &'a mut Running,
    session: &'a mut Session,
    now: Micros,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: None,
            connections_max: 500,
            limits: Limits::default(),
            state_dir: None,
            client: "Skep",
            classic: None,
            trust: None,
        }
    }
}

impl Node {
    /// Starts to listen. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// The port is taken, the state directory cannot be used, or the system refuses threads or sockets.
    pub fn start(options: Options) -> io::Result<Self> {
        let listeners = net::listen(options.port)?;
        let port = listeners.first().and_then(|listener| listener.local_addr().ok());
        let mut session = Session::new(options.connections_max, HALF_OPEN_MAX);
        session.upload.set(options.limits.upload);
        session.download.set(options.limits.download);
        let port = port.and_then(|address| Port::new(address.port()));
        let peer_id = peer_id();
        let identity = port.map(|port| announce::Identity { peer_id, port, key: rand::random() });
        let trackers = identity.map(|identity| Trackers::new(identity, Patience::default(), options.trust));
        let trackers = trackers.transpose().map_err(io::Error::other)?.map(Arc::new);
        let disk = Disk::start(&disk::Config::default())?;
        let inner = Arc::new(Inner {
            core: Mutex::new(Core {
                session,
                torrents: HashMap::new(),
                agenda: Agenda::default(),
                next_stay: 0,
            }),
            client: options.client,
            peer_id,
            port,
            started: Instant::now(),
            runtime: Handle::current(),
            supply: Supply::new(disk.incoming().clone()),
            disk,
            reads: Mutex::default(),
            next_read: AtomicU64::new(0),
            welcomes: Arc::new(Semaphore::new(WELCOMES_MAX)),
            openings: Semaphore::new(OPENINGS_MAX),
            web: web::Web::default(),
            keeper: Keeper::new(options.state_dir)?,
            trackers,
            changes: broadcast::Sender::new(CHANGES_MAX),
            sooner: Notify::new(),
        });
        let mut tasks = vec![tokio::spawn(timer::run(inner.clone())).abort_handle()];
        tasks.push(tokio::spawn(keeping::run(inner.clone())).abort_handle());
        let classic = options.classic.map(|shelf| Server::new(shelf, inner.pace()));
        for listener in listeners {
            let accepting = connection::accept(inner.clone(), listener, classic.clone());
            tasks.push(tokio::spawn(accepting).abort_handle());
        }
        Ok(Self(Arc::new(Owner { inner, tasks })))
    }

    /// The port where others connect to us.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.inner.port.map_or(0, Port::get)
    }

    /// Shares a torrent from where it is: `path` is its folder, or its only file. What is not known to be good is
    /// hashed first. A torrent that is here already stays as it is.
    ///
    /// # Errors
    /// Something is missing or different, or cannot be read.
    pub async fn share(&self, metainfo: Arc<Metainfo>, path: PathBuf) -> Result<InfoHash, Problem> {
        self.begin(metainfo, Place::Source(path), Files::All).await
    }

    /// Fetches a torrent into `folder`, and shares what it has of it. What is there already and not known to be good is
    /// hashed first, and only the rest is fetched. A torrent that is here already stays as it is.
    ///
    /// # Errors
    /// The torrent cannot be kept there.
    pub async fn fetch(
        &self,
        metainfo: Arc<Metainfo>,
        folder: &Path,
        files: Files,
    ) -> Result<InfoHash, Problem> {
        self.begin(metainfo, Place::Download(folder.to_owned()), files).await
    }

    async fn begin(&self, metainfo: Arc<Metainfo>, place: Place, files: Files) -> Result<InfoHash, Problem> {
        let inner = &self.0.inner;
        let hash = metainfo.info_hash();
        if let Some(stay) = inner.add(hash, Some(metainfo), place, files) {
            inner.bring_in(stay).await?;
        }
        Ok(hash)
    }

    /// Fetches a torrent of which only the info hash is known; its description is asked of peers (BEP 9).
    pub fn fetch_described(&self, hash: InfoHash, folder: &Path, files: Files) {
        self.0.inner.add(hash, None, Place::Download(folder.to_owned()), files);
    }

    /// Tells of addresses where others may have a torrent.
    pub fn add_peers(&self, hash: InfoHash, source: Source, endpoints: &[Endpoint]) {
        if let Some(stay) = self.0.inner.stay(hash) {
            self.0.inner.handle(stay, Event::Addresses { source, endpoints });
        }
    }

    /// Announces a torrent to its trackers (BEP 12) whenever it is active, and connects to whom they name. Trackers that
    /// were named before stay as they are.
    pub fn announce(&self, hash: InfoHash, tiers: Vec<Vec<String>>) {
        if let Some(stay) = self.0.inner.stay(hash) {
            self.0.inner.announce(stay, tiers);
        }
    }

    /// Does nothing more with a torrent but remember it, until it is [resumed](Self::resume). Its trackers are told.
    pub fn pause(&self, hash: InfoHash) {
        if let Some(stay) = self.0.inner.stay(hash) {
            self.0.inner.pause(stay, Pause::Asked);
        }
    }

    /// Goes on with a torrent that is paused, whether by a person or by a problem: its files are looked at again, and
    /// what has changed is hashed. What comes of it is told as its phases are. Nothing if it is not paused.
    pub fn resume(&self, hash: InfoHash) {
        if let Some(stay) = self.0.inner.stay(hash) {
            self.0.inner.resume(stay);
        }
    }

    /// Leaves a torrent for good; its files stay as they are. Its trackers have
    /// [`STOP_TIME_MAX`](crate::announce::STOP_TIME_MAX) to hear it. False if it is not here.
    pub async fn remove(&self, hash: InfoHash) -> bool {
        let inner = &self.0.inner;
        match inner.stay(hash).and_then(|stay| inner.take_out(stay)) {
            Some(leaving) => {
                leaving.leave().await;
                true
            }
            None => false,
        }
    }

    /// Sets limits anew.
    pub fn limit(&self, limits: Limits) {
        self.0.inner.limit(limits);
    }

    /// The limits that hold.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let session = &self.0.inner.core.lock().session;
        Limits { upload: session.upload.rate(), download: session.download.rate() }
    }

    /// What a torrent's trackers said, in order; none if it is not announced.
    #[must_use]
    pub fn trackers(&self, hash: InfoHash) -> Vec<TrackerStatus> {
        self.0.inner.core.lock().torrents.get(&hash).map(Running::trackers).unwrap_or_default()
    }

    /// How a torrent stands; `None` if it is not here.
    #[must_use]
    pub fn status(&self, hash: InfoHash) -> Option<Status> {
        let inner = &self.0.inner;
        let now = inner.now();
        let mut core = inner.core.lock();
        core.torrents.get_mut(&hash).map(|running| running.status(now))
    }

    /// All torrents, in the order in which they came.
    #[must_use]
    pub fn torrents(&self) -> Vec<Listed> {
        let now = self.0.inner.now();
        let mut core = self.0.inner.core.lock();
        let mut all: Vec<_> = core.torrents.values_mut().collect();
        all.sort_by_key(|running| running.stay.number);
        all.into_iter().map(|running| running.listed(now)).collect()
    }

    /// The torrents that are fetched into `folder`, or have been, by the names that they have there.
    #[must_use]
    pub fn fetched_into(&self, folder: &Path) -> BTreeMap<String, Download> {
        let core = self.0.inner.core.lock();
        let here = core.torrents.values().filter_map(|running| match (&running.place, &running.metainfo) {
            (Place::Download(path), Some(metainfo)) if path == folder => {
                let whole = matches!(*running.phases().borrow(), Phase::Whole(_));
                Some((metainfo.name().to_owned(), Download { info_hash: running.stay.hash, whole }))
            }
            _ => None,
        });
        here.collect()
    }

    /// What a torrent is; `None` until that is known, or if it is not here.
    #[must_use]
    pub fn metainfo(&self, hash: InfoHash) -> Option<Arc<Metainfo>> {
        self.0.inner.core.lock().torrents.get(&hash)?.metainfo.clone()
    }

    /// What happens from now on.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::new(self.0.inner.changes.subscribe())
    }

    /// The phases of a torrent as they come; `None` if it is not here.
    #[must_use]
    pub fn phases(&self, hash: InfoHash) -> Option<watch::Receiver<Phase>> {
        self.0.inner.core.lock().torrents.get(&hash).map(Running::phases)
    }

    /// Waits until what is wanted of a torrent is there, and says where it is.
    ///
    /// # Errors
    /// It was paused, for this reason, or is not here.
    pub async fn whole(&self, hash: InfoHash) -> Result<PathBuf, String> {
        let gone = || format!("the torrent {hash} is not here");
        let mut phases = self.phases(hash).ok_or_else(gone)?;
        loop {
            match &*phases.borrow_and_update() {
                Phase::Whole(path) => return Ok(path.clone()),
                Phase::Paused(why) => return Err(why.to_string()),
                Phase::Describing | Phase::Checking | Phase::Fetching => {}
            }
            phases.changed().await.map_err(|_| gone())?;
        }
    }

    /// Closes all connections, stops listening, saves what is known to be good, and tells trackers that we leave, who
    /// have [`STOP_TIME_MAX`](crate::announce::STOP_TIME_MAX) to hear it.
    pub async fn stop(&self) {
        let leaving: Vec<_> =
            self.0.stop().into_iter().map(|leaving| tokio::spawn(leaving.leave())).collect();
        for leaving in leaving {
            // If one panicked, that was said already.
            let _ = leaving.await;
        }
    }
}

impl Owner {
    /// Ends everything but the announcing.
    fn stop(&self) -> Vec<Leaving> {
        self.tasks.iter().for_each(AbortHandle::abort);
        let core = self.inner.core.lock();
        let stays: Vec<Stay> = core.torrents.values().map(|running| running.stay).collect();
        drop(core);
        stays.into_iter().filter_map(|stay| self.inner.take_out(stay)).collect()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Dropped, the announcers tell trackers by themselves. Nothing is saved: nobody waits for it.
        drop(self.stop());
    }
}

impl Turn<'_> {
    /// Tells the engine what happened.
    fn tell(&mut self, event: Event<'_>) {
        self.running.engine.handle(event, self.now, self.session);
    }
}

impl Inner {
    fn now(&self) -> Micros {
        Micros::try_from(self.started.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }

    /// The limit of uploads, for what is no torrent's.
    fn pace(self: &Arc<Self>) -> Pace {
        let inner = Arc::downgrade(self);
        Pace::new(move |bytes| {
            let wait =
                inner.upgrade().map(|inner| inner.core.lock().session.upload.spend(bytes, inner.now()));
            Duration::from_micros(wait.unwrap_or_default())
        })
    }

    /// The stay of a torrent that is here.
    fn stay(&self, hash: InfoHash) -> Option<Stay> {
        self.core.lock().torrents.get(&hash).map(|running| running.stay)
    }

    /// Tells a torrent's engine what happened, and has done what it wants.
    fn handle(self: &Arc<Self>, stay: Stay, event: Event<'_>) {
        self.turn(stay, |turn| turn.tell(event));
    }

    /// Does something with a torrent, and what its engine wants then. `None` if the torrent is not here.
    fn turn<R>(self: &Arc<Self>, stay: Stay, work: impl FnOnce(&mut Turn<'_>) -> R) -> Option<R> {
        let now = self.now();
        let mut core = self.core.lock();
        let Core { session, torrents, agenda, .. } = &mut *core;
        let running = torrents.get_mut(&stay.hash).filter(|running| running.stay == stay)?;
        let was_crowded = is_crowded(session);
        let mut turn = Turn { inner: self, running, session, now };
        let done = work(&mut turn);
        turn.act(None);
        turn.running.look_for_peers();
        let mut sooner = agenda.arm(turn.running, turn.session, now);
        if was_crowded && !is_crowded(session) {
            // Others may have waited for a connection to end.
            for running in torrents.values_mut() {
                sooner |= agenda.arm(running, session, now);
            }
        }
        if sooner {
            self.sooner.notify_one();
        }
        Some(done)
    }
}

/// Whether torrents must wait before they connect to others.
fn is_crowded(session: &Session) -> bool {
    session.half_open() >= session.half_open_max
        || session.connections() + session.half_open() >= session.connections_max
}

/// What we call ourselves: two letters and a version (BEP 20), then chance.
fn peer_id() -> PeerId {
    let mut id = *b"-SK0100-............";
    id[8..].copy_from_slice(&rand::random::<[u8; 12]>());
    PeerId(id)
}
