//! Everything that the router serves: the JSON API, the calls of older trackers, the pages.
//!
//! Announces and scrapes are not here: [`front`](crate::listener::http::front) answers them before a request comes to
//! the router. Nothing here is waited for by an announce.
//!
//! The rooms: [`problem`] is every refusal; [`admin`] the token; `standing` who may do what; `guard` what holds for all
//! requests; `describe` what the API says of itself; `links` the hub's own addresses; `addition` the way into the catalogue, limited by `Throttle` and `body`; then a room for
//! each group of calls.

mod access;
mod accounts;
mod addition;
pub mod admin;
mod audit;
mod body;
mod control;
mod describe;
mod directory;
mod facts;
mod feed;
mod fields;
mod guard;
mod https;
mod import;
mod invites;
mod links;
mod metrics;
mod neighbours;
pub mod problem;
mod query;
mod standing;
mod status;
#[cfg(test)]
mod tests;
mod text;
mod tokens;
mod torrents;
mod users;
mod view;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use swarm::{InfoHash, UserId};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounting::Accounting;
use crate::catalogue::{Catalogue, Torrent};
use crate::config::{Config, Mode, Publish};
use crate::hub::Bound;
use crate::members::Members;
use crate::policy::Current;
use crate::rules::Rules;
use crate::similar::Similarity;
use crate::store::ledger::{Account, TorrentAccount};
use crate::throttle::Throttle;
use crate::tracker::Tracker;
use crate::web;
use crate::webhooks::Webhooks;
use body::{BODIES_BYTES_MAX, Budget};
use describe::Description;
use https::Https;

pub use admin::AdminToken;
pub use directory::DirectoryView;
pub use problem::Problem;
pub use standing::Standing;

pub(crate) use addition::{Adder, form, from_metainfo};
pub(crate) use links::Site;
pub(crate) use query::Parameters;
pub(crate) use standing::COOKIE;
pub(crate) use text::percent_encoded;
pub(crate) use torrents::find;
pub(crate) use view::Swarm;

/// How often the names of the torrents in a long scrape are looked up one by one.
const NAMES_MAX: usize = 10_000;

/// Tries to join that an address has in a minute.
const JOINS_PER_MINUTE: u32 = 10;

/// Wrong tokens and passkeys that an address may show in a minute before it is told to wait.
const WRONG_SECRETS_PER_MINUTE: u32 = 60;

/// Searches for similar hashes that run at a time: each looks at every hash that is known.
const SEARCHES_MAX: usize = 1;

/// What every handler may need.
pub struct ApiState {
    tracker: Arc<Tracker>,
    catalogue: Catalogue,
    members: Members,
    rules: Rules,
    accounting: Option<Accounting>,
    admin: AdminToken,
    webhooks: Webhooks,
    directory: DirectoryView,
    hooks: Hooks,
    publish: Publish,
    /// The port of UDP announces, if there is one.
    udp_port: Option<u16>,
    https: Https,
    additions: Throttle,
    /// Tries to join.
    joins: Throttle,
    /// Wrong tokens and passkeys.
    wrong_secrets: Throttle,
    additions_per_minute: u32,
    metainfo_bytes_max: usize,
    body_bytes_max: usize,
    memory_bytes_max: usize,
    peer_ttl_secs: u32,
    full_scrape: bool,
    similarity: Similarity,
    /// Memory of request bodies.
    bodies: Budget,
    /// Memory of large answers.
    answers: Budget,
    /// Turns of searches for similar hashes.
    searches: Semaphore,
    /// The turn of an import.
    imports: Semaphore,
}

/// What lasts, and who may change it.
pub struct Kept {
    /// The torrents.
    pub catalogue: Catalogue,
    /// Those who take part.
    pub members: Members,
    /// Access rules.
    pub rules: Rules,
    /// What they are credited, where the hub is for members.
    pub accounting: Option<Accounting>,
    /// The secret that opens everything.
    pub admin: AdminToken,
    /// Where what happens is told.
    pub webhooks: Webhooks,
}

