//! What goes into a [`Call`](super::Call), and the words that its outputs share.

use std::sync::Arc;

use crate::consent::{Known, OverrideReason, Receipt};
use crate::ids::{AgentId, CallId, LegId, PhoneNumber, QueueId, TrunkId};
use crate::media::{Digit, DigitChannel};
use crate::settings::{Language, Queue};
use crate::time::Timestamp;

/// A call at the door: all that the core must know before it answers.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The call's id, drawn by the shell.
    pub call: CallId,
    /// The caller's number; `None` when withheld or no number.
    pub from: Option<PhoneNumber>,
    /// What was dialled, as it stood in the Request-URI's user part.
    pub dialled: String,
    /// The trunk it came in by; `None` for a call from a registered phone.
    pub trunk: Option<TrunkId>,
    /// The name of the first queue.
    pub queue_id: QueueId,
    /// The first queue's settings. They follow the call for its life (domain rule 4).
    pub queue: Arc<Queue>,
    /// The language prompts are played in.
    pub language: Language,
    /// SHA-256 (hex) of the consent question that would be played.
    pub question_sha256: String,
    /// The last stored answer of this number, if any.
    pub known: Option<Known>,
    /// Whether the first queue is open now.
    pub door: Door,
}

/// What a caller finds at the first queue, by its opening hours. Whether the call is recorded is the first queue's
/// business all the same (domain rule 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// It is open.
    Open,
    /// It is closed, and its callers wait in another queue.
    Elsewhere {
        /// Its name.
        id: QueueId,
        /// Its settings (for waiting and agents, never for recording).
        queue: Arc<Queue>,
    },
    /// It is closed: the caller is told, and the call ends.
    Closed,
}

/// Numbers a prompt being played, so that a late "done" of an earlier one is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayId(pub u32);

pub use crate::ids::CommitId;

/// Numbers a take: one conversation's recording, from arming to its end. A call has one take for each
/// conversation, so a late word about an earlier one is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TakeId(pub u32);

/// A prompt by meaning; the shell finds the sound for the call's queue and language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prompt {
    /// Greets the caller.
    Welcome,
    /// Asks for consent.
    ConsentQuestion,
    /// Thanks for a yes.
    Thanks,
    /// Confirms a no.
    Refused,
    /// The key was neither yes nor no.
    InvalidKey,
    /// All agents are busy.
    PleaseWait,
    /// "You are number n in the queue"; 10 and above share one text.
    Position(u8),
    /// It is closed.
    Closed,
    /// Hold music; played until stopped.
    Music,
}

/// Why a leg ended, or why it is to be ended. Blames a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// That side hung up in the usual way.
    HungUp,
    /// Given up before an answer (CANCEL, or we cancelled).
    Cancelled,
    /// 486 or 600.
    Busy,
    /// 603, or another refusal.
    Declined,
    /// Rang too long, or 408/480.
    NoAnswer,
    /// Could not be reached (404, 5xx, transport, no registration).
    Unreachable,
    /// No RTP for longer than the media time-out.
    MediaTimeout,
    /// Another leg took the call.
    AnsweredElsewhere,
    /// The other side of the call ended.
    OtherSideGone,
    /// Nobody to connect within the maximum wait.
    WaitedTooLong,
    /// It came outside the opening hours.
    Closed,
    /// Recording failed and the queue's policy is to drop the call.
    RecordingFailed,
    /// The server drains or stops.
    Shutdown,
    /// Our own fault (no port, store away before the answer, …).
    Internal,
}

/// Where a transfer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Wait in another queue; the first queue's recording settings stay.
    Queue {
        /// Its name.
        id: QueueId,
        /// Its settings (for waiting and agents, never for recording).
        queue: Arc<Queue>,
    },
    /// One agent.
    Agent(AgentId),
    /// A number outside.
    Outside(Outside),
}

