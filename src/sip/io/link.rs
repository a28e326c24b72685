//! One connection: its kinds, and the task that reads and writes it until either side ends it.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error as WebError, Message};

use super::connections::Inbound;
use super::udp;
use crate::sip::core::{Flow, Transport};

/// A peer that takes nothing for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// What a closing connection has for its last messages.
const FLUSH: Duration = Duration::from_secs(5);
/// Bytes read at once.
const CHUNK: usize = 8_192;
/// Pings of ours that a WebSocket peer may leave unanswered.
const UNANSWERED: u32 = 3;

/// Octets both ways, whatever carries them.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection after its handshakes.
pub(super) enum Link {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Web { socket: Box<WebSocketStream<Box<dyn Duplex>>>, secure: bool },
}

impl Link {
    pub(super) const fn transport(&self) -> Transport {
        match self {
            Self::Tcp(_) => Transport::Tcp,
            Self::Tls(_) => Transport::Tls,
            Self::Web { secure: false, .. } => Transport::Ws,
            Self::Web { secure: true, .. } => Transport::Wss,
        }
    }
}

/// No delay for small messages, DSCP, and probes that find out about peers that vanished.
pub(super) fn tune(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    if let Ok(local) = stream.local_addr() {
        udp::mark(&socket, local);
    }
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    let tuned = stream.set_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        tracing::debug!(%error, "tuning a SIP connection");
    }
}

/// Reads and writes one connection until either side ends it, and says so once. A WebSocket is pinged
/// every `ping`.
pub(super) async fn serve(
    link: Link,
    flow: Flow,
    messages: mpsc::Receiver<Bytes>,
    inbound: mpsc::Sender<Inbound>,
    ping: Duration,
) {
    match link {
        Link::Tcp(stream) => {
            let (reader, writer) = stream.into_split();
            serve_stream(reader, writer, flow, messages, inbound).await;
        }
        Link::Tls(stream) => {
            let (reader, writer) = tokio::io::split(*stream);
            serve_stream(reader, writer, flow, messages, inbound).await;
        }
        Link::Web { socket, .. } => serve_web(*socket, flow, messages, inbound, ping).await,
    }
}

async fn serve_stream(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    flow: Flow,
    messages: mpsc::Receiver<Bytes>,
    inbound: mpsc::Sender<Inbound>,
) {
    let reading = read(reader, flow, &inbound);
    let writing = write(writer, messages);
    tokio::pin!(reading, writing);
    let read_ended = tokio::select! {
        () = &mut reading => true,
        () = &mut writing => false,
    };
    if read_ended {
        // Telling drops the queue's other end; what is left in it still goes out, for a peer that
        // closes its half once it has asked.
        let _ = inbound.send(Inbound::Closed { flow }).await;
        writing.await;
    } else {
        // Closing with bytes unread resets the connection, and our last message may be lost with it.
        let _ = timeout(FLUSH, reading).await;
        let _ = inbound.send(Inbound::Closed { flow }).await;
    }
}

async fn read(mut reader: impl AsyncRead + Unpin, flow: Flow, inbound: &mpsc::Sender<Inbound>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        match reader.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let bytes = buffer.split().freeze();
                if inbound.send(Inbound::Bytes { flow, bytes }).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn write(mut writer: impl AsyncWrite + Unpin, mut messages: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = messages.recv().await {
        let written = if messages.is_closed() {
            timeout(FLUSH, write_rest(&mut writer, bytes, &mut messages)).await
        } else {
            timeout(WRITE, write_one(&mut writer, &bytes)).await
        };
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
    // TLS says its last word here, which may have to wait for the peer.
    let _ = timeout(FLUSH, writer.shutdown()).await;
}

async fn write_one(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await // TLS may hold back what the socket did not take
}

async fn write_rest(
    writer: &mut (impl AsyncWrite + Unpin),
    first: Bytes,
    messages: &mut mpsc::Receiver<Bytes>,
) -> io::Result<()> {
    write_one(writer, &first).await?;
    while let Some(bytes) = messages.recv().await {
        write_one(writer, &bytes).await?;
    }
    Ok(())
}

/// One frame is one message, both ways (RFC 7118 §5).
async fn serve_web(
    mut socket: WebSocketStream<Box<dyn Duplex>>,
    flow: Flow,
    mut messages: mpsc::Receiver<Bytes>,
    inbound: mpsc::Sender<Inbound>,
    ping: Duration,
) {
    let mut pings = interval(ping);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.tick().await; // the first comes at once
    let mut unanswered = 0;
    loop {
        tokio::select! {
            frame = socket.next() => {
                unanswered = 0;
                let bytes = match frame {
                    Some(Ok(Message::Text(text))) => Bytes::from(text),
                    Some(Ok(Message::Binary(bytes))) => bytes,
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                };
                if inbound.send(Inbound::Bytes { flow, bytes }).await.is_err() {
                    break;
                }
            }
            message = messages.recv() => {
                let Some(bytes) = message else { break };
                if !said(&mut socket, frame_of(bytes)).await {
                    break;
                }
            }
            _ = pings.tick() => {
                unanswered += 1;
                if unanswered > UNANSWERED || !said(&mut socket, Message::Ping(Bytes::new())).await {
                    break;
                }
            }
        }
    }
    let ending = async {
        while let Ok(bytes) = messages.try_recv() {
            if !said(&mut socket, frame_of(bytes)).await {
                return;
            }
        }
        if socket.close(None).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {} // until the peer's own close
        }
    };
    let _ = timeout(FLUSH, ending).await;
    let _ = inbound.send(Inbound::Closed { flow }).await;
}

/// Browsers show text frames to people who look for faults; what is no UTF-8 goes as binary.
fn frame_of(bytes: Bytes) -> Message {
    match bytes.clone().try_into() {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(bytes),
    }
}

async fn said(socket: &mut WebSocketStream<Box<dyn Duplex>>, message: Message) -> bool {
    let sent: Result<Result<(), WebError>, _> = timeout(WRITE, socket.send(message)).await;
    matches!(sent, Ok(Ok(())))
}
