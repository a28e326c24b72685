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
use crate::store::{Change, RecordingChange, StoreError};
use crate::time::Timestamp;
use crate::vault::{Finished, VaultError};

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
    /// Stopped, their files not yet closed, and who withdrew the consent, if somebody did: these are destroyed.
    closing: BTreeMap<RecordingId, Option<Actor>>,
    /// What is on disk of the call's earlier conversations, whole or broken.
    on_disk: Vec<RecordingId>,
}

impl Recorder {
    pub(super) fn new(call: CallId) -> Self {
        Self { call, state: State::Idle, closing: BTreeMap::new(), on_disk: Vec::new() }
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
    pub(super) fn start(
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
        let now = shared.clock.now();
        let (spool, finished) = match shared.vault.begin(&permit) {
            Ok(begun) => begun,
            Err(error) => {
                alarm(shared, id, &error);
                keep_and_tell(failed(id, now, &error), id, shared, work);
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
        shared.keep(vec![Change::Recording(RecordingChange::Started { id, at: now })]);
        shared.notices.tell(self.call, || What::Recording(id));
        work.spawn(async move {
            let closed = finished.await.unwrap_or(Err(VaultError::Closed(id)));
            Done::Recording(Recording::Closed(id, closed))
        });
        self.state = State::Running(take, id);
        None
    }

    /// Finishes what runs, or gives up what was only armed. Somebody who takes the consent back (`withdrawn`) takes
    /// earlier ones along.
    pub(super) fn stop(
        &mut self,
        withdrawn: Option<Actor>,
        shared: &Shared,
        media: &CallMedia,
        work: &mut JoinSet<Done>,
    ) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => {}
            State::Arming { take, .. } => self.state = State::Arming { take, unwanted: true },
            State::Armed(_, permit) => discard(permit.id(), shared, work),
            State::Running(_, id) => {
                self.closing.insert(id, withdrawn.clone());
                media.stop_recording();
            }
        }
        if let Some(by) = withdrawn {
            self.closing.values_mut().for_each(|fate| *fate = Some(by.clone()));
            for id in self.on_disk.drain(..) {
                destroy_now(id, by.clone(), shared, work);
            }
        }
    }

    /// Takes a task's outcome; what the call must hear of it, if anything.
    pub(super) fn on_event(
        &mut self,
        event: Recording,
        shared: &Shared,
        work: &mut JoinSet<Done>,
    ) -> Option<Input> {
        match event {
            Recording::Armed(take, permit, stored) => self.on_armed(take, permit, stored, shared, work),
            Recording::Closed(id, closed) => self.on_closed(id, closed, shared, work),
            Recording::Kept(id) => {
                shared.notices.tell(self.call, || What::Kept(id));
                None
            }
        }
    }

    fn on_armed(
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
                discard(permit.id(), shared, work);
                None
            }
        }
    }

    fn on_closed(
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
        if let Some(by) = self.closing.remove(&id).flatten() {
            // Whatever became of the file, it must go.
            destroy_now(id, by, shared, work);
            return broke.map(Input::RecordingFailed);
        }
        self.on_disk.push(id);
        let at = shared.clock.now();
        match closed {
            Ok(finished) => {
                shared.alarms.clear(AlarmKind::RecordingFailed);
                let change = RecordingChange::Finished { id, at, file: jobs::file(&finished) };
                keep_and_tell(change, id, shared, work);
                // The media closed it under the call: its legs are gone, and the call hears of that.
                None
            }
            // By an operator, while it went on: its row says so already.
            Err(VaultError::Destroyed(_)) => broke.map(Input::RecordingFailed),
            Err(error) => {
                alarm(shared, id, &error);
                keep_and_tell(failed(id, at, &error), id, shared, work);
                broke.map(Input::RecordingFailed)
            }
        }
    }
}

/// How long to wait before a change that could not be stored is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Stores a change about a recording and says when that is done. What it enqueued is begun at once.
fn keep_and_tell(change: RecordingChange, id: RecordingId, shared: &Shared, work: &mut JoinSet<Done>) {
    let (store, jobs) = (shared.store.clone(), shared.jobs.clone());
    work.spawn(async move {
        // A database that is away is waited for: without this its file would stay in the spool until the next start.
        while let Err(error) = store.commit(vec![Change::Recording(change.clone())]).await {
            tracing::error!(recording = %id, %error, "a recording's state could not be stored");
            if error.is_final() {
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
        jobs.wake();
        Done::Recording(Recording::Kept(id))
    });
}

/// Gives up an armed recording: its key is destroyed with its row's state.
fn discard(id: RecordingId, shared: &Shared, work: &mut JoinSet<Done>) {
    keep_and_tell(RecordingChange::Discarded { id, at: shared.clock.now() }, id, shared, work);
}

/// Destroys a recording whose consent was withdrawn: the key first, then a job removes every copy (rule 15).
fn destroy_now(id: RecordingId, by: Actor, shared: &Shared, work: &mut JoinSet<Done>) {
    let why = "consent withdrawn in the call".to_owned();
    let (at, rule) = (shared.clock.now(), "withdrawal".to_owned());
    keep_and_tell(RecordingChange::Destroyed { id, at, rule, why, by }, id, shared, work);
}

fn failed(id: RecordingId, at: Timestamp, error: &VaultError) -> RecordingChange {
    RecordingChange::Failed { id, at, why: error.to_string() }
}

/// A recording could not begin or broke. What becomes of its call is its queue's setting.
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
