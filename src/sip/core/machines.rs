//! Runs the transaction machines: what they want sent is sent, what they want timed is timed, and
//! what they have to tell goes to whom it concerns.

use std::collections::VecDeque;

use super::endpoint::Endpoint;
use super::io::{Flow, Transport};
use super::respond::Inbound;
use super::timers::Deadline;
use super::transactions::{ClientId, Purpose, ServerId};
use super::wire::{
    self, ClientTransaction, HeaderName, Key, Message, Reliability, Request, Response, ServerTransaction,
    Step, Timer, TuEvent,
};
use crate::time::Timestamp;

const SERVER_TIMERS: [Timer; 6] = [Timer::Trying100, Timer::G, Timer::H, Timer::I, Timer::J, Timer::L];
const CLIENT_TIMERS: [Timer; 7] = [Timer::A, Timer::B, Timer::D, Timer::E, Timer::F, Timer::K, Timer::M];

/// What became of a request of ours.
pub(super) enum Outcome {
    /// A response, provisional or final.
    Response(Box<Response>),
    /// Nobody answered (408) or the transport failed (503): as RFC 3261 §8.1.3.1 would have it.
    Failed(u16),
}

const fn reliability(flow: Flow) -> Reliability {
    match flow.transport {
        Transport::Udp => Reliability::Unreliable,
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => Reliability::Reliable,
    }
}

impl Endpoint {
    /// Gives a request a transaction, so that its retransmissions are absorbed. `None`: the table is
    /// full and the request was answered 503.
    pub(super) fn open(
        &mut self,
        inbound: Inbound,
        key: Key,
        merge: Option<Key>,
    ) -> Option<(ServerId, Inbound)> {
        if self.tx.len().1 >= self.config.max_transactions {
            let after = self.retry_after(&inbound.head.call_id);
            self.refuse(&inbound, 503, &[(HeaderName::RetryAfter, &after)]);
            return None;
        }
        let Inbound { request, head, flow, reply, now } = inbound;
        let timers = self.config.machine_timers();
        let (machine, steps) = ServerTransaction::new(request, reliability(flow), timers);
        let id = self.tx.add_server(machine, key, merge, reply);
        let mut request = None;
        // Its first step hands the request back; what is left are timers.
        let (told, rest): (Vec<Step>, Vec<Step>) =
            steps.into_iter().partition(|s| matches!(s, Step::ToTu(_)));
        for step in told {
            if let Step::ToTu(event) = step
                && let TuEvent::Request(handed) = *event
            {
                request = Some(*handed);
            }
        }
        self.run_server(id, rest, now);
        let request = request.or_else(|| Some(self.tx.server(id)?.machine.request().clone()))?;
        Some((id, Inbound { request, head, flow, reply, now }))
    }

    /// Answers a request that has a transaction.
    pub(super) fn respond(&mut self, id: ServerId, response: Response, now: Timestamp) {
        let Some(server) = self.tx.server(id) else { return };
        tracing::debug!(method = %server.machine.request().method, status = response.status.code(), "answered");
        let steps = server.machine.on_tu_response(response);
        self.run_server(id, steps, now);
    }

    /// Sends a request with a transaction of its own.
    pub(super) fn start(
        &mut self,
        request: Request,
        branch: &str,
        flow: Flow,
        purpose: Purpose,
        now: Timestamp,
    ) -> ClientId {
        tracing::debug!(method = %request.method, "sent a request");
        let flow = self.connections.resolve(flow);
        let key = wire::client_key(branch.as_bytes(), &request.method);
        let (machine, steps) =
            ClientTransaction::new(request, reliability(flow), self.config.machine_timers());
        let id = self.tx.add_client(machine, key, flow, purpose);
        self.run_client(id, steps, now);
        id
    }

    /// A response that came: to its transaction, or nowhere.
    pub(super) fn on_response(&mut self, flow: Flow, response: Response, now: Timestamp) {
        self.traces.response(&response, false);
        let Some((head, method)) = wire::head_of_response(&response) else { return };
        let Some(branch) = head.via.branch() else { return };
        let Some(id) = self.tx.find_client(&wire::client_key(branch, &method)) else {
            tracing::debug!(status = response.status.code(), "a response to nothing of ours");
            return;
        };
        let Some(client) = self.tx.client(id) else { return };
        tracing::debug!(%method, status = response.status.code(), "a response");
        client.heard = flow;
        self.gate.befriend(flow.remote.ip()); // nobody else knows the branch
        let steps = client.machine.on_response(response);
        self.run_client(id, steps, now);
    }

    pub(super) fn on_server_timer(&mut self, id: ServerId, timer: Timer, now: Timestamp) {
        let Some(server) = self.tx.server(id) else { return };
        let steps = server.machine.on_timer(timer);
        self.run_server(id, steps, now);
    }

    pub(super) fn on_client_timer(&mut self, id: ClientId, timer: Timer, now: Timestamp) {
        let Some(client) = self.tx.client(id) else { return };
        let steps = client.machine.on_timer(timer);
        self.run_client(id, steps, now);
    }

    /// The requests of ours on this flow could not be delivered, or their answers cannot come.
    pub(super) fn fail_clients_on(&mut self, flow: &Flow, now: Timestamp) {
        for id in self.tx.clients_on(flow) {
            let Some(client) = self.tx.client(id) else { continue };
            let steps = client.machine.on_transport_error();
            self.run_client(id, steps, now);
        }
    }

