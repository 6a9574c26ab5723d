use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;

use super::*;
use crate::durable::COMPLETED_PENDING_MAX;
use crate::store::roll::{AuditEntry, Invite, Member, Pass, Rule, Span, Token};
use crate::store::sqlite::Sqlite;
use crate::store::{Change, Store};

fn hash(n: u32) -> InfoHash {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    InfoHash(bytes)
}

fn named(n: u32) -> NewTorrent {
    NewTorrent::named(hash(n), format!("t{n}"))
}

fn open(state_dir: &Path) -> (Catalogue, Vec<(InfoHash, u32)>) {
    Catalogue::open_with(state_dir, Limits::default(), || 1_000).unwrap()
}

fn query(words: &str) -> Query {
    Query { words: Some(words.into()), limit: 10, cursor: None }
}

#[tokio::test]
async fn what_is_added_is_on_disk_found_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (catalogue, _) = open(dir.path());
    let new =
        NewTorrent { metainfo: Some(b"d4:infode".to_vec()), ..NewTorrent::named(hash(1), "Ubuntu 24.04") };
    let added = catalogue.add(new.clone()).await.unwrap();
    assert_eq!((added.outcome, added.torrent.added_at), (Outcome::Created, 1_000));

    let other = Sqlite::open_reader(dir.path()).unwrap();
    assert_eq!(other.get(&hash(1)).unwrap().as_ref(), Some(&added.torrent));

    assert_eq!(catalogue.add(new).await.unwrap().outcome, Outcome::Unchanged);
    assert_eq!(catalogue.get(hash(1)).await.unwrap().as_ref(), Some(&added.torrent));
    assert_eq!(catalogue.metainfo(hash(1)).await.unwrap().as_deref(), Some(&b"d4:infode"[..]));
    assert_eq!(catalogue.list(query("ubu")).await.unwrap().torrents, [added.torrent]);
    assert!(catalogue.remove(hash(1)).await.unwrap());
    assert!(!catalogue.remove(hash(1)).await.unwrap());
    assert_eq!(catalogue.list(query("ubu")).await.unwrap().torrents, []);
}

#[tokio::test]
async fn completed_counts_are_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let (catalogue, completed) = open(dir.path());
    assert_eq!(completed, []);
    catalogue.add(named(1)).await.unwrap();
    catalogue.import(named(2), 40).await.unwrap();
    for n in [1, 2, 1, 3] {
        catalogue.completed(hash(n));
    }
    catalogue.flush().await.unwrap();
    assert_eq!(catalogue.get(hash(1)).await.unwrap().unwrap().completed, 2);
    catalogue.completed(hash(2));
    drop(catalogue);
    assert_eq!(open(dir.path()).1, [(hash(1), 2), (hash(2), 42)]);
}

#[tokio::test]
async fn completed_counts_are_written_without_being_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (catalogue, _) = open(dir.path());
    catalogue.add(named(1)).await.unwrap();
    catalogue.completed(hash(1));
    let written = async {
        while catalogue.get(hash(1)).await.unwrap().unwrap().completed == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), written).await.unwrap();
}

#[tokio::test]
async fn what_is_too_large_or_made_up_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (catalogue, _) = open(dir.path());
    let long = NewTorrent { name: "n".repeat(2_000), ..named(1) };
    let message = catalogue.add(long).await.unwrap_err().to_string();
    assert_eq!(message, "the name has 2000 bytes: at most 1024 are taken");
    let error =
        catalogue.list(Query { cursor: Some("made up".into()), ..Query::default() }).await.unwrap_err();
    assert!(matches!(error, ListError::Cursor(_)), "{error}");
}

#[tokio::test]
async fn one_address_adds_so_many_and_an_import_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { torrents_per_address: Some(2), ..Limits::default() };
    let (catalogue, _) = Catalogue::open_with(dir.path(), limits, now_unix).unwrap();
    let from = |n| NewTorrent { added_from: Some([10, 0, 0, 1].into()), ..named(n) };
    catalogue.add(from(1)).await.unwrap();
    catalogue.add(from(2)).await.unwrap();
    assert!(matches!(catalogue.add(from(3)).await, Err(AddError::TooMany { max: 2 })));
    catalogue.import(from(3), 0).await.unwrap();
    catalogue.add(named(4)).await.unwrap();
}

