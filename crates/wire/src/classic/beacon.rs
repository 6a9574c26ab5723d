//! `beacon`: JSON over UDP, a datagram a message.
//!
//! A peer is its source address and the port it names: the port that a datagram comes from is another one each time.

use serde_json::Value;
use swarm::{Endpoint, Port};

use super::json::{Object, number, write_rows, write_text};
use super::{REQUEST_BYTES_MAX, address, file_name, usable};
use crate::Malformed;

/// What a client's one `recv` takes.
pub const REPLY_BYTES_MAX: usize = 1_024;

/// How often a client says that it is still there, in seconds.
pub const HEARTBEAT_SECS: u64 = 10;

/// What a client says to the tracker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// It offers a file, beside those it offers already. No answer.
    Register {
        /// The file.
        filename: String,
        /// Where it gives it away.
        port: Port,
    },
    /// It would like to know who has a file.
    Request {
        /// The file.
        filename: String,
    },
    /// It is still there. No answer.
    Heartbeat {
        /// Where it gives files away.
        port: Port,
    },
    /// It goes. No answer.
    Exit {
        /// Where it gave files away.
        port: Port,
    },
}

/// Reads a datagram.
///
/// # Errors
/// It is none of this dialect, or something is missing or out of range. Such a datagram is not answered.
pub fn decode(bytes: &[u8]) -> Result<Request, Malformed> {
    let object = Object::decode(bytes)?;
    match object.text(&["action"])? {
        "REGISTER" => Ok(Request::Register {
            filename: file_name(object.text(&["filename"])?)?,
            port: object.port("port")?,
        }),
        "REQUEST" => Ok(Request::Request { filename: file_name(object.text(&["filename"])?)? }),
        "HEARTBEAT" => Ok(Request::Heartbeat { port: object.port("port")? }),
        "EXIT" => Ok(Request::Exit { port: object.port("port")? }),
        other => {
            Err(Malformed::found("\"action\"", other.as_bytes(), "REGISTER, REQUEST, HEARTBEAT or EXIT"))
        }
    }
}

/// Appends the answer to [`Request::Request`]: as many of `holders` as fit [`REPLY_BYTES_MAX`] bytes.
pub fn encode(holders: impl IntoIterator<Item = Endpoint>, out: &mut Vec<u8>) {
    let bytes_max = out.len() + REPLY_BYTES_MAX;
    out.push(b'[');
    write_rows(holders, bytes_max, ", ", "]", out, |holder, out| {
        out.extend_from_slice(format!("[\"{}\", {}]", holder.ip(), holder.port().get()).as_bytes());
    });
}

/// Appends a datagram.
pub fn encode_request(request: &Request, out: &mut Vec<u8>) {
    let (action, filename, port) = match request {
        Request::Register { filename, port } => ("REGISTER", Some(filename), Some(port)),
        Request::Request { filename } => ("REQUEST", Some(filename), None),
        Request::Heartbeat { port } => ("HEARTBEAT", None, Some(port)),
        Request::Exit { port } => ("EXIT", None, Some(port)),
    };
    out.extend_from_slice(format!("{{\"action\":\"{action}\"").as_bytes());
    if let Some(filename) = filename {
        out.extend_from_slice(b",\"filename\":");
        write_text(filename, out);
    }
    if let Some(port) = port {
        out.extend_from_slice(format!(",\"port\":{}", port.get()).as_bytes());
    }
    out.push(b'}');
}

