//! `skep show`: what a torrent file says, for a person or a script.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use wire::Malformed;
use wire::magnet::Magnet;
use wire::metainfo::{METAINFO_BYTES_MAX, Metainfo, Version};

use crate::format::{count, plain, plural, size};

/// Why a torrent file cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// It cannot be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a torrent.
    #[error("`{}` is not a torrent: {fault}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        fault: Malformed,
    },
}

/// Reads a torrent file.
///
/// # Errors
/// There is none, or it is not a torrent.
pub fn load(path: &Path) -> Result<Metainfo, ShowError> {
    let read = || {
        let mut bytes = Vec::new();
        // One byte more than is allowed is enough to tell.
        File::open(path)?.take(METAINFO_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|source| ShowError::Unreadable { path: path.into(), source })?;
    Metainfo::decode(&bytes).map_err(|fault| ShowError::Malformed { path: path.into(), fault })
}

/// Writes what a person wants to know, the files last. What strangers wrote cannot steer the terminal.
///
/// # Errors
/// `out` takes no more.
pub fn human(torrent: &Metainfo, out: &mut dyn Write) -> io::Result<()> {
    let mut line = |label: &str, text: &str| writeln!(out, "{label:<14}{}", plain(text));
    line("name", torrent.name())?;
    line("info hash", &torrent.info_hash().to_string())?;
    if let Some(hash) = torrent.info_hash_v2() {
        line("info hash v2", &hex(&hash))?;
    }
    let exact =
        if torrent.size() < 1024 { String::new() } else { format!(" ({} bytes)", count(torrent.size())) };
    line("size", &format!("{}{exact}", size(torrent.size())))?;
    let pieces = plural(torrent.payload_size().div_ceil(torrent.piece_length()), "piece");
    line("pieces", &format!("{pieces} of {}", size(torrent.piece_length())))?;
    line("version", version(torrent))?;
    line("private", if torrent.private() { "yes: peers come from its trackers only" } else { "no" })?;
    let date = torrent.creation_date().map(date);
    let facts = [
        ("source", torrent.source()),
        ("comment", torrent.comment()),
        ("created by", torrent.created_by()),
        ("created at", date.as_deref()),
    ];
    for (label, text) in facts {
        text.map_or(Ok(()), |text| line(label, text))?;
    }
    for (tier, urls) in torrent.trackers().iter().enumerate() {
        for url in urls {
            line(&format!("tracker {}", tier + 1), url)?;
        }
    }
    for url in torrent.web_seeds() {
        line("web seed", url)?;
    }
    line("magnet", &Magnet::from(torrent).to_string())?;
    files(torrent, out)
}

/// Writes one JSON object.
///
/// # Errors
/// `out` takes no more.
pub fn json(torrent: &Metainfo, out: &mut dyn Write) -> io::Result<()> {
    let files = torrent.files().iter().map(|file| FileJson {
        path: file.path.join("/"),
        length: file.length,
        pad: file.pad,
        executable: file.executable,
        hidden: file.hidden,
        symlink: file.symlink,
    });
    let shown = TorrentJson {
        info_hash: torrent.info_hash().to_string(),
        info_hash_v2: torrent.info_hash_v2().map(|hash| hex(&hash)),
        version: version(torrent),
        name: torrent.name(),
        size: torrent.size(),
        piece_length: torrent.piece_length(),
        pieces: torrent.payload_size().div_ceil(torrent.piece_length()),
        private: torrent.private(),
        source: torrent.source(),
        comment: torrent.comment(),
        created_by: torrent.created_by(),
        creation_date: torrent.creation_date(),
        trackers: torrent.trackers(),
        web_seeds: torrent.web_seeds(),
        magnet: Magnet::from(torrent).to_string(),
        files: files.collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &shown)?;
    writeln!(out)
}

/// What `--json` prints; sizes in bytes, times in Unix seconds.
#[derive(Serialize)]
struct TorrentJson<'a> {
    info_hash: String,
    info_hash_v2: Option<String>,
    version: &'a str,
    name: &'a str,
    size: u64,
    piece_length: u64,
    pieces: u64,
    private: bool,
    source: Option<&'a str>,
    comment: Option<&'a str>,
    created_by: Option<&'a str>,
    creation_date: Option<i64>,
    trackers: &'a [Vec<String>],
    web_seeds: &'a [String],
    magnet: String,
    files: Vec<FileJson>,
}

/// A file; what is false is not printed.
#[derive(Serialize)]
struct FileJson {
    path: String,
    length: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pad: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    executable: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    hidden: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    symlink: bool,
}

/// The files of a folder, without padding.
fn files(torrent: &Metainfo, out: &mut dyn Write) -> io::Result<()> {
    if torrent.is_single_file() {
        return Ok(());
    }
    let files = || torrent.files().iter().filter(|file| !file.pad);
    writeln!(out, "{}", plural(files().count() as u64, "file"))?;
    for file in files() {
        let link = if file.symlink { " (symbolic link)" } else { "" };
        writeln!(out, "  {:>9}  {}{link}", size(file.length), plain(&file.path.join("/")))?;
    }
    Ok(())
}

