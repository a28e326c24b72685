//! Recordings: what there is, taking one out as a vCon, destroying one and the proof of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::audio::{begin, broken, is_right, recording, seen, whole};
use crate::access::Right;
use crate::api::csv::{Listed, listed};
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor, no_right};
use crate::api::input::{Asked, At, LONGEST_REASON, Recorded, Told, written};
use crate::api::problem::Problem;
use crate::audit::{AuditEvent, Class, Object, Value};
use crate::export::{Audio, AuditPlace, Facts, Signing, vcon};
use crate::ids::{AgentId, CallId, QueueId, RecordingId, Redacted};
use crate::retention::{EndedCall, Holds, Rules};
use crate::store::{
    CallRow, Change, RecordedGap, RecordingChange, RecordingFilter, RecordingRow, StoreError,
};
use crate::time::Timestamp;

use super::route::{Route, delete, get, post};

pub(super) fn routes() -> Vec<Route> {
    const HEAR: Needs = Needs::Right(Right::ListenRecordings);
    const PROVE: Needs = Needs::Any(&[Right::ExportRecordings, Right::DestroyRecordings, Right::ManageVault]);
    vec![
        get("/recordings", HEAR, list).says("Recordings, without numbers.").lists::<By, Shown>(),
        get("/recordings/{id}", HEAR, show).says("A recording, without its audio.").gives::<Shown>(),
        delete("/recordings/{id}", Needs::Right(Right::DestroyRecordings), destroy)
            .says("Destroys a recording: its key is gone when this answers, its copies are a job's.")
            .takes::<Reason>()
            .gives_with::<Shown>(StatusCode::ACCEPTED),
        post("/recordings/{id}/listening", HEAR, super::audio::listen)
            .says("Opens listening, with a reason where one is asked: the listening log has its entry.")
            .takes::<super::audio::Why>()
            .gives_with::<super::audio::Listens>(StatusCode::CREATED),
        get("/recordings/{id}/audio", HEAR, super::audio::play)
            .says("The audio, whole or in ranges.")
            .gives_octets(StatusCode::OK, "audio/wav")
            .gives_octets(StatusCode::OK, "audio/ogg")
            .gives_octets(StatusCode::PARTIAL_CONTENT, "audio/wav")
            .gives_octets(StatusCode::PARTIAL_CONTENT, "audio/ogg"),
        get("/recordings/{id}/waveform", HEAR, super::audio::outline)
            .says("How loud both sides are along the recording; listening is opened as for the audio.")
            .gives::<super::audio::Waveform>(),
        get("/recordings/{id}/vcon", Needs::Right(Right::ExportRecordings), vcon)
            .says("Takes a recording out as a signed vCon, with its audio.")
            .gives_octets(StatusCode::OK, "application/vcon"),
        get("/recordings/{id}/certificate", PROVE, certificate)
            .says("The signed proof that a recording is gone.")
            .gives::<Certificate>(),
    ]
}

/// Who wants a vCon while many are made waits so long.
const QUEUED: Duration = Duration::from_secs(10);
/// The audio of a vCon has to be read within this.
const READ: Duration = Duration::from_secs(30);
/// What is audited of an export.
const EXPORTED: &str = "recording.exported";
/// All words of `RecordingRow::state`.
const STATES: [&str; 8] =
    ["armed", "recording", "finished", "stored", "discarded", "failed", "destroyed", "removed"];

/// A signed deletion certificate, as `sayso certificate verify` reads it.
#[derive(ToSchema)]
#[allow(dead_code)] // it is stored as text, and given as it is
pub(super) struct Certificate {
    #[schema(value_type = Object)]
    certificate: (),
    algorithm: String,
    public_key: String,
    signature: String,
}

