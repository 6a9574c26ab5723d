//! Magnet links (BEP 9; version 2 hashes by BEP 52): `magnet:?xt=urn:btih:<hash>&dn=<name>&tr=<tracker>…`.
//!
//! Read liberally: any order, numbered keys (`tr.1`), hashes in hexadecimal or base32, `&amp;` where a page was copied
//! from, escapes or plain characters. Written in one form. What only other networks know, and the choice of files
//! (`so`, BEP 53), is left out.

use std::fmt;
use std::str::FromStr;

use swarm::InfoHash;

use crate::Malformed;
use crate::metainfo::{Metainfo, truncated};

/// A torrent's hash, and what helps to find its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Magnet {
    /// What trackers are asked for: version 1, or the truncated hash of a torrent that is version 2 only.
    pub info_hash: InfoHash,
    /// The version 2 hash, if the link names one.
    pub info_hash_v2: Option<[u8; 32]>,
    /// What the link calls the torrent (`dn`): to be shown, and not a safe file name.
    pub name: Option<String>,
    /// Bytes (`xl`).
    pub size: Option<u64>,
    /// Trackers (`tr`), which are all asked alike.
    pub trackers: Vec<String>,
    /// Addresses that serve the same files (`ws`).
    pub web_seeds: Vec<String>,
    /// Peers as `host:port` (`x.pe`).
    pub peers: Vec<String>,
}

/// The longest link that is read, in bytes.
pub const MAGNET_BYTES_MAX: usize = 64 << 10;

impl Magnet {
    /// A link with nothing but the hash.
    #[must_use]
    pub const fn new(info_hash: InfoHash) -> Self {
        Self {
            info_hash,
            info_hash_v2: None,
            name: None,
            size: None,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            peers: Vec::new(),
        }
    }

    /// Reads a link.
    ///
    /// # Errors
    /// No magnet link, no hash in it, a hash or size that is none, or two different hashes of one kind.
    pub fn decode(link: &str) -> Result<Self, Malformed> {
        let link = link.trim();
        if link.len() > MAGNET_BYTES_MAX {
            return Err(Malformed::new(format!(
                "a magnet link of {} bytes is too long: {MAGNET_BYTES_MAX} at most",
                link.len()
            )));
        }
        let query = match link.split_at_checked(SCHEME.len()) {
            Some((scheme, query)) if scheme.eq_ignore_ascii_case(SCHEME) => query,
            _ => {
                return Err(Malformed::found(
                    "magnet link",
                    link.as_bytes(),
                    "one that starts with `magnet:?`",
                ));
            }
        };
        let (mut v1, mut v2) = (None, None);
        let mut magnet = Self::new(InfoHash([0; InfoHash::LEN]));
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match plain_key(key) {
                "xt" => topic(value, &mut v1, &mut v2)?,
                "dn" => {
                    magnet.name = Some(unescaped(&value.replace('+', " "))).filter(|name| !name.is_empty());
                }
                "xl" => magnet.size = Some(size(value)?),
                "tr" => push(&mut magnet.trackers, value),
                "ws" => push(&mut magnet.web_seeds, value),
                "x.pe" => push(&mut magnet.peers, value),
                _ => {}
            }
        }
        magnet.info_hash_v2 = v2;
        magnet.info_hash = v1.or_else(|| v2.as_ref().map(truncated)).ok_or_else(|| {
            Malformed::found(
                "magnet link",
                link.as_bytes(),
                "one of a torrent: `xt=urn:btih:<hash>` is expected",
            )
        })?;
        Ok(magnet)
    }
}

const SCHEME: &str = "magnet:?";

