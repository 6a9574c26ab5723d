//! Which bytes of the payload are where on the server.

use std::ops::Range;
use std::sync::Arc;

use reqwest::Url;
use wire::metainfo::Metainfo;

use super::raw::RawNames;
use crate::announce::words;
use crate::percent::percent;

/// Where a torrent's files begin in its payload; one for all its web seeds.
#[derive(Debug)]
pub struct Layout {
    metainfo: Arc<Metainfo>,
    /// The first byte of each file, and the end of the last.
    starts: Vec<u64>,
    raw: RawNames,
}

/// A part of a range that lies in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// `None` of padding; `Some(None)` if the torrent is a single file. As the torrent has it, not as it is on disk.
    pub(super) path: Option<Option<Vec<Vec<u8>>>>,
    /// First byte within the file.
    pub(super) begin: u64,
    /// Bytes, at least one.
    pub(super) length: u64,
    /// Bytes of the whole file.
    pub(super) file_length: u64,
}

/// The address of a web seed as the torrent gives it.
#[derive(Debug, Clone)]
pub(super) struct Base(Url);

/// The address of a web seed that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` is no web seed's address: {why}")]
pub struct UrlError {
    url: String,
    why: String,
}

impl Layout {
    /// The layout of `metainfo`'s payload.
    #[must_use]
    pub fn new(metainfo: Arc<Metainfo>) -> Self {
        let mut end = 0;
        let ends = metainfo.files().iter().map(|file| {
            end += file.length;
            end
        });
        let starts = std::iter::once(0).chain(ends).collect();
        let raw = RawNames::of(&metainfo);
        Self { metainfo, starts, raw }
    }

    /// Bytes of the payload, padding included.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    pub(super) fn name(&self) -> &[u8] {
        self.raw.name(&self.metainfo)
    }

    /// The first byte of a piece.
    pub(super) fn position(&self, piece: u32) -> u64 {
        u64::from(piece).saturating_mul(self.metainfo.piece_length())
    }

    /// The parts of `range`, in order; files without bytes have none.
    pub(super) fn segments(&self, range: Range<u64>) -> impl Iterator<Item = Segment> + '_ {
        let first = self.starts.partition_point(|start| *start <= range.start).saturating_sub(1);
        let files = self.metainfo.files().iter().zip(&self.starts).enumerate().skip(first);
        files.take_while(move |(_, (_, start))| **start < range.end).filter_map(
            move |(at, (file, &start))| {
                let begin = range.start.max(start);
                let length =
                    range.end.min(start + file.length).checked_sub(begin).filter(|length| *length > 0)?;
                let path = (!self.metainfo.is_single_file()).then(|| self.raw.path(at, file));
                let path = (!file.pad).then_some(path);
                Some(Segment { path, begin: begin - start, length, file_length: file.length })
            },
        )
    }
}

impl Base {
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        let refuse = |why: &str| UrlError { url: words::plain(url), why: why.to_owned() };
        let parsed = Url::parse(url.trim()).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(refuse("it should begin with http:// or https://"));
        }
        Ok(Self(parsed))
    }

    pub(super) fn name(&self) -> String {
        let mut url = self.0.clone();
        // These fail only for addresses without a host, which http has not.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        words::plain(url.as_str())
    }

    /// The address of a file (BEP 19): for a single one that of the web seed, with the name appended if it ends in a
    /// slash; else the torrent's name and the file's path below the web seed's address, whether it ends in a slash or
    /// not.
    pub(super) fn file(&self, path: Option<&[Vec<u8>]>, name: &[u8]) -> Url {
        let mut url = self.0.clone();
        let mut to = url.path().to_owned();
        match path {
            None if !to.ends_with('/') => return url,
            None => percent(name, &mut to),
            Some(path) => {
                if !to.ends_with('/') {
                    to.push('/');
                }
                percent(name, &mut to);
                for component in path {
                    to.push('/');
                    percent(component, &mut to);
                }
            }
        }
        url.set_path(&to);
        url
    }
}

#[cfg(test)]
mod tests {
    use wire::metainfo::{Builder, Content};

    use super::*;

    #[test]
    fn a_server_is_asked_for_names_that_no_disk_would_take() {
        let torrent = b"d4:infod5:filesld6:lengthi1e4:pathl3:CON2:\xffxeed6:lengthi1e4:pathl2:..1:yeee\
            4:name2:x.12:piece lengthi16e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
        let metainfo = Metainfo::decode(torrent).unwrap();
        let safe: Vec<_> = metainfo.files().iter().map(|file| file.path.join("/")).collect();
        let layout = Layout::new(Arc::new(metainfo));
        assert_eq!(layout.name(), b"x.");
        let paths: Vec<_> = layout.segments(0..2).map(|s| s.path.unwrap().unwrap().join(&b'/')).collect();
        assert_eq!(paths, [b"CON/\xffx".to_vec(), safe[1].clone().into()], "but not for another folder");
    }

    fn layout(content: Content) -> Layout {
        let builder = Builder {
            name: "a b".into(),
            content,
            piece_length: 16,
            pieces: vec![0; 20 * 2],
            ..Builder::default()
        };
        let mut bytes = Vec::new();
        builder.encode(&mut bytes);
        Layout::new(Arc::new(Metainfo::decode(&bytes).unwrap()))
    }

    fn folder() -> Layout {
        let file = |path: &[&str], length| (path.iter().map(|part| (*part).to_owned()).collect(), length);
        layout(Content::Folder(vec![
            file(&["x"], 10),
            file(&["none"], 0),
            file(&["d", "ü%.bin"], 12),
            file(&["z"], 8),
        ]))
    }

    #[test]
    fn a_range_is_cut_at_the_files() {
        let layout = folder();
        let cut = |range: Range<u64>| -> Vec<_> {
            let segments = layout.segments(range);
            let path = |segment: &Segment| segment.path.clone().unwrap().unwrap().join(&b'/');
            segments.map(|s| (String::from_utf8(path(&s)).unwrap(), s.begin, s.length)).collect()
        };
        assert_eq!(cut(0..10), [("x".into(), 0, 10)]);
        assert_eq!(cut(10..11), [("d/ü%.bin".into(), 0, 1)]);
        assert_eq!(cut(9..23), [("x".into(), 9, 1), ("d/ü%.bin".into(), 0, 12), ("z".into(), 0, 1)]);
        assert_eq!((layout.position(0), layout.position(1), layout.size()), (0, 16, 30));
        for start in 0..30 {
            for end in start + 1..=30 {
                let total: u64 = layout.segments(start..end).map(|segment| segment.length).sum();
                assert_eq!(total, end - start);
            }
        }
    }

    #[test]
    fn addresses_of_files() {
        let url =
            |base: &str, path: Option<&[Vec<u8>]>| Base::parse(base).unwrap().file(path, b"a b").to_string();
        assert_eq!(url("http://h/f.iso?x=1", None), "http://h/f.iso?x=1");
        assert_eq!(url("http://h/dir/", None), "http://h/dir/a%20b");
        assert_eq!(url("http://h", None), "http://h/a%20b");
        let path = [b"d".to_vec(), "ü%?.bin".into()];
        for base in ["http://h/dir/", "http://h/dir"] {
            assert_eq!(url(base, Some(&path)), "http://h/dir/a%20b/d/%C3%BC%25%3F.bin");
        }
        assert_eq!(Base::parse("http://u:p@h/d/?key=1").unwrap().name(), "http://h/d/");
        for wrong in ["ftp://h/", "h/x", ""] {
            let error = Base::parse(wrong).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{wrong}` is no web seed's address")), "{error}");
        }
    }
}
