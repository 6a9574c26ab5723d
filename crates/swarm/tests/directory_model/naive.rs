//! The model: what a directory does, said as plainly as possible.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use swarm::directory::{ChunkList, Config, Dialect, Extent, Join, Key, Offer, PROBE_FAILURES_MAX, Refused};
use swarm::{Endpoint, Families, Port, Seconds};

/// After so many seconds a probe without an outcome is forgotten.
const ANSWER_SECS_MAX: u32 = 60;

/// All holders by key.
#[derive(Debug, Default)]
pub(crate) struct Model {
    holders: BTreeMap<OwnedKey, Naive>,
    /// Counts what happens, so that it is known what came first.
    turn: u64,
}

/// A holder.
#[derive(Debug, Clone)]
pub(crate) struct Naive {
    key: OwnedKey,
    pub(crate) endpoint: Endpoint,
    /// What it holds, and whether those of all dialects can fetch it there.
    pub(crate) names: BTreeMap<String, Held>,
    pub(crate) list: Option<List>,
    pub(crate) serves_all: bool,
    pub(crate) since: Seconds,
    /// When it came to where it waits.
    turn: u64,
    /// Whether it lives by probing.
    pub(crate) probed: bool,
    in_flight: bool,
    pub(crate) failures: u8,
}

#[derive(Debug, Clone)]
pub(crate) struct Held {
    extent: Extent,
    to_all: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct List {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    stated_bytes: u64,
    /// When it was the first time that the holder gave a list under the name.
    turn: u64,
}

/// A key that borrows nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OwnedKey {
    dialect: Dialect,
    pub(crate) label: String,
    pub(crate) source: IpAddr,
    port: Option<Port>,
}

impl From<Key<'_>> for OwnedKey {
    fn from(key: Key<'_>) -> Self {
        Self {
            dialect: key.dialect(),
            label: key.label().to_owned(),
            source: key.address(),
            port: key.port(),
        }
    }
}

impl OwnedKey {
    pub(crate) fn as_key(&self) -> Key<'_> {
        match (self.dialect, self.port) {
            (Dialect::Token, _) => Key::token(&self.label, self.source),
            (Dialect::Index, _) => Key::index(&self.label, self.source),
            (Dialect::Chunklist, _) => Key::chunklist(&self.label, self.source),
            (Dialect::Beacon, port) => Key::beacon(Endpoint::new(self.source, port.expect("it has one"))),
        }
    }
}

impl Naive {
    /// The holder that somebody would be who is new and joins so.
    pub(crate) fn joining(
        join: &Join<'_>,
        offers: &[Offer<'_>],
        list: Option<ChunkList<'_>>,
        serves_all: bool,
        now: Seconds,
    ) -> Self {
        let key = OwnedKey::from(join.key());
        let to_all = serves_all;
        let mut names = BTreeMap::new();
        for offer in offers {
            names.insert(offer.name.to_string(), Held { extent: offer.extent, to_all });
        }
        if let Some(list) = list {
            names.entry(list.name.to_string()).or_insert(Held { extent: Extent::Unknown, to_all });
        }
        let list = list.map(|list| List {
            name: list.name.to_string(),
            bytes: list.bytes.to_vec(),
            stated_bytes: list.stated_bytes,
            turn: 0,
        });
        let probed = matches!(key.dialect, Dialect::Token | Dialect::Chunklist);
        let endpoint = join.endpoint();
        Self {
            key,
            endpoint,
            names,
            list,
            serves_all,
            since: now,
            turn: 0,
            probed,
            in_flight: false,
            failures: 0,
        }
    }

    /// Whether clients of a dialect can fetch the name from it, as far as it goes.
    fn serves(&self, dialect: Dialect, name: &str) -> bool {
        let bare = |dialect| matches!(dialect, Dialect::Token | Dialect::Beacon);
        let Some(held) = self.names.get(name) else { return false };
        match dialect {
            Dialect::Chunklist => self.list.as_ref().is_some_and(|list| list.name == name),
            Dialect::Index => held.to_all || self.key.dialect == Dialect::Index,
            _ => held.to_all || bare(self.key.dialect),
        }
    }
}

impl Model {
    pub(crate) fn keys(&self) -> impl Iterator<Item = OwnedKey> + use<> {
        self.holders.keys().cloned().collect::<Vec<_>>().into_iter()
    }

    pub(crate) fn holder(&self, key: &OwnedKey) -> &Naive {
        &self.holders[key]
    }

