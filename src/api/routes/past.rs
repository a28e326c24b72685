//! What was: an agent's own calls, notes on them, the listening log.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use crate::access::Right;
use crate::api::desk::Desk;
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{Before, Of, Told, written};
use crate::api::problem::Problem;
use crate::ids::{CallId, QueueId, Redacted};
use crate::store::{Change, ListenedRow, NoteChange, NoteRow, OwnCallRow, OwnRecordingRow, Page, StoreError};
use crate::time::Timestamp;

use super::route::{Route, get, post};

pub(super) fn routes() -> Vec<Route> {
    const CALLS: Needs = Needs::Agent(&[Right::TakeCalls]);
    vec![
        get("/my/calls", CALLS, own_calls),
        get("/my/listening-log", Needs::User, own_listening),
        get("/listening-log", Needs::Right(Right::ViewListeningLogs), all_listening),
        post("/calls/{id}/notes", CALLS, note),
    ]
}

/// Rows of a page.
const PAGE: u32 = 50;
/// The longest note, in characters.
const LONGEST_NOTE: usize = 4_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PastCall {
    id: CallId,
    arrived_at: String,
    queue: QueueId,
    caller: Option<Redacted<String>>,
    connected_at: Option<String>,
    ended_at: Option<String>,
    end_cause: Option<String>,
    why: Why,
    recordings: Vec<OwnRecordingRow>,
    notes: Vec<NoteRow>,
}

#[derive(Serialize)]
struct Why {
    basis: Option<String>,
    detail: Option<String>,
}

impl From<OwnCallRow> for PastCall {
    fn from(row: OwnCallRow) -> Self {
        let OwnCallRow { call, dialled_at: _, recordings, notes } = row;
        Self {
            id: call.id,
            arrived_at: call.arrived_at.to_rfc3339(),
            queue: call.queue,
            caller: call.from,
            connected_at: call.connected_at.map(Timestamp::to_rfc3339),
            ended_at: call.ended_at.map(Timestamp::to_rfc3339),
            end_cause: call.end_cause,
            why: Why { basis: call.basis, detail: call.basis_detail },
            recordings,
            notes,
        }
    }
}

pub(super) async fn own_calls(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Before(before): Before,
) -> Result<Json<Page<PastCall>>, Problem> {
    let Page { items, next } = desk.store().own_calls(visitor.agent()?, before, PAGE).await?;
    Ok(Json(Page { items: items.into_iter().map(PastCall::from).collect(), next }))
}

pub(super) async fn own_listening(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Before(before): Before,
) -> Result<Json<Page<ListenedRow>>, Problem> {
    Ok(Json(desk.store().listening_log(Some(&visitor.user), before, PAGE).await?))
}

pub(super) async fn all_listening(
    State(desk): State<Arc<Desk>>,
    Before(before): Before,
) -> Result<Json<Page<ListenedRow>>, Problem> {
    Ok(Json(desk.store().listening_log(None, before, PAGE).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    text: Redacted<String>,
}

pub(super) async fn note(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Of(call): Of,
    Told(Note { text: Redacted(text) }): Told<Note>,
) -> Result<StatusCode, Problem> {
    let Some(text) = written(&text, LONGEST_NOTE) else {
        let detail =
            format!("A note has 1 to {LONGEST_NOTE} characters, and none that only steers a terminal.");
        return Err(Problem::unprocessable("bad-note", detail));
    };
    let agent = visitor.agent()?;
    if desk.own_call(&visitor, call).is_err() && !desk.store().spoke(agent, call).await? {
        return Err(Problem::no_call());
    }
    let note = NoteChange {
        call,
        by: visitor.user.clone(),
        who: visitor.actor(),
        at: desk.now(),
        text: Redacted(text.to_owned()),
    };
    match desk.store().commit(vec![Change::Note(note)]).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(StoreError::Missing { .. }) => Err(Problem::no_call()),
        Err(StoreError::TooMany { .. }) => {
            let detail = "This call has as many notes as a call may have.";
            Err(Problem::new(StatusCode::CONFLICT, "not-now", detail))
        }
        Err(error) => Err(error.into()),
    }
}
