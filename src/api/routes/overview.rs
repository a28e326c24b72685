//! How the whole stands: the servers, and an overview in which each sees what the rights allow.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::desk::{Desk, patiently, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::problem::Problem;
use crate::ids::QueueId;
use crate::retention::Rules;
use crate::settings::{Level, Subject, lint};
use crate::store::{By, ConsentFigures, Counted, NodeRow};
use crate::time::Timestamp;

use super::reports::{figures, midnight, zone};
use super::retention::due;
use super::route::{Route, get};
use super::settings::wording;
use super::vault::{Alarm, raised};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/nodes", Needs::Right(Right::Monitor), nodes)
            .says("The servers that share the database.")
            .gives::<Vec<Node>>(),
        get("/overview", Needs::Any(SEE), overview)
            .says("How everything stands; what the rights do not allow is null.")
            .gives::<Overview>(),
    ]
}

/// So long the page waits for the first count of what is stored; behind it, it is shown without.
const COUNTED_WITHIN: Duration = Duration::from_millis(500);

/// Who sees something in the overview.
const SEE: &[Right] = &[
    Right::Wallboard,
    Right::Monitor,
    Right::ViewReports,
    Right::ConfigureQueues,
    Right::ConfigureRecording,
    Right::ConfigurePrompts,
    Right::ConfigureTrunks,
    Right::ConfigureAgents,
    Right::ConfigureSystem,
];

/// `Node` of `admin.ts`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Node {
    /// Its spool's id.
    id: String,
    version: String,
    since: String,
    /// It tells every ten seconds that it is there.
    seen_at: String,
    calls: u64,
    /// It refuses new calls and is about to stop.
    draining: bool,
    /// It is the one that answers.
    here: bool,
}

pub(super) async fn nodes(State(desk): State<Arc<Desk>>) -> Result<Json<Vec<Node>>, Problem> {
    let here = desk.store().node();
    let shown = |row: NodeRow| Node {
        here: here == Some(row.id.as_str()),
        id: row.id,
        version: row.version,
        since: row.since.to_rfc3339(),
        seen_at: row.seen_at.to_rfc3339(),
        calls: row.calls,
        draining: row.draining,
    };
    Ok(Json(soon(desk.store().nodes()).await?.into_iter().map(shown).collect()))
}

/// `Overview` of `admin.ts`. What the rights do not allow is empty or 0.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    /// With monitor or manage-vault.
    alarms: Vec<Alarm>,
    /// With wallboard, monitor or view-reports.
    calls_now: usize,
    /// Since midnight of the system's time zone; with wallboard or view-reports.
    today: Today,
    /// With monitor or configure-recording.
    recordings: Recordings,
    /// With configure-recording or monitor.
    retention: Late,
    /// What was asked about people's data and is not over; with dpo, else null.
    tasks: Option<u64>,
    /// With view-audit-log.
    audit: Log,
    /// What the linter says of the queues; with configure-queues, configure-recording or configure-prompts.
    findings: Vec<OfQueue>,
}

#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Today {
    offered: u64,
    answered: u64,
    recorded: u64,
    consent_given: u64,
    consent_asked: u64,
}

/// What is due by the rules of retention.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Late {
    due: u64,
    lag_seconds: u64,
}

#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Log {
    rows: u64,
    anchored_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FindingOfQueue)]
struct OfQueue {
    queue: QueueId,
    level: Level,
    what: String,
}

#[derive(Default, Serialize, ToSchema)]
#[schema(as = RecordingsInAll)]
struct Recordings {
    /// In the object store, as counted a while ago; null: they are being counted for the first time.
    stored: Option<u64>,
    /// When that was.
    counted_at: Option<String>,
    /// Whole, and still in a spool.
    waiting: u64,
    failed: u64,
}

