//! Which leg plays which part, and the small words said of parties: reports, progress, the end of a leg.

use crate::ids::{AgentId, LegId};
use crate::time::Timestamp;

use super::state::{
    Asked, Consultation, Line, Origin, Party, Reaching, Second, Sent, State, Talk, Transfer, Who,
};
use super::{AgentReport, Call, Cause, Fact, Output, Progress, Whom};

/// What a live leg is in the call just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Caller,
    /// Rings.
    Ringing,
    /// Answered; the recording is about to be ready.
    Answered,
    /// Of the conversation's agent (or who is outside in the agent's place).
    Own,
    /// The agent's second line, not answered yet.
    Calling,
    /// The agent's second line.
    Second,
    /// Of the one who is consulted.
    Consulted,
    /// Of the third party.
    Third,
    /// Rings in the place of a lost one.
    Anew,
    /// A supervisor's.
    Supervisor,
}

/// Defines a walk over all who have a leg beside the caller and supervisors, each with the part played.
macro_rules! parties {
    ($name:ident, $iter:ident $(, $mut:tt)?) => {
        fn $name(&$($mut)? self) -> Vec<(Role, &$($mut)? Party)> {
            match self {
                Self::Offering(_, offer) => offer.parties.$iter().map(|party| (Role::Ringing, party)).collect(),
                Self::Joining(_, joining) => vec![(Role::Answered, &$($mut)? joining.party)],
                Self::Talking(talk) => vec![(Role::Own, &$($mut)? talk.party)],
                Self::Transferring(transfer) => {
                    let kept = match &$($mut)? transfer.origin {
                        Origin::Kept(talk) => Some((Role::Own, &$($mut)? talk.party)),
                        Origin::Left { .. } => None,
                    };
                    let target = match &$($mut)? transfer.sent {
                        Sent::Reaching(Reaching::Ringing { party, .. }) => Some((Role::Ringing, party)),
                        Sent::Answered(joining) => Some((Role::Answered, &$($mut)? joining.party)),
                        Sent::Reaching(Reaching::Claiming { .. }) | Sent::Referring { .. } => None,
                    };
                    kept.into_iter().chain(target).collect()
                }
                Self::Consulting(consultation) => {
                    let mut all = vec![(Role::Own, &$($mut)? consultation.talk.party)];
                    match &$($mut)? consultation.asked {
                        Asked::Reaching(Reaching::Ringing { party, .. }) => all.push((Role::Ringing, party)),
                        Asked::Reaching(Reaching::Claiming { .. }) | Asked::Waiting(_) => {}
                        Asked::Offering(_, offer) => {
                            all.extend(offer.parties.$iter().map(|party| (Role::Ringing, party)));
                        }
                        Asked::Speaking(party) => all.push((Role::Consulted, party)),
                    }
                    all
                }
                Self::Conference(conference) => vec![
                    (Role::Own, &$($mut)? conference.talk.party),
                    (Role::Third, &$($mut)? conference.third),
                ],
                Self::Lost(lost) => {
                    let own = match lost.line {
                        Line::Silent => Some((Role::Own, &$($mut)? lost.talk.party)),
                        Line::Gone | Line::Left => None,
                    };
                    let third = lost.third.$iter().map(|party| (Role::Third, party));
                    let anew = lost.anew.$iter().map(|party| (Role::Anew, party));
                    own.into_iter().chain(third).chain(anew).collect()
                }
                Self::Answering | Self::Welcoming(_) | Self::Closing(_) | Self::Asking { .. } | Self::Waiting(_) | Self::Over => {
                    Vec::new()
                }
            }
        }
    };
}

impl State {
    /// The one target that is being reached, of a transfer or a consultation.
    pub(super) const fn reaching(&self) -> Option<&Reaching> {
        match self {
            Self::Transferring(Transfer { sent: Sent::Reaching(reaching), .. })
            | Self::Consulting(Consultation { asked: Asked::Reaching(reaching), .. }) => Some(reaching),
            Self::Transferring(_)
            | Self::Consulting(_)
            | Self::Answering
            | Self::Welcoming(_)
            | Self::Closing(_)
            | Self::Asking { .. }
            | Self::Waiting(_)
            | Self::Offering(..)
            | Self::Joining(..)
            | Self::Talking(_)
            | Self::Conference(_)
            | Self::Lost(_)
            | Self::Over => None,
        }
    }

    parties!(parties, iter);
    parties!(parties_mut, iter_mut, mut);
}

impl Call {
    /// `None`: this leg is no live part of the call.
    pub(super) fn role(&self, leg: LegId) -> Option<Role> {
        if matches!(self.state, State::Over) {
            return None;
        }
        if leg == self.caller {
            return Some(Role::Caller);
        }
        if let State::Consulting(consultation) = &self.state {
            match consultation.second {
                Some(Second::Calling(own)) if own == leg => return Some(Role::Calling),
                Some(Second::Answered(own)) if own == leg => return Some(Role::Second),
                Some(_) | None => {}
            }
        }
        if self.talk().is_some_and(|talk| talk.supervisors.iter().any(|supervisor| supervisor.leg == leg)) {
            return Some(Role::Supervisor);
        }
        self.parties().into_iter().find(|(_, party)| party.leg == leg).map(|(role, _)| role)
    }

