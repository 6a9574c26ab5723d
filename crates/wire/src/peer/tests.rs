//! Golden bytes of the specifications, then truncation and splits at every byte, then round trips.

use proptest::prelude::*;
use swarm::{InfoHash, PeerId};

mod extension;
mod real_peers;

use super::*;

const HASH: InfoHash = InfoHash(*b"aaaaaaaaaaaaaaaaaaaa");
const ID: PeerId = PeerId(*b"-SK0001-bbbbbbbbbbbb");

/// Every kind of message, and its bytes as the specifications have them.
fn golden() -> Vec<(Message<'static>, &'static [u8])> {
    let block = Block { piece: 1, begin: 0x4000, length: 0x1000 };
    vec![
        // BEP 3.
        (Message::KeepAlive, b"\0\0\0\0"),
        (Message::Choke, b"\0\0\0\x01\0"),
        (Message::Unchoke, b"\0\0\0\x01\x01"),
        (Message::Interested, b"\0\0\0\x01\x02"),
        (Message::NotInterested, b"\0\0\0\x01\x03"),
        (Message::Have(0x0102_0304), b"\0\0\0\x05\x04\x01\x02\x03\x04"),
        (Message::Bitfield(b"\xff\x80"), b"\0\0\0\x03\x05\xff\x80"),
        (Message::Bitfield(b""), b"\0\0\0\x01\x05"),
        (Message::Request(block), b"\0\0\0\x0d\x06\0\0\0\x01\0\0\x40\0\0\0\x10\0"),
        (
            Message::Piece { piece: 1, begin: 0x4000, data: b"data" },
            b"\0\0\0\x0d\x07\0\0\0\x01\0\0\x40\0data",
        ),
        (Message::Piece { piece: 1, begin: 2, data: b"" }, b"\0\0\0\x09\x07\0\0\0\x01\0\0\0\x02"),
        (Message::Cancel(block), b"\0\0\0\x0d\x08\0\0\0\x01\0\0\x40\0\0\0\x10\0"),
        // BEP 5.
        (Message::Port(6881), b"\0\0\0\x03\x09\x1a\xe1"),
        // BEP 6.
        (Message::Suggest(7), b"\0\0\0\x05\x0d\0\0\0\x07"),
        (Message::HaveAll, b"\0\0\0\x01\x0e"),
        (Message::HaveNone, b"\0\0\0\x01\x0f"),
        (Message::Reject(block), b"\0\0\0\x0d\x10\0\0\0\x01\0\0\x40\0\0\0\x10\0"),
        (Message::AllowedFast(7), b"\0\0\0\x05\x11\0\0\0\x07"),
        // BEP 10.
        (Message::Extended { id: 0, payload: b"de" }, b"\0\0\0\x04\x14\0de"),
        (Message::Extended { id: 3, payload: b"" }, b"\0\0\0\x02\x14\x03"),
        // BEP 52, of which nothing is known here.
        (Message::Unknown { id: 21, payload: b"root" }, b"\0\0\0\x05\x15root"),
    ]
}

#[test]
fn a_handshake_is_as_the_specification_has_it() {
    let bytes = b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x04aaaaaaaaaaaaaaaaaaaa-SK0001-bbbbbbbbbbbb";
    let handshake = Handshake::new(HASH, ID);
    let mut out = Vec::new();
    handshake.encode(&mut out);
    assert_eq!(out, bytes);
    assert_eq!(out.len(), HANDSHAKE_BYTES);
    assert_eq!(Handshake::decode(&[bytes, &b"\0\0\0\0"[..]].concat()), Ok(Some(handshake)));
    for len in 0..HANDSHAKE_BYTES {
        assert_eq!(Handshake::decode(&bytes[..len]), Ok(None), "{len}");
    }
}

#[test]
fn reserved_bits_are_where_their_specifications_have_them() {
    let with = |reserved| Handshake { reserved, info_hash: HASH, peer_id: ID };
    let bits = |handshake: Handshake| (handshake.fast(), handshake.extended(), handshake.dht());
    assert_eq!(bits(with([0, 0, 0, 0, 0, 0, 0, 0x04])), (true, false, false), "BEP 6: reserved[7] |= 0x04");
    assert_eq!(
        bits(with([0, 0, 0, 0, 0, 0x10, 0, 0])),
        (false, true, false),
        "BEP 10: bit 20 from the right"
    );
    assert_eq!(bits(with([0, 0, 0, 0, 0, 0, 0, 0x01])), (false, false, true), "BEP 5: the last bit");
    assert_eq!(bits(with([0xff, 0xff, 0xff, 0xff, 0xff, !0x10, 0xff, !0x05])), (false, false, false));
}

