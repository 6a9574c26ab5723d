//! The feed, as programs read it that fetch by themselves.

use super::hub::{HOST, Hub, torrent};
use crate::config::Mode;

/// The newest first, as `rss` and `atom` crates read it back.
fn titles(text: &str) -> Vec<String> {
    let channel = rss::Channel::read_from(text.as_bytes()).unwrap();
    channel.items.into_iter().map(|item| item.title.unwrap()).collect()
}

#[tokio::test]
async fn new_torrents_are_read_as_rss_and_atom() {
    let hub = Hub::new();
    let first = hub.add(&torrent("a <&> b", 1 << 20)).await;
    hub.post("/api/v1/torrents")
        .json(r#"{"info_hash":"0101010101010101010101010101010101010101","name":"only a name"}"#)
        .await;
    let answer = hub.get("/feed").send().await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "application/rss+xml; charset=utf-8")
    );
    let channel = rss::Channel::read_from(answer.bytes.as_slice()).unwrap();
    let item = channel.items.iter().find(|item| item.title.as_deref() == Some("a <&> b")).unwrap();
    assert_eq!(item.guid.as_ref().unwrap().value, format!("urn:btih:{first}"));
    let enclosure = item.enclosure.as_ref().unwrap();
    assert_eq!(enclosure.url, format!("http://{HOST}/t/{first}.torrent"));
    assert_eq!(enclosure.mime_type, "application/x-bittorrent");
    assert!(item.description.as_ref().unwrap().starts_with("1 MiB. made for a test"), "{item:?}");
    assert!(item.pub_date.as_ref().unwrap().ends_with("+0000"), "{item:?}");
    let named = channel.items.iter().find(|item| item.title.as_deref() == Some("only a name")).unwrap();
    assert!(named.enclosure.as_ref().unwrap().url.starts_with("magnet:?xt=urn:btih:0101"));

    let answer = hub.get("/feed?format=atom&query=only").send().await;
    assert_eq!(answer.header("content-type"), "application/atom+xml; charset=utf-8");
    let feed = atom_syndication::Feed::read_from(answer.bytes.as_slice()).unwrap();
    assert_eq!(feed.entries.iter().map(|entry| entry.title.as_str()).collect::<Vec<_>>(), ["only a name"]);
    assert_eq!(titles(&hub.get("/feed?query=only").send().await.text()), ["only a name"]);
    assert_eq!(titles(&hub.get("/feed?limit=1").send().await.text()).len(), 1);
    let wrong = hub.get("/feed?format=json").send().await;
    assert_eq!(wrong.problem(400), "format `json` is neither `rss` nor `atom`");
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let hub = Hub::new();
    hub.add(&torrent("one", 1)).await;
    let first = hub.get("/feed").send().await;
    let again = hub.get("/feed").header("if-none-match", first.header("etag")).send().await;
    assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
    hub.add(&torrent("two", 2)).await;
    let changed = hub.get("/feed").header("if-none-match", first.header("etag")).send().await;
    assert_eq!((changed.status.as_u16(), titles(&changed.text()).len()), (200, 2));
}

#[tokio::test]
async fn a_member_s_feed_has_its_own_links() {
    let hub = Hub::with(|config| config.mode = Mode::Members);
    let made = hub.post("/api/v1/users").token().json(r#"{"name":"ann"}"#).await;
    let passkey = made.json()["passkey"].as_str().unwrap().to_owned();
    let facts = r#"{"info_hash":"0101010101010101010101010101010101010101","name":"one","private":true}"#;
    hub.post("/api/v1/torrents").token().json(facts).await;
    assert_eq!(hub.get("/feed").send().await.status, 401);
    let own = hub.get(&format!("/feed?passkey={passkey}")).send().await;
    assert!(own.text().contains(&passkey), "{}", own.text());
}
