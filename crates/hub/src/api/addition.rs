//! The way into the catalogue, for the API, the old calls and the page alike.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use wire::metainfo::Metainfo;

use super::body::Held;
use super::links::client_ip;
use super::standing::Standing;
use super::text::{cut, quoted};
use super::{ApiState, Problem, audit, facts, fields, to_its_end};
use crate::acts::Actor;
use crate::catalogue::{Added, Limits, NewTorrent, Outcome, TorrentFile};
use crate::config::{Mode, Publish, format_size};
use crate::store::roll::{Role, Scope};
use crate::webhooks::Event;

/// Bytes of a multipart body beyond the file: the parts' heads, and small fields.
const MULTIPART_EXTRA_BYTES: usize = 16 << 10;

/// Who adds, and what that person may.
#[derive(Debug, Clone)]
pub(crate) struct Adder {
    ip: IpAddr,
    standing: Standing,
}

/// What a form or a multipart request holds.
#[derive(Debug, Default)]
pub(crate) struct Form {
    /// The admin token, from a browser that cannot send it in a header.
    pub token: Option<String>,
    /// The .torrent file.
    pub file: Option<Vec<u8>>,
}

impl FromRequestParts<Arc<ApiState>> for Adder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        Ok(Self { ip: client_ip(parts)?, standing: Standing::of(parts, state)? })
    }
}

impl Adder {
    /// The same with the token that a form holds.
    ///
    /// # Errors
    ///
    /// 403 if it is wrong.
    pub(crate) fn with_token(self, token: Option<&str>, state: &ApiState) -> Result<Self, Problem> {
        match token.filter(|token| !token.is_empty()) {
            Some(token) => Ok(Self { standing: Standing::of_secret(token.as_bytes(), state)?, ..self }),
            None => Ok(self),
        }
    }

    /// Whether this person may add anything, and now; takes one of the tries that an address has.
    ///
    /// # Errors
    ///
    /// See [`authorize`](Self::authorize) and [`take_turn`](Self::take_turn).
    pub(crate) fn admit(&self, state: &ApiState) -> Result<(), Problem> {
        self.authorize(state)?;
        self.take_turn(state)
    }

    /// Whether this person may add anything.
    ///
    /// # Errors
    ///
    /// 401 if only members, uploaders or tokens open the catalogue, and 403 for a member who may not.
    pub(crate) fn authorize(&self, state: &ApiState) -> Result<(), Problem> {
        match (state.publish, &self.standing) {
            (_, Standing::Holder { .. }) | (Publish::Token, _) => self.standing.require(Scope::Torrents),
            (Publish::Anyone, _) => self.standing.require_to_see(state.mode()),
            (Publish::Uploaders, Standing::Member(member)) if member.role == Role::Member => Err(
                Problem::new(StatusCode::FORBIDDEN, "only uploaders add torrents here; ask to become one"),
            ),
            (Publish::Uploaders, Standing::Member(_)) => Ok(()),
            (Publish::Uploaders, Standing::Stranger) => self.standing.require(Scope::Torrents),
        }
    }

    /// Takes one of the tries that an address has in a minute; who has shown the token needs none.
    ///
    /// # Errors
    ///
    /// 429 if there is none left.
    pub(crate) fn take_turn(&self, state: &ApiState) -> Result<(), Problem> {
        if self.standing.may(Scope::Torrents) {
            return Ok(());
        }
        state.additions.take(self.ip, 1, Instant::now()).map_err(|wait| {
            let secs = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
            let most = state.additions_per_minute;
            Problem::too_many(format!("your address may add {most} torrents a minute; wait {secs} s"), secs)
        })
    }

    /// Adds a torrent to the catalogue, and keeps its swarm. It is on disk when this returns.
    ///
    /// # Errors
    ///
    /// See [`AddError`](crate::catalogue::AddError).
    pub(crate) async fn add(&self, state: &Arc<ApiState>, mut torrent: NewTorrent) -> Result<Added, Problem> {
        if state.mode() == Mode::Members && !torrent.private {
            return Err(fields::invalid(
                "the torrent is not private (BEP 27), and clients would tell others of its peers; make it anew as a \
                 private one, with `skep make --private`",
            ));
        }
        if !state.access().lists().admit_torrent(&torrent.info_hash) {
            let detail = "this torrent may not be added here; ask those who run this hub";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        // The limits per address do not hold for who has the token.
        torrent.added_from = (!self.standing.may(Scope::Torrents)).then_some(self.ip);
        let (state, actor) = (state.clone(), self.actor());
        to_its_end(async move {
            let added = state.catalogue.add(torrent).await?;
            state.pin(&added.torrent);
            if added.outcome == Outcome::Created {
                state.webhooks.tell(|| Event::TorrentAdded((&added.torrent).into()));
            }
            if let (Some(actor), Outcome::Created | Outcome::Updated) = (actor, added.outcome) {
                audit::record(&state, "torrent.add", &added.torrent.info_hash.to_string(), &actor).await;
            }
            Ok(added)
        })
        .await
    }

    /// Who is recorded to have added a torrent: whoever has shown a token.
    fn actor(&self) -> Option<Actor> {
        match &self.standing {
            Standing::Holder { name, .. } => Some(Actor { who: name.clone(), address: self.ip }),
            Standing::Member(_) | Standing::Stranger => None,
        }
    }
}

/// The torrent in the body of a request: a .torrent file, a form with one, or facts in JSON.
///
/// # Errors
///
/// 415 for another type, 413 for too much of it, 400 for what is none.
pub(crate) async fn torrent(parts: &Parts, body: Body, state: &ApiState) -> Result<NewTorrent, Problem> {
    match media_type(parts).as_str() {
        "application/x-bittorrent" => from_metainfo(metainfo(body, state).await?.bytes, state).await,
        "multipart/form-data" => match form(parts, body, state).await?.file {
            Some(file) => from_metainfo(file, state).await,
            None => {
                Err(Problem::bad_request("the form has no file: a .torrent is expected in a field `file`"))
            }
        },
        "application/json" => facts::decode(&state.bodies.read(body, state.body_bytes_max).await?.bytes),
        other => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!(
                "Content-Type {} is not understood here: application/x-bittorrent, multipart/form-data or \
                 application/json is expected",
                quoted(other)
            ),
        )),
    }
}

