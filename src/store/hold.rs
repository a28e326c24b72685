//! Legal holds: recordings, calls and people held back from removal (domain rule 14).
//!
//! A hold and a destruction never miss one another: who makes a hold locks `retention_state`, who destroys by a rule or
//! by a person's word looks under the same lock.

use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::{CallId, HoldId, QueueId, RecordingId, Redacted};
use crate::retention::{Hold, HoldOn, Holds, Released};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::page::{Cursor, Page, Place};
use super::query::Cells;
use super::select::Select;
use super::writer::Work;

type Statement = Query<'static, Any, AnyArguments>;

/// See [`Change::Hold`](super::Change::Hold).
#[derive(Clone, Debug)]
pub enum HoldChange {
    /// It begins: `hold.created` in the audit log. Refused with [`StoreError::Missing`] for a recording or a call that
    /// is not there, with [`StoreError::State`] for one that is destroyed or anonymised already.
    Created {
        /// Its id.
        id: HoldId,
        /// What is held.
        on: HoldOn,
        /// Why, in a person's words.
        reason: Redacted<String>,
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
        /// When it ends by itself; `None`: when it is released.
        ends: Option<Timestamp>,
    },
    /// It is over: `hold.released`. Refused with [`StoreError::State`] when it was released before.
    Released {
        /// Which one.
        id: HoldId,
        /// Why, in a person's words.
        reason: Redacted<String>,
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// It has ended by itself: `hold.ended`, once. Refused with [`StoreError::State`] when that was noted or it was
    /// released before, and while it holds.
    Ended {
        /// Which one.
        id: HoldId,
        /// When that is noted.
        at: Timestamp,
    },
}

/// What holds a call `c` (`$1`), or its recording `$2`, at `$3`; `$2` NULL: any of its recordings counts.
const HELD: &str = "SELECT 1 FROM calls c, holds h WHERE c.id = $1 AND h.released_at IS NULL \
     AND (h.ends_at IS NULL OR h.ends_at > $3) AND (\
     (h.kind = 'recording' AND (h.object = $2 OR ($2 IS NULL AND h.object IN \
         (SELECT r.id FROM recordings r WHERE r.call = c.id)))) \
     OR (h.kind = 'call' AND h.object = c.id) \
     OR (h.kind = 'number' AND h.number = c.from_number) \
     OR (h.kind = 'queue' AND h.object = c.first_queue AND c.arrived_at <= h.span_until \
         AND (c.ended_at IS NULL OR c.ended_at >= h.span_since))) LIMIT 1";

impl Work<'_> {
    /// Writes what becomes of a hold.
    pub(super) async fn holds(&mut self, change: &HoldChange) -> Result<(), StoreError> {
        match change {
            HoldChange::Created { id, on, reason, by, at, ends } => {
                let lock = format!("SELECT 1 FROM retention_state WHERE id = 1{}", self.dialect.for_update());
                self.lock(lock).await?;
                self.can_be_held(on).await?;
                self.hold(*id, on, reason, by, *at, *ends).await?;
                self.hold_begins(*id, on, (reason, by, *at), *ends);
            }
            HoldChange::Released { id, reason, by, at } => {
                let hold = self.held(*id).await?;
                let update = "UPDATE holds SET released_at = $2, released_by = $3 \
                              WHERE id = $1 AND released_at IS NULL";
                self.over(&hold, sqlx::query(update), *at, by, "released").await?;
                self.hold_is_released(*id, &hold.on, reason, by, *at);
            }
            HoldChange::Ended { id, at } => {
                let hold = self.held(*id).await?;
                let update = "UPDATE holds SET released_at = ends_at, released_by = $3 \
                              WHERE id = $1 AND released_at IS NULL AND ends_at <= $2";
                self.over(&hold, sqlx::query(update), *at, &Actor::System, "ended").await?;
                self.hold_has_ended(*id, &hold.on, hold.ends, *at);
            }
        }
        Ok(())
    }

    async fn held(&mut self, id: HoldId) -> Result<Hold, StoreError> {
        let row = sqlx::query("SELECT * FROM holds WHERE id = $1").bind(id.to_string());
        let row = row.fetch_optional(&mut *self.connection).await.doing("reading a hold")?;
        read_hold(&row.ok_or_else(|| StoreError::Missing { what: "hold", id: id.to_string() })?)
    }

