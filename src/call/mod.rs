//! One call as a pure state machine: welcome, consent, queue, agent, bridge, transfers, wrap-up.
//!
//! Feed it with [`Call::handle`] and, at the time [`Call::poll_timeout`] names, with
//! [`Call::handle_timeout`]; after each, drain [`Call::poll_output`] and do what it says, in order.
//! Late and repeated inputs are normal and change nothing; after [`Output::Ended`] nothing comes.
//!
//! Decisions:
//! - **Each conversation is a recording of its own** (a *take*). When the legs are taken apart the running take
//!   ends, and another is armed on the same stored decision for what comes: the agent is back, the next agent,
//!   a third party, another phone. So what is said between conversations (waiting, consultation, music) is
//!   in no recording (domain rule 9), and a take's legs never change. A conversation that only changes its
//!   shape is not held up for the recording, which is ready before as a rule; a new agent waits for it a
//!   moment.
//! - **The first queue's policy and decision follow the call** (domain rule 4), to outside numbers, too, for as
//!   long as we are in the path. Nobody outside may pause, resume or override: with the last agent those
//!   rights leave the call.
//! - **An override holds for the conversation it was made in**: it was one agent's right and reason. It outlasts
//!   a consultation, a conference and a failed transfer of that agent, and nothing else. A later agent has to
//!   give an own one.
//! - **A transfer that fails returns**: the transferring agent's leg is kept until the target is connected; when
//!   the agent has hung up before, the caller waits for that agent first, then for anyone of the queue.
//! - **Hanging up completes**: an agent who hangs up in a consultation has sent the caller to whom was asked, also
//!   while it still rings: that is what most desk phones do. Ending the second line is ending the consultation.
//! - **A lost phone is no goodbye**: the caller hears music while the agent's phone is rung anew, and the
//!   conversation goes on as it was, pause and override included. Only after [`LOST_GRACE`] the caller waits
//!   again, at the place of the arrival; the agent's phone has missed a call then.
//! - **A supervisor belongs to one agent's conversation**: hears it while agent and caller are together and nobody
//!   holds the line, once that is stored, and nothing else; goes when it ends. Coming and going changes no take.
//! - **Hold is silence** in the recording: the held party talks to nobody. Of three, an agent's hold silences
//!   nobody else; the caller's does, for what is said then is not said to the caller.
//! - **The place in the queue counts from the arrival**, not from the end of the consent question.
//! - **The end waits for nothing**: legs are hung up, agents freed, the last facts handed over and
//!   [`Output::Ended`] put out in one go.
//! - **Facts of a failed unit of work come again** with the next one, so that a short outage of the store
//!   loses none; a yes that could not be stored comes again as [`Basis::NotStored`].

mod agents;
mod consult;
mod end;
mod fact;
mod io;
mod ledger;
mod lost;
mod may;
mod output;
mod pause;
mod recording;
mod replaced;
mod roles;
mod state;
mod supervise;
mod talk;
mod timer;
mod transfer;
mod view;
mod welcome;

#[cfg(test)]
mod model;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeSet, VecDeque};

use crate::consent::{Basis, Standing};
use crate::ids::{AgentId, CallId, LegId, QueueId};
use crate::media::Seat;
use crate::time::Timestamp;

pub use fact::*;
pub use io::*;
pub use may::{NotNow, Request};
pub use output::*;
pub use supervise::MAX_SUPERVISORS;
pub use timer::{LOST_GRACE, TimerName};
pub use view::*;

use ledger::Ledger;
use recording::Recorder;
use state::{Origin, State, Transfer};

/// One call.
#[derive(Debug)]
pub struct Call {
    arrival: Arrival,
    /// When it arrived; the place in the queue counts from then.
    since: Timestamp,
    state: State,
    /// The caller's leg: the first, until another takes its place.
    caller: LegId,
    /// Legs that hold the line: they may at any moment, and through any transfer.
    holding: BTreeSet<LegId>,
    /// Dialled phones that are known to ring.
    alerting: BTreeSet<LegId>,
    /// Who hears whom just now; nobody: empty.
    seats: Vec<Seat>,
    /// Claims given up before their answer, which is still to come.
    given_up: Vec<AgentId>,
    standing: Standing,
    decided_at: Option<Timestamp>,
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
    /// The time that named the last wait.
    wait: Timestamp,
    /// How often the caller went back to the place of the arrival.
    returns: u64,
}

/// Where a call is, for metrics and the desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Answered; the caller's ACK is awaited.
    Answering,
    /// Hears Welcome, or that it is closed.
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
    /// Hears music while the target of a transfer is reached.
    Transferring,
    /// Hears music while the agent asks somebody.
    Consulting,
    /// In conversation with two others.
    Conference,
    /// The agent's phone is gone and waited for; hears music, or speaks with the third party.
    Lost,
    /// Over.
    Over,
}

