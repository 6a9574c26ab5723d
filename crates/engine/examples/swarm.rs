//! Simulates a swarm and prints how near it comes to the fluid limit.
//!
//! `cargo run --release -p engine --example swarm -- --leechers 30`

use engine::{Layout, SECOND};

#[path = "../tests/sim/mod.rs"]
mod sim;

use sim::{Client, Fault, Leaves, Setup, Spec, World};

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
    liars: u64,
    snubbers: u64,
    riders: u64,
    passers: u64,
    leaves: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            leechers: 30,
            size: 64,
            piece: 256,
            link: 40,
            down: 0,
            seeder: 20,
            seeds: 3,
            delay: 1_000,
            client: Client::Ours,
            limited: false,
            liars: 0,
            snubbers: 0,
            riders: 0,
            passers: 0,
            leaves: false,
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
            "--liars" => self.liars = number,
            "--snubbers" => self.snubbers = number,
            "--riders" => self.riders = number,
            "--passers" => self.passers = number,
            "--leaves" => self.leaves = number != 0,
            "--limited" => self.limited = number != 0,
            _ => {
                return Err(format!(
                    "`{name}` is no option: --leechers N, --size MiB, --piece KiB, --link MB/s, --down MB/s, --seeder \
                     MB/s, --seeds N, --delay µs, --client NAME, --limited 0|1 (by ourselves, not by the link), --leaves 0|1 (the seeder, once a copy is \
                     out), --liars N, --snubbers N, --riders N, --passers N (leechers that leave half-way) are"
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
        if self.leaves {
            seeder.leaves = Leaves::OneCopyOut;
        }
        let faulty = |fault| Spec { seeds: fault != Fault::FreeRider, ..leecher.clone() }.fault(fault);
        let mut peers = vec![seeder];
        peers.extend((0..self.leechers).map(|_| leecher.clone()));
        peers.extend((0..self.liars).map(|_| faulty(Fault::Liar)));
        peers.extend((0..self.snubbers).map(|_| faulty(Fault::Snubber)));
        peers.extend((0..self.riders).map(|_| faulty(Fault::FreeRider)));
        let half = layout.size() * SECOND / mb(self.seeder).max(1) / 2;
        peers.extend((0..self.passers).map(|n| {
            let joins = n * half / self.passers;
            leecher.clone().joins(joins).leaves(Leaves::At(joins + half))
        }));
        let mut world = World::new(&Setup { layout, delay: self.delay, seed, peers });
        let started = std::time::Instant::now();
        let all = world.run(100 * world.fluid_limit() + 600 * SECOND);
        let mut finished: Vec<u64> = world.nodes.iter().filter_map(|node| node.finished).collect();
        finished.sort_unstable();
        let part =
            |n: usize| finished.get(finished.len() * n / 10).map_or(0.0, |&at| at as f64 / SECOND as f64);
        let banned: usize = world.nodes.iter().map(|node| node.banned.len()).sum();
        let completions: u32 = world.nodes.iter().map(|node| node.completions).sum();
        println!(
            "seed {seed}: {} × the fluid limit of {:.2} s (first {:.2} s, median {:.2} s), seeder upload / size {:.2}, {} completions, {} bans, {} events in {:.1} s{}",
            format_args!("{:.3}", world.ratio()),
            world.fluid_limit() as f64 / SECOND as f64,
            part(0),
            part(5),
            world.seeder_copies(),
            completions,
            banned,
            world.events,
            started.elapsed().as_secs_f64(),
            if all { "" } else { ": NOT ALL FINISHED" },
        );
    }
}
