//! Our own INVITEs (RFC 3261 §13.2): one branch a phone, the first answer wins, the others are
//! cancelled, or acknowledged and hung up when their answer crossed the CANCEL. A branch lives in
//! its client transaction, so nothing of it outlives that.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::cause;
use super::challenge::{Keyring, is_challenge};
use super::dialog::{self, Dialog, Peer, Reach};
use super::endpoint::Endpoint;
use super::io::{Callee, DialogId, Event, Flow, Media, Particulars, Transport};
use super::leg::{Calling, Leg};
use super::machines::Outcome;
use super::particulars;
use super::reason;
use super::timers::Deadline;
use super::transactions::{ClientId, Purpose};
use super::wire::{self, Head, HeaderName, Method, Request, Response, Uri};
use crate::call::Cause;
use crate::ids::AgentId;
use crate::time::Timestamp;

/// Longer than proxies let an INVITE ring without news (RFC 3261 §16.6, timer C: over 3 minutes).
const RINGS_TOO_LONG: Duration = Duration::from_secs(200);

/// So many phones behind one contact may answer; what more comes is not acknowledged.
const MAX_ANSWERS: usize = 16;

/// One INVITE of ours.
pub(super) struct Branch {
    leg: DialogId,
    /// What its dialog will begin with.
    dialog: Dialog,
    state: BranchState,
}

enum BranchState {
    /// Sent, no answer at all yet.
    Sent,
    /// A provisional response came: it may be cancelled now (RFC 3261 §9.1).
    Proceeding,
    /// Not wanted any more, but too early for CANCEL.
    Unwanted(Cause),
    /// CANCEL was sent.
    Cancelled,
    /// Its answer made the call.
    Won,
}

/// What an INVITE of ours is to say.
pub(super) struct Wish {
    /// The user part of From, or `anonymous`.
    pub(super) from: String,
    /// Our offer.
    pub(super) sdp: Bytes,
    pub(super) particulars: Box<Particulars>,
}

/// A way to a phone or a server, before its INVITE is made.
pub(super) struct Way {
    pub(super) target: Uri,
    pub(super) flow: Flow,
    /// A whole From value without a tag.
    pub(super) from: String,
    /// A whole To value.
    pub(super) to: String,
    pub(super) keys: Option<Keyring>,
    pub(super) reach: Reach,
    pub(super) peer: Peer,
}

/// An INVITE that was made and not sent yet.
pub(super) struct Made {
    pub(super) invite: Request,
    dialog: Dialog,
    branch: String,
}

impl Endpoint {
    pub(super) fn invite(&mut self, id: DialogId, to: Callee, wish: Wish, now: Timestamp) {
        if self.legs.len() >= self.config.max_dialogs || self.legs.contains_key(&id) {
            return self.tell(Event::Ended { dialog: id, cause: Cause::Unreachable, status: None });
        }
        let mut ours_only = Vec::new();
        let ways = match to {
            Callee::Trunk { trunk, number } => return self.invite_trunk(id, trunk, &number, wish, now),
            Callee::Agent { agent, media } => {
                ours_only = particulars::write_ours(&wish.particulars);
                self.phones(&agent, media, now)
            }
            Callee::Uri { uri, remote, transport, login } => {
                let target = Uri::parse(Bytes::from(uri.clone())).ok();
                let flow = self.flow_to(transport, remote);
                let (to, keys) = (format!("<{uri}>"), login.map(Keyring::new));
                let (from, reach, peer) = (String::new(), Reach::Written, Peer::Address);
                let way = |target| Way { target, flow, from, to, keys, reach, peer };
                target.map(way).into_iter().collect()
            }
        };
        if ways.is_empty() {
            return self.tell(Event::Ended { dialog: id, cause: Cause::Unreachable, status: None });
        }
        self.legs.insert(id, Leg::Calling(Calling::default()));
        let hidden = wish.particulars.private || wish.from.eq_ignore_ascii_case("anonymous");
        for mut way in ways {
            let host = dialog::host_text(dialog::our_address(&self.config, &way.flow).ip());
            way.from = if hidden {
                particulars::ANONYMOUS.to_owned()
            } else {
                format!("<{}>", dialog::user_uri(&wish.from, &host))
            };
            // Agents' phones are in our trust domain (RFC 3325 §5): they may know more than From says.
            let mut extra = particulars::write(&wish.particulars, &host);
            extra.extend(ours_only.iter().cloned());
            let made = self.make_invite(way, &extra, &wish.sdp);
            self.send_branch(id, made, now);
        }
    }

