//! The table of connections, with a queue for each. Nothing here waits for another connection: a queue
//! that is full costs its own connection only.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use metrics::counter;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::link::{self, Link};
use super::tls::Certificates;
use super::web;
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
/// Our pings on a quiet connection that we made (RFC 5626 §4.4.1: between 95 and 120 s).
const CRLF_EVERY: Duration = Duration::from_secs(100);
const PING: &[u8] = b"\r\n\r\n";
/// Names of servers by address; more are forgotten.
const MAX_NAMES: usize = 4_096;

/// What the connections tell the task that owns the endpoint.
pub(super) enum Inbound {
    /// Somebody connected.
    Accepted { link: Link, local: SocketAddr, remote: SocketAddr },
    /// We connected, or could not.
    Connected { transport: Transport, remote: SocketAddr, result: io::Result<(Link, SocketAddr)> },
    /// A piece of what came; of a WebSocket, a message.
    Bytes { flow: Flow, bytes: Bytes },
    /// Nothing more comes.
    Closed { flow: Flow },
}

/// How long connections may be quiet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) most: usize,
    pub(super) idle: Duration,
    pub(super) first_word: Duration,
    /// Between pings of a WebSocket.
    pub(super) ping: Duration,
    /// Whether WebSocket connections may be made.
    pub(super) web_client: bool,
}

/// The table of connections.
pub(super) struct Connections {
    open: HashMap<u64, Connection>,
    /// Messages for connections being made.
    making: HashMap<(Transport, SocketAddr), Making>,
    /// What servers at an address must prove to be.
    names: HashMap<SocketAddr, ServerName<'static>>,
    inbound: mpsc::Sender<Inbound>,
    certificates: Certificates,
    last_number: u64,
    limits: Limits,
}

struct Connection {
    flow: Flow,
    /// `None`: closing.
    outbox: Option<mpsc::Sender<Bytes>>,
    /// When something last went or came.
    busy: Timestamp,
    from: From,
}

/// Who made a connection.
enum From {
    /// We did, and pinged it then.
    Us { pinged: Timestamp },
    /// They did; whether they ever said anything.
    Them { spoke: bool },
}

struct Making {
    flow: Flow,
    messages: Vec<Bytes>,
}

impl Connections {
    pub(super) fn new(inbound: mpsc::Sender<Inbound>, certificates: Certificates, limits: Limits) -> Self {
        let (open, making, names) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { open, making, names, inbound, certificates, last_number: 0, limits }
    }

    /// A server at this address has to show a certificate for this name (RFC 5922 §4); one whose name is
    /// not known, for its address.
    pub(super) fn name(&mut self, address: SocketAddr, host: &str) {
        if self.names.len() >= MAX_NAMES && !self.names.contains_key(&address) {
            self.names.clear();
        }
        if let Ok(name) = ServerName::try_from(host.trim_end_matches('.').to_owned()) {
            self.names.insert(address, name);
        }
    }

    /// Open, closing and being made.
    pub(super) fn len(&self) -> usize {
        self.open.len() + self.making.len()
    }

    /// How often to ask for [`Self::quiet`] ones.
    pub(super) fn sweep_every(&self) -> Duration {
        (self.limits.idle.min(self.limits.first_word) / 4)
            .clamp(Duration::from_millis(10), Duration::from_secs(15))
    }

    /// Takes an accepted connection in; `None` when there are too many.
    pub(super) fn accepted(
        &mut self,
        link: Link,
        local: SocketAddr,
        remote: SocketAddr,
        now: Timestamp,
    ) -> Option<Flow> {
        if self.len() >= self.limits.most {
            counter!("sayso_sip_connections_refused_total").increment(1);
            return None;
        }
        Some(self.add(link, local, remote, From::Them { spoke: false }, now))
    }

    /// A connection we wanted is there, or not: `Err` with the flow the endpoint asked for, and why.
    pub(super) fn connected(
        &mut self,
        transport: Transport,
        remote: SocketAddr,
        result: io::Result<(Link, SocketAddr)>,
        now: Timestamp,
    ) -> Option<Result<Flow, (Flow, io::Error)>> {
        let Making { flow: asked, messages } = self.making.remove(&(transport, remote))?;
        let (link, local) = match result {
            Ok(connected) => connected,
            Err(error) => {
                counter!("sayso_sip_connect_failed_total").increment(1);
                tracing::info!(%error, %remote, ?transport, "a SIP server cannot be connected to");
                return Some(Err((asked, error)));
            }
        };
        let flow = self.add(link, local, remote, From::Us { pinged: now }, now);
        for message in messages {
            let Sent::Done = self.send(flow, message, now) else { break };
        }
        Some(Ok(flow))
    }

    /// Something came over a connection; `false`: it is closing, and nobody wants it.
    pub(super) fn received(&mut self, flow: &Flow, now: Timestamp) -> bool {
        let Some(connection) = self.open.get_mut(&flow.connection) else { return false };
        connection.busy = now;
        if let From::Them { spoke } = &mut connection.from {
            *spoke = true;
        }
        connection.outbox.is_some()
    }

