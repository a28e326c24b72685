//! The end of a leg and of the call: nothing is left behind, whatever the moment.

use crate::consent::Standing;
use crate::ids::LegId;
use crate::time::Timestamp;

use super::roles::Role;
use super::state::{Consultation, Line, Lost, Origin, Party, Sent, State, Talk, Transfer};
use super::{AgentReport, Call, Cause, Fact, Output, Progress};

impl Call {
    pub(super) fn on_leg_gone(&mut self, leg: LegId, cause: Cause, now: Timestamp) {
        match self.role(leg) {
            None => {}
            Some(Role::Caller) => self.finish(Some((leg, cause)), cause, now),
            Some(Role::Ringing | Role::Answered) => self.on_party_gone(leg, cause, now),
            Some(Role::Own) => self.on_own_gone(leg, cause, now),
            Some(Role::Calling | Role::Second) => self.end_consultation(Some(cause), now),
            Some(Role::Consulted) => {
                if let Some(party) = self.party_mut(leg).cloned() {
                    self.gone(leg, cause, now);
                    self.report(&party, AgentReport::Finished);
                }
                self.consultation_over(cause, now);
            }
            Some(Role::Third) if matches!(self.state, State::Lost(_)) => {
                self.on_lost_third_gone(leg, cause, now);
            }
            Some(Role::Third) => self.third_leaves(Some(cause), now),
            Some(Role::Anew) => self.on_anew_gone(leg, cause, now),
            Some(Role::Supervisor) => {
                self.supervisor_leaves(leg, None, now);
                self.gone(leg, cause, now);
            }
        }
    }

    /// The conversation's agent has hung up, or who is outside in the agent's place.
    fn on_own_gone(&mut self, leg: LegId, cause: Cause, now: Timestamp) {
        match &self.state {
            State::Talking(_) => self.finish(Some((leg, cause)), Cause::OtherSideGone, now),
            State::Consulting(_) => self.complete(Some(cause), now),
            State::Conference(_) => self.agent_leaves(Some(cause), now),
            State::Lost(_) => self.on_lost_leg_gone(leg, cause, now),
            State::Transferring(_) => {
                let State::Transferring(transfer) = std::mem::replace(&mut self.state, State::Over) else {
                    return;
                };
                let origin = match transfer.origin {
                    Origin::Kept(talk) => self.origin_left(talk, Some(cause), now),
                    left @ Origin::Left { .. } => left,
                };
                self.state = State::Transferring(Transfer { origin, sent: transfer.sent });
            }
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Over => {}
        }
    }

    /// Ends the call. `gone` is the leg that ended from its own side, if one did.
    pub(super) fn finish(&mut self, gone: Option<(LegId, Cause)>, cause: Cause, now: Timestamp) {
        let caller = self.caller;
        let caller_gone = gone.is_some_and(|(leg, _)| leg == caller);
        match std::mem::replace(&mut self.state, State::Over) {
            State::Answering | State::Welcoming(_) => self.decide(self.opening(now).left(), None, now),
            State::Asking { dialogue, .. } if caller_gone => {
                let (decision, answered) = dialogue.left(now);
                self.decide(decision, Some(answered), now);
            }
            // Cut off by us while being asked: not recorded, but no answer to remember either.
            State::Asking { .. } => self.decide(self.opening(now).left(), None, now),
            // Nobody asked who was told at the door that it is closed.
            State::Closing(_) if matches!(self.standing, Standing::Open) => {
                self.decide(self.opening(now).left(), None, now);
            }
            State::Closing(_) => {}
            State::Waiting(_) => self.put(Output::Dequeue),
            State::Offering(_, offer) => self.cancel_offer(offer, now),
            State::Joining(_, joining) => {
                self.put(Output::Dequeue);
                self.part(joining.party, AgentReport::Released, gone, cause, now);
            }
            State::Talking(talk) => {
                self.unbridge();
                self.close_take();
                self.part_talk(talk, gone, cause, now);
            }
            State::Transferring(transfer) => self.finish_transfer(transfer, gone, cause, now),
            State::Consulting(consultation) => {
                let Consultation { talk, second, asked } = consultation;
                self.unbridge();
                self.let_go(asked, Cause::OtherSideGone, now);
                if let Some(second) = second {
                    self.hang_up(second.leg(), Cause::OtherSideGone, now);
                }
                self.part_talk(talk, gone, cause, now);
            }
            State::Conference(conference) => {
                self.unbridge();
                self.close_take();
                self.part_talk(conference.talk, gone, cause, now);
                self.part(conference.third, AgentReport::Finished, gone, cause, now);
            }
            State::Lost(lost) => self.finish_lost(lost, gone, cause, now),
            State::Over => return,
        }
        self.close_take(); // one that was armed for a conversation that does not come
        match gone {
            Some((leg, cause)) if leg == caller => self.gone(leg, cause, now),
            Some(_) | None => self.hang_up(caller, cause, now),
        }
        self.note(Fact::Ended { call: self.arrival.call, at: now, cause });
        self.flush();
        self.put(Output::Ended);
    }

    /// The caller is gone, or all end. A caller whom the network was asked to send on has gone there.
    fn finish_transfer(
        &mut self,
        transfer: Transfer,
        gone: Option<(LegId, Cause)>,
        cause: Cause,
        now: Timestamp,
    ) {
        let mut progress = Progress::Failed(if gone.is_some() { Cause::OtherSideGone } else { cause });
        match transfer.sent {
            Sent::Reaching(reaching) => self.give_up(reaching, now),
            Sent::Answered(joining) => {
                self.part(joining.party, AgentReport::Released, gone, cause, now);
            }
            Sent::Referring { .. } if cause == Cause::HungUp => progress = Progress::Done,
            Sent::Referring { .. } => {}
        }
        if let Origin::Kept(talk) = transfer.origin {
            self.progress(talk.party.leg, progress);
            self.part_talk(talk, gone, cause, now);
        }
    }

    fn finish_lost(&mut self, lost: Lost, gone: Option<(LegId, Cause)>, cause: Cause, now: Timestamp) {
        self.unbridge();
        self.close_take();
        let Lost { talk, third, line, anew, .. } = lost;
        if let Some(anew) = anew {
            self.hang_up(anew.leg, Cause::Cancelled, now);
        }
        match line {
            Line::Silent => self.part_talk(talk, gone, cause, now),
            Line::Gone | Line::Left => {
                self.end_supervision(&talk.supervisors, now);
                self.report(&talk.party, AgentReport::Finished);
            }
        }
        if let Some(third) = third {
            self.part(third, AgentReport::Finished, gone, cause, now);
        }
    }

    /// Parts with a conversation's agent, and with those who supervised it.
    fn part_talk(&mut self, talk: Talk, gone: Option<(LegId, Cause)>, cause: Cause, now: Timestamp) {
        self.end_supervision(&talk.supervisors, now);
        self.part(talk.party, AgentReport::Finished, gone, cause, now);
    }

    /// Parts with somebody who had answered.
    fn part(
        &mut self,
        party: Party,
        report: AgentReport,
        gone: Option<(LegId, Cause)>,
        cause: Cause,
        now: Timestamp,
    ) {
        match gone {
            Some((leg, cause)) if leg == party.leg => self.gone(leg, cause, now),
            // The caller's own reason to leave is no reason of the agent's leg.
            Some(_) => self.hang_up(party.leg, Cause::OtherSideGone, now),
            None => self.hang_up(party.leg, cause, now),
        }
        self.report(&party, report);
    }
}
