use proptest::prelude::*;

use super::*;
use crate::Malformed;
use crate::bencode::{put_bytes, put_dict};

/// A single file of 40 bytes in pieces of 16: three hashes.
const SINGLE: &[u8] =
    b"d8:announce20:http://hub/announce!4:infod6:lengthi40e4:name8:a file.b12:piece lengthi16e6:pieces60:\
      aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbccccccccccccccccccccee";

/// The info hash of [`SINGLE`], by `sha1sum`.
const SINGLE_HASH: &str = "2630e0c6d300930b39224918be6a75615109865e";

/// A folder `top` with the bencoded `files`, of `size` bytes in pieces of 16.
fn folder(files: &str, size: usize) -> Vec<u8> {
    let pieces = "h".repeat(20 * size.div_ceil(16));
    format!("d4:infod5:filesl{files}e4:name3:top12:piece lengthi16e6:pieces{}:{pieces}ee", pieces.len())
        .into_bytes()
}

fn refusal(bytes: &[u8]) -> String {
    Metainfo::decode(bytes).expect_err(&bytes.escape_ascii().to_string()).to_string()
}

fn replaced(from: &str, to: &str) -> String {
    let text = String::from_utf8(SINGLE.to_vec()).unwrap();
    assert!(text.contains(from));
    refusal(text.replace(from, to).as_bytes())
}

fn paths(torrent: &Metainfo) -> Vec<String> {
    torrent.files().iter().map(|file| file.path.join("/")).collect()
}

#[test]
fn a_single_file() {
    let torrent = Metainfo::decode(SINGLE).unwrap();
    assert_eq!(torrent.info_hash().to_string(), SINGLE_HASH);
    assert_eq!((torrent.version(), torrent.info_hash_v2()), (Version::V1, None));
    assert_eq!((torrent.name(), torrent.is_single_file()), ("a file.b", true));
    assert_eq!((torrent.size(), torrent.payload_size(), torrent.piece_length()), (40, 40, 16));
    assert_eq!(torrent.pieces(), b"aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbcccccccccccccccccccc");
    assert_eq!(paths(&torrent), ["a file.b"]);
    assert_eq!(torrent.trackers(), [["http://hub/announce!"]]);
    assert!(!torrent.private());
    assert!(torrent.info_bytes().starts_with(b"d6:length") && torrent.info_bytes().ends_with(b"cce"));
}

#[test]
fn a_folder_with_everything_around_it() {
    let bytes = b"d8:announce8:http://a13:announce-listll7:udp://b8:http://ael0:el7:udp://cee\
        7:comment2:hi10:created by4:skep13:creation datei1700000000e\
        4:infod5:filesld6:lengthi3e4:pathl3:dir1:aeed4:attr1:x6:lengthi0e4:pathl1:beee\
        4:name3:top12:piece lengthi16384e6:pieces20:hhhhhhhhhhhhhhhhhhhh7:privatei1e6:source1:Se\
        8:url-listl9:http://w/0:ee";
    let torrent = Metainfo::decode(bytes).unwrap();
    assert_eq!((torrent.name(), torrent.is_single_file(), torrent.private()), ("top", false, true));
    assert_eq!(paths(&torrent), ["dir/a", "b"]);
    assert!(torrent.files()[1].executable && !torrent.files()[0].executable);
    assert_eq!(torrent.trackers(), [vec!["udp://b", "http://a"], vec!["udp://c"]]);
    assert_eq!(torrent.web_seeds(), ["http://w/"]);
    assert_eq!(
        (torrent.comment(), torrent.created_by(), torrent.source()),
        (Some("hi"), Some("skep"), Some("S"))
    );
    assert_eq!(torrent.creation_date(), Some(1_700_000_000));
}

#[test]
fn the_hash_is_of_the_sender_s_bytes() {
    // Keys out of order, a key nobody knows, bytes after the torrent.
    let odd = b"d4:infod12:piece lengthi16e4:name1:n6:lengthi0e6:pieces0:3:oddi1ee5:extra0:e\n\n";
    let torrent = Metainfo::decode(odd).unwrap();
    assert_eq!(torrent.info_bytes(), &odd[7..odd.len() - 12]);
    assert_eq!(torrent.info_hash().to_string(), "b8a4fb53c50ecaa2a5cd1728f87f8f067f4f52ec");
}

#[test]
fn utf8_names_are_preferred() {
    let bytes = "d4:infod5:filesld6:lengthi1e4:pathl2:\u{fffd}e10:path.utf-8l2:éeee4:name1:x10:name.utf-82:ü\
        12:piece lengthi16e6:pieces20:hhhhhhhhhhhhhhhhhhhhee"
        .replace("2:\u{fffd}", "3:\u{fffd}");
    let torrent = Metainfo::decode(bytes.as_bytes()).unwrap();
    assert_eq!((torrent.name(), &paths(&torrent)[..]), ("ü", &["é".to_owned()][..]));
}

