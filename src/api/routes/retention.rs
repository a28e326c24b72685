//! Retention: the rules in sentences, what is due and when, what would go by other rules, and why a recording is here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{Recorded, Told};
use crate::api::problem::Problem;
use crate::audit::Class;
use crate::ids::{CallId, QueueId, RecordingId};
use crate::retention::{self, Holds, Proposed, ProposedQueue, QueueRules, Rules, Said};
use crate::settings::Keep;
use crate::store::{self, AuditFilter, StoreError};
use crate::time::Timestamp;

use super::holds::Hold;
use super::route::{Route, get, post};

pub(super) fn routes() -> Vec<Route> {
    const CONFIGURE: Needs = Needs::Right(Right::ConfigureRecording);
    vec![
        get("/retention", CONFIGURE, show)
            .says("The rules in force, what is due, and what goes in the next 90 days.")
            .gives::<RetentionView>(),
        post("/retention/simulation", CONFIGURE, simulate)
            .says("What would go if these rules were in force, beside what goes anyway; nothing is changed.")
            .takes::<Proposal>()
            .gives::<Simulation>(),
        get("/recordings/{id}/why", Needs::Right(Right::ListenRecordings), why)
            .says("Why a recording is still here, or why it went.")
            .gives::<Whys>(),
    ]
}

/// Counting ten million calls takes seconds; the database gives up after a minute by itself.
const COUNTING: Duration = Duration::from_secs(60);

/// The rules and how far the sweeper is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RetentionView {
    rules: Vec<RuleLine>,
    /// How long anonymous reporting data is kept.
    reporting: String,
    lag_seconds: u64,
    /// When the last sweep that saw everything ended.
    last_run: Option<String>,
    removed_today: u64,
    due: u64,
    held: u64,
    timeline: Vec<TimelineDay>,
}

/// The rules of a queue, or, without one, of the system.
#[derive(Serialize, ToSchema)]
pub(super) struct RuleLine {
    queue: Option<QueueId>,
    calls: String,
    recordings: String,
    /// `queue`, where it says something itself; else `system`.
    from: &'static str,
    sentence: String,
}

/// What goes on a day (UTC).
#[derive(Serialize, ToSchema)]
pub(super) struct TimelineDay {
    day: String,
    recordings: u64,
    calls: u64,
}

impl From<store::TimelineDay> for TimelineDay {
    fn from(day: store::TimelineDay) -> Self {
        let store::TimelineDay { day, recordings, calls } = day;
        Self { day, recordings, calls }
    }
}

async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<RetentionView>, Problem> {
    let (_, settings) = soon(desk.store().settings()).await?;
    let (rules, now) = (Rules::of(&settings), desk.now());
    let state = soon(desk.store().retention_state()).await?;
    let midnight = Timestamp::from_micros(now.as_micros() / DAY * DAY);
    let sight = visitor.sight();
    let removed_today = counted(desk.store().removed_since(midnight, &sight)).await?;
    let (store, of) = (desk.store().clone(), (rules.clone(), visitor.sight()));
    let timeline = desk.heavy.read(COUNTING, async move { store.timeline(&of.0, now, &of.1).await }).await?;
    let (due, held) = due(&desk, &visitor, &rules).await?;
    let system = (visitor.held.queues().is_none()).then(|| line(None, &rules.of_system()));
    let of_queues = rules.queues().filter(|queue| visitor.sees(queue));
    let of_queues = of_queues.map(|queue| line(Some(queue), &rules.of_queue(queue)));
    Ok(Json(RetentionView {
        rules: system.into_iter().chain(of_queues).collect(),
        reporting: rules.reporting().to_string(),
        lag_seconds: if rules.remove_something() { state.lag(now).as_secs() } else { 0 },
        last_run: state.ended_at.map(Timestamp::to_rfc3339),
        removed_today,
        due,
        held,
        timeline: timeline.into_iter().map(TimelineDay::from).collect(),
    }))
}

