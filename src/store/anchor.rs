//! Where the audit log's head was anchored, and whose turn it is to do so.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::audit::{Actor, Anchor, AuditEvent, Class, Hash, Head, Object, Value, words};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::page::{Cursor, Page};
use super::query::{Cells, count};
use super::writer::Work;

words!(
    /// What became of an anchor.
    AnchorState {
        /// It is there.
        Anchored = "anchored",
        /// It could not be put there.
        Failed = "failed",
    }
);

/// See [`Change::Anchor`](super::Change::Anchor).
#[derive(Clone, Debug)]
pub enum AnchorChange {
    /// Somebody begins to anchor: [`StoreError::State`] when another does, when it is not time yet, or when the last try
    /// failed a short while ago. Not audited.
    Begun {
        /// Who.
        by: String,
        /// Until then nobody else does.
        until: Timestamp,
        /// How long after the last anchor the next one is due; `None`: now, whatever was before.
        every: Option<Duration>,
        /// When.
        at: Timestamp,
    },
    /// It was put somewhere, or could not be. Places that took it are audited in one event.
    Ended {
        /// Who.
        by: String,
        /// For the audit log: by whose order.
        who: Actor,
        /// The statement's content.
        anchor: Anchor,
        /// As it was signed.
        statement: String,
        /// Each place.
        places: Vec<AnchorPlace>,
        /// When to try again, if a place did not take it.
        again: Timestamp,
        /// When.
        at: Timestamp,
    },
}

/// A place and what became of the anchor there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorPlace {
    /// A file's path, `store`, `webhook NAME`.
    pub place: String,
    /// What became of it.
    pub state: AnchorState,
    /// The object's name; why it failed.
    pub what: Option<String>,
}

/// An anchor at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorRow {
    /// Its number.
    pub n: u64,
    /// The row that was anchored, and when.
    pub anchor: Anchor,
    /// Where, and what became of it.
    pub at: AnchorPlace,
    /// As it was signed.
    pub statement: String,
}

/// How anchoring goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnchorTurn {
    /// When the head was anchored last, everywhere it should be.
    pub anchored_at: Option<Timestamp>,
    /// Tries that failed since.
    pub failures: u32,
}

const WHAT: &str = "anchor";

