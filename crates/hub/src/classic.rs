//! The registrar: the directory of the four classic dialects behind one lock, and what each dialect's tracker does with
//! a request.
//!
//! Listeners bring decoded requests and the address they came from, and take replies back. Whatever a request says of
//! its sender's address, entries are made and touched for the address that it came from; `tokens` say who is who
//! behind one, where the dialect has them. Nothing here waits.

mod beacon;
mod chunklist;
mod counters;
mod index;
mod token;
mod tokens;

use std::net::IpAddr;
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use swarm::directory::{Dialect, HolderView, Join, Joined, Key, NameView, Probe, Refused, Stats, Ticket};
use swarm::{Directory, Seconds, directory};

use crate::config::ClassicConfig;
use crate::policy::Policy;
use counters::Counters;
use tokens::Tokens;

pub use chunklist::Seeding;
pub use counters::Count;

/// Holders and names that are let go under one hold of the lock.
const EXPIRY_BUDGET: usize = 1_000;

/// Probes under way at a time.
pub const PROBES_MAX: usize = 64;

/// The directory, and what is known only here: tokens and counts.
pub struct Registrar {
    shelves: Mutex<Shelves>,
    clock: Clock,
    tokens: Tokens,
    counters: Counters,
    policy: Arc<Policy>,
    trust_stated_ip: bool,
}

/// The directory, and the dice that choose whom of many an asker is told of.
struct Shelves {
    directory: Directory,
    dice: SmallRng,
}

impl Registrar {
    /// One that knows nobody, and lets in whom `policy` does.
    #[must_use]
    pub fn new(config: &ClassicConfig, policy: Arc<Policy>) -> Self {
        let directory = Directory::new(directory::Config {
            memory_bytes_max: config.memory_max,
            names_max: config.names_max,
            names_per_holder_max: config.names_per_peer_max,
            holders_per_address_max: config.peers_per_address_max,
            index_ttl_secs: config.index.ttl_secs,
            beacon_ttl_secs: config.beacon.ttl_secs,
            chunklist_ttl_secs: config.chunklist.ttl_secs,
            probe_interval_secs: config.probe_interval_secs,
            probes_in_flight_max: PROBES_MAX,
            secret: rand::random(),
        });
        let dice = SmallRng::from_rng(&mut rand::rng());
        Self {
            shelves: Mutex::new(Shelves { directory, dice }),
            clock: Clock::Running(Instant::now()),
            tokens: Tokens::new(config.token.lifetime_secs),
            counters: Counters::default(),
            policy,
            trust_stated_ip: config.trust_stated_ip,
        }
    }

    /// Whether a peer at this address may ask anything.
    #[must_use]
    pub fn admits(&self, source: IpAddr) -> bool {
        self.policy.current().lists().admit_peer(source)
    }

    /// How much is in the directory.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shelves.lock().directory.stats()
    }

    /// How often something happened since the start.
    #[must_use]
    pub fn count(&self, dialect: Dialect, count: Count) -> u64 {
        self.counters.get(dialect, count)
    }

    /// Counts that something happened.
    pub fn note(&self, dialect: Dialect, count: Count) {
        self.counters.add(dialect, count);
    }

    /// Shows up to `names_max` names to `look`, from where the last page ended; 0 to begin. Where the next page begins;
    /// `None` after the last.
    pub fn names(&self, from: u32, names_max: usize, look: impl FnMut(NameView<'_>)) -> Option<u32> {
        let shelves = self.shelves.lock();
        let page = shelves.directory.names(from, names_max);
        page.rows.into_iter().for_each(look);
        page.next
    }

    /// Lets go of those whose time is over. To be called every second.
    pub fn expire(&self) {
        loop {
            let mut shelves = self.shelves.lock();
            if shelves
                .directory
                .expire(self.clock.now(), EXPIRY_BUDGET, |holder| say_gone("EXPIRED", holder))
                .done
            {
                return;
            }
        }
    }

    /// Whom to connect to next, to see whether somebody listens there.
    pub fn next_probe(&self) -> Option<Probe> {
        self.shelves.lock().directory.next_probe(self.clock.now())
    }

    /// What came of a probe.
    pub fn probed(&self, ticket: Ticket, answered: bool) {
        let now = self.clock.now();
        self.shelves.lock().directory.probed(ticket, answered, now, |holder| say_gone("UNREACHABLE", holder));
    }

    /// Takes note of what somebody offers.
    fn join(&self, join: &Join<'_>, files: usize) -> Result<(), Refused> {
        let key = join.key();
        let dialect = key.dialect();
        let joined = self.shelves.lock().directory.join(join, self.clock.now());
        let who = Named { label: key.label(), endpoint: join.endpoint() };
        match joined {
            Ok(Joined::New) => tracing::info!(%dialect, files, "[REGISTER] {who}"),
            // Clients say it again and again.
            Ok(Joined::Known) => tracing::debug!(%dialect, files, "[REGISTER] {who} again"),
            Err(why) => {
                self.note(dialect, Count::Refused);
                tracing::debug!(%dialect, files, %why, "[REFUSED] {who}");
                return Err(why);
            }
        }
        self.note(dialect, Count::Registers);
        Ok(())
    }

    fn beat(&self, key: &Key<'_>) -> bool {
        self.note(key.dialect(), Count::Beats);
        self.shelves.lock().directory.beat(key, self.clock.now())
    }

    fn leave(&self, key: &Key<'_>) {
        self.note(key.dialect(), Count::Exits);
        let mut shelves = self.shelves.lock();
        if let Some(holder) = shelves.directory.holder(key) {
            say_gone("EXIT", holder);
            shelves.directory.leave(key);
        }
    }
}

/// For tests, in which time passes when they say so.
#[cfg(test)]
impl Registrar {
    pub(crate) fn told_the_time(config: &ClassicConfig) -> Self {
        let anybody = Policy::new(crate::config::Mode::Open, &crate::config::MembersConfig::default(), 0);
        Self { clock: Clock::Told(AtomicU32::new(0)), ..Self::new(config, Arc::new(anybody)) }
    }

    pub(crate) fn pass(&self, secs: u32) {
        let Clock::Told(now) = &self.clock else { panic!("its clock runs by itself") };
        now.fetch_add(secs, Ordering::Relaxed);
    }
}

/// A line that people know from the trackers of old: who is gone, and why.
fn say_gone(why: &'static str, holder: HolderView<'_>) {
    let who = Named { label: holder.label(), endpoint: holder.endpoint() };
    tracing::info!(dialect = %holder.dialect(), "[{why}] {who}");
}

/// A holder as a line of the log names it: `peer1 at 192.168.1.101:8080`, or the endpoint of one without a name.
struct Named<'a> {
    label: &'a str,
    endpoint: swarm::Endpoint,
}

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.label {
            "" => write!(f, "{}", self.endpoint),
            label => write!(f, "{label} at {}", self.endpoint),
        }
    }
}

/// What a holder is called where a dialect wants a name: its own, or its endpoint.
fn name_of(holder: &HolderView<'_>) -> String {
    match holder.label() {
        "" => holder.endpoint().to_string(),
        label => label.to_owned(),
    }
}

/// Seconds since the start.
enum Clock {
    Running(Instant),
    /// They pass when a test says so.
    #[cfg(test)]
    Told(AtomicU32),
}

impl Clock {
    fn now(&self) -> Seconds {
        match self {
            Self::Running(started) => Seconds::try_from(started.elapsed().as_secs()).unwrap_or(Seconds::MAX),
            #[cfg(test)]
            Self::Told(secs) => secs.load(Ordering::Relaxed),
        }
    }
}
