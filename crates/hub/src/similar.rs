//! Adopting a hash that is almost a known one.
//!
//! Old clients mangle hashes on their way (see `wire::hash_text`), and the tracker they were written for forgave it:
//! a hash that it did not know was taken for the one known hash that looked alike. Hashes are compared as texts of 40
//! lower-case hexadecimal digits. Two are alike if their first and last digits are equal and the similarity of the
//! whole reaches a threshold.
//!
//! The similarity is the ratio of Python's `difflib.SequenceMatcher(None, asked, known)`, for that tracker was a Python
//! program: 2·M/T, where T is the length of both texts together and M the number of digits in the matching blocks of
//! Ratcliff and Obershelp: the longest common run, the first of equals, and what matches in the same way left and
//! right of it. (Python's rule that ignores frequent characters begins at 200 of them and never applies.) The ratio
//! is not symmetric; the hash that was asked for comes first.

use swarm::InfoHash;

/// Hexadecimal digits of a hash.
const DIGITS: usize = 2 * InfoHash::LEN;

/// At most this many of several similar hashes are listed.
pub const LISTED_MAX: usize = 16;

/// When two hashes are alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// How many leading digits must be equal; above 40 counts as 40.
    pub prefix_digits: usize,
    /// How many trailing digits must be equal; above 40 counts as 40.
    pub suffix_digits: usize,
    /// The least ratio, from 0 to 1.
    pub threshold: f64,
}

impl Default for Similarity {
    fn default() -> Self {
        Self { prefix_digits: 10, suffix_digits: 5, threshold: 0.95 }
    }
}

/// Which known hashes are like the one asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// None is: the hash is new.
    None,
    /// One is, or the hash itself is known: this is the one meant.
    One(InfoHash),
    /// Several are, and nobody can tell which is meant.
    Several {
        /// The first [`LISTED_MAX`] of them, in the order they came.
        listed: Vec<InfoHash>,
        /// How many there are.
        total: usize,
    },
}

impl Similarity {
    /// Compares `asked` with every one of `known`, which may not hold the same hash twice.
    #[must_use]
    pub fn find(&self, asked: &InfoHash, known: impl IntoIterator<Item = InfoHash>) -> Match {
        let text = digits(asked);
        let mut listed = Vec::new();
        let mut total = 0;
        for hash in known {
            if hash == *asked {
                return Match::One(hash);
            }
            if self.alike(&text, &digits(&hash)) {
                total += 1;
                if listed.len() < LISTED_MAX {
                    listed.push(hash);
                }
            }
        }
        match listed.as_slice() {
            [] => Match::None,
            [one] => Match::One(*one),
            _ => Match::Several { listed, total },
        }
    }

    fn alike(&self, asked: &[u8; DIGITS], known: &[u8; DIGITS]) -> bool {
        let prefix = self.prefix_digits.min(DIGITS);
        let suffix = DIGITS - self.suffix_digits.min(DIGITS);
        asked[..prefix] == known[..prefix]
            && asked[suffix..] == known[suffix..]
            && ratio(common_digits(asked, known)) >= self.threshold
            && ratio(matching_digits(asked, known)) >= self.threshold
    }
}

/// 2·M/T for `matching` digits of two hashes.
fn ratio(matching: usize) -> f64 {
    let matching = u8::try_from(matching).map_or(f64::INFINITY, f64::from);
    2.0 * matching / (2.0 * DIGITS as f64)
}

/// A quick upper bound of [`matching_digits`]: how many digits they share, wherever those stand.
fn common_digits(a: &[u8; DIGITS], b: &[u8; DIGITS]) -> usize {
    let mut free = [0_usize; 256];
    b.iter().for_each(|&digit| free[usize::from(digit)] += 1);
    let shared = a.iter().filter(|&&digit| {
        let free = &mut free[usize::from(digit)];
        let taken = *free > 0;
        *free = free.saturating_sub(1);
        taken
    });
    shared.count()
}

/// The sum of the matching blocks of `a` and `b`. Each call takes a run away, so it is at most 40 deep.
fn matching_digits(a: &[u8], b: &[u8]) -> usize {
    let Some((in_a, in_b, length)) = longest_run(a, b) else { return 0 };
    matching_digits(&a[..in_a], &b[..in_b])
        + length
        + matching_digits(&a[in_a + length..], &b[in_b + length..])
}

/// Where the longest common run begins in `a` and in `b`, and its length; of equals the first in `a`, then in `b`.
fn longest_run(a: &[u8], b: &[u8]) -> Option<(usize, usize, usize)> {
    let mut best = None;
    let mut longest = 0;
    // `runs[j]` is the length of the common run that ends before `b[j]` and at the current digit of `a`.
    let mut runs = [0_usize; DIGITS + 1];
    for (i, digit) in a.iter().enumerate() {
        for j in (0..b.len()).rev() {
            runs[j + 1] = if b[j] == *digit { runs[j] + 1 } else { 0 };
        }
        for (j, &length) in runs[1..=b.len()].iter().enumerate() {
            if length > longest {
                longest = length;
                best = Some((i + 1 - length, j + 1 - length, length));
            }
        }
    }
    best
}

