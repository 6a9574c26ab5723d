//! `/api/v1/users`, `/api/v1/join`: members and their passkeys.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::describe::{IfMatch, Paging};
use super::fields::{self, etag, if_match, invalid};
use super::links::{Site, client_ip};
use super::query::Parameters;
use super::standing::{Acting, Standing};
use super::text::quoted;
use super::{ApiState, Problem, to_its_end};
use crate::acts::Actor;
use crate::config::{Mode, SEATS_MAX};
use crate::members::Secret;
use crate::store::roll::{Member, MemberPatch, Role, Scope, Span};
use crate::webhooks::Event;

/// Members of a page, unless the request says otherwise, and at most.
pub(super) const PAGE_DEFAULT: usize = 50;
pub(super) const PAGE_MAX: usize = 500;

/// Who joins, in the audit log.
const BY_INVITATION: &str = "invitation";

/// A member as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
struct User {
    name: String,
    role: &'static str,
    /// "active", "disabled" or "over".
    state: &'static str,
    disabled: bool,
    /// Unix seconds.
    until: Option<i64>,
    has_passkey: bool,
    /// Torrents at a time; `null` for as many as all may.
    torrents_max: Option<u32>,
    /// Clients in one torrent.
    clients_per_torrent_max: Option<u32>,
    /// Addresses at a time.
    addresses_max: Option<u32>,
    invited_by: Option<String>,
    /// Unix seconds.
    created_at: i64,
    version: u64,
}

/// A member, and its new passkey.
#[derive(Serialize, ToSchema)]
#[schema(as = UserWithPasskey)]
struct WithPasskey {
    #[serde(flatten)]
    user: User,
    passkey: String,
    /// Where its clients announce.
    announce: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UserPage)]
struct Page {
    users: Vec<User>,
    next: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
struct New {
    #[schema(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: String,
    #[serde(default)]
    role: RoleField,
    #[serde(default)]
    until: Option<i64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserPatch)]
struct Patch {
    role: Option<RoleField>,
    disabled: Option<bool>,
    #[serde(default, deserialize_with = "stated")]
    until: Option<Option<i64>>,
    /// `null` for as many as all may.
    #[serde(default, deserialize_with = "stated")]
    #[schema(minimum = 1, maximum = 10000)]
    torrents_max: Option<Option<u32>>,
    /// `null` for as many as all may.
    #[serde(default, deserialize_with = "stated")]
    #[schema(minimum = 1, maximum = 10000)]
    clients_per_torrent_max: Option<Option<u32>>,
    /// `null` for as many as all may.
    #[serde(default, deserialize_with = "stated")]
    #[schema(minimum = 1, maximum = 10000)]
    addresses_max: Option<Option<u32>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Joining {
    code: String,
    #[schema(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: String,
}

/// A role as it is written.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Role)]
enum RoleField {
    #[default]
    Member,
    Uploader,
    Admin,
}

/// Members in the order in which they came. Scope `read`.
#[utoipa::path(
    get, path = "/users", tag = "users",
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
    let members = state.members.list(span).await?;
    let next = members.last().filter(|_| members.len() == span.limit).map(|last| last.id.0.to_string());
    let users = members.into_iter().map(|member| User::of(member, &state)).collect();
    state.json(&Page { users, next })
}

/// Makes a member. Its passkey is told this once. Scope `users`.
#[utoipa::path(
    post, path = "/users", tag = "users",
    request_body = New,
    responses((status = 201, body = WithPasskey)),
    security(("bearer" = [])),
)]
pub(super) async fn add(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    site: Site,
    request: Request,
) -> Result<Response, Problem> {
    let actor = acting.require(Scope::Users)?;
    let new = fields::read(request.into_body(), &state).await?;
    make(new, None, actor, &site, &state).await
}

/// Becomes a member by the code of an invitation. The passkey is told this once.
#[utoipa::path(
    post, path = "/join", tag = "users",
    request_body = Joining,
    responses((status = 201, body = WithPasskey)),
    security(()),
)]
pub(super) async fn join(
    State(state): State<Arc<ApiState>>,
    site: Site,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    if state.mode() != Mode::Members {
        return Err(Problem::not_found("this hub is open to anybody: there is nothing to join"));
    }
    let address = client_ip(&parts)?;
    state.joins.take(address, 1, Instant::now()).map_err(|wait| {
        let secs = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        Problem::too_many(format!("too many tries from your address; wait {secs} s"), secs)
    })?;
    let Joining { code, name } = fields::read(body, &state).await?;
    let actor = Actor { who: BY_INVITATION.to_owned(), address };
    let new = New { name, role: RoleField::Member, until: None };
    make(new, Some(code), actor, &site, &state).await
}

/// One member. Scope `read`.
#[utoipa::path(
    get, path = "/users/{name}", tag = "users",
    params(("name" = String, Path, description = "What it is called", max_length = 32)),
    responses((status = 200, body = User)),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    standing.require(Scope::Read)?;
    shown(state.members.get(&name).await?, &state)
}

/// Changes a member. Scope `users`.
#[utoipa::path(
    patch, path = "/users/{name}", tag = "users",
    params(
        ("name" = String, Path, description = "What it is called", max_length = 32),
        IfMatch,
    ),
    request_body = Patch,
    responses((status = 200, body = User)),
    security(("bearer" = [])),
)]
pub(super) async fn change(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    Path(name): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let actor = acting.require(Scope::Users)?;
    let version = if_match(&headers)?;
    let patch: Patch = fields::read(request.into_body(), &state).await?;
    shown(state.members.change(&name, version, patch.read()?, &actor).await?, &state)
}

