//! What a call has beside its own: attached data, its SIP messages.

use std::collections::BTreeMap;

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::{CallId, Redacted};
use crate::time::Timestamp;

use super::error::{Doing as _, StoreError};
use super::query::Cells;
use super::trace::Ladder;
use super::writer::Work;

/// See [`Change::Particulars`](super::Change::Particulars).
#[derive(Debug)]
pub enum ParticularsChange {
    /// A call's data is this from now on, and nothing else: one audit event for each key that changes. Refused for a
    /// call that is anonymised: nothing personal comes back to it.
    Data {
        /// Which call.
        call: CallId,
        /// All of it.
        data: BTreeMap<String, Redacted<String>>,
        /// When.
        at: Timestamp,
        /// By whom.
        by: Actor,
    },
    /// Its SIP messages, which are stored once, when it is over; not audited. Refused for a call that is anonymised.
    Ladder {
        /// Which call.
        call: CallId,
        /// All of them.
        ladder: Ladder,
    },
}

impl ParticularsChange {
    /// Whether something may be erased that must leave the database's own log, too: a key that the new data has not, or
    /// another value.
    pub(super) const fn erases(&self) -> bool {
        match self {
            Self::Data { .. } => true,
            Self::Ladder { .. } => false,
        }
    }
}

impl Work<'_> {
    pub(super) async fn particulars(&mut self, change: &ParticularsChange) -> Result<(), StoreError> {
        match change {
            ParticularsChange::Data { call, data, at, by } => self.data(*call, data, *at, by).await,
            ParticularsChange::Ladder { call, ladder } => {
                self.ladder(*call, ladder);
                Ok(())
            }
        }
    }

    async fn data(
        &mut self,
        call: CallId,
        data: &BTreeMap<String, Redacted<String>>,
        at: Timestamp,
        by: &Actor,
    ) -> Result<(), StoreError> {
        self.not_anonymised(call, "given data").await?;
        let select = "SELECT key, value FROM call_data WHERE call = $1";
        let rows = sqlx::query(select).bind(call.to_string()).fetch_all(&mut *self.connection).await;
        let mut before = BTreeMap::new();
        for row in &rows.doing("reading a call's data")? {
            let cells = Cells { table: "call_data", row };
            before.insert(cells.get::<String>("key")?, Redacted(cells.get::<String>("value")?));
        }
        for key in before.keys().chain(data.keys().filter(|key| !before.contains_key(*key))) {
            let (old, new) = (before.get(key), data.get(key));
            if old == new {
                continue;
            }
            let (statement, value) = match new {
                None => ("DELETE FROM call_data WHERE call = $1 AND key = $2", None),
                Some(value) => (
                    "INSERT INTO call_data (call, key, value, at) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (call, key) DO UPDATE SET value = $3, at = $4",
                    Some(value),
                ),
            };
            let mut statement = sqlx::query(statement).bind(call.to_string()).bind(key.clone());
            if let Some(value) = value {
                statement = statement.bind(value.0.clone()).bind(at.as_micros());
            }
            statement.execute(&mut *self.connection).await.map(drop).doing("storing a call's data")?;
            let what = Object::new("call", call).attribute(format!("data.{key}"));
            let told = |value: Option<&Redacted<String>>| value.map(|value| Value::Personal(value.0.clone()));
            let event = AuditEvent::new(Class::Modify, by.clone(), at, "call.data-set", what);
            self.audit(event.old(told(old)).new_value(told(new)));
        }
        self.learn_words(call).await
    }

    /// Refuses what would bring something personal back to a call that has lost it.
    ///
    /// # Errors
    /// When there is no such call, or it is anonymised.
    pub(super) async fn not_anonymised(
        &mut self,
        call: CallId,
        wanted: &'static str,
    ) -> Result<(), StoreError> {
        let select = "SELECT anonymised_at FROM calls WHERE id = $1";
        let row = sqlx::query_scalar::<_, Option<i64>>(select).bind(call.to_string());
        match row.fetch_optional(&mut *self.connection).await.doing("looking at a call")? {
            None => Err(StoreError::Missing { what: "call", id: call.to_string() }),
            Some(None) => Ok(()),
            Some(Some(_)) => {
                let (id, state) = (call.to_string(), "anonymised".to_owned());
                Err(StoreError::State { what: "call", id, state, wanted })
            }
        }
    }
}
