//! As much of an HTTP client as tests need: one request a connection, the answer as it came.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use serde_json::Value;

use crate::lan::Host;

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body, with its transfer coding taken off.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body; `target` is path and query as they go over the wire.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds the token that a bearer shows.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Gives it a body.
    #[must_use]
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = self.header("Content-Type", content_type);
        request.body = body.into();
        request
    }

    /// Gives it a JSON body.
    #[must_use]
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// Sends it from `host` to the server at `to` and reads the answer.
    ///
    /// # Errors
    /// Those of the connection, and `InvalidData` for an answer that is not HTTP/1.1.
    pub fn send(&self, host: &Host, to: SocketAddr) -> io::Result<Response> {
        let mut stream = host.connect(to)?;
        stream.write_all(&self.encode(to))?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Response::decode(&answer).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: `{}`", answer.escape_ascii()))
        })
    }

    fn encode(&self, to: SocketAddr) -> Vec<u8> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method != "GET" {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl Response {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}, `{}` is not JSON: {error}", self.status, self.text()))
    }

    /// The first header of this name, which is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reads a whole answer, which the end of the connection has ended.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let head_len = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..head_len]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let headers = lines
            .map(|line| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())))
            .collect::<Option<Vec<_>>>()?;
        let mut response = Self { status, headers, body: bytes[head_len + 4..].to_vec() };
        if response.header("transfer-encoding") == Some("chunked") {
            response.body = unchunked(&response.body)?;
        }
        let stated = response.header("content-length").map(str::parse::<usize>);
        match stated {
            Some(Ok(len)) if len != response.body.len() => None,
            Some(Err(_)) => None,
            _ => Some(response),
        }
    }
}

/// Takes off the chunked transfer coding (RFC 9112 §7.1); `None` if the last chunk is not there.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_len = rest.windows(2).position(|window| window == b"\r\n")?;
        let len = usize::from_str_radix(std::str::from_utf8(&rest[..line_len]).ok()?, 16).ok()?;
        if len == 0 {
            return Some(body);
        }
        let start = line_len + 2;
        body.extend_from_slice(rest.get(start..start.checked_add(len)?)?);
        rest = rest.get(start + len + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let plain = Response::decode(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi").unwrap();
        assert_eq!((plain.status, plain.header("x-a"), plain.text().as_str()), (200, Some("b"), "hi"));
        let chunked = b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(Response::decode(chunked).unwrap().body, b"abc0123456789");
        assert_eq!(Response::decode(&chunked[..chunked.len() - 6]), None);
        assert_eq!(Response::decode(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi"), None);
        assert_eq!(Response::decode(b"hello"), None);
    }
}
