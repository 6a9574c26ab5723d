//! What peers say to each other (BEP 3, with BEP 6, 9, 10, 11, 21 and 40).
//!
//! A connection is a [`Handshake`] each way and then a stream of length-prefixed messages: [`frame`] splits the
//! stream, [`Message::decode`] reads what it split off, [`encode`] writes. None of them copies a payload, and none of
//! them knows what was said before: whether a message is allowed now is the listener's to judge.
//!
//! A length is refused as soon as it can be known to be wrong, by the rule of its own kind of message, so that nobody
//! can make a reader wait for, or keep, more than the honest longest of that kind.

mod allowed_fast;
mod extension;
mod frame;
mod handshake;
mod message;
mod metadata;
mod pex;
mod priority;
#[cfg(test)]
mod tests;

pub use allowed_fast::{ALLOWED_FAST_MAX, allowed_fast};
pub use extension::{CLIENT_CHARS_MAX, EXTENSION_HANDSHAKE, ExtensionHandshake, encode_extended};
pub use frame::{frame, frame_bytes_max};
pub use handshake::{HANDSHAKE_BYTES, Handshake};
pub use message::{Block, Message, check_bitfield, encode, encode_piece_head};
pub use metadata::{METADATA_BLOCK_BYTES, METADATA_BYTES_MAX, Metadata, metadata_block_bytes};
pub use pex::{PEX_INTERVAL_SECS, PEX_PEERS_MAX, PEX_READ_MAX, Pex, PexFlags, encode_pex};
pub use priority::peer_priority;

use crate::metainfo::METAINFO_BYTES_MAX;

/// The length of a block, in bytes: what everybody asks for, except at a torrent's end, and the most that anybody
/// sends (BEP 3).
pub const BLOCK_BYTES_MAX: usize = 16 * 1024;

/// The pieces of the largest torrent there can be: its description holds 20 bytes for each.
pub const PIECES_MAX: usize = METAINFO_BYTES_MAX / 20;

/// The longest bitfield, in bytes.
pub const BITFIELD_BYTES_MAX: usize = PIECES_MAX.div_ceil(8);

/// The longest payload of an extended message, in bytes, and of a message of an unknown kind. The longest honest ones
/// are a first list of peers, for whose length BEP 11 has no rule (this is room for 7,000), and a block of metadata.
pub const EXTENDED_BYTES_MAX: usize = 128 * 1024;

/// The longest message of all, in bytes, without its length prefix: the longest bitfield.
pub const FRAME_BYTES_MAX: usize = 1 + BITFIELD_BYTES_MAX;

/// The bytes of the length before each message.
const PREFIX_BYTES: usize = 4;

/// The bytes of a `piece` message before its data: kind, piece and offset.
const PIECE_HEAD_BYTES: usize = 9;

/// Kinds of messages by their first byte (BEP 3; 9 is of BEP 5, 13 to 17 are of BEP 6, 20 is of BEP 10).
mod id {
    pub(super) const CHOKE: u8 = 0;
    pub(super) const UNCHOKE: u8 = 1;
    pub(super) const INTERESTED: u8 = 2;
    pub(super) const NOT_INTERESTED: u8 = 3;
    pub(super) const HAVE: u8 = 4;
    pub(super) const BITFIELD: u8 = 5;
    pub(super) const REQUEST: u8 = 6;
    pub(super) const PIECE: u8 = 7;
    pub(super) const CANCEL: u8 = 8;
    pub(super) const PORT: u8 = 9;
    pub(super) const SUGGEST: u8 = 13;
    pub(super) const HAVE_ALL: u8 = 14;
    pub(super) const HAVE_NONE: u8 = 15;
    pub(super) const REJECT: u8 = 16;
    pub(super) const ALLOWED_FAST: u8 = 17;
    pub(super) const EXTENDED: u8 = 20;
}
