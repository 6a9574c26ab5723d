//! Torrents whose names would lead elsewhere, and folders that do.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use lab::lan::Host;
use lab::machine::Ran;
use lab::stranger::{Manner, Stranger};
use lab::torrent::{Torrent, content};

use crate::scene::{FETCH_MAX, Scene};

const PIECE_BYTES: usize = 32 << 10;

/// Every file below a folder, links included.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.append(&mut files(&entry.path()));
        } else {
            found.insert(entry.path());
        }
    }
    found
}

#[test]
fn names_that_climb_out_or_are_too_long_stay_inside() {
    let scene = Scene::new();
    let long = "n".repeat(300);
    let paths: Vec<Vec<&str>> = vec![
        vec!["..", "..", "climbs"],
        vec!["/etc/absolute"],
        vec!["a/../../../slashes"],
        vec!["", ".", "..."],
        vec![&long],
        vec!["plain"],
    ];
    let list: Vec<(Vec<&str>, Vec<u8>)> =
        paths.into_iter().zip(20..).map(|(path, seed)| (path, content(seed, 50_000))).collect();
    let payload: Vec<u8> = list.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let torrent = Torrent::folder("..", &list, PIECE_BYTES, &format!("{}/announce", scene.url), false);
    assert_eq!(scene.hub.add(&torrent.bytes).status, 201);
    let manner = Manner::Honest { payload, piece_length: PIECE_BYTES };
    let seeder = Stranger::start(&Host::loopback(), &torrent.info_hash, manner);
    seeder.announce(scene.hub.http());

    let machine = scene.machine();
    let got = Ran::of(scene.get(&machine, &torrent.info_hash, &["-o", "out", "--no-seed"]), FETCH_MAX);
    got.went_well();
    let inside = files(&machine.home().join("out"));
    let bytes: BTreeSet<Vec<u8>> = inside.iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(bytes, list.into_iter().map(|(_, bytes)| bytes).collect(), "{inside:?}");
    let root = PathBuf::from(got.stdout.trim_end());
    assert!(
        inside.iter().all(|path| path.starts_with(&root)),
        "{inside:?} are not all in {}",
        root.display()
    );
    // And what is remembered of the files, which has its own folder.
    let own = machine.home().join(".local");
    let everything = files(machine.home());
    assert!(everything.iter().all(|path| inside.contains(path) || path.starts_with(&own)), "{everything:?}");
}

#[test]
fn links_in_the_folder_are_not_followed() {
    let scene = Scene::new();
    let list = [(vec!["a.bin"], content(30, 50_000)), (vec!["sub", "b.bin"], content(31, 50_000))];
    let torrent = Torrent::folder("set", &list, PIECE_BYTES, &format!("{}/announce", scene.url), false);
    for (link, to_file) in [("set", false), ("set/sub", false), ("set/a.bin", true)] {
        let machine = scene.machine();
        let file = torrent.save(machine.home());
        let outside = machine.home().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("victim"), "dear").unwrap();
        let link = machine.home().join("out").join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(if to_file { outside.join("victim") } else { outside.clone() }, &link).unwrap();

        let get = scene.get(&machine, file.to_str().unwrap(), &["-o", "out", "--no-seed"]);
        Ran::of(get, FETCH_MAX).failed_with(&[link.to_str().unwrap(), "symbolic link"]);
        assert_eq!(files(&outside), BTreeSet::from([outside.join("victim")]));
        assert_eq!(fs::read(outside.join("victim")).unwrap(), b"dear");
    }
}
