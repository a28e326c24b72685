//! The one task that writes: group commit.
//!
//! It takes whatever units of work wait, applies each in a savepoint of one transaction, commits
//! once, then answers all. A unit that fails is rolled back alone and told so. The audit chain goes on
//! from where this writer left it, or from where another process (`sayso apply`, another node) has moved
//! its end since.
//!
//! A database that goes away (a restart, a failover) is waited for, [`PATIENCE`] long; then units of work are
//! told, each at once, until it is back. If it went while a transaction was being committed, nobody knows what
//! became of it: its units wait until the audit log says so, for who is told that a unit failed stores it
//! again.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{AnyConnection, Connection as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::audit::{AuditEvent, Head};
use crate::time::{Clock, Timestamp};

use super::Node;
use super::audit::{chain, holds, lock_head};
use super::change::Change;
use super::dialect::Dialect;
use super::error::{Doing as _, StoreError};
use super::kek::KekChange;
use super::link::{Link, no_answer};
use super::persons::Secret;
use super::recorded::RecordingChange;
use super::rules::Rules;

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
    /// Apply these together.
    Commit { changes: Vec<Change>, done: Answer },
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
    queue: mpsc::Receiver<Job>,
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
    /// What may be committed or not.
    doubt: Option<(Batch, Committing)>,
}

