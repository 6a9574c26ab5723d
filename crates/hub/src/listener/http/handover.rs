//! Connections that ask for more than the tracker's answers: hyper serves them, with the router behind it.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
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
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tower::Service as _;

use super::Slot;
use super::forwarded::client_ip;
use super::head::HEADERS_MAX;
use crate::config::HttpConfig;

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
    /// What was read from it and not answered: the beginning of a request, at least its head.
    pub read: Vec<u8>,
    /// Who is at the other end, perhaps a proxy.
    pub peer: SocketAddr,
    /// Its place among the connections, kept until it is closed.
    pub slot: Slot,
}

/// Serves the connections that come through `handovers` until the listener has stopped and they have ended; those that
/// still answer have two seconds then. Requests carry an [`Origin`] and a [`ConnectInfo`] of [`SocketAddr`].
///
/// A head must arrive within the keep-alive time, counted from the end of the last answer, and an answer must be taken
/// so fast that it never stands still for as long. The time a body or a handler may take is the router's to limit.
pub async fn serve(mut handovers: mpsc::Receiver<Handover>, router: Router, config: &HttpConfig) {
    let trusted: Arc<[IpNet]> = config.trusted_proxies.clone().into();
    let patience = Duration::from_secs(config.keep_alive_secs.max(config.head_timeout_secs).into());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_headers(HEADERS_MAX)
        .max_header_size(config.head_bytes_max)
        .max_buf_size(BUFFER_BYTES_MAX.max(config.head_bytes_max).max(BUFFER_BYTES_MIN));
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    while let Some(handover) = handovers.recv().await {
        // Those that have ended.
        while connections.try_join_next().is_some() {}
        let origin = Origin { peer: handover.peer, trusted: trusted.clone() };
        let (http, router, stopped) = (http.clone(), router.clone(), stopped.clone());
        connections.spawn(connection(http, router, handover, origin, patience, stopped));
    }
    drop(stop);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(STOP_SECS_MAX), all).await.is_err() {
        tracing::info!(connections = connections.len(), "closing connections that did not end in time");
    }
}

async fn connection(
    http: http1::Builder,
    router: Router,
    handover: Handover,
    origin: Origin,
    patience: Duration,
    mut stopped: watch::Receiver<()>,
) {
    let Handover { stream, read, peer, slot: _slot } = handover;
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, %peer, "cannot take over a connection");
            return;
        }
    };
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(origin.clone());
        // A router is always ready.
        router.clone().call(request)
    });
    let io = TokioIo::new(Rewound { read, taken: 0, stream, patience, stalled: None });
    let mut connection = std::pin::pin!(http.serve_connection(io, service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // Nothing is ever sent: this is the end of the sender.
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended badly");
    }
}

/// Where a request's connection comes from, and who of those may speak for others.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// The proxies that are believed.
    pub trusted: Arc<[IpNet]>,
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
        client_ip(origin.peer.ip(), &origin.trusted, values(header::FORWARDED), values(X_FORWARDED_FOR))
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

/// A stream of which some was read before, and that is given up when the other end takes nothing for too long.
struct Rewound {
    read: Vec<u8>,
    taken: usize,
    stream: TcpStream,
    patience: Duration,
    /// Running while the other end takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Rewound {
    /// Passes on how a write went, unless none has gone for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled =
            self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = &self.read[self.taken..];
        if rest.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..length]);
        self.taken += length;
        if self.taken == self.read.len() {
            (self.read, self.taken) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
