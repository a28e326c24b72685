//! Answered calls: ACK, BYE, re-INVITE both ways with glare (RFC 3261 §14, §15), INFO and OPTIONS
//! inside a dialog.

use std::time::Duration;

use bytes::Bytes;

use super::body;
use super::cause;
use super::endpoint::Endpoint;
use super::extensions;
use super::io::{DialogId, Event};
use super::leg::{Exchange, Farewell, Leaving, Leg, Of, Unacked, Wanted};
use super::machines::Outcome;
use super::reason;
use super::respond::{self, Inbound};
use super::timers::{Deadline, DialogTimer};
use super::transactions::{ClientId, Purpose, ServerId};
use super::update::{self, Again};
use super::wire::{self, Action, HeaderName, Key, Method, Response};
use crate::call::Cause;
use crate::media::Digit;
use crate::time::Timestamp;

/// A re-INVITE that met theirs so often is given up.
pub(super) const MAX_GLARES: u8 = 5;

impl Endpoint {
    /// A request with a To tag (RFC 3261 §12.2.2).
    pub(super) fn on_in_dialog(&mut self, inbound: Inbound, key: Key) {
        let tag = inbound.head.to.tag().map(String::from_utf8_lossy).unwrap_or_default();
        let id = self.tags.get(tag.as_ref()).copied();
        let id = id.filter(|id| self.legs.get(id).is_some_and(|leg| leg.holds(&inbound.head).is_some()));
        let Some(id) = id else {
            if !self.gate.ignored(inbound.flow.remote.ip(), inbound.now) {
                self.refuse(&inbound, 481, &[]);
            }
            return;
        };
        if !self.is_from_peer(id, &inbound) {
            return;
        }
        let method = inbound.request.method.clone();
        let dialog = self.legs.get_mut(&id).and_then(|leg| leg.dialog_of(inbound.head.from.tag()));
        let Some(dialog) = dialog else { return self.refuse(&inbound, 481, &[]) };
        // Gaps are legal; what is older is out of order. An equal number is a copy that came another
        // way, and only ending twice does no harm.
        // A PRACK names what it is for; an UPDATE may have overtaken it.
        let last = if method == Method::Prack { 0 } else { dialog.remote_cseq.unwrap_or(0) };
        if inbound.head.cseq < last || (inbound.head.cseq == last && method != Method::Bye) {
            return self.refuse(&inbound, 500, &[]);
        }
        dialog.remote_cseq = dialog.remote_cseq.max(Some(inbound.head.cseq));
        dialog.flow = inbound.flow;
        let (flow, now) = (inbound.flow, inbound.now);
        let is_back = self.legs.get_mut(&id).is_some_and(|leg| leg.found_again(flow));
        if !self.requires_nothing(&inbound) {
            return;
        }
        self.act(id, &method, inbound, key);
        if is_back {
            self.pursue_reinvite(id, now);
        }
    }

    fn act(&mut self, id: DialogId, method: &Method, inbound: Inbound, key: Key) {
        match wire::action(method) {
            Action::Bye => self.on_bye(id, inbound, key),
            Action::Invite => self.on_reinvite(id, inbound, key),
            Action::Info => self.on_info(id, inbound, key),
            Action::Options => self.answer_options(&inbound),
            Action::Prack => self.on_prack(id, inbound, key),
            Action::Update => self.on_update(id, inbound, key),
            Action::Refer => self.on_refer(id, inbound, key),
            Action::Notify => self.on_notify(id, inbound, key),
            Action::Register => self.refuse(&inbound, 405, &[(HeaderName::Allow, extensions::ALLOW)]),
            Action::Refuse(status) => {
                self.refuse(&inbound, status, &[(HeaderName::Allow, extensions::ALLOW)])
            }
        }
    }

    /// 200 to a request that has a transaction.
    pub(super) fn agree(&mut self, inbound: Inbound, key: Key) -> Option<ServerId> {
        let (server, inbound) = self.open(inbound, key, None)?;
        let mut response = respond::response(&inbound.request, 200, None);
        self.dress(&mut response);
        self.respond(server, response, inbound.now);
        Some(server)
    }

