//! What is due by the rules, found by an index of first queue and end of call: pages for the sweeper, counts and days
//! for simulation, and how far the sweeper is.
//!
//! By queue and time, and not by a due column: a changed rule would have to write that of every row, while here it is
//! another bound of the same range.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::ids::{CallId, QueueId, RecordingId, Redacted};
use crate::retention::{EndedCall, Fate, Kept};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::query::{Cells, count};
use super::rows::RecordingRow;
use super::select::{Select, Sight};
use super::writer::Work;

/// How far the sweeper is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// The generation of the settings it went by.
    pub generation: u64,
    /// When the last sweep began.
    pub began_at: Option<Timestamp>,
    /// When the last one that saw everything ended.
    pub ended_at: Option<Timestamp>,
    /// Since when the oldest thing is due that is not held; `None`: nothing is.
    pub oldest_due: Option<Timestamp>,
    /// How much is due and not held: recordings, calls and reporting rows together.
    pub due: u64,
    /// How much is due and held.
    pub held: u64,
    /// When it was last heard of.
    pub seen_at: Option<Timestamp>,
}

/// A sweeper that is not heard of for so long does not work, and what came due since is unknown.
const SILENCE: Duration = Duration::from_secs(900);

impl Swept {
    /// How long the oldest thing that is due waits; or, where nobody sweeps, how long that is unknown.
    #[must_use]
    pub fn lag(&self, now: Timestamp) -> Duration {
        let due = self.oldest_due.map_or(Duration::ZERO, |since| now.since(since));
        let silent = self.seen_at.map_or(Duration::ZERO, |seen| now.since(seen + SILENCE));
        due.max(silent)
    }
}

/// A place in a list of rows by the end of their call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    ended_at: Timestamp,
    id: String,
}

impl Behind {
    /// Behind all rows that ended then.
    #[must_use]
    pub fn end_of(ended_at: Timestamp) -> Self {
        Self { ended_at, id: "~".to_owned() }
    }

    /// When the call of the row ended that it is behind.
    #[must_use]
    pub const fn ended_at(&self) -> Timestamp {
        self.ended_at
    }

    /// Behind this row.
    #[must_use]
    pub fn of(row: &Kept) -> Self {
        let (ended_at, id) = match row {
            Kept::Recording { id, call } => (call.ended_at, id.to_string()),
            Kept::Call { call, .. } | Kept::Anonymous { call } => (call.ended_at, call.id.to_string()),
        };
        Self { ended_at, id }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptKind {
    /// Recordings that are not destroyed.
    Recordings,
    /// Calls that are not anonymised.
    Calls,
}

/// How much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Rows.
    pub rows: u64,
    /// Bytes of recordings.
    pub bytes: u64,
}

/// Recordings by the rules of their queue, from a place to an end; `recordings_kept` covers it.
const RECORDINGS: &str = "SELECT r.id AS recording, c.id, c.first_queue, c.arrived_at, c.ended_at, c.from_number \
     FROM (SELECT id, call, call_ended_at FROM recordings WHERE queue = $1 \
     AND state NOT IN ('discarded', 'destroyed', 'removed') AND call_ended_at <= $2 \
     AND (call_ended_at, id) > ($3, $4) ORDER BY call_ended_at, id LIMIT $5) r \
     JOIN calls c ON c.id = r.call ORDER BY r.call_ended_at, r.id";

const CALLS: &str = "SELECT c.id, c.first_queue, c.arrived_at, c.ended_at, c.from_number, r.id AS recording FROM (\
     SELECT id, first_queue, arrived_at, ended_at, from_number FROM calls WHERE first_queue = $1 \
     AND anonymised_at IS NULL AND ended_at <= $2 AND (ended_at, id) > ($3, $4) ORDER BY ended_at, id LIMIT $5) c \
     LEFT JOIN recordings r ON r.call = c.id AND r.state NOT IN ('discarded', 'destroyed', 'removed') \
     ORDER BY c.ended_at, c.id, r.id";

const ANONYMOUS: &str = "SELECT id, first_queue, arrived_at, ended_at, from_number FROM calls \
     WHERE anonymised_at IS NOT NULL AND stripped_at IS NULL AND ended_at <= $1 \
     AND (ended_at, id) > ($2, $3) ORDER BY ended_at, id LIMIT $4";

/// Ids of the calls that are held as a whole, and of those that a hold on the queue `$1` keeps those that ended in the span
/// that is counted; `$4` is now. Of calls that came in a hold's span all but the few of `calls_long` ended four hours behind
/// it at the latest, so each hold is a range of `calls_personal`; what is added keeps a database from another index.
const HELD_CALLS: &str = "SELECT h.object AS id FROM holds h WHERE h.kind = 'call' AND h.released_at IS NULL \
     AND (h.ends_at IS NULL OR h.ends_at > $4) \
     UNION SELECT c.id FROM holds h JOIN calls c ON c.from_number = h.number WHERE h.kind = 'number' \
     AND h.released_at IS NULL AND (h.ends_at IS NULL OR h.ends_at > $4) \
     UNION SELECT c.id FROM holds h JOIN calls c ON c.first_queue = $1 AND c.ended_at >= h.span_since \
     AND c.ended_at <= h.span_until + 14400000000 AND c.arrived_at + 0 <= h.span_until \
     AND c.ended_at > $2 AND c.ended_at <= $3 AND c.anonymised_at IS NULL \
     WHERE h.kind = 'queue' AND h.object = $1 \
     AND h.released_at IS NULL AND (h.ends_at IS NULL OR h.ends_at > $4) \
     UNION SELECT c.id FROM holds h JOIN calls c ON c.ended_at - c.arrived_at > 14400000000 \
     AND c.first_queue || '' = $1 AND c.ended_at >= h.span_since AND c.arrived_at + 0 <= h.span_until \
     AND c.ended_at > $2 AND c.ended_at <= $3 AND c.anonymised_at IS NULL \
     WHERE h.kind = 'queue' AND h.object = $1 \
     AND h.released_at IS NULL AND (h.ends_at IS NULL OR h.ends_at > $4)";

/// Ids of the recordings that are held by themselves.
const HELD_RECORDINGS: &str = "SELECT h.object AS id FROM holds h WHERE h.kind = 'recording' \
     AND h.released_at IS NULL AND (h.ends_at IS NULL OR h.ends_at > $4)";

/// A day in microseconds.
const DAY: i64 = 86_400_000_000;

impl Store {
    /// The first queue by name behind `after` that has calls which are not anonymised.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn next_kept_queue(&self, after: Option<&QueueId>) -> Result<Option<QueueId>, StoreError> {
        let select = "SELECT first_queue FROM calls WHERE first_queue > $1 AND anonymised_at IS NULL \
                      AND ended_at IS NOT NULL ORDER BY first_queue LIMIT 1";
        let queue = sqlx::query_scalar::<_, String>(select)
            .bind(after.map_or_else(String::new, |queue| queue.0.clone()))
            .fetch_optional(&self.read)
            .await
            .doing("looking for queues")?;
        Ok(queue.map(QueueId))
    }

