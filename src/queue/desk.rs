//! The desk: matches callers and agents of all queues.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::call::{AgentReport, Cause, Target};
use crate::ids::{AgentId, CallId, QueueId};
use crate::settings::{Overflow, Queue, Settings};
use crate::time::Timestamp;

use super::agents::{Doing, Person, rest};
use super::line::{Callers, Line, Place};
use super::{AgentState, Input, NotReady, Output};

/// All queues of the server.
#[derive(Debug, Default)]
pub struct Desk {
    settings: Arc<Settings>,
    lines: BTreeMap<QueueId, Line>,
    /// Callers who wait for one agent.
    personal: BTreeMap<AgentId, Callers>,
    callers: BTreeMap<CallId, Caller>,
    people: BTreeMap<AgentId, Person>,
    /// Who is rung for or talks in a call.
    engaged: BTreeMap<CallId, BTreeSet<AgentId>>,
    timers: BTreeSet<(Timestamp, Timer)>,
    outputs: VecDeque<Output>,
    seq: u64,
}

/// How much the desk holds, for metrics and leak tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Callers, waiting or being offered.
    pub callers: usize,
    /// Agents rung or talking.
    pub engaged: usize,
    /// Deadlines.
    pub timers: usize,
}

#[derive(Debug)]
struct Caller {
    place: Place,
    queue: QueueId,
    only: Option<AgentId>,
    /// The end of the maximum wait.
    until: Timestamp,
    /// When the place is told next.
    tell: Option<(Timestamp, Duration)>,
    /// In the line, or being offered to agents.
    offered: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The end of a caller's maximum wait.
    MaxWait(CallId),
    /// A caller's place is due to be told.
    Tell(CallId),
    /// The end of an agent's rest or wrap-up.
    Agent(AgentId),
}

impl Desk {
    /// Something happened.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Settings(settings) => self.swap(settings, now),
            Input::Wait { call, queue, priority, only, since } => {
                self.leave(call, now);
                self.wait(call, queue, priority, only, since, now);
            }
            Input::Leave { call } => self.leave(call, now),
            Input::Gone { call } => self.gone(call, now),
            Input::Registered { agent, on } => self.registered(&agent, on, now),
            Input::Presence { agent, ready } => self.presence(&agent, ready, now),
            Input::Report { call, agent, report } => self.report(call, &agent, report, now),
        }
    }

    /// When [`Desk::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Time has passed. Early calls do nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.timers.first() {
            if *at > now {
                break;
            }
            let Some((_, timer)) = self.timers.pop_first() else { break };
            match timer {
                Timer::MaxWait(call) => self.waited_too_long(call, now),
                Timer::Tell(call) => self.tell(call, now),
                Timer::Agent(agent) => {
                    self.change(&agent, |person| person.doing = Doing::Idle { since: now })
                }
            }
        }
    }

    /// What to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How many callers a queue has, waiting or being offered to agents who have not answered.
    #[must_use]
    pub fn waiting(&self, queue: &QueueId) -> usize {
        self.callers.values().filter(|caller| caller.queue == *queue).count()
    }

    /// An agent's state; `None` when unknown.
    #[must_use]
    pub fn agent(&self, agent: &AgentId) -> Option<AgentState> {
        self.people.get(agent).map(Person::state)
    }

    /// All agents with their states.
    pub fn agents(&self) -> impl Iterator<Item = (&AgentId, AgentState)> {
        self.people.iter().map(|(agent, person)| (agent, person.state()))
    }

    /// How much is held.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes {
            callers: self.callers.len(),
            engaged: self.engaged.values().map(BTreeSet::len).sum(),
            timers: self.timers.len(),
        }
    }
}

/// Callers.
impl Desk {
    fn wait(
        &mut self,
        call: CallId,
        id: QueueId,
        priority: u8,
        only: Option<AgentId>,
        since: Timestamp,
        now: Timestamp,
    ) {
        let only = only.filter(|agent| self.is_reachable(agent));
        let Some(queue) = self.queue(&id) else {
            self.outputs.push_back(Output::Overflow { call, to: None });
            return;
        };
        self.seq += 1;
        let place = Place { priority: Reverse(priority), since, seq: self.seq };
        let until = now + queue.max_wait;
        let every = queue.position_every.filter(|every| !every.is_zero());
        let tell = every.map(|every| (now + every, every));
        self.timers.insert((until, Timer::MaxWait(call)));
        if let Some((at, _)) = tell {
            self.timers.insert((at, Timer::Tell(call)));
        }
        self.callers.insert(call, Caller { place, queue: id, only, until, tell, offered: false });
        self.line_up(call);
    }

