//! What clients in the field send, spelt as they spell it, and what it comes to.

use super::*;

/// The swarm of all of them, in `HASH`'s spelling with upper-case escapes, and with lower-case ones.
const UPPER: &str = HASH;
const LOWER: &str = "%124Vx%9a%bc%de%f1%23Eg%89%ab%cd%ef%124Vx%9a";

struct Sent {
    client: &'static str,
    query: String,
    expected: Announce<'static>,
    shape: Shape,
}

fn sent(client: &'static str, query: String, expected: Announce<'static>) -> Sent {
    Sent { client, query, expected, shape: Shape::Compact }
}

fn base(peer_id: &[u8; 20], port: u16, key: &'static str) -> Announce<'static> {
    let key = (!key.is_empty()).then_some(key.as_bytes());
    Announce { peer_id: PeerId(*peer_id), port, left: Some(0), key, ..bare() }
}

fn all() -> Vec<Sent> {
    vec![
        sent(
            "Transmission 4.0: lower-case escapes, ipv6 in clear",
            format!(
                "info_hash={LOWER}&peer_id=-TR4030-0abcdefghijk&port=51413&uploaded=0&downloaded=0&left=67108864\
                 &numwant=80&key=1A2B3C4D&compact=1&supportcrypto=1&event=started&ipv6=2001%3adb8%3a%3a7"
            ),
            Announce {
                left: Some(67_108_864),
                want: Some(80),
                event: Event::Started,
                stated_ip: Some("2001:db8::7".parse().unwrap()),
                ..base(b"-TR4030-0abcdefghijk", 51413, "1A2B3C4D")
            },
        ),
        sent(
            "Transmission, leaving: numwant=0",
            format!(
                "info_hash={LOWER}&peer_id=-TR4030-0abcdefghijk&port=51413&uploaded=9&downloaded=8&corrupt=7&left=0\
                 &numwant=0&key=1A2B3C4D&compact=1&supportcrypto=1&event=stopped"
            ),
            Announce {
                uploaded: 9,
                downloaded: 8,
                want: Some(0),
                event: Event::Stopped,
                ..base(b"-TR4030-0abcdefghijk", 51413, "1A2B3C4D")
            },
        ),
        sent(
            "aria2 1.37: port late, key of letters",
            format!(
                "info_hash={UPPER}&peer_id=A2-1-37-0-%00%01%02%03%FF%2B%20ABC&uploaded=0&downloaded=0&left=1048576\
                 &compact=1&key=kY3xZ9aB&numwant=50&no_peer_id=1&port=6881&event=started&supportcrypto=1"
            ),
            Announce {
                left: Some(1_048_576),
                want: Some(50),
                event: Event::Started,
                ..base(b"A2-1-37-0-\x00\x01\x02\x03\xff+ ABC", 6881, "kY3xZ9aB")
            },
        ),
        sent(
            "libtorrent 2.0 (qBittorrent): a partial seed, both addresses, several of one family",
            format!(
                "info_hash={LOWER}&peer_id=-qB5120-X~(y)!z.*-_1&port=28000&uploaded=1&downloaded=2&left=3&corrupt=0\
                 &key=0F1E2D3C&event=paused&numwant=200&compact=1&no_peer_id=1&supportcrypto=1&redundant=0\
                 &ipv4=192.168.1.9&ipv6=2001%3adb8%3a%3a9&ipv6=2001%3adb8%3a%3aa"
            ),
            Announce {
                uploaded: 1,
                downloaded: 2,
                left: Some(3),
                want: Some(200),
                event: Event::Paused,
                stated_ip: Some("192.168.1.9".parse().unwrap()),
                ..base(b"-qB5120-X~(y)!z.*-_1", 28000, "0F1E2D3C")
            },
        ),
        sent(
            "Deluge 2.1 (libtorrent): the regular announce names no event",
            format!(
                "info_hash={LOWER}&peer_id=-DE211s-abcdefghijkl&port=60000&uploaded=0&downloaded=0&left=0&corrupt=0\
                 &key=ABCDEF01&numwant=200&compact=1&no_peer_id=1&supportcrypto=1&redundant=0&trackerid=x%26y"
            ),
            Announce { want: Some(200), ..base(b"-DE211s-abcdefghijkl", 60000, "ABCDEF01") },
        ),
        sent(
            "uTorrent 3.5: a peer id with raw punctuation",
            format!(
                "info_hash={LOWER}&peer_id=-UT354S-%d2%ad%0f%1a%f0%99%cc%88%9b%7b%01%02&port=16666&uploaded=0\
                 &downloaded=0&left=0&corrupt=0&key=0F0F0F0F&event=completed&numwant=200&compact=1&no_peer_id=1"
            ),
            Announce {
                want: Some(200),
                event: Event::Completed,
                ..base(b"-UT354S-\xd2\xad\x0f\x1a\xf0\x99\xcc\x88\x9b{\x01\x02", 16666, "0F0F0F0F")
            },
        ),
        sent(
            "uTorrent 2.2: ipv6 with its port",
            format!(
                "info_hash={LOWER}&peer_id=-UT2210-abcdefghijkl&port=16666&uploaded=0&downloaded=0&left=0&corrupt=0\
                 &key=0F0F0F0F&event=started&numwant=200&compact=1&no_peer_id=1&ipv6=%5b2001%3adb8%3a%3a5%5d%3a16666"
            ),
            Announce {
                want: Some(200),
                event: Event::Started,
                stated_ip: Some("2001:db8::5".parse().unwrap()),
                ..base(b"-UT2210-abcdefghijkl", 16666, "0F0F0F0F")
            },
        ),
        sent(
            "rTorrent 0.9: key and compact before the port, no numwant, an empty event",
            format!(
                "info_hash={UPPER}&peer_id=-lt0D60-%12%34%56%78%9A%BC%DE%F1%23%45%67%89&key=3c4d5e6f&compact=1\
                 &port=6980&uploaded=0&downloaded=0&left=0&event="
            ),
            base(b"-lt0D60-\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89", 6980, "3c4d5e6f"),
        ),
        sent(
            "Vuze 5.7: azudp, azver, and numwant before no_peer_id",
            format!(
                "info_hash={UPPER}&peer_id=-AZ5750-abcdefghijkl&supportcrypto=1&port=41234&azudp=41234&uploaded=0\
                 &downloaded=0&left=0&corrupt=0&event=started&numwant=100&no_peer_id=1&compact=1&key=AbCdEfGh&azver=3"
            ),
            Announce {
                want: Some(100),
                event: Event::Started,
                ..base(b"-AZ5750-abcdefghijkl", 41234, "AbCdEfGh")
            },
        ),
        sent(
            "BitComet 1.20: natmapped, localip, port_type",
            format!(
                "info_hash={UPPER}&peer_id=-BC0120-abcdefghijkl&port=8765&natmapped=1&localip=192.168.1.4\
                 &port_type=wan&uploaded=0&downloaded=0&left=0&numwant=200&compact=1&no_peer_id=1&key=54321"
            ),
            Announce { want: Some(200), ..base(b"-BC0120-abcdefghijkl", 8765, "54321") },
        ),
        sent(
            "WebTorrent (bittorrent-tracker): the hash last, an unknown size",
            format!(
                "numwant=50&uploaded=0&downloaded=0&left=9007199254740991&event=started&compact=1\
                 &info_hash={UPPER}&peer_id=-WW0200-abcdefghijkl&port=6881"
            ),
            Announce {
                left: Some((1 << 53) - 1),
                want: Some(50),
                event: Event::Started,
                ..base(b"-WW0200-abcdefghijkl", 6881, "")
            },
        ),
        sent(
            "BitTornado: raw punctuation, a size it does not know",
            format!(
                "info_hash={UPPER}&peer_id=T03I-----+'!*()xyz.~&port=6881&key=RxYz01&uploaded=0&downloaded=0&left=-1\
                 &no_peer_id=1&compact=1&numwant=-1&event=started"
            ),
            Announce { left: None, event: Event::Started, ..base(b"T03I-----+'!*()xyz.~", 6881, "RxYz01") },
        ),
        Sent {
            shape: Shape::Dictionaries { ids: true },
            ..sent(
                "the first BitTorrent: compact=0, ip by host name",
                format!(
                    "info_hash={LOWER}&peer_id=M3-4-2--abcdefghijkl&ip=peer.example.org&port=6881&uploaded=0\
                     &downloaded=0&left=0&compact=0"
                ),
                base(b"M3-4-2--abcdefghijkl", 6881, ""),
            )
        },
        Sent {
            shape: Shape::Dictionaries { ids: false },
            ..sent(
                "Tixati, told not to be compact",
                format!(
                    "info_hash={UPPER}&peer_id=TIX0338-ik5o093vojby&port=41749&uploaded=0&downloaded=0&left=0\
                     &corrupt=0&key=9009903A&event=started&numwant=100&compact=0&no_peer_id=1"
                ),
                Announce {
                    want: Some(100),
                    event: Event::Started,
                    ..base(b"TIX0338-ik5o093vojby", 41749, "9009903A")
                },
            )
        },
    ]
}

#[test]
fn are_all_understood() {
    for Sent { client, query, expected, shape } in &all() {
        let request = decode_announce(query.as_bytes()).unwrap_or_else(|fault| panic!("{client}: {fault}"));
        assert_eq!((&request.announce, request.shape), (expected, *shape), "{client}");
    }
}

#[test]
fn cut_anywhere_they_are_refused_or_read_without_a_panic() {
    for Sent { client, query, .. } in &all() {
        for len in 0..query.len() {
            match decode_announce(&query.as_bytes()[..len]) {
                Ok(request) => assert_eq!(request.announce.info_hash, bare().info_hash, "{client}, {len}"),
                Err(fault) => assert!(!fault.reason().is_empty()),
            }
        }
    }
}
