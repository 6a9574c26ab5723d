//! What was acknowledged is there after a crash.

#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use lab::http::Request;
use lab::hub::{ADMIN_TOKEN, Setup};
use lab::lan::Host;
use lab::torrent::Torrent;
use lab::wait::{self, SOON};

/// How often the hub is killed, always over the same state.
const CRASHES: usize = 3;

/// How many adders there are at a time.
const ADDERS: usize = 4;

/// How many additions are acknowledged before the hub is killed in the midst of more.
const ACKNOWLEDGED_MIN: usize = 40;

#[test]
fn every_torrent_that_was_answered_201_survives_kill_9() {
    let state = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for crash in 0..CRASHES {
        acknowledged.extend(add_until_killed(state.path(), crash));
        let hub = Setup::new(env!("CARGO_BIN_EXE_skep")).start(state.path());
        for hash in &acknowledged {
            let entry = hub.get(&format!("/api/v1/torrents/{hash}"));
            assert_eq!(entry.status, 200, "{hash} was answered 201 and is gone: {}", entry.text());
            let file = hub.get(&format!("/t/{hash}.torrent"));
            assert_eq!(file.status, 200, "the file of {hash} was answered 201 and is gone: {}", file.text());
        }
        hub.stop();
    }
}

/// Kills a hub while torrents are added to it from all sides: the info hashes that it answered 201.
fn add_until_killed(state: &Path, crash: usize) -> Vec<String> {
    let hub = Setup::new(env!("CARGO_BIN_EXE_skep")).start(state);
    let to = hub.http();
    let acknowledged = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for adder in 0..ADDERS {
            let acknowledged = &acknowledged;
            scope.spawn(move || {
                let torrents = (0..).map(|n| torrent(&format!("crash {crash} adder {adder} number {n}")));
                for torrent in torrents {
                    // No answer: the hub is gone.
                    let Some(status) = add(to, &torrent) else { return };
                    assert_eq!(status, 201);
                    acknowledged.lock().unwrap().push(torrent.info_hash);
                }
            });
        }
        let enough = || (acknowledged.lock().unwrap().len() >= ACKNOWLEDGED_MIN).then_some(());
        wait::until("enough acknowledged additions", SOON, enough);
        hub.kill();
    });
    acknowledged.into_inner().unwrap()
}

fn torrent(name: &str) -> Torrent {
    Torrent::new(name, name.as_bytes(), 16384, "http://unused.invalid/announce", false)
}

fn add(to: SocketAddr, torrent: &Torrent) -> Option<u16> {
    let request = Request::new("POST", "/api/v1/torrents").bearer(ADMIN_TOKEN);
    let request = request.body("application/x-bittorrent", torrent.bytes.clone());
    request.send(&Host::loopback(), to).ok().map(|answer| answer.status)
}
