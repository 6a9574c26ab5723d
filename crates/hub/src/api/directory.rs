//! `/api/v1/directory`: the names that are offered in the classic dialects, and what else the API tells of these.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use swarm::directory::{Dialect, HolderView, NameView};
use utoipa::ToSchema;

use super::metrics::Text;
use super::query::Parameters;
use super::standing::Standing;
use super::text::quoted;
use super::{ApiState, Problem};
use crate::classic::{Count, Registrar};
use crate::store::roll::Scope;

/// Names of a page, unless the request says otherwise.
const PAGE_NAMES_DEFAULT: usize = 50;

/// Names that a page may have.
const PAGE_NAMES_MAX: usize = 500;

/// Names that are looked at under one hold of the directory's lock, and for one page.
const LOOKED_AT_ONCE: usize = 1_000;
const LOOKED_AT_MAX: usize = 100_000;

/// Holders of a name that are told of each dialect.
const HOLDERS_SHOWN_MAX: usize = 250;

/// The directory, as the API shows it.
pub struct DirectoryView {
    registrar: Arc<Registrar>,
    /// The port of each dialect that is served: the first, if there are several.
    ports: BTreeMap<&'static str, (Dialect, u16)>,
}

/// A dialect that is served.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClassicDialect)]
pub(super) struct Served {
    /// Where the hub serves it.
    port: u16,
    /// Peers registered in it.
    holders: usize,
    /// Names for which its clients are told of somebody.
    names: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = NamePage)]
struct Page {
    names: Vec<Name>,
    next: Option<String>,
}

/// A name, and who can serve it to whom.
#[derive(Serialize, ToSchema)]
struct Name {
    name: String,
    /// Bytes, if a peer of `index` says it.
    size: Option<u64>,
    /// Parts of 64 KiB, if a peer of `token` says it.
    parts: Option<u32>,
    /// How many peers can serve the clients of each dialect.
    holders: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<Vec<Peer>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = NamePeer)]
struct Peer {
    dialect: &'static str,
    /// What it calls itself; absent in `beacon`.
    name: Option<String>,
    ip: String,
    port: u16,
}

/// Names that are offered in the classic dialects; who offers them, for a token of scope `read`.
#[utoipa::path(
    get, path = "/directory", tag = "torrents",
    params(
        ("query" = Option<String>, Query, description = "Words that the name has"),
        ("limit" = Option<usize>, Query, description = "Entries of a page", minimum = 1),
        ("cursor" = Option<String>, Query,
         description = "What `next` of the page before said", pattern = "^([0-9]{1,9})?$"),
    ),
    responses((status = 200, body = Page)),
    security((), ("bearer" = [])),
)]
pub(super) async fn list(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let limit = parameters.limit("limit", PAGE_NAMES_DEFAULT, PAGE_NAMES_MAX)?;
    let cursor = parameters.get("cursor").unwrap_or("0");
    let mut next: Option<u32> = Some(cursor.parse().map_err(|_| {
        Problem::bad_request(format!("cursor {} is none that this hub gave", quoted(cursor)))
    })?);
    let words = parameters.get("query").unwrap_or_default().to_lowercase();
    let words: Vec<&str> = words.split_whitespace().collect();
    let is_meant = |name: &str| {
        let name = name.to_lowercase();
        words.iter().all(|word| name.contains(word))
    };
    let with_peers = standing.may(Scope::Read);
    let mut names = Vec::new();
    let mut looked_at = 0;
    while let Some(from) = next
        && names.len() < limit
        && looked_at < LOOKED_AT_MAX
    {
        let mut last = None;
        let page = state.directory.registrar.names(from, LOOKED_AT_ONCE, |name| {
            if names.len() < limit && is_meant(name.text()) {
                names.push(Name::of(&name, with_peers));
                last = Some(name.next());
            }
        });
        looked_at += LOOKED_AT_ONCE;
        next = if names.len() < limit { page } else { last.or(page) };
        // Others may want the thread, and the lock.
        tokio::task::yield_now().await;
    }
    state.json(&Page { names, next: next.map(|next| next.to_string()) })
}