impl Writer {
    pub(super) fn new(
        link: Link,
        clock: Clock,
        queue: mpsc::Receiver<Job>,
        node: Node,
        secret: Secret,
    ) -> Self {
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
            doubt: None,
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
                    Job::Commit { changes, done } => {
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
        let received = self.queue.recv_many(jobs, self.link.dialect().together());
        let pause = match (&self.doubt, self.to_shred) {
            (Some(_), _) => AGAIN,
            (None, Some(_)) if !self.shredding.is_empty() => AGAIN,
            (None, Some(_)) => SHRED_WITHIN,
            (None, None) => return received.await > 0,
        };
        timeout(pause, received).await.is_ok_and(|count| count > 0) || !self.queue.is_closed()
    }

    /// Settles what is in doubt, then applies a batch.
    async fn commit(&mut self, batch: Batch) {
        let shreds = batch.units.iter().flatten().any(destroys_key);
        loop {
            // It was asked for just now, and was away for long.
            let recent = self.away.as_ref().filter(|away| self.clock.now().since(away.tried) < AGAIN);
            if let Some(error) = recent.and_then(|away| away.longer_than(PATIENCE)) {
                return batch.fail(error);
            }
            let mut outcome = self.settle().await;
            if batch.units.is_empty() {
                outcome = outcome.map(|_| Vec::new());
            } else if outcome.is_ok() {
                outcome = self.transaction(&batch.units).await;
            }
            match outcome {
                Ok(results) => {
                    self.is_back();
                    if shreds {
                        self.to_shred = self.to_shred.or(Some(self.clock.now()));
                    }
                    return batch.tell(results);
                }
                Err(Failure::Refused(error)) => return batch.fail(&error),
                Err(Failure::Doubt(error, committing)) => {
                    self.goes_away(error);
                    self.doubt = Some((batch, committing));
                    return;
                }
                Err(Failure::Passing(error)) => self.goes_away(error),
            }
            if batch.units.is_empty() {
                return;
            }
            if let Some(error) = self.away.as_ref().and_then(|away| away.longer_than(PATIENCE)) {
                return batch.fail(error);
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

    /// Finds out what became of a transaction in doubt, and applies it if nothing did.
    async fn settle(&mut self) -> Result<Results, Failure> {
        let Some((batch, committing)) = self.doubt.take() else { return Ok(Vec::new()) };
        let outcome = match self.is_committed(&committing).await {
            Ok(true) => Ok(None),
            Ok(false) => self.transaction(&batch.units).await.map(Some),
            Err(error) => Err(Failure::Passing(error)),
        };
        match outcome {
            Ok(again) => {
                tracing::warn!(stored = again.is_none(), "what was being committed is known now");
                batch.tell(again.unwrap_or(committing.results));
                Ok(Vec::new())
            }
            Err(Failure::Refused(error)) => {
                batch.fail(&error);
                Ok(Vec::new())
            }
            Err(Failure::Passing(error)) => {
                self.doubt = Some((batch, committing));
                Err(Failure::Passing(error))
            }
            Err(Failure::Doubt(error, committing)) => {
                self.doubt = Some((batch, committing));
                Err(Failure::Passing(error))
            }
        }
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

/// What a transaction is applied with.
#[derive(Clone, Copy)]
struct With<'a> {
    dialect: Dialect,
    clock: Clock,
    node: Option<&'a str>,
    secret: &'a Secret,
}

/// What is known of the database since the last transaction.
struct Known {
    /// The chain's end.
    head: Option<Head>,
    rules: Option<Arc<Rules>>,
}

/// One transaction: the units, each in a savepoint, then their audit rows behind the chain's end, of which there is a new
/// one afterwards. `committing` is set when COMMIT is sent.
async fn apply(
    connection: &mut AnyConnection,
    with: With<'_>,
    units: &[Vec<Change>],
    known: &mut Known,
    committing: &mut Option<Committing>,
) -> Result<Results, StoreError> {
    let With { dialect, .. } = with;
    let mut outer = connection.begin_with(dialect.begin_write()).await.doing("beginning a transaction")?;
    let mut rules = Rules::now(&mut outer, known.rules.as_ref()).await?;
    let mut results = Vec::with_capacity(units.len());
    let mut events = Vec::new();
    // A unit alone needs no savepoint: if it fails, so does the transaction.
    let alone = units.len() == 1;
    for changes in units {
        let result = if alone {
            Work::apply(&mut outer, with, &rules, changes).await
        } else {
            let mut inner = outer.begin().await.doing("setting a savepoint")?;
            let result = Work::apply(&mut inner, with, &rules, changes).await;
            match result {
                Ok(_) => inner.commit().await.doing("releasing a savepoint")?,
                Err(_) => inner.rollback().await.doing("rolling back to a savepoint")?,
            }
            result
        };
        if result.is_ok() && changes.iter().any(|change| matches!(change, Change::Settings(..))) {
            rules = Rules::now(&mut outer, Some(&rules)).await?;
        }
        match result {
            // No fault of the unit's: all of it once more.
            Err(error) if passes(dialect, &error) => return Err(error),
            result => results.push(result.map(|more| events.extend(more))),
        }
    }
    if alone && results.iter().any(Result::is_err) {
        outer.rollback().await.doing("rolling back a transaction")?;
        return Ok(results);
    }
    let mut end = None;
    if !events.is_empty() {
        end = Some(chain(&mut outer, known.head, events, with.secret).await?);
    }
    *committing = Some(Committing { results, end });
    outer.commit().await.doing("committing a transaction")?;
    known.head = end.or(known.head);
    known.rules = Some(rules);
    Ok(committing.take().map(|done| done.results).unwrap_or_default())
}

fn destroys_key(change: &Change) -> bool {
    match change {
        Change::Recording(
            RecordingChange::Discarded { .. }
            | RecordingChange::Destroyed { .. }
            | RecordingChange::Rewrapped { .. },
        )
        | Change::Kek(KekChange::Retired { .. })
        | Change::ErasePerson { .. }
        | Change::ErasePersonalOf { .. } => true,
        Change::Anonymise(change) => change.erases(),
        Change::Privacy(change) => change.erases(),
        Change::Recording(
            RecordingChange::Armed { .. }
            | RecordingChange::Started { .. }
            | RecordingChange::Finished { .. }
            | RecordingChange::Salvaged { .. }
            | RecordingChange::Encoded { .. }
            | RecordingChange::Stored { .. }
            | RecordingChange::Removed { .. }
            | RecordingChange::Failed { .. },
        )
        | Change::Kek(KekChange::Made { .. })
        | Change::Job(_)
        | Change::Adopt(_)
        | Change::Report(_)
        | Change::Fact(_)
        | Change::Agent { .. }
        | Change::LegStats { .. }
        | Change::Settings(..)
        | Change::SettingsSince { .. }
        | Change::Prompt(_)
        | Change::Session(_)
        | Change::Attempts { .. }
        | Change::Note(_)
        | Change::Listened(_)
        | Change::Hold(_)
        | Change::Login(_)
        | Change::Webhook(_)
        | Change::Anchor(_)
        | Change::Particulars(_)
        | Change::Node(_)
        | Change::Audit(_) => false,
    }
}

/// One unit of work being applied: the connection within its savepoint, and what is to be audited.
pub(super) struct Work<'c> {
    pub(super) connection: &'c mut AnyConnection,
    pub(super) now: Timestamp,
    pub(super) dialect: Dialect,
    /// The spool of the node that writes.
    pub(super) node: Option<&'c str>,
    pub(super) secret: &'c Secret,
    pub(super) rules: &'c Rules,
    /// The audit events so far, still to be chained and written.
    pub(super) events: Vec<AuditEvent>,
}

impl<'c> Work<'c> {
    /// Applies a unit of work; the audit events to be written.
    async fn apply(
        connection: &'c mut AnyConnection,
        with: With<'c>,
        rules: &'c Rules,
        changes: &[Change],
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let With { dialect, clock, node, secret } = with;
        let events = Vec::new();
        let mut work = Self { connection, now: clock.now(), dialect, node, secret, rules, events };
        work.apply_all(changes).await?;
        work.tell_webhooks().await?;
        work.events.retain(|event| rules.writes(event));
        Ok(work.events)
    }

    async fn apply_all(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            match change {
                Change::Fact(fact) => self.fact(fact).await?,
                Change::Recording(change) => self.recording(change.clone()).await?,
                Change::Job(change) => self.job(change).await?,
                Change::Adopt(adoption) => self.adopt(adoption).await?,
                Change::Kek(change) => self.kek(change).await?,
                Change::Report(change) => self.report(change).await?,
                Change::Agent { agent, state, at } => self.agent(agent, state, *at).await?,
                Change::LegStats { leg, quality } => self.leg_quality(*leg, quality).await?,
                Change::Settings(differences, who) => self.settings(differences, who, None).await?,
                Change::SettingsSince { generation, differences, who } => {
                    self.settings(differences, who, Some(*generation)).await?;
                }
                Change::Prompt(change) => self.prompt(change).await?,
                Change::Session(change) => self.session(change).await?,
                Change::Attempts { user, attempts } => self.attempts(user, *attempts).await?,
                Change::Note(note) => self.note(note).await?,
                Change::Listened(listened) => self.listened(listened).await?,
                Change::Hold(change) => self.holds(change).await?,
                Change::Anonymise(change) => self.anonymise(change).await?,
                Change::Privacy(change) => self.privacy(change).await?,
                Change::Login(change) => self.login(change).await?,
                Change::Webhook(change) => self.webhook(change).await?,
                Change::Anchor(change) => self.anchor(change).await?,
                Change::Particulars(change) => self.particulars(change).await?,
                Change::ErasePerson { person, by } => self.erase_person(person, by).await?,
                Change::ErasePersonalOf { calls } => self.erase_personal_of(calls).await?,
                Change::Node(node) => self.node_seen(node).await?,
                Change::Audit(event) => self.audit(event.clone()),
            }
        }
        Ok(())
    }
}
