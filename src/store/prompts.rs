//! Imported prompts: their sounds, which version of each is in force, what they say. Every server plays from here.

use std::fmt;
use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::link::soon;
use super::query::Cells;
use super::writer::Work;

/// A change of a prompt: one audit event, and a new generation of settings, so that running servers take it up.
#[derive(Clone, Debug)]
pub struct PromptChange {
    /// `QUEUE~LANGUAGE~NAME`, or `LANGUAGE~NAME` for all queues.
    pub prompt: String,
    /// What is done.
    pub done: PromptDone,
    /// Who does it.
    pub who: Actor,
}

/// See [`PromptChange::done`].
#[derive(Clone, Debug)]
pub enum PromptDone {
    /// A sound is stored and in force. [`StoreError::Conflict`] if another one is in force than was meant.
    Put {
        /// The sound.
        sound: Box<PromptSound>,
        /// What it replaces.
        replaces: Replaces,
        /// The version of the shipped one, or the folder's, and its time: what was played if none was imported.
        beneath: Option<(String, Duration)>,
    },
    /// An earlier version is in force again. [`StoreError::Missing`] if the prompt never had it.
    Restored {
        /// Which.
        version: String,
    },
    /// None is in force that was imported. [`StoreError::Missing`] if none was.
    Removed,
    /// What a version says was noted.
    Noted {
        /// Which version.
        version: String,
        /// What it says.
        text: String,
        /// What it was thought to say.
        before: Option<String>,
    },
}

/// Which imported version a new one takes the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// Whichever there is, or none.
    Any,
    /// There is none.
    Nothing,
    /// There is one.
    Something,
    /// One of these.
    OneOf(Vec<String>),
}

/// A sound to be stored.
#[derive(Clone)]
pub struct PromptSound {
    /// SHA-256 (hex) of `narrow`.
    pub version: String,
    /// A WAV file: 8 kHz, one channel, 16 bits.
    pub narrow: Vec<u8>,
    /// The same in 16 kHz.
    pub wide: Vec<u8>,
    /// Playing time.
    pub time: Duration,
}

impl fmt::Debug for PromptSound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PromptSound({}, {:?})", self.version, self.time)
    }
}

/// Which version of a prompt, and in the list of all versions who put it in force and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptVersionRow {
    /// Which prompt.
    pub prompt: String,
    /// SHA-256 (hex) of what is played.
    pub version: String,
    /// When it was first in force.
    pub at: Timestamp,
    /// Who put it there.
    pub who: String,
}

