//! What the peers of the four dialects say to each other, over TCP, a connection a transfer.

use super::json::Object;
use super::{Scanner, digits, file_name};
use crate::Malformed;

/// Bytes of a part in `token`.
pub const PART_BYTES: u64 = swarm::directory::PART_BYTES;

/// What a peer says in `token` that has not got the file.
pub const NOT_FOUND: &[u8] = b"NOT_FOUND";

/// What a peer says in `beacon` that has not got the file, colours left out.
pub const FILE_NOT_FOUND: &[u8] = b"ERROR: File not found";

/// The longest answer in bytes that may say that there is no such file.
pub const REFUSAL_BYTES_MAX: usize = 64;

/// The longest request in bytes: a name, or a name in a JSON object.
pub const REQUEST_BYTES_MAX: usize = 2_048;

/// What somebody would like to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A file by its bare name (`token`, `beacon`).
    File(String),
    /// A part of one (`token`): `<name>.part<N>`; or a file of just this name, if there is one.
    Part {
        /// The file's name.
        name: String,
        /// Which part, from 0.
        part: u32,
    },
    /// A chunk by its number (`chunklist`); or a file of that name, if there is one.
    Chunk(u32),
    /// A file from some byte on, in the words of `index`.
    Download {
        /// The file's name.
        name: String,
        /// The first byte.
        offset: u64,
    },
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// More must come before it can be told.
    Incomplete,
    /// All there is may be a whole request: these requests have no end but that nothing more comes.
    Open(Wanted),
    /// A whole request; behind it nothing more comes.
    Whole(Wanted),
}

/// Reads the first bytes of a connection, all that have come. A BitTorrent handshake, which begins with byte 19, is for
/// others to read.
///
/// # Errors
/// They are no request of any of the dialects.
pub fn decode(bytes: &[u8]) -> Result<Opening, Malformed> {
    if bytes.len() > REQUEST_BYTES_MAX {
        return Err(Malformed::new(format!("it is longer than {REQUEST_BYTES_MAX} bytes")));
    }
    if is_json(bytes) {
        return match Scanner::default().scan(bytes)? {
            Some(end) => decode_download(&bytes[..end]).map(Opening::Whole),
            None => Ok(Opening::Incomplete),
        };
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        // A letter may be cut at the end.
        let whole = bytes.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
        return if bytes.len() - whole < 4 {
            Ok(Opening::Incomplete)
        } else {
            Err(Malformed::found("the name", bytes, "UTF-8"))
        };
    };
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        return Ok(Opening::Incomplete);
    }
    let wanted = if let Some(number) = plain_number(line) {
        Wanted::Chunk(number)
    } else if let Some((name, part)) = part(line) {
        Wanted::Part { name: file_name(name)?, part }
    } else {
        Wanted::File(file_name(line)?)
    };
    Ok(if line.len() < text.len() { Opening::Whole(wanted) } else { Opening::Open(wanted) })
}

