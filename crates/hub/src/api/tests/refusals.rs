use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Method;

use super::hub::{Hub, torrent};

#[tokio::test]
async fn what_is_not_there_is_a_problem_for_programs_and_a_page_for_people() {
    let hub = Hub::new();
    assert_eq!(hub.get("/nowhere").send().await.problem(404), "there is nothing at `/nowhere`");
    let page = hub.get("/nowhere%3Cb%3E").browser().send().await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (404, "text/html; charset=utf-8"));
    assert!(page.text().contains("<h1>Not Found</h1>") && !page.text().contains("<b>"), "{}", page.text());
    let api = hub.get("/api/v1/nowhere").browser().send().await;
    assert_eq!(api.problem(404), "there is nothing at `/api/v1/nowhere`");
}

#[tokio::test]
async fn a_wrong_method_is_told_which_would_be_right() {
    let hub = Hub::new();
    let answer = hub.call(Method::PUT, "/api/v1/torrents").send().await;
    assert!(answer.problem(405).starts_with("`PUT` cannot be done with `/api/v1/torrents`"));
    assert_eq!(answer.header("allow"), "GET,HEAD,POST");
    assert_eq!(hub.post("/metrics").send().await.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let hub = Hub::new();
    for target in ["/", "/add", "/nowhere", "/api/v1/torrents", "/health", "/style.css", "/torrents/x"] {
        let answer = hub.get(target).browser().send().await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{target}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{target}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{target}");
        assert_ne!(answer.header("cache-control"), "", "{target}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{target}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let hub = Hub::new();
    let add = || hub.post("/api/v1/torrents").header("content-type", "application/x-bittorrent");
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://evil.example"),
        ("origin", "null"),
    ] {
        let detail = add().header(name, value).body(torrent("x", 1)).await.problem(403);
        assert_eq!(detail, "a page of another site may not change anything here");
        assert_eq!(hub.get("/api/v1/torrents").header(name, value).send().await.status, 200);
    }
    assert_eq!(add().header("origin", "http://hub.example:6969").body(torrent("x", 1)).await.status, 201);
    assert_eq!(add().header("sec-fetch-site", "same-origin").body(torrent("x", 1)).await.status, 200);
}

#[tokio::test]
async fn a_head_has_no_body() {
    let hub = Hub::new();
    let answer = hub.call(Method::HEAD, "/health").send().await;
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (200, 0));
}

/// A body of which no byte ever comes.
struct Never;

impl HttpBody for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_told_so() {
    let hub = Hub::new();
    let call = hub.post("/api/v1/torrents").header("content-type", "application/x-bittorrent");
    let answer = call.body(Body::new(Never)).await;
    assert_eq!(answer.problem(408), "the request took more than 60 seconds");
    assert_eq!(answer.header("connection"), "close");
}
