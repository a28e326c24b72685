//! Calls from outside (RFC 3261 §13.3): the INVITE, its provisional and final responses, CANCEL, and
//! the 2xx that is sent again until its ACK comes.

use std::time::Duration;

use bytes::Bytes;

use super::body;
use super::cause;
use super::dialog::{self, Dialog, Peer};
use super::endpoint::Endpoint;
use super::extensions;
use super::io::{DialogId, Event, Incoming, Source};
use super::leg::{Exchange, Farewell, Leg, Of, Offered, Unacked};
use super::particulars;
use super::pressure::RETRY;
use super::reason;
use super::respond::{self, Inbound};
use super::timers::{Deadline, DialogTimer};
use super::transactions::ServerId;
use super::wire::{self, HeaderName, Headers, Key, Message, Method, Response, ServerState};
use crate::call::Cause;
use crate::ids::TrunkId;
use crate::time::Timestamp;

/// Proxies give up an INVITE that shows no life for three minutes; RFC 3261 §13.3.1.1 asks for a
/// provisional response every minute.
const STILL_RINGING: Duration = Duration::from_secs(60);

impl Endpoint {
    /// An INVITE outside a dialog.
    pub(super) fn on_invite(&mut self, inbound: Inbound, key: Key, merge: Key) {
        let Some(source) = self.source_of(&inbound) else { return };
        if !self.passes(&inbound, &merge) {
            return;
        }
        let headers = &inbound.request.headers;
        let Ok(sdp) = body::sdp(headers, inbound.request.body()) else {
            return self.refuse(&inbound, 415, &[(HeaderName::Accept, body::ACCEPT)]);
        };
        if !accepts_sdp(headers) {
            return self.refuse(&inbound, 406, &[]);
        }
        let Ok(replaces) = self.replaced(&inbound) else { return };
        // A leg that takes another's place is of a call that is there.
        if replaces.is_none() && !self.has_room_for_call(&inbound, &source) {
            return;
        }
        let tag = self.mint.token();
        let mut dialog = match Dialog::offered(&inbound.request, &inbound.head, tag, inbound.flow) {
            Ok(dialog) => dialog,
            Err(fault) => return self.refuse(&inbound, fault.status, &[]),
        };
        dialog.peer = Peer::from(&source);
        if !self.is_long_enough(&inbound) {
            return;
        }
        if self.legs.len() >= self.config.max_dialogs {
            let after = self.retry_after(&inbound.head.call_id);
            return self.refuse(&inbound, 503, &[(HeaderName::RetryAfter, &after)]);
        }
        let Ok(trunk) = self.admit(&inbound, &source) else { return };
        let Some((server, inbound)) = self.open(inbound, key, Some(merge)) else {
            if let Some(trunk) = trunk {
                self.gate.release(&trunk);
            }
            return;
        };
        self.offer(&inbound, server, Offer { dialog, source, trunk, sdp, replaces });
    }

    /// Counts a trunk's call in; `Err`: it was refused.
    fn admit(&mut self, inbound: &Inbound, source: &Source) -> Result<Option<TrunkId>, ()> {
        let trunk = match source {
            Source::Trunk(trunk) => trunk.clone(),
            Source::Agent(_) => return Ok(None),
        };
        match self.gate.admit(&trunk, inbound.now) {
            Ok(()) => Ok(Some(trunk)),
            Err(wait) => {
                self.refuse(inbound, 503, &[(HeaderName::RetryAfter, &wait.0.to_string())]);
                self.tell(Event::Limited { trunk });
                Err(())
            }
        }
    }

    fn offer(&mut self, inbound: &Inbound, server: ServerId, offer: Offer) {
        let Offer { mut dialog, source, trunk, sdp, replaces } = offer;
        let (request, now) = (&inbound.request, inbound.now);
        let id = self.new_dialog();
        if let Some(server) = self.tx.server(server) {
            server.dialog = Some(id);
        }
        self.traces.begin(id, request);
        self.traces.request(request, false);
        let mut trying = respond::response(request, 100, None);
        wire::body_headers(&mut trying.headers, None);
        self.respond(server, trying, now);
        // RFC 3261 §13.3.1: an INVITE with Expires is void after it.
        if let Some(seconds) = request.headers.value(&HeaderName::Expires).and_then(|v| wire::seconds(&v)) {
            let at = now + Duration::from_secs(u64::from(seconds.max(1)));
            self.timers.set(Deadline::Dialog(id, DialogTimer::Expires), at);
        }
        self.tags.insert(dialog.local_tag.clone(), id);
        dialog.keys = self.keys_for(&source);
        let early = self.provisionals(request, sdp.is_some());
        let (provisional, exchange, wanted) = (None, Exchange::Idle, None);
        let offered = Offered { dialog, server, trunk, provisional, early, exchange, wanted };
        self.legs.insert(id, Leg::Offered(Box::new(offered)));
        let incoming = Incoming {
            dialog: id,
            dialled: self.dialled(inbound, &source),
            caller: particulars::caller(inbound, &source),
            particulars: particulars::read(&request.headers, &source),
            source,
            sdp,
            flow: inbound.flow,
            replaces,
            record_aware: extensions::supports(&request.headers, extensions::RECORD_AWARE),
        };
        self.tell(Event::Incoming(Box::new(incoming)));
    }

