//! The directory: people on lists, by number or e-mail address, and their words.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use ulid::Ulid;

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::{CallId, EntryId, Redacted};
use crate::privacy::{LastDigits, NewEntry, Person, email_key, reversed, words};
use crate::store::error::{Doing as _, StoreError};
use crate::store::page::{Cursor, Page, Place};
use crate::store::persons::LogRows;
use crate::store::query::Cells;
use crate::store::rows::rfc3339;
use crate::store::writer::Work;
use crate::store::{Change, PrivacyChange, Store};
use crate::time::Timestamp;

/// What the audit log calls an entry.
const ENTRY: &str = "directory-entry";
/// Entries that are stored in one transaction: it holds up calls for some milliseconds.
const LOT: usize = 100;
/// How often a lot is planned anew when somebody else changed the same entries meanwhile.
const TRIES: u32 = 3;

/// An entry of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryRow {
    /// Its id.
    pub id: EntryId,
    /// The list.
    pub list: String,
    /// Who.
    pub name: Redacted<String>,
    /// E.164.
    pub number: Option<Redacted<String>>,
    /// As it was written.
    pub email: Option<Redacted<String>>,
    /// Whatever else.
    pub note: Option<Redacted<String>>,
    /// When it was added or changed last.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
}

/// What became of the lines of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Entries that were not there.
    pub added: u64,
    /// Entries that were there.
    pub changed: u64,
    /// Lines that were not taken: number and address belong to two different entries of the list.
    pub torn: Vec<u64>,
}

/// Entries of a word that are read and sorted for a page; if there are more, entries are looked at in order instead.
const FREQUENT: i64 = 4_000;
/// Entries with a word between `$4` and `$5`, by the word or by the entry.
const OF_WORD: &str = "id IN (SELECT entry FROM directory_words WHERE word >= $4 AND word < $5)";
const WITH_WORD: &str =
    "EXISTS (SELECT 1 FROM directory_words w WHERE w.entry = directory.id AND w.word >= $4 AND w.word < $5)";

impl Work<'_> {
    pub(super) async fn import_entries(
        &mut self,
        entries: &[(EntryId, NewEntry)],
        by: &Actor,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut lists: BTreeMap<&str, u64> = BTreeMap::new();
        for (id, entry) in entries {
            *lists.entry(&entry.list).or_default() += 1;
            self.import_entry(*id, entry, by, at).await?;
        }
        for (list, n) in lists {
            let what = Object::new("directory", list);
            let event = AuditEvent::new(Class::Modify, by.clone(), at, "directory.imported", what);
            self.audit(event.new_value(Some(Value::Plain(format!("{n} entries added or changed")))));
        }
        Ok(())
    }

    async fn import_entry(
        &mut self,
        id: EntryId,
        entry: &NewEntry,
        by: &Actor,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let select = "SELECT * FROM directory WHERE id = $1";
        let old = sqlx::query(select).bind(id.to_string()).fetch_optional(&mut *self.connection).await;
        let old = old.doing("reading an entry")?.map(|row| read_entry(&row)).transpose()?;
        let NewEntry { list, name, number, email, note } = entry;
        let number = number.as_ref().map(|number| number.as_e164().to_owned());
        let upsert = "INSERT INTO directory (id, list, name, number, reversed, email, email_key, note, at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
                      number = excluded.number, reversed = excluded.reversed, email = excluded.email, \
                      email_key = excluded.email_key, note = excluded.note, at = excluded.at";
        sqlx::query(upsert)
            .bind(id.to_string())
            .bind(list.clone())
            .bind(name.clone())
            .bind(number.clone())
            .bind(number.as_deref().map(reversed))
            .bind(email.clone())
            .bind(email.as_deref().map(email_key))
            .bind(note.clone())
            .bind(at.as_micros())
            .execute(&mut *self.connection)
            .await
            .doing("storing an entry")?;
        let delete = sqlx::query("DELETE FROM directory_words WHERE entry = $1").bind(id.to_string());
        delete.execute(&mut *self.connection).await.doing("storing an entry's words")?;
        let of_email = email.iter().flat_map(|email| words(email));
        let found: BTreeSet<String> = words(name).into_iter().chain(of_email).collect();
        self.store_words("INSERT INTO directory_words (entry, word) VALUES ", &id.to_string(), None, found)
            .await?;
        let what = Object::new(ENTRY, id);
        let new = Some(Value::Personal(shown(name, number.as_deref(), email.as_deref(), note.as_deref())));
        let (action, was) = match old {
            Some(old) => {
                let text = |text: &Option<Redacted<String>>| text.as_ref().map(|text| text.0.clone());
                let (number, email, note) = (text(&old.number), text(&old.email), text(&old.note));
                let was = shown(&old.name.0, number.as_deref(), email.as_deref(), note.as_deref());
                ("directory-entry.changed", Some(Value::Personal(was)))
            }
            None => ("directory-entry.added", None),
        };
        let event = AuditEvent::new(Class::Modify, by.clone(), at, action, what).about(number);
        self.audit(event.old(was).new_value(new));
        Ok(())
    }

    pub(super) async fn entry_removed(
        &mut self,
        id: EntryId,
        by: &Actor,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        // Its words go with it.
        let delete = sqlx::query("DELETE FROM directory WHERE id = $1").bind(id.to_string());
        self.one("entry of the directory", &id, delete).await?;
        // What the log says of it and of nobody's number.
        self.erase_person(&crate::audit::Person::object(ENTRY, id.to_string()), by).await?;
        // And under a number's key, which others need still.
        self.erase_rows_of(&id.to_string(), LogRows::All).await?;
        let what = Object::new(ENTRY, id);
        self.audit(AuditEvent::new(Class::Modify, by.clone(), at, "directory-entry.removed", what));
        Ok(())
    }

    /// The words of a call's attached data, as they are now: for the search for people.
    pub(in crate::store) async fn learn_words(&mut self, call: CallId) -> Result<(), StoreError> {
        let select = "SELECT value FROM call_data WHERE call = $1";
        let values: Vec<String> = sqlx::query_scalar(select)
            .bind(call.to_string())
            .fetch_all(&mut *self.connection)
            .await
            .doing("reading attached data")?;
        let delete = sqlx::query("DELETE FROM call_words WHERE call = $1").bind(call.to_string());
        delete.execute(&mut *self.connection).await.doing("storing a call's words")?;
        let found: BTreeSet<String> = values.iter().flat_map(|value| words(value)).collect();
        if found.is_empty() {
            return Ok(());
        }
        let arrived_at: i64 = sqlx::query_scalar("SELECT arrived_at FROM calls WHERE id = $1")
            .bind(call.to_string())
            .fetch_one(&mut *self.connection)
            .await
            .doing("storing a call's words")?;
        let head = "INSERT INTO call_words (call, word, at) VALUES ";
        self.store_words(head, &call.to_string(), Some(arrived_at), found).await
    }

    /// `at`: the time that each word's row has, if it has one.
    async fn store_words(
        &mut self,
        head: &str,
        of: &str,
        at: Option<i64>,
        words: BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let words: Vec<String> = words.into_iter().collect();
        let at = at.map(|at| format!(", {at}")).unwrap_or_default();
        for lot in words.chunks(50) {
            let rows: Vec<String> = (0..lot.len()).map(|n| format!("($1, ${}{at})", n + 2)).collect();
            let insert = format!("{head}{}", rows.join(", "));
            let mut insert = sqlx::query(AssertSqlSafe(insert)).bind(of.to_owned());
            for word in lot {
                insert = insert.bind(word.clone());
            }
            insert.execute(&mut *self.connection).await.doing("storing words")?;
        }
        Ok(())
    }
}

