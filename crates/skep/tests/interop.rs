//! Real clients, which nobody here wrote, move a real file between each other through the hub.
//!
//! Every program is on a host of its own. The clients hear of each other from the hub alone: whatever else they could
//! find peers by is off.

#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use lab::hub::{Hub, Setup};
use lab::lan::Lan;
use lab::program::Program;
use lab::torrent::{Torrent, content};
use lab::transmission::Transmission;
use lab::wait::{self, SOON};
use lab::{aria2, transmission};

/// What is moved: 64 MiB.
const FILE_BYTES: usize = 64 << 20;

const PIECE_BYTES: usize = 256 << 10;

/// How long a client may take over it. Both unchoke every 10 s only.
const FETCH_MAX: Duration = Duration::from_secs(90);

/// A client that misses its peer at first asks again soon.
const CONFIG: &str = "[tracker]\ninterval_secs = 5\ninterval_min_secs = 2\n";

/// Who has the file at first; the other one fetches it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seeder {
    Transmission,
    Aria2,
}

#[test]
fn transmission_seeds_and_aria2_fetches_over_http() {
    exchange(Seeder::Transmission, |hub| http_url(hub.http()));
}

#[test]
fn aria2_seeds_and_transmission_fetches_over_http() {
    exchange(Seeder::Aria2, |hub| http_url(hub.http()));
}

#[test]
fn transmission_seeds_and_aria2_fetches_over_udp() {
    exchange(Seeder::Transmission, |hub| udp_url(hub.udp()));
}

#[test]
fn aria2_seeds_and_transmission_fetches_over_udp() {
    exchange(Seeder::Aria2, |hub| udp_url(hub.udp()));
}

#[test]
fn transmission_seeds_and_aria2_fetches_over_ipv6() {
    exchange(Seeder::Transmission, |hub| http_url(hub.http6()));
}

#[test]
fn aria2_seeds_and_transmission_fetches_over_ipv6() {
    exchange(Seeder::Aria2, |hub| http_url(hub.http6()));
}

/// Moves the file from the `seeder` to the other client, both of them told of the hub by `tracker` alone.
fn exchange(seeder: Seeder, tracker: fn(&Hub) -> String) {
    if !lab::have(&[transmission::PROGRAM, aria2::PROGRAM]) {
        return;
    }
    let Some(mut lan) = Lan::new() else { return };
    let (hub_host, transmission_host, aria2_host) =
        (lan.host("hub"), lan.host("transmission"), lan.host("aria2"));
    let folder = tempfile::tempdir().unwrap();
    let hub = Setup::new(env!("CARGO_BIN_EXE_skep")).on(&hub_host).config(CONFIG).start(folder.path());
    let url = tracker(&hub);
    // aria2 does not ask a UDP tracker about a private torrent: it turns its DHT off for those, and UDP with it.
    let private = url.starts_with("http:");
    let file = content(73, FILE_BYTES);
    let torrent = Torrent::new("field.bin", &file, PIECE_BYTES, &url, private);
    let torrent_file = torrent.save(folder.path());
    assert_eq!(hub.add(&torrent.bytes).status, 201);

    let transmission = Transmission::start(&transmission_host);
    let aria2_folder = tempfile::tempdir().unwrap();
    let aria2_folder = aria2_folder.path();
    let start_transmission = || transmission.add(&torrent_file);
    match seeder {
        Seeder::Transmission => {
            fs::write(transmission.downloads().join(&torrent.name), &file).unwrap();
            start_transmission();
            await_seeder(&hub, &torrent);
            let _aria2 = aria2::fetch(&aria2_host, &torrent_file, aria2_folder);
            await_copy(&hub, &torrent, &aria2_folder.join(&torrent.name), &file);
        }
        Seeder::Aria2 => {
            fs::write(aria2_folder.join(&torrent.name), &file).unwrap();
            let _aria2: Program = aria2::seed(&aria2_host, &torrent_file, aria2_folder);
            await_seeder(&hub, &torrent);
            start_transmission();
            await_copy(&hub, &torrent, &transmission.downloads().join(&torrent.name), &file);
        }
    }
    hub.stop();
}

fn http_url(address: SocketAddr) -> String {
    format!("http://{address}/announce")
}

fn udp_url(address: SocketAddr) -> String {
    format!("udp://{address}/announce")
}

fn await_seeder(hub: &Hub, torrent: &Torrent) {
    let swarm = hub.await_swarm(&torrent.info_hash, SOON, |swarm| swarm.complete == 1);
    assert_eq!((swarm.incomplete, swarm.downloaded), (0, 0), "a seeder has downloaded nothing");
}

fn await_copy(hub: &Hub, torrent: &Torrent, copy: &Path, file: &[u8]) {
    let swarm = hub.await_swarm(&torrent.info_hash, FETCH_MAX, |swarm| swarm.complete == 2);
    assert_eq!((swarm.incomplete, swarm.downloaded), (0, 1));
    // A client may tell of its completion before its last write.
    let whole = wait::within(SOON, || fs::read(copy).is_ok_and(|bytes| bytes == file).then_some(()));
    assert!(whole.is_some(), "{} is not, byte for byte, what was seeded", copy.display());
    let entry = wait::until("the completion in the catalogue", SOON, || {
        let entry = hub.get(&format!("/api/v1/torrents/{}", torrent.info_hash)).json();
        (entry["completed"] != 0).then_some(entry)
    });
    assert_eq!(entry["completed"], 1, "{entry}");
}
