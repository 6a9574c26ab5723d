//! Connections that ask for more than the tracker's answers: hyper serves them, with the router behind it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tower::Service as _;

use super::Slot;
use super::forwarded::client_ip;
use super::head::HEADERS_MAX;
use super::stream::{Patient, Rewound};
use crate::config::HttpConfig;
use crate::listener::tls::Tls;
use crate::policy::Policy;
use crate::policy::lists::Lists;

/// Seconds that requests in hand may take once the listener has stopped.
const STOP_SECS_MAX: u64 = 2;

/// Hyper wants at least so much room for a connection's bytes.
const BUFFER_BYTES_MIN: usize = 8 << 10;

/// Of a body or an answer, this much is held for a connection on its way through.
const BUFFER_BYTES_MAX: usize = 64 << 10;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A connection whose next request is none for the listener's own threads.
#[derive(Debug)]
pub struct Handover {
    /// The socket, which does not block.
    pub stream: std::net::TcpStream,
    /// What was read from it and not answered: the beginning of a request, at least its head; or of TLS.
    pub read: Vec<u8>,
    /// Whether it speaks TLS, of which nothing was said yet.
    pub tls: bool,
    /// Who is at the other end, perhaps a proxy.
    pub peer: SocketAddr,
    /// Its place among the connections, kept until it is closed.
    pub slot: Slot,
}

/// Serves the connections that come through `handovers` until the listener has stopped and they have ended; those that
/// still answer have two seconds then. Those with TLS are served by `tls`. Requests carry an [`Origin`] and a
/// [`ConnectInfo`] of [`SocketAddr`].
///
/// A head must arrive within the keep-alive time, counted from the end of the last answer, and an answer must be taken
/// so fast that it never stands still for as long. The time a body or a handler may take is the router's to limit.
pub async fn serve(
    mut handovers: mpsc::Receiver<Handover>,
    router: Router,
    config: &HttpConfig,
    policy: Arc<Policy>,
    tls: Option<Arc<Tls>>,
) {
    let patience = Duration::from_secs(config.keep_alive_secs.max(config.head_timeout_secs).into());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_headers(HEADERS_MAX)
        .max_header_size(config.head_bytes_max)
        .max_buf_size(BUFFER_BYTES_MAX.max(config.head_bytes_max).max(BUFFER_BYTES_MIN));
    let (stop, stopped) = watch::channel(());
    let trusted = config.trusted_proxies.clone().into();
    let host = Host { http, router, patience, trusted, policy, tls, stopped };
    let mut connections = JoinSet::new();
    while let Some(handover) = handovers.recv().await {
        // Those that have ended.
        while connections.try_join_next().is_some() {}
        connections.spawn(host.clone().receive(handover));
    }
    drop((stop, host));
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(STOP_SECS_MAX), all).await.is_err() {
        tracing::info!(connections = connections.len(), "closing connections that did not end in time");
    }
}

/// What every connection is served with.
#[derive(Clone)]
struct Host {
    http: http1::Builder,
    router: Router,
    patience: Duration,
    trusted: Arc<[IpNet]>,
    policy: Arc<Policy>,
    tls: Option<Arc<Tls>>,
    /// Nothing is ever sent: the end of the sender tells of the stop.
    stopped: watch::Receiver<()>,
}

impl Host {
    async fn receive(self, handover: Handover) {
        let Handover { stream, read, tls, peer, slot: _slot } = handover;
        let ended = match TcpStream::from_std(stream) {
            Ok(stream) if tls => self.secure(Rewound::new(read, stream), peer).await,
            Ok(stream) => self.converse(Rewound::new(read, stream), peer, Channel::Plain).await,
            Err(error) => {
                tracing::warn!(%error, %peer, "cannot take over a connection");
                return;
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %peer, tls, "a connection ended badly");
        }
    }

    async fn secure(mut self, stream: Rewound<TcpStream>, peer: SocketAddr) -> Result<(), Ended> {
        let Some(tls) = self.tls.take() else { return Ok(()) };
        let stream = tokio::select! {
            stream = tls.accept(stream) => stream?,
            _ = self.stopped.changed() => return Ok(()),
        };
        let certified = stream.get_ref().1.peer_certificates().is_some();
        self.converse(stream, peer, Channel::Tls { certified }).await
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        mut self,
        stream: S,
        peer: SocketAddr,
        channel: Channel,
    ) -> Result<(), Ended> {
        let (router, policy, trusted) = (self.router, self.policy, self.trusted);
        let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            // Looked at for each request: what is believed may change while a connection is open.
            let lists = policy.current().shared();
            request.extensions_mut().insert(Origin { peer, trusted: trusted.clone(), lists, channel });
            // A router is always ready.
            router.clone().call(request)
        });
        let io = TokioIo::new(Patient::new(stream, self.patience));
        let mut connection = std::pin::pin!(self.http.serve_connection(io, service).with_upgrades());
        tokio::select! {
            ended = connection.as_mut() => ended?,
            _ = self.stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await?;
            }
        }
        Ok(())
    }
}

/// Why a connection ended badly.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("no handshake: {0}")]
    Handshake(#[from] io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

/// Where a request's connection comes from, and who of those may speak for others.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// The proxies that the configuration has believed.
    pub trusted: Arc<[IpNet]>,
    /// The access lists, which may name others.
    pub lists: Arc<Lists>,
    /// What the connection is made of.
    pub channel: Channel,
}

/// What a connection is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// TCP alone, which others can read.
    Plain,
    /// TLS.
    Tls {
        /// Whether the client has shown a certificate of an authority that is configured for clients.
        certified: bool,
    },
}

impl Origin {
    /// Whether the connection comes from a proxy that is believed, and thus not from who asks.
    #[must_use]
    pub fn is_proxied(&self) -> bool {
        self.trusts(self.peer.ip().to_canonical())
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&ip)) || self.lists.is_proxy(ip)
    }

    /// Whether who asks has shown a certificate. That of a proxy counts for none of those behind it.
    #[must_use]
    pub fn is_certified(&self) -> bool {
        self.channel == Channel::Tls { certified: true } && !self.is_proxied()
    }
}

/// The address of who asks, with trusted proxies taken off: an extractor. It needs the [`Origin`] that [`serve`] puts
/// into each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

/// Why there is no [`ClientIp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientIpError {
    /// The proxy does not say who asks.
    #[error("{0}")]
    Proxy(wire::Malformed),
    /// The request did not come through [`serve`].
    #[error("the request's origin is not known")]
    NoOrigin,
}

impl ClientIp {
    /// The address of who sent the request with these `parts`.
    ///
    /// # Errors
    ///
    /// [`ClientIpError`]
    pub fn of(parts: &Parts) -> Result<Self, ClientIpError> {
        let origin = parts.extensions.get::<Origin>().ok_or(ClientIpError::NoOrigin)?;
        let values = |name| parts.headers.get_all(name).into_iter().map(|value| value.as_bytes());
        client_ip(
            origin.peer.ip(),
            &|ip| origin.trusts(ip),
            values(header::FORWARDED),
            values(X_FORWARDED_FOR),
        )
        .map(Self)
        .map_err(ClientIpError::Proxy)
    }
}

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = ClientIpError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ClientIpError> {
        Self::of(parts)
    }
}

impl IntoResponse for ClientIpError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Proxy(_) => StatusCode::BAD_REQUEST,
            Self::NoOrigin => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.to_string()).into_response()
    }
}
