use super::*;

#[test]
fn a_download_gets_its_names_when_it_is_verified() {
    let bench = Bench::new(awkward());
    let (open, checked) = bench.reopen();
    assert_eq!((checked.have.count(), checked.hashed_bytes), (0, 0));
    assert!(bench.file("empty").exists(), "an empty file is complete at once");
    let last = bench.layout.pieces() - 1;
    open.fetch(&bench.payload, (0..last).rev());
    assert!(bench.file("exact").exists() && bench.file("a b/größe.txt").exists());
    assert!(!bench.file("tiny/deep").exists(), "its last piece is missing");
    open.fetch(&bench.payload, [last]);
    bench.assert_complete();
    assert!(open.storage.have().is_full());
}

#[test]
fn blocks_in_any_order_make_the_same_piece() {
    let (layout, payload) = torrent(&[], 65_536, Some(&[5; 65_536]));
    for order in [[3, 1, 0, 2], [0, 1, 2, 3], [3, 2, 1, 0]] {
        let bench = Bench::new((layout.clone(), payload.clone()));
        let (open, _) = bench.reopen();
        for block in order {
            let begin = block * 16_384;
            open.write(0, begin, &payload[begin as usize..begin as usize + 16_384]);
        }
        open.storage.verify(0);
        assert_eq!(open.hashed(), (0, Ok(true)));
    }
}

#[test]
fn a_bad_piece_is_said_and_may_come_again() {
    let bench = Bench::new(awkward());
    let (open, _) = bench.reopen();
    let mut bad = bench.payload.clone();
    bad[70_000] ^= 1;
    open.write_piece(&bad, 1);
    open.storage.verify(1);
    assert_eq!(open.hashed(), (1, Ok(false)));
    assert!(open.read(1, 0, 10).is_err(), "nothing unverified is read for others");
    open.fetch(&bench.payload, [1]);
}

#[test]
fn a_bad_block_over_a_good_one_does_not_count_as_good() {
    let bench = Bench::new(torrent(&[], 32_768, Some(&[5; 32_768])));
    let (open, _) = bench.reopen();
    open.write(0, 0, &[5; 16_384]);
    open.write(0, 0, &[6; 16_384]);
    open.write(0, 16_384, &[5; 16_384]);
    open.storage.verify(0);
    assert_eq!(open.hashed(), (0, Ok(false)));
    open.write(0, 0, &[5; 16_384]);
    open.storage.verify(0);
    assert_eq!(open.hashed(), (0, Ok(true)), "the other block is read back");
    open.write(0, 0, &[6; 16_384]);
    assert!(matches!(open.done.recv().unwrap(), Done::Written { outcome: Ok(()), .. }));
    assert_eq!(open.read(0, 0, 1).unwrap()[..], [5], "what is verified is never written over");
}

#[test]
fn blocks_are_read_across_files_and_padding() {
    let bench = Bench::new(awkward());
    let open = bench.finished();
    for (piece, begin, bytes) in [(1, 20_000, 45_536), (4, 0, 16_384), (0, 1, 1), (5, 0, 24_476)] {
        let start = usize::try_from(bench.layout.position(piece, begin)).unwrap();
        let expected = &bench.payload[start..start + bytes as usize];
        assert!(open.read(piece, begin, bytes).unwrap() == expected, "{piece} {begin} {bytes}");
    }
    for (piece, begin, bytes) in
        [(5, 0, 24_477), (6, 0, 1), (0, 65_535, 2), (0, 0, 0), (0, u32::MAX, u32::MAX)]
    {
        let problem = open.read(piece, begin, bytes).unwrap_err();
        assert!(problem.to_string().contains("is not there"), "{problem}");
    }
    open.write(9, 0, &[0; 5]);
    assert!(matches!(open.done.recv().unwrap(), Done::Written { outcome: Err(_), .. }));
}

#[test]
fn many_reads_at_once_are_all_answered() {
    let bench = Bench::new(awkward());
    let open = bench.finished();
    let blocks: Vec<_> =
        (0..4).flat_map(|piece| (0..65_536).step_by(8_192).map(move |at| (piece, at))).collect();
    for (tag, (piece, begin)) in (0..).zip(&blocks) {
        open.storage.read(*piece, *begin, 8_192, tag, room());
    }
    for _ in &blocks {
        let Done::Read { tag, data } = open.done.recv().unwrap() else { panic!("only reads are under way") };
        let (piece, begin) = blocks[usize::try_from(tag).unwrap()];
        let start = usize::try_from(bench.layout.position(piece, begin)).unwrap();
        assert!(data.unwrap() == bench.payload[start..start + 8_192]);
    }
}

