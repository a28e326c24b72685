//! The desk in virtual time, and its own invariants for the property test.

#![allow(clippy::wildcard_enum_match_arm)] // a test looks for one variant among many

use std::collections::BTreeSet;
use std::time::Duration;

use ulid::Ulid;

use super::desk::Timer;
use super::*;
use crate::call::{Cause, Target};
use crate::consent::Policy;
use crate::ids::Redacted;
use crate::settings::{Agent, Hours, Overflow, Queue, Strategy};

impl Desk {
    /// What must hold after every input.
    pub(crate) fn check(&self) {
        for (agent, person) in &self.people {
            if let Some(since) = person.ready_since() {
                for queue in &person.queues {
                    let line = self.lines.get(queue);
                    assert!(
                        line.is_none_or(|line| line.callers.is_empty()),
                        "{agent} is ready and {queue} waits"
                    );
                    assert!(
                        line.is_some_and(|line| line.has_ready(agent, since)),
                        "{agent} not in {queue}'s index"
                    );
                }
                assert!(!self.personal.contains_key(agent), "{agent} is ready and wanted");
            }
            if let Some(call) = person.call() {
                assert!(self.engaged[&call].contains(agent));
            }
        }
        let ready = self.people.values().filter(|person| person.ready_since().is_some());
        let indexed: usize = self.lines.values().map(|line| line.ready_len()).sum();
        assert_eq!(
            indexed,
            ready.map(|person| person.queues.len()).sum::<usize>(),
            "a ghost in a ready index"
        );
        for (call, agents) in &self.engaged {
            assert!(!agents.is_empty());
            assert!(agents.iter().all(|agent| self.people[agent].call() == Some(*call)));
        }
        let mut lined_up: Vec<CallId> =
            self.lines.values().flat_map(|line| line.callers.values().copied()).collect();
        lined_up.extend(self.personal.values().flat_map(|callers| callers.values().copied()));
        let distinct: BTreeSet<CallId> = lined_up.iter().copied().collect();
        assert_eq!(distinct.len(), lined_up.len(), "a caller stands twice");
        for (call, caller) in &self.callers {
            assert_eq!(distinct.contains(call), !caller.offered, "{call} is in line or offered");
            let rung = |agent: &AgentId| self.people[agent].is_offered(*call);
            let offered = self.engaged.get(call).is_some_and(|agents| agents.iter().any(rung));
            assert_eq!(caller.offered, offered, "{call} is offered to somebody");
        }
        assert!(distinct.iter().all(|call| self.callers.contains_key(call)));
        for (at, timer) in &self.timers {
            let due = match timer {
                Timer::MaxWait(call) => self.callers.get(call).map(|caller| caller.until),
                Timer::Tell(call) => self.callers.get(call).and_then(|caller| caller.tell).map(|(at, _)| at),
                Timer::Agent(agent) => self.people.get(agent).and_then(|person| person.until()),
            };
            assert_eq!(due, Some(*at), "{timer:?} belongs to nothing");
        }
    }
}

pub(super) fn queue(strategy: Strategy) -> Queue {
    Queue { strategy, max_wait: Duration::from_secs(300), ..crate::call::tests::queue(Policy::Never) }
}

pub(super) fn agent(queues: &[&str]) -> Arc<Agent> {
    let secret = || Redacted(String::new());
    Arc::new(Agent {
        display_name: secret(),
        credentials: None,
        queues: queues.iter().map(|queue| (*queue).into()).collect(),
        skills: Vec::new(),
        phone: crate::settings::Phone::default(),
    })
}

pub(super) fn call(n: u128) -> CallId {
    CallId::new(Ulid(n))
}

/// A desk with a clock.
pub(super) struct Scene {
    pub(super) desk: Desk,
    pub(super) now: Timestamp,
    pub(super) settings: Settings,
}

impl Scene {
    pub(super) fn new(queues: &[(&str, Queue)], agents: &[(&str, &[&str])]) -> Self {
        let mut settings = Settings::default();
        for (name, queue) in queues {
            settings.queues.insert((*name).into(), Arc::new(queue.clone()));
        }
        for (name, serves) in agents {
            settings.agents.insert((*name).into(), agent(serves));
        }
        let mut scene = Self { desk: Desk::default(), now: Timestamp::from_micros(0), settings };
        scene.swap();
        scene
    }

