//! Figures: calls and consents counted by the database, in quarters of an hour, by queue or by question. What is restricted
//! counts as well: a figure tells of nobody. Each goes by a range of an index.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;

use crate::ids::QueueId;
use crate::time::Timestamp;

use super::Store;
use super::error::StoreError;
use super::query::Cells;
use super::select::{Select, Sight};

/// What figures are put together by: time zones are whole quarters of an hour apart.
pub const QUARTER: i64 = 15 * 60 * 1_000_000;

/// Which calls or consents are counted.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Not older than this.
    pub since: Timestamp,
    /// Older than this.
    pub until: Timestamp,
    /// Of this first queue.
    pub queue: Option<QueueId>,
    /// Of these queues; `None`: of all.
    pub sight: Sight,
}

/// How the rows of a report are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By quarters of an hour, as their number since 1970.
    Quarter,
    /// By the first queue.
    Queue,
    /// By SHA-256 of the question as it was played; only consents have one.
    Question,
}

/// Calls of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFigures {
    /// They began to wait for an agent.
    pub offered: u64,
    /// Of them: an agent spoke with the caller.
    pub answered: u64,
    /// Of them: they ended before that.
    pub abandoned: u64,
    /// Something of them was captured, whether it is still there or not.
    pub recorded: u64,
    /// How long they waited until they were connected or ended, all together, in microseconds.
    pub waited: u64,
    /// How long conversations went on, all together, in microseconds.
    pub talked: u64,
    /// Of those answered: they waited no longer than the queue's limit.
    pub in_time: u64,
}

/// Consents of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsentFigures {
    /// Yes.
    pub given: u64,
    /// No.
    pub refused: u64,
    /// Too many wrong keys.
    pub wrong_keys: u64,
    /// Nothing was pressed.
    pub silent: u64,
    /// The caller hung up over the question.
    pub hung_up: u64,
    /// Taken back, whenever it was given.
    pub withdrawn: u64,
}

impl Store {
    /// Calls by key; `limits` are the queues' service levels in microseconds, `usual` that of queues not named.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn call_figures(
        &self,
        counted: &Counted,
        by: By,
        (limits, usual): (&BTreeMap<QueueId, i64>, i64),
    ) -> Result<Vec<(String, CallFigures)>, StoreError> {
        let key = match by {
            By::Quarter => format!("CAST(c.arrived_at / {QUARTER} AS TEXT)"),
            By::Queue => "c.first_queue".to_owned(),
            By::Question => "''".to_owned(),
        };
        let mut values = Vec::new();
        let limit = limit_of(limits, usual, &mut values);
        let head = format!(
            "SELECT {key} AS of_key, \
             CAST(COUNT(c.queued_at) AS BIGINT) AS offered, \
             CAST(SUM(CASE WHEN c.queued_at IS NOT NULL AND c.connected_at IS NOT NULL THEN 1 ELSE 0 END) AS BIGINT) AS answered, \
             CAST(SUM(CASE WHEN c.queued_at IS NOT NULL AND c.connected_at IS NULL AND c.ended_at IS NOT NULL THEN 1 ELSE 0 END) AS BIGINT) AS abandoned, \
             CAST(SUM(CASE WHEN EXISTS (SELECT 1 FROM recordings r WHERE r.call = c.id AND r.started_at IS NOT NULL) THEN 1 ELSE 0 END) AS BIGINT) AS recorded, \
             CAST(SUM(CASE WHEN c.queued_at IS NULL THEN 0 ELSE COALESCE(c.connected_at, c.ended_at, c.queued_at) - c.queued_at END) AS BIGINT) AS waited, \
             CAST(SUM(CASE WHEN c.connected_at IS NULL OR c.ended_at IS NULL THEN 0 ELSE c.ended_at - c.connected_at END) AS BIGINT) AS talked, \
             CAST(SUM(CASE WHEN c.queued_at IS NOT NULL AND c.connected_at - c.queued_at <= {limit} THEN 1 ELSE 0 END) AS BIGINT) AS in_time \
             FROM calls c"
        );
        let mut select = Select::with(&head, values);
        counted.on(&mut select, "c.arrived_at", "c.first_queue");
        // What is past the time of reporting data is not counted, though a consent may refer to its row.
        select.only("c.stripped_at IS NULL");
        let end = by.group("c.arrived_at", &key);
        let rows = select.end(&end).rows(&self.read, "counting calls").await?;
        rows.iter().map(|row| of_key(row, "calls", read_calls)).collect()
    }

    /// Consents by key.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn consent_figures(
        &self,
        counted: &Counted,
        by: By,
    ) -> Result<Vec<(String, ConsentFigures)>, StoreError> {
        let key = match by {
            By::Quarter => format!("CAST(k.at / {QUARTER} AS TEXT)"),
            By::Queue => "k.queue".to_owned(),
            By::Question => "COALESCE(k.question_sha256, '')".to_owned(),
        };
        let of = |answer: &str, name: &str| {
            format!("CAST(SUM(CASE WHEN k.answer = '{answer}' THEN 1 ELSE 0 END) AS BIGINT) AS {name}")
        };
        let columns = [
            of("yes", "given"),
            of("no", "refused"),
            of("wrong-keys", "wrong_keys"),
            of("silence", "silent"),
            of("hung-up", "hung_up"),
            of("withdrawn", "withdrawn"),
        ];
        let mut select =
            Select::new(&format!("SELECT {key} AS of_key, {} FROM consents k", columns.join(", ")));
        counted.on(&mut select, "k.at", "k.queue");
        if by == By::Question {
            // A withdrawal answers no question.
            select.only("k.answer <> 'withdrawn'");
        }
        let rows = select.end(&by.group("k.at", &key)).rows(&self.read, "counting consents").await?;
        rows.iter().map(|row| of_key(row, "consents", read_consents)).collect()
    }

    /// How many recordings are in each of these states.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn recordings_in(&self, states: &[&str], sight: &Sight) -> Result<u64, StoreError> {
        let mut select = Select::new("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM recordings r");
        select.one_of("r.state", states.iter().map(|&state| state.to_owned()).collect());
        // Figures hold restricted ones, too.
        let sight = Sight { queues: sight.queues.clone(), restricted: true };
        select.seen(("r.queue", ""), None, &sight);
        let rows = select.end("").rows(&self.read, "counting recordings").await?;
        let cells = rows.first().map(|row| Cells { table: "recordings", row });
        let n = cells.map(|cells| cells.number("n")).transpose()?.flatten();
        Ok(n.unwrap_or_default())
    }
}

