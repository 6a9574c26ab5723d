//! What a person means by a WHAT.

use std::path::Path;
use std::sync::Arc;

use reqwest::Url;
use swarm::{Endpoint, InfoHash, Port};
use wire::magnet::Magnet;
use wire::metainfo::Metainfo;

use crate::client::{Client, Torrent};
use crate::commands::peering;
use crate::exit::Failure;
use crate::format::plain;

/// Torrents among which a name like the one that is not there is looked for.
const SUGGESTED_FROM: usize = 100;

/// Names that are suggested.
const SUGGESTIONS_MAX: usize = 3;

/// How alike a name must be to be suggested, from 0 to 1.
const LIKENESS_MIN: f64 = 0.6;

/// A torrent to fetch.
pub(super) struct Found {
    pub(super) source: Source,
    /// What it is called until more is known.
    pub(super) name: String,
    /// Its trackers.
    pub(super) tiers: Vec<Vec<String>>,
    /// Peers that a link named.
    pub(super) peers: Vec<Endpoint>,
}

pub(super) enum Source {
    Torrent(Arc<Metainfo>),
    Hash(InfoHash),
}

/// Finds out what `what` is. `hub_named`: a person named the hub, so that it is asked for peers of any torrent.
/// `path`: where the file would be, if it is one.
pub(super) async fn find(
    what: &str,
    path: &Path,
    client: &Client,
    hub_named: bool,
) -> Result<Found, Failure> {
    let hub = || vec![client.hub().join("announce").to_string()];
    if what.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:")) {
        let magnet = Magnet::decode(what).map_err(Failure::misuse)?;
        let mut tiers: Vec<Vec<String>> = magnet.trackers.iter().map(|url| vec![url.clone()]).collect();
        if hub_named || tiers.is_empty() {
            tiers.insert(0, hub());
        }
        let peers = magnet.peers.iter().filter_map(|peer| endpoint(peer)).collect();
        let name = magnet.name.clone().unwrap_or_else(|| magnet.info_hash.to_string());
        return Ok(Found { source: Source::Hash(magnet.info_hash), name, tiers, peers });
    }
    if let Some(url) = Url::parse(what).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
        return torrent(&client.download(url).await?, what, hub_named.then_some(hub()));
    }
    if let Ok(hash) = what.parse::<InfoHash>() {
        return by_hash(hash, client).await;
    }
    if path.is_file() && what.ends_with(".torrent") {
        let bytes =
            std::fs::read(path).map_err(|error| Failure::Failed(format!("cannot read {what}: {error}")))?;
        return torrent(&bytes, what, hub_named.then_some(hub()));
    }
    by_name(what, client).await
}

async fn by_hash(hash: InfoHash, client: &Client) -> Result<Found, Failure> {
    let announce = peering::announce_url(client).await;
    match client.torrent_file(&hash.to_string()).await {
        Ok(Some(bytes)) => torrent(&bytes, &hash.to_string(), Some(vec![announce])),
        // It may know who has it, though it does not have the file.
        _ => Ok(Found {
            source: Source::Hash(hash),
            name: hash.to_string(),
            tiers: vec![vec![announce]],
            peers: Vec::new(),
        }),
    }
}

async fn by_name(name: &str, client: &Client) -> Result<Found, Failure> {
    let mut cursor: Option<String> = None;
    let mut same = Vec::new();
    loop {
        let page = client.torrents::<Torrent>(Some(name), SUGGESTED_FROM, cursor.as_deref()).await?;
        same.extend(page.torrents.into_iter().filter(|torrent| torrent.name == name));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    match &same[..] {
        [] => {}
        [one] => {
            let hash = one.info_hash.parse().map_err(|_| {
                Failure::Failed(format!("the hub names no info hash: `{}`", plain(&one.info_hash)))
            })?;
            return by_hash(hash, client).await;
        }
        several => {
            let hashes: Vec<&str> = several.iter().map(|torrent| torrent.info_hash.as_str()).collect();
            let hashes = hashes.join(", ");
            return Err(Failure::Failed(format!(
                "several torrents are named \"{name}\"; choose by info hash: {hashes}"
            )));
        }
    }
    let all = client.torrents::<Torrent>(None, SUGGESTED_FROM, None).await?;
    let mut near: Vec<(f64, String)> = all
        .torrents
        .iter()
        .map(|torrent| (strsim::jaro_winkler(&torrent.name.to_lowercase(), &name.to_lowercase()), torrent))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .map(|(likeness, torrent)| (likeness, format!("\"{}\"", plain(&torrent.name))))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<String> = near.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name).collect();
    let advice = match &near[..] {
        [] => "`skep ls` shows what there is".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Err(Failure::Failed(format!("no torrent is named \"{name}\" at {}; {advice}", client.hub())))
}

fn torrent(bytes: &[u8], what: &str, hub: Option<Vec<String>>) -> Result<Found, Failure> {
    let torrent =
        Metainfo::decode(bytes).map_err(|error| Failure::Failed(format!("{what} is no torrent: {error}")))?;
    let mut tiers: Vec<Vec<String>> = torrent.trackers().to_vec();
    if let Some(hub) = hub {
        tiers.iter_mut().for_each(|tier| tier.retain(|url| !hub.contains(url)));
        tiers.retain(|tier| !tier.is_empty());
        tiers.insert(0, hub);
    }
    let name = torrent.name().to_owned();
    Ok(Found { source: Source::Torrent(Arc::new(torrent)), name, tiers, peers: Vec::new() })
}

fn endpoint(text: &str) -> Option<Endpoint> {
    let address: std::net::SocketAddr = text.parse().ok()?;
    Some(Endpoint::new(address.ip(), Port::new(address.port())?))
}
