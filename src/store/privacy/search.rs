//! The search for a person (domain rule 17): by the last digits of a number, by e-mail address, by name; all that any of
//! these finds, the latest first. Every part goes by an index and stops at the limit, however many calls there are.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::ids::{CallId, EntryId, RecordingId, Redacted};
use crate::privacy::{LastDigits, Person, Search, reversed};
use crate::store::Store;
use crate::store::error::{Doing as _, StoreError};
use crate::store::query::{Cells, consent_columns, read_call, read_consent};
use crate::store::rows::{CallRow, ConsentRow, NoteRow};
use crate::time::Timestamp;

use super::TaskCounts;
use super::directory::{EntryRow, read_entry};

/// More of a kind are not shown: the search is to be narrowed.
pub const MOST_FOUND: usize = 1_000;
/// Of a word that is in many calls of the span of time no more are looked at: about 200 ms.
const MOST_LOOKED_AT: i64 = 200_000;
/// Digits of a number that SQLite's index of last digits has: those of the longest that E.164 allows.
const INDEXED: usize = 15;
/// Values that are asked for in one statement.
const LOT: usize = 100;

/// A recording of a call that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingFound {
    /// Which.
    pub id: RecordingId,
    /// Of which call.
    pub call: CallId,
    /// As in [`RecordingRow::state`](crate::store::RecordingRow::state).
    pub state: String,
    /// When its key was drawn.
    pub at: Timestamp,
}

/// A call that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFound {
    /// The call.
    pub call: CallRow,
    /// Whether it is anonymised.
    pub anonymised: bool,
    /// Whether it is restricted.
    pub restricted: bool,
}

/// What a search found, each kind the latest first, at most [`MOST_FOUND`] of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Calls.
    pub calls: Vec<CallFound>,
    /// Consents.
    pub consents: Vec<ConsentRow>,
    /// The recordings of the calls.
    pub recordings: Vec<RecordingFound>,
    /// Entries of the directory.
    pub entries: Vec<EntryRow>,
    /// Whether there is more of some kind.
    pub too_many: bool,
}

/// Calls that were found so far, and when.
#[derive(Default)]
struct Calls {
    all: BTreeMap<String, i64>,
    cut: bool,
}

impl Calls {
    fn add(&mut self, rows: &[AnyRow]) -> Result<(), StoreError> {
        self.cut |= rows.len() > MOST_FOUND;
        for row in rows {
            let cells = Cells { table: "calls", row };
            self.all.insert(cells.get("id")?, cells.get("at")?);
        }
        Ok(())
    }
}

/// Calls by the caller's number, legs and events by the number outside; each from an index that has all of it. The signs
/// keep SQLite from going through years in the order of time for some rows of one number.
const BY_DIGITS: [&str; 3] = [
    "SELECT id, arrived_at AS at FROM calls WHERE from_reversed >= $1 AND from_reversed < $2 AND +arrived_at >= $3 \
     AND +arrived_at < $4 ORDER BY +arrived_at DESC LIMIT $5",
    "SELECT call AS id, dialled_at AS at FROM legs WHERE outside_reversed >= $1 AND outside_reversed < $2 \
     AND +dialled_at >= $3 AND +dialled_at < $4 ORDER BY +dialled_at DESC LIMIT $5",
    "SELECT call AS id, at FROM call_events WHERE outside_reversed >= $1 AND outside_reversed < $2 AND +at >= $3 \
     AND +at < $4 ORDER BY +at DESC LIMIT $5",
];

/// The same for consents: those that are shown are chosen by the index, only they are read.
const CONSENTS_BY_DIGITS: &str = concat!(
    "SELECT ",
    consent_columns!(),
    " FROM (SELECT n FROM consents WHERE from_reversed >= $1 AND from_reversed < $2 AND +at >= $3 AND +at < $4 \
     ORDER BY +at DESC, n DESC LIMIT $5) AS f JOIN consents ON consents.n = f.n"
);

