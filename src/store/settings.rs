//! Settings: one document per object, and a counter that tells other processes of a change.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use crate::audit::{Actor, AuditEvent, Class, Object as Audited};
use crate::ids::QueueId;
use crate::settings::{AttributeChange, Changed, Difference, Kind, Language, Object, Settings};

use super::Store;
use super::error::{Doing as _, StoreError};
use super::link::soon;
use super::writer::Work;

impl Work<'_> {
    /// Applies differences, each attribute with its audit event. Refused when an object is no longer
    /// what its difference was made from, or when anything has changed `since` a generation.
    pub(super) async fn settings(
        &mut self,
        differences: &[Difference],
        who: &Actor,
        since: Option<u64>,
    ) -> Result<(), StoreError> {
        if differences.is_empty() {
            return Ok(());
        }
        // First: it is the lock under which differences are compared with what is stored.
        self.count_generation().await?;
        if since.is_some() && since.map(|since| since + 1) != Some(self.generation().await?) {
            return Err(StoreError::Conflict { object: "settings".to_owned() });
        }
        for difference in differences {
            let Difference { kind, name, what } = difference;
            let (expected, new) = match what {
                Changed::Added(new) => (None, Some(new)),
                Changed::Removed(old) => (Some(old), None),
                Changed::Altered { old, new } => (Some(old), Some(new)),
            };
            if self.object(*kind, name).await?.as_ref() != expected {
                return Err(StoreError::Conflict { object: format!("{kind} {name}") });
            }
            match new {
                Some(new) => self.put(name, new).await?,
                None => self.remove(*kind, name).await?,
            }
            self.log_ins_follow(difference, who).await?;
            for change in difference.attributes() {
                self.audit(of_attribute(difference, change, who, self.now));
            }
        }
        Ok(())
    }

    pub(super) async fn count_generation(&mut self) -> Result<(), StoreError> {
        sqlx::query("UPDATE settings_generation SET generation = generation + 1 WHERE id = 1")
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("counting a change of settings")
    }

    /// The generation that this unit of work makes.
    async fn generation(&mut self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT generation FROM settings_generation WHERE id = 1");
        let row = row.fetch_one(&mut *self.connection).await.doing("reading the generation of settings")?;
        number(&row, "settings_generation", "generation")
    }

    async fn object(&mut self, kind: Kind, name: &str) -> Result<Option<Object>, StoreError> {
        sqlx::query("SELECT kind, name, body FROM settings WHERE kind = $1 AND name = $2")
            .bind(kind.word())
            .bind(name.to_owned())
            .fetch_optional(&mut *self.connection)
            .await
            .doing("reading settings")?
            .map(|row| read(&row).map(|(_, object)| object))
            .transpose()
    }

    async fn put(&mut self, name: &str, object: &Object) -> Result<(), StoreError> {
        // The version is the generation: an object that is removed and made again never has one that it had before.
        let upsert = "INSERT INTO settings (kind, name, version, body, changed_at) \
                      VALUES ($1, $2, (SELECT generation FROM settings_generation WHERE id = 1), $3, $4) \
                      ON CONFLICT (kind, name) DO UPDATE SET version = excluded.version, body = excluded.body, changed_at = excluded.changed_at";
        let body = object.to_json().map_err(|_| StoreError::Corrupt { table: "settings", column: "body" })?;
        sqlx::query(upsert)
            .bind(object.kind().word())
            .bind(name.to_owned())
            .bind(body)
            .bind(self.now.as_micros())
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("storing settings")
    }

    async fn remove(&mut self, kind: Kind, name: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM settings WHERE kind = $1 AND name = $2")
            .bind(kind.word())
            .bind(name.to_owned())
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("removing settings")
    }
}

