//! JSON values out of a stream, and the fields of an object.

use serde_json::{Map, Value};
use swarm::Port;

use super::{NAMES_MAX, REQUEST_BYTES_MAX, digits};
use crate::Malformed;

/// How deep a message may be nested.
const DEPTH_MAX: u32 = 8;

/// The most commas in a message, so that what is made of it is not many times as large as its bytes. The longest list of
/// names has a quarter of them.
const COMMAS_MAX: usize = 4 * NAMES_MAX;

/// Finds where a JSON object ends that comes in parts, looking at each byte once.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    scanned: usize,
    depth: u32,
    commas: usize,
    in_string: bool,
    escaped: bool,
}

impl Scanner {
    /// Looks at what is new in `bytes`, which are all since the last object. How many of them the object has, with the
    /// white space in front of it; `None` if it is not complete. (Where many come at once, pass the rest of the same
    /// buffer on, and move it down once they are dealt with: that is linear, too.)
    ///
    /// # Errors
    /// What comes is no object, is nested deeper than eight times, has too many values, or is longer than
    /// [`REQUEST_BYTES_MAX`]. Nothing behind it can be read.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        while let Some(&byte) = bytes.get(self.scanned) {
            self.scanned += 1;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' if self.depth > 0 => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' if self.depth > 0 || byte == b'{' => {
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(wrong_message(bytes, &format!("nested at most {DEPTH_MAX} times")));
                    }
                }
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Ok(Some(std::mem::take(self).scanned));
                    }
                }
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ if self.depth == 0 => {
                    return Err(wrong_message(&bytes[self.scanned - 1..], "a JSON object"));
                }
                b',' => {
                    self.commas += 1;
                    if self.commas > COMMAS_MAX {
                        let expected =
                            format!("of {COMMAS_MAX} values at most, {NAMES_MAX} names among them");
                        return Err(wrong_message(bytes, &expected));
                    }
                }
                _ => {}
            }
            if self.scanned >= REQUEST_BYTES_MAX {
                return Err(too_long(bytes));
            }
        }
        Ok(None)
    }

    /// Whether an object has begun.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.depth > 0
    }
}

/// The fields of a JSON object. Of keys that come twice the last counts, as in Python.
pub(super) struct Object(Map<String, Value>);

impl Object {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(too_long(bytes));
        }
        // Finds what is beyond the bounds before anything is made of it.
        Scanner::default().scan(bytes)?;
        match serde_json::from_slice(bytes) {
            Ok(fields) => Ok(Self(fields)),
            Err(error) => Err(wrong_message(bytes, &format!("a JSON object: {error}"))),
        }
    }

    /// The text under the first of `keys` that is there.
    pub(super) fn text(&self, keys: &[&str]) -> Result<&str, Malformed> {
        match self.first(keys) {
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(wrong(keys[0], other, "a text")),
            None => Err(Malformed::new(format!("\"{}\" is missing", keys[0]))),
        }
    }

    /// The text under the first of `keys` that is there, if any is.
    pub(super) fn maybe_text(&self, keys: &[&str]) -> Option<&str> {
        self.first(keys).and_then(Value::as_str)
    }

    /// A port, as a number or as digits.
    pub(super) fn port(&self, key: &str) -> Result<Port, Malformed> {
        let value = self.0.get(key).ok_or_else(|| Malformed::new(format!("\"{key}\" is missing")))?;
        let number = number(value).and_then(|port| u16::try_from(port).ok()).and_then(Port::new);
        number.ok_or_else(|| wrong(key, value, "a number from 1 to 65535"))
    }

    /// A number that is not negative, if it is there.
    pub(super) fn maybe_number(&self, key: &str) -> Result<Option<u64>, Malformed> {
        let Some(value) = self.0.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
        number(value).map(Some).ok_or_else(|| wrong(key, value, "a number from 0"))
    }

    /// Names under `key`, each with its number: an object name → number, or a list of names.
    pub(super) fn names(&self, key: &str) -> Result<Vec<(&str, Option<u64>)>, Malformed> {
        let too_many = |len: usize| {
            let why = format!("\"{key}\" has {len} names; at most {NAMES_MAX} can be offered at once");
            Err(Malformed::new(why))
        };
        match self.0.get(key) {
            None => Err(Malformed::new(format!("\"{key}\" is missing"))),
            Some(Value::Object(files)) if files.len() > NAMES_MAX => too_many(files.len()),
            Some(Value::Array(files)) if files.len() > NAMES_MAX => too_many(files.len()),
            Some(Value::Object(files)) => Ok(files.iter().map(|(name, of)| (&**name, number(of))).collect()),
            Some(Value::Array(files)) => files
                .iter()
                .map(|name| match name {
                    Value::String(name) => Ok((&**name, None)),
                    other => Err(wrong(key, other, "a list of names")),
                })
                .collect(),
            Some(other) => Err(wrong(key, other, "names, as a list or with a number each")),
        }
    }

    /// The objects of the list under `key`; what else is in it comes as a fault.
    pub(super) fn list(
        self,
        key: &'static str,
    ) -> Result<impl Iterator<Item = Result<Self, Malformed>>, Malformed> {
        let Self(mut fields) = self;
        let rows = match fields.remove(key) {
            Some(Value::Array(rows)) => rows,
            Some(other) => return Err(wrong(key, &other, "a list")),
            None => return Err(Malformed::new(format!("\"{key}\" is missing"))),
        };
        Ok(rows.into_iter().map(move |row| match row {
            Value::Object(fields) => Ok(Self(fields)),
            other => Err(wrong(key, &other, "a list of objects")),
        }))
    }

    fn first(&self, keys: &[&str]) -> Option<&Value> {
        keys.iter().find_map(|&key| self.0.get(key))
    }
}

