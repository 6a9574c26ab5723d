//! `/api/v1/torrents` and the .torrent files: the catalogue as a list, one by one, and what changes it.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use swarm::InfoHash;
use utoipa::ToSchema;

use super::addition::{self, Adder};
use super::describe::Upload;
use super::facts::Facts;
use super::links::Site;
use super::query::Parameters;
use super::standing::{Acting, Standing};
use super::text::{cut, percent_encoded, quoted};
use super::view::{Summary, Whole};
use super::{ApiState, Problem, audit, to_its_end};
use crate::catalogue::{Outcome, PAGE_TORRENTS_MAX, Query, Torrent};
use crate::store::roll::Scope;

/// Torrents of a page, unless the request says otherwise.
const PAGE_TORRENTS_DEFAULT: usize = 50;

/// Bytes of a file name that a browser is told.
const FILE_NAME_BYTES_MAX: usize = 200;

#[derive(Serialize, ToSchema)]
#[schema(as = TorrentPage)]
struct Page {
    torrents: Vec<Summary>,
    next: Option<String>,
}

/// Torrents of the catalogue, the newest first, or those that have the words, the best match first.
#[utoipa::path(
    get, path = "/torrents", tag = "torrents",
    params(
        ("query" = Option<String>, Query,
         description = "Words that name or file names have; the last may be unfinished"),
        ("limit" = Option<usize>, Query, description = "Entries of a page", minimum = 1),
        ("cursor" = Option<String>, Query,
         description = "What `next` of the page before said", pattern = "^([0-9]-[0-9a-f]{1,15})?$"),
    ),
    responses((status = 200, body = Page)),
    security((), ("bearer" = [])),
)]
pub(super) async fn list(
    State(state): State<Arc<ApiState>>,
    site: Site,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let page = state.catalogue.list(Query {
        words: parameters.get("query").map(str::to_owned),
        limit: parameters.limit("limit", PAGE_TORRENTS_DEFAULT, PAGE_TORRENTS_MAX)?,
        cursor: parameters.get("cursor").map(str::to_owned),
    });
    let page = page.await?;
    let torrents = page.torrents.iter().map(|torrent| Summary::of(torrent, &site, &state)).collect();
    state.json(&Page { torrents, next: page.next })
}

/// Adds a torrent: a .torrent file, in a form or alone, or bare facts. When it is answered, it is on disk.
#[utoipa::path(
    post, path = "/torrents", tag = "torrents",
    request_body(content((Facts = "application/json"), (Vec<u8> = "application/x-bittorrent"), (Upload = "multipart/form-data"))),
    responses(
        (status = 200, description = "It was there", body = Whole),
        (status = 201, description = "It is new", body = Whole),
    ),
    security((), ("bearer" = [])),
)]
pub(super) async fn add(
    State(state): State<Arc<ApiState>>,
    site: Site,
    adder: Adder,
    request: Request,
) -> Result<Response, Problem> {
    adder.admit(&state)?;
    let (parts, body) = request.into_parts();
    let torrent = addition::torrent(&parts, body, &state).await?;
    let added = adder.add(&state, torrent).await?;
    let status = if added.outcome == Outcome::Created { StatusCode::CREATED } else { StatusCode::OK };
    let location = format!("/api/v1/torrents/{}", added.torrent.info_hash);
    let whole = Whole::of(added.torrent, &site, &state, false);
    Ok((status, [(header::LOCATION, location)], state.json(&whole)?).into_response())
}

/// One torrent with its files; with its peers, for a token of scope `read`.
#[utoipa::path(
    get, path = "/torrents/{hash}", tag = "torrents",
    params(("hash" = String, Path, description = "Info hash", pattern = "^[0-9a-fA-F]{40}$")),
    responses((status = 200, body = Whole)),
    security((), ("bearer" = [])),
)]
pub(super) async fn get(
    State(state): State<Arc<ApiState>>,
    site: Site,
    standing: Standing,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let torrent = find(&hash, &state).await?;
    state.json(&Whole::of(torrent, &site, &state, standing.may(Scope::Read)))
}

