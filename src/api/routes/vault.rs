//! The vault's jobs, alarms and reports, and what an operator does about them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Right;
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{Asked, Told, written};
use crate::api::problem::Problem;
use crate::ids::{ReconciliationId, Redacted};
use crate::jobs;
use crate::jobs::reconcile::{self, OrphanError, Scope};
use crate::store::{
    Change, Cursor, FindingRow, JobChange, JobFigures, JobFilter, JobRow, Page, ReconciliationRow,
};
use crate::time::Timestamp;
use crate::vault::objects::ObjectError;

use super::route::{Route, get, post};

pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Needs = Needs::Right(Right::ManageVault);
    const WATCH: Needs = Needs::Any(&[Right::ManageVault, Right::Monitor]);
    vec![
        get("/jobs", WATCH, jobs)
            .says("What waits to be done, the oldest first.")
            .query::<Paged>()
            .gives::<Jobs>(),
        post("/jobs/{id}/retry", MANAGE, retry)
            .says("Has a job tried now.")
            .gives_nothing(StatusCode::NO_CONTENT),
        get("/alarms", WATCH, alarms).says("What a person should look at.").gives::<Vec<Alarm>>(),
        get("/reconciliations", MANAGE, reports)
            .says("Comparisons of database and store, the latest first.")
            .query::<Paged>()
            .gives::<Page<Report>>(),
        post("/reconciliations", MANAGE, ask)
            .says("Asks for a comparison; one that waits or runs already is taken.")
            .takes::<Nothing>()
            .gives_with::<Begun>(StatusCode::ACCEPTED),
        get("/reconciliations/{id}", MANAGE, report)
            .says("A comparison with what it found.")
            .query::<Paged>()
            .gives::<Whole>(),
        post("/reconciliations/{id}/orphans", MANAGE, remove_orphan)
            .says("Removes an object that belongs to nothing.")
            .takes::<Orphan>()
            .gives_nothing(StatusCode::NO_CONTENT),
    ]
}

/// The longest reason, in characters.
const LONGEST_REASON: usize = 1_000;

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::to_rfc3339)
}

/// Which page.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Paged {
    /// The `next` of the page before.
    after: Option<String>,
    /// Rows of a page; 50 if nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// `VaultJob` of `types.ts`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VaultJob)]
struct Job {
    id: String,
    kind: &'static str,
    subject: String,
    spool: Option<String>,
    attempts: u32,
    due: String,
    created: String,
    leased_by: Option<String>,
    leased_until: Option<String>,
    error: Option<String>,
    progress: Option<Progress>,
}

impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id.to_string(),
            kind: row.kind.word(),
            subject: row.subject,
            spool: row.spool,
            attempts: row.attempts,
            due: row.due.to_rfc3339(),
            created: row.created.to_rfc3339(),
            leased_by: row.leased_by,
            leased_until: time(row.leased_until),
            error: row.error,
            progress: row.progress.map(|crate::store::Progress { done, total }| Progress { done, total }),
        }
    }
}

/// How far a job is, in whatever it counts.
#[derive(Serialize, ToSchema)]
struct Progress {
    done: u64,
    total: u64,
}

