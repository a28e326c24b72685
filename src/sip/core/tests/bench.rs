//! One endpoint and hand-written messages.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::ids::{AgentId, Redacted, TrunkId};
use crate::settings::{Agent, Settings, Trunk, ha1};
use crate::sip::core::{
    Command, Endpoint, EndpointConfig, Event, Flow, Incoming, Output, Query, Transport, Whereabouts,
};
use crate::time::Timestamp;

pub(super) const REALM: &str = "sayso.test";
pub(super) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\n";

/// Settings with one trunk `pstn` at these networks and agents of these names, password `secret`.
pub(super) fn settings(networks: &[&str], agents: &[&str]) -> Settings {
    let mut settings = Settings::default();
    let trunk = Trunk {
        networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
        ..Trunk::default()
    };
    settings.trunks.insert(TrunkId::from("pstn"), Arc::new(trunk));
    for name in agents {
        let credentials = Some(ha1(name, REALM, "secret"));
        let display_name = Redacted((*name).to_owned());
        let agent = Agent {
            display_name,
            credentials,
            queues: Vec::new(),
            skills: Vec::new(),
            phone: Default::default(),
        };
        settings.agents.insert(AgentId::from(*name), Arc::new(agent));
    }
    settings
}

pub(super) fn config(address: &str) -> EndpointConfig {
    let at: SocketAddr = address.parse().unwrap();
    let contacts = vec![(Transport::Udp, at), (Transport::Tcp, at)];
    EndpointConfig { realm: REALM.to_owned(), contacts, ..EndpointConfig::default() }
}

pub(super) fn udp(local: &str, remote: &str) -> Flow {
    let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
    Flow { transport: Transport::Udp, local, remote, connection: 0 }
}

/// A message the endpoint sent, as text.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) flow: Flow,
    pub(super) text: String,
}

impl Sent {
    /// The status of a response, 0 of a request.
    pub(super) fn status(&self) -> u16 {
        self.text.strip_prefix("SIP/2.0 ").and_then(|rest| rest[..3].parse().ok()).unwrap_or(0)
    }

    /// The method of a request, or in CSeq.
    pub(super) fn method(&self) -> &str {
        self.header("CSeq").split(' ').nth(1).unwrap_or_default()
    }

    pub(super) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.text.lines().take_while(|line| !line.is_empty()).filter_map(move |line| {
            line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        })
    }

    pub(super) fn header<'a>(&'a self, name: &'a str) -> &'a str {
        self.headers(name).next().unwrap_or_default()
    }

    pub(super) fn to_tag(&self) -> &str {
        self.header("To").split(";tag=").nth(1).unwrap_or_default()
    }

    pub(super) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

/// An endpoint at 10.0.0.1 with a trunk at 10.0.0.2.
pub(super) struct Bench {
    pub(super) endpoint: Endpoint,
    pub(super) now: Timestamp,
    pub(super) sent: VecDeque<Sent>,
    pub(super) events: VecDeque<Event>,
    pub(super) closed: Vec<Flow>,
    pub(super) questions: VecDeque<(Query, Whereabouts)>,
}

pub(super) const US: &str = "10.0.0.1:5060";
pub(super) const TRUNK: &str = "10.0.0.2:5060";

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(config(US), settings(&["10.0.0.2/32"], &["ada", "bob"]))
    }

    pub(super) fn with(config: EndpointConfig, settings: Settings) -> Self {
        let endpoint = Endpoint::new(config, [7; 32], Arc::new(settings));
        let now = Timestamp::from_micros(1_000_000_000_000);
        let (sent, events, questions) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { endpoint, now, sent, events, closed: Vec::new(), questions }
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Send { flow, bytes } => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    self.sent.push_back(Sent { flow, text });
                }
                Output::Close(flow) => self.closed.push(flow),
                Output::Event(event) => self.events.push_back(event),
                Output::Resolve(query, whereabouts) => self.questions.push_back((query, whereabouts)),
            }
        }
    }

    pub(super) fn receive(&mut self, flow: Flow, bytes: impl Into<Bytes>) {
        self.endpoint.receive(flow, bytes.into(), self.now);
        self.drain();
    }

    /// The host that was asked for is found at these places.
    pub(super) fn found(&mut self, places: &[(Transport, &str)]) -> Whereabouts {
        let (query, whereabouts) = self.questions.pop_front().expect("a host was asked for");
        let places = places.iter().map(|(transport, at)| (*transport, at.parse().unwrap())).collect();
        self.endpoint.resolved(query, places, self.now);
        self.drain();
        whereabouts
    }

    /// A datagram from the trunk.
    pub(super) fn trunk(&mut self, text: impl Into<Bytes>) {
        self.receive(udp(US, TRUNK), text);
    }

    pub(super) fn command(&mut self, command: Command) {
        self.endpoint.command(command, self.now);
        self.drain();
    }

    /// Lets time pass, firing what is due on the way.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    pub(super) fn next(&mut self) -> Sent {
        self.sent.pop_front().expect("something was sent")
    }

    pub(super) fn nothing_sent(&self) {
        assert!(self.sent.is_empty(), "unexpected: {:#?}", self.sent);
    }

    pub(super) fn statuses(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.sent).iter().map(Sent::status).collect()
    }

    pub(super) fn event(&mut self) -> Event {
        self.events.pop_front().expect("something was told")
    }

    pub(super) fn incoming(&mut self) -> Incoming {
        let event = self.event();
        let Event::Incoming(incoming) = event else { panic!("not a call: {event:?}") };
        *incoming
    }

    /// 41 s of quiet leave nothing behind.
    pub(super) fn is_clean(&mut self) {
        self.pass(Duration::from_secs(41));
        let sizes = self.endpoint.sizes();
        assert!(sizes.is_idle(), "{sizes:?}");
        self.sent.clear();
    }

    /// Brings a call up; its dialog, the INVITE and our 200.
    pub(super) fn call(&mut self) -> (crate::sip::core::DialogId, Request, Sent) {
        let invite = Request::invite("c1");
        self.trunk(invite.text());
        assert_eq!(self.statuses(), [100]);
        let dialog = self.incoming().dialog;
        self.command(Command::Answer { dialog, sdp: Bytes::from_static(b"answer") });
        let ok = self.next();
        assert_eq!(ok.status(), 200);
        self.trunk(invite.ack(&ok).text());
        assert!(matches!(self.event(), Event::Confirmed { .. }));
        self.nothing_sent();
        (dialog, invite, ok)
    }
}

