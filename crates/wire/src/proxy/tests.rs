use proptest::prelude::*;

use super::*;

fn whole(bytes: usize, source: Option<&str>) -> Result<Header, Malformed> {
    Ok(Header::Whole { bytes, source: source.map(|text| text.parse().unwrap()) })
}

/// A header of version 2 with so much after its first 14 bytes.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&V2_SIGNATURE[..], &[command, family], &length, rest].concat()
}

fn reason(bytes: &[u8]) -> String {
    decode(bytes).unwrap_err().reason().to_owned()
}

/// The lines that the specification prints in §2.1, with its lengths.
#[test]
fn version_1_as_the_specification_prints_it() {
    let example = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n";
    assert_eq!(decode(example), whole(47, Some("192.168.0.1:56324")));

    let longest_v4 = b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n";
    assert_eq!(longest_v4.len(), 56);
    assert_eq!(decode(longest_v4), whole(56, Some("255.255.255.255:65535")));

    let ones = ["ffff"; 8].join(":");
    let longest_v6 = format!("PROXY TCP6 {ones} {ones} 65535 65535\r\n");
    assert_eq!(longest_v6.len(), 104);
    assert_eq!(decode(longest_v6.as_bytes()), whole(104, Some(&format!("[{ones}]:65535"))));

    assert_eq!(decode(b"PROXY UNKNOWN\r\n"), whole(15, None));
    let worst = format!("PROXY UNKNOWN {ones} {ones} 65535 65535\r\n");
    assert_eq!(worst.len(), V1_BYTES_MAX);
    assert_eq!(decode(worst.as_bytes()), whole(107, None));
}

/// What HAProxy writes with `send-proxy-v2` for a client at 172.19.0.1:42578, before `GET /`.
#[test]
fn version_2_as_haproxy_writes_it() {
    let captured = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x0c\
                     \xac\x13\x00\x01\xac\x13\x00\x03\xa6\x52\x00\x50GET /";
    assert_eq!(decode(captured), whole(28, Some("172.19.0.1:42578")));
}

#[test]
fn version_2_of_every_family() {
    let v6 = [[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], [0; 16]].concat();
    let v6 = [&v6[..], &[0x1f, 0x90, 0, 80]].concat();
    assert_eq!(decode(&v2(0x21, 0x21, &v6)), whole(52, Some("[2001:db8::9]:8080")));
    assert_eq!(decode(&v2(0x21, 0x31, &[b'/'; 216])), whole(232, None));
    assert_eq!(decode(&v2(0x21, 0x00, &[])), whole(16, None));
    assert_eq!(
        decode(&v2(0x21, 0x12, &[1; 12])),
        whole(28, None),
        "a connection does not consist of datagrams"
    );
    assert_eq!(decode(&v2(0x21, 0x10, &[1; 3])), whole(19, None));
}

#[test]
fn what_a_load_balancer_adds_is_skipped() {
    // PP2_TYPE_AUTHORITY of 3 bytes.
    let with_tlv = [&[192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 0, 80][..], &[2, 0, 3], b"hub"].concat();
    assert_eq!(decode(&v2(0x21, 0x11, &with_tlv)), whole(34, Some("192.0.2.1:80")));
    assert_eq!(decode(&v2(0x20, 0x11, &with_tlv)), whole(34, None), "LOCAL has addresses in vain");
    assert_eq!(decode(&v2(0x20, 0x00, &[])), whole(16, None));
}

