//! A call through the SIP endpoint, as a carrier sends it: INVITE with an offer, 100, 200, ACK, BYE, 200.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sayso::call::Cause;
use sayso::ids::TrunkId;
use sayso::settings::{Settings, Trunk};
use sayso::sip::core::sdp::{self, Local, Terms};
use sayso::sip::core::{Command, DialogId, Endpoint, EndpointConfig, Event, Flow, Output, Transport};
use sayso::time::Timestamp;

use super::START;

/// A carrier's offer.
pub(crate) const OFFER: &str = "v=0\r\no=carrier 8128471 8128471 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n\
    m=audio 31444 RTP/AVP 8 0 9 18 101 13\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\n\
    a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
    a=rtpmap:13 CN/8000\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n";

/// Calls come so often.
const EVERY: Duration = Duration::from_millis(100);

/// Our side of the sessions.
pub(crate) fn local() -> Local {
    let at = |port| SocketAddr::from(([10, 0, 0, 1], port));
    Local { rtp: at(20_000), rtcp: at(20_001), session_id: 7, version: 1, rtc: None }
}

/// An endpoint with a trunk, in virtual time.
pub(crate) struct Scene {
    endpoint: Endpoint,
    flow: Flow,
    now: Timestamp,
    calls: u64,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let us = SocketAddr::from(([10, 0, 0, 1], 5060));
        let networks = vec!["10.0.0.2/32".parse().expect("a network")];
        let mut settings = Settings::default();
        settings.trunks.insert(TrunkId::from("carrier"), Arc::new(Trunk { networks, ..Trunk::default() }));
        let contacts = vec![(Transport::Udp, us)];
        let config = EndpointConfig { contacts, ..EndpointConfig::default() };
        let remote = SocketAddr::from(([10, 0, 0, 2], 5060));
        Self {
            endpoint: Endpoint::new(config, [7; 32], Arc::new(settings)),
            flow: Flow { transport: Transport::Udp, local: us, remote, connection: 0 },
            now: START,
            calls: 0,
        }
    }

    /// One call from its INVITE to its end; the statuses that were sent.
    pub(crate) fn call(&mut self) -> Vec<u16> {
        self.now = self.now + EVERY;
        self.calls += 1;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= self.now) {
            self.endpoint.handle_timeout(at);
        }
        let mut sent = Sent::default();
        self.receive(request("INVITE", self.calls, None), &mut sent);
        let dialog = sent.incoming.expect("the trunk is known");
        let (answer, _) =
            sdp::answer(OFFER.as_bytes(), &local(), &Terms::default()).expect("G.711 is offered");
        self.endpoint.command(Command::Answer { dialog, sdp: answer }, self.now);
        self.drain(&mut sent);
        let to = sent.to.clone().expect("a 200 was sent");
        self.receive(request("ACK", self.calls, Some(&to)), &mut sent);
        self.receive(request("BYE", self.calls, Some(&to)), &mut sent);
        assert_eq!((sent.confirmed, sent.ended), (1, 1), "the endpoint told of ACK and BYE");
        sent.statuses
    }

    /// Whether no dialog and no transaction is left a minute later.
    pub(crate) fn ends_idle(mut self) -> bool {
        let end = self.now + Duration::from_secs(60);
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.endpoint.handle_timeout(at);
        }
        self.endpoint.sizes().is_idle()
    }

    fn receive(&mut self, bytes: Bytes, sent: &mut Sent) {
        self.endpoint.receive(self.flow, bytes, self.now);
        self.drain(sent);
    }

    fn drain(&mut self, sent: &mut Sent) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Send { bytes, .. } => sent.message(&bytes),
                Output::Event(Event::Incoming(incoming)) => sent.incoming = Some(incoming.dialog),
                Output::Event(Event::Confirmed { .. }) => sent.confirmed += 1,
                Output::Event(Event::Ended { cause, .. }) => {
                    sent.ended += u32::from(cause == Cause::HungUp);
                }
                Output::Event(_) | Output::Close(_) | Output::Resolve(..) => {}
            }
        }
    }
}

/// What the endpoint said.
#[derive(Default)]
struct Sent {
    statuses: Vec<u16>,
    to: Option<String>,
    incoming: Option<DialogId>,
    confirmed: u32,
    ended: u32,
}

impl Sent {
    fn message(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).expect("SIP is text");
        let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok());
        self.statuses.extend(status);
        if status == Some(200) && self.to.is_none() {
            self.to = text.lines().find_map(|line| line.strip_prefix("To: ")).map(str::to_owned);
        }
    }
}

/// A request of call `n`, as a carrier's border sends it.
pub(crate) fn request(method: &str, n: u64, to: Option<&str>) -> Bytes {
    let cseq = if method == "BYE" { 2 } else { 1 };
    let to = to.unwrap_or("<sip:+4930100@10.0.0.1;user=phone>");
    let (kind, body) =
        if method == "INVITE" { ("Content-Type: application/sdp\r\n", OFFER) } else { ("", "") };
    format!(
        "{method} sip:+4930100@10.0.0.1:5060;transport=udp SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{n:08x}{method};rport\r\n\
         Max-Forwards: 68\r\n\
         From: \"Caller\" <sip:+4930555{:06}@10.0.0.2;user=phone>;tag=c{n:08x}\r\n\
         To: {to}\r\nCall-ID: {n:032x}@10.0.0.2\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:sbc@10.0.0.2:5060;transport=udp>\r\n\
         P-Asserted-Identity: <sip:+4930555{:06}@carrier.example;user=phone>\r\n\
         Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK, INFO\r\nSupported: 100rel, timer, replaces\r\n\
         Session-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\nUser-Agent: Border 9.3\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        n % 1_000_000,
        n % 1_000_000,
        body.len(),
    )
    .into()
}
