//! Members' credit in a database of its own beside the other.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use swarm::accounts::{Cursor, Factors, Flag, Rules, settle};
use swarm::{InfoHash, UserId};

use super::fault;
use super::open::{self, Database};
use crate::background::Turns;
use crate::store::ledger::{Account, FactorRule, HitAndRun, Ledger, Outcome, Report, Terms, TorrentAccount};
use crate::store::{Fault, OpenError};

/// Name of the database in the state directory.
pub const ACCOUNTS_FILE_NAME: &str = "accounts.db";

pub(super) const ACCOUNTS: Database = Database {
    file: ACCOUNTS_FILE_NAME,
    migrations: &[include_str!("../../../migrations/accounts/0001_accounts.sql")],
};

/// Kibibytes of its pages that are kept in memory: what is written is what was written an interval ago.
const CACHE_KIBIBYTES: i64 = 64 << 10;

/// A connection to the database.
#[derive(Debug)]
pub struct SqliteLedger {
    connection: Connection,
}

/// A client's row.
#[derive(Debug, Clone, Copy, Default)]
struct Session {
    cursor: Option<Cursor>,
    account: Account,
    completed_at: Option<i64>,
}

impl SqliteLedger {
    /// Opens the database in `state_dir` for reading and writing, as [`Sqlite::open`](super::Sqlite::open) does.
    pub fn open(state_dir: &Path) -> Result<Self, OpenError> {
        let connection = open::writer(state_dir, &ACCOUNTS)?;
        open::check(state_dir, &ACCOUNTS)?;
        let cached = connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES);
        cached.map_err(|error| OpenError::new(state_dir, error.to_string(), "see that there is memory"))?;
        Ok(Self { connection })
    }

    /// Opens the same database once more, to read only.
    pub fn open_reader(state_dir: &Path) -> Result<Self, OpenError> {
        open::reader(state_dir, &ACCOUNTS).map(|connection| Self { connection })
    }
}

/// For tests of crashes.
#[cfg(test)]
impl SqliteLedger {
    /// Settles, and dies at the client with this number, or at the commit if there are fewer.
    pub(crate) fn settle_until(
        &mut self,
        reports: &[Report],
        rules: &Rules,
        factors: &dyn Fn(&InfoHash, i64) -> Factors,
        statement: usize,
    ) -> Result<Outcome, Fault> {
        let mut left = statement;
        let dies = move || left.checked_sub(1).map(|rest| left = rest).is_none();
        self.settle_unless(reports, rules, factors, dies)
    }
}

impl SqliteLedger {
    /// Settles in one transaction, unless something happens: it is looked before each client and before the commit.
    fn settle_unless(
        &mut self,
        reports: &[Report],
        rules: &Rules,
        factors: &dyn Fn(&InfoHash, i64) -> Factors,
        mut happens: impl FnMut() -> bool,
    ) -> Result<Outcome, Fault> {
        // In the order of the table, so that each page is visited once; each client's in their own order.
        let mut order: Vec<&Report> = reports.iter().collect();
        let mut turns = Turns::of(256);
        order.sort_by_key(|report| {
            turns.step();
            (report.user, report.torrent, report.peer.0)
        });
        let mut turns = Turns::of(1);
        let same = |a: &&Report, b: &&Report| (a.user, a.torrent, a.peer) == (b.user, b.torrent, b.peer);
        let mut settle_all = || -> rusqlite::Result<Outcome> {
            let mut outcome = Outcome::default();
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for of_client in order.chunk_by(same) {
                if happens() {
                    return Err(rusqlite::Error::UnwindingPanic);
                }
                settle_one(&transaction, of_client, rules, factors, &mut outcome)?;
                turns.step();
            }
            if happens() {
                return Err(rusqlite::Error::UnwindingPanic);
            }
            transaction.commit()?;
            Ok(outcome)
        };
        settle_all().map_err(fault("write what members are credited"))
    }
}

impl Ledger for SqliteLedger {
    fn settle(
        &mut self,
        reports: &[Report],
        rules: &Rules,
        factors: &dyn Fn(&InfoHash, i64) -> Factors,
    ) -> Result<Outcome, Fault> {
        self.settle_unless(reports, rules, factors, || false)
    }

    fn account(&self, user: UserId) -> Result<Account, Fault> {
        let sql = format!("SELECT {SUMS} FROM sessions WHERE user = ?1");
        let read = || self.connection.prepare_cached(&sql)?.query_row([user.0], |row| account(row, 0));
        read().map_err(fault("read what a member is credited"))
    }