    /// Proxies must hear of an INVITE that rings (RFC 3261 §13.3.1.1).
    pub(super) fn ring_again_in_a_minute(&mut self, id: DialogId, now: Timestamp) {
        self.timers.set(Deadline::Dialog(id, DialogTimer::StillRinging), now + STILL_RINGING);
    }

    /// Sends a 2xx and keeps it until its ACK comes. It is sent again over TCP too: a proxy behind
    /// may have lost it (RFC 3261 §13.3.1.4).
    pub(super) fn accept(
        &mut self,
        id: DialogId,
        server: ServerId,
        response: Response,
        of: Of,
        now: Timestamp,
    ) {
        let Some(entry) = self.tx.server(server) else { return };
        let (flow, request) = (entry.reply, entry.machine.request());
        let cseq = wire::cseq(request).unwrap_or(0);
        // Of a 2xx to an INVITE without a description, its own is an offer.
        let offers = request.body().is_empty() && !response.body().is_empty();
        let interval = self.config.timers.t1;
        let bytes = Message::Response(response.clone()).to_bytes();
        self.respond(server, response, now);
        let Some(session) = self.session(id) else { return };
        session.unacked = Some(Unacked { cseq, bytes, flow, interval, of, offers });
        self.timers.set(Deadline::Dialog(id, DialogTimer::Resend2xx), now + interval);
        self.timers.set(Deadline::Dialog(id, DialogTimer::AckLate), now + self.config.patience());
        self.refreshed(id, now);
    }

    pub(super) fn resend_2xx(&mut self, id: DialogId, now: Timestamp) {
        let t2 = self.config.timers.t2;
        let unacked = match self.legs.get_mut(&id) {
            Some(Leg::Live(session)) => session.unacked.as_mut(),
            Some(Leg::Leaving(leaving)) => match &mut leaving.farewell {
                Farewell::AfterAck(unacked, _) => Some(unacked),
                Farewell::Sent => None,
            },
            Some(Leg::Offered(_) | Leg::Calling(_) | Leg::LoggingOn) | None => None,
        };
        let Some(unacked) = unacked else { return };
        unacked.interval = (unacked.interval * 2).min(t2);
        let (flow, bytes, next) = (unacked.flow, unacked.bytes.clone(), now + unacked.interval);
        let cseq = unacked.cseq;
        self.traces.again(id, Some(cseq));
        self.send(flow, bytes);
        self.timers.set(Deadline::Dialog(id, DialogTimer::Resend2xx), next);
    }

    /// No ACK within 64*T1: the dialog is there, and is ended by BYE (RFC 3261 §13.3.1.4, §14.2).
    pub(super) fn ack_is_late(&mut self, id: DialogId, now: Timestamp) {
        match self.legs.get_mut(&id) {
            Some(Leg::Live(session)) => {
                session.unacked = None;
                self.leave(id, Cause::Unreachable, now);
            }
            Some(Leg::Leaving(_)) => self.say_bye(id, now),
            Some(Leg::Offered(_) | Leg::Calling(_) | Leg::LoggingOn) | None => {}
        }
    }

    pub(super) fn reject(&mut self, id: DialogId, status: u16, now: Timestamp) {
        let status = if (400..=699).contains(&status) { status } else { 500 };
        self.end_offered(id, status, cause::of_status(status), now);
    }

    pub(super) fn invite_expired(&mut self, id: DialogId, now: Timestamp) {
        self.end_offered(id, 487, Cause::NoAnswer, now);
    }

    /// The final refusal of an INVITE that waits.
    pub(super) fn end_offered(&mut self, id: DialogId, status: u16, cause: Cause, now: Timestamp) {
        self.abort_reinvites(id, now);
        let Some(offered) = self.offered(id) else { return };
        let (server, tag) = (offered.server, offered.dialog.local_tag.clone());
        self.refuse_invite(server, status, &tag, now);
        self.finish(id, cause, Some(status));
    }

