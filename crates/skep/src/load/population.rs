use std::net::{IpAddr, Ipv4Addr};

use swarm::InfoHash;

use super::options::require;
use super::{LoadError, Options};

/// Who is announced: T torrents of P peers, each computable from its numbers and the seed, none of them stored.
///
/// A tracker knows a peer by its address and port. Few addresses stand behind many peers, so peer `p` of torrent `t`
/// sends from address `(t + p) mod A`, its *class*, and listens on port `PORT_FIRST + p`: every address gets its share
/// even of swarms smaller than A, the peer can be told from its endpoint, and all remain apart where a tracker lists
/// them under one address. Only a swarm of more peers than there are ports takes `PORT_FIRST + p / A`.
#[derive(Debug, Clone)]
pub(super) struct Population {
    pub(super) torrents: u32,
    pub(super) peers: u32,
    seeders: u32,
    classes: u32,
    seed: u64,
    stated: bool,
    /// The one address that all are listed under, if it is not their own.
    seen_as: Option<IpAddr>,
}

/// One peer: its torrent's number, and its own within that torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) torrent: u32,
    pub(super) number: u32,
}

/// Ports from here to 65,535 are peers'.
const PORT_FIRST: u16 = 1024;
const PORTS: u32 = 65_536 - PORT_FIRST as u32;
/// The address that peer 0 states, when they state one; peer n states the n-th after it.
const STATED_FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const STATED_MAX: u32 = 0x00ff_fffd;
const STATED_PORT: u16 = 6881;
const PEER_ID_PREFIX: &[u8; 8] = b"-SK0001-";

impl Population {
    /// The population of `options`, sent from `addresses` different addresses.
    pub(super) fn new(options: &Options, addresses: u32) -> Result<Self, LoadError> {
        let Options { torrents, peers, .. } = *options;
        // With fewer torrents and peers than addresses some class would have nobody.
        let classes = addresses.min(torrents.max(peers)).max(1);
        let room = match options {
            Options { stated_ip: true, .. } => STATED_MAX,
            Options { seen_as: Some(_), .. } => PORTS,
            _ => PORTS.saturating_mul(classes),
        };
        require(peers <= room, || {
            format!(
                "{peers} peers a torrent do not fit into {room} endpoints; give more addresses to send from"
            )
        })?;
        #[expect(clippy::cast_possible_truncation, reason = "a share of a u32 fits")]
        let seeders = (f64::from(peers) * options.seeders).round() as u32;
        let Options { seed, stated_ip: stated, seen_as, .. } = *options;
        let seen_as = seen_as.map(|ip| ip.to_canonical());
        Ok(Self { torrents, peers, seeders, classes, seed, stated, seen_as })
    }

    pub(super) fn classes(&self) -> u32 {
        self.classes
    }

    pub(super) fn size(&self) -> u64 {
        u64::from(self.torrents) * u64::from(self.peers)
    }

    /// Seeders of each torrent; the rest of its peers are leechers.
    pub(super) fn seeders(&self) -> u32 {
        self.seeders
    }

    pub(super) fn is_seeder(&self, peer: Peer) -> bool {
        peer.number < self.seeders
    }

