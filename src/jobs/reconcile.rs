//! Reconciliation: database, object store and this node's spool are compared day by day, and a report says what is
//! not as it should be. What is wrong and what that means is decided in [`crate::reconcile`]; here it is read, a page
//! at a time, and what can mend itself is made a job again.
//!
//! Servers go on working meanwhile, so both sides are seen at different moments: what seems wrong is read anew before
//! it is believed (`look.rs`). How far a run is stands in its report after each day, in one transaction with what
//! was found, so that after a crash it goes on from there and counts nothing twice.

mod ask;
mod look;
mod orphan;
#[cfg(test)]
mod tests;
mod turn;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::ids::{CallId, RecordingId};
use crate::reconcile::{
    Counts, Day, Finding, FindingKind, Merge, RECORDINGS, Rules, Sample, SeenCall, SeenJob, SeenObject,
    State, Step, Verdict, folder_of, judge_call, judge_job, judge_spool_file, judge_upload, stray,
};
use crate::store::{
    CallRow, Change, JobFilter, JobKind, JobRow, Progress, ReconciliationChange, ReconciliationRow,
    ReconciliationState, Store, StoreError,
};
use crate::time::{Clock, Timestamp};
use crate::vault::objects::{Listed, ObjectError, Objects};

pub use ask::{Scope, Subject, ask};
pub use orphan::{OrphanError, remove_orphan};
pub(super) use turn::{run, watch};

use look::Known;

/// Rows and objects that are held at a time.
const PAGE: u32 = 1_000;
/// Findings that are held before they are written.
const FINDINGS: usize = 200;
/// Of a thousand objects so many are read and compared; the first [`AT_LEAST`] of each day in any case. At this
/// rate each object is read once in 100 runs, and a store that spoils objects shows in the first.
const PER_MILLE: u16 = 10;
/// Small stores are read as a whole: it costs nothing.
const AT_LEAST: u32 = 25;
/// A job that is planned for later than any back-off waits lawfully, for the end of a lock.
const PLANNED: Duration = Duration::from_secs(15 * 60);

/// What is compared, and by whom.
#[derive(Clone)]
pub struct Compared {
    /// The database.
    pub store: Store,
    /// The object store.
    pub objects: Objects,
    /// The spool that can be seen from here.
    pub spool: SpoolPlace,
    /// The time.
    pub clock: Clock,
    /// What is too old.
    pub rules: Rules,
}

/// A spool: its identity and its folder.
#[derive(Clone, Debug)]
pub struct SpoolPlace {
    /// What rows and jobs call it.
    pub id: String,
    /// Where its files are.
    pub dir: PathBuf,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// The spool.
    #[error("cannot read the spool {path}: {source}")]
    Spool {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// The job is about no reconciliation.
    #[error("{0:?} names no reconciliation: remove the job, and ask for another one")]
    Subject(String),
}

impl ReconcileError {
    /// Whether it may work later without anybody doing something.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Store(error) => !error.is_final(),
            Self::Objects(error) => error.passes(),
            Self::Spool { .. } => true,
            Self::Subject(_) => false,
        }
    }
}

/// Does the job `reconcile` about `subject`: begins it or goes on with it, and ends its report. Dropped at any
/// moment, it can be done again. `progress` is told how far it is.
///
/// # Errors
/// When database, object store or spool do not do their work; the report stays open, and the next try goes on.
pub async fn reconcile(
    compared: &Compared,
    subject: &str,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Counts, ReconcileError> {
    let wanted: Subject = subject.parse().map_err(|_| ReconcileError::Subject(subject.to_owned()))?;
    let report = began(compared, wanted).await?;
    if report.state != ReconciliationState::Running {
        // It was done by the time this job was taken: by another node, or before a crash that left the job.
        return Ok(report.counts.map(Counts::from_json).unwrap_or_default());
    }
    let reached = report.counts.clone().map(Reached::from_json).unwrap_or_default();
    let since = last_whole(compared).await?;
    let known = Known::of(compared).await?;
    let run = Run { compared, known, wanted, since, reached, findings: Vec::new(), progress, first: None };
    run.all().await
}

/// The report, begun if it was not.
async fn began(compared: &Compared, wanted: Subject) -> Result<ReconciliationRow, ReconcileError> {
    let Subject { id, .. } = wanted;
    if let Some(row) = compared.store.reconciliation(id).await? {
        return Ok(row);
    }
    let began = ReconciliationChange::Began { id, at: compared.clock.now(), by: crate::audit::Actor::System };
    compared.store.commit(vec![Change::Report(began)]).await?;
    let row = compared.store.reconciliation(id).await?;
    row.ok_or_else(|| StoreError::Missing { what: "reconciliation", id: id.to_string() }.into())
}

/// When the last whole run began: calls that failed since are news.
async fn last_whole(compared: &Compared) -> Result<Timestamp, ReconcileError> {
    let Some(id) = compared.store.last_reconciliation().await? else {
        return Ok(Timestamp::from_micros(0));
    };
    let row = compared.store.reconciliation(id).await?;
    Ok(row.map_or(Timestamp::from_micros(0), |row| row.began_at))
}

/// How far a run is, as its report keeps it while it goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Reached {
    #[serde(flatten)]
    counts: Counts,
    /// The last day that was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    /// Objects up to this name were seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl Reached {
    fn from_json(json: serde_json::Value) -> Self {
        // A report that another version of Sayso began is begun anew; what it found is known by subject.
        serde_json::from_value(json).unwrap_or_default()
    }
}

