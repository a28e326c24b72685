//! The task that owns the endpoint: sockets, commands and time go in, messages and events come out.

use std::collections::VecDeque;
use std::sync::Arc;

use metrics::counter;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::asks::{Answers, Ask, Unreachable};
use super::connections::{Connections, Inbound, Sent};
use super::count::{self, Way};
use super::resolve::{Found, Lookups};
use super::{Lending, Status, random, udp};
use crate::settings::Settings;
use crate::sip::core::{Command, Endpoint, Event, Flow, Output, Pressure, Transport};
use crate::time::{Clock, Timestamp};

/// Inputs of one kind taken before the outputs they cause are sent: enough to save system calls,
/// few enough (a few ms of work) that timers and answers are not late.
const BATCH: usize = 64;
/// Events that may wait for their taker before the sockets are left unread. What commands and timers
/// cause may come on top; that is bounded by the dialogs there are.
const MAX_EVENTS: usize = 1_024;

/// Where things come from, apart from the datagram sockets.
pub(super) struct Inputs {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) loans: mpsc::UnboundedReceiver<Lending>,
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) settings: watch::Receiver<Arc<Settings>>,
    /// True once our registrations at trunks are to be taken back.
    pub(super) pressure: watch::Receiver<Pressure>,
    pub(super) leaving: watch::Receiver<bool>,
    pub(super) inbound: mpsc::Receiver<Inbound>,
    /// Stops accepting when dropped.
    pub(super) accepting: JoinSet<()>,
}

/// The endpoint and its sockets.
pub(super) struct Task {
    endpoint: Endpoint,
    udp: udp::Sockets,
    connections: Connections,
    lookups: Lookups,
    /// Not yet taken, in order.
    waiting: VecDeque<Event>,
    events: mpsc::Sender<Event>,
    answers: Answers,
    status: watch::Sender<Status>,
    clock: Clock,
    next_sweep: Timestamp,
}

impl Task {
    pub(super) fn new(
        endpoint: Endpoint,
        (udp, connections, lookups): (udp::Sockets, Connections, Lookups),
        (events, answers): (mpsc::Sender<Event>, Answers),
        status: watch::Sender<Status>,
        clock: Clock,
    ) -> Self {
        let next_sweep = clock.now() + connections.sweep_every();
        let waiting = VecDeque::new();
        Self { endpoint, udp, connections, lookups, waiting, events, answers, status, clock, next_sweep }
    }

    /// Runs until the last handle or the events' receiver is gone.
    pub(super) async fn run(mut self, inputs: Inputs) {
        let Inputs {
            mut commands,
            mut loans,
            mut asks,
            mut settings,
            mut pressure,
            mut leaving,
            mut inbound,
            accepting,
        } = inputs;
        let events = self.events.clone();
        let deadline = sleep_until(self.clock.instant(self.next_deadline()).into());
        tokio::pin!(deadline);
        loop {
            self.run_timers();
            self.drain();
            self.publish();
            let at = self.clock.instant(self.next_deadline()).into();
            if deadline.deadline() != at {
                deadline.as_mut().reset(at);
            }
            let has_room = self.waiting.len() < MAX_EVENTS;
            tokio::select! {
                permit = events.reserve(), if !self.waiting.is_empty() => match permit {
                    Ok(permit) => {
                        let event = self.waiting.pop_front().expect("the guard says there is one");
                        permit.send(event);
                    }
                    Err(_) => break,
                },
                () = self.udp.readable(), if has_room => self.receive_datagrams(),
                Some(first) = inbound.recv(), if has_room => {
                    let now = self.clock.now();
                    self.take(first, now);
                    for next in std::iter::from_fn(|| inbound.try_recv().ok()).take(BATCH - 1) {
                        self.take(next, now);
                    }
                }
                command = commands.recv() => {
                    let Some(first) = command else { break };
                    let now = self.clock.now();
                    self.endpoint.command(first, now);
                    for next in std::iter::from_fn(|| commands.try_recv().ok()).take(BATCH - 1) {
                        self.endpoint.command(next, now);
                    }
                }
                Some(lending) = loans.recv() => match lending {
                    Lending::Lend(loan) => self.endpoint.lend(loan, self.clock.now()),
                    Lending::TakeBack(user) => self.endpoint.end_loan(&user),
                },
                Some(ask) = asks.recv() => {
                    let now = self.clock.now();
                    self.answers.ask(ask, &mut self.endpoint, now);
                }
                Ok(()) = settings.changed() => {
                    let newest = Arc::clone(&settings.borrow_and_update());
                    self.endpoint.settings(newest, self.clock.now());
                }
                Ok(()) = pressure.changed() => {
                    let level = *pressure.borrow_and_update();
                    self.endpoint.pressure(level);
                }
                Ok(()) = leaving.changed() => self.endpoint.close(self.clock.now()),
                found = self.lookups.next() => self.found(found),
                () = events.closed() => break,
                () = &mut deadline => {}
            }
        }
        // What the last commands caused still goes out; the connections' tasks flush their queues.
        self.drain();
        drop(accepting);
        tracing::debug!("the SIP stack has ended");
    }

