//! What a scripted phone says beyond the usual: requests and answers with header fields and descriptions
//! of the test's own, from where and in what order the test likes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::phone::{Phone, SOON, unique};
use super::rtp;
use super::sip::{Ids, Message, audio_of};

/// Header fields to add.
pub(crate) type More<'a> = &'a [(&'a str, &'a str)];

const SDP: &str = "application/sdp";

impl Phone {
    /// Sends an INVITE to `number` with these header fields, and this offer or none.
    pub(crate) fn invite(&mut self, number: &str, more: More<'_>, offer: Option<&str>) {
        let uri = format!("sip:{number}@{}", self.server);
        self.ids = Ids {
            from: format!("<sip:{}@{}>;tag={}", self.user, self.local(), unique("t")),
            to: format!("<{uri}>"),
            call_id: unique("call"),
            cseq: 1,
        };
        self.target = uri;
        let invite = filled(self.request("INVITE"), more, offer);
        self.send(&invite);
        self.invite = Some(invite);
    }

    /// The final answer to such an INVITE; a refusal is acknowledged.
    pub(crate) fn invited(&mut self, number: &str, more: More<'_>, offer: Option<&str>) -> Message {
        self.invite(number, more, offer);
        let answer = self.response("INVITE");
        match answer.status() {
            Some(200..300) => self.answered(&answer),
            Some(_) | None => self.refused(&answer),
        }
        answer
    }

    /// Sends a request in the dialog, with the next sequence number, and waits for nothing.
    pub(crate) fn ask(&mut self, method: &str, more: More<'_>, sdp: Option<&str>) -> Message {
        self.ids.cseq += 1;
        let request = filled(self.request(method), more, sdp);
        self.send(&request);
        if method == "INVITE" {
            self.invite = Some(request.clone());
        }
        request
    }

    /// The same, and waits for the final answer; that to an INVITE is acknowledged.
    pub(crate) fn asked(&mut self, method: &str, more: More<'_>, sdp: Option<&str>) -> Message {
        self.ask(method, more, sdp);
        let answer = self.response(method);
        match (method, answer.status()) {
            ("INVITE", Some(200..300)) => self.answered(&answer),
            ("INVITE", Some(_) | None) => self.refused(&answer),
            (_, _) => {}
        }
        answer
    }

    /// Acknowledges the 200 to an INVITE without an offer, with our description in the ACK.
    pub(crate) fn answered_late(&mut self, answer: &Message, sdp: &str) {
        self.answered_without_ack(answer);
        let ack = filled(self.request("ACK"), &[], Some(sdp));
        self.send(&ack);
    }

    /// Acknowledges the 200 to an INVITE of this number, whatever was sent since.
    pub(crate) fn answered_late_ack(&mut self, answer: &Message, cseq: u32) {
        let now = std::mem::replace(&mut self.ids.cseq, cseq);
        self.answered(answer);
        self.ids.cseq = now;
    }

    /// Goes back, or on, to this sequence number.
    pub(crate) fn set_cseq(&mut self, cseq: u32) {
        self.ids.cseq = cseq;
    }

    /// The tag of its side of the dialog that it began.
    pub(crate) fn local_tag(&self) -> String {
        self.ids.from.split_once(";tag=").expect("a tag").1.to_owned()
    }

    /// Takes the dialog's place from an early response to our INVITE, so that requests can follow.
    pub(crate) fn early_dialog(&mut self, response: &Message) {
        self.ids.to = response.get("To").expect("a To field").to_owned();
        self.target = response.uri_of("Contact").expect("a reliable response has a Contact").to_owned();
    }

    /// Sends a PRACK with this RAck; its final status.
    pub(crate) fn prack(&mut self, rack: &str) -> Option<u16> {
        self.asked("PRACK", &[("RAck", rack)], None).status()
    }

    /// Answers the INVITE it was rung by, as this fork of it, with these header fields and this description.
    pub(crate) fn reply_as(&self, tag: &str, status: u16, more: More<'_>, sdp: Option<&str>) {
        let invite = self.invite.as_ref().expect("it was rung");
        self.answer(invite, tag, status, more, sdp);
    }

