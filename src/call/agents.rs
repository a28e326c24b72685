//! The queue's half: waiting, what is heard meanwhile, ringing phones, who answers.

use std::time::Duration;

use crate::ids::{AgentId, LegId};
use crate::settings::OnRecordingFailure;
use crate::time::Timestamp;

use super::recording::Readiness;
use super::roles::Role;
use super::state::{
    Asked, Consultation, Hearing, Joining, Offer, Origin, Party, Reaching, State, Transfer, Wait,
};
use super::timer::ARM_LIMIT;
use super::{AgentReport, Call, Cause, Fact, Onward, Output, Progress, Prompt, Target, Whom};

/// How often a caller may be sent on from queue to queue because of waiting. Settings may form a ring of
/// queues; this ends it.
const MAX_OVERFLOWS: u8 = 8;

impl Call {
    /// Begins to wait, or waits elsewhere.
    pub(super) fn enqueue(&mut self, wait: Wait, only: Option<AgentId>, now: Timestamp) {
        self.note(Fact::Queued { call: self.arrival.call, queue: wait.id.clone(), at: now });
        self.put(Output::Enqueue {
            queue: wait.id.clone(),
            priority: wait.queue.priority,
            only,
            since: wait.since,
        });
        self.state = State::Waiting(wait);
    }

