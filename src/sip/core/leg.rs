//! What the endpoint keeps of each dialog, by its state, and how a dialog ends: in one place, so
//! that its trunk is released and its user told exactly once.

use std::time::Duration;

use bytes::Bytes;

use super::dialog::Dialog;
use super::endpoint::Endpoint;
use super::hunt::Hunt;
use super::io::{DialogId, Event, Flow};
use super::timers::{Deadline, DialogTimer};
use super::transactions::{ClientId, ServerId};
use super::wire::Response;
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
    /// The 180 or 183 we sent last.
    pub(super) provisional: Option<Response>,
}

/// See [`Leg::Calling`].
pub(super) struct Calling {
    /// The INVITEs still under way, one a phone.
    pub(super) branches: Vec<ClientId>,
    /// The refusal that says most of those that came.
    pub(super) best: (Cause, Option<u16>),
    /// Of a call to a trunk: how it finds its way.
    pub(super) hunt: Option<Box<Hunt>>,
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
    pub(super) fn dialog(&self) -> Option<&Dialog> {
        match self {
            Self::Offered(offered) => Some(&offered.dialog),
            Self::Live(session) => Some(&session.dialog),
            Self::Leaving(leaving) => Some(&leaving.dialog),
            Self::Calling(_) | Self::LoggingOn => None,
        }
    }

    pub(super) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match self {
            Self::Offered(offered) => Some(&mut offered.dialog),
            Self::Live(session) => Some(&mut session.dialog),
            Self::Leaving(leaving) => Some(&mut leaving.dialog),
            Self::Calling(_) | Self::LoggingOn => None,
        }
    }

    /// A connection is gone: what would go over it needs a new one.
    pub(super) fn lost_connection(&mut self, flow: &Flow) {
        let Some(dialog) = self.dialog_mut().filter(|dialog| dialog.flow.is_same_way(flow)) else { return };
        dialog.lost_connection();
        let new = dialog.flow;
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
            Self::Calling(calling) => calling.hunt.take().map(|hunt| hunt.trunk),
            Self::Leaving(_) | Self::LoggingOn => None,
        }
    }
}

const DIALOG_TIMERS: [DialogTimer; 5] = [
    DialogTimer::Resend2xx,
    DialogTimer::AckLate,
    DialogTimer::Expires,
    DialogTimer::StillRinging,
    DialogTimer::ReinviteAgain,
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
        let mut leg = self.legs.remove(&id)?;
        if let Some(dialog) = leg.dialog_mut() {
            self.tags.remove(&dialog.local_tag);
        }
        self.forget_transfers(id, &leg);
        for timer in DIALOG_TIMERS {
            self.timers.clear(Deadline::Dialog(id, timer));
        }
        Some(leg)
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
