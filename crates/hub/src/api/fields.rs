//! The JSON that administrators send, and what is told of what is wrong with it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::text::quoted;
use super::{ApiState, Problem};
use crate::members::MemberError;

/// Bytes that such a body may have.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Seconds after which something that is full may have room.
const FULL_RETRY_SECS: u32 = 60;

/// Reads a body.
///
/// # Errors
///
/// 400 for what is no JSON, 422 that names the field for JSON of another shape, 413 for too much of it.
pub(super) async fn read<T: DeserializeOwned>(body: Body, state: &Arc<ApiState>) -> Result<T, Problem> {
    let held = state.bodies.read(body, BODY_BYTES_MAX).await?;
    decode(&held.bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // As a list, it would be read as its fields without their names.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(invalid("the body: a list, where an object with fields is expected"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let why = error.inner();
        match why.classify() {
            Category::Data if field == "." => {
                invalid(format!("the body: {}", without_place(&why.to_string())))
            }
            Category::Data => {
                invalid(format!("`{field}`: {}", without_place(&why.to_string()))).member("field", field)
            }
            Category::Syntax | Category::Eof | Category::Io => {
                Problem::bad_request(format!("the body is not JSON: {why}"))
            }
        }
    })?;
    reader.end().map_err(|_| Problem::bad_request("the body has more than one JSON value"))?;
    Ok(read)
}

/// 422: it is understood, and makes no sense.
pub(super) fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

/// The version that a request's sender has seen, of `If-Match` (RFC 9110 §13.1.1).
///
/// # Errors
///
/// 412 if that is of no version.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version =
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    version.map(Some).ok_or_else(|| {
        let detail = format!("If-Match {} is no ETag of this", quoted(text));
        Problem::new(StatusCode::PRECONDITION_FAILED, detail)
    })
}

/// The tag of a version.
pub(super) fn etag(version: u64) -> HeaderValue {
    // Digits in quotation marks.
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// What serde says without the place, which is told apart.
fn without_place(text: &str) -> &str {
    text.rsplit_once(" at line ").map_or(text, |(what, _)| what)
}

impl From<MemberError> for Problem {
    fn from(error: MemberError) -> Self {
        let detail = error.to_string();
        match error {
            MemberError::Name => invalid(detail).member("field", "name"),
            MemberError::Note => invalid(detail).member("field", "note"),
            MemberError::Taken(_) => Self::new(StatusCode::CONFLICT, detail),
            MemberError::Unknown(_) => Self::not_found(detail),
            MemberError::Stale(_) => Self::new(StatusCode::PRECONDITION_FAILED, detail),
            MemberError::NotInvited => Self::new(StatusCode::FORBIDDEN, detail),
            MemberError::TooManyTokens => Self::unavailable(detail, FULL_RETRY_SECS),
            MemberError::Fault(fault) => fault.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Body {
        name: String,
        #[serde(default)]
        uses: Option<u32>,
    }

    #[test]
    fn what_is_wrong_is_told_with_its_field() {
        let told = |text: &str| {
            let problem = decode::<Body>(text.as_bytes()).unwrap_err();
            (problem.status().as_u16(), problem.detail().to_owned())
        };
        assert_eq!(decode::<Body>(br#"{"name":"a"}"#).unwrap(), Body { name: "a".into(), uses: None });
        assert_eq!(
            told(r#"{"name":5}"#),
            (422, "`name`: invalid type: integer `5`, expected a string".into())
        );
        assert_eq!(told(r#"{"name":"a","uses":-1}"#).0, 422);
        assert!(told(r#"{"name":"a","uses":-1}"#).1.starts_with("`uses`: "));
        assert_eq!(
            told(r#" ["a"]"#),
            (422, "the body: a list, where an object with fields is expected".into())
        );
        assert_eq!(told("{}"), (422, "the body: missing field `name`".into()));
        assert!(
            told(r#"{"name":"a","nick":"b"}"#).1.contains("unknown field `nick`, expected `name` or `uses`")
        );
        for text in ["", "{", "{name}", r#"{"name":"a"} x"#] {
            assert_eq!(told(text).0, 400, "{text}");
        }
    }

    #[test]
    fn a_tag_is_that_of_a_version() {
        let headers =
            |value: &'static str| HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(value))]);
        assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
        assert_eq!(if_match(&headers("*")).unwrap(), None);
        assert_eq!(if_match(&headers("\"7\"")).unwrap(), Some(7));
        assert_eq!(etag(7), "\"7\"");
        for wrong in ["7", "W/\"7\"", "\"x\"", ""] {
            assert_eq!(
                if_match(&headers(wrong)).unwrap_err().status(),
                StatusCode::PRECONDITION_FAILED,
                "{wrong}"
            );
        }
    }
}
