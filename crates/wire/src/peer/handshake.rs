use swarm::{InfoHash, PeerId};

use crate::Malformed;

/// The length of a handshake, in bytes.
pub const HANDSHAKE_BYTES: usize = 68;

/// How a peer introduces itself (BEP 3).
///
/// Whoever connects should say no more until the other's handshake has come: aria2 takes more bytes than these for a
/// fault, and bans their sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// What it speaks beyond BEP 3, a bit for each.
    pub reserved: [u8; 8],
    /// The swarm it talks about.
    pub info_hash: InfoHash,
    /// What it calls itself.
    pub peer_id: PeerId,
}

/// The length of the protocol's name, and the name.
const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// Bits of [`Handshake::reserved`]: the byte they are in, and the bit.
const EXTENDED: (usize, u8) = (5, 0x10);
const FAST: (usize, u8) = (7, 0x04);
const DHT: (usize, u8) = (7, 0x01);

impl Handshake {
    /// The handshake of one who speaks all that is here, the fast extension and the extension protocol, and has no
    /// part in the DHT.
    #[must_use]
    pub const fn new(info_hash: InfoHash, peer_id: PeerId) -> Self {
        let mut reserved = [0; 8];
        reserved[EXTENDED.0] |= EXTENDED.1;
        reserved[FAST.0] |= FAST.1;
        Self { reserved, info_hash, peer_id }
    }

    /// Reads the first [`HANDSHAKE_BYTES`] of a stream; `None` if there must come more.
    ///
    /// # Errors
    /// The stream is of some other protocol, which its first bytes may already tell.
    pub fn decode(stream: &[u8]) -> Result<Option<Self>, Malformed> {
        let named = &stream[..stream.len().min(PROTOCOL.len())];
        if !PROTOCOL.starts_with(named) {
            return Err(Malformed::found("the start of a handshake", named, r"`\x13BitTorrent protocol`"));
        }
        let Some((_, rest)) = stream.split_first_chunk::<{ PROTOCOL.len() }>() else { return Ok(None) };
        let Some((&reserved, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let Some((&info_hash, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let Some((&peer_id, _)) = rest.split_first_chunk() else { return Ok(None) };
        Ok(Some(Self { reserved, info_hash: InfoHash(info_hash), peer_id: PeerId(peer_id) }))
    }

    /// Appends the handshake's [`HANDSHAKE_BYTES`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(PROTOCOL);
        out.extend_from_slice(&self.reserved);
        out.extend_from_slice(self.info_hash.as_bytes());
        out.extend_from_slice(&self.peer_id.0);
    }

    /// Whether it speaks the fast extension (BEP 6), which is on if both sides do.
    #[must_use]
    pub const fn fast(&self) -> bool {
        self.has(FAST)
    }

    /// Whether it speaks the extension protocol (BEP 10).
    #[must_use]
    pub const fn extended(&self) -> bool {
        self.has(EXTENDED)
    }

    /// Whether it is a node of the DHT (BEP 5).
    #[must_use]
    pub const fn dht(&self) -> bool {
        self.has(DHT)
    }

    const fn has(&self, (byte, bit): (usize, u8)) -> bool {
        self.reserved[byte] & bit != 0
    }
}
