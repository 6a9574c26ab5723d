//! Golden bytes of BEP 9, 10, 11 and 21, then truncation at every byte, nonsense, and round trips.

use std::borrow::Cow;
use std::net::IpAddr;

use proptest::prelude::*;
use swarm::{Endpoint, Port};

use super::*;

type Said = ExtensionHandshake<'static>;

fn written(handshake: &ExtensionHandshake<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    handshake.encode(&mut out);
    out
}

fn metadata_written(message: Metadata<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

fn peer(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().unwrap();
    Endpoint::new(address.ip(), Port::new(address.port()).unwrap())
}

#[test]
fn handshakes_are_as_the_specifications_have_them() {
    // BEP 10; its own names are of extensions that are not known here, one of them in Latin-1.
    let example = b"d1:md11:LT_metadatai1e6:\xb5T_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e";
    let said = Said { port: Port::new(6881), client: Some("µTorrent 1.2".into()), ..Said::default() };
    assert_eq!(ExtensionHandshake::decode(example), Ok(said));
    assert_eq!(ExtensionHandshake::decode(b"d11:LT_metadatai0ee"), Ok(Said::default()));

    // BEP 9.
    let example = b"d1:md11:ut_metadatai3ee13:metadata_sizei31235ee";
    let said = Said { metadata_id: Some(3), metadata_bytes: Some(31235), ..Said::default() };
    assert_eq!(written(&said), example);
    assert_eq!(ExtensionHandshake::decode(example), Ok(said));

    // BEP 21.
    let example = b"d1:md11:ut_metadatai3ee11:upload_onlyi1ee";
    let said = Said { metadata_id: Some(3), upload_only: Some(true), ..Said::default() };
    assert_eq!(written(&said), example);
    assert_eq!(ExtensionHandshake::decode(example), Ok(said));

    // Everything.
    let example =
        b"d1:md11:ut_metadatai3e6:ut_pexi0ee13:metadata_sizei1e1:pi6881e4:reqqi250e11:upload_onlyi0e\
        1:v10:Skep 0.1.06:yourip4:\x0a\x00\x00\x05e";
    let said = Said {
        metadata_id: Some(3),
        pex_id: Some(0),
        metadata_bytes: Some(1),
        port: Port::new(6881),
        requests_max: Some(250),
        upload_only: Some(false),
        client: Some("Skep 0.1.0".into()),
        your_ip: Some(IpAddr::from([10, 0, 0, 5])),
    };
    assert_eq!(written(&said), example);
    assert_eq!(ExtensionHandshake::decode(example).as_ref(), Ok(&said));
    for len in 0..example.len() {
        assert!(ExtensionHandshake::decode(&example[..len]).is_err(), "{len}");
    }
    assert_eq!(written(&Said::default()), b"d1:mdee");
}

#[test]
fn an_extended_message_is_written_in_place() {
    let mut out = b"before".to_vec();
    encode_extended(EXTENSION_HANDSHAKE, &mut out, |out| Said::default().encode(out));
    assert_eq!(out, b"before\0\0\0\x09\x14\0d1:mdee");
    let (whole, _) = frame(&out[6..], FRAME_BYTES_MAX).unwrap().unwrap();
    assert_eq!(Message::decode(whole), Ok(Message::Extended { id: 0, payload: b"d1:mdee" }));
}

#[test]
fn nonsense_in_a_handshake_counts_as_not_said() {
    for nonsense in [
        &b"de"[..],
        b"d1:mi1ee",
        b"d1:md11:ut_metadatai256e6:ut_pexi-1eee",
        b"d1:md11:ut_metadata1:36:ut_pexleee",
        b"d13:metadata_sizei0ee",
        b"d13:metadata_sizei-5ee",
        b"d13:metadata_sizei134217729ee",
        b"d1:pi0ee",
        b"d1:pi65536ee",
        b"d1:p4:6881e",
        b"d4:reqqi0ee",
        b"d4:reqqi4294967296ee",
        b"d11:upload_only1:1e",
        b"d1:vi1ee",
        b"d6:yourip5:12345e",
        b"d6:youripi1ee",
        b"d6:yourip4:\x0a\0\0\x051:pi0eetrailing",
    ] {
        let said = ExtensionHandshake::decode(nonsense).unwrap();
        let expected = Said { your_ip: said.your_ip, ..Said::default() };
        assert_eq!(said, expected, "{}", nonsense.escape_ascii());
    }
    let fault = ExtensionHandshake::decode(b"le").unwrap_err();
    assert_eq!(fault.reason(), "an extension handshake at byte 0 `le` is not a dictionary");
}

#[test]
fn an_address_may_be_of_either_family() {
    let v6 = b"d6:yourip16:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01e";
    assert_eq!(ExtensionHandshake::decode(v6).unwrap().your_ip, Some("2001:db8::1".parse().unwrap()));
    let mapped = b"d6:yourip16:\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x05e";
    assert_eq!(ExtensionHandshake::decode(mapped).unwrap().your_ip, Some(IpAddr::from([10, 0, 0, 5])));
}

#[test]
fn the_name_of_a_client_is_fit_to_print() {
    let client = |name: &[u8]| {
        let bytes = [&b"d1:v"[..], name.len().to_string().as_bytes(), b":", name, b"e"].concat();
        ExtensionHandshake::decode(&bytes).unwrap().client.unwrap().into_owned()
    };
    assert_eq!(client(b"qBittorrent/4.6.0"), "qBittorrent/4.6.0");
    assert_eq!(client(b"\x1b[31mred\r\n\xc2\x9b\xff"), "[31mred\u{fffd}");
    assert_eq!(client("µ".repeat(65).as_bytes()), "µ".repeat(CLIENT_CHARS_MAX));
    let said = ExtensionHandshake::decode(b"d1:v4:Skepe").unwrap();
    assert!(matches!(said.client, Some(Cow::Borrowed("Skep"))));
}

#[test]
fn metadata_messages_are_as_the_specification_has_them() {
    let data = [b'x'; 3425];
    let head = &b"d8:msg_typei1e5:piecei0e10:total_sizei3425ee"[..];
    for (message, bytes) in [
        (Metadata::Request(0), b"d8:msg_typei0e5:piecei0ee".to_vec()),
        (Metadata::Data { block: 0, total_bytes: 3425, data: &data }, [head, &data].concat()),
        // The specification prints a 1 here, and says in words that it is 2.
        (Metadata::Reject(0), b"d8:msg_typei2e5:piecei0ee".to_vec()),
    ] {
        assert_eq!(metadata_written(message), bytes);
        assert_eq!(Metadata::decode(&bytes), Ok(message));
        for len in 0..bytes.len() {
            assert!(Metadata::decode(&bytes[..len]).is_err(), "{message:?} {len}");
        }
    }
}

#[test]
fn a_message_of_a_kind_to_come_is_no_fault() {
    assert_eq!(Metadata::decode(b"d8:msg_typei3ee"), Ok(Metadata::Unknown));
    assert_eq!(Metadata::decode(b"d8:msg_typei-1e5:piece1:xeyy"), Ok(Metadata::Unknown));
    assert_eq!(Metadata::decode(b"d3:newle8:msg_typei0e5:piecei7ee"), Ok(Metadata::Request(7)));
    assert_eq!(metadata_written(Metadata::Unknown), b"de");
}

#[test]
fn metadata_that_cannot_be_is_refused() {
    for (bytes, reason) in [
        (&b"i1e"[..], "a metadata message at byte 0 `i1e` is not a dictionary"),
        (b"de", "a metadata message at byte 0 `de` is not one with `msg_type`"),
        (b"d8:msg_type1:0e", "`msg_type` at byte 11 `1:0` is not an integer"),
        (b"d8:msg_typei0ee", "a metadata message at byte 0 `d8:msg_typei0ee` is not one with `piece`"),
        (b"d8:msg_typei0e5:piecei-1ee", "`piece` -1 is not between 0 and 8191"),
        (b"d8:msg_typei2e5:piecei8192ee", "`piece` 8192 is not between 0 and 8191"),
        (
            b"d8:msg_typei1e5:piecei0eexx",
            "a metadata message at byte 0 `d8:msg_typei1e5:piecei0ee` is not one with `total_size`",
        ),
        (
            b"d8:msg_typei1e5:piecei0e10:total_sizei134217729ee",
            "`total_size` 134217729 is not between 1 and 134217728",
        ),
        (b"d8:msg_typei1e5:piecei0e10:total_sizei0ee", "`total_size` 0 is not between 1 and 134217728"),
        (
            b"d8:msg_typei1e5:piecei0e10:total_sizei3eexxxx",
            "block 0 of 3 bytes of metadata has 4 bytes: 3 are expected",
        ),
        (
            b"d8:msg_typei1e5:piecei1e10:total_sizei3ee",
            "block 1 of 3 bytes of metadata has 0 bytes: 0 are expected",
        ),
    ] {
        assert_eq!(Metadata::decode(bytes).unwrap_err().reason(), reason);
    }
    let long = [&b"d8:msg_typei0e5:piecei0ee"[..], &[0; 17 * 1024]].concat();
    let fault = Metadata::decode(&long).unwrap_err();
    assert_eq!(fault.reason(), "a metadata message of 17433 bytes is too long: 17408 are allowed at most");
}

#[test]
fn all_blocks_but_the_last_are_full() {
    assert_eq!([0, 1, 2].map(|block| metadata_block_bytes(31235, block)), [16384, 14851, 0]);
    assert_eq!([0, 1].map(|block| metadata_block_bytes(16384, block)), [16384, 0]);
    assert_eq!(metadata_block_bytes(u32::MAX, u32::MAX), 0);
    let last = METADATA_BYTES_MAX.div_ceil(METADATA_BLOCK_BYTES) - 1;
    assert_eq!(metadata_block_bytes(METADATA_BYTES_MAX, last), 16384);
}

#[test]
fn lists_of_peers_are_as_the_specification_has_them() {
    let bytes = b"d5:added12:\x0a\0\0\x05\x1a\xe1\x0a\0\0\x06\x1a\xe27:added.f2:\x02\x10\
        6:added618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe18:added6.f1:\x12\
        7:dropped6:\x0a\0\0\x07\x1a\xe18:dropped618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x1a\xe1e";
    let added = [
        (peer("10.0.0.5:6881"), PexFlags::UPLOAD_ONLY),
        (peer("10.0.0.6:6882"), PexFlags::REACHABLE),
        (peer("[2001:db8::1]:6881"), PexFlags::UPLOAD_ONLY.with(PexFlags::REACHABLE)),
    ];
    let dropped = [peer("10.0.0.7:6881"), peer("[2001:db8::2]:6881")];
    let mut out = Vec::new();
    encode_pex(&[added[2], added[0], added[1]], &dropped, &mut out);
    assert_eq!(out.escape_ascii().to_string(), bytes.escape_ascii().to_string());
    let read = Pex::decode(bytes).unwrap();
    assert!(read.added().eq(added) && read.dropped().eq(dropped), "{read:?}");
    for len in 0..bytes.len() {
        assert!(Pex::decode(&bytes[..len]).is_err(), "{len}");
    }
    let all = [
        PexFlags::ENCRYPTION,
        PexFlags::UPLOAD_ONLY,
        PexFlags::UTP,
        PexFlags::HOLEPUNCH,
        PexFlags::REACHABLE,
    ];
    assert_eq!(all.map(|flags| flags.0), [1, 2, 4, 8, 16]);
    assert!(PexFlags(0x1f).contains(PexFlags::UTP) && !PexFlags(0x1b).contains(PexFlags::UTP));
}

#[test]
fn nonsense_in_a_list_of_peers_counts_as_not_said() {
    let some =
        b"d5:added19:\x0a\0\0\x05\x1a\xe1\x0a\0\0\x06\0\0\x0a\0\0\x07\x1a\xe1x7:added.f1:\x027:droppedi1ee";
    let read = Pex::decode(some).unwrap();
    let added =
        [(peer("10.0.0.5:6881"), PexFlags::UPLOAD_ONLY), (peer("10.0.0.7:6881"), PexFlags::default())];
    assert!(read.added().eq(added), "{read:?}");
    assert_eq!(read.dropped().count(), 0);
    let none = Pex::decode(b"de").unwrap();
    assert_eq!((none.added().count(), none.dropped().count()), (0, 0));
    let fault = Pex::decode(b"le").unwrap_err();
    assert_eq!(fault.reason(), "a list of peers at byte 0 `le` is not a dictionary");
}

#[test]
fn a_crowd_is_not_listened_to_to_its_end() {
    let crowd: Vec<_> = (1..=300)
        .map(|n| (Endpoint::new([10, 0, 0, 5].into(), Port::new(n).unwrap()), PexFlags(0)))
        .collect();
    let gone: Vec<_> = crowd.iter().map(|(peer, _)| *peer).collect();
    let mut out = Vec::new();
    encode_pex(&crowd, &gone, &mut out);
    let read = Pex::decode(&out).unwrap();
    assert!(read.added().eq(crowd[..PEX_READ_MAX].iter().copied()));
    assert!(read.dropped().eq(gone[..PEX_READ_MAX].iter().copied()));
}

fn any_peer() -> impl Strategy<Value = Endpoint> {
    let ip = prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)];
    (ip, 1_u16..).prop_map(|(ip, port)| Endpoint::new(ip, Port::new(port).unwrap()))
}

