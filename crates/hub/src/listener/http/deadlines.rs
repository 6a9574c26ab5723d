//! When each connection's time is up: a list of times, looked through now and then.

/// Milliseconds between two looks at least; a deadline is noticed that much late at most.
const LOOK_MILLIS: u64 = 250;

/// No deadline.
const NEVER: u64 = u64::MAX;

/// The deadlines of numbered things, in milliseconds since an origin of the caller's choice.
#[derive(Debug)]
pub(super) struct Deadlines {
    at: Vec<u64>,
    /// No deadline is before this.
    earliest: u64,
    next_look: u64,
}

impl Deadlines {
    pub(super) fn new() -> Self {
        Self { at: Vec::new(), earliest: NEVER, next_look: 0 }
    }

    /// Sets the deadline of `key`, in place of the one it had.
    pub(super) fn set(&mut self, key: usize, at: u64) {
        if self.at.len() <= key {
            self.at.resize(key + 1, NEVER);
        }
        self.at[key] = at;
        self.earliest = self.earliest.min(at);
    }

    /// Forgets the deadline of `key`.
    pub(super) fn clear(&mut self, key: usize) {
        if let Some(at) = self.at.get_mut(key) {
            *at = NEVER;
        }
    }

    /// When to look next; `None` if there is nothing to look for.
    pub(super) fn next_look(&self) -> Option<u64> {
        (self.earliest != NEVER).then(|| self.earliest.max(self.next_look))
    }

    /// Moves those whose time is up to `expired`, if it is time to look.
    pub(super) fn look(&mut self, now: u64, expired: &mut Vec<usize>) {
        if self.next_look().is_none_or(|look| now < look) {
            return;
        }
        self.next_look = now + LOOK_MILLIS;
        self.earliest = NEVER;
        for (key, at) in self.at.iter_mut().enumerate() {
            if *at <= now {
                *at = NEVER;
                expired.push(key);
            }
            self.earliest = self.earliest.min(*at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expired(deadlines: &mut Deadlines, now: u64) -> Vec<usize> {
        let mut expired = Vec::new();
        deadlines.look(now, &mut expired);
        expired
    }

    #[test]
    fn those_whose_time_is_up_are_told_once() {
        let mut deadlines = Deadlines::new();
        assert_eq!(deadlines.next_look(), None);
        deadlines.set(2, 1000);
        deadlines.set(0, 500);
        assert_eq!(deadlines.next_look(), Some(500));
        assert!(expired(&mut deadlines, 499).is_empty());
        assert_eq!(expired(&mut deadlines, 500), [0]);
        assert_eq!(deadlines.next_look(), Some(1000));
        assert_eq!(expired(&mut deadlines, 5000), [2]);
        assert_eq!(deadlines.next_look(), None);
    }

    #[test]
    fn a_deadline_that_is_moved_or_cleared_does_not_come() {
        let mut deadlines = Deadlines::new();
        deadlines.set(0, 500);
        deadlines.set(1, 600);
        deadlines.set(0, 5000);
        deadlines.clear(1);
        assert!(expired(&mut deadlines, 700).is_empty());
        assert_eq!(deadlines.next_look(), Some(5000));
    }

    #[test]
    fn looks_keep_their_distance() {
        let mut deadlines = Deadlines::new();
        deadlines.set(0, 500);
        deadlines.set(1, 501);
        assert_eq!(expired(&mut deadlines, 500), [0]);
        assert!(expired(&mut deadlines, 501).is_empty());
        assert_eq!(expired(&mut deadlines, 750), [1]);
    }
}
