//! What is not where it was put. That a listing of that place shows nothing proves that no copy is there, if it is that
//! place: a disk that is not mounted, or another store by the same name, shows nothing either. So those are looked for
//! that lie beside it; where they are not, or where that place is not the configured one any more, an operator has to
//! say what became of it ([`say_gone`]). Either way the certificate tells what nobody has seen.

use std::collections::BTreeSet;

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::certificate;
use crate::ids::{RecordingId, Redacted};
use crate::reconcile::{RECORDINGS, State};
use crate::store::{
    AuditFilter, Change, JobChange, JobFilter, JobKind, RecordingRow, Store, StoreError, StoredObject,
};
use crate::time::Clock;

use super::super::{Context, Fault};

/// The audit log's word for an operator's saying that a recording is not where it was put.
const SAID: &str = "recording.said-gone";
/// How many neighbours are looked for, on each side.
const NEIGHBOURS: u32 = 5;
/// The longest reason, in characters.
const REASON: usize = 1_000;

/// Why nobody can say that a recording is gone.
#[derive(Debug, thiserror::Error)]
pub enum GoneError {
    /// A reason must be written.
    #[error("saying that a recording is gone needs a written reason of 1 to {REASON} characters")]
    NoReason,
    /// There is none.
    #[error("no recording {0}")]
    Missing(RecordingId),
    /// It is not being destroyed.
    #[error(
        "recording {id} is {state}: only of one that is destroyed and not certified yet can this be said"
    )]
    NotDestroyed {
        /// The recording.
        id: RecordingId,
        /// Its state.
        state: String,
    },
    /// It was never put into a store.
    #[error("recording {0} was never stored: there is no place where it could be missing")]
    NeverStored(RecordingId),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An operator says that a destroyed recording is not where it was put, or that this place is no more: audited, with the
/// reason, in the transaction that has its destruction tried at once. The certificate tells who said so.
///
/// # Errors
/// See [`GoneError`].
pub async fn say_gone(
    (store, clock): (&Store, Clock),
    id: RecordingId,
    by: Actor,
    reason: &Redacted<String>,
) -> Result<StoredObject, GoneError> {
    if reason.0.trim().is_empty() || reason.0.chars().count() > REASON {
        return Err(GoneError::NoReason);
    }
    let row = store.recording(id).await?.ok_or(GoneError::Missing(id))?;
    if row.state != State::Destroyed.word() {
        return Err(GoneError::NotDestroyed { id, state: row.state });
    }
    let object = row.object.ok_or(GoneError::NeverStored(id))?;
    let at = clock.now();
    let said = AuditEvent::new(Class::Modify, by.clone(), at, SAID, Object::new("recording", id))
        .old(Some(Value::plain(whereabouts(&object))))
        .new_value(Some(Value::Personal(reason.0.clone())));
    let subject = Some(id.to_string());
    let filter = JobFilter { kind: Some(JobKind::Destroy), subject, limit: 1, ..JobFilter::default() };
    let job = store.jobs(&filter).await?.items.pop();
    let hurry = job.map(|job| Change::Job(JobChange::Hurry { id: job.id, at, by }));
    let changes = [Change::Audit(said)].into_iter().chain(hurry).collect();
    match store.commit(changes).await {
        // It was certified a moment ago.
        Err(StoreError::Missing { .. }) => {
            Err(GoneError::NotDestroyed { id, state: State::Removed.word().to_owned() })
        }
        result => Ok(result.map(|()| object)?),
    }
}

/// Proves that what was stored is not where it was put any more: what the certificate has to say of that, nothing if
/// it was found there. `found`: all that was ever found of it.
///
/// # Errors
/// When nobody has looked there, or what was looked through may be another place.
pub(super) async fn prove(
    ctx: &Context,
    row: &RecordingRow,
    found: &BTreeSet<String>,
) -> Result<Option<String>, Fault> {
    let Some(object) = &row.object else { return Ok(None) };
    let (name, was, is) = (&object.name, &object.place, ctx.objects.place());
    if *was == is && found.iter().any(|line| tells_of(line, name)) {
        return Ok(None);
    }
    if let Some(said) = said(ctx, row.id, object).await? {
        return Ok(Some(said));
    }
    let word = format!(
        "`sayso recordings gone {}` says why it is not there, if nobody can put it right, and has it certified with that",
        row.id
    );
    if *was != is {
        return Err(Fault::Other(format!(
            "{name} was put into {was}, and {is} is configured now: it was not looked for where it lies. Configure \
             [vault] as it was, until this is done. {word}"
        )));
    }
    let beside = beside(ctx, row, object).await?;
    let Some(compared) = beside.proves() else {
        return Err(Fault::Other(format!(
            "{name} was put into {was} and is not there, nor is what was put beside it ({beside}): nobody can say that \
             it was removed. Find out whether a disk is not mounted, another store answers by that name, or somebody \
             moved it. {word}"
        )));
    };
    tracing::warn!(recording = %row.id, name, place = was, "a destroyed recording was not where it was put");
    let plain = if object.encryption == "sealed" { "" } else { ", which would be plain audio" };
    Ok(Some(format!(
        "{}: it was not there before anything was removed ({compared}); who took it away, and whether a copy{plain} is \
         anywhere else, is not known",
        whereabouts(object)
    )))
}

