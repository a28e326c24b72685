//! Which recordings are being written, and how far their files can be read: for those who copy them meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ids::RecordingId;
use crate::time::Timestamp;

/// A recording that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Which.
    pub id: RecordingId,
    /// Since when.
    pub since: Timestamp,
    /// Bytes that are in its file, up to a chunk's end; they never change again.
    pub sealed: u64,
}

/// All of them. Its lock is taken when a recording begins and ends and when someone asks, never per chunk.
#[derive(Clone, Default)]
pub(super) struct Registry(Arc<Mutex<BTreeMap<RecordingId, Entry>>>);

struct Entry {
    since: Timestamp,
    sealed: Arc<AtomicU64>,
}

impl Registry {
    /// Enters a recording; it is in the list until the mark is dropped.
    pub(super) fn enter(&self, id: RecordingId, since: Timestamp) -> Mark {
        let sealed = Arc::new(AtomicU64::new(0));
        self.entries().insert(id, Entry { since, sealed: Arc::clone(&sealed) });
        Mark { registry: self.clone(), id, sealed }
    }

    pub(super) fn list(&self) -> Vec<Running> {
        let entries = self.entries();
        let running = entries.iter().map(|(id, entry)| Running {
            id: *id,
            since: entry.since,
            sealed: entry.sealed.load(Ordering::Acquire),
        });
        running.collect()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<RecordingId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A recording's entry, held by its writer.
pub(super) struct Mark {
    registry: Registry,
    id: RecordingId,
    sealed: Arc<AtomicU64>,
}

impl Mark {
    /// So many bytes are in the file, up to a chunk's end.
    pub(super) fn sealed(&self, bytes: u64) {
        self.sealed.store(bytes, Ordering::Release);
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.registry.entries().remove(&self.id);
    }
}
