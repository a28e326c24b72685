//! Rescue: the spool's file of a recording is gone with its disk. What was put into the object store while it went
//! on is laid together again and salvaged, and the audit log says how much that is.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::ids::RecordingId;
use crate::reconcile::State;
use crate::store::{Change, RecordingChange, RecordingRow};
use crate::vault::objects::{Listed, ObjectError, Objects};

use super::names;
use super::{AlarmKind, Context, Fault, Held, Outcome, file, key_of};

/// Names asked for at once.
const PAGE: usize = 1_000;

/// The job: for a recording that was running when its file was lost.
pub(super) async fn run(ctx: &Context, job: &Held) -> Result<Outcome, Fault> {
    let (row, state) = job.recording(ctx).await?;
    match state {
        State::Armed | State::Recording | State::Failed => {}
        // Saved already, or of no use any more.
        State::Finished | State::Stored | State::Destroyed | State::Removed | State::Discarded => {
            ctx.alarms.clear_for(AlarmKind::RecordingFailed, &row.id.to_string());
            return Ok(Outcome::Done(None));
        }
    }
    match change(ctx, &row).await? {
        Some(change) => {
            ctx.alarms.clear_for(AlarmKind::RecordingFailed, &row.id.to_string());
            Ok(Outcome::Done(Some(change)))
        }
        // Armed, and it never began: there is nothing but a key, and that goes now.
        None if state == State::Armed => {
            Ok(Outcome::Done(Some(RecordingChange::Discarded { id: row.id, at: ctx.clock.now() })))
        }
        None => {
            let why = "its file is gone from the spool, and the object store has nothing of it".to_owned();
            lost(ctx, row.id, &why);
            let failed = RecordingChange::Failed { id: row.id, at: ctx.clock.now(), why };
            // One that failed already stays so.
            Ok(Outcome::Done((state != State::Failed).then_some(failed)))
        }
    }
}

/// For one that waited for its upload.
pub(super) async fn recording(ctx: &Context, row: &RecordingRow) -> Result<(), Fault> {
    match change(ctx, row).await? {
        Some(change) => Ok(ctx.store.commit(vec![Change::Recording(change)]).await?),
        None => {
            let why = "its file is gone from the spool, and the object store has nothing of it. If it cannot be brought \
                       back from a backup of the spool, destroy the recording, so that nobody waits for it";
            lost(ctx, row.id, why);
            Err(Fault::Other(why.to_owned()))
        }
    }
}

fn lost(ctx: &Context, id: RecordingId, why: &str) {
    ctx.alarms.raise_for(AlarmKind::RecordingLost, &id.to_string(), format!("recording {id} is lost: {why}"));
}

/// Brings it back into the spool as far as there are segments; `None`: there are none.
async fn change(ctx: &Context, row: &RecordingRow) -> Result<Option<RecordingChange>, Fault> {
    let id = row.id;
    let key = key_of(row)?;
    // Made again by a try that was cut short, or back with its disk: that is not done twice.
    if ctx.with_vault(move |vault| Ok(vault.is_spooled(id))).await? {
        let saved = ctx.with_vault(move |vault| vault.salvage(id, &key)).await?;
        ctx.step("salvaged")?;
        let seconds = saved.samples as f64 / 8_000.0;
        let why = format!(
            "its file was not what was expected: the {seconds:.1} s that are in the spool were saved"
        );
        tracing::error!(recording = %id, seconds, "recording rescued from the spool");
        return Ok(Some(RecordingChange::Salvaged { id, at: ctx.clock.now(), file: file(&saved), why }));
    }
    let (segments, strays) = segments(ctx, id).await?;
    if segments.is_empty() {
        return Ok(None);
    }
    let count = segments.len();
    let objects = ctx.objects.clone();
    let bytes: BoxStream<'static, Result<Bytes, ObjectError>> =
        stream::iter(segments).then(move |segment| get(objects.clone(), segment)).try_flatten().boxed();
    ctx.vault.rebuild(id, bytes).await?;
    ctx.step("rebuilt")?;
    let saved = ctx.with_vault(move |vault| vault.salvage(id, &key)).await?;
    ctx.step("salvaged")?;
    let seconds = saved.samples as f64 / 8_000.0;
    let mut why = format!(
        "its file was lost with its disk: {seconds:.1} s were saved from {count} segments, what was said after that is lost"
    );
    if strays > 0 {
        why.push_str(&format!("; {strays} later segments are of no use, one before them is missing"));
    }
    tracing::error!(recording = %id, segments = count, seconds, "recording rescued from its segments");
    Ok(Some(RecordingChange::Salvaged { id, at: ctx.clock.now(), file: file(&saved), why }))
}

async fn get(
    objects: Objects,
    segment: Listed,
) -> Result<BoxStream<'static, Result<Bytes, ObjectError>>, ObjectError> {
    objects.get(&segment.name, 0..segment.bytes).await
}

/// Its segments in order, up to the first that is missing, and how many there are after that.
async fn segments(ctx: &Context, id: RecordingId) -> Result<(Vec<Listed>, usize), Fault> {
    let below = format!("{}/", names::segments(id));
    let mut all: Vec<Listed> = Vec::new();
    loop {
        let after = all.last().map(|last| last.name.clone());
        let page = ctx.objects.list(&below, after.as_deref(), PAGE).await?;
        let more = page.more && !page.objects.is_empty();
        all.extend(page.objects);
        if !more {
            break;
        }
    }
    let whole = (0u32..).zip(&all).take_while(|(n, listed)| listed.name == names::segment(id, *n)).count();
    let strays = all.len() - whole;
    all.truncate(whole);
    Ok((all, strays))
}