fn of_attribute(
    difference: &Difference,
    change: AttributeChange,
    who: &Actor,
    at: crate::time::Timestamp,
) -> AuditEvent {
    let kind = difference.kind;
    let class = match (kind, change.attribute) {
        (Kind::User | Kind::Role | Kind::Provider, _)
        | (Kind::Trunk | Kind::Agent, "password" | "digest.password") => Class::Rights,
        (Kind::Trunk | Kind::Queue | Kind::Number | Kind::Agent | Kind::Webhook | Kind::System, _) => {
            Class::Config
        }
    };
    let done = match difference.what {
        Changed::Added(_) => "added",
        Changed::Removed(_) => "removed",
        Changed::Altered { .. } => "changed",
    };
    let what = Audited::new(kind.word(), &difference.name).attribute(change.attribute);
    AuditEvent::new(class, who.clone(), at, format!("{kind}.{done}"), what)
        .old(change.old.map(|value| value.to_audit()))
        .new_value(change.new.map(|value| value.to_audit()))
}

impl Store {
    /// All settings, and the generation they are of.
    ///
    /// # Errors
    /// When the database refuses, or a document cannot be read.
    pub async fn settings(&self) -> Result<(u64, Settings), StoreError> {
        self.versioned_settings().await.map(|all| (all.generation, all.settings))
    }

    /// All settings, and which version of each object they have.
    ///
    /// # Errors
    /// When the database refuses, or a document cannot be read.
    pub async fn versioned_settings(&self) -> Result<VersionedSettings, StoreError> {
        loop {
            let before = self.generation().await?;
            let rows = sqlx::query("SELECT kind, name, version, body FROM settings")
                .fetch_all(&self.read)
                .await
                .doing("reading settings")?;
            // Nothing was applied in between, so all documents are of one generation.
            if self.generation().await? == before {
                let mut all = VersionedSettings { generation: before, ..VersionedSettings::default() };
                for row in &rows {
                    let (name, object) = read(row)?;
                    all.settings.insert(&name, object.clone());
                    all.versions.insert((object.kind(), name), number(row, "settings", "version")?);
                }
                return Ok(all);
            }
        }
    }

    /// Whether callers of a queue have answered another version of its question, in this language. Two look-ups in an
    /// index, whatever the number of consents.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn asked_otherwise(
        &self,
        queue: &QueueId,
        language: &Language,
        version: &str,
    ) -> Result<bool, StoreError> {
        for way in ["<", ">"] {
            let found = format!(
                "SELECT 1 AS found FROM consents WHERE queue = $1 AND language = $2 AND question_sha256 {way} $3 LIMIT 1"
            );
            let row = sqlx::query(AssertSqlSafe(found)).bind(queue.0.clone()).bind(language.0.clone());
            let row = row.bind(version.to_owned()).fetch_optional(&self.read).await;
            if row.doing("looking for answers to another question")?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Counts the changes of settings, by whatever process. One row by its key: cheap enough to ask
    /// every second.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn generation(&self) -> Result<u64, StoreError> {
        let row =
            sqlx::query("SELECT generation FROM settings_generation WHERE id = 1").fetch_one(&self.read);
        let row = soon(row).await.doing("reading the generation of settings")?;
        number(&row, "settings_generation", "generation")
    }
}

/// See [`Store::versioned_settings`].
#[derive(Clone, Debug, Default)]
pub struct VersionedSettings {
    /// The generation they are of.
    pub generation: u64,
    /// All of them.
    pub settings: Settings,
    /// The version of each object that is stored: another one after each change, and never one it had before.
    pub versions: BTreeMap<(Kind, String), u64>,
}

fn number(row: &AnyRow, table: &'static str, column: &'static str) -> Result<u64, StoreError> {
    let number: Option<i64> = row.try_get(column).ok();
    number.and_then(|number| u64::try_from(number).ok()).ok_or(StoreError::Corrupt { table, column })
}

fn read(row: &AnyRow) -> Result<(String, Object), StoreError> {
    let corrupt = |column| StoreError::Corrupt { table: "settings", column };
    let text = |column: &'static str| row.try_get::<String, _>(column).map_err(|_| corrupt(column));
    let kind = Kind::from_word(&text("kind")?).ok_or_else(|| corrupt("kind"))?;
    let object = Object::from_json(kind, &text("body")?).map_err(|_| corrupt("body"))?;
    Ok((text("name")?, object))
}