#[test]
fn room_comes_back_with_the_last_copy() {
    let bench = Bench::new(awkward());
    let open = bench.finished();
    let budget = bench.disk.outgoing();
    let before = budget.available();
    open.storage.read(0, 0, 100, 7, budget.try_take(100).unwrap());
    let Done::Read { data, .. } = open.done.recv().unwrap() else { panic!("a read") };
    let copy = data.unwrap().slice(5..10);
    assert_eq!(budget.available(), before - 100);
    drop(copy);
    assert_eq!(budget.available(), before);
}

#[test]
fn padding_is_zeros_whatever_is_sent() {
    let bench = Bench::new(awkward());
    let (open, _) = bench.reopen();
    let mut dirty = bench.payload.clone();
    dirty[100_000..131_072].fill(9);
    open.fetch(&dirty, [1]);
    assert_eq!(open.read(1, 65_000, 3).unwrap()[..], [0, 0, 0]);
}

#[test]
fn only_wanted_files_get_names() {
    let bench = Bench::new(awkward());
    let (sender, done) = mpsc::channel();
    let wants = |file| file == 4;
    let place = Place::Download(bench.target());
    let storage = bench.disk.open(bench.layout.clone(), place, wants, move |done| drop(sender.send(done)));
    let open = Open { storage: storage.unwrap(), done };
    open.storage.check(None, &no_progress).unwrap();
    assert_eq!(open.storage.wanted().iter().collect::<Vec<_>>(), [4]);
    open.fetch(&bench.payload, [4]);
    assert_eq!(fs::read_dir(bench.target().join("torrent")).unwrap().count(), 1);
    assert_eq!(fs::read(bench.file("tiny/1")).unwrap().len(), 5);
    assert!(bench.parts().join("6").exists(), "what its piece has of others is kept, hidden");
    drop(open);
    let (_, checked) = bench.reopen();
    assert_eq!(checked.have.iter().collect::<Vec<_>>(), [4], "wanting more later goes on from there");
}

#[test]
fn five_thousand_files_need_few_descriptors() {
    let files: Vec<_> = (0..5_000).map(|n| (path(&format!("{}/{n}", n % 50)), 40 + n % 7)).collect();
    let bench = Bench::in_memory(torrent(&files, 16_384, None), &Config::default());
    let open = bench.finished();
    assert!(bench.disk.open_files() <= 128, "{}", bench.disk.open_files());
    bench.assert_complete();
    drop(open);
    let (open, checked) = bench.reopen();
    assert!(checked.have.is_full() && checked.hashed_bytes == 0);
    assert_eq!(open.read(3, 0, 16_384).unwrap()[..], bench.payload[3 * 16_384..4 * 16_384]);
    assert!(bench.disk.open_files() <= 128);
}

#[test]
fn a_source_is_read_from_where_it_is_and_never_written() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    let elsewhere = bench.folder.path().join("other name");
    fs::rename(bench.target().join("torrent"), &elsewhere).unwrap();
    let open = bench.open_at(Place::Source(elsewhere.clone())).unwrap();
    let checked = open.storage.check(None, &no_progress).unwrap();
    assert!(checked.have.is_full() && checked.first_problem.is_none());
    assert_eq!(open.read(0, 5, 5).unwrap()[..], bench.payload[5..10]);
    fs::remove_file(elsewhere.join("exact")).unwrap();
    let checked = open.storage.check(None, &no_progress).unwrap();
    assert_eq!(checked.have.iter().collect::<Vec<_>>(), [0, 1, 4, 5]);
    let problem = checked.first_problem.unwrap().to_string();
    assert!(problem.ends_with("other name/exact`: it is not there"), "{problem}");
    open.write(2, 0, &[0; 16_384]);
    assert!(matches!(open.done.recv().unwrap(), Done::Written { outcome: Err(_), .. }));
    assert!(!elsewhere.join("exact").exists());
}

#[test]
fn a_single_file_may_be_shared_through_a_link() {
    let bench = Bench::new(torrent(&[], 16_384, Some(&[1; 20_000])));
    let (real, link) = (bench.folder.path().join("real"), bench.folder.path().join("link"));
    fs::write(&real, [1; 20_000]).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    for shared in [real, link] {
        let open = bench.open_at(Place::Source(shared)).unwrap();
        assert!(open.storage.check(None, &no_progress).unwrap().have.is_full());
    }
}

#[test]
fn of_blocks_over_one_another_the_last_one_wins() {
    let bench = Bench::new(torrent(&[], 32_768, Some(&[5; 32_768])));
    let (open, _) = bench.reopen();
    // As many as may be in one batch.
    for _ in 0..20 {
        open.write(0, 16_384, &[6; 16_384]);
        open.write(0, 0, &[5; 32_768]);
    }
    open.storage.verify(0);
    assert_eq!(open.hashed(), (0, Ok(true)));
}
