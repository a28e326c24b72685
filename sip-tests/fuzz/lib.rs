//! What the SIP targets share: an endpoint with a trunk and an agent, a user who answers whatever comes, and
//! a script of messages cut out of the fuzzer's octets.
//!
//! The fuzzer cannot guess tags and branches, so three octets stand for them: `\x01` is replaced by the
//! branch of the last message we sent, `\x02` by our last tag, `\x03` by its Call-ID. `\x04` ends a message
//! and lets a second pass, `\x05` ends one and lets 33 s pass.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sayso::call::Cause;
use sayso::ids::{AgentId, Redacted, TrunkId};
use sayso::settings::{Agent, Phone, Settings, Trunk, ha1};
use sayso::sip::core::{
    Callee, Command, DialogId, Endpoint, EndpointConfig, Event, Flow, Output, ReferTo, Transport,
};
use sayso::time::Timestamp;

const REALM: &str = "sayso.test";
const US: &str = "10.0.0.1:5060";
/// The trunk, and where the agent's phone is.
const PEER: &str = "10.0.0.2:5060";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
                   m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
/// A quiet endpoint has run all its timers after this many.
const PATIENCE: u32 = 100_000;

/// An endpoint and its user.
pub struct Bench {
    endpoint: Endpoint,
    now: Timestamp,
    dialogs: Vec<DialogId>,
    branch: Vec<u8>,
    tag: Vec<u8>,
    call_id: Vec<u8>,
}

