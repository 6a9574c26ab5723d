//! The head of a request: found in bytes, and the few facts in it that matter here.

use std::mem::MaybeUninit;

use httparse::{Error, Header, Status};

/// Headers that a request may have.
pub(super) const HEADERS_MAX: usize = 100;

/// Where [`parse`] puts the headers. Made for each call: it costs nothing, as nothing is written into it.
pub(super) type HeaderRoom<'b> = [MaybeUninit<Header<'b>>; HEADERS_MAX];

/// What stands at the front of some bytes.
#[derive(Debug)]
pub(super) enum Front<'h, 'b> {
    /// A whole head.
    Head(Head<'h, 'b>),
    /// The beginning of one, perhaps.
    Beginning,
    /// None, and none whatever follows.
    Fault(Fault),
}

/// The head of a request.
#[derive(Debug)]
pub(super) struct Head<'h, 'b> {
    /// Its length in bytes, the empty line included.
    pub(super) bytes: usize,
    pub(super) method: &'b str,
    /// Path and query, or a whole address.
    pub(super) target: &'b [u8],
    pub(super) persistence: Persistence,
    /// Whether a body follows it.
    pub(super) body: bool,
    pub(super) user_agent: Option<&'b [u8]>,
    /// Whether JSON is among what the client accepts.
    pub(super) accepts_json: bool,
    headers: &'h [Header<'b>],
}

/// What becomes of the connection after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistence {
    /// It stays, which need not be said (HTTP/1.1).
    Stays,
    /// It stays, which must be said (HTTP/1.0).
    StaysIfSaid,
    /// It is closed.
    Closes,
}

/// Why bytes are no request that is read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// They are no HTTP.
    NoHttp,
    /// Another version than HTTP/1.0 or HTTP/1.1.
    Version,
    /// More bytes than a head may have.
    TooLong,
    /// More headers than [`HEADERS_MAX`].
    TooManyHeaders,
}

impl Head<'_, '_> {
    /// The values of the headers called `name`, in order.
    pub(super) fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        self.headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    }
}

/// Looks for a head of at most `bytes_max` at the front of `bytes`.
pub(super) fn parse<'h, 'b>(
    bytes: &'b [u8],
    room: &'h mut HeaderRoom<'b>,
    bytes_max: usize,
) -> Front<'h, 'b> {
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, room) {
        Ok(Status::Complete(length)) if length <= bytes_max => length,
        Ok(Status::Partial) if bytes.len() < bytes_max => return Front::Beginning,
        Ok(_) => return Front::Fault(Fault::TooLong),
        Err(Error::TooManyHeaders) => return Front::Fault(Fault::TooManyHeaders),
        Err(Error::Version) => return Front::Fault(Fault::Version),
        Err(_) => return Front::Fault(Fault::NoHttp),
    };
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Front::Fault(Fault::NoHttp);
    };
    let mut head = Head {
        bytes: length,
        method,
        target: target.as_bytes(),
        persistence: if version == 0 { Persistence::Closes } else { Persistence::Stays },
        body: false,
        user_agent: None,
        accepts_json: false,
        headers: request.headers,
    };
    head.notice(version);
    Front::Head(head)
}

impl Head<'_, '_> {
    fn notice(&mut self, version: u8) {
        let mut close = false;
        for header in self.headers {
            // Most headers are told apart by their lengths alone.
            match header.name.len() {
                6 if header.name.eq_ignore_ascii_case("accept") => {
                    self.accepts_json |= accepts_json(header.value);
                }
                10 if header.name.eq_ignore_ascii_case("user-agent") => self.user_agent = Some(header.value),
                10 if header.name.eq_ignore_ascii_case("connection") => {
                    for token in tokens(header.value) {
                        close |= is(token, b"close");
                        if version == 0 && is(token, b"keep-alive") {
                            self.persistence = Persistence::StaysIfSaid;
                        }
                    }
                }
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    self.body |= header.value.trim_ascii() != b"0";
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => self.body = true,
                _ => {}
            }
        }
        if close {
            self.persistence = Persistence::Closes;
        }
    }
}

