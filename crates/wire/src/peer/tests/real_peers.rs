//! What other programs really send: a seeder's side of a connection from 127.0.0.1, on which it was asked for its
//! metadata and a block. The torrent is a file of 200 bytes in 7 pieces.

use std::net::Ipv4Addr;

use sha1::{Digest, Sha1};
use swarm::{Endpoint, Port};

use super::*;

/// aria2 1.36.0, the handshake first, then message by message.
const ARIA2: &[&[u8]] = &[
    b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x046Rz7\x1c\xda{\x0a\xed\x12\xfd\x97\xf8\xcd\x91\x10\xe3\
        \x89\xee\xbfA2-1-36-0-\x8dr\xd8\xa4\xe5\x87\x11\xd3\x8c\x9f",
    b"\0\0\0V\x14\0d1:md11:ut_metadatai9e6:ut_pexi8ee13:metadata_sizei202e1:pi46881e1:v12:aria2/1.36.0\
        e",
    b"\0\0\0\x01\x0e",
    b"\0\0\0\x05\x11\0\0\0\x05",
    b"\0\0\0\x05\x11\0\0\0\x02",
    b"\0\0\0\x05\x11\0\0\0\x01",
    b"\0\0\0\x05\x11\0\0\0\0",
    b"\0\0\0\x05\x11\0\0\0\x06",
    b"\0\0\0\x05\x11\0\0\0\x03",
    b"\0\0\0\x05\x11\0\0\0\x04",
    b"\0\0\0\xf7\x14\x03d8:msg_typei1e5:piecei0e10:total_sizei202eed6:lengthi200e4:name8:file.bin12:pi\
        ece lengthi32e6:pieces140:\xae[\xd8\xef\xeaS\"\xc4\xd9\x98m\x06h\x0ax\x13\x92\xf9\xa6B\x95\x02q\
        \x1a[dh\xa0@\x0d\x09T\x80Q]\x96\x10\xf3'\xac4\xc1\xcd\x14;(R\xb3\x9e#P\x179\xd5\xff\xfc\xfb\x87c\
        \xda6\xf9\xf3d\xda\xdc\xb3\xb6Q\xdc]fj\xef\x8e\x97\xb5&9\xea\xaf\xf8\x08\x01\xc3e?\xa6\x98\xb2\
        \xb2\xa44\xd6\xc2\xbf\xab\x9b\xecNl,d\x94 X\x8c\xfaxdH\xc4\x9e\xcd\xd5:\x90\xe0X.F]\xe1@\xa2\x18\
        M\x061g\x08FbW\xea\xaf\xab\x16T\x14e",
    b"\0\0\0)\x07\0\0\0\0\0\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\
        \x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f",
    b"\0\0\0\x01\x01",
    b"\0\0\0\x04\x14\x01de",
];

/// Transmission 3.00, likewise.
const TRANSMISSION: &[&[u8]] = &[
    b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x056Rz7\x1c\xda{\x0a\xed\x12\xfd\x97\xf8\xcd\x91\x10\xe3\
        \x89\xee\xbf-TR3000-e50acwjymlb0",
    b"\0\0\0}\x14\0d1:ei1e1:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei202e1:pi46882e4:reqqi512e1\
        1:upload_onlyi1e1:v17:Transmission 3.00e",
    b"\0\0\0\x01\x0e",
    b"\0\0\0\x1f\x14\x01d5:added6:\x7f\0\0\x01\xach7:added.f1:\0e",
    b"\0\0\0\x0d\x10\0\0\0\0\0\0\0\0\0\0\0 ",
    b"\0\0\0\x01\x01",
    b"\0\0\0\xf7\x14\x03d8:msg_typei1e5:piecei0e10:total_sizei202eed6:lengthi200e4:name8:file.bin12:pi\
        ece lengthi32e6:pieces140:\xae[\xd8\xef\xeaS\"\xc4\xd9\x98m\x06h\x0ax\x13\x92\xf9\xa6B\x95\x02q\
        \x1a[dh\xa0@\x0d\x09T\x80Q]\x96\x10\xf3'\xac4\xc1\xcd\x14;(R\xb3\x9e#P\x179\xd5\xff\xfc\xfb\x87c\
        \xda6\xf9\xf3d\xda\xdc\xb3\xb6Q\xdc]fj\xef\x8e\x97\xb5&9\xea\xaf\xf8\x08\x01\xc3e?\xa6\x98\xb2\
        \xb2\xa44\xd6\xc2\xbf\xab\x9b\xecNl,d\x94 X\x8c\xfaxdH\xc4\x9e\xcd\xd5:\x90\xe0X.F]\xe1@\xa2\x18\
        M\x061g\x08FbW\xea\xaf\xab\x16T\x14e",
];

/// The messages after the handshake, of which it is checked that they are written as they were read.
fn heard(stream: &[&'static [u8]]) -> (Handshake, Vec<Message<'static>>) {
    let (first, rest) = stream.split_first().unwrap();
    let handshake = Handshake::decode(first).unwrap().unwrap();
    let mut written = Vec::new();
    handshake.encode(&mut written);
    assert_eq!(written, *first);
    let messages = rest.iter().map(|bytes| {
        let (whole, consumed) = frame(bytes, frame_bytes_max(7)).unwrap().unwrap();
        assert_eq!(consumed, bytes.len());
        let message = Message::decode(whole).unwrap();
        let mut written = Vec::new();
        encode(&message, &mut written);
        assert_eq!(written, *bytes);
        message
    });
    (handshake, messages.collect())
}

/// The payload of a message to our id.
fn extended<'a>(message: &Message<'a>, id: u8) -> &'a [u8] {
    match message {
        Message::Extended { id: found, payload } if *found == id => payload,
        _ => panic!("{message:?}"),
    }
}

#[test]
fn aria2_is_understood() {
    let (handshake, messages) = heard(ARIA2);
    assert!(handshake.fast() && handshake.extended() && !handshake.dht());
    let [extensions, have_all, fast @ .., metadata, piece, unchoke, pex] = &messages[..] else { panic!() };

    let said = ExtensionHandshake::decode(extended(extensions, EXTENSION_HANDSHAKE)).unwrap();
    let expected = ExtensionHandshake {
        metadata_id: Some(9),
        pex_id: Some(8),
        metadata_bytes: Some(202),
        port: Port::new(46881),
        client: Some("aria2/1.36.0".into()),
        ..ExtensionHandshake::default()
    };
    assert_eq!(said, expected);
    assert_eq!((have_all, unchoke), (&Message::HaveAll, &Message::Unchoke));

    // Somebody else's sum, in its order.
    let ours = allowed_fast(Ipv4Addr::LOCALHOST, &handshake.info_hash, 7, 10);
    assert!(fast.iter().copied().eq(ours.into_iter().map(Message::AllowedFast)), "{fast:?}");

    is_the_metadata(extended(metadata, 3), &handshake);
    let data: Vec<u8> = (0..32).collect();
    assert_eq!(*piece, Message::Piece { piece: 0, begin: 0, data: &data });
    let pex = Pex::decode(extended(pex, 1)).unwrap();
    assert_eq!((pex.added().count(), pex.dropped().count()), (0, 0), "aria2 lists nobody by saying nothing");
}

#[test]
fn transmission_is_understood() {
    let (handshake, messages) = heard(TRANSMISSION);
    assert!(handshake.fast() && handshake.extended() && handshake.dht());
    let [extensions, Message::HaveAll, pex, reject, Message::Unchoke, metadata] = &messages[..] else {
        panic!("{messages:?}")
    };

    let said = ExtensionHandshake::decode(extended(extensions, EXTENSION_HANDSHAKE)).unwrap();
    let expected = ExtensionHandshake {
        metadata_id: Some(3),
        pex_id: Some(1),
        metadata_bytes: Some(202),
        port: Port::new(46882),
        requests_max: Some(512),
        upload_only: Some(true),
        client: Some("Transmission 3.00".into()),
        your_ip: None,
    };
    assert_eq!(said, expected);

    let pex = Pex::decode(extended(pex, 1)).unwrap();
    let us = Endpoint::V4(Ipv4Addr::LOCALHOST, Port::new(44136).unwrap());
    assert!(pex.added().eq([(us, PexFlags::default())]), "{pex:?}");
    assert_eq!(*reject, Message::Reject(Block { piece: 0, begin: 0, length: 32 }), "it still choked");
    is_the_metadata(extended(metadata, 3), &handshake);
}

/// Whether a payload is the one block of the info dictionary that the handshake was about.
fn is_the_metadata(payload: &[u8], handshake: &Handshake) {
    let Ok(Metadata::Data { block: 0, total_bytes: 202, data }) = Metadata::decode(payload) else {
        panic!("{}", payload.escape_ascii())
    };
    assert_eq!(InfoHash(Sha1::digest(data).into()), handshake.info_hash);
}
