use serde_json::json;
use swarm::{Event, InfoHash};

use super::hub::{Hub, torrent};

const HASH: &str = "00112233445566778899aabbccddeeff01234567";

#[tokio::test]
async fn facts_are_taken_in_all_three_spellings() {
    let hub = Hub::new();
    let hash = InfoHash(*b"\x00\x01\x7f\x80\xffabcdefghijklmno");
    for spelling in [
        hash.to_string(),
        "%00%01%7f%80%ffabcdefghijklmno".to_owned(),
        "%00%01%7F%80%FFabcdefghijklmno".to_owned(),
    ] {
        let facts = json!({
            "info_hash": spelling, "name": "old", "size": 12, "piece_length": 16384, "comment": "", "created_by": "b",
            "creation_date": 1_700_000_000.7,
        });
        let answer = hub.post("/add_torrent_info").json(&facts.to_string()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), json!({"message": "Torrent info added successfully"}));
        assert_eq!(answer.header("content-location"), format!("/api/v1/torrents/{hash}"));
    }
    let list = hub.get("/api/v1/torrents").send().await.json();
    assert_eq!(list["torrents"].as_array().unwrap().len(), 1);
    let torrent = &list["torrents"][0];
    assert_eq!(
        (&torrent["name"], &torrent["size"], &torrent["created_at"]),
        (&"old".into(), &12.into(), &1_700_000_000.into())
    );
    assert_eq!(torrent["comment"], json!(null));
}

#[tokio::test]
async fn a_spelling_with_two_readings_means_the_known_one() {
    let hub = Hub::new();
    // `%41` may be itself or an `A`; with one escape to be found there are two readings.
    let text = "%41%42cdefghijklmnopqr";
    let second = InfoHash(*b"%41Bcdefghijklmnopqr");
    hub.announce(second, 1, 1, Event::Started);
    let answer = hub.post("/add_torrent_info").json(&json!({"info_hash": text}).to_string()).await;
    assert_eq!(answer.header("content-location"), format!("/api/v1/torrents/{second}"));
}

