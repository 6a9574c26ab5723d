use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Endpoint, InfoHash, Port};

/// Seconds since an origin of the caller's choice, usually the start of the process.
pub type Seconds = u32;

/// The 20 bytes a client calls itself by (BEP 3, BEP 20). They need not be text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);

/// What a peer reports of itself, as the registry needs to hear it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce {
    /// The swarm.
    pub hash: InfoHash,
    /// Where the peer listens; its key in the swarm.
    pub endpoint: Endpoint,
    /// Bytes still missing; `None` if the client did not say, which counts as some.
    pub left: Option<u64>,
    /// Why it announces now.
    pub event: Event,
    /// What it would like in return.
    pub want: Want,
    /// What else it said, kept if there is room for it.
    pub detail: Option<Detail>,
}

/// Why a peer announces (BEP 3; `Paused` from BEP 21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Event {
    /// The regular announce, an interval after the last.
    #[default]
    Update,
    /// The first announce of a session.
    Started,
    /// The download has just finished.
    Completed,
    /// The peer leaves.
    Stopped,
    /// The peer has all it wants but not all there is: a partial seed (BEP 21).
    Paused,
}

/// Which peers an asker would like, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// At most this many peers.
    pub peers: u32,
    /// Of which address families.
    pub families: Families,
    /// Whether the peers' ids are wanted too (an HTTP asker without `compact`).
    pub ids: bool,
    /// Whether an asker that has everything, or all it wants, is told of others such as well: it may not mean it.
    pub seeders: bool,
}

/// Address families that an asker can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Either.
    Both,
}

/// What only some deployments want to know of a peer; kept beside the compact array, capped, and first to go when
/// memory is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// What the client calls itself.
    pub peer_id: PeerId,
    /// Bytes uploaded since `started`, by its own account.
    pub uploaded: u64,
    /// Bytes downloaded since `started`, by its own account.
    pub downloaded: u64,
    /// Bytes still missing, by its own account.
    pub left: u64,
}

/// How many peers of which kind a swarm has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Peers that have everything: seeders.
    pub complete: u32,
    /// Peers that do not, partial seeds included (BEP 21).
    pub incomplete: u32,
    /// Those of `incomplete` that are not partial seeds: `downloaders` of BEP 21.
    pub downloaders: u32,
    /// How many downloads were ever completed: `downloaded` of BEP 48.
    pub completed: u32,
}

/// What a peer is told. The caller keeps one and lends it to every announce, so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The swarm's counts, the asker included.
    pub counts: Counts,
    /// IPv4 peers in compact form (BEP 23), 6 bytes each.
    pub v4: Vec<u8>,
    /// IPv6 peers in compact form (BEP 7), 18 bytes each.
    pub v6: Vec<u8>,
    /// The peers' ids, if they were wanted: those of `v4` in order, then those of `v6`. `None` where unknown.
    pub ids: Vec<Option<PeerId>>,
}

impl Reply {
    /// Forgets the last answer and keeps its memory.
    pub fn clear(&mut self) {
        self.counts = Counts::default();
        self.v4.clear();
        self.v6.clear();
        self.ids.clear();
    }

    /// The peers, IPv4 first.
    pub fn peers(&self) -> impl Iterator<Item = Endpoint> + '_ {
        let v4 = self.v4.as_chunks::<6>().0.iter().filter_map(|b| Endpoint::from_compact_v4(*b));
        let v6 = self.v6.as_chunks::<18>().0.iter().filter_map(|b| Endpoint::from_compact_v6(*b));
        v4.chain(v6)
    }

    /// Adds one peer.
    pub fn push(&mut self, endpoint: Endpoint) {
        match endpoint {
            Endpoint::V4(ip, port) => push_v4(&mut self.v4, ip, port),
            Endpoint::V6(ip, port) => push_v6(&mut self.v6, ip, port),
        }
    }
}

fn push_v4(out: &mut Vec<u8>, ip: Ipv4Addr, port: Port) {
    out.extend_from_slice(&ip.octets());
    out.extend_from_slice(&port.get().to_be_bytes());
}

fn push_v6(out: &mut Vec<u8>, ip: Ipv6Addr, port: Port) {
    out.extend_from_slice(&ip.octets());
    out.extend_from_slice(&port.get().to_be_bytes());
}

impl Families {
    /// The family of `ip` alone.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for PeerId {
    /// Printable ASCII as it is, everything else as `%XX`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            b'%' => f.write_str("%25"),
            0x21..=0x7e => write!(f, "{}", char::from(byte)),
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
