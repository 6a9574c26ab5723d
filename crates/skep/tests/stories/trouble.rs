//! What goes wrong around a transfer, and what a person is told then.

use std::fs;

use lab::machine::Ran;
use lab::program::Signal;
use lab::small_disk::SmallDisk;
use lab::torrent::{Torrent, content};
use lab::wait::{self, SOON};

use crate::scene::{FETCH_MAX, FILE_BYTES, Scene, await_part, await_path, good_pieces, part};

#[test]
fn a_second_get_into_the_same_folder_is_refused_and_harms_nothing() {
    let (scene, payload) = (Scene::new(), content(11, FILE_BYTES));
    let (here, there) = (scene.machine(), scene.machine());
    let sharing = scene.share(&here, "field.bin", &payload, &["--limit-up", "4M"]);
    let (hash, piece) = (sharing.info_hash(), scene.piece_length(&sharing.info_hash()));
    let mut first = scene.get(&there, "field.bin", &[]);
    await_part(there.home(), &hash, &payload, piece, piece);
    let second = scene.get(&there, "field.bin", &["--no-seed"]);
    Ran::of(second, SOON).failed_with(&["another process is fetching the same torrent into this folder"]);
    assert_eq!(fs::read(await_path(&mut first)).unwrap(), payload);
    assert_eq!(scene.fetched_when(&hash, 2), FILE_BYTES as u64);
}

#[test]
fn of_two_torrents_that_claim_one_path_the_second_is_refused() {
    let scene = Scene::new();
    let (mine, other) = (content(12, FILE_BYTES), content(13, FILE_BYTES));
    let (here, there, also) = (scene.machine(), scene.machine(), scene.machine());
    let first = scene.share(&here, "field.bin", &mine, &[]);
    let second = scene.share(&also, "field.bin", &other, &[]);
    let (first, second) = (first.info_hash(), second.info_hash());

    // Both at once: whichever comes second.
    let both = there.run(&["get", &first, &second, "-t", &scene.url, "-o", "both", "--no-seed"], FETCH_MAX);
    both.failed_with(&["is written there already"]);
    // One after the other.
    Ran::of(scene.get(&there, &first, &["--no-seed"]), FETCH_MAX).went_well();
    let file = there.home().join("field.bin");
    Ran::of(scene.get(&there, &second, &["--no-seed"]), FETCH_MAX)
        .failed_with(&[file.to_str().unwrap(), "something else has that name"]);
    assert_eq!(fs::read(&file).unwrap(), mine);
}

#[test]
fn data_that_goes_missing_stops_its_torrent_and_no_other() {
    let scene = Scene::new();
    let (gone, shorter, kept) = (content(14, FILE_BYTES), content(15, FILE_BYTES), content(16, FILE_BYTES));
    let (here, there) = (scene.machine(), scene.machine());
    fs::write(here.home().join("gone.bin"), &gone).unwrap();
    fs::write(here.home().join("kept.bin"), &kept).unwrap();
    let sharing = scene.share(&here, "shorter.bin", &shorter, &["gone.bin", "kept.bin"]);
    fs::remove_file(here.home().join("gone.bin")).unwrap();
    let file = fs::File::options().write(true).open(here.home().join("shorter.bin")).unwrap();
    file.set_len(1000).unwrap();

    let _lost = [scene.get(&there, "gone.bin", &[]), scene.get(&there, "shorter.bin", &[])];
    for name in ["gone.bin", "shorter.bin"] {
        wait::until("a word about what is missing", FETCH_MAX, || {
            let said = sharing.program.stderr();
            said.lines().any(|line| line.starts_with("error: ") && line.contains(name)).then_some(())
        });
    }
    Ran::of(scene.get(&there, "kept.bin", &["--no-seed"]), FETCH_MAX).went_well();
    assert_eq!(fs::read(there.home().join("kept.bin")).unwrap(), kept);
    for name in ["gone.bin", "shorter.bin"] {
        assert!(!there.home().join(name).exists(), "{name} cannot have come");
    }
}

#[test]
fn a_full_disk_is_told_and_what_was_verified_is_kept() {
    let Some(disk) = SmallDisk::new(6 << 20) else { return };
    let (scene, payload) = (Scene::new(), content(17, FILE_BYTES));
    let (here, there) = (scene.machine(), scene.machine());
    let sharing = scene.share(&here, "field.bin", &payload, &[]);
    let (hash, piece) = (sharing.info_hash(), scene.piece_length(&sharing.info_hash()));
    let folder = disk.path().to_str().unwrap();
    let get = || scene.get(&there, "field.bin", &["-o", folder]);
    let refused = Ran::of(get(), FETCH_MAX);
    refused.failed_with(&["the disk is full", "free some space"]);
    assert!(!disk.path().join("field.bin").exists());
    let kept = good_pieces(&part(disk.path(), &hash), &payload, piece).len();
    assert!(kept > 0 && kept * piece <= 6 << 20, "{kept} pieces are there");

    disk.resize(64 << 20);
    assert_eq!(fs::read(await_path(&mut get())).unwrap(), payload);
    assert_eq!(scene.fetched_when(&hash, 2), (FILE_BYTES - kept * piece) as u64, "{kept} pieces were there");
}

#[test]
fn a_second_ctrl_c_is_as_safe_as_the_first() {
    let (scene, payload) = (Scene::new(), content(18, FILE_BYTES));
    let (here, there) = (scene.machine(), scene.machine());
    let sharing = scene.share(&here, "field.bin", &payload, &["--limit-up", "4M"]);
    let (hash, piece) = (sharing.info_hash(), scene.piece_length(&sharing.info_hash()));
    let get = scene.get(&there, "field.bin", &[]);
    await_part(there.home(), &hash, &payload, piece, FILE_BYTES / 4);
    // Frozen, the hub does not hear the goodbye that the first one causes.
    scene.hub.program().signal(Signal::STOP);
    get.signal(Signal::INT);
    get.signal(Signal::INT);
    let stopped = Ran::of(get, SOON);
    scene.hub.program().signal(Signal::CONT);
    assert_eq!(stopped.code, Some(1), "{}", stopped.stderr);
    let kept = good_pieces(&part(there.home(), &hash), &payload, piece).len();
    let mut again = scene.get(&there, "field.bin", &[]);
    assert_eq!(fs::read(await_path(&mut again)).unwrap(), payload);
    assert_eq!(scene.fetched_when(&hash, 2), (FILE_BYTES - kept * piece) as u64, "{kept} pieces were there");
}

#[test]
fn what_cannot_be_found_is_told() {
    let scene = Scene::new();
    let machine = scene.machine();
    Ran::of(scene.get(&machine, "nothing", &[]), SOON).failed_with(&["no torrent is named \"nothing\""]);
    machine.run(&["get", "nothing", "-t", "http://127.0.0.1:1"], SOON).failed_with(&["127.0.0.1:1"]);
    fs::write(machine.home().join("bad.torrent"), "d4:infoe").unwrap();
    Ran::of(scene.get(&machine, "bad.torrent", &[]), SOON).failed_with(&["bad.torrent"]);
    let torrent = Torrent::new("field.bin", b"x", 16 << 10, "http://127.0.0.1:1/announce", false);
    let short = &torrent.bytes[..torrent.bytes.len() - 5];
    fs::write(machine.home().join("cut.torrent"), short).unwrap();
    Ran::of(scene.get(&machine, "cut.torrent", &[]), SOON).failed_with(&["cut.torrent"]);
    assert_eq!(fs::read_dir(machine.home()).unwrap().count(), 2, "nothing was begun");
}
