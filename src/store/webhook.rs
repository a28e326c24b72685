//! Events on their way to webhooks, and what became of them.
//!
//! A row for each event and webhook is written in the transaction that causes the event, so that none is lost and none is
//! told of what did not happen. It says ids, queues, times and words; no numbers and no names.

use serde_json::{Map, json};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use ulid::Ulid;

use crate::audit::{Actor, AuditEvent, Class, Object, Value, words};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::page::{Cursor, Page};
use super::query::Cells;
use super::writer::Work;

/// Rows that are removed by one change at most.
const TIDIED: i64 = 1_000;

words!(
    /// What became of a delivery.
    DeliveryState {
        /// It is to be sent, for the first time or again.
        Waiting = "waiting",
        /// It was taken.
        Delivered = "delivered",
        /// It was given up.
        Failed = "failed",
    }
);

/// How a try to deliver ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// It was taken.
    Delivered {
        /// The answer's status.
        status: u16,
    },
    /// It was not.
    Failed {
        /// The answer's status, if there was an answer.
        status: Option<u16>,
        /// Why.
        what: String,
        /// When it is tried again; `None`: no more.
        again: Option<Timestamp>,
    },
}

/// See [`Change::Webhook`](super::Change::Webhook).
#[derive(Clone, Debug)]
pub enum WebhookChange {
    /// A sender takes a delivery that is due. [`StoreError::State`] when another has it, or it is done.
    Leased {
        /// Which one.
        id: Ulid,
        /// Who.
        by: String,
        /// Until then nobody else does.
        until: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// A try ended. [`StoreError::State`] when the lease is lost.
    Ended {
        /// Which one.
        id: Ulid,
        /// Who had it.
        by: String,
        /// How.
        end: DeliveryEnd,
        /// When.
        at: Timestamp,
    },
    /// Something was sent at once, past the queue: a test, an anchor. Its row tells how it went; audited as a test when
    /// somebody asked for it.
    Sent {
        /// Which one.
        id: Ulid,
        /// To which webhook.
        webhook: String,
        /// What happened.
        event: String,
        /// As it was signed.
        body: String,
        /// How it ended; it is not tried again.
        end: DeliveryEnd,
        /// Who asked for it.
        by: Option<Actor>,
        /// When.
        at: Timestamp,
    },
    /// It is tried again now, by somebody's wish, as if it had just come; audited. [`StoreError::Missing`] when it is
    /// not there.
    Retry {
        /// Which one.
        id: Ulid,
        /// By whose wish.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// Rows that ended before `ended` go; what waits since before `came` is given up. A thousand each at most.
    Tidied {
        /// Rows that ended before this go.
        ended: Timestamp,
        /// What came before this is given up.
        came: Timestamp,
        /// When.
        at: Timestamp,
    },
}

/// An event for a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id: `Sayso-Delivery`.
    pub id: Ulid,
    /// The webhook's name.
    pub webhook: String,
    /// What happened: `Sayso-Event`.
    pub event: String,
    /// As it is signed and sent.
    pub body: String,
    /// When it happened, or was asked for again.
    pub at: Timestamp,
    /// What became of it.
    pub state: DeliveryState,
    /// Tries so far.
    pub attempts: u32,
    /// When it is tried next, while it waits.
    pub due: Timestamp,
    /// The last answer's status.
    pub status: Option<u16>,
    /// Why the last try failed.
    pub what: Option<String>,
}

const WHAT: &str = "delivery";

/// What webhooks are told of, by the action of its audit event.
fn word_of(action: &str) -> Option<&'static str> {
    Some(match action {
        "call.ended" => "call.ended",
        "consent.given" => "consent.given",
        "consent.refused" => "consent.refused",
        "consent.withdrawn" => "consent.withdrawn",
        "consent.overridden" => "recording.overridden",
        "recording.stored" => "recording.stored",
        "recording.failed" => "recording.failed",
        "recording.removed" => "recording.removed",
        "alarm.raised" | "alarm.cleared" => "audit.alarm",
        "audit.anchored" => "audit.anchor",
        _ => return None,
    })
}

/// The call and the queue of an event's object.
#[derive(Default)]
struct Where {
    call: Option<String>,
    queue: Option<String>,
}

