//! Old peers ask ours for files.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use peer::classic::{Files, Pace, Served, Server};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::stub::{listener, soon};

const PART: usize = 64 << 10;
const CHUNK: usize = 512 << 10;

/// A server of a few files, the first of which is also given away by chunks.
struct Home {
    address: SocketAddr,
    _folder: TempDir,
    serving: JoinHandle<()>,
}

impl Home {
    async fn of(files: &[(&str, &[u8])]) -> Self {
        let folder = TempDir::new().unwrap();
        let mut shelf = Files::default();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            shelf.add(name, path).unwrap();
        }
        if let Some((first, _)) = files.first() {
            shelf.give_chunks_of(first);
        }
        std::fs::write(folder.path().join("secret"), "not offered").unwrap();
        let (listener, address) = listener().await;
        let server = Server::new(Arc::new(shelf), Pace::free());
        let serving = tokio::spawn(async move { server.run(listener).await });
        Self { address, _folder: folder, serving }
    }

    /// Sends `request` in those pieces, and reads to the end.
    async fn ask(&self, request: &[&[u8]]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in request {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = Vec::new();
        soon(stream.read_to_end(&mut answer)).await.unwrap();
        answer
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn content(bytes: usize) -> Vec<u8> {
    lab::torrent::content(7, bytes)
}

#[tokio::test]
async fn each_dialect_gets_what_it_asks_for_in_its_words() {
    let video = content(CHUNK + PART + 5);
    let home = Home::of(&[("video.mp4", &video), ("größe", b"wide"), ("empty", b"")]).await;
    let line = |text: &str| [text.as_bytes(), &video[10..]].concat();
    let size = video.len();
    for (request, answer) in [
        // `token` and `beacon`.
        ("video.mp4", video.clone()),
        ("video.mp4\n", video.clone()),
        ("größe", b"wide".to_vec()),
        ("empty", Vec::new()),
        ("video.mp4.part0", video[..PART].to_vec()),
        ("video.mp4.part8", video[8 * PART..9 * PART].to_vec()),
        ("video.mp4.part9", video[9 * PART..].to_vec()),
        ("video.mp4.part10", b"NOT_FOUND".to_vec()),
        ("none.part0", b"NOT_FOUND".to_vec()),
        ("none", b"ERROR: File not found".to_vec()),
        // What is in the folder and not offered is not there.
        ("secret", b"ERROR: File not found".to_vec()),
        ("../secret", b"ERROR: File not found".to_vec()),
        ("/etc/passwd", b"ERROR: File not found".to_vec()),
        // `chunklist`.
        ("0", video[..CHUNK].to_vec()),
        ("1", video[CHUNK..].to_vec()),
        ("2", Vec::new()),
        // `index`.
        (
            "{\"command\":\"download\",\"filename\":\"video.mp4\",\"offset\":10}\n",
            line(&format!("{{\"status\":\"ok\",\"size\":{size}}}\n")),
        ),
        (r#"{"command":"download","filename":"none","offset":0}"#, b"{\"status\":\"not_found\"}\n".to_vec()),
        (
            r#"{"type":"download","file_name":"empty","offset":99}"#,
            b"{\"status\":\"ok\",\"size\":0}\n".to_vec(),
        ),
        (
            r#"{"command":"fly"}"#,
            b"{\"status\":\"error\",\"reason\":\"\\\"command\\\" `fly` is not download\"}\n".to_vec(),
        ),
    ] {
        let got = home.ask(&[request.as_bytes()]).await;
        assert!(got == answer, "{request}: {} bytes, {}", got.len(), got[..got.len().min(80)].escape_ascii());
    }
}

#[tokio::test]
async fn a_request_may_come_in_pieces() {
    let home = Home::of(&[("a", b"short"), ("a.txt", b"longer"), ("a.txt.gz", b"longest")]).await;
    for (request, answer) in [
        // `a` is offered, but longer names begin with it.
        (&[&b"a"[..], b".txt"][..], &b"longer"[..]),
        (&[b"a", b".", b"txt", b".gz"], b"longest"),
        (&[b"a"], b"short"),
        (&[b"a.t", b"xt"], b"longer"),
        (&[b"{\"command\":\"down", b"load\",\"filename\":\"a\"}"], b"{\"status\":\"ok\",\"size\":5}\nshort"),
    ] {
        assert_eq!(home.ask(request).await.escape_ascii().to_string(), answer.escape_ascii().to_string());
    }
}

#[tokio::test]
async fn names_that_look_like_parts_or_numbers_are_names_where_they_are_offered() {
    let home = Home::of(&[("x", b"chunk"), ("x.part0", b"whole"), ("17", b"seventeen")]).await;
    assert_eq!(home.ask(&[b"x.part0"]).await, b"whole");
    assert_eq!(home.ask(&[b"17"]).await, b"seventeen");
    assert_eq!(home.ask(&[b"0"]).await, b"chunk");
}

#[tokio::test]
async fn what_was_read_before_is_part_of_the_request() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "text").unwrap();
    let mut shelf = Files::default();
    shelf.add("a.txt", path).unwrap();
    let server = Server::new(Arc::new(shelf), Pace::free());
    let (listener, address) = listener().await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    client.write_all(b"txt").await.unwrap();
    let reading = tokio::spawn(async move {
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        answer
    });
    let served = soon(server.serve(stream, b"a.")).await.unwrap();
    assert_eq!(
        served,
        Served::Gave { wanted: wire::classic::transfer::Wanted::File("a.txt".into()), bytes: 4 }
    );
    assert_eq!(soon(reading).await.unwrap(), b"text");
}

#[tokio::test]
async fn nobody_takes_all_the_room_and_what_is_given_back_is_there_again() {
    let home = Home::of(&[("a", b"text")]).await;
    let mut held = Vec::new();
    // None of these says what it wants.
    for _ in 0..16 {
        held.push(TcpStream::connect(home.address).await.unwrap());
    }
    // Connections are taken in their order: when this one is closed unserved, the others have their room.
    let mut one_more = TcpStream::connect(home.address).await.unwrap();
    let mut nothing = Vec::new();
    soon(one_more.read_to_end(&mut nothing)).await.unwrap();
    assert_eq!(nothing, b"");
    drop(held);
    soon(async {
        loop {
            let mut stream = TcpStream::connect(home.address).await.unwrap();
            let mut answer = Vec::new();
            // Who is sent away may see it while it writes or reads.
            let _ = stream.write_all(b"a").await;
            let _ = stream.read_to_end(&mut answer).await;
            if answer == b"text" {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_pace_is_asked_for_each_block() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a");
    std::fs::write(&path, content(150_000)).unwrap();
    let mut shelf = Files::default();
    shelf.add("a", path).unwrap();
    let asked = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let pace = Pace::new(move |bytes| {
        noted.lock().push(bytes);
        Duration::from_millis(1)
    });
    let (listener, address) = listener().await;
    let server = Server::new(Arc::new(shelf), pace);
    let serving = tokio::spawn(async move { server.run(listener).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"a").await.unwrap();
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer == content(150_000));
    assert_eq!(*asked.lock(), [65_536, 65_536, 150_000 - 2 * 65_536]);
    serving.abort();
}
