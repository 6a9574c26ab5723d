//! `skep classic` against trackers as people write them, and against a hub: what one offers, another gets. And a peer
//! that is known in all dialects.

#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use lab::classic::{beacon_peer, original};
use lab::hub::{Hub, Setup};
use lab::lan::Host;
use lab::machine::Machine;
use lab::port;
use lab::program::{Program, Signal};
use lab::wait::{self, SOON};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

fn machine() -> Machine {
    Machine::new(env!("CARGO_BIN_EXE_skep"), &Host::loopback())
}

/// A machine that offers `video.mp4` of that many bytes, and what it told when the tracker knew.
fn offering(dialect: &str, tracker: SocketAddr, bytes: usize) -> (Machine, Program, Value, Vec<u8>) {
    let content = lab::torrent::content(3, bytes);
    let machine = machine();
    std::fs::write(machine.home().join("video.mp4"), &content).unwrap();
    let tracker = tracker.to_string();
    let mut offering = machine.start(&[
        "classic",
        dialect,
        "register",
        "video.mp4",
        "--json",
        "--tracker",
        &tracker,
        "--name",
        "ann",
    ]);
    let told = wait::until("the registration", SOON, || {
        if let Some(status) = offering.ended() {
            panic!("it ended: {status}");
        }
        serde_json::from_str(&offering.stdout()).ok()
    });
    (machine, offering, told, content)
}

/// Whether the file is there, fetched by another.
fn fetch(dialect: &str, tracker: SocketAddr, file: &str, content: &[u8], verified: bool) {
    let machine = machine();
    let tracker = tracker.to_string();
    let ran = machine.run(
        &[
            "classic",
            dialect,
            "fetch",
            file,
            "--tracker",
            &tracker,
            "-o",
            "here",
            "--as",
            "own.mp4",
            "--json",
            "--name",
            "bob",
        ],
        PATIENCE,
    );
    ran.went_well();
    let path = machine.home().join("here/own.mp4");
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected = json!({"name": file, "path": path, "bytes": content.len(), "verified": verified});
    assert_eq!(told, expected);
    assert!(
        ran.stderr.contains(if verified { "verified: each chunk" } else { "not verified" }),
        "{}",
        ran.stderr
    );
    assert!(std::fs::read(&path).unwrap() == content);
    assert_eq!(std::fs::read_dir(machine.home().join("here")).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn token() {
    let Some((_tracker, address)) = original("token") else { return };
    let (_ann, mut offering, told, content) = offering("token", address, 300_000);
    let at = format!("127.0.0.1:{}", told["port"]);
    let expected =
        json!({"dialect": "token", "tracker": address, "port": told["port"], "files": ["video.mp4"]});
    assert_eq!(told, expected);
    let tracker = address.to_string();
    let ran = machine()
        .run(&["classic", "token", "lookup", "video.mp4", "--tracker", &tracker, "--name", "bob"], PATIENCE);
    ran.went_well();
    assert_eq!(ran.stdout, format!("{at}  ann  5 parts\n"));
    fetch("token", address, "video.mp4", &content, false);
    // Nobody is told of himself; but who asks on this machine is not who offers here.
    for (asker, code) in [(&[][..], 0), (&["--name", "ann"], 1)] {
        let ask = [&["classic", "token", "lookup", "video.mp4", "--tracker", &tracker], asker].concat();
        assert_eq!(machine().run(&ask, PATIENCE).code, Some(code), "{asker:?}");
    }
    let ran = machine().run(&["classic", "token", "fetch", "none", "--tracker", &tracker], PATIENCE);
    assert_eq!(ran.code, Some(1));
    ran.failed_with(&["nobody offers `none`"]);
    offering.signal(Signal::INT);
    assert!(offering.wait(PATIENCE).success());
}

#[test]
fn index() {
    let Some((_tracker, address)) = original("index") else { return };
    let (_ann, mut offering, told, content) = offering("index", address, 300_000);
    let tracker = address.to_string();
    let search =
        ["classic", "index", "lookup", "video.mp4", "--json", "--tracker", &tracker, "--name", "bob"];
    let ran = machine().run(&search, PATIENCE);
    ran.went_well();
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let at = format!("127.0.0.1:{}", told["port"]);
    // The original forgets the sizes.
    assert_eq!(found, json!([{"name": "ann", "address": at, "bytes": null, "parts": null}]));
    fetch("index", address, "video.mp4", &content, false);
    offering.signal(Signal::INT);
    assert!(offering.wait(PATIENCE).success());
    let ran = machine().run(&search, PATIENCE);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), "[]\n"));
}