    /// The settings of a queue; of one that was removed, as last known.
    fn queue(&self, id: &QueueId) -> Option<Arc<Queue>> {
        self.settings.queues.get(id).or_else(|| self.lines.get(id)?.queue.as_ref()).cloned()
    }

    /// Into the line at the caller's place, and out again at once if an agent is ready.
    fn line_up(&mut self, call: CallId) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        caller.offered = false;
        let chosen = match &caller.only {
            Some(agent) => {
                self.personal.entry(agent.clone()).or_default().insert(caller.place, call);
                let ready = self.people.get(agent).is_some_and(|person| person.ready_since().is_some());
                if ready { vec![agent.clone()] } else { Vec::new() }
            }
            None => {
                let line = self.lines.entry(caller.queue.clone()).or_default();
                if line.queue.is_none() {
                    line.queue = self.settings.queues.get(&caller.queue).cloned();
                }
                line.callers.insert(caller.place, call);
                line.choose()
            }
        };
        if !chosen.is_empty() {
            self.offer(call, chosen);
        }
    }

    /// Takes a caller out of the line.
    fn step_out(&mut self, call: CallId) {
        let Some(caller) = self.callers.get(&call) else { return };
        if let Some(agent) = &caller.only {
            if let Some(callers) = self.personal.get_mut(agent) {
                callers.remove(&caller.place);
                if callers.is_empty() {
                    self.personal.remove(agent);
                }
            }
        } else if let Some(line) = self.lines.get_mut(&caller.queue) {
            line.callers.remove(&caller.place);
        }
    }

    /// Rings agents who are all ready.
    fn offer(&mut self, call: CallId, agents: Vec<AgentId>) {
        self.step_out(call);
        let Some(caller) = self.callers.get_mut(&call) else { return };
        caller.offered = true;
        let queue = caller.queue.clone();
        let in_turn = caller.only.is_none();
        for agent in &agents {
            if let Some(line) = self.lines.get_mut(&queue).filter(|_| in_turn) {
                line.rung(agent);
            }
            self.set(agent, |person| {
                if let Some(since) = person.ready_since() {
                    person.doing = Doing::Offered { call, queue: queue.clone(), since };
                }
            });
        }
        self.outputs.push_back(Output::Ring { call, agents });
    }

    fn forget(&mut self, call: CallId) {
        self.step_out(call);
        let Some(caller) = self.callers.remove(&call) else { return };
        self.timers.remove(&(caller.until, Timer::MaxWait(call)));
        if let Some((at, _)) = caller.tell {
            self.timers.remove(&(at, Timer::Tell(call)));
        }
    }

    /// The caller no longer waits; phones that still ring for it are free, a conversation goes on.
    fn leave(&mut self, call: CallId, now: Timestamp) {
        self.forget(call);
        for agent in self.engaged.get(&call).cloned().unwrap_or_default() {
            self.released(call, &agent, now);
        }
    }

    fn gone(&mut self, call: CallId, now: Timestamp) {
        self.leave(call, now);
        for agent in self.engaged.get(&call).cloned().unwrap_or_default() {
            self.finished(call, &agent, now);
        }
    }

    /// The maximum wait is over. While phones ring they are let ring: an offer that fails ends it.
    fn waited_too_long(&mut self, call: CallId, now: Timestamp) {
        let Some(caller) = self.callers.get(&call) else { return };
        if caller.offered || caller.until > now {
            return;
        }
        if caller.only.is_some() {
            return self.anyone(call, now);
        }
        let to = match self.queue(&caller.queue).map(|queue| queue.overflow.clone()) {
            Some(Overflow::Queue(id)) => self.queue(&id).map(|queue| Target::Queue { id, queue }),
            Some(Overflow::Hangup) | None => None,
        };
        self.forget(call);
        self.outputs.push_back(Output::Overflow { call, to });
    }

    /// The agent a caller was meant for cannot be had: waits for anyone, with a maximum wait from now.
    fn anyone(&mut self, call: CallId, now: Timestamp) {
        self.step_out(call);
        let queue = self.callers.get(&call).and_then(|caller| self.queue(&caller.queue));
        let max_wait = queue.map_or(Duration::ZERO, |queue| queue.max_wait);
        let Some(caller) = self.callers.get_mut(&call) else { return };
        caller.only = None;
        self.timers.remove(&(caller.until, Timer::MaxWait(call)));
        caller.until = now + max_wait;
        self.timers.insert((caller.until, Timer::MaxWait(call)));
        self.line_up(call);
    }

    fn is_reachable(&self, agent: &AgentId) -> bool {
        self.people.get(agent).is_some_and(|person| person.reachable)
    }

    fn tell(&mut self, call: CallId, now: Timestamp) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let Some((at, every)) = &mut caller.tell else { return };
        *at = now + *every;
        self.timers.insert((*at, Timer::Tell(call)));
        if caller.offered || caller.only.is_some() {
            return;
        }
        if let Some(line) = self.lines.get(&caller.queue) {
            let position = line.place(caller.place);
            self.outputs.push_back(Output::Position { call, position });
        }
    }
}

