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
    let path = bench.state_dir().join(format!("{}.resume", bench.layout.info_hash()));
    let whole = fs::read(&path).unwrap();
    for bytes in 0..whole.len() {
        fs::write(&path, &whole[..bytes]).unwrap();
        assert_eq!(resume::load(&bench.state_dir(), &bench.layout), None, "cut at {bytes}");
        let mut flipped = whole.clone();
        flipped[bytes] ^= 1;
        fs::write(&path, flipped).unwrap();
        assert_eq!(resume::load(&bench.state_dir(), &bench.layout), None, "flipped at {bytes}");
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
