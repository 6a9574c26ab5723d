//! `token`: JSON over TCP, one request a connection, no framing.
//!
//! The client writes one object, waits for the reply with one `recv` of [`REPLY_BYTES_MAX`] bytes, and closes.

use std::net::IpAddr;

use swarm::Port;

use super::json::{Object, write_rows, write_text};
use super::{address, file_name, peer_name, usable};
use crate::Malformed;

/// What a client's one `recv` takes.
pub const REPLY_BYTES_MAX: usize = 8_192;

/// What a client asks of the tracker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// It would like a token.
    Auth {
        /// What it calls itself.
        peer_id: String,
    },
    /// It offers these files, and no others any more.
    Register {
        /// What it calls itself.
        peer_id: String,
        /// What it was given; `None` if it says none.
        token: Option<String>,
        /// Where it gives the files away.
        port: Port,
        /// Each name, and of how many parts it is.
        files: Vec<(String, u32)>,
    },
    /// It would like to know who has a file.
    PeerList {
        /// What it calls itself.
        peer_id: String,
        /// What it was given.
        token: Option<String>,
        /// The file. Nobody has one whose name is a path; but a client that were refused would authenticate again.
        file_name: String,
    },
}

/// A holder of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it calls itself.
    pub peer_id: String,
    /// Its address.
    pub ip: IpAddr,
    /// Where it gives files away.
    pub port: Port,
}

/// What the tracker answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A token, which the client keeps and shows.
    Token(String),
    /// The files are offered now.
    Registered,
    /// Who has the file.
    Peers {
        /// As many as fit, in this order.
        rows: Vec<Row>,
        /// Of how many parts the file is; 0 if nobody has it.
        total_parts: u32,
    },
    /// No. For a wrong token the reason is [`INVALID_TOKEN`]: the client then asks for another one.
    Fail {
        /// Why.
        reason: String,
    },
}

/// The reason that makes a client ask for a token anew.
pub const INVALID_TOKEN: &str = "Invalid token";

/// Reads a request: one whole JSON object.
///
/// # Errors
/// It is none, something is missing or out of range, or a name is a path.
pub fn decode(bytes: &[u8]) -> Result<Request, Malformed> {
    let object = Object::decode(bytes)?;
    let peer_id = || peer_name(object.text(&["peer_id"])?);
    let token = || object.maybe_text(&["token"]).map(str::to_owned);
    match object.text(&["type"])? {
        "AUTH" => Ok(Request::Auth { peer_id: peer_id()? }),
        "REGISTER" => {
            let parts = |(name, parts): (&str, Option<u64>)| {
                let parts = parts.and_then(|parts| u32::try_from(parts).ok());
                let parts = parts.ok_or_else(|| {
                    Malformed::found(
                        "the file",
                        name.as_bytes(),
                        "named with a number of parts from 0 to 4294967295",
                    )
                })?;
                Ok((file_name(name)?, parts))
            };
            let files = object.names("files")?.into_iter().map(parts).collect::<Result<_, _>>()?;
            Ok(Request::Register { peer_id: peer_id()?, token: token(), port: object.port("port")?, files })
        }
        "PEER_LIST" => Ok(Request::PeerList {
            peer_id: peer_id()?,
            token: token(),
            file_name: object.text(&["file_name"])?.to_owned(),
        }),
        other => Err(Malformed::found("\"type\"", other.as_bytes(), "AUTH, REGISTER or PEER_LIST")),
    }
}

/// Appends a reply of at most [`REPLY_BYTES_MAX`] bytes.
pub fn encode(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Token(token) => {
            out.extend_from_slice(b"{\"status\":\"OK\",\"token\":");
            write_text(token, out);
            out.push(b'}');
        }
        Reply::Registered => out.extend_from_slice(b"{\"status\":\"REGISTERED\"}"),
        Reply::Peers { rows, total_parts } => {
            let bytes_max = out.len() + REPLY_BYTES_MAX;
            out.extend_from_slice(b"{\"peers\":[");
            let end = format!("],\"total_parts\":{total_parts}}}");
            write_rows(rows, bytes_max, ",", &end, out, |row, out| {
                out.extend_from_slice(b"{\"peer_id\":");
                write_text(&row.peer_id, out);
                out.extend_from_slice(
                    format!(",\"ip\":\"{}\",\"port\":{}}}", row.ip, row.port.get()).as_bytes(),
                );
            });
        }
        Reply::Fail { reason } => {
            out.extend_from_slice(b"{\"status\":\"FAIL\",\"reason\":");
            write_text(reason, out);
            out.push(b'}');
        }
    }
}