impl Work<'_> {
    pub(super) async fn prompt(&mut self, change: &PromptChange) -> Result<(), StoreError> {
        // First: it is the lock under which the version in force is compared.
        self.count_generation().await?;
        let PromptChange { prompt, done, who } = change;
        let old = self.in_force(prompt).await?;
        let missing = |what| Err(StoreError::Missing { what, id: prompt.clone() });
        match done {
            PromptDone::Put { sound, replaces, beneath } => {
                if !replaces.holds(old.as_ref().map(|(version, _)| version.as_str())) {
                    return Err(StoreError::Conflict { object: format!("prompt {prompt}") });
                }
                self.put_sound(sound).await?;
                self.put_version(prompt, &sound.version, who).await?;
                self.put_in_force(prompt, &sound.version).await?;
                let old = old.or_else(|| beneath.clone()).map(told);
                let new = told((sound.version.clone(), sound.time));
                self.prompt_event("prompt.imported", prompt, who, "version", old, Some(new));
            }
            PromptDone::Restored { version } => {
                let Some(time) = self.time_of(prompt, version).await? else {
                    return missing("version of the prompt");
                };
                if old.as_ref().is_some_and(|(now, _)| now == version) {
                    return Ok(());
                }
                self.put_in_force(prompt, version).await?;
                let new = told((version.clone(), time));
                self.prompt_event("prompt.restored", prompt, who, "version", old.map(told), Some(new));
            }
            PromptDone::Removed => {
                let Some(old) = old else { return missing("imported prompt") };
                let remove = sqlx::query("DELETE FROM prompts WHERE prompt = $1").bind(prompt.clone());
                remove.execute(&mut *self.connection).await.doing("removing a prompt")?;
                self.prompt_event("prompt.removed", prompt, who, "version", Some(told(old)), None);
            }
            PromptDone::Noted { version, text, before } => {
                let upsert = "INSERT INTO prompt_texts (prompt, version, text) VALUES ($1, $2, $3) \
                              ON CONFLICT (prompt, version) DO UPDATE SET text = excluded.text";
                let upsert =
                    sqlx::query(upsert).bind(prompt.clone()).bind(version.clone()).bind(text.clone());
                upsert.execute(&mut *self.connection).await.doing("noting what a prompt says")?;
                let (old, new) = (before.clone(), Some(text.clone()));
                self.prompt_event("prompt.noted", prompt, who, "text", old, new);
            }
        }
        Ok(())
    }

    fn prompt_event(
        &mut self,
        action: &'static str,
        prompt: &str,
        who: &Actor,
        attribute: &'static str,
        old: Option<String>,
        new: Option<String>,
    ) {
        let what = Object::new("prompt", prompt).attribute(attribute);
        let event = AuditEvent::new(Class::Config, who.clone(), self.now, action, what);
        self.audit(event.old(old.map(Value::Plain)).new_value(new.map(Value::Plain)));
    }

    /// The version in force and its time.
    async fn in_force(&mut self, prompt: &str) -> Result<Option<(String, Duration)>, StoreError> {
        let query = "SELECT p.version AS version, s.millis AS millis FROM prompts p \
                     JOIN prompt_sounds s ON s.version = p.version WHERE p.prompt = $1";
        let row = sqlx::query(query).bind(prompt.to_owned()).fetch_optional(&mut *self.connection);
        let row = row.await.doing("reading which prompt is in force")?;
        row.map(|row| Ok((text(&row, "prompts", "version")?, millis(&row)?))).transpose()
    }

    /// The time of a version that the prompt has or had.
    async fn time_of(&mut self, prompt: &str, version: &str) -> Result<Option<Duration>, StoreError> {
        let query = "SELECT s.millis AS millis FROM prompt_versions v \
                     JOIN prompt_sounds s ON s.version = v.version WHERE v.prompt = $1 AND v.version = $2";
        let query = sqlx::query(query).bind(prompt.to_owned()).bind(version.to_owned());
        let row = query.fetch_optional(&mut *self.connection).await.doing("reading a prompt's version")?;
        row.map(|row| millis(&row)).transpose()
    }

    async fn put_sound(&mut self, sound: &PromptSound) -> Result<(), StoreError> {
        let insert = "INSERT INTO prompt_sounds (version, narrow, wide, millis) VALUES ($1, $2, $3, $4) \
                      ON CONFLICT (version) DO NOTHING";
        let insert = sqlx::query(insert)
            .bind(sound.version.clone())
            .bind(sound.narrow.clone())
            .bind(sound.wide.clone())
            .bind(i64::try_from(sound.time.as_millis()).unwrap_or(i64::MAX));
        insert.execute(&mut *self.connection).await.map(drop).doing("storing a prompt's sound")
    }

    async fn put_version(&mut self, prompt: &str, version: &str, who: &Actor) -> Result<(), StoreError> {
        let insert = "INSERT INTO prompt_versions (prompt, version, at, who) VALUES ($1, $2, $3, $4) \
                      ON CONFLICT (prompt, version) DO NOTHING";
        let insert = sqlx::query(insert)
            .bind(prompt.to_owned())
            .bind(version.to_owned())
            .bind(self.now.as_micros())
            .bind(who.name().unwrap_or_else(|| who.kind()).to_owned());
        insert.execute(&mut *self.connection).await.map(drop).doing("storing a prompt's version")
    }

    async fn put_in_force(&mut self, prompt: &str, version: &str) -> Result<(), StoreError> {
        let upsert = "INSERT INTO prompts (prompt, version) VALUES ($1, $2) \
                      ON CONFLICT (prompt) DO UPDATE SET version = excluded.version";
        let upsert = sqlx::query(upsert).bind(prompt.to_owned()).bind(version.to_owned());
        upsert.execute(&mut *self.connection).await.map(drop).doing("putting a prompt in force")
    }
}

