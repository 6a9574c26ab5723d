use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use reqwest::Url;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::ser::Serializer;

/// A word of a list in the configuration.
pub(super) trait Item: Sized + fmt::Display {
    /// What one looks like, for messages.
    const EXPECTED: &'static str;

    fn read(text: &str) -> Option<Self>;
}

impl Item for SocketAddr {
    const EXPECTED: &'static str = "an address and port such as 0.0.0.0:6969 or [::]:6969";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Item for IpAddr {
    const EXPECTED: &'static str = "an IP address such as 192.0.2.1 or 2001:db8::1";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Item for Url {
    const EXPECTED: &'static str = "an address such as https://example.net/hook";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|url: &Self| matches!(url.scheme(), "http" | "https"))
    }
}

impl Item for IpNet {
    const EXPECTED: &'static str = "an address or a network such as 192.0.2.1 or 10.0.0.0/8";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(Self::from))
    }
}

/// Serde for a list of addresses: a list of texts, or one text with commas (which is what an environment variable
/// or a hasty hand writes).
pub(super) fn serialize<T: Item, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().map(T::to_string))
}

/// See [`serialize`].
pub(super) fn deserialize<'de, T: Item, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);

    impl<'de, T: Item> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list, each {}", T::EXPECTED)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(read).collect()
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(word) = words.next_element::<String>()? {
                list.push(read(word.trim())?);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(List(PhantomData))
}

fn read<T: Item, E: de::Error>(word: &str) -> Result<T, E> {
    T::read(word).ok_or_else(|| E::custom(format_args!("`{word}` is not {}", T::EXPECTED)))
}
