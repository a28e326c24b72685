//! Consultation: the agent asks somebody while the caller hears music; then the caller goes there, all three
//! speak together, or the agent is back.

use crate::ids::LegId;
use crate::time::Timestamp;

use super::state::{
    Asked, Conference, Consultation, Hearing, Origin, Overriding, Party, Reaching, Second, Sent, State, Talk,
    Transfer, Wait,
};
use super::transfer::Named;
use super::{AgentReport, Call, Cause, Fact, Output, Outside, Progress, Prompt, Target, Whom};

impl Call {
    pub(super) fn on_consult(&mut self, by: LegId, own: Option<LegId>, to: Target, now: Timestamp) {
        let agent = self.talk().filter(|talk| talk.party.leg == by).and_then(|talk| talk.party.agent());
        let agent = agent.cloned();
        if let Some(leg) = own {
            self.note(Fact::Admitted { leg, agent: agent.clone(), replaces: None, at: now });
        }
        if let Err(cause) = self.may_send(by, &to) {
            return match own {
                Some(own) => self.hang_up(own, cause, now),
                None => self.refuse(by, cause),
            };
        }
        self.apart();
        let State::Talking(talk) = std::mem::replace(&mut self.state, State::Over) else { return };
        if let Some(by) = agent {
            let (call, Named { queue, agent, outside }) = (self.arrival.call, Named::target(&to));
            self.note(Fact::Consulted { call, by, queue, agent, outside, at: now });
        }
        self.play_to(self.caller, Prompt::Music);
        self.progress(own.unwrap_or(by), Progress::Trying);
        let until = now + talk.queue.ring_timeout;
        let asked = match to {
            Target::Agent(agent) => {
                self.put(Output::Claim { agent: agent.clone() });
                Some(Asked::Reaching(Reaching::Claiming { agent, until }))
            }
            // Nobody can leave the path of a consultation.
            Target::Outside(to) => self
                .dial(Whom::Outside(Outside { release: false, ..to }), now)
                .map(|party| Asked::Reaching(Reaching::Ringing { party, until })),
            Target::Queue { id, queue } => {
                let since = self.wait_name(now);
                let (priority, only) = (queue.priority, None);
                self.put(Output::Enqueue { queue: id.clone(), priority, only, since });
                Some(Asked::Waiting(Wait { id, queue, since, overflows: 0, hearing: Hearing::Music }))
            }
        };
        let second = own.map(Second::Calling);
        match asked {
            Some(asked) => {
                self.state = State::Consulting(Consultation { talk, second, asked });
                self.arm_if_granted();
            }
            None => self.back(talk, second, Cause::Internal, now),
        }
    }

    /// Who is asked has answered: the agent's second line is answered, too, and they speak.
    pub(super) fn on_asked_answered(&mut self, leg: LegId, now: Timestamp) {
        let State::Consulting(consultation) = &mut self.state else { return };
        let (parties, queued) = match &mut consultation.asked {
            Asked::Reaching(Reaching::Ringing { party, .. }) => (vec![party.clone()], false),
            Asked::Offering(_, offer) => (std::mem::take(&mut offer.parties), true),
            Asked::Reaching(Reaching::Claiming { .. }) | Asked::Waiting(_) | Asked::Speaking(_) => return,
        };
        let calling = match consultation.second {
            Some(Second::Calling(own)) => Some(own),
            Some(Second::Answered(_)) | None => None,
        };
        let Some(party) = self.first_of(parties, leg, now) else { return };
        if let Some(leg) = calling {
            self.put(Output::AnswerLeg { leg });
        }
        self.report(&party, AgentReport::Connected);
        if queued {
            self.put(Output::Dequeue);
        }
        if let State::Consulting(consultation) = &mut self.state {
            consultation.second = consultation.second.map(|second| Second::Answered(second.leg()));
            consultation.asked = Asked::Speaking(party);
        }
        self.together();
    }

