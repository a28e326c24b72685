//! Tasks as they are read: lists, one, what it is about, what is over.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::ids::{EntryId, PhoneNumber, Redacted, TaskId};
use crate::store::error::{Doing as _, StoreError};
use crate::store::job::Progress;
use crate::store::page::{Cursor, Page, Place};
use crate::store::query::Cells;
use crate::store::{Sight, Store};
use crate::time::Timestamp;

use super::super::search::marks;
use super::super::{TaskKind, TaskState, Whose};
use super::{TaskCall, TaskCounts, TaskFile, TaskRow, of};

/// A task with how far its job is.
const SELECT: &str = "SELECT t.*, j.done AS job_done, j.total AS job_total, j.error AS job_error FROM privacy_tasks t \
     LEFT JOIN jobs j ON j.kind = 'privacy' AND j.subject = t.id WHERE ";

impl Store {
    /// A page of tasks; for who is limited to queues, of those that are about nothing but calls of theirs.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn privacy_tasks(&self, place: &Place, sight: &Sight) -> Result<Page<TaskRow>, StoreError> {
        let (after, way, limit) = (place.order.after(), place.order.word(), place.limit);
        let (seen, queues) = seen(sight, 4);
        let select =
            format!("{SELECT}(t.at, t.id) {after} ($1, $2){seen} ORDER BY t.at {way}, t.id {way} LIMIT $3");
        let (at, id) = place.begin();
        let mut rows = sqlx::query(AssertSqlSafe(select)).bind(at).bind(id).bind(i64::from(limit) + 1);
        for queue in queues {
            rows = rows.bind(queue);
        }
        let rows = rows.fetch_all(&self.read).await.doing("reading tasks")?;
        let rows: Vec<TaskRow> = rows.iter().map(read_task).collect::<Result<_, StoreError>>()?;
        Ok(Page::of(rows, limit, |row| Cursor { at: row.at.as_micros(), id: row.id.to_string() }))
    }

    /// One task.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn privacy_task(&self, id: TaskId) -> Result<Option<TaskRow>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!("{SELECT}t.id = $1"))).bind(id.to_string());
        let row = row.fetch_optional(&self.read).await.doing("reading a task")?;
        row.map(|row| read_task(&row)).transpose()
    }

    /// Whether a task is about nothing but what may be seen.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn privacy_task_seen(&self, id: TaskId, sight: &Sight) -> Result<bool, StoreError> {
        let (seen, queues) = seen(sight, 2);
        let select = format!("SELECT t.id FROM privacy_tasks t WHERE t.id = $1{seen}");
        let mut row = sqlx::query(AssertSqlSafe(select)).bind(id.to_string());
        for queue in queues {
            row = row.bind(queue);
        }
        Ok(row.fetch_optional(&self.read).await.doing("reading a task")?.is_some())
    }

    /// The signed proof of an erasure.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn privacy_certificate(&self, id: TaskId) -> Result<Option<String>, StoreError> {
        let select = "SELECT certificate FROM privacy_tasks WHERE id = $1";
        let text = sqlx::query_scalar::<_, Option<String>>(select).bind(id.to_string());
        Ok(text.fetch_optional(&self.read).await.doing("reading a certificate")?.flatten())
    }

    /// The calls of a task, by id.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn privacy_task_calls(&self, id: TaskId) -> Result<Vec<TaskCall>, StoreError> {
        let select = "SELECT call, state, what FROM privacy_task_calls WHERE task = $1 ORDER BY call";
        let rows = of(select, id).fetch_all(&self.read).await.doing("reading what a task is about")?;
        let read = |row| {
            let cells = Cells { table: "privacy_task_calls", row };
            Ok(TaskCall { call: cells.id("call")?, state: cells.get("state")?, what: cells.get("what")? })
        };
        rows.iter().map(read).collect()
    }

    /// The entries of a task, by id; they may be gone.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn privacy_task_entries(&self, id: TaskId) -> Result<Vec<EntryId>, StoreError> {
        let select = "SELECT entry FROM privacy_task_entries WHERE task = $1 ORDER BY entry";
        let rows = of(select, id).fetch_all(&self.read).await.doing("reading what a task is about")?;
        rows.iter().map(|row| Cells { table: "privacy_task_entries", row }.id("entry")).collect()
    }

    /// How many tasks are not over.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn privacy_tasks_open(&self) -> Result<u64, StoreError> {
        let select = "SELECT COUNT(*) FROM privacy_tasks WHERE state IN ('waiting-for-approval', 'waiting', 'running')";
        let open: i64 = sqlx::query_scalar(select).fetch_one(&self.read).await.doing("counting tasks")?;
        Ok(u64::try_from(open).unwrap_or(0))
    }

    /// Whether anything was ever moved into the separate store.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn privacy_archives(&self) -> Result<bool, StoreError> {
        let select = "SELECT 1 FROM privacy_tasks WHERE archive IS NOT NULL LIMIT 1";
        let found = sqlx::query(select).fetch_optional(&self.read).await.doing("looking for archives")?;
        Ok(found.is_some())
    }

    /// Tasks whose file's time was over by then.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn privacy_files_over(&self, now: Timestamp) -> Result<Vec<TaskId>, StoreError> {
        let select = "SELECT id FROM privacy_tasks WHERE file_key IS NOT NULL AND expires_at <= $1 ORDER BY expires_at";
        let rows = sqlx::query(select).bind(now.as_micros()).fetch_all(&self.read).await;
        let rows = rows.doing("looking for files of tasks")?;
        rows.iter().map(|row| Cells { table: "privacy_tasks", row }.id("id")).collect()
    }
}

