//! A tracker over one address family: when it may be asked, and what it has been told.

use std::time::Duration;

use rand::{Rng, RngExt as _};
use swarm::Event;
use wire::http::RetryIn;

use super::{Answer, Miss, SPREAD_PERCENT};
use crate::announce::status::State;
use crate::announce::target::Family;

/// The interval of a tracker that does not say one.
pub(super) const INTERVAL_DEFAULT: Duration = Duration::from_secs(30 * 60);

/// A tracker is not asked more often than this, whatever it allows.
pub(super) const GAP_MIN: Duration = Duration::from_secs(5);

/// The min interval of a tracker that does not say one, unless its interval is shorter.
pub(super) const GAP_DEFAULT: Duration = Duration::from_secs(120);

/// Longest interval that is believed: a tracker that asks for more is asked once a day.
pub(super) const INTERVAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Wait after the first failure; it doubles with each in a row.
pub(super) const BACK_OFF_FIRST: Duration = Duration::from_secs(15);

/// Longest wait after a failure.
pub(super) const BACK_OFF_MAX: Duration = Duration::from_secs(30 * 60);

/// When a host that had no address in a family is looked up again.
pub(super) const ABSENT: Duration = Duration::from_secs(60 * 60);

/// What we are in a swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Leecher,
    /// BEP 21.
    Partial,
    Seeder,
}

/// What makes an announce urgent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) role: Role,
    pub(super) badly: bool,
    pub(super) owes_completed: bool,
}

#[derive(Debug)]
pub(super) struct Line {
    family: Family,
    phase: Phase,
    /// When the last answer came; `None` if the last ask came to nothing, or there was none.
    answered_at: Option<Duration>,
    failures: u32,
    interval: Duration,
    /// The tracker's min interval.
    gap: Duration,
    /// How many asks in a row came early because peers were badly wanted.
    early: u32,
    /// Whether it has heard `started`, and not `stopped` since.
    heard_started: bool,
    /// What we were when it last answered.
    told: Role,
    tracker_id: Option<Vec<u8>>,
    word: Option<State>,
    counts: (Option<u32>, Option<u32>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle {
        next: Duration,
    },
    Asked {
        event: Event,
        role: Role,
    },
    /// It asked never to be asked again (BEP 31).
    GivenUp,
}

impl Line {
    pub(super) fn new(family: Family) -> Self {
        Self {
            family,
            phase: Phase::Idle { next: Duration::ZERO },
            answered_at: None,
            failures: 0,
            interval: INTERVAL_DEFAULT,
            gap: GAP_DEFAULT,
            early: 0,
            heard_started: false,
            told: Role::Leecher,
            tracker_id: None,
            word: None,
            counts: (None, None),
        }
    }

    /// When it should be asked; `None` while it is, and if it must not be.
    pub(super) fn due(&self, due: Due) -> Option<Duration> {
        let Phase::Idle { next } = self.phase else { return None };
        let Some(answered) = self.answered_at else { return Some(next) };
        let news = due.role == Role::Partial && self.told != Role::Partial;
        Some(if due.owes_completed || news {
            answered
        } else if due.role != self.told {
            next.min(answered + self.gap)
        } else if due.badly {
            next.min(answered + self.early_gap())
        } else {
            next
        })
    }

    pub(super) fn ask(&mut self, event: Event, role: Role, now: Duration) {
        if let Phase::Idle { next } = self.phase
            && now < next
            && event == Event::Update
        {
            self.early = self.early.saturating_add(1);
        }
        self.phase = Phase::Asked { event, role };
    }

