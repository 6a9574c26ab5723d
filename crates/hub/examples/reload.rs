//! What announces notice of an access list of a million torrents that is read anew.
//!
//! `cargo xtask bench reload` runs it and says on which machine.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is wrong")]

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hub::access::Access;
use hub::config::{AccessConfig, MembersConfig, Mode, TrackerConfig};
use hub::policy::Policy;
use hub::tracker::{Asker, Events, Tracker};
use swarm::{Event, Families, InfoHash, PeerId};

/// Announces between two looks at the clock, as in a batch of datagrams.
const BATCH: u32 = 64;

struct Nobody;

impl Events for Nobody {
    fn completed(&self, _: InfoHash, _: u32) {}
}

/// How long announces took.
#[derive(Default)]
struct Took {
    count: u64,
    total: Duration,
    longest: Duration,
    /// How many took more than a millisecond.
    slow: u64,
}

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let (torrents, reloads) = if is_quick { (10_000, 2) } else { (1_000_000, 10) };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("allowed");
    let mut list = String::new();
    (0..torrents).for_each(|torrent| writeln!(list, "{}", hash(torrent)).unwrap());
    fs::write(&file, list).unwrap();

    let policy = Arc::new(Policy::new(Mode::Open, &MembersConfig::default(), 4_000));
    let config = AccessConfig { torrents_allowed: Some(file), ..AccessConfig::default() };
    let access = Access::open(&config, policy.clone()).unwrap();
    let tracker = Tracker::guarded(&TrackerConfig::default(), policy, Box::new(Nobody));

    let mut reading = Vec::new();
    let while_doing = |work: &mut dyn FnMut()| {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let announcing = scope.spawn(|| announce_until(&tracker, torrents, &is_over));
            work();
            is_over.store(true, Ordering::Relaxed);
            announcing.join().unwrap()
        })
    };
    let busy = while_doing(&mut || {
        for _ in 0..reloads {
            let begun = Instant::now();
            access.reload().unwrap();
            reading.push(begun.elapsed());
            // What held before is freed once the announcing thread has let go of it.
            thread::sleep(Duration::from_millis(10));
            access.look();
        }
    });
    let span = reading.iter().sum::<Duration>();
    let beside = while_doing(&mut || {
        let begun = Instant::now();
        while begun.elapsed() < span {
            std::hint::black_box(begun.elapsed());
        }
    });
    let calm = while_doing(&mut || thread::sleep(span));
    reading.sort_unstable();
    println!(
        "A list of {torrents} torrents is read in {} ms ({}–{}, {reloads} times). An announcing thread meanwhile, and for as long \
         with nothing beside it, each announce timed by itself:\n",
        reading[reading.len() / 2].as_millis(),
        reading[0].as_millis(),
        reading[reading.len() - 1].as_millis(),
    );
    println!("| | announces | mean | longest | beyond 1 ms |\n|---|---:|---:|---:|---:|");
    for (name, took) in [
        ("while lists are read", busy),
        ("while another thread counts", beside),
        ("with nothing beside", calm),
    ] {
        let mean = took.total.as_nanos() / u128::from(took.count);
        println!(
            "| {name} | {} | {mean} ns | {:.2} ms | {} |",
            took.count,
            took.longest.as_secs_f64() * 1e3,
            took.slow
        );
    }
}

fn hash(torrent: u32) -> InfoHash {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&torrent.wrapping_mul(0x9E37_79B9).to_be_bytes());
    bytes[4..8].copy_from_slice(&torrent.to_be_bytes());
    InfoHash(bytes)
}

/// Announces torrents of the list in turn.
fn announce_until(tracker: &Tracker, torrents: u32, is_over: &AtomicBool) -> Took {
    let mut worker = tracker.worker();
    let mut took = Took::default();
    for nth in 0_u32.. {
        if nth.is_multiple_of(BATCH) {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            worker.tick(tracker);
        }
        let ask = wire::Announce {
            info_hash: hash(nth.wrapping_mul(0x9E37_79B1) % torrents.min(10_000)),
            peer_id: PeerId([b'x'; 20]),
            port: 6881,
            stated_ip: None,
            uploaded: 0,
            downloaded: 0,
            left: Some(0),
            event: Event::Update,
            want: None,
            key: None,
            passkey: None,
        };
        let asker = Asker {
            ip: IpAddr::from((0x0a00_0000 + nth % 100).to_be_bytes()),
            families: Families::V4,
            ids: false,
            user_agent: None,
        };
        let begun = Instant::now();
        tracker.announce(&asker, &ask, &mut worker).unwrap();
        let lasted = begun.elapsed();
        took.count += 1;
        took.total += lasted;
        took.longest = took.longest.max(lasted);
        took.slow += u64::from(lasted > Duration::from_millis(1));
    }
    took
}
