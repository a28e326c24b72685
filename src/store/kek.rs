//! Key-encryption keys: which there are, which wraps new recordings' keys, and when one is no longer needed.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::audit::{Actor, AuditEvent, Class, Object, Value, words};
use crate::ids::{RecordingId, Redacted};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::link::soon;
use super::query::{Cells, read_recording};
use super::rows::RecordingRow;
use super::writer::Work;

words!(
    /// Who keeps a key-encryption key.
    KekProvider {
        /// The key file.
        File = "file",
        /// AWS KMS; the row holds it wrapped.
        Kms = "kms",
    }
);

words!(
    /// What a key-encryption key is for.
    KekState {
        /// It wraps new recordings' keys. There is one.
        Current = "current",
        /// It still opens what it wrapped.
        Retiring = "retiring",
        /// It wraps nothing any more.
        Retired = "retired",
    }
);

/// What becomes of a key-encryption key.
#[derive(Clone, Debug)]
pub enum KekChange {
    /// It is made: it is current, and the one before it retires. No effect when it is known already and not retired.
    /// [`StoreError::Conflict`] when another node made one at the same moment: look again.
    Made {
        /// 16 hex digits.
        id: String,
        /// Who keeps it.
        provider: KekProvider,
        /// As KMS wrapped it.
        wrapped: Option<Vec<u8>>,
        /// When.
        at: Timestamp,
        /// Who made it.
        by: Actor,
    },
    /// It wraps nothing any more; what KMS wrapped of it is forgotten. [`StoreError::State`] while it is current, or a
    /// recording's key is wrapped by it or by an unnamed one. No effect when it is retired already.
    Retired {
        /// Which one.
        id: String,
        /// When.
        at: Timestamp,
        /// Who retired it.
        by: Actor,
    },
}

/// A key-encryption key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KekRow {
    /// 16 hex digits.
    pub id: String,
    /// Who keeps it.
    pub provider: KekProvider,
    /// What it is for.
    pub state: KekState,
    /// As KMS wrapped it; none once it is retired.
    pub wrapped: Option<Redacted<Vec<u8>>>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it was retired.
    pub retired_at: Option<Timestamp>,
}

const KEK: &str = "key-encryption key";

impl Work<'_> {
    /// Writes what becomes of a key-encryption key.
    pub(super) async fn kek(&mut self, change: &KekChange) -> Result<(), StoreError> {
        match change {
            KekChange::Made { id, provider, wrapped, at, by } => {
                match self.kek_state(id).await? {
                    Some(KekState::Current | KekState::Retiring) => return Ok(()),
                    Some(KekState::Retired) => return Err(state(id, KekState::Retired, "made again")),
                    None => {}
                }
                let before = self.kek_made(id, *provider, wrapped.clone(), *at).await?;
                let what = Object::new("kek", id);
                let event = AuditEvent::new(Class::Config, by.clone(), *at, "kek.made", what);
                self.audit(event.old(before.map(Value::Plain)).new_value(Some(Value::plain(provider))));
            }
            KekChange::Retired { id, at, by } => {
                if self.kek_retired(id, *at).await? {
                    let what = Object::new("kek", id);
                    let event = AuditEvent::new(Class::Config, by.clone(), *at, "kek.retired", what);
                    let (old, new) = (Value::plain(KekState::Retiring), Value::plain(KekState::Retired));
                    self.audit(event.old(Some(old)).new_value(Some(new)));
                }
            }
        }
        Ok(())
    }

    /// Makes sure that a key-encryption key is current or retiring, and stays so until the transaction ends.
    pub(super) async fn kek_wraps(&mut self, kek: &str, wanted: &'static str) -> Result<(), StoreError> {
        let select = format!("SELECT state FROM keks WHERE id = $1{}", self.dialect.for_share());
        let row = sqlx::query(AssertSqlSafe(select)).bind(kek.to_owned());
        let row = row.fetch_optional(&mut *self.connection).await.doing("reading a key-encryption key")?;
        match row.map(|row| state_of(&Cells { table: "keks", row: &row })).transpose()? {
            Some(KekState::Current | KekState::Retiring) => Ok(()),
            Some(KekState::Retired) => Err(state(kek, KekState::Retired, wanted)),
            None => {
                Err(StoreError::State { what: KEK, id: kek.to_owned(), state: "unknown".to_owned(), wanted })
            }
        }
    }

    async fn kek_state(&mut self, id: &str) -> Result<Option<KekState>, StoreError> {
        let row = sqlx::query("SELECT state FROM keks WHERE id = $1").bind(id.to_owned());
        let row = row.fetch_optional(&mut *self.connection).await.doing("reading a key-encryption key")?;
        row.map(|row| state_of(&Cells { table: "keks", row: &row })).transpose()
    }

    /// The one that was current before, if there was one.
    async fn kek_made(
        &mut self,
        id: &str,
        provider: KekProvider,
        wrapped: Option<Vec<u8>>,
        at: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let retire = "UPDATE keks SET state = 'retiring' WHERE state = 'current' RETURNING id";
        let before = sqlx::query_scalar::<_, String>(retire)
            .fetch_optional(&mut *self.connection)
            .await
            .doing("retiring a key-encryption key")?;
        // There is one current key: another node's, made since the line above looked, stays it.
        let insert = "INSERT INTO keks (id, provider, state, wrapped, made_at) \
                      VALUES ($1, $2, 'current', $3, $4) ON CONFLICT DO NOTHING";
        let made = sqlx::query(insert)
            .bind(id.to_owned())
            .bind(provider.word())
            .bind(wrapped)
            .bind(at.as_micros())
            .execute(&mut *self.connection)
            .await
            .doing("storing a key-encryption key")?;
        match made.rows_affected() {
            0 => Err(StoreError::Conflict { object: "the current key-encryption key".to_owned() }),
            _ => Ok(before),
        }
    }

    /// False: it was retired before.
    async fn kek_retired(&mut self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        const WANTED: &str = "retired";
        let update = "UPDATE keks SET state = 'retired', retired_at = $2, wrapped = NULL \
                      WHERE id = $1 AND state = 'retiring'";
        let update = sqlx::query(update).bind(id.to_owned()).bind(at.as_micros());
        match self.one(KEK, &id, update).await {
            Err(error @ StoreError::Missing { .. }) => match self.kek_state(id).await? {
                Some(KekState::Retired) => return Ok(false),
                Some(now @ (KekState::Current | KekState::Retiring)) => return Err(state(id, now, WANTED)),
                None => return Err(error),
            },
            result => result?,
        }
        // Behind the update: who arms or wraps with this key has committed by now, or finds it retired.
        for (kek, why) in [(Some(id), "in use"), (None, "perhaps in use by a recording that names none")] {
            let select = format!("SELECT 1 FROM recordings r WHERE {} LIMIT 1", wrapped_by(kek));
            let used = sqlx::query(AssertSqlSafe(select)).bind(kek.map(str::to_owned));
            let used = used.fetch_optional(&mut *self.connection).await;
            if used.doing("looking for what a key-encryption key wraps")?.is_some() {
                let (id, why) = (id.to_owned(), why.to_owned());
                return Err(StoreError::State { what: KEK, id, state: why, wanted: WANTED });
            }
        }
        // Files that were made for people: of consents that were reset there may be no other.
        let select = "SELECT 1 FROM privacy_tasks WHERE file_key IS NOT NULL AND (file_kek = $1 OR file_kek IS NULL) LIMIT 1";
        let used = sqlx::query(select).bind(id.to_owned()).fetch_optional(&mut *self.connection).await;
        if used.doing("looking for what a key-encryption key wraps")?.is_some() {
            let (id, why) = (
                id.to_owned(),
                "in use by a file that was made for people, until its time is over".to_owned(),
            );
            return Err(StoreError::State { what: KEK, id, state: why, wanted: WANTED });
        }
        Ok(true)
    }
}

