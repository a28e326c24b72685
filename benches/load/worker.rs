//! One thread of the generator: its callers and agents, their SIP and RTP sockets, one epoll, one queue of
//! deadlines. Audio is paced on an absolute schedule, spread evenly over the 20 ms.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use rustix::event::{Timespec, epoll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use crate::agent::{self, Agent};
use crate::arrival;
use crate::caller::{self, Caller};
use crate::flow::Flow;
use crate::plan::{Kind, Plan, Shared};
use crate::rtp::Listener;
use crate::timers::{Timer, Timers};
use crate::web::Heard;

mod audio;
mod signalling;

pub(crate) const MS: u64 = 1_000_000;
const FRAME: u64 = 20 * MS;
/// What is on its way when the talking stops has this long to arrive.
const LINGER: u64 = 300 * MS;
/// A call that has not come to its purpose after this has failed.
const PATIENCE: u64 = 60_000 * MS;
/// T1 of RFC 3261.
const T1: u32 = 500;

/// What a worker counted.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) failures: BTreeMap<String, u32>,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) doubles: u64,
    pub(crate) late: u64,
    /// Calls refused with 503 and Retry-After.
    pub(crate) refused: u32,
    /// Microseconds, as in [`Report`](crate::report::Report).
    pub(crate) delay: Vec<u64>,
    pub(crate) jitter: Vec<u64>,
    pub(crate) answer: Vec<u64>,
    pub(crate) key_to_invite: Vec<u64>,
    pub(crate) ack_to_heard: Vec<u64>,
    /// What was heard in each call.
    pub(crate) heard: Vec<CallHeard>,
}

/// What the two of a call heard of each other.
#[derive(Debug)]
pub(crate) struct CallHeard {
    /// The call's number in this run.
    pub(crate) call: u32,
    /// What the agent heard of the caller.
    pub(crate) to_agent: Listener,
    /// What the caller heard of the agent.
    pub(crate) to_caller: Listener,
}

/// Sockets in the epoll by number: SIP of callers, SIP of agents, then RTP of caller n and of agent n.
const CALLER_SIP: u64 = 0;
const AGENT_SIP: u64 = 1;
const FIRST_RTP: u64 = 2;
/// The timer for the next deadline.
const ALARM: u64 = u64::MAX;

pub(crate) struct Worker<'a> {
    plan: &'a Plan,
    shared: &'a Shared,
    /// Which worker.
    n: u32,
    number: String,
    clock: Instant,
    epoll: OwnedFd,
    alarm: OwnedFd,
    caller_sip: UdpSocket,
    agent_sip: UdpSocket,
    /// Of callers at even, of agents at odd places; one for all when callers do not talk.
    rtp: Vec<UdpSocket>,
    callers: Vec<Caller>,
    agents: Vec<Agent>,
    flows: Vec<Flow>,
    callers_by_id: HashMap<String, usize>,
    /// Callers by their number, agents by their name.
    names: HashMap<String, usize>,
    /// Scratch: what a browser heard.
    heard: Vec<Heard>,
    /// Scratch: what the kernel says beside a datagram.
    room: Vec<u8>,
    timers: Timers,
    counts: Counts,
    going: bool,
    stopping: bool,
    over: usize,
}

