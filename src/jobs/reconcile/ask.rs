//! Who asks for a reconciliation: an operator, or the time; and what its report means for the alarms.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ulid::Ulid;

use crate::audit::Actor;
use crate::ids::{CallId, ReconciliationId};
use crate::jobs::{AlarmKind, Alarms};
use crate::reconcile::{Counts, FindingKind};
use crate::store::{Change, JobChange, JobFilter, JobKind, ReconciliationChange, Store, StoreError};
use crate::time::Timestamp;

use super::look::shown;

/// What alarms of a report are about, among others of their kind.
const ABOUT: &str = "reconciliation";

/// How much is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Of the objects' content a sample.
    #[default]
    Sample,
    /// Every object's content.
    Everything,
}

/// What a job `reconcile` is about: its report, and how much is read. As text it is the job's subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The report.
    pub id: ReconciliationId,
    /// How much is read.
    pub scope: Scope,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            Scope::Sample => write!(f, "{}", self.id),
            Scope::Everything => write!(f, "{} everything", self.id),
        }
    }
}

impl FromStr for Subject {
    type Err = crate::ids::BadId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, scope) = match text.split_once(' ') {
            None => (text, Scope::Sample),
            Some((id, "everything")) => (id, Scope::Everything),
            Some(_) => return Err(crate::ids::BadId),
        };
        Ok(Self { id: id.parse()?, scope })
    }
}

/// Asks for a reconciliation. One that waits or runs already is taken instead. Wake the jobs afterwards.
///
/// # Errors
/// When the database refuses.
pub async fn ask(store: &Store, by: Actor, scope: Scope, now: Timestamp) -> Result<Subject, StoreError> {
    let filter = JobFilter { kind: Some(JobKind::Reconcile), limit: 10, ..JobFilter::default() };
    let open = store.jobs(&filter).await?.items;
    if let Some(subject) = open.iter().find_map(|job| job.subject.parse().ok()) {
        return Ok(subject);
    }
    let subject = Subject { id: ReconciliationId::new(Ulid::generate()), scope };
    enqueue(store, subject, by, now).await?;
    Ok(subject)
}

/// Enqueues the run that is due, if one is: one in each span of `every`, counted from 1970, whichever node is the
/// first to notice. Zero: never. Nothing is due while there was no call before the span.
///
/// # Errors
/// When the database refuses.
pub(super) async fn enqueue_scheduled(
    store: &Store,
    every: Duration,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (Some(begin), Some(id)) = (span_begin(every, now), scheduled(every, now)) else { return Ok(false) };
    if store.reconciliation(id).await?.is_some() {
        return Ok(false);
    }
    let (first, end) = (CallId::new(Ulid(0)), CallId::new(Ulid::from_parts(begin, 0)));
    if store.calls_between(first, end, None, 1).await?.is_empty() {
        return Ok(false);
    }
    enqueue(store, Subject { id, scope: Scope::Sample }, Actor::System, now).await?;
    Ok(true)
}

/// The id of the run of this span: the same on every node.
fn scheduled(every: Duration, now: Timestamp) -> Option<ReconciliationId> {
    span_begin(every, now).map(|begin| ReconciliationId::new(Ulid::from_parts(begin, 0)))
}

/// When this span began, in milliseconds.
fn span_begin(every: Duration, now: Timestamp) -> Option<u64> {
    let every = u64::try_from(every.as_millis()).ok().filter(|every| *every > 0)?;
    let now = u64::try_from(now.as_micros() / 1_000).ok()?;
    Some(now - now % every)
}

/// Report and job in one transaction: who asked is in the report, whoever does it.
async fn enqueue(store: &Store, subject: Subject, by: Actor, now: Timestamp) -> Result<(), StoreError> {
    let began = ReconciliationChange::Began { id: subject.id, at: now, by };
    let job = JobChange::Enqueue {
        kind: JobKind::Reconcile,
        subject: subject.to_string(),
        spool: None,
        due: now,
        at: now,
    };
    store.commit(vec![Change::Report(began), Change::Job(job)]).await
}

/// Raises or clears the alarms `reconciliation` and `recording-lost` by the last whole report and what operators
/// have dealt with since: the same on every node, whoever made the report, and after a restart.
///
/// # Errors
/// When the database refuses.
pub(super) async fn settle_alarms(store: &Store, alarms: &Alarms) -> Result<(), StoreError> {
    let Some(id) = store.last_reconciliation().await? else { return Ok(()) };
    let Some(row) = store.reconciliation(id).await? else { return Ok(()) };
    let open = store.open_findings(id).await?;
    let counts = row.counts.map(Counts::from_json).unwrap_or_default();
    let open = Counts { findings: open, failed_lately: counts.failed_lately, ..Counts::default() };
    let is_loss = |kind: &&FindingKind| kind.is_loss();
    let losses: u64 = FindingKind::ALL.iter().filter(is_loss).map(|kind| open.of(*kind)).sum();
    let settle = |kind, many: u64, what: String| {
        if many == 0 { alarms.clear_for(kind, ABOUT) } else { alarms.raise_for(kind, ABOUT, what) }
    };
    let all = open.to_look_at();
    settle(AlarmKind::Reconciliation, all, format!("{all} findings: {}", shown(id)));
    let lost = format!("{losses} recordings cannot be had as they were stored: {}", shown(id));
    settle(AlarmKind::RecordingLost, losses, lost);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_the_same_id_for_the_same_span() {
        let day = Duration::from_secs(86_400);
        let at = |seconds: i64| Timestamp::from_micros(1_795_305_600_000_000 + seconds * 1_000_000);
        assert_eq!(scheduled(day, at(5)), scheduled(day, at(86_399)));
        assert_ne!(scheduled(day, at(5)), scheduled(day, at(86_400)));
        assert_eq!(scheduled(Duration::ZERO, at(5)), None);
    }

    #[test]
    fn a_subject_survives_text() {
        for scope in [Scope::Sample, Scope::Everything] {
            let subject = Subject { id: ReconciliationId::new(Ulid(7)), scope };
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
        assert!("x".parse::<Subject>().is_err());
        assert!("00000000000000000000000007 all".parse::<Subject>().is_err());
    }
}
