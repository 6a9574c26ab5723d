use std::time::Duration;

use super::Options;

/// How fast requests follow each other. Times are nanoseconds since some origin of the engine's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// As replies come.
    Window,
    /// One each `gap` nanoseconds from `start` on, whether or not earlier ones were answered.
    Rate { start: u64, gap: f64, issued: u64 },
}

impl Pace {
    pub(super) fn new(options: &Options, start: u64) -> Self {
        options.rate.map_or(Self::Window, |rate| Self::Rate { start, gap: 1e9 / rate, issued: 0 })
    }

    /// When the next request is due; `None` if that is up to the replies.
    pub(super) fn due(&self) -> Option<u64> {
        let Self::Rate { start, gap, issued } = self else { return None };
        #[expect(clippy::cast_possible_truncation, reason = "nanoseconds of one run")]
        Some(start.saturating_add((*issued as f64 * gap) as u64))
    }

    /// Counts the request that was due as sent.
    pub(super) fn step(&mut self) {
        if let Self::Rate { issued, .. } = self {
            *issued += 1;
        }
    }

    /// How many were sent.
    pub(super) fn issued(&self) -> u64 {
        if let Self::Rate { issued, .. } = self { *issued } else { 0 }
    }

    /// How long nothing need be asked, at most `most`.
    pub(super) fn wait(&self, now: u64, most: Duration) -> Duration {
        self.due().map_or(most, |due| Duration::from_nanos(due.saturating_sub(now)).min(most))
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_fall_due_one_gap_after_the_other() {
        let options = Options { rate: Some(1000.0), ..Options::new("") };
        let mut pace = Pace::new(&options, 5);
        assert_eq!(pace.due(), Some(5));
        pace.step();
        assert_eq!(pace.due(), Some(1_000_005));
        assert_eq!(pace.wait(5, Duration::from_secs(1)), Duration::from_millis(1));
        assert_eq!(pace.wait(5, Duration::from_micros(1)), Duration::from_micros(1));
        assert_eq!(pace.wait(2_000_000, Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(Pace::new(&Options::new(""), 5).due(), None);
    }
}
