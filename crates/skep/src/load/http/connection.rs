use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Socket, Type};

use super::super::ask::Ask;
use super::reply::{Frame, REPLY_BYTES_MAX, frame};
use crate::load::check::Fault;

/// One place for a connection: the connection that is open there, if any, and the request under way on it.
pub(super) struct Connection {
    stream: Option<TcpStream>,
    source: IpAddr,
    pub(super) class: u32,
    pub(super) pending: Option<Pending>,
    out: Vec<u8>,
    written: usize,
    inbox: Vec<u8>,
    filled: usize,
    /// Whether the open connection has brought a reply before.
    used: bool,
}

/// A request under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) ask: Ask,
    pub(super) tries: u8,
    /// When it was due and when it was sent, in nanoseconds.
    pub(super) due: u64,
    pub(super) sent: u64,
}

/// Where a connection stands after something happened on it.
pub(super) enum Heard {
    /// Nothing to do but wait.
    Nothing,
    /// A whole reply lies in the inbox.
    Reply { frame: Frame, bytes: usize },
    /// The connection ended without one.
    Ended(io::Error),
    /// What came is no reply.
    Wrong(Fault),
}

const READ_BYTES: usize = 8 * 1024;

impl Connection {
    pub(super) fn new(source: IpAddr, class: u32) -> Self {
        let (out, inbox) = (Vec::new(), vec![0; READ_BYTES]);
        Self { stream: None, source, class, pending: None, out, written: 0, inbox, filled: 0, used: false }
    }

    pub(super) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    pub(super) fn open(&mut self, target: SocketAddr, token: Token, registry: &Registry) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if !self.source.is_unspecified() {
            late_port(&socket)?;
            socket.bind(&SocketAddr::new(self.source, 0).into())?;
        }
        match socket.connect(&target.into()) {
            Err(error) if !is_under_way(&error) => return Err(error),
            _ => (),
        }
        let mut stream = TcpStream::from_std(socket.into());
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        (self.stream, self.filled, self.used) = (Some(stream), 0, false);
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.stream = None;
    }

    /// Begins a request that `write` puts down.
    pub(super) fn ask(&mut self, pending: Pending, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.pending = Some(pending);
        self.out.clear();
        self.written = 0;
        write(&mut self.out);
        self.flush()
    }

    /// Sends what the connection takes of the request.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while self.written < self.out.len() {
            match stream.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if is_under_way(&error) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads until a reply is whole or there is no more.
    pub(super) fn hear(&mut self) -> Heard {
        let Some(stream) = &mut self.stream else { return Heard::Nothing };
        loop {
            let room = self.inbox.len() - self.filled;
            if room == 0 {
                if self.inbox.len() > REPLY_BYTES_MAX {
                    let detail = format!("there is more than {REPLY_BYTES_MAX} bytes of it");
                    return Heard::Wrong(Fault { what: "a malformed reply", detail });
                }
                self.inbox.resize(2 * self.inbox.len(), 0);
                continue;
            }
            let count = match stream.read(&mut self.inbox[self.filled..]) {
                Ok(count) => count,
                Err(error) if is_under_way(&error) => return Heard::Nothing,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Heard::Ended(error),
            };
            self.filled += count;
            let whole = &self.inbox[..self.filled];
            match frame(whole) {
                Err(fault) => return Heard::Wrong(fault),
                Ok(Some(frame)) => {
                    let end = frame.end.or((count == 0).then_some(self.filled));
                    if let Some(bytes) = end.filter(|end| *end <= self.filled) {
                        return Heard::Reply { frame, bytes };
                    }
                }
                Ok(None) => (),
            }
            if count == 0 {
                return Heard::Ended(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The body of the reply that was heard.
    pub(super) fn body(&self, frame: &Frame, bytes: usize) -> &[u8] {
        &self.inbox[frame.body_at..bytes]
    }

    /// Forgets the reply that was heard.
    pub(super) fn forget(&mut self) {
        (self.filled, self.used) = (0, true);
    }

    /// Bytes of the request under way.
    pub(super) fn request_bytes(&self) -> u64 {
        self.out.len() as u64
    }

    /// Whether the tracker may have closed the connection before it saw the request: what every client of a kept
    /// connection must expect, and no error.
    pub(super) fn may_be_stale(&self) -> bool {
        self.used && self.filled == 0
    }
}

/// Lets many connections share a source port: the system then chooses it when it knows both ends.
#[cfg(target_os = "linux")]
fn late_port(socket: &Socket) -> io::Result<()> {
    Ok(nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)?)
}

#[cfg(not(target_os = "linux"))]
fn late_port(_: &Socket) -> io::Result<()> {
    Ok(())
}

fn is_under_way(error: &io::Error) -> bool {
    use io::ErrorKind::{NotConnected, WouldBlock};
    matches!(error.kind(), WouldBlock | NotConnected) || error.raw_os_error() == Some(EINPROGRESS)
}

const EINPROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();