impl Replaces {
    fn holds(&self, now: Option<&str>) -> bool {
        match (self, now) {
            (Self::Any, _) => true,
            (Self::Nothing, now) => now.is_none(),
            (Self::Something, now) => now.is_some(),
            (Self::OneOf(these), now) => now.is_some_and(|now| these.iter().any(|one| one == now)),
        }
    }
}

impl Store {
    /// The imported prompts that are in force: prompt and version.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn prompts_in_force(&self) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query("SELECT prompt, version FROM prompts ORDER BY prompt").fetch_all(&self.read);
        let rows = soon(rows).await.doing("reading which prompts are in force")?;
        let read = |row| Ok((text(row, "prompts", "prompt")?, text(row, "prompts", "version")?));
        rows.iter().map(read).collect()
    }

    /// What versions of prompts say, as it was noted: prompt, version, text.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn prompt_texts(&self) -> Result<Vec<(String, String, String)>, StoreError> {
        let rows = sqlx::query("SELECT prompt, version, text FROM prompt_texts").fetch_all(&self.read);
        let rows = soon(rows).await.doing("reading what prompts say")?;
        let of = |row, column| text(row, "prompt_texts", column);
        let read = |row| Ok((of(row, "prompt")?, of(row, "version")?, of(row, "text")?));
        rows.iter().map(read).collect()
    }

    /// All versions that prompts have or had, the latest first: as many as people have recorded.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn prompt_versions(&self) -> Result<Vec<PromptVersionRow>, StoreError> {
        let query = "SELECT prompt, version, at, who FROM prompt_versions ORDER BY at DESC, version";
        let rows =
            soon(sqlx::query(query).fetch_all(&self.read)).await.doing("reading versions of prompts")?;
        rows.iter().map(version_row).collect()
    }

    /// The sound of a version: a WAV file of 16 kHz if it shall be `wide`, else of 8 kHz.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn prompt_sound(&self, version: &str, wide: bool) -> Result<Option<Vec<u8>>, StoreError> {
        let column = if wide { "wide" } else { "narrow" };
        let query = format!("SELECT {column} AS sound FROM prompt_sounds WHERE version = $1");
        let row = sqlx::query(AssertSqlSafe(query)).bind(version.to_owned()).fetch_optional(&self.read);
        let row = soon(row).await.doing("reading a prompt's sound")?;
        let corrupt = |_| StoreError::Corrupt { table: "prompt_sounds", column };
        row.map(|row| row.try_get::<Vec<u8>, _>("sound").map_err(corrupt)).transpose()
    }

    /// Whether a prompt has or had a version.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn prompt_had(&self, prompt: &str, version: &str) -> Result<bool, StoreError> {
        let query = "SELECT 1 AS found FROM prompt_versions WHERE prompt = $1 AND version = $2";
        let query = sqlx::query(query).bind(prompt.to_owned()).bind(version.to_owned());
        let row = soon(query.fetch_optional(&self.read)).await.doing("looking for a prompt's version")?;
        Ok(row.is_some())
    }
}

/// A version for the audit log.
fn told((version, time): (String, Duration)) -> String {
    format!("{version}, {:.1} s", time.as_secs_f64())
}

fn version_row(row: &AnyRow) -> Result<PromptVersionRow, StoreError> {
    let of = Cells { table: "prompt_versions", row };
    Ok(PromptVersionRow {
        prompt: of.get("prompt")?,
        version: of.get("version")?,
        at: of.time("at")?,
        who: of.get("who")?,
    })
}

fn text(row: &AnyRow, table: &'static str, column: &'static str) -> Result<String, StoreError> {
    Cells { table, row }.get(column)
}

fn millis(row: &AnyRow) -> Result<Duration, StoreError> {
    let cells = Cells { table: "prompt_sounds", row };
    let millis = u64::try_from(cells.get::<i64>("millis")?).map_err(|_| cells.corrupt("millis"))?;
    Ok(Duration::from_millis(millis))
}
