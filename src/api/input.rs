//! What comes in with a request: bodies, ids, places in lists. Each fault says what and where.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::ids::{CallId, RecordingId};
use crate::store::Cursor;

use super::problem::Problem;

/// The largest body: a note of 4,000 characters, each escaped, and room.
const BODY: usize = 32 * 1_024;
/// A body has to come within this time.
const ARRIVAL: Duration = Duration::from_secs(10);

/// A JSON body.
pub(super) struct Told<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Told<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let detail = "The body has to be application/json, and its Content-Type has to say so.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail));
        }
        let bytes = match timeout(ARRIVAL, to_bytes(request.into_body(), BODY)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => {
                let detail = format!("The body did not come whole, or it has more than {BODY} bytes.");
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail));
            }
            Err(_) => {
                let detail = "The body did not come in time.";
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", detail));
            }
        };
        serde_json::from_slice(&bytes).map(Self).map_err(|error| bad(format!("The body: {error}.")))
    }
}

/// The call of `/calls/{id}/…`.
pub(super) struct Of(pub(super) CallId);

impl<S: Send + Sync> FromRequestParts<S> for Of {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path(id)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Problem::no_call());
        };
        id.parse().map(Self).map_err(|_| Problem::no_call())
    }
}

/// The recording of `/recordings/{id}/…`.
pub(super) struct Recorded(pub(super) RecordingId);

impl<S: Send + Sync> FromRequestParts<S> for Recorded {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path(id)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Problem::no_recording());
        };
        id.parse().map(Self).map_err(|_| Problem::no_recording())
    }
}

/// `?after=CURSOR` and what else a list is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    pub(super) after: Option<String>,
    pub(super) since: Option<String>,
    pub(super) queue: Option<String>,
    pub(super) call: Option<String>,
    pub(super) state: Option<String>,
}

impl Asked {
    /// Where the page begins.
    ///
    /// # Errors
    /// 400, for what is no cursor.
    pub(super) fn after(&self) -> Result<Option<Cursor>, Problem> {
        let cursor = self.after.as_ref().map(|text| text.parse()).transpose();
        cursor.map_err(|error| bad(format!("`after` is {error}.")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asked = Query::<Self>::from_request_parts(parts, state).await;
        asked.map(|Query(asked)| asked).map_err(|error| bad(format!("The query: {error}.")))
    }
}

/// `?before=CURSOR`.
pub(super) struct Before(pub(super) Option<Cursor>);

impl<S: Send + Sync> FromRequestParts<S> for Before {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Asked {
            before: Option<String>,
        }
        let asked = Query::<Asked>::from_request_parts(parts, state).await;
        let Query(Asked { before }) = asked.map_err(|error| bad(format!("The query: {error}.")))?;
        let cursor = before.map(|text| text.parse()).transpose();
        cursor.map(Self).map_err(|error| bad(format!("`before` is {error}.")))
    }
}

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 1_000;

/// A text of a person, without the space around it: 1 to `longest` characters, and none that only steers a terminal;
/// a database takes no NUL.
#[must_use]
pub fn written(text: &str, longest: usize) -> Option<&str> {
    let text = text.trim();
    let steers = |c: char| c.is_control() && !['\n', '\r', '\t'].contains(&c);
    (!text.is_empty() && text.chars().count() <= longest && !text.contains(steers)).then_some(text)
}

fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail)
}
