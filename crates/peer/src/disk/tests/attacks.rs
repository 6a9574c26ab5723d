use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn check(open: &Open) -> Result<Checked, Problem> {
    open.storage.check(None, &no_progress)
}

#[test]
fn a_link_in_the_target_is_not_followed() {
    for (link, piece) in [("a b", 0), ("tiny", 4), ("tiny/deep", 5)] {
        let bench = Bench::new(awkward());
        let outside = bench.folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        let link = bench.file(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&outside, &link).unwrap();
        let problem = check(&bench.open()).unwrap_err();
        assert_eq!(problem.cause, Cause::Symlink, "{problem}");

        // It may also come while the download is under way.
        fs::remove_file(&link).unwrap();
        let open = bench.open();
        check(&open).unwrap();
        symlink(&outside, &link).unwrap_or_else(|_| {
            fs::remove_dir_all(&link).unwrap();
            symlink(&outside, &link).unwrap();
        });
        let pieces = if piece == 0 { 0..2 } else { 4..6 };
        for piece in pieces {
            open.write_piece(&bench.payload, piece);
            open.storage.verify(piece);
        }
        let problem = loop {
            if let Done::Named { outcome: Err(problem), .. } = open.done.recv().unwrap() {
                break problem;
            }
        };
        assert_eq!(problem.cause, Cause::Symlink, "{problem}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }
}

#[test]
fn links_in_place_of_files_and_of_the_hidden_folder_are_not_followed() {
    let bench = Bench::new(awkward());
    let outside = bench.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "theirs").unwrap();

    fs::create_dir_all(bench.target()).unwrap();
    symlink(&outside, bench.parts()).unwrap();
    let place = Place::Download(bench.target());
    assert_eq!(bench.open_at(place).err().map(|problem| problem.cause), Some(Cause::Symlink));
    fs::remove_file(bench.parts()).unwrap();

    let (open, _) = bench.reopen();
    symlink(outside.join("file"), bench.parts().join("3")).unwrap();
    open.write_piece(&bench.payload, 2);
    let Done::Written { outcome, .. } = open.done.recv().unwrap() else { panic!("a write") };
    assert_eq!(outcome.unwrap_err().cause, Cause::Symlink);
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"theirs");
}

#[test]
fn a_link_in_a_shared_folder_is_not_followed() {
    let bench = Bench::new(awkward());
    drop(bench.finished());
    let shared = bench.target().join("torrent");
    let real = bench.folder.path().join("real");
    fs::rename(shared.join("exact"), &real).unwrap();
    symlink(&real, shared.join("exact")).unwrap();
    let open = bench.open_at(Place::Source(shared)).unwrap();
    let checked = check(&open).unwrap();
    assert_eq!(checked.have.iter().collect::<Vec<_>>(), [0, 1, 4, 5]);
    assert_eq!(checked.first_problem.unwrap().cause, Cause::Symlink);
}

#[test]
fn a_strangers_file_is_left_alone() {
    let bench = Bench::new(awkward());
    fs::create_dir_all(bench.target().join("torrent")).unwrap();
    fs::write(bench.file("exact"), vec![1; 131_072]).unwrap();
    let problem = check(&bench.open()).unwrap_err();
    assert_eq!(problem.cause, Cause::InTheWay);
    assert!(problem.to_string().contains("torrent/exact`: something else has that name"), "{problem}");
    assert_eq!(fs::read(bench.file("exact")).unwrap(), vec![1; 131_072]);

    fs::remove_file(bench.file("exact")).unwrap();
    let open = bench.open();
    check(&open).unwrap();
    fs::write(bench.file("exact"), "new").unwrap();
    open.write_piece(&bench.payload, 2);
    open.write_piece(&bench.payload, 3);
    open.storage.verify(2);
    open.storage.verify(3);
    let mut outcomes = Vec::new();
    let mut hashes = 0;
    while hashes < 2 {
        match open.done.recv().unwrap() {
            Done::Hashed { .. } => hashes += 1,
            Done::Named { outcome, .. } => outcomes.push(outcome),
            _ => {}
        }
    }
    assert!(matches!(&outcomes[..], [Err(problem)] if problem.cause == Cause::InTheWay), "{outcomes:?}");
    assert_eq!(fs::read(bench.file("exact")).unwrap(), b"new");
    assert!(bench.parts().join("3").exists(), "what was fetched is kept");

    fs::remove_file(bench.file("exact")).unwrap();
    assert!(check(&open).unwrap().have.contains(3));
    assert!(bench.file("exact").exists(), "and gets its name when it can");
}

