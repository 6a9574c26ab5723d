//! `index`: JSON over TCP, any number of requests on a connection, one reply a line.
//!
//! The verb's and the fields' names differ from client to client: each is taken under any of the names in use.

use std::net::IpAddr;

use swarm::Port;

use super::json::{Object, write_rows, write_text};
use super::{address, file_name, peer_name, usable};
use crate::Malformed;

/// What is written in one reply at most: clients read a line, most of them with one `recv`.
pub const REPLY_BYTES_MAX: usize = 8_192;

const VERBS: &[&str] = &["command", "type", "action"];
const USERS: &[&str] = &["username", "peer_id", "name"];
const FILES: &[&str] = &["filename", "file_name", "file"];

/// What a client asks of the tracker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// It offers these files, and no others any more.
    Register {
        /// Who it is.
        username: String,
        /// Where it gives the files away.
        port: Port,
        /// Each name, and its size in bytes if the client says it.
        files: Vec<(String, Option<u64>)>,
    },
    /// It would like to know who has a file.
    Search {
        /// Who asks, if it says so.
        username: Option<String>,
        /// The file.
        filename: String,
    },
    /// It is still there.
    KeepAlive {
        /// Who it is.
        username: String,
    },
    /// It goes.
    Exit {
        /// Who it is.
        username: String,
    },
}

/// A holder of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Who it is.
    pub username: String,
    /// Its address.
    pub ip: IpAddr,
    /// Where it gives files away.
    pub port: Port,
    /// The file's size in bytes; 0 if it did not say.
    pub size: u64,
}

/// What the tracker answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Ok,
    /// Who has a file; nobody if there are no rows.
    Found {
        /// The file.
        filename: String,
        /// As many as fit, in this order.
        rows: Vec<Row>,
    },
    /// No.
    Error {
        /// Why.
        reason: String,
    },
}

/// Reads a request: one whole JSON object.
///
/// # Errors
/// It is none, something is missing or out of range, or a name is a path.
pub fn decode(bytes: &[u8]) -> Result<Request, Malformed> {
    let object = Object::decode(bytes)?;
    let username = || peer_name(object.text(USERS)?);
    match object.text(VERBS)? {
        "register" => {
            let files = object.names("files")?.into_iter();
            let files = files.map(|(name, size)| Ok((file_name(name)?, size)));
            Ok(Request::Register {
                username: username()?,
                port: object.port("port")?,
                files: files.collect::<Result<_, _>>()?,
            })
        }
        "search" => Ok(Request::Search {
            username: object.maybe_text(USERS).map(peer_name).transpose()?,
            filename: file_name(object.text(FILES)?)?,
        }),
        "keep_alive" => Ok(Request::KeepAlive { username: username()? }),
        "exit" => Ok(Request::Exit { username: username()? }),
        other => {
            let expected = "register, search, keep_alive or exit";
            Err(Malformed::found("\"command\"", other.as_bytes(), expected))
        }
    }
}

/// Appends a reply and a newline: at most [`REPLY_BYTES_MAX`] bytes.
pub fn encode(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Ok => out.extend_from_slice(b"{\"status\":\"ok\"}\n"),
        Reply::Found { filename, rows } => {
            let bytes_max = out.len() + REPLY_BYTES_MAX;
            let status = if rows.is_empty() { "not_found" } else { "ok" };
            out.extend_from_slice(format!("{{\"status\":\"{status}\",\"filename\":").as_bytes());
            write_text(filename, out);
            out.extend_from_slice(b",\"peers\":[");
            write_rows(rows, bytes_max, ",", "]}\n", out, |row, out| {
                out.extend_from_slice(b"{\"username\":");
                write_text(&row.username, out);
                let rest =
                    format!(",\"ip\":\"{}\",\"port\":{},\"size\":{}}}", row.ip, row.port.get(), row.size);
                out.extend_from_slice(rest.as_bytes());
            });
        }
        Reply::Error { reason } => {
            out.extend_from_slice(b"{\"status\":\"error\",\"reason\":");
            write_text(reason, out);
            out.extend_from_slice(b"}\n");
        }
    }
}

