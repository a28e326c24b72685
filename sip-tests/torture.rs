//! The messages of RFC 4475 and RFC 5118 over UDP, TCP and TLS: legal ones answered rightly, bad ones refused
//! or dropped as the RFCs say, and the server answers OPTIONS after each.

mod table;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use sipx_testkit::{rfc4475, rfc5118};

use crate::harness::authority::Authority;
use crate::harness::phone::unique;
use crate::harness::server::Server;
use crate::harness::shared;
use crate::harness::sip::{Ids, Message};
use table::{Expect, Over, Row, row};

/// Where the messages come from. Their Via fields have no `rport`, so answers go to the port in Via
/// (RFC 3261 §18.2.2), which is 5060 for all but a few: an address of our own makes that port ours.
const HOME: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 75);
/// The other ports that Via fields of the corpora name.
const OTHER_PORTS: [u16; 3] = [5050, 6050, 19_823];

/// REGISTERs that bear the same branch and sent-by as an earlier one of the corpus: to the same server
/// they are retransmissions of that one (RFC 3261 §17.2.3).
const SECOND_ROUND: [&str; 2] = ["cparam02", "regescrt"];

const SETTINGS: &str = "[trunk.torture]\nnetworks = [\"127.0.0.75/32\"]\n\n[queue.support]\nrecording = \"never\"\n\n\
    [number.\"+4930100\"]\nqueue = \"support\"\n";

/// A final answer comes within this time; the server has nothing to wait for.
const SOON: Duration = Duration::from_secs(3);

/// A message of a corpus, ready for the wire.
struct Shot {
    name: &'static str,
    bytes: Vec<u8>,
}

fn rfc4475_shots() -> Vec<Shot> {
    rfc4475::CASES.iter().map(|case| Shot { name: case.name, bytes: case.bytes.to_vec() }).collect()
}

/// RFC 5118 reuses one branch and Call-ID; as they are sent to one server, each gets its own.
fn rfc5118_shots() -> Vec<Shot> {
    let own = |(i, case): (usize, &rfc5118::Case)| {
        let text = String::from_utf8(case.wire().to_vec()).expect("RFC 5118 is ASCII");
        let text = text.replacen("branch=z9hG4bK", &format!("branch=z9hG4bK{i}."), 1);
        Shot { name: case.name, bytes: text.replacen("Call-ID: ", &format!("Call-ID: {i}."), 1).into_bytes() }
    };
    rfc5118::CASES.iter().enumerate().map(own).collect()
}

