//! The [`Endpoint`]: what the shell feeds and drains. It dispatches; the rules are in the
//! sibling modules.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::digest::{Algorithm, DigestServer};
use super::gate::Gate;
use super::guard::Refusals;
use super::io::{Command, DialogId, Event, Flow, Loan, Output, Phones, Query, Transport};
use super::leg::Leg;
use super::loans::Loans;
use super::locate::Questions;
use super::mint::Mint;
use super::nat::Nat;
use super::outbound;
use super::pressure::Pressure;
use super::probe::Probes;
use super::refer::Transfers;
use super::registrar::Registrar;
use super::registration::Registrations;
use super::stream::Connections;
use super::timers::{Deadline, DialogTimer, TimerQueue};
use super::trace::{Traced, Traces};
use super::transactions::Transactions;
use super::uac::Wish;
use crate::settings::Settings;
use crate::time::Timestamp;

/// What an [`Endpoint`] is told once, at its start.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// The digest realm, also the domain of our own addresses.
    pub realm: String,
    /// What challenges offer, in this order.
    pub algorithms: Vec<Algorithm>,
    /// User-Agent and Server.
    pub user_agent: String,
    /// What we put in Via and Contact, per transport, as peers on our side of a NAT reach us. At least one.
    pub contacts: Vec<(Transport, SocketAddr)>,
    /// What the others are told instead.
    pub nat: Nat,
    /// What they are told in SDP, where the user writes its own addresses.
    pub media_nat: Nat,
    /// RFC 3261's timer constants.
    pub timers: Timers,
    /// At most so many dialogs, early ones included; more INVITEs get 503.
    pub max_dialogs: usize,
    /// At most so many server transactions; more requests get 503.
    pub max_transactions: usize,
    /// At most so many connections; more are closed.
    pub max_connections: usize,
    /// How long a refused source is ignored.
    pub stranger_ignore: Duration,
    /// How long a session may go without a refresh before it counts as dead (RFC 4028): what we ask for and
    /// the most we grant. Zero: we ask for none, and grant what is asked.
    pub session_expires: Duration,
    /// The shortest such interval we take; shorter gets 422. At least 90 s.
    pub min_se: Duration,
    /// Whether we refresh a session whose other side knows no session timers.
    pub refresh_alone: bool,
    /// The shortest registration we take, in seconds; shorter gets 423.
    pub min_expires: u32,
    /// The longest registration we grant, in seconds.
    pub max_expires: u32,
    /// Granted when the phone does not say, in seconds.
    pub default_expires: u32,
    /// At most so many phones of one agent.
    pub max_bindings: usize,
    /// Whether what is said in each dialog is kept, without what it says ([`Endpoint::poll_trace`]).
    pub trace: bool,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            realm: "sayso".to_owned(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            user_agent: concat!("Sayso/", env!("CARGO_PKG_VERSION")).to_owned(),
            contacts: Vec::new(),
            nat: Nat::default(),
            media_nat: Nat::default(),
            timers: Timers::default(),
            max_dialogs: 10_000,
            max_transactions: 65_536,
            max_connections: 4_096,
            stranger_ignore: Duration::from_secs(60),
            session_expires: Duration::from_secs(1_800),
            min_se: Duration::from_secs(90),
            refresh_alone: false,
            min_expires: 30,
            max_expires: 3_600,
            default_expires: 600,
            max_bindings: 10,
            trace: false,
        }
    }
}

impl EndpointConfig {
    /// The constants as the transaction machines take them.
    pub(super) fn machine_timers(&self) -> super::wire::Timers {
        super::wire::Timers { t1: self.timers.t1, t2: self.timers.t2, t4: self.timers.t4 }
    }

    /// 64*T1: how long an answer or an ACK is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.timers.t1 * 64
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
    /// Connections, of any transport.
    pub connections: usize,
    /// Agents with a phone logged on.
    pub registrations: usize,
    /// Registrations of ours at trunks' servers.
    pub trunks: usize,
    /// Transfers by REFER, until the last NOTIFY.
    pub transfers: usize,
    /// Questions to the name service.
    pub questions: usize,
    /// Dialogs whose messages are kept, those that just ended included.
    pub traces: usize,
    /// Trunks' servers being asked whether they are there.
    pub probes: usize,
}

