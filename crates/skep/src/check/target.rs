//! A tracker's address, taken apart.

use reqwest::Url;

use super::CheckError;

/// What to talk to, and how.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) scheme: Scheme,
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The whole announce URL.
    pub(super) url: Url,
}

/// Which protocol a tracker speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Udp,
    /// With or without TLS.
    Http,
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, CheckError> {
        let refuse = |expected: String| CheckError::Url { url: text.to_owned(), expected };
        let example = "as `udp://HOST:PORT` or `http://HOST:PORT/announce`";
        let mut url = Url::parse(text).map_err(|error| refuse(format!("{error}; it looks {example}")))?;
        let scheme = match url.scheme() {
            "udp" => Scheme::Udp,
            "http" | "https" => Scheme::Http,
            other => return Err(refuse(format!("`{other}` is not udp, http or https; it looks {example}"))),
        };
        let host = match url.host_str() {
            Some(host) if !host.is_empty() => host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            _ => return Err(refuse(format!("the host is missing; it looks {example}"))),
        };
        let port = match url.port_or_known_default() {
            Some(0) | None => {
                return Err(refuse("a port from 1 to 65535 is missing, as in `udp://HOST:6969`".into()));
            }
            Some(port) => port,
        };
        if scheme == Scheme::Http && url.path() == "/" {
            url.set_path("/announce");
        }
        Ok(Self { scheme, host, port, url })
    }

    /// What comes after the host, for BEP 41; empty if nothing does.
    pub(super) fn path_and_query(&self) -> String {
        let path = if self.url.path() == "/" { "" } else { self.url.path() };
        match self.url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }

    /// Where scrapes go (BEP 48): the announce URL with the `announce` that its last segment starts with replaced.
    pub(super) fn scrape_url(&self) -> Option<Url> {
        let (before, last) = self.url.path().rsplit_once('/')?;
        let rest = last.strip_prefix("announce")?;
        let mut url = self.url.clone();
        url.set_path(&format!("{before}/scrape{rest}"));
        Some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let parts = |text: &str| {
            let target = Target::parse(text).unwrap();
            let scrape = target.scrape_url().map(|url| url.to_string());
            (target.host.clone(), target.port, target.path_and_query(), scrape)
        };
        let udp = parts("udp://tracker.example:6969");
        assert_eq!(udp, ("tracker.example".into(), 6969, String::new(), None));
        assert_eq!(parts("udp://[::1]:6969/announce/s3cret?x=1").2, "/announce/s3cret?x=1");
        assert_eq!(parts("udp://[::1]:6969").0, "::1");
        let http = parts("http://127.0.0.1:6969");
        let scrape = Some("http://127.0.0.1:6969/scrape".into());
        assert_eq!(http, ("127.0.0.1".into(), 6969, "/announce".into(), scrape));
        let https = parts("https://t.example/x/announce.php?passkey=a");
        let scrape = Some("https://t.example/x/scrape.php?passkey=a".into());
        assert_eq!(https, ("t.example".into(), 443, "/x/announce.php?passkey=a".into(), scrape));
        assert_eq!(parts("http://t.example/a").3, None);
    }

    #[test]
    fn what_is_no_address_is_quoted() {
        for (wrong, part) in [
            ("tracker.example:6969", "`tracker.example` is not udp, http or https"),
            ("ws://tracker.example", "`ws` is not udp, http or https"),
            ("udp://tracker.example", "a port from 1 to 65535 is missing"),
            ("udp://tracker.example:0", "a port from 1 to 65535 is missing"),
            ("udp:///announce", "the host is missing"),
            ("", "it looks as `udp://HOST:PORT`"),
            ("udp://tracker.example:99999", "it looks as `udp://HOST:PORT`"),
        ] {
            let error = Target::parse(wrong).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`{wrong}` is not the address")) && error.contains(part),
                "{error}"
            );
        }
    }
}
