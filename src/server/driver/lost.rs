//! Phones that go without a goodbye: a page that is loaded anew, a network that is gone. An agent's is waited
//! for and called again when it is back; any other's leg ends.

use std::time::Duration;

use crate::call::{Cause, Input, Phase, Whom};
use crate::ids::{AgentId, LegId};
use crate::sip::core::{Command, Media};
use crate::time::Timestamp;

use super::super::leg::{Leg, Party};
use super::Driver;
use super::calling::Why;

/// A phone whose connection closed so long ago and that falls silent now is gone for that reason; later it is
/// only a silence.
const SAME_CAUSE: Duration = Duration::from_secs(10);
/// Silence beyond the engine's own 1.5 s, with the connection still open, after which an agent's phone is
/// taken for gone: longer than a usual change of network access takes to be seen by ICE.
const SILENCE: Duration = Duration::from_millis(1_500);
/// The same for one that was never heard: ICE by a relay over TCP takes its time, and a page that is gone has
/// closed its connection.
const SLOW: Duration = Duration::from_secs(8);
/// A phone that need not send says nothing by its silence: its closed connection has so long to come back, and to
/// ask for something in the dialog. That it registers proves nothing: so does a page that was loaded anew.
const MUTE: Duration = Duration::from_secs(3);
/// A phone that was called anew and has not even begun to ring is called once more after so long: the
/// connection it was called on may be dead, and another have come.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// An agent's phone is to be called anew.
#[derive(Debug)]
pub(super) struct Reattach {
    agent: AgentId,
    /// The leg that was lost.
    lost: LegId,
    /// The leg it is called on.
    called: Option<Called>,
    /// It was called before, and that came to nothing: only a phone that registers is called again.
    waits: bool,
}

#[derive(Debug)]
struct Called {
    leg: LegId,
    /// When it is given up; `None`: it rings.
    until: Option<Timestamp>,
}

impl Driver {
    /// The connection a leg's phone signals on has closed.
    pub(super) fn on_unreachable(&mut self, n: u16) {
        let now = self.shared.clock.now();
        let Some(leg) = self.legs.get_mut(&n).filter(|leg| leg.is_rtc() && leg.confirmed) else { return };
        leg.presence.unreachable = Some(now);
        if leg.presence.silent {
            leg.presence.gone_at = Some(now);
        } else if leg.mute {
            leg.presence.gone_at = Some(now + MUTE);
        }
    }

    /// A WebRTC leg sends nothing, though it should.
    pub(super) fn on_silent(&mut self, n: u16) {
        let now = self.shared.clock.now();
        let Some(leg) = self.legs.get_mut(&n) else { return };
        leg.presence.silent = true;
        if !leg.confirmed {
            return; // it rings, with early media: told again when it has answered
        }
        let closed = leg.presence.unreachable.is_some_and(|at| now.since(at) < SAME_CAUSE);
        leg.presence.gone_at = match &leg.party {
            _ if closed => Some(now),
            Party::Agent(_) => Some(now + if leg.presence.heard { SILENCE } else { SLOW }),
            // For the others the usual media time-out counts.
            Party::Caller(_) | Party::Outside(_) | Party::Supervisor => None,
        };
    }

    /// A leg has answered that may have been silent all along.
    pub(super) fn still_silent(&mut self, n: u16) {
        if self.legs.get(&n).is_some_and(|leg| leg.presence.silent) {
            self.on_silent(n);
        }
    }

    /// It sends (again).
    pub(super) fn on_heard(&mut self, n: u16) {
        let Some(leg) = self.legs.get_mut(&n) else { return };
        leg.presence.heard = true;
        leg.presence.silent = false;
        leg.presence.gone_at = None;
        if std::mem::take(&mut leg.presence.lost) {
            self.tell(Input::AgentBack { leg: LegId { call: self.id, n } });
        }
    }

    /// A phone signals again that need not be heard.
    pub(super) fn signals_again(&mut self, n: u16) {
        if let Some(leg) = self.legs.get_mut(&n)
            && !leg.presence.silent
        {
            leg.presence.gone_at = None;
        }
    }

