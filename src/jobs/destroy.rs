//! Destroy: the key of the recording is destroyed already, with the row's state; now every copy goes, and a signed
//! certificate says so.
//!
//! 1. What there is is listed: the spool's files, the object in every form with all its versions and delete markers, its
//!    segments, uploads that were never finished. The list goes to the audit log before anything is removed, so that
//!    the certificate tells all of it after a crash too.
//! 2. All of it is removed: the local copies first, they need nobody else.
//! 3. Everything is listed again. Only when nothing is found, what was stored was looked for where it was put (`absent`),
//!    nothing is on its way into the store any more, and the destroyed key is out of the database's own files,
//! 4. the certificate is signed, and stored with the row's last state in one transaction.
//!
//! What a compliance lock holds (`erasure = "key-only"`) stays noise until the lock ends. Until then the row is
//! `destroyed`, the job is due when the lock ends, and the alarm says so. There is no certificate before: one that
//! says "all but" would be shown as one that says "all".

mod absent;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::certificate::{self, Certificate, ChainPosition, PRODUCT};
use crate::ids::RecordingId;
use crate::reconcile::State;
use crate::store::{AuditFilter, Change, JobKind, RecordingChange, RecordingRow};
use crate::time::Timestamp;
use crate::vault::objects::{ObjectError, Target, Trace, TraceKind};

use super::names::{self, Form};
use super::runner::fails;
use super::{AlarmKind, Context, Fault, Held, Outcome};

pub use absent::{GoneError, say_gone};

/// The audit log's word for what was found before anything was removed.
const FOUND: &str = "recording.copies-found";
/// How long it is waited for those who read the database, who hold up the end of destroyed keys in its log.
const SHRED_WITHIN: Duration = Duration::from_secs(60);
/// Its word for the end of the key.
const DESTROYED: &str = "recording.destroyed";

pub(super) async fn run(ctx: &Context, job: &Held) -> Result<Outcome, Fault> {
    let (row, state) = job.recording(ctx).await?;
    let certified = match state {
        State::Destroyed => false,
        // Reconciliation found that something came back, with a backup perhaps: it goes again. The certificate stays
        // what it is, and the audit log has what was found.
        State::Removed => true,
        State::Armed
        | State::Recording
        | State::Finished
        | State::Stored
        | State::Discarded
        | State::Failed => return Err(Fault::not_for(state, "removed")),
    };
    let id = row.id;
    // They were dropped when it was destroyed.
    for kind in [JobKind::Rescue, JobKind::Encode, JobKind::Upload] {
        ctx.alarms.clear_for(AlarmKind::JobFails, &fails(kind, &job.row.subject));
    }
    for kind in [AlarmKind::ObjectConflict, AlarmKind::RecordingLost, AlarmKind::RecordingDamaged] {
        ctx.alarms.clear_for(kind, &job.row.subject);
    }
    // No segment comes after this.
    ctx.guard.close(id).await;
    let local = ctx.with_vault(move |vault| vault.destroy(id)).await?;
    ctx.step("local-removed")?;
    let mut targets = Targets::of(&row);
    let mut found: BTreeSet<String> = local.before.into_iter().collect();
    found.extend(traces(ctx, &targets).await?);
    let found = remember(ctx, id, found).await?;
    targets.add_next_segment(id, &found);
    ctx.step("found")?;
    if let Some(until) = remove(ctx, &targets).await? {
        return Ok(locked(ctx, id, until));
    }
    ctx.step("removed")?;
    let mut left = traces(ctx, &targets).await?;
    left.extend(ctx.with_vault(move |vault| vault.destroy(id)).await?.after);
    if !left.is_empty() {
        let left = left.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Fault::Other(format!(
            "still there after it was removed: {left}; find out what puts it back"
        )));
    }
    if certified {
        ctx.alarms.clear_for(AlarmKind::DestructionWaits, &id.to_string());
        return Ok(Outcome::Done(None));
    }
    let absent = absent::prove(ctx, &row, &found).await?;
    if let Some(due) = settles_at(ctx, &row).await?.filter(|due| *due > ctx.clock.now()) {
        let why = format!(
            "all copies are removed; an upload of it was cut off, which the store may still carry out: it is looked \
             again at {due}, and certified then"
        );
        return Ok(Outcome::Later { due, why });
    }
    let shredded = timeout(SHRED_WITHIN, ctx.store.shred()).await.map_err(|_| {
        Fault::Other("somebody reads the database for so long that destroyed keys stay in its log".to_owned())
    })??;
    ctx.alarms.clear_for(AlarmKind::DestructionWaits, &id.to_string());
    let at = ctx.clock.now();
    let unseen = absent.into_iter().chain(shredded.map(str::to_owned)).collect();
    let certificate = certify(ctx, &row, found, unseen, at).await?;
    ctx.guard.on_removed(id);
    Ok(Outcome::Done(Some(RecordingChange::Removed { id, at, certificate })))
}

