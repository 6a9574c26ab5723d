//! Who and what may take part, as those who run the hub have listed it: torrents, clients, networks.
//!
//! Made once from texts and never changed: whoever asks often keeps one, and looks now and then whether there is a newer
//! (see [`Current`](super::Current)).

mod entry;
mod networks;
mod prefixes;

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::net::IpAddr;

use swarm::InfoHash;

pub use entry::{Entry, EntryError, List};

use self::networks::Networks;
use self::prefixes::Prefixes;
use super::gate::First;

/// Everything that is listed. Where nothing is, all may take part.
#[derive(Debug, Default)]
pub struct Lists {
    torrents: Sides<Torrents>,
    peer_ids: Sides<Prefixes>,
    agents: Sides<Prefixes>,
    peers: Sides<Networks>,
    api: Sides<Networks>,
    allows_clients: bool,
}

/// What of one kind is allowed and denied.
#[derive(Debug, Default)]
struct Sides<S> {
    /// Where there is such a list, what is not on it may not take part.
    allowed: Option<S>,
    denied: S,
}

/// Hashes are listed by those who run the hub, so that nobody can choose them to collide.
type Torrents = HashSet<InfoHash, BuildHasherDefault<First>>;

/// Lists that are being made.
#[derive(Debug, Default)]
pub struct Builder {
    torrents: Sides<Torrents>,
    peer_ids: Sides<Vec<Box<[u8]>>>,
    agents: Sides<Vec<Box<[u8]>>>,
    peers: Sides<networks::Builder>,
    api: Sides<networks::Builder>,
}

impl Builder {
    /// That there is such a list, be it empty; it may have so many entries, if they are torrents.
    pub fn begin(&mut self, list: List, torrents: usize) {
        match list {
            List::TorrentsAllowed | List::TorrentsDenied => {
                // At once, as to grow is to fill one table after another.
                self.torrents.side(list.allows()).reserve(torrents);
            }
            List::ClientsAllowed => {
                self.peer_ids.allowed.get_or_insert_default();
                self.agents.allowed.get_or_insert_default();
            }
            List::PeersAllowed => drop(self.peers.allowed.get_or_insert_default()),
            List::ApiAllowed => drop(self.api.allowed.get_or_insert_default()),
            List::ClientsDenied | List::PeersDenied | List::ApiDenied => {}
        }
    }

    /// Puts an entry on a list that was begun.
    pub fn add(&mut self, list: List, entry: Entry) {
        let allows = list.allows();
        match (entry, list) {
            (Entry::Torrent(hash), _) => drop(self.torrents.side(allows).insert(hash)),
            (Entry::PeerId(prefix), _) => self.peer_ids.side(allows).push(prefix),
            (Entry::Agent(prefix), _) => self.agents.side(allows).push(prefix),
            (Entry::Network(network), List::ApiAllowed | List::ApiDenied) => {
                self.api.side(allows).add(network);
            }
            (Entry::Network(network), _) => self.peers.side(allows).add(network),
        }
    }

    /// The lists.
    #[must_use]
    pub fn build(self) -> Lists {
        Lists {
            allows_clients: self.peer_ids.allowed.is_some(),
            torrents: self.torrents,
            peer_ids: self.peer_ids.map(Prefixes::new),
            agents: self.agents.map(Prefixes::new),
            peers: self.peers.map(networks::Builder::build),
            api: self.api.map(networks::Builder::build),
        }
    }
}

impl Lists {
    /// Whether this torrent may be announced, and added to the catalogue.
    #[must_use]
    pub fn admit_torrent(&self, hash: &InfoHash) -> bool {
        self.torrents.admit(|torrents| torrents.contains(hash))
    }

    /// Whether a peer at this address may announce.
    #[must_use]
    pub fn admit_peer(&self, ip: IpAddr) -> bool {
        self.peers.admit(|networks| networks.has(ip))
    }

    /// Whether the API and the page are for whoever is at this address.
    #[must_use]
    pub fn admit_api(&self, ip: IpAddr) -> bool {
        self.api.admit(|networks| networks.has(ip))
    }