/// Appends a request.
pub fn encode_request(request: &Request, out: &mut Vec<u8>) {
    let token = |token: &Option<String>, out: &mut Vec<u8>| {
        if let Some(token) = token {
            out.extend_from_slice(b",\"token\":");
            write_text(token, out);
        }
    };
    match request {
        Request::Auth { peer_id } => {
            out.extend_from_slice(b"{\"type\":\"AUTH\",\"peer_id\":");
            write_text(peer_id, out);
        }
        Request::Register { peer_id, token: given, port, files } => {
            out.extend_from_slice(b"{\"type\":\"REGISTER\",\"peer_id\":");
            write_text(peer_id, out);
            token(given, out);
            out.extend_from_slice(format!(",\"port\":{},\"files\":{{", port.get()).as_bytes());
            write_rows(files, usize::MAX, ",", "}", out, |(name, parts), out| {
                write_text(name, out);
                out.extend_from_slice(format!(":{parts}").as_bytes());
            });
        }
        Request::PeerList { peer_id, token: given, file_name } => {
            out.extend_from_slice(b"{\"type\":\"PEER_LIST\",\"peer_id\":");
            write_text(peer_id, out);
            token(given, out);
            out.extend_from_slice(b",\"file_name\":");
            write_text(file_name, out);
        }
    }
    out.push(b'}');
}