    fn torrents(
        &self,
        user: UserId,
        after: Option<InfoHash>,
        limit: usize,
    ) -> Result<Vec<TorrentAccount>, Fault> {
        let sql = format!(
            "SELECT torrent, min(completed_at), max(at), {SUMS} FROM sessions WHERE user = ?1 AND torrent > ?2 \
             GROUP BY torrent ORDER BY torrent LIMIT ?3"
        );
        let after: &[u8] = after.as_ref().map_or(&[], |hash| hash.as_bytes());
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            statement
                .query_map(params![user.0, after, signed_len(limit)], |row| of_torrent(row, 0))?
                .collect()
        };
        read().map_err(fault("read what a member is credited"))
    }

    fn hit_and_runs(&self, terms: &Terms, limit: usize) -> Result<Vec<HitAndRun>, Fault> {
        let sql = format!(
            "SELECT user, torrent, min(completed_at), max(at), {SUMS} FROM sessions GROUP BY user, torrent \
             HAVING min(completed_at) IS NOT NULL AND sum(seed_secs) < ?1 AND max(at) <= ?2 \
             AND sum(sent) < sum(received) / 100.0 * ?3 LIMIT ?4"
        );
        let one = |row: &Row<'_>| Ok(HitAndRun { user: UserId(row.get(0)?), of: of_torrent(row, 1)? });
        let read = || -> rusqlite::Result<Vec<_>> {
            let Terms { seed_secs_min, ratio_pct_min, silent_since } = *terms;
            let wanted =
                params![signed(seed_secs_min), silent_since, signed(ratio_pct_min), signed_len(limit)];
            self.connection.prepare_cached(&sql)?.query_map(wanted, one)?.collect()
        };
        read().map_err(fault("look for hit-and-runs"))
    }

    fn factors(&self) -> Result<Vec<FactorRule>, Fault> {
        let sql = "SELECT id, torrent, upload_pct, download_pct, begins, ends FROM factors ORDER BY id";
        let rule = |row: &Row<'_>| {
            Ok(FactorRule {
                id: row.get(0)?,
                torrent: row.get::<_, Option<[u8; 20]>>(1)?.map(InfoHash),
                factors: Factors { upload_pct: row.get(2)?, download_pct: row.get(3)? },
                begins: row.get(4)?,
                ends: row.get(5)?,
            })
        };
        let read = || -> rusqlite::Result<Vec<_>> {
            self.connection.prepare_cached(sql)?.query_map([], rule)?.collect()
        };
        read().map_err(fault("read the factors of credit"))
    }

    fn add_factors(&mut self, rule: &FactorRule) -> Result<i64, Fault> {
        let sql = "INSERT INTO factors (torrent, upload_pct, download_pct, begins, ends) VALUES (?1, ?2, ?3, ?4, ?5)";
        let FactorRule { torrent, factors, begins, ends, .. } = rule;
        let add = || {
            let torrent = torrent.map(|hash| hash.0);
            let row = params![torrent, factors.upload_pct, factors.download_pct, begins, ends];
            self.connection.prepare_cached(sql)?.execute(row)?;
            Ok(self.connection.last_insert_rowid())
        };
        add().map_err(fault("write the factors of credit"))
    }

    fn remove_factors(&mut self, id: i64) -> Result<bool, Fault> {
        let remove =
            || Ok(self.connection.prepare_cached("DELETE FROM factors WHERE id = ?1")?.execute([id])? > 0);
        remove().map_err(fault("write the factors of credit"))
    }
}

