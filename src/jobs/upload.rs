//! Upload: a finished recording leaves the spool for the object store.
//!
//! 1. Put the object; the store verifies it, and so do we. A name is never overwritten, so done again after a crash
//!    it finds its own object.
//! 2. The row says `stored`, and where.
//! 3. Only now the spool's file goes,
//! 4. and the segments that were put while the recording went on.
//! 5. The job is done.
//!
//! A crash between any two of these leaves the job, which goes on from what the row says.

use std::io;
use std::ops::Range;
use std::path::Path;

use aws_lc_rs::digest::{Context as Digest, SHA256};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use metrics::counter;

use crate::ids::RecordingId;
use crate::reconcile::State;
use crate::store::{Change, RecordingChange, RecordingRow, StoredObject};
use crate::time::Timestamp;
use crate::vault::objects::{About, Content, ObjectClass, ObjectError, Put, Target};

use super::names::{self, Form};
use super::{AlarmKind, Context, Fault, Held, Outcome, key_of, rescue};

pub(super) async fn run(ctx: &Context, job: &Held) -> Result<Outcome, Fault> {
    let (row, state) = job.recording(ctx).await?;
    match state {
        State::Finished => {
            if !keep(ctx, job, &row).await? {
                return Ok(Outcome::Done(None));
            }
        }
        State::Stored => {}
        // Its own job removes what there is of it.
        State::Destroyed | State::Removed | State::Discarded => return Ok(Outcome::Done(None)),
        State::Armed | State::Recording | State::Failed => return Err(Fault::not_for(state, "uploaded")),
    }
    match tidy(ctx, job, row.id).await? {
        None => Ok(Outcome::Done(None)),
        Some(due) => Ok(Outcome::Later {
            due,
            why: format!("what was put while the recording went on is locked in the store until {due}"),
        }),
    }
}

/// Steps 1 and 2. False: its file had to be made again and is encoded first; another upload follows that.
async fn keep(ctx: &Context, job: &Held, row: &RecordingRow) -> Result<bool, Fault> {
    let id = row.id;
    let form = form(ctx, row);
    let name = names::whole(id, form);
    let put = match put(ctx, job, row, form, &name).await {
        Err(Fault::Object(error @ ObjectError::Exists { .. })) => {
            let what = format!(
                "{error}. Recording {id} waits in the spool: remove or rename that object, then `sayso jobs retry {}`",
                job.row.id
            );
            ctx.alarms.raise_for(AlarmKind::ObjectConflict, &id.to_string(), what);
            return Err(error.into());
        }
        Ok(None) => return Ok(false),
        Ok(Some(put)) => put,
        Err(fault) => return Err(fault),
    };
    ctx.alarms.clear_for(AlarmKind::ObjectConflict, &id.to_string());
    ctx.step("put")?;
    let object = StoredObject {
        place: ctx.objects.place(),
        name,
        version: put.version,
        bytes: put.bytes,
        checksum: put.checksum,
        encryption: if form == Form::Sealed { "sealed" } else { "store" }.to_owned(),
    };
    let stored = RecordingChange::Stored { id, at: ctx.clock.now(), object };
    ctx.store.commit(vec![Change::Recording(stored)]).await?;
    ctx.step("stored")?;
    Ok(true)
}

/// What the object is to be.
fn form(ctx: &Context, row: &RecordingRow) -> Form {
    match (ctx.config.plain, row.format.as_str()) {
        (false, _) => Form::Sealed,
        (true, "opus") => Form::Ogg,
        (true, _) => Form::Wav,
    }
}

async fn put(
    ctx: &Context,
    job: &Held,
    row: &RecordingRow,
    form: Form,
    name: &str,
) -> Result<Option<Put>, Fault> {
    let id = row.id;
    let about = |sha256| About {
        recording: id,
        sha256,
        content_type: form.content_type(),
        class: ObjectClass::Recording,
    };
    let Some(file) = ctx.vault.spooled(id)? else {
        return without_file(ctx, row, form, name).await;
    };
    if row.bytes.is_some_and(|bytes| bytes != file.len()) {
        return another_file(ctx, row).await;
    }
    let put = if form == Form::Sealed {
        let content = Counted { inner: file, job };
        match ctx.objects.put(name, &content, &about(row.sha256.clone())).await {
            Err(error @ ObjectError::Corrupt { .. }) => {
                if is_what_the_row_says(row, &content.inner).await? {
                    return Err(error.into());
                }
                return another_file(ctx, row).await;
            }
            put => put?,
        }
    } else {
        let content = Counted { inner: ctx.vault.plain(id, &key_of(row)?).await?, job };
        ctx.objects.put(name, &content, &about(None)).await?
    };
    counter!("sayso_upload_bytes_total").increment(put.bytes);
    Ok(Some(put))
}