#[test]
fn another_protocol_is_told_by_its_first_wrong_byte() {
    for (stream, good) in [(&b"GET / HTTP/1.1"[..], 0), (b"\x13BitTorrent protocoL", 19), (b"\x14", 0)] {
        for len in 0..=stream.len() {
            assert_eq!(Handshake::decode(&stream[..len]).is_err(), len > good, "{stream:?} {len}");
        }
    }
    let fault = Handshake::decode(b"GET").unwrap_err();
    let said = r"the start of a handshake `GET` is not `\x13BitTorrent protocol`";
    assert_eq!(fault.reason(), said);
}

#[test]
fn messages_are_as_the_specifications_have_them() {
    for (message, bytes) in golden() {
        let mut out = Vec::new();
        encode(&message, &mut out);
        assert_eq!(out, bytes, "{message:?}");
        let (whole, consumed) = frame(bytes, FRAME_BYTES_MAX).unwrap().unwrap();
        assert_eq!((Message::decode(whole), consumed), (Ok(message), bytes.len()));
    }
    let mut head = Vec::new();
    encode_piece_head(1, 0x4000, 4, &mut head);
    assert_eq!(head, b"\0\0\0\x0d\x07\0\0\0\x01\0\0\x40\0", "and the data follows");
}

#[test]
fn a_payload_is_not_copied() {
    let stream = b"\0\0\0\x0d\x07\0\0\0\x01\0\0\x40\0data\0\0\0\0";
    let (whole, _) = frame(stream, FRAME_BYTES_MAX).unwrap().unwrap();
    let Message::Piece { data, .. } = Message::decode(whole).unwrap() else { panic!("{whole:?}") };
    assert!(std::ptr::eq(data, &stream[13..17]));
}

#[test]
fn a_message_of_another_length_is_refused() {
    for (message, bytes) in golden() {
        let body = &bytes[4..];
        for len in 0..body.len() {
            let fits = match message {
                _ if len == 0 => true,
                Message::Bitfield(_) | Message::Unknown { .. } => true,
                Message::Piece { .. } => len >= 9,
                Message::Extended { .. } => len >= 2,
                _ => false,
            };
            assert_eq!(Message::decode(&body[..len]).is_ok(), fits, "{message:?} cut to {len}");
        }
        let longer = Message::decode(&[body, b"x"].concat()).is_ok();
        let open = matches!(
            message,
            Message::Bitfield(_) | Message::Unknown { .. } | Message::Piece { .. } | Message::Extended { .. }
        );
        assert_eq!(longer, open || message == Message::KeepAlive, "{message:?}");
    }
    let fault = Message::decode(b"\x04\0\0").unwrap_err();
    assert_eq!(fault.reason(), "a `have` message of 3 bytes is not one of 5 bytes");
    let block = [&[7; 9][..], &vec![0; BLOCK_BYTES_MAX]].concat();
    assert!(Message::decode(&block).is_ok());
    let fault = Message::decode(&[&block[..], b"x"].concat()).unwrap_err();
    assert_eq!(fault.reason(), "a `piece` message of 16394 bytes is not one of 9 to 16393 bytes");
}

#[test]
fn a_length_is_refused_as_soon_as_it_is_known_to_be_wrong() {
    let stream = [&u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes()[..], b"\x05"].concat();
    for len in 0..=stream.len() {
        assert_eq!(frame(&stream[..len], FRAME_BYTES_MAX).is_err(), len >= 4, "{len}");
    }
    let most = |kind: u8| match kind {
        0..=3 | 14 | 15 => 1,
        9 => 3,
        4 | 13 | 17 => 5,
        6 | 8 | 16 => 13,
        5 => FRAME_BYTES_MAX,
        7 => 9 + BLOCK_BYTES_MAX,
        _ => 2 + EXTENDED_BYTES_MAX,
    };
    for kind in 0..=u8::MAX {
        let head = |length: usize| [&u32::try_from(length).unwrap().to_be_bytes()[..], &[kind]].concat();
        assert!(frame(&head(most(kind)), FRAME_BYTES_MAX).is_ok(), "{kind}");
        assert!(frame(&head(most(kind) + 1), FRAME_BYTES_MAX).is_err(), "{kind}");
    }
    let fault = frame(b"\0\0\0\x02\0", FRAME_BYTES_MAX).unwrap_err();
    assert_eq!(fault.reason(), "a message of 2 bytes is too long: 1 are allowed at most");
    assert_eq!(frame(b"\xff\xff\xff\xff", usize::MAX), Ok(None), "unless the caller allows it");
}

#[test]
fn the_longest_message_follows_from_the_torrent() {
    assert_eq!(frame_bytes_max(1), 2 + EXTENDED_BYTES_MAX, "no shorter than an extended message");
    assert_eq!(frame_bytes_max(u32::try_from(PIECES_MAX).unwrap()), FRAME_BYTES_MAX);
}

