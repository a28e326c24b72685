//! TLS and WebSocket on loopback.

use futures_util::{SinkExt, StreamExt};
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error as WebError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::authority::{Authority, Identity};
use super::*;

const LOOPBACK: [&str; 2] = ["127.0.0.1", "localhost"];

/// A stack with TLS, WebSocket and both together, and who signed its certificate.
struct Secured {
    stack: Stack,
    authority: Authority,
    /// The octets of its first certificate.
    first: Vec<u8>,
    _dir: tempfile::TempDir,
}

async fn secured(change: impl FnOnce(&Authority, &mut TlsFiles, &mut StackConfig)) -> Secured {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let (identity, first) = authority.sign("server", &LOOPBACK);
    let stack = Stack::start(|config| {
        let mut files = TlsFiles { identity: Some(identity), ..TlsFiles::default() };
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        (config.tls, config.ws, config.wss) = (vec![any], vec![any], vec![any]);
        change(&authority, &mut files, config);
        config.certificates = Certificates::load(files).unwrap();
    });
    let stack = stack.await;
    Secured { stack, authority, first, _dir: dir }
}

impl Secured {
    async fn tls(&self, at: Transport, identity: Option<&Identity>) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.stack.address(at)).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(self.authority.client(identity)).connect(name, stream).await
    }

    async fn web(&self, protocol: &str, origin: Option<&str>) -> Result<WebSocketStream<TcpStream>, u16> {
        let at = self.stack.address(Transport::Ws);
        let stream = TcpStream::connect(at).await.unwrap();
        upgrade(stream, &format!("ws://{at}/"), protocol, origin).await
    }
}

