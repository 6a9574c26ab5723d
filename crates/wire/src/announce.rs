use std::net::IpAddr;

use swarm::{Event, InfoHash, PeerId};

/// An announce in the words that all tracker protocols share: as the client put it, with its protocol taken off.
///
/// Nothing here is believed yet. The hub's one door decides what a stated address, a wish for peers or a port is
/// worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announce<'a> {
    /// The swarm.
    pub info_hash: InfoHash,
    /// What the client calls itself.
    pub peer_id: PeerId,
    /// The port it says it listens on; 0 is not one.
    pub port: u16,
    /// The address it says it has (`ip=` over HTTP, bytes 84..88 over UDP), if it said one.
    pub stated_ip: Option<IpAddr>,
    /// Bytes uploaded since `started`.
    pub uploaded: u64,
    /// Bytes downloaded since `started`.
    pub downloaded: u64,
    /// Bytes still missing; `None` if it did not say.
    pub left: Option<u64>,
    /// Why it announces.
    pub event: Event,
    /// How many peers it would like; `None` to leave that to the tracker (absent, or negative as `numwant=-1`).
    pub want: Option<u32>,
    /// The secret by which it proves that it is the same client after its address changed (BEP 7, BEP 15).
    pub key: Option<&'a [u8]>,
    /// The member's secret, from the path (`/announce/<passkey>`, or BEP 41 URL data).
    pub passkey: Option<&'a [u8]>,
}