    pub(super) fn hash(&self, torrent: u32) -> InfoHash {
        let mut hash = [0; InfoHash::LEN];
        let start = mix(self.seed ^ mix(torrent.into()));
        for (step, chunk) in (0_u64..).zip(hash.chunks_mut(8)) {
            let word = mix(start.wrapping_add(step)).to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        InfoHash(hash)
    }

    pub(super) fn peer_id(&self, peer: Peer) -> [u8; 20] {
        let mut id = [0; 20];
        id[..8].copy_from_slice(PEER_ID_PREFIX);
        id[8..12].copy_from_slice(&peer.torrent.to_be_bytes());
        id[12..16].copy_from_slice(&peer.number.to_be_bytes());
        id[16..].copy_from_slice(&self.seed.to_be_bytes()[4..]);
        id
    }

    pub(super) fn port(&self, peer: Peer) -> u16 {
        if self.stated {
            return STATED_PORT;
        }
        u16::try_from(peer.number / self.port_sharers())
            .map_or(u16::MAX, |step| step.saturating_add(PORT_FIRST))
    }

    /// How many peers of a torrent listen on the same port, each at an address of its own.
    fn port_sharers(&self) -> u32 {
        if self.peers <= PORTS { 1 } else { self.classes }
    }

    /// The address a peer says it has; `None` leaves that to where its datagrams come from.
    pub(super) fn stated_ip(&self, peer: Peer) -> Option<Ipv4Addr> {
        self.stated.then(|| Ipv4Addr::from_bits(STATED_FIRST.to_bits() + peer.number))
    }

    /// Of one torrent, the peers of one class: the first one's number; the others follow at steps of `classes`.
    pub(super) fn first_of(&self, torrent: u32, class: u32) -> u32 {
        (class + self.classes - torrent % self.classes) % self.classes
    }

    /// Which peer of a torrent an endpoint is, if it is one. `addresses` are the classes', in order.
    pub(super) fn number_at(&self, torrent: u32, ip: IpAddr, port: u16, addresses: &[IpAddr]) -> Option<u32> {
        let step = u32::from(port.checked_sub(PORT_FIRST)?);
        let number = if self.stated {
            let IpAddr::V4(ip) = ip else { return None };
            (port == STATED_PORT).then(|| ip.to_bits().checked_sub(STATED_FIRST.to_bits()))??
        } else if let Some(seen_as) = self.seen_as {
            (ip == seen_as).then_some(step)?
        } else {
            let class = addresses.iter().take(self.classes as usize).position(|known| *known == ip)?;
            let class = u32::try_from(class).ok()?;
            if self.port_sharers() == 1 {
                (step % self.classes == self.first_of(torrent, class)).then_some(step)?
            } else {
                step.checked_mul(self.classes)?.checked_add(self.first_of(torrent, class))?
            }
        };
        (number < self.peers).then_some(number)
    }
}

/// Every peer once, class by class.
#[derive(Debug)]
pub(super) struct Roll {
    next: Vec<Peer>,
}

impl Roll {
    pub(super) fn new(population: &Population) -> Self {
        let first = |class| Peer { torrent: 0, number: population.first_of(0, class) };
        Self { next: (0..population.classes).map(first).collect() }
    }

    /// The next peer of a class; `None` once all of them were called.
    pub(super) fn call(&mut self, population: &Population, class: u32) -> Option<Peer> {
        let next = self.next.get_mut(class as usize)?;
        while next.number >= population.peers {
            next.torrent = next.torrent.checked_add(1)?.min(population.torrents);
            if next.torrent == population.torrents {
                return None;
            }
            next.number = population.first_of(next.torrent, class);
        }
        if next.torrent >= population.torrents {
            return None;
        }
        let called = *next;
        next.number = next.number.saturating_add(population.classes);
        Some(called)
    }
}

/// The finalizer of SplitMix64: a permutation of all 64-bit words that leaves no pattern.
fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn population(torrents: u32, peers: u32, addresses: u32) -> Population {
        Population::new(&Options { torrents, peers, ..Options::new("") }, addresses).unwrap()
    }

    fn addresses(count: u8) -> Vec<IpAddr> {
        (1..=count).map(|last| IpAddr::from([127, 0, 0, last])).collect()
    }

    #[test]
    fn everyone_is_called_once_from_their_own_endpoint() {
        for (torrents, peers, count) in [(1, 1, 4), (1, 9, 4), (9, 1, 4), (7, 5, 3), (5, 7, 8), (3, 3, 1)] {
            let population = population(torrents, peers, count.into());
            let addresses = addresses(count);
            let mut roll = Roll::new(&population);
            let mut seen = HashSet::new();
            for class in 0..population.classes() {
                let mut some = false;
                while let Some(peer) = roll.call(&population, class) {
                    some = true;
                    let ip = addresses[class as usize];
                    let port = population.port(peer);
                    assert!(seen.insert((peer.torrent, ip, port)), "{peer:?} is somebody else");
                    assert_eq!(population.number_at(peer.torrent, ip, port, &addresses), Some(peer.number));
                }
                assert!(some, "class {class} has nobody");
                assert_eq!(roll.call(&population, class), None);
            }
            assert_eq!(seen.len() as u64, population.size());
        }
    }

