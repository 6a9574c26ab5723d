//! A tiny tracker on a socket of its own, right but for one fault.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use swarm::{Counts, Endpoint, Event, Families, InfoHash, Port, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::AbortHandle;
use wire::http::{Answer, Shape};
use wire::udp::{ConnectionId, Request};
use wire::{Announce, http, udp};

const CONNECTION: ConnectionId = ConnectionId(0x5ca1_ab1e_0ddb_a115);
const QUERY_BYTES_MAX: usize = 8 * 1024;

/// What is wrong with a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The asker is among its own peers.
    HandsAskerToItself,
    /// Everybody gets everybody.
    IgnoresNumwant,
    /// Seeders get seeders.
    GivesSeedersSeeders,
    /// Counts leave out the asker.
    LeavesOutAsker,
    /// Nobody is ever told of anybody.
    HidesPeers,
    /// `completed` is not counted.
    ForgetsCompletions,
    /// `stopped` changes nothing.
    IgnoresStopped,
    /// The interval is 0.
    ZeroInterval,
    /// Scrapes are answered with nothing but zeros.
    ScrapesZeros,
    /// Nothing is ever answered.
    Silent,
    /// Only what is not a scrape is answered.
    NoScrape,
    /// All is answered with bytes that mean nothing.
    Garbage,
    /// Answers carry another transaction id (UDP).
    WrongTransaction,
    /// Any connection id will do (UDP).
    AnyConnection,
    /// A datagram that means nothing ends the tracker (UDP).
    DiesOfMalformed,
    /// Strangers are answered at length (UDP).
    Amplifies,
    /// An info hash of any length will do (HTTP).
    AnyHash,
    /// Peers' ids are sent to those who do not want them, and dictionaries to those who want compact (HTTP).
    AlwaysDictionaries,
    /// No torrent is wanted.
    Refuses,
    /// All that is wrong is answered with an internal error (HTTP).
    InternalError,
}

/// A tracker that runs until it is dropped.
pub(super) struct Tracker {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

struct State {
    fault: Fault,
    swarms: BTreeMap<InfoHash, Swarm>,
}

#[derive(Default)]
struct Swarm {
    peers: BTreeMap<Endpoint, Member>,
    completed: u32,
}

#[derive(Clone, Copy)]
struct Member {
    seeds: bool,
    id: swarm::PeerId,
}

impl Tracker {
    pub(super) async fn udp(fault: Fault) -> Self {
        Self::udp_at(IpAddr::from([127, 0, 0, 1]), fault).await
    }

    pub(super) async fn udp_at(ip: IpAddr, fault: Fault) -> Self {
        let socket = UdpSocket::bind((ip, 0)).await.unwrap();
        let url = format!("udp://{}", socket.local_addr().unwrap());
        let state = State::new(fault);
        let task = tokio::spawn(serve_udp(socket, state.clone())).abort_handle();
        Self { url, state, task }
    }

    pub(super) async fn http(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/announce", listener.local_addr().unwrap());
        let state = State::new(fault);
        let task = tokio::spawn(serve_http(listener, state.clone())).abort_handle();
        Self { url, state, task }
    }

    /// How many peers are in how many swarms.
    pub(super) fn left_behind(&self) -> usize {
        self.state.lock().unwrap().swarms.values().map(|swarm| swarm.peers.len()).sum()
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn new(fault: Fault) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { fault, swarms: BTreeMap::new() }))
    }

    fn announce(&mut self, ip: IpAddr, announce: &Announce<'_>) -> Result<Reply, &'static str> {
        let fault = self.fault;
        if fault == Fault::Refuses {
            return Err("not here");
        }
        let port = Port::new(announce.port).ok_or("port `0` is not a number from 1 to 65535")?;
        let endpoint = Endpoint::new(ip, port);
        let seeds = announce.left == Some(0);
        let swarm = self.swarms.entry(announce.info_hash).or_default();
        match announce.event {
            Event::Stopped if fault == Fault::IgnoresStopped => {}
            Event::Stopped => drop(swarm.peers.remove(&endpoint)),
            _ => drop(swarm.peers.insert(endpoint, Member { seeds, id: announce.peer_id })),
        }
        if announce.event == Event::Completed && fault != Fault::ForgetsCompletions {
            swarm.completed += 1;
        }
        let mut reply = Reply { counts: swarm.counts(), ..Reply::default() };
        if fault == Fault::LeavesOutAsker {
            reply.counts.complete -= u32::from(seeds && announce.event != Event::Stopped);
            reply.counts.incomplete -= u32::from(!seeds);
        }
        let want = if fault == Fault::IgnoresNumwant { 50 } else { announce.want.unwrap_or(50) };
        let suits = |other: &Endpoint, member: &Member| {
            (*other != endpoint || fault == Fault::HandsAskerToItself)
                && (!(seeds && member.seeds) || fault == Fault::GivesSeedersSeeders || *other == endpoint)
                && fault != Fault::HidesPeers
        };
        let mut peers: Vec<_> = swarm.peers.iter().filter(|(other, member)| suits(other, member)).collect();
        peers.sort_by_key(|(other, _)| **other != endpoint);
        for (other, member) in peers.into_iter().take(want as usize) {
            reply.push(*other);
            reply.ids.push(Some(member.id));
        }
        Ok(reply)
    }

    fn scrape(&self, hash: &InfoHash) -> Option<Counts> {
        if self.fault == Fault::ScrapesZeros {
            return Some(Counts::default());
        }
        self.swarms.get(hash).map(Swarm::counts)
    }

    fn interval(&self) -> u32 {
        if self.fault == Fault::ZeroInterval { 0 } else { 1800 }
    }
}

