//! Erasing: the people's own rows first, as their numbers go with the calls; then call by call, each as one unit of work.
//! What is held, or goes on, is left. Restricting: hidden, and nothing lost.

use sqlx::AssertSqlSafe;

use crate::audit::{Actor, AuditEvent, Class, Object, Person, Value};
use crate::ids::{CallId, EntryId, PhoneNumber, RecordingId, Redacted, TaskId};
use crate::privacy::{ANONYMIZED, reversed};
use crate::store::anonymise::AnonymiseChange;
use crate::store::error::{Doing as _, StoreError};
use crate::store::persons::LogRows;
use crate::store::query::{Cells, count};
use crate::store::recorded::RecordingChange;
use crate::store::writer::Work;
use crate::store::{CertificateRow, Change, PrivacyChange, Store};
use crate::time::Timestamp;

use super::tasks::of;
use super::{PeopleStep, user};

/// By which rule it goes, in certificates and audit rows.
const RULE: &str = "dpo";
/// Why a call that is in the separate store is left here.
const CHANGED: &str = "changed since it was archived";

/// How far the recordings of a task's calls are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Destroyed, and not all copies are removed yet.
    pub destroyed: u64,
    /// Removed, each with its certificate.
    pub removed: u64,
}

/// The numbers of who called in a task's calls, and of its entries; not of those whose calls are left.
const NUMBERS: &str = "SELECT DISTINCT p.number FROM (\
     SELECT c.from_number AS number FROM calls c JOIN privacy_task_calls t ON t.call = c.id \
     WHERE t.task = $1 AND t.state <> 'refused' \
     UNION SELECT k.from_number FROM consents k JOIN privacy_task_calls t ON t.call = k.call \
     WHERE t.task = $1 AND t.state <> 'refused' \
     UNION SELECT d.number FROM directory d JOIN privacy_task_entries e ON e.entry = d.id WHERE e.task = $1\
     ) AS p WHERE p.number LIKE '+%' AND p.number NOT IN (\
     SELECT c.from_number FROM calls c JOIN privacy_task_calls t ON t.call = c.id \
     WHERE t.task = $1 AND t.state = 'refused' AND c.from_number IS NOT NULL) ORDER BY p.number";

/// Whether a hold is in force at `$2`.
const HOLDS: &str = "h.released_at IS NULL AND (h.ends_at IS NULL OR h.ends_at > $2)";

/// [`PeopleStep::Begun`] is behind it.
const BEGUN: i64 = 2;
/// [`PeopleStep::Done`] is behind it.
const PEOPLE_ERASED: u8 = 3;
/// Calls, or people, of one transaction: the writer is held up for some milliseconds, and callers wait for it.
const LOT: usize = 20;

/// The task whose people are erased.
struct Erasing {
    id: TaskId,
    by: Actor,
    /// Of a move: what is in the archive.
    archived: Option<Archived>,
    at: Timestamp,
}

/// What was there when the archive's making began.
#[derive(Clone, Copy)]
struct Archived {
    at: i64,
    /// The last consent.
    n: i64,
}