impl Sizes {
    /// Whether nothing is under way: what must be so after 40 s of quiet.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.dialogs == 0
            && self.client_transactions == 0
            && self.server_transactions == 0
            && self.timers == 0
            && self.transfers == 0
            && self.questions == 0
            && self.traces == 0
            && self.probes == 0
    }
}

/// A SIP user agent and registrar, without I/O. After each call that takes `now`, drain
/// [`Endpoint::poll_output`], then ask [`Endpoint::poll_timeout`].
///
/// Each dialog that [`Event::Incoming`] or a command began ends in exactly one [`Event::Ended`].
pub struct Endpoint {
    pub(super) config: EndpointConfig,
    pub(super) settings: Arc<Settings>,
    pub(super) mint: Mint,
    pub(super) gate: Gate,
    pub(super) digest: DigestServer,
    pub(super) registrar: Registrar,
    pub(super) loans: Loans,
    pub(super) connections: Connections,
    pub(super) tx: Transactions,
    pub(super) timers: TimerQueue<Deadline>,
    pub(super) legs: HashMap<DialogId, Leg>,
    /// Legs by our tag.
    pub(super) tags: HashMap<String, DialogId>,
    /// Our registrations at trunks' servers.
    pub(super) registrations: Registrations,
    pub(super) transfers: Transfers,
    pub(super) questions: Questions,
    pub(super) traces: Traces,
    pub(super) probes: Probes,
    /// The CSeq of the last REGISTER sent, of whatever user: it must only grow (RFC 3261 §10.2.4).
    pub(super) last_register: u32,
    pub(super) told_pressure: Pressure,
    outputs: VecDeque<Output>,
    last_dialog: u64,
}

impl Endpoint {
    /// An endpoint; tags, branches and nonces are derived from `secret` with a counter.
    #[must_use]
    pub fn new(config: EndpointConfig, secret: [u8; 32], settings: Arc<Settings>) -> Self {
        let registrar = Registrar::new(
            config.min_expires,
            config.max_expires,
            config.default_expires,
            config.max_bindings,
        );
        let mint = Mint::new(&secret);
        let gate = Gate::new(Arc::clone(&settings), config.stranger_ignore, mint.seed());
        let mut endpoint = Self {
            mint,
            gate,
            digest: DigestServer::new(&config.realm, secret).offering(&config.algorithms),
            registrar,
            loans: Loans::default(),
            connections: Connections::default(),
            tx: Transactions::default(),
            timers: TimerQueue::new(),
            legs: HashMap::new(),
            tags: HashMap::new(),
            registrations: Registrations::default(),
            transfers: Transfers::default(),
            questions: Questions::default(),
            traces: Traces::new(config.trace),
            probes: Probes::default(),
            last_register: 0,
            told_pressure: Pressure::None,
            outputs: VecDeque::new(),
            last_dialog: 0,
            settings,
            config,
        };
        endpoint.wish_for_registrations();
        endpoint
    }

    /// One datagram, any chunk of a stream (TCP, TLS), or a WebSocket's frame, which is one message.
    pub fn receive(&mut self, flow: Flow, bytes: Bytes, now: Timestamp) {
        self.begin(now);
        if flow.transport.is_stream() {
            self.on_chunk(flow, &bytes, now);
        } else if flow.transport.is_datagram() {
            self.on_datagram(flow, bytes, now);
        } else {
            self.on_frame(flow, bytes, now);
        }
        self.tell_registrations();
    }

    /// A connection came to be that we asked for: who is at its other end has been checked as its
    /// transport allows.
    pub fn connected(&mut self, flow: Flow, now: Timestamp) {
        self.begin(now);
        self.on_connected(flow, true, now);
    }

    /// Somebody connected to us. Requests of ours to that address use it too, but not where the transport
    /// is secure: the address alone does not prove who that is.
    pub fn accepted(&mut self, flow: Flow, now: Timestamp) {
        self.begin(now);
        self.on_connected(flow, !flow.transport.is_secure(), now);
    }

    /// A connection went; with `connection` 0: it could not be made.
    pub fn closed(&mut self, flow: Flow, now: Timestamp) {
        self.begin(now);
        self.on_closed(flow, now);
        self.registrations_lost(&flow, now);
        self.tell_registrations();
    }