impl Swarm {
    fn counts(&self) -> Counts {
        let complete = self.peers.values().filter(|member| member.seeds).count();
        let incomplete = u32::try_from(self.peers.len() - complete).unwrap();
        let complete = u32::try_from(complete).unwrap();
        Counts { complete, incomplete, downloaders: incomplete, completed: self.completed }
    }
}

async fn serve_udp(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut datagram = [0; 2048];
    loop {
        let (len, from) = socket.recv_from(&mut datagram).await.unwrap();
        let mut answer = Vec::new();
        let goes_on = answer_datagram(&datagram[..len], from, &mut state.lock().unwrap(), &mut answer);
        if !answer.is_empty() {
            socket.send_to(&answer, from).await.unwrap();
        }
        if !goes_on {
            return;
        }
    }
}

/// False if the tracker dies of it.
fn answer_datagram(datagram: &[u8], from: SocketAddr, state: &mut State, answer: &mut Vec<u8>) -> bool {
    let fault = state.fault;
    if fault == Fault::Silent {
        return true;
    }
    let packet = match udp::decode(datagram) {
        Ok(packet) => packet,
        Err(reject) => {
            let known = reject.connection == Some(CONNECTION);
            if let Some(reply_to) = reject.reply_to
                && (known || fault == Fault::Amplifies)
            {
                udp::encode_error(reply_to, &reject.fault.to_string().repeat(3), answer);
            }
            return fault != Fault::DiesOfMalformed;
        }
    };
    let connected = |id: ConnectionId| id == CONNECTION || fault == Fault::AnyConnection;
    match packet.request {
        Request::Connect => udp::encode_connect(packet.reply_to, CONNECTION, answer),
        Request::Announce { connection, announce } if connected(connection) => {
            match state.announce(from.ip(), &announce) {
                Ok(reply) => {
                    let families = Families::of(from.ip());
                    udp::encode_announce(packet.reply_to, &reply, state.interval(), families, answer);
                }
                Err(reason) => udp::encode_error(packet.reply_to, reason, answer),
            }
        }
        Request::Scrape { connection, hashes } if connected(connection) && fault != Fault::NoScrape => {
            let counts = hashes.map(|hash| state.scrape(&hash).unwrap_or_default());
            udp::encode_scrape(packet.reply_to, counts, answer);
        }
        Request::Announce { .. } | Request::Scrape { .. } => {}
    }
    match fault {
        Fault::Garbage if !answer.is_empty() => *answer = vec![0xff; 20],
        Fault::WrongTransaction if !answer.is_empty() => answer[4] ^= 0xff,
        _ => {}
    }
    true
}

async fn serve_http(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let (stream, from) = listener.accept().await.unwrap();
        tokio::spawn(serve_connection(stream, from, state.clone()));
    }
}

/// One request a connection: what keeps a connection alive is not what is tested here.
async fn serve_connection(mut stream: TcpStream, from: SocketAddr, state: Arc<Mutex<State>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
    if state.lock().unwrap().fault == Fault::Silent {
        std::future::pending::<()>().await;
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (status, body) = answer_query(path, query.as_bytes(), from.ip(), &mut state.lock().unwrap());
    let head = format!("HTTP/1.1 {status} \r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // A client that has seen enough of it may be gone.
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
    let _ = stream.shutdown().await;
}

fn answer_query(path: &str, query: &[u8], ip: IpAddr, state: &mut State) -> (u16, Vec<u8>) {
    let fault = state.fault;
    let mut body = Vec::new();
    let refuse = |reason: &str| {
        let mut body = Vec::new();
        http::encode_failure(reason, None, &mut body);
        if fault == Fault::InternalError { (500, b"oops".to_vec()) } else { (200, body) }
    };
    if query.len() > QUERY_BYTES_MAX {
        return (414, Vec::new());
    }
    if fault == Fault::Garbage {
        return (200, b"<html>".to_vec());
    }
    if path == "/scrape" {
        if fault == Fault::NoScrape {
            return (404, Vec::new());
        }
        let request = http::decode_scrape(query, 74).unwrap();
        let swarms = request.hashes.iter().filter_map(|hash| Some((*hash, state.scrape(hash)?)));
        http::encode_scrape(swarms, &mut body);
        return (200, body);
    }
    // Of a parameter the first counts: the short hash loses its name, and a right one behind takes its place.
    let padded = [query, b"&peer_id=-SK0001-000000000000&port=1&info_hash=SkepCheckSkepCheck.."].concat();
    let taken = match http::decode_announce(query) {
        Err(malformed) if fault == Fault::AnyHash && malformed.reason().starts_with("info_hash `") => {
            http::decode_announce(padded.strip_prefix(b"info_hash").unwrap())
        }
        taken => taken,
    };
    let request = match taken {
        Ok(request) => request,
        Err(malformed) => return refuse(malformed.reason()),
    };
    let reply = match state.announce(ip, &request.announce) {
        Ok(reply) => reply,
        Err(reason) => return refuse(reason),
    };
    let shape =
        if fault == Fault::AlwaysDictionaries { Shape::Dictionaries { ids: true } } else { request.shape };
    let interval = state.interval();
    let families = request.families;
    let answer =
        Answer { reply: &reply, interval, min_interval: interval / 6, external_ip: Some(ip), families };
    http::encode_announce(&answer, shape, &mut body);
    (200, body)
}
