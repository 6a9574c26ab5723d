//! The state file of the tracker that Skep takes over from, as plain records.
//!
//! ```json
//! {"torrents": {"<hash, as text>": {
//!     "info": {"info_hash", "name", "size", "piece_length", "creation_date", "comment", "created_by"},
//!     "peers_info": [{"peer_id", "ip", "port", "last_seen", "uploaded", "downloaded", "left", "is_seeder"}],
//!     "stats": {"downloaded", …}}}}
//! ```
//!
//! Hashes come in any of the spellings of `wire::hash_text`, times in Unix seconds with a fraction, numbers perhaps as
//! text. What cannot be used is left out, counted and the first of it quoted; only a file that is no JSON, or has no
//! `torrents`, is refused as a whole. One torrent is in memory at a time.

mod fields;
mod stream;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use swarm::{Endpoint, InfoHash, PeerId};
use wire::hash_text;

use crate::store::NewTorrent;

/// The largest state file that is read.
pub const STATE_BYTES_MAX: u64 = 512 << 20;

/// So many of the things left out are quoted.
pub const QUOTED_MAX: usize = 10;

/// A count of downloads above this is taken for a number of bytes, which some versions kept under the same name.
const COMPLETED_MAX: u64 = 10_000_000;

/// A torrent of the old tracker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyTorrent {
    /// What it knew of it; without a name if it had none.
    pub torrent: NewTorrent,
    /// Completed downloads.
    pub completed: u64,
    /// Peers, each endpoint once.
    pub peers: Vec<LegacyPeer>,
}

/// A peer of the old tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegacyPeer {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// What it calls itself, if that is 20 bytes.
    pub peer_id: Option<PeerId>,
    /// When it last announced, in Unix seconds.
    pub last_seen: i64,
    /// Bytes uploaded.
    pub uploaded: u64,
    /// Bytes downloaded.
    pub downloaded: u64,
    /// Bytes missing; 0 for a seeder.
    pub left: Option<u64>,
}

/// What was read and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Torrents read.
    pub torrents: u64,
    /// Peers read.
    pub peers: u64,
    /// Torrents left out.
    pub torrents_skipped: u64,
    /// Peers left out.
    pub peers_skipped: u64,
    /// Torrents whose hash, as spelled, may be one of several, and of which one was guessed.
    pub guessed: u64,
    /// What was left out or guessed, and why: the first [`QUOTED_MAX`].
    pub quoted: Vec<String>,
}

/// A state file that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum LegacyError {
    /// It cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is larger than [`STATE_BYTES_MAX`].
    #[error("the state has more than {} MiB, which is as much as is read", STATE_BYTES_MAX >> 20)]
    TooLarge,
    /// It is not JSON, or `torrents` is no object. What came before the fault has been read.
    #[error("this is no state file of the old tracker: {0}")]
    Json(#[from] serde_json::Error),
}

/// Reads the state file at `path` and hands each torrent to `each`. Blocking.
pub fn read_file(path: &Path, each: impl FnMut(LegacyTorrent)) -> Result<Report, LegacyError> {
    let file = File::open(path).map_err(|error| LegacyError::Unreadable { path: path.to_owned(), error })?;
    read(file, each)
}

/// Reads a state from `input` and hands each torrent to `each`, in the order of the file.
///
/// The same torrent may come twice, under two spellings of its hash.
pub fn read(input: impl Read, each: impl FnMut(LegacyTorrent)) -> Result<Report, LegacyError> {
    read_at_most(STATE_BYTES_MAX, input, each)
}

fn read_at_most(
    bytes_max: u64,
    input: impl Read,
    mut each: impl FnMut(LegacyTorrent),
) -> Result<Report, LegacyError> {
    let mut limited = input.take(bytes_max + 1);
    let mut report = Report::default();
    let result = stream::torrents(BufReader::new(&mut limited), |hash, entry| {
        if let Some(torrent) = report.torrent(hash, entry) {
            each(torrent);
        }
    });
    if limited.limit() == 0 { Err(LegacyError::TooLarge) } else { Ok(result.map(|()| report)?) }
}

