use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::super::testing::{announce_query, service};
use super::*;
use crate::config::Config;
use crate::policy::lists::{Builder, List, Place};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

const PLAIN: &str =
    "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: ";

/// What a connection has said after all of `pieces`, what comes then, and what it still holds.
fn converse<'a>(
    service: &mut Service,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (String, Then, Vec<u8>) {
    let mut connection = Connection::default();
    let mut said = Vec::new();
    let mut then = Then::Read;
    for piece in pieces {
        let mut piece = piece;
        loop {
            let mut out = Vec::new();
            then = connection.receive(piece, PEER, service, &mut out);
            said.extend_from_slice(&out);
            if then != Then::GoOn {
                break;
            }
            assert!(out.len() >= OUTPUT_BYTES_MAX);
            piece = &[];
        }
        if then != Then::Read {
            break;
        }
    }
    (said.escape_ascii().to_string().replace("\\r\\n", "\r\n"), then, connection.take_input())
}

fn say(text: &str) -> (String, Then, String) {
    let (said, then, left) = converse(&mut service(&Config::default()), [text.as_bytes()]);
    (said, then, String::from_utf8(left).unwrap())
}

fn announce(headers: &str) -> String {
    format!("GET /announce?{} HTTP/1.1\r\nHost: tracker\r\n{headers}\r\n", announce_query(1, 6881))
}

const FAILURE: &str = "d14:failure reason20:info_hash is missinge";

#[test]
fn an_answer_is_a_head_and_a_body() {
    let (said, then, left) = say("GET /announce HTTP/1.1\r\n\r\n");
    assert_eq!(said, format!("{PLAIN}42\r\n\r\n{FAILURE}"));
    assert_eq!((then, left.as_str()), (Then::Read, ""));
}

#[test]
fn every_split_gives_the_same_answer() {
    let request = announce("User-Agent: test\r\nAccept: */*\r\n");
    let whole = converse(&mut service(&Config::default()), [request.as_bytes()]);
    assert!(whole.0.contains("5:peers"), "{}", whole.0);
    for at in 0..=request.len() {
        let (front, back) = request.as_bytes().split_at(at);
        assert_eq!(converse(&mut service(&Config::default()), [front, back]), whole, "cut at {at}");
    }
    assert_eq!(converse(&mut service(&Config::default()), request.as_bytes().chunks(1)), whole);
    let bare = "\r\nGET /announce HTTP/1.1\nHost: x\n\n".as_bytes();
    assert_eq!(
        converse(&mut service(&Config::default()), bare.chunks(1)).0,
        format!("{PLAIN}42\r\n\r\n{FAILURE}")
    );
}

#[test]
fn requests_in_one_read_are_answered_in_order() {
    let (said, then, left) =
        say(&format!("{}GET /scrape?info_hash=x HTTP/1.1\r\n\r\nGET /ann", announce("")));
    let at = said.find("5:peers").unwrap();
    assert!(said.find("info_hash `x` is not").unwrap() > at, "{said}");
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!((then, left.as_str()), (Then::Read, "GET /ann"));
}

#[test]
fn the_connection_closes_when_the_client_says_so() {
    let closing = "GET /announce HTTP/1.1\r\nConnection: close\r\n\r\n";
    let answer = format!("{PLAIN}42\r\nConnection: close\r\n\r\n{FAILURE}");
    assert_eq!(say(closing), (answer.clone(), Then::Close, String::new()));
    assert_eq!(say(&format!("{closing}{closing}")), (answer.clone(), Then::Refuse, String::new()));
    assert_eq!(say("GET /announce HTTP/1.0\r\n\r\n"), (answer, Then::Close, String::new()));
    let staying = "GET /announce HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
    let answer = format!("{PLAIN}42\r\nConnection: keep-alive\r\n\r\n{FAILURE}");
    assert_eq!(say(staying), (answer, Then::Read, String::new()));
}

#[test]
fn a_head_request_gets_a_head() {
    assert_eq!(say("HEAD /announce HTTP/1.1\r\n\r\n").0, format!("{PLAIN}42\r\n\r\n"));
}

#[test]
fn the_last_answers_of_a_stopping_hub_say_so() {
    let mut service = service(&Config::default());
    service.stopping = true;
    let (said, then, _) = converse(&mut service, [announce("").as_bytes()]);
    assert!(said.contains("\r\nConnection: close\r\n"), "{said}");
    assert_eq!(then, Then::Close);
}

#[test]
fn everything_else_is_handed_over_as_it_came() {
    let with_body = "POST /api/v1/torrents HTTP/1.1\r\nContent-Length: 5\r\n\r\n{\"a\"";
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET /stats HTTP/1.1\r\n\r\nGET /announce HTTP/1.1\r\n\r\n",
        "POST /announce HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n\r\n",
        "GET /scrape?format=json HTTP/1.1\r\n\r\n",
        "GET /scrape?info_hash=x HTTP/1.1\r\nAccept: application/json\r\n\r\n",
        with_body,
    ] {
        assert_eq!(say(request), (String::new(), Then::HandOver, request.to_owned()), "{request}");
        let after = say(&format!("{}{request}", announce("")));
        assert_eq!((after.1, after.2.as_str()), (Then::HandOver, request));
        assert!(after.0.starts_with("HTTP/1.1 200 OK"));
    }
}