    pub(super) fn swap(&mut self) -> Vec<Output> {
        self.input(Input::Settings(Arc::new(self.settings.clone())))
    }

    pub(super) fn drain(&mut self) -> Vec<Output> {
        self.desk.check();
        std::iter::from_fn(|| self.desk.poll_output()).collect()
    }

    pub(super) fn input(&mut self, input: Input) -> Vec<Output> {
        self.desk.handle(input, self.now);
        self.drain()
    }

    /// A second later.
    pub(super) fn tick(&mut self) -> &mut Self {
        self.pass(1);
        self
    }

    pub(super) fn pass(&mut self, seconds: u64) -> Vec<Output> {
        let until = self.now + Duration::from_secs(seconds);
        let mut all = Vec::new();
        while let Some(at) = self.desk.poll_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.desk.handle_timeout(at);
            all.append(&mut self.drain());
        }
        self.now = until;
        all
    }

    pub(super) fn log_on(&mut self, name: &str) -> Vec<Output> {
        self.input(Input::Registered { agent: name.into(), on: true })
    }

    pub(super) fn wait(&mut self, n: u128, queue: &str) -> Vec<Output> {
        self.wait_as(n, queue, 0, None)
    }

    pub(super) fn wait_as(&mut self, n: u128, queue: &str, priority: u8, only: Option<&str>) -> Vec<Output> {
        let (queue, only, since) = (queue.into(), only.map(AgentId::from), self.now);
        self.input(Input::Wait { call: call(n), queue, priority, only, since })
    }

    pub(super) fn report(&mut self, n: u128, name: &str, report: AgentReport) -> Vec<Output> {
        self.input(Input::Report { call: call(n), agent: name.into(), report })
    }

    /// Answered, talked, hung up.
    pub(super) fn talk(&mut self, n: u128, name: &str) -> Vec<Output> {
        self.report(n, name, AgentReport::Connected);
        self.input(Input::Leave { call: call(n) });
        self.report(n, name, AgentReport::Finished)
    }

    /// Gives an agent these skills and no others.
    fn skills(&mut self, name: &str, skills: &[&str]) -> Vec<Output> {
        let agent = self.settings.agents.get_mut(&name.into()).expect("known");
        Arc::make_mut(agent).skills = skills.iter().map(|skill| (*skill).to_owned()).collect();
        self.swap()
    }

    pub(super) fn state(&self, name: &str) -> AgentState {
        self.desk.agent(&name.into()).expect("known")
    }
}

/// Who is rung for whom.
pub(super) fn rings(outputs: &[Output]) -> Vec<(u128, Vec<&str>)> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Ring { call: id, agents, .. } => {
                let n = (0..100).find(|n| call(*n) == *id).expect("small");
                Some((n, agents.iter().map(|agent| agent.0.as_str()).collect()))
            }
            _ => None,
        })
        .collect()
}

pub(super) const SALES: &[&str] = &["sales"];

#[test]
fn the_longest_idle_is_rung_and_the_first_caller_served() {
    let mut scene = Scene::new(&[("sales", queue(Strategy::LongestIdle))], &[("ann", SALES), ("bob", SALES)]);
    scene.log_on("bob");
    scene.tick().log_on("ann");
    assert_eq!(rings(&scene.wait(1, "sales")), [(1, vec!["bob"])]);
    assert_eq!(rings(&scene.wait(2, "sales")), [(2, vec!["ann"])]);
    assert!(rings(&scene.wait(3, "sales")).is_empty());
    scene.tick().wait(4, "sales");
    scene.talk(2, "ann");
    assert!(matches!(scene.state("ann"), AgentState::WrapUp { .. }));
    assert_eq!(rings(&scene.pass(10)), [(3, vec!["ann"])], "after the wrap-up, in order of waiting");
}

#[test]
fn round_robin_takes_turns_whoever_is_idle_longest() {
    let mut calm = queue(Strategy::RoundRobin);
    calm.wrap_up = Duration::ZERO;
    let mut scene = Scene::new(&[("sales", calm)], &[("ann", SALES), ("bob", SALES), ("cy", SALES)]);
    for name in ["cy", "bob", "ann"] {
        scene.tick().log_on(name);
    }
    for (n, name) in [(1, "ann"), (2, "bob"), (3, "cy"), (4, "ann")] {
        assert_eq!(rings(&scene.wait(n, "sales")), [(n, vec![name])]);
        scene.tick().talk(n, name);
    }
}

