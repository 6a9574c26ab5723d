use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use wire::metainfo::{Builder, Content, Metainfo};

use super::*;
use crate::announce::testing::{Server, http, response};

/// The payload of all torrents here.
fn payload() -> Vec<u8> {
    (0..100_u8).collect()
}

/// A torrent of four pieces, of 32 bytes at least.
fn layout(content: Content) -> Arc<Layout> {
    let size = match &content {
        Content::File(length) => *length,
        Content::Folder(files) => files.iter().map(|(_, length)| length).sum(),
    };
    let builder = Builder {
        name: "the name".into(),
        content,
        piece_length: size.div_ceil(4).max(32),
        pieces: vec![0; 20 * 4],
        ..Builder::default()
    };
    let mut bytes = Vec::new();
    builder.encode(&mut bytes);
    Arc::new(Layout::new(Arc::new(Metainfo::decode(&bytes).unwrap())))
}

fn folder() -> Arc<Layout> {
    let file = |path: &[&str], length| (path.iter().map(|part| (*part).to_owned()).collect(), length);
    layout(Content::Folder(vec![file(&["a"], 40), file(&["none"], 0), file(&["sub", "ü b"], 60)]))
}

/// The bytes of `folder`'s file at `path`.
fn file(path: &str) -> Option<Vec<u8>> {
    match path {
        "/files/the%20name/a" => Some(payload()[..40].to_vec()),
        "/files/the%20name/sub/%C3%BC%20b" => Some(payload()[40..].to_vec()),
        "/one.bin" => Some(payload()),
        _ => None,
    }
}

/// Path, and first and last byte, of a request.
fn request(head: &str) -> (&str, usize, usize) {
    let range = head.to_ascii_lowercase();
    let range = range.split("range: bytes=").nth(1).unwrap().lines().next().unwrap().to_owned();
    let (first, last) = range.split_once('-').unwrap();
    (head.split(' ').nth(1).unwrap(), first.parse().unwrap(), last.parse().unwrap())
}

/// A server as it should be.
fn right(head: &str) -> Option<Vec<u8>> {
    let (path, first, last) = request(head);
    let Some(file) = file(path) else { return Some(response("404 Not Found", "", b"")) };
    let range = format!("Content-Range: bytes {first}-{last}/{}\r\n", file.len());
    Some(response("206 Partial Content", &range, &file[first..=last]))
}

fn seed(server: &Server, path: &str, layout: Arc<Layout>) -> WebSeed {
    let url = format!("http://{}{path}", server.address);
    WebSeed::new(WebClient::new().unwrap(), layout, &url).unwrap()
}

