//! `/api/v1/users/<name>/account`, `/account`, `/hit-and-runs`, `/factors`: what members are credited.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use swarm::accounts::Factors;
use swarm::{InfoHash, UserId};

use super::fields::{self, invalid};
use super::query::Parameters;
use super::standing::{Acting, Standing};
use super::text::quoted;
use super::{ApiState, Problem, audit};
use crate::accounting::{Accounting, FACTOR_RULES_MAX};
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
#[derive(Serialize)]
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

#[derive(Serialize)]
struct ShownTorrent {
    info_hash: String,
    #[serde(flatten)]
    account: Shown,
    /// Unix seconds.
    completed_at: Option<i64>,
    /// Unix seconds.
    last_at: i64,
}

#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    account: Shown,
    torrents: Vec<ShownTorrent>,
    next: Option<String>,
}

#[derive(Serialize)]
struct ShownRun {
    /// The member's name; `null` if it is removed.
    user: Option<String>,
    #[serde(flatten)]
    of: ShownTorrent,
}

#[derive(Serialize)]
struct Runs {
    hit_and_runs: Vec<ShownRun>,
}

#[derive(Serialize)]
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

#[derive(Serialize)]
struct AllFactors {
    factors: Vec<ShownFactors>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFactors {
    #[serde(default)]
    info_hash: Option<String>,
    #[serde(default = "all")]
    upload_pct: u32,
    #[serde(default = "all")]
    download_pct: u32,
    #[serde(default)]
    begins: Option<i64>,
    #[serde(default)]
    ends: Option<i64>,
}

const fn all() -> u32 {
    100
}

/// `GET /api/v1/users/<name>/account?limit=&cursor=`
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

/// `GET /api/v1/account?limit=&cursor=`: of the member who asks.
pub(super) async fn own(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    parameters: Parameters,
) -> Result<Response, Problem> {
    match standing {
        Standing::Member(member) => whole(&state, member.user, &parameters).await,
        Standing::Stranger | Standing::Holder { .. } => Err(Problem::bad_request(
            "this is about the member who asks, by its passkey; /users/<name>/account is for others",
        )),
    }
}

/// `GET /api/v1/hit-and-runs?limit=`
pub(super) async fn hit_and_runs(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    parameters: Parameters,
) -> Result<Response, Problem> {
    standing.require(Scope::Read)?;
    let accounting = accounting(&state)?;
    accounting.flush().await?;
    let limit = parameters.limit("limit", PAGE_DEFAULT, PAGE_MAX)?;
    let mut hit_and_runs = Vec::new();
    for run in accounting.hit_and_runs(limit).await? {
        let user = state.members.name(run.user).await?;
        hit_and_runs.push(ShownRun { user, of: ShownTorrent::of(&run.of) });
    }
    state.json(&Runs { hit_and_runs })
}

/// `GET /api/v1/factors`
pub(super) async fn factors(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
) -> Result<Response, Problem> {
    standing.require(Scope::Read)?;
    let factors = accounting(&state)?.factors().iter().map(ShownFactors::of).collect();
    state.json(&AllFactors { factors })
}

/// `POST /api/v1/factors`
pub(super) async fn add_factors(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    request: Request,
) -> Result<Response, Problem> {
    let actor = acting.require(Scope::Torrents)?;
    let accounting = accounting(&state)?;
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

/// `DELETE /api/v1/factors/<id>`
pub(super) async fn remove_factors(
    State(state): State<Arc<ApiState>>,
    acting: Acting,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let actor = acting.require(Scope::Torrents)?;
    let unknown = || Problem::not_found(format!("there are no factors {}", quoted(&id)));
    let number: i64 = id.parse().map_err(|_| unknown())?;
    if !accounting(&state)?.remove_factors(number).await? {
        return Err(unknown());
    }
    audit::record(&state, "factors.remove", &id, &actor).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn whole(state: &ApiState, user: UserId, parameters: &Parameters) -> Result<Response, Problem> {
    let accounting = accounting(state)?;
    let limit = parameters.limit("limit", PAGE_DEFAULT, PAGE_MAX)?;
    let after: Option<InfoHash> =
        parameters.get("cursor").map(str::parse).transpose().map_err(|error: swarm::InfoHashError| {
            Problem::bad_request(format!("the cursor is none that this hub gave: {error}"))
        })?;
    let account = accounting.account(user).await?;
    let torrents = accounting.torrents(user, after, limit).await?;
    let next = torrents.last().filter(|_| torrents.len() == limit).map(|last| last.torrent.to_string());
    let torrents = torrents.iter().map(ShownTorrent::of).collect();
    state.json(&Whole { account: Shown::of(&account), torrents, next })
}

fn accounting(state: &ApiState) -> Result<&Accounting, Problem> {
    state.accounting.as_ref().ok_or_else(|| Problem::not_found("this hub has no members, and credits nobody"))
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
