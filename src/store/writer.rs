//! The one task that writes: group commit.
//!
//! It takes whatever units of work wait (`queue`), applies them in one transaction, commits once, then answers all. A unit
//! that may well be refused has a savepoint: if it fails it is rolled back alone and told so. What calls say is written
//! many rows in a statement (`store::pending`); where the database does not take that, or the audit rows of all, each unit
//! has a transaction of its own. The audit chain goes on
//! from where this writer left it, or from where another process (`sayso apply`, another node) has moved
//! its end since.
//!
//! A database that goes away (a restart, a failover) is waited for, [`PATIENCE`] long; then units of work are
//! told, each at once, until it is back. If it went while a transaction was being committed, nobody knows what
//! became of it: its units wait until the audit log says so, for who is told that a unit failed stores it
//! again.

mod apply;
mod patience;
mod queue;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::audit::Head;
use crate::time::{Clock, Timestamp};

use super::Node;
use super::audit::{holds, lock_head};
use super::change::Change;
use super::dialect::Dialect;
use super::error::{Doing as _, StoreError};
use super::link::{Link, no_answer};
use super::persons::Secret;
use super::rules::Rules;

use apply::{Known, With, apply, destroys_key};

use queue::{Queue, Taken};

pub(super) use apply::Work;
pub(super) use patience::Patience;
pub(super) use queue::{Jobs, queue};

/// How long deleted keys may stay in the write-ahead log while there is no pause.
const SHRED_WITHIN: Duration = Duration::from_secs(1);

/// How long units of work wait for a database that went away. A restart of PostgreSQL takes one to three
/// seconds; a caller whose consent is not stored by then is not recorded, so longer is better for recordings
/// and shorter for who waits to be connected.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a database that is away is asked for.
const AGAIN: Duration = Duration::from_millis(100);

/// What the writer is asked.
#[derive(Debug)]
pub(super) enum Job {
    /// Apply these together; at once, if somebody waits for it.
    Commit { changes: Vec<Change>, awaited: bool, done: Answer },
    /// Answer when what was deleted before this is out of the write-ahead log.
    Shred { done: oneshot::Sender<()> },
    /// Write what waits, then end.
    Close { done: oneshot::Sender<()> },
}

type Answer = oneshot::Sender<Result<(), StoreError>>;

/// How each unit of a transaction fared, in order.
type Results = Vec<Result<(), StoreError>>;

/// Units of work in one transaction, and who waits for them.
#[derive(Debug, Default)]
struct Batch {
    units: Vec<Vec<Change>>,
    answers: Vec<Answer>,
}

impl Batch {
    fn tell(self, results: Results) {
        for (answer, result) in self.answers.into_iter().zip(results) {
            // Whoever asked may have stopped waiting.
            let _ = answer.send(result);
        }
    }

    /// Each unit by itself.
    fn apart(self) -> impl Iterator<Item = Self> {
        let units = self.units.into_iter().zip(self.answers);
        units.map(|(unit, answer)| Self { units: vec![unit], answers: vec![answer] })
    }

    fn fail(self, error: &StoreError) {
        tracing::error!(%error, units = self.answers.len(), "units of work could not be stored");
        for answer in self.answers {
            let _ = answer.send(Err(error.clone()));
        }
    }
}

/// Why a transaction did not end well.
enum Failure {
    /// The database refused; so it will again.
    Refused(StoreError),
    /// Nothing was applied; the same on a new connection may do.
    Passing(StoreError),
    /// It was being committed.
    Doubt(StoreError, Committing),
}

/// A transaction whose COMMIT is sent.
#[derive(Debug)]
struct Committing {
    results: Results,
    /// The chain's end if it is committed; `None`: it has no audit rows, and does no harm when it is applied
    /// twice.
    end: Option<Head>,
}

/// A database that is away.
#[derive(Debug)]
struct Away {
    since: Timestamp,
    tried: Timestamp,
    error: StoreError,
}

