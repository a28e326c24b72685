//! How many recordings are stored: counted in the background, queue by queue, as with millions of them it takes seconds.
//! Whoever asks gets what was counted last, and when that was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::AnyPool;
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

use crate::ids::QueueId;
use crate::time::{Clock, Timestamp};

use super::Store;
use super::error::{Doing as _, StoreError};
use super::select::Sight;

/// So long a count is good enough.
const GOOD: Duration = Duration::from_secs(60);
/// Counting takes at most one part of so many of the time.
const PART: u32 = 50;

/// What was counted.
#[derive(Debug)]
struct Tally {
    began: Timestamp,
    ended: Timestamp,
    queues: BTreeMap<QueueId, u64>,
}

impl Tally {
    fn is_good(&self, now: Timestamp) -> bool {
        now.since(self.ended) < GOOD.max(self.ended.since(self.began) * PART)
    }
}

/// The last count of a store, and who counts.
#[derive(Clone, Debug)]
pub(super) struct Tallies {
    clock: Clock,
    last: Arc<watch::Sender<Option<Arc<Tally>>>>,
    counting: Arc<Mutex<()>>,
}

impl Tallies {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, last: Arc::new(watch::Sender::new(None)), counting: Arc::default() }
    }
}

impl Store {
    /// How many recordings of the queues in sight are in the object store, and when that was counted: a minute ago at
    /// most, or longer where counting takes long. Restricted ones count as well: a figure tells of nobody. `None`: they
    /// are counted for the first time, and that takes longer than `patience`.
    pub async fn recordings_stored(&self, sight: &Sight, patience: Duration) -> Option<(u64, Timestamp)> {
        let mut last = self.tallies.last.subscribe();
        let is_good = last.borrow().as_ref().is_some_and(|tally| tally.is_good(self.tallies.clock.now()));
        if !is_good {
            self.count_aside();
        }
        if timeout(patience, last.wait_for(Option::is_some)).await.is_err() {
            return None;
        }
        let tally = last.borrow().clone()?;
        let seen = tally.queues.iter().filter(|(queue, _)| sight.sees(queue));
        Some((seen.map(|(_, many)| many).sum(), tally.ended))
    }

    /// Begins to count, unless it is being done.
    fn count_aside(&self) {
        let Ok(counting) = Arc::clone(&self.tallies.counting).try_lock_owned() else { return };
        let (pool, tallies) = (self.read.clone(), self.tallies.clone());
        tokio::spawn(async move {
            let began = tallies.clock.now();
            // A store that is closed waits for nobody who counts.
            match pool.close_event().do_until(count(&pool)).await {
                Ok(Ok(queues)) => {
                    let tally = Tally { began, ended: tallies.clock.now(), queues };
                    tallies.last.send_replace(Some(Arc::new(tally)));
                }
                Ok(Err(error)) => tracing::warn!(%error, "stored recordings could not be counted"),
                Err(error) => tracing::debug!(%error, "the store is closed: nothing is counted"),
            }
            drop(counting);
        });
    }
}

/// Each queue by itself: a range of the index by queue and state.
async fn count(pool: &AnyPool) -> Result<BTreeMap<QueueId, u64>, StoreError> {
    const DOING: &str = "counting stored recordings";
    let next = "SELECT queue FROM recordings WHERE queue > $1 ORDER BY queue LIMIT 1";
    let many = "SELECT CAST(COUNT(*) AS BIGINT) FROM recordings WHERE queue = $1 AND state = 'stored'";
    let (mut queues, mut last) = (BTreeMap::new(), String::new());
    loop {
        let queue = sqlx::query_scalar::<_, String>(next).bind(last).fetch_optional(pool).await;
        let Some(queue) = queue.doing(DOING)? else { return Ok(queues) };
        let many: i64 = sqlx::query_scalar(many).bind(queue.clone()).fetch_one(pool).await.doing(DOING)?;
        queues.insert(QueueId(queue.clone()), u64::try_from(many).unwrap_or_default());
        last = queue;
    }
}
