//! Tasks: asked, approved or refused by a second user, and what was made of them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use ulid::Ulid;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::csv::{Listed, listed};
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Visitor, no_right};
use crate::api::input::{Asked, LONGEST_REASON, Told, written};
use crate::api::problem::Problem;
use crate::ids::{CallId, EntryId, Redacted, TaskId};
use crate::settings::verify_password;
use crate::store::{
    Change, NewTask, PrivacyChange, StoreError, TaskCounts, TaskFile, TaskKind, TaskRow, TaskState,
};
use crate::time::Timestamp;
use crate::vault::{Chest, WrappedKey};

/// Calls, and entries, that one task may be about.
const MOST: usize = 1_000;
/// The largest body: so many ids of both, a reason, and room.
const LARGEST: usize = 96 * 1_024;
/// Chunks of a file on their way to who takes it.
const AHEAD: usize = 4;

/// What can be asked here; consents are reset by routes of their own.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = TaskWord)]
enum Word {
    Report,
    Zip,
    Erase,
    Restrict,
    Unrestrict,
    Move,
}

impl From<Word> for TaskKind {
    fn from(word: Word) -> Self {
        match word {
            Word::Report => Self::Report,
            Word::Zip => Self::Zip,
            Word::Erase => Self::Erase,
            Word::Restrict => Self::Restrict,
            Word::Unrestrict => Self::Unrestrict,
            Word::Move => Self::Move,
        }
    }
}

/// What a task is about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Selection {
    #[schema(max_items = 1_000)]
    calls: Vec<CallId>,
    /// The people's consents, too: those of the numbers of the calls and entries.
    consents: bool,
    #[schema(max_items = 1_000)]
    entries: Vec<EntryId>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTask)]
pub(super) struct Wanted {
    kind: Word,
    selection: Selection,
    /// For the trail, which keeps it: name no person.
    #[schema(value_type = String)]
    reason: Redacted<String>,
    /// Once more, where the page asks for it; what is given has to be right.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    password: Option<Redacted<String>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Empty)]
pub(super) struct Nothing {}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reason)]
pub(super) struct No {
    #[schema(value_type = String)]
    reason: Redacted<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TaskProgress)]
struct Progress {
    done: u64,
    total: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TaskCounts)]
struct Counts {
    calls: u64,
    recordings: u64,
    consents: u64,
    entries: u64,
}

/// `Task` of `admin.ts`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::routes) struct Task {
    id: TaskId,
    /// `report`, `zip`, `erase`, `restrict`, `unrestrict`, `move` or `consents`.
    #[schema(value_type = String)]
    kind: TaskKind,
    /// `waiting-for-approval`, `waiting`, `running`, `done`, `failed` or `refused`.
    #[schema(value_type = String)]
    state: TaskState,
    by: String,
    at: String,
    approved_by: Option<String>,
    #[schema(value_type = String)]
    reason: Redacted<String>,
    progress: Progress,
    /// How it ended, or what it waits for.
    what: Option<String>,
    ended_at: Option<String>,
    /// Then its file goes.
    expires_at: Option<String>,
    has_file: bool,
    counts: Counts,
}

impl Listed for Task {
    const COLUMNS: &'static [&'static str] =
        &["id", "kind", "state", "by", "at", "approvedBy", "what", "endedAt", "expiresAt"];
    const PERSONAL: bool = false;
}

/// A task as it is shown.
pub(in crate::api::routes) fn shown(row: TaskRow, now: Timestamp) -> Task {
    let TaskCounts { calls, recordings, consents, entries } = row.counts;
    let has_file = row.certified || there(&row, now).is_some();
    Task {
        id: row.id,
        kind: row.kind,
        state: row.state,
        by: row.by,
        at: row.at.to_rfc3339(),
        approved_by: row.approved_by,
        reason: row.reason,
        progress: Progress { done: row.progress.done, total: row.progress.total },
        what: row.what,
        ended_at: row.ended_at.map(Timestamp::to_rfc3339),
        expires_at: row.expires_at.map(Timestamp::to_rfc3339),
        has_file,
        counts: Counts { calls, recordings, consents, entries },
    }
}

/// A task's file, if its time is not over.
fn there(row: &TaskRow, now: Timestamp) -> Option<&TaskFile> {
    row.file.as_ref().filter(|_| row.expires_at.is_none_or(|at| now < at))
}

