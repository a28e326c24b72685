//! The end of a leg and of the call: nothing is left behind, whatever the moment.

use crate::ids::LegId;
use crate::time::Timestamp;

use super::state::{Party, State};
use super::{AgentReport, Call, Cause, Fact, Output};

impl Call {
    pub(super) fn on_leg_gone(&mut self, leg: LegId, cause: Cause, now: Timestamp) {
        if leg == self.caller() {
            return self.finish(Some((leg, cause)), cause, now);
        }
        match &self.state {
            State::Talking(talk) if talk.party.leg == leg => {
                self.finish(Some((leg, cause)), Cause::OtherSideGone, now);
            }
            State::Offering(..) | State::Joining(..) => self.on_party_gone(leg, cause, now),
            State::Answering
            | State::Welcoming(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Talking(_)
            | State::Over => {}
        }
    }

    /// Ends a leg from our side.
    pub(super) fn hang_up(&mut self, leg: LegId, cause: Cause, now: Timestamp) {
        self.put(Output::Hangup { leg, cause });
        self.note(Fact::LegEnded { leg, at: now, cause });
    }

    /// Ends the call. `gone` is the leg that ended from its own side, if one did.
    pub(super) fn finish(&mut self, gone: Option<(LegId, Cause)>, cause: Cause, now: Timestamp) {
        let caller = self.caller();
        let caller_gone = gone.is_some_and(|(leg, _)| leg == caller);
        match std::mem::replace(&mut self.state, State::Over) {
            State::Answering | State::Welcoming(_) => self.decide(self.opening(now).left(), None, now),
            State::Asking { dialogue, .. } if caller_gone => {
                let (decision, answered) = dialogue.left(now);
                self.decide(decision, Some(answered), now);
            }
            // Cut off by us while being asked: not recorded, but no answer to remember either.
            State::Asking { .. } => self.decide(self.opening(now).left(), None, now),
            State::Waiting(_) => self.put(Output::Dequeue),
            // Phones are silenced before the queue may ring them for another; the queue is left before they
            // are given back, so that it does not offer this caller to them.
            State::Offering(_, offer) => {
                for party in &offer.parties {
                    self.hang_up(party.leg, Cause::Cancelled, now);
                }
                self.put(Output::Dequeue);
                for Party { agent, .. } in offer.parties {
                    self.put(Output::AgentReport { agent, report: AgentReport::Released });
                }
            }
            State::Joining(_, joining) => {
                self.put(Output::Dequeue);
                self.part(joining.party, AgentReport::Released, gone, cause, now);
            }
            State::Talking(talk) => {
                self.put(Output::Unbridge);
                self.close_take();
                self.part(talk.party, AgentReport::Finished, gone, cause, now);
            }
            State::Over => return,
        }
        self.close_take(); // one that was armed for a conversation that does not come
        match gone {
            Some((leg, cause)) if leg == caller => self.note(Fact::LegEnded { leg, at: now, cause }),
            Some(_) | None => self.hang_up(caller, cause, now),
        }
        self.note(Fact::Ended { call: self.arrival.call, at: now, cause });
        self.flush();
        self.put(Output::Ended);
    }

    /// Parts with an agent who had answered.
    fn part(
        &mut self,
        party: Party,
        report: AgentReport,
        gone: Option<(LegId, Cause)>,
        cause: Cause,
        now: Timestamp,
    ) {
        match gone {
            Some((leg, cause)) if leg == party.leg => self.note(Fact::LegEnded { leg, at: now, cause }),
            // The caller's own reason to leave is no reason of the agent's leg.
            Some(_) => self.hang_up(party.leg, Cause::OtherSideGone, now),
            None => self.hang_up(party.leg, cause, now),
        }
        self.put(Output::AgentReport { agent: party.agent, report });
    }
}