/// What the API asks of the process around it.
#[derive(Debug, Clone)]
pub struct Hooks {
    /// Saves the swarms; the answer comes when they are on disk, or in words why they are not.
    pub save: mpsc::Sender<oneshot::Sender<Result<(), String>>>,
    /// Reads the hub's files anew; the answer comes when that is done, or in words what stays as it was, and why.
    pub reload: mpsc::Sender<oneshot::Sender<Result<(), String>>>,
    /// Begins a graceful stop.
    pub shutdown: mpsc::Sender<()>,
    /// Whether the hub serves: all is loaded, all sockets are bound, and it is not stopping.
    pub ready: watch::Receiver<bool>,
}

impl ApiState {
    /// The state of a hub that is set up as `config` says and listens where it is `bound`.
    #[must_use]
    pub fn new(
        config: &Config,
        tracker: Arc<Tracker>,
        kept: Kept,
        bound: &Bound,
        directory: DirectoryView,
        hooks: Hooks,
    ) -> Arc<Self> {
        let Kept { catalogue, members, rules, accounting, admin, webhooks } = kept;
        let limits = &config.catalogue;
        Arc::new(Self {
            tracker,
            catalogue,
            members,
            rules,
            accounting,
            admin,
            webhooks,
            directory,
            hooks,
            publish: config.publish,
            udp_port: bound.udp.first().map(|address| address.port()),
            https: Https::new(&config.tls, bound),
            additions: Throttle::new(limits.additions_per_minute),
            joins: Throttle::new(JOINS_PER_MINUTE),
            wrong_secrets: Throttle::new(WRONG_SECRETS_PER_MINUTE),
            additions_per_minute: limits.additions_per_minute,
            metainfo_bytes_max: limits.metainfo_bytes_max,
            body_bytes_max: config.http.body_bytes_max,
            memory_bytes_max: config.tracker.memory_max,
            peer_ttl_secs: config.tracker.peer_ttl_secs(),
            full_scrape: config.tracker.full_scrape,
            similarity: Similarity {
                prefix_digits: limits.similar_prefix,
                suffix_digits: limits.similar_suffix,
                threshold: limits.similar_threshold,
            },
            bodies: Budget::new(BODIES_BYTES_MAX),
            answers: Budget::new(BODIES_BYTES_MAX),
            searches: Semaphore::new(SEARCHES_MAX),
            imports: Semaphore::new(1),
        })
    }

    /// The names of those of `hashes` that are in the catalogue and have one, for scrapes in JSON. Of very many the first
    /// are looked up.
    pub async fn names(&self, hashes: Vec<InfoHash>) -> HashMap<InfoHash, String> {
        let mut names = HashMap::new();
        for hash in hashes.into_iter().take(NAMES_MAX) {
            match self.catalogue.get(hash).await {
                Ok(Some(torrent)) if !torrent.name.is_empty() => drop(names.insert(hash, torrent.name)),
                Ok(_) => {}
                Err(fault) => {
                    tracing::error!(%fault, "cannot look up names for a scrape");
                    break;
                }
            }
        }
        names
    }

    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Takes note of a wrong token or passkey.
    ///
    /// # Errors
    ///
    /// 429 if there were too many from there of late.
    fn note_wrong_secret(&self, ip: IpAddr) -> Result<(), Problem> {
        self.wrong_secrets.take(ip, 1, Instant::now()).map_err(|wait| {
            let secs = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            let detail = format!("too many wrong tokens and passkeys came from your address; wait {secs} s");
            Problem::too_many(detail, secs)
        })
    }

    /// The bytes of a short body.
    pub(crate) async fn read_short(&self, body: Body, bytes_max: usize) -> Result<Vec<u8>, Problem> {
        Ok(self.bodies.read(body, bytes_max).await?.bytes)
    }

    /// The access lists that hold now.
    fn access(&self) -> Current {
        self.members.policy().current()
    }

    /// Whom the hub is for.
    pub(crate) fn mode(&self) -> Mode {
        self.members.policy().mode()
    }

    /// Where members are credited.
    ///
    /// # Errors
    ///
    /// 404 where nobody is.
    fn accounting(&self) -> Result<&Accounting, Problem> {
        let accounting = self.accounting.as_ref();
        accounting.ok_or_else(|| Problem::not_found("this hub has no members, and credits nobody"))
    }