/// The parts of a form that count: fields `token` and `file`, or any part with a file's name.
///
/// # Errors
///
/// 400 for a broken form, or one with several files; 413 for too much.
pub(crate) async fn form(parts: &Parts, body: Body, state: &ApiState) -> Result<Form, Problem> {
    let bytes_max = state.metainfo_bytes_max.saturating_add(MULTIPART_EXTRA_BYTES);
    let held = state.bodies.read(body, bytes_max).await?;
    let mut request = Request::new(Body::from(held.bytes.clone()));
    *request.headers_mut() = parts.headers.clone();
    let broken =
        |error: &dyn std::fmt::Display| Problem::bad_request(format!("the form cannot be read: {error}"));
    let mut multipart =
        Multipart::from_request(request, &()).await.map_err(|error| broken(&error.body_text()))?;
    let mut form = Form::default();
    while let Some(field) = multipart.next_field().await.map_err(|error| broken(&error.body_text()))? {
        let is_file = field.file_name().is_some() || matches!(field.name(), Some("file" | "torrent"));
        let is_token = field.name() == Some("token");
        let bytes = field.bytes().await.map_err(|error| broken(&error.body_text()))?;
        if is_token {
            form.token = Some(String::from_utf8_lossy(&bytes).trim().to_owned());
        } else if is_file && form.file.replace(bytes.to_vec()).is_some() {
            return Err(Problem::bad_request(
                "the form has several files: one .torrent at a time is expected",
            ));
        }
    }
    Ok(form)
}

/// Reads a .torrent file, all of whose facts are proven by it.
///
/// # Errors
///
/// 400 if it is none, 413 if it is too large.
pub(crate) async fn from_metainfo(bytes: Vec<u8>, state: &ApiState) -> Result<NewTorrent, Problem> {
    if bytes.len() > state.metainfo_bytes_max {
        return Err(too_large(state));
    }
    // A large one takes a while, in which others can be served.
    let decoded = tokio::task::spawn_blocking(move || decode(bytes)).await;
    decoded.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the .torrent could not be read"))?
}

fn decode(bytes: Vec<u8>) -> Result<NewTorrent, Problem> {
    let metainfo = Metainfo::decode(&bytes)
        .map_err(|fault| Problem::bad_request(format!("this is no .torrent file: {}", fault.reason())))?;
    let files = metainfo.files().iter().filter(|file| !file.pad);
    let limits = Limits::default();
    Ok(NewTorrent {
        size: Some(metainfo.size()),
        piece_length: Some(metainfo.piece_length()),
        files: files.map(|file| TorrentFile { path: file.path.join("/"), length: file.length }).collect(),
        private: metainfo.private(),
        // They stay whole in the file itself.
        comment: metainfo.comment().map(|text| cut(text, limits.comment_bytes_max).to_owned()),
        created_by: metainfo.created_by().map(|text| cut(text, limits.created_by_bytes_max).to_owned()),
        created_at: metainfo.creation_date(),
        ..NewTorrent::named(metainfo.info_hash(), metainfo.name())
    })
    .map(|torrent| NewTorrent { metainfo: Some(bytes), ..torrent })
}

async fn metainfo(body: Body, state: &ApiState) -> Result<Held, Problem> {
    state.bodies.read(body, state.metainfo_bytes_max).await.map_err(|problem| {
        if problem.status() == StatusCode::PAYLOAD_TOO_LARGE { too_large(state) } else { problem }
    })
}

fn too_large(state: &ApiState) -> Problem {
    let most = format_size(state.metainfo_bytes_max as u64);
    Problem::too_large(format!("the .torrent file has more than the {most} that are taken"))
}

/// The media type without its parameters, in lower case; empty if none is stated.
fn media_type(parts: &Parts) -> String {
    let value = parts.headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    let value = String::from_utf8_lossy(value);
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
