//! The peer's own HTTP API, for programs on the same machine: what is here, fetch this, pause that, stop.
//!
//! It is served on loopback only, to whoever shows the token. What takes the hub, as finding a torrent by its name, is
//! asked of the process around it, through [`Hooks`].

mod guard;
mod listener;
pub mod problem;
#[cfg(test)]
mod tests;
pub mod token;
mod torrents;
mod view;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use swarm::InfoHash;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use problem::Problem;
pub use token::Token;

use crate::node::{Limits, Node};
use listener::Listener;

/// Bytes of a body that is no .torrent file.
const BODY_BYTES_MAX: usize = 64 << 10;

/// What somebody wants to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// What a person would type: a name, an info hash, a magnet link or an address.
    Named(String),
    /// A .torrent file.
    Torrent(Vec<u8>),
}

/// Something to be fetched, and whom to tell what came of that: which torrent it is, and whether it is new here.
pub type FetchRequest = (Wish, oneshot::Sender<Result<(InfoHash, bool), Problem>>);

/// What the API asks of the process around it.
#[derive(Debug, Clone)]
pub struct Hooks {
    /// Finds something and begins to fetch it.
    pub fetch: mpsc::Sender<FetchRequest>,
    /// Takes a torrent down for good; the answer comes when it is not here any more.
    pub remove: mpsc::Sender<(InfoHash, oneshot::Sender<()>)>,
    /// Begins a graceful stop.
    pub shutdown: mpsc::Sender<()>,
}

/// The API of one node. It ends when this is dropped.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    serving: tokio::task::AbortHandle,
}

/// What every handler may need.
struct Shared {
    node: Node,
    token: Token,
    hooks: Hooks,
    address: SocketAddr,
    since: Instant,
    /// The turn of a .torrent file that is being sent, of which one is in memory at a time.
    uploads: Semaphore,
}

impl Api {
    /// Serves `node` at `address`, whose port 0 is any free one. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address is not loopback's, or cannot be bound.
    pub fn start(address: SocketAddr, node: Node, token: Token, hooks: Hooks) -> io::Result<Self> {
        let listener = Listener::bind(address)?;
        let address = listener.address();
        let shared =
            Shared { node, token, hooks, address, since: Instant::now(), uploads: Semaphore::new(1) };
        let router = router(Arc::new(shared));
        let serving = tokio::spawn(async move {
            // It never ends by itself.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, serving: serving.abort_handle() })
    }

    /// Where it is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let api = Router::new()
        .route("/torrents", get(torrents::list).post(torrents::add))
        .route("/torrents/{hash}", get(torrents::get).delete(torrents::remove))
        .route("/torrents/{hash}/pause", post(torrents::pause))
        .route("/torrents/{hash}/resume", post(torrents::resume))
        .route("/limits", get(limits).put(set_limits))
        .route("/health", get(health))
        .route("/shutdown", post(shutdown));
    Router::new()
        .nest("/api/v1", api)
        .layer(from_fn_with_state(shared.clone(), guard::guard))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

/// Limits as they are set: a number of bytes a second, or `null` for none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLimits {
    upload: Option<u64>,
    download: Option<u64>,
}

/// `GET /api/v1/limits`
async fn limits(State(shared): State<Arc<Shared>>) -> Response {
    let Limits { upload, download } = shared.node.limits();
    Json(json!({ "upload": upload, "download": download })).into_response()
}

/// `PUT /api/v1/limits`
async fn set_limits(
    State(shared): State<Arc<Shared>>,
    Json(limits): Json<NewLimits>,
) -> Result<Response, Problem> {
    let NewLimits { upload, download } = limits;
    if upload == Some(0) || download == Some(0) {
        let detail =
            "a limit of 0 bytes a second would stop everything: a number from 1 is expected, or null";
        return Err(Problem::bad_request(detail));
    }
    shared.node.limit(Limits { upload, download });
    Ok(self::limits(State(shared)).await)
}

/// `GET /api/v1/health`: the one call that needs no token.
async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let uptime_secs = shared.since.elapsed().as_secs();
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "uptime_secs": uptime_secs }))
        .into_response()
}

/// `POST /api/v1/shutdown`
async fn shutdown(State(shared): State<Arc<Shared>>) -> Response {
    // It may have been asked for already.
    let _ = shared.hooks.shutdown.try_send(());
    (StatusCode::ACCEPTED, Json(json!({ "message": "stopping" }))).into_response()
}
