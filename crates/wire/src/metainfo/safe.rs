//! Names from strangers, made fit to be files.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sha1::{Digest, Sha1};

/// The longest name of a file or folder, in bytes; most file systems take no more.
pub const NAME_BYTES_MAX: usize = 255;

/// A longer "extension" is part of the name.
const EXTENSION_BYTES_MAX: usize = 16;

/// One component of a path as a safe name: the same bytes always give the same name, and a safe name is left alone.
pub(super) fn component(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut name: String = text.chars().map(|char| if is_unsafe(char) { '_' } else { char }).collect();
    // A drive letter makes a path absolute on Windows, wherever it is joined.
    if let [letter, b':', ..] = name.as_bytes()
        && letter.is_ascii_alphabetic()
    {
        name.replace_range(1..2, "_");
    }
    // `.` and `..` end in dots, too. Windows drops dots and blanks at the end, so that two names would be one file.
    let kept = name.trim_end_matches(['.', ' ']).len();
    let dropped = name.len() - kept;
    name.truncate(kept);
    name.extend(std::iter::repeat_n('_', dropped));
    if name.is_empty() {
        name.push('_');
    }
    if is_device(&name) {
        name.insert(0, '_');
    }
    if name.len() > NAME_BYTES_MAX {
        let hash: [u8; 20] = Sha1::digest(raw).into();
        let [a, b, c, d, ..] = hash;
        name = with_suffix(&name, &format!("~{:08x}", u32::from_be_bytes([a, b, c, d])));
    }
    name
}

/// Safe paths for `raw` ones, each with whether it is padding, which nobody stores and which may share its path.
///
/// A path that another file or folder has is told apart by its place in the list: `name~7.txt` is the seventh file.
/// Paths that were safe already choose first.
pub(super) fn paths<'a>(raw: impl Iterator<Item = (&'a [&'a [u8]], bool)>) -> Vec<Vec<String>> {
    let mut paths: Vec<Vec<String>> = Vec::new();
    let mut ranks = Vec::new();
    for (path, pad) in raw {
        let safe: Vec<_> = path.iter().map(|raw| component(raw)).collect();
        let same = safe.iter().zip(path).all(|(safe, raw)| safe.as_bytes() == *raw);
        ranks.push(match (pad, same) {
            (true, _) => Rank::Padding,
            (false, true) => Rank::Safe,
            (false, false) => Rank::MadeSafe,
        });
        paths.push(safe);
    }
    for (index, name) in renamed(&paths, &ranks) {
        if let Some(last) = paths[index].last_mut() {
            *last = name;
        }
    }
    paths
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Safe,
    MadeSafe,
    Padding,
}

