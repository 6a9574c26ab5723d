//! Entry points for fuzzing: one function a decoder, that takes any bytes and asserts what must hold of them.
//!
//! `cargo test -p fuzz` replays each corpus, which holds every crash ever found, and tries some mutations of it on any
//! toolchain. `mkdir -p target/fuzz/<target> && cargo +nightly fuzz run <target> target/fuzz/<target>
//! fuzz/corpus/<target>` explores with libFuzzer, and keeps what it comes across out of the corpus.
//!
//! A new target is a function here, a line in [`TARGETS`], a `[[bin]]` in `Cargo.toml`, its file in `fuzz_targets/`,
//! and a seed in `corpus/<target>/`; a test notices what is missing.

mod classic;
mod files;
mod listener;
mod operations;
mod peer;
mod tracker;

use std::collections::HashSet;
use std::path::{Component, Path};

use wire::bencode::{Rules, Tree, Value, put_bytes, put_dict, put_int, put_list};
use wire::magnet::{MAGNET_BYTES_MAX, Magnet};
use wire::metainfo::{Metainfo, with_trackers};

pub use classic::{classic_beacon, classic_chunklist, classic_index, classic_token, classic_transfer};
pub use files::legacy;
pub use listener::{forwarded, http_head, proxy_header};
pub use operations::{directory, registry};
pub use peer::{peer_extension, peer_stream};
pub use tracker::{http_announce, http_reply, http_scrape, udp_reply, udp_request};

/// An entry point: it panics where what must hold does not.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
#[rustfmt::skip] // One a line, however short.
pub const TARGETS: &[(&str, Target)] = &[
    ("bencode", bencode),
    ("classic_beacon", classic_beacon),
    ("classic_chunklist", classic_chunklist),
    ("classic_index", classic_index),
    ("classic_token", classic_token),
    ("classic_transfer", classic_transfer),
    ("directory", directory),
    ("forwarded", forwarded),
    ("http_announce", http_announce),
    ("http_head", http_head),
    ("http_reply", http_reply),
    ("http_scrape", http_scrape),
    ("legacy", legacy),
    ("magnet", magnet),
    ("metainfo", metainfo),
    ("peer_extension", peer_extension),
    ("peer_stream", peer_stream),
    ("proxy_header", proxy_header),
    ("registry", registry),
    ("udp_reply", udp_reply),
    ("udp_request", udp_request),
];

/// What is read strictly is written back as it was; the lenient reader knows it too.
///
/// # Panics
/// Where that does not hold.
pub fn bencode(data: &[u8]) {
    let lenient = Tree::parse(data, &Rules::LENIENT);
    if let Ok(tree) = &lenient {
        assert!(tree.items() * 2 <= tree.end() && tree.end() <= data.len());
        assert_eq!(rewritten(tree.root()), tree.root().raw());
    }
    if let Ok(tree) = Tree::parse(data, &Rules::STRICT) {
        assert_eq!(rewritten(tree.root()), data);
        assert!(lenient.is_ok());
    }
}

fn rewritten(value: Value<'_, '_>) -> Vec<u8> {
    let mut out = Vec::new();
    rewrite(value, &mut out);
    out
}

/// Recurses as deep as [`Rules`] allow.
fn rewrite(value: Value<'_, '_>, out: &mut Vec<u8>) {
    if let Some(int) = value.as_int() {
        put_int(out, int);
    } else if let Some(bytes) = value.as_bytes() {
        put_bytes(out, bytes);
    } else if let Some(list) = value.as_list() {
        put_list(out, |out| list.iter().for_each(|item| rewrite(item, out)));
    } else if let Some(dict) = value.as_dict() {
        put_dict(out, |writer| dict.iter().for_each(|(key, value)| rewrite(value, writer.key(key))));
    }
}

/// Paths stay in their folder and apart from each other, and new trackers change neither the torrent nor its hash.
///
/// # Panics
/// Where that does not hold.
pub fn metainfo(data: &[u8]) {
    let other = [vec!["udp://hub:6969".to_owned(), "http://hub:6969/announce".to_owned()]];
    let changed = with_trackers(data, &other);
    let Ok(torrent) = Metainfo::decode(data) else { return };
    let again =
        Metainfo::decode(&changed.expect("a torrent takes trackers")).expect("and is still a torrent");
    assert_eq!(again.info_bytes(), torrent.info_bytes());
    assert_eq!((again.info_hash(), again.trackers()), (torrent.info_hash(), &other[..]));
    assert_eq!((again.files(), again.comment()), (torrent.files(), torrent.comment()));

    stays_below(&[torrent.name().to_owned()]);
    let mut seen = HashSet::new();
    for file in torrent.files() {
        stays_below(&file.path);
        assert!(file.pad || seen.insert(&file.path[..]), "two files have the path {:?}", file.path);
    }
    for file in torrent.files().iter().filter(|file| !file.pad) {
        let mut folders = 1..file.path.len();
        assert!(
            !folders.any(|end| seen.contains(&file.path[..end])),
            "a file is a folder of {:?}",
            file.path
        );
    }
    if torrent.info_hash_v2().is_none() {
        let count = torrent.payload_size().div_ceil(torrent.piece_length());
        assert_eq!(torrent.pieces().len() as u64, count * 20);
    }
    let link = Magnet::from(&torrent);
    let text = link.to_string();
    assert!(text.len() > MAGNET_BYTES_MAX || Magnet::decode(&text) == Ok(link));
}

fn stays_below(path: &[String]) {
    assert!(!path.is_empty());
    for name in path {
        let mut components = Path::new(name).components();
        assert!(
            matches!((components.next(), components.next()), (Some(Component::Normal(_)), None)),
            "{name:?}"
        );
        assert!(!name.contains(['/', '\\', '\0']) && name.len() <= 255, "{name:?}");
    }
}

/// A link that is read is written so that it reads the same.
///
/// # Panics
/// Where that does not hold.
pub fn magnet(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(link) = Magnet::decode(text) else { return };
    let text = link.to_string();
    assert!(text.len() > MAGNET_BYTES_MAX || Magnet::decode(&text) == Ok(link));
}