    /// `update`: what ends it, with its id, the time and who as `$1` to `$3`.
    async fn over(
        &mut self,
        hold: &Hold,
        update: Statement,
        at: Timestamp,
        by: &Actor,
        wanted: &'static str,
    ) -> Result<(), StoreError> {
        let update = update.bind(hold.id.to_string()).bind(at.as_micros()).bind(by.to_string());
        match self.one("hold", &hold.id, update).await {
            Err(StoreError::Missing { what, id }) => {
                // Another one was quicker, or it holds.
                let holds = wanted == "ended" && hold.released.is_none();
                let state = if holds { "holding" } else { "over" }.to_owned();
                Err(StoreError::State { what, id, state, wanted })
            }
            result => result,
        }
    }

    /// Refuses what a rule or a person would remove while a hold is on it: the recording, or, with `None`, the call.
    pub(super) async fn is_not_held(
        &mut self,
        call: &str,
        recording: Option<RecordingId>,
        wanted: &'static str,
    ) -> Result<(), StoreError> {
        self.lock(format!("SELECT 1 FROM retention_state WHERE id = 1{}", self.dialect.for_share())).await?;
        let held = sqlx::query(HELD)
            .bind(call.to_owned())
            .bind(recording.map(|id| id.to_string()))
            .bind(self.now.as_micros())
            .fetch_optional(&mut *self.connection)
            .await
            .doing("looking for holds")?;
        let (what, id) = match recording {
            Some(id) => ("recording", id.to_string()),
            None => ("call", call.to_owned()),
        };
        match held {
            Some(_) => Err(StoreError::State { what, id, state: "held".to_owned(), wanted }),
            None => Ok(()),
        }
    }

    async fn lock(&mut self, select: String) -> Result<(), StoreError> {
        let locked = sqlx::query(sqlx::AssertSqlSafe(select)).fetch_all(&mut *self.connection).await;
        locked.map(drop).doing("locking holds")
    }

    async fn can_be_held(&mut self, on: &HoldOn) -> Result<(), StoreError> {
        let (what, select) = match on {
            HoldOn::Recording(_) => ("recording", "SELECT state FROM recordings WHERE id = $1"),
            HoldOn::Call(_) => (
                "call",
                "SELECT CASE WHEN anonymised_at IS NULL THEN '' ELSE 'anonymised' END AS state FROM calls \
                 WHERE id = $1",
            ),
            HoldOn::Number(_) | HoldOn::Queue { .. } => return Ok(()),
        };
        let id = on.subject();
        let state = sqlx::query_scalar::<_, String>(select).bind(id.clone());
        let state = state.fetch_optional(&mut *self.connection).await.doing("reading what is to be held")?;
        let state = state.ok_or_else(|| StoreError::Missing { what, id: id.clone() })?;
        if ["discarded", "destroyed", "removed", "anonymised"].contains(&state.as_str()) {
            return Err(StoreError::State { what, id, state, wanted: "held" });
        }
        Ok(())
    }

    async fn hold(
        &mut self,
        id: HoldId,
        on: &HoldOn,
        reason: &Redacted<String>,
        by: &Actor,
        at: Timestamp,
        ends: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let (object, number, span) = match on {
            HoldOn::Recording(_) | HoldOn::Call(_) => (Some(on.subject()), None, None),
            HoldOn::Number(_) => (None, Some(on.subject()), None),
            HoldOn::Queue { since, until, .. } => (Some(on.subject()), None, Some((*since, *until))),
        };
        let insert = "INSERT INTO holds (id, kind, object, number, span_since, span_until, reason, by_whom, at, \
                      ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        sqlx::query(insert)
            .bind(id.to_string())
            .bind(on.kind())
            .bind(object)
            .bind(number)
            .bind(span.map(|(since, _)| since.as_micros()))
            .bind(span.map(|(_, until)| until.as_micros()))
            .bind(reason.0.clone())
            .bind(by.to_string())
            .bind(at.as_micros())
            .bind(ends.map(Timestamp::as_micros))
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("storing a hold")
    }

