use super::NewTorrent;

/// How much the catalogue takes. Sizes in bytes of UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a .torrent file.
    pub metainfo_bytes_max: usize,
    /// Bytes of a name.
    pub name_bytes_max: usize,
    /// Bytes of a comment.
    pub comment_bytes_max: usize,
    /// Bytes of the name of the program that made a torrent.
    pub created_by_bytes_max: usize,
    /// Files of a torrent.
    pub files_max: usize,
    /// Bytes of a file's path.
    pub path_bytes_max: usize,
    /// Bytes of all paths of a torrent together.
    pub paths_bytes_max: usize,
    /// Torrents that one address may have in the catalogue; `None` for any number.
    pub torrents_per_address: Option<u32>,
    /// Bytes of additions that wait to be written; more are refused as [`Busy`](super::AddError::Busy).
    pub queue_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            metainfo_bytes_max: 10 << 20,
            name_bytes_max: 1 << 10,
            comment_bytes_max: 4 << 10,
            created_by_bytes_max: 1 << 10,
            files_max: 100_000,
            path_bytes_max: 4 << 10,
            paths_bytes_max: 10 << 20,
            torrents_per_address: Some(1_000),
            queue_bytes_max: 64 << 20,
        }
    }
}

/// Something is more than the catalogue takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} has {found} {unit}: at most {max} are taken")]
pub struct TooLarge {
    what: &'static str,
    unit: &'static str,
    found: u64,
    max: u64,
}

impl Limits {
    /// Checks that `torrent` is within the limits; gives the bytes of memory it takes, roughly.
    pub(super) fn check(&self, torrent: &NewTorrent) -> Result<usize, TooLarge> {
        let metainfo = torrent.metainfo.as_ref().map_or(0, Vec::len);
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let longest = torrent.files.iter().map(|file| file.path.len()).max().unwrap_or(0);
        let paths: usize = torrent.files.iter().map(|file| file.path.len()).sum();
        bytes("the .torrent file", metainfo, self.metainfo_bytes_max)?;
        bytes("the name", torrent.name.len(), self.name_bytes_max)?;
        bytes("the comment", text(&torrent.comment), self.comment_bytes_max)?;
        bytes("`created by`", text(&torrent.created_by), self.created_by_bytes_max)?;
        at_most("the torrent", "files", torrent.files.len() as u64, self.files_max as u64)?;
        bytes("the longest path", longest, self.path_bytes_max)?;
        bytes("the list of paths", paths, self.paths_bytes_max)?;

        // A store's numbers are signed.
        let number_max = i64::MAX.unsigned_abs();
        at_most("the torrent", "bytes", torrent.size.unwrap_or(0), number_max)?;
        at_most("a piece", "bytes", torrent.piece_length.unwrap_or(0), number_max)?;
        let largest = torrent.files.iter().map(|file| file.length).max().unwrap_or(0);
        at_most("a file", "bytes", largest, number_max)?;
        Ok(metainfo + paths + size_of_val(torrent.files.as_slice()))
    }
}

fn bytes(what: &'static str, found: usize, max: usize) -> Result<(), TooLarge> {
    at_most(what, "bytes", found as u64, max as u64)
}

fn at_most(what: &'static str, unit: &'static str, found: u64, max: u64) -> Result<(), TooLarge> {
    if found > max { Err(TooLarge { what, unit, found, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use swarm::InfoHash;

    use super::super::TorrentFile;
    use super::*;

    #[test]
    fn each_limit_is_named_where_it_is_passed() {
        let plain = NewTorrent::named(InfoHash([1; 20]), "plain");
        let file = |path: &str, length| TorrentFile { path: path.into(), length };
        let too_large = |torrent: NewTorrent| Limits::default().check(&torrent).unwrap_err().to_string();
        let cases = [
            (
                NewTorrent { metainfo: Some(vec![0; 10_485_761]), ..plain.clone() },
                "the .torrent file has 10485761 bytes",
            ),
            (
                NewTorrent { name: "é".repeat(513), ..plain.clone() },
                "the name has 1026 bytes: at most 1024 are taken",
            ),
            (NewTorrent { comment: Some("c".repeat(4097)), ..plain.clone() }, "the comment has 4097 bytes"),
            (
                NewTorrent { created_by: Some("c".repeat(1025)), ..plain.clone() },
                "`created by` has 1025 bytes",
            ),
            (
                NewTorrent { files: vec![file("f", 0); 100_001], ..plain.clone() },
                "the torrent has 100001 files",
            ),
            (
                NewTorrent { files: vec![file(&"f".repeat(4097), 0)], ..plain.clone() },
                "the longest path has 4097 bytes",
            ),
            (
                NewTorrent { files: vec![file(&"f".repeat(4096), 0); 2561], ..plain.clone() },
                "the list of paths has",
            ),
            (
                NewTorrent { size: Some(1 << 63), ..plain.clone() },
                "the torrent has 9223372036854775808 bytes",
            ),
            (
                NewTorrent { piece_length: Some(u64::MAX), ..plain.clone() },
                "a piece has 18446744073709551615 bytes",
            ),
            (
                NewTorrent { files: vec![file("f", u64::MAX)], ..plain.clone() },
                "a file has 18446744073709551615",
            ),
        ];
        for (torrent, expected) in cases {
            let message = too_large(torrent);
            assert!(message.starts_with(expected), "{message}");
        }
        assert!(Limits::default().check(&plain).is_ok());
    }
}
