//! The conversation: putting legs together, taking them apart, hold, leaving.

use crate::ids::LegId;
use crate::media::{Seat, Voice};
use crate::time::Timestamp;

use super::state::{Asked, Conference, Lost, State, Talk};
use super::{AgentReport, Call, Cause, Fact, Output, Progress, Prompt};

impl Call {
    /// Connects the caller and the agent who answered. Capturing begins before the bridge, so that no word is
    /// missed; the queue is told of the agent first, so that leaving it does not set the agent free.
    pub(super) fn connect(&mut self, now: Timestamp) {
        if !matches!(self.state, State::Joining(..)) {
            return;
        }
        let State::Joining(wait, joining) = std::mem::replace(&mut self.state, State::Over) else { return };
        let party = joining.party.clone();
        self.state = State::Talking(Talk::new(joining.party, wait.id, wait.queue, now));
        self.put(Output::StopPlay { leg: self.caller });
        self.together();
        self.report(&party, AgentReport::Connected);
        self.put(Output::Dequeue);
        self.note(Fact::Connected { leg: party.leg, at: now });
    }

    /// Puts together who is to speak with whom now, the recording first.
    pub(super) fn together(&mut self) {
        match &self.state {
            State::Talking(talk) => {
                let (leg, seats) = (talk.party.leg, self.seats_of(talk, None));
                self.start_if_armed();
                match seats.len() {
                    2 => self.bridge(self.caller, leg),
                    _ => self.join(seats),
                }
            }
            State::Conference(Conference { talk, third }) => {
                let seats = self.seats_of(talk, Some(third.leg));
                self.start_if_armed();
                self.join(seats);
            }
            State::Lost(Lost { third: Some(third), .. }) => {
                let leg = third.leg;
                self.start_if_armed();
                self.bridge(self.caller, leg);
            }
            State::Consulting(consultation) => {
                if let Asked::Speaking(party) = &consultation.asked {
                    let (asks, asked) = (consultation.leg(), party.leg);
                    self.bridge(asks, asked);
                }
            }
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Transferring(_)
            | State::Lost(_)
            | State::Over => {}
        }
    }

    /// Takes apart who speaks with whom, and ends the take if the caller is one of them. Nobody hears
    /// anything then: go on at once.
    pub(super) fn apart(&mut self) {
        if self.seats.is_empty() {
            return;
        }
        let pair = self.pair();
        self.unbridge();
        if !matches!(self.state, State::Consulting(_)) {
            self.close_take();
        }
        if let Some((one, other)) = pair {
            for (holds, held) in [(one, other), (other, one)] {
                if self.holding.contains(&holds) {
                    self.put(Output::StopPlay { leg: held });
                }
            }
        }
    }

    /// The two who speak with each other; of them one who is held hears music.
    fn pair(&self) -> Option<(LegId, LegId)> {
        match &self.state {
            State::Talking(talk) => Some((self.caller, talk.party.leg)),
            State::Consulting(consultation) => match &consultation.asked {
                Asked::Speaking(party) => Some((consultation.leg(), party.leg)),
                Asked::Reaching(_) | Asked::Waiting(_) | Asked::Offering(..) => None,
            },
            State::Lost(lost) => lost.third.as_ref().map(|third| (self.caller, third.leg)),
            State::Conference(_)
            | State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Transferring(_)
            | State::Over => None,
        }
    }

    fn bridge(&mut self, one: LegId, other: LegId) {
        self.put(Output::Bridge { caller: one, agent: other });
        self.seats = [one, other].map(|leg| Seat { leg: leg.n, voice: Voice::All }).into();
        for (holds, held) in [(one, other), (other, one)] {
            if self.holding.contains(&holds) {
                self.play_to(held, Prompt::Music);
            }
        }
    }

    pub(super) fn join(&mut self, seats: Vec<Seat>) {
        self.seats.clone_from(&seats);
        self.put(Output::Join { seats });
    }

    pub(super) fn unbridge(&mut self) {
        if !self.seats.is_empty() {
            self.seats.clear();
            self.put(Output::Unbridge);
        }
    }

    /// The agent is with the caller again.
    pub(super) fn resume_talk(&mut self, talk: Talk) {
        self.state = State::Talking(talk);
        self.put(Output::StopPlay { leg: self.caller });
        self.arm_if_granted();
        self.together();
    }

    /// The conversation's agent leaves the caller to others. `gone`: has hung up already.
    pub(super) fn leave(&mut self, talk: &Talk, gone: Option<Cause>, now: Timestamp) {
        self.end_of_talk(talk, now);
        let leg = talk.party.leg;
        match gone {
            Some(cause) => self.gone(leg, cause, now),
            None => {
                self.progress(leg, Progress::Done);
                self.hang_up(leg, Cause::HungUp, now);
            }
        }
        self.report(&talk.party, AgentReport::Finished);
    }

    /// What ends with a conversation: the pause was the agent's, and supervisors listened to that agent.
    pub(super) fn end_of_talk(&mut self, talk: &Talk, now: Timestamp) {
        if talk.paused() {
            let (call, agent) = (self.arrival.call, talk.party.agent().cloned());
            self.note(Fact::Paused { call, agent, on: false, at: now });
        }
        self.end_supervision(&talk.supervisors, now);
    }

    /// One party put the others on hold or took them back. Of two, the held one hears music.
    pub(super) fn on_hold(&mut self, leg: LegId, on: bool) {
        if self.role(leg).is_none() {
            return;
        }
        let changed = if on { self.holding.insert(leg) } else { self.holding.remove(&leg) };
        if !changed {
            return;
        }
        // Outside a conversation of two it is remembered for the one to come.
        let held = self.pair().and_then(|(one, other)| other_of(leg, one, other));
        self.reseat();
        match held {
            Some(held) if on => drop(self.play_to(held, Prompt::Music)),
            Some(held) => self.put(Output::StopPlay { leg: held }),
            None => {}
        }
        self.follow_quiet();
    }
}

/// Who of two is not `leg`.
fn other_of(leg: LegId, one: LegId, other: LegId) -> Option<LegId> {
    if leg == one { Some(other) } else { (leg == other).then_some(one) }
}
