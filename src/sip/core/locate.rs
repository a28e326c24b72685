//! Finding servers by RFC 3263: questions to the name service, which the shell asks, and the ways that
//! come back.
//!
//! Only calls and registrations that we begin are looked up. Names in Contact, Record-Route and Refer-To
//! of a dialog are not: requests in a dialog go back the way the other side's last message came, which
//! leads there through NATs, too.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::dialog::host_text;
use super::endpoint::Endpoint;
use super::io::{DialogId, Flow, Output, Query, Transport, Whereabouts};
use super::probe::ProbeId;
use super::registration::RegistrationId;
use super::timers::Deadline;
use super::wire::{Host, Message, Request, Scheme, Uri};
use crate::time::Timestamp;

/// Longer than any resolver tries; then the host counts as not found.
const PATIENCE: Duration = Duration::from_secs(10);

/// With another way left, a server that says nothing at all is given up after this rather than after
/// the 32 s of RFC 3261's timers B and F: a caller waits. Three retransmissions fit in.
pub(super) const SILENCE: Duration = Duration::from_secs(4);

/// Ways tried for one request at most.
const MAX_PLACES: usize = 8;

/// A request larger than this (octets) may not go by UDP when the path MTU is not known (RFC 3261
/// §18.1.1).
const MAX_DATAGRAM: usize = 1_300;

/// Who asked.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    /// A call to a trunk.
    Call(DialogId),
    /// A registration at a trunk's server.
    Registration(RegistrationId),
    /// Somebody who wants to know whether a trunk's server is there.
    Probe(ProbeId),
}

/// What was asked and not answered yet.
#[derive(Default)]
pub(super) struct Questions {
    open: HashMap<Query, (Asker, Whereabouts)>,
    drawn: u64,
}

impl Questions {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

/// A way to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) transport: Transport,
    pub(super) remote: SocketAddr,
    /// Whether a request too large for UDP may go to the same address by TCP.
    pub(super) or_tcp: bool,
}

/// A server as a trunk's settings name it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Host as URIs write it.
    pub(super) host: String,
    /// What to look up.
    pub(super) whereabouts: Whereabouts,
    scheme: &'static str,
    /// Port and transport as they were written, for a Request-URI.
    tail: String,
}

impl Server {
    /// Reads `sip:host[:port][;transport=…]`, or a contact with a user, which is left out; `None`: not that.
    pub(super) fn read(uri: &Uri) -> Option<Self> {
        let secure = matches!(uri.scheme(), Scheme::Sips);
        if !secure && !matches!(uri.scheme(), Scheme::Sip) {
            return None;
        }
        let transport = match uri.transport() {
            None => None,
            Some(name) => Some(transport(name, secure)?),
        };
        let (host, name) = match uri.host()? {
            Host::Ip(ip) => (host_text(*ip), ip.to_string()),
            Host::Name(name) => {
                let text = String::from_utf8_lossy(name.as_bytes()).into_owned();
                (text.clone(), text)
            }
        };
        let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
        let param =
            transport.map(|transport| format!(";transport={}", transport.param())).unwrap_or_default();
        Some(Self {
            host,
            whereabouts: Whereabouts { host: name, port: uri.port(), transport, secure },
            scheme: if secure { "sips" } else { "sip" },
            tail: format!("{port}{param}"),
        })
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::read(&Uri::parse(bytes::Bytes::copy_from_slice(text.as_bytes())).ok()?)
    }

    /// A Request-URI at this server; `user` is escaped already, with its `@`, or empty.
    pub(super) fn uri(&self, user: &str, params: &str) -> Option<Uri> {
        let Self { host, scheme, tail, .. } = self;
        Uri::parse(bytes::Bytes::from(format!("{scheme}:{user}{host}{tail}{params}"))).ok()
    }
}

fn transport(name: &[u8], secure: bool) -> Option<Transport> {
    let name = name.to_ascii_lowercase();
    Some(match (&name[..], secure) {
        (b"udp", false) => Transport::Udp,
        (b"tcp", false) => Transport::Tcp,
        (b"ws", false) => Transport::Ws,
        // RFC 3261 §26.2.2: `tls` is an old way of saying it; sips: makes of each its secure form.
        (b"tls", _) | (b"tcp", true) => Transport::Tls,
        (b"wss", _) | (b"ws", true) => Transport::Wss,
        _ => return None,
    })
}

impl Endpoint {
    /// Asks where a host is. The answer goes to `asker`, an empty one if none comes in time.
    pub(super) fn ask(&mut self, asker: Asker, whereabouts: Whereabouts, now: Timestamp) {
        self.questions.drawn += 1;
        let query = Query(self.questions.drawn);
        self.questions.open.insert(query, (asker, whereabouts.clone()));
        self.timers.set(Deadline::Unresolved(query), now + PATIENCE);
        self.output(Output::Resolve(query, whereabouts));
    }

    /// The answer to [`Output::Resolve`]. Late and repeated ones are ignored.
    pub(super) fn on_resolved(&mut self, query: Query, found: Vec<(Transport, SocketAddr)>, now: Timestamp) {
        let Some((asker, asked)) = self.questions.open.remove(&query) else { return };
        self.timers.clear(Deadline::Unresolved(query));
        let mut places: Vec<Place> = Vec::new();
        for (transport, remote) in found {
            let ours = self.config.contacts.iter().any(|(ours, _)| *ours == transport);
            let or_tcp =
                transport == Transport::Udp && asked.transport.is_none() && self.speaks(Transport::Tcp);
            let place = Place { transport, remote, or_tcp };
            let fits = ours && (!asked.secure || transport.is_secure()) && !places.contains(&place);
            if fits && places.len() < MAX_PLACES {
                places.push(place);
            }
        }
        match asker {
            Asker::Call(dialog) => self.call_located(dialog, places, now),
            Asker::Registration(registration) => self.registrar_located(registration, places, now),
            Asker::Probe(probe) => self.probe_located(probe, places, now),
        }
    }

    fn speaks(&self, transport: Transport) -> bool {
        self.config.contacts.iter().any(|(ours, _)| *ours == transport)
    }

    /// The way to a place.
    pub(super) fn way_to(&self, place: Place) -> Flow {
        self.flow_to(place.transport, place.remote)
    }
}

/// Whether this request must not go by UDP though it could: by TCP to the same place then, and if that
/// cannot be, by UDP after all (RFC 3261 §18.1.1). A password added later does not count.
pub(super) fn too_large(request: &Request, place: Place) -> bool {
    place.or_tcp && Message::Request(request.clone()).to_bytes().len() > MAX_DATAGRAM
}
