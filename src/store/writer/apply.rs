//! One transaction: units of work, each in a savepoint where it may well be refused, then the audit rows of all.

use std::sync::Arc;

use sqlx::{AnyConnection, Connection as _};

use crate::audit::{AuditEvent, Head};
use crate::store::audit::chain;
use crate::store::change::Change;
use crate::store::dialect::Dialect;
use crate::store::error::{Doing as _, StoreError};
use crate::store::kek::KekChange;
use crate::store::particulars::ParticularsChange;
use crate::store::pending::{Pending, Writing, decided_in};
use crate::store::persons::{Erased, LogRows, Secret};
use crate::store::recorded::RecordingChange;
use crate::store::rules::Rules;
use crate::time::{Clock, Timestamp};

use super::{Committing, Results, passes};

/// What a transaction is applied with.
#[derive(Clone, Copy)]
pub(super) struct With<'a> {
    pub(super) dialect: Dialect,
    pub(super) clock: Clock,
    pub(super) node: Option<&'a str>,
    pub(super) secret: &'a Secret,
}

/// What is known of the database since the last transaction.
pub(super) struct Known {
    /// The chain's end.
    pub(super) head: Option<Head>,
    pub(super) rules: Option<Arc<Rules>>,
}

/// One transaction: the units, then their audit rows behind the chain's end, of which there is a new
/// one afterwards. `committing` is set when COMMIT is sent.
pub(super) async fn apply(
    connection: &mut AnyConnection,
    with: With<'_>,
    units: &[Vec<Change>],
    known: &mut Known,
    committing: &mut Option<Committing>,
) -> Result<Results, StoreError> {
    let With { dialect, node, .. } = with;
    let mut outer = connection.begin_with(dialect.begin_write()).await.doing("beginning a transaction")?;
    let mut rules = Rules::now(&mut outer, known.rules.as_ref()).await?;
    let mut results = Vec::with_capacity(units.len());
    let mut events = Vec::new();
    // A unit alone needs no savepoint: if it fails, so does the transaction.
    let alone = units.len() == 1;
    let is_bare = |changes: &[Change]| alone || changes.iter().all(tells_of_a_call);
    let mut pending = Pending::default();
    let decided = decided_in(units.iter().filter(|unit| is_bare(unit)).flatten());
    pending.learn_bases(&mut outer, dialect, &decided).await?;
    for changes in units {
        let bare = is_bare(changes);
        let result = if alone {
            whole(&mut outer, with, &rules, (&mut pending, changes), &mut events).await
        } else if bare {
            Work::apply(&mut outer, with, &rules, (&mut pending, changes), &mut events).await
        } else {
            // It may meet these rows, and may be undone without them.
            pending.write(Writing { connection: &mut outer, dialect, node }).await?;
            pending.forget_bases();
            in_savepoint(&mut outer, with, &rules, changes, &mut events).await?
        };
        if result.is_ok() && changes.iter().any(sets) {
            rules = Rules::now(&mut outer, Some(&rules)).await?;
        }
        match result {
            // No fault of the unit's: all of it once more.
            Err(error) if passes(dialect, &error) => return Err(error),
            // What it did stays in the transaction: each unit by itself.
            Err(error) if bare && !alone => return Err(error),
            result => results.push(result.map(|more| events.extend(more))),
        }
    }
    if alone && results.iter().any(Result::is_err) {
        outer.rollback().await.doing("rolling back a transaction")?;
        return Ok(results);
    }
    pending.write(Writing { connection: &mut outer, dialect, node }).await?;
    let mut end = None;
    if !events.is_empty() {
        end = Some(chain(&mut outer, dialect, known.head, events, with.secret).await?);
    }
    *committing = Some(Committing { results, end });
    outer.commit().await.doing("committing a transaction")?;
    known.head = end.or(known.head);
    known.rules = Some(rules);
    Ok(committing.take().map(|done| done.results).unwrap_or_default())
}

