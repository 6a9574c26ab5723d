//! What stands around the body of an answer.

use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

use super::head::Persistence;

/// The last second of the year 9999, beyond which an HTTP date has no room for the year.
const UNIX_SECS_MAX: u64 = 253_402_300_799;

/// The `Date` of answers (RFC 9110 §6.6.1), put into words once a second.
#[derive(Debug)]
pub(super) struct Date {
    unix_secs: i64,
    words: String,
}

impl Date {
    pub(super) fn of(unix_secs: i64) -> Self {
        let secs = u64::try_from(unix_secs).unwrap_or(0).min(UNIX_SECS_MAX);
        let words = HttpDate::from(UNIX_EPOCH + Duration::from_secs(secs)).to_string();
        Self { unix_secs, words }
    }

    /// To be told the time before each batch of answers.
    pub(super) fn tick(&mut self, unix_secs: i64) {
        if unix_secs != self.unix_secs {
            *self = Self::of(unix_secs);
        }
    }
}

/// Appends the head of an answer in plain text.
pub(super) fn write_head(
    status: &str,
    date: &Date,
    body_bytes: usize,
    persistence: Persistence,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b"\r\nDate: ");
    out.extend_from_slice(date.words.as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: text/plain\r\nContent-Length: ");
    // Writing to a `Vec` cannot fail.
    let _ = write!(out, "{body_bytes}");
    out.extend_from_slice(match persistence {
        Persistence::Stays => b"\r\n\r\n",
        Persistence::StaysIfSaid => b"\r\nConnection: keep-alive\r\n\r\n",
        Persistence::Closes => b"\r\nConnection: close\r\n\r\n",
    });
}

/// Appends an answer after which the connection is closed.
pub(super) fn write_error(status: &str, date: &Date, reason: &str, out: &mut Vec<u8>) {
    write_head(status, date, reason.len() + 1, Persistence::Closes, out);
    out.extend_from_slice(reason.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_the_words_of_the_standard() {
        let mut date = Date::of(784_111_777);
        assert_eq!(date.words, "Sun, 06 Nov 1994 08:49:37 GMT");
        date.tick(784_111_778);
        assert_eq!(date.words, "Sun, 06 Nov 1994 08:49:38 GMT");
    }

    #[test]
    fn clocks_that_are_wrong_harm_nobody() {
        assert_eq!(Date::of(-1).words, Date::of(0).words);
        assert_eq!(Date::of(i64::MAX).words, "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