/// Reads the answer to [`Request::Request`].
///
/// # Errors
/// It is no list of addresses and ports.
pub fn decode_reply(bytes: &[u8]) -> Result<Vec<Endpoint>, Malformed> {
    let wrong = || Malformed::found("the reply", bytes, "a list of addresses and ports");
    if bytes.len() > REQUEST_BYTES_MAX {
        return Err(wrong());
    }
    let rows: Vec<Value> = serde_json::from_slice(bytes).map_err(|_| wrong())?;
    usable(rows.iter().map(|row| match row.as_array().map(Vec::as_slice) {
        Some([Value::String(ip), port]) => {
            let port = number(port).and_then(|port| u16::try_from(port).ok()).and_then(Port::new);
            Ok(Endpoint::new(address(ip)?, port.ok_or_else(wrong)?))
        }
        _ => Err(wrong()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(port: u16) -> Port {
        Port::new(port).unwrap()
    }

    fn holder(last: u8, at: u16) -> Endpoint {
        Endpoint::new([10, 0, 0, last].into(), port(at))
    }

    #[test]
    fn datagrams_are_as_clients_write_them() {
        for (bytes, request) in [
            (
                r#"{"action":"REGISTER","filename":"a b.mkv","port":6001}"#,
                Request::Register { filename: "a b.mkv".into(), port: port(6001) },
            ),
            (r#"{"action":"REQUEST","filename":"a b.mkv"}"#, Request::Request { filename: "a b.mkv".into() }),
            (r#"{"action":"HEARTBEAT","port":6001}"#, Request::Heartbeat { port: port(6001) }),
            (r#"{"action":"EXIT","port":6001}"#, Request::Exit { port: port(6001) }),
        ] {
            assert_eq!(decode(bytes.as_bytes()).as_ref(), Ok(&request));
            let mut out = Vec::new();
            encode_request(&request, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), bytes);
        }
        // As Python's `json.dumps` has it.
        let spaced = br#"{"action": "EXIT", "port": 6001}"#;
        assert_eq!(decode(spaced), Ok(Request::Exit { port: port(6001) }));
    }

    #[test]
    fn holders_are_as_clients_read_them() {
        let mut out = Vec::new();
        encode([holder(5, 6001), holder(9, 6002)], &mut out);
        assert_eq!(String::from_utf8_lossy(&out), r#"[["10.0.0.5", 6001], ["10.0.0.9", 6002]]"#);
        assert_eq!(decode_reply(&out).unwrap(), [holder(5, 6001), holder(9, 6002)]);
        let mut out = Vec::new();
        encode([], &mut out);
        assert_eq!(out, b"[]");
        assert_eq!(decode_reply(&out).unwrap(), []);
    }

    #[test]
    fn an_answer_fits_one_recv() {
        let mut out = Vec::new();
        encode((0..200).map(|last| holder(last, 60_000)), &mut out);
        assert!((REPLY_BYTES_MAX - 30..=REPLY_BYTES_MAX).contains(&out.len()), "{}", out.len());
        assert_eq!(decode_reply(&out).unwrap()[0], holder(0, 60_000));
    }

    #[test]
    fn another_trackers_list_is_read_as_far_as_it_can_be_used() {
        let list = br#"[["10.0.0.5", 0], ["host", 1], ["10.0.0.9", "6002"], 7]"#;
        assert_eq!(decode_reply(list).unwrap(), [holder(9, 6002)]);
        for (list, expected) in [
            (&br#"[["host", 1]]"#[..], "the address `host` is not an IP address"),
            (b"{}", "the reply `{}` is not a list of addresses and ports"),
            (b"[[]]", "the reply `[[]]` is not a list of addresses and ports"),
        ] {
            assert_eq!(decode_reply(list).unwrap_err().reason(), expected);
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (bytes, expected) in [
            (&b"hello"[..], "the message `hello` is not a JSON object"),
            (
                br#"{"action":"REQUEST","filename":"../a"}"#,
                "the file name `../a` is a path: give the name of a file alone",
            ),
            (br#"{"action":"SHOUT"}"#, "\"action\" `SHOUT` is not REGISTER, REQUEST, HEARTBEAT or EXIT"),
            (br#"{"action":"EXIT","port":0}"#, "\"port\" `0` is not a number from 1 to 65535"),
            (
                br#"{"action":"REGISTER","filename":"/etc/passwd","port":1}"#,
                "the file name `/etc/passwd` is a path: give the name of a file alone",
            ),
        ] {
            assert_eq!(decode(bytes).unwrap_err().reason(), expected);
        }
    }
}