impl<'a> Worker<'a> {
    /// Opens all sockets of worker `n`.
    pub(crate) fn new(plan: &'a Plan, shared: &'a Shared, n: u32, clock: Instant) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let alarm = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        epoll::add(&epoll, &alarm, epoll::EventData::new_u64(ALARM), epoll::EventFlags::IN)?;
        let open = |id: u64| -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((plan.ip, 0))?;
            socket.set_nonblocking(true)?;
            arrival::stamp(&socket)?;
            epoll::add(&epoll, &socket, epoll::EventData::new_u64(id), epoll::EventFlags::IN)?;
            Ok(socket)
        };
        let (caller_sip, agent_sip) = (open(CALLER_SIP)?, open(AGENT_SIP)?);
        for sip in [&caller_sip, &agent_sip] {
            socket2::SockRef::from(sip).set_recv_buffer_size(4 << 20)?;
        }
        let calls: Vec<u32> = plan.calls_of(n).collect();
        let rtp: Vec<UdpSocket> = match plan.kind {
            Kind::Talk => {
                (0..calls.len() as u64 * 2).map(|i| open(FIRST_RTP + i)).collect::<io::Result<_>>()?
            }
            // Nobody reads it: what the server sends before the BYE is dropped by the kernel.
            Kind::SetUp { .. } => vec![UdpSocket::bind((plan.ip, 0))?],
        };
        let (mut callers, mut agents, mut names) = (Vec::new(), Vec::new(), HashMap::new());
        for (i, call) in calls.iter().enumerate() {
            let number = Plan::caller(*call);
            let at = rtp[i * 2 % rtp.len()].local_addr()?;
            callers.push(Caller::new(*call, &number, caller_sip.local_addr()?, at));
            names.insert(number, i);
            if plan.kind == Kind::Talk {
                let login = (plan.agent(*call), plan.password(*call));
                let agent = Agent::new(login, agent_sip.local_addr()?, rtp[i * 2 + 1].local_addr()?, plan);
                names.insert(agent.name.clone(), i);
                agents.push(agent);
            }
        }
        Ok(Self {
            n,
            number: plan.number(n),
            flows: callers.iter().map(|_| Flow::default()).collect(),
            callers_by_id: callers.iter().enumerate().map(|(i, c)| (c.call_id().to_owned(), i)).collect(),
            counts: Counts::default(),
            heard: Vec::new(),
            room: arrival::room(),
            timers: Timers::default(),
            going: false,
            stopping: false,
            over: 0,
            plan,
            shared,
            clock,
            epoll,
            alarm,
            caller_sip,
            agent_sip,
            rtp,
            callers,
            agents,
            names,
        })
    }

    /// Runs until every call is over.
    pub(crate) fn run(mut self) -> io::Result<Counts> {
        // The default slack of 50 µs would show in every delay. Refused: the delays are that much longer.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        self.register();
        let mut events = Vec::with_capacity(256);
        while self.over < self.callers.len() {
            self.orders();
            let now = self.now();
            while let Some((due, timer)) = self.timers.due(now) {
                self.fire(timer, due);
            }
            self.wake_at(self.timers.next().unwrap_or(u64::MAX))?;
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    CALLER_SIP | AGENT_SIP => self.read_sip(event.data.u64()),
                    ALARM => {} // set anew, and so made unready, before the next wait
                    rtp => self.read_rtp((rtp - FIRST_RTP) as usize),
                }
            }
        }
        Ok(self.finish())
    }

    /// Sets the alarm for a deadline, at most 20 ms ahead so that orders are seen. A timer descriptor: the
    /// time-out of `epoll_wait` counts in milliseconds, which would send packets in bunches.
    fn wake_at(&self, at: u64) -> io::Result<()> {
        let wait = at.saturating_sub(self.now()).clamp(1, FRAME);
        let it_value = Timespec { tv_sec: 0, tv_nsec: wait as i64 };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    /// The place on this worker of a call, by its number in the run.
    fn place(&self, call: u32) -> Option<usize> {
        let at = call.checked_sub(self.n)?;
        let is_ours = at % self.plan.workers.max(1) == 0;
        is_ours.then_some((at / self.plan.workers.max(1)) as usize).filter(|at| *at < self.flows.len())
    }

    fn register(&mut self) {
        let Some(server) = self.plan.server else {
            self.shared.registered.fetch_add(self.agents.len() as u32, Relaxed);
            return;
        };
        for i in 0..self.agents.len() {
            self.agents[i].register(server);
            self.timers.set(self.now() + i as u64 * 2 * MS, Timer::Register(i));
        }
    }

    /// Looks at what the watcher wants.
    fn orders(&mut self) {
        if !self.going && self.shared.go.load(Relaxed) {
            self.going = true;
            let (now, step) = (self.now(), 1e9 / self.plan.rate);
            for (i, caller) in self.callers.iter().enumerate() {
                self.timers.set(now + (f64::from(caller.call) * step) as u64, Timer::Start(i));
            }
        }
        if !self.stopping && self.shared.stop.load(Relaxed) {
            self.stopping = true;
            let at = self.now() + LINGER;
            for i in 0..self.callers.len() {
                self.timers.set(at + i as u64 * MS, Timer::Leave(i));
            }
        }
    }

    fn fire(&mut self, timer: Timer, due: u64) {
        match timer {
            Timer::Start(i) => self.start(i),
            Timer::CallerPacket(i) => self.caller_packet(i, due),
            Timer::AgentPacket(i, generation) => self.agent_packet(i, generation, due),
            Timer::Wake(i, generation) => self.wake(i, generation),
            Timer::Press(i) => self.press(i),
            Timer::Resend(i, after) => {
                if let Some(bytes) = self.callers[i].again() {
                    self.send_to_server(&bytes);
                    self.resend_after(i, after);
                }
            }
            Timer::Register(i) => {
                if let (agent::State::Registering { request }, Some(server)) =
                    (&self.agents[i].state, self.plan.server)
                {
                    send(&self.agent_sip, &request.bytes(), server);
                    self.timers.set(self.now() + u64::from(T1) * MS, Timer::Register(i));
                }
            }
            Timer::ResendOk(i, generation) => {
                if let (agent::State::Up(up), true) =
                    (&self.agents[i].state, generation == self.agents[i].generation)
                    && let (Some(ok), Some(to)) = (&up.unacknowledged, self.agents_peer())
                {
                    send(&self.agent_sip, ok, to);
                    self.timers.set(self.now() + u64::from(T1) * MS, Timer::ResendOk(i, generation));
                }
            }
            Timer::Leave(i) => self.leave(i),
            Timer::GiveUp(i) => self.give_up(i),
        }
    }

    /// Where the agents' peer is: the server, or our own callers.
    fn agents_peer(&self) -> Option<SocketAddr> {
        self.plan.server.or_else(|| self.caller_sip.local_addr().ok())
    }

    fn start(&mut self, i: usize) {
        let Ok(agents) = self.agent_sip.local_addr() else { return };
        let (server, now) = (self.plan.server.unwrap_or(agents), self.now());
        let number =
            if self.plan.server.is_some() { self.number.clone() } else { self.agents[i].name.clone() };
        let invite = self.callers[i].start(&number, server, now);
        self.send_to_server(&invite);
        self.resend_after(i, T1);
        self.timers.set(now + PATIENCE, Timer::GiveUp(i));
    }

    fn send_to_server(&self, bytes: &[u8]) {
        let to = self.plan.server.or_else(|| self.agent_sip.local_addr().ok());
        if let Some(to) = to {
            send(&self.caller_sip, bytes, to);
        }
    }

    fn resend_after(&mut self, i: usize, ms: u32) {
        self.timers.set(self.now() + u64::from(ms) * MS, Timer::Resend(i, (ms * 2).min(4000)));
    }

    fn leave(&mut self, i: usize) {
        let Some((bye, sent)) = self.callers[i].leave() else {
            if matches!(self.callers[i].state, caller::State::Idle | caller::State::Calling { .. }) {
                self.fail(i, "not answered when the run ended");
                self.over(i);
            }
            return;
        };
        self.flows[i].said_by_caller = sent;
        self.send_to_server(&bye);
        self.resend_after(i, T1);
        let now = self.now();
        self.timers.set(now + PATIENCE / 6, Timer::GiveUp(i));
    }

    fn give_up(&mut self, i: usize) {
        match &self.callers[i].state {
            caller::State::Calling { .. } => {
                self.fail(i, "no final answer");
                self.over(i);
            }
            caller::State::Up(_) if self.plan.kind == Kind::Talk && !self.flows[i].connected => {
                self.fail(i, "no agent");
                self.leave(i);
            }
            caller::State::Leaving { .. } => {
                self.fail(i, "BYE without an answer");
                self.over(i);
            }
            caller::State::Idle | caller::State::Up(_) | caller::State::Over => {}
        }
    }

    fn fail(&mut self, i: usize, why: &str) {
        if !std::mem::replace(&mut self.flows[i].failed, true) {
            *self.counts.failures.entry(why.to_owned()).or_default() += 1;
            self.shared.failed.fetch_add(1, Relaxed);
        }
    }

    fn over(&mut self, i: usize) {
        self.callers[i].state = caller::State::Over;
        self.over += 1;
        self.shared.over.fetch_add(1, Relaxed);
    }

    /// Adds up what the calls' flows showed.
    fn finish(mut self) -> Counts {
        for agent in &self.agents {
            if let agent::State::Up(up) = &agent.state {
                self.flows[up.call].said_by_agent = up.talker.sent;
            }
        }
        for (flow, caller) in self.flows.into_iter().zip(&self.callers) {
            let sides = [(&flow.to_agent, flow.said_by_caller), (&flow.to_caller, flow.said_by_agent)];
            for [due, received, lost, doubles] in sides.map(|(side, said)| side.counts(said)) {
                self.counts.sent += due;
                self.counts.received += received;
                self.counts.lost += lost;
                self.counts.doubles += doubles;
            }
            self.counts.ack_to_heard.extend(flow.ack_to_heard());
            if flow.connected {
                let (to_agent, to_caller) = (flow.to_agent.packets, flow.to_caller.packets);
                self.counts.heard.push(CallHeard { call: caller.call, to_agent, to_caller });
            }
        }
        self.counts
    }
}

/// Sends a datagram. A full buffer or a closed port is a lost packet, and is counted where it is missed.
fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
    let _ = socket.send_to(bytes, to);
}
