//! The tracker before the router, for connections that are with hyper: the same calls, answered by the same
//! [`Desk`]; and the scrapes that the listener's threads leave to others, those in JSON and those of everything.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde::{Serialize, Serializer};
use swarm::{Counts, InfoHash};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::{Call, Caller, Desk, Outcome};
use super::handover::{ClientIp, ClientIpError};
use super::head::accepts_json;
use crate::config::TrackerConfig;
use crate::tracker::Tracker;

/// Answers of everything that may be in memory at a time.
const FULL_SCRAPES_MAX: usize = 2;

/// The names of torrents, as far as they have any.
pub type Names = HashMap<InfoHash, String>;

/// Finds the names of torrents.
pub type FindNames = dyn Fn(Vec<InfoHash>) -> Pin<Box<dyn Future<Output = Names> + Send>> + Send + Sync;

/// Answers announces and scrapes on behalf of a router.
pub struct Front {
    desk: Mutex<Desk>,
    names: Box<FindNames>,
    full_scrapes: Arc<Semaphore>,
}

impl Front {
    /// With `names` for scrapes in JSON.
    #[must_use]
    pub fn new(tracker: Arc<Tracker>, config: &TrackerConfig, names: Box<FindNames>) -> Arc<Self> {
        Arc::new(Self {
            desk: Mutex::new(Desk::new(tracker, config)),
            names,
            full_scrapes: Arc::new(Semaphore::new(FULL_SCRAPES_MAX)),
        })
    }

    /// Puts itself before `router`: announces and scrapes, which [`Call::of`] tells from the rest, are answered here;
    /// everything else goes on, such as `/` without an `info_hash`. Called when all routes are there.
    pub fn before<S: Clone + Send + Sync + 'static>(self: Arc<Self>, router: Router<S>) -> Router<S> {
        router.layer(from_fn_with_state(self, answer_or_pass))
    }

    async fn answer(&self, call: &Call<'_>, parts: &Parts) -> Response {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
        }
        let accepts_json =
            parts.headers.get_all(header::ACCEPT).iter().any(|value| accepts_json(value.as_bytes()));
        let json = call.wants_json(accepts_json);
        let mut body = Vec::new();
        let ip = match ClientIp::of(parts) {
            Ok(ClientIp(ip)) => ip,
            Err(ClientIpError::Proxy(fault)) => {
                self.desk.lock().refuse(&fault, &mut body);
                return bencoded(body);
            }
            Err(error @ ClientIpError::NoOrigin) => return error.into_response(),
        };
        let outcome = {
            let user_agent = parts.headers.get(header::USER_AGENT).map(|value| value.as_bytes());
            let mut desk = self.desk.lock();
            desk.tick();
            desk.answer(call, &Caller { ip, user_agent, accepts_json }, &mut body)
        };
        match outcome {
            Outcome::Answered => bencoded(body),
            Outcome::WantsJson | Outcome::WantsAll => self.scrape(call, ip, json).await,
        }
    }

    async fn scrape(&self, call: &Call<'_>, ip: IpAddr, json: bool) -> Response {
        let hashes = match self.desk.lock().hashes(call, ip) {
            Ok(hashes) => hashes,
            Err(reason) => return problem(StatusCode::BAD_REQUEST, &reason),
        };
        let tracker = self.desk.lock().tracker().clone();
        let (swarms, permit) = if hashes.is_empty() {
            let Ok(permit) = self.full_scrapes.clone().try_acquire_owned() else {
                let reason = "scrapes of everything are under way; try again in a minute";
                return ([(header::RETRY_AFTER, "60")], problem(StatusCode::SERVICE_UNAVAILABLE, reason))
                    .into_response();
            };
            let Ok(mut swarms) = tokio::task::spawn_blocking(move || tracker.all_counts()).await else {
                return problem(StatusCode::INTERNAL_SERVER_ERROR, "tracker unavailable");
            };
            swarms.sort_unstable_by_key(|(hash, _)| *hash);
            swarms.dedup_by_key(|(hash, _)| *hash);
            (swarms, Some(permit))
        } else {
            let known = hashes.into_iter().filter_map(|hash| Some((hash, tracker.scrape(&hash)?)));
            (known.collect(), None)
        };
        self.desk.lock().count_scrape();
        if json {
            let names = (self.names)(swarms.iter().map(|(hash, _)| *hash).collect()).await;
            return match serde_json::to_vec(&Scrape { files: Files { swarms: &swarms, names: &names } }) {
                Ok(body) => respond("application/json", Held { body, _permit: permit }),
                Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "tracker unavailable"),
            };
        }
        let mut body = Vec::new();
        wire::http::encode_scrape(swarms.into_iter(), &mut body);
        respond("text/plain", Held { body, _permit: permit })
    }
}

async fn answer_or_pass(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map(|target| target.as_str().to_owned());
    let Some(call) = target.as_ref().and_then(|target| Call::of(target.as_bytes())) else {
        return next.run(request).await;
    };
    let (parts, _) = request.into_parts();
    front.answer(&call, &parts).await
}

/// A body, and the right to have it in memory.
struct Held {
    body: Vec<u8>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn respond(content_type: &'static str, body: Held) -> Response {
    ([(header::CONTENT_TYPE, content_type)], Body::from(Bytes::from_owner(body))).into_response()
}

fn bencoded(body: Vec<u8>) -> Response {
    respond("text/plain", Held { body, _permit: None })
}

/// RFC 9457.
fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = serde_json::json!({ "title": title, "status": status.as_u16(), "detail": detail });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

/// A scrape's answer in JSON, in the order of the hashes.
#[derive(Serialize)]
struct Scrape<'a> {
    files: Files<'a>,
}

struct Files<'a> {
    swarms: &'a [(InfoHash, Counts)],
    names: &'a Names,
}

#[derive(Serialize)]
struct File<'a> {
    complete: u32,
    incomplete: u32,
    downloaded: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl Serialize for Files<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.swarms.iter().map(|(hash, counts)| {
            let file = File {
                complete: counts.complete,
                incomplete: counts.incomplete,
                downloaded: counts.completed,
                name: self.names.get(hash).map(String::as_str),
            };
            (hash.to_string(), file)
        }))
    }
}

#[cfg(test)]
mod tests;
