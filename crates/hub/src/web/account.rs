//! What a member is credited, for itself to see.

use std::sync::Arc;

use axum::extract::State;
use maud::{Markup, html};
use swarm::InfoHash;

use super::format::{count, date, size, span};
use super::layout;
use crate::api::{ApiState, Parameters, Problem, Standing};
use crate::store::ledger::{Account, TorrentAccount};

/// Torrents of one page.
const PAGE_TORRENTS: usize = 50;

/// A torrent of the page, and what it is called if it is in the catalogue.
type Row = (TorrentAccount, Option<String>);

/// `GET /account?cursor=`
pub(super) async fn page(
    State(state): State<Arc<ApiState>>,
    standing: Standing,
    parameters: Parameters,
) -> Result<Markup, Problem> {
    let Standing::Member(member) = standing else {
        return Err(Problem::not_found("only a member who has signed in has an account"));
    };
    let cursor = parameters.get("cursor");
    let after: Option<InfoHash> = cursor
        .map(str::parse)
        .transpose()
        .map_err(|error: swarm::InfoHashError| Problem::bad_request(error.to_string()))?;
    let (account, torrents) = state.account(member.user, after, PAGE_TORRENTS).await?;
    let next = torrents.last().filter(|_| torrents.len() == PAGE_TORRENTS).map(|last| last.torrent);
    let mut names = state.names(torrents.iter().map(|row| row.torrent).collect()).await;
    let rows: Vec<Row> = torrents.into_iter().map(|row| (row, names.remove(&row.torrent))).collect();
    Ok(layout::page(
        "Your account",
        None,
        html! {
            @if state.credit_fails() { (super::credit_waits()) }
            section aria-labelledby="account" {
                div .bar {
                    h1 #account .small { "Your account" }
                    form action="/sign-out" method="post" { button .button .second { "Sign out" } }
                }
                (sums(&account))
                @if rows.is_empty() {
                    div .empty { p { "Nothing of what you have announced is credited so far." } }
                } @else {
                    (table(&rows))
                    @if cursor.is_some() || next.is_some() {
                        nav .paging aria-label="Pages of the list" {
                            @if cursor.is_some() { a href="/account" { "First page" } }
                            @if let Some(next) = next { a .next href={ "/account?cursor=" (next) } rel="next" { "Next page" } }
                        }
                    }
                }
            }
        },
    ))
}

fn sums(account: &Account) -> Markup {
    html! {
        p .figures {
            span { strong { (size(account.credited_up)) } " shared" }
            span { strong { (size(account.credited_down)) } " taken" }
            span { "ratio " strong { (ratio(account)) } }
            span { "seeding for " strong { (secs(account.seed_secs)) } }
            @if account.flagged > 0 { span { strong { (count(account.flagged)) } " reports that could not be true" } }
        }
        @if (account.credited_up, account.credited_down) != (account.uploaded, account.downloaded) {
            p .more {
                "Of " (size(account.uploaded)) " sent and " (size(account.downloaded)) " received, with the factors of their time."
            }
        }
    }
}

fn table(rows: &[Row]) -> Markup {
    html! {
        table .torrents {
            thead {
                tr {
                    th scope="col" { "Name" }
                    th .number scope="col" { "Shared" }
                    th .number scope="col" { "Taken" }
                    th .number scope="col" { "Ratio" }
                    th .number scope="col" { "Seeding" }
                    th .number scope="col" { "Completed" }
                }
            }
            tbody {
                @for (TorrentAccount { torrent, account, completed_at, .. }, name) in rows {
                    tr {
                        th .name scope="row" {
                            @match name {
                                Some(name) => a href={ "/torrents/" (torrent) } { (name) },
                                None => (torrent),
                            }
                        }
                        td .number data-label="Shared" { (size(account.credited_up)) }
                        td .number data-label="Taken" { (size(account.credited_down)) }
                        td .number data-label="Ratio" { (ratio(account)) }
                        td .number data-label="Seeding" { (secs(account.seed_secs)) }
                        td .number data-label="Completed" { (completed_at.and_then(date).unwrap_or_else(|| "–".to_owned())) }
                    }
                }
            }
        }
    }
}

/// Shared ÷ taken.
fn ratio(account: &Account) -> String {
    if account.credited_down == 0 {
        return "–".to_owned();
    }
    // Hundredths, so that nothing is rounded up to what was not reached.
    let hundredths = u128::from(account.credited_up) * 100 / u128::from(account.credited_down);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn secs(secs: u64) -> String {
    span(u32::try_from(secs).unwrap_or(u32::MAX))
}
