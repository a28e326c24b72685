//! What is kept of our registrations at trunks' servers; `trunks` brings them about.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

use super::challenge::Keyring;
use super::dialog;
use super::endpoint::EndpointConfig;
use super::hunt;
use super::io::Flow;
use super::locate::{Place, Server};
use super::timers::TimerQueue;
use super::transactions::ClientId;
use super::uri;
use super::wire::{self, ContactValue, HeaderName, Headers, Method, Request};
use crate::ids::TrunkId;
use crate::settings::{Outbound, Settings};
use crate::time::Timestamp;

/// What we ask for, in seconds; servers behind NATs give less.
const EXPIRES: u32 = 3_600;
/// The longest Min-Expires we follow, in seconds: a day.
pub(super) const MAX_EXPIRES: u32 = 86_400;
/// A registration's number, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RegistrationId(u64);

/// All registrations of ours. Their timers are their own: they run for as long as the server does, and
/// are no sign of something under way.
pub(super) struct Registrations {
    pub(super) all: BTreeMap<RegistrationId, Registration>,
    pub(super) by_trunk: BTreeMap<TrunkId, RegistrationId>,
    /// Which of them have a binding with the server at this address.
    pub(super) addresses: HashMap<IpAddr, Vec<RegistrationId>>,
    pub(super) timers: TimerQueue<RegistrationId>,
    pub(super) drawn: u64,
    pub(super) closed: bool,
}

pub(super) struct Registration {
    pub(super) trunk: TrunkId,
    pub(super) outbound: Outbound,
    pub(super) server: Server,
    pub(super) user: String,
    pub(super) keys: Option<Keyring>,
    /// Kept for the registration's life, as is the growing CSeq (RFC 3261 §10.2).
    pub(super) call_id: String,
    pub(super) tag: String,
    pub(super) cseq: u32,
    /// Asked for, in seconds.
    pub(super) expires: u32,
    pub(super) state: State,
    pub(super) bound: Option<Bound>,
    /// Failures in a row.
    pub(super) failures: u32,
    pub(super) told: Option<Result<(), Option<u16>>>,
}

/// What a registration waits for.
pub(super) enum State {
    /// For its time, which is in the timer queue.
    Waiting,
    /// For the server's addresses.
    Locating,
    /// For the answer to a REGISTER; then for those of the other places.
    Asking { client: ClientId, place: Place, rest: VecDeque<Place> },
    /// The same, but it is not wanted any more: what succeeds is taken back.
    Unwanted { client: ClientId, place: Place },
    /// For the answer to the REGISTER that takes it back.
    Leaving { client: ClientId },
}

/// A binding at a server.
pub(super) struct Bound {
    pub(super) place: Place,
    /// The way its answer came.
    pub(super) flow: Flow,
    pub(super) until: Timestamp,
}

impl Default for Registrations {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            by_trunk: BTreeMap::new(),
            addresses: HashMap::new(),
            timers: TimerQueue::new(),
            drawn: 0,
            closed: false,
        }
    }
}

impl Registrations {
    /// When the next is due.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The connections registrations were made over.
    pub(super) fn connections(&self) -> impl Iterator<Item = u64> {
        let bound = self.all.values().filter_map(|registration| registration.bound.as_ref());
        bound.map(|bound| bound.flow.connection).filter(|connection| *connection != 0)
    }

    /// Where a trunk's server has our binding.
    pub(super) fn place_of(&self, trunk: &TrunkId, now: Timestamp) -> Option<Place> {
        let bound = self.all.get(self.by_trunk.get(trunk)?)?.bound.as_ref()?;
        (bound.until > now).then_some(bound.place)
    }

    /// Brings what there is in line with what is wanted. Returns what is to be taken back.
    pub(super) fn wish_for(
        &mut self,
        settings: &Settings,
        mut name: impl FnMut() -> String,
    ) -> Vec<RegistrationId> {
        let wanted = |trunk: &TrunkId| {
            let outbound = settings.trunks.get(trunk)?.outbound.as_ref()?;
            outbound.register.then_some(outbound)
        };
        let mut gone = Vec::new();
        self.by_trunk.retain(|trunk, id| {
            let kept = self.all.get_mut(id).is_some_and(|registration| {
                wanted(trunk).is_some_and(|outbound| registration.stays(outbound))
            });
            if !kept {
                gone.push(*id);
            }
            kept
        });
        for trunk in settings.trunks.keys().filter(|_| !self.closed) {
            let Some(outbound) = wanted(trunk).filter(|_| !self.by_trunk.contains_key(trunk)) else {
                continue;
            };
            let Some(server) = Server::parse(&outbound.server) else { continue };
            self.drawn += 1;
            let id = RegistrationId(self.drawn);
            let registration = Registration::new(trunk.clone(), outbound.clone(), server, name(), name());
            self.all.insert(id, registration);
            self.by_trunk.insert(trunk.clone(), id);
            // At once: whoever drives us fires what is overdue.
            self.timers.set(id, Timestamp::from_micros(0));
        }
        gone
    }

    pub(super) fn forget(&mut self, id: RegistrationId) {
        self.unbind(id);
        self.timers.clear(id);
        self.all.remove(&id);
    }

