//! An agent's own calls with their notes, and the listening log.

use std::collections::HashMap;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::{AgentId, CallId, RecordingId, Redacted};
use crate::time::Timestamp;

use super::Store;
use super::change::{Listened, ListenedTo, NoteChange};
use super::error::{Doing as _, StoreError};
use super::page::{Cursor, Page, Place};
use super::query::{Cells, read_call};
use super::rows::{ListenedRow, NoteRow, OwnCallRow, OwnRecordingRow};
use super::select::{Select, Sight};
use super::writer::Work;

/// Calls an agent spoke in, by the first leg on which it did: each once, however often its phone was called.
const OWN_CALLS: &str =
    "SELECT c.*, l.dialled_at AS leg_dialled_at FROM legs l JOIN calls c ON c.id = l.call";
const SPOKE_FIRST: &str = "l.connected_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM legs e \
     WHERE e.call = l.call AND e.agent = l.agent AND e.connected_at IS NOT NULL AND e.n < l.n)";

/// Notes on a call: its agents write a few each; past this somebody fills the table.
const MAX_NOTES: i64 = 100;

/// `{}` stands for the calls.
const NOTES: &str = "SELECT call, at, name, text FROM notes WHERE call IN ({}) ORDER BY n";
const RECORDINGS: &str =
    "SELECT id, call, state, samples FROM recordings WHERE call IN ({}) ORDER BY armed_at, id";

const LISTENING: &str = "SELECT l.n, l.at, l.kind, l.call, l.recording, l.mode, l.who, l.reason \
     FROM listening_log l LEFT JOIN calls c ON c.id = l.call";

/// Which rows of the listening log.
#[derive(Clone, Debug, Default)]
pub struct ListeningFilter {
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    /// Of this user.
    pub who: Option<String>,
    /// Of this call.
    pub call: Option<CallId>,
    /// Of this recording.
    pub recording: Option<RecordingId>,
    /// Of which calls whoever asks may know.
    pub sight: Sight,
}

impl Work<'_> {
    /// Writes a note; the audit log tells of it without its text.
    pub(super) async fn note(&mut self, note: &NoteChange) -> Result<(), StoreError> {
        self.not_anonymised(note.call, "noted on").await?;
        let select = "SELECT COUNT(*) FROM notes WHERE call = $1";
        let written = sqlx::query_scalar::<_, i64>(select).bind(note.call.to_string());
        if written.fetch_one(&mut *self.connection).await.doing("counting notes")? >= MAX_NOTES {
            return Err(StoreError::TooMany { what: "notes", id: note.call.to_string() });
        }
        let insert =
            "INSERT INTO notes (call, at, name, text) SELECT id, $2, $3, $4 FROM calls WHERE id = $1";
        let insert = sqlx::query(insert)
            .bind(note.call.to_string())
            .bind(note.at.as_micros())
            .bind(note.by.clone())
            .bind(note.text.0.clone());
        self.one("call", &note.call, insert).await?;
        let what = Object::new("call", note.call).attribute("note");
        let event = AuditEvent::new(Class::Modify, note.who.clone(), note.at, "call.noted", what);
        let length = format!("{} characters", note.text.0.chars().count());
        self.audit(event.new_value(Some(Value::Plain(length))));
        Ok(())
    }

    /// Writes that somebody listened, and audits it.
    pub(super) async fn listened(&mut self, listened: &Listened) -> Result<(), StoreError> {
        self.listening(listened).await?;
        let Listened { at, who, to, reason } = listened;
        let (action, what, mode) = match to {
            ListenedTo::Recording(id) => ("recording.listened", Object::new("recording", id), None),
            ListenedTo::Live { call, mode } => ("call.listened", Object::new("call", call), Some(mode)),
        };
        let event = AuditEvent::new(Class::Read, Actor::User(who.clone()), *at, action, what);
        let reason = reason.as_ref().map(|reason| Value::Personal(reason.0.clone()));
        self.audit(event.new_value(mode.map(Value::plain).or(reason)));
        Ok(())
    }

    /// The listening log's row alone, for what a fact of the call tells the audit log.
    pub(super) async fn listening(&mut self, listened: &Listened) -> Result<(), StoreError> {
        let Listened { at, who, to, reason } = listened;
        let (kind, recording, call, mode) = match to {
            ListenedTo::Recording(id) => ("recording", Some(id.to_string()), None, None),
            ListenedTo::Live { call, mode } => ("live", None, Some(call.to_string()), Some(*mode)),
        };
        let insert = "INSERT INTO listening_log (at, kind, recording, call, mode, who, reason) VALUES \
                      ($1, $2, $3, COALESCE($4, (SELECT call FROM recordings WHERE id = $3)), $5, $6, $7)";
        sqlx::query(insert)
            .bind(at.as_micros())
            .bind(kind)
            .bind(recording)
            .bind(call)
            .bind(mode.map(str::to_owned))
            .bind(who.clone())
            .bind(reason.as_ref().map(|reason| reason.0.clone()))
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("writing the listening log")
    }
}

