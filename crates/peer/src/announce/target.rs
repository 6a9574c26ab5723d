//! A tracker's address, taken apart.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::Url;

/// One of the two address families. A tracker is asked over each that it has, since each learns another address of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How a tracker is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// BEP 15.
    Udp,
    /// BEP 3, with or without TLS.
    Http,
}

/// Where a tracker is, and how it is spoken to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) scheme: Scheme,
    /// A name, or an address without brackets.
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    pub(crate) url: Url,
}

impl Family {
    /// The family of `ip`; an IPv4-mapped address is IPv4.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

impl Target {
    /// Reads an announce address. The error is a sentence for a person that quotes it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().take(200).collect();
        let refuse =
            |why: &str| Err(format!("`{}` is no tracker's address: {why}", super::words::plain(&shown)));
        let url = match Url::parse(text.trim()) {
            Ok(url) => url,
            Err(error) => return refuse(&error.to_string()),
        };
        let scheme = match url.scheme() {
            "udp" => Scheme::Udp,
            "http" | "https" => Scheme::Http,
            _ => return refuse("it should begin with udp://, http:// or https://"),
        };
        let host = match url.host_str() {
            Some(host) if !host.is_empty() => host.trim_start_matches('[').trim_end_matches(']'),
            _ => return refuse("the host is missing"),
        };
        let host = Arc::from(host.to_ascii_lowercase());
        match url.port_or_known_default() {
            Some(0) | None => refuse("a port from 1 to 65535 is missing"),
            Some(port) => Ok(Self { scheme, host, port, url }),
        }
    }

    /// The families it may be asked over: one if its host is an address, either if it is a name.
    pub(crate) fn families(&self) -> &'static [Family] {
        match self.host.parse().map(Family::of) {
            Ok(Family::V4) => &[Family::V4],
            Ok(Family::V6) => &[Family::V6],
            Err(_) => &[Family::V4, Family::V6],
        }
    }

    /// Path and query as BEP 41 carries them; empty if the address ends with the port.
    pub(crate) fn path_and_query(&self) -> String {
        let path = if self.url.path() == "/" { "" } else { self.url.path() };
        match self.url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }

    /// The address without what may be secret: scheme, host and port.
    pub(crate) fn name(&self) -> String {
        let scheme = self.url.scheme();
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_string() };
        match self.url.port() {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let udp = Target::parse("udp://Tracker.Example:6969/announce/s3cret?x=1").unwrap();
        assert_eq!((udp.scheme, &*udp.host, udp.port), (Scheme::Udp, "tracker.example", 6969));
        assert_eq!(udp.path_and_query(), "/announce/s3cret?x=1");
        assert_eq!(udp.name(), "udp://tracker.example:6969", "no passkey where others may look");
        assert_eq!(udp.families(), [Family::V4, Family::V6]);
        let bare = Target::parse("udp://[::1]:1").unwrap();
        assert_eq!((&*bare.host, bare.path_and_query()), ("::1", String::new()));
        assert_eq!(bare.families(), [Family::V6]);
        let https = Target::parse(" https://10.0.0.1/announce").unwrap();
        assert_eq!((https.scheme, https.port, https.name()), (Scheme::Http, 443, "https://10.0.0.1".into()));
        assert_eq!(https.families(), [Family::V4]);
    }

    #[test]
    fn what_is_no_address_is_quoted() {
        for (text, why) in [
            ("wss://t.example/announce", "udp://, http:// or https://"),
            ("udp://t.example/announce", "port"),
            ("http://", "host"),
            ("t.example", "relative URL"),
            ("", "relative URL"),
        ] {
            let error = Target::parse(text).unwrap_err();
            assert!(error.starts_with(&format!("`{text}`")) && error.contains(why), "{error}");
        }
    }
}
