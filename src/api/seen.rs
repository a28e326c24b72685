//! What of all that goes on a visitor sees: with the right *wallboard* every call and queue, else the own ones;
//! a number whole in own calls only.

use std::collections::{BTreeSet, HashSet};

use crate::access::Right;
use crate::ids::{AgentId, CallId, QueueId, Redacted};

use super::control::Live;
use super::guard::Visitor;
use super::view::{AgentView, CallView, PartyKind, QueueView, Snapshot};

/// One visitor's view.
#[derive(Debug)]
pub(super) struct Seen {
    agent: Option<AgentId>,
    all: bool,
    /// Of which queues that is all; `None`: of all.
    limited: Option<BTreeSet<QueueId>>,
    /// Whether agents are shown at all: to who sends calls to them, or looks after them.
    colleagues: bool,
    queues: HashSet<QueueId>,
    /// Calls that were shown and are not told to be gone yet.
    calls: HashSet<CallId>,
}

/// A change as the visitor is told of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shown {
    Call(CallView),
    Gone(CallId),
    Agent(AgentView),
    Queue(QueueView),
    /// Nothing of it is for this visitor.
    Nothing,
    /// The visitor sees something else from now on: all has to be told anew.
    Anew,
}

impl Seen {
    /// For a visitor; call [`Self::begin`] first.
    pub(super) fn new(visitor: &Visitor) -> Self {
        let all = visitor.has(Right::Wallboard);
        let (agent, colleagues) = (visitor.account.agent.clone(), all || visitor.has(Right::TakeCalls));
        let limited = visitor.held.queues().cloned();
        Self { agent, all, limited, colleagues, queues: HashSet::new(), calls: HashSet::new() }
    }

    /// What there is at the start.
    pub(super) fn begin(&mut self, whole: Snapshot) -> Snapshot {
        let Snapshot { now, calls, agents, queues } = whole;
        let own = agents.iter().find(|agent| Some(&agent.id) == self.agent.as_ref());
        self.queues = own.into_iter().flat_map(|agent| agent.queues.iter().cloned()).collect();
        let calls: Vec<CallView> =
            calls.into_iter().filter(|call| self.sees(call)).map(|call| self.masked(call)).collect();
        let agents = agents.into_iter().filter_map(|agent| self.agent(agent)).collect();
        self.calls = calls.iter().map(|call| call.id).collect();
        let queues = queues.into_iter().filter(|queue| self.sees_queue(&queue.id)).collect();
        Snapshot { now, calls, agents, queues }
    }

    /// What comes after that.
    pub(super) fn change(&mut self, live: &Live) -> Shown {
        match live {
            Live::Call(call) if self.sees(call) => {
                self.calls.insert(call.id);
                Shown::Call(self.masked(call.clone()))
            }
            // It was the visitor's own and is no longer.
            Live::Call(CallView { id, .. }) | Live::Gone(id) => {
                if self.calls.remove(id) {
                    Shown::Gone(*id)
                } else {
                    Shown::Nothing
                }
            }
            Live::Agent(agent) => {
                let own = Some(&agent.id) == self.agent.as_ref();
                let queues = || agent.queues.iter().cloned().collect::<HashSet<_>>();
                if own && !self.all && queues() != self.queues {
                    Shown::Anew
                } else {
                    self.agent(agent.clone()).map_or(Shown::Nothing, Shown::Agent)
                }
            }
            Live::Queue(queue) if self.sees_queue(&queue.id) => Shown::Queue(queue.clone()),
            Live::Queue(_) => Shown::Nothing,
            Live::Anew => Shown::Anew,
        }
    }

    /// An agent as the visitor sees it: why a colleague is not ready and in which call, is the wallboard's.
    fn agent(&self, mut agent: AgentView) -> Option<AgentView> {
        let own = Some(&agent.id) == self.agent.as_ref();
        if !self.all && !own {
            (agent.reason, agent.call) = (None, None);
        }
        (self.colleagues || own).then_some(agent)
    }

    fn sees(&self, call: &CallView) -> bool {
        let may = |queue: &QueueId| self.limited.as_ref().is_none_or(|limited| limited.contains(queue));
        self.owns(call) || self.all && (may(&call.first_queue) || may(&call.queue))
    }

    fn sees_queue(&self, queue: &QueueId) -> bool {
        let may = self.limited.as_ref().is_none_or(|limited| limited.contains(queue));
        self.all && may || self.queues.contains(queue)
    }

    fn owns(&self, call: &CallView) -> bool {
        let Some(agent) = &self.agent else { return false };
        call.parties.iter().any(|party| party.kind == PartyKind::Agent && party.id.0 == agent.0)
    }

    fn masked(&self, mut call: CallView) -> CallView {
        if self.owns(&call) {
            return call;
        }
        call.caller = call.caller.map(|number| mask(&number));
        for party in &mut call.parties {
            match party.kind {
                PartyKind::Outside => {
                    party.id = mask(&party.id);
                    party.name = mask(&party.name);
                }
                PartyKind::Agent | PartyKind::Supervisor => {}
            }
        }
        call
    }
}

/// The last two digits; of a number so short that they would be half of it, none.
fn mask(number: &Redacted<String>) -> Redacted<String> {
    let keys: Vec<char> = number.0.chars().collect();
    let shown = match keys.as_slice() {
        [.., a, b] if keys.len() > 4 => format!("••• {a}{b}"),
        _ => "•••".to_owned(),
    };
    Redacted(shown)
}

#[cfg(test)]
#[path = "seen_tests.rs"]
mod tests;
