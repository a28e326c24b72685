//! One agent: phone, wish, and what is being done.

use std::time::Duration;

use crate::call::Cause;
use crate::ids::{CallId, QueueId};
use crate::time::Timestamp;

use super::{AgentState, NotReady};

/// How long an agent who did not pick up, or could not be reached, is left alone. Long enough that a caller
/// is not rung to the same empty chair again and again, short enough that a moment's absence costs little.
pub const ABSENT_REST: Duration = Duration::from_secs(30);

/// How long an agent is left alone who was busy or declined: somebody is there, and another caller may
/// suit better in a moment.
pub const DECLINED_REST: Duration = Duration::from_secs(5);

/// An agent as the desk sees it.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) queues: Vec<QueueId>,
    /// Whether a phone is registered.
    pub(super) reachable: bool,
    /// What the agent chose.
    pub(super) wish: Result<(), NotReady>,
    pub(super) doing: Doing,
}

/// What an agent does, apart from reachability and wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing, since then.
    Idle { since: Timestamp },
    /// Left alone after a missed or declined offer.
    Resting { until: Timestamp, why: &'static str },
    /// Rung; keeps the idle time in case another is quicker.
    Offered { call: CallId, queue: QueueId, since: Timestamp },
    /// Held for a call that dials past the queues; keeps the idle time in case it comes to nothing.
    Claimed { call: CallId, queue: Option<QueueId>, since: Timestamp },
    /// In conversation; the queue is the one whose wrap-up follows.
    Talking { call: CallId, queue: Option<QueueId> },
    /// After a conversation.
    WrapUp { until: Timestamp },
}

impl Person {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { queues: Vec::new(), reachable: false, wish: Ok(()), doing: Doing::Idle { since: now } }
    }

    /// Since when the agent can be rung; `None`: cannot.
    pub(super) fn ready_since(&self) -> Option<Timestamp> {
        match self.doing {
            Doing::Idle { since } if self.reachable && self.wish.is_ok() => Some(since),
            Doing::Idle { .. }
            | Doing::Resting { .. }
            | Doing::Offered { .. }
            | Doing::Claimed { .. }
            | Doing::Talking { .. }
            | Doing::WrapUp { .. } => None,
        }
    }

    /// The call that holds the agent.
    pub(super) fn call(&self) -> Option<CallId> {
        match self.doing {
            Doing::Offered { call, .. } | Doing::Claimed { call, .. } | Doing::Talking { call, .. } => {
                Some(call)
            }
            Doing::Idle { .. } | Doing::Resting { .. } | Doing::WrapUp { .. } => None,
        }
    }

    /// When what the agent does ends by itself.
    pub(super) fn until(&self) -> Option<Timestamp> {
        match self.doing {
            Doing::Resting { until, .. } | Doing::WrapUp { until } => Some(until),
            Doing::Idle { .. } | Doing::Offered { .. } | Doing::Claimed { .. } | Doing::Talking { .. } => {
                None
            }
        }
    }

    /// Whether the queue rings the agent for this call.
    pub(super) fn is_offered(&self, to: CallId) -> bool {
        matches!(self.doing, Doing::Offered { call, .. } if call == to)
    }

    /// As others see it.
    pub(super) fn state(&self) -> AgentState {
        match &self.doing {
            Doing::Offered { call, .. } | Doing::Claimed { call, .. } => AgentState::Ringing(*call),
            Doing::Talking { call, .. } => AgentState::Talking(*call),
            Doing::Idle { .. } | Doing::Resting { .. } | Doing::WrapUp { .. } if !self.reachable => {
                AgentState::LoggedOff
            }
            Doing::WrapUp { until } => AgentState::WrapUp { until: *until },
            Doing::Idle { since } => match &self.wish {
                Ok(()) => AgentState::Ready { since: *since },
                Err(why) => AgentState::NotReady(why.clone()),
            },
            Doing::Resting { why, .. } => AgentState::NotReady(match &self.wish {
                Ok(()) => NotReady { reason: (*why).to_owned() },
                Err(own) => own.clone(),
            }),
        }
    }
}

/// The rest an agent gets after an offer that came to nothing, and the word for it.
pub(super) const fn rest(cause: Cause) -> (Duration, &'static str) {
    match cause {
        Cause::NoAnswer => (ABSENT_REST, "missed a call"),
        Cause::Unreachable => (ABSENT_REST, "phone not reachable"),
        Cause::MediaTimeout => (ABSENT_REST, "phone sent no audio"),
        Cause::Busy => (DECLINED_REST, "busy"),
        Cause::Declined => (DECLINED_REST, "declined a call"),
        Cause::HungUp | Cause::Cancelled => (DECLINED_REST, "hung up while being connected"),
        Cause::AnsweredElsewhere
        | Cause::OtherSideGone
        | Cause::WaitedTooLong
        | Cause::Closed
        | Cause::RecordingFailed
        | Cause::Shutdown
        | Cause::Internal => (DECLINED_REST, "call could not be connected"),
    }
}
