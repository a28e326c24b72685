//! Whether the disk stands still: it neither does what it is asked nor says no. Nobody may wait for it then.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::time::Timestamp;

/// How long one write may take. A kernel that makes writers wait for a slow disk does so for less; a path that fails
/// over takes longer, and then what is said meanwhile is in memory alone and a crash loses it: whoever must be recorded
/// is to know that he is not.
pub(super) const STILL: Duration = Duration::from_secs(5);
/// Recordings that may be beginning at a time: each takes well below a millisecond, so only a disk that stands still
/// has so many.
const BEGINNING: usize = 64;

/// What a thread is at. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Pulse(Arc<AtomicI64>);

/// For a thread that waits for work.
const IDLE: i64 = 0;

impl Pulse {
    pub(super) fn begins(&self, now: Timestamp) {
        self.0.store(now.as_micros().max(IDLE + 1), Ordering::Relaxed);
    }

    pub(super) fn rests(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }

    /// Whether it has been at the same piece of work for too long.
    pub(super) fn stands_still(&self, now: Timestamp) -> bool {
        let since = self.0.load(Ordering::Relaxed);
        since != IDLE && now.since(Timestamp::from_micros(since)) >= STILL
    }
}

/// Who is beginning a recording now.
#[derive(Default)]
pub(super) struct Gate(AtomicUsize);

/// One that is beginning, until it is dropped.
pub(super) struct Beginning<'a>(&'a Gate);

impl Gate {
    /// `None`: so many are at it that the disk must stand still.
    pub(super) fn enter(&self) -> Option<Beginning<'_>> {
        let others = self.0.fetch_add(1, Ordering::Relaxed);
        let beginning = Beginning(self);
        (others < BEGINNING).then_some(beginning)
    }
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_work_is_a_standstill() {
        let (pulse, now) = (Pulse::default(), Timestamp::from_micros(1_795_000_000_000_000));
        assert!(!pulse.stands_still(now), "it never had work");
        pulse.begins(now);
        assert!(!pulse.stands_still(now + STILL / 2));
        assert!(pulse.stands_still(now + STILL));
        pulse.rests();
        assert!(!pulse.stands_still(now + STILL));
    }

    #[test]
    fn the_gate_lets_a_bounded_number_hang() {
        let gate = Gate::default();
        let hanging: Vec<_> = (0..BEGINNING).map(|_| gate.enter().unwrap()).collect();
        assert!(gate.enter().is_none());
        drop(hanging);
        assert!(gate.enter().is_some());
    }
}