    /// `hold.created` with its end; and for what is not a number, a row that is found by what is held. The reason is where
    /// it is erased with the call, or with the number's person.
    fn hold_begins(
        &mut self,
        id: HoldId,
        on: &HoldOn,
        (reason, by, at): (&Redacted<String>, &Actor, Timestamp),
        ends: Option<Timestamp>,
    ) {
        const CREATED: &str = "hold.created";
        let event = |action, what| AuditEvent::new(Class::Modify, by.clone(), at, action, what);
        let until = ends.map_or_else(String::new, |ends| format!(", until {ends}"));
        let words = Some(Value::Personal(reason.0.clone()));
        let created = event(CREATED, Object::new("hold", id));
        match on {
            HoldOn::Queue { queue, since, until: to } => {
                self.audit(created.new_value(words));
                let calls = format!("hold {id}, calls from {since} to {to}{until}");
                let what = Object::new("queue", queue).attribute("calls");
                self.audit(event(held_word(on), what).new_value(Some(Value::Plain(calls))));
            }
            HoldOn::Number(number) => {
                self.audit(created.about(Some(number.0.clone())).new_value(words));
                if let Some(ends) = ends {
                    let what = Object::new("hold", id).attribute("until");
                    self.audit(event(CREATED, what).new_value(Some(Value::plain(ends))));
                }
            }
            HoldOn::Recording(_) | HoldOn::Call(_) => {
                let what = Object::new(on.kind(), on.subject());
                self.audit(created.new_value(Some(Value::Plain(format!("{what}{until}")))));
                let held = event(held_word(on), what).old(Some(Value::Plain(format!("hold {id}"))));
                self.audit(held.new_value(words));
            }
        }
    }

    /// The same when somebody ends it.
    fn hold_is_released(
        &mut self,
        id: HoldId,
        on: &HoldOn,
        reason: &Redacted<String>,
        by: &Actor,
        at: Timestamp,
    ) {
        let event = |action, what| AuditEvent::new(Class::Modify, by.clone(), at, action, what);
        let words = Some(Value::Personal(reason.0.clone()));
        let released = event("hold.released", Object::new("hold", id));
        match on {
            HoldOn::Queue { queue, since, until } => {
                self.audit(released.new_value(words));
                let calls = Value::Plain(format!("hold {id}, calls from {since} to {until}"));
                let what = Object::new("queue", queue).attribute("calls");
                self.audit(event(released_word(on), what).new_value(Some(calls)));
            }
            HoldOn::Number(number) => self.audit(released.about(Some(number.0.clone())).new_value(words)),
            HoldOn::Recording(_) | HoldOn::Call(_) => {
                let what = Object::new(on.kind(), on.subject());
                self.audit(released.new_value(Some(Value::Plain(what.to_string()))));
                let free = event(released_word(on), what).old(Some(Value::Plain(format!("hold {id}"))));
                self.audit(free.new_value(words));
            }
        }
    }

    /// The same when it ends by itself. Nothing of it is personal: whose number it was on may be erased by then.
    fn hold_has_ended(&mut self, id: HoldId, on: &HoldOn, ends: Option<Timestamp>, at: Timestamp) {
        let event = |action, what| AuditEvent::new(Class::Modify, Actor::System, at, action, what);
        let by_itself = ends.map_or_else(|| "by itself".to_owned(), |ends| format!("by itself, at {ends}"));
        let told = || Some(Value::Plain(by_itself.clone()));
        self.audit(event("hold.ended", Object::new("hold", id)).new_value(told()));
        let what = match on {
            HoldOn::Number(_) => return,
            HoldOn::Queue { queue, .. } => Object::new("queue", queue).attribute("calls"),
            HoldOn::Recording(_) | HoldOn::Call(_) => Object::new(on.kind(), on.subject()),
        };
        let free = event(released_word(on), what).old(Some(Value::Plain(format!("hold {id}"))));
        self.audit(free.new_value(told()));
    }
}

/// That what a hold is on is held; there is no row of a number's own.
const fn held_word(on: &HoldOn) -> &'static str {
    match on {
        HoldOn::Recording(_) => "recording.held",
        HoldOn::Call(_) => "call.held",
        HoldOn::Queue { .. } => "queue.held",
        HoldOn::Number(_) => "hold.created",
    }
}

