//! Conversations over real sockets, byte by byte, with all four dialects served at one address.

mod beacon;
mod chunklist;
mod hostile;
mod index;
mod together;
mod token;
mod world;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use swarm::directory::Dialect;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::{ClassicListener, probes};
use crate::classic::{Count, Registrar};
use crate::config::ClassicConfig;

/// How long a test waits for what must come.
const SOON: Duration = lab::wait::SOON;

/// The buffer that clients over TCP receive their reply in, at once.
const CLIENT_BUFFER: usize = 8_192;

/// The trackers of all four dialects, at an address of their own. Time passes when it is told to.
struct Trackers {
    runtime: Runtime,
    registrar: Arc<Registrar>,
    _tasks: JoinSet<()>,
    addresses: Vec<(Dialect, SocketAddr)>,
    network: Network,
}

/// Eight addresses of this machine that nobody else uses: tests run side by side, and the port that seeders of
/// `chunklist` listen at is not theirs to choose.
#[derive(Clone, Copy)]
struct Network(u32);

impl Network {
    fn new() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let [_, _, a, b] = std::process::id().to_be_bytes();
        let nth = NEXT.fetch_add(1, Ordering::Relaxed) % 31;
        Self(u32::from_be_bytes([127, a, b, 1 + 8 * nth]))
    }

    /// The tracker is the first; its clients are the others.
    fn host(self, n: u8) -> IpAddr {
        assert!(n < 8);
        Ipv4Addr::from_bits(self.0 + u32::from(n)).into()
    }
}

impl Trackers {
    fn start() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut ClassicConfig)) -> Self {
        let network = Network::new();
        let mut config = ClassicConfig::default();
        let at = SocketAddr::new(network.host(0), 0);
        for listen in [
            &mut config.token.listen,
            &mut config.index.listen,
            &mut config.chunklist.listen,
            &mut config.beacon.listen,
        ] {
            listen.push(at);
        }
        change(&mut config);
        let runtime = Runtime::new().unwrap();
        let registrar = Arc::new(Registrar::told_the_time(&config));
        let listener = ClassicListener::bind(&config).unwrap();
        let addresses = listener.addresses().to_vec();
        let mut tasks = JoinSet::new();
        runtime.block_on(async { listener.answer(&registrar, &config, &mut tasks) }).unwrap();
        Self { runtime, registrar, _tasks: tasks, addresses, network }
    }

    /// Where a dialect is served.
    fn at(&self, dialect: Dialect) -> SocketAddr {
        self.addresses.iter().find(|(served, _)| *served == dialect).unwrap().1
    }

    /// Seconds go by, each with what the trackers do in a second.
    fn pass(&self, secs: u32) {
        let mut under_way = JoinSet::new();
        for _ in 0..secs {
            self.registrar.pass(1);
            self.registrar.expire();
            self.runtime.block_on(async {
                probes::begin(&self.registrar, &mut under_way);
                while under_way.join_next().await.is_some() {
                    probes::begin(&self.registrar, &mut under_way);
                }
            });
        }
    }

    /// Connects to a dialect's tracker from one of the hosts.
    fn connect(&self, dialect: Dialect, host: u8) -> TcpStream {
        self.connect_to(self.at(dialect).port(), host)
    }

    fn connect_to(&self, port: u16, host: u8) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(self.network.host(host), 0).into()).unwrap();
        socket.connect(&SocketAddr::new(self.network.host(0), port).into()).unwrap();
        socket.set_tcp_nodelay(true).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        socket.set_write_timeout(Some(SOON)).unwrap();
        socket.into()
    }

    /// What a client is answered that connects, asks one thing, and receives once.
    fn ask(&self, dialect: Dialect, host: u8, request: &str) -> String {
        let mut stream = self.connect(dialect, host);
        stream.write_all(request.as_bytes()).unwrap();
        receive(&mut stream)
    }

    /// Sends a datagram from a new port of a host.
    fn send(&self, dialect: Dialect, host: u8, datagram: &str) -> UdpSocket {
        let socket = UdpSocket::bind((self.network.host(host), 0)).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        socket.send_to(datagram.as_bytes(), self.at(dialect)).unwrap();
        socket
    }

    /// What a datagram is answered.
    fn ask_by_datagram(&self, dialect: Dialect, host: u8, datagram: &str) -> String {
        let mut answer = [0; 1 << 16];
        let (len, from) = self.send(dialect, host, datagram).recv_from(&mut answer).unwrap();
        assert_eq!(from, self.at(dialect));
        String::from_utf8(answer[..len].to_vec()).unwrap()
    }

    /// Registers a seeder of `chunklist`, whose list the tracker comes for, and waits until it is known.
    fn seed(&self, host: u8, register: &str, list: &[u8]) {
        let registered = self.count(Dialect::Chunklist, Count::Registers);
        let mut stream = self.called(host, register);
        stream.write_all(list).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        lab::wait::until("the seeder to be known", SOON, || {
            (self.count(Dialect::Chunklist, Count::Registers) > registered).then_some(())
        });
    }

    /// The connection over which the tracker comes for a chunk list.
    fn called(&self, host: u8, register: &str) -> TcpStream {
        let seeders_port = self.at(Dialect::Chunklist).port() + 1;
        let listener = TcpListener::bind((self.network.host(host), seeders_port)).unwrap();
        let reply = self.ask_by_datagram(Dialect::Chunklist, host, register);
        assert_eq!(reply, format!("get_chunk_list; {seeders_port}"));
        let (stream, _) = listener.accept().unwrap();
        stream.set_write_timeout(Some(SOON)).unwrap();
        stream
    }

    fn count(&self, dialect: Dialect, count: Count) -> u64 {
        self.registrar.count(dialect, count)
    }

    fn holders(&self) -> [usize; 4] {
        self.registrar.stats().holders
    }
}

/// What one call to receive gives.
fn receive(stream: &mut TcpStream) -> String {
    let mut buffer = [0; CLIENT_BUFFER];
    let len = stream.read(&mut buffer).unwrap();
    String::from_utf8(buffer[..len].to_vec()).unwrap()
}

/// Whether the tracker has closed, with nothing more to read.
fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]), Ok(0))
}
