//! What somebody states of a torrent in JSON, without a .torrent file to prove it.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use swarm::InfoHash;
use utoipa::ToSchema;

use super::{Problem, text::quoted};
use crate::catalogue::{NewTorrent, TorrentFile};

/// Bytes before and after the fault that a message quotes of bad JSON.
const QUOTED_BEFORE: usize = 24;
const QUOTED_AFTER: usize = 8;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TorrentFacts)]
pub(super) struct Facts {
    #[schema(pattern = "^[0-9a-fA-F]{40}$")]
    info_hash: String,
    #[schema(min_length = 1)]
    name: String,
    size: Option<u64>,
    piece_length: Option<u64>,
    #[serde(default)]
    files: Vec<File>,
    #[serde(default)]
    private: bool,
    comment: Option<String>,
    created_by: Option<String>,
    #[serde(alias = "creation_date")]
    created_at: Option<i64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FactsFile)]
struct File {
    path: String,
    length: u64,
}

/// Reads a torrent's facts.
///
/// # Errors
///
/// 400 that quotes what is wrong.
pub(crate) fn decode(bytes: &[u8]) -> Result<NewTorrent, Problem> {
    // As a list, it would be read as its fields without their names.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::bad_request("the body is a list, and an object with fields is expected"));
    }
    let facts: Facts = json(bytes)?;
    let info_hash: InfoHash = facts
        .info_hash
        .parse()
        .map_err(|error: swarm::InfoHashError| Problem::bad_request(error.to_string()))?;
    if facts.name.trim().is_empty() || facts.name.contains(char::is_control) {
        let name = quoted(&facts.name);
        return Err(Problem::bad_request(format!(
            "name {name} is none: text without control characters is expected"
        )));
    }
    if let Some(file) = facts.files.iter().find(|file| !is_path(&file.path)) {
        let path = quoted(&file.path);
        let expected = "names joined by `/` are expected, none of them empty, `.` or `..`";
        return Err(Problem::bad_request(format!("path {path} does not stay in the torrent: {expected}")));
    }
    Ok(NewTorrent {
        size: size(&facts)?,
        piece_length: facts.piece_length,
        private: facts.private,
        comment: facts.comment,
        created_by: facts.created_by,
        created_at: facts.created_at,
        files: facts.files.into_iter().map(|File { path, length }| TorrentFile { path, length }).collect(),
        ..NewTorrent::named(info_hash, facts.name.trim())
    })
}

/// Reads JSON.
///
/// # Errors
///
/// 400 that says where the fault is, and quotes what stands there.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let at = offset(bytes, error.line(), error.column());
        let around = &bytes[at.saturating_sub(QUOTED_BEFORE)..(at + QUOTED_AFTER).min(bytes.len())];
        let around = quoted(&String::from_utf8_lossy(around));
        Problem::bad_request(format!("the body is not the JSON that is expected: {error}, near {around}"))
    })
}

/// The place of the given line and column, both from 1, in `bytes`.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let before: usize =
        bytes.split_inclusive(|&byte| byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column).min(bytes.len())
}

/// Whether `path` names something in the torrent and nothing outside it.
fn is_path(path: &str) -> bool {
    !path.contains(|c: char| c.is_control() || c == '\\')
        && path.split('/').all(|name| !matches!(name, "" | "." | ".."))
}

/// The size that is stated, or else that of the files.
fn size(facts: &Facts) -> Result<Option<u64>, Problem> {
    if facts.files.is_empty() {
        return Ok(facts.size);
    }
    let sum = facts.files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.length));
    let sum = sum.ok_or_else(|| Problem::bad_request("the files have more than 2^64 bytes together"))?;
    match facts.size {
        Some(size) if size != sum => {
            Err(Problem::bad_request(format!("size `{size}` is not that of the files, which is {sum}")))
        }
        _ => Ok(Some(sum)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "00112233445566778899aabbccddeeff00112233";

    fn read(rest: &str) -> Result<NewTorrent, String> {
        let json = format!(r#"{{"info_hash":"{HASH}"{rest}}}"#);
        decode(json.as_bytes()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn facts_are_read() {
        let torrent = read(
            r#","name":" Some name ","files":[{"path":"a/b","length":3},{"path":"c","length":4}],
               "piece_length":16384,"private":true,"comment":"c","created_by":"b","creation_date":5"#,
        )
        .unwrap();
        assert_eq!(torrent.info_hash.to_string(), HASH);
        assert_eq!(
            (torrent.name.as_str(), torrent.size, torrent.piece_length),
            ("Some name", Some(7), Some(16384))
        );
        assert_eq!((torrent.files.len(), torrent.private, torrent.created_at), (2, true, Some(5)));
        assert_eq!(read(r#","name":"n""#).unwrap().size, None);
    }

    #[test]
    fn what_is_wrong_is_quoted() {
        for (rest, expected) in [
            ("", "the body is not the JSON that is expected: missing field `name`"),
            (r#","name":" ""#, "name ` ` is none"),
            (r#","name":"a\u0000b""#, r"name `a\u{0}b` is none"),
            (
                r#","name":"n","size":"12""#,
                "invalid type: string \"12\", expected u64 at line 1 column 78, near",
            ),
            (r#","name":"n","size":-1"#, "invalid value: integer `-1`, expected u64"),
            (r#","name":"n","nmae":1"#, "unknown field `nmae`"),
            (r#","name":"n",}"#, "trailing comma at line 1 column 68, near `"),
            (
                r#","name":"n","files":[{"path":"../x","length":1}]"#,
                "path `../x` does not stay in the torrent",
            ),
            (r#","name":"n","files":[{"path":"/x","length":1}]"#, "path `/x` does not"),
            (r#","name":"n","files":[{"path":"a\\x","length":1}]"#, r"path `a\x` does not"),
            (
                r#","name":"n","size":2,"files":[{"path":"x","length":1}]"#,
                "size `2` is not that of the files, which is 1",
            ),
            (
                r#","name":"n","files":[{"path":"x","length":18446744073709551615},{"path":"y","length":1}]"#,
                "the files have more than 2^64",
            ),
        ] {
            let problem = read(rest).unwrap_err();
            assert!(problem.contains(expected), "{rest}: {problem}");
        }
        let problem = decode(br#"{"info_hash":"xyz","name":"n"}"#).unwrap_err();
        assert_eq!(problem.detail(), "`xyz` is not an info hash: 40 hexadecimal digits are expected");
        let list = format!(r#"["{HASH}","n"]"#);
        assert!(decode(list.as_bytes()).unwrap_err().detail().starts_with("the body is a list"));
        let problem = decode(b"{\"name\":\"\xff\"}").unwrap_err();
        assert!(problem.detail().contains("invalid unicode code point"), "{problem}");
    }
}
