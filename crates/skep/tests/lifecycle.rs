//! How a hub stops, starts again, and refuses to start.

#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};

use lab::http::Request;
use lab::hub::{ADMIN_TOKEN, Hub, Setup};
use lab::lan::Host;
use lab::machine::Machine;
use lab::program::Signal;
use lab::wait::{self, SOON};
use tempfile::TempDir;

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

fn setup() -> Setup {
    Setup::new(env!("CARGO_BIN_EXE_skep"))
}

fn announce(hub: &Hub, port: u16, left: u64) {
    let hash: String =
        HASH.as_bytes().chunks(2).map(|pair| format!("%{}", String::from_utf8_lossy(pair))).collect();
    let target = format!(
        "/announce?info_hash={hash}&peer_id=-XX0000-00000000{port}&port={port}&uploaded=0&downloaded=0&left={left}&event=started"
    );
    let answer = hub.get(&target);
    assert!(answer.text().contains("8:interval"), "{}", answer.text());
}

/// A state directory that a hub with a swarm of two has left.
fn used_state() -> TempDir {
    let state = tempfile::tempdir().unwrap();
    let hub = setup().start(state.path());
    announce(&hub, 7001, 0);
    announce(&hub, 7002, 10);
    hub.stop();
    state
}

/// The files of a state directory whose content `wanted` picks.
fn files(state: &Path, wanted: fn(&Path, &[u8]) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| fs::read(path).is_ok_and(|bytes| wanted(path, &bytes))).collect()
}

/// Asserts that a hub refuses to start, in one line with all `words` in it.
fn assert_refused(setup: &Setup, state: &Path, words: &[&str]) {
    let (code, output) = setup.refused(state);
    assert_eq!(code, Some(2), "{output}");
    assert_eq!(output.trim_end().lines().count(), 1, "one line says what is wrong: {output}");
    for word in words {
        assert!(output.contains(word), "`{word}` is not in: {output}");
    }
}

#[test]
fn a_stopped_hub_serves_the_same_swarm_when_it_starts_again() {
    let state = used_state();
    let hub = setup().start(state.path());
    let swarm = hub.swarm(HASH).expect("the swarm of before");
    assert_eq!((swarm.complete, swarm.incomplete), (1, 1));
    hub.stop();
}

