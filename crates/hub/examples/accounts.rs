//! What members cost: their announces, the credit for these, and a start with a million of them.
//!
//! `cargo xtask bench accounts` runs it and says on which machine.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is wrong")]

use std::fs;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::accounting::Accounting;
use hub::catalogue::{Catalogue, Limits, now_unix};
use hub::config::{AccountingConfig, MembersConfig, Mode, TrackerConfig};
use hub::members::Members;
use hub::policy::Policy;
use hub::store::ledger::Report;
use hub::store::roll::{Act, AuditEntry, Deed, NewMember, Role, SecretHash};
use hub::store::sqlite::Sqlite;
use hub::store::{Addition, Change, NewTorrent, Store};
use hub::tracker::{Asker, Events, Tracker};
use swarm::{Event, Families, InfoHash, PeerId};

/// Announces a second that are to be credited for as long as anybody likes.
const RATE: u32 = 100_000;

/// Announces that are made before it is looked whether it is time for them.
const BURST: u32 = 1_000;

/// How much there is.
struct Size {
    users: u32,
    /// Torrents that each is in.
    torrents_each: u32,
    torrents: u32,
    secs: u32,
    /// Members and torrents of the start that is timed.
    started: u32,
}

struct ToAccounting(Option<Accounting>);

impl Events for ToAccounting {
    fn completed(&self, _: InfoHash, _: u32) {}

    fn reported(&self, report: Report) {
        if let Some(accounting) = &self.0 {
            accounting.report(report);
        }
    }
}

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let size = if is_quick {
        Size { users: 5_000, torrents_each: 5, torrents: 1_000, secs: 2, started: 10_000 }
    } else {
        Size { users: 100_000, torrents_each: 5, torrents: 20_000, secs: 20, started: 1_000_000 }
    };
    let rounds = if is_quick { 1 } else { 5 };
    costs(&size, rounds);
    sustained(&size);
    start(&size);
}

fn passkey(user: u32) -> [u8; 32] {
    let mut text = [b'0'; 32];
    text[..8].copy_from_slice(format!("{user:08x}").as_bytes());
    text
}

fn hash(torrent: u32) -> InfoHash {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&torrent.wrapping_mul(0x9E37_79B9).to_be_bytes());
    bytes[4..8].copy_from_slice(&torrent.to_be_bytes());
    InfoHash(bytes)
}

/// The nth announce: everybody in turn, each of its torrents in turn, with totals that grow.
fn announce(tracker: &Tracker, worker: &mut hub::tracker::Worker, size: &Size, nth: u32, member: bool) {
    let sessions = size.users * size.torrents_each;
    let (session, round) = (nth % sessions, u64::from(nth / sessions));
    // Neighbours in time are no neighbours in the store.
    let session = u32::try_from(u64::from(session) * 0x9E37_79B1 % u64::from(sessions)).unwrap();
    let (user, which) = (session / size.torrents_each, session % size.torrents_each);
    let mut peer = [b'x'; 20];
    peer[..4].copy_from_slice(&session.to_be_bytes());
    let passkey = passkey(user);
    let ask = wire::Announce {
        info_hash: hash((user * 7 + which * 13) % size.torrents),
        peer_id: PeerId(peer),
        port: 6881,
        stated_ip: None,
        uploaded: round * 1_000,
        downloaded: round * 500,
        left: Some(0),
        event: if round == 0 { Event::Started } else { Event::Update },
        want: None,
        key: None,
        passkey: member.then_some(&passkey[..]),
    };
    let ip = IpAddr::from((0x0a00_0000 + session).to_be_bytes());
    let asker = Asker { ip, families: Families::V4, ids: false, user_agent: None };
    if nth.is_multiple_of(64) {
        worker.tick(tracker);
    }
    tracker.announce(&asker, &ask, worker).unwrap();
}

fn tracker(size: &Size, members: bool, accounting: Option<Accounting>) -> Tracker {
    let mode = if members { Mode::Members } else { Mode::Open };
    let policy = Arc::new(Policy::new(mode, &MembersConfig::default(), 4_000));
    if members {
        for user in 0..size.users {
            policy.gate().put(&hub::store::roll::Pass {
                user: swarm::UserId(user),
                passkey: SecretHash::of(&passkey(user)),
                role: Role::Member,
                disabled: false,
                until: None,
                limits: hub::store::roll::Limits::default(),
            });
        }
    }
    let tracker = Tracker::guarded(&TrackerConfig::default(), policy, Box::new(ToAccounting(accounting)));
    for torrent in 0..size.torrents {
        tracker.pin(hash(torrent), 0).unwrap();
    }
    tracker
}

fn accounting(dir: &std::path::Path) -> Accounting {
    Accounting::open(dir, &AccountingConfig::default(), 4_000, now_unix).unwrap()
}

/// Nanoseconds of processor time that this thread has used.
fn thread_nanos() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_ascii_whitespace().next().unwrap().parse().unwrap()
}

