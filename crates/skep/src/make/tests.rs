use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use sha1::{Digest, Sha1};
use tempfile::TempDir;

use super::*;

const PIECE: u64 = 16 << 10;

/// A folder `top` with `files`, each of the given length and its own bytes.
fn folder(files: &[(&str, usize)]) -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let top = root.path().join("top");
    fs::create_dir(&top).unwrap();
    for (path, length) in files {
        let path = top.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents(*length)).unwrap();
    }
    (root, top)
}

fn contents(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251 + length).to_le_bytes()[0]).collect()
}

fn small() -> Options {
    Options { piece_length: Some(PIECE), ..Options::default() }
}

fn made(path: &Path, options: &Options) -> Made {
    build(&[path.into()], options, &()).unwrap()
}

fn refusal(paths: &[&Path], options: &Options) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.to_path_buf()).collect();
    build(&paths, options, &()).unwrap_err().to_string()
}

fn paths(made: &Made) -> Vec<String> {
    made.torrent.files().iter().map(|file| file.path.join("/")).collect()
}

/// The naive model: everything in one place, cut and hashed.
fn hashes(payload: &[u8], piece_length: u64) -> Vec<u8> {
    payload
        .chunks(piece_length.try_into().unwrap())
        .flat_map(|piece| <[u8; 20]>::from(Sha1::digest(piece)))
        .collect()
}

#[test]
fn a_file_is_hashed_in_pieces() {
    let length = 5 * (16 << 10) + 7;
    let (_root, top) = folder(&[("a file.bin", length)]);
    let file = made(&top.join("a file.bin"), &small());
    assert_eq!((file.torrent.name(), file.torrent.is_single_file()), ("a file.bin", true));
    assert_eq!(file.torrent.size(), length as u64);
    assert_eq!(file.torrent.pieces(), hashes(&contents(length), PIECE));
    let text = file.bytes.escape_ascii().to_string();
    assert!(
        text.starts_with("d4:infod6:lengthi81927e4:name10:a file.bin12:piece lengthi16384e6:pieces120:"),
        "{text}"
    );
}

#[test]
fn a_folder_is_sorted_and_pieces_run_across_files() {
    let files = [
        ("z", 3),
        ("b/two", 40_000),
        ("b.txt", 5),
        ("b/one", 0),
        (".hidden", 1),
        ("B", 30_000),
        ("empty", 0),
    ];
    let (_root, top) = folder(&files);
    let sorted = [".hidden", "B", "b/one", "b/two", "b.txt", "empty", "z"];
    let payload: Vec<u8> = sorted
        .iter()
        .flat_map(|name| contents(files.iter().find(|(path, _)| path == name).unwrap().1))
        .collect();
    for threads in 1..5 {
        let options = Options { threads: NonZeroUsize::new(threads), ..small() };
        let folder = made(&top, &options);
        assert_eq!((folder.torrent.name(), folder.torrent.is_single_file()), ("top", false));
        assert_eq!(paths(&folder), sorted);
        assert_eq!(folder.torrent.pieces(), hashes(&payload, PIECE));
        assert!(folder.left_out.is_empty());
    }
}

/// More runs than threads, and files that start and end anywhere in them.
#[test]
fn many_threads_agree_with_the_model() {
    let lengths: Vec<usize> = (0..40).map(|n| n * n * 977 % 700_001).collect();
    let names: Vec<String> = (0..lengths.len()).map(|n| format!("{n:02}")).collect();
    let files: Vec<_> = names.iter().map(String::as_str).zip(lengths.iter().copied()).collect();
    let (_root, top) = folder(&files);
    let payload: Vec<u8> = lengths.iter().flat_map(|length| contents(*length)).collect();
    assert!(payload.len() > 8 << 20);
    for (piece_length, threads) in [(PIECE, 1), (PIECE, 3), (1 << 20, 4), (8 << 20, 2), (64 << 20, 4)] {
        let options =
            Options { piece_length: Some(piece_length), threads: NonZeroUsize::new(threads), ..small() };
        assert!(
            made(&top, &options).torrent.pieces() == hashes(&payload, piece_length),
            "{piece_length} {threads}"
        );
    }
}

#[test]
fn everything_asked_for_is_written() {
    let (_root, top) = folder(&[("f", 1)]);
    let options = Options {
        name: Some("other".into()),
        private: true,
        source: Some("lab".into()),
        comment: Some("for the lab".into()),
        created_by: Some("skep".into()),
        creation_date: Some(1_700_000_000),
        trackers: vec![vec!["http://a".into(), "udp://b".into()], vec!["udp://c".into()]],
        web_seeds: vec!["http://w/".into()],
        ..Options::default()
    };
    let torrent = made(&top, &options).torrent;
    assert_eq!((torrent.name(), torrent.private(), torrent.source()), ("other", true, Some("lab")));
    assert_eq!((torrent.comment(), torrent.created_by()), (Some("for the lab"), Some("skep")));
    assert_eq!((torrent.creation_date(), torrent.piece_length()), (Some(1_700_000_000), 32 << 10));
    assert_eq!((torrent.trackers(), torrent.web_seeds()), (&options.trackers[..], &options.web_seeds[..]));
}

