use crate::time::{Micros, SECOND};

/// How long a limit may be saved up: the burst after a pause, in microseconds of the rate.
const BURST: Micros = SECOND / 20;

/// A limit in bytes a second, as a token bucket. What is taken may leave a debt, which later refills pay: the rate
/// holds on average however large one thing is, and nothing too large to fit the bucket waits for ever.
#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    rate: Option<u64>,
    /// Bytes times a million, so that no refill is too small to count. Never above the burst.
    tokens: i128,
    refilled_at: Micros,
}

impl Limiter {
    /// A limit of `rate` bytes a second; `None` is no limit.
    pub(crate) const fn new(rate: Option<u64>) -> Self {
        Self { rate, tokens: 0, refilled_at: 0 }
    }

    /// Changes the limit; what was saved or owed stays.
    pub(crate) const fn set(&mut self, rate: Option<u64>) {
        self.rate = rate;
    }

    /// The limit in bytes a second.
    pub(crate) const fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// Whether something may pass now.
    pub(crate) fn is_open(&mut self, now: Micros) -> bool {
        self.refill(now);
        self.rate.is_none() || self.tokens > 0
    }

    /// Counts `bytes` that pass.
    pub(crate) fn take(&mut self, bytes: u32) {
        if self.rate.is_some() {
            self.tokens -= i128::from(bytes) * i128::from(SECOND);
        }
    }

    /// Counts `bytes` back that did not pass after all.
    pub(crate) fn give_back(&mut self, bytes: u32) {
        if self.rate.is_some() {
            self.tokens += i128::from(bytes) * i128::from(SECOND);
        }
    }

    /// When something may pass again, if nothing may now. A limit of 0 opens never.
    pub(crate) fn opens_at(&mut self, now: Micros) -> Option<Micros> {
        if self.is_open(now) {
            return None;
        }
        match self.rate {
            None => None,
            Some(0) => Some(Micros::MAX),
            Some(rate) => {
                let wait = (1 - self.tokens) / i128::from(rate) + 1;
                Some(now.saturating_add(Micros::try_from(wait).unwrap_or(Micros::MAX)))
            }
        }
    }

    fn refill(&mut self, now: Micros) {
        let Some(rate) = self.rate else { return };
        let elapsed = now.saturating_sub(self.refilled_at);
        self.refilled_at = self.refilled_at.max(now);
        let burst = i128::from(rate) * i128::from(BURST);
        self.tokens = (self.tokens + i128::from(rate) * i128::from(elapsed)).min(burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_on_average() {
        let mut limiter = Limiter::new(Some(100_000));
        let (mut passed, mut now) = (0_u64, 0);
        while now < 10 * SECOND {
            match limiter.opens_at(now) {
                Some(at) => {
                    assert!(at > now);
                    now = at;
                }
                None => {
                    limiter.take(16_384);
                    passed += 16_384;
                }
            }
        }
        assert!((1_000_000..1_040_000).contains(&passed), "{passed}");
    }

    #[test]
    fn no_limit_and_a_limit_of_nothing() {
        let mut limiter = Limiter::new(None);
        limiter.take(u32::MAX);
        assert_eq!(limiter.opens_at(0), None);
        limiter.set(Some(0));
        assert_eq!(limiter.opens_at(SECOND), Some(Micros::MAX));
    }
}
