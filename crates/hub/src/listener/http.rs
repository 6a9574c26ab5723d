//! The HTTP listener: announces and scrapes on threads of their own, everything else handed over to the router.
//!
//! A thread a core waits with `mio` for its own listening sockets and clients; no lock, no other thread and no
//! allocation is between the bytes of an announce and those of its answer. What is neither announce nor scrape, such
//! as a page or the API, goes to hyper and the axum router together with its connection and with what was already
//! read of it ([`handover`]); there, too, announces are answered, by the same [`answer::Desk`] ([`front`]).
//!
//! The rooms: [`answer`] knows calls and bodies and no HTTP around them; `head` finds requests in bytes, and `reply` puts a
//! head before a body; [`connection`] is the state machine of bytes in and bytes out, without sockets; `peer` gives it
//! one; `event_loop` gives each peer its turn; `company` says when a rest between two rounds saves work; `deadlines` says
//! whose time is up; [`forwarded`] says who asks through a proxy. Where a port speaks TLS, or a load balancer stands before
//! it, `opening` reads what comes before HTTP; TLS itself is shaken hands with by those who take over, and what comes out
//! of it is served there.

pub mod answer;
mod company;
pub mod connection;
mod deadlines;
mod event_loop;
pub mod forwarded;
pub mod front;
pub mod handover;
mod head;
mod opening;
mod peer;
mod reply;
mod stream;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use mio::Waker;
use socket2::Socket;
use tokio::sync::mpsc;

use super::sockets::{self, Transport};
use crate::config::Config;
use crate::tracker::Tracker;
use event_loop::EventLoop;
use opening::Door;
use peer::Tools;

pub use handover::Handover;

/// Connections that may wait for the router at a time; beyond it they are refused.
pub const HANDOVERS_MAX: usize = 1024;

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 4096;

/// Bound sockets that nobody serves yet.
pub struct HttpListener {
    /// The sockets of each thread, and what is spoken there.
    sockets: Vec<Vec<(TcpListener, Door)>>,
    local_addrs: Vec<SocketAddr>,
    tls_addrs: Vec<SocketAddr>,
    config: Config,
}

/// Threads that serve HTTP.
pub struct HttpServer {
    threads: Vec<(JoinHandle<()>, Waker)>,
    local_addrs: Vec<SocketAddr>,
    connections: Arc<Connections>,
    stop: Arc<AtomicBool>,
}

/// How many connections there are, those with the router included.
#[derive(Debug)]
pub struct Connections {
    open: AtomicUsize,
    refused: AtomicUsize,
    max: usize,
}

/// One connection's place among the [`Connections`], until it is dropped.
#[derive(Debug)]
pub struct Slot(Arc<Connections>);

impl HttpListener {
    /// Binds every address of `config.listen` and `config.tls.listen`, for a thread a core; one that is in both speaks
    /// both. An address of all IPv6 interfaces is left out where there is no IPv6, if there are others.
    ///
    /// # Errors
    ///
    /// An address cannot be listened on: which, why, and what to do.
    pub fn bind(config: &Config) -> io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut of_threads = Vec::new();
        of_threads.resize_with(threads, Vec::new);
        let mut listener = Self {
            sockets: of_threads,
            local_addrs: Vec::new(),
            tls_addrs: Vec::new(),
            config: config.clone(),
        };
        let tls = &config.tls.listen;
        for address in sockets::possible(&config.listen) {
            listener.open(address, if tls.contains(&address) { Door::Both } else { Door::Plain })?;
        }
        for address in sockets::possible(tls).filter(|address| !config.listen.contains(address)) {
            listener.open(address, Door::Tls)?;
        }
        Ok(listener)
    }

    fn open(&mut self, address: SocketAddr, door: Door) -> io::Result<()> {
        let shared = sockets::bind(address, Transport::Tcp, self.sockets.len(), sockets::FLAG)?;
        let bound = shared.first().map_or(Ok(address), sockets::local_address)?;
        for (of_thread, socket) in self.sockets.iter_mut().zip(shared) {
            of_thread.push((listening(socket)?, door));
        }
        self.local_addrs.extend((door != Door::Tls).then_some(bound));
        self.tls_addrs.extend((door != Door::Plain).then_some(bound));
        Ok(())
    }

    /// The addresses in the order of the configuration, with the ports that the system chose.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// Those of TLS, likewise.
    #[must_use]
    pub fn tls_addrs(&self) -> &[SocketAddr] {
        &self.tls_addrs
    }

    /// Starts the threads. What they do not answer goes to `handover`, whose bound should be [`HANDOVERS_MAX`]; those
    /// who serve it end when the server is stopped, as the senders are gone then.
    ///
    /// # Errors
    ///
    /// The system has no thread or no poll to give.
    pub fn serve(self, tracker: &Arc<Tracker>, handover: &mpsc::Sender<Handover>) -> io::Result<HttpServer> {
        let connections = Arc::new(Connections::new(self.config.http.connections_max));
        let mut server = HttpServer {
            threads: Vec::new(),
            local_addrs: self.local_addrs,
            connections: connections.clone(),
            stop: Arc::default(),
        };
        for (at, sockets) in self.sockets.into_iter().enumerate() {
            let tools = Tools::new(&self.config, tracker);
            let balancers = self.config.http.proxy_protocol_from.clone();
            let (event_loop, waker) = EventLoop::new(
                sockets,
                balancers,
                tools,
                handover.clone(),
                connections.clone(),
                server.stop.clone(),
            )?;
            let run = move || {
                if let Err(error) = event_loop.run() {
                    tracing::error!(%error, "a thread that serves HTTP cannot go on");
                }
            };
            let thread = std::thread::Builder::new().name(format!("http-{at}")).spawn(run)?;
            server.threads.push((thread, waker));
        }
        Ok(server)
    }
}

fn listening(socket: Socket) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    // Linux hands it on to the accepted connections; elsewhere it is set on each.
    socket.set_tcp_nodelay(true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl HttpServer {
    /// The addresses that are served, in the order of the configuration.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Stops accepting, answers what has arrived, gives clients two seconds to take the answers, and closes. Blocks
    /// until then. Connections with the router are the router's to end.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        for (_, waker) in &self.threads {
            if let Err(error) = waker.wake() {
                tracing::error!(%error, "cannot wake a thread that serves HTTP");
            }
        }
        for (thread, _) in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that served HTTP had panicked");
            }
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.end();
    }
}

impl Connections {
    fn new(max: usize) -> Self {
        Self { open: AtomicUsize::new(0), refused: AtomicUsize::new(0), max }
    }

    /// Those open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Those refused so far because too many were open.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// A place for one more, and whether there is room for it.
    fn enter(self: &Arc<Self>) -> (Slot, bool) {
        let has_room = self.open.fetch_add(1, Ordering::Relaxed) < self.max;
        if !has_room {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        (Slot(self.clone()), has_room)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