    /// Where a host is, in the order to be tried (RFC 3263); empty: it cannot be found. Answers
    /// [`Output::Resolve`].
    pub fn resolved(&mut self, query: Query, found: Vec<(Transport, SocketAddr)>, now: Timestamp) {
        self.begin(now);
        tracing::debug!(?query, ways = found.len(), "resolved");
        self.on_resolved(query, found, now);
    }

    /// Draws a number for [`Command::Invite`] or [`Command::Register`].
    pub fn new_dialog(&mut self) -> DialogId {
        self.last_dialog += 1;
        DialogId(self.last_dialog)
    }

    /// Does what the user asks. A command for a dialog that is gone is ignored: races are normal.
    pub fn command(&mut self, command: Command, now: Timestamp) {
        self.begin(now);
        match command {
            Command::Ring { dialog, sdp } => self.ring(dialog, sdp, now),
            Command::Answer { dialog, sdp } => self.answer(dialog, sdp, now),
            Command::Reject { dialog, status } => self.reject(dialog, status, now),
            Command::Invite { dialog, to, from, sdp, particulars } => {
                self.invite(dialog, to, Wish { from, sdp, particulars }, now);
            }
            Command::AcceptReinvite { dialog, sdp } => self.accept_reinvite(dialog, sdp, now),
            Command::RejectReinvite { dialog, status } => self.reject_reinvite(dialog, status, now),
            Command::Reinvite { dialog, sdp } => self.reinvite(dialog, sdp, now),
            Command::Hangup { dialog, cause } => self.hangup(dialog, cause, now),
            Command::Info { dialog, digit } => self.send_digit(dialog, digit, now),
            Command::AnswerRefer { dialog, status } => self.answer_refer(dialog, status, now),
            Command::Notify { dialog, status } => self.notify(dialog, status, now),
            Command::Refer { dialog, to, replaces } => self.refer(dialog, &to, replaces, now),
            Command::Register { dialog, registrar, transport, login, expires } => {
                self.log_on(dialog, (registrar, transport), login, expires, now);
            }
        }
    }

    /// Takes new settings; calls that are there stay, phones of agents that are gone are forgotten.
    pub fn settings(&mut self, settings: Arc<Settings>, now: Timestamp) {
        self.begin(now);
        tracing::debug!(%now, "new settings");
        self.gate.settings(Arc::clone(&settings));
        self.registrar.retain(|agent| settings.agents.contains_key(agent));
        self.registrar.classify(|agent, transport| outbound::media_of(&settings, agent, transport));
        self.settings = settings;
        self.renew_registrations(now);
        self.tell_registrations();
    }

    /// Lends an agent a user name and password; one with the same name takes its place.
    pub fn lend(&mut self, loan: Loan, now: Timestamp) {
        tracing::debug!(agent = %loan.agent, "a log-in was lent");
        for (agent, user) in self.loans.lend(&loan, &self.config.realm, now) {
            self.registrar.end_loan(&agent, &user);
        }
        self.tell_registrations();
    }

    /// Ends a loan at once, and what was registered with it.
    pub fn end_loan(&mut self, user: &str) {
        let Some(agent) = self.loans.end(user) else { return };
        tracing::debug!(%agent, "a log-in was taken back");
        self.registrar.end_loan(&agent, user);
        self.tell_registrations();
    }

    /// Takes our registrations at trunks back and makes no more: call it when the server drains. Calls
    /// go on.
    pub fn close(&mut self, now: Timestamp) {
        self.begin(now);
        self.close_registrations(now);
    }

