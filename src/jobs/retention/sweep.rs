//! One sweep: lists of what may be due, by queue, the oldest first; what is due and not held, in batches; and how far it
//! is.

use std::time::Duration;

use metrics::counter;
use tokio::time::sleep;

use crate::audit::Actor;
use crate::ids::QueueId;
use crate::jobs::Fault;
use crate::retention::{Action, Because, Holds, Kept, Rules, Step, cutoff, plan};
use crate::store::{
    AnonymiseChange, Behind, Change, JobKind, Progress, RecordingChange, Store, StoreError, Swept,
};
use crate::time::{Clock, Timestamp};

use super::Done;

/// Actions in one group of commits.
const BATCH: usize = 50;
/// A second's actions at most: a hundred statements' worth of the writer's time, a few percent of a core.
const A_SECOND: u32 = 100;
/// After a batch it rests so many times as long as the batch took: the database is the calls'.
const EASE: u32 = 4;
/// How often it is written how far it is.
const TELL: Duration = Duration::from_secs(5);

/// How much at once.
#[derive(Clone, Copy, Debug)]
pub(in crate::jobs) struct Pace {
    /// Rows that are read at a time.
    pub(in crate::jobs) page: u32,
    /// While so many destroyed recordings wait for the removal of their copies, no more are destroyed.
    pub(in crate::jobs) waiting: u64,
    /// How long it is waited for those.
    pub(in crate::jobs) room: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { page: 500, waiting: 10_000, room: Duration::from_secs(5) }
    }
}

/// A list of rows that may be due.
#[derive(Clone, Debug)]
enum List {
    Recordings(QueueId, Timestamp),
    Calls(QueueId, Timestamp),
    Anonymous(Timestamp),
}

impl List {
    async fn page(&self, store: &Store, after: Option<&Behind>, limit: u32) -> Result<Vec<Kept>, StoreError> {
        match self {
            Self::Recordings(queue, until) => store.kept_recordings(queue, *until, after, limit).await,
            Self::Calls(queue, until) => store.kept_calls(queue, *until, after, limit).await,
            Self::Anonymous(until) => store.anonymous_calls(*until, after, limit).await,
        }
    }

    /// Where the list goes on behind this row: all that a hold on the queue keeps is passed over, millions of rows maybe.
    fn behind(&self, row: &Kept, holds: &Holds) -> Behind {
        let row = Behind::of(row);
        let spans = match self {
            Self::Recordings(queue, _) | Self::Calls(queue, _) => holds.spans(queue),
            Self::Anonymous(_) => Vec::new(),
        };
        let span = spans.iter().find(|(since, until)| *since <= row.ended_at() && row.ended_at() < *until);
        span.map_or(row, |(_, until)| Behind::end_of(*until))
    }
}

/// How a pass over all lists ended.
enum Pass {
    Whole,
    /// The rules changed: all of it anew.
    Changed,
}

/// What a pass goes by.
struct By {
    /// Of the settings that have these rules.
    generation: u64,
    rules: Rules,
    holds: Holds,
    now: Timestamp,
}

/// See the module.
pub(in crate::jobs) struct Sweeper<'a> {
    store: &'a Store,
    clock: Clock,
    pace: Pace,
    tell: &'a (dyn Fn(Progress) + Send + Sync),
    step: &'a (dyn Fn(&'static str) -> Result<(), Fault> + Send + Sync),
    done: Done,
    swept: Swept,
    told: Timestamp,
    /// The oldest due thing of each list.
    oldest: Vec<Option<Timestamp>>,
    /// What the database will never take: how many, and the first of it.
    stuck: Option<(u64, Timestamp, String)>,
}

