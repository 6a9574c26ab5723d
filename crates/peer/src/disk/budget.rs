use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bytes may be in memory at once for one purpose.
#[derive(Debug, Clone)]
pub struct Budget {
    free: Arc<Semaphore>,
    bytes: u32,
}

/// Room for some bytes. It is free again when this is dropped.
#[derive(Debug)]
pub struct Room {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// A budget of `bytes`.
    #[must_use]
    pub fn new(bytes: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes as usize)), bytes }
    }

    /// Waits for room for `bytes`, first come first served. What is larger than the budget takes all of it.
    pub async fn take(&self, bytes: u32) -> Room {
        // It fails only once the semaphore is closed, and nothing closes it.
        Room { _permit: self.free.clone().acquire_many_owned(bytes.min(self.bytes)).await.ok() }
    }

    /// Room for `bytes`, if there is some at once.
    #[must_use]
    pub fn try_take(&self, bytes: u32) -> Option<Room> {
        let permit = self.free.clone().try_acquire_many_owned(bytes.min(self.bytes)).ok()?;
        Some(Room { _permit: Some(permit) })
    }

    /// The bytes that are free.
    #[must_use]
    pub fn available(&self) -> usize {
        self.free.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_comes_back() {
        let budget = Budget::new(10);
        let first = budget.try_take(7).unwrap();
        assert!(budget.try_take(4).is_none());
        drop(first);
        assert!(budget.try_take(1_000).is_some(), "more than the budget is all of it");
        assert_eq!(budget.available(), 10);
    }
}
