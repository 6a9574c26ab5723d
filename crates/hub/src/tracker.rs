//! The one door: every listener comes here, whatever its protocol.
//!
//! Nothing here waits. There is no disk, no network and no `.await`; a lock is held for one swarm's update. What must
//! last is handed to [`Events`], which must not wait either.

mod addresses;
mod counters;
mod refusal;
mod shards;
mod view;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use swarm::accounts::Totals;
use swarm::{Announce, Counts, Detail, Event, Families, InfoHash, Reply, Seconds, Stage, UserId, Want};

use crate::catalogue::now_unix;
use crate::config::{MembersConfig, Mode, TrackerConfig};
use crate::memory;
use crate::policy::lists::Lists;
use crate::policy::rates::{Kind, Moment};
use crate::policy::{Current, Policy};
use crate::store::ledger::Report;
use addresses::Addresses;
use shards::Shards;

pub use counters::{Counters, Metric};
pub use refusal::Refusal;
pub use view::{ExportCursor, PeerView, TrackerStats};

/// Swarms, policy and counters behind one `announce` and one `scrape`.
pub struct Tracker {
    config: TrackerConfig,
    policy: Arc<Policy>,
    addresses: Addresses,
    shards: Shards,
    counters: Mutex<Vec<Arc<Counters>>>,
    started: Instant,
    events: Box<dyn Events>,
}

/// What the tracker reports to whoever keeps things for good. Implementations return at once.
pub trait Events: Send + Sync {
    /// A download of `hash` was completed, the `nth` since it is known.
    fn completed(&self, hash: InfoHash, nth: u32);

    /// A client of a member has announced.
    fn reported(&self, _: Report) {}
}

/// What a thread that serves announces owns: its dice, its answer, its counters.
pub struct Worker {
    /// The peers and counts of the last announce.
    pub reply: Reply,
    /// What this thread has counted.
    pub counters: Arc<Counters>,
    rng: SmallRng,
    /// The access lists, as of the last look at the clock.
    access: Current,
    now: Seconds,
    /// The same moment, as finely as rates are counted.
    moment: Moment,
    /// The same moment in Unix seconds.
    now_unix: i64,
}

/// Who asks, as the listener knows it.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Where the request came from, with trusted proxies taken off.
    pub ip: IpAddr,
    /// Which peers it can be told.
    pub families: Families,
    /// Whether it wants the peers' ids.
    pub ids: bool,
    /// What its program calls itself, where the protocol says so.
    pub user_agent: Option<&'a [u8]>,
}

/// What an announce is answered, beside [`Worker::reply`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Seconds until the next announce.
    pub interval_secs: u32,
    /// Seconds before which there should be none.
    pub interval_min_secs: u32,
    /// How the asker is seen from outside (BEP 24).
    pub external_ip: IpAddr,
}

impl Tracker {
    /// A tracker without swarms, for anybody.
    #[must_use]
    pub fn new(config: &TrackerConfig, events: Box<dyn Events>) -> Self {
        let open = Policy::new(Mode::Open, &MembersConfig::default(), config.peer_ttl_secs());
        Self::guarded(config, Arc::new(open), events)
    }

    /// A tracker without swarms, for whom the policy admits.
    #[must_use]
    pub fn guarded(config: &TrackerConfig, policy: Arc<Policy>, events: Box<dyn Events>) -> Self {
        memory::set_large_apart();
        Self {
            policy,
            addresses: Addresses::new(&config.external_ips),
            shards: Shards::new(config),
            counters: Mutex::default(),
            started: Instant::now(),
            events,
            config: config.clone(),
        }
    }

    /// What it asks before it touches a swarm.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// What a new serving thread needs.
    #[must_use]
    pub fn worker(&self) -> Worker {
        let counters = Arc::<Counters>::default();
        self.counters.lock().push(counters.clone());
        Worker {
            reply: Reply::default(),
            counters,
            rng: SmallRng::from_rng(&mut rand::rng()),
            access: self.policy.current(),
            now: self.now(),
            moment: self.moment(),
            now_unix: now_unix(),
        }
    }

