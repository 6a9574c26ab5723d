//! All swarms of one shard.

mod budget;
mod details;
mod expiry;
mod index;
mod pack;
mod prefetch;
mod record;
mod sample;
mod short;
mod swarm;
#[cfg(test)]
mod tests;
mod tick;

use rand_core::Rng;

pub use budget::{Full, Shed};
pub use expiry::Swept;
pub use pack::Role;
pub use prefetch::Stage;
pub use record::{ExportCursor, PeerRecord, SwarmView};

use crate::salt::Salt;
use crate::{Announce, Counts, Detail, Endpoint, Event, InfoHash, Reply, Seconds};
use details::Details;
use expiry::Sweep;
use index::Index;
use pack::growth;
use sample::Sampler;
use swarm::{Pool, Swarm};
use tick::{Marks, Ticks};

/// What a registry is told at its beginning.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Seconds after its last announce at which a peer is taken for gone.
    pub peer_ttl_secs: u32,
    /// Bytes that swarms, peers and details may take together. Never exceeded.
    pub memory_bytes_max: usize,
    /// How many peers' details are kept; 0 to keep none.
    pub details_max: usize,
    /// A number nobody outside knows: without it, strangers could choose hashes that collide.
    pub secret: u64,
}

/// Swarms by info hash: who announced what, and whom to tell about whom.
///
/// Not shared and not locked: whoever wants more than one core keeps several registries and picks one by the hash.
#[derive(Debug)]
pub struct Registry {
    config: Config,
    salt: Salt,
    ticks: Ticks,
    /// Positions in `swarms`, by hash.
    index: Index,
    swarms: Vec<Swarm>,
    details: Details,
    sweep: Sweep,
    sampler: Sampler,
    /// Bytes the swarms hold on the heap.
    heap_bytes: usize,
    population: Population,
    /// Something did not fit since the sweep last went round.
    short_of_memory: bool,
    shed: Shed,
}

/// What an announce changed that its caller may want to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// A download was completed and counted just now.
    pub completed: bool,
}

/// How many of what a registry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Swarms, those kept while empty included.
    pub swarms: usize,
    /// Peers and seeders.
    pub population: Population,
    /// Bytes taken of the budget.
    pub memory_bytes: usize,
    /// What was given up for lack of memory.
    pub shed: Shed,
}

