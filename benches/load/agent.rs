//! An agent's phone: registers, answers every call at once, talks until told to stop.

use std::net::SocketAddr;
use std::time::Instant;

use sayso::phone::browser::BrowserError;

use crate::plan::Plan;
use crate::rtp::Talker;
use crate::sip::{Ids, Message, audio_of, authorize, sdp};
use crate::web::Page;

/// One agent.
pub(crate) struct Agent {
    pub(crate) name: String,
    password: String,
    /// Our SIP address and our RTP address.
    sip: SocketAddr,
    rtp: SocketAddr,
    /// Its phone is a browser.
    web: bool,
    /// And speaks Opus.
    opus: bool,
    /// Counts calls, so that timers of an earlier one are recognised.
    pub(crate) generation: u32,
    pub(crate) state: State,
}

/// Where an agent stands.
pub(crate) enum State {
    /// Its REGISTER has no final answer yet.
    Registering {
        /// The last REGISTER.
        request: Message,
    },
    /// Ready.
    Idle,
    /// In a call.
    Up(Up),
}

/// An agent's call.
pub(crate) struct Up {
    /// Which, by the caller's place.
    pub(crate) call: usize,
    /// The server's Call-ID.
    pub(crate) call_id: String,
    /// Where our audio goes.
    pub(crate) remote: SocketAddr,
    pub(crate) talker: Talker,
    /// Its browser's side of the call.
    pub(crate) page: Option<Box<Page>>,
    /// Still to be sent again until the ACK is here.
    pub(crate) unacknowledged: Option<Vec<u8>>,
}

impl Agent {
    /// One who logs in with this name and password.
    pub(crate) fn new(
        (name, password): (String, String),
        sip: SocketAddr,
        rtp: SocketAddr,
        plan: &Plan,
    ) -> Self {
        let (web, opus) = (plan.web, plan.speech.is_some());
        Self { name, password, sip, rtp, web, opus, generation: 0, state: State::Idle }
    }

    /// The first REGISTER.
    pub(crate) fn register(&mut self, server: SocketAddr) -> Vec<u8> {
        let request = self.registration(server, 1);
        let bytes = request.bytes();
        self.state = State::Registering { request };
        bytes
    }

    fn registration(&self, server: SocketAddr, cseq: u32) -> Message {
        let aor = format!("<sip:{}@{server}>", self.name);
        let ids = Ids {
            from: format!("{aor};tag=r{}", self.name),
            to: aor,
            call_id: format!("reg-{}-{}", self.name, self.sip.port()),
            cseq,
        };
        let via = format!("SIP/2.0/UDP {};rport;branch=z9hG4bKr{cseq}{}", self.sip, self.name);
        Message::request("REGISTER", &format!("sip:{server}"), &via, &ids)
            .with("Contact", &format!("<sip:{}@{}>", self.name, self.sip))
            .with("Expires", "3600")
    }

    /// Takes the answer to a REGISTER. `Ok(Some)`: the next one; `Ok(None)`: registered; or why not.
    pub(crate) fn registered(
        &mut self,
        answer: &Message,
        server: SocketAddr,
    ) -> Result<Option<Vec<u8>>, String> {
        let State::Registering { request } = &self.state else { return Ok(None) };
        let cseq = request.cseq().map_or(1, |(number, _)| number);
        if answer.cseq().is_none_or(|(number, _)| number != cseq) {
            return Ok(None); // of an earlier one
        }
        match answer.status() {
            Some(100..=199) => Ok(None),
            Some(200) => {
                self.state = State::Idle;
                Ok(None)
            }
            Some(401 | 407) if cseq == 1 => {
                let uri = format!("sip:{server}");
                let answer = authorize(answer, (&self.name, &self.password), ("REGISTER", &uri))
                    .ok_or("REGISTER: no known digest algorithm is offered")?;
                let request = self.registration(server, cseq + 1).with("Authorization", &answer);
                let bytes = request.bytes();
                self.state = State::Registering { request };
                Ok(Some(bytes))
            }
            status => Err(format!("REGISTER: {}", status.unwrap_or(0))),
        }
    }

    /// Answers an INVITE of `call` (its place on the worker, its number in the run): the 180 and the 200. A re-INVITE gets the 200 alone. `Err`: why not.
    pub(crate) fn invited(
        &mut self,
        invite: &Message,
        (call, number): (usize, u32),
        now: Instant,
    ) -> Result<[Option<Vec<u8>>; 2], String> {
        let contact = format!("<sip:{}@{}>", self.name, self.sip);
        let tag = format!("a{}-{}", self.name, self.generation);
        let (remote, _) = audio_of(&invite.body).ok_or("the offer names no address")?;
        let refused = |error: BrowserError| format!("an agent's browser: {error}");
        let mut opened = None;
        let body = match (&mut self.state, self.web) {
            (_, false) => sdp(self.rtp, &[8], "sendrecv", 1),
            (State::Up(Up { page: Some(page), .. }), true) => page.answer(&invite.body).map_err(refused)?,
            (State::Up(_) | State::Idle | State::Registering { .. }, true) => {
                let (page, answer) = Page::open(self.rtp, &invite.body, self.opus, now).map_err(refused)?;
                opened = Some(page);
                answer
            }
        };
        let ok = invite.response(200, "OK", &tag).with("Contact", &contact);
        let ok = ok.with_body("application/sdp", &body).bytes();
        let call_id = invite.get("Call-ID").ok_or("an INVITE without Call-ID")?.to_owned();
        if let State::Up(up) = &mut self.state {
            up.remote = remote;
            return if up.call_id == call_id {
                Ok([None, Some(ok)])
            } else {
                Err("an agent is rung in a call".into())
            };
        }
        self.generation += 1;
        let talker = Talker::new(0xa000_0000 | number);
        self.state =
            State::Up(Up { call, call_id, remote, talker, page: opened, unacknowledged: Some(ok.clone()) });
        Ok([Some(invite.response(180, "Ringing", &tag).bytes()), Some(ok)])
    }
}
