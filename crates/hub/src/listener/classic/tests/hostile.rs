//! Bad input: the dialect's own refusal where it has one, an error where JSON is spoken, silence on UDP otherwise; and
//! nobody else's entries change.

use std::io::{Read, Write};
use std::net::TcpStream;

use swarm::directory::Dialect;

use super::{SOON, Trackers, is_closed, receive};
use crate::classic::Count;

/// Trackers at which somebody is registered in each dialect.
fn inhabited() -> Trackers {
    inhabited_with(|_| ())
}

fn inhabited_with(change: impl FnOnce(&mut crate::config::ClassicConfig)) -> Trackers {
    let trackers = Trackers::with(change);
    let token = trackers.token(6, "ann");
    let register =
        format!(r#"{{"type":"REGISTER","peer_id":"ann","token":"{token}","port":8001,"files":{{"x":1}}}}"#);
    trackers.ask(Dialect::Token, 6, &register);
    trackers.tell_index(6, r#"{"command":"register","username":"ann","port":8002,"files":["x"]}"#);
    trackers.beacon(6, r#"{"action":"REGISTER","filename":"x","port":8003}"#);
    trackers.seed(6, "register; x; 1.2.3.4; 8004; 6", b"['00']");
    // An answer says that the datagram before it was dealt with.
    trackers.holders_in_beacon(6, "x");
    assert_eq!(trackers.holders(), [1; 4]);
    trackers
}

/// Everybody is there as before.
fn nothing_changed(trackers: &Trackers) {
    assert_eq!(trackers.holders(), [1; 4]);
    assert!(trackers.peer_list(1, "eve", "x").contains("8001"));
    assert!(trackers.tell_index(1, r#"{"command":"search","filename":"x"}"#).contains("8002"));
    assert!(trackers.holders_in_beacon(1, "x").contains("8003"));
    assert!(trackers.list_seeders(1).contains("8004"));
}

#[test]
fn what_is_no_request_is_refused_over_tcp_in_words() {
    let trackers = inhabited();
    let deep = format!("{}1{}", r#"{"a":"#.repeat(1_000), "}".repeat(1_000));
    let names: String = (0..100_000).map(|n| format!("\"f{n}\":1,")).collect();
    let many = format!(
        r#"{{"type":"REGISTER","command":"register","peer_id":"p","token":"t","port":1,"files":{{{}"z":1}}}}"#,
        names
    );
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "[1,2,3]",
        "\"AUTH\"",
        "\u{0}\u{1}",
        "{}",
        "{nonsense}",
        r#"{"type":"AUTH"}"#,
        r#"{"type":"DANCE","peer_id":"p"}"#,
        r#"{"type":7,"peer_id":"p"}"#,
        r#"{"type":"REGISTER","command":"register","peer_id":"p","token":"t","port":0,"files":{"a":1}}"#,
        r#"{"type":"REGISTER","command":"register","peer_id":"p","token":"t","port":65536,"files":{"a":1}}"#,
        r#"{"type":"REGISTER","command":"register","peer_id":"p","token":"t","port":"no","files":{"a":1}}"#,
        r#"{"type":"REGISTER","command":"register","peer_id":"p","token":"t","port":-1,"files":{"a":1}}"#,
        r#"{"type":"REGISTER","command":"register","peer_id":"p","token":"t","port":1,"files":{"../a":1}}"#,
        r#"{"type":"REGISTER","command":"register","peer_id":"p","token":"t","port":1,"files":{"/etc/passwd":1}}"#,
        r#"{"type":"REGISTER","command":"register","peer_id":"p","token":"t","port":1,"files":{"a\\b":1}}"#,
        r#"{"type":"REGISTER","command":"register","peer_id":"p","token":"t","port":1,"files":7}"#,
        deep.as_str(),
        many.as_str(),
    ] {
        let shown: String = request.chars().take(90).collect();
        for (dialect, refusal) in [
            (Dialect::Token, r#"{"status":"FAIL","reason":""#),
            (Dialect::Index, r#"{"status":"error","reason":""#),
        ] {
            let mut stream = trackers.connect(dialect, 1);
            // The tracker may have closed before it has everything.
            let _ = stream.write_all(request.as_bytes());
            let reply = receive(&mut stream);
            assert!(reply.starts_with(refusal), "{dialect}, {shown}: {reply}");
            assert!(reply.len() < 600, "{dialect}, {shown}: {reply}");
        }
    }
    nothing_changed(&trackers);
}

#[test]
fn a_request_that_never_ends_is_refused_before_it_takes_much() {
    let trackers = inhabited();
    for dialect in [Dialect::Token, Dialect::Index] {
        let mut stream = trackers.connect(dialect, 1);
        let mut sending = stream.try_clone().unwrap();
        let sender = std::thread::spawn(move || {
            let block = "a".repeat(1 << 16);
            let sent = sending.write_all(br#"{"type":""#);
            // 10 MB, if it can.
            let mut blocks = std::iter::repeat_n(block, 160);
            sent.and_then(|()| blocks.try_for_each(|block| sending.write_all(block.as_bytes()))).is_err()
        });
        let reply = receive(&mut stream);
        assert!(reply.contains("complete within"), "{reply}");
        drop(stream);
        // Whether all of it could be written is up to buffers; it ends in any case.
        let _was_cut_off = sender.join().unwrap();
    }
    nothing_changed(&trackers);
}

#[test]
fn who_dawdles_is_let_go() {
    let trackers = inhabited_with(|config| config.idle_secs = 1);
    for begun in [&b""[..], b"{", br#"{"type":"AUTH","peer_id":"#] {
        for dialect in [Dialect::Token, Dialect::Index] {
            let mut stream = trackers.connect(dialect, 1);
            stream.write_all(begun).unwrap();
            assert!(is_closed(&mut stream), "{dialect}");
        }
    }
    nothing_changed(&trackers);
}

#[test]
fn connections_are_limited_and_those_of_one_address_more_so() {
    let trackers = Trackers::with(|config| {
        config.connections_max = 5;
        config.connections_per_address_max = 3;
    });
    let is_served = |stream: &mut TcpStream| {
        stream.write_all(br#"{"command":"exit","username":"a"}"#).is_ok()
            && matches!(stream.read(&mut [0; 64]), Ok(len) if len > 0)
    };
    let mut held = Vec::new();
    for (host, served) in [(1, 3), (2, 2), (3, 0)] {
        for n in 0..4 {
            let mut stream = trackers.connect(Dialect::Index, host);
            assert_eq!(is_served(&mut stream), n < served, "host {host}, connection {n}");
            held.push(stream);
        }
    }
    assert_eq!(trackers.count(Dialect::Index, Count::Limited), 7);
    drop(held);
    lab::wait::until("a place", SOON, || is_served(&mut trackers.connect(Dialect::Index, 3)).then_some(()));
}

#[test]
fn what_is_no_datagram_gets_no_answer() {
    let trackers = inhabited();
    let long = format!(r#"{{"action":"REQUEST","filename":"{}"}}"#, "x".repeat(60_000));
    let beacon = [
        "",
        "hello",
        "[]",
        "{}",
        r#"{"action":"REQUEST"}"#,
        r#"{"action":"REGISTER","filename":"a","port":0}"#,
        r#"{"action":"REGISTER","filename":"a","port":65536}"#,
        r#"{"action":"REGISTER","filename":"../a","port":1}"#,
        r#"{"action":"EXIT"}"#,
        r#"{"action":"DANCE","port":8003}"#,
        &long,
    ];
    let chunklist = [
        "",
        "hello",
        "register",
        "register; a; 1.2.3.4; 0; 1",
        "register; a; 1.2.3.4; 70000; 1",
        "register; a/b; 1.2.3.4; 7; 1",
        "register; a; 1.2.3.4; 7; -1",
        "get_chunk_list;",
        "heartbeat;",
        &"register; a; ".repeat(4_000),
    ];
    for (dialect, datagrams, good) in [
        (Dialect::Beacon, &beacon[..], r#"{"action":"REQUEST","filename":"x"}"#),
        (Dialect::Chunklist, &chunklist[..], "list_seeder"),
    ] {
        for datagram in datagrams {
            let socket = trackers.send(dialect, 1, datagram);
            // The first answer is that to the next, which is good.
            socket.send_to(good.as_bytes(), trackers.at(dialect)).unwrap();
            let mut answer = [0; 2_048];
            let (len, _) = socket.recv_from(&mut answer).unwrap();
            let answer = String::from_utf8_lossy(&answer[..len]).into_owned();
            let shown: String = datagram.chars().take(60).collect();
            assert!(answer.starts_with('[') && answer.contains("80"), "{shown}: {answer}");
        }
        assert_eq!(trackers.count(dialect, Count::Malformed), datagrams.len() as u64);
    }
    nothing_changed(&trackers);
}

#[test]
fn a_chunk_list_that_never_ends_or_is_none_registers_nobody() {
    let trackers = inhabited();
    let endless = "[0, ".to_owned() + &"0, ".repeat(1 << 19);
    for (name, list) in [
        ("endless", endless.as_bytes()),
        ("code", b"__import__('os').system('true')"),
        ("number", b"7"),
        ("broken", b"['00'"),
        ("deep", "[".repeat(1_000).as_bytes()),
        ("bytes", b"\xff\xfe"),
    ] {
        let mut stream = trackers.called(1, &format!("register; {name}; 1.2.3.4; 7001; 99999999"));
        // The tracker closes when it has had enough.
        let _ = stream.write_all(list).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
        stream.set_read_timeout(Some(SOON)).unwrap();
        // It is done with the list: it has closed.
        assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)), "{name}");
    }
    // One that does come says that all before are dealt with: an address is called once at a time.
    trackers.seed(1, "register; fine; 1.2.3.4; 7001; 6", b"['00']");
    let listed = trackers.list_seeders(1);
    assert_eq!(listed.matches('(').count(), 2, "{listed}");
}

#[test]
fn nobody_is_called_at_another_address_than_its_own() {
    let trackers = inhabited();
    let seeders_port = trackers.at(Dialect::Chunklist).port() + 1;
    // Somebody else listens where a register points to.
    let victim = std::net::TcpListener::bind((trackers.network.host(3), seeders_port)).unwrap();
    victim.set_nonblocking(true).unwrap();
    let register = format!("register; evil; {}; 22; 6", trackers.network.host(3));
    trackers.seed(1, &register, b"['00']");
    assert_eq!(victim.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let listed = trackers.list_seeders(1);
    assert!(listed.contains(&format!("'{}', 22", trackers.network.host(1))), "{listed}");
}

#[test]
fn an_address_gets_so_much_more_over_udp_than_it_sends() {
    let trackers = Trackers::with(|config| config.answers_per_minute_max = 10_000);
    for port in 1_000..1_100 {
        trackers.beacon(1, &format!(r#"{{"action":"REGISTER","filename":"a","port":{port}}}"#));
    }
    // Each answer is about a thousand bytes longer than its question.
    for _ in 0..9 {
        assert!(trackers.holders_in_beacon(2, "a").len() > 900);
    }
    let socket = trackers.send(Dialect::Beacon, 2, r#"{"action":"REQUEST","filename":"a"}"#);
    for _ in 0..9 {
        socket.send_to(br#"{"action":"REQUEST","filename":"a"}"#, trackers.at(Dialect::Beacon)).unwrap();
    }
    // Another address is not held to it, and comes after all of them.
    assert!(trackers.holders_in_beacon(3, "a").len() > 900);
    assert!(trackers.count(Dialect::Beacon, Count::Limited) >= 8);
}
