//! The way to the writer. What nobody waits for waits here for others, so that many share one transaction, and the writer
//! sleeps on: it is woken when the first of them has waited long enough, when there are as many as go together, or when one
//! comes that somebody waits for, which takes all before it along.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::Job;
use super::patience::Patience;

/// Both ends of a way on which `room` units of work may wait, `most` of which go together.
pub(in crate::store) fn queue(room: usize, most: usize, patience: Patience) -> (Jobs, Queue) {
    let state = Mutex::new(State { jobs: VecDeque::new(), due: None, closed: false });
    let (free, ready) = (Semaphore::new(room), Notify::new());
    let shared = Arc::new(Shared { state, free, ready, room, most, patience });
    (Jobs(Arc::new(Open(Arc::clone(&shared)))), Queue(shared))
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Room that is left.
    free: Semaphore,
    /// The writer has something to do, or earlier than it knows.
    ready: Notify,
    room: usize,
    most: usize,
    patience: Patience,
}

#[derive(Debug)]
struct State {
    jobs: VecDeque<Job>,
    /// When they are to be taken, if there are any.
    due: Option<Instant>,
    closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.state().closed = true;
        self.free.close();
        self.ready.notify_one();
    }
}

/// The end where jobs get in. Clones share it; with the last of them it is closed.
#[derive(Clone, Debug)]
pub(in crate::store) struct Jobs(Arc<Open>);

#[derive(Debug)]
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Jobs {
    /// Puts a job behind the others; waits while there is no room. False: the writer takes no more, and the job is dropped.
    pub(in crate::store) async fn send(&self, job: Job) -> bool {
        let Open(shared) = &*self.0;
        let Ok(place) = shared.free.acquire().await else { return false };
        place.forget();
        let mut state = shared.state();
        if state.closed {
            return false;
        }
        let due = Instant::now() + shared.patience.of(&job);
        state.jobs.push_back(job);
        let hurries = state.due.is_none_or(|before| due < before);
        if hurries {
            state.due = Some(due);
        }
        let wakes = hurries || state.jobs.len() == shared.most;
        drop(state);
        if wakes {
            shared.ready.notify_one();
        }
        true
    }

    /// How many may wait.
    pub(in crate::store) fn room(&self) -> usize {
        self.0.0.room
    }

    /// How many wait.
    pub(in crate::store) fn waiting(&self) -> usize {
        let Open(shared) = &*self.0;
        shared.room.saturating_sub(shared.free.available_permits())
    }
}

/// The writer's end.
#[derive(Debug)]
pub(in crate::store) struct Queue(Arc<Shared>);

/// What became of a wait for jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// There are some.
    Jobs,
    /// The pause is over without any.
    Nothing,
    /// There will be no more.
    Ended,
}

impl Queue {
    /// Takes what is due and all that goes with it; comes back after a `pause` at the latest.
    pub(super) async fn take(&mut self, jobs: &mut Vec<Job>, pause: Option<Duration>) -> Taken {
        let alarm = pause.map(|pause| Instant::now() + pause);
        loop {
            let now = Instant::now();
            let due = match self.try_take(jobs, now) {
                Ok(taken) => return taken,
                Err(due) => due,
            };
            if alarm.is_some_and(|alarm| alarm <= now) {
                return Taken::Nothing;
            }
            let woken = self.0.ready.notified();
            match due.into_iter().chain(alarm).min() {
                // In time or not: it is looked again.
                Some(until) => drop(timeout_at(until, woken).await),
                None => woken.await,
            }
        }
    }

    /// When to look again, if nothing is due.
    fn try_take(&mut self, jobs: &mut Vec<Job>, now: Instant) -> Result<Taken, Option<Instant>> {
        let Shared { most, free, .. } = &*self.0;
        let mut state = self.0.state();
        let full = state.jobs.len() >= *most;
        if state.jobs.is_empty() {
            return if state.closed { Ok(Taken::Ended) } else { Err(None) };
        }
        if !full && !state.closed && state.due.is_some_and(|due| due > now) {
            return Err(state.due);
        }
        let count = state.jobs.len().min(*most);
        jobs.extend(state.jobs.drain(..count));
        // The others have waited, too.
        state.due = (!state.jobs.is_empty()).then_some(now);
        drop(state);
        free.add_permits(count);
        Ok(Taken::Jobs)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.state().jobs.is_empty()
    }

