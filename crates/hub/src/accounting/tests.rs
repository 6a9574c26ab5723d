use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use swarm::accounts::Totals;
use swarm::{Event, PeerId};
use tempfile::TempDir;

use super::*;
use crate::store::ledger::Outcome;

const NOW: i64 = 1_800_000_000;

fn hash(n: u8) -> InfoHash {
    InfoHash([n; 20])
}

fn report(user: u32, torrent: u8, peer: u8, totals: (u64, u64, u64), event: Event, at: i64) -> Report {
    let (uploaded, downloaded, left) = totals;
    let totals = Totals { uploaded, downloaded, left, event, at: NOW + at };
    Report { user: UserId(user), torrent: hash(torrent), peer: PeerId([peer; 20]), totals }
}

fn config() -> AccountingConfig {
    AccountingConfig { line_rate_max: 1_000, ..AccountingConfig::default() }
}

fn open(dir: &TempDir) -> Accounting {
    Accounting::open(dir.path(), &config(), 3_600, || NOW).unwrap()
}

/// A ledger that fails where it is told to, as a disk does that is full.
struct Failing {
    ledger: SqliteLedger,
    /// Calls that still fail.
    failing: Arc<AtomicUsize>,
}

impl Ledger for Failing {
    fn settle(
        &mut self,
        reports: &[Report],
        rules: &Rules,
        factors: &dyn Fn(&InfoHash, i64) -> Factors,
    ) -> Result<Outcome, Fault> {
        let fails = self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match fails {
            Ok(_) => Err(Fault::new("write what members are credited", "database or disk is full")),
            Err(_) => self.ledger.settle(reports, rules, factors),
        }
    }

    fn account(&self, user: UserId) -> Result<Account, Fault> {
        self.ledger.account(user)
    }

    fn torrents(
        &self,
        user: UserId,
        after: Option<InfoHash>,
        limit: usize,
    ) -> Result<Vec<TorrentAccount>, Fault> {
        self.ledger.torrents(user, after, limit)
    }

    fn hit_and_runs(&self, terms: &Terms, limit: usize) -> Result<Vec<HitAndRun>, Fault> {
        self.ledger.hit_and_runs(terms, limit)
    }

    fn factors(&self) -> Result<Vec<FactorRule>, Fault> {
        self.ledger.factors()
    }

    fn add_factors(&mut self, rule: &FactorRule) -> Result<i64, Fault> {
        self.ledger.add_factors(rule)
    }

    fn remove_factors(&mut self, id: i64) -> Result<bool, Fault> {
        self.ledger.remove_factors(id)
    }
}

fn failing(dir: &TempDir, queue_max: usize) -> (Accounting, Arc<AtomicUsize>) {
    let failing = Arc::new(AtomicUsize::new(0));
    let ledger = Failing { ledger: SqliteLedger::open(dir.path()).unwrap(), failing: failing.clone() };
    let reader = SqliteLedger::open_reader(dir.path()).unwrap();
    let config = AccountingConfig { queue_max, ..config() };
    (Accounting::over(Box::new(ledger), Box::new(reader), &config, 3_600, || NOW).unwrap(), failing)
}

#[tokio::test]
async fn what_is_announced_is_credited_and_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let accounting = open(&dir);
    for report in [
        report(1, 1, 1, (0, 0, 100), Event::Started, 0),
        report(1, 1, 1, (40, 60, 40), Event::Update, 100),
        report(1, 1, 1, (40, 100, 0), Event::Completed, 200),
        report(1, 1, 1, (70, 100, 0), Event::Stopped, 300),
        // Another of its clients, another torrent, and somebody else.
        report(1, 1, 2, (5, 0, 0), Event::Started, 300),
        report(1, 2, 1, (7, 0, 0), Event::Started, 300),
        report(2, 1, 1, (9, 0, 0), Event::Started, 300),
    ] {
        assert!(accounting.report(report));
    }
    let all = accounting.account(UserId(1)).await.unwrap();
    let expected = Account {
        uploaded: 82,
        downloaded: 100,
        credited_up: 82,
        credited_down: 100,
        seed_secs: 100,
        flagged: 0,
    };
    assert_eq!(all, expected);
    assert_eq!(accounting.account(UserId(3)).await.unwrap(), Account::default());
    let torrents = accounting.torrents(UserId(1), None, 10).await.unwrap();
    assert_eq!(
        torrents.iter().map(|of| (of.torrent, of.account.uploaded)).collect::<Vec<_>>(),
        [(hash(1), 75), (hash(2), 7),]
    );
    assert_eq!((torrents[0].completed_at, torrents[0].last_at), (Some(NOW + 200), NOW + 300));
    assert_eq!(accounting.torrents(UserId(1), Some(hash(1)), 10).await.unwrap(), torrents[1..]);
    assert_eq!((accounting.status().settled, accounting.status().queued), (7, 0));
    drop(accounting);
    let accounting = open(&dir);
    assert_eq!(accounting.account(UserId(1)).await.unwrap(), expected);
    // The cursor is there as well.
    assert!(accounting.report(report(1, 1, 2, (8, 0, 0), Event::Update, 400)));
    assert_eq!(accounting.account(UserId(1)).await.unwrap().uploaded, 85);
}

