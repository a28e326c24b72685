//! Rows that facts of calls write, gathered so that those of many calls go in one statement each. They are written in an
//! order that each of them allows: a fact whose statement reads or changes rows of its call by itself has them written
//! before ([`Work::settle`]).

mod write;

use std::collections::{HashMap, HashSet};

use sqlx::{AnyConnection, Row as _};

use crate::call::Fact;
use crate::ids::{AgentId, CallId, LegId, PhoneNumber, QueueId, TrunkId};
use crate::time::Timestamp;

use super::change::Change;
use super::dialect::Dialect;
use super::error::{Doing as _, StoreError};
use super::many::filled;
use super::writer::Work;

/// A call that arrived.
pub(super) struct NewCall {
    pub(super) call: CallId,
    pub(super) at: Timestamp,
    pub(super) from: Option<PhoneNumber>,
    pub(super) dialled: String,
    pub(super) trunk: Option<TrunkId>,
    pub(super) queue: QueueId,
    pub(super) language: String,
}

/// A leg that was dialled, or called in.
pub(super) struct NewLeg {
    pub(super) leg: LegId,
    pub(super) agent: Option<AgentId>,
    pub(super) dialled_at: Timestamp,
    pub(super) connected_at: Option<Timestamp>,
    pub(super) direction: &'static str,
    pub(super) trunk: Option<TrunkId>,
    pub(super) outside: Option<PhoneNumber>,
}

/// A line of the course of a call.
#[derive(Default)]
pub(super) struct Event {
    pub(super) kind: &'static str,
    pub(super) agent: Option<AgentId>,
    pub(super) queue: Option<QueueId>,
    pub(super) outside: Option<PhoneNumber>,
    pub(super) detail: Option<String>,
    /// A person's free text.
    pub(super) note: Option<String>,
}

/// Why a call is recorded or not, and since when that is so.
pub(super) struct Decision {
    pub(super) word: &'static str,
    pub(super) detail: Option<String>,
    pub(super) at: Timestamp,
}

impl Decision {
    /// As the audit log has it.
    pub(super) fn text(&self) -> String {
        let Self { word, detail, at: _ } = self;
        detail.as_ref().map_or_else(|| (*word).to_owned(), |detail| format!("{word}: {detail}"))
    }
}

struct End {
    call: CallId,
    at: Timestamp,
    cause: &'static str,
    decision: Option<Decision>,
}

struct LegEnd {
    leg: LegId,
    at: Timestamp,
    cause: &'static str,
    quality: Option<String>,
}

/// The calls that these changes decide about, and that do not arrive in them.
pub(super) fn decided_in<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<CallId> {
    let (mut seen, mut decided) = (HashSet::new(), Vec::new());
    for change in changes {
        let Change::Fact(fact) = change else { continue };
        if let Fact::Arrived { call, .. } = fact {
            seen.insert(*call);
        } else if let Fact::Decided { call, .. } = fact
            && seen.insert(*call)
        {
            decided.push(*call);
        }
    }
    decided
}

/// See the module.
#[derive(Default)]
pub(super) struct Pending {
    calls: Vec<NewCall>,
    legs: Vec<NewLeg>,
    decided: Vec<(CallId, Decision)>,
    ended: Vec<End>,
    legs_ended: Vec<LegEnd>,
    quality: Vec<(LegId, String)>,
    events: Vec<(CallId, Timestamp, Event)>,
    /// Calls' SIP messages, and whether there were more.
    ladders: Vec<(CallId, String, bool)>,
    /// The calls whose rows these are.
    of: HashSet<CallId>,
    /// Why calls are recorded or not at this point of the transaction, of some calls.
    bases: HashMap<CallId, Option<String>>,
}

impl Pending {
    /// Reads in one go on what basis these calls are recorded.
    pub(super) async fn learn_bases(
        &mut self,
        connection: &mut AnyConnection,
        dialect: Dialect,
        wanted: &[CallId],
    ) -> Result<(), StoreError> {
        for lot in filled(wanted) {
            let select = write::bases(dialect, lot);
            let rows = select.fetch_all(&mut *connection).await.doing("reading what a fact changes")?;
            for row in &rows {
                let id = write::call_of(row)?;
                let basis = row.try_get::<Option<String>, _>("basis");
                let basis = basis.map_err(|_| StoreError::Corrupt { table: "calls", column: "basis" })?;
                self.bases.insert(id, basis);
            }
        }
        Ok(())
    }

