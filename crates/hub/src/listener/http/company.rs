//! Whether a thread does well to wait a moment for company: for more clients to serve together.
//!
//! To be woken for one client costs about as much as to answer it, and the code that does so has left the processor's caches
//! meanwhile. Where many come, a moment's rest between two rounds saves that for all but the first of each; nobody waits
//! much longer than the moment. Where few come, or each round has plenty to do as it is, there is no rest.

use std::time::Duration;

/// The moment.
pub(super) const REST: Duration = Duration::from_micros(150);

/// Clients within a window from whom there is likely to be company.
const CROWD: usize = 32;

/// Turns in a round that are plenty.
const PLENTY: usize = 8;

/// Milliseconds for which clients are counted together.
const WINDOW_MILLIS: u64 = 16;

/// What tells how likely company is.
#[derive(Debug, Default)]
pub(super) struct Company {
    /// Turns in this round.
    turns: usize,
    window: Window,
    /// Clients that have had a turn in this window, and in the one before.
    clients: usize,
    clients_before: usize,
}

/// One of the times for which clients are counted together; by default one before all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Window(u64);

impl Company {
    /// A round begins, `now` in milliseconds.
    pub(super) fn begin_round(&mut self, now: u64) {
        self.turns = 0;
        let Window(before) = self.window;
        self.window = Window(now / WINDOW_MILLIS + 1);
        if self.window != Window(before) {
            self.clients_before = if self.window == Window(before + 1) { self.clients } else { 0 };
            self.clients = 0;
        }
    }

    /// A client has its turn, whose `last` was in that window.
    pub(super) fn turn(&mut self, last: &mut Window) {
        self.turns += 1;
        if *last != self.window {
            *last = self.window;
            self.clients += 1;
        }
    }

    /// Whether to rest before the next round.
    pub(super) fn is_worth_waiting_for(&self) -> bool {
        self.clients.max(self.clients_before) >= CROWD && (1..PLENTY).contains(&self.turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round<'a>(company: &mut Company, now: u64, clients: impl IntoIterator<Item = &'a mut Window>) {
        company.begin_round(now);
        clients.into_iter().for_each(|last| company.turn(last));
    }

    #[test]
    fn a_crowd_that_comes_one_by_one_is_worth_a_rest() {
        let (mut company, mut clients) = (Company::default(), [Window::default(); CROWD]);
        for (now, client) in (0..).zip(&mut clients) {
            assert!(!company.is_worth_waiting_for(), "{now}");
            round(&mut company, now / 2, [client]);
        }
        assert!(company.is_worth_waiting_for());
        // The next window knows of it, the one after no more.
        round(&mut company, 16, &mut clients[..1]);
        assert!(company.is_worth_waiting_for());
        round(&mut company, 32, &mut clients[..1]);
        assert!(!company.is_worth_waiting_for());
    }

    #[test]
    fn one_client_that_comes_often_is_no_crowd() {
        let (mut company, mut client) = (Company::default(), Window::default());
        for turn in 0..10 * CROWD as u64 {
            round(&mut company, turn / 20, [&mut client]);
            assert!(!company.is_worth_waiting_for(), "{turn}");
        }
    }

    #[test]
    fn after_a_quiet_time_nobody_is_expected() {
        let (mut company, mut clients) = (Company::default(), [Window::default(); 100]);
        round(&mut company, 0, &mut clients);
        round(&mut company, 40, &mut clients[..1]);
        assert!(!company.is_worth_waiting_for());
    }

    #[test]
    fn a_round_of_plenty_or_of_nothing_is_followed_at_once() {
        let (mut company, mut clients) = (Company::default(), [Window::default(); CROWD]);
        for (now, (turns, rests)) in (0..).zip([(0, false), (1, true), (PLENTY - 1, true), (PLENTY, false)]) {
            round(&mut company, now, &mut clients);
            round(&mut company, now, &mut clients[..turns]);
            assert_eq!(company.is_worth_waiting_for(), rests, "{turns}");
        }
    }
}
