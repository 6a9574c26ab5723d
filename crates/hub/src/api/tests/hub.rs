//! A hub for a test: real tracker, real catalogue, no sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::Value;
use swarm::{Event, Families, InfoHash, PeerId};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot, watch};
use tower::ServiceExt;
use wire::metainfo::{Builder, Content};

use crate::access::Access;
use crate::accounting::Accounting;
use crate::api::{AdminToken, ApiState, DirectoryView, Hooks, Kept, router};
use crate::catalogue::{Catalogue, Limits, now_unix};
use crate::classic::Registrar;
use crate::config::{Config, Mode};
use crate::hub::Bound;
use crate::listener::http::handover::{Channel, Origin};
use crate::members::Members;
use crate::policy::Policy;
use crate::rules::Rules;
use crate::store::ledger::Report;
use crate::tracker::{Asker, Events, Tracker};
use crate::webhooks::Webhooks;

pub(super) const TOKEN: &str = "opensesame";
pub(super) const HOST: &str = "hub.example:6969";

pub(super) struct Hub {
    router: Router,
    pub(super) tracker: Arc<Tracker>,
    pub(super) access: Access,
    pub(super) reloads: mpsc::Receiver<oneshot::Sender<Result<(), String>>>,
    pub(super) saves: mpsc::Receiver<oneshot::Sender<Result<(), String>>>,
    pub(super) shutdowns: mpsc::Receiver<()>,
    pub(super) ready: watch::Sender<bool>,
    /// Its state directory.
    pub(super) dir: TempDir,
}

/// An answer, read whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
}

/// A request under way.
pub(super) struct Call<'a> {
    hub: &'a Hub,
    request: axum::http::request::Builder,
    peer: SocketAddr,
}

struct Heard(Option<Accounting>);

impl Events for Heard {
    fn completed(&self, _: InfoHash, _: u32) {}

    fn reported(&self, report: Report) {
        if let Some(accounting) = &self.0 {
            assert!(accounting.report(report));
        }
    }
}

impl Hub {
    pub(super) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config { admin_token: Some(TOKEN.into()), ..Config::default() };
        change(&mut config);
        let limits = Limits {
            torrents_per_address: Some(config.catalogue.torrents_per_address),
            metainfo_bytes_max: config.catalogue.metainfo_bytes_max,
            ..Limits::default()
        };
        let (catalogue, _) = Catalogue::open_with(dir.path(), limits, now_unix).unwrap();
        let policy = Arc::new(Policy::new(config.mode, &config.members, 4_000));
        let access = Access::open(&config.access, policy.clone()).unwrap();
        let registrar = Arc::new(Registrar::new(&config.classic, policy.clone()));
        let members = Members::open(catalogue.durable().clone(), policy.clone(), now_unix).unwrap();
        let rules = Rules::open(catalogue.durable().clone(), policy.clone(), now_unix).unwrap();
        let accounting = (config.mode == Mode::Members)
            .then(|| Accounting::open(dir.path(), &config.accounting, 4_000, now_unix).unwrap());
        let tracker =
            Arc::new(Tracker::guarded(&config.tracker, policy, Box::new(Heard(accounting.clone()))));
        let (save, saves) = mpsc::channel(1);
        let (shutdown, shutdowns) = mpsc::channel(1);
        let (ready, is_ready) = watch::channel(true);
        let (reload, reloads) = mpsc::channel(1);
        let hooks = Hooks { save, reload, shutdown, ready: is_ready };
        let admin = AdminToken::load_or_create(dir.path(), config.admin_token.as_deref()).unwrap();
        let bound = Bound {
            http: config.listen.clone(),
            https: config.tls.listen.clone(),
            udp: config.listen.clone(),
            ws: Vec::new(),
            classic: Vec::new(),
        };
        let directory = DirectoryView::new(registrar, &bound.classic);
        let kept = Kept {
            catalogue,
            members,
            rules,
            accounting: accounting.clone(),
            admin,
            webhooks: Webhooks::default(),
        };
        let state = ApiState::new(&config, tracker.clone(), kept, &bound, directory, hooks);
        Self { router: router(state), tracker, access, reloads, saves, shutdowns, ready, dir }
    }

    pub(super) fn call(&self, method: Method, target: &str) -> Call<'_> {
        let request = Request::builder().method(method).uri(target).header(header::HOST, HOST);
        Call { hub: self, request, peer: "192.0.2.1:40000".parse().unwrap() }
    }

    pub(super) fn get(&self, target: &str) -> Call<'_> {
        self.call(Method::GET, target)
    }

    pub(super) fn post(&self, target: &str) -> Call<'_> {
        self.call(Method::POST, target)
    }

    /// Adds a .torrent and expects it to be new.
    pub(super) async fn add(&self, torrent: &[u8]) -> InfoHash {
        let call = self.post("/api/v1/torrents").header("content-type", "application/x-bittorrent");
        let answer = call.body(torrent.to_vec()).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["info_hash"].as_str().unwrap().parse().unwrap()
    }

    /// Has a peer announce itself from 192.0.2.`last`.
    pub(super) fn announce(&self, hash: InfoHash, last: u8, left: u64, event: Event) {
        self.announce_with(None, hash, last, left, event);
    }

    /// The same of a member.
    pub(super) fn announce_as(&self, passkey: &str, hash: InfoHash, last: u8, left: u64, event: Event) {
        self.announce_with(Some(passkey.as_bytes()), hash, last, left, event);
    }

    fn announce_with(&self, passkey: Option<&[u8]>, hash: InfoHash, last: u8, left: u64, event: Event) {
        let ask = wire::Announce {
            info_hash: hash,
            peer_id: PeerId(*b"-SK0100-abcdefghijkl"),
            port: 6881,
            stated_ip: None,
            uploaded: 100,
            downloaded: 0,
            left: Some(left),
            event,
            want: None,
            key: None,
            passkey,
        };
        let asker =
            Asker { ip: [192, 0, 2, last].into(), families: Families::Both, ids: false, user_agent: None };
        self.tracker.announce(&asker, &ask, &mut self.tracker.worker()).unwrap();
    }
}

