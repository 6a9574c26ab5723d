use super::{BLOCK_BYTES_MAX, PIECE_HEAD_BYTES, id};
use crate::Malformed;

/// What a peer says after its handshake, borrowing from the bytes that say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Nothing, so that the connection is not taken for dead.
    KeepAlive,
    /// Requests will not be answered, except for allowed-fast pieces.
    Choke,
    /// Requests will be answered.
    Unchoke,
    /// It would send requests if it were not choked.
    Interested,
    /// It would not.
    NotInterested,
    /// It has this piece.
    Have(u32),
    /// The pieces it has, the first in the highest bit; see [`check_bitfield`].
    Bitfield(&'a [u8]),
    /// It asks for this block.
    Request(Block),
    /// Part of a piece.
    Piece {
        /// Which piece.
        piece: u32,
        /// Where in the piece the data starts, in bytes.
        begin: u32,
        /// The data: [`BLOCK_BYTES_MAX`] at most.
        data: &'a [u8],
    },
    /// It no longer wants this block.
    Cancel(Block),
    /// The UDP port of its DHT node (BEP 5).
    Port(u16),
    /// It would like to be asked for this piece (BEP 6).
    Suggest(u32),
    /// It has every piece (BEP 6).
    HaveAll,
    /// It has no piece (BEP 6).
    HaveNone,
    /// The request for this block will not be answered (BEP 6).
    Reject(Block),
    /// Requests for this piece will be answered even while choked (BEP 6).
    AllowedFast(u32),
    /// A message of the extension protocol (BEP 10).
    Extended {
        /// 0 is the extensions' handshake; any other was named by the receiver's own handshake.
        id: u8,
        /// What follows.
        payload: &'a [u8],
    },
    /// A message of a kind that is not known here, to be ignored.
    Unknown {
        /// Its kind.
        id: u8,
        /// What follows.
        payload: &'a [u8],
    },
}

/// A part of a piece, as it is asked for. What the sender says: none of it is checked against a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// Which piece.
    pub piece: u32,
    /// Where in the piece it starts, in bytes.
    pub begin: u32,
    /// Its length in bytes.
    pub length: u32,
}

impl<'a> Message<'a> {
    /// Reads the bytes that [`frame`](super::frame) split off a stream.
    ///
    /// # Errors
    /// A message whose length is not that of its kind.
    pub fn decode(frame: &'a [u8]) -> Result<Self, Malformed> {
        let Some((&kind, body)) = frame.split_first() else { return Ok(Self::KeepAlive) };
        let message = match kind {
            id::CHOKE => bare(body, Self::Choke),
            id::UNCHOKE => bare(body, Self::Unchoke),
            id::INTERESTED => bare(body, Self::Interested),
            id::NOT_INTERESTED => bare(body, Self::NotInterested),
            id::HAVE => number(body).map(Self::Have),
            id::BITFIELD => Some(Self::Bitfield(body)),
            id::REQUEST => block(body).map(Self::Request),
            id::PIECE => piece(body),
            id::CANCEL => block(body).map(Self::Cancel),
            id::PORT => body.try_into().ok().map(u16::from_be_bytes).map(Self::Port),
            id::SUGGEST => number(body).map(Self::Suggest),
            id::HAVE_ALL => bare(body, Self::HaveAll),
            id::HAVE_NONE => bare(body, Self::HaveNone),
            id::REJECT => block(body).map(Self::Reject),
            id::ALLOWED_FAST => number(body).map(Self::AllowedFast),
            id::EXTENDED => body.split_first().map(|(&id, payload)| Self::Extended { id, payload }),
            id => Some(Self::Unknown { id, payload: body }),
        };
        message.ok_or_else(|| wrong_length(kind, frame.len()))
    }
}

/// Appends a message with its length prefix. Its payload is copied; [`encode_piece_head`] is for data that should not
/// be.
pub fn encode(message: &Message<'_>, out: &mut Vec<u8>) {
    match *message {
        Message::KeepAlive => out.extend_from_slice(&[0; 4]),
        Message::Choke => put(out, id::CHOKE, &[]),
        Message::Unchoke => put(out, id::UNCHOKE, &[]),
        Message::Interested => put(out, id::INTERESTED, &[]),
        Message::NotInterested => put(out, id::NOT_INTERESTED, &[]),
        Message::Have(piece) => put(out, id::HAVE, &piece.to_be_bytes()),
        Message::Bitfield(bits) => put(out, id::BITFIELD, bits),
        Message::Request(block) => put(out, id::REQUEST, &block.to_bytes()),
        Message::Piece { piece, begin, data } => {
            encode_piece_head(piece, begin, u32::try_from(data.len()).unwrap_or(u32::MAX), out);
            out.extend_from_slice(data);
        }
        Message::Cancel(block) => put(out, id::CANCEL, &block.to_bytes()),
        Message::Port(port) => put(out, id::PORT, &port.to_be_bytes()),
        Message::Suggest(piece) => put(out, id::SUGGEST, &piece.to_be_bytes()),
        Message::HaveAll => put(out, id::HAVE_ALL, &[]),
        Message::HaveNone => put(out, id::HAVE_NONE, &[]),
        Message::Reject(block) => put(out, id::REJECT, &block.to_bytes()),
        Message::AllowedFast(piece) => put(out, id::ALLOWED_FAST, &piece.to_be_bytes()),
        Message::Extended { id, payload } => {
            put_extended_head(out, id, payload.len());
            out.extend_from_slice(payload);
        }
        Message::Unknown { id, payload } => put(out, id, payload),
    }
}

