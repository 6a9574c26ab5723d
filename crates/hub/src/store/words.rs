/// What somebody typed to find a torrent, as words.
///
/// A word is a run of letters and digits; everything else (blanks, dots, dashes, underscores, quotes, emoji) only
/// separates. The order of the words means nothing, and the last one may be the beginning of a longer one. Letter case
/// and accents are left to the store, which must ignore both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    text: String,
    words: Vec<String>,
}

impl Words {
    /// Bytes of the text that are looked at; what comes after is ignored.
    pub const TEXT_BYTES_MAX: usize = 1024;
    /// Different words that are looked for; of more, the last ones.
    pub const COUNT_MAX: usize = 32;

    /// The words of `text`; `None` if it is blank.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = cut(text.trim());
        if text.is_empty() {
            return None;
        }
        let mut words: Vec<String> = Vec::new();
        for word in text.split(|c| !is_part_of_word(c)).filter(|word| word.chars().any(char::is_alphanumeric))
        {
            // Of equal words the last place counts, for that is the one that may go on.
            words.retain(|known| known != word);
            words.push(word.to_owned());
        }
        if words.len() > Self::COUNT_MAX {
            words.drain(..words.len() - Self::COUNT_MAX);
        }
        Some(Self { text: text.to_owned(), words })
    }

    /// The text as typed, without blanks around it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The words, in letters as typed; empty if the text has none, as `***`, which finds only a torrent of that name.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

/// The beginning of `text`, at most [`Words::TEXT_BYTES_MAX`].
fn cut(text: &str) -> &str {
    let whole = |end: &usize| text.is_char_boundary(*end);
    let end = (0..=text.len().min(Words::TEXT_BYTES_MAX)).rev().find(whole);
    &text[..end.unwrap_or(0)]
}

/// Letters, digits, accents that stand by themselves, and what a private font makes of its private characters: the
/// classes that SQLite's `unicode61` tokenizer keeps together.
fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Words::new(text).map_or(Vec::new(), |words| words.words)
    }

    #[test]
    fn all_that_is_no_letter_or_digit_separates() {
        assert_eq!(words("Debian-12.5_amd64 (DVD)"), ["Debian", "12", "5", "amd64", "DVD"]);
        assert_eq!(words("\"a\" AND NEAR(b* \0 ^c:d🎉e"), ["a", "AND", "NEAR", "b", "c", "d", "e"]);
        assert_eq!(words("cafe\u{301}s Größe 日本"), ["cafe\u{301}s", "Größe", "日本"]);
    }

    #[test]
    fn a_blank_text_is_none_and_one_without_words_is_itself() {
        assert_eq!(Words::new(" \t"), None);
        let odd = Words::new(" *** ").unwrap();
        assert_eq!((odd.text(), odd.words()), ("***", &[][..]));
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(words(&"é".repeat(5000))[0].len(), Words::TEXT_BYTES_MAX);
        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(words(&many.join(" ")), many[68..]);
    }

    #[test]
    fn a_word_twice_is_one_word_in_its_last_place() {
        assert_eq!(words("a b a"), ["b", "a"]);
    }
}