/// Appends a request. None but `index` has an end.
pub fn encode(wanted: &Wanted, out: &mut Vec<u8>) {
    match wanted {
        Wanted::File(name) => out.extend_from_slice(name.as_bytes()),
        Wanted::Part { name, part } => out.extend_from_slice(format!("{name}.part{part}").as_bytes()),
        Wanted::Chunk(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Wanted::Download { name, offset } => {
            out.extend_from_slice(b"{\"command\":\"download\",\"filename\":");
            super::json::write_text(name, out);
            out.extend_from_slice(format!(",\"offset\":{offset}}}\n").as_bytes());
        }
    }
}

/// Appends the line in front of what [`Wanted::Download`] is sent: the file's size in bytes, or that it is not there.
pub fn encode_size(size: Option<u64>, out: &mut Vec<u8>) {
    match size {
        Some(size) => out.extend_from_slice(format!("{{\"status\":\"ok\",\"size\":{size}}}\n").as_bytes()),
        None => out.extend_from_slice(b"{\"status\":\"not_found\"}\n"),
    }
}

/// Reads that line: the file's size in bytes, and how many of `bytes` the line has. `None` as long as it is not whole.
///
/// # Errors
/// It is another one, or the file is not there.
pub fn decode_size(bytes: &[u8]) -> Result<Option<(u64, usize)>, Malformed> {
    let Some(end) = bytes.iter().take(REQUEST_BYTES_MAX).position(|&byte| byte == b'\n') else {
        return match bytes.len() {
            0..REQUEST_BYTES_MAX => Ok(None),
            _ => Err(Malformed::found("the answer", bytes, "a line of JSON")),
        };
    };
    let object = Object::decode(&bytes[..end])?;
    match object.text(&["status"])? {
        "ok" => match object.maybe_number("size")? {
            Some(size) => Ok(Some((size, end + 1))),
            None => Err(Malformed::new("\"size\" is missing")),
        },
        "not_found" => Err(Malformed::new("the file is not there")),
        other => Err(Malformed::found("\"status\"", other.as_bytes(), "ok or not_found")),
    }
}

/// Whether an answer, which is all that came, says that there is no such file: in `token` or, coloured or not, in
/// `beacon`. What is longer than [`REFUSAL_BYTES_MAX`] is the file.
#[must_use]
pub fn is_refusal(answer: &[u8]) -> bool {
    if answer.len() > REFUSAL_BYTES_MAX {
        return false;
    }
    let text = without_colours(answer);
    matches!(text.trim_ascii(), NOT_FOUND | FILE_NOT_FOUND)
}

/// The text without its ANSI escape sequences.
fn without_colours(mut rest: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    while let Some((&byte, behind)) = rest.split_first() {
        let end = rest.strip_prefix(b"\x1b[").and_then(|code| code.iter().position(u8::is_ascii_alphabetic));
        rest = match end {
            Some(end) => &rest[b"\x1b[".len() + end + 1..],
            None => {
                text.push(byte);
                behind
            }
        };
    }
    text
}

/// Whether it is `index` that is spoken: a name may begin with a brace, too, but seldom goes on like an object.
fn is_json(bytes: &[u8]) -> bool {
    let inside = bytes.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    inside.is_some_and(|inside| matches!(inside.first(), None | Some(b'"' | b'}')))
}

fn decode_download(bytes: &[u8]) -> Result<Wanted, Malformed> {
    let object = Object::decode(bytes)?;
    match object.text(&["command", "type", "action"])? {
        "download" => {
            let name = object.text(&["filename", "file_name", "file"])?;
            let offset = object.maybe_number("offset")?.unwrap_or(0);
            Ok(Wanted::Download { name: file_name(name)?, offset })
        }
        other => Err(Malformed::found("\"command\"", other.as_bytes(), "download")),
    }
}

/// `video.mp4.part3` taken apart.
fn part(name: &str) -> Option<(&str, u32)> {
    let (file, number) = name.rsplit_once(".part").filter(|(file, _)| !file.is_empty())?;
    Some((file, plain_number(number)?))
}

/// A number as the dialects' programs write it. With zeros in front it is part of a name: `disc.part01`.
fn plain_number(text: &str) -> Option<u32> {
    let number = digits(text).and_then(|number| u32::try_from(number).ok())?;
    (text == "0" || !text.starts_with('0')).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_requests_apart() {
        let file = |name: &str| Wanted::File(name.into());
        for (bytes, expected) in [
            (&b"video.mp4"[..], Opening::Open(file("video.mp4"))),
            (b"video.mp4\n", Opening::Whole(file("video.mp4"))),
            ("größe".as_bytes(), Opening::Open(file("größe"))),
            (b"video.mp4.part3", Opening::Open(Wanted::Part { name: "video.mp4".into(), part: 3 })),
            (b"video.mp4.part", Opening::Open(file("video.mp4.part"))),
            (b".part3", Opening::Open(file(".part3"))),
            (b"[download]a b", Opening::Open(file("[download]a b"))),
            (b"17", Opening::Open(Wanted::Chunk(17))),
            (b"0", Opening::Open(Wanted::Chunk(0))),
            (b"4294967295", Opening::Open(Wanted::Chunk(u32::MAX))),
            (b"4294967296", Opening::Open(file("4294967296"))),
            (b"007", Opening::Open(file("007"))),
            (b"+7", Opening::Open(file("+7"))),
            (b"disc.part01", Opening::Open(file("disc.part01"))),
            (b"{draft} a.txt", Opening::Open(file("{draft} a.txt"))),
            (
                b"{\"command\":\"download\",\"filename\":\"a\",\"offset\":65536}\n",
                Opening::Whole(Wanted::Download { name: "a".into(), offset: 65_536 }),
            ),
            (b"{\"command\":\"down", Opening::Incomplete),
            (b"", Opening::Incomplete),
            (b"gr\xc3", Opening::Incomplete),
        ] {
            assert_eq!(decode(bytes), Ok(expected), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_longest_name_has_parts() {
        let name = "n".repeat(255);
        let asked = format!("{name}.part4294967295");
        let part = Wanted::Part { name, part: u32::MAX };
        assert_eq!(decode(asked.as_bytes()), Ok(Opening::Open(part)));
        assert!(decode(format!("n{asked}").as_bytes()).is_err());
    }

    #[test]
    fn what_is_none_is_told() {
        for bytes in [
            &b"../secret"[..],
            b"a/b",
            b"../x.part1",
            b"\x00\x01",
            b"{\"command\":\"fly\"}",
            b"\xff\xfe\xfd\xfc\xfb",
            &[b'a'; 300],
        ] {
            assert!(decode(bytes).is_err(), "{}", bytes.escape_ascii());
        }
        assert!(decode(&[b' '; REQUEST_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn what_we_ask_is_understood() {
        for wanted in [
            Wanted::File("a b".into()),
            Wanted::Part { name: "a".into(), part: 7 },
            Wanted::Chunk(0),
            Wanted::Download { name: "a\"b".into(), offset: 1 },
        ] {
            let mut out = Vec::new();
            encode(&wanted, &mut out);
            match decode(&out).unwrap() {
                Opening::Open(read) | Opening::Whole(read) => assert_eq!(read, wanted),
                Opening::Incomplete => panic!("{wanted:?}"),
            }
        }
    }

    #[test]
    fn a_size_comes_before_the_bytes() {
        let mut out = Vec::new();
        encode_size(Some(12), &mut out);
        assert_eq!(out, b"{\"status\":\"ok\",\"size\":12}\n");
        assert_eq!(decode_size(&out[..5]), Ok(None));
        out.extend_from_slice(b"twelve bytes");
        assert_eq!(decode_size(&out), Ok(Some((12, 26))));
        let mut out = Vec::new();
        encode_size(None, &mut out);
        assert_eq!(out, b"{\"status\":\"not_found\"}\n");
        assert_eq!(decode_size(&out).unwrap_err().reason(), "the file is not there");
        assert!(decode_size(&[b'x'; REQUEST_BYTES_MAX]).is_err());
    }

    #[test]
    fn refusals_are_known_coloured_or_not() {
        for answer in [
            &b"NOT_FOUND"[..],
            b"NOT_FOUND\n",
            b"ERROR: File not found",
            b"\x1b[91mERROR: File not found\x1b[0m\n",
            b"\x1b[1;31mERROR:\x1b[0m File not found",
        ] {
            assert!(is_refusal(answer), "{}", answer.escape_ascii());
        }
        for file in [
            &b"NOT_FOUND is how this book begins"[..],
            b"ERROR: File not found\nERROR: and so on, a log",
            b"\x1b[91mERROR: File not found\x1b[0m, says line 1",
            b"\x1b[",
            b"",
        ] {
            assert!(!is_refusal(file), "{}", file.escape_ascii());
        }
    }
}
