//! What a reconciliation asks beside the pages of rows: a page's worth at a time, each by an index.

use std::collections::{BTreeMap, HashSet};

use crate::ids::{CallId, ReconciliationId};

use super::Store;
use super::error::{Doing as _, StoreError};
use super::query::Cells;

impl Store {
    /// The recordings of the calls from `first` to `last`: of which call, their state, whether salvaged.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings_of_calls(
        &self,
        first: CallId,
        last: CallId,
    ) -> Result<Vec<(CallId, String, bool)>, StoreError> {
        let select = "SELECT call, state, salvaged FROM recordings WHERE call >= $1 AND call <= $2 \
                      ORDER BY call, id";
        let rows = sqlx::query(select).bind(first.to_string()).bind(last.to_string());
        let rows = rows.fetch_all(&self.read).await.doing("reading the recordings of calls")?;
        let read = |row| {
            let cells = Cells { table: "recordings", row };
            Ok((cells.id("call")?, cells.get("state")?, cells.get::<i64>("salvaged")? == 1))
        };
        rows.iter().map(read).collect()
    }

    /// Which of the calls from `first` to `last` were told that their recording failed.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn calls_told_failed(
        &self,
        first: CallId,
        last: CallId,
    ) -> Result<HashSet<CallId>, StoreError> {
        let select = "SELECT DISTINCT call FROM call_events WHERE call >= $1 AND call <= $2 \
                      AND kind = 'recording-failed'";
        let rows = sqlx::query(select).bind(first.to_string()).bind(last.to_string());
        let rows = rows.fetch_all(&self.read).await.doing("reading the failures of calls")?;
        rows.iter().map(|row| Cells { table: "call_events", row }.id("call")).collect()
    }

    /// Kind and subject of the open jobs whose subject is from `first` to `last`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn jobs_of_subjects(
        &self,
        first: &str,
        last: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let select = "SELECT kind, subject FROM jobs WHERE subject >= $1 AND subject <= $2";
        let rows = sqlx::query(select).bind(first.to_owned()).bind(last.to_owned());
        let rows = rows.fetch_all(&self.read).await.doing("reading jobs")?;
        let read = |row| {
            let cells = Cells { table: "jobs", row };
            Ok((cells.get("kind")?, cells.get("subject")?))
        };
        rows.iter().map(read).collect()
    }

    /// The last reconciliation that saw everything.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn last_reconciliation(&self) -> Result<Option<ReconciliationId>, StoreError> {
        let select =
            "SELECT id FROM reconciliations WHERE state = 'ended' ORDER BY began_at DESC, id DESC LIMIT 1";
        let row = sqlx::query(select).fetch_optional(&self.read).await.doing("reading a reconciliation")?;
        row.map(|row| Cells { table: "reconciliations", row: &row }.id("id")).transpose()
    }

    /// How many findings of each kind nobody has dealt with.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn open_findings(&self, id: ReconciliationId) -> Result<BTreeMap<String, u64>, StoreError> {
        let select = "SELECT kind, COUNT(*) AS many FROM reconciliation_findings \
                      WHERE reconciliation = $1 AND resolved_at IS NULL GROUP BY kind";
        let rows = sqlx::query(select).bind(id.to_string());
        let rows = rows.fetch_all(&self.read).await.doing("counting findings")?;
        let read = |row| {
            let cells = Cells { table: "reconciliation_findings", row };
            Ok((cells.get("kind")?, cells.number("many")?.unwrap_or(0)))
        };
        rows.iter().map(read).collect()
    }
}
