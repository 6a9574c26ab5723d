//! The announce query (BEP 3, with the parameters of BEP 7, 21 and 23).

use std::net::IpAddr;

use swarm::{Event, Families, PeerId};

use super::query::{Pairs, address, amount, info_hash, port, twenty, yes};
use super::{Request, Shape};
use crate::{Announce, Malformed};

/// Reads the query of an announce. Nothing is allocated for a well-formed one.
///
/// `info_hash`, `peer_id` and `port` must be there. `left` may be absent; `uploaded` and `downloaded` count as 0 then.
/// `numwant` (or `num_want`), if negative, leaves it to the tracker.
///
/// # Errors
///
/// [`Malformed`], naming the parameter and quoting its value.
pub fn decode_announce(query: &[u8]) -> Result<Request<'_>, Malformed> {
    const BYTES: &str = "a number of bytes";

    let mut found = Found::default();
    for (name, value) in Pairs::of(query)? {
        match name {
            b"info_hash" if found.info_hash.is_none() => found.info_hash = Some(info_hash(value)?),
            b"peer_id" if found.peer_id.is_none() => found.peer_id = Some(PeerId(twenty("peer_id", value)?)),
            b"port" if found.port.is_none() => found.port = Some(port(value)?),
            b"uploaded" if found.uploaded.is_none() => {
                found.uploaded = Some(amount("uploaded", value, BYTES)?.unwrap_or(0));
            }
            b"downloaded" if found.downloaded.is_none() => {
                found.downloaded = Some(amount("downloaded", value, BYTES)?.unwrap_or(0));
            }
            b"left" if found.left.is_none() => found.left = Some(amount("left", value, BYTES)?),
            b"event" if found.event.is_none() => found.event = Some(event(value)),
            b"numwant" if found.want.is_none() => found.want = Some(want("numwant", value)?),
            b"num_want" if found.want.is_none() => found.want = Some(want("num_want", value)?),
            b"compact" if found.compact.is_none() => found.compact = Some(value != b"0"),
            b"no_peer_id" if found.no_ids.is_none() => found.no_ids = Some(yes(value)),
            b"key" if found.key.is_none() => found.key = Some(value),
            b"ip" if found.ip.is_none() => found.ip = Some(address(value)),
            b"ipv4" if found.ipv4.is_none() => found.ipv4 = Some(address(value)),
            b"ipv6" if found.ipv6.is_none() => found.ipv6 = Some(address(value)),
            _ => {}
        }
    }
    found.request()
}

/// What was seen of a query so far: the first of each name.
#[derive(Default)]
struct Found<'a> {
    info_hash: Option<swarm::InfoHash>,
    peer_id: Option<PeerId>,
    port: Option<u16>,
    uploaded: Option<u64>,
    downloaded: Option<u64>,
    left: Option<Option<u64>>,
    event: Option<Event>,
    want: Option<Option<u32>>,
    compact: Option<bool>,
    no_ids: Option<bool>,
    key: Option<&'a [u8]>,
    ip: Option<Option<IpAddr>>,
    ipv4: Option<Option<IpAddr>>,
    ipv6: Option<Option<IpAddr>>,
}

impl<'a> Found<'a> {
    fn request(self) -> Result<Request<'a>, Malformed> {
        let missing = |part: &str| Malformed::new(format!("{part} is missing"));
        let announce = Announce {
            info_hash: self.info_hash.ok_or_else(|| missing("info_hash"))?,
            peer_id: self.peer_id.ok_or_else(|| missing("peer_id"))?,
            port: self.port.ok_or_else(|| missing("port"))?,
            // One address is all that an announce states: the general one before those of a family.
            stated_ip: self.ip.flatten().or(self.ipv4.flatten()).or(self.ipv6.flatten()),
            uploaded: self.uploaded.unwrap_or(0),
            downloaded: self.downloaded.unwrap_or(0),
            left: self.left.flatten(),
            event: self.event.unwrap_or_default(),
            want: self.want.flatten(),
            key: self.key.filter(|key| !key.is_empty()),
            passkey: None,
        };
        let shape = match self.compact {
            Some(false) => Shape::Dictionaries { ids: !self.no_ids.unwrap_or(false) },
            _ => Shape::Compact,
        };
        Ok(Request { announce, shape, families: Families::Both })
    }
}

/// An event that is not known counts as none: when BEP 21 added `paused`, trackers that refused the unknown left partial
/// seeds without peers.
fn event(value: &[u8]) -> Event {
    match value {
        b"started" => Event::Started,
        b"completed" => Event::Completed,
        b"stopped" => Event::Stopped,
        b"paused" => Event::Paused,
        _ => Event::Update,
    }
}

fn want(part: &str, value: &[u8]) -> Result<Option<u32>, Malformed> {
    let want = amount(part, value, "a number of peers")?;
    Ok(want.map(|want| u32::try_from(want).unwrap_or(u32::MAX)))
}
