//! Legs that call in to a call under way: an agent's second line that asks somebody, and a phone that
//! takes another's place (RFC 3891).

use crate::call::{Cause, Input, Phase, Target};
use crate::ids::{AgentId, LegId};
use crate::sip::core::{Command, DialogId, Incoming, Source};

use super::super::ladder::line_of;
use super::super::leg::{Leg, Opened, Party};
use super::super::policy::Policy;
use super::super::switchboard::{Joining, Purpose};
use super::Driver;
use super::transfers::Consult;

impl Driver {
    pub(super) fn on_joining(&mut self, joining: Joining) {
        let Joining { incoming, purpose } = joining;
        let dialog = incoming.dialog;
        let taken = match purpose {
            _ if self.over => Err(481),
            Purpose::Replace(old) => self.replace(&incoming, old),
            Purpose::Consult(to) => self.consult(&incoming, to),
        };
        if let Err(status) = taken {
            tracing::info!(status, "a leg that called in was refused");
            self.shared.send(Command::Reject { dialog, status });
            self.shared.switchboard.remove_dialog(dialog);
        }
    }

    /// Answers a leg that takes another's place; the call is told when its ACK comes.
    fn replace(&mut self, incoming: &Incoming, old: DialogId) -> Result<(), u16> {
        let gone = self.leg_of(old).ok_or(481u16)?;
        let party = self.legs.get(&gone).and_then(|leg| successor(&leg.party, &incoming.source));
        let new = self.open_leg(incoming, party.ok_or(403u16)?)?;
        self.moves.replacing.insert(new.n, LegId { call: self.id, n: gone });
        self.answer(new.n);
        Ok(())
    }

    /// An agent in conversation calls somebody: the second line is a leg of this call.
    fn consult(&mut self, incoming: &Incoming, to: Target) -> Result<(), u16> {
        let Source::Agent(agent) = &incoming.source else { return Err(403) };
        let by = self.leg_with_caller(agent).ok_or(480u16)?;
        if self.call.phase() != Phase::Talking {
            return Err(486);
        }
        let own = self.open_leg(incoming, Party::Agent(agent.clone()))?;
        self.moves.consult = Some(Consult { by: by.n, own: Some(own.n) });
        // If the call will not, it hangs up the second line, and says why.
        self.tell(Input::Consult { by, own: Some(own), to });
        Ok(())
    }

    /// Opens media for a leg that calls in and prepares the answer to its offer.
    fn open_leg(&mut self, incoming: &Incoming, party: Party) -> Result<LegId, u16> {
        let leg = self.call.admit_leg().ok_or(503u16)?;
        let settings = self.shared.settings();
        let policy = Policy::of_source(&settings, &incoming.source);
        let opened = Opened::of_caller(&mut self.media, leg.n, incoming, &settings).map_err(|error| {
            tracing::error!(%error, "a leg that calls in cannot be taken");
            503u16
        })?;
        self.open.insert(leg.n);
        // What the caller speaks goes in front: nothing need be converted then.
        let first = self.legs.get(&self.call.caller().n).and_then(Leg::codec);
        let (calls_in, agreed) = match Leg::called(incoming, party, policy, opened, first) {
            Ok(called) => called,
            Err(error) => {
                self.media.remove_leg(leg.n);
                return Err(error.status());
            }
        };
        if let Some(agreed) = agreed {
            self.media.configure(leg.n, agreed);
        }
        let line = line_of(&calls_in.party, Some(&incoming.source));
        self.shared.ladders.leg(self.id, incoming.dialog, leg.n, line);
        self.legs.insert(leg.n, calls_in);
        self.account_for(leg.n);
        Ok(leg)
    }

    /// A leg that took another's place is confirmed: the call may know it.
    pub(super) fn on_replacement_confirmed(&mut self, n: u16, old: LegId) {
        let Some(leg) = self.legs.get(&n) else { return };
        if leg.codec().is_none() {
            return self.fail_leg(n);
        }
        let agent = leg.agent().cloned();
        let new = LegId { call: self.id, n };
        self.tell(Input::Replaced { old, new, agent });
    }

    /// The leg on which an agent speaks with the caller.
    pub(super) fn leg_with_caller(&self, agent: &AgentId) -> Option<LegId> {
        let of_agent = |n: &&u16| self.legs.get(n).is_some_and(|leg| leg.agent() == Some(agent));
        let together = self.moves.together.iter().find(of_agent);
        let n = together.or_else(|| self.legs.keys().find(of_agent))?;
        Some(LegId { call: self.id, n: *n })
    }

    /// Sends the 200 OK that a leg's INVITE waits for.
    pub(super) fn answer(&mut self, n: u16) {
        if let Some(leg) = self.legs.get_mut(&n)
            && let Some(sdp) = leg.answer.take()
        {
            self.shared.send(Command::Answer { dialog: leg.dialog, sdp });
        }
    }

    /// A leg whose SDP is of no use: ended by us, told to the call as unreachable.
    pub(super) fn fail_leg(&mut self, n: u16) {
        if let Some(leg) = self.legs.get(&n) {
            self.shared.send(Command::Hangup { dialog: leg.dialog, cause: Cause::Unreachable });
        }
        self.drop_leg(n);
        self.tell(Input::LegGone { leg: LegId { call: self.id, n }, cause: Cause::Unreachable });
    }
}

/// Whose leg it will be when `source` takes the place of `old`; `None`: it may not. A registered agent may
/// take an agent's place, a trunk that of a leg of its own.
fn successor(old: &Party, source: &Source) -> Option<Party> {
    match (old, source) {
        (Party::Agent(_), Source::Agent(agent)) => Some(Party::Agent(agent.clone())),
        (Party::Caller(Some(one)) | Party::Outside(one), Source::Trunk(other)) if one == other => {
            Some(old.clone())
        }
        (
            Party::Agent(_) | Party::Caller(_) | Party::Outside(_) | Party::Supervisor,
            Source::Agent(_) | Source::Trunk(_),
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_their_own_side_is_replaced() {
        let (bob, eve) = (Source::Agent("bob".into()), Source::Trunk("other".into()));
        let carrier = Source::Trunk("carrier".into());
        let caller = Party::Caller(Some("carrier".into()));
        let outside = Party::Outside("carrier".into());
        let ada = Party::Agent("ada".into());
        assert_eq!(successor(&ada, &bob), Some(Party::Agent("bob".into())));
        assert_eq!(successor(&ada, &carrier), None);
        assert_eq!(successor(&caller, &bob), None);
        assert_eq!(successor(&caller, &carrier), Some(caller.clone()));
        assert_eq!(successor(&outside, &carrier), Some(outside.clone()));
        assert_eq!(successor(&outside, &eve), None);
        assert_eq!(successor(&Party::Caller(None), &bob), None, "a phone's own call is nobody's to take");
    }
}