/// Where a caller goes on to for whom a queue has nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Onward {
    /// There.
    To(Target),
    /// Nowhere, for it is closed there: the caller is told, and the call ends.
    Closed,
    /// Nowhere: the call ends.
    End,
}

/// A number outside, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// By which trunk.
    pub trunk: TrunkId,
    /// Which.
    pub number: PhoneNumber,
    /// Hand the caller over to the network and leave the path; otherwise we stay between, and the
    /// recording goes on.
    pub release: bool,
}

/// Whom a leg is dialled to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// An agent's phone.
    Agent(AgentId),
    /// A number outside.
    Outside(Outside),
}

/// How a supervisor takes part in a conversation. Never as a party to it: consent, queue and transfers are no
/// business of a supervisor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Supervision {
    /// Hears all, is heard by nobody.
    Listen,
    /// Hears all, is heard by the agent alone. In no recording.
    Whisper,
    /// Hears all, is heard by all.
    Barge,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The caller's ACK arrived: media may flow.
    CallerConfirmed,
    /// A leg ended from its own side (BYE, CANCEL, transport, media time-out).
    LegGone {
        /// Which leg.
        leg: LegId,
        /// Why.
        cause: Cause,
    },
    /// A leg pressed a key.
    Digit {
        /// Which leg.
        leg: LegId,
        /// The key.
        digit: Digit,
        /// How it came.
        channel: DigitChannel,
    },
    /// A prompt was played to its end.
    PromptDone {
        /// Which one.
        play: PlayId,
    },
    /// A unit of work is durable.
    Committed(Receipt),
    /// A unit of work could not be stored; nothing of it is. Do not try it again: what is still true
    /// of its facts comes once more in a later unit of work.
    CommitFailed(CommitId),
    /// The queue chose agents to ring, all at once.
    Ring {
        /// Whom.
        agents: Vec<AgentId>,
        /// Which wait it is for ([`Output::Enqueue`](super::Output::Enqueue)). An offer for a wait that was
        /// left is void: leaving has set its agents free.
        since: Timestamp,
    },
    /// The queue's place for this caller, 1 is next.
    Position(u32),
    /// The queue gave up (maximum wait, queue removed, …).
    Overflow {
        /// Where to.
        to: Onward,
        /// Which wait it ends, as in [`Input::Ring`].
        since: Timestamp,
    },
    /// A dialled phone rings (an agent's, or one outside).
    AgentRinging {
        /// Which leg.
        leg: LegId,
    },
    /// Who was dialled (an agent, or somebody outside) answered, and the media is ready.
    AgentAnswered {
        /// Which leg.
        leg: LegId,
    },
    /// A leg put the other on hold (`true`) or took it back.
    Hold {
        /// Which leg did.
        leg: LegId,
        /// On hold or not.
        on: bool,
    },
    /// The recording asked for by [`Output::ArmRecording`](super::Output::ArmRecording) can start at once:
    /// key and row are stored.
    RecordingArmed(TakeId),
    /// It cannot be made, or broke while running. The shell has cleaned up what there was; no
    /// [`Output::StopRecording`](super::Output::StopRecording) follows.
    RecordingFailed(TakeId),
    /// A party asks for a pause, a resume, an override or takes its consent back.
    Recording(RecordingRequest),
    /// An agent sends the caller on, without asking first (blind).
    Transfer {
        /// The agent's leg.
        by: LegId,
        /// Where to.
        to: Target,
    },
    /// An agent asks somebody while the caller hears music.
    Consult {
        /// The agent's leg with the caller.
        by: LegId,
        /// A second leg of the same agent, called in for this (a SIP phone's second line); `None`: the same
        /// leg speaks with both. Its number was drawn with `Call::admit_leg`. It is answered when the target
        /// answers ([`Output::AnswerLeg`](super::Output::AnswerLeg)), so that a failure can be told as its
        /// final response; until then [`Output::TransferProgress`](super::Output::TransferProgress) tells it
        /// of the ringing. If it ends, so does the consultation.
        own: Option<LegId>,
        /// Whom; a queue's first free agent is a target, too.
        to: Target,
    },
    /// The caller goes to the consulted party and the agent leaves (attended). While the target still rings it
    /// becomes a blind transfer to that target (semi-attended).
    Complete {
        /// The agent's leg with the caller.
        by: LegId,
    },
    /// All three speak together. An agent who consulted on a second leg goes on with that one: the first is
    /// ended, and later requests name the second.
    ThreeWay {
        /// The agent's leg with the caller.
        by: LegId,
    },
    /// The consultation, or the third party of a conversation, ends; the agent is with the caller again.
    EndConsultation {
        /// The agent's leg with the caller.
        by: LegId,
    },
    /// Another dialog has taken a leg's place (RFC 3891): it is answered and its media is ready. The call
    /// ends the old leg; or the new one, when the old is gone, is a second line not yet answered, or when the
    /// agent is in this call already. A phone that rings may be replaced, too (call pick-up).
    Replaced {
        /// The leg that goes.
        old: LegId,
        /// The one in its place, drawn with `Call::admit_leg`.
        new: LegId,
        /// Whose phone it is, when it takes an agent's place; `None`: somebody outside.
        agent: Option<AgentId>,
    },
    /// How a REFER to a leg went ([`Output::Refer`](super::Output::Refer)): with `Ok` the other side has gone
    /// where it was sent.
    Referred {
        /// Which leg.
        leg: LegId,
        /// Whether it was done.
        result: Result<(), Cause>,
    },
    /// The queue holds this agent for this call, to be dialled, or cannot now (busy, logged off). Exactly one
    /// for each [`Output::Claim`](super::Output::Claim), in their order.
    Claimed {
        /// Whom.
        agent: AgentId,
        /// Whether.
        free: bool,
    },
    /// An agent's phone is gone without a goodbye: it sends no media and its connection is closed (a page that
    /// is loaded anew, a network that is gone). The caller hears music while it is waited for.
    AgentLost {
        /// Which leg.
        leg: LegId,
    },
    /// The same leg speaks again.
    AgentBack {
        /// Which leg.
        leg: LegId,
    },
    /// The phone of the agent who is waited for is dialled anew
    /// ([`Output::Reattach`](super::Output::Reattach)). The leg's number was drawn with `Call::admit_leg`.
    /// [`Input::AgentAnswered`] or [`Input::LegGone`] follows.
    Reattach {
        /// The new leg.
        leg: LegId,
    },
    /// A supervisor's phone was dialled, has answered, and its media is ready. The leg's number was drawn with
    /// `Call::admit_leg`. Nothing is heard before the listening is stored. A leg that may not is hung up.
    Supervise {
        /// The supervisor's leg.
        leg: LegId,
        /// The user's name.
        by: String,
        /// How.
        mode: Supervision,
    },
    /// A supervisor takes part in another way from now on.
    Supervising {
        /// The user's name.
        by: String,
        /// How.
        mode: Supervision,
    },
    /// A supervisor leaves; the leg is hung up. Hanging up the phone ([`Input::LegGone`]) does the same.
    Unsupervise {
        /// The user's name.
        by: String,
    },
    /// The server ends all calls.
    Shutdown,
}

/// What may be asked of a recording in mid-call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingRequest {
    /// Silence from now on (rule 7).
    Pause {
        /// By whom.
        agent: AgentId,
    },
    /// Sound again.
    Resume {
        /// By whom.
        agent: AgentId,
    },
    /// Record without consent, from now on (rule 6).
    Override {
        /// By whom.
        agent: AgentId,
        /// Category and written reason.
        reason: OverrideReason,
    },
    /// The caller takes the consent back (rule 8).
    Withdraw {
        /// Who entered it for the caller; `None`: the caller's own doing.
        entered_by: Option<AgentId>,
    },
}
