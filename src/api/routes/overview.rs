//! How the whole stands: the servers, and an overview in which each sees what the rights allow.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::problem::Problem;
use crate::store::{By, ConsentFigures, Counted, NodeRow};

use super::reports::{figures, midnight, zone};
use super::route::{Route, get};
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

/// `Overview` of `admin.ts`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    /// With monitor or manage-vault.
    alarms: Option<Vec<Alarm>>,
    /// With wallboard, monitor or view-reports.
    calls_now: Option<usize>,
    /// Since midnight of the system's time zone; with wallboard or view-reports.
    today: Option<Today>,
    /// With monitor or configure-recording.
    recordings: Option<Recordings>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Today {
    offered: u64,
    answered: u64,
    recorded: u64,
    consent_given: u64,
    consent_asked: u64,
}

#[derive(Serialize, ToSchema)]
struct Recordings {
    /// In the object store.
    stored: u64,
    /// Whole, and still in a spool.
    waiting: u64,
    failed: u64,
}

pub(super) async fn overview(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<Overview>, Problem> {
    let any = |rights: &[Right]| rights.iter().any(|right| visitor.has(*right));
    let alarms = any(&[Right::Monitor, Right::ManageVault]).then(|| raised(&desk).unwrap_or_default());
    let calls_now = any(&[Right::Wallboard, Right::Monitor, Right::ViewReports]).then(|| {
        let calls = desk.control().watch().0.calls;
        calls.iter().filter(|call| visitor.sees(&call.first_queue)).count()
    });
    let today = match any(&[Right::Wallboard, Right::ViewReports]) {
        true => Some(today(&desk, &visitor).await?),
        false => None,
    };
    let recordings = match any(&[Right::Monitor, Right::ConfigureRecording]) {
        true => Some(recordings(&desk, &visitor).await?),
        false => None,
    };
    Ok(Json(Overview { alarms, calls_now, today, recordings }))
}

async fn today(desk: &Desk, visitor: &Visitor) -> Result<Today, Problem> {
    let (_, settings) = soon(desk.store().settings()).await?;
    let now = desk.now();
    let since = midnight(&zone(&settings), now);
    let counted = Counted { since, until: now, queue: None, sight: visitor.sight() };
    let calls = figures(desk, &settings, &counted, By::Queue).await?;
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
    let count = async |state: &str| soon(desk.store().recordings_in(&[state], &sight)).await;
    Ok(Recordings {
        stored: count("stored").await?,
        waiting: count("finished").await?,
        failed: count("failed").await?,
    })
}