/// Appends what comes before the data of a `piece` message that has `length` bytes of it: 13 bytes. The caller sends
/// the data after them, from wherever it is.
pub fn encode_piece_head(piece: u32, begin: u32, length: u32, out: &mut Vec<u8>) {
    put_head(out, id::PIECE, (PIECE_HEAD_BYTES - 1).saturating_add(length as usize));
    out.extend_from_slice(&piece.to_be_bytes());
    out.extend_from_slice(&begin.to_be_bytes());
}

/// Appends what comes before the payload of an extended message.
pub(super) fn put_extended_head(out: &mut Vec<u8>, id: u8, payload_bytes: usize) {
    put_head(out, id::EXTENDED, payload_bytes.saturating_add(1));
    out.push(id);
}

/// Whether a bitfield is one of a torrent with so many pieces: a bit for each, and no spare bit set (BEP 3).
///
/// # Errors
/// It is not.
pub fn check_bitfield(bits: &[u8], pieces: u32) -> Result<(), Malformed> {
    let expected = (pieces as usize).div_ceil(8);
    if bits.len() != expected {
        let found = bits.len();
        return Err(Malformed::new(format!(
            "a bitfield of {found} bytes is not one of {pieces} pieces: {expected} bytes are expected"
        )));
    }
    match (bits.last(), pieces % 8) {
        (Some(&last), used @ 1..) if last << used != 0 => {
            Err(Malformed::new(format!("a bitfield of {pieces} pieces has a bit set beyond the last one")))
        }
        _ => Ok(()),
    }
}

impl Block {
    fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.piece.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.begin.to_be_bytes());
        bytes[8..].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }
}

fn bare<'a>(body: &[u8], message: Message<'a>) -> Option<Message<'a>> {
    body.is_empty().then_some(message)
}

fn number(body: &[u8]) -> Option<u32> {
    body.try_into().ok().map(u32::from_be_bytes)
}

fn block(body: &[u8]) -> Option<Block> {
    let [piece, begin, length] = body.as_chunks::<4>().0 else { return None };
    let [piece, begin, length] = [piece, begin, length].map(|field| u32::from_be_bytes(*field));
    (body.len() == 12).then_some(Block { piece, begin, length })
}

fn piece(body: &[u8]) -> Option<Message<'_>> {
    let (&piece, rest) = body.split_first_chunk()?;
    let (&begin, data) = rest.split_first_chunk()?;
    let (piece, begin) = (u32::from_be_bytes(piece), u32::from_be_bytes(begin));
    (data.len() <= BLOCK_BYTES_MAX).then_some(Message::Piece { piece, begin, data })
}

fn put(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    put_head(out, kind, body.len());
    out.extend_from_slice(body);
}

fn put_head(out: &mut Vec<u8>, kind: u8, body_bytes: usize) {
    let length = u32::try_from(body_bytes.saturating_add(1)).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(kind);
}

/// That a message of `kind` has another length, in bytes, than it should.
fn wrong_length(kind: u8, found: usize) -> Malformed {
    let (name, expected) = match kind {
        id::CHOKE => ("choke", "1"),
        id::UNCHOKE => ("unchoke", "1"),
        id::INTERESTED => ("interested", "1"),
        id::NOT_INTERESTED => ("not interested", "1"),
        id::HAVE => ("have", "5"),
        id::REQUEST => ("request", "13"),
        id::PIECE => ("piece", "9 to 16393"),
        id::CANCEL => ("cancel", "13"),
        id::PORT => ("port", "3"),
        id::SUGGEST => ("suggest piece", "5"),
        id::HAVE_ALL => ("have all", "1"),
        id::HAVE_NONE => ("have none", "1"),
        id::REJECT => ("reject request", "13"),
        id::ALLOWED_FAST => ("allowed fast", "5"),
        _ => ("extended", "2 or more"),
    };
    Malformed::new(format!("a `{name}` message of {found} bytes is not one of {expected} bytes"))
}
