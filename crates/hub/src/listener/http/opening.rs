//! What comes before HTTP on a connection, told by its first bytes: a load balancer's header, and whether TLS follows.
//! Bytes alone, without sockets.

use std::net::SocketAddr;

use wire::proxy::{self, Header};

/// The first byte of TLS: a record that carries a handshake (RFC 8446 §5.1). No request begins with it.
const TLS_FIRST_BYTE: u8 = 0x16;

/// What is spoken at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// HTTP.
    Plain,
    /// HTTP in TLS.
    Tls,
    /// Either: the first byte decides.
    Both,
}

/// A connection of which it is not known yet what it speaks.
#[derive(Debug)]
pub(super) struct Opening {
    door: Door,
    /// Whether a load balancer's header comes first.
    balanced: bool,
    /// What has come so far, without that header.
    input: Vec<u8>,
}

/// What is known of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// Nothing yet.
    Waits,
    /// It speaks HTTP, which begins so.
    Http(Vec<u8>),
    /// It speaks TLS; what has come of that is left in the [`Opening`].
    Tls,
    /// It is none that is served here, for a reason in words.
    Refused(String),
}

impl Opening {
    /// `None` where HTTP begins at once, as it does at most doors.
    pub(super) fn new(door: Door, balanced: bool) -> Option<Self> {
        (balanced || door != Door::Plain).then(|| Self { door, balanced, input: Vec::new() })
    }

    /// Takes in bytes. A load balancer's header puts the client's address into `address`.
    pub(super) fn receive(&mut self, bytes: &[u8], address: &mut SocketAddr) -> Opened {
        self.input.extend_from_slice(bytes);
        if self.balanced {
            match proxy::decode(&self.input) {
                Ok(Header::Beginning) => return Opened::Waits,
                Ok(Header::Whole { bytes, source }) => {
                    *address = source.unwrap_or(*address);
                    self.input.drain(..bytes);
                    self.balanced = false;
                }
                Err(fault) => return Opened::Refused(fault.to_string()),
            }
        }
        match (self.door, self.input.first()) {
            (_, None) => Opened::Waits,
            (Door::Tls | Door::Both, Some(&TLS_FIRST_BYTE)) => Opened::Tls,
            (Door::Tls, Some(_)) => {
                Opened::Refused("this port speaks HTTPS: use https:// with it".to_owned())
            }
            (Door::Plain | Door::Both, Some(_)) => Opened::Http(std::mem::take(&mut self.input)),
        }
    }

    /// What has come and is for those who go on with the connection.
    pub(super) fn into_input(self) -> Vec<u8> {
        self.input
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BALANCER: &str = "10.0.0.1:5000";
    const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 10.0.0.9 1000 443\r\n";

    fn open(door: Door, balanced: bool, bytes: &[u8]) -> (Opened, String) {
        let mut address = BALANCER.parse().unwrap();
        let opened = Opening::new(door, balanced).unwrap().receive(bytes, &mut address);
        (opened, address.to_string())
    }

    #[test]
    fn plain_http_without_a_balancer_has_no_opening() {
        assert!(Opening::new(Door::Plain, false).is_none());
    }

    #[test]
    fn the_first_byte_tells_tls_from_http() {
        let http = || Opened::Http(b"GET".to_vec());
        let tls = b"\x16\x03\x01";
        for (door, bytes, opened) in [
            (Door::Both, &b"GET"[..], http()),
            (Door::Both, tls, Opened::Tls),
            (Door::Tls, tls, Opened::Tls),
            (Door::Tls, b"GET", Opened::Refused("this port speaks HTTPS: use https:// with it".into())),
            (Door::Both, b"", Opened::Waits),
        ] {
            assert_eq!(open(door, false, bytes), (opened, BALANCER.to_owned()), "{door:?}");
        }
    }

    #[test]
    fn a_balancers_header_is_taken_off_and_believed() {
        let client = "192.0.2.1:1000".to_owned();
        let then = |rest: &[u8]| [HEADER, rest].concat();
        assert_eq!(open(Door::Plain, true, &then(b"GET")), (Opened::Http(b"GET".to_vec()), client.clone()));
        // What TLS would be is no HTTP either, and HTTP says so.
        assert_eq!(open(Door::Plain, true, &then(b"\x16")), (Opened::Http(b"\x16".to_vec()), client.clone()));
        assert_eq!(open(Door::Tls, true, &then(b"\x16\x03")), (Opened::Tls, client.clone()));
        assert_eq!(open(Door::Both, true, HEADER), (Opened::Waits, client));
        assert_eq!(open(Door::Plain, true, b"PROXY UNKNOWN\r\nGET").1, BALANCER);
    }

    #[test]
    fn a_balancer_without_a_header_is_refused() {
        for (door, bytes) in [(Door::Plain, &b"GET / HTTP/1.1"[..]), (Door::Tls, b"\x16\x03\x01")] {
            let (Opened::Refused(reason), _) = open(door, true, bytes) else { panic!("{door:?}") };
            assert!(reason.starts_with("PROXY header `"), "{reason}");
        }
    }

    #[test]
    fn what_comes_byte_by_byte_is_put_together() {
        let whole = [HEADER, b"\x16\x03\x01"].concat();
        let mut opening = Opening::new(Door::Both, true).unwrap();
        let mut address = BALANCER.parse().unwrap();
        for byte in &whole[..HEADER.len()] {
            assert_eq!(opening.receive(&[*byte], &mut address), Opened::Waits);
        }
        assert_eq!(opening.receive(&whole[HEADER.len()..], &mut address), Opened::Tls);
        assert_eq!(opening.into_input(), b"\x16\x03\x01");
    }
}