#[test]
fn ring_all_rings_all_and_gives_the_losers_back_as_idle_as_before() {
    let mut scene = Scene::new(&[("sales", queue(Strategy::RingAll))], &[("ann", SALES), ("bob", SALES)]);
    scene.log_on("ann");
    scene.tick().log_on("bob");
    let idle = scene.state("bob");
    assert_eq!(rings(&scene.wait(1, "sales")), [(1, vec!["ann", "bob"])]);
    scene.tick().report(1, "bob", AgentReport::Released);
    assert_eq!(scene.state("bob"), idle);
    assert_eq!(scene.state("ann"), AgentState::Ringing(call(1)));
    scene.report(1, "ann", AgentReport::Connected);
    scene.input(Input::Leave { call: call(1) });
    assert_eq!(scene.state("ann"), AgentState::Talking(call(1)));
}

#[test]
fn priority_goes_first_then_the_time_of_waiting_over_all_queues() {
    let queues = [("sales", queue(Strategy::LongestIdle)), ("vip", queue(Strategy::LongestIdle))];
    let mut scene = Scene::new(&queues, &[("ann", &["sales", "vip"])]);
    scene.wait_as(1, "sales", 0, None);
    scene.tick().wait_as(2, "vip", 5, None);
    scene.tick().wait_as(3, "vip", 0, None);
    scene.tick().wait_as(4, "sales", 0, None);
    assert_eq!(rings(&scene.log_on("ann")), [(2, vec!["ann"])]);
    for (done, next) in [(2, 1), (1, 3), (3, 4)] {
        scene.talk(done, "ann");
        assert_eq!(rings(&scene.pass(10)), [(next, vec!["ann"])]);
    }
}

/// The place counts from what the call says, not from when it asks: a long "no" costs nothing.
#[test]
fn the_place_counts_from_the_arrival() {
    let mut scene = Scene::new(&[("sales", queue(Strategy::LongestIdle))], &[("ann", SALES)]);
    let arrived = scene.now;
    scene.tick().wait(1, "sales");
    scene.tick();
    let late = Input::Wait { call: call(2), queue: "sales".into(), priority: 0, only: None, since: arrived };
    scene.input(late);
    assert_eq!(rings(&scene.log_on("ann")), [(2, vec!["ann"])]);
}

#[test]
fn a_missed_call_rests_the_agent_and_keeps_the_callers_place() {
    let cases = [
        (Cause::NoAnswer, 30, "missed a call"),
        (Cause::Unreachable, 30, "phone not reachable"),
        (Cause::Busy, 5, "busy"),
        (Cause::Declined, 5, "declined a call"),
    ];
    for (cause, seconds, why) in cases {
        let mut scene = Scene::new(&[("sales", queue(Strategy::LongestIdle))], &[("ann", SALES)]);
        scene.log_on("ann");
        scene.wait(1, "sales");
        scene.tick().wait(2, "sales");
        assert!(rings(&scene.report(1, "ann", AgentReport::Missed(cause))).is_empty(), "not at once again");
        assert_eq!(scene.state("ann"), AgentState::NotReady(NotReady { reason: why.into() }));
        assert!(rings(&scene.pass(seconds - 1)).is_empty());
        assert_eq!(rings(&scene.pass(1)), [(1, vec!["ann"])], "first come, first served");
    }
}

#[test]
fn who_says_ready_is_ready() {
    let mut scene = Scene::new(&[("sales", queue(Strategy::LongestIdle))], &[("ann", SALES)]);
    scene.log_on("ann");
    scene.wait(1, "sales");
    scene.report(1, "ann", AgentReport::Missed(Cause::NoAnswer));
    let ready = |scene: &mut Scene, ready| scene.input(Input::Presence { agent: "ann".into(), ready });
    assert_eq!(rings(&ready(&mut scene, Ok(()))), [(1, vec!["ann"])]);
    let lunch = || NotReady { reason: "lunch".into() };
    ready(&mut scene, Err(lunch()));
    assert_eq!(scene.state("ann"), AgentState::Ringing(call(1)), "the offer goes on");
    scene.talk(1, "ann");
    scene.pass(10);
    assert_eq!(scene.state("ann"), AgentState::NotReady(lunch()));
    assert!(rings(&scene.wait(2, "sales")).is_empty());
    assert_eq!(rings(&ready(&mut scene, Ok(()))), [(2, vec!["ann"])]);
}

