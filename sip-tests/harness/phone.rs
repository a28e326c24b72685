//! A scripted SIP phone over UDP: every step is the test's. It does nothing by itself, so a test can
//! hang up, go silent or misbehave exactly where it wants to.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::rtp::{self, Stream};
use super::sip::{Ids, Message, audio_of, authorize, sdp};

/// How long a phone waits for what must come.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// A phone, with at most one call.
pub(crate) struct Phone {
    pub(super) socket: UdpSocket,
    pub(crate) rtp: UdpSocket,
    pub(super) server: SocketAddr,
    pub(super) user: String,
    pub(super) tag: String,
    pub(super) ids: Ids,
    /// Where requests within the dialog go.
    pub(super) target: String,
    /// The last INVITE sent or received.
    pub(crate) invite: Option<Message>,
    pub(super) sdp_version: u32,
    /// Where the server wants our audio.
    pub(crate) audio: Option<SocketAddr>,
    /// What it speaks instead of G.711: payload type and `a=rtpmap`.
    codec: Option<(u8, &'static str)>,
}

impl Phone {
    /// A phone of `user` on a port of the system's choosing at `ip`.
    pub(crate) fn new(server: SocketAddr, ip: impl Into<IpAddr>, user: &str) -> Self {
        let ip = ip.into();
        Self::on(server, (ip, 0).into(), user)
    }

    /// A phone on this address.
    pub(crate) fn on(server: SocketAddr, local: SocketAddr, user: &str) -> Self {
        let socket = UdpSocket::bind(local).unwrap_or_else(|e| panic!("{local}: {e}"));
        Self {
            rtp: rtp::socket(local.ip()),
            socket,
            server,
            user: user.to_owned(),
            tag: unique("t"),
            ids: Ids::default(),
            target: String::new(),
            invite: None,
            sdp_version: 1,
            audio: None,
            codec: None,
        }
    }

    /// Speaks only this codec from its next call on: the payload type, and its name as in `a=rtpmap`.
    pub(crate) fn speak(&mut self, payload_type: u8, name: &'static str) {
        self.codec = Some((payload_type, name));
    }

    /// Sends its own requests to this server: known only after the phone's own address was.
    pub(crate) fn serve(&mut self, server: SocketAddr) {
        self.server = server;
    }

    /// Its SIP address.
    pub(crate) fn local(&self) -> SocketAddr {
        self.socket.local_addr().expect("it is bound")
    }

    /// Registers with digest for an hour (or, with 0, logs off) and asserts the 200.
    pub(crate) fn register(&mut self, password: &str, expires: u32) {
        let status = self.try_register(password, expires);
        assert_eq!(status, 200, "REGISTER of {}", self.user);
    }

    /// Registers; the final status.
    pub(crate) fn try_register(&mut self, password: &str, expires: u32) -> u16 {
        let uri = format!("sip:{}", self.server);
        let aor = format!("<sip:{}@{}>", self.user, self.server);
        self.ids = Ids { from: format!("{aor};tag={}", self.tag), to: aor, call_id: unique("reg"), cseq: 1 };
        let local = self.local();
        let request = |phone: &Self| {
            Message::request("REGISTER", &uri, &phone.via(), &phone.ids)
                .with("Contact", &format!("<sip:{}@{local}>", phone.user))
                .with("Expires", &expires.to_string())
        };
        self.send(&request(self));
        let challenge = self.response("REGISTER");
        if challenge.status() != Some(401) {
            return challenge.status().unwrap_or(0);
        }
        let answer =
            authorize(&challenge, (&self.user, password), ("REGISTER", &uri)).expect("a known digest");
        self.ids.cseq += 1;
        self.send(&request(self).with("Authorization", &answer));
        self.response("REGISTER").status().unwrap_or(0)
    }

