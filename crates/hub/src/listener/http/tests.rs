//! The listener over real sockets.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use socket2::{Domain, Socket, Type};

use super::front::{Front, Names};
use super::handover::ClientIp;
use super::testing::{announce_query, tracker};
use super::*;

/// How long a test waits for what must come, before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listener with a router behind it.
struct Hub {
    server: HttpServer,
    router: Option<JoinHandle<()>>,
}

impl Hub {
    fn start(config: Config) -> Self {
        Self::start_with(config, HANDOVERS_MAX)
    }

    fn start_with(mut config: Config, handovers_max: usize) -> Self {
        config.listen = vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
        let tracker = tracker(&config.tracker);
        let (sender, receiver) = mpsc::channel(handovers_max);
        let names = |_| Box::pin(std::future::ready(Names::default())) as _;
        let front = Front::new(tracker.clone(), &config.tracker, Box::new(names));
        let router = front.before(
            Router::new()
                .route("/", get(async || "page"))
                .route("/who", get(async |ClientIp(ip): ClientIp| ip.to_string()))
                .route("/echo", post(async |body: String| body)),
        );
        let (http, policy) = (config.http.clone(), tracker.policy().clone());
        let server = HttpListener::bind(&config).unwrap().serve(&tracker, &sender).unwrap();
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(handover::serve(receiver, router, &http, policy, None));
        };
        Self { server, router: Some(std::thread::spawn(serve)) }
    }

    fn connect(&self) -> Client {
        self.connect_to(0)
    }

    fn connect_to(&self, at: usize) -> Client {
        Client::new(TcpStream::connect(self.server.local_addrs()[at]).unwrap())
    }

    fn stop(mut self) {
        self.server.end();
        self.router.take().unwrap().join().unwrap();
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, text: &str) -> &mut Self {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
        self
    }

    /// The next answer: its status line, its headers in lower case, and its body.
    fn answer(&mut self) -> (String, String, String) {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "closed after {lines:?}");
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let status = lines.remove(0);
        let headers = lines.join("\n").to_ascii_lowercase();
        let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        (status, headers, body.escape_ascii().to_string())
    }

    fn body(&mut self) -> String {
        let (status, _, body) = self.answer();
        assert_eq!(status, "HTTP/1.1 200 OK");
        body
    }

    fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(length) => length == 0,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => panic!("{error}"),
        }
    }
}

fn announce(peer: u8) -> String {
    format!("GET /announce?{} HTTP/1.1\r\nHost: t\r\n\r\n", announce_query(peer, 6881))
}

fn page(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n")
}

/// Waits for what another thread is about to do.
fn await_that(mut condition: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it did not come to that");
        std::thread::yield_now();
    }
}

#[test]
fn connections_are_kept_and_requests_pipelined() {
    let hub = Hub::start(Config::default());
    for at in [0, 1] {
        let mut client = hub.connect_to(at);
        assert!(client.send(&announce(1)).body().contains("10:incompletei"));
        client.send(&[announce(1), announce(2), announce(1)].concat());
        for _ in 0..3 {
            assert!(client.body().contains("5:peers"));
        }
        assert!(client.send("GET /announce HTTP/1.0\r\n\r\n").body().contains("failure reason"));
        assert!(client.is_closed());
    }
    hub.stop();
}

#[test]
fn many_clients_at_once_find_each_other() {
    let hub = Hub::start(Config::default());
    let mut clients: Vec<Client> = (0..100).map(|_| hub.connect()).collect();
    for (peer, client) in (1..).zip(&mut clients) {
        let query = announce_query(peer, 1000 + u16::from(peer));
        client.send(&format!("GET /announce?{query} HTTP/1.1\r\n\r\n"));
    }
    for client in &mut clients {
        assert!(client.body().contains("5:peers"));
    }
    let told = clients[0].send(&format!("GET /announce?{} HTTP/1.1\r\n\r\n", announce_query(1, 1001))).body();
    assert!(told.contains("10:incompletei100e"), "{told}");
    await_that(|| hub.server.connections().open() == 100);
    hub.stop();
}

