//! The client's half: requests as it sends them, answers as it reads them.

use std::borrow::Cow;
use std::net::IpAddr;

use swarm::{Counts, Endpoint, Event, Families, InfoHash};

use super::{
    ACTION_ANNOUNCE, ACTION_CONNECT, ACTION_ERROR, ACTION_SCRAPE, ConnectionId, PROTOCOL_ID,
    SCRAPE_HASHES_MAX,
};
use crate::{Announce, Malformed};

/// A tracker's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The number that the request carried.
    pub transaction: u32,
    /// What it says.
    pub body: ReplyBody<'a>,
}

/// What a tracker answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyBody<'a> {
    /// The connection id to use for two minutes.
    Connect(ConnectionId),
    /// An announce was heard.
    Announce {
        /// When to announce again, in seconds.
        interval: u32,
        /// Peers that have everything.
        complete: u32,
        /// Peers that do not.
        incomplete: u32,
        /// Some of them.
        peers: PeersIn<'a>,
    },
    /// The counts of the swarms asked for, in that order.
    Scrape(CountsIn<'a>),
    /// A refusal, in words for a person.
    Error(Cow<'a, str>),
}

/// The peers of an answer, read from the datagram as they are asked for. One with port 0 is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PeersIn<'a> {
    bytes: &'a [u8],
    families: Families,
}

/// The counts of a scrape's answer, read from the datagram as they are asked for. This protocol does not tell partial
/// seeds (BEP 21), so `downloaders` is `incomplete`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CountsIn<'a>(&'a [[u8; 12]]);

/// Asks for a connection id: 16 bytes.
pub fn encode_connect_request(transaction: u32, out: &mut Vec<u8>) {
    head(PROTOCOL_ID, ACTION_CONNECT, transaction, out);
}

/// Announces: 98 bytes, and `path` (as `/announce/<passkey>`) as BEP 41 URL data if it is not empty. Of the key only
/// the last four bytes can be told, and of the stated address only one of IPv4. `announce.passkey` is not looked at.
pub fn encode_announce_request(
    transaction: u32,
    connection: ConnectionId,
    announce: &Announce<'_>,
    path: &[u8],
    out: &mut Vec<u8>,
) {
    head(connection.0, ACTION_ANNOUNCE, transaction, out);
    out.extend_from_slice(&announce.info_hash.0);
    out.extend_from_slice(&announce.peer_id.0);
    out.extend_from_slice(&amount(Some(announce.downloaded)));
    out.extend_from_slice(&amount(announce.left));
    out.extend_from_slice(&amount(Some(announce.uploaded)));
    out.extend_from_slice(&event(announce.event).to_be_bytes());
    out.extend_from_slice(&match announce.stated_ip.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(ip)) => ip.octets(),
        Some(IpAddr::V6(_)) | None => [0; 4],
    });
    let key = announce.key.and_then(|key| key.last_chunk::<4>());
    out.extend_from_slice(key.unwrap_or(&[0; 4]));
    let want = announce.want.map_or(-1, |want| i32::try_from(want).unwrap_or(i32::MAX));
    out.extend_from_slice(&want.to_be_bytes());
    out.extend_from_slice(&announce.port.to_be_bytes());
    super::options::encode_url_data(path, out);
}

/// Asks for the counts of swarms: 16 bytes and 20 for each. What is past [`SCRAPE_HASHES_MAX`] is left out.
pub fn encode_scrape_request(
    transaction: u32,
    connection: ConnectionId,
    hashes: impl IntoIterator<Item = InfoHash>,
    out: &mut Vec<u8>,
) {
    head(connection.0, ACTION_SCRAPE, transaction, out);
    for hash in hashes.into_iter().take(SCRAPE_HASHES_MAX) {
        out.extend_from_slice(&hash.0);
    }
}

/// Reads a tracker's answer; `families` is that of the socket, which alone says how long a peer is. Nothing is
/// allocated but for an error's text that is not UTF-8. A rest of less than a peer or a count is ignored.
///
/// # Errors
///
/// [`Malformed`] if it is too short for its action, or its action is none that a tracker answers with.
pub fn decode_reply(datagram: &[u8], families: Families) -> Result<Reply<'_>, Malformed> {
    let short = |what: &str, expected: usize| {
        Malformed::new(format!("{what} of {} bytes is short of {expected}", datagram.len()))
    };
    let (action, rest) = number(datagram).ok_or_else(|| short("an answer", 8))?;
    let (transaction, body) = number(rest).ok_or_else(|| short("an answer", 8))?;
    let body = match action {
        ACTION_CONNECT => {
            let id = body.first_chunk().ok_or_else(|| short("an answer to connect", 16))?;
            ReplyBody::Connect(ConnectionId(u64::from_be_bytes(*id)))
        }
        ACTION_ANNOUNCE => announced(body, families).ok_or_else(|| short("an answer to announce", 20))?,
        ACTION_SCRAPE => ReplyBody::Scrape(CountsIn(body.as_chunks().0)),
        ACTION_ERROR => ReplyBody::Error(String::from_utf8_lossy(body)),
        _ => {
            let expected = "0 (connect), 1 (announce), 2 (scrape) or 3 (error)";
            return Err(Malformed::new(format!("action {action} of an answer is not {expected}")));
        }
    };
    Ok(Reply { transaction, body })
}

fn announced(body: &[u8], families: Families) -> Option<ReplyBody<'_>> {
    let (interval, rest) = number(body)?;
    let (incomplete, rest) = number(rest)?;
    let (complete, bytes) = number(rest)?;
    Some(ReplyBody::Announce { interval, complete, incomplete, peers: PeersIn { bytes, families } })
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

fn head(id: u64, action: u32, transaction: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&action.to_be_bytes());
    out.extend_from_slice(&transaction.to_be_bytes());
}

/// What is not known is -1, as is what the signed field cannot hold.
fn amount(bytes: Option<u64>) -> [u8; 8] {
    bytes.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1).to_be_bytes()
}

fn event(event: Event) -> u32 {
    match event {
        Event::Update => 0,
        Event::Completed => 1,
        Event::Started => 2,
        Event::Stopped => 3,
        Event::Paused => 4,
    }
}

impl<'a> PeersIn<'a> {
    /// How many peers the answer holds, those with port 0 included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.stride()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The peers in the order of the answer.
    pub fn iter(&self) -> impl Iterator<Item = Endpoint> + use<'a> {
        let (v4, v6) = match self.families {
            Families::V6 => (&[][..], self.bytes),
            Families::V4 | Families::Both => (self.bytes, &[][..]),
        };
        let v4 = v4.as_chunks().0.iter().filter_map(|bytes| Endpoint::from_compact_v4(*bytes));
        let v6 = v6.as_chunks().0.iter().filter_map(|bytes| Endpoint::from_compact_v6(*bytes));
        v4.chain(v6)
    }

    fn stride(&self) -> usize {
        match self.families {
            Families::V6 => 18,
            Families::V4 | Families::Both => 6,
        }
    }
}

impl<'a> CountsIn<'a> {
    /// How many swarms were answered for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The counts in the order of the answer.
    pub fn iter(&self) -> impl Iterator<Item = Counts> + use<'a> {
        self.0.iter().map(|bytes| {
            let number = |at: usize| u32::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
            let (complete, completed, incomplete) = (number(0), number(4), number(8));
            Counts { complete, incomplete, downloaders: incomplete, completed }
        })
    }
}

impl std::fmt::Debug for PeersIn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl std::fmt::Debug for CountsIn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