impl By {
    /// Quarters are told apart by their number: a database sorts that sooner than a text.
    fn group(self, at: &str, key: &str) -> String {
        match self {
            Self::Quarter => format!(" GROUP BY {at} / {QUARTER}"),
            Self::Queue | Self::Question => format!(" GROUP BY {key}"),
        }
    }
}

impl Counted {
    fn on(&self, select: &mut Select, at: &str, queue: &'static str) {
        let sight = Sight { queues: self.sight.queues.clone(), restricted: true };
        select.between(at, Some(self.since), Some(self.until)).seen((queue, ""), self.queue.as_ref(), &sight);
    }
}

/// The service level's limit of a call, as SQL; the queues' names are bound.
fn limit_of(limits: &BTreeMap<QueueId, i64>, usual: i64, values: &mut Vec<String>) -> String {
    let mut cases = String::new();
    for (queue, limit) in limits.iter().filter(|(_, limit)| **limit != usual) {
        values.push(queue.0.clone());
        cases.push_str(&format!(" WHEN ${} THEN {limit}", values.len()));
    }
    if cases.is_empty() { usual.to_string() } else { format!("CASE c.first_queue{cases} ELSE {usual} END") }
}

fn of_key<T>(
    row: &AnyRow,
    table: &'static str,
    read: fn(&Cells<'_>) -> Result<T, StoreError>,
) -> Result<(String, T), StoreError> {
    let cells = Cells { table, row };
    Ok((cells.get("of_key")?, read(&cells)?))
}

fn read_calls(cells: &Cells<'_>) -> Result<CallFigures, StoreError> {
    let number = |column| Ok::<u64, StoreError>(cells.number(column)?.unwrap_or_default());
    Ok(CallFigures {
        offered: number("offered")?,
        answered: number("answered")?,
        abandoned: number("abandoned")?,
        recorded: number("recorded")?,
        waited: number("waited")?,
        talked: number("talked")?,
        in_time: number("in_time")?,
    })
}

fn read_consents(cells: &Cells<'_>) -> Result<ConsentFigures, StoreError> {
    let number = |column| Ok::<u64, StoreError>(cells.number(column)?.unwrap_or_default());
    Ok(ConsentFigures {
        given: number("given")?,
        refused: number("refused")?,
        wrong_keys: number("wrong_keys")?,
        silent: number("silent")?,
        hung_up: number("hung_up")?,
        withdrawn: number("withdrawn")?,
    })
}
