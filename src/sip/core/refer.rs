//! Transfers the other side of a call asks for by REFER (RFC 3515): the implicit subscription, whose NOTIFYs
//! tell them how it goes, one at a time, also after the call itself has ended. `referring` has ours.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use super::dialog::{self, Dialog};
use super::endpoint::Endpoint;
use super::io::{DialogId, Event, ReferTo};
use super::leg::Leg;
use super::machines::Outcome;
use super::referring::{Reference, event, is_silent};
use super::replaces;
use super::respond::{self, Inbound};
use super::timers::Deadline;
use super::transactions::{Fork, Purpose, ServerId};
use super::wire::{self, Address, HeaderName, Headers, Key, Method, Scheme};
use super::{particulars, respond::phrase};
use crate::time::Timestamp;

/// How long a REFER waits for our user, who should answer at once: less than the 32 s after which the
/// other side gives its transaction up.
const UNDECIDED: Duration = Duration::from_secs(20);
/// How long we tell of a transfer, in seconds: longer than a target may ring.
pub(super) const SUBSCRIPTION: u32 = 180;
const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// The transfers asked of us and by us, at most one each way in a dialog at a time.
#[derive(Default)]
pub(super) struct Transfers {
    theirs: HashMap<DialogId, Referral>,
    pub(super) ours: HashMap<DialogId, Reference>,
}

impl Transfers {
    pub(super) fn len(&self) -> usize {
        self.theirs.len() + self.ours.len()
    }
}

/// A REFER of theirs.
struct Referral {
    /// Its sequence number, which names the subscription.
    cseq: u32,
    /// Whether it is the first of its dialog: then the NOTIFYs need no id (RFC 3515 §2.4.6).
    first: bool,
    state: Told,
    /// The dialog, once the call is over and only the subscription holds it.
    alone: Option<Dialog>,
}

enum Told {
    /// Our user has not answered it yet.
    Asked { server: ServerId, silent: bool },
    /// What we last told, whether that is unanswered yet, and what is to be told next.
    Going { status: u16, unanswered: bool, next: Option<u16>, until: Timestamp },
    /// They do not want to be told (RFC 4488).
    Silent,
    /// The next may come.
    Over,
}

impl Endpoint {
    /// A REFER inside a dialog; its sequence number and source were checked.
    pub(super) fn on_refer(&mut self, id: DialogId, inbound: Inbound, key: Key) {
        let now = inbound.now;
        match self.legs.get(&id) {
            Some(Leg::Live(_)) => {}
            // Nobody to be transferred yet.
            Some(Leg::Offered(_) | Leg::Calling(_)) => return self.refuse(&inbound, 403, &[]),
            Some(Leg::Leaving(_) | Leg::LoggingOn) | None => return self.refuse(&inbound, 481, &[]),
        }
        let before = self.transfers.theirs.get(&id);
        if before.is_some_and(|referral| !matches!(referral.state, Told::Over)) {
            return self.refuse(&inbound, 491, &[]);
        }
        let first = before.is_none();
        let headers = &inbound.request.headers;
        let to = match self.refer_to(id, headers) {
            Ok(to) => to,
            Err(status) => return self.refuse(&inbound, status, &[]),
        };
        let referred_by = particulars::referred_by(headers);
        let silent = is_silent(headers);
        let cseq = inbound.head.cseq;
        let Some((server, _)) = self.open(inbound, key, None) else { return };
        let state = Told::Asked { server, silent };
        self.transfers.theirs.insert(id, Referral { cseq, first, state, alone: None });
        self.timers.set(Deadline::Referral(id), now + UNDECIDED);
        self.tell(Event::Refer { dialog: id, to, referred_by });
    }

