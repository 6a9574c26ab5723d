//! Torrents as the API shows them.

use serde::Serialize;
use swarm::{Counts, Role};
use utoipa::ToSchema;

use super::ApiState;
use super::links::Site;
use crate::catalogue::{Torrent, TorrentFile};
use crate::tracker::PeerView;

/// The peers that the API shows of one torrent.
pub(crate) const PEERS_SHOWN_MAX: usize = 1000;

/// A torrent of the catalogue with the state of its swarm; without the files, of which there can be very many.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Torrent)]
pub(crate) struct Summary {
    info_hash: String,
    name: String,
    /// Bytes.
    size: Option<u64>,
    piece_length: Option<u64>,
    private: bool,
    comment: Option<String>,
    created_by: Option<String>,
    /// Unix seconds.
    created_at: Option<i64>,
    /// Unix seconds.
    added_at: i64,
    #[serde(flatten)]
    swarm: Swarm,
    magnet: String,
    /// Where the .torrent file is, if the hub has it.
    torrent_url: Option<String>,
}

/// How many take part, and have taken part.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Swarm {
    /// Peers that have everything.
    pub seeders: u32,
    /// Peers that do not.
    pub leechers: u32,
    /// Downloads ever completed.
    pub completed: u64,
}

/// A torrent with its files, and perhaps its peers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TorrentWhole)]
pub(crate) struct Whole {
    #[serde(flatten)]
    summary: Summary,
    files: Vec<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<Vec<Peer>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TorrentFile)]
struct File {
    path: String,
    length: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TorrentPeer)]
struct Peer {
    ip: String,
    port: u16,
    role: &'static str,
    idle_secs: u32,
    peer_id: Option<String>,
    uploaded: Option<u64>,
    downloaded: Option<u64>,
    left: Option<u64>,
}

impl Swarm {
    /// The swarm of `torrent` as it is now.
    #[must_use]
    pub(crate) fn of(torrent: &Torrent, state: &ApiState) -> Self {
        let counts = state.tracker.scrape(&torrent.info_hash).unwrap_or_default();
        Self {
            seeders: counts.complete,
            leechers: counts.incomplete,
            // The catalogue's number is the lasting one, and a second late; the tracker's begins anew for a torrent
            // that was not catalogued before.
            completed: torrent.completed.max(counts.completed.into()),
        }
    }
}

impl From<Counts> for Swarm {
    fn from(counts: Counts) -> Self {
        Self { seeders: counts.complete, leechers: counts.incomplete, completed: counts.completed.into() }
    }
}

impl Summary {
    /// `torrent` as somebody at `site` sees it.
    #[must_use]
    pub(crate) fn of(torrent: &Torrent, site: &Site, state: &ApiState) -> Self {
        Self {
            info_hash: torrent.info_hash.to_string(),
            name: torrent.name.clone(),
            size: torrent.size,
            piece_length: torrent.piece_length,
            private: torrent.private,
            comment: torrent.comment.clone(),
            created_by: torrent.created_by.clone(),
            created_at: torrent.created_at,
            added_at: torrent.added_at,
            swarm: Swarm::of(torrent, state),
            magnet: site.magnet(torrent),
            torrent_url: torrent.has_metainfo.then(|| site.torrent_url(&torrent.info_hash)),
        }
    }
}

impl Whole {
    /// `torrent` as somebody at `site` sees it; with its peers for those who may know.
    #[must_use]
    pub(crate) fn of(torrent: Torrent, site: &Site, state: &ApiState, with_peers: bool) -> Self {
        let peers = with_peers.then(|| {
            state.tracker.peers(&torrent.info_hash, PEERS_SHOWN_MAX).into_iter().map(Peer::from).collect()
        });
        let summary = Summary::of(&torrent, site, state);
        Self { summary, files: torrent.files.into_iter().map(File::from).collect(), peers }
    }
}

impl From<TorrentFile> for File {
    fn from(TorrentFile { path, length }: TorrentFile) -> Self {
        Self { path, length }
    }
}

impl From<PeerView> for Peer {
    fn from(peer: PeerView) -> Self {
        Self {
            ip: peer.endpoint.ip().to_string(),
            port: peer.endpoint.port().get(),
            role: match peer.role {
                Role::Seeder => "seeder",
                Role::Partial => "partial seed",
                Role::Leecher => "leecher",
            },
            idle_secs: peer.idle_secs,
            peer_id: peer.peer_id.map(|id| id.to_string()),
            uploaded: peer.uploaded,
            downloaded: peer.downloaded,
            // Peers that do not say are kept with this number.
            left: peer.left.filter(|left| *left != u64::MAX),
        }
    }
}
