//! What every store must do: one list of cases for the model and for each engine, and the engines against the model.

mod roll;

use proptest::prelude::*;
use swarm::InfoHash;

use super::model::Model;
use super::sqlite::Sqlite;
use super::{
    Addition, Change, Effect, NewTorrent, Outcome, Page, Select, Store, Torrent, TorrentFile, Words,
};

/// The whole battery on one kind of store; `new` makes an empty one.
fn run<S: Store>(new: impl Fn() -> S) {
    adding_twice_changes_nothing(&mut new());
    a_torrent_file_is_kept_and_believed(&mut new());
    removing_leaves_nothing(&mut new());
    completions_are_counted(&mut new());
    an_older_tracker_s_count_is_a_lower_bound(&mut new());
    an_address_adds_so_many(&mut new());
    the_newest_comes_first(&mut new());
    words_find_in_any_order_case_and_accent(&mut new());
    the_best_match_comes_first(&mut new());
    odd_texts_find_nothing_and_break_nothing(&mut new());
    pages_are_stable_while_rows_come_and_go(&mut new());
    large_numbers_survive(&mut new());
    roll::run(&new);
}

#[test]
fn the_model_passes() {
    run(Model::default);
}

#[test]
fn sqlite_passes() {
    let dir = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    run(|| {
        number.set(number.get() + 1);
        Sqlite::open(&dir.path().join(number.get().to_string())).unwrap()
    });
}

fn adding_twice_changes_nothing(store: &mut impl Store) {
    let new = NewTorrent { size: Some(3), files: files(&["a/b.txt"]), ..NewTorrent::named(hash(1), "one") };
    let (torrent, outcome) = add(store, new.clone());
    assert_eq!((torrent.name.as_str(), torrent.added_at, outcome), ("one", 1_000, Outcome::Created));
    assert_eq!(add(store, new), (torrent.clone(), Outcome::Unchanged));
    assert_eq!(store.get(&hash(1)).unwrap(), Some(torrent));
    assert_eq!(store.get(&hash(2)).unwrap(), None);
}

fn a_torrent_file_is_kept_and_believed(store: &mut impl Store) {
    add(store, NewTorrent::named(hash(1), "rumour"));
    assert_eq!(store.metainfo(&hash(1)).unwrap(), None);

    let proof = NewTorrent {
        metainfo: Some(b"d4:infode".to_vec()),
        files: files(&["x.bin", "y.bin"]),
        ..NewTorrent::named(hash(1), "proven")
    };
    assert_eq!(add(store, proof).1, Outcome::Updated);
    assert_eq!(add(store, NewTorrent::named(hash(1), "rumour")).1, Outcome::Unchanged);
    let other = NewTorrent { metainfo: Some(b"other".to_vec()), ..NewTorrent::named(hash(1), "other") };
    assert_eq!(add(store, other).1, Outcome::Unchanged);

    assert_eq!(store.metainfo(&hash(1)).unwrap(), Some(b"d4:infode".to_vec()));
    assert_eq!(store.get(&hash(1)).unwrap().unwrap().name, "proven");
    assert_eq!(found(store, "rumour"), [] as [&str; 0]);
    assert_eq!(found(store, "y bin"), ["proven"]);
}

fn removing_leaves_nothing(store: &mut impl Store) {
    let new =
        NewTorrent { files: files(&["f"]), metainfo: Some(vec![1]), ..NewTorrent::named(hash(1), "gone") };
    add(store, new);
    let effects = store.apply(&[Change::Remove(hash(1)), Change::Remove(hash(1))]).unwrap();
    assert_eq!(effects, [Effect::Removed(true), Effect::Removed(false)]);
    assert_eq!(store.get(&hash(1)).unwrap(), None);
    assert_eq!(store.metainfo(&hash(1)).unwrap(), None);
    assert_eq!(found(store, "gone"), [] as [&str; 0]);
    assert_eq!(add(store, NewTorrent::named(hash(1), "again")).1, Outcome::Created);
}

fn completions_are_counted(store: &mut impl Store) {
    add(store, NewTorrent::named(hash(1), "one"));
    let changes =
        [Change::Completed(hash(1), 2), Change::Completed(hash(9), 5), Change::Completed(hash(1), 1)];
    let effects = store.apply(&changes).unwrap();
    assert_eq!(effects, [true, false, true].map(Effect::Counted));
    assert_eq!(store.get(&hash(1)).unwrap().unwrap().completed, 3);
    assert_eq!(store.completed().unwrap(), [(hash(1), 3)]);
}

