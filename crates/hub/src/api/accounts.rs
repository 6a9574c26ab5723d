//! `/api/v1/users/<name>/account`, `/account`, `/hit-and-runs`, `/factors`: what members are credited.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use swarm::accounts::Factors;
use swarm::{InfoHash, UserId};
use utoipa::ToSchema;

use super::fields::{self, invalid};
use super::query::Parameters;
use super::standing::{Acting, Standing};
use super::text::quoted;
use super::{ApiState, Problem, audit};
use crate::accounting::FACTOR_RULES_MAX;
use crate::store::ledger::{Account, FactorRule, TorrentAccount};
use crate::store::roll::Scope;

/// Torrents of a page, unless the request says otherwise, and at most.
const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 500;

/// Percent that a factor may be.
const PCT_MAX: u32 = 10_000;

/// Seconds after which something that is full may have room.
const FULL_RETRY_SECS: u32 = 3_600;

/// What somebody is credited.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
struct Shown {
    /// Bytes, as clients counted them.
    uploaded: u64,
    downloaded: u64,
    /// Bytes, with the factors of their time.
    credited_up: u64,
    credited_down: u64,
    /// `credited_up` ÷ `credited_down`; `null` while nothing was downloaded.
    ratio: Option<f64>,
    seed_secs: u64,
    /// Reports that could not be true, and gave nothing.
    flagged: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TorrentAccount)]
struct ShownTorrent {
    info_hash: String,
    #[serde(flatten)]
    account: Shown,
    /// Unix seconds.
    completed_at: Option<i64>,
    /// Unix seconds.
    last_at: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AccountWhole)]
struct Whole {
    #[serde(flatten)]
    account: Shown,
    torrents: Vec<ShownTorrent>,
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = HitAndRun)]
struct ShownRun {
    /// The member's name; `null` if it is removed.
    user: Option<String>,
    #[serde(flatten)]
    of: ShownTorrent,
}

#[derive(Serialize, ToSchema)]
#[schema(as = HitAndRuns)]
struct Runs {
    hit_and_runs: Vec<ShownRun>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Factors)]
struct ShownFactors {
    id: i64,
    info_hash: Option<String>,
    upload_pct: u32,
    download_pct: u32,
    /// Unix seconds.
    begins: Option<i64>,
    /// Unix seconds.
    ends: Option<i64>,
}

#[derive(Serialize, ToSchema)]
struct AllFactors {
    factors: Vec<ShownFactors>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewFactors {
    /// All torrents without.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-fA-F]{40}$")]
    info_hash: Option<String>,
    #[serde(default = "all")]
    #[schema(maximum = 10000)]
    upload_pct: u32,
    #[serde(default = "all")]
    #[schema(maximum = 10000)]
    download_pct: u32,
    #[serde(default)]
    begins: Option<i64>,
    #[serde(default)]
    ends: Option<i64>,
}

const fn all() -> u32 {
    100
}

/// What a member is credited, in all and for each torrent. Scope `read`.
#[utoipa::path(
    get, path = "/users/{name}/account", tag = "accounts",
    params(
        ("name" = String, Path, description = "What it is called", max_length = 32),
        ("limit" = Option<usize>, Query, description = "Torrents of a page", minimum = 1),
        ("cursor" = Option<String>, Query,
         description = "What `next` of the page before said", pattern = "^([0-9a-fA-F]{40})?$"),
    ),
    responses((status = 200, body = Whole)),
    security(("bearer" = [])),
)]
pub(super) async fn of_user(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    standing.require(Scope::Read)?;
    let member = state.members.get(&name).await?;
    whole(&state, member.id, &parameters).await
}

/// The same of the member whose passkey is shown.
#[utoipa::path(
    get, path = "/account", tag = "accounts",
    params(
        ("limit" = Option<usize>, Query, description = "Torrents of a page", minimum = 1),
        ("cursor" = Option<String>, Query,
         description = "What `next` of the page before said", pattern = "^([0-9a-fA-F]{40})?$"),
    ),
    responses((status = 200, body = Whole)),
    security(("bearer" = [])),
)]
pub(super) async fn own(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    parameters: Parameters,
) -> Result<Response, Problem> {
    match standing {
        Standing::Member(member) => whole(&state, member.user, &parameters).await,
        Standing::Stranger | Standing::Holder { .. } => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "this is about the member who asks, by its passkey; /users/<name>/account is for others",
        )),
    }
}

/// Who completed something, and neither seeded it nor gave it on. Scope `read`.
#[utoipa::path(
    get, path = "/hit-and-runs", tag = "accounts",
    params(("limit" = Option<usize>, Query, description = "So many at most", minimum = 1)),
    responses((status = 200, body = Runs)),
    security(("bearer" = [])),
)]
pub(super) async fn hit_and_runs(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    parameters: Parameters,
) -> Result<Response, Problem> {
    standing.require(Scope::Read)?;
    let accounting = state.accounting()?;
    accounting.flush().await?;
    let limit = parameters.limit("limit", PAGE_DEFAULT, PAGE_MAX)?;
    let mut hit_and_runs = Vec::new();
    for run in accounting.hit_and_runs(limit).await? {
        let user = state.members.name(run.user).await?;
        hit_and_runs.push(ShownRun { user, of: ShownTorrent::of(&run.of) });
    }
    state.json(&Runs { hit_and_runs })
}