#[test]
fn a_phone_that_goes_takes_the_agent_out_but_not_out_of_a_call() {
    let mut scene = Scene::new(&[("sales", queue(Strategy::LongestIdle))], &[("ann", SALES)]);
    assert_eq!(scene.state("ann"), AgentState::LoggedOff);
    scene.log_on("ann");
    let since = scene.now;
    scene.tick().log_on("ann");
    assert_eq!(scene.state("ann"), AgentState::Ready { since }, "a refresh changes nothing");
    scene.wait(1, "sales");
    scene.report(1, "ann", AgentReport::Connected);
    scene.input(Input::Leave { call: call(1) });
    scene.input(Input::Registered { agent: "ann".into(), on: false });
    assert_eq!(scene.state("ann"), AgentState::Talking(call(1)));
    scene.report(1, "ann", AgentReport::Finished);
    assert_eq!(scene.state("ann"), AgentState::LoggedOff);
    assert_eq!(scene.desk.sizes(), Sizes::default());
}

#[test]
fn who_waits_too_long_overflows_but_not_while_a_phone_rings() {
    let mut sales = queue(Strategy::LongestIdle);
    sales.overflow = Overflow::Queue("night".into());
    let queues = [("sales", sales), ("night", queue(Strategy::LongestIdle))];
    let mut scene = Scene::new(&queues, &[("ann", SALES)]);
    scene.wait(1, "sales");
    let outputs = scene.pass(300);
    let [Output::Overflow { call: id, to: Onward::To(Target::Queue { id: to, .. }), .. }] = &outputs[..]
    else {
        panic!("{outputs:?}")
    };
    assert_eq!((*id, to.0.as_str()), (call(1), "night"));
    assert_eq!(scene.wait(1, "night"), []);
    let since = scene.now;
    assert_eq!(scene.pass(300), [Output::Overflow { call: call(1), to: Onward::End, since }]);

    scene.wait(2, "sales");
    scene.pass(290);
    assert_eq!(rings(&scene.log_on("ann")), [(2, vec!["ann"])]);
    assert!(scene.pass(20).is_empty(), "it rings");
    let outputs = scene.report(2, "ann", AgentReport::Missed(Cause::NoAnswer));
    assert!(outputs.iter().any(|output| matches!(output, Output::Overflow { .. })));
    assert_eq!(scene.desk.sizes().callers, 0);
}

