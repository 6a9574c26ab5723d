//! Who asks, when reverse proxies stand between: `Forwarded` (RFC 7239) and `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};

use wire::Malformed;

/// Longest value of one header that is read, in bytes.
const VALUE_BYTES_MAX: usize = 4096;

/// The address of the client behind a connection from `peer`.
///
/// If `peer` is no proxy that is to be believed (`trusts`), that is it, whatever the headers say. Otherwise it is the rightmost hop
/// that is not itself such a proxy, or the leftmost if all are. `forwarded` and `x_forwarded_for` are the values of
/// the headers of these names, in order. A proxy knows one of the two, and passes on unread what a client wrote into
/// the other; so where both are there, they must say the same.
///
/// # Errors
///
/// [`Malformed`] if the hop that counts is not told, is hidden (`unknown`, `_name`), or the headers do not agree.
pub fn client_ip<'a>(
    peer: IpAddr,
    trusts: &dyn Fn(IpAddr) -> bool,
    forwarded: impl Iterator<Item = &'a [u8]>,
    x_forwarded_for: impl Iterator<Item = &'a [u8]>,
) -> Result<IpAddr, Malformed> {
    let peer = peer.to_canonical();
    let mut standard = Path::new("Forwarded", trusts);
    let mut usual = Path::new("X-Forwarded-For", trusts);
    if !trusts(peer) {
        return Ok(peer);
    }
    for value in forwarded {
        standard.read_forwarded(value)?;
    }
    for value in x_forwarded_for {
        usual.read_list(value)?;
    }
    match (standard.client()?, usual.client()?) {
        (None, None) => Ok(peer),
        (Some(ip), None) | (None, Some(ip)) => Ok(ip),
        (Some(standard), Some(usual)) if standard == usual => Ok(standard),
        (Some(standard), Some(usual)) => Err(Malformed::new(format!(
            "the proxy passes on that Forwarded says {standard} and X-Forwarded-For {usual}: it must drop the one it does not write"
        ))),
    }
}

/// The hops of one header as they go by from left to right.
struct Path<'a> {
    header: &'static str,
    trusts: &'a dyn Fn(IpAddr) -> bool,
    client: Option<Result<IpAddr, Malformed>>,
    /// Whether `client` is a trusted proxy, there for want of another.
    provisional: bool,
}

impl<'a> Path<'a> {
    fn new(header: &'static str, trusts: &'a dyn Fn(IpAddr) -> bool) -> Self {
        Self { header, trusts, client: None, provisional: false }
    }

    fn hop(&mut self, node: &[u8]) {
        match address(node) {
            Some(ip) if !(self.trusts)(ip) => {
                self.client = Some(Ok(ip));
                self.provisional = false;
            }
            Some(ip) => {
                if self.client.is_none() {
                    self.client = Some(Ok(ip));
                    self.provisional = true;
                }
            }
            None => {
                let fault = Malformed::found(&format!("{} for", self.header), node, "an IP address");
                self.client = Some(Err(fault));
                self.provisional = false;
            }
        }
    }

    fn client(self) -> Result<Option<IpAddr>, Malformed> {
        self.client.transpose()
    }

    /// `X-Forwarded-For: client, proxy, …`
    fn read_list(&mut self, value: &[u8]) -> Result<(), Malformed> {
        self.check_length(value)?;
        for hop in value.split(|&byte| byte == b',') {
            let hop = hop.trim_ascii();
            if !hop.is_empty() {
                self.hop(hop);
            }
        }
        Ok(())
    }

    /// `Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43, for="[2001:db8::17]:4711"` (RFC 7239 §4).
    ///
    /// Read strictly as a whole: a client that leaves a quotation open must not swallow what the proxy appends.
    fn read_forwarded(&mut self, value: &[u8]) -> Result<(), Malformed> {
        self.check_length(value)?;
        let mut rest = value.trim_ascii();
        let mut node: Option<Vec<u8>> = None;
        let mut named = false;
        while let Some(&next) = rest.first() {
            match next {
                b',' => {
                    if named {
                        self.hop(node.as_deref().unwrap_or(b""));
                    }
                    (node, named, rest) = (None, false, rest[1..].trim_ascii_start());
                }
                b';' => rest = rest[1..].trim_ascii_start(),
                _ => {
                    let (name, text, after) = pair(rest).ok_or_else(|| self.malformed(value))?;
                    if name.eq_ignore_ascii_case(b"for") && node.replace(text).is_some() {
                        return Err(self.malformed(value));
                    }
                    (named, rest) = (true, after);
                }
            }
        }
        if named {
            self.hop(node.as_deref().unwrap_or(b""));
        }
        Ok(())
    }