    fn on_bye(&mut self, id: DialogId, inbound: Inbound, key: Key) {
        let now = inbound.now;
        let cause = reason::of_bye(&inbound.request.headers);
        if self.agree(inbound, key).is_none() {
            return; // too full to answer; they will send it again
        }
        match self.legs.get_mut(&id) {
            // Before our final response: the INVITE still needs one (RFC 3261 §15.1.2).
            Some(Leg::Offered(_)) => self.end_offered(id, 487, Cause::Cancelled, now),
            Some(Leg::Live(_)) => {
                self.abort_reinvites(id, now);
                self.finish(id, cause, None);
            }
            Some(Leg::Leaving(leaving)) => match &leaving.farewell {
                // They were faster; our BYE on its way finds its own end.
                Farewell::AfterAck(..) => drop(self.forget(id)),
                Farewell::Sent => {}
            },
            // A place that rings says so by a final response; its INVITE will get one (RFC 3261 §15.1.2).
            Some(Leg::Calling(_) | Leg::LoggingOn) | None => {}
        }
    }

    fn on_reinvite(&mut self, id: DialogId, inbound: Inbound, key: Key) {
        let retry = self.mint.below(11).to_string();
        let busy: Option<(u16, &[(HeaderName, &str)])> = match self.legs.get(&id) {
            Some(Leg::Live(session)) => match (&session.exchange, &session.unacked) {
                // Two of theirs at once (RFC 3261 §14.2).
                (Exchange::Theirs(_), _) => Some((500, &[(HeaderName::RetryAfter, &retry)])),
                // Glare; or our last 2xx is not confirmed, so its offer and answer are not settled.
                (Exchange::Ours(_), _) | (Exchange::Idle, Some(_)) => Some((491, &[])),
                (Exchange::Idle, None) => None,
            },
            Some(Leg::Offered(_)) => Some((500, &[(HeaderName::RetryAfter, &retry)])),
            Some(Leg::Leaving(_) | Leg::Calling(_) | Leg::LoggingOn) | None => Some((481, &[])),
        };
        if let Some((status, extra)) = busy {
            return self.refuse(&inbound, status, extra);
        }
        let Ok(sdp) = body::sdp(&inbound.request.headers, inbound.request.body()) else {
            return self.refuse(&inbound, 415, &[(HeaderName::Accept, body::ACCEPT)]);
        };
        if !self.is_long_enough(&inbound) {
            return;
        }
        let Some((server, _)) = self.open(inbound, key, None) else { return };
        if let Some(entry) = self.tx.server(server) {
            entry.dialog = Some(id);
        }
        if let Some(session) = self.session(id) {
            session.exchange = Exchange::Theirs(server);
            self.tell(Event::Reinvite { dialog: id, sdp });
        }
    }

    /// Takes an offer of theirs off its dialog, to be answered: its transaction, and their tag.
    fn take_theirs(&mut self, id: DialogId) -> Option<(ServerId, Method, Option<Bytes>)> {
        let exchange = self.legs.get_mut(&id)?.theirs().into_iter().next()?;
        let Exchange::Theirs(server) = *exchange else { return None };
        *exchange = Exchange::Idle;
        self.timers.clear(Deadline::Dialog(id, DialogTimer::OfferLate));
        let request = self.tx.server(server)?.machine.request();
        let tag = wire::head_of_request(request).ok()?.from.tag().map(Bytes::copy_from_slice);
        Some((server, request.method.clone(), tag))
    }

    pub(super) fn accept_reinvite(&mut self, id: DialogId, sdp: Bytes, now: Timestamp) {
        let Some((server, method, tag)) = self.take_theirs(id) else { return };
        let headers = self.tx.server(server).map(|entry| entry.machine.request().headers.clone());
        let (Some(leg), Some(headers)) = (self.legs.get_mut(&id), headers) else { return };
        if method == Method::Prack {
            self.agree_with(server, Some(&sdp), now);
            return self.go_on(id, now);
        }
        let Some(dialog) = leg.dialog_of(tag.as_deref()) else { return };
        dialog.refresh_target(&headers);
        if method == Method::Update {
            self.accept_update(id, server, tag.as_deref(), Some(&sdp), now);
            self.first_answer_is_past(id, tag.as_deref());
            return self.go_on(id, now);
        }
        let Some(mut response) = self.invite_response(server, 200, "", Some(&sdp)) else { return };
        let Some(Leg::Live(session)) = self.legs.get_mut(&id) else { return };
        session.dialog.grant_timer(&headers, &mut response.headers, &self.config);
        self.accept(id, server, response, Of::Reinvite, now);
    }