    pub(super) fn on_end_consultation(&mut self, by: LegId, now: Timestamp) {
        match &self.state {
            State::Consulting(consultation) if consultation.talk.party.leg == by => {
                self.end_consultation(None, now);
            }
            State::Conference(conference) if conference.talk.party.leg == by => self.third_leaves(None, now),
            State::Consulting(_)
            | State::Conference(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Talking(_)
            | State::Transferring(_)
            | State::Lost(_)
            | State::Over => self.refuse(by, Cause::Declined),
        }
    }

    /// The agent has asked enough. `second_gone`: by hanging up the second line.
    pub(super) fn end_consultation(&mut self, second_gone: Option<Cause>, now: Timestamp) {
        if !matches!(self.state, State::Consulting(_)) {
            return;
        }
        self.apart();
        let State::Consulting(consultation) = std::mem::replace(&mut self.state, State::Over) else { return };
        let Consultation { talk, second, asked } = consultation;
        self.let_go(asked, Cause::HungUp, now);
        if let Some(second) = second {
            match second_gone {
                Some(cause) => self.gone(second.leg(), cause, now),
                None => self.hang_up(second.leg(), Cause::HungUp, now),
            }
        }
        self.resume_talk(talk);
    }

    /// Who was asked cannot be had, or has hung up; that leg or claim is over.
    pub(super) fn consultation_over(&mut self, cause: Cause, now: Timestamp) {
        if !matches!(self.state, State::Consulting(_)) {
            return;
        }
        self.apart();
        let State::Consulting(consultation) = std::mem::replace(&mut self.state, State::Over) else { return };
        self.back(consultation.talk, consultation.second, cause, now);
    }

    fn back(&mut self, talk: Talk, second: Option<Second>, cause: Cause, now: Timestamp) {
        match second {
            Some(second) => self.hang_up(second.leg(), cause, now),
            None => self.progress(talk.party.leg, Progress::Failed(cause)),
        }
        self.resume_talk(talk);
    }

    /// Ends what there is of who is asked. They have been taken apart.
    pub(super) fn let_go(&mut self, asked: Asked, cause: Cause, now: Timestamp) {
        match asked {
            Asked::Reaching(reaching) => self.give_up(reaching, now),
            Asked::Waiting(_) => self.put(Output::Dequeue),
            Asked::Offering(_, offer) => self.cancel_offer(offer, now),
            Asked::Speaking(party) => {
                self.hang_up(party.leg, cause, now);
                self.report(&party, AgentReport::Finished);
            }
        }
    }

    pub(super) fn on_complete(&mut self, by: LegId, now: Timestamp) {
        match &self.state {
            State::Consulting(consultation) if consultation.talk.party.leg == by => self.complete(None, now),
            State::Conference(conference) if conference.talk.party.leg == by => self.agent_leaves(None, now),
            State::Consulting(_)
            | State::Conference(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Talking(_)
            | State::Transferring(_)
            | State::Lost(_)
            | State::Over => self.refuse(by, Cause::Declined),
        }
    }

    /// The caller goes to who is asked and the agent leaves, by word or (`gone`) by hanging up.
    pub(super) fn complete(&mut self, gone: Option<Cause>, now: Timestamp) {
        if !matches!(self.state, State::Consulting(_)) {
            return;
        }
        self.apart();
        let State::Consulting(consultation) = std::mem::replace(&mut self.state, State::Over) else { return };
        let Consultation { talk, second, asked } = consultation;
        self.drop_override_take();
        if let Some(second) = second {
            if matches!(second, Second::Answered(_)) {
                self.progress(second.leg(), Progress::Done);
            }
            self.hang_up(second.leg(), Cause::HungUp, now);
        }
        match asked {
            Asked::Speaking(party) => {
                self.note_sent(&talk, Named::party(&party), now);
                self.leave(&talk, gone, now);
                self.note(Fact::Connected { leg: party.leg, at: now });
                self.resume_talk(Talk::new(party, talk.queue_id, talk.queue, now));
            }
            Asked::Reaching(reaching) => self.complete_early(talk, reaching, gone, now),
            Asked::Waiting(wait) => {
                self.complete_waiting(&talk, &wait, gone, now);
                self.state = State::Waiting(wait);
            }
            Asked::Offering(wait, offer) => {
                self.complete_waiting(&talk, &wait, gone, now);
                self.state = State::Offering(wait, offer);
                self.arm_if_granted();
            }
        }
    }

    /// Semi-attended: a blind transfer from here on.
    fn complete_early(&mut self, talk: Talk, reaching: Reaching, gone: Option<Cause>, now: Timestamp) {
        self.note_sent(&talk, Named::reaching(&reaching), now);
        let origin = match gone {
            None => {
                let ringing = matches!(reaching, Reaching::Ringing { .. });
                let progress = if ringing { Progress::Ringing } else { Progress::Trying };
                self.progress(talk.party.leg, progress);
                Origin::Kept(talk)
            }
            Some(_) => self.origin_left(talk, gone, now),
        };
        self.state = State::Transferring(Transfer { origin, sent: Sent::Reaching(reaching) });
        self.arm_if_granted();
    }

    /// The agent of a transfer hangs up; it goes on.
    pub(super) fn origin_left(&mut self, talk: Talk, gone: Option<Cause>, now: Timestamp) -> Origin {
        self.leave(&talk, gone, now);
        let agent = talk.party.agent().cloned();
        Origin::Left { agent, queue_id: talk.queue_id, queue: talk.queue }
    }

    fn complete_waiting(&mut self, talk: &Talk, wait: &Wait, gone: Option<Cause>, now: Timestamp) {
        let named = Named { queue: Some(wait.id.clone()), ..Named::default() };
        self.note_sent(talk, named, now);
        self.note(Fact::Queued { call: self.arrival.call, queue: wait.id.clone(), at: now });
        self.leave(talk, gone, now);
    }

    pub(super) fn on_three_way(&mut self, by: LegId, now: Timestamp) {
        let speaking = matches!(&self.state, State::Consulting(consultation)
            if consultation.talk.party.leg == by && matches!(consultation.asked, Asked::Speaking(_)));
        if !speaking {
            return self.refuse(by, Cause::Declined);
        }
        self.apart();
        let State::Consulting(consultation) = std::mem::replace(&mut self.state, State::Over) else { return };
        let Consultation { mut talk, second, asked } = consultation;
        let Asked::Speaking(third) = asked else { return };
        if let Some(second) = second {
            // The second line is the one the agent listens to; phones put the first on hold for it.
            self.hang_up(talk.party.leg, Cause::HungUp, now);
            talk.party.leg = second.leg();
            self.note(Fact::Connected { leg: talk.party.leg, at: now });
        }
        self.note(Fact::Connected { leg: third.leg, at: now });
        self.state = State::Conference(Conference { talk, third });
        self.put(Output::StopPlay { leg: self.caller });
        self.arm_if_granted();
        self.together();
    }

    /// Of three, the agent's own party leaves: the other goes on with the caller.
    pub(super) fn agent_leaves(&mut self, gone: Option<Cause>, now: Timestamp) {
        let Some(Conference { talk, third }) = self.break_up() else { return };
        self.note_sent(&talk, Named::party(&third), now);
        self.leave(&talk, gone, now);
        self.go_on(Talk::new(third, talk.queue_id, talk.queue, now));
    }

    /// Of three, the third party leaves: the agent goes on with the caller.
    pub(super) fn third_leaves(&mut self, gone: Option<Cause>, now: Timestamp) {
        let Some(Conference { talk, third }) = self.break_up() else { return };
        self.part_with(&third, gone, now);
        self.go_on(talk);
    }

    fn part_with(&mut self, party: &Party, gone: Option<Cause>, now: Timestamp) {
        match gone {
            Some(cause) => self.gone(party.leg, cause, now),
            None => self.hang_up(party.leg, Cause::HungUp, now),
        }
        self.report(party, AgentReport::Finished);
    }

    fn break_up(&mut self) -> Option<Conference> {
        if !matches!(self.state, State::Conference(_)) {
            return None;
        }
        self.apart();
        match std::mem::replace(&mut self.state, State::Over) {
            State::Conference(conference) => Some(conference),
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Talking(_)
            | State::Transferring(_)
            | State::Consulting(_)
            | State::Lost(_)
            | State::Over => None,
        }
    }

    pub(super) fn go_on(&mut self, talk: Talk) {
        self.state = State::Talking(talk);
        self.arm_if_granted();
        self.together();
    }

    /// The agent's override ends with the agent; a take armed on it serves nobody else.
    pub(super) fn drop_override_take(&mut self) {
        if self.recorder.on_override() {
            self.close_take();
        }
        if let Some(talk) = self.talk_mut() {
            talk.overriding = Overriding::No;
        }
    }
}
