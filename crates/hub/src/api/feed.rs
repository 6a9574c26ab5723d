//! `GET /feed`: the newest torrents for programs that fetch by themselves, as RSS 2.0 or Atom (RFC 4287).

use std::sync::Arc;

use atom_syndication as atom;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use swarm::InfoHash;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use super::links::Site;
use super::query::Parameters;
use super::text::{percent_encoded, quoted};
use super::{ApiState, Problem};
use crate::catalogue::{PAGE_TORRENTS_MAX, Query, Torrent};
use crate::config::format_size;

/// Torrents of a feed, unless the request says otherwise.
const TORRENTS_DEFAULT: usize = 50;

/// What the feed says of itself.
const DESCRIPTION: &str = "Torrents of this hub's catalogue, the newest first";

/// What .torrent files are served as.
const BITTORRENT: &str = "application/x-bittorrent";

/// The newest torrents for programs that fetch by themselves, as RSS 2.0 or Atom.
#[utoipa::path(
    get, path = "/feed", tag = "torrents",
    params(
        ("query" = Option<String>, Query, description = "Words that name or file names have"),
        ("format" = Option<String>, Query, description = "`rss`, unless it is `atom`", pattern = "^(rss|atom)?$"),
        ("limit" = Option<usize>, Query, description = "So many at most", minimum = 1),
    ),
    responses((status = 200, content(
        (String = "application/rss+xml"), (String = "application/atom+xml"),
    )), (status = 304, description = "It is what `If-None-Match` says")),
    security((), ("bearer" = [])),
)]
pub(super) async fn feed(
    State(state): State<Arc<ApiState>>,
    site: Site,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = parameters.get("format").unwrap_or("rss");
    let (write, media_type): (Writer, _) = match format {
        "rss" => (rss, "application/rss+xml; charset=utf-8"),
        "atom" => (atom, "application/atom+xml; charset=utf-8"),
        other => {
            return Err(Problem::bad_request(format!(
                "format {} is neither `rss` nor `atom`",
                quoted(other)
            )));
        }
    };
    let words = parameters.get("query");
    let limit = parameters.limit("limit", TORRENTS_DEFAULT, PAGE_TORRENTS_MAX)?;
    let query = Query { words: words.map(str::to_owned), limit, cursor: None };
    let mut torrents = state.catalogue.list(query).await?.torrents;
    // Matches come best first, and a feed newest first.
    torrents.sort_by_key(|torrent| std::cmp::Reverse(torrent.added_at));
    let text = write(&torrents, words, &site);
    // Links depend on who asks, so that the whole text is what a tag stands for.
    let tag = format!("\"{}\"", &blake3::hash(text.as_bytes()).to_hex()[..32]);
    let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let head = [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    Ok((head, [(header::CONTENT_TYPE, media_type)], state.answers.lend(text.into_bytes())?).into_response())
}

type Writer = fn(&[Torrent], Option<&str>, &Site) -> String;

fn rss(torrents: &[Torrent], words: Option<&str>, site: &Site) -> String {
    let item = |torrent: &Torrent| rss::Item {
        title: Some(torrent.name.clone()),
        link: Some(page(&torrent.info_hash, site)),
        guid: Some(rss::Guid { value: id(&torrent.info_hash), permalink: false }),
        pub_date: moment(torrent.added_at).and_then(|moment| moment.format(&Rfc2822).ok()),
        enclosure: Some(rss::Enclosure {
            url: link(torrent, site),
            // That of the torrent's own file is not known here; 0 stands for that.
            length: "0".to_owned(),
            mime_type: BITTORRENT.to_owned(),
        }),
        description: Some(description(torrent)),
        ..rss::Item::default()
    };
    let channel = rss::Channel {
        title: title(words),
        link: format!("{}/", site.base()),
        description: DESCRIPTION.to_owned(),
        items: torrents.iter().map(item).collect(),
        ..rss::Channel::default()
    };
    channel.to_string()
}

fn atom(torrents: &[Torrent], words: Option<&str>, site: &Site) -> String {
    let updated = |torrent: &Torrent| {
        let text = moment(torrent.added_at).and_then(|moment| moment.format(&Rfc3339).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    let entry = |torrent: &Torrent| atom::Entry {
        title: torrent.name.clone().into(),
        id: id(&torrent.info_hash),
        updated: updated(torrent),
        links: vec![
            atom::Link { href: page(&torrent.info_hash, site), ..atom::Link::default() },
            atom::Link {
                href: link(torrent, site),
                rel: "enclosure".to_owned(),
                mime_type: Some(BITTORRENT.to_owned()),
                ..atom::Link::default()
            },
        ],
        summary: Some(description(torrent).into()),
        ..atom::Entry::default()
    };
    let words = words.map_or_else(String::new, |words| format!("&query={}", percent_encoded(words)));
    let feed = atom::Feed {
        title: title(None).into(),
        id: format!("{}/feed?format=atom{words}", site.base()),
        updated: torrents.first().map(updated).unwrap_or_default(),
        authors: vec![atom::Person { name: "Skep".to_owned(), ..atom::Person::default() }],
        links: vec![atom::Link { href: format!("{}/", site.base()), ..atom::Link::default() }],
        entries: torrents.iter().map(entry).collect(),
        ..atom::Feed::default()
    };
    feed.to_string()
}

fn title(words: Option<&str>) -> String {
    match words {
        Some(words) => format!("Skep: {words}"),
        None => "Skep".to_owned(),
    }
}

/// What programs know a torrent by, from whichever address they read the feed.
fn id(hash: &InfoHash) -> String {
    format!("urn:btih:{hash}")
}

fn page(hash: &InfoHash, site: &Site) -> String {
    format!("{}/torrents/{hash}", site.base())
}

/// The .torrent file; a magnet link, if the hub has none.
fn link(torrent: &Torrent, site: &Site) -> String {
    if torrent.has_metainfo { site.torrent_url(&torrent.info_hash) } else { site.magnet(torrent) }
}

fn description(torrent: &Torrent) -> String {
    let bytes = torrent.size.map_or_else(|| "size unknown".to_owned(), format_size);
    match &torrent.comment {
        Some(comment) => format!("{bytes}. {comment}"),
        None => bytes,
    }
}

fn moment(at: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at).ok()
}
