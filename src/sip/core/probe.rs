//! Whether a trunk's server is there: OPTIONS (RFC 3261 §11), sent as a call to it would be: found by RFC 3263, over
//! its transport, with the password where one is asked for, the next address when one is silent.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::challenge::{Keyring, is_challenge};
use super::dialog;
use super::endpoint::Endpoint;
use super::hunt;
use super::io::Transport;
use super::locate::{Asker, Place, SILENCE, Server};
use super::machines::Outcome;
use super::timers::Deadline;
use super::transactions::{ClientId, Purpose};
use super::wire::{self, HeaderName, Method, Request};
use crate::ids::TrunkId;
use crate::settings::Outbound;
use crate::time::Timestamp;

/// Somebody waits at a screen: name lookups, a handshake and some retransmissions fit in.
pub const PATIENCE: Duration = Duration::from_secs(12);

/// A probe's number, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeId(u64);

/// What came of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// It answered.
    Answered {
        /// The final status.
        status: u16,
        /// From the request that was answered so until its answer.
        after: Duration,
        /// Whether a password of ours was asked for and sent.
        with_password: bool,
        /// Where.
        transport: Transport,
        /// Where.
        remote: SocketAddr,
    },
    /// Nothing was heard of it in time.
    Silent {
        /// Where the last request went.
        transport: Transport,
        /// Where the last request went.
        remote: SocketAddr,
    },
    /// It cannot be connected to, or the datagram cannot be sent.
    Unreachable {
        /// Where.
        transport: Transport,
        /// Where.
        remote: SocketAddr,
    },
    /// Its name leads nowhere that we can send to.
    NotFound,
    /// What the settings have for its server is no address.
    NoServer,
    /// It is being asked already.
    Busy,
}

/// The probes under way.
#[derive(Default)]
pub(super) struct Probes {
    all: BTreeMap<ProbeId, Probe>,
    drawn: u64,
    told: VecDeque<(ProbeId, Probed)>,
}

impl Probes {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn poll(&mut self) -> Option<(ProbeId, Probed)> {
        self.told.pop_front()
    }
}

struct Probe {
    trunk: TrunkId,
    server: Server,
    keys: Option<Keyring>,
    /// The user part of From.
    user: String,
    call_id: String,
    tag: String,
    cseq: u32,
    places: VecDeque<Place>,
    asking: Option<Asking>,
}

/// The request under way.
struct Asking {
    client: ClientId,
    place: Place,
    sent: Timestamp,
    signed: bool,
}

impl Endpoint {
    /// Asks a trunk's server whether it is there; `outbound` is what the settings say of it, which need not be in force
    /// here yet. [`Endpoint::poll_probed`] tells what came of it, once.
    pub fn probe(&mut self, trunk: &TrunkId, outbound: &Outbound, now: Timestamp) -> ProbeId {
        self.begin(now);
        self.probes.drawn += 1;
        let id = ProbeId(self.probes.drawn);
        if self.probes.all.values().any(|probe| probe.trunk == *trunk) {
            self.probes.told.push_back((id, Probed::Busy));
            return id;
        }
        let Some(server) = Server::parse(&outbound.server) else {
            self.probes.told.push_back((id, Probed::NoServer));
            return id;
        };
        let login = hunt::login_of(outbound);
        let whereabouts = server.whereabouts.clone();
        let probe = Probe {
            trunk: trunk.clone(),
            user: login.as_ref().map_or_else(|| "sayso".to_owned(), |login| login.user.clone()),
            keys: login.map(Keyring::new),
            server,
            call_id: self.mint.token(),
            tag: self.mint.token(),
            cseq: 0,
            places: VecDeque::new(),
            asking: None,
        };
        self.probes.all.insert(id, probe);
        self.timers.set(Deadline::Probe(id), now + PATIENCE);
        self.ask(Asker::Probe(id), whereabouts, now);
        id
    }

    /// What came of a probe.
    pub fn poll_probed(&mut self) -> Option<(ProbeId, Probed)> {
        self.probes.poll()
    }

    /// The server's addresses came.
    pub(super) fn probe_located(&mut self, id: ProbeId, places: Vec<Place>, now: Timestamp) {
        let Some(probe) = self.probes.all.get_mut(&id) else { return };
        if places.is_empty() {
            return self.probe_ends(id, Probed::NotFound);
        }
        probe.places = places.into();
        self.probe_next(id, now);
    }

    /// Asks at the next address; `false`: there is none.
    fn probe_next(&mut self, id: ProbeId, now: Timestamp) -> bool {
        let next = self.probes.all.get_mut(&id).and_then(|probe| probe.places.pop_front());
        let Some(place) = next else { return false };
        self.send_options(id, place, now)
    }

