//! Jobs as they are listed, counted and looked for.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use crate::time::Timestamp;

use super::{JobFigures, JobFilter, JobKind, JobRow, PLANNED, Progress, of};
use crate::store::Store;
use crate::store::error::{Doing as _, StoreError};
use crate::store::page::{Cursor, Page};
use crate::store::query::Cells;

/// Jobs of one kind and spool that may be leased: by the index, those due first first. A job whose subject another
/// holds waits, and so does one of a destroyed recording, for ever.
const DUE: &str = "SELECT * FROM (SELECT j.* FROM jobs j WHERE j.kind = '{kind}' AND {spool} AND j.due <= $1 \
     AND (j.leased_until IS NULL OR j.leased_until <= $1) AND NOT EXISTS (SELECT 1 FROM jobs o \
     WHERE o.subject = j.subject AND o.id <> j.id AND o.leased_until > $1) \
     AND (j.kind IN ('destroy', 'reconcile', 'retention') OR NOT EXISTS (SELECT 1 FROM recordings r WHERE r.id = j.subject \
     AND r.state IN ('destroyed', 'removed'))) ORDER BY j.due, j.id LIMIT $3) AS {name}";

impl Store {
    /// Jobs, the oldest first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<Page<JobRow>, StoreError> {
        let select = "SELECT * FROM jobs WHERE id > $1 AND ($2 IS NULL OR kind = $2) \
                      AND ($3 IS NULL OR subject = $3) AND ($4 = 0 OR error IS NOT NULL) ORDER BY id LIMIT $5";
        let rows = sqlx::query(select)
            .bind(filter.after.as_ref().map_or(0, |after| after.at))
            .bind(filter.kind.map(|kind| kind.word().to_owned()))
            .bind(filter.subject.clone())
            .bind(i64::from(filter.failing))
            .bind(i64::from(filter.limit) + 1)
            .fetch_all(&self.read)
            .await
            .doing("reading jobs")?;
        let rows: Vec<JobRow> = rows.iter().map(read_job).collect::<Result<_, StoreError>>()?;
        Ok(Page::of(rows, filter.limit, |row| Cursor { at: row.id, id: String::new() }))
    }

    /// One job.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn job(&self, id: i64) -> Result<Option<JobRow>, StoreError> {
        let row = of("SELECT * FROM jobs WHERE id = $1", id).fetch_optional(&self.read).await;
        row.doing("reading a job")?.map(|row| read_job(&row)).transpose()
    }

    /// At most `limit` jobs of these kinds that a runner on this spool's node may lease now, those due first first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn jobs_due(
        &self,
        now: Timestamp,
        spool: &str,
        kinds: &[JobKind],
        limit: u32,
    ) -> Result<Vec<JobRow>, StoreError> {
        if kinds.is_empty() {
            return Ok(Vec::new());
        }
        // A part for each kind and spool, so that each goes by the index and reads no more than `limit` rows, however
        // many wait.
        let part = |(n, (kind, spool)): (usize, (&JobKind, &str))| {
            DUE.replace("{kind}", kind.word()).replace("{spool}", spool).replace("{name}", &format!("p{n}"))
        };
        let kinds = kinds.iter().flat_map(|kind| [(kind, "j.spool = $2"), (kind, "j.spool IS NULL")]);
        let parts: Vec<String> = kinds.enumerate().map(part).collect();
        let select = format!("{} ORDER BY due, id LIMIT $3", parts.join(" UNION ALL "));
        let rows = sqlx::query(AssertSqlSafe(select))
            .bind(now.as_micros())
            .bind(spool.to_owned())
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .doing("looking for jobs")?;
        rows.iter().map(read_job).collect()
    }

    /// Figures of each kind, also of those without jobs; for metrics. Counts every job: not for each tick.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn job_figures(&self, now: Timestamp) -> Result<Vec<JobFigures>, StoreError> {
        let select = "SELECT kind, COUNT(*) AS jobs, MIN(CASE WHEN due <= $2 THEN created END) AS oldest, \
                      SUM(CASE WHEN leased_until > $1 THEN 1 ELSE 0 END) AS running, \
                      SUM(CASE WHEN error IS NULL THEN 0 ELSE 1 END) AS failing FROM jobs GROUP BY kind";
        let rows = sqlx::query(select).bind(now.as_micros()).bind((now + PLANNED).as_micros());
        let rows = rows.fetch_all(&self.read).await;
        let rows = rows.doing("counting jobs")?;
        let none =
            |kind: &JobKind| JobFigures { kind: *kind, waiting: 0, running: 0, oldest: None, failing: 0 };
        let mut figures: Vec<JobFigures> = JobKind::ALL.iter().map(none).collect();
        for row in &rows {
            let cells = Cells { table: "jobs", row };
            let kind = kind_of(&cells)?;
            let number = |column| cells.number::<u64>(column).map(Option::unwrap_or_default);
            let (jobs, running) = (number("jobs")?, number("running")?);
            let waiting = jobs.saturating_sub(running);
            let (oldest, failing) = (cells.maybe_time("oldest")?, number("failing")?);
            for slot in figures.iter_mut().filter(|slot| slot.kind == kind) {
                *slot = JobFigures { kind, waiting, running, oldest, failing };
            }
        }
        Ok(figures)
    }
}

/// A job's number.
pub(super) fn id_of(cells: &Cells<'_>) -> Result<i64, StoreError> {
    // An INTEGER in SQLite, which `Any` tells from a BIGINT.
    cells.row.try_get("id").map_err(|_| cells.corrupt("id"))
}

/// What a job does.
pub(super) fn kind_of(cells: &Cells<'_>) -> Result<JobKind, StoreError> {
    JobKind::from_word(&cells.get::<String>("kind")?).ok_or(cells.corrupt("kind"))
}

fn read_job(row: &AnyRow) -> Result<JobRow, StoreError> {
    let cells = Cells { table: "jobs", row };
    let progress = cells.number("done")?.zip(cells.number("total")?);
    Ok(JobRow {
        id: id_of(&cells)?,
        kind: kind_of(&cells)?,
        subject: cells.get("subject")?,
        spool: cells.get("spool")?,
        attempts: cells.number("attempts")?.ok_or(cells.corrupt("attempts"))?,
        due: cells.time("due")?,
        leased_by: cells.get("leased_by")?,
        leased_until: cells.maybe_time("leased_until")?,
        created: cells.time("created")?,
        error: cells.get("error")?,
        progress: progress.map(|(done, total)| Progress { done, total }),
    })
}
