//! Phones dialled by a call: an agent's, or one outside by a trunk, and what the INVITE tells of the
//! caller.

use crate::call::{Cause, Input, Outside, Phase, Whom};
use crate::ids::LegId;
use crate::sip::core::{Callee, Command, Media, Particulars};

use super::super::ladder::line_of;
use super::super::leg::{Leg, Opened, Party};
use super::super::policy::Policy;
use super::super::uui;
use super::Driver;
use super::transfers::Consult;

/// Who an INVITE says is calling.
struct Identity {
    /// The user part of From.
    from: String,
    particulars: Particulars,
}

impl Identity {
    /// Who listens in is not told who calls: the page shows what the right allows, numbers masked.
    fn nobody() -> Self {
        Self { from: "anonymous".to_owned(), particulars: Particulars::default() }
    }
}

/// Why an agent's phone is called: told to it in `X-Sayso-Purpose`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// A caller of the queue.
    Offer,
    /// A colleague asks.
    Consult,
    /// A colleague sends a caller.
    Transfer,
    /// It was in conversation and is gone: its new page has the call back.
    Reattach,
    /// To listen in.
    Supervise,
}

impl Why {
    const fn word(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Consult => "consult",
            Self::Transfer => "transfer",
            Self::Reattach => "reattach",
            Self::Supervise => "supervise",
        }
    }
}

impl Driver {
    /// Dials whom the call wants in it.
    pub(super) fn dial(&mut self, leg: LegId, to: Whom) {
        let why = match self.call.phase() {
            Phase::Consulting => Why::Consult,
            Phase::Transferring => Why::Transfer,
            Phase::Answering
            | Phase::Welcome
            | Phase::Asking
            | Phase::Waiting
            | Phase::Ringing
            | Phase::Joining
            | Phase::Talking
            | Phase::Conference
            | Phase::Lost
            | Phase::Over => Why::Offer,
        };
        let party = match &to {
            Whom::Agent(agent) => Party::Agent(agent.clone()),
            Whom::Outside(outside) => Party::Outside(outside.trunk.clone()),
        };
        if !self.invite(leg, party, to, why) {
            self.tell(Input::LegGone { leg, cause: Cause::Internal });
        }
    }

    /// Opens media and sends the INVITE; `false`: there is no media to be had.
    pub(super) fn invite(&mut self, leg: LegId, party: Party, to: Whom, why: Why) -> bool {
        // Without a phone the endpoint says so, in the way every other failure is told.
        let kind = match &to {
            Whom::Agent(agent) => self.shared.phones.kind(agent).unwrap_or(Media::Rtp),
            Whom::Outside(_) => Media::Rtp,
        };
        let opened = match Opened::new(&mut self.media, leg.n, kind) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(%error, "nobody can be rung");
                return false;
            }
        };
        self.open.insert(leg.n);
        let dialog = self.shared.sip.new_dialog();
        self.shared.switchboard.add_dialog(dialog, self.id);
        let settings = self.shared.settings();
        let Identity { from, mut particulars } = match why {
            Why::Supervise => Identity::nobody(),
            Why::Offer | Why::Consult | Why::Transfer | Why::Reattach => self.identity(&to),
        };
        let (policy, to) = match to {
            Whom::Agent(agent) => {
                particulars.call = Some(self.id.to_string());
                particulars.purpose = Some(why.word());
                (Policy::of_agent(&settings, &agent), Callee::Agent { agent, media: kind })
            }
            Whom::Outside(Outside { trunk, number, .. }) => {
                let policy = Policy::of_trunk(&settings, &trunk);
                let number = number.as_e164().to_owned();
                (policy, Callee::Trunk { trunk, number })
            }
        };
        self.shared.ladders.leg(self.id, dialog, leg.n, line_of(&party, None));
        let mut to_be = Leg::new(dialog, party, policy, opened);
        let sdp = to_be.offer(self.asking().and_then(|n| self.legs.get(&n)).and_then(Leg::codec));
        self.legs.insert(leg.n, to_be);
        self.shared.send(Command::Invite { dialog, to, from, sdp, particulars: Box::new(particulars) });
        true
    }

    /// The leg that waits for whom is dialled: the agent's who consults, else the caller's.
    pub(super) fn asking(&self) -> Option<u16> {
        match (self.call.phase(), self.moves.consult) {
            (Phase::Consulting, Some(Consult { by, own })) => Some(own.unwrap_or(by)),
            (_, _) => Some(self.call.caller().n),
        }
    }

    /// Who calls: the caller; in a consultation with somebody outside it is the house, where the trunk has
    /// a number of its own.
    fn identity(&self, to: &Whom) -> Identity {
        let caller = self.arrival.from.as_ref().map(|number| number.as_e164().to_owned());
        let ours = uui::value(self.id, self.call.recording_state());
        if self.call.phase() == Phase::Consulting
            && let Whom::Outside(outside) = to
            && let Some(house) = self.caller_id(outside)
        {
            let (asserted, user_to_user) = (Some(house.clone()), vec![ours]);
            let particulars = Particulars { asserted, user_to_user, ..Particulars::default() };
            return Identity { from: house, particulars };
        }
        let theirs = &self.particulars;
        // Who stays unnamed is named to the network alone (RFC 3325 §5), never to a phone.
        let asserted = match to {
            Whom::Agent(_) if theirs.private => None,
            Whom::Agent(_) | Whom::Outside(_) => theirs.asserted.clone().or_else(|| caller.clone()),
        };
        let particulars = Particulars {
            private: theirs.private,
            asserted,
            diversion: theirs.diversion.clone(),
            history: theirs.history.clone(),
            user_to_user: theirs.user_to_user.iter().cloned().chain([ours]).collect(),
            referred_by: self.moves.referred_by.clone(),
            ..Particulars::default()
        };
        // The endpoint puts the house's number in where a trunk wants one (`caller-id`).
        let from = caller.unwrap_or_else(|| "anonymous".to_owned());
        Identity { from, particulars }
    }

    fn caller_id(&self, outside: &Outside) -> Option<String> {
        let settings = self.shared.settings();
        let outbound = settings.trunks.get(&outside.trunk)?.outbound.as_ref()?;
        outbound.caller_id.as_ref().map(|number| number.0.clone())
    }
}
