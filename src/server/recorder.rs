//! A call's recording from grant to file: draws id and key, stores the row before the first sample,
//! starts the tap, and keeps or destroys what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use ulid::Ulid;

use crate::audit::{Actor, basis_word};
use crate::call::{Input, TakeId};
use crate::consent::{Grant, RecordingPermit};
use crate::engine::CallMedia;
use crate::ids::{CallId, RecordingId};
use crate::jobs::{self, AlarmKind};
use crate::media::tap::Tap;
use crate::store::{Change, JobChange, JobKind, RecordingChange, Store, StoreError, WITHDRAWAL};
use crate::time::Timestamp;
use crate::vault::{Ending, Finished, Spool, VaultError};

use super::driver::Done;
use super::notice::What;
use super::{Shared, keys};

/// What a task has brought about a recording.
pub(super) enum Recording {
    /// Its row and key are stored, or not.
    Armed(TakeId, Box<RecordingPermit>, Result<(), StoreError>),
    /// Its file is closed, or broke.
    Closed(RecordingId, Result<Finished, VaultError>),
    /// Its last row is stored.
    Kept(RecordingId),
    /// That it began is stored.
    Noted,
}

/// What becomes of a recording that was stopped, once its file is closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    /// Its consent was withdrawn, and its row says so with that.
    Destroyed,
}

enum State {
    Idle,
    /// The row is on its way; `unwanted` when the call gave it up meanwhile.
    Arming {
        take: TakeId,
        unwanted: bool,
    },
    Armed(TakeId, Box<RecordingPermit>),
    Running(TakeId, RecordingId),
}

/// See the module.
pub(super) struct Recorder {
    call: CallId,
    state: State,
    /// Stopped, their files not yet closed.
    closing: BTreeMap<RecordingId, Fate>,
    /// What is on disk of the call's earlier conversations, whole or broken.
    on_disk: Vec<RecordingId>,
    /// The end of what a withdrawal destroys.
    withdrawn: Vec<RecordingChange>,
}

impl Recorder {
    pub(super) fn new(call: CallId) -> Self {
        let (closing, on_disk, withdrawn) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { call, state: State::Idle, closing, on_disk, withdrawn }
    }

    /// Stores the recording's row and wrapped key.
    pub(super) fn arm(&mut self, take: TakeId, grant: Grant, shared: &Shared, work: &mut JoinSet<Done>) {
        let permit = Box::new(grant.permit(RecordingId::new(Ulid::generate()), shared.vault.draw_key()));
        let (store, vault, at) = (shared.store.clone(), Arc::clone(&shared.vault), shared.clock.now());
        work.spawn(async move {
            let place = (vault.spool_id(), vault.format().word());
            let stored = keys::arm(&store, vault.keyring(), &permit, place, at).await;
            Done::Recording(Recording::Armed(take, permit, stored))
        });
        self.state = State::Arming { take, unwanted: false };
    }