    /// Outcome, then "please wait" (unless a phone rings already), then music.
    pub(super) fn next_hearing(&mut self, after_outcome: Prompt, now: Timestamp) {
        let prompt = match &self.state {
            State::Waiting(wait) | State::Offering(wait, _) | State::Joining(wait, _) => match wait.hearing {
                Hearing::Outcome(_) => after_outcome,
                Hearing::Notice(_) => Prompt::Music,
                Hearing::Music => return,
            },
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Talking(_)
            | State::Transferring(_)
            | State::Consulting(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over => return,
        };
        self.hear(prompt, now);
    }

    /// Plays something to a waiting caller.
    fn hear(&mut self, prompt: Prompt, now: Timestamp) {
        let playing = self.play(prompt, now);
        if let State::Waiting(wait) | State::Offering(wait, _) | State::Joining(wait, _) = &mut self.state {
            wait.hearing = if prompt == Prompt::Music { Hearing::Music } else { Hearing::Notice(playing) };
        }
    }

    pub(super) fn on_position(&mut self, place: u32, now: Timestamp) {
        let State::Waiting(wait) = &self.state else { return };
        if matches!(wait.hearing, Hearing::Music) && wait.queue.position_every.is_some() {
            self.hear(Prompt::Position(u8::try_from(place).unwrap_or(u8::MAX)), now);
        }
    }

    /// The queue gave up on the caller, or on whoever was to be asked; nobody waits there any longer.
    pub(super) fn on_overflow(&mut self, to: Onward, since: Timestamp, now: Timestamp) {
        let wait = match &mut self.state {
            State::Waiting(wait) if wait.since == since => wait,
            State::Consulting(Consultation { asked: Asked::Waiting(wait), .. }) if wait.since == since => {
                return self.consultation_over(Cause::WaitedTooLong, now);
            }
            State::Waiting(_)
            | State::Consulting(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Offering(..)
            | State::Joining(..)
            | State::Talking(_)
            | State::Transferring(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over => return,
        };
        let hearing = wait.hearing;
        let (id, queue, only) = match to {
            Onward::To(Target::Queue { id, queue }) => (id, queue, None),
            Onward::To(Target::Agent(agent)) => (wait.id.clone(), wait.queue.clone(), Some(agent)),
            Onward::Closed => return self.closing(now),
            Onward::To(Target::Outside(_)) | Onward::End => {
                return self.finish(None, Cause::WaitedTooLong, now);
            }
        };
        let overflows = wait.overflows + 1;
        if overflows > MAX_OVERFLOWS {
            return self.finish(None, Cause::WaitedTooLong, now);
        }
        self.enqueue(Wait { id, queue, since, overflows, hearing }, only, now);
    }

    /// The queue chose agents. Whoever cannot be rung is given back at once; an offer for a wait that was left
    /// is void.
    pub(super) fn on_ring(&mut self, agents: Vec<AgentId>, since: Timestamp, now: Timestamp) {
        let known =
            |offer: &Offer, agent: &AgentId| offer.parties.iter().any(|party| party.agent() == Some(agent));
        let rejected = match &self.state {
            State::Waiting(wait) | State::Consulting(Consultation { asked: Asked::Waiting(wait), .. })
                if wait.since == since =>
            {
                return self.offer(agents, now);
            }
            State::Offering(wait, offer)
            | State::Consulting(Consultation { asked: Asked::Offering(wait, offer), .. })
                if wait.since == since =>
            {
                agents.into_iter().filter(|agent| !known(offer, agent)).collect()
            }
            State::Joining(wait, _) if wait.since == since => agents,
            State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Consulting(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Talking(_)
            | State::Transferring(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over => Vec::new(),
        };
        for agent in rejected {
            self.put(Output::AgentReport { agent, report: AgentReport::Released });
        }
    }

    fn offer(&mut self, mut agents: Vec<AgentId>, now: Timestamp) {
        agents.sort_unstable();
        agents.dedup();
        agents.retain(|agent| !self.has_agent(agent)); // has come in by another way meanwhile
        let mut parties = Vec::with_capacity(agents.len());
        for agent in agents {
            // Leg numbers are not reused; a caller who was offered 65,535 times is let wait.
            match self.dial(Whom::Agent(agent.clone()), now) {
                Some(party) => parties.push(party),
                None => {
                    self.put(Output::AgentReport { agent, report: AgentReport::Missed(Cause::Internal) });
                }
            }
        }
        if parties.is_empty() {
            return;
        }
        let offer = |wait: &Wait| Offer { parties, until: now + wait.queue.ring_timeout };
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Waiting(wait) => {
                let offer = offer(&wait);
                State::Offering(wait, offer)
            }
            State::Consulting(Consultation { talk, second, asked: Asked::Waiting(wait) }) => {
                let offer = offer(&wait);
                State::Consulting(Consultation { talk, second, asked: Asked::Offering(wait, offer) })
            }
            other @ (State::Consulting(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Offering(..)
            | State::Joining(..)
            | State::Talking(_)
            | State::Transferring(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over) => other,
        };
        self.arm_if_granted();
    }

    pub(super) fn on_ringing(&mut self, leg: LegId) {
        let role = self.role(leg);
        if !matches!(role, Some(Role::Ringing | Role::Anew)) {
            return;
        }
        self.alerting.insert(leg);
        if role == Some(Role::Anew) {
            return; // for the queue its agent talks
        }
        if let Some(party) = self.party_mut(leg).cloned() {
            self.report(&party, AgentReport::Ringing);
        }
        let asker = match &self.state {
            State::Transferring(Transfer { origin: Origin::Kept(talk), .. }) => Some(talk.party.leg),
            State::Consulting(consultation) => Some(consultation.leg()),
            State::Transferring(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Talking(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over => None,
        };
        if let Some(leg) = asker {
            self.progress(leg, Progress::Ringing);
        }
    }

    pub(super) fn on_answered(&mut self, leg: LegId, now: Timestamp) {
        if !matches!(self.role(leg), Some(Role::Ringing | Role::Anew)) {
            return;
        }
        self.alerting.remove(&leg);
        match &self.state {
            State::Offering(..) => self.on_agent_answered(leg, now),
            State::Transferring(_) => self.on_target_answered(now),
            State::Consulting(_) => self.on_asked_answered(leg, now),
            State::Lost(_) => self.on_anew_answered(leg, now),
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Joining(..)
            | State::Talking(_)
            | State::Conference(_)
            | State::Over => {}
        }
    }

    /// The first to answer has the call; the others stop ringing.
    fn on_agent_answered(&mut self, leg: LegId, now: Timestamp) {
        let State::Offering(wait, offer) = std::mem::replace(&mut self.state, State::Over) else { return };
        let Some(party) = self.first_of(offer.parties, leg, now) else { return };
        let drop_call = self.arrival.queue.on_recording_failure == OnRecordingFailure::DropCall;
        let readiness = self.readiness();
        self.state = State::Joining(wait, Joining { party, until: now + ARM_LIMIT });
        match readiness {
            Readiness::Wait => self.arm_if_granted(),
            Readiness::Failed if drop_call => self.finish(None, Cause::RecordingFailed, now),
            Readiness::Ready | Readiness::NotRecorded | Readiness::Failed => self.connect(now),
        }
    }

    /// Of phones that ring, the one that answered; the others are let go.
    pub(super) fn first_of(&mut self, parties: Vec<Party>, leg: LegId, now: Timestamp) -> Option<Party> {
        let mut answered = None;
        for party in parties {
            if party.leg == leg {
                answered = Some(party);
            } else {
                self.hang_up(party.leg, Cause::AnsweredElsewhere, now);
                self.report(&party, AgentReport::Released);
            }
        }
        answered
    }

    /// The recording is not ready in time. A call that must be recorded is dropped; another goes on, and the
    /// recording begins as soon as it can.
    pub(super) fn on_arm_overdue(&mut self, now: Timestamp) {
        if !self.awaits_take() {
            return;
        }
        let must = self.arrival.queue.on_recording_failure == OnRecordingFailure::DropCall;
        if must && self.recorder.is_open() {
            self.note(Fact::RecordingFailed { call: self.arrival.call, at: now });
            self.finish(None, Cause::RecordingFailed, now);
        } else {
            self.connect_answered(now);
        }
    }

    /// Nobody answered: all phones stop. The caller, or the agent who asks, waits on at the same place of a
    /// queue; where one target was meant, it failed.
    pub(super) fn on_ring_overdue(&mut self, now: Timestamp) {
        match self.state.reaching() {
            Some(Reaching::Claiming { agent, until }) => {
                let reaching = Reaching::Claiming { agent: agent.clone(), until: *until };
                self.give_up(reaching, now);
                return self.not_reached(Cause::NoAnswer, now);
            }
            Some(Reaching::Ringing { party, .. }) => {
                let party = party.clone();
                self.missed(&party, now);
                return self.not_reached(Cause::NoAnswer, now);
            }
            None => {}
        }
        if let State::Offering(_, offer)
        | State::Consulting(Consultation { asked: Asked::Offering(_, offer), .. }) = &mut self.state
        {
            for party in std::mem::take(&mut offer.parties) {
                self.missed(&party, now);
            }
            self.wait_on();
        }
    }

    fn missed(&mut self, party: &Party, now: Timestamp) {
        self.hang_up(party.leg, Cause::NoAnswer, now);
        self.report(party, AgentReport::Missed(Cause::NoAnswer));
    }

    /// A phone that rang, or was about to be connected, is gone.
    pub(super) fn on_party_gone(&mut self, leg: LegId, cause: Cause, now: Timestamp) {
        let Some(party) = self.party_mut(leg).cloned() else { return };
        self.gone(leg, cause, now);
        self.report(&party, AgentReport::Missed(cause));
        match &mut self.state {
            State::Offering(_, offer)
            | State::Consulting(Consultation { asked: Asked::Offering(_, offer), .. }) => {
                offer.parties.retain(|party| party.leg != leg);
                if offer.parties.is_empty() {
                    self.wait_on();
                }
            }
            State::Joining(..) => self.wait_on(),
            State::Transferring(_) | State::Consulting(_) => self.not_reached(cause, now),
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Talking(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over => {}
        }
    }

    /// Gives up an offer. Phones are silenced before the queue may ring them for another; the queue is left
    /// before they are given back, so that it does not offer this caller to them.
    pub(super) fn cancel_offer(&mut self, offer: Offer, now: Timestamp) {
        for party in &offer.parties {
            self.hang_up(party.leg, Cause::Cancelled, now);
        }
        self.put(Output::Dequeue);
        for party in &offer.parties {
            self.report(party, AgentReport::Released);
        }
    }

    /// Nobody rings any more: who waits waits on. The queue knows from the reports and keeps the place.
    fn wait_on(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Offering(wait, _) | State::Joining(wait, _) => State::Waiting(wait),
            State::Consulting(Consultation { talk, second, asked: Asked::Offering(wait, _) }) => {
                State::Consulting(Consultation { talk, second, asked: Asked::Waiting(wait) })
            }
            other @ (State::Consulting(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Talking(_)
            | State::Transferring(_)
            | State::Conference(_)
            | State::Lost(_)
            | State::Over) => other,
        };
    }

    /// A time for a new wait, which no other wait of this call has.
    pub(super) fn wait_name(&mut self, now: Timestamp) -> Timestamp {
        self.numbers.wait = now.max(self.numbers.wait + Duration::from_micros(1));
        self.numbers.wait
    }
}
