//! What clients send, as the tracker reads it.

use std::net::{IpAddr, Ipv4Addr};

use swarm::{Event, InfoHash, PeerId};

use super::options::passkey_in_options;
use super::{
    ACTION_ANNOUNCE, ACTION_CONNECT, ACTION_SCRAPE, ANNOUNCE_BYTES, ConnectionId, HEAD_BYTES, Hashes,
    PROTOCOL_ID, Packet, Reject, ReplyTo, Request, SCRAPE_HASHES_MAX,
};
use crate::{Announce, Malformed};

/// Reads a client's datagram (BEP 15). Nothing is allocated for a well-formed one.
///
/// # Errors
///
/// [`Reject`] if it is not a request, with whom to tell.
pub fn decode(datagram: &[u8]) -> Result<Packet<'_>, Reject> {
    let Some((head, body)) = datagram.split_first_chunk::<HEAD_BYTES>() else {
        let fault = format!(
            "a datagram of {} bytes is no request: {HEAD_BYTES} are expected at least",
            datagram.len()
        );
        return Err(Reject { reply_to: None, connection: None, fault: Malformed::new(fault) });
    };
    let id = u64::from_be_bytes(field(head, 0));
    let action = u32::from_be_bytes(field(head, 8));
    let reply_to = ReplyTo(u32::from_be_bytes(field(head, 12)));
    let connection = ConnectionId(id);
    let refuse = |fault| Reject { reply_to: Some(reply_to), connection: Some(connection), fault };

    let request = match action {
        ACTION_CONNECT if id == PROTOCOL_ID => Request::Connect,
        ACTION_CONNECT => {
            let fault = Malformed::new(format!("protocol id {id:#x} is not {PROTOCOL_ID:#x}"));
            return Err(Reject { reply_to: Some(reply_to), connection: None, fault });
        }
        ACTION_ANNOUNCE => Request::Announce { connection, announce: announce(datagram).map_err(refuse)? },
        ACTION_SCRAPE => Request::Scrape { connection, hashes: hashes(body).map_err(refuse)? },
        _ => {
            let fault =
                Malformed::new(format!("action {action} is not 0 (connect), 1 (announce) or 2 (scrape)"));
            return Err(Reject { reply_to: None, connection: None, fault });
        }
    };
    Ok(Packet { reply_to, request })
}

/// The info hash of what looks like an announce, without reading the rest of it.
#[must_use]
pub fn announced(datagram: &[u8]) -> Option<InfoHash> {
    let fixed = datagram.first_chunk::<ANNOUNCE_BYTES>()?;
    (u32::from_be_bytes(field(fixed, 8)) == ACTION_ANNOUNCE).then(|| InfoHash(field(fixed, 16)))
}

fn announce(datagram: &[u8]) -> Result<Announce<'_>, Malformed> {
    let Some((fixed, options)) = datagram.split_first_chunk::<ANNOUNCE_BYTES>() else {
        let found = datagram.len();
        return Err(Malformed::new(format!("an announce of {found} bytes is short of {ANNOUNCE_BYTES}")));
    };
    let ip = Ipv4Addr::from(field::<4, _>(fixed, 84));
    let key: &[u8; 4] = &fixed.as_chunks::<4>().0[22];
    Ok(Announce {
        info_hash: InfoHash(field(fixed, 16)),
        peer_id: PeerId(field(fixed, 36)),
        port: u16::from_be_bytes(field(fixed, 96)),
        stated_ip: (!ip.is_unspecified()).then_some(IpAddr::V4(ip)),
        downloaded: amount(field(fixed, 56)).unwrap_or(0),
        left: amount(field(fixed, 64)),
        uploaded: amount(field(fixed, 72)).unwrap_or(0),
        event: event(u32::from_be_bytes(field(fixed, 80))),
        want: u32::try_from(i32::from_be_bytes(field(fixed, 92))).ok(),
        key: (*key != [0; 4]).then_some(key),
        passkey: passkey_in_options(options),
    })
}

/// A number of bytes. The field is signed, and a negative number, which some clients send, says nothing.
fn amount(bytes: [u8; 8]) -> Option<u64> {
    u64::try_from(i64::from_be_bytes(bytes)).ok()
}

/// BEP 15 knows 0 to 3; 4 is how libtorrent says BEP 21's `paused` here. What comes after them counts as none, as it
/// does over HTTP.
fn event(number: u32) -> Event {
    match number {
        1 => Event::Completed,
        2 => Event::Started,
        3 => Event::Stopped,
        4 => Event::Paused,
        _ => Event::Update,
    }
}

/// A rest of less than a hash is ignored like all bytes that a message does not need.
fn hashes(body: &[u8]) -> Result<Hashes<'_>, Malformed> {
    let (hashes, _) = body.as_chunks::<{ InfoHash::LEN }>();
    match hashes.len() {
        0 => Err(Malformed::new("a scrape without an info hash: 20 bytes after the head are expected")),
        n if n > SCRAPE_HASHES_MAX => Err(Malformed::new(format!(
            "a scrape of {n} info hashes: at most {SCRAPE_HASHES_MAX} are answered"
        ))),
        _ => Ok(Hashes(hashes)),
    }
}

/// `N` bytes of a fixed head from `at`; the optimizer sees both bounds.
#[inline(always)]
fn field<const N: usize, const LEN: usize>(head: &[u8; LEN], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[at..at + N]);
    bytes
}
