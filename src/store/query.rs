//! Queries: lists (newest first), one call, one recording, a number's last consent.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{Any, Decode, Row as _, Type};

use crate::consent::Known;
use crate::ids::{AgentId, CallId, PhoneNumber, QueueId, Redacted, TrunkId};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::link::soon;
use super::recorded::StoredObject;
use super::rows::{AgentRow, CallDetail, CallEventRow, CallRow, ConsentRow, LegRow, RecordingRow};

/// Which calls, consents or recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// At most so many.
    pub limit: u32,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Of this (first) queue.
    pub queue: Option<QueueId>,
    /// Of this call.
    pub call: Option<CallId>,
    /// Only what is not over: calls that have not ended, recordings armed or running.
    pub unfinished: bool,
    /// Of recordings: only those in this state.
    pub state: Option<String>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { limit: 100, since: None, queue: None, call: None, unfinished: false, state: None }
    }
}

const CALLS: &str = "SELECT * FROM calls WHERE ($1 IS NULL OR arrived_at >= $1) \
     AND ($2 IS NULL OR first_queue = $2) AND ($3 IS NULL OR id = $3) \
     AND ($4 = 0 OR ended_at IS NULL) ORDER BY arrived_at DESC, id DESC LIMIT $5";

/// The columns of a consent as [`read_consent`] reads them, FROM `consents`: all, and since when it was reset, by itself or
/// with everybody's.
macro_rules! consent_columns {
    () => {
        "consents.*, COALESCE(consents.reset_at, \
         (SELECT MAX(x.at) FROM consent_resets x WHERE x.at >= consents.at)) AS was_reset"
    };
}
pub(super) use consent_columns;

const CONSENTS: &str = concat!(
    "SELECT ",
    consent_columns!(),
    " FROM consents WHERE ($1 IS NULL OR at >= $1) \
     AND ($2 IS NULL OR queue = $2) AND ($3 IS NULL OR call = $3) \
     AND $4 = 0 ORDER BY at DESC, n DESC LIMIT $5"
);
const CONSENTS_OF_CALL: &str =
    concat!("SELECT ", consent_columns!(), " FROM consents WHERE call = $1 ORDER BY at DESC, n DESC");

impl Store {
    /// Calls, newest first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn calls(&self, filter: &Filter) -> Result<Vec<CallRow>, StoreError> {
        self.list(CALLS, filter, read_call).await
    }

    /// Consents, newest first; those of a number first of all in `known_consent`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn consents(&self, filter: &Filter) -> Result<Vec<ConsentRow>, StoreError> {
        self.list(CONSENTS, &Filter { unfinished: false, ..filter.clone() }, read_consent).await
    }

    /// One call with all that belongs to it.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn call(&self, id: CallId) -> Result<Option<CallDetail>, StoreError> {
        let filter = Filter { limit: u32::MAX, call: Some(id), ..Filter::default() };
        let call = self.of_call("SELECT * FROM calls WHERE id = $1", id, read_call).await?.pop();
        let Some(call) = call else { return Ok(None) };
        Ok(Some(CallDetail {
            call,
            legs: self.of_call("SELECT * FROM legs WHERE call = $1 ORDER BY n", id, read_leg).await?,
            events: self
                .of_call("SELECT * FROM call_events WHERE call = $1 ORDER BY n", id, read_event)
                .await?,
            consents: self.of_call(CONSENTS_OF_CALL, id, read_consent).await?,
            recordings: self.recordings(&filter).await?,
        }))
    }

    /// The last answer of this number, if it was given by key. Silence, wrong keys and hanging up are a
    /// no for their own call (domain rule 2), and an earlier yes no longer counts after them; but
    /// nothing is known then, and the caller is asked again. So is one who took the consent back.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn known_consent(&self, from: &PhoneNumber) -> Result<Option<Known>, StoreError> {
        let select = "SELECT answer, agreed, at, COALESCE(reset_at, \
                      (SELECT MAX(x.at) FROM consent_resets x WHERE x.at >= consents.at)) AS was_reset \
                      FROM consents WHERE from_number = $1 ORDER BY at DESC, n DESC LIMIT 1";
        let row = sqlx::query(select).bind(from.as_e164().to_owned()).fetch_optional(&self.read);
        let Some(row) = soon(row).await.doing("reading a consent")? else { return Ok(None) };
        let cells = Cells { table: "consents", row: &row };
        // Reset by a new privacy policy: the caller is asked again.
        if cells.maybe_time("was_reset")?.is_some()
            || !["yes", "no"].contains(&cells.get::<String>("answer")?.as_str())
        {
            return Ok(None);
        }
        Ok(Some(Known { agreed: cells.get::<i64>("agreed")? == 1, at: cells.time("at")? }))
    }

    /// The agents' states as they were last.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn agents(&self) -> Result<Vec<AgentRow>, StoreError> {
        let rows = sqlx::query("SELECT agent, state, at FROM agent_states ORDER BY agent");
        let rows = rows.fetch_all(&self.read).await.doing("reading the agents' states")?;
        let read = |row| {
            let cells = Cells { table: "agent_states", row };
            let state = cells.json("state")?.ok_or(cells.corrupt("state"))?;
            Ok(AgentRow { agent: AgentId(cells.get("agent")?), state, at: cells.time("at")? })
        };
        rows.iter().map(read).collect()
    }

    async fn list<T>(
        &self,
        select: &'static str,
        filter: &Filter,
        read: fn(&AnyRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = sqlx::query(select)
            .bind(filter.since.map(Timestamp::as_micros))
            .bind(filter.queue.as_ref().map(|queue| queue.0.clone()))
            .bind(filter.call.map(|call| call.to_string()))
            .bind(i64::from(filter.unfinished))
            .bind(i64::from(filter.limit))
            .fetch_all(&self.read)
            .await
            .doing("reading a list")?;
        rows.iter().map(read).collect()
    }

    async fn of_call<T>(
        &self,
        select: &'static str,
        call: CallId,
        read: fn(&AnyRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = sqlx::query(select).bind(call.to_string()).fetch_all(&self.read).await;
        rows.doing("reading a call")?.iter().map(read).collect()
    }
}

/// A row's cells, read with an error that names table and column.
pub(super) struct Cells<'r> {
    pub(super) table: &'static str,
    pub(super) row: &'r AnyRow,
}

