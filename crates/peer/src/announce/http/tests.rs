use std::sync::Arc;

use parking_lot::Mutex;
use swarm::{Event, Families, InfoHash, PeerId};
use wire::http::{Answer as Told, Shape, encode_announce, encode_failure};

use super::*;
use crate::announce::testing::{Server, endpoint, http, response, swarm_reply};

fn ask() -> Announce<'static> {
    Announce {
        info_hash: InfoHash(*b"\x00\xff %&+/abcdefghijklm"),
        peer_id: PeerId(*b"-SK0100-abcdefghijkl"),
        port: 6881,
        stated_ip: None,
        uploaded: 1,
        downloaded: 2,
        left: Some(3),
        event: Event::Completed,
        want: Some(50),
        key: Some(b"000000AB"),
        passkey: None,
    }
}

fn right() -> Vec<u8> {
    let mut body = Vec::new();
    let reply = swarm_reply();
    let told =
        Told { reply: &reply, interval: 900, min_interval: 30, external_ip: None, families: Families::Both };
    encode_announce(&told, Shape::Compact, &mut body);
    response("200 OK", "", &body)
}

async fn announce(server: &Server, path: &str) -> Result<(Answer, Vec<Endpoint>), Miss> {
    let target = Target::parse(&format!("http://{}{path}", server.address)).unwrap();
    let client = Http::new(Duration::from_secs(5), None).unwrap();
    client.announce(&target, Family::of(server.address.ip()), &ask(), Some(b"a b")).await
}

async fn answered(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Result<Answer, Miss> {
    let server = http("127.0.0.1", answer).await.unwrap();
    announce(&server, "/announce").await.map(|(answer, _)| answer)
}

#[tokio::test]
async fn a_tracker_is_told_all_and_answers() {
    let seen = Arc::new(Mutex::new(String::new()));
    let log = seen.clone();
    let server = http("127.0.0.1", move |head| {
        *log.lock() = head.to_owned();
        Some(right())
    });
    let server = server.await.unwrap();
    let (answer, peers) = announce(&server, "/s3cret/announce?x=1").await.unwrap();
    assert_eq!((answer.interval, answer.min_interval), (Some(900), Some(30)));
    assert_eq!((answer.seeders, answer.leechers), (Some(1), Some(2)));
    assert_eq!(peers, [endpoint("10.0.0.5", 6881), endpoint("fd00::5", 6882)]);

    let seen = seen.lock();
    let query = seen.strip_prefix("GET /s3cret/announce?x=1&").unwrap().split(' ').next().unwrap();
    let request = wire::http::decode_announce(query.as_bytes()).unwrap();
    assert_eq!(request.announce, ask());
    assert!(query.contains("&compact=1") && query.ends_with("&trackerid=a%20b"), "{query}");
    assert!(seen.to_ascii_lowercase().contains("user-agent: skep/"), "{seen}");
}

#[tokio::test]
async fn refusals_are_passed_on_in_the_trackers_words() {
    let refused = |reason: &str, retry_in| Err(Miss::Refused { reason: reason.into(), retry_in });
    let failure = |status: &'static str, retry_in| {
        move |_: &str| {
            let mut body = Vec::new();
            encode_failure("unregistered\x1b[0m torrent", retry_in, &mut body);
            Some(response(status, "", &body))
        }
    };
    let words = "unregistered [0m torrent";
    assert_eq!(answered(failure("200 OK", None)).await, refused(words, None));
    assert_eq!(answered(failure("403 Forbidden", None)).await, refused(words, None));
    for retry_in in [RetryIn::Minutes(5), RetryIn::Never] {
        assert_eq!(answered(failure("200 OK", Some(retry_in))).await, refused(words, Some(retry_in)));
    }
    let missing = |_: &str| Some(response("404 Not Found", "", b"<html>"));
    assert_eq!(answered(missing).await, refused("HTTP status 404 Not Found", None));
    let busy = |_: &str| Some(response("503 Service Unavailable", "Retry-After: 61\r\n", b""));
    let expected = refused("HTTP status 503 Service Unavailable", Some(RetryIn::Minutes(2)));
    assert_eq!(answered(busy).await, expected);
}

