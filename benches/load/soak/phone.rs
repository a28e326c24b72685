//! A phone of the soak: one call at a time, audio every 20 ms while it is up, and manners: it answers what
//! it is asked even when nobody scripted it. Nothing blocks; [`Phone::turn`] is called every 20 ms.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::rtp::Talker;
use crate::sip::{Ids, Message, audio_of, authorize, sdp};

/// A request without an answer goes out again after this.
const T1: Duration = Duration::from_millis(500);

/// What a phone does when it is rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Rings, then picks up.
    PicksUp,
    /// Rings until the caller tires.
    Rings,
    /// Is busy.
    Busy,
}

/// Where its call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    Idle,
    /// Our INVITE has no final answer, or theirs has none of ours.
    Early,
    Up,
}

pub(crate) struct Phone {
    server: SocketAddr,
    user: String,
    sip: UdpSocket,
    rtp: UdpSocket,
    pub(crate) manner: Manner,
    pub(crate) stand: Stand,
    ids: Ids,
    target: String,
    audio: Option<SocketAddr>,
    talker: Talker,
    /// Calls so far: each has an SSRC of its own.
    calls: u32,
    /// Whether it sends audio and answers at all.
    pub(crate) alive: bool,
    /// Our last request until it has a final answer; when it was sent.
    asked: Option<(Message, Instant)>,
    /// The INVITE we were rung by, and our final answer to it.
    rung: Option<(Message, Message)>,
    ack: Option<Message>,
    /// Statuses of final answers to our requests, with their methods, since last looked at.
    pub(crate) answers: Vec<(String, u16)>,
    /// Final statuses told by NOTIFY.
    pub(crate) told: Vec<u16>,
    /// Packets heard in this call.
    pub(crate) heard: u32,
}

/// A word that is used once in this run.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{prefix}{}x{}", std::process::id(), NEXT.fetch_add(1, Relaxed))
}

impl Phone {
    pub(crate) fn new(server: SocketAddr, ip: IpAddr, user: &str) -> io::Result<Self> {
        let open = || {
            let socket = UdpSocket::bind((ip, 0))?;
            socket.set_nonblocking(true)?;
            Ok::<_, io::Error>(socket)
        };
        Ok(Self {
            server,
            user: user.to_owned(),
            sip: open()?,
            rtp: open()?,
            manner: Manner::PicksUp,
            stand: Stand::Idle,
            ids: Ids::default(),
            target: String::new(),
            audio: None,
            talker: Talker::default(),
            calls: 0,
            alive: true,
            asked: None,
            rung: None,
            ack: None,
            answers: Vec::new(),
            told: Vec::new(),
            heard: 0,
        })
    }

    /// Sends a REGISTER, with a password once it was challenged.
    pub(crate) fn register(&mut self, challenge: Option<&Message>) {
        let uri = format!("sip:{}", self.server);
        let aor = format!("<sip:{}@{}>", self.user, self.server);
        let cseq = if challenge.is_some() { 2 } else { 1 };
        if challenge.is_none() {
            self.ids = Ids { from: format!("{aor};tag=r"), to: aor, call_id: unique("reg"), cseq };
        }
        self.ids.cseq = cseq;
        let mut request = self.fresh("REGISTER", &uri).with("Expires", "7200");
        if let Some(challenge) = challenge {
            let password = format!("secret-of-{}", self.user);
            let known = authorize(challenge, (&self.user, &password), ("REGISTER", &uri));
            request = request.with("Authorization", &known.unwrap_or_default());
        }
        self.ask(request);
    }

    /// Calls a number.
    pub(crate) fn call(&mut self, number: &str) {
        let uri = format!("sip:{number}@{}", self.server);
        self.ids = Ids {
            from: format!("<sip:{}@{}>;tag={}", self.user, self.local(), unique("t")),
            to: format!("<{uri}>"),
            call_id: unique("soak"),
            cseq: 1,
        };
        self.target = uri;
        self.begin();
        let invite = self.offer("INVITE", "sendrecv");
        self.ask(invite);
    }

    fn begin(&mut self) {
        (self.stand, self.heard, self.audio, self.ack) = (Stand::Early, 0, None, None);
        self.answers.clear();
        self.told.clear();
        self.calls = self.calls.wrapping_add(1);
        self.talker = Talker::new(0x5000_0000 | self.calls);
    }

    /// Takes back the INVITE that has no answer.
    pub(crate) fn cancel(&mut self) {
        if let Some((invite, _)) = &self.asked {
            let uri = invite.start.split(' ').nth(1).unwrap_or_default();
            let via = invite.get("Via").unwrap_or_default();
            self.send(&Message::request("CANCEL", uri, via, &self.ids));
        }
    }

