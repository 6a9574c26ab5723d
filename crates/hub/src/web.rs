//! The pages: what this hub is, its catalogue, one torrent, a form to add one. They work without scripts, and show what
//! strangers wrote as text and nothing else.

mod account;
mod add;
mod catalogue;
mod format;
mod layout;
mod sign_in;
mod torrent;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use maud::{Markup, html};

use crate::api::{ApiState, Problem};
pub(crate) use sign_in::sign_in_to;

/// Where the pages' style is: its address changes with its content, so that browsers may keep it.
static STYLE_HREF: LazyLock<String> =
    LazyLock::new(|| format!("/style.css?v={}", &blake3::hash(STYLE.as_bytes()).to_hex()[..12]));

const STYLE: &str = include_str!("../../../web/style.css");
const ICON: &str = include_str!("../../../web/icon.svg");

/// How browsers may keep what never changes under its address.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// How browsers may keep what seldom changes.
const FOR_A_DAY: &str = "public, max-age=86400";

/// The routes of all pages, and of what they are made with.
pub(crate) fn router() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/", get(catalogue::page))
        .route("/torrents/{hash}", get(torrent::page))
        .route("/add", get(add::page).post(add::upload))
        .route("/account", get(account::page))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/style.css", get(style))
        .route("/icon.svg", get(icon))
}

/// The page that says why there is no other.
pub(crate) fn problem(problem: &Problem) -> Markup {
    let heading = problem.title();
    layout::page(
        heading,
        None,
        html! {
            section .narrow {
                p .eyebrow { "Error " (problem.status().as_u16()) }
                h1 { (heading) }
                p .lead { (sentence(problem.detail())) }
                p { a href="/" { "To the catalogue" } }
            }
        },
    )
}

/// What members are to know when their credit cannot be written. The reason is for those who run the hub.
fn credit_waits() -> Markup {
    html! {
        p .notice role="status" {
            "What you share is not being credited at the moment, as the hub cannot write it down. Go on: what your client reports "
            "is counted from its totals, once that is mended."
        }
    }
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, FOR_GOOD)], STYLE)
}

async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, FOR_A_DAY)], ICON)
}

/// A problem's detail with a capital and a full stop.
fn sentence(detail: &str) -> String {
    let mut chars = detail.chars();
    let first = chars.next().map_or_else(String::new, |c| c.to_uppercase().collect());
    let stop = if detail.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", chars.as_str())
}
