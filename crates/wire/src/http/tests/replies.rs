//! The client's half: what it sends, what it reads, and that the two halves agree.

use proptest::prelude::*;

use super::*;

fn answer(body: &[u8]) -> AnnounceAnswer {
    match decode_announce_reply(body).unwrap() {
        AnnounceReply::Answer(answer) => answer,
        AnnounceReply::Failure(failure) => panic!("{failure:?}"),
    }
}

fn endpoint(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().unwrap();
    Endpoint::new(address.ip(), Port::new(address.port()).unwrap())
}

#[test]
fn queries_are_as_the_specification_has_them() {
    let mut query = "?".to_owned();
    let announce = Announce {
        uploaded: 1,
        downloaded: 2,
        left: Some(3),
        event: Event::Started,
        want: Some(4),
        key: Some(b"k&"),
        stated_ip: Some("2001:db8::1".parse().unwrap()),
        ..bare()
    };
    encode_announce_query(&announce, &mut query);
    let expected = format!(
        "?info_hash={HASH}&peer_id=-SK0001-bbbbbbbbbbbb&port=6881&uploaded=1&downloaded=2&left=3&event=started\
         &numwant=4&key=k%26&ip=2001:db8::1&compact=1"
    );
    assert_eq!(query, expected);

    query.clear();
    encode_announce_query_shaped(&bare(), Shape::Dictionaries { ids: false }, &mut query);
    assert!(query.ends_with("&port=6881&uploaded=0&downloaded=0&compact=0&no_peer_id=1"), "{query}");

    query.clear();
    encode_scrape_query([InfoHash(HASH_BYTES), InfoHash([b'~'; 20])], &mut query);
    assert_eq!(query, format!("info_hash={HASH}&info_hash={}", "~".repeat(20)));
}

#[test]
fn the_specification_s_answers_are_read() {
    // BEP 3: a list of dictionaries.
    let read =
        answer(b"d8:intervali1800e5:peersld2:ip8:10.0.0.97:peer id20:-SK0001-cccccccccccc4:porti6881eeee");
    assert_eq!(read.interval, Some(1800));
    assert_eq!(read.peers, [(endpoint("10.0.0.9:6881"), Some(PeerId(*b"-SK0001-cccccccccccc")))]);
    assert_eq!(read.shape, Shape::Dictionaries { ids: true });
    assert_eq!((read.complete, read.min_interval, read.external_ip), (None, None, None));
    // BEP 23, BEP 7, BEP 24, with keys out of order and something after the end.
    let read = answer(
        b"d6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe25:peers6:\x0a\0\0\x09\x1a\xe1\
          8:intervali60e8:completei1e11:external ip4:\x0a\0\0\x0510:tracker id1:x15:warning message2:hie\r\n",
    );
    assert_eq!(read.peers, [(endpoint("10.0.0.9:6881"), None), (endpoint("[2001:db8::1]:6882"), None)]);
    assert_eq!((read.shape, read.complete, read.incomplete), (Shape::Compact, Some(1), None));
    assert_eq!(read.external_ip, Some(IpAddr::from([10, 0, 0, 5])));
    assert_eq!((read.tracker_id.as_deref(), read.warning.as_deref()), (Some(&b"x"[..]), Some("hi")));
}

#[test]
fn peers_that_nobody_could_reach_are_left_out() {
    let read = answer(
        b"d5:peersld2:ip16:peer.example.org4:porti1eed2:ip8:10.0.0.94:porti0eed2:ip8:10.0.0.94:porti65536ee\
          d2:ip3:::14:porti7eeee",
    );
    assert_eq!(read.peers, [(endpoint("[::1]:7"), None)]);
    assert_eq!(read.shape, Shape::Dictionaries { ids: false });
    assert_eq!(answer(b"d5:peers6:\x0a\0\0\x09\0\0e").peers, []);
}

