//! The client's half: queries as it sends them, answers as it reads them.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use swarm::{Counts, Endpoint, Event, InfoHash, PeerId, Port};

use super::{RetryIn, Shape};
use crate::bencode::{Dict, Keys, Rules, Trailing, Tree, Value};
use crate::{Announce, Malformed};

/// Longest answer that is read, in bytes.
pub const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A peer list, the deepest structure of an answer, is on the third level; the rest is for what may be added.
const RULES: Rules = Rules { keys: Keys::AnyOrder, trailing: Trailing::Allowed, depth_max: 8 };

/// A tracker's answer to an announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnnounceReply {
    /// It was heard.
    Answer(AnnounceAnswer),
    /// It was refused.
    Failure(Failure),
}

/// A tracker's answer to a scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScrapeReply {
    /// It was heard.
    Answer(ScrapeAnswer),
    /// It was refused.
    Failure(Failure),
}

/// What an announce brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnounceAnswer {
    /// When to announce again, in seconds. BEP 3 demands it; not every tracker says it.
    pub interval: Option<u32>,
    /// Not to announce before, in seconds.
    pub min_interval: Option<u32>,
    /// Peers that have everything.
    pub complete: Option<u32>,
    /// Peers that do not.
    pub incomplete: Option<u32>,
    /// How many downloads were ever completed.
    pub downloaded: Option<u32>,
    /// Where the tracker saw us come from (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// The peers, IPv4 first where they came compact, with their ids where those came. One that is told by a host name
    /// or without a usable port is left out.
    pub peers: Vec<(Endpoint, Option<PeerId>)>,
    /// How `peers` was written; `ids` is true if any was there.
    pub shape: Shape,
    /// What to say again in the next announce.
    pub tracker_id: Option<Vec<u8>>,
    /// Something for a person to read although all went well.
    pub warning: Option<String>,
}

/// What a scrape brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrapeAnswer {
    /// The counts of each swarm that the tracker knows, as it sent them. `downloaders` is `incomplete` where the
    /// tracker does not tell partial seeds (BEP 21).
    pub files: Vec<(InfoHash, Counts)>,
    /// Not to scrape before, in seconds (`flags`, `min_request_interval`).
    pub min_interval: Option<u32>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why, in words for a person.
    pub reason: String,
    /// When to come again (BEP 31).
    pub retry_in: Option<RetryIn>,
}

/// Appends the query of an announce that asks for a compact answer. It begins without `?` or `&`.
/// `announce.passkey` is not looked at: it belongs in the path.
pub fn encode_announce_query(announce: &Announce<'_>, query: &mut String) {
    encode_announce_query_shaped(announce, Shape::Compact, query);
}

/// Appends the query of an announce that asks for an answer of this `shape`.
pub fn encode_announce_query_shaped(announce: &Announce<'_>, shape: Shape, query: &mut String) {
    query.push_str("info_hash=");
    escape(&announce.info_hash.0, query);
    query.push_str("&peer_id=");
    escape(&announce.peer_id.0, query);
    let Announce { port, uploaded, downloaded, .. } = announce;
    write(query, format_args!("&port={port}&uploaded={uploaded}&downloaded={downloaded}"));
    if let Some(left) = announce.left {
        write(query, format_args!("&left={left}"));
    }
    query.push_str(match announce.event {
        Event::Update => "",
        Event::Started => "&event=started",
        Event::Completed => "&event=completed",
        Event::Stopped => "&event=stopped",
        Event::Paused => "&event=paused",
    });
    if let Some(want) = announce.want {
        write(query, format_args!("&numwant={want}"));
    }
    if let Some(key) = announce.key {
        query.push_str("&key=");
        escape(key, query);
    }
    if let Some(ip) = announce.stated_ip {
        write(query, format_args!("&ip={ip}"));
    }
    query.push_str(match shape {
        Shape::Compact => "&compact=1",
        Shape::Dictionaries { ids: true } => "&compact=0",
        Shape::Dictionaries { ids: false } => "&compact=0&no_peer_id=1",
    });
}