    pub(super) fn reject_reinvite(&mut self, id: DialogId, status: u16, now: Timestamp) {
        let Some((server, ..)) = self.take_theirs(id) else { return };
        let status = if (400..=699).contains(&status) { status } else { 500 };
        self.refuse_invite(server, status, "", now);
        self.go_on(id, now);
    }

    /// The dialog ends: theirs get their final response, ours is not sent.
    pub(super) fn abort_reinvites(&mut self, id: DialogId, now: Timestamp) {
        while let Some((server, ..)) = self.take_theirs(id) {
            self.refuse_invite(server, 487, "", now);
        }
        match self.legs.get_mut(&id) {
            Some(Leg::Live(session)) => session.wanted = None,
            Some(Leg::Offered(offered)) => offered.wanted = None,
            Some(Leg::Calling(calling)) => calling.wanted = None,
            Some(Leg::Leaving(_) | Leg::LoggingOn) | None => {}
        }
    }

    /// An ACK that belongs to no transaction, so to a 2xx of ours.
    pub(super) fn on_ack(&mut self, inbound: &Inbound) {
        let tag = inbound.head.to.tag().map(String::from_utf8_lossy).unwrap_or_default();
        let Some(id) = self.tags.get(tag.as_ref()).copied() else { return };
        if self.legs.get(&id).is_none_or(|leg| leg.holds(&inbound.head).is_none()) {
            return;
        }
        if !self.is_where_peer_is(id, inbound) {
            return self.spoofed(inbound);
        }
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let is_it = |unacked: &Unacked| unacked.cseq == inbound.head.cseq;
        match leg {
            Leg::Live(session) => {
                let Some(Unacked { of, .. }) = session.unacked.take_if(|unacked| is_it(unacked)) else {
                    return;
                };
                let early = session.early_answer.take();
                self.stop_2xx(id);
                let sdp =
                    body::sdp(&inbound.request.headers, inbound.request.body()).ok().flatten().or(early);
                if of == Of::First || sdp.is_some() {
                    self.tell(Event::Confirmed { dialog: id, sdp });
                }
                self.pursue_reinvite(id, inbound.now);
            }
            Leg::Leaving(leaving) => {
                if matches!(&leaving.farewell, Farewell::AfterAck(unacked, _) if is_it(unacked)) {
                    self.say_bye(id, inbound.now);
                }
            }
            Leg::Offered(_) | Leg::Calling(_) | Leg::LoggingOn => {}
        }
    }

    fn stop_2xx(&mut self, id: DialogId) {
        self.timers.clear(Deadline::Dialog(id, DialogTimer::Resend2xx));
        self.timers.clear(Deadline::Dialog(id, DialogTimer::AckLate));
    }

    fn on_info(&mut self, id: DialogId, inbound: Inbound, key: Key) {
        match body::digit(&inbound.request.headers, inbound.request.body()) {
            Ok(digit) => {
                let agreed = self.agree(inbound, key);
                if let (Some(_), Some(digit), Some(Leg::Live(_) | Leg::Offered(_))) =
                    (agreed, digit, self.legs.get(&id))
                {
                    self.tell(Event::Digit { dialog: id, digit });
                }
            }
            Err(body::Unsupported) => {
                let accept = "application/dtmf-relay, application/dtmf";
                self.refuse(&inbound, 415, &[(HeaderName::Accept, accept)]);
            }
        }
    }