/// When all that was ever on its way into the store has landed or never will; `None`: nothing was cut off.
async fn settles_at(ctx: &Context, row: &RecordingRow) -> Result<Option<Timestamp>, Fault> {
    let Some(settle) = ctx.settle else { return Ok(None) };
    let upload = ctx.store.unsettled_at(row.id).await?.filter(|_| !ctx.guard.is_seen_to_end(row.id));
    let last = [upload, ctx.guard.cut_off(row.id), segment_cut_off(ctx, row)].into_iter().flatten().max();
    Ok(last.map(|at| at + settle))
}

/// When a crash may have cut a segment off.
fn segment_cut_off(ctx: &Context, row: &RecordingRow) -> Option<Timestamp> {
    let began = row.started_at.filter(|began| *began < ctx.began)?;
    let crash = match (row.ended_at, row.salvaged) {
        (Some(_), false) => return None,
        (Some(salvaged), true) => salvaged,
        // Destroyed while it went on, by an earlier process.
        (None, _) => ctx.began,
    };
    (crash.since(began) >= ctx.config.segment).then_some(crash)
}

/// All names that copies of it can have.
struct Targets {
    names: Vec<String>,
    segments: String,
}

impl Targets {
    fn of(row: &RecordingRow) -> Self {
        let mut names: Vec<String> = Form::ALL.into_iter().map(|form| names::whole(row.id, form)).collect();
        // As it was named when it was stored.
        if let Some(object) = row.object.as_ref().filter(|object| !names.contains(&object.name)) {
            names.push(object.name.clone());
        }
        Self { names, segments: names::segments(row.id) }
    }

    /// The segment after the last: some stores tell of an upload that was never finished only to who asks for its exact
    /// name.
    fn add_next_segment(&mut self, id: RecordingId, found: &BTreeSet<String>) {
        let is = |n: u32| {
            let name = format!("object {} ", names::segment(id, n));
            let with_comma = format!("object {},", names::segment(id, n));
            found.range(with_comma.clone()..).next().is_some_and(|line| line.starts_with(&with_comma))
                || found.range(name.clone()..).next().is_some_and(|line| line.starts_with(&name))
        };
        let next = (0..1_000_000).find(|n| !is(*n)).unwrap_or(0);
        self.names.push(names::segment(id, next));
    }

    fn all(&self) -> impl Iterator<Item = Target<'_>> {
        let names = self.names.iter().map(|name| Target::Name(name));
        names.chain([Target::Below(&self.segments)])
    }
}

/// What the object store holds of it, in words.
async fn traces(ctx: &Context, targets: &Targets) -> Result<BTreeSet<String>, Fault> {
    let mut all = BTreeSet::new();
    for target in targets.all() {
        all.extend(ctx.objects.traces(&target).await?.iter().map(words));
    }
    Ok(all)
}

fn words(trace: &Trace) -> String {
    let Trace { name, version, kind, bytes } = trace;
    let version = version.as_deref().unwrap_or("-");
    match kind {
        TraceKind::Version => format!("object {name} version {version}, {bytes} bytes"),
        TraceKind::DeleteMarker => format!("object {name} delete marker {version}"),
        TraceKind::Upload => format!("object {name} unfinished upload {version}"),
        TraceKind::File => format!("object {name}, {bytes} bytes"),
    }
}

