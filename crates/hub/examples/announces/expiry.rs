//! What announces notice of a million peers that come, fall silent and are forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hub::Config;
use hub::config::TrackerConfig;
use hub::tracker::Tracker;

use super::crowd::{Deaf, Load, Recording, count_for, service};

/// Seconds after which a silent peer is forgotten.
const TTL_SECS: u32 = 12;

/// Who announces all the time.
const STEADY: Load = Load { torrents: 10_000, peers: 5, is_ipv6: false };

/// They, and the one of the crowd that stays.
const STAYING: usize = 50_001;

/// How long one datagram after another took to answer.
#[derive(Default)]
struct Took {
    count: u64,
    longest: Duration,
    /// How many took more than a millisecond, and more than two.
    beyond: [u64; 2],
}

/// Prints a table; `is_quick`: of small crowds, to see that it runs.
pub(super) fn run(is_quick: bool) {
    println!(
        "| who comes and goes | meanwhile | announces | longest, ms | beyond 1 ms | beyond 2 ms |\n|---|---|---|---|---|---|"
    );
    for (torrents, peers) in [(500_000, 2), (10_000, 100), (1, 1_000_000)] {
        let load = Load { torrents, peers, is_ipv6: false }.scaled(is_quick);
        rows(load);
    }
    println!(
        "\nAnnounces without sockets on a thread of their own, each timed by itself, one in 65 of them in the first of the swarms that \
         come and go. Peers are forgotten {TTL_SECS} s after their last announce."
    );
}

fn rows(load: Load) {
    let config =
        TrackerConfig { peer_ttl_secs: Some(TTL_SECS), interval_secs: 5, ..Config::default().tracker };
    let tracker = Arc::new(Tracker::new(&config, Box::new(Deaf)));
    let mut longest = Vec::new();
    longest.push(("they come", while_doing(load, &tracker, || load.come(&tracker, &mut service(&tracker)))));
    let began = Instant::now();
    longest.push((
        "they are forgotten",
        while_doing(load, &tracker, || {
            let until = Instant::now() + Duration::from_secs((3 * TTL_SECS).into());
            while tracker.stats().population.peers() > STAYING && Instant::now() < until {
                thread::sleep(Duration::from_secs(1));
                tracker.housekeep();
            }
            let left = tracker.stats().population.peers();
            assert!(left <= STAYING, "{left} are still there");
        }),
    ));
    let span = began.elapsed();
    longest.push(("nothing, for as long", while_doing(load, &tracker, || thread::sleep(span))));
    longest.push(("another thread counts, for as long", while_doing(load, &tracker, || count_for(span))));
    for (meanwhile, took) in longest {
        println!(
            "| {} × {} | {meanwhile} | {} | {:.2} | {} | {} |",
            load.torrents,
            load.peers,
            took.count,
            took.longest.as_secs_f64() * 1e3,
            took.beyond[0],
            took.beyond[1]
        );
    }
}

/// Announces of those who stay, and of one peer of the first swarm that comes and goes.
fn while_doing(load: Load, tracker: &Arc<Tracker>, work: impl FnOnce()) -> Took {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let announcing = scope.spawn(|| announce_until(load, tracker, &is_over));
        work();
        is_over.store(true, Ordering::Relaxed);
        announcing.join().unwrap()
    })
}

fn announce_until(load: Load, tracker: &Arc<Tracker>, is_over: &AtomicBool) -> Took {
    let mut service = service(tracker);
    let everybody = STEADY.everybody();
    let steady = Recording::of(STEADY, 0..everybody, &mut service);
    let in_crowd = Recording::of(load, 0..1, &mut service);
    let (mut took, mut out) = (Took::default(), Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        for announces in steady.batches() {
            service.tick();
            for (datagram, sender) in announces.chain(in_crowd.batches().flatten()) {
                out.clear();
                let began = Instant::now();
                service.answer(datagram, sender, &mut out);
                let lasted = began.elapsed();
                took.count += 1;
                took.longest = took.longest.max(lasted);
                for (beyond, millis) in took.beyond.iter_mut().zip([1, 2]) {
                    *beyond += u64::from(lasted > Duration::from_millis(millis));
                }
            }
        }
    }
    took
}