impl Work<'_> {
    /// Enqueues what webhooks want to know of this unit of work.
    pub(super) async fn tell_webhooks(&mut self) -> Result<(), StoreError> {
        let mut told = Vec::new();
        for event in &self.events {
            if let Some(word) = word_of(&event.action) {
                let hooks = self.rules.told_of(word);
                if !hooks.is_empty() {
                    told.push((word, hooks, event.clone()));
                }
            }
        }
        if !told.is_empty() {
            self.settle_all().await?;
        }
        for (word, hooks, event) in told {
            let place = self.place_of(&event.what).await?;
            let body = body_of(word, &event, place);
            for hook in hooks {
                self.enqueue(Ulid::generate(), &hook, word, &body, event.at).await?;
            }
        }
        Ok(())
    }

    async fn place_of(&mut self, what: &Object) -> Result<Where, StoreError> {
        let select = match what.kind.as_ref() {
            "call" => "SELECT id AS call, queue FROM calls WHERE id = $1",
            "recording" => {
                "SELECT r.call AS call, c.first_queue AS queue FROM recordings r \
                 JOIN calls c ON c.id = r.call WHERE r.id = $1"
            }
            _ => return Ok(Where::default()),
        };
        let row = sqlx::query(select).bind(what.id.clone()).fetch_optional(&mut *self.connection).await;
        let row = row.doing("looking for what a webhook is told of")?;
        Ok(row.map_or_else(Where::default, |row| Where {
            call: row.try_get("call").ok(),
            queue: row.try_get("queue").ok(),
        }))
    }

    async fn enqueue(
        &mut self,
        id: Ulid,
        webhook: &str,
        event: &str,
        body: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO webhook_deliveries (id, webhook, event, body, at, state, due) \
                      VALUES ($1, $2, $3, $4, $5, 'waiting', $6)";
        // Its age counts from when it can be sent: a fact may tell of what was long ago.
        sqlx::query(insert)
            .bind(id.to_string())
            .bind(webhook.to_owned())
            .bind(event.to_owned())
            .bind(body.to_owned())
            .bind(at.max(self.now).as_micros())
            .bind(self.now.as_micros())
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("enqueuing for a webhook")
    }

    pub(super) async fn webhook(&mut self, change: &WebhookChange) -> Result<(), StoreError> {
        match change {
            WebhookChange::Leased { id, by, until, at } => {
                let update = "UPDATE webhook_deliveries SET leased_by = $2, leased_until = $3, \
                              attempts = attempts + 1 WHERE id = $1 AND state = 'waiting' AND due <= $4 \
                              AND (leased_until IS NULL OR leased_until <= $4)";
                let update = sqlx::query(update)
                    .bind(id.to_string())
                    .bind(by.clone())
                    .bind(until.as_micros())
                    .bind(at.as_micros());
                self.delivery(*id, update, "sent").await
            }
            WebhookChange::Ended { id, by, end, at } => {
                let state = end.state();
                let update = "UPDATE webhook_deliveries SET state = $3, status = $4, what = $5, due = $6, \
                              ended_at = $7, leased_by = NULL, leased_until = NULL \
                              WHERE id = $1 AND state = 'waiting' AND leased_by = $2";
                let (status, what) = end.told();
                let ended = (state != DeliveryState::Waiting).then_some(at.as_micros());
                let update = sqlx::query(update)
                    .bind(id.to_string())
                    .bind(by.clone())
                    .bind(state.word())
                    .bind(status)
                    .bind(what)
                    .bind(end.due(*at).as_micros())
                    .bind(ended);
                self.delivery(*id, update, "ended").await
            }
            WebhookChange::Sent { id, webhook, event, body, end, by, at } => {
                self.enqueue(*id, webhook, event, body, *at).await?;
                let (status, what) = end.told();
                let state = match end.state() {
                    DeliveryState::Delivered => DeliveryState::Delivered,
                    DeliveryState::Waiting | DeliveryState::Failed => DeliveryState::Failed,
                };
                let update = "UPDATE webhook_deliveries SET state = $2, status = $3, what = $4, ended_at = $5, \
                              attempts = 1 WHERE id = $1";
                sqlx::query(update)
                    .bind(id.to_string())
                    .bind(state.word())
                    .bind(status)
                    .bind(what)
                    .bind(at.as_micros())
                    .execute(&mut *self.connection)
                    .await
                    .doing("storing what became of a delivery")?;
                if let Some(by) = by {
                    let what = Object::new("webhook", webhook);
                    let tested = AuditEvent::new(Class::System, by.clone(), *at, "webhook.tested", what);
                    self.audit(tested.new_value(Some(Value::plain(state))));
                }
                Ok(())
            }
            WebhookChange::Retry { id, by, at } => self.retried(*id, by, *at).await,
            WebhookChange::Tidied { ended, came, at } => self.tidied(*ended, *came, *at).await,
        }
    }

    async fn retried(&mut self, id: Ulid, by: &Actor, at: Timestamp) -> Result<(), StoreError> {
        let select = "SELECT webhook, state FROM webhook_deliveries WHERE id = $1";
        let row = sqlx::query(select).bind(id.to_string()).fetch_optional(&mut *self.connection).await;
        let row = row.doing("reading a delivery")?;
        let row = row.ok_or(StoreError::Missing { what: WHAT, id: id.to_string() })?;
        let cells = Cells { table: "webhook_deliveries", row: &row };
        let (webhook, old) = (cells.get::<String>("webhook")?, cells.get::<String>("state")?);
        // Whoever has it at this moment has it no longer.
        let update = "UPDATE webhook_deliveries SET state = 'waiting', at = $2, due = $2, ended_at = NULL, \
                      leased_by = NULL, leased_until = NULL WHERE id = $1";
        sqlx::query(update)
            .bind(id.to_string())
            .bind(at.as_micros())
            .execute(&mut *self.connection)
            .await
            .doing("having a delivery tried again")?;
        let what = Object::new("webhook", webhook).attribute("delivery");
        let event = AuditEvent::new(Class::Modify, by.clone(), at, "webhook.retried", what);
        let new = format!("{id}: {}", DeliveryState::Waiting);
        self.audit(event.old(Some(Value::Plain(format!("{id}: {old}")))).new_value(Some(Value::Plain(new))));
        Ok(())
    }

    async fn tidied(&mut self, ended: Timestamp, came: Timestamp, at: Timestamp) -> Result<(), StoreError> {
        const DOING: &str = "tidying up deliveries";
        // Of a webhook that was disabled or removed: nobody tries those.
        let give_up = "UPDATE webhook_deliveries SET state = 'failed', ended_at = $2, what = COALESCE(what, $3) \
                       WHERE id IN (SELECT o.id FROM webhook_deliveries o WHERE o.state = 'waiting' \
                       AND o.at < $1 AND o.leased_until IS NULL ORDER BY o.id LIMIT $4)";
        sqlx::query(give_up)
            .bind(came.as_micros())
            .bind(at.as_micros())
            .bind("it was not sent: the webhook is disabled or gone")
            .bind(TIDIED)
            .execute(&mut *self.connection)
            .await
            .doing(DOING)?;
        let remove = "DELETE FROM webhook_deliveries WHERE id IN \
                      (SELECT o.id FROM webhook_deliveries o WHERE o.ended_at < $1 ORDER BY o.ended_at LIMIT $2)";
        let remove = sqlx::query(remove).bind(ended.as_micros()).bind(TIDIED);
        remove.execute(&mut *self.connection).await.map(drop).doing(DOING)
    }

    async fn delivery(
        &mut self,
        id: Ulid,
        update: sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>,
        wanted: &'static str,
    ) -> Result<(), StoreError> {
        let done = update.execute(&mut *self.connection).await.doing("changing a delivery")?;
        match done.rows_affected() {
            0 => Err(StoreError::State {
                what: WHAT,
                id: id.to_string(),
                state: "done, not due, or another's".to_owned(),
                wanted,
            }),
            _ => Ok(()),
        }
    }
}