struct Run<'a> {
    compared: &'a Compared,
    known: Known,
    wanted: Subject,
    /// Calls that ended later are news.
    since: Timestamp,
    reached: Reached,
    /// Not written yet.
    findings: Vec<Finding>,
    progress: &'a (dyn Fn(Progress) + Send + Sync),
    /// The first day of this run.
    first: Option<Day>,
}

impl Run<'_> {
    async fn all(mut self) -> Result<Counts, ReconcileError> {
        while let Some(day) = self.next_day().await? {
            self.calls(day).await?;
            self.recordings(day).await?;
            self.reached.day = Some(day.to_string());
            let end = end_of(day);
            if self.reached.after.as_ref().is_none_or(|after| *after < end) {
                self.reached.after = Some(end);
            }
            self.write(true).await?;
        }
        self.uploads().await?;
        self.jobs().await?;
        self.spool().await?;
        self.write(false).await?;
        let id = self.wanted.id;
        let counts = std::mem::take(&mut self.reached.counts);
        let text = serde_json::to_string(&counts).unwrap_or_default();
        let ended = ReconciliationChange::Ended { id, at: self.compared.clock.now(), counts: text };
        self.compared.store.commit(vec![Change::Report(ended)]).await?;
        Ok(counts)
    }

    /// The next day of which there is anything; objects before it that are in no day's folder are found on the way.
    async fn next_day(&mut self) -> Result<Option<Day>, ReconcileError> {
        let done: Option<Day> = self.reached.day.as_ref().and_then(|day| day.parse().ok());
        let from = done.map_or(Ulid(0), |day| day.next().first_id());
        let (store, last) = (&self.compared.store, Ulid(u128::MAX));
        let (first, end) = (RecordingId::new(from), RecordingId::new(last));
        let recording = store.recordings_between(first, end, None, 1).await?;
        let recording = recording.first().map(|row| Day::of(row.id));
        let (first, end) = (CallId::new(from), CallId::new(last));
        let call = store.calls_between(first, end, None, 1).await?.first().map(|row| Day::of(row.id));
        let object = self.next_object_day().await?;
        let day = [recording, call, object].into_iter().flatten().min();
        if let Some(day) = day {
            self.first = self.first.or(Some(day));
            self.tell(day, 0);
        }
        Ok(day)
    }

    async fn next_object_day(&mut self) -> Result<Option<Day>, ReconcileError> {
        loop {
            let after = self.reached.after.as_deref();
            let page = self.compared.objects.list(RECORDINGS, after, 1).await?;
            let Some(object) = page.objects.into_iter().next() else { return Ok(None) };
            let rest = object.name.strip_prefix(RECORDINGS).unwrap_or_default();
            let in_folder = rest.as_bytes().get(10) == Some(&b'/');
            if let Some(day) = rest.get(..10).filter(|_| in_folder).and_then(|day| day.parse().ok()) {
                return Ok(Some(day));
            }
            self.reached.after = Some(object.name.clone());
            self.reached.counts.objects += 1;
            self.reached.counts.bytes += object.bytes;
            self.found(stray(&seen(object)));
            self.write_if_many().await?;
        }
    }

    /// Every call of the day.
    async fn calls(&mut self, day: Day) -> Result<(), ReconcileError> {
        let (from, to) = (CallId::new(day.first_id()), CallId::new(day.next().first_id()));
        let mut after = None;
        loop {
            let page = self.compared.store.calls_between(from, to, after, PAGE).await?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(()) };
            let span = (first.id, last.id);
            after = Some(last.id);
            for call in seen_calls(&self.compared.store, page, span).await? {
                let mut verdict = judge_call(&call);
                if let Verdict::Failed(_) = verdict {
                    verdict = look::call_again(&self.compared.store, &call).await?;
                }
                self.reached.counts.call(&verdict);
                if let Verdict::Failed(how) = verdict {
                    self.call_failed(call.id, how.word());
                }
            }
            self.write_if_many().await?;
        }
    }

    fn call_failed(&mut self, call: CallId, how: &str) {
        let began = Ulid::from_string(&call.to_string()).map_or(0, |ulid| ulid.timestamp_ms());
        let last = u64::try_from(self.since.as_micros() / 1_000).unwrap_or(0);
        self.reached.counts.failed_lately += u64::from(began >= last);
        self.found(Finding {
            kind: FindingKind::CallFailed,
            subject: call.to_string(),
            recording: None,
            call: Some(call),
            detail: how.to_owned(),
            healed: None,
        });
    }

    /// Every recording and object of the day.
    async fn recordings(&mut self, day: Day) -> Result<(), ReconcileError> {
        let (from, to) = (RecordingId::new(day.first_id()), RecordingId::new(day.next().first_id()));
        let folder = folder_of(day);
        // The first page of objects begins behind what was seen before the folder, as a listing after a name does.
        let (mut after_row, mut after_object) = (None, None::<String>);
        let mut merge = Merge::default();
        let run = self.wanted.id.to_string().parse().unwrap_or(Ulid(0));
        let per_mille = if self.wanted.scope == Scope::Everything { 1_000 } else { PER_MILLE };
        let (mut sample, mut sampled) = (Sample::new(run, per_mille, AT_LEAST), 0);
        loop {
            match merge.poll() {
                Step::NeedRows => {
                    let page = self.compared.store.recordings_between(from, to, after_row, PAGE).await?;
                    let more = page.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
                    after_row = page.last().map(|row| row.id).or(after_row);
                    if let Some(id) = after_row {
                        self.tell(day, through_day(id));
                    }
                    self.reached.counts.recordings += u64::try_from(page.len()).unwrap_or(0);
                    let rows = self.known.rows(self.compared, page).await?;
                    merge.rows(rows, more);
                }
                Step::NeedObjects => {
                    let limit = usize::try_from(PAGE).unwrap_or(usize::MAX);
                    let page = self.compared.objects.list(&folder, after_object.as_deref(), limit).await?;
                    after_object = page.objects.last().map(|object| object.name.clone()).or(after_object);
                    self.reached.counts.objects += u64::try_from(page.objects.len()).unwrap_or(0);
                    self.reached.counts.bytes += page.objects.iter().map(|object| object.bytes).sum::<u64>();
                    merge.objects(page.objects.into_iter().map(seen).collect(), page.more);
                }
                Step::Recording(row, group) => {
                    self.recording(row.map(|row| *row), &group, (&mut sample, &mut sampled)).await?;
                    self.write_if_many().await?;
                }
                Step::Stray(object) => {
                    self.found(stray(&object));
                    self.write_if_many().await?;
                }
                Step::Done => return Ok(()),
            }
        }
    }

    /// Multipart uploads that nobody ended.
    async fn uploads(&mut self) -> Result<(), ReconcileError> {
        let now = self.compared.clock.now();
        let older = now - self.compared.rules.unfinished;
        for upload in self.compared.objects.unfinished(RECORDINGS, older).await? {
            if let Some(finding) = judge_upload(&upload.name, upload.began, &self.compared.rules, now) {
                self.found(Finding { detail: format!("{} ({})", finding.detail, upload.id), ..finding });
            }
        }
        self.write_if_many().await
    }

    /// Jobs that wait for too long.
    async fn jobs(&mut self) -> Result<(), ReconcileError> {
        let mut filter = JobFilter { limit: PAGE, ..JobFilter::default() };
        loop {
            let page = self.compared.store.jobs(&filter).await?;
            let now = self.compared.clock.now();
            for job in page.items {
                let late = waiting(&job, now).and_then(|job| judge_job(&job, &self.compared.rules, now));
                if let Some(finding) = late {
                    self.found(finding);
                }
            }
            self.write_if_many().await?;
            if page.next.is_none() {
                return Ok(());
            }
            filter.after = page.next;
        }
    }

    /// Files in the spool that no row knows.
    async fn spool(&mut self) -> Result<(), ReconcileError> {
        let mut names = look::spool_names(&self.compared.spool.dir);
        while let Some(name) = names.recv().await {
            let name = name.map_err(|source| self.spool_error(source))?;
            let id: Option<RecordingId> = name.get(..26).and_then(|id| id.parse().ok());
            let row = match id {
                Some(id) => self.compared.store.recording(id).await?,
                None => None,
            };
            let finding = judge_spool_file(&name, id, row.is_some());
            // Gone meanwhile: nothing was left.
            if let Some(finding) = finding.filter(|_| self.compared.spool.dir.join(&name).exists()) {
                self.found(finding);
                self.write_if_many().await?;
            }
        }
        Ok(())
    }

    fn spool_error(&self, source: std::io::Error) -> ReconcileError {
        ReconcileError::Spool { path: self.compared.spool.dir.clone(), source: Arc::new(source) }
    }

    fn found(&mut self, finding: Finding) {
        self.reached.counts.finding(&finding);
        self.findings.push(finding);
    }

    async fn write_if_many(&mut self) -> Result<(), ReconcileError> {
        if self.findings.len() < FINDINGS { Ok(()) } else { self.write(false).await }
    }

    /// Writes what was found, and with a day's end how far this is. Findings are known by kind and subject, so that
    /// those of a day that was cut off are not written twice.
    async fn write(&mut self, day_done: bool) -> Result<(), ReconcileError> {
        let id = self.wanted.id;
        let findings: Vec<_> = self.findings.drain(..).map(stored).collect();
        let mut changes = Vec::new();
        if !findings.is_empty() {
            changes.push(Change::Report(ReconciliationChange::Findings { id, findings }));
        }
        if day_done {
            let counts = serde_json::to_string(&self.reached).unwrap_or_default();
            changes.push(Change::Report(ReconciliationChange::Reached { id, counts }));
        }
        if !changes.is_empty() {
            self.compared.store.commit(changes).await?;
        }
        Ok(())
    }

    /// Tells how far this is: a thousandth of a day is one.
    fn tell(&self, day: Day, through: u64) {
        let Some(first) = self.first else { return };
        let last = Day::of(self.compared.clock.now()).max(day);
        let progress =
            Progress { done: day.since(first) * 1_000 + through, total: (last.since(first) + 1) * 1_000 };
        (self.progress)(progress);
    }
}

