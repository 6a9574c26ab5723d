//! The front page: what this hub is, and what it has.

use std::sync::Arc;

use axum::extract::State;
use maud::{Markup, html};

use super::format::{count, size, span};
use super::layout::{self, Place};
use crate::api::{ApiState, Parameters, Problem, Site, Swarm, percent_encoded};
use crate::catalogue::{Query, Torrent};
use crate::config::Mode;

/// Torrents of one page.
const PAGE_TORRENTS: usize = 50;

/// `GET /?query=&cursor=`
pub(super) async fn page(
    State(state): State<Arc<ApiState>>,
    site: Site,
    parameters: Parameters,
) -> Result<Markup, Problem> {
    let words = parameters.get("query");
    let cursor = parameters.get("cursor");
    let query =
        Query { words: words.map(str::to_owned), limit: PAGE_TORRENTS, cursor: cursor.map(str::to_owned) };
    let page = state.catalogue().list(query).await?;
    let title = words.unwrap_or("Catalogue");
    Ok(layout::page(
        title,
        Some(Place::Catalogue),
        html! {
            @if state.credit_fails() { (super::credit_waits()) }
            @if words.is_none() && cursor.is_none() { (welcome(&state, &site)) }
            section aria-labelledby="catalogue" {
                div .bar {
                    h1 #catalogue .small { @if words.is_some() { "Found" } @else { "Catalogue" } }
                    @if state.mode() == Mode::Members { a href="/account" { "Your account" } }
                    form .search role="search" action="/" method="get" {
                        label .hidden for="query" { "Words in names and file names" }
                        input #query type="search" name="query" value=[words] maxlength="1024" autocomplete="off"
                            placeholder="Search names and files";
                        button { "Search" }
                    }
                }
                @if page.torrents.is_empty() {
                    (nothing(words))
                } @else {
                    (table(&page.torrents, &site, &state))
                    (paging(words, cursor.is_some(), page.next.as_deref()))
                }
            }
        },
    ))
}

fn welcome(state: &ApiState, site: &Site) -> Markup {
    let stats = state.tracker().stats();
    let peers = stats.population.peers();
    html! {
        section .hero {
            div {
                p .lead {
                    "This is a BitTorrent hub: it introduces people who have a file to those who want it. "
                    "Take something from the catalogue, or share your own by announcing it here."
                }
                p .figures {
                    span { strong { (count(stats.swarms as u64)) } " swarms" }
                    span { strong { (count(peers as u64)) } " peers" }
                    span { strong { (count(stats.population.seeders as u64)) } " of them seeding" }
                    span { "up for " strong { (span(stats.uptime_secs)) } }
                }
            }
            div .announce {
                h2 { "Announce addresses" }
                @for url in site.announce_urls() { code .copy { (url) } }
            }
        }
    }
}

fn table(torrents: &[Torrent], site: &Site, state: &ApiState) -> Markup {
    html! {
        table .torrents {
            thead {
                tr {
                    th scope="col" { "Name" }
                    th .number scope="col" { "Size" }
                    th .number scope="col" { "Seeders" }
                    th .number scope="col" { "Leechers" }
                    th .number scope="col" { "Completed" }
                    th scope="col" { "Get" }
                }
            }
            tbody { @for torrent in torrents { (row(torrent, site, state)) } }
        }
    }
}

fn row(torrent: &Torrent, site: &Site, state: &ApiState) -> Markup {
    let hash = torrent.info_hash;
    let swarm = Swarm::of(torrent, state);
    html! {
        tr {
            th .name scope="row" {
                a href={ "/torrents/" (hash) } { (name(torrent)) }
                @if torrent.private { " " span .badge { "private" } }
            }
            td .number data-label="Size" { @if let Some(bytes) = torrent.size { (size(bytes)) } @else { "?" } }
            td .number .seeders .none[swarm.seeders == 0] data-label="Seeders" { (count(swarm.seeders.into())) }
            td .number .leechers .none[swarm.leechers == 0] data-label="Leechers" { (count(swarm.leechers.into())) }
            td .number data-label="Completed" { (count(swarm.completed)) }
            td .get {
                a href=(site.magnet(torrent)) { "Magnet" span .hidden { " link of " (name(torrent)) } }
                @if torrent.has_metainfo {
                    a href={ "/t/" (hash) ".torrent" } { ".torrent" span .hidden { " file of " (name(torrent)) } }
                }
            }
        }
    }
}

/// What a torrent is called, or else its hash.
pub(super) fn name(torrent: &Torrent) -> String {
    if torrent.name.is_empty() { torrent.info_hash.to_string() } else { torrent.name.clone() }
}

fn paging(words: Option<&str>, is_later: bool, next: Option<&str>) -> Markup {
    let href = |cursor: Option<&str>| {
        let pairs = [words.map(|words| ("query", words)), cursor.map(|cursor| ("cursor", cursor))];
        let pairs: Vec<String> = pairs
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
            .collect();
        if pairs.is_empty() { String::from("/") } else { format!("/?{}", pairs.join("&")) }
    };
    html! {
        @if is_later || next.is_some() {
            nav .paging aria-label="Pages of the list" {
                @if is_later { a href=(href(None)) { "First page" } }
                @if let Some(next) = next { a .next href=(href(Some(next))) rel="next" { "Next page" } }
            }
        }
    }
}

fn nothing(words: Option<&str>) -> Markup {
    html! {
        div .empty {
            @match words {
                Some(words) => {
                    p { "Nothing in the catalogue matches “" (words) "”." }
                    p { a href="/" { "Show everything" } }
                }
                None => {
                    p { "The catalogue is empty so far." }
                    p { a href="/add" { "Add a torrent" } ", or type " code { "skep add FILE.torrent" } }
                }
            }
        }
    }
}
