//! Addresses of this hub, as whoever asks can use them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use swarm::InfoHash;
use wire::magnet::Magnet;

use super::standing::Standing;
use super::text::quoted;
use super::{ApiState, Problem};
use crate::catalogue::Torrent;
use crate::config::PORT_DEFAULT;
use crate::listener::http::handover::{Channel, Origin};

/// The longest host name (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where the sender of a request sees this hub: the scheme and host of its own address, which it knows best. Nothing but
/// links is made of it, and those go back to nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    scheme: Scheme,
    /// A name or address as it stands in a URL.
    host: String,
    port: Option<u16>,
    udp_port: Option<u16>,
    /// The passkey of the member who asks: the links are for nobody else.
    passkey: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Site {
    /// `http://host:port`, without a slash at its end.
    #[must_use]
    pub(crate) fn base(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        match self.port {
            Some(port) => format!("{scheme}://{}:{port}", self.host),
            None => format!("{scheme}://{}", self.host),
        }
    }

    /// Whether whoever asks came by HTTPS.
    #[must_use]
    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The same site by HTTPS, at `port` if that is another.
    #[must_use]
    pub(crate) fn by_https(&self, port: Option<u16>) -> Self {
        let port = port.or(self.port).filter(|port| *port != 443);
        Self { scheme: Scheme::Https, port, ..self.clone() }
    }

    /// Where to announce, the likeliest to work first: over HTTP, and over UDP if the hub does.
    #[must_use]
    pub(crate) fn announce_urls(&self) -> Vec<String> {
        let path = match &self.passkey {
            // Clients find where to scrape by the last word (BEP 48).
            Some(passkey) => format!("/{passkey}/announce"),
            None => "/announce".to_owned(),
        };
        let mut urls = vec![format!("{}{path}", self.base())];
        urls.extend(self.udp_port.map(|port| format!("udp://{}:{port}{path}", self.host)));
        urls
    }

    /// Where the .torrent file of `hash` is.
    #[must_use]
    pub(crate) fn torrent_url(&self, hash: &InfoHash) -> String {
        let passkey = self.passkey.as_ref().map_or_else(String::new, |passkey| format!("?passkey={passkey}"));
        format!("{}/t/{hash}.torrent{passkey}", self.base())
    }

    /// The same site for the member of this passkey.
    #[must_use]
    pub(crate) fn of_member(self, passkey: &str) -> Self {
        Self { passkey: Some(passkey.to_owned()), ..self }
    }

    /// A magnet link that names this hub as the tracker.
    #[must_use]
    pub(crate) fn magnet(&self, torrent: &Torrent) -> String {
        let magnet = Magnet {
            name: Some(torrent.name.clone()).filter(|name| !name.is_empty()),
            size: torrent.size,
            trackers: self.announce_urls(),
            ..Magnet::new(torrent.info_hash)
        };
        magnet.to_string()
    }

    /// Whether `origin`, as a browser writes it into a header, is this site.
    #[must_use]
    pub(crate) fn is_origin(&self, origin: &str) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        // A proxy that takes TLS off need not tell so, hence the scheme does not matter but for the port it implies.
        let implied = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        let own_implied = if self.scheme == Scheme::Https { 443 } else { 80 };
        let other = authority_of(authority);
        other.is_some_and(|(host, port)| {
            host.eq_ignore_ascii_case(&self.host)
                && (port == self.port || port.unwrap_or(implied) == self.port.unwrap_or(own_implied))
        })
    }

    /// The site that the sender of a request sees.
    ///
    /// # Errors
    ///
    /// 400 if its `Host` is none.
    pub(crate) fn of(parts: &Parts, udp_port: Option<u16>) -> Result<Self, Problem> {
        let origin = parts.extensions.get::<Origin>();
        let forwarded = origin.is_some_and(Origin::is_proxied);
        let tls = origin.is_some_and(|origin| origin.channel != Channel::Plain);
        let (mut stated_host, mut proto) = (None, None);
        if forwarded {
            stated_host =
                last(&parts.headers, &X_FORWARDED_HOST).or_else(|| forwarded_part(&parts.headers, "host"));
            proto =
                last(&parts.headers, &X_FORWARDED_PROTO).or_else(|| forwarded_part(&parts.headers, "proto"));
        }
        let stated_host = match stated_host {
            Some(host) => host,
            None => match (parts.uri.authority(), parts.headers.get(header::HOST)) {
                (Some(authority), _) => authority.as_str().to_owned(),
                (None, Some(host)) => String::from_utf8_lossy(host.as_bytes()).into_owned(),
                // HTTP/1.0 knows no Host, and such a client uses no links either.
                (None, None) => format!("localhost:{PORT_DEFAULT}"),
            },
        };
        let (host, port) = authority_of(&stated_host).ok_or_else(|| {
            Problem::bad_request(format!(
                "Host {} is not a name or address, with or without a port",
                quoted(&stated_host)
            ))
        })?;
        let is_https = proto.map_or(tls, |proto| proto.eq_ignore_ascii_case("https"));
        let scheme = if is_https { Scheme::Https } else { Scheme::Http };
        Ok(Self { scheme, host, port, udp_port, passkey: None })
    }
}

