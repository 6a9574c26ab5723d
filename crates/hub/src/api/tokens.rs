//! `/api/v1/tokens`: secrets for programs, each with a name and a scope.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields;
use super::standing::{Acting, Standing};
use super::{ApiState, Problem};
use crate::store::roll::{Scope, Token};

#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct Shown {
    name: String,
    scope: &'static str,
    /// Unix seconds.
    until: Option<i64>,
    /// Unix seconds.
    created_at: i64,
    /// Told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
struct All {
    tokens: Vec<Shown>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
struct New {
    #[schema(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: String,
    scope: ScopeField,
    #[serde(default)]
    until: Option<i64>,
}

/// A scope as it is written.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Scope)]
enum ScopeField {
    Read,
    Torrents,
    Users,
    Admin,
}

/// Every token, without its secret. Scope `admin`.
#[utoipa::path(
    get, path = "/tokens", tag = "administration",
    responses((status = 200, body = All)),
    security(("bearer" = [])),
)]
pub(super) async fn list(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
) -> Result<Response, Problem> {
    standing.require(Scope::Admin)?;
    let tokens = state.members.tokens().into_iter().map(|token| Shown::of(token, None)).collect();
    state.json(&All { tokens })
}

/// Makes a token. Its secret is told this once. Scope `admin`.
#[utoipa::path(
    post, path = "/tokens", tag = "administration",
    request_body = New,
    responses((status = 201, body = Shown)),
    security(("bearer" = [])),
)]
pub(super) async fn add(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    request: Request,
) -> Result<Response, Problem> {
    let actor = acting.require(Scope::Admin)?;
    let New { name, scope, until } = fields::read(request.into_body(), &state).await?;
    let (token, secret) = state.members.add_token(&name, scope.into(), until, &actor).await?;
    let shown = Shown::of(token, Some(secret.tell().to_owned()));
    Ok((StatusCode::CREATED, state.json(&shown)?).into_response())
}

/// Takes a token back. Scope `admin`.
#[utoipa::path(
    delete, path = "/tokens/{name}", tag = "administration",
    params(("name" = String, Path, description = "What it is called", max_length = 32)),
    responses((status = 204)),
    security(("bearer" = [])),
)]
pub(super) async fn remove(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let actor = acting.require(Scope::Admin)?;
    state.members.remove_token(&name, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Shown {
    fn of(token: Token, secret: Option<String>) -> Self {
        let Token { name, scope, until, created_at, .. } = token;
        Self { name, scope: scope.name(), until, created_at, token: secret }
    }
}

impl From<ScopeField> for Scope {
    fn from(scope: ScopeField) -> Self {
        match scope {
            ScopeField::Read => Self::Read,
            ScopeField::Torrents => Self::Torrents,
            ScopeField::Users => Self::Users,
            ScopeField::Admin => Self::Admin,
        }
    }
}
