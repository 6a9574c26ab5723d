use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::LoadError;

/// The tracker under load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) scheme: Scheme,
    pub(super) address: SocketAddr,
    /// `HOST:PORT` as it was given, for the `Host` header.
    pub(super) authority: String,
    /// The announce path. Of an HTTP tracker, it is `/announce` unless another was given; of a UDP tracker, it goes with each
    /// announce if one was given (BEP 41).
    pub(super) path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Udp,
    Http,
}

impl Target {
    /// Reads `udp://HOST:PORT` or `http://HOST:PORT[/path]` and resolves the host.
    ///
    /// Unless the caller answers for it, an address that is neither loopback nor private is refused: a load
    /// generator pointed at a stranger is an attack.
    pub(super) fn resolve(url: &str, i_run_this_tracker: bool) -> Result<Self, LoadError> {
        let refuse = |reason: &str| LoadError::Target(format!("`{url}` {reason}"));
        let (scheme, rest) = if let Some(rest) = url.strip_prefix("udp://") {
            (Scheme::Udp, rest)
        } else if let Some(rest) = url.strip_prefix("http://") {
            (Scheme::Http, rest)
        } else {
            return Err(refuse("is neither udp://HOST:PORT nor http://HOST:PORT/announce"));
        };
        let unsaid = if scheme == Scheme::Http { "/announce" } else { "" };
        let (authority, path) = match rest.find('/') {
            Some(at) if at + 1 < rest.len() => rest.split_at(at),
            Some(at) => (&rest[..at], unsaid),
            None => (rest, unsaid),
        };
        let address = authority
            .to_socket_addrs()
            .map_err(|error| refuse(&format!("names no address: {error}; give HOST:PORT")))?
            .next()
            .ok_or_else(|| refuse("names no address"))?;
        if !i_run_this_tracker && !is_near(address.ip()) {
            return Err(refuse(&format!(
                "is {}, outside loopback and private networks; say --i-run-this-tracker if it is yours",
                address.ip()
            )));
        }
        Ok(Self { scheme, address, authority: authority.to_owned(), path: path.to_owned() })
    }
}

/// Whether an address can only be of this machine, this network, or a test bench.
fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_documentation()
                || (a == 100 && b & 0b1100_0000 == 64) // carrier-grade NAT, RFC 6598
                || (a == 198 && b & 0b1111_1110 == 18) // benchmarking, RFC 2544
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_schemes() {
        let udp = Target::resolve("udp://127.0.0.1:6969", false).unwrap();
        assert_eq!((udp.scheme, udp.address.port(), udp.path.as_str()), (Scheme::Udp, 6969, ""));
        assert_eq!(Target::resolve("udp://127.0.0.1:1/key/announce", false).unwrap().path, "/key/announce");
        let http = Target::resolve("http://[::1]:80/abc/announce", false).unwrap();
        assert_eq!((http.scheme, http.path.as_str()), (Scheme::Http, "/abc/announce"));
        assert_eq!(http.authority, "[::1]:80");
        assert_eq!(Target::resolve("http://127.0.0.1:1/", false).unwrap().path, "/announce");
    }

    #[test]
    fn says_what_is_wrong_with_a_target() {
        for (url, reason) in [
            ("127.0.0.1:6969", "neither udp://HOST:PORT nor http://HOST:PORT/announce"),
            ("wss://127.0.0.1:6969", "neither udp://HOST:PORT"),
            ("udp://127.0.0.1", "give HOST:PORT"),
            ("udp://8.8.8.8:53", "--i-run-this-tracker"),
        ] {
            let said = Target::resolve(url, false).unwrap_err().to_string();
            assert!(said.contains(reason) && said.contains(url), "{said}");
        }
    }

    #[test]
    fn strangers_are_refused_unless_answered_for() {
        for near in
            ["127.9.9.9", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "198.19.0.1"]
        {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for near in ["::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "2001:4860::1",
            "::ffff:8.8.8.8",
            "0.0.0.0",
        ] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
        assert!(Target::resolve("udp://8.8.8.8:53", true).is_ok());
    }
}
