//! A client of each dialect, as plain as its programs are: what it asks, and how long the answer takes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::{Dialect, Load, source};

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// What clients receive at once.
const BUFFER: usize = 64 << 10;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Who has a name that one peer has.
    Rare,
    /// Who has a name that all have.
    Common,
    /// Who is there.
    List,
    /// Nothing: it is still there.
    Beat,
}

impl Question {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rare => "look-up of one's name",
            Self::Common => "look-up of everybody's name",
            Self::List => "list",
            Self::Beat => "heartbeat",
        }
    }

    /// What can be asked in a dialect.
    pub(super) const fn of(dialect: Dialect) -> &'static [Self] {
        match dialect {
            Dialect::Token => &[Self::Rare, Self::Common],
            Dialect::Index | Dialect::Beacon => &[Self::Rare, Self::Common, Self::Beat],
            Dialect::Chunklist => &[Self::List, Self::Beat],
        }
    }
}

/// Everybody there is, one after another.
pub(super) struct Client {
    dialect: Dialect,
    tracker: SocketAddr,
    load: Load,
    socket: UdpSocket,
    /// The connection of the peer that asks, where there is one.
    stream: Option<Stream>,
    /// The token of the peer that asks.
    token: String,
    buffer: Vec<u8>,
}

/// A connection of `index`.
pub(super) struct Stream {
    stream: TcpStream,
    user: u32,
}

impl Client {
    pub(super) fn new(dialect: Dialect, tracker: SocketAddr, load: Load) -> Result<Self, String> {
        let socket = datagrams(0)?;
        Ok(Self {
            dialect,
            tracker,
            load,
            socket,
            stream: None,
            token: String::new(),
            buffer: vec![0; BUFFER],
        })
    }

