//! Peers in virtual time: a tracker, links, connections, and what each peer does with them.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::net::IpAddr;

use engine::{
    Action, Bits, Config, Content, Event, Identity, Layout, Link, MILLISECOND, Micros, PeerKey, SECOND,
    Session, Source, Torrent,
};
use swarm::{Endpoint, InfoHash, PeerId, Port};
use wire::peer::{Block, FRAME_BYTES_MAX, Message, frame};

pub(crate) mod dice;
mod naive;
mod net;

use dice::Dice;
use naive::{Naive, Out};
use net::{Connection, Line, Packet, SMALL};

/// How many addresses the tracker hands out at once, and how often it is asked.
const ADDRESSES: usize = 50;
const ANNOUNCE_EVERY: Micros = 20 * SECOND;

/// What hashing a piece costs.
const HASH_RATE: u64 = 2_000_000_000;

/// A swarm to simulate.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) layout: Layout,
    pub(crate) delay: Micros,
    pub(crate) seed: u64,
    pub(crate) peers: Vec<Spec>,
}

/// One peer of it.
#[derive(Clone)]
pub(crate) struct Spec {
    /// Bytes a second.
    pub(crate) up: u64,
    pub(crate) down: u64,
    pub(crate) client: Client,
    pub(crate) fault: Fault,
    pub(crate) seeds: bool,
    pub(crate) joins: Micros,
    pub(crate) leaves: Leaves,
    pub(crate) config: Config,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Ours,
    InOrder,
    RarestFirst,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Sends bad data.
    Liar,
    /// Takes requests and answers none.
    Snubber,
    /// Gives nothing and takes what it gets.
    FreeRider,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    Never,
    At(Micros),
    /// Once the others together have every piece.
    OneCopyOut,
}

impl Spec {
    pub(crate) fn leecher(up: u64, down: u64) -> Self {
        Self {
            up,
            down,
            client: Client::Ours,
            fault: Fault::None,
            seeds: false,
            joins: 0,
            leaves: Leaves::Never,
            config: Config::default(),
        }
    }

    pub(crate) fn seeder(up: u64, down: u64) -> Self {
        Self { seeds: true, ..Self::leecher(up, down) }
    }

    pub(crate) fn client(self, client: Client) -> Self {
        Self { client, ..self }
    }

    pub(crate) fn fault(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    pub(crate) fn joins(self, joins: Micros) -> Self {
        Self { joins, ..self }
    }

    pub(crate) fn leaves(self, leaves: Leaves) -> Self {
        Self { leaves, ..self }
    }
}

pub(crate) struct World {
    pub(crate) now: Micros,
    pub(crate) nodes: Vec<Node>,
    layout: Layout,
    delay: Micros,
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    connections: Vec<Connection>,
    dice: Dice,
    online: Vec<usize>,
    pub(crate) events: u64,
}

pub(crate) struct Node {
    pub(crate) spec: Spec,
    pub(crate) alive: bool,
    pub(crate) uploaded: u64,
    pub(crate) finished: Option<Micros>,
    pub(crate) completions: u32,
    pub(crate) verified: Bits,
    pub(crate) banned: BTreeSet<IpAddr>,
    pub(crate) core: Core,
    pub(crate) session: Session,
    up: Line,
    down: Line,
    tick_at: Micros,
    bad: BTreeSet<(u32, u32)>,
    links: HashMap<PeerKey, (usize, usize)>,
    /// The open connections; with the key that a peer of ours has for it.
    keys: HashMap<usize, Option<PeerKey>>,
}

pub(crate) enum Core {
    Ours(Box<Torrent>),
    Naive(Box<Naive>),
}

struct Entry {
    at: Micros,
    sequence: u64,
    what: What,
}

enum What {
    Join(usize),
    Leave(usize),
    Announce(usize),
    Tick(usize),
    Dialed { from: usize, to: Endpoint },
    Arrive { link: usize, side: usize, packet: Packet },
    Deliver { link: usize, side: usize, packet: Packet },
    Sent { link: usize, side: usize, bytes: u32 },
    Closed { link: usize, side: usize },
    Hashed { node: usize, piece: u32, good: bool },
}

impl World {
    pub(crate) fn new(setup: &Setup) -> Self {
        let mut world = Self {
            now: 0,
            nodes: Vec::new(),
            layout: setup.layout,
            delay: setup.delay,
            heap: BinaryHeap::new(),
            sequence: 0,
            connections: Vec::new(),
            dice: Dice(setup.seed),
            online: Vec::new(),
            events: 0,
        };
        for (index, spec) in setup.peers.iter().enumerate() {
            let node = world.node(index, spec);
            world.nodes.push(node);
            world.schedule(spec.joins, What::Join(index));
            if let Leaves::At(at) = spec.leaves {
                world.schedule(at, What::Leave(index));
            }
        }
        world
    }

