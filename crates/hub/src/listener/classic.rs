//! The listeners of the four classic dialects: `token` and `index` over TCP, `chunklist` and `beacon` over UDP.
//!
//! They bring requests to the [`Registrar`] and its replies back, one in one write. The rooms: [`conversation`] finds
//! requests in what comes over a TCP connection, without sockets; `stream` gives it one; `doors` says how many may come
//! in; `datagram` is UDP; `calls` fetches the chunk lists of seeders, `lists` gives them away; `probes` looks whether
//! those who send no heartbeats are still there.

mod calls;
pub mod conversation;
mod datagram;
mod doors;
mod lists;
mod probes;
mod stream;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use socket2::Socket;
use swarm::Port;
use swarm::directory::Dialect;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::sockets::{self, Transport};
use crate::classic::Registrar;
use crate::config::ClassicConfig;
use calls::Calls;
use conversation::Speaks;
use datagram::Datagrams;
use lists::Lists;
use stream::Streams;

/// What to use where a listening address cannot be had.
const FLAG: &str = "--classic-listen";

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 1024;

/// Bytes that the system keeps of datagrams while they are not read; it may grant less.
const DATAGRAMS_BYTES: usize = 1 << 20;

/// How often a port for chunk lists is sought that is not the seeders'.
const LIST_PORT_TRIES: usize = 8;

/// How long what goes on may take to end.
const STOP_MAX: Duration = Duration::from_secs(2);

/// Bound sockets that nobody serves yet.
#[derive(Default)]
pub struct ClassicListener {
    streams: Vec<(Speaks, TcpListener)>,
    beacons: Vec<UdpSocket>,
    chunklists: Vec<Chunklist>,
    addresses: Vec<(Dialect, SocketAddr)>,
}

/// The sockets of `chunklist` at one address.
struct Chunklist {
    datagrams: UdpSocket,
    /// Where clients fetch chunk lists.
    lists: TcpListener,
    list_port: Port,
    /// Where seeders give theirs away.
    seeders_port: Port,
}

/// Everything that goes on in the four dialects. Dropped, it ends.
#[derive(Default)]
pub struct ClassicServing(JoinSet<()>);

impl ClassicListener {
    /// Binds every address of every dialect.
    ///
    /// # Errors
    ///
    /// An address cannot be listened on: which, why, and what to do.
    pub fn bind(config: &ClassicConfig) -> io::Result<Self> {
        let mut listener = Self::default();
        for (dialect, speaks, listen) in [
            (Dialect::Token, Speaks::Token, &config.token.listen),
            (Dialect::Index, Speaks::Index, &config.index.listen),
        ] {
            for address in sockets::possible(listen) {
                let (socket, bound) = one(address, Transport::Tcp)?;
                socket.listen(BACKLOG)?;
                listener.addresses.push((dialect, bound));
                listener.streams.push((speaks, socket.into()));
            }
        }
        for address in sockets::possible(&config.chunklist.listen) {
            let chunklist = Chunklist::bind(address, config.chunklist.list_port)?;
            listener.addresses.push((Dialect::Chunklist, chunklist.datagrams.local_addr()?));
            listener.chunklists.push(chunklist);
        }
        for address in sockets::possible(&config.beacon.listen) {
            let (socket, bound) = datagrams(address)?;
            listener.addresses.push((Dialect::Beacon, bound));
            listener.beacons.push(socket);
        }
        Ok(listener)
    }