/// Appends a request and a newline.
pub fn encode_request(request: &Request, out: &mut Vec<u8>) {
    let verb = |verb: &str, username: Option<&String>, out: &mut Vec<u8>| {
        out.extend_from_slice(format!("{{\"command\":\"{verb}\"").as_bytes());
        if let Some(username) = username {
            out.extend_from_slice(b",\"username\":");
            write_text(username, out);
        }
    };
    match request {
        Request::Register { username, port, files } => {
            verb("register", Some(username), out);
            out.extend_from_slice(format!(",\"port\":{},\"files\":", port.get()).as_bytes());
            if files.iter().all(|(_, size)| size.is_none()) {
                out.push(b'[');
                write_rows(files, usize::MAX, ",", "]", out, |(name, _), out| write_text(name, out));
            } else {
                out.push(b'{');
                write_rows(files, usize::MAX, ",", "}", out, |(name, size), out| {
                    write_text(name, out);
                    let size = size.map_or_else(|| "null".to_owned(), |size| size.to_string());
                    out.extend_from_slice(format!(":{size}").as_bytes());
                });
            }
        }
        Request::Search { username, filename } => {
            verb("search", username.as_ref(), out);
            out.extend_from_slice(b",\"filename\":");
            write_text(filename, out);
        }
        Request::KeepAlive { username } => verb("keep_alive", Some(username), out),
        Request::Exit { username } => verb("exit", Some(username), out),
    }
    out.extend_from_slice(b"}\n");
}

