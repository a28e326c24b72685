//! Recordings in pages: for exports, for reconciliation, for start-up; their certificates.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::ids::{CallId, RecordingId};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::page::{Cursor, Page};
use super::query::{Cells, Filter, read_call, read_recording};
use super::rows::{CallRow, CertificateRow, RecordingRow};
use super::select::{Select, Sight};

/// Rows as [`read_recording`] takes them.
const SELECT: &str = "SELECT r.*, c.first_queue FROM recordings r JOIN calls c ON c.id = r.call WHERE ";

impl Store {
    /// Recordings, the latest first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings(&self, filter: &Filter) -> Result<Vec<RecordingRow>, StoreError> {
        Ok(self.recordings_page(filter, None).await?.items)
    }

    /// Recordings, the latest first, from `after`; `filter.limit` of them.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings_page(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
    ) -> Result<Page<RecordingRow>, StoreError> {
        let after = after.unwrap_or_else(Cursor::start);
        // Only what is asked for, so that it goes by the index that fits.
        let asked = |is: bool, condition: &'static str, nothing: &'static str| match is {
            true => condition,
            false => nothing,
        };
        let select = format!(
            "{SELECT}(r.armed_at, r.id) < ($1, $2) AND {} AND {} AND {} AND {}{} \
             ORDER BY r.armed_at DESC, r.id DESC LIMIT $7",
            asked(filter.since.is_some(), "r.armed_at >= $3", "$3 IS NULL"),
            asked(filter.queue.is_some(), "r.queue = $4", "$4 IS NULL"),
            asked(filter.call.is_some(), "r.call = $5", "$5 IS NULL"),
            asked(filter.state.is_some(), "r.state = $6", "$6 IS NULL"),
            asked(filter.unfinished, " AND r.state IN ('armed', 'recording')", ""),
        );
        let rows = sqlx::query(AssertSqlSafe(select))
            .bind(after.at)
            .bind(after.id)
            .bind(filter.since.map(Timestamp::as_micros))
            .bind(filter.queue.as_ref().map(|queue| queue.0.clone()))
            .bind(filter.call.map(|call| call.to_string()))
            .bind(filter.state.clone())
            .bind(i64::from(filter.limit) + 1)
            .fetch_all(&self.read)
            .await
            .doing("reading recordings")?;
        let rows: Vec<RecordingRow> = rows.iter().map(read_recording).collect::<Result<_, StoreError>>()?;
        let place = |row: &RecordingRow| Cursor { at: row.armed_at.as_micros(), id: row.id.to_string() };
        Ok(Page::of(rows, filter.limit, place))
    }

    /// A recording, if its call may be seen.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn recording_seen(
        &self,
        id: RecordingId,
        sight: &Sight,
    ) -> Result<Option<RecordingRow>, StoreError> {
        let mut select =
            Select::new("SELECT r.*, c.first_queue FROM recordings r JOIN calls c ON c.id = r.call");
        select.and("r.id = {}", id.to_string()).seen(("c.first_queue", "c.restricted_at"), None, sight);
        let rows = select.end("").rows(&self.read, "reading a recording").await?;
        rows.first().map(read_recording).transpose()
    }

    /// One recording.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn recording(&self, id: RecordingId) -> Result<Option<RecordingRow>, StoreError> {
        let select = AssertSqlSafe(format!("{SELECT}r.id = $1"));
        let row = sqlx::query(select).bind(id.to_string()).fetch_optional(&self.read).await;
        row.doing("reading a recording")?.map(|row| read_recording(&row)).transpose()
    }

    /// Recordings of a spool that were armed or running when its server died, the oldest first; also those of an older
    /// Sayso, which name no spool.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings_unfinished(&self, spool: &str) -> Result<Vec<RecordingRow>, StoreError> {
        let select = format!(
            "{SELECT}r.state IN ('armed', 'recording') AND (r.spool = $1 OR r.spool IS NULL) \
             ORDER BY +r.armed_at, r.id"
        );
        // The sign keeps SQLite from going through all recordings there are in the order of time.
        let rows = sqlx::query(AssertSqlSafe(select)).bind(spool.to_owned()).fetch_all(&self.read).await;
        rows.doing("reading recordings")?.iter().map(read_recording).collect()
    }

    /// Recordings whose only whole copy is or was to be in this spool (armed, recording, failed, finished), in order of
    /// their ids, from `after`: for a spool that is lost.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings_spooled(
        &self,
        spool: &str,
        after: Option<RecordingId>,
        limit: u32,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        let select = format!(
            "{SELECT}r.spool = $1 AND r.state IN ('armed', 'recording', 'failed', 'finished') AND r.id > $2 \
             ORDER BY r.id LIMIT $3"
        );
        let rows = sqlx::query(AssertSqlSafe(select))
            .bind(spool.to_owned())
            .bind(after.map_or_else(String::new, |after| after.to_string()))
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await;
        rows.doing("reading recordings")?.iter().map(read_recording).collect()
    }

    /// Recordings from one id to before another, in order of their ids, behind `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings_between(
        &self,
        from: RecordingId,
        to: RecordingId,
        after: Option<RecordingId>,
        limit: u32,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        let (first, behind) = first(from, after);
        let select = format!("{SELECT}r.id {behind} $1 AND r.id < $2 ORDER BY r.id LIMIT $3");
        self.between(select, first.to_string(), to.to_string(), limit, read_recording).await
    }

    /// Names of objects that should be in this place beside that of a recording: of those that were made nearest before
    /// and after it, so many each. Where none is stored there any more, of those whose copies are being removed. Not
    /// far is looked.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn stored_beside(
        &self,
        id: RecordingId,
        place: &str,
        each: u32,
    ) -> Result<Vec<String>, StoreError> {
        let side = |compare: &str, order: &str| {
            format!(
                "SELECT n.object_name FROM (SELECT r.id, r.state, r.object_place, r.object_name FROM recordings r \
                 WHERE r.id {compare} $1 ORDER BY r.id {order} LIMIT 500) AS n \
                 WHERE n.state = $2 AND n.object_place = $3 ORDER BY n.id {order} LIMIT $4"
            )
        };
        for state in ["stored", "destroyed"] {
            let mut names = Vec::new();
            for select in [side("<", "DESC"), side(">", "ASC")] {
                let rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(select))
                    .bind(id.to_string())
                    .bind(state)
                    .bind(place.to_owned())
                    .bind(i64::from(each))
                    .fetch_all(&self.read)
                    .await;
                names.append(&mut rows.doing("reading a recording's neighbours")?);
            }
            if !names.is_empty() {
                return Ok(names);
            }
        }
        Ok(Vec::new())
    }

    /// Calls from one id to before another, in order of their ids, behind `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn calls_between(
        &self,
        from: CallId,
        to: CallId,
        after: Option<CallId>,
        limit: u32,
    ) -> Result<Vec<CallRow>, StoreError> {
        let (first, behind) = first(from, after);
        let select = format!("SELECT * FROM calls WHERE id {behind} $1 AND id < $2 ORDER BY id LIMIT $3");
        self.between(select, first.to_string(), to.to_string(), limit, read_call).await
    }

    async fn between<T>(
        &self,
        select: String,
        first: String,
        to: String,
        limit: u32,
        read: fn(&AnyRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(select)).bind(first).bind(to).bind(i64::from(limit));
        rows.fetch_all(&self.read)
            .await
            .doing("reading what lies between two ids")?
            .iter()
            .map(read)
            .collect()
    }

    /// Calls of a node that have not ended, the oldest first: at its start-up, those it died in. Also those of an older
    /// Sayso, which name no node.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn calls_unfinished(&self, spool: &str) -> Result<Vec<CallRow>, StoreError> {
        let select = "SELECT * FROM calls WHERE ended_at IS NULL AND (node = $1 OR node IS NULL) \
                      ORDER BY +arrived_at, id";
        let rows = sqlx::query(select).bind(spool.to_owned()).fetch_all(&self.read).await;
        rows.doing("reading calls")?.iter().map(read_call).collect()
    }

    /// The latest moment at which a put of the recording into the object store may have begun whose end nobody saw, a
    /// crash or a lost answer in between: such a put may still land a while later.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn unsettled_at(&self, id: RecordingId) -> Result<Option<Timestamp>, StoreError> {
        let at = sqlx::query_scalar::<_, Option<i64>>("SELECT unsettled_at FROM recordings WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.read)
            .await
            .doing("reading a recording")?;
        Ok(at.flatten().map(Timestamp::from_micros))
    }

    /// A removed recording's deletion certificate: signed JSON.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn certificate(&self, id: RecordingId) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar("SELECT text FROM certificates WHERE recording = $1")
            .bind(id.to_string())
            .fetch_optional(&self.read)
            .await
            .doing("reading a deletion certificate")
    }

    /// Deletion certificates without their texts, the latest first, from `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn certificates(
        &self,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<CertificateRow>, StoreError> {
        let after = after.unwrap_or_else(Cursor::start);
        let select = "SELECT recording, at, sha256 FROM certificates WHERE (at, recording) < ($1, $2) \
                      ORDER BY at DESC, recording DESC LIMIT $3";
        let rows = sqlx::query(select)
            .bind(after.at)
            .bind(after.id)
            .bind(i64::from(limit) + 1)
            .fetch_all(&self.read)
            .await
            .doing("reading deletion certificates")?;
        let read = |row| {
            let cells = Cells { table: "certificates", row };
            let (recording, at) = (cells.id("recording")?, cells.time("at")?);
            Ok(CertificateRow { recording, at, sha256: cells.get("sha256")? })
        };
        let rows: Vec<CertificateRow> = rows.iter().map(read).collect::<Result<_, StoreError>>()?;
        let place = |row: &CertificateRow| Cursor { at: row.at.as_micros(), id: row.recording.to_string() };
        Ok(Page::of(rows, limit, place))
    }
}

/// Where a page of ids begins, and whether at that id or behind it.
fn first<T: Copy + Ord>(from: T, after: Option<T>) -> (T, &'static str) {
    match after.filter(|after| *after >= from) {
        Some(after) => (after, ">"),
        None => (from, ">="),
    }
}
