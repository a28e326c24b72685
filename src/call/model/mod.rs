//! Property test: calls and the desk driven by a model of the shell, through random orders of events.
//!
//! The shell here is a hostile one: words between calls and desk wait as long as chance has it, units of
//! work fail, takes break, events come late, twice, or for legs that are gone. What must hold is asserted
//! where it happens (in `shell`) and, when all is over, here.

#![allow(clippy::wildcard_enum_match_arm)] // a test looks for one variant among many

mod shell;

use crate::ids::{PhoneNumber, Redacted};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::Strategy;

use super::tests::{arrival, key, legal, queue as plain_queue, script};
use super::*;
use crate::consent::{AskRule, Known, OverrideCategory, OverrideReason, Policy, Script};
use crate::queue::{self, Desk};
use crate::settings::{self, Agent, OnRecordingFailure, Overflow, Queue, Settings, SipCredentials};

use shell::Shell;

/// One thing that chance does. Numbers choose among what there is at that moment.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A new caller; the number's bits set policy, number, failure policy and so on.
    Arrive(u16),
    /// What would come next if all went well.
    Progress(u8),
    /// Words on their way between calls and desk arrive.
    Deliver(u8),
    /// The clock moves by so many tenths of a second, firing what is due.
    Pass(u8),
    /// The clock moves to the next deadline of a call or the desk.
    NextTimer,
    Digit(u8, u8),
    PromptDone(u8),
    Store(u8, bool),
    Arm(u8, bool),
    Break(u8),
    Answer(u8, u8),
    PhoneFails(u8, u8, u8),
    CallerGone(u8),
    Hold(u8, bool, bool),
    Pause(u8, bool),
    Override(u8, bool),
    Withdraw(u8),
    Transfer(u8, u8),
    Consult(u8, u8, bool),
    Complete(u8, u8),
    ThreeWay(u8, u8),
    EndConsultation(u8, u8),
    /// Another dialog in the place of one of the call's.
    Replaced(u8, u8, u8),
    Referred(u8, bool),
    /// An old event once more, for something long gone.
    Stale(u8, u8),
    Register(u8, bool),
    Presence(u8, bool),
    Settings(u8),
    Shutdown(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => any::<u16>().prop_map(Event::Arrive),
        40 => any::<u8>().prop_map(Event::Progress),
        16 => any::<u8>().prop_map(Event::Deliver),
        4 => any::<u8>().prop_map(Event::Pass),
        4 => Just(Event::NextTimer),
        5 => any::<(u8, u8)>().prop_map(|(c, k)| Event::Digit(c, k)),
        3 => any::<u8>().prop_map(Event::PromptDone),
        4 => (any::<u8>(), prop::bool::weighted(0.85)).prop_map(|(c, ok)| Event::Store(c, ok)),
        3 => (any::<u8>(), prop::bool::weighted(0.85)).prop_map(|(c, ok)| Event::Arm(c, ok)),
        1 => any::<u8>().prop_map(Event::Break),
        3 => any::<(u8, u8)>().prop_map(|(c, n)| Event::Answer(c, n)),
        2 => any::<(u8, u8, u8)>().prop_map(|(c, n, why)| Event::PhoneFails(c, n, why)),
        1 => any::<u8>().prop_map(Event::CallerGone),
        2 => any::<(u8, bool, bool)>().prop_map(|(c, who, on)| Event::Hold(c, who, on)),
        2 => any::<(u8, bool)>().prop_map(|(c, on)| Event::Pause(c, on)),
        4 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(c, text)| Event::Override(c, text)),
        1 => any::<u8>().prop_map(Event::Withdraw),
        4 => any::<(u8, u8)>().prop_map(|(c, to)| Event::Transfer(c, to)),
        5 => any::<(u8, u8, bool)>().prop_map(|(c, to, own)| Event::Consult(c, to, own)),
        1 => any::<(u8, u8)>().prop_map(|(c, n)| Event::Complete(c, n)),
        1 => any::<(u8, u8)>().prop_map(|(c, n)| Event::ThreeWay(c, n)),
        1 => any::<(u8, u8)>().prop_map(|(c, n)| Event::EndConsultation(c, n)),
        2 => any::<(u8, u8, u8)>().prop_map(|(c, n, who)| Event::Replaced(c, n, who)),
        1 => any::<(u8, bool)>().prop_map(|(c, well)| Event::Referred(c, well)),
        3 => any::<(u8, u8)>().prop_map(|(c, what)| Event::Stale(c, what)),
        2 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(a, on)| Event::Register(a, on)),
        2 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(a, on)| Event::Presence(a, on)),
        1 => any::<u8>().prop_map(Event::Settings),
        1 => any::<u8>().prop_map(Event::Shutdown),
    ]
}

