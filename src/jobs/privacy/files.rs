//! What was made for people goes when its time is over: its key at once, and the file with the next look.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::ids::TaskId;
use crate::jobs::{Context, Fault};
use crate::store::{PrivacyChange, TaskState};
use crate::vault::VaultError;

use super::change;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(60);

/// Looks until it is stopped.
pub(in crate::jobs) async fn watch(ctx: Arc<Context>, stop: CancellationToken) {
    let mut look = interval(EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        if let Err(error) = sweep(&ctx).await {
            tracing::error!(%error, "files that were made for people stay longer than they should");
        }
    }
}

/// Ends files whose time is over, and removes those that nobody can read any more; forgets what was for
/// a time only.
pub(in crate::jobs) async fn sweep(ctx: &Context) -> Result<(), Fault> {
    for id in ctx.store.privacy_files_over(ctx.clock.now()).await? {
        change(ctx, PrivacyChange::FileGone { id, at: ctx.clock.now() }).await?;
    }
    let now = ctx.clock.now();
    if ctx.store.withdrawals_over(now).await? {
        change(ctx, PrivacyChange::WithdrawalsGone { now }).await?;
    }
    // Searches that found somebody go with whom they found.
    let system = ctx.store.settings().await?.1.system.unwrap_or_default();
    let searches = ctx.store.searches_in_vain(ctx.clock.now() - system.privacy.keep_reports).await?;
    if !searches.is_empty() {
        change(ctx, PrivacyChange::SearchesGone { searches }).await?;
    }
    let chests = ctx.with_vault(|vault| vault.chests()).await?;
    let mut useless: HashSet<TaskId> = HashSet::new();
    for (id, _) in &chests {
        let wanted = ctx.store.privacy_task(*id).await?.is_some_and(|task| match task.state {
            // It is being made, or was half made when the server ended.
            TaskState::WaitingForApproval | TaskState::Waiting | TaskState::Running => true,
            TaskState::Done | TaskState::Failed | TaskState::Refused => task.file.is_some(),
        });
        if !wanted {
            useless.insert(*id);
        }
    }
    let gone = chests.into_iter().filter(|(id, _)| useless.contains(id)).map(|(_, path)| path);
    let gone: Vec<_> = gone.collect();
    ctx.with_vault(move |_| {
        for path in gone {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(VaultError::io("remove", path)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    })
    .await
}
