//! What a tracker answers. Each function appends one datagram to `out`.

use swarm::{Counts, Families, Reply};

use super::{ACTION_ANNOUNCE, ACTION_CONNECT, ACTION_ERROR, ACTION_SCRAPE, ConnectionId, ReplyTo};

/// Answers a connect request: 16 bytes.
pub fn encode_connect(reply_to: ReplyTo, connection: ConnectionId, out: &mut Vec<u8>) {
    head(ACTION_CONNECT, reply_to, out);
    out.extend_from_slice(&connection.0.to_be_bytes());
}

/// Answers an announce: 20 bytes, and 6 for each IPv4 peer or 18 for each IPv6 peer. `interval` is in seconds;
/// `families` is that of the socket, which alone says how long a peer is. (Of `Both` only IPv4 could be told.)
pub fn encode_announce(
    reply_to: ReplyTo,
    reply: &Reply,
    interval: u32,
    families: Families,
    out: &mut Vec<u8>,
) {
    let peers = match families {
        Families::V6 => &reply.v6,
        Families::V4 | Families::Both => &reply.v4,
    };
    out.reserve(20 + peers.len());
    head(ACTION_ANNOUNCE, reply_to, out);
    out.extend_from_slice(&interval.to_be_bytes());
    out.extend_from_slice(&reply.counts.incomplete.to_be_bytes());
    out.extend_from_slice(&reply.counts.complete.to_be_bytes());
    out.extend_from_slice(peers);
}

/// Answers a scrape: 8 bytes, and 12 for each swarm in the order in which they were asked for.
pub fn encode_scrape(reply_to: ReplyTo, counts: impl Iterator<Item = Counts>, out: &mut Vec<u8>) {
    head(ACTION_SCRAPE, reply_to, out);
    for Counts { complete, completed, incomplete, downloaders: _ } in counts {
        out.extend_from_slice(&complete.to_be_bytes());
        out.extend_from_slice(&completed.to_be_bytes());
        out.extend_from_slice(&incomplete.to_be_bytes());
    }
}

/// Answers with an error in words for a person: 8 bytes and the text.
pub fn encode_error(reply_to: ReplyTo, reason: &str, out: &mut Vec<u8>) {
    head(ACTION_ERROR, reply_to, out);
    out.extend_from_slice(reason.as_bytes());
}

fn head(action: u32, reply_to: ReplyTo, out: &mut Vec<u8>) {
    out.extend_from_slice(&action.to_be_bytes());
    out.extend_from_slice(&reply_to.0.to_be_bytes());
}
