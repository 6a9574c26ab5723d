use std::io;
use std::net::{IpAddr, UdpSocket};

use swarm::Families;
use wire::udp::{ConnectionId, ReplyBody};

use super::super::announce::announce;
use super::super::ask::{Ask, Feed, scraped};
use super::super::check::{Checker, Fault, Told, fault};
use super::super::population::Population;
use super::super::tally::Tally;
use super::batch::{Inbox, Outbox};

/// One socket with its connection id and the requests it has in flight.
pub(super) struct Lane {
    socket: UdpSocket,
    class: u32,
    families: Families,
    connection: Option<ConnectionId>,
    /// When `connection` was last asked for, in nanoseconds.
    connect_at: u64,
    connecting: bool,
    slots: Vec<Slot>,
    free: Vec<u16>,
    /// Requests in flight at most, where replies set the pace.
    window: usize,
    /// Lost requests that must be asked again.
    again: Vec<(Ask, u8)>,
    outbox: Outbox,
}

/// A request in flight. Its transaction id is its place and generation, so that a late reply is known as one.
#[derive(Debug, Clone, Copy)]
struct Slot {
    ask: Option<Ask>,
    generation: u16,
    tries: u8,
    /// When it was due, in nanoseconds; latency counts from here.
    due: u64,
    /// When it was sent, in nanoseconds.
    sent: u64,
}

/// What all lanes of a phase share.
pub(super) struct Shared<'a> {
    pub(super) population: &'a Population,
    pub(super) checker: Option<&'a mut Checker>,
    pub(super) tally: &'a mut Tally,
    pub(super) want: Option<u32>,
    /// What goes with each announce as its URL data.
    pub(super) path: &'a [u8],
}

/// A connection id is renewed after a minute (BEP 15: a client may use it for one, a tracker honours it for two).
const CONNECTION_NANOS: u64 = 60_000_000_000;
/// A tracker that refuses is not asked for a new connection id more often than this.
const RECONNECT_NANOS: u64 = 1_000_000_000;
/// How often a request of a fill is sent before it counts as lost for good.
const TRIES_MAX: u8 = 5;