/// Whether JSON is among what the value of an `Accept` header names.
pub(super) fn accepts_json(value: &[u8]) -> bool {
    tokens(value).any(|token| is(token, b"application/json"))
}

/// The words of a list, without what follows a `;`.
fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',')
        .map(|item| item.split(|&byte| byte == b';').next().unwrap_or(item).trim_ascii())
}

fn is(token: &[u8], word: &[u8]) -> bool {
    token.eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(head: &str, look: impl FnOnce(Front<'_, '_>) -> T) -> T {
        look(parse(head.as_bytes(), &mut [const { MaybeUninit::uninit() }; HEADERS_MAX], 8192))
    }

    fn head<T>(text: &str, look: impl FnOnce(Head<'_, '_>) -> T) -> T {
        with(text, |front| match front {
            Front::Head(head) => look(head),
            other => panic!("{text}: {other:?}"),
        })
    }

    #[test]
    fn the_facts_of_a_head_are_noticed() {
        let text = "GET /announce?a=%00 HTTP/1.1\r\nHost: x\r\nuser-agent: t/1\r\nACCEPT: text/html, application/json;q=1\r\n\r\nmore";
        head(text, |head| {
            assert_eq!((head.method, head.target), ("GET", &b"/announce?a=%00"[..]));
            assert_eq!(head.bytes, text.len() - 4);
            assert_eq!(head.user_agent, Some(&b"t/1"[..]));
            assert!(head.accepts_json && !head.body);
            assert_eq!(head.values("host").collect::<Vec<_>>(), [b"x"]);
        });
    }

    #[test]
    fn whether_the_connection_stays() {
        for (version, connection, persistence) in [
            ("1.1", "", Persistence::Stays),
            ("1.1", "Connection: keep-alive\r\n", Persistence::Stays),
            ("1.1", "Connection: close\r\n", Persistence::Closes),
            ("1.1", "connection: TE, Close\r\n", Persistence::Closes),
            ("1.1", "Connection: close\r\nConnection: keep-alive\r\n", Persistence::Closes),
            ("1.0", "", Persistence::Closes),
            ("1.0", "Connection: Keep-Alive\r\n", Persistence::StaysIfSaid),
            ("1.0", "Connection: keep-alive, close\r\n", Persistence::Closes),
        ] {
            let text = format!("GET / HTTP/{version}\r\n{connection}\r\n");
            head(&text, |head| assert_eq!(head.persistence, persistence, "{text}"));
        }
    }

    #[test]
    fn a_body_is_noticed() {
        for (header, body) in [
            ("", false),
            ("Content-Length: 0\r\n", false),
            ("Content-Length: 5\r\n", true),
            ("Content-Length: x\r\n", true),
            ("Content-Length: 0\r\ncontent-length: 7\r\n", true),
            ("Transfer-Encoding: chunked\r\n", true),
        ] {
            let text = format!("GET / HTTP/1.1\r\n{header}\r\n");
            head(&text, |head| assert_eq!(head.body, body, "{text}"));
        }
    }

    #[test]
    fn what_is_no_head_is_told_apart() {
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(8192));
        let endless = "GET /".to_owned() + &"x".repeat(8192);
        for (text, fault) in [
            ("\x16\x03\x01\x02", Fault::NoHttp),
            ("GET / HTTP/2.0\r\n\r\n", Fault::Version),
            ("GET /\u{0} HTTP/1.1\r\n\r\n", Fault::NoHttp),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", Fault::NoHttp),
            ("GET / HTTP/1.1\r\na: b\r\n folded\r\n\r\n", Fault::NoHttp),
            (&many, Fault::TooManyHeaders),
            (&long, Fault::TooLong),
            (&endless, Fault::TooLong),
        ] {
            with(text, |front| {
                let Front::Fault(found) = front else { panic!("{front:?}") };
                assert_eq!(found, fault, "{text}");
            });
        }
        with("GET /announce HTTP/1.1\r\nHost:", |front| assert!(matches!(front, Front::Beginning)));
    }
}