/// The status of the refusal, if it is one.
async fn upgrade<S: Duplex>(
    stream: S,
    url: &str,
    protocol: &str,
    origin: Option<&str>,
) -> Result<WebSocketStream<S>, u16> {
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", HeaderValue::from_str(protocol).unwrap());
    if let Some(origin) = origin {
        headers.insert("origin", HeaderValue::from_str(origin).unwrap());
    }
    match timeout(PATIENCE, client_async(request, stream)).await.expect("in time") {
        Ok((socket, response)) => {
            assert_eq!(response.headers()["sec-websocket-protocol"], "sip");
            Ok(socket)
        }
        Err(WebError::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

async fn asked<S: AsyncReadExt + AsyncWriteExt + Unpin>(
    stream: &mut S,
    call: &str,
) -> std::io::Result<String> {
    stream.write_all(request("OPTIONS", "TLS", call).as_bytes()).await?;
    stream.flush().await?;
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\n") {
        let mut buffer = [0; 4096];
        let length = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer in time")?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    Ok(answer)
}

async fn framed<S: Duplex>(socket: &mut WebSocketStream<S>, frame: Message) -> Option<Message> {
    socket.send(frame).await.ok()?;
    timeout(PATIENCE, socket.next()).await.expect("a frame in time")?.ok()
}

#[tokio::test]
async fn tls_carries_sip() {
    let secured = secured(|_, _, _| ()).await;
    let mut stream = secured.tls(Transport::Tls, None).await.unwrap();
    let answer = asked(&mut stream, "in-tls").await.unwrap();
    assert_ok(&answer, "in-tls");
    let mut pong = [0; 2];
    stream.write_all(b"\r\n\r\n").await.unwrap();
    timeout(PATIENCE, stream.read_exact(&mut pong)).await.expect("a pong in time").unwrap();
    assert_eq!(&pong, b"\r\n");
    stream.shutdown().await.unwrap();
    secured.stack.until(|status| status.connections == 0).await;
}

#[tokio::test]
async fn who_must_show_a_certificate_does() {
    let secured = secured(|authority, files, _| {
        files.client_ca = Some(authority.ca());
        files.require_client = true;
    })
    .await;
    // In TLS 1.3 the client learns of the refusal with the first octets it reads.
    let none = async { asked(&mut secured.tls(Transport::Tls, None).await?, "none").await };
    assert!(none.await.is_err());
    let (known, _) = secured.authority.sign("client", &["client.example"]);
    let mut stream = secured.tls(Transport::Tls, Some(&known)).await.unwrap();
    assert_ok(&asked(&mut stream, "known").await.unwrap(), "known");
    let elsewhere = tempfile::tempdir().unwrap();
    let (other, _) = Authority::new(elsewhere.path()).sign("client", &["client.example"]);
    let other = async { asked(&mut secured.tls(Transport::Tls, Some(&other)).await?, "other").await };
    assert!(other.await.is_err());
    assert!(secured.tls(Transport::Wss, None).await.is_ok(), "browsers are not asked");
}

#[tokio::test]
async fn a_new_certificate_counts_without_a_restart() {
    let secured = secured(|_, _, _| ()).await;
    let shown = async || {
        let stream = secured.tls(Transport::Tls, None).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].as_ref().to_vec()
    };
    let mut old = secured.tls(Transport::Tls, None).await.unwrap();
    assert_eq!(shown().await, secured.first);
    let ((certificate, _), _) = secured.authority.sign("server", &LOOPBACK);
    std::fs::write(&certificate, "no certificate at all").unwrap();
    let (_, second) = secured.authority.sign("server", &LOOPBACK);
    let seen = async { while shown().await != second {} };
    timeout(PATIENCE, seen).await.expect("the new one in time");
    assert_ok(&asked(&mut old, "old").await.unwrap(), "old");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let (good, _) = authority.sign("good", &LOOPBACK);
    let (other, _) = authority.sign("other", &LOOPBACK);
    let missing = dir.path().join("missing.pem");
    let load = |files| Certificates::load(files).unwrap_err().to_string();
    let mixed = TlsFiles { identity: Some((good.0.clone(), other.1)), ..TlsFiles::default() };
    assert!(load(mixed).contains("good.pem"));
    let absent = TlsFiles { identity: Some((missing.clone(), good.1.clone())), ..TlsFiles::default() };
    assert!(load(absent).contains("missing.pem"));
    let key = TlsFiles { identity: Some((good.1.clone(), good.1.clone())), ..TlsFiles::default() };
    assert!(load(key).contains("good.key"), "a key is no certificate");
    let ca = TlsFiles { ca: Some(missing), ..TlsFiles::default() };
    assert!(load(ca).contains("missing.pem"));
}

#[tokio::test]
async fn a_web_client_speaks_in_frames() {
    let secured = secured(|_, _, _| ()).await;
    let mut socket = secured.web("sip", None).await.unwrap();
    let text = request("OPTIONS", "WS", "text");
    let Some(Message::Text(answer)) = framed(&mut socket, Message::text(text)).await else { panic!("text") };
    assert_ok(&answer, "text");
    let binary = Message::binary(request("OPTIONS", "WS", "binary").into_bytes());
    let Some(Message::Text(answer)) = framed(&mut socket, binary).await else { panic!("text") };
    assert_ok(&answer, "binary");
    let pong = framed(&mut socket, Message::Ping("are you there".into())).await;
    assert_eq!(pong, Some(Message::Pong("are you there".into())));
    let pong = framed(&mut socket, Message::text("\r\n\r\n")).await;
    assert_eq!(pong, Some(Message::text("\r\n")));
    // Two messages in a frame are one message with a long body; half a message is a malformed one.
    let half = Message::text("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKh\r\n");
    socket.send(half).await.unwrap();
    let after = Message::text(request("OPTIONS", "WS", "after"));
    let Some(Message::Text(answer)) = framed(&mut socket, after).await else { panic!("text") };
    assert_ok(&answer, "after");
    socket.send(Message::binary(vec![b'x'; 70_000])).await.unwrap();
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("an end in time") {
            None | Some(Err(_)) => break,
            Some(Ok(frame)) => assert!(matches!(frame, Message::Close(_)), "{frame:?}"),
        }
    }
    secured.stack.until(|status| status.connections == 0 && status.core.connections == 0).await;
}

#[tokio::test]
async fn web_clients_are_judged() {
    let secured = secured(|_, _, config| config.ws_origins = vec!["https://desk.example".to_owned()]).await;
    assert_eq!(secured.web("chat", None).await.err(), Some(400));
    assert_eq!(secured.web("sip", Some("https://evil.example")).await.err(), Some(403));
    assert!(secured.web("chat, sip", Some("https://desk.example")).await.is_ok());
    let stream = secured.tls(Transport::Wss, None).await.unwrap();
    let url = format!("wss://{}/any/path", secured.stack.address(Transport::Wss));
    let mut socket = upgrade(stream, &url, "sip", None).await.unwrap();
    let frame = framed(&mut socket, Message::text(request("OPTIONS", "WSS", "wss"))).await;
    let Some(Message::Text(answer)) = frame else { panic!("text") };
    assert_ok(&answer, "wss");
}

#[tokio::test]
async fn web_clients_are_pinged_and_the_silent_are_closed() {
    let secured = secured(|_, _, config| config.ping = Duration::from_millis(50)).await;
    let mut good = secured.web("sip", None).await.unwrap();
    for _ in 0..5 {
        let frame = timeout(PATIENCE, good.next()).await.expect("a ping in time").unwrap().unwrap();
        assert!(matches!(frame, Message::Ping(_)));
    }
    secured.stack.until(|status| status.connections == 1).await;
    // Who is not read answers no pings.
    let silent = secured.web("sip", None).await.unwrap();
    let gone = secured.stack.until(|status| status.connections == 1);
    tokio::join!(gone, async {
        while secured.stack.handle.status().borrow().connections > 1 {
            let _ = timeout(Duration::from_millis(20), good.next()).await;
        }
    });
    drop(silent);
}

#[tokio::test]
async fn slow_handshakes_are_cut_off() {
    let secured = secured(|_, _, config| config.handshake = Duration::from_millis(100)).await;
    for transport in [Transport::Tls, Transport::Ws, Transport::Wss] {
        let mut silent = TcpStream::connect(secured.stack.address(transport)).await.unwrap();
        // Each begins as it should: a TLS record, a GET.
        let start = if transport.is_secure() { b"\x16" } else { b"G" };
        silent.write_all(start).await.unwrap();
        let read = timeout(PATIENCE, silent.read(&mut [0; 16])).await.expect("an end in time");
        assert!(matches!(read, Ok(0) | Err(_)), "{transport:?}");
    }
    assert_eq!(secured.stack.handle.status().borrow().connections, 0);
}

/// Two stacks: one calls the other, which it knows by the name of `known`.
async fn calls_out(transport: Transport, known: &str, trusts: bool) -> bool {
    let secured = secured(|_, _, _| ()).await;
    let at = secured.stack.address(transport);
    let mut caller = Stack::start(|config| {
        let ca = trusts.then(|| secured.authority.ca());
        config.certificates = Certificates::load(TlsFiles { ca, ..TlsFiles::default() }).unwrap();
        config.names = vec![(at, known.to_owned())];
        config.web_client = true;
    })
    .await;
    let dialog = caller.handle.new_dialog();
    let to = Callee::Uri { uri: format!("sip:x@{at}"), remote: at, transport, login: None };
    let (from, sdp) = ("200".to_owned(), bytes::Bytes::from_static(b"v=0\r\n"));
    caller.handle.send(Command::Invite { dialog, to, from, sdp, particulars: Box::default() }).unwrap();
    let mut callee = secured.stack;
    tokio::select! {
        event = callee.event() => matches!(event, Event::Incoming(call) if call.flow.transport == transport),
        event = caller.event() => {
            assert!(matches!(event, Event::Ended { status: Some(503), .. }), "{event:?}");
            false
        }
    }
}

#[tokio::test]
async fn servers_have_to_prove_who_they_are() {
    assert!(calls_out(Transport::Tls, "localhost", true).await);
    assert!(calls_out(Transport::Tls, "127.0.0.1", true).await);
    assert!(!calls_out(Transport::Tls, "other.example", true).await, "another name");
    assert!(!calls_out(Transport::Tls, "localhost", false).await, "an unknown authority");
    assert!(calls_out(Transport::Ws, "", false).await);
    assert!(calls_out(Transport::Wss, "localhost", true).await);
}
