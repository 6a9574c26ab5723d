//! Several who fetch at once.

use std::collections::BTreeSet;
use std::fs;

use lab::hub::Setup;
use lab::lan::Lan;
use lab::machine::Machine;
use lab::torrent::content;
use lab::wait;
use lab::{aria2, libtorrent};

use crate::scene::{FETCH_MAX, FILE_BYTES, Scene, await_path, good_pieces, part, skep};

#[test]
fn the_seeder_may_die_once_one_copy_is_out() {
    let (scene, payload) = (Scene::new(), content(7, FILE_BYTES));
    let (here, machines) = (scene.machine(), [(); 3].map(|()| scene.machine()));
    let sharing = scene.share(&here, "field.bin", &payload, &["--limit-up", "6M"]);
    let (hash, piece) = (sharing.info_hash(), scene.piece_length(&sharing.info_hash()));
    // They are slower than the seeder, so that no one of them has everything when it dies.
    let mut gets = machines.each_ref().map(|machine| scene.get(machine, "field.bin", &["--limit-up", "1M"]));
    wait::until("one copy among the three", FETCH_MAX, || {
        let parts = machines.each_ref().map(|machine| part(machine.home(), &hash));
        let out: BTreeSet<usize> = parts.iter().flat_map(|part| good_pieces(part, &payload, piece)).collect();
        (out.len() == payload.len().div_ceil(piece)).then_some(())
    });
    sharing.program.kill();
    assert!(machines.iter().all(|machine| !machine.home().join("field.bin").exists()), "killed too late");
    for get in &mut gets {
        assert_eq!(fs::read(await_path(get)).unwrap(), payload);
    }
}

#[test]
fn clients_of_all_kinds_feed_each_other() {
    if !lab::have(&[aria2::PROGRAM]) || !libtorrent::is_there() {
        return;
    }
    let Some(mut lan) = Lan::new() else { return };
    let state = tempfile::tempdir().unwrap();
    let config = "[tracker]\ninterval_secs = 5\ninterval_min_secs = 2\n";
    let hub = Setup::new(skep()).on(&lan.host("hub")).config(config).start(state.path());
    let [seeder, ours, aria2s, libtorrents] =
        ["seeder", "skep", "aria2", "libtorrent"].map(|name| lan.host(name));
    let size = 32 << 20;
    let payload = content(8, size);
    // Its link is what is scarce: 5 MB/s.
    seeder.limit_uplink(40_000_000);
    let here = Machine::new(skep(), &seeder);
    fs::write(here.home().join("field.bin"), &payload).unwrap();
    let url = format!("http://{}", hub.http());
    let sharing = here.share(&["share", "field.bin", "-t", &url]);
    let hash = sharing.info_hash();
    let torrent = state.path().join("field.torrent");
    fs::write(&torrent, hub.get(&format!("/t/{hash}.torrent")).body).unwrap();
    let torrent = torrent.to_str().unwrap();

    let there = Machine::new(skep(), &ours);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let _running = [
        there.start(&["get", torrent]),
        aria2::fetch(&aria2s, torrent, folders[0].path()),
        libtorrent::start(&libtorrents, torrent, folders[1].path()),
    ];
    hub.await_swarm(&hash, FETCH_MAX, |swarm| swarm.complete == 4);
    for folder in [there.home(), folders[0].path(), folders[1].path()] {
        wait::until("a whole copy", FETCH_MAX, || {
            fs::read(folder.join("field.bin")).is_ok_and(|bytes| bytes == payload).then_some(())
        });
    }
    let [from_seeder, from_ours, from_aria2, from_libtorrent] =
        [&seeder, &ours, &aria2s, &libtorrents].map(|host| host.sent_bytes() as f64 / size as f64);
    let told = format!(
        "copies sent: seeder {from_seeder:.2}, skep {from_ours:.2}, aria2 {from_aria2:.2}, libtorrent {from_libtorrent:.2}"
    );
    // Alone it would send three copies.
    assert!(from_seeder < 1.5, "{told}");
    assert!([from_ours, from_aria2, from_libtorrent].iter().all(|copies| *copies > 0.1), "{told}");
}
