//! How often a line says how far a torrent is, where there is no bar.

use std::mem::discriminant;
use std::time::{Duration, Instant};

use peer::node::Phase;

/// The least time between two lines.
const GAP_MIN: Duration = Duration::from_secs(5);

/// The longest, while pieces come.
const GAP_MAX: Duration = Duration::from_secs(60);

/// By so many percent further, a line comes before [`GAP_MAX`] is over.
const STEP_PERCENT: u64 = 10;

/// What the last line said, and when.
#[derive(Debug)]
pub(super) struct Pace {
    at: Instant,
    percent: u64,
    phase: Option<Phase>,
}

impl Pace {
    /// Nothing was said yet, and nothing need be at once.
    pub(super) fn new(now: Instant) -> Self {
        Self { at: now, percent: 0, phase: None }
    }

    /// Whether a line is due, which is then taken as said.
    pub(super) fn is_due(&mut self, phase: &Phase, percent: Option<u64>, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at);
        let is_new = self.phase.as_ref().is_none_or(|said| discriminant(said) != discriminant(phase));
        let percent = percent.unwrap_or_default();
        let far = percent >= self.percent + STEP_PERCENT;
        let due = since >= GAP_MIN && (is_new || far || since >= GAP_MAX);
        if due {
            *self = Self { at: now, percent, phase: Some(phase.clone()) };
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_at_a_pace_that_can_be_read() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut due =
            |secs, percent| pace.is_due(&Phase::Fetching, Some(percent), start + Duration::from_secs(secs));
        assert!(!due(4, 40), "what is quick needs no lines");
        assert!(due(5, 45));
        assert!(!due(9, 70));
        assert!(!due(30, 54));
        assert!(due(31, 55));
        assert!(!due(90, 55));
        assert!(due(91, 55), "slow is not silent");
    }

    #[test]
    fn a_new_phase_is_told_before_the_minute_is_over() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let at = |secs| start + Duration::from_secs(secs);
        assert!(pace.is_due(&Phase::Describing, None, at(5)));
        assert!(!pace.is_due(&Phase::Describing, None, at(12)));
        assert!(pace.is_due(&Phase::Fetching, Some(0), at(13)));
    }
}
