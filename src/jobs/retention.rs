//! Retention: what is due by the rules goes. Recordings by their keys first (the job `destroy` does the rest), then calls
//! lose what is personal, then anonymous rows go that are past their own time.
//!
//! A sweep is a job (`retention`), so one runner of the cluster holds it, and after a crash the next one begins it anew:
//! what is done is not found again. It goes in batches with pauses, so that calls come first, reads the rules anew when
//! they change, and whatever came due while nobody ran is found by its time. Holds are looked at once more in the
//! transaction that destroys, and so is whether the rules are still the same.

pub(super) mod sweep;

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use crate::retention::Rules;
use crate::store::{Change, HoldChange, JobChange, JobFilter, JobKind, Progress, Store, StoreError, Swept};
use crate::time::{Clock, Timestamp};

use self::sweep::{Pace, Sweeper};
use super::{AlarmKind, Context, Fault, Held, Outcome};

/// What the job is about: there is one.
const SUBJECT: &str = "sweep";
/// A sweep begins so often; rules count days, so a minute is soon.
const EVERY: Duration = Duration::from_secs(60);
/// Where a sweep takes long, it rests ten times as long, but never longer than this.
const REST: Duration = Duration::from_secs(600);
/// How often it is looked whether the rules changed: so late a changed rule begins to be applied.
const LOOK: Duration = Duration::from_secs(2);
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
    let done = Sweeper::new(&ctx.store, ctx.clock, Pace::default(), &tell, &step).sweep().await?;
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
    let mut sweeper = Sweeper::new(store, clock, Pace::default(), tell, &step);
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
    holds_end(&ctx.store, now).await?;
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

/// Notes of holds that they are over by themselves, so that the log says from when on they held nothing.
async fn holds_end(store: &Store, at: Timestamp) -> Result<(), StoreError> {
    for id in store.holds_run_out(at).await? {
        match store.commit(vec![Change::Hold(HoldChange::Ended { id, at })]).await {
            // Another node has noted it, or somebody released it just now.
            Ok(()) | Err(StoreError::State { .. }) => {}
            Err(error) => return Err(error),
        }
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
