//! Facts on their way to the store: gathered while an input is handled, put out as one unit of work, and
//! kept until it is durable.

use crate::consent::{Basis, Decision, Lodged, Receipt};
use crate::ids::{CommitId, LegId};
use crate::time::Timestamp;

use super::{Call, Fact, Output};

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Noted since the last unit of work.
    facts: Vec<Fact>,
    /// From failed units; they go first in the next one.
    again: Vec<Fact>,
    /// Put out, no word yet.
    outstanding: Vec<(CommitId, Vec<Fact>)>,
    next: u32,
}

impl Ledger {
    pub(super) fn note(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Whether it is not durable yet that the supervisor on `leg` takes part, or in which way.
    pub(super) fn awaits_supervision(&self, leg: LegId) -> bool {
        let told = |fact: &Fact| matches!(fact, Fact::Supervised { leg: own, .. } if *own == leg);
        let outstanding = self.outstanding.iter().flat_map(|(_, facts)| facts);
        self.facts.iter().chain(&self.again).chain(outstanding).any(told)
    }

    /// Notes a decision; it counts once the unit of work it will go out with is durable.
    fn lodge(&mut self, decision: Decision, fact: impl FnOnce(Basis) -> Fact) -> Lodged {
        self.facts.push(fact(decision.basis().clone()));
        decision.lodge(CommitId(self.next))
    }

    /// The next unit of work, if anything new is to be stored. What failed before waits for something
    /// new, so that a store that is away is not hammered.
    fn take(&mut self) -> Option<(CommitId, Vec<Fact>)> {
        if self.facts.is_empty() {
            return None;
        }
        let commit = CommitId(self.next);
        self.next += 1;
        let mut facts = std::mem::take(&mut self.again);
        facts.append(&mut self.facts);
        self.outstanding.push((commit, facts.clone()));
        Some((commit, facts))
    }

    fn committed(&mut self, commit: CommitId) {
        self.outstanding.retain(|(id, _)| *id != commit);
    }

    /// Keeps what is still true of a failed unit's facts. An override that was not stored did not happen;
    /// a yes that was not stored is none.
    fn failed(&mut self, commit: CommitId) {
        let Some(at) = self.outstanding.iter().position(|(id, _)| *id == commit) else { return };
        let (_, facts) = self.outstanding.remove(at);
        self.again.extend(facts.into_iter().filter_map(|fact| match fact {
            Fact::Overridden { .. } | Fact::Decided { basis: Basis::Override { .. }, .. } => None,
            Fact::Decided { call, at, basis } if basis.allows() => {
                Some(Fact::Decided { call, at, basis: Basis::NotStored })
            }
            fact @ (Fact::Arrived { .. }
            | Fact::Decided { .. }
            | Fact::ConsentAnswered { .. }
            | Fact::ConsentWithdrawn { .. }
            | Fact::Queued { .. }
            | Fact::Dialled { .. }
            | Fact::Admitted { .. }
            | Fact::Connected { .. }
            | Fact::LegEnded { .. }
            | Fact::Paused { .. }
            | Fact::RecordingFailed { .. }
            | Fact::Consulted { .. }
            | Fact::Returned { .. }
            | Fact::Transferred { .. }
            | Fact::Lost { .. }
            | Fact::Reattached { .. }
            | Fact::Supervised { .. }
            | Fact::SuperviseEnded { .. }
            | Fact::Ended { .. }) => Some(fact),
        }));
    }
}

impl Call {
    pub(super) fn note(&mut self, fact: Fact) {
        self.ledger.note(fact);
    }

    /// Notes a decision in the unit of work that this input puts out.
    pub(super) fn lodge(&mut self, decision: Decision, now: Timestamp) -> Lodged {
        let call = self.arrival.call;
        self.ledger.lodge(decision, |basis| Fact::Decided { call, at: now, basis })
    }

    /// Puts out what was noted as one unit of work.
    pub(super) fn flush(&mut self) {
        if let Some((commit, facts)) = self.ledger.take() {
            self.put(Output::Commit(commit, facts));
        }
    }

    pub(super) fn on_committed(&mut self, receipt: &Receipt, now: Timestamp) {
        self.ledger.committed(receipt.commit());
        if self.standing.committed(receipt) {
            self.on_standing_settled(now);
        }
        self.on_override_stored(receipt);
        self.reseat();
    }

    pub(super) fn on_commit_failed(&mut self, commit: CommitId, now: Timestamp) {
        self.ledger.failed(commit);
        if self.standing.commit_failed(commit) {
            self.on_standing_settled(now);
        }
        self.on_override_failed(commit);
    }
}
