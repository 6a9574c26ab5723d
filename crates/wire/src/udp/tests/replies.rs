//! The client's half: what it sends, what it reads, and that the two halves agree.

use proptest::prelude::*;

use super::*;

fn read(datagram: &[u8], families: Families) -> ReplyBody<'_> {
    let reply = decode_reply(datagram, families).unwrap();
    assert_eq!(reply.transaction, TRANSACTION);
    reply.body
}

#[test]
fn requests_are_as_the_specification_has_them() {
    let mut request = Vec::new();
    encode_connect_request(TRANSACTION, &mut request);
    assert_eq!(request, CONNECT);

    request.clear();
    encode_announce_request(TRANSACTION, CONNECTION, &announce(), b"", &mut request);
    assert_eq!(request, announce_bytes());

    request.clear();
    encode_announce_request(TRANSACTION, CONNECTION, &announce(), b"/announce/s3cret", &mut request);
    assert_eq!(request, [&announce_bytes()[..], b"\x02\x10/announce/s3cret"].concat());

    request.clear();
    encode_scrape_request(TRANSACTION, CONNECTION, [InfoHash([b'a'; 20])], &mut request);
    let head = b"\x11\x22\x33\x44\x55\x66\x77\x88\x00\x00\x00\x02\x01\x02\x03\x04";
    assert_eq!(request, [&head[..], b"aaaaaaaaaaaaaaaaaaaa"].concat());

    request.clear();
    encode_scrape_request(TRANSACTION, CONNECTION, (0..80).map(|n| InfoHash([n; 20])), &mut request);
    assert_eq!(request.len(), 16 + SCRAPE_HASHES_MAX * InfoHash::LEN);
}

#[test]
fn what_is_not_known_is_said_so() {
    let quiet = Announce { left: None, want: None, key: None, stated_ip: None, ..announce() };
    let mut request = Vec::new();
    encode_announce_request(TRANSACTION, CONNECTION, &quiet, b"", &mut request);
    assert_eq!((&request[64..72], &request[92..96]), (&[0xff; 8][..], &[0xff; 4][..]));
    assert_eq!(request[84..92], [0; 8]);
    assert_eq!(decoded(&request), quiet);
}

#[test]
fn a_long_path_takes_several_options() {
    let path = [b"/announce/s3cret?".to_vec(), vec![b'x'; 300]].concat();
    let mut request = Vec::new();
    encode_announce_request(TRANSACTION, CONNECTION, &announce(), &path, &mut request);
    assert_eq!(request.len(), 98 + 2 + 255 + 2 + 62);
    assert_eq!(decoded(&request).passkey, Some(&b"s3cret"[..]));
}

#[test]
fn answers_are_read() {
    let connect = b"\0\0\0\0\x01\x02\x03\x04\x11\x22\x33\x44\x55\x66\x77\x88";
    assert_eq!(read(connect, Families::V4), ReplyBody::Connect(CONNECTION));
    assert_eq!(read(b"\0\0\0\x03\x01\x02\x03\x04no", Families::V4), ReplyBody::Error("no".into()));

    let announced = b"\0\0\0\x01\x01\x02\x03\x04\0\0\x07\x08\0\0\0\x03\0\0\0\x02\
        \x0a\0\0\x09\x1a\xe1\x0a\0\0\x09\0\0\x0a\0\0\x09\x1a\xe2rest";
    let ReplyBody::Announce { interval: 1800, incomplete: 3, complete: 2, peers } =
        read(announced, Families::V4)
    else {
        panic!("{announced:?}")
    };
    assert_eq!((peers.len(), peers.is_empty()), (3, false));
    assert_eq!(format!("{peers:?}"), "[10.0.0.9:6881, 10.0.0.9:6882]", "the one without a port is left out");
    let ReplyBody::Announce { peers, .. } = read(announced, Families::V6) else { panic!("{announced:?}") };
    assert_eq!((peers.len(), peers.iter().count()), (1, 1));

    let scraped = b"\0\0\0\x02\x01\x02\x03\x04\0\0\0\x01\0\0\0\x03\0\0\0\x02rest";
    let ReplyBody::Scrape(counts) = read(scraped, Families::V4) else { panic!("{scraped:?}") };
    let expected = Counts { complete: 1, completed: 3, incomplete: 2, downloaders: 2 };
    assert_eq!((counts.len(), counts.is_empty()), (1, false));
    assert_eq!(counts.iter().collect::<Vec<_>>(), [expected]);
}

#[test]
fn cut_or_strange_answers_are_refused() {
    for (action, whole) in [(0, 16), (1, 20), (2, 8), (3, 8)] {
        let answer = [&[0, 0, 0, action, 1, 2, 3, 4][..], &[7; 12]].concat();
        for len in 0..answer.len() {
            assert_eq!(decode_reply(&answer[..len], Families::V4).is_ok(), len >= whole, "{action}, {len}");
        }
    }
    let fault = decode_reply(&[0xff; 20], Families::V4).unwrap_err();
    assert!(fault.reason().starts_with("action 4294967295 of an answer is not 0"), "{fault}");
}

proptest! {
    #[test]
    fn an_announce_is_read_as_it_was_meant(
        info_hash in any::<[u8; 20]>(),
        peer_id in any::<[u8; 20]>(),
        port in any::<u16>(),
        ip in prop::option::of((1_u32..).prop_map(|ip| IpAddr::from(ip.to_be_bytes()))),
        (uploaded, downloaded) in (0..=i64::MAX.unsigned_abs(), 0..=i64::MAX.unsigned_abs()),
        left in prop::option::of(0..=i64::MAX.unsigned_abs()),
        event in prop::sample::select(
            vec![Event::Update, Event::Started, Event::Completed, Event::Stopped, Event::Paused],
        ),
        want in prop::option::of(0..=i32::MAX.unsigned_abs()),
        (transaction, connection) in any::<(u32, u64)>(),
    ) {
        let announce = Announce {
            info_hash: InfoHash(info_hash),
            peer_id: PeerId(peer_id),
            port,
            stated_ip: ip,
            uploaded,
            downloaded,
            left,
            event,
            want,
            key: Some(b"1A2B"),
            passkey: Some(b"s3cret"),
        };
        let mut datagram = Vec::new();
        let connection = ConnectionId(connection);
        encode_announce_request(transaction, connection, &announce, b"/s3cret/announce", &mut datagram);
        let request = Request::Announce { connection, announce };
        prop_assert_eq!(decode(&datagram), Ok(Packet { reply_to: ReplyTo(transaction), request }));
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), action in 0_u8..4, v6: bool) {
        let mut bytes = bytes;
        let families = if v6 { Families::V6 } else { Families::V4 };
        let _ = decode(&bytes);
        let _ = decode_reply(&bytes, families).map(|reply| format!("{reply:?}"));
        if let Some(field) = bytes.get_mut(8..12) {
            field.copy_from_slice(&[0, 0, 0, action]);
        }
        let _ = decode(&bytes).map(|packet| format!("{packet:?}"));
        if let Some(field) = bytes.get_mut(..4) {
            field.copy_from_slice(&[0, 0, 0, action]);
        }
        let _ = decode_reply(&bytes, families).map(|reply| format!("{reply:?}"));
    }
}
