//! Waiting for conditions, never for durations.

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what should happen at once, on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(20);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// What `look` finds, as soon as it finds something.
///
/// # Panics
/// If it has found nothing after `patience`; the message names `what` was awaited.
pub fn until<T>(what: &str, patience: Duration, look: impl FnMut() -> Option<T>) -> T {
    within(patience, look).unwrap_or_else(|| panic!("waited {patience:?} in vain for {what}"))
}

/// What `look` finds, as soon as it finds something; `None` if that takes longer than `patience`.
pub fn within<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if start.elapsed() > patience {
            return None;
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_looked_at_until_it_holds() {
        let mut looks = 0;
        let found = until("three looks", SOON, || {
            looks += 1;
            (looks == 3).then_some("found")
        });
        assert_eq!((found, looks), ("found", 3));
    }

    #[test]
    fn patience_ends_but_there_is_always_one_look() {
        assert_eq!(within(Duration::ZERO, || Some(1)), Some(1));
        assert_eq!(within::<()>(Duration::ZERO, || None), None);
    }
}
