//! The way in: datagrams and streams become messages, messages find their transaction, their
//! dialog, or the rules for requests outside of both.

use bytes::Bytes;

use super::endpoint::Endpoint;
use super::extensions;
use super::io::{Flow, Output};
use super::respond::{self, Inbound};
use super::stream::Frame;
use super::timers::Deadline;
use super::wire::{self, Action, Fault, HeaderName, Key, Message, Method, Scheme, ServerState};
use crate::time::Timestamp;

impl Endpoint {
    pub(super) fn on_datagram(&mut self, flow: Flow, bytes: Bytes, now: Timestamp) {
        // Line ends and zero octets are keep-alives; some send them before a message, too.
        let Some(start) = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n' | 0)) else { return };
        self.on_message(flow, bytes.slice(start..), now);
    }

    /// A WebSocket's frame.
    pub(super) fn on_frame(&mut self, flow: Flow, bytes: Bytes, now: Timestamp) {
        if !self.connections.has(&flow) {
            return; // closed by us, or never announced
        }
        // Some keep alive by a frame of line ends, as on a stream (RFC 5626 §4.4.1).
        if &bytes[..] == b"\r\n\r\n" {
            return self.send(flow, Bytes::from_static(b"\r\n"));
        }
        self.on_datagram(flow, bytes, now);
    }

    /// `ours`: requests of ours to its far address may go over it.
    pub(super) fn on_connected(&mut self, flow: Flow, ours: bool, now: Timestamp) {
        if self.connections.len() >= self.config.max_connections {
            self.output(Output::Close(flow));
            if ours {
                self.fail_clients_on(&Flow { connection: 0, ..flow }, now);
            }
            return;
        }
        self.connections.add(flow, ours);
        if ours {
            self.tx.move_clients(&Flow { connection: 0, ..flow }, flow);
        }
    }

    pub(super) fn on_closed(&mut self, flow: Flow, now: Timestamp) {
        if flow.connection != 0 {
            self.connections.remove(&flow);
            self.timers.clear(Deadline::HalfMessage(flow.connection));
            self.registrar.flow_closed(&flow);
            self.tx.lost_connection(&flow);
            self.legs_lost(&flow);
        }
        self.fail_clients_on(&flow, now);
    }

    /// Closes a connection from our side.
    pub(super) fn shut(&mut self, flow: Flow, now: Timestamp) {
        self.output(Output::Close(flow));
        self.on_closed(flow, now);
    }

    pub(super) fn on_chunk(&mut self, flow: Flow, bytes: &[u8], now: Timestamp) {
        if !self.connections.has(&flow) {
            return; // closed by us, or never announced
        }
        self.connections.push(&flow, bytes);
        while let Some(frame) = self.connections.next(&flow) {
            match frame {
                Frame::Message(message) => {
                    self.timers.clear(Deadline::HalfMessage(flow.connection));
                    self.on_message(flow, message, now);
                }
                Frame::Ping => self.send(flow, Bytes::from_static(b"\r\n")),
                Frame::Lost(head) => {
                    let fault = Fault { status: 400, reason: "Bad Content-Length" };
                    self.refuse_malformed(flow, &head, fault, now);
                    self.shut(flow, now);
                    return;
                }
            }
        }
        // Who begins a message and does not end it must not hold a buffer for ever.
        let half = Deadline::HalfMessage(flow.connection);
        if self.connections.is_half(&flow) {
            self.timers.set_once(half, now + self.config.patience());
        } else {
            self.timers.clear(half);
        }
    }