#[test]
fn the_same_files_give_the_same_torrent() {
    let (_root, top) = folder(&[("a", 10), ("b/c", 70_000)]);
    let first = made(&top, &Options::default());
    fs::File::open(top.join("a")).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(made(&top, &Options::default()).bytes, first.bytes);
    assert_eq!(
        made(&top.join("b/.."), &Options { name: Some("top".into()), ..Options::default() }).bytes,
        first.bytes
    );
    assert_eq!(made(&top.join("b/.."), &Options::default()).torrent.name(), "top");
}

#[test]
fn several_paths_become_one_folder() {
    let (_root, top) = folder(&[("x/f", 3), ("y", 4), ("z/x", 5)]);
    let options = Options { name: Some("all".into()), ..Options::default() };
    let all = build(&[top.join("y"), top.join("x")], &options, &()).unwrap();
    assert_eq!((all.torrent.name(), paths(&all)), ("all", vec!["x/f".to_owned(), "y".to_owned()]));
    assert_eq!(
        refusal(&[&top.join("x"), &top.join("y")], &small()),
        "2 paths make one torrent, which needs a name"
    );
    let twice = refusal(&[&top.join("x"), &top.join("z/x")], &options);
    assert_eq!(twice, "two of the paths are called `x`: in one torrent their names must differ");
}

#[cfg(unix)]
#[test]
fn links_are_left_out_unless_they_are_followed() {
    use std::os::unix::fs::symlink;
    let (root, top) = folder(&[("a", 1), ("d/b", 2)]);
    let _socket = std::os::unix::net::UnixListener::bind(top.join("socket")).unwrap();
    symlink(top.join("a"), top.join("link")).unwrap();
    symlink("d", top.join("folder")).unwrap();

    let plain = made(&top, &small());
    assert_eq!(paths(&plain), ["a", "d/b"]);
    let left: Vec<_> =
        plain.left_out.iter().map(|left| (left.path.strip_prefix(&top).unwrap(), left.kind)).collect();
    let [folder, link, socket] = ["folder", "link", "socket"].map(Path::new);
    assert_eq!(left, [(folder, Kind::Link), (link, Kind::Link), (socket, Kind::Special)]);
    assert!(plain.left_out[2].to_string().ends_with("/top/socket` is a socket, pipe or device"));

    let follow = Options { follow_links: true, ..small() };
    assert_eq!(paths(&made(&top, &follow)), ["a", "d/b", "folder/b", "link"]);
    // What the caller names itself is followed in any case.
    symlink(&top, root.path().join("named")).unwrap();
    let named = made(&root.path().join("named"), &small());
    assert_eq!((named.torrent.name(), paths(&named).len()), ("named", 2));
    assert!(
        refusal(&[&top.join("socket")], &small())
            .ends_with("is a socket, pipe or device: a file or folder is expected")
    );
    symlink("..", top.join("d/loop")).unwrap();
    assert!(
        refusal(&[&top], &follow).ends_with("is a symbolic link to a folder around it, which has no end")
    );
}

