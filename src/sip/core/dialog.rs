//! Dialogs (RFC 3261 §12): who the two sides are, where the next request goes, and the requests
//! themselves. The route set is loose or strict, as the first hop says.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::challenge::Keyring;
use super::endpoint::EndpointConfig;
use super::extensions;
use super::io::{Flow, Transport};
use super::refresh::{Agreed, Terms};
use super::wire::{
    self, Address, Fault, Head, HeaderName, Headers, Host, Method, Request, Response, Scheme, Uri,
};
use crate::ids::{AgentId, TrunkId};

/// A dialog, or what is known of one before the answer.
#[derive(Clone, Debug)]
pub(super) struct Dialog {
    /// Its Call-ID.
    pub(super) call_id: Bytes,
    /// Our tag.
    pub(super) local_tag: String,
    /// Their tag; none before the answer, and none from RFC 2543 user agents.
    pub(super) remote_tag: Option<Bytes>,
    /// The last sequence number we used.
    pub(super) local_cseq: u32,
    /// The last sequence number they used.
    pub(super) remote_cseq: Option<u32>,
    /// The way its last message came.
    pub(super) flow: Flow,
    /// From in our requests, with our tag.
    local: Bytes,
    /// To in our requests, with their tag.
    remote: Bytes,
    /// Their Contact.
    pub(super) target: Uri,
    routes: Vec<Uri>,
    /// The password for their challenges, of a call to a trunk that has one.
    pub(super) keys: Option<Box<Keyring>>,
    /// Whether the addresses they write down can be believed: not so behind a NAT, where only the
    /// way a message came leads back.
    reach: Reach,
    /// Who the other side is known to be.
    pub(super) peer: Peer,
    /// Whether they can be reached.
    line: Line,
    /// Whether they take UPDATE (RFC 3311).
    pub(super) updates: bool,
    /// What we ask of the session timer, once it is not what the configuration says.
    pub(super) terms: Option<Terms>,
    /// The session timer both sides agreed on.
    pub(super) agreed: Option<Agreed>,
}

/// Who the other side of a dialog is known to be, beside where its messages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Any host of its networks may speak for it.
    Trunk(TrunkId),
    /// Any phone it is logged on with.
    Agent(AgentId),
    /// Nothing but its address.
    Address,
}

/// Whether requests can reach the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Open,
    /// Its phone's connection is gone, and only the phone can make another.
    Lost,
}

/// How requests find the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// At the addresses in Contact and Record-Route.
    Written,
    /// The way their messages came.
    Back,
}

impl Dialog {
    /// The dialog an INVITE from outside asks for (RFC 3261 §12.1.1).
    pub(super) fn offered(request: &Request, head: &Head, tag: String, flow: Flow) -> Result<Self, Fault> {
        let to = request.headers.value(&HeaderName::To).unwrap_or_default();
        let from = request.headers.value(&HeaderName::From).unwrap_or_default();
        // RFC 2543 had INVITEs without Contact; From is all there is then.
        let target = contact(&request.headers)?.unwrap_or_else(|| head.from.uri.clone());
        let routes = record_route(&request.headers)?;
        let direct = matches!(head.via.host, Host::Ip(ip) if ip == flow.remote.ip());
        Ok(Self {
            call_id: head.call_id.clone(),
            local: Bytes::from([&to[..], b";tag=", tag.as_bytes()].concat()),
            local_tag: tag,
            remote_tag: head.from.tag().map(Bytes::copy_from_slice),
            remote: Bytes::copy_from_slice(&from),
            local_cseq: 0,
            remote_cseq: Some(head.cseq),
            target,
            routes,
            flow,
            keys: None,
            reach: if direct { Reach::Written } else { Reach::Back },
            peer: Peer::Address,
            line: Line::Open,
            updates: extensions::allows(&request.headers, &Method::Update) == Some(true),
            terms: None,
            agreed: None,
        })
    }

