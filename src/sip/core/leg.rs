//! What the endpoint keeps of each dialog, by its state, and how a dialog ends: in one place, so
//! that its trunk is released and its user told exactly once.

use std::time::Duration;

use bytes::Bytes;

use super::dialog::Dialog;
use super::endpoint::Endpoint;
use super::hunt::Hunt;
use super::io::{DialogId, Event, Flow};
use super::reliable::{Provisionals, RAck};
use super::timers::{Deadline, DialogTimer};
use super::transactions::{ClientId, ServerId};
use super::wire::{Head, Response};
use crate::call::Cause;
use crate::ids::TrunkId;
use crate::time::Timestamp;

/// A dialog of the endpoint.
pub(super) enum Leg {
    /// An INVITE from outside, not answered yet.
    Offered(Box<Offered>),
    /// An INVITE of ours, not answered yet.
    Calling(Calling),
    /// Answered.
    Live(Box<Session>),
    /// Its user knows that it ended; the other side does not yet.
    Leaving(Box<Leaving>),
    /// A phone logging on.
    LoggingOn,
}

/// See [`Leg::Offered`].
pub(super) struct Offered {
    pub(super) dialog: Dialog,
    /// The INVITE's transaction.
    pub(super) server: ServerId,
    pub(super) trunk: Option<TrunkId>,
    /// The 180 or 183 we sent last, to be sent again each minute.
    pub(super) provisional: Option<Response>,
    /// Reliable responses, and how far the first offer and answer are.
    pub(super) early: Provisionals,
    /// The offer of an UPDATE or PRACK under way.
    pub(super) exchange: Exchange,
    /// Our offer that must wait.
    pub(super) wanted: Option<Wanted>,
}

/// See [`Leg::Calling`].
#[derive(Default)]
pub(super) struct Calling {
    /// The INVITEs still under way, one a phone.
    pub(super) branches: Vec<ClientId>,
    /// The refusal that says most of those that came.
    pub(super) best: Option<(Cause, Option<u16>)>,
    /// Its early dialogs, one a fork.
    pub(super) early: Vec<Early>,
    /// Our offer that waits until one of them can take it.
    pub(super) wanted: Option<Wanted>,
    /// Whose call it counts as.
    pub(super) trunk: Option<TrunkId>,
    /// Of a call to a trunk: how it finds its way.
    pub(super) hunt: Option<Box<Hunt>>,
}

/// An early dialog of an INVITE of ours (RFC 3261 §12.1.2).
pub(super) struct Early {
    /// The INVITE's transaction.
    pub(super) client: ClientId,
    pub(super) dialog: Dialog,
    /// The number of the last reliable provisional response (RFC 3262 §4).
    pub(super) rseq: Option<u32>,
    /// PRACKs under way: nothing else is sent meanwhile, lest it overtake them (RFC 3261 §12.2.2).
    pub(super) pracks: u32,
    /// Whether our offer was answered, reliably.
    pub(super) settled: bool,
    /// That answer, as long as no other has taken its place.
    pub(super) answer: Option<Bytes>,
    /// The offer of an UPDATE under way.
    pub(super) exchange: Exchange,
}

/// See [`Leg::Live`].
pub(super) struct Session {
    pub(super) dialog: Dialog,
    pub(super) trunk: Option<TrunkId>,
    /// Our 2xx that no ACK came for yet.
    pub(super) unacked: Option<Unacked>,
    /// The re-INVITE under way.
    pub(super) exchange: Exchange,
    /// Our re-INVITE that must wait; a newer one takes its place.
    pub(super) wanted: Option<Wanted>,
    /// Which side drew the Call-ID; it waits longer after a glare (RFC 3261 §14.1).
    pub(super) side: Side,
    /// A reliable provisional response that our 2xx overtook: its PRACK may still come.
    pub(super) unpracked: Option<RAck>,
    /// Their answer to our offer in a provisional response: told again with the ACK.
    pub(super) early_answer: Option<Bytes>,
}

