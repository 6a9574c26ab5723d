//! JSON values out of a stream, and the fields of an object.

use serde_json::{Map, Value};
use swarm::Port;

use super::{NAMES_MAX, REQUEST_BYTES_MAX};
use crate::Malformed;

/// How deep a request may be nested.
const DEPTH_MAX: u32 = 8;

/// Finds where a JSON object ends that comes in parts, looking at each byte once.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    scanned: usize,
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Scanner {
    /// Looks at what is new in `bytes`, which are all since the last object. How many of them the object has, with the
    /// white space in front of it; `None` if it is not complete.
    ///
    /// # Errors
    /// What comes is no object, is nested deeper than eight times, or is longer than [`REQUEST_BYTES_MAX`].
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
                        return Err(Malformed::new(format!("it is nested deeper than {DEPTH_MAX} times")));
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
                    let start = self.scanned - 1;
                    return Err(Malformed::found("the request", &bytes[start..], "a JSON object"));
                }
                _ => {}
            }
            if self.scanned >= REQUEST_BYTES_MAX {
                return Err(Malformed::new(format!("it is longer than {REQUEST_BYTES_MAX} bytes")));
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
            return Err(Malformed::new(format!("it is longer than {REQUEST_BYTES_MAX} bytes")));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _ => Err(Malformed::found("the message", bytes, "a JSON object")),
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

    /// The list under `key`.
    pub(super) fn list(&self, key: &str) -> Result<Vec<Self>, Malformed> {
        match self.0.get(key) {
            Some(Value::Array(rows)) => rows
                .iter()
                .map(|row| match row {
                    Value::Object(fields) => Ok(Self(fields.clone())),
                    other => Err(wrong(key, other, "a list of objects")),
                })
                .collect(),
            Some(other) => Err(wrong(key, other, "a list")),
            None => Err(Malformed::new(format!("\"{key}\" is missing"))),
        }
    }

    fn first(&self, keys: &[&str]) -> Option<&Value> {
        keys.iter().find_map(|&key| self.0.get(key))
    }
}

/// A number that is not negative, also as digits: some clients quote what was typed.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) => digits.trim().parse().ok(),
        _ => None,
    }
}

fn wrong(key: &str, value: &Value, expected: &str) -> Malformed {
    Malformed::found(&format!("\"{key}\""), value.to_string().as_bytes(), expected)
}

/// Appends `text` as a JSON string.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

/// Appends as many `rows` as fit, separated by commas: with `end` behind them `out` is at most `bytes_max` long. A row
/// that does not fit is left out, and so are all behind it.
pub(super) fn write_rows<T>(
    rows: impl IntoIterator<Item = T>,
    bytes_max: usize,
    end: &str,
    out: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    let start = out.len();
    for row in rows {
        let before = out.len();
        if before > start {
            out.extend_from_slice(b", ");
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
            (&b"GET / HTTP/1.1"[..], "the request `GET / HTTP/1.1` is not a JSON object"),
            (b"[1]", "the request `[1]` is not a JSON object"),
            (b"\"{}\"", r#"the request `\"{}\"` is not a JSON object"#),
            (&b"{\"a\":".repeat(1_000), "it is nested deeper than 8 times"),
        ] {
            assert_eq!(scan(&[bytes]).unwrap_err().reason(), expected);
        }
        let endless = [b"{\"a\":\"".to_vec(), vec![b'x'; 10 << 20]].concat();
        let parts: Vec<&[u8]> = endless.chunks(1_000).collect();
        assert_eq!(scan(&parts).unwrap_err().reason(), "it is longer than 1048576 bytes");
    }
}
