//! UPDATE (RFC 3311), early and in the call: offers and answers beside the INVITE's, and the refresh of a
//! session without any.

use std::time::Duration;

use bytes::Bytes;

use super::body;
use super::endpoint::Endpoint;
use super::io::{DialogId, Event};
use super::leg::{Exchange, First, Leg, Wanted};
use super::machines::Outcome;
use super::respond::Inbound;
use super::timers::{Deadline, DialogTimer};
use super::transactions::{ClientId, Fork, Purpose, ServerId};
use super::wire::{self, HeaderName, Key, Method, Response};
use crate::time::Timestamp;

/// A Retry-After we wait for; who asks for longer has refused.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// What an offer of ours that was refused is to do next.
pub(super) enum Again {
    /// As after a glare (RFC 3261 §14.1).
    Glare,
    /// After so long (RFC 3311 §5.3).
    After(Duration),
}

/// Whether a refused offer may be made again: after 491, or after a 500 that says when.
pub(super) fn again(response: &Response) -> Option<Again> {
    match response.status.code() {
        491 => Some(Again::Glare),
        500 => {
            let value = response.headers.value(&HeaderName::RetryAfter)?;
            let digits = value.split(|b| !b.is_ascii_digit()).next()?;
            let wait = Duration::from_secs(wire::seconds(digits)?.into());
            (wait <= MAX_RETRY_AFTER).then_some(Again::After(wait))
        }
        0..=u16::MAX => None,
    }
}

/// Theirs.
impl Endpoint {
    /// An UPDATE; its sequence number and source were checked (RFC 3311 §5.2).
    pub(super) fn on_update(&mut self, id: DialogId, inbound: Inbound, key: Key) {
        if !self.is_long_enough(&inbound) {
            return;
        }
        let Ok(sdp) = body::sdp(&inbound.request.headers, inbound.request.body()) else {
            return self.refuse(&inbound, 415, &[(HeaderName::Accept, body::ACCEPT)]);
        };
        let retry = self.mint.below(11).to_string();
        let tag = inbound.head.from.tag().map(Bytes::copy_from_slice);
        let Some(talks) = self.legs.get_mut(&id).and_then(|leg| leg.talks(tag.as_deref())) else {
            return self.refuse(&inbound, 481, &[]);
        };
        let busy: Option<(u16, &[(HeaderName, &str)])> = match (&talks.exchange, talks.first) {
            // Two of theirs at once; or theirs waits for us.
            (Exchange::Theirs(_), _) => Some((500, &[(HeaderName::RetryAfter, &retry)])),
            (Exchange::Idle | Exchange::Ours(_), First::Theirs) if sdp.is_some() => {
                Some((500, &[(HeaderName::RetryAfter, &retry)]))
            }
            // Ours waits for them.
            (Exchange::Ours(_), First::Ours | First::Settled { .. }) if sdp.is_some() => Some((491, &[])),
            (Exchange::Idle, First::Ours) if sdp.is_some() => Some((491, &[])),
            (Exchange::Idle | Exchange::Ours(_), _) => None,
        };
        if let Some((status, extra)) = busy {
            return self.refuse(&inbound, status, extra);
        }
        let now = inbound.now;
        let Some((server, inbound)) = self.open(inbound, key, None) else { return };
        let Some(talks) = self.legs.get_mut(&id).and_then(|leg| leg.talks(tag.as_deref())) else { return };
        match sdp {
            Some(offer) => {
                *talks.exchange = Exchange::Theirs(server);
                self.put_to_user(id, server, offer, now);
            }
            None => {
                talks.dialog.refresh_target(&inbound.request.headers);
                self.accept_update(id, server, tag.as_deref(), None, now);
            }
        }
    }

    /// An offer that came by UPDATE or PRACK: neither may wait for long.
    pub(super) fn put_to_user(&mut self, id: DialogId, server: ServerId, offer: Bytes, now: Timestamp) {
        if let Some(entry) = self.tx.server(server) {
            entry.dialog = Some(id);
        }
        // Half of what they wait: their answer must have the time to come back.
        self.timers.set(Deadline::Dialog(id, DialogTimer::OfferLate), now + self.config.patience() / 2);
        self.tell(Event::Reinvite { dialog: id, sdp: Some(offer) });
    }

    /// Our user does not answer.
    pub(super) fn offer_is_late(&mut self, id: DialogId, now: Timestamp) {
        self.reject_reinvite(id, 504, now);
    }