#[tokio::test]
async fn bad_facts_are_told_in_the_old_words() {
    let hub = Hub::new();
    for body in ["{}", r#"{"info_hash":""}"#, r#"{"info_hash":null,"name":"x"}"#] {
        let answer = hub.post("/add_torrent_info").json(body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.json(), json!({"error": "Missing info_hash"}));
    }
    for (body, expected) in [
        (r#"{"info_hash":"abc"}"#, "info_hash `abc` is none: 40 hexadecimal digits, or"),
        (r#"{"info_hash":7}"#, "info_hash `7` is no text"),
        (
            r#"{"info_hash":"00112233445566778899aabbccddeeff01234567","size":-1}"#,
            "size `-1` is not a number of bytes",
        ),
        (r#"{"info_hash":"00112233445566778899aabbccddeeff01234567","size":"x"}"#, "size `\"x\"` is not"),
        ("[1]", "the body is not the JSON that is expected"),
        ("{\"info_hash\"", "the body is not the JSON that is expected"),
    ] {
        let answer = hub.post("/add_torrent_info").json(body).await;
        let detail = answer.problem(400);
        assert!(detail.starts_with(expected), "{body}: {detail}");
        assert_eq!(answer.json()["error"], detail);
    }
}

#[tokio::test]
async fn a_hash_like_one_known_is_taken_for_it_and_like_several_is_refused() {
    let hub = Hub::new();
    let add =
        |hash: &str| hub.post("/add_torrent_info").json(&json!({"info_hash": hash, "name": "n"}).to_string());
    let place = |hash: &str| format!("/api/v1/torrents/{hash}");
    assert_eq!(add(HASH).await.header("content-location"), place(HASH));
    let mangled = "001122334455667f8899aabbcfddeeff01234567";
    assert_eq!(add(mangled).await.header("content-location"), place(HASH));
    let too_different = "001122334455f6778899fabbccddee0f01234567";
    assert_eq!(add(too_different).await.header("content-location"), place(too_different));

    // One that a client announced is known as well.
    let announced = "00112233445566778899aabbccddeeff01f34567";
    hub.announce(announced.parse().unwrap(), 1, 1, Event::Started);
    let between = "001122334455667f8899aabbccddeeff01234567";
    let answer = add(between).await;
    let detail = answer.problem(400);
    assert!(detail.contains("is like 2 known ones: ") && detail.contains(announced), "{detail}");
    assert_eq!(answer.json()["similar"], json!([HASH, announced]));
    assert_eq!(
        add(announced).await.header("content-location"),
        place(announced),
        "an exact match is no question"
    );
}

#[tokio::test]
async fn likeness_is_settable() {
    let hub = Hub::with(|config| {
        config.catalogue.similar_prefix = 0;
        config.catalogue.similar_suffix = 0;
        config.catalogue.similar_threshold = 0.5;
    });
    let add = |hash: &str| hub.post("/add_torrent_info").json(&json!({"info_hash": hash}).to_string());
    add(HASH).await;
    let half = format!("{}{}", &HASH[..24], "0".repeat(16));
    assert_eq!(add(&half).await.header("content-location"), format!("/api/v1/torrents/{HASH}"));
}

#[tokio::test]
async fn stats_are_those_of_the_catalogue_by_hash() {
    let hub = Hub::new();
    let hash = hub.add(&torrent("counted", 9)).await;
    hub.announce(hash, 7, 0, Event::Started);
    hub.announce(hash, 8, 9, Event::Started);
    hub.announce(InfoHash([9; 20]), 8, 9, Event::Started);
    let json = hub.get("/stats").send().await.json();
    let expected = json!({
        "name": "counted", "size": 9, "creation_date": 1_700_000_000,
        "stats": {"complete": 1, "incomplete": 1, "downloaded": 0, "uploaded": 200, "peers": 2},
    });
    assert_eq!(json, json!({ hash.to_string(): expected }));
}

#[tokio::test]
async fn stats_tell_of_all_swarms_where_a_full_scrape_does() {
    let hub = Hub::with(|config| config.tracker.full_scrape = true);
    hub.announce(InfoHash([9; 20]), 8, 9, Event::Started);
    hub.add(&torrent("counted", 9)).await;
    let json = hub.get("/stats").send().await.json();
    assert_eq!(json.as_object().unwrap().len(), 2);
    let bare = &json[InfoHash([9; 20]).to_string()];
    assert_eq!((&bare["name"], &bare["stats"]["incomplete"]), (&json!(null), &json!(1)));
}

#[tokio::test]
async fn stats_come_in_pages() {
    let hub = Hub::new();
    for n in 1..=3 {
        hub.add(&torrent(&format!("t{n}"), n)).await;
    }
    let first = hub.get("/stats?limit=2").send().await;
    assert_eq!(first.json().as_object().unwrap().len(), 2);
    let link = first.header("link").to_owned();
    let target = link
        .strip_prefix("<http://hub.example:6969")
        .and_then(|l| l.strip_suffix(">; rel=\"next\""))
        .unwrap();
    let second = hub.get(target).send().await;
    assert_eq!(second.json().as_object().unwrap().len(), 1);
    assert_eq!(second.header("link"), "");
}

#[tokio::test]
async fn saving_and_stopping_need_the_token() {
    let mut hub = Hub::new();
    for from in ["127.0.0.1:9", "192.0.2.1:9"] {
        hub.get("/save_state").from(from).send().await.problem(401);
        hub.post("/shutdown").from(from).send().await.problem(401);
        hub.get("/save_state").from(from).header("authorization", "Bearer no").send().await.problem(403);
        hub.post("/shutdown").from(from).header("authorization", "Bearer no").send().await.problem(403);
    }
    assert!(hub.shutdowns.try_recv().is_err());
    let answer = hub.post("/shutdown").token().send().await;
    assert_eq!(answer.json(), json!({"message": "Server shutting down..."}));
    assert!(hub.shutdowns.try_recv().is_ok());
    hub.get("/shutdown").token().send().await.problem(405);
}

#[tokio::test]
async fn the_state_is_saved_when_it_says_so() {
    let mut hub = Hub::new();
    let mut saves = std::mem::replace(&mut hub.saves, tokio::sync::mpsc::channel(1).1);
    let saver = async {
        saves.recv().await.unwrap().send(Ok(())).unwrap();
        saves.recv().await.unwrap().send(Err("no space left on device".into())).unwrap();
    };
    let asker = async {
        let answer = hub.get("/save_state").token().send().await;
        assert_eq!(answer.json(), json!({"message": "Tracker state saved"}));
        let answer = hub.get("/save_state").token().send().await;
        assert_eq!(answer.problem(503), "no space left on device");
    };
    tokio::join!(saver, asker);
    drop(saves);
    hub.get("/save_state").token().send().await.problem(503);
}
