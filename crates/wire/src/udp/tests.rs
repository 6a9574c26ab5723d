//! Golden bytes of BEP 15, then truncation and junk at every byte, then round trips.

use std::net::IpAddr;

use swarm::{Counts, Endpoint, Event, Families, InfoHash, PeerId, Port};

mod replies;

use super::*;

const TRANSACTION: u32 = 0x0102_0304;
const CONNECTION: ConnectionId = ConnectionId(0x1122_3344_5566_7788);

/// "Offset, size, name, value" of BEP 15's connect request.
const CONNECT: &[u8; 16] = b"\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00\x01\x02\x03\x04";

/// BEP 15's IPv4 announce request, its fields in its order, one a line.
fn announce_bytes() -> Vec<u8> {
    [
        &b"\x11\x22\x33\x44\x55\x66\x77\x88"[..], // 0 connection_id
        b"\x00\x00\x00\x01",                      // 8 action 1
        b"\x01\x02\x03\x04",                      // 12 transaction_id
        b"aaaaaaaaaaaaaaaaaaaa",                  // 16 info_hash
        b"-SK0001-bbbbbbbbbbbb",                  // 36 peer_id
        b"\x00\x00\x00\x00\x00\x00\x00\x05",      // 56 downloaded
        b"\x00\x00\x00\x01\x00\x00\x00\x00",      // 64 left
        b"\x00\x00\x00\x00\x00\x00\x01\x00",      // 72 uploaded
        b"\x00\x00\x00\x02",                      // 80 event: started
        b"\x0a\x00\x00\x05",                      // 84 IP address
        b"\xca\xfe\xba\xbe",                      // 88 key
        b"\x00\x00\x00\x32",                      // 92 num_want
        b"\x1a\xe1",                              // 96 port
    ]
    .concat()
}

fn announce() -> Announce<'static> {
    Announce {
        info_hash: InfoHash([b'a'; 20]),
        peer_id: PeerId(*b"-SK0001-bbbbbbbbbbbb"),
        port: 6881,
        stated_ip: Some(IpAddr::from([10, 0, 0, 5])),
        uploaded: 256,
        downloaded: 5,
        left: Some(1 << 32),
        event: Event::Started,
        want: Some(50),
        key: Some(b"\xca\xfe\xba\xbe"),
        passkey: None,
    }
}

fn decoded(datagram: &[u8]) -> Announce<'_> {
    match decode(datagram).unwrap() {
        Packet {
            reply_to: ReplyTo(TRANSACTION),
            request: Request::Announce { connection: CONNECTION, announce },
        } => announce,
        other => panic!("{other:?}"),
    }
}

fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut datagram = announce_bytes();
    datagram[at..at + bytes.len()].copy_from_slice(bytes);
    datagram
}

#[test]
fn connect_request_of_the_specification() {
    let packet = decode(CONNECT).unwrap();
    assert_eq!(packet, Packet { reply_to: ReplyTo(TRANSACTION), request: Request::Connect });
    let mut answer = Vec::new();
    encode_connect(packet.reply_to, CONNECTION, &mut answer);
    assert_eq!(answer, b"\x00\x00\x00\x00\x01\x02\x03\x04\x11\x22\x33\x44\x55\x66\x77\x88");
}

#[test]
fn announce_request_of_the_specification() {
    assert_eq!(announce_bytes().len(), 98);
    assert_eq!(decoded(&announce_bytes()), announce());
}

#[test]
fn events_have_their_numbers() {
    let events = [Event::Update, Event::Completed, Event::Started, Event::Stopped, Event::Paused];
    for (number, event) in (0_u8..).zip(events) {
        assert_eq!(decoded(&with(80, &[0, 0, 0, number])).event, event);
    }
    assert_eq!(decoded(&with(80, &[0xff; 4])).event, Event::Update);
}

#[test]
fn what_a_client_leaves_unsaid() {
    assert_eq!(decoded(&with(92, &[0xff; 4])).want, None);
    assert_eq!(decoded(&with(92, &[0; 4])).want, Some(0));
    assert_eq!(decoded(&with(84, &[0; 4])).stated_ip, None);
    assert_eq!(decoded(&with(88, &[0; 4])).key, None);
    assert_eq!(decoded(&with(64, &[0xff; 8])).left, None);
    assert_eq!(decoded(&with(64, &[0; 8])).left, Some(0));
    assert_eq!(decoded(&with(56, &[0xff; 8])).downloaded, 0);
    assert_eq!(decoded(&with(72, &[0xff; 8])).uploaded, 0);
    assert_eq!(decoded(&with(96, &[0; 2])).port, 0);
}

#[test]
fn options_carry_the_passkey() {
    let datagram = [&announce_bytes()[..], b"\x02\x10/announce/s3cret"].concat();
    assert_eq!(decoded(&datagram), Announce { passkey: Some(b"s3cret"), ..announce() });
}