impl Work<'_> {
    pub(super) async fn erase_people(
        &mut self,
        id: TaskId,
        step: &PeopleStep,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let all = match step {
            PeopleStep::Begun => {
                let update = "UPDATE privacy_tasks SET stage = $2, consent_rows = 0, entries = 0 \
                              WHERE id = $1 AND stage < $2";
                let update = of(update, id).bind(BEGUN).execute(&mut *self.connection).await;
                return update.map(drop).doing("taking a step of a task");
            }
            PeopleStep::Done => {
                let update = "UPDATE privacy_tasks SET stage = $2 WHERE id = $1 AND stage = $3";
                let update = of(update, id).bind(i64::from(PEOPLE_ERASED)).bind(BEGUN);
                let update = update.execute(&mut *self.connection).await;
                return update.map(drop).doing("taking a step of a task");
            }
            PeopleStep::Calls(_)
            | PeopleStep::Consents(_)
            | PeopleStep::Entries(_)
            | PeopleStep::Numbers(_) => self.erasing(id, at).await?,
        };
        // It is done.
        let Some(all) = all else { return Ok(()) };
        match step {
            PeopleStep::Calls(calls) => self.leave_what_is_held(&all, calls).await,
            PeopleStep::Consents(numbers) => self.erase_consents(&all, numbers).await,
            PeopleStep::Entries(entries) => self.erase_entries(&all, entries).await,
            PeopleStep::Numbers(numbers) => self.erase_numbers(&all, numbers).await,
            PeopleStep::Begun | PeopleStep::Done => Ok(()),
        }
    }

    /// The task, while its people are being erased.
    async fn erasing(&mut self, id: TaskId, at: Timestamp) -> Result<Option<Erasing>, StoreError> {
        let select =
            "SELECT by_user, archived_at, archived_n FROM privacy_tasks WHERE id = $1 AND stage = $2";
        let row = of(select, id).bind(BEGUN).fetch_optional(&mut *self.connection).await;
        let Some(row) = row.doing("reading a task")? else { return Ok(None) };
        let cells = Cells { table: "privacy_tasks", row: &row };
        let archived = cells.get::<Option<i64>>("archived_at")?.zip(cells.get("archived_n")?);
        let archived = archived.map(|(at, n)| Archived { at, n });
        Ok(Some(Erasing { id, by: user(&cells.get::<String>("by_user")?), archived, at }))
    }

    /// Calls that go on or are held are left, before anything is erased for their sake; so are those that were written
    /// about since they were archived.
    async fn leave_what_is_held(&mut self, all: &Erasing, calls: &[CallId]) -> Result<(), StoreError> {
        let select = "SELECT CASE WHEN c.ended_at IS NULL THEN 1 ELSE 0 END AS goes_on FROM privacy_task_calls o \
                      JOIN calls c ON c.id = o.call WHERE o.task = $1 AND o.call = $2 AND o.state = 'waiting'";
        for call in calls {
            let row = of(select, all.id).bind(call.to_string()).fetch_optional(&mut *self.connection).await;
            let Some(row) = row.doing("reading what a task is about")? else { continue };
            let what = match (Cells { table: "calls", row: &row }).get::<i64>("goes_on")? {
                1 => Some("going on".to_owned()),
                _ => match self.is_not_held(&call.to_string(), None, "erased").await {
                    Err(StoreError::State { state, .. }) => Some(state),
                    Ok(()) if self.is_changed(*call, all.archived).await? => Some(CHANGED.to_owned()),
                    result => result.map(|()| None)?,
                },
            };
            if let Some(what) = what {
                self.task_call_refused(all.id, *call, &what, all.at).await?;
            }
        }
        Ok(())
    }

    /// Whether something was written about a call since it was archived.
    async fn is_changed(&mut self, call: CallId, archived: Option<Archived>) -> Result<bool, StoreError> {
        let Some(Archived { at, .. }) = archived else { return Ok(false) };
        let select = "SELECT 1 FROM notes WHERE call = $1 AND at >= $2 \
                      UNION ALL SELECT 1 FROM call_data WHERE call = $1 AND at >= $2 LIMIT 1";
        let younger =
            sqlx::query(select).bind(call.to_string()).bind(at).fetch_optional(&mut *self.connection);
        Ok(younger.await.doing("looking for what a call was given since")?.is_some())
    }

    /// Whether nobody holds what there is of a number.
    async fn number_is_free(&mut self, number: &str, at: Timestamp) -> Result<bool, StoreError> {
        let held =
            format!("SELECT h.number FROM holds h WHERE h.kind = 'number' AND h.number = $1 AND {HOLDS}");
        let held = sqlx::query(AssertSqlSafe(held)).bind(number.to_owned()).bind(at.as_micros());
        Ok(held.fetch_optional(&mut *self.connection).await.doing("looking for holds")?.is_none())
    }

    /// Answers stay, and when and where they were given: each is the proof of a call. Whose they were goes.
    async fn erase_consents(
        &mut self,
        all: &Erasing,
        numbers: &[Redacted<String>],
    ) -> Result<(), StoreError> {
        let update = format!(
            "UPDATE consents SET from_number = $3 WHERE from_number = $1 AND n <= $4 AND NOT EXISTS (\
             SELECT 1 FROM calls c WHERE c.id = consents.call AND c.ended_at IS NULL) AND NOT EXISTS (\
             SELECT 1 FROM holds h JOIN calls c ON c.id = consents.call WHERE {HOLDS} \
             AND ((h.kind = 'call' AND h.object = c.id) \
             OR (h.kind = 'recording' AND h.object IN (SELECT r.id FROM recordings r WHERE r.call = c.id)) \
             OR (h.kind = 'queue' AND h.object = c.first_queue AND c.arrived_at <= h.span_until \
                 AND (c.ended_at IS NULL OR c.ended_at >= h.span_since)))) RETURNING call"
        );
        let last = all.archived.map_or(i64::MAX, |archived| archived.n);
        let mut erased = 0;
        for Redacted(number) in numbers {
            if !self.number_is_free(number, all.at).await? {
                continue;
            }
            let update = sqlx::query(AssertSqlSafe(update.clone())).bind(number.clone());
            let update = update.bind(all.at.as_micros()).bind(ANONYMIZED).bind(last);
            let rows = update.fetch_all(&mut *self.connection).await.doing("erasing consents")?;
            erased += rows.len() as u64;
            // The log's proof of them, which retention leaves, goes with them.
            for row in &rows {
                let call: String = Cells { table: "consents", row }.get("call")?;
                self.erase_rows_of(&call, LogRows::Consents).await?;
            }
            // An answer that stays, since a hold keeps it or its call goes on, must not become the last one because a
            // later one is gone.
            let stays =
                "UPDATE consents SET reset_at = $2 WHERE from_number = $1 AND reset_at IS NULL AND n <= $3";
            let stays = sqlx::query(stays).bind(number.clone()).bind(all.at.as_micros()).bind(last);
            stays.execute(&mut *self.connection).await.doing("resetting consents that stay")?;
            let told = sqlx::query("DELETE FROM consent_withdrawals WHERE number = $1").bind(number.clone());
            told.execute(&mut *self.connection).await.doing("forgetting withdrawals")?;
        }
        if erased == 0 {
            return Ok(());
        }
        let what = Object::new(super::TASK, all.id).attribute("consents");
        let event = AuditEvent::new(Class::Modify, all.by.clone(), all.at, "consents.erased", what);
        self.audit(event.new_value(Some(Value::plain(erased))));
        let update = of("UPDATE privacy_tasks SET consent_rows = consent_rows + $2 WHERE id = $1", all.id);
        let update = update.bind(count(erased));
        update.execute(&mut *self.connection).await.map(drop).doing("counting erased consents")
    }

    async fn erase_entries(&mut self, all: &Erasing, entries: &[EntryId]) -> Result<(), StoreError> {
        let select = format!(
            "SELECT d.id FROM directory d JOIN privacy_task_entries e ON e.entry = d.id WHERE e.task = $1 AND d.id = $3 \
             AND d.at < $4 AND (d.number IS NULL OR NOT EXISTS (SELECT 1 FROM holds h WHERE h.kind = 'number' \
             AND h.number = d.number AND {HOLDS}))"
        );
        // One that was changed since it was archived is not in the archive as it is.
        let before = all.archived.map_or(i64::MAX, |archived| archived.at);
        let mut erased = 0;
        for entry in entries {
            let free = sqlx::query(AssertSqlSafe(select.clone())).bind(all.id.to_string());
            let free = free.bind(all.at.as_micros()).bind(entry.to_string()).bind(before);
            let free = free.fetch_optional(&mut *self.connection).await.doing("reading entries")?;
            if free.is_some() {
                self.entry_removed(*entry, &all.by, all.at).await?;
                erased += 1;
            }
        }
        let update = of("UPDATE privacy_tasks SET entries = entries + $2 WHERE id = $1", all.id).bind(erased);
        update.execute(&mut *self.connection).await.map(drop).doing("counting erased entries")
    }

    async fn erase_numbers(&mut self, all: &Erasing, numbers: &[Redacted<String>]) -> Result<(), StoreError> {
        for Redacted(number) in numbers {
            if !self.number_is_free(number, all.at).await? {
                continue;
            }
            // Holds that are over keep neither whom they were about nor why.
            let over = "UPDATE holds SET number = $2, reason = $2 WHERE kind = 'number' AND number = $1";
            let over = sqlx::query(over).bind(number.clone()).bind(ANONYMIZED);
            over.execute(&mut *self.connection).await.doing("erasing whom holds were about")?;
            if !self.is_left(all.id, number).await?
                && let Some(number) = PhoneNumber::parse(number, None)
            {
                self.erase_person(&Person::number(&number), &all.by).await?;
            }
        }
        Ok(())
    }

    /// Whether something is left of whoever has this number: calls that the task is not about, consents, entries, who
    /// was dialled or sent on to.
    async fn is_left(&mut self, id: TaskId, number: &str) -> Result<bool, StoreError> {
        let select = "SELECT 1 FROM calls c WHERE c.from_number = $2 AND NOT EXISTS (\
                      SELECT 1 FROM privacy_task_calls t WHERE t.task = $1 AND t.call = c.id AND t.state <> 'refused') \
                      UNION ALL SELECT 1 FROM consents k WHERE k.from_number = $2 \
                      UNION ALL SELECT 1 FROM directory d WHERE d.reversed = $3 \
                      UNION ALL SELECT 1 FROM legs l WHERE l.outside_reversed = $3 AND NOT EXISTS (\
                      SELECT 1 FROM privacy_task_calls t WHERE t.task = $1 AND t.call = l.call AND t.state <> 'refused') \
                      UNION ALL SELECT 1 FROM call_events v WHERE v.outside_reversed = $3 AND NOT EXISTS (\
                      SELECT 1 FROM privacy_task_calls t WHERE t.task = $1 AND t.call = v.call AND t.state <> 'refused') \
                      LIMIT 1";
        let left = of(select, id).bind(number.to_owned()).bind(reversed(number));
        let left = left.fetch_optional(&mut *self.connection).await;
        Ok(left.doing("looking for what is left of a person")?.is_some())
    }

    pub(super) async fn erase_call(
        &mut self,
        id: TaskId,
        call: CallId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let select = "SELECT t.by_user, t.archived_at, t.archived_n, o.state FROM privacy_tasks t \
                      JOIN privacy_task_calls o ON o.task = t.id WHERE t.id = $1 AND o.call = $2";
        let row = of(select, id).bind(call.to_string()).fetch_optional(&mut *self.connection).await;
        let row = row.doing("reading a task")?;
        let row =
            row.ok_or_else(|| StoreError::Missing { what: "call of the task", id: call.to_string() })?;
        let cells = Cells { table: "privacy_tasks", row: &row };
        if cells.get::<String>("state")? != "waiting" {
            return Ok(());
        }
        let by = user(&cells.get::<String>("by_user")?);
        let archived = cells.get::<Option<i64>>("archived_at")?.zip(cells.get("archived_n")?);
        let archived = archived.map(|(at, n)| Archived { at, n });
        let ended = "SELECT CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END FROM calls WHERE id = $1";
        let ended: Option<i64> = sqlx::query_scalar(ended)
            .bind(call.to_string())
            .fetch_optional(&mut *self.connection)
            .await
            .doing("reading a call")?;
        // One that retention has removed meanwhile is erased.
        if let Some(ended) = ended {
            if ended == 0 {
                let (what, id, state) = ("call", call.to_string(), "going on".to_owned());
                return Err(StoreError::State { what, id, state, wanted: "erased" });
            }
            self.is_not_held(&call.to_string(), None, "erased").await?;
            if self.is_changed(call, archived).await? {
                let (what, id, state) = ("call", call.to_string(), CHANGED.to_owned());
                return Err(StoreError::State { what, id, state, wanted: "erased" });
            }
            let why = format!("erased on request, task {id}");
            for recording in self.recordings_to_destroy(call).await? {
                let (rule, why, by) = (RULE.to_owned(), why.clone(), Actor::System);
                self.recording(RecordingChange::Destroyed { id: recording, at, rule, why, by }).await?;
            }
            let rule = format!("{RULE}: {why}");
            self.anonymise(&AnonymiseChange::Call { call, at, rule, by }).await?;
            // Restricted or not, there is nobody's data left to be hidden.
            self.erase_personal_of(&[call], LogRows::All).await?;
        }
        let update = "UPDATE privacy_task_calls SET state = 'done' WHERE task = $1 AND call = $2";
        let update = of(update, id).bind(call.to_string());
        update.execute(&mut *self.connection).await.map(drop).doing("storing how far a task is")
    }

    async fn recordings_to_destroy(&mut self, call: CallId) -> Result<Vec<RecordingId>, StoreError> {
        let select = "SELECT id FROM recordings WHERE call = $1 \
                      AND state NOT IN ('discarded', 'destroyed', 'removed') ORDER BY id";
        let rows = sqlx::query(select).bind(call.to_string()).fetch_all(&mut *self.connection).await;
        let rows = rows.doing("looking for recordings")?;
        rows.iter().map(|row| Cells { table: "recordings", row }.id("id")).collect()
    }

    pub(super) async fn restricted(&mut self, id: TaskId, on: bool, at: Timestamp) -> Result<(), StoreError> {
        let select = "SELECT t.by_user, c.id FROM privacy_tasks t JOIN privacy_task_calls o ON o.task = t.id \
                      JOIN calls c ON c.id = o.call WHERE t.id = $1 AND (c.restricted_at IS NULL) = ($2 = 1) ORDER BY c.id";
        let rows = of(select, id).bind(i64::from(on)).fetch_all(&mut *self.connection).await;
        for row in &rows.doing("reading what a task is about")? {
            let cells = Cells { table: "calls", row };
            let (by, call): (String, CallId) = (cells.get("by_user")?, cells.id("id")?);
            let update = "UPDATE calls SET restricted_at = $2 WHERE id = $1";
            let update = sqlx::query(update).bind(call.to_string()).bind(on.then_some(at.as_micros()));
            self.one("call", &call, update).await?;
            let (action, old, new) = match on {
                true => ("call.restricted", "no", "yes"),
                false => ("call.unrestricted", "yes", "no"),
            };
            let what = Object::new("call", call).attribute("restricted");
            let event = AuditEvent::new(Class::Modify, user(&by), at, action, what);
            self.audit(event.old(Some(Value::plain(old))).new_value(Some(Value::plain(new))));
        }
        let update =
            of("UPDATE privacy_task_calls SET state = 'done' WHERE task = $1 AND state = 'waiting'", id);
        update.execute(&mut *self.connection).await.map(drop).doing("storing how far a task is")
    }
}