const AGENTS: [&str; 4] = ["ann", "bob", "cy", "di"];
const QUEUES: [&str; 3] = ["sales", "support", "night"];

/// Calls, desk, and the words between them.
struct World {
    now: Timestamp,
    desk: Desk,
    settings: Arc<Settings>,
    shells: Vec<Shell>,
    to_desk: VecDeque<queue::Input>,
    to_calls: VecDeque<(CallId, Input)>,
}

fn a_queue(n: usize, variant: u8) -> Queue {
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
        ..plain_queue(Policy::Never)
    }
}

fn some_settings(variant: u8) -> Arc<Settings> {
    let secret = || crate::ids::Redacted(String::new());
    let credentials = SipCredentials { user: String::new(), ha1_md5: secret(), ha1_sha256: secret() };
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
            let agent = Agent { display_name: secret(), credentials, queues, phone };
            settings.agents.insert((*name).into(), Arc::new(agent));
        }
    }
    Arc::new(settings)
}

impl World {
    fn new() -> Self {
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

    fn event(&mut self, event: Event) {
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
    fn end(&mut self, shutdown: bool) {
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

/// An agent, a queue, or a number outside, to stay in the path of or to release.
fn target(n: u8) -> Target {
    let at = usize::from(n >> 2);
    match n & 3 {
        0 => Target::Queue { id: QUEUES[at % 3].into(), queue: Arc::new(a_queue(at % 3, 0)) },
        1 | 2 => Target::Agent(AGENTS[at % AGENTS.len()].into()),
        _ => Target::Outside(Outside {
            trunk: "carrier".into(),
            number: PhoneNumber::parse("+4989123456", None).expect("a number"),
            release: at & 1 == 1,
        }),
    }
}

/// What an event says to a call; `None` when it makes no sense for this one now.
fn word_for(shell: &mut Shell, event: Event) -> Option<Input> {
    let agent = shell.call.agent().cloned().unwrap_or_else(|| "ann".into());
    let agent = || agent.clone();
    // Mostly the leg that may; sometimes another.
    let by = |shell: &Shell, n: u8| if n & 0xF0 == 0 { shell.any_leg(n) } else { shell.own_leg() };
    let request = |request| Some(Input::Recording(request));
    match event {
        Event::Progress(n) => shell.next_if_all_goes_well(n),
        Event::Digit(_, n) => {
            Some(shell.digit(if n & 16 == 0 { 0 } else { 1 }, b"12559"[usize::from(n) % 5]))
        }
        Event::PromptDone(_) => shell.playing().map(|play| Input::PromptDone { play }),
        Event::Store(_, well) => shell.answer_of_store(well),
        Event::Arm(_, well) => shell.answer_of_vault(well),
        Event::Break(_) => shell.running_take().map(Input::RecordingFailed),
        Event::Answer(_, n) => shell.ringing(n).map(|leg| Input::AgentAnswered { leg }),
        Event::PhoneFails(_, n, why) => {
            let causes = [
                Cause::Busy,
                Cause::Declined,
                Cause::NoAnswer,
                Cause::Unreachable,
                Cause::HungUp,
                Cause::MediaTimeout,
            ];
            let leg = shell.agent_leg(n)?;
            Some(Input::LegGone { leg, cause: causes[usize::from(why) % causes.len()] })
        }
        Event::CallerGone(_) => Some(shell.caller_gone()),
        Event::Hold(_, caller, on) => {
            let leg = if caller { shell.call.caller() } else { shell.agent_leg(0)? };
            Some(Input::Hold { leg, on })
        }
        Event::Pause(_, true) => request(RecordingRequest::Pause { agent: agent() }),
        Event::Pause(_, false) => request(RecordingRequest::Resume { agent: agent() }),
        Event::Override(_, written) => {
            let text = if written { "danger" } else { " " }.to_owned();
            let reason = OverrideReason { category: OverrideCategory::Emergency, text: Redacted(text) };
            request(RecordingRequest::Override { agent: agent(), reason })
        }
        Event::Withdraw(_) => request(RecordingRequest::Withdraw),
        Event::Transfer(_, n) => Some(Input::Transfer { by: by(shell, n)?, to: target(n) }),
        Event::Consult(_, n, own) => {
            let by = by(shell, n)?;
            let own = if own && !shell.ended { shell.call.admit_leg() } else { None };
            Some(Input::Consult { by, own, to: target(n) })
        }
        Event::Complete(_, n) => Some(Input::Complete { by: by(shell, n)? }),
        Event::ThreeWay(_, n) => Some(Input::ThreeWay { by: by(shell, n)? }),
        Event::EndConsultation(_, n) => Some(Input::EndConsultation { by: by(shell, n)? }),
        Event::Replaced(_, n, who) => {
            let old = if who & 0xF0 == 0 { shell.gone_leg(n)? } else { shell.any_leg(n)? };
            let agent = match who & 3 {
                0 => None,
                1 => Some(agent()),
                _ => Some(AGENTS[usize::from(who >> 2) % AGENTS.len()].into()),
            };
            let new = shell.call.admit_leg().filter(|_| !shell.ended)?;
            Some(Input::Replaced { old, new, agent })
        }
        Event::Referred(_, well) => Some(shell.referred(well)),
        Event::Stale(_, n) => shell.stale(n),
        Event::Shutdown(_) => Some(Input::Shutdown),
        Event::Arrive(_)
        | Event::Deliver(_)
        | Event::Pass(_)
        | Event::NextTimer
        | Event::Register(..)
        | Event::Presence(..)
        | Event::Settings(_) => None,
    }
}

fn run(events: &[Event], shutdown: bool) -> World {
    let mut world = World::new();
    for event in events {
        world.event(*event);
    }
    world.end(shutdown);
    world
}

/// Fewer in the slow profile; the issue asks for a strong one in release.
const CASES: u32 = if cfg!(debug_assertions) { 600 } else { 4_000 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    /// No sample without a permit, nothing left behind, one audit row for each decision, whatever the order.
    #[test]
    fn whatever_happens_the_rules_hold(events in prop::collection::vec(event(), 1..300), shutdown: bool) {
        run(&events, shutdown);
    }
}

/// The property is worth nothing if chance never gets far: conversations, takes, overrides, transfers,
/// withdrawals must all occur in number.
#[test]
fn chance_gets_far_enough_to_matter() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(event(), 150..300);
    let mut seen = shell::Seen::default();
    for _ in 0..200 {
        let events = strategy.new_tree(&mut runner).expect("events").current();
        for shell in run(&events, false).shells {
            seen.add(&shell.seen);
        }
    }
    println!("{seen:?}");
    assert!(seen.conversations > 200, "{seen:?}");
    assert!(seen.takes > 100, "{seen:?}");
    assert!(seen.overrides > 5, "{seen:?}");
    assert!(seen.transfers > 20, "{seen:?}");
    assert!(seen.withdrawals > 10, "{seen:?}");
    assert!(seen.failed_units > 50, "{seen:?}");
    assert!(seen.missed > 50, "{seen:?}");
    assert!(seen.quiet > 20, "{seen:?}");
    assert!(seen.handed_over > 20, "{seen:?}");
    assert!(seen.returned > 20, "{seen:?}");
    assert!(seen.consulted > 20, "{seen:?}");
    assert!(seen.conferences > 10, "{seen:?}");
    assert!(seen.replaced > 20, "{seen:?}");
    assert!(seen.outside > 10, "{seen:?}");
    assert!(seen.referred > 5, "{seen:?}");
}