/// What bytes count for, and when. Scope `read`.
#[utoipa::path(
    get, path = "/factors", tag = "accounts",
    responses((status = 200, body = AllFactors)),
    security(("bearer" = [])),
)]
pub(super) async fn factors(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
) -> Result<Response, Problem> {
    standing.require(Scope::Read)?;
    let factors = state.accounting()?.factors().iter().map(ShownFactors::of).collect();
    state.json(&AllFactors { factors })
}

/// Makes bytes of a torrent, or of all, count for more or less. Scope `torrents`.
#[utoipa::path(
    post, path = "/factors", tag = "accounts",
    request_body = NewFactors,
    responses((status = 201, body = ShownFactors)),
    security(("bearer" = [])),
)]
pub(super) async fn add_factors(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    request: Request,
) -> Result<Response, Problem> {
    let actor = acting.require(Scope::Torrents)?;
    let accounting = state.accounting()?;
    let new: NewFactors = fields::read(request.into_body(), &state).await?;
    for (field, pct) in [("upload_pct", new.upload_pct), ("download_pct", new.download_pct)] {
        if pct > PCT_MAX {
            let detail = format!("`{field}`: {pct} is above {PCT_MAX}");
            return Err(invalid(detail).member("field", field));
        }
    }
    if let (Some(begins), Some(ends)) = (new.begins, new.ends)
        && ends <= begins
    {
        return Err(invalid(format!("`ends`: {ends} is not after {begins}")).member("field", "ends"));
    }
    let torrent: Option<InfoHash> =
        new.info_hash.as_deref().map(str::parse).transpose().map_err(|error: swarm::InfoHashError| {
            invalid(format!("`info_hash`: {error}")).member("field", "info_hash")
        })?;
    let factors = Factors { upload_pct: new.upload_pct, download_pct: new.download_pct };
    let rule = FactorRule { id: 0, torrent, factors, begins: new.begins, ends: new.ends };
    let full =
        || Problem::unavailable(format!("there are {FACTOR_RULES_MAX} rules; remove one"), FULL_RETRY_SECS);
    let rule = accounting.add_factors(rule).await?.ok_or_else(full)?;
    let object = torrent.map_or_else(|| "all torrents".to_owned(), |hash| hash.to_string());
    audit::record(&state, "factors.add", &object, &actor).await;
    Ok((StatusCode::CREATED, state.json(&ShownFactors::of(&rule))?).into_response())
}

/// Takes factors back. Scope `torrents`.
#[utoipa::path(
    delete, path = "/factors/{id}", tag = "accounts",
    params(("id" = i64, Path, description = "Its number", minimum = 1)),
    responses((status = 204)),
    security(("bearer" = [])),
)]
pub(super) async fn remove_factors(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let actor = acting.require(Scope::Torrents)?;
    let unknown = || Problem::not_found(format!("there are no factors {}", quoted(&id)));
    let number: i64 = id.parse().map_err(|_| unknown())?;
    if !state.accounting()?.remove_factors(number).await? {
        return Err(unknown());
    }
    audit::record(&state, "factors.remove", &id, &actor).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn whole(state: &ApiState, user: UserId, parameters: &Parameters) -> Result<Response, Problem> {
    let limit = parameters.limit("limit", PAGE_DEFAULT, PAGE_MAX)?;
    let after: Option<InfoHash> =
        parameters.get("cursor").map(str::parse).transpose().map_err(|error: swarm::InfoHashError| {
            Problem::bad_request(format!("the cursor is none that this hub gave: {error}"))
        })?;
    let (account, torrents) = state.account(user, after, limit).await?;
    let next = torrents.last().filter(|_| torrents.len() == limit).map(|last| last.torrent.to_string());
    let torrents = torrents.iter().map(ShownTorrent::of).collect();
    state.json(&Whole { account: Shown::of(&account), torrents, next })
}

impl Shown {
    fn of(account: &Account) -> Self {
        let Account { uploaded, downloaded, credited_up, credited_down, seed_secs, flagged } = *account;
        #[expect(clippy::cast_precision_loss, reason = "a ratio need not be exact")]
        let ratio = (credited_down > 0).then(|| credited_up as f64 / credited_down as f64);
        Self { uploaded, downloaded, credited_up, credited_down, ratio, seed_secs, flagged }
    }
}

impl ShownTorrent {
    fn of(of: &TorrentAccount) -> Self {
        Self {
            info_hash: of.torrent.to_string(),
            account: Shown::of(&of.account),
            completed_at: of.completed_at,
            last_at: of.last_at,
        }
    }
}

impl ShownFactors {
    fn of(rule: &FactorRule) -> Self {
        Self {
            id: rule.id,
            info_hash: rule.torrent.map(|hash| hash.to_string()),
            upload_pct: rule.factors.upload_pct,
            download_pct: rule.factors.download_pct,
            begins: rule.begins,
            ends: rule.ends,
        }
    }
}