impl Store {
    /// The calls in which an agent spoke, with their recordings and notes; restricted ones only for who has the right.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn own_calls(
        &self,
        agent: &AgentId,
        restricted: bool,
        place: &Place,
    ) -> Result<Page<OwnCallRow>, StoreError> {
        let mut select = Select::new(OWN_CALLS);
        select.and("l.agent = {}", agent.0.as_str()).only(SPOKE_FIRST);
        select.seen(("c.first_queue", "c.restricted_at"), None, &Sight { queues: None, restricted });
        let by = [("l.dialled_at", "leg_dialled_at"), ("l.call", "call")];
        let rows = select.page(by, place, false).rows(&self.read, "reading an agent's calls").await?;
        let read = |row| {
            let dialled_at = Cells { table: "legs", row }.time("leg_dialled_at")?;
            Ok(OwnCallRow { call: read_call(row)?, dialled_at, recordings: Vec::new(), notes: Vec::new() })
        };
        let rows: Vec<OwnCallRow> = rows.iter().map(read).collect::<Result<_, StoreError>>()?;
        let at = |row: &OwnCallRow| Cursor { at: row.dialled_at.as_micros(), id: row.call.id.to_string() };
        let mut page = Page::of(rows, place.limit, at);
        let ids: Vec<CallId> = page.items.iter().map(|row| row.call.id).collect();
        let mut notes = self.notes_of(&ids).await?;
        let mut recordings = self.of_calls(RECORDINGS, &ids, read_recording).await?;
        for row in &mut page.items {
            row.notes = notes.remove(&row.call.id).unwrap_or_default();
            row.recordings = recordings.remove(&row.call.id).unwrap_or_default();
        }
        Ok(page)
    }

    /// Whether an agent spoke in a call.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn spoke(&self, agent: &AgentId, call: CallId) -> Result<bool, StoreError> {
        let select = "SELECT 1 FROM legs WHERE call = $1 AND agent = $2 AND connected_at IS NOT NULL LIMIT 1";
        let row = sqlx::query(select).bind(call.to_string()).bind(agent.0.clone());
        row.fetch_optional(&self.read).await.map(|row| row.is_some()).doing("looking for an agent in a call")
    }

    /// The listening log.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn listening_log(
        &self,
        filter: &ListeningFilter,
        place: &Place,
    ) -> Result<Page<ListenedRow>, StoreError> {
        let ListeningFilter { since, until, who, call, recording, sight } = filter;
        let mut select = Select::new(LISTENING);
        if who.is_some() || call.is_some() || recording.is_some() || sight.queues.is_some() {
            select.sort();
        }
        select
            .between("l.at", *since, *until)
            .when("l.who = {}", who.as_deref())
            .when("l.call = {}", call.map(|call| call.to_string()))
            .when("l.recording = {}", recording.map(|recording| recording.to_string()))
            .seen(("c.first_queue", "c.restricted_at"), None, sight);
        let by = [("l.at", "at"), ("l.n", "n")];
        let rows = select.page(by, place, true).rows(&self.read, "reading the listening log").await?;
        let rows: Vec<ListenedRow> = rows.iter().map(read_listened).collect::<Result<_, StoreError>>()?;
        let at = |row: &ListenedRow| Cursor { at: row.at.as_micros(), id: row.n.to_string() };
        Ok(Page::of(rows, place.limit, at))
    }

    /// Notes of some calls, the oldest first.
    pub(super) async fn notes_of(
        &self,
        calls: &[CallId],
    ) -> Result<HashMap<CallId, Vec<NoteRow>>, StoreError> {
        self.of_calls(NOTES, calls, read_note).await
    }

    /// Rows of some calls, by call.
    pub(super) async fn of_calls<T>(
        &self,
        select: &'static str,
        calls: &[CallId],
        read: fn(&AnyRow) -> Result<T, StoreError>,
    ) -> Result<HashMap<CallId, Vec<T>>, StoreError> {
        let mut found: HashMap<CallId, Vec<T>> = HashMap::new();
        if calls.is_empty() {
            return Ok(found);
        }
        let places: Vec<String> = (1..=calls.len()).map(|n| format!("${n}")).collect();
        let mut query = sqlx::query(AssertSqlSafe(select.replace("{}", &places.join(", "))));
        for call in calls {
            query = query.bind(call.to_string());
        }
        for row in &query.fetch_all(&self.read).await.doing("reading what belongs to calls")? {
            let call = Cells { table: "calls", row }.id("call")?;
            found.entry(call).or_default().push(read(row)?);
        }
        Ok(found)
    }
}

fn read_note(row: &AnyRow) -> Result<NoteRow, StoreError> {
    let cells = Cells { table: "notes", row };
    Ok(NoteRow { at: cells.time("at")?, by: cells.get("name")?, text: Redacted(cells.get("text")?) })
}

fn read_recording(row: &AnyRow) -> Result<OwnRecordingRow, StoreError> {
    let cells = Cells { table: "recordings", row };
    let samples: Option<u64> = cells.number("samples")?;
    Ok(OwnRecordingRow {
        id: cells.id("id")?,
        state: cells.get("state")?,
        seconds: samples.map(|n| n / 8_000),
    })
}

fn read_listened(row: &AnyRow) -> Result<ListenedRow, StoreError> {
    let cells = Cells { table: "listening_log", row };
    Ok(ListenedRow {
        n: row.try_get("n").map_err(|_| cells.corrupt("n"))?,
        at: cells.time("at")?,
        who: cells.get("who")?,
        call: cells.maybe_id("call")?,
        recording: cells.maybe_id("recording")?,
        kind: cells.get("kind")?,
        mode: cells.get("mode")?,
        reason: cells.maybe("reason", Redacted)?,
    })
}
