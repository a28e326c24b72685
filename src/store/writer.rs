//! The one task that writes: group commit.
//!
//! It takes whatever units of work wait, applies each in a savepoint of one transaction, commits
//! once, then answers all. A unit that fails is rolled back alone and told so. The audit chain goes on
//! from where this writer left it; if another process (`sayso apply`) has moved its end since, the
//! transaction is rolled back and done once more.

use sqlx::{AnyConnection, AnyPool, Connection as _};
use tokio::sync::{mpsc, oneshot};

use crate::audit::{Head, Row};
use crate::time::{Clock, Timestamp};

use super::audit::{move_head, read_head, write_rows};
use super::change::{Change, RecordingChange};
use super::dialect::Dialect;
use super::error::{Doing as _, StoreError};

/// Units of work in one transaction at most: bounds how long the first one waits for the rest.
const TOGETHER: usize = 256;

/// How long deleted keys may stay in the write-ahead log while there is no pause.
const SHRED_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);

/// What the writer is asked.
#[derive(Debug)]
pub(super) enum Job {
    /// Apply these together.
    Commit { changes: Vec<Change>, done: oneshot::Sender<Result<(), StoreError>> },
    /// Write what waits, then end.
    Close { done: oneshot::Sender<()> },
}

/// How each unit of a transaction fared, in order.
type Results = Vec<Result<(), StoreError>>;

type Unit = (Vec<Change>, oneshot::Sender<Result<(), StoreError>>);

/// See the module.
#[derive(Debug)]
pub(super) struct Writer {
    pool: AnyPool,
    dialect: Dialect,
    clock: Clock,
    queue: mpsc::Receiver<Job>,
    /// Since when deleted keys wait to be removed from the write-ahead log.
    to_shred: Option<Timestamp>,
    /// The chain's end as this writer left it; another process may have moved it since.
    head: Option<Head>,
}

impl Writer {
    pub(super) fn new(pool: AnyPool, dialect: Dialect, clock: Clock, queue: mpsc::Receiver<Job>) -> Self {
        Self { pool, dialect, clock, queue, to_shred: None, head: None }
    }

    /// Runs until it is closed or every [`Store`](super::Store) is dropped.
    pub(super) async fn run(mut self) {
        let mut jobs = Vec::with_capacity(TOGETHER);
        let mut closing = Vec::new();
        while self.next(&mut jobs).await {
            let mut units: Vec<Unit> = Vec::with_capacity(jobs.len());
            for job in jobs.drain(..) {
                match job {
                    Job::Commit { changes, done } => units.push((changes, done)),
                    Job::Close { done } => {
                        // What is queued already is still written; nothing more gets in.
                        self.queue.close();
                        closing.push(done);
                    }
                }
            }
            self.commit(units).await;
            self.shred().await;
        }
        self.pool.close().await;
        for done in closing {
            // Whoever asked may have stopped waiting.
            let _ = done.send(());
        }
    }

    /// Waits for jobs, or for the time to try again to shred. False: there will be no more.
    async fn next(&mut self, jobs: &mut Vec<Job>) -> bool {
        let received = self.queue.recv_many(jobs, TOGETHER);
        if self.to_shred.is_none() {
            return received.await > 0;
        }
        tokio::time::timeout(SHRED_WITHIN, received).await.is_ok_and(|count| count > 0)
            || !self.queue.is_closed()
    }

