//! The [`Endpoint`]: what the shell feeds and drains. It dispatches; the rules are in the
//! sibling modules.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::io::{Command, DialogId, Flow, Output, Transport};
use crate::settings::Settings;
use crate::time::Timestamp;

/// What an [`Endpoint`] is told once, at its start.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// The digest realm, also the domain of our own addresses.
    pub realm: String,
    /// User-Agent and Server.
    pub user_agent: String,
    /// What we put in Via and Contact, per transport. At least one.
    pub contacts: Vec<(Transport, SocketAddr)>,
    /// RFC 3261's timer constants.
    pub timers: Timers,
    /// At most so many dialogs, early ones included; more INVITEs get 503.
    pub max_dialogs: usize,
    /// At most so many server transactions; more requests get 503.
    pub max_transactions: usize,
    /// At most so many TCP connections; more are closed.
    pub max_connections: usize,
    /// How long a refused source is ignored.
    pub stranger_ignore: Duration,
    /// The shortest registration we take, in seconds; shorter gets 423.
    pub min_expires: u32,
    /// The longest registration we grant, in seconds.
    pub max_expires: u32,
    /// Granted when the phone does not say, in seconds.
    pub default_expires: u32,
    /// At most so many phones of one agent.
    pub max_bindings: usize,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            realm: "sayso".to_owned(),
            user_agent: concat!("Sayso/", env!("CARGO_PKG_VERSION")).to_owned(),
            contacts: Vec::new(),
            timers: Timers::default(),
            max_dialogs: 10_000,
            max_transactions: 65_536,
            max_connections: 4_096,
            stranger_ignore: Duration::from_secs(60),
            min_expires: 30,
            max_expires: 3_600,
            default_expires: 600,
            max_bindings: 10,
        }
    }
}

/// RFC 3261 §17.1.1.1's constants; every other timer is made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate; the first retransmission comes after this.
    pub t1: Duration,
    /// The longest interval between retransmissions.
    pub t2: Duration,
    /// How long a message can linger in the network.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

/// How full the tables are: for metrics and leak tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Dialogs, early and closing ones included.
    pub dialogs: usize,
    /// Requests of ours that wait for an answer or its retransmissions.
    pub client_transactions: usize,
    /// Requests of others that we answer or whose retransmissions we absorb.
    pub server_transactions: usize,
    /// Timers that run.
    pub timers: usize,
    /// TCP connections.
    pub connections: usize,
    /// Phones logged on.
    pub registrations: usize,
}

/// A SIP user agent and registrar, without I/O. After each call that takes `now`, drain
/// [`Endpoint::poll_output`], then ask [`Endpoint::poll_timeout`].
pub struct Endpoint {
    config: EndpointConfig,
    settings: Arc<Settings>,
    outputs: VecDeque<Output>,
    next_dialog: u64,
}

impl Endpoint {
    /// An endpoint; tags, branches and nonces are derived from `secret` with a counter.
    #[must_use]
    pub fn new(config: EndpointConfig, secret: [u8; 32], settings: Arc<Settings>) -> Self {
        let _ = secret;
        Self { config, settings, outputs: VecDeque::new(), next_dialog: 0 }
    }

    /// One datagram, or any chunk of a TCP stream.
    pub fn receive(&mut self, flow: Flow, bytes: Bytes, now: Timestamp) {
        let _ = (flow, bytes, now);
    }

    /// A TCP connection came to be, from either side.
    pub fn connected(&mut self, flow: Flow, now: Timestamp) {
        let _ = (flow, now);
    }

    /// A TCP connection went; with `connection` 0: it could not be made.
    pub fn closed(&mut self, flow: Flow, now: Timestamp) {
        let _ = (flow, now);
    }

    /// Draws a number for [`Command::Invite`] or [`Command::Register`].
    pub fn new_dialog(&mut self) -> DialogId {
        self.next_dialog += 1;
        DialogId(self.next_dialog)
    }

    /// Does what the user asks. A command for a dialog that is gone is ignored: races are normal.
    pub fn command(&mut self, command: Command, now: Timestamp) {
        let _ = (command, now, &self.config);
    }

    /// Takes new settings; calls that are there stay.
    pub fn settings(&mut self, settings: Arc<Settings>, now: Timestamp) {
        let _ = now;
        self.settings = settings;
    }

    /// The next thing the shell must do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Endpoint::handle_timeout`]; `None`: nothing runs.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// Runs what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// How full the tables are.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes::default()
    }
}