    /// Recordings of a queue that are not destroyed and whose call ended by `until`, the oldest first, behind `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn kept_recordings(
        &self,
        queue: &QueueId,
        until: Timestamp,
        after: Option<&Behind>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        let rows = self.page(RECORDINGS, queue, until, after, limit).await?;
        let read = |row| {
            let id = Cells { table: "recordings", row }.id("recording")?;
            Ok(Kept::Recording { id, call: read_ended(row)? })
        };
        rows.iter().map(read).collect()
    }

    /// Calls of a queue that are not anonymised and ended by `until`, with their recordings that are not destroyed, the
    /// oldest first, behind `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn kept_calls(
        &self,
        queue: &QueueId,
        until: Timestamp,
        after: Option<&Behind>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        let rows = self.page(CALLS, queue, until, after, limit).await?;
        let mut found: Vec<(EndedCall, Vec<RecordingId>)> = Vec::new();
        for row in &rows {
            let call = read_ended(row)?;
            if found.last().is_none_or(|(last, _)| last.id != call.id) {
                found.push((call, Vec::new()));
            }
            let id: Option<RecordingId> = Cells { table: "recordings", row }.maybe_id("recording")?;
            if let Some((_, recordings)) = found.last_mut() {
                recordings.extend(id);
            }
        }
        Ok(found.into_iter().map(|(call, recordings)| Kept::Call { call, recordings }).collect())
    }

    /// Anonymous calls that ended by `until` and whose reporting data is there, the oldest first, behind `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn anonymous_calls(
        &self,
        until: Timestamp,
        after: Option<&Behind>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        let (at, id) = place(after);
        let rows = sqlx::query(ANONYMOUS)
            .bind(until.as_micros())
            .bind(at)
            .bind(id)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .doing("reading anonymous calls")?;
        rows.iter().map(|row| Ok(Kept::Anonymous { call: read_ended(row)? })).collect()
    }

    async fn page(
        &self,
        select: &'static str,
        queue: &QueueId,
        until: Timestamp,
        after: Option<&Behind>,
        limit: u32,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let (at, id) = place(after);
        sqlx::query(select)
            .bind(queue.0.clone())
            .bind(until.as_micros())
            .bind(at)
            .bind(id)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .doing("reading what may be due")
    }

    /// How much of a queue ended behind `from` and by `until`: all of it, or only what is held at `now`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn count_kept(
        &self,
        counted: KeptKind,
        queue: &QueueId,
        (from, until): (Option<Timestamp>, Timestamp),
        held_at: Option<Timestamp>,
    ) -> Result<Amount, StoreError> {
        let bytes = match counted {
            KeptKind::Recordings => "CAST(COALESCE(SUM(k.bytes), 0) AS BIGINT)",
            KeptKind::Calls => "0",
        };
        let select = format!(
            "SELECT COUNT(*) AS many, CAST({bytes} AS BIGINT) AS bytes FROM ({}) k",
            of_queue(counted, held_at)
        );
        let rows = self.counts(select, queue, (from, until), held_at).await?;
        let row = rows.first().ok_or(StoreError::Corrupt { table: "calls", column: "id" })?;
        let cells = Cells { table: "calls", row };
        let (rows, bytes) = (cells.number("many")?.unwrap_or(0), cells.number("bytes")?.unwrap_or(0));
        Ok(Amount { rows, bytes })
    }

    /// The same by day (counted since 1970, UTC) on which it is due: `keep` microseconds after its end.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn count_kept_by_day(
        &self,
        counted: KeptKind,
        queue: &QueueId,
        span: (Option<Timestamp>, Timestamp),
        keep: i64,
        held_at: Option<Timestamp>,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        let select = format!(
            "SELECT (k.ended_at + {keep}) / {DAY} AS day, COUNT(*) AS many FROM ({}) k GROUP BY 1",
            of_queue(counted, held_at)
        );
        let rows = self.counts(select, queue, span, held_at).await?;
        let read = |row| {
            let cells = Cells { table: "calls", row };
            Ok((cells.get("day")?, cells.number("many")?.unwrap_or(0)))
        };
        rows.iter().map(read).collect()
    }

    async fn counts(
        &self,
        select: String,
        queue: &QueueId,
        (from, until): (Option<Timestamp>, Timestamp),
        held_at: Option<Timestamp>,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let query = sqlx::query(AssertSqlSafe(select))
            .bind(queue.0.clone())
            .bind(from.map_or(i64::MIN, Timestamp::as_micros))
            .bind(until.as_micros());
        let query = match held_at {
            Some(now) => query.bind(now.as_micros()),
            None => query,
        };
        query.fetch_all(&self.read).await.doing("counting what is due")
    }

    /// How many anonymous calls ended by `until` whose reporting data is there.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn count_anonymous(&self, until: Timestamp) -> Result<u64, StoreError> {
        let select = "SELECT COUNT(*) FROM calls WHERE anonymised_at IS NOT NULL AND stripped_at IS NULL \
                      AND ended_at <= $1";
        let many = sqlx::query_scalar::<_, i64>(select).bind(until.as_micros()).fetch_one(&self.read).await;
        Ok(u64::try_from(many.doing("counting anonymous calls")?).unwrap_or(0))
    }

    /// How many recordings a rule of retention destroyed since then, of the queues that are seen. Restricted ones count as
    /// well: a figure tells of nobody.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn removed_since(&self, since: Timestamp, sight: &Sight) -> Result<u64, StoreError> {
        let mut select = Select::new("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM recordings r");
        let sight = Sight { queues: sight.queues.clone(), restricted: true };
        select.and("r.destroyed_at >= {}", since).only("r.rule LIKE 'retention%'").sort();
        select.seen(("r.queue", ""), None, &sight);
        let rows = select.end("").rows(&self.read, "counting removed recordings").await?;
        let cells = rows.first().map(|row| Cells { table: "recordings", row });
        Ok(cells.map(|cells| cells.number("n")).transpose()?.flatten().unwrap_or_default())
    }

    /// Which of these calls are restricted.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub(super) async fn restricted_of(&self, calls: &[CallId]) -> Result<BTreeSet<CallId>, StoreError> {
        if calls.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut select = Select::new("SELECT c.id FROM calls c");
        select.one_of("c.id", calls.iter().map(ToString::to_string).collect());
        select.only("c.restricted_at IS NOT NULL");
        let rows = select.end("").rows(&self.read, "looking for restricted calls").await?;
        rows.iter().map(|row| Cells { table: "calls", row }.id("id")).collect()
    }

    /// A call as retention sees it; `None`: it is not there, or it goes on.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn ended_call(&self, id: CallId) -> Result<Option<EndedCall>, StoreError> {
        let select = "SELECT id, first_queue, arrived_at, ended_at, from_number FROM calls \
                      WHERE id = $1 AND ended_at IS NOT NULL";
        let row = sqlx::query(select).bind(id.to_string()).fetch_optional(&self.read).await;
        row.doing("reading a call")?.map(|row| read_ended(&row)).transpose()
    }

    /// What became of a recording.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn fate_of(&self, row: &RecordingRow) -> Result<Fate, StoreError> {
        if row.state == "discarded" {
            return Ok(Fate::Discarded);
        }
        if let Some(at) = row.destroyed_at {
            let rule = row.rule.clone().unwrap_or_else(|| "unknown".to_owned());
            let by = row.destroyed_by.clone().unwrap_or_else(|| "system".to_owned());
            return Ok(Fate::Gone { at, rule, by, removed_at: row.removed_at });
        }
        Ok(self.ended_call(row.call).await?.map_or(Fate::Running, Fate::Here))
    }

    /// How far the sweeper is.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn retention_state(&self) -> Result<Swept, StoreError> {
        let row = sqlx::query("SELECT * FROM retention_state WHERE id = 1").fetch_one(&self.read).await;
        let row = row.doing("reading how far retention is")?;
        let cells = Cells { table: "retention_state", row: &row };
        Ok(Swept {
            generation: cells.number("generation")?.unwrap_or(0),
            began_at: cells.maybe_time("began_at")?,
            ended_at: cells.maybe_time("ended_at")?,
            oldest_due: cells.maybe_time("oldest_due")?,
            due: cells.number("due")?.unwrap_or(0),
            held: cells.number("held")?.unwrap_or(0),
            seen_at: cells.maybe_time("seen_at")?,
        })
    }
}

