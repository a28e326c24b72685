//! Connections: a task for each, which reads and writes it, and the table of them.
//!
//! Nothing here waits for another connection: a queue that is full costs its own connection only.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use metrics::counter;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::udp;
use crate::sip::core::{Flow, Transport};
use crate::time::Timestamp;

/// Chunks from all connections that may wait for the endpoint; past it, TCP's own flow control works.
pub(super) const MAX_INBOUND: usize = 1_024;
/// Messages that may wait for one connection.
const MAX_OUTBOUND: usize = 256;
/// Messages that may wait for a connection being made.
const MAX_WAITING: usize = 64;
/// Making a connection takes at most this; a quarter of what a transaction waits at most.
const CONNECT: Duration = Duration::from_secs(8);
/// A peer that takes nothing for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// What a closing connection has for its last messages.
const FLUSH: Duration = Duration::from_secs(5);
/// Bytes read at once.
const CHUNK: usize = 8_192;
/// Connections the system keeps for us until we accept them.
const BACKLOG: i32 = 1_024;
/// When accepting fails (no descriptors left), before it is tried again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What the connections tell the task that owns the endpoint.
pub(super) enum Inbound {
    /// Somebody connected.
    Accepted { stream: TcpStream, local: SocketAddr, remote: SocketAddr },
    /// We connected, or could not.
    Connected { remote: SocketAddr, result: io::Result<TcpStream> },
    /// A piece of what came.
    Bytes { flow: Flow, bytes: Bytes },
    /// Nothing more comes.
    Closed { flow: Flow },
}

/// A socket that accepts, and its address.
pub(super) fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Lets a restarted server bind while old connections linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Accepts until the stack ends.
pub(super) async fn accept(listener: TcpListener, address: SocketAddr, inbound: mpsc::Sender<Inbound>) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                // On a wildcard socket each connection has an address of its own.
                let local = stream.local_addr().unwrap_or(address);
                if inbound.send(Inbound::Accepted { stream, local, remote }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                counter!("sayso_sip_accept_failed_total").increment(1);
                tracing::warn!(%error, %address, "accepting a SIP connection");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// The table of connections.
pub(super) struct Connections {
    open: HashMap<u64, Connection>,
    /// Messages for connections being made.
    making: HashMap<SocketAddr, Making>,
    inbound: mpsc::Sender<Inbound>,
    last_number: u64,
    most: usize,
    idle: Duration,
    first_word: Duration,
}

struct Connection {
    flow: Flow,
    /// `None`: closing.
    outbox: Option<mpsc::Sender<Bytes>>,
    /// When something last went or came.
    busy: Timestamp,
    /// Whether the peer ever said anything, or we called it.
    proven: bool,
}

struct Making {
    flow: Flow,
    messages: Vec<Bytes>,
}

impl Connections {
    pub(super) fn new(
        inbound: mpsc::Sender<Inbound>,
        most: usize,
        idle: Duration,
        first_word: Duration,
    ) -> Self {
        let (open, making) = (HashMap::new(), HashMap::new());
        Self { open, making, inbound, last_number: 0, most, idle, first_word }
    }

    /// Open, closing and being made.
    pub(super) fn len(&self) -> usize {
        self.open.len() + self.making.len()
    }

    /// How often to ask for [`Self::quiet`] ones.
    pub(super) fn sweep_every(&self) -> Duration {
        (self.idle.min(self.first_word) / 4).clamp(Duration::from_millis(10), Duration::from_secs(15))
    }

    /// Takes an accepted connection in; `None` when there are too many.
    pub(super) fn accepted(
        &mut self,
        stream: TcpStream,
        local: SocketAddr,
        remote: SocketAddr,
        now: Timestamp,
    ) -> Option<Flow> {
        if self.len() >= self.most {
            counter!("sayso_sip_connections_refused_total").increment(1);
            return None;
        }
        Some(self.add(stream, local, remote, false, now))
    }

    /// A connection we wanted is there, or not: `Err` with the flow the endpoint asked for.
    pub(super) fn connected(
        &mut self,
        remote: SocketAddr,
        result: io::Result<TcpStream>,
        now: Timestamp,
    ) -> Option<Result<Flow, Flow>> {
        let Making { flow: asked, messages } = self.making.remove(&remote)?;
        let stream = match result {
            Ok(stream) => stream,
            Err(error) => {
                counter!("sayso_sip_connect_failed_total").increment(1);
                tracing::debug!(%error, %remote, "connecting");
                return Some(Err(asked));
            }
        };
        let local = stream.local_addr().unwrap_or(asked.local);
        let flow = self.add(stream, local, remote, true, now);
        for message in messages {
            let Sent::Done = self.send(flow, message, now) else { break };
        }
        Some(Ok(flow))
    }

    /// Something came over a connection; `false`: it is closing, and nobody wants it.
    pub(super) fn received(&mut self, flow: &Flow, now: Timestamp) -> bool {
        let Some(connection) = self.open.get_mut(&flow.connection) else { return false };
        connection.busy = now;
        connection.proven = true;
        connection.outbox.is_some()
    }

    /// Queues a message. A connection that does not keep up is closed: what is late by a full queue
    /// is no use any more. With `connection` 0 one is made first.
    pub(super) fn send(&mut self, flow: Flow, bytes: Bytes, now: Timestamp) -> Sent {
        if flow.connection == 0 {
            return self.send_new(flow, bytes);
        }
        let Some(connection) = self.open.get_mut(&flow.connection) else {
            counter!("sayso_sip_send_failed_total", "transport" => "tcp").increment(1);
            return Sent::Done; // it went while the message was made: the endpoint is told already
        };
        connection.busy = now;
        let full = match &connection.outbox {
            Some(outbox) => outbox.try_send(bytes).is_err(),
            None => false,
        };
        if full {
            counter!("sayso_sip_send_failed_total", "transport" => "tcp").increment(1);
            connection.outbox = None;
        }
        Sent::Done
    }

    fn send_new(&mut self, flow: Flow, bytes: Bytes) -> Sent {
        let room = self.len() < self.most;
        if let Some(making) = self.making.get_mut(&flow.remote) {
            if making.messages.len() < MAX_WAITING {
                making.messages.push(bytes);
            } else {
                counter!("sayso_sip_send_failed_total", "transport" => "tcp").increment(1);
            }
            return Sent::Done;
        }
        if !room {
            counter!("sayso_sip_connections_refused_total").increment(1);
            return Sent::NoConnection(flow);
        }
        let remote = flow.remote;
        self.making.insert(remote, Making { flow, messages: vec![bytes] });
        let inbound = self.inbound.clone();
        tokio::spawn(async move {
            let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut));
            let result = timeout(CONNECT, TcpStream::connect(remote)).await.unwrap_or_else(late);
            // The stack may have ended meanwhile.
            let _ = inbound.send(Inbound::Connected { remote, result }).await;
        });
        Sent::Done
    }

    /// Closes a connection once what waits for it is sent. [`Inbound::Closed`] follows.
    pub(super) fn close(&mut self, flow: &Flow) {
        if let Some(connection) = self.open.get_mut(&flow.connection) {
            connection.outbox = None;
        }
    }

    /// A connection's task has ended: forgets it. `false`: it was forgotten before.
    pub(super) fn closed(&mut self, flow: &Flow) -> bool {
        self.open.remove(&flow.connection).is_some()
    }

    /// Connections that were quiet for too long. Close those that nothing depends on.
    pub(super) fn quiet(&self, now: Timestamp) -> Vec<Flow> {
        let limit = |connection: &Connection| if connection.proven { self.idle } else { self.first_word };
        let open = self.open.values().filter(|connection| connection.outbox.is_some());
        open.filter(|c| now.since(c.busy) >= limit(c)).map(|c| c.flow).collect()
    }

    fn add(
        &mut self,
        stream: TcpStream,
        local: SocketAddr,
        remote: SocketAddr,
        proven: bool,
        now: Timestamp,
    ) -> Flow {
        self.last_number += 1;
        let flow = Flow { transport: Transport::Tcp, local, remote, connection: self.last_number };
        let (outbox, messages) = mpsc::channel(MAX_OUTBOUND);
        tune(&stream, local);
        tokio::spawn(serve(stream, flow, messages, self.inbound.clone()));
        self.open.insert(flow.connection, Connection { flow, outbox: Some(outbox), busy: now, proven });
        flow
    }
}

