//! The battery over each dialect.

mod battery;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use battery::{CASES, Peer, World};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use swarm::directory::{Ask, ChunkList, Config, Dialect, Extent, FileName, Join, Key, Offer};
use swarm::{Directory, Endpoint, Families, Port, Seconds};

#[test]
fn every_case_holds_in_every_dialect() {
    for dialect in Dialect::ALL {
        for case in CASES {
            // Shown when it fails.
            println!("{dialect}: {}; by the clock: {}", case.name, case.by_the_clock);
            (case.run)(&mut Direct::new(dialect));
        }
    }
}

/// The directory itself, called as a listener would.
struct Direct {
    dialect: Dialect,
    directory: Directory,
    now: Seconds,
    rng: SmallRng,
    /// By endpoint.
    peers: BTreeMap<Endpoint, Peer>,
    deaf: BTreeSet<Endpoint>,
    /// What each peer has registered, where that is a name of its own.
    seeds: BTreeSet<(Peer, String)>,
}

impl Direct {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            directory: Directory::new(Config::usual(1 << 20, 7)),
            now: 0,
            rng: SmallRng::seed_from_u64(7),
            peers: BTreeMap::new(),
            deaf: BTreeSet::new(),
            seeds: BTreeSet::new(),
        }
    }

    /// Does something for each key that the peer has.
    fn each_key(&mut self, peer: Peer, mut each: impl FnMut(&mut Directory, &Key<'_>, Seconds)) {
        let (label, source) = (label(peer), endpoint(peer).ip());
        match self.dialect {
            Dialect::Token => each(&mut self.directory, &Key::token(&label, source), self.now),
            Dialect::Index => each(&mut self.directory, &Key::index(&label, source), self.now),
            Dialect::Beacon => each(&mut self.directory, &Key::beacon(endpoint(peer)), self.now),
            Dialect::Chunklist => {
                for (_, name) in self.seeds.iter().filter(|(seeder, _)| *seeder == peer) {
                    each(&mut self.directory, &Key::chunklist(name, source), self.now);
                }
            }
        }
    }

    fn probe(&mut self) {
        while let Some(probe) = self.directory.next_probe(self.now) {
            let answers = !self.deaf.contains(&probe.endpoint);
            self.directory.probed(probe.ticket, answers, self.now, |_| ());
        }
    }
}

impl World for Direct {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn register(&mut self, peer: Peer, names: &[&str]) {
        let (label, endpoint) = (label(peer), endpoint(peer));
        self.peers.insert(endpoint, peer);
        self.deaf.remove(&endpoint);
        let names = names.iter().map(|name| FileName::new(name).expect("a name"));
        let offers: Vec<_> = names.map(|name| Offer { name, extent: Extent::Unknown }).collect();
        let mut join = |join: &Join<'_>| {
            self.directory.join(join, self.now).expect("nothing is near its bound");
        };
        match self.dialect {
            Dialect::Token => join(&Join::token(&label, endpoint, &offers)),
            Dialect::Index => join(&Join::index(&label, endpoint, &offers)),
            Dialect::Beacon => offers.chunks(1).for_each(|one| join(&Join::beacon(endpoint, one))),
            Dialect::Chunklist => {
                for offer in offers {
                    let list = ChunkList { name: offer.name, bytes: b"['00']", stated_bytes: 6 };
                    join(&Join::chunklist(endpoint.ip(), endpoint, list));
                    self.seeds.insert((peer, offer.name.to_string()));
                }
            }
        }
    }

    fn look_up(&mut self, asker: Peer, name: &str) -> BTreeSet<Peer> {
        let label = label(asker);
        let asker = match self.dialect {
            Dialect::Token => Some(Key::token(&label, endpoint(asker).ip())),
            Dialect::Index => Some(Key::index(&label, endpoint(asker).ip())),
            Dialect::Beacon | Dialect::Chunklist => None,
        };
        let ask = Ask { dialect: self.dialect, name, asker, families: Families::V4, want: 50 };
        let answer = self.directory.look_up(&ask, &mut self.rng);
        answer.rows.iter().map(|row| self.peers[&row.holder.endpoint()]).collect()
    }

    fn list(&mut self) -> BTreeSet<(Peer, String)> {
        let holders = self.directory.holders(self.dialect, 0, usize::MAX).rows.into_iter();
        let offers = holders
            .flat_map(|holder| holder.names().map(move |(name, _)| (holder.endpoint(), name.to_owned())));
        let all: BTreeSet<_> = offers.map(|(endpoint, name)| (self.peers[&endpoint], name)).collect();
        if self.dialect == Dialect::Chunklist {
            let seeders = self.directory.seeders(usize::MAX, Families::Both, &mut self.rng);
            let seeders = seeders.iter().map(|row| (self.peers[&row.holder.endpoint()], row.name.to_owned()));
            assert_eq!(seeders.collect::<BTreeSet<_>>(), all);
        }
        all
    }

    fn beat(&mut self, peer: Peer) -> bool {
        self.each_key(peer, |directory, key, now| {
            directory.beat(key, now);
        });
        self.dialect != Dialect::Token
    }

    fn leave(&mut self, peer: Peer) -> bool {
        self.each_key(peer, |directory, key, _| {
            directory.leave(key);
        });
        true
    }

    fn fall_deaf(&mut self, peer: Peer) {
        self.deaf.insert(endpoint(peer));
    }

    fn pass(&mut self, secs: u32) {
        for _ in 0..secs {
            self.now += 1;
            self.directory.expire(self.now, usize::MAX, |_| ());
            self.probe();
        }
    }
}

fn label(peer: Peer) -> String {
    format!("peer{}", peer.label)
}

fn endpoint(peer: Peer) -> Endpoint {
    let port = Port::new(6_000 + u16::from(peer.label)).expect("not 0");
    Endpoint::new(IpAddr::from([10, 0, 0, peer.address]), port)
}
