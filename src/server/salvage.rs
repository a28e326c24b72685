//! What an earlier run left when it was killed: recordings are closed and calls are ended, without
//! hands, before new calls are taken.

use crate::call::{Cause, Fact};
use crate::ids::{CallId, LegId, RecordingId};
use crate::store::{Change, RecordingChange, RecordingRow, Store, StoreError};
use crate::time::{Clock, Timestamp};
use crate::vault::{Finished, Vault, VaultError, WrappedKey};

use super::{convert, trail};

/// Salvages everything there is. One broken recording does not keep the others.
///
/// # Errors
/// When store or vault cannot be read at all.
pub(super) async fn run(store: &Store, vault: &Vault, clock: Clock) -> anyhow::Result<()> {
    let mut leftovers = vault.leftovers()?;
    for row in store.recordings_unfinished(super::SPOOL).await? {
        leftovers.retain(|id| *id != row.id);
        let change = salvage(vault, &row, clock.now());
        store.commit(vec![Change::Recording(change)]).await?;
    }
    for id in leftovers {
        // No row says that it may be opened or removed: a person must look.
        tracing::error!(recording = %id, "a file in the spool belongs to no unfinished recording");
        store.commit(vec![Change::Audit(trail::stray_file(id, clock.now()))]).await?;
    }
    for call in store.calls_unfinished(super::SPOOL).await? {
        store.commit(end(store, call.id, clock.now()).await?).await?;
    }
    Ok(())
}

/// Ends a call the server died in, with the legs it had.
async fn end(store: &Store, call: CallId, at: Timestamp) -> Result<Vec<Change>, StoreError> {
    let legs = store.call(call).await?.map(|detail| detail.legs).unwrap_or_default();
    let going_on = legs.iter().filter(|leg| leg.ended_at.is_none());
    let mut facts: Vec<Fact> = going_on
        .map(|leg| Fact::LegEnded { leg: LegId { call, n: leg.n }, at, cause: Cause::Internal })
        .collect();
    facts.push(Fact::Ended { call, at, cause: Cause::Internal });
    Ok(facts.into_iter().map(Change::Fact).collect())
}

fn salvage(vault: &Vault, row: &RecordingRow, at: Timestamp) -> RecordingChange {
    let id = row.id;
    let failed = |why: String| {
        tracing::error!(recording = %id, why, "a recording cannot be salvaged");
        RecordingChange::Failed { id, at, why }
    };
    let Some(key) = &row.wrapped_key else { return failed("its key is destroyed".to_owned()) };
    match vault.salvage(id, &WrappedKey(key.0.clone())) {
        Ok(finished) => salvaged(id, at, &finished),
        // Armed and never started: there is nothing but a key, and that goes now.
        Err(VaultError::NotFound(_)) if row.started_at.is_none() => RecordingChange::Discarded { id, at },
        Err(error) => failed(error.to_string()),
    }
}

fn salvaged(id: RecordingId, at: Timestamp, finished: &Finished) -> RecordingChange {
    tracing::warn!(recording = %id, samples = finished.samples, "recording salvaged");
    metrics::counter!("sayso_recordings_salvaged_total").increment(1);
    let why = match finished.salvaged {
        Some(torn) => format!("left open by a stop in mid-call: closed, {torn} torn bytes cut off"),
        None => "whole, but its row was not finished".to_owned(),
    };
    RecordingChange::Salvaged { id, at, file: convert::file(finished), why }
}