#[test]
fn padding_is_told_from_files() {
    // BEP 47's attribute, its customary name, BitComet's name; and a file that only looks like it.
    let files = "d6:lengthi10e4:pathl1:aeed4:attr1:p6:lengthi6e4:pathl4:.pad1:6ee\
        d6:lengthi6e4:pathl4:.pad1:6eed6:lengthi2e4:pathl23:_____padding_file_0_ x2ee\
        d6:lengthi1e4:pathl4:.pad5:notesee";
    let torrent = Metainfo::decode(&folder(files, 25)).unwrap();
    let pads: Vec<_> = torrent.files().iter().map(|file| file.pad).collect();
    assert_eq!(pads, [false, true, true, true, false]);
    assert_eq!((torrent.size(), torrent.payload_size()), (11, 25));
}

#[test]
fn a_symbolic_link_has_no_bytes_and_no_target() {
    let files = "d4:attr2:lh4:pathl4:linke12:symlink pathl2:..6:passwdeed6:lengthi1e4:pathl1:aee";
    let torrent = Metainfo::decode(&folder(files, 1)).unwrap();
    let link = &torrent.files()[0];
    assert!(link.symlink && link.hidden && link.length == 0);
}

#[test]
fn paths_from_strangers_stay_below_the_folder() {
    let files = "d6:lengthi1e4:pathl2:..2:..6:passwdeed6:lengthi1e4:pathl0:11:/etc/passwdee\
        d6:lengthi1e4:pathl3:nulee";
    let torrent = Metainfo::decode(&folder(files, 3)).unwrap();
    assert_eq!(paths(&torrent), ["__/__/passwd", "_/_etc_passwd", "_nul"]);
}

#[test]
fn what_is_wrong_is_quoted() {
    assert_eq!(replaced("i16e", "i0e"), "`piece length` `0` is not from 1 to 1073741824 bytes");
    assert_eq!(replaced("i16e", "i-1e"), "`piece length` `-1` is not from 1 to 1073741824 bytes");
    assert_eq!(replaced("i40e", "i-1e"), "`length` `-1` is not a number of bytes from 0");
    assert_eq!(
        replaced("i40e", "i49e"),
        "`pieces` is 60 bytes long: 49 bytes in pieces of 16 need 4 hashes of 20"
    );
    assert_eq!(
        replaced("4:name", "4:nome"),
        "the torrent's `info` has no `name`: the file or folder's name is expected"
    );
    assert_eq!(replaced("8:a file.b", "i5e"), "`name` at byte 59 `i5e` is not a string");
    assert_eq!(replaced("4:info", "4:inf0"), "the torrent has no `info`: a dictionary is expected");
    assert!(refusal(&folder("d6:lengthi1e4:pathlee", 1)).ends_with("is not complete: its `path` is empty"));
    assert!(
        refusal(&folder("i1e", 1)).starts_with("an item of `files` at byte 16 `i1e` is not a dictionary")
    );
    assert_eq!(refusal(b"le"), "the torrent at byte 0 `le` is not a dictionary");
    let huge = format!("d6:lengthi{}e4:pathl1:aee", i64::MAX).repeat(3);
    assert_eq!(refusal(&folder(&huge, 1)), "the files' lengths add up to more than 64 bits hold");
    let long = format!("d6:lengthi1e4:pathl{}ee", "1:a".repeat(COMPONENTS_MAX)).repeat(10_000);
    assert_eq!(refusal(&folder(&long, 10_000)), "the files' paths are too long for so short a torrent");
    let deep = format!("d6:lengthi1e4:pathl{}ee", "1:a".repeat(COMPONENTS_MAX + 1));
    assert!(refusal(&folder(&deep, 1)).ends_with("is not allowed so deep: 64 names at most"));
}

#[test]
fn truncation_at_every_byte_is_refused() {
    for whole in [SINGLE, &version_2(b"", b""), &folder("d6:lengthi1e4:pathl1:aee", 1)] {
        assert!(Metainfo::decode(whole).is_ok());
        for end in 0..whole.len() {
            assert!(Metainfo::decode(&whole[..end]).is_err(), "{}", whole[..end].escape_ascii());
            assert!(with_trackers(&whole[..end], &[]).is_err());
        }
    }
}

/// `file tree` with `dir/b` (20000 bytes) and `e` (empty), as BEP 52 lays it out.
fn file_tree() -> Vec<u8> {
    let root = "r".repeat(32);
    format!("d3:dird1:bd0:d6:lengthi20000e11:pieces root32:{root}eee1:ed0:d6:lengthi0eeee").into_bytes()
}

