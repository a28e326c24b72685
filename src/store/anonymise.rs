//! Calls that lose what is personal, and rows that are past their time (domain rules 12, 16).

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::CallId;
use crate::retention::ANONYMISED;
use crate::time::Timestamp;

use super::error::{Doing as _, StoreError};
use super::persons::LogRows;
use super::query::Cells;
use super::retention::Swept;
use super::writer::Work;

/// See [`Change::Anonymise`](super::Change::Anonymise).
#[derive(Clone, Debug)]
pub enum AnonymiseChange {
    /// A call loses its numbers, texts and attached data, each replaced by
    /// [`ANONYMISED`](crate::retention::ANONYMISED), and what the audit log says of people in it is erased, but for whose
    /// its consents were; what reports count stays. `call.anonymised` in the audit log. No
    /// effect on one that is anonymised already. Refused with [`StoreError::State`] while it goes on (`going on`), while
    /// one of its recordings is not destroyed (`recorded`), and while it is held (`held`).
    Call {
        /// Which one.
        call: CallId,
        /// When.
        at: Timestamp,
        /// By which rule, never personal: `retention: …`, `dpo`.
        rule: String,
        /// Who.
        by: Actor,
    },
    /// An anonymous call's legs, events and notes go, and its row, unless a consent, a recording's row or the listening
    /// log refers to it: `call.removed` in the audit log. No effect on one that is gone. Refused as above, and while it is
    /// not anonymised.
    Strip {
        /// Which one.
        call: CallId,
        /// When.
        at: Timestamp,
        /// By which rule, never personal.
        rule: String,
        /// Who.
        by: Actor,
    },
    /// What follows in this unit of work is by the rules of this generation of settings: all of it is refused with
    /// [`StoreError::State`] (`settings`) when they have changed since. Who changes settings waits until it is committed.
    AsOf(u64),
    /// How far the sweeper is; not audited.
    Swept(Swept),
}

impl AnonymiseChange {
    /// Whether something is erased that must leave the database's own log, too.
    pub(super) const fn erases(&self) -> bool {
        match self {
            Self::Call { .. } => true,
            Self::Strip { .. } | Self::AsOf(_) | Self::Swept(_) => false,
        }
    }
}

/// What is personal of a call, table by table: `$1` is the call, `$2` what stands there afterwards.
const ERASE: [&str; 8] = [
    "UPDATE legs SET outside_number = $2 WHERE call = $1 AND outside_number IS NOT NULL",
    "UPDATE call_events SET outside_number = $2 WHERE call = $1 AND outside_number IS NOT NULL",
    "UPDATE call_events SET note = $2 WHERE call = $1 AND note IS NOT NULL",
    "UPDATE notes SET text = $2 WHERE call = $1",
    "UPDATE call_data SET value = $2 WHERE call = $1",
    "UPDATE recordings SET why = $2 WHERE call = $1 AND why IS NOT NULL AND rule = 'operator'",
    "UPDATE listening_log SET reason = $2 WHERE call = $1 AND reason IS NOT NULL AND reason <> $2",
    // They are over, else the call were held.
    "UPDATE holds SET reason = $2 WHERE (kind = 'call' AND object = $1) \
     OR (kind = 'recording' AND object IN (SELECT r.id FROM recordings r WHERE r.call = $1))",
];

/// What a call has beside its row.
const PARTS: [&str; 5] = [
    "DELETE FROM legs WHERE call = $1",
    "DELETE FROM call_events WHERE call = $1",
    "DELETE FROM notes WHERE call = $1",
    "DELETE FROM call_data WHERE call = $1",
    "DELETE FROM sip_traces WHERE call = $1",
];

