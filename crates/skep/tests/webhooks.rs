//! What happens at a hub is told to a program that listens for it, signed, and again where that fails.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may unwrap: its panic is its report")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use lab::http::Request;
use lab::hub::{ADMIN_TOKEN, Hub, Setup};
use serde_json::{Value, json};

/// How long anything may take here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a receiver was sent.
#[derive(Debug)]
struct Got {
    headers: Vec<(String, String)>,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

struct Receiver(TcpListener);

impl Receiver {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// Takes the next message, and answers with a status.
    fn take(&self, status: &str) -> Got {
        let (stream, _) = self.0.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let got = read(&stream);
        write!(&stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        got
    }
}

fn read(stream: &TcpStream) -> Got {
    let mut reader = BufReader::new(stream);
    let mut lines = reader.by_ref().lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "POST /hook?key=secret HTTP/1.1");
    let headers: Vec<(String, String)> = lines
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    let mut got = Got { headers, body: String::new() };
    let length = got.header("content-length").parse().unwrap();
    reader.take(length).read_to_string(&mut got.body).unwrap();
    got
}

fn post(hub: &Hub, path: &str, body: &Value) {
    let request = Request::new("POST", &format!("/api/v1/{path}")).bearer(ADMIN_TOKEN).json(body);
    assert_eq!(hub.send(&request).status, 201, "{path}");
}

fn announce(hub: &Hub, passkey: &str, event: &str, left: u32) {
    let hash = "%01".repeat(20);
    let query = format!(
        "info_hash={hash}&peer_id=-SK0100-abcdefghijkl&port=6881&uploaded=0&downloaded=0&left={left}&event={event}"
    );
    let answer = hub.get(&format!("/announce/{passkey}?{query}"));
    assert!(!String::from_utf8_lossy(&answer.body).contains("failure"), "{:?}", answer.body);
}

#[test]
fn events_are_told_in_order_signed_and_again() {
    let receiver = Receiver::new();
    let state = tempfile::tempdir().unwrap();
    let url = format!("http://{}/hook?key=secret", receiver.0.local_addr().unwrap());
    let config = format!("mode = \"members\"\n[webhooks]\nurls = [\"{url}\"]\n");
    let hub = Setup::new(env!("CARGO_BIN_EXE_skep")).config(&config).start(state.path());

    let request = Request::new("POST", "/api/v1/users").bearer(ADMIN_TOKEN).json(&json!({"name": "ann"}));
    let made: Value = serde_json::from_slice(&hub.send(&request).body).unwrap();
    let got = receiver.take("204 No Content");
    assert_eq!((&got.json()["type"], &got.json()["data"]["name"]), (&"user.created".into(), &"ann".into()));
    assert!(got.header("webhook-id").starts_with("msg_"), "{got:?}");
    assert!(got.header("webhook-timestamp").parse::<u64>().unwrap() > 1_700_000_000);
    assert!(got.header("webhook-signature").starts_with("v1,"), "{got:?}");
    let secret = std::fs::read_to_string(state.path().join("webhook-secret")).unwrap();
    assert!(secret.starts_with("whsec_"), "{secret}");

    post(&hub, "torrents", &json!({"info_hash": "01".repeat(20), "name": "one", "private": true}));
    let first = receiver.take("500 Internal Server Error");
    assert_eq!(first.json()["type"], "torrent.added");
    let again = receiver.take("200 OK");
    assert_eq!((again.header("webhook-id"), &again.body), (first.header("webhook-id"), &first.body));

    let passkey = made["passkey"].as_str().unwrap();
    announce(&hub, passkey, "started", 9);
    for _ in 0..2 {
        announce(&hub, passkey, "completed", 0);
    }
    let got = receiver.take("200 OK");
    let data = json!({"info_hash": "01".repeat(20), "name": "one", "size": null});
    assert_eq!((&got.json()["type"], &got.json()["data"]), (&"torrent.completed".into(), &data));
    // The second completed download is no news.
    post(&hub, "users", &json!({"name": "bob"}));
    assert_eq!(receiver.take("200 OK").json()["data"]["name"], "bob");
    let metrics = hub.send(&Request::new("GET", "/metrics").bearer(ADMIN_TOKEN));
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(metrics.contains("\nskep_webhooks_total{outcome=\"dropped\"} 0\n"), "{metrics}");

    // What the receiver has not had when the hub stops is tried once more.
    post(&hub, "users", &json!({"name": "cat"}));
    receiver.take("503 Service Unavailable");
    let last = std::thread::spawn(move || receiver.take("200 OK"));
    hub.stop();
    assert_eq!(last.join().unwrap().json()["data"]["name"], "cat");
}
