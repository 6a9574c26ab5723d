use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How fast files are given away: asked before each block of so many bytes, it says how long to wait with it.
#[derive(Clone)]
pub struct Pace(Arc<dyn Fn(u32) -> Duration + Send + Sync>);

impl Pace {
    /// One that somebody else decides. It must not wait itself.
    #[must_use]
    pub fn new(wait: impl Fn(u32) -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(wait))
    }

    /// As fast as it goes.
    #[must_use]
    pub fn free() -> Self {
        Self::new(|_| Duration::ZERO)
    }

    /// So many bytes a second for all transfers together.
    #[must_use]
    pub fn limit(bytes_per_second: u64) -> Self {
        let bytes_per_second = bytes_per_second.max(1);
        let free_at = Mutex::new(Instant::now());
        Self::new(move |bytes| {
            let now = Instant::now();
            let mut free_at = free_at.lock();
            let start = now.max(*free_at);
            let micros = u64::from(bytes).saturating_mul(1_000_000) / bytes_per_second;
            *free_at = start + Duration::from_micros(micros);
            start - now
        })
    }

    pub(super) fn wait(&self, bytes: u32) -> Duration {
        (self.0)(bytes)
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pace")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_for_all_together() {
        let pace = Pace::limit(1000);
        assert_eq!(pace.wait(2000), Duration::ZERO);
        let other = pace.clone();
        let wait = other.wait(1000);
        assert!(wait > Duration::from_millis(1500) && wait <= Duration::from_secs(2), "{wait:?}");
        assert!(pace.wait(1) > Duration::from_millis(2500));
        assert_eq!(Pace::free().wait(u32::MAX), Duration::ZERO);
    }
}
