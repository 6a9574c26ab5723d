//! Sockets: where others connect to us, how we connect to them, and what goes through a connection.
//!
//! Nothing here knows why something is sent. A connection reads whole messages and hands them on, and sends what lies
//! in its [`Outbound`] queue.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use swarm::{Endpoint, InfoHash, PeerId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::peer::{HANDSHAKE_BYTES, Handshake};

mod outbound;
mod read;
mod supply;
mod write;

pub(crate) use outbound::{Item, Outbound};
pub(crate) use read::{Batch, Inbound, read};
pub(crate) use supply::Supply;
pub(crate) use write::{Blocks, write};

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// The first byte of a handshake: how long the name of its protocol is (BEP 3).
const HANDSHAKE_FIRST_BYTE: u8 = 19;

/// How long the other side's handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 256;

/// The first port that is tried where none is asked for: the one that peers have always used.
pub(crate) const PORT_FIRST: u16 = 6881;

/// Ports that are tried one after the other.
const PORTS: u16 = 100;

/// Times that a free port is looked for that is free for both IPv4 and IPv6.
const PORT_TRIES: u32 = 16;

/// Listens on `port` of every address, IPv4 and, where the machine has it, IPv6; 0 is any free port, `None` the first
/// free one from [`PORT_FIRST`] on, or if many are taken any.
///
/// # Errors
/// The port is taken, or the system does not let us listen.
pub(crate) fn listen(port: Option<u16>) -> io::Result<Vec<TcpListener>> {
    let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
    let tries: Box<dyn Iterator<Item = u16>> = match port {
        Some(0) => Box::new((0..PORT_TRIES).map(|_| 0)),
        Some(port) => Box::new(std::iter::once(port)),
        None => Box::new((PORT_FIRST..PORT_FIRST + PORTS).chain((0..PORT_TRIES).map(|_| 0))),
    };
    let mut taken = io::ErrorKind::AddrInUse.into();
    for port in tries {
        match listen_once(port) {
            Err(error) if is_taken(&error) => taken = error,
            other => return other,
        }
    }
    Err(taken)
}

fn listen_once(port: u16) -> io::Result<Vec<TcpListener>> {
    let v4 = bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
    let same = v4.local_addr()?.port();
    match bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, same))) {
        Ok(v6) => Ok(vec![v4, v6]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        // A machine without IPv6.
        Err(_) => Ok(vec![v4]),
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Connects to `endpoint` and shakes hands.
///
/// # Errors
/// It does not answer, or answers about another swarm.
pub(crate) async fn dial(endpoint: Endpoint, ours: &Handshake) -> io::Result<(TcpStream, Handshake)> {
    let address = SocketAddr::from((endpoint.ip(), endpoint.port().get()));
    let mut stream = in_time(CONNECT_TIMEOUT, TcpStream::connect(address)).await?;
    prepare(&stream)?;
    say(&mut stream, ours).await?;
    let Heard::Handshake(theirs) = in_time(HANDSHAKE_TIMEOUT, hear(&mut stream)).await? else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it speaks another protocol"));
    };
    if theirs.info_hash != ours.info_hash {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it answered about another torrent"));
    }
    Ok((stream, theirs))
}

/// What somebody says first.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A handshake.
    Handshake(Handshake),
    /// The beginning of something else: its first byte is not that of a handshake.
    Other(Vec<u8>),
}

/// Shakes hands with somebody who connected to us, about a swarm that `is_known`. Who speaks another protocol is told
/// nothing.
///
/// # Errors
/// It says nothing in time, or asks about a swarm that is not ours.
pub(crate) async fn welcome(
    stream: &mut TcpStream,
    peer_id: PeerId,
    is_known: impl Fn(InfoHash) -> bool,
) -> io::Result<Heard> {
    prepare(stream)?;
    let theirs = match in_time(HANDSHAKE_TIMEOUT, hear(stream)).await? {
        Heard::Handshake(theirs) => theirs,
        other @ Heard::Other(_) => return Ok(other),
    };
    if !is_known(theirs.info_hash) {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "it asked about a torrent that is not shared here",
        ));
    }
    say(stream, &Handshake::new(theirs.info_hash, peer_id)).await?;
    Ok(Heard::Handshake(theirs))
}

/// The other side's address, an IPv4-mapped one as IPv4.
pub(crate) fn remote(stream: &TcpStream) -> io::Result<IpAddr> {
    Ok(stream.peer_addr()?.ip().to_canonical())
}

/// Small messages must not wait for more; a link that broke silently should be noticed some day.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_keepalive(true)
}

async fn say(stream: &mut TcpStream, handshake: &Handshake) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(HANDSHAKE_BYTES);
    handshake.encode(&mut bytes);
    in_time(HANDSHAKE_TIMEOUT, stream.write_all(&bytes)).await
}

/// Reads a handshake and not a byte more, or the beginning of something else.
async fn hear(stream: &mut TcpStream) -> io::Result<Heard> {
    let mut bytes = [0; HANDSHAKE_BYTES];
    let mut filled = 0;
    loop {
        let more = stream.read(&mut bytes[filled..]).await?;
        if more == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += more;
        if bytes[0] != HANDSHAKE_FIRST_BYTE {
            return Ok(Heard::Other(bytes[..filled].to_vec()));
        }
        let read = Handshake::decode(&bytes[..filled]);
        match read.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))? {
            Some(handshake) => return Ok(Heard::Handshake(handshake)),
            None => continue,
        }
    }
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
