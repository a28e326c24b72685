//! The rows of tasks. `asked` has what people do to them, `done` what their jobs do, `forget` what an erasure takes from
//! them, `read` how they are shown.

mod asked;
mod done;
mod forget;
mod read;

use serde::{Serialize, Serializer};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, Row as _};

use crate::ids::{CallId, Redacted, TaskId};
use crate::store::error::{Doing as _, StoreError};
use crate::store::job::Progress;
use crate::store::query::Cells;
use crate::store::writer::Work;
use crate::time::Timestamp;

use super::{TaskKind, TaskState, Whose};

impl Serialize for TaskKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

impl Serialize for TaskState {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

/// How much a task is about, or did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskCounts {
    /// Calls.
    pub calls: u64,
    /// Their recordings that are there.
    pub recordings: u64,
    /// Consents.
    pub consents: u64,
    /// Entries of the directory.
    pub entries: u64,
}

/// What was made: a sealed file beside a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFile {
    /// Beside which spool it lies.
    pub spool: String,
    /// Its data key, wrapped.
    pub wrapped_key: Redacted<Vec<u8>>,
    /// Its media type.
    pub content_type: String,
    /// How long it is in the clear.
    pub bytes: u64,
    /// SHA-256 (hex) of it in the clear.
    pub sha256: String,
    /// The key-encryption key that wrapped the data key; `None`: an older Sayso did.
    pub kek: Option<String>,
    /// Whether it holds what is restricted.
    pub restricted: bool,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Its id.
    pub id: TaskId,
    /// What is asked.
    pub kind: TaskKind,
    /// How far it is.
    pub state: TaskState,
    /// The user who asked.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why, in the user's words.
    pub reason: Redacted<String>,
    /// Whether the people's consents are meant, too.
    pub consents: bool,
    /// Of `consents`, until it is done: whose.
    pub whose: Option<Whose>,
    /// Who approved or refused it.
    pub approved_by: Option<String>,
    /// When.
    pub approved_at: Option<Timestamp>,
    /// How many of the steps that are not taken again are behind it.
    pub stage: u8,
    /// How far its job is.
    pub progress: Progress,
    /// How it ended; while it goes on, why it waits.
    pub what: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When its file goes.
    pub expires_at: Option<Timestamp>,
    /// What was made, while it is there.
    pub file: Option<TaskFile>,
    /// The file in the separate store.
    pub archive: Option<String>,
    /// SHA-256 (hex) of its content.
    pub archive_sha256: Option<String>,
    /// Whether there is a certificate.
    pub certified: bool,
    /// How much it is about, or did.
    pub counts: TaskCounts,
}

/// A call of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskCall {
    /// Which.
    pub call: CallId,
    /// `waiting`, `done` or `refused`.
    pub state: String,
    /// Why it is refused.
    pub what: Option<String>,
}

impl Work<'_> {
    async fn kind_of(&mut self, id: TaskId) -> Result<TaskKind, StoreError> {
        let row =
            of("SELECT kind FROM privacy_tasks WHERE id = $1", id).fetch_one(&mut *self.connection).await;
        let row = row.doing("reading a task")?;
        let cells = Cells { table: "privacy_tasks", row: &row };
        TaskKind::from_word(&cells.get::<String>("kind")?).ok_or(cells.corrupt("kind"))
    }

    /// Runs an update that must meet the task in a state from which it may happen.
    pub(in crate::store::privacy) async fn task_step(
        &mut self,
        id: TaskId,
        wanted: &'static str,
        update: Query<'static, Any, AnyArguments>,
    ) -> Result<(), StoreError> {
        match self.one("task", &id, update).await {
            Err(StoreError::Missing { what, id }) => {
                let row = sqlx::query("SELECT state FROM privacy_tasks WHERE id = $1").bind(id.clone());
                let row = row.fetch_optional(&mut *self.connection).await.doing("reading a task")?;
                match row.and_then(|row| row.try_get("state").ok()) {
                    Some(state) => Err(StoreError::State { what, id, state, wanted }),
                    None => Err(StoreError::Missing { what, id }),
                }
            }
            result => result,
        }
    }
}

pub(in crate::store::privacy) fn of(sql: &'static str, id: TaskId) -> Query<'static, Any, AnyArguments> {
    sqlx::query(sql).bind(id.to_string())
}

/// Counts in words, for the audit log.
fn told(counts: TaskCounts) -> String {
    let TaskCounts { calls, recordings, consents, entries } = counts;
    format!("{calls} calls, {recordings} recordings, {consents} consents, {entries} entries")
}
