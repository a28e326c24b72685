//! The desk in virtual time, and its own invariants for the property test.

use std::collections::BTreeSet;

use super::*;

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
            assert_eq!(caller.offered, self.engaged.contains_key(call), "{call} is offered to somebody");
        }
        assert!(distinct.iter().all(|call| self.callers.contains_key(call)));
    }
}
