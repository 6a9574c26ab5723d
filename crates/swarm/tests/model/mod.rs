//! The registry beside a naive model of itself: what is done to one is done to the other, and each answer compared.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::SeedableRng;
use rand::rngs::SmallRng;
use swarm::{
    Announce, Config, Counts, Endpoint, Event, ExportCursor, Families, InfoHash, PeerRecord, Port, Registry,
    Reply, Role, Seconds, Stage, Want,
};

/// Seconds after which a silent peer is gone.
pub(crate) const TTL_SECS: u32 = 100;

/// Why nothing is ever refused here.
const NO_BOUND: &str = "the memory budget is without bound";

/// Something that can be done to a registry. Hashes and endpoints are picked by number from a few.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    /// One peer announces.
    Announce {
        hash: u8,
        peer: u16,
        left: Option<u64>,
        event: Event,
        want: u32,
        families: Families,
    },
    /// Peers of consecutive numbers announce, so that a swarm is large at once.
    Crowd {
        hash: u8,
        first: u16,
        peers: u16,
        seeders: bool,
    },
    /// Time passes.
    Wait {
        secs: u32,
    },
    /// The sweep goes on for a while.
    Sweep {
        budget: usize,
    },
    /// The sweep goes round.
    SweepAll,
    Pin {
        hash: u8,
        completed: u32,
    },
    Unpin {
        hash: u8,
    },
    Remove {
        hash: u8,
    },
    /// All is written down and read into a new registry.
    Restart,
}

/// The registry, its model, and the time both live in.
pub(crate) struct Pair {
    registry: Registry,
    model: BTreeMap<InfoHash, Swarm>,
    now: Seconds,
    rng: SmallRng,
    reply: Reply,
}

#[derive(Debug, Default)]
struct Swarm {
    peers: BTreeMap<Endpoint, Peer>,
    completed: u32,
    pinned: bool,
    empty_since: Seconds,
}

#[derive(Debug, Clone, Copy)]
struct Peer {
    role: Role,
    seen: Seconds,
    counted: bool,
}