    /// Runs until every honest leecher that stays is done, or until `limit`; whether they are.
    pub(crate) fn run(&mut self, limit: Micros) -> bool {
        let mut left = self.nodes.iter().filter(|node| node.counts() && node.finished.is_none()).count();
        while left > 0 {
            if self.heap.peek().is_none_or(|Reverse(entry)| entry.at > limit) {
                return false;
            }
            let Some(Reverse(entry)) = self.heap.pop() else { return false };
            assert!(entry.at >= self.now);
            self.now = entry.at;
            self.events += 1;
            let node = self.step(entry.what);
            if let Some(node) = node
                && self.nodes[node].finished.is_none()
                && !self.nodes[node].spec.seeds
                && self.nodes[node].verified.is_full()
            {
                self.nodes[node].finished = Some(self.now);
                left -= usize::from(self.nodes[node].counts());
            }
        }
        true
    }

    /// When the last honest leecher was done, against the time that a fluid would take.
    pub(crate) fn ratio(&self) -> f64 {
        let last = self.nodes.iter().filter(|node| node.counts()).filter_map(|node| node.finished).max();
        last.unwrap_or(Micros::MAX) as f64 / self.fluid_limit() as f64
    }

    /// max(size / seeders' uplink, size / slowest downlink, n · size / all uplinks).
    pub(crate) fn fluid_limit(&self) -> Micros {
        let size = u128::from(self.layout.size()) * u128::from(SECOND);
        let leechers = || self.nodes.iter().filter(|node| !node.spec.seeds);
        let up =
            |node: &Node| u128::from(node.spec.config.upload_limit.unwrap_or(u64::MAX).min(node.spec.up));
        let seeds: u128 = self.nodes.iter().filter(|node| node.spec.seeds).map(up).sum();
        let all = seeds + leechers().map(up).sum::<u128>();
        let slowest = leechers().map(|node| u128::from(node.spec.down)).min().unwrap_or(1);
        let limit = (size / seeds).max(size / slowest).max(leechers().count() as u128 * size / all);
        Micros::try_from(limit).unwrap_or(Micros::MAX)
    }

    /// What all seeders sent, in copies.
    pub(crate) fn seeder_copies(&self) -> f64 {
        let sent: u64 = self.nodes.iter().filter(|node| node.spec.seeds).map(|node| node.uploaded).sum();
        sent as f64 / self.layout.size() as f64
    }

