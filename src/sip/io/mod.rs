//! SIP's sockets: UDP, TCP, TLS and WebSocket around an [`Endpoint`], owned by one task.
//!
//! [`start`] binds and begins; the [`SipHandle`] takes commands, events come out of the channel given.
//! The stack ends when its last handle or the events' receiver is dropped.

mod asks;
mod connections;
mod count;
mod link;
mod listen;
mod resolve;
mod task;
#[cfg(test)]
mod tests;
mod tls;
mod udp;
mod web;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::rand;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use super::core::naming::Means;
use super::core::{
    Command, DialogId, Endpoint, EndpointConfig, Event, Loan, Pressure, Refusals, Sizes, Traced, Transport,
};
use crate::ids::TrunkId;
use crate::settings::{Outbound, Settings};
use crate::time::Clock;

pub use asks::{ProbeEnd, Unreachable};
pub use link::Duplex;
pub use tls::{Certificates, TlsError, TlsFiles};
pub use web::WebDoor;

/// Commands that may wait. A call makes about ten in its life, so 8,192 is a burst of 800 calls.
const MAX_COMMANDS: usize = 8_192;

/// What [`start`] needs to know.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Where to listen for datagrams; port 0 draws one. From a wildcard socket answers leave from the
    /// address that was asked.
    pub udp: Vec<SocketAddr>,
    /// Where to listen for connections.
    pub tcp: Vec<SocketAddr>,
    /// The same in TLS.
    pub tls: Vec<SocketAddr>,
    /// Where to listen for WebSocket clients.
    pub ws: Vec<SocketAddr>,
    /// The same in TLS.
    pub wss: Vec<SocketAddr>,
    /// For `tls` and `wss`, and for connections of our own.
    pub certificates: Certificates,
    /// The web pages whose scripts may connect, `*` for all; empty: those of the same host and port.
    pub ws_origins: Vec<String>,
    /// Name servers; empty: the system's.
    pub dns: Vec<SocketAddr>,
    /// Servers at these addresses have to prove to have these names; they come on top of those that were
    /// looked up.
    pub names: Vec<(SocketAddr, String)>,
    /// The digest realm.
    pub realm: String,
    /// A connection without traffic is closed after this, unless a call or a phone depends on it.
    pub idle: Duration,
    /// A connection that has not said anything since it came is closed after this.
    pub first_word: Duration,
    /// The handshakes of TLS and WebSocket together may take this long.
    pub handshake: Duration,
    /// Whether it may connect to WebSocket servers, as a phone does. A server does not: a browser whose
    /// connection is gone cannot be connected to (RFC 7118 §5).
    pub web_client: bool,
    /// How often WebSocket peers are pinged; who misses three is gone.
    pub ping: Duration,
    /// Who is told what was said in each dialog, once it has ended; without a taker nothing of it is kept. One that does
    /// not keep up loses some.
    pub traces: Option<mpsc::Sender<Traced>>,
    /// The rest of what the core needs; its `realm` and `contacts` are filled in here.
    pub endpoint: EndpointConfig,
}

impl Default for StackConfig {
    fn default() -> Self {
        let endpoint = EndpointConfig::default();
        Self {
            udp: vec![SocketAddr::from(([0, 0, 0, 0], 5060))],
            tcp: vec![SocketAddr::from(([0, 0, 0, 0], 5060))],
            tls: Vec::new(),
            ws: Vec::new(),
            wss: Vec::new(),
            certificates: Certificates::default(),
            ws_origins: Vec::new(),
            dns: Vec::new(),
            names: Vec::new(),
            realm: endpoint.realm.clone(),
            idle: Duration::from_secs(600),
            first_word: Duration::from_secs(32),
            handshake: Duration::from_secs(10),
            web_client: false,
            ping: Duration::from_secs(25),
            traces: None,
            endpoint,
        }
    }
}

