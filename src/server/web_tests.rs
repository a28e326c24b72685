//! The HTTP port in TLS, spoken to by a client.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::*;
use crate::api::{self, Readiness};
use crate::settings::{Settings, Trunk};
use crate::sip::io::{StackConfig, TlsFiles};
use crate::time::Clock;

#[allow(clippy::duplicate_mod)] // the same helper in the tests of `sip/io`
#[path = "../../sip-tests/harness/authority.rs"]
mod authority;

const PATIENCE: Duration = Duration::from_secs(10);

/// The HTTP port in TLS serves its own routes and makes WebSockets of connections.
#[tokio::test]
async fn https_serves_and_gives_web_sockets_away() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority::Authority::new(dir.path());
    let (identity, _) = authority.sign("server", &["127.0.0.1"]);
    let certificates = TlsFiles { identity: Some(identity), ..TlsFiles::default() };
    let certificates = Certificates::load(certificates).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let stack = StackConfig { udp: vec![any], tcp: vec![], ..StackConfig::default() };
    let trunk = Trunk { networks: vec!["127.0.0.1/32".parse().unwrap()], ..Trunk::default() };
    let mut settings = Settings::default();
    settings.trunks.insert("t".into(), Arc::new(trunk));
    let (events, _taken) = mpsc::channel(10);
    let sip = crate::sip::io::start(stack, Arc::new(settings), Clock::start(), events).await.unwrap();
    let mut config = Config::default();
    config.http.tls = true;
    let ready = Readiness { store: true, draining: false, generation: 1 };
    let (_ready_out, ready) = watch::channel(ready);
    let front = front(&config, certificates, sip.web(), None);
    let at = api::start(any, front, api::install_metrics(), ready).await.unwrap();

    // Who says nothing holds up nobody.
    let _silent = TcpStream::connect(at).await.unwrap();
    let connect = async || {
        let stream = TcpStream::connect(at).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(authority.client(None)).connect(name, stream).await.unwrap()
    };
    let mut stream = timeout(PATIENCE, connect()).await.expect("a handshake in time");
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let _ = timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer in time");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    let mut request = format!("wss://{at}/sip").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "sip".parse().unwrap());
    let upgraded = timeout(PATIENCE, client_async(request, connect().await)).await.expect("in time");
    let (mut socket, _) = upgraded.unwrap();
    let options = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/WSS x.invalid;branch=z9hG4bKw\r\n\
                   From: <sip:a@x>;tag=1\r\nTo: <sip:x>\r\nCall-ID: w\r\nCSeq: 1 OPTIONS\r\n\r\n";
    socket.send(Message::text(options)).await.unwrap();
    let frame = timeout(PATIENCE, socket.next()).await.expect("an answer in time");
    let Some(Ok(Message::Text(answer))) = frame else { panic!("{frame:?}") };
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
}
