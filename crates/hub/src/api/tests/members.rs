//! A hub for members: who gets in, what each may do, and how that is administered.

use axum::http::Method;
use serde_json::{Value, json};
use swarm::Event;
use wire::metainfo::Metainfo;

use super::hub::{Answer, Call, HOST, Hub, torrent};
use crate::config::{Mode, Publish};

/// A hub for members.
fn private() -> Hub {
    Hub::with(|config| config.mode = Mode::Members)
}

/// A private torrent's facts.
const FACTS: &str = r#"{"info_hash":"0101010101010101010101010101010101010101","name":"one","private":true}"#;
const HASH: &str = "0101010101010101010101010101010101010101";

impl Hub {
    /// Makes a member, and tells its passkey.
    async fn member(&self, body: &str) -> String {
        let answer = self.post("/api/v1/users").token().json(body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["passkey"].as_str().unwrap().to_owned()
    }

    async fn user(&self, name: &str) -> Answer {
        self.get(&format!("/api/v1/users/{name}")).token().send().await
    }
}

impl Call<'_> {
    fn showing(self, secret: &str) -> Self {
        self.header("authorization", &format!("Bearer {secret}"))
    }
}

fn passkey_of(answer: &Answer) -> String {
    answer.json()["passkey"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_member_is_made_shown_changed_and_removed() {
    let hub = private();
    let made = hub.post("/api/v1/users").token().json(r#"{"name":"Ann","role":"uploader"}"#).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/api/v1/users/Ann"));
    let passkey = passkey_of(&made);
    assert!(passkey.len() == 32 && passkey.bytes().all(|byte| byte.is_ascii_hexdigit()), "{passkey}");
    let announce = [format!("http://{HOST}/{passkey}/announce"), format!("udp://{HOST}/{passkey}/announce")];
    assert_eq!(made.json()["announce"], json!(announce));

    let shown = hub.user("ANN").await;
    assert_eq!((shown.status.as_u16(), shown.header("etag")), (200, "\"1\""));
    let mut expected = json!({
        "name": "Ann", "role": "uploader", "state": "active", "disabled": false, "until": null, "has_passkey": true,
        "torrents_max": null, "clients_per_torrent_max": null, "addresses_max": null, "invited_by": null, "version": 1,
    });
    expected["created_at"] = shown.json()["created_at"].clone();
    assert_eq!(shown.json(), expected);

    let change = |body: &str, version: &str| {
        hub.call(Method::PATCH, "/api/v1/users/ann").token().header("if-match", version).json(body)
    };
    let changed = change(r#"{"disabled":true,"until":5}"#, "\"1\"").await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"2\""));
    assert_eq!((&changed.json()["state"], &changed.json()["until"]), (&json!("disabled"), &json!(5)));
    // Somebody else has seen what was before.
    assert!(change(r#"{"disabled":false}"#, "\"1\"").await.problem(412).contains("version 2 now"));
    for method in [Method::POST, Method::DELETE] {
        let call = hub.call(method, "/api/v1/users/ann/passkey").token().header("if-match", "\"1\"");
        assert!(call.send().await.problem(412).contains("version 2 now"));
    }
    let over = change(r#"{"disabled":false}"#, "\"2\"").await;
    assert_eq!((&over.json()["state"], &over.json()["until"]), (&json!("over"), &json!(5)));
    assert_eq!(change(r#"{"until":null}"#, "*").await.json()["state"], "active");

    let other = passkey_of(&hub.post("/api/v1/users/ann/passkey").token().send().await);
    assert_ne!(other, passkey);
    let revoke = hub.call(Method::DELETE, "/api/v1/users/ann/passkey").token().send().await;
    assert_eq!(revoke.json()["has_passkey"], false);
    let remove = || hub.call(Method::DELETE, "/api/v1/users/ann").token();
    assert_eq!(remove().header("if-match", "\"1\"").send().await.status, 412);
    assert_eq!(remove().send().await.status, 204);
    assert!(remove().send().await.problem(404).contains("no user `ann`"));

    let acts = hub.get("/api/v1/audit").token().send().await.json();
    let acts: Vec<&str> =
        acts["acts"].as_array().unwrap().iter().map(|act| act["act"].as_str().unwrap()).collect();
    let expected = [
        "user.remove",
        "passkey.revoke",
        "passkey.rotate",
        "user.change",
        "user.change",
        "user.change",
        "user.add",
    ];
    assert_eq!(acts, expected);
}

#[tokio::test]
async fn what_makes_no_sense_is_told_with_its_field() {
    let hub = private();
    hub.member(r#"{"name":"ann"}"#).await;
    for (body, status, told) in [
        ("{", 400, "not JSON"),
        ("[]", 422, "the body"),
        ("{}", 422, "missing field `name`"),
        (r#"{"name":5}"#, 422, "`name`: invalid type"),
        (r#"{"name":"a b"}"#, 422, "a name has 1 to 32 letters"),
        (r#"{"name":"bob","role":"king"}"#, 422, "`role`: unknown variant `king`"),
        (r#"{"name":"bob","until":"tomorrow"}"#, 422, "`until`: invalid type"),
        (r#"{"name":"bob","nick":"b"}"#, 422, "unknown field `nick`"),
        (r#"{"name":"ANN"}"#, 409, "the name `ANN` is taken"),
    ] {
        let answer = hub.post("/api/v1/users").token().json(body).await;
        assert!(answer.problem(status).contains(told), "{body}: {}", answer.text());
    }
    let patch = |body: &str| hub.call(Method::PATCH, "/api/v1/users/ann").token().json(body);
    assert!(patch("{}").await.problem(422).contains("nothing is to be changed"));
    assert!(patch(r#"{"disabled":"yes"}"#).await.problem(422).starts_with("`disabled`"));
    let uses = hub.post("/api/v1/invites").token().json(r#"{"uses":0}"#).await;
    assert_eq!(
        (uses.problem(422).as_str(), &uses.json()["field"]),
        ("`uses`: 0 is not from 1 to 10000", &json!("uses"))
    );
    assert!(hub.get("/api/v1/users?cursor=-1").token().send().await.problem(400).contains("cursor `-1`"));
}

#[tokio::test]
async fn strangers_see_nothing_of_a_hub_for_members() {
    let hub = private();
    let passkey = hub.member(r#"{"name":"ann"}"#).await;
    assert_eq!(hub.post("/api/v1/torrents").token().json(FACTS).await.status, 201);
    for target in ["/api/v1/torrents", "/", "/stats", &format!("/t/{HASH}.torrent"), "/api/v1/stats", "/none"]
    {
        let refused = hub.get(target).send().await;
        assert!(refused.problem(401).contains("for members"), "{target}");
        assert!(
            hub.get(target).showing("wrong").send().await.problem(403).contains("nor another secret"),
            "{target}"
        );
    }
    for target in ["/health", "/ready", "/style.css", "/sign-in"] {
        assert_eq!(hub.get(target).send().await.status, 200, "{target}");
    }
    // A member sees links of its own.
    let seen = hub.get("/api/v1/torrents").showing(&passkey).send().await;
    let magnet = seen.json()["torrents"][0]["magnet"].as_str().unwrap().to_owned();
    assert!(magnet.contains(&format!("%2F{passkey}%2Fannounce")), "{magnet}");
    let same = hub.get(&format!("/api/v1/torrents?passkey={passkey}")).send().await;
    assert_eq!(same.text(), seen.text());
    // The admin's have nobody's.
    let admins = hub.get("/api/v1/torrents").token().send().await;
    assert!(admins.text().contains("%2Fannounce&"), "{}", admins.text());
    // A passkey opens nothing that is not for members.
    for target in ["/api/v1/users", "/api/v1/audit", "/metrics", "/api/v1/tokens"] {
        assert_eq!(hub.get(target).showing(&passkey).send().await.status, 401, "{target}");
    }
    hub.call(Method::PATCH, "/api/v1/users/ann").token().json(r#"{"disabled":true}"#).await;
    assert!(hub.get("/").showing(&passkey).send().await.problem(403).contains("disabled or over"));
}

#[tokio::test]
async fn a_browser_signs_in_once() {
    let hub = private();
    let passkey = hub.member(r#"{"name":"ann"}"#).await;
    let page = hub.get("/?query=a%20b").browser().send().await;
    assert_eq!(page.status, 401);
    let html = page.text();
    assert!(html.contains("Members only") && html.contains(r#"value="/?query=a%20b""#), "{html}");

    let form = "application/x-www-form-urlencoded";
    let sign_in = |body: String| hub.post("/sign-in").browser().header("content-type", form).body(body);
    let wrong = sign_in("passkey=wrong&to=%2F".to_owned()).await;
    assert!(wrong.status == 403 && wrong.header("set-cookie").is_empty());
    let signed = sign_in(format!("passkey={passkey}&to=%2F%3Fquery%3Da")).await;
    assert_eq!((signed.status.as_u16(), signed.header("location")), (303, "/?query=a"));
    let cookie = signed.header("set-cookie").to_owned();
    assert!(cookie.starts_with(&format!("skep-passkey={passkey}; ")), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(hub.get("/").browser().header("cookie", pair).send().await.status, 200);
    assert_eq!(hub.get("/").browser().header("cookie", "skep-passkey=old").send().await.status, 401);
    // Not to another site.
    let elsewhere = sign_in(format!("passkey={passkey}&to=%2F%2Fevil.example")).await;
    assert_eq!(elsewhere.header("location"), "/");
    let out = hub.post("/sign-out").browser().header("cookie", pair).send().await;
    assert!(out.header("set-cookie").starts_with("skep-passkey=; Path=/; Max-Age=0"));
}

#[tokio::test]
async fn people_join_by_invitation_so_often_a_minute() {
    let hub = private();
    let invite = hub.post("/api/v1/invites").token().json(r#"{"note":"the lab","uses":1}"#).await;
    assert_eq!(invite.status, 201);
    let code = invite.json()["code"].as_str().unwrap().to_owned();
    let listed = hub.get("/api/v1/invites").token().send().await.json();
    assert_eq!(
        (&listed["invites"][0]["note"], &listed["invites"][0]["code"]),
        (&json!("the lab"), &Value::Null)
    );

    let join = |name: &str, code: &str| {
        hub.post("/api/v1/join").json(&json!({"name": name, "code": code}).to_string())
    };
    assert!(join("ann", "made-up").await.problem(403).contains("not known, used up or over"));
    let joined = join("ann", &code).await;
    assert_eq!((joined.status.as_u16(), &joined.json()["invited_by"]), (201, &json!("admin-token")));
    assert_eq!(hub.get("/api/v1/torrents").showing(&passkey_of(&joined)).send().await.status, 200);
    assert_eq!(join("bob", &code).await.status, 403);
    for _ in 0..7 {
        join("bob", "made-up").await;
    }
    let limited = join("bob", "made-up").await;
    assert!(limited.problem(429).contains("too many tries"));
    assert_eq!(hub.call(Method::DELETE, "/api/v1/invites/1").token().send().await.status, 204);
    let open = Hub::new();
    assert_eq!(open.post("/api/v1/join").json(r#"{"name":"a","code":"b"}"#).await.status, 404);
}

#[tokio::test]
async fn a_token_opens_what_its_scope_says() {
    let hub = Hub::new();
    let mut secrets = Vec::new();
    for scope in ["read", "torrents", "users", "admin"] {
        let body = json!({"name": format!("{scope}-er"), "scope": scope}).to_string();
        let made = hub.post("/api/v1/tokens").token().json(&body).await;
        assert_eq!(made.status, 201);
        secrets.push(made.json()["token"].as_str().unwrap().to_owned());
    }
    let again = hub.post("/api/v1/tokens").token().json(r#"{"name":"read-er","scope":"admin"}"#).await;
    assert!(again.problem(409).contains("`read-er` is taken"));
    assert_eq!(hub.post("/api/v1/torrents").json(FACTS).await.status, 201);
    let statuses = async |method: &Method, target: &str| {
        let mut statuses = Vec::new();
        for secret in &secrets {
            statuses.push(hub.call(method.clone(), target).showing(secret).send().await.status.as_u16());
        }
        statuses
    };
    assert_eq!(statuses(&Method::GET, "/metrics").await, [200; 4]);
    assert_eq!(statuses(&Method::GET, "/api/v1/users").await, [200; 4]);
    assert_eq!(statuses(&Method::GET, "/api/v1/audit").await, [403, 403, 403, 200]);
    assert_eq!(statuses(&Method::GET, "/api/v1/tokens").await, [403, 403, 403, 200]);
    let torrent = format!("/api/v1/torrents/{HASH}");
    assert_eq!(statuses(&Method::DELETE, &torrent).await, [403, 204, 403, 404]);
    // 422: it may, and says nothing.
    let users =
        async |secret: &str| hub.post("/api/v1/users").showing(secret).json("{}").await.status.as_u16();
    assert_eq!((users(&secrets[1]).await, users(&secrets[2]).await), (403, 422));
    let acts = hub.get("/api/v1/audit?limit=1").token().send().await.json();
    let act = &acts["acts"][0];
    assert_eq!(
        (&act["who"], &act["act"], &act["object"]),
        (&json!("torrents-er"), &json!("torrent.remove"), &json!(HASH),)
    );
    assert_eq!(hub.call(Method::DELETE, "/api/v1/tokens/read-er").token().send().await.status, 204);
    assert_eq!(hub.get("/metrics").showing(&secrets[0]).send().await.status, 403);
}

#[tokio::test]
async fn who_adds_torrents_is_a_member_or_an_uploader() {
    for (publish, statuses) in [
        (Publish::Anyone, [401, 201, 200]),
        (Publish::Uploaders, [401, 403, 201]),
        (Publish::Token, [401, 401, 401]),
    ] {
        let hub = Hub::with(|config| {
            config.mode = Mode::Members;
            config.publish = publish;
        });
        let member = hub.member(r#"{"name":"ann"}"#).await;
        let uploader = hub.member(r#"{"name":"bob","role":"uploader"}"#).await;
        let stranger = hub.post("/api/v1/torrents").json(FACTS).await.status.as_u16();
        let as_member = hub.post("/api/v1/torrents").showing(&member).json(FACTS).await.status.as_u16();
        let as_uploader = hub.post("/api/v1/torrents").showing(&uploader).json(FACTS).await.status.as_u16();
        assert_eq!([stranger, as_member, as_uploader], statuses, "{publish:?}");
        let public = FACTS.replace("true", "false");
        let refused = hub.post("/api/v1/torrents").token().json(&public).await;
        assert!(refused.problem(422).contains("not private (BEP 27)"));
    }
}

#[tokio::test]
async fn pages_of_members_are_walked() {
    let hub = private();
    for n in 0..5 {
        hub.member(&json!({"name": format!("user{n}")}).to_string()).await;
    }
    let mut names = Vec::new();
    let mut target = "/api/v1/users?limit=2".to_owned();
    loop {
        let page = hub.get(&target).token().send().await.json();
        names.extend(
            page["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/api/v1/users?limit=2&cursor={next}");
    }
    assert_eq!(names, ["user0", "user1", "user2", "user3", "user4"]);
    let newest = hub.get("/api/v1/audit?limit=2").token().send().await.json();
    assert_eq!(newest["acts"][0]["object"], "user4");
    let next = newest["next"].as_str().unwrap();
    let older = hub.get(&format!("/api/v1/audit?limit=9&cursor={next}")).token().send().await.json();
    assert_eq!((older["acts"].as_array().unwrap().len(), &older["next"]), (3, &Value::Null));
}

#[tokio::test]
async fn a_member_of_a_swarm_is_shown_to_tokens_alone() {
    let hub = private();
    let passkey = hub.member(r#"{"name":"ann"}"#).await;
    hub.post("/api/v1/torrents").token().json(FACTS).await;
    hub.announce_as(&passkey, HASH.parse().unwrap(), 7, 0, Event::Started);
    let target = format!("/api/v1/torrents/{HASH}");
    let to_member = hub.get(&target).showing(&passkey).send().await.json();
    assert_eq!((&to_member["seeders"], &to_member["peers"]), (&json!(1), &Value::Null));
    assert_eq!(hub.get(&target).token().send().await.json()["peers"][0]["ip"], "192.0.2.7");
}

/// A client that hangs up while its request is under way: the request is dropped wherever it is.
#[tokio::test]
async fn what_the_catalogue_has_may_be_announced_though_nobody_waited() {
    let hub = Hub::with(|config| config.mode = Mode::Listed);
    for (times, is_addition) in (1..8).flat_map(|times| [(times, true), (times, false)]) {
        let bytes = torrent(&format!("{times} {is_addition}"), 9);
        let hash = Metainfo::decode(&bytes).unwrap().info_hash();
        let path = format!("/api/v1/torrents/{hash}");
        let add = || {
            let call = hub.post("/api/v1/torrents").header("content-type", "application/x-bittorrent");
            call.token().body(bytes.clone())
        };
        if is_addition {
            polled(add(), times).await;
        } else {
            assert_eq!(add().await.status, 201);
            polled(hub.call(Method::DELETE, &path).token().send(), times).await;
        }
        let is_pinned = || {
            let mut pinned = false;
            hub.tracker.for_each_swarm(|swarm| pinned |= swarm.hash() == hash && swarm.pinned());
            pinned
        };
        // Both come to the same, if perhaps a moment later.
        let agreed = async {
            while (hub.get(&path).send().await.status == 200) != is_pinned() {
                tokio::task::yield_now().await;
            }
        };
        let agreed = tokio::time::timeout(std::time::Duration::from_secs(20), agreed).await;
        assert!(agreed.is_ok(), "not after {times} polls, of an addition: {is_addition}");
    }
    let acts = hub.get("/api/v1/audit").token().send().await.json();
    let acts: Vec<&str> =
        acts["acts"].as_array().unwrap().iter().map(|act| act["act"].as_str().unwrap()).collect();
    assert!(acts.contains(&"torrent.add") && acts.contains(&"torrent.remove"), "{acts:?}");
}

/// What comes of `future` if it is let go after it was polled so often.
async fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let (mut future, mut left) = (std::pin::pin!(future), times);
    std::future::poll_fn(|cx| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

#[tokio::test]
async fn that_credit_cannot_be_written_is_said_wherever_people_look() {
    const NOTICE: &str = "What you share is not being credited at the moment";
    let hub = private();
    let passkey = hub.member(r#"{"name":"ann"}"#).await;
    hub.post("/api/v1/torrents").token().json(FACTS).await;
    let page = || hub.get("/").showing(&passkey).browser().send();
    assert!(!page().await.text().contains(NOTICE));
    let accounts = rusqlite::Connection::open(hub.dir.path().join("accounts.db")).unwrap();
    accounts.execute_batch("DROP TABLE sessions").unwrap();
    hub.announce_as(&passkey, HASH.parse().unwrap(), 7, 5, Event::Started);
    // It waits for what was announced to be written, and so for its failing.
    hub.get("/api/v1/account").showing(&passkey).send().await.problem(503);
    assert!(page().await.text().contains(NOTICE));
    let health = hub.get("/health").send().await.json();
    assert_eq!((&health["status"], &health["accounting"]["ok"]), (&"degraded".into(), &false.into()));
}

#[tokio::test]
async fn a_member_has_limits_of_its_own() {
    let hub = private();
    hub.member(r#"{"name":"ann"}"#).await;
    let change = |body: &str| hub.call(Method::PATCH, "/api/v1/users/ann").token().json(body);
    let changed = change(r#"{"torrents_max":5,"addresses_max":2}"#).await.json();
    assert_eq!([&changed["torrents_max"], &changed["addresses_max"]], [&json!(5), &json!(2)]);
    let changed = change(r#"{"torrents_max":null}"#).await.json();
    assert_eq!([&changed["torrents_max"], &changed["addresses_max"]], [&json!(null), &json!(2)]);
    for (body, told) in [
        (r#"{"torrents_max":0}"#, "`torrents_max`: 0 is not from 1 to 10000"),
        (r#"{"addresses_max":10001}"#, "`addresses_max`: 10001 is not from 1 to 10000"),
        ("{}", "nothing is to be changed"),
    ] {
        assert!(change(body).await.problem(422).starts_with(told), "{body}");
    }
}

#[tokio::test]
async fn a_member_sees_its_account_in_a_browser() {
    let hub = private();
    let passkey = hub.member(r#"{"name":"ann"}"#).await;
    assert_eq!(hub.post("/api/v1/torrents").token().json(FACTS).await.status, 201);
    let page = async |target: &str| {
        let call = hub.get(target).browser().header("cookie", &format!("skep-passkey={passkey}"));
        call.send().await.text()
    };
    assert!(page("/").await.contains("<a href=\"/account\">Your account</a>"));
    let link = format!("<a href=\"/torrents/{HASH}\">one</a>");
    let empty = page("/account").await;
    assert!(empty.contains("Nothing of what you have announced is credited so far."), "{empty}");
    hub.announce_as(&passkey, HASH.parse().unwrap(), 7, 5, Event::Started);
    let full = page("/account").await;
    for expected in ["<strong>100 B</strong> shared", "ratio <strong>–</strong>", &link] {
        assert!(full.contains(expected), "{expected}: {full}");
    }
    let admin = hub.get("/account").browser().token().send().await;
    assert_eq!(admin.status, 404);
}
