//! A datagram in, a datagram out. No sockets here.

use std::net::IpAddr;
use std::sync::Arc;

use swarm::{Families, Stage};
use wire::udp::{self, ConnectionId, Packet, Reject, ReplyTo, Request};

use super::connection_id::ConnectionIds;
use crate::tracker::{Asker, Counters, Metric, Tracker, Worker};

/// What a client with a wrong connection id is told. Its request must be as long at least.
const CONNECTION_ID_INVALID: &str = "connect again";

/// Bytes of an error before its text (BEP 15).
const ERROR_HEAD_BYTES: usize = 8;

/// Answers datagrams; each serving thread has one.
pub struct Service {
    tracker: Arc<Tracker>,
    connections: ConnectionIds,
    worker: Worker,
}

impl Service {
    /// Answers from `tracker` those who show one of `connections`.
    #[must_use]
    pub fn new(tracker: Arc<Tracker>, connections: ConnectionIds) -> Self {
        Self { worker: tracker.worker(), tracker, connections }
    }

    /// Looks at the clock; called once for each batch.
    pub fn tick(&mut self) {
        self.worker.tick(&self.tracker);
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.worker.counters
    }

    /// Has the memory fetched that the answers to `datagrams` will need. Called once for each batch, before the answers.
    pub fn prefetch<'a>(&self, datagrams: impl Iterator<Item = &'a [u8]> + Clone) {
        let hashes = datagrams.filter_map(udp::announced);
        for stage in Stage::ALL {
            hashes.clone().for_each(|hash| self.tracker.prefetch(&hash, stage));
        }
    }

    /// Appends the answer to `datagram` to `out`; nothing, if it is better left unanswered.
    pub fn answer(&mut self, datagram: &[u8], from: IpAddr, out: &mut Vec<u8>) {
        match udp::decode(datagram) {
            Ok(Packet { reply_to, request: Request::Connect }) => {
                // Whoever asks for too many may be somebody whose address others write: no answer is the best.
                if self.tracker.admit_connect(from, &self.worker) {
                    self.worker.counters.add(Metric::Connects, 1);
                    udp::encode_connect(reply_to, self.connections.give(from, self.worker.now()), out);
                }
            }
            Ok(Packet { reply_to, request: Request::Announce { connection, announce } }) => {
                if self.known(connection, from) {
                    self.announce(reply_to, &announce, from, out);
                } else {
                    self.turn_away(reply_to, datagram.len(), out);
                }
            }
            Ok(Packet { reply_to, request: Request::Scrape { connection, hashes } }) => {
                if !self.known(connection, from) {
                    self.turn_away(reply_to, datagram.len(), out);
                } else if let Err(refusal) = self.tracker.admit_scrape(None, from, &self.worker) {
                    // A scrape over UDP has no place for a passkey.
                    udp::encode_error(reply_to, &refusal.to_string(), out);
                } else {
                    self.worker.counters.add(Metric::ScrapesUdp, 1);
                    let counts = |hash| self.tracker.scrape(&hash).unwrap_or_default();
                    udp::encode_scrape(reply_to, hashes.map(counts), out);
                }
            }
            Err(reject) => self.reject(&reject, datagram.len(), from, out),
        }
    }

    fn announce(
        &mut self,
        reply_to: ReplyTo,
        announce: &wire::Announce<'_>,
        from: IpAddr,
        out: &mut Vec<u8>,
    ) {
        let families = Families::of(from);
        let announce =
            &wire::Announce { want: announce.want.map(|want| want.min(peers_max(families))), ..*announce };
        let asker = Asker { ip: from, families, ids: false, user_agent: None };
        match self.tracker.announce(&asker, announce, &mut self.worker) {
            Ok(answer) => {
                let metric =
                    if families == Families::V6 { Metric::AnnouncesUdp6 } else { Metric::AnnouncesUdp4 };
                self.worker.counters.add(metric, 1);
                udp::encode_announce(reply_to, &self.worker.reply, answer.interval_secs, families, out);
            }
            Err(refusal) => udp::encode_error(reply_to, &refusal.to_string(), out),
        }
    }

    fn known(&self, connection: ConnectionId, from: IpAddr) -> bool {
        self.connections.is_valid(connection, from, self.worker.now())
    }

    /// The sender has not shown that it receives what is sent to its address. It may be somebody else's: the answer
    /// is no longer than what came.
    fn turn_away(&self, reply_to: ReplyTo, request_bytes: usize, out: &mut Vec<u8>) {
        self.worker.counters.add(Metric::ConnectionIdInvalid, 1);
        error_of_at_most(request_bytes, reply_to, CONNECTION_ID_INVALID, out);
    }

    fn reject(&self, reject: &Reject, request_bytes: usize, from: IpAddr, out: &mut Vec<u8>) {
        self.worker.counters.add(Metric::Malformed, 1);
        let Some(reply_to) = reject.reply_to else { return };
        let proven = reject.connection.is_some_and(|connection| self.known(connection, from));
        let bytes_max = if proven { usize::MAX } else { request_bytes };
        error_of_at_most(bytes_max, reply_to, reject.fault.reason(), out);
    }
}

/// How many peers a datagram holds that need not be split on its way: an Ethernet frame's 1,500 bytes less the heads of
/// IP and UDP and the answer's 20 bytes.
const fn peers_max(families: Families) -> u32 {
    match families {
        Families::V4 => (1_500 - 20 - 8 - 20) / 6,
        Families::V6 | Families::Both => (1_500 - 40 - 8 - 20) / 18,
    }
}

fn error_of_at_most(bytes_max: usize, reply_to: ReplyTo, reason: &str, out: &mut Vec<u8>) {
    let room = bytes_max.saturating_sub(ERROR_HEAD_BYTES);
    let mut end = reason.len().min(room);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    udp::encode_error(reply_to, &reason[..end], out);
}