    /// Starts capturing legs `(caller, agent)`, or silence (`quiet`) until it is resumed; what the call must hear of it,
    /// if it failed.
    pub(super) async fn start(
        &mut self,
        shared: &Shared,
        media: &CallMedia,
        ((caller, agent), quiet): ((u16, u16), bool),
        work: &mut JoinSet<Done>,
    ) -> Option<Input> {
        let (take, permit) = match std::mem::replace(&mut self.state, State::Idle) {
            State::Armed(take, permit) => (take, *permit),
            // The call starts only what it was told is armed.
            other @ (State::Idle | State::Arming { .. } | State::Running(..)) => {
                self.state = other;
                return None;
            }
        };
        let id = permit.id();
        let begun = begin(shared, permit).await;
        let now = shared.clock.now();
        let (permit, spool, finished) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                alarm(shared, id, &error);
                keep_and_tell(failed(id, now, &error), id, shared, work).await;
                return Some(Input::RecordingFailed(take));
            }
        };
        let reason = basis_word(permit.basis());
        let mut tap = Tap::new(permit, Box::new(spool), now);
        if quiet {
            // Before the worker has it: not one packet may get in between.
            tap.pause(true, now);
        }
        media.record(tap, caller, agent);
        metrics::counter!("sayso_recordings_total", "reason" => reason).increment(1);
        let started = store(RecordingChange::Started { id, at: now }, id, shared).await;
        work.spawn(async move {
            started.await;
            Done::Recording(Recording::Noted)
        });
        shared.notices.tell(self.call, || What::Recording(id));
        let mut still = shared.still.subscribe();
        work.spawn(async move {
            let closed = tokio::select! {
                biased;
                closed = finished => closed.unwrap_or(Err(VaultError::Closed(id))),
                // Its file may still become whole: the job that follows sees to that.
                Ok(_) = still.wait_for(|still| *still) => Err(VaultError::Still(id)),
            };
            Done::Recording(Recording::Closed(id, closed))
        });
        self.state = State::Running(take, id);
        None
    }

    /// Finishes what runs, or gives up what was only armed. Somebody who takes the consent back (`withdrawn`) takes
    /// earlier ones along: see [`Recorder::withdrawn`].
    pub(super) async fn stop(
        &mut self,
        withdrawn: Option<Actor>,
        shared: &Shared,
        media: &CallMedia,
        work: &mut JoinSet<Done>,
    ) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => {}
            State::Arming { take, .. } => self.state = State::Arming { take, unwanted: true },
            State::Armed(_, permit) => discard(permit.id(), shared, work).await,
            State::Running(_, id) => {
                self.closing.insert(id, Fate::Kept);
                media.stop_recording();
            }
        }
        if let Some(by) = withdrawn {
            let mut gone = std::mem::take(&mut self.on_disk);
            let closing = self.closing.iter_mut().filter(|(_, fate)| **fate == Fate::Kept);
            gone.extend(closing.map(|(id, fate)| {
                *fate = Fate::Destroyed;
                *id
            }));
            let at = shared.clock.now();
            self.withdrawn.extend(gone.into_iter().map(|id| destroyed(id, at, by.clone())));
        }
    }

    /// The destruction of all that was withdrawn (rule 15), for the unit of work that has the withdrawal's fact: a crash
    /// leaves both or none. So it does not wait for the file to be closed, which a slow disk may hold up. Stored again, it
    /// has no effect.
    pub(super) fn withdrawn(&self) -> Vec<RecordingChange> {
        self.withdrawn.clone()
    }

    /// All of [`Recorder::withdrawn`] is stored.
    pub(super) fn on_withdrawn(&self, shared: &Shared) {
        for change in &self.withdrawn {
            if let RecordingChange::Destroyed { id, .. } = change {
                shared.notices.tell(self.call, || What::Kept(*id));
            }
        }
        // The jobs that remove every copy.
        shared.jobs.wake();
    }

    /// Takes a task's outcome; what the call must hear of it, if anything.
    pub(super) async fn on_event(
        &mut self,
        event: Recording,
        shared: &Shared,
        media: &CallMedia,
        work: &mut JoinSet<Done>,
    ) -> Option<Input> {
        match event {
            Recording::Armed(take, permit, stored) => self.on_armed(take, permit, stored, shared, work).await,
            Recording::Closed(id, closed) => {
                let running = matches!(self.state, State::Running(_, now) if now == id);
                if running && closed.is_err() {
                    // The call goes on, or not, as one that is not recorded.
                    media.stop_recording();
                }
                self.on_closed(id, closed, shared, work).await
            }
            Recording::Kept(id) => {
                shared.notices.tell(self.call, || What::Kept(id));
                None
            }
            Recording::Noted => None,
        }
    }

    async fn on_armed(
        &mut self,
        take: TakeId,
        permit: Box<RecordingPermit>,
        stored: Result<(), StoreError>,
        shared: &Shared,
        work: &mut JoinSet<Done>,
    ) -> Option<Input> {
        let wanted = match self.state {
            State::Arming { take: now, unwanted } => now == take && !unwanted,
            State::Idle | State::Armed(..) | State::Running(..) => false,
        };
        if matches!(self.state, State::Arming { take: now, .. } if now == take) {
            self.state = State::Idle;
        }
        match stored {
            Err(error) => {
                tracing::error!(%error, "a recording's row could not be stored");
                let what = format!("recording {} cannot begin, its row is not stored: {error}", permit.id());
                shared.alarms.raise(AlarmKind::RecordingFailed, what);
                wanted.then_some(Input::RecordingFailed(take))
            }
            Ok(()) if wanted => {
                self.state = State::Armed(take, permit);
                Some(Input::RecordingArmed(take))
            }
            Ok(()) => {
                discard(permit.id(), shared, work).await;
                None
            }
        }
    }

    async fn on_closed(
        &mut self,
        id: RecordingId,
        closed: Result<Finished, VaultError>,
        shared: &Shared,
        work: &mut JoinSet<Done>,
    ) -> Option<Input> {
        let broke = match self.state {
            State::Running(take, now) if now == id => {
                self.state = State::Idle;
                Some(take)
            }
            State::Idle | State::Arming { .. } | State::Armed(..) | State::Running(..) => None,
        };
        if self.closing.remove(&id) == Some(Fate::Destroyed) {
            // Whatever became of the file: its key is gone, and a job removes it.
            return broke.map(Input::RecordingFailed);
        }
        self.on_disk.push(id);
        let at = shared.clock.now();
        match closed {
            Ok(finished) => {
                // Those that broke have alarms of their own, until they are saved.
                shared.alarms.clear_for(AlarmKind::RecordingFailed, "");
                let change = RecordingChange::Finished { id, at, file: jobs::file(&finished) };
                keep_and_tell(change, id, shared, work).await;
                // The media closed it under the call: its legs are gone, and the call hears of that.
                None
            }
            // By an operator, while it went on: its row says so already.
            Err(VaultError::Destroyed(_)) => broke.map(Input::RecordingFailed),
            Err(error) => {
                broken(id, error, shared, work);
                broke.map(Input::RecordingFailed)
            }
        }
    }
}

/// How long the disk may take to begin a recording. The call waits meanwhile: its parties are not joined yet.
const BEGIN: Duration = Duration::from_secs(2);

