//! Downloads that end in the middle, and what goes bad meanwhile.

use std::fs;

use lab::folder::Folder;
use lab::machine::Ran;
use lab::program::Signal;
use lab::torrent::{Torrent, content};
use lab::wait::{self, SOON};

use crate::scene::{FETCH_MAX, FILE_BYTES, Scene, await_part, await_path, good_pieces, part, spoil};

const PIECE_BYTES: usize = 64 << 10;

/// A seeder that leaves time to do something.
const SLOW: &[&str] = &["--limit-up", "4M"];

#[test]
fn a_killed_get_fetches_only_what_it_had_not_verified() {
    let (scene, payload) = (Scene::new(), content(1, FILE_BYTES));
    let (here, there) = (scene.machine(), scene.machine());
    let sharing = scene.share(&here, "field.bin", &payload, SLOW);
    let (hash, piece) = (sharing.info_hash(), scene.piece_length(&sharing.info_hash()));
    let get = scene.get(&there, "field.bin", &[]);
    await_part(there.home(), &hash, &payload, piece, FILE_BYTES / 3);
    get.kill();
    assert!(!there.home().join("field.bin").exists(), "nothing unfinished has its final name");
    let kept = good_pieces(&part(there.home(), &hash), &payload, piece).len();
    assert!(kept * piece < FILE_BYTES, "killed too late to show anything");

    let mut again = scene.get(&there, "field.bin", &[]);
    assert_eq!(fs::read(await_path(&mut again)).unwrap(), payload);
    assert_eq!(scene.fetched_when(&hash, 2), (FILE_BYTES - kept * piece) as u64, "{kept} pieces were there");
    assert_eq!(scene.hub.swarm(&hash).unwrap().downloaded, 1);
}

#[test]
fn a_killed_get_of_a_folder_leaves_whole_files_and_fetches_the_rest() {
    let scene = Scene::new();
    let (here, there) = (scene.machine(), scene.machine());
    let names: Vec<String> = (0..40).map(|number| format!("{number}.bin")).collect();
    let file = |(number, name)| (vec!["deep", name], content(number, FILE_BYTES / 40 + 7));
    let files = (100..).zip(names.iter().map(String::as_str)).map(file).collect();
    let folder = Folder { name: "set", files };
    let torrent =
        Torrent::folder(folder.name, &folder.files, PIECE_BYTES, &format!("{}/announce", scene.url), false);
    assert_eq!(scene.hub.add(&torrent.bytes).status, 201);
    let (hash, torrent_file) = (&torrent.info_hash, torrent.save(here.home()));
    folder.write(here.home());
    let _seeding = scene.get(&here, torrent_file.to_str().unwrap(), SLOW);
    scene.hub.await_swarm(hash, SOON, |swarm| swarm.complete == 1);

    let get = scene.get(&there, "set", &[]);
    let root = there.home().join("set").join("deep");
    let is_there = |name: &&String| root.join(name).exists();
    wait::until("half the files", FETCH_MAX, || (names.iter().filter(is_there).count() >= 20).then_some(()));
    get.kill();
    let parts = there.home().join(format!(".skep-{hash}"));
    let mut found = Vec::new();
    for (number, (name, (_, bytes))) in names.iter().zip(&folder.files).enumerate() {
        let named = fs::read(root.join(name)).ok();
        assert!(named.as_ref().is_none_or(|named| named == bytes), "{name} has its name and is not whole");
        let mut part = named.or_else(|| fs::read(parts.join(number.to_string())).ok()).unwrap_or_default();
        part.resize(bytes.len(), 0);
        found.append(&mut part);
    }
    let payload: Vec<u8> = folder.files.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let lost = payload.chunks(PIECE_BYTES).zip(found.chunks(PIECE_BYTES)).filter(|(a, b)| a != b);
    let lost: u64 = lost.map(|(piece, _)| piece.len() as u64).sum();
    assert!(lost > 0, "killed too late to show anything");

    let mut again = scene.get(&there, "set", &[]);
    assert_eq!(folder.difference(&await_path(&mut again)), None);
    assert_eq!(scene.fetched_when(hash, 2), lost);
}

#[test]
fn an_interrupted_get_says_so_and_mends_what_went_bad_meanwhile() {
    let (scene, payload) = (Scene::new(), content(2, FILE_BYTES));
    let (here, there) = (scene.machine(), scene.machine());
    let sharing = scene.share(&here, "field.bin", &payload, SLOW);
    let (hash, piece) = (sharing.info_hash(), scene.piece_length(&sharing.info_hash()));
    let get = scene.get(&there, "field.bin", &[]);
    await_part(there.home(), &hash, &payload, piece, FILE_BYTES / 3);
    get.signal(Signal::INT);
    Ran::of(get, SOON).failed_with(&["interrupted", "what was verified is kept"]);
    let swarm = scene.hub.swarm(&hash).unwrap();
    assert_eq!((swarm.complete, swarm.incomplete), (1, 0), "the hub has heard that it left");

    let path = part(there.home(), &hash);
    let good = good_pieces(&path, &payload, piece);
    spoil(&path, (good[good.len() / 2] * piece + 7) as u64);
    let mut again = scene.get(&there, "field.bin", &[]);
    assert_eq!(fs::read(await_path(&mut again)).unwrap(), payload);
    let missing = FILE_BYTES - (good.len() - 1) * piece;
    assert_eq!(scene.fetched_when(&hash, 2), missing as u64, "{} pieces were there, one bad", good.len());
}

#[test]
fn a_whole_file_that_went_bad_has_no_name_until_it_is_mended() {
    let (scene, payload) = (Scene::new(), content(3, FILE_BYTES));
    let (here, there) = (scene.machine(), scene.machine());
    let sharing = scene.share(&here, "field.bin", &payload, &[]);
    let (hash, piece) = (sharing.info_hash(), scene.piece_length(&sharing.info_hash()));
    Ran::of(scene.get(&there, "field.bin", &["--no-seed"]), FETCH_MAX).went_well();
    sharing.program.signal(Signal::INT);
    Ran::of(sharing.program, SOON).went_well();

    let file = there.home().join("field.bin");
    spoil(&file, 3 * piece as u64 + 1);
    let mut again = scene.get(&there, "field.bin", &[]);
    wait::until("the damage to be found", SOON, || (!file.exists()).then_some(()));
    let _sharing = scene.share(&here, "field.bin", &payload, &[]);
    assert_eq!(await_path(&mut again), file.canonicalize().unwrap());
    assert_eq!(fs::read(&file).unwrap(), payload);
    assert_eq!(scene.fetched_when(&hash, 2), piece as u64, "one piece was bad");
}

#[test]
fn what_is_whole_is_not_fetched_again() {
    let (scene, payload) = (Scene::new(), content(4, FILE_BYTES));
    let (here, there) = (scene.machine(), scene.machine());
    let sharing = scene.share(&here, "field.bin", &payload, &[]);
    let hash = sharing.info_hash();
    for _ in 0..2 {
        let got = Ran::of(scene.get(&there, "field.bin", &["--no-seed"]), FETCH_MAX);
        got.went_well();
        assert_eq!(got.stdout.trim_end(), there.home().join("field.bin").to_str().unwrap());
        assert_eq!(scene.hub.swarm(&hash).unwrap().downloaded, 1, "it was completed once");
    }
    assert_eq!(fs::read(there.home().join("field.bin")).unwrap(), payload);
}