    /// The next thing the shell must do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Endpoint::handle_timeout`]; `None`: nothing runs.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let own = self.timers.next().into_iter();
        let registered = self.registrar.poll_timeout().into_iter().chain(self.registrations.poll_timeout());
        own.chain(registered).chain(self.traces.poll_timeout()).min()
    }

    /// Runs what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.begin(now);
        while let Some(deadline) = self.timers.pop(now) {
            self.run(deadline, now);
        }
        self.run_registrations(now);
        if self.registrar.poll_timeout().is_some_and(|at| at <= now) {
            self.registrar.handle_timeout(now);
            self.tell_registrations();
        }
        let legs = &self.legs;
        self.traces.run(now, |dialog| legs.contains_key(&dialog));
    }

    /// What was said in a dialog that has ended, each once; nothing unless the configuration wants it.
    pub fn poll_trace(&mut self) -> Option<Traced> {
        self.traces.poll()
    }

    /// What was said in a dialog so far; `None`: it is not known, or [`Endpoint::poll_trace`] has told it.
    #[must_use]
    pub fn trace_so_far(&self, dialog: DialogId) -> Option<Traced> {
        self.traces.so_far(dialog)
    }

    /// How full the tables are.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let (client_transactions, server_transactions) = self.tx.len();
        Sizes {
            dialogs: self.legs.len(),
            client_transactions,
            server_transactions,
            timers: self.timers.len(),
            connections: self.connections.len(),
            registrations: self.registrar.len(),
            trunks: self.registrations.len(),
            transfers: self.transfers.len(),
            questions: self.questions.len(),
            traces: self.traces.len(),
            probes: self.probes.len(),
        }
    }

    /// What was refused by limits since the start, for metrics.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        self.gate.guard.refused
    }

    /// The numbers of the connections that a dialog or a phone depends on: do not close these
    /// for being quiet. Costs a walk over all dialogs.
    #[must_use]
    pub fn connections_in_use(&self) -> HashSet<u64> {
        let dialogs = self.legs.values().flat_map(Leg::dialogs).map(|dialog| dialog.flow);
        let tcp = dialogs.filter(|flow| !flow.transport.is_datagram()).map(|flow| flow.connection);
        tcp.chain(self.registrar.connections()).chain(self.registrations.connections()).collect()
    }

    fn run(&mut self, deadline: Deadline, now: Timestamp) {
        match deadline {
            Deadline::Server(id, timer) => self.on_server_timer(id, timer, now),
            Deadline::Client(id, timer) => self.on_client_timer(id, timer, now),
            Deadline::CancelUnanswered(id) => self.drop_client(id),
            Deadline::RingsTooLong(id) => self.rings_too_long(id, now),
            Deadline::TryNext(id) => self.try_next(id, now),
            Deadline::Probe(id) => self.probe_late(id),
            Deadline::Unresolved(query) => self.on_resolved(query, Vec::new(), now),
            Deadline::Referral(id) => self.referral_expired(id, now),
            Deadline::Reference(id) => self.reference_expired(id),
            Deadline::HalfMessage(connection) => {
                if let Some(flow) = self.connections.flow(connection) {
                    self.shut(flow, now);
                }
            }
            Deadline::Dialog(dialog, timer) => match timer {
                DialogTimer::Resend2xx => self.resend_2xx(dialog, now),
                DialogTimer::AckLate => self.ack_is_late(dialog, now),
                DialogTimer::Expires => self.invite_expired(dialog, now),
                DialogTimer::StillRinging => self.still_ringing(dialog, now),
                DialogTimer::ReinviteAgain => self.pursue_reinvite(dialog, now),
                DialogTimer::ResendProvisional => self.resend_provisional(dialog, now),
                DialogTimer::PrackLate => self.prack_is_late(dialog, now),
                DialogTimer::OfferLate => self.offer_is_late(dialog, now),
                DialogTimer::RefreshDue => self.refresh_due(dialog, now),
                DialogTimer::SessionExpires => self.session_expired(dialog, now),
            },
        }
    }

    /// Each input begins so: what is sent because of it is of this time.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.traces.now = now;
    }

    /// Sends over this flow, or over the connection that took its place.
    pub(super) fn send(&mut self, flow: Flow, bytes: Bytes) {
        let flow = self.connections.resolve(flow);
        let bytes = self.config.media_nat.describe(bytes, flow.remote.ip());
        self.output(Output::Send { flow, bytes });
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn waiting_outputs(&self) -> usize {
        self.outputs.len()
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Passes on which agents came and went since the last time.
    fn tell_registrations(&mut self) {
        while let Some((agent, phones)) = self.registrar.poll_change() {
            let on = phones != Phones::default();
            self.tell(Event::Registered { agent, on, phones });
        }
    }
}