    /// What a member is credited, and for which torrents from the one behind `after` on.
    ///
    /// # Errors
    ///
    /// 404 where nobody is credited, 503 if the store fails.
    pub(crate) async fn account(
        &self,
        user: UserId,
        after: Option<InfoHash>,
        limit: usize,
    ) -> Result<(Account, Vec<TorrentAccount>), Problem> {
        let accounting = self.accounting()?;
        Ok((accounting.account(user).await?, accounting.torrents(user, after, limit).await?))
    }

    /// Whether credit cannot be written at the moment.
    pub(crate) fn credit_fails(&self) -> bool {
        self.accounting.as_ref().is_some_and(|accounting| accounting.status().failing.is_some())
    }

    pub(crate) fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    pub(crate) fn metainfo_bytes_max(&self) -> usize {
        self.metainfo_bytes_max
    }

    pub(crate) fn publish(&self) -> Publish {
        self.publish
    }

    /// Keeps the swarm of a catalogued torrent while nobody is there.
    fn pin(&self, torrent: &Torrent) {
        let completed = u32::try_from(torrent.completed).unwrap_or(u32::MAX);
        if let Err(full) = self.tracker.pin(torrent.info_hash, completed) {
            // It is in the catalogue all the same, and its swarm begins when somebody announces it.
            tracing::warn!(hash = %torrent.info_hash, ?full, "no memory to keep a swarm");
        }
    }

    /// An answer in JSON.
    fn json(&self, value: &impl Serialize) -> Result<Response, Problem> {
        let bytes = serde_json::to_vec(value).map_err(|error| {
            tracing::error!(%error, "cannot write an answer as JSON");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written")
        })?;
        Ok(([(header::CONTENT_TYPE, "application/json")], self.answers.lend(bytes)?).into_response())
    }
}

/// Runs `work` to its end, though whoever waits for it hangs up: what the catalogue has, the tracker and the audit log
/// must hear of.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(work).await.map_err(|panic| {
        tracing::error!(%panic, "a request ended badly");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be completed")
    })?
}

/// All routes. Requests must carry the [`Origin`](crate::listener::http::handover::Origin) of their connection.
pub fn router(state: Arc<ApiState>) -> Router {
    let api = OpenApiRouter::new()
        .routes(routes!(torrents::list, torrents::add))
        .routes(routes!(torrents::get, torrents::remove))
        .routes(routes!(directory::list))
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::get, users::change, users::remove))
        .routes(routes!(users::rotate, users::revoke))
        .routes(routes!(users::join))
        .routes(routes!(accounts::of_user))
        .routes(routes!(accounts::own))
        .routes(routes!(accounts::hit_and_runs))
        .routes(routes!(accounts::factors, accounts::add_factors))
        .routes(routes!(accounts::remove_factors))
        .routes(routes!(invites::list, invites::add))
        .routes(routes!(invites::remove))
        .routes(routes!(tokens::list, tokens::add))
        .routes(routes!(tokens::remove))
        .routes(routes!(access::list, access::add))
        .routes(routes!(access::get, access::remove))
        .routes(routes!(audit::list))
        .routes(routes!(control::reload))
        .routes(routes!(control::save))
        .routes(routes!(control::shutdown))
        .routes(routes!(status::stats))
        .routes(routes!(import::import));
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi())
        .nest("/api/v1", api)
        .routes(routes!(torrents::download))
        .routes(routes!(feed::feed))
        .routes(routes!(metrics::metrics))
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
        .split_for_parts();
    describe::serve(router, description)
        .route("/add_torrent_info", post(neighbours::add_torrent_info))
        .route("/stats", get(neighbours::stats))
        .route("/save_state", get(neighbours::save_state))
        .route("/shutdown", post(neighbours::shutdown))
        .merge(web::router())
        .layer(from_fn_with_state(state.clone(), guard::guard))
        .layer(from_fn_with_state(state.clone(), https::https))
        // Bodies are read by `body`, which has limits of its own.
        .layer(DefaultBodyLimit::disable())
        .with_state(state)
}
