//! Each transport with a real client: baresip over UDP, TCP and TLS, a WebSocket client on both ports,
//! certificates that are asked for and renewed, STUN, and IPv6.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, HandshakeError, Message as Frame, WebSocket};

use crate::harness::audio::clips;
use crate::harness::authority::Authority;
use crate::harness::baresip::{Baresip, Login};
use crate::harness::phone::{Phone, SOON, unique};
use crate::harness::server::{Server, password, settings};
use crate::harness::sip::{Ids, Message, authorize};
use crate::harness::{shared, until};

const NEVER: &str = "recording = \"never\"";
const NUMBER: &str = "+4930100";

/// A server with every transport, and who signed its certificate.
struct Secured {
    server: Server,
    authority: Authority,
    _dir: tempfile::TempDir,
}

fn secured(more: &str) -> Secured {
    let dir = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(dir.path());
    let ((certificate, key), _) = authority.sign("server", &["127.0.0.1", "localhost"]);
    let any = "[\"127.0.0.1:0\"]";
    let sip = format!(
        "tls = {any}\nws = {any}\nwss = {any}\nws-origins = [\"https://desk.example\"]\n\
         [tls]\ncertificate = {certificate:?}\nkey = {key:?}\nclient-ca = {:?}\n{more}\n",
        authority.ca(),
    );
    let server = Server::start_with(&settings(NEVER, &["ada"]), &sip);
    Secured { server, authority, _dir: dir }
}

fn tls(
    to: SocketAddr,
    config: Arc<ClientConfig>,
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let socket = TcpStream::connect(to)?;
    socket.set_read_timeout(Some(SOON))?;
    let session = ClientConnection::new(config, to.ip().into()).expect("a good configuration");
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

fn options(transport: &str, call: &str) -> Message {
    let ids = Ids {
        from: format!("<sip:probe@127.0.0.1>;tag={}", unique("p")),
        to: "<sip:127.0.0.1>".to_owned(),
        call_id: call.to_owned(),
        cseq: 1,
    };
    let via = format!("SIP/2.0/{transport} probe.invalid;branch={}", unique("z9hG4bK"));
    Message::request("OPTIONS", "sip:127.0.0.1", &via, &ids)
}

/// The status of the answer to an OPTIONS.
fn probed(stream: &mut (impl Read + Write)) -> std::io::Result<Option<u16>> {
    stream.write_all(&options("TLS", &unique("probe")).bytes())?;
    stream.flush()?;
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer)?;
        bytes.extend_from_slice(&buffer[..length]);
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(answer) = Message::parse(&bytes) {
            return Ok(answer.status());
        }
    }
}

fn calls_by_baresip(server: &Server, to: SocketAddr, login: &Login<'_>) {
    let mut caller = Baresip::start("+4930555001", Baresip::address(), &clips().caller, login);
    // Its account says over which transport.
    caller.dial(&format!("sip:{NUMBER}@{to}"));
    caller.expect("CALL_ESTABLISHED", Duration::from_secs(10));
    caller.hang_up();
    until(SOON, "the call's end", || {
        let calls = server.rows(&["calls", "list"]);
        calls.first().is_some_and(|call| !call["ended_at"].is_null()).then_some(())
    });
    assert_eq!(server.rows(&["calls", "list"]).len(), 1);
}

#[test]
fn baresip_calls_over_udp() {
    let _machine = shared();
    let server = Server::start(&settings(NEVER, &[]));
    calls_by_baresip(&server, server.udp, &Login::None);
}

#[test]
fn baresip_calls_over_tcp() {
    let _machine = shared();
    let server = Server::start(&settings(NEVER, &[]));
    calls_by_baresip(&server, server.tcp, &Login::Tcp);
}

#[test]
fn baresip_calls_over_tls() {
    let _machine = shared();
    let Secured { server, authority, _dir } = secured("");
    calls_by_baresip(&server, server.tls.expect("TLS"), &Login::Tls(&authority.ca()));
}

