use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use swarm::Endpoint;

use crate::time::{Micros, SECOND};

/// The most addresses that a torrent remembers, connected ones included; what comes after is not heard.
pub const CANDIDATES_MAX: usize = 2_000;

/// Failures after which an address is forgotten.
const FAILURES_MAX: u8 = 6;

/// The wait after a first failure; it doubles with each.
const BACK_OFF: Micros = 15 * SECOND;

/// The wait before an address is tried again that was connected.
const RECONNECT: Micros = 10 * SECOND;

/// Who names an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A person.
    Person,
    /// A tracker.
    Tracker,
    /// Another peer (BEP 11), which may be lying; not heard for a private torrent (BEP 27).
    Peer,
}

/// Addresses to try.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    known: BTreeMap<Endpoint, Candidate>,
    /// When to try whom; what no longer agrees with `known` is skipped.
    queue: BinaryHeap<Reverse<(Micros, Endpoint)>>,
    waiting: usize,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    state: State,
    failures: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be tried then.
    Waiting(Micros),
    /// Being connected to, or connected.
    Busy,
    /// Never to be tried: ourselves, or of no use.
    Never,
}

impl Candidates {
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(crate) fn add(&mut self, endpoint: Endpoint, now: Micros) {
        if self.known.len() < CANDIDATES_MAX && !self.known.contains_key(&endpoint) {
            self.set(endpoint, State::Waiting(now), 0);
        }
    }

    /// The next address whose time has come; it is busy from then on.
    pub(crate) fn next(&mut self, now: Micros) -> Option<Endpoint> {
        while let Some(&Reverse((at, endpoint))) = self.queue.peek() {
            let current = self.known.get(&endpoint);
            let is_due = current.filter(|candidate| candidate.state == State::Waiting(at));
            if is_due.is_some() && at > now {
                return None;
            }
            self.queue.pop();
            if let Some(candidate) = is_due {
                self.set(endpoint, State::Busy, candidate.failures);
                return Some(endpoint);
            }
        }
        None
    }

    /// When the next address may be tried.
    pub(crate) fn next_at(&self) -> Option<Micros> {
        self.queue.peek().map(|Reverse((at, _))| *at)
    }

    pub(crate) fn failed(&mut self, endpoint: Endpoint, now: Micros) {
        let Some(candidate) = self.known.get(&endpoint).copied() else { return };
        let failures = candidate.failures + 1;
        if failures >= FAILURES_MAX {
            self.known.remove(&endpoint);
        } else if candidate.state == State::Busy {
            self.set(endpoint, State::Waiting(now + (BACK_OFF << (failures - 1))), failures);
        }
    }

    /// A connection to it stands, whoever made it.
    pub(crate) fn connected(&mut self, endpoint: Endpoint) {
        if self.known.len() < CANDIDATES_MAX || self.known.contains_key(&endpoint) {
            self.set(endpoint, State::Busy, 0);
        }
    }

    /// The connection to it ended; `again`: it may be tried again.
    pub(crate) fn left(&mut self, endpoint: Endpoint, again: bool, now: Micros) {
        if !self.known.contains_key(&endpoint) {
            return;
        }
        let state = if again { State::Waiting(now + RECONNECT) } else { State::Never };
        self.set(endpoint, state, 0);
    }

    fn set(&mut self, endpoint: Endpoint, state: State, failures: u8) {
        let old = self.known.insert(endpoint, Candidate { state, failures });
        let is_waiting = |state: State| matches!(state, State::Waiting(_));
        if old.is_some_and(|old| is_waiting(old.state)) {
            self.waiting -= 1;
        }
        if let State::Waiting(at) = state {
            self.waiting += 1;
            self.queue.push(Reverse((at, endpoint)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(n: u16) -> Endpoint {
        Endpoint::new([10, 0, 0, 1].into(), swarm::Port::new(n).unwrap())
    }

    #[test]
    fn failures_back_off_and_end() {
        let mut candidates = Candidates::default();
        candidates.add(endpoint(1), 0);
        candidates.add(endpoint(1), 0);
        let (mut now, mut tries) = (0, Vec::new());
        while let Some(at) = candidates.next_at() {
            now = now.max(at);
            let Some(one) = candidates.next(now) else { break };
            assert_eq!(candidates.next(now), None);
            tries.push(now / SECOND);
            candidates.failed(one, now);
        }
        assert_eq!(tries, [0, 15, 45, 105, 225, 465]);
        assert_eq!(candidates.waiting(), 0);
    }

    #[test]
    fn addresses_are_bounded_and_never_means_never() {
        let mut candidates = Candidates::default();
        (1..=3_000).for_each(|n| candidates.add(endpoint(n), 0));
        assert_eq!(candidates.waiting(), CANDIDATES_MAX);
        let one = candidates.next(0).unwrap();
        candidates.left(one, false, 0);
        assert!(std::iter::from_fn(|| candidates.next(Micros::MAX)).all(|other| other != one));
    }
}