#[tokio::test]
async fn factors_hold_for_their_torrent_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let accounting = open(&dir);
    let rule = |torrent, upload_pct, download_pct, begins, ends| FactorRule {
        id: 0,
        torrent,
        factors: Factors { upload_pct, download_pct },
        begins,
        ends,
    };
    let free =
        accounting.add_factors(rule(None, 100, 0, Some(NOW + 100), Some(NOW + 200))).await.unwrap().unwrap();
    accounting.add_factors(rule(Some(hash(1)), 200, 50, None, None)).await.unwrap().unwrap();
    for (at, torrent) in [(50, 1), (100, 1), (199, 2), (200, 2)] {
        let peer = u8::try_from(at).unwrap();
        accounting.report(report(1, torrent, peer, (100, 100, 0), Event::Started, at));
    }
    let account = accounting.account(UserId(1)).await.unwrap();
    assert_eq!((account.uploaded, account.downloaded), (400, 400));
    assert_eq!((account.credited_up, account.credited_down), (200 + 200 + 100 + 100, 50 + 100));
    assert!(accounting.remove_factors(free.id).await.unwrap());
    assert!(!accounting.remove_factors(free.id).await.unwrap());
    drop(accounting);
    assert_eq!(open(&dir).factors().iter().map(|rule| rule.torrent).collect::<Vec<_>>(), [Some(hash(1))]);
}

#[tokio::test]
async fn hit_and_runs_are_those_who_seeded_too_little_and_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let accounting = open(&dir);
    let (gone, here) = (-100 * 3_600, -3_600);
    for (user, uploaded, secs, at) in
        [(1, 0, 0, gone), (2, 0, 0, here), (3, 1_000, 0, gone), (4, 0, 80, gone)]
    {
        accounting.report(report(user, 1, 1, (0, 0, 1_000), Event::Started, at - 400_000));
        accounting.report(report(user, 1, 1, (uploaded, 1_000, 0), Event::Completed, at - 80 * 3_600));
        for hour in 1..=secs {
            accounting.report(report(
                user,
                1,
                1,
                (uploaded, 1_000, 0),
                Event::Update,
                at - (80 - hour) * 3_600,
            ));
        }
        accounting.report(report(user, 1, 1, (uploaded, 1_000, 5), Event::Stopped, at));
    }
    // Who never completed it.
    accounting.report(report(5, 1, 1, (0, 500, 500), Event::Stopped, gone));
    accounting.flush().await.unwrap();
    let runs = accounting.hit_and_runs(10).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.user.0).collect::<Vec<_>>(), [1]);
    assert_eq!((runs[0].of.account.downloaded, runs[0].of.torrent), (1_000, hash(1)));
}