#[test]
fn announce_answer_of_the_specification() {
    let counts = Counts { complete: 2, incomplete: 3, downloaders: 3, completed: 9 };
    let mut reply = swarm::Reply { counts, ..Default::default() };
    reply.push(Endpoint::new("10.0.0.9".parse().unwrap(), Port::new(6881).unwrap()));
    reply.push(Endpoint::new("2001:db8::1".parse().unwrap(), Port::new(6882).unwrap()));
    let head = b"\x00\x00\x00\x01\x01\x02\x03\x04\x00\x00\x07\x08\x00\x00\x00\x03\x00\x00\x00\x02";
    let v4 = b"\x0a\x00\x00\x09\x1a\xe1";
    let v6 = b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe2";
    for (families, peers) in [(Families::V4, &v4[..]), (Families::V6, v6), (Families::Both, v4)] {
        let mut answer = b"before".to_vec();
        encode_announce(ReplyTo(TRANSACTION), &reply, 1800, families, &mut answer);
        assert_eq!(answer, [&b"before"[..], head, peers].concat(), "{families:?}");
    }
}

#[test]
fn scrape_of_the_specification() {
    let request = [
        &b"\x11\x22\x33\x44\x55\x66\x77\x88\x00\x00\x00\x02\x01\x02\x03\x04"[..],
        b"aaaaaaaaaaaaaaaaaaaa",
        b"bbbbbbbbbbbbbbbbbbbb",
    ]
    .concat();
    let packet = decode(&request).unwrap();
    let Request::Scrape { connection: CONNECTION, hashes } = packet.request else { panic!("{packet:?}") };
    assert_eq!(hashes.len(), 2);
    assert_eq!(hashes.collect::<Vec<_>>(), [InfoHash([b'a'; 20]), InfoHash([b'b'; 20])]);

    let counts = [
        Counts { complete: 1, incomplete: 2, downloaders: 1, completed: 3 },
        Counts { complete: 4, incomplete: 5, downloaders: 5, completed: 6 },
    ];
    let mut answer = Vec::new();
    encode_scrape(packet.reply_to, counts.into_iter(), &mut answer);
    assert_eq!(
        answer,
        b"\0\0\0\x02\x01\x02\x03\x04\0\0\0\x01\0\0\0\x03\0\0\0\x02\0\0\0\x04\0\0\0\x06\0\0\0\x05"
    );
}

#[test]
fn scrapes_have_one_to_74_hashes() {
    let head = b"\x11\x22\x33\x44\x55\x66\x77\x88\x00\x00\x00\x02\x01\x02\x03\x04";
    let scrape =
        |bytes: usize| decode([&head[..], &vec![7; bytes]].concat().leak()).map(|packet| packet.request);
    for (bytes, hashes_expected) in [(20, 1), (39, 1), (74 * 20, 74), (74 * 20 + 19, 74)] {
        let Ok(Request::Scrape { hashes, .. }) = scrape(bytes) else { panic!("{bytes}") };
        assert_eq!(hashes.len(), hashes_expected);
    }
    for (bytes, reason) in [(0, "without"), (19, "without"), (75 * 20, "75 info hashes: at most 74")] {
        let reject = scrape(bytes).unwrap_err();
        assert_eq!((reject.reply_to, reject.connection), (Some(ReplyTo(TRANSACTION)), Some(CONNECTION)));
        assert!(reject.fault.reason().contains(reason), "{}", reject.fault);
    }
}

#[test]
fn error_of_the_specification() {
    let mut answer = Vec::new();
    encode_error(ReplyTo(TRANSACTION), "no", &mut answer);
    assert_eq!(answer, b"\0\0\0\x03\x01\x02\x03\x04no");
}

#[test]
fn silence_where_an_answer_could_go_round() {
    let mut error = Vec::new();
    encode_error(ReplyTo(TRANSACTION), "action 9 is not 0 (connect)", &mut error);
    for datagram in [&error[..], b"d1:ad2:id20:abcdefghij0123456789e", &[0xff; 98]] {
        let reject = decode(datagram).unwrap_err();
        assert_eq!((reject.reply_to, reject.connection), (None, None), "{datagram:?}");
    }
}

#[test]
fn a_wrong_protocol_id_is_told() {
    let reject = decode(b"\x00\x00\x04\x17\x27\x10\x19\x81\x00\x00\x00\x00\x01\x02\x03\x04").unwrap_err();
    assert_eq!((reject.reply_to, reject.connection), (Some(ReplyTo(TRANSACTION)), None));
    assert_eq!(reject.fault.reason(), "protocol id 0x41727101981 is not 0x41727101980");
}

#[test]
fn cut_anywhere_a_request_is_refused_or_read_without_what_is_lost() {
    let whole = announce_bytes();
    for len in 0..whole.len() {
        let reject = decode(&whole[..len]).unwrap_err();
        assert_eq!(reject.reply_to.is_some(), len >= 16, "{len}: {reject:?}");
    }
    for len in 0..CONNECT.len() {
        assert_eq!(decode(&CONNECT[..len]).unwrap_err().reply_to, None);
    }
    let options = b"\x01\x02\x10/announce/s3cret\x00junk";
    for len in 0..options.len() {
        let datagram = [&whole[..], &options[..len]].concat();
        let passkey = (len >= 19).then_some(&b"s3cret"[..]);
        assert_eq!(decoded(&datagram), Announce { passkey, ..announce() }, "{len}");
    }
    assert_eq!(decode(&[CONNECT, &b"extension"[..]].concat()).unwrap().request, Request::Connect);
}