/// What an announce costs its thread, in open mode and of members, in alternating rounds.
fn costs(size: &Size, rounds: u32) {
    let count = size.users * size.torrents_each;
    let [mut open, mut members] = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        for is_member in [false, true] {
            eprintln!("cost of an announce, round {} of {rounds}, members: {is_member}", round + 1);
            let dir = tempfile::tempdir().unwrap();
            let tracker = tracker(size, is_member, is_member.then(|| accounting(dir.path())));
            let mut worker = tracker.worker();
            (0..count).for_each(|nth| announce(&tracker, &mut worker, size, nth, is_member));
            let before = thread_nanos();
            (count..2 * count).for_each(|nth| announce(&tracker, &mut worker, size, nth, is_member));
            let nanos = (thread_nanos() - before) / u64::from(count);
            if is_member { &mut members } else { &mut open }.push(nanos);
        }
    }
    open.sort_unstable();
    members.sort_unstable();
    let middle = |nanos: &[u64]| nanos[nanos.len() / 2];
    println!(
        "An announce through the tracker costs its thread {} ns ({}–{}) in open mode and {} ns ({}–{}) of a member with \
         credit, {:.2} times as much: without the codec and the system calls that are around it.\n",
        middle(&open),
        open[0],
        open[open.len() - 1],
        middle(&members),
        members[0],
        members[members.len() - 1],
        middle(&members) as f64 / middle(&open) as f64,
    );
}

/// So many announces a second, credited as fast as they come.
fn sustained(size: &Size) {
    eprintln!("{RATE} credited announces a second");
    let dir = tempfile::tempdir_in(".").unwrap();
    let accounting = accounting(dir.path());
    let tracker = tracker(size, true, Some(accounting.clone()));
    let mut worker = tracker.worker();
    let begun = Instant::now();
    let (mut nth, mut most_queued) = (0, 0);
    while begun.elapsed() < Duration::from_secs(u64::from(size.secs)) {
        (nth..nth + BURST).for_each(|nth| announce(&tracker, &mut worker, size, nth, true));
        nth += BURST;
        most_queued = most_queued.max(accounting.status().queued);
        let due = Duration::from_secs_f64(f64::from(nth) / f64::from(RATE));
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    let announced = begun.elapsed();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let left = accounting.status().queued;
    runtime.block_on(accounting.flush()).unwrap();
    let status = accounting.status();
    println!(
        "{} announces a second for {:.0} s, {} sessions: all settled {:.1} s after the last one, at most {most_queued} \
         waited ({left} at the end), {} turned away. accounts.db has {} MiB.\n",
        u64::from(nth) / announced.as_secs().max(1),
        announced.as_secs_f64(),
        size.users * size.torrents_each,
        (begun.elapsed() - announced).as_secs_f64(),
        status.turned_away,
        fs::metadata(dir.path().join("accounts.db")).unwrap().len() >> 20,
    );
}

/// A start with many members and torrents.
fn start(size: &Size) {
    eprintln!("a start with {} members and as many torrents", size.started);
    let dir = tempfile::tempdir_in(".").unwrap();
    let mut store = Sqlite::open(dir.path()).unwrap();
    for first in (0..size.started).step_by(10_000) {
        let changes: Vec<Change> = (first..first + 10_000).flat_map(|n| [member(n), torrent(n)]).collect();
        store.apply(&changes).unwrap();
    }
    drop(store);
    let resident = || {
        let text = fs::read_to_string("/proc/self/statm").unwrap();
        text.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let begun = Instant::now();
    let (catalogue, completed, checking) =
        Catalogue::open_unchecked(dir.path(), Limits::default(), now_unix).unwrap();
    let opened = begun.elapsed();
    let policy = Arc::new(Policy::new(Mode::Members, &MembersConfig::default(), 4_000));
    let before = resident();
    let members = Members::open(catalogue.durable().clone(), policy.clone(), now_unix).unwrap();
    let with_members = begun.elapsed();
    let bytes = (resident() - before) / u64::from(size.started);
    let tracker = Tracker::guarded(&TrackerConfig::default(), policy, Box::new(ToAccounting(None)));
    completed.iter().for_each(|(hash, count)| tracker.pin(*hash, *count).unwrap());
    let pinned = begun.elapsed();
    checking.finish().unwrap();
    let whole = begun.elapsed();
    println!(
        "A start with {} members and as many torrents takes {:.2} s: {:.2} s to read the torrents, {:.2} s to read the \
         members, {:.2} s to make the swarms, and {:.2} s until the check of the database beside it has ended. A member takes \
         {bytes} bytes of memory.",
        members.policy().gate().len(),
        whole.as_secs_f64(),
        opened.as_secs_f64(),
        (with_members - opened).as_secs_f64(),
        (pinned - with_members).as_secs_f64(),
        (whole - pinned).as_secs_f64(),
    );
}

fn member(n: u32) -> Change {
    let name = format!("member{n}");
    let record = AuditEntry {
        at: 0,
        who: "bench".into(),
        address: "127.0.0.1".into(),
        act: "user.add".into(),
        object: name.clone(),
    };
    let new = NewMember { name, role: Role::Member, until: None, passkey: SecretHash::of(&passkey(n)) };
    Change::Act(Box::new(Act { deed: Deed::AddMember(new, None), record }))
}

fn torrent(n: u32) -> Change {
    let torrent = NewTorrent { private: true, ..NewTorrent::named(hash(n), format!("torrent {n}")) };
    Change::Add(Box::new(Addition { torrent, now: 0, completed: 0, per_address_max: None }))
}