#[test]
fn a_client_that_takes_too_long_over_a_head_is_told_so() {
    let mut config = Config::default();
    config.http.head_timeout_secs = 0;
    let hub = Hub::start(config);
    let mut client = hub.connect();
    let (status, headers, body) = client.send("GET /announce HTTP/1.1\r\nHo").answer();
    assert_eq!(status, "HTTP/1.1 408 Request Timeout");
    assert!(headers.contains("connection: close") && body.contains("too long to arrive"), "{headers} {body}");
    assert!(client.is_closed());
    hub.stop();
}

#[test]
fn an_idle_connection_is_closed() {
    let mut config = Config::default();
    config.http.keep_alive_secs = 0;
    let hub = Hub::start(config);
    assert!(hub.connect().is_closed());
    await_that(|| hub.server.connections().open() == 0);
    hub.stop();
}

#[test]
fn a_head_that_is_too_long_is_refused_before_its_end() {
    let hub = Hub::start(Config::default());
    let mut client = hub.connect();
    // What the client goes on sending does not cost it the answer.
    let (status, ..) = client.send(&format!("GET /{}", "x".repeat(40_000))).answer();
    assert_eq!(status, "HTTP/1.1 431 Request Header Fields Too Large");
    assert!(client.is_closed());
    hub.stop();
}

#[test]
fn there_is_a_ceiling_for_connections() {
    let mut config = Config::default();
    config.http.connections_max = 2;
    let hub = Hub::start(config);
    let mut inside = [hub.connect(), hub.connect()];
    inside[0].send(&announce(1)).body();
    // One of the two is with the router, and counts.
    assert_eq!(inside[1].send(&page("/")).body(), "page");
    let (status, _, body) = hub.connect().answer();
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("too many connections"), "{body}");
    assert_eq!(hub.server.connections().refused(), 1);
    drop(inside);
    await_that(|| hub.server.connections().open() == 0);
    assert!(hub.connect().send(&announce(1)).body().contains("5:peers"));
    hub.stop();
}

#[test]
fn a_crowd_that_asks_one_by_one_is_answered() {
    let hub = Hub::start(Config::default());
    let mut crowd: Vec<Client> = (0..200).map(|_| hub.connect()).collect();
    for (peer, client) in (0..).zip(&mut crowd) {
        assert!(client.send(&announce(peer)).body().contains("5:peers"), "{peer}");
    }
}

#[test]
fn every_answer_has_its_date() {
    let hub = Hub::start(Config::default());
    let mut client = hub.connect();
    let now = std::time::SystemTime::now;
    let told = |at| format!("date: {}", httpdate::fmt_http_date(at)).to_ascii_lowercase();
    for request in [announce(1), page("/"), "\x16".to_owned()] {
        // The clock is looked at when the client is.
        let earliest = now() - Duration::from_secs(2);
        let (_, headers, _) = client.send(&request).answer();
        let mut seconds =
            (0..).map(|secs| earliest + Duration::from_secs(secs)).take_while(|at| *at <= now());
        assert!(seconds.any(|at| headers.lines().any(|line| line == told(at))), "{headers}");
    }
}

#[test]
fn what_is_no_call_goes_to_the_router_and_stays_there() {
    let hub = Hub::start(Config::default());
    let mut client = hub.connect();
    client.send(&[announce(1), page("/"), announce(2), page("/who")].concat());
    assert!(client.body().contains("10:incompletei1e"));
    assert_eq!(client.body(), "page");
    assert!(client.body().contains("5:peers"));
    assert_eq!(client.body(), "127.0.0.1");
    let (status, headers, _) = client.send("POST /announce HTTP/1.1\r\nContent-Length: 0\r\n\r\n").answer();
    assert_eq!(status, "HTTP/1.1 405 Method Not Allowed");
    assert!(headers.contains("allow: get, head"), "{headers}");
    let by_query = format!("GET /?{} HTTP/1.1\r\n\r\n", announce_query(1, 6881));
    assert!(client.send(&by_query).body().contains("5:peers"));

    let mut client = hub.connect();
    client.send("POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf ").send("whole");
    assert_eq!(client.body(), "half whole");
    hub.stop();
}

