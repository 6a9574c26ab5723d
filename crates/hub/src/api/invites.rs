//! `/api/v1/invites`: codes with which people make themselves members.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::describe::Paging;
use super::fields::{self, invalid};
use super::query::Parameters;
use super::standing::{Acting, Standing};
use super::users::span;
use super::{ApiState, Problem};
use crate::store::roll::{Invite, Scope};

/// People who may come by one invitation.
const USES_MAX: u32 = 10_000;

#[derive(Serialize, ToSchema)]
#[schema(as = Invite)]
struct Shown {
    id: i64,
    note: String,
    uses_left: u32,
    /// Unix seconds.
    until: Option<i64>,
    created_by: String,
    /// Unix seconds.
    created_at: i64,
    /// Told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = InvitePage)]
struct Page {
    invites: Vec<Shown>,
    next: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewInvite)]
struct New {
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 10000)]
    uses: u32,
    #[serde(default)]
    until: Option<i64>,
}

const fn one() -> u32 {
    1
}

/// Invitations in the order in which they were made. Scope `read`.
#[utoipa::path(
    get, path = "/invites", tag = "users",
    params(Paging),
    responses((status = 200, body = Page)),
    security(("bearer" = [])),
)]
pub(super) async fn list(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    parameters: Parameters,
) -> Result<Response, Problem> {
    standing.require(Scope::Read)?;
    let span = span(&parameters)?;
    let invites = state.members.invites(span).await?;
    let next = invites.last().filter(|_| invites.len() == span.limit).map(|last| last.id.to_string());
    state.json(&Page { invites: invites.into_iter().map(|invite| Shown::of(invite, None)).collect(), next })
}

/// Makes an invitation. Its code is told this once. Scope `users`.
#[utoipa::path(
    post, path = "/invites", tag = "users",
    request_body = New,
    responses((status = 201, body = Shown)),
    security(("bearer" = [])),
)]
pub(super) async fn add(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    request: Request,
) -> Result<Response, Problem> {
    let actor = acting.require(Scope::Users)?;
    let New { note, uses, until } = fields::read(request.into_body(), &state).await?;
    if !(1..=USES_MAX).contains(&uses) {
        let detail = format!("`uses`: {uses} is not from 1 to {USES_MAX}");
        return Err(invalid(detail).member("field", "uses"));
    }
    let (invite, code) = state.members.invite(&note, uses, until, &actor).await?;
    let shown = Shown::of(invite, Some(code.tell().to_owned()));
    Ok((StatusCode::CREATED, state.json(&shown)?).into_response())
}

/// Takes an invitation back. Scope `users`.
#[utoipa::path(
    delete, path = "/invites/{id}", tag = "users",
    params(("id" = i64, Path, description = "Its number", minimum = 1)),
    responses((status = 204)),
    security(("bearer" = [])),
)]
pub(super) async fn remove(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let actor = acting.require(Scope::Users)?;
    let unknown = || Problem::not_found(format!("there is no invitation {}", super::text::quoted(&id)));
    state.members.uninvite(id.parse().map_err(|_| unknown())?, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Shown {
    fn of(invite: Invite, code: Option<String>) -> Self {
        let Invite { id, note, uses_left, until, created_by, created_at } = invite;
        Self { id, note, uses_left, until, created_by, created_at, code }
    }
}
