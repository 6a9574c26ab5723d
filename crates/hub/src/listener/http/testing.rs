//! What the tests of this room share.

use std::sync::Arc;

use swarm::InfoHash;

use super::connection::Service;
use super::reply::Date;
use crate::config::{Config, TrackerConfig};
use crate::tracker::{Events, Tracker};

struct Deaf;

impl Events for Deaf {
    fn completed(&self, _: InfoHash, _: u32) {}
}

/// A tracker that tells nobody of completed downloads.
pub(super) fn tracker(config: &TrackerConfig) -> Arc<Tracker> {
    Arc::new(Tracker::new(config, Box::new(Deaf)))
}

/// The query of a leecher's announce in the swarm whose hash is 20 times the byte 1.
pub(super) fn announce_query(peer: u8, port: u16) -> String {
    format!(
        "info_hash={}&peer_id={}&port={port}&uploaded=0&downloaded=0&left=5&compact=1",
        "%01".repeat(20),
        format!("%{peer:02x}").repeat(20)
    )
}

/// What connections are served with, over a new tracker, at the beginning of Unix time.
pub(super) fn service(config: &Config) -> Service {
    let steady = TrackerConfig { jitter_pct: 0, ..config.tracker.clone() };
    let mut service = Service::new(&Config { tracker: steady.clone(), ..config.clone() }, &tracker(&steady));
    service.date = Date::of(0);
    service
}