impl Work<'_> {
    /// Notes how far the sweeper is.
    pub(super) async fn swept(&mut self, swept: &Swept) -> Result<(), StoreError> {
        let update = "UPDATE retention_state SET generation = $1, began_at = $2, ended_at = $3, oldest_due = $4, \
                      due = $5, held = $6, seen_at = $7 WHERE id = 1";
        sqlx::query(update)
            .bind(count(swept.generation))
            .bind(swept.began_at.map(Timestamp::as_micros))
            .bind(swept.ended_at.map(Timestamp::as_micros))
            .bind(swept.oldest_due.map(Timestamp::as_micros))
            .bind(count(swept.due))
            .bind(count(swept.held))
            .bind(swept.seen_at.map(Timestamp::as_micros))
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("noting how far retention is")
    }
}

/// What is counted, as a table of `ended_at` and `bytes`: `$1` its queue, `$2` and `$3` its span, `$4` now, if only what
/// is held is meant.
fn of_queue(counted: KeptKind, held_at: Option<Timestamp>) -> String {
    let of = match counted {
        KeptKind::Recordings => {
            "SELECT r.call_ended_at AS ended_at, r.bytes AS bytes FROM {} WHERE r.queue = $1 \
             AND r.call_ended_at > $2 AND r.call_ended_at <= $3 \
             AND r.state NOT IN ('discarded', 'destroyed', 'removed')"
        }
        KeptKind::Calls => {
            "SELECT c.ended_at AS ended_at FROM {} WHERE c.first_queue = $1 AND c.ended_at > $2 \
             AND c.ended_at <= $3 AND c.anonymised_at IS NULL"
        }
    };
    let (table, held) = match counted {
        KeptKind::Recordings => (
            "recordings r",
            format!(
                "(SELECT q.id FROM ({HELD_CALLS}) x JOIN recordings q ON q.call = x.id UNION {HELD_RECORDINGS}) y \
                 JOIN recordings r ON r.id = y.id"
            ),
        ),
        KeptKind::Calls => (
            "calls c",
            format!(
                "({HELD_CALLS} UNION SELECT q.call FROM ({HELD_RECORDINGS}) x JOIN recordings q ON q.id = x.id) y \
                 JOIN calls c ON c.id = y.id"
            ),
        ),
    };
    of.replace("{}", if held_at.is_some() { &held } else { table })
}

fn place(after: Option<&Behind>) -> (i64, String) {
    after.map_or((i64::MIN, String::new()), |after| (after.ended_at.as_micros(), after.id.clone()))
}

fn read_ended(row: &AnyRow) -> Result<EndedCall, StoreError> {
    let cells = Cells { table: "calls", row };
    Ok(EndedCall {
        id: cells.id("id")?,
        queue: QueueId(cells.get("first_queue")?),
        arrived_at: cells.time("arrived_at")?,
        ended_at: cells.time("ended_at")?,
        from: cells.maybe("from_number", Redacted)?,
    })
}
