//! A connection and its socket: reads, has [`Connection`] answer, writes, and says what is to be done with both.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use mio::net::TcpStream;

use super::company::Window;
use super::connection::{Connection, Service, Then};
use super::opening::{Opened, Opening};
use super::reply::{Date, write_error};
use super::{Handover, Slot};
use crate::config::Config;
use crate::tracker::Tracker;

/// Reads from one connection before another gets its turn.
const READS_PER_TURN_MAX: usize = 8;

/// Bytes that are read at a time.
const READ_BYTES: usize = 16 << 10;

/// Milliseconds for which what a refused client still sends is read and thrown away.
const REFUSED_MILLIS: u64 = 2_000;

/// Whether a read that fills less than its buffer tells that nothing is left, and the next arrival will be told
/// (epoll(7)). Where readiness is told otherwise, only a read that would block does.
const SHORT_READ_DRAINS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A client.
pub(super) struct Peer {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) interest: Interest,
    /// When it last had a turn.
    pub(super) last_turn: Window,
    /// What must be known before HTTP begins; `None` once it has.
    opening: Option<Opening>,
    connection: Connection,
    /// Answers that the socket did not take at once, and how much of them it has taken since.
    unsent: Vec<u8>,
    sent: usize,
    then: Then,
    phase: Phase,
    since: u64,
    slot: Slot,
}

/// What the poll was asked to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    /// Nothing yet: many a client is answered before it comes to that.
    None,
    /// That there is something to read.
    Read,
    /// That, or that there is room to write.
    ReadWrite,
}

/// What all clients of a thread are served with.
pub(super) struct Tools {
    pub(super) service: Service,
    pub(super) limits: Limits,
    /// Milliseconds since the start, as of this batch.
    pub(super) now: u64,
    input: Box<[u8]>,
    output: Vec<u8>,
}

/// How long clients may take, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For the rest of a head after its first byte.
    pub(super) head_millis: u64,
    /// Without a request, and to take the answers.
    pub(super) idle_millis: u64,
}

/// How a client's turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is nothing to do until the socket is ready.
    Wait,
    /// There may be more to do; others come first.
    Again,
    /// The connection is for those who answer everything else.
    HandOver,
    /// The connection is to be closed.
    Close,
}

/// What is being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening,
    Request,
    RestOfHead,
    RoomToWrite,
    EndOfRefused,
}

impl Tools {
    pub(super) fn new(config: &Config, tracker: &Arc<Tracker>) -> Self {
        let limits = Limits {
            head_millis: u64::from(config.http.head_timeout_secs) * 1000,
            idle_millis: u64::from(config.http.keep_alive_secs) * 1000,
        };
        let service = Service::new(config, tracker);
        Self { service, limits, now: 0, input: vec![0; READ_BYTES].into(), output: Vec::new() }
    }
}

impl Peer {
    pub(super) fn new(
        stream: TcpStream,
        address: SocketAddr,
        opening: Option<Opening>,
        slot: Slot,
        now: u64,
    ) -> Self {
        Self {
            stream,
            address,
            interest: Interest::None,
            last_turn: Window::default(),
            phase: if opening.is_some() { Phase::Opening } else { Phase::Request },
            opening,
            connection: Connection::default(),
            unsent: Vec::new(),
            sent: 0,
            then: Then::Read,
            since: now,
            slot,
        }
    }

    /// Does what can be done without waiting. `ended`: the poll told that the client sends no more.
    pub(super) fn turn(&mut self, tools: &mut Tools, ended: bool) -> Turn {
        let mut answered = false;
        let turn = self.work(tools, ended, &mut answered);
        let phase = self.phase();
        if phase != self.phase || answered {
            self.since = tools.now;
        }
        self.phase = phase;
        turn
    }

    /// When its time is up.
    pub(super) fn deadline(&self, limits: Limits) -> u64 {
        self.since
            + match self.phase {
                Phase::Request | Phase::RoomToWrite => limits.idle_millis,
                Phase::Opening | Phase::RestOfHead => limits.head_millis,
                Phase::EndOfRefused => REFUSED_MILLIS,
            }
    }

    /// Its time is up: a client that is within a request is told so, if it still listens.
    pub(super) fn expire(&mut self, date: &Date) {
        if self.phase == Phase::RestOfHead {
            self.say_last("408 Request Timeout", date, "the request took too long to arrive");
        }
    }

