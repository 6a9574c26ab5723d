//! Python literals, read as data: lists, dicts, tuples, integers and strings. Nothing is ever evaluated.

use crate::Malformed;

/// How deep a literal may be nested.
const DEPTH_MAX: usize = 16;

/// The most values in a literal, whatever they are: a list of a gigabyte's chunks has two thousand.
const VALUES_MAX: usize = 200_000;

/// What a literal stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// `None`, `True`, `False`.
    Word(&'static str),
    /// `42`
    Integer(i64),
    /// `'text'`, `"text"`, with escapes.
    Text(String),
    /// `[…]` and `(…)`.
    List(Vec<Self>),
    /// `{key: value, …}`
    Dict(Vec<(Self, Self)>),
}

/// Reads a literal that takes up all of `text`.
///
/// # Errors
/// It is none of those, is nested deeper than 16 times, or has more than 200,000 values.
pub fn literal(text: &str) -> Result<Literal, Malformed> {
    let mut reader = Reader { text, at: 0, values: 0 };
    let read = reader.value(0)?;
    reader.blanks();
    match reader.peek() {
        None => Ok(read),
        Some(_) => Err(reader.wrong("the end of the literal")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Literal, Malformed> {
        self.values += 1;
        if depth > DEPTH_MAX {
            return Err(Malformed::new(format!("the literal is nested deeper than {DEPTH_MAX} times")));
        }
        if self.values > VALUES_MAX {
            return Err(Malformed::new(format!("the literal has more than {VALUES_MAX} values")));
        }
        self.blanks();
        match self.peek() {
            Some(b'[') => self.list(b']', depth),
            Some(b'(') => self.list(b')', depth),
            Some(b'{') => self.dict(depth),
            Some(quote @ (b'\'' | b'"')) => self.text(quote).map(Literal::Text),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            _ => {
                for word in ["None", "True", "False"] {
                    if self.rest().starts_with(word) {
                        self.at += word.len();
                        return Ok(Literal::Word(word));
                    }
                }
                Err(self.wrong("a list, a dict, a tuple, an integer or a string"))
            }
        }
    }

    fn list(&mut self, end: u8, depth: usize) -> Result<Literal, Malformed> {
        self.at += 1;
        let mut values = Vec::new();
        loop {
            self.blanks();
            if self.take(end) {
                return Ok(Literal::List(values));
            }
            values.push(self.value(depth + 1)?);
            self.blanks();
            if !self.take(b',') && self.peek() != Some(end) {
                return Err(self.wrong("a comma or the end of the list"));
            }
        }
    }

    fn dict(&mut self, depth: usize) -> Result<Literal, Malformed> {
        self.at += 1;
        let mut entries = Vec::new();
        loop {
            self.blanks();
            if self.take(b'}') {
                return Ok(Literal::Dict(entries));
            }
            let key = self.value(depth + 1)?;
            self.blanks();
            if !self.take(b':') {
                return Err(self.wrong("a colon"));
            }
            entries.push((key, self.value(depth + 1)?));
            self.blanks();
            if !self.take(b',') && self.peek() != Some(b'}') {
                return Err(self.wrong("a comma or the end of the dict"));
            }
        }
    }

    fn integer(&mut self) -> Result<Literal, Malformed> {
        let digits = self.rest().bytes().skip(1).take_while(|byte| byte.is_ascii_digit()).count() + 1;
        let integer = self.rest()[..digits].parse().map_err(|_| self.wrong("an integer of 64 bits"))?;
        self.at += digits;
        Ok(Literal::Integer(integer))
    }

    fn text(&mut self, quote: u8) -> Result<String, Malformed> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let plain =
                rest.bytes().take_while(|&byte| byte != quote && byte != b'\\' && byte != b'\n').count();
            text.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(byte) if byte == quote => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    let letter = self.escape()?;
                    text.extend(letter);
                }
                _ => return Err(self.wrong("the end of the string")),
            }
        }
    }

    /// An escape; `None` is a line that goes on.
    fn escape(&mut self) -> Result<Option<char>, Malformed> {
        let rest = self.rest();
        let (letter, len) = match rest.as_bytes().get(1) {
            Some(b'n') => ('\n', 2),
            Some(b't') => ('\t', 2),
            Some(b'r') => ('\r', 2),
            Some(b'a') => ('\u{7}', 2),
            Some(b'b') => ('\u{8}', 2),
            Some(b'v') => ('\u{b}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'0'..=b'7') => {
                let octal = rest.bytes().skip(1).take(3).take_while(|byte| matches!(byte, b'0'..=b'7'));
                let (code, len) =
                    octal.fold((0, 1), |(code, len), digit| (code * 8 + u32::from(digit - b'0'), len + 1));
                (char::from_u32(code).ok_or_else(|| self.wrong("an escape that stands for a letter"))?, len)
            }
            Some(quoted @ (b'\\' | b'\'' | b'"')) => (char::from(*quoted), 2),
            Some(b'\n') => {
                self.at += 2;
                return Ok(None);
            }
            Some(kind @ (b'x' | b'u' | b'U')) => {
                let len = match kind {
                    b'x' => 4,
                    b'u' => 6,
                    _ => 10,
                };
                let digits =
                    rest.get(2..len).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
                let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let letter = code.and_then(char::from_u32);
                (letter.ok_or_else(|| self.wrong("an escape that stands for a letter"))?, len)
            }
            _ => return Err(self.wrong("an escape that Python has")),
        };
        self.at += len;
        Ok(Some(letter))
    }

    fn blanks(&mut self) {
        self.at += self.rest().bytes().take_while(u8::is_ascii_whitespace).count();
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn wrong(&self, expected: &str) -> Malformed {
        Malformed::found(&format!("byte {} of the literal", self.at), self.rest().as_bytes(), expected)
    }
}

