use std::fmt;
use std::net::{IpAddr, UdpSocket};

use hub::config::PORT_DEFAULT;
use reqwest::Url;

/// Where a hub's HTTP API is: an address whose path ends in a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HubUrl(Url);

impl HubUrl {
    /// Reads `http://host:6969`, `host:6969`, `host` or `[::1]:6969`, each with or without a path. An announce URL is
    /// taken for its hub's.
    ///
    /// # Errors
    /// A sentence that quotes the text and says what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refuse = |why: String| format!("`{text}` is not a hub's address: {why}");
        let expected = || refuse("http://host:6969 is expected, or host:6969".to_owned());
        let trimmed = text.trim();
        let bare = !trimmed.contains("://");
        let spelled = if bare { format!("http://{trimmed}") } else { trimmed.to_owned() };
        let mut url = Url::parse(&spelled).map_err(|_| expected())?;
        if !matches!(url.scheme(), "http" | "https") {
            let advice = format!("its scheme is {}; its http address is expected", url.scheme());
            return Err(refuse(advice));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a user's name; --admin-token is the way in".to_owned()));
        }
        if bare && url.port().is_none() && !ends_in_port(trimmed) {
            url.set_port(Some(PORT_DEFAULT)).map_err(|()| expected())?;
        }
        url.set_query(None);
        url.set_fragment(None);
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/announce").or_else(|| path.strip_suffix("/scrape")).unwrap_or(path);
        url.set_path(&format!("{path}/"));
        Ok(Self(url))
    }

    /// The address of `path` (which does not begin with a slash) in the hub.
    #[must_use]
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path()));
        url
    }

    /// The same hub at another address of its machine.
    #[must_use]
    pub(crate) fn at(&self, ip: IpAddr) -> Option<Self> {
        let mut url = self.0.clone();
        url.set_ip_host(ip).ok()?;
        Some(Self(url))
    }

    /// Whether the hub is on this machine: by the name `localhost`, or by an address that is this machine's. Other
    /// names are not looked up, for another answer may come when the request is sent.
    #[must_use]
    pub(crate) fn is_this_machine(&self) -> bool {
        is_this_machine(&self.0)
    }

    /// Whether the hub is named as only its own machine can name it.
    #[must_use]
    pub(crate) fn is_loopback(&self) -> bool {
        match host_of(&self.0).parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback(),
            Err(_) => host_of(&self.0) == "localhost",
        }
    }
}

/// Whether what is at `url` is on this machine; see [`HubUrl::is_this_machine`].
pub(super) fn is_this_machine(url: &Url) -> bool {
    let host = host_of(url);
    match host.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok(),
        Err(_) => host == "localhost",
    }
}

/// A URL's host, an address without brackets.
fn host_of(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether a port was written, even one that the scheme implies and that a URL therefore forgets.
fn ends_in_port(text: &str) -> bool {
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

impl fmt::Display for HubUrl {
    /// As a person would write it: without a slash at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_named_in_many_ways() {
        for (text, url) in [
            ("http://localhost:6969", "http://localhost:6969"),
            ("http://localhost:6969/", "http://localhost:6969"),
            ("localhost:6969", "http://localhost:6969"),
            ("hub.example", "http://hub.example:6969"),
            ("hub.example:80", "http://hub.example"),
            ("http://hub.example", "http://hub.example"),
            ("https://hub.example/skep", "https://hub.example/skep"),
            ("192.0.2.1:7000/announce", "http://192.0.2.1:7000"),
            ("http://hub.example/skep/announce?x=1", "http://hub.example/skep"),
            ("[::1]:7000", "http://[::1]:7000"),
            ("[::1]", "http://[::1]:6969"),
        ] {
            assert_eq!(HubUrl::parse(text).unwrap().to_string(), url, "{text}");
        }
    }

    #[test]
    fn what_names_no_hub_is_quoted() {
        for (text, advice) in [
            ("", "http://host:6969 is expected"),
            ("::1", "http://host:6969 is expected"),
            ("host:99999", "http://host:6969 is expected"),
            ("udp://host:6969", "its scheme is udp; its http address is expected"),
            ("http://me:secret@host", "--admin-token is the way in"),
        ] {
            let error = HubUrl::parse(text).unwrap_err();
            assert!(
                error.starts_with(&format!("`{text}` is not a hub's address: ")) && error.contains(advice),
                "{error}"
            );
        }
    }

    #[test]
    fn paths_are_below_the_hubs() {
        let hub = HubUrl::parse("https://hub.example/skep/").unwrap();
        assert_eq!(hub.join("api/v1/torrents").as_str(), "https://hub.example/skep/api/v1/torrents");
    }

    #[test]
    fn loopback_is_what_only_this_machine_may_say() {
        for (text, loopback) in [
            ("localhost", true),
            ("127.0.0.1:1", true),
            ("[::1]:7", true),
            ("192.0.2.1", false),
            ("hub", false),
        ] {
            assert_eq!(HubUrl::parse(text).unwrap().is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_addresses() {
        for (text, here) in
            [("localhost", true), ("127.0.0.1:1", true), ("192.0.2.1", false), ("hub.example", false)]
        {
            assert_eq!(HubUrl::parse(text).unwrap().is_this_machine(), here, "{text}");
        }
    }
}