    /// Whether a client may announce that has such a peer id, and calls itself so where the protocol lets it.
    #[must_use]
    pub fn admit_client(&self, peer_id: &[u8], user_agent: Option<&[u8]>) -> bool {
        let agent_is_among = |agents: &Prefixes| user_agent.is_some_and(|agent| agents.has_one_of(agent));
        if self.peer_ids.denied.has_one_of(peer_id) || agent_is_among(&self.agents.denied) {
            return false;
        }
        !self.allows_clients
            || self.peer_ids.allowed.as_ref().is_some_and(|allowed| allowed.has_one_of(peer_id))
            || self.agents.allowed.as_ref().is_some_and(agent_is_among)
    }
}

impl<S> Sides<S> {
    fn admit(&self, has: impl Fn(&S) -> bool) -> bool {
        !has(&self.denied) && self.allowed.as_ref().is_none_or(has)
    }

    fn map<T>(self, change: impl Fn(S) -> T) -> Sides<T> {
        Sides { allowed: self.allowed.map(&change), denied: change(self.denied) }
    }
}

impl<S: Default> Sides<S> {
    fn side(&mut self, allows: bool) -> &mut S {
        if allows { self.allowed.get_or_insert_default() } else { &mut self.denied }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(entries: &[(List, &str)]) -> Lists {
        let mut builder = Builder::default();
        for (list, text) in entries {
            builder.begin(*list, 0);
            if !text.is_empty() {
                builder.add(*list, list.read(text).unwrap());
            }
        }
        builder.build()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn where_nothing_is_listed_all_may_take_part() {
        let lists = Lists::default();
        assert!(lists.admit_torrent(&InfoHash([1; 20])));
        assert!(lists.admit_peer(ip("192.0.2.1")) && lists.admit_api(ip("::1")));
        assert!(lists.admit_client(b"-TR3000-abcdefghijkl", None));
    }

    #[test]
    fn what_is_not_allowed_is_denied_where_something_is_allowed_and_denying_goes_first() {
        let hash = |digit: &str| digit.repeat(40);
        let (one, two) = (hash("1"), hash("2"));
        let only = lists(&[
            (List::TorrentsAllowed, &one),
            (List::TorrentsAllowed, &two),
            (List::TorrentsDenied, &two),
        ]);
        let admitted = ["1", "2", "3"].map(|digit| only.admit_torrent(&hash(digit).parse().unwrap()));
        assert_eq!(admitted, [true, false, false]);
        let none = lists(&[(List::TorrentsAllowed, "")]);
        assert!(!none.admit_torrent(&InfoHash([0x11; 20])), "an empty list allows nothing");
    }

    #[test]
    fn networks_are_for_peers_or_for_the_api() {
        let lists = lists(&[(List::PeersDenied, "192.0.2.0/24"), (List::ApiAllowed, "10.0.0.0/8")]);
        assert!(!lists.admit_peer(ip("192.0.2.7")) && !lists.admit_peer(ip("::ffff:192.0.2.7")));
        assert!(lists.admit_peer(ip("192.0.3.7")) && lists.admit_peer(ip("10.1.2.3")));
        assert!(lists.admit_api(ip("10.1.2.3")) && !lists.admit_api(ip("127.0.0.1")));
    }

    #[test]
    fn a_client_is_known_by_its_id_or_by_what_it_calls_itself() {
        let denied = lists(&[(List::ClientsDenied, "-XL"), (List::ClientsDenied, "agent:Evil/1")]);
        assert!(!denied.admit_client(b"-XL0012-abcdefghijkl", None));
        assert!(!denied.admit_client(b"-TR3000-abcdefghijkl", Some(b"Evil/1.5")));
        assert!(denied.admit_client(b"-TR3000-abcdefghijkl", Some(b"Evil/2")));
        let allowed = lists(&[(List::ClientsAllowed, "-TR"), (List::ClientsAllowed, "agent:aria2/")]);
        assert!(allowed.admit_client(b"-TR3000-abcdefghijkl", None));
        assert!(allowed.admit_client(b"A2-1-36-0-abcdefghij", Some(b"aria2/1.36.0")));
        assert!(!allowed.admit_client(b"A2-1-36-0-abcdefghij", None));
    }
}
