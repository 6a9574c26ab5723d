use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::*;

fn config(state_dir: &Path) -> Config {
    Config {
        listen: vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()],
        state_dir: state_dir.to_owned(),
        ..Config::default()
    }
}

/// What comes back for a request with these lines in its head.
async fn ask(to: SocketAddr, line: String) -> Vec<u8> {
    let exchange = move || {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.write_all(format!("{line}\r\nHost: hub\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

async fn get(to: SocketAddr, path_and_query: &str) -> Vec<u8> {
    ask(to, format!("GET {path_and_query} HTTP/1.1")).await
}

const HASH: &str = "info_hash=aaaaaaaaaaaaaaaaaaaa";

fn announce(port: u16) -> String {
    format!("/announce?{HASH}&peer_id=-TT0001-abcdefghijkl&port={port}&left=5")
}

fn contains(body: &[u8], part: &str) -> bool {
    body.windows(part.len()).any(|window| window == part.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn http_and_udp_have_one_port_and_both_families_one_swarm() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(config(dir.path())).await.unwrap();
    let Bound { http, udp, .. } = hub.bound().clone();
    assert_eq!(http, udp);
    get(http[0], &announce(1001)).await;
    let answer = get(http[1], &announce(1002)).await;
    assert!(contains(&answer, "10:incompletei2e"), "{}", answer.escape_ascii());
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_hub_knows_the_swarms() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(config(dir.path())).await.unwrap();
    get(hub.bound().http[0], &announce(1001)).await;
    hub.shutdown().await.unwrap();
    let hub = Hub::start(config(dir.path())).await.unwrap();
    let answer = get(hub.bound().http[0], &format!("/scrape?{HASH}")).await;
    assert!(contains(&answer, "10:incompletei1e"), "{}", answer.escape_ascii());
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_serves_one_hub() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(config(dir.path())).await.unwrap();
    let error = Hub::start(config(dir.path())).await.err().unwrap();
    assert!(error.to_string().starts_with("another hub uses the state directory "), "{error}");
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let hub = Hub::start(config(one.path())).await.unwrap();
    let taken = hub.bound().http[0];
    let error = Hub::start(Config { listen: vec![taken], ..config(other.path()) }).await.err().unwrap();
    assert!(error.to_string().starts_with(&format!("cannot listen on {taken} over TCP: ")), "{error}");
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_the_place_of_the_state_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let error = Hub::start(config(&file)).await.err().unwrap();
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_does_not_keep_a_hub_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("swarms.snapshot"), "garbage").unwrap();
    let hub = Hub::start(config(dir.path())).await.unwrap();
    hub.shutdown().await.unwrap();
    assert_eq!(fs::read(dir.path().join("swarms.snapshot.damaged")).unwrap(), b"garbage");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_asked_for_over_http_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { admin_token: Some("secret".into()), ..config(dir.path()) };
    let hub = Hub::start(config).await.unwrap();
    let request = "POST /shutdown HTTP/1.1\r\nAuthorization: Bearer secret\r\nContent-Length: 0";
    let answer = ask(hub.bound().http[0], request.to_owned()).await;
    assert!(contains(&answer, r#"{"message":"Server shutting down..."}"#), "{}", answer.escape_ascii());
    tokio::time::timeout(Duration::from_secs(10), hub.wait_shutdown_requested()).await.unwrap();
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn access_lists_are_read_anew_when_asked_and_a_mistake_in_one_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let denied = dir.path().join("denied");
    fs::write(&denied, "# nothing yet\n").unwrap();
    let mut config = Config { admin_token: Some("secret".into()), ..config(dir.path()) };
    config.access.torrents_denied = Some(denied.clone());
    let hub = Hub::start(config).await.unwrap();
    let http = hub.bound().http[0];
    let reload = || {
        let request = "POST /api/v1/reload HTTP/1.1\r\nAuthorization: Bearer secret\r\nContent-Length: 0";
        ask(http, request.to_owned())
    };
    assert!(contains(&get(http, &announce(1001)).await, "8:interval"));
    fs::write(&denied, format!("{}\n", InfoHash([b'a'; 20]))).unwrap();
    assert!(reload().await.starts_with(b"HTTP/1.1 204"));
    let refused = get(http, &announce(1001)).await;
    assert!(
        contains(&refused, "this torrent may not be announced to this tracker"),
        "{}",
        refused.escape_ascii()
    );
    fs::write(&denied, "nonsense\n").unwrap();
    let told = reload().await;
    assert!(told.starts_with(b"HTTP/1.1 422"), "{}", told.escape_ascii());
    assert!(contains(&told, "denied: line 1: `nonsense` is not an info hash"), "{}", told.escape_ascii());
    assert!(contains(&get(http, &announce(1001)).await, "may not be announced"), "all is as it was");
    fs::write(&denied, "").unwrap();
    hub.reload().await;
    assert!(contains(&get(http, &announce(1001)).await, "8:interval"));
    hub.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_does_not_start_with_a_broken_access_list() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.access.peers_denied = Some(dir.path().join("missing"));
    let told = Hub::start(config).await.err().unwrap().to_string();
    assert!(told.contains("missing: "), "{told}");
}