/// `Recording` of `types.ts`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Recording)]
pub(super) struct Shown {
    id: RecordingId,
    call: CallId,
    queue: QueueId,
    state: String,
    basis: String,
    basis_detail: Option<String>,
    armed_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    stored_at: Option<String>,
    destroyed_at: Option<String>,
    removed_at: Option<String>,
    salvaged: bool,
    seconds: Option<f64>,
    format: String,
    gaps: Vec<Gap>,
    why: Option<String>,
    playable: bool,
    /// A legal hold keeps it.
    hold: bool,
    /// Nobody without the right `dpo` sees it.
    restricted: bool,
    /// When the rules of retention remove it; null: never, or it is gone, or its call goes on.
    removes_at: Option<String>,
    /// Who spoke with the caller last.
    agent: Option<AgentId>,
}

/// Silence that stands for something; seconds from the start.
#[derive(Serialize, ToSchema)]
struct Gap {
    start: f64,
    seconds: f64,
    channel: Option<u8>,
    why: String,
}

pub(super) fn seconds(samples: u64) -> f64 {
    samples as f64 / 8_000.0
}

impl From<RecordingRow> for Shown {
    fn from(row: RecordingRow) -> Self {
        let time = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
        let gap = |RecordedGap { start, len, channel, why }| Gap {
            start: seconds(start),
            seconds: seconds(len),
            channel,
            why,
        };
        Self {
            id: row.id,
            call: row.call,
            queue: row.queue,
            playable: ["finished", "stored"].contains(&row.state.as_str()),
            state: row.state,
            basis: row.basis,
            basis_detail: row.basis_detail,
            armed_at: row.armed_at.to_rfc3339(),
            started_at: time(row.started_at),
            ended_at: time(row.ended_at),
            stored_at: time(row.stored_at),
            destroyed_at: time(row.destroyed_at),
            removed_at: time(row.removed_at),
            salvaged: row.salvaged,
            seconds: row.samples.map(seconds),
            format: row.format,
            gaps: row.gaps.into_iter().map(gap).collect(),
            why: row.why,
            hold: false,
            restricted: false,
            removes_at: None,
            agent: None,
        }
    }
}

/// What recordings are shown with: rules, holds, and the calls of a page.
struct Around {
    rules: Rules,
    holds: Holds,
    calls: HashMap<CallId, CallRow>,
}

impl Around {
    async fn of(desk: &Desk, rows: &[RecordingRow]) -> Result<Self, Problem> {
        let (_, settings) = soon(desk.store().settings()).await?;
        let holds = Holds::new(soon(desk.store().open_holds()).await?, desk.now());
        let ids: BTreeSet<CallId> = rows.iter().map(|row| row.call).collect();
        let ids: Vec<CallId> = ids.into_iter().collect();
        let calls = soon(desk.store().call_rows(&ids)).await?;
        Ok(Self { rules: Rules::of(&settings), holds, calls })
    }

    fn shown(&self, row: RecordingRow, visitor: &Visitor) -> Shown {
        let (id, is_there) = (row.id, row.destroyed_at.is_none() && row.state != "discarded");
        let call = self.calls.get(&row.call);
        let ended = call.and_then(|call| {
            Some(EndedCall {
                id: call.id,
                queue: call.first_queue.clone(),
                arrived_at: call.arrived_at,
                ended_at: call.ended_at?,
                from: call.from.clone(),
            })
        });
        let ended = ended.as_ref().filter(|_| is_there);
        let due = ended.and_then(|call| self.rules.of_queue(&call.queue).removes_at(call.ended_at));
        Shown {
            hold: ended.is_some_and(|call| self.holds.of_recording(id, call).next().is_some()),
            restricted: call.is_some_and(|call| call.restricted_at.is_some()),
            removes_at: due.map(|due| due.at.to_rfc3339()),
            agent: call.and_then(|call| call.agent.clone()),
            ..Shown::to(row, visitor)
        }
    }
}

impl Shown {
    /// Why a recording was destroyed is a person's text, and may tell of another person.
    fn to(row: RecordingRow, visitor: &Visitor) -> Self {
        let hidden = row.destroyed_at.is_some() && !visitor.has(Right::DestroyRecordings);
        let shown = Self::from(row);
        if hidden { Self { why: None, ..shown } } else { shown }
    }
}

