//! The HTTP tracker protocol: announce and scrape (BEP 3, 7, 21, 23, 24, 31, 48).
//!
//! Queries and bodies only: the HTTP around them is the listener's and the client's. A tracker uses
//! [`decode_announce`], [`decode_scrape`] and the `encode_*` functions of an answer; a client uses
//! [`encode_announce_query`], [`encode_scrape_query`], [`decode_announce_reply`] and [`decode_scrape_reply`].
//!
//! How a query is read:
//!
//! - It arrives as bytes, without the `?`, and need not be text. It is scanned once; nothing is allocated.
//! - Parameters that are not known are ignored. Of one that is given twice, the first counts.
//! - In binary values `%XX` is a byte (either case), and every other byte is itself, `+` included: clients that
//!   escape escape it, and those that do not mean it. A `%` without two hexadecimal digits is an error.
//! - An empty value is the same as none (BEP 3 says so of `event`).

mod announce;
mod answer;
mod client;
mod query;
mod scrape;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use swarm::{Families, InfoHash, Reply};

use crate::Announce;

pub use announce::decode_announce;
pub use answer::{encode_announce, encode_failure, encode_scrape};
pub use client::{
    AnnounceAnswer, AnnounceReply, Failure, REPLY_BYTES_MAX, ScrapeAnswer, ScrapeReply,
    decode_announce_reply, decode_scrape_reply, encode_announce_query, encode_announce_query_shaped,
    encode_scrape_query,
};
pub use scrape::decode_scrape;

/// Longest query that is read, in bytes.
pub const QUERY_BYTES_MAX: usize = 8 * 1024;

/// An announce, and how its answer should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// What the client says. Its `key` is as it stood in the query; its passkey is not in the query but in the path,
    /// where [`crate::passkey`] finds it.
    pub announce: Announce<'a>,
    /// How it wants the peers.
    pub shape: Shape,
    /// Which peers can be told in this protocol: those of both families.
    pub families: Families,
}

/// How the peers of an answer are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As strings of 6 and 18 bytes a peer (BEP 23, BEP 7): what everybody gets who does not ask otherwise.
    Compact,
    /// As a list of dictionaries (BEP 3), asked for by `compact=0`.
    Dictionaries {
        /// Whether they hold the peers' ids; `no_peer_id=1` asks to leave them out.
        ids: bool,
    },
}

/// What an announce is answered.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Counts and peers.
    pub reply: &'a Reply,
    /// When to announce again, in seconds.
    pub interval: u32,
    /// Not to announce before, in seconds.
    pub min_interval: u32,
    /// Where the tracker saw the client come from (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// Which peers to tell.
    pub families: Families,
}

/// Which swarms' counts are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrapeRequest {
    /// Sorted, each once. None at all asks for every swarm (BEP 48), which is the tracker's to refuse.
    pub hashes: Vec<InfoHash>,
    /// Whether the answer should be JSON (`format=json`).
    pub json: bool,
}

/// When a refused client may try again (BEP 31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryIn {
    /// After so many minutes.
    Minutes(u32),
    /// Not at all.
    Never,
}
