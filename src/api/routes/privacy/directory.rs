//! The directory: people on lists, imported as CSV.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use crate::api::csv::{Listed, listed};
use crate::api::desk::{Desk, soon};
use crate::api::guard::Visitor;
use crate::api::input::Asked;
use crate::api::problem::Problem;
use crate::ids::{EntryId, Redacted};
use crate::privacy::{BadLine, read_directory};
use crate::store::{Change, EntryRow, PrivacyChange, StoreError};

/// The largest file: some 100,000 lines. The command line takes larger ones.
const LARGEST: usize = 16 * 1_024 * 1_024;
/// It has to come within this time.
const ARRIVAL: Duration = Duration::from_secs(60);
/// Lines that are told to be wrong at most.
const TOLD: usize = 1_000;

/// Which entries.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct By {
    /// The beginning of a word of the name, an e-mail address, or the last digits of a number.
    #[param(value_type = Option<String>)]
    q: Option<Redacted<String>>,
}

/// `Entry` of `admin.ts`.
#[derive(Serialize, ToSchema)]
#[schema(as = DirectoryEntry)]
pub(in crate::api::routes) struct Entry {
    id: EntryId,
    list: String,
    #[schema(value_type = String)]
    name: Redacted<String>,
    /// E.164.
    #[schema(value_type = Option<String>)]
    number: Option<Redacted<String>>,
    #[schema(value_type = Option<String>)]
    email: Option<Redacted<String>>,
    #[schema(value_type = Option<String>)]
    note: Option<Redacted<String>>,
    at: String,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        let EntryRow { id, list, name, number, email, note, at } = row;
        Self { id, list, name, number, email, note, at: at.to_rfc3339() }
    }
}

impl Listed for Entry {
    const COLUMNS: &'static [&'static str] = &["list", "name", "number", "email", "note"];
    const PERSONAL: bool = true;
}

/// What became of a file.
#[derive(Serialize, ToSchema)]
pub(super) struct Imported {
    added: u64,
    changed: u64,
    /// Lines that were not taken; at most 1,000 are told.
    errors: Vec<Wrong>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WrongLine)]
struct Wrong {
    line: u64,
    what: String,
}

impl From<BadLine> for Wrong {
    fn from(BadLine { line, what }: BadLine) -> Self {
        Self { line, what }
    }
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked<By>,
) -> Result<Response, Problem> {
    visitor.of_all_queues()?;
    let (at, q) = (Arc::clone(&desk), asked.by.q.clone());
    listed(&desk, &visitor, &asked, "directory", move |place| {
        let (desk, q) = (Arc::clone(&at), q.clone());
        async move {
            let q = q.as_ref().map(|q| q.0.as_str());
            Ok(soon(desk.store().directory(q, &place)).await?.map(Entry::from))
        }
    })
    .await
}

pub(super) async fn import(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Json<Imported>, Problem> {
    visitor.of_all_queues()?;
    let kind =
        request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/csv") {
        let detail = "The body has to be text/csv, and its Content-Type has to say so.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-csv", detail));
    }
    let text = match timeout(ARRIVAL, to_bytes(request.into_body(), LARGEST)).await {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            let detail = format!(
                "The file did not come whole, or it has more than {LARGEST} bytes: import it in parts, or by `sayso \
                 directory import`."
            );
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail));
        }
        Err(_) => {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "too-slow",
                "The file did not come in time.",
            ));
        }
    };
    let bad_file =
        |bad: BadLine| Problem::unprocessable("bad-file", format!("Line {}: {}.", bad.line, bad.what));
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    for line in read_directory(&text).map_err(bad_file)? {
        match line {
            Ok(line) => lines.push(line),
            Err(bad) => errors.push(Wrong::from(bad)),
        }
    }
    let done = desk.store().import_entries(lines, &visitor.actor(), desk.now(), |_| {}).await?;
    let torn = "number and e-mail address belong to two different entries of the list";
    errors.extend(done.torn.into_iter().map(|line| Wrong { line, what: torn.to_owned() }));
    errors.sort_by_key(|wrong| wrong.line);
    errors.truncate(TOLD);
    Ok(Json(Imported { added: done.added, changed: done.changed, errors }))
}

pub(super) async fn remove(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    visitor.of_all_queues()?;
    let none = || Problem::new(StatusCode::NOT_FOUND, "no-entry", "There is no such entry.");
    let id: EntryId = id.parse().map_err(|_| none())?;
    let removed = PrivacyChange::EntryRemoved { id, by: visitor.actor(), at: desk.now() };
    match desk.store().commit(vec![Change::Privacy(removed)]).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(StoreError::Missing { .. }) => Err(none()),
        Err(error) => Err(error.into()),
    }
}