pub(super) async fn ask(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Told(Wanted { kind, selection, reason, password }): Told<Wanted, LARGEST>,
) -> Result<Response, Problem> {
    let kind = TaskKind::from(kind);
    let reason = reason_of(&reason)?;
    let spool = desk.archive()?.vault.spool_id().to_owned();
    let Selection { mut calls, consents, mut entries } = selection;
    if calls.len() > MOST || entries.len() > MOST {
        let detail = format!("At most {MOST} calls and {MOST} entries at once: narrow the selection.");
        return Err(Problem::unprocessable("too-many", detail));
    }
    calls.sort_unstable();
    calls.dedup();
    entries.sort_unstable();
    entries.dedup();
    may_select(&desk, &visitor, &calls, consents || !entries.is_empty()).await?;
    let counts = soon(desk.store().privacy_counts(&calls, &entries, consents)).await?;
    let nothing = match kind {
        TaskKind::Restrict | TaskKind::Unrestrict => counts.calls == 0,
        TaskKind::Zip => counts.recordings == 0,
        TaskKind::Report | TaskKind::Erase | TaskKind::Move | TaskKind::Consents => {
            counts.calls == 0 && counts.entries == 0
        }
    };
    if nothing {
        let detail = "Nothing that is selected is there for this.";
        return Err(Problem::unprocessable("nothing-selected", detail));
    }
    if let Some(password) = password {
        right_password(&desk, &visitor, password).await?;
    }
    let settings = soon(desk.store().settings()).await?.1;
    let approval = kind.erases() && settings.system.unwrap_or_default().privacy.second_approver;
    let (id, by, at) = (TaskId::new(Ulid::generate()), visitor.user.clone(), desk.now());
    let task =
        NewTask { id, kind, by, at, reason, calls, entries, consents, whose: None, approval, spool, counts };
    soon(desk.store().commit(vec![Change::Privacy(PrivacyChange::Asked(Box::new(task)))])).await?;
    (desk.archive()?.wake)();
    Ok((StatusCode::CREATED, Json(shown(row(&desk, id).await?, desk.now()))).into_response())
}

/// Who is limited to queues may select their calls, and nothing that belongs to no queue.
async fn may_select(desk: &Desk, visitor: &Visitor, calls: &[CallId], people: bool) -> Result<(), Problem> {
    if visitor.held.queues().is_none() {
        return Ok(());
    }
    if people {
        return Err(no_right());
    }
    for call in calls {
        let detail = soon(desk.store().call(*call)).await?;
        if detail.is_some_and(|detail| !visitor.sees(&detail.call.first_queue)) {
            return Err(no_right());
        }
    }
    Ok(())
}

async fn right_password(desk: &Desk, visitor: &Visitor, password: Redacted<String>) -> Result<(), Problem> {
    let wrong = || Problem::unprocessable("wrong-password", "The password is not right.");
    if password.0.len() > 1_024 {
        return Err(wrong());
    }
    let hash = visitor.account.password_hash.clone();
    // It takes a core for a while.
    let Ok(_place) = Arc::clone(&desk.hashing).acquire_owned().await else { return Err(wrong()) };
    let fits = tokio::task::spawn_blocking(move || verify_password(&hash, &password.0)).await;
    match fits {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(wrong()),
    }
}

pub(in crate::api::routes) fn reason_of(reason: &Redacted<String>) -> Result<Redacted<String>, Problem> {
    written(&reason.0, LONGEST_REASON).map(|text| Redacted(text.to_owned())).ok_or_else(|| {
        let detail =
            format!("A reason has 1 to {LONGEST_REASON} characters, and none that only steers a terminal.");
        Problem::unprocessable("bad-reason", detail)
    })
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked,
) -> Result<Response, Problem> {
    let at = Arc::clone(&desk);
    let sight = visitor.sight();
    listed(&desk, &visitor, &asked, "privacy-tasks", move |place| {
        let (desk, sight) = (Arc::clone(&at), sight.clone());
        async move {
            let page = soon(desk.store().privacy_tasks(&place, &sight)).await?;
            let now = desk.now();
            Ok(page.map(|row| shown(row, now)))
        }
    })
    .await
}

pub(super) async fn one(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Json<Task>, Problem> {
    let row = row_for(&desk, &visitor, &id).await?;
    Ok(Json(shown(row, desk.now())))
}

/// A task of the path; one about consents alone for who has no more than that right; one about calls of some queues alone
/// for who is limited to them.
async fn row_for(desk: &Desk, visitor: &Visitor, id: &str) -> Result<TaskRow, Problem> {
    let row = row(desk, id.parse().map_err(|_| no_task())?).await?;
    let may = visitor.has(Right::Dpo) || row.kind == TaskKind::Consents;
    let may = may && soon(desk.store().privacy_task_seen(row.id, &visitor.sight())).await?;
    if may { Ok(row) } else { Err(no_task()) }
}

pub(in crate::api::routes) async fn row(desk: &Desk, id: TaskId) -> Result<TaskRow, Problem> {
    soon(desk.store().privacy_task(id)).await?.ok_or_else(no_task)
}

fn no_task() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-task", "There is no such task.")
}