/// Which recordings.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct By {
    /// Not older than this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<At>,
    /// Older than this.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<At>,
    /// The call's first queue.
    #[param(value_type = Option<String>)]
    queue: Option<QueueId>,
    /// Of this call.
    #[param(value_type = Option<String>)]
    call: Option<CallId>,
    /// In this state.
    state: Option<String>,
    /// Who spoke in it last.
    #[param(value_type = Option<String>)]
    agent: Option<AgentId>,
    /// `true`: only those that a legal hold keeps.
    hold: Option<bool>,
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked<By>,
) -> Result<Response, Problem> {
    if let Some(state) = asked.by.state.as_ref().filter(|state| !STATES.contains(&state.as_str())) {
        let detail = format!("`state` {state:?} is none of {}.", STATES.join(", "));
        return Err(Problem::unprocessable("bad-filter", detail));
    }
    let By { since, until, queue, call, state, agent, hold } = asked.by.clone();
    let held = hold.is_some_and(|held| held).then(|| desk.now());
    let filter = RecordingFilter {
        since: since.map(|At(at)| at),
        until: until.map(|At(at)| at),
        queue,
        call,
        state,
        agent,
        held,
        sight: visitor.sight(),
    };
    let (at, who) = (Arc::clone(&desk), visitor.clone());
    listed(&desk, &visitor, &asked, "recordings", move |place| {
        let (desk, who, filter) = (Arc::clone(&at), who.clone(), filter.clone());
        async move {
            let page = soon(desk.store().recording_list(&filter, &place)).await?;
            let around = Around::of(&desk, &page.items).await?;
            Ok(page.map(|row| around.shown(row, &who)))
        }
    })
    .await
}

