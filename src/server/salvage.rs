//! What an earlier run left when it was killed: recordings are closed and calls are ended, without
//! hands, before new calls are taken.

use crate::store::{Change, RecordingChange, Store};
use crate::time::Clock;
use crate::vault::{Vault, WrappedKey};

use super::trail;

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
        let key = WrappedKey::from_bytes(row.wrapped_key);
        let at = clock.now();
        let change = match vault.salvage(id, &key) {
            Ok(finished) => {
                tracing::warn!(recording = %id, samples = finished.samples, "recording salvaged");
                metrics::counter!("sayso_recordings_salvaged_total").increment(1);
                RecordingChange::Salvaged { id, at, finished: finished.into() }
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
        let change = match vault.finished(row.id, &WrappedKey::from_bytes(row.wrapped_key)) {
            Ok(Some(finished)) => RecordingChange::Salvaged { id: row.id, at, finished: finished.into() },
            Ok(None) => RecordingChange::Discarded { id: row.id, at },
            Err(error) => RecordingChange::Failed { id: row.id, at, why: error.to_string() },
        };
        store.commit(vec![Change::Recording(change)]).await?;
    }
    store.end_orphaned_calls(clock.now()).await?;
    Ok(())
}