    /// 200 to an UPDATE.
    pub(super) fn accept_update(
        &mut self,
        id: DialogId,
        server: ServerId,
        tag: Option<&[u8]>,
        sdp: Option<&Bytes>,
        now: Timestamp,
    ) {
        let Some(mut response) = self.invite_response(server, 200, "", sdp) else { return };
        let request = self.tx.server(server).map(|entry| entry.machine.request().headers.clone());
        let talks = self.legs.get_mut(&id).and_then(|leg| leg.talks(tag));
        if let (Some(talks), Some(request)) = (talks, request)
            && talks.live
        {
            talks.dialog.grant_timer(&request, &mut response.headers, &self.config);
        }
        self.respond(server, response, now);
        self.refreshed(id, now);
    }
}

/// Ours.
impl Endpoint {
    /// Sends an UPDATE, with the offer that is under way or as a refresh.
    pub(super) fn send_update(
        &mut self,
        id: DialogId,
        tag: Option<&[u8]>,
        sdp: Option<Bytes>,
        now: Timestamp,
    ) {
        let branch = self.mint.branch();
        let Some(dialog) = self.legs.get_mut(&id).and_then(|leg| leg.dialog_of(tag)) else { return };
        let fork = Fork { leg: id, tag: dialog.remote_tag.clone() };
        let (mut update, flow) = dialog.request(Method::Update, &self.config, &branch);
        wire::body_headers(&mut update.headers, sdp.as_ref().map(|bytes| ("application/sdp", bytes)));
        let offers = sdp.is_some();
        if let Some(sdp) = sdp {
            update.set_body(sdp);
        }
        self.start(update, &branch, flow, Purpose::Update(fork, offers), now);
    }

    /// What became of an UPDATE of ours (RFC 3311 §5.3).
    pub(super) fn on_update_outcome(
        &mut self,
        client: ClientId,
        of: (&Fork, bool),
        outcome: &Outcome,
        now: Timestamp,
    ) {
        let (Fork { leg: id, tag }, offers) = of;
        let (id, tag) = (*id, tag.as_deref());
        self.settle(client);
        let response = match outcome {
            Outcome::Response(response) if response.status.is_provisional() => return,
            Outcome::Response(response) => Some(response),
            Outcome::Failed(_) => None,
        };
        let over = self.ends_dialog(id, outcome);
        if response.is_none() && self.waits_for_phone(id) {
            if !offers {
                self.refresh_due(id, now);
            }
            return;
        }
        let Some(talks) = self.legs.get_mut(&id).and_then(|leg| leg.talks(tag)) else { return };
        match response {
            Some(response) if response.status.is_success() => {
                talks.dialog.refresh_target(&response.headers);
                if talks.live {
                    talks.dialog.adopt_timer(&response.headers, &self.config);
                    self.refreshed(id, now);
                }
                if offers {
                    let sdp = body::sdp(&response.headers, response.body()).ok().flatten();
                    self.reinvited(id, tag, Some(sdp), now);
                }
            }
            Some(response) if talks.dialog.lengthen(response, &self.config) => {
                if offers {
                    self.offer_again(id, tag, &Again::After(Duration::ZERO), now);
                } else {
                    self.send_update(id, tag, None, now);
                }
            }
            Some(_) | None if talks.live && over => {
                self.leave(id, crate::call::Cause::Unreachable, now);
            }
            Some(response) if offers => match again(response) {
                Some(again) => self.offer_again(id, tag, &again, now),
                None => self.reinvited(id, tag, None, now),
            },
            None if offers => self.reinvited(id, tag, None, now),
            Some(_) | None if talks.live => {
                self.refresh_refused(id, response.is_some_and(|r| again(r).is_some()), now)
            }
            Some(_) | None => {}
        }
    }

    /// A refresh without an offer was refused: later again, or with an offer.
    fn refresh_refused(&mut self, id: DialogId, later: bool, now: Timestamp) {
        if later {
            let wait = Duration::from_millis(2_100 + u64::from(self.mint.below(1_900)));
            self.timers.set(Deadline::Dialog(id, DialogTimer::RefreshDue), now + wait);
        } else if let Some(session) = self.session(id) {
            session.dialog.updates = false;
            self.tell(Event::Refresh { dialog: id });
        }
    }

