//! The classic dialects that a hub serves beside its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use peer::classic::Dialect;
use reqwest::Url;
use serde::Deserialize;

use crate::client::{Client, ClientError};

/// What the hub says of itself; one without the dialects says nothing of them.
#[derive(Debug, Default, Deserialize)]
struct Stats {
    #[serde(default)]
    classic: BTreeMap<String, Served>,
}

#[derive(Debug, Deserialize)]
struct Served {
    port: u16,
}

/// Where the trackers of the dialects are that the hub serves; none if it is no hub. `seen_at`: a URL at which the hub
/// sees an address of this machine that others can use, if that is not the hub's usual one.
///
/// # Errors
/// The hub does not answer now.
pub(in crate::commands) async fn trackers(
    client: &Client,
    seen_at: Option<&str>,
) -> Result<Vec<(Dialect, SocketAddr)>, ClientError> {
    let stats: Stats = match client.get("api/v1/stats", &[]).await {
        Ok(stats) => stats,
        Err(error) if error.is_no_hub() && !error.is_passing() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let url = seen_at.and_then(|url| Url::parse(url).ok()).unwrap_or_else(|| client.hub().join(""));
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let mut trackers = Vec::new();
    for dialect in Dialect::ALL {
        let Some(served) = stats.classic.get(dialect.name()).filter(|served| served.port != 0) else {
            continue;
        };
        // Who cannot be found now is looked for the next time.
        let Ok(found) = tokio::net::lookup_host((host.as_str(), served.port)).await else { continue };
        // The dialects come from before IPv6.
        trackers.extend(found.min_by_key(SocketAddr::is_ipv6).map(|address| (dialect, address)));
    }
    Ok(trackers)
}
