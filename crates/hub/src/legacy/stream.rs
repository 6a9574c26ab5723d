use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// Hands each entry of the object `torrents` to `each`, one at a time in memory. Everything beside it is skipped.
pub(super) fn torrents(input: impl Read, each: impl FnMut(&str, &Value)) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    State(each).deserialize(&mut deserializer)?;
    deserializer.end()
}

/// The whole file.
struct State<F>(F);

/// The value of `torrents`.
struct Torrents<'a, F>(&'a mut F);

impl<'de, F: FnMut(&str, &Value)> DeserializeSeed<'de> for State<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&str, &Value)> Visitor<'de> for State<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `torrents`")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "torrents" {
                map.next_value_seed(Torrents(&mut self.0))?;
                found = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(A::Error::custom("it has no `torrents`")) }
    }
}

impl<'de, F: FnMut(&str, &Value)> DeserializeSeed<'de> for Torrents<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&str, &Value)> Visitor<'de> for Torrents<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the object `torrents`, with info hashes as keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            (self.0)(&key, &value);
        }
        Ok(())
    }
}