impl Work<'_> {
    /// Anonymises a call, removes an anonymous one, or notes how far the sweeper is.
    pub(super) async fn anonymise(&mut self, change: &AnonymiseChange) -> Result<(), StoreError> {
        match change {
            AnonymiseChange::Call { call, at, rule, by } => self.anonymise_call(*call, *at, rule, by).await,
            AnonymiseChange::Strip { call, at, rule, by } => self.strip(*call, *at, rule, by).await,
            AnonymiseChange::AsOf(generation) => self.settings_are_of(*generation).await,
            AnonymiseChange::Swept(swept) => self.swept(swept).await,
        }
    }

    /// Locks the generation of settings against changes, and refuses another one than this.
    async fn settings_are_of(&mut self, generation: u64) -> Result<(), StoreError> {
        let lock = self.dialect.for_share();
        let select = format!("SELECT generation FROM settings_generation WHERE id = 1{lock}");
        let row = sqlx::query(sqlx::AssertSqlSafe(select)).fetch_one(&mut *self.connection).await;
        let row = row.doing("reading the generation of settings")?;
        let now: u64 = Cells { table: "settings_generation", row: &row }.number("generation")?.unwrap_or(0);
        if now == generation {
            return Ok(());
        }
        let (what, id, state) = ("settings", generation.to_string(), "changed".to_owned());
        Err(StoreError::State { what, id, state, wanted: "applied" })
    }

    async fn anonymise_call(
        &mut self,
        call: CallId,
        at: Timestamp,
        rule: &str,
        by: &Actor,
    ) -> Result<(), StoreError> {
        const WANTED: &str = "anonymised";
        let (ended, anonymised) = self.times_of(call).await?.ok_or_else(|| missing(call))?;
        if anonymised {
            return Ok(());
        }
        let refused = |state: &str| StoreError::State {
            what: "call",
            id: call.to_string(),
            state: state.to_owned(),
            wanted: WANTED,
        };
        if !ended {
            return Err(refused("going on"));
        }
        let kept = "SELECT 1 FROM recordings WHERE call = $1 \
                    AND state NOT IN ('discarded', 'destroyed', 'removed') LIMIT 1";
        let kept = sqlx::query(kept).bind(call.to_string()).fetch_optional(&mut *self.connection).await;
        if kept.doing("looking for recordings")?.is_some() {
            return Err(refused("recorded"));
        }
        self.is_not_held(&call.to_string(), None, WANTED).await?;
        for erase in ERASE {
            let erase = sqlx::query(erase).bind(call.to_string()).bind(ANONYMISED);
            erase.execute(&mut *self.connection).await.doing("anonymising a call")?;
        }
        let trace = sqlx::query("DELETE FROM sip_traces WHERE call = $1").bind(call.to_string());
        trace.execute(&mut *self.connection).await.doing("removing a call's SIP messages")?;
        let update = "UPDATE calls SET anonymised_at = $3, from_number = \
                      CASE WHEN from_number IS NULL THEN NULL ELSE $2 END WHERE id = $1";
        let update = sqlx::query(update).bind(call.to_string()).bind(ANONYMISED).bind(at.as_micros());
        self.one("call", &call, update).await?;
        // Whose consent it was stays in the log, as the consent does (domain rule 16); an erasure takes that, too.
        self.erase_personal_of(&[call], LogRows::AllButConsents).await?;
        self.audit(of_call(by, at, "call.anonymised", call, rule));
        Ok(())
    }

    async fn strip(&mut self, call: CallId, at: Timestamp, rule: &str, by: &Actor) -> Result<(), StoreError> {
        const WANTED: &str = "removed";
        let Some((_, anonymised)) = self.times_of(call).await? else { return Ok(()) };
        if !anonymised {
            let (what, id, state) = ("call", call.to_string(), "not anonymised".to_owned());
            return Err(StoreError::State { what, id, state, wanted: WANTED });
        }
        self.is_not_held(&call.to_string(), None, WANTED).await?;
        for part in PARTS {
            let part = sqlx::query(part).bind(call.to_string()).execute(&mut *self.connection).await;
            part.doing("removing what belongs to a call")?;
        }
        let delete = "DELETE FROM calls WHERE id = $1 \
                      AND NOT EXISTS (SELECT 1 FROM consents k WHERE k.call = calls.id) \
                      AND NOT EXISTS (SELECT 1 FROM recordings r WHERE r.call = calls.id) \
                      AND NOT EXISTS (SELECT 1 FROM listening_log l WHERE l.call = calls.id)";
        let gone = sqlx::query(delete).bind(call.to_string()).execute(&mut *self.connection).await;
        if gone.doing("removing a call")?.rows_affected() == 0 {
            let update =
                "UPDATE calls SET stripped_at = $2, agent = NULL WHERE id = $1 AND stripped_at IS NULL";
            let update = sqlx::query(update).bind(call.to_string()).bind(at.as_micros());
            let done = update.execute(&mut *self.connection).await.doing("removing reporting data")?;
            if done.rows_affected() == 0 {
                return Ok(());
            }
        }
        self.audit(of_call(by, at, "call.removed", call, rule));
        Ok(())
    }

    /// Whether it ended, and whether it is anonymised; locked.
    async fn times_of(&mut self, call: CallId) -> Result<Option<(bool, bool)>, StoreError> {
        let lock = self.dialect.for_update();
        let select = format!("SELECT ended_at, anonymised_at FROM calls WHERE id = $1{lock}");
        let row = sqlx::query(sqlx::AssertSqlSafe(select)).bind(call.to_string());
        let row = row.fetch_optional(&mut *self.connection).await.doing("reading a call")?;
        let Some(row) = row else { return Ok(None) };
        let cells = Cells { table: "calls", row: &row };
        let has = |column| cells.maybe_time(column).map(|at| at.is_some());
        Ok(Some((has("ended_at")?, has("anonymised_at")?)))
    }
}

fn missing(call: CallId) -> StoreError {
    StoreError::Missing { what: "call", id: call.to_string() }
}

fn of_call(by: &Actor, at: Timestamp, action: &'static str, call: CallId, rule: &str) -> AuditEvent {
    let event = AuditEvent::new(Class::Modify, by.clone(), at, action, Object::new("call", call));
    event.new_value(Some(Value::plain(rule)))
}
