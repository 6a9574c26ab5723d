//! The calls of the tracker that was on this port before, as its users know them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use swarm::{Counts, InfoHash};
use wire::hash_text;

use super::addition::Adder;
use super::links::Site;
use super::query::Parameters;
use super::standing::Acting;
use super::text::{cut, quoted};
use super::view::Swarm;
use super::{ApiState, Problem, control, facts};
use crate::catalogue::{NewTorrent, PAGE_TORRENTS_MAX, Query, Torrent};
use crate::similar::Match;
use crate::store::roll::Scope;

/// Torrents that `/stats` tells of in one answer; `Link: …; rel="next"` leads to the others.
const STATS_TORRENTS_MAX: usize = 10_000;

/// Peers whose uploads one answer of `/stats` sums up. Torrents beyond have none that is known.
const STATS_PEERS_MAX: usize = 100_000;

/// Bytes of a name or comment that the old call may state; what is longer is cut.
const TEXT_BYTES_MAX: usize = 1024;

/// `POST /add_torrent_info`
pub(super) async fn add_torrent_info(
    State(state): State<Arc<ApiState>>,
    adder: Adder,
    request: Request,
) -> Result<Response, Problem> {
    add(&state, adder, request).await.map_err(|problem| {
        // Its clients look for this member.
        let detail = problem.detail().to_owned();
        problem.member("error", detail)
    })
}

async fn add(state: &Arc<ApiState>, adder: Adder, request: Request) -> Result<Response, Problem> {
    adder.admit(state)?;
    let body = state.bodies.read(request.into_body(), state.body_bytes_max).await?;
    let facts: Map<String, Value> = facts::json(&body.bytes)?;
    let spelled = match facts.get("info_hash") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.as_str()).filter(|text| !text.is_empty()),
        Some(other) => {
            return Err(Problem::bad_request(format!("info_hash {} is no text", quoted(&other.to_string()))));
        }
    };
    let Some(spelled) = spelled else {
        return Ok((StatusCode::BAD_REQUEST, Json(json!({ "error": "Missing info_hash" }))).into_response());
    };
    let hash = meant(state, spelled).await?;
    adder.add(state, torrent(hash, &facts)?).await?;
    let place = HeaderValue::from_str(&format!("/api/v1/torrents/{hash}"));
    let mut response = Json(json!({ "message": "Torrent info added successfully" })).into_response();
    response.headers_mut().extend(place.ok().map(|place| (header::CONTENT_LOCATION, place)));
    Ok(response)
}

/// The hash that `text` means: of its readings the one that is known; otherwise the likeliest, or the one known hash
/// that it is a mangled spelling of.
async fn meant(state: &ApiState, text: &str) -> Result<InfoHash, Problem> {
    let readings = hash_text::readings(text.as_bytes());
    let Some(likeliest) = readings.first().copied() else {
        let expected =
            "40 hexadecimal digits, or 20 bytes with those that are not printable as %XX, are expected";
        return Err(Problem::bad_request(format!("info_hash {} is none: {expected}", quoted(text))));
    };
    if let Some(known) = readings.into_iter().find(|hash| state.tracker.scrape(hash).is_some()) {
        return Ok(known);
    }
    if state.catalogue.get(likeliest).await?.is_some() {
        return Ok(likeliest);
    }
    match similar(state, likeliest).await? {
        Match::None => Ok(likeliest),
        Match::One(known) => Ok(known),
        Match::Several { listed, total } => {
            let listed: Vec<String> = listed.iter().map(InfoHash::to_string).collect();
            let list = listed.join(", ");
            let detail =
                format!("info_hash {} is like {total} known ones: {list}; state one of them", quoted(text));
            Err(Problem::bad_request(detail).member("similar", listed))
        }
    }
}

async fn similar(state: &ApiState, asked: InfoHash) -> Result<Match, Problem> {
    let unable = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the known hashes could not be searched");
    let _turn = state.searches.acquire().await.map_err(|_| unable())?;
    let (tracker, similarity) = (state.tracker.clone(), state.similarity);
    let whole = |digits: usize| (digits / 2).min(InfoHash::LEN);
    let (prefix, suffix) = (whole(similarity.prefix_digits), InfoHash::LEN - whole(similarity.suffix_digits));
    let search = move || {
        let mut candidates = Vec::new();
        // Every catalogued torrent has a swarm here, if only an empty one.
        tracker.for_each_swarm(|swarm| {
            let hash = swarm.hash();
            if hash.0[..prefix] == asked.0[..prefix] && hash.0[suffix..] == asked.0[suffix..] {
                candidates.push(hash);
            }
        });
        candidates.sort_unstable();
        candidates.dedup();
        similarity.find(&asked, candidates)
    };
    tokio::task::spawn_blocking(search).await.map_err(|_| unable())
}