/// Applies a unit that may well be refused; then nothing of it is in the transaction.
async fn in_savepoint(
    outer: &mut AnyConnection,
    with: With<'_>,
    rules: &Rules,
    changes: &[Change],
    before: &mut [AuditEvent],
) -> Result<Result<Vec<AuditEvent>, StoreError>, StoreError> {
    let mut inner = outer.begin().await.doing("setting a savepoint")?;
    let result = whole(&mut inner, with, rules, (&mut Pending::default(), changes), before).await;
    match result {
        Ok(_) => inner.commit().await.doing("releasing a savepoint")?,
        Err(_) => inner.rollback().await.doing("rolling back to a savepoint")?,
    }
    Ok(result)
}

/// Applies a unit and writes its rows: what fails is its own.
async fn whole(
    connection: &mut AnyConnection,
    with: With<'_>,
    rules: &Rules,
    (pending, changes): (&mut Pending, &[Change]),
    before: &mut [AuditEvent],
) -> Result<Vec<AuditEvent>, StoreError> {
    let With { dialect, node, .. } = with;
    let events = Work::apply(connection, with, rules, (pending, changes), before).await?;
    pending.write(Writing { connection, dialect, node }).await?;
    Ok(events)
}

/// Nearly all of what is stored, and hardly ever refused: a savepoint costs more than to begin anew.
const fn tells_of_a_call(change: &Change) -> bool {
    matches!(
        change,
        Change::Fact(_) | Change::LegStats { .. } | Change::Particulars(ParticularsChange::Ladder { .. })
    )
}

/// Whether it may change what is audited, and which webhooks are told.
const fn sets(change: &Change) -> bool {
    matches!(change, Change::Settings(..) | Change::SettingsSince { .. })
}

/// Whether deleted keys are to be removed from the write-ahead log after it.
pub(super) fn destroys_key(change: &Change) -> bool {
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
        Change::Particulars(change) => change.erases(),
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
        | Change::Node(_)
        | Change::Audit(_) => false,
    }
}

/// One unit of work being applied: the connection within its savepoint, and what is to be audited.
pub(in crate::store) struct Work<'c> {
    pub(in crate::store) connection: &'c mut AnyConnection,
    pub(in crate::store) now: Timestamp,
    pub(in crate::store) dialect: Dialect,
    /// The spool of the node that writes.
    pub(in crate::store) node: Option<&'c str>,
    pub(in crate::store) secret: &'c Secret,
    pub(in crate::store) rules: &'c Rules,
    /// Rows of calls that wait to be written together.
    pub(in crate::store) pending: &'c mut Pending,
    /// The audit events so far, still to be chained and written.
    pub(in crate::store) events: Vec<AuditEvent>,
    /// Whose values were erased.
    pub(in crate::store) erased: Erased,
}

impl<'c> Work<'c> {
    /// Applies a unit of work; the audit events to be written. Those `before`, of other units of the transaction, lose
    /// what this one erases.
    async fn apply(
        connection: &'c mut AnyConnection,
        with: With<'c>,
        rules: &'c Rules,
        (pending, changes): (&'c mut Pending, &[Change]),
        before: &mut [AuditEvent],
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let With { dialect, clock, node, secret } = with;
        let events = Vec::new();
        let erased = Erased::default();
        let now = clock.now();
        let mut work = Self { connection, now, dialect, node, secret, rules, pending, events, erased };
        work.apply_all(changes).await?;
        work.tell_webhooks().await?;
        work.erased.scrub(secret, before);
        work.erased.scrub(secret, &mut work.events);
        work.events.retain(|event| rules.writes(event));
        Ok(work.events)
    }

    async fn apply_all(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            if !tells_of_a_call(change) {
                // It may meet any row.
                self.settle_all().await?;
                self.pending.forget_bases();
            }
            match change {
                Change::Fact(fact) => self.fact(fact).await?,
                Change::Recording(change) => self.recording(change.clone()).await?,
                Change::Job(change) => self.job(change).await?,
                Change::Adopt(adoption) => self.adopt(adoption).await?,
                Change::Kek(change) => self.kek(change).await?,
                Change::Report(change) => self.report(change).await?,
                Change::Agent { agent, state, at } => self.agent(agent, state, *at).await?,
                Change::LegStats { leg, quality } => self.leg_quality(*leg, quality)?,
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
                Change::ErasePersonalOf { calls } => {
                    self.erase_personal_of(calls, LogRows::All).await?;
                }
                Change::Node(node) => self.node_seen(node).await?,
                Change::Audit(event) => self.audit(event.clone()),
            }
        }
        Ok(())
    }
}
