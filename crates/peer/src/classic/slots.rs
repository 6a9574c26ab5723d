use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Transfers at once.
const TRANSFERS_MAX: usize = 128;

/// Transfers at once to one address, so that nobody takes them all.
const TRANSFERS_PER_ADDRESS_MAX: usize = 16;

/// Who is served at the moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// Room for one transfer, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    address: IpAddr,
}

impl Slots {
    /// Room for a transfer to `address`, if there is any.
    pub(super) fn take(&self, address: IpAddr) -> Option<Slot> {
        let address = address.to_canonical();
        let mut taken = self.0.lock();
        if taken.values().sum::<usize>() >= TRANSFERS_MAX {
            return None;
        }
        let mine = taken.entry(address).or_default();
        if *mine >= TRANSFERS_PER_ADDRESS_MAX {
            return None;
        }
        *mine += 1;
        Some(Slot { slots: self.clone(), address })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.0.lock();
        if let Some(mine) = taken.get_mut(&self.address) {
            *mine -= 1;
            if *mine == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_and_all_take_no_more_than_there_is() {
        let slots = Slots::default();
        let address = |last: usize| IpAddr::from([10, 0, 0, u8::try_from(last).unwrap()]);
        let mut held: Vec<Slot> =
            (0..TRANSFERS_PER_ADDRESS_MAX).map(|_| slots.take(address(1)).unwrap()).collect();
        assert!(slots.take(address(1)).is_none());
        for other in 0..TRANSFERS_MAX - held.len() {
            held.push(slots.take(address(2 + other)).unwrap());
        }
        assert!(slots.take(address(0)).is_none());
        held.remove(0);
        assert!(slots.take(address(1)).is_some());
        held.clear();
        assert!(slots.0.lock().is_empty());
    }
}