    #[test]
    fn strangers_are_nobody() {
        let population = population(10, 10, 2);
        let addresses = addresses(2);
        let at = |ip: [u8; 4], port| population.number_at(0, ip.into(), port, &addresses);
        assert_eq!(at([127, 0, 0, 1], 1024), Some(0));
        assert_eq!(at([127, 0, 0, 2], 1033), Some(9));
        assert_eq!(at([127, 0, 0, 1], 1033), None);
        assert_eq!(at([127, 0, 0, 1], 1034), None);
        assert_eq!(at([127, 0, 0, 1], 1023), None);
        assert_eq!(at([127, 0, 0, 3], 1024), None);
    }

    #[test]
    fn swarms_larger_than_the_ports_share_them() {
        let options = Options { peers: 150_000, ..Options::new("") };
        let population = Population::new(&options, 3).unwrap();
        let addresses = addresses(3);
        for number in [0, 1, 2, 3, 64_511, 64_512, 149_999] {
            for torrent in [0, 1] {
                let ip = addresses[(torrent + number) as usize % 3];
                let port = population.port(Peer { torrent, number });
                assert_eq!(population.number_at(torrent, ip, port, &addresses), Some(number));
            }
        }
    }

    #[test]
    fn peers_listed_under_one_address_remain_apart() {
        let seen_as = IpAddr::from([192, 0, 2, 2]);
        let options = Options { peers: 1000, seen_as: Some(seen_as), ..Options::new("") };
        let population = Population::new(&options, 4).unwrap();
        for number in 0..1000 {
            let port = population.port(Peer { torrent: 3, number });
            assert_eq!(population.number_at(3, seen_as, port, &[]), Some(number));
        }
        assert_eq!(population.number_at(3, [127, 0, 0, 1].into(), PORT_FIRST, &addresses(4)), None);
        assert!(Population::new(&Options { peers: 65_000, ..options }, 4).is_err());
    }

    #[test]
    fn stated_addresses_lead_back_to_their_peer() {
        let options = Options { peers: 1_000_000, stated_ip: true, ..Options::new("") };
        let population = Population::new(&options, 4).unwrap();
        for number in [0, 1, 255, 999_999] {
            let peer = Peer { torrent: 3, number };
            let ip = population.stated_ip(peer).unwrap();
            assert_eq!(population.number_at(3, ip.into(), population.port(peer), &[]), Some(number));
        }
        assert_eq!(population.stated_ip(Peer { torrent: 0, number: 255 }).unwrap().octets(), [10, 0, 1, 0]);
        assert_eq!(population.number_at(3, [9, 255, 255, 255].into(), STATED_PORT, &[]), None);
    }

    #[test]
    fn hashes_and_ids_differ_and_depend_on_the_seed() {
        let one = population(10, 10, 1);
        let mut other = one.clone();
        other.seed = 1;
        let hashes: HashSet<_> = (0..1000).flat_map(|t| [one.hash(t), other.hash(t)]).collect();
        assert_eq!(hashes.len(), 2000);
        assert_eq!(one.hash(7), one.clone().hash(7));
        let (a, b) = (Peer { torrent: 1, number: 2 }, Peer { torrent: 2, number: 1 });
        assert_ne!(one.peer_id(a), one.peer_id(b));
    }

    #[test]
    fn too_many_peers_for_the_ports_are_refused() {
        let options = Options { peers: 70_000, ..Options::new("") };
        let said = Population::new(&options, 1).unwrap_err().to_string();
        assert!(said.contains("70000") && said.contains("64512"), "{said}");
        assert!(Population::new(&options, 2).is_ok());
    }
}