    /// The addresses bound, with the ports that the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[(Dialect, SocketAddr)] {
        &self.addresses
    }

    /// Starts answering. To be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn serve(self, registrar: &Arc<Registrar>, config: &ClassicConfig) -> io::Result<ClassicServing> {
        let mut tasks = JoinSet::new();
        if !self.addresses.is_empty() {
            self.answer(registrar, config, &mut tasks)?;
            tasks.spawn(keep(registrar.clone()));
        }
        Ok(ClassicServing(tasks))
    }

    fn answer(
        self,
        registrar: &Arc<Registrar>,
        config: &ClassicConfig,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<()> {
        let streams = Arc::new(Streams::new(registrar.clone(), config));
        for (speaks, socket) in self.streams {
            let socket = asynchronous(socket)?;
            tasks.spawn(streams.clone().accept(speaks, socket));
        }
        let datagrams = Arc::new(Datagrams::new(registrar.clone(), config));
        for socket in self.beacons {
            tasks.spawn(datagrams.clone().beacon(asynchronous_udp(socket)?));
        }
        for Chunklist { datagrams: socket, lists: list_socket, list_port, seeders_port } in self.chunklists {
            let lists = Arc::new(Lists::new(registrar.clone()));
            let calls = Calls::new(registrar.clone(), seeders_port);
            tasks.spawn(lists.clone().accept(asynchronous(list_socket)?));
            let socket = asynchronous_udp(socket)?;
            tasks.spawn(datagrams.clone().chunklist(socket, list_port, calls, lists));
        }
        Ok(())
    }
}

impl ClassicServing {
    /// Ends all of it.
    pub async fn stop(mut self) {
        if timeout(STOP_MAX, self.0.shutdown()).await.is_err() {
            tracing::warn!("the classic listeners take long to end, and are left to themselves");
        }
    }
}

impl Chunklist {
    fn bind(address: SocketAddr, list_port: Option<u16>) -> io::Result<Self> {
        let mut wrong = io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("no port for chunk lists is to be had at {}", address.ip()),
        );
        for _ in 0..LIST_PORT_TRIES {
            let (datagrams, bound) = datagrams(address)?;
            let seeders_port = bound.port().checked_add(1).and_then(Port::new);
            let wanted = match list_port {
                None if address.port() != 0 => bound.port().checked_add(2).unwrap_or(0),
                port => port.unwrap_or(0),
            };
            let (lists, at) = one(SocketAddr::new(bound.ip(), wanted), Transport::Tcp)?;
            match (Port::new(at.port()), seeders_port) {
                (Some(list_port), Some(seeders_port)) if list_port != seeders_port => {
                    lists.listen(BACKLOG)?;
                    return Ok(Self { datagrams, lists: lists.into(), list_port, seeders_port });
                }
                _ if address.port() == 0 => {}
                _ => {
                    wrong = io::Error::new(
                        io::ErrorKind::AddrInUse,
                        format!("chunk lists cannot be given away at {at}: that port is the seeders'"),
                    );
                }
            }
        }
        Err(wrong)
    }
}

/// One socket of that address, and where it is bound.
fn one(address: SocketAddr, transport: Transport) -> io::Result<(Socket, SocketAddr)> {
    let socket = sockets::bind(address, transport, 1, FLAG)?.remove(0);
    let bound = sockets::local_address(&socket)?;
    Ok((socket, bound))
}

fn datagrams(address: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let (socket, bound) = one(address, Transport::Udp)?;
    socket.set_recv_buffer_size(DATAGRAMS_BYTES)?;
    Ok((socket.into(), bound))
}

fn asynchronous(socket: TcpListener) -> io::Result<tokio::net::TcpListener> {
    socket.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(socket)
}

fn asynchronous_udp(socket: UdpSocket) -> io::Result<tokio::net::UdpSocket> {
    socket.set_nonblocking(true)?;
    tokio::net::UdpSocket::from_std(socket)
}

/// What is done every second: the silent go, and some of the others are looked after.
async fn keep(registrar: Arc<Registrar>) {
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut probes = JoinSet::new();
    loop {
        tokio::select! {
            _ = second.tick() => {
                registrar.expire();
                probes::begin(&registrar, &mut probes);
            }
            Some(_) = probes.join_next() => probes::begin(&registrar, &mut probes),
        }
    }
}
