//! Past calls and those that go on, as administrators see them: lists, one with all that belongs to it, attached data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Right;
use crate::api::csv::{Listed, listed};
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor, no_right};
use crate::api::input::{Asked, At, Digits, Of, Told, written};
use crate::api::problem::Problem;
use crate::ids::{AgentId, CallId, QueueId, RecordingId, Redacted, TrunkId};
use crate::store::{
    CallDetail, CallEventRow, CallFilter, CallRow, CallState, Change, LegRow, NoteRow, ParticularsChange,
    RecordingRow, StoreError,
};
use crate::time::Timestamp;

use super::consents::Consent;
use super::past::spoke;
use super::route::{Route, get, put};

pub(super) fn routes() -> Vec<Route> {
    const VIEW: Needs = Needs::Right(Right::ViewCalls);
    vec![
        get("/calls", VIEW, list).says("Calls, past ones and those that go on.").lists::<By, Call>(),
        get("/calls/{id}", VIEW, show).says("A call with all that belongs to it.").gives::<Detail>(),
        put("/calls/{id}/data", Needs::Right(Right::TakeCalls), attach)
            .says("What is attached to a call is this from now on. With `view-calls` of any call, else of one's own.")
            .takes::<BTreeMap<String, String>>()
            .gives_nothing(StatusCode::NO_CONTENT),
    ]
}

/// How far back words are looked for in one go: some seconds' work in a large database.
const WORDS_SPAN: Duration = Duration::from_secs(92 * 86_400);
/// Keys of a call's data, and how long they and their values may be, in characters.
const KEYS: usize = 32;
const LONGEST_KEY: usize = 64;
const LONGEST_VALUE: usize = 1_000;

/// Which calls.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct By {
    /// Arrived not before this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<At>,
    /// Arrived before this.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<At>,
    /// Of this first queue.
    #[param(value_type = Option<String>)]
    queue: Option<QueueId>,
    /// In which this agent spoke last.
    #[param(value_type = Option<String>)]
    agent: Option<AgentId>,
    /// The last digits of the caller's number, 3 or more; what parts them is passed over.
    #[param(value_type = Option<String>, min_length = 3)]
    number: Option<Digits>,
    /// How they are; `restricted` needs the right dpo.
    #[param(inline)]
    state: Option<StateWord>,
    /// Words in notes and attached data; needs `since`, at most 92 days before `until` or now.
    #[param(value_type = Option<String>, min_length = 3, max_length = 100)]
    q: Option<Redacted<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum StateWord {
    Running,
    Ended,
    Abandoned,
    Restricted,
}

/// `Call` of `admin.ts`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Call {
    id: CallId,
    arrived_at: String,
    /// Where it is or was last.
    queue: QueueId,
    /// Its settings of recording and retention follow the call.
    first_queue: QueueId,
    /// E.164; null: withheld.
    #[schema(value_type = Option<String>)]
    caller: Option<Redacted<String>>,
    dialled: String,
    trunk: Option<TrunkId>,
    /// Who spoke with the caller last.
    agent: Option<AgentId>,
    connected_at: Option<String>,
    ended_at: Option<String>,
    end_cause: Option<String>,
    /// Why it is recorded or not, in a word; null: not decided.
    basis: Option<String>,
    basis_detail: Option<String>,
    /// How many it has, removed ones too.
    recordings: u64,
    anonymised: bool,
    restricted: bool,
}

impl Listed for Call {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "arrivedAt",
        "queue",
        "firstQueue",
        "caller",
        "dialled",
        "trunk",
        "agent",
        "connectedAt",
        "endedAt",
        "endCause",
        "basis",
        "basisDetail",
        "recordings",
        "anonymised",
        "restricted",
    ];
    const PERSONAL: bool = true;
}

