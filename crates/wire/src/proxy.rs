//! The PROXY protocol, versions 1 and 2 (HAProxy's `proxy-protocol.txt`): what a load balancer writes before a
//! connection's own bytes, so that who is behind it is known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::Malformed;

/// Longest header of version 1 in bytes, its end of line included (§2.1).
pub const V1_BYTES_MAX: usize = 107;

/// Longest header of version 2 in bytes that is read: addresses, and what load balancers put after them. The length it
/// states could be 64 KiB, which nobody writes.
pub const V2_BYTES_MAX: usize = 16 << 10;

/// The first bytes of version 2 (§2.2).
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What stands in front of version 2's addresses: the signature, version and command, family, length.
const V2_FIXED_BYTES: usize = 16;

/// The first bytes of version 1.
const V1_SIGNATURE: &[u8; 6] = b"PROXY ";

/// What the beginning of a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// Not all of it is there.
    Beginning,
    /// The whole of it.
    Whole {
        /// Its length; what follows is the connection's own.
        bytes: usize,
        /// Who connected to the load balancer. `None` if it does not tell or speaks for itself, as to see whether the
        /// server is well: the connection is what it seems to be.
        source: Option<SocketAddr>,
    },
}

/// Looks for a header of either version at the front of `bytes`.
///
/// # Errors
///
/// The bytes are no header, whatever follows.
pub fn decode(bytes: &[u8]) -> Result<Header, Malformed> {
    if starts_alike(bytes, V2_SIGNATURE) {
        return if bytes.len() < V2_FIXED_BYTES { decode_beginning_v2(bytes) } else { decode_v2(bytes) };
    }
    if starts_alike(bytes, V1_SIGNATURE) {
        return decode_v1(bytes);
    }
    Err(Malformed::found("PROXY header", &bytes[..bytes.len().min(V2_FIXED_BYTES)], "one of version 1 or 2"))
}

/// Whether one of the two is the beginning of the other.
fn starts_alike(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(byte, expected)| byte == expected)
}

fn decode_v1(bytes: &[u8]) -> Result<Header, Malformed> {
    let line = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let Some(end) = memchr::memmem::find(line, b"\r\n") else {
        if bytes.len() < V1_BYTES_MAX {
            return Ok(Header::Beginning);
        }
        return Err(Malformed::new(format!("PROXY header has no end within {V1_BYTES_MAX} bytes")));
    };
    let wrong =
        || Malformed::found("PROXY header", &line[..end], "`PROXY TCP4|TCP6 SOURCE DESTINATION PORT PORT`");
    let text = std::str::from_utf8(&line[V1_SIGNATURE.len()..end]).map_err(|_| wrong())?;
    let (family, addresses) = text.split_once(' ').unwrap_or((text, ""));
    let source = match family {
        // What follows is to be ignored.
        "UNKNOWN" => None,
        "TCP4" => Some(source_v1::<Ipv4Addr>(addresses).ok_or_else(wrong)?),
        "TCP6" => Some(source_v1::<Ipv6Addr>(addresses).ok_or_else(wrong)?),
        _ => return Err(wrong()),
    };
    Ok(Header::Whole { bytes: end + 2, source })
}

/// The source of `SOURCE DESTINATION PORT PORT`, with one blank between each two.
fn source_v1<Ip: std::str::FromStr + Into<IpAddr>>(addresses: &str) -> Option<SocketAddr> {
    let mut words = addresses.split(' ');
    let source: Ip = words.next()?.parse().ok()?;
    let _destination: Ip = words.next()?.parse().ok()?;
    let port = port_v1(words.next()?)?;
    let _destination_port = port_v1(words.next()?)?;
    words.next().is_none().then(|| SocketAddr::new(source.into(), port))
}

/// Digits alone, and none of them a leading zero.
fn port_v1(word: &str) -> Option<u16> {
    let canonical = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    canonical.then(|| word.parse().ok()).flatten()
}

/// What is wrong already with the first bytes of a header of version 2.
fn decode_beginning_v2(bytes: &[u8]) -> Result<Header, Malformed> {
    if let Some(&version_and_command) = bytes.get(V2_SIGNATURE.len()) {
        is_proxied(version_and_command)?;
    }
    Ok(Header::Beginning)
}

fn decode_v2(bytes: &[u8]) -> Result<Header, Malformed> {
    let (fixed, rest) = bytes.split_at(V2_FIXED_BYTES);
    let proxied = is_proxied(fixed[12])?;
    let (family, transport) = (fixed[13] >> 4, fixed[13] & 0xf);
    if family > 3 || transport > 2 {
        let expected = "one of 00, 11, 12, 21, 22, 31 and 32";
        return Err(Malformed::found(
            "PROXY address family",
            format!("{:02x}", fixed[13]).as_bytes(),
            expected,
        ));
    }
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let whole = V2_FIXED_BYTES + length;
    if whole > V2_BYTES_MAX {
        return Err(Malformed::new(format!("PROXY header of {whole} bytes is longer than {V2_BYTES_MAX}")));
    }
    let addresses_min = match family {
        _ if !proxied || transport == 0 => 0,
        1 => 12,
        2 => 36,
        3 => 216,
        _ => 0,
    };
    if length < addresses_min {
        return Err(Malformed::new(format!(
            "PROXY header has {length} bytes of addresses, and its family has {addresses_min}"
        )));
    }
    // Addresses are not looked at before all of them are there.
    let Some(addresses) = rest.get(..length) else { return Ok(Header::Beginning) };
    let source = match family {
        // Sockets without an address of the internet, and datagrams, which no connection consists of, tell nothing.
        _ if !proxied || transport != 1 => None,
        1 => source_v2::<4>(addresses),
        2 => source_v2::<16>(addresses),
        _ => None,
    };
    Ok(Header::Whole { bytes: whole, source })
}

/// Whether the load balancer speaks for somebody else.
fn is_proxied(version_and_command: u8) -> Result<bool, Malformed> {
    match version_and_command {
        0x20 => Ok(false),
        0x21 => Ok(true),
        other => {
            let expected = "20 (LOCAL) or 21 (PROXY)";
            Err(Malformed::found("PROXY version and command", format!("{other:02x}").as_bytes(), expected))
        }
    }
}

/// The first of two addresses, and the first of the two ports after them.
fn source_v2<const N: usize>(addresses: &[u8]) -> Option<SocketAddr>
where
    IpAddr: From<[u8; N]>,
{
    let ip: [u8; N] = *addresses.first_chunk()?;
    let port = addresses.get(2 * N..)?.first_chunk()?;
    Some(SocketAddr::new(ip.into(), u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests;
