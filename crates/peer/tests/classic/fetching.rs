//! Ours gets files from old peers, of which some stall, lie, break off or have nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use peer::classic::Wrong;
use peer::classic::fetch::{self, Check, FetchError, Fetched, Order, Progress};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::stub::{Peer, Reply, soon};

const PART: usize = 64 << 10;
const CHUNK: usize = 512 << 10;

fn content(bytes: usize) -> Vec<u8> {
    lab::torrent::content(11, bytes)
}

/// What a peer of `token` answers that has it all.
fn part_of(content: &[u8], request: &str) -> Reply {
    let number: usize = request.rsplit_once(".part").unwrap().1.parse().unwrap();
    Reply::Send(content[number * PART..].chunks(PART).next().unwrap().to_vec())
}

fn chunk_of(content: &[u8], request: &str) -> Reply {
    let number: usize = request.parse().unwrap();
    Reply::Send(content[number * CHUNK..].chunks(CHUNK).next().unwrap().to_vec())
}

fn hashes(content: &[u8]) -> Vec<[u8; 32]> {
    content.chunks(CHUNK).map(|chunk| Sha256::digest(chunk).into()).collect()
}

/// What is in the folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Where a file goes to, and what was told meanwhile.
#[derive(Default)]
struct Told(Mutex<Vec<Progress>>);

/// Something that is fetched for one test.
struct Fetch {
    folder: TempDir,
    told: Arc<Told>,
}

enum How<'a> {
    Whole,
    Download,
    Parts(u32),
    Chunks(&'a [[u8; 32]]),
}

