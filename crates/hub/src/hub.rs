//! A hub from its start to its stop.

mod housekeeping;
mod lock;
mod sources;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use swarm::InfoHash;
use swarm::directory::Dialect;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use wire::Fingerprint;

use crate::access::Access;
use crate::accounting::Accounting;
use crate::api::{self, AdminToken, ApiState, DirectoryView, Hooks, Kept};
use crate::catalogue::{Catalogue, Limits, now_unix};
use crate::classic::Registrar;
use crate::config::{Config, Mode};
use crate::listener::classic::{ClassicListener, ClassicServing};
use crate::listener::http::front::Front;
use crate::listener::http::{HANDOVERS_MAX, HttpListener, HttpServer, handover};
use crate::listener::tls::Tls;
use crate::listener::udp::{self, UdpListener};
use crate::members::Members;
use crate::policy::Policy;
use crate::rules::Rules;
use crate::store::ledger::Report;
use crate::store::snapshot::{self, Loaded};
use crate::tracker::{Events, Tracker};
use crate::webhooks::{Sending, Webhooks};
use housekeeping::{Asked, Housekeeping};
use lock::StateLock;
use sources::Sources;

/// A running hub.
pub struct Hub {
    bound: Bound,
    catalogue: Catalogue,
    accounting: Option<Accounting>,
    tls: Option<Arc<Tls>>,
    http: HttpServer,
    udp: udp::Serving,
    classic: ClassicServing,
    router: JoinHandle<()>,
    housekeeping: Housekeeping,
    sending: Sending,
    reload: mpsc::Sender<Asked>,
    ready: watch::Sender<bool>,
    shutdown_requests: Mutex<mpsc::Receiver<()>>,
    _lock: StateLock,
}

/// Where a hub listens, with the ports that the system chose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bound {
    /// HTTP: announces, the API, the page.
    pub http: Vec<SocketAddr>,
    /// The same over TLS.
    pub https: Vec<SocketAddr>,
    /// UDP announces.
    pub udp: Vec<SocketAddr>,
    /// WebSocket announces.
    pub ws: Vec<SocketAddr>,
    /// The trackers of the classic dialects.
    pub classic: Vec<(Dialect, SocketAddr)>,
}

/// Why a hub does not start. One line: what is wrong, and what to do.
#[derive(Debug)]
pub struct StartError {
    text: String,
    is_taken: bool,
}

/// What a hub could not save when it stopped.
#[derive(Debug)]
pub struct StopError(String);

impl Hub {
    /// Opens the state directory, binds every socket, and serves. It needs a tokio runtime with threads.
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let config = Arc::new(config);
        let opened = {
            let config = config.clone();
            tokio::task::spawn_blocking(move || Opened::open(&config)).await
        };
        let Opened {
            lock,
            admin,
            catalogue,
            members,
            rules,
            accounting,
            policy,
            access,
            tracker,
            tls,
            webhooks,
            sending,
        } = opened.map_err(|panic| StartError::new(format!("the hub did not start: {panic}")))??;

        let http = HttpListener::bind(&config)?;
        let udp = bind_udp(&config, http.local_addrs())?;
        let classic = ClassicListener::bind(&config.classic)?;
        let bound = Bound {
            http: http.local_addrs().to_vec(),
            https: http.tls_addrs().to_vec(),
            udp: udp.addresses().to_vec(),
            ws: Vec::new(),
            classic: classic.addresses().to_vec(),
        };
        let registrar = Arc::new(Registrar::new(&config.classic, policy.clone()));

