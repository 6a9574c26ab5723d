use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

/// A TCP or UDP port that something can listen on: 1 to 65535.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(NonZeroU16);

/// Where a peer listens, and the key it is known by in a swarm.
///
/// An IPv4-mapped IPv6 address (`::ffff:a.b.c.d`) is the IPv4 address: one peer, one key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// Six bytes on the wire (BEP 23).
    V4(Ipv4Addr, Port),
    /// Eighteen bytes on the wire (BEP 7).
    V6(Ipv6Addr, Port),
}

impl Port {
    /// `None` for 0, on which nobody listens.
    #[must_use]
    pub const fn new(port: u16) -> Option<Self> {
        match NonZeroU16::new(port) {
            Some(port) => Some(Self(port)),
            None => None,
        }
    }

    /// The port's number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl Endpoint {
    /// The endpoint of `ip` and `port`, with an IPv4-mapped address turned into IPv4.
    #[must_use]
    pub const fn new(ip: IpAddr, port: Port) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip, port),
            IpAddr::V6(ip) => Self::V6(ip, port),
        }
    }

    /// Reads the compact form of an IPv4 peer (BEP 23); `None` if its port is 0.
    #[must_use]
    pub const fn from_compact_v4(bytes: [u8; 6]) -> Option<Self> {
        let [a, b, c, d, high, low] = bytes;
        match Port::new(u16::from_be_bytes([high, low])) {
            Some(port) => Some(Self::V4(Ipv4Addr::new(a, b, c, d), port)),
            None => None,
        }
    }

    /// Reads the compact form of an IPv6 peer (BEP 7); `None` if its port is 0.
    #[must_use]
    pub fn from_compact_v6(bytes: [u8; 18]) -> Option<Self> {
        let (ip, port) = bytes.split_at(16);
        let ip: [u8; 16] = ip.try_into().ok()?;
        let port = Port::new(u16::from_be_bytes([port[0], port[1]]))?;
        Some(Self::new(IpAddr::from(ip), port))
    }

    /// The address, never IPv4-mapped.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        match self {
            Self::V4(ip, _) => IpAddr::V4(ip),
            Self::V6(ip, _) => IpAddr::V6(ip),
        }
    }

    /// The port.
    #[must_use]
    pub const fn port(self) -> Port {
        match self {
            Self::V4(_, port) | Self::V6(_, port) => port,
        }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> Self {
        SocketAddr::new(endpoint.ip(), endpoint.port().get())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&SocketAddr::from(*self), f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        let port = Port::new(6881).unwrap();
        let mapped = Endpoint::new("::ffff:10.0.0.5".parse().unwrap(), port);
        assert_eq!(mapped, Endpoint::new("10.0.0.5".parse().unwrap(), port));
        assert_eq!(mapped.to_string(), "10.0.0.5:6881");
    }

    #[test]
    fn port_zero_is_no_port() {
        assert_eq!(Port::new(0), None);
        assert_eq!(Endpoint::from_compact_v4([10, 0, 0, 5, 0, 0]), None);
        assert_eq!(
            Endpoint::from_compact_v4([10, 0, 0, 5, 0x1a, 0xe1]).unwrap().to_string(),
            "10.0.0.5:6881"
        );
    }
}