    fn node(&mut self, index: usize, spec: &Spec) -> Node {
        let pieces = self.layout.pieces();
        let have = if spec.seeds { Bits::all(pieces) } else { Bits::none(pieces) };
        let seed = self.dice.next();
        let core = match spec.client {
            Client::Ours => {
                let identity = Identity {
                    info_hash: InfoHash([7; 20]),
                    peer_id: peer_id(index),
                    port: Port::new(6881),
                    client: "sim",
                };
                let content =
                    Content { layout: self.layout, private: true, metadata_bytes: 0, have: have.clone() };
                let torrent = Torrent::new(identity, Some(content), spec.config.clone(), seed, 0);
                Core::Ours(Box::new(torrent))
            }
            client => {
                let in_order = client == Client::InOrder;
                Core::Naive(Box::new(Naive::new(self.layout, have.clone(), in_order, seed)))
            }
        };
        Node {
            spec: spec.clone(),
            alive: false,
            uploaded: 0,
            finished: None,
            completions: 0,
            verified: have,
            banned: BTreeSet::new(),
            core,
            session: Session::new(1_000, 100),
            up: Line::new(spec.up),
            down: Line::new(spec.down),
            tick_at: Micros::MAX,
            bad: BTreeSet::new(),
            links: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    fn schedule(&mut self, at: Micros, what: What) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, what }));
    }

    /// Does what is due; which peer may have got a piece.
    fn step(&mut self, what: What) -> Option<usize> {
        match what {
            What::Join(node) => {
                self.nodes[node].alive = true;
                self.online.push(node);
                self.announce(node);
            }
            What::Leave(node) => self.leave(node),
            What::Announce(node) => {
                if self.nodes[node].alive {
                    self.announce(node);
                }
            }
            What::Tick(node) => {
                if self.nodes[node].alive && self.nodes[node].tick_at == self.now {
                    self.nodes[node].tick_at = Micros::MAX;
                    self.tell(node, Event::Tick, true);
                }
            }
            What::Dialed { from, to } => self.dialed(from, to),
            What::Arrive { link, side, packet } => self.arrive(link, side, packet),
            What::Deliver { link, side, packet } => self.deliver(link, side, packet),
            What::Sent { link, side, bytes } => {
                let node = self.connections[link].ends[side].node;
                if let Some(&Some(peer)) = self.nodes[node].keys.get(&link) {
                    self.tell(node, Event::Sent { peer, bytes }, true);
                }
            }
            What::Closed { link, side } => self.closed(link, side),
            What::Hashed { node, piece, good } => {
                if self.nodes[node].alive {
                    self.hashed(node, piece, good);
                    return Some(node);
                }
            }
        }
        None
    }

    fn announce(&mut self, node: usize) {
        let mut others = BTreeSet::new();
        for _ in 0..2 * ADDRESSES {
            let other = self.online[self.dice.below(self.online.len())];
            if other != node && others.len() < ADDRESSES {
                others.insert(other);
            }
        }
        let endpoints: Vec<Endpoint> = others.into_iter().map(endpoint).collect();
        match &self.nodes[node].core {
            Core::Ours(_) => {
                self.tell(node, Event::Addresses { source: Source::Tracker, endpoints: &endpoints }, true);
            }
            Core::Naive(_) => {
                let room = 40_usize.saturating_sub(self.nodes[node].keys.len());
                for to in endpoints.into_iter().take(room) {
                    self.schedule(self.now + 2 * self.delay, What::Dialed { from: node, to });
                }
                self.tell(node, Event::Tick, true);
            }
        }
        let jitter = self.dice.below(2_000_000) as u64;
        self.schedule(self.now + ANNOUNCE_EVERY + jitter, What::Announce(node));
    }

    fn leave(&mut self, node: usize) {
        self.nodes[node].alive = false;
        self.online.retain(|&other| other != node);
        for link in 0..self.connections.len() {
            if let Some(side) = self.connections[link].ends.iter().position(|end| end.node == node) {
                self.close(link, side);
            }
        }
    }

    fn dialed(&mut self, from: usize, to: Endpoint) {
        let target = index_of(to);
        let both = [from, target];
        let fast = both.iter().all(|&node| self.nodes[node].spec.client == Client::Ours);
        let known = self
            .connections
            .iter()
            .any(|link| link.open && both.iter().all(|&node| link.ends.iter().any(|end| end.node == node)));

        if !self.nodes[from].alive {
            return;
        }
        if !self.nodes[target].alive || known {
            if let Core::Ours(_) = self.nodes[from].core {
                self.tell(from, Event::ConnectFailed { endpoint: to }, true);
            }
            return;
        }
        let rate = self.nodes[from].spec.up.max(self.nodes[target].spec.up);
        let link = self.connections.len();
        self.connections.push(Connection::new(both, rate, self.delay));
        if !self.attach(link, 0, Some(to), fast) {
            self.connections[link].open = false;
        } else if !self.attach(link, 1, None, fast) {
            self.connections[link].open = false;
            self.schedule(self.now, What::Closed { link, side: 0 });
        }
    }

    /// Tells one end of a new connection; whether it accepts.
    fn attach(&mut self, link: usize, side: usize, dialed: Option<Endpoint>, fast: bool) -> bool {
        let [node, other] = [side, 1 - side].map(|side| self.connections[link].ends[side].node);
        let IpAddr::V4(ip) = endpoint(other).ip() else { return false };
        let facts = Link { ip: ip.into(), dialed, peer_id: peer_id(other), fast, extended: fast };
        let now = self.now;
        let here = &mut self.nodes[node];
        match &mut here.core {
            Core::Ours(torrent) => match torrent.connected(&facts, now, &mut here.session) {
                Ok(key) => {
                    here.links.insert(key, (link, side));
                    here.keys.insert(link, Some(key));
                }
                Err(_) => {
                    self.drain(node, true);
                    return false;
                }
            },
            Core::Naive(naive) => {
                let mut out = Vec::new();
                naive.connected(link, &mut out);
                here.keys.insert(link, None);
                self.naive_out(node, out);
            }
        }
        self.drain(node, true);
        true
    }

    fn close(&mut self, link: usize, side: usize) {
        if std::mem::replace(&mut self.connections[link].open, false) {
            self.schedule(self.now + self.delay, What::Closed { link, side: 1 - side });
        }
        let node = self.connections[link].ends[side].node;
        if let Some(Some(key)) = self.nodes[node].keys.remove(&link) {
            self.nodes[node].links.remove(&key);
        }
        self.connections[link].ends.iter_mut().for_each(|end| end.pending.clear());
    }

    fn closed(&mut self, link: usize, side: usize) {
        let node = self.connections[link].ends[side].node;
        let Some(peer) = self.nodes[node].keys.remove(&link) else { return };
        match (&mut self.nodes[node].core, peer) {
            (Core::Naive(naive), _) => naive.gone(link),
            (Core::Ours(_), Some(peer)) => {
                self.nodes[node].links.remove(&peer);
                self.tell(node, Event::Gone { peer }, true);
            }
            (Core::Ours(_), None) => {}
        }
    }

    fn send(&mut self, link: usize, side: usize, packet: Packet) {
        self.connections[link].ends[side].pending.push_back(packet);
        self.pump(link, side);
    }

    fn pump(&mut self, link: usize, side: usize) {
        while let Some(packet) = self.connections[link].next(side) {
            let node = self.connections[link].ends[side].node;
            let gone = self.nodes[node].up.pass(packet.bytes(), self.now);
            if let Packet::Block { block, .. } = packet {
                self.nodes[node].uploaded += u64::from(block.length);
                if let Core::Ours(_) = self.nodes[node].core {
                    self.schedule(gone, What::Sent { link, side, bytes: block.length });
                }
            }
            self.schedule(gone + self.delay, What::Arrive { link, side, packet });
        }
    }

    /// A packet is at the downlink of the other side.
    fn arrive(&mut self, link: usize, side: usize, packet: Packet) {
        let connection = &mut self.connections[link];
        if !connection.open {
            return;
        }
        let to = connection.ends[1 - side].node;
        let before = connection.ends[side].delivered_at;
        let at = if packet.bytes() <= SMALL {
            self.now
        } else {
            self.nodes[to].down.pass(packet.bytes(), self.now)
        };
        let at = at.max(before);
        self.connections[link].ends[side].delivered_at = at;
        if at == self.now {
            self.deliver(link, side, packet);
        } else {
            self.schedule(at, What::Deliver { link, side, packet });
        }
    }

    fn deliver(&mut self, link: usize, side: usize, packet: Packet) {
        if !self.connections[link].open {
            return;
        }
        self.connections[link].ends[side].in_flight -= packet.bytes();
        self.pump(link, side);
        let node = self.connections[link].ends[1 - side].node;
        match packet {
            Packet::Block { block, good } => self.deliver_block(node, link, block, good),
            Packet::Messages(bytes) => {
                let mut rest = &bytes[..];
                while let Some((body, used)) = frame(rest, FRAME_BYTES_MAX).expect("a right length") {
                    rest = &rest[used..];
                    self.deliver_message(node, link, Message::decode(body).expect("a right message"));
                }
                assert!(rest.is_empty(), "actions send whole messages");
                self.drain(node, true);
            }
        }
    }

    fn deliver_message(&mut self, node: usize, link: usize, message: Message<'_>) {
        let Some(&peer) = self.nodes[node].keys.get(&link) else { return };
        match (&mut self.nodes[node].core, peer) {
            (Core::Naive(naive), _) => {
                let mut out = Vec::new();
                naive.message(link, message, &mut out);
                self.naive_out(node, out);
            }
            (Core::Ours(_), Some(peer)) => self.tell(node, Event::Message { peer, message }, true),
            (Core::Ours(_), None) => {}
        }
    }

    fn deliver_block(&mut self, node: usize, link: usize, block: Block, good: bool) {
        let Some(&peer) = self.nodes[node].keys.get(&link) else { return };
        match (&mut self.nodes[node].core, peer) {
            (Core::Naive(naive), _) => {
                let mut out = Vec::new();
                naive.block(link, block, &mut out);
                self.nodes[node].keep(block, good);
                self.naive_out(node, out);
            }
            (Core::Ours(_), Some(peer)) => self.tell(node, Event::Block { peer, block }, good),
            (Core::Ours(_), None) => {}
        }
    }

    fn tell(&mut self, node: usize, event: Event<'_>, good: bool) {
        let here = &mut self.nodes[node];
        match &mut here.core {
            Core::Ours(torrent) => {
                torrent.handle(event, self.now, &mut here.session);
                self.drain(node, good);
            }
            Core::Naive(naive) => {
                let mut out = Vec::new();
                naive.tick(self.now, &mut out);
                let at = naive.next_timeout();
                self.naive_out(node, out);
                self.nodes[node].tick_at = at;
                self.schedule(at, What::Tick(node));
            }
        }
    }

    fn hashed(&mut self, node: usize, piece: u32, good: bool) {
        self.nodes[node].bad.retain(|(of, _)| *of != piece);
        if good {
            self.nodes[node].verified.insert(piece);
        }
        match &mut self.nodes[node].core {
            Core::Ours(_) => self.tell(node, Event::Hashed { piece, good }, true),
            Core::Naive(naive) => {
                let mut out = Vec::new();
                naive.hashed(piece, good, &mut out);
                self.naive_out(node, out);
            }
        }
        self.leave_if_out();
    }

    fn leave_if_out(&mut self) {
        if self.nodes.iter().all(|node| node.spec.leaves != Leaves::OneCopyOut) {
            return;
        }
        for node in 0..self.nodes.len() {
            let wants = self.nodes[node].alive && self.nodes[node].spec.leaves == Leaves::OneCopyOut;
            let others = || self.nodes.iter().enumerate().filter(|(other, one)| *other != node && one.alive);
            if wants
                && (0..self.layout.pieces()).all(|piece| others().any(|(_, one)| one.verified.has(piece)))
            {
                self.leave(node);
            }
        }
    }

    /// Does what a peer of ours wants done. `good`: what the block that was just announced is.
    fn drain(&mut self, node: usize, good: bool) {
        let (now, delay) = (self.now, self.delay);
        loop {
            let here = &mut self.nodes[node];
            let Core::Ours(torrent) = &mut here.core else { return };
            let Some(action) = torrent.next_action() else { break };
            match action {
                Action::Connect { endpoint } => {
                    self.schedule(now + 2 * delay, What::Dialed { from: node, to: endpoint });
                }
                Action::Send { peer, bytes } => {
                    let packet = Packet::Messages(bytes.to_vec());
                    if let Some(&(link, side)) = here.links.get(&peer) {
                        self.send(link, side, packet);
                    }
                }
                Action::SendBlock { peer, block } => {
                    assert!(here.verified.has(block.piece), "only what is verified is given to others");
                    let good = here.spec.fault != Fault::Liar;
                    let silent = matches!(here.spec.fault, Fault::Snubber | Fault::FreeRider);
                    if let (false, Some(&(link, side))) = (silent, here.links.get(&peer)) {
                        self.send(link, side, Packet::Block { block, good });
                    }
                }
                Action::Disconnect { peer, .. } => {
                    if let Some(&(link, side)) = here.links.get(&peer) {
                        self.close(link, side);
                    }
                }
                Action::Write { block } => {
                    here.keep(block, good);
                    if let Core::Ours(torrent) = &mut here.core {
                        torrent.handle(Event::Written { bytes: block.length }, now, &mut here.session);
                    }
                }
                Action::Verify { piece } => {
                    let good = here.is_good(piece);
                    let took = 100 + u64::from(self.layout.piece_bytes(piece)) * SECOND / HASH_RATE;
                    self.schedule(now + took, What::Hashed { node, piece, good });
                }
                Action::Verified { piece } => assert!(here.verified.has(piece)),
                Action::Completed => here.completions += 1,
                Action::Banned { ip } => _ = here.banned.insert(ip),
                Action::SendMetadata { .. } | Action::Metadata { .. } => {}
            }
        }
        let here = &mut self.nodes[node];
        let Core::Ours(torrent) = &mut here.core else { return };
        if let Some(at) = torrent.next_timeout(now, &mut here.session).map(|at| at.max(now + 1))
            && at < here.tick_at
        {
            here.tick_at = at;
            self.schedule(at, What::Tick(node));
        }
    }

    fn naive_out(&mut self, node: usize, out: Vec<Out>) {
        for one in out {
            let side = |world: &Self, link: usize| usize::from(world.connections[link].ends[1].node == node);
            match one {
                Out::Messages(link, bytes) => {
                    let side = side(self, link);
                    self.send(link, side, Packet::Messages(bytes));
                }
                Out::Block(link, block) => {
                    let side = side(self, link);
                    self.send(link, side, Packet::Block { block, good: true });
                }
                Out::Verify(piece) => {
                    let good = self.nodes[node].is_good(piece);
                    self.schedule(self.now + MILLISECOND, What::Hashed { node, piece, good });
                }
            }
        }
    }
}

