use std::fs;

use rusqlite::Connection;

use super::search::Tier;
use super::*;
use crate::store::{Addition, NewTorrent, Words};

fn add(n: u8) -> Change {
    let torrent = NewTorrent::named(InfoHash([n; 20]), format!("t{n}"));
    Change::Add(Box::new(Addition { torrent, now: 1, completed: 0, per_address_max: None }))
}

fn refused(state_dir: &Path) -> String {
    let message = Sqlite::open(state_dir).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn a_second_connection_and_a_reopened_database_hold_each_row() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("made/on/the/way");
    let mut store = Sqlite::open(&state_dir).unwrap();
    let reader = Sqlite::open_reader(&state_dir).unwrap();
    for n in 1..=3 {
        store.apply(&[add(n)]).unwrap();
        assert_eq!(reader.completed().unwrap().len(), usize::from(n));
    }
    drop((store, reader));
    assert_eq!(Sqlite::open(&state_dir).unwrap().completed().unwrap().len(), 3);
}

#[test]
fn the_settings_that_durability_rests_on_are_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path()).unwrap();
    let pragma = |name: &str| -> String {
        store
            .connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| format!("{value:?}"))
            .unwrap()
    };
    assert_eq!(pragma("journal_mode"), r#"Text("wal")"#);
    assert_eq!(pragma("synchronous"), "Integer(2)");
    assert_eq!(pragma("foreign_keys"), "Integer(1)");
    assert_eq!(pragma("busy_timeout"), "Integer(5000)");
    assert_eq!(pragma("user_version"), "Integer(4)");
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(Sqlite::open(dir.path()).unwrap());
    let connection = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let message = refused(dir.path());
    assert!(message.contains("skep.db: its tables are of version 99"), "{message}");
    assert!(message.contains("run the newer skep"), "{message}");
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[test]
fn another_program_s_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let connection = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(refused(dir.path()).contains("another program's database"));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    fs::write(&path, "not a database at all, but long enough to have a header of a hundred bytes".repeat(9))
        .unwrap();
    let before = fs::read(&path).unwrap();
    let message = refused(dir.path());
    assert!(message.contains("file is not a database") && message.contains("backup"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_damaged_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(dir.path()).unwrap();
    store.apply(&(1..=200).map(add).collect::<Vec<_>>()).unwrap();
    drop(store);
    let path = dir.path().join(FILE_NAME);
    let mut bytes = fs::read(&path).unwrap();
    let pages = bytes.len() / 4096;
    for page in 1..pages {
        bytes[page * 4096..page * 4096 + 200].fill(0x5a);
    }
    fs::write(&path, bytes).unwrap();
    let message = refused(dir.path());
    assert!(message.contains("the database is damaged (") && message.contains("backup"), "{message}");
}

#[test]
fn a_cut_off_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Sqlite::open(dir.path()).unwrap());
    let path = dir.path().join(FILE_NAME);
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    assert!(refused(dir.path()).contains("backup"));
}

#[test]
fn a_state_directory_that_is_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let message = refused(&file);
    assert!(message.contains(file.to_str().unwrap()), "{message}");
    fs::create_dir_all(dir.path().join("dir").join(FILE_NAME)).unwrap();
    assert!(refused(&dir.path().join("dir")).contains("skep.db"));
}

#[test]
fn a_full_disk_is_a_fault_that_changes_nothing_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(dir.path()).unwrap();
    store.apply(&[add(1)]).unwrap();
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |store: &Sqlite, pages: i64| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        store.connection.query_row(&sql, [], |_| Ok(())).unwrap();
    };
    limit(&store, pages);
    let torrent =
        NewTorrent { metainfo: Some(vec![0; 100_000]), ..NewTorrent::named(InfoHash([2; 20]), "big") };
    let big = Change::Add(Box::new(Addition { torrent, now: 1, completed: 0, per_address_max: None }));
    let fault = store.apply(&[add(3), big.clone()]).unwrap_err();
    assert_eq!(fault.to_string(), "could not write to the store: database or disk is full");
    assert_eq!(store.completed().unwrap().len(), 1);
    limit(&store, pages + 1_000);
    store.apply(&[add(3), big]).unwrap();
    assert_eq!(store.completed().unwrap().len(), 3);
}

#[test]
fn a_read_only_database_is_a_fault_and_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(dir.path()).unwrap();
    store.apply(&[add(1)]).unwrap();
    let mut reader = Sqlite::open_reader(dir.path()).unwrap();
    let fault = reader.apply(&[add(2)]).unwrap_err();
    assert_eq!(fault.to_string(), "could not write to the store: attempt to write a readonly database");
    assert_eq!(reader.get(&InfoHash([1; 20])).unwrap().unwrap().name, "t1");
}

#[test]
fn a_page_is_read_from_the_indexes_without_sorting() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path()).unwrap();
    let words = Words::new("some words");
    for tier in [Tier::All, Tier::Named, Tier::InName, Tier::InFiles] {
        let words = words.as_ref().filter(|_| !matches!(tier, Tier::All));
        let (sql, parameters) = tier.statement(words, i64::MAX);
        let mut statement = store.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get(3)).unwrap();
        let plan: Vec<String> = steps.map(Result::unwrap).collect();
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}\n{plan:#?}");
        assert!(
            plan[0].starts_with("SEARCH t ") || plan[0].starts_with("SCAN search VIRTUAL"),
            "{sql}\n{plan:#?}"
        );
    }
}

#[test]
fn a_copy_is_made_while_the_database_is_in_use_and_becomes_one_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let (home, other, copy) = (dir.path().join("home"), dir.path().join("other"), dir.path().join("copy.db"));
    let mut store = Sqlite::open(&home).unwrap();
    store.apply(&[add(1), add(2)]).unwrap();
    back_up(&home, &copy).unwrap();
    store.apply(&[add(3)]).unwrap();
    let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    restore(&copy, &other).unwrap();
    assert_eq!(Sqlite::open(&other).unwrap().completed().unwrap().len(), 2);

    let message = back_up(&home, &copy).unwrap_err().to_string();
    assert!(
        message.ends_with("copy.db: it is there already; move it away, or name another place"),
        "{message}"
    );
    let message = restore(&copy, &home).unwrap_err().to_string();
    assert!(message.contains("skep.db: it is there already"), "{message}");
    assert_eq!(store.completed().unwrap().len(), 3);
}

#[test]
fn what_is_no_whole_copy_is_not_brought_in() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let copy = dir.path().join("copy.db");
    Sqlite::open(&home).unwrap().apply(&(1..=60).map(add).collect::<Vec<_>>()).unwrap();
    back_up(&home, &copy).unwrap();
    let whole = fs::read(&copy).unwrap();
    let mut torn = whole.clone();
    torn[4096..whole.len() - 4096].fill(0x5a);
    let (other, wal) = (dir.path().join("other"), dir.path().join("left"));
    for (bytes, expected) in [
        (torn.as_slice(), "the database is damaged"),
        (b"a text that is no database of anybody, long enough", "file is not a database"),
        (b"", "this is no backup of a hub's database"),
    ] {
        fs::write(&copy, bytes).unwrap();
        let message = restore(&copy, &other).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(!other.join(FILE_NAME).exists());
    }
    fs::write(&copy, whole).unwrap();
    fs::create_dir(&wal).unwrap();
    fs::write(wal.join("skep.db-wal"), "of another").unwrap();
    assert!(restore(&copy, &wal).unwrap_err().to_string().contains("skep.db-wal: it is there already"));
}
