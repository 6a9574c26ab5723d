use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rand::Rng;
use swarm::{Config, InfoHash, Registry};

use crate::config::TrackerConfig;

/// How many registries share the swarms. Many more than there are cores, so that two threads seldom meet at one, and
/// so that growing one is short work.
const SHARDS: usize = 128;

/// How long a thread tries again before it sleeps until a lock is free. Others have one for a few microseconds; to be woken
/// takes many more, and milliseconds where a virtual machine gives up the core of whoever sleeps.
const PATIENCE: Duration = Duration::from_micros(50);

/// How often the processor waits for a moment between two turns with the same lock: a microsecond or so, in which whoever tries
/// again gets it.
const BREATHS: u32 = 50;

/// A registry behind its lock.
pub(super) struct Shard(Mutex<Registry>);

/// Registries, each behind a lock of its own.
pub(super) struct Shards {
    shards: Box<[Shard]>,
    secret: u64,
    grants: Mutex<Grants>,
    details_max: usize,
    /// Whether details are kept at present.
    details: AtomicBool,
}

/// Who may use how much memory, in bytes: what the shards may and what is left make up the total.
struct Grants {
    total: usize,
    left: usize,
    of_shards: Box<[usize]>,
}

impl Shard {
    /// The registry, as soon as nobody else has it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Registry> {
        self.try_lock().unwrap_or_else(|| self.wait())
    }

    /// The registry, unless somebody else has it.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, Registry>> {
        self.0.try_lock()
    }

    /// Lets whoever waits for the registry have it first, before the caller asks for it again.
    pub(super) fn give_way(registry: MutexGuard<'_, Registry>) {
        // Those who sleep until they are woken are handed the lock; those who try again need a moment in which it is free.
        MutexGuard::unlock_fair(registry);
        (0..BREATHS).for_each(|_| spin_loop());
    }

    #[cold]
    fn wait(&self) -> MutexGuard<'_, Registry> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(registry) = self.try_lock() {
                return registry;
            }
            spin_loop();
        }
        self.0.lock()
    }
}

impl Shards {
    pub(super) fn new(config: &TrackerConfig) -> Self {
        let mut rng = rand::rng();
        let registry = |rng: &mut _| {
            let secret = Rng::next_u64(rng);
            Shard(Mutex::new(Registry::new(Config {
                peer_ttl_secs: config.peer_ttl_secs(),
                memory_bytes_max: config.memory_max / SHARDS,
                details_max: share_of_details(config.details_max),
                secret,
            })))
        };
        let total = config.memory_max;
        let of_shards = vec![total / SHARDS; SHARDS].into_boxed_slice();
        Self {
            shards: (0..SHARDS).map(|_| registry(&mut rng)).collect(),
            secret: rng.next_u64() | 1,
            grants: Mutex::new(Grants { total, left: total % SHARDS, of_shards }),
            details_max: config.details_max,
            details: AtomicBool::new(true),
        }
    }

    /// The registry that has the swarm of `hash`, or would have it.
    pub(super) fn of(&self, hash: &InfoHash) -> &Shard {
        let [a, b, c, d, e, f, g, h, ..] = hash.0;
        let spread = u64::from_le_bytes([a, b, c, d, e, f, g, h]).wrapping_mul(self.secret);
        // The product's upper bits depend on all of the hash's.
        &self.shards[usize::try_from(spread >> (u64::BITS - SHARDS.ilog2())).unwrap_or(0)]
    }

    pub(super) fn get(&self, at: usize) -> Option<&Shard> {
        self.shards.get(at)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter()
    }

    /// Has details kept of everybody, or of nobody while there are too many peers: so that most of a large tracker's
    /// memory is not what it knows of a few. Which shard has how many peers may change from one call to the next. Whether
    /// all have just been let go.
    pub(super) fn share_out_details(&self) -> bool {
        let peers = |shard: &Shard| shard.lock().stats().population.peers();
        let total: usize = self.iter().map(peers).sum();
        // Not at the edge itself, so that a crowd that stays there does not lose its details time and again.
        let kept = self.details.load(Ordering::Relaxed);
        let most = if kept { self.details_max } else { self.details_max / 4 * 3 };
        let few_enough = self.details_max > 0 && total <= most;
        self.details.store(few_enough, Ordering::Relaxed);
        let spare = share_of_details(self.details_max.saturating_sub(total));
        for shard in self.iter() {
            let mut registry = shard.lock();
            let share = registry.stats().population.peers() + spare;
            registry.set_details_max(if few_enough { share } else { 0 });
        }
        kept && !few_enough
    }

    /// Shares out the memory that nobody uses: half of it evenly, half to those in whom something did not fit, so that
    /// one large swarm can take nearly all of it within seconds. What a shard may use more is taken from what others may
    /// no longer, so that all together never pass the budget, whatever is announced meanwhile.
    pub(super) fn share_out(&self) {
        let mut grants = self.grants.lock();
        let (mut used, mut short) = (0, 0);
        for shard in &self.shards {
            let registry = shard.lock();
            used += registry.memory_bytes();
            short += usize::from(registry.is_short_of_memory());
        }
        let half = grants.total.saturating_sub(used) / 2;
        let needs = |registry: &Registry| {
            let extra = if registry.is_short_of_memory() { half / short.max(1) } else { 0 };
            registry.memory_bytes() + half / SHARDS + extra
        };
        let Grants { left, of_shards, .. } = &mut *grants;
        for (shard, grant) in self.shards.iter().zip(of_shards.iter_mut()) {
            let mut registry = shard.lock();
            let needed = needs(&registry);
            if *grant > needed {
                *left += *grant - needed;
                *grant = needed;
                registry.set_memory_bytes_max(*grant);
            }
        }
        for (shard, grant) in self.shards.iter().zip(of_shards) {
            let mut registry = shard.lock();
            let more = needs(&registry).saturating_sub(*grant).min(*left);
            *left -= more;
            *grant += more;
            registry.set_memory_bytes_max(*grant);
        }
    }
}

/// How many of so many peers' details one shard may keep, if it has as many peers as the others.
fn share_of_details(max: usize) -> usize {
    max.div_ceil(SHARDS)
}