    /// What was read is true no more.
    pub(super) fn forget_bases(&mut self) {
        self.bases.clear();
    }

    /// On what basis a call is recorded, if that is known here.
    pub(super) fn basis(&self, call: CallId) -> Option<Option<String>> {
        self.bases.get(&call).cloned()
    }

    pub(super) fn arrived(&mut self, call: NewCall) {
        self.of.insert(call.call);
        self.bases.insert(call.call, None);
        self.calls.push(call);
    }

    pub(super) fn leg(&mut self, leg: NewLeg) {
        self.of.insert(leg.leg.call);
        self.legs.push(leg);
    }

    pub(super) fn event(&mut self, call: CallId, at: Timestamp, event: Event) {
        self.of.insert(call);
        self.events.push((call, at, event));
    }

    pub(super) fn decided(&mut self, call: CallId, decision: Decision) {
        self.bases.insert(call, Some(decision.text()));
        self.of.insert(call);
        match self.decided.iter_mut().find(|(id, _)| *id == call) {
            Some((_, last)) => *last = decision,
            None => self.decided.push((call, decision)),
        }
    }

    pub(super) fn ended(&mut self, call: CallId, at: Timestamp, cause: &'static str) {
        self.of.insert(call);
        let decided = self.decided.iter().position(|(id, _)| *id == call);
        let decision = decided.map(|n| self.decided.swap_remove(n).1);
        match self.ended.iter_mut().find(|end| end.call == call) {
            Some(end) => {
                let decision = decision.or(end.decision.take());
                *end = End { call, at, cause, decision };
            }
            None => self.ended.push(End { call, at, cause, decision }),
        }
    }

    pub(super) fn leg_ended(&mut self, leg: LegId, at: Timestamp, cause: &'static str) {
        self.of.insert(leg.call);
        match self.legs_ended.iter_mut().find(|end| end.leg == leg) {
            Some(end) => (end.at, end.cause) = (at, cause),
            None => self.legs_ended.push(LegEnd { leg, at, cause, quality: None }),
        }
    }

    pub(super) fn quality(&mut self, leg: LegId, quality: String) {
        self.of.insert(leg.call);
        match self.legs_ended.iter_mut().find(|end| end.leg == leg) {
            Some(end) => end.quality = Some(quality),
            None => {
                self.quality.retain(|(id, _)| *id != leg);
                self.quality.push((leg, quality));
            }
        }
    }

    pub(super) fn ladder(&mut self, call: CallId, messages: String, cut: bool) {
        self.of.insert(call);
        self.ladders.push((call, messages, cut));
    }

    /// Writes the rows. What cannot be written is not here any more: the transaction, or its savepoint, is rolled back.
    pub(super) async fn write(&mut self, with: Writing<'_>) -> Result<(), StoreError> {
        if self.of.is_empty() {
            return Ok(());
        }
        let bases = std::mem::take(&mut self.bases);
        let rows = std::mem::replace(self, Self { bases, ..Self::default() });
        rows.write_all(with).await
    }
}

/// What rows are written with.
pub(super) struct Writing<'a> {
    pub(super) connection: &'a mut AnyConnection,
    pub(super) dialect: Dialect,
    /// The spool of the node that writes.
    pub(super) node: Option<&'a str>,
}

impl Work<'_> {
    /// Has the rows of this call written that wait, before a statement that may meet them.
    pub(super) async fn settle(&mut self, call: CallId) -> Result<(), StoreError> {
        if self.pending.of.contains(&call) { self.settle_all().await } else { Ok(()) }
    }

    /// The same for every call.
    pub(super) async fn settle_all(&mut self) -> Result<(), StoreError> {
        let (dialect, node) = (self.dialect, self.node);
        self.pending.write(Writing { connection: &mut *self.connection, dialect, node }).await
    }
}
