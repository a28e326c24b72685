//! Reliable provisional responses (RFC 3262). As callee we send one at a time until its PRACK comes, and
//! hold the 200 back while a description waits for its PRACK; as caller we send a PRACK for each, fork by
//! fork, in order.

use std::time::Duration;

use bytes::Bytes;

use super::body;
use super::dialog::{Dialog, Peer};
use super::endpoint::Endpoint;
use super::extensions;
use super::io::{DialogId, Event};
use super::leg::{Calling, Early, Exchange, First, Leg, Of, Session, Side};
use super::machines::Outcome;
use super::respond::{self, Inbound};
use super::timers::{Deadline, DialogTimer};
use super::transactions::{ClientId, Fork, Purpose, ServerId};
use super::wire::{self, HeaderName, Headers, Key, Message, Method, Request, Response};
use crate::call::Cause;
use crate::time::Timestamp;

/// So many places may ring at once for one call of ours; others are not listened to.
const MAX_FORKS: usize = 32;

/// The first RSeq is drawn below this: far from where it would wrap (RFC 3262 §3).
const FIRST_RSEQ: u32 = 1 << 20;

/// What a PRACK names: a provisional response and its INVITE (RFC 3262 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RAck {
    rseq: u32,
    cseq: u32,
}

/// The provisional responses to an INVITE from outside.
pub(super) struct Provisionals {
    style: Style,
    first: Described,
    /// The number of the last reliable one.
    rseq: u32,
    /// The one that waits for its PRACK.
    unacked: Option<Waiting>,
    /// One that waits for its turn: its status and description.
    next: Option<(u16, Option<Bytes>)>,
    /// The user's answer, held back.
    answer: Option<Bytes>,
}

/// When to send them reliably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// They cannot.
    Never,
    /// Those that matter.
    WithSdp,
    /// They insist.
    Always,
}

/// How far the first offer and answer are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Described {
    /// They offered in the INVITE.
    Asked,
    /// They did not: we must offer.
    Silent,
    /// We offered in a reliable response; its PRACK answers.
    Offered,
    /// Done; with their answer if the offer was ours.
    Settled(Option<Bytes>),
}

struct Waiting {
    rack: RAck,
    bytes: Bytes,
    describes: bool,
    /// The time to the next retransmission.
    interval: Duration,
}

impl Provisionals {
    /// For this INVITE; `seed` is any number below [`FIRST_RSEQ`].
    fn new(invite: &Request, offers: bool, seed: u32) -> Self {
        let style = if extensions::requires(&invite.headers, extensions::RELIABLE) {
            Style::Always
        } else if extensions::supports(&invite.headers, extensions::RELIABLE) {
            Style::WithSdp
        } else {
            Style::Never
        };
        let first = if offers { Described::Asked } else { Described::Silent };
        Self { style, first, rseq: seed, unacked: None, next: None, answer: None }
    }

    /// How far the first offer and answer are, for those that come after.
    pub(super) fn first(&self) -> First {
        match self.first {
            Described::Asked => First::Theirs,
            Described::Silent | Described::Offered => First::Ours,
            Described::Settled(_) => {
                First::Settled { ready: self.unacked.is_none() && self.answer.is_none() }
            }
        }
    }

    /// RFC 3262 §3: no 2xx while a description is not acknowledged.
    fn holds_answer(&self) -> bool {
        self.unacked.as_ref().is_some_and(|waiting| waiting.describes)
    }
}

/// As callee.
impl Endpoint {
    /// The state for an INVITE that begins.
    pub(super) fn provisionals(&mut self, invite: &Request, offers: bool) -> Provisionals {
        let seed = self.mint.below(FIRST_RSEQ);
        Provisionals::new(invite, offers, seed)
    }

    /// 180 or 183, reliably where it can and should be.
    pub(super) fn ring(&mut self, id: DialogId, sdp: Option<Bytes>, now: Timestamp) {
        let status = if sdp.is_some() { 183 } else { 180 };
        let Some(offered) = self.offered(id) else { return };
        let early = &mut offered.early;
        if early.answer.is_some() {
            return;
        }
        // A description that is agreed on is not said again.
        let sdp = sdp.filter(|_| matches!(early.first, Described::Asked | Described::Silent));
        let reliably = match early.style {
            Style::Never => false,
            Style::WithSdp => sdp.is_some(),
            Style::Always => true,
        };
        match (&early.first, reliably, sdp.is_some()) {
            // The first reliable response must bear the offer (RFC 3261 §13.2.1); 100 Trying stands.
            (Described::Silent, true, false) => {}
            // An offer cannot go out in what may get lost.
            (Described::Silent, false, _) => self.ring_once(id, 180, None, now),
            (_, false, _) => self.ring_once(id, status, sdp, now),
            (_, true, _) if early.unacked.is_some() => {
                let before = early.next.take().and_then(|(_, sdp)| sdp);
                early.next = Some((status, sdp.or(before)));
            }
            (_, true, _) => self.ring_reliably(id, status, sdp, now),
        }
    }