#[test]
fn beacon() {
    let Some((_tracker, address)) = original("beacon") else { return };
    let (_ann, mut offering, told, content) = offering("beacon", address, 300_000);
    fetch("beacon", address, "video.mp4", &content, false);
    let tracker = address.to_string();
    let port = told["port"].to_string();
    machine()
        .run(&["classic", "beacon", "beat", "--peer-port", &port, "--tracker", &tracker], PATIENCE)
        .went_well();
    offering.signal(Signal::INT);
    assert!(offering.wait(PATIENCE).success());
    let ran = machine().run(&["classic", "beacon", "lookup", "video.mp4", "--tracker", &tracker], PATIENCE);
    assert_eq!(ran.code, Some(1));
    ran.failed_with(&["nobody offers \"video.mp4\""]);
    // Another program gives it away.
    let machine = machine();
    std::fs::write(machine.home().join("other"), "x").unwrap();
    let once =
        ["classic", "beacon", "register", "other", "--once", "--peer-port", "6001", "--tracker", &tracker];
    machine.run(&once, PATIENCE).went_well();
    let ran = machine.run(&["classic", "beacon", "lookup", "other", "--tracker", &tracker], PATIENCE);
    assert_eq!(ran.stdout, "127.0.0.1:6001\n");
    machine
        .run(&["classic", "beacon", "exit", "--peer-port", "6001", "--tracker", &tracker], PATIENCE)
        .went_well();
    assert_eq!(
        machine.run(&["classic", "beacon", "lookup", "other", "--tracker", &tracker], PATIENCE).code,
        Some(1)
    );
}

/// A `chunklist` tracker that fetches the lists and gives them away, of one seeder.
fn chunklist_tracker() -> SocketAddr {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port::free_pair()));
    let socket = UdpSocket::bind(address).unwrap();
    let side = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let list_port = side.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut list, mut seeder) = (Vec::new(), String::new());
        let mut datagram = [0; 2048];
        loop {
            let Ok((bytes, from)) = socket.recv_from(&mut datagram) else { return };
            let text = std::str::from_utf8(&datagram[..bytes]).unwrap();
            let fields: Vec<&str> = text.split(';').map(str::trim).collect();
            match fields[..] {
                ["register", name, ip, port, size] => {
                    seeder = format!("('{name}', '{ip}', {port}, {list_port}, {size})");
                    let behind = address.port() + 1;
                    socket.send_to(format!("get_chunk_list; {behind}").as_bytes(), from).unwrap();
                    list.clear();
                    let mut stream = TcpStream::connect((from.ip(), behind)).unwrap();
                    stream.read_to_end(&mut list).unwrap();
                }
                ["list_seeder"] => {
                    socket.send_to(format!("[{seeder}]").as_bytes(), from).unwrap();
                }
                ["get_chunk_list", _] => side.accept().unwrap().0.write_all(&list).unwrap(),
                _ => {}
            }
        }
    });
    address
}

#[test]
fn chunklist() {
    let address = chunklist_tracker();
    let (_ann, mut offering, told, content) = offering("chunklist", address, 1_200_000);
    let tracker = address.to_string();
    let ran = machine().run(&["classic", "chunklist", "list", "--json", "--tracker", &tracker], PATIENCE);
    ran.went_well();
    let listed: Value = serde_json::from_str(&ran.stdout).unwrap();
    let at = format!("127.0.0.1:{}", told["port"]);
    assert_eq!(listed, json!([{"name": "ann", "address": at, "bytes": null, "parts": null}]));
    fetch("chunklist", address, "ann", &content, true);
    offering.signal(Signal::INT);
    assert!(offering.wait(PATIENCE).success());
}

