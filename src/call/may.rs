//! Whether a command would be followed now, for a clear answer to who gives it. The inputs themselves are never
//! answered: what may not be is not done.

use crate::consent::{OverrideReason, OverrideRefused};
use crate::ids::AgentId;

use super::{Supervision, Target};

/// A command, as people give it. `by` is the agent who does.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// [`RecordingRequest::Pause`](super::RecordingRequest::Pause).
    Pause {
        /// Who asks.
        by: &'a AgentId,
    },
    /// [`RecordingRequest::Resume`](super::RecordingRequest::Resume).
    Resume {
        /// Who asks.
        by: &'a AgentId,
    },
    /// [`RecordingRequest::Override`](super::RecordingRequest::Override).
    Override {
        /// Who asks.
        by: &'a AgentId,
        /// Category and written reason.
        reason: &'a OverrideReason,
    },
    /// [`RecordingRequest::Withdraw`](super::RecordingRequest::Withdraw).
    Withdraw {
        /// Who says that the caller wants it.
        by: &'a AgentId,
    },
    /// [`Input::Transfer`](super::Input::Transfer).
    Transfer {
        /// Who asks.
        by: &'a AgentId,
        /// Where to.
        to: &'a Target,
    },
    /// [`Input::Consult`](super::Input::Consult).
    Consult {
        /// Who asks.
        by: &'a AgentId,
        /// Whom.
        to: &'a Target,
    },
    /// [`Input::Complete`](super::Input::Complete).
    Complete {
        /// Who asks.
        by: &'a AgentId,
    },
    /// [`Input::ThreeWay`](super::Input::ThreeWay).
    ThreeWay {
        /// Who asks.
        by: &'a AgentId,
    },
    /// [`Input::EndConsultation`](super::Input::EndConsultation).
    EndConsultation {
        /// Who asks.
        by: &'a AgentId,
    },
    /// [`Input::Supervise`](super::Input::Supervise), before the phone is dialled; or
    /// [`Input::Supervising`](super::Input::Supervising), if that user takes part already.
    Supervise {
        /// The user's name.
        by: &'a str,
        /// The agent that this user is, if any.
        agent: Option<&'a AgentId>,
        /// How.
        mode: Supervision,
    },
    /// [`Input::Unsupervise`](super::Input::Unsupervise).
    Unsupervise {
        /// The user's name.
        by: &'a str,
    },
}

/// Why not. Each is a sentence for who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// Not this agent's conversation.
    #[error("you are not in conversation with this caller")]
    NotYours,
    /// The conversation is interrupted.
    #[error("the caller is not with you just now: end the consultation or wait for the transfer first")]
    Apart,
    /// The phone is gone.
    #[error("the connection to your phone is lost: wait until the call is back")]
    Lost,
    /// Three speak.
    #[error("a third party is in the conversation: end that first")]
    ThirdParty,
    /// No recording to pause.
    #[error("the call is not recorded: there is nothing to pause")]
    NotRecorded,
    /// Said twice.
    #[error("the recording is paused already")]
    PausedAlready,
    /// Nothing to resume.
    #[error("the recording is not paused")]
    NotPaused,
    /// See there.
    #[error(transparent)]
    Override(OverrideRefused),
    /// Nothing to take back.
    #[error("the recording does not rest on the caller's consent: there is none to take back")]
    NoConsent,
    /// The target has a leg in the call.
    #[error("that agent is in this call already")]
    InCallAlready,
    /// No consultation.
    #[error("nobody is being asked")]
    NobodyAsked,
    /// Too early for a three-way conversation.
    #[error("who is asked has not answered yet")]
    NotAnswered,
    /// There is no agent to supervise.
    #[error("no agent is in conversation with the caller")]
    NoConversation,
    /// A handful hear each other's steps no more.
    #[error("this conversation has as many supervisors as it can have")]
    TooManySupervisors,
    /// Said twice.
    #[error("you take part in this way already")]
    SupervisesAlready,
    /// Nothing to leave or to change.
    #[error("you do not take part in this call")]
    DoesNotSupervise,
    /// An agent of the call cannot supervise it.
    #[error("you are in this call yourself")]
    OwnCall,
}