/// Removes a member. Scope `users`.
#[utoipa::path(
    delete, path = "/users/{name}", tag = "users",
    params(
        ("name" = String, Path, description = "What it is called", max_length = 32),
        IfMatch,
    ),
    responses((status = 204)),
    security(("bearer" = [])),
)]
pub(super) async fn remove(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let actor = acting.require(Scope::Users)?;
    state.members.remove(&name, if_match(&headers)?, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a member another passkey, which is told this once; the one before is worth nothing any more. Scope `users`.
#[utoipa::path(
    post, path = "/users/{name}/passkey", tag = "users",
    params(
        ("name" = String, Path, description = "What it is called", max_length = 32),
        IfMatch,
    ),
    responses((status = 200, body = WithPasskey)),
    security(("bearer" = [])),
)]
pub(super) async fn rotate(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    site: Site,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let actor = acting.require(Scope::Users)?;
    let (member, passkey) = state.members.rotate(&name, if_match(&headers)?, &actor).await?;
    let version = member.version;
    let told = WithPasskey::of(member, &passkey, &site, &state);
    Ok(([(header::ETAG, etag(version))], state.json(&told)?).into_response())
}

/// Takes a member's passkey away. Scope `users`.
#[utoipa::path(
    delete, path = "/users/{name}/passkey", tag = "users",
    params(
        ("name" = String, Path, description = "What it is called", max_length = 32),
        IfMatch,
    ),
    responses((status = 200, body = User)),
    security(("bearer" = [])),
)]
pub(super) async fn revoke(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let actor = acting.require(Scope::Users)?;
    shown(state.members.revoke(&name, if_match(&headers)?, &actor).await?, &state)
}

/// The part of a list that a request asks for.
///
/// # Errors
///
/// 400 if the cursor is none.
pub(super) fn span(parameters: &Parameters) -> Result<Span, Problem> {
    let cursor = parameters.get("cursor").unwrap_or("0");
    let after = cursor.parse().ok().filter(|after: &i64| *after >= 0).ok_or_else(|| {
        Problem::bad_request(format!("cursor {} is none that this hub gave", quoted(cursor)))
    })?;
    Ok(Span { after, limit: parameters.limit("limit", PAGE_DEFAULT, PAGE_MAX)? })
}

/// Makes a member, and tells of it, though whoever asked for it goes away.
async fn make(
    new: New,
    code: Option<String>,
    actor: Actor,
    site: &Site,
    state: &Arc<ApiState>,
) -> Result<Response, Problem> {
    let making = state.clone();
    let made = to_its_end(async move {
        let New { name, role, until } = new;
        let made = making.members.add(&name, role.into(), until, code.as_deref(), &actor).await?;
        making.webhooks.tell(|| Event::UserCreated((&made.0).into()));
        Ok(made)
    });
    let (member, passkey) = made.await?;
    let headers = [
        (header::LOCATION, format!("/api/v1/users/{}", member.name)),
        (header::ETAG, format!("\"{}\"", member.version)),
    ];
    let told = WithPasskey::of(member, &passkey, site, state);
    Ok((StatusCode::CREATED, headers, state.json(&told)?).into_response())
}

fn shown(member: Member, state: &ApiState) -> Result<Response, Problem> {
    let version = member.version;
    Ok(([(header::ETAG, etag(version))], state.json(&User::of(member, state))?).into_response())
}

impl User {
    fn of(member: Member, state: &ApiState) -> Self {
        let is_over = member.until.is_some_and(|until| until <= state.members.now());
        Self {
            state: match (member.disabled, is_over) {
                (true, _) => "disabled",
                (false, true) => "over",
                (false, false) => "active",
            },
            role: member.role.name(),
            disabled: member.disabled,
            until: member.until,
            has_passkey: member.passkey.is_some(),
            torrents_max: member.limits.torrents,
            clients_per_torrent_max: member.limits.clients_per_torrent,
            addresses_max: member.limits.addresses,
            invited_by: member.invited_by,
            created_at: member.created_at,
            version: member.version,
            name: member.name,
        }
    }
}

impl Patch {
    fn read(self) -> Result<MemberPatch, Problem> {
        let limits = [
            ("torrents_max", self.torrents_max),
            ("clients_per_torrent_max", self.clients_per_torrent_max),
            ("addresses_max", self.addresses_max),
        ];
        for (field, max) in limits {
            if let Some(Some(max)) = max
                && !(1..=SEATS_MAX).contains(&max)
            {
                let detail = format!("`{field}`: {max} is not from 1 to {SEATS_MAX}");
                return Err(invalid(detail).member("field", field));
            }
        }
        let patch = MemberPatch {
            role: self.role.map(Into::into),
            disabled: self.disabled,
            until: self.until,
            passkey: None,
            torrents_max: self.torrents_max,
            clients_per_torrent_max: self.clients_per_torrent_max,
            addresses_max: self.addresses_max,
        };
        if patch == MemberPatch::default() {
            return Err(invalid(
                "nothing is to be changed: `role`, `disabled`, `until`, `torrents_max`, `clients_per_torrent_max` or \
                 `addresses_max` is expected",
            ));
        }
        Ok(patch)
    }
}

impl WithPasskey {
    fn of(member: Member, passkey: &Secret, site: &Site, state: &ApiState) -> Self {
        Self {
            user: User::of(member, state),
            passkey: passkey.tell().to_owned(),
            announce: site.clone().of_member(passkey.tell()).announce_urls(),
        }
    }
}

impl From<RoleField> for Role {
    fn from(role: RoleField) -> Self {
        match role {
            RoleField::Member => Self::Member,
            RoleField::Uploader => Self::Uploader,
            RoleField::Admin => Self::Admin,
        }
    }
}

/// A value that is there, be it `null`.
fn stated<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
