//! Random operations on a registry and on a naive model of it give the same answers.

mod model;

use model::{Op, Pair};
use proptest::collection::vec;
use proptest::prelude::*;
use swarm::{Event, Families};

fn op() -> impl Strategy<Value = Op> {
    let event = prop_oneof![
        4 => Just(Event::Update),
        2 => Just(Event::Started),
        2 => Just(Event::Completed),
        2 => Just(Event::Stopped),
        1 => Just(Event::Paused),
    ];
    let left = prop_oneof![Just(None), Just(Some(0)), Just(Some(1)), Just(Some(u64::MAX))];
    let families = prop_oneof![Just(Families::V4), Just(Families::V6), Just(Families::Both)];
    // Few peers most of the time, so that the same ones come back.
    let peer = prop_oneof![4 => 0u16..8, 1 => any::<u16>()];
    let announce = (any::<u8>(), peer, left, event, any::<u32>(), families).prop_map(
        |(hash, peer, left, event, want, families)| Op::Announce { hash, peer, left, event, want, families },
    );
    let crowd = (any::<u8>(), any::<u16>(), any::<u16>(), any::<bool>())
        .prop_map(|(hash, first, peers, seeders)| Op::Crowd { hash, first, peers, seeders });
    prop_oneof![
        30 => announce,
        2 => crowd,
        4 => any::<u32>().prop_map(|secs| Op::Wait { secs }),
        6 => any::<usize>().prop_map(|budget| Op::Sweep { budget }),
        1 => Just(Op::SweepAll),
        2 => (any::<u8>(), any::<u32>()).prop_map(|(hash, completed)| Op::Pin { hash, completed }),
        1 => any::<u8>().prop_map(|hash| Op::Unpin { hash }),
        1 => any::<u8>().prop_map(|hash| Op::Remove { hash }),
        1 => Just(Op::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_registry_does_what_the_model_does(ops in vec(op(), 1..120), seed: u64) {
        let mut pair = Pair::new(seed);
        for op in ops {
            pair.apply(op);
        }
    }
}
