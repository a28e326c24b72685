//! The life of a recording: armed, recording, finished, stored, or failed or discarded; destroyed and removed at last.
//! Each step enqueues the job that takes the next one, in the same transaction.

use aws_lc_rs::digest::{SHA256, digest};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, Row as _};

use crate::audit::{Actor, AuditEvent, Class, Object, Value, basis_detail, basis_word};
use crate::consent::Basis;
use crate::ids::{CallId, RecordingId};
use crate::time::Timestamp;

use super::error::{Doing as _, StoreError};
use super::job::{JobChange, JobKind};
use super::query::{count, json};
use super::recorded::{RecordedFile, RecordingChange, StoredObject, WITHDRAWAL};
use super::writer::Work;

type Statement = Query<'static, Any, AnyArguments>;

impl Work<'_> {
    /// Writes a step in a recording's life.
    pub(super) async fn recording(&mut self, change: RecordingChange) -> Result<(), StoreError> {
        let event = of_recording(&change);
        match change {
            RecordingChange::Armed { id, call, basis, wrapped_key, kek, spool, format, at } => {
                self.kek_wraps(&kek, "used for a recording").await?;
                let insert = "INSERT INTO recordings (id, call, state, basis, basis_detail, wrapped_key, \
                              armed_at, kek, spool, format, queue, call_ended_at) VALUES ($1, $2, 'armed', $3, $4, \
                              $5, $6, $7, $8, $9, (SELECT c.first_queue FROM calls c WHERE c.id = $2), \
                              (SELECT c.ended_at FROM calls c WHERE c.id = $2))";
                armed(insert, id, call, &basis, at, wrapped_key)
                    .bind(kek)
                    .bind(spool)
                    .bind(format)
                    .execute(&mut *self.connection)
                    .await
                    .doing("storing a recording")?;
            }
            RecordingChange::Started { id, at } => {
                let update = "UPDATE recordings SET state = 'recording', started_at = $2 \
                              WHERE id = $1 AND state = 'armed'";
                self.step(id, "started", of(update, id).bind(at.as_micros())).await?;
            }
            RecordingChange::Finished { id, at, file } => self.finished(id, at, file, None).await?,
            RecordingChange::Salvaged { id, at, file, why } => {
                self.finished(id, at, file, Some(why)).await?;
            }
            RecordingChange::Encoded { id, at, file } => self.encoded(id, at, file).await?,
            RecordingChange::Stored { id, at, object } => {
                if !self.stored(id, at, object).await? {
                    return Ok(());
                }
            }
            RecordingChange::Discarded { id, at } => {
                let update = "UPDATE recordings SET state = 'discarded', ended_at = $2, wrapped_key = NULL, \
                              kek = NULL WHERE id = $1 AND state = 'armed'";
                self.step(id, "discarded", of(update, id).bind(at.as_micros())).await?;
            }
            RecordingChange::Failed { id, at, why } => {
                let update = "UPDATE recordings SET state = 'failed', ended_at = $2, why = $3 \
                              WHERE id = $1 AND state IN ('armed', 'recording')";
                self.step(id, "failed", of(update, id).bind(at.as_micros()).bind(why)).await?;
            }
            RecordingChange::Destroyed { id, at, rule, why, by } => {
                if !self.destroyed(id, at, (rule, why), &by).await? {
                    return Ok(());
                }
            }
            RecordingChange::Removed { id, at, certificate } => self.removed(id, at, certificate).await?,
            RecordingChange::Rewrapped { id, from_kek, kek, wrapped_key } => {
                self.rewrapped(id, from_kek, kek, wrapped_key).await?;
            }
        }
        if let Some(event) = event {
            self.audit(event);
        }
        Ok(())
    }

    /// False: the caller took back what was gone already.
    async fn destroyed(
        &mut self,
        id: RecordingId,
        at: Timestamp,
        (rule, why): (String, String),
        by: &Actor,
    ) -> Result<bool, StoreError> {
        self.may_be_destroyed(id, &rule).await?;
        let update = "UPDATE recordings SET state = 'destroyed', destroyed_at = $2, rule = $3, \
                      why = $4, destroyed_by = $5, wrapped_key = NULL, kek = NULL, unsettled_at = CASE WHEN \
                      stored_at IS NULL AND EXISTS (SELECT 1 FROM jobs j WHERE j.subject = recordings.id \
                      AND j.kind = 'upload' AND j.attempts > 0) THEN $2 ELSE unsettled_at END WHERE id = $1 \
                      AND state NOT IN ('discarded', 'destroyed', 'removed')";
        let withdrawn = rule == WITHDRAWAL;
        let update = of(update, id).bind(at.as_micros()).bind(rule).bind(why).bind(by.to_string());
        match self.step(id, "destroyed", update).await {
            Err(StoreError::State { .. }) if withdrawn => return Ok(false),
            result => result?,
        }
        let bound = self.is_bound(id).await?;
        self.drop_jobs(id, at).await?;
        if bound {
            self.next_job(id, JobKind::Destroy, at).await?;
        } else {
            let (kind, subject) = (JobKind::Destroy, id.to_string());
            self.job(&JobChange::Enqueue { kind, subject, spool: None, due: at, at }).await?;
        }
        Ok(true)
    }

    /// A hold keeps a recording from rules and from people who decide about it. A withdrawal is not held up: the caller
    /// of a call that goes on takes back what may not be kept from then on.
    async fn may_be_destroyed(&mut self, id: RecordingId, rule: &str) -> Result<(), StoreError> {
        if rule == WITHDRAWAL {
            return Ok(());
        }
        let call = sqlx::query_scalar::<_, String>("SELECT call FROM recordings WHERE id = $1");
        let call = call.bind(id.to_string()).fetch_optional(&mut *self.connection).await;
        match call.doing("reading a recording")? {
            Some(call) => self.is_not_held(&call, Some(id), "destroyed").await,
            // Told by the step itself.
            None => Ok(()),
        }
    }

    /// Whether its spool may still have something of it. What is stored and has no job left has not: any node can remove
    /// it, also when the one that made it is no more.
    async fn is_bound(&mut self, id: RecordingId) -> Result<bool, StoreError> {
        let select = "SELECT 1 FROM recordings r WHERE r.id = $1 AND (r.stored_at IS NULL \
                      OR EXISTS (SELECT 1 FROM jobs j WHERE j.subject = r.id))";
        let bound = of(select, id).fetch_optional(&mut *self.connection).await;
        Ok(bound.doing("reading a recording")?.is_some())
    }

    /// Finished, or salvaged with a reason. A failed one can be salvaged too, and a finished one whose file was lost.
    /// What is whole in the spool counts, also when that it began was never stored.
    async fn finished(
        &mut self,
        id: RecordingId,
        at: Timestamp,
        file: RecordedFile,
        salvaged: Option<String>,
    ) -> Result<(), StoreError> {
        // From `armed` when its start could not be stored: a sample takes 125 µs, and its end is known.
        let update = "UPDATE recordings SET state = 'finished', ended_at = $2, samples = $3, bytes = $4, \
                      sha256 = $5, gaps = $6, unlisted = $7, salvaged = $8, why = $9, encoded_at = NULL, \
                      started_at = CASE WHEN $8 = 1 THEN started_at ELSE COALESCE(started_at, $2 - $3 * 125) END \
                      WHERE id = $1 AND (state IN ('armed', 'recording') \
                      OR ($8 = 1 AND state IN ('failed', 'finished')))";
        let wanted = if salvaged.is_some() { "salvaged" } else { "finished" };
        let update = with_file(of(update, id).bind(at.as_micros()), file)?
            .bind(i64::from(salvaged.is_some()))
            .bind(salvaged);
        self.step(id, wanted, update).await?;
        let format = sqlx::query_scalar::<_, String>("SELECT format FROM recordings WHERE id = $1")
            .bind(id.to_string())
            .fetch_one(&mut *self.connection)
            .await
            .doing("reading a recording")?;
        let next = if format == "opus" { JobKind::Encode } else { JobKind::Upload };
        self.next_job(id, next, at).await
    }

    async fn encoded(
        &mut self,
        id: RecordingId,
        at: Timestamp,
        file: RecordedFile,
    ) -> Result<(), StoreError> {
        let update = "UPDATE recordings SET encoded_at = $2, samples = $3, bytes = $4, sha256 = $5, gaps = $6, \
                      unlisted = $7 WHERE id = $1 AND state = 'finished'";
        let update = with_file(of(update, id).bind(at.as_micros()), file)?;
        self.step(id, "encoded", update).await?;
        self.next_job(id, JobKind::Upload, at).await
    }

    /// False: it was stored there before.
    async fn stored(
        &mut self,
        id: RecordingId,
        at: Timestamp,
        object: StoredObject,
    ) -> Result<bool, StoreError> {
        let update = "UPDATE recordings SET state = 'stored', stored_at = $2, object_name = $3, \
                      object_version = $4, object_bytes = $5, object_checksum = $6, object_encryption = $7, \
                      object_place = $8, unsettled_at = CASE WHEN EXISTS (SELECT 1 FROM jobs j WHERE \
                      j.subject = recordings.id AND j.kind = 'upload' AND j.attempts > 1) THEN $2 \
                      ELSE unsettled_at END WHERE id = $1 AND state = 'finished'";
        let StoredObject { place, name, version, bytes, checksum, encryption } = object;
        let update = of(update, id)
            .bind(at.as_micros())
            .bind(name.clone())
            .bind(version)
            .bind(count(bytes))
            .bind(checksum)
            .bind(encryption)
            .bind(place);
        let refused = match self.step(id, "stored", update).await {
            Err(error @ StoreError::State { .. }) => error,
            result => return result.map(|()| true),
        };
        let select = "SELECT 1 FROM recordings WHERE id = $1 AND state = 'stored' AND object_name = $2";
        let same = of(select, id).bind(name).fetch_optional(&mut *self.connection).await;
        match same.doing("reading a recording")? {
            Some(_) => Ok(false),
            None => Err(refused),
        }
    }

    async fn removed(
        &mut self,
        id: RecordingId,
        at: Timestamp,
        certificate: String,
    ) -> Result<(), StoreError> {
        let update = "UPDATE recordings SET state = 'removed', removed_at = $2 \
                      WHERE id = $1 AND state = 'destroyed'";
        self.step(id, "removed", of(update, id).bind(at.as_micros())).await?;
        let insert = "INSERT INTO certificates (recording, at, sha256, text) VALUES ($1, $2, $3, $4)";
        of(insert, id)
            .bind(at.as_micros())
            .bind(fingerprint(&certificate))
            .bind(certificate)
            .execute(&mut *self.connection)
            .await
            .doing("storing a deletion certificate")?;
        // What a runner that died held.
        let delete = "DELETE FROM jobs WHERE subject = $1 AND kind IN ('rescue', 'encode', 'upload')";
        of(delete, id).execute(&mut *self.connection).await.map(drop).doing("removing jobs")
    }

    async fn rewrapped(
        &mut self,
        id: RecordingId,
        from_kek: Option<String>,
        kek: String,
        wrapped_key: Vec<u8>,
    ) -> Result<(), StoreError> {
        self.kek_wraps(&kek, "used for a recording").await?;
        let update = "UPDATE recordings SET kek = $2, wrapped_key = $3 WHERE id = $1 \
                      AND wrapped_key IS NOT NULL AND (kek = $4 OR ($4 IS NULL AND kek IS NULL))";
        let update = of(update, id).bind(kek).bind(wrapped_key).bind(from_kek);
        self.step(id, "wrapped again", update).await
    }

    /// Runs an update that must meet the recording in a state from which it may happen.
    async fn step(
        &mut self,
        id: RecordingId,
        wanted: &'static str,
        update: Statement,
    ) -> Result<(), StoreError> {
        match self.one("recording", &id, update).await {
            Err(StoreError::Missing { what, id }) => {
                let row = sqlx::query("SELECT state FROM recordings WHERE id = $1")
                    .bind(id.clone())
                    .fetch_optional(&mut *self.connection)
                    .await
                    .doing("reading a recording")?;
                match row.and_then(|row| row.try_get("state").ok()) {
                    Some(state) => Err(StoreError::State { what, id, state, wanted }),
                    None => Err(StoreError::Missing { what, id }),
                }
            }
            result => result,
        }
    }
}