impl Pair {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            registry: registry(seed),
            model: BTreeMap::new(),
            now: 0,
            rng: SmallRng::seed_from_u64(seed),
            reply: Reply::default(),
        }
    }

    /// Does `op` to both, and compares.
    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Announce { hash, peer, left, event, want, families } => {
                let want = Want { peers: want % 300, families, ids: false, seeders: false };
                self.announce(Announce {
                    hash: info_hash(hash),
                    endpoint: endpoint(hash, peer),
                    left,
                    event,
                    want,
                    detail: None,
                });
            }
            Op::Crowd { hash, first, peers, seeders } => {
                for peer in first..first.saturating_add(peers % 400) {
                    self.announce(Announce {
                        hash: info_hash(hash),
                        endpoint: endpoint(hash, peer),
                        left: Some(u64::from(!seeders)),
                        event: Event::Update,
                        want: Want { peers: 2, families: Families::Both, ids: false, seeders: false },
                        detail: None,
                    });
                }
            }
            Op::Wait { secs } => self.now += secs % (2 * TTL_SECS),
            Op::Sweep { budget } => {
                self.registry.expire(self.now, budget % 50);
                self.follow_sweep();
            }
            Op::SweepAll => {
                // The round that was under way, and a whole one.
                for _ in 0..2 {
                    while !self.registry.expire(self.now, 7).round_done {}
                }
                self.follow_sweep();
                let now = self.now;
                let stale = |peer: &Peer| now - peer.seen > TTL_SECS;
                assert!(self.model.values().flat_map(|swarm| swarm.peers.values()).all(|peer| !stale(peer)));
                self.model.retain(|_, swarm| {
                    !swarm.peers.is_empty() || swarm.pinned || {
                        swarm.completed > 0 && now - swarm.empty_since <= TTL_SECS
                    }
                });
                assert_eq!(self.registry.stats().swarms, self.model.len());
            }
            Op::Pin { hash, completed } => {
                let completed = completed % 1000;
                self.registry.pin(info_hash(hash), completed, self.now).expect(NO_BOUND);
                let swarm = self.swarm(info_hash(hash));
                swarm.pinned = true;
                swarm.completed = swarm.completed.max(completed);
            }
            Op::Unpin { hash } => {
                self.registry.unpin(&info_hash(hash));
                if let Some(swarm) = self.model.get_mut(&info_hash(hash)) {
                    swarm.pinned = false;
                }
            }
            Op::Remove { hash } => {
                self.registry.remove(&info_hash(hash), self.now);
                self.model.remove(&info_hash(hash));
                assert_eq!(self.registry.scrape(&info_hash(hash)), None);
            }
            Op::Restart => self.restart(),
        }
        self.compare();
    }

    fn announce(&mut self, announce: Announce) {
        // As before a batch; whatever it finds, nothing may change by it.
        Stage::ALL.into_iter().for_each(|stage| self.registry.prefetch(&announce.hash, stage));
        let outcome =
            self.registry.announce(&announce, self.now, &mut self.rng, &mut self.reply).expect(NO_BOUND);
        let Announce { hash, endpoint, left, event, want, .. } = announce;
        if event == Event::Stopped {
            let now = self.now;
            if let Some(swarm) = self.model.get_mut(&hash)
                && swarm.peers.remove(&endpoint).is_some()
                && swarm.peers.is_empty()
            {
                swarm.empty_since = now;
            }
            assert_eq!(self.reply.counts, self.model.get(&hash).map(Swarm::counts).unwrap_or_default());
            assert_eq!(self.reply.peers().count(), 0);
            let over = |swarm: &Swarm| swarm.peers.is_empty() && swarm.completed == 0 && !swarm.pinned;
            if self.model.get(&hash).is_some_and(over) {
                self.model.remove(&hash);
            }
            return;
        }
        let role = match (left, event) {
            (Some(0), _) | (None, Event::Completed) => Role::Seeder,
            (_, Event::Paused) => Role::Partial,
            _ => Role::Leecher,
        };
        let now = self.now;
        let swarm = self.swarm(hash);
        let counted = swarm.peers.get(&endpoint).is_some_and(|peer| peer.counted);
        let completes = event == Event::Completed && role == Role::Seeder && !counted;
        swarm.completed += u32::from(completes);
        swarm.peers.insert(endpoint, Peer { role, seen: now, counted: counted || completes });
        let counts = swarm.counts();
        let eligible: BTreeSet<Endpoint> = swarm
            .peers
            .iter()
            .filter(|(peer, _)| **peer != endpoint)
            .filter(|(_, peer)| role == Role::Leecher || peer.role == Role::Leecher)
            .map(|(peer, _)| *peer)
            .filter(|peer| match want.families {
                Families::V4 => peer.ip().is_ipv4(),
                Families::V6 => peer.ip().is_ipv6(),
                Families::Both => true,
            })
            .collect();
        assert_eq!(outcome.completed, completes);
        assert_eq!(self.reply.counts, counts);
        let told: Vec<Endpoint> = self.reply.peers().collect();
        let distinct: BTreeSet<Endpoint> = told.iter().copied().collect();
        assert_eq!(told.len(), distinct.len(), "somebody is told twice");
        assert_eq!(told.len(), eligible.len().min(want.peers as usize));
        assert!(distinct.is_subset(&eligible));
    }

    /// Lets the model lose the peers and swarms that the registry's sweep has let go, if it might.
    fn follow_sweep(&mut self) {
        let (registry, now) = (&self.registry, self.now);
        self.model.retain(|hash, swarm| {
            let left: BTreeSet<Endpoint> = registry
                .swarm(hash)
                .iter()
                .flat_map(|swarm| swarm.peers(now))
                .map(|peer| peer.endpoint)
                .collect();
            let before = swarm.peers.len();
            swarm.peers.retain(|endpoint, peer| {
                assert!(left.contains(endpoint) || now - peer.seen > TTL_SECS, "{endpoint} was let go early");
                left.contains(endpoint)
            });
            if before > 0 && swarm.peers.is_empty() {
                swarm.empty_since = now;
            }
            let gone = registry.swarm(hash).is_none();
            let might = swarm.peers.is_empty()
                && !swarm.pinned
                && (swarm.completed == 0 || now - swarm.empty_since > TTL_SECS);
            assert!(!gone || might, "{hash} was let go early");
            !gone
        });
    }

    fn restart(&mut self) {
        let mut reborn = registry(u64::from(self.now));
        let mut cursor = ExportCursor::default();
        let now = self.now;
        let mut pins = Vec::new();
        while self.registry.export(&mut cursor, 3, |swarm| {
            // As from a file: first everything is a record, then it is read.
            let peers: Vec<PeerRecord> = swarm.peers(now).collect();
            reborn.import(swarm.hash(), swarm.counts().completed, peers, now).expect(NO_BOUND);
            if swarm.pinned() {
                pins.push((swarm.hash(), swarm.counts().completed));
            }
        }) {}
        for (hash, completed) in pins {
            reborn.pin(hash, completed, now).expect(NO_BOUND);
        }
        self.registry = reborn;
        for swarm in self.model.values_mut() {
            let had_peers = !swarm.peers.is_empty();
            swarm.peers.retain(|_, peer| now - peer.seen <= TTL_SECS);
            // An empty swarm's age is not written down.
            if swarm.peers.is_empty() && (had_peers || !swarm.pinned) {
                swarm.empty_since = now;
            }
        }
        self.model.retain(|_, swarm| !swarm.peers.is_empty() || swarm.pinned || swarm.completed > 0);
        for swarm in self.model.values_mut().filter(|swarm| swarm.peers.is_empty()) {
            swarm.empty_since = now;
        }
    }

    fn compare(&self) {
        let stats = self.registry.stats();
        let peers = || self.model.values().flat_map(|swarm| swarm.peers.iter());
        assert_eq!(stats.population.v4, peers().filter(|(peer, _)| peer.ip().is_ipv4()).count());
        assert_eq!(stats.population.v6, peers().filter(|(peer, _)| peer.ip().is_ipv6()).count());
        assert_eq!(stats.population.seeders, peers().filter(|(_, peer)| peer.role == Role::Seeder).count());
        for (hash, swarm) in &self.model {
            assert_eq!(self.registry.scrape(hash), Some(swarm.counts()), "{hash}");
            let seen: BTreeMap<Endpoint, PeerRecord> = self
                .registry
                .swarm(hash)
                .iter()
                .flat_map(|swarm| swarm.peers(self.now))
                .map(|peer| (peer.endpoint, peer))
                .collect();
            assert!(seen.keys().eq(swarm.peers.keys()));
            for (endpoint, peer) in &swarm.peers {
                let record = seen[endpoint];
                assert_eq!((record.role, record.counted), (peer.role, peer.counted), "{endpoint}");
                assert_eq!(record.idle_secs, self.now - peer.seen, "{endpoint}");
            }
        }
    }

    fn swarm(&mut self, hash: InfoHash) -> &mut Swarm {
        let now = self.now;
        self.model.entry(hash).or_insert_with(|| Swarm { empty_since: now, ..Swarm::default() })
    }
}