fn version(torrent: &Metainfo) -> &'static str {
    match torrent.version() {
        Version::V1 => "v1",
        Version::V2 => "v2",
        Version::Hybrid => "hybrid",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `2023-11-14 22:13:20 UTC`; a time that has no such form as the seconds it is.
fn date(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    if !(0..=LAST_DAY).contains(&days) {
        return format!("{seconds} s after 1970");
    }
    let (hour, minute) = (second / 3600, second / 60 % 60);
    // Days are counted from 1 March of the year 0, so that the leap day is a year's last.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02} UTC", second % 60)
}

const DAY: i64 = 86_400;

/// 31 December 9999, in days after 1970.
const LAST_DAY: i64 = 2_932_896;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// `top` with a file whose name and comment would clear the screen, padding, and an empty program.
    const FOLDER: &[u8] =
        b"d8:announce8:http://a13:announce-listll8:http://ael7:udp://bee7:comment4:a\x1bc\n\
        13:creation datei1700000000e4:infod5:filesl\
        d6:lengthi20000e4:pathl3:dir3:a\x1bbeed4:attr1:p6:lengthi12768e4:pathl4:.pad5:12768ee\
        d4:attr1:x6:lengthi0e4:pathl1:ceee\
        4:name3:top12:piece lengthi16384e6:pieces40:hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh\
        7:privatei1e6:source3:labe8:url-list9:http://w/e";

    fn shown(bytes: &[u8], how: fn(&Metainfo, &mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        how(&Metainfo::decode(bytes).unwrap(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_person_reads_a_table() {
        insta::assert_snapshot!(shown(FOLDER, human), @r#"
        name          top
        info hash     06902ff07ca660b8de7ff934f86b3b802aa5dd6b
        size          19.5 KiB (20,000 bytes)
        pieces        2 pieces of 16.0 KiB
        version       v1
        private       yes: peers come from its trackers only
        source        lab
        comment       a\u{1b}c\u{a}
        created at    2023-11-14 22:13:20 UTC
        tracker 1     http://a
        tracker 2     udp://b
        web seed      http://w/
        magnet        magnet:?xt=urn:btih:06902ff07ca660b8de7ff934f86b3b802aa5dd6b&dn=top&xl=20000&tr=http%3A%2F%2Fa&tr=udp%3A%2F%2Fb&ws=http%3A%2F%2Fw%2F
        2 files
           19.5 KiB  dir/a_b
                0 B  c
        "#);
    }

    #[test]
    fn a_script_reads_json() {
        insta::assert_snapshot!(shown(FOLDER, json), @r#"
        {
          "info_hash": "06902ff07ca660b8de7ff934f86b3b802aa5dd6b",
          "info_hash_v2": null,
          "version": "v1",
          "name": "top",
          "size": 20000,
          "piece_length": 16384,
          "pieces": 2,
          "private": true,
          "source": "lab",
          "comment": "a\u001bc\n",
          "created_by": null,
          "creation_date": 1700000000,
          "trackers": [
            [
              "http://a"
            ],
            [
              "udp://b"
            ]
          ],
          "web_seeds": [
            "http://w/"
          ],
          "magnet": "magnet:?xt=urn:btih:06902ff07ca660b8de7ff934f86b3b802aa5dd6b&dn=top&xl=20000&tr=http%3A%2F%2Fa&tr=udp%3A%2F%2Fb&ws=http%3A%2F%2Fw%2F",
          "files": [
            {
              "path": "dir/a_b",
              "length": 20000
            },
            {
              "path": ".pad/12768",
              "length": 12768,
              "pad": true
            },
            {
              "path": "c",
              "length": 0,
              "executable": true
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_single_file_needs_no_list() {
        let single = b"d4:infod6:lengthi1e4:name1:f12:piece lengthi16384e6:pieces20:hhhhhhhhhhhhhhhhhhhhee";
        insta::assert_snapshot!(shown(single, human), @r#"
        name          f
        info hash     5b79cbfa2ceec9166ad6a4bc7f7ff2a494fe1448
        size          1 B
        pieces        1 piece of 16.0 KiB
        version       v1
        private       no
        magnet        magnet:?xt=urn:btih:5b79cbfa2ceec9166ad6a4bc7f7ff2a494fe1448&dn=f&xl=1
        "#);
    }

    #[test]
    fn faults_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.torrent");
        assert!(
            load(&path)
                .unwrap_err()
                .to_string()
                .starts_with(&format!("`{}` cannot be read: ", path.display()))
        );
        fs::write(&path, "hello").unwrap();
        assert_eq!(
            load(&path).unwrap_err().to_string(),
            format!(
                "`{}` is not a torrent: bencode at byte 0 `h` is not the start of a value (`i`, `l`, `d`, a digit)",
                path.display()
            )
        );
        fs::write(&path, FOLDER).unwrap();
        assert_eq!(load(&path).unwrap().name(), "top");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_700_000_000, "2023-11-14 22:13:20 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
            (253_402_300_800, "253402300800 s after 1970"),
            (-1, "-1 s after 1970"),
            (i64::MIN, "-9223372036854775808 s after 1970"),
        ] {
            assert_eq!(date(seconds), text);
        }
    }
}