#[test]
fn a_bitfield_has_a_bit_for_each_piece_and_no_other() {
    assert_eq!(check_bitfield(b"", 0), Ok(()));
    assert_eq!(check_bitfield(b"\xff", 8), Ok(()));
    assert_eq!(check_bitfield(b"\xff\x80", 9), Ok(()));
    assert_eq!(check_bitfield(b"\0\xfe", 15), Ok(()));
    for (bits, pieces) in [(&b""[..], 1), (b"\0", 0), (b"\0", 9), (b"\0\0", 8), (b"\x01", 7), (b"\0\x40", 9)]
    {
        assert!(check_bitfield(bits, pieces).is_err(), "{bits:?} {pieces}");
    }
    let fault = check_bitfield(b"\0", 9).unwrap_err();
    assert_eq!(fault.reason(), "a bitfield of 1 bytes is not one of 9 pieces: 2 bytes are expected");
}

/// The messages of a stream that comes in two parts, and what is left of it.
fn read(first: &[u8], second: &[u8]) -> (Vec<String>, usize) {
    let mut kept = Vec::new();
    let mut messages = Vec::new();
    for part in [first, second] {
        kept.extend_from_slice(part);
        let mut at = 0;
        while let Some((whole, consumed)) = frame(&kept[at..], FRAME_BYTES_MAX).unwrap() {
            messages.push(format!("{:?}", Message::decode(whole).unwrap()));
            at += consumed;
        }
        kept.drain(..at);
    }
    (messages, kept.len())
}

#[test]
fn a_stream_may_be_split_at_every_byte() {
    let (messages, bytes): (Vec<_>, Vec<_>) = golden().into_iter().unzip();
    let stream = bytes.concat();
    let expected: Vec<_> = messages.iter().map(|message| format!("{message:?}")).collect();
    for at in 0..=stream.len() {
        assert_eq!(read(&stream[..at], &stream[at..]), (expected.clone(), 0), "{at}");
    }
    for len in 0..stream.len() {
        let (messages, left) = read(&stream[..len], b"");
        assert!(expected.starts_with(&messages) && left <= 17, "{len}");
    }
}

/// Any message, out of these parts.
fn message(kind: usize, a: u32, b: u32, c: u32, byte: u8, bytes: &[u8]) -> Message<'_> {
    let block = Block { piece: a, begin: b, length: c };
    match kind {
        0 => Message::KeepAlive,
        1 => Message::Choke,
        2 => Message::Unchoke,
        3 => Message::Interested,
        4 => Message::NotInterested,
        5 => Message::Have(a),
        6 => Message::Bitfield(bytes),
        7 => Message::Request(block),
        8 => Message::Piece { piece: a, begin: b, data: bytes },
        9 => Message::Cancel(block),
        10 => Message::Port(u16::from_be_bytes([byte, byte])),
        11 => Message::Suggest(a),
        12 => Message::HaveAll,
        13 => Message::HaveNone,
        14 => Message::Reject(block),
        15 => Message::AllowedFast(a),
        16 => Message::Extended { id: byte, payload: bytes },
        _ => Message::Unknown { id: byte | 0x80, payload: bytes },
    }
}

proptest! {
    #[test]
    fn a_stream_is_read_as_it_was_meant(
        parts in prop::collection::vec(
            (0_usize..18, any::<(u32, u32, u32, u8)>(), prop::collection::vec(any::<u8>(), 0..100)),
            0..20,
        ),
    ) {
        let mut stream = Vec::new();
        let meant: Vec<_> = parts.iter().map(|(kind, (a, b, c, byte), bytes)| {
            let message = message(*kind, *a, *b, *c, *byte, bytes);
            encode(&message, &mut stream);
            message
        }).collect();
        let mut rest = &stream[..];
        for message in meant {
            let (whole, consumed) = frame(rest, FRAME_BYTES_MAX).unwrap().unwrap();
            prop_assert_eq!(Message::decode(whole), Ok(message));
            rest = &rest[consumed..];
        }
        prop_assert_eq!(rest, b"");
    }

    #[test]
    fn a_handshake_is_read_as_it_was_meant(reserved: [u8; 8], info_hash: [u8; 20], peer_id: [u8; 20]) {
        let handshake = Handshake { reserved, info_hash: InfoHash(info_hash), peer_id: PeerId(peer_id) };
        let mut bytes = Vec::new();
        handshake.encode(&mut bytes);
        prop_assert_eq!(Handshake::decode(&bytes), Ok(Some(handshake)));
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..100), length_max in 0_usize..100) {
        let _ = Handshake::decode(&bytes);
        let _ = Message::decode(&bytes);
        let _ = check_bitfield(&bytes, 700);
        if let Ok(Some((whole, consumed))) = frame(&bytes, length_max) {
            prop_assert!(whole.len() <= length_max && consumed == whole.len() + 4);
        }
    }
}