impl<'r> Cells<'r> {
    pub(super) fn corrupt(&self, column: &'static str) -> StoreError {
        StoreError::Corrupt { table: self.table, column }
    }

    pub(super) fn get<T: Decode<'r, Any> + Type<Any>>(&self, column: &'static str) -> Result<T, StoreError> {
        self.row.try_get(column).map_err(|_| self.corrupt(column))
    }

    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.get(column).map(Timestamp::from_micros)
    }

    pub(super) fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        self.get::<Option<i64>>(column).map(|at| at.map(Timestamp::from_micros))
    }

    pub(super) fn maybe<T>(
        &self,
        column: &'static str,
        make: fn(String) -> T,
    ) -> Result<Option<T>, StoreError> {
        self.get::<Option<String>>(column).map(|text| text.map(make))
    }

    pub(super) fn id<T: std::str::FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        self.get::<String>(column)?.parse().map_err(|_| self.corrupt(column))
    }

    pub(super) fn maybe_id<T: std::str::FromStr>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| text.parse().map_err(|_| self.corrupt(column))).transpose()
    }

    pub(super) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let number: Option<i64> = self.get(column)?;
        number.map(|number| T::try_from(number).map_err(|_| self.corrupt(column))).transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| self.corrupt(column))).transpose()
    }
}

pub(super) fn read_call(row: &AnyRow) -> Result<CallRow, StoreError> {
    let cells = Cells { table: "calls", row };
    Ok(CallRow {
        id: cells.id("id")?,
        arrived_at: cells.time("arrived_at")?,
        from: cells.maybe("from_number", Redacted)?,
        dialled: cells.get("dialled")?,
        trunk: cells.maybe("trunk", TrunkId)?,
        first_queue: QueueId(cells.get("first_queue")?),
        queue: QueueId(cells.get("queue")?),
        language: cells.get("language")?,
        basis: cells.get("basis")?,
        basis_detail: cells.get("basis_detail")?,
        queued_at: cells.maybe_time("queued_at")?,
        connected_at: cells.maybe_time("connected_at")?,
        agent: cells.maybe("agent", AgentId)?,
        ended_at: cells.maybe_time("ended_at")?,
        end_cause: cells.get("end_cause")?,
        anonymised_at: cells.maybe_time("anonymised_at")?,
        restricted_at: cells.maybe_time("restricted_at")?,
    })
}