/// The hash as 40 lower-case hexadecimal digits.
fn digits(hash: &InfoHash) -> [u8; DIGITS] {
    let mut text = [0; DIGITS];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(hash.as_bytes()) {
        *pair =
            [byte >> 4, byte & 15].map(|nibble| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: &str = "00112233445566778899aabbccddeeff01234567";

    /// Pairs with the sum of `SequenceMatcher(None, a, b).get_matching_blocks()` as CPython 3 computes it.
    const GOLDEN: [(&str, &str, usize); 19] = [
        (KNOWN, KNOWN, 40),
        (KNOWN, "00112233445566778899fabbccddeeff01234567", 39),
        (KNOWN, "001122334455667f8899aabbcfddeeff01234567", 38),
        (KNOWN, "001122334455f6778899fabbccddee0f01234567", 37),
        (KNOWN, "0011223344566778899aabbccddeeff012345678", 39),
        (KNOWN, "001122334455966778899aabbccddeeff0123456", 39),
        (KNOWN, "76543210ffeeddccbbaa99887766554433221100", 2),
        ("a4c123b1612dd272d1371c17149d439536b3216f", "daeeb975729fae923d5a4fd12aabfe228f219e9c", 9),
        ("daeeb975729fae923d5a4fd12aabfe228f219e9c", "a4c123b1612dd272d1371c17149d439536b3216f", 8),
        ("b0eb53f16947ccf25ec84d8dbc74254770f58904", "dba41ecccc3fc1626e53a13043b026c48bbf33fe", 6),
        ("dba41ecccc3fc1626e53a13043b026c48bbf33fe", "b0eb53f16947ccf25ec84d8dbc74254770f58904", 7),
        ("ff9243a8f506b40928b5b7a767c76fb008f86beb", "b2737f6a6f0fb23c6f5da2cec255404e4fb44003", 11),
        ("b2737f6a6f0fb23c6f5da2cec255404e4fb44003", "ff9243a8f506b40928b5b7a767c76fb008f86beb", 10),
        ("d6ba2b0aee0ca923732881584d8c4fa2815d2802", "827283e0ad84173581569969e58b081006f7e3df", 12),
        ("827283e0ad84173581569969e58b081006f7e3df", "d6ba2b0aee0ca923732881584d8c4fa2815d2802", 11),
        ("abababababababababababababababababababab", "babababababababababababababababababababa", 39),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 0),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb", 20),
        ("0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98", 3),
    ];

    fn hash(hex: &str) -> InfoHash {
        hex.parse().unwrap()
    }

    #[test]
    fn the_ratio_is_that_of_difflib() {
        for (a, b, matching) in GOLDEN {
            assert_eq!(matching_digits(a.as_bytes(), b.as_bytes()), matching, "{a} {b}");
        }
        assert_eq!([40, 39, 38, 37, 0].map(ratio), [1.0, 0.975, 0.95, 0.925, 0.0]);
    }

    #[test]
    fn one_like_it_is_adopted() {
        let known = [hash(KNOWN), hash("a4c123b1612dd272d1371c17149d439536b3216f")];
        let find = |asked: &str| Similarity::default().find(&hash(asked), known);
        assert_eq!(find(KNOWN), Match::One(known[0]));
        assert_eq!(find("001122334455667f8899aabbcfddeeff01234567"), Match::One(known[0]));
    }

    #[test]
    fn a_hash_that_differs_too_much_or_at_an_end_is_new() {
        let find = |asked: &str| Similarity::default().find(&hash(asked), [hash(KNOWN)]);
        assert_eq!(find("001122334455f6778899fabbccddee0f01234567"), Match::None);
        assert_eq!(find("f0112233445566778899aabbccddeeff01234567"), Match::None);
        assert_eq!(find("00112233445566778899aabbccddeeff01234568"), Match::None);
    }

    #[test]
    fn several_are_listed_and_counted() {
        let known: Vec<_> =
            (0..20).map(|n| hash(&KNOWN.replace("99aabb", &format!("99aa{n:02x}")))).collect();
        let found = Similarity::default().find(&hash(KNOWN), known.clone());
        assert_eq!(found, Match::Several { listed: known[..LISTED_MAX].to_vec(), total: 20 });
        let with_itself = known.into_iter().chain([hash(KNOWN)]);
        assert_eq!(Similarity::default().find(&hash(KNOWN), with_itself), Match::One(hash(KNOWN)));
    }

    #[test]
    fn settings_beyond_a_hash_ask_for_the_hash_itself() {
        let strict = Similarity { prefix_digits: 1000, suffix_digits: 1000, threshold: 0.0 };
        assert_eq!(
            strict.find(&hash("00112233445566778899fabbccddeeff01234567"), [hash(KNOWN)]),
            Match::None
        );
        let lax = Similarity { prefix_digits: 0, suffix_digits: 0, threshold: 0.0 };
        assert_eq!(lax.find(&hash(&"f".repeat(40)), [hash(KNOWN)]), Match::One(hash(KNOWN)));
    }

    proptest! {
        #[test]
        fn the_quick_bound_is_one(a in "[0-3]{40}", b in "[0-3]{40}") {
            let (a, b) = (digits(&hash(&a)), digits(&hash(&b)));
            prop_assert!(matching_digits(&a, &b) <= common_digits(&a, &b));
        }
    }
}