/// Agents.
impl Desk {
    /// Changes an agent and keeps every index right; tells if the state others see is another one.
    fn set(&mut self, agent: &AgentId, change: impl FnOnce(&mut Person)) {
        let Some(person) = self.people.get_mut(agent) else { return };
        let before = person.state();
        let (ready, until, call) = (person.ready_since(), person.until(), person.call());
        if let Some(since) = ready {
            for queue in &person.queues {
                if let Some(line) = self.lines.get_mut(queue) {
                    line.remove_ready(agent, since);
                }
            }
        }
        change(person);
        if let Some(since) = person.ready_since() {
            for queue in &person.queues {
                let line = self.lines.entry(queue.clone()).or_default();
                line.add_ready(agent, since);
            }
        }
        if person.until() != until {
            until.map(|at| self.timers.remove(&(at, Timer::Agent(agent.clone()))));
            person.until().map(|at| self.timers.insert((at, Timer::Agent(agent.clone()))));
        }
        if person.call() != call {
            if let Some(agents) = call.and_then(|call| self.engaged.get_mut(&call)) {
                agents.remove(agent);
            }
            if let Some(call) = call.filter(|call| self.engaged.get(call).is_some_and(BTreeSet::is_empty)) {
                self.engaged.remove(&call);
            }
            if let Some(call) = person.call() {
                self.engaged.entry(call).or_default().insert(agent.clone());
            }
        }
        let state = person.state();
        if state != before {
            self.outputs.push_back(Output::AgentChanged { agent: agent.clone(), state });
        }
    }

    /// As [`Self::set`], and offers the agent the next caller if that made the agent ready.
    fn change(&mut self, agent: &AgentId, change: impl FnOnce(&mut Person)) {
        self.set(agent, change);
        self.drop_stranger(agent);
        self.match_agent(agent);
    }

    /// The first caller in all the lines that a ready agent serves.
    fn match_agent(&mut self, agent: &AgentId) {
        let Some(person) = self.people.get(agent) else { return };
        if person.ready_since().is_none() {
            return;
        }
        let own = self.personal.get(agent).and_then(BTreeMap::first_key_value);
        let lines = person.queues.iter().filter_map(|queue| self.lines.get(queue)?.callers.first_key_value());
        let Some((_, &call)) = lines.chain(own).min_by_key(|(place, _)| **place) else { return };
        self.offer(call, vec![agent.clone()]);
    }

    /// Forgets an agent who is neither in the settings nor at a phone nor in a call.
    fn drop_stranger(&mut self, agent: &AgentId) {
        let stranger = !self.settings.agents.contains_key(agent)
            && self.people.get(agent).is_some_and(|person| !person.reachable && person.call().is_none());
        if stranger {
            self.set(agent, |person| person.doing = Doing::Idle { since: Timestamp::from_micros(0) });
            self.people.remove(agent);
        }
    }

    fn registered(&mut self, agent: &AgentId, on: bool, now: Timestamp) {
        let queues = self.settings.agents.get(agent).map(|agent| agent.queues.clone()).unwrap_or_default();
        if !self.people.contains_key(agent) {
            if !on {
                return;
            }
            self.people.insert(agent.clone(), Person { queues, ..Person::new(now) });
        }
        self.change(agent, |person| {
            if person.reachable == on {
                return; // a refresh
            }
            person.reachable = on;
            match person.doing {
                Doing::Idle { .. } | Doing::Resting { .. } | Doing::WrapUp { .. } => {
                    person.doing = Doing::Idle { since: now };
                }
                Doing::Offered { .. } | Doing::Talking { .. } => {} // the call will tell how it ends
            }
        });
        if !on {
            self.give_up_personal(agent, now);
        }
    }

    /// The agent whom callers wait for is gone.
    fn give_up_personal(&mut self, agent: &AgentId, now: Timestamp) {
        let calls: Vec<CallId> =
            self.personal.get(agent).map(|callers| callers.values().copied().collect()).unwrap_or_default();
        for call in calls {
            self.anyone(call, now);
        }
    }

