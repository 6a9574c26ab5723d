//! The files of torrents: where they are, what of them is there, and threads that read, write and hash.
//!
//! A [`Disk`] serves all torrents with a few threads, a bounded number of open files and bounded memory. A torrent is
//! opened with [`Disk::open`], and checked; then blocks are read and written and pieces verified without waiting, and a
//! [`Sink`] is told what came of it.

mod assembly;
mod budget;
mod buffers;
mod check;
mod claims;
mod files;
mod layout;
mod pieces;
mod place;
mod pool;
mod problem;
mod reader;
mod resume;
mod storage;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;

use bytes::Bytes;

pub use budget::{Budget, Room};
pub use check::{Checked, Progress};
pub use layout::{Layout, Span, Unfit};
pub use pieces::Pieces;
pub(crate) use place::rename_to_free;
pub use place::{Identity, Place};
pub use pool::Disk;
pub use problem::{Cause, Doing, Problem};
pub use resume::{knows, prepare_state_dir, remember, replace_state};
pub use storage::Storage;

/// How much of the machine a [`Disk`] takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Files kept open.
    pub open_files_max: usize,
    /// Threads that read.
    pub readers: usize,
    /// Threads that write and hash.
    pub writers: usize,
    /// Bytes that may have come and not be written.
    pub incoming_bytes_max: u32,
    /// Bytes that may have been read and not be sent.
    pub outgoing_bytes_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            open_files_max: 128,
            readers: 2,
            writers: 2,
            incoming_bytes_max: 8 << 20,
            outgoing_bytes_max: 4 << 20,
        }
    }
}

/// What came of something that was asked of a [`Storage`].
#[derive(Debug)]
pub enum Done {
    /// [`Storage::read`].
    Read {
        /// What the caller called it.
        tag: u64,
        /// The bytes that were asked for, in a buffer of their own.
        data: Result<Bytes, Problem>,
    },
    /// [`Storage::write`].
    Written {
        /// Which piece.
        piece: u32,
        /// Where in the piece.
        begin: u32,
        /// How much, in bytes.
        bytes: u32,
        /// Whether it is in the file. If not, verifying the piece fails too; once the cause is removed,
        /// [`Storage::check`] says what is there.
        outcome: Result<(), Problem>,
    },
    /// [`Storage::verify`].
    Hashed {
        /// Which piece.
        piece: u32,
        /// Whether it has the right hash. An error means that it is not known, and that no peer is to blame.
        good: Result<bool, Problem>,
    },
    /// A file is complete, and has got its own name, or should have.
    Named {
        /// Its place in [`Layout::files`].
        file: usize,
        /// Where it is now.
        outcome: Result<PathBuf, Problem>,
    },
}

/// Who is told what a torrent's requests came to. It is called on the disk's threads, and must not wait.
pub trait Sink: Send + Sync + 'static {
    /// Takes one outcome.
    fn done(&self, done: Done);
}

impl<F: Fn(Done) + Send + Sync + 'static> Sink for F {
    fn done(&self, done: Done) {
        self(done);
    }
}

/// How much is read at once from a file that is hashed, in bytes.
const READ_BACK_BYTES: usize = 256 << 10;