impl Name {
    fn of(name: &NameView<'_>, with_peers: bool) -> Self {
        let first = |dialect| name.holders(dialect, 0, 1).rows.first().map(|row| row.extent);
        let holders = Dialect::ALL.map(|dialect| (dialect.name(), name.holders_len(dialect)));
        Self {
            name: name.text().to_owned(),
            size: first(Dialect::Index).and_then(|extent| extent.bytes()),
            parts: first(Dialect::Token).and_then(|extent| extent.parts()),
            holders: holders.into_iter().filter(|(_, len)| *len > 0).collect(),
            peers: with_peers.then(|| peers(name)),
        }
    }
}

/// Who holds a name, each in the dialect that it registered in.
fn peers(name: &NameView<'_>) -> Vec<Peer> {
    let of = |dialect: Dialect| {
        let page = name.holders(dialect, 0, HOLDERS_SHOWN_MAX);
        let holders = page.rows.into_iter().map(|row| row.holder);
        holders.filter(move |holder| holder.dialect() == dialect).map(|holder| Peer::of(&holder))
    };
    Dialect::ALL.into_iter().flat_map(of).collect()
}

impl Peer {
    fn of(holder: &HolderView<'_>) -> Self {
        let name = holder.label();
        Self {
            dialect: holder.dialect().name(),
            name: (!name.is_empty()).then(|| name.to_owned()),
            ip: holder.endpoint().ip().to_string(),
            port: holder.endpoint().port().get(),
        }
    }
}

impl DirectoryView {
    /// Of the directory behind `registrar`, whose dialects are served at `addresses`.
    #[must_use]
    pub fn new(registrar: Arc<Registrar>, addresses: &[(Dialect, SocketAddr)]) -> Self {
        let mut ports = BTreeMap::new();
        for (dialect, address) in addresses {
            ports.entry(dialect.name()).or_insert((*dialect, address.port()));
        }
        Self { registrar, ports }
    }

    /// The dialects that are served, by name.
    pub(super) fn served(&self) -> BTreeMap<&'static str, Served> {
        let stats = self.registrar.stats();
        let served = |&(dialect, port): &(Dialect, u16)| Served {
            port,
            holders: stats.holders[dialect as usize],
            names: stats.names[dialect as usize],
        };
        self.ports.iter().map(|(name, at)| (*name, served(at))).collect()
    }

    /// Appends the counts of the dialects, if any is served.
    pub(super) fn metrics(&self, out: &mut Text) {
        if self.ports.is_empty() {
            return;
        }
        let stats = self.registrar.stats();
        let each = |out: &mut Text, name: &str, of: &dyn Fn(Dialect) -> usize| {
            for dialect in Dialect::ALL {
                out.sample(name, &format!("dialect=\"{dialect}\""), of(dialect));
            }
        };
        out.gauge("skep_classic_peers", "Peers registered in the classic dialects.");
        each(out, "skep_classic_peers", &|dialect| stats.holders[dialect as usize]);
        out.gauge("skep_classic_names", "Names for which the clients of a dialect are told of somebody.");
        each(out, "skep_classic_names", &|dialect| stats.names[dialect as usize]);
        out.gauge("skep_classic_memory_bytes", "Bytes that peers, names and chunk lists take.");
        out.sample("skep_classic_memory_bytes", "", stats.memory_bytes);
        let counted = |out: &mut Text, name: &str, help: &str, counts: &[(Count, &str)]| {
            out.counter(name, help);
            for dialect in Dialect::ALL {
                for &(count, word) in counts {
                    let labels = format!("dialect=\"{dialect}\",what=\"{word}\"");
                    out.sample(name, &labels, self.registrar.count(dialect, count));
                }
            }
        };
        let answered = [
            (Count::Auths, "auth"),
            (Count::Registers, "register"),
            (Count::LookUps, "look_up"),
            (Count::Lists, "chunk_list"),
            (Count::Beats, "heartbeat"),
            (Count::Exits, "exit"),
        ];
        let refused = [
            (Count::Malformed, "malformed"),
            (Count::Forbidden, "token"),
            (Count::Denied, "network"),
            (Count::Refused, "directory"),
            (Count::Limited, "limit"),
        ];
        counted(out, "skep_classic_requests_total", "Requests answered in the classic dialects.", &answered);
        counted(
            out,
            "skep_classic_refused_total",
            "Requests and connections refused in the classic dialects.",
            &refused,
        );
    }
}
