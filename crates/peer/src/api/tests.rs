use std::fs;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use wire::metainfo::Metainfo;

use super::*;
use crate::node::Options;

/// How long anything may take here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node that shares one file, its API, and a client of that.
struct World {
    api: Api,
    node: Node,
    torrent: lab::torrent::Torrent,
    token: String,
    fetches: mpsc::Receiver<FetchRequest>,
    removals: mpsc::Receiver<(InfoHash, oneshot::Sender<()>)>,
    shutdowns: mpsc::Receiver<()>,
    client: Client,
    _temp: TempDir,
}

impl World {
    async fn new() -> Self {
        // Fails only if a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let temp = tempfile::tempdir().unwrap();
        let node = Node::start(Options { port: Some(0), ..Options::default() }).unwrap();
        let torrent = lab::torrent::Torrent::new("file", b"content", 16 << 10, "http://127.0.0.1:1/", false);
        let path = temp.path().join("file");
        fs::write(&path, "content").unwrap();
        node.share(Arc::new(Metainfo::decode(&torrent.bytes).unwrap()), path).await.unwrap();
        let token = Token::load_or_create(temp.path()).unwrap();
        let (fetch, fetches) = mpsc::channel(1);
        let (remove, removals) = mpsc::channel(1);
        let (shutdown, shutdowns) = mpsc::channel(1);
        let any = "127.0.0.1:0".parse().unwrap();
        let api = Api::start(any, node.clone(), token, Hooks { fetch, remove, shutdown }).unwrap();
        let token = fs::read_to_string(temp.path().join(token::TOKEN_FILE)).unwrap().trim().to_owned();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { api, node, torrent, token, fetches, removals, shutdowns, client, _temp: temp }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}/api/v1/{path}", self.api.address()))
    }

    async fn send(&self, method: Method, path: &str) -> Response {
        self.request(method, path).bearer_auth(&self.token).send().await.unwrap()
    }

    async fn put(&self, path: &str, body: Value) -> Response {
        self.request(Method::PUT, path).bearer_auth(&self.token).json(&body).send().await.unwrap()
    }

    fn one(&self, rest: &str) -> String {
        format!("torrents/{}{rest}", self.torrent.info_hash)
    }
}

