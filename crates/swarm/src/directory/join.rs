//! Joining: all of it is taken, or nothing has changed.

use std::net::IpAddr;

use super::Directory;
use super::dialect::{Dialect, Key, Transfer};
use super::holder::{Holder, HolderId};
use super::offer::{CHUNK_LIST_BYTES_MAX, ChunkList, Extent, Offer};
use super::queue::Queue;
use super::refused::{LABEL_BYTES_MAX, Refused};
use super::slab::NONE;
use crate::{Endpoint, Seconds};

/// What somebody says of itself who offers something.
#[derive(Debug, Clone, Copy)]
pub struct Join<'a> {
    key: Key<'a>,
    endpoint: Endpoint,
    offers: &'a [Offer<'a>],
    list: Option<ChunkList<'a>>,
    serves_all: bool,
}

/// Whether a holder was here before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// It was not.
    New,
    /// It was, and what it offers is now what it said.
    Known,
}

/// A name that is to be held, and the shelves that it is to be on.
struct Line<'a> {
    text: &'a str,
    /// The name's number, if somebody holds it already.
    number: Option<u32>,
    extents: [Option<Extent>; Transfer::ALL.len()],
}

/// What a join comes to.
struct Plan<'a> {
    join: &'a Join<'a>,
    /// By text, each once.
    lines: Vec<Line<'a>>,
    known: Option<HolderId>,
    /// How many names it will hold.
    names: usize,
    /// Whether it has a chunk list to be kept: one that it had not, or not like this.
    gives_list: bool,
}

impl<'a> Join<'a> {
    /// A REGISTER of `token`. From now on the peer offers these and no others.
    #[must_use]
    pub const fn token(peer_id: &'a str, endpoint: Endpoint, offers: &'a [Offer<'a>]) -> Self {
        Self { key: Key::token(peer_id, endpoint.ip()), endpoint, offers, list: None, serves_all: false }
    }

    /// A `register` of `index`. From now on the user offers these and no others.
    #[must_use]
    pub const fn index(username: &'a str, endpoint: Endpoint, offers: &'a [Offer<'a>]) -> Self {
        Self { key: Key::index(username, endpoint.ip()), endpoint, offers, list: None, serves_all: false }
    }

    /// A `register` of `chunklist` from the address `source`, once its list is here. From now on the seeder offers this
    /// list. `endpoint` is where others reach it: another address than `source` only where stated ones are trusted.
    #[must_use]
    pub const fn chunklist(source: IpAddr, endpoint: Endpoint, list: ChunkList<'a>) -> Self {
        let key = Key::chunklist(list.name.as_str(), source);
        Self { key, endpoint, offers: &[], list: Some(list), serves_all: false }
    }

    /// A REGISTER of `beacon`. The peer offers these beside what it offered before.
    #[must_use]
    pub const fn beacon(endpoint: Endpoint, offers: &'a [Offer<'a>]) -> Self {
        Self { key: Key::beacon(endpoint), endpoint, offers, list: None, serves_all: false }
    }

    /// The same of a holder that serves the clients of all four dialects, whichever it speaks with the tracker: a peer
    /// of Skep's. In `chunklist` that takes a list, because its port gives chunks away by their number alone.
    #[must_use]
    pub const fn serving_all(mut self, list: Option<ChunkList<'a>>) -> Self {
        self.serves_all = true;
        if list.is_some() {
            self.list = list;
        }
        self
    }

    /// What the holder will be known by.
    #[must_use]
    pub const fn key(&self) -> Key<'a> {
        self.key
    }

    /// Where others will reach it.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Whether what was offered before stays: each REGISTER of `beacon` has one name.
    fn adds(&self) -> bool {
        self.key.dialect() == Dialect::Beacon
    }

