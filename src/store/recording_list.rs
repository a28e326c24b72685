//! Recordings as visitors see them: filtered, in pages, each by an index. Those of an agent and those that holds keep have
//! no index in the order of the list: they are found by the call, which lies close by in time, and merged.

use std::collections::BTreeMap;

use crate::ids::{AgentId, CallId, QueueId};
use crate::time::Timestamp;

use super::Store;
use super::error::StoreError;
use super::page::{Cursor, Order, Page, Place};
use super::query::{Cells, read_recording};
use super::rows::RecordingRow;
use super::select::{Select, Sight};

/// Longer calls are told apart by the index `calls_long`, which has few: in all others a recording is armed at most so long
/// after its call arrived, and armed no sooner than so long before its end. In microseconds; the migration has it too.
const LONG: i64 = 4 * 3_600 * 1_000_000;
/// An agent's calls that are looked through at a time: some days of them.
const LOT: u32 = 400;
/// Calls that are named in one statement.
const NAMED: usize = 1_000;
/// States in which there is something to keep; each is a range of the index by queue and state.
const KEPT: [&str; 5] = ["armed", "recording", "finished", "stored", "failed"];

const HEAD: &str = "SELECT r.*, c.first_queue FROM recordings r JOIN calls c ON c.id = r.call";
const DOING: &str = "reading recordings";

/// Which recordings a visitor asks for; times are those at which they were armed.
#[derive(Clone, Debug, Default)]
pub struct RecordingFilter {
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    /// Of calls of this first queue.
    pub queue: Option<QueueId>,
    /// Of this call.
    pub call: Option<CallId>,
    /// In this state.
    pub state: Option<String>,
    /// Of calls in which this agent spoke last.
    pub agent: Option<AgentId>,
    /// Only those that a legal hold keeps at this time.
    pub held: Option<Timestamp>,
    /// What may be seen.
    pub sight: Sight,
}

