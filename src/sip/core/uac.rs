//! Our own INVITEs (RFC 3261 §13.2): one branch a phone, the first answer wins, the others are
//! cancelled, or acknowledged and hung up when their answer crossed the CANCEL. A branch lives in
//! its client transaction, so nothing of it outlives that.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::cause;
use super::dialog::{self, Dialog, Peer, Reach};
use super::endpoint::Endpoint;
use super::io::{Callee, DialogId, Event, Flow, Login, Transport};
use super::leg::{Calling, Leg};
use super::machines::Outcome;
use super::reason;
use super::timers::Deadline;
use super::transactions::{ClientId, Purpose};
use super::wire::{self, Head, HeaderName, Method, Request, Response, Uri};
use crate::call::Cause;
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
    /// Our offer, for when the INVITE must be sent again with a password.
    sdp: Bytes,
    /// The password, until it was used.
    login: Option<Login>,
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

/// A way to a phone, before its INVITE is made.
struct Way {
    target: Uri,
    flow: Flow,
    to: String,
    login: Option<Login>,
    reach: Reach,
    peer: Peer,
}

impl Endpoint {
    pub(super) fn invite(&mut self, id: DialogId, to: Callee, from: &str, sdp: &Bytes, now: Timestamp) {
        let ways = self.ways(to, now);
        if ways.is_empty() || self.legs.len() >= self.config.max_dialogs || self.legs.contains_key(&id) {
            return self.tell(Event::Ended { dialog: id, cause: Cause::Unreachable, status: None });
        }
        self.legs.insert(id, Leg::Calling(Calling::default()));
        for way in ways {
            let host = dialog::host_text(dialog::our_address(&self.config, &way.flow).ip());
            let from = if from.eq_ignore_ascii_case("anonymous") {
                "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned()
            } else {
                format!("<{}>", dialog::user_uri(from, &host))
            };
            let names = (format!("{}@{host}", self.mint.token()), self.mint.token());
            let mut dialog = Dialog::wanted(way.target, &from, &way.to, names, way.flow, way.reach);
            dialog.peer = way.peer;
            let branch =
                Branch { leg: id, dialog, sdp: sdp.clone(), login: way.login, state: BranchState::Sent };
            self.send_branch(branch, None, now);
        }
    }

    fn ways(&self, to: Callee, now: Timestamp) -> Vec<Way> {
        match to {
            Callee::Agent(agent) => {
                let host = &self.config.realm;
                let to = format!("<{}>", dialog::user_uri(&agent.0, host));
                let bindings = self.registrar.bindings(&agent, now);
                let way = |binding: super::registrar::Binding| {
                    let target = Uri::parse(Bytes::from(binding.contact)).ok()?;
                    let peer = Peer::Agent(agent.clone());
                    let (to, login) = (to.clone(), None);
                    Some(Way { target, flow: binding.flow, to, login, reach: Reach::Back, peer })
                };
                bindings.into_iter().filter_map(way).collect()
            }
            Callee::Trunk { .. } => Vec::new(),
            Callee::Uri { uri, remote, transport, login } => {
                let Ok(target) = Uri::parse(Bytes::from(uri.clone())) else { return Vec::new() };
                let flow = self.flow_to(transport, remote);
                let (reach, peer) = (Reach::Written, Peer::Address);
                vec![Way { target, flow, to: format!("<{uri}>"), login, reach, peer }]
            }
        }
    }

