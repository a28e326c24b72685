//! The runner: looks for due jobs each second and when it is woken, leases as many of a kind as may run at once, renews
//! their leases, and writes how they ended.
//!
//! A job is held by the spool's name: of a spool there is one runner at a time, and after a crash the next one has the
//! same name and takes back at once what the last one held.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::ids::RecordingId;
use crate::reconcile::State;
use crate::store::{Change, JobChange, JobFilter, JobKind, JobRow, Progress, StoreError};
use crate::time::Timestamp;
use crate::vault::objects::ObjectError;

use super::schedule::backoff;
use super::{AlarmKind, Context, Fault, Held, Outcome};
use super::{destroy, encode, privacy, random, reconcile, rescue, retention, upload};

/// How often it is looked for due jobs.
const POLL: Duration = Duration::from_secs(1);
/// How long a job is held without a sign of life. As long does another node wait before it takes over.
const LEASE: Duration = Duration::from_secs(60);
/// How often it is seen to how far a job is; told when that changed, and at the latest each fourth time.
const SIGN: Duration = Duration::from_secs(5);
/// How long jobs may go on after a stop was asked for.
const GRACE: Duration = Duration::from_secs(5);
/// How often the end of a job is written anew when the database does not take it; after that its lease runs out, and
/// it is done again.
const TRIES: u32 = 50;
const AGAIN: Duration = Duration::from_secs(1);

/// How long an upload that is of no use any more may take to end the request it is at. What takes longer may still
/// land, which destruction then waits for.
const LAST_REQUEST: Duration = Duration::from_secs(600);

/// Does one job of this kind and subject once, if it is free and its spool is ours.
pub(super) async fn one(ctx: Arc<Context>, kind: JobKind, subject: &str) -> Result<(), StoreError> {
    let filter = JobFilter { kind: Some(kind), subject: Some(subject.to_owned()), ..JobFilter::default() };
    let Some(row) = ctx.store.jobs(&filter).await?.items.pop() else { return Ok(()) };
    if row.spool.as_deref().is_some_and(|spool| spool != ctx.vault.spool_id()) {
        return Ok(());
    }
    let doubt = ctx.doubt.subscribe();
    if let Some(row) = lease(&ctx, row).await? {
        carry_out(ctx, row, doubt, CancellationToken::new()).await;
    }
    Ok(())
}

/// Runs jobs until it is stopped.
pub(super) async fn run(ctx: Arc<Context>, stop: CancellationToken) {
    take_back(&ctx).await;
    let mut tasks = Tasks { set: JoinSet::new(), kinds: HashMap::new(), give_up: CancellationToken::new() };
    let mut poll = interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looking = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = poll.tick() => {}
            () = ctx.work.notified() => {}
            Some(ended) = tasks.set.join_next_with_id() => tasks.on_end(ended),
            Some(_) = looking.join_next() => {}
        }
        if ctx.wants_look() && looking.is_empty() {
            let ctx = Arc::clone(&ctx);
            looking.spawn(async move { ctx.look().await });
        }
        if let Err(error) = fill(&ctx, &mut tasks).await {
            tracing::error!(%error, "jobs cannot be looked for");
        }
    }
    let all_end = async { while tasks.set.join_next().await.is_some() {} };
    if timeout(GRACE, all_end).await.is_err() {
        tasks.give_up.cancel();
        while tasks.set.join_next().await.is_some() {}
    }
}

/// What runs.
struct Tasks {
    set: JoinSet<()>,
    kinds: HashMap<Id, JobKind>,
    give_up: CancellationToken,
}

impl Tasks {
    fn on_end(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "a job's task failed: this is a bug, please report it");
                error.id()
            }
        };
        self.kinds.remove(&id);
    }

    fn running(&self, kind: JobKind) -> usize {
        self.kinds.values().filter(|running| **running == kind).count()
    }
}

