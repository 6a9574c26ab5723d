//! What happens to torrents, as it happens.

use swarm::InfoHash;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Phase;
use crate::announce::TrackerStatus;

/// Changes that wait for whoever is slow to hear of them; older ones are [missed](Change::Missed).
pub const CHANGES_MAX: usize = 1_024;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A torrent was taken in.
    Added(InfoHash),
    /// A torrent is in another phase now.
    Phase(InfoHash, Phase),
    /// A torrent's tracker says something else than before.
    Tracker(InfoHash, TrackerStatus),
    /// A torrent was taken out.
    Removed(InfoHash),
    /// So much happened that some of it was not heard: [`Node::torrents`](super::Node::torrents) says how things stand.
    Missed,
}

/// The changes of all torrents of a node, one by one.
#[derive(Debug)]
pub struct Changes(Receiver<Change>);

impl Changes {
    pub(super) fn new(receiver: Receiver<Change>) -> Self {
        Self(receiver)
    }

    /// The next change; `None` once the node is gone.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(RecvError::Lagged(_)) => Some(Change::Missed),
            Err(RecvError::Closed) => None,
        }
    }
}
