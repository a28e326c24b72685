//! REGISTER, both ways: our registrar for agents' phones (RFC 3261 §10.3), and a phone of ours
//! logging on elsewhere (§10.2).

use std::net::SocketAddr;

use bytes::Bytes;

use super::challenge::{Keyring, is_challenge};
use super::dialog;
use super::endpoint::Endpoint;
use super::io::{DialogId, Event, Flow, Login, Transport};
use super::leg::Leg;
use super::machines::Outcome;
use super::outbound;
use super::registrar::{Contact, Contacts, Instance, RegisterError, Registration};
use super::respond::{self, Inbound};
use super::source::LoggedIn;
use super::transactions::{ClientId, Purpose};
use super::wire::{self, ContactValue, Fault, HeaderName, Key, Method, Request, Scheme, Uri};
use crate::call::Cause;
use crate::time::Timestamp;

/// The longest `+sip.instance` that is kept, in octets; a URN of a UUID has 47.
const MAX_INSTANCE: usize = 200;

impl Endpoint {
    /// A REGISTER from outside.
    pub(super) fn on_register(&mut self, inbound: Inbound, key: Key, merge: Key) {
        let asked = match contacts(&inbound.request) {
            Ok(asked) => asked,
            Err(fault) => return self.refuse(&inbound, fault.status, &[]),
        };
        if !self.is_registered(&inbound) && !self.has_room_for_registration(&inbound) {
            return;
        }
        let Some(who) = self.log_in(&inbound) else { return };
        if !self.passes(&inbound, &merge) {
            return;
        }
        let to = &inbound.head.to.uri;
        let user = wire::user_of(to).filter(|_| matches!(to.scheme(), Scheme::Sip | Scheme::Sips));
        let LoggedIn::Agent(agent, lent) = who else { return self.refuse(&inbound, 403, &[]) };
        match user {
            None => return self.refuse(&inbound, 404, &[]),
            Some(user) if user != agent.0 => return self.refuse(&inbound, 403, &[]),
            Some(_) => {}
        }
        // From here on it is answered once: its nonce count is used up.
        let Some((server, inbound)) = self.open(inbound, key, Some(merge)) else { return };
        let registration = Registration {
            contacts: asked,
            expires: inbound
                .request
                .headers
                .value(&HeaderName::Expires)
                .and_then(|value| wire::seconds(&value)),
            call_id: String::from_utf8_lossy(&inbound.head.call_id).into_owned(),
            cseq: inbound.head.cseq,
            flow: inbound.flow,
            media: outbound::media_of(&self.settings, &agent, inbound.flow.transport),
            lent,
        };
        let before = self.registrar.bindings(&agent, inbound.now);
        let mut after = None;
        let result = self.registrar.register(&agent, registration, inbound.now);
        let tag = self.mint.token();
        let mut response;
        match result {
            Ok(bindings) => {
                response = respond::response(&inbound.request, 200, Some(&tag));
                for binding in &bindings {
                    let left = binding.seconds_left(inbound.now);
                    // By these a phone finds itself among the others (RFC 5626 §6).
                    let instance = binding.instance.as_ref().map_or_else(String::new, |instance| {
                        format!(";+sip.instance=\"{}\";reg-id={}", instance.id, instance.reg_id)
                    });
                    let value = format!("<{}>{instance};expires={left}", binding.contact);
                    wire::push(&mut response.headers, HeaderName::Contact, value);
                }
                after = Some(bindings);
            }
            Err(error) => {
                response = respond::response(&inbound.request, error.status(), Some(&tag));
                if let RegisterError::TooBrief { min_expires } = error {
                    wire::push(&mut response.headers, HeaderName::MinExpires, min_expires.to_string());
                }
            }
        }
        self.dress(&mut response);
        self.respond(server, response, inbound.now);
        if let Some(after) = after {
            self.phones_moved(&agent, (&before, &after), &inbound.flow, inbound.now);
        }
    }