    /// What an INVITE of ours begins with. `from` is a whole From value without a tag, `to` a whole
    /// To value.
    pub(super) fn wanted(
        target: Uri,
        from: &str,
        to: &str,
        names: (String, String),
        flow: Flow,
        reach: Reach,
    ) -> Self {
        let (call_id, tag) = names;
        Self {
            call_id: Bytes::from(call_id),
            local: Bytes::from(format!("{from};tag={tag}")),
            local_tag: tag,
            remote_tag: None,
            remote: Bytes::copy_from_slice(to.as_bytes()),
            local_cseq: 0,
            remote_cseq: None,
            target,
            routes: Vec::new(),
            flow,
            keys: None,
            reach,
            peer: Peer::Address,
            line: Line::Open,
            updates: false,
            terms: None,
            agreed: None,
        }
    }

    /// The dialog a 2xx makes of it (RFC 3261 §12.1.2). What the response leaves out or garbles
    /// stays as it was: the call is up, and hanging up needs a dialog too.
    pub(super) fn answered(&self, response: &Response, head: &Head, flow: Flow) -> Self {
        let to = response.headers.value(&HeaderName::To).unwrap_or_default();
        let mut routes = record_route(&response.headers).unwrap_or_default();
        routes.reverse();
        Self {
            remote: Bytes::copy_from_slice(&to),
            remote_tag: head.to.tag().map(Bytes::copy_from_slice),
            target: contact(&response.headers).ok().flatten().unwrap_or_else(|| self.target.clone()),
            routes,
            flow,
            updates: extensions::allows(&response.headers, &Method::Update).unwrap_or(self.updates),
            ..self.clone()
        }
    }

    /// Whether a request belongs here, going by its Call-ID and From tag (its To tag found us).
    pub(super) fn holds(&self, head: &Head) -> bool {
        self.call_id == head.call_id && self.remote_tag.as_deref() == head.from.tag()
    }

    /// Whether this is where the other side is, as far as the dialog itself tells: where it last was, or
    /// the address its Contact or a proxy on the way back is written with.
    pub(super) fn is_at(&self, flow: &Flow) -> bool {
        let from = flow.remote.ip().to_canonical();
        let written = self
            .routes
            .iter()
            .chain([&self.target])
            .any(|uri| matches!(uri.host(), Some(Host::Ip(ip)) if ip.to_canonical() == from));
        let same_connection = flow.connection != 0 && flow.is_same_way(&self.flow);
        written || same_connection || self.flow.remote.ip().to_canonical() == from
    }

    /// Takes the new Contact of a re-INVITE, an UPDATE or their 2xx (RFC 3261 §12.2), and what they say they
    /// can do.
    pub(super) fn refresh_target(&mut self, headers: &Headers) {
        self.updates = extensions::allows(headers, &Method::Update).unwrap_or(self.updates);
        if let Ok(Some(target)) = contact(headers) {
            self.target = target;
        }
    }

    /// The next request of the dialog, and where it goes.
    pub(super) fn request(
        &mut self,
        method: Method,
        config: &EndpointConfig,
        branch: &str,
    ) -> (Request, Flow) {
        let flow = self.next_hop(config);
        self.request_on(method, config, branch, flow)
    }

    /// The next request, for a way that is given.
    pub(super) fn request_on(
        &mut self,
        method: Method,
        config: &EndpointConfig,
        branch: &str,
        flow: Flow,
    ) -> (Request, Flow) {
        self.local_cseq += 1;
        (self.numbered(method, self.local_cseq, config, branch, &flow), flow)
    }

    /// The ACK of a 2xx to the INVITE with this sequence number (RFC 3261 §13.2.2.4).
    pub(super) fn ack(&self, cseq: u32, config: &EndpointConfig, branch: &str) -> (Request, Flow) {
        let flow = self.next_hop(config);
        let mut ack = self.numbered(Method::Ack, cseq, config, branch, &flow);
        if let Some(keys) = &self.keys {
            keys.sign_ack(&mut ack);
        }
        wire::body_headers(&mut ack.headers, None);
        (ack, flow)
    }

