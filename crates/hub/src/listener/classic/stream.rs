//! TCP connections of `token` and `index`.
//!
//! Who is connected and silent costs a task and a socket, and no buffer: bytes are read into one on the stack once they
//! are there.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::conversation::{Conversation, Next, Speaks};
use super::doors::{Door, Pass};
use crate::classic::{Count, Registrar};
use crate::config::ClassicConfig;

/// How long a request may take from its first byte to its last.
const REQUEST: Duration = Duration::from_secs(10);

/// How long a client may take to take its reply.
const REPLY: Duration = Duration::from_secs(10);

/// How long a client may take to close after its last reply. To close before what it sent is read would tear the reply
/// out of its hands.
const CLOSE: Duration = Duration::from_secs(2);

/// Bytes read at a time.
const READ_BYTES: usize = 8 << 10;

/// A request that is larger takes a turn with other large ones.
const SMALL_BYTES_MAX: usize = READ_BYTES;

/// Large requests that may come at a time: each takes up to a megabyte.
const LARGE_MAX: usize = 32;

/// Large requests that may come from one address at a time.
const LARGE_PER_ADDRESS_MAX: usize = 4;

/// How long accepting rests when the system has no room for another connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What all connections have in common.
pub(super) struct Streams {
    registrar: Arc<Registrar>,
    door: Arc<Door>,
    large: Semaphore,
    large_door: Arc<Door>,
    idle: Duration,
}

/// The turn of a large request.
type Turn<'a> = (Pass, SemaphorePermit<'a>);

/// What came of looking at a connection that has something to read.
enum Came {
    Bytes(Next),
    Nothing,
    End,
}

impl Streams {
    pub(super) fn new(registrar: Arc<Registrar>, config: &ClassicConfig) -> Self {
        Self {
            registrar,
            door: Door::new(config.connections_max, config.connections_per_address_max),
            large: Semaphore::new(LARGE_MAX),
            large_door: Door::new(usize::MAX, LARGE_PER_ADDRESS_MAX),
            idle: Duration::from_secs(config.idle_secs.into()),
        }
    }

    /// Serves whoever connects. It never ends.
    pub(super) async fn accept(self: Arc<Self>, speaks: Speaks, socket: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((_, from)) if !self.registrar.admits(from.ip()) => {
                    self.registrar.note(speaks.dialect(), Count::Denied);
                }
                Ok((stream, from)) => match self.door.enter(from.ip()) {
                    Some(pass) => {
                        let streams = self.clone();
                        connections.spawn(async move {
                            let source = from.ip().to_canonical();
                            streams.converse(speaks, stream, source).await;
                            drop(pass);
                        });
                    }
                    None => self.registrar.note(speaks.dialect(), Count::Limited),
                },
                Err(error) => {
                    tracing::warn!(%error, dialect = %speaks.dialect(), "cannot accept a connection");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// Answers one client until it goes, is silent for too long, or sends what is no request.
    async fn converse(&self, speaks: Speaks, mut stream: TcpStream, source: IpAddr) {
        // A reply is one write, and is not to wait for another.
        let _ = stream.set_nodelay(true);
        let mut conversation = Conversation::new(speaks, source);
        let mut turn: Option<Turn<'_>> = None;
        let mut idle_until = Instant::now() + self.idle;
        let mut begun: Option<Instant> = None;
        loop {
            let until = begun.map_or(idle_until, |begun| idle_until.min(begun + REQUEST));
            if !matches!(timeout_at(until, stream.readable()).await, Ok(Ok(()))) {
                return;
            }
            let mut replies = Vec::new();
            let mut next = match self.receive(&stream, &mut conversation, &mut replies) {
                Came::Bytes(next) => next,
                Came::Nothing => continue,
                Came::End => return,
            };
            if !replies.is_empty() {
                idle_until = Instant::now() + self.idle;
                begun = None;
            }
            loop {
                if !replies.is_empty()
                    && !matches!(timeout(REPLY, stream.write_all(&replies)).await, Ok(Ok(())))
                {
                    return;
                }
                if next != Next::GoOn {
                    break;
                }
                replies.clear();
                next = conversation.go_on(&self.registrar, &mut replies);
            }
            if next == Next::Close {
                return close(stream).await;
            }
            if conversation.has_begun() {
                begun = begun.or_else(|| Some(Instant::now()));
            }
            if conversation.held_bytes() <= SMALL_BYTES_MAX {
                turn = None;
            } else if turn.is_none() {
                turn = self.turn(source, until).await;
                if turn.is_none() {
                    self.registrar.note(speaks.dialect(), Count::Limited);
                    return;
                }
            }
        }
    }

    /// Reads what is there. Nothing of it is a part of the task's own state, so that a silent client's task is small.
    fn receive(&self, stream: &TcpStream, conversation: &mut Conversation, replies: &mut Vec<u8>) -> Came {
        let mut bytes = [0; READ_BYTES];
        match stream.try_read(&mut bytes) {
            Ok(0) => Came::End,
            Ok(len) => Came::Bytes(conversation.take(&bytes[..len], &self.registrar, replies)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Came::Nothing,
            Err(_) => Came::End,
        }
    }

    /// A turn for a large request, if one is to be had in time.
    async fn turn(&self, source: IpAddr, until: Instant) -> Option<Turn<'_>> {
        let pass = self.large_door.enter(source)?;
        let permit = timeout_at(until, self.large.acquire()).await.ok()?.ok()?;
        Some((pass, permit))
    }
}

/// Says that nothing more comes, and waits a moment for the client to say so too.
async fn close(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let drained = async {
        let mut rest = Box::new([0; READ_BYTES]);
        while stream.ready(Interest::READABLE).await.is_ok() {
            match stream.try_read(&mut rest[..]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    // Who does not close in time is closed on.
    let _ = timeout(CLOSE, drained).await;
}
