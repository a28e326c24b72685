//! Files that are made for people: each is sealed beside the spool under a key of its own, which the task's row holds
//! wrapped. What a crash left is written over: its key was never stored.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::export::report::{self, CallReport};
use crate::export::{Audio, AudioError, AudioFile, AuditPlace, Facts, Feed, Manifest, Signing, Zip};
use crate::ids::{CallId, RecordingId, Redacted, TaskId};
use crate::jobs::{Context, Fault, Held, Outcome};
use crate::store::{
    Change, ConsentRow, ConsentsToExport, EntryRow, Listened, ListenedTo, PrivacyChange, RecordingRow,
    TaskCounts, TaskFile, TaskRow, Whose,
};
use crate::vault::{Contents, Filling, VaultError, WrappedKey};

use super::{calls, change, end};

/// Consents that are read at a time.
const PAGE: u32 = 500;

pub(super) async fn report(ctx: &Context, job: &Held, task: &TaskRow) -> Result<Outcome, Fault> {
    let making = Making::begin(ctx, task).await?;
    let feed = Feed::start(making.filling);
    let counts = write_report(ctx, job, task, |octets| feed.octets(octets)).await?;
    let filling = feed.finish().await.map_err(|error| making.place.unwritten(&error))?;
    let file = making.place.finish(ctx, filling, "text/csv").await?;
    ctx.step("made")?;
    end(ctx, task, true, "the report is made".to_owned(), counts, Some(file), None).await
}

/// Hands the rows of all that a task is about to `put`, piece by piece.
pub(super) async fn write_report<F: Future<Output = ()>>(
    ctx: &Context,
    job: &Held,
    task: &TaskRow,
    put: impl Fn(Vec<u8>) -> F,
) -> Result<TaskCounts, Fault> {
    let calls = calls(ctx, task).await?;
    let total = calls.len() as u64;
    let mut counts = TaskCounts::default();
    put(report::heading()).await;
    for (n, call) in calls.iter().enumerate() {
        job.progress(n as u64, total);
        // It may have gone by retention meanwhile.
        let Some(detail) = ctx.store.call(*call).await? else { continue };
        let (notes, data) = ctx.store.written_about(*call).await?;
        counts.calls += 1;
        counts.recordings += detail.recordings.len() as u64;
        put(report::call(&CallReport { detail, notes, data })).await;
    }
    let (consents, entries) = beside(ctx, task, &calls).await?;
    counts.consents = consents.len() as u64;
    counts.entries = entries.len() as u64;
    put(report::consents(consents.iter().map(|row| (row, false)))).await;
    put(report::entries(&entries)).await;
    job.progress(total, total);
    Ok(counts)
}

/// The consents, if they are meant, and the entries of a task.
async fn beside(
    ctx: &Context,
    task: &TaskRow,
    calls: &[CallId],
) -> Result<(Vec<ConsentRow>, Vec<EntryRow>), Fault> {
    let entries = ctx.store.directory_entries(&ctx.store.privacy_task_entries(task.id).await?).await?;
    if !task.consents {
        return Ok((Vec::new(), entries));
    }
    let mut numbers: BTreeSet<String> =
        entries.iter().filter_map(|entry| entry.number.as_ref().map(|number| number.0.clone())).collect();
    numbers.extend(ctx.store.numbers_of(calls).await?);
    Ok((ctx.store.consents_of(calls, &numbers).await?, entries))
}

pub(super) async fn zip(ctx: &Context, job: &Held, task: &TaskRow) -> Result<Outcome, Fault> {
    let making = Making::begin(ctx, task).await?;
    let zip = Zip::begin(making.filling);
    let (calls, mut counts, mut broken) = (calls(ctx, task).await?, TaskCounts::default(), Vec::new());
    let rows = recordings(ctx, &calls).await?;
    counts.calls = calls.len() as u64;
    for (n, row) in rows.iter().enumerate() {
        job.progress(n as u64, rows.len() as u64);
        match put_recording(ctx, task, &zip, row).await? {
            Ok(()) => counts.recordings += 1,
            Err(Unread::Gone) => {}
            Err(Unread::Broken(id)) => broken.push(id.to_string()),
        }
    }
    let filling = zip.finish().await.map_err(|error| making.place.unwritten(&error))?;
    let file = making.place.finish(ctx, filling, "application/zip").await?;
    ctx.step("made")?;
    let told = match broken.len() {
        0 => "the recordings are in the zip".to_owned(),
        n => format!("{n} recordings could not be read and are not whole in the zip: {}", broken.join(", ")),
    };
    end(ctx, task, true, told, counts, Some(file), None).await
}

/// The recordings of calls of which something is or was to be heard.
pub(super) async fn recordings(ctx: &Context, calls: &[CallId]) -> Result<Vec<RecordingRow>, Fault> {
    let mut rows = Vec::new();
    for call in calls {
        if let Some(detail) = ctx.store.call(*call).await? {
            let there =
                |row: &RecordingRow| !["discarded", "destroyed", "removed"].contains(&row.state.as_str());
            rows.extend(detail.recordings.into_iter().filter(there));
        }
    }
    Ok(rows)
}

/// Why a recording is not in a zip.
pub(super) enum Unread {
    /// It was destroyed meanwhile.
    Gone,
    /// There is nothing whole of it, or what there is is damaged.
    Broken(RecordingId),
}

