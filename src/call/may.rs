//! Whether a command would be followed now, for a clear answer to who gives it. The inputs themselves are never
//! answered: what may not be is not done.

use crate::consent::{OverrideReason, OverrideRefused};
use crate::ids::AgentId;

use super::state::{Asked, Origin, State, Transfer};
use super::{Call, Supervision, Target};

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
    /// See [`MAX_SUPERVISORS`](super::MAX_SUPERVISORS).
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

/// What an agent is about, as far as commands go.
enum Busy {
    /// With the caller.
    Talking,
    /// Asks somebody; `answered`: and speaks with them.
    Asking { answered: bool },
    /// With the caller and a third party.
    WithThird,
    /// On the way out: the caller is being sent on.
    Sending,
    /// The phone is gone.
    Lost,
}

impl Call {
    /// Whether a command would be followed now.
    ///
    /// # Errors
    /// Why it would not be.
    pub fn may(&self, request: &Request<'_>) -> Result<(), NotNow> {
        match request {
            Request::Pause { by } => self.may_pause(by),
            Request::Resume { by } => self.may_resume(by),
            Request::Override { by, reason } => {
                match self.busy(by)? {
                    Busy::Talking | Busy::WithThird => {}
                    Busy::Asking { .. } | Busy::Sending => return Err(NotNow::Apart),
                    Busy::Lost => return Err(NotNow::Lost),
                }
                self.may_override(by, reason).map_err(NotNow::Override)
            }
            Request::Withdraw { by } => {
                // The caller's word is taken at any moment, also by an agent who is not with the caller just now.
                match self.with_caller(by) {
                    Err(NotNow::NotYours) => Err(NotNow::NotYours),
                    Ok(_) | Err(_) => self.may_withdraw(),
                }
            }
            Request::Transfer { by, to } | Request::Consult { by, to } => match (self.busy(by)?, to) {
                (Busy::Talking, Target::Agent(agent)) if self.has_agent(agent) => Err(NotNow::InCallAlready),
                (Busy::Talking, Target::Agent(_) | Target::Queue { .. } | Target::Outside(_)) => Ok(()),
                (Busy::Asking { .. } | Busy::Sending, _) => Err(NotNow::Apart),
                (Busy::WithThird, _) => Err(NotNow::ThirdParty),
                (Busy::Lost, _) => Err(NotNow::Lost),
            },
            Request::Complete { by } | Request::EndConsultation { by } => match self.busy(by)? {
                Busy::Asking { .. } | Busy::WithThird => Ok(()),
                Busy::Talking | Busy::Sending => Err(NotNow::NobodyAsked),
                Busy::Lost => Err(NotNow::Lost),
            },
            Request::ThreeWay { by } => match self.busy(by)? {
                Busy::Asking { answered: true } => Ok(()),
                Busy::Asking { answered: false } => Err(NotNow::NotAnswered),
                Busy::WithThird => Err(NotNow::ThirdParty),
                Busy::Talking | Busy::Sending => Err(NotNow::NobodyAsked),
                Busy::Lost => Err(NotNow::Lost),
            },
            Request::Supervise { by, agent, mode } => self.may_supervise(by, *agent, *mode),
            Request::Unsupervise { by } => self.supervisor(by).map(drop).ok_or(NotNow::DoesNotSupervise),
        }
    }

    fn may_supervise(&self, by: &str, agent: Option<&AgentId>, mode: Supervision) -> Result<(), NotNow> {
        match self.supervisor(by) {
            Some((_, now)) if now == mode => return Err(NotNow::SupervisesAlready),
            Some(_) => return Ok(()),
            None => {}
        }
        if agent.is_some_and(|agent| self.has_agent(agent)) {
            return Err(NotNow::OwnCall);
        }
        self.admits_supervisor()
    }

    /// What the agent of the conversation is about.
    fn busy(&self, agent: &AgentId) -> Result<Busy, NotNow> {
        let own = self.talk().is_some_and(|talk| talk.party.agent() == Some(agent));
        match &self.state {
            State::Talking(_) if own => Ok(Busy::Talking),
            State::Conference(_) if own => Ok(Busy::WithThird),
            State::Consulting(consultation) if own => {
                Ok(Busy::Asking { answered: matches!(consultation.asked, Asked::Speaking(_)) })
            }
            State::Transferring(Transfer { origin: Origin::Kept(_), .. }) if own => Ok(Busy::Sending),
            State::Lost(_) if own => Ok(Busy::Lost),
            State::Talking(_)
            | State::Conference(_)
            | State::Consulting(_)
            | State::Transferring(_)
            | State::Lost(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Over => Err(NotNow::NotYours),
        }
    }
}