    /// Queues a message. A connection that does not keep up is closed: what is late by a full queue
    /// is no use any more. With `connection` 0 one is made first.
    pub(super) fn send(&mut self, flow: Flow, bytes: Bytes, now: Timestamp) -> Sent {
        if flow.connection == 0 {
            return self.send_new(flow, bytes);
        }
        let Some(connection) = self.open.get_mut(&flow.connection) else {
            counter!("sayso_sip_send_failed_total", "transport" => flow.transport.param()).increment(1);
            return Sent::Done; // it went while the message was made: the endpoint is told already
        };
        connection.busy = now;
        let full = match &connection.outbox {
            Some(outbox) => outbox.try_send(bytes).is_err(),
            None => false,
        };
        if full {
            counter!("sayso_sip_send_failed_total", "transport" => flow.transport.param()).increment(1);
            connection.outbox = None;
        }
        Sent::Done
    }

    fn send_new(&mut self, flow: Flow, bytes: Bytes) -> Sent {
        let room = self.len() < self.limits.most;
        let Flow { transport, remote, .. } = flow;
        if let Some(making) = self.making.get_mut(&(transport, remote)) {
            if making.messages.len() < MAX_WAITING {
                making.messages.push(bytes);
            } else {
                counter!("sayso_sip_send_failed_total", "transport" => transport.param()).increment(1);
            }
            return Sent::Done;
        }
        if matches!(transport, Transport::Ws | Transport::Wss) && !self.limits.web_client {
            return Sent::NoConnection(flow);
        }
        if !room {
            counter!("sayso_sip_connections_refused_total").increment(1);
            return Sent::NoConnection(flow);
        }
        self.making.insert((transport, remote), Making { flow, messages: vec![bytes] });
        let inbound = self.inbound.clone();
        let certificates = self.certificates.clone();
        let name = self.names.get(&remote).cloned().unwrap_or_else(|| remote.ip().into());
        tokio::spawn(async move {
            let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut));
            let connecting = connect(transport, remote, name, &certificates);
            let result = timeout(CONNECT, connecting).await.unwrap_or_else(late);
            // The stack may have ended meanwhile.
            let _ = inbound.send(Inbound::Connected { transport, remote, result }).await;
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
        let limit = |connection: &Connection| match connection.from {
            From::Us { .. } | From::Them { spoke: true } => self.limits.idle,
            From::Them { spoke: false } => self.limits.first_word,
        };
        let open = self.open.values().filter(|connection| connection.outbox.is_some());
        open.filter(|c| now.since(c.busy) >= limit(c)).map(|c| c.flow).collect()
    }

    /// Pings streams that we made and that have been quiet for a while, so that what is between us and the
    /// server does not forget them (RFC 5626 §4.4.1). WebSockets have pings of their own.
    pub(super) fn ping_quiet(&mut self, now: Timestamp) {
        for connection in self.open.values_mut().filter(|c| c.flow.transport.is_stream()) {
            let From::Us { pinged } = &mut connection.from else { continue };
            let Some(outbox) = &connection.outbox else { continue };
            if now.since(*pinged) >= CRLF_EVERY && now.since(connection.busy) >= CRLF_EVERY {
                *pinged = now;
                let _ = outbox.try_send(Bytes::from_static(PING)); // with a full queue it is not quiet
            }
        }
    }

    fn add(&mut self, link: Link, local: SocketAddr, remote: SocketAddr, from: From, now: Timestamp) -> Flow {
        self.last_number += 1;
        let flow = Flow { transport: link.transport(), local, remote, connection: self.last_number };
        let (outbox, messages) = mpsc::channel(MAX_OUTBOUND);
        tokio::spawn(link::serve(link, flow, messages, self.inbound.clone(), self.limits.ping));
        self.open.insert(flow.connection, Connection { flow, outbox: Some(outbox), busy: now, from });
        flow
    }
}

/// Makes a connection, with all its handshakes. A server that cannot prove to be `name` is refused.
async fn connect(
    transport: Transport,
    remote: SocketAddr,
    name: ServerName<'static>,
    certificates: &Certificates,
) -> io::Result<(Link, SocketAddr)> {
    let stream = TcpStream::connect(remote).await?;
    link::tune(&stream);
    let local = stream.local_addr()?;
    let host = remote.to_string();
    let link = match transport {
        Transport::Udp | Transport::Tcp => Link::Tcp(stream),
        Transport::Ws => web::connect(Box::new(stream), &host, false).await?,
        Transport::Tls | Transport::Wss => {
            let connector = certificates.connector().map_err(io::Error::other)?;
            let stream = connector.connect(name, stream).await?;
            match transport {
                Transport::Wss => web::connect(Box::new(stream), &host, true).await?,
                Transport::Udp | Transport::Tcp | Transport::Tls | Transport::Ws => {
                    Link::Tls(Box::new(stream.into()))
                }
            }
        }
    };
    Ok((link, local))
}

/// What became of a message.
#[must_use]
pub(super) enum Sent {
    /// It waits for its turn, or is lost with its connection, which is told separately.
    Done,
    /// There is no room for another connection.
    NoConnection(Flow),
}