    pub(crate) fn holders(&self, dialect: Dialect) -> usize {
        self.holders.keys().filter(|key| key.dialect == dialect).count()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.holders.values().flat_map(|holder| holder.names.keys().cloned()).collect()
    }

    pub(crate) fn names_served(&self, dialect: Dialect) -> usize {
        let served = |name: &&String| self.holders.values().any(|holder| holder.serves(dialect, name));
        self.names().iter().filter(served).count()
    }

    pub(crate) fn probes(&self) -> usize {
        self.holders.values().filter(|holder| holder.in_flight).count()
    }

    /// Takes note of a holder; whether it was known.
    pub(crate) fn join(&mut self, new: Naive, offered: usize, config: &Config) -> Result<bool, Refused> {
        let max = config.names_per_holder_max;
        if offered > max {
            return Err(Refused::NamesOfHolder { max });
        }
        let old = self.holders.get(&new.key).cloned();
        let neighbours = self.holders.keys().filter(|key| key.source == new.key.source).count();
        if old.is_none() && neighbours >= config.holders_per_address_max {
            return Err(Refused::HoldersOfAddress { max: config.holders_per_address_max });
        }
        let mut next = new;
        if let Some(old) = &old {
            if next.key.dialect == Dialect::Beacon {
                for (name, held) in &old.names {
                    next.names.entry(name.clone()).or_insert_with(|| held.clone());
                }
                next.list = next.list.or_else(|| old.list.clone());
            }
            next.probed = old.probed;
            if old.probed {
                let moved = old.endpoint != next.endpoint;
                next.failures = if moved { 0 } else { old.failures };
                next.in_flight = old.in_flight && !moved;
                if !(old.in_flight && moved) {
                    (next.since, next.turn) = (old.since, old.turn);
                }
            }
        }
        if next.names.len() > max {
            return Err(Refused::NamesOfHolder { max });
        }
        let names = self.names();
        let new = next.names.keys().filter(|name| !names.contains(*name)).count();
        if new > 0 && names.len() + new > config.names_max {
            return Err(Refused::Names { max: config.names_max });
        }
        self.turn += 1;
        if next.turn == 0 {
            next.turn = self.turn;
        }
        if let Some(list) = &mut next.list {
            let before = old.as_ref().and_then(|old| old.list.as_ref()).filter(|old| old.name == list.name);
            list.turn = before.map_or(self.turn, |before| before.turn);
        }
        self.holders.insert(next.key.clone(), next);
        Ok(old.is_some())
    }

    pub(crate) fn remove(&mut self, key: &OwnedKey) -> Option<Naive> {
        self.holders.remove(key)
    }

    pub(crate) fn beat(&mut self, key: &OwnedKey, now: Seconds) -> bool {
        self.turn += 1;
        let Some(holder) = self.holders.get_mut(key) else { return false };
        if key.dialect != Dialect::Token {
            (holder.since, holder.turn) = (now, self.turn);
            (holder.probed, holder.in_flight) = (false, false);
        }
        true
    }

    /// Who may be told of: of each of the groups, one.
    pub(crate) fn told(
        &self,
        dialect: Dialect,
        name: &str,
        asker: Option<&OwnedKey>,
        families: Families,
    ) -> Vec<BTreeSet<OwnedKey>> {
        let decides = self.chunk_list(name);
        let fits = |holder: &&Naive| {
            let list = holder.list.as_ref().map(|list| &list.bytes);
            holder.serves(dialect, name)
                && (families == Families::Both || families == Families::of(holder.endpoint.ip()))
                && (dialect != Dialect::Chunklist || list == decides.as_ref())
        };
        let asker = asker.and_then(|key| self.holders.get(key));
        let mut groups = Vec::new();
        let mut peers: BTreeMap<Endpoint, Vec<&Naive>> = BTreeMap::new();
        for holder in self.holders.values().filter(fits) {
            peers.entry(holder.endpoint).or_default().push(holder);
        }
        for (endpoint, peer) in peers {
            let keys = || peer.iter().map(|holder| holder.key.clone());
            let own: BTreeSet<OwnedKey> = keys().filter(|key| key.dialect == dialect).collect();
            if own.is_empty() {
                if asker.is_none_or(|asker| asker.endpoint != endpoint) {
                    groups.push(keys().collect());
                }
            } else if dialect == Dialect::Chunklist {
                groups.push(own);
            } else {
                let others = own.into_iter().filter(|key| asker.is_none_or(|asker| asker.key != *key));
                groups.extend(others.map(|key| BTreeSet::from([key])));
            }
        }
        groups
    }

