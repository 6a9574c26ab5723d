//! What is told of a torrent.

use serde::Serialize;

use crate::announce::{State, TrackerStatus};
use crate::node::{Listed, Phase};

/// A torrent.
#[derive(Serialize)]
pub(super) struct Torrent {
    info_hash: String,
    /// `null` until it is known.
    name: Option<String>,
    /// Bytes that are wanted; `null` until that is known.
    size: Option<u64>,
    /// Bytes of them that are missing.
    left: u64,
    phase: &'static str,
    /// Why it is paused.
    reason: Option<String>,
    /// Where it is, if it is whole.
    path: Option<String>,
    /// How far the last check of its files is, or was.
    check: Check,
    /// Bytes.
    downloaded: u64,
    uploaded: u64,
    /// Bytes a second.
    download_rate: u64,
    upload_rate: u64,
    /// Connections, and those of them to who has everything.
    peers: usize,
    seeders: usize,
    trackers: Vec<Tracker>,
}

/// Bytes that were hashed, of those that must be.
#[derive(Serialize)]
struct Check {
    done: u64,
    total: u64,
}

/// What a tracker said.
#[derive(Serialize)]
struct Tracker {
    /// Its address, without what may be secret.
    name: String,
    tier: usize,
    state: &'static str,
    /// Its words, or what is wrong with it.
    message: Option<String>,
    seeders: Option<u32>,
    leechers: Option<u32>,
    /// Until it is asked again.
    next_secs: Option<u64>,
}

impl From<Listed> for Torrent {
    fn from(listed: Listed) -> Self {
        let Listed { hash, status, trackers } = listed;
        let (phase, reason, path) = match &status.phase {
            Phase::Describing => ("describing", None, None),
            Phase::Checking => ("checking", None, None),
            Phase::Fetching => ("fetching", None, None),
            Phase::Whole(path) => ("whole", None, Some(path.to_string_lossy().into_owned())),
            Phase::Paused(why) => ("paused", Some(why.to_string()), None),
        };
        let stats = status.stats;
        Self {
            info_hash: hash.to_string(),
            name: status.name,
            size: status.bytes,
            left: stats.left,
            phase,
            reason,
            path,
            check: Check { done: status.check.done, total: status.check.total },
            downloaded: stats.downloaded,
            uploaded: stats.uploaded,
            download_rate: stats.download_rate,
            upload_rate: stats.upload_rate,
            peers: stats.peers,
            seeders: stats.seeds,
            trackers: trackers.into_iter().map(Tracker::from).collect(),
        }
    }
}

impl From<TrackerStatus> for Tracker {
    fn from(status: TrackerStatus) -> Self {
        let (state, message) = match status.state {
            State::Unasked => ("unasked", None),
            State::Answered { warning } => ("answered", warning),
            State::Refused(why) => ("refused", Some(why)),
            State::Failed(why) => ("failed", Some(why)),
            State::GivenUp(why) => ("given up", Some(why)),
        };
        Self {
            name: status.name,
            tier: status.tier,
            state,
            message,
            seeders: status.seeders,
            leechers: status.leechers,
            next_secs: status.next_in.map(|wait| wait.as_secs()),
        }
    }
}
