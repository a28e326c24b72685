//! Spools: which are named, and what becomes of the work of one whose disk is lost.

use sqlx::AssertSqlSafe;

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::CallId;
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::job::JobKind;
use super::query::Cells;
use super::writer::Work;

/// A lost spool's work becomes another's, once its disk is given up: its recordings that are in no object store yet,
/// its jobs and its open calls. Whatever may have been copied while it was recorded gets a rescue.
/// [`StoreError::State`] when it is its own heir, or a runner holds one of its jobs: then its node is alive, or was a
/// minute ago. [`StoreError::Missing`] when nothing names it.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// The lost spool.
    pub from: String,
    /// The spool of the node that takes over.
    pub to: String,
    /// When.
    pub at: Timestamp,
    /// Who said so.
    pub by: Actor,
}

/// A spool that something names, and how much waits for its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolRow {
    /// Its id.
    pub id: String,
    /// Recordings whose only whole copy is or was to be there.
    pub recordings: u64,
    /// Jobs that only its node does.
    pub jobs: u64,
    /// Calls that have not ended.
    pub calls: u64,
    /// Since when the oldest of all these is there.
    pub oldest: Timestamp,
}

const SPOOL: &str = "spool";

/// Recordings that lie in a spool and nowhere else, as an index takes it.
const SPOOLED: &str = "state IN ('armed', 'recording', 'failed', 'finished')";

impl Work<'_> {
    /// Writes who has a lost spool's work from now on.
    pub(super) async fn adopt(&mut self, adoption: &Adoption) -> Result<(), StoreError> {
        let Adoption { from, to, at, by } = adoption;
        let refused = |state: &str| {
            let (id, state) = (from.clone(), state.to_owned());
            Err(StoreError::State { what: SPOOL, id, state, wanted: "adopted" })
        };
        if from == to {
            return refused("this node's own");
        }
        let held = "SELECT 1 FROM jobs WHERE spool = $1 AND leased_until > $2 LIMIT 1";
        let held = sqlx::query(held).bind(from.clone()).bind(at.as_micros());
        let held = held.fetch_optional(&mut *self.connection).await.doing("looking for a spool's jobs")?;
        if held.is_some() {
            return refused("at work (or was within the last minute)");
        }
        let rescue = format!(
            "INSERT INTO jobs (kind, subject, spool, due, created) SELECT '{}', r.id, $2, $3, $3 \
             FROM recordings r WHERE r.spool = $1 AND r.state IN ('armed', 'recording', 'failed') \
             ON CONFLICT (kind, subject) DO NOTHING",
            JobKind::Rescue.word()
        );
        let rescue = sqlx::query(AssertSqlSafe(rescue)).bind(from.clone()).bind(to.clone());
        let rescue = rescue.bind(at.as_micros()).execute(&mut *self.connection).await;
        rescue.doing("enqueueing jobs")?;
        let spooled = format!("UPDATE recordings SET spool = $2 WHERE spool = $1 AND {SPOOLED}");
        let recordings = self.moved(spooled, adoption).await?;
        // What comes after such a job is enqueued for the recording's spool.
        let others = "UPDATE recordings SET spool = $2 WHERE spool = $1 \
                      AND id IN (SELECT j.subject FROM jobs j WHERE j.spool = $1)";
        let others = self.moved(others.to_owned(), adoption).await?;
        let jobs = self.moved("UPDATE jobs SET spool = $2 WHERE spool = $1".to_owned(), adoption).await?;
        let calls = "UPDATE calls SET node = $2 WHERE node = $1 AND ended_at IS NULL";
        let calls = self.moved(calls.to_owned(), adoption).await?;
        if recordings + others + jobs + calls == 0 {
            return Err(StoreError::Missing { what: SPOOL, id: from.clone() });
        }
        let what = Object::new(SPOOL, from);
        let event = AuditEvent::new(Class::Modify, by.clone(), *at, "spool.adopted", what);
        let moved = format!("by {to}: {} recordings, {jobs} jobs, {calls} open calls", recordings + others);
        self.audit(event.new_value(Some(Value::Plain(moved))));
        Ok(())
    }

    /// How many rows went from one spool to the other.
    async fn moved(&mut self, update: String, adoption: &Adoption) -> Result<u64, StoreError> {
        let update = sqlx::query(AssertSqlSafe(update)).bind(adoption.from.clone()).bind(adoption.to.clone());
        let moved = update.execute(&mut *self.connection).await.doing("adopting a spool")?;
        Ok(moved.rows_affected())
    }
}

impl Store {
    /// The spools for which something waits, by id. Counts all that waits: not for each tick.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn spools(&self) -> Result<Vec<SpoolRow>, StoreError> {
        let select = format!(
            "SELECT spool, CAST(SUM(recordings) AS BIGINT) AS recordings, CAST(SUM(jobs) AS BIGINT) AS jobs, \
             CAST(SUM(calls) AS BIGINT) AS calls, MIN(oldest) AS oldest FROM (\
             SELECT spool, COUNT(*) AS recordings, 0 AS jobs, 0 AS calls, MIN(armed_at) AS oldest \
             FROM recordings WHERE spool IS NOT NULL AND {SPOOLED} GROUP BY spool UNION ALL \
             SELECT spool, 0, COUNT(*), 0, MIN(created) FROM jobs WHERE spool IS NOT NULL GROUP BY spool UNION ALL \
             SELECT node, 0, 0, COUNT(*), MIN(arrived_at) FROM calls \
             WHERE ended_at IS NULL AND node IS NOT NULL GROUP BY node) AS named GROUP BY spool ORDER BY spool"
        );
        let rows = sqlx::query(AssertSqlSafe(select)).fetch_all(&self.read).await;
        let read = |row| {
            let cells = Cells { table: "recordings", row };
            let number = |column| cells.number::<u64>(column).map(Option::unwrap_or_default);
            Ok(SpoolRow {
                id: cells.get("spool")?,
                recordings: number("recordings")?,
                jobs: number("jobs")?,
                calls: number("calls")?,
                oldest: cells.time("oldest")?,
            })
        };
        rows.doing("looking for spools")?.iter().map(read).collect()
    }

    /// Calls that arrived at the node with this spool and have not ended, the oldest first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn calls_left_by(&self, spool: &str) -> Result<Vec<CallId>, StoreError> {
        let select = "SELECT id FROM calls WHERE ended_at IS NULL AND node = $1 ORDER BY arrived_at, id";
        let rows = sqlx::query(select).bind(spool.to_owned()).fetch_all(&self.read).await;
        let read = |row| Cells { table: "calls", row }.id("id");
        rows.doing("reading calls")?.iter().map(read).collect()
    }
}