impl Session {
    /// A dialog that begins.
    pub(super) fn new(dialog: Dialog, trunk: Option<TrunkId>, side: Side) -> Self {
        Self {
            dialog,
            trunk,
            unacked: None,
            exchange: Exchange::Idle,
            wanted: None,
            side,
            unpracked: None,
            early_answer: None,
        }
    }
}

/// Where an offer beside the first can be made, whatever state the dialog is in.
pub(super) struct Talks<'a> {
    pub(super) dialog: &'a mut Dialog,
    pub(super) exchange: &'a mut Exchange,
    pub(super) wanted: &'a mut Option<Wanted>,
    pub(super) first: First,
    pub(super) side: Side,
    /// Whether it is answered.
    pub(super) live: bool,
}

/// How far the offer and the answer of the INVITE are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// Ours waits for their answer.
    Ours,
    /// Theirs waits for our answer.
    Theirs,
    /// Both are known; `ready`: and confirmed, so that we may offer again.
    Settled { ready: bool },
}

/// Who began the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Caller,
    Callee,
}

/// A 2xx of ours on its way.
pub(super) struct Unacked {
    /// The INVITE's sequence number, which the ACK repeats.
    pub(super) cseq: u32,
    pub(super) bytes: Bytes,
    pub(super) flow: Flow,
    /// The time to the next retransmission.
    pub(super) interval: Duration,
    pub(super) of: Of,
    /// Whether it bears an offer, which the ACK will answer.
    pub(super) offers: bool,
}

/// What a 2xx answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The INVITE that began the dialog.
    First,
    /// A re-INVITE.
    Reinvite,
}

/// A re-INVITE under way.
pub(super) enum Exchange {
    Idle,
    /// Theirs waits for our user.
    Theirs(ServerId),
    /// Ours waits for their answer.
    Ours(Wanted),
}

/// A re-INVITE of ours that waits for its turn.
pub(super) struct Wanted {
    pub(super) sdp: Bytes,
    /// Not before this: they have the first turn after a glare.
    pub(super) not_before: Timestamp,
    /// How often it met theirs.
    pub(super) glares: u8,
}

/// See [`Leg::Leaving`].
pub(super) struct Leaving {
    pub(super) dialog: Dialog,
    pub(super) farewell: Farewell,
}

/// What is still to be done.
pub(super) enum Farewell {
    /// A callee may not send BYE before the ACK came or is late (RFC 3261 §15).
    AfterAck(Unacked, Cause),
    /// BYE was sent.
    Sent,
}

impl Leg {
    /// Its dialogs: several when an INVITE of ours rings at several places.
    pub(super) fn dialogs(&self) -> Vec<&Dialog> {
        match self {
            Self::Offered(offered) => vec![&offered.dialog],
            Self::Live(session) => vec![&session.dialog],
            Self::Leaving(leaving) => vec![&leaving.dialog],
            Self::Calling(calling) => calling.early.iter().map(|early| &early.dialog).collect(),
            Self::LoggingOn => Vec::new(),
        }
    }

    /// Its one dialog.
    pub(super) fn dialog(&self) -> Option<&Dialog> {
        match self {
            Self::Offered(offered) => Some(&offered.dialog),
            Self::Live(session) => Some(&session.dialog),
            Self::Leaving(leaving) => Some(&leaving.dialog),
            Self::Calling(_) | Self::LoggingOn => None,
        }
    }