    /// Lets nothing more in; what is here is still taken.
    pub(super) fn close(&self) {
        self.0.close();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.0.close();
        // Who waits for an answer is told that there will be none.
        let jobs = std::mem::take(&mut self.0.state().jobs);
        drop(jobs);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use ulid::Ulid;

    use super::*;
    use crate::call::{Cause, Fact};
    use crate::ids::{CallId, LegId};
    use crate::store::change::{Change, LegQuality};
    use crate::time::Timestamp;

    /// Longer than any test: who comes back did not wait for the time.
    const FOR_EVER: Duration = Duration::from_secs(86_400);
    const MOMENT: Duration = Duration::from_millis(1);
    const ENDLESS: Patience = Patience { long: FOR_EVER, short: FOR_EVER };

    fn leg(n: u16) -> LegId {
        LegId { call: CallId::new(Ulid::nil()), n }
    }

    fn job(changes: Vec<Change>, awaited: bool) -> Job {
        Job::Commit { changes, awaited, done: oneshot::channel().0 }
    }

    fn stats() -> Change {
        Change::LegStats { leg: leg(0), quality: LegQuality::default() }
    }

    fn waiting() -> Job {
        job(vec![stats()], false)
    }

    fn awaited() -> Job {
        job(vec![stats()], true)
    }

    fn shred() -> Job {
        Job::Shred { done: oneshot::channel().0 }
    }

    /// The end of a leg, with what comes beside it.
    fn ended(n: u16) -> Job {
        let ended = Fact::LegEnded { leg: leg(n), at: Timestamp::from_micros(1), cause: Cause::HungUp };
        job(vec![ended.into(), stats()], false)
    }

    async fn take(queue: &mut Queue, pause: Option<Duration>) -> (usize, Taken) {
        let mut jobs = Vec::new();
        let taken = queue.take(&mut jobs, pause).await;
        (jobs.len(), taken)
    }

    #[tokio::test]
    async fn what_may_wait_waits_for_others_and_no_longer() {
        let patience = Patience { long: Duration::from_millis(30), short: FOR_EVER };
        let (jobs, mut queue) = queue(8, 8, patience);
        let begun = Instant::now();
        assert!(jobs.send(waiting()).await && jobs.send(waiting()).await);
        assert_eq!(take(&mut queue, Some(FOR_EVER)).await, (2, Taken::Jobs));
        assert!(begun.elapsed() >= Duration::from_millis(30));
        assert_eq!((jobs.waiting(), jobs.room()), (0, 8));
    }

    #[tokio::test]
    async fn the_least_patient_says_how_long() {
        let (jobs, mut queue) = queue(8, 8, Patience { long: FOR_EVER, short: MOMENT });
        for n in [0, 1, 0] {
            assert!(jobs.send(ended(n)).await);
        }
        assert_eq!(take(&mut queue, None).await, (3, Taken::Jobs));
    }

    #[tokio::test]
    async fn one_that_hurries_takes_the_others_along_at_once() {
        for urgent in [shred, awaited] {
            let (jobs, mut queue) = queue(8, 8, ENDLESS);
            let taken = tokio::spawn(async move { take(&mut queue, None).await });
            assert!(jobs.send(waiting()).await && jobs.send(urgent()).await);
            let (count, taken) = taken.await.expect("runs");
            assert!(count >= 2 && taken == Taken::Jobs, "{count}");
        }
    }

    #[tokio::test]
    async fn there_are_no_more_than_go_in_one_transaction() {
        let (jobs, mut queue) = queue(8, 3, ENDLESS);
        for _ in 0..5 {
            assert!(jobs.send(waiting()).await);
        }
        assert_eq!(take(&mut queue, None).await, (3, Taken::Jobs));
        assert_eq!(take(&mut queue, None).await, (2, Taken::Jobs), "they have waited with the others");
        assert_eq!(take(&mut queue, Some(MOMENT)).await, (0, Taken::Nothing));
    }

    #[tokio::test]
    async fn who_finds_no_room_waits_for_it() {
        let (jobs, mut queue) = queue(1, 8, ENDLESS);
        assert!(jobs.send(awaited()).await);
        let (sent, taken) = tokio::join!(jobs.send(awaited()), take(&mut queue, None));
        assert_eq!((sent, taken), (true, (1, Taken::Jobs)));
        assert_eq!(take(&mut queue, None).await, (1, Taken::Jobs));
    }

    #[tokio::test]
    async fn what_is_in_is_taken_after_it_is_closed_and_nothing_more_gets_in() {
        let (jobs, mut queue) = queue(2, 8, ENDLESS);
        assert!(jobs.send(waiting()).await);
        queue.close();
        assert!(!jobs.send(waiting()).await);
        assert_eq!(take(&mut queue, None).await, (1, Taken::Jobs));
        assert_eq!(take(&mut queue, None).await, (0, Taken::Ended));
    }

    #[tokio::test]
    async fn it_ends_with_the_last_sender_and_tells_who_waits_when_the_writer_is_gone() {
        let (jobs, mut queue) = queue(2, 8, ENDLESS);
        let other = jobs.clone();
        drop(jobs);
        assert!(other.send(waiting()).await);
        drop(other);
        assert_eq!(take(&mut queue, None).await, (1, Taken::Jobs));
        assert_eq!(take(&mut queue, None).await, (0, Taken::Ended));
        let (jobs, queue) = super::queue(2, 8, ENDLESS);
        let (done, answer) = oneshot::channel();
        assert!(jobs.send(Job::Commit { changes: vec![stats()], awaited: false, done }).await);
        drop(queue);
        assert!(answer.await.is_err());
        assert!(!jobs.send(waiting()).await);
    }
}
