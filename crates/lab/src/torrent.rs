//! Files to share and their .torrent files, made without any of the code under test.

use std::fs;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

/// Bytes that are the same on every run and do not repeat.
#[must_use]
pub fn content(seed: u64, len: usize) -> Vec<u8> {
    // SplitMix64: short, and good enough for what is only to be different everywhere.
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A torrent (BEP 3).
#[derive(Debug, Clone)]
pub struct Torrent {
    /// The .torrent file.
    pub bytes: Vec<u8>,
    /// The info hash in 40 hexadecimal digits.
    pub info_hash: String,
    /// The name of its file or folder.
    pub name: String,
}

impl Torrent {
    /// The torrent of a file called `name` with these bytes, announced at `tracker`.
    ///
    /// A `private` one (BEP 27) is shared with nobody but who the tracker names.
    #[must_use]
    pub fn new(name: &str, content: &[u8], piece_length: usize, tracker: &str, private: bool) -> Self {
        let length = format!("6:lengthi{}e", content.len());
        Self::of(name, length.as_bytes(), content, piece_length, tracker, private)
    }

    /// The torrent of a folder called `name`. What the paths consist of is written as it is, be it as hostile as may be.
    #[must_use]
    pub fn folder(
        name: &str,
        files: &[(Vec<&str>, Vec<u8>)],
        piece_length: usize,
        tracker: &str,
        private: bool,
    ) -> Self {
        let mut list = b"5:filesl".to_vec();
        let mut content = Vec::new();
        for (path, bytes) in files {
            let path: String = path.iter().map(|part| text(part)).collect();
            list.extend_from_slice(format!("d6:lengthi{}e4:pathl{path}ee", bytes.len()).as_bytes());
            content.extend_from_slice(bytes);
        }
        list.push(b'e');
        Self::of(name, &list, &content, piece_length, tracker, private)
    }

    /// `files`: the key, `files` or `length`, and its value; either stands before the name.
    fn of(
        name: &str,
        files: &[u8],
        content: &[u8],
        piece_length: usize,
        tracker: &str,
        private: bool,
    ) -> Self {
        let pieces: Vec<u8> = content.chunks(piece_length).flat_map(Sha1::digest).collect();
        let rest = format!("4:name{}12:piece lengthi{piece_length}e6:pieces{}:", text(name), pieces.len());
        let private: &[u8] = if private { b"7:privatei1ee" } else { b"e" };
        let info = [b"d", files, rest.as_bytes(), &pieces, private].concat();
        let info_hash = Sha1::digest(&info).iter().map(|byte| format!("{byte:02x}")).collect();
        let announce = format!("d8:announce{}4:info", text(tracker));
        let bytes = [announce.as_bytes(), &info, b"e"].concat();
        Self { bytes, info_hash, name: name.to_owned() }
    }

    /// The magnet link (BEP 9) that names `tracker`.
    #[must_use]
    pub fn magnet(&self, tracker: &str) -> String {
        let tracker: String = tracker.bytes().map(|byte| format!("%{byte:02x}")).collect();
        format!("magnet:?xt=urn:btih:{}&tr={tracker}", self.info_hash)
    }

    /// Writes the .torrent file into `folder`: its path.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn save(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{}.torrent", self.name));
        fs::write(&path, &self.bytes)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// The info hash's 20 bytes as they stand in an announce's query, every one of them escaped.
    #[must_use]
    pub fn escaped_hash(&self) -> String {
        self.info_hash
            .as_bytes()
            .chunks(2)
            .map(|pair| format!("%{}", String::from_utf8_lossy(pair)))
            .collect()
    }
}

/// A string, bencoded.
fn text(text: &str) -> String {
    format!("{}:{text}", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrent_is_bencoded_as_bep_3_says() {
        let torrent = Torrent::new("a", b"abc", 16384, "http://t/announce", true);
        let pieces = b"\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d";
        let expected = [
            b"d8:announce17:http://t/announce4:infod6:lengthi3e4:name1:a12:piece lengthi16384e6:pieces20:",
            &pieces[..],
            b"7:privatei1eee",
        ];
        assert_eq!(torrent.bytes, expected.concat());
        assert_eq!(torrent.escaped_hash().len(), 60);
    }

    #[test]
    fn a_folder_lists_its_files_before_its_name() {
        let files = [(vec!["a", "b"], b"ab".to_vec()), (vec!["c"], b"c".to_vec())];
        let torrent = Torrent::folder("f", &files, 16384, "http://t/announce", false);
        let pieces = b"\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d";
        let expected = [
            b"d8:announce17:http://t/announce4:infod5:filesl",
            &b"d6:lengthi2e4:pathl1:a1:bee"[..],
            b"d6:lengthi1e4:pathl1:cee",
            b"e4:name1:f12:piece lengthi16384e6:pieces20:",
            pieces,
            b"ee",
        ];
        assert_eq!(torrent.bytes, expected.concat());
        let magnet = format!("magnet:?xt=urn:btih:{}&tr=%75%3a%2f", torrent.info_hash);
        assert_eq!(torrent.magnet("u:/"), magnet);
    }

    #[test]
    fn content_is_as_long_as_asked_and_differs_by_seed() {
        assert_eq!(content(1, 13).len(), 13);
        assert_eq!(content(1, 13), content(1, 64)[..13]);
        assert_ne!(content(1, 13), content(2, 13));
    }
}