/// How much is due, and how much of that is held: as the sweeper has it, or, for who sees some queues alone, counted of
/// them.
pub(super) async fn due(desk: &Desk, visitor: &Visitor, rules: &Rules) -> Result<(u64, u64), Problem> {
    if visitor.held.queues().is_some() {
        let (store, rules, now) = (desk.store().clone(), rules.clone(), desk.now());
        let sight = visitor.sight();
        return desk.heavy.read(COUNTING, async move { store.due_of(&rules, now, &sight).await }).await;
    }
    let state = soon(desk.store().retention_state()).await?;
    Ok((state.due, state.held))
}

const DAY: i64 = 86_400_000_000;

fn line(queue: Option<&QueueId>, rules: &QueueRules) -> RuleLine {
    let own = [rules.calls.said, rules.files.said].contains(&Said::Queue);
    RuleLine {
        queue: queue.cloned(),
        calls: rules.calls.keep.to_string(),
        recordings: rules.files.keep.to_string(),
        from: if own { Said::Queue.word() } else { Said::System.word() },
        sentence: rules.sentence(queue),
    }
}

/// Waits for what is counted.
pub(super) async fn counted<T>(read: impl Future<Output = Result<T, StoreError>>) -> Result<T, Problem> {
    match timeout(COUNTING, read).await {
        Ok(read) => Ok(read?),
        Err(_) => {
            let detail = "Counting took longer than a minute: try again when the database has less to do.";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail))
        }
    }
}

/// Rules that somebody thinks of; what is not named stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Proposal {
    #[serde(default)]
    system: Option<SystemProposal>,
    #[serde(default)]
    queues: Option<BTreeMap<String, QueueProposal>>,
}

/// Durations such as `90d`, or `forever`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SystemProposal {
    #[serde(default)]
    calls: Option<String>,
    #[serde(default)]
    recordings: Option<String>,
    #[serde(default)]
    reporting: Option<String>,
}

/// As for the system; null: as the system says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct QueueProposal {
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    retention: Option<Option<String>>,
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    file_removal: Option<Option<String>>,
    /// The queue goes: what it leaves is kept by the rules of the system.
    #[serde(default)]
    removed: bool,
}

/// Tells `null` from nothing.
fn named<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(from).map(Some)
}

impl Proposal {
    fn read(self) -> Result<Proposed, Problem> {
        let mut proposed = Proposed::default();
        if let Some(SystemProposal { calls, recordings, reporting }) = self.system {
            proposed.calls = keep("system.calls", calls)?;
            proposed.recordings = keep("system.recordings", recordings)?;
            proposed.reporting = keep("system.reporting", reporting)?;
        }
        for (name, QueueProposal { retention, file_removal, removed }) in self.queues.unwrap_or_default() {
            if removed {
                proposed.removed.insert(QueueId(name));
                continue;
            }
            let read = |key, own: Option<Option<String>>| match own {
                None => Ok(None),
                Some(own) => keep(key, own).map(Some),
            };
            let queue = ProposedQueue {
                retention: read("retention", retention)?,
                file_removal: read("file-removal", file_removal)?,
            };
            proposed.queues.insert(QueueId(name), queue);
        }
        Ok(proposed)
    }
}

fn keep(key: &str, text: Option<String>) -> Result<Option<Keep>, Problem> {
    let read = text.map(|text| Keep::parse(&text)).transpose();
    read.map_err(|error| {
        let detail = format!("`{key}`: {error}, or \"forever\".");
        Problem::unprocessable("bad-rule", detail)
    })
}

/// What would go.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Simulation {
    /// At once by the rules as they are.
    now: Impact,
    /// At once by those that are proposed.
    proposed: Impact,
    /// Recordings that would go sooner.
    sooner: Vec<Example>,
    /// By the proposed rules.
    timeline: Vec<TimelineDay>,
    took_ms: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Impact {
    recordings: u64,
    bytes: u64,
    calls: u64,
    rows: u64,
    held: u64,
    by_queue: Vec<OfQueue>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ImpactOfQueue)]
