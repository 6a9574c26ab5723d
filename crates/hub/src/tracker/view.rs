//! The tracker as those see it who do not announce: the API, the snapshot, the housekeeping.

use swarm::{Counts, Endpoint, Full, InfoHash, PeerId, PeerRecord, Population, Role, Shed, Stats, SwarmView};

use super::shards::Shard;
use super::{Metric, Tracker};
use crate::background::Turns;
use crate::memory;

/// How many peers and swarms are looked at under one lock, to let go of some or to write them down: a few microseconds'
/// work. Whoever writes all of them down has one of the locks nearly always, and announces come to it.
const LOOK_BUDGET: usize = 128;
const EXPORT_BUDGET: usize = 64;

/// Seconds in which the sweep comes by everybody, at most.
const ROUND_SECS_MAX: u32 = 60;

/// One peer of a swarm, with what else is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// What it is.
    pub role: Role,
    /// Seconds since its last announce.
    pub idle_secs: u32,
    /// What it calls itself, if that was kept.
    pub peer_id: Option<PeerId>,
    /// Bytes uploaded by its own account, if that was kept.
    pub uploaded: Option<u64>,
    /// Bytes downloaded by its own account, if that was kept.
    pub downloaded: Option<u64>,
    /// Bytes still missing by its own account, if that was kept.
    pub left: Option<u64>,
}

/// How far an export has come. It takes turns with the shards, so that who waits for the one that was just let go gets it.
#[derive(Debug, Clone)]
pub struct ExportCursor {
    /// Those that are not at their end.
    shards: Vec<(usize, swarm::ExportCursor)>,
    turn: usize,
}

/// The whole tracker in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrackerStats {
    /// Swarms, those kept while empty included.
    pub swarms: usize,
    /// Peers and seeders.
    pub population: Population,
    /// Bytes taken of the memory budget.
    pub memory_bytes: usize,
    /// What was given up for lack of memory.
    pub shed: Shed,
    /// Seconds since the start.
    pub uptime_secs: u32,
}

impl Tracker {
    /// Keeps a swarm while it is empty, because the catalogue names it. `completed` is the catalogue's count.
    ///
    /// # Errors
    ///
    /// [`Full`] if the memory budget leaves no place for it.
    pub fn pin(&self, hash: InfoHash, completed: u32) -> Result<(), Full> {
        self.shards.of(&hash).lock().pin(hash, completed, self.now())
    }

    /// Lets a swarm go once it is empty.
    pub fn unpin(&self, hash: &InfoHash) {
        self.shards.of(hash).lock().unpin(hash);
    }

    /// The peers of a swarm, at most `max`.
    #[must_use]
    pub fn peers(&self, hash: &InfoHash, max: usize) -> Vec<PeerView> {
        let registry = self.shards.of(hash).lock();
        let Some(swarm) = registry.swarm(hash) else { return Vec::new() };
        let peers = swarm.peers(self.now()).take(max);
        let view = |PeerRecord { endpoint, role, idle_secs, counted: _ }| {
            let detail = registry.detail(hash, endpoint);
            PeerView {
                endpoint,
                role,
                idle_secs,
                peer_id: detail.map(|detail| detail.peer_id),
                uploaded: detail.map(|detail| detail.uploaded),
                downloaded: detail.map(|detail| detail.downloaded),
                left: detail.map(|detail| detail.left),
            }
        };
        peers.map(view).collect()
    }

    /// Shows `each` swarm, some in this call and under one lock, a large one in parts; false once all have been shown.
    /// Announces go on meanwhile: who was there from beginning to end is shown, perhaps twice.
    pub fn export(&self, cursor: &mut ExportCursor, each: impl FnMut(SwarmView<'_>)) -> bool {
        if cursor.turn >= cursor.shards.len() {
            cursor.turn = 0;
        }
        let Some((at, within)) = cursor.shards.get_mut(cursor.turn) else { return false };
        let more = self.shards.get(*at).is_some_and(|shard| shard.lock().export(within, EXPORT_BUDGET, each));
        if more {
            cursor.turn += 1;
        } else {
            cursor.shards.swap_remove(cursor.turn);
        }
        !cursor.shards.is_empty()
    }

    /// The beginning of an export.
    #[must_use]
    pub fn export_cursor(&self) -> ExportCursor {
        let shards = (0..self.shards.iter().count()).map(|at| (at, swarm::ExportCursor::default()));
        ExportCursor { shards: shards.collect(), turn: 0 }
    }

    /// Shows `each` swarm, but not all of its peers, with a pause between some and the next.
    pub fn for_each_swarm(&self, mut each: impl FnMut(SwarmView<'_>)) {
        let mut cursor = self.export_cursor();
        let mut each = |swarm: SwarmView<'_>| {
            if !swarm.is_continued() {
                each(swarm);
            }
        };
        while self.export(&mut cursor, &mut each) {}
    }

    /// Every swarm's hash and counts.
    #[must_use]
    pub fn all_counts(&self) -> Vec<(InfoHash, Counts)> {
        let mut all = Vec::new();
        self.for_each_swarm(|swarm| all.push((swarm.hash(), swarm.counts())));
        all
    }

    /// Takes in a swarm that was written down before a restart.
    ///
    /// # Errors
    ///
    /// [`Full`] when the memory budget is reached.
    pub fn import(&self, hash: InfoHash, completed: u32, peers: &[PeerRecord]) -> Result<(), Full> {
        let import = || {
            let peers = peers.iter().copied();
            self.shards.of(&hash).lock().import(hash, completed, peers, self.now())
        };
        import().or_else(|Full| {
            // Others may have what this shard has not.
            self.shards.share_out();
            import()
        })
    }

    /// Shares unused memory out, and lets go of some of the peers that fell silent. Called once a second: everybody
    /// is looked at once a minute, or eight times in a peer's time to live if that is sooner.
    pub fn housekeep(&self) {
        self.policy.attendance().expire_some(self.now());
        // Before the others, because a sweep that has gone round forgets who was short of it.
        self.shards.share_out();
        if self.shards.share_out_details() {
            memory::give_back();
        }
        let mut turns = Turns::of(1);
        let round_secs = (self.config.peer_ttl_secs() / 8).clamp(1, ROUND_SECS_MAX) as usize;
        for shard in self.shards.iter() {
            let Stats { swarms, population, .. } = shard.lock().stats();
            let mut left = (swarms + population.peers()).div_ceil(round_secs);
            while left > 0 {
                let budget = left.min(LOOK_BUDGET);
                let mut registry = shard.lock();
                let swept = registry.expire(self.now(), budget);
                Shard::give_way(registry);
                turns.step();
                left = if swept.round_done { 0 } else { left - budget };
            }
        }
    }

    /// The tracker in numbers.
    #[must_use]
    pub fn stats(&self) -> TrackerStats {
        let mut all = TrackerStats { uptime_secs: self.now(), ..TrackerStats::default() };
        for shard in self.shards.iter() {
            let stats = shard.lock().stats();
            all.swarms += stats.swarms;
            all.population.v4 += stats.population.v4;
            all.population.v6 += stats.population.v6;
            all.population.seeders += stats.population.seeders;
            all.memory_bytes += stats.memory_bytes;
            all.shed.details += stats.shed.details;
            all.shed.peers += stats.shed.peers;
            all.shed.refused += stats.shed.refused;
        }
        all
    }

    /// What all serving threads together have counted.
    #[must_use]
    pub fn count(&self, metric: Metric) -> u64 {
        self.counters.lock().iter().map(|counters| counters.get(metric)).sum()
    }
}