    fn send_options(&mut self, id: ProbeId, place: Place, now: Timestamp) -> bool {
        let flow = self.connections.resolve(self.way_to(place));
        let (branch, cnonce) = (self.mint.branch(), self.mint.token());
        let via = dialog::via(&self.config, &flow, &branch);
        let contact = dialog::contact_value(&self.config, &flow);
        let host = dialog::host_text(dialog::our_address(&self.config, &flow).ip());
        let agent = self.config.user_agent.clone();
        let Some(probe) = self.probes.all.get_mut(&id) else { return false };
        let Some(mut request) = probe.request(&host) else { return false };
        let headers = &mut request.headers;
        wire::push(headers, HeaderName::Via, via);
        wire::push(headers, HeaderName::Contact, contact);
        wire::push(headers, HeaderName::Accept, "application/sdp");
        wire::push(headers, HeaderName::UserAgent, agent);
        wire::body_headers(headers, None);
        let signed = probe.asking.take().is_some_and(|asking| asking.signed);
        if let Some(keys) = &mut probe.keys {
            keys.sign(&mut request, &cnonce);
        }
        let more = !probe.places.is_empty();
        let client = self.start(request, &branch, flow, Purpose::Probe(id), now);
        if more {
            self.timers.set(Deadline::TryNext(client), now + SILENCE);
        }
        if let Some(probe) = self.probes.all.get_mut(&id) {
            probe.asking = Some(Asking { client, place, sent: now, signed });
        }
        true
    }

    /// What became of an OPTIONS of ours.
    pub(super) fn on_probe_outcome(
        &mut self,
        client: ClientId,
        id: ProbeId,
        outcome: &Outcome,
        now: Timestamp,
    ) {
        let sent = self.tx.client(client).map(|client| client.machine.request().clone());
        let Some(probe) = self.probes.all.get_mut(&id) else { return };
        // An answer to a request that was given up.
        let Some(asking) = probe.asking.as_mut().filter(|asking| asking.client == client) else { return };
        let Place { transport, remote, .. } = asking.place;
        let response = match outcome {
            Outcome::Response(response) if response.status.is_provisional() => {
                self.timers.clear(Deadline::TryNext(client));
                return;
            }
            Outcome::Response(response) => response,
            Outcome::Failed(status) => {
                self.timers.clear(Deadline::TryNext(client));
                if !self.probe_next(id, now) {
                    let silent = *status == 408;
                    let what = if silent {
                        Probed::Silent { transport, remote }
                    } else {
                        Probed::Unreachable { transport, remote }
                    };
                    self.probe_ends(id, what);
                }
                return;
            }
        };
        self.timers.clear(Deadline::TryNext(client));
        let learnt = is_challenge(response)
            && probe.keys.as_mut().zip(sent).is_some_and(|(keys, sent)| keys.learn(&sent, response));
        if learnt {
            asking.signed = true;
            let place = asking.place;
            if self.send_options(id, place, now) {
                return;
            }
            return self.probe_ends(id, Probed::Unreachable { transport, remote });
        }
        let status = response.status.code();
        let (after, with_password) = (now.since(asking.sent), asking.signed);
        // RFC 3263 §4.3: another of its servers may do.
        if matches!(status, 408 | 503) && self.probe_next(id, now) {
            return;
        }
        self.probe_ends(id, Probed::Answered { status, after, with_password, transport, remote });
    }

    /// A server has not said a word while another is left.
    pub(super) fn probe_silent(&mut self, id: ProbeId, client: ClientId, now: Timestamp) {
        let asked = self.probes.all.get(&id).and_then(|probe| probe.asking.as_ref());
        if asked.is_some_and(|asking| asking.client == client) {
            self.drop_client(client);
            self.probe_next(id, now);
        }
    }

    /// Time is up.
    pub(super) fn probe_late(&mut self, id: ProbeId) {
        let Some(probe) = self.probes.all.get(&id) else { return };
        let what = probe.asking.as_ref().map_or(Probed::NotFound, |asking| Probed::Silent {
            transport: asking.place.transport,
            remote: asking.place.remote,
        });
        self.probe_ends(id, what);
    }

    fn probe_ends(&mut self, id: ProbeId, what: Probed) {
        self.timers.clear(Deadline::Probe(id));
        let Some(probe) = self.probes.all.remove(&id) else { return };
        // A request that nobody waits for is not sent again.
        if let Some(asking) = probe.asking
            && !matches!(what, Probed::Answered { .. })
        {
            self.drop_client(asking.client);
        }
        self.probes.told.push_back((id, what));
    }
}

impl Probe {
    /// The next OPTIONS, without what is of its way.
    fn request(&mut self, ours: &str) -> Option<Request> {
        // A server that knows us by name expects us in its own domain.
        let host = if self.keys.is_some() { &self.server.host } else { ours };
        let us = dialog::user_uri(&self.user, host);
        let mut request = Request::new(Method::Options, self.server.uri("", "")?);
        self.cseq += 1;
        let headers = &mut request.headers;
        wire::push(headers, HeaderName::MaxForwards, "70");
        wire::push(headers, HeaderName::From, format!("<{us}>;tag={}", self.tag));
        wire::push(headers, HeaderName::To, format!("<sip:{}>", self.server.host));
        wire::push(headers, HeaderName::CallId, self.call_id.clone());
        wire::push(headers, HeaderName::CSeq, format!("{} OPTIONS", self.cseq));
        Some(request)
    }
}