fn an_older_tracker_s_count_is_a_lower_bound(store: &mut impl Store) {
    let import = |completed| {
        let torrent = NewTorrent::named(hash(1), "one");
        Change::Add(Box::new(Addition { torrent, now: 1_000, completed, per_address_max: None }))
    };
    let effects = store.apply(&[import(7), import(7), import(3), import(9)]).unwrap();
    let counted = effects.into_iter().map(|effect| match effect {
        Effect::Added(torrent, outcome) => (torrent.completed, outcome),
        other => panic!("{other:?}"),
    });
    let expected =
        [(7, Outcome::Created), (7, Outcome::Unchanged), (7, Outcome::Unchanged), (9, Outcome::Updated)];
    assert_eq!(counted.collect::<Vec<_>>(), expected);
}

fn an_address_adds_so_many(store: &mut impl Store) {
    let mut from = |n, ip: &str| {
        let torrent = NewTorrent { added_from: Some(ip.parse().unwrap()), ..NewTorrent::named(hash(n), "t") };
        let addition = Addition { torrent, now: 1_000, completed: 0, per_address_max: Some(2) };
        match store.apply(&[Change::Add(Box::new(addition))]).unwrap().remove(0) {
            Effect::Added(_, outcome) => Some(outcome),
            _ => None,
        }
    };
    assert_eq!(from(1, "10.0.0.1"), Some(Outcome::Created));
    assert_eq!(from(2, "::ffff:10.0.0.1"), Some(Outcome::Created));
    assert_eq!(from(3, "10.0.0.1"), None);
    assert_eq!(from(2, "10.0.0.1"), Some(Outcome::Unchanged));
    assert_eq!(from(3, "10.0.0.2"), Some(Outcome::Created));
    assert_eq!(from(4, "2001:db8:0:1::1"), Some(Outcome::Created));
    assert_eq!(from(5, "2001:db8:0:1:ffff::2"), Some(Outcome::Created));
    assert_eq!(from(6, "2001:db8:0:1::3"), None);
    assert_eq!(from(6, "2001:db8:0:2::3"), Some(Outcome::Created));
}

fn the_newest_comes_first(store: &mut impl Store) {
    for n in 1..=3 {
        add(store, NewTorrent::named(hash(n), format!("t{n}")));
    }
    assert_eq!(names(&list(store, None, 10, None)), ["t3", "t2", "t1"]);
    let first = list(store, None, 2, None);
    assert_eq!(names(&first), ["t3", "t2"]);
    let second = list(store, None, 2, first.next.as_deref());
    assert_eq!((names(&second), &second.next), (vec!["t1"], &None));
}

fn words_find_in_any_order_case_and_accent(store: &mut impl Store) {
    let new = NewTorrent {
        files: files(&["Fotos/Été_2024.JPG", "notes.txt"]),
        ..NewTorrent::named(hash(1), "Ubuntu-24.04_desktop.amd64")
    };
    add(store, new);
    let hits = [
        "ubuntu",
        "UBUNTU",
        "Desktop ubuntu",
        "24 ubun",
        "ubuntu-24.04",
        "amd64.desktop",
        "ete jpg",
        "été",
        "notes ubuntu",
        "desktop,fotos",
        "\"ubuntu\"",
        "2024 e",
        "Ubuntu-24.04_desktop.amd64",
        " ubuntu\t",
    ];
    for text in hits {
        assert_eq!(found(store, text), ["Ubuntu-24.04_desktop.amd64"], "{text}");
    }
    for text in ["buntu", "ubun desktop", "debian ubuntu", "ubuntux", "txtnotes"] {
        assert_eq!(found(store, text), [] as [&str; 0], "{text}");
    }
}

fn the_best_match_comes_first(store: &mut impl Store) {
    add(store, NewTorrent::named(hash(1), "Dataset"));
    add(store, NewTorrent::named(hash(2), "dataset old"));
    add(store, NewTorrent { files: files(&["dataset.csv"]), ..NewTorrent::named(hash(3), "numbers") });
    add(store, NewTorrent { files: files(&["dataset.csv"]), ..NewTorrent::named(hash(4), "new datasets") });
    assert_eq!(found(store, "dataset"), ["Dataset", "new datasets", "dataset old", "numbers"]);
    assert_eq!(found(store, "data"), ["new datasets", "dataset old", "Dataset", "numbers"]);
    assert_eq!(found(store, "csv dataset new"), ["new datasets"]);
}