/// Reads a reply: one whole JSON object.
///
/// # Errors
/// It is none that a tracker of this dialect gives.
pub fn decode_reply(bytes: &[u8]) -> Result<Reply, Malformed> {
    let object = Object::decode(bytes)?;
    match object.text(&["status"])? {
        "error" => Ok(Reply::Error {
            reason: object.maybe_text(&["reason"]).unwrap_or("it says no reason").to_owned(),
        }),
        "ok" | "not_found" => match object.maybe_text(FILES) {
            None => Ok(Reply::Ok),
            Some(filename) => {
                let row = |row: Object| {
                    Ok(Row {
                        username: peer_name(row.text(USERS)?)?,
                        ip: address(row.text(&["ip"])?)?,
                        port: row.port("port")?,
                        size: row.maybe_number("size")?.unwrap_or(0),
                    })
                };
                let filename = file_name(filename)?;
                Ok(Reply::Found { filename, rows: usable(object.list("peers")?.map(|listed| row(listed?)))? })
            }
        },
        other => Err(Malformed::found("\"status\"", other.as_bytes(), "ok, not_found or error")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(port: u16) -> Port {
        Port::new(port).unwrap()
    }

    #[test]
    fn the_verb_and_the_fields_go_by_any_name_in_use() {
        let expected = Request::Register {
            username: "ann".into(),
            port: port(6001),
            files: vec![("a.txt".into(), None), ("b".into(), None)],
        };
        for bytes in [
            r#"{"command":"register","username":"ann","port":6001,"files":["a.txt","b"]}"#,
            r#"{"type":"register","peer_id":"ann","port":"6001","files":["a.txt","b"]}"#,
            r#"{"action":"register","name":"ann","port":6001,"files":["a.txt","b"]}"#,
        ] {
            assert_eq!(decode(bytes.as_bytes()).as_ref(), Ok(&expected), "{bytes}");
        }
        let sizes = r#"{"command":"register","username":"ann","port":6001,"files":{"a.txt":12,"b":0}}"#;
        let Ok(Request::Register { files, .. }) = decode(sizes.as_bytes()) else { panic!("{sizes}") };
        assert_eq!(files, [("a.txt".into(), Some(12)), ("b".into(), Some(0))]);
        for file in ["filename", "file_name", "file"] {
            let search = format!(r#"{{"type":"search","{file}":"a.txt"}}"#);
            let expected = Request::Search { username: None, filename: "a.txt".into() };
            assert_eq!(decode(search.as_bytes()), Ok(expected));
        }
    }

    #[test]
    fn what_we_ask_is_understood() {
        for (request, bytes) in [
            (
                Request::Register {
                    username: "ann".into(),
                    port: port(6001),
                    files: vec![("a".into(), Some(3))],
                },
                "{\"command\":\"register\",\"username\":\"ann\",\"port\":6001,\"files\":{\"a\":3}}\n",
            ),
            (
                Request::Register {
                    username: "ann".into(),
                    port: port(6001),
                    files: vec![("a".into(), None), ("b".into(), None)],
                },
                "{\"command\":\"register\",\"username\":\"ann\",\"port\":6001,\"files\":[\"a\",\"b\"]}\n",
            ),
            (
                Request::Register {
                    username: "ann".into(),
                    port: port(6001),
                    files: vec![("a".into(), None), ("b".into(), Some(0))],
                },
                "{\"command\":\"register\",\"username\":\"ann\",\"port\":6001,\"files\":{\"a\":null,\"b\":0}}\n",
            ),
            (
                Request::Search { username: None, filename: "a".into() },
                "{\"command\":\"search\",\"filename\":\"a\"}\n",
            ),
            (
                Request::Search { username: Some("ann".into()), filename: "a".into() },
                "{\"command\":\"search\",\"username\":\"ann\",\"filename\":\"a\"}\n",
            ),
            (
                Request::KeepAlive { username: "ann".into() },
                "{\"command\":\"keep_alive\",\"username\":\"ann\"}\n",
            ),
            (Request::Exit { username: "ann".into() }, "{\"command\":\"exit\",\"username\":\"ann\"}\n"),
        ] {
            let mut out = Vec::new();
            encode_request(&request, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), bytes);
            assert_eq!(decode(&out), Ok(request));
        }
    }

    #[test]
    fn replies_are_as_clients_read_them() {
        let row = Row { username: "ann".into(), ip: [10, 0, 0, 7].into(), port: port(6001), size: 12 };
        for (reply, bytes) in [
            (Reply::Ok, "{\"status\":\"ok\"}\n"),
            (
                Reply::Found { filename: "a.txt".into(), rows: vec![row] },
                "{\"status\":\"ok\",\"filename\":\"a.txt\",\"peers\":[{\"username\":\"ann\",\"ip\":\"10.0.0.7\",\"port\":6001,\"size\":12}]}\n",
            ),
            (
                Reply::Found { filename: "a.txt".into(), rows: vec![] },
                "{\"status\":\"not_found\",\"filename\":\"a.txt\",\"peers\":[]}\n",
            ),
            (
                Reply::Error { reason: "\"port\" is missing".into() },
                "{\"status\":\"error\",\"reason\":\"\\\"port\\\" is missing\"}\n",
            ),
        ] {
            let mut out = Vec::new();
            encode(&reply, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), bytes);
            assert_eq!(decode_reply(&out), Ok(reply));
        }
    }

    #[test]
    fn a_reply_keeps_to_its_bound() {
        let row = |n: u32| Row {
            username: format!("user {n}"),
            ip: [10, 0, 0, 7].into(),
            port: port(6001),
            size: 12,
        };
        let rows: Vec<_> = (0..1_000).map(row).collect();
        let mut out = Vec::new();
        encode(&Reply::Found { filename: "\u{7ff}".repeat(127), rows: rows.clone() }, &mut out);
        assert!((REPLY_BYTES_MAX - 80..=REPLY_BYTES_MAX).contains(&out.len()), "{}", out.len());
        let Ok(Reply::Found { rows: told, .. }) = decode_reply(&out) else { panic!("{out:?}") };
        assert!(told.len() > 50 && told[..] == rows[..told.len()]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (bytes, expected) in [
            (r#"{"username":"ann"}"#, "\"command\" is missing"),
            (r#"{"command":"fly"}"#, "\"command\" `fly` is not register, search, keep_alive or exit"),
            (r#"{"command":"keep_alive"}"#, "\"username\" is missing"),
            (
                r#"{"command":"search","file":"../a"}"#,
                "the file name `../a` is a path: give the name of a file alone",
            ),
            (
                r#"{"command":"exit","name":""}"#,
                "the peer's name `` is not 1 to 255 bytes long and without control characters",
            ),
            (
                r#"{"command":"register","username":"a","port":0,"files":[]}"#,
                "\"port\" `0` is not a number from 1 to 65535",
            ),
            (
                r#"{"command":"register","username":"a","port":1,"files":[1]}"#,
                "\"files\" `1` is not a list of names",
            ),
        ] {
            assert_eq!(decode(bytes.as_bytes()).unwrap_err().reason(), expected, "{bytes}");
        }
    }
}
