//! What an earlier run of this node left when it was killed: recordings are closed and calls are ended, without
//! hands, before new calls are taken. Only what is on this node's disk is needed for that: an object store that is away
//! holds up no start, a job asks it later.

use std::sync::Arc;

use crate::call::{Cause, Fact};
use crate::ids::{CallId, LegId, RecordingId};
use crate::jobs::{self, AlarmKind, Alarms};
use crate::reconcile::State;
use crate::store::{Change, JobChange, JobKind, RecordingChange, RecordingRow, Store, StoreError};
use crate::time::{Clock, Timestamp};
use crate::vault::{Finished, Vault, VaultError, WrappedKey};

use super::{keys, trail};

/// Rows that are read at a time.
const PAGE: u32 = 1_000;

/// Salvages everything there is. One broken recording does not keep the others: what cannot be done now for a reason
/// that may pass is left to a job.
///
/// # Errors
/// When store or vault cannot be read at all.
pub(super) async fn run(
    store: &Store,
    vault: &Arc<Vault>,
    alarms: &Alarms,
    clock: Clock,
) -> anyhow::Result<()> {
    let house = House { store, vault, alarms, clock };
    let spool = vault.spool_id();
    let mut leftovers = blocking(vault, Vault::leftovers).await?;
    for row in store.recordings_unfinished(spool).await? {
        leftovers.retain(|id| *id != row.id);
        let change = house.unfinished(&row).await?;
        house.store(row.id, change).await?;
    }
    house.failed(&mut leftovers).await?;
    for id in leftovers {
        let change = house.leftover(id).await?;
        house.store(id, change).await?;
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

/// What salvage works with.
struct House<'a> {
    store: &'a Store,
    vault: &'a Arc<Vault>,
    alarms: &'a Alarms,
    clock: Clock,
}

impl House<'_> {
    /// What becomes of a recording that was armed or running.
    async fn unfinished(&self, row: &RecordingRow) -> anyhow::Result<Change> {
        let (id, at) = (row.id, self.clock.now());
        Ok(match self.salvage(row).await? {
            Ok(change) => Change::Recording(change),
            // Armed and never started, or its start was never stored; or its disk was lost, or somebody was there:
            // perhaps there are segments of it. If not, what never started is discarded by the job.
            Err(VaultError::NotFound(_)) => {
                if row.started_at.is_some() {
                    tracing::error!(recording = %id, "a recording's file is gone from the spool; its segments are looked for");
                }
                self.rescue(id)
            }
            Err(error) if may_pass(&error) => self.later(id, &error),
            Err(error) => {
                tracing::error!(recording = %id, %error, "a recording cannot be salvaged");
                Change::Recording(RecordingChange::Failed { id, at, why: error.to_string() })
            }
        })
    }

    /// Those that broke while they ran (a full disk perhaps), or could not be salvaged, and of which there is a file: as
    /// much as there is of them is saved now. Takes them from the leftovers.
    async fn failed(&self, leftovers: &mut Vec<RecordingId>) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let page = self.store.recordings_spooled(self.vault.spool_id(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for row in page.into_iter().filter(|row| row.state == State::Failed.word()) {
                let id = row.id;
                if !blocking(self.vault, move |vault| Ok(vault.is_spooled(id))).await? {
                    continue;
                }
                leftovers.retain(|other| *other != id);
                match self.salvage(&row).await? {
                    Ok(change) => self.store(id, Change::Recording(change)).await?,
                    Err(error) if may_pass(&error) => self.store(id, self.later(id, &error)).await?,
                    Err(error) => {
                        tracing::error!(recording = %id, %error, "a failed recording cannot be salvaged");
                        self.store(id, Change::Audit(trail::stray_file(id, self.clock.now()))).await?;
                    }
                }
            }
        }
    }

    /// What becomes of a file that no unfinished and no failed recording claims.
    async fn leftover(&self, id: RecordingId) -> anyhow::Result<Change> {
        let row = self.store.recording(id).await?;
        let state = row.as_ref().and_then(|row| State::from_word(&row.state));
        let at = self.clock.now();
        match state {
            // Its job removes it, and says so in the certificate.
            Some(State::Destroyed) => return Ok(self.job(JobKind::Destroy, id)),
            // Noise: its key is gone.
            Some(State::Removed | State::Discarded) => {
                let gone = blocking(self.vault, move |vault| vault.destroy(id)).await?;
                tracing::warn!(recording = %id, "what was left of a recording without a key is removed");
                return Ok(Change::Audit(trail::noise_removed(id, &gone.before, at)));
            }
            // A whole file lies beside it, or another node runs it, or nobody knows it: a person must look.
            Some(State::Armed | State::Recording | State::Finished | State::Stored | State::Failed)
            | None => {}
        }
        tracing::error!(recording = %id, "a file in the spool belongs to no unfinished recording");
        Ok(Change::Audit(trail::stray_file(id, at)))
    }

    /// Makes a whole recording of what is in the spool.
    async fn salvage(&self, row: &RecordingRow) -> anyhow::Result<Result<RecordingChange, VaultError>> {
        let salvaged = self.mend(row).await?;
        let Err(VaultError::KekNotHeld { .. }) = salvaged else { return Ok(salvaged) };
        // Keys may just have been rotated: row and keys are read again, once.
        if let Err(error) = keys::follow(self.store, self.vault.keyring()).await {
            tracing::error!(recording = %row.id, error = format!("{error:#}"), "the keys cannot be read again");
            return Ok(salvaged);
        }
        match self.store.recording(row.id).await? {
            Some(row) => self.mend(&row).await,
            None => Ok(salvaged),
        }
    }

    async fn mend(&self, row: &RecordingRow) -> anyhow::Result<Result<RecordingChange, VaultError>> {
        let id = row.id;
        let Some(key) = &row.wrapped_key else { return Ok(Err(VaultError::Destroyed(id))) };
        let key = WrappedKey(key.0.clone());
        let vault = Arc::clone(self.vault);
        let salvaged = tokio::task::spawn_blocking(move || vault.salvage(id, &key)).await?;
        Ok(salvaged.map(|finished| change(id, self.clock.now(), &finished)))
    }

    /// Audio that cannot be salvaged now, and may be later: its row stays as it is, and a job goes on.
    fn later(&self, id: RecordingId, error: &VaultError) -> Change {
        let what = format!("recording {id} cannot be salvaged yet, it is tried again: {error}");
        self.alarms.raise_for(AlarmKind::RecordingFailed, &id.to_string(), what);
        self.rescue(id)
    }

    fn rescue(&self, id: RecordingId) -> Change {
        self.job(JobKind::Rescue, id)
    }

    fn job(&self, kind: JobKind, id: RecordingId) -> Change {
        let (at, spool) = (self.clock.now(), Some(self.vault.spool_id().to_owned()));
        Change::Job(JobChange::Enqueue { kind, subject: id.to_string(), spool, due: at, at })
    }

    /// Stores what became of one. Another node may have been faster, with its destruction for example.
    async fn store(&self, id: RecordingId, change: Change) -> anyhow::Result<()> {
        match self.store.commit(vec![change]).await {
            Err(error @ StoreError::State { .. }) => {
                tracing::warn!(recording = %id, %error, "a recording that was to be salvaged changed meanwhile");
                Ok(())
            }
            stored => Ok(stored?),
        }
    }
}

/// Whether it may be salvaged later. A key that is not held may be brought back.
fn may_pass(error: &VaultError) -> bool {
    error.passes() || matches!(error, VaultError::KekNotHeld { .. })
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

#[cfg(test)]
#[path = "salvage_tests.rs"]
mod tests;