pub(super) async fn overview(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<Overview>, Problem> {
    let any = |rights: &[Right]| rights.iter().any(|right| visitor.has(*right));
    let mut shown = Overview::default();
    if any(&[Right::Monitor, Right::ManageVault]) {
        // A server without a vault has no alarms.
        shown.alarms = raised(&desk).unwrap_or_default();
    }
    if any(&[Right::Wallboard, Right::Monitor, Right::ViewReports]) {
        let calls = desk.control().watch().0.calls;
        shown.calls_now = calls.iter().filter(|call| visitor.sees(&call.first_queue)).count();
    }
    if any(&[Right::Wallboard, Right::ViewReports]) {
        shown.today = today(&desk, &visitor).await?;
    }
    if any(&[Right::Monitor, Right::ConfigureRecording]) {
        shown.recordings = recordings(&desk, &visitor).await?;
        shown.retention = late(&desk, &visitor).await?;
    }
    if any(&[Right::Dpo]) {
        shown.tasks = Some(soon(desk.store().privacy_tasks_open()).await?);
    }
    if any(&[Right::ViewAuditLog]) {
        let rows = soon(desk.store().audit_head()).await?.seq;
        let anchored_at = soon(desk.store().anchor_turn()).await?.anchored_at.map(Timestamp::to_rfc3339);
        shown.audit = Log { rows, anchored_at };
    }
    if any(&[Right::ConfigureQueues, Right::ConfigureRecording, Right::ConfigurePrompts]) {
        shown.findings = findings(&desk, &visitor).await?;
    }
    Ok(Json(shown))
}

async fn late(desk: &Desk, visitor: &Visitor) -> Result<Late, Problem> {
    let (_, settings) = soon(desk.store().settings()).await?;
    let state = soon(desk.store().retention_state()).await?;
    let rules = Rules::of(&settings);
    let lag_seconds = if rules.remove_something() { state.lag(desk.now()).as_secs() } else { 0 };
    let (due, _) = due(desk, visitor, &rules).await?;
    Ok(Late { due, lag_seconds })
}

async fn findings(desk: &Desk, visitor: &Visitor) -> Result<Vec<OfQueue>, Problem> {
    let all = soon(desk.store().versioned_settings()).await?;
    let mut found = Vec::new();
    for (name, queue) in all.settings.queues.iter().filter(|(name, _)| visitor.sees(name)) {
        let wording = wording(desk, &all, name, queue).await?;
        let subject =
            Subject { name, queue, before: Some(&**queue), settings: &all.settings, wording: &wording };
        let told = lint(&subject).into_iter().filter(|finding| finding.level != Level::Note);
        found.extend(told.map(|finding| OfQueue {
            queue: name.clone(),
            level: finding.level,
            what: finding.what,
        }));
    }
    found.sort_by_key(|finding| finding.level);
    Ok(found)
}

async fn today(desk: &Desk, visitor: &Visitor) -> Result<Today, Problem> {
    let (_, settings) = soon(desk.store().settings()).await?;
    let now = desk.now();
    let since = midnight(&zone(&settings), now);
    let counted = Counted { since, until: now, queue: None, sight: visitor.sight() };
    let calls = patiently(figures(desk, &settings, counted.clone(), By::Queue)).await?;
    let (mut offered, mut answered, mut recorded) = (0, 0, 0);
    for (_, figures) in calls {
        offered += figures.offered;
        answered += figures.answered;
        recorded += figures.recorded;
    }
    let mut consents = ConsentFigures::default();
    for (_, figures) in soon(desk.store().consent_figures(&counted, By::Queue)).await? {
        consents += &figures;
    }
    let ConsentFigures { given, refused, wrong_keys, silent, hung_up, withdrawn: _ } = consents;
    let consent_asked = given + refused + wrong_keys + silent + hung_up;
    Ok(Today { offered, answered, recorded, consent_given: given, consent_asked })
}

async fn recordings(desk: &Desk, visitor: &Visitor) -> Result<Recordings, Problem> {
    let sight = visitor.sight();
    let counted = desk.store().recordings_stored(&sight, COUNTED_WITHIN).await;
    let count = async |state: &str| patiently(desk.store().recordings_in(&[state], &sight)).await;
    Ok(Recordings {
        stored: counted.map(|(stored, _)| stored),
        counted_at: counted.map(|(_, at)| at.to_rfc3339()),
        waiting: count("finished").await?,
        failed: count("failed").await?,
    })
}
