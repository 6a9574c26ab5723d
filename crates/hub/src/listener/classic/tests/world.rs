//! The battery that holds in every dialect, over real sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};

use battery::{CASES, Peer, World};
use serde_json::{Value, json};
use swarm::directory::Dialect;

use super::Trackers;

#[path = "../../../../../swarm/tests/battery/mod.rs"]
mod battery;

#[test]
fn every_case_holds_in_token() {
    run(Dialect::Token);
}

#[test]
fn every_case_holds_in_index() {
    run(Dialect::Index);
}

#[test]
fn every_case_holds_in_chunklist() {
    run(Dialect::Chunklist);
}

#[test]
fn every_case_holds_in_beacon() {
    run(Dialect::Beacon);
}

fn run(dialect: Dialect) {
    for case in CASES {
        // Shown when it fails.
        println!("{dialect}: {}; by the clock: {}", case.name, case.by_the_clock);
        (case.run)(&mut Sockets::new(dialect));
    }
}

/// A tracker, and peers that speak with it over sockets.
struct Sockets {
    dialect: Dialect,
    trackers: Trackers,
    /// What is listened at for each peer, and the port. It was closed of those who have fallen deaf.
    ports: BTreeMap<Peer, (Option<TcpListener>, u16)>,
    /// What each peer has registered, where that is a name of its own.
    seeds: BTreeSet<(Peer, String)>,
    /// Connections of `index`, which stay open.
    streams: BTreeMap<Peer, TcpStream>,
}

impl Sockets {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            trackers: Trackers::start(),
            ports: BTreeMap::new(),
            seeds: BTreeSet::new(),
            streams: BTreeMap::new(),
        }
    }

    /// The peer's port, where somebody listens from now on.
    fn open(&mut self, peer: Peer) -> u16 {
        let ip = self.trackers.network.host(host(peer));
        let (listener, port) = self.ports.entry(peer).or_default();
        if listener.is_none() {
            let bound = TcpListener::bind((ip, *port)).unwrap();
            *port = bound.local_addr().unwrap().port();
            *listener = Some(bound);
        }
        *port
    }

    fn peer_at(&self, ip: &str, port: u64) -> Peer {
        let ip: IpAddr = ip.parse().unwrap();
        let found = self.ports.iter().find(|(peer, (_, its))| {
            self.trackers.network.host(host(**peer)) == ip && u64::from(*its) == port
        });
        *found.unwrap_or_else(|| panic!("nobody is at {ip}:{port}")).0
    }

    fn ask_token(&self, peer: Peer, request: Value) -> Value {
        let auth = json!({"type": "AUTH", "peer_id": label(peer)}).to_string();
        let granted: Value = parse(&self.trackers.ask(Dialect::Token, host(peer), &auth));
        let mut request = request;
        request["peer_id"] = label(peer).into();
        request["token"] = granted["token"].clone();
        parse(&self.trackers.ask(Dialect::Token, host(peer), &request.to_string()))
    }

    fn ask_index(&mut self, peer: Peer, request: Value) -> Value {
        let stream =
            self.streams.entry(peer).or_insert_with(|| self.trackers.connect(Dialect::Index, host(peer)));
        let mut request = request;
        request["username"] = label(peer).into();
        stream.write_all(request.to_string().as_bytes()).unwrap();
        let mut reply = Vec::new();
        while reply.last() != Some(&b'\n') {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            reply.push(byte[0]);
        }
        serde_json::from_slice(&reply).unwrap()
    }

    fn send_beacon(&self, peer: Peer, action: &str) {
        let datagram = json!({"action": action, "port": self.ports[&peer].1});
        self.trackers.send(Dialect::Beacon, host(peer), &datagram.to_string());
    }

    fn peers(&self, rows: &Value) -> BTreeSet<Peer> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| self.peer_at(row["ip"].as_str().unwrap(), row["port"].as_u64().unwrap())).collect()
    }

    /// What `list_seeder` tells.
    fn seeders(&self, asker: Peer) -> BTreeSet<(Peer, String)> {
        let reply = self.trackers.ask_by_datagram(Dialect::Chunklist, host(asker), "list_seeder");
        let seeders = wire::classic::chunklist::decode_seeders(reply.as_bytes()).unwrap();
        let row = |seeder: wire::classic::chunklist::Seeder| {
            (self.peer_at(&seeder.ip.to_string(), u64::from(seeder.port.get())), seeder.name)
        };
        seeders.into_iter().map(row).collect()
    }
}