    /// Registers everybody. `calls` says whether the tracker comes for chunk lists.
    pub(super) fn fill(&mut self, calls: bool) -> Result<(), String> {
        let lists = (self.dialect == Dialect::Chunklist && calls)
            .then(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.tracker.port() + 1)))
            .transpose()
            .map_err(|error| format!("cannot listen where seeders do: {error}"))?;
        for peer in 0..self.load.peers {
            let port = port(peer);
            match self.dialect {
                Dialect::Token => {
                    let token = self.authenticate(peer)?;
                    let names = names(peer, self.load).map(|name| format!("\"{name}\":1"));
                    let files = names.collect::<Vec<_>>().join(",");
                    let reply = self.ask_token(
                        peer,
                        &format!(
                            r#"{{"type":"REGISTER","peer_id":"peer{peer}","token":"{token}","port":{port},"files":{{{files}}}}}"#
                        ),
                    )?;
                    expect(&reply, "REGISTERED")?;
                }
                Dialect::Index => {
                    let mut stream = Stream::open(self.tracker, peer)?;
                    stream.register(self.load)?;
                }
                Dialect::Beacon => {
                    let socket = datagrams(peer)?;
                    for name in names(peer, self.load) {
                        let datagram =
                            format!(r#"{{"action":"REGISTER","filename":"{name}","port":{port}}}"#);
                        self.send(&socket, &datagram)?;
                    }
                    // So that no more is under way than the tracker's socket holds.
                    self.ask_datagram(&socket, r#"{"action":"REQUEST","filename":"nobody's"}"#)?;
                }
                Dialect::Chunklist => {
                    let socket = datagrams(peer)?;
                    let datagram = format!("register; seeder{peer}; 10.0.0.1; {port}; 68");
                    let reply = self.ask_datagram(&socket, &datagram)?;
                    expect(&reply, "get_chunk_list")?;
                    if let Some(lists) = &lists {
                        let written = lists.accept().and_then(|(mut stream, _)| {
                            stream.write_all(format!("['{peer:064x}']").as_bytes())
                        });
                        written.map_err(|error| format!("a chunk list was not taken: {error}"))?;
                    }
                }
            }
        }
        match self.dialect {
            Dialect::Token => self.token = self.authenticate(0)?,
            Dialect::Index => {
                let mut stream = Stream::open(self.tracker, 0)?;
                stream.register(self.load)?;
                self.stream = Some(stream);
            }
            Dialect::Chunklist | Dialect::Beacon => {}
        }
        Ok(())
    }

    /// How long a question takes until it is answered, and rightly so.
    pub(super) fn time(&mut self, question: Question, nth: usize) -> Result<Duration, String> {
        // Spread over all of them, and not in the order in which they came.
        let peer = u32::try_from(nth * 7_919 + 1).unwrap_or(1) % self.load.peers.max(2);
        let name = if question == Question::Rare { own_name(peer.max(1), 3) } else { EVERYBODYS.to_owned() };
        let begun = Instant::now();
        let reply = match (self.dialect, question) {
            (Dialect::Token, _) => {
                let token = &self.token;
                self.ask_token(
                    0,
                    &format!(
                        r#"{{"type":"PEER_LIST","peer_id":"peer0","token":"{token}","file_name":"{name}"}}"#
                    ),
                )?
            }
            (Dialect::Index, Question::Beat) => {
                let stream = self.stream.as_mut().ok_or("there is no connection")?;
                stream.keep_alive()?;
                return Ok(begun.elapsed());
            }
            (Dialect::Index, _) => {
                let stream = self.stream.as_mut().ok_or("there is no connection")?;
                stream.ask(&format!(r#"{{"command":"search","username":"user0","filename":"{name}"}}"#))?
            }
            (Dialect::Chunklist, Question::Beat) => {
                self.send(&self.socket, "heartbeat;seeder0")?;
                self.ask_datagram(&self.socket, "list_seeder")?
            }
            (Dialect::Chunklist, _) => self.ask_datagram(&self.socket, "list_seeder")?,
            (Dialect::Beacon, Question::Beat) => {
                self.send(&self.socket, &format!(r#"{{"action":"HEARTBEAT","port":{}}}"#, port(0)))?;
                self.ask_datagram(&self.socket, r#"{"action":"REQUEST","filename":"nobody's"}"#)?
            }
            (Dialect::Beacon, _) => {
                self.ask_datagram(&self.socket, &format!(r#"{{"action":"REQUEST","filename":"{name}"}}"#))?
            }
        };
        let took = begun.elapsed();
        if (self.dialect, question) != (Dialect::Beacon, Question::Beat) {
            expect(&reply, "127.77.")?;
        }
        Ok(took)
    }

    fn authenticate(&mut self, peer: u32) -> Result<String, String> {
        let reply = self.ask_token(peer, &format!(r#"{{"type":"AUTH","peer_id":"peer{peer}"}}"#))?;
        let token = reply.split('"').find(|text| text.starts_with("token_"));
        token.map(str::to_owned).ok_or_else(|| format!("no token: {reply}"))
    }

    fn ask_token(&self, peer: u32, request: &str) -> Result<String, String> {
        let mut stream = connect(self.tracker, peer)?;
        stream.write_all(request.as_bytes()).map_err(unanswered)?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).map_err(unanswered)?;
        Ok(reply)
    }

    fn send(&self, socket: &UdpSocket, datagram: &str) -> Result<(), String> {
        socket.send_to(datagram.as_bytes(), self.tracker).map(drop).map_err(unanswered)
    }

    fn ask_datagram(&self, socket: &UdpSocket, datagram: &str) -> Result<String, String> {
        self.send(socket, datagram)?;
        let mut buffer = self.buffer.clone();
        let (len, _) = socket.recv_from(&mut buffer).map_err(unanswered)?;
        Ok(String::from_utf8_lossy(&buffer[..len]).into_owned())
    }
}

impl Stream {
    fn open(tracker: SocketAddr, user: u32) -> Result<Self, String> {
        Ok(Self { stream: connect(tracker, user)?, user })
    }

    fn register(&mut self, load: Load) -> Result<(), String> {
        let names = names(self.user, load).map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
        let (user, port) = (self.user, port(self.user));
        let register =
            format!(r#"{{"command":"register","username":"user{user}","port":{port},"files":[{names}]}}"#);
        expect(&self.ask(&register)?, "\"ok\"")
    }

    /// Says that it is still there, and is answered.
    pub(super) fn keep_alive(&mut self) -> Result<(), String> {
        let user = self.user;
        expect(&self.ask(&format!(r#"{{"command":"keep_alive","username":"user{user}"}}"#))?, "\"ok\"")
    }

    fn ask(&mut self, request: &str) -> Result<String, String> {
        self.stream.write_all(format!("{request}\n").as_bytes()).map_err(unanswered)?;
        let mut reply = Vec::new();
        let mut block = [0; 8 << 10];
        while reply.last() != Some(&b'\n') {
            match self.stream.read(&mut block).map_err(unanswered)? {
                0 => return Err("the tracker closed".to_owned()),
                len => reply.extend_from_slice(&block[..len]),
            }
        }
        Ok(String::from_utf8_lossy(&reply).into_owned())
    }
}

/// As many connected and registered clients of `index` as there are peers.
pub(super) fn connected(tracker: SocketAddr, load: Load) -> Result<Vec<Stream>, String> {
    let open = |peer| {
        let mut stream = Stream::open(tracker, peer)?;
        stream.register(load)?;
        Ok(stream)
    };
    (0..load.peers).map(open).collect()
}

const EVERYBODYS: &str = "everybodys.bin";

fn own_name(peer: u32, nth: u32) -> String {
    format!("file-{peer}-{nth}.bin")
}

fn names(peer: u32, load: Load) -> impl Iterator<Item = String> {
    (0..load.own_names).map(move |nth| own_name(peer, nth)).chain([EVERYBODYS.to_owned()])
}

fn port(peer: u32) -> u16 {
    10_000 + u16::try_from(peer % 50_000).unwrap_or(0)
}

fn connect(tracker: SocketAddr, peer: u32) -> Result<TcpStream, String> {
    let connected = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source(peer), 0).into())?;
        socket.connect(&tracker.into())?;
        socket.set_tcp_nodelay(true)?;
        socket.set_read_timeout(Some(ANSWER_MAX))?;
        Ok::<_, std::io::Error>(socket.into())
    };
    connected().map_err(|error| format!("cannot connect to {tracker} from {}: {error}", source(peer)))
}

fn datagrams(peer: u32) -> Result<UdpSocket, String> {
    let bound = UdpSocket::bind((source(peer), 0)).and_then(|socket| {
        socket.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(socket)
    });
    bound.map_err(|error| format!("no socket at {}: {error}", source(peer)))
}

fn expect(reply: &str, what: &str) -> Result<(), String> {
    if reply.contains(what) { Ok(()) } else { Err(format!("`{what}` is missing in: {reply}")) }
}

fn unanswered(error: std::io::Error) -> String {
    format!("a question was not answered: {error}")
}
