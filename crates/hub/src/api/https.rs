//! Who came without TLS goes on with it, if that is configured, and browsers are told to begin with it.
//!
//! The tracker answers before this (`front`), so announces and scrapes are never sent elsewhere: old clients do not follow.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{ApiState, Site};
use crate::config::TlsConfig;
use crate::hub::Bound;

/// What is done for HTTPS.
pub(super) struct Https {
    redirect: bool,
    /// The port to be sent to, unless it is the one that was come to.
    port: Option<u16>,
    /// `Strict-Transport-Security` (RFC 6797), if it is sent.
    hsts: Option<HeaderValue>,
}

impl Https {
    pub(super) fn new(config: &TlsConfig, bound: &Bound) -> Self {
        let speaks_both = bound.http.iter().all(|address| bound.https.contains(address));
        let port = bound.https.first().map(|address| address.port());
        let hsts = format!("max-age={}", config.hsts_secs);
        Self {
            redirect: config.redirect && port.is_some(),
            // Where all ports speak both, the one that was come to is known to be reached, by whatever number.
            port: port.filter(|_| !speaks_both),
            hsts: (config.hsts_secs > 0).then(|| HeaderValue::from_str(&hsts).ok()).flatten(),
        }
    }
}

/// Stands before the routes.
pub(super) async fn https(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let Https { redirect, port, hsts } = &state.https;
    if !redirect && hsts.is_none() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(site) = Site::of(&parts, state.udp_port) else {
        // Those who answer say what is wrong with the Host.
        return next.run(Request::from_parts(parts, body)).await;
    };
    if *redirect && !site.is_https() {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let location = format!("{}{path}", site.by_https(*port).base());
        // For this time only: nobody shall remember it when it is not configured any more.
        let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store".to_owned())];
        return (StatusCode::PERMANENT_REDIRECT, headers).into_response();
    }
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(hsts) = hsts.as_ref().filter(|_| site.is_https()) {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    response
}
