//! Where a hub for members asks a browser's person for the passkey, which the browser then shows by itself.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::layout;
use crate::api::{ApiState, COOKIE, Parameters, Problem, Site, Standing};

/// Bytes of a form that is sent.
const FORM_BYTES_MAX: usize = 4 << 10;

/// Seconds that a browser keeps the passkey: a year.
const COOKIE_SECS: u32 = 31_536_000;

/// `GET /sign-in`
pub(super) async fn page() -> Markup {
    form("/", None)
}

/// The same in place of the page at `uri`, which is for members.
pub(crate) fn sign_in_to(uri: &Uri, problem: &Problem) -> Markup {
    form(uri.path_and_query().map_or("/", |to| to.as_str()), Some(problem))
}

/// `POST /sign-in`
pub(super) async fn sign_in(
    State(state): State<Arc<ApiState>>,
    site: Site,
    request: Request,
) -> Result<Response, Problem> {
    let form = read(request.into_body(), &state).await?;
    let passkey = form.get("passkey").unwrap_or_default().trim();
    if !matches!(Standing::of_secret(passkey.as_bytes(), &state)?, Standing::Member(_)) {
        return Err(Problem::bad_request("this is a token: only passkeys sign members in here"));
    }
    // Only to a place of this site, whatever the form says.
    let to = form.get("to").filter(|to| to.starts_with('/') && !to.starts_with("//")).unwrap_or("/");
    Ok(with_cookie(passkey, COOKIE_SECS, &site, to))
}

/// `POST /sign-out`
pub(super) async fn sign_out(site: Site) -> Response {
    with_cookie("", 0, &site, "/sign-in")
}

fn with_cookie(passkey: &str, secs: u32, site: &Site, to: &str) -> Response {
    let secure = if site.is_https() { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={passkey}; Path=/; Max-Age={secs}; HttpOnly; SameSite=Strict{secure}");
    let mut response = Redirect::to(to).into_response();
    // A passkey that the hub knows is made of hexadecimal digits.
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

async fn read(body: Body, state: &ApiState) -> Result<Parameters, Problem> {
    let bytes = state.read_short(body, FORM_BYTES_MAX).await?;
    Parameters::of_form(&bytes)
}

fn form(to: &str, problem: Option<&Problem>) -> Markup {
    layout::page(
        "Sign in",
        None,
        html! {
            section .narrow {
                h1 { "Members only" }
                @match problem {
                    Some(problem) if problem.status().as_u16() != 401 => p .lead { (super::sentence(problem.detail())) },
                    _ => p .lead { "This hub is for its members. Your passkey opens it; it was told to you when you joined." },
                }
                form .card action="/sign-in" method="post" {
                    label for="passkey" { "Passkey" }
                    input #passkey type="password" name="passkey" required autocomplete="current-password";
                    input type="hidden" name="to" value=(to);
                    button { "Sign in" }
                }
            }
        },
    )
}
