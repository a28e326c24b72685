//! What was: an agent's own calls, notes on them, the listening log.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Right;
use crate::api::csv::{Listed, listed};
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{Asked, At, Everything, Of, Told, written};
use crate::api::problem::Problem;
use crate::ids::{CallId, QueueId, RecordingId, Redacted};
use crate::store::{
    Change, ListenedRow, ListeningFilter, NoteChange, OwnCallRow, OwnRecordingRow, Sight, StoreError,
};
use crate::time::Timestamp;

use super::history::Note;
use super::route::{Route, get, post};

pub(super) fn routes() -> Vec<Route> {
    const CALLS: Needs = Needs::Agent(&[Right::TakeCalls]);
    vec![
        get("/my/calls", CALLS, own_calls).says("Calls in which one spoke.").lists::<Everything, PastCall>(),
        get("/my/listening-log", Needs::User, own_listening)
            .says("What one has listened to.")
            .lists::<Everything, Entry>(),
        get("/listening-log", Needs::Right(Right::ViewListeningLogs), all_listening)
            .says("Who listened to what, and why.")
            .lists::<ByEntry, Entry>(),
        post("/calls/{id}/notes", CALLS, note)
            .says("Writes a note on a call of one's own.")
            .takes::<Text>()
            .gives_nothing(StatusCode::NO_CONTENT),
    ]
}

/// The longest note, in characters.
const LONGEST_NOTE: usize = 4_000;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PastCall {
    id: CallId,
    arrived_at: String,
    queue: QueueId,
    #[schema(value_type = Option<String>)]
    caller: Option<Redacted<String>>,
    connected_at: Option<String>,
    ended_at: Option<String>,
    end_cause: Option<String>,
    why: Why,
    recordings: Vec<Own>,
    notes: Vec<Note>,
}

/// A recording in few words; whole seconds.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnRecording)]
struct Own {
    id: RecordingId,
    state: String,
    seconds: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BasisOfCall)]
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
            recordings: recordings
                .into_iter()
                .map(|OwnRecordingRow { id, state, seconds }| Own { id, state, seconds })
                .collect(),
            notes: notes.into_iter().map(Note::from).collect(),
        }
    }
}

impl Listed for PastCall {
    const COLUMNS: &'static [&'static str] =
        &["id", "arrivedAt", "queue", "caller", "connectedAt", "endedAt", "endCause"];
    const PERSONAL: bool = true;
}

pub(super) async fn own_calls(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked,
) -> Result<Response, Problem> {
    let (agent, restricted) = (visitor.agent()?.clone(), visitor.has(Right::Dpo));
    let at = Arc::clone(&desk);
    listed(&desk, &visitor, &asked, "own-calls", move |place| {
        let (desk, agent) = (Arc::clone(&at), agent.clone());
        async move {
            let page = soon(desk.store().own_calls(&agent, restricted, &place)).await?;
            Ok(page.map(PastCall::from))
        }
    })
    .await
}

/// An entry of the listening log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Listening)]
pub(super) struct Entry {
    at: String,
    who: String,
    #[schema(value_type = Option<String>)]
    call: Option<CallId>,
    #[schema(value_type = Option<String>)]
    recording: Option<RecordingId>,
    /// `recording` or `live`.
    kind: String,
    /// Of live listening: `listen`, `whisper` or `barge`.
    mode: Option<String>,
    #[schema(value_type = Option<String>)]
    reason: Option<Redacted<String>>,
}

impl From<ListenedRow> for Entry {
    fn from(row: ListenedRow) -> Self {
        let ListenedRow { n: _, at, who, call, recording, kind, mode, reason } = row;
        Self { at: at.to_rfc3339(), who, call, recording, kind, mode, reason }
    }
}

impl Listed for Entry {
    const COLUMNS: &'static [&'static str] = &["at", "who", "kind", "mode", "call", "recording", "reason"];
    const PERSONAL: bool = true;
}

/// Which entries.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ByEntry {
    /// Not older than this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<At>,
    /// Older than this.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<At>,
    /// Of this user.
    who: Option<String>,
    /// Of this call.
    #[param(value_type = Option<String>)]
    call: Option<CallId>,
    /// Of this recording.
    #[param(value_type = Option<String>)]
    recording: Option<RecordingId>,
}

pub(super) async fn own_listening(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked,
) -> Result<Response, Problem> {
    // What one has done oneself one knows.
    let (who, sight) = (Some(visitor.user.clone()), Sight::whole());
    let filter = ListeningFilter { who, sight, ..ListeningFilter::default() };
    entries(&desk, &visitor, &asked, "own-listening-log", filter).await
}

pub(super) async fn all_listening(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked<ByEntry>,
) -> Result<Response, Problem> {
    let ByEntry { since, until, who, call, recording } = asked.by.clone();
    let (since, until) = (since.map(|At(at)| at), until.map(|At(at)| at));
    let filter = ListeningFilter { since, until, who, call, recording, sight: visitor.sight() };
    entries(&desk, &visitor, &asked, "listening-log", filter).await
}

async fn entries<Q>(
    desk: &Arc<Desk>,
    visitor: &Visitor,
    asked: &Asked<Q>,
    name: &'static str,
    filter: ListeningFilter,
) -> Result<Response, Problem> {
    let at = Arc::clone(desk);
    listed(desk, visitor, asked, name, move |place| {
        let (desk, filter) = (Arc::clone(&at), filter.clone());
        async move { Ok(soon(desk.store().listening_log(&filter, &place)).await?.map(Entry::from)) }
    })
    .await
}

/// Whether a call is one's own, now or then; restricted ones are nobody's without the right.
pub(super) async fn spoke(desk: &Desk, visitor: &Visitor, call: CallId) -> Result<bool, Problem> {
    let agent = visitor.agent()?;
    if desk.own_call(visitor, call).is_ok() {
        return Ok(true);
    }
    let sight = Sight { queues: None, restricted: visitor.has(Right::Dpo) };
    let seen = soon(desk.store().call_seen(call, &sight)).await?.is_some();
    Ok(seen && soon(desk.store().spoke(agent, call)).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewNote)]
pub(super) struct Text {
    #[schema(value_type = String, min_length = 1, max_length = 4000)]
    text: Redacted<String>,
}

pub(super) async fn note(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Of(call): Of,
    Told(Text { text: Redacted(text) }): Told<Text>,
) -> Result<StatusCode, Problem> {
    let Some(text) = written(&text, LONGEST_NOTE) else {
        let detail =
            format!("A note has 1 to {LONGEST_NOTE} characters, and none that only steers a terminal.");
        return Err(Problem::unprocessable("bad-note", detail));
    };
    if !spoke(&desk, &visitor, call).await? {
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
        Err(StoreError::State { .. }) => {
            Err(Problem::conflict("not-now", "The call is anonymised: nothing is written on it any more."))
        }
        Err(StoreError::TooMany { .. }) => {
            let detail = "This call has as many notes as a call may have.";
            Err(Problem::new(StatusCode::CONFLICT, "not-now", detail))
        }
        Err(error) => Err(error.into()),
    }
}
