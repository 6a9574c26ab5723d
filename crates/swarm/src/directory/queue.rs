//! Holders in the order in which something becomes due for them.
//!
//! Each holder waits in one queue at a time. All who wait in the same queue wait equally long, so who came first is due
//! first, and nobody else need be looked at.

use super::dialect::Dialect;
use super::holder::{HolderId, Holders};
use super::slab::NONE;
use crate::Seconds;

/// What a holder waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// Its deadline in `index`.
    Index,
    /// Its deadline in `chunklist`, now that it has beaten.
    Chunklist,
    /// Its deadline in `beacon`.
    Beacon,
    /// Its next probe.
    Probe,
    /// What comes of a probe that is under way.
    Answer,
}

impl Queue {
    /// Those at whose end a holder is gone.
    pub(super) const DEADLINES: [Self; 3] = [Self::Index, Self::Chunklist, Self::Beacon];

    /// Where a new holder of a dialect waits.
    pub(super) const fn of_new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Token | Dialect::Chunklist => Self::Probe,
            Dialect::Index => Self::Index,
            Dialect::Beacon => Self::Beacon,
        }
    }

    /// Where a holder waits once it has beaten; `None` in `token`, where that means nothing.
    pub(super) const fn of_beating(dialect: Dialect) -> Option<Self> {
        match dialect {
            Dialect::Token => None,
            Dialect::Index => Some(Self::Index),
            Dialect::Chunklist => Some(Self::Chunklist),
            Dialect::Beacon => Some(Self::Beacon),
        }
    }
}

/// A holder's place in a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) queue: Option<Queue>,
    pub(super) since: Seconds,
    before: u32,
    behind: u32,
}

/// The ends of all queues.
#[derive(Debug, Default)]
pub(super) struct Queues([Ends; 5]);

#[derive(Debug)]
struct Ends {
    first: u32,
    last: u32,
    len: usize,
}

impl Queues {
    pub(super) fn first(&self, queue: Queue) -> Option<HolderId> {
        let first = self.0[queue as usize].first;
        (first != NONE).then_some(HolderId(first))
    }

    pub(super) const fn len(&self, queue: Queue) -> usize {
        self.0[queue as usize].len
    }
}

impl Holders {
    /// Lets a holder leave the queue it is in, and go to the end of another.
    pub(super) fn wait_in(&mut self, id: HolderId, queue: Option<Queue>, now: Seconds) {
        let Wait { queue: left, before, behind, .. } = self.holder(id).wait;
        if let Some(left) = left {
            match before {
                NONE => self.queues.0[left as usize].first = behind,
                before => self.holder_mut(HolderId(before)).wait.behind = behind,
            }
            match behind {
                NONE => self.queues.0[left as usize].last = before,
                behind => self.holder_mut(HolderId(behind)).wait.before = before,
            }
            self.queues.0[left as usize].len -= 1;
        }
        let mut wait = Wait { queue, since: now, before: NONE, behind: NONE };
        if let Some(queue) = queue {
            let ends = &mut self.queues.0[queue as usize];
            ends.len += 1;
            wait.before = std::mem::replace(&mut ends.last, id.0);
            match wait.before {
                NONE => ends.first = id.0,
                before => self.holder_mut(HolderId(before)).wait.behind = id.0,
            }
        }
        self.holder_mut(id).wait = wait;
    }

    /// The first in the queue, if it has waited longer than `secs`: never a moment early, whatever is left of a second.
    pub(super) fn due(&self, queue: Queue, secs: u32, now: Seconds) -> Option<HolderId> {
        let first = self.queues.first(queue)?;
        (now.saturating_sub(self.holder(first).wait.since) > secs).then_some(first)
    }
}

impl Default for Wait {
    fn default() -> Self {
        Self { queue: None, since: 0, before: NONE, behind: NONE }
    }
}

impl Default for Ends {
    fn default() -> Self {
        Self { first: NONE, last: NONE, len: 0 }
    }
}
