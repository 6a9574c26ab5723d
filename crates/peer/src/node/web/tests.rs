use std::path::Path;

use sha1::{Digest, Sha1};
use wire::metainfo::{Builder, Content, Metainfo};

use super::*;
use crate::announce::testing::{LIMIT, Server, endpoint, http, response};
use crate::node::{Files, Node, Options};

const PIECE_BYTES: usize = 64 << 10;

fn payload() -> Vec<u8> {
    (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn torrent(web_seeds: Vec<String>) -> Arc<Metainfo> {
    let payload = payload();
    let builder = Builder {
        name: "one.bin".to_owned(),
        content: Content::File(payload.len() as u64),
        piece_length: PIECE_BYTES as u64,
        pieces: payload.chunks(PIECE_BYTES).flat_map(|piece| Sha1::digest(piece).to_vec()).collect(),
        web_seeds,
        ..Builder::default()
    };
    let mut bytes = Vec::new();
    builder.encode(&mut bytes);
    Arc::new(Metainfo::decode(&bytes).unwrap())
}

/// A web server that has `file`.
async fn serving(file: Vec<u8>) -> Server {
    http("127.0.0.1", move |head| Some(range_of(&file, head))).await.unwrap()
}

fn range_of(file: &[u8], head: &str) -> Vec<u8> {
    let head = head.to_ascii_lowercase();
    let range = head.split("range: bytes=").nth(1).unwrap().lines().next().unwrap();
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.trim().parse().unwrap());
    let headers = format!("Content-Range: bytes {first}-{last}/{}\r\n", file.len());
    response("206 Partial Content", &headers, &file[first..=last])
}

fn url(server: &Server) -> String {
    format!("http://{}/one.bin", server.address)
}

fn node() -> Node {
    Node::start(Options { port: Some(0), ..Options::default() }).unwrap()
}

async fn assert_fetched(node: &Node, torrent: &Metainfo, folder: &Path) {
    let whole = tokio::time::timeout(LIMIT, node.whole(torrent.info_hash())).await.unwrap().unwrap();
    assert_eq!(whole, folder.join("one.bin"));
    assert!(std::fs::read(whole).unwrap() == payload());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_seed_alone_is_enough() {
    let server = serving(payload()).await;
    let torrent = torrent(vec![url(&server)]);
    let (node, folder) = (node(), tempfile::tempdir().unwrap());
    node.fetch(torrent.clone(), folder.path(), Files::All).await.unwrap();
    assert_fetched(&node, &torrent, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_seed_that_is_busy_is_asked_again() {
    let file = payload();
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let answer = move |head: &str| {
        // The third request and those after it for a while.
        match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            2..6 => Some(response("503 Service Unavailable", "", b"")),
            _ => Some(range_of(&file, head)),
        }
    };
    let server = http("127.0.0.1", answer).await.unwrap();
    let torrent = torrent(vec![url(&server)]);
    let (node, folder) = (node(), tempfile::tempdir().unwrap());
    node.fetch(torrent.clone(), folder.path(), Files::All).await.unwrap();
    assert_fetched(&node, &torrent, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn web_seeds_that_are_wrong_are_left_and_peers_give_the_rest() {
    let mut spoiled = payload();
    spoiled.iter_mut().step_by(PIECE_BYTES / 2).for_each(|byte| *byte ^= 1);
    let lies = serving(spoiled).await;
    let missing = http("127.0.0.1", |_| Some(response("404 Not Found", "", b""))).await.unwrap();
    let silent = http("127.0.0.1", |_| None).await.unwrap();
    let torrent = torrent(vec![url(&lies), url(&missing), url(&silent), "no address".to_owned()]);

    let source = tempfile::tempdir().unwrap();
    let path = source.path().join("one.bin");
    std::fs::write(&path, payload()).unwrap();
    let seeder = node();
    seeder.share(torrent.clone(), path).await.unwrap();

    let (node, folder) = (node(), tempfile::tempdir().unwrap());
    node.fetch(torrent.clone(), folder.path(), Files::All).await.unwrap();
    let at = endpoint("127.0.0.1", seeder.port());
    node.add_peers(torrent.info_hash(), engine::Source::Person, &[at]);
    assert_fetched(&node, &torrent, folder.path()).await;
}

#[test]
fn each_web_seed_has_an_address_of_its_own_that_leads_nowhere() {
    let [a, b] = ["http://a/", "http://b/"].map(stand_in);
    assert_ne!(a, b);
    assert_eq!(a, stand_in("http://a/"));
    assert!(a.to_string().starts_with("100::"), "{a}");
}

#[test]
fn a_request_is_worth_about_a_second() {
    assert_eq!(worth_a_second(100_000, Duration::from_millis(500)), 200_000);
    assert_eq!(worth_a_second(1, Duration::from_secs(9)), RUN_BYTES_MIN);
    assert_eq!(worth_a_second(1 << 20, Duration::ZERO), RUN_BYTES_MAX);
}