impl Away {
    /// Why units of work wait no longer, if it was away for so long when it was asked for last.
    fn longer_than(&self, patience: Duration) -> Option<&StoreError> {
        (self.tried.since(self.since) >= patience).then_some(&self.error)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Writer {
    link: Link,
    clock: Clock,
    queue: Queue,
    node: Node,
    secret: Secret,
    /// What the settings say of the log and of webhooks, as they were last.
    rules: Option<Arc<Rules>>,
    /// Since when deleted keys wait to be removed from the write-ahead log.
    to_shred: Option<Timestamp>,
    /// Who waits for that.
    shredding: Vec<oneshot::Sender<()>>,
    /// The chain's end as this writer left it; another process may have moved it since.
    head: Option<Head>,
    away: Option<Away>,
    /// What may be committed or not; behind it its units that are still to be applied one by one.
    doubt: VecDeque<(Batch, Option<Committing>)>,
}

impl Writer {
    pub(super) fn new(link: Link, clock: Clock, queue: Queue, node: Node, secret: Secret) -> Self {
        // What was killed may have left destroyed keys there.
        let to_shred = Some(clock.now());
        Self {
            link,
            clock,
            queue,
            node,
            secret,
            rules: None,
            to_shred,
            shredding: Vec::new(),
            head: None,
            away: None,
            doubt: VecDeque::new(),
        }
    }

    /// Runs until it is closed or every [`Store`](super::Store) is dropped.
    pub(super) async fn run(mut self) {
        let mut jobs = Vec::new();
        let mut closing = Vec::new();
        while self.next(&mut jobs).await {
            let mut batch = Batch::default();
            for job in jobs.drain(..) {
                match job {
                    Job::Commit { changes, awaited: _, done } => {
                        batch.units.push(changes);
                        batch.answers.push(done);
                    }
                    Job::Shred { done } => {
                        self.to_shred = self.to_shred.or(Some(self.clock.now()));
                        self.shredding.push(done);
                    }
                    Job::Close { done } => {
                        // What is queued already is still written; nothing more gets in.
                        self.queue.close();
                        closing.push(done);
                    }
                }
            }
            self.commit(batch).await;
            self.shred().await;
        }
        // What is still in doubt after this is told that the store is closed.
        self.commit(Batch::default()).await;
        self.link.close().await;
        for done in closing {
            // Whoever asked may have stopped waiting.
            let _ = done.send(());
        }
    }

    /// Waits for jobs, or for the time to try something again. False: there will be no more.
    async fn next(&mut self, jobs: &mut Vec<Job>) -> bool {
        let pause = match (self.doubt.is_empty(), self.to_shred) {
            (false, _) => Some(AGAIN),
            (true, Some(_)) if !self.shredding.is_empty() => Some(AGAIN),
            (true, Some(_)) => Some(SHRED_WITHIN),
            (true, None) => None,
        };
        match self.queue.take(jobs, pause).await {
            Taken::Jobs | Taken::Nothing => true,
            Taken::Ended => false,
        }
    }

    /// Applies a batch. If the database will never take it whole, such as an audit row with a text that it refuses, its
    /// units are applied one by one: the bad one fails alone.
    async fn commit(&mut self, batch: Batch) {
        let Some(refused) = self.together(batch).await else { return };
        tracing::warn!(units = refused.units.len(), "units of work are stored one by one");
        for one in refused.apart() {
            // One alone is told what became of it.
            let _ = self.together(one).await;
        }
    }

    /// Settles what is in doubt, then applies a batch in one transaction; gives it back when it may do apart.
    async fn together(&mut self, batch: Batch) -> Option<Batch> {
        let shreds = batch.units.iter().flatten().any(destroys_key);
        loop {
            // It was asked for just now, and was away for long.
            let recent = self.away.as_ref().filter(|away| self.clock.now().since(away.tried) < AGAIN);
            if let Some(error) = recent.and_then(|away| away.longer_than(PATIENCE)) {
                batch.fail(error);
                return None;
            }
            let mut outcome = self.settle().await.map(|()| Vec::new());
            if outcome.is_ok() && !batch.units.is_empty() {
                outcome = self.transaction(&batch.units).await;
            }
            match outcome {
                Ok(results) => {
                    self.is_back();
                    if shreds {
                        self.to_shred = self.to_shred.or(Some(self.clock.now()));
                    }
                    batch.tell(results);
                    return None;
                }
                Err(Failure::Refused(_)) if batch.units.len() > 1 => return Some(batch),
                Err(Failure::Refused(error)) => {
                    batch.fail(&error);
                    return None;
                }
                Err(Failure::Doubt(error, committing)) => {
                    self.goes_away(error);
                    self.doubt.push_back((batch, Some(committing)));
                    return None;
                }
                Err(Failure::Passing(error)) => self.goes_away(error),
            }
            if batch.units.is_empty() {
                return None;
            }
            if let Some(error) = self.away.as_ref().and_then(|away| away.longer_than(PATIENCE)) {
                batch.fail(error);
                return None;
            }
            sleep(AGAIN).await;
        }
    }

    fn goes_away(&mut self, error: StoreError) {
        let now = self.clock.now();
        if self.away.is_none() {
            tracing::error!(%error, "the database does not do its work: it is tried again");
        }
        let since = self.away.take().map_or(now, |away| away.since);
        self.away = Some(Away { since, tried: now, error });
    }

    fn is_back(&mut self) {
        if let Some(away) = self.away.take() {
            let after = self.clock.now().since(away.since);
            tracing::warn!(?after, "the database is back");
        }
    }

    /// Finds out what became of a transaction in doubt, and applies it if nothing did: its units one by one where the
    /// database does not take it whole, as in [`Writer::commit`].
    async fn settle(&mut self) -> Result<(), Failure> {
        while let Some((batch, committing)) = self.doubt.pop_front() {
            let known = match &committing {
                Some(committing) => self.is_committed(committing).await,
                None => Ok(false),
            };
            let outcome = match (known, committing) {
                (Ok(true), Some(Committing { results, .. })) => {
                    tracing::warn!(stored = true, "what was being committed is known now");
                    batch.tell(results);
                    continue;
                }
                (Ok(_), committing) => (self.transaction(&batch.units).await, committing),
                (Err(error), committing) => (Err(Failure::Passing(error)), committing),
            };
            match outcome {
                (Ok(results), _) => {
                    tracing::warn!(stored = false, "what was being committed is known now");
                    batch.tell(results);
                }
                (Err(Failure::Refused(_)), _) if batch.units.len() > 1 => {
                    tracing::warn!(units = batch.units.len(), "units of work are stored one by one");
                    self.doubt.extend(batch.apart().map(|one| (one, None)));
                }
                (Err(Failure::Refused(error)), _) => batch.fail(&error),
                (Err(Failure::Passing(error)), committing) => {
                    self.doubt.push_front((batch, committing));
                    return Err(Failure::Passing(error));
                }
                (Err(Failure::Doubt(error, committing)), _) => {
                    self.doubt.push_front((batch, Some(committing)));
                    return Err(Failure::Passing(error));
                }
            }
        }
        Ok(())
    }

    /// Whether a transaction in doubt was committed. The lock makes sure that it has ended by now: a server
    /// may go on with a COMMIT whose client is gone.
    async fn is_committed(&mut self, committing: &Committing) -> Result<bool, StoreError> {
        let Some(end) = committing.end else { return Ok(false) };
        let dialect = self.link.dialect();
        let asked = async {
            let connection = self.link.connection().await.doing("connecting")?;
            let mut transaction =
                connection.begin_with(dialect.begin_write()).await.doing("beginning a transaction")?;
            lock_head(&mut transaction).await?;
            let holds = holds(&mut transaction, end).await?;
            transaction.rollback().await.doing("rolling back a transaction")?;
            Ok(holds)
        };
        let answer = in_time(dialect, asked).await;
        if answer.is_err() {
            self.link.give_up();
        }
        answer
    }

    /// Applies the units in one transaction; the results are theirs, in order. A connection on which it
    /// failed is given up: the database may have ended the transaction by itself (disk full).
    async fn transaction(&mut self, units: &[Vec<Change>]) -> Result<Results, Failure> {
        let dialect = self.link.dialect();
        let mut known = Known { head: self.head.take(), rules: self.rules.take() };
        let mut committing = None;
        let work = async {
            let connection = self.link.connection().await.doing("connecting")?;
            let node = self.node.get().map(String::as_str);
            let with = With { dialect, clock: self.clock, node, secret: &self.secret };
            apply(connection, with, units, &mut known, &mut committing).await
        };
        match in_time(dialect, work).await {
            Ok(results) => {
                self.head = known.head;
                self.rules = known.rules;
                Ok(results)
            }
            Err(error) => {
                self.link.give_up();
                Err(match committing {
                    Some(committing) if dialect.leaves_doubt() => Failure::Doubt(error, committing),
                    Some(_) | None if passes(dialect, &error) => Failure::Passing(error),
                    Some(_) | None => Failure::Refused(error),
                })
            }
        }
    }

    /// Removes deleted keys from the write-ahead log, in a pause or when it is high time.
    async fn shred(&mut self) {
        let Some(since) = self.to_shred else { return };
        let is_early = self.shredding.is_empty() && self.clock.now().since(since) < SHRED_WITHIN;
        if !self.queue.is_empty() && is_early {
            return;
        }
        let dialect = self.link.dialect();
        let done = match self.link.connection().await {
            Ok(connection) => dialect.shred(connection).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(true) => {
                self.to_shred = None;
                for done in self.shredding.drain(..) {
                    // Whoever asked may have stopped waiting.
                    let _ = done.send(());
                }
            }
            // Somebody reads: try again.
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "destroyed keys stay in the write-ahead log for now"),
        }
    }
}

/// Gives work up that takes longer than a database that is there needs.
async fn in_time<T>(
    dialect: Dialect,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match dialect.transaction_limit() {
        None => work.await,
        Some(limit) => match timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => Err(no_answer(limit)).doing("waiting for the database"),
        },
    }
}

fn passes(dialect: Dialect, error: &StoreError) -> bool {
    matches!(error, StoreError::Database { source, .. } if dialect.passes(source))
}
