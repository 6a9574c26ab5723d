use std::net::IpAddr;

use swarm::InfoHash;

use super::roll::{Act, Done};
use super::{Cursor, Words};

/// A torrent of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torrent {
    /// What names it.
    pub info_hash: InfoHash,
    /// What people call it. Not unique.
    pub name: String,
    /// Bytes of all files together.
    pub size: Option<u64>,
    /// Bytes of a piece.
    pub piece_length: Option<u64>,
    /// Its files, in the torrent's order; empty if they are not known.
    pub files: Vec<TorrentFile>,
    /// Whether peers may be had from trackers alone (BEP 27).
    pub private: bool,
    /// What its maker said of it.
    pub comment: Option<String>,
    /// The program that made it.
    pub created_by: Option<String>,
    /// When it was made, in Unix seconds.
    pub created_at: Option<i64>,
    /// When it came into the catalogue, in Unix seconds.
    pub added_at: i64,
    /// Downloads completed, ever.
    pub completed: u64,
    /// Whether the .torrent file is there, and with it facts that nobody can dispute.
    pub has_metainfo: bool,
}

/// A file of a torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TorrentFile {
    /// Where it lies in the torrent, with `/` between the parts.
    pub path: String,
    /// Bytes.
    pub length: u64,
}

/// A torrent to be added: the facts as somebody states them, or as a .torrent file proves them.
///
/// Whoever fills in `metainfo` has decoded it, and taken the hash and all other fields from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTorrent {
    /// What names it.
    pub info_hash: InfoHash,
    /// What people call it; empty if it has no name yet.
    pub name: String,
    /// Bytes of all files together.
    pub size: Option<u64>,
    /// Bytes of a piece.
    pub piece_length: Option<u64>,
    /// Its files; empty if they are not known.
    pub files: Vec<TorrentFile>,
    /// Whether peers may be had from trackers alone (BEP 27).
    pub private: bool,
    /// What its maker said of it.
    pub comment: Option<String>,
    /// The program that made it.
    pub created_by: Option<String>,
    /// When it was made, in Unix seconds.
    pub created_at: Option<i64>,
    /// The bytes of the .torrent file.
    pub metainfo: Option<Vec<u8>>,
    /// Who adds it, if that is to count against what one address may add.
    pub added_from: Option<IpAddr>,
}

impl NewTorrent {
    /// A torrent of which nothing is known but its hash and name.
    #[must_use]
    pub fn named(info_hash: InfoHash, name: impl Into<String>) -> Self {
        Self {
            info_hash,
            name: name.into(),
            size: None,
            piece_length: None,
            files: Vec::new(),
            private: false,
            comment: None,
            created_by: None,
            created_at: None,
            metainfo: None,
            added_from: None,
        }
    }
}

/// One thing to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds a torrent, or what is told of it to what is known.
    Add(Box<Addition>),
    /// Removes a torrent and all that belongs to it.
    Remove(InfoHash),
    /// Counts completed downloads, if the torrent is there.
    Completed(InfoHash, u32),
    /// Does something to the roll, and records it.
    Act(Box<Act>),
}

/// A torrent to be added, and on which terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// The torrent.
    pub torrent: NewTorrent,
    /// The time, in Unix seconds.
    pub now: i64,
    /// Downloads that it is known to have had at least, from an older tracker.
    pub completed: u64,
    /// How many torrents of `added_from` (or of its /64 network) there may be, this one included.
    pub per_address_max: Option<u32>,
}

/// What came of a [`Change`], and of each kind its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The torrent as it is now.
    Added(Box<Torrent>, Outcome),
    /// It was not added: its address has as many as it may.
    TooMany,
    /// Whether it was there.
    Removed(bool),
    /// Whether it was there.
    Counted(bool),
    /// What was done to the roll.
    Acted(Done),
}

/// What an addition did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The torrent is new.
    Created,
    /// It was known, and more is known of it now.
    Updated,
    /// It was known, and nothing has changed.
    Unchanged,
}

/// Which torrents to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// Words they must all have; `None` for all torrents.
    pub words: Option<Words>,
    /// How many at most.
    pub limit: usize,
    /// Where the page before this one ended.
    pub after: Option<Cursor>,
}

/// A part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The torrents; fewer than asked for when this is the end, or when they have very many files
    /// ([`PAGE_FILE_BYTES_MAX`](super::PAGE_FILE_BYTES_MAX)).
    pub torrents: Vec<Torrent>,
    /// What to ask the next page with; `None` if there is nothing more.
    pub next: Option<String>,
}
