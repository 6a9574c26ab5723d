//! Percent-encoding (RFC 3986).

use std::fmt::Write as _;

/// Appends `bytes` to `out`, with all but unreserved characters as `%XX`.
pub(crate) fn percent(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_but_the_unreserved_is_escaped() {
        let mut out = String::from("/");
        super::percent("a~ b/ü%?#+".as_bytes(), &mut out);
        assert_eq!(out, "/a~%20b%2F%C3%BC%25%3F%23%2B");
    }
}