#[tokio::test]
async fn while_the_store_fails_reports_wait_and_beyond_the_bound_they_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let (accounting, failing) = failing(&dir, 3);
    failing.store(usize::MAX, Ordering::SeqCst);
    assert!(accounting.report(report(1, 1, 1, (10, 0, 0), Event::Started, 0)));
    let refused = accounting.account(UserId(1)).await.unwrap_err().to_string();
    assert!(refused.contains("database or disk is full"), "{refused}");
    assert_eq!(accounting.status().failing.as_deref(), Some(refused.split_once(": ").unwrap().1));
    assert!(accounting.report(report(1, 1, 1, (20, 0, 0), Event::Update, 100)));
    assert!(accounting.report(report(1, 1, 1, (30, 0, 0), Event::Update, 200)));
    assert!(!accounting.report(report(1, 1, 1, (40, 0, 0), Event::Update, 300)), "there is no room");
    assert_eq!((accounting.status().queued, accounting.status().turned_away), (3, 1));
    failing.store(0, Ordering::SeqCst);
    let credited = async {
        while accounting.account(UserId(1)).await.is_err() {
            tokio::task::yield_now().await;
        }
        accounting.account(UserId(1)).await.unwrap()
    };
    let account = tokio::time::timeout(Duration::from_secs(30), credited).await.unwrap();
    assert_eq!(account.uploaded, 30);
    assert_eq!(accounting.status().failing, None);
    // What was turned away is in the next totals.
    assert!(accounting.report(report(1, 1, 1, (50, 0, 0), Event::Update, 400)));
    assert_eq!(accounting.account(UserId(1)).await.unwrap().uploaded, 50);
}

/// A client of a member that counts for itself.
#[derive(Debug, Clone, Copy, Default)]
struct Client {
    uploaded: u64,
    downloaded: u64,
    has_begun: bool,
}

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// A client moves data and announces; whether the report is lost.
    Announce { client: usize, up: u64, down: u64, lost: bool },
    /// What has gathered is written.
    Write,
    /// The write fails at this statement, and the process dies with all that has gathered.
    DieAt(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let announce = (0_usize..6, 0_u64..5_000, 0_u64..5_000, prop::bool::weighted(0.2))
        .prop_map(|(client, up, down, lost)| Step::Announce { client, up, down, lost });
    let step = prop_oneof![8 => announce, 2 => Just(Step::Write), 1 => (0_usize..12).prop_map(Step::DieAt)];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Wherever the process dies, one more announce of each client brings everything back, and nothing twice.
    #[test]
    fn no_crash_loses_credit_that_a_later_announce_has(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let rules = Rules { line_rate_max: 1_000, slack_secs: 60, gap_secs_max: 3_600 };
        let none = |_: &InfoHash, _: i64| Factors::NONE;
        let mut ledger = SqliteLedger::open(dir.path()).unwrap();
        let mut clients = [Client::default(); 6];
        let mut gathered = Vec::new();
        let mut at = 0;
        let announced = |clients: &mut [Client; 6], client: usize, at: i64| {
            let Client { uploaded, downloaded, has_begun } = &mut clients[client];
            let event = if std::mem::replace(has_begun, true) { Event::Update } else { Event::Started };
            // Two members with two torrents; the last two clients are of one member and torrent.
            let n = u8::try_from(client).unwrap();
            report(u32::from(n / 3), n / 2, n, (*uploaded, *downloaded, 1), event, at)
        };
        for step in steps {
            at += 50;
            match step {
                Step::Announce { client, up, down, lost } => {
                    clients[client].uploaded += up;
                    clients[client].downloaded += down;
                    let report = announced(&mut clients, client, at);
                    gathered.extend((!lost).then_some(report));
                }
                Step::Write => {
                    ledger.settle(&gathered, &rules, &none).unwrap();
                    gathered.clear();
                }
                Step::DieAt(statement) => {
                    // Where there are fewer statements, it dies once it has written.
                    let _ = ledger.settle_until(&gathered, &rules, &none, statement);
                    gathered.clear();
                    drop(ledger);
                    ledger = SqliteLedger::open(dir.path()).unwrap();
                }
            }
        }
        for client in 0..clients.len() {
            gathered.push(announced(&mut clients, client, at + 100));
        }
        ledger.settle(&gathered, &rules, &none).unwrap();
        for user in 0..2 {
            let account = ledger.account(UserId(user)).unwrap();
            let own = &clients[3 * user as usize..][..3];
            prop_assert_eq!(account.uploaded, own.iter().map(|client| client.uploaded).sum::<u64>());
            prop_assert_eq!(account.downloaded, own.iter().map(|client| client.downloaded).sum::<u64>());
            prop_assert_eq!(account.flagged, 0);
        }
    }
}