/// Appends the query of a scrape. It begins without `?` or `&`.
pub fn encode_scrape_query(hashes: impl IntoIterator<Item = InfoHash>, query: &mut String) {
    for (at, hash) in hashes.into_iter().enumerate() {
        query.push_str(if at == 0 { "info_hash=" } else { "&info_hash=" });
        escape(&hash.0, query);
    }
}

/// Reads the answer to an announce, whatever the order of its keys and whatever follows it.
///
/// # Errors
///
/// [`Malformed`] if it is not a bencoded dictionary, is longer than [`REPLY_BYTES_MAX`], or a part of it is not what the
/// specifications say it should be.
pub fn decode_announce_reply(body: &[u8]) -> Result<AnnounceReply, Malformed> {
    let tree = parse(body)?;
    let dict = dictionary(tree.root(), "an answer to announce")?;
    if let Some(failure) = failure(dict)? {
        return Ok(AnnounceReply::Failure(failure));
    }
    let (mut peers, shape) = match dict.get("peers") {
        Some(value) => peers(value)?,
        None => (Vec::new(), Shape::Compact),
    };
    if let Some(value) = dict.get("peers6") {
        peers.extend(peers6(value)?);
    }
    Ok(AnnounceReply::Answer(AnnounceAnswer {
        interval: number(dict, "interval")?,
        min_interval: number(dict, "min interval")?,
        complete: number(dict, "complete")?,
        incomplete: number(dict, "incomplete")?,
        downloaded: number(dict, "downloaded")?,
        external_ip: external_ip(dict)?,
        peers,
        shape,
        tracker_id: dict.bytes("tracker id")?.map(<[u8]>::to_vec),
        warning: dict.bytes("warning message")?.map(text),
    }))
}

/// Reads the answer to a scrape (BEP 48), whatever the order of its keys and whatever follows it.
///
/// # Errors
///
/// As those of [`decode_announce_reply`].
pub fn decode_scrape_reply(body: &[u8]) -> Result<ScrapeReply, Malformed> {
    let tree = parse(body)?;
    let dict = dictionary(tree.root(), "an answer to scrape")?;
    if let Some(failure) = failure(dict)? {
        return Ok(ScrapeReply::Failure(failure));
    }
    let Some(files) = dict.dict("files")? else { return Err(Malformed::new("`files` is missing")) };
    let mut counts = Vec::new();
    for (hash, value) in files.iter() {
        let hash = InfoHash::try_from(hash)
            .map_err(|_| Malformed::found("the info hash of a scraped file", hash, "20 bytes"))?;
        counts.push((hash, counts_of(dictionary(value, "a scraped file")?)?));
    }
    let min_interval = match dict.dict("flags")? {
        Some(flags) => number(flags, "min_request_interval")?,
        None => None,
    };
    Ok(ScrapeReply::Answer(ScrapeAnswer { files: counts, min_interval }))
}

fn parse(body: &[u8]) -> Result<Tree<'_>, Malformed> {
    if body.len() > REPLY_BYTES_MAX {
        let bytes = body.len();
        return Err(Malformed::new(format!(
            "an answer of {bytes} bytes is too long: {REPLY_BYTES_MAX} are read"
        )));
    }
    Tree::parse(body, &RULES)
}

fn dictionary<'t, 'a>(value: Value<'t, 'a>, what: &str) -> Result<Dict<'t, 'a>, Malformed> {
    value.as_dict().ok_or_else(|| value.fault(what, "a dictionary"))
}

fn failure(dict: Dict<'_, '_>) -> Result<Option<Failure>, Malformed> {
    let Some(reason) = dict.bytes("failure reason")? else { return Ok(None) };
    let retry_in = match dict.get("retry in") {
        None => None,
        Some(value) if value.as_bytes() == Some(b"never") => Some(RetryIn::Never),
        Some(value) => match value.as_int().and_then(|minutes| u32::try_from(minutes).ok()) {
            Some(minutes) => Some(RetryIn::Minutes(minutes)),
            None => return Err(value.fault("`retry in`", "a number of minutes or `never`")),
        },
    };
    Ok(Some(Failure { reason: text(reason), retry_in }))
}

