//! Whole loads against small trackers made here, right ones and wrong ones.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use swarm::{Counts, Event, Families, InfoHash, Reply};
use wire::http::Shape;
use wire::udp::{ConnectionId, Request};

use super::*;

/// How a tracker errs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Right,
    /// Hands the asker to itself.
    Mirror,
    /// Refuses every announce.
    Refuse,
    /// Says nothing to every seventh request, or closes its connection; who asks again is answered.
    Forget,
    /// Answers connects, then nothing.
    Mute,
    /// Refuses who does not show the one passkey there is.
    Members,
}

/// Who is where, kept as naively as can be: whether each endpoint is a seeder.
#[derive(Default)]
struct Swarms(HashMap<InfoHash, BTreeMap<(Ipv4Addr, u16), bool>>);

impl Swarms {
    fn announce(&mut self, ip: Ipv4Addr, announce: &wire::Announce<'_>, manner: Manner) -> Reply {
        let swarm = self.0.entry(announce.info_hash).or_default();
        let ip = announce
            .stated_ip
            .map_or(ip, |ip| if let IpAddr::V4(ip) = ip { ip } else { Ipv4Addr::LOCALHOST });
        let asker = (ip, announce.port);
        if announce.event == Event::Stopped {
            swarm.remove(&asker);
        } else {
            swarm.insert(asker, announce.left == Some(0));
        }
        let mut reply = Reply { counts: counts(swarm), ..Reply::default() };
        let want = announce.want.map_or(50, |want| want as usize);
        let others = swarm.keys().filter(|peer| **peer != asker || manner == Manner::Mirror);
        for (ip, port) in others.take(want) {
            reply.v4.extend_from_slice(&ip.octets());
            reply.v4.extend_from_slice(&port.to_be_bytes());
        }
        reply
    }

    fn counts(&self, hash: InfoHash) -> Counts {
        self.0.get(&hash).map(counts).unwrap_or_default()
    }
}

fn counts(swarm: &BTreeMap<(Ipv4Addr, u16), bool>) -> Counts {
    let complete = swarm.values().filter(|seeds| **seeds).count();
    let [complete, incomplete] =
        [complete, swarm.len() - complete].map(|count| u32::try_from(count).unwrap());
    Counts { complete, incomplete, downloaders: incomplete, completed: 0 }
}

/// Which requests were heard before, so that none is forgotten twice.
#[derive(Default)]
struct Memory(HashSet<Vec<u8>>);

impl Memory {
    fn forgets(&mut self, request: &[u8]) -> bool {
        self.0.insert(request.to_vec()) && self.0.len().is_multiple_of(7)
    }
}

/// A tracker in a thread, ended with the test.
struct Tracker {
    url: String,
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Tracker {
    fn udp(manner: Manner) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let url = format!("udp://{}", socket.local_addr().unwrap());
        Self::start(url, move |over| {
            let mut swarms = Swarms::default();
            let mut datagram = [0; 2048];
            let mut memory = Memory::default();
            while !over.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut datagram) else { continue };
                let mut out = Vec::new();
                answer(&datagram[..length], from, &mut swarms, manner, &mut out);
                // The transaction id, different at each try, is left out.
                let request = [from.to_string().as_bytes(), &datagram[16..length]].concat();
                if !out.is_empty() && (manner != Manner::Forget || !memory.forgets(&request)) {
                    socket.send_to(&out, from).unwrap();
                }
            }
        })
    }

    fn http(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/announce", listener.local_addr().unwrap());
        Self::start(url, move |over| {
            listener.set_nonblocking(true).unwrap();
            let mut swarms = Swarms::default();
            let mut connections: Vec<(TcpStream, Ipv4Addr)> = Vec::new();
            let mut memory = Memory::default();
            while !over.load(Ordering::Relaxed) {
                while let Ok((stream, from)) = listener.accept() {
                    stream.set_nonblocking(true).unwrap();
                    let IpAddr::V4(ip) = from.ip() else { panic!("{from}") };
                    connections.push((stream, ip));
                }
                connections.retain_mut(|(stream, ip)| {
                    let mut request = [0; 4096];
                    match stream.read(&mut request) {
                        Ok(0) => false,
                        Ok(length) => {
                            let text = &request[..length];
                            if manner == Manner::Forget && memory.forgets(text) {
                                return false;
                            }
                            stream.write_all(&respond(text, *ip, &mut swarms, manner)).unwrap();
                            !String::from_utf8_lossy(text).contains("Connection: close")
                        }
                        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
                    }
                });
                thread::yield_now();
            }
        })
    }

    fn start(url: String, serve: impl FnOnce(&AtomicBool) + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&over);
        Self { url, over, thread: Some(thread::spawn(move || serve(&flag))) }
    }
}