    fn next_deadline(&self) -> Timestamp {
        self.endpoint.poll_timeout().map_or(self.next_sweep, |at| at.min(self.next_sweep))
    }

    fn run_timers(&mut self) {
        let now = self.clock.now();
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        if self.next_sweep <= now {
            self.next_sweep = now + self.connections.sweep_every();
            self.close_quiet(now);
            self.connections.ping_quiet(now);
        }
    }

    /// Closes connections that have been quiet for long, unless a call or a phone depends on them.
    fn close_quiet(&mut self, now: Timestamp) {
        let quiet = self.connections.quiet(now);
        if quiet.is_empty() {
            return;
        }
        let in_use = self.endpoint.connections_in_use();
        for flow in quiet.iter().filter(|flow| !in_use.contains(&flow.connection)) {
            counter!("sayso_sip_connections_idle_total").increment(1);
            self.connections.close(flow);
        }
    }

    fn receive_datagrams(&mut self) {
        let now = self.clock.now();
        let endpoint = &mut self.endpoint;
        self.udp.receive(BATCH, now, |flow, bytes| {
            count::message(&bytes, Transport::Udp, Way::In);
            endpoint.receive(flow, bytes, now);
        });
    }

    /// Takes what a connection tells.
    fn take(&mut self, inbound: Inbound, now: Timestamp) {
        match inbound {
            Inbound::Accepted { link, local, remote } => {
                if let Some(flow) = self.connections.accepted(link, local, remote, now) {
                    self.endpoint.accepted(flow, now);
                }
            }
            Inbound::Connected { transport, remote, result } => {
                match self.connections.connected(transport, remote, result, now) {
                    Some(Ok(flow)) => self.endpoint.connected(flow, now),
                    Some(Err((asked, error))) => {
                        self.answers.failed(Unreachable::of(&error));
                        self.endpoint.closed(asked, now);
                        self.answers.told(&mut self.endpoint);
                    }
                    None => {}
                }
            }
            Inbound::Bytes { flow, bytes } => {
                if self.connections.received(&flow, now) {
                    count::message(&bytes, flow.transport, Way::In);
                    self.endpoint.receive(flow, bytes, now);
                }
            }
            Inbound::Closed { flow } => {
                if self.connections.closed(&flow) {
                    self.endpoint.closed(flow, now);
                }
            }
        }
    }

    /// Does all the endpoint asks for.
    fn drain(&mut self) {
        let now = self.clock.now();
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Resolve(query, wanted) => {
                    if let Some(found) = self.lookups.begin(query, wanted, random()) {
                        self.found(found);
                    }
                }
                Output::Send { flow, bytes } => self.send(flow, bytes, now),
                Output::Close(flow) => self.connections.close(&flow),
                Output::Event(event) => self.tell(event),
            }
        }
        self.answers.told(&mut self.endpoint);
    }

    /// Tells the endpoint where a host is, and keeps what it has to prove to be.
    fn found(&mut self, found: Found) {
        let Found { query, wanted, ways } = found;
        for (_, address) in ways.iter().filter(|(transport, _)| transport.is_secure()) {
            self.connections.name(*address, &wanted.host);
        }
        self.endpoint.resolved(query, ways, self.clock.now());
    }

    fn send(&mut self, flow: Flow, bytes: bytes::Bytes, now: Timestamp) {
        count::message(&bytes, flow.transport, Way::Out);
        match flow.transport {
            Transport::Udp => self.udp.send(flow, &bytes),
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                match self.connections.send(flow, bytes, now) {
                    Sent::Done => {}
                    Sent::NoConnection(flow) => self.endpoint.closed(flow, now),
                }
            }
        }
    }

    /// Hands an event over at once if there is room, and keeps it otherwise.
    fn tell(&mut self, event: Event) {
        if !self.waiting.is_empty() {
            self.waiting.push_back(event);
            return;
        }
        match self.events.try_send(event) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(event)) => self.waiting.push_back(event),
        }
    }

    fn publish(&self) {
        let new = Status {
            core: self.endpoint.sizes(),
            connections: self.connections.len(),
            refusals: self.endpoint.refusals(),
        };
        self.status.send_if_modified(|old| {
            let changed = *old != new;
            if changed {
                count::status(&new);
                *old = new;
            }
            changed
        });
    }
}
