//! What is known of torrents' files from the last time, so that they need not all be hashed again.
//!
//! One file a torrent and place, replaced as a whole: a magic line, the info hash, the number of pieces and of files, the
//! bitfields of the pieces that are there and of those that were begun, 33 bytes a file, and the SHA-1 of all that. What
//! is wrong in any way is as good as nothing: everything is hashed.
//!
//! A record is believed of a file only if that still is what it was to the nanosecond ([`Identity`]). So processes may
//! share a folder of records: the worst that one can do to another is to make it hash again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha1::{Digest, Sha1};
use wire::metainfo::Metainfo;

use super::place::{Identity, Place, Site, Standing};
use super::problem::{Cause, Doing, Problem};
use super::{Layout, Pieces};

const MAGIC: &[u8] = b"skep resume 1\n";

/// The bytes of a file's record.
const FILE_BYTES: usize = 33;

const HASH_BYTES: usize = 20;

/// How long what nobody has saved again is kept.
const AGE_MAX: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// How long what a process that died has begun to write is kept.
const BEGUN_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What was good when it was saved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) have: Pieces,
    /// Pieces of which something was written: they may have become complete since, without a change of their files.
    pub(super) begun: Pieces,
    /// Under which name each file was, and what it was then.
    pub(super) files: Vec<(Standing, Option<Identity>)>,
}

/// Makes a folder for what is kept between runs, unless it is there, and removes what nobody has used for long.
///
/// # Errors
/// The system's.
pub fn prepare_state_dir(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for entry in fs::read_dir(folder)?.filter_map(Result::ok) {
        let Ok(metadata) = entry.metadata() else { continue };
        let age = metadata.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
        let age_max = match entry.path().extension().map(OsStrExt::as_bytes) {
            Some(b"resume" | b"made") => AGE_MAX,
            Some(b"new") => BEGUN_AGE_MAX,
            _ => continue,
        };
        if metadata.is_file() && age.is_some_and(|age| age > age_max) {
            tracing::debug!(path = %entry.path().display(), "nobody has used this for long");
            // Another process may have been faster.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Replaces a file of the state directory as a whole.
///
/// # Errors
/// The system's; then it is as before.
pub fn replace_state(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    // Another process may be writing the same.
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let written = File::create(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path))
        // The new name is on disk when the folder is.
        .and_then(|()| File::open(path.parent().unwrap_or(path))?.sync_all());
    written.map_err(|error| {
        // It may never have come to be.
        let _ = fs::remove_file(&beside);
        Problem::io(Doing::Save, path, &error)
    })
}

/// Notes that all of a torrent was just read from these files, for a later check. They are in its order, padding left out.
///
/// # Errors
/// The system's.
pub fn remember(
    state_dir: &Path,
    torrent: &Arc<Metainfo>,
    place: &Place,
    files: &[Identity],
) -> Result<(), Problem> {
    let layout = Layout::new(torrent.clone())
        .map_err(|why| Problem::new(Doing::Save, state_dir, Cause::Unfit(why.to_string())))?;
    let mut have = Pieces::none(layout.pieces());
    for piece in 0..layout.pieces() {
        have.insert(piece);
    }
    let mut files = files.iter().copied();
    let all = (0..layout.files().len()).map(|file| match layout.is_stored(file) {
        true => (Standing::Own, files.next()),
        false => (Standing::Absent, None),
    });
    let saved = Saved { have, begun: Pieces::none(layout.pieces()), files: all.collect() };
    save(state_dir, &layout, place, &saved)
}

/// Whether all of a torrent is known to be there, without reading it.
#[must_use]
pub fn knows(state_dir: &Path, torrent: &Arc<Metainfo>, place: &Place) -> bool {
    let Ok(layout) = Layout::new(torrent.clone()) else { return false };
    let Some(saved) = load(state_dir, &layout, place) else { return false };
    let site = Site::new(place.clone(), layout);
    let mut files = saved.files.iter().enumerate().filter(|(file, _)| site.layout().is_stored(*file));
    saved.have.is_full()
        && files.all(|(file, (standing, before))| {
            *standing == Standing::Own && before.is_some() && site.look(file, Standing::Own) == Ok(*before)
        })
}

/// Replaces the state of a torrent.
pub(super) fn save(folder: &Path, layout: &Layout, place: &Place, saved: &Saved) -> Result<(), Problem> {
    replace_state(&path(folder, layout, place), &encode(layout, saved))
}

/// The state of a torrent, if there is one and it is whole.
pub(super) fn load(folder: &Path, layout: &Layout, place: &Place) -> Option<Saved> {
    let path = path(folder, layout, place);
    // What is longer than it can be is not read.
    let bytes_max = fs::metadata(&path).ok()?.len();
    if bytes_max != encoded_bytes(layout) as u64 {
        return None;
    }
    decode(&fs::read(&path).ok()?, layout)
}

fn path(folder: &Path, layout: &Layout, place: &Place) -> PathBuf {
    let (kind, path) = match place {
        Place::Download(path) => (0, path),
        Place::Source(path) => (1, path),
    };
    let path = path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.clone());
    let mut hasher = Sha1::new_with_prefix([kind]);
    hasher.update(path.as_os_str().as_bytes());
    let [a, b, c, d, ..] = <[u8; HASH_BYTES]>::from(hasher.finalize());
    folder.join(format!("{}-{a:02x}{b:02x}{c:02x}{d:02x}.resume", layout.info_hash()))
}

fn encoded_bytes(layout: &Layout) -> usize {
    let bitfield = layout.pieces().div_ceil(8) as usize;
    MAGIC.len() + HASH_BYTES + 4 + 4 + 2 * bitfield + FILE_BYTES * layout.files().len() + HASH_BYTES
}

fn encode(layout: &Layout, saved: &Saved) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded_bytes(layout));
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(layout.info_hash().as_bytes());
    out.extend_from_slice(&layout.pieces().to_le_bytes());
    out.extend_from_slice(&file_count(layout).to_le_bytes());
    out.extend_from_slice(saved.have.as_bytes());
    out.extend_from_slice(saved.begun.as_bytes());
    for &(standing, identity) in &saved.files {
        let standing = match (standing, identity) {
            (Standing::Part, Some(_)) => 1,
            (Standing::Own, Some(_)) => 2,
            (Standing::Absent, _) | (_, None) => 0,
        };
        let known = identity.filter(|_| standing > 0);
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
