//! Supervisors: their phones are called, and the call knows them once they have answered.

use std::time::Duration;

use crate::api::control::{Asker, Mode, Refusal};
use crate::call::{Cause, Input, Request, Supervision, Whom};
use crate::ids::{AgentId, LegId};
use crate::sip::core::Command;
use crate::time::Timestamp;

use super::super::control::not_now;
use super::super::leg::Party;
use super::Driver;
use super::calling::Why;

/// How long a supervisor's phone rings; a page answers by itself.
const RINGS: Duration = Duration::from_secs(30);

/// A supervisor of this call.
pub(super) struct Supervisor {
    user: String,
    /// Whose phone it is.
    agent: AgentId,
    /// Whose conversation was asked for.
    of: Option<AgentId>,
    mode: Supervision,
    /// When the phone is given up; `None`: it has answered.
    until: Option<Timestamp>,
}

impl Driver {
    /// Takes part, or takes part in another way. Whether this user may at all, the HTTP side has checked.
    pub(super) fn supervise(&mut self, who: &Asker, mode: Mode) -> Result<(), Refusal> {
        let mode = supervision(mode);
        if let Some(one) =
            self.supervisors.values_mut().find(|one| one.user == who.user && one.until.is_some())
        {
            one.mode = mode;
            return Ok(());
        }
        let (by, agent) = (who.user.as_str(), who.agent.as_ref());
        let request = Request::Supervise { by, agent, mode };
        self.call.may(&request).map_err(|why| not_now(why.to_string()))?;
        if self.supervisors.values().any(|one| one.user == who.user) {
            self.tell(Input::Supervising { by: who.user.clone(), mode });
            return Ok(());
        }
        let Some(agent) = agent else {
            return Err(not_now("you have no phone: this user is no agent (settings: agent)"));
        };
        if self.shared.switchboard.call_of_agent(agent).is_some() {
            return Err(not_now("you are in a conversation yourself"));
        }
        if self.shared.phones.kind(agent).is_none() {
            return Err(not_now("your phone is not logged on"));
        }
        if !self.shared.switchboard.begins_supervising(agent) {
            return Err(not_now("you take part in another conversation: leave that first"));
        }
        let called = self.call_supervisor(who.user.clone(), agent.clone(), mode);
        if called.is_err() {
            self.shared.switchboard.ends_supervising(agent);
        }
        called
    }

    fn call_supervisor(&mut self, user: String, agent: AgentId, mode: Supervision) -> Result<(), Refusal> {
        let leg = self.call.admit_leg().ok_or_else(|| not_now("this call can take nobody more"))?;
        if !self.invite(leg, Party::Supervisor, Whom::Agent(agent.clone()), Why::Supervise) {
            return Err(not_now("there is no media port free: try again later"));
        }
        let until = Some(self.shared.clock.now() + RINGS);
        let of = self.call.agent().cloned();
        self.supervisors.insert(leg.n, Supervisor { user, agent, of, mode, until });
        Ok(())
    }

    /// A leg is dropped: if it was a supervisor's, the phone is free again.
    pub(super) fn supervises_no_more(&mut self, n: u16) {
        if let Some(one) = self.supervisors.remove(&n) {
            self.shared.switchboard.ends_supervising(&one.agent);
        }
    }

    /// Takes part no longer.
    pub(super) fn unsupervise(&mut self, who: &Asker) -> Result<(), Refusal> {
        let called = self.supervisors.iter().find(|(_, one)| one.user == who.user && one.until.is_some());
        if let Some((n, _)) = called {
            self.end_supervisor(*n, Cause::Cancelled);
            return Ok(());
        }
        let request = Request::Unsupervise { by: &who.user };
        self.call.may(&request).map_err(|why| not_now(why.to_string()))?;
        self.tell(Input::Unsupervise { by: who.user.clone() });
        Ok(())
    }

    /// Whether leg `n` is a supervisor's; if so, it has answered.
    pub(super) fn supervisor_answered(&mut self, n: u16) -> bool {
        let Some(one) = self.supervisors.get_mut(&n) else { return false };
        if one.of.as_ref() != self.call.agent() {
            // Another agent has the call by now, whom nobody asked to hear.
            self.end_supervisor(n, Cause::OtherSideGone);
            return true;
        }
        one.until = None;
        let leg = LegId { call: self.id, n };
        let (by, mode) = (one.user.clone(), one.mode);
        self.tell(Input::Supervise { leg, by, mode });
        true
    }

    /// When [`Self::end_unanswered`] is due.
    pub(super) fn supervisors_deadline(&self) -> Option<Timestamp> {
        self.supervisors.values().filter_map(|one| one.until).min()
    }

    /// Gives up supervisors' phones that rang long enough.
    pub(super) fn end_unanswered(&mut self, now: Timestamp) {
        let due = |one: &Supervisor| one.until.is_some_and(|until| until <= now);
        let over: Vec<u16> = self.supervisors.iter().filter(|(_, one)| due(one)).map(|(n, _)| *n).collect();
        for n in over {
            self.end_supervisor(n, Cause::NoAnswer);
        }
    }

    /// The call does not know this leg yet.
    fn end_supervisor(&mut self, n: u16, cause: Cause) {
        if let Some(leg) = self.legs.get(&n) {
            self.shared.send(Command::Hangup { dialog: leg.dialog, cause });
        }
        self.drop_leg(n);
    }
}

const fn supervision(mode: Mode) -> Supervision {
    match mode {
        Mode::Listen => Supervision::Listen,
        Mode::Whisper => Supervision::Whisper,
        Mode::Barge => Supervision::Barge,
    }
}