#[test]
fn both_ways_answer_the_same() {
    let mut config = Config::default();
    config.tracker.jitter_pct = 0;
    let hub = Hub::start(config);
    let (mut direct, mut routed) = (hub.connect(), hub.connect());
    routed.send(&page("/")).body();
    let hash = "%01".repeat(20);
    for target in [
        &format!("/announce?{}", announce_query(1, 6881)),
        &format!("/?{}&compact=0", announce_query(1, 6881)),
        &format!("/key/announce?{}", announce_query(1, 6881)),
        &format!("/announce?{}", announce_query(1, 0)),
        "/announce?info_hash=short",
        &format!("/scrape?info_hash={hash}"),
        "/scrape",
        "/scrape/key",
    ] {
        for method in ["GET", "HEAD"] {
            let request = format!("{method} {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
            let everything = |client: &mut Client, request: &str| {
                let mut all = Vec::new();
                client.send(request).0.read_to_end(&mut all).unwrap();
                let text = all.escape_ascii().to_string().to_ascii_lowercase();
                let (head, body) = text.split_once("\\r\\n\\r\\n").unwrap();
                let mut lines: Vec<String> = head.split("\\r\\n").map(str::to_owned).collect();
                lines.retain(|line| !line.starts_with("date:"));
                lines.sort();
                (lines, body.to_owned())
            };
            let fast = everything(&mut direct, &request);
            assert_eq!(fast, everything(&mut routed, &request), "{request}");
            (direct, routed) = (hub.connect(), hub.connect());
            routed.send(&page("/")).body();
        }
    }
    hub.stop();
}

#[test]
fn who_does_not_read_is_not_read() {
    let hub = Hub::start(Config::default());
    let address = hub.server.local_addrs()[0];
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_nonblocking(true).unwrap();
    let requests = announce(1).repeat(100);
    let mut sent = 0;
    // Until nothing is taken any more, for so long that it is not for lack of time: both directions are full.
    let mut last = std::time::Instant::now();
    while last.elapsed() < Duration::from_millis(100) {
        match stream.write(&requests.as_bytes()[sent % announce(1).len()..]) {
            Ok(length) => (sent, last) = (sent + length, std::time::Instant::now()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        assert!(sent < 64 << 20, "requests are taken in without end");
        std::thread::yield_now();
    }
    stream.set_nonblocking(false).unwrap();
    let mut client = Client::new(stream);
    for _ in 0..sent / announce(1).len() {
        assert!(client.body().contains("5:peers"));
    }
    let rest = &announce(1)[sent % announce(1).len()..];
    assert!(client.send(rest).body().contains("5:peers"));
    hub.stop();
}

#[test]
fn a_full_queue_to_the_router_is_said() {
    let mut config = Config { listen: vec![(Ipv4Addr::LOCALHOST, 0).into()], ..Config::default() };
    config.http.connections_max = 10;
    let (sender, mut receiver) = mpsc::channel(1);
    let server = HttpListener::bind(&config).unwrap().serve(&tracker(&config.tracker), &sender).unwrap();
    let connect = || Client::new(TcpStream::connect(server.local_addrs()[0]).unwrap());
    let mut first = connect();
    first.send(&page("/"));
    await_that(|| sender.capacity() == 0);
    let (status, ..) = connect().send(&page("/")).answer();
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    let handover = receiver.try_recv().unwrap();
    assert_eq!(handover.read, page("/").as_bytes());
    assert_eq!(handover.peer, first.0.get_ref().local_addr().unwrap());
    server.stop();
}

#[test]
fn a_stopping_listener_answers_what_has_arrived() {
    let hub = Hub::start(Config::default());
    let (mut idle, mut routed, mut asking) = (hub.connect(), hub.connect(), hub.connect());
    idle.send(&announce(1)).body();
    routed.send(&page("/")).body();
    asking.send(&announce(2)).body();
    asking.send(&announce(2));
    let addresses = hub.server.local_addrs().to_vec();
    hub.stop();
    assert!(asking.body().contains("5:peers"));
    for client in [&mut idle, &mut routed, &mut asking] {
        assert!(client.is_closed());
    }
    for address in addresses {
        TcpStream::connect(address).unwrap_err();
        drop(std::net::TcpListener::bind(address).unwrap());
    }
}