/// Puts into the audit log what was found and is not there yet; all that was ever found.
async fn remember(
    ctx: &Context,
    id: RecordingId,
    found: BTreeSet<String>,
) -> Result<BTreeSet<String>, Fault> {
    let filter = AuditFilter {
        object: Some(id.to_string()),
        action: Some(FOUND.to_owned()),
        limit: 1_000,
        ..AuditFilter::default()
    };
    let mut known = BTreeSet::new();
    for row in ctx.store.audit(&filter).await? {
        let text = row.new.as_ref().and_then(|value| value.text());
        known.extend(text.into_iter().flat_map(|text| text.lines().map(str::to_owned)));
    }
    let new: Vec<&String> = found.difference(&known).collect();
    if !new.is_empty() {
        let list = new.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n");
        let event = AuditEvent::new(
            Class::Modify,
            Actor::System,
            ctx.clock.now(),
            FOUND,
            Object::new("recording", id),
        )
        .new_value(Some(Value::plain(list)));
        ctx.store.commit(vec![Change::Audit(event)]).await?;
    }
    Ok(known.into_iter().chain(found).collect())
}

/// Removes all; until when something is locked, if something is.
async fn remove(ctx: &Context, targets: &Targets) -> Result<Option<Timestamp>, Fault> {
    let mut until = None;
    for target in targets.all() {
        match ctx.objects.remove(&target).await {
            Ok(_) => {}
            Err(ObjectError::Locked { until: lock, .. }) => until = until.max(Some(lock)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(until)
}

fn locked(ctx: &Context, id: RecordingId, until: Timestamp) -> Outcome {
    let what = format!(
        "recording {id} is destroyed: its key is gone and all copies but what the bucket's compliance lock holds until \
         {until}, which is noise without it; it is removed and certified then"
    );
    ctx.alarms.raise_for(AlarmKind::DestructionWaits, &id.to_string(), what.clone());
    Outcome::Later { due: until, why: what }
}

/// The signed certificate. `unseen`: what nobody has seen, beside what cannot be looked at in any case.
async fn certify(
    ctx: &Context,
    row: &RecordingRow,
    found: BTreeSet<String>,
    unseen: Vec<String>,
    removed_at: Timestamp,
) -> Result<String, Fault> {
    let audit = ctx.store.audit_position(&row.id.to_string(), DESTROYED).await?;
    let audit = audit.ok_or_else(|| Fault::Other(format!("the audit log has no {DESTROYED} of it")))?;
    // Without an open job it had let go of its file when that was stored, and any node may do this.
    let elsewhere = row.spool.as_ref().filter(|spool| *spool != ctx.vault.spool_id()).map(|spool| {
        format!("spool {spool}, which let go of its file when it was stored, is another node's")
    });
    let not_listed = ctx.objects.not_listed().map(str::to_owned);
    let not_seen = [elsewhere, not_listed].into_iter().flatten().chain(unseen).collect();
    let certificate = Certificate {
        recording: row.id,
        call: row.call,
        rule: row.rule.clone().unwrap_or_default(),
        reason: certificate::reason_told(
            row.rule.as_deref().unwrap_or_default(),
            row.why.as_deref().unwrap_or_default(),
        ),
        by: row.destroyed_by.clone().unwrap_or_default(),
        key_destroyed_at: row.destroyed_at.unwrap_or(removed_at),
        audit: ChainPosition { n: audit.seq, hash: audit.hash.0 },
        found_before: found.into_iter().collect(),
        found_after: Vec::new(),
        looked_in: vec![
            format!("object store {}", ctx.objects.place()),
            format!("spool {}", ctx.vault.spool_id()),
        ],
        not_seen,
        removed_at,
        product: PRODUCT.to_owned(),
    };
    Ok(certificate::sign(&certificate, |bytes| ctx.signer.sign(bytes), ctx.signer.public_key()))
}
