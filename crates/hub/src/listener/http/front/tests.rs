use axum::routing::get;
use tower::ServiceExt as _;

use super::super::handover::{Channel, Origin};
use super::super::testing::{announce_query, tracker};
use super::*;

/// A router behind a tracker in which there is one swarm, which has a name, and another, which has none.
fn router(config: &TrackerConfig) -> Router {
    let tracker = tracker(config);
    tracker.pin(InfoHash([1; 20]), 3).unwrap();
    tracker.pin(InfoHash([2; 20]), 0).unwrap();
    let names = |hashes: Vec<InfoHash>| {
        assert!(!hashes.is_empty());
        Box::pin(std::future::ready(Names::from([(InfoHash([1; 20]), "a \"film\"".to_owned())]))) as _
    };
    let page = Router::new().route("/", get(async || "page"));
    Front::new(tracker, config, Box::new(names)).before(page)
}

async fn ask(config: &TrackerConfig, target: &str, headers: &[(&str, &str)]) -> (StatusCode, String, String) {
    let mut request = Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let trusted = Arc::from(["10.0.0.0/8".parse().unwrap()]);
    request.extensions_mut().insert(Origin {
        peer: "10.0.0.1:80".parse().unwrap(),
        trusted,
        lists: Arc::default(),
        channel: Channel::Plain,
    });
    let response = router(config).oneshot(request).await.unwrap();
    let status = response.status();
    let content_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, content_type, body.escape_ascii().to_string().replace("\\\"", "\""))
}

fn ok(content_type: &str, body: &str) -> (StatusCode, String, String) {
    (StatusCode::OK, content_type.to_owned(), body.to_owned())
}

const ONE: &str = "0101010101010101010101010101010101010101";
const TWO: &str = "0202020202020202020202020202020202020202";

#[tokio::test]
async fn a_scrape_in_json_has_names() {
    let config = TrackerConfig::default();
    let one = format!(
        "{{\"{ONE}\":{{\"complete\":0,\"incomplete\":0,\"downloaded\":3,\"name\":\"a \\\\\"film\\\\\"\"}}"
    );
    let two = format!("\"{TWO}\":{{\"complete\":0,\"incomplete\":0,\"downloaded\":0}}}}");
    let body = format!("{{\"files\":{one},{two}}}");
    let target = format!("/scrape?info_hash={TWO}&info_hash={ONE}&info_hash={}", "03".repeat(20));
    let accept = ("Accept", "text/html;q=0.5, application/json");
    assert_eq!(ask(&config, &target, &[accept]).await, ok("application/json", &body));
    assert_eq!(ask(&config, &format!("{target}&format=json"), &[]).await, ok("application/json", &body));
    assert_eq!(
        ask(&config, "/scrape?info_hash=x&format=json", &[]).await,
        (
            StatusCode::BAD_REQUEST,
            "application/problem+json".to_owned(),
            "{\"detail\":\"info_hash `x` is not 20 bytes, percent-encoded, or 40 hexadecimal digits\",\
             \"status\":400,\"title\":\"Bad Request\"}"
                .to_owned()
        )
    );
}

#[tokio::test]
async fn a_scrape_of_everything_is_told_if_configured() {
    let mut config = TrackerConfig::default();
    let (status, _, body) = ask(&config, "/scrape?format=json", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("does not tell of all torrents"), "{body}");

    config.full_scrape = true;
    let file = |byte: &str, completed| {
        let hash = byte.repeat(20);
        format!("20:{hash}d8:completei0e10:downloadedi{completed}e11:downloadersi0e10:incompletei0ee")
    };
    let body = format!("d5:filesd{}{}ee", file("\\x01", 3), file("\\x02", 0));
    assert_eq!(ask(&config, "/scrape", &[]).await, ok("text/plain", &body));
    let (_, _, body) = ask(&config, "/scrape?format=json", &[]).await;
    assert!(body.contains(ONE) && body.contains(TWO), "{body}");
}

#[tokio::test]
async fn only_so_many_answers_of_everything_are_in_memory() {
    let config = TrackerConfig { full_scrape: true, ..TrackerConfig::default() };
    let router = router(&config);
    let scrape = async || {
        let mut request = Request::get("/scrape").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Origin {
            peer: "192.0.2.1:80".parse().unwrap(),
            trusted: Arc::from([]),
            lists: Arc::default(),
            channel: Channel::Plain,
        });
        router.clone().oneshot(request).await.unwrap()
    };
    let mut held = Vec::new();
    for _ in 0..FULL_SCRAPES_MAX {
        held.push(scrape().await);
    }
    let refused = scrape().await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "60");
    held.pop();
    assert_eq!(scrape().await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_page_and_its_neighbours_are_left_alone() {
    let config = TrackerConfig::default();
    assert_eq!(ask(&config, "/", &[]).await.2, "page");
    assert_eq!(ask(&config, "/?words=info_hash", &[]).await.2, "page");
    let by_query = format!("/?{}", announce_query(1, 6881));
    assert!(ask(&config, &by_query, &[]).await.2.contains("11:external ip4:\\n\\x00\\x00\\x01"));
}

#[tokio::test]
async fn a_proxy_that_does_not_say_who_asks_is_told() {
    let config = TrackerConfig::default();
    let announce = format!("/announce?{}", announce_query(1, 6881));
    let told = ask(&config, &announce, &[("X-Forwarded-For", "198.51.100.7")]).await.2;
    assert!(told.contains("11:external ip4:\\xc63d\\x07"), "{told}");
    let (status, _, body) = ask(&config, &announce, &[("Forwarded", "for=unknown")]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("failure reason") && body.contains("`unknown` is not an IP address"), "{body}");
}