    /// The names by text, each once; what was said last counts.
    fn lines(&self) -> Vec<Line<'a>> {
        let served = |transfer| match transfer {
            Transfer::Chunks => false,
            _ => self.serves_all || transfer == self.key.dialect().transfer(),
        };
        let line = |text, extent| Line {
            text,
            number: None,
            extents: Transfer::ALL.map(|transfer| served(transfer).then_some(extent)),
        };
        let offers = self.offers.iter().rev().map(|offer| line(offer.name.as_str(), offer.extent));
        let mut lines: Vec<_> = offers.collect();
        lines.sort_by_key(|line| line.text);
        lines.dedup_by_key(|line| line.text);
        if let Some(list) = self.list {
            let text = list.name.as_str();
            let at = lines.binary_search_by_key(&text, |line| line.text).unwrap_or_else(|at| {
                lines.insert(at, line(text, Extent::Unknown));
                at
            });
            lines[at].extents[Transfer::Chunks as usize] = Some(Extent::Bytes(list.stated_bytes));
        }
        lines
    }
}

impl Directory {
    /// Takes note of a holder and what it offers. Joining again is a sign of life where there are deadlines; where
    /// there are probes, it puts none off.
    ///
    /// # Errors
    ///
    /// Says which bound would be passed.
    pub fn join(&mut self, join: &Join<'_>, now: Seconds) -> Result<Joined, Refused> {
        let plan = self.plan(join).inspect_err(|_| self.refused += 1)?;
        let joined = if plan.known.is_some() { Joined::Known } else { Joined::New };
        self.carry_out(&plan, now);
        Ok(joined)
    }

    /// What the join comes to, if nothing speaks against it.
    fn plan<'a>(&self, join: &'a Join<'a>) -> Result<Plan<'a>, Refused> {
        let max = self.config.names_per_holder_max;
        if join.offers.len() > max {
            return Err(Refused::NamesOfHolder { max });
        }
        if let Some(list) = join.list.filter(|list| list.bytes.len() > CHUNK_LIST_BYTES_MAX) {
            return Err(Refused::ChunkList { bytes: list.bytes.len() });
        }
        let known = self.holders.find(&join.key, &self.salt);
        if known.is_none() {
            self.check_newcomer(&join.key)?;
        }
        let mut lines = join.lines();
        for line in &mut lines {
            line.number = self.names.find(line.text, &self.salt);
        }
        let had = known.map_or(&[][..], |id| &self.holders.holder(id).names);
        let stay = if join.adds() { had } else { &[] };
        let again = |line: &&Line<'_>| line.number.is_some_and(|name| stay.binary_search(&name).is_ok());
        let names = stay.len() + lines.len() - lines.iter().filter(again).count();
        if names > max {
            return Err(Refused::NamesOfHolder { max });
        }
        let new = lines.iter().filter(|line| line.number.is_none()).count();
        if new > 0 && self.names.len() + new > self.config.names_max {
            return Err(Refused::Names { max: self.config.names_max });
        }
        let gives_list = join.list.is_some_and(|list| known.is_none_or(|id| !self.has_list(id, &list)));
        let plan = Plan { join, lines, known, names, gives_list };
        let memory_bytes = self.memory_bytes() + self.growth_bytes(&plan);
        if memory_bytes - self.freed_bytes(&plan) > self.config.memory_bytes_max {
            return Err(Refused::Full);
        }
        Ok(plan)
    }

    fn check_newcomer(&self, key: &Key<'_>) -> Result<(), Refused> {
        let label = key.label();
        let nameless = label.is_empty() && key.dialect() != Dialect::Beacon;
        if nameless || label.len() > LABEL_BYTES_MAX || label.contains(char::is_control) {
            return Err(Refused::Label);
        }
        let max = self.config.holders_per_address_max;
        if self.holders.at_address(key.address(), &self.salt) >= max {
            return Err(Refused::HoldersOfAddress { max });
        }
        Ok(())
    }