/// An entry as the audit log has it.
fn shown(name: &str, number: Option<&str>, email: Option<&str>, note: Option<&str>) -> String {
    [Some(name), number, email, note].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

impl Store {
    /// Stores lines of a file, in lots. `progress` hears of lines done.
    ///
    /// # Errors
    /// When the database refuses; lots before are stored, and reading the file again does no harm.
    pub async fn import_entries(
        &self,
        lines: Vec<(u64, NewEntry)>,
        by: &Actor,
        at: Timestamp,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Imported, StoreError> {
        let mut imported = Imported::default();
        for lot in lines.chunks(LOT) {
            let mut tries = 0;
            loop {
                let (entries, planned) = self.plan_entries(lot).await?;
                let stored = match entries.is_empty() {
                    true => Ok(()),
                    false => {
                        let by = by.clone();
                        self.commit(vec![Change::Privacy(PrivacyChange::Import { entries, by, at })]).await
                    }
                };
                tries += 1;
                match stored {
                    Ok(()) => {
                        imported.added += planned.added;
                        imported.changed += planned.changed;
                        imported.torn.extend(planned.torn);
                        break;
                    }
                    // Somebody else added one of them.
                    Err(StoreError::Database { .. }) if tries < TRIES => {}
                    Err(error) => return Err(error),
                }
            }
            progress(lot.len() as u64);
        }
        Ok(imported)
    }

    /// Finds which entries lines are of. Of lines that are of the same entry the last one counts.
    async fn plan_entries(
        &self,
        lines: &[(u64, NewEntry)],
    ) -> Result<(Vec<(EntryId, NewEntry)>, Imported), StoreError> {
        let mut planned = Imported::default();
        let mut entries: Vec<(EntryId, NewEntry)> = Vec::new();
        for (line, entry) in lines {
            let number = entry.number.as_ref().map(|number| number.as_e164());
            let email = entry.email_key();
            // Of this very lot first, then those that are stored.
            let here = |is: &dyn Fn(&NewEntry) -> bool| {
                entries.iter().find(|(_, other)| other.list == entry.list && is(other)).map(|(id, _)| *id)
            };
            let by_number = |other: &NewEntry| {
                number.is_some() && other.number.as_ref().map(|number| number.as_e164()) == number
            };
            let by_email = |other: &NewEntry| email.is_some() && other.email_key() == email;
            let found = match (here(&by_number), number) {
                (Some(id), _) => Some(id),
                (None, Some(number)) => self.entry_by("number", &entry.list, number).await?,
                (None, None) => None,
            };
            let found_too = match (here(&by_email), &email) {
                (Some(id), _) => Some(id),
                (None, Some(email)) => self.entry_by("email_key", &entry.list, email).await?,
                (None, None) => None,
            };
            let id = match (found, found_too) {
                (Some(one), Some(other)) if one != other => {
                    planned.torn.push(*line);
                    continue;
                }
                (Some(id), _) | (None, Some(id)) => {
                    planned.changed += 1;
                    id
                }
                (None, None) => {
                    planned.added += 1;
                    EntryId::new(Ulid::generate())
                }
            };
            entries.retain(|(other, _)| *other != id);
            entries.push((id, entry.clone()));
        }
        Ok((entries, planned))
    }

    async fn entry_by(
        &self,
        column: &'static str,
        list: &str,
        value: &str,
    ) -> Result<Option<EntryId>, StoreError> {
        let select = format!("SELECT id FROM directory WHERE list = $1 AND {column} = $2");
        let row = sqlx::query(AssertSqlSafe(select)).bind(list.to_owned()).bind(value.to_owned());
        let row = row.fetch_optional(&self.read).await.doing("looking for an entry")?;
        row.map(|row| Cells { table: "directory", row: &row }.id("id")).transpose()
    }

    /// A page of entries; with `q`, those with a word that begins like it, with that address, or with a number
    /// that ends so.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn directory(&self, q: Option<&str>, place: &Place) -> Result<Page<EntryRow>, StoreError> {
        let q = q.map(str::trim).filter(|q| !q.is_empty());
        let digits = q.and_then(|q| LastDigits::parse(q).ok());
        let (condition, (from, to)) = match (&digits, q) {
            (Some(digits), _) => ("reversed >= $4 AND reversed < $5", digits.range()),
            (None, Some(q)) => {
                let found = words(q);
                // The longest finds fewest.
                let word =
                    found.iter().max_by_key(|word| word.len()).cloned().unwrap_or_else(|| email_key(q));
                let range = Person::range_of(&word);
                (if self.is_frequent(&range).await? { WITH_WORD } else { OF_WORD }, range)
            }
            (None, None) => ("$4 = $5", (String::new(), String::new())),
        };
        // The sign keeps a database from going through all entries for a few.
        let sign = if [WITH_WORD, "$4 = $5"].contains(&condition) { "" } else { "+" };
        let (after, way, limit) = (place.order.after(), place.order.word(), place.limit);
        let select = format!(
            "SELECT * FROM directory WHERE (at, id) {after} ($1, $2) AND {condition} \
             ORDER BY {sign}at {way}, id {way} LIMIT $3"
        );
        let (at, id) = place.begin();
        let rows = sqlx::query(AssertSqlSafe(select))
            .bind(at)
            .bind(id)
            .bind(i64::from(limit) + 1)
            .bind(from)
            .bind(to)
            .fetch_all(&self.read)
            .await
            .doing("reading the directory")?;
        let rows: Vec<EntryRow> = rows.iter().map(read_entry).collect::<Result<_, StoreError>>()?;
        Ok(Page::of(rows, limit, |row| Cursor { at: row.at.as_micros(), id: row.id.to_string() }))
    }

    /// Whether so many entries have a word of this range that a page of them is found soonest in the order of time.
    async fn is_frequent(&self, (from, to): &(String, String)) -> Result<bool, StoreError> {
        let select = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM directory_words WHERE word >= $1 AND word < $2 \
                      LIMIT $3) AS counted";
        let count = sqlx::query_scalar::<_, i64>(select).bind(from.clone()).bind(to.clone()).bind(FREQUENT);
        Ok(count.fetch_one(&self.read).await.doing("reading the directory")? == FREQUENT)
    }

    /// These entries, by id; those that are gone are left out.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn directory_entries(&self, ids: &[EntryId]) -> Result<Vec<EntryRow>, StoreError> {
        let mut entries = Vec::new();
        for lot in ids.chunks(100) {
            let select = format!(
                "SELECT * FROM directory WHERE id IN ({}) ORDER BY id",
                super::search::marks(lot.len(), 1)
            );
            let mut select = sqlx::query(AssertSqlSafe(select));
            for id in lot {
                select = select.bind(id.to_string());
            }
            let rows = select.fetch_all(&self.read).await.doing("reading the directory")?;
            entries.extend(rows.iter().map(read_entry).collect::<Result<Vec<_>, StoreError>>()?);
        }
        Ok(entries)
    }
}

pub(super) fn read_entry(row: &AnyRow) -> Result<EntryRow, StoreError> {
    let cells = Cells { table: "directory", row };
    Ok(EntryRow {
        id: cells.id("id")?,
        list: cells.get("list")?,
        name: Redacted(cells.get("name")?),
        number: cells.maybe("number", Redacted)?,
        email: cells.maybe("email", Redacted)?,
        note: cells.maybe("note", Redacted)?,
        at: cells.time("at")?,
    })
}
