//! What members are credited for what their clients announce.
//!
//! The announce path puts a report into a bounded queue and goes on. One thread takes what has gathered, settles it and
//! writes cursor and credit in one transaction. What is lost on the way, with the process or because the queue is full,
//! is in the totals of the client's next report. While the store fails the queue fills; beyond its bound reports are
//! turned away and counted, and that it fails is said.

#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use swarm::accounts::{Factors, Rules};
use swarm::{InfoHash, UserId};

use crate::catalogue::Clock;
use crate::config::AccountingConfig;
use crate::store::ledger::{Account, FactorRule, HitAndRun, Ledger, Report, Terms, TorrentAccount};
use crate::store::sqlite::ledger::SqliteLedger;
use crate::store::{Fault, OpenError};
pub use writer::Status;
use writer::{Job, Writer};

/// How long is waited for reports to be written before what is written is told without them.
const FLUSH_MAX: Duration = Duration::from_secs(10);

/// Rules of credit that there may be at a time.
pub const FACTOR_RULES_MAX: usize = 10_000;

/// Seconds that a client may be out by when it counts.
const SLACK_SECS: u32 = 60;

/// Members' credit. Clones share it.
#[derive(Clone)]
pub struct Accounting(Arc<Inner>);

struct Inner {
    writer: Writer,
    /// For reading; one read at a time is enough for pages that people look at.
    reader: Arc<parking_lot::Mutex<Box<dyn Ledger>>>,
    rules: Arc<RwLock<Vec<FactorRule>>>,
    terms: AccountingConfig,
    clock: Clock,
}

impl Accounting {
    /// Opens the accounts in `state_dir`. `gap_secs_max`: seconds between two announces of a client at most. Blocking.
    ///
    /// # Errors
    ///
    /// [`OpenError`]
    pub fn open(
        state_dir: &Path,
        config: &AccountingConfig,
        gap_secs_max: u32,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let ledger = SqliteLedger::open(state_dir)?;
        let reader = SqliteLedger::open_reader(state_dir)?;
        let unusable =
            |fault: Fault| OpenError::new(state_dir, fault.to_string(), "see that the disk can be read");
        Self::over(Box::new(ledger), Box::new(reader), config, gap_secs_max, clock).map_err(unusable)
    }

    /// The same over any ledger; `reader` is it once more.
    pub(crate) fn over(
        ledger: Box<dyn Ledger>,
        reader: Box<dyn Ledger>,
        config: &AccountingConfig,
        gap_secs_max: u32,
        clock: Clock,
    ) -> Result<Self, Fault> {
        let rules = Arc::new(RwLock::new(ledger.factors()?));
        let limits =
            Rules { line_rate_max: config.line_rate_max as u64, slack_secs: SLACK_SECS, gap_secs_max };
        let factors = {
            let rules = rules.clone();
            Box::new(move |torrent: &InfoHash, at| in_force(&rules.read(), torrent, at))
        };
        let writer = Writer::start(ledger, limits, factors, config.queue_max);
        let reader = Arc::new(parking_lot::Mutex::new(reader));
        Ok(Self(Arc::new(Inner { writer, reader, rules, terms: config.clone(), clock })))
    }

    /// Takes note of a report. Never waits. False if there is no room for it.
    pub fn report(&self, report: Report) -> bool {
        self.0.writer.report(report)
    }

    /// Returns when everything that was reported before is on disk, synced.
    ///
    /// # Errors
    ///
    /// It cannot be written, or not in time.
    pub async fn flush(&self) -> Result<(), Fault> {
        self.0.writer.flush(FLUSH_MAX).await
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.writer.status()
    }

    /// What somebody has been credited in all, with everything that was reported before.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub async fn account(&self, user: UserId) -> Result<Account, Fault> {
        self.flush().await?;
        self.read(move |ledger| ledger.account(user)).await
    }

    /// The same of each torrent, behind the one that `after` names.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub async fn torrents(
        &self,
        user: UserId,
        after: Option<InfoHash>,
        limit: usize,
    ) -> Result<Vec<TorrentAccount>, Fault> {
        self.read(move |ledger| ledger.torrents(user, after, limit)).await
    }

    /// Those who have completed something and did not seed it as long as they should, or as much.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub async fn hit_and_runs(&self, limit: usize) -> Result<Vec<HitAndRun>, Fault> {
        let terms = Terms {
            seed_secs_min: u64::from(self.0.terms.seed_hours_min) * 3_600,
            ratio_pct_min: u64::from(self.0.terms.ratio_pct_min),
            silent_since: (self.0.clock)() - i64::from(self.0.terms.absent_hours) * 3_600,
        };
        self.read(move |ledger| ledger.hit_and_runs(&terms, limit)).await
    }

    /// Every rule of what counts.
    #[must_use]
    pub fn factors(&self) -> Vec<FactorRule> {
        self.0.rules.read().clone()
    }

    /// Adds a rule of what counts, from the next report on; with its number. `None` if there are as many as there may be.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub async fn add_factors(&self, rule: FactorRule) -> Result<Option<FactorRule>, Fault> {
        if self.0.rules.read().len() >= FACTOR_RULES_MAX {
            return Ok(None);
        }
        let id = self.0.writer.ask(move |answer| Job::Add(rule, answer)).await?;
        let rule = FactorRule { id, ..rule };
        self.0.rules.write().push(rule);
        Ok(Some(rule))
    }

    /// Removes a rule of what counts; whether it was there.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub async fn remove_factors(&self, id: i64) -> Result<bool, Fault> {
        let was_there = self.0.writer.ask(move |answer| Job::Remove(id, answer)).await?;
        self.0.rules.write().retain(|rule| rule.id != id);
        Ok(was_there)
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Ledger) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let reader = self.0.reader.clone();
        let reading = tokio::task::spawn_blocking(move || work(&**reader.lock()));
        reading.await.map_err(|error| Fault::new("read what members are credited", error.to_string()))?
    }
}

/// What of the credit for a torrent counts at a moment: all rules together.
fn in_force(rules: &[FactorRule], torrent: &InfoHash, at: i64) -> Factors {
    let holds = |rule: &&FactorRule| {
        rule.torrent.is_none_or(|of| of == *torrent)
            && rule.begins.is_none_or(|begins| begins <= at)
            && rule.ends.is_none_or(|ends| at < ends)
    };
    rules.iter().filter(holds).fold(Factors::NONE, |all, rule| all.and(rule.factors))
}
