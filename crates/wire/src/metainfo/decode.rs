use std::ops::Range;

use sha1::Sha1;
use sha2::{Digest, Sha256};
use swarm::InfoHash;

use super::files::{self, RawFile};
use super::{
    METAINFO_BYTES_MAX, Metainfo, PIECE_LENGTH_MAX, PIECE_LENGTH_V2_MIN, Version, WEB_SEEDS_MAX, safe,
    trackers,
};
use crate::Malformed;
use crate::bencode::{Dict, Rules, Tree};

impl Metainfo {
    /// Reads a torrent file. Keys may come in any order and bytes may follow the torrent, as both do in the wild.
    ///
    /// # Errors
    /// The first part that is wrong, quoted, with what would be right.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > METAINFO_BYTES_MAX {
            let size = bytes.len();
            return Err(Malformed::new(format!(
                "a torrent file of {size} bytes is too long: {METAINFO_BYTES_MAX} at most"
            )));
        }
        let tree = Tree::parse(bytes, &Rules::LENIENT)?;
        let Some(outer) = tree.root().as_dict() else {
            return Err(tree.root().fault("the torrent", "a dictionary"));
        };
        let Some(info) = outer.dict("info")? else {
            return Err(Malformed::new("the torrent has no `info`: a dictionary is expected"));
        };
        let span = info.value().raw();
        let version = version(info)?;
        let raw_name = match info.bytes("name.utf-8")? {
            Some(name) => name,
            None => info.bytes("name")?.ok_or_else(|| missing("name", "the file or folder's name"))?,
        };
        let piece_length = piece_length(info, version)?;
        let (raw_files, single) = files(info, version, raw_name, bytes.len())?;
        let payload = payload_size(&raw_files)?;
        let pieces = if version == Version::V2 { 0..0 } else { pieces(info, payload, piece_length)? };
        let v2: [u8; 32] = Sha256::digest(span).into();
        let info_hash = match version {
            Version::V1 | Version::Hybrid => InfoHash(Sha1::digest(span).into()),
            Version::V2 => truncated(&v2),
        };
        Ok(Self {
            info: span.to_vec(),
            info_hash,
            info_hash_v2: (version != Version::V1).then_some(v2),
            version,
            name: safe::component(raw_name),
            single,
            piece_length,
            pieces,
            files: files::made_safe(&raw_files),
            private: info.int("private")?.is_some_and(|flag| flag != 0),
            source: text(info, "source"),
            comment: text(outer, "comment.utf-8").or_else(|| text(outer, "comment")),
            created_by: text(outer, "created by"),
            creation_date: outer.get("creation date").and_then(|value| value.as_int()),
            trackers: trackers::tiers(outer)?,
            web_seeds: web_seeds(outer)?,
        })
    }
}

/// The 20 bytes by which trackers know a version 2 hash (BEP 52).
pub(crate) fn truncated(v2: &[u8; 32]) -> InfoHash {
    let mut bytes = [0; InfoHash::LEN];
    bytes.copy_from_slice(&v2[..InfoHash::LEN]);
    InfoHash(bytes)
}

/// Somebody's text, with what is not UTF-8 replaced.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn version(info: Dict<'_, '_>) -> Result<Version, Malformed> {
    match info.int("meta version")? {
        None | Some(1) => Ok(Version::V1),
        Some(2) if info.get("pieces").is_some() => Ok(Version::Hybrid),
        Some(2) => Ok(Version::V2),
        Some(other) => Err(Malformed::found("`meta version`", other.to_string().as_bytes(), "1 or 2")),
    }
}