impl FromRequestParts<Arc<ApiState>> for Site {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        let site = Self::of(parts, state.udp_port)?;
        Ok(match Standing::of(parts, state)? {
            Standing::Member(member) => site.of_member(&member.passkey),
            Standing::Stranger | Standing::Holder { .. } => site,
        })
    }
}

/// The last item of a header that is a list: what the nearest proxy says.
fn last(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    let item = value.rsplit(',').next()?.trim();
    (!item.is_empty()).then(|| item.to_owned())
}

/// A parameter of the last hop in `Forwarded` (RFC 7239 §4).
fn forwarded_part(headers: &HeaderMap, name: &str) -> Option<String> {
    let hop = last(headers, &header::FORWARDED)?;
    let mut parts = hop.split(';').filter_map(|part| part.trim().split_once('='));
    let (_, value) = parts.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value.trim_matches('"').to_owned())
}

/// Reads `host`, `host:port` and the like; `None` for anything that could be more than that in a URL or a page.
fn authority_of(text: &str) -> Option<(String, Option<u16>)> {
    if let Ok(SocketAddr::V6(address)) = text.parse() {
        return Some((format!("[{}]", address.ip()), Some(address.port()).filter(|port| *port != 0)));
    }
    if let Some(bracketed) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return bracketed.parse::<Ipv6Addr>().ok().map(|ip| (format!("[{ip}]"), None));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse::<u16>().ok().filter(|port| *port != 0)?)
        }
        Some(_) => return None,
    };
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_host = !host.is_empty() && host.len() <= HOST_BYTES_MAX && host.bytes().all(named);
    is_host.then(|| (host.to_ascii_lowercase(), port))
}

/// The address of who asks, for the limits of one address.
pub(crate) fn client_ip(parts: &Parts) -> Result<IpAddr, Problem> {
    use crate::listener::http::handover::{ClientIp, ClientIpError};
    match ClientIp::of(parts) {
        Ok(ClientIp(ip)) => Ok(ip),
        Err(ClientIpError::Proxy(fault)) => Err(fault.into()),
        Err(error @ ClientIpError::NoOrigin) => {
            Err(Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn site(peer: &str, headers: &[(&str, &str)]) -> Result<Site, String> {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let origin = Origin {
            peer: peer.parse().unwrap(),
            trusted: Arc::from(["10.0.0.0/8".parse().unwrap()]),
            lists: Arc::default(),
            channel: Channel::Plain,
        };
        parts.extensions.insert(origin);
        Site::of(&parts, Some(6969)).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_site_is_what_its_visitor_calls_it() {
        for (host, base) in [
            ("hub.example", "http://hub.example"),
            ("HUB.example:80", "http://hub.example:80"),
            ("192.0.2.1:6969", "http://192.0.2.1:6969"),
            ("[2001:DB8::1]:6969", "http://[2001:db8::1]:6969"),
            ("[::1]", "http://[::1]"),
            ("my_host:", "http://my_host"),
        ] {
            assert_eq!(site("192.0.2.9:1", &[("host", host)]).unwrap().base(), base);
        }
        assert_eq!(
            site("192.0.2.9:1", &[("host", "[::1]:7000")]).unwrap().announce_urls(),
            ["http://[::1]:7000/announce", "udp://[::1]:6969/announce"]
        );
        assert_eq!(site("192.0.2.9:1", &[]).unwrap().base(), "http://localhost:6969");
    }

    #[test]
    fn a_host_that_is_none_is_refused() {
        for host in [
            "",
            "a b",
            "a/b",
            "a\"><script>",
            "user@hub",
            "hub:x",
            "hub:0",
            "hub:70000",
            "hub:+80",
            "[::1",
            "[nine]",
            "::1",
            "a:1:2",
            "hub?x",
            "h#",
            &"a".repeat(254),
        ] {
            let problem = site("192.0.2.9:1", &[("host", host)]).unwrap_err();
            assert!(problem.starts_with("Host `"), "{host}: {problem}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_may_say_otherwise() {
        let headers = [
            ("host", "inner:6969"),
            ("x-forwarded-host", "evil, hub.example"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(site("10.0.0.1:1", &headers).unwrap().base(), "https://hub.example");
        assert_eq!(site("192.0.2.9:1", &headers).unwrap().base(), "http://inner:6969");
        let headers = [
            ("host", "inner"),
            ("forwarded", "for=1.2.3.4, for=1.2.3.4;host=\"hub.example:8443\";proto=https"),
        ];
        assert_eq!(site("10.0.0.1:1", &headers).unwrap().base(), "https://hub.example:8443");
        assert!(site("10.0.0.1:1", &[("host", "inner"), ("x-forwarded-host", "a<b")]).is_err());
    }

    #[test]
    fn an_origin_is_this_site_or_another() {
        let own = site("192.0.2.9:1", &[("host", "hub.example:6969")]).unwrap();
        assert!(own.is_origin("http://hub.example:6969"));
        for other in
            ["http://evil.example:6969", "http://hub.example", "null", "", "http://hub.example:6969.evil"]
        {
            assert!(!own.is_origin(other), "{other}");
        }
        let plain = site("192.0.2.9:1", &[("host", "hub.example")]).unwrap();
        assert!(plain.is_origin("http://hub.example") && plain.is_origin("https://hub.example"));
        assert!(!plain.is_origin("http://hub.example:8080"));
    }
}