fn counts_of(file: Dict<'_, '_>) -> Result<Counts, Malformed> {
    let incomplete = number(file, "incomplete")?.unwrap_or(0);
    Ok(Counts {
        complete: number(file, "complete")?.unwrap_or(0),
        incomplete,
        downloaders: number(file, "downloaders")?.unwrap_or(incomplete),
        completed: number(file, "downloaded")?.unwrap_or(0),
    })
}

fn external_ip(dict: Dict<'_, '_>) -> Result<Option<IpAddr>, Malformed> {
    let Some(bytes) = dict.bytes("external ip")? else { return Ok(None) };
    if let Ok(ip) = <[u8; 4]>::try_from(bytes) {
        return Ok(Some(Ipv4Addr::from(ip).into()));
    }
    match <[u8; 16]>::try_from(bytes) {
        Ok(ip) => Ok(Some(IpAddr::from(Ipv6Addr::from(ip)).to_canonical())),
        Err(_) => Err(Malformed::found("`external ip`", bytes, "4 or 16 bytes")),
    }
}

type Peers = Vec<(Endpoint, Option<PeerId>)>;

fn peers(value: Value<'_, '_>) -> Result<(Peers, Shape), Malformed> {
    if let Some(list) = value.as_list() {
        let mut peers = Vec::new();
        for entry in list.iter() {
            peers.extend(peer(dictionary(entry, "a peer")?)?);
        }
        let ids = peers.iter().any(|(_, id)| id.is_some());
        return Ok((peers, Shape::Dictionaries { ids }));
    }
    match value.as_bytes().map(<[u8]>::as_chunks::<6>) {
        Some((chunks, [])) => {
            let peers = chunks.iter().filter_map(|bytes| Endpoint::from_compact_v4(*bytes));
            Ok((peers.map(|endpoint| (endpoint, None)).collect(), Shape::Compact))
        }
        _ => Err(value.fault("`peers`", "a list, or a string of 6 bytes a peer")),
    }
}

fn peers6(value: Value<'_, '_>) -> Result<Peers, Malformed> {
    match value.as_bytes().map(<[u8]>::as_chunks::<18>) {
        Some((chunks, [])) => {
            let peers = chunks.iter().filter_map(|bytes| Endpoint::from_compact_v6(*bytes));
            Ok(peers.map(|endpoint| (endpoint, None)).collect())
        }
        _ => Err(value.fault("`peers6`", "a string of 18 bytes a peer")),
    }
}

fn peer(dict: Dict<'_, '_>) -> Result<Option<(Endpoint, Option<PeerId>)>, Malformed> {
    let Some(ip) = dict.bytes("ip")? else { return Err(Malformed::new("`ip` of a peer is missing")) };
    let Some(port) = dict.int("port")? else { return Err(Malformed::new("`port` of a peer is missing")) };
    let ip = std::str::from_utf8(ip).ok().and_then(|ip| ip.parse().ok());
    let port = u16::try_from(port).ok().and_then(Port::new);
    let (Some(ip), Some(port)) = (ip, port) else { return Ok(None) };
    let id = dict.bytes("peer id")?.and_then(|id| id.try_into().ok()).map(PeerId);
    Ok(Some((Endpoint::new(ip, port), id)))
}

/// A number that fits 32 bits; what is larger counts as the largest.
fn number(dict: Dict<'_, '_>, key: &str) -> Result<Option<u32>, Malformed> {
    let Some(value) = dict.get(key) else { return Ok(None) };
    match value.as_int() {
        Some(number) if number >= 0 => Ok(Some(u32::try_from(number).unwrap_or(u32::MAX))),
        _ => Err(value.fault(&format!("`{key}`"), "a number from 0")),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Percent-encodes everything but letters, digits, `-`, `.`, `_` and `~` (RFC 3986 §2.3).
fn escape(bytes: &[u8], query: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            query.push('%');
            query.push(char::from(DIGITS[usize::from(byte >> 4)]));
            query.push(char::from(DIGITS[usize::from(byte & 0xf)]));
        }
    }
}

fn write(query: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes all that is written to it.
    let _ = query.write_fmt(text);
}
