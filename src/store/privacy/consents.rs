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

    pub(super) async fn consents_reset(&mut self, id: TaskId, at: Timestamp) -> Result<(), StoreError> {
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
                let update = "UPDATE consents SET reset_at = $2 WHERE from_number = $1 AND reset_at IS NULL";
                let done = sqlx::query(update).bind(number.clone()).bind(at.as_micros());
                let done = done.execute(&mut *self.connection).await.doing("resetting consents")?;
                event
                    .about(Some(number))
                    .new_value(Some(Value::Plain(format!("{} of a number", done.rows_affected()))))
            }
            None => {
                let insert = "INSERT INTO consent_resets (at, by_user, task) VALUES ($1, $2, $3)";
                let insert = sqlx::query(insert).bind(at.as_micros()).bind(by).bind(id.to_string());
                insert.execute(&mut *self.connection).await.doing("resetting consents")?;
                event.new_value(Some(Value::plain(format!("all before {at}"))))
            }
        };
        self.audit(event);
        Ok(())
    }
}

/// Which consents are written out.
#[derive(Clone, Debug)]
struct Which {
    number: Option<String>,
    since: i64,
    until: i64,
}

const OF_NUMBER: &str = "SELECT *, COALESCE(reset_at, (SELECT MAX(x.at) FROM consent_resets x WHERE x.at >= consents.at)) \
     AS was_reset FROM consents WHERE from_number = $3 AND at >= $4 AND at < $5 AND (at, n) < ($1, $2) \
     ORDER BY at DESC, n DESC LIMIT $6";
const OF_ALL: &str = "SELECT *, COALESCE(reset_at, (SELECT MAX(x.at) FROM consent_resets x WHERE x.at >= consents.at)) \
     AS was_reset FROM consents WHERE $3 IS NULL AND at >= $4 AND at < $5 AND (at, n) < ($1, $2) \
     ORDER BY at DESC, n DESC LIMIT $6";

impl Store {
    /// Consents for writing out, the latest first, and whether each was reset: those of one number, or all. Restricted
    /// ones too.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn consents_to_export(
        &self,
        number: Option<&PhoneNumber>,
        (since, until): (Option<Timestamp>, Option<Timestamp>),
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<(ConsentRow, bool)>, StoreError> {
        let which = Which {
            number: number.map(|number| number.as_e164().to_owned()),
            since: since.map_or(i64::MIN, Timestamp::as_micros),
            until: until.map_or(i64::MAX, Timestamp::as_micros),
        };
        let after = after.unwrap_or_else(Cursor::start);
        let n = after.id.parse::<i64>().unwrap_or(i64::MAX);
        let select = if which.number.is_some() { OF_NUMBER } else { OF_ALL };
        let rows = sqlx::query(select)
            .bind(after.at)
            .bind(n)
            .bind(which.number)
            .bind(which.since)
            .bind(which.until)
            .bind(i64::from(limit) + 1)
            .fetch_all(&self.read)
            .await
            .doing("reading consents")?;
        let read = |row| {
            let cells = Cells { table: "consents", row };
            let n: i64 = sqlx::Row::try_get(row, "n").map_err(|_| cells.corrupt("n"))?;
            let reset = cells.maybe_time("was_reset")?.is_some();
            Ok((crate::store::query::read_consent(row)?, reset, n))
        };
        let rows: Vec<(ConsentRow, bool, i64)> = rows.iter().map(read).collect::<Result<_, StoreError>>()?;
        let page = Page::of(rows, limit, |(row, _, n)| Cursor { at: row.at.as_micros(), id: n.to_string() });
        Ok(page.map(|(row, reset, _)| (row, reset)))
    }

    /// How many consents count that a reset would end.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn consents_to_reset(&self, whose: &Whose) -> Result<u64, StoreError> {
        let number = match whose {
            Whose::Of(number) => Some(number.as_e164().to_owned()),
            Whose::Everybodys => None,
        };
        let select = match whose {
            Whose::Of(_) => {
                "SELECT COUNT(*) FROM consents WHERE from_number = $1 AND reset_at IS NULL \
                 AND at > (SELECT COALESCE(MAX(x.at), -1) FROM consent_resets x)"
            }
            Whose::Everybodys => {
                "SELECT COUNT(*) FROM consents WHERE $1 IS NULL AND reset_at IS NULL \
                 AND at > (SELECT COALESCE(MAX(x.at), -1) FROM consent_resets x)"
            }
        };
        let n: i64 =
            sqlx::query_scalar(select).bind(number).fetch_one(&self.read).await.doing("counting consents")?;
        Ok(u64::try_from(n).unwrap_or(0))
    }
}