#[test]
fn what_is_no_request_is_refused_with_a_reason() {
    let bomb = "a: b\r\n".repeat(HEADERS_MAX + 1);
    let table: [(&str, &str, &str); 8] = [
        ("\x16\x03\x01", "400 Bad Request", "this is no HTTP/1.1 request"),
        ("GET /announce HTTP/1.1\r\nbroken\r\n\r\n", "400 Bad Request", "this is no HTTP/1.1 request"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP Version Not Supported", "HTTP/1.1 and HTTP/1.0"),
        ("GET /announce HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "400 Bad Request", "a GET has no body"),
        (
            "GET /announce HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400 Bad Request",
            "a GET has no body",
        ),
        (&format!("GET / HTTP/1.1\r\n{bomb}"), "431 Request Header Fields Too Large", "too many headers"),
        (&format!("GET /{}", "x".repeat(8192)), "431 Request Header Fields Too Large", "head is too long"),
        (
            &format!("GET /announce HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(8192)),
            "431 Request Header Fields Too Large",
            "head is too long",
        ),
    ];
    for (request, status, reason) in table {
        let (said, then, left) = say(request);
        assert!(said.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{said}");
        assert!(said.contains(reason) && said.contains("\r\nConnection: close\r\n"), "{said}");
        assert_eq!((then, left.as_str()), (Then::Refuse, ""));
    }
}

#[test]
fn a_head_that_grows_too_long_is_refused_when_it_does() {
    let request = format!("GET /announce HTTP/1.1\r\na: {}", "x".repeat(9000));
    let (said, then, left) = converse(&mut service(&Config::default()), request.as_bytes().chunks(1));
    assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    assert_eq!(then, Then::Refuse);
    assert!(left.len() <= Config::default().http.head_bytes_max);
}

#[test]
fn many_requests_are_answered_in_parts() {
    let requests = "GET /announce HTTP/1.1\r\n\r\n".repeat(2000);
    let mut connection = Connection::default();
    let mut service = service(&Config::default());
    let mut answers = 0;
    let mut bytes = requests.as_bytes();
    loop {
        let mut out = Vec::new();
        let then = connection.receive(bytes, PEER, &mut service, &mut out);
        assert!(out.len() < OUTPUT_BYTES_MAX + 200);
        answers += String::from_utf8(out).unwrap().matches("HTTP/1.1 200 OK").count();
        bytes = &[];
        if then == Then::Read {
            break;
        }
        assert_eq!(then, Then::GoOn);
    }
    assert_eq!(answers, 2000);
    assert!(!connection.is_within_head());
}

#[test]
fn a_trusted_proxy_says_who_asks() {
    let mut config = Config::default();
    config.http.trusted_proxies = vec!["192.0.2.1/32".parse().unwrap()];
    let mut service = service(&config);
    let mut ask = |header: &str| converse(&mut service, [announce(header).as_bytes()]).0;
    let told = ask("X-Forwarded-For: 198.51.100.7\r\n");
    assert!(told.contains("11:external ip4:\\xc63d\\x07"), "{told}");
    let told = ask("Forwarded: for=unknown\r\n");
    assert!(told.ends_with("Forwarded for `unknown` is not an IP addresse"), "{told}");
    assert!(ask("").contains("11:external ip4:\\xc0\\x00\\x02\\x01"));
}

#[test]
fn a_proxy_on_a_list_says_so_too_as_long_as_it_is_there() {
    let mut service = service(&Config::default());
    let policy = service.desk.tracker().policy().clone();
    let mut told = |proxies: &[&str]| {
        let mut builder = Builder::default();
        proxies.iter().for_each(|proxy| builder.add(List::Proxies, List::Proxies.read(proxy).unwrap()));
        policy.publish(Place::Rules, builder.build());
        service.desk.tick();
        converse(&mut service, [announce("X-Forwarded-For: 198.51.100.7\r\n").as_bytes()]).0
    };
    assert!(told(&["192.0.2.0/24"]).contains("11:external ip4:\\xc63d\\x07"));
    assert!(told(&[]).contains("11:external ip4:\\xc0\\x00\\x02\\x01"));
}

/// Pieces that requests are made of, and some that they are not.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"GET /announce?info_hash=abc HTTP/1.1\r\n\r\n".to_vec()),
        Just(announce("").into_bytes()),
        Just(b"GET /scrape HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_vec()),
        Just(b"HEAD /x/announce HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec()),
        Just(b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        Just(b"GET /announce".to_vec()),
        Just(b" HTTP/1.1\r\n".to_vec()),
        Just(b"Content-Length: 3\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
        (0_usize..9000).prop_map(|length| vec![b'x'; length]),
    ]
}

proptest! {
    #[test]
    fn any_bytes_end_in_an_answer_a_hand_over_or_a_close(
        pieces in prop::collection::vec(piece(), 0..12),
        cuts in prop::collection::vec(1_usize..300, 1..20),
    ) {
        let config = Config::default();
        let bytes = pieces.concat();
        let whole = converse(&mut service(&config), [&bytes[..]]);
        let mut cut = Vec::new();
        let mut rest = &bytes[..];
        for at in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (front, back) = rest.split_at(rest.len().min(*at));
            cut.push(front);
            rest = back;
        }
        let parts = converse(&mut service(&config), cut);
        match whole.1 {
            Then::Read => prop_assert_eq!(&whole, &parts),
            Then::HandOver => prop_assert_eq!((&whole.0, whole.1), (&parts.0, parts.1)),
            // What is no head is noticed at once or where it should end, by how it was cut.
            Then::Refuse => prop_assert_ne!(parts.1, Then::HandOver),
            Then::Close => prop_assert!(matches!(parts.1, Then::Refuse | Then::Close)),
            Then::GoOn => prop_assert!(false),
        }
        prop_assert!(whole.0.is_empty() || whole.0.starts_with("HTTP/1.1 "));

        let unending = vec![b'x'; config.http.head_bytes_max];
        let (_, then, _) = converse(&mut service(&config), [&bytes[..], &unending]);
        prop_assert!(matches!(then, Then::HandOver | Then::Refuse | Then::Close));
    }
}
