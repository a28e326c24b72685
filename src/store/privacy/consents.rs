//! Consents that count no more: withdrawn by a word of the person, reset by a new privacy policy (domain rule 21).

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::{PhoneNumber, Redacted, TaskId};
use crate::store::Store;
use crate::store::error::{Doing as _, StoreError};
use crate::store::page::{Cursor, Page};
use crate::store::query::Cells;
use crate::store::rows::ConsentRow;
use crate::store::writer::Work;
use crate::time::Timestamp;

use super::tasks::of;
use super::{Whose, user};

/// Consents are counted up to here for who asks; the export counts them all.
const MOST_COUNTED: i64 = 100_000;

impl Work<'_> {
    /// The number's last answer is followed by a withdrawal in the same call, if it still counts.
    pub(super) async fn consent_withdrawn(
        &mut self,
        number: &PhoneNumber,
        by: &Actor,
        reason: &Redacted<String>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO consents (call, from_number, at, queue, answer, agreed) \
                      SELECT k.call, k.from_number, CASE WHEN k.at > $2 THEN k.at ELSE $2 END, k.queue, 'withdrawn', 0 FROM (\
                      SELECT call, from_number, queue, answer, at FROM consents WHERE from_number = $1 \
                      ORDER BY at DESC, n DESC LIMIT 1) AS k WHERE k.answer <> 'withdrawn' RETURNING call";
        let row = sqlx::query(insert).bind(number.as_e164().to_owned()).bind(at.as_micros());
        let row = row.fetch_optional(&mut *self.connection).await.doing("storing a withdrawal")?;
        // Of a consent that does not count any more, too: a call that goes on may go by it still.
        self.tell_nodes(number, by, at).await?;
        let Some(row) = row else { return Ok(()) };
        let call: String = Cells { table: "consents", row: &row }.get("call")?;
        let event = |what| AuditEvent::new(Class::Modify, by.clone(), at, "consent.withdrawn", what);
        let about = Some(number.as_e164().to_owned());
        let told = event(Object::new("consent", call.clone())).about(about.clone());
        self.audit(told.new_value(Some(Value::plain("withdrawn by a word to us, for later calls"))));
        let why = event(Object::new("consent", call).attribute("reason")).about(about);
        self.audit(why.new_value(Some(Value::Personal(reason.0.clone()))));
        Ok(())
    }

    pub(super) async fn consents_reset(
        &mut self,
        id: TaskId,
        last: i64,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update =
            "UPDATE privacy_tasks SET stage = 1 WHERE id = $1 AND stage = 0 RETURNING by_user, number";
        let row =
            of(update, id).fetch_optional(&mut *self.connection).await.doing("taking a step of a task")?;
        // It was taken before.
        let Some(row) = row else { return Ok(()) };
        let cells = Cells { table: "privacy_tasks", row: &row };
        let (by, number): (String, Option<String>) = (cells.get("by_user")?, cells.get("number")?);
        let event =
            AuditEvent::new(Class::Modify, user(&by), at, "consents.reset", Object::new(super::TASK, id));
        let event = match number {
            Some(number) => {
                let update = "UPDATE consents SET reset_at = $2 WHERE from_number = $1 AND reset_at IS NULL AND n <= $3";
                let done = sqlx::query(update).bind(number.clone()).bind(at.as_micros()).bind(last);
                let done = done.execute(&mut *self.connection).await.doing("resetting consents")?;
                event
                    .about(Some(number))
                    .new_value(Some(Value::Plain(format!("{} of a number", done.rows_affected()))))
            }
            None => {
                let insert = "INSERT INTO consent_resets (at, by_user, task) VALUES ($1, $2, $3)";
                let insert = sqlx::query(insert).bind(at.as_micros()).bind(by).bind(id.to_string());
                insert.execute(&mut *self.connection).await.doing("resetting consents")?;
                // Those of a node whose clock is ahead, which the row does not reach.
                let ahead =
                    "UPDATE consents SET reset_at = at WHERE at > $1 AND reset_at IS NULL AND n <= $2";
                let ahead = sqlx::query(ahead).bind(at.as_micros()).bind(last);
                ahead.execute(&mut *self.connection).await.doing("resetting consents")?;
                event.new_value(Some(Value::plain(format!("all before {at}"))))
            }
        };
        self.audit(event);
        Ok(())
    }
}

/// Which consents are written out.
#[derive(Clone, Debug)]
pub struct ConsentsToExport {
    /// Of this number; `None`: of all.
    pub number: Option<PhoneNumber>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    /// Those of restricted calls, too (domain rule 20).
    pub restricted: bool,
    /// The last one, by [`Store::last_consent`]; `None`: whichever there are.
    pub last: Option<i64>,
}

