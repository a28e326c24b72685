//! Who works on a recording's files besides its writer: one at a time, and whoever destroys it goes first.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::ids::RecordingId;

/// Recordings that are worked on.
#[derive(Default)]
pub(super) struct Works {
    busy: Mutex<BTreeMap<RecordingId, Arc<AtomicBool>>>,
    over: Condvar,
}

impl Works {
    /// Begins to work on a recording; `None`: somebody does already.
    pub(super) fn begin(&self, id: RecordingId) -> Option<Work<'_>> {
        let mut busy = self.busy();
        (!busy.contains_key(&id)).then(|| self.enter(&mut busy, id))
    }

    /// The same, but who is at it is told to stop, and waited for.
    pub(super) fn alone(&self, id: RecordingId) -> Work<'_> {
        let mut busy = self.busy();
        while let Some(unwanted) = busy.get(&id) {
            unwanted.store(true, Ordering::Relaxed);
            busy = self.over.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        self.enter(&mut busy, id)
    }

    fn enter(&self, busy: &mut BTreeMap<RecordingId, Arc<AtomicBool>>, id: RecordingId) -> Work<'_> {
        let unwanted = Arc::new(AtomicBool::new(false));
        busy.insert(id, Arc::clone(&unwanted));
        Work { works: self, id, unwanted }
    }

    fn busy(&self) -> MutexGuard<'_, BTreeMap<RecordingId, Arc<AtomicBool>>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to work on a recording's files, until it is dropped.
pub(super) struct Work<'a> {
    works: &'a Works,
    id: RecordingId,
    unwanted: Arc<AtomicBool>,
}

impl Work<'_> {
    /// Whether to stop: the recording is being destroyed.
    pub(super) fn is_unwanted(&self) -> bool {
        self.unwanted.load(Ordering::Relaxed)
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.works.busy().remove(&self.id);
        self.works.over.notify_all();
    }
}
