//! Conversations over real sockets.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use swarm::{Counts, Event, Families, InfoHash, PeerId};
use wire::Announce;
use wire::udp::{self, ConnectionId, ReplyBody};

use super::*;
use crate::config::TrackerConfig;
use crate::tracker::Events;

struct Nobody;

impl Events for Nobody {
    fn completed(&self, _: InfoHash, _: u32) {}
}

/// A listener on loopback that lives as long as this.
struct Running {
    addresses: Vec<SocketAddr>,
    tracker: Arc<Tracker>,
    serving: Option<Serving>,
}

impl Running {
    fn start() -> Self {
        let listen = ["127.0.0.1:0", "[::1]:0"].map(|address| address.parse().unwrap());
        let listener = UdpListener::bind(&listen, &UdpConfig { workers: 2, ..UdpConfig::default() }).unwrap();
        let tracker = Arc::new(Tracker::new(&TrackerConfig::default(), Box::new(Nobody)));
        let addresses = listener.addresses().to_vec();
        let serving = Some(listener.serve(&tracker).unwrap());
        Self { addresses, tracker, serving }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.take().unwrap().stop();
    }
}

/// A client with a connection id of its own.
struct Client {
    socket: UdpSocket,
    connection: ConnectionId,
}

impl Client {
    fn connect(to: SocketAddr) -> Self {
        let any = if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let socket = UdpSocket::bind(any).unwrap();
        socket.connect(to).unwrap();
        let mut client = Self { socket, connection: ConnectionId(0) };
        let mut request = Vec::new();
        udp::encode_connect_request(1, &mut request);
        let answer = client.ask(&request);
        let reply = udp::decode_reply(&answer, Families::V4).unwrap();
        assert_eq!(reply.transaction, 1);
        let ReplyBody::Connect(connection) = reply.body else { panic!("{reply:?} is no connect reply") };
        client.connection = connection;
        client
    }

    fn ask(&self, request: &[u8]) -> Vec<u8> {
        self.socket.send(request).unwrap();
        let mut answer = vec![0; 2_048];
        let length = self.socket.recv(&mut answer).unwrap();
        answer.truncate(length);
        answer
    }

    fn announce_bytes(&self, port: u16, left: u64, event: Event) -> Vec<u8> {
        let announce = Announce {
            info_hash: InfoHash([7; 20]),
            peer_id: PeerId(*b"-TT0001-abcdefghijkl"),
            port,
            stated_ip: None,
            uploaded: 0,
            downloaded: 0,
            left: Some(left),
            event,
            want: None,
            key: None,
            passkey: None,
        };
        let mut request = Vec::new();
        udp::encode_announce_request(2, self.connection, &announce, b"", &mut request);
        request
    }

    /// (complete, incomplete) and the number of peers told.
    fn announce(&self, port: u16, left: u64, event: Event) -> (u32, u32, usize) {
        let answer = self.ask(&self.announce_bytes(port, left, event));
        let families = Families::of(self.socket.peer_addr().unwrap().ip());
        match udp::decode_reply(&answer, families).unwrap().body {
            ReplyBody::Announce { complete, incomplete, peers, interval } => {
                assert!((1800..=1980).contains(&interval), "{interval}");
                (complete, incomplete, peers.len())
            }
            other => panic!("{other:?} is no announce reply"),
        }
    }

    fn error(&self, request: &[u8]) -> String {
        let answer = self.ask(request);
        assert!(answer.len() <= request.len(), "an answer of {} to {}", answer.len(), request.len());
        match udp::decode_reply(&answer, Families::V4).unwrap().body {
            ReplyBody::Error(reason) => reason.into_owned(),
            other => panic!("{other:?} is no error"),
        }
    }
}

#[test]
fn two_peers_come_complete_and_leave() {
    let running = Running::start();
    for to in &running.addresses {
        let client = Client::connect(*to);
        assert_eq!(client.announce(1001, 5, Event::Started), (0, 1, 0));
        assert_eq!(client.announce(1001, 0, Event::Completed), (1, 0, 0));
        assert_eq!(client.announce(1002, 5, Event::Started), (1, 1, 1));
        assert_eq!(client.announce(1003, 5, Event::Started), (1, 2, 2));
        assert_eq!(client.announce(1002, 5, Event::Stopped), (1, 1, 0));
        assert_eq!(client.announce(1003, 5, Event::Stopped), (1, 0, 0));
        assert_eq!(client.announce(1001, 0, Event::Stopped), (0, 0, 0));
    }
    assert_eq!(running.tracker.count(Metric::AnnouncesUdp4), 7);
    assert_eq!(running.tracker.count(Metric::AnnouncesUdp6), 7);
    assert_eq!(running.tracker.count(Metric::Completed), 2);
}

#[test]
fn a_scrape_counts_known_and_unknown_swarms() {
    let running = Running::start();
    let client = Client::connect(running.addresses[0]);
    client.announce(1001, 0, Event::Started);
    let mut request = Vec::new();
    udp::encode_scrape_request(3, client.connection, [InfoHash([7; 20]), InfoHash([8; 20])], &mut request);
    let answer = client.ask(&request);
    let ReplyBody::Scrape(counts) = udp::decode_reply(&answer, Families::V4).unwrap().body else {
        panic!("no scrape reply")
    };
    let seen: Vec<_> =
        counts.iter().map(|Counts { complete, incomplete, .. }| (complete, incomplete)).collect();
    assert_eq!(seen, [(1, 0), (0, 0)]);
}

#[test]
fn who_has_no_valid_connection_id_gets_little_and_is_not_heard() {
    let running = Running::start();
    let mut client = Client::connect(running.addresses[0]);
    client.connection = ConnectionId(client.connection.0 ^ 1);
    assert_eq!(client.error(&client.announce_bytes(1001, 5, Event::Started)), "connect again");
    assert_eq!(running.tracker.scrape(&InfoHash([7; 20])), None);
    assert_eq!(running.tracker.count(Metric::ConnectionIdInvalid), 1);
}

#[test]
fn what_is_no_request_is_told_so_or_left_unanswered() {
    let running = Running::start();
    let client = Client::connect(running.addresses[0]);
    let announce = client.announce_bytes(1001, 5, Event::Started);
    for noise in [&b""[..], b"x", &[0xff; 15], &[0xff; 100]] {
        client.socket.send(noise).unwrap();
    }
    let reason = client.error(&announce[..90]);
    assert!(reason.contains("90"), "{reason}");
    // Nothing came back for the noise, or it would have been read before this.
    assert_eq!(client.announce(1001, 5, Event::Started), (0, 1, 0));
}

#[test]
fn port_zero_is_refused_in_words() {
    let running = Running::start();
    let client = Client::connect(running.addresses[0]);
    let reason = client.error(&client.announce_bytes(0, 5, Event::Started));
    assert!(reason.starts_with("port 0"), "{reason}");
}
