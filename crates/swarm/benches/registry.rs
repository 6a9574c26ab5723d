//! What an announce costs inside the registry, by the shape of the load.

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use swarm::{Announce, Config, Endpoint, Event, Families, InfoHash, Port, Registry, Reply, Want};

/// A number of swarms with a number of peers each.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    swarms: u32,
    peers: u32,
}

const LOADS: [Load; 3] = [
    Load { name: "100k swarms of 2", swarms: 100_000, peers: 2 },
    Load { name: "1k swarms of 100", swarms: 1_000, peers: 100 },
    Load { name: "1 swarm of 100k", swarms: 1, peers: 100_000 },
];

impl Load {
    fn announce(self, number: u32) -> Announce {
        let swarm = number % self.swarms;
        let mut hash = [0; 20];
        hash[..4].copy_from_slice(&swarm.wrapping_mul(0x9E37_79B9).to_be_bytes());
        Announce {
            hash: InfoHash(hash),
            endpoint: Endpoint::V4(Ipv4Addr::from(0x0a00_0000 + number), Port::new(6881).expect("not 0")),
            left: Some(u64::from(number % 3)),
            event: Event::Update,
            want: Want { peers: 50, families: Families::V4, ids: false, seeders: false },
            detail: None,
        }
    }

    fn registry(self, rng: &mut SmallRng) -> Registry {
        let config = Config { peer_ttl_secs: 4_000, memory_bytes_max: usize::MAX, details_max: 0, secret: 7 };
        let mut registry = Registry::new(config);
        let mut reply = Reply::default();
        for number in 0..self.swarms * self.peers {
            let _ = registry.announce(&self.announce(number), 0, rng, &mut reply);
        }
        registry
    }
}

fn announces(criterion: &mut Criterion) {
    let mut rng = SmallRng::seed_from_u64(1);
    for load in LOADS {
        let mut registry = load.registry(&mut rng);
        let mut reply = Reply::default();
        let mut dice = SmallRng::seed_from_u64(2);
        criterion.bench_function(&format!("announce, {}", load.name), |bench| {
            bench.iter(|| {
                let announce = load.announce(dice.next_u32() % (load.swarms * load.peers));
                let _ = black_box(registry.announce(&announce, 1, &mut rng, &mut reply));
            });
        });
    }
}

fn sweep(criterion: &mut Criterion) {
    let mut rng = SmallRng::seed_from_u64(1);
    for load in LOADS {
        criterion.bench_function(&format!("expire 1,000, {}", load.name), |bench| {
            bench.iter_batched_ref(
                || load.registry(&mut rng),
                |registry| black_box(registry.expire(5_000, 1_000)),
                BatchSize::LargeInput,
            );
        });
    }
}

criterion_group!(benches, announces, sweep);
criterion_main!(benches);
