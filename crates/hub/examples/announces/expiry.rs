//! What announces notice of a million peers that come, fall silent and are forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hub::Config;
use hub::config::TrackerConfig;
use hub::tracker::Tracker;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::crowd::{Deaf, Load, Recording, count_for, service};

/// Seconds after which a silent peer is forgotten.
const TTL_SECS: u32 = 12;

/// Who announces all the time.
const STEADY: Load = Load { torrents: 10_000, peers: 5, is_ipv6: false };

/// They, and the one of the crowd that stays.
const STAYING: usize = 50_001;

/// What takes longer is looked into.
const NOTICED: Duration = Duration::from_micros(100);

/// Milliseconds from which an announce is one that was kept waiting.
const LONG_MILLIS: u64 = 2;

/// How long one datagram after another took to answer.
#[derive(Default)]
struct Took {
    count: u64,
    /// By what kept it: the longest, and how many were long.
    kept: [(Duration, u64); 3],
}

/// What kept a thread from being done at once.
#[derive(Debug, Clone, Copy)]
enum Cause {
    /// It slept until another let go of a lock.
    Other,
    /// It had much to do.
    Work,
    /// It had no core: the system, or the one below a virtual machine, had given that to somebody else.
    NoCore,
}

/// What the system knows of this thread so far.
struct Usage {
    worked: Duration,
    slept: i64,
}

impl Usage {
    fn now() -> Self {
        let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
        let micros = [usage.user_time(), usage.system_time()].map(|time| time.num_microseconds());
        Self {
            worked: Duration::from_micros(micros.iter().sum::<i64>().try_into().unwrap()),
            slept: usage.voluntary_context_switches(),
        }
    }

    /// Why something that took so long did, if it was all there was since.
    fn cause_of(&self, took: Duration) -> Cause {
        let now = Self::now();
        if now.slept > self.slept {
            Cause::Other
        } else if now.worked - self.worked >= took / 2 {
            Cause::Work
        } else {
            Cause::NoCore
        }
    }
}

/// Prints a table; `is_quick`: of small crowds, to see that it runs.
pub(super) fn run(is_quick: bool) {
    println!(
        "| who comes and goes | meanwhile | announces | waiting for another thread | at work | without a core |\n|---|---|---|---|---|---|"
    );
    for (torrents, peers) in [(500_000, 2), (10_000, 100), (1, 1_000_000)] {
        let load = Load { torrents, peers, is_ipv6: false }.scaled(is_quick);
        rows(load);
    }
    println!(
        "\nAnnounces without sockets on a thread of their own, each timed by itself, one in 65 of them in the first of the swarms that \
         come and go. The longest in milliseconds, by what it was kept by (another thread's lock; its own work, or the machine below a \
         virtual one; no core at all, which the system or that machine had given to somebody else), and how many took more than \
         {LONG_MILLIS} ms. Peers are forgotten {TTL_SECS} s after their last announce."
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
            // As the hub's sweep does.
            rustix::process::nice(10).unwrap();
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
        let [other, work, no_core] = took.kept.map(|(longest, many)| match longest.as_secs_f64() * 1e3 {
            millis if many > 0 => format!("{millis:.2}, {many} long"),
            millis => format!("{millis:.2}"),
        });
        println!(
            "| {} × {} | {meanwhile} | {} | {other} | {work} | {no_core} |",
            load.torrents, load.peers, took.count
        );
    }
}

/// Announces of those who stay, and of one peer of the first swarm that comes and goes.
fn while_doing(load: Load, tracker: &Arc<Tracker>, work: impl FnOnce() + Send) -> Took {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let announcing = scope.spawn(|| announce_until(load, tracker, &is_over));
        scope.spawn(work).join().unwrap();
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
            let mut before = Usage::now();
            for (datagram, sender) in announces.chain(in_crowd.batches().flatten()) {
                out.clear();
                let began = Instant::now();
                service.answer(datagram, sender, &mut out);
                let lasted = began.elapsed();
                took.count += 1;
                if lasted > NOTICED {
                    let (longest, many) = &mut took.kept[before.cause_of(lasted) as usize];
                    *longest = lasted.max(*longest);
                    *many += u64::from(lasted > Duration::from_millis(LONG_MILLIS));
                    before = Usage::now();
                }
            }
        }
    }
    took
}
