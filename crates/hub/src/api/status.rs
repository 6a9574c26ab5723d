//! How the hub is: for people, for supervisors, for load balancers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use swarm::InfoHash;
use utoipa::ToSchema;

use super::directory::Served;
use super::{ApiState, Problem};
use crate::accounting::Accounting;
use crate::tracker::Metric;

/// How long the store has to give a sign of life.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// Seconds after which a hub that is not ready may be.
const READY_RETRY_SECS: u32 = 1;

#[derive(Serialize, ToSchema)]
struct Stats {
    version: &'static str,
    uptime_secs: u32,
    swarms: usize,
    peers: usize,
    peers_ipv4: usize,
    peers_ipv6: usize,
    seeders: usize,
    leechers: usize,
    /// Since the start.
    announces: u64,
    scrapes: u64,
    completed: u64,
    /// Of the dialects that are served.
    classic: BTreeMap<&'static str, Served>,
}

#[derive(Serialize, ToSchema)]
struct Health {
    /// "ok" or "degraded".
    status: &'static str,
    store: Part,
    /// Where the hub is for members.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounting: Option<Queue>,
    uptime_secs: u32,
    version: &'static str,
}

#[derive(Serialize, ToSchema)]
struct Part {
    ok: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct Queue {
    ok: bool,
    /// Reports that wait to be written.
    queued: usize,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Ready {
    ready: bool,
}

/// How much there is, and was done since the start.
#[utoipa::path(
    get, path = "/stats", tag = "hub",
    responses((status = 200, body = Stats)),
    security((), ("bearer" = [])),
)]
pub(super) async fn stats(State(state): State<Arc<ApiState>>) -> Response {
    let stats = state.tracker.stats();
    let sum = |metrics: &[Metric]| metrics.iter().map(|metric| state.tracker.count(*metric)).sum();
    let population = stats.population;
    Json(Stats {
        version: env!("CARGO_PKG_VERSION"),
        uptime_secs: stats.uptime_secs,
        swarms: stats.swarms,
        peers: population.peers(),
        peers_ipv4: population.v4,
        peers_ipv6: population.v6,
        seeders: population.seeders,
        leechers: population.peers().saturating_sub(population.seeders),
        announces: sum(&[Metric::AnnouncesUdp4, Metric::AnnouncesUdp6, Metric::AnnouncesHttp]),
        scrapes: sum(&[Metric::ScrapesUdp, Metric::ScrapesHttp]),
        completed: state.tracker.count(Metric::Completed),
        classic: state.directory.served(),
    })
    .into_response()
}

/// Whether the hub is well: 200 whenever there is anybody to answer; the body says how the parts are.
#[utoipa::path(get, path = "/health", tag = "hub", responses((status = 200, body = Health)), security(()))]
pub(super) async fn health(State(state): State<Arc<ApiState>>) -> Response {
    let detail = store(&state).await.err();
    let accounting = state.accounting.as_ref().map(Accounting::status).map(|status| Queue {
        ok: status.failing.is_none(),
        queued: status.queued,
        detail: status.failing,
    });
    let is_well = detail.is_none() && accounting.as_ref().is_none_or(|accounting| accounting.ok);
    Json(Health {
        status: if is_well { "ok" } else { "degraded" },
        store: Part { ok: detail.is_none(), detail },
        accounting,
        uptime_secs: state.tracker.now(),
        version: env!("CARGO_PKG_VERSION"),
    })
    .into_response()
}

/// Whether requests should be sent here; 503 if not.
#[utoipa::path(get, path = "/ready", tag = "hub", responses((status = 200, body = Ready)), security(()))]
pub(super) async fn ready(State(state): State<Arc<ApiState>>) -> Result<Response, Problem> {
    if !*state.hooks.ready.borrow() {
        return Err(Problem::unavailable("the hub is starting or stopping", READY_RETRY_SECS));
    }
    store(&state).await.map_err(|wrong| Problem::unavailable(wrong, READY_RETRY_SECS))?;
    Ok(Json(Ready { ready: true }).into_response())
}

/// Reads from the store.
async fn store(state: &ApiState) -> Result<(), &'static str> {
    let nobody = InfoHash([0; InfoHash::LEN]);
    match tokio::time::timeout(STORE_PATIENCE, state.catalogue.get(nobody)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(fault)) => {
            tracing::error!(%fault, "the catalogue failed");
            Err("the catalogue cannot be read")
        }
        Err(_) => Err("the catalogue does not answer in time"),
    }
}