fn answer(datagram: &[u8], from: SocketAddr, swarms: &mut Swarms, manner: Manner, out: &mut Vec<u8>) {
    let packet = wire::udp::decode(datagram).unwrap();
    let IpAddr::V4(ip) = from.ip() else { panic!("{from}") };
    match packet.request {
        Request::Connect => wire::udp::encode_connect(packet.reply_to, ConnectionId(77), out),
        _ if manner == Manner::Mute => (),
        Request::Announce { connection, announce } => {
            assert_eq!(connection, ConnectionId(77));
            if manner == Manner::Refuse {
                return wire::udp::encode_error(packet.reply_to, "not today", out);
            }
            if manner == Manner::Members && announce.passkey != Some(b"s3cret") {
                return wire::udp::encode_error(packet.reply_to, "members only", out);
            }
            let reply = swarms.announce(ip, &announce, manner);
            wire::udp::encode_announce(packet.reply_to, &reply, 1800, Families::V4, out);
        }
        Request::Scrape { hashes, .. } => {
            wire::udp::encode_scrape(packet.reply_to, hashes.map(|hash| swarms.counts(hash)), out);
        }
    }
}

fn respond(request: &[u8], ip: Ipv4Addr, swarms: &mut Swarms, manner: Manner) -> Vec<u8> {
    let target = request.split(|byte| *byte == b' ').nth(1).unwrap();
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    let (path, query) = (parts.next().unwrap(), parts.next().unwrap());
    let mut body = Vec::new();
    if manner == Manner::Refuse {
        wire::http::encode_failure("not today", None, &mut body);
    } else if path == b"/announce" {
        let request = wire::http::decode_announce(query).unwrap();
        let reply = swarms.announce(ip, &request.announce, manner);
        let answer = wire::http::Answer {
            reply: &reply,
            interval: 1800,
            min_interval: 300,
            external_ip: None,
            families: Families::Both,
        };
        wire::http::encode_announce(&answer, Shape::Compact, &mut body);
    } else {
        let hashes = wire::http::decode_scrape(query, 74).unwrap().hashes;
        wire::http::encode_scrape(hashes.into_iter().map(|hash| (hash, swarms.counts(hash))), &mut body);
    }
    let mut whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    whole.extend_from_slice(&body);
    whole
}

/// A load that ends by count, long before the time or a time-out.
fn load(tracker: &Tracker, change: impl FnOnce(&mut Options)) -> Result<Summary, LoadError> {
    let mut options = Options {
        torrents: 20,
        peers: 7,
        sockets: 3,
        window: 8,
        connections: 6,
        fill: true,
        count: Some(500),
        time: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
        want: Some(10),
        verify: true,
        ..Options::new(&tracker.url)
    };
    change(&mut options);
    run(&options, |_| ())
}

#[test]
fn a_right_tracker_is_found_right() {
    for (tracker, connects) in [(Tracker::udp(Manner::Right), 0.1), (Tracker::http(Manner::Right), 0.0)] {
        let summary = load(&tracker, |options| {
            options.mix = Mix { scrape: 0.2, connect: connects, stop: 0.0 };
            options.zipf = Some(1.0);
        });
        let summary = summary.unwrap();
        assert!(summary.is_clean(), "{summary}");
        assert_eq!(summary.fill.unwrap().replies, 140);
        let measured = summary.measured.unwrap();
        assert!(measured.replies >= 500 && measured.latency.p50 > 0.0 && measured.rate > 0.0);
        assert!(measured.latency.p50 <= measured.latency.p99 && measured.latency.p99 <= measured.latency.max);
    }
}

#[test]
fn fewer_peers_than_addresses_keep_each_to_their_own() {
    for tracker in [Tracker::udp(Manner::Right), Tracker::http(Manner::Right)] {
        let summary = load(&tracker, |options| (options.torrents, options.peers) = (1, 2)).unwrap();
        assert!(summary.is_clean(), "{summary}");
    }
}

#[test]
fn churn_and_stated_addresses_are_understood() {
    for tracker in [Tracker::udp(Manner::Right), Tracker::http(Manner::Right)] {
        let summary = load(&tracker, |options| {
            options.mix.stop = 0.3;
            options.stated_ip = true;
            options.peers = 30;
        });
        let summary = summary.unwrap();
        assert!(summary.is_clean(), "{summary}");
    }
}