impl Bench {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        let mut settings = Settings::default();
        let trunk = Trunk { networks: vec!["10.0.0.2/32".parse().unwrap()], ..Trunk::default() };
        settings.trunks.insert(TrunkId::from("pstn"), Arc::new(trunk));
        let credentials = ha1("ada", REALM, "secret");
        let (display_name, queues, phone) = (Redacted("Ada".to_owned()), Vec::new(), Phone::default());
        let ada = Agent { display_name, credentials: Some(credentials), queues, skills: Vec::new(), phone };
        settings.agents.insert(AgentId::from("ada"), Arc::new(ada));
        let at = US.parse().unwrap();
        let contacts = vec![(Transport::Udp, at), (Transport::Tcp, at)];
        let config = EndpointConfig { realm: REALM.to_owned(), contacts, ..EndpointConfig::default() };
        let empty = Vec::new;
        Self {
            endpoint: Endpoint::new(config, [7; 32], Arc::new(settings)),
            now: Timestamp::from_micros(1_000_000_000_000_000),
            dialogs: Vec::new(),
            branch: empty(),
            tag: empty(),
            call_id: empty(),
        }
    }

    /// The way messages come by.
    pub fn flow(transport: Transport) -> Flow {
        let connection = u64::from(!transport.is_datagram());
        Flow { transport, local: US.parse().unwrap(), remote: PEER.parse().unwrap(), connection }
    }

    /// A connection comes.
    pub fn connect(&mut self) {
        self.endpoint.connected(Self::flow(Transport::Tcp), self.now);
        self.drain();
    }

    /// Octets come.
    pub fn receive(&mut self, transport: Transport, octets: &[u8]) {
        self.endpoint.receive(Self::flow(transport), Bytes::copy_from_slice(octets), self.now);
        self.drain();
    }

    /// An INVITE of ours, so that responses have something to answer.
    pub fn call(&mut self) {
        let dialog = DialogId(1 << 63 | self.dialogs.len() as u64);
        let to = Callee::Uri {
            uri: "sip:x@10.0.0.2".to_owned(),
            remote: PEER.parse().unwrap(),
            transport: Transport::Udp,
            login: None,
        };
        let (from, sdp) = ("+4930123".to_owned(), Bytes::from_static(SDP.as_bytes()));
        self.dialogs.push(dialog);
        self.endpoint.command(Command::Invite { dialog, to, from, sdp, particulars: Box::default() }, self.now);
        self.drain();
    }

    /// Plays the fuzzer's script as datagrams.
    pub fn play(&mut self, script: &[u8]) {
        let mut message = Vec::new();
        for octet in script {
            match octet {
                1 => message.extend_from_slice(&self.branch),
                2 => message.extend_from_slice(&self.tag),
                3 => message.extend_from_slice(&self.call_id),
                4 | 5 => {
                    self.receive(Transport::Udp, &std::mem::take(&mut message));
                    self.pass(Duration::from_secs(if *octet == 4 { 1 } else { 33 }));
                }
                6 => self.call(),
                _ => message.push(*octet),
            }
        }
        self.receive(Transport::Udp, &message);
    }

    /// Hangs all up and lets all timers run: then nothing may be left.
    pub fn end(mut self) {
        for dialog in std::mem::take(&mut self.dialogs) {
            self.endpoint.command(Command::Hangup { dialog, cause: Cause::HungUp }, self.now);
        }
        self.drain();
        self.pass(Duration::from_secs(400));
        let sizes = self.endpoint.sizes();
        assert!(sizes.dialogs == 0, "dialogs are left: {sizes:?}");
        assert!(sizes.client_transactions == 0 && sizes.server_transactions == 0, "{sizes:?}");
    }

    /// Time passes; timers run when they are due.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..PATIENCE {
            match self.endpoint.poll_timeout().filter(|at| *at <= end) {
                Some(at) => {
                    self.now = self.now.max(at);
                    self.endpoint.handle_timeout(self.now);
                    self.drain();
                }
                None => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("timers without end");
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Send { bytes, .. } => self.remember(&bytes),
                Output::Close(flow) => self.endpoint.closed(flow, self.now),
                Output::Resolve(query, _) => {
                    let found = vec![(Transport::Udp, PEER.parse().unwrap())];
                    self.endpoint.resolved(query, found, self.now);
                }
                Output::Event(event) => self.answer(event),
            }
        }
    }

    /// A user who takes everything that is asked.
    fn answer(&mut self, event: Event) {
        let sdp = Bytes::from_static(SDP.as_bytes());
        let command = match event {
            Event::Incoming(incoming) => {
                self.dialogs.push(incoming.dialog);
                let dialog = incoming.dialog;
                let early = Some(sdp.clone()).filter(|_| dialog.0 % 3 == 0);
                self.endpoint.command(Command::Ring { dialog, sdp: early }, self.now);
                if dialog.0 % 4 == 3 {
                    return; // left ringing
                }
                Command::Answer { dialog, sdp }
            }
            Event::Reinvite { dialog, .. } => Command::AcceptReinvite { dialog, sdp },
            Event::Refresh { dialog } => Command::Reinvite { dialog, sdp },
            Event::Refer { dialog, to, .. } => {
                self.endpoint.command(Command::AnswerRefer { dialog, status: 202 }, self.now);
                let status = if matches!(to, ReferTo::User(_)) { 180 } else { 200 };
                Command::Notify { dialog, status }
            }
            Event::Confirmed { dialog, .. } => Command::Reinvite { dialog, sdp },
            _ => return,
        };
        self.endpoint.command(command, self.now);
    }

    fn remember(&mut self, message: &[u8]) {
        let text = String::from_utf8_lossy(message);
        let ours = if text.starts_with("SIP/2.0") { "to:" } else { "from:" };
        for line in text.lines().take_while(|line| !line.is_empty()) {
            let lower = line.to_ascii_lowercase();
            let after = |mark: &str| {
                let at = lower.find(mark)? + mark.len();
                line[at..].split([';', ',', '>']).next().map(|value| value.trim().as_bytes().to_vec())
            };
            if lower.starts_with("via:") {
                self.branch = after("branch=").unwrap_or_default();
            } else if lower.starts_with(ours) {
                self.tag = after("tag=").unwrap_or_default();
            } else if lower.starts_with("call-id:") {
                self.call_id = after("call-id:").unwrap_or_default();
            }
        }
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}
