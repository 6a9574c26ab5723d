//! A world for one command: a directory of its own, and a hub that answers what it is told to.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use sha1::{Digest, Sha1};
use skep::env::{Env, Requests};
use skep::exit::Exit;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long anything may take here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs commands in a directory that goes away with it.
pub(crate) struct World {
    dir: TempDir,
    vars: Vec<(String, String)>,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), vars: Vec::new() }
    }

    /// With an environment variable.
    pub(crate) fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.vars.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, and the directories above it.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn env(&self) -> (Env, Written, Written) {
        let (stdout, stderr) = (Written::default(), Written::default());
        let mut env = Env::new(stdout.clone(), stderr.clone(), self.dir.path().to_owned());
        env.vars = self.vars.iter().map(|(name, value)| (name.clone(), value.into())).collect();
        env.data_dir = Some(self.path("data"));
        env.config_dir = Some(self.path("config"));
        (env, stdout, stderr)
    }

    /// Starts a command that runs until it is stopped.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let (mut env, stdout, stderr) = self.env();
        let (stop, stops) = mpsc::unbounded_channel();
        env.stop = Requests::Channel(stops);
        let args: Vec<String> = ["skep"].iter().chain(args).map(|&arg| arg.to_owned()).collect();
        let task = tokio::spawn(async move { skep::run(args, &mut env).await });
        Running { stop, task, stdout, stderr }
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        let (mut env, stdout, stderr) = self.env();
        let run = skep::run(["skep"].iter().chain(args), &mut env);
        let Ok(exit) = timeout(PATIENCE, run).await else {
            panic!("{args:?} does not end: {}{}", stdout.text(), stderr.text());
        };
        Ran { exit, stdout: self.relative(&stdout.text()), stderr: self.relative(&stderr.text()) }
    }

    /// `text` with this world's directory called `DIR`, so that it is the same in each run.
    pub(crate) fn relative(&self, text: &str) -> String {
        text.replace(&*self.dir.path().to_string_lossy(), "DIR")
    }
}

impl Ran {
    /// Asserts how the command ended, and shows what it wrote if that was otherwise.
    #[track_caller]
    pub(crate) fn ended(self, exit: Exit) -> Self {
        assert_eq!(self.exit, exit, "{self:#?}");
        self
    }
}

/// A command that runs beside the test.
pub(crate) struct Running {
    stop: mpsc::UnboundedSender<()>,
    task: JoinHandle<Exit>,
    pub(crate) stdout: Written,
    pub(crate) stderr: Written,
}

impl Running {
    /// Asks it to stop, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        // If it has ended already, nobody listens.
        let _ = self.stop.send(());
    }

    /// How it ended.
    pub(crate) async fn ended(self) -> Exit {
        match timeout(PATIENCE, self.task).await {
            Ok(exit) => exit.unwrap(),
            Err(_) => panic!("it does not end: {}{}", self.stdout.text(), self.stderr.text()),
        }
    }

    /// Stops it.
    pub(crate) async fn stopped(self) -> Exit {
        self.interrupt();
        self.ended().await
    }

    /// Waits until it has written `text` to standard error.
    pub(crate) async fn notes(&self, text: &str) {
        if timeout(PATIENCE, self.stderr.contains(text)).await.is_err() {
            panic!("`{text}` does not come:\n{}{}", self.stdout.text(), self.stderr.text());
        }
    }
}

/// What was written to a stream.
#[derive(Clone, Default)]
pub(crate) struct Written {
    bytes: Arc<Mutex<Vec<u8>>>,
    more: Arc<Notify>,
}

impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }

    /// Waits for a whole line that begins with `prefix`: what comes after it.
    pub(crate) async fn line(&self, prefix: &str) -> String {
        loop {
            let more = self.more.notified();
            let text = self.text();
            let mut whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            if let Some(rest) = whole.find_map(|line| line.strip_prefix(prefix)) {
                return rest.to_owned();
            }
            more.await;
        }
    }

    /// Waits until `text` has been written.
    pub(crate) async fn contains(&self, text: &str) {
        loop {
            let more = self.more.notified();
            if self.text().contains(text) {
                return;
            }
            more.await;
        }
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.bytes.lock().unwrap().write(bytes);
        self.more.notify_one();
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A hub that gives its answers in order, and remembers what it was asked.
pub(crate) struct StubHub {
    pub(crate) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    answers: VecDeque<Answer>,
    asked: Vec<Asked>,
}

/// What a hub answers.
#[derive(Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    never: bool,
}

/// What a hub was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method, path and query: `GET /api/v1/torrents?limit=1`.
    pub(crate) line: String,
    pub(crate) media_type: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(status: u16, body: impl ToString) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.to_string(), never: false }
    }

    /// A refusal in the form of RFC 9457.
    pub(crate) fn problem(status: u16, detail: &str) -> Self {
        Self::json(status, serde_json::json!({"title": "Refused", "status": status, "detail": detail}))
    }

    /// The connection stays open, and nothing comes.
    pub(crate) fn never() -> Self {
        Self { never: true, ..Self::json(200, "") }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

impl StubHub {
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared =
            Arc::new(Mutex::new(Shared { answers: answers.into_iter().collect(), asked: Vec::new() }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        lock(&self.shared).asked.clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    /// A world whose commands talk to this hub.
    pub(crate) fn world(&self) -> World {
        World::new().var("SKEP_TRACKER", self.url())
    }
}

fn lock(shared: &Arc<Mutex<Shared>>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap()
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let asked = Asked {
        line: format!("{} {}", parts.method, parts.uri),
        media_type: header("content-type"),
        authorization: header("authorization"),
        body: to_bytes(body, usize::MAX).await.unwrap(),
    };
    let answer = {
        let mut shared = lock(&shared);
        shared.asked.push(asked);
        shared
            .answers
            .pop_front()
            .unwrap_or_else(|| Answer::problem(500, "the test foresaw no more requests"))
    };
    if answer.never {
        return std::future::pending().await;
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(answer.body.into()).unwrap()
}

/// An address of this machine at which nobody listens, nor will while the tests run.
pub(crate) fn nobody() -> String {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // Bound and never listening: the port is refused, and nobody else is given it.
    std::mem::forget(socket);
    format!("http://{address}")
}

/// A torrent file of one file called `name`.
pub(crate) fn torrent(name: &str) -> Vec<u8> {
    let pieces = "p".repeat(20);
    let info =
        format!("d6:lengthi16384e4:name{}:{name}12:piece lengthi16384e6:pieces20:{pieces}e", name.len());
    format!("d10:created by4:test4:info{info}e").into_bytes()
}

/// A torrent file of one file called `name` that holds `content`, as of version 1, without trackers.
pub(crate) fn torrent_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut torrent = format!("d4:infod6:lengthi{}e4:name{}:{name}", content.len(), name.len()).into_bytes();
    torrent.extend(b"12:piece lengthi16384e6:pieces");
    let pieces: Vec<u8> = content.chunks(16384).flat_map(|piece| Sha1::digest(piece).to_vec()).collect();
    torrent.extend(format!("{}:", pieces.len()).bytes());
    torrent.extend(pieces);
    torrent.extend(b"ee");
    torrent
}