    /// All who have a leg beside the caller, an agent's second line and supervisors, each with the part played.
    pub(super) fn parties(&self) -> Vec<(Role, &Party)> {
        self.state.parties()
    }

    /// Who is on this leg, beside the caller.
    pub(super) fn party_mut(&mut self, leg: LegId) -> Option<&mut Party> {
        self.state.parties_mut().into_iter().find(|(_, party)| party.leg == leg).map(|(_, party)| party)
    }

    /// Whether this agent has a leg in the call already, or is about to be dialled.
    pub(super) fn has_agent(&self, agent: &AgentId) -> bool {
        // Who is lost is in the call also when the leg is gone.
        self.claiming() == Some(agent)
            || self.talk().is_some_and(|talk| talk.party.agent() == Some(agent))
            || self.parties().into_iter().any(|(_, party)| party.agent() == Some(agent))
    }

    /// The agent whom the queue was asked for.
    pub(super) fn claiming(&self) -> Option<&AgentId> {
        match self.state.reaching() {
            Some(Reaching::Claiming { agent, .. }) => Some(agent),
            Some(Reaching::Ringing { .. }) | None => None,
        }
    }

    /// The conversation under way or put aside, with its agent's pause and override.
    pub(super) const fn talk(&self) -> Option<&Talk> {
        match &self.state {
            State::Talking(talk) => Some(talk),
            State::Transferring(transfer) => match &transfer.origin {
                Origin::Kept(talk) => Some(talk),
                Origin::Left { .. } => None,
            },
            State::Consulting(consultation) => Some(&consultation.talk),
            State::Conference(conference) => Some(&conference.talk),
            State::Lost(lost) => Some(&lost.talk),
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Over => None,
        }
    }

    pub(super) const fn talk_mut(&mut self) -> Option<&mut Talk> {
        match &mut self.state {
            State::Talking(talk) => Some(talk),
            State::Transferring(transfer) => match &mut transfer.origin {
                Origin::Kept(talk) => Some(talk),
                Origin::Left { .. } => None,
            },
            State::Consulting(consultation) => Some(&mut consultation.talk),
            State::Conference(conference) => Some(&mut conference.talk),
            State::Lost(lost) => Some(&mut lost.talk),
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Over => None,
        }
    }

    /// Dials somebody; `None` when all leg numbers are used.
    pub(super) fn dial(&mut self, to: Whom, now: Timestamp) -> Option<Party> {
        let leg = self.admit_leg()?;
        self.put(Output::Dial { leg, to: to.clone() });
        self.note(Fact::Dialled { leg, to: to.clone(), at: now });
        let who = match to {
            Whom::Agent(agent) => Who::Agent(agent),
            Whom::Outside(outside) => Who::Outside(Some(outside.number)),
        };
        Some(Party { leg, who })
    }

    /// Ends a leg from our side.
    pub(super) fn hang_up(&mut self, leg: LegId, cause: Cause, now: Timestamp) {
        self.put(Output::Hangup { leg, cause });
        self.gone(leg, cause, now);
    }

    /// A leg has ended.
    pub(super) fn gone(&mut self, leg: LegId, cause: Cause, now: Timestamp) {
        self.holding.remove(&leg);
        self.alerting.remove(&leg);
        self.note(Fact::LegEnded { leg, at: now, cause });
    }

    /// Tells the queue how an agent fares; who is outside is none of its business.
    pub(super) fn report(&mut self, party: &Party, report: AgentReport) {
        if let Some(agent) = party.agent() {
            self.put(Output::AgentReport { agent: agent.clone(), report });
        }
    }

    pub(super) fn progress(&mut self, leg: LegId, progress: Progress) {
        self.put(Output::TransferProgress { leg, progress });
    }

    /// What was asked cannot be done now; told if whoever asked is still there.
    pub(super) fn refuse(&mut self, by: LegId, cause: Cause) {
        if self.role(by).is_some() {
            self.progress(by, Progress::Failed(cause));
        }
    }

    /// Gives up reaching a target.
    pub(super) fn give_up(&mut self, reaching: Reaching, now: Timestamp) {
        match reaching {
            // The queue has heard of the claim, or will before this report.
            Reaching::Claiming { agent, .. } => {
                self.given_up.push(agent.clone());
                self.put(Output::AgentReport { agent, report: AgentReport::Released });
            }
            Reaching::Ringing { party, .. } => {
                self.hang_up(party.leg, Cause::Cancelled, now);
                self.report(&party, AgentReport::Released);
            }
        }
    }
}
