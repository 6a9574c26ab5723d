use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted, in the order in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Announces answered over UDP on an IPv4 socket.
    AnnouncesUdp4,
    /// Announces answered over UDP on an IPv6 socket.
    AnnouncesUdp6,
    /// Announces answered over HTTP.
    AnnouncesHttp,
    /// Connect requests answered (BEP 15).
    Connects,
    /// Scrapes answered over UDP.
    ScrapesUdp,
    /// Scrapes answered over HTTP.
    ScrapesHttp,
    /// Downloads completed.
    Completed,
    /// Announces refused because they named port 0.
    RefusedPortZero,
    /// Announces and scrapes refused for the network they came from.
    RefusedNetwork,
    /// Announces, scrapes and connect requests refused because too many came from there.
    RefusedRate,
    /// Announces refused for their client.
    RefusedClient,
    /// Announces refused because an access list has their torrent, or lacks it.
    RefusedTorrent,
    /// Announces and scrapes refused for their passkey: none, a wrong one, or one where there are no members.
    RefusedPasskey,
    /// Announces and scrapes refused because the member may not take part now.
    RefusedMember,
    /// Announces refused because their torrent is not in the catalogue.
    RefusedUnlisted,
    /// Announces refused for want of memory.
    RefusedFull,
    /// Requests that were none.
    Malformed,
    /// UDP requests whose connection id was not valid.
    ConnectionIdInvalid,
    /// UDP answers that the system did not take.
    SendFailed,
}

impl Metric {
    /// All, in order.
    pub const ALL: [Self; 19] = [
        Self::AnnouncesUdp4,
        Self::AnnouncesUdp6,
        Self::AnnouncesHttp,
        Self::Connects,
        Self::ScrapesUdp,
        Self::ScrapesHttp,
        Self::Completed,
        Self::RefusedPortZero,
        Self::RefusedNetwork,
        Self::RefusedRate,
        Self::RefusedClient,
        Self::RefusedTorrent,
        Self::RefusedPasskey,
        Self::RefusedMember,
        Self::RefusedUnlisted,
        Self::RefusedFull,
        Self::Malformed,
        Self::ConnectionIdInvalid,
        Self::SendFailed,
    ];
}

/// What one serving thread has counted. Aligned so that no two threads write to one cache line, nor to a pair of
/// lines that the processor fetches together.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counters([AtomicU64; Metric::ALL.len()]);

impl Counters {
    /// Adds `n`. Only the thread that owns these counters calls it, so nothing is locked.
    pub fn add(&self, metric: Metric, n: u64) {
        let counter = &self.0[metric as usize];
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn get(&self, metric: Metric) -> u64 {
        self.0[metric as usize].load(Ordering::Relaxed)
    }
}