impl Lane {
    pub(super) fn new(socket: UdpSocket, class: u32, ip: IpAddr, window: u16, slots: u16) -> Self {
        let slot = Slot { ask: None, generation: 0, tries: 0, due: 0, sent: 0 };
        Self {
            socket,
            class,
            families: if ip.to_canonical().is_ipv4() { Families::V4 } else { Families::V6 },
            connection: None,
            connect_at: 0,
            connecting: false,
            slots: vec![slot; slots.max(window).into()],
            free: (0..slots.max(window)).rev().collect(),
            window: window.into(),
            again: Vec::new(),
            outbox: Outbox::new(),
        }
    }

    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether nothing is in flight and nothing must be asked again.
    pub(super) fn is_idle(&self) -> bool {
        self.free.len() == self.slots.len() && self.again.is_empty()
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Asks for a connection id unless that was done or there is one that will do. Returns whether announces may go.
    pub(super) fn connect(&mut self, now: u64, shared: &mut Shared<'_>) -> bool {
        let age = now.saturating_sub(self.connect_at);
        let wait = if self.connection.is_some() { CONNECTION_NANOS } else { RECONNECT_NANOS };
        if !self.connecting && (age >= wait || self.connect_at == 0) && !self.free.is_empty() {
            self.connecting = true;
            self.connect_at = now.max(1);
            self.put(Ask::Connect, 0, now, now, shared);
        }
        self.connection.is_some()
    }

    /// Fills the window with what comes next.
    pub(super) fn ask_all(&mut self, feed: &mut Feed, now: u64, shared: &mut Shared<'_>) {
        if !self.connect(now, shared) || !self.is_worth_sending() {
            return;
        }
        while self.room() > 0 {
            let Some((ask, tries)) = self.again.pop() else { break };
            self.put(ask, tries, now, now, shared);
        }
        while self.room() > 0 {
            let Some(ask) = feed.next(shared.population, self.class) else { break };
            self.put(ask, 0, now, now, shared);
        }
    }

    /// Asks one thing that was due at `due`, if there is room. Returns whether there was.
    pub(super) fn ask_one(&mut self, feed: &mut Feed, due: u64, now: u64, shared: &mut Shared<'_>) -> bool {
        if !self.connect(now, shared) || self.free.is_empty() {
            return false;
        }
        if let Some(ask) = feed.next(shared.population, self.class) {
            self.put(ask, 0, due, now, shared);
        }
        true
    }

    /// Sends what was asked. Returns whether anything went.
    pub(super) fn send(&mut self) -> io::Result<bool> {
        Ok(!self.outbox.is_empty() && self.outbox.send(&self.socket)? > 0)
    }

    /// Reads the replies that are there. Returns whether there were any.
    pub(super) fn hear(
        &mut self,
        inbox: &mut Inbox,
        now: impl Fn() -> u64,
        shared: &mut Shared<'_>,
    ) -> io::Result<bool> {
        let mut heard = false;
        loop {
            let more = inbox.receive(&self.socket)?;
            let now = now();
            for datagram in inbox.datagrams() {
                heard = true;
                self.settle(datagram, now, shared);
            }
            if !more {
                return Ok(heard);
            }
        }
    }

    /// Gives up what was sent before `deadline`; what `must` be answered is asked again.
    pub(super) fn give_up(&mut self, deadline: u64, must: bool, tally: &mut Tally) {
        for (slot, index) in self.slots.iter_mut().zip(0_u16..) {
            if slot.sent >= deadline {
                continue;
            }
            let Some(ask) = slot.ask.take() else { continue };
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(index);
            tally.lost += 1;
            if ask == Ask::Connect {
                self.connecting = false;
            } else if must && slot.tries + 1 < TRIES_MAX {
                self.again.push((ask, slot.tries + 1));
            }
        }
    }

    /// Requests that the window has room for.
    fn room(&self) -> usize {
        self.window.saturating_sub(self.slots.len() - self.free.len())
    }

    /// A system call for one datagram or two is waste: in a window that is mostly full, waits for company.
    fn is_worth_sending(&self) -> bool {
        let room = self.room();
        room * COMPANY_SHARE >= self.window || room >= COMPANY
    }

    fn put(&mut self, ask: Ask, tries: u8, due: u64, sent: u64, shared: &mut Shared<'_>) {
        let Some(index) = self.free.pop() else { return };
        let slot = &mut self.slots[usize::from(index)];
        (slot.ask, slot.tries, slot.due, slot.sent) = (Some(ask), tries, due, sent);
        let transaction = u32::from(slot.generation) << 16 | u32::from(index);
        let connection = self.connection.unwrap_or(ConnectionId(0));
        let tally = &mut *shared.tally;
        tally.requests += 1;
        self.outbox.push(|out| {
            let before = out.len();
            encode(ask, transaction, connection, shared.population, shared.want, shared.path, out);
            tally.request_bytes += (out.len() - before) as u64;
        });
    }

    fn settle(&mut self, datagram: &[u8], now: u64, shared: &mut Shared<'_>) {
        let reply = match wire::udp::decode_reply(datagram, self.families) {
            Ok(reply) => reply,
            Err(malformed) => {
                shared.tally.fault(&Fault { what: "a malformed reply", detail: malformed.to_string() });
                return;
            }
        };
        let [high, middle, low, lowest] = reply.transaction.to_be_bytes();
        let index = u16::from_be_bytes([low, lowest]);
        let generation = u16::from_be_bytes([high, middle]);
        let Some(slot) = self.slots.get_mut(usize::from(index)).filter(|slot| slot.generation == generation)
        else {
            shared.tally.stray += 1;
            return;
        };
        let Some(ask) = slot.ask.take() else {
            shared.tally.stray += 1;
            return;
        };
        slot.generation = slot.generation.wrapping_add(1);
        let latency = now.saturating_sub(slot.due);
        self.free.push(index);
        self.connecting &= ask != Ask::Connect;
        if let ReplyBody::Error(text) = &reply.body {
            shared.tally.error(text);
            // The likeliest complaint is about the connection id.
            if now.saturating_sub(self.connect_at) >= RECONNECT_NANOS {
                self.connection = None;
            }
            return;
        }
        shared.tally.reply(datagram.len(), latency);
        let checked = match (ask, &reply.body) {
            (Ask::Connect, ReplyBody::Connect(id)) => {
                self.connection = Some(*id);
                Ok(())
            }
            (Ask::Announce(peer, event), ReplyBody::Announce { interval, complete, incomplete, peers }) => {
                let told = Told { interval: *interval, complete: *complete, incomplete: *incomplete };
                let check = |checker: &mut Checker| checker.announce(peer, event, told, peers.iter());
                shared.checker.as_deref_mut().map_or(Ok(()), check)
            }
            (Ask::Scrape(first), ReplyBody::Scrape(counts)) => {
                let counts: Vec<_> = counts.iter().collect();
                let check = |checker: &mut Checker| checker.scrape(first, counts.into_iter());
                shared.checker.as_deref_mut().map_or(Ok(()), check)
            }
            (ask, _) => fault("a reply to something else", || format!("{ask:?} was asked")),
        };
        if let Err(fault) = checked {
            shared.tally.fault(&fault);
        }
    }
}

/// A window is worth refilling when one in so many of its places is free,
const COMPANY_SHARE: usize = 2;
/// or when this many are.
const COMPANY: usize = 16;

fn encode(
    ask: Ask,
    transaction: u32,
    connection: ConnectionId,
    population: &Population,
    want: Option<u32>,
    path: &[u8],
    out: &mut Vec<u8>,
) {
    match ask {
        Ask::Connect => wire::udp::encode_connect_request(transaction, out),
        Ask::Announce(peer, event) => {
            let announce = announce(peer, event, want, population);
            wire::udp::encode_announce_request(transaction, connection, &announce, path, out);
        }
        Ask::Scrape(first) => {
            let hashes = scraped(first, population).map(|torrent| population.hash(torrent));
            wire::udp::encode_scrape_request(transaction, connection, hashes, out);
        }
    }
}
