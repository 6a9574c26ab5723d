//! The peer protocol: what is read is written as it was, wherever the stream was cut, and bounded.

use swarm::Endpoint;
use wire::peer::{
    self, CLIENT_CHARS_MAX, EXTENSION_HANDSHAKE, ExtensionHandshake, FRAME_BYTES_MAX, HANDSHAKE_BYTES,
    Handshake, METADATA_BYTES_MAX, Message, Metadata, PEX_READ_MAX, Pex,
};

/// A stream, with a handshake first or without one, is read the same however it is cut, and its messages are written
/// as they were.
///
/// # Panics
/// Where that does not hold.
pub fn peer_stream(data: &[u8]) {
    let handshake = Handshake::decode(data);
    for len in 0..data.len().min(HANDSHAKE_BYTES) {
        // What is refused early is refused for good.
        let early = Handshake::decode(&data[..len]);
        assert!(matches!(early, Ok(None)) || (early.is_err() && handshake.is_err()));
    }
    let mut rest = data;
    if let Ok(Some(handshake)) = handshake {
        let mut out = Vec::new();
        handshake.encode(&mut out);
        assert_eq!(out, data[..HANDSHAKE_BYTES]);
        rest = &data[HANDSHAKE_BYTES..];
    }
    while let Some(consumed) = message(rest) {
        rest = &rest[consumed..];
    }
}

/// How long the first message is in the stream; `None` if there is none.
fn message(stream: &[u8]) -> Option<usize> {
    let (whole, consumed) = match peer::frame(stream, FRAME_BYTES_MAX) {
        Ok(split) => split?,
        Err(_) => {
            assert!(
                peer::frame(&stream[..stream.len().min(5)], FRAME_BYTES_MAX).is_err(),
                "told by five bytes"
            );
            return None;
        }
    };
    for cut in [0, 3, 4, 5, consumed / 2, consumed - 1] {
        assert_eq!(peer::frame(&stream[..cut.min(consumed - 1)], FRAME_BYTES_MAX), Ok(None));
    }
    assert_eq!(peer::frame(&stream[..consumed], whole.len()), Ok(Some((whole, consumed))));
    let message = Message::decode(whole).ok()?;
    let mut out = Vec::new();
    peer::encode(&message, &mut out);
    assert_eq!(out, stream[..consumed]);
    match message {
        Message::Bitfield(bits) => {
            let pieces = u32::try_from(bits.len() * 8).expect("a bitfield is bounded");
            assert_eq!(peer::check_bitfield(bits, pieces), Ok(()));
        }
        Message::Extended { id: EXTENSION_HANDSHAKE, payload } => extension_handshake(payload),
        _ => {}
    }
    Some(consumed)
}

/// Any payload as each of the extensions' messages: what is read is bounded, and written so that it reads the same.
///
/// # Panics
/// Where that does not hold.
pub fn peer_extension(data: &[u8]) {
    extension_handshake(data);
    if let Ok(message) = Metadata::decode(data) {
        if let Metadata::Data { block, total_bytes, data } = message {
            assert!((1..=METADATA_BYTES_MAX).contains(&total_bytes) && !data.is_empty());
            assert_eq!(data.len(), peer::metadata_block_bytes(total_bytes, block) as usize);
        }
        if message != Metadata::Unknown {
            let mut out = Vec::new();
            message.encode(&mut out);
            assert_eq!(Metadata::decode(&out), Ok(message));
        }
    }
    if let Ok(pex) = Pex::decode(data) {
        let (added, dropped): (Vec<_>, Vec<_>) = (pex.added().collect(), pex.dropped().collect());
        assert!(added.len() <= PEX_READ_MAX && dropped.len() <= PEX_READ_MAX);
        assert!((added.len() + dropped.len()) * 6 <= data.len());
        let mut out = Vec::new();
        peer::encode_pex(&added, &dropped, &mut out);
        let again = Pex::decode(&out).expect("what was written can be read");
        // An IPv6 peer may be one of IPv4 in disguise, and then comes among them the next time.
        let is_v6 = |peer: &Endpoint| matches!(peer, Endpoint::V6(..));
        let (mut added, mut dropped) = (added, dropped);
        added.sort_by_key(|(peer, _)| is_v6(peer));
        dropped.sort_by_key(is_v6);
        assert!(again.added().eq(added) && again.dropped().eq(dropped));
    }
}

fn extension_handshake(payload: &[u8]) {
    let Ok(said) = ExtensionHandshake::decode(payload) else { return };
    let client = said.client.as_deref().unwrap_or_default();
    assert!(client.chars().count() <= CLIENT_CHARS_MAX && !client.contains(char::is_control));
    let mut out = Vec::new();
    peer::encode_extended(EXTENSION_HANDSHAKE, &mut out, |out| said.encode(out));
    let (whole, consumed) = peer::frame(&out, FRAME_BYTES_MAX).expect("it is short").expect("it is whole");
    let Ok(Message::Extended { id: EXTENSION_HANDSHAKE, payload }) = Message::decode(whole) else {
        panic!("no handshake: {whole:?}")
    };
    assert_eq!((ExtensionHandshake::decode(payload), consumed), (Ok(said.clone()), out.len()));
}
