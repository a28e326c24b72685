//! Durable jobs: what is to be done about a subject, by whom it is being done, and how it fared.
//!
//! A job is enqueued in the transaction that makes it necessary, leased by one runner at a time, and gone when it is
//! done. Jobs of one subject never run at the same time: a recording is not destroyed while it is uploaded.

mod read;

use std::time::Duration;

use serde::{Serialize, Serializer};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use crate::audit::{Actor, AuditEvent, Class, Object, Value, words};
use crate::ids::RecordingId;
use crate::time::Timestamp;

use super::error::{Doing as _, StoreError};
use super::page::Cursor;
use super::query::{Cells, count};
use super::rows::{optional_rfc3339, rfc3339};
use super::writer::Work;

use read::{id_of, kind_of};

words!(
    /// What a job does.
    JobKind {
        /// Makes a recording whose file was lost anew, from the segments that were copied while it ran.
        Rescue = "rescue",
        /// Makes Ogg Opus of a finished recording.
        Encode = "encode",
        /// Moves a finished recording to the object store.
        Upload = "upload",
        /// Removes every copy of a destroyed recording.
        Destroy = "destroy",
        /// Compares calls, recordings and the object store.
        Reconcile = "reconcile",
        /// Destroys and anonymises what is due by the rules.
        Retention = "retention",
        /// Does what was asked about people's data.
        Privacy = "privacy",
    }
);

impl Serialize for JobKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

/// What is due so much later is not late but planned: longer than any pause after a failure.
const PLANNED: Duration = Duration::from_secs(600);

/// What becomes of a job. Where it must be held `by` a runner and is not, it is
/// [`StoreError::State`]: the runner has lost it and stops.
#[derive(Clone, Debug)]
pub enum JobChange {
    /// It is to be done. No effect while there is one of this kind and subject.
    Enqueue {
        /// What to do.
        kind: JobKind,
        /// About what: a recording's id, a reconciliation's.
        subject: String,
        /// The spool it needs, so that only that node does it; `None`: any node.
        spool: Option<String>,
        /// Not before this.
        due: Timestamp,
        /// When it was enqueued.
        at: Timestamp,
    },
    /// A runner takes it: refused unless nobody holds it or another of its subject, and its recording is not
    /// destroyed (but for `destroy`). Counts an attempt. The same lease once more has no effect.
    Leased {
        /// Which job.
        id: i64,
        /// The runner: another name for each that may lease at the same time.
        by: String,
        /// Until when it holds it.
        until: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// The runner goes on with it; refused also when its recording was destroyed meanwhile (but for `destroy`).
    Renewed {
        /// Which job.
        id: i64,
        /// The runner.
        by: String,
        /// Until when it holds it now.
        until: Timestamp,
        /// How far it is; `None`: as before.
        progress: Option<Progress>,
    },
    /// It did not work, and will be tried again.
    Retry {
        /// Which job.
        id: i64,
        /// The runner.
        by: String,
        /// Not before this.
        due: Timestamp,
        /// Why it did not work. No personal data, no secrets.
        error: String,
        /// When.
        at: Timestamp,
    },
    /// It is done and gone. No effect when it is gone already.
    Done {
        /// Which job.
        id: i64,
        /// The runner.
        by: String,
    },
    /// An operator wants it tried now: `job.hurried` in the audit log.
    Hurry {
        /// Which job.
        id: i64,
        /// When.
        at: Timestamp,
        /// Who.
        by: Actor,
    },
}

/// How far a job is, in whatever it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// So much is done.
    pub done: u64,
    /// Of so much.
    pub total: u64,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobRow {
    /// Its number; never used again.
    pub id: i64,
    /// What it does.
    pub kind: JobKind,
    /// About what.
    pub subject: String,
    /// The spool it needs; `None`: any node can do it.
    pub spool: Option<String>,
    /// How often a runner took it.
    pub attempts: u32,
    /// Not to be done before this.
    #[serde(serialize_with = "rfc3339")]
    pub due: Timestamp,
    /// The runner that holds it, or held it until `leased_until`.
    pub leased_by: Option<String>,
    /// Until when it holds it.
    #[serde(serialize_with = "optional_rfc3339")]
    pub leased_until: Option<Timestamp>,
    /// When it was enqueued.
    #[serde(serialize_with = "rfc3339")]
    pub created: Timestamp,
    /// Why it did not work last; `None`: it has not failed.
    pub error: Option<String>,
    /// How far it is.
    pub progress: Option<Progress>,
}

/// Which jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFilter {
    /// At most so many.
    pub limit: u32,
    /// Of this kind.
    pub kind: Option<JobKind>,
    /// About this.
    pub subject: Option<String>,
    /// Only those that failed and wait to be tried again.
    pub failing: bool,
    /// Where the page begins.
    pub after: Option<Cursor>,
}

