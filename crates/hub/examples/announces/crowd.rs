//! A crowd that announces, for the benchmarks inside a hub.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::Config;
use hub::listener::udp::{ConnectionIds, Service};
use hub::tracker::{Events, Tracker};
use swarm::{Event, Families, InfoHash, PeerId};
use wire::udp::{ConnectionId, ReplyBody, decode_reply, encode_announce_request, encode_connect_request};

/// Datagrams that are answered between two looks at the clock, as a busy socket gives them.
pub(super) const BATCH: u32 = 64;

/// Bytes of an announce (BEP 15).
const ANNOUNCE_BYTES: usize = 98;

/// A prime far from all else: announces come in an order in which none is near the one before.
const STRIDE: u64 = 2_654_435_761;

/// Announces of the crowd between two looks after the house.
const HOUSEKEEPING_EACH: u32 = 1_024 * BATCH;

/// Nobody to tell of anything.
pub(super) struct Deaf;

impl Events for Deaf {
    fn completed(&self, _: InfoHash, _: u32) {}
}

/// Who announces what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) torrents: u32,
    pub(super) peers: u32,
    pub(super) is_ipv6: bool,
}

/// Datagrams one after another, each with its sender.
#[derive(Default)]
pub(super) struct Recording {
    bytes: Vec<u8>,
    senders: Vec<IpAddr>,
}

impl Recording {
    /// Announces of `who`, which `service` is going to answer.
    pub(super) fn of(load: Load, who: impl Iterator<Item = u32>, service: &mut Service) -> Self {
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

    /// `count` announces from all over the crowd, in one of many orders.
    pub(super) fn scattered(load: Load, count: u32, order: u32, service: &mut Service) -> Self {
        let everybody = u64::from(load.everybody());
        let start = everybody / 7 * u64::from(order);
        let nth = |n: u32| u32::try_from((u64::from(n) + start) * STRIDE % everybody).unwrap();
        Self::of(load, (0..count).map(nth), service)
    }

    /// All datagrams with their senders, as many at a time as a socket gives.
    pub(super) fn batches(&self) -> impl Iterator<Item = impl Iterator<Item = (&[u8], IpAddr)> + Clone> {
        let datagrams = self.bytes.chunks(BATCH as usize * ANNOUNCE_BYTES);
        let senders = self.senders.chunks(BATCH as usize);
        datagrams
            .zip(senders)
            .map(|(datagrams, senders)| datagrams.chunks(ANNOUNCE_BYTES).zip(senders.iter().copied()))
    }

    /// Has all datagrams answered; how many bytes the answers have.
    pub(super) fn answer(&self, service: &mut Service, out: &mut Vec<u8>) -> usize {
        let mut bytes = 0;
        for batch in self.batches() {
            service.tick();
            out.clear();
            service.prefetch(batch.clone().map(|(datagram, _)| datagram));
            for (datagram, sender) in batch {
                service.answer(datagram, sender, out);
            }
            bytes += black_box(&*out).len();
        }
        bytes
    }
}

impl Load {
    /// Everything smaller, where it is only to be seen that it runs.
    pub(super) fn scaled(self, is_quick: bool) -> Self {
        let scale = if is_quick { 100 } else { 1 };
        match self.torrents {
            1 => Self { peers: self.peers / scale, ..self },
            _ => Self { torrents: self.torrents / scale, ..self },
        }
    }

    /// How many peers there are in all.
    pub(super) fn everybody(self) -> u32 {
        self.torrents * self.peers
    }

    /// Has everybody announce once.
    pub(super) fn come(self, tracker: &Tracker, service: &mut Service) {
        let mut out = Vec::new();
        for first in (0..self.everybody()).step_by(BATCH as usize) {
            let batch = Recording::of(self, first..self.everybody().min(first + BATCH), service);
            batch.answer(service, &mut out);
            // As each second would: a crowd in one swarm is given memory as it grows.
            if first.is_multiple_of(HOUSEKEEPING_EACH) {
                tracker.housekeep();
            }
        }
    }

    pub(super) fn ip(self, peer: u32) -> IpAddr {
        if self.is_ipv6 {
            Ipv6Addr::from((0x2001_0db8_u128 << 96) | (u128::from(peer) << 64) | 1).into()
        } else {
            Ipv4Addr::from(0x0b00_0000 + peer).into()
        }
    }

    pub(super) fn announce(self, peer: u32) -> wire::Announce<'static> {
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

/// Does nothing but count, for as long as another thread is measured beside it.
pub(super) fn count_for(span: Duration) {
    let began = Instant::now();
    while began.elapsed() < span {
        black_box(began.elapsed());
    }
}

/// The middle one, and with the least and the greatest in words.
pub(super) fn median(mut took: Vec<f64>, decimals: usize) -> (f64, String) {
    took.sort_unstable_by(f64::total_cmp);
    let [least, middle, greatest] = [0, took.len() / 2, took.len() - 1].map(|at| took[at]);
    (middle, format!("{middle:.decimals$} ({least:.decimals$}–{greatest:.decimals$})"))
}

/// A tracker as it is without a configuration, and empty.
pub(super) fn empty() -> Arc<Tracker> {
    Arc::new(Tracker::new(&Config::default().tracker, Box::new(Deaf)))
}

/// What answers datagrams from `tracker`.
pub(super) fn service(tracker: &Arc<Tracker>) -> Service {
    Service::new(tracker.clone(), ConnectionIds::random())
}

/// The hash of the nth torrent, as if it were one of SHA-1 (by SplitMix64).
pub(super) fn hash(torrent: u32) -> InfoHash {
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