impl Store {
    /// Finds what there is of a person. Restricted calls too: this is for those who restrict them.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn find_person(&self, search: &Search) -> Result<Found, StoreError> {
        let Search { person, since, until } = search;
        let span =
            (since.map_or(i64::MIN, Timestamp::as_micros), until.map_or(i64::MAX, Timestamp::as_micros));
        let mut calls = Calls::default();
        let mut consents: BTreeMap<(i64, i64), ConsentRow> = BTreeMap::new();
        if let Some(digits) = &person.digits {
            for select in BY_DIGITS {
                calls.add(&self.by_digits(select, digits, span).await?)?;
            }
            add_consents(&mut consents, &self.by_digits(CONSENTS_BY_DIGITS, digits, span).await?)?;
        }
        // An address is a word of what is attached to a call, and so is each part of a name.
        // No word holds a control character, and PostgreSQL takes no NUL.
        let exact = person.email.iter().map(|email| vec![(email.clone(), format!("{email}\u{1}"))]);
        let begun = (!person.name.is_empty())
            .then(|| person.name.iter().map(|word| Person::range_of(word)).collect());
        for words in exact.chain(begun) {
            let (rows, cut) = self.calls_by_words(&words, span, MOST_LOOKED_AT).await?;
            calls.add(&rows)?;
            calls.cut |= cut;
        }
        let entries = self.entries_of(person).await?;
        let mut latest: BTreeSet<(i64, i64)> = BTreeSet::new();
        for (column, values) in numbers_of(&entries) {
            for lot in values.into_iter().collect::<Vec<_>>().chunks(LOT) {
                let marks = marks(lot.len(), 4);
                let select = format!(
                    "SELECT id, arrived_at AS at FROM calls WHERE {column} IN ({marks}) AND arrived_at >= $1 \
                     AND arrived_at < $2 ORDER BY +arrived_at DESC LIMIT $3"
                );
                calls.add(&self.by_numbers(select, lot, span).await?)?;
                let select = format!(
                    "SELECT n, at FROM consents WHERE {column} IN ({marks}) AND at >= $1 AND at < $2 \
                     ORDER BY +at DESC, n DESC LIMIT $3"
                );
                for row in &self.by_numbers(select, lot, span).await? {
                    let cells = Cells { table: "consents", row };
                    latest.insert((cells.get("at")?, cells.get("n")?));
                }
            }
        }
        // Only those that are shown are read, and one more that tells that there are more.
        let latest: Vec<i64> = latest.into_iter().rev().take(MOST_FOUND + 1).map(|(_, n)| n).collect();
        for lot in latest.chunks(LOT) {
            add_consents(&mut consents, &self.consents_by_n(lot).await?)?;
        }
        // What was anonymised by time is found by its consents, which are kept.
        for consent in consents.values() {
            calls.all.entry(consent.call.to_string()).or_insert(consent.at.as_micros());
        }
        self.shown(calls, consents, entries).await
    }

    async fn shown(
        &self,
        calls: Calls,
        consents: BTreeMap<(i64, i64), ConsentRow>,
        mut entries: Vec<EntryRow>,
    ) -> Result<Found, StoreError> {
        let too_many = calls.cut
            || [calls.all.len(), consents.len(), entries.len()].iter().any(|found| *found > MOST_FOUND);
        let mut ids: Vec<(i64, String)> = calls.all.into_iter().map(|(id, at)| (at, id)).collect();
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.truncate(MOST_FOUND);
        entries.truncate(MOST_FOUND);
        let ids: Vec<String> = ids.into_iter().map(|(_, id)| id).collect();
        let (mut found, mut recordings) = (Vec::new(), Vec::new());
        for lot in ids.chunks(LOT) {
            let select = format!("SELECT * FROM calls WHERE id IN ({})", marks(lot.len(), 1));
            for row in &self.by_ids(select, lot).await? {
                let cells = Cells { table: "calls", row };
                let has = |column| cells.maybe_time(column).map(|at| at.is_some());
                let (anonymised, restricted) = (has("anonymised_at")?, has("restricted_at")?);
                found.push(CallFound { call: read_call(row)?, anonymised, restricted });
            }
            let select = format!(
                "SELECT id, call, state, armed_at FROM recordings WHERE call IN ({})",
                marks(lot.len(), 1)
            );
            for row in &self.by_ids(select, lot).await? {
                let cells = Cells { table: "recordings", row };
                let (id, call, at) = (cells.id("id")?, cells.id("call")?, cells.time("armed_at")?);
                recordings.push(RecordingFound { id, call, state: cells.get("state")?, at });
            }
        }
        found.sort_by_key(|found| std::cmp::Reverse((found.call.arrived_at, found.call.id)));
        recordings.sort_by_key(|found| std::cmp::Reverse((found.at, found.id)));
        let consents = consents.into_values().rev().take(MOST_FOUND).collect();
        Ok(Found { calls: found, consents, recordings, entries, too_many })
    }

    /// How much a task about these calls and entries is about. Recordings that are gone do not count.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn privacy_counts(
        &self,
        calls: &[CallId],
        entries: &[EntryId],
        consents: bool,
    ) -> Result<TaskCounts, StoreError> {
        let mut counts = TaskCounts::default();
        let ids: Vec<String> = calls.iter().map(ToString::to_string).collect();
        let mut numbers: BTreeSet<String> = BTreeSet::new();
        for lot in ids.chunks(LOT) {
            let marks = marks(lot.len(), 1);
            let select = format!("SELECT id, from_number FROM calls WHERE id IN ({marks})");
            let rows = self.by_ids(select, lot).await?;
            counts.calls += rows.len() as u64;
            let of_consents = format!("SELECT DISTINCT from_number FROM consents WHERE call IN ({marks})");
            let more = self.by_ids(of_consents, lot).await?;
            for row in rows.iter().chain(&more) {
                numbers.extend(Cells { table: "calls", row }.get::<Option<String>>("from_number")?);
            }
            let select = format!(
                "SELECT id FROM recordings WHERE call IN ({marks}) AND state NOT IN ('discarded', 'destroyed', 'removed')"
            );
            counts.recordings += self.by_ids(select, lot).await?.len() as u64;
        }
        let entries = self.directory_entries(entries).await?;
        counts.entries = entries.len() as u64;
        numbers.extend(entries.into_iter().filter_map(|entry| entry.number.map(|number| number.0)));
        if consents {
            let numbers: Vec<String> = numbers.into_iter().filter(|number| number.starts_with('+')).collect();
            for lot in numbers.chunks(LOT) {
                let select =
                    format!("SELECT n AS one FROM consents WHERE from_number IN ({})", marks(lot.len(), 1));
                counts.consents += self.by_ids(select, lot).await?.len() as u64;
            }
        }
        Ok(counts)
    }

    /// The consents of the people of a task: of the numbers of its calls and entries.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn consents_of(
        &self,
        calls: &[CallId],
        numbers: &BTreeSet<String>,
    ) -> Result<Vec<ConsentRow>, StoreError> {
        let mut consents = BTreeMap::new();
        let ids: Vec<String> = calls.iter().map(ToString::to_string).collect();
        let numbers: Vec<String> = numbers.iter().filter(|number| number.starts_with('+')).cloned().collect();
        for (column, values) in [("call", &ids), ("from_number", &numbers)] {
            for lot in values.chunks(LOT) {
                let select = format!(
                    "SELECT {} FROM consents WHERE {column} IN ({})",
                    consent_columns!(),
                    marks(lot.len(), 1)
                );
                add_consents(&mut consents, &self.by_ids(select, lot).await?)?;
            }
        }
        Ok(consents.into_values().collect())
    }

    /// The numbers of who called in these calls, as they are stored.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn numbers_of(&self, calls: &[CallId]) -> Result<BTreeSet<String>, StoreError> {
        let ids: Vec<String> = calls.iter().map(ToString::to_string).collect();
        let mut numbers = BTreeSet::new();
        for lot in ids.chunks(LOT) {
            let marks = marks(lot.len(), 1);
            for select in [
                format!("SELECT from_number FROM calls WHERE id IN ({marks})"),
                format!("SELECT DISTINCT from_number FROM consents WHERE call IN ({marks})"),
            ] {
                for row in &self.by_ids(select, lot).await? {
                    numbers.extend(Cells { table: "calls", row }.get::<Option<String>>("from_number")?);
                }
            }
        }
        Ok(numbers)
    }

    /// What people wrote about a call: its notes, the oldest first, and what is attached to it.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn written_about(
        &self,
        call: CallId,
    ) -> Result<(Vec<NoteRow>, Vec<(String, Redacted<String>)>), StoreError> {
        let select = "SELECT at, name, text FROM notes WHERE call = $1 ORDER BY n".to_owned();
        let rows = self.by_ids(select, &[call.to_string()]).await?;
        let note = |row| {
            let cells = Cells { table: "notes", row };
            Ok(NoteRow { at: cells.time("at")?, by: cells.get("name")?, text: Redacted(cells.get("text")?) })
        };
        let notes = rows.iter().map(note).collect::<Result<_, StoreError>>()?;
        let select = "SELECT key, value FROM call_data WHERE call = $1 ORDER BY key".to_owned();
        let rows = self.by_ids(select, &[call.to_string()]).await?;
        let pair = |row| {
            let cells = Cells { table: "call_data", row };
            Ok((cells.get("key")?, Redacted(cells.get("value")?)))
        };
        Ok((notes, rows.iter().map(pair).collect::<Result<_, StoreError>>()?))
    }

    async fn by_digits(
        &self,
        select: &'static str,
        digits: &LastDigits,
        (since, until): (i64, i64),
    ) -> Result<Vec<AnyRow>, StoreError> {
        let (from, to) = digits.range();
        let rows = sqlx::query(select).bind(from).bind(to).bind(since).bind(until).bind(limit());
        rows.fetch_all(&self.read).await.doing("looking for a person")
    }

    async fn by_numbers(
        &self,
        select: String,
        numbers: &[String],
        (since, until): (i64, i64),
    ) -> Result<Vec<AnyRow>, StoreError> {
        let mut select = sqlx::query(AssertSqlSafe(select)).bind(since).bind(until).bind(limit());
        for number in numbers {
            select = select.bind(number.clone());
        }
        select.fetch_all(&self.read).await.doing("looking for a person")
    }

    async fn consents_by_n(&self, numbers: &[i64]) -> Result<Vec<AnyRow>, StoreError> {
        let marks = marks(numbers.len(), 1);
        let select = format!("SELECT {} FROM consents WHERE n IN ({marks})", consent_columns!());
        let select = numbers.iter().fold(sqlx::query(AssertSqlSafe(select)), |select, n| select.bind(*n));
        select.fetch_all(&self.read).await.doing("reading what was found")
    }

    async fn by_ids(&self, select: String, ids: &[String]) -> Result<Vec<AnyRow>, StoreError> {
        let mut select = sqlx::query(AssertSqlSafe(select));
        for id in ids {
            select = select.bind(id.clone());
        }
        select.fetch_all(&self.read).await.doing("reading what was found")
    }

    /// Entries by number, address or name.
    async fn entries_of(&self, person: &Person) -> Result<Vec<EntryRow>, StoreError> {
        let mut found: BTreeMap<EntryId, EntryRow> = BTreeMap::new();
        let mut ranges = Vec::new();
        if let Some(digits) = &person.digits {
            let (from, to) = digits.range();
            ranges.push(("reversed >= $2 AND reversed < $3".to_owned(), vec![from, to]));
        }
        if let Some(email) = &person.email {
            ranges.push(("email_key = $2".to_owned(), vec![email.clone()]));
        }
        if !person.name.is_empty() {
            let word = |n: usize| {
                let (from, to) = (n * 2 + 2, n * 2 + 3);
                format!("id IN (SELECT entry FROM directory_words WHERE word >= ${from} AND word < ${to})")
            };
            let all: Vec<String> = (0..person.name.len()).map(word).collect();
            let values = person.name.iter().flat_map(|word| <[String; 2]>::from(Person::range_of(word)));
            ranges.push((all.join(" AND "), values.collect()));
        }
        for (condition, values) in ranges {
            let select = format!("SELECT * FROM directory WHERE {condition} LIMIT $1");
            let mut select = sqlx::query(AssertSqlSafe(select)).bind(limit());
            for value in values {
                select = select.bind(value);
            }
            for row in &select.fetch_all(&self.read).await.doing("looking for a person")? {
                let entry = read_entry(row)?;
                found.insert(entry.id, entry);
            }
        }
        let mut entries: Vec<EntryRow> = found.into_values().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.id)));
        Ok(entries)
    }
}

/// The numbers of entries, and the column by whose index their calls are found: that of last digits has all that is asked
/// for, but no more than [`INDEXED`] digits.
fn numbers_of(entries: &[EntryRow]) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut numbers: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for number in entries.iter().filter_map(|entry| entry.number.as_ref()) {
        let digits = reversed(&number.0);
        let (column, value) = match digits.len() <= INDEXED && number.0.starts_with('+') {
            true => ("from_reversed", digits),
            false => ("from_number", number.0.clone()),
        };
        numbers.entry(column).or_default().insert(value);
    }
    numbers
}

/// One more than is shown tells that there is more.
pub(super) fn limit() -> i64 {
    MOST_FOUND as i64 + 1
}

/// `$first, $(first + 1), …`
pub(super) fn marks(n: usize, first: usize) -> String {
    (first..first + n).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

fn add_consents(consents: &mut BTreeMap<(i64, i64), ConsentRow>, rows: &[AnyRow]) -> Result<(), StoreError> {
    for row in rows {
        let cells = Cells { table: "consents", row };
        let n: i64 = sqlx::Row::try_get(row, "n").map_err(|_| cells.corrupt("n"))?;
        consents.insert((cells.get("at")?, n), read_consent(row)?);
    }
    Ok(())
}