fn version_2(v1: &[u8], after_name: &[u8]) -> Vec<u8> {
    let mut out = b"d4:infod9:file tree".to_vec();
    out.extend(file_tree());
    out.extend(v1);
    out.extend(b"12:meta versioni2e4:name3:top12:piece lengthi16384e");
    out.extend(after_name);
    out.extend(b"ee");
    out
}

#[test]
fn version_2_is_recognised() {
    let bytes = version_2(b"", b"");
    let torrent = Metainfo::decode(&bytes).unwrap();
    assert_eq!(
        (torrent.version(), torrent.is_single_file(), torrent.pieces()),
        (Version::V2, false, &b""[..])
    );
    assert_eq!((paths(&torrent), torrent.size()), (vec!["dir/b".to_owned(), "e".to_owned()], 20_000));
    let hash = torrent.info_hash_v2().unwrap();
    assert_eq!(hash[..20], torrent.info_hash().0);
    assert_eq!(torrent.info_hash().to_string(), "6800a994d2a25738f9e5e75958d4473543497a68");

    let single =
        b"d4:infod9:file treed1:fd0:d6:lengthi0eeee12:meta versioni2e4:name1:f12:piece lengthi16384eee";
    assert!(Metainfo::decode(single).unwrap().is_single_file());
    let text = String::from_utf8(bytes).unwrap();
    let refuse = |from: &str, to: &str| refusal(text.replace(from, to).as_bytes());
    assert_eq!(refuse("i2e", "i3e"), "`meta version` `3` is not 1 or 2");
    assert!(refuse("i16384e", "i16383e").ends_with("is not a power of two from 16384, as version 2 wants"));
    assert!(refuse("11:pieces root", "11:pieces rood").ends_with("`pieces root` of 32 bytes is expected"));
    assert!(refuse("1:ed0:", "0:d0:").contains("`file tree` without a name"));
    assert!(refuse("9:file tree", "9:file tre3").contains("has no `file tree`"));
}

#[test]
fn a_hybrid_names_the_same_files_twice() {
    let pieces = format!("6:pieces40:{}", "h".repeat(40));
    let hybrid = |b: &str| {
        let files = format!(
            "5:filesld6:lengthi20000e4:pathl3:dir1:{b}eed4:attr1:p6:lengthi12768e4:pathl4:.pad5:12768ee\
             d6:lengthi0e4:pathl1:eeee"
        );
        version_2(files.as_bytes(), pieces.as_bytes())
    };
    let torrent = Metainfo::decode(&hybrid("b")).unwrap();
    assert_eq!(
        (torrent.version(), torrent.size(), torrent.payload_size()),
        (Version::Hybrid, 20_000, 32_768)
    );
    assert_ne!(
        torrent.info_hash_v2().unwrap()[..20],
        torrent.info_hash().0,
        "trackers are asked for version 1"
    );
    assert_eq!(torrent.pieces().len(), 40);
    assert_eq!(refusal(&hybrid("c")), "`files` `dir/c` is not in the same place of the `file tree`");
}

#[test]
fn a_short_torrent_cannot_ask_for_long_paths() {
    // One deep folder with long names, and many files in it: each repeats the folder's path.
    let name = format!("200:{}", "n".repeat(200));
    let files: String = (0..20_000).map(|n| format!("5:{n:05}d0:d6:lengthi0eee")).collect();
    let tree = format!("{}d{files}e{}", format!("d{name}").repeat(60), "e".repeat(60));
    let bytes = format!("d4:infod9:file tree{tree}12:meta versioni2e4:name1:t12:piece lengthi16384eee");
    assert_eq!(refusal(bytes.as_bytes()), "the files' paths are too long for so short a torrent");
}

#[test]
fn other_trackers_leave_the_info_alone() {
    let tiers =
        vec![vec!["http://h/announce".to_owned(), "udp://h".to_owned()], vec![], vec!["udp://i".to_owned()]];
    let rewritten = with_trackers(SINGLE, &tiers).unwrap();
    let (before, after) = (Metainfo::decode(SINGLE).unwrap(), Metainfo::decode(&rewritten).unwrap());
    assert_eq!(after.info_bytes(), before.info_bytes());
    assert_eq!(after.trackers(), [vec!["http://h/announce", "udp://h"], vec!["udp://i"]]);
    assert!(
        rewritten
            .starts_with(b"d8:announce17:http://h/announce13:announce-listll17:http://h/announce7:udp://hel")
    );

    let one = with_trackers(&rewritten, &[vec!["udp://one".to_owned()]]).unwrap();
    assert!(one.starts_with(b"d8:announce9:udp://one4:infod6:length"));
    let none = with_trackers(&one, &[]).unwrap();
    assert!(none.starts_with(b"d4:infod6:length"));
    let sorted = with_trackers(b"d1:zi1e4:infode1:a0:1:z0:ejunk", &[]).unwrap();
    assert_eq!(sorted, b"d1:a0:4:infode1:zi1ee");
    for wrong in [&b"i1e"[..], b"d4:infoi1ee", b"de", b""] {
        assert!(with_trackers(wrong, &[]).is_err());
    }
}

