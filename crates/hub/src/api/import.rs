//! Taking over from the tracker that was here before.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use swarm::{PeerRecord, Role};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use utoipa::ToSchema;

use super::body::Budget;
use super::standing::Acting;
use super::{ApiState, Problem, audit};
use crate::catalogue::{AddError, now_unix};
use crate::legacy::{self, LegacyPeer, LegacyTorrent};
use crate::store::roll::Scope;

/// Where imports go.
pub(super) const PATH: &str = "/api/v1/import";

/// Bytes of a state file that is sent here.
const STATE_BYTES_MAX: usize = 256 << 20;

/// Torrents that are on their way into the catalogue at a time; they share one sync of the disk.
const UNDER_WAY_MAX: usize = 256;

/// So many of the torrents that could not be taken are told.
const SKIPPED_TOLD_MAX: usize = 20;

/// Seconds after which another import may be done.
const RETRY_SECS: u32 = 10;

/// What came of an import.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Imported {
    torrents: u64,
    peers: u64,
    skipped: Vec<String>,
}

/// Takes in an old tracker's state file; the same file twice changes nothing. Scope `admin`.
#[utoipa::path(
    post, path = "/import", tag = "hub",
    request_body = serde_json::Value,
    responses((status = 200, body = Imported)),
    security(("bearer" = [])),
)]
pub(super) async fn import(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    request: Request,
) -> Result<Response, Problem> {
    let actor = acting.require(Scope::Admin)?;
    let busy = || Problem::unavailable("another import is under way", RETRY_SECS);
    let _turn = state.imports.try_acquire().map_err(|_| busy())?;
    // One at a time, with memory of its own: an import is not to fail for other people's uploads.
    let state_file =
        Budget::new(STATE_BYTES_MAX + (1 << 20)).read(request.into_body(), STATE_BYTES_MAX).await?;
    let (sender, receiver) = mpsc::channel(UNDER_WAY_MAX);
    let reading = spawn_blocking(move || {
        // If nobody takes the torrents any more there is nobody to tell either.
        legacy::read(state_file.bytes.as_slice(), |torrent| drop(sender.blocking_send(torrent)))
    });
    let mut imported = take_in(&state, receiver).await?;
    let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the import stopped");
    let report = reading.await.map_err(failed)?.map_err(|error| Problem::bad_request(error.to_string()))?;
    imported.skipped.extend(report.quoted.iter().cloned());
    let told = report.quoted.len() as u64;
    let untold = (report.torrents_skipped + report.peers_skipped + report.guessed).saturating_sub(told);
    if untold > 0 {
        imported.skipped.push(format!("and {untold} more"));
    }
    let object = format!("{} torrents, {} peers", imported.torrents, imported.peers);
    audit::record(&state, "import", &object, &actor).await;
    state.json(&imported)
}

async fn take_in(
    state: &Arc<ApiState>,
    mut torrents: mpsc::Receiver<LegacyTorrent>,
) -> Result<Imported, Problem> {
    let now = now_unix();
    let mut imported = Imported::default();
    let mut under_way = JoinSet::new();
    let mut all_read = false;
    while !(all_read && under_way.is_empty()) {
        tokio::select! {
            torrent = torrents.recv(), if !all_read && under_way.len() < UNDER_WAY_MAX => match torrent {
                Some(torrent) => drop(under_way.spawn(one(state.clone(), torrent, now))),
                None => all_read = true,
            },
            Some(done) = under_way.join_next() => match done {
                Ok(Ok(peers)) => {
                    imported.torrents += 1;
                    imported.peers += peers;
                }
                Ok(Err(AddError::Fault(fault))) => return Err(fault.into()),
                Ok(Err(error)) => imported.skip(&error.to_string()),
                Err(error) => imported.skip(&error.to_string()),
            },
        }
    }
    Ok(imported)
}

impl Imported {
    fn skip(&mut self, why: &str) {
        if self.skipped.len() < SKIPPED_TOLD_MAX {
            self.skipped.push(why.to_owned());
        }
    }
}

/// Takes in one torrent; tells how many of its peers are still of use.
async fn one(state: Arc<ApiState>, old: LegacyTorrent, now: i64) -> Result<u64, AddError> {
    let hash = old.torrent.info_hash;
    let added = state.catalogue.import(old.torrent, old.completed).await?;
    state.pin(&added.torrent);
    let idle =
        |peer: &LegacyPeer| u32::try_from(now.saturating_sub(peer.last_seen).max(0)).unwrap_or(u32::MAX);
    let records: Vec<PeerRecord> = old
        .peers
        .iter()
        .map(|peer| (peer, idle(peer)))
        .filter(|(_, idle_secs)| *idle_secs <= state.peer_ttl_secs)
        .map(|(peer, idle_secs)| PeerRecord {
            endpoint: peer.endpoint,
            role: if peer.left == Some(0) { Role::Seeder } else { Role::Leecher },
            idle_secs,
            counted: peer.left == Some(0),
        })
        .collect();
    let peers = records.len() as u64;
    let completed = u32::try_from(added.torrent.completed).unwrap_or(u32::MAX);
    if state.tracker.import(hash, completed, &records).is_err() {
        tracing::warn!(%hash, "no memory for all peers of an imported torrent; they announce again by themselves");
    }
    Ok(peers)
}
