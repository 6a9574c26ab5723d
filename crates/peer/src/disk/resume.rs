//! What is known of a torrent's files from the last time, so that they need not all be hashed again.
//!
//! One file a torrent, replaced as a whole: a magic line, the info hash, the number of pieces and of files, the bitfields
//! of the pieces that are there and of those that were begun, 33 bytes a file, and the SHA-1 of all that. What is wrong in any way is as good as nothing: everything is hashed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use super::place::{Identity, Standing};
use super::storage::FileState;
use super::{Layout, Pieces};

const MAGIC: &[u8] = b"skep resume 1\n";

/// The bytes of a file's record.
const FILE_BYTES: usize = 33;

const HASH_BYTES: usize = 20;

/// What was good when it was saved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) have: Pieces,
    /// Pieces of which something was written: they may have become complete since, without a change of their files.
    pub(super) begun: Pieces,
    /// Under which name each file was, and what it was then.
    pub(super) files: Vec<(Standing, Option<Identity>)>,
}

/// Replaces the state of a torrent.
pub(super) fn save(
    folder: &Path,
    layout: &Layout,
    have: &Pieces,
    begun: &Pieces,
    files: &[FileState],
) -> io::Result<()> {
    let path = path(folder, layout);
    let beside = path.with_extension("resume.new");
    let written = File::create(&beside)
        .and_then(|mut file| {
            file.write_all(&encode(layout, have, begun, files))?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, &path))
        // The new name is on disk when the folder is.
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        // It may never have come to be.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// The state of a torrent, if there is one and it is whole.
pub(super) fn load(folder: &Path, layout: &Layout) -> Option<Saved> {
    let path = path(folder, layout);
    // What is longer than it can be is not read.
    let bytes_max = fs::metadata(&path).ok()?.len();
    if bytes_max != encoded_bytes(layout) as u64 {
        return None;
    }
    decode(&fs::read(&path).ok()?, layout)
}

fn path(folder: &Path, layout: &Layout) -> PathBuf {
    folder.join(format!("{}.resume", layout.info_hash()))
}

fn encoded_bytes(layout: &Layout) -> usize {
    let bitfield = layout.pieces().div_ceil(8) as usize;
    MAGIC.len() + HASH_BYTES + 4 + 4 + 2 * bitfield + FILE_BYTES * layout.files().len() + HASH_BYTES
}

fn encode(layout: &Layout, have: &Pieces, begun: &Pieces, files: &[FileState]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded_bytes(layout));
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(layout.info_hash().as_bytes());
    out.extend_from_slice(&layout.pieces().to_le_bytes());
    out.extend_from_slice(&file_count(layout).to_le_bytes());
    out.extend_from_slice(have.as_bytes());
    out.extend_from_slice(begun.as_bytes());
    for file in files {
        let standing = match (file.standing, file.identity) {
            (Standing::Part, Some(_)) => 1,
            (Standing::Own, Some(_)) => 2,
            (Standing::Absent, _) | (_, None) => 0,
        };
        let known = file.identity.filter(|_| standing > 0);
        let identity = known.unwrap_or(Identity { bytes: 0, inode: 0, modified_ns: 0, changed_ns: 0 });
        out.push(standing);
        out.extend_from_slice(&identity.bytes.to_le_bytes());
        out.extend_from_slice(&identity.inode.to_le_bytes());
        out.extend_from_slice(&identity.modified_ns.to_le_bytes());
        out.extend_from_slice(&identity.changed_ns.to_le_bytes());
    }
    let hash = Sha1::digest(&out);
    out.extend_from_slice(&hash);
    out
}

fn decode(bytes: &[u8], layout: &Layout) -> Option<Saved> {
    let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH_BYTES)?)?;
    if Sha1::digest(body)[..] != *hash {
        return None;
    }
    let body = body.strip_prefix(MAGIC)?.strip_prefix(layout.info_hash().as_bytes())?;
    let body = body.strip_prefix(&layout.pieces().to_le_bytes())?;
    let body = body.strip_prefix(&file_count(layout).to_le_bytes())?;
    let bitfield_bytes = layout.pieces().div_ceil(8) as usize;
    let (have, body) = body.split_at_checked(bitfield_bytes)?;
    let (begun, body) = body.split_at_checked(bitfield_bytes)?;
    let bitfield = |bytes| Pieces::from_bytes(bytes, layout.pieces());
    let (records, rest) = body.as_chunks::<FILE_BYTES>();
    if records.len() != layout.files().len() || !rest.is_empty() {
        return None;
    }
    let files = records.iter().map(record).collect::<Option<_>>()?;
    Some(Saved { have: bitfield(have)?, begun: bitfield(begun)?, files })
}

fn record(bytes: &[u8; FILE_BYTES]) -> Option<(Standing, Option<Identity>)> {
    let (standing, numbers) = bytes.split_first()?;
    let [bytes, inode, modified, changed] = numbers.as_chunks::<8>().0 else { return None };
    let identity = Identity {
        bytes: u64::from_le_bytes(*bytes),
        inode: u64::from_le_bytes(*inode),
        modified_ns: i64::from_le_bytes(*modified),
        changed_ns: i64::from_le_bytes(*changed),
    };
    match standing {
        0 => Some((Standing::Absent, None)),
        1 => Some((Standing::Part, Some(identity))),
        2 => Some((Standing::Own, Some(identity))),
        _ => None,
    }
}

/// Torrents have at most a million files.
fn file_count(layout: &Layout) -> u32 {
    u32::try_from(layout.files().len()).unwrap_or(u32::MAX)
}
