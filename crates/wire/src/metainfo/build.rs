use super::trackers;
use crate::bencode::{DictWriter, put_bytes, put_dict, put_list, put_uint};

/// A new version 1 torrent (BEP 3). What is empty or `None` is not written.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    /// The name of the file or folder.
    pub name: String,
    /// What is shared.
    pub content: Content,
    /// Bytes in a piece.
    pub piece_length: u64,
    /// The SHA-1 of every piece, 20 bytes each.
    pub pieces: Vec<u8>,
    /// Whether peers may be learned from the torrent's own trackers only (BEP 27).
    pub private: bool,
    /// Sets a private tracker's copy apart: another source is another info hash.
    pub source: Option<String>,
    /// A remark.
    pub comment: Option<String>,
    /// The program that makes it.
    pub created_by: Option<String>,
    /// Now, in Unix seconds.
    pub creation_date: Option<i64>,
    /// Trackers in their tiers (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// Addresses that serve the same files (BEP 19).
    pub web_seeds: Vec<String>,
}

/// What a torrent shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// One file of so many bytes.
    File(u64),
    /// A folder: the path below it, and the length in bytes, of each file, in the order of the pieces.
    Folder(Vec<(Vec<String>, u64)>),
}

impl Default for Content {
    fn default() -> Self {
        Self::File(0)
    }
}

impl Builder {
    /// Appends the torrent file to `out`. The same torrent always gives the same bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (announce, announce_list) = trackers::encoded(&self.trackers);
        put_dict(out, |outer| {
            if let Some(announce) = &announce {
                outer.key(b"announce").extend_from_slice(announce);
            }
            if let Some(list) = &announce_list {
                outer.key(b"announce-list").extend_from_slice(list);
            }
            text(outer, "comment", self.comment.as_deref());
            text(outer, "created by", self.created_by.as_deref());
            if let Some(date) = self.creation_date {
                outer.int("creation date", date);
            }
            outer.dict("info", |info| self.info(info));
            if !self.web_seeds.is_empty() {
                outer.list("url-list", |out| {
                    self.web_seeds.iter().for_each(|url| put_bytes(out, url.as_bytes()));
                });
            }
        });
    }

    fn info(&self, info: &mut DictWriter<'_>) {
        match &self.content {
            Content::Folder(files) => {
                info.list("files", |out| files.iter().for_each(|file| put_file(out, file)));
            }
            Content::File(length) => put_uint(info.key(b"length"), *length),
        }
        info.bytes("name", self.name.as_bytes());
        info.uint("piece length", self.piece_length);
        info.bytes("pieces", &self.pieces);
        if self.private {
            info.int("private", 1);
        }
        text(info, "source", self.source.as_deref());
    }
}

fn put_file(out: &mut Vec<u8>, (path, length): &(Vec<String>, u64)) {
    put_dict(out, |file| {
        file.uint("length", *length);
        put_list(file.key(b"path"), |out| path.iter().for_each(|part| put_bytes(out, part.as_bytes())));
    });
}

fn text(dict: &mut DictWriter<'_>, key: &str, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        dict.bytes(key, text.as_bytes());
    }
}
