//! Supervisors: they listen to an agent's conversation, whisper to the agent or speak with all. They belong to that
//! conversation: they hear it, and nothing else, whenever agent and caller are together, and go when it ends.

use crate::ids::LegId;
use crate::media::{Seat, Voice};
use crate::time::Timestamp;

use super::state::{Conference, State, Supervisor, Talk};
use super::{Call, Cause, Fact, NotNow, Output, Supervision};

/// How many may take part in one conversation: a trainer, a team lead and one more; each is mixed for.
pub const MAX_SUPERVISORS: usize = 3;

impl Call {
    /// A supervisor's part in this call, if that user has one.
    #[must_use]
    pub fn supervisor(&self, by: &str) -> Option<(LegId, Supervision)> {
        let found = self.talk()?.supervisors.iter().find(|supervisor| supervisor.by == by)?;
        Some((found.leg, found.mode))
    }

    /// Whether another supervisor has a place.
    pub(super) fn admits_supervisor(&self) -> Result<(), NotNow> {
        match self.talk() {
            Some(talk) if talk.party.agent().is_some() => {
                let full = talk.supervisors.len() >= MAX_SUPERVISORS;
                if full { Err(NotNow::TooManySupervisors) } else { Ok(()) }
            }
            Some(_) | None => Err(NotNow::NoConversation),
        }
    }

    /// The call never knows a leg that may not; it has heard nothing.
    pub(super) fn on_supervise(&mut self, leg: LegId, by: String, mode: Supervision, now: Timestamp) {
        if self.role(leg).is_some() {
            return; // said twice
        }
        let refused = match self.admits_supervisor() {
            Err(NotNow::NoConversation) => Some(Cause::OtherSideGone),
            Err(_) => Some(Cause::Busy),
            Ok(()) => self.supervisor(&by).map(|_| Cause::Busy),
        };
        if let Some(cause) = refused {
            return self.put(Output::Hangup { leg, cause });
        }
        let call = self.arrival.call;
        self.note(Fact::Supervised { call, leg, by: by.clone(), mode, was: None, at: now });
        if let Some(talk) = self.talk_mut() {
            talk.supervisors.push(Supervisor { leg, by, mode });
        }
    }

    pub(super) fn on_supervising(&mut self, by: String, mode: Supervision, now: Timestamp) {
        let call = self.arrival.call;
        let Some(talk) = self.talk_mut() else { return };
        let Some(found) = talk.supervisors.iter_mut().find(|supervisor| supervisor.by == by) else { return };
        if found.mode == mode {
            return;
        }
        let (leg, was) = (found.leg, Some(std::mem::replace(&mut found.mode, mode)));
        self.note(Fact::Supervised { call, leg, by, mode, was, at: now });
        self.reseat();
    }

    pub(super) fn on_unsupervise(&mut self, by: &str, now: Timestamp) {
        if let Some((leg, _)) = self.supervisor(by) {
            self.supervisor_leaves(leg, None, now);
            self.hang_up(leg, Cause::HungUp, now);
        }
    }

    /// `cut`: the leg is to be ended for this cause.
    pub(super) fn supervisor_leaves(&mut self, leg: LegId, cut: Option<Cause>, now: Timestamp) {
        let Some(talk) = self.talk_mut() else { return };
        let Some(at) = talk.supervisors.iter().position(|supervisor| supervisor.leg == leg) else { return };
        let Supervisor { by, .. } = talk.supervisors.remove(at);
        self.reseat();
        self.note(Fact::SuperviseEnded { call: self.arrival.call, leg, by, at: now });
        if let Some(cause) = cut {
            self.hang_up(leg, cause, now);
        }
    }

    /// Their conversation is over, and has been taken apart.
    pub(super) fn end_supervision(&mut self, supervisors: &[Supervisor], now: Timestamp) {
        for Supervisor { leg, by, .. } in supervisors {
            let (call, by) = (self.arrival.call, by.clone());
            self.note(Fact::SuperviseEnded { call, leg: *leg, by, at: now });
            self.hang_up(*leg, Cause::OtherSideGone, now);
        }
    }

    /// Who hears whom in the conversation under way. While one of caller and agent holds the line they are not
    /// together: what either says then is for nobody's ears. Nor does anybody hear or speak before it is stored in which
    /// way: at a change that is silence for some milliseconds.
    pub(super) fn seats_of(&self, talk: &Talk, third: Option<LegId>) -> Vec<Seat> {
        let own = talk.party.leg;
        let together = ![self.caller, own].iter().any(|leg| self.holding.contains(leg));
        let heard =
            talk.supervisors.iter().filter(|who| together && !self.ledger.awaits_supervision(who.leg));
        let supervisors = heard.map(|who| Seat {
            leg: who.leg.n,
            voice: match who.mode {
                Supervision::Listen => Voice::Nobody,
                Supervision::Whisper => Voice::Only(own.n),
                Supervision::Barge => Voice::All,
            },
        });
        let parties = [Some(self.caller), Some(own), third].into_iter().flatten();
        parties.map(|leg| Seat { leg: leg.n, voice: Voice::All }).chain(supervisors).collect()
    }

    /// Supervisors have come, gone or changed, or the line is held or was taken back.
    pub(super) fn reseat(&mut self) {
        if self.seats.is_empty() {
            return;
        }
        let seats = match &self.state {
            State::Talking(talk) => self.seats_of(talk, None),
            State::Conference(Conference { talk, third }) => self.seats_of(talk, Some(third.leg)),
            State::Answering
            | State::Welcoming(_)
            | State::Closing(_)
            | State::Asking { .. }
            | State::Waiting(_)
            | State::Offering(..)
            | State::Joining(..)
            | State::Transferring(_)
            | State::Consulting(_)
            | State::Lost(_)
            | State::Over => return,
        };
        if seats != self.seats {
            self.join(seats);
        }
    }
}
