use super::*;

#[test]
fn a_restart_in_the_middle_goes_on_without_hashing() {
    let bench = Bench::new(awkward());
    let (open, _) = bench.reopen();
    open.fetch(&bench.payload, [0, 3, 4]);
    open.write(1, 0, &bench.payload[65_536..65_536 + 16_384]);
    open.storage.save(&bench.state_dir()).unwrap();
    drop(open);
    let (open, checked) = bench.reopen();
    assert_eq!(checked.have.iter().collect::<Vec<_>>(), [0, 3, 4]);
    open.fetch(&bench.payload, [1, 2, 5]);
    bench.assert_complete();
}

#[test]
fn what_was_written_after_the_last_save_is_found() {
    let bench = Bench::new(awkward());
    let (open, _) = bench.reopen();
    open.fetch(&bench.payload, [0]);
    open.storage.save(&bench.state_dir()).unwrap();
    open.fetch(&bench.payload, [1, 2, 3]);
    drop(open);
    let (_, checked) = bench.reopen();
    assert_eq!(checked.have.iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(checked.hashed_bytes > 0);
}

#[test]
fn what_was_written_before_the_last_save_and_verified_after_it_is_kept() {
    let bench = Bench::new(awkward());
    let (open, _) = bench.reopen();
    open.write_piece(&bench.payload, 2);
    for _ in 0..4 {
        assert!(matches!(open.done.recv().unwrap(), Done::Written { .. }));
    }
    open.storage.save(&bench.state_dir()).unwrap();
    open.storage.verify(2);
    assert_eq!(open.hashed(), (2, Ok(true)));
    drop(open);
    assert_eq!(bench.reopen().1.have.iter().collect::<Vec<_>>(), [2]);
}

#[test]
fn an_unchanged_torrent_is_not_hashed_again() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    let (open, checked) = bench.reopen();
    assert!(checked.have.is_full() && checked.first_problem.is_none());
    assert_eq!(checked.hashed_bytes, 0);
    drop(open);
    bench.assert_complete();
}

#[test]
fn a_flipped_byte_is_found_and_fetched_again() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    flip(&bench.file("exact"), 70_000);
    let (open, checked) = bench.reopen();
    assert_eq!(checked.have.iter().collect::<Vec<_>>(), [0, 1, 2, 4, 5]);
    assert_eq!(checked.hashed_bytes, 2 * 65_536, "only the file that changed");
    assert!(!bench.file("exact").exists(), "no unfinished file has its own name");
    open.fetch(&bench.payload, [3]);
    bench.assert_complete();
}

#[test]
fn a_flipped_byte_is_found_though_the_time_was_set_back() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    let path = bench.file("exact");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    flip(&path, 0);
    fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    assert_eq!(bench.reopen().1.have.count(), 5);
}

#[test]
fn a_flipped_byte_of_an_unfinished_file_is_found() {
    let bench = Bench::new(awkward());
    let (open, _) = bench.reopen();
    open.fetch(&bench.payload, [2]);
    open.storage.save(&bench.state_dir()).unwrap();
    drop(open);
    flip(&bench.parts().join("3"), 0);
    assert!(bench.reopen().1.have.is_empty());
}

#[test]
fn a_truncated_file_keeps_what_it_has() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    fs::File::options().write(true).open(bench.file("exact")).unwrap().set_len(100_000).unwrap();
    let (open, checked) = bench.reopen();
    assert_eq!(checked.have.iter().collect::<Vec<_>>(), [0, 1, 2, 4, 5]);
    open.fetch(&bench.payload, [3]);
    bench.assert_complete();
}

#[test]
fn a_file_that_grew_is_cut() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    let mut longer = bench.payload[131_072..262_144].to_vec();
    longer.extend([1; 100]);
    fs::write(bench.file("exact"), longer).unwrap();
    assert!(bench.reopen().1.have.is_full());
    bench.assert_complete();
}

#[test]
fn a_replaced_file_is_mended() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    let other = bench.folder.path().join("other");
    fs::write(&other, vec![1; 131_072]).unwrap();
    fs::rename(&other, bench.file("exact")).unwrap();
    let (open, checked) = bench.reopen();
    assert_eq!(checked.have.iter().collect::<Vec<_>>(), [0, 1, 4, 5]);
    open.fetch(&bench.payload, [2, 3]);
    bench.assert_complete();
}

