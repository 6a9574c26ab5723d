use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::lists::{Layer, Lists, Place};

/// The lists that hold now, for those who ask at each announce.
#[derive(Debug, Default)]
pub(super) struct Published {
    lists: RwLock<Arc<Lists>>,
    /// One more with each change: all that is looked at while nothing changes.
    generation: AtomicU64,
    /// Lists that hold no longer, and may be in use. To free a million hashes takes a while; a thread that serves must
    /// not be the one to do it.
    retired: Mutex<Vec<Arc<Lists>>>,
}

/// The lists that held when a serving thread last looked.
#[derive(Debug)]
pub struct Current {
    lists: Arc<Lists>,
    generation: u64,
}

impl Published {
    pub(super) fn current(&self) -> Current {
        // Read before the lists: if they change between the two, they are looked at once too often.
        let generation = self.generation.load(Ordering::Acquire);
        Current { lists: self.lists.read().clone(), generation }
    }

    pub(super) fn refresh(&self, current: &mut Current) {
        if self.generation.load(Ordering::Acquire) != current.generation {
            *current = self.current();
        }
    }

    pub(super) fn publish(&self, place: Place, layer: Layer) {
        let layer = Arc::new(layer);
        let before = {
            let mut lists = self.lists.write();
            let after = Arc::new(lists.with(place, layer));
            std::mem::replace(&mut *lists, after)
        };
        self.generation.fetch_add(1, Ordering::Release);
        self.retired.lock().push(before);
    }

    /// Frees lists that nobody uses any more.
    pub(super) fn tidy(&self) {
        self.retired.lock().retain(|lists| Arc::strong_count(lists) > 1);
    }
}

impl Current {
    /// The lists.
    #[must_use]
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// The lists, for whoever goes on with them alone.
    #[must_use]
    pub fn shared(self) -> Arc<Lists> {
        self.lists
    }
}

#[cfg(test)]
mod tests {
    use swarm::InfoHash;

    use super::*;
    use crate::policy::lists::{Builder, List};

    #[test]
    fn a_change_is_seen_at_the_next_look_and_what_was_is_freed_by_who_tidies() {
        let published = Published::default();
        let mut current = published.current();
        let mut none = Builder::default();
        none.begin(List::TorrentsAllowed, 0);
        published.publish(Place::Files, none.build());
        let torrent = InfoHash([1; 20]);
        assert!(current.lists().admit_torrent(&torrent));
        published.tidy();
        assert_eq!(published.retired.lock().len(), 1, "it is in use");
        published.refresh(&mut current);
        assert!(!current.lists().admit_torrent(&torrent));
        published.tidy();
        assert!(published.retired.lock().is_empty());
    }
}
