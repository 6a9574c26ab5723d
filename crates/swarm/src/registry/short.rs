//! Few or several peers of one family: arrays so short that they are searched from end to end.

use super::pack::{Role, Slot, Zones, growth};

/// How many IPv4 peers are held within the swarm itself.
pub(super) const FEW: usize = 2;

/// How many peers an array without an index has at most: what a byte counts.
pub(super) const SEVERAL: usize = 255;

/// How much of an array is taken, and by whom: zones as in a [`super::pack::Pack`]. Apart from the array, so that both fit
/// beside each other where every byte counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    len: u8,
    seeders: u8,
    partials: u8,
}

/// A short array with the first of `held`, which stand in their zones.
pub(super) fn few(held: &[Slot<6>]) -> [Slot<6>; FEW] {
    let mut slots = [Slot::default(); FEW];
    slots.iter_mut().zip(held).for_each(|(slot, held)| *slot = *held);
    slots
}

/// An array with `held`, and room for `capacity` in all.
pub(super) fn several<const N: usize>(held: &[Slot<N>], capacity: usize) -> Box<[Slot<N>]> {
    let mut slots = vec![Slot::default(); capacity.max(held.len())];
    slots[..held.len()].copy_from_slice(held);
    slots.into()
}

/// How long an array is made for somebody to join `held`: twice as long where that is little, as most swarms stay small.
pub(super) const fn capacity(held: usize) -> usize {
    let roomy = match held {
        0 => 1,
        1..8 => 2 * held,
        _ => held + growth(held),
    };
    if roomy < SEVERAL { roomy } else { SEVERAL }
}

impl Lengths {
    /// Of at most [`SEVERAL`] peers.
    pub(super) fn of(zones: Zones) -> Self {
        let [len, seeders, partials] = [zones.len, zones.seeders, zones.partials]
            .map(|count| u8::try_from(count).expect("no array here is longer than a byte counts"));
        Self { len, seeders, partials }
    }

    pub(super) fn zones(self) -> Zones {
        Zones { seeders: self.seeders.into(), partials: self.partials.into(), len: self.len.into() }
    }

    /// Adds a peer that is not there yet, and says where it stands; `None` if there is no room.
    pub(super) fn insert<const N: usize>(
        &mut self,
        slots: &mut [Slot<N>],
        slot: Slot<N>,
        role: Role,
    ) -> Option<usize> {
        let zones = self.zones();
        if zones.len >= slots.len() {
            return None;
        }
        zones.moves_to_admit(role).for_each(|(was, at)| slots[at] = slots[was]);
        let at = zones.of(role).end;
        slots[at] = slot;
        self.len += 1;
        self.count(role, 1);
        Some(at)
    }

    /// Takes the peer at `at` out; peers behind it move, those before it stay where they are.
    pub(super) fn remove<const N: usize>(&mut self, slots: &mut [Slot<N>], at: usize) {
        let zones = self.zones();
        if at >= zones.len {
            return;
        }
        zones.moves_to_close(at).for_each(|(was, at)| slots[at] = slots[was]);
        self.len -= 1;
        self.count(zones.role(at), -1);
    }

    fn count(&mut self, role: Role, by: i8) {
        match role {
            Role::Seeder => self.seeders = self.seeders.wrapping_add_signed(by),
            Role::Partial => self.partials = self.partials.wrapping_add_signed(by),
            Role::Leecher => {}
        }
    }
}
