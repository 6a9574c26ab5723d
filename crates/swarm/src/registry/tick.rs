//! When a peer was last heard of, in two bytes.

use crate::Seconds;

/// Bits of a [`Stamp`] that hold the time.
const TICK_BITS: u32 = 14;
const TICK_MASK: u16 = (1 << TICK_BITS) - 1;

/// The longest time to live in ticks. Half the range, so that a peer found late is still seen to be old: a sweep
/// must come by within as many ticks again.
const TTL_TICKS_MAX: u32 = 1 << (TICK_BITS - 1);

/// Bits above them.
const COUNTED: u16 = 1 << TICK_BITS;
const DETAILED: u16 = 1 << (TICK_BITS + 1);

/// Fourteen bits of time, and [`Marks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stamp(pub(super) [u8; 2]);

/// What else is noted of a peer where its time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    /// Its completed download has been counted.
    pub(super) counted: bool,
    /// There may be details of it. Without the mark there are none.
    pub(super) detailed: bool,
}

/// Turns seconds into ticks: one second each, or as many as it takes for the time to live to fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticks {
    secs: u32,
}

impl Ticks {
    pub(super) const fn for_ttl(ttl_secs: u32) -> Self {
        Self { secs: 1 + ttl_secs / TTL_TICKS_MAX }
    }

    pub(super) fn stamp(self, now: Seconds, marks: Marks) -> Stamp {
        let tick = u16::try_from((now / self.secs) & u32::from(TICK_MASK)).unwrap_or(0);
        Stamp::new(tick, marks)
    }

    /// How long ago `stamp` was made, to a tick.
    pub(super) fn age_secs(self, stamp: Stamp, now: Seconds) -> u32 {
        let (Stamp(now), Stamp(then)) = (self.stamp(now, Marks::default()), stamp);
        let ticks = u16::from_le_bytes(now).wrapping_sub(u16::from_le_bytes(then)) & TICK_MASK;
        u32::from(ticks) * self.secs
    }

    /// The stamp of a peer last heard of `age_secs` before `now`.
    pub(super) fn stamp_aged(self, now: Seconds, age_secs: u32, marks: Marks) -> Stamp {
        let ticks = (now / self.secs).wrapping_sub(age_secs / self.secs);
        let tick = u16::try_from(ticks & u32::from(TICK_MASK)).unwrap_or(0);
        Stamp::new(tick, marks)
    }
}

impl Stamp {
    fn new(tick: u16, Marks { counted, detailed }: Marks) -> Self {
        let marks = if counted { COUNTED } else { 0 } | if detailed { DETAILED } else { 0 };
        Self((tick | marks).to_le_bytes())
    }

    pub(super) fn marks(self) -> Marks {
        let bits = u16::from_le_bytes(self.0);
        Marks { counted: bits & COUNTED != 0, detailed: bits & DETAILED != 0 }
    }

    pub(super) fn set_detailed(&mut self) {
        self.0 = (u16::from_le_bytes(self.0) | DETAILED).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Marks {
        Marks { counted: true, detailed: false }
    }

    #[test]
    fn marks_are_kept_beside_the_time() {
        let ticks = Ticks::for_ttl(3_900);
        let mut stamp = ticks.stamp(16_383, counted());
        stamp.set_detailed();
        assert_eq!(stamp.marks(), Marks { counted: true, detailed: true });
        assert_eq!(ticks.age_secs(stamp, 16_390), 7);
    }

    #[test]
    fn age_is_exact_for_ordinary_times_to_live() {
        let ticks = Ticks::for_ttl(3_900);
        for (then, now) in [(0, 0), (5, 8), (32_766, 32_770), (70_000, 73_901)] {
            let stamp = ticks.stamp(then, counted());
            assert_eq!(ticks.age_secs(stamp, now), now - then);
            assert_eq!(ticks.stamp_aged(now, now - then, counted()), stamp);
            assert_eq!(stamp.marks(), counted());
        }
    }

    #[test]
    fn a_long_time_to_live_is_kept_in_longer_ticks() {
        let day = 86_400;
        let ticks = Ticks::for_ttl(day);
        let age = ticks.age_secs(ticks.stamp(1_000, Marks::default()), 1_000 + day);
        assert!(age.abs_diff(day) <= ticks.secs, "{age}");
    }

    #[test]
    fn an_age_from_before_the_origin_is_kept() {
        let ticks = Ticks::for_ttl(3_900);
        assert_eq!(ticks.age_secs(ticks.stamp_aged(0, 600, Marks::default()), 5), 605);
    }
}