        let (ready, is_ready) = watch::channel(false);
        let (shutdown, shutdown_requests) = mpsc::channel(1);
        let sources = Sources { tls: tls.clone(), access };
        let (housekeeping, save, reload) =
            Housekeeping::start(&config, tracker.clone(), sources, rules.clone());
        let hooks = Hooks { save, reload: reload.clone(), shutdown, ready: is_ready };
        let directory = DirectoryView::new(registrar.clone(), &bound.classic);
        let kept = Kept {
            catalogue: catalogue.clone(),
            members,
            rules,
            accounting: accounting.clone(),
            admin,
            webhooks,
        };
        let state = ApiState::new(&config, tracker.clone(), kept, &bound, directory, hooks);
        let names = {
            let state = state.clone();
            Box::new(move |hashes| -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
                let state = state.clone();
                Box::pin(async move { state.names(hashes).await })
            })
        };
        let router = Front::new(tracker.clone(), &config.tracker, names).before(api::router(state));

        let (handovers, handed_over) = mpsc::channel(HANDOVERS_MAX);
        let http = http.serve(&tracker, &handovers)?;
        // The threads' senders are now all there are: the router ends with them.
        drop(handovers);
        let udp = udp.serve(&tracker)?;
        let classic = classic.serve(&registrar, &config.classic)?;
        let router = {
            let (config, tls) = (config.clone(), tls.clone());
            tokio::spawn(async move { handover::serve(handed_over, router, &config.http, policy, tls).await })
        };
        ready.send_replace(true);
        let shutdown_requests = Mutex::new(shutdown_requests);
        Ok(Self {
            bound,
            catalogue,
            accounting,
            tls,
            http,
            udp,
            classic,
            router,
            housekeeping,
            sending,
            reload,
            ready,
            shutdown_requests,
            _lock: lock,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// What the certificate that HTTPS shows now is known by.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.tls.as_ref().map(|tls| tls.fingerprint())
    }

    /// Reads anew what may change while the hub runs: the certificate and the access lists. No connection is dropped.
    /// What is wrong with them is logged, and the hub goes on with what it had.
    pub async fn reload(&self) {
        let (answer, answered) = oneshot::channel();
        // Where nobody takes it or answers, the hub is stopping.
        if self.reload.send(answer).await.is_ok()
            && let Ok(Err(wrong)) = answered.await
        {
            tracing::error!("{wrong}");
        }
    }

    /// Waits until somebody asks for a stop over the API.
    pub async fn wait_shutdown_requested(&self) {
        if self.shutdown_requests.lock().await.recv().await.is_none() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }

    /// Stops accepting, answers what is in hand, and saves the swarms and the counts.
    ///
    /// # Errors
    ///
    /// [`StopError`]; it has stopped all the same.
    pub async fn shutdown(self) -> Result<(), StopError> {
        self.ready.send_replace(false);
        self.classic.stop().await;
        let (http, udp) = (self.http, self.udp);
        let http = tokio::task::spawn_blocking(move || http.stop());
        let udp = tokio::task::spawn_blocking(move || udp.stop());
        let ended = async { (http.await, udp.await, self.router.await) }.await;
        if let (Err(panic), ..) | (_, Err(panic), _) | (_, _, Err(panic)) = ended {
            tracing::error!(%panic, "a listener ended badly");
        }
        let saved = self.housekeeping.stop().await;
        self.sending.stop().await;
        let flushed = self.catalogue.flush().await.map_err(|fault| fault.to_string());
        let credited = match &self.accounting {
            Some(accounting) => accounting.flush().await.map_err(|fault| fault.to_string()),
            None => Ok(()),
        };
        saved.and(flushed).and(credited).map_err(StopError)
    }
}

/// What is there before a socket is.
struct Opened {
    lock: StateLock,
    admin: AdminToken,
    catalogue: Catalogue,
    members: Members,
    rules: Rules,
    accounting: Option<Accounting>,
    policy: Arc<Policy>,
    access: Access,
    tracker: Arc<Tracker>,
    tls: Option<Arc<Tls>>,
    webhooks: Webhooks,
    sending: Sending,
}

