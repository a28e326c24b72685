//! What an earlier run of this node left when it was killed: recordings are closed and calls are ended, without
//! hands, before new calls are taken. Only what is on this node's disk is needed for that: an object store that is away
//! holds up no start, a job asks it later.

use std::sync::Arc;

use crate::call::{Cause, Fact};
use crate::ids::{CallId, LegId, RecordingId};
use crate::jobs;
use crate::reconcile::State;
use crate::store::{Change, JobChange, JobKind, RecordingChange, RecordingRow, Store, StoreError};
use crate::time::{Clock, Timestamp};
use crate::vault::{Finished, Vault, VaultError, WrappedKey};

use super::trail;

/// Salvages everything there is. One broken recording does not keep the others.
///
/// # Errors
/// When store or vault cannot be read at all.
pub(super) async fn run(store: &Store, vault: &Arc<Vault>, clock: Clock) -> anyhow::Result<()> {
    let spool = vault.spool_id();
    let mut leftovers = blocking(vault, Vault::leftovers).await?;
    for row in store.recordings_unfinished(spool).await? {
        leftovers.retain(|id| *id != row.id);
        store.commit(vec![unfinished(vault, &row, clock.now()).await?]).await?;
    }
    for id in leftovers {
        let change = leftover(store, vault, id, clock.now()).await?;
        store.commit(vec![change]).await?;
    }
    for call in store.calls_unfinished(spool).await? {
        store.commit(end(store, call.id, clock.now()).await?).await?;
    }
    Ok(())
}

/// Ends a call the server died in, with the legs it had.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn end(store: &Store, call: CallId, at: Timestamp) -> Result<Vec<Change>, StoreError> {
    let legs = store.call(call).await?.map(|detail| detail.legs).unwrap_or_default();
    let going_on = legs.iter().filter(|leg| leg.ended_at.is_none());
    let mut facts: Vec<Fact> = going_on
        .map(|leg| Fact::LegEnded { leg: LegId { call, n: leg.n }, at, cause: Cause::Internal })
        .collect();
    facts.push(Fact::Ended { call, at, cause: Cause::Internal });
    Ok(facts.into_iter().map(Change::Fact).collect())
}

/// What becomes of a recording that was armed or running.
async fn unfinished(vault: &Arc<Vault>, row: &RecordingRow, at: Timestamp) -> anyhow::Result<Change> {
    let id = row.id;
    let failed = |why: String| {
        tracing::error!(recording = %id, why, "a recording cannot be salvaged");
        Change::Recording(RecordingChange::Failed { id, at, why })
    };
    Ok(match salvage(vault, row, at).await? {
        Ok(change) => Change::Recording(change),
        // Armed and never started: there is nothing but a key, and that goes now.
        Err(VaultError::NotFound(_)) if row.started_at.is_none() => {
            Change::Recording(RecordingChange::Discarded { id, at })
        }
        // Its disk was lost, or somebody was there: perhaps there are segments of it.
        Err(VaultError::NotFound(_)) => {
            tracing::error!(recording = %id, "a recording's file is gone from the spool; its segments are looked for");
            let (kind, subject) = (JobKind::Rescue, id.to_string());
            let spool = Some(vault.spool_id().to_owned());
            Change::Job(JobChange::Enqueue { kind, subject, spool, due: at, at })
        }
        Err(error) => failed(error.to_string()),
    })
}

/// What becomes of a file that no unfinished recording claims.
async fn leftover(
    store: &Store,
    vault: &Arc<Vault>,
    id: RecordingId,
    at: Timestamp,
) -> anyhow::Result<Change> {
    let row = store.recording(id).await?;
    let state = row.as_ref().and_then(|row| State::from_word(&row.state));
    match (row, state) {
        // It broke while it ran, because of a full disk perhaps: as much as there is of it is saved now.
        (Some(row), Some(State::Failed)) => match salvage(vault, &row, at).await? {
            Ok(change) => return Ok(Change::Recording(change)),
            Err(error) => tracing::error!(recording = %id, %error, "a failed recording cannot be salvaged"),
        },
        // Its job removes it, and says so in the certificate.
        (Some(_), Some(State::Destroyed)) => {
            let (kind, subject) = (JobKind::Destroy, id.to_string());
            let spool = Some(vault.spool_id().to_owned());
            return Ok(Change::Job(JobChange::Enqueue { kind, subject, spool, due: at, at }));
        }
        // Noise: its key is gone.
        (Some(_), Some(State::Removed | State::Discarded)) => {
            let gone = blocking(vault, move |vault| vault.destroy(id)).await?;
            tracing::warn!(recording = %id, "what was left of a recording without a key is removed");
            return Ok(Change::Audit(trail::noise_removed(id, &gone.before, at)));
        }
        // A whole file lies beside it, or another node runs it, or nobody knows it: a person must look.
        (Some(_), Some(State::Armed | State::Recording | State::Finished | State::Stored) | None)
        | (None, _) => {}
    }
    tracing::error!(recording = %id, "a file in the spool belongs to no unfinished recording");
    Ok(Change::Audit(trail::stray_file(id, at)))
}

/// Makes a whole recording of what is in the spool.
async fn salvage(
    vault: &Arc<Vault>,
    row: &RecordingRow,
    at: Timestamp,
) -> anyhow::Result<Result<RecordingChange, VaultError>> {
    let id = row.id;
    let Some(key) = &row.wrapped_key else { return Ok(Err(VaultError::Destroyed(id))) };
    let key = WrappedKey(key.0.clone());
    let vault = Arc::clone(vault);
    let salvaged = tokio::task::spawn_blocking(move || vault.salvage(id, &key)).await?;
    Ok(salvaged.map(|finished| change(id, at, &finished)))
}

fn change(id: RecordingId, at: Timestamp, finished: &Finished) -> RecordingChange {
    let seconds = finished.samples as f64 / 8_000.0;
    tracing::warn!(recording = %id, seconds, "recording salvaged");
    metrics::counter!("sayso_recordings_salvaged_total").increment(1);
    let why = match finished.salvaged {
        Some(torn) => {
            format!("left open by a stop in mid-call: closed after {seconds:.3} s, {torn} torn bytes cut off")
        }
        None => format!("whole, {seconds:.3} s, but its row was not finished"),
    };
    RecordingChange::Salvaged { id, at, file: jobs::file(finished), why }
}

/// Touches files where it holds up nobody.
async fn blocking<T: Send + 'static>(
    vault: &Arc<Vault>,
    work: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static,
) -> anyhow::Result<T> {
    let vault = Arc::clone(vault);
    Ok(tokio::task::spawn_blocking(move || work(&vault)).await??)
}
