//! The desk's half that looks at callers: lines, offers, deadlines, places.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{Onward, Target};
use crate::ids::{AgentId, CallId, QueueId};
use crate::settings::{Overflow, Queue, WayIn};
use crate::time::Timestamp;

use super::Output;
use super::agents::Doing;
use super::desk::{Caller, Desk, Timer};
use super::line::Place;

impl Desk {
    pub(super) fn wait(
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
            self.outputs.push_back(Output::Overflow { call, to: Onward::End, since });
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
    pub(super) fn queue(&self, id: &QueueId) -> Option<Arc<Queue>> {
        self.settings.queues.get(id).or_else(|| self.lines.get(id)?.queue.as_ref()).cloned()
    }

    /// Into the line at the caller's place, and out again at once if an agent is ready.
    pub(super) fn line_up(&mut self, call: CallId) {
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
    pub(super) fn step_out(&mut self, call: CallId) {
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
    pub(super) fn offer(&mut self, call: CallId, agents: Vec<AgentId>) {
        self.step_out(call);
        let Some(caller) = self.callers.get_mut(&call) else { return };
        caller.offered = true;
        let (queue, since) = (caller.queue.clone(), caller.place.since);
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
        self.outputs.push_back(Output::Ring { call, agents, since });
    }

    pub(super) fn forget(&mut self, call: CallId) {
        self.step_out(call);
        let Some(caller) = self.callers.remove(&call) else { return };
        self.timers.remove(&(caller.until, Timer::MaxWait(call)));
        if let Some((at, _)) = caller.tell {
            self.timers.remove(&(at, Timer::Tell(call)));
        }
    }

    /// The caller no longer waits; phones that still ring for it are free, a conversation goes on.
    pub(super) fn leave(&mut self, call: CallId, now: Timestamp) {
        self.forget(call);
        for agent in self.engaged.get(&call).cloned().unwrap_or_default() {
            if self.people.get(&agent).is_some_and(|person| person.is_offered(call)) {
                self.released(call, &agent, now);
            }
        }
    }

    pub(super) fn gone(&mut self, call: CallId, now: Timestamp) {
        self.leave(call, now);
        for agent in self.engaged.get(&call).cloned().unwrap_or_default() {
            self.released(call, &agent, now); // if claimed
            self.finished(call, &agent, now);
        }
    }

    /// The maximum wait is over. While phones ring they are let ring: an offer that fails ends it.
    pub(super) fn waited_too_long(&mut self, call: CallId, now: Timestamp) {
        let Some(caller) = self.callers.get(&call) else { return };
        if caller.offered || caller.until > now {
            return;
        }
        if caller.only.is_some() {
            return self.anyone(call, now);
        }
        let since = caller.place.since;
        let to = match self.queue(&caller.queue).map(|queue| queue.overflow.clone()) {
            Some(Overflow::Queue(id)) => self.onward(&id, now),
            Some(Overflow::Hangup) | None => Onward::End,
        };
        self.forget(call);
        self.outputs.push_back(Output::Overflow { call, to, since });
    }

    /// To another queue, or where its callers go while it is closed.
    fn onward(&self, id: &QueueId, now: Timestamp) -> Onward {
        let Some(queue) = self.queue(id) else { return Onward::End };
        match self.settings.way_in(id, &queue, now) {
            WayIn::Queue(id, queue) => Onward::To(Target::Queue { id, queue }),
            WayIn::Closed => Onward::Closed,
        }
    }

    /// The agent a caller was meant for cannot be had: waits for anyone, with a maximum wait from now.
    pub(super) fn anyone(&mut self, call: CallId, now: Timestamp) {
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

    pub(super) fn is_reachable(&self, agent: &AgentId) -> bool {
        self.people.get(agent).is_some_and(|person| person.reachable)
    }

    pub(super) fn tell(&mut self, call: CallId, now: Timestamp) {
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
