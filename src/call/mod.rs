//! One call as a pure state machine: welcome, consent, queue, agent, bridge, wrap-up.
//!
//! Feed it with [`Call::handle`] and, at the time [`Call::poll_timeout`] names, with
//! [`Call::handle_timeout`]; after each, drain [`Call::poll_output`] and do what it says, in order.
//! Late and repeated inputs are normal and change nothing; after [`Output::Ended`] nothing comes.
//!
//! Decisions:
//! - **Each conversation is a recording of its own** (a *take*). A transfer ends the running take when the
//!   legs are taken apart and arms another for the next agent, on the same stored decision. So what
//!   is said between conversations (waiting, consultation, music) is in no recording (domain rule 9),
//!   and every recording has exactly two parties.
//! - **An override holds for the conversation it was made in**: it was one agent's right and reason. A later
//!   agent has to give an own one.
//! - **Hold is silence** in the recording: the held party talks to nobody.
//! - **The place in the queue counts from the arrival**, not from the end of the consent question.
//! - **The end waits for nothing**: legs are hung up, agents freed, the last facts handed over and
//!   [`Output::Ended`] put out in one go.
//! - **Facts of a failed unit of work come again** with the next one, so that a short outage of the store
//!   loses none; a yes that could not be stored comes again as [`Basis::NotStored`].

mod agents;
mod end;
mod fact;
mod io;
mod ledger;
mod recording;
mod state;
mod talk;
mod timer;
mod welcome;

#[cfg(test)]
mod model;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::VecDeque;

use crate::consent::{Basis, Standing};
use crate::ids::{AgentId, CallId, LegId, QueueId};
use crate::time::Timestamp;

pub use fact::*;
pub use io::*;
pub use timer::TimerName;

use ledger::Ledger;
use recording::Recorder;
use state::State;

/// One call.
#[derive(Debug)]
pub struct Call {
    arrival: Arrival,
    /// When it arrived; the place in the queue counts from then.
    since: Timestamp,
    state: State,
    /// The caller's phone holds the line: it may at any moment, and through any transfer.
    caller_holds: bool,
    standing: Standing,
    recorder: Recorder,
    ledger: Ledger,
    outputs: VecDeque<Output>,
    numbers: Numbers,
}

/// The next numbers of what a call counts.
#[derive(Debug)]
struct Numbers {
    leg: u16,
    play: u32,
    take: u32,
}

/// Where a call is, for metrics and the desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Answered; the caller's ACK is awaited.
    Answering,
    /// Hears Welcome.
    Welcome,
    /// Is asked for consent.
    Asking,
    /// In the queue.
    Waiting,
    /// In the queue, and phones ring.
    Ringing,
    /// An agent answered; the recording is about to be ready.
    Joining,
    /// In conversation.
    Talking,
    /// Over.
    Over,
}

/// How the recording stands: an agent's lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingState<'a> {
    /// Not recorded, and why; `None` while undecided. A basis that allows recording means: no conversation
    /// to record yet.
    Off(Option<&'a Basis>),
    /// Allowed; key and row are being made, or are ready for the conversation.
    Armed(&'a Basis),
    /// Sound is captured.
    Recording(&'a Basis),
    /// Silence is captured: a pause or a hold.
    Paused(&'a Basis),
    /// Allowed, but it could not be made or broke.
    Failed(&'a Basis),
}

impl Call {
    /// A call at the door. Answers it at once.
    #[must_use]
    pub fn new(arrival: Arrival, now: Timestamp) -> Self {
        let mut call = Self {
            ledger: Ledger::default(),
            since: now,
            state: State::Answering,
            caller_holds: false,
            standing: Standing::Open,
            recorder: Recorder::default(),
            outputs: VecDeque::from([Output::Answer]),
            numbers: Numbers { leg: 1, play: 0, take: 0 },
            arrival,
        };
        call.ledger.note(call.arrived());
        call
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        if matches!(self.state, State::Over) {
            return;
        }
        match input {
            Input::CallerConfirmed => self.on_confirmed(now),
            Input::LegGone { leg, cause } => self.on_leg_gone(leg, cause, now),
            Input::Digit { leg, digit, channel } => self.on_digit(leg, digit, channel, now),
            Input::PromptDone { play } => self.on_prompt_done(play, now),
            Input::Committed(receipt) => self.on_committed(&receipt, now),
            Input::CommitFailed(commit) => self.on_commit_failed(commit, now),
            Input::Ring(agents) => self.on_ring(agents, now),
            Input::Position(place) => self.on_position(place, now),
            Input::Overflow { to } => self.on_overflow(to, now),
            Input::AgentRinging { leg } => self.on_agent_ringing(leg),
            Input::AgentAnswered { leg } => self.on_agent_answered(leg, now),
            Input::Hold { leg, on } => self.on_hold(leg, on),
            Input::RecordingArmed(take) => self.on_armed(take, now),
            Input::RecordingFailed(take) => self.on_recording_failed(take, now),
            Input::Recording(request) => self.on_recording_request(request, now),
            Input::Transfer { by, to } => self.on_transfer(by, to, now),
            Input::Consult { .. }
            | Input::Complete { .. }
            | Input::ThreeWay { .. }
            | Input::EndConsultation { .. }
            | Input::Replaced { .. }
            | Input::Referred { .. }
            | Input::Claimed { .. } => {}
            Input::Shutdown => self.finish(None, Cause::Shutdown, now),
        }
        self.flush();
    }

    /// Time has passed; call it at or after what [`Call::poll_timeout`] named. Early calls do nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((at, name)) = self.poll_timeout() {
            if at > now {
                break;
            }
            self.on_timer(name, now);
        }
        self.flush();
    }

    /// What to do, in order. Drain it after [`Call::new`] and every `handle…`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Where the call is.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match &self.state {
            State::Answering => Phase::Answering,
            State::Welcoming(_) => Phase::Welcome,
            State::Asking { .. } => Phase::Asking,
            State::Waiting(_) => Phase::Waiting,
            State::Offering(..) => Phase::Ringing,
            State::Joining(..) => Phase::Joining,
            State::Talking(_) => Phase::Talking,
            State::Over => Phase::Over,
        }
    }

    /// The call's id.
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.arrival.call
    }

    /// What was known of it at the door.
    #[must_use]
    pub const fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// The agent in conversation, or about to be.
    #[must_use]
    pub const fn agent(&self) -> Option<&AgentId> {
        match &self.state {
            State::Joining(_, joining) => Some(&joining.party.agent),
            State::Talking(talk) => Some(&talk.party.agent),
            State::Answering
            | State::Welcoming(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Over => None,
        }
    }

    /// The queue the caller waits in or was connected from.
    #[must_use]
    pub const fn queue(&self) -> &QueueId {
        match &self.state {
            State::Waiting(wait) | State::Offering(wait, _) | State::Joining(wait, _) => &wait.id,
            State::Talking(talk) => &talk.queue_id,
            State::Answering | State::Welcoming(_) | State::Asking { .. } | State::Over => {
                &self.arrival.queue_id
            }
        }
    }

    const fn caller(&self) -> LegId {
        LegId::caller(self.arrival.call)
    }

    fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }
}
