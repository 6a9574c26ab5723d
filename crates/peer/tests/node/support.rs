//! What the tests here have in common.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use peer::node::{Node, Options, Phase};
use sha1::{Digest, Sha1};
use swarm::{Endpoint, Event, Port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use wire::http::decode_announce;
use wire::metainfo::{Builder, Content, Metainfo};

/// How long anything may take here, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const PIECE_BYTES: usize = 256 << 10;

/// A folder of files that make the edges of pieces and files meet in every way, 8 MiB in all, and its torrent.
pub(crate) struct Shared {
    folder: tempfile::TempDir,
    pub(crate) torrent: Arc<Metainfo>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<(Vec<&str>, usize)> = vec![
            (vec!["a", "one byte"], 1),
            (vec!["a", "deep", "er", "größe 大.bin"], 3 << 20),
            (vec!["b", "empty"], 0),
            (vec!["b", "two pieces"], 2 * PIECE_BYTES),
            (vec!["c"], (9 << 19) + 12_345),
            (vec!["last, empty"], 0),
        ];
        let mut payload = Vec::new();
        for (path, bytes) in &files {
            let data: Vec<u8> = (0..*bytes).map(|_| rand::random()).collect();
            let path = path.iter().fold(folder.path().join("data set"), |path, part| path.join(part));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &data).unwrap();
            payload.extend(data);
        }
        let list = files
            .iter()
            .map(|(path, bytes)| (path.iter().map(|part| part.to_string()).collect(), *bytes as u64));
        let mut bytes = Vec::new();
        let builder = Builder {
            name: "data set".to_owned(),
            content: Content::Folder(list.collect()),
            piece_length: PIECE_BYTES as u64,
            pieces: payload.chunks(PIECE_BYTES).flat_map(|piece| Sha1::digest(piece).to_vec()).collect(),
            ..Builder::default()
        };
        builder.encode(&mut bytes);
        Self { folder, torrent: Arc::new(Metainfo::decode(&bytes).unwrap()) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data set")
    }
}

/// Any free port: others use the first ones.
pub(crate) fn options() -> Options {
    Options { port: Some(0), ..Options::default() }
}

pub(crate) fn node() -> Node {
    Node::start(options()).unwrap()
}

pub(crate) fn endpoint(node: &Node) -> Endpoint {
    Endpoint::new(Ipv4Addr::LOCALHOST.into(), Port::new(node.port()).unwrap())
}

pub(crate) async fn whole(node: &Node, torrent: &Metainfo) -> Result<PathBuf, String> {
    let hash = torrent.info_hash();
    match tokio::time::timeout(PATIENCE, node.whole(hash)).await {
        Ok(done) => done,
        Err(_) => panic!("not whole in time: {:?}", node.status(hash)),
    }
}

pub(crate) fn assert_same(a: &Path, b: &Path) {
    let names = |folder: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(a), names(b), "in {}", b.display());
    for name in names(a) {
        let (a, b) = (a.join(&name), b.join(&name));
        if a.is_dir() {
            assert_same(&a, &b);
        } else {
            assert!(fs::read(&a).unwrap() == fs::read(&b).unwrap(), "{} differs", b.display());
        }
    }
}

/// Waits for a phase.
pub(crate) async fn phase(node: &Node, hash: swarm::InfoHash, is: impl Fn(&Phase) -> bool) -> Phase {
    let mut phases = node.phases(hash).unwrap();
    let came = phases.wait_for(|phase| is(phase));
    tokio::time::timeout(PATIENCE, came).await.unwrap().unwrap().clone()
}

pub(crate) fn keeping(state: &tempfile::TempDir) -> Node {
    Node::start(Options { state_dir: Some(state.path().to_owned()), ..options() }).unwrap()
}

/// An HTTP server of this machine, for as long as this lives. A connection carries one request.
pub(crate) struct Server {
    pub(crate) url: String,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Answers each request, of which it is told the head, with a whole response.
    pub(crate) async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(answer);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer.clone();
                connections.spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    let response = answer(&String::from_utf8(head).unwrap());
                    // Whoever asked may be gone.
                    let _ = stream.write_all(&response).await;
                });
            }
        });
        Self { url, _tasks: tasks }
    }
}

/// A response with `headers`, each ended by `\r\n`; the connection is closed after it.
pub(crate) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// What a tracker was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) event: Event,
    pub(crate) uploaded: u64,
    pub(crate) downloaded: u64,
    pub(crate) left: Option<u64>,
}

/// A tracker that names nobody, and tells the test what it hears.
pub(crate) async fn tracker() -> (Server, UnboundedReceiver<Heard>) {
    let (sender, heard) = unbounded_channel();
    let server = Server::start(move |head| {
        let query = head.split(['?', ' ']).nth(2).unwrap();
        let announce = decode_announce(query.as_bytes()).unwrap().announce;
        let wire::Announce { event, uploaded, downloaded, left, .. } = announce;
        // The test may be over.
        let _ = sender.send(Heard { event, uploaded, downloaded, left });
        response("200 OK", "", b"d8:intervali1800e5:peers0:e")
    });
    (server.await, heard)
}

/// The next thing that a tracker is told.
pub(crate) async fn next(heard: &mut UnboundedReceiver<Heard>) -> Heard {
    tokio::time::timeout(PATIENCE, heard.recv()).await.unwrap().unwrap()
}

pub(crate) fn tiers(server: &Server) -> Vec<Vec<String>> {
    vec![vec![format!("{}/announce", server.url)]]
}