#[tokio::test]
async fn a_warning_is_passed_on_with_the_peers() {
    let body = b"d8:intervali60e5:peers0:10:tracker id3:\x00\x01\x0215:warning message7:upgradee";
    let answer = answered(|_| Some(response("200 OK", "", body))).await.unwrap();
    assert_eq!(answer.warning.as_deref(), Some("upgrade"));
    assert_eq!(answer.tracker_id.as_deref(), Some(&[0, 1, 2][..]));
}

#[tokio::test]
async fn what_is_no_answer_of_a_tracker_is_said_to_be_none() {
    let failed = |miss| match miss {
        Err(Miss::Failed(reason)) => reason,
        other => panic!("{other:?}"),
    };
    let page = failed(answered(|_| Some(response("200 OK", "", b"<html>"))).await);
    assert!(page.starts_with("its answer is not a tracker's"), "{page}");
    let long = vec![b'x'; REPLY_BYTES_MAX + 1];
    let long = failed(answered(move |_| Some(response("200 OK", "", &long))).await);
    assert!(long.starts_with("its answer is longer than"), "{long}");
    let rubbish = failed(answered(|_| Some(b"SSH-2.0-x\r\n".to_vec())).await);
    assert!(!rubbish.contains("info_hash"), "no URL in it: {rubbish}");
    let nobody = {
        let server = http("127.0.0.1", |_| None).await.unwrap();
        let address = server.address;
        drop(server);
        Target::parse(&format!("https://{address}/announce")).unwrap()
    };
    let client = Http::new(TIMEOUT, None).unwrap();
    let refused = failed(client.announce(&nobody, Family::V4, &ask(), None).await.map(|(answer, _)| answer));
    assert!(refused.starts_with("cannot connect: "), "{refused}");
    let cut = failed(answered(|_| Some(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nd8:".to_vec())).await);
    assert!(!cut.is_empty());
}

#[tokio::test]
async fn silence_ends() {
    let server = http("127.0.0.1", |_| None).await.unwrap();
    let target = Target::parse(&format!("http://{}/announce", server.address)).unwrap();
    let client = Http::new(Duration::from_millis(50), None).unwrap();
    let miss = client.announce(&target, Family::V4, &ask(), None).await.unwrap_err();
    assert!(matches!(&miss, Miss::Failed(reason) if reason == "no answer in time"), "{miss:?}");
}

#[tokio::test]
async fn a_server_without_tls_is_no_https_tracker() {
    let server = http("127.0.0.1", |_| Some(right())).await.unwrap();
    let target = Target::parse(&format!("https://{}/announce", server.address)).unwrap();
    let client = Http::new(Duration::from_millis(500), None).unwrap();
    let miss = client.announce(&target, Family::V4, &ask(), None).await.unwrap_err();
    assert!(matches!(miss, Miss::Failed(_)), "{miss:?}");
}

#[tokio::test]
async fn a_silent_host_holds_up_nobody_but_its_own() {
    let silent = http("127.0.0.1", |_| None).await.unwrap();
    let right = http("127.0.0.1", |_| Some(right())).await.unwrap();
    let client = Arc::new(Http::new(TIMEOUT, None).unwrap());
    let mut flying = tokio::task::JoinSet::new();
    let target = |server: &Server| Target::parse(&format!("http://{}/announce", server.address)).unwrap();
    for _ in 0..100 {
        let (client, target) = (client.clone(), target(&silent));
        flying.spawn(async move { client.announce(&target, Family::V4, &ask(), None).await.map(|_| ()) });
    }
    client.announce(&target(&right), Family::V4, &ask(), None).await.unwrap();
}

#[tokio::test]
async fn redirects_are_followed_but_not_for_ever() {
    let once = |head: &str| {
        let there = head.starts_with("GET /there");
        Some(if there { right() } else { response("302 Found", "Location: /there\r\n", b"") })
    };
    answered(once).await.unwrap();
    let miss = answered(|_| Some(response("302 Found", "Location: /announce\r\n", b""))).await.unwrap_err();
    assert!(matches!(&miss, Miss::Failed(reason) if reason.contains("redirect")), "{miss:?}");
}

#[tokio::test]
async fn each_family_has_its_own_connection() {
    // Not every machine has IPv6.
    let Ok(server) = http("::1", |_| Some(right())).await else { return };
    announce(&server, "/announce").await.unwrap();
    let target = Target::parse(&format!("http://{}/announce", server.address)).unwrap();
    let client = Http::new(TIMEOUT, None).unwrap();
    assert_eq!(client.announce(&target, Family::V4, &ask(), None).await, Err(Miss::Absent));
}