impl<'a> Sweeper<'a> {
    /// `step` hears where it is and may stop it there.
    pub(in crate::jobs) fn new(
        store: &'a Store,
        clock: Clock,
        pace: Pace,
        tell: &'a (dyn Fn(Progress) + Send + Sync),
        step: &'a (dyn Fn(&'static str) -> Result<(), Fault> + Send + Sync),
    ) -> Self {
        let (done, swept) = (Done::default(), Swept::default());
        Self {
            store,
            clock,
            pace,
            tell,
            step,
            done,
            swept,
            told: clock.now(),
            oldest: Vec::new(),
            stuck: None,
        }
    }

    /// Does what is due.
    pub(in crate::jobs) async fn sweep(&mut self) -> Result<Done, Fault> {
        self.swept = self.store.retention_state().await?;
        loop {
            let (generation, settings) = self.store.settings().await?;
            let now = self.clock.now();
            let holds = Holds::new(self.store.open_holds().await?, now);
            let mut by = By { generation, rules: Rules::of(&settings), holds, now };
            match self.pass(&mut by).await? {
                Pass::Whole => break,
                Pass::Changed => {}
            }
        }
        match self.stuck.take() {
            None => Ok(self.done),
            Some((many, _, first)) => {
                Err(Fault::Other(format!("{many} of what is due cannot be done; the first: {first}")))
            }
        }
    }

    async fn pass(&mut self, by: &mut By) -> Result<Pass, Fault> {
        let lists = self.begin(by).await?;
        for (n, list) in lists.iter().enumerate() {
            if self.oldest[n].is_none() {
                continue;
            }
            if let Pass::Changed = self.walk(by, n, list).await? {
                return Ok(Pass::Changed);
            }
            self.oldest[n] = None;
        }
        self.swept.due = self.stuck.as_ref().map_or(0, |(many, ..)| *many);
        self.swept.oldest_due = self.stuck.as_ref().map(|(_, since, _)| *since);
        if self.stuck.is_none() {
            self.swept.ended_at = Some(self.clock.now());
        }
        self.note().await?;
        Ok(Pass::Whole)
    }

    /// Looks how much there is to do, and writes it down.
    async fn begin(&mut self, by: &By) -> Result<Vec<List>, Fault> {
        (self.step)("begin")?;
        let By { rules, holds, now, .. } = by;
        let (mut lists, mut due, mut held) = (Vec::new(), 0, 0);
        for queue in self.store.kept_queues(rules).await? {
            let of = rules.of_queue(&queue);
            let impact = self.store.impact_of(&queue, &of, holds, *now).await?;
            due += impact.recordings.rows + impact.calls;
            held += impact.held;
            let recordings = cutoff(of.of_recordings().1.keep, *now);
            lists.extend(recordings.map(|until| List::Recordings(queue.clone(), until)));
            lists.extend(cutoff(of.calls.keep, *now).map(|until| List::Calls(queue, until)));
        }
        if let Some(until) = cutoff(rules.reporting(), *now) {
            due += self.store.count_anonymous(until).await?;
            lists.push(List::Anonymous(until));
        }
        self.oldest.clear();
        for list in &lists {
            let first = self.first_due(by, list).await?;
            self.oldest.push(first);
        }
        self.swept = Swept {
            generation: by.generation,
            began_at: Some(*now),
            ended_at: self.swept.ended_at,
            oldest_due: self.oldest.iter().flatten().min().copied(),
            due,
            held,
            seen_at: None,
        };
        (self.tell)(Progress { done: self.done.all(), total: self.done.all() + due });
        self.note().await?;
        Ok(lists)
    }

    /// Since when the first thing of a list is due that is not held.
    async fn first_due(&self, by: &By, list: &List) -> Result<Option<Timestamp>, Fault> {
        let mut after = None;
        loop {
            let rows = self.next(by, list, &mut after).await?;
            if rows.is_empty() {
                return Ok(None);
            }
            if let Some(action) = plan(&by.rules, &by.holds, by.now, rows).next() {
                return Ok(Some(action.because.due.at));
            }
        }
    }

    /// The next rows of a list; none: it is at its end.
    async fn next(&self, by: &By, list: &List, after: &mut Option<Behind>) -> Result<Vec<Kept>, Fault> {
        (self.step)("page")?;
        let rows = list.page(self.store, after.as_ref(), self.pace.page).await?;
        if let Some(last) = rows.last() {
            *after = Some(list.behind(last, &by.holds));
        }
        Ok(rows)
    }

    async fn walk(&mut self, by: &mut By, n: usize, list: &List) -> Result<Pass, Fault> {
        let mut after = None;
        loop {
            let rows = self.next(by, list, &mut after).await?;
            if rows.is_empty() {
                return Ok(Pass::Whole);
            }
            let actions: Vec<Action> = plan(&by.rules, &by.holds, by.now, rows).collect();
            let mut rest = actions.as_slice();
            while !rest.is_empty() {
                let (batch, more) = rest.split_at(batch_of(rest));
                if !self.has_room(by, batch).await? || !self.has_same_rules(by).await? {
                    return Ok(Pass::Changed);
                }
                self.oldest[n] = batch.first().map(|action| action.because.due.at);
                let began = self.clock.now();
                if !self.carry_out(by, batch).await? {
                    return Ok(Pass::Changed);
                }
                (self.step)("batch")?;
                self.ease(batch.len(), self.clock.now().since(began)).await;
                self.note_now_and_then(batch.len()).await?;
                rest = more;
            }
        }
    }

    /// Whether the rules are still those of the pass, whatever else of the settings has changed.
    async fn has_same_rules(&mut self, by: &mut By) -> Result<bool, Fault> {
        if self.store.generation().await? == by.generation {
            return Ok(true);
        }
        let (generation, settings) = self.store.settings().await?;
        if Rules::of(&settings) != by.rules {
            return Ok(false);
        }
        (by.generation, self.swept.generation) = (generation, generation);
        Ok(true)
    }

    /// Waits until the copies of what was destroyed are removed fast enough; false: the rules changed meanwhile.
    async fn has_room(&mut self, by: &mut By, batch: &[Action]) -> Result<bool, Fault> {
        if !batch.iter().any(|action| matches!(action.step, Step::Destroy(_))) {
            return Ok(true);
        }
        loop {
            let figures = self.store.job_figures(self.clock.now()).await?;
            let waiting = figures.iter().find(|of| of.kind == JobKind::Destroy).map_or(0, |of| of.waiting);
            if waiting < self.pace.waiting {
                return Ok(true);
            }
            (self.step)("no room")?;
            sleep(self.pace.room).await;
            self.note_now_and_then(0).await?;
            if !self.has_same_rules(by).await? {
                return Ok(false);
            }
        }
    }

    /// Each call is a unit of work; all of a batch are on their way at once and share their syncs. What was refused
    /// because settings changed is done again if the rules did not; false: they did.
    async fn carry_out(&mut self, by: &mut By, batch: &[Action]) -> Result<bool, Fault> {
        let mut left: Vec<&[Action]> = batch.chunk_by(is_same_unit).collect();
        loop {
            (self.step)("commit")?;
            let (mut units, at) = (Vec::new(), self.clock.now());
            for actions in left {
                let as_of = Change::Anonymise(AnonymiseChange::AsOf(by.generation));
                let changes = std::iter::once(as_of).chain(actions.iter().map(|action| change(action, at)));
                units.push((actions, self.store.submit(changes.collect()).await));
            }
            left = Vec::new();
            for (actions, unit) in units {
                match unit.wait().await {
                    Ok(()) => self.count(actions),
                    Err(StoreError::State { what: "settings", .. }) => left.push(actions),
                    Err(error) => self.left_out(actions, error)?,
                }
            }
            if left.is_empty() {
                return Ok(true);
            }
            (self.step)("changed")?;
            if !self.has_same_rules(by).await? {
                return Ok(false);
            }
        }
    }

    fn left_out(&mut self, actions: &[Action], error: StoreError) -> Result<(), Fault> {
        // Done by another, or held since.
        if matches!(error, StoreError::State { .. } | StoreError::Missing { .. }) {
            tracing::debug!(%error, "left out by retention");
            self.done.skipped += 1;
        } else if error.is_final() {
            let since = actions[0].because.due.at;
            tracing::error!(%error, call = %actions[0].call, "retention cannot do what is due");
            let (many, oldest, first) = self.stuck.take().unwrap_or((0, since, error.to_string()));
            self.stuck = Some((many + 1, oldest.min(since), first));
        } else {
            return Err(error.into());
        }
        Ok(())
    }

    fn count(&mut self, actions: &[Action]) {
        for action in actions {
            let (what, counted) = match action.step {
                Step::Destroy(_) => ("recording", &mut self.done.destroyed),
                Step::Anonymise => ("call", &mut self.done.anonymised),
                Step::Strip => ("row", &mut self.done.removed),
            };
            *counted += 1;
            counter!("sayso_retention_done_total", "what" => what).increment(1);
        }
    }

    /// Rests, so that calls come first.
    async fn ease(&self, actions: usize, took: Duration) {
        let actions = u32::try_from(actions).unwrap_or(u32::MAX);
        let pace = Duration::from_secs(1) * actions / A_SECOND;
        sleep(pace.saturating_sub(took).max(took * EASE)).await;
    }

    async fn note_now_and_then(&mut self, actions: usize) -> Result<(), Fault> {
        self.swept.due = self.swept.due.saturating_sub(u64::try_from(actions).unwrap_or(0));
        let done = self.done.all();
        (self.tell)(Progress { done, total: done + self.swept.due });
        if self.clock.now().since(self.told) < TELL {
            return Ok(());
        }
        self.swept.oldest_due = self.oldest.iter().flatten().min().copied();
        self.note().await
    }

    async fn note(&mut self) -> Result<(), Fault> {
        self.told = self.clock.now();
        self.swept.seen_at = Some(self.told);
        let change = AnonymiseChange::Swept(self.swept);
        Ok(self.store.commit(vec![Change::Anonymise(change)]).await?)
    }
}

/// How many of the first actions make a batch: whole calls.
fn batch_of(actions: &[Action]) -> usize {
    let mut size = 0;
    for unit in actions.chunk_by(is_same_unit) {
        if size > 0 && size + unit.len() > BATCH {
            break;
        }
        size += unit.len();
    }
    size
}

/// A call's recordings go in one unit with what becomes of the call.
fn is_same_unit(a: &Action, b: &Action) -> bool {
    a.call == b.call
}

fn change(action: &Action, at: Timestamp) -> Change {
    let Action { call, step, because } = action;
    let (rule, by, call) = (because.rule(), Actor::System, *call);
    match step {
        Step::Destroy(id) => {
            let why = Because::sentence(because);
            Change::Recording(RecordingChange::Destroyed { id: *id, at, rule, why, by })
        }
        Step::Anonymise => Change::Anonymise(AnonymiseChange::Call { call, at, rule, by }),
        Step::Strip => Change::Anonymise(AnonymiseChange::Strip { call, at, rule, by }),
    }
}