/// That it is held no more by a hold.
const fn released_word(on: &HoldOn) -> &'static str {
    match on {
        HoldOn::Recording(_) => "recording.released",
        HoldOn::Call(_) => "call.released",
        HoldOn::Queue { .. } => "queue.released",
        HoldOn::Number(_) => "hold.released",
    }
}

impl Store {
    /// Holds; with `active`, those that hold at that time (`false`: those that do not).
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn holds(
        &self,
        active: Option<bool>,
        now: Timestamp,
        place: &Place,
    ) -> Result<Page<Hold>, StoreError> {
        let mut select = Select::new("SELECT h.* FROM holds h");
        match active {
            None => &mut select,
            Some(true) => {
                select.and("(h.released_at IS NULL AND (h.ends_at IS NULL OR h.ends_at > {}))", now).sort()
            }
            Some(false) => select.and("(h.released_at IS NOT NULL OR h.ends_at <= {})", now),
        };
        let rows = select.page([("h.at", "at"), ("h.id", "id")], place, false);
        let rows = rows.rows(&self.read, "reading holds").await?;
        let rows: Vec<Hold> = rows.iter().map(read_hold).collect::<Result<_, StoreError>>()?;
        let at = |hold: &Hold| Cursor { at: hold.at.as_micros(), id: hold.id.to_string() };
        Ok(Page::of(rows, place.limit, at))
    }

    /// Every hold that is not released: people make them one by one, so they are few.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn open_holds(&self) -> Result<Vec<Hold>, StoreError> {
        let rows = sqlx::query("SELECT * FROM holds WHERE released_at IS NULL ORDER BY at, id");
        rows.fetch_all(&self.read).await.doing("reading holds")?.iter().map(read_hold).collect()
    }

    /// The holds on queues that hold at `now`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub(super) async fn queue_holds(&self, now: Timestamp) -> Result<Holds, StoreError> {
        let rows = sqlx::query("SELECT * FROM holds WHERE kind = 'queue' AND released_at IS NULL");
        let rows = rows.fetch_all(&self.read).await.doing("reading holds")?;
        let holds: Vec<Hold> = rows.iter().map(read_hold).collect::<Result<_, StoreError>>()?;
        Ok(Holds::new(holds, now))
    }

    /// The holds that are over by themselves at `now`, and of which that is not noted yet.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn holds_run_out(&self, now: Timestamp) -> Result<Vec<HoldId>, StoreError> {
        let select = "SELECT id FROM holds WHERE released_at IS NULL AND ends_at <= $1 ORDER BY ends_at, id";
        let rows = sqlx::query(select).bind(now.as_micros()).fetch_all(&self.read).await;
        let rows = rows.doing("reading holds")?;
        rows.iter().map(|row| Cells { table: "holds", row }.id("id")).collect()
    }

    /// One hold.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn hold(&self, id: HoldId) -> Result<Option<Hold>, StoreError> {
        let row = sqlx::query("SELECT * FROM holds WHERE id = $1").bind(id.to_string());
        row.fetch_optional(&self.read).await.doing("reading a hold")?.map(|row| read_hold(&row)).transpose()
    }
}

fn read_hold(row: &AnyRow) -> Result<Hold, StoreError> {
    let cells = Cells { table: "holds", row };
    let kind: String = cells.get("kind")?;
    let on = match kind.as_str() {
        "recording" => HoldOn::Recording(cells.id::<RecordingId>("object")?),
        "call" => HoldOn::Call(cells.id::<CallId>("object")?),
        "number" => HoldOn::Number(Redacted(cells.get("number")?)),
        "queue" => HoldOn::Queue {
            queue: QueueId(cells.get("object")?),
            since: cells.time("span_since")?,
            until: cells.time("span_until")?,
        },
        _ => return Err(cells.corrupt("kind")),
    };
    let released = match cells.maybe_time("released_at")? {
        Some(at) => Some(Released { at, by: cells.get("released_by")? }),
        None => None,
    };
    Ok(Hold {
        id: cells.id("id")?,
        on,
        reason: Redacted(cells.get("reason")?),
        by: cells.get("by_whom")?,
        at: cells.time("at")?,
        ends: cells.maybe_time("ends_at")?,
        released,
    })
}