fn read_leg(row: &AnyRow) -> Result<LegRow, StoreError> {
    let cells = Cells { table: "legs", row };
    Ok(LegRow {
        n: cells.number("n")?.ok_or(cells.corrupt("n"))?,
        agent: cells.maybe("agent", AgentId)?,
        direction: cells.get("direction")?,
        trunk: cells.maybe("trunk", TrunkId)?,
        outside: cells.maybe("outside_number", Redacted)?,
        dialled_at: cells.time("dialled_at")?,
        connected_at: cells.maybe_time("connected_at")?,
        ended_at: cells.maybe_time("ended_at")?,
        cause: cells.get("cause")?,
        quality: cells.json("quality")?,
    })
}

fn read_event(row: &AnyRow) -> Result<CallEventRow, StoreError> {
    let cells = Cells { table: "call_events", row };
    Ok(CallEventRow {
        at: cells.time("at")?,
        kind: cells.get("kind")?,
        agent: cells.maybe("agent", AgentId)?,
        queue: cells.maybe("queue", QueueId)?,
        outside: cells.maybe("outside_number", Redacted)?,
        detail: cells.get("detail")?,
        note: cells.maybe("note", Redacted)?,
    })
}

pub(super) fn read_consent(row: &AnyRow) -> Result<ConsentRow, StoreError> {
    let cells = Cells { table: "consents", row };
    Ok(ConsentRow {
        call: cells.id("call")?,
        from: cells.maybe("from_number", Redacted)?,
        at: cells.time("at")?,
        queue: QueueId(cells.get("queue")?),
        answer: cells.get("answer")?,
        agreed: cells.get::<i64>("agreed")? == 1,
        digit: cells.get("digit")?,
        channel: cells.get("channel")?,
        question_sha256: cells.get("question_sha256")?,
        language: cells.get("language")?,
        reset: cells.maybe_time("was_reset")?,
    })
}

pub(super) fn read_recording(row: &AnyRow) -> Result<RecordingRow, StoreError> {
    let cells = Cells { table: "recordings", row };
    Ok(RecordingRow {
        id: cells.id("id")?,
        call: cells.id("call")?,
        queue: QueueId(cells.get("first_queue")?),
        state: cells.get("state")?,
        basis: cells.get("basis")?,
        basis_detail: cells.get("basis_detail")?,
        wrapped_key: cells.get::<Option<Vec<u8>>>("wrapped_key")?.map(Redacted),
        kek: cells.get("kek")?,
        spool: cells.get("spool")?,
        format: cells.get("format")?,
        armed_at: cells.time("armed_at")?,
        started_at: cells.maybe_time("started_at")?,
        ended_at: cells.maybe_time("ended_at")?,
        salvaged: cells.get::<i64>("salvaged")? == 1,
        encoded_at: cells.maybe_time("encoded_at")?,
        stored_at: cells.maybe_time("stored_at")?,
        object: read_object(&cells)?,
        destroyed_at: cells.maybe_time("destroyed_at")?,
        rule: cells.get("rule")?,
        destroyed_by: cells.get("destroyed_by")?,
        removed_at: cells.maybe_time("removed_at")?,
        samples: cells.number("samples")?,
        bytes: cells.number("bytes")?,
        sha256: cells.get("sha256")?,
        gaps: cells.json("gaps")?.unwrap_or_default(),
        unlisted: cells.number("unlisted")?,
        why: cells.get("why")?,
    })
}

fn read_object(cells: &Cells<'_>) -> Result<Option<StoredObject>, StoreError> {
    let Some(name) = cells.get::<Option<String>>("object_name")? else { return Ok(None) };
    Ok(Some(StoredObject {
        place: cells.get("object_place")?,
        name,
        version: cells.get("object_version")?,
        bytes: cells.number("object_bytes")?.ok_or(cells.corrupt("object_bytes"))?,
        checksum: cells.get("object_checksum")?,
        encryption: cells.get("object_encryption")?,
    }))
}

/// A count as a BIGINT; one past 2^63 does not happen.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A value as JSON text.
pub(super) fn json<T: Serialize>(
    table: &'static str,
    column: &'static str,
    value: &T,
) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt { table, column })
}
