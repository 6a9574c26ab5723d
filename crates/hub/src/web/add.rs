//! The form with which a .torrent file comes into the catalogue.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Redirect;
use maud::{Markup, html};

use super::layout::{self, Place};
use crate::api::{Adder, ApiState, Problem, Site, form, from_metainfo};
use crate::config::{Publish, format_size};

/// `GET /add`
pub(super) async fn page(State(state): State<Arc<ApiState>>, site: Site) -> Markup {
    let by_token = state.publish() == Publish::Token;
    let most = format_size(state.metainfo_bytes_max() as u64);
    layout::page(
        "Add a torrent",
        Some(Place::Add),
        html! {
            section .narrow {
                h1 { "Add a torrent" }
                p .lead {
                    "Choose a .torrent file, and it can be found here. The files themselves stay with you: "
                    "keep your BitTorrent client seeding them."
                }
                form .card action="/add" method="post" enctype="multipart/form-data" {
                    @if by_token {
                        label for="token" { "Admin token" }
                        input #token type="password" name="token" required autocomplete="off";
                        p .hint { "On this hub only who has the token adds to the catalogue." }
                    }
                    label for="file" { "Torrent file" }
                    input #file type="file" name="file" accept=".torrent,application/x-bittorrent" required;
                    p .hint { "Up to " (most) ". Its trackers are replaced by this hub in what others download." }
                    button { "Add to the catalogue" }
                }
                h2 { "From a terminal" }
                pre { code { "skep add FILE.torrent --tracker " (site.base()) } }
            }
        },
    )
}

/// `POST /add`
pub(super) async fn upload(
    State(state): State<Arc<ApiState>>,
    adder: Adder,
    request: Request,
) -> Result<Redirect, Problem> {
    // The token, if there is one, is in the form: so many are read from one address, whatever they hold.
    adder.take_turn(&state)?;
    let (parts, body) = request.into_parts();
    let form = form(&parts, body, &state).await?;
    let adder = adder.with_token(form.token.as_deref(), &state)?;
    adder.authorize(&state)?;
    let file = form.file.filter(|file| !file.is_empty());
    let file = file.ok_or_else(|| Problem::bad_request("no file was chosen: a .torrent is expected"))?;
    let added = adder.add(&state, from_metainfo(file, &state).await?).await?;
    Ok(Redirect::to(&format!("/torrents/{}", added.torrent.info_hash)))
}
