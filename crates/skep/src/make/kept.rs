//! Hashes that were taken before.
//!
//! One file for each set of paths, replaced as a whole: a magic line, the SHA-1 of what the files were (their names in
//! the torrent, lengths, inodes and times, and the piece length), the hash of every piece, and the SHA-1 of all that.
//! What does not fit in any way is as good as nothing.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use super::walk::Source;

const MAGIC: &[u8] = b"skep hashes 1\n";

const HASH_BYTES: usize = 20;

/// Where the hashes of some files are kept, and what the files are now.
pub(super) struct Kept {
    path: PathBuf,
    print: [u8; HASH_BYTES],
    pieces_bytes: usize,
}

impl Kept {
    pub(super) fn new(folder: &Path, paths: &[PathBuf], files: &[Source], piece_length: u64) -> Self {
        let mut key = Sha1::new_with_prefix(piece_length.to_le_bytes());
        for path in paths {
            let path = path.canonicalize().unwrap_or_else(|_| path.clone());
            key.update(path.as_os_str().as_bytes());
            key.update([0]);
        }
        let key: String = key.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut print = Sha1::new_with_prefix(piece_length.to_le_bytes());
        let mut size = 0_u64;
        for Source { names, identity, .. } in files {
            for name in names {
                print.update(name);
                print.update([0]);
            }
            print.update(b"/");
            print.update(identity.bytes.to_le_bytes());
            print.update(identity.inode.to_le_bytes());
            print.update(identity.modified_ns.to_le_bytes());
            print.update(identity.changed_ns.to_le_bytes());
            size = size.saturating_add(identity.bytes);
        }
        let pieces = usize::try_from(size.div_ceil(piece_length)).unwrap_or(usize::MAX);
        Self {
            path: folder.join(format!("{key}.made")),
            print: print.finalize().into(),
            pieces_bytes: pieces.saturating_mul(HASH_BYTES),
        }
    }

    /// The hashes of all pieces, if they were taken of these very files.
    pub(super) fn find(&self) -> Option<Vec<u8>> {
        let bytes = (MAGIC.len() + 2 * HASH_BYTES).checked_add(self.pieces_bytes)?;
        // What is longer than it can be is not read.
        if fs::metadata(&self.path).ok()?.len() != bytes as u64 {
            return None;
        }
        let kept = fs::read(&self.path).ok()?;
        let (body, hash) = kept.split_at_checked(kept.len().checked_sub(HASH_BYTES)?)?;
        if Sha1::digest(body)[..] != *hash {
            return None;
        }
        body.strip_prefix(MAGIC)?.strip_prefix(&self.print).map(<[u8]>::to_vec)
    }

    /// Keeps them for the next time. If that fails, they are taken again then.
    pub(super) fn keep(&self, pieces: &[u8]) {
        let mut bytes = [MAGIC, &self.print, pieces].concat();
        let hash = Sha1::digest(&bytes);
        bytes.extend_from_slice(&hash);
        if let Err(problem) = peer::disk::replace_state(&self.path, &bytes) {
            tracing::warn!(%problem, "what was hashed will be hashed again at the next start");
        }
    }
}
