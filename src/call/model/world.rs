//! Calls, the desk, and the words between them, which wait as long as chance has it.

use super::*;

pub(super) const AGENTS: [&str; 4] = ["ann", "bob", "cy", "di"];
pub(super) const QUEUES: [&str; 3] = ["sales", "support", "night"];

/// Calls, desk, and the words between them.
pub(super) struct World {
    now: Timestamp,
    desk: Desk,
    settings: Arc<Settings>,
    pub(super) shells: Vec<Shell>,
    to_desk: VecDeque<queue::Input>,
    to_calls: VecDeque<(CallId, Input)>,
}

pub(super) fn a_queue(n: usize, variant: u8) -> Queue {
    Queue {
        strategy: {
            use settings::Strategy::{LongestIdle, RingAll, RoundRobin};
            [LongestIdle, RoundRobin, RingAll]
        }[(n + usize::from(variant)) % 3],
        priority: u8::try_from(n % 2).expect("0 or 1"),
        max_wait: Duration::from_secs([40, 90, 0][n]),
        overflow: if n == 0 { Overflow::Queue("night".into()) } else { Overflow::Hangup },
        position_every: (n == 1).then(|| Duration::from_secs(15)),
        service_seconds: 20,
        wrap_up: Duration::from_secs([10, 0, 5][n]),
        // Sometimes the night is closed.
        hours: (n == 2 && variant % 3 == 2).then(settings::Hours::default),
        ..plain_queue(Policy::Never)
    }
}

