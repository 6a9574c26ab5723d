//! Golden bytes of the BEPs, what real clients send, and what must be refused.

use std::net::IpAddr;

use swarm::{Counts, Endpoint, Event, PeerId, Port};

mod real_clients;
mod replies;

use super::*;
use crate::Malformed;

const HASH: &str = "%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A";
const HASH_BYTES: [u8; 20] = *b"\x124Vx\x9a\xbc\xde\xf1#Eg\x89\xab\xcd\xef\x124Vx\x9a";

fn query(more: &str) -> String {
    format!("info_hash={HASH}&peer_id=-SK0001-bbbbbbbbbbbb&port=6881{more}")
}

fn bare() -> Announce<'static> {
    Announce {
        info_hash: InfoHash(HASH_BYTES),
        peer_id: PeerId(*b"-SK0001-bbbbbbbbbbbb"),
        port: 6881,
        stated_ip: None,
        uploaded: 0,
        downloaded: 0,
        left: None,
        event: Event::Update,
        want: None,
        key: None,
        passkey: None,
    }
}

fn reason(query: impl AsRef<[u8]>) -> String {
    decode_announce(query.as_ref()).unwrap_err().to_string()
}

#[test]
fn what_is_not_said_has_a_meaning() {
    let query = query("");
    let request = decode_announce(query.as_bytes()).unwrap();
    assert_eq!(request, Request { announce: bare(), shape: Shape::Compact, families: Families::Both });
}

#[test]
fn every_parameter_is_read() {
    let query = query(
        "&uploaded=1&downloaded=2&left=3&event=started&numwant=30&key=1a2b&ip=10.0.0.5&compact=0&supportcrypto=1",
    );
    let expected = Announce {
        uploaded: 1,
        downloaded: 2,
        left: Some(3),
        event: Event::Started,
        want: Some(30),
        key: Some(b"1a2b"),
        stated_ip: Some(IpAddr::from([10, 0, 0, 5])),
        ..bare()
    };
    let request = decode_announce(query.as_bytes()).unwrap();
    assert_eq!(request.announce, expected);
    assert_eq!(request.shape, Shape::Dictionaries { ids: true });
}

fn read(more: &str) -> Result<(Announce<'static>, Shape), Malformed> {
    let request = decode_announce(query(more).leak().as_bytes())?;
    Ok((request.announce, request.shape))
}

#[test]
fn shapes() {
    for (more, shape) in [
        ("", Shape::Compact),
        ("&compact=1", Shape::Compact),
        ("&compact=", Shape::Compact),
        ("&compact=1&no_peer_id=1", Shape::Compact),
        ("&compact=0", Shape::Dictionaries { ids: true }),
        ("&compact=0&no_peer_id=0", Shape::Dictionaries { ids: true }),
        ("&no_peer_id=1&compact=0", Shape::Dictionaries { ids: false }),
    ] {
        assert_eq!(read(more).unwrap().1, shape, "{more}");
    }
}

#[test]
fn events() {
    for (more, event) in [
        ("&event=", Event::Update),
        ("&event=none", Event::Update),
        ("&event=resumed", Event::Update),
        ("&event", Event::Update),
        ("&event=completed", Event::Completed),
        ("&event=stopped", Event::Stopped),
        ("&event=paused", Event::Paused),
    ] {
        assert_eq!(read(more).unwrap().0.event, event, "{more}");
    }
}

#[test]
fn amounts_and_wants() {
    for (more, left) in [
        ("&left=0", Some(0)),
        ("&left=", None),
        ("&left=-1", None),
        ("&left=9223372036854775807", Some(i64::MAX.unsigned_abs())),
        ("&left=18446744073709551615", None),
    ] {
        assert_eq!(read(more).unwrap().0.left, left, "{more}");
    }
    for (more, want) in [
        ("&numwant=0", Some(0)),
        ("&numwant=-1", None),
        ("&numwant=", None),
        ("&num_want=7", Some(7)),
        ("&numwant=99999999999", Some(u32::MAX)),
    ] {
        assert_eq!(read(more).unwrap().0.want, want, "{more}");
    }
    for (more, expected) in [
        ("&left=1.5", "left `1.5` is not a number of bytes"),
        ("&uploaded=-", "uploaded `-` is not a number of bytes"),
        ("&downloaded=+1", "downloaded `+1` is not a number of bytes"),
        ("&left=18446744073709551616", "left `18446744073709551616` is not a number of bytes"),
        ("&numwant=many", "numwant `many` is not a number of peers"),
        ("&num_want=0x1", "num_want `0x1` is not a number of peers"),
    ] {
        assert_eq!(read(more).unwrap_err().reason(), expected);
    }
}