/// Puts a recording into a zip; that it is taken out is in the audit log and the listening log before the first octet.
pub(super) async fn put_recording<W: Write + Send + 'static>(
    ctx: &Context,
    task: &TaskRow,
    zip: &Zip<W>,
    row: &RecordingRow,
) -> Result<Result<(), Unread>, Fault> {
    let id = row.id;
    let opened = Audio::open(row, &ctx.vault, &ctx.objects).await;
    let audio = match opened {
        Ok(audio) => audio,
        Err(error) => return unread(ctx, id, error).await,
    };
    let (at, by) = (ctx.clock.now(), Actor::User(task.by.clone()));
    let event =
        AuditEvent::new(Class::Read, by.clone(), at, "recording.exported", Object::new("recording", id));
    let event = event.new_value(Some(Value::Plain(format!("for the task {}", task.id))));
    let reason = Some(Redacted(format!("task {}", task.id)));
    let listened = Listened { at, who: task.by.clone(), to: ListenedTo::Recording(id), reason };
    ctx.store.commit(vec![Change::Audit(event), Change::Listened(listened)]).await?;
    let place = ctx.store.audit_position(&id.to_string(), "recording.exported").await?;
    let audit = place.map(|head| AuditPlace { n: head.seq, hash: head.hash.to_string() });
    let call =
        ctx.store.call(row.call).await?.ok_or_else(|| Fault::Other(format!("call {} is gone", row.call)))?;
    let facts = Facts { recording: row.clone(), call, at, by: by.to_string(), audit };
    let manifest = |file: &AudioFile| {
        let sign = |message: &[u8]| ctx.signer.sign(message);
        Manifest::sign(&facts, file, &Signing { public: ctx.signer.public_key(), sign: &sign })
    };
    match zip.recording(id, &audio, manifest).await {
        Ok(()) => Ok(Ok(())),
        Err(error) => unread(ctx, id, error).await,
    }
}

/// What to do about a recording that cannot be read: a store that is away comes back.
async fn unread(ctx: &Context, id: RecordingId, error: AudioError) -> Result<Result<(), Unread>, Fault> {
    match error {
        AudioError::Away(error) => return Err(error.into()),
        AudioError::Elsewhere(_) => {
            return Err(Fault::Other(format!("recording {id} waits for its upload: {error}")));
        }
        AudioError::Destroyed
        | AudioError::NotWhole(_)
        | AudioError::Failed(_)
        | AudioError::Damaged(_)
        | AudioError::Unwritten { .. }
        | AudioError::Vault(_) => {}
    }
    let row = ctx.store.recording(id).await?;
    let gone = row.is_none_or(|row| ["discarded", "destroyed", "removed"].contains(&row.state.as_str()));
    if gone {
        return Ok(Err(Unread::Gone));
    }
    tracing::warn!(recording = %id, %error, "a recording cannot be put into a zip");
    Ok(Err(Unread::Broken(id)))
}

pub(super) async fn consents(ctx: &Context, job: &Held, task: &TaskRow) -> Result<Outcome, Fault> {
    let making = Making::begin(ctx, task).await?;
    let number = match &task.whose {
        Some(Whose::Of(number)) => Some(number),
        Some(Whose::Everybodys) | None => None,
    };
    // What is given from now on is neither written out nor reset.
    let (at, last) = (ctx.clock.now(), ctx.store.last_consent().await?);
    let which = ConsentsToExport {
        number: number.cloned(),
        since: None,
        until: None,
        restricted: true,
        last: Some(last),
    };
    let feed = Feed::start(making.filling);
    feed.octets(report::heading()).await;
    let (mut after, mut written, mut restricted) = (None, 0, false);
    loop {
        let page = ctx.store.consents_to_export(&which, after, PAGE).await?;
        written += page.items.len() as u64;
        restricted |= page.items.iter().any(|one| one.restricted);
        job.progress(written, task.counts.consents.max(written));
        feed.octets(report::consents(page.items.iter().map(|one| (&one.row, one.reset)))).await;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let filling = feed.finish().await.map_err(|error| making.place.unwritten(&error))?;
    let file = TaskFile { restricted, ..making.place.finish(ctx, filling, "text/csv").await? };
    ctx.step("made")?;
    change(ctx, PrivacyChange::Reset { id: task.id, last, at }).await?;
    ctx.step("reset")?;
    let counts = TaskCounts { consents: written, ..TaskCounts::default() };
    end(ctx, task, true, "written out, then reset".to_owned(), counts, Some(file), None).await
}

/// A file that is being made.
struct Making {
    filling: Filling,
    place: Place,
}

/// Where it is to lie.
struct Place {
    id: TaskId,
    path: PathBuf,
    key: WrappedKey,
}

impl Making {
    async fn begin(ctx: &Context, task: &TaskRow) -> Result<Self, Fault> {
        let id = task.id;
        let begun = move |vault: &crate::vault::Vault| {
            let (path, (key, wrapped)) = (vault.chest(id)?, vault.draw_chest_key(id));
            let filling = Filling::begin(&path, id, &key, &[]).map_err(VaultError::io("create", &path))?;
            Ok((filling, path, wrapped))
        };
        let (filling, path, key) = ctx.with_vault(begun).await?;
        Ok(Self { filling, place: Place { id, path, key } })
    }
}

impl Place {
    /// Seals it; what the task's row is to say of it.
    async fn finish(self, ctx: &Context, filling: Filling, content_type: &str) -> Result<TaskFile, Fault> {
        let Self { id: _, path, key } = self;
        let Contents { bytes, sha256 } = ctx.with_vault(move |_| filling.finish(&path)).await?;
        Ok(TaskFile {
            spool: ctx.vault.spool_id().to_owned(),
            kek: key.kek().map(|kek| kek.to_string()),
            wrapped_key: Redacted(key.0),
            content_type: content_type.to_owned(),
            bytes,
            sha256,
            // Who may see what is restricted alone asks for the others.
            restricted: true,
        })
    }

    fn unwritten(&self, error: &std::io::Error) -> Fault {
        Fault::Other(format!(
            "the file of task {} cannot be written to {}: {error}",
            self.id,
            self.path.display()
        ))
    }
}
