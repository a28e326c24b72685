//! The rows of tasks: asked, approved, begun, ended, and what was made.

use serde::{Serialize, Serializer};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Row as _};

use crate::audit::{Actor, AuditEvent, Class, Object, Person, Value};
use crate::ids::{CallId, EntryId, PhoneNumber, Redacted, TaskId};
use crate::privacy::ANONYMIZED;
use crate::store::error::{Doing as _, StoreError};
use crate::store::job::{JobChange, JobKind, Progress};
use crate::store::page::{Cursor, Page, Place};
use crate::store::query::{Cells, count};
use crate::store::writer::Work;
use crate::store::{Sight, Store};
use crate::time::Timestamp;

use super::search::marks;
use super::{NewTask, PrivacyChange, TASK, TaskKind, TaskState, Whose, user};

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

/// A task with how far its job is.
const SELECT: &str = "SELECT t.*, j.done AS job_done, j.total AS job_total, j.error AS job_error FROM privacy_tasks t \
     LEFT JOIN jobs j ON j.kind = 'privacy' AND j.subject = t.id WHERE ";

impl Work<'_> {
    pub(super) async fn task_asked(&mut self, task: &NewTask) -> Result<(), StoreError> {
        let NewTask { id, kind, by, at, reason, calls, entries, consents, whose, approval, spool, counts } =
            task;
        let state = if *approval { TaskState::WaitingForApproval } else { TaskState::Waiting };
        let number = match whose {
            Some(Whose::Of(number)) => Some(number.as_e164().to_owned()),
            Some(Whose::Everybodys) | None => None,
        };
        let insert = "INSERT INTO privacy_tasks (id, kind, state, by_user, at, reason, consents, number, file_spool, calls, \
                      recordings, consent_rows, entries) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
        of(insert, *id)
            .bind(kind.word())
            .bind(state.word())
            .bind(by.clone())
            .bind(at.as_micros())
            .bind(reason.0.clone())
            .bind(i64::from(*consents))
            .bind(number)
            .bind(spool.clone())
            .bind(count(counts.calls))
            .bind(count(counts.recordings))
            .bind(count(counts.consents))
            .bind(count(counts.entries))
            .execute(&mut *self.connection)
            .await
            .doing("storing a task")?;
        let (calls, entries) =
            (calls.iter().map(ToString::to_string), entries.iter().map(ToString::to_string));
        self.task_of(*id, "INSERT INTO privacy_task_calls (task, call) VALUES ", calls.collect()).await?;
        self.task_of(*id, "INSERT INTO privacy_task_entries (task, entry) VALUES ", entries.collect())
            .await?;
        if !approval {
            self.task_job(*id, *at).await?;
        }
        let class = match kind {
            TaskKind::Report | TaskKind::Zip => Class::Read,
            TaskKind::Erase
            | TaskKind::Restrict
            | TaskKind::Unrestrict
            | TaskKind::Move
            | TaskKind::Consents => Class::Modify,
        };
        let whose = match whose {
            None => "",
            Some(Whose::Of(_)) => ", of one number",
            Some(Whose::Everybodys) => ", of everybody",
        };
        let told = format!("{kind}: {}{whose}; {state}", told(*counts));
        self.tell_of_task(class, user(by), *at, "privacy-task.asked", *id, told);
        let what = Object::new(TASK, id).attribute("reason");
        let event = AuditEvent::new(class, user(by), *at, "privacy-task.asked", what);
        self.audit(event.new_value(Some(Value::Personal(reason.0.clone()))));
        Ok(())
    }

    /// Rows of a task, fifty a statement.
    async fn task_of(&mut self, id: TaskId, head: &str, all: Vec<String>) -> Result<(), StoreError> {
        for lot in all.chunks(50) {
            let rows: Vec<String> = (0..lot.len()).map(|n| format!("($1, ${})", n + 2)).collect();
            let insert = format!("{head}{} ON CONFLICT DO NOTHING", rows.join(", "));
            let mut insert = sqlx::query(AssertSqlSafe(insert)).bind(id.to_string());
            for one in lot {
                insert = insert.bind(one.clone());
            }
            insert.execute(&mut *self.connection).await.doing("storing what a task is about")?;
        }
        Ok(())
    }

    /// Enqueues a task's job; its file is made beside the spool that was named.
    async fn task_job(&mut self, id: TaskId, at: Timestamp) -> Result<(), StoreError> {
        let select = "SELECT file_spool FROM privacy_tasks WHERE id = $1";
        let row = of(select, id).fetch_one(&mut *self.connection).await.doing("reading a task")?;
        let spool = Cells { table: "privacy_tasks", row: &row }.get("file_spool")?;
        let (kind, subject) = (JobKind::Privacy, id.to_string());
        self.job(&JobChange::Enqueue { kind, subject, spool, due: at, at }).await
    }

    pub(super) async fn task_approved(
        &mut self,
        id: TaskId,
        by: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = "UPDATE privacy_tasks SET state = 'waiting', approved_by = $2, approved_at = $3 \
                      WHERE id = $1 AND state = 'waiting-for-approval' AND by_user <> $2";
        let update = of(update, id).bind(by.to_owned()).bind(at.as_micros());
        self.task_step(id, "approved", update).await?;
        self.task_job(id, at).await?;
        let what = Object::new(TASK, id);
        self.audit(AuditEvent::new(Class::Rights, user(by), at, "privacy-task.approved", what));
        Ok(())
    }

    pub(super) async fn task_refused(
        &mut self,
        id: TaskId,
        by: &str,
        reason: &Redacted<String>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = "UPDATE privacy_tasks SET state = 'refused', approved_by = $2, approved_at = $3, ended_at = $3, \
                      number = NULL WHERE id = $1 AND state = 'waiting-for-approval'";
        let update = of(update, id).bind(by.to_owned()).bind(at.as_micros());
        self.task_step(id, "refused", update).await?;
        let event =
            AuditEvent::new(Class::Rights, user(by), at, "privacy-task.refused", Object::new(TASK, id));
        self.audit(event.new_value(Some(Value::Personal(reason.0.clone()))));
        Ok(())
    }

    pub(super) async fn task_began(&mut self, id: TaskId) -> Result<(), StoreError> {
        let update =
            "UPDATE privacy_tasks SET state = 'running' WHERE id = $1 AND state IN ('waiting', 'running')";
        self.task_step(id, "begun", of(update, id)).await
    }

    pub(super) async fn task_call_refused(
        &mut self,
        id: TaskId,
        call: CallId,
        what: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = "UPDATE privacy_task_calls SET state = 'refused', what = $3 \
                      WHERE task = $1 AND call = $2 AND state = 'waiting'";
        let update = of(update, id).bind(call.to_string()).bind(what.to_owned());
        let done = update.execute(&mut *self.connection).await.doing("storing what a task leaves")?;
        if done.rows_affected() > 0 {
            let told = format!("call {call}: {what}");
            self.tell_of_task(Class::Failure, Actor::System, at, "privacy-task.call-refused", id, told);
        }
        Ok(())
    }

    pub(super) async fn task_archived(
        &mut self,
        id: TaskId,
        (archive, sha256, bytes): (&str, &str, u64),
        (began, last): (Timestamp, i64),
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = "UPDATE privacy_tasks SET stage = 1, archive = $2, archive_sha256 = $3, archived_at = $4, \
                      archived_n = $5 WHERE id = $1 AND stage = 0";
        let update = of(update, id).bind(archive.to_owned()).bind(sha256.to_owned());
        let update = update.bind(began.as_micros()).bind(last);
        let done = update.execute(&mut *self.connection).await.doing("storing what a task made")?;
        if done.rows_affected() > 0 {
            let told = format!("{archive}: {bytes} bytes, sha256 {sha256}, read back");
            self.tell_of_task(Class::Read, Actor::System, at, "privacy-task.archived", id, told);
        }
        Ok(())
    }

    pub(super) async fn task_ended(&mut self, change: &PrivacyChange) -> Result<(), StoreError> {
        let PrivacyChange::Ended { id, done, what, counts, file, expires_at, certificate, at } = change
        else {
            return Ok(());
        };
        let (mut file, mut what, mut done) = (file.as_deref(), what.clone(), *done);
        if self.is_forgotten(*id).await? {
            if file.take().is_some() {
                what = format!(
                    "{what}; its file is not kept, as somebody was erased meanwhile: ask for it anew"
                );
                // Consents are reset all the same.
                done = done && self.kind_of(*id).await? == TaskKind::Consents;
            }
            self.forget_reason(*id).await?;
        }
        if let Some(kek) = file.and_then(|file| file.kek.as_deref()) {
            self.kek_wraps(kek, "used for a file").await?;
        }
        let state = if done { TaskState::Done } else { TaskState::Failed };
        // Whose consents they were is not needed any more.
        let update = "UPDATE privacy_tasks SET state = $2, what = $3, ended_at = $4, number = NULL, calls = $5, \
                      recordings = $6, consent_rows = $7, entries = $8, certificate = $9, expires_at = $10, \
                      file_spool = COALESCE($11, file_spool), file_key = $12, file_type = $13, file_bytes = $14, \
                      file_sha256 = $15, file_kek = $16, file_restricted = $17 WHERE id = $1 AND state IN ('waiting', 'running')";
        let update = of(update, *id)
            .bind(state.word())
            .bind(what.clone())
            .bind(at.as_micros())
            .bind(count(counts.calls))
            .bind(count(counts.recordings))
            .bind(count(counts.consents))
            .bind(count(counts.entries))
            .bind(certificate.clone())
            .bind(expires_at.filter(|_| file.is_some()).map(Timestamp::as_micros))
            .bind(file.map(|file| file.spool.clone()))
            .bind(file.map(|file| file.wrapped_key.0.clone()))
            .bind(file.map(|file| file.content_type.clone()))
            .bind(file.map(|file| count(file.bytes)))
            .bind(file.map(|file| file.sha256.clone()))
            .bind(file.and_then(|file| file.kek.clone()))
            .bind(i64::from(file.is_none_or(|file| file.restricted)));
        self.task_step(*id, "ended", update).await?;
        let class = if done { Class::Modify } else { Class::Failure };
        let proof = certificate.as_deref().map_or_else(String::new, |text| {
            format!("; certificate sha256 {}", crate::store::recording::fingerprint(text))
        });
        let made =
            file.map_or_else(String::new, |file| format!("; {} bytes, sha256 {}", file.bytes, file.sha256));
        let what = format!("{state}: {}; {what}{made}{proof}", told(*counts));
        self.tell_of_task(class, Actor::System, *at, "privacy-task.ended", *id, what);
        Ok(())
    }

    pub(super) async fn file_gone(&mut self, id: TaskId, at: Timestamp, why: &str) -> Result<(), StoreError> {
        let update = "UPDATE privacy_tasks SET file_key = NULL WHERE id = $1 AND file_key IS NOT NULL";
        let done = of(update, id).execute(&mut *self.connection).await.doing("ending a task's file")?;
        if done.rows_affected() > 0 {
            let (class, told) = (Class::Modify, why.to_owned());
            self.tell_of_task(class, Actor::System, at, "privacy-task.file-removed", id, told);
        }
        Ok(())
    }

    pub(super) async fn forget_earlier(&mut self, id: TaskId, at: Timestamp) -> Result<(), StoreError> {
        const SHARED: &str = "SELECT b.task FROM privacy_task_calls a JOIN privacy_task_calls b ON b.call = a.call \
                              WHERE a.task = $1 AND a.state = 'done' UNION SELECT b.task FROM privacy_task_entries a \
                              JOIN privacy_task_entries b ON b.entry = a.entry WHERE a.task = $1";
        let row =
            of("SELECT consents FROM privacy_tasks WHERE id = $1", id).fetch_one(&mut *self.connection).await;
        let consents: i64 =
            Cells { table: "privacy_tasks", row: &row.doing("reading a task")? }.get("consents")?;
        // First what is being made, which has read of the people: one that ends meanwhile is found below.
        let mark = format!(
            "UPDATE privacy_tasks SET forgotten = 1 WHERE id <> $1 AND state = 'running' \
             AND (id IN ({SHARED}) OR (kind = 'consents' AND $2 = 1))"
        );
        let mark = sqlx::query(AssertSqlSafe(mark)).bind(id.to_string()).bind(consents);
        mark.execute(&mut *self.connection).await.doing("marking tasks whose people are erased")?;
        // Consents that were written out are of anybody: the tasks do not know of whom any more.
        let select = format!(
            "SELECT o.id FROM privacy_tasks o WHERE o.id <> $1 AND (o.file_key IS NOT NULL OR o.reason <> $2) \
             AND o.state NOT IN ('waiting-for-approval', 'waiting', 'running') \
             AND (o.id IN ({SHARED}) OR (o.kind = 'consents' AND $3 = 1)) ORDER BY o.id"
        );
        let rows = sqlx::query(AssertSqlSafe(select)).bind(id.to_string()).bind(ANONYMIZED).bind(consents);
        for row in rows.fetch_all(&mut *self.connection).await.doing("looking for earlier tasks")? {
            let other: TaskId = Cells { table: "privacy_tasks", row: &row }.id("id")?;
            self.file_gone(other, at, "the person was erased").await?;
            self.forget_reason(other).await?;
        }
        Ok(())
    }

    /// Erases why a task was asked.
    async fn forget_reason(&mut self, id: TaskId) -> Result<(), StoreError> {
        self.erase_person(&Person::object(TASK, id.to_string()), &Actor::System).await?;
        let update = of("UPDATE privacy_tasks SET reason = $2 WHERE id = $1", id).bind(ANONYMIZED);
        update.execute(&mut *self.connection).await.map(drop).doing("erasing the reason of a task")
    }

    /// Whether somebody whom a task is about was erased while it ran; its row is locked.
    async fn is_forgotten(&mut self, id: TaskId) -> Result<bool, StoreError> {
        let select =
            format!("SELECT forgotten FROM privacy_tasks WHERE id = $1{}", self.dialect.for_update());
        let row = sqlx::query(AssertSqlSafe(select)).bind(id.to_string());
        let row = row.fetch_optional(&mut *self.connection).await.doing("reading a task")?;
        // Who ends one that is not there is told by the step.
        let Some(row) = row else { return Ok(false) };
        Ok(Cells { table: "privacy_tasks", row: &row }.get::<i64>("forgotten")? == 1)
    }

    async fn kind_of(&mut self, id: TaskId) -> Result<TaskKind, StoreError> {
        let row =
            of("SELECT kind FROM privacy_tasks WHERE id = $1", id).fetch_one(&mut *self.connection).await;
        let row = row.doing("reading a task")?;
        let cells = Cells { table: "privacy_tasks", row: &row };
        TaskKind::from_word(&cells.get::<String>("kind")?).ok_or(cells.corrupt("kind"))
    }

    /// Runs an update that must meet the task in a state from which it may happen.
    pub(super) async fn task_step(
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

pub(super) fn of(sql: &'static str, id: TaskId) -> Query<'static, Any, AnyArguments> {
    sqlx::query(sql).bind(id.to_string())
}

/// Counts in words, for the audit log.
fn told(counts: TaskCounts) -> String {
    let TaskCounts { calls, recordings, consents, entries } = counts;
    format!("{calls} calls, {recordings} recordings, {consents} consents, {entries} entries")
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