#[test]
fn failures_are_read() {
    let read = |body: &str| match decode_announce_reply(body.as_bytes()).unwrap() {
        AnnounceReply::Failure(failure) => failure,
        AnnounceReply::Answer(answer) => panic!("{answer:?}"),
    };
    let reason = "no".to_owned();
    for (body, retry_in) in [
        ("d14:failure reason2:noe", None),
        ("d14:failure reason2:no8:retry ini5ee", Some(RetryIn::Minutes(5))),
        ("d14:failure reason2:no8:retry in5:nevere", Some(RetryIn::Never)),
    ] {
        assert_eq!(read(body), Failure { reason: reason.clone(), retry_in });
    }
    let body = b"d14:failure reason2:noe";
    assert_eq!(decode_scrape_reply(body), Ok(ScrapeReply::Failure(Failure { reason, retry_in: None })));
}

#[test]
fn scrapes_are_read() {
    let body = b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei5e10:downloadedi50e10:incompletei10eee\
        5:flagsd20:min_request_intervali900eee";
    let counts = Counts { complete: 5, incomplete: 10, downloaders: 10, completed: 50 };
    let expected = ScrapeAnswer { files: vec![(InfoHash([b'a'; 20]), counts)], min_interval: Some(900) };
    assert_eq!(decode_scrape_reply(body), Ok(ScrapeReply::Answer(expected)));
}

#[test]
fn what_is_no_answer_is_refused_in_words() {
    for (body, reason) in [
        ("", "bencode at byte 0"),
        ("<html>", "bencode at byte 0 `<"),
        ("i1e", "an answer to announce at byte 0 `i1e` is not a dictionary"),
        ("d8:intervali-1ee", "`interval` at byte 11 `i-1e` is not a number from 0"),
        ("d8:interval1:1e", "`interval` at byte 11 `1:1` is not a number from 0"),
        ("d5:peers5:abcdee", "`peers` at byte 8 `5:abcde` is not a list, or a string of 6 bytes a peer"),
        ("d6:peers66:abcdefe", "`peers6` at byte 9 `6:abcdef` is not a string of 18 bytes a peer"),
        ("d5:peersli1eee", "a peer at byte 9 `i1e` is not a dictionary"),
        ("d5:peersld2:ip1:aeee", "`port` of a peer is missing"),
        ("d11:external ip3:abce", "`external ip` `abc` is not 4 or 16 bytes"),
        (
            "d14:failure reason2:no8:retry in3:nowe",
            "`retry in` at byte 32 `3:now` is not a number of minutes",
        ),
    ] {
        let fault = decode_announce_reply(body.as_bytes()).unwrap_err();
        assert!(fault.reason().starts_with(reason), "{body}: {fault}");
    }
    for (body, reason) in [
        ("de", "`files` is missing"),
        ("d5:filesd5:shortdeee", "the info hash of a scraped file `short` is not 20 bytes"),
        ("d5:filesd20:aaaaaaaaaaaaaaaaaaaai1eee", "a scraped file at byte 32 `i1e` is not a dictionary"),
    ] {
        let fault = decode_scrape_reply(body.as_bytes()).unwrap_err();
        assert!(fault.reason().starts_with(reason), "{body}: {fault}");
    }
    let long = vec![b'x'; REPLY_BYTES_MAX + 1];
    assert!(decode_announce_reply(&long).unwrap_err().reason().contains("too long"));
}

#[test]
fn cut_anywhere_an_answer_is_refused() {
    for shape in [Shape::Compact, Shape::Dictionaries { ids: true }] {
        let whole = announced(Some("10.0.0.5"), Families::Both, shape);
        for len in 0..whole.len() {
            assert!(decode_announce_reply(&whole[..len]).is_err(), "{shape:?}, {len}");
        }
    }
}

fn events() -> impl Strategy<Value = Event> {
    prop::sample::select(vec![Event::Update, Event::Started, Event::Completed, Event::Stopped, Event::Paused])
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    let ips = prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)];
    (ips, 1_u16..).prop_map(|(ip, port)| Endpoint::new(ip, Port::new(port).unwrap()))
}

fn counts() -> impl Strategy<Value = Counts> {
    any::<[u32; 4]>().prop_map(|[complete, incomplete, downloaders, completed]| Counts {
        complete,
        incomplete,
        downloaders,
        completed,
    })
}