/// How the recording stands: an agent's lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingState<'a> {
    /// Not recorded, and why; `None` while undecided. A basis that allows recording means: no conversation
    /// to record now.
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
            caller: LegId::caller(arrival.call),
            holding: BTreeSet::new(),
            alerting: BTreeSet::new(),
            seats: Vec::new(),
            given_up: Vec::new(),
            standing: Standing::Open,
            decided_at: None,
            recorder: Recorder::default(),
            outputs: VecDeque::from([Output::Answer]),
            numbers: Numbers { leg: 1, play: 0, take: 0, wait: now, returns: 0 },
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
            Input::Ring { agents, since } => self.on_ring(agents, since, now),
            Input::Position(place) => self.on_position(place, now),
            Input::Overflow { to, since } => self.on_overflow(to, since, now),
            Input::AgentRinging { leg } => self.on_ringing(leg),
            Input::AgentAnswered { leg } => self.on_answered(leg, now),
            Input::Hold { leg, on } => self.on_hold(leg, on),
            Input::RecordingArmed(take) => self.on_armed(take, now),
            Input::RecordingFailed(take) => self.on_recording_failed(take, now),
            Input::Recording(request) => self.on_recording_request(request, now),
            Input::Transfer { by, to } => self.on_transfer(by, to, now),
            Input::Consult { by, own, to } => self.on_consult(by, own, to, now),
            Input::Complete { by } => self.on_complete(by, now),
            Input::ThreeWay { by } => self.on_three_way(by, now),
            Input::EndConsultation { by } => self.on_end_consultation(by, now),
            Input::Replaced { old, new, agent } => self.on_replaced(old, new, agent, now),
            Input::Referred { leg, result } => self.on_referred(leg, result, now),
            Input::Claimed { agent, free } => self.on_claimed(&agent, free, now),
            Input::AgentLost { leg } => self.on_lost(leg, now),
            Input::AgentBack { leg } => self.on_back(leg, now),
            Input::Reattach { leg } => self.on_reattach(leg, now),
            Input::Supervise { leg, by, mode } => self.on_supervise(leg, by, mode, now),
            Input::Supervising { by, mode } => self.on_supervising(by, mode, now),
            Input::Unsupervise { by } => self.on_unsupervise(&by, now),
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
            State::Welcoming(_) | State::Closing(_) => Phase::Welcome,
            State::Asking { .. } => Phase::Asking,
            State::Waiting(_) => Phase::Waiting,
            State::Offering(..) => Phase::Ringing,
            State::Joining(..) => Phase::Joining,
            State::Talking(_) => Phase::Talking,
            State::Transferring(_) => Phase::Transferring,
            State::Consulting(_) => Phase::Consulting,
            State::Conference(_) => Phase::Conference,
            State::Lost(_) => Phase::Lost,
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

    /// The agent in conversation, or about to be, or who gets the caller back; `None`: nobody, or somebody
    /// outside.
    #[must_use]
    pub const fn agent(&self) -> Option<&AgentId> {
        match &self.state {
            State::Joining(_, joining) => joining.party.agent(),
            State::Talking(talk) | State::Transferring(Transfer { origin: Origin::Kept(talk), .. }) => {
                talk.party.agent()
            }
            State::Transferring(Transfer { origin: Origin::Left { agent, .. }, .. }) => agent.as_ref(),
            State::Consulting(consultation) => consultation.talk.party.agent(),
            State::Conference(conference) => conference.talk.party.agent(),
            State::Lost(lost) => lost.talk.party.agent(),
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
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
            State::Talking(talk) | State::Transferring(Transfer { origin: Origin::Kept(talk), .. }) => {
                &talk.queue_id
            }
            State::Transferring(Transfer { origin: Origin::Left { queue_id, .. }, .. }) => queue_id,
            State::Consulting(consultation) => &consultation.talk.queue_id,
            State::Conference(conference) => &conference.talk.queue_id,
            State::Lost(lost) => &lost.talk.queue_id,
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Over => &self.arrival.queue_id,
        }
    }

    /// Draws a number for a leg that calls in: a second line for [`Input::Consult`], or one that takes
    /// another's place for [`Input::Replaced`], or one that is dialled for [`Input::Reattach`] or
    /// [`Input::Supervise`]. `None` once all 65,535 are used. The call knows the leg from that input on;
    /// until then, and if it is over by then, the shell ends it.
    #[must_use]
    pub fn admit_leg(&mut self) -> Option<LegId> {
        let n = self.numbers.leg;
        self.numbers.leg = n.checked_add(1)?; // numbers are not used again
        Some(LegId { call: self.arrival.call, n })
    }

    /// The leg on which this agent is in conversation with the caller, as commands name it (`by`).
    #[must_use]
    pub fn leg_of(&self, agent: &AgentId) -> Option<LegId> {
        self.talk().filter(|talk| talk.party.agent() == Some(agent)).map(|talk| talk.party.leg)
    }

    /// The caller's leg.
    #[must_use]
    pub const fn caller(&self) -> LegId {
        self.caller
    }

    fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }
}
