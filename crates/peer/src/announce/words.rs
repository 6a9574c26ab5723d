//! What trackers and servers say, made fit to be shown.

use std::error::Error;

use crate::trust::distrust;

/// Characters of a stranger's text that are shown at most.
const SHOWN_CHARS_MAX: usize = 300;

/// `text` on one line, without what could move a cursor or turn the direction of writing, and not too long.
pub(crate) fn plain(text: &str) -> String {
    let mut chars = text.trim().chars();
    let mut plain: String = chars.by_ref().take(SHOWN_CHARS_MAX).map(harmless).collect();
    if chars.next().is_some() {
        plain.push('…');
    }
    plain
}

fn harmless(char: char) -> char {
    let turns = matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if char.is_control() || turns || matches!(char, '\u{2028}' | '\u{2029}') { ' ' } else { char }
}

/// Why an HTTP exchange failed: the innermost cause, which is the one that a person can do something about.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return (if error.is_connect() { "no connection in time" } else { "no answer in time" }).to_owned();
    }
    if let Some(why) = distrust(error) {
        return plain(&why);
    }
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    // The URL and its escapes are in the outermost only, and nobody reads them.
    let words = innermost.to_string();
    let words = words.split(" for url (").next().unwrap_or(&words);
    plain(&if error.is_connect() { format!("cannot connect: {words}") } else { words.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_cannot_write_on_the_terminal() {
        assert_eq!(plain(" not\x1b[2J allowed\r\n\u{202e}here "), "not [2J allowed   here");
        let long = plain(&"é".repeat(1000));
        assert_eq!(long.chars().count(), SHOWN_CHARS_MAX + 1);
        assert!(long.ends_with('…'));
    }
}
