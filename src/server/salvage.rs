//! What an earlier run left when it was killed: recordings are closed and calls are ended, without
//! hands, before new calls are taken.

use crate::store::{Change, RecordingChange, Store};
use crate::ids::RecordingId;
use crate::time::{Clock, Timestamp};
use crate::vault::{Finished, Vault, WrappedKey};

use super::{convert, trail};

/// Salvages everything there is. One broken recording does not keep the others.
///
/// # Errors
/// When store or vault cannot be read at all.
pub(super) async fn run(store: &Store, vault: &Vault, clock: Clock) -> anyhow::Result<()> {
    let mut unfinished = store.recordings_unfinished().await?;
    for id in vault.leftovers()? {
        let Some(at) = unfinished.iter().position(|row| row.id == id) else {
            // Its row is gone or says it is finished: nobody's to open, so a person must look.
            tracing::error!(recording = %id, "a file in the spool belongs to no unfinished recording");
            store.commit(vec![Change::Audit(trail::stray_file(id, clock.now()))]).await?;
            continue;
        };
        let row = unfinished.swap_remove(at);
        let key = WrappedKey(row.wrapped_key);
        let at = clock.now();
        let change = match vault.salvage(id, &key) {
            Ok(finished) => {
                tracing::warn!(recording = %id, samples = finished.samples, "recording salvaged");
                metrics::counter!("sayso_recordings_salvaged_total").increment(1);
                salvaged(id, at, &finished)
            }
            Err(error) => {
                tracing::error!(recording = %id, %error, "a recording cannot be salvaged");
                RecordingChange::Failed { id, at, why: error.to_string() }
            }
        };
        store.commit(vec![Change::Recording(change)]).await?;
    }
    for row in unfinished {
        let at = clock.now();
        let change = match vault.finished(row.id, &WrappedKey(row.wrapped_key)) {
            Ok(Some(finished)) => salvaged(row.id, at, &finished),
            Ok(None) => RecordingChange::Discarded { id: row.id, at },
            Err(error) => RecordingChange::Failed { id: row.id, at, why: error.to_string() },
        };
        store.commit(vec![Change::Recording(change)]).await?;
    }
    store.end_orphaned_calls(clock.now()).await?;
    Ok(())
}

fn salvaged(id: RecordingId, at: Timestamp, finished: &Finished) -> RecordingChange {
    let why = match finished.salvaged {
        Some(torn) => format!("left open by a stop in mid-call; closed, {torn} torn bytes cut off"),
        None => "whole, but its row was not finished".to_owned(),
    };
    RecordingChange::Salvaged { id, at, file: convert::file(finished), why }
}

fn salvaged(id: RecordingId, at: Timestamp, finished: &Finished) -> RecordingChange {
    let why = match finished.salvaged {
        Some(torn) => format!("left open by a stop in mid-call; closed, {torn} torn bytes cut off"),
        None => "whole, but its row was not finished".to_owned(),
    };
    RecordingChange::Salvaged { id, at, file: convert::file(finished), why }
}