/// Sees that an answer is a problem with this status, and returns its sentence.
async fn refused(response: Response, status: u16) -> String {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!((&problem["type"], &problem["status"]), (&"about:blank".into(), &status.into()));
    problem["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn only_who_shows_the_token_is_answered() {
    let world = World::new().await;
    let health = world.request(Method::GET, "health").send().await.unwrap();
    assert_eq!(health.json::<Value>().await.unwrap()["status"], "ok");
    for (method, path) in [
        (Method::GET, "torrents".to_owned()),
        (Method::POST, "torrents".to_owned()),
        (Method::GET, world.one("")),
        (Method::DELETE, world.one("")),
        (Method::POST, world.one("/pause")),
        (Method::POST, world.one("/resume")),
        (Method::GET, "limits".to_owned()),
        (Method::PUT, "limits".to_owned()),
        (Method::POST, "shutdown".to_owned()),
        (Method::GET, "nothing".to_owned()),
    ] {
        let none = world.request(method.clone(), &path).send().await.unwrap();
        assert_eq!(none.headers()["www-authenticate"], "Bearer", "{method} {path}");
        assert!(refused(none, 401).await.contains("needs the peer's token"));
        let wrong = world.request(method, &path).bearer_auth("guessed").send().await.unwrap();
        assert_eq!(refused(wrong, 403).await, "this is not the peer's token");
    }
    assert!(world.node.status(world.torrent.info_hash.parse().unwrap()).is_some());
}

#[tokio::test]
async fn a_page_that_calls_itself_loopback_is_turned_away() {
    let world = World::new().await;
    let request = world.request(Method::GET, "torrents").bearer_auth(&world.token);
    let response = request.header("Host", "evil.example").send().await.unwrap();
    assert!(refused(response, 421).await.starts_with("the Host of a request must be 127.0.0.1:"));
    let port = world.api.address().port();
    let request = world.request(Method::GET, "torrents").bearer_auth(&world.token);
    assert_eq!(request.header("Host", format!("localhost:{port}")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn torrents_are_listed_paused_resumed_and_removed() {
    let mut world = World::new().await;
    let list: Value = world.send(Method::GET, "torrents").await.json().await.unwrap();
    let one: Value = world.send(Method::GET, &world.one("")).await.json().await.unwrap();
    assert_eq!(list["torrents"], json!([one]));
    let path = one["path"].as_str().unwrap();
    assert!(path.ends_with("/file"), "{path}");
    assert_eq!(
        one,
        json!({
            "info_hash": world.torrent.info_hash, "name": "file", "size": 7, "left": 0, "phase": "whole",
            "reason": null, "path": path, "check": { "done": 7, "total": 7 }, "downloaded": 0, "uploaded": 0, "download_rate": 0,
            "upload_rate": 0, "peers": 0, "seeders": 0, "trackers": [],
        })
    );

    let paused: Value = world.send(Method::POST, &world.one("/pause")).await.json().await.unwrap();
    assert_eq!((&paused["phase"], &paused["reason"]), (&"paused".into(), &"paused".into()));
    assert_eq!(world.send(Method::POST, &world.one("/resume")).await.status(), 200);
    let hash = world.torrent.info_hash.parse().unwrap();
    tokio::time::timeout(PATIENCE, world.node.whole(hash)).await.unwrap().unwrap();

    let request = world.request(Method::DELETE, &world.one("")).bearer_auth(&world.token);
    let removing = tokio::spawn(request.send());
    let (removed, answer) = tokio::time::timeout(PATIENCE, world.removals.recv()).await.unwrap().unwrap();
    assert_eq!(removed, hash);
    assert!(world.node.remove(hash).await && !removing.is_finished());
    answer.send(()).unwrap();
    assert_eq!(removing.await.unwrap().unwrap().status(), 204);
    let gone = refused(world.send(Method::GET, &world.one("")).await, 404).await;
    assert_eq!(gone, format!("the torrent {hash} is not here"));
}

#[tokio::test]
async fn limits_are_told_and_set() {
    let world = World::new().await;
    let limits: Value = world.send(Method::GET, "limits").await.json().await.unwrap();
    assert_eq!(limits, json!({ "upload": null, "download": null }));
    let set: Value = world.put("limits", json!({ "upload": 1000 })).await.json().await.unwrap();
    assert_eq!(set, json!({ "upload": 1000, "download": null }));
    assert_eq!(world.node.limits(), Limits { upload: Some(1000), download: None });
    let refusal = refused(world.put("limits", json!({ "upload": 0 })).await, 400).await;
    assert!(refusal.contains("a number from 1 is expected"), "{refusal}");
    refused(world.put("limits", json!({ "up": 1 })).await, 422).await;
}

#[tokio::test]
async fn what_is_to_be_fetched_is_handed_on() {
    let mut world = World::new().await;
    let hash = world.torrent.info_hash.parse().unwrap();
    let fetch = |world: &World, wish: Wish| {
        let request = world.request(Method::POST, "torrents").bearer_auth(&world.token);
        match wish {
            Wish::Named(what) => request.json(&json!({ "what": what })),
            Wish::Torrent(bytes) => request.header("content-type", "application/x-bittorrent").body(bytes),
        }
    };
    let named = Wish::Named("data set".to_owned());
    let file = Wish::Torrent(vec![7; 1 << 20]);
    for (wish, outcome, status) in [
        (named.clone(), Ok((hash, true)), 201),
        (named.clone(), Ok((hash, false)), 200),
        (named, Err(Problem::not_found("no torrent is named \"data set\"")), 404),
        (file, Ok((hash, true)), 201),
    ] {
        let sending = tokio::spawn(fetch(&world, wish.clone()).send());
        let (wished, answer) = tokio::time::timeout(PATIENCE, world.fetches.recv()).await.unwrap().unwrap();
        assert!(wished == wish);
        answer.send(outcome).unwrap();
        let response = sending.await.unwrap().unwrap();
        if status == 404 {
            assert_eq!(refused(response, 404).await, "no torrent is named \"data set\"");
            continue;
        }
        assert_eq!(response.status(), status);
        let place = format!("/api/v1/torrents/{}", world.torrent.info_hash);
        assert_eq!(response.headers()["location"], place.as_str());
        assert_eq!(response.json::<Value>().await.unwrap()["name"], "file");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_told() {
    let world = World::new().await;
    let post = |kind: &'static str, body: Vec<u8>| {
        let request = world.request(Method::POST, "torrents").bearer_auth(&world.token);
        async move { request.header("content-type", kind).body(body).send().await.unwrap() }
    };
    let refusal = refused(post("text/plain", b"x".to_vec()).await, 415).await;
    assert!(refusal.starts_with("the Content-Type is `text/plain`"), "{refusal}");
    let refusal = refused(post("application/json", b"{\"name\":1}".to_vec()).await, 400).await;
    assert!(refusal.contains("unknown field `name`"), "{refusal}");
    let long = vec![b' '; BODY_BYTES_MAX + 1];
    assert!(refused(post("application/json", long).await, 413).await.contains("more than 65536 bytes"));
    let refusal = refused(world.send(Method::GET, "torrents/xyz").await, 400).await;
    assert_eq!(refusal, "`xyz` is not an info hash: 40 hexadecimal digits are expected");
    let refusal = refused(world.send(Method::GET, "nothing").await, 404).await;
    assert_eq!(refusal, "there is nothing at `/api/v1/nothing`");
    let response = world.send(Method::DELETE, "limits").await;
    assert_eq!(response.headers()["allow"], "GET,HEAD,PUT");
    refused(response, 405).await;
}

#[tokio::test]
async fn somebody_may_ask_it_to_stop_more_than_once() {
    let mut world = World::new().await;
    for _ in 0..3 {
        assert_eq!(world.send(Method::POST, "shutdown").await.status(), 202);
    }
    tokio::time::timeout(PATIENCE, world.shutdowns.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn other_machines_are_not_served() {
    let world = World::new().await;
    let error = listener::Listener::bind("0.0.0.0:0".parse().unwrap()).err().unwrap();
    assert!(error.to_string().contains("not loopback's"), "{error}");
    assert!(listener::Listener::bind(world.api.address()).is_err(), "it is taken");
}