/// What narrows `t` to what may be seen, and what to bind from that place on: all calls are of these queues, and nothing
/// belongs to no queue. A call that is gone belonged to who knows whom.
fn seen(sight: &Sight, from: usize) -> (String, Vec<String>) {
    let Some(queues) = &sight.queues else { return (String::new(), Vec::new()) };
    let queues: Vec<String> = queues.iter().map(|queue| queue.0.clone()).collect();
    let other = match queues.len() {
        0 => "1 = 1".to_owned(),
        n => format!("c.first_queue NOT IN ({})", marks(n, from)),
    };
    let seen = format!(
        " AND t.consents = 0 AND NOT EXISTS (SELECT 1 FROM privacy_task_entries e WHERE e.task = t.id) \
         AND NOT EXISTS (SELECT 1 FROM privacy_task_calls o LEFT JOIN calls c ON c.id = o.call WHERE o.task = t.id \
         AND (c.id IS NULL OR {other}))"
    );
    (seen, queues)
}

fn read_task(row: &AnyRow) -> Result<TaskRow, StoreError> {
    let cells = Cells { table: "privacy_tasks", row };
    let number = |column| cells.number::<u64>(column).map(Option::unwrap_or_default);
    let kind = TaskKind::from_word(&cells.get::<String>("kind")?).ok_or(cells.corrupt("kind"))?;
    let state = TaskState::from_word(&cells.get::<String>("state")?).ok_or(cells.corrupt("state"))?;
    let ended_at = cells.maybe_time("ended_at")?;
    let counts = TaskCounts {
        calls: number("calls")?,
        recordings: number("recordings")?,
        consents: number("consent_rows")?,
        entries: number("entries")?,
    };
    let so_far = match ended_at {
        Some(_) => (1, 1),
        None => (number("job_done")?, number("job_total")?),
    };
    let whose: Option<String> = cells.get("number")?;
    let whose = match (kind, whose) {
        (TaskKind::Consents, None) => Some(Whose::Everybodys),
        (TaskKind::Consents, Some(text)) => {
            Some(Whose::Of(PhoneNumber::parse(&text, None).ok_or(cells.corrupt("number"))?))
        }
        (
            TaskKind::Report
            | TaskKind::Zip
            | TaskKind::Erase
            | TaskKind::Restrict
            | TaskKind::Unrestrict
            | TaskKind::Move,
            _,
        ) => None,
    };
    Ok(TaskRow {
        id: cells.id("id")?,
        kind,
        state,
        by: cells.get("by_user")?,
        at: cells.time("at")?,
        reason: Redacted(cells.get("reason")?),
        consents: cells.get::<i64>("consents")? == 1,
        // A task that is over does not know any more whose they were.
        whose: whose.filter(|_| ended_at.is_none()),
        approved_by: cells.get("approved_by")?,
        approved_at: cells.maybe_time("approved_at")?,
        stage: cells.number("stage")?.ok_or(cells.corrupt("stage"))?,
        progress: Progress { done: so_far.0, total: so_far.1 },
        what: match ended_at {
            Some(_) => cells.get("what")?,
            None => cells.get("job_error")?,
        },
        ended_at,
        expires_at: cells.maybe_time("expires_at")?,
        file: read_file(&cells)?,
        archive: cells.get("archive")?,
        archive_sha256: cells.get("archive_sha256")?,
        certified: cells.get::<Option<String>>("certificate")?.is_some(),
        counts,
    })
}

fn read_file(cells: &Cells<'_>) -> Result<Option<TaskFile>, StoreError> {
    let Some(key) = cells.get::<Option<Vec<u8>>>("file_key")? else { return Ok(None) };
    let needed = |column: &'static str| cells.get::<Option<String>>(column)?.ok_or(cells.corrupt(column));
    Ok(Some(TaskFile {
        spool: needed("file_spool")?,
        wrapped_key: Redacted(key),
        content_type: needed("file_type")?,
        bytes: cells.number("file_bytes")?.ok_or(cells.corrupt("file_bytes"))?,
        sha256: needed("file_sha256")?,
        kek: cells.get("file_kek")?,
        restricted: cells.get::<i64>("file_restricted")? == 1,
    }))
}