    /// Sends a re-INVITE with this direction.
    pub(crate) fn reinvite(&mut self, direction: &str) {
        self.ids.cseq += 1;
        let invite = self.offer("INVITE", direction);
        self.ask(invite);
    }

    /// Its audio moves to another port, and a re-INVITE tells so.
    pub(crate) fn move_audio(&mut self) -> io::Result<()> {
        self.rtp = UdpSocket::bind((self.local().ip(), 0))?;
        self.rtp.set_nonblocking(true)?;
        self.reinvite("sendrecv");
        Ok(())
    }

    pub(crate) fn refer(&mut self, to: &str) {
        self.in_dialog("REFER", |m| m.with("Refer-To", &format!("<sip:{to}@sayso>")));
    }

    pub(crate) fn press(&mut self, key: char) {
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        self.in_dialog("INFO", |m| m.with_body("application/dtmf-relay", &body));
    }

    pub(crate) fn hang_up(&mut self) {
        self.in_dialog("BYE", |m| m);
        self.stand = Stand::Idle;
    }

    /// Forgets its call, as a phone does whose battery is empty.
    pub(crate) fn vanish(&mut self) {
        (self.stand, self.asked, self.rung, self.ack) = (Stand::Idle, None, None, None);
    }

    /// In no call, and nothing of ours waits for an answer.
    pub(crate) fn is_idle(&self) -> bool {
        self.stand == Stand::Idle && self.asked.is_none()
    }

    /// Sends octets of no meaning at SIP and audio.
    pub(crate) fn babble(&self, seed: u32) {
        let mut noise = [0u8; 200];
        let mut state = seed | 1;
        for octet in &mut noise {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *octet = (state >> 24) as u8;
        }
        let cut = &b"INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP \r\nContent-Length: 99999\r\n\r\n"[..];
        for bytes in [&noise[..], &noise[..3], cut] {
            let _ = self.sip.send_to(bytes, self.server); // may be refused: it is noise
        }
        if let Some(audio) = self.audio {
            noise[0] = 0x80;
            for length in [3, 12, 172] {
                let _ = self.rtp.send_to(&noise[..length], audio); // the same
            }
        }
    }

    /// One turn: what came is answered, what is due is sent.
    pub(crate) fn turn(&mut self, now: Instant) {
        let mut buffer = [0u8; 4096];
        while let Ok((length, _)) = self.sip.recv_from(&mut buffer) {
            if let Some(message) = Message::parse(&buffer[..length])
                && self.alive
            {
                self.take(&message);
            }
        }
        while let Ok((length, _)) = self.rtp.recv_from(&mut buffer) {
            self.heard += u32::from(length > 12);
        }
        if !self.alive {
            return;
        }
        if let (Stand::Up, Some(audio)) = (self.stand, self.audio) {
            let mut packet = [0u8; 172];
            let length = self.talker.packet(0, 0, &mut packet);
            let _ = self.rtp.send_to(&packet[..length], audio); // a port that is closed by now
        }
        if let Some((request, sent)) = &mut self.asked
            && now.duration_since(*sent) > T1
        {
            *sent = now;
            let bytes = request.bytes();
            let _ = self.sip.send_to(&bytes, self.server); // once more in a while
        }
    }

    fn take(&mut self, message: &Message) {
        match message.method().map(str::to_owned) {
            None => self.answered(message),
            Some(method) => self.requested(message, &method),
        }
    }

    fn answered(&mut self, answer: &Message) {
        let (Some(status), Some((cseq, method))) = (answer.status(), answer.cseq()) else { return };
        if status < 200 {
            return;
        }
        let ours = answer.get("Call-ID") == Some(&self.ids.call_id);
        let open = self.asked.as_ref().is_some_and(|(request, _)| request.cseq() == answer.cseq());
        if !ours || !open {
            if let (true, "INVITE", Some(ack)) = (ours, method, &self.ack) {
                self.send(ack); // its answer once more: the ACK was lost
            }
            return;
        }
        let request = self.asked.take().map(|(request, _)| request);
        match (method, status) {
            ("REGISTER", 401) if cseq == 1 => return self.register(Some(answer)),
            ("INVITE", 200..300) => {
                self.ids.to = answer.get("To").unwrap_or_default().to_owned();
                self.target = answer.uri_of("Contact").unwrap_or_default().to_owned();
                self.audio = audio_of(&answer.body).map(|(audio, _)| audio);
                self.stand = Stand::Up;
                let ack = self.fresh("ACK", &self.target);
                self.send(&ack);
                self.ack = Some(ack);
            }
            ("INVITE", _) => {
                if let Some(request) = request {
                    let uri = request.start.split(' ').nth(1).unwrap_or_default();
                    let mut ids = self.ids.clone();
                    ids.to = answer.get("To").unwrap_or_default().to_owned();
                    self.send(&Message::request("ACK", uri, request.get("Via").unwrap_or_default(), &ids));
                }
                if self.stand == Stand::Early {
                    self.stand = Stand::Idle;
                }
            }
            (_, _) => {}
        }
        self.answers.push((method.to_owned(), status));
    }