/// How many of a kind run at once.
fn most(ctx: &Context, kind: JobKind) -> usize {
    match kind {
        JobKind::Upload => usize::from(ctx.config.uploads),
        JobKind::Destroy => 2,
        // One recording keeps a core busy.
        JobKind::Encode => 1,
        JobKind::Rescue | JobKind::Reconcile | JobKind::Retention | JobKind::Privacy => 1,
    }
}

/// Whether a job that is done has had answers of the object store.
fn talks_to_store(kind: JobKind) -> bool {
    match kind {
        JobKind::Upload | JobKind::Rescue | JobKind::Destroy | JobKind::Reconcile => true,
        JobKind::Encode | JobKind::Retention | JobKind::Privacy => false,
    }
}

/// Whether a job can do nothing while the object store is away. Destruction can: the local copies go first.
fn waits_for_store(kind: JobKind) -> bool {
    match kind {
        JobKind::Upload | JobKind::Rescue => true,
        JobKind::Destroy | JobKind::Encode | JobKind::Reconcile | JobKind::Retention | JobKind::Privacy => {
            false
        }
    }
}

/// What the last runner of this spool held when it was killed is free.
async fn take_back(ctx: &Context) {
    let result = async {
        let mut filter = JobFilter { limit: 1_000, ..JobFilter::default() };
        loop {
            let page = ctx.store.jobs(&filter).await?;
            let ours = page.items.into_iter().filter(|job| job.leased_by.as_deref() == Some(ctx.runner()));
            for job in ours {
                let error = "the server was stopped while it ran".to_owned();
                let now = ctx.clock.now();
                let free =
                    JobChange::Retry { id: job.id, by: ctx.runner().to_owned(), due: now, error, at: now };
                match ctx.store.commit(vec![Change::Job(free)]).await {
                    Ok(()) | Err(StoreError::State { .. } | StoreError::Missing { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return Ok::<(), StoreError>(()),
            }
        }
    };
    if let Err(error) = result.await {
        tracing::warn!(%error, "jobs of the last run are held for a minute: they could not be taken back");
    }
}

/// Begins what is due and has room.
async fn fill(ctx: &Arc<Context>, tasks: &mut Tasks) -> Result<(), StoreError> {
    for kind in JobKind::ALL {
        let free = most(ctx, *kind).saturating_sub(tasks.running(*kind));
        if free == 0 || (waits_for_store(*kind) && !ctx.store_answers()) {
            continue;
        }
        let due = ctx.store.jobs_due(ctx.clock.now(), ctx.vault.spool_id(), &[*kind], free as u32).await?;
        for row in due {
            // Before the lease: what is destroyed from then on is heard of.
            let doubt = ctx.doubt.subscribe();
            let Some(row) = lease(ctx, row).await? else { continue };
            let task = tasks.set.spawn(carry_out(Arc::clone(ctx), row, doubt, tasks.give_up.clone()));
            tasks.kinds.insert(task.id(), *kind);
        }
    }
    Ok(())
}

/// Takes a job; `None`: somebody else has it, or it is gone.
async fn lease(ctx: &Context, row: JobRow) -> Result<Option<JobRow>, StoreError> {
    let now = ctx.clock.now();
    let lease = JobChange::Leased { id: row.id, by: ctx.runner().to_owned(), until: now + LEASE, at: now };
    match ctx.store.commit(vec![Change::Job(lease)]).await {
        Ok(()) => Ok(Some(JobRow { attempts: row.attempts + 1, ..row })),
        Err(StoreError::State { .. } | StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How a job ended, seen from its lease.
enum End {
    Ended(Result<Outcome, Fault>),
    /// The lease is lost: its recording was destroyed, or somebody else has it.
    Lost,
    GivenUp,
}

async fn carry_out(ctx: Arc<Context>, row: JobRow, doubt: watch::Receiver<u64>, give_up: CancellationToken) {
    let job = Held::new(row);
    let end = {
        let mut work = pin!(dispatch(&ctx, &job));
        let end = tokio::select! {
            result = &mut work => End::Ended(result),
            () = keep(&ctx, &job, doubt) => End::Lost,
            () = give_up.cancelled() => End::GivenUp,
        };
        match end {
            End::Lost if job.row.kind == JobKind::Upload => see_to_its_end(&ctx, &job, work).await,
            End::Ended(_) | End::Lost | End::GivenUp => {}
        }
        end
    };
    match end {
        End::Ended(Ok(outcome)) => on_outcome(&ctx, &job, outcome).await,
        #[cfg(test)]
        End::Ended(Err(Fault::Halted(_))) => {}
        End::Ended(Err(fault)) => {
            let refused = matches!(&fault, Fault::Store(error) if error.is_final());
            if !(refused && drop_if_useless(&ctx, &job).await) {
                on_fault(&ctx, &job, &fault).await;
            }
        }
        End::Lost => {
            if !drop_if_useless(&ctx, &job).await {
                tracing::warn!(job = job.row.id, "another runner has the job");
            }
        }
        End::GivenUp => {
            let error = "the server was stopped while it ran".to_owned();
            retry(&ctx, &job, ctx.clock.now(), error).await;
        }
    }
}

/// Lets the request that an upload is at end before the upload is dropped: one that is dropped may still land, after
/// its recording was proven to be gone.
async fn see_to_its_end(
    ctx: &Context,
    job: &Held,
    work: Pin<&mut impl Future<Output = Result<Outcome, Fault>>>,
) {
    job.give_up();
    let Ok(id) = job.row.subject.parse::<RecordingId>() else { return };
    let seen = match timeout(LAST_REQUEST, work).await {
        Ok(Ok(_)) => true,
        Ok(Err(fault)) => !matches!(fault.object(), Some(ObjectError::Away { .. })),
        Err(_) => false,
    };
    if !seen {
        ctx.guard.on_cut_off(id, ctx.clock.now());
    } else if job.row.attempts == 1 {
        ctx.guard.on_seen_to_end(id);
    }
}

async fn dispatch(ctx: &Context, job: &Held) -> Result<Outcome, Fault> {
    match job.row.kind {
        JobKind::Rescue => rescue::run(ctx, job).await,
        JobKind::Encode => encode::run(ctx, job).await,
        JobKind::Upload => upload::run(ctx, job).await,
        JobKind::Destroy => destroy::run(ctx, job).await,
        JobKind::Reconcile => reconcile::run(ctx, job).await,
        JobKind::Retention => retention::run(ctx, job).await,
        JobKind::Privacy => privacy::run(ctx, job).await,
    }
}

/// Renews the lease; returns when it is lost. `doubt` tells when it may be.
pub(super) async fn keep(ctx: &Context, job: &Held, mut doubt: watch::Receiver<u64>) {
    let id = job.row.id;
    let meter = job.meter();
    let (mut told, mut signs) = ((0, 0), 0u32);
    loop {
        let asked = tokio::select! {
            () = sleep(SIGN) => false,
            Ok(()) = doubt.changed() => true,
        };
        signs += 1;
        let so_far = meter.get();
        if so_far == told && signs % 4 != 0 && !asked {
            continue;
        }
        told = so_far;
        let progress = (so_far.1 > 0).then_some(Progress { done: so_far.0, total: so_far.1 });
        let until = ctx.clock.now() + LEASE;
        let renewed = JobChange::Renewed { id, by: ctx.runner().to_owned(), until, progress };
        match ctx.store.commit(vec![Change::Job(renewed)]).await {
            Ok(()) => {}
            Err(StoreError::State { .. } | StoreError::Missing { .. }) => return,
            // A database that is away: what is being done can be done again.
            Err(error) => tracing::warn!(job = id, %error, "a job's lease could not be renewed"),
        }
    }
}

/// Ends a job whose recording was destroyed, so that the job that removes it can begin; whether that was so.
async fn drop_if_useless(ctx: &Context, job: &Held) -> bool {
    let useless = match job.row.kind {
        JobKind::Upload | JobKind::Encode | JobKind::Rescue => match job.recording(ctx).await {
            Ok((_, State::Destroyed | State::Removed | State::Discarded)) => true,
            Ok((_, State::Armed | State::Recording | State::Finished | State::Stored | State::Failed))
            | Err(_) => false,
        },
        JobKind::Destroy | JobKind::Reconcile | JobKind::Retention | JobKind::Privacy => false,
    };
    if useless {
        tracing::info!(
            job = job.row.id,
            kind = job.row.kind.word(),
            subject = job.row.subject,
            "a job is of no use any more: its recording was destroyed"
        );
        ctx.alarms.clear_for(AlarmKind::JobFails, &fails(job.row.kind, &job.row.subject));
        ctx.alarms.clear_for(AlarmKind::ObjectConflict, &job.row.subject);
        let done = || vec![Change::Job(JobChange::Done { id: job.row.id, by: ctx.runner().to_owned() })];
        end_with(ctx, done).await;
        ctx.work.notify_one();
    }
    useless
}

/// What the alarm about a job's failures is about: not its number, which is forgotten with its row.
pub(super) fn fails(kind: JobKind, subject: &str) -> String {
    format!("{} {subject}", kind.word())
}

async fn on_outcome(ctx: &Context, job: &Held, outcome: Outcome) {
    let JobRow { id, kind, .. } = job.row;
    if talks_to_store(kind) {
        ctx.on_answer();
    }
    ctx.alarms.clear_for(AlarmKind::JobFails, &fails(kind, &job.row.subject));
    match outcome {
        Outcome::Done(did) => {
            let done = || {
                let done = Change::Job(JobChange::Done { id, by: ctx.runner().to_owned() });
                did.clone().map(Change::Recording).into_iter().chain([done]).collect()
            };
            if end_with(ctx, done).await {
                counter!("sayso_jobs_done_total", "kind" => kind.word()).increment(1);
            }
            // What it enqueued, or what waited for it.
            ctx.work.notify_one();
        }
        Outcome::Later { due, why } => {
            tracing::warn!(job = id, kind = kind.word(), %due, "{why}");
            retry(ctx, job, due, why).await;
        }
    }
}

async fn on_fault(ctx: &Context, job: &Held, fault: &Fault) {
    let JobRow { id, kind, attempts, .. } = job.row;
    let subject = &job.row.subject;
    ctx.on_fault(fault);
    counter!("sayso_jobs_failed_total", "kind" => kind.word()).increment(1);
    let wait = backoff(attempts, random());
    tracing::warn!(job = id, kind = kind.word(), subject, attempts, wait_ms = wait.as_millis() as u64, error = %fault,
        "a job failed and is tried again");
    if !fault.passes() {
        let what = format!("job {id} ({} {subject}) fails and is tried again: {fault}", kind.word());
        ctx.alarms.raise_for(AlarmKind::JobFails, &fails(kind, subject), what);
    }
    retry(ctx, job, ctx.clock.now() + wait, fault.to_string()).await;
}

async fn retry(ctx: &Context, job: &Held, due: Timestamp, error: String) {
    let (id, at) = (job.row.id, ctx.clock.now());
    let by = ctx.runner();
    end_with(ctx, || {
        vec![Change::Job(JobChange::Retry { id, by: by.to_owned(), due, error: error.clone(), at })]
    })
    .await;
}

/// Writes the end of a job; a database that is away is waited for, as long as the lease lasts. Whether it is written.
async fn end_with(ctx: &Context, changes: impl Fn() -> Vec<Change>) -> bool {
    for _ in 0..TRIES {
        match ctx.store.commit(changes()).await {
            Ok(()) => return true,
            Err(error) if error.is_final() => {
                tracing::info!(%error, "a job's end is not taken: its recording was destroyed, or another runner has it");
                return false;
            }
            Err(error) => {
                tracing::error!(%error, "a job's end could not be stored");
                sleep(AGAIN).await;
            }
        }
    }
    false
}