    fn on_message(&mut self, flow: Flow, bytes: Bytes, now: Timestamp) {
        if !self.gate.takes(&flow, now) {
            return; // before it costs anything
        }
        let request = match wire::parse(bytes.clone()) {
            Ok(Message::Request(request)) => request,
            Ok(Message::Response(response)) => return self.on_response(flow, response, now),
            Err(error) => {
                tracing::debug!(%error, "malformed");
                let fault = Fault { status: 400, reason: "Bad Request" };
                return self.refuse_malformed(flow, &bytes, fault, now);
            }
        };
        match wire::head_of_request(&request) {
            Ok(head) => {
                let reply = respond::reply_flow(&head.via, flow);
                self.traces.request(&request, false);
                let mut request = request;
                respond::mark_request(&mut request, &head.via, flow.remote);
                self.on_request(Inbound { request, head, flow, reply, now });
            }
            Err(fault) => self.refuse_malformed(flow, &bytes, fault, now),
        }
    }

    fn on_request(&mut self, inbound: Inbound) {
        let Inbound { request, head, now, .. } = &inbound;
        let now = *now;
        tracing::debug!(method = %request.method, "a request");
        let key = wire::server_key(request, head, &request.method);
        if let Some(id) = self.tx.find_server(&key) {
            let Some(server) = self.tx.server(id) else { return };
            // An ACK that shares its INVITE's branch though that got a 2xx is still the dialog's.
            if request.method == Method::Ack && server.machine.state() == ServerState::Accepted {
                return self.on_ack(&inbound);
            }
            let steps = server.machine.on_request(request);
            return self.run_server(id, steps, now);
        }
        if request.method == Method::Ack {
            self.on_ack(&inbound);
        } else if request.method == Method::Cancel {
            self.on_cancel(&inbound);
        } else if head.to.tag().is_some() {
            self.on_in_dialog(inbound, key);
        } else {
            self.on_out_of_dialog(inbound, key);
        }
    }

    fn on_out_of_dialog(&mut self, inbound: Inbound, key: Key) {
        if self.gate.ignored(inbound.flow.remote.ip(), inbound.now)
            && !self.is_registered(&inbound)
            && !self.tries_to_log_in(&inbound)
        {
            return;
        }
        let merge = wire::merge_key(&inbound.head, &inbound.request.method);
        match wire::action(&inbound.request.method) {
            Action::Options => {
                if self.passes(&inbound, &merge) {
                    self.answer_options(&inbound);
                }
            }
            Action::Register => self.on_register(inbound, key, merge),
            Action::Invite => self.on_invite(inbound, key, merge),
            Action::Refer | Action::Notify => {
                if self.is_known_source(&inbound) {
                    self.refuse_outside(&inbound);
                }
            }
            Action::Bye | Action::Info | Action::Prack | Action::Update => {
                if self.is_known_source(&inbound) {
                    self.refuse(&inbound, 481, &[]);
                }
            }
            Action::Refuse(status) => {
                if self.is_known_source(&inbound) {
                    self.refuse(&inbound, status, &[(HeaderName::Allow, extensions::ALLOW)]);
                }
            }
        }
    }

    /// RFC 3261 §8.2.2: the checks every request outside a dialog must pass. `false`: answered.
    pub(super) fn passes(&mut self, inbound: &Inbound, merge: &Key) -> bool {
        if !matches!(inbound.request.uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel) {
            self.refuse(inbound, 416, &[]);
            return false;
        }
        if self.tx.is_merged(merge) {
            self.refuse(inbound, 482, &[]);
            return false;
        }
        self.requires_nothing(inbound)
    }

    /// Whether the request needs no extension that we do not have. `false`: answered 420.
    pub(super) fn requires_nothing(&mut self, inbound: &Inbound) -> bool {
        let missing = extensions::missing(&inbound.request);
        if missing.is_empty() {
            return true;
        }
        self.refuse(inbound, 420, &[(HeaderName::Unsupported, &missing.join(", "))]);
        false
    }

    pub(super) fn answer_options(&mut self, inbound: &Inbound) {
        let extra = [
            (HeaderName::Allow, extensions::ALLOW),
            (HeaderName::Accept, super::body::ACCEPT),
            (HeaderName::AcceptEncoding, "identity"),
            (HeaderName::Supported, extensions::SUPPORTED),
        ];
        self.refuse(inbound, 200, &extra);
    }
}
