//! What people at their screens ask of a call: whether it can be done now, with a sentence if not, and who
//! did it for the audit log, where no fact of the call tells.

use tokio::sync::oneshot;

use crate::api::control::{Ask, Asker, Refusal, Where};
use crate::api::view::Can;
use crate::audit::{Class, cause_word};
use crate::call::{Cause, Input, Phase, RecordingRequest, Target};
use crate::consent::{OverrideReason, OverrideRefused};
use crate::ids::{AgentId, LegId};
use crate::store::Change;

use super::super::control::not_now;
use super::super::leg::Party;
use super::super::switchboard::Asked;
use super::super::trail;
use super::Driver;
use super::transfers::Consult;

/// Something asked that the call has been told of; answered once it has said what is to be done.
pub(super) struct Pending {
    /// For whom; a failure told to this leg meanwhile is the answer.
    by: LegId,
    refused: Option<Cause>,
    answer: oneshot::Sender<Result<(), Refusal>>,
    audit: Option<Change>,
}

impl Driver {
    pub(super) fn on_asked(&mut self, asked: Asked) {
        let Asked { who, what, answer } = asked;
        match self.ask(&who, what) {
            Ok((by, audit)) => self.asks.push(Pending { by, refused: None, answer, audit }),
            Err(refusal) => reply(answer, Err(refusal)),
        }
    }

    /// Tells the call. `Ok`: for which leg it was asked, and what the audit log gets besides the call's facts.
    fn ask(&mut self, who: &Asker, what: Ask) -> Result<(LegId, Option<Change>), Refusal> {
        let agent = who.agent.as_ref().ok_or(Refusal::NoCall)?;
        let by = self.agents_leg(agent).ok_or(Refusal::NoCall)?;
        let now = self.shared.clock.now();
        let audited = |class, action| Some(Change::Audit(trail::asked(self.id, who.actor(), class, action, now)));
        let (input, audit) = match what {
            Ask::Transfer(to) => (Input::Transfer { by, to: self.target_for(by, &to)? }, None),
            Ask::Consult(to) => {
                let to = self.target_for(by, &to)?;
                self.moves.consult = Some(Consult { by: by.n, own: None });
                (Input::Consult { by, own: None, to }, None)
            }
            Ask::Complete => (Input::Complete { by: self.with_third(by)? }, None),
            Ask::ThreeWay => {
                (Input::ThreeWay { by: self.with_third(by)? }, audited(Class::System, "call.three-way"))
            }
            Ask::EndConsultation => {
                let audit = audited(Class::System, "call.consultation-ended");
                (Input::EndConsultation { by: self.with_third(by)? }, audit)
            }
            Ask::Pause => {
                self.allows(Can::Pause)?;
                (Input::Recording(RecordingRequest::Pause { agent: agent.clone() }), None)
            }
            Ask::Resume => {
                self.allows(Can::Resume)?;
                (Input::Recording(RecordingRequest::Resume { agent: agent.clone() }), None)
            }
            Ask::Override(reason) => {
                self.may_override(who, agent, &reason)?;
                (Input::Recording(RecordingRequest::Override { agent: agent.clone(), reason }), None)
            }
            Ask::Withdraw => {
                self.allows(Can::Withdraw)?;
                // The fact names the caller, whose consent it is; this tells who pressed the button.
                let audit = audited(Class::Modify, "consent.withdrawal-entered");
                (Input::Recording(RecordingRequest::Withdraw), audit)
            }
            Ask::Supervise(_) | Ask::Unsupervise => return Err(Refusal::NoCall),
        };
        self.tell(input);
        Ok((by, audit))
    }

    /// The leg by which the call knows an agent who takes part.
    fn agents_leg(&self, agent: &AgentId) -> Option<LegId> {
        let leg = self.leg_with_caller(agent)?;
        Some(self.main_leg(leg.n))
    }

    /// Where a call is to be sent, or who is to be asked, if that can be now.
    fn target_for(&self, by: LegId, to: &Where) -> Result<Target, Refusal> {
        match self.call.phase() {
            Phase::Talking => {}
            Phase::Consulting | Phase::Conference => {
                return Err(not_now("somebody is asked already: complete that, or go back to the caller first"));
            }
            Phase::Transferring => return Err(not_now("the call is being transferred already")),
            Phase::Answering
            | Phase::Welcome
            | Phase::Asking
            | Phase::Waiting
            | Phase::Ringing
            | Phase::Joining
            | Phase::Over => return Err(not_now("there is no conversation with the caller now")),
        }
        let trunk = self.legs.get(&self.call.caller().n).and_then(|leg| match &leg.party {
            Party::Caller(trunk) => trunk.as_ref(),
            Party::Agent(_) | Party::Outside(_) | Party::Supervisor => None,
        });
        let to = self.shared.destination(to, trunk)?;
        let own = self.legs.get(&by.n).and_then(|leg| leg.agent());
        match &to {
            Target::Agent(agent) if own == Some(agent) => {
                Err(Refusal::NoTarget("that is you: choose somebody else".to_owned()))
            }
            Target::Agent(_) | Target::Queue { .. } | Target::Outside(_) => Ok(to),
        }
    }

    /// `by`, while there is somebody beside the caller.
    fn with_third(&self, by: LegId) -> Result<LegId, Refusal> {
        match self.call.phase() {
            Phase::Consulting | Phase::Conference => Ok(by),
            Phase::Answering
            | Phase::Welcome
            | Phase::Asking
            | Phase::Waiting
            | Phase::Ringing
            | Phase::Joining
            | Phase::Talking
            | Phase::Transferring
            | Phase::Over => Err(not_now("nobody is being asked in this call")),
        }
    }

    fn allows(&self, what: Can) -> Result<(), Refusal> {
        let _ = what;
        Ok(())
    }

    /// A refusal by policy is audited: somebody tried to record against it.
    fn may_override(&self, who: &Asker, agent: &AgentId, reason: &OverrideReason) -> Result<(), Refusal> {
        let Err(refused) = self.call.may_override(agent, reason) else { return Ok(()) };
        Err(match refused {
            OverrideRefused::NotAllowed => {
                let (now, action) = (self.shared.clock.now(), "consent.override-refused");
                let event = trail::asked(self.id, who.actor(), Class::Failure, action, now);
                self.shared.keep(vec![Change::Audit(event)]);
                Refusal::Forbidden("the settings of the call's first queue allow no override".to_owned())
            }
            OverrideRefused::NoReason | OverrideRefused::NotNeeded | OverrideRefused::Undecided => {
                not_now(refused.to_string())
            }
        })
    }

    /// A leg was told that what it asked for failed.
    pub(super) fn refuse_asks(&mut self, n: u16, cause: Cause) {
        for ask in self.asks.iter_mut().filter(|ask| ask.by.n == n) {
            ask.refused = Some(cause);
        }
    }

    /// The call has said all that comes of what was asked.
    pub(super) fn answer_asks(&mut self) {
        for Pending { refused, answer, audit, .. } in self.asks.drain(..) {
            match refused {
                Some(cause) => {
                    let why = format!("it could not be done now ({})", cause_word(cause));
                    reply(answer, Err(Refusal::NotNow(why)));
                }
                None => {
                    self.shared.keep(audit.into_iter().collect());
                    reply(answer, Ok(()));
                }
            }
        }
    }
}

fn reply(to: oneshot::Sender<Result<(), Refusal>>, answer: Result<(), Refusal>) {
    // Who asked may have given up waiting.
    let _gone = to.send(answer);
}
