//! Torrent files: BEP 3, with BEP 12 (tiers), 19 (web seeds), 27 (private), 47 (pad files and attributes) and 52
//! (version 2 and hybrids).
//!
//! Everything inside the `info` dictionary decides what is shared, and is refused where it is wrong. What stands
//! around it (comments, dates, trackers) only informs, and is left out where it has the wrong type.

use std::ops::Range;

use swarm::InfoHash;

mod build;
mod decode;
mod files;
mod safe;
mod trackers;

pub use build::{Builder, Content};
pub(crate) use decode::truncated;
pub use files::File;
pub use safe::NAME_BYTES_MAX;
pub use trackers::with_trackers;

/// The longest torrent file that is read, in bytes.
pub const METAINFO_BYTES_MAX: usize = 128 << 20;

/// The most files that one torrent may have.
pub const FILES_MAX: usize = 1_000_000;

/// The most folders, and the file itself, that one path may have.
pub const COMPONENTS_MAX: usize = 64;

/// The longest piece, in bytes.
pub const PIECE_LENGTH_MAX: u64 = 1 << 30;

/// The shortest piece of a version 2 torrent, in bytes (BEP 52); longer ones are powers of two.
pub const PIECE_LENGTH_V2_MIN: u64 = 16 << 10;

/// The most trackers that one torrent may name, in all its tiers.
pub const TRACKERS_MAX: usize = 1_000;

/// The most web seeds that one torrent may name.
pub const WEB_SEEDS_MAX: usize = 1_000;

/// What a torrent file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metainfo {
    info: Vec<u8>,
    info_hash: InfoHash,
    info_hash_v2: Option<[u8; 32]>,
    version: Version,
    name: String,
    single: bool,
    piece_length: u64,
    /// Where in `info` the version 1 hashes are.
    pieces: Range<usize>,
    files: Vec<File>,
    private: bool,
    source: Option<String>,
    comment: Option<String>,
    created_by: Option<String>,
    creation_date: Option<i64>,
    trackers: Vec<Vec<String>>,
    web_seeds: Vec<String>,
}

/// Which clients can share a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Those of BEP 3.
    V1,
    /// Those of BEP 52.
    V2,
    /// Both, in two swarms of the same files.
    Hybrid,
}

impl Metainfo {
    /// What trackers are asked for: the SHA-1 of the info dictionary, or, of a torrent that is version 2 only, the
    /// first 20 bytes of its SHA-256 (BEP 52).
    #[must_use]
    pub const fn info_hash(&self) -> InfoHash {
        self.info_hash
    }

    /// The SHA-256 of the info dictionary, if the torrent is version 2 or hybrid.
    #[must_use]
    pub const fn info_hash_v2(&self) -> Option<[u8; 32]> {
        self.info_hash_v2
    }

    /// Which clients can share it.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The name of the file or folder, made safe as a file name (see [`File::path`]).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the torrent is one file, called [`name`](Self::name), rather than a folder of that name.
    #[must_use]
    pub const fn is_single_file(&self) -> bool {
        self.single
    }

    /// The bytes that a person gets: all files, without padding.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files.iter().filter(|file| !file.pad).map(|file| file.length).sum()
    }

    /// The bytes that are cut into pieces: all files, padding included.
    #[must_use]
    pub fn payload_size(&self) -> u64 {
        self.files.iter().map(|file| file.length).sum()
    }

    /// Bytes in a piece, the last one excepted; never 0.
    #[must_use]
    pub const fn piece_length(&self) -> u64 {
        self.piece_length
    }

    /// The SHA-1 hashes of the pieces, 20 bytes each; empty if the torrent is version 2 only.
    #[must_use]
    pub fn pieces(&self) -> &[u8] {
        &self.info[self.pieces.clone()]
    }

    /// The files in the order of the payload, padding included.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Whether peers may be learned from the torrent's own trackers only (BEP 27).
    #[must_use]
    pub const fn private(&self) -> bool {
        self.private
    }

    /// The `source`, by which private trackers set their copy of a torrent apart.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// A remark of whoever made it. It may hold anything, control characters too.
    #[must_use]
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The program that made it.
    #[must_use]
    pub fn created_by(&self) -> Option<&str> {
        self.created_by.as_deref()
    }

    /// When it was made, in Unix seconds.
    #[must_use]
    pub const fn creation_date(&self) -> Option<i64> {
        self.creation_date
    }

    /// The trackers' addresses in their tiers (BEP 12). An `announce` that no tier names is a tier before the others.
    #[must_use]
    pub fn trackers(&self) -> &[Vec<String>] {
        &self.trackers
    }

    /// Addresses that serve the same files over HTTP or FTP (BEP 19).
    #[must_use]
    pub fn web_seeds(&self) -> &[String] {
        &self.web_seeds
    }

    /// The info dictionary's own bytes, of which the hashes are taken.
    #[must_use]
    pub fn info_bytes(&self) -> &[u8] {
        &self.info
    }
}

#[cfg(test)]
mod tests;
