//! What every refusal looks like: `application/problem+json` (RFC 9457).

use std::fmt;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::catalogue::{AddError, Fault, ListError};

/// Seconds after which a busy or failing store is worth another try.
const STORE_RETRY_SECS: u32 = 2;

/// Seconds after which somebody who has added all that one address may can hope that something was removed.
const FULL_SHARE_RETRY_SECS: u32 = 3600;

/// Why a request was not granted, for the person or program that sent it. Its `type` is always `about:blank`: what
/// tells problems apart is the status.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    members: Map<String, Value>,
}

impl Problem {
    /// A problem with a sentence that quotes what is wrong and says what would be right.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), headers: Vec::new(), members: Map::new() }
    }

    /// 400: the request makes no sense.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 413: more than is taken.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 429: too often; `retry_secs` until the next try.
    pub fn too_many(detail: impl Into<String>, retry_secs: u32) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(retry_secs)
    }

    /// 503: not now; `retry_secs` until the next try.
    pub fn unavailable(detail: impl Into<String>, retry_secs: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(retry_secs)
    }

    /// The same problem with another header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same problem with another member beside the standard's own.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.into(), value.into());
        self
    }

    /// The answer's status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What the status is called.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    fn retry_after(self, secs: u32) -> Self {
        self.header(header::RETRY_AFTER, secs.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            kind: "about:blank",
            title: self.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            members: &self.members,
        };
        // Texts and numbers can always be written.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, content_type, body).into_response();
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        // Whoever stands before the router can say the same in another form.
        response.extensions_mut().insert(self);
        response
    }
}

/// The members in the order in which people read them.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Body<'a> {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What the status is called.
    title: &'static str,
    status: u16,
    /// What is wrong, in a sentence that says what would be right.
    detail: &'a str,
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl From<wire::Malformed> for Problem {
    fn from(fault: wire::Malformed) -> Self {
        Self::bad_request(fault.reason())
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        tracing::error!(%fault, "the catalogue failed");
        Self::unavailable("the catalogue cannot be used at the moment", STORE_RETRY_SECS)
    }
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Cursor(cursor) => Self::bad_request(cursor.to_string()),
            ListError::Fault(fault) => fault.into(),
        }
    }
}

impl From<AddError> for Problem {
    fn from(error: AddError) -> Self {
        let detail = error.to_string();
        match error {
            AddError::Busy => Self::unavailable(detail, STORE_RETRY_SECS),
            AddError::TooLarge(_) => Self::too_large(detail),
            AddError::TooMany { .. } => Self::too_many(detail, FULL_SHARE_RETRY_SECS),
            AddError::Fault(fault) => fault.into(),
        }
    }
}
