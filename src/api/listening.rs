//! Who listens to which recording: one entry in the listening log (domain rule 24) for a session and a recording,
//! durable before the first byte, and good for as long as it is used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::timeout;

use crate::ids::{RecordingId, Redacted};
use crate::store::{Change, Listened, ListenedTo, SessionKey, Store};
use crate::time::Timestamp;

use super::desk::{Ended, SOON};
use super::guard::Visitor;
use super::problem::Problem;

/// Who comes back later listens anew. Long enough for a telephone call in between.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// Streams of audio one session may have open: each holds some megabytes and a connection to the object store.
const STREAMS: usize = 8;

/// What is listened to. Of this process: after a restart who goes on listening has another entry.
#[derive(Default)]
pub(super) struct Listening {
    slots: Mutex<HashMap<(SessionKey, RecordingId), Arc<Slot>>>,
    /// How many streams a session has open.
    seats: Arc<Mutex<HashMap<SessionKey, usize>>>,
}

/// A place for one stream; given back when it is dropped.
pub(super) struct Seat {
    seats: Arc<Mutex<HashMap<SessionKey, usize>>>,
    key: SessionKey,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = lock(&self.seats);
        if let Some(taken) = seats.get_mut(&self.key) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                seats.remove(&self.key);
            }
        }
    }
}

/// A session's listening to a recording.
pub(super) struct Slot {
    user: String,
    /// What the last entry says.
    reason: Mutex<Option<Redacted<String>>>,
    /// One request at a time writes the entry: a player asks for several ranges at once.
    gate: tokio::sync::Mutex<()>,
    used: Mutex<Option<Used>>,
}

#[derive(Clone, Copy)]
struct Used {
    since: Timestamp,
    last: Timestamp,
}

impl Listening {
    /// A place for one stream more; `None`: the session has enough of them.
    pub(super) fn seat(&self, key: SessionKey) -> Option<Seat> {
        let mut seats = lock(&self.seats);
        let taken = seats.entry(key).or_default();
        if *taken >= STREAMS {
            return None;
        }
        *taken += 1;
        Some(Seat { seats: Arc::clone(&self.seats), key })
    }

    /// The visitor listens to a recording, from now on or still. The entry is durable when this answers; who gives another
    /// reason than before has another entry.
    ///
    /// # Errors
    /// 428 when a reason is `needed`, none is given now and none was given before; 503 when the entry cannot be
    /// written, or not soon.
    pub(super) async fn begin(
        &self,
        store: &Store,
        visitor: &Visitor,
        id: RecordingId,
        now: Timestamp,
        reason: Option<Redacted<String>>,
        needed: bool,
    ) -> Result<Arc<Slot>, Problem> {
        let slot = self.slot(visitor, id);
        let (held, store, who) = (Arc::clone(&slot), store.clone(), visitor.user.clone());
        // A task of its own: a client that leaves while the entry is written must not make the next one write it
        // once more.
        let written = tokio::spawn(async move {
            let _gate = held.gate.lock().await;
            let says_more = reason.is_some() && *lock(&held.reason) != reason;
            if held.goes_on(now) && !says_more {
                return Ok(());
            }
            if needed && reason.is_none() {
                return Err(reason_needed());
            }
            let listened = Listened { at: now, who, to: ListenedTo::Recording(id), reason: reason.clone() };
            store.commit(vec![Change::Listened(listened)]).await?;
            *lock(&held.reason) = reason;
            *lock(&held.used) = Some(Used { since: now, last: now });
            Ok(())
        });
        match timeout(SOON, written).await {
            Ok(Ok(written)) => written.map(|()| slot),
            // It panicked, or we are ending.
            Ok(Err(_)) | Err(_) => {
                let detail = "The listening log cannot be written, so nothing can be played: try again.";
                Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail))
            }
        }
    }

    /// Forgets what was not used for long.
    pub(super) fn sweep(&self, now: Timestamp) {
        // Who holds a slot may be about to use it.
        lock(&self.slots).retain(|_, slot| Arc::strong_count(slot) > 1 || slot.fresh(now).is_some());
    }

    /// A session ended: it listens no longer.
    pub(super) fn over(&self, ended: &Ended) {
        lock(&self.slots).retain(|(key, _), slot| match ended {
            Ended::One(_, one) => key != one,
            Ended::Others(user, but) => slot.user != *user || key == but,
            Ended::All(user) => slot.user != *user,
        });
    }

    fn slot(&self, visitor: &Visitor, id: RecordingId) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        let new = || {
            let user = visitor.user.clone();
            let (gate, used) = (tokio::sync::Mutex::default(), Mutex::default());
            Arc::new(Slot { user, reason: Mutex::default(), gate, used })
        };
        Arc::clone(slots.entry((visitor.key, id)).or_insert_with(new))
    }
}

impl Slot {
    /// When it began.
    pub(super) fn since(&self) -> Option<Timestamp> {
        lock(&self.used).map(|used| used.since)
    }

    /// It is used now, if it still holds.
    pub(super) fn goes_on(&self, now: Timestamp) -> bool {
        let mut used = lock(&self.used);
        *used = used.filter(|used| now.since(used.last) < IDLE).map(|used| Used { last: now, ..used });
        used.is_some()
    }

    fn fresh(&self, now: Timestamp) -> Option<Used> {
        lock(&self.used).filter(|used| now.since(used.last) < IDLE)
    }
}

fn reason_needed() -> Problem {
    let detail = "Say why you listen to this recording first: it goes into the listening log.";
    Problem::new(StatusCode::PRECONDITION_REQUIRED, "reason-needed", detail)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