struct OfQueue {
    queue: QueueId,
    recordings: u64,
    calls: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RetentionExample)]
struct Example {
    recording: RecordingId,
    call: CallId,
    queue: QueueId,
    /// When the call ended.
    at: String,
    goes_at: String,
    sentence: String,
}

impl From<store::Impact> for Impact {
    fn from(impact: store::Impact) -> Self {
        let store::Impact { recordings, bytes, calls, rows, held, by_queue } = impact;
        let of = |(queue, recordings, calls)| OfQueue { queue, recordings, calls };
        Self { recordings, bytes, calls, rows, held, by_queue: by_queue.into_iter().map(of).collect() }
    }
}

impl From<store::Example> for Example {
    fn from(example: store::Example) -> Self {
        let store::Example { recording, call, because } = example;
        Self {
            recording,
            call,
            at: because.ended_at.to_rfc3339(),
            goes_at: because.due.at.to_rfc3339(),
            sentence: format!("It goes, as {}.", because.sentence()),
            queue: because.queue,
        }
    }
}

#[allow(clippy::disallowed_methods)] // how long it took is for a person to see
async fn simulate(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Told(proposal): Told<Proposal>,
) -> Result<Json<Simulation>, Problem> {
    let proposed = proposal.read()?;
    let (_, settings) = soon(desk.store().settings()).await?;
    let rules = Rules::of(&settings);
    let (proposed, began, sight) = (rules.with(&proposed), Instant::now(), visitor.sight());
    let (store, now) = (desk.store().clone(), desk.now());
    let simulated = desk
        .heavy
        .read(COUNTING, async move { store.simulate((&rules, &proposed), now, &sight, &|_, _| {}).await })
        .await?;
    let store::Simulation { now, proposed, sooner, timeline } = simulated;
    Ok(Json(Simulation {
        now: now.into(),
        proposed: proposed.into(),
        sooner: sooner.into_iter().map(Example::from).collect(),
        timeline: timeline.into_iter().map(TimelineDay::from).collect(),
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }))
}

/// Why a recording is here, or gone.
#[derive(Serialize, ToSchema)]
pub(super) struct Whys {
    sentence: String,
    rule: String,
    clock: Option<RunningClock>,
    holds: Vec<Hold>,
    history: Vec<Past>,
}

#[derive(Serialize, ToSchema)]
struct RunningClock {
    from: String,
    keep: String,
    at: String,
}

/// What was done to it, as the audit log has it.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordingPast)]
struct Past {
    at: String,
    what: String,
    by: String,
}

async fn why(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Recorded(id): Recorded,
) -> Result<Json<Whys>, Problem> {
    let row = soon(desk.store().recording_seen(id, &visitor.sight())).await?;
    let row = row.ok_or_else(Problem::no_recording)?;
    let (_, settings) = soon(desk.store().settings()).await?;
    let now = desk.now();
    let holds = Holds::new(soon(desk.store().open_holds()).await?, now);
    let fate = soon(desk.store().fate_of(&row)).await?;
    let filter = AuditFilter { object: Some(id.to_string()), ..AuditFilter::default() };
    let rows = soon(desk.store().audit(&filter)).await?;
    let history = rows.into_iter().rev().filter(|row| row.class == Class::Modify);
    let history = history.map(|row| Past {
        at: row.at.to_rfc3339(),
        what: row.action.to_string(),
        by: row.who.to_string(),
    });
    let why = retention::why(&Rules::of(&settings), &holds, now, id, &fate);
    let may = visitor.has(Right::ManageHolds);
    Ok(Json(Whys {
        sentence: why.sentence,
        rule: why.rule,
        clock: why.clock.map(|clock| RunningClock {
            from: clock.from.to_rfc3339(),
            keep: clock.keep.to_string(),
            at: clock.at.to_rfc3339(),
        }),
        holds: why.holds.into_iter().map(|hold| Hold::shown(hold, may)).collect(),
        history: history.collect(),
    }))
}
