//! Reports of reconciliations: what was compared, what was found, what an operator did about it.

use serde::{Serialize, Serializer};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Row as _};

use crate::audit::{Actor, AuditEvent, Class, Object, Value, words};
use crate::ids::{ReconciliationId, Redacted};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::page::{Cursor, Page};
use super::query::Cells;
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
    /// It came so far: after a crash it goes on from there. No effect once it is over.
    Reached {
        /// Which one.
        id: ReconciliationId,
        /// A JSON object: the counts so far, and where it is.
        counts: String,
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
        match change {
            ReconciliationChange::Began { id, at, by } => {
                let insert = "INSERT INTO reconciliations (id, state, by_whom, began_at) \
                              VALUES ($1, 'running', $2, $3) ON CONFLICT (id) DO NOTHING";
                let insert = of(insert, *id).bind(by.to_string()).bind(at.as_micros());
                insert.execute(&mut *self.connection).await.map(drop).doing("storing a reconciliation")
            }
            ReconciliationChange::Findings { id, findings } => self.found(*id, findings).await,
            ReconciliationChange::Reached { id, counts } => {
                let update = "UPDATE reconciliations SET counts = $2 WHERE id = $1 AND state = 'running'";
                let update = of(update, *id).bind(counts.clone());
                update
                    .execute(&mut *self.connection)
                    .await
                    .map(drop)
                    .doing("storing how far a reconciliation is")
            }
            ReconciliationChange::Ended { id, at, counts } => {
                let column = StoreError::Corrupt { table: "reconciliations", column: "counts" };
                serde_json::from_str::<serde_json::Value>(counts).map_err(|_| column)?;
                let update = "UPDATE reconciliations SET state = 'ended', ended_at = $2, counts = $3 \
                              WHERE id = $1 AND state = 'running'";
                let update = of(update, *id).bind(at.as_micros()).bind(counts.clone());
                let ended = self.one(WHAT, id, update).await;
                self.running(*id, ended, "ended").await?;
                self.tell(*id, Class::System, *at, "reconciliation.ended", counts);
                Ok(())
            }
            ReconciliationChange::Failed { id, at, why } => {
                let update = "UPDATE reconciliations SET state = 'failed', ended_at = $2, why = $3 \
                              WHERE id = $1 AND state = 'running'";
                let update = of(update, *id).bind(at.as_micros()).bind(why.clone());
                let failed = self.one(WHAT, id, update).await;
                self.running(*id, failed, "failed").await?;
                self.tell(*id, Class::Failure, *at, "reconciliation.failed", why);
                Ok(())
            }
            ReconciliationChange::Resolved { id, kind, subject, at, by, reason } => {
                let update = "UPDATE reconciliation_findings SET resolved_at = $4, resolved_by = $5 \
                              WHERE reconciliation = $1 AND kind = $2 AND subject = $3 AND resolved_at IS NULL";
                let update = of(update, *id)
                    .bind(kind.clone())
                    .bind(subject.clone())
                    .bind(at.as_micros())
                    .bind(by.to_string());
                self.one("open finding", &format!("{kind} {subject}"), update).await?;
                let what = Object::new("reconciliation", id).attribute(kind.clone());
                let event = AuditEvent::new(Class::Modify, by.clone(), *at, "finding.resolved", what);
                let event = event.old(Some(Value::Plain(subject.clone())));
                self.audit(event.new_value(Some(Value::Personal(reason.0.clone()))));
                Ok(())
            }
        }
    }

    async fn found(&mut self, id: ReconciliationId, findings: &[Finding]) -> Result<(), StoreError> {
        let insert = "INSERT INTO reconciliation_findings (reconciliation, kind, subject, detail) \
                      VALUES ($1, $2, $3, $4) ON CONFLICT (reconciliation, kind, subject) DO NOTHING";
        for Finding { kind, subject, detail } in findings {
            of(insert, id)
                .bind(kind.clone())
                .bind(subject.clone())
                .bind(detail.clone())
                .execute(&mut *self.connection)
                .await
                .doing("storing a finding")?;
        }
        Ok(())
    }

    /// Tells a reconciliation that is over from one that never was.
    async fn running(
        &mut self,
        reconciliation: ReconciliationId,
        result: Result<(), StoreError>,
        wanted: &'static str,
    ) -> Result<(), StoreError> {
        let Err(StoreError::Missing { what, id }) = result else { return result };
        let select = of("SELECT state FROM reconciliations WHERE id = $1", reconciliation);
        let row = select.fetch_optional(&mut *self.connection).await.doing("reading a reconciliation")?;
        match row.and_then(|row| row.try_get("state").ok()) {
            Some(state) => Err(StoreError::State { what, id, state, wanted }),
            None => Err(StoreError::Missing { what, id }),
        }
    }

    fn tell(&mut self, id: ReconciliationId, class: Class, at: Timestamp, action: &'static str, text: &str) {
        let event = AuditEvent::new(class, Actor::System, at, action, Object::new("reconciliation", id));
        self.audit(event.new_value(Some(Value::plain(text))));
    }
}

