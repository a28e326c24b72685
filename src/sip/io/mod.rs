//! SIP's sockets: UDP and TCP around an [`Endpoint`], owned by one task.
//!
//! [`start`] binds and begins; the [`SipHandle`] takes commands, events come out of the channel given.
//! The stack ends when its last handle or the events' receiver is dropped.

mod count;
mod task;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::rand;
use tokio::sync::{mpsc, watch};

use super::core::{Command, DialogId, Endpoint, EndpointConfig, Event, Sizes, Transport};
use crate::settings::Settings;
use crate::time::Clock;

/// Commands that may wait. A call makes about ten in its life, so 8,192 is a burst of 800 calls.
const MAX_COMMANDS: usize = 8_192;

/// What [`start`] needs to know.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Where to listen for datagrams; port 0 draws one. On a host with several networks name the
    /// addresses: from a wildcard socket the kernel chooses the source address of an answer.
    pub udp: Vec<SocketAddr>,
    /// Where to listen for connections.
    pub tcp: Vec<SocketAddr>,
    /// The address others reach us at, when it is not the bound one (NAT, wildcard).
    pub advertise: Option<IpAddr>,
    /// The digest realm.
    pub realm: String,
    /// A TCP connection without traffic is closed after this, unless a call or a phone depends on it.
    pub idle: Duration,
    /// A TCP connection that has not said anything since it came is closed after this.
    pub first_word: Duration,
    /// The rest of what the core needs; its `realm` and `contacts` are filled in here.
    pub endpoint: EndpointConfig,
}

impl Default for StackConfig {
    fn default() -> Self {
        let endpoint = EndpointConfig::default();
        Self {
            udp: vec![SocketAddr::from(([0, 0, 0, 0], 5060))],
            tcp: vec![SocketAddr::from(([0, 0, 0, 0], 5060))],
            advertise: None,
            realm: endpoint.realm.clone(),
            idle: Duration::from_secs(600),
            first_word: Duration::from_secs(32),
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
    /// Neither UDP nor TCP addresses were given.
    #[error("no address to listen on: name at least one for UDP or TCP")]
    NoAddress,
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
#[derive(Clone, Debug)]
pub struct SipHandle {
    commands: mpsc::Sender<Command>,
    settings: Arc<watch::Sender<Arc<Settings>>>,
    status: watch::Receiver<Status>,
    dialogs: Arc<AtomicU64>,
    local: Arc<[(Transport, SocketAddr)]>,
}

/// How full everything is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The core's tables.
    pub core: Sizes,
    /// TCP connections open, closing or being made.
    pub connections: usize,
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

    /// The share of places taken among the commands that wait, 0 to 1.
    #[must_use]
    pub fn backlog(&self) -> f32 {
        1.0 - self.commands.capacity() as f32 / self.commands.max_capacity() as f32
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
    let bind_error = |transport, address| move |source| StackError::Bind { transport, address, source };
    let mut udp = Vec::new();
    for address in &config.udp {
        udp.push(udp::bind(*address).map_err(bind_error(Transport::Udp, *address))?);
    }
    let mut listeners = Vec::new();
    for address in &config.tcp {
        listeners.push(tcp::listen(*address).map_err(bind_error(Transport::Tcp, *address))?);
    }
    let udp = udp::Sockets::new(udp);
    let local: Arc<[_]> = (udp.local().map(|address| (Transport::Udp, address)))
        .chain(listeners.iter().map(|(_, address)| (Transport::Tcp, *address)))
        .collect();
    if local.is_empty() {
        return Err(StackError::NoAddress);
    }
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(|_| StackError::Random)?;
    let endpoint = EndpointConfig {
        realm: config.realm.clone(),
        contacts: contacts(&local, config.advertise),
        ..config.endpoint.clone()
    };
    let max_connections = endpoint.max_connections;
    let endpoint = Endpoint::new(endpoint, secret, Arc::clone(&settings));

    let (commands, commands_in) = mpsc::channel(MAX_COMMANDS);
    let (settings, settings_in) = watch::channel(settings);
    let (status_out, status) = watch::channel(Status::default());
    let (inbound, inbound_in) = mpsc::channel(tcp::MAX_INBOUND);
    let mut accepting = tokio::task::JoinSet::new();
    for (listener, address) in listeners {
        accepting.spawn(tcp::accept(listener, address, inbound.clone()));
    }
    let connections = tcp::Connections::new(inbound, max_connections, config.idle, config.first_word);
    let inputs =
        task::Inputs { commands: commands_in, settings: settings_in, inbound: inbound_in, accepting };
    let task = task::Task::new(endpoint, udp, connections, events, status_out, clock);
    tokio::spawn(task.run(inputs));
    let dialogs = Arc::new(AtomicU64::new(1 << 63));
    Ok(SipHandle { commands, settings: Arc::new(settings), status, dialogs, local })
}

/// What Via and Contact say for each bound address.
fn contacts(local: &[(Transport, SocketAddr)], advertise: Option<IpAddr>) -> Vec<(Transport, SocketAddr)> {
    let reachable = |bound: IpAddr| match advertise {
        Some(ip) if ip.is_ipv4() == bound.is_ipv4() => ip,
        Some(_) | None if bound.is_unspecified() => own_address(bound),
        Some(_) | None => bound,
    };
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
