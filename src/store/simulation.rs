//! What would go if other rules were in force: counts, examples, and the days to come. Sums by queue over the index of
//! first queue and end of call, so that ten million calls take seconds and nothing is held in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::{CallId, QueueId, RecordingId};
use crate::retention::{Because, Holds, Kept, QueueRules, Rules, cutoff};
use crate::settings::Keep;
use crate::time::Timestamp;

use super::Store;
use super::error::StoreError;
use super::retention::{Amount, KeptKind};
use super::select::Sight;

/// How many days are foretold.
pub const DAYS: usize = 90;
/// How many examples are given.
const EXAMPLES: usize = 10;
/// Rows that are looked at for them at a time, and how often at most in a queue: where most of it is held.
const LOOKED_AT: u32 = 100;
const LOOKS: usize = 10;

/// What goes at once by some rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// Recordings that are destroyed.
    pub recordings: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Calls that are anonymised.
    pub calls: u64,
    /// Anonymous calls whose reporting data goes.
    pub rows: u64,
    /// Recordings and calls that would go, and are held.
    pub held: u64,
    /// Recordings and calls by queue; queues of which nothing goes are left out.
    pub by_queue: Vec<(QueueId, u64, u64)>,
}

/// A recording that goes sooner by the proposed rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Which one.
    pub recording: RecordingId,
    /// Of which call.
    pub call: CallId,
    /// Why, and when it goes.
    pub because: Because,
}

/// What goes on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimelineDay {
    /// `2026-11-22`, in UTC. The first one has what is over its time already.
    pub day: String,
    /// Recordings.
    pub recordings: u64,
    /// Calls that are anonymised.
    pub calls: u64,
}

/// What would go if other rules were in force, beside what goes anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// By the rules as they are.
    pub now: Impact,
    /// By those that are proposed.
    pub proposed: Impact,
    /// Recordings that go sooner by these, the oldest of each queue.
    pub sooner: Vec<Example>,
    /// The days to come by the proposed rules.
    pub timeline: Vec<TimelineDay>,
}

