//! The desk: matches callers and agents of all queues.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::ids::{AgentId, CallId, QueueId};
use crate::settings::Settings;
use crate::time::Timestamp;

use super::agents::{Doing, Person};
use super::line::{Callers, Line, Place};
use super::{AgentState, Input, Output};

/// All queues of the server.
#[derive(Debug, Default)]
pub struct Desk {
    pub(super) settings: Arc<Settings>,
    pub(super) lines: BTreeMap<QueueId, Line>,
    /// Callers who wait for one agent.
    pub(super) personal: BTreeMap<AgentId, Callers>,
    pub(super) callers: BTreeMap<CallId, Caller>,
    pub(super) people: BTreeMap<AgentId, Person>,
    /// Who is rung or held for, or talks in a call.
    pub(super) engaged: BTreeMap<CallId, BTreeSet<AgentId>>,
    pub(super) timers: BTreeSet<(Timestamp, Timer)>,
    pub(super) outputs: VecDeque<Output>,
    pub(super) seq: u64,
}

/// How much the desk holds, for metrics and leak tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Callers, waiting or being offered.
    pub callers: usize,
    /// Agents rung, held or talking.
    pub engaged: usize,
    /// Deadlines.
    pub timers: usize,
}

#[derive(Debug)]
pub(super) struct Caller {
    pub(super) place: Place,
    pub(super) queue: QueueId,
    pub(super) only: Option<AgentId>,
    /// The end of the maximum wait.
    pub(super) until: Timestamp,
    /// When the place is told next.
    pub(super) tell: Option<(Timestamp, Duration)>,
    /// In the line, or being offered to agents.
    pub(super) offered: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
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
            Input::Claim { call, agent } => self.claim(call, agent),
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
            let queues = self.settings.served_by(agent);
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
