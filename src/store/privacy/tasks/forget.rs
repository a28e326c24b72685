//! What tasks still know of people who were erased: files of earlier ones, the words they were asked with.

use sqlx::AssertSqlSafe;

use crate::audit::{Actor, Person};
use crate::ids::TaskId;
use crate::privacy::ANONYMIZED;
use crate::store::error::{Doing as _, StoreError};
use crate::store::query::Cells;
use crate::store::writer::Work;
use crate::time::Timestamp;

use super::super::TASK;
use super::of;

impl Work<'_> {
    pub(in crate::store::privacy) async fn forget_earlier(
        &mut self,
        id: TaskId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SHARED: &str = "SELECT b.task FROM privacy_task_calls a JOIN privacy_task_calls b ON b.call = a.call \
                              WHERE a.task = $1 AND a.state = 'done' UNION SELECT b.task FROM privacy_task_entries a \
                              JOIN privacy_task_entries b ON b.entry = a.entry WHERE a.task = $1";
        let row =
            of("SELECT consents FROM privacy_tasks WHERE id = $1", id).fetch_one(&mut *self.connection).await;
        let consents: i64 =
            Cells { table: "privacy_tasks", row: &row.doing("reading a task")? }.get("consents")?;
        // First what is being made, which has read of the people: one that ends meanwhile is found below.
        let mark = format!(
            "UPDATE privacy_tasks SET forgotten = 1 WHERE id <> $1 AND state = 'running' \
             AND (id IN ({SHARED}) OR (kind = 'consents' AND $2 = 1))"
        );
        let mark = sqlx::query(AssertSqlSafe(mark)).bind(id.to_string()).bind(consents);
        mark.execute(&mut *self.connection).await.doing("marking tasks whose people are erased")?;
        // Consents that were written out are of anybody: the tasks do not know of whom any more.
        let select = format!(
            "SELECT o.id FROM privacy_tasks o WHERE o.id <> $1 AND (o.file_key IS NOT NULL OR o.reason <> $2) \
             AND o.state NOT IN ('waiting-for-approval', 'waiting', 'running') \
             AND (o.id IN ({SHARED}) OR (o.kind = 'consents' AND $3 = 1)) ORDER BY o.id"
        );
        let rows = sqlx::query(AssertSqlSafe(select)).bind(id.to_string()).bind(ANONYMIZED).bind(consents);
        for row in rows.fetch_all(&mut *self.connection).await.doing("looking for earlier tasks")? {
            let other: TaskId = Cells { table: "privacy_tasks", row: &row }.id("id")?;
            self.file_gone(other, at, "the person was erased").await?;
            self.forget_reason(other).await?;
        }
        Ok(())
    }

    /// Erases why a task was asked.
    pub(super) async fn forget_reason(&mut self, id: TaskId) -> Result<(), StoreError> {
        self.erase_person(&Person::object(TASK, id.to_string()), &Actor::System).await?;
        let update = of("UPDATE privacy_tasks SET reason = $2 WHERE id = $1", id).bind(ANONYMIZED);
        update.execute(&mut *self.connection).await.map(drop).doing("erasing the reason of a task")
    }

    /// Whether somebody whom a task is about was erased while it ran; its row is locked.
    pub(super) async fn is_forgotten(&mut self, id: TaskId) -> Result<bool, StoreError> {
        let select =
            format!("SELECT forgotten FROM privacy_tasks WHERE id = $1{}", self.dialect.for_update());
        let row = sqlx::query(AssertSqlSafe(select)).bind(id.to_string());
        let row = row.fetch_optional(&mut *self.connection).await.doing("reading a task")?;
        // Who ends one that is not there is told by the step.
        let Some(row) = row else { return Ok(false) };
        Ok(Cells { table: "privacy_tasks", row: &row }.get::<i64>("forgotten")? == 1)
    }
}
