//! What a refused request is told: problem+json (RFC 9457).

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::StoreError;

use super::control::Refusal;

/// A refusal. The title is a stable word of `web/src/api/types.ts`, the detail a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: String,
    /// When the same may be asked again (RFC 9110 §10.2.3).
    retry_after: Option<Duration>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, detail: detail.into(), retry_after: None }
    }

    /// With the time after which the same may be asked again, in whole seconds.
    pub(super) fn retry_after(self, span: Duration) -> Self {
        Self { retry_after: Some(span), ..self }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn no_call() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-call", "There is no such call, or it is none of yours.")
    }

    pub(super) fn no_recording() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-recording", "There is no such recording.")
    }

    pub(super) fn conflict(title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, title, detail)
    }

    pub(super) fn not_logged_in() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not-logged-in",
            "Log in first: there is no session, or it is over.",
        )
    }

    pub(super) fn unprocessable(title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, title, detail)
    }
}

/// As it is sent (RFC 9457 §3).
#[derive(Serialize, ToSchema)]
pub(super) struct ProblemBody {
    status: u16,
    title: &'static str,
    detail: String,
}

impl From<StoreError> for Problem {
    /// What the database said is for the log, not for the page.
    fn from(error: StoreError) -> Self {
        metrics::counter!("sayso_http_store_failures_total").increment(1);
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The database does not answer: try again.")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoCall => Self::no_call(),
            Refusal::NotNow(why) => Self::new(StatusCode::CONFLICT, "not-now", why),
            Refusal::Forbidden(why) => Self::new(StatusCode::CONFLICT, "refused", why),
            Refusal::NoTarget(why) => Self::new(StatusCode::CONFLICT, "no-target", why),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody { status: self.status.as_u16(), title: self.title, detail: self.detail };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, [(header::CONTENT_TYPE, kind)], json).into_response();
        if let Some(span) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(span.as_secs().max(1)));
        }
        response
    }
}