/// A number that is not negative, also as digits: some clients quote what was typed.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => digits(text.trim()),
        _ => None,
    }
}

fn wrong(key: &str, value: &Value, expected: &str) -> Malformed {
    Malformed::found(&format!("\"{key}\""), value.to_string().as_bytes(), expected)
}

fn wrong_message(bytes: &[u8], expected: &str) -> Malformed {
    Malformed::found("the message", bytes, expected)
}

fn too_long(bytes: &[u8]) -> Malformed {
    wrong_message(bytes, &format!("complete within {REQUEST_BYTES_MAX} bytes"))
}

/// Appends `text` as a JSON string in ASCII alone: the dialects' own programs are written in Python, and have never been
/// sent anything else.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for letter in text.chars() {
        match letter {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            ' '..='~' => out.push(letter as u8),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                }
            }
        }
    }
    out.push(b'"');
}

/// Appends as many `rows` as fit, with `between` between them: with `end` behind them `out` is at most `bytes_max` long.
/// A row that does not fit is left out, and so are all behind it.
pub(super) fn write_rows<T>(
    rows: impl IntoIterator<Item = T>,
    bytes_max: usize,
    between: &str,
    end: &str,
    out: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    let start = out.len();
    for row in rows {
        let before = out.len();
        if before > start {
            out.extend_from_slice(between.as_bytes());
        }
        write(row, out);
        if out.len() + end.len() > bytes_max {
            out.truncate(before);
            break;
        }
    }
    out.extend_from_slice(end.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(parts: &[&[u8]]) -> Result<Vec<String>, Malformed> {
        let (mut scanner, mut bytes, mut found) = (Scanner::default(), Vec::new(), Vec::new());
        for part in parts {
            bytes.extend_from_slice(part);
            while let Some(end) = scanner.scan(&bytes)? {
                found.push(String::from_utf8_lossy(&bytes[..end]).trim().to_owned());
                bytes.drain(..end);
            }
        }
        Ok(found)
    }

    #[test]
    fn an_object_may_come_in_any_parts_and_several_at_once() {
        let text = br#" {"a":"}\"{","b":[{}]}{"c":1}
            {"d":{}} "#;
        let expected = [r#"{"a":"}\"{","b":[{}]}"#, r#"{"c":1}"#, r#"{"d":{}}"#];
        assert_eq!(scan(&[text]).unwrap(), expected);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(scan(&bytes).unwrap(), expected);
    }

    #[test]
    fn what_is_no_object_is_told_at_once() {
        for (bytes, expected) in [
            (&b"GET / HTTP/1.1"[..], "the message `GET / HTTP/1.1` is not a JSON object"),
            (b"[1]", "the message `[1]` is not a JSON object"),
            (b"\"{}\"", r#"the message `\"{}\"` is not a JSON object"#),
            (
                &b"{\"a\":".repeat(1_000),
                &format!(
                    "the message `{}{{\\\"a\\\"…` is not nested at most 8 times",
                    r#"{\"a\":"#.repeat(12)
                ),
            ),
        ] {
            let fault = scan(&[bytes]).unwrap_err();
            assert_eq!(fault.reason(), expected);
            assert_eq!(Object::decode(bytes).err(), Some(fault), "the same where it comes in one piece");
        }
        let endless = [b"{\"a\":\"".to_vec(), vec![b'x'; 10 << 20]].concat();
        let parts: Vec<&[u8]> = endless.chunks(1_000).collect();
        let fault = scan(&parts).unwrap_err();
        assert!(fault.reason().ends_with("xxx…` is not complete within 1048576 bytes"), "{fault}");
        assert!(fault.reason().len() < 150);
    }

    #[test]
    fn as_many_values_as_commas_allow_are_read_and_no_more() {
        let with = |commas: usize| format!("{{\"a\":[0{}]}}", ",0".repeat(commas));
        assert!(Object::decode(with(COMMAS_MAX).as_bytes()).is_ok());
        let fault = scan(&[with(COMMAS_MAX + 1).as_bytes()]).unwrap_err();
        assert!(
            fault.reason().ends_with("is not of 40000 values at most, 10000 names among them"),
            "{fault}"
        );
        let text = format!("{{\"a\":\"{}\"}}", ",".repeat(COMMAS_MAX + 1));
        assert!(Object::decode(text.as_bytes()).is_ok(), "commas in a text are none");
    }

    #[test]
    fn what_is_wrong_inside_is_told() {
        for (bytes, expected) in [
            (
                &br#"{"a":1"#[..],
                r#"the message `{\"a\":1` is not a JSON object: EOF while parsing an object at line 1 column 6"#,
            ),
            (b"{} {}", "the message `{} {}` is not a JSON object: trailing characters at line 1 column 4"),
            (
                br#"{"a":"\udc80"}"#,
                r#"the message `{\"a\":\"\\udc80\"}` is not a JSON object: lone leading surrogate in hex escape at line 1 column 12"#,
            ),
            (
                b"{\"a\":\"\xff\"}",
                r#"the message `{\"a\":\"\xff\"}` is not a JSON object: invalid unicode code point at line 1 column 7"#,
            ),
        ] {
            assert_eq!(Object::decode(bytes).err().unwrap().reason(), expected);
        }
    }

    #[test]
    fn of_a_key_that_comes_twice_the_last_counts() {
        let object = Object::decode(br#"{"port":1,"port":"2","a":"x","a":"y"}"#).unwrap();
        assert_eq!((object.port("port").unwrap().get(), object.text(&["a"])), (2, Ok("y")));
    }

    #[test]
    fn numbers_may_be_digits_in_a_text() {
        let port = |value: &str| {
            Object::decode(format!("{{\"port\":{value}}}").as_bytes()).unwrap().port("port").map(Port::get)
        };
        for (value, expected) in
            [("6001", 6001), ("\"6001\"", 6001), ("\" 6001 \"", 6001), ("\"006001\"", 6001)]
        {
            assert_eq!(port(value), Ok(expected));
        }
        for value in
            ["0", "65536", "-1", "6001.0", "\"+6001\"", "\"\"", "\"6e3\"", "null", "true", "[6001]", "1e99"]
        {
            let fault = port(value).unwrap_err();
            assert!(fault.reason().starts_with("\"port\" `"), "{fault}");
            assert!(fault.reason().ends_with("` is not a number from 1 to 65535"), "{fault}");
        }
    }

    #[test]
    fn texts_are_written_in_ascii_as_python_does() {
        for (text, expected) in [
            ("a/b c", r#""a/b c""#),
            ("\"\\\n\r\t\u{8}\u{c}\0\x7f", r#""\"\\\n\r\t\b\f\u0000\u007f""#),
            ("größe 🐝", r#""gr\u00f6\u00dfe \ud83d\udc1d""#),
        ] {
            let mut out = Vec::new();
            write_text(text, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