    /// Bytes that the plan takes at most.
    fn growth_bytes(&self, plan: &Plan<'_>) -> usize {
        let mut bytes = plan.names * size_of::<u32>();
        if plan.known.is_none() {
            bytes += self.holders.growth_bytes(&plan.join.key, &self.salt);
        }
        let mut new = 0;
        for line in &plan.lines {
            let Some(name) = line.number else {
                // Its shelves are empty, and take no memory for a first holder.
                bytes += line.text.len();
                new += 1;
                continue;
            };
            for transfer in Transfer::ALL {
                let held = plan.known.is_some_and(|id| self.held(id, name, transfer).is_some());
                if line.extents[transfer as usize].is_some() && !held {
                    bytes += self.names.name(name).shelf(transfer).growth_bytes();
                }
            }
        }
        bytes += self.names.growth_bytes(new);
        if let Some(list) = plan.join.list.filter(|_| plan.gives_list) {
            let had = plan.known.is_some_and(|id| self.holders.holder(id).list != NONE);
            let same = self.names.find(list.name.as_str(), &self.salt);
            let same = same.and_then(|name| self.same_list(name, &list));
            let list_bytes = same.is_none().then_some(list.bytes.len());
            bytes += self.lists.growth_bytes(usize::from(!had), list_bytes);
        }
        bytes
    }

    /// Bytes that carrying the plan out gives back before it takes any.
    fn freed_bytes(&self, plan: &Plan<'_>) -> usize {
        let Some(holder) = plan.known.map(|id| self.holders.holder(id)) else { return 0 };
        let list = if plan.gives_list { self.lists.freed_bytes(holder.list) } else { 0 };
        size_of_val(&*holder.names) + list
    }

    fn carry_out(&mut self, plan: &Plan<'_>, now: Seconds) {
        let join = plan.join;
        let id = plan.known.unwrap_or_else(|| {
            let holder = Holder::new(join.key.label(), join.endpoint, join.key.address());
            self.holders.insert(join.key.dialect(), holder, &self.salt)
        });
        let had = self.holders.set_names(id, Box::default());
        let had_list = self.lists.name(self.holders.holder(id).list);
        if plan.gives_list || join.list.is_none() && !join.adds() {
            self.take_list(id);
        }

        let new = plan.lines.iter().filter(|line| line.number.is_none()).count();
        self.names.reserve(new, &self.salt);
        let number =
            |line: &Line<'_>| line.number.unwrap_or_else(|| self.names.insert(line.text, &self.salt));
        let numbers: Vec<u32> = plan.lines.iter().map(number).collect();
        let mut holds = numbers.clone();
        if join.adds() {
            holds.extend_from_slice(&had);
        }
        holds.sort_unstable();
        holds.dedup();
        debug_assert_eq!(holds.len(), plan.names);

        // Where somebody is on a shelf depends on its endpoint.
        let moved = self.holders.holder(id).endpoint != join.endpoint;
        let gone = |name: &u32| holds.binary_search(name).is_err();
        for &name in had.iter().filter(|name| moved || gone(name)) {
            self.take_off(id, name);
        }
        let holder = self.holders.holder_mut(id);
        holder.endpoint = join.endpoint;
        holder.serves_all = join.serves_all;
        for (line, &name) in plan.lines.iter().zip(&numbers) {
            self.put_on(id, name, line.extents);
        }
        if let Some(list) = join.list.filter(|_| plan.gives_list) {
            self.give_list(id, &list, had_list);
        }
        if let Some(name) = self.lists.name(self.holders.holder(id).list) {
            self.lists.reseat(&self.names, &mut self.holders, name);
        }
        for &name in had.iter().filter(|name| gone(name)) {
            self.names.drop_unheld(name, &self.salt);
        }
        self.holders.set_names(id, holds.into_boxed_slice());
        self.renew(id, moved, now);
    }

    /// A sign of life from a holder that may be new, or may have moved.
    fn renew(&mut self, id: HolderId, moved: bool, now: Seconds) {
        let queue = self.holders.holder(id).wait.queue;
        match queue {
            None => self.holders.wait_in(id, Some(Queue::of_new(id.dialect())), now),
            Some(Queue::Probe | Queue::Answer) => {
                if moved {
                    // What the probes found out is of another place.
                    self.holders.holder_mut(id).failures = 0;
                }
                if moved && queue == Some(Queue::Answer) {
                    self.holders.wait_in(id, Some(Queue::Probe), now);
                }
            }
            Some(deadline) => self.holders.wait_in(id, Some(deadline), now),
        }
    }
}
