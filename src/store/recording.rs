//! The life of a recording: armed, recording, then stored, failed or discarded; destroyed at last.

use sqlx::Row as _;

use crate::audit::{Actor, AuditEvent, Class, Object, Value, basis_detail, basis_word};
use crate::consent::Basis;
use crate::ids::{CallId, RecordingId};
use crate::time::Timestamp;

use super::change::{RecordedFile, RecordingChange};
use super::error::{Doing as _, StoreError};
use super::query::{count, json};
use super::writer::Work;

impl Work<'_> {
    /// Writes a step in a recording's life.
    pub(super) async fn recording(&mut self, change: RecordingChange) -> Result<(), StoreError> {
        let event = of_recording(&change);
        match change {
            RecordingChange::Armed { id, call, basis, wrapped_key, at } => {
                self.armed(id, call, &basis, wrapped_key, at).await?;
            }
            RecordingChange::Started { id, at } => {
                let update = "UPDATE recordings SET state = 'recording', started_at = $2 \
                              WHERE id = $1 AND state = 'armed'";
                self.step(id, "started", sqlx::query(update).bind(id.to_string()).bind(at.as_micros()))
                    .await?;
            }
            RecordingChange::Finished { id, at, file } => self.stored(id, at, file, None).await?,
            RecordingChange::Salvaged { id, at, file, why } => self.stored(id, at, file, Some(why)).await?,
            RecordingChange::Discarded { id, at } => {
                let update = "UPDATE recordings SET state = 'discarded', ended_at = $2, wrapped_key = NULL \
                              WHERE id = $1 AND state = 'armed'";
                self.step(id, "discarded", sqlx::query(update).bind(id.to_string()).bind(at.as_micros()))
                    .await?;
            }
            RecordingChange::Destroyed { id, at, why } => {
                let update = "UPDATE recordings SET state = 'destroyed', destroyed_at = $2, why = $3, \
                              wrapped_key = NULL WHERE id = $1 AND state <> 'destroyed'";
                let update = sqlx::query(update).bind(id.to_string()).bind(at.as_micros()).bind(why);
                self.step(id, "destroyed", update).await?;
            }
            RecordingChange::Failed { id, at, why } => {
                let update = "UPDATE recordings SET state = 'failed', ended_at = $2, why = $3 \
                              WHERE id = $1 AND state IN ('armed', 'recording')";
                let update = sqlx::query(update).bind(id.to_string()).bind(at.as_micros()).bind(why);
                self.step(id, "failed", update).await?;
            }
        }
        self.audit(event);
        Ok(())
    }

    async fn armed(
        &mut self,
        id: RecordingId,
        call: CallId,
        basis: &Basis,
        wrapped_key: Vec<u8>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO recordings (id, call, state, basis, basis_detail, wrapped_key, armed_at) \
                      VALUES ($1, $2, 'armed', $3, $4, $5, $6)";
        sqlx::query(insert)
            .bind(id.to_string())
            .bind(call.to_string())
            .bind(basis_word(basis))
            .bind(basis_detail(basis))
            .bind(wrapped_key)
            .bind(at.as_micros())
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("storing a recording")
    }

    /// Finished, or salvaged with a reason. A failed one can be salvaged too.
    async fn stored(
        &mut self,
        id: RecordingId,
        at: Timestamp,
        file: RecordedFile,
        salvaged: Option<String>,
    ) -> Result<(), StoreError> {
        let update = "UPDATE recordings SET state = 'stored', ended_at = $2, samples = $3, bytes = $4, \
                      sha256 = $5, gaps = $6, unlisted = $9, salvaged = $7, why = $8 WHERE id = $1 \
                      AND (state = 'recording' OR ($7 = 1 AND state IN ('armed', 'failed')))";
        let wanted = if salvaged.is_some() { "salvaged" } else { "finished" };
        let update = sqlx::query(update)
            .bind(id.to_string())
            .bind(at.as_micros())
            .bind(count(file.samples))
            .bind(count(file.bytes))
            .bind(file.sha256)
            .bind(json("recordings", "gaps", &file.gaps)?)
            .bind(i64::from(salvaged.is_some()))
            .bind(salvaged)
            .bind(count(file.unlisted));
        self.step(id, wanted, update).await
    }

    /// Runs an update that must meet the recording in a state from which it may happen.
    async fn step(
        &mut self,
        id: RecordingId,
        wanted: &'static str,
        update: sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<(), StoreError> {
        match self.one("recording", &id, update).await {
            Err(StoreError::Missing { what, id }) => {
                let row = sqlx::query("SELECT state FROM recordings WHERE id = $1")
                    .bind(id.clone())
                    .fetch_optional(&mut *self.connection)
                    .await
                    .doing("reading a recording")?;
                match row.and_then(|row| row.try_get("state").ok()) {
                    Some(state) => Err(StoreError::State { id, state, wanted }),
                    None => Err(StoreError::Missing { what, id }),
                }
            }
            result => result,
        }
    }
}

/// The event that tells of a step in a recording's life.
fn of_recording(change: &RecordingChange) -> AuditEvent {
    let make = |class, at: &Timestamp, action: &'static str, id: &RecordingId| {
        AuditEvent::new(class, Actor::System, *at, action, Object::new("recording", id))
    };
    let plain = |text: String| Some(Value::Plain(text));
    match change {
        RecordingChange::Armed { id, call, basis, at, wrapped_key: _ } => {
            let detail = basis_detail(basis).map_or_else(String::new, |detail| format!(": {detail}"));
            make(Class::Modify, at, "recording.armed", id)
                .new_value(plain(format!("call {call}, {}{detail}", basis_word(basis))))
        }
        RecordingChange::Started { id, at } => make(Class::Modify, at, "recording.started", id),
        RecordingChange::Finished { id, at, file } => {
            make(Class::Modify, at, "recording.finished", id).new_value(plain(describe(file)))
        }
        RecordingChange::Salvaged { id, at, file, why } => make(Class::Modify, at, "recording.salvaged", id)
            .new_value(plain(format!("{}; {why}", describe(file)))),
        RecordingChange::Discarded { id, at } => make(Class::Modify, at, "recording.discarded", id),
        RecordingChange::Destroyed { id, at, why } => {
            make(Class::Modify, at, "recording.destroyed", id).new_value(plain(why.clone()))
        }
        RecordingChange::Failed { id, at, why } => {
            make(Class::Failure, at, "recording.failed", id).new_value(plain(why.clone()))
        }
    }
}

fn describe(file: &RecordedFile) -> String {
    let RecordedFile { samples, bytes, sha256, gaps, unlisted } = file;
    let gaps = gaps.len();
    format!(
        "{samples} samples, {bytes} bytes, {gaps} gaps, {unlisted} unlisted silent samples, sha256 {sha256}"
    )
}