fn piece_length(info: Dict<'_, '_>, version: Version) -> Result<u64, Malformed> {
    let raw = info.int("piece length")?.ok_or_else(|| missing("piece length", "a number of bytes"))?;
    let refuse =
        |expected: &str| Err(Malformed::found("`piece length`", raw.to_string().as_bytes(), expected));
    match u64::try_from(raw) {
        Ok(length) if !(1..=PIECE_LENGTH_MAX).contains(&length) => refuse(PIECE_LENGTH_EXPECTED),
        Err(_) => refuse(PIECE_LENGTH_EXPECTED),
        Ok(length)
            if version != Version::V1 && (length < PIECE_LENGTH_V2_MIN || !length.is_power_of_two()) =>
        {
            refuse("a power of two from 16384, as version 2 wants")
        }
        Ok(length) => Ok(length),
    }
}

const PIECE_LENGTH_EXPECTED: &str = "from 1 to 1073741824 bytes";

/// The files, and whether the torrent is a single one. Of a hybrid, both halves are read and must agree (BEP 52).
fn files<'a>(
    info: Dict<'_, 'a>,
    version: Version,
    name: &'a [u8],
    input_bytes: usize,
) -> Result<(Vec<RawFile<'a>>, bool), Malformed> {
    let v1 = match version {
        Version::V2 => None,
        Version::V1 | Version::Hybrid => Some(files::v1(info, name, input_bytes)?),
    };
    let v2 = match version {
        Version::V1 => None,
        Version::V2 | Version::Hybrid => Some(files::v2(info, input_bytes)?),
    };
    match (v1, v2) {
        (Some((v1, single)), None) => Ok((v1, single)),
        (Some((v1, single)), Some(v2)) => files::agree(&v1, &v2).map(|()| (v1, single)),
        (None, v2) => {
            let v2 = v2.unwrap_or_default();
            let single = matches!(&v2[..], [file] if file.path == [name]);
            Ok((v2, single))
        }
    }
}

fn payload_size(files: &[RawFile<'_>]) -> Result<u64, Malformed> {
    let sum = files.iter().try_fold(0u64, |sum, file| sum.checked_add(file.length));
    sum.filter(|sum| i64::try_from(*sum).is_ok())
        .ok_or_else(|| Malformed::new("the files' lengths add up to more than 64 bits hold"))
}

/// Where in the info dictionary's bytes the hashes are.
fn pieces(info: Dict<'_, '_>, payload: u64, piece_length: u64) -> Result<Range<usize>, Malformed> {
    let value = info.get("pieces").ok_or_else(|| missing("pieces", "the pieces' SHA-1 hashes"))?;
    let hashes = value.as_bytes().ok_or_else(|| value.fault("`pieces`", "a string"))?;
    let expected = payload.div_ceil(piece_length);
    let whole = hashes.len().is_multiple_of(InfoHash::LEN);
    if !whole || (hashes.len() / InfoHash::LEN) as u64 != expected {
        return Err(Malformed::new(format!(
            "`pieces` is {} bytes long: {payload} bytes in pieces of {piece_length} need {expected} hashes of 20",
            hashes.len()
        )));
    }
    let end = value.offset() + value.raw().len() - info.value().offset();
    Ok(end - hashes.len()..end)
}

fn text(dict: Dict<'_, '_>, key: &str) -> Option<String> {
    dict.get(key).and_then(|value| value.as_bytes()).map(lossy)
}

/// BEP 19: one address, or a list of them. An empty one is none.
fn web_seeds(outer: Dict<'_, '_>) -> Result<Vec<String>, Malformed> {
    let Some(value) = outer.get("url-list") else { return Ok(Vec::new()) };
    let many = value.as_list().into_iter().flat_map(|list| list.iter().filter_map(|item| item.as_bytes()));
    let seeds: Vec<_> =
        value.as_bytes().into_iter().chain(many).filter(|url| !url.is_empty()).map(lossy).collect();
    if seeds.len() > WEB_SEEDS_MAX {
        return Err(Malformed::new(format!(
            "{} web seeds are too many: {WEB_SEEDS_MAX} at most",
            seeds.len()
        )));
    }
    Ok(seeds)
}

pub(super) fn missing(key: &str, expected: &str) -> Malformed {
    Malformed::new(format!("the torrent's `info` has no `{key}`: {expected} is expected"))
}