/// Why the stack could not start.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// A socket could not be bound.
    #[error(
        "cannot listen on {transport:?} {address}: {source}; is another server there, or the address not ours?"
    )]
    Bind {
        /// Of what kind.
        transport: Transport,
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// No addresses were given.
    #[error("no address to listen on: name at least one for UDP, TCP, TLS or WebSocket")]
    NoAddress,
    /// There is no certificate for TLS.
    #[error("cannot listen on {transport:?} {address} without a certificate: name one and its key")]
    NoCertificate {
        /// TLS or WSS.
        transport: Transport,
        /// Where.
        address: SocketAddr,
    },
    /// The system gave no random bytes.
    #[error("the system's random source failed")]
    Random,
}

/// A command that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Too many wait already: the machine is overloaded. Try again, or give the call up.
    #[error("the SIP stack has {MAX_COMMANDS} commands waiting")]
    Full,
    /// The stack has ended.
    #[error("the SIP stack has ended")]
    Gone,
}

/// The way to a running stack. Clones are alike.
#[derive(Clone)]
pub struct SipHandle {
    commands: mpsc::Sender<Command>,
    /// Without a bound, for what is taken back must not be lost; sessions bound how many there are.
    loans: mpsc::UnboundedSender<Lending>,
    asks: mpsc::Sender<asks::Ask>,
    settings: Arc<watch::Sender<Arc<Settings>>>,
    pressure: Arc<watch::Sender<Pressure>>,
    leaving: Arc<watch::Sender<bool>>,
    status: watch::Receiver<Status>,
    dialogs: Arc<AtomicU64>,
    local: Arc<[(Transport, SocketAddr)]>,
    web: WebDoor,
}

/// What is done with user names that are lent.
enum Lending {
    Lend(Loan),
    TakeBack(String),
}

/// How full everything is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The core's tables.
    pub core: Sizes,
    /// Connections open, closing or being made.
    pub connections: usize,
    /// What limits have refused.
    pub refusals: Refusals,
}

impl SipHandle {
    /// Hands a command over; never blocks.
    ///
    /// # Errors
    /// [`SendError`]; the command is lost then.
    pub fn send(&self, command: Command) -> Result<(), SendError> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Gone,
        })
    }

    /// Lends an agent's phone a user name and password of its own; one with the same name takes its place.
    ///
    /// # Errors
    /// [`SendError`]; nothing was lent then.
    pub fn lend(&self, loan: Loan) -> Result<(), SendError> {
        self.hand(Lending::Lend(loan))
    }

    /// Takes a loan back before its time: phones that logged on with it are logged off at once. Calls go on.
    ///
    /// # Errors
    /// [`SendError`]; it is still lent then.
    pub fn take_back(&self, user: &str) -> Result<(), SendError> {
        self.hand(Lending::TakeBack(user.to_owned()))
    }

    fn hand(&self, lending: Lending) -> Result<(), SendError> {
        self.loans.send(lending).map_err(|_| SendError::Gone)
    }

    /// The share of places taken among the commands that wait, 0 to 1.
    #[must_use]
    pub fn backlog(&self) -> f32 {
        1.0 - self.commands.capacity() as f32 / self.commands.max_capacity() as f32
    }

    /// Asks a trunk's server, which is what `outbound` says, whether it is there, by OPTIONS; takes [`PROBE_PATIENCE`](super::core::PROBE_PATIENCE) at
    /// most.
    ///
    /// # Errors
    /// [`SendError`]; it was not asked then.
    pub async fn probe(&self, trunk: TrunkId, outbound: Outbound) -> Result<ProbeEnd, SendError> {
        self.ask(|answer| asks::Ask::Probe(trunk, outbound, answer)).await
    }

    /// What was said in these dialogs so far; those that are not known, or were told of already, are left out.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn traces(&self, dialogs: Vec<DialogId>) -> Result<Vec<Traced>, SendError> {
        self.ask(|answer| asks::Ask::Traces(dialogs, answer)).await
    }

    async fn ask<T>(&self, what: impl FnOnce(oneshot::Sender<T>) -> asks::Ask) -> Result<T, SendError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(what(answer)).await.map_err(|_| SendError::Gone)?;
        answered.await.map_err(|_| SendError::Gone)
    }

    /// Draws a number for [`Command::Invite`] or [`Command::Register`]. They are of the upper half,
    /// so they never meet those the endpoint draws for incoming calls.
    #[must_use]
    pub fn new_dialog(&self) -> DialogId {
        DialogId(self.dialogs.fetch_add(1, Ordering::Relaxed))
    }

    /// Swaps the settings; only the newest counts if several come at once.
    pub fn settings(&self, settings: Arc<Settings>) {
        self.settings.send_replace(settings);
    }

    /// Tells the stack how busy the rest of the machine is: under pressure it refuses new calls itself.
    pub fn pressure(&self, level: Pressure) {
        self.pressure.send_if_modified(|was| std::mem::replace(was, level) != level);
    }

    /// Takes our registrations at trunks back, for a server that drains; returns when they have answered
    /// or failed. Calls go on.
    pub async fn take_leave(&self) {
        self.leaving.send_replace(true);
        let mut status = self.status.clone();
        // An error means that the stack has ended, and its registrations with it.
        let _ = status.wait_for(|status| status.core.trunks == 0).await;
    }

    /// How full the core's tables were when the stack last went to sleep.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        self.status.borrow().core
    }

    /// The same with the sockets' part, to be watched as it changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Where the stack listens, drawn ports filled in.
    #[must_use]
    pub fn local(&self) -> &[(Transport, SocketAddr)] {
        &self.local
    }

    /// For an HTTP server that gives WebSocket connections away.
    #[must_use]
    pub fn web(&self) -> WebDoor {
        self.web.clone()
    }
}

