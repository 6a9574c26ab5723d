use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use parking_lot::Mutex;
use swarm::{InfoHash, PeerId, Port};
use wire::udp::{Packet, Request, decode, encode_announce, encode_connect, encode_error};

use super::*;
use crate::announce::testing::{Server, endpoint, swarm_reply, udp};

const ID: ConnectionId = ConnectionId(0x0102_0304_0506_0708);

fn ask() -> Announce<'static> {
    Announce {
        info_hash: InfoHash([7; 20]),
        peer_id: PeerId([9; 20]),
        port: 6881,
        stated_ip: None,
        uploaded: 1,
        downloaded: 2,
        left: Some(3),
        event: Event::Started,
        want: Some(50),
        key: Some(b"000000AB"),
        passkey: None,
    }
}

fn target(server: &Server, path: &str) -> Target {
    Target::parse(&format!("udp://{}{path}", server.address)).unwrap()
}

/// A tracker as it should be, for IPv4.
fn right(datagram: &[u8]) -> Vec<u8> {
    let Packet { reply_to, request } = decode(datagram).unwrap();
    let mut out = Vec::new();
    match request {
        Request::Connect => encode_connect(reply_to, ID, &mut out),
        Request::Announce { connection: ID, .. } => {
            encode_announce(reply_to, &swarm_reply(), 1800, Families::V4, &mut out);
        }
        _ => encode_error(reply_to, "connection id is unknown", &mut out),
    }
    out
}

fn is_connect(datagram: &[u8]) -> bool {
    matches!(decode(datagram).unwrap().request, Request::Connect)
}

#[tokio::test]
async fn a_tracker_is_told_all_and_answers() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let server = udp("127.0.0.1", move |datagram| {
        log.lock().push(datagram.to_vec());
        vec![right(datagram)]
    });
    let server = server.await.unwrap();
    let client = Udp::new(TIMEOUT);
    let target = target(&server, "/announce/s3cret?x=1");
    let (answer, peers) = client.announce(&target, Family::V4, &ask()).await.unwrap();
    assert_eq!((answer.interval, answer.seeders, answer.leechers), (Some(1800), Some(1), Some(2)));
    assert_eq!(peers, [endpoint("10.0.0.5", 6881)]);
    client.announce(&target, Family::V4, &Announce { event: Event::Update, ..ask() }).await.unwrap();

    let seen = seen.lock();
    assert_eq!(seen.iter().map(|datagram| is_connect(datagram)).collect::<Vec<_>>(), [true, false, false]);
    assert_ne!(seen[1][12..16], seen[2][12..16], "transaction ids");
    let Request::Announce { announce, .. } = decode(&seen[1]).unwrap().request else { panic!() };
    let expected = Announce { passkey: Some(b"s3cret"), key: Some(b"00AB"), ..ask() };
    assert_eq!(announce, expected);
    assert!(seen[1].ends_with(b"\x02\x14/announce/s3cret?x=1"), "BEP 41 URL data");
}

#[tokio::test]
async fn silence_is_waited_for_ever_longer_and_then_told() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = udp("127.0.0.1", move |_| {
        counted.fetch_add(1, SeqCst);
        Vec::new()
    });
    let server = server.await.unwrap();
    let began = std::time::Instant::now();
    let client = Udp::new(Duration::from_millis(20));
    let miss = client.announce(&target(&server, ""), Family::V4, &ask()).await.unwrap_err();
    assert_eq!(miss, Miss::Failed("no answer to 3 requests over IPv4".into()));
    assert!(began.elapsed() >= Duration::from_millis(20 + 40 + 80));
    assert_eq!(count.load(SeqCst), 3);
}

