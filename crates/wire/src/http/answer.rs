//! What a tracker answers: bencoded bodies with their keys in order, appended to `out` without another allocation.

use std::io::Write as _;
use std::net::IpAddr;

use swarm::{Counts, Families, InfoHash, PeerId, Reply};

use super::{Answer, RetryIn, Shape};
use crate::bencode::{put_bytes, put_uint};

/// The bytes of the longest address in text: an IPv6 one with embedded IPv4.
const IP_TEXT_BYTES_MAX: usize = 45;

/// Answers an announce (BEP 3; compact BEP 23 and BEP 7; `external ip` BEP 24).
///
/// Compact, `peers` is always there, and `peers6` unless only IPv4 is asked for. As dictionaries, `peers` holds all.
pub fn encode_announce(answer: &Answer<'_>, shape: Shape, out: &mut Vec<u8>) {
    let Answer { reply, interval, min_interval, external_ip, families } = *answer;
    // Longest text around the peers, and a compact peer's bytes.
    out.reserve(256 + reply.v4.len() + reply.v6.len());
    out.extend_from_slice(b"d8:complete");
    put_uint(out, reply.counts.complete.into());
    out.extend_from_slice(b"10:downloaded");
    put_uint(out, reply.counts.completed.into());
    match external_ip.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(ip)) => key_and_string(b"11:external ip", &ip.octets(), out),
        Some(IpAddr::V6(ip)) => key_and_string(b"11:external ip", &ip.octets(), out),
        None => {}
    }
    out.extend_from_slice(b"10:incomplete");
    put_uint(out, reply.counts.incomplete.into());
    out.extend_from_slice(b"8:interval");
    put_uint(out, interval.into());
    out.extend_from_slice(b"12:min interval");
    put_uint(out, min_interval.into());

    let (v4, v6) = match families {
        Families::V4 => (&reply.v4[..], None),
        Families::V6 => (&[][..], Some(&reply.v6[..])),
        Families::Both => (&reply.v4[..], Some(&reply.v6[..])),
    };
    match shape {
        Shape::Compact => {
            key_and_string(b"5:peers", v4, out);
            if let Some(v6) = v6 {
                key_and_string(b"6:peers6", v6, out);
            }
        }
        Shape::Dictionaries { ids } => dictionaries(reply, families, ids, out),
    }
    out.push(b'e');
}

/// Answers a scrape (BEP 48; `downloaders` BEP 21). The swarms may come in any order, and are written in that of their
/// hashes, each once.
pub fn encode_scrape(swarms: impl Iterator<Item = (InfoHash, Counts)>, out: &mut Vec<u8>) {
    let mut swarms: Vec<_> = swarms.collect();
    swarms.sort_unstable_by_key(|(hash, _)| *hash);
    swarms.dedup_by_key(|(hash, _)| *hash);
    out.extend_from_slice(b"d5:filesd");
    for (hash, counts) in swarms {
        out.extend_from_slice(b"20:");
        out.extend_from_slice(&hash.0);
        out.extend_from_slice(b"d8:complete");
        put_uint(out, counts.complete.into());
        out.extend_from_slice(b"10:downloaded");
        put_uint(out, counts.completed.into());
        out.extend_from_slice(b"11:downloaders");
        put_uint(out, counts.downloaders.into());
        out.extend_from_slice(b"10:incomplete");
        put_uint(out, counts.incomplete.into());
        out.push(b'e');
    }
    out.extend_from_slice(b"ee");
}

/// Answers with a refusal in words for a person (BEP 3), and when to come again (BEP 31).
pub fn encode_failure(reason: &str, retry_in: Option<RetryIn>, out: &mut Vec<u8>) {
    out.push(b'd');
    key_and_string(b"14:failure reason", reason.as_bytes(), out);
    match retry_in {
        Some(RetryIn::Minutes(minutes)) => {
            out.extend_from_slice(b"8:retry in");
            put_uint(out, minutes.into());
        }
        Some(RetryIn::Never) => out.extend_from_slice(b"8:retry in5:never"),
        None => {}
    }
    out.push(b'e');
}

/// The peers as BEP 3 has them: an IPv6 address is as good a text for `ip` as one of IPv4.
fn dictionaries(reply: &Reply, families: Families, ids: bool, out: &mut Vec<u8>) {
    let (v4, v6) = (reply.v4.as_chunks::<6>().0, reply.v6.as_chunks::<18>().0);
    let id_of = |at: usize| if ids { reply.ids.get(at).copied().flatten() } else { None };
    out.extend_from_slice(b"5:peersl");
    if families != Families::V6 {
        for (at, &[a, b, c, d, high, low]) in v4.iter().enumerate() {
            dictionary(IpAddr::from([a, b, c, d]), [high, low], id_of(at), out);
        }
    }
    if families != Families::V4 {
        for (at, &[ref ip @ .., high, low]) in v6.iter().enumerate() {
            dictionary(IpAddr::from(*ip), [high, low], id_of(v4.len() + at), out);
        }
    }
    out.push(b'e');
}

fn dictionary(ip: IpAddr, port: [u8; 2], id: Option<PeerId>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"d2:ip");
    let mut text = [0; IP_TEXT_BYTES_MAX];
    let mut room = &mut text[..];
    // No address is longer than the room, so this cannot fail.
    let _ = write!(room, "{ip}");
    let unused = room.len();
    put_bytes(out, &text[..IP_TEXT_BYTES_MAX - unused]);
    if let Some(id) = id {
        key_and_string(b"7:peer id", &id.0, out);
    }
    out.extend_from_slice(b"4:port");
    put_uint(out, u16::from_be_bytes(port).into());
    out.push(b'e');
}

fn key_and_string(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(key);
    put_bytes(out, value);
}