impl Call {
    pub(super) fn of(row: CallRow, recordings: u64) -> Self {
        let time = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
        Self {
            id: row.id,
            arrived_at: row.arrived_at.to_rfc3339(),
            queue: row.queue,
            first_queue: row.first_queue,
            caller: row.from,
            dialled: row.dialled,
            trunk: row.trunk,
            agent: row.agent,
            connected_at: time(row.connected_at),
            ended_at: time(row.ended_at),
            end_cause: row.end_cause,
            basis: row.basis,
            basis_detail: row.basis_detail,
            recordings,
            anonymised: row.anonymised_at.is_some(),
            restricted: row.restricted_at.is_some(),
        }
    }
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked<By>,
) -> Result<Response, Problem> {
    let filter = filter(&desk, &visitor, asked.by.clone())?;
    let at = Arc::clone(&desk);
    listed(&desk, &visitor, &asked, "calls", move |place| {
        let (desk, filter) = (Arc::clone(&at), filter.clone());
        async move {
            let page = if filter.words.is_some() {
                let store = desk.store().clone();
                desk.search(async move { store.call_list(&filter, &place).await }).await?
            } else {
                soon(desk.store().call_list(&filter, &place)).await?
            };
            let ids: Vec<CallId> = page.items.iter().map(|row| row.id).collect();
            let recordings = soon(desk.store().recordings_counted(&ids)).await?;
            Ok(page.map(|row| {
                let n = recordings.get(&row.id).copied().unwrap_or_default();
                Call::of(row, n)
            }))
        }
    })
    .await
}

fn filter(desk: &Desk, visitor: &Visitor, by: By) -> Result<CallFilter, Problem> {
    let By { since, until, queue, agent, number, state, q } = by;
    let (since, until) = (since.map(|At(at)| at), until.map(|At(at)| at));
    let state = match state {
        None => None,
        Some(StateWord::Running) => Some(CallState::Running),
        Some(StateWord::Ended) => Some(CallState::Ended),
        Some(StateWord::Abandoned) => Some(CallState::Abandoned),
        Some(StateWord::Restricted) if !visitor.has(Right::Dpo) => return Err(no_right()),
        Some(StateWord::Restricted) => Some(CallState::Restricted),
    };
    if let Some(Redacted(words)) = &q {
        let bad = |detail: &str| Problem::unprocessable("bad-filter", detail);
        if !(3..=100).contains(&words.chars().count()) || written(words, 100).is_none() {
            return Err(bad("`q` has 3 to 100 characters."));
        }
        let span = since.map(|since| until.unwrap_or(desk.now()).since(since));
        if span.is_none_or(|span| span > WORDS_SPAN) {
            return Err(bad("`q` looks through 92 days at most: narrow it by `since` and `until`."));
        }
    }
    let digits = number.map(|Digits(digits)| digits);
    Ok(CallFilter { since, until, queue, agent, digits, state, words: q, sight: visitor.sight() })
}

