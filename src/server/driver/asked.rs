//! What people at their screens ask of a call: whether it can be done now, with a sentence if not, and who
//! did it for the audit log, where no fact of the call tells.

use tokio::sync::oneshot;

use crate::api::control::{Ask, Asker, Refusal, Where};
use crate::audit::{Class, cause_word};
use crate::call::{Cause, Input, NotNow, RecordingRequest, Request, Target};
use crate::consent::OverrideRefused;
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
        if answer.is_closed() {
            // Who asked was told that it was not done.
            return;
        }
        let told = match what {
            _ if self.over => return reply(answer, Err(Refusal::NoCall)),
            Ask::Supervise(mode) => return reply(answer, self.supervise(&who, mode)),
            Ask::Unsupervise => return reply(answer, self.unsupervise(&who)),
            Ask::Revoke => return reply(answer, self.revoke(&who)),
            Ask::Transfer(to) => self.ask_transfer(&who, &to),
            Ask::Consult(to) => self.ask_consult(&who, &to),
            Ask::Complete => self.ask_of_asked(&who, OfAsked::Complete),
            Ask::ThreeWay => self.ask_of_asked(&who, OfAsked::ThreeWay),
            Ask::EndConsultation => self.ask_of_asked(&who, OfAsked::Back),
            Ask::Pause => self.ask_recording(&who, |agent| RecordingRequest::Pause { agent }),
            Ask::Resume => self.ask_recording(&who, |agent| RecordingRequest::Resume { agent }),
            Ask::Override(reason) => {
                self.ask_recording(&who, |agent| RecordingRequest::Override { agent, reason })
            }
            Ask::Withdraw => {
                self.ask_recording(&who, |agent| RecordingRequest::Withdraw { entered_by: Some(agent) })
            }
        };
        match told {
            Ok((by, audit)) => self.asks.push(Pending { by, refused: None, answer, audit }),
            Err(refusal) => reply(answer, Err(refusal)),
        }
    }

    fn ask_transfer(&mut self, who: &Asker, to: &Where) -> Told {
        let (agent, by) = self.asker(who)?;
        let to = self.target_of(to)?;
        self.may(who, Request::Transfer { by: &agent, to: &to })?;
        self.tell(Input::Transfer { by, to });
        Ok((by, None))
    }

    fn ask_consult(&mut self, who: &Asker, to: &Where) -> Told {
        let (agent, by) = self.asker(who)?;
        let to = self.target_of(to)?;
        self.may(who, Request::Consult { by: &agent, to: &to })?;
        self.moves.consult = Some(Consult { by: by.n, own: None });
        self.tell(Input::Consult { by, own: None, to });
        Ok((by, None))
    }

    /// What is asked while there is somebody beside the caller.
    fn ask_of_asked(&mut self, who: &Asker, what: OfAsked) -> Told {
        let (agent, by) = self.asker(who)?;
        let agent = &agent;
        let (request, input, action) = match what {
            OfAsked::Complete => (Request::Complete { by: agent }, Input::Complete { by }, None),
            OfAsked::ThreeWay => {
                (Request::ThreeWay { by: agent }, Input::ThreeWay { by }, Some("call.three-way"))
            }
            OfAsked::Back => (
                Request::EndConsultation { by: agent },
                Input::EndConsultation { by },
                Some("call.consultation-ended"),
            ),
        };
        self.may(who, request)?;
        self.tell(input);
        Ok((by, action.map(|action| self.audited(who, Class::System, action))))
    }

    /// The caller's word, brought by somebody who is not in the call.
    fn revoke(&mut self, who: &Asker) -> Result<(), Refusal> {
        let told = self.audited(who, Class::Modify, "consent.revoked");
        self.shared.keep(vec![told]);
        self.tell(Input::Recording(RecordingRequest::Withdraw { entered_by: None }));
        Ok(())
    }

    fn ask_recording(&mut self, who: &Asker, what: impl FnOnce(AgentId) -> RecordingRequest) -> Told {
        let (agent, by) = self.asker(who)?;
        let what = what(agent.clone());
        let by_agent = &agent;
        let request = match &what {
            RecordingRequest::Pause { .. } => Request::Pause { by: by_agent },
            RecordingRequest::Resume { .. } => Request::Resume { by: by_agent },
            RecordingRequest::Override { reason, .. } => Request::Override { by: by_agent, reason },
            RecordingRequest::Withdraw { .. } => Request::Withdraw { by: by_agent },
        };
        self.may(who, request)?;
        if matches!(what, RecordingRequest::Withdraw { .. }) {
            self.withdrawn_by = Some(agent);
        }
        self.tell(Input::Recording(what));
        Ok((by, None))
    }

    /// The agent who asks, and the leg by which the call knows this agent.
    fn asker(&self, who: &Asker) -> Result<(AgentId, LegId), Refusal> {
        let agent = who.agent.clone().ok_or(Refusal::NoCall)?;
        let leg = self.leg_with_caller(&agent).ok_or(Refusal::NoCall)?;
        Ok((agent, self.main_leg(leg.n)))
    }

    fn target_of(&self, to: &Where) -> Result<Target, Refusal> {
        let trunk = self.legs.get(&self.call.caller().n).and_then(|leg| match &leg.party {
            Party::Caller(trunk) => trunk.as_ref(),
            Party::Agent(_) | Party::Outside(_) | Party::Supervisor => None,
        });
        self.shared.destination(to, trunk)
    }

    /// Whether the call would follow. An override that the settings forbid is audited: somebody tried to
    /// record against them.
    fn may(&mut self, who: &Asker, request: Request<'_>) -> Result<(), Refusal> {
        match self.call.may(&request) {
            Ok(()) => Ok(()),
            Err(NotNow::Override(OverrideRefused::NotAllowed)) => {
                let refused = self.audited(who, Class::Failure, "consent.override-refused");
                self.shared.keep(vec![refused]);
                Err(Refusal::Forbidden("the settings of the call's first queue allow no override".to_owned()))
            }
            Err(why) => Err(not_now(why.to_string())),
        }
    }

    fn audited(&self, who: &Asker, class: Class, action: &'static str) -> Change {
        Change::Audit(trail::asked(self.id, who.actor(), class, action, self.shared.clock.now()))
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

/// For which leg it was asked, and what the audit log gets besides the call's facts.
type Told = Result<(LegId, Option<Change>), Refusal>;

/// What is asked of a consultation or a conversation of three.
enum OfAsked {
    Complete,
    ThreeWay,
    Back,
}

fn reply(to: oneshot::Sender<Result<(), Refusal>>, answer: Result<(), Refusal>) {
    // Who asked may have given up waiting.
    let _gone = to.send(answer);
}