/// Peers by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Population {
    /// Peers at IPv4 addresses.
    pub v4: usize,
    /// Peers at IPv6 addresses.
    pub v6: usize,
    /// Those of both that have everything.
    pub seeders: usize,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            salt: Salt::new(config.secret),
            ticks: Ticks::for_ttl(config.peer_ttl_secs),
            index: Index::default(),
            swarms: Vec::new(),
            details: Details::new(config.details_max),
            sweep: Sweep::default(),
            sampler: Sampler::default(),
            heap_bytes: 0,
            population: Population::default(),
            short_of_memory: false,
            shed: Shed::default(),
        }
    }

    /// Takes note of a peer, and tells it about others in `reply`.
    ///
    /// # Errors
    ///
    /// [`Full`] if the peer is new and the memory budget leaves no place for it. Nothing has changed then.
    pub fn announce(
        &mut self,
        announce: &Announce,
        now: Seconds,
        rng: &mut impl Rng,
        reply: &mut Reply,
    ) -> Result<Outcome, Full> {
        reply.clear();
        if announce.event == Event::Stopped {
            reply.counts = self.leave(announce, now);
            return Ok(Outcome::default());
        }
        let role = role(announce);
        let at = match self.find(&announce.hash) {
            Some(at) => at,
            None => self.admit(announce.hash, announce.endpoint, now)?,
        };
        let known = self.swarms[at].find(announce.endpoint, &self.salt);
        let known = known.and_then(|position| Some((position, self.swarms[at].standing(position)?)));
        let was = known.map_or(Marks::default(), |(_, (_, stamp))| stamp.marks());
        let completes = announce.event == Event::Completed && role == Role::Seeder && !was.counted;
        let detailed = was.detailed && !self.details.is_empty();
        let marks = Marks { counted: was.counted || completes, detailed };
        let stamp = self.ticks.stamp(now, marks);
        let position = match known {
            Some((position, (was, _))) if was == role => {
                if let Some(seen) = self.swarms[at].stamp_mut(position) {
                    *seen = stamp;
                }
                position
            }
            Some((position, (was, _))) => {
                let seeders = |role| usize::from(role == Role::Seeder);
                self.population.seeders = self.population.seeders + seeders(role) - seeders(was);
                self.reshape(at, |swarm, salt| swarm.change(position, role, stamp, salt))
            }
            None => {
                self.make_room(at, announce.endpoint, now, rng)?;
                self.put_in(at, announce.endpoint, role, stamp)
            }
        };
        if let Some(detail) = announce.detail {
            let bytes_free = self.details_bytes_free();
            // What has no detail, and can have none, need not be looked for.
            if detailed || self.details.has_room(bytes_free) {
                self.details.keep(announce.hash, announce.endpoint, detail, bytes_free, &self.salt);
                if let Some(stamp) = self.swarms[at].stamp_mut(position) {
                    stamp.set_detailed();
                }
            }
        }
        let swarm = &mut self.swarms[at];
        if completes {
            swarm.set_completed(swarm.completed().saturating_add(1));
        }
        reply.counts = swarm.counts();
        let pool = Pool {
            leechers_only: role != Role::Leecher && !announce.want.seeders,
            families: announce.want.families,
            without: Some(position),
        };
        swarm.sample(announce.want.peers, pool, &mut self.sampler, rng, reply);
        if announce.want.ids {
            let id = |peer| self.details.get(&announce.hash, peer, &self.salt).map(|detail| detail.peer_id);
            let ids: Vec<_> = reply.peers().map(id).collect();
            reply.ids = ids;
        }
        Ok(Outcome { completed: completes })
    }

    /// The counts of a swarm; `None` if it is not known.
    #[must_use]
    pub fn scrape(&self, hash: &InfoHash) -> Option<Counts> {
        self.find(hash).map(|at| self.swarms[at].counts())
    }

    /// The swarm, to look at its peers; `None` if it is not known.
    #[must_use]
    pub fn swarm(&self, hash: &InfoHash) -> Option<SwarmView<'_>> {
        self.find(hash).map(|at| SwarmView::new(&self.swarms[at], self.ticks))
    }

    /// What else is known of a peer.
    #[must_use]
    pub fn detail(&self, hash: &InfoHash, endpoint: Endpoint) -> Option<&Detail> {
        self.details.get(hash, endpoint, &self.salt)
    }

    /// Keeps the swarm of `hash` while it is empty, with `completed` downloads on its account (or as many as it
    /// has already, if that is more).
    ///
    /// # Errors
    ///
    /// [`Full`] if it is new and the memory budget leaves no place for it.
    pub fn pin(&mut self, hash: InfoHash, completed: u32, now: Seconds) -> Result<(), Full> {
        let at = match self.find(&hash) {
            Some(at) => at,
            None => self.make_swarm(hash, 0, now)?,
        };
        let swarm = &mut self.swarms[at];
        swarm.set_pinned(true);
        swarm.set_completed(swarm.completed().max(completed));
        Ok(())
    }

    /// Whether the swarm of `hash` is kept while it is empty.
    #[must_use]
    pub fn is_pinned(&self, hash: &InfoHash) -> bool {
        self.find(hash).is_some_and(|at| self.swarms[at].pinned())
    }

    /// Lets the swarm of `hash` go once it is empty.
    pub fn unpin(&mut self, hash: &InfoHash) {
        if let Some(at) = self.find(hash) {
            self.swarms[at].set_pinned(false);
        }
    }

    /// Forgets a swarm and everybody in it; false if it was not known.
    pub fn remove(&mut self, hash: &InfoHash, now: Seconds) -> bool {
        let Some(at) = self.find(hash) else { return false };
        for position in (0..self.swarms[at].len()).rev() {
            self.let_go(at, position, now);
        }
        self.drop_swarm(at);
        true
    }

    /// Changes the memory budget. If more is in use, nothing grows until less is.
    pub fn set_memory_bytes_max(&mut self, memory_bytes_max: usize) {
        self.config.memory_bytes_max = memory_bytes_max;
    }

    /// Changes how many peers' details are kept. If there are more, all are forgotten.
    pub fn set_details_max(&mut self, details_max: usize) {
        self.details.set_max(details_max);
    }

    /// How much is here.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            swarms: self.swarms.len(),
            population: self.population,
            memory_bytes: self.memory_bytes(),
            shed: self.shed,
        }
    }

    fn find(&self, hash: &InfoHash) -> Option<usize> {
        self.index.find(self.salt.hash(&hash.0), |at| self.swarms[at as usize].hash == *hash)
    }

    /// The peer says goodbye; the counts are those without it.
    fn leave(&mut self, announce: &Announce, now: Seconds) -> Counts {
        let Some(at) = self.find(&announce.hash) else { return Counts::default() };
        if let Some(position) = self.swarms[at].find(announce.endpoint, &self.salt) {
            self.let_go(at, position, now);
        }
        let counts = self.swarms[at].counts();
        if counts.completed == 0 && self.swarms[at].len() == 0 && !self.swarms[at].pinned() {
            self.drop_swarm(at);
        }
        counts
    }

    /// Does what may change how much memory a swarm takes, and counts that.
    fn reshape<T>(&mut self, at: usize, change: impl FnOnce(&mut Swarm, &Salt) -> T) -> T {
        let swarm = &mut self.swarms[at];
        let before = swarm.heap_bytes();
        let done = change(swarm, &self.salt);
        self.heap_bytes = self.heap_bytes + swarm.heap_bytes() - before;
        done
    }

    fn put_in(&mut self, at: usize, endpoint: Endpoint, role: Role, stamp: tick::Stamp) -> usize {
        *self.population.of(endpoint) += 1;
        self.population.seeders += usize::from(role == Role::Seeder);
        self.reshape(at, |swarm, salt| swarm.insert(endpoint, role, stamp, salt))
    }

    /// Lets the peer at `position` go, and its memory.
    fn let_go(&mut self, at: usize, position: usize, now: Seconds) {
        self.take_out(at, position);
        let now = self.ticks.stamp(now, Marks::default());
        self.reshape(at, |swarm, salt| swarm.shrink(now, salt));
    }

    /// Lets the peer at `position` go, and keeps its room for another of its family.
    fn take_out(&mut self, at: usize, position: usize) {
        let swarm = &self.swarms[at];
        let Some((endpoint, role, stamp)) = swarm.peer(position) else { return };
        if stamp.marks().detailed {
            self.details.forget(&swarm.hash, endpoint, &self.salt);
        }
        self.reshape(at, |swarm, salt| swarm.remove(position, salt));
        *self.population.of(endpoint) -= 1;
        self.population.seeders -= usize::from(role == Role::Seeder);
    }

    /// Adds an empty swarm. The caller has seen to it that there is room.
    fn push_swarm(&mut self, hash: InfoHash, now: Seconds) -> usize {
        if self.swarms.len() == self.swarms.capacity() {
            self.swarms.reserve_exact(growth(self.swarms.len()));
        }
        let at = self.swarms.len();
        self.swarms.push(Swarm::new(hash, self.ticks.stamp(now, Marks::default())));
        self.index.insert(at, hash_of(&self.swarms, &self.salt));
        at
    }

    /// Takes an empty swarm out; the last one moves into its place.
    fn drop_swarm(&mut self, at: usize) {
        let hash = self.salt.hash(&self.swarms[at].hash.0);
        self.index.remove(hash, at, hash_of(&self.swarms, &self.salt));
        let last = self.swarms.len() - 1;
        self.swarms.swap_remove(at);
        if let Some(moved) = self.swarms.get(at) {
            self.index.moved(self.salt.hash(&moved.hash.0), last, at);
        }
        if self.swarms.capacity() > 64 && self.swarms.len() < self.swarms.capacity() / 4 {
            let len = self.swarms.len();
            self.swarms.shrink_to(len + growth(len));
            self.index.shrink_to(len + growth(len), hash_of(&self.swarms, &self.salt));
        }
    }
}

impl Population {
    fn of(&mut self, endpoint: Endpoint) -> &mut usize {
        match endpoint {
            Endpoint::V4(..) => &mut self.v4,
            Endpoint::V6(..) => &mut self.v6,
        }
    }

    /// All peers.
    #[must_use]
    pub const fn peers(&self) -> usize {
        self.v4 + self.v6
    }
}

/// What a peer is, by its own account. A client that has just completed need not say what is left.
fn role(announce: &Announce) -> Role {
    match (announce.left, announce.event) {
        (Some(0), _) | (None, Event::Completed) => Role::Seeder,
        (_, Event::Paused) => Role::Partial,
        _ => Role::Leecher,
    }
}

/// The hash of the swarm at a position.
fn hash_of(swarms: &[Swarm], salt: &Salt) -> impl Fn(u32) -> u64 {
    |at| salt.hash(&swarms[at as usize].hash.0)
}
