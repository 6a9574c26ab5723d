//! What a server answers to the request for a part of a file, and whether it is that part.

use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, CONTENT_RANGE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::Trouble;
use super::layout::Segment;
use crate::announce::words;

/// Bytes that are read and thrown away, at most, to come to the wanted part of a file that is sent whole because the
/// server does not know ranges.
const SKIP_BYTES_MAX: u64 = 16 << 20;

/// A response while it is read.
#[derive(Debug)]
pub(super) struct Reading {
    /// Bytes of the file before the wanted ones.
    skip: u64,
    /// Wanted bytes that have not come yet.
    left: u64,
    wanted: u64,
    /// Whether bytes may follow the wanted ones: the file's rest.
    whole: bool,
}

impl Reading {
    /// Judges the response by its head.
    pub(super) fn begin(response: &Response, segment: &Segment) -> Result<Self, Trouble> {
        let (status, headers) = (response.status(), response.headers());
        let encoding = text(headers, CONTENT_ENCODING.as_str());
        if let Some(encoding) = encoding.filter(|encoding| *encoding != "identity") {
            return Err(wrong(response, &format!("it is sent as `{encoding}`, not as it is")));
        }
        let length = response.content_length();
        let whole = match status {
            StatusCode::PARTIAL_CONTENT => {
                judge_range(response, segment)?;
                false
            }
            StatusCode::OK if length.is_some_and(|length| length != segment.file_length) => {
                return Err(wrong_length(response, length.unwrap_or(0), segment));
            }
            StatusCode::OK if segment.begin > SKIP_BYTES_MAX => {
                return Err(wrong(response, "the server sends no parts of it"));
            }
            StatusCode::OK => true,
            _ => return Err(refused(response)),
        };
        let skip = if whole { segment.begin } else { 0 };
        Ok(Self { skip, left: segment.length, wanted: segment.length, whole })
    }

    /// The wanted bytes of `chunk`, the next that has come.
    pub(super) fn take<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], Trouble> {
        let skipped = self.skip.min(len(chunk));
        self.skip -= skipped;
        // Not more than the chunk's length.
        let chunk = &chunk[usize::try_from(skipped).unwrap_or(chunk.len())..];
        if len(chunk) > self.left && !self.whole {
            return Err(Trouble::Wrong(format!("more than the {} bytes that were asked for", self.wanted)));
        }
        let taken = &chunk[..usize::try_from(self.left).unwrap_or(chunk.len()).min(chunk.len())];
        self.left -= len(taken);
        Ok(taken)
    }

    /// Whether all has come, and the connection may be given up if more follows.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0 && self.whole
    }

    pub(super) fn finish(self) -> Result<(), Trouble> {
        if self.left == 0 {
            return Ok(());
        }
        let (wanted, came) = (self.wanted, self.wanted - self.left);
        Err(Trouble::Wrong(format!("{came} bytes instead of the {wanted} that were asked for")))
    }
}

/// Whether a 206 is the part that was asked for, of a file of the right length.
fn judge_range(response: &Response, segment: &Segment) -> Result<(), Trouble> {
    let last = segment.begin + segment.length - 1;
    let Some(found) = text(response.headers(), CONTENT_RANGE.as_str()) else {
        return Err(wrong(response, "a part of it comes without its place"));
    };
    let parts = found.trim().strip_prefix("bytes").and_then(|rest| {
        let (range, total) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        Some((first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?, total.trim()))
    });
    match parts {
        Some((first, end, total)) if (first, end) == (segment.begin, last) => match total.parse() {
            Ok(total) if total != segment.file_length => Err(wrong_length(response, total, segment)),
            // `*`: the server does not know.
            _ => Ok(()),
        },
        _ => Err(wrong(
            response,
            &format!("`{}` comes instead of bytes {}-{last}", words::plain(found), segment.begin),
        )),
    }
}

fn refused(response: &Response) -> Trouble {
    let status = response.status();
    let passing = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if !passing {
        return wrong(response, &format!("HTTP status {status}"));
    }
    let wait = text(response.headers(), RETRY_AFTER.as_str()).and_then(|secs| secs.trim().parse().ok());
    Trouble::Passing(format!("HTTP status {status}"), wait.map(Duration::from_secs))
}

fn wrong_length(response: &Response, found: u64, segment: &Segment) -> Trouble {
    let expected = segment.file_length;
    wrong(response, &format!("it has {found} bytes there, and {expected} in the torrent"))
}

fn wrong(response: &Response, why: &str) -> Trouble {
    Trouble::Wrong(format!("`{}`: {why}", words::plain(response.url().path())))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