/// A key without the number that tells it from others of its kind, and without what HTML puts before it.
fn plain_key(key: &str) -> &str {
    let key = key.strip_prefix("amp;").unwrap_or(key);
    match key.rsplit_once('.') {
        Some((plain, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            plain
        }
        _ => key,
    }
}

/// Reads an exact topic; one of another network is left out.
fn topic(value: &str, v1: &mut Option<InfoHash>, v2: &mut Option<[u8; 32]>) -> Result<(), Malformed> {
    let value = unescaped(value);
    let prefix = |urn: &str| value.get(..urn.len()).is_some_and(|start| start.eq_ignore_ascii_case(urn));
    if prefix(BTIH) {
        let text = &value[BTIH.len()..];
        let hash = text.parse().ok().or_else(|| base32(text)).ok_or_else(|| {
            Malformed::found(
                "`xt` in the magnet link",
                value.as_bytes(),
                "a hash of 40 hexadecimal or 32 base32 digits",
            )
        })?;
        set(v1, hash, &value)
    } else if prefix(BTMH) {
        let hash = sha256_multihash(&value[BTMH.len()..]).ok_or_else(|| {
            Malformed::found(
                "`xt` in the magnet link",
                value.as_bytes(),
                "`1220` and a SHA-256 of 64 hexadecimal digits",
            )
        })?;
        set(v2, hash, &value)
    } else {
        Ok(())
    }
}

const BTIH: &str = "urn:btih:";
const BTMH: &str = "urn:btmh:";

/// What says SHA-256, 32 bytes, in a multihash.
const MULTIHASH: &str = "1220";

fn set<T: PartialEq>(slot: &mut Option<T>, hash: T, value: &str) -> Result<(), Malformed> {
    if slot.as_ref().is_some_and(|known| *known != hash) {
        return Err(Malformed::found(
            "`xt` in the magnet link",
            value.as_bytes(),
            "the only torrent: it names another",
        ));
    }
    *slot = Some(hash);
    Ok(())
}

/// RFC 4648 §6, in either case: 32 digits of 5 bits.
fn base32(text: &str) -> Option<InfoHash> {
    if text.len() != 32 {
        return None;
    }
    let mut hash = [0; InfoHash::LEN];
    for (bytes, digits) in hash.chunks_exact_mut(5).zip(text.as_bytes().chunks_exact(8)) {
        let mut bits = 0u64;
        for digit in digits {
            let value = match digit.to_ascii_uppercase() {
                letter @ b'A'..=b'Z' => letter - b'A',
                number @ b'2'..=b'7' => number - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        bytes.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(InfoHash(hash))
}

fn sha256_multihash(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix(MULTIHASH)?.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = hex_pair(pair[0], pair[1])?;
    }
    Some(hash)
}

fn size(value: &str) -> Result<u64, Malformed> {
    Some(value)
        .filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| Malformed::found("`xl` in the magnet link", value.as_bytes(), "a number of bytes"))
}

fn push(list: &mut Vec<String>, value: &str) {
    let value = unescaped(value);
    if !value.is_empty() {
        list.push(value);
    }
}

/// Undoes `%XX`. What is no escape stands for itself; what is not UTF-8 is replaced.
fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        match tail {
            [high, low, after @ ..] if byte == b'%' && hex_pair(*high, *low).is_some() => {
                out.extend(hex_pair(*high, *low));
                rest = after;
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// `text` with all but RFC 3986's unreserved characters as `%XX`.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                write!(f, "{}", char::from(byte))
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

impl fmt::Display for Magnet {
    /// The link.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        let v2_only = self.info_hash_v2.as_ref().is_some_and(|v2| truncated(v2) == self.info_hash);
        if !v2_only {
            write!(f, "xt={BTIH}{}", self.info_hash)?;
        }
        if let Some(v2) = &self.info_hash_v2 {
            write!(f, "{}xt={BTMH}{MULTIHASH}", if v2_only { "" } else { "&" })?;
            v2.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        if let Some(name) = &self.name {
            write!(f, "&dn={}", Escaped(name))?;
        }
        if let Some(size) = self.size {
            write!(f, "&xl={size}")?;
        }
        for (key, list) in [("tr", &self.trackers), ("ws", &self.web_seeds), ("x.pe", &self.peers)] {
            list.iter().try_for_each(|value| write!(f, "&{key}={}", Escaped(value)))?;
        }
        Ok(())
    }
}

impl FromStr for Magnet {
    type Err = Malformed;

    fn from_str(link: &str) -> Result<Self, Malformed> {
        Self::decode(link)
    }
}

impl From<&Metainfo> for Magnet {
    /// The link to a torrent at hand, with all its trackers and web seeds.
    fn from(torrent: &Metainfo) -> Self {
        Self {
            info_hash_v2: torrent.info_hash_v2(),
            name: Some(torrent.name().to_owned()),
            size: Some(torrent.size()),
            trackers: torrent.trackers().iter().flatten().cloned().collect(),
            web_seeds: torrent.web_seeds().to_vec(),
            ..Self::new(torrent.info_hash())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "c12fe1c06bba254a9dc9f519b335aa7c1367a88a";

    fn refusal(link: &str) -> String {
        Magnet::decode(link).expect_err(link).to_string()
    }

    #[test]
    fn the_form_of_bep_9() {
        let link = format!(
            "magnet:?xt=urn:btih:{HEX}&dn=a+b%20c&tr=http%3A%2F%2Fh%2Fa%3Fk%3D1&x.pe=[::1]:6881&xl=7"
        );
        let magnet = Magnet::decode(&link).unwrap();
        assert_eq!(magnet.info_hash.to_string(), HEX);
        assert_eq!((magnet.name.as_deref(), magnet.size), (Some("a b c"), Some(7)));
        assert_eq!(
            (&magnet.trackers[..], &magnet.peers[..]),
            (&["http://h/a?k=1".into()][..], &["[::1]:6881".into()][..])
        );
        assert_eq!(
            magnet.to_string(),
            format!(
                "magnet:?xt=urn:btih:{HEX}&dn=a%20b%20c&xl=7&tr=http%3A%2F%2Fh%2Fa%3Fk%3D1&x.pe=%5B%3A%3A1%5D%3A6881"
            )
        );
    }

    #[test]
    fn hashes_in_every_spelling() {
        // The same 20 bytes by RFC 4648, §6.
        let base32 = "YEX6DQDLXISUVHOJ6UM3GNNKPQJWPKEK";
        for hash in [HEX, &HEX.to_uppercase(), base32, &base32.to_lowercase()] {
            let magnet = Magnet::decode(&format!("MAGNET:?dn=x&XT=1&xt=URN:btih:{hash}")).unwrap();
            assert_eq!(magnet.info_hash.to_string(), HEX);
        }
        let escaped =
            Magnet::decode(&format!("magnet:?xt.1=urn%3Abtih%3A{HEX}&amp;tr.1=a&amp;tr.2=b")).unwrap();
        assert_eq!(escaped.trackers, ["a", "b"]);
    }

    #[test]
    fn version_2_and_hybrid() {
        // The hash is BEP 52's kind: a multihash of SHA-256 (0x12), 32 bytes (0x20).
        let v2 = "caf1e1c30e81cb361b9ee167c4aa64228a7fa4fa9f6105232b28ad099f3a302e";
        let only = Magnet::decode(&format!("magnet:?xt=urn:btmh:1220{v2}")).unwrap();
        assert_eq!(only.info_hash.to_string(), v2[..40]);
        assert_eq!(only.to_string(), format!("magnet:?xt=urn:btmh:1220{v2}"));
        let link = format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btmh:1220{v2}");
        let hybrid = Magnet::decode(&link).unwrap();
        assert_eq!((hybrid.info_hash.to_string(), hybrid.to_string()), (HEX.to_owned(), link));
    }

    #[test]
    fn what_is_wrong_is_quoted() {
        assert_eq!(refusal("http://x"), "magnet link `http://x` is not one that starts with `magnet:?`");
        assert_eq!(
            refusal("magnet:?dn=x"),
            "magnet link `magnet:?dn=x` is not one of a torrent: `xt=urn:btih:<hash>` is expected"
        );
        for hash in ["", "zz", &HEX[1..], &"1".repeat(32), &"é".repeat(16), &"é".repeat(20)] {
            assert!(
                refusal(&format!("magnet:?xt=urn:btih:{hash}"))
                    .contains("40 hexadecimal or 32 base32 digits")
            );
        }
        for hash in ["1220", "1220zz", &format!("1221{}", "a".repeat(64)), &format!("1220{}", "g".repeat(64))]
        {
            assert!(refusal(&format!("magnet:?xt=urn:btmh:{hash}")).contains("64 hexadecimal digits"));
        }
        for size in ["", "-1", "+1", "1k", "99999999999999999999"] {
            let reason = refusal(&format!("magnet:?xt=urn:btih:{HEX}&xl={size}"));
            assert_eq!(reason, format!("`xl` in the magnet link `{size}` is not a number of bytes"));
        }
        let two = format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btih:{}", "0".repeat(40));
        assert!(refusal(&two).ends_with("is not the only torrent: it names another"));
        assert!(
            Magnet::decode(&format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btih:{HEX}&xt=urn:ed2k:x")).is_ok()
        );
        assert!(refusal(&"m".repeat(MAGNET_BYTES_MAX + 1)).ends_with("is too long: 65536 at most"));
    }

    #[test]
    fn escapes_that_are_none_stand_for_themselves() {
        for (text, plain) in [
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%E2%82%AC", "€"),
            ("%ff", "\u{fffd}"),
            ("é", "é"),
        ] {
            let magnet = Magnet::decode(&format!("magnet:?xt=urn:btih:{HEX}&dn={text}")).unwrap();
            assert_eq!(magnet.name.as_deref(), Some(plain));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            hash: [u8; 20], v2: Option<[u8; 32]>, name in proptest::option::of(".{1,20}"), size: Option<u64>,
            trackers in proptest::collection::vec(".{1,20}", 0..4),
            web_seeds in proptest::collection::vec(".{1,20}", 0..3),
            peers in proptest::collection::vec(".{1,20}", 0..3),
        ) {
            let magnet =
                Magnet { info_hash: InfoHash(hash), info_hash_v2: v2, name, size, trackers, web_seeds, peers };
            prop_assert_eq!(Magnet::decode(&magnet.to_string()).unwrap(), magnet);
        }

        #[test]
        fn any_text_is_read_or_refused(tail in "(xt=urn:bt[im]h:|[&=%.+]|[0-9a-f]{2}|dn|tr|xl|\\PC){0,40}") {
            let Ok(magnet) = Magnet::decode(&format!("magnet:?xt=urn:btih:{HEX}&{tail}")) else { return Ok(()) };
            prop_assert_eq!(Magnet::decode(&magnet.to_string()).unwrap(), magnet);
        }
    }
}