proptest! {
    #[test]
    fn a_handshake_is_read_as_it_was_meant(
        (metadata_id, pex_id) in any::<(Option<u8>, Option<u8>)>(),
        metadata_bytes in prop::option::of(1..=METADATA_BYTES_MAX),
        port in prop::option::of(1_u16..),
        requests_max in prop::option::of(1_u32..),
        upload_only: Option<bool>,
        client in prop::option::of("\\PC{0,64}"),
        your_ip in prop::option::of(any_peer()),
    ) {
        let said = ExtensionHandshake {
            metadata_id,
            pex_id,
            metadata_bytes,
            port: port.and_then(Port::new),
            requests_max,
            upload_only,
            client: client.map(Cow::Owned),
            your_ip: your_ip.map(Endpoint::ip),
        };
        let bytes = written(&said);
        prop_assert_eq!(ExtensionHandshake::decode(&bytes), Ok(said));
    }

    #[test]
    fn metadata_comes_over_in_blocks(bytes in prop::collection::vec(any::<u8>(), 1..50_000)) {
        let total_bytes = u32::try_from(bytes.len()).unwrap();
        for (block, data) in (0..).zip(bytes.chunks(METADATA_BLOCK_BYTES as usize)) {
            let message = Metadata::Data { block, total_bytes, data };
            let bytes = metadata_written(message);
            prop_assert_eq!(Metadata::decode(&bytes), Ok(message));
        }
    }

    #[test]
    fn a_list_of_peers_is_read_as_it_was_meant(
        added in prop::collection::vec((any_peer(), any::<u8>().prop_map(PexFlags)), 0..=PEX_PEERS_MAX),
        dropped in prop::collection::vec(any_peer(), 0..=PEX_PEERS_MAX),
    ) {
        let (mut added, mut dropped) = (added, dropped);
        let mut out = Vec::new();
        encode_pex(&added, &dropped, &mut out);
        added.sort_by_key(|(peer, _)| matches!(peer, Endpoint::V6(..)));
        dropped.sort_by_key(|peer| matches!(peer, Endpoint::V6(..)));
        let read = Pex::decode(&out).unwrap();
        prop_assert!(read.added().eq(added) && read.dropped().eq(dropped));
    }

    #[test]
    fn nothing_panics(bytes in "[dlie0-9:a-z_. ]{0,60}", cut in 0_usize..200) {
        let golden = &b"d1:md11:ut_metadatai3ee8:msg_typei1e5:piecei0e10:total_sizei3e5:added6:aaaaaaeabc"[..];
        let spliced = [&golden[..cut.min(golden.len())], bytes.as_bytes()].concat();
        for bytes in [bytes.as_bytes(), &spliced] {
            let _ = ExtensionHandshake::decode(bytes);
            let _ = Metadata::decode(bytes);
            let _ = Pex::decode(bytes).map(|read| (read.added().count(), read.dropped().count()));
        }
    }
}