#[test]
fn a_missing_file_is_fetched_again() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    fs::remove_file(bench.file("tiny/2")).unwrap();
    let (open, checked) = bench.reopen();
    assert_eq!(checked.have.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 5]);
    let problem = checked.first_problem.unwrap().to_string();
    assert!(problem.ends_with("torrent/tiny/2`: it is not there"), "{problem}");
    open.fetch(&bench.payload, [4]);
    bench.assert_complete();
}

#[test]
fn a_torrent_whose_data_is_gone_starts_anew() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    fs::remove_dir_all(bench.target()).unwrap();
    let (open, checked) = bench.reopen();
    assert!(checked.have.is_empty() && checked.first_problem.is_some());
    open.fetch(&bench.payload, 0..6);
    bench.assert_complete();
}

#[test]
fn a_damaged_state_is_as_good_as_none() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    let [path] = &bench.records()[..] else { panic!("one record") };
    let place = Place::Download(bench.target());
    let load = || resume::load(&bench.state_dir(), &bench.layout, &place);
    let whole = fs::read(path).unwrap();
    assert!(load().is_some());
    for bytes in 0..whole.len() {
        fs::write(path, &whole[..bytes]).unwrap();
        assert_eq!(load(), None, "cut at {bytes}");
        let mut flipped = whole.clone();
        flipped[bytes] ^= 1;
        fs::write(path, flipped).unwrap();
        assert_eq!(load(), None, "flipped at {bytes}");
    }
    let (_, checked) = bench.reopen();
    assert!(checked.have.is_full());
    assert_eq!(checked.hashed_bytes, bench.layout.size());
    bench.assert_complete();
}

#[test]
fn files_that_are_there_already_are_recognized() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    fs::remove_dir_all(bench.state_dir()).unwrap();
    flip(&bench.file("a b/größe.txt"), 3);
    fs::remove_file(bench.file("exact")).unwrap();
    let (open, checked) = bench.reopen();
    assert_eq!(checked.have.iter().collect::<Vec<_>>(), [1, 4, 5]);
    open.fetch(&bench.payload, [0, 2, 3]);
    bench.assert_complete();
}

#[test]
fn a_file_that_is_changed_while_it_is_shared_is_not_sent() {
    let bench = Bench::new(awkward());
    let open = bench.finished();
    flip(&bench.file("exact"), 0);
    let problem = open.read(2, 0, 10).unwrap_err();
    assert_eq!(problem.cause, Cause::Changed);
    open.storage.save(&bench.state_dir()).unwrap();
    drop(open);
    assert_eq!(bench.reopen().1.have.iter().collect::<Vec<_>>(), [0, 1, 3, 4, 5], "saving did not hide it");
}

#[test]
fn a_check_can_be_broken_off() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    let open = bench.open();
    let problem = open.storage.check(None, &|_| ControlFlow::Break(())).unwrap_err();
    assert_eq!(problem.cause, Cause::Cancelled);
    drop(open);
    bench.assert_complete();
}

#[test]
fn what_is_unfinished_can_be_discarded() {
    let bench = Bench::new(awkward());
    let (open, _) = bench.reopen();
    open.fetch(&bench.payload, [2, 3, 0]);
    open.storage.discard().unwrap();
    assert!(bench.file("exact").exists() && !bench.parts().exists());
}

#[test]
fn a_small_file_that_no_hash_tells_apart_is_compared_in_the_end() {
    for (content, ours) in [(None, true), (Some("other"), false)] {
        let bench = Bench::new(awkward());
        let (open, _) = bench.reopen();
        open.fetch(&bench.payload, [4]);
        drop(open);
        // Its piece is bad by the fault of another file, and nothing was saved.
        flip(&bench.parts().join("6"), 0);
        if let Some(content) = content {
            fs::write(bench.file("tiny/1"), content).unwrap();
        }
        let before = fs::read(bench.file("tiny/1")).unwrap();
        let (open, checked) = bench.reopen();
        assert!(checked.have.is_empty());
        open.write_piece(&bench.payload, 4);
        open.storage.verify(4);
        let named = loop {
            if let Done::Named { file: 4, outcome } = open.done.recv().unwrap() {
                break outcome;
            }
        };
        assert_eq!(named.is_ok(), ours, "{named:?}");
        assert_eq!(fs::read(bench.file("tiny/1")).unwrap(), before);
    }
}