impl Swarm {
    fn counts(&self) -> Counts {
        let count = |role| {
            (0..)
                .zip(self.peers.values().filter(|peer| peer.role == role))
                .map(|(n, _)| n + 1)
                .last()
                .unwrap_or(0)
        };
        let (seeders, partials, leechers) = (count(Role::Seeder), count(Role::Partial), count(Role::Leecher));
        Counts {
            complete: seeders,
            incomplete: partials + leechers,
            downloaders: leechers,
            completed: self.completed,
        }
    }
}

fn registry(secret: u64) -> Registry {
    Registry::new(Config { peer_ttl_secs: TTL_SECS, memory_bytes_max: usize::MAX, details_max: 0, secret })
}

/// One of a few hashes.
pub(crate) fn info_hash(number: u8) -> InfoHash {
    InfoHash([number % 6; 20])
}

/// One of many endpoints that the swarm of a hash may have: some are of IPv4 alone, some of IPv6, and in the others every
/// fourth is of IPv6.
pub(crate) fn endpoint(hash: u8, number: u16) -> Endpoint {
    let number = number % 900;
    let port = Port::new(6_881 + number % 3).expect("not 0");
    let is_ipv6 = match hash % 3 {
        0 => number.is_multiple_of(4),
        family => family == 1,
    };
    let ip = if is_ipv6 {
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number))
    } else {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + u32::from(number)))
    };
    Endpoint::new(ip, port)
}