    /// The last words to a client, which may or may not arrive. Who may speak TLS would not understand them.
    pub(super) fn say_last(&mut self, status: &str, date: &Date, reason: &str) {
        if self.opening.is_some() {
            return;
        }
        let mut out = Vec::new();
        write_error(status, date, reason, &mut out);
        // A fresh line's worth of bytes fits any socket that takes bytes at all, and one that takes none is given up.
        let _ = self.stream.write(&out);
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Whether answers wait for the client to take them.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Takes it apart for those who go on with it.
    pub(super) fn into_handover(mut self) -> Handover {
        let tls = self.opening.is_some();
        let read = match self.opening {
            Some(opening) => opening.into_input(),
            None => self.connection.take_input(),
        };
        Handover { stream: self.stream.into(), read, tls, peer: self.address, slot: self.slot }
    }

    fn work(&mut self, tools: &mut Tools, ended: bool, answered: &mut bool) -> Turn {
        let mut drained = false;
        for _ in 0..READS_PER_TURN_MAX {
            match self.flush() {
                Ok(true) => {}
                Ok(false) => return Turn::Wait,
                Err(_) => return Turn::Close,
            }
            match self.then {
                Then::Read if drained => return Turn::Wait,
                Then::Read | Then::Refuse => {}
                Then::GoOn => {
                    *answered |= self.receive(0, tools);
                    continue;
                }
                Then::HandOver => return Turn::HandOver,
                Then::Close => return Turn::Close,
            }
            match self.stream.read(&mut tools.input) {
                Ok(0) => return Turn::Close,
                Ok(length) => {
                    drained = SHORT_READ_DRAINS && !ended && length < tools.input.len();
                    if self.then != Then::Refuse {
                        *answered |= self.receive(length, tools);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Turn::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Turn::Close,
            }
        }
        Turn::Again
    }

    /// Has the first `length` bytes of the input answered, and writes; whether there was anything to write.
    fn receive(&mut self, length: usize, tools: &mut Tools) -> bool {
        let Tools { service, input, output, .. } = tools;
        output.clear();
        self.then = match &mut self.opening {
            None => self.connection.receive(&input[..length], self.address.ip(), service, output),
            Some(opening) => match opening.receive(&input[..length], &mut self.address) {
                Opened::Waits => Then::Read,
                Opened::Tls => Then::HandOver,
                Opened::Http(begun) => {
                    self.opening = None;
                    self.connection.receive(&begun, self.address.ip(), service, output)
                }
                Opened::Refused(reason) => {
                    self.opening = None;
                    write_error("400 Bad Request", &service.date, &reason, output);
                    Then::Refuse
                }
            },
        };
        if output.is_empty() {
            return false;
        }
        // Whatever is wrong with the socket, flushing finds it out again.
        let sent = match self.then {
            Then::Close => write_last(&mut self.stream, output),
            _ => self.stream.write(output),
        }
        .unwrap_or(0);
        if sent < output.len() {
            self.unsent.extend_from_slice(&output[sent..]);
        } else if self.then == Then::Refuse {
            // Told that nothing more comes, the client closes; an error here is found out by reading.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        true
    }

    /// Sends what is left; whether that is now nothing.
    fn flush(&mut self) -> io::Result<bool> {
        while self.sent < self.unsent.len() {
            match self.stream.write(&self.unsent[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.sent > 0 {
            (self.unsent, self.sent) = (Vec::new(), 0);
            if self.then == Then::Refuse {
                let _ = self.stream.shutdown(Shutdown::Write);
            }
        }
        Ok(true)
    }

    fn phase(&self) -> Phase {
        if self.has_unsent() {
            Phase::RoomToWrite
        } else if self.then == Then::Refuse {
            Phase::EndOfRefused
        } else if self.opening.is_some() {
            Phase::Opening
        } else if self.connection.is_within_head() {
            Phase::RestOfHead
        } else {
            Phase::Request
        }
    }
}

/// Writes what the socket will be closed after. The system keeps the end of it until then, so that the last bytes and the
/// end of the stream go out as one segment, for which the client has one to acknowledge.
#[cfg(target_os = "linux")]
fn write_last(stream: &mut TcpStream, output: &[u8]) -> io::Result<usize> {
    use rustix::net::{SendFlags, send};

    Ok(send(stream, output, SendFlags::MORE | SendFlags::NOSIGNAL)?)
}

#[cfg(not(target_os = "linux"))]
fn write_last(stream: &mut TcpStream, output: &[u8]) -> io::Result<usize> {
    stream.write(output)
}

#[cfg(test)]
mod tests;
