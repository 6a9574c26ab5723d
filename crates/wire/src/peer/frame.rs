use super::{BITFIELD_BYTES_MAX, BLOCK_BYTES_MAX, EXTENDED_BYTES_MAX, PIECE_HEAD_BYTES, PREFIX_BYTES, id};
use crate::Malformed;

/// Splits the first message off a stream: its bytes without the length prefix, and how many bytes of the stream it
/// took with it. `None` if there must come more. A keep-alive has no bytes.
///
/// # Errors
/// A length above `length_max` bytes, which is told by the prefix alone, or above what a message of its kind can have,
/// which is told by the byte after it.
pub fn frame(stream: &[u8], length_max: usize) -> Result<Option<(&[u8], usize)>, Malformed> {
    let Some((&prefix, rest)) = stream.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes(prefix) as usize;
    if length > length_max {
        return Err(too_long(length, length_max));
    }
    match rest.first() {
        Some(&kind) if length > bytes_max(kind) => Err(too_long(length, bytes_max(kind))),
        _ => Ok(rest.get(..length).map(|message| (message, PREFIX_BYTES + length))),
    }
}

/// The longest message, in bytes, that can come where a torrent has so many pieces: what [`frame`] should be told once
/// they are known. Before that it is [`FRAME_BYTES_MAX`](super::FRAME_BYTES_MAX).
#[must_use]
pub const fn frame_bytes_max(pieces: u32) -> usize {
    let bitfield = 1 + (pieces as usize).div_ceil(8);
    let extended = bytes_max(id::EXTENDED);
    if bitfield > extended { bitfield } else { extended }
}

/// The longest message of a kind, in bytes, without the prefix.
const fn bytes_max(kind: u8) -> usize {
    match kind {
        id::CHOKE | id::UNCHOKE | id::INTERESTED | id::NOT_INTERESTED | id::HAVE_ALL | id::HAVE_NONE => 1,
        id::PORT => 3,
        id::HAVE | id::SUGGEST | id::ALLOWED_FAST => 5,
        id::REQUEST | id::CANCEL | id::REJECT => 13,
        id::BITFIELD => 1 + BITFIELD_BYTES_MAX,
        id::PIECE => PIECE_HEAD_BYTES + BLOCK_BYTES_MAX,
        _ => 2 + EXTENDED_BYTES_MAX,
    }
}

fn too_long(length: usize, most: usize) -> Malformed {
    Malformed::new(format!("a message of {length} bytes is too long: {most} are allowed at most"))
}
