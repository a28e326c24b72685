//! Tasks as people ask for them, approve and refuse them.

use sqlx::AssertSqlSafe;

use crate::audit::{AuditEvent, Class, Object, Value};
use crate::ids::{Redacted, TaskId};
use crate::store::error::{Doing as _, StoreError};
use crate::store::job::{JobChange, JobKind};
use crate::store::query::{Cells, count};
use crate::store::writer::Work;
use crate::time::Timestamp;

use super::super::{NewTask, TASK, TaskKind, TaskState, Whose, user};
use super::{of, told};

impl Work<'_> {
    pub(in crate::store::privacy) async fn task_asked(&mut self, task: &NewTask) -> Result<(), StoreError> {
        let NewTask { id, kind, by, at, reason, calls, entries, consents, whose, approval, spool, counts } =
            task;
        let state = if *approval { TaskState::WaitingForApproval } else { TaskState::Waiting };
        let number = match whose {
            Some(Whose::Of(number)) => Some(number.as_e164().to_owned()),
            Some(Whose::Everybodys) | None => None,
        };
        let insert = "INSERT INTO privacy_tasks (id, kind, state, by_user, at, reason, consents, number, file_spool, calls, \
                      recordings, consent_rows, entries) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
        of(insert, *id)
            .bind(kind.word())
            .bind(state.word())
            .bind(by.clone())
            .bind(at.as_micros())
            .bind(reason.0.clone())
            .bind(i64::from(*consents))
            .bind(number)
            .bind(spool.clone())
            .bind(count(counts.calls))
            .bind(count(counts.recordings))
            .bind(count(counts.consents))
            .bind(count(counts.entries))
            .execute(&mut *self.connection)
            .await
            .doing("storing a task")?;
        let (calls, entries) =
            (calls.iter().map(ToString::to_string), entries.iter().map(ToString::to_string));
        self.task_of(*id, "INSERT INTO privacy_task_calls (task, call) VALUES ", calls.collect()).await?;
        self.task_of(*id, "INSERT INTO privacy_task_entries (task, entry) VALUES ", entries.collect())
            .await?;
        if !approval {
            self.task_job(*id, *at).await?;
        }
        let class = match kind {
            TaskKind::Report | TaskKind::Zip => Class::Read,
            TaskKind::Erase
            | TaskKind::Restrict
            | TaskKind::Unrestrict
            | TaskKind::Move
            | TaskKind::Consents => Class::Modify,
        };
        let whose = match whose {
            None => "",
            Some(Whose::Of(_)) => ", of one number",
            Some(Whose::Everybodys) => ", of everybody",
        };
        let told = format!("{kind}: {}{whose}; {state}", told(*counts));
        self.tell_of_task(class, user(by), *at, "privacy-task.asked", *id, told);
        let what = Object::new(TASK, id).attribute("reason");
        let event = AuditEvent::new(class, user(by), *at, "privacy-task.asked", what);
        self.audit(event.new_value(Some(Value::Personal(reason.0.clone()))));
        Ok(())
    }

    /// Rows of a task, fifty a statement.
    async fn task_of(&mut self, id: TaskId, head: &str, all: Vec<String>) -> Result<(), StoreError> {
        for lot in all.chunks(50) {
            let rows: Vec<String> = (0..lot.len()).map(|n| format!("($1, ${})", n + 2)).collect();
            let insert = format!("{head}{} ON CONFLICT DO NOTHING", rows.join(", "));
            let mut insert = sqlx::query(AssertSqlSafe(insert)).bind(id.to_string());
            for one in lot {
                insert = insert.bind(one.clone());
            }
            insert.execute(&mut *self.connection).await.doing("storing what a task is about")?;
        }
        Ok(())
    }

    /// Enqueues a task's job; its file is made beside the spool that was named.
    async fn task_job(&mut self, id: TaskId, at: Timestamp) -> Result<(), StoreError> {
        let select = "SELECT file_spool FROM privacy_tasks WHERE id = $1";
        let row = of(select, id).fetch_one(&mut *self.connection).await.doing("reading a task")?;
        let spool = Cells { table: "privacy_tasks", row: &row }.get("file_spool")?;
        let (kind, subject) = (JobKind::Privacy, id.to_string());
        self.job(&JobChange::Enqueue { kind, subject, spool, due: at, at }).await
    }

    pub(in crate::store::privacy) async fn task_approved(
        &mut self,
        id: TaskId,
        by: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = "UPDATE privacy_tasks SET state = 'waiting', approved_by = $2, approved_at = $3 \
                      WHERE id = $1 AND state = 'waiting-for-approval' AND by_user <> $2";
        let update = of(update, id).bind(by.to_owned()).bind(at.as_micros());
        self.task_step(id, "approved", update).await?;
        self.task_job(id, at).await?;
        let what = Object::new(TASK, id);
        self.audit(AuditEvent::new(Class::Rights, user(by), at, "privacy-task.approved", what));
        Ok(())
    }

    pub(in crate::store::privacy) async fn task_refused(
        &mut self,
        id: TaskId,
        by: &str,
        reason: &Redacted<String>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = "UPDATE privacy_tasks SET state = 'refused', approved_by = $2, approved_at = $3, ended_at = $3, \
                      number = NULL WHERE id = $1 AND state = 'waiting-for-approval'";
        let update = of(update, id).bind(by.to_owned()).bind(at.as_micros());
        self.task_step(id, "refused", update).await?;
        let event =
            AuditEvent::new(Class::Rights, user(by), at, "privacy-task.refused", Object::new(TASK, id));
        self.audit(event.new_value(Some(Value::Personal(reason.0.clone()))));
        Ok(())
    }
}