/// Opens the spool file, where a disk that stands still holds up this call at most, and not for long.
async fn begin(
    shared: &Shared,
    permit: RecordingPermit,
) -> Result<(RecordingPermit, Spool, Ending), VaultError> {
    let (id, vault) = (permit.id(), Arc::clone(&shared.vault));
    let begun = tokio::task::spawn_blocking(move || {
        let (spool, ending) = vault.begin(&permit)?;
        Ok((permit, spool, ending))
    });
    match tokio::time::timeout(BEGIN, begun).await {
        Ok(begun) => begun.unwrap_or(Err(VaultError::Closed(id))),
        // Should it begin after all, it is given up with its sink, and its empty file removed.
        Err(_) => Err(VaultError::Still(id)),
    }
}

/// How long to wait before a change that could not be stored is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Hands a change about a recording to the store, in order, and gives what waits until it is stored.
async fn store(
    change: RecordingChange,
    id: RecordingId,
    shared: &Shared,
) -> impl Future<Output = ()> + use<> {
    store_all(move || vec![Change::Recording(change.clone())], id, shared.store.clone()).await
}

async fn store_all<C>(changes: C, id: RecordingId, store: Store) -> impl Future<Output = ()> + use<C>
where
    C: Fn() -> Vec<Change> + Send,
{
    let first = store.submit(changes()).await;
    async move {
        let mut stored = first.wait().await;
        // A database that is away is waited for: without this its file would stay in the spool until the next start.
        while let Err(error) = stored {
            tracing::error!(recording = %id, %error, "a recording's state could not be stored");
            if error.is_final() {
                break;
            }
            tokio::time::sleep(AGAIN).await;
            stored = store.commit(changes()).await;
        }
    }
}

/// Stores a change about a recording and says when that is done. What it enqueued is begun at once.
async fn keep_and_tell(change: RecordingChange, id: RecordingId, shared: &Shared, work: &mut JoinSet<Done>) {
    let jobs = shared.jobs.clone();
    let stored = store(change, id, shared).await;
    work.spawn(async move {
        stored.await;
        jobs.wake();
        Done::Recording(Recording::Kept(id))
    });
}

/// A recording broke while it went on. If there is something of it in the spool, a job makes a whole one of that as
/// soon as the disk lets it; its alarm lasts until then.
fn broken(id: RecordingId, error: VaultError, shared: &Shared, work: &mut JoinSet<Done>) {
    metrics::counter!("sayso_recordings_failed_total").increment(1);
    tracing::error!(recording = %id, %error, "a recording broke");
    let (store, jobs, vault) = (shared.store.clone(), shared.jobs.clone(), Arc::clone(&shared.vault));
    let (alarms, at) = (shared.alarms.clone(), shared.clock.now());
    work.spawn(async move {
        let spool = vault.spool_id().to_owned();
        let looked = tokio::task::spawn_blocking(move || vault.is_spooled(id)).await;
        // Who cannot look takes it that there is something.
        let holds = looked.unwrap_or(true);
        if holds {
            alarms.raise_for(AlarmKind::RecordingFailed, &id.to_string(), error.to_string());
        } else {
            alarms.raise(AlarmKind::RecordingFailed, error.to_string());
        }
        let rescue = || {
            let (kind, subject, spool) = (JobKind::Rescue, id.to_string(), Some(spool.clone()));
            Change::Job(JobChange::Enqueue { kind, subject, spool, due: at, at })
        };
        let changes = || {
            let failed = Change::Recording(failed(id, at, &error));
            std::iter::once(failed).chain(holds.then(rescue)).collect()
        };
        store_all(changes, id, store).await.await;
        jobs.wake();
        Done::Recording(Recording::Kept(id))
    });
}

/// Gives up an armed recording: its key is destroyed with its row's state.
async fn discard(id: RecordingId, shared: &Shared, work: &mut JoinSet<Done>) {
    keep_and_tell(RecordingChange::Discarded { id, at: shared.clock.now() }, id, shared, work).await;
}

/// The end of a recording whose consent was withdrawn: the key first, then a job removes every copy.
fn destroyed(id: RecordingId, at: Timestamp, by: Actor) -> RecordingChange {
    let why = "consent withdrawn in the call".to_owned();
    RecordingChange::Destroyed { id, at, rule: WITHDRAWAL.to_owned(), why, by }
}

fn failed(id: RecordingId, at: Timestamp, error: &VaultError) -> RecordingChange {
    RecordingChange::Failed { id, at, why: error.to_string() }
}

/// A recording could not begin. What becomes of its call is its queue's setting.
fn alarm(shared: &Shared, id: RecordingId, error: &VaultError) {
    metrics::counter!("sayso_recordings_failed_total").increment(1);
    let kind = if matches!(error, VaultError::NoRoom { .. }) {
        AlarmKind::DiskReserve
    } else {
        AlarmKind::RecordingFailed
    };
    tracing::error!(recording = %id, %error, "a recording failed");
    shared.alarms.raise(kind, error.to_string());
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
