use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use swarm::InfoHash;

/// Why something could not be done with a torrent's files. It prints as a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What was tried.
    pub doing: Doing,
    /// With which file or folder.
    pub path: PathBuf,
    /// What came of it.
    pub cause: Cause,
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// To find or open it.
    Open,
    /// To read from it.
    Read,
    /// To write to it, or to make it.
    Write,
    /// To give it its own name.
    Name,
    /// To keep the state of a download.
    Save,
    /// To choose among its files.
    Choose,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// There is no room, or the person's share of it is used up.
    Full,
    /// It is not allowed, or the file system cannot be written.
    Denied,
    /// It is not there.
    Missing,
    /// It ends before the torrent's file does.
    Short,
    /// It is not what it was when it was verified.
    Changed,
    /// It is a symbolic link, which is not followed.
    Symlink,
    /// The file system has no names that long.
    NameTooLong,
    /// Something else has that name.
    InTheWay,
    /// Another torrent, or the same once more, writes there.
    Claimed(InfoHash),
    /// Another process fetches the same torrent into the same folder.
    Locked,
    /// The torrent cannot be kept on a disk.
    Unfit(String),
    /// The caller no longer wants it.
    Cancelled,
    /// Whatever else the system says.
    System(io::ErrorKind, String),
}

impl Problem {
    pub(super) fn new(doing: Doing, path: impl Into<PathBuf>, cause: Cause) -> Self {
        Self { doing, path: path.into(), cause }
    }

    pub(super) fn io(doing: Doing, path: &Path, error: &io::Error) -> Self {
        let cause = match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::DQUOT) => Cause::Full,
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Cause::Denied,
            Some(Errno::NOENT) => Cause::Missing,
            Some(Errno::NAMETOOLONG) => Cause::NameTooLong,
            Some(Errno::LOOP) => Cause::Symlink,
            Some(Errno::EXIST | Errno::ISDIR | Errno::NOTDIR) => Cause::InTheWay,
            _ if error.kind() == io::ErrorKind::UnexpectedEof => Cause::Short,
            _ => Cause::System(error.kind(), error.to_string()),
        };
        Self::new(doing, path, cause)
    }

    pub(super) fn errno(doing: Doing, path: &Path, error: Errno) -> Self {
        Self::io(doing, path, &error.into())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = match self.doing {
            Doing::Open => "open",
            Doing::Read => "read",
            Doing::Write => "write",
            Doing::Name => "give its name to",
            Doing::Save => "save",
            Doing::Choose => "choose from",
        };
        if let (Doing::Choose, Cause::Unfit(why)) = (self.doing, &self.cause) {
            return f.write_str(why);
        }
        write!(f, "cannot {doing} `{}`: ", self.path.display())?;
        match &self.cause {
            Cause::Full => f.write_str("the disk is full; free some space and resume"),
            Cause::Denied => f.write_str("permission denied"),
            Cause::Missing => f.write_str("it is not there"),
            Cause::Short => f.write_str("it is shorter than in the torrent"),
            Cause::Changed => f.write_str("it has changed since it was verified; check it again"),
            Cause::Symlink => f.write_str("it is a symbolic link, which is not followed"),
            Cause::NameTooLong => f.write_str("the name is too long for this file system"),
            Cause::InTheWay => {
                f.write_str("something else has that name; move it away or choose another folder")
            }
            Cause::Claimed(hash) => {
                write!(f, "the torrent {hash} is written there already; choose another folder")
            }
            Cause::Locked => f.write_str("another process is fetching the same torrent into this folder"),
            Cause::Unfit(why) => f.write_str(why),
            Cause::Cancelled => f.write_str("cancelled"),
            Cause::System(_, message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_sentences() {
        let says = |errno| Problem::errno(Doing::Write, Path::new("/x/a b"), errno).to_string();
        for (errno, sentence) in [
            (Errno::NOSPC, "the disk is full; free some space and resume"),
            (Errno::DQUOT, "the disk is full; free some space and resume"),
            (Errno::ACCESS, "permission denied"),
            (Errno::ROFS, "permission denied"),
            (Errno::NOENT, "it is not there"),
            (Errno::NAMETOOLONG, "the name is too long for this file system"),
            (Errno::IO, "Input/output error (os error 5)"),
        ] {
            assert_eq!(says(errno), format!("cannot write `/x/a b`: {sentence}"));
        }
    }
}