impl Work<'_> {
    pub(super) async fn anchor(&mut self, change: &AnchorChange) -> Result<(), StoreError> {
        match change {
            AnchorChange::Begun { by, until, every, at } => self.anchor_begun(by, *until, *every, *at).await,
            AnchorChange::Ended { by, who, anchor, statement, places, again, at } => {
                let failed = places.iter().any(|place| place.state == AnchorState::Failed);
                self.anchor_ended(by, failed, *again, *at).await?;
                for place in places {
                    self.anchor_row(anchor, statement, place).await?;
                }
                let told = |state: AnchorState| {
                    let of = places.iter().filter(|place| place.state == state);
                    of.map(|place| place.place.as_str()).collect::<Vec<_>>().join(", ")
                };
                let what = Object::new("audit", anchor.head.seq).attribute("anchor");
                for (class, action, state) in [
                    (Class::System, "audit.anchored", AnchorState::Anchored),
                    (Class::Failure, "audit.anchor-failed", AnchorState::Failed),
                ] {
                    let places = told(state);
                    if !places.is_empty() {
                        let value = format!("{} in {places}", anchor.head.hash);
                        let event = AuditEvent::new(class, who.clone(), *at, action, what.clone());
                        self.audit(event.new_value(Some(Value::Plain(value))));
                    }
                }
                Ok(())
            }
        }
    }

    async fn anchor_begun(
        &mut self,
        by: &str,
        until: Timestamp,
        every: Option<Duration>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        // By hand: whatever was before, unless another does it this moment.
        let (last, due) = match every {
            Some(every) => ((at - every).as_micros(), at.as_micros()),
            None => (i64::MAX, i64::MAX),
        };
        let update = "UPDATE anchor_turn SET leased_by = $1, leased_until = $2 WHERE id = 1 \
                      AND (leased_until IS NULL OR leased_until <= $3 OR leased_by = $1) \
                      AND (anchored_at IS NULL OR anchored_at <= $4) AND (due IS NULL OR due <= $5)";
        let update = sqlx::query(update)
            .bind(by.to_owned())
            .bind(until.as_micros())
            .bind(at.as_micros())
            .bind(last)
            .bind(due);
        self.turn(update).await
    }

    async fn anchor_ended(
        &mut self,
        by: &str,
        failed: bool,
        again: Timestamp,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = if failed {
            "UPDATE anchor_turn SET leased_until = NULL, failures = failures + 1, due = $2 \
             WHERE id = 1 AND leased_by = $1"
        } else {
            "UPDATE anchor_turn SET leased_until = NULL, failures = 0, due = NULL, anchored_at = $2 \
             WHERE id = 1 AND leased_by = $1"
        };
        let next = if failed { again } else { at };
        self.turn(sqlx::query(update).bind(by.to_owned()).bind(next.as_micros())).await
    }

    async fn turn(
        &mut self,
        update: sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<(), StoreError> {
        let done = update.execute(&mut *self.connection).await.doing("taking the turn to anchor")?;
        match done.rows_affected() {
            0 => Err(StoreError::State {
                what: WHAT,
                id: "of the audit log".to_owned(),
                state: "not due, or another's".to_owned(),
                wanted: "made now",
            }),
            _ => Ok(()),
        }
    }

    async fn anchor_row(
        &mut self,
        anchor: &Anchor,
        statement: &str,
        place: &AnchorPlace,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO anchors (seq, hash, at, place, state, what, statement) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)";
        sqlx::query(insert)
            .bind(count(anchor.head.seq))
            .bind(anchor.head.hash.0.to_vec())
            .bind(anchor.at.as_micros())
            .bind(place.place.clone())
            .bind(place.state.word())
            .bind(place.what.clone())
            .bind(statement.to_owned())
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("storing an anchor")
    }
}

impl Store {
    /// Anchors, the latest first, from `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn anchors(&self, after: Option<Cursor>, limit: u32) -> Result<Page<AnchorRow>, StoreError> {
        let after = after.unwrap_or_else(Cursor::start);
        let rows = sqlx::query("SELECT * FROM anchors WHERE n < $1 ORDER BY n DESC LIMIT $2")
            .bind(after.at)
            .bind(i64::from(limit) + 1)
            .fetch_all(&self.read)
            .await
            .doing("reading anchors")?;
        let rows = rows.iter().map(read_anchor).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(rows, limit, |row| Cursor { at: count(row.n), id: String::new() }))
    }

    /// How anchoring goes.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn anchor_turn(&self) -> Result<AnchorTurn, StoreError> {
        let row = sqlx::query("SELECT anchored_at, failures FROM anchor_turn WHERE id = 1");
        let row = row.fetch_one(&self.read).await.doing("reading whose turn it is to anchor")?;
        let cells = Cells { table: "anchor_turn", row: &row };
        let failures = u32::try_from(cells.get::<i64>("failures")?).unwrap_or(u32::MAX);
        Ok(AnchorTurn { anchored_at: cells.maybe_time("anchored_at")?, failures })
    }
}

fn read_anchor(row: &AnyRow) -> Result<AnchorRow, StoreError> {
    let cells = Cells { table: "anchors", row };
    let corrupt = |column| StoreError::Corrupt { table: "anchors", column };
    let number = |column: &'static str| {
        row.try_get::<i64, _>(column).ok().and_then(|n| u64::try_from(n).ok()).ok_or_else(|| corrupt(column))
    };
    let hash: [u8; 32] = cells.get::<Vec<u8>>("hash")?.try_into().map_err(|_| corrupt("hash"))?;
    let state = AnchorState::from_word(&cells.get::<String>("state")?).ok_or(corrupt("state"))?;
    Ok(AnchorRow {
        n: number("n")?,
        anchor: Anchor { head: Head { seq: number("seq")?, hash: Hash(hash) }, at: cells.time("at")? },
        at: AnchorPlace { place: cells.get("place")?, state, what: cells.get("what")? },
        statement: cells.get("statement")?,
    })
}