/// Behind every name of the day: `0` follows the slash.
fn end_of(day: Day) -> String {
    format!("{}0", folder_of(day).trim_end_matches('/'))
}

/// Thousandths of its day that have passed when an id was drawn.
fn through_day(id: RecordingId) -> u64 {
    let ms = Ulid::from_string(&id.to_string()).map_or(0, |ulid| ulid.timestamp_ms());
    (ms % 86_400_000) / 86_400
}

fn seen(object: Listed) -> SeenObject {
    SeenObject { name: object.name, bytes: object.bytes, modified: object.modified }
}

/// A finding as the store keeps it.
fn stored(finding: Finding) -> crate::store::Finding {
    let healed =
        finding.healed.map_or_else(String::new, |heal| format!("; the job {} is made again", heal.word()));
    let of_call = finding.call.filter(|call| call.to_string() != finding.subject);
    let of_call = of_call.map_or_else(String::new, |call| format!(" (call {call})"));
    crate::store::Finding {
        kind: finding.kind.word().to_owned(),
        subject: finding.subject,
        detail: format!("{}{of_call}{healed}", finding.detail),
    }
}

/// A page of calls with what is known of their recordings.
async fn seen_calls(
    store: &Store,
    page: Vec<CallRow>,
    (first, last): (CallId, CallId),
) -> Result<Vec<SeenCall>, StoreError> {
    let told = store.calls_told_failed(first, last).await?;
    let mut recordings = store.recordings_of_calls(first, last).await?.into_iter().peekable();
    let mut calls = Vec::with_capacity(page.len());
    for row in page {
        let mut call = SeenCall {
            id: row.id,
            ended: row.ended_at.is_some(),
            connected: row.connected_at.is_some(),
            basis: row.basis,
            detail: row.basis_detail,
            told_failed: told.contains(&row.id),
            recordings: Vec::new(),
        };
        // Both are in the order of calls.
        while let Some((id, state, salvaged)) = recordings.next_if(|(id, ..)| *id <= row.id) {
            if id == row.id {
                let state = State::from_word(&state)
                    .ok_or(StoreError::Corrupt { table: "recordings", column: "state" })?;
                call.recordings.push((state, salvaged));
            }
        }
        calls.push(call);
    }
    Ok(calls)
}

/// A job as far as it waits; `None` for one that is planned for later, or that is this one.
fn waiting(job: &JobRow, now: Timestamp) -> Option<SeenJob> {
    let counts = match job.kind {
        JobKind::Rescue | JobKind::Encode | JobKind::Upload | JobKind::Destroy => job.due < now + PLANNED,
        JobKind::Reconcile | JobKind::Retention | JobKind::Privacy => false,
    };
    counts.then(|| SeenJob {
        id: job.id.to_string(),
        kind: job.kind.word().to_owned(),
        subject: job.subject.clone(),
        created: job.created,
        attempts: job.attempts,
        error: job.error.clone(),
    })
}