    pub(super) fn hangup(&mut self, id: DialogId, cause: Cause, now: Timestamp) {
        match self.legs.get(&id) {
            Some(Leg::Offered(_)) => self.end_offered_for(id, cause, now),
            Some(Leg::Calling(_)) => self.stop_calling(id, cause, now),
            Some(Leg::Live(_)) => self.leave(id, cause, now),
            Some(Leg::LoggingOn) => self.finish(id, cause, None),
            Some(Leg::Leaving(_)) | None => {}
        }
    }

    fn end_offered_for(&mut self, id: DialogId, cause: Cause, now: Timestamp) {
        self.end_offered(id, cause::to_status(cause), cause, now);
    }

    /// Ends an answered call from our side: the user is told at once, the other side by BYE, now or
    /// when it may be sent.
    pub(super) fn leave(&mut self, id: DialogId, cause: Cause, now: Timestamp) {
        self.abort_reinvites(id, now);
        let Some(session) = self.session(id) else { return };
        let waits = session.unacked.take_if(|unacked| unacked.of == Of::First);
        let late = self.timers.clear(Deadline::Dialog(id, DialogTimer::AckLate));
        let again = self.timers.clear(Deadline::Dialog(id, DialogTimer::Resend2xx));
        let Some(leg) = self.forget(id) else { return };
        let dialog = match &leg {
            Leg::Live(session) => session.dialog.clone(),
            Leg::Offered(_) | Leg::Calling(_) | Leg::Leaving(_) | Leg::LoggingOn => return,
        };
        self.tell_end(id, leg, cause, None);
        self.tags.insert(dialog.local_tag.clone(), id);
        let farewell = match waits {
            Some(unacked) => Farewell::AfterAck(unacked, cause),
            None => Farewell::Sent,
        };
        let sent = matches!(farewell, Farewell::Sent);
        self.legs.insert(id, Leg::Leaving(Box::new(Leaving { dialog, farewell })));
        if sent {
            self.send_bye(id, cause, now);
        } else {
            let patience = self.config.patience();
            self.timers.set(Deadline::Dialog(id, DialogTimer::AckLate), late.unwrap_or(now + patience));
            self.timers.set(Deadline::Dialog(id, DialogTimer::Resend2xx), again.unwrap_or(now));
        }
    }

    /// The BYE that waited for the ACK.
    pub(super) fn say_bye(&mut self, id: DialogId, now: Timestamp) {
        let Some(Leg::Leaving(leaving)) = self.legs.get_mut(&id) else { return };
        let farewell = std::mem::replace(&mut leaving.farewell, Farewell::Sent);
        if let Farewell::AfterAck(_, cause) = farewell {
            self.stop_2xx(id);
            self.send_bye(id, cause, now);
        }
    }

    fn send_bye(&mut self, id: DialogId, cause: Cause, now: Timestamp) {
        let branch = self.mint.branch();
        let Some(dialog) = self.legs.get_mut(&id).and_then(Leg::dialog_mut) else { return };
        let (mut bye, flow) = dialog.request(Method::Bye, &self.config, &branch);
        wire::push(&mut bye.headers, HeaderName::Reason, cause::reason(cause));
        wire::body_headers(&mut bye.headers, None);
        self.start(bye, &branch, flow, Purpose::Bye(id), now);
    }

    /// Any end of our BYE is the end of the dialog (RFC 3261 §15.1.1).
    pub(super) fn on_bye_outcome(&mut self, id: DialogId, outcome: &Outcome) {
        let ended = match outcome {
            Outcome::Response(response) => response.status.is_final(),
            Outcome::Failed(_) => true,
        };
        if ended && matches!(self.legs.get(&id), Some(Leg::Leaving(_))) {
            self.forget(id);
        }
    }

    pub(super) fn send_digit(&mut self, id: DialogId, digit: Digit, now: Timestamp) {
        let branch = self.mint.branch();
        let Some(Leg::Live(session)) = self.legs.get_mut(&id) else { return };
        if session.dialog.is_lost() {
            return; // nobody would hear it, and by the time somebody does it means nothing
        }
        let (mut info, flow) = session.dialog.request(Method::Info, &self.config, &branch);
        let body = body::dtmf_relay(digit);
        wire::body_headers(&mut info.headers, Some(("application/dtmf-relay", &body)));
        info.set_body(body);
        self.start(info, &branch, flow, Purpose::Info(id), now);
    }

