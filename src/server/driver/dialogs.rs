//! A call's dialogs: SIP events in, offers and answers, legs dropped.

use std::net::IpAddr;

use crate::call::Input;
use crate::ids::LegId;
use crate::media::{DigitChannel, LegMedia};
use crate::sip::core::{Command, DialogId, Event};

use super::super::leg::{Leg, is_hold};
use super::super::notice::What;
use super::super::switchboard::dialog_of;
use super::Driver;

impl Driver {
    pub(super) fn on_sip(&mut self, event: Event) {
        let Some(n) = dialog_of(&event).and_then(|dialog| self.leg_of(dialog)) else { return };
        let leg = LegId { call: self.id, n };
        match event {
            Event::Confirmed { sdp, .. } => self.on_confirmed(n, sdp.as_deref()),
            Event::Reinvite { sdp, .. } => self.on_reinvite(n, sdp.as_deref()),
            Event::Digit { digit, .. } => self.on_digit(n, digit, DigitChannel::Info),
            Event::Ringing { sdp, peer, .. } => {
                self.signalled_from(n, peer);
                self.on_ringing(n, sdp.as_deref());
            }
            Event::Answered { sdp, record_aware, peer, .. } => {
                self.signalled_from(n, peer);
                self.on_answered(n, sdp.as_deref(), record_aware);
            }
            Event::Reinvited { sdp, .. } => self.on_reinvited(n, sdp.as_deref()),
            Event::Ended { cause, .. } => {
                self.drop_leg(n);
                self.tell(Input::LegGone { leg, cause });
            }
            Event::Refresh { .. } => {
                if let Some(leg) = self.legs.get_mut(&n)
                    && let Some(sdp) = leg.refresh()
                {
                    self.shared.send(Command::Reinvite { dialog: leg.dialog, sdp });
                }
            }
            Event::Refer { to, referred_by, .. } => self.on_refer(n, to, referred_by),
            Event::ReferProgress { status, .. } => self.on_refer_progress(leg, status),
            Event::Unreachable { .. } => self.on_unreachable(n),
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

    /// Where a phone that was called is: its audio is believed from there.
    fn signalled_from(&mut self, n: u16, peer: IpAddr) {
        if let Some(leg) = self.legs.get_mut(&n) {
            leg.signalled_from = Some(peer);
        }
    }

    /// The leg of a dialog of this call.
    pub(super) fn leg_of(&self, dialog: DialogId) -> Option<u16> {
        self.legs.iter().find(|(_, leg)| leg.dialog == dialog).map(|(n, _)| *n)
    }

    /// An ACK: settles a dialog that called us, and carries the answer when we had to offer.
    fn on_confirmed(&mut self, n: u16, sdp: Option<&[u8]>) {
        if sdp.is_some_and(|sdp| !self.accept(n, sdp)) {
            return self.fail_leg(n);
        }
        let Some(leg) = self.legs.get_mut(&n) else { return };
        let first = !std::mem::replace(&mut leg.confirmed, true);
        if !first {
            return;
        }
        if leg.codec().is_none() {
            return self.fail_leg(n);
        }
        self.still_silent(n);
        if n == 0 {
            self.tell(Input::CallerConfirmed);
        } else if let Some(old) = self.moves.replacing.remove(&n) {
            self.on_replacement_confirmed(n, old);
        }
    }

    fn on_ringing(&mut self, n: u16, sdp: Option<&[u8]>) {
        if let Some(agent) = self.legs.get(&n).and_then(Leg::agent).cloned() {
            self.shared.notices.tell(self.id, || What::Ringing(agent));
        }
        // Early media that cannot be used is not heard; the answer may still do.
        let early = match sdp.and_then(|sdp| self.legs.get_mut(&n)?.preview(sdp)) {
            Some(Ok(agreed)) => {
                self.media.configure(n, agreed);
                true
            }
            Some(Err(_)) | None => false,
        };
        self.rings_anew(n);
        self.tell(Input::AgentRinging { leg: LegId { call: self.id, n } });
        if early {
            self.on_early_media(n);
        }
    }

    fn on_answered(&mut self, n: u16, sdp: Option<&[u8]>, record_aware: bool) {
        if sdp.is_some_and(|sdp| !self.accept(n, sdp)) {
            return self.fail_leg(n);
        }
        let Some(leg) = self.legs.get_mut(&n) else { return };
        // An answer that came early, reliably (RFC 3262), need not come again.
        if leg.codec().is_none() {
            return self.fail_leg(n);
        }
        leg.close_offer();
        leg.confirmed = true;
        leg.record_aware = record_aware;
        self.still_silent(n);
        self.account_for(n);
        self.rings_anew(n);
        if self.supervisor_answered(n) {
            return;
        }
        self.tell(Input::AgentAnswered { leg: LegId { call: self.id, n } });
    }

    fn on_reinvite(&mut self, n: u16, offer: Option<&[u8]>) {
        self.signals_again(n);
        let Some(leg) = self.legs.get_mut(&n) else { return };
        let dialog = leg.dialog;
        let Some(offer) = offer else {
            let sdp = leg.offer(None);
            return self.shared.send(Command::AcceptReinvite { dialog, sdp });
        };
        // An offer of ours that still waits for its turn must be newer than the answer given here.
        let waits = leg.is_offering();
        match leg.reanswer(offer, || self.media.restart_ice(n)) {
            Ok((sdp, agreed)) => {
                self.shared.send(Command::AcceptReinvite { dialog, sdp });
                if waits {
                    let sdp = leg.restate();
                    self.shared.send(Command::Reinvite { dialog, sdp });
                }
                self.settle(n, agreed);
            }
            Err(error) => {
                tracing::info!(%error, "re-INVITE refused");
                let status = error.status();
                self.shared.send(Command::RejectReinvite { dialog, status });
            }
        }
    }

    fn on_reinvited(&mut self, n: u16, sdp: Option<&[u8]>) {
        let Some(leg) = self.legs.get_mut(&n) else { return };
        match sdp.map(|sdp| leg.accept(sdp)) {
            Some(Some(Ok(agreed))) => self.settle(n, agreed),
            Some(Some(Err(error))) => tracing::info!(%error, "an SDP answer cannot be used"),
            Some(None) => {}
            None => leg.close_offer(),
        }
    }

    /// What a leg speaks has changed in mid-call, or whether it holds us.
    fn settle(&mut self, n: u16, agreed: LegMedia) {
        let Some(leg) = self.legs.get_mut(&n) else { return };
        let holding = is_hold(&agreed);
        let changed = std::mem::replace(&mut leg.holding, holding) != holding;
        self.media.configure(n, agreed);
        if changed {
            self.tell(Input::Hold { leg: LegId { call: self.id, n }, on: holding });
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

    pub(super) fn drop_leg(&mut self, n: u16) {
        if let Some(leg) = self.legs.remove(&n) {
            self.shared.switchboard.remove_dialog(leg.dialog);
            self.media.remove_leg(n);
            self.moves.keypads.remove(&n);
            self.moves.replacing.remove(&n);
            self.supervises_no_more(n);
            self.rings_no_more(n);
        }
    }
}
