use parking_lot::Mutex;
use rand::Rng;
use swarm::{Config, InfoHash, Registry};

use super::Shard;
use crate::config::TrackerConfig;

/// How many registries share the swarms. Many more than there are cores, so that two threads seldom meet at one, and
/// so that growing one is short work.
const SHARDS: usize = 128;

/// Registries, each behind a lock of its own.
pub(super) struct Shards {
    shards: Box<[Shard]>,
    secret: u64,
}

impl Shards {
    pub(super) fn new(config: &TrackerConfig) -> Self {
        let mut rng = rand::rng();
        let registry = |rng: &mut _| {
            let secret = Rng::next_u64(rng);
            Mutex::new(Registry::new(Config {
                peer_ttl_secs: config.peer_ttl_secs(),
                memory_bytes_max: config.memory_max / SHARDS,
                details_max: config.details_max / SHARDS + usize::from(config.details_max > 0),
                secret,
            }))
        };
        Self { shards: (0..SHARDS).map(|_| registry(&mut rng)).collect(), secret: rng.next_u64() | 1 }
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

    /// Shares the memory that nobody uses out evenly. A shard may use what it has and its share, so that all
    /// together never pass the budget, and yet one large swarm can take most of it.
    pub(super) fn share_out(&self, memory_bytes_max: usize) {
        let used: usize = self.shards.iter().map(|shard| shard.lock().memory_bytes()).sum();
        let share = memory_bytes_max.saturating_sub(used) / SHARDS;
        let mut granted = 0;
        for (at, shard) in self.shards.iter().enumerate() {
            let mut registry = shard.lock();
            // What others have been given may have been used since: this one's share comes from what is left.
            let rest = memory_bytes_max.saturating_sub(granted) / (SHARDS - at);
            let max = (registry.memory_bytes() + share).min(rest.max(registry.memory_bytes()));
            registry.set_memory_bytes_max(max);
            granted += max;
        }
    }
}