/// What became of a message.
#[must_use]
pub(super) enum Sent {
    /// It waits for its turn, or is lost with its connection, which is told separately.
    Done,
    /// There is no room for another connection.
    NoConnection(Flow),
}

/// No delay for small messages, DSCP, and probes that find out about peers that vanished.
fn tune(stream: &TcpStream, local: SocketAddr) {
    let socket = SockRef::from(stream);
    udp::mark(&socket, local);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    let tuned = stream.set_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        tracing::debug!(%error, "tuning a SIP connection");
    }
}

/// Reads and writes one connection until either side ends it, and says so once.
async fn serve(
    stream: TcpStream,
    flow: Flow,
    messages: mpsc::Receiver<Bytes>,
    inbound: mpsc::Sender<Inbound>,
) {
    let (reader, writer) = stream.into_split();
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

async fn read(mut reader: OwnedReadHalf, flow: Flow, inbound: &mpsc::Sender<Inbound>) {
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

async fn write(mut writer: OwnedWriteHalf, mut messages: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = messages.recv().await {
        let written = if messages.is_closed() {
            timeout(FLUSH, write_rest(&mut writer, bytes, &mut messages)).await
        } else {
            timeout(WRITE, writer.write_all(&bytes)).await
        };
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

async fn write_rest(
    writer: &mut OwnedWriteHalf,
    first: Bytes,
    messages: &mut mpsc::Receiver<Bytes>,
) -> io::Result<()> {
    writer.write_all(&first).await?;
    while let Some(bytes) = messages.recv().await {
        writer.write_all(&bytes).await?;
    }
    Ok(())
}