    /// The next REGISTER of a row, for an hour; with these credentials, if any.
    pub(crate) fn registration(&mut self, credentials: Option<&str>) -> Message {
        let aor = format!("<sip:{}@{}>", self.user, self.server);
        if self.ids.to != aor {
            self.ids =
                Ids { from: format!("{aor};tag={}", self.tag), to: aor, call_id: unique("reg"), cseq: 0 };
        }
        self.ids.cseq += 1;
        let request = Message::request("REGISTER", &format!("sip:{}", self.server), &self.via(), &self.ids)
            .with("Contact", &format!("<sip:{}@{}>", self.user, self.local()))
            .with("Expires", "3600");
        match credentials {
            Some(credentials) => request.with("Authorization", credentials),
            None => request,
        }
    }

    /// Credentials for a challenge to [`Self::registration`].
    pub(crate) fn credentials(&self, challenge: &Message, password: &str) -> String {
        let uri = format!("sip:{}", self.server);
        authorize(challenge, (&self.user, password), ("REGISTER", &uri)).expect("a known digest")
    }

    /// Sends an INVITE to `number` with an A-law offer.
    pub(crate) fn call(&mut self, number: &str) {
        let uri = format!("sip:{number}@{}", self.server);
        self.ids = Ids {
            // The port keeps an IPv6 address in its brackets.
            from: format!("<sip:{}@{}>;tag={}", self.user, self.local(), self.tag),
            to: format!("<{uri}>"),
            call_id: unique("call"),
            cseq: 1,
        };
        self.target = uri;
        let offer = self.sdp("sendrecv");
        let invite = self.request("INVITE").with_body("application/sdp", &offer);
        self.send(&invite);
        self.invite = Some(invite);
    }

    /// Sends an INVITE to `number` that says it is from `from` (without its tag), with more header fields.
    pub(crate) fn call_from(&mut self, number: &str, from: &str, more: &[(&str, &str)]) {
        let uri = format!("sip:{number}@{}", self.server);
        let from = format!("{from};tag={}", self.tag);
        self.ids = Ids { from, to: format!("<{uri}>"), call_id: unique("call"), cseq: 1 };
        self.target = uri;
        let mut invite = self.request("INVITE");
        for (name, value) in more {
            invite = invite.with(name, value);
        }
        let invite = invite.with_body("application/sdp", &self.sdp("sendrecv"));
        self.send(&invite);
        self.invite = Some(invite);
    }

    /// Sends an INVITE to `number` and answers the challenge it meets.
    pub(crate) fn call_as(&mut self, number: &str, password: &str) {
        self.call_with(number, password, &[]);
    }

    /// The same, with more header fields.
    pub(crate) fn call_with(&mut self, number: &str, password: &str, more: &[(&str, &str)]) {
        self.call(number);
        let challenge = self.response("INVITE");
        assert_eq!(challenge.status(), Some(401), "INVITE {number}");
        self.refused(&challenge);
        let uri = self.target.clone();
        let answer = authorize(&challenge, (&self.user, password), ("INVITE", &uri)).expect("a known digest");
        self.ids.cseq += 1;
        let mut invite = self.request("INVITE").with("Authorization", &answer);
        for (name, value) in more {
            invite = invite.with(name, value);
        }
        let offer = self.sdp("sendrecv");
        let invite = invite.with_body("application/sdp", &offer);
        self.send(&invite);
        self.invite = Some(invite);
    }

    /// Sends an INVITE that would take a dialog's place.
    pub(crate) fn call_replacing(&mut self, number: &str, replaces: &str) {
        let uri = format!("sip:{number}@{}", self.server);
        self.ids = Ids {
            from: format!("<sip:{}@{}>;tag={}", self.user, self.local().ip(), self.tag),
            to: format!("<{uri}>"),
            call_id: unique("call"),
            cseq: 1,
        };
        self.target = uri;
        let offer = self.sdp("sendrecv");
        let invite = self.request("INVITE").with("Replaces", replaces).with_body("application/sdp", &offer);
        self.send(&invite);
        self.invite = Some(invite);
    }

    /// Accepts a re-INVITE or UPDATE with our description.
    pub(crate) fn accept(&mut self, request: &Message) {
        let contact = format!("<sip:{}@{}>", self.user, self.local());
        self.sdp_version += 1;
        let body = self.sdp("sendrecv");
        let ok = request.response(200, "OK", &self.tag).with("Contact", &contact);
        self.send(&ok.with_body("application/sdp", &body));
    }