    /// A provisional response that may get lost.
    fn ring_once(&mut self, id: DialogId, status: u16, sdp: Option<Bytes>, now: Timestamp) {
        let Some((server, response)) = self.provisional(id, status, sdp.as_ref()) else { return };
        if let Some(offered) = self.offered(id) {
            offered.provisional = Some(response.clone());
        }
        self.respond(server, response, now);
        self.ring_again_in_a_minute(id, now);
    }

    fn ring_reliably(&mut self, id: DialogId, status: u16, sdp: Option<Bytes>, now: Timestamp) {
        let Some((server, mut response)) = self.provisional(id, status, sdp.as_ref()) else { return };
        let plain = self.provisional(id, status, None).map(|(_, plain)| plain);
        let cseq = self.tx.server(server).and_then(|entry| wire::cseq(entry.machine.request()));
        let interval = self.config.timers.t1;
        let Some(offered) = self.offered(id) else { return };
        offered.provisional = plain;
        let early = &mut offered.early;
        early.rseq += 1;
        wire::push(&mut response.headers, HeaderName::Require, extensions::RELIABLE);
        wire::push(&mut response.headers, HeaderName::RSeq, early.rseq.to_string());
        if sdp.is_some() {
            early.first = match early.first {
                Described::Silent => Described::Offered,
                Described::Asked | Described::Offered | Described::Settled(_) => Described::Settled(None),
            };
        }
        early.unacked = Some(Waiting {
            rack: RAck { rseq: early.rseq, cseq: cseq.unwrap_or(0) },
            bytes: Message::Response(response.clone()).to_bytes(),
            describes: sdp.is_some(),
            interval,
        });
        self.respond(server, response, now);
        self.timers.set(Deadline::Dialog(id, DialogTimer::ResendProvisional), now + interval);
        self.timers.set(Deadline::Dialog(id, DialogTimer::PrackLate), now + self.config.patience());
        self.ring_again_in_a_minute(id, now);
    }

    fn provisional(
        &mut self,
        id: DialogId,
        status: u16,
        sdp: Option<&Bytes>,
    ) -> Option<(ServerId, Response)> {
        let offered = self.offered(id)?;
        let (server, tag) = (offered.server, offered.dialog.local_tag.clone());
        Some((server, self.invite_response(server, status, &tag, sdp)?))
    }

    /// A minute is over: a sign of life, with a number of its own if they insist (RFC 3262 §3).
    pub(super) fn still_ringing(&mut self, id: DialogId, now: Timestamp) {
        let Some(offered) = self.offered(id) else { return };
        let Some(response) = offered.provisional.clone() else { return };
        let (server, style) = (offered.server, offered.early.style);
        match style {
            Style::Always if offered.early.unacked.is_some() => self.ring_again_in_a_minute(id, now),
            Style::Always => self.ring_reliably(id, response.status.code(), None, now),
            Style::Never | Style::WithSdp => {
                self.respond(server, response, now);
                self.ring_again_in_a_minute(id, now);
            }
        }
    }

    pub(super) fn resend_provisional(&mut self, id: DialogId, now: Timestamp) {
        let Some(offered) = self.offered(id) else { return };
        let server = offered.server;
        let Some(waiting) = &mut offered.early.unacked else { return };
        waiting.interval *= 2;
        let (bytes, next) = (waiting.bytes.clone(), now + waiting.interval);
        let Some(flow) = self.tx.server(server).map(|entry| entry.reply) else { return };
        self.traces.again(id, None);
        self.send(flow, bytes);
        self.timers.set(Deadline::Dialog(id, DialogTimer::ResendProvisional), next);
    }

    /// No PRACK within 64*T1: the INVITE is refused (RFC 3262 §3).
    pub(super) fn prack_is_late(&mut self, id: DialogId, now: Timestamp) {
        self.end_offered(id, 504, Cause::Unreachable, now);
    }

