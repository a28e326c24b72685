//! Queues that are about to be removed although they keep something longer than the system does: without their own rules it
//! would be due at once, years of recordings maybe, by a change that says nothing of retention (domain rule 13).

use std::fmt;

use crate::ids::QueueId;
use crate::retention::{Holds, QueueRules, Rules};
use crate::settings::{Difference, Settings};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::retention::KeptKind;

/// A queue that keeps something longer than the system does. Displays as what its removal would do, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Which one.
    pub queue: QueueId,
    /// By its own rules.
    pub own: QueueRules,
    /// By those that are left without it.
    pub left: QueueRules,
    /// Recordings and calls that it has.
    pub kept: (u64, u64),
    /// Of them: those that would go at once.
    pub at_once: (u64, u64),
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, own, left, kept, at_once } = self;
        write!(
            f,
            "queue {queue} keeps {} recordings and {} calls by rules of its own (recordings {}, call data {}); without \
             it those of the system hold (recordings {}, call data {}), and {} recordings and {} calls would go at once",
            kept.0,
            kept.1,
            own.of_recordings().1.keep,
            own.calls.keep,
            left.of_recordings().1.keep,
            left.calls.keep,
            at_once.0,
            at_once.1,
        )
    }
}

impl Store {
    /// The queues that these changes remove, and of which something is kept longer than it would be without them. A queue
    /// under another name is another queue.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn removals(
        &self,
        settings: &Settings,
        differences: &[Difference],
        now: Timestamp,
    ) -> Result<Vec<Removal>, StoreError> {
        let mut then = settings.clone();
        then.apply(differences);
        let (is, would) = (Rules::of(settings), Rules::of(&then));
        let mut found = Vec::new();
        for queue in settings.queues.keys().filter(|queue| !then.queues.contains_key(*queue)) {
            let (own, left) = (is.of_queue(queue), would.of_queue(queue));
            if !left.are_shorter_than(&own) {
                continue;
            }
            let kept = self.kept_of(queue).await?;
            if kept == (0, 0) && !self.has_calls_now(queue).await? {
                continue;
            }
            // A hold may be released tomorrow: what is held counts.
            let at_once = self.impact_of(queue, &left, &Holds::default(), now).await?;
            let at_once = (at_once.recordings.rows, at_once.calls);
            found.push(Removal { queue: queue.clone(), own, left, kept, at_once });
        }
        Ok(found)
    }

    async fn kept_of(&self, queue: &QueueId) -> Result<(u64, u64), StoreError> {
        let ever = (None, Timestamp::from_micros(i64::MAX));
        let recordings = self.count_kept(KeptKind::Recordings, queue, ever, None).await?.rows;
        Ok((recordings, self.count_kept(KeptKind::Calls, queue, ever, None).await?.rows))
    }

    async fn has_calls_now(&self, queue: &QueueId) -> Result<bool, StoreError> {
        let select = "SELECT 1 FROM calls WHERE ended_at IS NULL AND first_queue = $1 LIMIT 1";
        let row = sqlx::query(select).bind(queue.0.clone()).fetch_optional(&self.read).await;
        Ok(row.doing("looking for calls of a queue")?.is_some())
    }
}
