//! `/api/v1/tokens`: secrets for programs, each with a name and a scope.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::fields;
use super::standing::{Acting, Standing};
use super::{ApiState, Problem};
use crate::store::roll::{Scope, Token};

#[derive(Serialize)]
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

#[derive(Serialize)]
struct All {
    tokens: Vec<Shown>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    scope: ScopeField,
    #[serde(default)]
    until: Option<i64>,
}

/// A scope as it is written.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ScopeField {
    Read,
    Torrents,
    Users,
    Admin,
}

/// `GET /api/v1/tokens`
pub(super) async fn list(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
) -> Result<Response, Problem> {
    standing.require(Scope::Admin)?;
    let tokens = state.members.tokens().into_iter().map(|token| Shown::of(token, None)).collect();
    state.json(&All { tokens })
}

/// `POST /api/v1/tokens`
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

/// `DELETE /api/v1/tokens/<name>`
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
