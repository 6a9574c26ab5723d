//! Peers start, complete, join and stop, and each answer has the right counts: over every way in, and over all at once.

#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

use std::net::SocketAddr;

use lab::http::Request;
use lab::hub::{Hub, Setup, Swarm};
use lab::torrent::Torrent;

/// A way in to the hub.
#[derive(Debug, Clone, Copy)]
enum Door {
    Http,
    Http6,
    Udp,
    Udp6,
}

/// One announce, and the (complete, incomplete) it is to be answered with.
struct Line {
    /// Which peer speaks.
    peer: u8,
    event: Event,
    left: u64,
    counts: (u32, u32),
}

/// As numbered by BEP 15.
#[derive(Debug, Clone, Copy)]
enum Event {
    Completed = 1,
    Started = 2,
    Stopped = 3,
}

const CONVERSATION: &[Line] = &[
    Line { peer: 1, event: Event::Started, left: 1000, counts: (0, 1) },
    Line { peer: 1, event: Event::Completed, left: 0, counts: (1, 0) },
    Line { peer: 2, event: Event::Started, left: 1000, counts: (1, 1) },
    Line { peer: 3, event: Event::Started, left: 1000, counts: (1, 2) },
    Line { peer: 3, event: Event::Stopped, left: 1000, counts: (1, 1) },
    Line { peer: 2, event: Event::Stopped, left: 1000, counts: (1, 0) },
];

#[test]
fn over_http() {
    converse(|_| Door::Http);
}

#[test]
fn over_http_and_ipv6() {
    converse(|_| Door::Http6);
}

#[test]
fn over_udp() {
    converse(|_| Door::Udp);
}

#[test]
fn over_udp_and_ipv6() {
    converse(|_| Door::Udp6);
}

#[test]
fn over_all_of_them_in_one_swarm() {
    converse(|peer| match peer {
        1 => Door::Http,
        2 => Door::Udp6,
        _ => Door::Udp,
    });
}

/// Holds the conversation, every peer speaking through its door.
fn converse(door: fn(u8) -> Door) {
    let state = tempfile::tempdir().unwrap();
    let hub = Setup::new(env!("CARGO_BIN_EXE_skep")).start(state.path());
    let torrent = Torrent::new("talk", b"talk", 16384, "http://unused.invalid/announce", false);
    let hash = hash_bytes(&torrent);
    for (number, line) in CONVERSATION.iter().enumerate() {
        let counts = match door(line.peer) {
            Door::Http => over_tcp(&hub, hub.http(), &torrent, line),
            Door::Http6 => over_tcp(&hub, hub.http6(), &torrent, line),
            Door::Udp => over_datagrams(&hub, hub.udp(), &hash, line),
            Door::Udp6 => over_datagrams(&hub, hub.udp6(), &hash, line),
        };
        assert_eq!(counts, line.counts, "line {number}: peer {} {:?}", line.peer, line.event);
        let (complete, incomplete) = (line.counts.0.into(), line.counts.1.into());
        let downloaded = u64::from(number > 0);
        assert_eq!(hub.swarm(&torrent.info_hash), Some(Swarm { complete, incomplete, downloaded }));
    }
    hub.stop();
}

fn port(line: &Line) -> u16 {
    7000 + u16::from(line.peer)
}

fn over_tcp(hub: &Hub, to: SocketAddr, torrent: &Torrent, line: &Line) -> (u32, u32) {
    let event = format!("{:?}", line.event).to_lowercase();
    let target = format!(
        "/announce?info_hash={}&peer_id=-XX0000-00000000000{}&port={}&uploaded=0&downloaded=0&left={}&compact=1&event={event}",
        torrent.escaped_hash(),
        line.peer,
        port(line),
        line.left,
    );
    let answer = Request::new("GET", &target).send(hub.host(), to).unwrap();
    assert_eq!(answer.status, 200);
    let text = answer.text();
    let number = |key: &str| -> u32 {
        let (_, rest) = text.split_once(key).unwrap_or_else(|| panic!("no {key} in {text}"));
        rest.split('e').next().unwrap().parse().unwrap()
    };
    (number("8:completei"), number("10:incompletei"))
}

/// BEP 15: connect, then announce.
fn over_datagrams(hub: &Hub, to: SocketAddr, hash: &[u8; 20], line: &Line) -> (u32, u32) {
    let socket = hub.host().udp(to).unwrap();
    let ask = |request: &[u8], action: u32| -> Vec<u8> {
        socket.send(request).unwrap();
        let mut buffer = [0; 2048];
        let len = socket.recv(&mut buffer).unwrap();
        let reply = buffer[..len].to_vec();
        assert_eq!(number_at(&reply, 0), action, "{}", reply.escape_ascii());
        assert_eq!(reply[4..8], request[12..16], "the transaction id comes back");
        reply
    };
    let magic = 0x0417_2710_1980_u64.to_be_bytes();
    let connected = ask(&[&magic[..], &[0, 0, 0, 0], b"tran"].concat(), 0);
    assert_eq!(connected.len(), 16);
    let request = [
        &connected[8..16],
        &[0, 0, 0, 1],
        b"sact",
        hash,
        b"-XX0000-00000000000",
        &[b'0' + line.peer],
        &[0; 8], // downloaded
        &line.left.to_be_bytes(),
        &[0; 8], // uploaded
        &(line.event as u32).to_be_bytes(),
        &[0; 4],               // IP address: the sender's
        &[0, 0, 0, line.peer], // key
        &[0xff; 4],            // as many peers as the tracker likes
        &port(line).to_be_bytes(),
    ]
    .concat();
    assert_eq!(request.len(), 98);
    let announced = ask(&request, 1);
    (number_at(&announced, 16), number_at(&announced, 12))
}

fn number_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn hash_bytes(torrent: &Torrent) -> [u8; 20] {
    let digits = torrent.info_hash.as_bytes().chunks(2);
    let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    bytes.collect::<Vec<u8>>().try_into().unwrap()
}