    /// A PRACK (RFC 3262 §3).
    pub(super) fn on_prack(&mut self, id: DialogId, inbound: Inbound, key: Key) {
        let Some(rack) = rack(&inbound.request.headers) else { return self.refuse(&inbound, 400, &[]) };
        let Ok(sdp) = body::sdp(&inbound.request.headers, inbound.request.body()) else {
            return self.refuse(&inbound, 415, &[(HeaderName::Accept, body::ACCEPT)]);
        };
        match self.legs.get_mut(&id) {
            Some(Leg::Offered(offered)) => {
                let early = &mut offered.early;
                if early.unacked.as_ref().is_none_or(|waiting| waiting.rack != rack) {
                    return self.refuse(&inbound, 481, &[]);
                }
                let now = inbound.now;
                let Some((server, _)) = self.open(inbound, key, None) else { return };
                self.acknowledged(id, server, sdp, now);
            }
            // Our 2xx was faster.
            Some(Leg::Live(session)) if session.unpracked == Some(rack) => {
                if self.agree(inbound, key).is_some()
                    && let Some(session) = self.session(id)
                {
                    session.unpracked = None;
                }
            }
            Some(Leg::Live(_) | Leg::Calling(_) | Leg::Leaving(_) | Leg::LoggingOn) | None => {
                self.refuse(&inbound, 481, &[]);
            }
        }
    }

    /// Our reliable response arrived; `sdp` is what its PRACK (transaction `server`) bears.
    fn acknowledged(&mut self, id: DialogId, server: ServerId, sdp: Option<Bytes>, now: Timestamp) {
        self.timers.clear(Deadline::Dialog(id, DialogTimer::ResendProvisional));
        self.timers.clear(Deadline::Dialog(id, DialogTimer::PrackLate));
        let Some(offered) = self.offered(id) else { return };
        offered.early.unacked = None;
        match (&offered.early.first, sdp) {
            (Described::Offered, Some(answer)) => {
                offered.early.first = Described::Settled(Some(answer.clone()));
                self.agree_with(server, None, now);
                self.tell(Event::Reinvited { dialog: id, sdp: Some(answer) });
            }
            // They owe an answer and did not give it: our 200 offers once more.
            (Described::Offered, None) => {
                offered.early.first = Described::Silent;
                self.agree_with(server, None, now);
            }
            (Described::Settled(_), Some(offer)) if matches!(offered.exchange, Exchange::Idle) => {
                offered.exchange = Exchange::Theirs(server);
                self.put_to_user(id, server, offer, now);
            }
            // An offer across another, or before we answered theirs.
            (Described::Settled(_) | Described::Asked | Described::Silent, Some(_)) => {
                self.refuse_invite(server, 491, "", now);
            }
            (Described::Settled(_) | Described::Asked | Described::Silent, None) => {
                self.agree_with(server, None, now);
            }
        }
        self.go_on_ringing(id, now);
    }

    /// What waited for a PRACK, or for the end of an offer and answer: the answer, or the next provisional
    /// response.
    pub(super) fn go_on_ringing(&mut self, id: DialogId, now: Timestamp) {
        let Some(offered) = self.offered(id) else { return };
        let idle = matches!(offered.exchange, Exchange::Idle);
        let early = &mut offered.early;
        if early.answer.is_some() {
            if idle && !early.holds_answer() {
                let answer = early.answer.take().unwrap_or_default();
                self.answer_now(id, answer, now);
            }
        } else if early.unacked.is_none()
            && let Some((status, sdp)) = early.next.take()
        {
            let sdp = sdp.filter(|_| matches!(early.first, Described::Asked | Described::Silent));
            self.ring_reliably(id, status, sdp, now);
        } else {
            self.pursue_reinvite(id, now);
        }
    }

    /// 200, now or when it may be sent.
    pub(super) fn answer(&mut self, id: DialogId, sdp: Bytes, now: Timestamp) {
        let Some(offered) = self.offered(id) else { return };
        if offered.early.answer.is_none() {
            offered.early.answer = Some(sdp);
            offered.early.next = None;
            self.go_on_ringing(id, now);
        }
    }

    fn answer_now(&mut self, id: DialogId, sdp: Bytes, now: Timestamp) {
        let Some(offered) = self.offered(id) else { return };
        let (server, tag) = (offered.server, offered.dialog.local_tag.clone());
        // What was agreed on reliably is not said again (RFC 6337 §2.2).
        let sdp = Some(sdp).filter(|_| !matches!(offered.early.first, Described::Settled(_)));
        let Some(mut response) = self.invite_response(server, 200, &tag, sdp.as_ref()) else { return };
        let Some(Leg::Offered(offered)) = self.forget(id) else { return };
        let mut session = Session::new(offered.dialog, offered.trunk, Side::Callee);
        session.exchange = offered.exchange;
        session.wanted = offered.wanted;
        session.unpracked = offered.early.unacked.map(|waiting| waiting.rack);
        if let Described::Settled(answer) = offered.early.first {
            session.early_answer = answer;
        }
        if let Some(entry) = self.tx.server(server) {
            let request = &entry.machine.request().headers;
            session.dialog.grant_timer(request, &mut response.headers, &self.config);
        }
        self.tags.insert(session.dialog.local_tag.clone(), id);
        self.legs.insert(id, Leg::Live(Box::new(session)));
        self.accept(id, server, response, Of::First, now);
    }