#[test]
fn overflow_leads_past_a_queue_that_is_closed() {
    let mut sales = queue(Strategy::LongestIdle);
    sales.overflow = Overflow::Queue("support".into());
    let mut support = Queue { hours: Some(Hours::default()), ..queue(Strategy::LongestIdle) };
    let queues = [("sales", sales.clone()), ("support", support.clone())];
    let mut scene = Scene::new(&queues, &[]);
    scene.wait(1, "sales");
    let since = scene.now;
    assert_eq!(scene.pass(300), [Output::Overflow { call: call(1), to: Onward::Closed, since }]);
    support.when_closed = Overflow::Queue("night".into());
    let queues = [("sales", sales), ("support", support), ("night", queue(Strategy::LongestIdle))];
    let mut scene = Scene::new(&queues, &[]);
    scene.wait(1, "sales");
    let outputs = scene.pass(300);
    let [Output::Overflow { to: Onward::To(Target::Queue { id, .. }), .. }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(id.0, "night");
}

#[test]
fn only_agents_with_all_skills_get_a_queue_s_calls() {
    let skilled = Queue { skills: vec!["french".into(), "tax".into()], ..queue(Strategy::LongestIdle) };
    let queues = [("sales", skilled), ("support", queue(Strategy::LongestIdle))];
    let agents = [("ann", &["sales", "support"][..]), ("bob", &["sales"][..])];
    let mut scene = Scene::new(&queues, &agents);
    scene.skills("ann", &["french"]);
    scene.log_on("ann");
    scene.log_on("bob");
    assert_eq!(scene.wait(1, "sales"), [], "neither has both");
    assert_eq!(rings(&scene.wait(2, "support")), [(2, vec!["ann"])], "which asks for none");
    assert_eq!(rings(&scene.skills("bob", &["french", "golf", "tax"])), [(1, vec!["bob"])]);
    // Who loses a skill is rung no more, and keeps the call under way.
    scene.report(1, "bob", AgentReport::Connected);
    scene.skills("bob", &[]);
    assert_eq!(scene.state("bob"), AgentState::Talking(call(1)));
    assert_eq!(scene.wait(3, "sales"), []);
}

#[test]
fn an_unknown_queue_gives_up_at_once() {
    let mut scene = Scene::new(&[], &[]);
    let since = scene.now;
    assert_eq!(scene.wait(1, "nowhere"), [Output::Overflow { call: call(1), to: Onward::End, since }]);
    assert_eq!(scene.desk.sizes(), Sizes::default());
}

#[test]
fn places_are_told_as_often_as_the_queue_says() {
    let mut sales = queue(Strategy::LongestIdle);
    sales.position_every = Some(Duration::from_secs(30));
    let mut scene = Scene::new(&[("sales", sales)], &[("ann", SALES)]);
    scene.wait(1, "sales");
    scene.pass(10);
    scene.wait_as(2, "sales", 0, None);
    scene.wait_as(3, "sales", 9, None);
    let told = |n, position| Output::Position { call: call(n), position };
    assert_eq!(scene.pass(20), [told(1, 2)]);
    assert_eq!(scene.pass(10), [told(2, 3), told(3, 1)]);
    scene.input(Input::Leave { call: call(3) });
    assert_eq!(scene.pass(20), [told(1, 1)]);
    scene.log_on("ann"); // 1 is being offered
    assert_eq!(scene.pass(10), [told(2, 1)]);
}

#[test]
fn a_caller_for_one_agent_waits_for_that_agent_then_for_anyone() {
    let mut scene = Scene::new(&[("sales", queue(Strategy::LongestIdle))], &[("ann", SALES), ("bob", &[])]);
    scene.log_on("ann");
    scene.log_on("bob");
    assert_eq!(
        rings(&scene.wait_as(1, "sales", 0, Some("bob"))),
        [(1, vec!["bob"])],
        "though he serves no queue"
    );
    scene.talk(1, "bob");
    assert!(rings(&scene.wait_as(2, "sales", 0, Some("bob"))).is_empty(), "ann is not asked");
    assert_eq!(rings(&scene.pass(10)), [(2, vec!["bob"])], "after bob's wrap-up");
    let missed = scene.report(2, "bob", AgentReport::Missed(Cause::NoAnswer));
    assert_eq!(rings(&missed), [(2, vec!["ann"])]);
    scene.talk(2, "ann");
    // Gone while somebody waits, gone before, and away for the whole maximum wait.
    scene.wait_as(3, "sales", 0, Some("bob"));
    scene.pass(10);
    scene.input(Input::Presence { agent: "ann".into(), ready: Ok(()) });
    let gone = scene.input(Input::Registered { agent: "bob".into(), on: false });
    assert_eq!(rings(&gone), [(3, vec!["ann"])]);
    scene.talk(3, "ann");
    scene.pass(10);
    assert_eq!(rings(&scene.wait_as(4, "sales", 0, Some("bob"))), [(4, vec!["ann"])]);
    scene.talk(4, "ann");
    scene.log_on("bob");
    scene.input(Input::Presence { agent: "bob".into(), ready: Err(NotReady { reason: "lunch".into() }) });
    scene.wait_as(5, "sales", 0, Some("bob"));
    assert_eq!(rings(&scene.pass(299)), []);
    assert_eq!(rings(&scene.pass(1)), [(5, vec!["ann"])]);
}

#[test]
fn a_caller_who_leaves_sets_ringing_phones_free_and_a_dead_call_everything() {
    let mut scene = Scene::new(&[("sales", queue(Strategy::RingAll))], &[("ann", SALES), ("bob", SALES)]);
    scene.log_on("ann");
    scene.log_on("bob");
    scene.wait(1, "sales");
    scene.wait(2, "sales");
    let freed = scene.input(Input::Leave { call: call(1) });
    assert_eq!(rings(&freed), [(2, vec!["ann"])], "the next caller has them");
    scene.report(2, "ann", AgentReport::Connected);
    let dead = scene.input(Input::Gone { call: call(2) });
    assert!(rings(&dead).is_empty());
    assert!(matches!(scene.state("ann"), AgentState::WrapUp { .. }));
    assert_eq!(scene.desk.sizes().callers + scene.desk.sizes().engaged, 0);
    let late = scene.report(2, "ann", AgentReport::Finished);
    assert!(late.is_empty(), "said again by the call itself");
}

#[test]
fn new_settings_keep_callers_waiting_and_calls_going() {
    let queues = [("sales", queue(Strategy::LongestIdle)), ("vip", queue(Strategy::LongestIdle))];
    let mut scene = Scene::new(&queues, &[("ann", SALES), ("bob", SALES)]);
    scene.log_on("bob");
    scene.wait(1, "sales");
    scene.report(1, "bob", AgentReport::Connected);
    scene.input(Input::Leave { call: call(1) });
    scene.wait(2, "vip");
    scene.tick().wait(3, "vip");
    scene.log_on("ann");
    // Ann now serves vip; bob, in mid-call, is removed.
    scene.settings.agents.insert("ann".into(), agent(&["vip"]));
    scene.settings.agents.remove(&AgentId::from("bob"));
    assert_eq!(rings(&scene.swap()), [(2, vec!["ann"])]);
    assert_eq!(scene.state("bob"), AgentState::Talking(call(1)));
    scene.report(1, "bob", AgentReport::Finished);
    scene.input(Input::Registered { agent: "bob".into(), on: false });
    assert_eq!(scene.desk.agent(&"bob".into()), None);
    // The queue goes; who waits there keeps place and deadline.
    scene.settings.queues.remove(&QueueId::from("vip"));
    scene.swap();
    scene.talk(2, "ann");
    assert_eq!(rings(&scene.pass(10)), [(3, vec!["ann"])]);
}

#[test]
fn stale_reports_change_nothing() {
    let mut scene = Scene::new(&[("sales", queue(Strategy::LongestIdle))], &[("ann", SALES)]);
    scene.log_on("ann");
    scene.wait(1, "sales");
    for report in [
        AgentReport::Connected,
        AgentReport::Missed(Cause::Busy),
        AgentReport::Released,
        AgentReport::Finished,
        AgentReport::Ringing,
    ] {
        assert_eq!(scene.report(9, "ann", report), []);
        assert_eq!(scene.report(1, "nobody", report), []);
        assert_eq!(scene.state("ann"), AgentState::Ringing(call(1)));
    }
    assert_eq!(scene.report(1, "ann", AgentReport::Finished), [], "not while it rings");
}

/// What the store, the metrics and the desktop are told of an agent's day.
#[test]
fn every_change_of_an_agent_is_told_once() {
    let mut scene = Scene::new(&[("sales", queue(Strategy::LongestIdle))], &[("ann", SALES)]);
    let mut told = scene.log_on("ann");
    told.extend(scene.log_on("ann"));
    told.extend(scene.wait(1, "sales"));
    told.extend(scene.report(1, "ann", AgentReport::Ringing));
    told.extend(scene.report(1, "ann", AgentReport::Connected));
    told.extend(scene.report(1, "ann", AgentReport::Connected));
    told.extend(scene.report(1, "ann", AgentReport::Finished));
    told.extend(scene.pass(20));
    told.extend(scene.input(Input::Registered { agent: "ann".into(), on: false }));
    let states: Vec<AgentState> = told
        .into_iter()
        .filter_map(|output| if let Output::AgentChanged { state, .. } = output { Some(state) } else { None })
        .collect();
    let at = |seconds| Timestamp::from_micros(0) + Duration::from_secs(seconds);
    assert_eq!(
        states,
        [
            AgentState::Ready { since: at(0) },
            AgentState::Ringing(call(1)),
            AgentState::Talking(call(1)),
            AgentState::WrapUp { until: at(10) },
            AgentState::Ready { since: at(10) },
            AgentState::LoggedOff,
        ]
    );
}
