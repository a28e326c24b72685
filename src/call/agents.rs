//! The queue's half: waiting, what is heard meanwhile, ringing phones, who answers.

use crate::ids::{AgentId, LegId};
use crate::settings::OnRecordingFailure;
use crate::time::Timestamp;

use super::recording::Readiness;
use super::state::{Hearing, Joining, Offer, Party, State, Wait};
use super::timer::ARM_LIMIT;
use super::{AgentReport, Call, Cause, Fact, Output, Prompt, Target, Whom};

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
            | State::Asking { .. }
            | State::Talking(_)
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

    /// The queue gave up on the caller, who waits there no longer.
    pub(super) fn on_overflow(&mut self, to: Option<Target>, now: Timestamp) {
        let State::Waiting(wait) = &mut self.state else { return };
        let hearing = wait.hearing;
        let (id, queue, only) = match to {
            Some(Target::Queue { id, queue }) => (id, queue, None),
            Some(Target::Agent(agent)) => (wait.id.clone(), wait.queue.clone(), Some(agent)),
            Some(Target::Outside(_)) | None => return self.finish(None, Cause::WaitedTooLong, now),
        };
        let overflows = wait.overflows + 1;
        if overflows > MAX_OVERFLOWS {
            return self.finish(None, Cause::WaitedTooLong, now);
        }
        let since = wait.since;
        self.enqueue(Wait { id, queue, since, overflows, hearing }, only, now);
    }

    /// The queue chose agents. Whoever cannot be rung is given back at once.
    pub(super) fn on_ring(&mut self, agents: Vec<AgentId>, now: Timestamp) {
        if let State::Offering(_, offer) = &self.state
            && agents.iter().all(|agent| offer.parties.iter().any(|party| party.agent == *agent))
        {
            return; // said twice
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Waiting(wait) if !agents.is_empty() => self.offer(wait, agents, now),
            other @ (State::Answering
            | State::Welcoming(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Talking(_)
            | State::Over) => {
                self.state = other;
                for agent in agents {
                    self.put(Output::AgentReport { agent, report: AgentReport::Released });
                }
            }
        }
    }

    fn offer(&mut self, wait: Wait, mut agents: Vec<AgentId>, now: Timestamp) {
        agents.sort_unstable();
        agents.dedup();
        let mut parties = Vec::with_capacity(agents.len());
        for agent in agents {
            // Leg numbers are not reused; a caller who was offered 65,535 times is let wait.
            let Some(next) = self.numbers.leg.checked_add(1) else {
                self.put(Output::AgentReport { agent, report: AgentReport::Missed(Cause::Internal) });
                continue;
            };
            let leg = LegId { call: self.arrival.call, n: self.numbers.leg };
            self.numbers.leg = next;
            self.put(Output::Dial { leg, to: Whom::Agent(agent.clone()) });
            self.note(Fact::Dialled { leg, to: Whom::Agent(agent.clone()), at: now });
            parties.push(Party { leg, agent });
        }
        if parties.is_empty() {
            self.state = State::Waiting(wait);
            return;
        }
        let until = now + wait.queue.ring_timeout;
        self.state = State::Offering(wait, Offer { parties, until });
        self.arm_if_granted();
    }

    pub(super) fn on_agent_ringing(&mut self, leg: LegId) {
        let State::Offering(_, offer) = &self.state else { return };
        if let Some(party) = offer.parties.iter().find(|party| party.leg == leg) {
            let agent = party.agent.clone();
            self.put(Output::AgentReport { agent, report: AgentReport::Ringing });
        }
    }

    /// The first to answer has the call; the others stop ringing.
    pub(super) fn on_agent_answered(&mut self, leg: LegId, now: Timestamp) {
        let State::Offering(_, offer) = &self.state else { return };
        if !offer.parties.iter().any(|party| party.leg == leg) {
            return;
        }
        let State::Offering(wait, offer) = std::mem::replace(&mut self.state, State::Over) else { return };
        let mut answered = None;
        for party in offer.parties {
            if party.leg == leg {
                answered = Some(party);
            } else {
                self.hang_up(party.leg, Cause::AnsweredElsewhere, now);
                self.put(Output::AgentReport { agent: party.agent, report: AgentReport::Released });
            }
        }
        let Some(party) = answered else { return };
        let drop_call = self.arrival.queue.on_recording_failure == OnRecordingFailure::DropCall;
        let readiness = self.readiness();
        self.state = State::Joining(wait, Joining { party, until: now + ARM_LIMIT });
        match readiness {
            Readiness::Wait => self.arm_if_granted(),
            Readiness::Failed if drop_call => self.finish(None, Cause::RecordingFailed, now),
            Readiness::Ready | Readiness::NotRecorded | Readiness::Failed => self.connect(now),
        }
    }

    /// The recording is not ready in time. A call that must be recorded is dropped; another goes on, and the
    /// recording begins as soon as it can.
    pub(super) fn on_arm_overdue(&mut self, now: Timestamp) {
        if !matches!(self.state, State::Joining(..)) {
            return;
        }
        let must = self.arrival.queue.on_recording_failure == OnRecordingFailure::DropCall;
        if must && self.recorder.is_open() {
            self.note(Fact::RecordingFailed { call: self.arrival.call, at: now });
            self.finish(None, Cause::RecordingFailed, now);
        } else {
            self.connect(now);
        }
    }

    /// Nobody answered: all phones stop, the caller waits on at the same place.
    pub(super) fn on_ring_overdue(&mut self, now: Timestamp) {
        let State::Offering(_, offer) = &mut self.state else { return };
        for party in std::mem::take(&mut offer.parties) {
            self.hang_up(party.leg, Cause::NoAnswer, now);
            let report = AgentReport::Missed(Cause::NoAnswer);
            self.put(Output::AgentReport { agent: party.agent, report });
        }
        self.wait_on();
    }

    /// An agent's phone that rang, or was about to be connected, is gone.
    pub(super) fn on_party_gone(&mut self, leg: LegId, cause: Cause, now: Timestamp) {
        let party = match &mut self.state {
            State::Offering(_, offer) => {
                let Some(at) = offer.parties.iter().position(|party| party.leg == leg) else { return };
                offer.parties.remove(at)
            }
            State::Joining(_, joining) if joining.party.leg == leg => joining.party.clone(),
            State::Answering
            | State::Welcoming(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Joining(..)
            | State::Talking(_)
            | State::Over => return,
        };
        self.note(Fact::LegEnded { leg, at: now, cause });
        self.put(Output::AgentReport { agent: party.agent, report: AgentReport::Missed(cause) });
        if !matches!(&self.state, State::Offering(_, offer) if !offer.parties.is_empty()) {
            self.wait_on();
        }
    }

    /// Nobody rings any more: the caller waits on. The queue knows from the reports and keeps the place.
    fn wait_on(&mut self) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Offering(wait, _) | State::Joining(wait, _) => self.state = State::Waiting(wait),
            other @ (State::Answering
            | State::Welcoming(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Talking(_)
            | State::Over) => self.state = other,
        }
    }
}
