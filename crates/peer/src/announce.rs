//! Announcing: telling trackers what we have, and learning from them who else is there.
//!
//! [`Trackers`] is what a session has once: the sockets and HTTP clients by which all torrents announce. An
//! [`Announcer`] is what each torrent has: a task that follows the torrent's schedule, is told of its progress,
//! and tells of peers and of trackers' words through its [`Outcomes`].

mod announcer;
mod http;
mod resolve;
mod schedule;
mod status;
mod target;
#[cfg(test)]
pub(crate) mod testing;
mod udp;
pub(crate) mod words;

use std::fmt::Write as _;
use std::time::Duration;

use swarm::{Endpoint, InfoHash, PeerId, Port};
use wire::Announce;

use crate::trust::Trust;

pub use announcer::{Announcer, OUTCOMES_MAX, Outcome, Outcomes, STOP_TIME_MAX, Torrent};
pub use schedule::{Progress, SPREAD_PERCENT, TRACKERS_MAX, WANT_MAX, Wish};
pub use status::{State, TrackerStatus};
pub use target::Family;

use schedule::{Answer, Ask, Miss};
use target::Scheme;

/// What is told as missing while nobody knows how much is (a magnet link without its metadata): not nothing. Some trackers
/// take an announce without `left` for a seeder's.
const LEFT_UNKNOWN: u64 = 16 * 1024;

/// Who we are to trackers, for as long as the session lasts.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// What we call ourselves.
    pub peer_id: PeerId,
    /// Where we listen for peers.
    pub port: Port,
    /// The secret by which a tracker knows us again when our address has changed. Chance, and told to nobody else.
    pub key: u32,
}

/// How long trackers are waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the first answer over UDP; each further request waits twice as long.
    pub udp: Duration,
    /// For a whole answer over HTTP.
    pub http: Duration,
}

/// The ways to all trackers.
#[derive(Debug)]
pub struct Trackers {
    identity: Identity,
    /// The key as text: over UDP its last four bytes are told.
    key: String,
    http: http::Http,
    udp: udp::Udp,
}

/// HTTP could not be set up, as when the system's certificates cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("HTTP cannot be set up: {0}")]
pub struct SetUpError(pub(crate) String);

impl Default for Patience {
    fn default() -> Self {
        Self { udp: udp::TIMEOUT, http: http::TIMEOUT }
    }
}

impl Trackers {
    /// The ways to all trackers. Sockets are opened when they are needed. `trust` tells of a hub whose certificate is known
    /// in another way than by the system's authorities.
    ///
    /// # Errors
    /// See [`SetUpError`].
    pub fn new(identity: Identity, patience: Patience, trust: Option<Trust>) -> Result<Self, SetUpError> {
        let mut key = String::new();
        // Writing to a string does not fail.
        let _ = write!(key, "{:08X}", identity.key);
        Ok(Self {
            identity,
            key,
            http: http::Http::new(patience.http, trust)?,
            udp: udp::Udp::new(patience.udp),
        })
    }

    /// Makes one announce, and returns what the tracker said and whom it named.
    async fn announce(&self, info_hash: InfoHash, ask: &Ask) -> Result<(Answer, Vec<Endpoint>), Miss> {
        let announce = Announce {
            info_hash,
            peer_id: self.identity.peer_id,
            port: self.identity.port.get(),
            stated_ip: None,
            uploaded: ask.progress.uploaded,
            downloaded: ask.progress.downloaded,
            left: Some(ask.progress.left.unwrap_or(LEFT_UNKNOWN)),
            event: ask.event,
            want: Some(ask.want),
            key: Some(self.key.as_bytes()),
            passkey: None,
        };
        let outcome = match ask.target.scheme {
            Scheme::Http => {
                self.http.announce(&ask.target, ask.family, &announce, ask.tracker_id.as_deref()).await
            }
            Scheme::Udp => self.udp.announce(&ask.target, ask.family, &announce).await,
        };
        let (tracker, event) = (ask.target.name(), ask.event);
        match &outcome {
            Ok((answer, peers)) => {
                tracing::debug!(%info_hash, tracker, ?event, ?answer, peers = peers.len(), "announced");
            }
            Err(miss) => tracing::debug!(%info_hash, tracker, ?event, ?miss, "announced in vain"),
        }
        outcome
    }
}