const WHAT: &str = "reconciliation";

fn of(sql: &'static str, id: ReconciliationId) -> Query<'static, Any, AnyArguments> {
    sqlx::query(sql).bind(id.to_string())
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
        let after = after.unwrap_or_else(Cursor::start);
        let select = "SELECT * FROM reconciliations WHERE (began_at, id) < ($1, $2) \
                      ORDER BY began_at DESC, id DESC LIMIT $3";
        let rows = sqlx::query(select)
            .bind(after.at)
            .bind(after.id)
            .bind(i64::from(limit) + 1)
            .fetch_all(&self.read)
            .await
            .doing("reading reconciliations")?;
        let rows: Vec<ReconciliationRow> = rows.iter().map(read).collect::<Result<_, StoreError>>()?;
        let place = |row: &ReconciliationRow| Cursor { at: row.began_at.as_micros(), id: row.id.to_string() };
        Ok(Page::of(rows, limit, place))
    }

    /// One reconciliation.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn reconciliation(
        &self,
        id: ReconciliationId,
    ) -> Result<Option<ReconciliationRow>, StoreError> {
        let row = of("SELECT * FROM reconciliations WHERE id = $1", id).fetch_optional(&self.read).await;
        row.doing("reading a reconciliation")?.map(|row| read(&row)).transpose()
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
        // Two statements, so that each goes by its index.
        let select = match kind {
            Some(_) => {
                "SELECT * FROM reconciliation_findings WHERE reconciliation = $1 AND kind = $2 AND n > $3 \
                 ORDER BY n LIMIT $4"
            }
            None => {
                "SELECT * FROM reconciliation_findings WHERE reconciliation = $1 AND $2 IS NULL AND n > $3 \
                 ORDER BY n LIMIT $4"
            }
        };
        let rows = of(select, id)
            .bind(kind.map(str::to_owned))
            .bind(after.map_or(0, |after| after.at))
            .bind(i64::from(limit) + 1)
            .fetch_all(&self.read)
            .await
            .doing("reading findings")?;
        let rows: Vec<FindingRow> = rows.iter().map(read_finding).collect::<Result<_, StoreError>>()?;
        Ok(Page::of(rows, limit, |row| Cursor { at: row.n, id: String::new() }))
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
        let select = "SELECT * FROM reconciliation_findings WHERE reconciliation = $1 AND kind = $2 \
                      AND subject = $3";
        let row = of(select, id).bind(kind.to_owned()).bind(subject.to_owned());
        let row = row.fetch_optional(&self.read).await.doing("reading a finding")?;
        row.map(|row| read_finding(&row)).transpose()
    }
}

fn read(row: &AnyRow) -> Result<ReconciliationRow, StoreError> {
    let cells = Cells { table: "reconciliations", row };
    let state = ReconciliationState::from_word(&cells.get::<String>("state")?);
    Ok(ReconciliationRow {
        id: cells.id("id")?,
        state: state.ok_or(cells.corrupt("state"))?,
        by: cells.get("by_whom")?,
        began_at: cells.time("began_at")?,
        ended_at: cells.maybe_time("ended_at")?,
        counts: cells.json("counts")?,
        why: cells.get("why")?,
    })
}

fn read_finding(row: &AnyRow) -> Result<FindingRow, StoreError> {
    let cells = Cells { table: "reconciliation_findings", row };
    Ok(FindingRow {
        n: row.try_get("n").map_err(|_| cells.corrupt("n"))?,
        finding: Finding {
            kind: cells.get("kind")?,
            subject: cells.get("subject")?,
            detail: cells.get("detail")?,
        },
        resolved_at: cells.maybe_time("resolved_at")?,
        resolved_by: cells.get("resolved_by")?,
    })
}