/// Whether a line of what was found is about this object.
fn tells_of(line: &str, name: &str) -> bool {
    let rest = line.strip_prefix("object ").and_then(|rest| rest.strip_prefix(name));
    rest.is_some_and(|rest| rest.starts_with(',') || rest.starts_with(" version "))
}

fn whereabouts(object: &StoredObject) -> String {
    format!("object {} of {}", object.name, object.place)
}

/// What an operator said of it, in the certificate's words.
async fn said(ctx: &Context, id: RecordingId, object: &StoredObject) -> Result<Option<String>, Fault> {
    let filter = AuditFilter {
        object: Some(id.to_string()),
        action: Some(SAID.to_owned()),
        limit: 10,
        ..AuditFilter::default()
    };
    let place = whereabouts(object);
    let of_there = |text: Option<&str>| text == Some(place.as_str());
    let rows = ctx.store.audit(&filter).await?;
    let row = rows.into_iter().find(|row| of_there(row.old.as_ref().and_then(|value| value.text())));
    Ok(row.map(|row| {
        let reason = row.new.as_ref().and_then(|value| value.text());
        let reason = reason.map_or_else(
            || "for a reason that was erased since".to_owned(),
            |words| certificate::reason_told(certificate::BY_HAND, words),
        );
        format!(
            "{place}: nobody has seen it being removed there; {} said at {} that it is not there any more, {reason}",
            row.who, row.at
        )
    }))
}

/// What lies beside it.
#[derive(Debug, PartialEq, Eq)]
enum Beside {
    /// Of so many that should be there, these are.
    Neighbours { there: usize, of: usize },
    /// Nothing else should be there; whether the place was ever used.
    Alone { used: bool },
}

impl Beside {
    /// That this is the place, in words; `None`: it may be another.
    fn proves(&self) -> Option<String> {
        match self {
            Self::Neighbours { there, of } if there * 2 > *of => Some(self.to_string()),
            Self::Alone { used: true } => Some(self.to_string()),
            Self::Neighbours { .. } | Self::Alone { used: false } => None,
        }
    }
}

impl std::fmt::Display for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Neighbours { there, of } => {
                write!(f, "of {of} recordings that were put there before and after it, {there} were there")
            }
            Self::Alone { used: true } => f.write_str("no other recording should be there to compare with"),
            Self::Alone { used: false } => f.write_str("the place is empty, as if it was never used"),
        }
    }
}

async fn beside(ctx: &Context, row: &RecordingRow, object: &StoredObject) -> Result<Beside, Fault> {
    let names = ctx.store.stored_beside(row.id, &object.place, NEIGHBOURS).await?;
    if names.is_empty() {
        return Ok(Beside::Alone { used: ctx.objects.is_used(RECORDINGS).await? });
    }
    let (mut there, of) = (0, names.len());
    for name in names {
        there += usize::from(ctx.objects.head(&name).await?.is_some());
    }
    Ok(Beside::Neighbours { there, of })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_its_neighbours_prove_the_place() {
        let proves = |there, of| Beside::Neighbours { there, of }.proves().is_some();
        assert!(proves(1, 1) && proves(2, 3) && proves(10, 10));
        // A disk that was away for half of them.
        assert!(!proves(0, 1) && !proves(5, 10) && !proves(1, 3));
        assert!(Beside::Alone { used: true }.proves().is_some());
        assert!(Beside::Alone { used: false }.proves().is_none());
    }

    #[test]
    fn only_its_own_object_is_found() {
        let name = "recordings/2026/11/22/A.rec";
        for line in [
            "object recordings/2026/11/22/A.rec, 5 bytes",
            "object recordings/2026/11/22/A.rec version 1, 5 bytes",
        ] {
            assert!(tells_of(line, name), "{line}");
        }
        for line in [
            "object recordings/2026/11/22/A.rec delete marker 1",
            "object recordings/2026/11/22/A.rec unfinished upload 1",
            "object recordings/2026/11/22/A.rec.rec, 5 bytes",
            "spool A.rec, 5 bytes",
        ] {
            assert!(!tells_of(line, name), "{line}");
        }
    }
}