#[test]
fn the_builder_writes_what_bep_3_prints() {
    let mut out = Vec::new();
    let builder = Builder {
        name: "a file.b".into(),
        content: Content::File(40),
        piece_length: 16,
        pieces: SINGLE[SINGLE.len() - 62..SINGLE.len() - 2].to_vec(),
        trackers: vec![vec!["http://hub/announce!".into()]],
        ..Builder::default()
    };
    builder.encode(&mut out);
    assert_eq!(out.escape_ascii().to_string(), SINGLE.escape_ascii().to_string());
}

fn names() -> impl Strategy<Value = String> {
    "[a-z~]{1,8}(\\.[a-z]{1,3})?"
}

fn builders() -> impl Strategy<Value = Builder> {
    let text = || proptest::option::of("\\PC{1,12}");
    let path = proptest::collection::vec(names(), 1..4);
    let content = prop_oneof![
        (0u64..5000).prop_map(Content::File),
        proptest::collection::vec((path, 0u64..5000), 0..8).prop_map(Content::Folder),
    ];
    let urls = || proptest::collection::vec("[a-z]{1,4}://\\PC{1,8}", 1..3);
    let around = (text(), text(), text(), proptest::option::of(any::<i64>()));
    (names(), content, 1u64..3000, any::<bool>(), around, proptest::collection::vec(urls(), 0..3), urls())
        .prop_map(
            |(
                name,
                content,
                piece_length,
                private,
                (source, comment, created_by, creation_date),
                trackers,
                web_seeds,
            )| {
                let size: u64 = match &content {
                    Content::File(length) => *length,
                    Content::Folder(files) => files.iter().map(|(_, length)| length).sum(),
                };
                let pieces =
                    (0..size.div_ceil(piece_length)).flat_map(|n| [n.to_le_bytes()[0]; 20]).collect();
                Builder {
                    name,
                    content,
                    piece_length,
                    pieces,
                    private,
                    source,
                    comment,
                    created_by,
                    creation_date,
                    trackers,
                    web_seeds,
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(builder in builders()) {
        let mut out = Vec::new();
        builder.encode(&mut out);
        crate::bencode::Tree::parse(&out, &crate::bencode::Rules::STRICT).unwrap();
        let torrent = Metainfo::decode(&out).unwrap();
        prop_assert_eq!(torrent.pieces(), &builder.pieces[..]);
        prop_assert_eq!(torrent.private(), builder.private);
        prop_assert_eq!(torrent.source(), builder.source.as_deref());
        prop_assert_eq!(torrent.comment(), builder.comment.as_deref());
        prop_assert_eq!(torrent.created_by(), builder.created_by.as_deref());
        prop_assert_eq!(torrent.creation_date(), builder.creation_date);
        prop_assert_eq!(torrent.trackers(), &builder.trackers[..]);
        prop_assert_eq!(torrent.web_seeds(), &builder.web_seeds[..]);
        let lengths: Vec<u64> = torrent.files().iter().map(|file| file.length).collect();
        match &builder.content {
            Content::File(length) => prop_assert_eq!(lengths, vec![*length]),
            Content::Folder(files) => {
                prop_assert_eq!(lengths, files.iter().map(|(_, length)| *length).collect::<Vec<_>>());
            }
        }
        let same = with_trackers(&out, torrent.trackers()).unwrap();
        prop_assert_eq!(same, out);
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0..SINGLE.len(), byte in any::<u8>()) {
        let mut bytes = SINGLE.to_vec();
        bytes[at] = byte;
        let result: Result<Metainfo, Malformed> = Metainfo::decode(&bytes);
        prop_assert!(result.is_err() || result.unwrap().size() < 1 << 62);
    }
}

#[test]
fn too_many_trackers_are_refused() {
    let mut out = Vec::new();
    put_dict(&mut out, |dict| {
        dict.list("announce-list", |out| (0..=TRACKERS_MAX).for_each(|_| put_bytes(out, b"udp://x")));
        dict.key(b"info").extend_from_slice(Metainfo::decode(SINGLE).unwrap().info_bytes());
    });
    assert_eq!(refusal(&out), "1001 trackers are too many: 1000 at most");
}