/// Takes a torrent out of the catalogue. Scope `torrents`.
#[utoipa::path(
    delete, path = "/torrents/{hash}", tag = "torrents",
    params(("hash" = String, Path, description = "Info hash", pattern = "^[0-9a-fA-F]{40}$")),
    responses((status = 204)),
    security(("bearer" = [])),
)]
pub(super) async fn remove(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    Path(hash): Path<String>,
) -> Result<StatusCode, Problem> {
    let actor = acting.require(Scope::Torrents)?;
    let hash = read_hash(&hash)?;
    to_its_end(async move {
        if !state.catalogue.remove(hash).await? {
            return Err(unknown(&hash));
        }
        state.tracker.unpin(&hash);
        audit::record(&state, "torrent.remove", &hash.to_string(), &actor).await;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// The .torrent file, with the hub's own announce addresses; 404 where only facts are known.
#[utoipa::path(
    get, path = "/t/{file}", tag = "torrents",
    params(
        ("file" = String, Path, description = "The info hash and `.torrent`", pattern = "^[0-9a-fA-F]{40}\\.torrent$"),
    ),
    responses((status = 200, content_type = "application/x-bittorrent", body = Vec<u8>)),
    security((), ("bearer" = [])),
)]
pub(super) async fn download(
    State(state): State<Arc<ApiState>>,
    site: Site,
    Path(file): Path<String>,
) -> Result<Response, Problem> {
    let hash = file.strip_suffix(".torrent").ok_or_else(|| {
        Problem::not_found(format!(
            "there is nothing at {}: /t/<info hash>.torrent is expected",
            quoted(&file)
        ))
    })?;
    let torrent = find(hash, &state).await?;
    let hash = torrent.info_hash;
    let Some(bytes) = state.catalogue.metainfo(hash).await? else {
        return Err(Problem::not_found(format!(
            "of `{hash}` the hub has only what was said of it, and no .torrent file; a magnet link will do"
        )));
    };
    // A tier each: a client tries them in this order.
    let tiers: Vec<Vec<String>> = site.announce_urls().into_iter().map(|url| vec![url]).collect();
    let bytes = wire::metainfo::with_trackers(&bytes, &tiers).map_err(|fault| {
        tracing::error!(%hash, %fault, "a stored .torrent cannot be read");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the stored .torrent cannot be read")
    })?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-bittorrent")),
        (header::CONTENT_DISPOSITION, disposition(&torrent.name)),
    ];
    Ok((headers, state.answers.lend(bytes)?).into_response())
}

/// The torrent that a path names.
pub(crate) async fn find(hash: &str, state: &ApiState) -> Result<Torrent, Problem> {
    let hash = read_hash(hash)?;
    state.catalogue.get(hash).await?.ok_or_else(|| unknown(&hash))
}

fn read_hash(text: &str) -> Result<InfoHash, Problem> {
    text.parse().map_err(|error: swarm::InfoHashError| Problem::bad_request(error.to_string()))
}

fn unknown(hash: &InfoHash) -> Problem {
    Problem::not_found(format!("no torrent `{hash}` is in the catalogue"))
}

/// A name under which a .torrent is saved (RFC 6266): plain for old programs, and in full for others.
fn disposition(name: &str) -> HeaderValue {
    let name: String = name.chars().filter(|c| !c.is_control() && !matches!(c, '/' | '\\')).collect();
    let name = cut(&name, FILE_NAME_BYTES_MAX);
    let name = if name.is_empty() { "torrent" } else { name };
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || " .-_()[]+".contains(c) { c } else { '_' })
        .collect();
    let full = percent_encoded(name);
    let value = format!("attachment; filename=\"{plain}.torrent\"; filename*=UTF-8''{full}.torrent");
    // All of it is printable ASCII.
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_safe_in_a_header_and_on_a_disk() {
        for (name, expected) in [
            ("plain-1.0", "attachment; filename=\"plain-1.0.torrent\"; filename*=UTF-8''plain-1.0.torrent"),
            (
                "../é\"\r\nX: y;",
                "attachment; filename=\"..__X_ y_.torrent\"; filename*=UTF-8''..%C3%A9%22X%3A%20y%3B.torrent",
            ),
            ("", "attachment; filename=\"torrent.torrent\"; filename*=UTF-8''torrent.torrent"),
        ] {
            assert_eq!(disposition(name), expected);
        }
        assert!(disposition(&"é".repeat(1000)).len() < 2000);
    }
}