impl Opened {
    fn open(config: &Config) -> Result<Self, StartError> {
        let state_dir = &config.state_dir;
        let unusable = |error: io::Error| {
            let dir = state_dir.display();
            StartError::new(format!(
                "the state directory {dir} cannot be used: {error}; choose another with --state-dir"
            ))
        };
        fs::create_dir_all(state_dir).map_err(unusable)?;
        let lock = StateLock::take(state_dir)?;
        let admin =
            AdminToken::load_or_create(state_dir, config.admin_token.as_deref()).map_err(StartError::new)?;
        let tls = Tls::open(config, state_dir).map_err(StartError::new)?;
        let limits = Limits {
            metainfo_bytes_max: config.catalogue.metainfo_bytes_max,
            torrents_per_address: Some(config.catalogue.torrents_per_address),
            ..Limits::default()
        };
        let (catalogue, completed, checking) =
            Catalogue::open_unchecked(state_dir, limits, now_unix).map_err(StartError::new)?;
        let policy = Policy::new(config.mode, &config.members, config.tracker.peer_ttl_secs());
        let policy = Arc::new(policy.limited(&config.limits));
        let access = Access::open(&config.access, policy.clone()).map_err(StartError::new)?;
        let durable = catalogue.durable();
        let opened = Members::open(durable.clone(), policy.clone(), now_unix)
            .and_then(|members| Ok((members, Rules::open(durable.clone(), policy.clone(), now_unix)?)));
        let ((members, rules), checking) = match opened {
            Ok(opened) => (opened, checking),
            Err(fault) => {
                checking.finish().map_err(StartError::new)?;
                return Err(StartError::new(fault));
            }
        };
        let accounting = match config.mode {
            Mode::Members => {
                let gap_secs_max = config.tracker.peer_ttl_secs();
                let opened = Accounting::open(state_dir, &config.accounting, gap_secs_max, now_unix);
                Some(opened.map_err(StartError::new)?)
            }
            Mode::Open | Mode::Listed => None,
        };
        let (webhooks, sending) =
            Webhooks::start(&config.webhooks, state_dir, catalogue.clone()).map_err(StartError::new)?;
        let events = Box::new(ToStore {
            catalogue: catalogue.clone(),
            webhooks: webhooks.clone(),
            accounting: accounting.clone(),
        });
        let tracker = Arc::new(Tracker::guarded(&config.tracker, policy.clone(), events));
        let unpinned = completed.iter().filter(|(hash, count)| tracker.pin(*hash, *count).is_err()).count();
        if unpinned > 0 {
            tracing::warn!(
                torrents = unpinned,
                "the memory budget is too small for the catalogue; raise `tracker.memory_max`"
            );
        }
        checking.finish().map_err(StartError::new)?;
        load_snapshot(state_dir, &tracker).map_err(unusable)?;
        Ok(Self {
            lock,
            admin,
            catalogue,
            members,
            rules,
            accounting,
            policy,
            access,
            tracker,
            tls,
            webhooks,
            sending,
        })
    }
}

fn load_snapshot(state_dir: &Path, tracker: &Tracker) -> io::Result<()> {
    match snapshot::load(state_dir, tracker, now_unix())? {
        Loaded::Nothing => {}
        Loaded::Whole(contents) => {
            tracing::info!(
                swarms = contents.swarms,
                peers = contents.peers,
                "the swarms are as they were saved"
            );
        }
        Loaded::Damaged { contents, why, set_aside } => tracing::warn!(
            swarms = contents.swarms,
            peers = contents.peers,
            file = %set_aside.display(),
            "the saved swarms are damaged: {why}; what could be read is used, and the file is set aside"
        ),
    }
    Ok(())
}

/// UDP on the addresses of HTTP. Where the port was left to the system, on the one that HTTP was given if it is free.
fn bind_udp(config: &Config, http: &[SocketAddr]) -> io::Result<UdpListener> {
    UdpListener::bind(http, &config.udp).or_else(|error| {
        let left_open = config.listen.iter().any(|address| address.port() == 0);
        if left_open && error.kind() == io::ErrorKind::AddrInUse {
            UdpListener::bind(&config.listen, &config.udp)
        } else {
            Err(error)
        }
    })
}

/// Completed downloads are kept with the torrent, and whoever wants to know is told of the first.
struct ToStore {
    catalogue: Catalogue,
    webhooks: Webhooks,
    accounting: Option<Accounting>,
}

impl Events for ToStore {
    fn completed(&self, hash: InfoHash, nth: u32) {
        self.catalogue.completed(hash);
        if nth == 1 {
            self.webhooks.tell_completed(hash);
        }
    }

    fn reported(&self, report: Report) {
        if let Some(accounting) = &self.accounting {
            // One that there is no room for is counted, and is in the next one's totals.
            let _ = accounting.report(report);
        }
    }
}

impl StartError {
    fn new(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), is_taken: false }
    }

    /// Whether another program, as another hub, has the port or the state directory.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.is_taken
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for StartError {}

impl fmt::Display for StopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StopError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self { text: error.to_string(), is_taken: error.kind() == io::ErrorKind::AddrInUse }
    }
}