impl Default for JobFilter {
    fn default() -> Self {
        Self { limit: 100, kind: None, subject: None, failing: false, after: None }
    }
}

/// The jobs of a kind in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct JobFigures {
    /// The kind.
    pub kind: JobKind,
    /// How many no runner holds.
    pub waiting: u64,
    /// How many a runner holds.
    pub running: u64,
    /// When the oldest was enqueued, those apart that are planned for later, as when a lock ends.
    #[serde(serialize_with = "optional_rfc3339")]
    pub oldest: Option<Timestamp>,
    /// How many failed when they were last tried.
    pub failing: u64,
}

/// A job as it is locked, to be decided upon.
struct Held {
    id: i64,
    kind: JobKind,
    leased_by: Option<String>,
    leased_until: Option<Timestamp>,
}

impl Held {
    /// Whether a runner holds it.
    fn is_held(&self, now: Timestamp) -> bool {
        self.leased_until.is_some_and(|until| until > now)
    }
}

impl Work<'_> {
    /// Writes what becomes of a job.
    pub(super) async fn job(&mut self, change: &JobChange) -> Result<(), StoreError> {
        match change {
            JobChange::Enqueue { kind, subject, spool, due, at } => {
                let insert = "INSERT INTO jobs (kind, subject, spool, due, created) VALUES ($1, $2, $3, $4, $5) \
                              ON CONFLICT (kind, subject) DO NOTHING";
                sqlx::query(insert)
                    .bind(kind.word())
                    .bind(subject.clone())
                    .bind(spool.clone())
                    .bind(due.as_micros())
                    .bind(at.as_micros())
                    .execute(&mut *self.connection)
                    .await
                    .map(drop)
                    .doing("enqueueing a job")
            }
            JobChange::Leased { id, by, until, at } => self.leased(*id, by, *until, *at).await,
            JobChange::Renewed { id, by, until, progress } => self.renewed(*id, by, *until, *progress).await,
            JobChange::Retry { id, by, due, error, at: _ } => {
                let update = "UPDATE jobs SET due = $3, error = $4, leased_by = NULL, leased_until = NULL, \
                              done = NULL, total = NULL WHERE id = $1 AND leased_by = $2";
                let update = of(update, *id).bind(by.clone()).bind(due.as_micros()).bind(error.clone());
                let retried = self.one("job", id, update).await;
                self.not_held(retried, "tried again").await
            }
            JobChange::Done { id, by } => {
                let delete = of("DELETE FROM jobs WHERE id = $1 AND leased_by = $2", *id).bind(by.clone());
                let done = self.one("job", id, delete).await;
                match self.not_held(done, "done").await {
                    // Another runner did it.
                    Err(StoreError::Missing { .. }) => Ok(()),
                    result => result,
                }
            }
            JobChange::Hurry { id, at, by } => self.hurried(*id, *at, by).await,
        }
    }

    /// Enqueues what comes next for a recording; its spool's node does it.
    pub(super) async fn next_job(
        &mut self,
        id: RecordingId,
        kind: JobKind,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO jobs (kind, subject, spool, due, created) \
                      SELECT $2, r.id, r.spool, $3, $3 FROM recordings r WHERE r.id = $1 \
                      ON CONFLICT (kind, subject) DO NOTHING";
        sqlx::query(insert)
            .bind(id.to_string())
            .bind(kind.word())
            .bind(at.as_micros())
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("enqueueing a job")
    }

    /// Removes a recording's jobs that no runner holds.
    pub(super) async fn drop_jobs(&mut self, id: RecordingId, now: Timestamp) -> Result<(), StoreError> {
        let delete = "DELETE FROM jobs WHERE subject = $1 AND (leased_until IS NULL OR leased_until <= $2)";
        let delete = sqlx::query(delete).bind(id.to_string()).bind(now.as_micros());
        delete.execute(&mut *self.connection).await.map(drop).doing("removing jobs")
    }

    async fn leased(&mut self, id: i64, by: &str, until: Timestamp, at: Timestamp) -> Result<(), StoreError> {
        const WANTED: &str = "leased";
        let jobs = self.lock_subject(id).await?;
        let job = jobs.iter().find(|job| job.id == id).ok_or(missing(id))?;
        if job.leased_by.as_deref() == Some(by) && job.leased_until == Some(until) {
            return Ok(());
        }
        if jobs.iter().any(|job| job.is_held(at)) {
            return Err(state(id, "held, or another of its subject is", WANTED));
        }
        self.of_living(job, WANTED).await?;
        let update =
            "UPDATE jobs SET leased_by = $2, leased_until = $3, attempts = attempts + 1 WHERE id = $1";
        self.one("job", &id, of(update, id).bind(by.to_owned()).bind(until.as_micros())).await
    }

    async fn renewed(
        &mut self,
        id: i64,
        by: &str,
        until: Timestamp,
        progress: Option<Progress>,
    ) -> Result<(), StoreError> {
        const WANTED: &str = "renewed";
        let jobs = self.lock_subject(id).await?;
        let job = jobs.iter().find(|job| job.id == id).ok_or(missing(id))?;
        // A lease that is over may be renewed while nobody else has begun.
        let others = || jobs.iter().any(|other| other.id != id && other.is_held(self.now));
        if job.leased_by.as_deref() != Some(by) || others() {
            return Err(state(id, "not held", WANTED));
        }
        self.of_living(job, WANTED).await?;
        let update = "UPDATE jobs SET leased_until = $2, done = COALESCE($3, done), \
                      total = COALESCE($4, total) WHERE id = $1";
        let update = of(update, id)
            .bind(until.as_micros())
            .bind(progress.map(|progress| count(progress.done)))
            .bind(progress.map(|progress| count(progress.total)));
        self.one("job", &id, update).await
    }

    async fn hurried(&mut self, id: i64, at: Timestamp, by: &Actor) -> Result<(), StoreError> {
        let row = of("SELECT kind, subject FROM jobs WHERE id = $1", id);
        let row = row.fetch_optional(&mut *self.connection).await.doing("reading a job")?;
        let row = row.ok_or(missing(id))?;
        let cells = Cells { table: "jobs", row: &row };
        let (kind, subject) = (cells.get::<String>("kind")?, cells.get::<String>("subject")?);
        let update = of("UPDATE jobs SET due = $2 WHERE id = $1 AND due > $2", id).bind(at.as_micros());
        update.execute(&mut *self.connection).await.doing("hurrying a job")?;
        let what = Object::new("job", id);
        let event = AuditEvent::new(Class::Modify, by.clone(), at, "job.hurried", what);
        self.audit(event.new_value(Some(Value::Plain(format!("{kind} {subject}")))));
        Ok(())
    }

    /// The jobs of a job's subject, itself among them; nobody else decides upon any of them until the transaction
    /// ends. All of them, in order, so that two runners cannot take two of them at once nor wait for each other.
    async fn lock_subject(&mut self, id: i64) -> Result<Vec<Held>, StoreError> {
        let select = "SELECT id, kind, leased_by, leased_until FROM jobs \
                      WHERE subject = (SELECT o.subject FROM jobs o WHERE o.id = $1) ORDER BY id";
        let rows = sqlx::query(AssertSqlSafe(format!("{select}{}", self.dialect.for_update())))
            .bind(id)
            .fetch_all(&mut *self.connection)
            .await
            .doing("locking a job")?;
        let read = |row| {
            let cells = Cells { table: "jobs", row };
            let (leased_by, leased_until) = (cells.get("leased_by")?, cells.maybe_time("leased_until")?);
            Ok(Held { id: id_of(&cells)?, kind: kind_of(&cells)?, leased_by, leased_until })
        };
        rows.iter().map(read).collect()
    }

    /// Refuses what makes copies of a recording that was destroyed. Its key is gone, but its audio may be plain.
    async fn of_living(&mut self, job: &Held, wanted: &'static str) -> Result<(), StoreError> {
        match job.kind {
            JobKind::Destroy | JobKind::Reconcile | JobKind::Retention | JobKind::Privacy => return Ok(()),
            JobKind::Rescue | JobKind::Encode | JobKind::Upload => {}
        }
        let select = "SELECT 1 FROM recordings r JOIN jobs j ON j.subject = r.id \
                      WHERE j.id = $1 AND r.state IN ('destroyed', 'removed')";
        let gone = of(select, job.id).fetch_optional(&mut *self.connection).await;
        match gone.doing("reading a job's recording")? {
            Some(_) => Err(state(job.id, "of a destroyed recording", wanted)),
            None => Ok(()),
        }
    }

    /// Tells a job that another holds from one that is gone.
    async fn not_held(
        &mut self,
        result: Result<(), StoreError>,
        wanted: &'static str,
    ) -> Result<(), StoreError> {
        let Err(StoreError::Missing { what, id }) = result else { return result };
        let select = sqlx::query("SELECT 1 FROM jobs WHERE id = $1").bind(id.parse::<i64>().unwrap_or(0));
        match select.fetch_optional(&mut *self.connection).await.doing("reading a job")? {
            Some(_) => Err(StoreError::State { what, id, state: "not held".to_owned(), wanted }),
            None => Err(StoreError::Missing { what, id }),
        }
    }
}

fn of(sql: &'static str, id: i64) -> Query<'static, Any, AnyArguments> {
    sqlx::query(sql).bind(id)
}

fn missing(id: i64) -> StoreError {
    StoreError::Missing { what: "job", id: id.to_string() }
}

fn state(id: i64, state: &str, wanted: &'static str) -> StoreError {
    StoreError::State { what: "job", id: id.to_string(), state: state.to_owned(), wanted }
}
