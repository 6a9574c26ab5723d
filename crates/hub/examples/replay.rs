//! What an announce over UDP costs without its sockets: recorded datagrams through decoder, tracker and encoder.
//!
//! `cargo xtask bench replay` runs it, for the time by itself and for the instructions in Valgrind.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is wrong")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use hub::Config;
use hub::listener::udp::{ConnectionIds, Service};
use hub::tracker::{Events, Tracker};
use swarm::{Event, Families, InfoHash, PeerId};
use wire::udp::{ConnectionId, ReplyBody, decode_reply, encode_announce_request, encode_connect_request};

/// Datagrams that are answered between two looks at the clock, as a busy socket gives them.
const BATCH: u32 = 64;

/// Bytes of an announce (BEP 15).
const ANNOUNCE_BYTES: usize = 98;

/// A prime far from all else: the measured announces come in an order in which none is near the one before.
const STRIDE: u64 = 2_654_435_761;

/// Announces of the crowd between two looks after the house.
const HOUSEKEEPING_EACH: u32 = 1_024 * BATCH;

struct Deaf;

impl Events for Deaf {
    fn completed(&self, _: InfoHash, _: u32) {}
}

/// Who announces what.
#[derive(Debug, Clone, Copy)]
struct Load {
    torrents: u32,
    peers: u32,
    is_ipv6: bool,
}

/// Datagrams one after another, each with its sender.
#[derive(Default)]
struct Recording {
    bytes: Vec<u8>,
    senders: Vec<IpAddr>,
}

/// `replay TORRENTS PEERS ANNOUNCES ipv4|ipv6`: everybody announces once, then so many are measured.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [torrents, peers, count, family] = &arguments[..] else { panic!("{arguments:?}") };
    let load = Load {
        torrents: torrents.parse().unwrap(),
        peers: peers.parse().unwrap(),
        is_ipv6: family == "ipv6",
    };
    let count: u32 = count.parse().unwrap();
    let tracker = Arc::new(Tracker::new(&Config::default().tracker, Box::new(Deaf)));
    let mut service = Service::new(tracker.clone(), ConnectionIds::random());
    let everybody = load.torrents * load.peers;
    let mut out = Vec::new();
    for first in (0..everybody).step_by(BATCH as usize) {
        let batch = Recording::of(load, first..everybody.min(first + BATCH), &mut service);
        answer(&batch, &mut service, &mut out);
        // As each second would: a crowd in one swarm is given memory as it grows.
        if first.is_multiple_of(HOUSEKEEPING_EACH) {
            tracker.housekeep();
        }
    }
    let nth = |n: u32| u32::try_from(u64::from(n) * STRIDE % u64::from(everybody)).unwrap();
    let measured = Recording::of(load, (0..count).map(nth), &mut service);
    let began = Instant::now();
    let bytes = measured_announces(&measured, &mut service, &mut out);
    let nanos = began.elapsed().as_nanos();
    let stats = tracker.stats();
    assert_eq!(stats.population.peers(), everybody as usize, "everybody is there, and once");
    println!(
        "{{\"announces\": {count}, \"nanos\": {nanos}, \"reply_bytes\": {bytes}, \"memory_bytes\": {}}}",
        stats.memory_bytes
    );
}

/// What is measured. Valgrind knows it by its name.
#[inline(never)]
fn measured_announces(recording: &Recording, service: &mut Service, out: &mut Vec<u8>) -> usize {
    answer(recording, service, out)
}

/// Answers all datagrams; how many bytes the answers have.
fn answer(recording: &Recording, service: &mut Service, out: &mut Vec<u8>) -> usize {
    let batch = BATCH as usize;
    let datagrams = recording.bytes.chunks(batch * ANNOUNCE_BYTES);
    let mut bytes = 0;
    for (datagrams, senders) in datagrams.zip(recording.senders.chunks(batch)) {
        service.tick();
        out.clear();
        service.prefetch(datagrams.chunks(ANNOUNCE_BYTES));
        for (datagram, sender) in datagrams.chunks(ANNOUNCE_BYTES).zip(senders) {
            service.answer(datagram, *sender, out);
        }
        bytes += black_box(&*out).len();
    }
    bytes
}

impl Recording {
    fn of(load: Load, who: impl Iterator<Item = u32>, service: &mut Service) -> Self {
        let mut recording = Self::default();
        let mut datagram = Vec::new();
        for peer in who {
            let ip = load.ip(peer);
            let announce = load.announce(peer);
            datagram.clear();
            encode_announce_request(peer, connect(ip, service), &announce, b"", &mut datagram);
            assert_eq!(datagram.len(), ANNOUNCE_BYTES);
            recording.bytes.extend_from_slice(&datagram);
            recording.senders.push(ip);
        }
        recording
    }
}

impl Load {
    fn ip(self, peer: u32) -> IpAddr {
        if self.is_ipv6 {
            Ipv6Addr::from((0x2001_0db8_u128 << 96) | (u128::from(peer) << 64) | 1).into()
        } else {
            Ipv4Addr::from(0x0b00_0000 + peer).into()
        }
    }

    fn announce(self, peer: u32) -> wire::Announce<'static> {
        let mut peer_id = *b"-SK0100-000000000000";
        peer_id[16..].copy_from_slice(&peer.to_be_bytes());
        wire::Announce {
            info_hash: hash(peer / self.peers),
            peer_id: PeerId(peer_id),
            port: 6881,
            stated_ip: None,
            uploaded: 0,
            downloaded: 0,
            // A fifth of them have everything.
            left: Some(u64::from(!(peer % self.peers).is_multiple_of(5))),
            event: Event::Update,
            want: None,
            key: None,
            passkey: None,
        }
    }
}

/// The hash of the nth torrent, as if it were one of SHA-1 (by SplitMix64).
fn hash(torrent: u32) -> InfoHash {
    let mut bytes = [0; InfoHash::LEN];
    for (at, chunk) in bytes.chunks_mut(8).enumerate() {
        let mut word = (u64::from(torrent) << 2 | at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
    }
    InfoHash(bytes)
}

fn connect(ip: IpAddr, service: &mut Service) -> ConnectionId {
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    encode_connect_request(1, &mut request);
    service.answer(&request, ip, &mut answer);
    match decode_reply(&answer, Families::V4).map(|reply| reply.body) {
        Ok(ReplyBody::Connect(id)) => id,
        other => panic!("a connect request is answered with {other:?}"),
    }
}