    pub(super) fn run_server(&mut self, id: ServerId, steps: Vec<Step>, now: Timestamp) {
        let mut steps = VecDeque::from(steps);
        while let Some(step) = steps.pop_front() {
            match step {
                Step::Send(message) => {
                    let Some(server) = self.tx.server(id) else { return };
                    let reply = server.reply;
                    self.traces.message(&message, true);
                    self.send(reply, message.to_bytes());
                }
                Step::SetTimer { timer, after } if after.is_zero() => {
                    let Some(server) = self.tx.server(id) else { return };
                    steps.extend(server.machine.on_timer(timer));
                }
                Step::SetTimer { timer, after } => self.timers.set(Deadline::Server(id, timer), now + after),
                Step::ClearTimer(timer) => drop(self.timers.clear(Deadline::Server(id, timer))),
                Step::Terminated(_) => self.drop_server(id),
                // That no ACK came for a refusal changes nothing; ACKs of 2xx find their dialog by tag.
                Step::ToTu(_) | _ => {}
            }
        }
    }

    fn run_client(&mut self, id: ClientId, steps: Vec<Step>, now: Timestamp) {
        let mut steps = VecDeque::from(steps);
        while let Some(step) = steps.pop_front() {
            match step {
                Step::Send(message) => {
                    let Some(client) = self.tx.client(id) else { return };
                    let flow = client.flow;
                    self.traces.message(&message, true);
                    self.send(flow, message.to_bytes());
                }
                Step::SetTimer { timer, after } if after.is_zero() => {
                    let Some(client) = self.tx.client(id) else { return };
                    steps.extend(client.machine.on_timer(timer));
                }
                Step::SetTimer { timer, after } => self.timers.set(Deadline::Client(id, timer), now + after),
                Step::ClearTimer(timer) => drop(self.timers.clear(Deadline::Client(id, timer))),
                Step::ToTu(event) => match *event {
                    TuEvent::Response(response) => self.on_outcome(id, Outcome::Response(response), now),
                    TuEvent::Timeout => self.on_outcome(id, Outcome::Failed(408), now),
                    TuEvent::TransportError => self.on_outcome(id, Outcome::Failed(503), now),
                    TuEvent::Request(_) | TuEvent::Ack(_) | _ => {}
                },
                Step::Terminated(_) => self.drop_client(id),
                _ => {}
            }
        }
    }

    /// Gives the outcome to whom the request was for. The purpose is out of the table meanwhile.
    fn on_outcome(&mut self, id: ClientId, outcome: Outcome, now: Timestamp) {
        let Some(client) = self.tx.client(id) else { return };
        let purpose = std::mem::replace(&mut client.purpose, Purpose::Nobody);
        if self.answers_challenge(id, &purpose, &outcome, now) {
            return;
        }
        let purpose = match purpose {
            Purpose::Invite(branch) => self.on_branch_outcome(id, branch, outcome, now),
            Purpose::Reinvite(dialog) => {
                self.on_reinvite_outcome(id, dialog, outcome, now);
                Purpose::Reinvite(dialog)
            }
            Purpose::Bye(dialog) => {
                self.on_bye_outcome(dialog, &outcome);
                Purpose::Bye(dialog)
            }
            Purpose::Info(dialog) => {
                self.on_info_outcome(dialog, &outcome, now);
                Purpose::Info(dialog)
            }
            Purpose::Prack(fork) => {
                self.on_prack_outcome(&fork, &outcome, now);
                Purpose::Prack(fork)
            }
            Purpose::Update(fork, offers) => {
                self.on_update_outcome(id, (&fork, offers), &outcome, now);
                Purpose::Update(fork, offers)
            }
            Purpose::Refer(dialog) => {
                self.on_refer_outcome(dialog, &outcome, now);
                Purpose::Refer(dialog)
            }
            Purpose::Notify(dialog, cseq) => {
                self.on_notify_outcome(dialog, cseq, &outcome, now);
                Purpose::Notify(dialog, cseq)
            }
            Purpose::Register(dialog, keys) => self.on_register_outcome(id, dialog, keys, outcome, now),
            Purpose::Trunk(registration) => {
                self.on_trunk_outcome(id, registration, &outcome, now);
                Purpose::Trunk(registration)
            }
            Purpose::Probe(probe) => {
                self.on_probe_outcome(id, probe, &outcome, now);
                Purpose::Probe(probe)
            }
            Purpose::Nobody => Purpose::Nobody,
        };
        if let Some(client) = self.tx.client(id) {
            client.purpose = purpose;
        }
    }

    fn drop_server(&mut self, id: ServerId) {
        if self.tx.remove_server(id).is_some() {
            for timer in SERVER_TIMERS {
                self.timers.clear(Deadline::Server(id, timer));
            }
        }
    }

    pub(super) fn drop_client(&mut self, id: ClientId) {
        if self.tx.remove_client(id).is_some() {
            for timer in CLIENT_TIMERS {
                self.timers.clear(Deadline::Client(id, timer));
            }
            self.timers.clear(Deadline::CancelUnanswered(id));
            self.timers.clear(Deadline::RingsTooLong(id));
            self.timers.clear(Deadline::TryNext(id));
        }
    }

    /// A message without a transaction: an ACK.
    pub(super) fn send_ack(&mut self, ack: Request, flow: Flow) -> (Flow, bytes::Bytes) {
        self.traces.request(&ack, true);
        let bytes = Message::Request(ack).to_bytes();
        self.send(flow, bytes.clone());
        (flow, bytes)
    }
}
