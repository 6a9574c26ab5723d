//! Random operations on a directory and on a naive model of it give the same answers; and what many holders take.

mod directory_model;

use std::net::IpAddr;

use directory_model::{Op, Pair, Who};
use proptest::collection::vec;
use proptest::prelude::*;
use swarm::directory::{Config, Extent, FileName, Join, Offer};
use swarm::{Directory, Endpoint, Port};

fn op() -> impl Strategy<Value = Op> {
    let who = || {
        (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(dialect, label, place)| Who {
            dialect,
            label,
            place,
        })
    };
    // A few names most of the time: as many as may be offered.
    let bits = prop_oneof![
        6 => (0u8..9, 0u8..9, any::<bool>()).prop_map(|(a, b, list)| 1 << a | 1 << b | u16::from(list) << 14),
        1 => any::<u16>(),
    ];
    let join = (who(), bits, any::<u8>(), any::<u8>(), any::<bool>());
    let join = join.prop_map(|(who, names, extent, list, serves_all)| Op::Join {
        who,
        names,
        extent,
        list,
        serves_all,
    });
    let look_up = (who(), any::<u8>(), any::<bool>(), any::<u8>(), any::<u8>());
    let look_up = look_up.prop_map(|(who, name, known, want, families)| Op::LookUp {
        who,
        name,
        known,
        want,
        families,
    });
    prop_oneof![
        30 => join,
        10 => look_up,
        3 => who().prop_map(|who| Op::Leave { who }),
        5 => who().prop_map(|who| Op::Beat { who }),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(want, families)| Op::Seeders { want, families }),
        6 => prop_oneof![0u8..8, 10u8..70].prop_map(|secs| Op::Wait { secs }),
        3 => any::<u8>().prop_map(|budget| Op::Expire { budget }),
        8 => Just(Op::Probe),
        8 => (any::<u8>(), prop::bool::weighted(0.3)).prop_map(|(which, answered)| Op::Probed { which, answered }),
    ]
}

fn compare(ops: Vec<Op>, seed: u64, memory_bytes_max: Option<usize>) {
    let mut pair = Pair::new(seed, memory_bytes_max);
    for op in ops {
        pair.apply(op);
    }
    pair.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_directory_does_what_the_model_does(ops in vec(op(), 1..160), seed: u64) {
        compare(ops, seed, None);
    }

    /// A join that is refused changes nothing, and whatever happens, the budget holds.
    #[test]
    fn the_memory_budget_holds(ops in vec(op(), 1..160), seed: u64, memory_bytes_max in 0usize..9_000) {
        compare(ops, seed, Some(memory_bytes_max));
    }
}

/// Ten thousand peers with ten names each. `--nocapture` shows what they take.
#[test]
fn holders_and_names_are_cheap() {
    for (load, names, bytes_max) in
        [("names of their own", 100_000, 140), ("the same 1,000 names", 1_000, 48)]
    {
        let mut directory = Directory::new(Config::usual(1 << 30, 7));
        for peer in 0..10_000u32 {
            let texts: Vec<String> =
                (0..10).map(|file| format!("the name of file {}", (peer * 10 + file) % names)).collect();
            let offers: Vec<_> = texts
                .iter()
                .map(|text| Offer { name: FileName::new(text).expect("a name"), extent: Extent::Parts(5) })
                .collect();
            let ip = IpAddr::from((0x0a00_0000 + peer).to_be_bytes());
            let endpoint = Endpoint::new(ip, Port::new(8_080).expect("not 0"));
            directory.join(&Join::token("peer", endpoint, &offers), 0).expect("nothing is near its bound");
        }
        let bytes = directory.stats().memory_bytes;
        let (holder_bytes, offer_bytes) = (bytes / 10_000, bytes / 100_000);
        println!("{load}: {bytes} bytes, {holder_bytes} a holder, {offer_bytes} a holder's name");
        assert!(offer_bytes <= bytes_max, "{offer_bytes} bytes a name where holders offer {load}");
    }
}
