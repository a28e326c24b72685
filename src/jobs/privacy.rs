//! What was asked about people's data (domain rules 17-21): reports, zips, erasures, restrictions, what is moved to the
//! separate store, consents that are reset. A step that was taken is in the task's rows, so a crash between any two is a
//! repetition; a file is made anew from its start.
//!
//! | module    | what it does |
//! |-----------|--------------|
//! | `making`  | reports, zips and consents into a sealed file beside the spool |
//! | `erasing` | people, calls, recordings; waits until every copy is gone; the certificate |
//! | `moving`  | into the archive, read back; then it is erased |
//! | `files`   | what was made goes when its time is over |

mod erasing;
pub(super) mod files;
mod making;
mod moving;

use std::path::PathBuf;

use crate::ids::{CallId, TaskId};
use crate::store::{Change, PrivacyChange, TaskCall, TaskCounts, TaskFile, TaskKind, TaskRow, TaskState};

use super::{Context, Fault, Held, Outcome};

/// The separate store: a folder of sealed files with a key file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeparateStore {
    /// The folder.
    pub dir: PathBuf,
    /// The file of its key-encryption keys.
    pub key_file: PathBuf,
}

pub(super) async fn run(ctx: &Context, job: &Held) -> Result<Outcome, Fault> {
    let subject = &job.row.subject;
    let id: TaskId = subject.parse().map_err(|_| Fault::Other(format!("{subject} is no task's id")))?;
    let task = ctx.store.privacy_task(id).await?;
    let task = task.ok_or_else(|| Fault::Other(format!("there is no task {id} in the database")))?;
    match task.state {
        TaskState::WaitingForApproval | TaskState::Done | TaskState::Failed | TaskState::Refused => {
            return Ok(Outcome::Done(None));
        }
        TaskState::Waiting | TaskState::Running => {}
    }
    change(ctx, PrivacyChange::Began { id }).await?;
    ctx.step("begun")?;
    match task.kind {
        TaskKind::Report => making::report(ctx, job, &task).await,
        TaskKind::Zip => making::zip(ctx, job, &task).await,
        TaskKind::Consents => making::consents(ctx, job, &task).await,
        TaskKind::Erase => erasing::erase(ctx, job, &task).await,
        TaskKind::Move => moving::archive_then_erase(ctx, job, &task).await,
        TaskKind::Restrict => restrict(ctx, &task, true).await,
        TaskKind::Unrestrict => restrict(ctx, &task, false).await,
    }
}

async fn restrict(ctx: &Context, task: &TaskRow, on: bool) -> Result<Outcome, Fault> {
    change(ctx, PrivacyChange::Restricted { id: task.id, on, at: ctx.clock.now() }).await?;
    ctx.step("restricted")?;
    let what = if on { "hidden from all without the right" } else { "shown again" };
    end(ctx, task, true, what.to_owned(), task.counts, None, None).await
}

async fn change(ctx: &Context, change: PrivacyChange) -> Result<(), Fault> {
    Ok(ctx.store.commit(vec![Change::Privacy(change)]).await?)
}

/// Writes that it is over.
async fn end(
    ctx: &Context,
    task: &TaskRow,
    done: bool,
    what: String,
    counts: TaskCounts,
    file: Option<TaskFile>,
    certificate: Option<String>,
) -> Result<Outcome, Fault> {
    let (id, at) = (task.id, ctx.clock.now());
    let expires_at = match file {
        Some(_) => {
            let system = ctx.store.settings().await?.1.system.unwrap_or_default();
            Some(at + system.privacy.keep_reports)
        }
        None => None,
    };
    let file = file.map(Box::new);
    change(ctx, PrivacyChange::Ended { id, done, what, counts, file, expires_at, certificate, at }).await?;
    ctx.step("ended")?;
    Ok(Outcome::Done(None))
}

/// The calls of a task that are not left.
async fn calls(ctx: &Context, task: &TaskRow) -> Result<Vec<CallId>, Fault> {
    let calls = ctx.store.privacy_task_calls(task.id).await?;
    Ok(calls.into_iter().filter(|call| call.state != "refused").map(|call| call.call).collect())
}

/// Those that are left, and why, in words.
fn left(calls: &[TaskCall]) -> Vec<(CallId, String)> {
    let refused = calls.iter().filter(|call| call.state == "refused");
    refused.map(|call| (call.call, call.what.clone().unwrap_or_default())).collect()
}

/// What could not be done, for who asked.
fn told_of(left: &[(CallId, String)]) -> String {
    if left.is_empty() {
        return String::new();
    }
    let some: Vec<String> = left.iter().take(5).map(|(call, why)| format!("{call} ({why})")).collect();
    let more = if left.len() > some.len() { ", …" } else { "" };
    format!("; {} left as they are: {}{more}", left.len(), some.join(", "))
}
