//! `index`: any number of requests a connection, a reply and a newline each.

use std::io::Write;

use swarm::directory::Dialect;

use super::{CLIENT_BUFFER, Trackers, receive};

impl Trackers {
    pub(super) fn tell_index(&self, host: u8, request: &str) -> String {
        self.ask(Dialect::Index, host, request)
    }
}

const OK: &str = "{\"status\":\"ok\"}\n";

#[test]
fn a_client_registers_is_found_beats_and_leaves() {
    let trackers = Trackers::start();
    let alice = trackers.network.host(2);
    let register =
        r#"{"command":"register","username":"alice","port":6001,"files":{"a.txt":12,"b c.txt":0}}"#;
    assert_eq!(trackers.tell_index(2, register), OK);
    assert_eq!(
        trackers.tell_index(1, r#"{"command":"search","filename":"a.txt"}"#),
        format!(
            "{{\"status\":\"ok\",\"filename\":\"a.txt\",\"peers\":[{{\"username\":\"alice\",\"ip\":\"{alice}\",\
             \"port\":6001,\"size\":12}}]}}\n"
        )
    );
    assert_eq!(
        trackers.tell_index(1, r#"{"command":"search","filename":"c.txt"}"#),
        "{\"status\":\"not_found\",\"filename\":\"c.txt\",\"peers\":[]}\n"
    );
    assert_eq!(trackers.tell_index(2, r#"{"command":"keep_alive","username":"alice"}"#), OK);
    let elsewhere = trackers.tell_index(1, r#"{"command":"keep_alive","username":"alice"}"#);
    assert!(elsewhere.starts_with(r#"{"status":"error","reason":""#), "{elsewhere}");
    assert_eq!(trackers.tell_index(1, r#"{"command":"exit","username":"alice"}"#), OK);
    assert_eq!(trackers.holders()[Dialect::Index as usize], 1, "whoever left was another of that name");
    assert_eq!(trackers.tell_index(2, r#"{"command":"exit","username":"alice"}"#), OK);
    assert_eq!(trackers.holders(), [0; 4]);
}

#[test]
fn every_spelling_is_understood() {
    let trackers = Trackers::start();
    for (verb, name, file) in
        [("command", "username", "filename"), ("type", "peer_id", "file_name"), ("action", "name", "file")]
    {
        let register = format!(r#"{{"{verb}":"register","{name}":"alice","port":6001,"files":["a","b"]}}"#);
        assert_eq!(trackers.tell_index(2, &register), OK);
        let found = trackers.tell_index(1, &format!(r#"{{"{verb}":"search","{file}":"b","{name}":"bob"}}"#));
        assert!(found.contains(r#""username":"alice""#), "{found}");
        assert_eq!(trackers.tell_index(2, &format!(r#"{{"{verb}":"keep_alive","{name}":"alice"}}"#)), OK);
        assert_eq!(trackers.tell_index(2, &format!(r#"{{"{verb}":"exit","{name}":"alice"}}"#)), OK);
        assert_eq!(trackers.holders(), [0; 4]);
    }
}

#[test]
fn requests_may_follow_each_other_in_one_segment_and_a_request_may_come_in_many() {
    let trackers = Trackers::start();
    let mut stream = trackers.connect(Dialect::Index, 1);
    let register = r#"{"command":"register","username":"alice","port":6001,"files":["a"]}"#;
    let beat = r#"{"command":"keep_alive","username":"alice"}"#;
    stream.write_all(format!("{register}{beat}\n{beat}\r\n\n {beat}").as_bytes()).unwrap();
    assert_eq!(read(&mut stream, 4 * OK.len()), OK.repeat(4));
    for byte in beat.bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(read(&mut stream, OK.len()), OK);
    // The end of one and the beginning of the next in one segment.
    let (first, last) = beat.split_at(20);
    stream.write_all(first.as_bytes()).unwrap();
    stream.write_all(format!("{last}{first}").as_bytes()).unwrap();
    assert_eq!(read(&mut stream, OK.len()), OK);
    stream.write_all(last.as_bytes()).unwrap();
    assert_eq!(read(&mut stream, OK.len()), OK);
}

#[test]
fn many_requests_at_once_are_all_answered() {
    let trackers = Trackers::start();
    let mut stream = trackers.connect(Dialect::Index, 1);
    // Their replies are more than is sent at a time.
    let search = "{\"command\":\"search\",\"filename\":\"nothing\"}\n";
    let answer = "{\"status\":\"not_found\",\"filename\":\"nothing\",\"peers\":[]}\n";
    let n = 5_000;
    let mut asking = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || asking.write_all(search.repeat(n).as_bytes()).unwrap());
    assert_eq!(read(&mut stream, n * answer.len()), answer.repeat(n));
    sender.join().unwrap();
}

#[test]
fn a_reply_fits_what_a_client_receives_at_once() {
    let trackers = Trackers::start();
    let mut stream = trackers.connect(Dialect::Index, 2);
    for n in 0..1_000 {
        let register =
            format!(r#"{{"command":"register","username":"user-{n}","port":{},"files":["a"]}}"#, 1_000 + n);
        stream.write_all(register.as_bytes()).unwrap();
        assert_eq!(receive(&mut stream), OK);
    }
    let found = trackers.tell_index(1, r#"{"command":"search","filename":"a"}"#);
    assert!(found.len() <= CLIENT_BUFFER && found.len() > CLIENT_BUFFER - 100, "{}", found.len());
    assert!(found.ends_with("]}\n"), "{found}");
}

fn read(stream: &mut std::net::TcpStream, len: usize) -> String {
    let mut bytes = vec![0; len];
    std::io::Read::read_exact(stream, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}