    /// The way to an address we were told.
    pub(super) fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Flow {
        let of_transport = |(ours, _): &&(Transport, SocketAddr)| *ours == transport;
        let mut contacts = self.config.contacts.iter().filter(of_transport).map(|(_, at)| *at);
        let first = contacts.clone().next();
        let local = contacts.find(|at| at.is_ipv4() == remote.is_ipv4()).or(first);
        Flow { transport, local: local.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))), remote, connection: 0 }
    }

    fn send_branch(
        &mut self,
        mut branch: Branch,
        authorization: Option<(HeaderName, String)>,
        now: Timestamp,
    ) {
        let name = self.mint.branch();
        // Before there is a dialog the INVITE goes where we were told, whatever the URI says.
        let flow = branch.dialog.flow;
        let (mut invite, _) = branch.dialog.request_on(Method::Invite, &self.config, &name, flow);
        if let Some((header, value)) = authorization {
            wire::push(&mut invite.headers, header, value);
        }
        wire::body_headers(&mut invite.headers, Some(("application/sdp", &branch.sdp)));
        invite.set_body(branch.sdp.clone());
        let leg = branch.leg;
        let client = self.start(invite, &name, flow, Purpose::Invite(Box::new(branch)), now);
        if let Some(Leg::Calling(calling)) = self.legs.get_mut(&leg) {
            calling.branches.push(client);
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
                | Purpose::Register(..)
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
                if !self.authorize_branch(id, &mut branch, &response, now)
                    && !self.ask_longer(id, &mut branch, &response, now)
                {
                    let status = response.status.code();
                    self.branch_failed(leg, id, (reason::of_refusal(&response), Some(status)), now);
                }
            }
            Outcome::Failed(status) => {
                self.settle(id);
                self.branch_failed(leg, id, (Cause::Unreachable, Some(status)), now);
            }
        }
        Purpose::Invite(branch)
    }

    /// No longer waited for: the transaction's own timers do the rest.
    pub(super) fn settle(&mut self, id: ClientId) {
        self.timers.clear(Deadline::CancelUnanswered(id));
        self.timers.clear(Deadline::RingsTooLong(id));
    }

    fn on_provisional(&mut self, id: ClientId, branch: &mut Branch, response: &Response, now: Timestamp) {
        match branch.state {
            BranchState::Sent | BranchState::Proceeding => {
                branch.state = BranchState::Proceeding;
                // Each sign of life starts the time anew, as at a proxy.
                self.timers.set(Deadline::RingsTooLong(id), now + RINGS_TOO_LONG);
                if let Some(sdp) = self.on_early(branch.leg, id, &branch.dialog, response, now) {
                    self.tell(Event::Ringing { dialog: branch.leg, sdp });
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
            self.send(flow, bytes);
            return false;
        }
        let (flow, bytes) = self.send_ack(ack, flow);
        if let Some(client) = self.tx.client(id) {
            client.acks.push((Bytes::copy_from_slice(tag), flow, bytes));
        }
        true
    }

    /// Answers a challenge once: the INVITE again, with a password. `false`: it cannot be.
    fn authorize_branch(
        &mut self,
        id: ClientId,
        branch: &mut Branch,
        response: &Response,
        now: Timestamp,
    ) -> bool {
        let wanted = matches!(branch.state, BranchState::Sent | BranchState::Proceeding);
        if !matches!(response.status.code(), 401 | 407) || !wanted {
            return false;
        }
        let Some(login) = branch.login.take() else { return false };
        let Some(uri) = self.tx.client(id).map(|client| client.machine.request().uri.to_bytes()) else {
            return false;
        };
        let uri = String::from_utf8_lossy(&uri).into_owned();
        let cnonce = self.mint.token();
        let Some((name, value, _)) = wire::authorize(response, &login, &Method::Invite, &uri, &cnonce) else {
            return false;
        };
        let again = Branch {
            leg: branch.leg,
            dialog: branch.dialog.clone(),
            sdp: branch.sdp.clone(),
            login: None,
            state: BranchState::Sent,
        };
        self.replace_branch(id, again, Some((name, value)), now);
        true
    }

    /// Answers a 422 (RFC 4028 §7.3): the INVITE again, for a longer session. `false`: it cannot be.
    fn ask_longer(&mut self, id: ClientId, branch: &mut Branch, response: &Response, now: Timestamp) -> bool {
        let wanted = matches!(branch.state, BranchState::Sent | BranchState::Proceeding);
        if !wanted || !branch.dialog.lengthen(response, &self.config) {
            return false;
        }
        let again = Branch {
            leg: branch.leg,
            dialog: branch.dialog.clone(),
            sdp: branch.sdp.clone(),
            login: branch.login.clone(),
            state: BranchState::Sent,
        };
        self.replace_branch(id, again, None, now);
        true
    }

    fn replace_branch(
        &mut self,
        id: ClientId,
        again: Branch,
        authorization: Option<(HeaderName, String)>,
        now: Timestamp,
    ) {
        self.drop_early(again.leg, id, now);
        if let Some(Leg::Calling(calling)) = self.legs.get_mut(&again.leg) {
            calling.branches.retain(|other| *other != id);
            self.send_branch(again, authorization, now);
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