fn of(sql: &'static str, id: RecordingId) -> Statement {
    sqlx::query(sql).bind(id.to_string())
}

fn armed(
    insert: &'static str,
    id: RecordingId,
    call: CallId,
    basis: &Basis,
    at: Timestamp,
    wrapped_key: Vec<u8>,
) -> Statement {
    of(insert, id)
        .bind(call.to_string())
        .bind(basis_word(basis))
        .bind(basis_detail(basis))
        .bind(wrapped_key)
        .bind(at.as_micros())
}

/// Binds samples, bytes, hash, gaps and unlisted samples, in this order.
fn with_file(update: Statement, file: RecordedFile) -> Result<Statement, StoreError> {
    Ok(update
        .bind(count(file.samples))
        .bind(count(file.bytes))
        .bind(file.sha256)
        .bind(json("recordings", "gaps", &file.gaps)?)
        .bind(count(file.unlisted)))
}

/// SHA-256 (hex) of a certificate.
pub(super) fn fingerprint(certificate: &str) -> String {
    hex::encode(digest(&SHA256, certificate.as_bytes()))
}

/// The event that tells of a step in a recording's life.
fn of_recording(change: &RecordingChange) -> Option<AuditEvent> {
    let make = |class, at: &Timestamp, action: &'static str, id: &RecordingId| {
        AuditEvent::new(class, Actor::System, *at, action, Object::new("recording", id))
    };
    let plain = |text: String| Some(Value::Plain(text));
    Some(match change {
        RecordingChange::Armed { id, call, basis, at, format, .. } => {
            let detail = basis_detail(basis).map_or_else(String::new, |detail| format!(": {detail}"));
            make(Class::Modify, at, "recording.armed", id)
                .new_value(plain(format!("call {call}, {}{detail}; {format}", basis_word(basis))))
        }
        RecordingChange::Started { id, at } => make(Class::Modify, at, "recording.started", id)
            .old(plain("armed".to_owned()))
            .new_value(plain("recording".to_owned())),
        RecordingChange::Finished { id, at, file } => {
            make(Class::Modify, at, "recording.finished", id).new_value(plain(describe(file)))
        }
        RecordingChange::Salvaged { id, at, file, why } => make(Class::Modify, at, "recording.salvaged", id)
            .new_value(plain(format!("{}; {why}", describe(file)))),
        RecordingChange::Encoded { id, at, file } => {
            make(Class::Modify, at, "recording.encoded", id).new_value(plain(describe(file)))
        }
        RecordingChange::Stored { id, at, object } => {
            let StoredObject { place, name, version, bytes, checksum, encryption } = object;
            let version = version.as_ref().map_or_else(String::new, |version| format!(" version {version}"));
            make(Class::Modify, at, "recording.stored", id).new_value(plain(format!(
                "{name}{version} in {place}, {bytes} bytes, sha256 {checksum}, {encryption}"
            )))
        }
        RecordingChange::Discarded { id, at } => {
            make(Class::Modify, at, "recording.discarded", id).new_value(plain("discarded".to_owned()))
        }
        RecordingChange::Failed { id, at, why } => {
            make(Class::Failure, at, "recording.failed", id).new_value(plain(why.clone()))
        }
        RecordingChange::Destroyed { id, at, rule, why, by } => {
            let text = format!("{rule}: {why}");
            let value = match by {
                Actor::System | Actor::Caller | Actor::Trunk(_) => Value::Plain(text),
                // In a person's own words.
                Actor::Agent(_) | Actor::User(_) => Value::Personal(text),
            };
            let what = Object::new("recording", id);
            AuditEvent::new(Class::Modify, by.clone(), *at, "recording.destroyed", what)
                .new_value(Some(value))
        }
        RecordingChange::Removed { id, at, certificate } => make(Class::Modify, at, "recording.removed", id)
            .new_value(plain(format!("certificate sha256 {}", fingerprint(certificate)))),
        RecordingChange::Rewrapped { .. } => return None,
    })
}

fn describe(file: &RecordedFile) -> String {
    let RecordedFile { samples, bytes, sha256, gaps, unlisted } = file;
    let gaps = gaps.len();
    format!(
        "{samples} samples, {bytes} bytes, {gaps} gaps, {unlisted} unlisted silent samples, sha256 {sha256}"
    )
}
