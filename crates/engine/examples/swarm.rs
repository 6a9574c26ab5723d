//! Simulates a swarm and prints how near it comes to the fluid limit.
//!
//! `cargo run --release -p engine --example swarm -- --leechers 30`

use engine::{Layout, MILLISECOND, SECOND};

#[path = "../tests/sim/mod.rs"]
mod sim;

use sim::{Client, Setup, Spec, World};

fn main() {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        if let Err(reason) = options.set(&name, &value) {
            eprintln!("{reason}");
            std::process::exit(2);
        }
    }
    for seed in 1..=options.seeds {
        options.run(seed);
    }
}

/// Rates in MB/s, sizes in MiB and KiB.
struct Options {
    leechers: u64,
    size: u64,
    piece: u64,
    link: u64,
    down: u64,
    seeder: u64,
    seeds: u64,
    delay: u64,
    client: Client,
    limited: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            leechers: 30,
            size: 64,
            piece: 256,
            link: 20,
            down: 0,
            seeder: 20,
            seeds: 3,
            delay: 1_000,
            client: Client::Ours,
            limited: false,
        }
    }
}

impl Options {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if name == "--client" {
            self.client = match value {
                "ours" => Client::Ours,
                "in-order" => Client::InOrder,
                "rarest-first" => Client::RarestFirst,
                _ => return Err(format!("`{value}` is no client: ours, in-order or rarest-first are")),
            };
            return Ok(());
        }
        let number = value.parse().map_err(|_| format!("{name} `{value}` is not a number"))?;
        match name {
            "--leechers" => self.leechers = number,
            "--size" => self.size = number,
            "--piece" => self.piece = number,
            "--link" => self.link = number,
            "--down" => self.down = number,
            "--seeder" => self.seeder = number,
            "--seeds" => self.seeds = number,
            "--delay" => self.delay = number,
            "--limited" => self.limited = number != 0,
            _ => {
                return Err(format!(
                    "`{name}` is no option: --leechers N, --size MiB, --piece KiB, --link MB/s, --down MB/s, --seeder \
                     MB/s, --seeds N, --delay µs, --client NAME and --limited 0|1 are"
                ));
            }
        }
        Ok(())
    }

    fn run(&self, seed: u64) {
        let mb = |rate: u64| rate * 1_000_000;
        let down = if self.down == 0 { self.link } else { self.down };
        let piece_bytes = u32::try_from(self.piece << 10).unwrap_or(u32::MAX);
        let Some(layout) = Layout::new(self.size << 20, piece_bytes) else { return };
        let mut seeder = Spec::seeder(mb(self.seeder), mb(self.seeder));
        if self.limited {
            seeder.up = mb(self.link.max(self.seeder));
            seeder.config.upload_limit = Some(mb(self.seeder));
        }
        let leecher = Spec::leecher(mb(self.link), mb(down)).client(self.client);
        let mut peers = vec![seeder];
        peers.extend((0..self.leechers).map(|_| leecher.clone()));
        let mut world = World::new(&Setup { layout, delay: self.delay, seed, peers });
        let started = std::time::Instant::now();
        let all = world.run(100 * world.fluid_limit() + 600 * SECOND);
        let mut finished: Vec<u64> = world.nodes.iter().filter_map(|node| node.finished).skip(1).collect();
        finished.sort_unstable();
        let part =
            |n: usize| finished.get(finished.len() * n / 10).map_or(0.0, |&at| at as f64 / SECOND as f64);
        println!(
            "seed {seed}: {} × the fluid limit of {:.2} s (first {:.2} s, median {:.2} s), seeder upload / size {:.2}, {} events in {:.1} s{}",
            format_args!("{:.3}", world.ratio()),
            world.fluid_limit() as f64 / SECOND as f64,
            part(0),
            part(5),
            world.seeder_copies(),
            world.events,
            started.elapsed().as_secs_f64(),
            if all { "" } else { ": NOT ALL FINISHED" },
        );
        let _ = MILLISECOND;
    }
}