fn some_settings(variant: u8) -> Arc<Settings> {
    let secret = || crate::ids::Redacted(String::new());
    let credentials = None;
    let mut settings = Settings::default();
    for (n, name) in QUEUES.iter().enumerate() {
        // Sometimes a queue is taken away while callers wait in it.
        if variant % 5 != 4 || n != 1 {
            settings.queues.insert((*name).into(), Arc::new(a_queue(n, variant)));
        }
    }
    for (n, name) in AGENTS.iter().enumerate() {
        let queues = match (n + usize::from(variant)) % 4 {
            0 => vec!["sales".into(), "support".into()],
            1 => vec!["sales".into()],
            2 => vec!["support".into(), "night".into(), "sales".into()],
            _ => vec!["night".into()],
        };
        if variant % 7 != 6 || n != 3 {
            let (credentials, phone) = (credentials.clone(), Default::default());
            let agent = Agent { display_name: secret(), credentials, queues, skills: Vec::new(), phone };
            settings.agents.insert((*name).into(), Arc::new(agent));
        }
    }
    Arc::new(settings)
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            now: Timestamp::from_micros(1_000_000_000_000),
            desk: Desk::default(),
            settings: some_settings(0),
            shells: Vec::new(),
            to_desk: VecDeque::new(),
            to_calls: VecDeque::new(),
        };
        world.to_desk.push_back(queue::Input::Settings(Arc::clone(&world.settings)));
        for agent in AGENTS {
            world.to_desk.push_back(queue::Input::Registered { agent: agent.into(), on: true });
        }
        world
    }

    fn arrive(&mut self, bits: u16) {
        if self.shells.len() >= 6 {
            return;
        }
        let bit = |n: u16| bits >> n & 1 == 1;
        let ask = if bit(3) { AskRule::WhenUnknown } else { AskRule::EveryCall };
        let asking = Policy::Consent(Script { attempts: 2, barge_in: bit(4), ask, ..script() });
        let policy = match bits & 7 {
            0 => Policy::Never,
            1 => legal(),
            _ => asking,
        };
        let n = usize::from(bits >> 13) % 2;
        let first = Queue {
            recording: policy,
            override_allowed: bit(5) || bit(6),
            destroy_on_withdrawal: bit(7),
            on_recording_failure: if bit(8) {
                OnRecordingFailure::DropCall
            } else {
                OnRecordingFailure::Continue
            },
            pause_limit: bit(9).then(|| Duration::from_secs(7)),
            ..a_queue(n, 0)
        };
        let mut arrival = arrival(1 + self.shells.len() as u128, first);
        arrival.queue_id = QUEUES[n].into();
        arrival.door = match bits % 11 {
            0 => Door::Closed,
            1 => Door::Elsewhere { id: "night".into(), queue: Arc::new(a_queue(2, 0)) },
            _ => Door::Open,
        };
        arrival.known = bit(10).then(|| Known { agreed: bit(11), at: self.now - Duration::from_secs(3600) });
        if bit(12) {
            arrival.from = None;
        }
        self.shells.push(Shell::new(arrival, self.now));
        self.follow(self.shells.len() - 1);
    }

    /// Which call a number means; the live ones first.
    fn pick(&self, n: u8) -> Option<usize> {
        let live: Vec<usize> = (0..self.shells.len()).filter(|&at| !self.shells[at].ended).collect();
        let from = if live.is_empty() { (0..self.shells.len()).collect() } else { live };
        (!from.is_empty()).then(|| from[usize::from(n) % from.len()])
    }

    fn input(&mut self, at: usize, input: Input) {
        self.shells[at].input(input, self.now);
        self.follow(at);
    }

    /// Does what the call has put out, and looks that no agent's phone is called twice at once.
    fn follow(&mut self, at: usize) {
        self.to_desk.extend(self.shells[at].drain());
        for agent in AGENTS {
            let legs = self.shells.iter().filter(|shell| shell.has_leg_to(agent)).count();
            assert!(legs <= 1, "{agent} is called by {legs} calls at once");
        }
    }

    fn desk(&mut self, input: queue::Input) {
        self.desk.handle(input, self.now);
        self.drain_desk();
    }

    fn drain_desk(&mut self) {
        while let Some(output) = self.desk.poll_output() {
            match output {
                queue::Output::Ring { call, agents, since } => {
                    self.to_calls.push_back((call, Input::Ring { agents, since }));
                }
                queue::Output::Claimed { call, agent, free } => {
                    self.to_calls.push_back((call, Input::Claimed { agent, free }));
                }
                queue::Output::Position { call, position } => {
                    self.to_calls.push_back((call, Input::Position(position)));
                }
                queue::Output::Overflow { call, to, since } => {
                    self.to_calls.push_back((call, Input::Overflow { to, since }));
                }
                queue::Output::AgentChanged { .. } => {}
            }
        }
        self.desk.check();
    }

    fn deliver(&mut self, count: usize) {
        for n in 0..count {
            if n % 2 == 0
                && let Some(input) = self.to_desk.pop_front()
            {
                self.desk(input);
            } else if let Some((call, input)) = self.to_calls.pop_front() {
                let at = self.shells.iter().position(|shell| shell.call.id() == call).expect("known");
                self.input(at, input);
            } else if let Some(input) = self.to_desk.pop_front() {
                self.desk(input);
            }
        }
    }

    /// Fires all that is due, each at its own moment.
    fn pass_until(&mut self, until: Timestamp) {
        while let Some(at) = self.next_timer().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            for n in 0..self.shells.len() {
                self.shells[n].timeout(self.now);
                self.follow(n);
            }
            self.desk.handle_timeout(self.now);
            self.drain_desk();
            assert!(self.next_timer().is_none_or(|next| next > at), "a timer that fired is still due");
        }
        self.now = self.now.max(until);
    }

    fn next_timer(&self) -> Option<Timestamp> {
        let calls = self.shells.iter().filter_map(|shell| shell.call.poll_timeout().map(|(at, _)| at));
        calls.chain(self.desk.poll_timeout()).min()
    }

    pub(super) fn event(&mut self, event: Event) {
        let agent = |n: u8| AgentId::from(AGENTS[usize::from(n) % AGENTS.len()]);
        match event {
            Event::Arrive(bits) => self.arrive(bits),
            Event::Deliver(n) => self.deliver(1 + usize::from(n) % 6),
            Event::Pass(tenths) => self.pass_until(self.now + Duration::from_millis(100) * u32::from(tenths)),
            Event::NextTimer => {
                if let Some(at) = self.next_timer() {
                    self.pass_until(at);
                }
            }
            Event::Register(n, on) => {
                self.to_desk.push_back(queue::Input::Registered { agent: agent(n), on })
            }
            Event::Presence(n, ready) => {
                let ready = if ready { Ok(()) } else { Err(queue::NotReady { reason: "lunch".into() }) };
                self.to_desk.push_back(queue::Input::Presence { agent: agent(n), ready });
            }
            Event::Settings(variant) => {
                self.settings = some_settings(variant);
                self.to_desk.push_back(queue::Input::Settings(Arc::clone(&self.settings)));
            }
            Event::Progress(n)
            | Event::Digit(n, _)
            | Event::PromptDone(n)
            | Event::Store(n, _)
            | Event::Arm(n, _)
            | Event::Break(n)
            | Event::Answer(n, _)
            | Event::PhoneFails(n, ..)
            | Event::CallerGone(n)
            | Event::Hold(n, ..)
            | Event::Pause(n, _)
            | Event::Override(n, _)
            | Event::Withdraw(n)
            | Event::Transfer(n, _)
            | Event::Consult(n, ..)
            | Event::Complete(n, _)
            | Event::ThreeWay(n, _)
            | Event::EndConsultation(n, _)
            | Event::Replaced(n, ..)
            | Event::Referred(n, _)
            | Event::Lost(n, _)
            | Event::Back(n, _)
            | Event::Reattach(n)
            | Event::Supervise(n, ..)
            | Event::Supervising(n, ..)
            | Event::Unsupervise(n, _)
            | Event::Stale(n, _)
            | Event::Shutdown(n) => {
                if let Some(at) = self.pick(n)
                    && let Some(input) = word_for(&mut self.shells[at], event)
                {
                    self.input(at, input);
                }
            }
        }
    }

    /// Everybody goes home; then nothing may be left.
    pub(super) fn end(&mut self, shutdown: bool) {
        for at in 0..self.shells.len() {
            if !self.shells[at].ended {
                let input = if shutdown { Input::Shutdown } else { self.shells[at].caller_gone() };
                self.input(at, input);
            }
        }
        while !self.to_desk.is_empty() || !self.to_calls.is_empty() {
            self.deliver(1);
        }
        for shell in &self.shells {
            assert!(shell.ended);
            shell.check_ended();
        }
        assert_eq!(self.desk.sizes().callers, 0, "a ghost in a queue");
        assert_eq!(self.desk.sizes().engaged, 0, "an agent is stuck");
        while let Some(at) = self.next_timer() {
            self.pass_until(at);
        }
        assert_eq!(self.desk.sizes(), queue::Sizes::default());
        assert!(self.to_calls.is_empty(), "the desk still speaks to calls that are over");
    }
}
