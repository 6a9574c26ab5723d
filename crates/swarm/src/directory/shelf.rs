//! Who holds one name.

use super::holder::HolderId;
use super::offer::PackedExtent;

/// A holder of a name, and what it says of its size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posting {
    pub(super) holder: HolderId,
    pub(super) extent: PackedExtent,
}

/// The holders of a name that serve it in one way. A single one takes no memory of its own.
///
/// Their order is the caller's: it says where the next one goes.
#[derive(Debug, Default)]
pub(super) enum Shelf {
    #[default]
    Empty,
    One(Posting),
    #[expect(clippy::box_collection, reason = "most names have one holder: this keeps them at 16 bytes")]
    Many(Box<Vec<Posting>>),
}

impl Shelf {
    pub(super) fn postings(&self) -> &[Posting] {
        match self {
            Self::Empty => &[],
            Self::One(posting) => std::slice::from_ref(posting),
            Self::Many(postings) => postings,
        }
    }

    pub(super) fn postings_mut(&mut self) -> &mut [Posting] {
        match self {
            Self::Empty => &mut [],
            Self::One(posting) => std::slice::from_mut(posting),
            Self::Many(postings) => postings,
        }
    }

    pub(super) fn insert(&mut self, at: usize, posting: Posting) {
        match self {
            Self::Empty => *self = Self::One(posting),
            Self::One(other) => {
                let mut postings = Vec::with_capacity(growth(1));
                postings.push(*other);
                postings.insert(at, posting);
                *self = Self::Many(Box::new(postings));
            }
            Self::Many(postings) => {
                if postings.len() == postings.capacity() {
                    postings.reserve_exact(growth(postings.len()));
                }
                postings.insert(at, posting);
            }
        }
    }

    pub(super) fn remove(&mut self, at: usize) {
        match self {
            Self::Empty => {}
            Self::One(_) => *self = Self::Empty,
            Self::Many(postings) => {
                postings.remove(at);
                if let [last] = postings[..] {
                    *self = Self::One(last);
                } else if postings.len() < postings.capacity() / 4 {
                    postings.shrink_to(2 * postings.len());
                }
            }
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Empty | Self::One(_) => 0,
            Self::Many(postings) => size_of::<Vec<Posting>>() + postings.capacity() * size_of::<Posting>(),
        }
    }

    /// How many bytes one more posting would take.
    pub(super) fn growth_bytes(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(_) => size_of::<Vec<Posting>>() + growth(1) * size_of::<Posting>(),
            Self::Many(postings) if postings.len() == postings.capacity() => {
                growth(postings.len()) * size_of::<Posting>()
            }
            Self::Many(_) => 0,
        }
    }
}

/// How many postings a shelf of `len` makes room for when it is full; the first time, as many as it then has.
const fn growth(len: usize) -> usize {
    if len < 8 { 4 } else { len / 2 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::directory::offer::Extent;

    #[test]
    fn a_shelf_is_small() {
        assert_eq!((size_of::<Posting>(), size_of::<Shelf>()), (12, 16));
    }

    #[test]
    fn a_shelf_gives_memory_back() {
        let posting = Posting { holder: HolderId(0), extent: Extent::Unknown.into() };
        let mut shelf = Shelf::default();
        (0..1_000).for_each(|at| shelf.insert(at, posting));
        (2..1_000).for_each(|_| shelf.remove(0));
        assert!(shelf.heap_bytes() < 200, "{} bytes for two postings", shelf.heap_bytes());
        shelf.remove(1);
        assert_eq!(shelf.heap_bytes(), 0);
    }

    proptest! {
        #[test]
        fn order_is_the_callers_and_growth_is_told(steps in proptest::collection::vec((any::<bool>(), 0usize..64), 0..300)) {
            let mut shelf = Shelf::default();
            let mut model = Vec::new();
            for (turn, (grows, at)) in (0..).zip(steps) {
                let bytes = shelf.heap_bytes();
                if grows {
                    let growth_bytes = shelf.growth_bytes();
                    let at = at.min(model.len());
                    shelf.insert(at, Posting { holder: HolderId(turn), extent: Extent::Unknown.into() });
                    model.insert(at, turn);
                    prop_assert_eq!(shelf.heap_bytes(), bytes + growth_bytes);
                } else if at < model.len() {
                    shelf.remove(at);
                    model.remove(at);
                    prop_assert!(shelf.heap_bytes() <= bytes);
                }
                prop_assert!(shelf.postings().iter().map(|posting| posting.holder.0).eq(model.iter().copied()));
            }
        }
    }
}
