//! Ten million peers written down while others announce, and read back in.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hub::store::snapshot::{self, Loaded};
use hub::tracker::Tracker;

use super::crowd::{Load, Recording, count_for, empty, median, service};

const ROUNDS: usize = 5;

/// Announces after which the announcing thread looks whether it is to go on.
const SPELL: u32 = 20_000;

/// Prints a table; `is_quick`: of small crowds, to see that it runs.
pub(super) fn run(is_quick: bool) {
    println!(
        "| torrents × peers | MiB | written in, s | an announce meanwhile, ns | beside a thread that counts | with nothing beside | loaded in, s |\n\
         |---|---|---|---|---|---|---|"
    );
    for (torrents, peers) in [(1_000_000, 10), (100_000, 100)] {
        row(Load { torrents, peers, is_ipv6: false }.scaled(is_quick));
    }
    println!(
        "\nMedians of {ROUNDS} alternating rounds (least–greatest). The file is written and read on the machine's disk, synced \
         when written, in its cache when read. Nanoseconds of an announce without sockets, on a thread of its own."
    );
}

fn row(load: Load) {
    let dir = tempfile::tempdir_in(std::env::current_dir().unwrap()).unwrap();
    let tracker = empty();
    load.come(&tracker, &mut service(&tracker));
    let [mut writing, mut meanwhile, mut beside, mut calm, mut loading] = [const { Vec::new() }; 5];
    for _ in 0..ROUNDS {
        let began = Instant::now();
        meanwhile.push(announces_while(load, &tracker, || {
            snapshot::save(dir.path(), &tracker, 0).unwrap();
        }));
        let span = began.elapsed();
        writing.push(span.as_secs_f64());
        beside.push(announces_while(load, &tracker, || count_for(span)));
        calm.push(announces_while(load, &tracker, || thread::sleep(span)));
        loading.push(load_into(&empty(), dir.path(), load));
    }
    let bytes: u64 =
        std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    println!(
        "| {} × {} | {} | {} | {} | {} | {} | {} |",
        load.torrents,
        load.peers,
        bytes >> 20,
        median(writing, 2).1,
        median(meanwhile, 0).1,
        median(beside, 0).1,
        median(calm, 0).1,
        median(loading, 2).1
    );
}

/// Nanoseconds of an announce on a thread of its own, while `work` is done on this one.
fn announces_while(load: Load, tracker: &Arc<Tracker>, work: impl FnOnce()) -> f64 {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let announcing = scope.spawn(|| {
            let mut service = service(tracker);
            let recording = Recording::scattered(load, SPELL, 0, &mut service);
            let (mut spells, mut took) = (0_u32, Duration::ZERO);
            while !is_over.load(Ordering::Relaxed) || spells == 0 {
                let began = Instant::now();
                recording.answer(&mut service, &mut Vec::new());
                took += began.elapsed();
                spells += 1;
            }
            took.as_nanos() as f64 / (f64::from(spells) * f64::from(SPELL))
        });
        work();
        is_over.store(true, Ordering::Relaxed);
        announcing.join().unwrap()
    })
}

/// Seconds until the tracker has all that is in the file.
fn load_into(tracker: &Tracker, dir: &Path, load: Load) -> f64 {
    let began = Instant::now();
    let Loaded::Whole(contents) = snapshot::load(dir, tracker, 0).unwrap() else {
        panic!("it was written whole")
    };
    let took = began.elapsed().as_secs_f64();
    assert_eq!(contents.peers, u64::from(load.everybody()));
    assert_eq!(tracker.stats().population.peers(), load.everybody() as usize);
    took
}