/// A hub that serves all four dialects.
fn hub() -> (Hub, tempfile::TempDir) {
    let state = tempfile::tempdir().unwrap();
    // Peers give their chunk lists away at the port above that of `chunklist`.
    let ports = [("token", 0), ("index", 0), ("chunklist", port::free_pair()), ("beacon", 0)];
    let config = ports
        .map(|(dialect, port)| format!("[classic.{dialect}]\nlisten = [\"127.0.0.1:{port}\"]\n"))
        .concat();
    let hub = Setup::new(env!("CARGO_BIN_EXE_skep")).config(&config).start(state.path());
    (hub, state)
}

/// What the hub's directory has: names, and how many holders each has by dialect.
fn directory(hub: &Hub) -> Value {
    let listed = hub.get("/api/v1/directory").json();
    let names = listed["names"].as_array().unwrap().iter();
    names.map(|name| (name["name"].as_str().unwrap().to_owned(), name["holders"].clone())).collect()
}

#[test]
fn a_hub_is_what_their_trackers_were_to_all_of_them() {
    let (hub, _state) = hub();
    for (dialect, file, verified) in [
        ("token", "video.mp4", false),
        ("index", "video.mp4", false),
        ("chunklist", "ann", true),
        ("beacon", "video.mp4", false),
    ] {
        let tracker = hub.classic(dialect);
        let (_ann, mut offering, _, content) = offering(dialect, tracker, 1_200_000);
        fetch(dialect, tracker, file, &content, verified);
        offering.signal(Signal::INT);
        assert!(offering.wait(PATIENCE).success());
        // Once it has ended, all know that it is gone.
        let tracker = tracker.to_string();
        let ran = machine().run(&["classic", dialect, "lookup", file, "--tracker", &tracker], PATIENCE);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{dialect}");
        assert_eq!(directory(&hub), json!({}), "{dialect}");
    }
}

#[test]
fn a_peer_is_known_in_every_dialect_for_as_long_as_it_runs() {
    let (hub, _state) = hub();
    let machine = machine();
    let shared = machine.home().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let content = lab::torrent::content(5, 1_200_000);
    std::fs::write(shared.join("video.mp4"), &content).unwrap();
    let address = hub.http().to_string();
    let mut peer = machine.start(&["peer", "--dir", "shared", "--peer-port", "0", "--tracker", &address]);
    let everywhere = json!({"token": 1, "index": 1, "chunklist": 1, "beacon": 1});
    wait::until("the peer to be known", PATIENCE, || {
        (directory(&hub) == json!({ "video.mp4": everywhere })).then_some(())
    });
    let ran = machine.run(&["ls", "--classic", "--tracker", &address], PATIENCE);
    ran.went_well();
    let rows: Vec<Vec<&str>> =
        ran.stdout.lines().map(|line| line.split_ascii_whitespace().collect()).collect();
    assert_eq!(rows[0], ["SIZE", "TOKEN", "INDEX", "CHUNKLIST", "BEACON", "NAME"]);
    assert_eq!(rows[1], ["1.14", "MiB", "1", "1", "1", "1", "video.mp4"]);
    for dialect in ["token", "index", "chunklist", "beacon"] {
        fetch(dialect, hub.classic(dialect), "video.mp4", &content, dialect == "chunklist");
    }
    // Its port gives the chunks of one file, so that one alone is offered in `chunklist`: the newest.
    std::fs::write(shared.join("notes.txt"), "notes").unwrap();
    let (old, new) = (json!({"token": 1, "index": 1, "beacon": 1}), everywhere);
    wait::until("the other file to be known", PATIENCE, || {
        (directory(&hub) == json!({ "video.mp4": old, "notes.txt": new })).then_some(())
    });
    std::fs::remove_file(shared.join("notes.txt")).unwrap();
    wait::until("the first file to be known again", PATIENCE, || {
        (directory(&hub) == json!({ "video.mp4": new })).then_some(())
    });
    peer.signal(Signal::INT);
    assert!(peer.wait(PATIENCE).success());
    assert_eq!(directory(&hub), json!({}), "it is forgotten at once");
}

