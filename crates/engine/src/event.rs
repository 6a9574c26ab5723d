use std::fmt;
use std::net::IpAddr;

use swarm::{Endpoint, InfoHash, PeerId, Port};
use wire::peer::{Block, Message};

use crate::bits::Bits;
use crate::candidates::Source;
use crate::layout::Layout;
use crate::peer::PeerKey;
use crate::picker::Priority;

/// What a torrent is, whether or not its description is known yet.
#[derive(Debug, Clone)]
pub struct Identity {
    /// What it is called.
    pub info_hash: InfoHash,
    /// What we call ourselves.
    pub peer_id: PeerId,
    /// Where others can reach us.
    pub port: Option<Port>,
    /// Our program and version, as others show it (BEP 10).
    pub client: &'static str,
}

/// What a torrent's description says, as far as sharing goes.
#[derive(Debug, Clone)]
pub struct Content {
    /// Sizes.
    pub layout: Layout,
    /// Peers may come from the tracker only (BEP 27).
    pub private: bool,
    /// The length of the info dictionary, in bytes.
    pub metadata_bytes: u32,
    /// The pieces that are there and verified.
    pub have: Bits,
}

/// Bounds and choices of one torrent.
#[derive(Debug, Clone)]
pub struct Config {
    /// The most connections.
    pub peers_max: usize,
    /// The most bytes in pieces that are started and not verified (a few pieces are always allowed).
    pub unverified_bytes_max: u64,
    /// The most bytes that have come and are not written; above it nothing new is asked for.
    pub unwritten_bytes_max: u64,
    /// Upload limit in bytes a second.
    pub upload_limit: Option<u64>,
    /// Download limit in bytes a second.
    pub download_limit: Option<u64>,
    /// While nobody else has everything, show each peer other pieces (in the manner of BEP 16), so that the first copy
    /// costs one upload.
    pub spread: bool,
}

/// A connection whose handshakes (BEP 3) are done.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The other side's address.
    pub ip: IpAddr,
    /// The endpoint that we connected to; `None` if it connected to us.
    pub dialed: Option<Endpoint>,
    /// What it calls itself.
    pub peer_id: PeerId,
    /// It speaks the fast extension (BEP 6).
    pub fast: bool,
    /// It speaks the extension protocol (BEP 10).
    pub extended: bool,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A peer said something. `Message::Piece` is the same as [`Event::Block`].
    Message {
        /// Who.
        peer: PeerKey,
        /// What.
        message: Message<'a>,
    },
    /// A peer sent the data of a block, which the caller holds.
    Block {
        /// Who.
        peer: PeerKey,
        /// Which.
        block: Block,
    },
    /// The network took data that [`Action::SendBlock`] named.
    Sent {
        /// To whom.
        peer: PeerKey,
        /// How much, in bytes.
        bytes: u32,
    },
    /// A block that [`Action::SendBlock`] named could not be read.
    Unreadable {
        /// For whom.
        peer: PeerKey,
        /// Which.
        block: Block,
    },
    /// The connection is closed.
    Gone {
        /// Whose.
        peer: PeerKey,
    },
    /// [`Action::Connect`] led to nothing.
    ConnectFailed {
        /// Where to.
        endpoint: Endpoint,
    },
    /// Data that [`Action::Write`] named is written.
    Written {
        /// How much, in bytes.
        bytes: u32,
    },
    /// A piece that [`Action::Verify`] named was hashed.
    Hashed {
        /// Which.
        piece: u32,
        /// Whether it has the right hash.
        good: bool,
    },
    /// Addresses where others may listen.
    Addresses {
        /// Who says so.
        source: Source,
        /// Where.
        endpoints: &'a [Endpoint],
    },
    /// How much each piece is wanted; see [`piece_priorities`](crate::piece_priorities).
    Priorities(&'a [Priority]),
    /// New limits, in bytes a second.
    Limits {
        /// Of all uploads.
        upload: Option<u64>,
        /// Of all downloads.
        download: Option<u64>,
    },
    /// Stop transferring (a person says so, or the disk failed); all connections are closed.
    Pause,
    /// Go on.
    Resume,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    /// Connect and shake hands; then [`Torrent::connected`](crate::Torrent::connected) or [`Event::ConnectFailed`].
    Connect {
        /// Where to.
        endpoint: Endpoint,
    },
    /// Send these bytes: whole messages.
    Send {
        /// To whom.
        peer: PeerKey,
        /// What.
        bytes: &'a [u8],
    },
    /// Read a block and send it as a `piece` message, after everything sent before.
    SendBlock {
        /// To whom.
        peer: PeerKey,
        /// Which.
        block: Block,
    },
    /// Send a block of the info dictionary (BEP 9) in an extended message.
    SendMetadata {
        /// To whom.
        peer: PeerKey,
        /// The message's id.
        id: u8,
        /// Which block.
        block: u32,
    },
    /// Close the connection. The key is no longer valid.
    Disconnect {
        /// Whose.
        peer: PeerKey,
        /// Why.
        reason: Reason,
    },
    /// Keep the data of this block, which was just announced; then [`Event::Written`].
    Write {
        /// Which.
        block: Block,
    },
    /// All blocks of a piece have come: hash it; then [`Event::Hashed`].
    Verify {
        /// Which.
        piece: u32,
    },
    /// A piece is verified and offered to others.
    Verified {
        /// Which.
        piece: u32,
    },
    /// All that was wanted is there. Said once, and only if something was missing when the torrent started.
    Completed,
    /// An info dictionary came (BEP 9). The caller hashes and reads it; then
    /// [`Torrent::described`](crate::Torrent::described) or [`Torrent::misdescribed`](crate::Torrent::misdescribed).
    Metadata {
        /// The bytes.
        bytes: &'a [u8],
    },
    /// An address sent bad data again and will not be connected to any more.
    Banned {
        /// Which.
        ip: IpAddr,
    },
}

/// Why a connection is closed or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It said what the protocol forbids.
    Violation(&'static str),
    /// Nothing was heard from it for too long.
    Silent,
    /// Neither side has anything for the other.
    Useless,
    /// It is connected already.
    Duplicate,
    /// It is ourselves.
    Ourselves,
    /// There are as many connections as there may be.
    Full,
    /// It sent bad data.
    Banned,
    /// The torrent is paused.
    Paused,
}

/// A torrent in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Payload bytes sent.
    pub uploaded: u64,
    /// Payload bytes received, whatever they were good for.
    pub downloaded: u64,
    /// Of those, bytes that came twice or were bad.
    pub wasted: u64,
    /// Wanted bytes that are missing.
    pub left: u64,
    /// Bytes a second, of late.
    pub upload_rate: u64,
    /// Bytes a second, of late.
    pub download_rate: u64,
    /// Connections.
    pub peers: usize,
    /// Of those, peers that have everything.
    pub seeds: usize,
    /// Unchoked peers.
    pub unchoked: usize,
    /// Addresses not connected to.
    pub candidates: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            peers_max: 80,
            unverified_bytes_max: 64 << 20,
            unwritten_bytes_max: 5 << 20,
            upload_limit: None,
            download_limit: None,
            spread: true,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(what) => f.write_str(what),
            Self::Silent => f.write_str("nothing was heard from it for too long"),
            Self::Useless => f.write_str("neither side has anything for the other"),
            Self::Duplicate => f.write_str("it is connected already"),
            Self::Ourselves => f.write_str("it is ourselves"),
            Self::Full => f.write_str("there are enough connections"),
            Self::Banned => f.write_str("it sent bad data"),
            Self::Paused => f.write_str("the torrent is paused"),
        }
    }
}
