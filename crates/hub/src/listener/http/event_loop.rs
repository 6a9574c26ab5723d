//! A thread's loop: waits for sockets to be ready, and gives each client its turn.

use std::io;
use std::net::{IpAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use mio::net::TcpListener;
use mio::{Events, Poll, Token, Waker};
use slab::Slab;
use tokio::sync::mpsc;

use super::company::{Company, REST};
use super::deadlines::Deadlines;
use super::opening::{Door, Opening};
use super::peer::{Interest, Peer, Tools, Turn};
use super::{Connections, Handover};

/// Readiness that is told at a time.
const EVENTS_MAX: usize = 256;

/// Clients that are let in before those inside get their turn.
const ACCEPTS_PER_TURN_MAX: usize = 64;

/// Milliseconds after which a listener is tried again that the system had nothing left for, such as descriptors.
const ACCEPT_PAUSE_MILLIS: u64 = 250;

/// Clients that are still let in when the hub stops, for each listener: more than may have been waiting.
const STOP_ACCEPTS_MAX: usize = 8192;

/// Milliseconds that clients have to take the answers in hand when the hub stops.
const STOP_MILLIS_MAX: u64 = 2_000;

const WAKE: Token = Token(usize::MAX);

/// The tokens of listeners count down from here, those of clients up from 0.
const LISTENERS: usize = usize::MAX - 1;

/// One thread's sockets and all it serves them with.
pub(super) struct EventLoop {
    poll: Poll,
    listeners: Vec<Listener>,
    /// Who writes a header of the PROXY protocol before each connection.
    balancers: Vec<IpNet>,
    peers: Slab<Peer>,
    deadlines: Deadlines,
    company: Company,
    /// Clients with more to do than a turn allows.
    again: Vec<usize>,
    /// Clients that have come in and had no turn yet; kept for its room.
    newcomers: Vec<usize>,
    tools: Tools,
    handover: mpsc::Sender<Handover>,
    connections: Arc<Connections>,
    started: Instant,
    stop: Arc<AtomicBool>,
    stop_at: Option<u64>,
}

struct Listener {
    socket: TcpListener,
    door: Door,
    /// Whether somebody may be waiting to be let in.
    ready: bool,
    /// Not to be tried before; `None` if the last client came in well.
    paused_until: Option<u64>,
}

impl EventLoop {
    pub(super) fn new(
        sockets: Vec<(StdListener, Door)>,
        balancers: Vec<IpNet>,
        tools: Tools,
        handover: mpsc::Sender<Handover>,
        connections: Arc<Connections>,
        stop: Arc<AtomicBool>,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let mut listeners = Vec::with_capacity(sockets.len());
        for (at, (socket, door)) in sockets.into_iter().enumerate() {
            let mut socket = TcpListener::from_std(socket);
            poll.registry().register(&mut socket, Token(LISTENERS - at), mio::Interest::READABLE)?;
            listeners.push(Listener { socket, door, ready: false, paused_until: None });
        }
        let event_loop = Self {
            poll,
            listeners,
            balancers,
            peers: Slab::new(),
            deadlines: Deadlines::new(),
            company: Company::default(),
            again: Vec::new(),
            newcomers: Vec::new(),
            tools,
            handover,
            connections,
            started: Instant::now(),
            stop,
            stop_at: None,
        };
        Ok((event_loop, waker))
    }

    /// Serves until it is told to stop.
    ///
    /// # Errors
    ///
    /// The system does not tell what is ready any more.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut expired = Vec::new();
        loop {
            if self.again.is_empty() && self.company.is_worth_waiting_for() {
                std::thread::sleep(REST);
            }
            match self.poll.poll(&mut events, self.patience()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            self.tools.now = self.now();
            self.company.begin_round(self.tools.now);
            self.tools.service.tick();
            self.go_on();
            for event in &events {
                match event.token() {
                    WAKE => {}
                    Token(key) if key > LISTENERS - self.listeners.len() => {
                        self.listeners[LISTENERS - key].ready = true;
                    }
                    Token(key) => self.serve(key, event.is_read_closed()),
                }
            }
            for at in 0..self.listeners.len() {
                self.accept(at, ACCEPTS_PER_TURN_MAX);
            }
            self.deadlines.look(self.tools.now, &mut expired);
            for key in expired.drain(..) {
                self.expire(key);
            }
            if self.stop_at.is_none() && self.stop.load(Ordering::Acquire) {
                self.begin_stop();
            }
            if self.stop_at.is_some_and(|at| self.peers.is_empty() || self.tools.now >= at) {
                return Ok(());
            }
        }
    }

    fn now(&self) -> u64 {
        // Half a billion years pass before this is not exact.
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How long to wait at most.
    fn patience(&self) -> Option<Duration> {
        if !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        let waiting = self.listeners.iter().filter(|listener| listener.ready);
        let waiting = waiting.map(|listener| listener.paused_until.unwrap_or(0));
        let next = self.deadlines.next_look().into_iter().chain(self.stop_at).chain(waiting).min()?;
        // A millisecond more, as the clock is read in whole ones.
        Some(match next.checked_sub(self.now()) {
            None | Some(0) => Duration::ZERO,
            Some(millis) => Duration::from_millis(millis + 1),
        })
    }

    /// Gives those another turn who had more to do.
    fn go_on(&mut self) {
        let mut again = std::mem::take(&mut self.again);
        again.sort_unstable();
        again.dedup();
        for key in again {
            self.serve(key, false);
        }
    }

    /// Lets up to `max` clients in, and then gives each its turn: the same work again and again is in the processor's
    /// caches, and who was let in first has had time to say what it wants.
    fn accept(&mut self, at: usize, max: usize) {
        let mut newcomers = std::mem::take(&mut self.newcomers);
        self.let_in(at, max, &mut newcomers);
        newcomers.drain(..).for_each(|key| self.serve(key, false));
        self.newcomers = newcomers;
    }

    fn let_in(&mut self, at: usize, max: usize, newcomers: &mut Vec<usize>) {
        let listener = &mut self.listeners[at];
        if !listener.ready || listener.paused_until.is_some_and(|until| until > self.tools.now) {
            return;
        }
        for _ in 0..max {
            let listener = &mut self.listeners[at];
            match listener.socket.accept() {
                Ok((stream, address)) => {
                    listener.paused_until = None;
                    let now = self.tools.now;
                    let (slot, has_room) = self.connections.enter();
                    let balanced = !self.balancers.is_empty() && is_in(&self.balancers, address.ip());
                    let opening = Opening::new(listener.door, balanced);
                    let mut peer = Peer::new(stream, address, opening, slot, now);
                    if !has_room {
                        peer.say_last(
                            "503 Service Unavailable",
                            &self.tools.service.date,
                            "too many connections are open; try again later",
                        );
                        continue;
                    }
                    if !cfg!(target_os = "linux") {
                        // Without it answers come a little later, no more.
                        let _ = peer.stream.set_nodelay(true);
                    }
                    newcomers.push(self.peers.insert(peer));
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        listener.ready = false;
                        return;
                    }
                    // Clients that have gone again.
                    io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::Interrupted => {}
                    _ => {
                        if listener.paused_until.is_none() {
                            tracing::warn!(%error, "cannot accept connections; trying on until it goes well");
                        }
                        listener.paused_until = Some(self.tools.now + ACCEPT_PAUSE_MILLIS);
                        return;
                    }
                },
            }
        }
    }

    /// Gives a client its turn. The readiness that led here is a hint: `key` may have been given to another since.
    fn serve(&mut self, key: usize, ended: bool) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        self.company.turn(&mut peer.last_turn);
        let turn = peer.turn(&mut self.tools, ended);
        match turn {
            Turn::Wait | Turn::Again => {
                let interest = if peer.has_unsent() { Interest::ReadWrite } else { Interest::Read };
                if watch(&self.poll, peer, key, interest).is_err() {
                    self.close(key);
                    return;
                }
                let stopped = self.stop_at.is_some() && turn == Turn::Wait && !peer.has_unsent();
                if stopped {
                    self.close(key);
                    return;
                }
                self.deadlines.set(key, peer.deadline(self.tools.limits));
                if turn == Turn::Again {
                    self.again.push(key);
                }
            }
            Turn::HandOver => self.hand_over(key),
            Turn::Close => self.close(key),
        }
    }

    fn expire(&mut self, key: usize) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.expire(&self.tools.service.date);
            self.close(key);
        }
    }

    fn close(&mut self, key: usize) {
        // Closing the socket ends its registration.
        self.peers.remove(key);
        self.deadlines.clear(key);
    }

    fn hand_over(&mut self, key: usize) {
        let mut peer = self.peers.remove(key);
        self.deadlines.clear(key);
        if peer.interest != Interest::None && self.poll.registry().deregister(&mut peer.stream).is_err() {
            return;
        }
        let Ok(permit) = self.handover.try_reserve() else {
            let date = &self.tools.service.date;
            peer.say_last("503 Service Unavailable", date, "too much is asked for at once; try again later");
            return;
        };
        permit.send(peer.into_handover());
    }

    /// Lets in who has knocked, answers what they and all others have sent, and closes as soon as that is taken.
    fn begin_stop(&mut self) {
        self.tools.service.stopping = true;
        self.stop_at = Some(self.tools.now + STOP_MILLIS_MAX);
        for at in 0..self.listeners.len() {
            self.listeners[at].ready = true;
            self.accept(at, STOP_ACCEPTS_MAX);
        }
        self.listeners.clear();
        for key in 0..self.peers.capacity() {
            self.serve(key, false);
        }
    }
}

fn is_in(networks: &[IpNet], ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    networks.iter().any(|network| network.contains(&ip))
}

/// Has the poll tell what is of interest.
fn watch(poll: &Poll, peer: &mut Peer, key: usize, interest: Interest) -> io::Result<()> {
    let registry = poll.registry();
    match (peer.interest, interest) {
        (Interest::None, Interest::ReadWrite) => {
            registry.register(
                &mut peer.stream,
                Token(key),
                mio::Interest::READABLE | mio::Interest::WRITABLE,
            )?;
        }
        (Interest::None, _) => registry.register(&mut peer.stream, Token(key), mio::Interest::READABLE)?,
        (Interest::Read, Interest::ReadWrite) => {
            registry.reregister(
                &mut peer.stream,
                Token(key),
                mio::Interest::READABLE | mio::Interest::WRITABLE,
            )?;
        }
        _ => return Ok(()),
    }
    peer.interest = interest;
    Ok(())
}