#[test]
fn addresses() {
    for (more, ip) in [
        ("&ip=10.0.0.5", Some("10.0.0.5")),
        ("&ip=2001:db8::5", Some("2001:db8::5")),
        ("&ip=2001%3Adb8%3a%3A5", Some("2001:db8::5")),
        ("&ip=::ffff:10.0.0.5", Some("10.0.0.5")),
        ("&ipv4=10.0.0.5:6881", Some("10.0.0.5")),
        ("&ipv6=[2001:db8::5]:6881", Some("2001:db8::5")),
        ("&ipv6=%5B2001%3Adb8%3A%3A5%5D%3A6881", Some("2001:db8::5")),
        ("&ipv6=[2001:db8::5]", Some("2001:db8::5")),
        ("&ipv6=2001:db8::5&ip=10.0.0.5", Some("10.0.0.5")),
        ("&ip=&ipv4=&ipv6=2001:db8::5", Some("2001:db8::5")),
        ("&ip=0.0.0.0", None),
        ("&ip=peer.example.org", None),
        ("&ip=%zz", None),
        ("&ip=2001:db8::5%25eth0", None),
    ] {
        assert_eq!(read(more).unwrap().0.stated_ip, ip.map(|ip| ip.parse().unwrap()), "{more}");
    }
}

#[test]
fn an_info_hash_has_several_spellings() {
    let hex = "123456789abcdef123456789abcdef123456789a";
    let raw = [b"info_hash=".as_slice(), &HASH_BYTES, b"&peer_id=-SK0001-bbbbbbbbbbbb&port=6881"].concat();
    assert_eq!(decode_announce(&raw).unwrap().announce, bare());
    for hash in [HASH, &HASH.to_lowercase().replace("vx", "Vx").replace("eg", "Eg"), hex, &hex.to_uppercase()]
    {
        let query = format!("info_hash={hash}&peer_id=-SK0001-bbbbbbbbbbbb&port=6881");
        assert_eq!(decode_announce(query.as_bytes()).unwrap().announce, bare(), "{hash}");
    }
}

#[test]
fn a_plus_is_a_plus() {
    let query = "info_hash=++++++++++%2b%2B++++++++&peer_id=-SK0001-%20b+bbbbbbbbb&port=6881";
    let announce = decode_announce(query.as_bytes()).unwrap().announce;
    assert_eq!(announce.info_hash, InfoHash([b'+'; 20]));
    assert_eq!(announce.peer_id, PeerId(*b"-SK0001- b+bbbbbbbbb"));
}

#[test]
fn of_two_the_first_counts_and_the_unknown_is_ignored() {
    let twice = "&port=1&left=5&left=6&numwant=1&num_want=2&&&=&x&x=%zz&left=garbage";
    let (announce, _) = read(twice).unwrap();
    assert_eq!((announce.port, announce.left, announce.want), (6881, Some(5), Some(1)));
}

#[test]
fn a_fault_names_its_parameter() {
    assert_eq!(reason(""), "info_hash is missing");
    assert_eq!(
        reason("info_hash"),
        r"info_hash `` is not 20 bytes, percent-encoded, or 40 hexadecimal digits"
    );
    assert_eq!(reason(format!("info_hash={HASH}")), "peer_id is missing");
    assert_eq!(reason(format!("info_hash={HASH}&peer_id=aaaaaaaaaaaaaaaaaaaa")), "port is missing");
    for hash in [
        "a",
        &"a".repeat(19),
        &"a".repeat(21),
        &"g".repeat(40),
        &"a".repeat(41),
        "%",
        "%1",
        &"%zz".repeat(20),
    ] {
        let found = reason(format!("info_hash={hash}&port=1"));
        let shown = if hash.len() > 60 { "%zz%zz" } else { hash };
        assert!(found.starts_with(&format!("info_hash `{shown}")), "{found}");
    }
    for id in ["", "a", "aaaaaaaaaaaaaaaaaaaaa", "%"] {
        let found = reason(format!("info_hash={HASH}&peer_id={id}&port=1"));
        assert_eq!(found, format!("peer_id `{id}` is not 20 bytes, percent-encoded"));
    }
    for port in ["", "-1", "65536", "99999", "http", "6881 "] {
        let found = reason(format!("port={port}&info_hash={HASH}"));
        assert_eq!(found, format!("port `{port}` is not a number from 1 to 65535"));
    }
    assert_eq!(read("&a=1").unwrap().0.port, 6881);
    assert!(reason(vec![b'&'; QUERY_BYTES_MAX + 1]).contains("8193 bytes"));
    assert_eq!(reason(vec![b'&'; QUERY_BYTES_MAX]), "info_hash is missing");
}

fn sample() -> swarm::Reply {
    let counts = Counts { complete: 2, incomplete: 3, downloaders: 1, completed: 40 };
    let mut reply = swarm::Reply { counts, ..Default::default() };
    reply.push(Endpoint::new("10.0.0.9".parse().unwrap(), Port::new(6881).unwrap()));
    reply.push(Endpoint::new("2001:db8::1".parse().unwrap(), Port::new(6882).unwrap()));
    reply.ids = vec![Some(PeerId(*b"-SK0001-cccccccccccc")), None];
    reply
}

