//! When it is this server's turn: the job by the runner, the schedule, the alarms.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::jobs::{Context, Fault, Held, Outcome};
use crate::reconcile::Rules;
use crate::store::StoreError;

use super::ask::{enqueue_scheduled, settle_alarms};
use super::{Compared, ReconcileError, SpoolPlace, reconcile};

/// How often it is looked whether a run is due and what the last report says: so late an alarm comes on the
/// other nodes.
const LOOK: Duration = Duration::from_secs(15);

/// The job.
pub(in crate::jobs) async fn run(ctx: &Context, job: &Held) -> Result<Outcome, Fault> {
    let compared = Compared {
        store: ctx.store.clone(),
        objects: ctx.objects.clone(),
        spool: SpoolPlace { id: ctx.vault.spool_id().to_owned(), dir: ctx.vault.spool_dir() },
        clock: ctx.clock,
        rules: Rules::new(ctx.config.alarm_after),
    };
    let tell = |progress: crate::store::Progress| job.progress(progress.done, progress.total);
    reconcile(&compared, &job.row.subject, &tell).await?;
    settle_alarms(&ctx.store, &ctx.alarms).await?;
    // What it made again.
    ctx.work.notify_one();
    Ok(Outcome::Done(None))
}

impl From<ReconcileError> for Fault {
    fn from(error: ReconcileError) -> Self {
        match error {
            ReconcileError::Store(error) => Self::Store(error),
            ReconcileError::Objects(error) => Self::Object(error),
            ReconcileError::Spool { .. } | ReconcileError::Subject(_) => Self::Other(error.to_string()),
        }
    }
}

/// Enqueues what is due and keeps the alarms as the last report says, until it is stopped.
pub(in crate::jobs) async fn watch(ctx: Arc<Context>, stop: CancellationToken) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        if let Err(error) = turn(&ctx).await {
            tracing::error!(%error, "reconciliations cannot be looked after");
        }
    }
}

async fn turn(ctx: &Context) -> Result<(), StoreError> {
    if enqueue_scheduled(&ctx.store, ctx.config.reconcile_every, ctx.clock.now()).await? {
        ctx.work.notify_one();
    }
    settle_alarms(&ctx.store, &ctx.alarms).await
}