impl Listed for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "call",
        "queue",
        "state",
        "basis",
        "basisDetail",
        "armedAt",
        "startedAt",
        "endedAt",
        "storedAt",
        "destroyedAt",
        "removedAt",
        "salvaged",
        "seconds",
        "format",
        "why",
        "hold",
        "restricted",
        "removesAt",
        "agent",
    ];
    const PERSONAL: bool = false;
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Recorded(id): Recorded,
) -> Result<Json<Shown>, Problem> {
    let row = seen(&desk, &visitor, id).await?;
    let around = Around::of(&desk, std::slice::from_ref(&row)).await?;
    Ok(Json(around.shown(row, &visitor)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DestroyReason)]
pub(super) struct Reason {
    #[schema(value_type = String, min_length = 1, max_length = 1000)]
    reason: Redacted<String>,
}

/// The key is gone when this answers; the copies are the job's.
pub(super) async fn destroy(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Recorded(id): Recorded,
    Told(Reason { reason: Redacted(reason) }): Told<Reason>,
) -> Result<Response, Problem> {
    let Some(why) = written(&reason, LONGEST_REASON) else {
        let detail =
            format!("Destroying a recording needs a written reason of 1 to {LONGEST_REASON} characters.");
        return Err(Problem::unprocessable("bad-reason", detail));
    };
    // Asked first: who is told that there is none must not have destroyed something.
    let archive = desk.archive()?;
    seen(&desk, &visitor, id).await?;
    let destroyed = RecordingChange::Destroyed {
        id,
        at: desk.now(),
        rule: "operator".to_owned(),
        why: why.to_owned(),
        by: visitor.actor(),
    };
    match desk.store().commit(vec![Change::Recording(destroyed)]).await {
        Ok(()) => {}
        Err(StoreError::Missing { .. }) => return Err(Problem::no_recording()),
        Err(StoreError::State { state, .. }) if ["destroyed", "removed"].contains(&state.as_str()) => {
            return Err(gone());
        }
        Err(StoreError::State { state, .. }) if state == "held" => {
            let detail = "A legal hold is on it: nobody can destroy it before that is released.";
            return Err(Problem::conflict("held", detail));
        }
        Err(StoreError::State { .. }) => {
            return Err(Problem::conflict(
                "not-whole",
                "Nothing was captured, so there is nothing to destroy.",
            ));
        }
        Err(error) => return Err(error.into()),
    }
    (archive.wake)();
    let row = recording(&desk, id).await?;
    let shown = Around::of(&desk, std::slice::from_ref(&row)).await?.shown(row, &visitor);
    Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
}

pub(super) fn gone() -> Problem {
    Problem::new(StatusCode::GONE, "destroyed", "This recording is destroyed: its key is gone for good.")
}

pub(super) async fn certificate(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Recorded(id): Recorded,
) -> Result<Response, Problem> {
    seen(&desk, &visitor, id).await?;
    let Some(text) = soon(desk.store().certificate(id)).await? else {
        let detail = "There is no deletion certificate: the recording is not removed, or not all of it yet.";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no-certificate", detail));
    };
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// The recording as a vCon, its audio inside. Who takes it out can listen to it as often as they like, so listening is
/// opened first (domain rule 24).
pub(super) async fn vcon(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Recorded(id): Recorded,
) -> Result<Response, Problem> {
    let archive = desk.archive()?;
    let row = seen(&desk, &visitor, id).await?;
    fits(&whole(&desk, &row).await?)?;
    let slot = begin(&desk, &visitor, id, None).await?;
    let Ok(Ok(room)) = timeout(QUEUED, Arc::clone(&desk.exporting).acquire_owned()).await else {
        return Err(busy("Too many vCons are made or sent just now: try again."));
    };
    // While it waited, rights may have been taken and the recording destroyed.
    let visitor = desk.again(&visitor).await?.ok_or_else(Problem::not_logged_in)?;
    if !visitor.has(Right::ExportRecordings) {
        return Err(no_right());
    }
    let row = seen(&desk, &visitor, id).await?;
    let audio = whole(&desk, &row).await?;
    fits(&audio)?;
    let at = desk.now();
    slot.goes_on(at);
    let exported = AuditEvent::new(Class::Read, visitor.actor(), at, EXPORTED, Object::new("recording", id));
    let exported = exported.new_value(Some(Value::plain("vCon with audio, numbers and consents, by HTTP")));
    soon(desk.store().commit(vec![Change::Audit(exported)])).await?;
    let call = soon(desk.store().call(row.call)).await?.ok_or_else(Problem::no_recording)?;
    let place = soon(desk.store().audit_position(&id.to_string(), EXPORTED)).await?;
    let bytes = match timeout(READ, audio.read()).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(broken(&desk, id, &error).await),
        Err(_) => return Err(busy("The store of recordings is too slow for a vCon just now: try again.")),
    };
    is_right(&desk, id);
    let facts = Facts {
        recording: row,
        call,
        at,
        by: visitor.actor().to_string(),
        audit: place.map(|head| AuditPlace { n: head.seq, hash: head.hash.to_string() }),
    };
    let (signer, kind) = (Arc::clone(&archive.signer), audio.content_type());
    let signed = tokio::task::spawn_blocking(move || {
        let filename = format!("{id}.{}", crate::export::extension(kind));
        let dialog = vcon::Dialog { content_type: kind, filename, body: vcon::Body::Inline(&bytes) };
        let sign = |message: &[u8]| signer.sign(message);
        vcon::sign(&facts, &dialog, &Signing { public: signer.public_key(), sign: &sign })
    });
    let Ok(text) = signed.await else {
        let detail = "The vCon could not be made; the server's log says why.";
        return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", detail));
    };
    let name = HeaderValue::try_from(format!("attachment; filename=\"{id}.vcon\"")).expect("an id is ASCII");
    // The draft registers `application/vcon` ("JSON Format vCon Mediatype").
    let kind = HeaderValue::from_static("application/vcon");
    let body = Body::from(Bytes::from_owner(Held { text, _room: room }));
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], body).into_response())
}

/// A vCon that is being sent: its room is free when the last byte of it is.
struct Held {
    text: String,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn fits(audio: &Audio) -> Result<(), Problem> {
    let (length, most) = (audio.length(), vcon::INLINE);
    if length <= most {
        return Ok(());
    }
    let detail = format!(
        "Its audio has {length} bytes, a vCon by HTTP at most {most}: take it out by `sayso recordings export`."
    );
    Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail))
}

fn busy(detail: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
}