    fn numbered(
        &self,
        method: Method,
        cseq: u32,
        config: &EndpointConfig,
        branch: &str,
        flow: &Flow,
    ) -> Request {
        // RFC 3261 §12.2.1.1: a strict router takes the place of the target, which goes last.
        let strict = self.routes.first().filter(|first| !is_loose(first));
        let mut request = Request::new(method, strict.unwrap_or(&self.target).clone());
        let headers = &mut request.headers;
        wire::push(headers, HeaderName::Via, via(config, flow, branch));
        wire::push(headers, HeaderName::MaxForwards, "70");
        let rest = if strict.is_some() { &self.routes[1..] } else { &self.routes[..] };
        for hop in rest.iter().chain(strict.map(|_| &self.target)) {
            wire::push(headers, HeaderName::Route, [b"<", &hop.to_bytes()[..], b">"].concat());
        }
        wire::push(headers, HeaderName::From, self.local.clone());
        wire::push(headers, HeaderName::To, self.remote.clone());
        wire::push(headers, HeaderName::CallId, self.call_id.clone());
        wire::push(headers, HeaderName::CSeq, format!("{cseq} {}", request.method));
        wire::push(headers, HeaderName::UserAgent, config.user_agent.clone());
        if matches!(request.method, Method::Invite | Method::Update) {
            wire::push(headers, HeaderName::Contact, contact_value(config, flow));
            wire::push(headers, HeaderName::Allow, extensions::ALLOW);
            wire::push(headers, HeaderName::Supported, extensions::SUPPORTED);
            // Before the answer an UPDATE has nothing to refresh.
            if request.method == Method::Invite || self.agreed.is_some() {
                self.ask_timer(headers, config);
            }
        }
        request
    }

    /// Where the next request goes: the first route or the target if it is an address we may
    /// believe, else back the way their last message came: names are not looked up here (see `locate`).
    fn next_hop(&self, config: &EndpointConfig) -> Flow {
        let uri = self.routes.first().unwrap_or(&self.target);
        let transport = match uri.transport() {
            Some(name) if name.eq_ignore_ascii_case(b"tcp") => Transport::Tcp,
            Some(name) if name.eq_ignore_ascii_case(b"udp") => Transport::Udp,
            Some(name) if name.eq_ignore_ascii_case(b"tls") => Transport::Tls,
            Some(_) | None => self.flow.transport,
        };
        let address = match uri.host() {
            Some(Host::Ip(ip)) if !ip.is_unspecified() => {
                SocketAddr::new(*ip, uri.port().unwrap_or(transport.default_port()))
            }
            Some(Host::Ip(_) | Host::Name(_)) | None => return self.flow,
        };
        let same_family = address.is_ipv4() == self.flow.local.is_ipv4();
        // What began in TLS does not go on in the clear, whatever Contact says.
        let downgrade = self.flow.transport.is_secure() && !transport.is_secure();
        if self.reach == Reach::Back || !same_family || downgrade || matches!(uri.scheme(), Scheme::Sips) {
            return self.flow;
        }
        if transport == self.flow.transport {
            // A connection stays in use whatever Contact says; if it is gone, Contact says where to.
            return if !transport.is_datagram() && self.flow.connection != 0 {
                self.flow
            } else {
                Flow { remote: address, ..self.flow }
            };
        }
        match config.contacts.iter().find(|(ours, _)| *ours == transport) {
            Some((_, local)) => Flow { transport, local: *local, remote: address, connection: 0 },
            None => self.flow,
        }
    }

    /// Whether its phone has lost its connection and not come back.
    pub(super) fn is_lost(&self) -> bool {
        self.line == Line::Lost
    }

    /// Its phone cannot be reached; whether that is news.
    pub(super) fn lose(&mut self) -> bool {
        std::mem::replace(&mut self.line, Line::Lost) == Line::Open
    }

