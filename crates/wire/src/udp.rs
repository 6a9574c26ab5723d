//! The UDP tracker protocol (BEP 15) with its options (BEP 41).
//!
//! A tracker uses [`decode`] and the four `encode_*` functions of an answer; a client uses [`encode_connect_request`],
//! [`encode_announce_request`], [`encode_scrape_request`] and [`decode_reply`]. All integers are big-endian, and
//! bytes after those that a message needs are tolerated, as BEP 15 asks.

mod answer;
mod client;
mod options;
mod request;
#[cfg(test)]
mod tests;

use swarm::InfoHash;

use crate::{Announce, Malformed};

pub use answer::{encode_announce, encode_connect, encode_error, encode_scrape};
pub use client::{
    CountsIn, PeersIn, Reply, ReplyBody, decode_reply, encode_announce_request, encode_connect_request,
    encode_scrape_request,
};
pub use request::{announced, decode};

/// How many info hashes one scrape may name (BEP 15: "up to about 74").
pub const SCRAPE_HASHES_MAX: usize = 74;

/// The number by which a connect request says that it speaks this protocol (BEP 15).
const PROTOCOL_ID: u64 = 0x0417_2710_1980;

/// Bytes of a connect request, and of the head that every request begins with.
const HEAD_BYTES: usize = 16;

/// Bytes of an announce request without options.
const ANNOUNCE_BYTES: usize = 98;

const ACTION_CONNECT: u32 = 0;
const ACTION_ANNOUNCE: u32 = 1;
const ACTION_SCRAPE: u32 = 2;
const ACTION_ERROR: u32 = 3;

/// What a tracker gave a client at its connect request, and wants to see again: proof of the source address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

/// What an answer must carry for its client to recognise it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplyTo(u32);

/// A well-formed datagram from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// To whom the answer is addressed.
    pub reply_to: ReplyTo,
    /// What is asked.
    pub request: Request<'a>,
}

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// To be given a connection id.
    Connect,
    /// To be listed, and told of others.
    Announce {
        /// The connection id it was given; not checked yet.
        connection: ConnectionId,
        /// What it says.
        announce: Announce<'a>,
    },
    /// For the counts of some swarms.
    Scrape {
        /// The connection id it was given; not checked yet.
        connection: ConnectionId,
        /// Which swarms: 1 to [`SCRAPE_HASHES_MAX`].
        hashes: Hashes<'a>,
    },
}

/// A datagram that is no request, and what may be done about it.
///
/// An error that is sent back must not be longer than the datagram unless `connection` proves its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// To whom an error may be addressed. `None` asks for silence: the datagram is too short to be answered, or its
    /// action is none that a client sends. (An error in answer to what may itself be an error could go round between
    /// two trackers for ever.)
    pub reply_to: Option<ReplyTo>,
    /// The connection id that it carries, if its action has one; not checked yet.
    pub connection: Option<ConnectionId>,
    /// What is wrong with it.
    pub fault: Malformed,
}

/// The info hashes of a scrape, read from the datagram as they are asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Hashes<'a>(&'a [[u8; InfoHash::LEN]]);

impl Iterator for Hashes<'_> {
    type Item = InfoHash;

    fn next(&mut self) -> Option<InfoHash> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(InfoHash(*first))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for Hashes<'_> {}

impl std::fmt::Debug for Hashes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
