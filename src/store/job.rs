//! Durable jobs: what is to be done about a subject, by whom it is being done, and how it fared.
//!
//! A job is enqueued in the transaction that makes it necessary, leased by one runner at a time, and gone when it is
//! done. Jobs of one subject never run at the same time: a recording is not destroyed while it is uploaded.

use serde::{Serialize, Serializer};

use crate::audit::{Actor, words};
use crate::ids::RecordingId;
use crate::time::Timestamp;

use super::Store;
use super::error::StoreError;
use super::page::{Cursor, Page};
use super::rows::{optional_rfc3339, rfc3339};
use super::writer::Work;

words!(
    /// What a job does.
    JobKind {
        /// Copies what a running recording has by now to the object store.
        Segment = "segment",
        /// Makes Ogg Opus of a finished recording.
        Encode = "encode",
        /// Moves a finished recording to the object store.
        Upload = "upload",
        /// Removes every copy of a destroyed recording.
        Destroy = "destroy",
        /// Compares calls, recordings and the object store.
        Reconcile = "reconcile",
    }
);

impl Serialize for JobKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

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
    /// When the oldest was enqueued.
    #[serde(serialize_with = "optional_rfc3339")]
    pub oldest: Option<Timestamp>,
    /// How many failed when they were last tried.
    pub failing: u64,
}

impl Work<'_> {
    /// Writes what becomes of a job.
    pub(super) async fn job(&mut self, change: &JobChange) -> Result<(), StoreError> {
        unimplemented!("{change:?}")
    }

    /// Enqueues what comes next for a recording; its spool's node does it.
    pub(super) async fn next_job(
        &mut self,
        id: RecordingId,
        kind: JobKind,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        unimplemented!("{id} {kind} {at}")
    }

    /// Removes a recording's jobs that no runner holds.
    pub(super) async fn drop_jobs(&mut self, id: RecordingId, now: Timestamp) -> Result<(), StoreError> {
        unimplemented!("{id} {now}")
    }
}

impl Store {
    /// Jobs, the oldest first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<Page<JobRow>, StoreError> {
        unimplemented!("{filter:?}")
    }

    /// One job.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn job(&self, id: i64) -> Result<Option<JobRow>, StoreError> {
        unimplemented!("{id:?}")
    }

    /// At most `limit` jobs of these kinds that a runner on this spool's node may lease now, those due first first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn jobs_due(
        &self,
        now: Timestamp,
        spool: &str,
        kinds: &[JobKind],
        limit: u32,
    ) -> Result<Vec<JobRow>, StoreError> {
        unimplemented!("{now} {spool} {kinds:?} {limit}")
    }

    /// Figures of each kind, also of those without jobs; for metrics.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn job_figures(&self, now: Timestamp) -> Result<Vec<JobFigures>, StoreError> {
        unimplemented!("{now}")
    }
}