impl Store {
    /// All queues that have something that rules can remove, or are named by them.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn kept_queues(&self, rules: &Rules) -> Result<BTreeSet<QueueId>, StoreError> {
        let mut queues: BTreeSet<QueueId> = rules.queues().cloned().collect();
        let mut last = None;
        while let Some(queue) = self.next_kept_queue(last.as_ref()).await? {
            queues.insert(queue.clone());
            last = Some(queue);
        }
        Ok(queues)
    }

    /// Simulates rules. Of `sight` the queues count, and who does not see what is restricted is shown none of it as an
    /// example; `tell` hears how many of how many steps are done.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn simulate(
        &self,
        (rules, proposed): (&Rules, &Rules),
        now: Timestamp,
        sight: &Sight,
        tell: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Simulation, StoreError> {
        let queues = self.kept_queues(proposed).await?.into_iter();
        let queues: Vec<QueueId> = queues.filter(|queue| sight.sees(queue)).collect();
        let holds = Holds::new(self.open_holds().await?, now);
        let steps = u64::try_from(queues.len()).unwrap_or(0) * 3;
        let mut done = 0;
        let mut step = || {
            done += 1;
            tell(done, steps);
        };
        let mut simulation = Simulation {
            now: Impact::default(),
            proposed: Impact::default(),
            sooner: Vec::new(),
            timeline: Vec::new(),
        };
        let mut days = BTreeMap::new();
        for queue in &queues {
            let (is, would) = (rules.of_queue(queue), proposed.of_queue(queue));
            let anyway = self.impact_of(queue, &is, &holds, now).await?;
            step();
            let proposed_too =
                if is == would { anyway } else { self.impact_of(queue, &would, &holds, now).await? };
            simulation.now.add(queue, anyway);
            simulation.proposed.add(queue, proposed_too);
            step();
            self.days_of(queue, &would, &holds, now, &mut days).await?;
            if simulation.sooner.len() < EXAMPLES {
                let all = sight.restricted;
                self.examples(queue, (&is, &would), (&holds, now), all, &mut simulation.sooner).await?;
            }
            step();
        }
        for (impact, rules) in [(&mut simulation.now, rules), (&mut simulation.proposed, proposed)] {
            if let Some(until) = cutoff(rules.reporting(), now) {
                impact.rows = self.count_anonymous(until).await?;
            }
        }
        simulation.timeline = timeline(&days, now);
        Ok(simulation)
    }

    /// The days to come by rules: the first has what is over its time already. The queues of `sight` count.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn timeline(
        &self,
        rules: &Rules,
        now: Timestamp,
        sight: &Sight,
    ) -> Result<Vec<TimelineDay>, StoreError> {
        let holds = Holds::new(self.open_holds().await?, now);
        let mut days = BTreeMap::new();
        for queue in self.kept_queues(rules).await?.iter().filter(|queue| sight.sees(queue)) {
            self.days_of(queue, &rules.of_queue(queue), &holds, now, &mut days).await?;
        }
        Ok(timeline(&days, now))
    }

    /// What of a queue is due now: recordings, calls, and what of both is held.
    pub(crate) async fn impact_of(
        &self,
        queue: &QueueId,
        rules: &QueueRules,
        holds: &Holds,
        now: Timestamp,
    ) -> Result<QueueImpact, StoreError> {
        let mut impact = QueueImpact::default();
        for (counted, keep) in keeps(rules) {
            let Some(until) = cutoff(keep, now) else { continue };
            // What a hold on the queue keeps whole is a range that is counted, and not a list of calls to look through.
            let (free, held) = holds.parts(queue, until);
            let mut amount = Amount::default();
            for part in free {
                let all = self.count_kept(counted, queue, part, None).await?;
                amount.rows += all.rows;
                amount.bytes += all.bytes;
                if !holds.is_empty() && all.rows > 0 {
                    let held = self.count_kept(counted, queue, part, Some(now)).await?;
                    amount.rows = amount.rows.saturating_sub(held.rows);
                    amount.bytes = amount.bytes.saturating_sub(held.bytes);
                    impact.held += held.rows;
                }
            }
            for part in held {
                impact.held += self.count_kept(counted, queue, part, None).await?.rows;
            }
            match counted {
                KeptKind::Recordings => impact.recordings = amount,
                KeptKind::Calls => impact.calls = amount.rows,
            }
        }
        Ok(impact)
    }

    /// What of the queues in `sight` is due now by these rules, and how much of it is held.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn due_of(
        &self,
        rules: &Rules,
        now: Timestamp,
        sight: &Sight,
    ) -> Result<(u64, u64), StoreError> {
        let holds = Holds::new(self.open_holds().await?, now);
        let (mut due, mut held) = (0, 0);
        for queue in self.kept_queues(rules).await?.iter().filter(|queue| sight.sees(queue)) {
            let of = self.impact_of(queue, &rules.of_queue(queue), &holds, now).await?;
            due += of.recordings.rows + of.calls;
            held += of.held;
        }
        Ok((due, held))
    }

    async fn days_of(
        &self,
        queue: &QueueId,
        rules: &QueueRules,
        holds: &Holds,
        now: Timestamp,
        days: &mut BTreeMap<i64, (u64, u64)>,
    ) -> Result<(), StoreError> {
        let last = now + Duration::from_secs(86_400 * (DAYS as u64 - 1));
        // To the end of that day.
        let last = Timestamp::from_micros((last.as_micros() / DAY + 1) * DAY - 1);
        for (counted, keep) in keeps(rules) {
            let (Keep::For(span), Some(until)) = (keep, cutoff(keep, last)) else { continue };
            let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
            let all = self.count_kept_by_day(counted, queue, (None, until), span, None).await?;
            let held = if holds.is_empty() || all.is_empty() {
                Vec::new()
            } else {
                self.count_kept_by_day(counted, queue, (None, until), span, Some(now)).await?
            };
            let held: BTreeMap<i64, u64> = held.into_iter().collect();
            for (day, many) in all {
                let free = many.saturating_sub(held.get(&day).copied().unwrap_or(0));
                let sum = days.entry(day.max(now.as_micros() / DAY)).or_default();
                match counted {
                    KeptKind::Recordings => sum.0 += free,
                    KeptKind::Calls => sum.1 += free,
                }
            }
        }
        Ok(())
    }

    /// The oldest recordings of a queue that are not due anyway and go sooner by the proposed rules.
    async fn examples(
        &self,
        queue: &QueueId,
        (is, would): (&QueueRules, &QueueRules),
        (holds, now): (&Holds, Timestamp),
        restricted: bool,
        found: &mut Vec<Example>,
    ) -> Result<(), StoreError> {
        if would.of_recordings().1.keep >= is.of_recordings().1.keep {
            return Ok(());
        }
        let mut after = cutoff(is.of_recordings().1.keep, now).map(super::retention::Behind::end_of);
        let forever = Timestamp::from_micros(i64::MAX);
        for _ in 0..LOOKS {
            let rows = self.kept_recordings(queue, forever, after.as_ref(), LOOKED_AT).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(super::retention::Behind::of(last));
            let calls: Vec<CallId> = rows.iter().map(Kept::call).collect();
            let hidden = if restricted { BTreeSet::new() } else { self.restricted_of(&calls).await? };
            for row in rows {
                let Kept::Recording { id, call } = row else { continue };
                let free = holds.of_recording(id, &call).next().is_none() && !hidden.contains(&call.id);
                let Some(due) = would.removes_at(call.ended_at).filter(|_| free) else { continue };
                let because = Because { queue: queue.clone(), ended_at: call.ended_at, due };
                found.push(Example { recording: id, call: call.id, because });
                if found.len() == EXAMPLES {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// What of one queue is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueImpact {
    pub(crate) recordings: Amount,
    pub(crate) calls: u64,
    pub(crate) held: u64,
}

impl Impact {
    fn add(&mut self, queue: &QueueId, of: QueueImpact) {
        let QueueImpact { recordings: Amount { rows, bytes }, calls, held } = of;
        self.recordings += rows;
        self.bytes += bytes;
        self.calls += calls;
        self.held += held;
        if rows > 0 || calls > 0 {
            self.by_queue.push((queue.clone(), rows, calls));
        }
    }
}

const DAY: i64 = 86_400_000_000;

/// What rules count, and for how long it is kept.
fn keeps(rules: &QueueRules) -> [(KeptKind, Keep); 2] {
    [(KeptKind::Recordings, rules.of_recordings().1.keep), (KeptKind::Calls, rules.calls.keep)]
}

/// All days, those with nothing too.
fn timeline(days: &BTreeMap<i64, (u64, u64)>, now: Timestamp) -> Vec<TimelineDay> {
    let first = now.as_micros() / DAY;
    let day = |day: i64| {
        let text = Timestamp::from_micros(day * DAY).to_rfc3339();
        let (recordings, calls) = days.get(&day).copied().unwrap_or_default();
        TimelineDay { day: text.get(..10).unwrap_or(&text).to_owned(), recordings, calls }
    };
    (first..).take(DAYS).map(day).collect()
}
