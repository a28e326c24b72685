//! An agent's phone that is gone without a goodbye: a page that is loaded anew, a network that is gone. The caller
//! hears music, or goes on with the third party, while the agent's phone is rung anew; then the conversation goes
//! on as it was, pause and override included. Only when nobody comes back the caller waits for another agent.

use std::time::Duration;

use crate::ids::LegId;
use crate::time::Timestamp;

use super::roles::Role;
use super::state::{Conference, Consultation, Hearing, Line, Lost, Party, State, Talk, Wait};
use super::timer::LOST_GRACE;
use super::transfer::Named;
use super::{AgentReport, Call, Cause, Fact, Output, Prompt, Whom};

impl Call {
    /// A conversation is kept for its agent; whoever else is lost is as good as gone.
    pub(super) fn on_lost(&mut self, leg: LegId, now: Timestamp) {
        let agents = match self.role(leg) {
            None | Some(Role::Caller) => false,
            Some(Role::Calling | Role::Second | Role::Supervisor) => true,
            Some(Role::Ringing | Role::Answered | Role::Own | Role::Anew | Role::Consulted | Role::Third) => {
                self.party_mut(leg).is_some_and(|party| party.agent().is_some())
            }
        };
        if !agents {
            return; // who is outside is ended by the media time-out
        }
        let kept = self.role(leg) == Some(Role::Own) && !matches!(self.state, State::Transferring(_));
        if kept { self.own_lost(now) } else { self.lost_for_good(leg, now) }
    }

    fn lost_for_good(&mut self, leg: LegId, now: Timestamp) {
        if self.role(leg) == Some(Role::Supervisor) {
            return self.supervisor_leaves(leg, Some(Cause::Unreachable), now);
        }
        if self.seats.iter().any(|seat| seat.leg == leg.n) {
            self.apart();
        }
        self.put(Output::Hangup { leg, cause: Cause::Unreachable });
        self.on_leg_gone(leg, Cause::Unreachable, now);
    }

    fn own_lost(&mut self, now: Timestamp) {
        if matches!(self.state, State::Lost(_)) {
            return; // said twice
        }
        self.apart();
        match std::mem::replace(&mut self.state, State::Over) {
            State::Talking(talk) => {
                self.play_to(self.caller, Prompt::Music);
                self.lose(talk, None, now);
            }
            State::Conference(Conference { talk, third }) => self.lose(talk, Some(third), now),
            State::Consulting(Consultation { talk, second, asked }) => {
                self.let_go(asked, Cause::OtherSideGone, now);
                if let Some(second) = second {
                    self.hang_up(second.leg(), Cause::OtherSideGone, now);
                }
                self.lose(talk, None, now);
            }
            other @ (State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Transferring(_)
            | State::Lost(_)
            | State::Over) => self.state = other,
        }
    }

    /// The agent of `talk` is waited for. Who was together has been taken apart.
    fn lose(&mut self, talk: Talk, third: Option<Party>, now: Timestamp) {
        let (call, leg) = (self.arrival.call, talk.party.leg);
        if let Some(agent) = talk.party.agent().cloned() {
            self.note(Fact::Lost { call, leg, agent, at: now });
        }
        self.state =
            State::Lost(Lost { talk, third, line: Line::Silent, anew: None, until: now + LOST_GRACE });
        self.ask_anew();
        self.arm_if_granted();
        self.together();
    }

    fn ask_anew(&mut self) {
        let State::Lost(Lost { talk, .. }) = &self.state else { return };
        if let Some(agent) = talk.party.agent().cloned() {
            let lost = talk.party.leg;
            self.put(Output::Reattach { agent, lost });
        }
    }

    /// The same leg speaks again.
    pub(super) fn on_back(&mut self, leg: LegId, now: Timestamp) {
        if let State::Lost(Lost { talk, line: Line::Silent, .. }) = &self.state
            && talk.party.leg == leg
        {
            let party = talk.party.clone();
            self.found(party, now);
        }
    }

    /// The agent's phone is rung anew. What comes too late is hung up; the call never knew it.
    pub(super) fn on_reattach(&mut self, leg: LegId, now: Timestamp) {
        if self.role(leg).is_some() {
            return; // said twice
        }
        if let State::Lost(lost) = &mut self.state
            && lost.anew.is_none()
            && let Some(agent) = lost.talk.party.agent().cloned()
        {
            lost.anew = Some(Party { leg, who: lost.talk.party.who.clone() });
            self.note(Fact::Dialled { leg, to: Whom::Agent(agent), at: now });
        } else {
            self.put(Output::Hangup { leg, cause: Cause::OtherSideGone });
        }
    }

    /// The phone that was rung anew answered.
    pub(super) fn on_anew_answered(&mut self, leg: LegId, now: Timestamp) {
        if let State::Lost(Lost { anew: Some(party), .. }) = &self.state
            && party.leg == leg
        {
            let party = party.clone();
            self.found(party, now);
        }
    }

