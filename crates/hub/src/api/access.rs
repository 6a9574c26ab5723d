//! `/api/v1/access`: access rules, bans among them.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};

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

#[derive(Serialize)]
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

#[derive(Serialize)]
struct Page {
    rules: Vec<Shown>,
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    #[serde(deserialize_with = "list_named")]
    list: List,
    entry: String,
    #[serde(default)]
    until: Option<i64>,
    #[serde(default)]
    note: String,
}

/// `GET /api/v1/access?list=&entry=&limit=&cursor=`
pub(super) async fn list(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    parameters: Parameters,
) -> Result<Response, Problem> {
    standing.require(Scope::Read)?;
    let span = span(&parameters)?;
    let list = parameters.get("list").map(named).transpose()?;
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

/// `POST /api/v1/access`
pub(super) async fn add(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    request: Request,
) -> Result<Response, Problem> {
    let actor = acting.require(Scope::Admin)?;
    let New { list, entry, until, note } = fields::read(request.into_body(), &state).await?;
    let (rule, is_new) = state.rules.add(list, &entry, until, &note, &actor).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let place = [(header::LOCATION, format!("/api/v1/access/{}", rule.id))];
    Ok((status, place, state.json(&Shown::of(rule))?).into_response())
}

/// `GET /api/v1/access/<id>`
pub(super) async fn get(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    standing.require(Scope::Read)?;
    let rule = state.rules.list().into_iter().find(|rule| rule.id == id).ok_or(RuleError::Unknown(id))?;
    state.json(&Shown::of(rule))
}

/// `DELETE /api/v1/access/<id>`
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

fn list_named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<List, D::Error> {
    let name = String::deserialize(deserializer)?;
    let expected = format!("one of {}", names());
    List::named(&name).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&name), &&*expected))
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