impl World for Sockets {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn register(&mut self, peer: Peer, names: &[&str]) {
        let port = self.open(peer);
        match self.dialect {
            Dialect::Token => {
                let files: BTreeMap<_, _> = names.iter().map(|name| (*name, 1)).collect();
                let reply = self.ask_token(peer, json!({"type": "REGISTER", "port": port, "files": files}));
                assert_eq!(reply, json!({"status": "REGISTERED"}));
            }
            Dialect::Index => {
                let reply =
                    self.ask_index(peer, json!({"command": "register", "port": port, "files": names}));
                assert_eq!(reply, json!({"status": "ok"}));
            }
            Dialect::Beacon => {
                for name in names {
                    let datagram = json!({"action": "REGISTER", "filename": name, "port": port});
                    self.trackers.send(Dialect::Beacon, host(peer), &datagram.to_string());
                }
            }
            Dialect::Chunklist => {
                for name in names {
                    let ip = self.trackers.network.host(host(peer));
                    let register = format!("register; {name}; {ip}; {port}; 6");
                    self.trackers.seed(host(peer), &register, b"['00']");
                    self.seeds.insert((peer, (*name).to_owned()));
                }
            }
        }
    }

    fn look_up(&mut self, asker: Peer, name: &str) -> BTreeSet<Peer> {
        match self.dialect {
            Dialect::Token => {
                let reply = self.ask_token(asker, json!({"type": "PEER_LIST", "file_name": name}));
                self.peers(&reply["peers"])
            }
            Dialect::Index => {
                let reply = self.ask_index(asker, json!({"command": "search", "filename": name}));
                self.peers(&reply["peers"])
            }
            Dialect::Beacon => {
                let request = json!({"action": "REQUEST", "filename": name}).to_string();
                let reply = self.trackers.ask_by_datagram(Dialect::Beacon, host(asker), &request);
                let rows: Vec<(String, u64)> = serde_json::from_str(&reply).unwrap();
                rows.iter().map(|(ip, port)| self.peer_at(ip, *port)).collect()
            }
            Dialect::Chunklist => {
                let seeders = self.seeders(asker).into_iter();
                seeders.filter_map(|(peer, its)| (its == name).then_some(peer)).collect()
            }
        }
    }

    fn list(&mut self) -> BTreeSet<(Peer, String)> {
        self.fence();
        let mut all = BTreeSet::new();
        self.trackers.registrar.names(0, usize::MAX, |name| {
            for row in name.holders(self.dialect, 0, usize::MAX).rows {
                let at = row.holder.endpoint();
                let peer = self.peer_at(&at.ip().to_string(), u64::from(at.port().get()));
                all.insert((peer, name.text().to_owned()));
            }
        });
        if self.dialect == Dialect::Chunklist {
            let somebody = Peer { label: 0, address: 0 };
            assert_eq!(self.seeders(somebody), all);
        }
        all
    }

    fn beat(&mut self, peer: Peer) -> bool {
        match self.dialect {
            Dialect::Token => return false,
            Dialect::Index => {
                self.ask_index(peer, json!({"command": "keep_alive"}));
            }
            Dialect::Beacon => {
                self.open(peer);
                self.send_beacon(peer, "HEARTBEAT");
                self.fence();
            }
            Dialect::Chunklist => {
                for (_, name) in self.seeds.iter().filter(|(seeder, _)| *seeder == peer) {
                    self.trackers.send(Dialect::Chunklist, host(peer), &format!("heartbeat;{name}"));
                }
                self.fence();
            }
        }
        true
    }

    fn leave(&mut self, peer: Peer) -> bool {
        match self.dialect {
            // A registration says all that is offered.
            Dialect::Token => {
                let reply = self.ask_token(peer, json!({"type": "REGISTER", "port": 1, "files": {}}));
                assert_eq!(reply, json!({"status": "REGISTERED"}));
            }
            Dialect::Index => {
                assert_eq!(self.ask_index(peer, json!({"command": "exit"})), json!({"status": "ok"}));
            }
            Dialect::Chunklist => {
                for (_, name) in self.seeds.iter().filter(|(seeder, _)| *seeder == peer) {
                    self.trackers.send(Dialect::Chunklist, host(peer), &format!("exit;{name}"));
                }
                self.fence();
            }
            Dialect::Beacon => {
                self.open(peer);
                self.send_beacon(peer, "EXIT");
                self.fence();
            }
        }
        true
    }

    fn fall_deaf(&mut self, peer: Peer) {
        self.ports.get_mut(&peer).unwrap().0 = None;
    }

    fn pass(&mut self, secs: u32) {
        self.fence();
        self.trackers.pass(secs);
    }
}

impl Sockets {
    /// Returns once every datagram before has been dealt with: they are taken in their order, and the last has an answer.
    fn fence(&self) {
        match self.dialect {
            Dialect::Token | Dialect::Index => {}
            Dialect::Beacon => {
                self.trackers.ask_by_datagram(Dialect::Beacon, 1, r#"{"action":"REQUEST","filename":"?"}"#);
            }
            Dialect::Chunklist => {
                self.trackers.ask_by_datagram(Dialect::Chunklist, 1, "list_seeder");
            }
        }
    }
}

fn parse(reply: &str) -> Value {
    serde_json::from_str(reply).unwrap_or_else(|error| panic!("{error}: {reply}"))
}

fn label(peer: Peer) -> String {
    format!("peer{}", peer.label)
}

fn host(peer: Peer) -> u8 {
    1 + peer.address
}
