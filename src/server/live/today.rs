//! A queue's figures of today: who began to wait, who was connected and how soon, who gave up.

use std::collections::HashMap;
use std::time::Duration;

use crate::call::Fact;
use crate::ids::{CallId, QueueId};
use crate::store::CallRow;
use crate::time::Timestamp;

/// One queue's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Today {
    /// Calls that began to wait.
    pub(super) offered: u32,
    /// Of them connected.
    pub(super) answered: u32,
    /// Of them connected within the service level's time.
    pub(super) in_time: u32,
    /// Of them gone before.
    pub(super) abandoned: u32,
}

impl Today {
    /// The share of answered calls that were answered in time; `None` before the first.
    pub(super) fn service_level(&self) -> Option<f64> {
        (self.answered > 0).then(|| f64::from(self.in_time) / f64::from(self.answered))
    }

    /// Counts a call of an earlier run of the server, as far as its row tells.
    pub(super) fn count_row(&mut self, row: &CallRow, service: Duration) {
        let Some(queued) = row.queued_at else { return };
        self.offered += 1;
        match (row.connected_at, row.ended_at) {
            (Some(connected), _) => self.count_answer(connected.since(queued), service),
            (None, Some(_)) => self.abandoned += 1,
            (None, None) => {}
        }
    }

    fn count_answer(&mut self, waited: Duration, service: Duration) {
        self.answered += 1;
        self.in_time += u32::from(waited <= service);
    }
}

/// Who waits where, as far as stored facts tell: what a connection or an end means for which queue.
#[derive(Debug, Default)]
pub(super) struct Waits(HashMap<CallId, (QueueId, Timestamp)>);

/// What a fact means for a queue's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// A caller began to wait.
    Offered(QueueId),
    /// A caller was connected after so long.
    Answered(QueueId, Duration),
    /// A caller left before that.
    Abandoned(QueueId),
}

impl Waits {
    /// Takes a fact in. Each wait counts: a call that is sent on to another queue, or comes back to one, was
    /// offered there as well. One that overflows was neither answered nor given up.
    pub(super) fn count(&mut self, fact: &Fact) -> Option<Counted> {
        match fact {
            Fact::Queued { call, queue, at } => {
                self.0.insert(*call, (queue.clone(), *at));
                Some(Counted::Offered(queue.clone()))
            }
            Fact::Connected { leg, at } => {
                let (queue, since) = self.0.remove(&leg.call)?;
                Some(Counted::Answered(queue, at.since(since)))
            }
            Fact::Ended { call, .. } => self.0.remove(call).map(|(queue, _)| Counted::Abandoned(queue)),
            Fact::Arrived { .. }
            | Fact::Decided { .. }
            | Fact::ConsentAnswered { .. }
            | Fact::ConsentWithdrawn { .. }
            | Fact::Dialled { .. }
            | Fact::Admitted { .. }
            | Fact::LegEnded { .. }
            | Fact::Overridden { .. }
            | Fact::Paused { .. }
            | Fact::RecordingFailed { .. }
            | Fact::Consulted { .. }
            | Fact::Returned { .. }
            | Fact::Lost { .. }
            | Fact::Reattached { .. }
            | Fact::Supervised { .. }
            | Fact::SuperviseEnded { .. }
            | Fact::Transferred { .. } => None,
        }
    }
}

impl Counted {
    /// The queue it is about.
    pub(super) fn queue(&self) -> &QueueId {
        match self {
            Self::Offered(queue) | Self::Answered(queue, _) | Self::Abandoned(queue) => queue,
        }
    }

    /// Adds it up.
    pub(super) fn add_to(&self, today: &mut Today, service: Duration) {
        match self {
            Self::Offered(_) => today.offered += 1,
            Self::Answered(_, waited) => today.count_answer(*waited, service),
            Self::Abandoned(_) => today.abandoned += 1,
        }
    }
}