    fn phones(&self, agent: &AgentId, media: Media, now: Timestamp) -> Vec<Way> {
        let to = format!("<{}>", dialog::user_uri(&agent.0, &self.config.realm));
        let way = |binding: super::registrar::Binding| {
            let target = Uri::parse(Bytes::from(binding.contact)).ok()?;
            let (from, to, flow) = (String::new(), to.clone(), binding.flow);
            let peer = Peer::Agent(agent.clone());
            Some(Way { target, flow, from, to, keys: None, reach: Reach::Back, peer })
        };
        self.registrar.bindings(agent, now).into_iter().filter(|b| b.media == media).filter_map(way).collect()
    }

    /// The way to an address we were told.
    pub(super) fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Flow {
        let of_transport = |(ours, _): &&(Transport, SocketAddr)| *ours == transport;
        let mut contacts = self.config.contacts.iter().filter(of_transport).map(|(_, at)| *at);
        let first = contacts.clone().next();
        let local = contacts.find(|at| at.is_ipv4() == remote.is_ipv4()).or(first);
        Flow { transport, local: local.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))), remote, connection: 0 }
    }

    /// Makes an INVITE for a way, with a Call-ID of its own.
    pub(super) fn make_invite(&mut self, way: Way, extra: &[(HeaderName, String)], sdp: &Bytes) -> Made {
        let host = dialog::host_text(dialog::our_address(&self.config, &way.flow).ip());
        let names = (format!("{}@{host}", self.mint.token()), self.mint.token());
        let mut dialog = Dialog::wanted(way.target, &way.from, &way.to, names, way.flow, way.reach);
        dialog.keys = way.keys.map(Box::new);
        dialog.peer = way.peer;
        let branch = self.mint.branch();
        // Before there is a dialog the INVITE goes where we were told, whatever the URI says.
        let (mut invite, _) = dialog.request_on(Method::Invite, &self.config, &branch, way.flow);
        for (name, value) in extra {
            wire::push(&mut invite.headers, name.clone(), value.clone());
        }
        wire::body_headers(&mut invite.headers, Some(("application/sdp", sdp)));
        invite.set_body(sdp.clone());
        Made { invite, dialog, branch }
    }

    /// Sends an INVITE that was made for this leg.
    pub(super) fn send_branch(&mut self, leg: DialogId, made: Made, now: Timestamp) -> ClientId {
        let Made { invite, dialog, branch: name } = made;
        self.traces.begin(leg, &invite);
        let flow = dialog.flow;
        let branch = Branch { leg, dialog, state: BranchState::Sent };
        let client = self.start(invite, &name, flow, Purpose::Invite(Box::new(branch)), now);
        if let Some(Leg::Calling(calling)) = self.legs.get_mut(&leg) {
            calling.branches.push(client);
        }
        client
    }

    /// A server has not said a word while another way is left.
    pub(super) fn try_next(&mut self, id: ClientId, now: Timestamp) {
        let Some(client) = self.tx.client(id) else { return };
        match &mut client.purpose {
            Purpose::Invite(branch) if matches!(branch.state, BranchState::Sent) => {
                // Should it answer after all, it is hung up.
                branch.state = BranchState::Unwanted(Cause::AnsweredElsewhere);
                let leg = branch.leg;
                if !self.another_way(leg, id, None, now) {
                    self.branch_failed(leg, id, (Cause::Unreachable, Some(408)), now);
                }
            }
            Purpose::Trunk(registration) => {
                let registration = *registration;
                self.registrar_silent(registration, id, now);
            }
            Purpose::Probe(probe) => {
                let probe = *probe;
                self.probe_silent(probe, id, now);
            }
            Purpose::Invite(_)
            | Purpose::Reinvite(_)
            | Purpose::Bye(_)
            | Purpose::Info(_)
            | Purpose::Prack(_)
            | Purpose::Update(..)
            | Purpose::Refer(_)
            | Purpose::Notify(..)
            | Purpose::Register(..)
            | Purpose::Nobody => {}
        }
    }

    /// The user gives up a call that is not answered.
    pub(super) fn stop_calling(&mut self, id: DialogId, cause: Cause, now: Timestamp) {
        let Some(Leg::Calling(calling)) = self.legs.get_mut(&id) else { return };
        for client in std::mem::take(&mut calling.branches) {
            self.give_up(client, cause, now);
        }
        self.abort_reinvites(id, now);
        self.finish(id, cause, None);
    }

    /// A branch is not wanted any more: CANCEL, now or when it may be sent.
    fn give_up(&mut self, id: ClientId, cause: Cause, now: Timestamp) {
        let Some(client) = self.tx.client(id) else { return };
        let Purpose::Invite(branch) = &mut client.purpose else { return };
        match branch.state {
            BranchState::Sent => branch.state = BranchState::Unwanted(cause),
            BranchState::Proceeding => {
                branch.state = BranchState::Cancelled;
                self.cancel(id, cause, now);
            }
            BranchState::Unwanted(_) | BranchState::Cancelled | BranchState::Won => {}
        }
    }

    fn cancel(&mut self, id: ClientId, cause: Cause, now: Timestamp) {
        let Some(client) = self.tx.client(id) else { return };
        let flow = client.flow;
        let (cancel, branch) = cancel_of(client.machine.request(), cause);
        self.timers.clear(Deadline::RingsTooLong(id));
        self.timers.set(Deadline::CancelUnanswered(id), now + self.config.patience());
        self.start(cancel, &branch, flow, Purpose::Nobody, now);
    }

    pub(super) fn rings_too_long(&mut self, id: ClientId, now: Timestamp) {
        let leg = match self.tx.client(id).map(|client| &client.purpose) {
            Some(Purpose::Invite(branch)) => branch.leg,
            Some(Purpose::Reinvite(dialog)) => {
                let dialog = *dialog;
                self.cancel(id, Cause::Unreachable, now);
                return self.leave(dialog, Cause::Unreachable, now);
            }
            Some(
                Purpose::Bye(_)
                | Purpose::Info(_)
                | Purpose::Prack(_)
                | Purpose::Update(..)
                | Purpose::Refer(_)
                | Purpose::Notify(..)
                | Purpose::Register(..)
                | Purpose::Trunk(_)
                | Purpose::Probe(_)
                | Purpose::Nobody,
            )
            | None => return,
        };
        self.give_up(id, Cause::NoAnswer, now);
        self.branch_failed(leg, id, (Cause::NoAnswer, None), now);
    }

    /// What became of a branch; gives its purpose back.
    pub(super) fn on_branch_outcome(
        &mut self,
        id: ClientId,
        mut branch: Box<Branch>,
        outcome: Outcome,
        now: Timestamp,
    ) -> Purpose {
        let leg = branch.leg;
        match outcome {
            Outcome::Response(response) if response.status.is_provisional() => {
                self.on_provisional(id, &mut branch, &response, now);
            }
            Outcome::Response(response) if response.status.is_success() => {
                self.on_answer(id, &mut branch, &response, now);
            }
            Outcome::Response(response) => {
                self.settle(id);
                self.drop_early(leg, id, now);
                if !self.authorize_branch(id, &mut branch, &response, now)
                    && !self.ask_longer(id, &branch, &response, now)
                    && !self.another_way(leg, id, Some(&response), now)
                {
                    let status = response.status.code();
                    self.branch_failed(leg, id, (reason::of_refusal(&response), Some(status)), now);
                }
            }
            Outcome::Failed(status) => {
                self.settle(id);
                self.drop_early(leg, id, now);
                if !self.another_way(leg, id, None, now) {
                    self.branch_failed(leg, id, (Cause::Unreachable, Some(status)), now);
                }
            }
        }
        Purpose::Invite(branch)
    }

    /// No longer waited for: the transaction's own timers do the rest.
    pub(super) fn settle(&mut self, id: ClientId) {
        self.timers.clear(Deadline::CancelUnanswered(id));
        self.timers.clear(Deadline::RingsTooLong(id));
        self.timers.clear(Deadline::TryNext(id));
    }

    fn on_provisional(&mut self, id: ClientId, branch: &mut Branch, response: &Response, now: Timestamp) {
        self.timers.clear(Deadline::TryNext(id));
        match branch.state {
            BranchState::Sent | BranchState::Proceeding => {
                branch.state = BranchState::Proceeding;
                // Each sign of life starts the time anew, as at a proxy.
                self.timers.set(Deadline::RingsTooLong(id), now + RINGS_TOO_LONG);
                if matches!(response.status.code(), 180..=183)
                    && let Some(Leg::Calling(Calling { hunt: Some(hunt), .. })) =
                        self.legs.get_mut(&branch.leg)
                {
                    hunt.found();
                }
                let heard = self.tx.client(id).map_or(branch.dialog.flow, |client| client.heard);
                if let Some(sdp) = self.on_early(branch.leg, id, &branch.dialog, response, now) {
                    let peer = heard.remote.ip();
                    self.tell(Event::Ringing { dialog: branch.leg, sdp, peer });
                }
            }
            BranchState::Unwanted(cause) => {
                branch.state = BranchState::Cancelled;
                self.cancel(id, cause, now);
            }
            BranchState::Cancelled | BranchState::Won => {}
        }
    }

    fn on_answer(&mut self, id: ClientId, branch: &mut Branch, response: &Response, now: Timestamp) {
        self.settle(id);
        let Some((head, _)) = wire::head_of_response(response) else { return };
        let Some((mut dialog, first)) = self.acknowledge_answer(id, branch, response, &head) else { return };
        if !first {
            return;
        }
        let wins = match branch.state {
            BranchState::Sent | BranchState::Proceeding => {
                matches!(self.legs.get(&branch.leg), Some(Leg::Calling(_)))
            }
            BranchState::Unwanted(_) | BranchState::Cancelled | BranchState::Won => false,
        };
        if !wins {
            // Crossed our CANCEL, or another phone behind the same contact.
            let name = self.mint.branch();
            let (mut bye, flow) = dialog.request(Method::Bye, &self.config, &name);
            wire::push(&mut bye.headers, HeaderName::Reason, cause::reason(Cause::AnsweredElsewhere));
            wire::body_headers(&mut bye.headers, None);
            self.start(bye, &name, flow, Purpose::Nobody, now);
            return;
        }
        branch.state = BranchState::Won;
        let Some(Leg::Calling(mut calling)) = self.forget(branch.leg) else { return };
        for other in calling.branches.drain(..).filter(|other| *other != id) {
            self.give_up(other, Cause::AnsweredElsewhere, now);
        }
        self.answered(branch.leg, id, dialog, calling, response, now);
    }

    /// ACK to a 2xx; with the dialog it makes, and whether it is the first from that phone.
    fn acknowledge_answer(
        &mut self,
        id: ClientId,
        branch: &Branch,
        response: &Response,
        head: &Head,
    ) -> Option<(Dialog, bool)> {
        let client = self.tx.client(id)?;
        if client.acks.len() >= MAX_ANSWERS {
            return None;
        }
        let flow = client.heard;
        let mut dialog = branch.dialog.answered(response, head, flow);
        self.grown(branch.leg, id, &mut dialog);
        let name = self.mint.branch();
        let (ack, flow) = dialog.ack(head.cseq, &self.config, &name);
        let first = self.acknowledge(id, head.to.tag().unwrap_or_default(), ack, flow);
        Some((dialog, first))
    }

    /// Sends an ACK and keeps it, or sends the one again that this 2xx had before. Whether it is
    /// the first.
    pub(super) fn acknowledge(&mut self, id: ClientId, tag: &[u8], ack: Request, flow: Flow) -> bool {
        let before =
            self.tx.client(id).and_then(|client| client.acks.iter().find(|(of, ..)| of == tag).cloned());
        if let Some((_, flow, bytes)) = before {
            self.traces.request(&ack, true);
            self.send(flow, bytes);
            return false;
        }
        let (flow, bytes) = self.send_ack(ack, flow);
        if let Some(client) = self.tx.client(id) {
            client.acks.push((Bytes::copy_from_slice(tag), flow, bytes));
        }
        true
    }

    /// Answers a challenge: the INVITE again, with a password. `false`: it cannot be.
    fn authorize_branch(
        &mut self,
        id: ClientId,
        branch: &mut Branch,
        response: &Response,
        now: Timestamp,
    ) -> bool {
        let wanted = matches!(branch.state, BranchState::Sent | BranchState::Proceeding);
        if !wanted || !is_challenge(response) {
            return false;
        }
        let Some(client) = self.tx.client(id) else { return false };
        let (mut invite, flow) = (client.machine.request().clone(), client.flow);
        let mut dialog = branch.dialog.clone();
        let Some(keys) = &mut dialog.keys else { return false };
        if !keys.learn(&invite, response) {
            return false;
        }
        let (name, cnonce) = (self.mint.branch(), self.mint.token());
        dialog.local_cseq += 1;
        wire::renew(&mut invite, dialog::via(&self.config, &flow, &name), dialog.local_cseq);
        keys.sign(&mut invite, &cnonce);
        self.replace_branch(id, branch.leg, Made { invite, dialog, branch: name }, now);
        true
    }

    /// Answers a 422 (RFC 4028 §7.3): the INVITE again, for a longer session. `false`: it cannot be.
    fn ask_longer(&mut self, id: ClientId, branch: &Branch, response: &Response, now: Timestamp) -> bool {
        let wanted = matches!(branch.state, BranchState::Sent | BranchState::Proceeding);
        let mut dialog = branch.dialog.clone();
        if !wanted || !dialog.lengthen(response, &self.config) {
            return false;
        }
        let Some(client) = self.tx.client(id) else { return false };
        let (mut invite, flow) = (client.machine.request().clone(), client.flow);
        let (name, cnonce) = (self.mint.branch(), self.mint.token());
        let (fresh, _) = dialog.request_on(Method::Invite, &self.config, &name, flow);
        wire::renew(&mut invite, dialog::via(&self.config, &flow, &name), dialog.local_cseq);
        for header in [HeaderName::SessionExpires, HeaderName::MinSe] {
            invite.headers.remove_all(&header);
            for row in fresh.headers.get_all(&header) {
                invite.headers.push(row.clone());
            }
        }
        if let Some(keys) = &mut dialog.keys {
            keys.sign(&mut invite, &cnonce);
        }
        self.replace_branch(id, branch.leg, Made { invite, dialog, branch: name }, now);
        true
    }

    fn replace_branch(&mut self, id: ClientId, leg: DialogId, made: Made, now: Timestamp) {
        self.drop_early(leg, id, now);
        if let Some(Leg::Calling(calling)) = self.legs.get_mut(&leg) {
            calling.branches.retain(|other| *other != id);
            self.send_branch(leg, made, now);
        }
    }

    /// One phone less to wait for. A 6xx speaks for all of them (RFC 3261 §16.7 step 5).
    fn branch_failed(&mut self, leg: DialogId, id: ClientId, why: (Cause, Option<u16>), now: Timestamp) {
        self.drop_early(leg, id, now);
        let Some(Leg::Calling(calling)) = self.legs.get_mut(&leg) else { return };
        let before = calling.branches.len();
        calling.branches.retain(|other| *other != id);
        if calling.branches.len() == before {
            return; // given up before
        }
        // A status tells more than none, and of two statuses the weightier.
        let best = calling.best.unwrap_or(why);
        let best = if best.1.is_none() || cause::weight(why.0) > cause::weight(best.0) { why } else { best };
        calling.best = Some(best);
        let for_all = why.1.is_some_and(|status| status >= 600);
        let others = if for_all { std::mem::take(&mut calling.branches) } else { Vec::new() };
        let best = if for_all { why } else { best };
        let over = calling.branches.is_empty();
        for other in others {
            self.give_up(other, why.0, now);
        }
        if over {
            self.abort_reinvites(leg, now);
            self.finish(leg, best.0, best.1);
        }
    }
}

/// The CANCEL of an INVITE, and its branch, which is the INVITE's (RFC 3261 §9.1).
fn cancel_of(invite: &Request, cause: Cause) -> (Request, String) {
    let mut cancel = Request::new(Method::Cancel, invite.uri.clone());
    let from = &invite.headers;
    if let Some(via) = from.get(&HeaderName::Via) {
        cancel.headers.push(via.clone());
    }
    wire::push(&mut cancel.headers, HeaderName::MaxForwards, "70");
    for name in [HeaderName::Route, HeaderName::From, HeaderName::To, HeaderName::CallId] {
        for header in from.get_all(&name) {
            cancel.headers.push(header.clone());
        }
    }
    let cseq = wire::cseq(invite).unwrap_or(1);
    wire::push(&mut cancel.headers, HeaderName::CSeq, format!("{cseq} CANCEL"));
    wire::push(&mut cancel.headers, HeaderName::Reason, cause::reason(cause));
    wire::body_headers(&mut cancel.headers, None);
    let via = from.typed::<wire::Via>().and_then(Result::ok);
    let branch = via.and_then(|via| via.branch().map(|branch| String::from_utf8_lossy(branch).into_owned()));
    (cancel, branch.unwrap_or_default())
}