/// A request of the other side.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) uri: String,
    pub(super) via: String,
    pub(super) branch: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) extra: Vec<String>,
    pub(super) body: String,
}

impl Request {
    pub(super) fn new(method: &str, call_id: &str, cseq: u32) -> Self {
        Self {
            method: method.to_owned(),
            uri: "sip:100@10.0.0.1".to_owned(),
            via: format!("SIP/2.0/UDP {TRUNK}"),
            branch: format!("z9hG4bK{call_id}{method}{cseq}"),
            from: "<sip:+4930123@10.0.0.2>;tag=them".to_owned(),
            to: "<sip:100@10.0.0.1>".to_owned(),
            call_id: call_id.to_owned(),
            cseq,
            extra: Vec::new(),
            body: String::new(),
        }
    }

    pub(super) fn invite(call_id: &str) -> Self {
        Self::new("INVITE", call_id, 1).with("Contact: <sip:them@10.0.0.2:5060>").sdp()
    }

    pub(super) fn with(mut self, header: &str) -> Self {
        self.extra.push(header.to_owned());
        self
    }

    pub(super) fn sdp(self) -> Self {
        let mut new = self.with("Content-Type: application/sdp");
        new.body = SDP.to_owned();
        new
    }

    /// A request of the dialog that `ok` made.
    pub(super) fn within(&self, ok: &Sent, method: &str, cseq: u32) -> Self {
        let mut new = Self::new(method, &self.call_id, cseq);
        new.to = ok.header("To").to_owned();
        new.from.clone_from(&self.from);
        new
    }

    pub(super) fn ack(&self, ok: &Sent) -> Self {
        self.within(ok, "ACK", self.cseq)
    }

    pub(super) fn reinvite(&self, ok: &Sent, cseq: u32) -> Self {
        self.within(ok, "INVITE", cseq).with("Contact: <sip:them@10.0.0.2:5060>").sdp()
    }

    /// The CANCEL of this INVITE.
    pub(super) fn cancel(&self) -> Self {
        let mut new = Self { method: "CANCEL".to_owned(), body: String::new(), ..self.clone() };
        new.extra.clear();
        new
    }

    pub(super) fn text(&self) -> String {
        let Self { method, uri, via, branch, from, to, call_id, cseq, extra, body } = self;
        let extra: String = extra.iter().map(|line| format!("{line}\r\n")).collect();
        format!(
            "{method} {uri} SIP/2.0\r\nVia: {via};branch={branch}\r\nMax-Forwards: 70\r\nFrom: {from}\r\n\
             To: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// A response of the other side to a request of ours.
pub(super) fn reply(request: &Sent, status: u16, tag: &str, extra: &str, body: &str) -> String {
    let vias: String = request.headers("Via").map(|via| format!("Via: {via}\r\n")).collect();
    let to = request.header("To");
    let to = if to.contains(";tag=") || tag.is_empty() { to.to_owned() } else { format!("{to};tag={tag}") };
    format!(
        "SIP/2.0 {status} X\r\n{vias}From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        request.header("From"),
        request.header("Call-ID"),
        request.header("CSeq"),
        body.len()
    )
}