impl Report {
    fn torrent(&mut self, key: &str, entry: &Value) -> Option<LegacyTorrent> {
        if !entry.is_object() {
            self.torrents_skipped += 1;
            self.quote(key, "is no object");
            return None;
        }
        let none = Map::new();
        let object = |name: &str| entry.get(name).and_then(Value::as_object).unwrap_or(&none);
        let (info, stats) = (object("info"), object("stats"));
        let Some(hash) = self.hash(key, info) else {
            self.torrents_skipped += 1;
            self.quote(key, "is no info hash in any spelling");
            return None;
        };
        let completed = ["completed", "downloaded"].iter().find_map(|name| fields::unsigned(stats, name));
        let peers = self.peers(key, entry.get("peers_info"));
        self.torrents += 1;
        self.peers += peers.len() as u64;
        Some(LegacyTorrent {
            torrent: torrent(hash, info),
            completed: completed.filter(|count| *count <= COMPLETED_MAX).unwrap_or(0),
            peers,
        })
    }

    /// The hash that `key` spells. If it may be several, the one that `info` spells too; else the likeliest.
    fn hash(&mut self, key: &str, info: &Map<String, Value>) -> Option<InfoHash> {
        let of_key = hash_text::readings(key.as_bytes());
        if let [only] = of_key.as_slice() {
            return Some(*only);
        }
        let of_info =
            fields::text(info, "info_hash").map_or(Vec::new(), |text| hash_text::readings(text.as_bytes()));
        if let [only] = of_info.as_slice()
            && (of_key.is_empty() || of_key.contains(only))
        {
            return Some(*only);
        }
        let likeliest = of_key.first().or(of_info.first()).copied()?;
        self.guessed += 1;
        self.quote(key, &format!("may spell several info hashes; {likeliest} was taken"));
        Some(likeliest)
    }

    /// The peers of a list, or of an object by whatever key.
    fn peers(&mut self, torrent: &str, value: Option<&Value>) -> Vec<LegacyPeer> {
        let entries: Vec<&Value> = match value {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(Value::Object(object)) => object.values().collect(),
            _ => Vec::new(),
        };
        let mut peers = BTreeMap::<Endpoint, LegacyPeer>::new();
        for entry in entries {
            match peer(entry) {
                Ok(peer) => {
                    let known = peers.entry(peer.endpoint).or_insert(peer);
                    if known.last_seen < peer.last_seen {
                        *known = peer;
                    }
                }
                Err(reason) => {
                    self.peers_skipped += 1;
                    self.quote(torrent, &format!("peer {}: {reason}", fields::quoted(&entry.to_string())));
                }
            }
        }
        peers.into_values().collect()
    }

    fn quote(&mut self, key: &str, what: &str) {
        if self.quoted.len() < QUOTED_MAX {
            self.quoted.push(format!("{}: {what}", fields::quoted(key)));
        }
    }
}

fn torrent(hash: InfoHash, info: &Map<String, Value>) -> NewTorrent {
    let text = |name| fields::text(info, name).filter(|text| !text.is_empty()).map(str::to_owned);
    NewTorrent {
        size: fields::unsigned(info, "size"),
        piece_length: fields::unsigned(info, "piece_length"),
        comment: text("comment"),
        created_by: text("created_by"),
        created_at: fields::unsigned(info, "creation_date").and_then(|time| i64::try_from(time).ok()),
        ..NewTorrent::named(hash, text("name").unwrap_or_default())
    }
}

fn peer(value: &Value) -> Result<LegacyPeer, &'static str> {
    let fields = value.as_object().ok_or("is no object")?;
    let time = fields::unsigned(fields, "last_seen").and_then(|time| i64::try_from(time).ok());
    let id = fields::text(fields, "peer_id").map_or(Vec::new(), |text| hash_text::readings(text.as_bytes()));
    let seeder = fields.get("is_seeder").and_then(Value::as_bool).unwrap_or(false);
    Ok(LegacyPeer {
        endpoint: fields::endpoint(fields)?,
        peer_id: id.first().map(|id| PeerId(id.0)),
        last_seen: time.ok_or("`last_seen` is no time in Unix seconds")?,
        uploaded: fields::unsigned(fields, "uploaded").unwrap_or(0),
        downloaded: fields::unsigned(fields, "downloaded").unwrap_or(0),
        left: fields::unsigned(fields, "left").or(seeder.then_some(0)),
    })
}

#[cfg(test)]
mod tests;