    /// Takes note of a peer; whom it is told about is in `worker.reply`.
    ///
    /// # Errors
    ///
    /// [`Refusal`], in words for the person at the client.
    pub fn announce(
        &self,
        asker: &Asker<'_>,
        ask: &wire::Announce<'_>,
        worker: &mut Worker,
    ) -> Result<Answer, Refusal> {
        let answer = self.admit(asker, ask, worker);
        if let Err(refusal) = &answer {
            worker.counters.add(refusal.metric(), 1);
        }
        answer
    }

    /// Has memory fetched that an announce of `hash` will look at; see [`swarm::Registry::prefetch`].
    pub fn prefetch(&self, hash: &InfoHash, stage: Stage) {
        // Whoever is at work on these swarms is fetching them already.
        if let Some(registry) = self.shards.of(hash).try_lock() {
            registry.prefetch(hash, stage);
        }
    }

    /// Whether somebody may ask for counts.
    ///
    /// # Errors
    ///
    /// [`Refusal`], in words for the person at the client.
    pub fn admit_scrape(&self, passkey: Option<&[u8]>, ip: IpAddr, worker: &Worker) -> Result<(), Refusal> {
        let admitted = if !worker.access.lists().admit_peer(ip) {
            Err(Refusal::NetworkDenied)
        } else if !self.policy.rates().take(Kind::Scrape, ip, worker.moment) {
            Err(Refusal::TooOften)
        } else {
            self.policy.admit(passkey, ip, worker.now_unix).map(drop)
        };
        if let Err(refusal) = &admitted {
            worker.counters.add(refusal.metric(), 1);
        }
        admitted
    }

    /// Whether somebody may have a connection id (BEP 15): not if too many were asked for from there.
    #[must_use]
    pub fn admit_connect(&self, ip: IpAddr, worker: &Worker) -> bool {
        let admitted = self.policy.rates().take(Kind::Connect, ip, worker.moment);
        if !admitted {
            worker.counters.add(Refusal::TooOften.metric(), 1);
        }
        admitted
    }

    /// The counts of a swarm; `None` if nobody has announced it.
    #[must_use]
    pub fn scrape(&self, hash: &InfoHash) -> Option<Counts> {
        self.shards.of(hash).lock().scrape(hash)
    }

    /// Seconds since the start.
    #[must_use]
    pub fn now(&self) -> Seconds {
        // A hundred and thirty years pass before this is not exact.
        Seconds::try_from(self.started.elapsed().as_secs()).unwrap_or(Seconds::MAX)
    }