/// What a fetch of bytes 30 to 50 of a single file brings from a server that answers so.
async fn one(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Result<Bytes, FetchError> {
    let server = http("127.0.0.1", answer).await.unwrap();
    let seed = seed(&server, "/one.bin", layout(Content::File(100)));
    let outcome = seed.fetch(30..50).await;
    let struck = matches!(outcome, Err(FetchError::Struck(_)));
    assert_eq!(seed.struck().is_some(), struck);
    outcome
}

fn struck(outcome: Result<Bytes, FetchError>) -> String {
    match outcome {
        Err(FetchError::Struck(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ranges_over_files_are_put_together() {
    let server = http("127.0.0.1", right).await.unwrap();
    let url = format!("http://{}/files", server.address);
    let seed = WebSeed::new(WebClient::new().unwrap(), folder(), &url).unwrap();
    let mut all = Vec::new();
    for piece in 0..4 {
        let start = seed.position(piece);
        all.extend_from_slice(&seed.fetch(start..(start + 32).min(100)).await.unwrap());
    }
    assert_eq!(all, payload());
    assert_eq!(seed.fetch(39..41).await.unwrap(), payload()[39..41]);
    assert_eq!(one(right).await.unwrap(), payload()[30..50]);
}

#[tokio::test]
async fn no_more_than_a_few_fetches_are_under_way() {
    let (sender, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let server = http("127.0.0.1", move |_| {
        let _ = sender.send(());
        None
    });
    let server = server.await.unwrap();
    let seed = Arc::new(seed(&server, "/one.bin", layout(Content::File(100))));
    let mut fetches = tokio::task::JoinSet::new();
    let mut handles = Vec::new();
    for _ in 0..AT_ONCE_MAX + 1 {
        let seed = seed.clone();
        handles.push(fetches.spawn(async move { seed.fetch(0..1).await }));
    }
    for _ in 0..AT_ONCE_MAX {
        requests.recv().await.unwrap();
    }
    assert_eq!(seed.permits.available_permits(), 0);
    assert!(requests.is_empty());
    // One that is given up makes room for the next.
    handles[0].abort();
    requests.recv().await.unwrap();
}

#[tokio::test]
async fn a_server_without_ranges_sends_the_whole_file() {
    assert_eq!(one(|_| Some(response("200 OK", "", &payload()))).await.unwrap(), payload()[30..50]);
    let long = layout(Content::File(96 << 20));
    let server =
        http("127.0.0.1", |_| Some(b"HTTP/1.1 200 OK\r\nContent-Length: 100663296\r\n\r\n".to_vec()));
    let server = server.await.unwrap();
    let far = 64 << 20;
    let reason = struck(seed(&server, "/one.bin", long).fetch(far..far + 1).await);
    assert_eq!(reason, "`/one.bin`: the server sends no parts of it");
}

#[tokio::test]
async fn what_is_not_the_file_strikes_the_server_out() {
    let partial = |headers: &'static str, bytes: usize| {
        one(move |_| Some(response("206 Partial Content", headers, &payload()[..bytes])))
    };
    for (outcome, why) in [
        (one(|_| Some(response("404 Not Found", "", b""))).await, "HTTP status 404 Not Found"),
        (one(|_| Some(response("416 Range Not Satisfiable", "", b""))).await, "HTTP status 416"),
        (
            one(|_| Some(response("200 OK", "", b"<html>"))).await,
            "it has 6 bytes there, and 100 in the torrent",
        ),
        (partial("", 20).await, "a part of it comes without its place"),
        (partial("Content-Range: bytes 0-19/100\r\n", 20).await, "comes instead of bytes 30-49"),
        (partial("Content-Range: what\r\n", 20).await, "comes instead of bytes 30-49"),
        (partial("Content-Range: bytes 30-49/99\r\n", 20).await, "it has 99 bytes there"),
        (partial("Content-Range: bytes 30-49/*\r\n", 19).await, "19 bytes instead of the 20"),
        (partial("Content-Range: bytes 30-49/*\r\n", 21).await, "more than the 20 bytes"),
        (partial("Content-Encoding: gzip\r\n", 20).await, "it is sent as `gzip`"),
        (one(|_| Some(response("302 Found", "Location: /one.bin\r\n", b""))).await, "redirect"),
    ] {
        let reason = struck(outcome);
        assert!(reason.contains(why), "{reason}: {why}");
    }
}

#[tokio::test]
async fn what_may_pass_is_waited_for_but_not_for_ever() {
    let busy = |_: &str| Some(response("503 Service Unavailable", "Retry-After: 40\r\n", b""));
    let Err(FetchError::Later { reason, wait }) = one(busy).await else { panic!() };
    assert_eq!((&*reason, wait), ("HTTP status 503 Service Unavailable", Duration::from_secs(40)));
    let cut = |_: &str| {
        let head =
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 30-49/100\r\nContent-Length: 20\r\n\r\nxx";
        Some(head.as_bytes().to_vec())
    };
    assert!(matches!(one(cut).await, Err(FetchError::Later { .. })));

    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = http("127.0.0.1", move |head| {
        counted.fetch_add(1, SeqCst);
        busy(head)
    });
    let server = server.await.unwrap();
    let seed = seed(&server, "/one.bin", layout(Content::File(100)));
    for _ in 0..10 {
        assert!(matches!(seed.fetch(0..1).await, Err(FetchError::Later { .. })));
    }
    assert_eq!(count.load(SeqCst), 1, "it is left in peace");
    for failure in 1..=FAILURES_MAX {
        seed.health.lock().rest_until = None;
        assert_eq!(
            seed.fetch(0..1).await.is_err_and(|e| matches!(e, FetchError::Struck(_))),
            failure == FAILURES_MAX
        );
    }
    assert!(seed.struck().unwrap().contains("9 failures in a row, the last: HTTP status 503"));
}

#[tokio::test]
async fn nothing_is_asked_of_a_server_for_what_is_not_there() {
    let server = http("127.0.0.1", |_| panic!("no request")).await.unwrap();
    let seed = seed(&server, "/one.bin", layout(Content::File(100)));
    for range in [0..0, 99..101, 200..201, 0..u64::MAX] {
        assert!(matches!(seed.fetch(range).await, Err(FetchError::Range { size: 100, .. })));
    }
    #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake")]
    let backwards = seed.fetch(30..10).await;
    assert!(matches!(backwards, Err(FetchError::Range { .. })));
}