/// Which files need another name, and what name.
fn renamed(paths: &[Vec<String>], ranks: &[Rank]) -> Vec<(usize, String)> {
    // Every folder and file by (its folder's number, its name). Sorted, not hashed: no names chosen by a stranger
    // make it slow.
    let mut taken: BTreeMap<(usize, Cow<'_, str>), usize> = BTreeMap::new();
    let mut parents = vec![ROOT; paths.len()];
    for ((path, rank), parent) in paths.iter().zip(ranks).zip(&mut parents) {
        let [folders @ .., _] = &path[..] else { continue };
        if *rank != Rank::Padding {
            for folder in folders {
                let number = taken.len() + 1;
                *parent = *taken.entry((*parent, Cow::Borrowed(folder))).or_insert(number);
            }
        }
    }
    let mut renamed = Vec::new();
    for turn in [Rank::Safe, Rank::MadeSafe] {
        for (index, path) in paths.iter().enumerate().filter(|(index, _)| ranks[*index] == turn) {
            let Some(name) = path.last() else { continue };
            let mut key = (parents[index], Cow::Borrowed(&name[..]));
            let mut tries = 0;
            while taken.contains_key(&key) {
                // The place in the list is this file's alone, so that however many share a name, each is soon told
                // apart, and only a file that took just this name makes another try necessary.
                let suffix =
                    if tries == 0 { format!("~{}", index + 1) } else { format!("~{}.{tries}", index + 1) };
                key.1 = Cow::Owned(with_suffix(name, &suffix));
                tries += 1;
            }
            if let Cow::Owned(name) = &key.1 {
                renamed.push((index, name.clone()));
            }
            let number = taken.len() + 1;
            taken.insert(key, number);
        }
    }
    renamed
}

/// The number of the torrent's own folder.
const ROOT: usize = 0;

/// `suffix` before the extension, in [`NAME_BYTES_MAX`] at most.
fn with_suffix(name: &str, suffix: &str) -> String {
    let dot = name.rfind('.').filter(|dot| *dot > 0 && name.len() - dot <= EXTENSION_BYTES_MAX);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let stem_max = NAME_BYTES_MAX.saturating_sub(suffix.len() + extension.len());
    let ends = stem.char_indices().map(|(at, char)| at + char.len_utf8());
    let stem = &stem[..ends.take_while(|end| *end <= stem_max).last().unwrap_or(0)];
    format!("{stem}{suffix}{extension}")
}

/// Separators, control characters, and those that turn the direction of text, by which `exe.txt` can be shown for
/// `txt.exe`.
fn is_unsafe(char: char) -> bool {
    matches!(char, '/' | '\\' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || char.is_control()
}

/// Whether Windows takes the name for a device, which it does whatever the extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ').to_ascii_uppercase();
    match stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")) {
        Some(number) => {
            matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
        }
        None => matches!(&stem[..], "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unsafe_names_are_made_safe_and_safe_ones_left_alone() {
        for (raw, safe) in [
            (&b""[..], "_"),
            (b".", "_"),
            (b"..", "__"),
            (b"...", "___"),
            (b"/", "_"),
            (b"/etc/passwd", "_etc_passwd"),
            (b"..\\..\\x", ".._.._x"),
            (b"C:\\x", "C__x"),
            (b"c:", "c_"),
            (b"a\0b\n\x1b[2J", "a_b__[2J"),
            (b"name. . ", "name____"),
            (b" lead", " lead"),
            (b"CON", "_CON"),
            (b"nul.txt", "_nul.txt"),
            (b"Com1 .tar.gz", "_Com1 .tar.gz"),
            ("lpt¹".as_bytes(), "_lpt¹"),
            (b"CONSOLE", "CONSOLE"),
            (b"COM10", "COM10"),
            (b"aux_", "aux_"),
            (b"\xff\xfe.txt", "\u{fffd}\u{fffd}.txt"),
            ("gpj\u{202e}.exe".as_bytes(), "gpj_.exe"),
            (b".hidden", ".hidden"),
            (b"12:30?.csv", "12:30?.csv"),
            ("naïve — 日本.txt".as_bytes(), "naïve — 日本.txt"),
        ] {
            assert_eq!(component(raw), safe, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn long_names_keep_their_extension_and_stay_different() {
        let long = |last: char| format!("{}{last}.tar", "é".repeat(200));
        let (a, b) = (component(long('a').as_bytes()), component(long('b').as_bytes()));
        assert!(a.len() <= NAME_BYTES_MAX && a.starts_with("éé") && a.ends_with(".tar"), "{a}");
        assert_ne!(a, b);
        assert_eq!(component("x".repeat(255).as_bytes()), "x".repeat(255));
        assert!(component(&[0xff; 255]).len() <= NAME_BYTES_MAX, "each byte becomes three");
    }

    fn made(raw: &[&[&[u8]]]) -> Vec<String> {
        paths(raw.iter().map(|path| (*path, false))).iter().map(|path| path.join("/")).collect()
    }

    #[test]
    fn equal_paths_are_told_apart_by_their_place() {
        assert_eq!(made(&[&[b"a.txt"], &[b"a.txt"], &[b"a.txt"]]), ["a.txt", "a~2.txt", "a~3.txt"]);
        assert_eq!(made(&[&[b"x/"], &[b"x_"]]), ["x_~1", "x_"], "the safe one first");
        assert_eq!(made(&[&[b"a"], &[b"a", b"b"]]), ["a~1", "a/b"], "a file is no folder");
        assert_eq!(made(&[&[b"a"], &[b"a"], &[b"a~2"]]), ["a", "a~2", "a~2~3"]);
        assert_eq!(made(&[&[b"a~3"], &[b"a"], &[b"a"], &[b"A"]]), ["a~3", "a", "a~3.1", "A"]);
        let pads = paths([(&[&b".pad"[..], b"9"][..], true), (&[b".pad", b"9"], true)].into_iter());
        assert_eq!(pads[0], pads[1]);
    }

    fn names() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            6 => proptest::collection::vec(proptest::sample::select(&b"ab./\\ ~2_:\xff"[..]), 0..4),
            1 => proptest::collection::vec(any::<u8>(), 0..300),
            1 => proptest::sample::select(&["con", "a~2", "..", "a~3.1"][..]).prop_map(|name| name.into()),
        ]
    }

    proptest! {
        #[test]
        fn all_names_come_out_safe(raw in names()) {
            let name = component(&raw);
            prop_assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX);
            prop_assert!(!name.contains(is_unsafe) && !name.ends_with(['.', ' ']) && !is_device(&name));
            prop_assert_eq!(component(name.as_bytes()), name, "a safe name is left alone");
        }

        #[test]
        fn no_two_files_meet(raw in proptest::collection::vec(proptest::collection::vec(names(), 1..4), 0..30)) {
            let borrowed: Vec<Vec<&[u8]>> =
                raw.iter().map(|path| path.iter().map(|part| &part[..]).collect()).collect();
            let made = paths(borrowed.iter().map(|path| (&path[..], false)));
            let files: HashSet<&[String]> = made.iter().map(|path| &path[..]).collect();
            prop_assert_eq!(files.len(), made.len(), "two files have one path");
            for path in &made {
                for end in 1..path.len() {
                    prop_assert!(!files.contains(&path[..end]), "a file is the folder of another");
                }
                prop_assert!(path.iter().all(|name| component(name.as_bytes()) == *name), "{:?}", path);
            }
        }
    }
}
