//! A caller: INVITE, ACK, a key, talk, BYE.

use std::net::SocketAddr;

use crate::rtp::Talker;
use crate::sip::{Ids, Message, audio_of, sdp};

/// One caller with its one call.
pub(crate) struct Caller {
    /// The call's number in this run.
    pub(crate) call: u32,
    sip: SocketAddr,
    rtp: SocketAddr,
    ids: Ids,
    pub(crate) state: State,
}

/// Where a call stands.
pub(crate) enum State {
    /// Not begun.
    Idle,
    /// No final answer yet.
    Calling {
        invite: Message,
        /// When the INVITE was first sent.
        since: u64,
        /// Whether to send it again.
        silent: bool,
    },
    /// Answered.
    Up(Up),
    /// The BYE has no answer yet.
    Leaving { bye: Vec<u8> },
    /// Done.
    Over,
}

/// An answered call.
pub(crate) struct Up {
    /// Where our audio goes.
    pub(crate) remote: SocketAddr,
    target: String,
    ack: Vec<u8>,
    pub(crate) talker: Talker,
    /// When the key was last pressed.
    pub(crate) pressed: Option<u64>,
}

/// What an answer to the INVITE means.
pub(crate) enum Answer {
    /// Nothing new.
    Provisional,
    /// The call is up: send this ACK. When the INVITE was sent, unless this is the 200 once more.
    Accepted { ack: Vec<u8>, since: Option<u64> },
    /// Refused: send this ACK.
    Refused {
        ack: Vec<u8>,
        status: u16,
        /// Whether it says when to come again.
        retry_after: bool,
    },
}

impl Caller {
    pub(crate) fn new(call: u32, number: &str, sip: SocketAddr, rtp: SocketAddr) -> Self {
        let ids = Ids {
            from: format!("<sip:{number}@{}>;tag=c{call}", sip.ip()),
            call_id: format!("load-{call}-{}-{}", sip.port(), std::process::id()),
            cseq: 1,
            to: String::new(),
        };
        Self { call, sip, rtp, ids, state: State::Idle }
    }

    /// The Call-ID.
    pub(crate) fn call_id(&self) -> &str {
        &self.ids.call_id
    }

    /// Begins: the INVITE.
    pub(crate) fn start(&mut self, number: &str, server: SocketAddr, now: u64) -> Vec<u8> {
        let uri = format!("sip:{number}@{server}");
        self.ids.to = format!("<{uri}>");
        let invite =
            self.request("INVITE", &uri).with_body("application/sdp", &sdp(self.rtp, &[8], "sendrecv", 1));
        let bytes = invite.bytes();
        self.state = State::Calling { invite, since: now, silent: true };
        bytes
    }

    /// Takes an answer to the INVITE.
    pub(crate) fn answered(&mut self, answer: &Message) -> Option<Answer> {
        let status = answer.status()?;
        match &mut self.state {
            State::Up(up) => {
                return (status == 200).then(|| Answer::Accepted { ack: up.ack.clone(), since: None });
            }
            State::Calling { silent, .. } => *silent = false,
            State::Idle | State::Leaving { .. } | State::Over => return None,
        }
        let State::Calling { invite, since, .. } = &self.state else { return None };
        if status < 200 {
            return Some(Answer::Provisional);
        }
        let (since, branch) = (*since, invite.get("Via")?.to_owned());
        let uri = invite.start.split(' ').nth(1)?.to_owned();
        self.ids.to = answer.get("To")?.to_owned();
        if status >= 300 {
            let ack = Message::request("ACK", &uri, &branch, &self.ids).bytes();
            self.state = State::Over;
            let retry_after = answer.get("Retry-After").is_some();
            return Some(Answer::Refused { ack, status, retry_after });
        }
        let (remote, _) = audio_of(&answer.body)?;
        let target = answer.uri_of("Contact")?.to_owned();
        let ack = self.request("ACK", &target).bytes();
        let talker = Talker::new(0xc000_0000 | self.call);
        self.state = State::Up(Up { remote, target, ack: ack.clone(), talker, pressed: None });
        Some(Answer::Accepted { ack, since: Some(since) })
    }

    /// Hangs up: the BYE, and how many audio packets were sent.
    pub(crate) fn leave(&mut self) -> Option<(Vec<u8>, u32)> {
        let State::Up(up) = &self.state else { return None };
        let (target, sent) = (up.target.clone(), up.talker.sent);
        self.ids.cseq += 1;
        let bye = self.request("BYE", &target).bytes();
        self.state = State::Leaving { bye: bye.clone() };
        Some((bye, sent))
    }

    /// What to send again, if the server has not answered.
    pub(crate) fn again(&self) -> Option<Vec<u8>> {
        match &self.state {
            State::Calling { invite, silent: true, .. } => Some(invite.bytes()),
            State::Leaving { bye } => Some(bye.clone()),
            State::Idle | State::Calling { silent: false, .. } | State::Up(_) | State::Over => None,
        }
    }

    fn request(&self, method: &str, uri: &str) -> Message {
        let branch = format!("z9hG4bK{}{method}{}", self.ids.call_id, self.ids.cseq);
        let via = format!("SIP/2.0/UDP {};rport;branch={branch}", self.sip);
        let contact = format!("<sip:c{}@{}>", self.call, self.sip);
        Message::request(method, uri, &via, &self.ids).with("Contact", &contact)
    }
}
