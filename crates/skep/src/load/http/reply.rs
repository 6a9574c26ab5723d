use wire::http::{AnnounceReply, ScrapeReply, decode_announce_reply, decode_scrape_reply};

use super::super::ask::{Ask, scraped};
use super::super::check::{Checker, Fault, Told, fault};
use super::super::population::Population;

/// Longest head and body of a reply that is read, in bytes.
pub(super) const REPLY_BYTES_MAX: usize = 256 * 1024;
const HEADERS_MAX: usize = 32;

/// What lies between the start of a reply and the start of the next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) status: u16,
    pub(super) body_at: usize,
    /// Where it ends; `None` if the end of the connection is its end.
    pub(super) end: Option<usize>,
    /// Whether the connection may be used again.
    pub(super) keep: bool,
}

/// Reads the head of a reply; `None` if it is not all there yet.
pub(super) fn frame(bytes: &[u8]) -> Result<Option<Frame>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let body_at = match head.parse(bytes) {
        Ok(httparse::Status::Complete(body_at)) => body_at,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return fault("a malformed reply", || format!("its head has {error}")),
    };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    if let Some(coding) = header("transfer-encoding") {
        return fault("a reply in pieces", || format!("transfer-encoding `{coding}` is not read here"));
    }
    let end = match header("content-length").map(str::parse::<usize>) {
        Some(Ok(length)) if length <= REPLY_BYTES_MAX => Some(body_at + length),
        Some(_) => return fault("a malformed reply", || "its content-length is no sane number".into()),
        None => None,
    };
    let persistent = match header("connection") {
        Some(word) if word.eq_ignore_ascii_case("close") => false,
        Some(word) if word.eq_ignore_ascii_case("keep-alive") => true,
        _ => head.version == Some(1),
    };
    Ok(Some(Frame { status: head.code.unwrap_or(0), body_at, end, keep: persistent && end.is_some() }))
}

/// What came of a request.
pub(super) enum Verdict {
    /// An answer, right as far as it was looked at.
    Right,
    /// The tracker said no, in these words.
    Refused(String),
    /// An answer that is wrong.
    Wrong(Fault),
}

/// Reads a reply's body, all of it only if there is a checker.
pub(super) fn judge(
    ask: Ask,
    status: u16,
    body: &[u8],
    population: &Population,
    checker: Option<&mut Checker>,
) -> Verdict {
    if status != 200 {
        return Verdict::Refused(format!("HTTP status {status}"));
    }
    if checker.is_none() && !body.starts_with(b"d14:failure reason") {
        return if body.starts_with(b"d") { Verdict::Right } else { malformed(&"it is no dictionary") };
    }
    let result = match ask {
        Ask::Announce(peer, event) => match decode_announce_reply(body) {
            Err(error) => return malformed(&error),
            Ok(AnnounceReply::Failure(failure)) => return Verdict::Refused(failure.reason),
            Ok(AnnounceReply::Answer(answer)) => {
                let (Some(complete), Some(incomplete)) = (answer.complete, answer.incomplete) else {
                    let what = "an answer without counts";
                    return Verdict::Wrong(Fault { what, detail: format!("{peer:?}") });
                };
                let told = Told { interval: answer.interval.unwrap_or(0), complete, incomplete };
                let peers = answer.peers.iter().map(|(endpoint, _)| *endpoint);
                checker.map_or(Ok(()), |checker| checker.announce(peer, event, told, peers))
            }
        },
        Ask::Scrape(first) => match decode_scrape_reply(body) {
            Err(error) => return malformed(&error),
            Ok(ScrapeReply::Failure(failure)) => return Verdict::Refused(failure.reason),
            Ok(ScrapeReply::Answer(answer)) => {
                let counts: Vec<_> = scraped(first, population)
                    .map(|torrent| {
                        let hash = population.hash(torrent);
                        let known = answer.files.iter().find(|(known, _)| *known == hash);
                        known.map(|(_, counts)| *counts).unwrap_or_default()
                    })
                    .collect();
                checker.map_or(Ok(()), |checker| checker.scrape(first, counts.into_iter()))
            }
        },
        Ask::Connect => Ok(()),
    };
    result.map_or_else(Verdict::Wrong, |()| Verdict::Right)
}

fn malformed(error: &dyn std::fmt::Display) -> Verdict {
    Verdict::Wrong(Fault { what: "a malformed reply", detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_say_where_a_reply_ends() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nde";
        for short in 0..whole.len() - 2 {
            assert_eq!(frame(&whole[..short]).unwrap(), None);
        }
        let read = |text: &str| frame(text.as_bytes()).unwrap().unwrap();
        let got = frame(whole).unwrap().unwrap();
        assert_eq!(got, Frame { status: 200, body_at: 38, end: Some(40), keep: true });
        assert!(!read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\n").keep);
        assert!(!read("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n").keep);
        assert!(read("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n").keep);
        let endless = read("HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!((endless.end, endless.keep), (None, false));
    }

    #[test]
    fn frames_that_cannot_be_read_are_faults() {
        assert!(frame(b"SMTP\r\n\r\n").is_err());
        assert!(frame(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(frame(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").is_err());
        assert!(frame(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n").is_err());
    }
}