    /// 200 to a PRACK or another request whose transaction is open, with an answer if there was an offer.
    pub(super) fn agree_with(&mut self, server: ServerId, sdp: Option<&Bytes>, now: Timestamp) {
        let Some(entry) = self.tx.server(server) else { return };
        let mut response = respond::response(entry.machine.request(), 200, None);
        wire::push(&mut response.headers, HeaderName::Server, self.config.user_agent.clone());
        wire::body_headers(&mut response.headers, sdp.map(|bytes| ("application/sdp", bytes)));
        if let Some(sdp) = sdp {
            response.set_body(sdp.clone());
        }
        self.respond(server, response, now);
    }
}

/// As caller.
impl Endpoint {
    /// A provisional response of a place that rings: it makes an early dialog, and gets its PRACK. `Some`:
    /// the user is to be told, with this description.
    pub(super) fn on_early(
        &mut self,
        leg: DialogId,
        client: ClientId,
        begun: &Dialog,
        response: &Response,
        now: Timestamp,
    ) -> Option<Option<Bytes>> {
        let sdp = body::sdp(&response.headers, response.body()).ok().flatten();
        let told = matches!(response.status.code(), 180..=183);
        let (head, _) = wire::head_of_response(response)?;
        let Some(tag) = head.to.tag().map(Bytes::copy_from_slice) else { return told.then_some(sdp) };
        let flow = self.tx.client(client)?.heard;
        let Some(Leg::Calling(calling)) = self.legs.get_mut(&leg) else { return None };
        let early = match calling.early.iter().position(|early| early.is(client, &tag)) {
            Some(at) => &mut calling.early[at],
            None if calling.early.len() >= MAX_FORKS => return None,
            None => {
                let dialog = begun.answered(response, &head, flow);
                self.tags.insert(dialog.local_tag.clone(), leg);
                calling.early.push(Early::new(client, dialog));
                calling.early.last_mut()?
            }
        };
        early.dialog.flow = flow;
        if !extensions::requires(&response.headers, extensions::RELIABLE) {
            // What was agreed on reliably stands.
            return told.then_some(sdp.filter(|_| !early.settled));
        }
        let rseq = number(&response.headers, &HeaderName::RSeq)?;
        // The first may have any number, the next none but the next (RFC 3262 §4).
        if rseq == 0 || early.rseq.is_some_and(|last| last.checked_add(1) != Some(rseq)) {
            return None;
        }
        early.rseq = Some(rseq);
        early.dialog.refresh_target(&response.headers);
        let sdp = sdp.filter(|_| !early.settled);
        if let Some(answer) = &sdp {
            early.settled = true;
            early.answer = Some(answer.clone());
        }
        early.pracks += 1;
        let branch = self.mint.branch();
        let (mut prack, flow) = early.dialog.request(Method::Prack, &self.config, &branch);
        wire::push(&mut prack.headers, HeaderName::RAck, format!("{rseq} {} INVITE", head.cseq));
        wire::body_headers(&mut prack.headers, None);
        self.start(prack, &branch, flow, Purpose::Prack(Fork { leg, tag: Some(tag) }), now);
        (told || sdp.is_some()).then_some(sdp)
    }

    /// A PRACK of ours is over. That it failed a refused INVITE will tell.
    pub(super) fn on_prack_outcome(&mut self, fork: &Fork, outcome: &Outcome, now: Timestamp) {
        let over = match outcome {
            Outcome::Response(response) => response.status.is_final(),
            Outcome::Failed(_) => true,
        };
        if let Some(Leg::Calling(calling)) = self.legs.get_mut(&fork.leg)
            && let Some(early) = calling.early_of(fork.tag.as_deref()).filter(|_| over)
        {
            early.pracks = early.pracks.saturating_sub(1);
            self.pursue_reinvite(fork.leg, now);
        }
    }

