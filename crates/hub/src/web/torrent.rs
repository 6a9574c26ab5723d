//! One torrent.

use std::sync::Arc;

use axum::extract::{Path, State};
use maud::{Markup, html};

use super::catalogue::name;
use super::format::{count, counted, date, size};
use super::layout;
use crate::api::{ApiState, Problem, Site, Swarm, find};
use crate::catalogue::{Torrent, TorrentFile};

/// Files that the page lists.
const FILES_SHOWN_MAX: usize = 1000;

/// `GET /torrents/<hash>`
pub(super) async fn page(
    State(state): State<Arc<ApiState>>,
    site: Site,
    Path(hash): Path<String>,
) -> Result<Markup, Problem> {
    let torrent = find(&hash, &state).await?;
    let swarm = Swarm::of(&torrent, &state);
    Ok(layout::page(
        &name(&torrent),
        None,
        html! {
            article {
                p .eyebrow { a href="/" { "Catalogue" } }
                h1 .title { (name(&torrent)) }
                div .figures {
                    @if let Some(bytes) = torrent.size { span { strong { (size(bytes)) } } }
                    (figure(swarm.seeders.into(), "seeder", "seeders"))
                    (figure(swarm.leechers.into(), "leecher", "leechers"))
                    span { strong { (count(swarm.completed)) } " completed" }
                    @if torrent.private { span .badge { "private" } }
                }
                p .actions {
                    a .button href=(site.magnet(&torrent)) { "Magnet link" }
                    @if torrent.has_metainfo {
                        a .button .second href={ "/t/" (torrent.info_hash) ".torrent" } { ".torrent file" }
                    }
                }
                @if let Some(comment) = &torrent.comment { p .comment { (comment) } }
                (facts(&torrent))
                (files(&torrent.files))
            }
        },
    ))
}

fn figure(number: u64, one: &str, class: &str) -> Markup {
    let words = counted(number, one);
    let (number, noun) = words.split_once(' ').unwrap_or((&words, ""));
    html! { span .(class) { strong { (number) } " " (noun) } }
}

fn facts(torrent: &Torrent) -> Markup {
    let day = |secs| date(secs).map(|day| html! { time datetime=(day) { (day) } });
    let rows = [
        ("Info hash", Some(html! { code .copy { (torrent.info_hash) } })),
        ("Pieces of", torrent.piece_length.map(|bytes| html! { (size(bytes)) })),
        ("Made", torrent.created_at.and_then(day)),
        ("Made with", torrent.created_by.as_ref().map(|program| html! { (program) })),
        ("Added here", day(torrent.added_at)),
    ];
    html! {
        dl .facts {
            @for (term, fact) in rows {
                @if let Some(fact) = fact { div { dt { (term) } dd { (fact) } } }
            }
        }
    }
}

fn files(files: &[TorrentFile]) -> Markup {
    let more = files.len().saturating_sub(FILES_SHOWN_MAX);
    html! {
        @if !files.is_empty() {
            h2 { (counted(files.len() as u64, "file")) }
            table .files {
                thead { tr { th scope="col" { "Path" } th .number scope="col" { "Size" } } }
                tbody {
                    @for file in files.iter().take(FILES_SHOWN_MAX) {
                        tr { td .path { (file.path) } td .number { (size(file.length)) } }
                    }
                }
            }
            @if more > 0 { p .more { "and " (counted(more as u64, "file")) " more" } }
        }
    }
}