    /// Takes a REFER (202) and tells at once how it ended.
    pub(crate) fn answer_refer(&mut self, refer: &Message, status: u16) {
        self.send(&refer.response(202, "Accepted", &self.tag));
        self.ids.cseq += 1;
        let notify = self
            .request("NOTIFY")
            .with("Event", "refer")
            .with("Subscription-State", "terminated;reason=noresource")
            .with_body("message/sipfrag;version=2.0", &format!("SIP/2.0 {status} Whatever\r\n"));
        self.send(&notify);
        assert_eq!(self.response("NOTIFY").status(), Some(200), "NOTIFY");
    }

    /// This dialog as a Replaces header names it to the server (RFC 3891 §3).
    pub(crate) fn replaces(&self) -> String {
        let tag = |field: &str| field.split_once(";tag=").expect("a tag").1.to_owned();
        format!("{};to-tag={};from-tag={}", self.ids.call_id, tag(&self.ids.to), tag(&self.ids.from))
    }

    /// Sends a REFER to this URI; the final status.
    pub(crate) fn refer(&mut self, to: &str) -> Option<u16> {
        self.ids.cseq += 1;
        let refer = self.request("REFER").with("Refer-To", &format!("<{to}>"));
        let refer = refer.with("Referred-By", &format!("<sip:{}@example.org>", self.user));
        self.send(&refer);
        self.response("REFER").status()
    }

    /// Waits for the NOTIFY that tells a final status of our REFER; all that were told.
    pub(crate) fn notified(&mut self, deadline: Duration) -> Vec<u16> {
        let mut told = Vec::new();
        loop {
            let notify = self.take("NOTIFY", deadline);
            let body = String::from_utf8_lossy(&notify.body).into_owned();
            let status = body.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok());
            told.push(status.unwrap_or_else(|| panic!("a sipfrag: {body:?}")));
            if told.last().is_some_and(|status| *status >= 200) {
                return told;
            }
        }
    }

    /// Calls `number` and waits for the 200, which it acknowledges.
    pub(crate) fn call_answered(&mut self, number: &str) {
        self.call(number);
        let answer = self.response("INVITE");
        assert_eq!(answer.status(), Some(200), "INVITE {number}");
        self.answered(&answer);
    }

    /// Takes in a 2xx to our INVITE and acknowledges it.
    pub(crate) fn answered(&mut self, answer: &Message) {
        self.answered_without_ack(answer);
        let ack = self.request("ACK");
        self.send(&ack);
    }

    /// Takes in where early media comes from.
    pub(crate) fn hear_early(&mut self, early: &Message) {
        self.audio = audio_of(&early.body).map(|(rtp, _)| rtp);
    }

    /// Takes in a 2xx to our INVITE.
    pub(crate) fn answered_without_ack(&mut self, answer: &Message) {
        self.ids.to = answer.get("To").expect("a To field").to_owned();
        assert!(self.ids.to.contains(";tag="), "a 200 has a To-tag");
        self.target = answer.uri_of("Contact").expect("a 200 has a Contact").to_owned();
        self.audio = audio_of(&answer.body).map(|(rtp, _)| rtp);
    }

    /// Acknowledges a refusal of our INVITE (same branch, RFC 3261 §17.1.1.3).
    pub(crate) fn refused(&mut self, answer: &Message) {
        let invite = self.invite.as_ref().expect("an INVITE was sent");
        let mut ids = self.ids.clone();
        ids.to = answer.get("To").expect("a To field").to_owned();
        let uri = invite.start.split(' ').nth(1).expect("a request line").to_owned();
        let ack = Message::request("ACK", &uri, invite.get("Via").expect("a Via"), &ids);
        self.send(&ack);
    }

    /// Cancels our INVITE.
    pub(crate) fn cancel(&mut self) {
        let invite = self.invite.as_ref().expect("an INVITE was sent");
        let uri = invite.start.split(' ').nth(1).expect("a request line").to_owned();
        let cancel = Message::request("CANCEL", &uri, invite.get("Via").expect("a Via"), &self.ids);
        self.send(&cancel);
    }

