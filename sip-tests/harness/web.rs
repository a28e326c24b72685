//! A scripted phone as a page in a browser is one: SIP over WebSocket by the test's hand, and WebRTC for its
//! audio. Dropping it is closing the page: no goodbye of any kind.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sayso::media::Codec;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message as Frame};

use super::phone::{SOON, unique};
use super::sip::{Ids, Message, authorize};
use super::web_line::Line;

const SDP: &str = "application/sdp";

/// A page's phone, with at most one call.
pub(crate) struct WebPhone {
    user: String,
    /// What stands for its address: nobody can connect to it (RFC 7118 §5).
    host: String,
    server: SocketAddr,
    codecs: Vec<Codec>,
    out: Option<Sender<Message>>,
    inbox: Receiver<Message>,
    thread: Option<JoinHandle<()>>,
    tag: String,
    ids: Ids,
    target: String,
    invite: Option<Message>,
    /// Its audio, while there is a call.
    pub(crate) line: Option<Line>,
}

impl WebPhone {
    /// A phone of `user` on a connection of its own to the server's HTTP port; it speaks G.711 A-law.
    pub(crate) fn new(server: SocketAddr, user: &str) -> Self {
        let stream = TcpStream::connect(server).expect("the server accepts");
        let mut request = format!("ws://{server}/sip").into_client_request().expect("a URL");
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("sip"));
        let (socket, _) = tungstenite::client(request, stream).expect("a WebSocket");
        socket.get_ref().set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout can be set");
        let (out, to_send) = channel();
        let (deliver, inbox) = channel();
        let thread = std::thread::spawn(move || carry(socket, &to_send, &deliver));
        Self {
            user: user.to_owned(),
            host: format!("{}.invalid", unique("page")),
            server,
            codecs: vec![Codec::Pcma],
            out: Some(out),
            inbox,
            thread: Some(thread),
            tag: unique("t"),
            ids: Ids::default(),
            target: String::new(),
            invite: None,
            line: None,
        }
    }

    /// The same, registered.
    pub(crate) fn registered(server: SocketAddr, user: &str, password: &str) -> Self {
        let mut phone = Self::new(server, user);
        phone.register(user, password);
        phone
    }

    /// Speaks only this codec from its next call on.
    pub(crate) fn speak(&mut self, codec: Codec) {
        self.codecs = vec![codec];
    }

    /// Registers the agent's address with this user name and password.
    pub(crate) fn register(&mut self, login: &str, password: &str) {
        let uri = format!("sip:{}", self.server.ip());
        let aor = format!("<sip:{}@{}>", self.user, self.server.ip());
        self.ids = Ids { from: format!("{aor};tag={}", self.tag), to: aor, call_id: unique("reg"), cseq: 1 };
        let request = |phone: &Self| {
            let contact = format!("<sip:{}@{};transport=ws>", phone.user, phone.host);
            let register = Message::request("REGISTER", &uri, &phone.via(), &phone.ids);
            register.with("Contact", &contact).with("Expires", "600")
        };
        self.send(&request(self));
        let challenge = self.response("REGISTER");
        assert_eq!(challenge.status(), Some(401), "{}", challenge.start);
        let answer = authorize(&challenge, (login, password), ("REGISTER", &uri)).expect("a known digest");
        self.ids.cseq += 1;
        self.send(&request(self).with("Authorization", &answer));
        let status = self.response("REGISTER").status();
        assert_eq!(status, Some(200), "REGISTER of {}", self.user);
    }

    /// Waits for an INVITE from the server and keeps it.
    pub(crate) fn rung_within(&mut self, deadline: Duration) -> Message {
        let invite = self.wait(deadline, "an INVITE", |m| m.method() == Some("INVITE"));
        self.invite = Some(invite.clone());
        invite
    }

    /// Answers what it was rung by with 180 or a refusal.
    pub(crate) fn reply(&mut self, status: u16) {
        let invite = self.invite.clone().expect("it was rung");
        self.send(&invite.response(status, "Scripted", &self.tag).with("Contact", &self.contact()));
    }

    /// Picks up and speaks this clip, then silence.
    pub(crate) fn pick_up(&mut self, clip: &[i16]) {
        let invite = self.invite.clone().expect("it was rung");
        let (line, answer) = Line::answer(&invite.body, &self.codecs, clip);
        self.line = Some(line);
        let ok = invite.response(200, "OK", &self.tag).with("Contact", &self.contact());
        self.send(&ok.with_body(SDP, &answer));
        self.ids = Ids {
            from: format!("{};tag={}", invite.get("To").expect("a To field"), self.tag),
            to: invite.get("From").expect("a From field").to_owned(),
            call_id: invite.get("Call-ID").expect("a Call-ID").to_owned(),
            cseq: 100,
        };
        self.target = invite.uri_of("Contact").expect("an INVITE has a Contact").to_owned();
        self.wait(SOON, "an ACK", |m| m.method() == Some("ACK"));
    }

    /// Calls and speaks this clip when it is answered; the final status.
    pub(crate) fn call(&mut self, number: &str, clip: &[i16]) -> u16 {
        let uri = format!("sip:{number}@{}", self.server.ip());
        self.ids = Ids {
            from: format!("<sip:{}@{}>;tag={}", self.user, self.server.ip(), unique("t")),
            to: format!("<{uri}>"),
            call_id: unique("call"),
            cseq: 1,
        };
        self.target = uri;
        let (mut line, offer) = Line::offer(&self.codecs, clip);
        let invite = self.request("INVITE").with_body(SDP, &offer);
        self.send(&invite);
        let answer = self.response("INVITE");
        let status = answer.status().unwrap_or(0);
        self.ids.to = answer.get("To").expect("a To field").to_owned();
        if status >= 300 {
            let mut ack = Message::request("ACK", &self.target, invite.get("Via").expect("a Via"), &self.ids);
            ack.headers.retain(|(name, _)| name != "Contact");
            self.send(&ack);
            return status;
        }
        self.target = answer.uri_of("Contact").expect("a 200 has a Contact").to_owned();
        let ack = self.request("ACK");
        self.send(&ack);
        line.accept(&answer.body);
        self.line = Some(line);
        status
    }

    /// Puts the other side on hold or takes it back.
    pub(crate) fn hold(&mut self, on: bool) {
        let offer = self.line.as_mut().expect("a call").hold(on);
        self.reinvite(&offer);
    }

    /// Moves its audio to another port, as after a change of network: an ICE restart.
    pub(crate) fn move_away(&mut self) {
        let offer = self.line.as_mut().expect("a call").restart();
        self.reinvite(&offer);
    }

    fn reinvite(&mut self, offer: &str) {
        self.ids.cseq += 1;
        let invite = self.request("INVITE").with_body(SDP, offer);
        self.send(&invite);
        let answer = self.response("INVITE");
        assert_eq!(answer.status(), Some(200), "re-INVITE");
        let ack = self.request("ACK");
        self.send(&ack);
        self.line.as_mut().expect("a call").accept(&answer.body);
    }

    /// Hangs up.
    pub(crate) fn bye(&mut self) {
        self.ids.cseq += 1;
        let bye = self.request("BYE");
        self.send(&bye);
        assert_eq!(self.response("BYE").status(), Some(200), "BYE");
        self.line = None;
    }

    /// Waits for a request of this method and answers 200.
    pub(crate) fn take(&mut self, method: &str, deadline: Duration) -> Message {
        let request = self.wait(deadline, method, |m| m.method() == Some(method));
        self.send(&request.response(200, "OK", &self.tag));
        request
    }

    fn response(&self, method: &str) -> Message {
        self.wait(SOON, &format!("a final response to {method}"), |m| {
            m.status().is_some_and(|s| s >= 200) && m.cseq().is_some_and(|(_, of)| of == method)
        })
    }

    fn wait(&self, deadline: Duration, what: &str, fits: impl Fn(&Message) -> bool) -> Message {
        let end = Instant::now() + deadline;
        let mut passed = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(message) = self.inbox.recv_timeout(left) else {
                panic!("{}: {what} did not come within {deadline:?}; passed over: {passed:?}", self.user)
            };
            if fits(&message) {
                return message;
            }
            passed.push(message.start);
        }
    }

    fn send(&self, message: &Message) {
        let out = self.out.as_ref().expect("it is there until dropped");
        out.send(message.clone()).expect("the connection is open");
    }

    fn request(&self, method: &str) -> Message {
        let request = Message::request(method, &self.target, &self.via(), &self.ids);
        request.with("Contact", &self.contact())
    }

    fn contact(&self) -> String {
        format!("<sip:{}@{};transport=ws>", self.user, self.host)
    }

    fn via(&self) -> String {
        format!("SIP/2.0/WS {};branch={}", self.host, unique("z9hG4bK"))
    }
}

impl Drop for WebPhone {
    fn drop(&mut self) {
        self.line = None;
        // The thread ends with its channel, and the connection with the thread.
        self.out = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its panic shows in the test's own waiting
        }
    }
}

/// Carries messages both ways until nobody sends any more or the server closes.
fn carry(
    mut socket: tungstenite::WebSocket<TcpStream>,
    to_send: &Receiver<Message>,
    deliver: &Sender<Message>,
) {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    use std::sync::mpsc::TryRecvError;
    loop {
        loop {
            match to_send.try_recv() {
                Ok(message) => {
                    let text = String::from_utf8(message.bytes()).expect("text");
                    if socket.send(Frame::text(text)).is_err() {
                        return;
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        match socket.read() {
            Ok(Frame::Text(text)) => {
                if let Some(message) = Message::parse(text.as_bytes()) {
                    let _ = deliver.send(message); // the test has ended
                }
            }
            Ok(_) => {}
            Err(tungstenite::Error::Io(error)) if [WouldBlock, TimedOut].contains(&error.kind()) => {}
            Err(_) => return,
        }
    }
}
