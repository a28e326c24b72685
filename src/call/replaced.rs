//! Another dialog takes a leg's place (RFC 3891): another phone of the same agent, another agent, a pick-up of
//! what rings elsewhere, or the caller's own other phone.

use crate::ids::{AgentId, LegId};
use crate::time::Timestamp;

use super::roles::Role;
use super::state::{Hearing, Lost, Party, Pause, Second, State, Who};
use super::{AgentReport, Call, Cause, Fact, Prompt};

impl Call {
    pub(super) fn on_replaced(&mut self, old: LegId, new: LegId, agent: Option<AgentId>, now: Timestamp) {
        if self.role(new).is_some() {
            return; // said twice
        }
        let (whose, replaces) = (agent.clone(), Some(old));
        self.note(Fact::Admitted { leg: new, agent: whose, replaces, at: now });
        let party = Party { leg: new, who: agent.map_or(Who::Outside(None), Who::Agent) };
        let refused = match self.role(old) {
            None => Some(Cause::OtherSideGone),
            Some(Role::Calling | Role::Anew | Role::Supervisor) => Some(Cause::Declined),
            Some(Role::Caller | Role::Second) => None,
            Some(Role::Ringing | Role::Answered | Role::Own | Role::Consulted | Role::Third) => {
                self.elsewhere(old, &party).then_some(Cause::Busy)
            }
        };
        if let Some(cause) = refused {
            return self.hang_up(new, cause, now);
        }
        match self.role(old) {
            Some(Role::Caller) => self.replace_caller(new, now),
            Some(Role::Ringing) => self.pick_up(old, party, now),
            Some(Role::Second) => self.replace_second(new, now),
            Some(Role::Own) if matches!(self.state, State::Lost(_)) => self.found(party, now),
            Some(Role::Answered | Role::Own | Role::Consulted | Role::Third) => {
                self.replace_party(old, party, now);
            }
            Some(Role::Calling | Role::Anew | Role::Supervisor) | None => {}
        }
    }

    /// Whether the agent of `party` has another part in the call than on the leg `old`.
    fn elsewhere(&mut self, old: LegId, party: &Party) -> bool {
        let Some(agent) = party.agent() else { return false };
        let here = self.party_mut(old).is_some_and(|party| party.agent() == Some(agent));
        !here && self.has_agent(agent)
    }

    /// The caller speaks, or listens, on another leg. What was decided stays with the call.
    fn replace_caller(&mut self, new: LegId, now: Timestamp) {
        self.apart();
        let old = std::mem::replace(&mut self.caller, new);
        self.hang_up(old, Cause::AnsweredElsewhere, now);
        match &mut self.state {
            State::Answering => self.on_confirmed(now),
            State::Welcoming(playing) => {
                let prompt = playing.prompt;
                self.state = State::Welcoming(self.play(prompt, now));
            }
            State::Closing(playing) => {
                let prompt = playing.prompt;
                self.state = State::Closing(self.play(prompt, now));
            }
            State::Asking { playing, .. } => {
                if let Some(prompt) = playing.map(|playing| playing.prompt) {
                    let again = self.play(prompt, now);
                    if let State::Asking { playing, .. } = &mut self.state {
                        *playing = Some(again);
                    }
                }
            }
            State::Waiting(wait) | State::Offering(wait, _) | State::Joining(wait, _) => {
                let hearing = wait.hearing;
                self.hear_again(hearing, now);
            }
            State::Transferring(_) | State::Consulting(_) | State::Lost(Lost { third: None, .. }) => {
                self.play_to(new, Prompt::Music);
                // Those who speak meanwhile were taken apart for nothing; they go on.
                self.together();
            }
            State::Talking(_) | State::Conference(_) | State::Lost(Lost { third: Some(_), .. }) => {
                self.arm_if_granted();
                self.together();
            }
            State::Over => {}
        }
    }

    fn hear_again(&mut self, hearing: Hearing, now: Timestamp) {
        let again = match hearing {
            Hearing::Outcome(playing) => Hearing::Outcome(self.play(playing.prompt, now)),
            Hearing::Notice(playing) => Hearing::Notice(self.play(playing.prompt, now)),
            Hearing::Music => {
                self.play_to(self.caller, Prompt::Music);
                Hearing::Music
            }
        };
        if let State::Waiting(wait) | State::Offering(wait, _) | State::Joining(wait, _) = &mut self.state {
            wait.hearing = again;
        }
    }

    /// A phone that rings is answered on another: the one who picks up is the party now.
    fn pick_up(&mut self, old: LegId, party: Party, now: Timestamp) {
        let new = party.leg;
        let Some(place) = self.party_mut(old) else { return };
        let rang = std::mem::replace(place, party.clone());
        self.hang_up(old, Cause::AnsweredElsewhere, now);
        if rang.agent() != party.agent() {
            self.report(&rang, AgentReport::Released);
        }
        self.on_answered(new, now);
    }

    fn replace_second(&mut self, new: LegId, now: Timestamp) {
        self.apart();
        let State::Consulting(consultation) = &mut self.state else { return };
        let old = consultation.second.replace(Second::Answered(new));
        if let Some(old) = old {
            self.hang_up(old.leg(), Cause::AnsweredElsewhere, now);
        }
        self.together();
    }

    /// An agent's leg, or one outside, is another one now; perhaps another agent's.
    fn replace_party(&mut self, old: LegId, party: Party, now: Timestamp) {
        self.apart();
        let Some(place) = self.party_mut(old) else { return };
        let before = std::mem::replace(place, party.clone());
        self.hang_up(old, Cause::AnsweredElsewhere, now);
        let role = self.role(party.leg);
        let waits = role == Some(Role::Answered);
        if before.agent() != party.agent() {
            if role == Some(Role::Own) {
                self.new_hands(&before, now);
            }
            if !waits {
                self.report(&party, AgentReport::Connected);
            }
            self.report(&before, if waits { AgentReport::Released } else { AgentReport::Finished });
        }
        if matches!(role, Some(Role::Own | Role::Third)) {
            self.note(Fact::Connected { leg: party.leg, at: now });
        }
        self.arm_if_granted();
        self.together();
    }

    /// A pause and an override were the agent's who is gone, and supervisors listened to that agent.
    pub(super) fn new_hands(&mut self, before: &Party, now: Timestamp) {
        if matches!(self.talk().map(|talk| talk.pause), Some(Pause::Yes { .. })) {
            let (call, agent) = (self.arrival.call, before.agent().cloned());
            self.note(Fact::Paused { call, agent, on: false, at: now });
        }
        self.drop_override_take();
        if let Some(talk) = self.talk_mut() {
            talk.pause = Pause::No;
            talk.since = now;
            let supervisors = std::mem::take(&mut talk.supervisors);
            self.end_supervision(&supervisors, now);
        }
    }
}
