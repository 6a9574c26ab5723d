use wire::metainfo::Metainfo;

use super::hub::{HOST, Hub, TOKEN, folder, torrent};
use crate::config::Publish;

const HASH: &str = "00112233445566778899aabbccddeeff00112233";

#[tokio::test]
async fn a_torrent_file_is_added_once() {
    let hub = Hub::new();
    let bytes = folder("some folder", &["a/b.txt", "c.txt"]);
    let hash = Metainfo::decode(&bytes).unwrap().info_hash().to_string();
    for (status, peer) in [(201, "192.0.2.1:1"), (200, "192.0.2.2:1")] {
        let call = hub.post("/api/v1/torrents").header("content-type", "application/x-bittorrent").from(peer);
        let answer = call.body(bytes.clone()).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("location"), format!("/api/v1/torrents/{hash}"));
        let json = answer.json();
        assert_eq!(json["info_hash"], hash.as_str());
        assert_eq!(json["name"], "some folder");
        assert_eq!((&json["size"], &json["piece_length"]), (&2.into(), &16_384.into()));
        assert_eq!(
            json["files"],
            serde_json::json!([{"path": "a/b.txt", "length": 1}, {"path": "c.txt", "length": 1}])
        );
        assert_eq!(json["private"], false);
        assert_eq!(json["torrent_url"], format!("http://{HOST}/t/{hash}.torrent"));
        assert_eq!(
            json["magnet"],
            format!(
                "magnet:?xt=urn:btih:{hash}&dn=some%20folder&xl=2&tr=http%3A%2F%2Fhub.example%3A6969%2Fannounce\
                 &tr=udp%3A%2F%2Fhub.example%3A6969%2Fannounce"
            )
        );
        assert!(json.get("peers").is_none());
    }
    assert!(hub.tracker.scrape(&hash.parse().unwrap()).is_some(), "its swarm is kept");
}

#[tokio::test]
async fn a_form_holds_a_torrent_file() {
    let hub = Hub::new();
    let form = |parts: &[(&str, &[u8])]| {
        let mut body = Vec::new();
        for (disposition, bytes) in parts {
            body.extend_from_slice(
                format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").as_bytes(),
            );
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--XX--\r\n");
        body
    };
    let send = |body| {
        hub.post("/api/v1/torrents").header("content-type", "multipart/form-data; boundary=XX").body(body)
    };
    let bytes = torrent("in a form", 5);
    let answer = send(form(&[
        ("name=\"note\"", b"hello".as_slice()),
        ("name=\"file\"; filename=\"x.torrent\"", &bytes),
    ]))
    .await;
    assert_eq!((answer.status.as_u16(), &answer.json()["name"]), (201, &"in a form".into()));
    for (body, expected) in [
        (form(&[]), "the form has no file"),
        (form(&[("name=\"note\"", b"x")]), "the form has no file"),
        (form(&[("name=\"file\"", &bytes), ("name=\"torrent\"", &bytes)]), "the form has several files"),
        (form(&[("name=\"file\"", b"no torrent")]), "this is no .torrent file"),
        (
            b"--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nbroken".to_vec(),
            "the form cannot be read",
        ),
        (Vec::new(), "the form cannot be read"),
    ] {
        let detail = send(body).await.problem(400);
        assert!(detail.starts_with(expected), "{detail}");
    }
    let call = hub.post("/api/v1/torrents").header("content-type", "multipart/form-data");
    let detail = call.body(form(&[])).await.problem(400);
    assert!(detail.starts_with("the form cannot be read: Invalid `boundary`"), "{detail}");
}

#[tokio::test]
async fn facts_are_added_until_a_torrent_file_proves_others() {
    let hub = Hub::new();
    let bytes = torrent("proven", 5);
    let hash = Metainfo::decode(&bytes).unwrap().info_hash();
    let facts = format!(r#"{{"info_hash":"{hash}","name":"said","size":7}}"#);
    let answer = hub.post("/api/v1/torrents").json(&facts).await;
    assert_eq!(answer.status, 201);
    let json = answer.json();
    assert_eq!((&json["name"], &json["size"], &json["torrent_url"]), (&"said".into(), &7.into(), &().into()));
    assert_eq!(json["files"], serde_json::json!([]));
    let file = hub.get(&format!("/t/{hash}.torrent")).send().await;
    assert!(file.problem(404).contains("no .torrent file"));

    let call = hub.post("/api/v1/torrents").header("content-type", "application/x-bittorrent; x=y");
    let answer = call.body(bytes).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["name"]), (200, &"proven".into()));
    let again = hub.post("/api/v1/torrents").json(&facts).await;
    assert_eq!((again.status.as_u16(), &again.json()["name"]), (200, &"proven".into()));
}