    /// Where a REFER leads; `Err`: its refusal.
    fn refer_to(&self, id: DialogId, headers: &Headers) -> Result<ReferTo, u16> {
        let mut rows = headers.get_all(&HeaderName::ReferTo);
        let (Some(row), None) = (rows.next(), rows.next()) else { return Err(400) };
        let list = Address::parse_list(&row.value(), "Refer-To").map_err(|_| 400_u16)?;
        let [address] = &list[..] else { return Err(400) };
        let uri = &address.uri;
        if !matches!(uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel) {
            return Err(416);
        }
        let method = uri.params().and_then(|params| params.value("method"));
        if method.is_some_and(|method| !method.eq_ignore_ascii_case(b"INVITE")) {
            return Err(403);
        }
        match replaces::in_uri(uri).map_err(|()| 400_u16)? {
            Some(asked) => match self.find_replaced(&asked) {
                Some(other) if other == id => Err(400),
                Some(other) if matches!(self.legs.get(&other), Some(Leg::Live(_))) => {
                    Ok(ReferTo::Dialog(other))
                }
                Some(_) | None => Err(404),
            },
            None => wire::user_of(uri).filter(|user| !user.is_empty()).map(ReferTo::User).ok_or(404),
        }
    }

    /// Our user takes a transfer (202), or refuses it.
    pub(super) fn answer_refer(&mut self, id: DialogId, status: u16, now: Timestamp) {
        let Some(referral) = self.transfers.theirs.get_mut(&id) else { return };
        let Told::Asked { server, silent } = referral.state else { return };
        self.timers.clear(Deadline::Referral(id));
        let taken = (200..=299).contains(&status);
        let status = match status {
            200..=299 => 202,
            400..=699 => status,
            0..=199 | 300..=399 | 700..=u16::MAX => 500,
        };
        let until = now + Duration::from_secs(SUBSCRIPTION.into());
        referral.state = match (taken, silent) {
            (true, false) => Told::Going { status: 100, unanswered: false, next: None, until },
            (true, true) => Told::Silent,
            (false, _) => Told::Over,
        };
        let Some(entry) = self.tx.server(server) else { return };
        let reply = entry.reply;
        let mut response = respond::response(entry.machine.request(), status, None);
        if taken {
            wire::push(
                &mut response.headers,
                HeaderName::Contact,
                dialog::contact_value(&self.config, &reply),
            );
            if silent {
                wire::push(&mut response.headers, HeaderName::ReferSub, "false");
            }
        }
        self.dress(&mut response);
        self.respond(server, response, now);
        if taken && !silent {
            self.timers.set(Deadline::Referral(id), until);
            self.send_notify(id, 100, false, now);
        }
    }

    /// How the transfer goes. What was not told yet when there is newer news is left out.
    pub(super) fn notify(&mut self, id: DialogId, status: u16, now: Timestamp) {
        if !(100..=699).contains(&status) {
            return;
        }
        let Some(referral) = self.transfers.theirs.get_mut(&id) else { return };
        match &mut referral.state {
            Told::Going { unanswered: true, next, .. } => {
                if next.is_none_or(|next| next < 200) {
                    *next = Some(status);
                }
            }
            Told::Going { .. } => self.send_notify(id, status, false, now),
            Told::Silent if status >= 200 => referral.state = Told::Over,
            Told::Silent | Told::Asked { .. } | Told::Over => {}
        }
    }

    /// Sends a NOTIFY. A final status, or the subscription's end, makes it the last.
    fn send_notify(&mut self, id: DialogId, status: u16, expired: bool, now: Timestamp) {
        let branch = self.mint.branch();
        let Some(referral) = self.transfers.theirs.get_mut(&id) else { return };
        let Told::Going { until, .. } = referral.state else { return };
        let leg = self.legs.get_mut(&id).and_then(Leg::dialog_mut);
        let Some(dialog) = leg.or(referral.alone.as_mut()) else { return };
        let (mut notify, flow) = dialog.request(Method::Notify, &self.config, &branch);
        let last = expired || status >= 200;
        let state = match (last, expired) {
            (false, _) => format!("active;expires={}", until.since(now).as_secs().max(1)),
            (true, false) => "terminated;reason=noresource".to_owned(),
            (true, true) => "terminated;reason=timeout".to_owned(),
        };
        let event = if referral.first { "refer".to_owned() } else { format!("refer;id={}", referral.cseq) };
        let headers = &mut notify.headers;
        wire::push(headers, HeaderName::Contact, dialog::contact_value(&self.config, &flow));
        wire::push(headers, HeaderName::Event, event);
        wire::push(headers, HeaderName::SubscriptionState, state);
        let body = Bytes::from(format!("SIP/2.0 {status} {}\r\n", phrase(status)));
        wire::body_headers(headers, Some((SIPFRAG, &body)));
        notify.set_body(body);
        let cseq = referral.cseq;
        if last {
            self.end_referral(id);
        } else {
            referral.state = Told::Going { status, unanswered: true, next: None, until };
        }
        self.start(notify, &branch, flow, Purpose::Notify(id, cseq), now);
    }

