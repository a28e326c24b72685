//! Queues: who waits, which agents serve, who is rung next. Pure; one [`Desk`] serves all queues.
//!
//! Call [`Desk::handle`] with each input, [`Desk::handle_timeout`] at [`Desk::poll_timeout`], and
//! drain [`Desk::poll_output`] after each.
//!
//! - A caller's place is priority, then the time the place counts from. It is kept while phones ring, so a
//!   missed offer costs nothing.
//! - After every input no agent is ready while a caller waits whom that agent may be offered.
//! - An agent has one offer or one conversation at a time, whatever the number of queues served.
//! - A call may hold several agents: those rung for it, one it has claimed, those in conversation. Only a ready
//!   agent can be claimed. Leaving the queue frees who is rung by it; a claimed agent is freed by report.
//! - Who reports a conversation without an offer has picked up a call that rang elsewhere, or taken one over:
//!   talks from then on, unless known to be in another call. Wrap-up is then by the queue of that call's
//!   other agent, as it is for who was claimed.
//! - Nothing here looks at all callers or all agents per input: callers stand in ordered lines, ready
//!   agents in ordered sets, deadlines in one ordered set. Only new settings, and telling a place, walk.

mod agents;
mod callers;
mod desk;
mod line;
mod people;

#[cfg(test)]
mod claims;
#[cfg(test)]
mod states;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::call::{AgentReport, Onward};
use crate::ids::{AgentId, CallId, QueueId};
use crate::settings::Settings;
use crate::time::Timestamp;

pub use agents::{ABSENT_REST, DECLINED_REST};
pub use desk::{Desk, Sizes};

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// New settings: queues and agents may come, change and go.
    Settings(Arc<Settings>),
    /// A caller waits.
    Wait {
        /// Which call.
        call: CallId,
        /// Where.
        queue: QueueId,
        /// Higher goes first.
        priority: u8,
        /// This agent first, then anyone of the queue.
        only: Option<AgentId>,
        /// The place counts from then.
        since: Timestamp,
    },
    /// A caller no longer waits.
    Leave {
        /// Which call.
        call: CallId,
    },
    /// A call is over, or its driver died: whatever it still held here is free. Not needed after a call's
    /// own `Ended`, but harmless.
    Gone {
        /// Which call.
        call: CallId,
    },
    /// An agent's phone came or went.
    Registered {
        /// Whose.
        agent: AgentId,
        /// Reachable or not.
        on: bool,
    },
    /// An agent chose to be ready or not.
    Presence {
        /// Who.
        agent: AgentId,
        /// Ready, or why not.
        ready: Result<(), NotReady>,
    },
    /// A call wants this agent past every queue, to dial. [`Output::Claimed`] answers, exactly once.
    Claim {
        /// Which call.
        call: CallId,
        /// Whom.
        agent: AgentId,
    },
    /// How an offer, a claim or a conversation went.
    Report {
        /// In which call.
        call: CallId,
        /// Who.
        agent: AgentId,
        /// How.
        report: AgentReport,
    },
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Ring these agents for this call, all at once.
    Ring {
        /// Which call.
        call: CallId,
        /// Whom.
        agents: Vec<AgentId>,
        /// The time the place counts from, which names the wait.
        since: Timestamp,
    },
    /// Whether the claimed agent is held for this call until it reports.
    Claimed {
        /// Which call.
        call: CallId,
        /// Whom.
        agent: AgentId,
        /// Held, or not ready.
        free: bool,
    },
    /// The caller's place is due to be told, 1 is next.
    Position {
        /// Which call.
        call: CallId,
        /// The place.
        position: u32,
    },
    /// Waited too long; no longer waits here.
    Overflow {
        /// Which call.
        call: CallId,
        /// Where to.
        to: Onward,
        /// The time the place counted from, which names the wait.
        since: Timestamp,
    },
    /// An agent's state changed (for the store, metrics and the desktop).
    AgentChanged {
        /// Who.
        agent: AgentId,
        /// To what.
        state: AgentState,
    },
}

/// Why an agent takes no calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReady {
    /// In words: "lunch", "missed a call", …
    pub reason: String,
}

/// An agent's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentState {
    /// No phone registered.
    LoggedOff,
    /// Can be rung; idle since then.
    Ready {
        /// Since when.
        since: Timestamp,
    },
    /// Takes no calls.
    NotReady(NotReady),
    /// The phone rings for this call.
    Ringing(CallId),
    /// In conversation.
    Talking(CallId),
    /// After a call.
    WrapUp {
        /// Until when.
        until: Timestamp,
    },
}
