//! How long holders stay: heartbeats, deadlines, probes.

use super::Directory;
use super::dialect::Key;
use super::holder::HolderId;
use super::queue::Queue;
use super::view::HolderView;
use crate::{Endpoint, Seconds};

/// A holder that fails so many probes in a row is gone.
pub const PROBE_FAILURES_MAX: u8 = 3;

/// After so many seconds nothing is expected of a probe any more: it counts neither way, and is done again.
const ANSWER_SECS_MAX: u32 = 60;

/// Whom to connect to, to see whether somebody listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// To be handed back with what came of it.
    pub ticket: Ticket,
    /// The port that the holder named, at the address it was seen at: never another host.
    pub endpoint: Endpoint,
}

/// Which probe of whom an outcome is of. A late one, of a probe that nobody waits for any more, is of no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    holder: HolderId,
    since: Seconds,
}

/// What one call of [`Directory::expire`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Holders let go.
    pub holders: usize,
    /// Nobody is left whose time is over.
    pub done: bool,
}

impl Directory {
    /// A heartbeat; false if the holder is not known, and should register again. In `token`, which has none, it changes
    /// nothing.
    pub fn beat(&mut self, key: &Key<'_>, now: Seconds) -> bool {
        let Some(id) = self.holders.find(key, &self.salt) else { return false };
        if let Some(queue) = Queue::of_beating(key.dialect()) {
            self.holders.wait_in(id, Some(queue), now);
        }
        true
    }

    /// The holder leaves, and everything it offers with it; false if it was not known.
    pub fn leave(&mut self, key: &Key<'_>) -> bool {
        let found = self.holders.find(key, &self.salt);
        found.is_some_and(|id| {
            self.remove(id);
            true
        })
    }

    /// Lets go of holders that were silent for longer than their time, and shows each to `gone` before. Holders and
    /// names let go are at most `budget`, but for the names of the last holder.
    ///
    /// It costs nothing when nobody's time is over: call it every second.
    pub fn expire(&mut self, now: Seconds, budget: usize, mut gone: impl FnMut(HolderView<'_>)) -> Expired {
        let mut expired = Expired::default();
        let mut budget = budget;
        while let Some(id) = self.overdue(now) {
            if budget == 0 {
                return expired;
            }
            budget = budget.saturating_sub(1 + self.holders.holder(id).names.len());
            gone(HolderView::new(self, id));
            self.remove(id);
            expired.holders += 1;
        }
        expired.done = true;
        expired
    }

    /// The next holder to be probed; `None` if none is due, or as many probes as may be are under way.
    ///
    /// A holder is due when its interval is over since it joined, or since the outcome of the last probe.
    pub fn next_probe(&mut self, now: Seconds) -> Option<Probe> {
        while let Some(id) = self.holders.due(Queue::Answer, ANSWER_SECS_MAX, now) {
            self.holders.wait_in(id, Some(Queue::Probe), now);
        }
        if self.holders.queues.len(Queue::Answer) >= self.config.probes_in_flight_max {
            return None;
        }
        let id = self.holders.due(Queue::Probe, self.config.probe_interval_secs, now)?;
        self.holders.wait_in(id, Some(Queue::Answer), now);
        let holder = self.holders.holder(id);
        let endpoint = Endpoint::new(holder.source, holder.endpoint.port());
        Some(Probe { ticket: Ticket { holder: id, since: now }, endpoint })
    }

    /// What came of a probe: whether somebody answered. If it was one failure too many, the holder is shown to `gone`
    /// and let go.
    pub fn probed(
        &mut self,
        ticket: Ticket,
        answered: bool,
        now: Seconds,
        gone: impl FnOnce(HolderView<'_>),
    ) {
        let Ticket { holder: id, since } = ticket;
        let awaited = |wait: &super::queue::Wait| wait.queue == Some(Queue::Answer) && wait.since == since;
        if !self.holders.get(id).is_some_and(|holder| awaited(&holder.wait)) {
            return;
        }
        let holder = self.holders.holder_mut(id);
        holder.failures = if answered { 0 } else { holder.failures + 1 };
        if holder.failures < PROBE_FAILURES_MAX {
            self.holders.wait_in(id, Some(Queue::Probe), now);
            return;
        }
        gone(HolderView::new(self, id));
        self.remove(id);
    }

    /// Somebody whose time is over.
    fn overdue(&self, now: Seconds) -> Option<HolderId> {
        Queue::DEADLINES.into_iter().find_map(|queue| {
            let secs = match queue {
                Queue::Index => self.config.index_ttl_secs,
                Queue::Chunklist => self.config.chunklist_ttl_secs,
                _ => self.config.beacon_ttl_secs,
            };
            self.holders.due(queue, secs, now)
        })
    }

    fn remove(&mut self, id: HolderId) {
        self.take_list(id);
        let names = self.holders.set_names(id, Box::default());
        for &name in &names {
            self.take_off(id, name);
            self.names.drop_unheld(name, &self.salt);
        }
        self.holders.remove(id, &self.salt);
    }
}