#[test]
fn what_only_classic_peers_have_is_got_and_from_then_on_verified() {
    let (hub, _state) = hub();
    let address = hub.http().to_string();
    let content = lab::torrent::content(9, 700_000);
    beacon_peer(hub.classic("beacon"), "video.mp4", content.clone());
    wait::until("the peer to be known", SOON, || (directory(&hub) != json!({})).then_some(()));
    let in_catalogue = || hub.get("/api/v1/torrents").json()["torrents"].as_array().unwrap().len();

    // Whoever does not share it does not put it there.
    for refrain in [&["--no-seed"][..], &["--no-publish", "--no-seed"]] {
        let machine = machine();
        let ran = machine.run(&[&["get", "video.mp4", "-t", &address], refrain].concat(), PATIENCE);
        ran.went_well();
        assert!(ran.stderr.contains("not verified"), "{}", ran.stderr);
        assert!(std::fs::read(machine.home().join("video.mp4")).unwrap() == content);
        assert_eq!(in_catalogue(), 0, "{refrain:?}");
    }

    let first = machine();
    let mut sharing = first.start(&["get", "video.mp4", "-t", &address]);
    wait::until("the file to be shared", PATIENCE, || {
        sharing.stderr().contains("sharing until Ctrl-C").then_some(())
    });
    let said = sharing.stderr();
    assert!(said.contains("not verified") && said.contains("now in the catalogue"), "{said}");
    assert_eq!(in_catalogue(), 1);
    let second = machine();
    let ran = second.run(&["get", "video.mp4", "-t", &address, "--no-seed", "--json"], PATIENCE);
    ran.went_well();
    assert!(!ran.stderr.contains("not verified"), "{}", ran.stderr);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&told["name"], &told["size"]), (&json!("video.mp4"), &json!(700_000)));
    assert!(std::fs::read(second.home().join("video.mp4")).unwrap() == content);
    sharing.signal(Signal::INT);
    assert!(sharing.wait(PATIENCE).success());

    let ran = machine().run(&["get", "nothing.mp4", "-t", &address, "--no-seed"], PATIENCE);
    assert_eq!(ran.code, Some(1));
    ran.failed_with(&["\"nothing.mp4\"", "no classic peer offers it"]);
}

#[test]
fn what_makes_no_sense_is_told_before_anything_is_done() {
    let machine = machine();
    for name in ["a", "b"] {
        std::fs::write(machine.home().join(name), name).unwrap();
    }
    for (arguments, words) in [
        (&["token", "beat"][..], "nothing in `token` is a heartbeat"),
        (&["chunklist", "exit"], "--name NAME says it"),
        (&["index", "list"], "nothing in `index` lists everything"),
        (&["beacon", "beat"], "--peer-port PORT says where it serves"),
        (&["chunklist", "beat"], "--name NAME says it"),
        (&["token", "register", "a", "--once"], "--once needs --peer-port"),
        (&["chunklist", "register", "a", "b"], "gives one file away"),
        (&["token", "register", "."], "it is no file"),
        (&["token", "register", "none"], "cannot offer"),
        (&["token", "lookup", "a", "--tracker", "127.0.0.1:99999"], "the port is not a number"),
        (&["token", "fetch", "../a", "--tracker", "127.0.0.1:1"], "is a path"),
        (&["token", "fetch", "a", "--as", "b/a", "--tracker", "127.0.0.1:1"], "is a path"),
        (&["gopher", "list"], "gopher"),
    ] {
        let ran = machine.run(&[&["classic"], arguments].concat(), PATIENCE);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}
