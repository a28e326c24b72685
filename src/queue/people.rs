//! The desk's half that looks at agents: their states, and the next caller for one who is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::call::{AgentReport, Cause};
use crate::ids::{AgentId, CallId, QueueId};
use crate::time::Timestamp;

use super::agents::{Doing, Person, rest};
use super::desk::{Desk, Timer};
use super::{NotReady, Output};

impl Desk {
    /// Changes an agent and keeps every index right; tells if the state others see is another one.
    pub(super) fn set(&mut self, agent: &AgentId, change: impl FnOnce(&mut Person)) {
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
    pub(super) fn change(&mut self, agent: &AgentId, change: impl FnOnce(&mut Person)) {
        self.set(agent, change);
        self.drop_stranger(agent);
        self.match_agent(agent);
    }

    /// The first caller in all the lines that a ready agent serves.
    pub(super) fn match_agent(&mut self, agent: &AgentId) {
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
    pub(super) fn drop_stranger(&mut self, agent: &AgentId) {
        let stranger = !self.settings.agents.contains_key(agent)
            && self.people.get(agent).is_some_and(|person| !person.reachable && person.call().is_none());
        if stranger {
            self.set(agent, |person| person.doing = Doing::Idle { since: Timestamp::from_micros(0) });
            self.people.remove(agent);
        }
    }

    pub(super) fn registered(&mut self, agent: &AgentId, on: bool, now: Timestamp) {
        let queues = self.settings.served_by(agent);
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
                Doing::Offered { .. } | Doing::Claimed { .. } | Doing::Talking { .. } => {} // the call will tell how it ends
            }
        });
        if !on {
            self.give_up_personal(agent, now);
        }
    }

    /// The agent whom callers wait for is gone.
    pub(super) fn give_up_personal(&mut self, agent: &AgentId, now: Timestamp) {
        let calls: Vec<CallId> =
            self.personal.get(agent).map(|callers| callers.values().copied().collect()).unwrap_or_default();
        for call in calls {
            self.anyone(call, now);
        }
    }

    /// The agent's own choice. It ends a rest or a wrap-up: who says "ready" is ready.
    pub(super) fn presence(&mut self, agent: &AgentId, ready: Result<(), NotReady>, now: Timestamp) {
        self.change(agent, |person| {
            match person.doing {
                Doing::Resting { .. } | Doing::WrapUp { .. } => person.doing = Doing::Idle { since: now },
                // Back from a break is newly idle.
                Doing::Idle { .. } if person.wish.is_err() && ready.is_ok() => {
                    person.doing = Doing::Idle { since: now };
                }
                Doing::Idle { .. }
                | Doing::Offered { .. }
                | Doing::Claimed { .. }
                | Doing::Talking { .. } => {}
            }
            person.wish = ready;
        });
    }

    /// A report that does not fit what the desk knows comes too late and changes nothing.
    pub(super) fn report(&mut self, call: CallId, agent: &AgentId, report: AgentReport, now: Timestamp) {
        match report {
            AgentReport::Ringing => {}
            AgentReport::Connected => self.connected(call, agent),
            AgentReport::Missed(cause) => self.missed(call, agent, cause, now),
            AgentReport::Released => self.released(call, agent, now),
            AgentReport::Finished => self.finished(call, agent, now),
        }
    }

    /// Holds a ready agent for a call. Whose wrap-up follows is the business of the queue the call's other
    /// agents talk for.
    pub(super) fn claim(&mut self, call: CallId, agent: AgentId) {
        let ready = self.people.get(&agent).and_then(Person::ready_since);
        if let Some(since) = ready {
            let queue = self.talks_for(call);
            self.set(&agent, |person| person.doing = Doing::Claimed { call, queue, since });
        }
        self.outputs.push_back(Output::Claimed { call, agent, free: ready.is_some() });
    }

    /// The queue the agents of a call talk for.
    fn talks_for(&self, call: CallId) -> Option<QueueId> {
        self.engaged.get(&call)?.iter().find_map(|agent| match &self.people.get(agent)?.doing {
            Doing::Talking { queue, .. } | Doing::Claimed { queue, .. } => queue.clone(),
            Doing::Offered { queue, .. } => Some(queue.clone()),
            Doing::Idle { .. } | Doing::Resting { .. } | Doing::WrapUp { .. } => None,
        })
    }

    /// The caller waits no more, whether or not the call says so as well.
    fn connected(&mut self, call: CallId, agent: &AgentId) {
        let Some(person) = self.people.get(agent) else { return };
        let (queue, waited) = match &person.doing {
            Doing::Offered { call: offered, queue, .. } if *offered == call => (Some(queue.clone()), true),
            Doing::Claimed { call: claimed, queue, .. } if *claimed == call => (queue.clone(), false),
            Doing::Idle { .. } | Doing::Resting { .. } | Doing::WrapUp { .. } => {
                (self.talks_for(call), false)
            }
            Doing::Offered { .. } | Doing::Claimed { .. } | Doing::Talking { .. } => return,
        };
        self.set(agent, |person| person.doing = Doing::Talking { call, queue });
        if waited {
            self.forget(call);
        }
    }

    pub(super) fn missed(&mut self, call: CallId, agent: &AgentId, cause: Cause, now: Timestamp) {
        let (rest, why) = rest(cause);
        self.change(agent, |person| {
            let held = match person.doing {
                // In conversation: the phone was lost for good.
                Doing::Offered { call: by, .. }
                | Doing::Claimed { call: by, .. }
                | Doing::Talking { call: by, .. } => by == call,
                Doing::Idle { .. } | Doing::Resting { .. } | Doing::WrapUp { .. } => false,
            };
            if held {
                person.doing = match person.reachable {
                    true => Doing::Resting { until: now + rest, why },
                    false => Doing::Idle { since: now },
                };
            }
        });
        self.wait_on(call, now);
    }

    /// Free again; the idle time goes on as if there had been no offer.
    pub(super) fn released(&mut self, call: CallId, agent: &AgentId, now: Timestamp) {
        let was = self.people.get(agent).and_then(|person| match person.doing {
            Doing::Offered { call: by, since, .. } | Doing::Claimed { call: by, since, .. } if by == call => {
                Some(since)
            }
            Doing::Offered { .. }
            | Doing::Claimed { .. }
            | Doing::Idle { .. }
            | Doing::Resting { .. }
            | Doing::Talking { .. }
            | Doing::WrapUp { .. } => None,
        });
        let Some(since) = was else { return };
        self.change(agent, |person| person.doing = Doing::Idle { since });
        self.wait_on(call, now);
    }

    pub(super) fn finished(&mut self, call: CallId, agent: &AgentId, now: Timestamp) {
        let Some(Doing::Talking { call: talking, queue }) =
            self.people.get(agent).map(|person| &person.doing)
        else {
            return;
        };
        if *talking != call {
            return;
        }
        let wrap_up =
            queue.as_ref().and_then(|queue| self.queue(queue)).map_or(Duration::ZERO, |queue| queue.wrap_up);
        self.change(agent, |person| {
            person.doing = if wrap_up.is_zero() || !person.reachable {
                Doing::Idle { since: now }
            } else {
                Doing::WrapUp { until: now + wrap_up }
            };
        });
    }

    /// An offer came to nothing and nobody else rings: back to the old place.
    pub(super) fn wait_on(&mut self, call: CallId, now: Timestamp) {
        let rung = |agent: &AgentId| self.people.get(agent).is_some_and(|person| person.is_offered(call));
        if self.engaged.get(&call).is_some_and(|agents| agents.iter().any(rung)) {
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
