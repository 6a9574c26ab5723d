//! What a second core is worth: announces without sockets, on one thread, on two of one tracker, and on two of a tracker each.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use hub::tracker::Tracker;

use super::crowd::{Load, Recording, empty, median, service};

const ROUNDS: usize = 7;

/// Prints a table; `is_quick`: of small crowds, to see that it runs.
pub(super) fn run(is_quick: bool) {
    let announces = if is_quick { 20_000 } else { 1_000_000 };
    println!(
        "| torrents × peers | one thread, ns | two of one tracker | two of a tracker each | worth of the second | worth without sharing |\n\
         |---|---|---|---|---|---|"
    );
    for (torrents, peers) in [(1_000_000, 2), (10_000, 100), (1, 1_000_000)] {
        let load = Load { torrents, peers, is_ipv6: false }.scaled(is_quick);
        let trackers = [(); 2].map(|()| filled(load));
        let [first, second] = &trackers;
        let mut took = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            let runs = [&[first][..], &[first, first], &[first, second]];
            for (took, run) in took.iter_mut().zip(runs) {
                took.push(nanos(load, run, announces));
            }
        }
        let [one, shared, apart] = took.map(|took| median(took, 0));
        println!(
            "| {} × {} | {} | {} | {} | {:.2} | {:.2} |",
            load.torrents,
            load.peers,
            one.1,
            shared.1,
            apart.1,
            2.0 * one.0 / shared.0,
            2.0 * one.0 / apart.0
        );
    }
    println!(
        "\nMedians of {ROUNDS} alternating rounds (least–greatest) of {announces} announces a thread: nanoseconds a thread and \
         announce. Worth: how many times the announces of one thread two get done in the same time."
    );
}

fn filled(load: Load) -> Arc<Tracker> {
    let tracker = empty();
    load.come(&tracker, &mut service(&tracker));
    tracker
}

/// Nanoseconds that an announce takes on each of as many threads as there are trackers.
fn nanos(load: Load, trackers: &[&Arc<Tracker>], announces: u32) -> f64 {
    let start = Barrier::new(trackers.len());
    let times = thread::scope(|scope| {
        let threads: Vec<_> = (0_u32..)
            .zip(trackers)
            .map(|(order, tracker)| {
                let start = &start;
                scope.spawn(move || {
                    let mut service = service(tracker);
                    let recording = Recording::scattered(load, announces, order, &mut service);
                    start.wait();
                    let began = Instant::now();
                    recording.answer(&mut service, &mut Vec::new());
                    began.elapsed().as_nanos() as f64 / f64::from(announces)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    times.iter().sum::<f64>() / times.len() as f64
}