#[test]
fn what_cannot_be_shared_is_said() {
    let (root, top) = folder(&[("f", 1), ("empty/none", 0)]);
    let nowhere = top.join("nowhere");
    assert_eq!(refusal(&[], &small()), "nothing to share: a file or folder is expected");
    assert_eq!(
        refusal(&[&nowhere], &small()),
        format!("there is no file or folder at `{}`", nowhere.display())
    );
    let empty = root.path().join("empty");
    fs::create_dir_all(empty.join("inner")).unwrap();
    assert_eq!(refusal(&[&empty], &small()), format!("the folder `{}` has no files in it", empty.display()));
    assert!(refusal(&[&top.join("empty")], &small()).ends_with("is empty: one byte at least is expected"));
    for name in ["", ".", "..", "a/b", "a\\b"] {
        let options = Options { name: Some(name.into()), ..small() };
        assert!(refusal(&[&top], &options).starts_with(&format!("`{name}` is no name for a torrent")));
    }
    assert_eq!(refusal(&[Path::new("/")], &small()), "`/` has no name of its own: give the torrent one");
    let long = Options { piece_length: Some(100), ..small() };
    assert!(refusal(&[&top], &long).starts_with("piece length 100 is not a power of two from 16384"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let (_root, top) = folder(&[("f", 1)]);
    fs::write(top.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
    assert!(refusal(&[&top], &small()).ends_with("is not UTF-8, as torrents want it: rename it"));
}

/// Does something once the files have been found, and something else when all their bytes have been read.
struct Meddler<F, G> {
    found: F,
    read: G,
    left: AtomicU64,
}

impl<F: Fn() + Sync, G: Fn() + Sync> Progress for Meddler<F, G> {
    fn found(&self, _: usize, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
        (self.found)();
    }

    fn hashed(&self, bytes: u64) {
        if self.left.fetch_sub(bytes, Ordering::Relaxed) == bytes {
            (self.read)();
        }
    }
}

#[test]
fn a_file_that_changes_meanwhile_is_noticed() {
    fn meddled(top: &Path, found: impl Fn() + Sync, read: impl Fn() + Sync) -> Option<MakeError> {
        build(&[top.into()], &small(), &Meddler { found, read, left: AtomicU64::new(0) }).err()
    }
    let changed = |error| matches!(error, Some(MakeError::Changed(path)) if path.ends_with("b"));
    let (_root, top) = folder(&[("a", 10), ("b", 100_000), ("c", 10)]);
    let b = top.join("b");
    let write = |length| fs::write(&b, contents(length)).unwrap();
    let touch = || fs::File::open(&b).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert!(meddled(&top, || (), || ()).is_none());
    assert!(changed(meddled(&top, || write(99_999), || ())), "shorter before it is read");
    assert!(changed(meddled(&top, || write(100_001), || ())), "longer before it is read");
    assert!(changed(meddled(&top, || (), || write(5))), "shorter after it was read");
    assert!(changed(meddled(&top, || (), touch)), "written to after it was read");
    assert!(changed(meddled(&top, || fs::remove_file(&b).unwrap(), || ())), "gone");
}

#[test]
fn progress_adds_up() {
    struct Sum(AtomicU64, AtomicU64);
    impl Progress for Sum {
        fn found(&self, files: usize, bytes: u64) {
            assert_eq!((files, bytes), (2, 5_000_100));
            self.0.store(bytes, Ordering::Relaxed);
        }
        fn hashed(&self, bytes: u64) {
            self.1.fetch_add(bytes, Ordering::Relaxed);
        }
    }
    let (_root, top) = folder(&[("a", 5_000_000), ("b", 100)]);
    let sum = Sum(AtomicU64::new(0), AtomicU64::new(0));
    build(&[top], &small(), &sum).unwrap();
    assert_eq!(sum.0.into_inner(), sum.1.into_inner());
}

#[test]
fn what_has_not_changed_is_hashed_once() {
    let (root, top) = folder(&[("a", 40_000), ("deep/b", 5), ("empty", 0)]);
    let state_dir = root.path().join("state");
    fs::create_dir(&state_dir).unwrap();
    let options = Options { state_dir: Some(state_dir.clone()), ..small() };
    let first = made(&top, &options);
    assert!(first.hashed);
    assert_eq!(first.bytes, made(&top, &small()).bytes);
    assert_eq!(first.files.iter().map(|file| file.bytes).collect::<Vec<_>>(), [40_000, 5, 0]);

    struct Nobody;
    impl Progress for Nobody {
        fn found(&self, _: usize, _: u64) {
            panic!("nothing is to be read");
        }
        fn hashed(&self, _: u64) {
            panic!("nothing is to be hashed");
        }
    }
    let again = |options: &Options| build(std::slice::from_ref(&top), options, &Nobody).unwrap();
    assert_eq!((again(&options).hashed, again(&options).bytes), (false, first.bytes.clone()));
    let other =
        Options { private: true, trackers: vec![vec!["http://other/announce".into()]], ..options.clone() };
    let other = again(&other);
    assert!(!other.hashed && other.torrent.private() && other.torrent.pieces() == first.torrent.pieces());
    assert!(made(&top, &Options { piece_length: Some(2 * PIECE), ..options.clone() }).hashed);

    let changes: [(&str, &dyn Fn()); 4] = [
        ("the same bytes, written again", &|| fs::write(top.join("deep/b"), contents(5)).unwrap()),
        ("a file more", &|| fs::write(top.join("new"), "").unwrap()),
        ("another name", &|| fs::rename(top.join("new"), top.join("newer")).unwrap()),
        ("a file less", &|| fs::remove_file(top.join("newer")).unwrap()),
    ];
    for (what, change) in changes {
        change();
        let torrent = made(&top, &options);
        assert_eq!((torrent.hashed, torrent.bytes), (true, made(&top, &small()).bytes), "{what}");
        assert!(!again(&options).hashed, "{what}");
    }
    for kept in fs::read_dir(state_dir).unwrap() {
        let path = kept.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes[60] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let torrent = made(&top, &options);
    assert!(torrent.hashed && torrent.bytes == first.bytes);
}

#[test]
fn names_that_are_not_taken_are_left_out_with_all_below_them() {
    let (_root, top) = folder(&[("a", 1), (".hidden", 2), (".git/b", 3), ("c/.d", 4), ("c/e", 5)]);
    let options = Options { takes: Some(|name| !name.as_encoded_bytes().starts_with(b".")), ..small() };
    let some = made(&top, &options);
    assert_eq!(paths(&some), ["a", "c/e"]);
    assert!(some.left_out.is_empty());
    assert_eq!(paths(&made(&top, &small())).len(), 5);
}