#[tokio::test]
async fn pages_are_of_a_reasonable_size() {
    let dir = tempfile::tempdir().unwrap();
    let (catalogue, _) = open(dir.path());
    let additions: Vec<_> = (0..600)
        .map(|n| {
            let catalogue = catalogue.clone();
            tokio::spawn(async move { catalogue.add(named(n)).await })
        })
        .collect();
    for addition in additions {
        addition.await.unwrap().unwrap();
    }
    let list =
        async |limit| catalogue.list(Query { limit, ..Query::default() }).await.unwrap().torrents.len();
    assert_eq!((list(0).await, list(7).await, list(usize::MAX).await), (1, 7, PAGE_TORRENTS_MAX));

    let mut exported: Vec<_> =
        export(dir.path()).unwrap().map(|torrent| torrent.unwrap().info_hash).collect();
    exported.sort();
    assert_eq!(exported, (0..600).map(hash).collect::<Vec<_>>());
}

#[test]
fn there_is_nothing_to_export_where_no_hub_has_been() {
    let dir = tempfile::tempdir().unwrap();
    let Err(error) = export(dir.path()) else { panic!("an empty directory was exported") };
    assert!(error.to_string().contains("skep.db: "), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// A store that waits at each batch until it is let through, and may be told to fail.
struct Gated {
    inner: Sqlite,
    gate: Receiver<()>,
    failing: Arc<AtomicBool>,
    /// Changes of each batch that has begun.
    batches: Arc<Mutex<Vec<usize>>>,
    begun: Arc<AtomicUsize>,
}

impl Store for Gated {
    fn apply(&mut self, changes: &[Change]) -> Result<Vec<Effect>, Fault> {
        self.batches.lock().push(changes.len());
        self.begun.fetch_add(1, Ordering::SeqCst);
        // Once the test has dropped its end, everything passes.
        let _ = self.gate.recv();
        if self.failing.load(Ordering::SeqCst) {
            return Err(Fault::new("write to the catalogue", "database or disk is full"));
        }
        self.inner.apply(changes)
    }

    fn get(&self, hash: &InfoHash) -> Result<Option<Torrent>, Fault> {
        self.inner.get(hash)
    }

    fn metainfo(&self, hash: &InfoHash) -> Result<Option<Vec<u8>>, Fault> {
        self.inner.metainfo(hash)
    }

    fn list(&self, select: &Select) -> Result<Page, Fault> {
        self.inner.list(select)
    }

    fn completed(&self) -> Result<Vec<(InfoHash, u64)>, Fault> {
        self.inner.completed()
    }

    fn member(&self, name: &str) -> Result<Option<Member>, Fault> {
        self.inner.member(name)
    }

    fn members(&self, span: Span) -> Result<Vec<Member>, Fault> {
        self.inner.members(span)
    }

    fn passes(&self) -> Result<Vec<Pass>, Fault> {
        self.inner.passes()
    }

    fn invites(&self, span: Span) -> Result<Vec<Invite>, Fault> {
        self.inner.invites(span)
    }

    fn tokens(&self) -> Result<Vec<Token>, Fault> {
        self.inner.tokens()
    }

    fn rules(&self) -> Result<Vec<Rule>, Fault> {
        self.inner.rules()
    }

    fn audit(&self, span: Span) -> Result<Vec<(i64, AuditEntry)>, Fault> {
        self.inner.audit(span)
    }
}

struct Gate {
    open: Sender<()>,
    failing: Arc<AtomicBool>,
    batches: Arc<Mutex<Vec<usize>>>,
    begun: Arc<AtomicUsize>,
}

impl Gate {
    /// Returns when `count` batches have begun.
    async fn begun(&self, count: usize) {
        while self.begun.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    }
}

fn gated(state_dir: &Path, limits: Limits) -> (Catalogue, Gate) {
    let (open, gate) = channel();
    let inner = Sqlite::open(state_dir).unwrap();
    let end = Gate { open, failing: Arc::default(), batches: Arc::default(), begun: Arc::default() };
    let (failing, batches, begun) =
        (Arc::clone(&end.failing), Arc::clone(&end.batches), Arc::clone(&end.begun));
    let store = Gated { inner, gate, failing, batches, begun };
    let state_dir = state_dir.to_owned();
    let reader = move || Ok(Box::new(Sqlite::open_reader(&state_dir)?) as Box<dyn Store>);
    let durable = Durable::over(Box::new(store), Box::new(reader), limits.queue_bytes_max).unwrap();
    let catalogue = Catalogue::over(durable, limits, || 1_000);
    (catalogue, end)
}

fn spawn_add(catalogue: &Catalogue, n: u32) -> tokio::task::JoinHandle<Result<Added, AddError>> {
    let catalogue = catalogue.clone();
    tokio::spawn(async move { catalogue.add(named(n)).await })
}

#[tokio::test]
async fn additions_that_wait_share_a_transaction_and_are_answered_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let (catalogue, gate) = gated(dir.path(), Limits::default());
    let first = spawn_add(&catalogue, 0);
    gate.begun(1).await;
    let rest: Vec<_> = (1..=100).map(|n| spawn_add(&catalogue, n)).collect();
    catalogue.completed(hash(1));
    while catalogue.inner.durable.units_taken() < 101 {
        tokio::task::yield_now().await;
    }
    assert!(!first.is_finished());
    gate.open.send(()).unwrap();
    first.await.unwrap().unwrap();
    gate.begun(2).await;
    assert!(rest.iter().all(|addition| !addition.is_finished()));
    assert_eq!(catalogue.get(hash(1)).await.unwrap(), None);
    gate.open.send(()).unwrap();
    for addition in rest {
        addition.await.unwrap().unwrap();
    }
    assert_eq!(*gate.batches.lock(), [1, 101]);
    assert_eq!(catalogue.get(hash(1)).await.unwrap().unwrap().completed, 1);
}

#[tokio::test]
async fn a_full_queue_is_said_at_once_and_reading_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (catalogue, gate) = gated(dir.path(), Limits { queue_bytes_max: 3 << 10, ..Limits::default() });
    let waiting: Vec<_> = (0..3).map(|n| spawn_add(&catalogue, n)).collect();
    gate.begun(1).await;
    while catalogue.inner.durable.units_taken() < 3 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(catalogue.add(named(3)).await, Err(AddError::Busy)));
    assert_eq!(catalogue.get(hash(0)).await.unwrap(), None);
    let removal = {
        let catalogue = catalogue.clone();
        tokio::spawn(async move { catalogue.remove(hash(0)).await })
    };
    drop(gate.open);
    for addition in waiting {
        addition.await.unwrap().unwrap();
    }
    assert!(removal.await.unwrap().unwrap());
    catalogue.add(named(3)).await.unwrap();
}