    /// What the holder says of the name's size to those of a dialect.
    pub(crate) fn extent(&self, key: &OwnedKey, name: &str, dialect: Dialect) -> Extent {
        let holder = &self.holders[key];
        match (&holder.list, dialect) {
            (Some(list), Dialect::Chunklist) => Extent::Bytes(list.stated_bytes),
            _ => holder.names[name].extent,
        }
    }

    /// What most say; of what equally many say, the largest.
    pub(crate) fn parts(&self, name: &str) -> Option<u32> {
        let mut votes: BTreeMap<u32, usize> = BTreeMap::new();
        for holder in self.holders.values().filter(|holder| holder.serves(Dialect::Token, name)) {
            if let Some(parts) = holder.names[name].extent.parts() {
                *votes.entry(parts).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|&(parts, votes)| (votes, parts)).map(|(parts, _)| parts)
    }

    /// The list of whoever was first to give the name one.
    pub(crate) fn chunk_list(&self, name: &str) -> Option<Vec<u8>> {
        let lists = self.holders.values().filter_map(|holder| holder.list.as_ref());
        let first = lists.filter(|list| list.name == name).min_by_key(|list| list.turn);
        first.map(|list| list.bytes.clone())
    }

    /// Lets go of those whose time is over: one dialect after the other, and in each the most silent first.
    pub(crate) fn expire(&mut self, config: &Config, now: Seconds, budget: usize) -> (Vec<OwnedKey>, bool) {
        let mut gone = Vec::new();
        let mut budget = budget;
        for (dialect, ttl_secs) in [
            (Dialect::Index, config.index_ttl_secs),
            (Dialect::Chunklist, config.chunklist_ttl_secs),
            (Dialect::Beacon, config.beacon_ttl_secs),
        ] {
            let is_over = |holder: &&Naive| {
                holder.key.dialect == dialect && !holder.probed && now - holder.since > ttl_secs
            };
            let mut over: Vec<_> = self
                .holders
                .values()
                .filter(is_over)
                .map(|holder| (holder.turn, holder.key.clone()))
                .collect();
            over.sort();
            for (_, key) in over {
                if budget == 0 {
                    return (gone, false);
                }
                budget = budget.saturating_sub(1 + self.holders[&key].names.len());
                self.holders.remove(&key);
                gone.push(key);
            }
        }
        (gone, true)
    }

    /// Whom to probe, and where.
    pub(crate) fn next_probe(&mut self, config: &Config, now: Seconds) -> Option<(OwnedKey, Endpoint)> {
        let waiting = |in_flight: bool, model: &Self| {
            let holders =
                model.holders.values().filter(|holder| holder.probed && holder.in_flight == in_flight);
            let mut all: Vec<_> = holders.map(|holder| (holder.turn, holder.key.clone())).collect();
            all.sort();
            all
        };
        for (_, key) in waiting(true, self) {
            self.turn += 1;
            let holder = self.holders.get_mut(&key)?;
            if now - holder.since > ANSWER_SECS_MAX {
                (holder.since, holder.turn, holder.in_flight) = (now, self.turn, false);
            }
        }
        if self.probes() >= config.probes_in_flight_max {
            return None;
        }
        let (_, key) = waiting(false, self).into_iter().next()?;
        self.turn += 1;
        let holder = self.holders.get_mut(&key)?;
        if now - holder.since <= config.probe_interval_secs {
            return None;
        }
        (holder.since, holder.turn, holder.in_flight) = (now, self.turn, true);
        Some((key.clone(), Endpoint::new(key.source, holder.endpoint.port())))
    }

    /// A probe begun at `since` has an outcome; who is gone because of it.
    pub(crate) fn probed(
        &mut self,
        key: &OwnedKey,
        since: Seconds,
        answered: bool,
        now: Seconds,
    ) -> Option<OwnedKey> {
        self.turn += 1;
        let holder = self.holders.get_mut(key)?;
        if !holder.in_flight || holder.since != since {
            return None;
        }
        holder.failures = if answered { 0 } else { holder.failures + 1 };
        (holder.since, holder.turn, holder.in_flight) = (now, self.turn, false);
        if holder.failures < PROBE_FAILURES_MAX {
            return None;
        }
        self.holders.remove(key).map(|holder| holder.key)
    }
}