    /// Sends a BYE and waits for its 200.
    pub(crate) fn bye(&mut self) {
        self.ids.cseq += 1;
        let bye = self.request("BYE");
        self.send(&bye);
        assert_eq!(self.response("BYE").status(), Some(200), "BYE");
    }

    /// Presses a key by INFO and asserts the 200.
    pub(crate) fn press_info(&mut self, key: char) {
        self.ids.cseq += 1;
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        let info = self.request("INFO").with_body("application/dtmf-relay", &body);
        self.send(&info);
        assert_eq!(self.response("INFO").status(), Some(200), "INFO");
    }

    /// Sends a re-INVITE with this direction; the final answer, acknowledged. A 491 is the caller's to see.
    pub(crate) fn reinvite(&mut self, direction: &str) -> Message {
        self.ids.cseq += 1;
        self.sdp_version += 1;
        let offer = self.sdp(direction);
        let invite = self.request("INVITE").with_body("application/sdp", &offer);
        self.send(&invite);
        self.invite = Some(invite);
        let answer = self.response("INVITE");
        if answer.status().is_some_and(|status| status < 300) {
            self.answered(&answer);
        } else {
            self.refused(&answer);
        }
        answer
    }

    /// Waits for an INVITE from the server and keeps it.
    pub(crate) fn rung_within(&mut self, deadline: Duration) -> Message {
        let invite = self.wait(deadline, "an INVITE", |m| m.method() == Some("INVITE"));
        self.audio = audio_of(&invite.body).map(|(rtp, _)| rtp);
        self.invite = Some(invite.clone());
        invite
    }

    /// Answers the INVITE with a provisional or final status without SDP.
    pub(crate) fn reply(&mut self, status: u16, reason: &str) {
        let invite = self.invite.clone().expect("it was rung");
        let contact = format!("<sip:{}@{}>", self.user, self.local());
        self.send(&invite.response(status, reason, &self.tag).with("Contact", &contact));
    }

    /// 183 with SDP: early media.
    pub(crate) fn early(&mut self) {
        let invite = self.invite.clone().expect("it was rung");
        let contact = format!("<sip:{}@{}>", self.user, self.local());
        let body = self.sdp("sendrecv");
        let early = invite.response(183, "Session Progress", &self.tag).with("Contact", &contact);
        self.send(&early.with_body("application/sdp", &body));
    }

    /// Picks up: 200 with SDP, and waits for the ACK.
    pub(crate) fn pick_up(&mut self) {
        self.pick_up_with(&[]);
    }

    /// The same, with more header fields.
    pub(crate) fn pick_up_with(&mut self, more: &[(&str, &str)]) {
        let invite = self.invite.clone().expect("it was rung");
        let contact = format!("<sip:{}@{}>", self.user, self.local());
        let body = self.sdp("sendrecv");
        let mut ok = invite.response(200, "OK", &self.tag).with("Contact", &contact);
        for (name, value) in more {
            ok = ok.with(name, value);
        }
        self.send(&ok.with_body("application/sdp", &body));
        // Requests of our own in this dialog: From and To swap, the target is the server's Contact.
        self.ids = Ids {
            from: format!("{};tag={}", invite.get("To").expect("a To field"), self.tag),
            to: invite.get("From").expect("a From field").to_owned(),
            call_id: invite.get("Call-ID").expect("a Call-ID").to_owned(),
            cseq: 100,
        };
        self.target = invite.uri_of("Contact").expect("an INVITE has a Contact").to_owned();
        self.wait(SOON, "an ACK", |m| m.method() == Some("ACK"));
    }

    /// Waits for a request of this method in the dialog and answers 200.
    pub(crate) fn take(&mut self, method: &str, deadline: Duration) -> Message {
        let request = self.wait(deadline, method, |m| m.method() == Some(method));
        self.send(&request.response(200, "OK", &self.tag));
        request
    }

    /// Starts to talk and listen.
    pub(crate) fn talk(&self, clip: Arc<Vec<i16>>) -> Stream {
        Stream::start(&self.rtp, self.audio.expect("the server's SDP named a place for audio"), clip)
    }