#[test]
fn what_is_no_header_is_refused() {
    let tcp4 = "PROXY TCP4 192.0.2.1 192.0.2.2";
    for line in [
        format!("{tcp4} 1\r\n"),
        format!("{tcp4} 1 2 \r\n"),
        format!("{tcp4} 1  2\r\n"),
        format!("{tcp4} 01 2\r\n"),
        format!("{tcp4} +1 2\r\n"),
        format!("{tcp4} 65536 2\r\n"),
        "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n".to_owned(),
        "PROXY TCP4 ::1 ::2 1 2\r\n".to_owned(),
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n".to_owned(),
        "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n".to_owned(),
        "PROXY UNKNOWNER\r\n".to_owned(),
        "PROXY \r\n".to_owned(),
    ] {
        let reason = reason(line.as_bytes());
        assert!(reason.starts_with("PROXY header `PROXY "), "{line}: {reason}");
    }
    assert_eq!(reason(b"GET / HTTP/1.1"), "PROXY header `GET / HTTP/1.1` is not one of version 1 or 2");
    assert_eq!(reason(b"\x16\x03\x01"), r"PROXY header `\x16\x03\x01` is not one of version 1 or 2");
    let endless = [&b"PROXY UNKNOWN "[..], &[b'x'; V1_BYTES_MAX]].concat();
    assert_eq!(reason(&endless), "PROXY header has no end within 107 bytes");
    let late = [&b"PROXY UNKNOWN "[..], &[b'x'; V1_BYTES_MAX - 15], b"\r\n"].concat();
    assert_eq!(late.len(), V1_BYTES_MAX + 1);
    assert_eq!(reason(&late), "PROXY header has no end within 107 bytes");
    for (header, expected) in [
        (v2(0x11, 0x11, &[0; 12]), "PROXY version and command `11` is not 20 (LOCAL) or 21 (PROXY)"),
        (v2(0x22, 0x11, &[0; 12]), "PROXY version and command `22` is not 20 (LOCAL) or 21 (PROXY)"),
        (v2(0x21, 0x41, &[0; 12]), "PROXY address family `41` is not one of 00, 11, 12, 21, 22, 31 and 32"),
        (v2(0x21, 0x13, &[0; 12]), "PROXY address family `13` is not one of 00, 11, 12, 21, 22, 31 and 32"),
        (v2(0x21, 0x11, &[0; 11]), "PROXY header has 11 bytes of addresses, and its family has 12"),
        (v2(0x21, 0x21, &[0; 12]), "PROXY header has 12 bytes of addresses, and its family has 36"),
        (v2(0x20, 0x00, &vec![0; V2_BYTES_MAX]), "PROXY header of 16400 bytes is longer than 16384"),
    ] {
        assert_eq!(reason(&header), expected);
        assert_eq!(decode(&header[..16]), decode(&header), "what is wrong is known before the rest is there");
    }
}

/// Cut anywhere, a header is the beginning of one, and nothing else.
#[test]
fn a_beginning_is_waited_for() {
    let v1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n".to_vec();
    for header in [v1, v2(0x21, 0x11, &[7; 20]), v2(0x20, 0, &[])] {
        for at in 0..header.len() {
            assert_eq!(
                decode(&header[..at]),
                Ok(Header::Beginning),
                "{at} bytes of {}",
                header.escape_ascii()
            );
        }
        assert_eq!(decode(&[&header[..], b"more"].concat()), decode(&header));
    }
}

proptest! {
    #[test]
    fn what_a_load_balancer_writes_is_read(ip: IpAddr, port: u16, tlvs in proptest::collection::vec(any::<u8>(), 0..64)) {
        let source = SocketAddr::new(ip, port);
        let (name, family, octets) = match ip {
            IpAddr::V4(ip) => ("TCP4", 0x11, ip.octets().to_vec()),
            IpAddr::V6(ip) => ("TCP6", 0x21, ip.octets().to_vec()),
        };
        let line = format!("PROXY {name} {ip} {ip} {port} 80\r\n");
        prop_assert_eq!(decode(line.as_bytes()), Ok(Header::Whole { bytes: line.len(), source: Some(source) }));
        let ports = [port.to_be_bytes(), [0, 80]].concat();
        let header = v2(0x21, family, &[&octets[..], &octets, &ports, &tlvs].concat());
        prop_assert_eq!(decode(&header), Ok(Header::Whole { bytes: header.len(), source: Some(source) }));
    }

    /// More bytes never change what is known, and a whole header is within its bound.
    #[test]
    fn what_is_known_stays(
        start in prop_oneof![Just(Vec::new()), Just(V1_SIGNATURE.to_vec()), Just(V2_SIGNATURE.to_vec())],
        noise in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = [start, noise].concat();
        let end = decode(&bytes);
        if let Ok(Header::Whole { bytes: length, .. }) = end {
            prop_assert!(length <= bytes.len() && length <= V2_BYTES_MAX);
        }
        for at in 0..bytes.len() {
            let known = decode(&bytes[..at]);
            prop_assert!(known == Ok(Header::Beginning) || known.is_err() == end.is_err(), "{at}");
        }
    }
}
