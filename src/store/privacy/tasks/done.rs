//! Tasks as their jobs do them: begun, what is left out, what was made, how they ended.

use crate::audit::{Actor, Class};
use crate::ids::{CallId, TaskId};
use crate::store::error::{Doing as _, StoreError};
use crate::store::query::count;
use crate::store::writer::Work;
use crate::time::Timestamp;

use super::super::{PrivacyChange, TaskKind, TaskState};
use super::{of, told};

impl Work<'_> {
    pub(in crate::store::privacy) async fn task_began(&mut self, id: TaskId) -> Result<(), StoreError> {
        let update =
            "UPDATE privacy_tasks SET state = 'running' WHERE id = $1 AND state IN ('waiting', 'running')";
        self.task_step(id, "begun", of(update, id)).await
    }

    pub(in crate::store::privacy) async fn task_call_refused(
        &mut self,
        id: TaskId,
        call: CallId,
        what: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = "UPDATE privacy_task_calls SET state = 'refused', what = $3 \
                      WHERE task = $1 AND call = $2 AND state = 'waiting'";
        let update = of(update, id).bind(call.to_string()).bind(what.to_owned());
        let done = update.execute(&mut *self.connection).await.doing("storing what a task leaves")?;
        if done.rows_affected() > 0 {
            let told = format!("call {call}: {what}");
            self.tell_of_task(Class::Failure, Actor::System, at, "privacy-task.call-refused", id, told);
        }
        Ok(())
    }

    pub(in crate::store::privacy) async fn task_archived(
        &mut self,
        id: TaskId,
        (archive, sha256, bytes): (&str, &str, u64),
        (began, last): (Timestamp, i64),
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = "UPDATE privacy_tasks SET stage = 1, archive = $2, archive_sha256 = $3, archived_at = $4, \
                      archived_n = $5 WHERE id = $1 AND stage = 0";
        let update = of(update, id).bind(archive.to_owned()).bind(sha256.to_owned());
        let update = update.bind(began.as_micros()).bind(last);
        let done = update.execute(&mut *self.connection).await.doing("storing what a task made")?;
        if done.rows_affected() > 0 {
            let told = format!("{archive}: {bytes} bytes, sha256 {sha256}, read back");
            self.tell_of_task(Class::Read, Actor::System, at, "privacy-task.archived", id, told);
        }
        Ok(())
    }

    pub(in crate::store::privacy) async fn task_ended(
        &mut self,
        change: &PrivacyChange,
    ) -> Result<(), StoreError> {
        let PrivacyChange::Ended { id, done, what, counts, file, expires_at, certificate, at } = change
        else {
            return Ok(());
        };
        let (mut file, mut what, mut done) = (file.as_deref(), what.clone(), *done);
        if self.is_forgotten(*id).await? {
            if file.take().is_some() {
                what = format!(
                    "{what}; its file is not kept, as somebody was erased meanwhile: ask for it anew"
                );
                // Consents are reset all the same.
                done = done && self.kind_of(*id).await? == TaskKind::Consents;
            }
            self.forget_reason(*id).await?;
        }
        if let Some(kek) = file.and_then(|file| file.kek.as_deref()) {
            self.kek_wraps(kek, "used for a file").await?;
        }
        let state = if done { TaskState::Done } else { TaskState::Failed };
        // Whose consents they were is not needed any more.
        let update = "UPDATE privacy_tasks SET state = $2, what = $3, ended_at = $4, number = NULL, calls = $5, \
                      recordings = $6, consent_rows = $7, entries = $8, certificate = $9, expires_at = $10, \
                      file_spool = COALESCE($11, file_spool), file_key = $12, file_type = $13, file_bytes = $14, \
                      file_sha256 = $15, file_kek = $16, file_restricted = $17 WHERE id = $1 AND state IN ('waiting', 'running')";
        let update = of(update, *id)
            .bind(state.word())
            .bind(what.clone())
            .bind(at.as_micros())
            .bind(count(counts.calls))
            .bind(count(counts.recordings))
            .bind(count(counts.consents))
            .bind(count(counts.entries))
            .bind(certificate.clone())
            .bind(expires_at.filter(|_| file.is_some()).map(Timestamp::as_micros))
            .bind(file.map(|file| file.spool.clone()))
            .bind(file.map(|file| file.wrapped_key.0.clone()))
            .bind(file.map(|file| file.content_type.clone()))
            .bind(file.map(|file| count(file.bytes)))
            .bind(file.map(|file| file.sha256.clone()))
            .bind(file.and_then(|file| file.kek.clone()))
            .bind(i64::from(file.is_none_or(|file| file.restricted)));
        self.task_step(*id, "ended", update).await?;
        let class = if done { Class::Modify } else { Class::Failure };
        let proof = certificate.as_deref().map_or_else(String::new, |text| {
            format!("; certificate sha256 {}", crate::store::recording::fingerprint(text))
        });
        let made =
            file.map_or_else(String::new, |file| format!("; {} bytes, sha256 {}", file.bytes, file.sha256));
        let what = format!("{state}: {}; {what}{made}{proof}", told(*counts));
        self.tell_of_task(class, Actor::System, *at, "privacy-task.ended", *id, what);
        Ok(())
    }

    pub(in crate::store::privacy) async fn file_gone(
        &mut self,
        id: TaskId,
        at: Timestamp,
        why: &str,
    ) -> Result<(), StoreError> {
        let update = "UPDATE privacy_tasks SET file_key = NULL WHERE id = $1 AND file_key IS NOT NULL";
        let done = of(update, id).execute(&mut *self.connection).await.doing("ending a task's file")?;
        if done.rows_affected() > 0 {
            let (class, told) = (Class::Modify, why.to_owned());
            self.tell_of_task(class, Actor::System, at, "privacy-task.file-removed", id, told);
        }
        Ok(())
    }
}