/// The facts that an old client states. It may leave out, or send in another type, all but the hash.
fn torrent(hash: InfoHash, facts: &Map<String, Value>) -> Result<NewTorrent, Problem> {
    Ok(NewTorrent {
        size: bytes(facts, "size")?,
        piece_length: bytes(facts, "piece_length")?,
        comment: text(facts, "comment"),
        created_by: text(facts, "created_by"),
        created_at: facts.get("creation_date").and_then(unix_secs),
        ..NewTorrent::named(hash, text(facts, "name").unwrap_or_default())
    })
}

fn text(facts: &Map<String, Value>, name: &str) -> Option<String> {
    let text: String = facts.get(name)?.as_str()?.chars().filter(|c| !c.is_control()).collect();
    let text = cut(&text, TEXT_BYTES_MAX).trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn bytes(facts: &Map<String, Value>, name: &str) -> Result<Option<u64>, Problem> {
    let number = match facts.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(digits)) => digits.parse().ok(),
        Some(other) => other.as_u64(),
    };
    let found = facts.get(name).map(Value::to_string).unwrap_or_default();
    number
        .map(Some)
        .ok_or_else(|| Problem::bad_request(format!("{name} {} is not a number of bytes", quoted(&found))))
}

/// Whole seconds; what is no number is left out.
fn unix_secs(value: &Value) -> Option<i64> {
    let whole = |secs: f64| format!("{:.0}", secs.trunc()).parse().ok();
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

/// `GET /stats`: catalogued torrents, newest first. Where a full scrape is allowed, the other swarms come after them.
pub(super) async fn stats(
    State(state): State<Arc<ApiState>>,
    site: Site,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let limit = parameters.limit("limit", STATS_TORRENTS_MAX, STATS_TORRENTS_MAX)?;
    let mut cursor = parameters.get("cursor").map(str::to_owned);
    let mut told = Told { torrents: Map::new(), peers_left: STATS_PEERS_MAX };
    loop {
        let rest = (limit - told.torrents.len()).min(PAGE_TORRENTS_MAX);
        let page = state.catalogue.list(Query { words: None, limit: rest, cursor }).await?;
        for torrent in page.torrents {
            told.add(&state, torrent.info_hash, Swarm::of(&torrent, &state), Some(&torrent));
        }
        cursor = page.next;
        if cursor.is_none() || told.torrents.len() >= limit {
            break;
        }
    }
    if state.full_scrape && cursor.is_none() {
        for (hash, counts) in uncatalogued(&state, &told, limit).await? {
            told.add(&state, hash, Swarm::from(counts), None);
        }
    }
    let mut response = state.json(&told.torrents)?;
    if let Some(next) = cursor {
        let link = format!("<{}/stats?limit={limit}&cursor={next}>; rel=\"next\"", site.base());
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}

/// An answer of `/stats` as it grows.
struct Told {
    torrents: Map<String, Value>,
    peers_left: usize,
}

impl Told {
    fn add(&mut self, state: &ApiState, hash: InfoHash, swarm: Swarm, torrent: Option<&Torrent>) {
        let peers = swarm.seeders as usize + swarm.leechers as usize;
        let uploaded = self.peers_left.checked_sub(peers).map(|left| {
            self.peers_left = left;
            let peers = if peers > 0 { state.tracker.peers(&hash, peers) } else { Vec::new() };
            peers.iter().filter_map(|peer| peer.uploaded).fold(0, u64::saturating_add)
        });
        let entry = json!({
            "name": torrent.map(|torrent| &torrent.name),
            "size": torrent.and_then(|torrent| torrent.size),
            "creation_date": torrent.and_then(|torrent| torrent.created_at),
            "stats": {
                "complete": swarm.seeders,
                "incomplete": swarm.leechers,
                "downloaded": swarm.completed,
                "uploaded": uploaded,
                "peers": peers,
            },
        });
        self.torrents.insert(hash.to_string(), entry);
    }
}

/// Swarms that `told` does not have yet, as many as fit an answer of `limit` torrents.
async fn uncatalogued(
    state: &Arc<ApiState>,
    told: &Told,
    limit: usize,
) -> Result<Vec<(InfoHash, Counts)>, Problem> {
    let room = limit.saturating_sub(told.torrents.len());
    let tracker = state.tracker.clone();
    let search = move || {
        let mut others = Vec::new();
        tracker.for_each_swarm(|swarm| {
            if !swarm.pinned() && others.len() < room {
                others.push((swarm.hash(), swarm.counts()));
            }
        });
        others
    };
    let unable = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the swarms could not be read");
    tokio::task::spawn_blocking(search).await.map_err(unable)
}

/// `GET /save_state`
pub(super) async fn save_state(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
) -> Result<Response, Problem> {
    control::save_all(&state, &acting.require(Scope::Admin)?).await?;
    Ok(Json(json!({ "message": "Tracker state saved" })).into_response())
}

/// `POST /shutdown`
pub(super) async fn shutdown(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
) -> Result<Response, Problem> {
    control::begin_shutdown(&state, &acting.require(Scope::Admin)?).await;
    Ok(Json(json!({ "message": "Server shutting down..." })).into_response())
}
