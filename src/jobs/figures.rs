//! Figures of the backlog and the spool for `/metrics`, and the alarms that come of them: an upload or a destruction
//! that waits too long, a disk that is down to its reserve.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::store::{JobFigures, JobFilter, JobKind, StoreError};
use crate::time::Timestamp;
use crate::vault::Room;

use super::{AlarmKind, Context};

/// How often figures are taken. An alarm comes so much late at most.
const EVERY: Duration = Duration::from_secs(2);
/// How many of those looks apart the spool's files are counted: that asks the disk about each.
const COUNT: u32 = 15;

/// Takes figures until it is stopped.
pub(super) async fn run(ctx: Arc<Context>, stop: CancellationToken) {
    let mut look = interval(EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in 0u32.. {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        if let Err(error) = jobs(&ctx).await {
            tracing::error!(%error, "the figures of the jobs cannot be read");
        }
        room(&ctx).await;
        if n.is_multiple_of(COUNT) {
            spool(&ctx).await;
        }
    }
}

async fn jobs(ctx: &Context) -> Result<(), StoreError> {
    let now = ctx.clock.now();
    for figures in ctx.store.job_figures(now).await? {
        let JobFigures { kind, waiting, running, oldest, failing } = figures;
        let word = kind.word();
        gauge!("sayso_jobs_waiting", "kind" => word).set(waiting as f64);
        gauge!("sayso_jobs_running", "kind" => word).set(running as f64);
        gauge!("sayso_jobs_failing", "kind" => word).set(failing as f64);
        let age = oldest.map_or(Duration::ZERO, |oldest| now.since(oldest));
        gauge!("sayso_jobs_oldest_seconds", "kind" => word).set(age.as_secs_f64());
        let Some(alarm) = alarm_of(kind) else { continue };
        if is_late(&figures, now, ctx.config.alarm_after) {
            let oldest = JobFilter { kind: Some(kind), limit: 1, ..JobFilter::default() };
            let oldest = ctx.store.jobs(&oldest).await?.items.into_iter().next();
            let error = oldest.as_ref().and_then(|job| job.error.as_deref());
            let elsewhere = oldest.as_ref().and_then(|job| job.spool.as_deref());
            let elsewhere = elsewhere.filter(|spool| *spool != ctx.vault.spool_id());
            ctx.alarms.raise_for(alarm, word, late(&figures, error, elsewhere));
        } else {
            ctx.alarms.clear_for(alarm, word);
        }
    }
    Ok(())
}

/// The alarm of a kind of jobs that waits too long.
fn alarm_of(kind: JobKind) -> Option<AlarmKind> {
    match kind {
        JobKind::Upload | JobKind::Encode | JobKind::Rescue => Some(AlarmKind::UploadBacklog),
        JobKind::Destroy => Some(AlarmKind::DestructionWaits),
        // Late is what is due, not the job: see `retention`.
        JobKind::Reconcile | JobKind::Retention | JobKind::Privacy => None,
    }
}

/// Whether the oldest waits too long.
fn is_late(figures: &JobFigures, now: Timestamp, after: Duration) -> bool {
    figures.oldest.is_some_and(|oldest| now.since(oldest) > after)
}

/// What is wrong and what to do.
fn late(figures: &JobFigures, error: Option<&str>, elsewhere: Option<&str>) -> String {
    let JobFigures { kind, waiting, running, oldest, .. } = figures;
    let since = oldest.map(|oldest| format!(", the oldest since {oldest}")).unwrap_or_default();
    let (what, meanwhile) = match kind {
        JobKind::Upload | JobKind::Encode | JobKind::Rescue => {
            ("recordings wait in the spool", "nothing is lost while its disk holds")
        }
        JobKind::Destroy => ("destroyed recordings wait for their removal", "their keys are gone already"),
        JobKind::Reconcile => ("comparisons wait", "nothing depends on them"),
        JobKind::Retention => ("sweeps wait", "what is due stays until then"),
        JobKind::Privacy => ("tasks about people's data wait", "who asked for them waits"),
    };
    let error = error.map(|error| format!(". The oldest: {error}")).unwrap_or_default();
    let elsewhere = elsewhere.map_or_else(String::new, |spool| {
        format!(
            ". It is the business of the node with the spool {spool}: start that one, or, if its disk is lost, let \
             another node take over: there, `sayso spools adopt {spool}`"
        )
    });
    let all = waiting + running;
    format!("{all} {what} ({}){since}: {meanwhile}; see `sayso jobs list`{error}{elsewhere}", kind.word())
}

async fn room(ctx: &Context) {
    let found = ctx.with_vault(|vault| Ok(vault.room())).await;
    match found {
        Ok(Ok(room)) => {
            gauge!("sayso_spool_free_bytes").set(room.free as f64);
            if is_short(room) {
                ctx.alarms.raise_for(AlarmKind::DiskReserve, "disk", short(room));
            } else if is_roomy(room) {
                ctx.alarms.clear(AlarmKind::DiskReserve);
            }
        }
        Ok(Err(error)) => tracing::error!(%error, "the room on the spool's disk cannot be read"),
        Err(error) => tracing::error!(%error, "the room on the spool's disk cannot be read"),
    }
}

fn is_short(room: Room) -> bool {
    room.free < room.reserve
}

/// Well above the reserve, so that the alarm does not come and go with each recording.
fn is_roomy(room: Room) -> bool {
    room.free >= room.reserve + room.reserve / 10
}

fn short(room: Room) -> String {
    format!(
        "the spool's disk has {} MB left, less than the reserve of {} MB: no recording begins (each queue's \
         on-recording-failure says what becomes of its calls). Make room there, or see why recordings are not uploaded",
        room.free / 1_000_000,
        room.reserve / 1_000_000
    )
}

async fn spool(ctx: &Context) {
    match ctx.with_vault(|vault| vault.spool_files()).await {
        Ok(files) => {
            gauge!("sayso_spool_files").set(files.len() as f64);
            gauge!("sayso_spool_bytes").set(files.iter().map(|file| file.bytes).sum::<u64>() as f64);
        }
        Err(error) => tracing::error!(%error, "the spool cannot be counted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn age_and_not_number_makes_an_alarm() {
        let after = Duration::from_secs(900);
        let figures =
            |oldest| JobFigures { kind: JobKind::Upload, waiting: 5_000, running: 4, oldest, failing: 0 };
        assert!(!is_late(&figures(None), at(10_000), after));
        assert!(!is_late(&figures(Some(at(100))), at(1_000), after));
        assert!(is_late(&figures(Some(at(100))), at(1_001), after));
        let text = late(&figures(Some(at(100))), Some("no answer"), Some("01KAN4Q8X00000000000000000"));
        for part in ["5004 recordings", "1970-01-01T00:01:40Z", "no answer", "sayso spools adopt 01KAN4Q8X"] {
            assert!(text.contains(part), "{text}: {part}");
        }
    }

    #[test]
    fn a_full_disk_is_not_over_at_once() {
        let room = |free| Room { free, reserve: 1_000 };
        assert!(is_short(room(999)) && !is_short(room(1_000)));
        assert!(!is_roomy(room(1_000)) && is_roomy(room(1_100)));
    }
}