fn odd_texts_find_nothing_and_break_nothing(store: &mut impl Store) {
    add(store, NewTorrent::named(hash(1), "plain text"));
    add(store, NewTorrent::named(hash(2), "🎉"));
    let long = "long ".repeat(2_000);
    let very_long = "x".repeat(10_000);
    let odd = [
        "\"",
        "\"\"",
        "\"plain\" \"x",
        "'",
        "*",
        "plain*x",
        "^plain^x",
        "name:plain:",
        "-plain +x",
        "NEAR(",
        ")",
        "(((",
        "NEAR(plain text, 2",
        "AND AND",
        "plain OR",
        "OR plain x",
        "NOT",
        "{name}",
        "files : x",
        "a\0b",
        "\0",
        "\\",
        "%",
        "_",
        "';--",
        "🎊",
        "plain 🎊 x",
        "\u{301}",
        "\u{200b}",
        "\u{feff}x",
        "\u{e000}",
        &long,
        &very_long,
    ];
    for text in odd {
        assert_eq!(found(store, text), [] as [&str; 0], "{text:?}");
    }
    assert_eq!(found(store, "plain* \"te"), ["plain text"]);
    assert_eq!(found(store, "🎉"), ["🎉"]);
    add(store, NewTorrent::named(hash(4), "\0zero"));
    assert_eq!(found(store, "\0Zero"), ["\0zero"]);
    assert_eq!(found(store, "\0other"), [] as [&str; 0]);
    store.apply(&[Change::Remove(hash(4))]).unwrap();
    assert_eq!(found(store, "  "), ["🎉", "plain text"]);
    add(store, NewTorrent::named(hash(3), "and or not near"));
    for text in ["NOT AND", "NEAR(", "OR", "near OR not"] {
        assert_eq!(found(store, text), ["and or not near"], "{text}");
    }
}

fn pages_are_stable_while_rows_come_and_go(store: &mut impl Store) {
    for n in 1..=9 {
        let in_files = files(if n % 2 == 0 { &["word.txt"] } else { &[] });
        let name = if n % 2 == 0 { format!("t{n}") } else { format!("t{n} word") };
        add(store, NewTorrent { files: in_files, ..NewTorrent::named(hash(n), name) });
    }
    for words in [None, Some("word")] {
        let whole = names(&list(store, words, 100, None)).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let mut seen = Vec::new();
        let mut cursor = None;
        for step in 0.. {
            let page = list(store, words, 2, cursor.as_deref());
            seen.extend(names(&page).into_iter().map(str::to_owned));
            // A row comes, and the last of the page, where the cursor stands, goes and comes back as a new one.
            add(store, NewTorrent::named(hash(100 + step), format!("word {step}")));
            let last = page.torrents.last().unwrap();
            store.apply(&[Change::Remove(last.info_hash)]).unwrap();
            add(
                store,
                NewTorrent { files: last.files.clone(), ..NewTorrent::named(last.info_hash, &*last.name) },
            );
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let old: Vec<_> = seen.iter().filter(|name| name.starts_with('t')).cloned().collect();
        let expected: Vec<_> = whole.into_iter().filter(|name| name.starts_with('t')).collect();
        assert_eq!(old, expected, "{words:?}");
        (0..20).for_each(|step| drop(store.apply(&[Change::Remove(hash(100 + step))]).unwrap()));
    }
}

fn large_numbers_survive(store: &mut impl Store) {
    let most = i64::MAX.unsigned_abs();
    let new = NewTorrent {
        size: Some(most),
        files: vec![TorrentFile { path: "big".into(), length: most }],
        created_at: Some(i64::MIN),
        ..NewTorrent::named(hash(1), "big")
    };
    let (torrent, _) = add(store, new);
    assert_eq!(store.get(&hash(1)).unwrap().unwrap(), torrent);
    assert_eq!((torrent.size, torrent.created_at), (Some(most), Some(i64::MIN)));
}

#[test]
fn a_page_of_torrents_with_very_many_files_ends_early() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(dir.path()).unwrap();
    let many: Vec<String> = (0..2_000).map(|n| format!("{}-{n}", "x".repeat(1_000))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for n in 1..=4 {
        add(&mut store, NewTorrent { files: files(&many), ..NewTorrent::named(hash(n), format!("t{n}")) });
    }
    let page = list(&store, None, 10, None);
    assert_eq!(names(&page), ["t4", "t3", "t2"]);
    let rest = list(&store, None, 10, page.next.as_deref());
    assert_eq!((names(&rest), &rest.next), (vec!["t1"], &None));
}

/// What a random client may ask for.
#[derive(Debug, Clone)]
enum Op {
    Apply(Vec<Change>),
    Get(InfoHash),
    List(Option<String>, usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => prop::collection::vec(change(), 1..4).prop_map(Op::Apply),
        1 => few_hashes().prop_map(Op::Get),
        2 => (prop::option::of(text()), 1..4_usize).prop_map(|(words, limit)| Op::List(words, limit)),
    ];
    prop::collection::vec(op, 0..30)
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => addition().prop_map(|addition| Change::Add(Box::new(addition))),
        1 => few_hashes().prop_map(Change::Remove),
        1 => (few_hashes(), 0..3_u32).prop_map(|(hash, count)| Change::Completed(hash, count)),
    ]
}

