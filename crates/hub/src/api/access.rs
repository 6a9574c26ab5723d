//! `/api/v1/access`: access rules, bans among them.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::describe::Paging;
use super::fields::{self, invalid};
use super::query::Parameters;
use super::standing::{Acting, Standing};
use super::users::span;
use super::{ApiState, Problem};
use crate::policy::lists::List;
use crate::rules::RuleError;
use crate::store::roll::{Rule, Scope};

/// Seconds after which there may be room for another rule.
const FULL_RETRY_SECS: u32 = 3_600;

#[derive(Serialize, ToSchema)]
#[schema(as = AccessRule)]
struct Shown {
    id: i64,
    list: &'static str,
    entry: String,
    /// Unix seconds.
    until: Option<i64>,
    note: String,
    created_by: String,
    /// Unix seconds.
    created_at: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AccessRulePage)]
struct Page {
    rules: Vec<Shown>,
    next: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccessRule)]
struct New {
    list: ListField,
    /// An info hash; what a client's peer id begins with, or `agent:` and what its user agent does; an address or a network.
    entry: String,
    #[serde(default)]
    until: Option<i64>,
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
}

/// A list as it is written.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AccessList)]
enum ListField {
    TorrentsAllowed,
    TorrentsDenied,
    ClientsAllowed,
    ClientsDenied,
    PeersAllowed,
    PeersDenied,
    ApiAllowed,
    ApiDenied,
    Banned,
    Proxies,
}

/// Access rules in the order in which they were made. Scope `read`.
#[utoipa::path(
    get, path = "/access", tag = "administration",
    params(
        ("list" = Option<ListField>, Query, description = "Of this list only"),
        ("entry" = Option<String>, Query, description = "With this entry only; needs `list`"),
        Paging,
    ),
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
    let list = parameters.stated("list").map(named).transpose()?;
    let entry = match (list, parameters.get("entry")) {
        (_, None) => None,
        (None, Some(_)) => return Err(Problem::bad_request("`entry` is of a list: name it as `list`")),
        (Some(list), Some(text)) => {
            Some(list.read(text).map_err(|error| Problem::bad_request(error.to_string()))?.to_string())
        }
    };
    let mut rules = state.rules.list();
    rules.retain(|rule| {
        rule.id > span.after
            && list.is_none_or(|list| list == rule.list)
            && entry.as_ref().is_none_or(|entry| *entry == rule.entry)
    });
    let more = rules.len() > span.limit;
    rules.truncate(span.limit);
    let next = rules.last().filter(|_| more).map(|last| last.id.to_string());
    state.json(&Page { rules: rules.into_iter().map(Shown::of).collect(), next })
}

/// Makes an access rule, or gives one that is there another end and note. Scope `admin`.
#[utoipa::path(
    post, path = "/access", tag = "administration",
    request_body = New,
    responses(
        (status = 200, description = "It was there", body = Shown),
        (status = 201, description = "It is new", body = Shown),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn add(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    request: Request,
) -> Result<Response, Problem> {
    let actor = acting.require(Scope::Admin)?;
    let New { list, entry, until, note } = fields::read(request.into_body(), &state).await?;
    let (rule, is_new) = state.rules.add(list.into(), &entry, until, &note, &actor).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let place = [(header::LOCATION, format!("/api/v1/access/{}", rule.id))];
    Ok((status, place, state.json(&Shown::of(rule))?).into_response())
}

/// One access rule. Scope `read`.
#[utoipa::path(
    get, path = "/access/{id}", tag = "administration",
    params(("id" = i64, Path, description = "Its number", minimum = 1)),
    responses((status = 200, body = Shown)),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    standing.require(Scope::Read)?;
    let rule = state.rules.list().into_iter().find(|rule| rule.id == id).ok_or(RuleError::Unknown(id))?;
    state.json(&Shown::of(rule))
}

/// Takes an access rule back. Scope `admin`.
#[utoipa::path(
    delete, path = "/access/{id}", tag = "administration",
    params(("id" = i64, Path, description = "Its number", minimum = 1)),
    responses((status = 204)),
    security(("bearer" = [])),
)]
pub(super) async fn remove(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    let actor = acting.require(Scope::Admin)?;
    state.rules.remove(id, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn named(name: &str) -> Result<List, Problem> {
    List::named(name).ok_or_else(|| {
        Problem::bad_request(format!("there is no list {}: {} are there", super::text::quoted(name), names()))
    })
}

/// The names of all lists.
fn names() -> String {
    List::ALL.map(|list| format!("`{}`", list.name())).join(", ")
}

impl From<ListField> for List {
    fn from(list: ListField) -> Self {
        match list {
            ListField::TorrentsAllowed => Self::TorrentsAllowed,
            ListField::TorrentsDenied => Self::TorrentsDenied,
            ListField::ClientsAllowed => Self::ClientsAllowed,
            ListField::ClientsDenied => Self::ClientsDenied,
            ListField::PeersAllowed => Self::PeersAllowed,
            ListField::PeersDenied => Self::PeersDenied,
            ListField::ApiAllowed => Self::ApiAllowed,
            ListField::ApiDenied => Self::ApiDenied,
            ListField::Banned => Self::Banned,
            ListField::Proxies => Self::Proxies,
        }
    }
}

impl Shown {
    fn of(rule: Rule) -> Self {
        let Rule { id, list, entry, until, note, created_by, created_at } = rule;
        Self { id, list: list.name(), entry, until, note, created_by, created_at }
    }
}

impl From<RuleError> for Problem {
    fn from(error: RuleError) -> Self {
        let detail = error.to_string();
        match error {
            RuleError::Entry(_) => invalid(detail).member("field", "entry"),
            RuleError::Note => invalid(detail).member("field", "note"),
            RuleError::Over => invalid(detail).member("field", "until"),
            RuleError::ShutsOut(_) => Self::new(StatusCode::CONFLICT, detail),
            RuleError::TooMany => Self::unavailable(detail, FULL_RETRY_SECS),
            RuleError::Unknown(_) => Self::not_found(detail),
            RuleError::Fault(fault) => fault.into(),
        }
    }
}