impl<'a> Call<'a> {
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        if name == "host" {
            self.request.headers_mut().unwrap().remove(name);
        }
        self.request = self.request.header(name, value);
        self
    }

    pub(super) fn token(self) -> Self {
        self.header("authorization", &format!("Bearer {TOKEN}"))
    }

    pub(super) fn browser(self) -> Self {
        self.header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
    }

    pub(super) fn from(mut self, peer: &str) -> Self {
        self.peer = peer.parse().unwrap();
        self
    }

    pub(super) async fn send(self) -> Answer {
        self.body(Vec::new()).await
    }

    pub(super) fn json(self, json: &str) -> impl Future<Output = Answer> + use<'a> {
        self.header("content-type", "application/json").body(json.to_owned())
    }

    pub(super) async fn body(self, body: impl Into<Body>) -> Answer {
        let mut request = self.request.body(body.into()).unwrap();
        request.extensions_mut().insert(Origin {
            peer: self.peer,
            trusted: Arc::from([]),
            lists: Arc::default(),
            channel: Channel::Plain,
        });
        let response = self.hub.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The detail of a problem of this status.
    pub(super) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let json = self.json();
        assert_eq!((&json["type"], &json["status"]), (&"about:blank".into(), &status.into()));
        assert_eq!(json["title"], self.status.canonical_reason().unwrap());
        json["detail"].as_str().unwrap().to_owned()
    }
}

/// A single file of `size` bytes, which need not exist.
pub(super) fn torrent(name: &str, size: u64) -> Vec<u8> {
    builder(name, Content::File(size))
}

/// A folder of files of one byte.
pub(super) fn folder(name: &str, paths: &[&str]) -> Vec<u8> {
    let path = |path: &&str| (path.split('/').map(str::to_owned).collect(), 1);
    builder(name, Content::Folder(paths.iter().map(path).collect()))
}

fn builder(name: &str, content: Content) -> Vec<u8> {
    let size: u64 = match &content {
        Content::File(size) => *size,
        Content::Folder(files) => files.iter().map(|(_, length)| length).sum(),
    };
    let pieces = vec![7; usize::try_from(size.div_ceil(16_384)).unwrap() * 20];
    let torrent = Builder {
        name: name.into(),
        content,
        piece_length: 16_384,
        pieces,
        comment: Some("made for a test".into()),
        created_by: Some("skep test".into()),
        creation_date: Some(1_700_000_000),
        trackers: vec![vec!["http://elsewhere.example/announce".into()]],
        ..Builder::default()
    };
    let mut out = Vec::new();
    torrent.encode(&mut out);
    out
}
