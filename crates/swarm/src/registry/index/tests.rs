use proptest::prelude::*;

use super::*;
use crate::chance::below;
use crate::testing::Dice;

fn hash_of(at: u32) -> u64 {
    u64::from(at).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// From nobody to many and back, as a packed array does it: the last fills the gap. Every so often all are looked for.
#[test]
fn many_tables_tell_what_one_does() {
    const MOST: u32 = 60_000;
    let mut dice = Dice::new(1);
    let (mut names, mut index): (Vec<u32>, Index) = (Vec::new(), Index::default());
    let mut kinds = Vec::new();
    let look = |names: &[u32], index: &Index| {
        for (at, &name) in names.iter().enumerate() {
            assert_eq!(index.find(hash_of(name), |at| names[at as usize] == name), Some(at));
        }
        assert_eq!(index.find(hash_of(MOST), |at| names[at as usize] == MOST), None);
    };
    let mut note = |index: &Index| {
        let is_many = matches!(index, Index::Many(_));
        if kinds.last() != Some(&is_many) {
            kinds.push(is_many);
        }
    };
    for name in 0..MOST {
        names.push(name);
        let most = index.heap_bytes() + index.growth_bytes();
        index.insert(name as usize, |at| hash_of(names[at as usize]));
        assert!(index.heap_bytes() <= most, "{name}");
        note(&index);
        if name.is_multiple_of(8_000) {
            look(&names, &index);
        }
    }
    look(&names, &index);
    let most = index.heap_bytes();
    while let Some(len) = u32::try_from(names.len()).ok().filter(|&len| len > 0) {
        let at = below(len, &mut dice) as usize;
        index.remove(hash_of(names[at]), at, |at| hash_of(names[at as usize]));
        names.swap_remove(at);
        if let Some(moved) = names.get(at) {
            index.moved(hash_of(*moved), names.len(), at);
        }
        index.shrink_to(names.len(), |at| hash_of(names[at as usize]));
        note(&index);
        if len.is_multiple_of(8_000) {
            look(&names, &index);
            assert!(index.heap_bytes() < most * (len as usize + 12_000) / MOST as usize * 2, "{len}");
        }
    }
    assert_eq!(kinds, [false, true, false]);
}

#[test]
fn however_alike_hashes_are_no_more_is_taken_than_was_said() {
    let mut table = Table::with_capacity(MANY_FROM);
    // All in one part: to look for a free place behind all others would take long, so they come spread over it.
    let spread = |at: u32| u64::from(at) << 32;
    table.extend(0..narrow(MANY_FROM), spread);
    let mut index = Index::One(table);
    let most = index.heap_bytes() + index.growth_bytes();
    index.insert(MANY_FROM, spread);
    assert!(index.heap_bytes() <= most);
}

#[test]
fn a_position_that_needs_more_bits_gets_them() {
    let mut table = Table::with_capacity(10);
    for at in 0..10 {
        table.insert(at, hash_of);
    }
    let hash = hash_of(3);
    table.moved(hash, 3, 1 << 20);
    assert_eq!(table.find(hash, |at| at == 1 << 20), Some(1 << 20));
    let others = (0..10).filter(|at| *at != 3);
    others.for_each(|at| assert_eq!(table.find(hash_of(at), |it| it == at), Some(at as usize)));
    // The last that its bits could say is the entry that is none.
    table.moved(hash, 1 << 20, (1 << 21) - 1);
    assert_eq!(table.find(hash, |at| at == (1 << 21) - 1), Some((1 << 21) - 1));
}

proptest! {
    /// Coming and going at the end never makes the table larger than was said.
    #[test]
    fn growth_is_told_beforehand(steps in proptest::collection::vec(any::<bool>(), 0..4_000)) {
        let mut index = Index::default();
        let mut len = 0;
        for grows in steps {
            let (bytes, growth_bytes) = (index.heap_bytes(), index.growth_bytes());
            if grows {
                len += 1;
                index.insert(len - 1, hash_of);
                prop_assert!(index.heap_bytes() <= bytes + growth_bytes);
            } else if len > 0 {
                len -= 1;
                index.remove(hash_of(u32::try_from(len).unwrap()), len, hash_of);
            }
        }
        for at in 0..len {
            let hash = hash_of(u32::try_from(at).unwrap());
            prop_assert_eq!(index.find(hash, |it| it as usize == at), Some(at));
        }
    }

    /// However many hashes are alike: an array of names from which some are taken, the last filling the gap.
    #[test]
    fn it_finds_what_a_search_from_end_to_end_finds(
        steps in proptest::collection::vec((0_u32..60, any::<bool>()), 0..400),
        alike in 1_u64..20,
    ) {
        let hash = |name: u32| ((u64::from(name) % alike) << 60) | (u64::from(name) % 3);
        let (mut names, mut index): (Vec<u32>, Index) = (Vec::new(), Index::default());
        for (name, adds) in steps {
            let found = index.find(hash(name), |at| names[at as usize] == name);
            prop_assert_eq!(found, names.iter().position(|other| *other == name));
            match (found, adds) {
                (None, true) => {
                    names.push(name);
                    index.insert(names.len() - 1, |at| hash(names[at as usize]));
                }
                (Some(at), false) => {
                    index.remove(hash(name), at, |at| hash(names[at as usize]));
                    names.swap_remove(at);
                    if let Some(moved) = names.get(at) {
                        index.moved(hash(*moved), names.len(), at);
                    }
                    index.shrink_to(names.len(), |at| hash(names[at as usize]));
                }
                _ => {}
            }
        }
    }
}
