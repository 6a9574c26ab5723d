use std::sync::atomic::{AtomicU64, Ordering};

use swarm::directory::Dialect;

/// What is counted for each dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Tokens given out.
    Auths,
    /// Offers taken note of.
    Registers,
    /// Questions who has a file, or who is there.
    LookUps,
    /// Chunk lists handed out.
    Lists,
    /// Heartbeats.
    Beats,
    /// Goodbyes.
    Exits,
    /// Requests that were none.
    Malformed,
    /// Requests with a token that is forged, expired or another's.
    Forbidden,
    /// Connections and datagrams from networks that are not let in.
    Denied,
    /// Offers refused because of a limit of the directory.
    Refused,
    /// Connections turned away, and answers withheld, because of a limit for an address or for all.
    Limited,
}

impl Count {
    /// All.
    pub const ALL: [Self; 11] = [
        Self::Auths,
        Self::Registers,
        Self::LookUps,
        Self::Lists,
        Self::Beats,
        Self::Exits,
        Self::Malformed,
        Self::Forbidden,
        Self::Denied,
        Self::Refused,
        Self::Limited,
    ];
}

/// What happened how often since the start.
#[derive(Debug, Default)]
pub(super) struct Counters([[AtomicU64; Count::ALL.len()]; Dialect::ALL.len()]);

impl Counters {
    pub(super) fn add(&self, dialect: Dialect, count: Count) {
        self.0[dialect as usize][count as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self, dialect: Dialect, count: Count) -> u64 {
        self.0[dialect as usize][count as usize].load(Ordering::Relaxed)
    }
}