    async fn commit(&mut self, units: Vec<Unit>) {
        if units.is_empty() {
            return;
        }
        let shreds = units.iter().flat_map(|(changes, _)| changes).any(destroys_key);
        let (changes, answers): (Vec<_>, Vec<_>) = units.into_iter().unzip();
        let mut done = self.transaction(&changes).await;
        if let Ok(None) = done {
            // Another process wrote meanwhile: once more, from where the chain ends now.
            done = self.transaction(&changes).await;
        }
        let results = done.and_then(|results| results.ok_or(StoreError::Contended));
        match results {
            Ok(results) => {
                if shreds {
                    self.to_shred = self.to_shred.or(Some(self.clock.now()));
                }
                for (answer, result) in answers.into_iter().zip(results) {
                    // Whoever asked may have stopped waiting.
                    let _ = answer.send(result);
                }
            }
            Err(error) => {
                tracing::error!(%error, units = answers.len(), "units of work could not be stored");
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Applies the units in one transaction; the results are theirs, in order. `None`: the chain does
    /// not end where this writer thought, and nothing was applied. A connection on which it failed is
    /// closed: the database may have ended the transaction by itself (disk full).
    async fn transaction(&mut self, units: &[Vec<Change>]) -> Result<Option<Results>, StoreError> {
        let mut connection = self.pool.acquire().await.doing("connecting")?;
        let results = self.transaction_on(&mut connection, units).await;
        if results.is_err() {
            connection.close_on_drop();
        }
        results
    }

    async fn transaction_on(
        &mut self,
        connection: &mut AnyConnection,
        units: &[Vec<Change>],
    ) -> Result<Option<Results>, StoreError> {
        let begin = self.dialect.begin_write();
        let mut outer = connection.begin_with(begin).await.doing("beginning a transaction")?;
        let before = match self.head.take() {
            Some(head) => head,
            None => read_head(&mut outer).await?,
        };
        let mut head = before;
        let mut results = Vec::with_capacity(units.len());
        let mut rows = Vec::new();
        // A unit alone needs no savepoint: if it fails, so does the transaction.
        let alone = units.len() == 1;
        for changes in units {
            let result = if alone {
                Work::apply(&mut outer, head, self.clock.now(), changes).await
            } else {
                let mut inner = outer.begin().await.doing("setting a savepoint")?;
                let result = Work::apply(&mut inner, head, self.clock.now(), changes).await;
                match result {
                    Ok(_) => inner.commit().await.doing("releasing a savepoint")?,
                    Err(_) => inner.rollback().await.doing("rolling back to a savepoint")?,
                }
                result
            };
            results.push(result.map(|(moved, more)| {
                head = moved;
                rows.extend(more);
            }));
        }
        if alone && results.iter().any(Result::is_err) {
            outer.rollback().await.doing("rolling back a transaction")?;
            return Ok(Some(results));
        }
        if head != before {
            // First, since it also locks the chain in databases that do not lock as a whole.
            if !move_head(&mut outer, before, head).await? {
                outer.rollback().await.doing("rolling back a transaction")?;
                return Ok(None);
            }
            write_rows(&mut outer, &rows).await?;
        }
        outer.commit().await.doing("committing a transaction")?;
        self.head = Some(head);
        Ok(Some(results))
    }

    /// Removes deleted keys from the write-ahead log, in a pause or when it is high time.
    async fn shred(&mut self) {
        let Some(since) = self.to_shred else { return };
        if !self.queue.is_empty() && self.clock.now().since(since) < SHRED_WITHIN {
            return;
        }
        let done = match self.pool.acquire().await {
            Ok(mut connection) => self.dialect.shred(&mut connection).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(true) => self.to_shred = None,
            // Somebody reads: try again.
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "destroyed keys stay in the write-ahead log for now"),
        }
    }
}

fn destroys_key(change: &Change) -> bool {
    match change {
        Change::Recording(RecordingChange::Discarded { .. } | RecordingChange::Destroyed { .. }) => true,
        Change::Recording(
            RecordingChange::Armed { .. }
            | RecordingChange::Started { .. }
            | RecordingChange::Finished { .. }
            | RecordingChange::Salvaged { .. }
            | RecordingChange::Failed { .. },
        )
        | Change::Fact(_)
        | Change::Agent { .. }
        | Change::LegStats { .. }
        | Change::Settings(..)
        | Change::Prompt(_)
        | Change::Session(_)
        | Change::Attempts { .. }
        | Change::Note(_)
        | Change::Listened(_)
        | Change::Audit(_) => false,
    }
}

/// One unit of work being applied: the connection within its savepoint, and the chain so far.
pub(super) struct Work<'c> {
    pub(super) connection: &'c mut AnyConnection,
    pub(super) head: Head,
    pub(super) now: Timestamp,
    /// The audit rows so far, still to be written.
    pub(super) rows: Vec<Row>,
}

impl<'c> Work<'c> {
    /// Applies a unit of work to the chain that ends at `head`; its new end, and the audit rows to
    /// be written.
    async fn apply(
        connection: &'c mut AnyConnection,
        head: Head,
        now: Timestamp,
        changes: &[Change],
    ) -> Result<(Head, Vec<Row>), StoreError> {
        let mut work = Self { connection, head, now, rows: Vec::new() };
        work.apply_all(changes).await?;
        Ok((work.head, work.rows))
    }

    async fn apply_all(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            match change {
                Change::Fact(fact) => self.fact(fact).await?,
                Change::Recording(change) => self.recording(change.clone()).await?,
                Change::Agent { agent, state, at } => self.agent(agent, state, *at).await?,
                Change::LegStats { leg, quality } => self.leg_quality(*leg, quality).await?,
                Change::Settings(differences, who) => self.settings(differences, who).await?,
                Change::Prompt(prompt) => self.prompt(prompt.clone()).await?,
                Change::Session(change) => self.session(change).await?,
                Change::Attempts { user, attempts } => self.attempts(user, *attempts).await?,
                Change::Note(note) => self.note(note).await?,
                Change::Listened(listened) => self.listened(listened).await?,
                Change::Audit(event) => self.audit(event.clone()),
            }
        }
        Ok(())
    }
}