#[tokio::test]
async fn what_is_no_torrent_is_quoted() {
    let hub = Hub::new();
    let bencoded = hub.post("/api/v1/torrents").header("content-type", "application/x-bittorrent");
    let detail =
        bencoded.body(b"d4:infod4:name3:abc12:piece lengthi0e6:pieces0:ee".to_vec()).await.problem(400);
    assert!(detail.starts_with("this is no .torrent file: ") && detail.contains("piece length"), "{detail}");
    for (json, expected) in [
        ("{\"info_hash\": nope}", "near `{\"info_hash\": nope}`"),
        ("[]", "the body is a list, and an object with fields is expected"),
        (
            "{\"info_hash\":\"abc\",\"name\":\"n\"}",
            "`abc` is not an info hash: 40 hexadecimal digits are expected",
        ),
        (&format!("{{\"info_hash\":\"{HASH}\",\"name\":\"n\",\"zise\":1}}"), "unknown field `zise`"),
        ("", "EOF while parsing"),
    ] {
        let detail = hub.post("/api/v1/torrents").json(json).await.problem(400);
        assert!(detail.contains(expected), "{json}: {detail}");
    }
    let detail = hub
        .post("/api/v1/torrents")
        .header("content-type", "application/json")
        .body(b"{\"name\":\"\xff\xfe\"}".to_vec())
        .await
        .problem(400);
    assert!(detail.contains("invalid unicode"), "{detail}");
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let call = hub.post("/api/v1/torrents").header("content-type", content_type);
        let detail = call.body(torrent("x", 1)).await.problem(415);
        assert!(detail.starts_with(&format!("Content-Type `{content_type}` is not understood")), "{detail}");
    }
    let detail = hub.post("/api/v1/torrents").body(torrent("x", 1)).await.problem(415);
    assert!(detail.starts_with("Content-Type `` is not"), "{detail}");
}

#[tokio::test]
async fn too_much_is_refused() {
    let hub = Hub::with(|config| {
        config.catalogue.metainfo_bytes_max = 1000;
        config.http.body_bytes_max = 2000;
    });
    let call = hub.post("/api/v1/torrents").header("content-type", "application/x-bittorrent");
    let detail = call.body(torrent("large", 16_384 * 100)).await.problem(413);
    assert_eq!(detail, "the .torrent file has more than the 1000 B that are taken");
    let detail = hub.post("/api/v1/torrents").json(&" ".repeat(2001)).await.problem(413);
    assert_eq!(detail, "the body has more than the 2000 bytes that are taken");
    let long = format!(r#"{{"info_hash":"{HASH}","name":"{}"}}"#, "n".repeat(1025));
    let detail = hub.post("/api/v1/torrents").json(&long).await.problem(413);
    assert_eq!(detail, "the name has 1025 bytes: at most 1024 are taken");
    let detail = hub.post("/add_torrent_info").json(&" ".repeat(2001)).await.problem(413);
    assert!(detail.starts_with("the body has more"), "{detail}");
}

#[tokio::test]
async fn one_address_may_add_so_often_and_so_much() {
    let hub = Hub::with(|config| {
        config.catalogue.additions_per_minute = 4;
        config.catalogue.torrents_per_address = 2;
    });
    let add = |n: u64, peer: &'static str| {
        let call = hub.post("/api/v1/torrents").header("content-type", "application/x-bittorrent").from(peer);
        call.body(torrent(&format!("t{n}"), n))
    };
    assert_eq!(add(1, "192.0.2.1:1").await.status, 201);
    assert_eq!(add(2, "192.0.2.1:2").await.status, 201);
    let answer = add(3, "192.0.2.1:3").await;
    assert_eq!(answer.problem(429), "your address has added 2 torrents, and may not add more");
    assert_eq!(answer.header("retry-after"), "3600");
    assert_eq!(add(1, "192.0.2.1:3").await.status, 200, "what is there may be added again");
    let answer = add(1, "192.0.2.1:4").await;
    assert!(answer.problem(429).starts_with("your address may add 4 torrents a minute; wait 15 s"));
    assert_eq!(answer.header("retry-after"), "15");
    assert_eq!(add(3, "192.0.2.2:1").await.status, 201);
    let old = hub.post("/add_torrent_info").json("{}").await.problem(429);
    assert!(old.starts_with("your address may"), "{old}");
    for multipart in ["multipart/form-data; boundary=X", "text/plain"] {
        let form = hub.post("/add").header("content-type", multipart).body(b"--X--\r\n".to_vec()).await;
        assert!(form.problem(429).starts_with("your address may"), "no form is read for nothing");
    }
    for n in 10..20 {
        let call = hub.post("/api/v1/torrents").header("content-type", "application/x-bittorrent").token();
        assert_eq!(call.body(torrent(&format!("t{n}"), n)).await.status, 201, "the token is above limits");
    }
}

#[tokio::test]
async fn a_hub_may_be_closed_to_who_has_no_token() {
    let hub = Hub::with(|config| config.publish = Publish::Token);
    let add = || hub.post("/api/v1/torrents").header("content-type", "application/x-bittorrent");
    let answer = add().body(torrent("x", 1)).await;
    answer.problem(401);
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    add().header("authorization", "Bearer wrong").body(torrent("x", 1)).await.problem(403);
    assert_eq!(add().token().body(torrent("x", 1)).await.status, 201);
    let facts = format!(r#"{{"info_hash":"{HASH}"}}"#);
    hub.post("/add_torrent_info").json(&facts).await.problem(401);
    assert_eq!(hub.post("/add_torrent_info").token().json(&facts).await.status, 200);
    // A browser cannot send the header, and its form has a field instead.
    let form = |token: &str| {
        let mut body =
            format!("--X\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n{token}\r\n").into_bytes();
        body.extend_from_slice(
            b"--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"y\"\r\n\r\n",
        );
        body.extend_from_slice(&torrent("y", 1));
        body.extend_from_slice(b"\r\n--X--\r\n");
        body
    };
    let upload = || hub.post("/add").header("content-type", "multipart/form-data; boundary=X");
    upload().body(form("")).await.problem(401);
    upload().body(form("wrong")).await.problem(403);
    assert_eq!(upload().body(form(TOKEN)).await.status, 303);
}