#[tokio::test]
async fn a_queue_counts_bytes_and_takes_one_that_is_larger_than_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (catalogue, gate) = gated(dir.path(), Limits { queue_bytes_max: 10 << 10, ..Limits::default() });
    let large = NewTorrent { metainfo: Some(vec![0; 100 << 10]), ..named(1) };
    let addition = {
        let catalogue = catalogue.clone();
        tokio::spawn(async move { catalogue.add(large).await })
    };
    gate.begun(1).await;
    assert!(matches!(catalogue.add(named(2)).await, Err(AddError::Busy)));
    drop(gate.open);
    addition.await.unwrap().unwrap();
    catalogue.add(named(2)).await.unwrap();
}

#[tokio::test]
async fn a_fault_is_told_to_all_it_met_loses_no_count_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let (catalogue, gate) = gated(dir.path(), Limits::default());
    drop(gate.open);
    catalogue.add(named(1)).await.unwrap();
    gate.failing.store(true, Ordering::SeqCst);
    catalogue.completed(hash(1));
    let error = catalogue.add(named(2)).await.unwrap_err();
    assert_eq!(error.to_string(), "could not write to the catalogue: database or disk is full");
    assert_eq!(catalogue.flush().await.unwrap_err().to_string(), error.to_string());
    gate.failing.store(false, Ordering::SeqCst);
    catalogue.flush().await.unwrap();
    assert_eq!(catalogue.get(hash(1)).await.unwrap().unwrap().completed, 1);
    catalogue.add(named(2)).await.unwrap();
}

#[tokio::test]
async fn completions_of_too_many_torrents_are_counted_as_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (catalogue, gate) = gated(dir.path(), Limits::default());
    let first = spawn_add(&catalogue, 0);
    gate.begun(1).await;
    for n in 0..u32::try_from(COMPLETED_PENDING_MAX).unwrap() + 3 {
        catalogue.completed(hash(n));
    }
    catalogue.completed(hash(0));
    assert_eq!(catalogue.completed_lost(), 3);
    drop(gate.open);
    first.await.unwrap().unwrap();
    catalogue.flush().await.unwrap();
    assert_eq!(catalogue.get(hash(0)).await.unwrap().unwrap().completed, 2);
}
