//! A call's dialogs: SIP events in, offers and answers, agents' phones dialled, legs dropped.

use crate::call::{Cause, Input};
use crate::ids::{AgentId, LegId};
use crate::media::DigitChannel;
use crate::sip::core::{Callee, Command, Event};

use super::super::leg::{Leg, is_hold};
use super::super::notice::What;
use super::super::switchboard::dialog_of;
use super::Driver;

impl Driver {
    pub(super) fn on_sip(&mut self, event: Event) {
        let Some(dialog) = dialog_of(&event) else { return };
        let Some(n) = self.legs.iter().find(|(_, leg)| leg.dialog == dialog).map(|(n, _)| *n) else { return };
        let leg = LegId { call: self.id, n };
        match event {
            Event::Confirmed { sdp, .. } => self.on_confirmed(n, sdp.as_deref()),
            Event::Reinvite { sdp, .. } => self.on_reinvite(n, sdp.as_deref()),
            Event::Digit { digit, .. } => self.on_digit(n, digit, DigitChannel::Info),
            Event::Ringing { .. } => {
                if let Some(agent) = self.legs.get(&n).and_then(|leg| leg.agent.clone()) {
                    self.shared.notices.tell(self.id, || What::Ringing(agent));
                }
                self.tell(Input::AgentRinging { leg });
            }
            Event::Answered { sdp, .. } => self.on_answered(n, sdp.as_deref()),
            Event::Reinvited { sdp, .. } => {
                if let Some(sdp) = sdp {
                    self.accept(n, &sdp);
                }
            }
            Event::Ended { cause, .. } => {
                self.drop_leg(n);
                self.tell(Input::LegGone { leg, cause });
            }
            Event::Refresh { .. } | Event::Refer { .. } | Event::ReferProgress { .. } => {}
            // Sorted out by the switchboard: they reach no call.
            Event::Incoming(_)
            | Event::Registered { .. }
            | Event::Stranger { .. }
            | Event::Spoofed { .. }
            | Event::LoginFailed { .. }
            | Event::TrunkRegistered { .. }
            | Event::Limited { .. } => {}
        }
    }

    /// An ACK: settles the caller's dialog, and carries the answer when we had to offer.
    fn on_confirmed(&mut self, n: u16, sdp: Option<&[u8]>) {
        if sdp.is_some_and(|sdp| !self.accept(n, sdp)) {
            return self.fail_leg(n);
        }
        let Some(leg) = self.legs.get_mut(&n) else { return };
        let first = !std::mem::replace(&mut leg.confirmed, true);
        if first && leg.agent.is_none() {
            if leg.codec().is_none() {
                return self.fail_leg(n);
            }
            self.tell(Input::CallerConfirmed);
        }
    }

    fn on_answered(&mut self, n: u16, sdp: Option<&[u8]>) {
        if !sdp.is_some_and(|sdp| self.accept(n, sdp)) {
            return self.fail_leg(n);
        }
        if let Some(leg) = self.legs.get_mut(&n) {
            leg.confirmed = true;
        }
        self.tell(Input::AgentAnswered { leg: LegId { call: self.id, n } });
    }

    fn on_reinvite(&mut self, n: u16, offer: Option<&[u8]>) {
        let Some(leg) = self.legs.get_mut(&n) else { return };
        let dialog = leg.dialog;
        let Some(offer) = offer else {
            let sdp = leg.offer(None);
            return self.shared.send(Command::AcceptReinvite { dialog, sdp });
        };
        match leg.answer(offer) {
            Ok((sdp, agreed)) => {
                let holding = is_hold(&agreed);
                let changed = std::mem::replace(&mut leg.holding, holding) != holding;
                self.media.configure(n, agreed);
                self.shared.send(Command::AcceptReinvite { dialog, sdp });
                if changed {
                    self.tell(Input::Hold { leg: LegId { call: self.id, n }, on: holding });
                }
            }
            Err(error) => {
                tracing::info!(%error, "re-INVITE refused");
                self.shared.send(Command::RejectReinvite { dialog, status: 488 });
            }
        }
    }

    /// Takes an answer to our offer into the media; `false` when it cannot be used.
    fn accept(&mut self, n: u16, sdp: &[u8]) -> bool {
        let Some(leg) = self.legs.get_mut(&n) else { return false };
        match leg.accept(sdp) {
            // No offer of ours is open: SDP where none belongs is left unread.
            None => true,
            Some(Ok(agreed)) => {
                self.media.configure(n, agreed);
                true
            }
            Some(Err(error)) => {
                tracing::info!(%error, "an SDP answer cannot be used");
                false
            }
        }
    }

    /// A leg whose SDP is of no use: ended by us, told to the call as unreachable.
    fn fail_leg(&mut self, n: u16) {
        if let Some(leg) = self.legs.get(&n) {
            self.shared.send(Command::Hangup { dialog: leg.dialog, cause: Cause::Unreachable });
        }
        self.drop_leg(n);
        self.tell(Input::LegGone { leg: LegId { call: self.id, n }, cause: Cause::Unreachable });
    }

    pub(super) fn dial(&mut self, leg: LegId, agent: AgentId) {
        let local = match self.media.add_leg(leg.n) {
            Ok(local) => local,
            Err(error) => {
                tracing::error!(%error, "an agent cannot be rung");
                return self.tell(Input::LegGone { leg, cause: Cause::Internal });
            }
        };
        self.open.insert(leg.n);
        let dialog = self.shared.sip.new_dialog();
        self.shared.switchboard.add_dialog(dialog, self.id);
        let codec = self.legs.get(&0).and_then(Leg::codec);
        let mut to = Leg::new(dialog, Some(agent.clone()), &local);
        let sdp = to.offer(codec);
        self.legs.insert(leg.n, to);
        let from = self.arrival.from.as_ref().map_or("anonymous", |number| number.as_e164()).to_owned();
        self.shared.send(Command::Invite {
            dialog,
            to: Callee::Agent(agent),
            from,
            sdp,
            particulars: Box::default(),
        });
    }

    pub(super) fn drop_leg(&mut self, n: u16) {
        if let Some(leg) = self.legs.remove(&n) {
            self.shared.switchboard.remove_dialog(leg.dialog);
            self.media.remove_leg(n);
        }
    }
}
