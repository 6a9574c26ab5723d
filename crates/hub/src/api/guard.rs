//! What holds for every request and every answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::links::{Site, client_ip};
use super::standing::Standing;
use super::text::quoted;
use super::{ApiState, Problem, import};
use crate::config::Mode;
use crate::web;

/// Seconds that a request may take, its body included.
const REQUEST_SECS_MAX: u64 = 60;

/// Seconds that an import may take.
const IMPORT_SECS_MAX: u64 = 600;

/// Bytes of the sentence in an error that is not a problem yet.
const SENTENCE_BYTES_MAX: usize = 1024;

/// Pages show what strangers wrote: nothing but our own style is loaded, no script runs, nobody frames them.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                                       base-uri 'none'; frame-ancestors 'none'";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Stands around the router: turns away what other sites make a browser send, limits the time, gives every error the
/// form its reader understands, and every answer the headers that keep browsers safe.
pub(super) async fn guard(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let for_people = wants_page(&uri, request.headers());
    let mut response = match pass(&state, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        response = shown(response, &method, &uri, for_people).await;
    }
    secure(response.headers_mut());
    response
}

async fn pass(state: &ApiState, request: Request, next: Next) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    if !state.access().lists().admit_api(client_ip(&parts)?) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "this hub's pages and API are not for your network"));
    }
    if !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        // A page elsewhere could make its visitor's browser change things on a hub that only the visitor reaches.
        let site = Site::of(&parts, state.udp_port)?;
        if is_foreign(&parts.headers, &site) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "a page of another site may not change anything here",
            ));
        }
    }
    let standing = Standing::of(&parts, state);
    // A secret for somebody else, which a proxy may send with everything, is wrong only where one is looked at.
    let wrong_from = standing.is_err().then(|| client_ip(&parts)).transpose()?;
    if state.mode() == Mode::Members && !is_public(parts.uri.path()) {
        match standing {
            Ok(standing) => standing.require_to_see(state.mode())?,
            Err(wrong) => return wrong_from.map_or(Ok(()), |ip| state.note_wrong_secret(ip)).and(Err(wrong)),
        }
    }
    let secs = if parts.uri.path() == import::PATH { IMPORT_SECS_MAX } else { REQUEST_SECS_MAX };
    let answer = next.run(Request::from_parts(parts, body));
    let answer = tokio::time::timeout(Duration::from_secs(secs), answer).await.map_err(|_| {
        let detail = format!("the request took more than {secs} seconds");
        Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
            .header(header::CONNECTION, HeaderValue::from_static("close"))
    })?;
    if let Some(ip) = wrong_from.filter(|_| answer.status() == StatusCode::FORBIDDEN) {
        state.note_wrong_secret(ip)?;
    }
    Ok(answer)
}

/// What a hub for members has for others, too: how it is, and the ways in.
fn is_public(path: &str) -> bool {
    matches!(
        path,
        "/health" | "/ready" | "/sign-in" | "/sign-out" | "/style.css" | "/icon.svg" | "/api/v1/join"
    )
}

/// Whether a browser sent the request on behalf of another site than `own`. Programs that are no browsers send neither
/// header.
fn is_foreign(headers: &HeaderMap, own: &Site) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let origin = headers.get(header::ORIGIN);
    origin.is_some_and(|origin| !origin.to_str().is_ok_and(|origin| own.is_origin(origin)))
}

/// Whether who asks is a browser that shows a page, and not a program.
fn wants_page(uri: &Uri, headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(',')).filter_map(|one| one.split(';').next());
    !uri.path().starts_with("/api/") && types.any(|one| one.trim().eq_ignore_ascii_case("text/html"))
}

/// The same error as a problem, or as a page.
async fn shown(response: Response, method: &Method, uri: &Uri, for_people: bool) -> Response {
    let (response, problem) = match response.extensions().get::<Problem>().cloned() {
        Some(problem) => (response, problem),
        // Old calls have errors of their own form.
        None if is_json(response.headers()) => return response,
        None => {
            let (parts, body) = response.into_parts();
            let problem = Problem::new(parts.status, sentence(parts.status, body, method, uri).await);
            let mut told = problem.clone().into_response();
            for name in [header::ALLOW, header::RETRY_AFTER] {
                if let Some(value) = parts.headers.get(&name) {
                    told.headers_mut().insert(name, value.clone());
                }
            }
            (told, problem)
        }
    };
    if !for_people {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let page = match problem.status() {
        StatusCode::UNAUTHORIZED => web::sign_in_to(uri, &problem),
        _ => web::problem(&problem),
    };
    Response::from_parts(parts, Body::from(page.into_string()))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

/// What an error says that comes from the router itself or from axum.
async fn sentence(status: StatusCode, body: Body, method: &Method, uri: &Uri) -> String {
    let path = quoted(uri.path());
    match status {
        StatusCode::NOT_FOUND => format!("there is nothing at {path}"),
        StatusCode::METHOD_NOT_ALLOWED => {
            format!("{} cannot be done with {path}; the header Allow names what can", quoted(method.as_str()))
        }
        _ => match to_bytes(body, SENTENCE_BYTES_MAX).await {
            Ok(bytes) if !bytes.is_empty() => String::from_utf8_lossy(&bytes).into_owned(),
            _ => status.canonical_reason().unwrap_or("Error").to_owned(),
        },
    }
}

fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Links depend on the Host, answers on the token, counts on the moment.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