impl fmt::Debug for SipHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SipHandle").field("local", &self.local).finish_non_exhaustive()
    }
}

/// Binds all sockets and starts the task that owns the endpoint. `events` may be slow: when it is
/// full, the stack stops reading its sockets until there is room again, and loses no event.
///
/// # Errors
/// [`StackError`], naming the address that could not be bound.
#[allow(clippy::unused_async)] // it needs a runtime, which an `async fn` says
pub async fn start(
    config: StackConfig,
    settings: Arc<Settings>,
    clock: Clock,
    events: mpsc::Sender<Event>,
) -> Result<SipHandle, StackError> {
    let (udp, listeners) = bind_all(&config)?;
    let local: Arc<[_]> = (udp.local().map(|address| (Transport::Udp, address)))
        .chain(listeners.iter().map(|(_, address, transport)| (*transport, *address)))
        .collect();
    if local.is_empty() {
        return Err(StackError::NoAddress);
    }
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(|_| StackError::Random)?;
    let (realm, trace) = (config.realm.clone(), config.traces.is_some());
    let endpoint = EndpointConfig { realm, trace, contacts: contacts(&local), ..config.endpoint.clone() };
    let limits = connections::Limits {
        most: endpoint.max_connections,
        idle: config.idle,
        first_word: config.first_word,
        ping: config.ping,
        web_client: config.web_client,
    };
    let endpoint = Endpoint::new(endpoint, secret, Arc::clone(&settings));

    let (commands, commands_in) = mpsc::channel(MAX_COMMANDS);
    let (loans, loans_in) = mpsc::unbounded_channel();
    let (asks, asks_in) = mpsc::channel(asks::MAX_WAITING);
    let (settings, settings_in) = watch::channel(settings);
    let (pressure, pressure_in) = watch::channel(Pressure::None);
    let (leaving, leaving_in) = watch::channel(false);
    let (status_out, status) = watch::channel(Status::default());
    let (inbound, inbound_in) = mpsc::channel(connections::MAX_INBOUND);
    let door = listen::Door {
        inbound: inbound.clone(),
        certificates: config.certificates.clone(),
        origins: config.ws_origins.into(),
        handshakes: listen::Handshakes::default(),
        patience: config.handshake,
    };
    let mut accepting = tokio::task::JoinSet::new();
    for (listener, address, transport) in listeners {
        accepting.spawn(listen::accept(listener, address, transport, door.clone()));
    }
    accepting.spawn(config.certificates.clone().watch());
    let mut connections = connections::Connections::new(inbound, config.certificates, limits);
    for (address, name) in &config.names {
        connections.name(*address, name);
    }
    let lookups = resolve::Lookups::new(&config.dns, means(&local));
    let inputs = task::Inputs {
        commands: commands_in,
        loans: loans_in,
        asks: asks_in,
        settings: settings_in,
        pressure: pressure_in,
        leaving: leaving_in,
        inbound: inbound_in,
        accepting,
    };
    let answers = asks::Answers::new(config.traces);
    let task = task::Task::new(endpoint, (udp, connections, lookups), (events, answers), status_out, clock);
    tokio::spawn(task.run(inputs));
    let dialogs = Arc::new(AtomicU64::new(1 << 63));
    let (settings, leaving, pressure) = (Arc::new(settings), Arc::new(leaving), Arc::new(pressure));
    let web = WebDoor(door);
    Ok(SipHandle { commands, loans, asks, settings, pressure, leaving, status, dialogs, local, web })
}

