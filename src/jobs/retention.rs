//! Retention: what is due by the rules goes. Recordings by their keys first (the job `destroy` does the rest), then calls
//! lose what is personal, then anonymous rows go that are past their own time.
//!
//! A sweep is a job (`retention`), so one runner of the cluster holds it, and after a crash the next one begins it anew:
//! what is done is not found again. It goes in batches with pauses, so that calls come first, reads the rules anew when
//! they change, and whatever came due while nobody ran is found by its time. Holds are looked at once more in the
//! transaction that destroys.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use crate::audit::Actor;
use crate::ids::QueueId;
use crate::retention::{Action, Because, Holds, Kept, Rules, Step, cutoff, plan};
use crate::store::{
    AnonymiseChange, Behind, Change, JobChange, JobFilter, JobKind, Progress, RecordingChange, Store,
    StoreError, Swept,
};
use crate::time::{Clock, Timestamp};

use super::{AlarmKind, Context, Fault, Held, Outcome};

/// What the job is about: there is one.
const SUBJECT: &str = "sweep";
/// A sweep begins so often; rules count days, so a minute is soon.
const EVERY: Duration = Duration::from_secs(60);
/// Where a sweep takes long, it rests ten times as long, but never longer than this.
const REST: Duration = Duration::from_secs(600);
/// How often it is looked whether the rules changed: so late a changed rule begins to be applied.
const LOOK: Duration = Duration::from_secs(2);
/// Rows that are read at a time.
const PAGE: u32 = 500;
/// Actions in one group of commits.
const BATCH: usize = 50;
/// A second's actions at most: a hundred statements' worth of the writer's time, a few percent of a core.
const A_SECOND: u32 = 100;
/// After a batch it rests so many times as long as the batch took: the database is the calls'.
const EASE: u32 = 4;
/// While so many destroyed recordings wait for the removal of their copies, no more are destroyed.
const WAITING: u64 = 10_000;
/// How long it is waited for those.
const ROOM: Duration = Duration::from_secs(5);
/// How often it is written how far it is.
const TELL: Duration = Duration::from_secs(5);
/// Something that is due for longer raises the alarm.
const LATE: Duration = Duration::from_secs(24 * 3_600);
/// How long a lease of [`sweep_here`] lasts, and how often it is renewed.
const LEASE: Duration = Duration::from_secs(60);
const RENEW: Duration = Duration::from_secs(20);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Recordings whose keys it destroyed.
    pub destroyed: u64,
    /// Calls it anonymised.
    pub anonymised: u64,
    /// Anonymous calls whose reporting data it removed.
    pub removed: u64,
    /// What was done by others meanwhile, or is held since.
    pub skipped: u64,
}

impl Done {
    fn all(self) -> u64 {
        self.destroyed + self.anonymised + self.removed + self.skipped
    }
}

/// The job.
pub(super) async fn run(ctx: &Context, job: &Held) -> Result<Outcome, Fault> {
    let tell = |progress: Progress| job.progress(progress.done, progress.total);
    let step = |name| ctx.step(name);
    let done = Sweeper::new(&ctx.store, ctx.clock, &tell, &step).sweep().await?;
    if done.all() > 0 {
        let Done { destroyed, anonymised, removed, skipped } = done;
        tracing::info!(destroyed, anonymised, removed, skipped, "retention has swept");
    }
    Ok(Outcome::Done(None))
}

/// Has a sweep done as soon as a runner is free.
///
/// # Errors
/// When the database refuses.
pub async fn ask(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let (kind, subject) = (JobKind::Retention, SUBJECT.to_owned());
    store
        .commit(vec![Change::Job(JobChange::Enqueue { kind, subject, spool: None, due: now, at: now })])
        .await
}