    fn moment(&self) -> Moment {
        // Millions of years pass before this is not exact.
        Moment::from_millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn admit(
        &self,
        asker: &Asker<'_>,
        ask: &wire::Announce<'_>,
        worker: &mut Worker,
    ) -> Result<Answer, Refusal> {
        let lists = worker.access.lists();
        if !lists.admit_peer(asker.ip) {
            return Err(Refusal::NetworkDenied);
        }
        if !self.policy.rates().take(Kind::Announce, asker.ip, worker.moment) {
            return Err(Refusal::TooOften);
        }
        if !lists.admit_client(&ask.peer_id.0, asker.user_agent) {
            return Err(Refusal::ClientDenied);
        }
        if !lists.admit_torrent(&ask.info_hash) {
            return Err(Refusal::TorrentDenied);
        }
        let member = self.policy.admit(ask.passkey, asker.ip, worker.now_unix)?;
        let port = swarm::Port::new(ask.port).ok_or(Refusal::PortZero)?;
        let stated_ip = ask.stated_ip.filter(|_| self.config.trust_stated_ip);
        let seen_ip = stated_ip.unwrap_or(asker.ip).to_canonical();
        let announce = Announce {
            hash: ask.info_hash,
            endpoint: swarm::Endpoint::new(self.addresses.listed(seen_ip), port),
            left: ask.left,
            event: ask.event,
            want: self.want(asker, ask),
            detail: (self.config.details_max > 0).then(|| detail(ask)),
        };
        if let Some(member) = &member {
            let attendance = self.policy.attendance();
            let taken = attendance.take(member, &announce.hash, &ask.peer_id, seen_ip, ask.event, worker.now);
            taken.map_err(Refusal::Beyond)?;
        }
        let mut registry = self.shards.of(&announce.hash).lock();
        if self.policy.is_listed_only() && !registry.is_pinned(&announce.hash) {
            return Err(Refusal::Unlisted);
        }
        let was_short = registry.is_short_of_memory();
        let outcome = registry.announce(&announce, worker.now, &mut worker.rng, &mut worker.reply);
        let is_short = registry.is_short_of_memory();
        drop(registry);
        if is_short && !was_short {
            // A crowd in one swarm would be changed for a newer one until the next look after the house.
            self.shards.share_out();
        }
        let outcome = outcome.map_err(|swarm::Full| Refusal::Full)?;
        if outcome.completed {
            self.events.completed(announce.hash, worker.reply.counts.completed);
            worker.counters.add(Metric::Completed, 1);
        }
        if let Some(member) = member {
            self.events.reported(report(member.user, ask, worker.now_unix));
        }
        self.addresses.translate(&mut worker.reply, seen_ip);
        Ok(Answer {
            interval_secs: self.interval_secs(worker),
            interval_min_secs: self.config.interval_min_secs(),
            external_ip: self.addresses.external(seen_ip),
        })
    }

    fn want(&self, asker: &Asker<'_>, ask: &wire::Announce<'_>) -> Want {
        let peers = ask.want.unwrap_or(self.config.want_default).min(self.config.want_max);
        Want { peers, families: asker.families, ids: asker.ids, seeders: may_know_no_size(ask) }
    }

    /// The interval, lengthened at random so that those who came together do not come back together.
    fn interval_secs(&self, worker: &mut Worker) -> u32 {
        let spread = u64::from(self.config.interval_longest_secs().saturating_sub(self.config.interval_secs));
        let extra = (u64::from(worker.rng.next_u32()) * (spread + 1)) >> 32;
        self.config.interval_secs.saturating_add(u32::try_from(extra).unwrap_or(0))
    }
}

impl Worker {
    /// Seconds since the tracker's start, at the last [`Worker::tick`].
    #[must_use]
    pub fn now(&self) -> Seconds {
        self.now
    }

    /// The time at the last [`Worker::tick`], in Unix seconds.
    #[must_use]
    pub fn now_unix(&self) -> i64 {
        self.now_unix
    }

    /// The access lists that held at the last [`Worker::tick`].
    #[must_use]
    pub fn lists(&self) -> &Lists {
        self.access.lists()
    }

    /// Looks at the clock, and whether other access lists hold. Called once for each batch of requests: the tracker
    /// counts in seconds.
    pub fn tick(&mut self, tracker: &Tracker) {
        self.now = tracker.now();
        self.moment = tracker.moment();
        self.now_unix = now_unix();
        tracker.policy.refresh(&mut self.access);
    }
}

/// Whether `left` may be 0 because the asker has no more than a magnet link: aria2 says so then, in the words of a seeder
/// that has just started, and would never hear of the seeders that can tell it what the torrent is.
fn may_know_no_size(ask: &wire::Announce<'_>) -> bool {
    ask.peer_id.0.starts_with(b"A2-") && (ask.left, ask.uploaded, ask.downloaded) == (Some(0), 0, 0)
}

fn report(user: UserId, ask: &wire::Announce<'_>, at: i64) -> Report {
    let totals =
        Totals { uploaded: ask.uploaded, downloaded: ask.downloaded, left: left(ask), event: ask.event, at };
    Report { user, torrent: ask.info_hash, peer: ask.peer_id, totals }
}

/// Bytes that are missing; as many as there can be, if the client does not say.
fn left(ask: &wire::Announce<'_>) -> u64 {
    ask.left.unwrap_or(if ask.event == Event::Completed { 0 } else { u64::MAX })
}

fn detail(ask: &wire::Announce<'_>) -> Detail {
    Detail { peer_id: ask.peer_id, uploaded: ask.uploaded, downloaded: ask.downloaded, left: left(ask) }
}

#[cfg(test)]
mod tests;
