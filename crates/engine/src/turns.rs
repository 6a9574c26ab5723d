use std::collections::VecDeque;

use swarm::InfoHash;

use crate::limiter::Limiter;
use crate::time::{MILLISECOND, Micros};

/// How long the one whose turn it is may leave it unused before the next has it: shorter than the limiter's burst, so
/// that nothing is lost by that.
const PATIENCE: Micros = 20 * MILLISECOND;

/// A limit in bytes a second that several torrents share. Those that wait for it pass in turn, a block each.
#[derive(Debug)]
pub struct Turns {
    limiter: Limiter,
    /// Who waits, and when each last asked.
    waiting: VecDeque<(InfoHash, Micros)>,
}

impl Turns {
    /// A limit of `rate` bytes a second; `None` is no limit.
    #[must_use]
    pub const fn new(rate: Option<u64>) -> Self {
        Self { limiter: Limiter::new(rate), waiting: VecDeque::new() }
    }

    /// Changes the limit.
    pub fn set(&mut self, rate: Option<u64>) {
        self.limiter.set(rate);
        self.waiting.clear();
    }

    /// The limit in bytes a second.
    #[must_use]
    pub const fn rate(&self) -> Option<u64> {
        self.limiter.rate()
    }

    /// Whether something of torrent `who` may pass now. If not, it has a place in the queue.
    pub(crate) fn is_open(&mut self, who: InfoHash, now: Micros) -> bool {
        if self.limiter.rate().is_none() {
            return true;
        }
        match self.waiting.iter_mut().find(|(one, _)| *one == who) {
            Some((_, asked)) => *asked = now,
            None => self.waiting.push_back((who, now)),
        }
        if !self.limiter.is_open(now) {
            return false;
        }
        while self.waiting.front().is_some_and(|&(_, asked)| asked + PATIENCE < now) {
            self.waiting.pop_front();
        }
        self.waiting.front().is_some_and(|&(first, _)| first == who)
    }

    /// Counts `bytes` of `who` that pass; then it is the next one's turn.
    pub(crate) fn take(&mut self, who: InfoHash, bytes: u32) {
        self.limiter.take(bytes);
        if self.waiting.front().is_some_and(|&(first, _)| first == who) {
            self.waiting.rotate_left(1);
        }
    }

    /// Counts `bytes` back that did not pass after all.
    pub(crate) fn give_back(&mut self, bytes: u32) {
        self.limiter.give_back(bytes);
    }

    /// Counts `bytes` that are no torrent's, and says how long they are to wait for their turn, in microseconds.
    pub fn spend(&mut self, bytes: u32, now: Micros) -> Micros {
        let opens_at = self.limiter.opens_at(now).unwrap_or(now);
        self.limiter.take(bytes);
        opens_at - now
    }

    /// When something may pass again, if nothing may now.
    pub(crate) fn opens_at(&mut self, now: Micros) -> Option<Micros> {
        self.limiter.opens_at(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    const A: InfoHash = InfoHash([1; 20]);
    const B: InfoHash = InfoHash([2; 20]);

    /// What each of `torrents` gets through in ten seconds, in bytes, if they always ask in this order.
    fn passed(torrents: &[InfoHash]) -> Vec<u64> {
        let mut turns = Turns::new(Some(1_000_000));
        let mut passed = vec![0; torrents.len()];
        for now in (0..10 * SECOND).step_by(1_000) {
            for (at, &who) in torrents.iter().enumerate() {
                while turns.is_open(who, now) {
                    turns.take(who, 16_384);
                    passed[at] += 16_384;
                }
            }
        }
        passed
    }

    #[test]
    fn each_gets_its_share_whoever_asks_first() {
        let alone = passed(&[A])[0];
        let both = passed(&[A, B]);
        assert!(both[0].abs_diff(both[1]) <= 16_384, "{both:?}");
        assert!(alone.abs_diff(both[0] + both[1]) <= 5 * 16_384, "{alone} and {both:?}");
    }

    #[test]
    fn what_is_no_torrents_waits_for_what_passed_before() {
        let mut turns = Turns::new(Some(1_000_000));
        assert_eq!(turns.spend(1_000_000, SECOND), 0);
        let wait = turns.spend(1, SECOND);
        assert!(wait.abs_diff(SECOND - SECOND / 20) < SECOND / 100, "{wait}");
        assert!(!turns.is_open(A, SECOND), "torrents share the limit");
        turns.set(None);
        assert_eq!(turns.spend(u32::MAX, SECOND), 0);
    }

    #[test]
    fn who_asks_no_more_holds_up_nobody() {
        let mut turns = Turns::new(Some(1_000_000));
        assert!(turns.is_open(A, SECOND));
        assert!(!turns.is_open(B, SECOND), "it is the other's turn");
        assert!(turns.is_open(B, SECOND + PATIENCE + 1));
    }
}
