//! Who may still put copies of a recording into the store: nobody once its whole is verified there or it is
//! destroyed, or a late segment would outlive both.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::ids::RecordingId;
use crate::time::Timestamp;

/// See the module. One per server: segments are put by the node that has the spool.
#[derive(Default)]
pub(super) struct Guard {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Default)]
struct State {
    /// A segment of these is on its way.
    putting: HashSet<RecordingId>,
    /// No more segments of these.
    closed: HashSet<RecordingId>,
    /// A put of these was cut off then, or its answer was lost.
    cut_off: HashMap<RecordingId, Timestamp>,
    /// The only upload of these was seen to its end although they were destroyed meanwhile.
    ended: HashSet<RecordingId>,
}

/// For so long is remembered what was cut off: longer than it takes to land.
const REMEMBERED: Duration = Duration::from_secs(3_600);

/// The leave to put one segment; over when dropped.
pub(super) struct Leave<'a> {
    guard: &'a Guard,
    id: RecordingId,
}

impl Guard {
    /// The leave to put a segment; `None`: no more, or one is on its way.
    pub(super) fn leave(&self, id: RecordingId) -> Option<Leave<'_>> {
        let mut state = self.lock();
        (!state.closed.contains(&id) && state.putting.insert(id)).then(|| Leave { guard: self, id })
    }

    /// No more segments of it from now on; returns when none is on its way.
    pub(super) async fn close(&self, id: RecordingId) {
        self.lock().closed.insert(id);
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Before the look, or what is freed in between would not be heard of.
            freed.as_mut().enable();
            if !self.lock().putting.contains(&id) {
                return;
            }
            freed.await;
        }
    }

    /// Forgets those closed that `runs` denies: they can have no segments any more.
    pub(super) fn forget(&self, runs: impl Fn(RecordingId) -> bool) {
        self.lock().closed.retain(|id| runs(*id));
    }

    /// The end of a put was not seen: it may still land.
    pub(super) fn on_cut_off(&self, id: RecordingId, now: Timestamp) {
        let mut state = self.lock();
        state.cut_off.retain(|_, at| now.since(*at) < REMEMBERED);
        state.cut_off.insert(id, now);
    }

    /// When that was last.
    pub(super) fn cut_off(&self, id: RecordingId) -> Option<Timestamp> {
        self.lock().cut_off.get(&id).copied()
    }

    /// The first and only upload of a recording that was destroyed meanwhile has ended before our eyes.
    pub(super) fn on_seen_to_end(&self, id: RecordingId) {
        self.lock().ended.insert(id);
    }

    /// Whether that is so.
    pub(super) fn is_seen_to_end(&self, id: RecordingId) -> bool {
        self.lock().ended.contains(&id)
    }

    /// It is removed: nothing more comes of it.
    pub(super) fn on_removed(&self, id: RecordingId) {
        let mut state = self.lock();
        state.cut_off.remove(&id);
        state.ended.remove(&id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.guard.lock().putting.remove(&self.id);
        self.guard.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;
    use ulid::Ulid;

    use super::*;

    #[tokio::test]
    async fn closing_waits_for_the_segment_on_its_way_and_lets_no_other_begin() {
        let guard = Arc::new(Guard::default());
        let id = RecordingId::new(Ulid(1));
        let leave = guard.leave(id).expect("open");
        assert!(guard.leave(id).is_none(), "one at a time");
        assert!(guard.leave(RecordingId::new(Ulid(2))).is_some());
        let closing = tokio::spawn({
            let guard = Arc::clone(&guard);
            async move { guard.close(id).await }
        });
        while guard.lock().closed.is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(!closing.is_finished(), "one is on its way");
        drop(leave);
        timeout(Duration::from_secs(10), closing).await.expect("in time").unwrap();
        assert!(guard.leave(id).is_none(), "closed");
        guard.forget(|_| true);
        assert!(guard.leave(id).is_none());
        guard.forget(|_| false);
        assert!(guard.leave(id).is_some());
    }
}