    /// What the dialog of a place that answers has come to before: its requests go on counting, and it keeps
    /// to what was agreed.
    pub(super) fn grown(&mut self, leg: DialogId, client: ClientId, dialog: &mut Dialog) {
        let tag = dialog.remote_tag.clone().unwrap_or_default();
        if let Some(Leg::Calling(calling)) = self.legs.get(&leg)
            && let Some(early) = calling.early.iter().find(|early| early.is(client, &tag))
        {
            dialog.local_cseq = early.dialog.local_cseq;
            dialog.remote_cseq = early.dialog.remote_cseq;
        } else if let Some(client) = self.tx.client(client)
            && let Some((_, spent)) = client.spent.iter().find(|(of, _)| *of == tag)
        {
            dialog.local_cseq = *spent;
        }
    }

    /// An INVITE of ours failed, or is sent anew: what rang for it rings no more.
    pub(super) fn drop_early(&mut self, leg: DialogId, client: ClientId, now: Timestamp) {
        let Some(Leg::Calling(calling)) = self.legs.get_mut(&leg) else { return };
        let (gone, rest) = calling.early.drain(..).partition(|early| early.client == client);
        calling.early = rest;
        self.close_early(gone, now);
    }

    /// Forgets early dialogs; offers of theirs that wait get their final response.
    fn close_early(&mut self, gone: Vec<Early>, now: Timestamp) {
        for early in gone {
            self.tags.remove(&early.dialog.local_tag);
            if let Exchange::Theirs(server) = early.exchange {
                self.refuse_invite(server, 487, "", now);
            }
        }
    }

    /// The 2xx of the place that answered first makes the call. `calling` was taken out of the tables.
    pub(super) fn answered(
        &mut self,
        leg: DialogId,
        client: ClientId,
        dialog: Dialog,
        mut calling: Calling,
        response: &Response,
        now: Timestamp,
    ) {
        let tag = dialog.remote_tag.clone().unwrap_or_default();
        let won = calling.early.iter().position(|early| early.is(client, &tag));
        let won = won.map(|at| calling.early.swap_remove(at));
        self.close_early(std::mem::take(&mut calling.early), now);
        let mut session = Session::new(dialog, calling.trunk.take(), Side::Caller);
        session.wanted = calling.wanted.take();
        let mut sdp = body::sdp(&response.headers, response.body()).ok().flatten();
        if let Some(early) = won {
            session.exchange = early.exchange;
            // With several that ring, who was told another's description last must hear this one again.
            sdp = if early.settled { early.answer } else { sdp };
        }
        session.dialog.adopt_timer(&response.headers, &self.config);
        let record_aware = extensions::supports(&response.headers, extensions::RECORD_AWARE);
        let peer = session.dialog.flow.remote.ip();
        self.tags.insert(session.dialog.local_tag.clone(), leg);
        self.legs.insert(leg, Leg::Live(Box::new(session)));
        self.tell(Event::Answered { dialog: leg, sdp, record_aware, peer });
        self.refreshed(leg, now);
        if self.legs.get_mut(&leg).is_some_and(|leg| !leg.theirs().is_empty()) {
            self.timers.set(Deadline::Dialog(leg, DialogTimer::OfferLate), now + self.config.patience() / 2);
        }
        self.pursue_reinvite(leg, now);
    }
}

impl Early {
    fn new(client: ClientId, dialog: Dialog) -> Self {
        Self { client, dialog, rseq: None, pracks: 0, settled: false, answer: None, exchange: Exchange::Idle }
    }

    fn is(&self, client: ClientId, tag: &[u8]) -> bool {
        self.client == client && self.dialog.remote_tag.as_deref() == Some(tag)
    }
}

/// RAck: the response's number, the INVITE's, and its method (RFC 3262 §7.2).
fn rack(headers: &Headers) -> Option<RAck> {
    let value = headers.value(&HeaderName::RAck)?;
    let text = std::str::from_utf8(&value).ok()?;
    let mut words = text.split_ascii_whitespace();
    let (rseq, cseq) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (words.next()? == "INVITE" && words.next().is_none()).then_some(RAck { rseq, cseq })
}

fn number(headers: &Headers, name: &HeaderName) -> Option<u32> {
    std::str::from_utf8(&headers.value(name)?).ok()?.trim().parse().ok()
}

/// Whom an incoming request's dialog is with.
impl From<&super::io::Source> for Peer {
    fn from(source: &super::io::Source) -> Self {
        match source {
            super::io::Source::Trunk(trunk) => Self::Trunk(trunk.clone()),
            super::io::Source::Agent(agent) => Self::Agent(agent.clone()),
        }
    }
}
