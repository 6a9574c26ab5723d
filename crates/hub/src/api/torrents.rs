//! `/api/v1/torrents` and the .torrent files: the catalogue as a list, one by one, and what changes it.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use swarm::InfoHash;

use super::addition::{self, Adder};
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

#[derive(Serialize)]
struct Page {
    torrents: Vec<Summary>,
    next: Option<String>,
}

/// `GET /api/v1/torrents?query=&limit=&cursor=`
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

/// `POST /api/v1/torrents`
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

/// `GET /api/v1/torrents/<hash>`
pub(super) async fn get(
    State(state): State<Arc<ApiState>>,
    site: Site,
    standing: Standing,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let torrent = find(&hash, &state).await?;
    state.json(&Whole::of(torrent, &site, &state, standing.may(Scope::Read)))
}

/// `DELETE /api/v1/torrents/<hash>`
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

/// `GET /t/<hash>.torrent`
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