#[test]
fn a_torrent_that_is_open_can_be_checked_again() {
    let bench = Bench::new(awkward());
    let open = bench.finished();
    assert!(!bench.parts().exists());
    flip(&bench.file("exact"), 70_000);
    let checked = open.storage.check(Some(&bench.state_dir()), &no_progress).unwrap();
    assert_eq!(checked.have.iter().collect::<Vec<_>>(), [0, 1, 2, 4, 5]);
    let disk = Disk::start(&Config::default()).unwrap();
    let place = Place::Download(bench.target());
    let other = disk.open(bench.layout.clone(), place, |_| true, drop::<Done>).unwrap_err();
    assert_eq!(other.cause, Cause::Locked, "while something is missing, other processes are kept out");
    open.fetch(&bench.payload, [3]);
    bench.assert_complete();
}

#[test]
fn what_is_to_be_written_is_written_before_it_is_saved() {
    let bench = Bench::new(awkward());
    let (open, _) = bench.reopen();
    for piece in 0..bench.layout.pieces() {
        open.write_piece(&bench.payload, piece);
        open.storage.verify(piece);
    }
    open.storage.save(&bench.state_dir()).unwrap();
    drop(open);
    let (_, checked) = bench.reopen();
    assert!(checked.have.is_full() && checked.hashed_bytes == 0, "{checked:?}");
}

#[test]
fn the_same_torrent_in_two_places_has_two_records() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    let copy = bench.folder.path().join("copy");
    assert!(
        std::process::Command::new("cp")
            .arg("-a")
            .args([bench.target(), copy.clone()])
            .status()
            .unwrap()
            .success()
    );
    let shared = bench.open_at(Place::Source(copy.join("torrent"))).unwrap();
    let checked = shared.storage.check(Some(&bench.state_dir()), &no_progress).unwrap();
    assert!(checked.have.is_full());
    assert_eq!(checked.hashed_bytes, bench.layout.size(), "a copy is not what was hashed");
    shared.storage.save(&bench.state_dir()).unwrap();
    assert_eq!(bench.records().len(), 2);
    assert_eq!(bench.reopen().1.hashed_bytes, 0);
    assert_eq!(shared.storage.check(Some(&bench.state_dir()), &no_progress).unwrap().hashed_bytes, 0);
}

#[test]
fn what_was_hashed_elsewhere_is_believed_of_the_very_files() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    fs::remove_dir_all(bench.state_dir()).unwrap();
    let (state, path, torrent) =
        (bench.state_dir(), bench.target().join("torrent"), bench.layout.metainfo().clone());
    let place = Place::Source(path.clone());
    assert!(!knows(&state, &torrent, &place));
    let stored = torrent.files().iter().filter(|file| !file.pad);
    let of =
        |file: &wire::metainfo::File| Identity::of(&fs::metadata(path.join(file.path.join("/"))).unwrap());
    let files: Vec<Identity> = stored.map(of).collect();
    remember(&state, &torrent, &place, &files).unwrap();
    assert!(knows(&state, &torrent, &place));
    let open = bench.open_at(place.clone()).unwrap();
    let checked = open.storage.check(Some(&state), &no_progress).unwrap();
    assert!(checked.have.is_full() && checked.hashed_bytes == 0, "{checked:?}");

    fs::write(bench.file("tiny/1"), "later").unwrap();
    assert!(!knows(&state, &torrent, &place), "one was written again, even with the same bytes");
    remember(&state, &torrent, &place, &files[1..]).unwrap();
    assert!(!knows(&state, &torrent, &place), "those are others");
}

#[test]
fn what_nobody_uses_any_more_goes_from_the_state_directory() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(365 * 24 * 60 * 60);
    for name in ["old.resume", "old.made", "old.17.new", "old.other"] {
        let file = fs::File::create(bench.state_dir().join(name)).unwrap();
        file.set_modified(old).unwrap();
    }
    prepare_state_dir(&bench.state_dir()).unwrap();
    let mut left: Vec<_> =
        fs::read_dir(bench.state_dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    left.sort();
    let mut expected = bench.records();
    expected.push(bench.state_dir().join("old.other"));
    expected.sort();
    assert_eq!(left, expected);
}