impl DeliveryEnd {
    /// What the row is after it.
    fn state(&self) -> DeliveryState {
        match self {
            Self::Delivered { .. } => DeliveryState::Delivered,
            Self::Failed { again: Some(_), .. } => DeliveryState::Waiting,
            Self::Failed { again: None, .. } => DeliveryState::Failed,
        }
    }

    fn told(&self) -> (Option<i64>, Option<String>) {
        match self {
            Self::Delivered { status } => (Some(i64::from(*status)), None),
            Self::Failed { status, what, .. } => (status.map(i64::from), Some(what.clone())),
        }
    }

    fn due(&self, at: Timestamp) -> Timestamp {
        match self {
            Self::Delivered { .. } | Self::Failed { again: None, .. } => at,
            Self::Failed { again: Some(again), .. } => *again,
        }
    }
}

/// What is sent. Texts of the audit log are not in it, but for words.
fn body_of(word: &str, event: &AuditEvent, place: Where) -> String {
    let mut body = Map::new();
    let mut put = |key: &str, value: serde_json::Value| body.insert(key.to_owned(), value);
    put("event", json!(word));
    put("at", json!(event.at.to_rfc3339()));
    let plain = match &event.new {
        Some(Value::Plain(text)) => Some(text.as_str()),
        Some(Value::Personal(_)) | None => None,
    };
    let first = |text: &str| text.split([' ', ',']).next().unwrap_or_default().to_owned();
    match word {
        "call.ended" => drop(put("cause", json!(plain))),
        "consent.given" | "consent.refused" => drop(put("answer", json!(plain.map(first)))),
        "recording.overridden" => drop(put("category", json!(event.what.attribute))),
        "audit.alarm" => {
            put("alarm", json!(event.what.id));
            put("state", json!(event.action.split('.').nth(1)));
        }
        "audit.anchor" => {
            put("seq", json!(event.what.id.parse::<u64>().ok()));
            put("hash", json!(plain.map(first)));
        }
        _ => {}
    }
    if event.what.kind == "recording" {
        put("recording", json!(event.what.id));
    }
    if let Some(call) = place.call {
        put("call", json!(call));
    }
    if let Some(queue) = place.queue {
        put("queue", json!(queue));
    }
    serde_json::Value::Object(body).to_string()
}