    /// Its one dialog; none while an INVITE of ours is not answered.
    pub(super) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match self {
            Self::Offered(offered) => Some(&mut offered.dialog),
            Self::Live(session) => Some(&mut session.dialog),
            Self::Leaving(leaving) => Some(&mut leaving.dialog),
            Self::Calling(_) | Self::LoggingOn => None,
        }
    }

    /// The dialog with this tag of theirs; without one, the only one.
    pub(super) fn dialog_of(&mut self, tag: Option<&[u8]>) -> Option<&mut Dialog> {
        if let Self::Calling(calling) = self {
            return calling.early_of(tag).map(|early| &mut early.dialog);
        }
        self.dialog_mut().filter(|dialog| tag.is_none() || dialog.remote_tag.as_deref() == tag)
    }

    /// The dialog a request belongs to.
    pub(super) fn holds(&self, head: &Head) -> Option<&Dialog> {
        self.dialogs().into_iter().find(|dialog| dialog.holds(head))
    }

    /// Where an offer can be made in the dialog with this tag of theirs, or in the only one.
    pub(super) fn talks(&mut self, tag: Option<&[u8]>) -> Option<Talks<'_>> {
        match self {
            Self::Offered(offered) => {
                let first = offered.early.first();
                let Offered { dialog, exchange, wanted, .. } = &mut **offered;
                Some(Talks { dialog, exchange, wanted, first, side: Side::Callee, live: false })
            }
            Self::Live(session) => {
                let Session { dialog, exchange, wanted, unacked, side, .. } = &mut **session;
                if tag.is_some() && dialog.remote_tag.as_deref() != tag {
                    return None;
                }
                let first = match unacked {
                    Some(unacked) if unacked.offers => First::Ours,
                    Some(_) => First::Settled { ready: false },
                    None => First::Settled { ready: true },
                };
                Some(Talks { dialog, exchange, wanted, first, side: *side, live: true })
            }
            Self::Calling(calling) => calling.talks(tag),
            Self::Leaving(_) | Self::LoggingOn => None,
        }
    }

    /// Their offers that wait for our user.
    pub(super) fn theirs(&mut self) -> Vec<&mut Exchange> {
        let all = match self {
            Self::Offered(offered) => vec![&mut offered.exchange],
            Self::Live(session) => vec![&mut session.exchange],
            Self::Calling(calling) => calling.early.iter_mut().map(|early| &mut early.exchange).collect(),
            Self::Leaving(_) | Self::LoggingOn => Vec::new(),
        };
        all.into_iter().filter(|exchange| matches!(exchange, Exchange::Theirs(_))).collect()
    }

    /// A connection is gone: what would go over it needs a new one. Whether the user is to know that the phone
    /// is out of reach.
    pub(super) fn lost_connection(&mut self, flow: &Flow) -> bool {
        if let Self::Calling(calling) = self {
            for early in calling.early.iter_mut().filter(|early| early.dialog.flow.is_same_way(flow)) {
                early.dialog.lost_connection();
            }
        }
        let Some(dialog) = self.dialog_mut().filter(|dialog| dialog.flow.is_same_way(flow)) else {
            return false;
        };
        let lost = dialog.lost_connection();
        let new = dialog.flow;
        self.move_unacked(new);
        lost && !matches!(self, Self::Leaving(_))
    }

    /// Another phone took this one's place; whether the user is to know.
    pub(super) fn lost_phone(&mut self) -> bool {
        let lost = self.dialog_mut().is_some_and(Dialog::lose);
        lost && !matches!(self, Self::Leaving(_))
    }

    /// The phone is heard over this flow; whether it had been lost.
    pub(super) fn found_again(&mut self, flow: Flow) -> bool {
        let found = self.dialog_mut().is_some_and(|dialog| dialog.found_again(flow));
        self.move_unacked(flow);
        found
    }

    fn move_unacked(&mut self, new: Flow) {
        let unacked = match self {
            Self::Live(session) => session.unacked.as_mut(),
            Self::Leaving(leaving) => match &mut leaving.farewell {
                Farewell::AfterAck(unacked, _) => Some(unacked),
                Farewell::Sent => None,
            },
            Self::Offered(_) | Self::Calling(_) | Self::LoggingOn => None,
        };
        if let Some(unacked) = unacked {
            unacked.flow = new;
        }
    }

    fn trunk(&mut self) -> Option<TrunkId> {
        match self {
            Self::Offered(offered) => offered.trunk.take(),
            Self::Live(session) => session.trunk.take(),
            Self::Calling(calling) => calling.trunk.take(),
            Self::Leaving(_) | Self::LoggingOn => None,
        }
    }
}

