//! What all pages have around them.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{ICON, STYLE_HREF};

/// The places in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Catalogue,
    Add,
}

/// A page with `title`, at `place` of the navigation if it has one there.
pub(super) fn page(title: &str, place: Option<Place>, content: Markup) -> Markup {
    let link = |href, at, name| {
        html! { a href=(href) aria-current=[(place == Some(at)).then_some("page")] { (name) } }
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Skep" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href=(*STYLE_HREF);
                link rel="alternate" type="application/rss+xml" title="New torrents" href="/feed";
            }
            body {
                a .skip href="#content" { "Skip to the content" }
                header .top {
                    a .brand href="/" { span .icon aria-hidden="true" { (PreEscaped(ICON)) } "Skep" }
                    nav aria-label="Pages" {
                        (link("/", Place::Catalogue, "Catalogue"))
                        (link("/add", Place::Add, "Add a torrent"))
                    }
                }
                main id="content" { (content) }
                footer {
                    "Skep " (env!("CARGO_PKG_VERSION")) " · "
                    a href="/api/v1/torrents" { "JSON" } " · "
                    a href="/feed" { "RSS" } " · "
                    a href="/health" { "Health" }
                }
            }
        }
    }
}
