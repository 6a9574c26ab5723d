use std::fmt;

/// Bytes that are not what their protocol says they should be: the sender's fault, in words fit to send back.
///
/// The text quotes the offending part (shortened) and says what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(String);

/// How many bytes of somebody's input a message quotes at most.
const QUOTED_BYTES_MAX: usize = 64;

impl Malformed {
    /// A fault described by `reason`.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// A fault of `part`, which was `found` where `expected` would be right.
    pub fn found(part: &str, found: &[u8], expected: &str) -> Self {
        Self(format!("{part} `{}` is not {expected}", Quoted(found)))
    }

    /// The reason in words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// Somebody's bytes, made safe to print: at most [`QUOTED_BYTES_MAX`], printable ASCII as it is, the rest escaped.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(QUOTED_BYTES_MAX)];
        write!(f, "{}", shown.escape_ascii())?;
        if shown.len() < self.0.len() { f.write_str("…") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_is_short_and_printable() {
        let fault = Malformed::found("port", &[b'9'; 100], "a number from 1 to 65535");
        assert_eq!(fault.reason(), format!("port `{}…` is not a number from 1 to 65535", "9".repeat(64)));
        assert_eq!(Malformed::found("event", b"\x00x\n", "known").reason(), r"event `\x00x\n` is not known");
    }
}
