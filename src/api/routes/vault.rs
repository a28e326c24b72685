//! The vault's jobs, alarms and reports, and what an operator does about them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Right;
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{Asked, Told, written};
use crate::api::problem::Problem;
use crate::ids::{ReconciliationId, Redacted};
use crate::jobs::reconcile::{self, OrphanError, Scope};
use crate::store::{
    Change, Cursor, FindingRow, JobChange, JobFigures, JobFilter, JobRow, Page, ReconciliationRow,
};
use crate::time::Timestamp;
use crate::vault::objects::ObjectError;

use super::route::{Route, get, post};

pub(super) fn routes() -> Vec<Route> {
    const MANAGE: Needs = Needs::Right(Right::ManageVault);
    vec![
        get("/jobs", MANAGE, jobs),
        post("/jobs/{id}/retry", MANAGE, retry),
        get("/alarms", MANAGE, alarms),
        get("/reconciliations", MANAGE, reports),
        post("/reconciliations", MANAGE, ask),
        get("/reconciliations/{id}", MANAGE, report),
        post("/reconciliations/{id}/orphans", MANAGE, remove_orphan),
    ]
}

/// Rows of a page.
const PAGE: u32 = 100;
/// The longest reason, in characters.
const LONGEST_REASON: usize = 1_000;

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::to_rfc3339)
}

/// `VaultJob` of `types.ts`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
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
    progress: Option<crate::store::Progress>,
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
            progress: row.progress,
        }
    }
}

/// Of a kind.
#[derive(Serialize)]
struct Figures {
    kind: &'static str,
    waiting: u64,
    running: u64,
    failing: u64,
    oldest: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Jobs {
    kinds: Vec<Figures>,
    items: Vec<Job>,
    next: Option<Cursor>,
}

pub(super) async fn jobs(State(desk): State<Arc<Desk>>, asked: Asked) -> Result<Json<Jobs>, Problem> {
    let filter = JobFilter { limit: PAGE, after: asked.after()?, ..JobFilter::default() };
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

pub(super) async fn alarms(State(desk): State<Arc<Desk>>) -> Result<Response, Problem> {
    let alarms = desk.archive()?.alarms.list();
    let shown = alarms.into_iter().map(
        |alarm| json!({ "kind": alarm.kind.word(), "what": alarm.what, "since": alarm.since.to_rfc3339() }),
    );
    Ok(Json(shown.collect::<Vec<_>>()).into_response())
}

/// `Reconciliation` of `types.ts`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    id: ReconciliationId,
    state: &'static str,
    by: String,
    began_at: String,
    ended_at: Option<String>,
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
    let Page { items, next } = soon(desk.store().reconciliations(asked.after()?, PAGE)).await?;
    Ok(Json(Page { items: items.into_iter().map(Report::from).collect(), next }))
}

#[derive(Serialize)]
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

pub(super) async fn report(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let row = report_of(&desk, &id).await?;
    let Page { items, next } = soon(desk.store().findings(row.id, None, asked.after()?, PAGE)).await?;
    let findings = Page { items: items.into_iter().map(Finding::from).collect(), next };
    let report = serde_json::to_value(Report::from(row));
    let Ok(mut report) = report else {
        return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "The report cannot be shown."));
    };
    report["findings"] = json!(findings);
    Ok(Json(report).into_response())
}

async fn report_of(desk: &Desk, id: &str) -> Result<ReconciliationRow, Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "no-report", "There is no such reconciliation.");
    let id: ReconciliationId = id.parse().map_err(|_| none())?;
    soon(desk.store().reconciliation(id)).await?.ok_or_else(none)
}

#[derive(Deserialize)]
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
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": asked.id }))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Orphan {
    name: String,
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
