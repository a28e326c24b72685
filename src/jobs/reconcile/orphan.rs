//! An orphan goes, by an operator's word: only what a report called an orphan, and what is none to this day.

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::{ReconciliationId, RecordingId, Redacted};
use crate::reconcile::{FindingKind, Name, State};
use crate::store::{Change, ReconciliationChange, Store, StoreError};
use crate::time::Clock;
use crate::vault::objects::{ObjectError, Objects, Removed, Target};

/// The longest reason.
const REASON: usize = 1_000;

/// Why an orphan is not removed.
#[derive(Debug, thiserror::Error)]
pub enum OrphanError {
    /// A reason must be written.
    #[error("removing an orphan needs a written reason of 1 to {REASON} characters")]
    NoReason,
    /// The report does not call it an orphan.
    #[error(
        "report {report} names no orphan {name:?}: give the report that found it, and the name as it is there"
    )]
    NotInReport {
        /// The report.
        report: ReconciliationId,
        /// The name.
        name: String,
    },
    /// It belongs to a recording by now.
    #[error("{name} may belong to recording {recording}, which has a row: it is not removed")]
    HasRow {
        /// The name.
        name: String,
        /// The recording.
        recording: RecordingId,
    },
    /// Something puts it back, or the store does not do as it says.
    #[error("{name} is still there after it was removed ({left} versions, markers or uploads)")]
    StillThere {
        /// The name.
        name: String,
        /// How many traces are left.
        left: usize,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store.
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

/// Removes an object (a name that ends with a slash: all below it) that `report` found to be an orphan: audited
/// before, every version and marker of it, and verified to be gone. Doing it again does no harm.
///
/// # Errors
/// See [`OrphanError`].
pub async fn remove_orphan(
    (store, objects, clock): (&Store, &Objects, Clock),
    (report, name): (ReconciliationId, &str),
    by: Actor,
    reason: &Redacted<String>,
) -> Result<Removed, OrphanError> {
    if reason.0.trim().is_empty() || reason.0.chars().count() > REASON {
        return Err(OrphanError::NoReason);
    }
    let kind = FindingKind::Orphan.word();
    if store.finding(report, kind, name).await?.is_none() {
        return Err(OrphanError::NotInReport { report, name: name.to_owned() });
    }
    refuse_owned(store, name).await?;
    let event =
        AuditEvent::new(Class::Modify, by.clone(), clock.now(), "orphan.remove", Object::new("object", name));
    let event = event.new_value(Some(Value::Personal(reason.0.clone())));
    store.commit(vec![Change::Audit(event)]).await?;
    let target = match name.strip_suffix('/') {
        Some(folder) => Target::Below(folder),
        None => Target::Name(name),
    };
    let removed = objects.remove(&target).await?;
    let left = objects.traces(&target).await?.len();
    if left > 0 {
        return Err(OrphanError::StillThere { name: name.to_owned(), left });
    }
    let resolved = ReconciliationChange::Resolved {
        id: report,
        kind: kind.to_owned(),
        subject: name.to_owned(),
        at: clock.now(),
        by,
        reason: reason.clone(),
    };
    match store.commit(vec![Change::Report(resolved)]).await {
        // It was said already: the finding is no open one any more.
        Err(StoreError::Missing { .. } | StoreError::State { .. }) => Ok(removed),
        done => done.map(|()| removed).map_err(OrphanError::from),
    }
}

/// Refuses what may be somebody's: the name of a recording that has a row, except beside the object it is stored as.
async fn refuse_owned(store: &Store, name: &str) -> Result<(), OrphanError> {
    let (id, whole) = match (Name::parse(name), Name::parse(&format!("{name}000000"))) {
        (Name::Whole(id), _) => (id, true),
        (Name::Segment(id), _) | (Name::Strange, Name::Segment(id)) => (id, false),
        (Name::Strange, Name::Whole(_) | Name::Strange) => return Ok(()),
    };
    let Some(row) = store.recording(id).await? else { return Ok(()) };
    let own = row.object.as_ref().map(|object| object.name.as_str());
    let beside = whole && row.state == State::Stored.word() && own.is_some_and(|own| own != name);
    if beside { Ok(()) } else { Err(OrphanError::HasRow { name: name.to_owned(), recording: id }) }
}