impl Store {
    /// Recordings as a visitor may see them.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recording_list(
        &self,
        filter: &RecordingFilter,
        place: &Place,
    ) -> Result<Page<RecordingRow>, StoreError> {
        let rows = match (filter.call, filter.held, &filter.agent) {
            (Some(call), held, _) => self.of_one_call(filter, call, held, place).await?,
            (None, Some(at), _) => self.held_ones(filter, at, place).await?,
            (None, None, Some(agent)) => self.of_agent(filter, agent, place).await?,
            (None, None, None) => self.found(filter.select(Select::new(HEAD), None), place).await?,
        };
        let at = |row: &RecordingRow| Cursor { at: row.armed_at.as_micros(), id: row.id.to_string() };
        Ok(Page::of(rows, place.limit, at))
    }

    async fn of_one_call(
        &self,
        filter: &RecordingFilter,
        call: CallId,
        held: Option<Timestamp>,
        place: &Place,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        let mut select = Select::new(HEAD);
        select.sort().and("r.call = {}", call.to_string());
        if let Some(at) = held {
            let now = select.bind(at);
            let held = format!("(r.id IN ({HELD}) OR EXISTS ({QUEUE_HELD}))").replace("{}", &now);
            select.only(&held).only(THERE);
        }
        self.found(filter.select(select, None), place).await
    }

    /// What holds keep, as [`Holds`](crate::retention::Holds) tells it: of calls that ended, and as long as there is something to keep.
    /// What single holds keep is little; what those on a queue keep is found span by span.
    async fn held_ones(
        &self,
        filter: &RecordingFilter,
        at: Timestamp,
        place: &Place,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        let mut merged = Merged::new(place);
        let mut select = Select::new(HEAD);
        let now = select.sort().bind(at);
        select.only(&format!("r.id IN ({HELD})").replace("{}", &now)).only(THERE);
        merged.add(self.found(filter.select(select, None), place).await?);
        let mut spans = self.held_spans(at).await?;
        spans.retain(|span| filter.sight.sees(&span.queue));
        spans.retain(|span| filter.queue.as_ref().is_none_or(|queue| *queue == span.queue));
        if spans.is_empty() {
            return Ok(merged.rows());
        }
        let long = self.long_calls().await?;
        let held = |call: &&LongCall| spans.iter().any(|span| span.has(call));
        let long: Vec<String> = long.iter().filter(held).map(|call| call.id.clone()).collect();
        merged.add(self.of_calls_named(filter, &long, place).await?);
        // Those first that come first in the list: behind a full page there is nothing to look for.
        match place.order {
            Order::Latest => spans.sort_by_key(|span| std::cmp::Reverse(span.until)),
            Order::Oldest => spans.sort_by_key(|span| span.since),
        }
        let states: Vec<String> = match &filter.state {
            Some(state) => KEPT.iter().filter(|kept| *kept == state).map(ToString::to_string).collect(),
            None => KEPT.map(str::to_owned).into(),
        };
        for span in spans {
            if merged.is_whole(span.nearest(place.order)) || states.is_empty() {
                break;
            }
            let mut select = Select::new(HEAD);
            select
                .and("r.armed_at >= {}", span.since.saturating_sub(LONG))
                .and("r.armed_at <= {}", span.until.saturating_add(LONG))
                .and("c.arrived_at <= {}", span.until)
                .and("c.ended_at >= {}", span.since)
                .only("r.destroyed_at IS NULL");
            let mut select = filter.select(select, Some(&span.queue));
            select.each("r.state", states.clone());
            merged.add(self.found(select, place).await?);
        }
        Ok(merged.rows())
    }

    /// An agent's calls are looked through in the order of the list until no further one can have a recording that belongs
    /// on the page.
    async fn of_agent(
        &self,
        filter: &RecordingFilter,
        agent: &AgentId,
        place: &Place,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        let mut merged = Merged::new(place);
        let mut odd: Vec<String> = self.long_calls().await?.into_iter().map(|call| call.id).collect();
        let open = "SELECT id FROM calls WHERE ended_at IS NULL";
        for row in &Select::whole(open).rows(&self.read, DOING).await? {
            odd.push(Cells { table: "calls", row }.get("id")?);
        }
        merged.add(self.of_calls_named(filter, &odd, place).await?);
        let (since, until) = filter.arrived(place);
        let mut behind: Option<Cursor> = None;
        loop {
            let mut select = Select::new("SELECT c.id, c.arrived_at FROM calls c");
            select
                .and("c.agent = {}", agent.0.as_str())
                .when("c.arrived_at >= {}", since)
                .when("c.arrived_at <= {}", until);
            let lot = Place { after: behind.take(), limit: LOT - 1, order: place.order };
            let select = select.page([("c.arrived_at", "arrived_at"), ("c.id", "id")], &lot, false);
            let rows = select.rows(&self.read, "reading an agent's calls").await?;
            let mut calls = Vec::with_capacity(rows.len());
            for row in &rows {
                let cells = Cells { table: "calls", row };
                calls.push((cells.get::<i64>("arrived_at")?, cells.get::<String>("id")?));
            }
            let ids: Vec<String> = calls.iter().map(|(_, id)| id.clone()).collect();
            merged.add(self.of_calls_named(filter, &ids, place).await?);
            let Some((at, id)) = calls.pop().filter(|_| rows.len() == LOT as usize) else {
                return Ok(merged.rows());
            };
            // What arrives next may be armed up to so much later.
            let nearest = match place.order {
                Order::Latest => at.saturating_add(LONG),
                Order::Oldest => at,
            };
            if merged.is_whole(nearest) {
                return Ok(merged.rows());
            }
            behind = Some(Cursor { at, id });
        }
    }

    async fn of_calls_named(
        &self,
        filter: &RecordingFilter,
        calls: &[String],
        place: &Place,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        let mut found = Vec::new();
        for lot in calls.chunks(NAMED) {
            let mut select = Select::new(HEAD);
            select.sort().one_of("r.call", lot.to_vec());
            if filter.held.is_some() {
                select.only(THERE);
            }
            found.extend(self.found(filter.select(select, None), place).await?);
        }
        Ok(found)
    }

    async fn found(&self, select: Select, place: &Place) -> Result<Vec<RecordingRow>, StoreError> {
        let by = [("r.armed_at", "armed_at"), ("r.id", "id")];
        let rows = select.page(by, place, false).rows(&self.read, DOING).await?;
        rows.iter().map(read_recording).collect()
    }

    /// Calls that ended and took longer than [`LONG`].
    async fn long_calls(&self) -> Result<Vec<LongCall>, StoreError> {
        let select = format!(
            "SELECT id, first_queue, arrived_at, ended_at FROM calls WHERE ended_at - arrived_at > {LONG}"
        );
        let rows = Select::whole(&select).rows(&self.read, "looking for long calls").await?;
        let read = |row| {
            let cells = Cells { table: "calls", row };
            Ok(LongCall {
                id: cells.get("id")?,
                queue: QueueId(cells.get("first_queue")?),
                arrived_at: cells.get("arrived_at")?,
                ended_at: cells.get("ended_at")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// The spans of queues that are held, apart from each other.
    async fn held_spans(&self, at: Timestamp) -> Result<Vec<Span>, StoreError> {
        let holds = self.queue_holds(at).await?;
        let spans = holds.queues().into_iter().flat_map(|queue| {
            let of = holds.spans(&queue).into_iter();
            of.map(move |(since, until)| Span {
                queue: queue.clone(),
                since: since.as_micros(),
                until: until.as_micros(),
            })
        });
        Ok(spans.collect())
    }
}

impl RecordingFilter {
    /// With what is asked for; `queue` in place of the filter's own.
    fn select(&self, mut select: Select, queue: Option<&QueueId>) -> Select {
        if self.state.is_some() {
            select.plain();
        }
        select
            .between("r.armed_at", self.since, self.until)
            .when("r.state = {}", self.state.as_deref())
            // Not by the index of agents: each way to find recordings has its own.
            .when("COALESCE(c.agent, '') = {}", self.agent.as_ref().map(|agent| agent.0.as_str()))
            .seen(("r.queue", "c.restricted_at"), queue.or(self.queue.as_ref()), &self.sight);
        select
    }

    /// Between which moments calls arrived that may have a recording of this page, [`LONG`] ones aside.
    fn arrived(&self, place: &Place) -> (Option<i64>, Option<i64>) {
        let after = place.after.as_ref().map(|after| after.at);
        let (since, until) = (self.since.map(Timestamp::as_micros), self.until.map(Timestamp::as_micros));
        let (since, until) = match place.order {
            Order::Latest => (since, after.into_iter().chain(until).min()),
            Order::Oldest => (after.into_iter().chain(since).max(), until),
        };
        (since.map(|since| since.saturating_sub(LONG)), until)
    }
}

/// A call that took longer than [`LONG`].
struct LongCall {
    id: String,
    queue: QueueId,
    arrived_at: i64,
    ended_at: i64,
}

/// A span in which all calls of a queue are held, in microseconds.
struct Span {
    queue: QueueId,
    since: i64,
    until: i64,
}

impl Span {
    fn has(&self, call: &LongCall) -> bool {
        call.queue == self.queue && call.arrived_at <= self.until && call.ended_at >= self.since
    }

    /// No recording of it that is not of a [`LONG`] call is nearer to the list's begin than one armed then.
    fn nearest(&self, order: Order) -> i64 {
        match order {
            Order::Latest => self.until.saturating_add(LONG),
            Order::Oldest => self.since.saturating_sub(LONG),
        }
    }
}

/// Rows of a page that are found in more than one way: each once, in the order of the list.
struct Merged {
    rows: BTreeMap<(i64, String), RecordingRow>,
    order: Order,
    /// A page, and the row behind it that tells that there is more.
    most: usize,
}

impl Merged {
    fn new(place: &Place) -> Self {
        let most = usize::try_from(place.limit).unwrap_or(usize::MAX).saturating_add(1);
        Self { rows: BTreeMap::new(), order: place.order, most }
    }

    fn add(&mut self, rows: Vec<RecordingRow>) {
        self.rows.extend(rows.into_iter().map(|row| ((row.armed_at.as_micros(), row.id.to_string()), row)));
        while self.rows.len() > self.most {
            match self.order {
                Order::Latest => self.rows.pop_first(),
                Order::Oldest => self.rows.pop_last(),
            };
        }
    }

    /// Whether what is armed at `nearest` or further from the list's begin changes nothing.
    fn is_whole(&self, nearest: i64) -> bool {
        let last = match self.order {
            Order::Latest => self.rows.first_key_value(),
            Order::Oldest => self.rows.last_key_value(),
        };
        let is_behind = |((at, _), _): (&(i64, String), _)| match self.order {
            Order::Latest => nearest < *at,
            Order::Oldest => nearest > *at,
        };
        self.rows.len() == self.most && last.is_some_and(is_behind)
    }

    fn rows(self) -> Vec<RecordingRow> {
        match self.order {
            Order::Latest => self.rows.into_values().rev().collect(),
            Order::Oldest => self.rows.into_values().collect(),
        }
    }
}

/// What holds can keep: calls that ended, and what is there.
const THERE: &str = "c.ended_at IS NOT NULL AND r.destroyed_at IS NULL AND r.state <> 'discarded'";

/// The recordings that holds of one recording, one call or one number keep: few, however many holds there are. `{}`: now.
const HELD: &str = "SELECT h.object FROM holds h WHERE h.kind = 'recording' AND h.released_at IS NULL \
     AND (h.ends_at IS NULL OR h.ends_at > {}) UNION ALL \
     SELECT x.id FROM holds h JOIN recordings x ON x.call = h.object WHERE h.kind = 'call' \
     AND h.released_at IS NULL AND (h.ends_at IS NULL OR h.ends_at > {}) UNION ALL \
     SELECT x.id FROM holds h JOIN calls k ON k.from_number = h.number JOIN recordings x ON x.call = k.id \
     WHERE h.kind = 'number' AND h.released_at IS NULL AND (h.ends_at IS NULL OR h.ends_at > {})";

/// Whether a hold on its queue keeps a call.
const QUEUE_HELD: &str = "SELECT 1 FROM holds h WHERE h.kind = 'queue' AND h.released_at IS NULL \
     AND (h.ends_at IS NULL OR h.ends_at > {}) AND h.object = c.first_queue AND c.arrived_at <= h.span_until \
     AND c.ended_at >= h.span_since";