    /// Answers any request.
    pub(crate) fn answer(
        &self,
        request: &Message,
        tag: &str,
        status: u16,
        more: More<'_>,
        sdp: Option<&str>,
    ) {
        let contact = format!("<sip:{}@{}>", self.user, self.local());
        let answer = request.response(status, "Scripted", tag).with("Contact", &contact);
        self.send(&filled(answer, more, sdp));
    }

    /// The tag it answers with when the test names none.
    pub(crate) fn own_tag(&self) -> String {
        self.tag.clone()
    }

    /// Makes the dialog of the INVITE it was rung by its own, for requests of its own.
    pub(crate) fn enter(&mut self, tag: &str) {
        let invite = self.invite.clone().expect("it was rung");
        self.ids = Ids {
            from: format!("{};tag={tag}", invite.get("To").expect("a To field")),
            to: invite.get("From").expect("a From field").to_owned(),
            call_id: invite.get("Call-ID").expect("a Call-ID").to_owned(),
            cseq: 100,
        };
        self.target = invite.uri_of("Contact").expect("an INVITE has a Contact").to_owned();
    }

    /// The next description of its audio, with this direction.
    pub(crate) fn describe(&mut self, direction: &str) -> String {
        self.sdp_version += 1;
        self.sdp(direction)
    }

    /// A description whose media lines the test writes: formats, then attribute lines.
    pub(crate) fn describe_as(&mut self, formats: &str, attributes: &[&str]) -> String {
        self.sdp_version += 1;
        let rtp = self.rtp.local_addr().expect("it is bound");
        let mut sdp = format!(
            "v=0\r\no=- 1 {} IN IP4 {}\r\ns=-\r\nc=IN IP4 {}\r\nt=0 0\r\nm=audio {} RTP/AVP {formats}\r\n",
            self.sdp_version,
            rtp.ip(),
            rtp.ip(),
            rtp.port(),
        );
        for line in attributes {
            sdp.push_str(&format!("a={line}\r\n"));
        }
        sdp
    }

    /// Takes in where the other side wants our audio.
    pub(crate) fn hear_at(&mut self, message: &Message) {
        self.audio = audio_of(&message.body).map(|(rtp, _)| rtp);
    }

    /// Its audio moves to another port of this address.
    pub(crate) fn move_audio(&mut self) {
        self.rtp = rtp::socket(self.local().ip());
    }

    /// It moves to another port altogether, as after a change of network; gives the old one.
    pub(crate) fn move_away(&mut self) -> SocketAddr {
        let old = self.local();
        self.socket = std::net::UdpSocket::bind((old.ip(), 0)).expect("a port is free");
        old
    }

    /// Waits for a request of this method.
    pub(crate) fn expects(&mut self, method: &str, deadline: Duration) -> Message {
        self.wait(deadline, method, |m| m.method() == Some(method))
    }

    /// Asserts that no such message comes within `span`; others are passed over.
    pub(crate) fn never(&mut self, span: Duration, what: &str, fits: impl Fn(&Message) -> bool) {
        let end = Instant::now() + span;
        while let Some(message) = self.receive(end) {
            assert!(!fits(&message), "{what}: {}", message.start);
        }
    }

    /// Ends the call with these header fields in the BYE.
    pub(crate) fn bye_with(&mut self, more: More<'_>) {
        assert_eq!(self.asked("BYE", more, None).status(), Some(200), "BYE");
    }

    /// Waits for a provisional response of this status to our INVITE.
    pub(crate) fn provisional(&mut self, status: u16) -> Message {
        self.wait(SOON, &format!("a {status}"), |m| m.status() == Some(status))
    }
}

fn filled(mut message: Message, more: More<'_>, sdp: Option<&str>) -> Message {
    for (name, value) in more {
        message = message.with(name, value);
    }
    match sdp {
        Some(sdp) => message.with_body(SDP, sdp),
        None => message,
    }
}