    /// The agent's own choice. It ends a rest or a wrap-up: who says "ready" is ready.
    fn presence(&mut self, agent: &AgentId, ready: Result<(), NotReady>, now: Timestamp) {
        self.change(agent, |person| {
            match person.doing {
                Doing::Resting { .. } | Doing::WrapUp { .. } => person.doing = Doing::Idle { since: now },
                // Back from a break is newly idle.
                Doing::Idle { .. } if person.wish.is_err() && ready.is_ok() => {
                    person.doing = Doing::Idle { since: now };
                }
                Doing::Idle { .. } | Doing::Offered { .. } | Doing::Talking { .. } => {}
            }
            person.wish = ready;
        });
    }

    /// A report that does not fit what the desk knows comes too late and changes nothing.
    fn report(&mut self, call: CallId, agent: &AgentId, report: AgentReport, now: Timestamp) {
        match report {
            AgentReport::Ringing => {}
            AgentReport::Connected => self.set(agent, |person| {
                if let Doing::Offered { call: offered, queue, .. } = &person.doing
                    && *offered == call
                {
                    person.doing = Doing::Talking { call, queue: queue.clone() };
                }
            }),
            AgentReport::Missed(cause) => self.missed(call, agent, cause, now),
            AgentReport::Released => self.released(call, agent, now),
            AgentReport::Finished => self.finished(call, agent, now),
        }
    }

    fn missed(&mut self, call: CallId, agent: &AgentId, cause: Cause, now: Timestamp) {
        let (rest, why) = rest(cause);
        self.change(agent, |person| {
            if matches!(person.doing, Doing::Offered { call: offered, .. } if offered == call) {
                person.doing = match person.reachable {
                    true => Doing::Resting { until: now + rest, why },
                    false => Doing::Idle { since: now },
                };
            }
        });
        self.wait_on(call, now);
    }

    /// Free again; the idle time goes on as if there had been no offer.
    fn released(&mut self, call: CallId, agent: &AgentId, now: Timestamp) {
        let was = self.people.get(agent).and_then(|person| match person.doing {
            Doing::Offered { call: offered, since, .. } if offered == call => Some(since),
            Doing::Offered { .. }
            | Doing::Idle { .. }
            | Doing::Resting { .. }
            | Doing::Talking { .. }
            | Doing::WrapUp { .. } => None,
        });
        let Some(since) = was else { return };
        self.change(agent, |person| person.doing = Doing::Idle { since });
        self.wait_on(call, now);
    }

    fn finished(&mut self, call: CallId, agent: &AgentId, now: Timestamp) {
        let Some(Doing::Talking { call: talking, queue }) =
            self.people.get(agent).map(|person| &person.doing)
        else {
            return;
        };
        if *talking != call {
            return;
        }
        let wrap_up = self.queue(queue).map_or(Duration::ZERO, |queue| queue.wrap_up);
        self.change(agent, |person| {
            person.doing = if wrap_up.is_zero() || !person.reachable {
                Doing::Idle { since: now }
            } else {
                Doing::WrapUp { until: now + wrap_up }
            };
        });
    }

    /// An offer came to nothing and nobody else rings: back to the old place.
    fn wait_on(&mut self, call: CallId, now: Timestamp) {
        if self.engaged.contains_key(&call) {
            return;
        }
        let Some(caller) = self.callers.get_mut(&call).filter(|caller| caller.offered) else { return };
        caller.offered = false;
        if caller.only.is_some() {
            self.anyone(call, now);
        } else if caller.until <= now {
            self.waited_too_long(call, now);
        } else {
            self.line_up(call);
        }
    }
}

/// Settings.
impl Desk {
    /// Queues and agents come, change and go. Callers stay where they are, at their place and with their
    /// deadline; calls go on.
    fn swap(&mut self, settings: Arc<Settings>, now: Timestamp) {
        self.settings = settings;
        for (id, queue) in &self.settings.queues {
            self.lines.entry(id.clone()).or_default().queue = Some(Arc::clone(queue));
        }
        let mut names: BTreeSet<AgentId> = self.people.keys().cloned().collect();
        names.extend(self.settings.agents.keys().cloned());
        for agent in &names {
            let queues =
                self.settings.agents.get(agent).map(|agent| agent.queues.clone()).unwrap_or_default();
            if !self.people.contains_key(agent) {
                self.people.insert(agent.clone(), Person::new(now));
            }
            self.set(agent, |person| {
                person.queues = queues;
                person.queues.sort_unstable();
                person.queues.dedup();
            });
            self.drop_stranger(agent);
        }
        let mut used: BTreeSet<&QueueId> = self.callers.values().map(|caller| &caller.queue).collect();
        used.extend(self.settings.queues.keys());
        used.extend(self.people.values().flat_map(|person| &person.queues));
        self.lines.retain(|id, _| used.contains(id));
        for agent in &names {
            self.match_agent(agent);
        }
    }
}
