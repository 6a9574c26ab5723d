use axum::http::Method;
use serde_json::json;
use swarm::Event;

use super::hub::{Hub, torrent};
use crate::catalogue::now_unix;

#[tokio::test]
async fn the_numbers_of_the_hub_are_for_everybody() {
    let hub = Hub::new();
    let hash = hub.add(&torrent("x", 9)).await;
    hub.announce(hash, 7, 0, Event::Started);
    hub.announce(hash, 8, 9, Event::Started);
    let json = hub.get("/api/v1/stats").send().await.json();
    for (name, number) in [("swarms", 1), ("peers", 2), ("peers_ipv4", 2), ("seeders", 1), ("leechers", 1)] {
        assert_eq!(json[name], number, "{name}");
    }
}

#[tokio::test]
async fn metrics_are_for_the_token() {
    let hub = Hub::new();
    hub.get("/metrics").from("127.0.0.1:9").send().await.problem(401);
    let hash = hub.add(&torrent("x", 9)).await;
    hub.announce(hash, 7, 0, Event::Started);
    let answer = hub.get("/metrics").token().send().await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text();
    assert!(text.contains("\nskep_peers{family=\"ipv4\"} 1\nskep_peers{family=\"ipv6\"} 0\n"), "{text}");
    let mut typed = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("# HELP ")) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(matches!(kind, "counter" | "gauge") && !typed.contains(&name), "{line}");
            typed.push(name);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<u64>().is_ok(), "{line}");
            assert_eq!(Some(&series.split('{').next().unwrap()), typed.last(), "{line}");
        }
    }
}

#[tokio::test]
async fn health_is_always_told_and_readiness_when_it_is_so() {
    let hub = Hub::new();
    let health = hub.get("/health").send().await;
    assert_eq!(health.status, 200);
    assert_eq!((&health.json()["status"], &health.json()["store"]), (&"ok".into(), &json!({"ok": true})));
    assert_eq!(hub.get("/ready").send().await.json(), json!({"ready": true}));
    hub.ready.send(false).unwrap();
    let answer = hub.get("/ready").send().await;
    assert_eq!(answer.problem(503), "the hub is starting or stopping");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(hub.get("/health").send().await.status, 200);
}

