use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::net::IpAddr;

use swarm::InfoHash;

use super::networks::{self, Networks};
use super::prefixes::Prefixes;
use super::{Entry, List};
use crate::policy::gate::First;

/// Everything that is listed in one place.
#[derive(Debug, Default)]
pub struct Layer {
    torrents: Sides<Torrents>,
    peer_ids: Sides<Prefixes>,
    agents: Sides<Prefixes>,
    peers: Sides<Networks>,
    api: Sides<Networks>,
    banned: Networks,
    proxies: Networks,
    allows_clients: bool,
}

/// What lists say of something. Of two places that say different things the greater holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// Nothing: all may take part.
    Silent,
    /// It is not on the list of those that may.
    Missing,
    /// It is.
    Allowed,
    /// It is on the list of those that may not.
    Denied,
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

/// A layer that is being made.
#[derive(Debug, Default)]
pub struct Builder {
    torrents: Sides<Torrents>,
    peer_ids: Sides<Vec<Box<[u8]>>>,
    agents: Sides<Vec<Box<[u8]>>>,
    peers: Sides<networks::Builder>,
    api: Sides<networks::Builder>,
    banned: networks::Builder,
    proxies: networks::Builder,
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
            List::ClientsDenied | List::PeersDenied | List::ApiDenied | List::Banned | List::Proxies => {}
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
            (Entry::Network(network), List::Banned) => self.banned.add(network),
            (Entry::Network(network), List::Proxies) => self.proxies.add(network),
            (Entry::Network(network), _) => self.peers.side(allows).add(network),
        }
    }

    /// The layer.
    #[must_use]
    pub fn build(self) -> Layer {
        Layer {
            allows_clients: self.peer_ids.allowed.is_some(),
            torrents: self.torrents,
            peer_ids: self.peer_ids.map(Prefixes::new),
            agents: self.agents.map(Prefixes::new),
            peers: self.peers.map(networks::Builder::build),
            api: self.api.map(networks::Builder::build),
            banned: self.banned.build(),
            proxies: self.proxies.build(),
        }
    }
}

impl Layer {
    pub(super) fn torrent(&self, hash: &InfoHash) -> Verdict {
        self.torrents.verdict(|torrents| torrents.contains(hash))
    }

    pub(super) fn peer(&self, ip: IpAddr) -> Verdict {
        self.network(&self.peers, ip)
    }

    pub(super) fn api(&self, ip: IpAddr) -> Verdict {
        self.network(&self.api, ip)
    }

    pub(super) fn client(&self, peer_id: &[u8], user_agent: Option<&[u8]>) -> Verdict {
        let agent_is_among = |agents: &Prefixes| user_agent.is_some_and(|agent| agents.has_one_of(agent));
        if self.peer_ids.denied.has_one_of(peer_id) || agent_is_among(&self.agents.denied) {
            Verdict::Denied
        } else if !self.allows_clients {
            Verdict::Silent
        } else if self.peer_ids.allowed.as_ref().is_some_and(|allowed| allowed.has_one_of(peer_id))
            || self.agents.allowed.as_ref().is_some_and(agent_is_among)
        {
            Verdict::Allowed
        } else {
            Verdict::Missing
        }
    }

    /// Whether it says nothing of who may announce what.
    pub(super) fn is_silent(&self) -> bool {
        self.torrents.is_silent(Torrents::is_empty)
            && self.peer_ids.is_silent(Prefixes::is_empty)
            && self.agents.is_silent(Prefixes::is_empty)
            && self.peers.is_silent(Networks::is_empty)
            && self.banned.is_empty()
    }

    pub(super) fn is_proxy(&self, ip: IpAddr) -> bool {
        self.proxies.has(ip)
    }

    pub(super) fn has_proxies(&self) -> bool {
        !self.proxies.is_empty()
    }

    fn network(&self, sides: &Sides<Networks>, ip: IpAddr) -> Verdict {
        if self.banned.has(ip) { Verdict::Denied } else { sides.verdict(|networks| networks.has(ip)) }
    }
}

impl Verdict {
    /// Whether it may take part of which this is said in one place and `other` in another.
    pub(super) fn admits_with(self, other: Self) -> bool {
        matches!(self.max(other), Self::Silent | Self::Allowed)
    }
}

impl<S> Sides<S> {
    fn verdict(&self, has: impl Fn(&S) -> bool) -> Verdict {
        match &self.allowed {
            _ if has(&self.denied) => Verdict::Denied,
            None => Verdict::Silent,
            Some(allowed) if has(allowed) => Verdict::Allowed,
            Some(_) => Verdict::Missing,
        }
    }

    fn is_silent(&self, is_empty: impl Fn(&S) -> bool) -> bool {
        self.allowed.is_none() && is_empty(&self.denied)
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
