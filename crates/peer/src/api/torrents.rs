//! Torrents: what is here, and what shall be.

use std::sync::Arc;

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use swarm::InfoHash;
use tokio::sync::oneshot;
use wire::metainfo::METAINFO_BYTES_MAX;

use super::view::Torrent;
use super::{BODY_BYTES_MAX, Problem, Shared, Wish};
use crate::node::Listed;

/// The media type of .torrent files.
const TORRENT: &str = "application/x-bittorrent";

/// `GET /api/v1/torrents`
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let torrents: Vec<Torrent> = shared.node.torrents().into_iter().map(Torrent::from).collect();
    Json(json!({ "torrents": torrents })).into_response()
}

/// `GET /api/v1/torrents/{hash}`
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    Ok(Json(view(&shared, known(&shared, &hash)?)?).into_response())
}

/// What is to be fetched, as a person would type it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct What {
    what: String,
}

/// `POST /api/v1/torrents`: a .torrent file, or in JSON `what` to fetch.
pub(super) async fn add(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    let (answer, answered) = oneshot::channel();
    {
        // Held until somebody else has taken what was sent.
        let _turn = shared.uploads.acquire().await;
        let wish = wish(request).await?;
        shared.hooks.fetch.send((wish, answer)).await.map_err(|_| stopping())?;
    }
    let (hash, new) = answered.await.map_err(|_| stopping())??;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let location = [(header::LOCATION, format!("/api/v1/torrents/{hash}"))];
    Ok((status, location, Json(view(&shared, hash)?)).into_response())
}

async fn wish(request: Request) -> Result<Wish, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    let bytes_max = match kind.as_str() {
        TORRENT => METAINFO_BYTES_MAX,
        "application/json" => BODY_BYTES_MAX,
        other => {
            let detail = format!("the Content-Type is `{other}`: application/json or {TORRENT} is expected");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
    };
    let bytes = to_bytes(request.into_body(), bytes_max).await.map_err(|_| {
        let detail = format!("the body is broken off, or has more than {bytes_max} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    })?;
    if kind == TORRENT {
        return Ok(Wish::Torrent(bytes.into()));
    }
    let what: What = serde_json::from_slice(&bytes).map_err(|error| {
        Problem::bad_request(format!(
            "the JSON is not {{\"what\": a name, an info hash, a magnet link or an address}}: {error}"
        ))
    })?;
    Ok(Wish::Named(what.what))
}

/// `DELETE /api/v1/torrents/{hash}`: it is shared and fetched no longer. Its files stay.
pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    Path(hash): Path<String>,
) -> Result<StatusCode, Problem> {
    let hash = known(&shared, &hash)?;
    let (answer, answered) = oneshot::channel();
    shared.hooks.remove.send((hash, answer)).await.map_err(|_| stopping())?;
    answered.await.map_err(|_| stopping())?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/torrents/{hash}/pause`
pub(super) async fn pause(
    State(shared): State<Arc<Shared>>,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let hash = known(&shared, &hash)?;
    shared.node.pause(hash);
    Ok(Json(view(&shared, hash)?).into_response())
}

/// `POST /api/v1/torrents/{hash}/resume`
pub(super) async fn resume(
    State(shared): State<Arc<Shared>>,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let hash = known(&shared, &hash)?;
    shared.node.resume(hash);
    Ok(Json(view(&shared, hash)?).into_response())
}

/// The torrent that is meant, if it is here.
fn known(shared: &Shared, text: &str) -> Result<InfoHash, Problem> {
    let hash: InfoHash =
        text.parse().map_err(|error: swarm::InfoHashError| Problem::bad_request(error.to_string()))?;
    match shared.node.status(hash) {
        Some(_) => Ok(hash),
        None => Err(gone(hash)),
    }
}

fn view(shared: &Shared, hash: InfoHash) -> Result<Torrent, Problem> {
    let status = shared.node.status(hash).ok_or_else(|| gone(hash))?;
    Ok(Listed { hash, status, trackers: shared.node.trackers(hash) }.into())
}

fn stopping() -> Problem {
    Problem::unavailable("the peer is stopping")
}

fn gone(hash: InfoHash) -> Problem {
    Problem::not_found(format!("the torrent {hash} is not here"))
}
