//! Things at numbers that stay the same for as long as they are there.

use std::ops::{Index, IndexMut};

/// No number of anything.
pub(super) const NONE: u32 = u32::MAX;

/// Things by number. What is taken out leaves a hole that the next one fills. It can be asked beforehand what more of
/// them would take.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    /// The first hole, or [`NONE`].
    hole: u32,
    len: usize,
}

#[derive(Debug)]
enum Slot<T> {
    Taken(T),
    /// A hole, and the next one.
    Hole(u32),
}

impl<T> Slab<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// How many slots there are, holes included: all numbers are below.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn get(&self, at: u32) -> Option<&T> {
        match self.slots.get(at as usize) {
            Some(Slot::Taken(it)) => Some(it),
            _ => None,
        }
    }

    pub(super) fn insert(&mut self, it: T) -> u32 {
        self.reserve(1);
        self.len += 1;
        let at = self.hole;
        if let Some(Slot::Hole(next)) = self.slots.get(at as usize) {
            self.hole = *next;
            self.slots[at as usize] = Slot::Taken(it);
            return at;
        }
        self.slots.push(Slot::Taken(it));
        u32::try_from(self.slots.len() - 1).expect("the memory budget is below four thousand million things")
    }

    /// Takes out what is at `at`. When it was the last, all memory is given back.
    pub(super) fn remove(&mut self, at: u32) -> Option<T> {
        let slot = self.slots.get_mut(at as usize)?;
        if matches!(slot, Slot::Hole(_)) {
            return None;
        }
        let Slot::Taken(it) = std::mem::replace(slot, Slot::Hole(self.hole)) else { return None };
        self.hole = at;
        self.len -= 1;
        if self.len == 0 {
            *self = Self::default();
        }
        Some(it)
    }

    /// Makes room for `more`.
    pub(super) fn reserve(&mut self, more: usize) {
        let additional = self.additional(more);
        self.slots.reserve_exact(additional);
    }

    /// How many bytes room for `more` would take.
    pub(super) fn growth_bytes(&self, more: usize) -> usize {
        let capacity = self.slots.len() + self.additional(more);
        capacity.saturating_sub(self.slots.capacity()) * size_of::<Slot<T>>()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<T>>()
    }

    /// Slots to be had behind those there are: none if they are there, or else at least a quarter of them.
    fn additional(&self, more: usize) -> usize {
        let behind = more.saturating_sub(self.slots.len() - self.len);
        if self.slots.len() + behind <= self.slots.capacity() {
            return 0;
        }
        behind.max(self.slots.len() / 4).max(4)
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), hole: NONE, len: 0 }
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, at: u32) -> &T {
        self.get(at).expect("the number is of something that is there")
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, at: u32) -> &mut T {
        match self.slots.get_mut(at as usize) {
            Some(Slot::Taken(it)) => it,
            _ => panic!("the number {at} is of something that is there"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_stay_and_growth_is_told_beforehand(steps in proptest::collection::vec((any::<bool>(), 0usize..40), 0..300)) {
            let mut slab = Slab::default();
            let mut model = BTreeMap::new();
            for (turn, (grows, which)) in steps.into_iter().enumerate() {
                if grows {
                    let bytes = slab.heap_bytes() + slab.growth_bytes(which);
                    slab.reserve(which);
                    prop_assert_eq!(slab.heap_bytes(), bytes);
                    for _ in 0..which / 8 {
                        prop_assert_eq!(model.insert(slab.insert(turn), turn), None);
                    }
                    prop_assert_eq!(slab.heap_bytes(), bytes);
                } else if let Some((&at, &turn)) = model.iter().nth(which) {
                    prop_assert_eq!(slab.remove(at), Some(turn));
                    prop_assert_eq!(slab.remove(at), None);
                    model.remove(&at);
                }
                prop_assert_eq!(slab.len(), model.len());
                prop_assert!((0..u32::try_from(slab.slots()).unwrap()).all(|at| slab.get(at) == model.get(&at)));
            }
        }
    }
}
