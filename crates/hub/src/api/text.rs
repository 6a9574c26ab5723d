//! Texts of strangers, made to fit where they go.

/// Characters of somebody's input that a message quotes at most.
const QUOTED_CHARS_MAX: usize = 64;

/// Somebody's text between backquotes, short and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let mut out = String::from("`");
    for c in chars.by_ref().take(QUOTED_CHARS_MAX) {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    if chars.next().is_some() {
        out.push('…');
    }
    out.push('`');
    out
}

/// The beginning of `text` that has at most `bytes_max` bytes and ends with a whole character.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `text` with all but RFC 3986's unreserved characters as `%XX`.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_is_short_and_printable() {
        assert_eq!(quoted("a\nb\u{1b}é"), r"`a\nb\u{1b}é`");
        assert_eq!(quoted(&"é".repeat(65)), format!("`{}…`", "é".repeat(64)));
    }

    #[test]
    fn a_cut_leaves_whole_characters() {
        assert_eq!(["", "aé", "é"].map(|text| cut(text, 2)), ["", "a", "é"]);
        assert_eq!(cut("é", 1), "");
    }

    #[test]
    fn what_has_a_meaning_in_an_address_is_encoded() {
        assert_eq!(percent_encoded("a-z é&\"/"), "a-z%20%C3%A9%26%22%2F");
    }
}