impl Node {
    /// Whether the run waits for it.
    fn counts(&self) -> bool {
        !self.spec.seeds && self.spec.leaves == Leaves::Never && matches!(self.spec.fault, Fault::None)
    }

    fn keep(&mut self, block: Block, good: bool) {
        let place = (block.piece, block.begin);
        if good {
            self.bad.remove(&place);
        } else {
            self.bad.insert(place);
        }
    }

    fn is_good(&self, piece: u32) -> bool {
        self.bad.range((piece, 0)..=(piece, u32::MAX)).next().is_none()
    }
}

pub(crate) fn endpoint(index: usize) -> Endpoint {
    let [_, a, b, c] = u32::try_from(index + 1).expect("a small number").to_be_bytes();
    Endpoint::new([10, a, b, c].into(), Port::new(6881).expect("a port"))
}

fn index_of(endpoint: Endpoint) -> usize {
    let IpAddr::V4(ip) = endpoint.ip() else { unreachable!("all are IPv4") };
    let [_, a, b, c] = ip.octets();
    u32::from_be_bytes([0, a, b, c]) as usize - 1
}

fn peer_id(index: usize) -> PeerId {
    let mut id = *b"-SK0100-............";
    let throw = Dice(index as u64 + 1).next().to_be_bytes();
    id[8..16].copy_from_slice(&throw);
    PeerId(id)
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