/// Settles what one client of one member reports of one torrent.
fn settle_one(
    transaction: &Transaction<'_>,
    reports: &[&Report],
    rules: &Rules,
    factors: &dyn Fn(&InfoHash, i64) -> Factors,
    outcome: &mut Outcome,
) -> rusqlite::Result<()> {
    let Some(Report { user, torrent, peer, .. }) = reports.first() else { return Ok(()) };
    let sql = "SELECT uploaded, downloaded, seeder, stopped, at, sent, received, credited_up, credited_down, seed_secs, \
               flagged, completed_at FROM sessions WHERE user = ?1 AND torrent = ?2 AND peer = ?3";
    let key = params![user.0, torrent.as_bytes(), peer.0];
    let mut session =
        transaction.prepare_cached(sql)?.query_row(key, session).optional()?.unwrap_or_default();
    for Report { totals, .. } in reports {
        let settled = settle(session.cursor.as_ref(), totals, rules);
        let (up, down) = (settled.credit.uploaded, settled.credit.downloaded);
        let (credited_up, credited_down) = factors(torrent, totals.at).of(up, down);
        let account = &mut session.account;
        account.uploaded = account.uploaded.saturating_add(up);
        account.downloaded = account.downloaded.saturating_add(down);
        account.credited_up = account.credited_up.saturating_add(credited_up);
        account.credited_down = account.credited_down.saturating_add(credited_down);
        account.seed_secs = account.seed_secs.saturating_add(settled.credit.seed_secs);
        account.flagged += u64::from(settled.flag.is_some());
        outcome.uploaded = outcome.uploaded.saturating_add(up);
        outcome.downloaded = outcome.downloaded.saturating_add(down);
        outcome.backwards += u64::from(settled.flag == Some(Flag::Backwards));
        outcome.too_fast += u64::from(settled.flag == Some(Flag::TooFast));
        if settled.credit.completed {
            session.completed_at = session.completed_at.or(Some(totals.at));
        }
        session.cursor = Some(settled.cursor);
    }
    let Session { cursor: Some(cursor), account, completed_at } = session else { return Ok(()) };
    let sql = "INSERT INTO sessions (user, torrent, peer, uploaded, downloaded, seeder, stopped, at, sent, received, \
               credited_up, credited_down, seed_secs, flagged, completed_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
               ON CONFLICT DO UPDATE SET uploaded = ?4, downloaded = ?5, seeder = ?6, stopped = ?7, at = ?8, sent = ?9, \
               received = ?10, credited_up = ?11, credited_down = ?12, seed_secs = ?13, flagged = ?14, completed_at = ?15";
    transaction.prepare_cached(sql)?.execute(params![
        user.0,
        torrent.as_bytes(),
        peer.0,
        signed(cursor.uploaded),
        signed(cursor.downloaded),
        cursor.is_seeder,
        cursor.has_stopped,
        cursor.at,
        signed(account.uploaded),
        signed(account.downloaded),
        signed(account.credited_up),
        signed(account.credited_down),
        signed(account.seed_secs),
        signed(account.flagged),
        completed_at,
    ])?;
    Ok(())
}

/// The sums that [`account`] reads; nothing of those who have no rows.
const SUMS: &str = "coalesce(sum(sent), 0), coalesce(sum(received), 0), coalesce(sum(credited_up), 0), \
                    coalesce(sum(credited_down), 0), coalesce(sum(seed_secs), 0), coalesce(sum(flagged), 0)";

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    let cursor = Cursor {
        uploaded: unsigned(row, 0)?,
        downloaded: unsigned(row, 1)?,
        is_seeder: row.get(2)?,
        has_stopped: row.get(3)?,
        at: row.get(4)?,
    };
    let account = Account {
        uploaded: unsigned(row, 5)?,
        downloaded: unsigned(row, 6)?,
        credited_up: unsigned(row, 7)?,
        credited_down: unsigned(row, 8)?,
        seed_secs: unsigned(row, 9)?,
        flagged: unsigned(row, 10)?,
    };
    Ok(Session { cursor: Some(cursor), account, completed_at: row.get(11)? })
}

fn account(row: &Row<'_>, first: usize) -> rusqlite::Result<Account> {
    Ok(Account {
        uploaded: unsigned(row, first)?,
        downloaded: unsigned(row, first + 1)?,
        credited_up: unsigned(row, first + 2)?,
        credited_down: unsigned(row, first + 3)?,
        seed_secs: unsigned(row, first + 4)?,
        flagged: unsigned(row, first + 5)?,
    })
}

fn of_torrent(row: &Row<'_>, first: usize) -> rusqlite::Result<TorrentAccount> {
    Ok(TorrentAccount {
        torrent: InfoHash(row.get(first)?),
        completed_at: row.get(first + 1)?,
        last_at: row.get(first + 2)?,
        account: account(row, first + 3)?,
    })
}

/// SQLite's integers are signed, and sums of them must fit: of a session this many bytes count at most.
fn signed(value: u64) -> i64 {
    const MAX: i64 = 1 << 56;
    i64::try_from(value).unwrap_or(MAX).min(MAX)
}

fn signed_len(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}
