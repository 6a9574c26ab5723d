//! An info hash as text, in the three spellings that trackers meet.
//!
//! | spelling | example |
//! |---|---|
//! | 40 hexadecimal digits | `00017f80ff6162…` |
//! | percent-encoded bytes (BEP 3), escapes in either case | `%00%01%7f%80%ffabc…` |
//! | mixed: printable ASCII stands for itself, **`%` included**; all else is `%XX` in upper case | `%00%01%7F%80%FFabc%de…` |
//!
//! The mixed spelling cannot be read back for certain: `%FF` may be the byte 0xFF or the three bytes `%`, `F`, `F`.
//! What helps is that a hash has 20 bytes, so that the length of the text tells how many escapes it has, though not
//! which ones. All readings are given; a caller takes the one it knows already.

use swarm::InfoHash;

/// The most readings that a text can have.
///
/// A text of `n` places that look like an escape, `k` of which are one, has n over k readings, and 20 + 2k bytes, of
/// which those places take 3n. The worst of all such pairs is 12 places and 8 escapes.
pub const READINGS_MAX: usize = 495;

/// Bytes that one escape (`%XX`) takes.
const ESCAPE_LEN: usize = 3;

/// Every info hash that `text` may spell, the likeliest first; empty if it spells none.
///
/// Likeliest are the readings that [`spell`] would write as this very text. At most [`READINGS_MAX`], each once.
#[must_use]
pub fn readings(text: &[u8]) -> Vec<InfoHash> {
    if let Some(hash) = std::str::from_utf8(text).ok().and_then(|hex| hex.parse().ok()) {
        return vec![hash];
    }
    let length_max = InfoHash::LEN * ESCAPE_LEN;
    let printable = text.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    let surplus = text.len().wrapping_sub(InfoHash::LEN);
    if !printable || text.len() > length_max || text.len() < InfoHash::LEN || !surplus.is_multiple_of(2) {
        return Vec::new();
    }
    let places: Vec<Escape> = (0..text.len()).filter_map(|at| Escape::at(text, at)).collect();
    let mut found = Vec::new();
    let mut chosen = Vec::new();
    choose(&places, surplus / 2, &mut chosen, &mut |escapes| {
        if let Some(hash) = decode(text, escapes)
            && !found.contains(&hash)
        {
            found.push(hash);
        }
    });
    found.sort_by_key(|hash| spell(hash).as_bytes() != text);
    found
}

/// The mixed spelling of `hash`: printable ASCII (0x20 to 0x7e, `%` included) as it is, all else as `%XX`.
#[must_use]
pub fn spell(hash: &InfoHash) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(InfoHash::LEN * ESCAPE_LEN);
    for &byte in hash.as_bytes() {
        if matches!(byte, 0x20..=0x7e) {
            text.push(char::from(byte));
        } else {
            let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
            text.push('%');
            text.extend(digits.map(char::from));
        }
    }
    text
}

/// A place in a text that looks like an escape.
#[derive(Clone, Copy)]
struct Escape {
    at: usize,
    byte: u8,
}

impl Escape {
    fn at(text: &[u8], at: usize) -> Option<Self> {
        let &[b'%', high, low] = text.get(at..at + ESCAPE_LEN)? else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        Some(Self { at, byte: digit(high)? << 4 | digit(low)? })
    }
}

/// Calls `each` with every choice of `count` of `places`, in order; no deeper than `places` are many, which is 20.
fn choose(places: &[Escape], count: usize, chosen: &mut Vec<Escape>, each: &mut impl FnMut(&[Escape])) {
    if count == 0 {
        return each(chosen);
    }
    if count > places.len() {
        return;
    }
    let Some((&first, rest)) = places.split_first() else { return };
    chosen.push(first);
    choose(rest, count - 1, chosen, each);
    chosen.pop();
    choose(rest, count, chosen, each);
}