fn announced(external_ip: Option<&str>, families: Families, shape: Shape) -> Vec<u8> {
    let external_ip = external_ip.map(|ip| ip.parse().unwrap());
    let answer = Answer { reply: &sample(), interval: 1800, min_interval: 300, external_ip, families };
    let mut out = b"before".to_vec();
    encode_announce(&answer, shape, &mut out);
    out.split_off(6)
}

#[test]
fn compact_answers() {
    let head = b"d8:completei2e10:downloadedi40e10:incompletei3e8:intervali1800e12:min intervali300e";
    let v4 = b"5:peers6:\x0a\x00\x00\x09\x1a\xe1";
    let v6 = b"6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe2";
    let both = [&head[..], v4, v6, b"e"].concat();
    assert_eq!(announced(None, Families::Both, Shape::Compact), both);
    assert_eq!(announced(None, Families::V4, Shape::Compact), [&head[..], v4, b"e"].concat());
    assert_eq!(announced(None, Families::V6, Shape::Compact), [&head[..], b"5:peers0:", v6, b"e"].concat());
}

#[test]
fn the_external_ip_is_raw_bytes() {
    let head = b"d8:completei2e10:downloadedi40e11:external ip";
    let v4 = announced(Some("10.0.0.5"), Families::V4, Shape::Compact);
    assert!(v4.starts_with(&[&head[..], b"4:\x0a\0\0\x05", b"10:incomplete"].concat()));
    assert_eq!(announced(Some("::ffff:10.0.0.5"), Families::V4, Shape::Compact), v4);
    let v6 = announced(Some("2001:db8::5"), Families::V4, Shape::Compact);
    let raw = b"16:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05";
    assert!(v6.starts_with(&[&head[..], raw, b"10:incomplete"].concat()));
}

#[test]
fn dictionary_answers() {
    let head = b"d8:completei2e10:downloadedi40e10:incompletei3e8:intervali1800e12:min intervali300e5:peersl";
    let with_id = b"d2:ip8:10.0.0.97:peer id20:-SK0001-cccccccccccc4:porti6881ee";
    let without = b"d2:ip8:10.0.0.94:porti6881ee";
    let v6 = b"d2:ip11:2001:db8::14:porti6882ee";
    let dictionaries = |families, ids| announced(None, families, Shape::Dictionaries { ids });
    assert_eq!(dictionaries(Families::Both, true), [&head[..], with_id, v6, b"ee"].concat());
    assert_eq!(dictionaries(Families::Both, false), [&head[..], without, v6, b"ee"].concat());
    assert_eq!(dictionaries(Families::V4, false), [&head[..], without, b"ee"].concat());
    assert_eq!(dictionaries(Families::V6, true), [&head[..], v6, b"ee"].concat());
}

#[test]
fn scrape_queries() {
    let other = "%2b".repeat(20);
    let query = format!("info_hash={other}&x=1&info_hash={HASH}&info_hash={HASH}&format=json");
    let hashes = vec![InfoHash(HASH_BYTES), InfoHash([b'+'; 20])];
    assert_eq!(decode_scrape(query.as_bytes(), 3).unwrap(), ScrapeRequest { hashes, json: true });
    assert_eq!(decode_scrape(b"", 3).unwrap(), ScrapeRequest { hashes: Vec::new(), json: false });
    let found = decode_scrape(query.as_bytes(), 2).unwrap_err();
    assert_eq!(found.reason(), "a scrape of more than 2 info_hash is too long: ask in parts");
    assert!(decode_scrape(b"info_hash=short", 3).unwrap_err().reason().starts_with("info_hash `short`"));
}

#[test]
fn scrape_answers() {
    let counts = Counts { complete: 5, incomplete: 10, downloaders: 7, completed: 50 };
    let swarms = [(InfoHash([b'b'; 20]), Counts::default()), (InfoHash([b'a'; 20]), counts)];
    let mut out = Vec::new();
    encode_scrape(swarms.into_iter().chain(swarms), &mut out);
    let expected = "d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei5e10:downloadedi50e11:downloadersi7e10:incompletei10ee\
        20:bbbbbbbbbbbbbbbbbbbbd8:completei0e10:downloadedi0e11:downloadersi0e10:incompletei0eeee";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn failures() {
    for (retry_in, expected) in [
        (None, "d14:failure reason2:noe"),
        (Some(RetryIn::Minutes(5)), "d14:failure reason2:no8:retry ini5ee"),
        (Some(RetryIn::Never), "d14:failure reason2:no8:retry in5:nevere"),
    ] {
        let mut out = Vec::new();
        encode_failure("no", retry_in, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