fn addition() -> impl Strategy<Value = Addition> {
    let paths = prop::collection::vec(text(), 0..3);
    let rest = (prop::option::of(0..9_u64), any::<bool>(), prop::option::of("[a-b]"), any::<bool>());
    (few_hashes(), text(), paths, rest, 0..9_i64, 0..3_u64, 0..3_u8, prop::option::of(0..3_u32)).prop_map(
        |(hash, name, paths, (size, private, comment, proven), now, completed, from, per_address_max)| {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let torrent = NewTorrent {
                size,
                files: files(&paths),
                private,
                comment,
                metainfo: proven.then(|| name.as_bytes().to_vec()),
                added_from: (from > 0).then(|| [10, 0, 0, from].into()),
                ..NewTorrent::named(hash, name)
            };
            Addition { torrent, now, completed, per_address_max }
        },
    )
}

fn few_hashes() -> impl Strategy<Value = InfoHash> {
    (0..6_u8).prop_map(hash)
}

/// Few letters, so that texts meet; what separates words, and what an index's language is made of.
fn text() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "a", "b", "ab", "ba", "A", "AND", "NOT", "é", "E", "ü", "1", " ", ".", "_", "-", "\"", "*", "(", ")",
        ":", "🎉", "\0", "^", "{", "+",
    ];
    prop::collection::vec(prop::sample::select(PARTS), 0..7).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_does_what_the_model_does(ops in ops()) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Sqlite::open(dir.path()).unwrap();
        let mut model = Model::default();
        for op in ops {
            match op {
                Op::Apply(changes) => {
                    prop_assert_eq!(store.apply(&changes).unwrap(), model.apply(&changes).unwrap());
                }
                Op::Get(hash) => {
                    prop_assert_eq!(store.get(&hash).unwrap(), model.get(&hash).unwrap());
                    prop_assert_eq!(store.metainfo(&hash).unwrap(), model.metainfo(&hash).unwrap());
                    prop_assert_eq!(store.completed().unwrap(), model.completed().unwrap());
                }
                Op::List(words, limit) => {
                    let mut cursor = None;
                    loop {
                        let expected = list(&model, words.as_deref(), limit, cursor.as_deref());
                        prop_assert_eq!(&list(&store, words.as_deref(), limit, cursor.as_deref()), &expected);
                        cursor = expected.next;
                        if cursor.is_none() {
                            break;
                        }
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_name_and_a_search(names in prop::collection::vec(any::<String>(), 1..20)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Sqlite::open(dir.path()).unwrap();
        for (n, name) in (0..).zip(&names) {
            add(&mut store, NewTorrent { files: files(&[name]), ..NewTorrent::named(hash(n), name) });
        }
        for name in &names {
            prop_assert!(Words::new(name).is_none() || name.trim() != name || found(&store, name).contains(name));
            found(&store, &format!("{name} x"));
        }
    }

    #[test]
    fn letters_and_digits_of_any_script_are_found(words in prop::collection::vec("[\\p{L}\\p{N}]{1,5}", 1..4)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Sqlite::open(dir.path()).unwrap();
        let name = words.join("_");
        add(&mut store, NewTorrent::named(hash(1), &*name));
        let backwards: Vec<&str> = words.iter().rev().map(String::as_str).collect();
        prop_assert_eq!(found(&store, &backwards.join(" - ")), [name]);
    }
}

fn hash(n: u8) -> InfoHash {
    InfoHash([n; 20])
}

fn files(paths: &[&str]) -> Vec<TorrentFile> {
    paths.iter().map(|path| TorrentFile { path: (*path).into(), length: 1 }).collect()
}

fn add(store: &mut impl Store, torrent: NewTorrent) -> (Torrent, Outcome) {
    let addition = Addition { torrent, now: 1_000, completed: 0, per_address_max: None };
    match store.apply(&[Change::Add(Box::new(addition))]).unwrap().remove(0) {
        Effect::Added(torrent, outcome) => (*torrent, outcome),
        other => panic!("{other:?}"),
    }
}

fn list(store: &impl Store, words: Option<&str>, limit: usize, cursor: Option<&str>) -> Page {
    let after = cursor.map(|cursor| cursor.parse().unwrap());
    store.list(&Select { words: words.and_then(Words::new), limit, after }).unwrap()
}

fn names(page: &Page) -> Vec<&str> {
    page.torrents.iter().map(|torrent| torrent.name.as_str()).collect()
}

fn found(store: &impl Store, text: &str) -> Vec<String> {
    let page = list(store, Some(text), 100, None);
    names(&page).into_iter().map(str::to_owned).collect()
}
