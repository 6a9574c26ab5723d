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
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Takes room for up to `bytes` out of this.
    #[must_use]
    pub fn split(&mut self, bytes: u32) -> Self {
        let bytes = (bytes as usize).min(self.bytes());
        Self { permit: self.permit.as_mut().and_then(|permit| permit.split(bytes)) }
    }

    /// Gives back what is more than `bytes`.
    pub fn shrink(&mut self, bytes: usize) {
        let more = self.bytes().saturating_sub(bytes);
        drop(self.permit.as_mut().and_then(|permit| permit.split(more)));
    }

    fn bytes(&self) -> usize {
        self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
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
        Room { permit: self.free.clone().acquire_many_owned(bytes.min(self.bytes)).await.ok() }
    }

    /// Room for `bytes`, if there is some at once.
    #[must_use]
    pub fn try_take(&self, bytes: u32) -> Option<Room> {
        let permit = self.free.clone().try_acquire_many_owned(bytes.min(self.bytes)).ok()?;
        Some(Room { permit: Some(permit) })
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

    #[test]
    fn room_can_be_divided() {
        let budget = Budget::new(10);
        let mut room = budget.try_take(8).unwrap();
        let part = room.split(3);
        let rest = room.split(100);
        room.shrink(0);
        drop(part);
        assert_eq!(budget.available(), 5);
        drop((room, rest));
        assert_eq!(budget.available(), 10);
        let mut room = budget.try_take(8).unwrap();
        room.shrink(2);
        assert_eq!(budget.available(), 8);
    }
}
