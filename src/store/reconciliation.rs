//! Reports of reconciliations: what was compared, what was found, what an operator did about it.

use serde::{Serialize, Serializer};

use crate::audit::{Actor, words};
use crate::ids::{ReconciliationId, Redacted};
use crate::time::Timestamp;

use super::Store;
use super::error::StoreError;
use super::page::{Cursor, Page};
use super::rows::{optional_rfc3339, rfc3339};
use super::writer::Work;

words!(
    /// How far a reconciliation is.
    ReconciliationState {
        /// It goes on, or waits to go on after a crash.
        Running = "running",
        /// It saw everything.
        Ended = "ended",
        /// It gave up.
        Failed = "failed",
    }
);

impl Serialize for ReconciliationState {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

/// What becomes of a reconciliation.
#[derive(Clone, Debug)]
pub enum ReconciliationChange {
    /// It begins. Said again after a crash, it has no effect.
    Began {
        /// Which one.
        id: ReconciliationId,
        /// When.
        at: Timestamp,
        /// Who asked for it.
        by: Actor,
    },
    /// What it found. The same kind and subject once more has no effect, so it can go on after a crash from where it
    /// is sure to have been.
    Findings {
        /// Which one.
        id: ReconciliationId,
        /// What it found.
        findings: Vec<Finding>,
    },
    /// It saw everything: `reconciliation.ended` in the audit log, with the counts. Once.
    Ended {
        /// Which one.
        id: ReconciliationId,
        /// When.
        at: Timestamp,
        /// A JSON object of counts.
        counts: String,
    },
    /// It gave up: `reconciliation.failed`, class failure. Once.
    Failed {
        /// Which one.
        id: ReconciliationId,
        /// When.
        at: Timestamp,
        /// Why, in words.
        why: String,
    },
    /// An operator dealt with a finding (removed an orphan): `finding.resolved`. Once.
    Resolved {
        /// Of which one.
        id: ReconciliationId,
        /// The finding's kind.
        kind: String,
        /// The finding's subject.
        subject: String,
        /// When.
        at: Timestamp,
        /// Who.
        by: Actor,
        /// Why, in the operator's words.
        reason: Redacted<String>,
    },
}

/// Something a reconciliation found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// In a word: `orphan`, `missing`, `mismatch`, …
    pub kind: String,
    /// An object's name, a recording's or a call's id.
    pub subject: String,
    /// More of it, in words.
    pub detail: String,
}

/// A reconciliation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReconciliationRow {
    /// Its id.
    pub id: ReconciliationId,
    /// How far it is.
    pub state: ReconciliationState,
    /// Who asked for it: `system`, `user ada`.
    pub by: String,
    /// When it began.
    #[serde(serialize_with = "rfc3339")]
    pub began_at: Timestamp,
    /// When it ended or gave up.
    #[serde(serialize_with = "optional_rfc3339")]
    pub ended_at: Option<Timestamp>,
    /// What it counted.
    pub counts: Option<serde_json::Value>,
    /// Why it gave up.
    pub why: Option<String>,
}

/// A finding as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingRow {
    /// Its number.
    #[serde(skip)]
    pub n: i64,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// When an operator dealt with it.
    #[serde(serialize_with = "optional_rfc3339")]
    pub resolved_at: Option<Timestamp>,
    /// Who did.
    pub resolved_by: Option<String>,
}

impl Work<'_> {
    /// Writes what becomes of a reconciliation.
    pub(super) async fn report(&mut self, change: &ReconciliationChange) -> Result<(), StoreError> {
        unimplemented!("{change:?}")
    }
}

impl Store {
    /// Reconciliations, the latest first, from `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn reconciliations(
        &self,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<ReconciliationRow>, StoreError> {
        unimplemented!("{after:?} {limit}")
    }

    /// One reconciliation.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn reconciliation(
        &self,
        id: ReconciliationId,
    ) -> Result<Option<ReconciliationRow>, StoreError> {
        unimplemented!("{id}")
    }

    /// What a reconciliation found, of one kind or all, in the order it was found, from `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn findings(
        &self,
        id: ReconciliationId,
        kind: Option<&str>,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<FindingRow>, StoreError> {
        unimplemented!("{id} {kind:?} {after:?} {limit}")
    }

    /// One finding of a reconciliation.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn finding(
        &self,
        id: ReconciliationId,
        kind: &str,
        subject: &str,
    ) -> Result<Option<FindingRow>, StoreError> {
        unimplemented!("{id} {kind} {subject}")
    }
}
