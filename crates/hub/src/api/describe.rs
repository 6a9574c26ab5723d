//! What the API says of itself: an OpenAPI 3.1 description, made of the handlers' own.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get as get_route;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoParams, Modify, OpenApi, ToSchema};

use super::problem;
use crate::api::ApiState;

/// Where it is served.
pub(super) const PATH: &str = "/api/v1/openapi.json";

/// What is said beside the calls.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Skep hub",
        description = "The API of a hub: its catalogue, its members, and the hub itself. Moments are Unix seconds, sizes bytes.",
    ),
    components(schemas(problem::Body<'static>)),
    modifiers(&Common),
)]
pub(super) struct Description;

/// Which part of a list: what [`Parameters`](super::query::Parameters) reads.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes, and is never made")]
pub(super) struct Paging {
    /// Entries of a page.
    #[param(minimum = 1)]
    limit: Option<usize>,
    /// What `next` of the page before said.
    #[param(pattern = "^([0-9]{1,18})?$")]
    cursor: Option<String>,
}

/// Which version a change is of: what [`if_match`](super::fields::if_match) reads.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes, and is never made")]
pub(super) struct IfMatch {
    /// The `ETag` of the member as it was seen; another version is refused with 412.
    #[param(rename = "if-match", pattern = "^(\"[0-9]{1,19}\"|\\*)$")]
    if_match: Option<String>,
}

/// A form with a .torrent file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes, and is never made")]
pub(super) struct Upload {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// What holds for all calls.
struct Common;

impl Modify for Common {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The admin token, a token with a scope, or a member's passkey"));
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    }
}

/// Serves the description beside what it is of.
pub(super) fn serve(
    router: Router<Arc<ApiState>>,
    mut api: utoipa::openapi::OpenApi,
) -> Router<Arc<ApiState>> {
    for (path, item) in &mut api.paths.paths {
        let PathItem { get, post, patch, delete, .. } = item;
        for (method, operation) in [("get", get), ("post", post), ("patch", patch), ("delete", delete)] {
            operation.iter_mut().for_each(|operation| complete(operation, method, path));
        }
    }
    // Texts, numbers and lists of such can always be written.
    let json = api.to_json().unwrap_or_default();
    let answer = move || async move { ([(header::CONTENT_TYPE, "application/json")], json).into_response() };
    router.route(PATH, get_route(answer))
}

/// What goes without saying where an operation is described.
fn complete(operation: &mut Operation, method: &str, path: &str) {
    let words = path.strip_prefix("/api/v1").unwrap_or(path).split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
    operation.operation_id =
        Some(std::iter::once(method.to_owned()).chain(words).collect::<Vec<_>>().join("_"));
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let said = match status.as_str() {
                "201" => "It is made",
                "204" => "It is done",
                _ => "As it is now",
            };
            said.clone_into(&mut response.description);
        }
    }
    let refusal = ResponseBuilder::new()
        .description("Why it was not done (RFC 9457)")
        .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))))
        .build();
    responses.insert("default".to_owned(), refusal.into());
}