/// The recordings of the calls that a task erased.
const OF_CALLS: &str = "FROM recordings r JOIN privacy_task_calls t ON t.call = r.call \
     WHERE t.task = $1 AND t.state = 'done'";

impl Store {
    /// Erases what is about the people of a task themselves: consents (when they are meant), entries, holds that are over,
    /// the audit log's keys of those of whom nothing is left; in lots, so that the writer is never held up for long.
    /// Before the first call, as the numbers go with the calls. Once it is done it has no effect; cut anywhere, it goes on
    /// when it is done again.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn erase_people(&self, id: TaskId, at: Timestamp) -> Result<(), StoreError> {
        let take = async |step: PeopleStep| {
            let change = PrivacyChange::ErasePeople { id, step, at };
            self.commit(vec![Change::Privacy(change)]).await
        };
        let task = self.privacy_task(id).await?;
        let task = task.ok_or_else(|| StoreError::Missing { what: "task", id: id.to_string() })?;
        if task.stage >= PEOPLE_ERASED {
            return Ok(());
        }
        take(PeopleStep::Begun).await?;
        let calls: Vec<CallId> =
            self.privacy_task_calls(id).await?.into_iter().map(|call| call.call).collect();
        for lot in calls.chunks(LOT) {
            take(PeopleStep::Calls(lot.to_vec())).await?;
        }
        let rows = of(NUMBERS, id).fetch_all(&self.read).await.doing("reading whom a task is about")?;
        let number = |row| Ok(Redacted(Cells { table: "calls", row }.get("number")?));
        let numbers: Vec<Redacted<String>> = rows.iter().map(number).collect::<Result<_, StoreError>>()?;
        if task.consents {
            for lot in numbers.chunks(LOT) {
                take(PeopleStep::Consents(lot.to_vec())).await?;
            }
        }
        for lot in self.privacy_task_entries(id).await?.chunks(LOT) {
            take(PeopleStep::Entries(lot.to_vec())).await?;
        }
        for lot in numbers.chunks(LOT) {
            take(PeopleStep::Numbers(lot.to_vec())).await?;
        }
        take(PeopleStep::Done).await
    }

    /// How far the removal of a task's recordings is.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn privacy_unfinished(&self, id: TaskId) -> Result<Unfinished, StoreError> {
        // Whoever destroyed it: nothing is told to be gone of which a copy may be left.
        let select = format!(
            "SELECT r.state, COUNT(*) AS n {OF_CALLS} AND (r.rule = 'dpo' OR r.state = 'destroyed') GROUP BY r.state"
        );
        let rows = sqlx::query(AssertSqlSafe(select)).bind(id.to_string()).fetch_all(&self.read).await;
        let mut found = Unfinished::default();
        for row in &rows.doing("counting recordings")? {
            let cells = Cells { table: "recordings", row };
            let n = cells.number("n")?.unwrap_or_default();
            match cells.get::<String>("state")?.as_str() {
                "removed" => found.removed = n,
                _ => found.destroyed += n,
            }
        }
        Ok(found)
    }

    /// The certificates of the recordings that a task had destroyed, by recording.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn privacy_proofs(&self, id: TaskId) -> Result<Vec<CertificateRow>, StoreError> {
        let select = format!(
            "SELECT f.recording, f.at, f.sha256 FROM certificates f WHERE f.recording IN (SELECT r.id {OF_CALLS} AND r.rule = 'dpo') \
             ORDER BY f.recording"
        );
        let rows = sqlx::query(AssertSqlSafe(select)).bind(id.to_string()).fetch_all(&self.read).await;
        let read = |row| {
            let cells = Cells { table: "certificates", row };
            let (recording, at) = (cells.id("recording")?, cells.time("at")?);
            Ok(CertificateRow { recording, at, sha256: cells.get("sha256")? })
        };
        rows.doing("reading deletion certificates")?.iter().map(read).collect()
    }
}