/// Connects as a WebSocket client; the status of a refusal.
fn web<S: Read + Write>(
    stream: S,
    url: &str,
    protocol: &str,
    origin: Option<&str>,
) -> Result<WebSocket<S>, u16> {
    let mut request = url.into_client_request().expect("a URL");
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", HeaderValue::from_str(protocol).expect("a word"));
    if let Some(origin) = origin {
        headers.insert("origin", HeaderValue::from_str(origin).expect("an origin"));
    }
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(tungstenite::Error::Http(refusal))) => Err(refusal.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

fn plain(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("the server accepts");
    stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    stream
}

/// Registers `ada` as a browser's softphone does (RFC 7118 §5), and asserts the 200.
fn registers(socket: &mut WebSocket<impl Read + Write>, transport: &str) {
    let uri = "sip:sayso.test";
    let aor = "<sip:ada@sayso.test>";
    let mut ids = Ids {
        from: format!("{aor};tag={}", unique("t")),
        to: aor.to_owned(),
        call_id: unique("web"),
        cseq: 1,
    };
    let request = |ids: &Ids| {
        let via = format!("SIP/2.0/{transport} df7jal23ls0d.invalid;branch={}", unique("z9hG4bK"));
        Message::request("REGISTER", uri, &via, ids)
            .with("Contact", "<sip:ada@df7jal23ls0d.invalid;transport=ws>")
            .with("Expires", "600")
    };
    let mut ask = |message: &Message| {
        let text = String::from_utf8(message.bytes()).expect("text");
        socket.send(Frame::text(text)).expect("an open connection");
        let frame = socket.read().expect("an answer in time");
        let Frame::Text(text) = frame else { panic!("{frame:?}") };
        Message::parse(text.as_bytes()).expect("one whole message")
    };
    let challenge = ask(&request(&ids));
    assert_eq!(challenge.status(), Some(401));
    let answer = authorize(&challenge, ("ada", &password("ada")), ("REGISTER", uri)).expect("a known digest");
    ids.cseq += 1;
    let ok = ask(&request(&ids).with("Authorization", &answer));
    assert_eq!(ok.status(), Some(200), "{}", ok.start);
    assert!(ok.get("Contact").is_some_and(|contact| contact.contains("df7jal23ls0d.invalid")));
}

#[test]
fn a_web_client_registers_on_every_port() {
    let _machine = shared();
    let Secured { server, authority, _dir } = secured("");
    let (ws, wss, http) = (server.ws.expect("WS"), server.wss.expect("WSS"), server.http);
    let mut socket = web(plain(ws), &format!("ws://{ws}/"), "sip", None).expect("taken");
    registers(&mut socket, "WS");
    let desk = Some("https://desk.example");
    let mut socket = web(plain(http), &format!("ws://{http}/sip"), "sip", desk).expect("taken");
    registers(&mut socket, "WS");
    let stream = tls(wss, authority.client(None)).expect("a handshake");
    let mut socket = web(stream, &format!("wss://{wss}/"), "sip", desk).expect("taken");
    registers(&mut socket, "WSS");
    for (port, path) in [(ws, "/"), (http, "/sip")] {
        let url = format!("ws://{port}{path}");
        assert_eq!(web(plain(port), &url, "chat", None).err(), Some(400), "{url}: wrong subprotocol");
        let evil = Some("https://evil.example");
        assert_eq!(web(plain(port), &url, "sip", evil).err(), Some(403), "{url}: wrong origin");
    }
    assert_eq!(web(plain(http), &format!("ws://{http}/other"), "sip", None).err(), Some(404));
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart() {
    let _machine = shared();
    let Secured { server, authority, _dir } = secured("");
    let shown = || {
        let stream = tls(server.tls.expect("TLS"), authority.client(None)).expect("a handshake");
        stream.conn.peer_certificates().expect("a certificate")[0].as_ref().to_vec()
    };
    let first = shown();
    let pid = server.pid();
    let (_, second) = authority.sign("server", &["127.0.0.1", "localhost"]);
    assert_ne!(first, second);
    until(SOON, "the new certificate", || (shown() == second).then_some(()));
    assert_eq!(server.pid(), pid);
}

#[test]
fn without_a_certificate_nobody_gets_in_where_one_is_required() {
    let _machine = shared();
    let Secured { server, authority, _dir } = secured("require-client-certificate = true");
    let to = server.tls.expect("TLS");
    // In TLS 1.3 the refusal arrives after the client's own handshake.
    let refused = tls(to, authority.client(None)).and_then(|mut stream| probed(&mut stream));
    assert!(refused.is_err(), "{refused:?}");
    let (identity, _) = authority.sign("client", &["carrier.example"]);
    let mut stream = tls(to, authority.client(Some(&identity))).expect("a handshake");
    assert_eq!(probed(&mut stream).expect("an answer"), Some(200));
}

#[test]
fn stun_is_answered_on_the_sip_port() {
    let _machine = shared();
    let server = Server::start(&settings(NEVER, &[]));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"transaction!"].concat();
    socket.send_to(&request, server.udp).expect("loopback takes it");
    let mut answer = [0; 128];
    let length = socket.recv(&mut answer).expect("an answer");
    let port = (socket.local_addr().expect("bound").port() ^ 0x2112).to_be_bytes();
    assert_eq!((length, &answer[..2], &answer[4..20]), (32, &[1, 1][..], &request[4..]));
    assert_eq!(answer[26..28], port);
}

#[test]
fn a_call_over_ipv6() {
    let _machine = shared();
    let settings = settings(NEVER, &[]).replace("127.0.0.1/32", "::1/128");
    let server = Server::start_on(&settings, IpAddr::V6(Ipv6Addr::LOCALHOST), "");
    assert!(server.udp.is_ipv6());
    let mut caller = Phone::new(server.udp, Ipv6Addr::LOCALHOST, "+4930555001");
    caller.call_answered(NUMBER);
    assert_eq!(caller.audio.map(|audio| audio.ip()), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    caller.bye();
}