pub(super) async fn approve(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Task>, Problem> {
    let row = row_for(&desk, &visitor, &id).await?;
    if row.by == visitor.user {
        let detail = "Who asked for it cannot approve it: another user with the right has to.";
        return Err(Problem::conflict("own", detail));
    }
    let (id, by, at) = (row.id, visitor.user.clone(), desk.now());
    decide(&desk, id, PrivacyChange::Approved { id, by, at }).await
}

pub(super) async fn refuse(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Told(No { reason }): Told<No>,
) -> Result<Json<Task>, Problem> {
    let reason = reason_of(&reason)?;
    let id = row_for(&desk, &visitor, &id).await?.id;
    let (by, at) = (visitor.user.clone(), desk.now());
    decide(&desk, id, PrivacyChange::Refused { id, by, reason, at }).await
}

async fn decide(desk: &Desk, id: TaskId, change: PrivacyChange) -> Result<Json<Task>, Problem> {
    match desk.store().commit(vec![Change::Privacy(change)]).await {
        Ok(()) => {}
        Err(StoreError::State { .. }) => {
            return Err(Problem::conflict("not-waiting", "It does not wait for approval (any more)."));
        }
        Err(error) => return Err(error.into()),
    }
    (desk.archive()?.wake)();
    Ok(Json(shown(row(desk, id).await?, desk.now())))
}

pub(super) async fn file(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let row = row_for(&desk, &visitor, &id).await?;
    let id = row.id;
    if row.certified {
        let text = soon(desk.store().privacy_certificate(id)).await?.ok_or_else(no_file)?;
        taken(&desk, &visitor, id).await?;
        return Ok(answer(id, "application/json", "json", Some(text.len() as u64), Body::from(text)));
    }
    let file = match there(&row, desk.now()) {
        Some(file) => file.clone(),
        None if row.expires_at.is_some() => {
            let detail = "What was made is gone: its time was over, or the person was erased.";
            return Err(Problem::new(StatusCode::GONE, "gone", detail));
        }
        None => return Err(no_file()),
    };
    if !visitor.has(Right::Dpo) && holds_restricted(&desk, &row, &file).await? {
        let detail = "It holds consents of restricted calls: somebody with the right dpo has to take it. \
                      `POST /consents/export` gives the others.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "restricted", detail));
    }
    let archive = desk.archive()?;
    if file.spool != archive.vault.spool_id() {
        let detail = format!("It lies beside the spool {} of another server: ask that one.", file.spool);
        return Err(Problem::conflict("elsewhere", detail));
    }
    let (vault, key) = (Arc::clone(&archive.vault), WrappedKey(file.wrapped_key.0));
    let opened = tokio::task::spawn_blocking(move || vault.open_chest(id, &key)).await;
    let chest = match opened {
        Ok(Ok(chest)) => chest,
        Ok(Err(error)) => return Err(unreadable(id, &error)),
        Err(error) => return Err(unreadable(id, &error)),
    };
    taken(&desk, &visitor, id).await?;
    let ending = if file.content_type == "application/zip" { "zip" } else { "csv" };
    let kind = if ending == "zip" { "application/zip" } else { "text/csv; charset=utf-8; header=present" };
    Ok(answer(id, kind, ending, Some(file.bytes), body(chest)))
}

/// Whether what was made holds what is restricted, since before or by now.
async fn holds_restricted(desk: &Desk, row: &TaskRow, file: &TaskFile) -> Result<bool, Problem> {
    match row.ended_at {
        Some(ended) if !file.restricted => soon(desk.store().restricted_since(ended)).await,
        Some(_) | None => Ok(true),
    }
}

fn no_file() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-file", "Nothing was made for this task (yet).")
}

fn unreadable(id: TaskId, error: &dyn std::error::Error) -> Problem {
    tracing::error!(task = %id, %error, "what was made for a task cannot be read");
    let detail = "What was made cannot be read (any more); ask for it anew. The server's log says why.";
    Problem::new(StatusCode::GONE, "gone", detail)
}

/// That somebody takes it is in the audit log before the first octet.
async fn taken(desk: &Desk, visitor: &Visitor, id: TaskId) -> Result<(), Problem> {
    let change = PrivacyChange::Downloaded { id, by: visitor.actor(), at: desk.now() };
    soon(desk.store().commit(vec![Change::Privacy(change)])).await
}

fn answer(id: TaskId, kind: &'static str, ending: &str, length: Option<u64>, body: Body) -> Response {
    let name = format!("attachment; filename=\"{id}.{ending}\"");
    let name = HeaderValue::try_from(name).expect("an id is ASCII");
    let mut response =
        ([(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CONTENT_DISPOSITION, name)], body)
            .into_response();
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// A file as it is opened, chunk by chunk on a thread of its own; what does not verify breaks the connection off.
fn body(mut chest: Chest) -> Body {
    let (to, from) = mpsc::channel::<Result<Bytes, std::io::Error>>(AHEAD);
    tokio::task::spawn_blocking(move || {
        loop {
            let next = match chest.chunk() {
                Ok(Some(chunk)) => Ok(Bytes::copy_from_slice(chunk)),
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "what was made for a task is damaged");
                    Err(error)
                }
            };
            let broken = next.is_err();
            // Who takes it may have gone.
            if to.blocking_send(next).is_err() || broken {
                return;
            }
        }
    });
    Body::from_stream(futures_util::stream::unfold(from, |mut from| async {
        let next = from.recv().await?;
        Some((next, from))
    }))
}