    pub(super) fn refuse_invite(&mut self, server: ServerId, status: u16, tag: &str, now: Timestamp) {
        let Some(entry) = self.tx.server(server) else { return };
        let request = entry.machine.request();
        let tag = (!has_tag(&request.headers)).then_some(tag);
        let mut response = respond::response(request, status, tag);
        match status {
            405 => wire::push(&mut response.headers, HeaderName::Allow, extensions::ALLOW),
            415 => wire::push(&mut response.headers, HeaderName::Accept, body::ACCEPT),
            503 => {
                let call_id = request.headers.value(&HeaderName::CallId).unwrap_or_default();
                let after = self.mint.spread(&call_id, RETRY);
                wire::push(&mut response.headers, HeaderName::RetryAfter, after.to_string());
            }
            0..=u16::MAX => {}
        }
        self.dress(&mut response);
        self.respond(server, response, now);
    }

    /// A provisional or 2xx response to an INVITE: with our tag, Contact, and the route back.
    pub(super) fn invite_response(
        &mut self,
        server: ServerId,
        status: u16,
        tag: &str,
        sdp: Option<&Bytes>,
    ) -> Option<Response> {
        let entry = self.tx.server(server)?;
        let reply = entry.reply;
        let request = entry.machine.request();
        let tag = (!has_tag(&request.headers)).then_some(tag);
        let mut response = respond::response(request, status, tag);
        let headers = &mut response.headers;
        for route in request.headers.get_all(&HeaderName::RecordRoute) {
            headers.push(route.clone());
        }
        wire::push(headers, HeaderName::Contact, dialog::contact_value(&self.config, &reply));
        wire::push(headers, HeaderName::Allow, extensions::ALLOW);
        wire::push(headers, HeaderName::Supported, extensions::SUPPORTED);
        wire::push(headers, HeaderName::Server, self.config.user_agent.clone());
        wire::body_headers(headers, sdp.map(|bytes| ("application/sdp", bytes)));
        if let Some(sdp) = sdp {
            response.set_body(sdp.clone());
        }
        Some(response)
    }

    /// CANCEL (RFC 3261 §9.2): 200 if it finds its INVITE, and 487 to that if it is not answered.
    pub(super) fn on_cancel(&mut self, inbound: &Inbound) {
        let key = wire::server_key(&inbound.request, &inbound.head, &Method::Invite);
        let found = self.tx.find_server(&key);
        let Some(server) = found.and_then(|id| self.tx.server(id)) else {
            if !self.gate.ignored(inbound.flow.remote.ip(), inbound.now) {
                self.refuse(inbound, 481, &[]);
            }
            return;
        };
        if !Self::is_from_same_hop(&server.reply, &inbound.flow) {
            self.refuse(inbound, 481, &[]);
            return self.spoofed(inbound);
        }
        let (waits, dialog) = (server.machine.state() == ServerState::Proceeding, server.dialog);
        // Its To tag is that of the INVITE's responses (RFC 3261 §9.2).
        let leg = dialog.and_then(|id| self.legs.get_mut(&id)).and_then(Leg::dialog_mut);
        let tag = leg.map(|dialog| dialog.local_tag.clone());
        self.refuse_as(inbound, 200, &[], tag);
        let (Some(id), true) = (dialog, waits) else { return };
        let cause = reason::of_cancel(&inbound.request.headers);
        if self.offered(id).is_some() {
            self.end_offered(id, 487, cause, inbound.now);
        } else {
            self.reject_reinvite(id, 487, inbound.now);
        }
    }
}

/// What is known of an INVITE when it is let in.
struct Offer {
    dialog: Dialog,
    source: Source,
    trunk: Option<TrunkId>,
    sdp: Option<Bytes>,
    replaces: Option<DialogId>,
}

fn has_tag(headers: &Headers) -> bool {
    headers.typed::<wire::To>().is_some_and(|to| to.is_ok_and(|to| to.tag().is_some()))
}

/// Whether an answer with SDP can be understood (RFC 3261 §8.2.3, RFC 4475 §3.3.15). No Accept
/// means SDP.
fn accepts_sdp(headers: &Headers) -> bool {
    let mut rows = headers.get_all(&HeaderName::Accept).peekable();
    let any = |row: &[u8]| {
        let text = String::from_utf8_lossy(row).to_ascii_lowercase();
        let mut ranges =
            text.split(',').map(|range| range.split(';').next().unwrap_or_default().trim().to_owned());
        ranges.any(|range| {
            matches!(range.as_str(), "application/sdp" | "application/*" | "*/*" | "multipart/mixed")
        })
    };
    rows.peek().is_none() || rows.any(|row| any(&row.value()))
}