    fn check_length(&self, value: &[u8]) -> Result<(), Malformed> {
        if value.len() <= VALUE_BYTES_MAX {
            return Ok(());
        }
        Err(Malformed::new(format!(
            "{} of {} bytes is too long: {VALUE_BYTES_MAX} are read",
            self.header,
            value.len()
        )))
    }

    fn malformed(&self, value: &[u8]) -> Malformed {
        Malformed::found(
            self.header,
            value,
            "a list such as for=192.0.2.1;proto=https, for=\"[2001:db8::1]\"",
        )
    }
}

/// `name=value` at the front of `rest`, and what comes after it: nothing, `;…` or `,…`.
fn pair(rest: &[u8]) -> Option<(&[u8], Vec<u8>, &[u8])> {
    let equals = rest.iter().position(|&byte| byte == b'=')?;
    let (name, value) = (&rest[..equals], &rest[equals + 1..]);
    if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
        return None;
    }
    let (text, after) = match value.split_first() {
        Some((b'"', quoted)) => unquote(quoted)?,
        _ => {
            // Strictly `:` and brackets need quotes; proxies that leave them out are told apart all the same.
            let bare = |&byte: &u8| is_token(byte) || matches!(byte, b':' | b'[' | b']');
            let end = value.iter().position(|byte| !bare(byte)).unwrap_or(value.len());
            (value[..end].to_vec(), &value[end..])
        }
    };
    let after = after.trim_ascii_start();
    matches!(after.first(), None | Some(b';' | b',')).then_some((name, text, after))
}

/// A quoted string (RFC 9110 §5.6.4) after its opening quote, and what comes after the closing one.
fn unquote(quoted: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut text = Vec::new();
    let mut bytes = quoted.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'"' => return Some((text, &quoted[at + 1..])),
            b'\\' => text.push(*bytes.next()?.1),
            _ => text.push(byte),
        }
    }
    None
}

/// A byte that a token may have (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The address of a node (RFC 7239 §6): IPv4 or IPv6, with or without brackets and a port, which may be a made-up one.
fn address(node: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(node).ok()?;
    let ip = if let Some(bracketed) = text.strip_prefix('[') {
        let (ip, port) = bracketed.split_once(']')?;
        if !(port.is_empty() || port.strip_prefix(':').is_some_and(is_port)) {
            return None;
        }
        IpAddr::V6(ip.parse().ok()?)
    } else if let Ok(ip) = text.parse::<IpAddr>() {
        ip
    } else if let Ok(socket) = text.parse::<SocketAddr>() {
        socket.ip()
    } else {
        let (ip, port) = text.split_once(':')?;
        if !is_port(port) {
            return None;
        }
        IpAddr::V4(ip.parse().ok()?)
    };
    (!ip.is_unspecified()).then(|| ip.to_canonical())
}

