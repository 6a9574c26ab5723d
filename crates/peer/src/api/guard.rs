//! What holds for every request and every answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Problem, Shared};

/// How long a request may take, its body included.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(120);

/// Bytes of the sentence in an error that is not a problem yet.
const SENTENCE_BYTES_MAX: usize = 1024;

/// What anybody may ask.
const OPEN: &str = "/api/v1/health";

/// Stands around the router: lets through who shows the token and means us, limits the time, and gives every error the
/// same form.
pub(super) async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = match pass(&shared, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    let status = response.status();
    if (status.is_client_error() || status.is_server_error()) && !is_json(response.headers()) {
        response = told(response, &method, &uri).await;
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn pass(shared: &Shared, request: Request, next: Next) -> Result<Response, Problem> {
    let headers = request.headers();
    if !headers.get(header::HOST).is_some_and(|host| means(host.as_bytes(), shared.address)) {
        // A page elsewhere may have made a name of its own stand for loopback, so that a browser takes us for it.
        let detail = format!("the Host of a request must be {} or localhost", shared.address);
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
    }
    if request.uri().path() != OPEN {
        shared.token.check(headers)?;
    }
    tokio::time::timeout(REQUEST_TIME_MAX, next.run(request)).await.map_err(|_| {
        let detail = format!("the request took more than {} s", REQUEST_TIME_MAX.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
    })
}

/// Whether a `Host` names this API at `address`.
fn means(host: &[u8], address: SocketAddr) -> bool {
    let named = |name: &str| host.eq_ignore_ascii_case(format!("{name}:{}", address.port()).as_bytes());
    named("localhost") || host == address.to_string().as_bytes()
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().ends_with(b"json"))
}

/// An error of the router or of axum as a problem.
async fn told(response: Response, method: &Method, uri: &Uri) -> Response {
    let (parts, body) = response.into_parts();
    let detail = match parts.status {
        StatusCode::NOT_FOUND => format!("there is nothing at `{}`", uri.path()),
        StatusCode::METHOD_NOT_ALLOWED => {
            format!("{method} cannot be done with `{}`; the header Allow names what can", uri.path())
        }
        status => match to_bytes(body, SENTENCE_BYTES_MAX).await {
            Ok(bytes) if !bytes.is_empty() => String::from_utf8_lossy(&bytes).into_owned(),
            _ => status.canonical_reason().unwrap_or("Error").to_owned(),
        },
    };
    let mut response = Problem::new(parts.status, detail).into_response();
    if let Some(allow) = parts.headers.get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_ours() {
        let v4: SocketAddr = "127.0.0.1:7000".parse().unwrap();
        let v6: SocketAddr = "[::1]:7000".parse().unwrap();
        for (host, address) in [
            ("127.0.0.1:7000", v4),
            ("localhost:7000", v4),
            ("LocalHost:7000", v4),
            ("[::1]:7000", v6),
            ("localhost:7000", v6),
        ] {
            assert!(means(host.as_bytes(), address), "{host}");
        }
        for host in
            ["", "127.0.0.1", "localhost", "127.0.0.1:7001", "evil.example:7000", "localhost.evil:7000"]
        {
            assert!(!means(host.as_bytes(), v4), "{host}");
        }
    }
}
