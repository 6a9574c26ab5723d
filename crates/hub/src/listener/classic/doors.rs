//! How many may come in: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::throttle::counted_as;

/// A door that lets so many in at a time.
#[derive(Debug)]
pub(super) struct Door {
    max: usize,
    per_address_max: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    /// As many entries at most as there may be inside.
    of_address: HashMap<IpAddr, usize>,
}

/// A place inside, until it is dropped.
#[derive(Debug)]
pub(super) struct Pass {
    door: Arc<Door>,
    address: IpAddr,
}

impl Door {
    pub(super) fn new(max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { max, per_address_max, inside: Mutex::default() })
    }

    /// Lets somebody in who is at `ip`; an IPv6 network of /64 counts as one address. `None` if there is no place.
    pub(super) fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<Pass> {
        let address = counted_as(ip);
        let mut inside = self.inside.lock();
        if inside.all >= self.max {
            return None;
        }
        let here = inside.of_address.entry(address).or_default();
        if *here >= self.per_address_max {
            return None;
        }
        *here += 1;
        inside.all += 1;
        Some(Pass { door: self.clone(), address })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.door.inside.lock();
        inside.all -= 1;
        if let Some(here) = inside.of_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                inside.of_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_all_and_so_many_of_an_address() {
        let door = Door::new(3, 2);
        let [a, b, c] = [[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3]].map(IpAddr::from);
        let first = door.enter(a).unwrap();
        let _second = door.enter(a).unwrap();
        assert!(door.enter(a).is_none());
        let third = door.enter(b).unwrap();
        assert!(door.enter(c).is_none());
        drop(third);
        assert!(door.enter(a).is_none());
        drop(first);
        let _again = [door.enter(a).unwrap(), door.enter(c).unwrap()];
        assert_eq!(door.inside.lock().of_address.len(), 2);
    }
}
