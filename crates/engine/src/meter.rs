use crate::time::{Micros, SECOND};

/// How many parts a meter's window has; a part is forgotten at once.
const PARTS: usize = 8;

/// Bytes that passed within a sliding window.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    part_micros: Micros,
    parts: [u64; PARTS],
    /// The number of the newest part, counted from the origin of time.
    newest: u64,
    /// When measuring began: younger meters divide by their age.
    since: Micros,
    sum: u64,
}

impl Meter {
    pub(crate) const fn new(window: Micros, now: Micros) -> Self {
        let part_micros = window / PARTS as u64;
        Self { part_micros, parts: [0; PARTS], newest: now / part_micros, since: now, sum: 0 }
    }

    pub(crate) fn add(&mut self, bytes: u32, now: Micros) {
        self.advance(now);
        self.parts[place(self.newest)] += u64::from(bytes);
        self.sum += u64::from(bytes);
    }

    /// The bytes within the window.
    pub(crate) fn bytes(&mut self, now: Micros) -> u64 {
        self.advance(now);
        self.sum
    }

    /// Bytes a second, over the window or since measuring began.
    pub(crate) fn rate(&mut self, now: Micros) -> u64 {
        self.advance(now);
        let first_part = (self.newest + 1).saturating_sub(PARTS as u64) * self.part_micros;
        let span = now.saturating_sub(self.since.max(first_part)).max(crate::time::MILLISECOND);
        self.sum.saturating_mul(SECOND) / span
    }

    /// Starts measuring anew.
    pub(crate) fn restart(&mut self, now: Micros) {
        *self = Self { since: now, newest: now / self.part_micros, parts: [0; PARTS], sum: 0, ..*self };
    }

    fn advance(&mut self, now: Micros) {
        let newest = now / self.part_micros;
        if newest <= self.newest {
            return;
        }
        for part in (self.newest + 1..=newest).take(PARTS) {
            self.sum -= std::mem::take(&mut self.parts[place(part)]);
        }
        self.newest = newest;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a remainder of PARTS")]
const fn place(part: u64) -> usize {
    (part % PARTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_bytes_are_forgotten() {
        let mut meter = Meter::new(8 * SECOND, 0);
        meter.add(1_000, SECOND / 2);
        assert_eq!(meter.rate(SECOND), 1_000);
        assert_eq!(meter.rate(4 * SECOND), 250);
        assert_eq!(meter.bytes(7 * SECOND), 1_000);
        assert_eq!(meter.bytes(8 * SECOND), 0);
        meter.add(500, 100 * SECOND);
        assert_eq!(meter.bytes(100 * SECOND), 500);
    }
}