    fn requested(&mut self, request: &Message, method: &str) {
        let known = request.get("Call-ID") == Some(&self.ids.call_id);
        match method {
            "ACK" => {}
            "INVITE" => self.invited(request, known),
            "CANCEL" => {
                self.send(&request.response(200, "OK", "soak"));
                if let (Stand::Early, Some((invite, _))) = (self.stand, self.rung.take()) {
                    self.send(&invite.response(487, "Request Terminated", "soak"));
                    self.stand = Stand::Idle;
                }
            }
            "BYE" => {
                self.send(&request.response(200, "OK", "soak"));
                if known && self.stand == Stand::Up {
                    (self.stand, self.asked) = (Stand::Idle, None);
                }
            }
            "NOTIFY" => {
                self.send(&request.response(200, "OK", "soak"));
                let body = String::from_utf8_lossy(&request.body).into_owned();
                let status = body.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok());
                self.told.extend(status.filter(|status: &u16| *status >= 200));
            }
            _ => self.send(&request.response(200, "OK", "soak")),
        }
    }

    fn invited(&mut self, invite: &Message, known: bool) {
        if let Some((before, answer)) = &self.rung
            && before.cseq() == invite.cseq()
            && before.get("Call-ID") == invite.get("Call-ID")
        {
            return self.send(answer); // it came twice
        }
        let contact = format!("<sip:{}@{}>", self.user, self.local());
        if self.stand == Stand::Idle && self.manner != Manner::Busy && !known {
            self.begin();
            self.ids = Ids {
                from: format!("{};tag=soak", invite.get("To").unwrap_or_default()),
                to: invite.get("From").unwrap_or_default().to_owned(),
                call_id: invite.get("Call-ID").unwrap_or_default().to_owned(),
                cseq: 100,
            };
            self.target = invite.uri_of("Contact").unwrap_or_default().to_owned();
            let ringing = invite.response(180, "Ringing", "soak").with("Contact", &contact);
            self.send(&ringing);
            self.rung = Some((invite.clone(), ringing));
            if self.manner == Manner::Rings {
                return;
            }
        } else if !known {
            let busy = invite.response(486, "Busy Here", "busy");
            self.send(&busy);
            return;
        }
        self.audio = audio_of(&invite.body).map(|(audio, _)| audio).or(self.audio);
        let ok = invite.response(200, "OK", "soak").with("Contact", &contact);
        let ok = ok.with_body("application/sdp", &self.description("sendrecv"));
        self.send(&ok);
        self.stand = Stand::Up;
        self.rung = Some((invite.clone(), ok));
    }

    fn offer(&mut self, method: &str, direction: &str) -> Message {
        let body = self.description(direction);
        self.fresh(method, &self.target).with_body("application/sdp", &body)
    }

    fn description(&self, direction: &str) -> String {
        let at = self.rtp.local_addr().unwrap_or_else(|_| self.local());
        sdp(at, &[8], direction, self.ids.cseq)
    }

    fn in_dialog(&mut self, method: &str, fill: impl FnOnce(Message) -> Message) {
        self.ids.cseq += 1;
        let request = fill(self.fresh(method, &self.target));
        self.ask(request);
    }

    fn ask(&mut self, request: Message) {
        self.send(&request);
        self.asked = Some((request, Instant::now()));
    }

    fn fresh(&self, method: &str, uri: &str) -> Message {
        let via = format!("SIP/2.0/UDP {};rport;branch={}", self.local(), unique("z9hG4bK"));
        let contact = format!("<sip:{}@{}>", self.user, self.local());
        Message::request(method, uri, &via, &self.ids).with("Contact", &contact)
    }

    fn local(&self) -> SocketAddr {
        self.sip.local_addr().unwrap_or(self.server)
    }

    fn send(&self, message: &Message) {
        let _ = self.sip.send_to(&message.bytes(), self.server); // lost is lost, as on any wire
    }
}
