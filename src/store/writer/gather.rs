//! Which units of work may wait a moment for others, so that many share one transaction: what nobody waits for.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::call::Fact;
use crate::store::change::Change;

use super::Job;

/// How long a unit that may wait does. A crash loses so much of what calls that end say last; the next start ends them.
pub(super) const GATHER: Duration = Duration::from_millis(25);

/// Takes more jobs in until one hurries, there are `most`, or the first has waited so long.
pub(super) async fn gather(
    queue: &mut mpsc::Receiver<Job>,
    jobs: &mut Vec<Job>,
    most: usize,
    long: Duration,
) {
    let more = async {
        let mut seen = 0;
        while jobs.len() < most && !jobs[seen..].iter().any(hurries) {
            seen = jobs.len();
            if queue.recv_many(jobs, most - seen).await == 0 {
                return;
            }
        }
    };
    // In time or not: what came is taken.
    let _ = timeout(long, more).await;
}

fn hurries(job: &Job) -> bool {
    match job {
        Job::Commit { changes, .. } => !changes.iter().all(may_wait),
        Job::Shred { .. } | Job::Close { .. } => true,
    }
}

/// Whether no step of a call, no page and no person waits for it.
pub(super) fn may_wait(change: &Change) -> bool {
    match change {
        Change::LegStats { .. } => true,
        Change::Fact(fact) => match fact {
            Fact::Arrived { .. }
            | Fact::Queued { .. }
            | Fact::Dialled { .. }
            | Fact::Connected { .. }
            | Fact::LegEnded { .. }
            | Fact::Ended { .. } => true,
            // A grant is made of the receipt.
            Fact::Decided { basis, .. } => !basis.allows(),
            Fact::ConsentAnswered { .. }
            | Fact::ConsentWithdrawn { .. }
            | Fact::Admitted { .. }
            | Fact::Overridden { .. }
            | Fact::Paused { .. }
            | Fact::RecordingFailed { .. }
            | Fact::Returned { .. }
            | Fact::Consulted { .. }
            | Fact::Transferred { .. }
            | Fact::Lost { .. }
            | Fact::Reattached { .. }
            | Fact::Supervised { .. }
            | Fact::SuperviseEnded { .. } => false,
        },
        Change::Recording(_)
        | Change::Job(_)
        | Change::Adopt(_)
        | Change::Kek(_)
        | Change::Report(_)
        | Change::Agent { .. }
        | Change::Settings(..)
        | Change::SettingsSince { .. }
        | Change::Prompt(_)
        | Change::Session(_)
        | Change::Attempts { .. }
        | Change::Note(_)
        | Change::Listened(_)
        | Change::Hold(_)
        | Change::Anonymise(_)
        | Change::Privacy(_)
        | Change::Login(_)
        | Change::Webhook(_)
        | Change::Anchor(_)
        | Change::Particulars(_)
        | Change::ErasePerson { .. }
        | Change::ErasePersonalOf { .. }
        | Change::Node(_)
        | Change::Audit(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn waiting() -> Job {
        let leg = crate::ids::LegId::caller(crate::ids::CallId::new(ulid::Ulid::nil()));
        let changes = vec![Change::LegStats { leg, quality: crate::store::LegQuality::default() }];
        Job::Commit { changes, done: oneshot::channel().0 }
    }

    fn hurried() -> Job {
        Job::Shred { done: oneshot::channel().0 }
    }

    /// Longer than any test: who comes back before did not wait for the time.
    const FOR_EVER: Duration = Duration::from_secs(86_400);

    #[tokio::test]
    async fn what_may_wait_waits_for_others_and_no_longer() {
        let (jobs, mut queue) = mpsc::channel(8);
        let mut taken = vec![waiting()];
        jobs.try_send(waiting()).expect("room");
        let clock = crate::time::Clock::start();
        let begun = clock.now();
        gather(&mut queue, &mut taken, 8, GATHER).await;
        assert_eq!(taken.len(), 2);
        assert!(clock.now().since(begun) >= GATHER);
    }

    #[tokio::test]
    async fn one_that_hurries_takes_the_others_along_at_once() {
        let (jobs, mut queue) = mpsc::channel(8);
        let mut taken = vec![waiting()];
        jobs.try_send(hurried()).expect("room");
        jobs.try_send(waiting()).expect("room");
        gather(&mut queue, &mut taken, 8, FOR_EVER).await;
        assert_eq!(taken.len(), 3);
        gather(&mut queue, &mut vec![hurried()], 8, FOR_EVER).await;
    }

    #[tokio::test]
    async fn there_are_no_more_than_go_in_one_transaction() {
        let (jobs, mut queue) = mpsc::channel(8);
        let mut taken = vec![waiting()];
        for _ in 0..4 {
            jobs.try_send(waiting()).expect("room");
        }
        gather(&mut queue, &mut taken, 3, FOR_EVER).await;
        assert_eq!(taken.len(), 3);
        drop(jobs);
        gather(&mut queue, &mut taken, 8, FOR_EVER).await;
        assert_eq!(taken.len(), 5);
    }
}