    /// Makes our offer now if its turn has come: by re-INVITE in the call, by UPDATE before.
    pub(super) fn pursue_reinvite(&mut self, id: DialogId, now: Timestamp) {
        let Some(talks) = self.legs.get_mut(&id).and_then(|leg| leg.talks(None)) else { return };
        let free = matches!(talks.exchange, Exchange::Idle) && talks.first == First::Settled { ready: true };
        if !free || talks.dialog.is_lost() || !(talks.live || talks.dialog.updates) {
            return;
        }
        let Some(wanted) = talks.wanted.take_if(|wanted| wanted.not_before <= now) else {
            if let Some(at) = talks.wanted.as_ref().map(|wanted| wanted.not_before) {
                self.timers.set(Deadline::Dialog(id, DialogTimer::ReinviteAgain), at);
            }
            return;
        };
        let sdp = wanted.sdp.clone();
        *talks.exchange = Exchange::Ours(wanted);
        if talks.live {
            self.send_reinvite(id, sdp, now);
        } else {
            self.send_update(id, None, Some(sdp), now);
        }
    }

    /// An offer or a refresh of ours failed. `true`: because its phone is out of reach; an offer waits until that
    /// is back, unless there is a newer one.
    pub(super) fn waits_for_phone(&mut self, id: DialogId) -> bool {
        if !self.is_out_of_reach(id) {
            return false;
        }
        if let Some(talks) = self.legs.get_mut(&id).and_then(|leg| leg.talks(None)) {
            match std::mem::replace(talks.exchange, Exchange::Idle) {
                Exchange::Ours(ours) => drop(talks.wanted.get_or_insert(ours)),
                other @ (Exchange::Idle | Exchange::Theirs(_)) => *talks.exchange = other,
            }
        }
        true
    }

    /// The end of an offer of ours; `Some`: accepted, with the answer.
    pub(super) fn reinvited(
        &mut self,
        id: DialogId,
        tag: Option<&[u8]>,
        accepted: Option<Option<Bytes>>,
        now: Timestamp,
    ) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(talks) = leg.talks(tag) else { return };
        if !matches!(talks.exchange, Exchange::Ours(_)) {
            return;
        }
        *talks.exchange = Exchange::Idle;
        if accepted.is_some() {
            self.first_answer_is_past(id, tag);
        }
        self.tell(Event::Reinvited { dialog: id, sdp: accepted.flatten() });
        self.go_on(id, now);
    }

    /// An offer or answer is done: what waited for it.
    pub(super) fn go_on(&mut self, id: DialogId, now: Timestamp) {
        match self.legs.get(&id) {
            Some(Leg::Offered(_)) => self.go_on_ringing(id, now),
            Some(Leg::Live(_) | Leg::Calling(_)) => self.pursue_reinvite(id, now),
            Some(Leg::Leaving(_) | Leg::LoggingOn) | None => {}
        }
    }

    /// Another description took the place of the answer in an early dialog of ours.
    pub(super) fn first_answer_is_past(&mut self, id: DialogId, tag: Option<&[u8]>) {
        if let Some(Leg::Calling(calling)) = self.legs.get_mut(&id)
            && let Some(early) = calling.early_of(tag)
        {
            early.answer = None;
        }
    }

    /// Ours met theirs, or came at a bad time: once more after a while that depends on who drew the Call-ID.
    pub(super) fn offer_again(&mut self, id: DialogId, tag: Option<&[u8]>, again: &Again, now: Timestamp) {
        let (owner, other) = (210 + self.mint.below(191), self.mint.below(201));
        let Some(talks) = self.legs.get_mut(&id).and_then(|leg| leg.talks(tag)) else { return };
        if !matches!(talks.exchange, Exchange::Ours(_)) {
            return;
        }
        let Exchange::Ours(mut ours) = std::mem::replace(talks.exchange, Exchange::Idle) else { return };
        if ours.glares >= super::session::MAX_GLARES {
            *talks.exchange = Exchange::Ours(ours);
            return self.reinvited(id, tag, None, now);
        }
        ours.glares += 1;
        let at = now + again.wait(talks.side, owner, other);
        // What the user wished for meanwhile takes the place of what was refused.
        let next: Wanted = talks.wanted.take().map_or(ours, |newer| newer);
        *talks.wanted = Some(Wanted { not_before: at, ..next });
        self.timers.set(Deadline::Dialog(id, DialogTimer::ReinviteAgain), at);
        // Early, an answer may have waited for this.
        self.go_on(id, now);
    }
}

impl Again {
    /// `owner` and `other` are drawn, in hundredths of a second.
    fn wait(&self, side: super::leg::Side, owner: u32, other: u32) -> Duration {
        match (self, side) {
            (Self::Glare, super::leg::Side::Caller) => Duration::from_millis(u64::from(owner) * 10),
            (Self::Glare, super::leg::Side::Callee) => Duration::from_millis(u64::from(other) * 10),
            (Self::After(wait), _) => *wait,
        }
    }
}