/// All sockets: those for datagrams, and those that accept connections of a transport.
type Bound = (udp::Sockets, Vec<(TcpListener, SocketAddr, Transport)>);

fn bind_all(config: &StackConfig) -> Result<Bound, StackError> {
    let bind_error = |transport, address| move |source| StackError::Bind { transport, address, source };
    let mut udp = Vec::new();
    for address in &config.udp {
        udp.push(udp::bind(*address).map_err(bind_error(Transport::Udp, *address))?);
    }
    let mut listeners = Vec::new();
    let wanted = [(Transport::Tcp, &config.tcp), (Transport::Tls, &config.tls), (Transport::Ws, &config.ws)];
    for (transport, addresses) in wanted.into_iter().chain([(Transport::Wss, &config.wss)]) {
        for address in addresses {
            if transport.is_secure() && !config.certificates.can_accept() {
                return Err(StackError::NoCertificate { transport, address: *address });
            }
            let (listener, at) = listen::bind(*address).map_err(bind_error(transport, *address))?;
            listeners.push((listener, at, transport));
        }
    }
    Ok((udp::Sockets::new(udp), listeners))
}

/// What we can send by: datagrams where there is a socket, connections in every family that we listen in.
fn means(local: &[(Transport, SocketAddr)]) -> Means {
    let mut ways = Vec::new();
    for is_ipv4 in [true, false] {
        let mut ours = local.iter().filter(|(_, at)| at.is_ipv4() == is_ipv4).map(|(of, _)| *of).peekable();
        if ours.peek().is_some() {
            ways.extend([(Transport::Tcp, is_ipv4), (Transport::Tls, is_ipv4)]);
        }
        if ours.any(|of| of == Transport::Udp) {
            ways.push((Transport::Udp, is_ipv4));
        }
    }
    Means { ways }
}

/// A number to draw lots with; not a secret.
fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without it the draws of SRV records are the same each time, and nothing else is lost.
    let _ = rand::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

/// What Via and Contact say for each bound address.
fn contacts(local: &[(Transport, SocketAddr)]) -> Vec<(Transport, SocketAddr)> {
    let reachable = |at: IpAddr| if at.is_unspecified() { own_address(at) } else { at };
    local.iter().map(|(transport, at)| (*transport, SocketAddr::new(reachable(at.ip()), at.port()))).collect()
}

/// The address this host has on its default route; loopback when it has none. Connecting a datagram
/// socket sends nothing, and 192.0.2.1 and 2001:db8::1 are nobody's (RFC 5737, RFC 3849).
fn own_address(wildcard: IpAddr) -> IpAddr {
    let (somebody, loopback): (IpAddr, IpAddr) = if wildcard.is_ipv4() {
        (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::LOCALHOST.into())
    } else {
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(), Ipv6Addr::LOCALHOST.into())
    };
    let ask = || {
        let socket = std::net::UdpSocket::bind((wildcard, 0))?;
        socket.connect((somebody, 9))?;
        socket.local_addr()
    };
    ask().map_or(loopback, |address| address.ip())
}