/// Appends `text` as Python's `repr` does.
pub(super) fn write_text(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if letter == quote => out.extend(['\\', letter]),
            _ if is_shown(letter) => out.push(letter),
            ..='\u{ff}' => out.push_str(&format!("\\x{:02x}", u32::from(letter))),
            ..='\u{ffff}' => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => out.push_str(&format!("\\U{:08x}", u32::from(letter))),
        }
    }
    out.push(quote);
}

/// Whether the standard library, which goes by the Unicode categories that Python goes by, shows `letter` as it is. It
/// escapes a mark that has nothing to stand on: hence the `a`.
fn is_shown(letter: char) -> bool {
    let mut pair = [b'a'; 5];
    let len = 1 + letter.encode_utf8(&mut pair[1..]).len();
    matches!(letter, '\'' | '"')
        || std::str::from_utf8(&pair[..len]).is_ok_and(|pair| pair.escape_debug().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Literal {
        Literal::Text(text.to_owned())
    }

    #[test]
    fn literals_are_read_as_python_writes_them() {
        use Literal::{Dict, Integer, List, Word};
        for (written, expected) in [
            ("[]", List(vec![])),
            ("()", List(vec![])),
            ("{}", Dict(vec![])),
            ("(1,)", List(vec![Integer(1)])),
            (" [ -7 , 'a' ,\n\"b\" ] ", List(vec![Integer(-7), text("a"), text("b")])),
            ("{0: 'ff', 1: 'ee'}", Dict(vec![(Integer(0), text("ff")), (Integer(1), text("ee"))])),
            ("[None, True]", List(vec![Word("None"), Word("True")])),
            (r#"'\0\07\1012\a\b\v\f\xff\'\"'"#, text("\0\u{7}A2\u{7}\u{8}\u{b}\u{c}ÿ'\"")),
            ("'a\\\nb'", text("ab")),
            (r#"'it\'s \x41\u00e9\U0001f41d \\ \"'"#, text("it's Aé🐝 \\ \"")),
            ("'größe'", text("größe")),
        ] {
            assert_eq!(literal(written), Ok(expected), "{written}");
        }
    }

    #[test]
    fn nothing_else_is_read() {
        for (written, expected) in [
            ("", "byte 0 of the literal `` is not a list, a dict, a tuple, an integer or a string"),
            ("[1", "byte 2 of the literal `` is not a comma or the end of the list"),
            ("[1 2]", "byte 3 of the literal `2]` is not a comma or the end of the list"),
            ("{1}", "byte 2 of the literal `}` is not a colon"),
            ("'a", "byte 2 of the literal `` is not the end of the string"),
            (r"'\q'", r"byte 1 of the literal `\\q\'` is not an escape that Python has"),
            (r"'\ud800'", r"byte 1 of the literal `\\ud800\'` is not an escape that stands for a letter"),
            (r"'\x+f'", r"byte 1 of the literal `\\x+f\'` is not an escape that stands for a letter"),
            (r"'\u12'", r"byte 1 of the literal `\\u12\'` is not an escape that stands for a letter"),
            (
                "__import__('os')",
                "byte 0 of the literal `__import__(\\'os\\')` is not a list, a dict, a tuple, an integer or a string",
            ),
            ("[] []", "byte 3 of the literal `[]` is not the end of the literal"),
            ("-", "byte 0 of the literal `-` is not an integer of 64 bits"),
        ] {
            assert_eq!(literal(written).unwrap_err().reason(), expected, "{written}");
        }
        let deep = "{1:".repeat(1_000);
        assert_eq!(literal(&deep).unwrap_err().reason(), "the literal is nested deeper than 16 times");
        let long = format!("[{}]", "1,".repeat(VALUES_MAX + 1));
        assert_eq!(literal(&long).unwrap_err().reason(), "the literal has more than 200000 values");
    }

    #[test]
    fn texts_are_written_as_python_does() {
        for (letters, expected) in [
            ("a b.bin", "'a b.bin'"),
            ("it's", "\"it's\""),
            ("both ' and \"", "'both \\' and \"'"),
            ("back\\slash\n\u{7}", "'back\\\\slash\\n\\x07'"),
            ("\0\x7f\u{a0}\u{ad}", r"'\x00\x7f\xa0\xad'"),
            ("e\u{301} — größe 日本 🐝", "'e\u{301} — größe 日本 🐝'"),
            ("gpj\u{202e}\u{2028}\u{e000}\u{e0001}", r"'gpj\u202e\u2028\ue000\U000e0001'"),
        ] {
            let mut out = String::new();
            write_text(letters, &mut out);
            assert_eq!(out, expected);
            assert_eq!(literal(&out), Ok(text(letters)));
        }
    }
}
