//! What comes out of a [`Call`](super::Call).

use crate::consent::Grant;
use crate::ids::{AgentId, LegId, QueueId};
use crate::media::Seat;
use crate::time::Timestamp;

use super::fact::Fact;
use super::io::{Cause, CommitId, Outside, PlayId, Prompt, TakeId, Whom};

/// What to do, in order.
#[derive(Debug)]
pub enum Output {
    /// Answer the caller (200 OK).
    Answer,
    /// Play a prompt to a leg; stops what was playing there.
    Play {
        /// To whom.
        leg: LegId,
        /// Comes back in [`Input::PromptDone`](super::Input::PromptDone).
        play: PlayId,
        /// What.
        prompt: Prompt,
    },
    /// Stop what plays to a leg.
    StopPlay {
        /// To whom.
        leg: LegId,
    },
    /// Store these facts durably, in one transaction, with their audit rows; then say
    /// [`Input::Committed`](super::Input::Committed) or [`Input::CommitFailed`](super::Input::CommitFailed).
    Commit(CommitId, Vec<Fact>),
    /// Wait in a queue.
    Enqueue {
        /// Which.
        queue: QueueId,
        /// Higher goes first.
        priority: u8,
        /// This agent first (transfer to an agent); anyone of the queue once that agent has missed the
        /// offer, is gone, or has not come free within the maximum wait.
        only: Option<AgentId>,
        /// The place counts from then: the arrival, so that how a caller answered the consent question
        /// changes nothing, or the transfer. It also names the wait: no two of a call that may overlap have
        /// the same.
        since: Timestamp,
    },
    /// Leave the queue (hung up, connected or overflowed).
    Dequeue,
    /// Dial an agent's phone or a number outside.
    Dial {
        /// The new leg.
        leg: LegId,
        /// Whom.
        to: Whom,
    },
    /// Answer a leg that called in for a consultation; its bridge follows at once.
    AnswerLeg {
        /// Which.
        leg: LegId,
    },
    /// Hold this agent for this call, past every queue; [`Input::Claimed`](super::Input::Claimed) answers.
    Claim {
        /// Whom.
        agent: AgentId,
    },
    /// Tell a leg how the transfer it asked for goes.
    TransferProgress {
        /// Who asked.
        leg: LegId,
        /// How it goes.
        progress: Progress,
    },
    /// Send a leg elsewhere by the network (REFER); [`Input::Referred`](super::Input::Referred) answers.
    Refer {
        /// Which leg.
        leg: LegId,
        /// Where to.
        to: Outside,
    },
    /// Connect these legs' audio: who hears whom from now on. Takes the place of a bridge or of an earlier join at
    /// once and in the same recording, with a gap of a few packets at most: then only supervisors have come, gone or
    /// changed. Two seats are a bridge. [`Output::Unbridge`] takes them apart.
    Join {
        /// The caller first, then the parties, then supervisors.
        seats: Vec<Seat>,
    },
    /// Ring this agent's phone anew, as soon as one is there: draw a leg with `Call::admit_leg`, dial, and
    /// say [`Input::Reattach`](super::Input::Reattach). Said again when that leg came to nothing: then when
    /// the phone registers next. Void once the call's phase is no longer [`Phase::Lost`](super::Phase::Lost).
    Reattach {
        /// Whom.
        agent: AgentId,
        /// The leg that was lost.
        lost: LegId,
    },
    /// Tell the queue how an agent's offer or conversation went.
    AgentReport {
        /// Who.
        agent: AgentId,
        /// How.
        report: AgentReport,
    },
    /// Connect two legs' audio. Never while others are bridged or joined.
    Bridge {
        /// The caller; in a consultation the agent who asks.
        caller: LegId,
        /// The agent, or who is outside in the agent's place; in a consultation who is asked.
        agent: LegId,
    },
    /// Take apart all legs that were bridged or joined.
    Unbridge,
    /// Recording is allowed: make id, key and row, so that it can start without delay.
    ArmRecording {
        /// Comes back in [`Input::RecordingArmed`](super::Input::RecordingArmed) or
        /// [`Input::RecordingFailed`](super::Input::RecordingFailed).
        take: TakeId,
        /// The leave to record.
        grant: Grant,
    },
    /// Start capturing the armed take: channel 0 caller, channel 1 agent. Comes before
    /// [`Output::Bridge`], except for an override and for a store slower than the arm limit.
    StartRecording {
        /// Channel 0.
        caller: LegId,
        /// Channel 1; of three joined legs, with the other one mixed in.
        agent: LegId,
        /// Silence from its first sample on, until [`Output::ResumeRecording`].
        quiet: bool,
    },
    /// Capture silence from now on.
    PauseRecording,
    /// Capture sound again.
    ResumeRecording,
    /// Finish the recording (or discard one that was armed and never started).
    StopRecording {
        /// Destroy what exists (withdrawal): this take and all earlier takes of the call. May come when
        /// no take is open.
        destroy: bool,
    },
    /// End a leg: CANCEL, BYE or a final response, as its state asks.
    Hangup {
        /// Which.
        leg: LegId,
        /// Why.
        cause: Cause,
    },
    /// All is over: nothing will come any more, drop this call. The last [`Output::Commit`] came just
    /// before. Units of work that have no answer yet are now the shell's to see through, and to try again
    /// if they fail.
    Ended,
}

/// How an agent fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentReport {
    /// The phone rings.
    Ringing,
    /// In conversation.
    Connected,
    /// Did not take it, or was lost in mid-conversation: free again (or not ready, by the queue's rule for
    /// unanswered calls).
    Missed(Cause),
    /// Another agent was quicker, or the caller left: free again.
    Released,
    /// The conversation is over: wrap-up begins.
    Finished,
}

/// How a transfer goes, for who asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Under way.
    Trying,
    /// The target's phone rings, or the caller waits in the queue.
    Ringing,
    /// The caller is with the target, or in the target queue; who asked is not needed any more.
    Done,
    /// It failed: the caller is with who asked again, or waits for them.
    Failed(Cause),
}