#[test]
fn an_interrupt_stops_it_as_well() {
    let state = tempfile::tempdir().unwrap();
    let hub = setup().start(state.path());
    hub.program().signal(Signal::INT);
    assert_eq!(hub.ended(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let state = tempfile::tempdir().unwrap();
    let hub = setup().start(state.path());
    // A request whose body never comes is in hand, and a hub that is told to stop waits for it.
    let mut slow = TcpStream::connect(hub.http()).unwrap();
    let head = "POST /api/v1/torrents HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    slow.write_all(head.as_bytes()).unwrap();
    // Another request, sent later and answered, shows that the first is in the hub's hands.
    assert_eq!(hub.get("/health").status, 200);
    hub.program().signal(Signal::TERM);
    let address = hub.http();
    wait::until("the end of accepting", SOON, || TcpStream::connect(address).err());
    hub.program().signal(Signal::TERM);
    let code = hub.ended();
    assert_ne!(code, Some(0), "it waited for the request in hand although it was told twice");
}

#[test]
fn a_hangup_has_it_read_its_certificate_anew_and_nobody_is_dropped() {
    let state = tempfile::tempdir().unwrap();
    let config = "[tls]\nlisten = \"127.0.0.2:0\"\nself_signed = true\n";
    let hub = setup().config(config).start(state.path());
    let mut stream = TcpStream::connect(hub.http()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut ask = || {
        stream.write_all(b"GET /announce HTTP/1.1\r\nHost: hub\r\n\r\n").unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        // The rest of it.
        let read = stream.read(&mut [0; 1024]).unwrap();
        assert!(read > 0);
    };
    let says = |text: &str| wait::until(text, SOON, || hub.program().output().contains(text).then_some(()));
    ask();
    hub.program().signal(Signal::HUP);
    says("the certificate is read anew");
    fs::write(state.path().join("tls-key.pem"), "nothing").unwrap();
    hub.program().signal(Signal::HUP);
    says("tls-key.pem: it holds no private key in PEM form");
    ask();
    hub.stop();
}

#[test]
fn access_lists_change_while_announces_come_in_and_none_is_lost() {
    let [state, folder] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let denied = folder.path().join("denied");
    let hash = |last: u32| format!("{:036x}{last:04x}", 0);
    let list = |first: u32| (first..60_000).map(|last| hash(last) + "\n").collect::<String>();
    fs::write(&denied, list(1)).unwrap();
    let config = format!("[access]\ntorrents_denied = {denied:?}\n");
    let hub = setup().config(&config).start(state.path());
    let mut stream = TcpStream::connect(hub.http()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut is_taken = |last: u8| {
        let hash = format!("{}%{last:02x}", "%00".repeat(19));
        let query = format!("info_hash={hash}&peer_id=-TT0001-abcdefghijkl&port=1001&left=5");
        write!(stream, "GET /announce?{query} HTTP/1.1\r\nHost: hub\r\n\r\n").unwrap();
        let mut answer = [0; 4096];
        let mut read = 0;
        while !answer[..read].windows(4).any(|end| end == b"\r\n\r\n") || answer[read - 1] != b'e' {
            let more = stream.read(&mut answer[read..]).unwrap();
            assert!(more > 0, "the connection was dropped");
            read += more;
        }
        let text = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(text.contains("8:interval") || text.contains("may not be announced"), "{text}");
        text.contains("8:interval")
    };
    assert!(is_taken(0) && !is_taken(1));
    fs::write(&denied, list(2)).unwrap();
    hub.program().signal(Signal::HUP);
    // It goes on answering until it has read the list, and by the new one then.
    wait::until("the new list", SOON, || (is_taken(0) && !is_taken(2) && is_taken(1)).then_some(()));
    // Without a signal it looks by itself.
    fs::write(&denied, "").unwrap();
    wait::until("the change to be seen", SOON, || is_taken(2).then_some(()));
    fs::write(&denied, "nonsense\n").unwrap();
    hub.program().signal(Signal::HUP);
    wait::until("the mistake to be told", SOON, || {
        hub.program().output().contains("line 1: `nonsense` is not an info hash").then_some(())
    });
    assert!(is_taken(2));
    hub.stop();
}

#[test]
fn a_denied_network_is_let_in_nowhere_and_each_refusal_is_counted() {
    let [state, folder] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let denied = folder.path().join("denied");
    fs::write(&denied, "127.0.0.0/8\n").unwrap();
    let config = format!(
        "[access]\npeers_denied = {denied:?}\n[limits]\nconnects_per_minute = 1\n\
         [classic.index]\nlisten = \"127.0.0.1:0\"\n[classic.beacon]\nlisten = \"127.0.0.1:0\"\n"
    );
    let hub = setup().config(&config).start(state.path());
    let counted = |sample: &str| {
        let asked = Request::new("GET", "/metrics").bearer(ADMIN_TOKEN);
        wait::until(sample, SOON, || {
            hub.send(&asked).text().lines().any(|line| line == sample).then_some(())
        });
    };
    // Over TCP the connection ends without a word, whatever way the system has to say so.
    let mut stream = TcpStream::connect(hub.classic("index")).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let ended = stream.read(&mut [0; 16]).or_else(|error| {
        if error.kind() == std::io::ErrorKind::ConnectionReset { Ok(0) } else { Err(error) }
    });
    assert_eq!(ended.unwrap(), 0);
    counted("skep_classic_refused_total{dialect=\"index\",what=\"network\"} 1");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let offer = br#"{"action":"REGISTER","filename":"x","port":7001}"#;
    socket.send_to(offer, hub.classic("beacon")).unwrap();
    counted("skep_classic_refused_total{dialect=\"beacon\",what=\"network\"} 1");
    assert_eq!(hub.get("/api/v1/directory").json()["names"], serde_json::json!([]));
    let target = "/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-TT0001-abcdefghijkl&port=1001&left=5";
    assert!(hub.get(target).text().contains("takes no announces from your network"));
    counted("skep_refused_total{reason=\"network\"} 1");
    // BEP 15: the first connect request is answered, the second is one too many.
    let connect = [&0x0417_2710_1980_u64.to_be_bytes()[..], &[0; 4], &[0, 0, 0, 9]].concat();
    socket.send_to(&connect, hub.udp()).unwrap();
    let mut answer = [0; 64];
    assert_eq!(socket.recv(&mut answer).unwrap(), 16);
    socket.send_to(&connect, hub.udp()).unwrap();
    counted("skep_refused_total{reason=\"rate\"} 1");
    hub.stop();
}

#[test]
fn a_running_hub_is_asked_from_the_command_line() {
    let [state, folder] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let denied = folder.path().join("denied");
    fs::write(&denied, "").unwrap();
    let hub = setup().config(&format!("[access]\npeers_denied = {denied:?}\n")).start(state.path());
    let machine = Machine::new(env!("CARGO_BIN_EXE_skep"), &Host::loopback());
    let address = hub.http().to_string();
    let ask =
        |what: &str, token: &str| machine.run(&["hub", what, "-t", &address, "--admin-token", token], SOON);
    let told = ask("reload", ADMIN_TOKEN);
    told.went_well();
    assert!(told.stderr.contains("read anew"), "{}", told.stderr);
    fs::write(&denied, "192.0.2.0/33\n").unwrap();
    ask("reload", ADMIN_TOKEN).failed_with(&["line 1: `192.0.2.0/33` is not an address or a network"]);
    ask("save", ADMIN_TOKEN).went_well();
    assert!(state.path().join("swarms.snapshot").exists());
    ask("stop", "wrong").failed_with(&["this is not the hub's admin token"]);
    ask("stop", ADMIN_TOKEN).went_well();
    assert_eq!(hub.ended(), Some(0));
}

#[test]
fn a_port_in_use_is_named() {
    let state = tempfile::tempdir().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    assert_refused(&setup().listen(address), state.path(), &[&address.to_string()]);
}

#[test]
fn a_state_directory_that_cannot_be_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "a file").unwrap();
    assert_refused(&setup(), &file, &[file.to_str().unwrap()]);
}

#[test]
fn a_wrong_key_is_named() {
    let state = tempfile::tempdir().unwrap();
    let setup = setup().config("[tracker]\nintervall_secs = 5\n");
    assert_refused(&setup, state.path(), &["intervall_secs"]);
}

#[test]
fn a_corrupt_database_is_named_and_left_alone() {
    let state = used_state();
    let databases = files(state.path(), |_, bytes| bytes.starts_with(b"SQLite format 3\0"));
    let [database] = databases.as_slice() else { panic!("one database in {databases:?}") };
    let garbage = vec![0x5a; 8192];
    fs::write(database, &garbage).unwrap();
    assert_refused(&setup(), state.path(), &[database.to_str().unwrap()]);
    assert_eq!(fs::read(database).unwrap(), garbage, "somebody may yet rescue it");
}

#[test]
fn a_corrupt_snapshot_is_set_aside_and_the_hub_starts() {
    let state = used_state();
    let snapshots = files(state.path(), |path, _| path.to_string_lossy().contains("snapshot"));
    let [snapshot] = snapshots.as_slice() else { panic!("one snapshot in {snapshots:?}") };
    let garbage = vec![0x5a; 8192];
    fs::write(snapshot, &garbage).unwrap();
    let hub = setup().start(state.path());
    assert_eq!(hub.get("/health").status, 200);
    assert_eq!(hub.swarm(HASH), None);
    announce(&hub, 7001, 0);
    hub.stop();
    let aside = files(state.path(), |_, bytes| bytes == [0x5a; 8192]);
    assert_eq!(aside.len(), 1, "the corrupt snapshot is kept under another name");
    assert_ne!(&aside[0], snapshot);
}
