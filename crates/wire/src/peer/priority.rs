use std::net::IpAddr;

use swarm::Endpoint;

/// How much two peers should want a connection to each other (BEP 40): both come to the same number, the higher the
/// better. Who keeps to it spreads its connections over the networks there are, and no one network can take them all.
///
/// `None` if one has an IPv4 and the other an IPv6 address, for which BEP 40 has no number.
#[must_use]
pub fn peer_priority(one: Endpoint, other: Endpoint) -> Option<u32> {
    match (one.ip(), other.ip()) {
        (one_ip, other_ip) if one_ip == other_ip => {
            let ports = [one.port(), other.port()].map(|port| port.get().to_be_bytes());
            Some(of_sorted(ports))
        }
        (IpAddr::V4(one), IpAddr::V4(other)) => Some(of_sorted(masked([one.octets(), other.octets()], 2))),
        (IpAddr::V6(one), IpAddr::V6(other)) => Some(of_sorted(masked([one.octets(), other.octets()], 6))),
        _ => None,
    }
}

/// What a byte keeps of itself behind the network that counts.
const MASK: u8 = 0x55;

/// The addresses with only some bits of what comes behind the network that counts: the first `network` bytes, or, for
/// two in the same network, up to the first byte that differs.
fn masked<const N: usize>(mut ips: [[u8; N]; 2], network: usize) -> [[u8; N]; 2] {
    let [one, other] = &ips;
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let whole = network.max(same + 1);
    for ip in &mut ips {
        ip.iter_mut().skip(whole).for_each(|byte| *byte &= MASK);
    }
    ips
}

fn of_sorted<const N: usize>(mut parts: [[u8; N]; 2]) -> u32 {
    parts.sort_unstable();
    crc32c(parts.as_flattened())
}

/// The CRC-32C (Castagnoli) of a few bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ POLYNOMIAL }
            },
        )
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priority(one: &str, other: &str) -> Option<u32> {
        let [one, other] = [one, other].map(|text| {
            let address: std::net::SocketAddr = text.parse().unwrap();
            Endpoint::new(address.ip(), swarm::Port::new(address.port()).unwrap())
        });
        assert_eq!(peer_priority(one, other), peer_priority(other, one));
        peer_priority(one, other)
    }

    #[test]
    fn numbers_are_those_of_the_specification() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283, "the check value of CRC-32C");
        assert_eq!(priority("123.213.32.10:1", "98.76.54.32:2"), Some(0xec2d_7224));
        assert_eq!(priority("123.213.32.10:1", "123.213.32.234:2"), Some(0x9956_8189));
    }

    #[test]
    fn what_counts_of_an_address_depends_on_how_near_it_is() {
        let of = |hex: &[u8]| Some(crc32c(hex));
        // FF.FF.FF.55 in the same /16.
        assert_eq!(priority("10.0.8.255:1", "10.0.7.255:1"), of(b"\x0a\0\x07\x55\x0a\0\x08\x55"));
        // The ports, if nothing else differs.
        assert_eq!(priority("10.0.0.5:6882", "10.0.0.5:6881"), of(b"\x1a\xe1\x1a\xe2"));
        // The first 48 bits of IPv6.
        let far = priority("[2001:db8:1:ffff:ffff:ffff:ffff:ffff]:1", "[2001:db8:2::]:1");
        let one = b"\x20\x01\x0d\xb8\0\x01\x55\x55\x55\x55\x55\x55\x55\x55\x55\x55";
        let other = b"\x20\x01\x0d\xb8\0\x02\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(far, of(&[&one[..], other].concat()));
        // 56 of them in the same /48, 64 in the same /56.
        let near = priority("[2001:db8:1:ffff::]:1", "[2001:db8:1::]:1");
        let (one, other) = (
            b"\x20\x01\x0d\xb8\0\x01\xff\x55\0\0\0\0\0\0\0\0",
            b"\x20\x01\x0d\xb8\0\x01\0\0\0\0\0\0\0\0\0\0",
        );
        assert_eq!(near, of(&[&other[..], one].concat()));
        let nearer = priority("[2001:db8:1:ff:ff::]:1", "[2001:db8:1::]:1");
        let one = b"\x20\x01\x0d\xb8\0\x01\0\xff\0\x55\0\0\0\0\0\0";
        assert_eq!(nearer, of(&[&other[..], one].concat()));
    }

    #[test]
    fn there_is_no_number_across_families() {
        assert_eq!(priority("10.0.0.5:1", "[2001:db8::1]:1"), None);
    }
}