    fn end_referral(&mut self, id: DialogId) {
        self.timers.clear(Deadline::Referral(id));
        let Some(referral) = self.transfers.theirs.get_mut(&id) else { return };
        referral.state = Told::Over;
        if referral.alone.is_some() && !self.legs.contains_key(&id) {
            self.transfers.theirs.remove(&id);
        }
    }

    /// The answer to a NOTIFY. A refusal ends the subscription, not the call (RFC 5057 §5.1); nor does
    /// silence: the call has requests of its own to find out by.
    pub(super) fn on_notify_outcome(&mut self, id: DialogId, cseq: u32, outcome: &Outcome, now: Timestamp) {
        let taken = match outcome {
            Outcome::Response(response) if response.status.is_provisional() => return,
            Outcome::Response(response) => response.status.is_success(),
            Outcome::Failed(_) => false,
        };
        let Some(referral) = self.transfers.theirs.get_mut(&id).filter(|referral| referral.cseq == cseq)
        else {
            return;
        };
        let Told::Going { unanswered, next, .. } = &mut referral.state else { return };
        *unanswered = false;
        match next.take() {
            Some(status) if taken => self.send_notify(id, status, false, now),
            None if taken => {}
            Some(_) | None => self.end_referral(id),
        }
    }

    /// The time of a referral is over, or its dialog ended before it was answered.
    pub(super) fn referral_expired(&mut self, id: DialogId, now: Timestamp) {
        match self.transfers.theirs.get(&id).map(|referral| (&referral.state, referral.alone.is_some())) {
            Some((Told::Asked { .. }, alone)) => {
                self.answer_refer(id, if alone { 487 } else { 500 }, now);
                self.end_referral(id);
            }
            Some((Told::Going { status, .. }, _)) => {
                let status = *status;
                self.send_notify(id, status, true, now);
            }
            Some((Told::Silent | Told::Over, _)) | None => {}
        }
    }

    /// A REFER or NOTIFY outside a dialog (RFC 3515 §2.4.2, RFC 6665 §4.1.3): transfers are for calls we
    /// are in, and news only for who asked for them.
    pub(super) fn refuse_outside(&mut self, inbound: &Inbound) {
        if inbound.request.method == Method::Refer {
            return self.refuse(inbound, 403, &[]);
        }
        match event(&inbound.request) {
            Some((package, _)) if package.eq_ignore_ascii_case("refer") => self.refuse(inbound, 481, &[]),
            Some(_) | None => self.refuse(inbound, 489, &[(HeaderName::AllowEvents, "refer")]),
        }
    }

    /// The dialog of a request of ours, also one that only a subscription holds.
    pub(super) fn dialog_of(&mut self, fork: &Fork) -> Option<&mut Dialog> {
        let tag = fork.tag.as_deref();
        match self.legs.get_mut(&fork.leg).and_then(|leg| leg.dialog_of(tag)) {
            Some(dialog) => Some(dialog),
            None => self.transfers.theirs.get_mut(&fork.leg)?.alone.as_mut(),
        }
    }

    /// A dialog was taken out of the tables. Ours is over with it. Theirs goes on until its last NOTIFY:
    /// who transfers blindly often hangs up first.
    pub(super) fn forget_transfers(&mut self, id: DialogId, leg: &Leg) {
        if self.transfers.ours.remove(&id).is_some() {
            self.timers.clear(Deadline::Reference(id));
        }
        let (Some(referral), Some(dialog)) = (self.transfers.theirs.get_mut(&id), leg.dialog()) else {
            return;
        };
        match referral.state {
            Told::Going { .. } => referral.alone = Some(dialog.clone()),
            Told::Asked { .. } => {
                referral.alone = Some(dialog.clone());
                // To be refused as soon as there is a clock.
                self.timers.set(Deadline::Referral(id), Timestamp::from_micros(0));
            }
            Told::Silent | Told::Over => drop(self.transfers.theirs.remove(&id)),
        }
    }
}