#[test]
fn a_folder_or_a_pipe_in_the_way_is_said() {
    let bench = Bench::new(awkward());
    fs::create_dir_all(bench.file("exact")).unwrap();
    assert_eq!(check(&bench.open()).unwrap_err().cause, Cause::InTheWay);
    fs::remove_dir(bench.file("exact")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, bench.file("exact"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert_eq!(check(&bench.open()).unwrap_err().cause, Cause::InTheWay);
}

#[test]
fn two_torrents_do_not_write_one_path() {
    let bench = Bench::new(awkward());
    let first = bench.open();
    let again = bench.open_at(Place::Download(bench.target().join("../target"))).err().unwrap();
    assert_eq!(again.cause, Cause::Claimed(bench.layout.info_hash()));
    let (other, _) = torrent(&[(path("x"), 5)], 16_384, None);
    let place = Place::Download(bench.target());
    let problem = bench.disk.open(other.clone(), place.clone(), |_| true, drop).unwrap_err();
    assert!(problem.to_string().contains("is written there already"), "{problem}");
    drop(first);
    bench.disk.open(other, place, |_| true, drop).unwrap();
}

#[test]
fn two_processes_do_not_fetch_one_torrent_into_one_folder() {
    let bench = Bench::new(awkward());
    let _first = bench.open();
    let other = Disk::start(&Config::default()).unwrap();
    let place = Place::Download(bench.target());
    let problem = other.open(bench.layout.clone(), place, |_| true, drop).unwrap_err();
    assert_eq!(problem.cause, Cause::Locked);
}

#[test]
fn names_as_long_as_the_file_system_takes_are_kept() {
    // A torrent's names are never longer than that; a name for the unfinished file would be.
    let name = "n".repeat(255);
    let (layout, payload) = named_torrent(&name, &[(path(&name), 5)], 16_384, None);
    let bench = Bench::new((layout, payload));
    let (open, _) = bench.reopen();
    open.fetch(&bench.payload, [0]);
    bench.assert_complete();
}

#[test]
fn a_part_that_is_removed_stops_its_torrent_only() {
    let bench = Bench::new(awkward());
    let (open, _) = bench.reopen();
    open.fetch(&bench.payload, [2]);
    fs::remove_dir_all(bench.parts()).unwrap();
    open.write_piece(&bench.payload, 3);
    open.storage.verify(3);
    let problem = loop {
        if let Done::Named { outcome, .. } = open.done.recv().unwrap() {
            break outcome.unwrap_err();
        }
    };
    assert_eq!(problem.cause, Cause::Missing);
    assert!(problem.to_string().ends_with("`: it is not there"), "{problem}");
}

#[test]
fn a_folder_that_may_not_be_written_is_said() {
    if rustix::process::geteuid().is_root() {
        lab::skip("root may write everywhere");
        return;
    }
    let bench = Bench::new(awkward());
    fs::create_dir_all(bench.target()).unwrap();
    fs::set_permissions(bench.target(), fs::Permissions::from_mode(0o500)).unwrap();
    let open = bench.open();
    check(&open).unwrap_err();
}

#[test]
fn a_full_disk_is_said_and_what_was_verified_stays() {
    let bench = Bench::new(awkward());
    fs::create_dir_all(bench.target()).unwrap();
    let Some(_mounted) = TinyDisk::mount(&bench.target(), "160k") else { return };
    let (open, _) = bench.reopen();
    open.fetch(&bench.payload, [2, 0]);
    open.write_piece(&bench.payload, 3);
    open.storage.verify(3);
    let mut problems = Vec::new();
    let good = loop {
        match open.done.recv().unwrap() {
            Done::Hashed { piece: 3, good } => break good,
            Done::Written { outcome: Err(problem), .. } => problems.push(problem),
            _ => {}
        }
    };
    let problem = good.unwrap_err();
    assert_eq!(problem.cause, Cause::Full);
    assert!(problem.to_string().contains("the disk is full; free some space and resume"), "{problem}");
    assert!(problems.contains(&problem));
    assert!(open.storage.save(&bench.state_dir()).is_ok());
    drop(open);
    let (_open, checked) = bench.reopen();
    assert!(checked.have.contains(0) && checked.have.contains(2) && !checked.have.contains(3));
}

/// A file system in memory, as small as one likes.
struct TinyDisk(PathBuf);

impl TinyDisk {
    /// `None`, said why, where it cannot be had.
    fn mount(path: &Path, size: &str) -> Option<Self> {
        let size = format!("size={size}");
        let mount = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        let done = std::process::Command::new("mount").args(mount).arg(path).output();
        if done.is_ok_and(|output| output.status.success()) {
            return Some(Self(path.to_owned()));
        }
        lab::skip("only root can mount a small file system");
        None
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        // Lazily, since the torrent may still hold the folder.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