/// Reads a reply: one whole JSON object.
///
/// # Errors
/// It is none that a tracker of this dialect gives.
pub fn decode_reply(bytes: &[u8]) -> Result<Reply, Malformed> {
    let object = Object::decode(bytes)?;
    match object.maybe_text(&["status"]) {
        Some("OK") => Ok(Reply::Token(object.text(&["token"])?.to_owned())),
        Some("REGISTERED") => Ok(Reply::Registered),
        Some("FAIL") => Ok(Reply::Fail {
            reason: object.maybe_text(&["reason"]).unwrap_or("it says no reason").to_owned(),
        }),
        Some(other) => Err(Malformed::found("\"status\"", other.as_bytes(), "OK, REGISTERED or FAIL")),
        None => {
            let row = |row: Object| {
                Ok(Row {
                    peer_id: peer_name(row.text(&["peer_id"])?)?,
                    ip: address(row.text(&["ip"])?)?,
                    port: row.port("port")?,
                })
            };
            let total_parts = object.maybe_number("total_parts")?.unwrap_or(0);
            let total_parts = u32::try_from(total_parts).map_err(|_| {
                Malformed::new(format!("\"total_parts\" `{total_parts}` is above {}", u32::MAX))
            })?;
            let rows = usable(object.list("peers")?.map(|listed| row(listed?)))?;
            Ok(Reply::Peers { rows, total_parts })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::NAMES_MAX;
    use super::*;

    fn port(port: u16) -> Port {
        Port::new(port).unwrap()
    }

    #[test]
    fn requests_are_as_clients_write_them() {
        for (bytes, request) in [
            (&br#"{"type":"AUTH","peer_id":"p1"}"#[..], Request::Auth { peer_id: "p1".into() }),
            (
                br#"{"type":"REGISTER","peer_id":"p1","token":"token_p1","port":8080,"files":{"document.pdf":5,"video.mp4":20}}"#,
                Request::Register {
                    peer_id: "p1".into(),
                    token: Some("token_p1".into()),
                    port: port(8080),
                    files: vec![("document.pdf".into(), 5), ("video.mp4".into(), 20)],
                },
            ),
            (
                br#"{"type":"PEER_LIST","peer_id":"p1","token":"token_p1","file_name":"document.pdf"}"#,
                Request::PeerList {
                    peer_id: "p1".into(),
                    token: Some("token_p1".into()),
                    file_name: "document.pdf".into(),
                },
            ),
        ] {
            assert_eq!(decode(bytes).as_ref(), Ok(&request));
            let mut out = Vec::new();
            encode_request(&request, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn replies_are_as_clients_read_them() {
        let row =
            |id: &str, last| Row { peer_id: id.into(), ip: [192, 168, 1, last].into(), port: port(8080) };
        for (reply, bytes) in [
            (Reply::Token("token_p1.x".into()), r#"{"status":"OK","token":"token_p1.x"}"#),
            (Reply::Registered, r#"{"status":"REGISTERED"}"#),
            (
                Reply::Peers { rows: vec![row("p2", 101)], total_parts: 5 },
                r#"{"peers":[{"peer_id":"p2","ip":"192.168.1.101","port":8080}],"total_parts":5}"#,
            ),
            (Reply::Peers { rows: vec![], total_parts: 0 }, r#"{"peers":[],"total_parts":0}"#),
            (Reply::Fail { reason: INVALID_TOKEN.into() }, r#"{"status":"FAIL","reason":"Invalid token"}"#),
        ] {
            let mut out = Vec::new();
            encode(&reply, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), bytes);
            assert_eq!(decode_reply(&out), Ok(reply));
        }
    }

    #[test]
    fn a_reply_fits_one_recv() {
        let rows = |n: u32| {
            let row =
                |at| Row { peer_id: format!("peer \"{at}\""), ip: [10, 0, 0, 1].into(), port: port(9000) };
            (0..n).map(row).collect::<Vec<_>>()
        };
        let mut out = Vec::new();
        encode(&Reply::Peers { rows: rows(1_000), total_parts: 7 }, &mut out);
        assert!((REPLY_BYTES_MAX - 80..=REPLY_BYTES_MAX).contains(&out.len()), "{}", out.len());
        let Ok(Reply::Peers { rows: told, total_parts: 7 }) = decode_reply(&out) else { panic!("{out:?}") };
        assert_eq!(told[..], rows(1_000)[..told.len()]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (bytes, expected) in [
            (r#"{"type":"AUTH"}"#, "\"peer_id\" is missing"),
            (r#"{"type":"HELLO"}"#, "\"type\" `HELLO` is not AUTH, REGISTER or PEER_LIST"),
            (r#"{"type":5}"#, "\"type\" `5` is not a text"),
            (
                r#"{"type":"REGISTER","peer_id":"p","port":99999,"files":{}}"#,
                "\"port\" `99999` is not a number from 1 to 65535",
            ),
            (
                r#"{"type":"REGISTER","peer_id":"p","port":1,"files":{"../x":1}}"#,
                "the file name `../x` is a path: give the name of a file alone",
            ),
            (
                r#"{"type":"REGISTER","peer_id":"p","port":1,"files":{"x":-1}}"#,
                "the file `x` is not named with a number of parts from 0 to 4294967295",
            ),
            (
                r#"{"type":"REGISTER","peer_id":"p","port":1,"files":7}"#,
                "\"files\" `7` is not names, as a list or with a number each",
            ),
        ] {
            assert_eq!(decode(bytes.as_bytes()).unwrap_err().reason(), expected, "{bytes}");
        }
        let many: Vec<String> = (0..100_000).map(|n| format!("\"{n}\":1")).collect();
        let many = format!(
            "{{\"type\":\"REGISTER\",\"peer_id\":\"p\",\"port\":1,\"files\":{{{}}}}}",
            many.join(",")
        );
        let fault = decode(many.as_bytes()).unwrap_err();
        assert!(
            fault.reason().ends_with("is not of 40000 values at most, 10000 names among them"),
            "{fault}"
        );
        let few: Vec<String> = (0..=NAMES_MAX).map(|n| format!("\"{n}\":1")).collect();
        let few =
            format!("{{\"type\":\"REGISTER\",\"peer_id\":\"p\",\"port\":1,\"files\":{{{}}}}}", few.join(","));
        assert_eq!(
            decode(few.as_bytes()).unwrap_err().reason(),
            "\"files\" has 10001 names; at most 10000 can be offered at once"
        );
    }

    #[test]
    fn a_wrong_token_is_none() {
        for token in ["", r#","token":5"#, r#","token":null"#] {
            let bytes = format!(r#"{{"type":"PEER_LIST","peer_id":"p"{token},"file_name":"a"}}"#);
            let expected = Request::PeerList { peer_id: "p".into(), token: None, file_name: "a".into() };
            assert_eq!(decode(bytes.as_bytes()), Ok(expected));
        }
    }

    #[test]
    fn names_are_short_and_harmless_whatever_is_asked() {
        let auth = |id: &str| decode(format!(r#"{{"type":"AUTH","peer_id":{id}}}"#).as_bytes());
        let long = format!("\"{}\"", "p".repeat(256));
        for id in [r#""""#, r#""a\u001b[2J""#, &long] {
            let fault = auth(id).unwrap_err();
            assert!(
                fault.reason().ends_with("is not 1 to 255 bytes long and without control characters"),
                "{fault}"
            );
        }
        assert!(auth(&long.replacen('p', "", 1)).is_ok());
        let asked = br#"{"type":"PEER_LIST","peer_id":"p","file_name":"../a"}"#;
        let expected = Request::PeerList { peer_id: "p".into(), token: None, file_name: "../a".into() };
        assert_eq!(decode(asked), Ok(expected), "a path is asked for in vain, and not refused");
    }

    #[test]
    fn another_trackers_list_is_read_as_far_as_it_can_be_used() {
        let list = r#"{"peers":[{"peer_id":"a","ip":"10.0.0.1","port":0},{"peer_id":"b","ip":"10.0.0.2","port":"8080"},7],"total_parts":"5"}"#;
        let b = Row { peer_id: "b".into(), ip: [10, 0, 0, 2].into(), port: port(8080) };
        assert_eq!(decode_reply(list.as_bytes()), Ok(Reply::Peers { rows: vec![b], total_parts: 5 }));
        let list = r#"{"peers":[{"peer_id":"a","ip":"10.0.0.1","port":0}],"total_parts":5}"#;
        let fault = decode_reply(list.as_bytes()).unwrap_err();
        assert_eq!(fault.reason(), "\"port\" `0` is not a number from 1 to 65535");
    }
}
