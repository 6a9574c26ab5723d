//! `/api/v1/audit`: who did what, when and from where.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::describe::Paging;
use super::query::Parameters;
use super::standing::Standing;
use super::users::span;
use super::{ApiState, Problem};
use crate::acts::Actor;
use crate::store::roll::{AuditEntry, Scope};

#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct Shown {
    id: i64,
    /// Unix seconds.
    at: i64,
    who: String,
    address: String,
    act: String,
    object: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
struct Page {
    acts: Vec<Shown>,
    next: Option<String>,
}

/// Every administrative act, the newest first. Scope `admin`.
#[utoipa::path(
    get, path = "/audit", tag = "administration",
    params(Paging),
    responses((status = 200, body = Page)),
    security(("bearer" = [])),
)]
pub(super) async fn list(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    parameters: Parameters,
) -> Result<Response, Problem> {
    standing.require(Scope::Admin)?;
    let span = span(&parameters)?;
    let acts = state.members.audit(span).await?;
    let next =
        acts.last().filter(|(id, _)| acts.len() == span.limit && *id > 1).map(|(id, _)| id.to_string());
    let shown = |(id, entry): (i64, AuditEntry)| {
        let AuditEntry { at, who, address, act, object } = entry;
        Shown { id, at, who, address, act, object }
    };
    state.json(&Page { acts: acts.into_iter().map(shown).collect(), next })
}

/// Records an act of another room. It was done already: that it cannot be recorded is logged.
pub(super) async fn record(state: &ApiState, act: &'static str, object: &str, actor: &Actor) {
    if let Err(fault) = state.members.record(act, object, actor).await {
        tracing::error!(%fault, who = actor.who, address = %actor.address, object, "{act} is not in the audit log");
    }
}
