//! Parameters of a query, found in place, and the values that they have.

use std::net::{IpAddr, SocketAddr};

use swarm::InfoHash;

use super::QUERY_BYTES_MAX;
use crate::Malformed;

/// The bytes of the longest address in text: an IPv6 one with embedded IPv4 (45), brackets, colon and port.
const ADDRESS_BYTES_MAX: usize = 45 + 2 + 1 + 5;

/// The `name=value` pairs of a query, as they stand there.
pub(super) struct Pairs<'a>(&'a [u8]);

impl<'a> Pairs<'a> {
    pub(super) fn of(query: &'a [u8]) -> Result<Self, Malformed> {
        if query.len() > QUERY_BYTES_MAX {
            let bytes = query.len();
            return Err(Malformed::new(format!(
                "a query of {bytes} bytes is too long: {QUERY_BYTES_MAX} are read"
            )));
        }
        Ok(Self(query))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let (pair, rest) = match memchr::memchr(b'&', self.0) {
            Some(at) => (&self.0[..at], &self.0[at + 1..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        // Names are short: a plain loop finds their end sooner than a vectored one starts.
        Some(match pair.iter().position(|&byte| byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[]),
        })
    }
}

/// 20 bytes, percent-encoded.
pub(super) fn twenty(part: &str, value: &[u8]) -> Result<[u8; 20], Malformed> {
    let mut bytes = [0; 20];
    match unescape(value, &mut bytes) {
        Some(20) => Ok(bytes),
        _ => Err(Malformed::found(part, value, "20 bytes, percent-encoded")),
    }
}

/// An info hash: 20 bytes percent-encoded, or 40 hexadecimal digits.
pub(super) fn info_hash(value: &[u8]) -> Result<InfoHash, Malformed> {
    let mut bytes = [0; 40];
    let hash = match unescape(value, &mut bytes) {
        Some(20) => bytes.first_chunk().copied().map(InfoHash),
        Some(40) => std::str::from_utf8(&bytes).ok().and_then(|digits| digits.parse().ok()),
        _ => None,
    };
    hash.ok_or_else(|| {
        Malformed::found("info_hash", value, "20 bytes, percent-encoded, or 40 hexadecimal digits")
    })
}

/// A number that some clients send as negative when they have nothing to say: `None` for such a one, for an empty
/// value, and for one that only fits 64 bits without a sign. `expected` says what it counts.
pub(super) fn amount(part: &str, value: &[u8], expected: &str) -> Result<Option<u64>, Malformed> {
    let (negative, digits) = match value {
        [] => return Ok(None),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match whole(digits) {
        Some(number) => Ok((!negative && number <= i64::MAX.unsigned_abs()).then_some(number)),
        None => Err(Malformed::found(part, value, expected)),
    }
}

/// A port: 0, which is no port, to 65535.
pub(super) fn port(value: &[u8]) -> Result<u16, Malformed> {
    whole(value)
        .and_then(|number| u16::try_from(number).ok())
        .ok_or_else(|| Malformed::found("port", value, "a number from 1 to 65535"))
}

/// An address, with or without a port after it. What is none is not an error: BEP 3 allows a host name, which a
/// tracker does not look up.
pub(super) fn address(value: &[u8]) -> Option<IpAddr> {
    let mut bytes = [0; ADDRESS_BYTES_MAX];
    let len = unescape(value, &mut bytes)?;
    let text = std::str::from_utf8(&bytes[..len]).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok()?;
    (!IpAddr::is_unspecified(&ip)).then(|| ip.to_canonical())
}

/// A yes, as `1`; everything else is a no.
pub(super) fn yes(value: &[u8]) -> bool {
    value == b"1"
}

/// Decimal digits, one at least.
fn whole(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Takes the percent encoding off; the number of bytes written to `into`. `None` if they do not fit there, or a `%` is
/// not followed by two hexadecimal digits.
fn unescape(value: &[u8], into: &mut [u8]) -> Option<usize> {
    let mut rest = value;
    let mut len = 0;
    while let Some((&byte, after)) = rest.split_first() {
        let room = into.get_mut(len)?;
        (*room, rest) = if byte == b'%' {
            let (pair, after) = after.split_first_chunk::<2>()?;
            let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
            if (high | low) & NO_DIGIT != 0 {
                return None;
            }
            (high << 4 | low, after)
        } else {
            (byte, after)
        };
        len += 1;
    }
    Some(len)
}

const NO_DIGIT: u8 = 0x80;

/// The value of each byte as a hexadecimal digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        digits[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};