/// A consent that is written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedConsent {
    /// The consent.
    pub row: ConsentRow,
    /// Whether it was reset.
    pub reset: bool,
    /// Whether its call is restricted.
    pub restricted: bool,
}

const EXPORT: &str = "SELECT consents.*, COALESCE(reset_at, (SELECT MAX(x.at) FROM consent_resets x \
     WHERE x.at >= consents.at)) AS was_reset, (SELECT COUNT(*) FROM calls c WHERE c.id = consents.call \
     AND c.restricted_at IS NOT NULL) AS hidden FROM consents WHERE (at, n) < ($1, $2) AND at >= $3 AND at < $4 \
     AND n <= $5 AND ($6 = 1 OR NOT EXISTS (SELECT 1 FROM calls c WHERE c.id = consents.call \
     AND c.restricted_at IS NOT NULL))";

impl Store {
    /// The number of the last consent that is stored; 0: there is none.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn last_consent(&self) -> Result<i64, StoreError> {
        let select = "SELECT COALESCE(MAX(n), 0) FROM consents";
        sqlx::query_scalar(select).fetch_one(&self.read).await.doing("looking for the last consent")
    }

    /// Whether a call with consents was restricted since then.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn restricted_since(&self, at: Timestamp) -> Result<bool, StoreError> {
        let select = "SELECT 1 FROM calls c WHERE c.restricted_at IS NOT NULL AND c.restricted_at >= $1 \
                      AND EXISTS (SELECT 1 FROM consents k WHERE k.call = c.id) LIMIT 1";
        let found = sqlx::query(select).bind(at.as_micros()).fetch_optional(&self.read).await;
        Ok(found.doing("looking for restricted calls")?.is_some())
    }

    /// Consents for writing out, the latest first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn consents_to_export(
        &self,
        which: &ConsentsToExport,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<ExportedConsent>, StoreError> {
        let ConsentsToExport { number, since, until, restricted, last } = which;
        let after = after.unwrap_or_else(Cursor::start);
        let of_number = if number.is_some() { " AND from_number = $8" } else { "" };
        let select = format!("{EXPORT}{of_number} ORDER BY at DESC, n DESC LIMIT $7");
        let mut select = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(after.at)
            .bind(after.id.parse::<i64>().unwrap_or(i64::MAX))
            .bind(since.map_or(i64::MIN, Timestamp::as_micros))
            .bind(until.map_or(i64::MAX, Timestamp::as_micros))
            .bind(last.unwrap_or(i64::MAX))
            .bind(i64::from(*restricted))
            .bind(i64::from(limit) + 1);
        if let Some(number) = number {
            select = select.bind(number.as_e164().to_owned());
        }
        let rows = select.fetch_all(&self.read).await.doing("reading consents")?;
        let read = |row| {
            let cells = Cells { table: "consents", row };
            let n: i64 = cells.get("n")?;
            let (reset, restricted) =
                (cells.maybe_time("was_reset")?.is_some(), cells.get::<i64>("hidden")? > 0);
            Ok((ExportedConsent { row: crate::store::query::read_consent(row)?, reset, restricted }, n))
        };
        let rows: Vec<(ExportedConsent, i64)> = rows.iter().map(read).collect::<Result<_, StoreError>>()?;
        let page = Page::of(rows, limit, |(one, n)| Cursor { at: one.row.at.as_micros(), id: n.to_string() });
        Ok(page.map(|(one, _)| one))
    }

    /// How many consents count that a reset would end; past 100,000 it is not counted on.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn consents_to_reset(&self, whose: &Whose) -> Result<u64, StoreError> {
        let number = match whose {
            Whose::Of(number) => Some(number.as_e164().to_owned()),
            Whose::Everybodys => None,
        };
        // The condition on the time keeps to an index: those before the last reset of all do not count.
        let of_number = if number.is_some() { " AND from_number = $2" } else { "" };
        let select = format!(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM consents WHERE reset_at IS NULL \
             AND at > (SELECT COALESCE(MAX(x.at), -1) FROM consent_resets x){of_number} LIMIT $1) AS counted"
        );
        let mut select = sqlx::query_scalar(sqlx::AssertSqlSafe(select)).bind(MOST_COUNTED + 1);
        if let Some(number) = number {
            select = select.bind(number);
        }
        let n: i64 = select.fetch_one(&self.read).await.doing("counting consents")?;
        Ok(u64::try_from(n.min(MOST_COUNTED)).unwrap_or(0))
    }
}