impl Calling {
    /// The early dialog with this tag of theirs; without one, the only one.
    pub(super) fn early_of(&mut self, tag: Option<&[u8]>) -> Option<&mut Early> {
        match tag {
            Some(tag) => self.early.iter_mut().find(|early| early.dialog.remote_tag.as_deref() == Some(tag)),
            None => {
                Some(&mut self.early).filter(|early| early.len() == 1).and_then(|early| early.first_mut())
            }
        }
    }

    fn talks(&mut self, tag: Option<&[u8]>) -> Option<Talks<'_>> {
        let Self { early, wanted, .. } = self;
        let early = match tag {
            Some(tag) => early.iter_mut().find(|early| early.dialog.remote_tag.as_deref() == Some(tag))?,
            None if early.len() == 1 => early.first_mut()?,
            None => return None,
        };
        let ready = early.pracks == 0;
        let first = if early.settled { First::Settled { ready } } else { First::Ours };
        let Early { dialog, exchange, .. } = early;
        Some(Talks { dialog, exchange, wanted, first, side: Side::Caller, live: false })
    }
}

const DIALOG_TIMERS: [DialogTimer; 10] = [
    DialogTimer::Resend2xx,
    DialogTimer::AckLate,
    DialogTimer::Expires,
    DialogTimer::StillRinging,
    DialogTimer::ReinviteAgain,
    DialogTimer::ResendProvisional,
    DialogTimer::PrackLate,
    DialogTimer::OfferLate,
    DialogTimer::RefreshDue,
    DialogTimer::SessionExpires,
];

impl Endpoint {
    /// Ends a dialog: forgets it, releases its trunk, tells the user.
    pub(super) fn finish(&mut self, id: DialogId, cause: Cause, status: Option<u16>) {
        if let Some(leg) = self.forget(id) {
            self.tell_end(id, leg, cause, status);
        }
    }

    /// Takes a dialog out of the tables without a word.
    pub(super) fn forget(&mut self, id: DialogId) -> Option<Leg> {
        let leg = self.legs.remove(&id)?;
        self.note_spent(&leg);
        self.traces.ends(id);
        for dialog in leg.dialogs() {
            self.tags.remove(&dialog.local_tag);
        }
        self.forget_transfers(id, &leg);
        for timer in DIALOG_TIMERS {
            self.timers.clear(Deadline::Dialog(id, timer));
        }
        Some(leg)
    }

    /// A place that rang may yet answer: it must be hung up with a number above those it has seen.
    fn note_spent(&mut self, leg: &Leg) {
        let Leg::Calling(calling) = leg else { return };
        for early in &calling.early {
            let spent = (early.dialog.remote_tag.clone().unwrap_or_default(), early.dialog.local_cseq);
            if let Some(client) = self.tx.client(early.client) {
                client.spent.push(spent);
            }
        }
    }

    /// Releases what a dialog that was forgotten held and tells its user that it ended, unless it
    /// was told already.
    pub(super) fn tell_end(&mut self, id: DialogId, mut leg: Leg, cause: Cause, status: Option<u16>) {
        if let Some(trunk) = leg.trunk() {
            self.gate.release(&trunk);
        }
        if !matches!(leg, Leg::Leaving(_)) {
            self.tell(Event::Ended { dialog: id, cause, status });
        }
    }

    pub(super) fn session(&mut self, id: DialogId) -> Option<&mut Session> {
        match self.legs.get_mut(&id)? {
            Leg::Live(session) => Some(session),
            Leg::Offered(_) | Leg::Calling(_) | Leg::Leaving(_) | Leg::LoggingOn => None,
        }
    }

    pub(super) fn offered(&mut self, id: DialogId) -> Option<&mut Offered> {
        match self.legs.get_mut(&id)? {
            Leg::Offered(offered) => Some(offered),
            Leg::Live(_) | Leg::Calling(_) | Leg::Leaving(_) | Leg::LoggingOn => None,
        }
    }
}