prop_compose! {
    fn announces()(
        info_hash in any::<[u8; 20]>(),
        peer_id in any::<[u8; 20]>(),
        port in any::<u16>(),
        ip in prop::option::of(endpoints()),
        (uploaded, downloaded) in (0..=i64::MAX.unsigned_abs(), 0..=i64::MAX.unsigned_abs()),
        left in prop::option::of(0..=i64::MAX.unsigned_abs()),
        event in events(),
        want in prop::option::of(any::<u32>()),
    ) -> Announce<'static> {
        Announce {
            info_hash: InfoHash(info_hash),
            peer_id: PeerId(peer_id),
            port,
            stated_ip: ip.map(Endpoint::ip).filter(|ip| !ip.is_unspecified()),
            uploaded,
            downloaded,
            left,
            event,
            want,
            key: Some(b"1A2B"),
            passkey: None,
        }
    }
}

proptest! {
    #[test]
    fn a_query_is_read_as_it_was_meant(announce in announces(), compact: bool, ids: bool) {
        let shape = if compact { Shape::Compact } else { Shape::Dictionaries { ids } };
        let mut query = String::new();
        encode_announce_query_shaped(&announce, shape, &mut query);
        let request = decode_announce(query.as_bytes()).unwrap();
        prop_assert_eq!(request.announce, announce);
        prop_assert_eq!(request.shape, shape);
    }

    #[test]
    fn an_answer_is_read_as_it_was_meant(
        counts in counts(),
        peers in prop::collection::vec((endpoints(), prop::option::of(any::<[u8; 20]>().prop_map(PeerId))), 0..20),
        (interval, min_interval) in any::<(u32, u32)>(),
        external_ip in prop::option::of(endpoints().prop_map(Endpoint::ip)),
        compact: bool,
    ) {
        // As the registry hands them out: IPv4 first.
        let (v4, v6): (Vec<_>, Vec<_>) = peers.into_iter().partition(|(peer, _)| matches!(peer, Endpoint::V4(..)));
        let peers = [v4, v6].concat();
        let mut reply = swarm::Reply { counts, ..Default::default() };
        for (peer, id) in &peers {
            reply.push(*peer);
            reply.ids.push(*id);
        }
        let shape = if compact { Shape::Compact } else { Shape::Dictionaries { ids: true } };
        let families = Families::Both;
        let mut body = Vec::new();
        encode_announce(&Answer { reply: &reply, interval, min_interval, external_ip, families }, shape, &mut body);
        let canonical = crate::bencode::Tree::parse(&body, &crate::bencode::Rules::STRICT);
        prop_assert!(canonical.is_ok(), "{:?}", canonical);
        let read = answer(&body);
        prop_assert_eq!((read.complete, read.incomplete), (Some(counts.complete), Some(counts.incomplete)));
        prop_assert_eq!(read.downloaded, Some(counts.completed));
        prop_assert_eq!((read.interval, read.min_interval), (Some(interval), Some(min_interval)));
        prop_assert_eq!(read.external_ip, external_ip);
        let expected: Vec<_> = peers.iter().map(|(peer, id)| (*peer, id.filter(|_| !compact))).collect();
        prop_assert_eq!(read.peers, expected);
    }

    #[test]
    fn a_scrape_is_read_as_it_was_meant(
        swarms in prop::collection::btree_map(any::<[u8; 20]>().prop_map(InfoHash), counts(), 0..20),
    ) {
        let mut query = String::new();
        encode_scrape_query(swarms.keys().rev().copied(), &mut query);
        let request = decode_scrape(query.as_bytes(), 20).unwrap();
        prop_assert_eq!(&request.hashes, &swarms.keys().copied().collect::<Vec<_>>());

        let mut body = Vec::new();
        encode_scrape(swarms.clone().into_iter(), &mut body);
        let canonical = crate::bencode::Tree::parse(&body, &crate::bencode::Rules::STRICT);
        prop_assert!(canonical.is_ok(), "{:?}", canonical);
        let files = swarms.into_iter().collect();
        let expected = ScrapeReply::Answer(ScrapeAnswer { files, min_interval: None });
        prop_assert_eq!(decode_scrape_reply(&body), Ok(expected));
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_announce(&bytes);
        let _ = decode_scrape(&bytes, 3);
        let _ = decode_announce_reply(&bytes);
        let _ = decode_scrape_reply(&bytes);
        let query = [b"info_hash=", &bytes[..], b"&left=", &bytes, b"&ip=", &bytes].concat();
        let _ = decode_announce(&query);
    }
}