#[test]
fn rfc4475_over_udp() {
    let _machine = shared();
    let (second, first): (Vec<_>, Vec<_>) =
        rfc4475_shots().into_iter().partition(|shot| SECOND_ROUND.contains(&shot.name));
    assert_eq!((first.len(), second.len()), (48, 2));
    let mut wrong = Udp::new().run(&first);
    wrong.extend(Udp::new().run(&second));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rfc4475_over_tcp() {
    let _machine = shared();
    let wrong = Stream::tcp().run(&rfc4475_shots());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rfc4475_over_tls() {
    let _machine = shared();
    let wrong = Stream::tls().run(&rfc4475_shots());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rfc5118_over_udp_tcp_and_tls() {
    let _machine = shared();
    let mut wrong = Udp::new().run(&rfc5118_shots());
    wrong.extend(Stream::tcp().run(&rfc5118_shots()));
    wrong.extend(Stream::tls().run(&rfc5118_shots()));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// UDP tests use the same ports of the same address: one at a time.
static HOME_PORTS: std::sync::Mutex<()> = std::sync::Mutex::new(());

struct Udp {
    server: Server,
    sockets: Vec<UdpSocket>,
    _home: std::sync::MutexGuard<'static, ()>,
}

impl Udp {
    fn new() -> Self {
        let home = HOME_PORTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let ports = [5060].into_iter().chain(OTHER_PORTS);
        let bind = |port| {
            let socket = UdpSocket::bind((HOME, port)).unwrap_or_else(|e| panic!("{HOME}:{port}: {e}"));
            socket.set_read_timeout(Some(Duration::from_millis(2))).expect("a timeout can be set");
            socket
        };
        Self { server: Server::start(SETTINGS), sockets: ports.map(bind).collect(), _home: home }
    }

    fn run(&self, shots: &[Shot]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut answered: Vec<String> = Vec::new();
        for shot in shots {
            let Row { udp, why, .. } = row(shot.name);
            self.send(&shot.bytes);
            let mut got = match udp {
                Expect::Silence => Vec::new(),
                Expect::Status(_) | Expect::StatusOrSilence(_) => self.answers(SOON, None),
            };
            // Two OPTIONS: what comes for the message comes before the second is answered.
            for _ in 0..2 {
                let probe = probe("UDP", self.sockets[0].local_addr().expect("bound"));
                self.send(&probe.bytes());
                let answers = self.answers(SOON, probe.get("Call-ID"));
                if !answers.iter().any(|m| m.get("Call-ID") == probe.get("Call-ID")) {
                    wrong.push(format!("{}: OPTIONS after it stays unanswered", shot.name));
                    return wrong;
                }
                got.extend(answers.into_iter().filter(|m| m.get("Call-ID") != probe.get("Call-ID")));
            }
            // A refusal whose ACK the server could not match comes again, until 64*T1.
            got.retain(|m| m.get("Call-ID").is_none_or(|id| !answered.iter().any(|earlier| earlier == id)));
            answered.extend(got.iter().filter_map(|m| m.get("Call-ID").map(str::to_owned)));
            let statuses = finals(&got);
            if shot.name == "dblreq" && got.iter().any(|m| m.cseq().is_some_and(|(_, of)| of == "INVITE")) {
                wrong.push(
                    "dblreq: octets after the first message of a datagram were read as a message".into(),
                );
            }
            if !udp.fits(&statuses) {
                wrong.push(format!("{}: {statuses:?}, but {udp:?} expected: {why}", shot.name));
            }
            for refusal in got.iter().filter(|m| m.cseq().is_some_and(|(_, of)| of == "INVITE")) {
                self.send(&acknowledge(refusal, &shot.bytes).bytes());
            }
        }
        wrong
    }

    fn send(&self, bytes: &[u8]) {
        self.sockets[0].send_to(bytes, self.server.udp).expect("loopback takes it");
    }

    /// Collects messages until a final answer: any, or the one of this Call-ID.
    fn answers(&self, within: Duration, call_id: Option<&str>) -> Vec<Message> {
        let end = Instant::now() + within;
        let mut got = Vec::new();
        let mut buffer = [0u8; 65_536];
        while Instant::now() < end {
            for socket in &self.sockets {
                let Ok((length, _)) = socket.recv_from(&mut buffer) else { continue };
                let Some(message) = Message::parse(&buffer[..length]) else { continue };
                let last = message.status().is_some_and(|s| s >= 200)
                    && call_id.is_none_or(|id| message.get("Call-ID") == Some(id));
                got.push(message);
                if last {
                    return got;
                }
            }
        }
        got
    }
}

/// A server, and how it is spoken to over streams.
struct Stream {
    _server: Server,
    to: SocketAddr,
    /// `None`: in the clear.
    tls: Option<Arc<ClientConfig>>,
    _certificates: Option<tempfile::TempDir>,
}

impl Stream {
    fn tcp() -> Self {
        let server = Server::start(SETTINGS);
        Self { to: server.tcp, _server: server, tls: None, _certificates: None }
    }

    fn tls() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let authority = Authority::new(dir.path());
        let ((certificate, key), _) = authority.sign("server", &["127.0.0.1"]);
        let sip = format!("tls = [\"127.0.0.1:0\"]\n[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
        let server = Server::start_with(SETTINGS, &sip);
        let to = server.tls.expect("a TLS address");
        Self { _server: server, to, tls: Some(authority.client(None)), _certificates: Some(dir) }
    }

    fn open(&self) -> Line {
        Line::open(self.to, self.tls.as_ref())
    }

    fn probe(&self, line: &Line) -> Message {
        probe(if self.tls.is_some() { "TLS" } else { "TCP" }, line.local)
    }

    fn run(&self, shots: &[Shot]) -> Vec<String> {
        let mut wrong = Vec::new();
        for shot in shots {
            let Row { udp, tcp, why, .. } = row(shot.name);
            let mut line = self.open();
            line.write(&shot.bytes);
            let (want, lives) = match tcp {
                Over::Lives => (udp, Some(true)),
                Over::Closes(want) => (want, Some(false)),
                Over::Waits => (Expect::Silence, None),
                Over::Either(want) => (want, None),
            };
            let mut got = match want {
                Expect::Silence => Vec::new(),
                Expect::Status(_) | Expect::StatusOrSilence(_) => line.read(SOON, 1),
            };
            let probe = self.probe(&line);
            match lives {
                Some(true) => {
                    line.write(&probe.bytes());
                    let end = Instant::now() + SOON;
                    while Instant::now() < end
                        && !got.iter().any(|m| m.get("Call-ID") == probe.get("Call-ID"))
                    {
                        got.extend(line.read(Duration::from_millis(50), 1));
                    }
                    if !got.iter().any(|m| m.get("Call-ID") == probe.get("Call-ID")) {
                        wrong.push(format!(
                            "{}: the connection died, or OPTIONS on it stays unanswered",
                            shot.name
                        ));
                    }
                    got.retain(|m| m.get("Call-ID") != probe.get("Call-ID"));
                }
                Some(false) if !line.closes(SOON) => {
                    wrong.push(format!("{}: framing is lost, yet the connection stays open", shot.name));
                }
                Some(false) | None => {}
            }
            if matches!(tcp, Over::Waits) {
                line.write(&probe.bytes());
            }
            // Another connection is served whatever happened on this one.
            let mut other = self.open();
            let probe = self.probe(&other);
            other.write(&probe.bytes());
            if finals(&other.read(SOON, 1)) != [200] {
                wrong.push(format!("{}: OPTIONS on a new connection stays unanswered", shot.name));
                return wrong;
            }
            if matches!(tcp, Over::Waits) {
                got.extend(line.read(Duration::from_millis(1), 1));
            }
            if shot.name == "dblreq" {
                got.retain(|m| m.cseq().is_some_and(|(_, of)| of == "REGISTER"));
            }
            let statuses = finals(&got);
            if !want.fits(&statuses) {
                wrong.push(format!("{}: {statuses:?}, but {want:?} expected: {why}", shot.name));
            }
            for refusal in got.iter().filter(|m| m.cseq().is_some_and(|(_, of)| of == "INVITE")) {
                line.write(&acknowledge(refusal, &shot.bytes).bytes());
            }
        }
        wrong
    }
}

/// A connection from [`HOME`], in TLS or not.
struct Line {
    stream: Box<dyn ReadWrite>,
    /// The same socket, for its time-outs.
    socket: TcpStream,
    local: SocketAddr,
    bytes: Vec<u8>,
    ended: bool,
}

trait ReadWrite: Read + Write {}

impl<T: Read + Write> ReadWrite for T {}

impl Line {
    fn open(server: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::new(IpAddr::V4(HOME), 0).into()).expect("loopback is ours");
        socket.connect(&server.into()).expect("the server accepts");
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true).expect("an option can be set");
        let local = socket.local_addr().expect("bound");
        let plain = socket.try_clone().expect("a socket can be cloned");
        let stream: Box<dyn ReadWrite> = match tls {
            None => Box::new(plain),
            Some(config) => {
                let name = rustls_pki_types::ServerName::from(server.ip());
                let session = ClientConnection::new(Arc::clone(config), name).expect("a good configuration");
                Box::new(StreamOwned::new(session, plain))
            }
        };
        Self { stream, socket, local, bytes: Vec::new(), ended: false }
    }

    fn write(&mut self, bytes: &[u8]) {
        // A connection that the server has closed shows in what is read.
        let _ = self.stream.write_all(bytes);
    }

    /// Reads messages until `finals` final answers, the end, or the deadline.
    fn read(&mut self, within: Duration, finals: usize) -> Vec<Message> {
        let end = Instant::now() + within;
        let mut got: Vec<Message> = Vec::new();
        loop {
            while let Some(message) = take(&mut self.bytes) {
                got.push(message);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.ended || self::finals(&got).len() >= finals {
                return got;
            }
            self.socket.set_read_timeout(Some(left)).expect("a timeout can be set");
            let mut buffer = [0u8; 65_536];
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(length) => self.bytes.extend_from_slice(&buffer[..length]),
                Err(error) => {
                    use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
                    self.ended |= matches!(error.kind(), ConnectionReset | UnexpectedEof);
                }
            }
        }
    }

    fn closes(&mut self, within: Duration) -> bool {
        self.read(within, usize::MAX);
        self.ended
    }
}

/// Takes the first whole message off a stream's bytes.
fn take(stream: &mut Vec<u8>) -> Option<Message> {
    let end = stream.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let mut message = Message::parse(&stream[..end])?;
    let length = message.get("Content-Length").and_then(|l| l.parse().ok()).unwrap_or(0);
    if stream.len() < end + length {
        return None;
    }
    message.body = stream[end..end + length].to_vec();
    stream.drain(..end + length);
    Some(message)
}

fn finals(messages: &[Message]) -> Vec<u16> {
    messages.iter().filter_map(Message::status).filter(|status| *status >= 200).collect()
}

fn probe(transport: &str, local: SocketAddr) -> Message {
    let ids = Ids {
        from: format!("<sip:probe@{HOME}>;tag={}", unique("p")),
        to: format!("<sip:{HOME}>"),
        call_id: unique("probe"),
        cseq: 1,
    };
    let via = format!("SIP/2.0/{transport} {local};rport;branch={}", unique("z9hG4bK"));
    Message::request("OPTIONS", &format!("sip:{HOME}"), &via, &ids)
}

/// The ACK that ends the retransmissions of a refusal (RFC 3261 §17.1.1.3); its Request-URI is the INVITE's,
/// which is what an INVITE without a branch is matched by (§17.2.3).
fn acknowledge(refusal: &Message, invite: &[u8]) -> Message {
    let field = |name: &str| refusal.get(name).unwrap_or_default().to_owned();
    let cseq = refusal.cseq().map_or(1, |(number, _)| number);
    let ids = Ids { from: field("From"), to: field("To"), call_id: field("Call-ID"), cseq };
    let line = String::from_utf8_lossy(invite).lines().next().unwrap_or_default().to_owned();
    let uri = line.split_whitespace().nth(1).unwrap_or("sip:user@example.com").to_owned();
    Message::request("ACK", &uri, &field("Via"), &ids)
}