    /// 408 and 481 to a request inside a dialog end it (RFC 3261 §12.2.1.2).
    pub(super) fn on_info_outcome(&mut self, id: DialogId, outcome: &Outcome, now: Timestamp) {
        if self.ends_dialog(id, outcome) && self.session(id).is_some() {
            self.leave(id, Cause::Unreachable, now);
        }
    }

    pub(super) fn reinvite(&mut self, id: DialogId, sdp: Bytes, now: Timestamp) {
        let wanted = match self.legs.get_mut(&id) {
            Some(Leg::Live(session)) => &mut session.wanted,
            Some(Leg::Offered(offered)) => &mut offered.wanted,
            Some(Leg::Calling(calling)) => &mut calling.wanted,
            Some(Leg::Leaving(_) | Leg::LoggingOn) | None => return,
        };
        *wanted = Some(Wanted { sdp, not_before: now, glares: 0 });
        self.pursue_reinvite(id, now);
    }

    /// Sends the re-INVITE that is under way.
    pub(super) fn send_reinvite(&mut self, id: DialogId, sdp: Bytes, now: Timestamp) {
        let branch = self.mint.branch();
        let Some(Leg::Live(session)) = self.legs.get_mut(&id) else { return };
        let (mut invite, flow) = session.dialog.request(Method::Invite, &self.config, &branch);
        wire::body_headers(&mut invite.headers, Some(("application/sdp", &sdp)));
        invite.set_body(sdp);
        self.start(invite, &branch, flow, Purpose::Reinvite(id), now);
    }

    pub(super) fn on_reinvite_outcome(
        &mut self,
        client: ClientId,
        id: DialogId,
        outcome: Outcome,
        now: Timestamp,
    ) {
        let response = match outcome {
            Outcome::Response(response) if response.status.is_provisional() => {
                // From here on the transaction itself waits for ever.
                return self.timers.set_once(Deadline::RingsTooLong(client), now + self.config.patience());
            }
            Outcome::Response(response) if response.status.is_success() => response,
            Outcome::Response(response) if update::again(&response).is_some() => {
                self.settle(client);
                if let Some(again) = update::again(&response) {
                    self.offer_again(id, None, &again, now);
                }
                return;
            }
            Outcome::Response(response) if self.lengthens(id, &response) => {
                self.settle(client);
                return self.offer_again(id, None, &Again::After(Duration::ZERO), now);
            }
            failed @ (Outcome::Response(_) | Outcome::Failed(_)) => {
                self.settle(client);
                if self.ends_dialog(id, &failed) {
                    self.leave(id, Cause::Unreachable, now);
                } else if !self.waits_for_phone(id) {
                    self.reinvited(id, None, None, now);
                }
                return;
            }
        };
        self.settle(client);
        let Some((head, _)) = wire::head_of_response(&response) else { return };
        let branch = self.mint.branch();
        let Some(dialog) = self.legs.get_mut(&id).and_then(Leg::dialog_mut) else { return };
        dialog.refresh_target(&response.headers);
        let (ack, flow) = dialog.ack(head.cseq, &self.config, &branch);
        let first = self.acknowledge(client, head.to.tag().unwrap_or_default(), ack, flow);
        if first {
            if let Some(Leg::Live(session)) = self.legs.get_mut(&id) {
                session.dialog.adopt_timer(&response.headers, &self.config);
            }
            self.refreshed(id, now);
            let sdp = body::sdp(&response.headers, response.body()).ok().flatten();
            self.reinvited(id, None, Some(sdp), now);
        }
    }

    /// Whether a 422 asks for a longer session than ours was.
    fn lengthens(&mut self, id: DialogId, response: &Response) -> bool {
        let Some(Leg::Live(session)) = self.legs.get_mut(&id) else { return false };
        session.dialog.lengthen(response, &self.config)
    }
}

pub(super) fn ends_dialog(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Response(response) => matches!(response.status.code(), 408 | 481),
        Outcome::Failed(_) => true,
    }
}
