//! The four dialects, and what a holder is known by in each.

use std::fmt;
use std::net::IpAddr;

use crate::{Endpoint, Port};

/// One of the four classic dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// JSON over TCP, usually on port 9000: names with their number of parts; nobody beats.
    Token,
    /// JSON over TCP, usually on port 5000: names with their size; everybody beats.
    Index,
    /// Text over UDP, usually on port 5555: one chunk list a holder; some beat.
    Chunklist,
    /// JSON over UDP, usually on port 5000: bare names; everybody beats.
    Beacon,
}

/// How a file goes from a holder to who wants it. Holders of one kind can serve the clients of all its dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    /// The bare name is sent, the bytes come back: `token` and `beacon`.
    Bare,
    /// A request in JSON: `index`.
    Index,
    /// A chunk's number is sent, and its bytes come back: `chunklist`.
    Chunks,
}

/// What a holder is known by.
///
/// Every key has the address that its owner was seen at, and only requests from that address make it: so nobody at
/// another address can change, renew or remove the entry. What else is in it tells apart those who share an address,
/// behind one router say. They could pass for each other if they wished; no dialect gives them a secret of their own,
/// except `token`, whose tokens are the listener's to check before it makes a key.
///
/// - `token`: the peer id. The same id from another address is another holder.
/// - `index`: the user's name. The same user at two addresses is two holders; each is named to those who search, and
///   each `exit` and `keep_alive` is for its own.
/// - `chunklist`: the seeder's name. Clients ask for a chunk list by that name alone, so two holders of one name are
///   two answers to one question: see [`Directory::chunk_list`](super::Directory::chunk_list) for whose is given.
/// - `beacon`: the port. The port that a datagram came from means nothing.
///
/// Over UDP an address is as true as the network makes it: who can forge one can say goodbye for somebody else in
/// `beacon`, which answers nothing that could be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    dialect: Dialect,
    label: &'a str,
    address: IpAddr,
    port: Option<Port>,
}

impl Dialect {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Token, Self::Index, Self::Chunklist, Self::Beacon];

    /// The name it goes by in settings and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Index => "index",
            Self::Chunklist => "chunklist",
            Self::Beacon => "beacon",
        }
    }

    pub(super) const fn transfer(self) -> Transfer {
        match self {
            Self::Token | Self::Beacon => Transfer::Bare,
            Self::Index => Transfer::Index,
            Self::Chunklist => Transfer::Chunks,
        }
    }

    /// Its position in [`Self::ALL`].
    pub(super) const fn number(self) -> usize {
        self as usize
    }
}

impl Transfer {
    pub(super) const ALL: [Self; 3] = [Self::Bare, Self::Index, Self::Chunks];

    /// Where a holder of `dialect` stands among those at its endpoint: the transfer's own dialects first, and of those
    /// `beacon`, of which an endpoint has one at most.
    pub(super) const fn rank(self, dialect: Dialect) -> u8 {
        match (self, dialect) {
            (Self::Bare, Dialect::Beacon)
            | (Self::Index, Dialect::Index)
            | (Self::Chunks, Dialect::Chunklist) => 0,
            (_, Dialect::Token) => 1,
            (_, Dialect::Index) => 2,
            (_, Dialect::Chunklist) => 3,
            (_, Dialect::Beacon) => 4,
        }
    }
}

impl<'a> Key<'a> {
    /// The peer of that id at that address.
    #[must_use]
    pub const fn token(peer_id: &'a str, source: IpAddr) -> Self {
        Self { dialect: Dialect::Token, label: peer_id, address: source.to_canonical(), port: None }
    }

    /// The user of that name at that address.
    #[must_use]
    pub const fn index(username: &'a str, source: IpAddr) -> Self {
        Self { dialect: Dialect::Index, label: username, address: source.to_canonical(), port: None }
    }

    /// The seeder of that name at that address.
    #[must_use]
    pub const fn chunklist(name: &'a str, source: IpAddr) -> Self {
        Self { dialect: Dialect::Chunklist, label: name, address: source.to_canonical(), port: None }
    }

    /// The peer that serves at that address and port.
    #[must_use]
    pub const fn beacon(endpoint: Endpoint) -> Self {
        let port = Some(endpoint.port());
        Self { dialect: Dialect::Beacon, label: "", address: endpoint.ip(), port }
    }

    /// The dialect it is a key of.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What the holder calls itself: peer id, user name or seeder's name; empty in `beacon`.
    #[must_use]
    pub const fn label(&self) -> &'a str {
        self.label
    }

    /// The address its owner was seen at, never an IPv4-mapped one.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The port, where it is part of the key: in `beacon`.
    #[must_use]
    pub const fn port(&self) -> Option<Port> {
        self.port
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Key<'_> {
    /// `alice at 10.0.0.5`, or `10.0.0.5:6001` for who has no name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => fmt::Display::fmt(&Endpoint::new(self.address, port), f),
            None => write!(f, "{} at {}", self.label, self.address),
        }
    }
}
