//! Whether a thread does well to wait a moment for company: for more clients to serve together.
//!
//! To be woken for one client costs about as much as to answer it, and the code that does so has left the processor's caches
//! meanwhile. Where many come, a moment's rest between two rounds saves that for all but the first of each; nobody waits
//! much longer than the moment. Where few are connected or coming, or each round has plenty to do as it is, there is no rest.

use std::time::Duration;

/// The moment.
pub(super) const REST: Duration = Duration::from_micros(150);

/// Connections, open or new within a window, from which there is likely to be company.
const CROWD: usize = 32;

/// Turns in a round that are plenty.
const PLENTY: usize = 8;

/// Milliseconds for which new connections are counted together.
const WINDOW_MILLIS: u64 = 16;

/// What tells how likely company is.
#[derive(Debug, Default)]
pub(super) struct Company {
    /// Turns in this round.
    turns: usize,
    /// When the window began, and who has come in it and in the one before.
    since: u64,
    newcomers: usize,
    newcomers_before: usize,
}

impl Company {
    /// A round begins, `now` in milliseconds.
    pub(super) fn begin_round(&mut self, now: u64) {
        self.turns = 0;
        let windows = (now - self.since) / WINDOW_MILLIS;
        if windows > 0 {
            self.newcomers_before = if windows == 1 { self.newcomers } else { 0 };
            self.newcomers = 0;
            self.since = now;
        }
    }

    /// A connection was let in.
    pub(super) fn let_in(&mut self) {
        self.newcomers += 1;
    }

    /// A client had its turn.
    pub(super) fn turn(&mut self) {
        self.turns += 1;
    }

    /// Whether to rest before the next round, with so many connections `open`.
    pub(super) fn is_worth_waiting_for(&self, open: usize) -> bool {
        let crowd = open + self.newcomers.max(self.newcomers_before) >= CROWD;
        crowd && (1..PLENTY).contains(&self.turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(company: &mut Company, now: u64, newcomers: usize, turns: usize) {
        company.begin_round(now);
        (0..newcomers).for_each(|_| company.let_in());
        (0..turns).for_each(|_| company.turn());
    }

    #[test]
    fn a_crowd_that_comes_one_by_one_is_worth_a_rest() {
        let mut company = Company::default();
        for now in 0..31 {
            round(&mut company, now / 2, 1, 1);
            assert!(!company.is_worth_waiting_for(0), "{now}");
        }
        round(&mut company, 15, 1, 1);
        assert!(company.is_worth_waiting_for(0));
        // The next window knows of it, the one after no more.
        round(&mut company, 16, 0, 1);
        assert!(company.is_worth_waiting_for(0));
        round(&mut company, 32, 0, 1);
        assert!(!company.is_worth_waiting_for(0));
    }

    #[test]
    fn after_a_quiet_time_nobody_is_expected() {
        let mut company = Company::default();
        round(&mut company, 0, 100, 1);
        round(&mut company, 40, 0, 1);
        assert!(!company.is_worth_waiting_for(0));
        assert!(company.is_worth_waiting_for(CROWD));
    }

    #[test]
    fn a_round_of_plenty_or_of_nothing_is_followed_at_once() {
        let mut company = Company::default();
        for (turns, rests) in [(0, false), (1, true), (PLENTY - 1, true), (PLENTY, false)] {
            round(&mut company, 0, 0, turns);
            assert_eq!(company.is_worth_waiting_for(CROWD), rests, "{turns}");
            assert!(!company.is_worth_waiting_for(CROWD - 1), "{turns}");
        }
    }
}