    /// It did not. An agent who declines does not want the caller back; one who hung up on the old line besides was
    /// done with the call, and nothing was lost.
    pub(super) fn on_anew_gone(&mut self, leg: LegId, cause: Cause, now: Timestamp) {
        self.gone(leg, cause, now);
        let State::Lost(lost) = &mut self.state else { return };
        lost.anew = None;
        match (cause, lost.line, &lost.third) {
            (Cause::Declined, Line::Left, None) => self.finish(None, Cause::OtherSideGone, now),
            (Cause::Declined, Line::Left, Some(_)) => self.give_up_lost(None, AgentReport::Finished, now),
            (Cause::Declined, Line::Silent | Line::Gone, _) => self.lost_for_ever(now),
            (_, _, _) => self.ask_anew(),
        }
    }

    /// `party` speaks for the one who was lost: the agent, on the same leg or another; or somebody else who has
    /// taken the leg's place, whose pause and override it was not.
    pub(super) fn found(&mut self, party: Party, now: Timestamp) {
        let State::Lost(Lost { talk, .. }) = &self.state else { return };
        let before = talk.party.clone();
        let same = before.agent() == party.agent();
        self.apart();
        if !same {
            self.new_hands(&before, now);
        }
        let State::Lost(lost) = std::mem::replace(&mut self.state, State::Over) else { return };
        let Lost { mut talk, third, line, anew, .. } = lost;
        if let Some(anew) = anew.filter(|anew| anew.leg != party.leg) {
            self.hang_up(anew.leg, Cause::Cancelled, now);
        }
        if before.leg != party.leg && line == Line::Silent {
            self.hang_up(before.leg, Cause::AnsweredElsewhere, now);
        }
        let (call, lost, leg) = (self.arrival.call, before.leg, party.leg);
        match party.agent().cloned() {
            Some(agent) if same => self.note(Fact::Reattached { call, agent, lost, leg, at: now }),
            Some(_) | None => {
                self.report(&party, AgentReport::Connected);
                self.report(&before, AgentReport::Finished);
            }
        }
        if lost != leg {
            self.note(Fact::Connected { leg, at: now });
        }
        talk.party = party;
        self.state = match third {
            Some(third) => State::Conference(Conference { talk, third }),
            None => {
                self.put(Output::StopPlay { leg: self.caller });
                State::Talking(talk)
            }
        };
        self.arm_if_granted();
        self.together();
    }

    /// The lost leg ended by itself. A goodbye is one also now, but of a page that lets its old line go for the one it
    /// is rung on anew; anything else is what was known before.
    pub(super) fn on_lost_leg_gone(&mut self, leg: LegId, cause: Cause, now: Timestamp) {
        let State::Lost(lost) = &mut self.state else { return };
        match (cause, &lost.third, &lost.anew) {
            (Cause::HungUp, None, None) => self.finish(Some((leg, cause)), Cause::OtherSideGone, now),
            (Cause::HungUp, Some(_), None) => {
                self.give_up_lost(Some(cause), AgentReport::Finished, now);
            }
            (_, _, _) => {
                lost.line = if cause == Cause::HungUp { Line::Left } else { Line::Gone };
                self.gone(leg, cause, now);
            }
        }
    }

    /// Nobody came back in time: rest for the phone, and the caller goes on.
    pub(super) fn lost_for_ever(&mut self, now: Timestamp) {
        self.give_up_lost(None, AgentReport::Missed(Cause::Unreachable), now);
    }

    /// The caller goes on with the third party, or waits again where the lost agent was found: at the place of
    /// the arrival, for any agent. `gone`: the lost leg has ended just now.
    fn give_up_lost(&mut self, gone: Option<Cause>, report: AgentReport, now: Timestamp) {
        if !matches!(self.state, State::Lost(_)) {
            return;
        }
        self.apart();
        self.drop_override_take();
        let State::Lost(lost) = std::mem::replace(&mut self.state, State::Over) else { return };
        let Lost { talk, third, line, anew, .. } = lost;
        if let Some(third) = &third {
            self.note_sent(&talk, Named::party(third), now);
        }
        self.end_of_talk(&talk, now);
        if let Some(anew) = anew {
            self.hang_up(anew.leg, Cause::Cancelled, now);
        }
        match (gone, line) {
            (Some(cause), _) => self.gone(talk.party.leg, cause, now),
            (None, Line::Silent) => self.hang_up(talk.party.leg, Cause::Unreachable, now),
            (None, Line::Gone | Line::Left) => {}
        }
        self.report(&talk.party, report);
        match third {
            Some(third) => self.go_on(Talk::new(third, talk.queue_id, talk.queue, now)),
            None => {
                let (id, queue, since) = (talk.queue_id, talk.queue, self.old_place());
                self.enqueue(Wait { id, queue, since, overflows: 0, hearing: Hearing::Music }, None, now);
            }
        }
    }

    /// While the agent is lost the third party goes, too.
    pub(super) fn on_lost_third_gone(&mut self, leg: LegId, cause: Cause, now: Timestamp) {
        self.apart();
        let State::Lost(lost) = &mut self.state else { return };
        let Some(third) = lost.third.take() else { return };
        self.gone(leg, cause, now);
        self.report(&third, AgentReport::Finished);
        self.play_to(self.caller, Prompt::Music);
        self.arm_if_granted();
    }

    /// The place of the arrival, a microsecond later each time, since it names the wait.
    fn old_place(&mut self) -> Timestamp {
        self.numbers.returns += 1;
        self.since + Duration::from_micros(self.numbers.returns)
    }
}