fn state(id: &str, now: KekState, wanted: &'static str) -> StoreError {
    StoreError::State { what: KEK, id: id.to_owned(), state: now.to_string(), wanted }
}

fn state_of(cells: &Cells<'_>) -> Result<KekState, StoreError> {
    KekState::from_word(&cells.get::<String>("state")?).ok_or(cells.corrupt("state"))
}

/// Which recordings a key wrapped, as an index takes it; `$1` is the key.
const fn wrapped_by(kek: Option<&str>) -> &'static str {
    match kek {
        Some(_) => "r.wrapped_key IS NOT NULL AND r.kek = $1",
        None => "r.wrapped_key IS NOT NULL AND r.kek IS NULL AND $1 IS NULL",
    }
}

impl Store {
    /// The key-encryption keys, the oldest first. A handful of rows: cheap enough to ask every second.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn keks(&self) -> Result<Vec<KekRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM keks ORDER BY made_at, id").fetch_all(&self.read);
        soon(rows).await.doing("reading key-encryption keys")?.iter().map(read).collect()
    }

    /// Recordings whose key this one wrapped (`None`: rows of an older Sayso, which do not say), by id, from `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings_wrapped_by(
        &self,
        kek: Option<&str>,
        after: Option<RecordingId>,
        limit: u32,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        let select = format!(
            "SELECT r.*, c.first_queue FROM recordings r JOIN calls c ON c.id = r.call \
             WHERE {} AND r.id > $2 ORDER BY r.id LIMIT $3",
            wrapped_by(kek)
        );
        let rows = sqlx::query(AssertSqlSafe(select))
            .bind(kek.map(str::to_owned))
            .bind(after.map_or_else(String::new, |after| after.to_string()))
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .doing("looking for what a key-encryption key wraps")?;
        rows.iter().map(read_recording).collect()
    }

    /// How many those are.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn count_wrapped_by(&self, kek: Option<&str>) -> Result<u64, StoreError> {
        let select = format!("SELECT COUNT(*) FROM recordings r WHERE {}", wrapped_by(kek));
        let number = sqlx::query_scalar::<_, i64>(AssertSqlSafe(select)).bind(kek.map(str::to_owned));
        let number = number.fetch_one(&self.read).await.doing("counting what a key-encryption key wraps")?;
        Ok(u64::try_from(number).unwrap_or(0))
    }
}

fn read(row: &AnyRow) -> Result<KekRow, StoreError> {
    let cells = Cells { table: "keks", row };
    let provider = KekProvider::from_word(&cells.get::<String>("provider")?);
    Ok(KekRow {
        id: cells.get("id")?,
        provider: provider.ok_or(cells.corrupt("provider"))?,
        state: state_of(&cells)?,
        wrapped: cells.get::<Option<Vec<u8>>>("wrapped")?.map(Redacted),
        made_at: cells.time("made_at")?,
        retired_at: cells.maybe_time("retired_at")?,
    })
}
