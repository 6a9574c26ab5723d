//! Letting go of peers that fell silent, a little at a time.

use super::Registry;
use crate::Seconds;

/// Where the sweep has come to. It goes from the last swarm to the first and from a swarm's last peer to its first,
/// because what is removed is replaced from behind.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// How many swarms of this round are still to be visited.
    swarms_left: usize,
    /// How many peers of the swarm being visited are; `None` before its first.
    peers_left: Option<usize>,
}

/// What one call of [`Registry::expire`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Peers let go.
    pub peers: usize,
    /// Swarms let go.
    pub swarms: usize,
    /// The sweep has visited everything there was when it began, and the next call begins anew.
    pub round_done: bool,
}

impl Registry {
    /// Lets go of peers silent for longer than their time, looking at no more than `budget` peers and swarms.
    ///
    /// A peer is there until a sweep finds it gone. Call it so that a round takes less time than a peer may be
    /// silent.
    pub fn expire(&mut self, now: Seconds, budget: usize) -> Swept {
        let mut swept = Swept::default();
        let mut budget = budget;
        if self.sweep.swarms_left == 0 {
            self.sweep = Sweep { swarms_left: self.swarms.len(), peers_left: None };
        }
        while budget > 0 {
            // Others may have left since the last call.
            let Some(at) = self.sweep.swarms_left.min(self.swarms.len()).checked_sub(1) else { break };
            let len = self.swarms[at].len();
            let mut peers_left = self.sweep.peers_left.unwrap_or(len).min(len);
            let ttl_secs = self.ttl_secs(len);
            while peers_left > 0 && budget > 0 {
                peers_left -= 1;
                budget -= 1;
                let stamp = self.swarms[at].standing(peers_left).map(|(_, stamp)| stamp);
                let age_secs = stamp.map_or(0, |stamp| self.ticks.age_secs(stamp, now));
                if age_secs > ttl_secs {
                    self.let_go(at, peers_left, now);
                    swept.peers += 1;
                    self.shed.peers += u64::from(age_secs <= self.config.peer_ttl_secs);
                }
            }
            if peers_left > 0 {
                self.sweep = Sweep { swarms_left: at + 1, peers_left: Some(peers_left) };
                return swept;
            }
            if self.is_over(at, now) {
                self.drop_swarm(at);
                swept.swarms += 1;
            }
            budget = budget.saturating_sub(1);
            self.sweep = Sweep { swarms_left: at, peers_left: None };
        }
        swept.round_done = self.sweep.swarms_left.min(self.swarms.len()) == 0;
        if swept.round_done {
            self.sweep = Sweep::default();
            self.short_of_memory = false;
        }
        swept
    }

    /// Whether nobody would miss the swarm: it is empty, and was never completed or has been empty for long.
    fn is_over(&self, at: usize, now: Seconds) -> bool {
        let swarm = &self.swarms[at];
        let Some(since) = swarm.empty_since() else { return false };
        let forgotten = self.ticks.age_secs(since, now) > self.config.peer_ttl_secs;
        !swarm.pinned() && (swarm.completed() == 0 || forgotten)
    }
}