/// The spool's file is gone although the row waits for its upload: somebody removed it, or the disk was lost. What
/// the store has is taken: the whole, or else the segments. `None`: they are to be encoded first.
async fn without_file(
    ctx: &Context,
    row: &RecordingRow,
    form: Form,
    name: &str,
) -> Result<Option<Put>, Fault> {
    if let Some(head) = ctx.objects.head(name).await? {
        let sha256 = match form {
            Form::Sealed => row.sha256.clone(),
            // What was plain is known by what was said of it when it was put.
            Form::Wav | Form::Ogg => head.sha256,
        };
        let bytes = if form == Form::Sealed { row.bytes.unwrap_or(head.bytes) } else { head.bytes };
        if let Some(sha256) = sha256 {
            return Ok(Some(ctx.objects.verify(name, bytes, &sha256).await?));
        }
    }
    another_file(ctx, row).await
}

/// What is in the spool is not what the row says, as after a rescue that was cut short: the row follows it, or the file
/// is made again. `None`: it is to be encoded first.
async fn another_file(ctx: &Context, row: &RecordingRow) -> Result<Option<Put>, Fault> {
    rescue::recording(ctx, row).await?;
    if row.format == "opus" {
        return Ok(None);
    }
    Err(Fault::Other("its file in the spool was made again: the new one is uploaded next".to_owned()))
}

/// Whether a file has the row's SHA-256.
async fn is_what_the_row_says(row: &RecordingRow, file: &dyn Content) -> Result<bool, Fault> {
    const STEP: u64 = 1 << 20;
    let (mut hash, mut at) = (Digest::new(&SHA256), 0);
    while at < file.len() {
        let end = file.len().min(at + STEP);
        let read = file.read(at..end).await;
        hash.update(&read.map_err(|error| Fault::Other(format!("its file cannot be read: {error}")))?);
        at = end;
    }
    Ok(row.sha256.as_deref() == Some(hex::encode(hash.finish()).as_str()))
}

/// Steps 3 and 4; until when something is locked, if it is.
async fn tidy(ctx: &Context, job: &Held, id: RecordingId) -> Result<Option<Timestamp>, Fault> {
    ctx.with_vault(move |vault| vault.let_go(id)).await?;
    ctx.step("let-go")?;
    ctx.guard.close(id).await;
    let mut locked = remove(ctx, &Target::Below(&names::segments(id))).await?;
    // An earlier try may have put it in another form: the configuration was another one then.
    if job.row.attempts > 1 {
        let stored = ctx.store.recording(id).await?.and_then(|row| row.object);
        for form in Form::ALL {
            let name = names::whole(id, form);
            if stored.as_ref().is_some_and(|object| object.name != name) {
                locked = locked.max(remove(ctx, &Target::Name(&name)).await?);
            }
        }
    }
    ctx.step("segments-removed")?;
    Ok(locked)
}

/// Removes what is of no use any more; until when it is locked, if it is.
async fn remove(ctx: &Context, target: &Target<'_>) -> Result<Option<Timestamp>, Fault> {
    match ctx.objects.remove(target).await {
        Ok(_) => Ok(None),
        Err(ObjectError::Locked { until, .. }) => Ok(Some(until)),
        Err(error) => Err(error.into()),
    }
}

/// Content that tells how far its upload is.
struct Counted<'a, C> {
    inner: C,
    job: &'a Held,
}

impl<C: Content> Content for Counted<'_, C> {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, io::Result<Bytes>> {
        // Between two requests, so that none is dropped while it is under way.
        if self.job.is_given_up() {
            return Box::pin(std::future::ready(Err(io::Error::other("the upload is given up"))));
        }
        self.job.progress(range.end, self.inner.len());
        self.inner.read(range)
    }

    fn file(&self) -> Option<&Path> {
        self.inner.file()
    }
}