    /// Takes an answer, and returns what was told; `None` if nothing was asked.
    pub(super) fn answered(&mut self, answer: Answer, now: Duration, dice: &mut impl Rng) -> Option<Event> {
        let Phase::Asked { event, role } = self.phase else { return None };
        let secs = |secs: u32| Duration::from_secs(secs.into());
        let interval = answer.interval.map_or(INTERVAL_DEFAULT, secs);
        self.gap = answer.min_interval.map_or(GAP_DEFAULT.min(interval), secs).clamp(GAP_MIN, INTERVAL_MAX);
        self.interval = interval.clamp(self.gap, INTERVAL_MAX);
        self.phase = Phase::Idle { next: now + later(self.interval, dice) };
        self.answered_at = Some(now);
        self.failures = 0;
        self.told = role;
        self.heard_started = event != Event::Stopped;
        self.tracker_id = answer.tracker_id.or(self.tracker_id.take());
        self.word = Some(State::Answered { warning: answer.warning });
        self.counts = (answer.seeders, answer.leechers);
        Some(event)
    }

    /// Takes a failure, and returns what should have been told; `None` if nothing was asked.
    pub(super) fn missed(&mut self, miss: Miss, now: Duration, dice: &mut impl Rng) -> Option<Event> {
        let Phase::Asked { event, .. } = self.phase else { return None };
        self.answered_at = None;
        self.counts = (None, None);
        self.failures = self.failures.saturating_add(1);
        if event == Event::Stopped {
            // Leave is taken once.
            self.heard_started = false;
        }
        let back_off = back_off(self.failures, dice);
        let mut wait = Some(back_off);
        match miss {
            Miss::Refused { reason, retry_in: Some(RetryIn::Never) } => {
                self.word = Some(State::GivenUp(reason));
                wait = None;
            }
            Miss::Refused { reason, retry_in } => {
                self.word = Some(State::Refused(reason));
                if let Some(RetryIn::Minutes(minutes)) = retry_in {
                    let asked = Duration::from_secs(60 * u64::from(minutes)).min(INTERVAL_MAX);
                    wait = Some(back_off.max(later(asked, dice)));
                }
            }
            Miss::Failed(reason) => self.word = Some(State::Failed(reason)),
            Miss::Absent => {
                self.word = None;
                wait = Some(later(ABSENT, dice));
            }
        }
        self.phase = wait.map_or(Phase::GivenUp, |wait| Phase::Idle { next: now + wait });
        Some(event)
    }

    /// Peers are no longer badly wanted: the next time they are, it begins with the min interval again.
    pub(super) fn calm(&mut self) {
        self.early = 0;
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    pub(super) fn tracker_id(&self) -> Option<&[u8]> {
        self.tracker_id.as_deref()
    }

    pub(super) fn asked(&self) -> Option<Event> {
        match self.phase {
            Phase::Asked { event, .. } => Some(event),
            Phase::Idle { .. } | Phase::GivenUp => None,
        }
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked().is_some()
    }

    /// Whether the last ask was answered.
    pub(super) fn works(&self) -> bool {
        self.answered_at.is_some()
    }

    pub(super) fn has_heard_started(&self) -> bool {
        self.heard_started
    }

    /// Whether a `stopped` is due to it once we leave.
    pub(super) fn has_leave_to_take(&self) -> bool {
        self.heard_started && self.phase != Phase::GivenUp
    }

    pub(super) fn word(&self) -> Option<&State> {
        self.word.as_ref()
    }

    pub(super) fn seeders(&self) -> Option<u32> {
        self.counts.0
    }

    pub(super) fn leechers(&self) -> Option<u32> {
        self.counts.1
    }

    fn early_gap(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.early).unwrap_or(u32::MAX);
        self.gap.saturating_mul(factor).min(self.interval)
    }
}

/// `wait`, and up to [`SPREAD_PERCENT`] more.
fn later(wait: Duration, dice: &mut impl Rng) -> Duration {
    wait + wait.mul_f64(dice.random_range(0.0..f64::from(SPREAD_PERCENT) / 100.0))
}

/// The wait after so many failures in a row: doubled with each, up to the ceiling, of which at least half is waited.
fn back_off(failures: u32, dice: &mut impl Rng) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let wait = BACK_OFF_FIRST.saturating_mul(factor).min(BACK_OFF_MAX);
    wait.mul_f64(dice.random_range(0.5..=1.0))
}
