//! What trackers are told, and when.

use std::fs;

use lab::lan::Host;
use lab::machine::{Machine, Ran};
use lab::program::Signal;
use lab::torrent::{Torrent, content};
use lab::tracker::{Announce, Tracker};
use lab::wait::{self, SOON};

use crate::scene::{FETCH_MAX, FILE_BYTES, Scene, skep};

#[test]
fn a_tracker_is_told_the_truth_and_no_more_than_it_needs() {
    let (tracker, payload) = (Tracker::start(), content(5, FILE_BYTES));
    let (here, there) = (Machine::new(skep(), &Host::loopback()), Machine::new(skep(), &Host::loopback()));
    let torrent = Torrent::new("field.bin", &payload, 256 << 10, &tracker.url(), false).save(here.home());
    let torrent = torrent.to_str().unwrap();
    fs::write(here.home().join("field.bin"), &payload).unwrap();
    let seeding = here.start(&["get", torrent]);
    wait::until("the seeder's announce", SOON, || (!tracker.heard().is_empty()).then_some(()));
    there.run(&["get", torrent, "--no-seed"], FETCH_MAX).went_well();
    seeding.signal(Signal::INT);
    Ran::of(seeding, SOON).went_well();

    let heard = tracker.heard();
    let size = FILE_BYTES as u64;
    let told = |port: u16| -> Vec<(String, u64, u64, u64)> {
        let mine = heard.iter().filter(|announce| announce.port == port);
        mine.map(|Announce { event, uploaded, downloaded, left, .. }| {
            (event.clone(), *uploaded, *downloaded, *left)
        })
        .collect()
    };
    let line = |event: &str, uploaded, downloaded, left| (event.to_owned(), uploaded, downloaded, left);
    let seeder = heard[0].port;
    assert_eq!(
        told(seeder),
        [line("started", 0, 0, 0), line("stopped", size, 0, 0)],
        "who has all never completes"
    );
    let leecher = heard.iter().find(|announce| announce.port != seeder).unwrap().port;
    assert_eq!(
        told(leecher),
        [line("started", 0, 0, size), line("completed", 0, size, 0), line("stopped", 0, size, 0)]
    );
    assert_eq!(heard.len(), 5, "{heard:?}");
}

#[test]
fn the_hub_counts_a_download_once_and_sees_at_once_who_left() {
    let (scene, payload) = (Scene::new(), content(6, FILE_BYTES));
    let (here, there) = (scene.machine(), scene.machine());
    let sharing = scene.share(&here, "field.bin", &payload, &[]);
    let hash = sharing.info_hash();
    let counts = || {
        let swarm = scene.hub.swarm(&hash).unwrap();
        (swarm.complete, swarm.incomplete, swarm.downloaded)
    };
    assert_eq!(counts(), (1, 0, 0), "a seeder has downloaded nothing");
    Ran::of(scene.get(&there, "field.bin", &["--no-seed"]), FETCH_MAX).went_well();
    assert_eq!(counts(), (1, 0, 1));
    // What was fetched before is seeded: no second download.
    let again = scene.get(&there, "field.bin", &[]);
    scene.hub.await_swarm(&hash, SOON, |swarm| swarm.complete == 2);
    assert_eq!(counts(), (2, 0, 1));
    for program in [again, sharing.program] {
        program.signal(Signal::TERM);
        Ran::of(program, SOON).went_well();
    }
    assert_eq!(counts(), (0, 0, 1));
}
