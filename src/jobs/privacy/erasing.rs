//! Erasing (domain rule 19): the people's own rows, then call by call with its recordings' keys; the copies of those are
//! removed by their own jobs, which is waited for; then what was made for earlier tasks goes, and a signed certificate says
//! what was done.

use std::time::Duration;

use tokio::time::timeout;

use crate::certificate::{ChainPosition, Erasure, PRODUCT, sign_erasure};
use crate::jobs::{Context, Fault, Held, Outcome};
use crate::store::{PrivacyChange, StoreError, TaskCounts, TaskRow};

use super::{change, end, left, told_of};

/// How soon it is looked again whether all copies are gone, and how much later each time.
const SOON: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(300);
/// How long it is waited for those who read the database, who hold up the end of erased rows in its log.
const SHRED_WITHIN: Duration = Duration::from_secs(60);

pub(super) async fn erase(ctx: &Context, job: &Held, task: &TaskRow) -> Result<Outcome, Fault> {
    let id = task.id;
    ctx.store.erase_people(id, ctx.clock.now()).await?;
    ctx.step("people-erased")?;
    let calls = ctx.store.privacy_task_calls(id).await?;
    let total = calls.len() as u64;
    for (n, call) in calls.iter().enumerate().filter(|(_, call)| call.state == "waiting") {
        job.progress(n as u64, total);
        let (call, at) = (call.call, ctx.clock.now());
        match change(ctx, PrivacyChange::EraseCall { id, call, at }).await {
            Ok(()) => {}
            // Held since a moment ago, or going on.
            Err(Fault::Store(StoreError::State { state, .. })) => {
                change(ctx, PrivacyChange::CallRefused { id, call, what: state, at }).await?;
            }
            Err(fault) => return Err(fault),
        }
        ctx.step("call-erased")?;
    }
    job.progress(total, total);
    // Their recordings' jobs.
    ctx.work.notify_one();
    let recordings = ctx.store.privacy_unfinished(id).await?;
    if recordings.destroyed > 0 {
        let (waits, all) = (recordings.destroyed, recordings.destroyed + recordings.removed);
        let due = ctx.clock.now() + (SOON * job.row.attempts.clamp(1, 300)).min(LATEST);
        let why = format!(
            "{waits} of {all} recordings are destroyed, and not every copy of them is removed yet; `sayso jobs list` says why"
        );
        return Ok(Outcome::Later { due, why });
    }
    change(ctx, PrivacyChange::ForgetEarlier { id, at: ctx.clock.now() }).await?;
    loop {
        let searches = ctx.store.searches_for(id).await?;
        if searches.is_empty() {
            break;
        }
        change(ctx, PrivacyChange::SearchesGone { searches }).await?;
    }
    super::files::sweep(ctx).await?;
    ctx.step("forgotten")?;
    let beyond = timeout(SHRED_WITHIN, ctx.store.shred()).await.map_err(|_| {
        Fault::Other("somebody reads the database for so long that erased rows stay in its log".to_owned())
    })??;
    certify(ctx, id, beyond).await
}

async fn certify(
    ctx: &Context,
    id: crate::ids::TaskId,
    beyond: Option<&'static str>,
) -> Result<Outcome, Fault> {
    // Counts of consents and entries were written when they were erased.
    let task = ctx.store.privacy_task(id).await?;
    let task = task.ok_or_else(|| Fault::Other(format!("there is no task {id} in the database")))?;
    let calls = ctx.store.privacy_task_calls(id).await?;
    let proofs = ctx.store.privacy_proofs(id).await?;
    let left = left(&calls);
    let erased = calls.iter().filter(|call| call.state == "done").count() as u64;
    let counts = TaskCounts { calls: erased, recordings: proofs.len() as u64, ..task.counts };
    let told = told_of(&left);
    if erased == 0 && counts.consents == 0 && counts.entries == 0 {
        return end(ctx, &task, false, format!("nothing could be erased{told}"), counts, None, None).await;
    }
    let audit = ctx.store.audit_position(&id.to_string(), "privacy-task.asked").await?;
    let audit = audit.ok_or_else(|| Fault::Other(format!("the audit log has nothing of task {id}")))?;
    let erasure = Erasure {
        task: id,
        moved_to: task.archive.clone().zip(task.archive_sha256.clone()),
        by: task.by.clone(),
        approved_by: task.approved_by.clone(),
        asked_at: task.at,
        erased_at: ctx.clock.now(),
        audit: ChainPosition { n: audit.seq, hash: audit.hash.0 },
        calls: erased,
        consents: counts.consents,
        entries: counts.entries,
        recordings: proofs.into_iter().map(|proof| (proof.recording, proof.sha256)).collect(),
        left,
        not_seen: beyond.map(str::to_owned).into_iter().collect(),
        product: PRODUCT.to_owned(),
    };
    let text = sign_erasure(&erasure, |octets| ctx.signer.sign(octets), ctx.signer.public_key());
    end(ctx, &task, true, format!("erased{told}"), counts, None, Some(text)).await
}