/// `text` with each of `escapes`, which are in order, turned into its byte; `None` if that is not a hash's length.
fn decode(text: &[u8], escapes: &[Escape]) -> Option<InfoHash> {
    let mut bytes = Vec::with_capacity(InfoHash::LEN);
    let mut read = 0;
    for escape in escapes {
        bytes.extend_from_slice(text.get(read..escape.at)?);
        bytes.push(escape.byte);
        read = escape.at + ESCAPE_LEN;
    }
    bytes.extend_from_slice(text.get(read..)?);
    InfoHash::try_from(bytes.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash(bytes: &[u8]) -> InfoHash {
        InfoHash::try_from(bytes).unwrap()
    }

    #[test]
    fn the_three_spellings_of_one_hash() {
        let it = hash(b"\x00\x01\x7f\x80\xff abcdefghijklm~");
        assert_eq!(readings(b"00017f80ff206162636465666768696a6b6c6d7e"), [it]);
        assert_eq!(readings(b"00017F80FF206162636465666768696A6B6C6D7E"), [it]);
        assert_eq!(readings(b"%00%01%7f%80%ff%20abcdefghijklm%7e"), [it]);
        assert_eq!(readings(b"%00%01%7F%80%FF abcdefghijklm~"), [it]);
        assert_eq!(spell(&it), "%00%01%7F%80%FF abcdefghijklm~");
    }

    /// BEP 3's rule with the example hash that the wiki of the protocol uses.
    #[test]
    fn the_example_of_the_specification() {
        let it = hash(b"\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78\x9a");
        assert_eq!(readings(b"%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A"), [it]);
        assert_eq!(spell(&it), "%124Vx%9A%BC%DE%F1#Eg%89%AB%CD%EF%124Vx%9A");
    }

    #[test]
    fn a_literal_percent_sign_is_ambiguous_and_every_reading_is_given() {
        let literal_first = hash(b"%FF\xffabcdefghijklmnop");
        let literal_last = hash(b"\xff%FFabcdefghijklmnop");
        assert_eq!(spell(&literal_first), spell(&literal_last));
        assert_eq!(readings(spell(&literal_first).as_bytes()), [literal_last, literal_first]);
    }

    #[test]
    fn what_the_mixed_spelling_would_have_written_comes_first() {
        // `%41` would have been written `A`, so the escape is more likely to be the other one.
        let likely = hash(b"%41\xffabcdefghijklmnop");
        let unlikely = hash(b"A%FFabcdefghijklmnop");
        assert_eq!(readings(b"%41%FFabcdefghijklmnop"), [likely, unlikely]);
    }

    #[test]
    fn twenty_printable_bytes_are_themselves() {
        assert_eq!(readings(b"%41 100% +abcdefghij"), [hash(b"%41 100% +abcdefghij")]);
    }

    #[test]
    fn what_is_no_hash_has_no_reading() {
        let texts: [&[u8]; 9] = [
            b"",
            b"abc",
            b"abcdefghijklmnopqrstu",
            b"abcdefghijklmnopqrstuv",
            b"00017f80ff206162636465666768696a6b6c6d7",
            b"00017f80ff206162636465666768696a6b6c6d7g",
            "éééééééééé".as_bytes(),
            b"%00%01%7f%80%ff%20abcdefghijklm%7",
            &[b'%'; 10_000],
        ];
        for text in texts {
            assert_eq!(readings(text), [], "{}", text.escape_ascii());
        }
    }

    #[test]
    fn no_text_has_more_readings_than_the_bound() {
        let over = |n: usize, k: usize| (0..k).fold(1, |product, i| product * (n - i) / (i + 1));
        let pairs = (0..=20).flat_map(|n| (0..=n).map(move |k| (n, k)));
        let possible = pairs.filter(|(n, k)| ESCAPE_LEN * n <= InfoHash::LEN + 2 * k);
        assert_eq!(possible.map(|(n, k)| over(n, k)).max(), Some(READINGS_MAX));

        let places: String = (0..12).map(|n| format!("%{:X}", 0x80 + n)).collect();
        assert_eq!(readings(places.as_bytes()).len(), READINGS_MAX);
    }

    proptest! {
        #[test]
        fn every_spelling_of_a_hash_is_read_back(bytes in any::<[u8; 20]>()) {
            let hash = InfoHash(bytes);
            prop_assert_eq!(readings(hash.to_string().as_bytes()), vec![hash]);
            prop_assert!(readings(spell(&hash).as_bytes()).contains(&hash));
            let escaped: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(readings(escaped.as_bytes()), vec![hash]);
        }

        /// Hashes of little but percent signs and digits, where the mixed spelling is at its worst.
        #[test]
        fn a_hash_full_of_percent_signs_is_read_back(
            bytes in prop::collection::vec(prop::sample::select(b"%%%8F\xff\x80".to_vec()), 20),
        ) {
            let hash = InfoHash::try_from(bytes.as_slice()).unwrap();
            let found = readings(spell(&hash).as_bytes());
            prop_assert!(found.contains(&hash));
            prop_assert!(found.len() <= READINGS_MAX);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(
            text in prop::collection::vec(prop_oneof![Just(b'%'), any::<u8>(), b'0'..=b'9'], 0..80),
        ) {
            prop_assert!(readings(&text).len() <= READINGS_MAX);
        }
    }
}
