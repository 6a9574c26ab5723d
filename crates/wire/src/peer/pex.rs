use std::net::IpAddr;

use swarm::{Endpoint, Families};

use super::extension::dictionary;
use crate::Malformed;
use crate::bencode::{Rules, Tree, Value, put_dict};

/// How many peers a message should add at most, and how many it should drop, except the first one (BEP 11).
pub const PEX_PEERS_MAX: usize = 50;

/// How long a sender waits after a message before its next, in seconds, at least (BEP 11).
pub const PEX_INTERVAL_SECS: u32 = 60;

/// How many peers a message is believed to add at most, and how many to drop; those after them are not looked at. It
/// leaves room for a long first message, and for programs that send twice as many as they should.
pub const PEX_READ_MAX: usize = 200;

/// Peers that the sender is connected to (`ut_pex`, BEP 11), as far as they have changed since its last message. They
/// are read from the message as they are asked for.
///
/// A stranger says so: they may be there twice, or be no peers at all. For a private torrent (BEP 27) nothing of this
/// may be sent or heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pex<'a> {
    added: Peers<'a>,
    dropped: Peers<'a>,
}

/// What the sender knows of a peer it adds: bits that BEP 11 gives a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PexFlags(pub u8);

/// Peers in compact form, with a byte of flags for each, if there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Peers<'a> {
    v4: &'a [[u8; 6]],
    v4_flags: &'a [u8],
    v6: &'a [[u8; 18]],
    v6_flags: &'a [u8],
}

impl<'a> Pex<'a> {
    /// Reads the payload of a message with the id that the receiver has given to `ut_pex`. What makes no sense in it
    /// counts as not said.
    ///
    /// # Errors
    /// It is no bencoded dictionary.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Malformed> {
        let tree = Tree::parse(payload, &Rules::LENIENT)?;
        let root = dictionary(&tree, "a list of peers")?;
        let bytes = |key| root.get(key).and_then(Value::as_bytes).unwrap_or_default();
        let peers = |[v4, v4_flags, v6, v6_flags]: [&'a [u8]; 4]| Peers {
            v4: v4.as_chunks().0,
            v4_flags,
            v6: v6.as_chunks().0,
            v6_flags,
        };
        Ok(Self {
            added: peers(["added", "added.f", "added6", "added6.f"].map(bytes)),
            dropped: peers([bytes("dropped"), &[], bytes("dropped6"), &[]]),
        })
    }

    /// The peers it has connected to, IPv4 first, [`PEX_READ_MAX`] at most. Those without a port are left out.
    pub fn added(&self) -> impl Iterator<Item = (Endpoint, PexFlags)> + use<'a> {
        self.added.iter()
    }

    /// The peers it has lost, IPv4 first, [`PEX_READ_MAX`] at most. Those without a port are left out.
    pub fn dropped(&self) -> impl Iterator<Item = Endpoint> + use<'a> {
        self.dropped.iter().map(|(peer, _)| peer)
    }
}

impl PexFlags {
    /// It prefers encrypted connections.
    pub const ENCRYPTION: Self = Self(0x01);
    /// It is a seeder or a partial seed.
    pub const UPLOAD_ONLY: Self = Self(0x02);
    /// It speaks uTP (BEP 29).
    pub const UTP: Self = Self(0x04);
    /// It takes part in hole punching (BEP 55).
    pub const HOLEPUNCH: Self = Self(0x08);
    /// The sender reached it, so that others can.
    pub const REACHABLE: Self = Self(0x10);

    /// Whether all of `flags` are set.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These flags and `flags`.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// Appends the payload of a message with the id that the other side has given to `ut_pex`. The caller holds to
/// [`PEX_PEERS_MAX`] each after its first message, says nothing twice, and drops nobody that it adds (BEP 11).
pub fn encode_pex(added: &[(Endpoint, PexFlags)], dropped: &[Endpoint], out: &mut Vec<u8>) {
    let added_peers = || added.iter().map(|(peer, _)| *peer);
    let flags = |wanted: Families| -> Vec<u8> {
        let of_family = added.iter().filter(|(peer, _)| Families::of(peer.ip()) == wanted);
        of_family.map(|(_, flags)| flags.0).collect()
    };
    put_dict(out, |root| {
        root.bytes("added", &compact(added_peers(), Families::V4));
        root.bytes("added.f", &flags(Families::V4));
        root.bytes("added6", &compact(added_peers(), Families::V6));
        root.bytes("added6.f", &flags(Families::V6));
        root.bytes("dropped", &compact(dropped.iter().copied(), Families::V4));
        root.bytes("dropped6", &compact(dropped.iter().copied(), Families::V6));
    });
}

impl<'a> Peers<'a> {
    fn iter(self) -> impl Iterator<Item = (Endpoint, PexFlags)> + use<'a> {
        let flags = |bytes: &'a [u8]| bytes.iter().copied().chain(std::iter::repeat(0)).map(PexFlags);
        let v4 = self.v4.iter().map(|peer| Endpoint::from_compact_v4(*peer)).zip(flags(self.v4_flags));
        let v6 = self.v6.iter().map(|peer| Endpoint::from_compact_v6(*peer)).zip(flags(self.v6_flags));
        v4.chain(v6).take(PEX_READ_MAX).filter_map(|(peer, flags)| Some((peer?, flags)))
    }
}

/// The peers of one family in compact form.
fn compact(peers: impl Iterator<Item = Endpoint>, wanted: Families) -> Vec<u8> {
    let mut out = Vec::new();
    for peer in peers.filter(|peer| Families::of(peer.ip()) == wanted) {
        match peer.ip().to_canonical() {
            IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
        out.extend_from_slice(&peer.port().get().to_be_bytes());
    }
    out
}