#[tokio::test]
async fn a_lost_datagram_is_sent_again() {
    let mut count = 0;
    let server = udp("127.0.0.1", move |datagram| {
        count += 1;
        if count % 2 == 1 { Vec::new() } else { vec![right(datagram)] }
    });
    let server = server.await.unwrap();
    let client = Udp::new(Duration::from_millis(50));
    client.announce(&target(&server, ""), Family::V4, &ask()).await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_passed_on() {
    let server = udp("127.0.0.1", |datagram| {
        if is_connect(datagram) {
            return vec![right(datagram)];
        }
        let mut out = Vec::new();
        encode_error(decode(datagram).unwrap().reply_to, "not\x1b here\n", &mut out);
        vec![out]
    });
    let server = server.await.unwrap();
    let miss = Udp::new(TIMEOUT).announce(&target(&server, ""), Family::V4, &ask()).await.unwrap_err();
    assert_eq!(miss, Miss::Refused { reason: "not  here".into(), retry_in: None });
}

#[tokio::test]
async fn answers_that_are_not_for_us_are_ignored() {
    let server = udp("127.0.0.1", |datagram| {
        let right = right(datagram);
        let mut wrong = right.clone();
        wrong[7] ^= 1;
        vec![b"".to_vec(), b"short".to_vec(), wrong, right.clone(), right]
    });
    let server = server.await.unwrap();
    let client = Udp::new(TIMEOUT);
    client.announce(&target(&server, ""), Family::V4, &ask()).await.unwrap();

    // The right transaction id from another address.
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let ours = client.channel(Family::V4).await.unwrap().local_port();
    let forged = udp("127.0.0.1", move |datagram| {
        let mut answer = Vec::new();
        encode_error(decode(datagram).unwrap().reply_to, "forged", &mut answer);
        stranger.send_to(&answer, ("127.0.0.1", ours)).unwrap();
        vec![right(datagram)]
    });
    let forged = forged.await.unwrap();
    client.announce(&target(&forged, ""), Family::V4, &ask()).await.unwrap();
}

#[tokio::test]
async fn a_tracker_that_has_forgotten_us_is_asked_for_a_new_connection() {
    for silent in [false, true] {
        let mut epoch = 0_u64;
        let mut announces = 0;
        let server = udp("127.0.0.1", move |datagram| {
            let Packet { reply_to, request } = decode(datagram).unwrap();
            let mut out = Vec::new();
            match request {
                Request::Connect => encode_connect(reply_to, ConnectionId(epoch), &mut out),
                Request::Announce { connection, .. } if connection.0 == epoch => {
                    encode_announce(reply_to, &swarm_reply(), 1800, Families::V4, &mut out);
                    announces += 1;
                    epoch = announces;
                }
                _ if silent => return Vec::new(),
                _ => encode_error(reply_to, "Connection ID mismatch", &mut out),
            }
            vec![out]
        });
        let server = server.await.unwrap();
        let client = Udp::new(Duration::from_millis(100));
        for _ in 0..3 {
            client.announce(&target(&server, ""), Family::V4, &ask()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn torrents_that_announce_together_connect_once() {
    let connects = Arc::new(AtomicUsize::new(0));
    let counted = connects.clone();
    let server = udp("127.0.0.1", move |datagram| {
        counted.fetch_add(usize::from(is_connect(datagram)), SeqCst);
        vec![right(datagram)]
    });
    let server = server.await.unwrap();
    let client = Arc::new(Udp::new(TIMEOUT));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (client, target) = (client.clone(), target(&server, ""));
        tasks.spawn(async move { client.announce(&target, Family::V4, &ask()).await.map(|_| ()) });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(connects.load(SeqCst), 1);
}

#[tokio::test]
async fn over_ipv6_peers_are_of_ipv6() {
    let server = udp("::1", |datagram| {
        let Packet { reply_to, request } = decode(datagram).unwrap();
        let mut out = Vec::new();
        match request {
            Request::Connect => encode_connect(reply_to, ID, &mut out),
            _ => encode_announce(reply_to, &swarm_reply(), 1800, Families::V6, &mut out),
        }
        vec![out]
    });
    // Not every machine has IPv6.
    let Ok(server) = server.await else { return };
    let client = Udp::new(TIMEOUT);
    let (_, peers) = client.announce(&target(&server, ""), Family::V6, &ask()).await.unwrap();
    assert_eq!(peers, [endpoint("fd00::5", 6882)]);
    let absent = client.announce(&target(&server, ""), Family::V4, &ask()).await.unwrap_err();
    assert_eq!(absent, Miss::Absent);
    assert!(Port::new(client.channel(Family::V6).await.unwrap().local_port()).is_some());
}
