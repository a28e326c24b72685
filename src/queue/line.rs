//! One queue's line of callers and its ready agents.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::ids::{AgentId, CallId};
use crate::settings::{Queue, Strategy};
use crate::time::Timestamp;

/// A caller's place: priority, then time, then the order of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) priority: Reverse<u8>,
    pub(super) since: Timestamp,
    pub(super) seq: u64,
}

/// Callers in order.
pub(super) type Callers = BTreeMap<Place, CallId>;

#[derive(Debug, Default)]
pub(super) struct Line {
    /// The settings last known; a queue that was removed keeps them for those who still wait.
    pub(super) queue: Option<Arc<Queue>>,
    pub(super) callers: Callers,
    by_idle: BTreeSet<(Timestamp, AgentId)>,
    by_name: BTreeSet<AgentId>,
    last: Option<AgentId>,
}

impl Line {
    pub(super) fn add_ready(&mut self, agent: &AgentId, since: Timestamp) {
        self.by_idle.insert((since, agent.clone()));
        self.by_name.insert(agent.clone());
    }

    pub(super) fn remove_ready(&mut self, agent: &AgentId, since: Timestamp) {
        self.by_idle.remove(&(since, agent.clone()));
        self.by_name.remove(agent);
    }

    /// Whom to ring for the next caller; empty when nobody is ready.
    pub(super) fn choose(&self) -> Vec<AgentId> {
        let Some(queue) = &self.queue else { return Vec::new() };
        match queue.strategy {
            Strategy::LongestIdle => {
                self.by_idle.first().map(|(_, agent)| agent.clone()).into_iter().collect()
            }
            Strategy::RoundRobin => self.next_in_turn().cloned().into_iter().collect(),
            Strategy::RingAll => self.by_name.iter().cloned().collect(),
        }
    }

    fn next_in_turn(&self) -> Option<&AgentId> {
        let after = self.last.as_ref().and_then(|last| {
            self.by_name.range::<AgentId, _>((Bound::Excluded(last), Bound::Unbounded)).next()
        });
        after.or_else(|| self.by_name.first())
    }

    /// Whose turn it was.
    pub(super) fn rung(&mut self, agent: &AgentId) {
        self.last = Some(agent.clone());
    }

    /// A caller's place in the line, 1 is next. Walks the callers before.
    pub(super) fn place(&self, place: Place) -> u32 {
        u32::try_from(self.callers.range(..place).count()).unwrap_or(u32::MAX).saturating_add(1)
    }

    #[cfg(test)]
    pub(super) fn has_ready(&self, agent: &AgentId, since: Timestamp) -> bool {
        self.by_name.contains(agent) && self.by_idle.contains(&(since, agent.clone()))
    }

    #[cfg(test)]
    pub(super) fn ready_len(&self) -> usize {
        assert_eq!(self.by_idle.len(), self.by_name.len());
        self.by_name.len()
    }
}