/// Does the sweep that was asked for in this process; `None`: there is none, or another runner has it. The copies of
/// what it destroys are removed by the servers.
///
/// # Errors
/// When the database refuses, or something could not be done.
pub async fn sweep_here(
    store: &Store,
    clock: Clock,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> anyhow::Result<Option<Done>> {
    let filter = JobFilter { kind: Some(JobKind::Retention), limit: 1, ..JobFilter::default() };
    let Some(row) = store.jobs(&filter).await?.items.pop() else { return Ok(None) };
    let (id, by, at) = (row.id, format!("sweep {}", Ulid::generate()), clock.now());
    let lease = JobChange::Leased { id, by: by.clone(), until: at + LEASE, at };
    match store.commit(vec![Change::Job(lease)]).await {
        Ok(()) => {}
        Err(StoreError::State { .. } | StoreError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let step = |_| Ok(());
    let mut sweeper = Sweeper::new(store, clock, tell, &step);
    let keep = async {
        loop {
            sleep(RENEW).await;
            let until = clock.now() + LEASE;
            let renewed = JobChange::Renewed { id, by: by.clone(), until, progress: None };
            match store.commit(vec![Change::Job(renewed)]).await {
                Ok(()) => {}
                Err(error) if error.is_final() => return,
                Err(error) => tracing::warn!(%error, "a sweep's lease could not be renewed"),
            }
        }
    };
    let done = tokio::select! {
        done = sweeper.sweep() => done?,
        () = keep => return Ok(None),
    };
    store.commit(vec![Change::Job(JobChange::Done { id, by })]).await?;
    Ok(Some(done))
}

/// Asks for sweeps when it is time, and keeps metrics and the alarm, until it is stopped.
pub(super) async fn watch(ctx: Arc<Context>, stop: CancellationToken) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        if let Err(error) = turn(&ctx, &mut known).await {
            tracing::error!(%error, "retention cannot be looked after");
        }
    }
}

/// `known`: the generation of settings, and whether a rule of it removes anything.
pub(super) async fn turn(ctx: &Context, known: &mut Option<(u64, bool)>) -> Result<(), StoreError> {
    let generation = ctx.store.generation().await?;
    let removes = match known {
        Some((of, removes)) if *of == generation => *removes,
        Some(_) | None => {
            let (of, settings) = ctx.store.settings().await?;
            let removes = Rules::of(&settings).remove_something();
            *known = Some((of, removes));
            removes
        }
    };
    let (state, now) = (ctx.store.retention_state().await?, ctx.clock.now());
    if is_time(&state, generation, removes, now) {
        ask(&ctx.store, now).await?;
        ctx.work.notify_one();
    }
    let lag = if removes { state.lag(now) } else { Duration::ZERO };
    gauge!("sayso_retention_lag_seconds").set(lag.as_secs_f64());
    gauge!("sayso_retention_due").set(state.due as f64);
    if lag > LATE {
        ctx.alarms.raise(AlarmKind::RetentionLag, late(&state, lag));
    } else {
        ctx.alarms.clear(AlarmKind::RetentionLag);
    }
    Ok(())
}

/// Whether a sweep should begin.
fn is_time(state: &Swept, generation: u64, removes: bool, now: Timestamp) -> bool {
    if !removes {
        // Once more, so that what was due is forgotten.
        return state.due > 0 || state.oldest_due.is_some();
    }
    if state.generation != generation {
        return true;
    }
    let Some(began) = state.began_at else { return true };
    let took = state.ended_at.map_or(Duration::ZERO, |ended| ended.since(began));
    now.since(began) >= EVERY.max(took.saturating_mul(10).min(REST))
}

fn late(state: &Swept, lag: Duration) -> String {
    let hours = lag.as_secs() / 3_600;
    format!(
        "retention is {hours} hours behind, {} recordings, calls and rows are due: see `sayso jobs list --kind \
         retention` and `sayso retention show`, and whether a server runs at all",
        state.due
    )
}

/// A list of rows that may be due.
#[derive(Clone, Debug)]
enum List {
    Recordings(QueueId, Timestamp),
    Calls(QueueId, Timestamp),
    Anonymous(Timestamp),
}

impl List {
    async fn page(&self, store: &Store, after: Option<&Behind>) -> Result<Vec<Kept>, StoreError> {
        match self {
            Self::Recordings(queue, until) => store.kept_recordings(queue, *until, after, PAGE).await,
            Self::Calls(queue, until) => store.kept_calls(queue, *until, after, PAGE).await,
            Self::Anonymous(until) => store.anonymous_calls(*until, after, PAGE).await,
        }
    }
}

/// How a pass over all lists ended.
enum Pass {
    Whole,
    /// The settings changed: all of it anew.
    Changed,
}

/// What a pass goes by.
struct By {
    generation: u64,
    rules: Rules,
    holds: Holds,
    now: Timestamp,
}

struct Sweeper<'a> {
    store: &'a Store,
    clock: Clock,
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
    fn new(
        store: &'a Store,
        clock: Clock,
        tell: &'a (dyn Fn(Progress) + Send + Sync),
        step: &'a (dyn Fn(&'static str) -> Result<(), Fault> + Send + Sync),
    ) -> Self {
        let (done, swept) = (Done::default(), Swept::default());
        Self { store, clock, tell, step, done, swept, told: clock.now(), oldest: Vec::new(), stuck: None }
    }

    async fn sweep(&mut self) -> Result<Done, Fault> {
        self.swept = self.store.retention_state().await?;
        loop {
            let (generation, settings) = self.store.settings().await?;
            let now = self.clock.now();
            let holds = Holds::new(self.store.open_holds().await?, now);
            let by = By { generation, rules: Rules::of(&settings), holds, now };
            match self.pass(&by).await? {
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

    async fn pass(&mut self, by: &By) -> Result<Pass, Fault> {
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
            let rows = list.page(self.store, after.as_ref()).await?;
            let Some(last) = rows.last() else { return Ok(None) };
            after = Some(Behind::of(last));
            if let Some(action) = plan(&by.rules, &by.holds, by.now, rows).next() {
                return Ok(Some(action.because.due.at));
            }
        }
    }

    async fn walk(&mut self, by: &By, n: usize, list: &List) -> Result<Pass, Fault> {
        let mut after = None;
        loop {
            let rows = list.page(self.store, after.as_ref()).await?;
            let Some(last) = rows.last() else { return Ok(Pass::Whole) };
            after = Some(Behind::of(last));
            let actions: Vec<Action> = plan(&by.rules, &by.holds, by.now, rows).collect();
            let mut rest = actions.as_slice();
            while !rest.is_empty() {
                let (batch, more) = rest.split_at(batch_of(rest));
                if !self.has_room(batch).await? || self.store.generation().await? != by.generation {
                    return Ok(Pass::Changed);
                }
                self.oldest[n] = batch.first().map(|action| action.because.due.at);
                let began = self.clock.now();
                self.carry_out(batch).await?;
                (self.step)("batch")?;
                self.ease(batch.len(), self.clock.now().since(began)).await;
                self.note_now_and_then(batch.len()).await?;
                rest = more;
            }
        }
    }

    /// Whether the copies of what was destroyed are removed fast enough; false: after a while it should be looked anew.
    async fn has_room(&self, batch: &[Action]) -> Result<bool, Fault> {
        if !batch.iter().any(|action| matches!(action.step, Step::Destroy(_))) {
            return Ok(true);
        }
        let figures = self.store.job_figures(self.clock.now()).await?;
        let waiting = figures.iter().find(|of| of.kind == JobKind::Destroy).map_or(0, |of| of.waiting);
        if waiting < WAITING {
            return Ok(true);
        }
        sleep(ROOM).await;
        Ok(false)
    }

    /// Each call is a unit of work; all of a batch are on their way at once and share their syncs.
    async fn carry_out(&mut self, batch: &[Action]) -> Result<(), Fault> {
        let mut units = Vec::new();
        for actions in batch.chunk_by(is_same_unit) {
            let at = self.clock.now();
            let changes = actions.iter().map(|action| change(action, at)).collect();
            units.push((actions, self.store.submit(changes).await));
        }
        for (actions, unit) in units {
            match unit.wait().await {
                Ok(()) => self.count(actions),
                // Done by another, or held since.
                Err(StoreError::State { what, id, state, wanted }) => {
                    tracing::debug!(what, id, state, wanted, "left out by retention");
                    self.done.skipped += 1;
                }
                Err(StoreError::Missing { .. }) => self.done.skipped += 1,
                Err(error) if error.is_final() => {
                    let since = actions[0].because.due.at;
                    tracing::error!(%error, call = %actions[0].call, "retention cannot do what is due");
                    let (many, oldest, first) = self.stuck.take().unwrap_or((0, since, error.to_string()));
                    self.stuck = Some((many + 1, oldest.min(since), first));
                }
                Err(error) => return Err(error.into()),
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_sweep_begins_each_minute_when_rules_change_and_when_it_took_long_later() {
        let fresh = Swept::default();
        assert!(is_time(&fresh, 0, true, at(0)), "there was none yet");
        assert!(!is_time(&fresh, 7, false, at(0)), "no rule removes anything");
        let swept = |began, ended| Swept {
            generation: 7,
            began_at: Some(at(began)),
            ended_at: Some(at(ended)),
            ..Swept::default()
        };
        assert!(!is_time(&swept(100, 101), 7, true, at(159)));
        assert!(is_time(&swept(100, 101), 7, true, at(160)));
        assert!(is_time(&swept(100, 101), 8, true, at(102)), "the rules changed");
        assert!(!is_time(&swept(100, 120), 7, true, at(299)), "20 s long");
        assert!(is_time(&swept(100, 120), 7, true, at(300)));
        assert!(is_time(&swept(100, 90_000), 7, true, at(90_001)), "a day long: it has caught up");
        let left = Swept { due: 3, ..swept(100, 101) };
        assert!(is_time(&left, 7, false, at(102)), "the rules went: what was due is not any more");
    }
}
