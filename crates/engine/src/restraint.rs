use crate::time::{MILLISECOND, Micros, SECOND};

/// The shortest trial: in less, what a peer is sent does not become a piece that it tells of.
const TRIAL_MIN: Micros = 250 * MILLISECOND;

/// The longest trial.
const TRIAL_MAX: Micros = 2 * SECOND;

/// A trial lasts this part of the time that the first copy took, so that trials cost little of the whole.
const TRIALS_PER_COPY: u64 = 4;

/// Helping is worth it if the swarm goes faster by this part.
const GAIN_MIN: u64 = 4;

/// Of the only seeder, once its first copy is out: whether to go on uploading.
///
/// The others have everything between them now. Most often they can pass it on as fast as they can take it, and whatever
/// the seeder sends them only takes the place of what they would have sent each other; but if their uplinks are slow
/// they need it. From here that cannot be seen, so it is tried: the seeder holds back for a while, then helps for a
/// while, and compares how fast pieces arrived at the others, of which it hears from all. If they came no faster it holds
/// back again, for twice as long; if they did, it helps from then on.
#[derive(Debug)]
pub(crate) struct Restraint {
    holds: bool,
    trial: Micros,
    hold: Micros,
    /// From when on what comes counts: before, it is of the time before.
    counts_from: Micros,
    until: Micros,
    /// Bytes that others got, in pieces, since it counts.
    came: u64,
    /// What they got in a second without our help.
    rate_without: u64,
}

impl Restraint {
    /// The first copy is out now, and took this long. Begins by holding back.
    pub(crate) fn new(took: Micros, now: Micros) -> Self {
        let trial = (took / TRIALS_PER_COPY).clamp(TRIAL_MIN, TRIAL_MAX);
        let mut restraint =
            Self { holds: true, trial, hold: trial, counts_from: 0, until: 0, came: 0, rate_without: 0 };
        restraint.begin(true, trial, now);
        restraint
    }

    /// Nobody is to be served.
    pub(crate) const fn holds(&self) -> bool {
        self.holds
    }

    /// What was on its way to others when this began should be there.
    pub(crate) const fn is_settled(&self, now: Micros) -> bool {
        now >= self.counts_from
    }

    /// When to look again.
    pub(crate) const fn until(&self) -> Micros {
        self.until
    }

    /// Somebody has got a piece of so many bytes.
    pub(crate) const fn came(&mut self, bytes: u32, now: Micros) {
        if now >= self.counts_from {
            self.came += bytes as u64;
        }
    }

    /// Looks at what came; true once it is settled that we help.
    pub(crate) fn turn(&mut self, now: Micros) -> bool {
        let span = now.saturating_sub(self.counts_from).max(1);
        let rate = self.came.saturating_mul(SECOND) / span;
        if self.holds {
            self.rate_without = rate;
            self.begin(false, self.trial, now);
            return false;
        }
        if rate >= self.rate_without + self.rate_without / GAIN_MIN {
            return true;
        }
        self.hold *= 2;
        self.begin(true, self.hold, now);
        false
    }

    const fn begin(&mut self, holds: bool, span: Micros, now: Micros) {
        self.holds = holds;
        self.counts_from = now + self.trial / 2;
        self.until = now + span;
        self.came = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets peers get `with` or `without` bytes a second for a minute; how long it held back, and whether it ended helping.
    fn tried(without: u64, with: u64) -> (Micros, bool) {
        let mut restraint = Restraint::new(4 * SECOND, 0);
        let mut held = 0;
        for now in (0..60 * SECOND).step_by(10_000) {
            if now >= restraint.until() && restraint.turn(now) {
                return (held, true);
            }
            held += if restraint.holds() { 10_000 } else { 0 };
            let rate = if restraint.holds() { without } else { with };
            restraint.came(u32::try_from(rate / 100).unwrap(), now);
        }
        (held, false)
    }

    #[test]
    fn it_helps_where_that_makes_the_swarm_faster() {
        assert_eq!(tried(1_000_000, 2_000_000), (SECOND, true));
        assert_eq!(tried(0, 0), (SECOND, true), "nobody is left alone who gets nothing");
    }

    #[test]
    fn it_holds_back_longer_and_longer_where_it_does_not() {
        let (held, helps) = tried(1_000_000, 1_100_000);
        assert!(!helps);
        assert!(held > 54 * SECOND, "{held}");
    }
}
