use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The addresses of `bound` as URLs that others can use, each once.
pub(in crate::commands) fn urls(scheme: &str, bound: &[SocketAddr], path: &str) -> Vec<String> {
    let mut urls = Vec::new();
    for address in bound {
        let url = format!("{scheme}://{}{path}", SocketAddr::new(reachable(address.ip()), address.port()));
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// An address to be reached at: for "all of them" the one from which this machine would talk to others, or loopback if
/// there is no way to others.
pub(in crate::commands) fn reachable(ip: IpAddr) -> IpAddr {
    if !ip.is_unspecified() {
        return ip;
    }
    // Addresses for documentation (RFC 5737, RFC 3849). Connecting a datagram socket sends nothing.
    let (elsewhere, loopback): (IpAddr, IpAddr) = match ip {
        IpAddr::V4(_) => (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(_) => (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(), Ipv6Addr::LOCALHOST.into()),
    };
    let own = || {
        let socket = UdpSocket::bind((ip, 0)).ok()?;
        socket.connect((elsewhere, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    own().filter(|own| !own.is_unspecified()).unwrap_or(loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_ones_that_work() {
        let bound =
            ["127.0.0.1:7000", "[::1]:7000", "127.0.0.1:7000"].map(|address| address.parse().unwrap());
        assert_eq!(
            urls("http", &bound, "/announce"),
            ["http://127.0.0.1:7000/announce", "http://[::1]:7000/announce"]
        );
    }

    #[test]
    fn all_addresses_are_told_as_one_that_can_be_reached() {
        for any in ["0.0.0.0", "::"] {
            let any: IpAddr = any.parse().unwrap();
            let ip = reachable(any);
            assert_eq!(ip.is_ipv4(), any.is_ipv4());
            assert!(!ip.is_unspecified());
        }
    }
}