    /// Its phone is heard over this flow; whether it was lost.
    pub(super) fn found_again(&mut self, flow: Flow) -> bool {
        self.flow = flow;
        std::mem::replace(&mut self.line, Line::Open) == Line::Lost
    }

    /// Where to connect to once the dialog's connection is gone (its far port was a passing one). To an agent's
    /// browser nobody can connect: whether it is lost by this.
    pub(super) fn lost_connection(&mut self) -> bool {
        if self.flow.transport.is_web() && matches!(self.peer, Peer::Agent(_)) {
            return self.lose();
        }
        let address = match self.routes.first().unwrap_or(&self.target).host() {
            Some(Host::Ip(ip)) if self.reach == Reach::Written => *ip,
            Some(Host::Ip(_) | Host::Name(_)) | None => self.flow.remote.ip(),
        };
        let port = self.routes.first().unwrap_or(&self.target).port();
        let port = port.unwrap_or(self.flow.transport.default_port());
        self.flow = Flow { remote: SocketAddr::new(address, port), connection: 0, ..self.flow };
        false
    }
}

fn is_loose(hop: &Uri) -> bool {
    hop.params().is_some_and(|params| params.contains("lr"))
}

/// The one Contact of an INVITE or its 2xx; `None`: there is none.
fn contact(headers: &Headers) -> Result<Option<Uri>, Fault> {
    let bad = Fault { status: 400, reason: "Bad Contact" };
    let list = wire::addresses(headers, &HeaderName::Contact).map_err(|_| bad)?;
    Ok(list.into_iter().next().map(|address| address.uri))
}

fn record_route(headers: &Headers) -> Result<Vec<Uri>, Fault> {
    let bad = Fault { status: 400, reason: "Bad Record-Route" };
    let list = wire::addresses(headers, &HeaderName::RecordRoute).map_err(|_| bad)?;
    Ok(list.into_iter().map(|Address { uri, .. }| uri).collect())
}

/// Our address as the peer of this flow sees it: where we listen for its transport, at the address the
/// flow leaves from, through the NAT if there is one between us.
pub(super) fn our_address(config: &EndpointConfig, flow: &Flow) -> SocketAddr {
    let family = || config.contacts.iter().filter(|(_, at)| at.is_ipv4() == flow.remote.is_ipv4());
    let ours = || family().filter(|(transport, _)| *transport == flow.transport).map(|(_, at)| *at);
    let listener = ours()
        .find(|at| at.port() == flow.local.port() && at.ip() == flow.local.ip())
        .or_else(|| ours().find(|at| at.port() == flow.local.port() || at.ip() == flow.local.ip()))
        .or_else(|| ours().next());
    let ip = match flow.local.ip() {
        ip if !ip.is_unspecified() => ip,
        any => listener.or_else(|| family().next().map(|(_, at)| *at)).map_or(any, |at| at.ip()),
    };
    let port = match (listener, flow.local.port()) {
        (Some(listener), _) => listener.port(),
        (None, 0) => flow.transport.default_port(),
        (None, port) => port,
    };
    SocketAddr::new(config.nat.outward(ip, flow.remote.ip()), port)
}

/// Our Via (RFC 3261 §18.1.1, with rport by RFC 3581).
pub(super) fn via(config: &EndpointConfig, flow: &Flow, branch: &str) -> String {
    let transport = flow.transport.via();
    format!("SIP/2.0/{transport} {};branch={branch};rport", our_address(config, flow))
}

/// Our Contact.
pub(super) fn contact_value(config: &EndpointConfig, flow: &Flow) -> String {
    format!("<sip:{}{}>", our_address(config, flow), flow.transport.uri_param())
}

/// A URI of ours for a user, percent-escaped (RFC 3261 §25.1, `user`).
pub(super) fn user_uri(user: &str, host: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("sip:{escaped}@{host}")
}

/// An address's host as a URI writes it.
pub(super) fn host_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}