impl Fetch {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), told: Arc::default() }
    }

    async fn run(&self, how: How<'_>, holders: &[SocketAddr]) -> Result<Fetched, FetchError> {
        let told = Arc::clone(&self.told);
        let progress = move |progress| told.0.lock().push(progress);
        let order = Order::new("a.bin", self.folder.path(), "own.bin", &progress)?;
        soon(async {
            match how {
                How::Whole => fetch::whole(&order, holders).await,
                How::Download => fetch::download(&order, holders).await,
                How::Parts(count) => fetch::parts(&order, count, holders).await,
                How::Chunks(hashes) => fetch::chunks(&order, hashes, holders).await,
            }
        })
        .await
    }

    /// Asserts that the file is there and nothing else is.
    #[track_caller]
    fn has(&self, fetched: Result<Fetched, FetchError>, content: &[u8], check: Check) {
        let fetched = fetched.unwrap();
        let path = self.folder.path().join("own.bin");
        assert_eq!(fetched, Fetched { path: path.clone(), bytes: content.len() as u64, check });
        assert!(std::fs::read(&path).unwrap() == content, "it is another one");
        assert_eq!(names(self.folder.path()), ["own.bin"]);
        let told = self.told.0.lock();
        assert_eq!(told.last().unwrap().bytes, content.len() as u64);
        assert!(told.is_sorted_by_key(|progress| progress.bytes), "{told:?}");
    }

    /// Asserts that it failed, and what was wrong with each holder.
    #[track_caller]
    fn failed(&self, fetched: Result<Fetched, FetchError>) -> Vec<Wrong> {
        assert!(!self.folder.path().join("own.bin").exists());
        match fetched.unwrap_err() {
            FetchError::Failed { reasons, .. } => reasons.into_iter().map(|reason| reason.wrong).collect(),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_whole_file_comes_from_the_first_who_has_it() {
    let file = content(700_000);
    let given = file.clone();
    let coloured = Peer::start(|_| Reply::Send(b"\x1b[91mERROR: File not found\x1b[0m".to_vec())).await;
    let silent = Peer::start(|_| Reply::Send(Vec::new())).await;
    let breaks = Peer::start(|_| Reply::Break(vec![b'x'; 1000])).await;
    let good = Peer::start(move |_| Reply::Send(given.clone())).await;
    let holders = [coloured.address, silent.address, breaks.address, good.address];
    let fetch = Fetch::new();
    let bad = fetch.run(How::Whole, &holders[..3]).await;
    let wrongs = fetch.failed(bad);
    assert!(matches!(wrongs[..], [Wrong::NotThere, Wrong::Closed, Wrong::BrokeOff(_)]), "{wrongs:?}");
    assert_eq!(names(fetch.folder.path()), [""; 0]);
    let fetch = Fetch::new();
    let fetched = fetch.run(How::Whole, &holders).await;
    fetch.has(fetched, &file, Check::Nothing);
    assert_eq!(good.asked(), ["a.bin"]);
}

#[tokio::test]
async fn a_download_goes_on_where_another_broke_off() {
    let file = content(300_000);
    let (given, half) = (file.clone(), file.clone());
    let size_line = |size: usize| format!("{{\"status\":\"ok\",\"size\":{size}}}\n").into_bytes();
    let breaks =
        Peer::start(move |_| Reply::Send([size_line(300_000), half[..100_000].to_vec()].concat())).await;
    let other = Peer::start(move |_| Reply::Send([size_line(7), b"another".to_vec()].concat())).await;
    let not = Peer::start(|_| Reply::Send(b"{\"status\":\"not_found\"}\n".to_vec())).await;
    let good = Peer::start(move |request| {
        let offset = request.split_once("\"offset\":").unwrap().1.trim_end().trim_end_matches('}');
        Reply::Send([size_line(300_000), given[offset.parse().unwrap()..].to_vec()].concat())
    })
    .await;
    let fetch = Fetch::new();
    let first = fetch.run(How::Download, &[breaks.address, other.address, not.address]).await;
    let wrongs = fetch.failed(first);
    assert!(
        matches!(
            wrongs[..],
            [Wrong::Short { bytes: 100_000, expected: 300_000 }, Wrong::Other { .. }, Wrong::Malformed(_)]
        ),
        "{wrongs:?}"
    );
    // Another time.
    let fetched = fetch.run(How::Download, &[not.address, good.address]).await;
    fetch.has(fetched, &file, Check::Length);
    assert_eq!(good.asked(), ["{\"command\":\"download\",\"filename\":\"a.bin\",\"offset\":100000}\n"]);
}

#[tokio::test]
async fn a_download_of_another_size_is_begun_anew() {
    let line = |size: usize, content: &[u8]| {
        [format!("{{\"status\":\"ok\",\"size\":{size}}}\n").into_bytes(), content.to_vec()].concat()
    };
    let old = Peer::start(move |_| Reply::Send(line(9, b"old"))).await;
    let new = Peer::start(move |request| match request.contains("\"offset\":0}") {
        true => Reply::Send(line(5, b"fresh")),
        false => Reply::Send(line(5, b"sh")),
    })
    .await;
    let fetch = Fetch::new();
    let first = fetch.run(How::Download, &[old.address]).await;
    assert!(matches!(fetch.failed(first)[..], [Wrong::Short { .. }]));
    let fetched = fetch.run(How::Download, &[new.address]).await;
    let fetched = fetched.unwrap();
    assert_eq!(std::fs::read(&fetched.path).unwrap(), b"fresh");
    let long = Peer::start(move |_| Reply::Send(line(5, b"too long"))).await;
    let fetch = Fetch::new();
    let fetched = fetch.run(How::Download, &[long.address]).await;
    assert!(matches!(fetch.failed(fetched)[..], [Wrong::Long(5)]));
}

#[tokio::test]
async fn parts_come_from_all_and_those_that_have_come_stay() {
    let file = content(10 * PART + 77);
    let (given, lower) = (file.clone(), file.clone());
    let short = Peer::start(|_| Reply::Send(vec![b'x'; 100])).await;
    let long = Peer::start(|_| Reply::Send(vec![b'x'; PART + 1])).await;
    let some = Peer::start(move |request| match request {
        "a.bin.part0" | "a.bin.part1" | "a.bin.part2" => part_of(&lower, request),
        _ => Reply::Send(b"NOT_FOUND".to_vec()),
    })
    .await;
    let good = Peer::start(move |request| part_of(&given, request)).await;
    let fetch = Fetch::new();
    let first = fetch.run(How::Parts(11), &[some.address]).await;
    assert!(matches!(fetch.failed(first)[..], [Wrong::NotThere]));
    let holders = [short.address, long.address, some.address, good.address];
    let fetched = fetch.run(How::Parts(11), &holders).await;
    fetch.has(fetched, &file, Check::Parts);
    let asked = good.asked();
    for part in ["a.bin.part0", "a.bin.part1", "a.bin.part2"] {
        assert!(!asked.contains(&part.to_owned()), "{part} was here already");
    }
}

#[tokio::test]
async fn parts_are_shared_among_holders() {
    let file = content(40 * PART);
    let peers =
        [file.clone(), file.clone()].map(|given| Peer::start(move |request| part_of(&given, request)));
    let [one, two] = peers;
    let (one, two) = (one.await, two.await);
    let fetch = Fetch::new();
    let fetched = fetch.run(How::Parts(40), &[one.address, two.address, one.address]).await;
    fetch.has(fetched, &file, Check::Parts);
    assert!(!one.asked().is_empty() && !two.asked().is_empty());
    assert_eq!(one.asked().len() + two.asked().len(), 40, "nothing is asked for twice");
}

#[tokio::test]
async fn who_knows_no_parts_is_asked_for_the_whole() {
    let file = content(5 * PART);
    let given = file.clone();
    let beacon = Peer::start(move |request| match request {
        "a.bin" => Reply::Send(given.clone()),
        _ => Reply::Send(b"ERROR: File not found".to_vec()),
    })
    .await;
    let fetch = Fetch::new();
    let fetched = fetch.run(How::Parts(5), &[beacon.address]).await;
    fetch.has(fetched, &file, Check::Nothing);
    let fetch = Fetch::new();
    let fetched = fetch.run(How::Parts(0), &[beacon.address]).await;
    fetch.has(fetched, &file, Check::Nothing);
}

#[tokio::test]
async fn a_chunk_that_is_forged_is_got_from_another() {
    let file = content(4 * CHUNK + 9);
    let (given, also_given) = (file.clone(), file.clone());
    let forger = Peer::start(|_| Reply::Send(vec![0; CHUNK])).await;
    let good = Peer::start(move |request| chunk_of(&given, request)).await;
    let fetch = Fetch::new();
    let first = fetch.run(How::Chunks(&hashes(&file)), &[forger.address]).await;
    let wrongs = fetch.failed(first);
    assert!(matches!(wrongs[..], [Wrong::Forged(_)]), "{wrongs:?}");
    assert!(forger.asked().len() <= 2, "who forges is asked no more");
    let fetched = fetch.run(How::Chunks(&hashes(&file)), &[forger.address, good.address]).await;
    fetch.has(fetched, &file, Check::Hashes);
    // Only what is missing is asked for another time.
    let some = Peer::start(move |request| match request {
        "0" | "2" => chunk_of(&also_given, request),
        _ => Reply::Send(Vec::new()),
    })
    .await;
    let fetch = Fetch::new();
    let first = fetch.run(How::Chunks(&hashes(&file)), &[some.address]).await;
    assert!(matches!(fetch.failed(first)[..], [Wrong::NotThere]));
    let before = good.asked().len();
    let fetched = fetch.run(How::Chunks(&hashes(&file)), &[good.address]).await;
    fetch.has(fetched, &file, Check::Hashes);
    let mut asked = good.asked().split_off(before);
    asked.sort();
    assert_eq!(asked, ["1", "3", "4"]);
}

#[tokio::test]
async fn one_that_stalls_does_not_hold_up_the_others_for_ever() {
    let file = content(3 * PART);
    let given = file.clone();
    let stalls = Peer::start(|_| Reply::Stall).await;
    let good = Peer::start(move |request| part_of(&given, request)).await;
    let fetch = Fetch::new();
    let fetched = fetch.run(How::Parts(3), &[stalls.address, good.address]).await;
    fetch.has(fetched, &file, Check::Parts);
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_leaves_the_folder() {
    let good = Peer::start(|_| Reply::Send(b"new".to_vec())).await;
    let fetch = Fetch::new();
    let own = fetch.folder.path().join("own.bin");
    std::fs::write(&own, "old").unwrap();
    let error = fetch.run(How::Whole, &[good.address]).await.unwrap_err();
    assert!(matches!(error, FetchError::Taken(_)), "{error}");
    assert_eq!(std::fs::read(&own).unwrap(), b"old");
    assert_eq!(names(fetch.folder.path()), ["own.bin"]);
    assert_eq!(good.asked(), [""; 0]);

    let nothing = |_| {};
    for name in ["../a", "/a", "a/b", "..", ""] {
        assert!(Order::new("a", fetch.folder.path(), name, &nothing).is_err(), "{name}");
    }
    let error = Fetch::new().run(How::Whole, &[]).await.unwrap_err();
    assert_eq!(error.to_string(), "nobody offers `a.bin`");
}

#[tokio::test]
async fn a_link_in_the_way_is_not_followed() {
    let fetch = Fetch::new();
    let peer = Peer::start(|_| Reply::Send(b"{\"status\":\"ok\",\"size\":5}\nab".to_vec())).await;
    let first = fetch.run(How::Download, &[peer.address]).await;
    fetch.failed(first);
    let hidden = names(fetch.folder.path()).into_iter().find(|name| !name.ends_with(".have")).unwrap();
    let (hidden, outside) = (fetch.folder.path().join(hidden), TempDir::new().unwrap());
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "mine").unwrap();
    std::fs::remove_file(&hidden).unwrap();
    std::os::unix::fs::symlink(&victim, &hidden).unwrap();
    let error = fetch.run(How::Download, &[peer.address]).await.unwrap_err();
    assert!(matches!(error, FetchError::Disk { .. }), "{error}");
    assert_eq!(std::fs::read(&victim).unwrap(), b"mine");
}