#[tokio::test]
async fn an_old_state_is_imported_and_twice_is_once() {
    let hub = Hub::new();
    let now = now_unix();
    let state = json!({"torrents": {
        "%00%01%7F%80%FFabcdefghijklmno": {
            "info": {"name": "old", "size": 12, "piece_length": 16384, "creation_date": 1.5},
            "peers_info": [
                {"peer_id": "-SK0100-abcdefghijkl", "ip": "192.0.2.7", "port": 6881, "last_seen": now as f64 - 10.5,
                 "uploaded": 1, "downloaded": 2, "left": 0, "is_seeder": true},
                {"peer_id": "x", "ip": "192.0.2.8", "port": 6881, "last_seen": 1.0, "left": 5},
                {"peer_id": "x", "ip": "nowhere", "port": 6881, "last_seen": now},
            ],
            "stats": {"downloaded": 3},
        },
        "no hash": {"info": {}},
    }});
    hub.post("/api/v1/import").json(&state.to_string()).await.problem(401);
    for _ in 0..2 {
        let answer = hub.post("/api/v1/import").token().json(&state.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let json = answer.json();
        assert_eq!((&json["torrents"], &json["peers"]), (&1.into(), &1.into()));
        assert_eq!(json["skipped"].as_array().unwrap().len(), 2, "{json}");
        let list = hub.get("/api/v1/torrents").send().await.json();
        let torrent = &list["torrents"][0];
        assert_eq!([&torrent["completed"], &torrent["seeders"], &torrent["leechers"]], [&3, &1, &0]);
        assert_eq!(torrent["name"], "old");
    }
}

#[tokio::test]
async fn what_is_no_old_state_is_quoted() {
    let hub = Hub::new();
    for body in ["{", "[]", r#"{"torrents":7}"#, "{}"] {
        let detail = hub.post("/api/v1/import").token().json(body).await.problem(400);
        assert!(detail.starts_with("this is no state file of the old tracker: "), "{body}: {detail}");
    }
}

#[tokio::test]
async fn access_lists_hold_for_the_api_and_the_catalogue() {
    let dir = tempfile::tempdir().unwrap();
    let [networks, torrents] = ["networks", "torrents"].map(|name| dir.path().join(name));
    std::fs::write(&networks, "192.0.2.0/24\n").unwrap();
    std::fs::write(&torrents, "").unwrap();
    let hub = Hub::with(|config| {
        config.access.api_allowed = Some(networks.clone());
        config.access.torrents_denied = Some(torrents.clone());
    });
    let elsewhere = hub.get("/health").from("203.0.113.1:9").send().await;
    assert_eq!(elsewhere.problem(403), "this hub's pages and API are not for your network");
    assert_eq!(hub.get("/health").send().await.status, 200);
    let hash = hub.add(&torrent("x", 9)).await;
    std::fs::write(&torrents, format!("{hash} # somebody's right\n")).unwrap();
    hub.access.reload().unwrap();
    let again = hub.post("/api/v1/torrents").header("content-type", "application/x-bittorrent").token();
    let told = again.body(torrent("x", 9)).await.problem(403);
    assert_eq!(told, "this torrent may not be added here; ask those who run this hub");
}

#[tokio::test]
async fn the_process_is_asked_by_who_administers() {
    let mut hub = Hub::new();
    for path in ["/api/v1/reload", "/api/v1/save", "/api/v1/shutdown"] {
        hub.post(path).send().await.problem(401);
    }
    assert!(hub.reloads.try_recv().is_err() && hub.saves.try_recv().is_err());
    let mut reloads = std::mem::replace(&mut hub.reloads, tokio::sync::mpsc::channel(1).1);
    let process = tokio::spawn(async move {
        reloads.recv().await.unwrap().send(Ok(())).unwrap();
        reloads.recv().await.unwrap().send(Err("the access lists stay as they were: x".into())).unwrap();
    });
    assert_eq!(hub.post("/api/v1/reload").token().send().await.status, 204);
    let told = hub.post("/api/v1/reload").token().send().await.problem(422);
    assert_eq!(told, "the access lists stay as they were: x");
    process.await.unwrap();
    let told = hub.post("/api/v1/reload").token().send().await.problem(503);
    assert_eq!(told, "the hub is stopping, and saves its state anyway");
    assert_eq!(hub.post("/api/v1/shutdown").token().send().await.status, 204);
    assert!(hub.shutdowns.try_recv().is_ok());
    let log = hub.get("/api/v1/audit").token().send().await.json();
    let acts: Vec<&str> =
        log["acts"].as_array().unwrap().iter().map(|act| act["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["shutdown", "reload"], "what was refused is not recorded");
}

#[tokio::test]
async fn access_rules_come_and_go_over_the_api() {
    let hub = Hub::new();
    let ban = json!({"list": "banned", "entry": "203.0.113.7/24", "until": now_unix() + 60, "note": "flood"});
    hub.post("/api/v1/access").json(&ban.to_string()).await.problem(401);
    let made = hub.post("/api/v1/access").token().json(&ban.to_string()).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/api/v1/access/1"));
    let rule = made.json();
    assert_eq!((&rule["entry"], &rule["created_by"]), (&"203.0.113.0/24".into(), &"admin-token".into()));
    assert_eq!(hub.post("/api/v1/access").token().json(&ban.to_string()).await.status, 200);
    let told = hub.get("/health").from("203.0.113.1:9").send().await.problem(403);
    assert_eq!(told, "this hub's pages and API are not for your network");

    let rule = json!({"list": "clients_denied", "entry": "-XL"});
    assert_eq!(hub.post("/api/v1/access").token().json(&rule.to_string()).await.status, 201);
    let page = async |query: &str| {
        let page = hub.get(&format!("/api/v1/access?{query}")).token().send().await.json();
        let entries: Vec<String> = page["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["entry"].as_str().unwrap().to_owned())
            .collect();
        (entries, page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(page("").await, (vec!["203.0.113.0/24".into(), "-XL".into()], None));
    assert_eq!(page("limit=1").await, (vec!["203.0.113.0/24".into()], Some("1".into())));
    assert_eq!(page("limit=1&cursor=1").await, (vec!["-XL".into()], None));
    assert_eq!(page("list=banned&entry=203.0.113.99/24").await.0, ["203.0.113.0/24"]);
    assert_eq!(page("list=banned&entry=203.0.113.9").await.0, Vec::<String>::new());
    hub.get("/api/v1/access?entry=-XL").token().send().await.problem(400);
    let told = hub.get("/api/v1/access?list=bnned").token().send().await.problem(400);
    assert!(told.starts_with("there is no list `bnned`: `torrents_allowed`, "), "{told}");

    assert_eq!(hub.get("/api/v1/access/1").token().send().await.json()["note"], "flood");
    assert_eq!(hub.call(Method::DELETE, "/api/v1/access/1").token().send().await.status, 204);
    hub.call(Method::DELETE, "/api/v1/access/1").token().send().await.problem(404);
    hub.get("/api/v1/access/1").token().send().await.problem(404);
    assert_eq!(hub.get("/health").from("203.0.113.1:9").send().await.status, 200);
}

#[tokio::test]
async fn what_is_no_access_rule_is_told_with_its_field() {
    let hub = Hub::new();
    for (body, status, field, words) in [
        (
            json!({"list": "bans", "entry": "::1"}),
            422,
            "list",
            "unknown variant `bans`, expected one of `torrents_allowed`",
        ),
        (json!({"list": "banned", "entry": "x"}), 422, "entry", "`x` is not an address or a network"),
        (json!({"list": "banned", "entry": "::1", "until": 5}), 422, "until", "`until` is over"),
        (json!({"list": "banned", "entry": "192.0.2.0/24"}), 409, "", "would be shut out of the API"),
    ] {
        let answer = hub.post("/api/v1/access").token().json(&body.to_string()).await;
        let told = answer.problem(status);
        assert!(told.contains(words), "{told}");
        assert_eq!(answer.json()["field"].as_str().unwrap_or_default(), field);
    }
}