const COLUMNS: &str = "id, webhook, event, body, at, state, attempts, due, status, what";

impl Store {
    /// Deliveries of a webhook that are due and held by nobody: the longest due first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn deliveries_due(
        &self,
        webhook: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let select = format!(
            "SELECT {COLUMNS} FROM webhook_deliveries WHERE webhook = $1 AND state = 'waiting' AND due <= $2 \
             AND (leased_until IS NULL OR leased_until <= $2) ORDER BY due, id LIMIT {limit}"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(select)).bind(webhook.to_owned()).bind(now.as_micros());
        let rows = rows.fetch_all(&self.read).await.doing("looking for due deliveries")?;
        rows.iter().map(read_delivery).collect()
    }

    /// Deliveries of a webhook, the latest first, from `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn deliveries(
        &self,
        webhook: &str,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Delivery>, StoreError> {
        let after = after.unwrap_or_else(Cursor::start);
        let select = format!(
            "SELECT {COLUMNS} FROM webhook_deliveries WHERE webhook = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(webhook.to_owned())
            .bind(after.id)
            .bind(i64::from(limit) + 1)
            .fetch_all(&self.read)
            .await
            .doing("reading deliveries")?;
        let rows = rows.iter().map(read_delivery).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(rows, limit, |row| Cursor { at: row.at.as_micros().max(0), id: row.id.to_string() }))
    }

    /// One delivery.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn delivery(&self, id: Ulid) -> Result<Option<Delivery>, StoreError> {
        let select = format!("SELECT {COLUMNS} FROM webhook_deliveries WHERE id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(select)).bind(id.to_string());
        let row = row.fetch_optional(&self.read).await.doing("reading a delivery")?;
        row.as_ref().map(read_delivery).transpose()
    }

    /// How many deliveries wait, and since when the oldest does.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn deliveries_waiting(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        let select = "SELECT COUNT(*) AS waiting, MIN(at) AS oldest FROM webhook_deliveries \
                      WHERE state = 'waiting'";
        let row = sqlx::query(select).fetch_one(&self.read).await.doing("counting deliveries")?;
        let cells = Cells { table: "webhook_deliveries", row: &row };
        let waiting = u64::try_from(cells.get::<i64>("waiting")?).unwrap_or(0);
        Ok((waiting, cells.maybe_time("oldest")?))
    }
}

fn read_delivery(row: &AnyRow) -> Result<Delivery, StoreError> {
    let cells = Cells { table: "webhook_deliveries", row };
    let corrupt = |column| StoreError::Corrupt { table: "webhook_deliveries", column };
    Ok(Delivery {
        id: cells.get::<String>("id")?.parse().map_err(|_| corrupt("id"))?,
        webhook: cells.get("webhook")?,
        event: cells.get("event")?,
        body: cells.get("body")?,
        at: cells.time("at")?,
        state: DeliveryState::from_word(&cells.get::<String>("state")?).ok_or(corrupt("state"))?,
        attempts: u32::try_from(cells.get::<i64>("attempts")?).unwrap_or(u32::MAX),
        due: cells.time("due")?,
        status: cells.get::<Option<i64>>("status")?.and_then(|status| u16::try_from(status).ok()),
        what: cells.get("what")?,
    })
}