    pub(super) fn bind(&mut self, id: RegistrationId, bound: Bound) {
        self.unbind(id);
        let Some(registration) = self.all.get_mut(&id) else { return };
        self.addresses.entry(bound.place.remote.ip()).or_default().push(id);
        registration.bound = Some(bound);
    }

    pub(super) fn unbind(&mut self, id: RegistrationId) {
        let bound = self.all.get_mut(&id).and_then(|registration| registration.bound.take());
        let Some(ip) = bound.map(|bound| bound.place.remote.ip()) else { return };
        if let Some(ids) = self.addresses.get_mut(&ip) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.addresses.remove(&ip);
            }
        }
    }

    /// Whether this trunk's server has our binding at this address.
    pub(super) fn is_at(&self, trunk: &TrunkId, ip: IpAddr, now: Timestamp) -> bool {
        self.place_of(trunk, now).is_some_and(|place| place.remote.ip() == ip)
    }

    /// The trunk whose server is at this address; of several, the one that knows us as `user`.
    pub(super) fn find(&self, ip: IpAddr, user: Option<&str>, now: Timestamp) -> Option<&TrunkId> {
        let ids = self.addresses.get(&ip)?;
        let live = |id: &&RegistrationId| {
            let bound = self.all.get(*id).and_then(|registration| registration.bound.as_ref());
            bound.is_some_and(|bound| bound.until > now)
        };
        let all = || ids.iter().filter(live).filter_map(|id| self.all.get(id));
        let named = all().find(|registration| Some(registration.user.as_str()) == user);
        named.or_else(|| all().next()).map(|registration| &registration.trunk)
    }
}

impl Registration {
    fn new(trunk: TrunkId, outbound: Outbound, server: Server, call_id: String, tag: String) -> Self {
        let login = hunt::login_of(&outbound);
        let number = outbound.caller_id.as_ref().map(|number| number.0.clone());
        let user = login.as_ref().map(|login| login.user.clone()).or(number);
        Self {
            trunk,
            user: user.unwrap_or_else(|| "sayso".to_owned()),
            keys: login.map(Keyring::new),
            outbound,
            server,
            call_id,
            tag,
            cseq: 0,
            expires: EXPIRES,
            state: State::Waiting,
            bound: None,
            failures: 0,
            told: None,
        }
    }

    /// Whether it serves these settings, too. A new password for the same name is taken over.
    fn stays(&mut self, outbound: &Outbound) -> bool {
        let user = |outbound: &Outbound| outbound.login.as_ref().map(|login| login.user.clone());
        let same_name = user(outbound) == user(&self.outbound) && user(outbound).is_some();
        if outbound.server != self.outbound.server || !(same_name || *outbound == self.outbound) {
            return false;
        }
        if outbound.login != self.outbound.login {
            self.keys = hunt::login_of(outbound).map(Keyring::new);
        }
        self.outbound = outbound.clone();
        true
    }

    /// The next REGISTER for this way.
    pub(super) fn request(
        &mut self,
        config: &EndpointConfig,
        flow: &Flow,
        branch: &str,
        cnonce: &str,
        expires: u32,
    ) -> Option<Request> {
        let us = dialog::user_uri(&self.user, &self.server.host);
        let mut request = Request::new(Method::Register, self.server.uri("", "")?);
        self.cseq += 1;
        let headers = &mut request.headers;
        wire::push(headers, HeaderName::Via, dialog::via(config, flow, branch));
        wire::push(headers, HeaderName::MaxForwards, "70");
        wire::push(headers, HeaderName::From, format!("<{us}>;tag={}", self.tag));
        wire::push(headers, HeaderName::To, format!("<{us}>"));
        wire::push(headers, HeaderName::CallId, self.call_id.clone());
        wire::push(headers, HeaderName::CSeq, format!("{} REGISTER", self.cseq));
        wire::push(headers, HeaderName::Contact, format!("<{}>", self.contact(config, flow)));
        wire::push(headers, HeaderName::Expires, expires.to_string());
        wire::push(headers, HeaderName::UserAgent, config.user_agent.clone());
        wire::body_headers(headers, None);
        if let Some(keys) = &mut self.keys {
            keys.sign(&mut request, cnonce);
        }
        Some(request)
    }

    pub(super) fn contact(&self, config: &EndpointConfig, flow: &Flow) -> String {
        let at = dialog::our_address(config, flow).to_string();
        format!("{}{}", dialog::user_uri(&self.user, &at), flow.transport.uri_param())
    }

    /// How long the server keeps our binding, in seconds: our Contact's own word, else the message's.
    pub(super) fn granted(&self, headers: &Headers, contact: &str) -> u32 {
        let ours = wire::contacts(headers).unwrap_or_default().into_iter().find_map(|value| match value {
            ContactValue::Address(address) => {
                let text = String::from_utf8_lossy(&address.uri.to_bytes()).into_owned();
                uri::same(&text, contact).then(|| address.param("expires").and_then(wire::seconds)).flatten()
            }
            ContactValue::Wildcard => None,
        });
        let all = || headers.value(&HeaderName::Expires).and_then(|value| wire::seconds(&value));
        ours.or_else(all).unwrap_or(self.expires).min(MAX_EXPIRES)
    }
}