/// Of a kind.
#[derive(Serialize, ToSchema)]
#[schema(as = JobFigures)]
struct Figures {
    kind: &'static str,
    waiting: u64,
    running: u64,
    failing: u64,
    oldest: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Jobs {
    kinds: Vec<Figures>,
    items: Vec<Job>,
    next: Option<Cursor>,
}

pub(super) async fn jobs(State(desk): State<Arc<Desk>>, asked: Asked) -> Result<Json<Jobs>, Problem> {
    let (after, limit) = asked.page()?;
    let filter = JobFilter { limit, after, ..JobFilter::default() };
    let Page { items, next } = soon(desk.store().jobs(&filter)).await?;
    let kinds = soon(desk.store().job_figures(desk.now())).await?;
    let figures = |JobFigures { kind, waiting, running, oldest, failing }| Figures {
        kind: kind.word(),
        waiting,
        running,
        failing,
        oldest: time(oldest),
    };
    let kinds = kinds.into_iter().map(figures).collect();
    Ok(Json(Jobs { kinds, items: items.into_iter().map(Job::from).collect(), next }))
}

pub(super) async fn retry(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let no_job =
        || Problem::new(StatusCode::NOT_FOUND, "no-job", "There is no such job: it is done, or never was.");
    let id: i64 = id.parse().map_err(|_| no_job())?;
    let hurry = JobChange::Hurry { id, at: desk.now(), by: visitor.actor() };
    // Asked first: a job that is not there is no fault of the database, and is not counted as one.
    soon(desk.store().job(id)).await?.ok_or_else(no_job)?;
    soon(desk.store().commit(vec![Change::Job(hurry)])).await?;
    (desk.archive()?.wake)();
    Ok(StatusCode::NO_CONTENT)
}

/// What a person should look at.
#[derive(Serialize, ToSchema)]
pub(super) struct Alarm {
    kind: String,
    what: String,
    since: String,
}

pub(super) async fn alarms(State(desk): State<Arc<Desk>>) -> Result<Json<Vec<Alarm>>, Problem> {
    Ok(Json(raised(&desk)?))
}

/// The alarms that are raised.
///
/// # Errors
/// 404, when this server was given no vault.
pub(super) fn raised(desk: &Desk) -> Result<Vec<Alarm>, Problem> {
    let alarms = desk.archive()?.alarms.list();
    let shown = |alarm: jobs::Alarm| Alarm {
        kind: alarm.kind.word().to_owned(),
        what: alarm.what,
        since: alarm.since.to_rfc3339(),
    };
    Ok(alarms.into_iter().map(shown).collect())
}

/// `Reconciliation` of `types.ts`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reconciliation)]
pub(super) struct Report {
    id: ReconciliationId,
    state: &'static str,
    by: String,
    began_at: String,
    ended_at: Option<String>,
    #[schema(value_type = Option<Object>)]
    counts: Option<serde_json::Value>,
    why: Option<String>,
}

impl From<ReconciliationRow> for Report {
    fn from(row: ReconciliationRow) -> Self {
        let ReconciliationRow { id, state, by, began_at, ended_at, counts, why } = row;
        Self {
            id,
            state: state.word(),
            by,
            began_at: began_at.to_rfc3339(),
            ended_at: time(ended_at),
            counts,
            why,
        }
    }
}

pub(super) async fn reports(
    State(desk): State<Arc<Desk>>,
    asked: Asked,
) -> Result<Json<Page<Report>>, Problem> {
    let (after, limit) = asked.page()?;
    let Page { items, next } = soon(desk.store().reconciliations(after, limit)).await?;
    Ok(Json(Page { items: items.into_iter().map(Report::from).collect(), next }))
}

/// Who dealt with it, and when, if somebody did.
#[derive(Serialize, ToSchema)]
struct Finding {
    kind: String,
    subject: String,
    detail: String,
    #[serde(rename = "resolvedAt")]
    resolved_at: Option<String>,
    #[serde(rename = "resolvedBy")]
    resolved_by: Option<String>,
}

impl From<FindingRow> for Finding {
    fn from(row: FindingRow) -> Self {
        let FindingRow { n: _, finding, resolved_at, resolved_by } = row;
        Self {
            kind: finding.kind,
            subject: finding.subject,
            detail: finding.detail,
            resolved_at: time(resolved_at),
            resolved_by,
        }
    }
}

type Findings = Page<Finding>;

/// `ReconciliationReport` of `types.ts`.
#[derive(Serialize, ToSchema)]
#[schema(as = ReconciliationReport)]
pub(super) struct Whole {
    #[serde(flatten)]
    report: Report,
    findings: Findings,
}

/// The comparison that is asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = ReconciliationBegun)]
pub(super) struct Begun {
    id: ReconciliationId,
}

pub(super) async fn report(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Json<Whole>, Problem> {
    let row = report_of(&desk, &id).await?;
    let (after, limit) = asked.page()?;
    let Page { items, next } = soon(desk.store().findings(row.id, None, after, limit)).await?;
    let findings = Page { items: items.into_iter().map(Finding::from).collect(), next };
    Ok(Json(Whole { report: Report::from(row), findings }))
}

async fn report_of(desk: &Desk, id: &str) -> Result<ReconciliationRow, Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "no-report", "There is no such reconciliation.");
    let id: ReconciliationId = id.parse().map_err(|_| none())?;
    soon(desk.store().reconciliation(id)).await?.ok_or_else(none)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Asks for a comparison; one that waits or runs already is taken.
pub(super) async fn ask(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Response, Problem> {
    let archive = desk.archive()?;
    let asked = soon(reconcile::ask(desk.store(), visitor.actor(), Scope::Sample, desk.now())).await?;
    (archive.wake)();
    Ok((StatusCode::ACCEPTED, Json(Begun { id: asked.id })).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Orphan {
    name: String,
    #[schema(value_type = String, min_length = 1, max_length = 1000)]
    reason: Redacted<String>,
}

/// Removes what belongs to nothing, by an operator's word.
pub(super) async fn remove_orphan(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Told(Orphan { name, reason: Redacted(reason) }): Told<Orphan>,
) -> Result<StatusCode, Problem> {
    let archive = desk.archive()?;
    let Some(reason) = written(&reason, LONGEST_REASON) else { return Err(bad_reason()) };
    let report = report_of(&desk, &id).await?.id;
    let reason = Redacted(reason.to_owned());
    let on = (desk.store(), &archive.objects, archive.clock);
    match reconcile::remove_orphan(on, (report, name.as_str()), visitor.actor(), &reason).await {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(unremoved(error)),
    }
}

fn bad_reason() -> Problem {
    let detail = format!("Removing an object needs a written reason of 1 to {LONGEST_REASON} characters.");
    Problem::unprocessable("bad-reason", detail)
}

fn unremoved(error: OrphanError) -> Problem {
    let told = error.to_string();
    match error {
        OrphanError::NoReason => bad_reason(),
        OrphanError::NotInReport { .. } => Problem::new(StatusCode::NOT_FOUND, "no-orphan", told),
        OrphanError::HasRow { .. } => Problem::conflict("not-now", told),
        OrphanError::Objects(ObjectError::Locked { .. }) => Problem::conflict("locked", told),
        OrphanError::StillThere { .. } | OrphanError::Objects(_) => {
            tracing::warn!(error = told, "an orphan is not removed");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store-away", told)
        }
        OrphanError::Store(error) => error.into(),
    }
}