fn is_port(port: &str) -> bool {
    match port.strip_prefix('_') {
        Some(name) => {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        }
        None => port.parse::<u16>().is_ok() && port.bytes().all(|b| b.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn ask(peer: &str, forwarded: &[&str], x_forwarded_for: &[&str]) -> Result<String, String> {
        let proxies: [IpNet; 2] = ["10.0.0.0/8".parse().unwrap(), "2001:db8:ffff::/48".parse().unwrap()];
        client_ip(
            peer.parse().unwrap(),
            &|ip| proxies.iter().any(|net| net.contains(&ip)),
            forwarded.iter().map(|value| value.as_bytes()),
            x_forwarded_for.iter().map(|value| value.as_bytes()),
        )
        .map(|ip| ip.to_string())
        .map_err(|fault| fault.to_string())
    }

    #[test]
    fn who_is_no_proxy_speaks_for_itself() {
        assert_eq!(ask("192.0.2.9", &["for=1.2.3.4"], &["1.2.3.4"]), Ok("192.0.2.9".into()));
        assert_eq!(ask("::ffff:192.0.2.9", &[], &["1.2.3.4"]), Ok("192.0.2.9".into()));
    }

    #[test]
    fn the_rightmost_hop_that_is_no_proxy_counts() {
        type Values = &'static [&'static str];
        let table: [(Values, Values, &str); 22] = [
            (&[], &[], PROXY),
            (&[], &[""], PROXY),
            (&[], &["1.2.3.4"], "1.2.3.4"),
            (&[], &["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            (&[], &["6.6.6.6,1.2.3.4 , 10.9.9.9"], "1.2.3.4"),
            (&[], &["6.6.6.6", "1.2.3.4", "10.9.9.9"], "1.2.3.4"),
            (&[], &["garbage, unknown, 1.2.3.4"], "1.2.3.4"),
            (&[], &["1.2.3.4:5678"], "1.2.3.4"),
            (&[], &["2001:db8::1"], "2001:db8::1"),
            (&[], &["[2001:db8::1]:443"], "2001:db8::1"),
            (&[], &["::ffff:1.2.3.4"], "1.2.3.4"),
            (&[], &["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
            (&[], &["6.6.6.6, 1.2.3.4, 2001:db8:ffff::7"], "1.2.3.4"),
            (&["for=192.0.2.60;proto=http;by=203.0.113.43"], &[], "192.0.2.60"),
            (&["For=\"[2001:db8:cafe::17]:4711\""], &[], "2001:db8:cafe::17"),
            (&["for=192.0.2.43, for=198.51.100.17"], &[], "198.51.100.17"),
            (
                &["for=192.0.2.43", "proto=https; for=\"198.51.100.17:_p\", for=10.1.1.1"],
                &[],
                "198.51.100.17",
            ),
            (&["for=\"192.0.2.43:47011\""], &[], "192.0.2.43"),
            (&["for=\"192.0.2\\.43\";host=\"a,b;for=6.6.6.6\""], &[], "192.0.2.43"),
            (&["for=_hidden, for=unknown, for=192.0.2.43,"], &[], "192.0.2.43"),
            (&["for=[2001:db8::1]:4711;proto=http"], &[], "2001:db8::1"),
            (&["for=1.2.3.4"], &["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        ];
        for (forwarded, x_forwarded_for, client) in table {
            assert_eq!(
                ask(PROXY, forwarded, x_forwarded_for).as_deref(),
                Ok(client),
                "{forwarded:?} {x_forwarded_for:?}"
            );
        }
    }

    #[test]
    fn what_is_hidden_broken_or_doubtful_is_refused() {
        let long = format!("{}1.2.3.4", "6.6.6.6, ".repeat(500));
        let table: [(&str, &str, &str); 15] = [
            ("for=unknown", "", "Forwarded for `unknown` is not an IP address"),
            ("for=_gazonk", "", "Forwarded for `_gazonk`"),
            ("for=\"_gazonk:80\", for=10.1.1.1", "", "Forwarded for `_gazonk:80`"),
            ("proto=https", "", "Forwarded for `` is not"),
            ("for=1.2.3.4, proto=https", "", "Forwarded for `` is not"),
            ("for=0.0.0.0", "", "Forwarded for `0.0.0.0`"),
            ("for=1.2.3.4;for=6.6.6.6", "", "Forwarded `for=1.2.3.4;for=6.6.6.6`"),
            ("for=\"6.6.6.6, for=1.2.3.4", "", "Forwarded `for="),
            ("for=6.6.6.6;x=\", for=\"[2001:db8::1]\"", "", "Forwarded `for="),
            ("1.2.3.4", "", "Forwarded `1.2.3.4` is not"),
            ("for=\"1.2.3.4:99999\"", "", "Forwarded for `1.2.3.4:99999`"),
            ("", "unknown", "X-Forwarded-For for `unknown`"),
            ("", "1.2.3.4, 1.2.3", "X-Forwarded-For for `1.2.3`"),
            ("", &long, "X-Forwarded-For of 4507 bytes is too long: 4096 are read"),
            (
                "for=6.6.6.6",
                "1.2.3.4",
                "the proxy passes on that Forwarded says 6.6.6.6 and X-Forwarded-For 1.2.3.4",
            ),
        ];
        for (forwarded, x_forwarded_for, reason) in table {
            let fault = ask(PROXY, &[forwarded], &[x_forwarded_for]).unwrap_err();
            assert!(fault.starts_with(reason), "{forwarded} {x_forwarded_for}: {fault}");
        }
    }
}