/// `CallDetail` of `admin.ts`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CallDetail)]
pub(super) struct Detail {
    #[serde(flatten)]
    call: Call,
    language: String,
    legs: Vec<Leg>,
    events: Vec<Event>,
    consents: Vec<Consent>,
    recording_list: Vec<Short>,
    notes: Vec<Note>,
    #[schema(value_type = BTreeMap<String, String>)]
    data: BTreeMap<String, Redacted<String>>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Leg {
    /// 0 is the caller's.
    n: u16,
    /// `in`: they called us; `out`: we called them.
    direction: String,
    agent: Option<AgentId>,
    #[schema(value_type = Option<String>)]
    outside: Option<Redacted<String>>,
    trunk: Option<TrunkId>,
    dialled_at: String,
    connected_at: Option<String>,
    ended_at: Option<String>,
    cause: Option<String>,
    /// What we heard of them, 1 to 4.5 (ITU-T G.107).
    mos: Option<f64>,
    /// Share of their packets that never came, 0 to 1.
    loss: Option<f64>,
    jitter_ms: Option<f64>,
}

impl From<LegRow> for Leg {
    fn from(row: LegRow) -> Self {
        let time = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
        let quality = row.quality.as_ref();
        let sent = quality.map(|quality| quality.packets_in + quality.lost).filter(|sent| *sent > 0);
        Self {
            n: row.n,
            direction: row.direction,
            agent: row.agent,
            outside: row.outside,
            trunk: row.trunk,
            dialled_at: row.dialled_at.to_rfc3339(),
            connected_at: time(row.connected_at),
            ended_at: time(row.ended_at),
            cause: row.cause,
            mos: quality.and_then(|quality| quality.mos_x100).map(|mos| f64::from(mos) / 100.0),
            loss: quality.zip(sent).map(|(quality, sent)| quality.lost as f64 / sent as f64),
            jitter_ms: quality.map(|quality| quality.jitter_us as f64 / 1_000.0),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = CallEvent)]
struct Event {
    at: String,
    kind: String,
    agent: Option<AgentId>,
    queue: Option<QueueId>,
    detail: Option<String>,
    /// Somebody's free text.
    #[schema(value_type = Option<String>)]
    note: Option<Redacted<String>>,
}

impl From<CallEventRow> for Event {
    fn from(row: CallEventRow) -> Self {
        let CallEventRow { at, kind, agent, queue, outside: _, detail, note } = row;
        Self { at: at.to_rfc3339(), kind, agent, queue, detail, note }
    }
}

/// A recording in few words.
#[derive(Serialize, ToSchema)]
#[schema(as = ShortRecording)]
struct Short {
    id: RecordingId,
    state: String,
    seconds: Option<f64>,
}

impl From<RecordingRow> for Short {
    fn from(row: RecordingRow) -> Self {
        Self { id: row.id, state: row.state, seconds: row.samples.map(super::recordings::seconds) }
    }
}

/// `Note` of `types.ts`.
#[derive(Serialize, ToSchema)]
pub(super) struct Note {
    at: String,
    by: String,
    #[schema(value_type = String)]
    text: Redacted<String>,
}

impl From<NoteRow> for Note {
    fn from(NoteRow { at, by, text }: NoteRow) -> Self {
        Self { at: at.to_rfc3339(), by, text }
    }
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Of(id): Of,
) -> Result<Json<Detail>, Problem> {
    soon(desk.store().call_seen(id, &visitor.sight())).await?.ok_or_else(Problem::no_call)?;
    let detail = soon(desk.store().call(id)).await?.ok_or_else(Problem::no_call)?;
    let CallDetail { call, legs, events, consents, recordings } = detail;
    let (notes, data) = soon(desk.store().attached(id)).await?;
    Ok(Json(Detail {
        language: call.language.clone(),
        call: Call::of(call, recordings.len() as u64),
        legs: legs.into_iter().map(Leg::from).collect(),
        events: events.into_iter().map(Event::from).collect(),
        consents: consents.into_iter().map(Consent::from).collect(),
        recording_list: recordings.into_iter().map(Short::from).collect(),
        notes: notes.into_iter().map(Note::from).collect(),
        data,
    }))
}

pub(super) async fn attach(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Of(call): Of,
    Told(data): Told<BTreeMap<String, Redacted<String>>>,
) -> Result<StatusCode, Problem> {
    // Keys stay when the call is anonymised, and are in the audit log in the clear: no name is written so.
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let fits = |key: &String| (1..=LONGEST_KEY).contains(&key.len()) && key.chars().all(plain);
    let told = |value: &Redacted<String>| written(&value.0, LONGEST_VALUE).is_some();
    if data.len() > KEYS || !data.keys().all(fits) || !data.values().all(told) {
        let detail = format!(
            "Data are at most {KEYS} keys of 1 to {LONGEST_KEY} small letters, digits, dots, dashes and underscores, each \
             with a text of 1 to {LONGEST_VALUE} characters. Keys are kept when the call is anonymised: name no person \
             in them."
        );
        return Err(Problem::unprocessable("bad-data", detail));
    }
    // A right to see is none to write: a machine that reads has `view-calls` alone.
    let seen = visitor.has(Right::ViewCalls)
        && soon(desk.store().call_seen(call, &visitor.sight())).await?.is_some();
    let own = !seen && visitor.account.agent.is_some() && spoke(&desk, &visitor, call).await?;
    if !seen && !own {
        return Err(Problem::no_call());
    }
    let change = ParticularsChange::Data { call, data, at: desk.now(), by: visitor.actor() };
    match soon(async { Ok(desk.store().commit(vec![Change::Particulars(change)]).await) }).await? {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(StoreError::Missing { .. }) => Err(Problem::no_call()),
        Err(StoreError::State { .. }) => {
            Err(Problem::conflict("not-now", "The call is anonymised: nothing is attached to it any more."))
        }
        Err(error) => Err(error.into()),
    }
}