    /// Logs a phone of ours on. The Call-ID is the same for the same user and registrar.
    pub(super) fn log_on(
        &mut self,
        id: DialogId,
        registrar: (SocketAddr, Transport),
        login: Login,
        expires: u32,
        now: Timestamp,
    ) {
        let (remote, transport) = registrar;
        if self.legs.len() >= self.config.max_dialogs || self.legs.contains_key(&id) {
            return self.tell(Event::Ended { dialog: id, cause: Cause::Internal, status: None });
        }
        let flow = self.flow_to(transport, remote);
        let us = dialog::our_address(&self.config, &flow);
        let user = dialog::user_uri(&login.user, &remote.to_string());
        let target = format!("sip:{remote}{}", transport.uri_param());
        let Ok(uri) = Uri::parse(Bytes::from(target)) else {
            return self.tell(Event::Ended { dialog: id, cause: Cause::Internal, status: None });
        };
        let call_id = self.mint.stable(format!("{user} {us}").as_bytes());
        let contact = dialog::user_uri(&login.user, &us.to_string());
        let contact = format!("<{contact}{}>", transport.uri_param());
        let mut register = Request::new(Method::Register, uri);
        let headers = &mut register.headers;
        wire::push(headers, HeaderName::MaxForwards, "70");
        wire::push(headers, HeaderName::From, format!("<{user}>;tag={}", self.mint.token()));
        wire::push(headers, HeaderName::To, format!("<{user}>"));
        wire::push(headers, HeaderName::CallId, call_id);
        wire::push(headers, HeaderName::Contact, contact);
        wire::push(headers, HeaderName::Expires, expires.to_string());
        wire::push(headers, HeaderName::UserAgent, self.config.user_agent.clone());
        wire::body_headers(headers, None);
        self.legs.insert(id, Leg::LoggingOn);
        self.send_register(id, register, flow, Box::new(Keyring::new(login)), now);
    }

    fn send_register(
        &mut self,
        id: DialogId,
        mut register: Request,
        flow: Flow,
        mut keys: Box<Keyring>,
        now: Timestamp,
    ) {
        let (branch, cnonce) = (self.mint.branch(), self.mint.token());
        self.last_register += 1;
        wire::renew(&mut register, dialog::via(&self.config, &flow, &branch), self.last_register);
        keys.sign(&mut register, &cnonce);
        self.start(register, &branch, flow, Purpose::Register(id, keys), now);
    }

    /// What became of a REGISTER of ours; gives its purpose back.
    pub(super) fn on_register_outcome(
        &mut self,
        client: ClientId,
        id: DialogId,
        mut keys: Box<Keyring>,
        outcome: Outcome,
        now: Timestamp,
    ) -> Purpose {
        let waits = matches!(self.legs.get(&id), Some(Leg::LoggingOn));
        match outcome {
            _ if !waits => {}
            Outcome::Response(response) if response.status.is_provisional() => {
                return Purpose::Register(id, keys);
            }
            Outcome::Response(response) if response.status.is_success() => {
                let Some(peer) = self.tx.client(client).map(|client| client.heard.remote.ip()) else {
                    return Purpose::Nobody;
                };
                self.forget(id);
                self.tell(Event::Answered { dialog: id, sdp: None, record_aware: false, peer });
            }
            Outcome::Response(response) => {
                let sent =
                    self.tx.client(client).map(|client| (client.machine.request().clone(), client.flow));
                match sent.filter(|(sent, _)| is_challenge(&response) && keys.learn(sent, &response)) {
                    Some((register, flow)) => self.send_register(id, register, flow, keys, now),
                    None => self.finish(id, Cause::Declined, Some(response.status.code())),
                }
                return Purpose::Nobody;
            }
            Outcome::Failed(status) => self.finish(id, Cause::Unreachable, Some(status)),
        }
        Purpose::Nobody
    }
}

/// Which phone a contact says it is; without a `reg-id` it says nothing (RFC 5626 §6), and neither does one that
/// could not be told again.
fn instance(id: Option<&[u8]>, reg_id: Option<&[u8]>) -> Option<Instance> {
    let id = std::str::from_utf8(id?).ok()?.trim().trim_matches('"');
    let fits = (1..=MAX_INSTANCE).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
    let reg_id = reg_id.and_then(wire::seconds)?;
    fits.then(|| Instance { id: id.to_owned(), reg_id })
}

/// The Contact headers of a REGISTER.
fn contacts(request: &Request) -> Result<Contacts, Fault> {
    let mut list = Vec::new();
    for value in wire::contacts(&request.headers)? {
        match value {
            ContactValue::Wildcard => return Ok(Contacts::RemoveAll),
            ContactValue::Address(address) => {
                let uri = String::from_utf8_lossy(&address.uri.to_bytes()).into_owned();
                let expires = address.param("expires").and_then(wire::seconds);
                let instance = instance(address.param("+sip.instance"), address.param("reg-id"));
                list.push(Contact { uri, expires, instance });
            }
        }
    }
    Ok(if list.is_empty() { Contacts::Query } else { Contacts::List(list) })
}