    /// Waits for the final response to our request of this method.
    pub(crate) fn response(&mut self, method: &str) -> Message {
        self.wait(SOON, &format!("a final response to {method}"), |m| {
            m.status().is_some_and(|s| s >= 200) && m.cseq().is_some_and(|(_, of)| of == method)
        })
    }

    /// Waits for a message that fits; others are passed over.
    pub(crate) fn wait(
        &mut self,
        deadline: Duration,
        what: &str,
        fits: impl Fn(&Message) -> bool,
    ) -> Message {
        let end = Instant::now() + deadline;
        let mut passed = Vec::new();
        loop {
            let Some(message) = self.receive(end) else {
                panic!("{}: {what} did not come within {deadline:?}; passed over: {passed:?}", self.user)
            };
            if fits(&message) {
                return message;
            }
            passed.push(message.start);
        }
    }

    /// The next message, or `None` at the deadline.
    pub(crate) fn receive(&self, end: Instant) -> Option<Message> {
        let mut buffer = [0u8; 65_536];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.set_read_timeout(Some(left)).expect("a timeout can be set");
            let Ok((length, _)) = self.socket.recv_from(&mut buffer) else { continue };
            if let Some(message) = Message::parse(&buffer[..length]) {
                return Some(message);
            }
        }
    }

    /// Sends a message to the server.
    pub(crate) fn send(&self, message: &Message) {
        self.socket.send_to(&message.bytes(), self.server).expect("loopback takes it");
    }

    /// A request in the current dialog.
    pub(crate) fn request(&self, method: &str) -> Message {
        let contact = format!("<sip:{}@{}>", self.user, self.local());
        Message::request(method, &self.target, &self.via(), &self.ids).with("Contact", &contact)
    }

    fn via(&self) -> String {
        format!("SIP/2.0/UDP {};rport;branch={}", self.local(), unique("z9hG4bK"))
    }

    pub(super) fn sdp(&self, direction: &str) -> String {
        let rtp = self.rtp.local_addr().expect("it is bound");
        let Some((number, name)) = self.codec else { return sdp(rtp, &[8, 0], direction, self.sdp_version) };
        let text = sdp(rtp, &[number], direction, self.sdp_version);
        format!("{text}a=rtpmap:{number} {name}\r\n")
    }
}

/// Registers `agent` for a client that will be at `local` (an hour, with SHA-256 or MD5), whatever
/// digest that client knows itself.
pub(crate) fn register_for(server: SocketAddr, local: SocketAddr, agent: &str) {
    Phone::on(server, local, agent).register(&super::server::password(agent), 3600);
}

/// A name that no other test of this process has.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{prefix}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The scripted phones by themselves, one as the other's server: call, keys both ways, hold, end.
#[test]
fn two_phones_talk() {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let mut callee = Phone::new(nowhere, [127, 0, 0, 1], "callee");
    let mut caller = Phone::new(callee.local(), [127, 0, 0, 1], "caller");
    callee.server = caller.local();
    let tone: Arc<Vec<i16>> =
        Arc::new((0..16_000).map(|n| if n / 8 % 2 == 0 { 4000 } else { -4000 }).collect());
    std::thread::scope(|scope| {
        let callee = &mut callee;
        let tone_there = tone.clone();
        let there = scope.spawn(move || {
            callee.rung_within(SOON);
            callee.reply(180, "Ringing");
            callee.pick_up();
            let line = callee.talk(tone_there);
            callee.take("INFO", SOON);
            callee.rung_within(SOON);
            callee.pick_up();
            callee.take("BYE", SOON);
            line.finish()
        });
        caller.call_answered("callee");
        let line = caller.talk(tone);
        line.press(5);
        super::until(SOON, "a second of talk", || line.log(|log| (log.heard.len() > 8000).then_some(())));
        caller.press_info('1');
        assert_eq!(caller.reinvite("sendonly").status(), Some(200));
        caller.bye();
        let (here, there) = (line.finish(), there.join().expect("the callee's script"));
        assert_eq!(there.digits, [5]);
        assert!(there.heard.len() > 6000 && here.heard.len() > 8000);
        assert!(here.packets.windows(2).all(|p| p[1].1 == p[0].1.wrapping_add(1)), "no packet is missing");
    });
}
