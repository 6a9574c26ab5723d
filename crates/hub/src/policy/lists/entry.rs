use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use swarm::InfoHash;

/// Bytes of a peer id.
const PEER_ID_BYTES: usize = 20;

/// Bytes of a user agent's beginning.
const AGENT_BYTES_MAX: usize = 128;

/// What an entry begins with that is about user agents.
const AGENT: &str = "agent:";

/// Bits of an IPv4-mapped IPv6 address before the IPv4 address (RFC 4291 §2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// Characters of a wrong entry that are quoted.
const QUOTED_MAX: usize = 60;

/// The lists that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// The only torrents that may be announced.
    TorrentsAllowed,
    /// Torrents that may not be announced.
    TorrentsDenied,
    /// The only clients that may announce.
    ClientsAllowed,
    /// Clients that may not announce.
    ClientsDenied,
    /// The only networks from which peers may announce.
    PeersAllowed,
    /// Networks from which peers may not announce.
    PeersDenied,
    /// The only networks that the API and the page are for.
    ApiAllowed,
    /// Networks that the API and the page are not for.
    ApiDenied,
    /// Networks that nothing here is for.
    Banned,
    /// Networks of reverse proxies, whose word is taken on where requests come from.
    Proxies,
}

/// What a line of a list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A torrent.
    Torrent(InfoHash),
    /// Clients whose peer ids begin so.
    PeerId(Box<[u8]>),
    /// Clients whose user agents begin so.
    Agent(Box<[u8]>),
    /// The addresses of a network.
    Network(IpNet),
}

/// A line that is none of its list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct EntryError {
    text: String,
    expected: &'static str,
}

impl List {
    /// Every list.
    pub const ALL: [Self; 10] = [
        Self::TorrentsAllowed,
        Self::TorrentsDenied,
        Self::ClientsAllowed,
        Self::ClientsDenied,
        Self::PeersAllowed,
        Self::PeersDenied,
        Self::ApiAllowed,
        Self::ApiDenied,
        Self::Banned,
        Self::Proxies,
    ];

    /// As it is written, in the configuration too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TorrentsAllowed => "torrents_allowed",
            Self::TorrentsDenied => "torrents_denied",
            Self::ClientsAllowed => "clients_allowed",
            Self::ClientsDenied => "clients_denied",
            Self::PeersAllowed => "peers_allowed",
            Self::PeersDenied => "peers_denied",
            Self::ApiAllowed => "api_allowed",
            Self::ApiDenied => "api_denied",
            Self::Banned => "banned",
            Self::Proxies => "proxies",
        }
    }

    /// The list of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.name() == name)
    }

    /// Whether what is on it may take part, rather than may not.
    #[must_use]
    pub const fn allows(self) -> bool {
        matches!(self, Self::TorrentsAllowed | Self::ClientsAllowed | Self::PeersAllowed | Self::ApiAllowed)
    }

    /// What an entry of this list says.
    ///
    /// # Errors
    ///
    /// It says nothing.
    pub fn read(self, text: &str) -> Result<Entry, EntryError> {
        let (entry, expected) = match self {
            Self::TorrentsAllowed | Self::TorrentsDenied => {
                (text.parse().ok().map(Entry::Torrent), "an info hash: 40 hexadecimal digits")
            }
            Self::ClientsAllowed | Self::ClientsDenied => (
                client(text),
                "the beginning of a peer id, such as -TR, nor `agent:` and the beginning of a user agent",
            ),
            Self::PeersAllowed
            | Self::PeersDenied
            | Self::ApiAllowed
            | Self::ApiDenied
            | Self::Banned
            | Self::Proxies => {
                (network(text).map(Entry::Network), "an address or a network such as 192.0.2.1 or 10.0.0.0/8")
            }
        };
        entry.ok_or_else(|| EntryError { text: text.chars().take(QUOTED_MAX).collect(), expected })
    }
}

/// As it is written, the same whatever it was read from.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torrent(hash) => write!(f, "{hash}"),
            Self::PeerId(prefix) => f.write_str(&String::from_utf8_lossy(prefix)),
            Self::Agent(prefix) => write!(f, "{AGENT}{}", String::from_utf8_lossy(prefix)),
            Self::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                write!(f, "{}", network.addr())
            }
            Self::Network(network) => write!(f, "{network}"),
        }
    }
}

fn client(text: &str) -> Option<Entry> {
    let prefix = |text: &str, bytes_max| {
        let fits =
            (1..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        fits.then(|| text.as_bytes().into())
    };
    match text.strip_prefix(AGENT) {
        Some(agent) => prefix(agent.trim_start(), AGENT_BYTES_MAX).map(Entry::Agent),
        None => prefix(text, PEER_ID_BYTES).map(Entry::PeerId),
    }
}

/// A network, from its first address on; an IPv4-mapped one is IPv4.
fn network(text: &str) -> Option<IpNet> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let mapped = network.addr().to_canonical();
    let bits = network.prefix_len().checked_sub(MAPPED_BITS);
    let canonical = match bits {
        Some(bits) if network.addr().is_ipv6() && mapped.is_ipv4() => IpNet::new(mapped, bits).ok()?,
        _ => network,
    };
    Some(canonical.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_its_list_wants_it() {
        let hash = "00112233445566778899aabbccddeeff00112233";
        assert_eq!(List::TorrentsDenied.read(hash), Ok(Entry::Torrent(hash.parse().unwrap())));
        assert_eq!(List::ClientsDenied.read("-XL"), Ok(Entry::PeerId(b"-XL"[..].into())));
        assert_eq!(List::ClientsDenied.read("agent: Evil/1"), Ok(Entry::Agent(b"Evil/1"[..].into())));
        assert_eq!(List::PeersDenied.read("::1"), Ok(Entry::Network("::1/128".parse().unwrap())));
    }

    #[test]
    fn what_means_the_same_is_written_the_same() {
        let hash = "00112233445566778899aabbccddeeff00112233";
        for (list, text, written) in [
            (List::TorrentsAllowed, &*hash.to_uppercase(), hash),
            (List::ClientsDenied, "-XL", "-XL"),
            (List::ClientsDenied, "agent: Evil/1", "agent:Evil/1"),
            (List::Banned, "192.0.2.77/24", "192.0.2.0/24"),
            (List::Banned, "192.0.2.77/32", "192.0.2.77"),
            (List::Banned, "::ffff:192.0.2.77", "192.0.2.77"),
            (List::Banned, "::ffff:192.0.2.77/120", "192.0.2.0/24"),
            (List::Banned, "2001:DB8::1/32", "2001:db8::/32"),
            (List::Banned, "::/0", "::/0"),
        ] {
            assert_eq!(list.read(text).unwrap().to_string(), written);
            assert_eq!(list.read(written).unwrap(), list.read(text).unwrap());
        }
        assert_eq!(List::ALL.map(|list| List::named(list.name())), List::ALL.map(Some));
    }

    #[test]
    fn what_is_none_is_quoted_with_what_would_be_right() {
        for (list, text, expected) in [
            (List::TorrentsAllowed, "abc", "`abc` is not an info hash: 40 hexadecimal digits"),
            (List::ApiDenied, "10.0.0.0/40", "`10.0.0.0/40` is not an address or a network"),
            (
                List::ClientsAllowed,
                "-TR3000-abcdefghijklm",
                "`-TR3000-abcdefghijklm` is not the beginning of a peer id",
            ),
            (List::ClientsAllowed, "agent:", "`agent:` is not the beginning"),
        ] {
            let told = list.read(text).unwrap_err().to_string();
            assert!(told.starts_with(expected), "{told}");
        }
    }
}