    /// When [`Self::look_for_the_lost`] is due.
    pub(super) fn lost_deadline(&self) -> Option<Timestamp> {
        let legs = self.legs.values().filter_map(|leg| leg.presence.gone_at).min();
        let called = self.moves.reattach.as_ref().and_then(|reattach| reattach.called.as_ref()?.until);
        legs.into_iter().chain(called).min()
    }

    /// Takes phones for gone whose time is over, and calls those again that do not answer.
    pub(super) fn look_for_the_lost(&mut self, now: Timestamp) {
        let due = |leg: &Leg| leg.presence.gone_at.is_some_and(|at| at <= now);
        let gone: Vec<u16> = self.legs.iter().filter(|(_, leg)| due(leg)).map(|(n, _)| *n).collect();
        for n in gone {
            self.lose(n);
        }
        let called = self.moves.reattach.as_mut().and_then(|reattach| {
            let called = reattach.called.take_if(|called| called.until.is_some_and(|until| until <= now))?;
            reattach.waits = false;
            Some(called.leg)
        });
        if let Some(leg) = called {
            self.give_up(leg);
        }
    }

    fn lose(&mut self, n: u16) {
        let Some(leg) = self.legs.get_mut(&n) else { return };
        leg.presence.gone_at = None;
        match leg.party {
            Party::Agent(_) => {
                metrics::counter!("sayso_agents_lost_total").increment(1);
                leg.presence.lost = true;
                self.tell(Input::AgentLost { leg: LegId { call: self.id, n } });
            }
            Party::Caller(_) | Party::Outside(_) | Party::Supervisor => self.fail_leg(n),
        }
    }

    /// The call wants the agent's phone called anew.
    pub(super) fn reattach(&mut self, agent: AgentId, lost: LegId) {
        let waits = match self.moves.reattach.take() {
            Some(before) if before.lost == lost => before.waits,
            Some(_) | None => false,
        };
        self.moves.reattach = Some(Reattach { agent, lost, called: None, waits });
        if !waits {
            self.call_anew();
        }
    }

    /// An agent of this call has a phone again, or another kind.
    pub(super) fn on_phone_is_back(&mut self, agent: &AgentId) {
        let Some(reattach) = self.moves.reattach.as_mut().filter(|reattach| reattach.agent == *agent) else {
            return;
        };
        reattach.waits = false;
        match reattach.called.take_if(|called| called.until.is_some()) {
            // The call will say it once more.
            Some(called) => self.give_up(called.leg),
            None => self.call_anew(),
        }
    }

    fn call_anew(&mut self) {
        if self.call.phase() != Phase::Lost {
            self.moves.reattach = None;
            return;
        }
        let Some(reattach) = &self.moves.reattach else { return };
        let agent = reattach.agent.clone();
        // Only pages are lost: a desk phone beside it would ring for a conversation it never had.
        if reattach.called.is_some() || self.shared.phones.kind(&agent) != Some(Media::Webrtc) {
            return;
        }
        let Some(leg) = self.call.admit_leg() else { return };
        let party = Party::Agent(agent.clone());
        if !self.invite(leg, party, Whom::Agent(agent), Why::Reattach) {
            return;
        }
        let until = Some(self.shared.clock.now() + ANSWERS_WITHIN);
        if let Some(reattach) = &mut self.moves.reattach {
            reattach.called = Some(Called { leg, until });
            reattach.waits = true;
        }
        self.tell(Input::Reattach { leg });
    }

    /// A phone that was called anew rings: it is there, and has its time.
    pub(super) fn rings_anew(&mut self, n: u16) {
        if let Some(called) = self.moves.reattach.as_mut().and_then(|reattach| reattach.called.as_mut())
            && called.leg.n == n
        {
            called.until = None;
        }
    }

    /// A leg is dropped: if it was the phone called anew, nothing is to be given up any more.
    pub(super) fn rings_no_more(&mut self, n: u16) {
        if let Some(reattach) = &mut self.moves.reattach {
            reattach.called.take_if(|called| called.leg.n == n);
        }
    }

    fn give_up(&mut self, leg: LegId) {
        if let Some(gone) = self.legs.get(&leg.n) {
            self.shared.send(Command::Hangup { dialog: gone.dialog, cause: Cause::NoAnswer });
        }
        self.drop_leg(leg.n);
        self.tell(Input::LegGone { leg, cause: Cause::NoAnswer });
    }
}
