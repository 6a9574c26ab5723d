//! What members are credited: a store of its own, since it is written as often as the catalogue is read.

use swarm::accounts::{Factors, Rules, Totals};
use swarm::{InfoHash, PeerId, UserId};

use super::Fault;

/// What a client of a member reports of a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Whose client it is.
    pub user: UserId,
    /// Of which torrent.
    pub torrent: InfoHash,
    /// Which of its clients.
    pub peer: PeerId,
    /// What it reports.
    pub totals: Totals,
}

/// What came of some reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Bytes sent that were credited, before factors.
    pub uploaded: u64,
    /// Bytes received that were credited, before factors.
    pub downloaded: u64,
    /// Reports whose totals went backwards.
    pub backwards: u64,
    /// Reports that were faster than any line.
    pub too_fast: u64,
}

/// What of the credit counts for some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorRule {
    /// Its number; 0 before it has one.
    pub id: i64,
    /// Of which torrent; `None` for all.
    pub torrent: Option<InfoHash>,
    /// How much.
    pub factors: Factors,
    /// From when on, in Unix seconds.
    pub begins: Option<i64>,
    /// Until when, in Unix seconds.
    pub ends: Option<i64>,
}

/// What somebody has been credited, of one torrent or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Bytes sent.
    pub uploaded: u64,
    /// Bytes received.
    pub downloaded: u64,
    /// Bytes sent, with the factors of their time.
    pub credited_up: u64,
    /// Bytes received, with the factors of their time.
    pub credited_down: u64,
    /// Seconds of seeding.
    pub seed_secs: u64,
    /// Reports that could not be true.
    pub flagged: u64,
}

/// What somebody has been credited of a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TorrentAccount {
    /// Of which torrent.
    pub torrent: InfoHash,
    /// What.
    pub account: Account,
    /// When it was completed first, in Unix seconds.
    pub completed_at: Option<i64>,
    /// When it was reported last, in Unix seconds.
    pub last_at: i64,
}

/// Who is expected to have seeded what was downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Seconds of seeding that are enough.
    pub seed_secs_min: u64,
    /// Percent of the torrent's own download that, sent, are enough.
    pub ratio_pct_min: u64,
    /// Only who has not been heard of since, in Unix seconds.
    pub silent_since: i64,
}

/// Somebody who did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HitAndRun {
    /// Who.
    pub user: UserId,
    /// With what.
    pub of: TorrentAccount,
}

/// Durable credit. Blocking; one writer, any number of readers, each with a `Ledger` of its own.
pub trait Ledger: Send {
    /// Settles `reports`, each client's in their order, in one transaction: what was reported last and what it was credited
    /// change together. When it returns that is on disk, synced. When it fails nothing has changed.
    fn settle(
        &mut self,
        reports: &[Report],
        rules: &Rules,
        factors: &dyn Fn(&InfoHash, i64) -> Factors,
    ) -> Result<Outcome, Fault>;

    /// What somebody has been credited in all.
    fn account(&self, user: UserId) -> Result<Account, Fault>;

    /// What somebody has been credited of each torrent, behind the one that `after` names.
    fn torrents(
        &self,
        user: UserId,
        after: Option<InfoHash>,
        limit: usize,
    ) -> Result<Vec<TorrentAccount>, Fault>;

    /// Those who have completed something and did not seed it, the most that `limit` allows.
    fn hit_and_runs(&self, terms: &Terms, limit: usize) -> Result<Vec<HitAndRun>, Fault>;

    /// Every factor rule.
    fn factors(&self) -> Result<Vec<FactorRule>, Fault>;

    /// Adds a factor rule, and tells its number.
    fn add_factors(&mut self, rule: &FactorRule) -> Result<i64, Fault>;

    /// Removes a factor rule; whether it was there.
    fn remove_factors(&mut self, id: i64) -> Result<bool, Fault>;
}
