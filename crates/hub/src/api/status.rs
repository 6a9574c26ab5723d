//! How the hub is: for people, for supervisors, for load balancers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use swarm::InfoHash;

use super::directory::Served;
use super::{ApiState, Problem};
use crate::accounting::Accounting;
use crate::tracker::Metric;

/// How long the store has to give a sign of life.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// Seconds after which a hub that is not ready may be.
const READY_RETRY_SECS: u32 = 1;

#[derive(Serialize)]
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

/// `GET /api/v1/stats`
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

/// `GET /health`: 200 whenever there is anybody to answer; the body says how the parts are.
pub(super) async fn health(State(state): State<Arc<ApiState>>) -> Response {
    let store = store(&state).await;
    let status = if store.is_ok() { "ok" } else { "degraded" };
    let mut detail = json!({ "ok": store.is_ok() });
    if let Err(wrong) = store {
        detail["detail"] = wrong.into();
    }
    let mut health = json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_secs": state.tracker.now(),
        "store": detail,
    });
    if let Some(accounting) = state.accounting.as_ref().map(Accounting::status) {
        let is_ok = accounting.failing.is_none();
        health["accounting"] = json!({ "ok": is_ok, "queued": accounting.queued });
        if let Some(why) = accounting.failing {
            health["accounting"]["detail"] = why.into();
            health["status"] = "degraded".into();
        }
    }
    Json(health).into_response()
}

/// `GET /ready`: 200 if requests should be sent here.
pub(super) async fn ready(State(state): State<Arc<ApiState>>) -> Result<Response, Problem> {
    if !*state.hooks.ready.borrow() {
        return Err(Problem::unavailable("the hub is starting or stopping", READY_RETRY_SECS));
    }
    store(&state).await.map_err(|wrong| Problem::unavailable(wrong, READY_RETRY_SECS))?;
    Ok(Json(json!({ "ready": true })).into_response())
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
