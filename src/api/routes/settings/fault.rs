//! What a change of settings is refused with.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::api::problem::Problem;
use crate::settings::DocumentError;
use crate::store::StoreError;

/// A refusal.
#[derive(Debug)]
pub(super) enum Fault {
    /// As everywhere.
    Problem(Problem),
    /// 422: all that is wrong with the document, or elsewhere because of it.
    Settings(Vec<DocumentError>),
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Vec<DocumentError>> for Fault {
    fn from(errors: Vec<DocumentError>) -> Self {
        Self::Settings(errors)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Problem(error.into())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let errors = match self {
            Self::Problem(problem) => return problem.into_response(),
            Self::Settings(errors) => errors,
        };
        let detail = errors.first().map_or_else(String::new, |first| match first.key.as_str() {
            "" => first.what.clone(),
            key => format!("{key} {}", first.what),
        });
        let body = json!({ "status": 422, "title": "bad-settings", "detail": detail, "errors": errors });
        let kind = HeaderValue::from_static("application/problem+json");
        (StatusCode::UNPROCESSABLE_ENTITY, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
    }
}

pub(super) fn no_object() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-object", "There is nothing of this kind and name.")
}

pub(super) fn version_needed() -> Problem {
    let detail = "Say what is changed: If-Match with the version that was read, or If-None-Match: * to make a new one.";
    Problem::new(StatusCode::PRECONDITION_REQUIRED, "version-needed", detail)
}

pub(super) fn changed() -> Problem {
    let detail = "Somebody else has changed it, made it or removed it meanwhile: read it again.";
    Problem::new(StatusCode::PRECONDITION_FAILED, "changed", detail)
}