#[test]
fn a_tracker_that_hands_out_the_asker_is_found_wrong() {
    for tracker in [Tracker::udp(Manner::Mirror), Tracker::http(Manner::Mirror)] {
        let summary = load(&tracker, |_| ()).unwrap();
        assert!(!summary.is_clean());
        assert_eq!(summary.measured.unwrap().faults[0].what, "the asker itself");
    }
}

#[test]
fn refusals_are_counted_in_the_trackers_words() {
    for tracker in [Tracker::udp(Manner::Refuse), Tracker::http(Manner::Refuse)] {
        let summary = load(&tracker, |options| options.count = Some(0)).unwrap();
        let fill = summary.fill.unwrap();
        assert_eq!((fill.errors, fill.replies), (140, 0));
        assert_eq!((fill.error_texts[0].what.as_str(), fill.error_texts[0].count), ("not today", 140));
    }
}

#[test]
fn a_members_address_over_udp_shows_the_passkey() {
    let tracker = Tracker::udp(Manner::Members);
    let summary = load(&tracker, |options| options.target += "/s3cret/announce").unwrap();
    assert!(summary.is_clean(), "{summary}");
    let summary = load(&tracker, |_| ()).unwrap();
    assert_eq!(summary.measured.unwrap().replies, 0);
}

#[test]
fn everybody_is_announced_although_answers_get_lost() {
    for tracker in [Tracker::udp(Manner::Forget), Tracker::http(Manner::Forget)] {
        let summary = load(&tracker, |options| {
            options.count = Some(0);
            options.timeout = Duration::from_millis(200);
        });
        let fill = summary.unwrap().fill.unwrap();
        assert_eq!(fill.replies, 140, "{fill}");
        // Six connections, one more for each that was closed instead of answered.
        assert!(fill.lost > 0 || fill.connections > 6, "{fill}");
    }
}

#[test]
fn a_mute_tracker_is_given_up() {
    let tracker = Tracker::udp(Manner::Mute);
    let error = load(&tracker, |options| options.timeout = Duration::from_millis(20)).unwrap_err();
    assert!(error.to_string().contains("answers nothing"), "{error}");
}

#[test]
fn a_closed_port_is_given_up() {
    // Held by sockets that answer nobody, so that no other test is handed the ports: one that hears another address
    // only, and one that does not listen.
    let deaf = UdpSocket::bind("127.0.0.1:0").unwrap();
    deaf.connect("127.0.0.1:9").unwrap();
    let mute = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    mute.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let mute_at = mute.local_addr().unwrap().as_socket().unwrap();
    let urls = [format!("udp://{}", deaf.local_addr().unwrap()), format!("http://{mute_at}/announce")];
    for url in urls {
        let options = Options { fill: true, timeout: Duration::from_millis(20), ..Options::new(&url) };
        let error = run(&options, |_| ()).unwrap_err();
        assert!(error.to_string().starts_with(&url), "{error}");
    }
}

#[test]
fn a_given_rate_is_kept() {
    for tracker in [Tracker::udp(Manner::Right), Tracker::http(Manner::Right)] {
        let summary = load(&tracker, |options| {
            options.rate = Some(50_000.0);
            options.count = Some(1_000);
        });
        let measured = summary.unwrap().measured.unwrap();
        // The last request is due after 19.98 ms, whatever the machine does.
        assert!(measured.replies >= 1_000 && measured.seconds > 0.0199, "{measured}");
    }
}

#[test]
fn hashes_are_those_announced() {
    let options = Options { torrents: 3, ..Options::new("") };
    let mut text = Vec::new();
    write_hashes(&options, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let population = Population::new(&options, 1).unwrap();
    let hashes: Vec<InfoHash> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(hashes, [0, 1, 2].map(|torrent| population.hash(torrent)));
}

#[test]
fn senseless_options_are_refused_in_words() {
    let refused = |change: &dyn Fn(&mut Options), words: &str| {
        let mut options = Options::new("udp://127.0.0.1:9");
        change(&mut options);
        let said = run(&options, |_| ()).unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    };
    refused(&|options| options.torrents = 0, "torrents `0`");
    refused(&|options| options.window = 40_000, "window `40000` is out of range; give 1 to 32768");
    refused(&|options| options.seeders = 1.5, "seeders `1.5` is not a share");
    refused(&|options| options.mix = Mix { scrape: 0.6, connect: 0.6, stop: 0.0 }, "the sum of");
    refused(&|options| options.rate = Some(0.0), "rate `0`");
    refused(&|options| options.zipf = Some(f64::NAN), "zipf `NaN`");
    refused(&|options| options.timeout = Duration::ZERO, "timeout");
}
