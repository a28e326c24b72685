//! A closer look: rows with all that belongs to them, and everything that seems wrong once more.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

use aws_lc_rs::digest;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use crate::ids::{ReconciliationId, RecordingId};
use crate::reconcile::{
    Day, Expected, Finding, Group, Heal, KeyState, Local, Look, Name, Row, Sample, SeenCall, State, Verdict,
    folder_of, judge, judge_call, judge_checksum, judge_traces,
};
use crate::store::{Change, JobChange, JobKind, KekState, RecordingRow, Store, StoreError};
use crate::vault::objects::{ObjectError, Objects, Target, TraceKind};

use super::{Compared, ReconcileError, Run, seen};

/// Objects of one recording that are listed at a time when it is read anew.
const AGAIN: usize = 1_000;
/// Names of spool files on their way.
const NAMES: usize = 256;

/// What holds for all rows.
pub(super) struct Known {
    /// Key-encryption keys that open something.
    keks: HashSet<String>,
}

impl Known {
    pub(super) async fn of(compared: &Compared) -> Result<Self, StoreError> {
        let keks = compared.store.keks().await?.into_iter();
        let live = keks.filter(|kek| match kek.state {
            KekState::Current | KekState::Retiring => true,
            KekState::Retired => false,
        });
        Ok(Self { keks: live.map(|kek| kek.id).collect() })
    }

    /// A page of rows, with their jobs and their files in the spool.
    pub(super) async fn rows(
        &self,
        compared: &Compared,
        page: Vec<RecordingRow>,
    ) -> Result<Vec<Row>, ReconcileError> {
        let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(Vec::new()) };
        let jobs = compared.store.jobs_of_subjects(&first.id.to_string(), &last.id.to_string()).await?;
        let mut open: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (kind, subject) in jobs {
            open.entry(subject).or_default().push(kind);
        }
        let ids: Vec<RecordingId> = page.iter().map(|row| row.id).collect();
        let files = local(compared, ids).await?;
        let rows = page.into_iter().zip(files);
        rows.map(|(row, file)| {
            let jobs = open.remove(&row.id.to_string()).unwrap_or_default();
            self.row(compared, row, file, &jobs).map_err(ReconcileError::from)
        })
        .collect()
    }

    fn row(
        &self,
        compared: &Compared,
        row: RecordingRow,
        file: Local,
        jobs: &[String],
    ) -> Result<Row, StoreError> {
        let is_open = |kinds: &[JobKind]| jobs.iter().any(|job| kinds.iter().any(|kind| kind.word() == job));
        let state = State::from_word(&row.state);
        let state = state.ok_or(StoreError::Corrupt { table: "recordings", column: "state" })?;
        let elsewhere = row.spool.as_ref().is_some_and(|spool| *spool != compared.spool.id);
        let key = match (row.wrapped_key.is_some(), row.kek) {
            (false, _) => KeyState::Gone,
            // A row of an older Sayso says none: the key file's oldest key opens it, or rotation refuses.
            (true, None) => KeyState::Known,
            (true, Some(kek)) if self.keks.contains(&kek) => KeyState::Known,
            (true, Some(kek)) => KeyState::Unknown(kek),
        };
        Ok(Row {
            id: row.id,
            call: row.call,
            state,
            armed_at: row.armed_at,
            stored_at: row.stored_at,
            removed_at: row.removed_at,
            object: row.object.map(|object| Expected {
                name: object.name,
                bytes: object.bytes,
                sha256: object.checksum,
            }),
            key,
            // A file here is seen whosever it is.
            local: if file == Local::Nothing && elsewhere { Local::Elsewhere } else { file },
            upload_open: is_open(&[JobKind::Rescue, JobKind::Encode, JobKind::Upload]),
            destroy_open: is_open(&[JobKind::Destroy]),
        })
    }

    /// A recording read anew: its row, and its objects.
    async fn again(
        &self,
        compared: &Compared,
        id: RecordingId,
    ) -> Result<(Option<RecordingRow>, Option<Row>, Group), ReconcileError> {
        // Objects first: what is put or stored in between is then in the row at least.
        let group = objects_of(&compared.objects, id).await?;
        let stored = compared.store.recording(id).await?;
        let row = match stored.clone() {
            Some(row) => self.rows(compared, vec![row]).await?.pop(),
            None => None,
        };
        Ok((stored, row, group))
    }
}

impl Run<'_> {
    /// Judges a recording. What seems wrong is judged a second time, on what is read anew, and said if it is wrong in
    /// the same way.
    pub(super) async fn recording(
        &mut self,
        row: Option<Row>,
        group: &Group,
        sample: (&mut Sample, &mut u32),
    ) -> Result<(), ReconcileError> {
        let compared = self.compared;
        if row.as_ref().is_some_and(|row| row.local == Local::Elsewhere) {
            self.reached.counts.elsewhere += 1;
        }
        let mut judgement = judge(row.as_ref(), group, &compared.rules, compared.clock.now());
        let mut row = row;
        if !judgement.findings.is_empty() {
            // Twice: between rows and objects anything may happen once, but the objects of the second reading are
            // older than its row, and those of the first may be older or newer.
            let (stored, again, group) = self.known.again(compared, group.id).await?;
            let second = judge(again.as_ref(), &group, &compared.rules, compared.clock.now());
            let said = |finding: &Finding| {
                judgement
                    .findings
                    .iter()
                    .any(|first| (first.kind, &first.subject) == (finding.kind, &finding.subject))
            };
            let believed: Vec<Finding> = second.findings.into_iter().filter(said).collect();
            for finding in believed {
                let healed = self.heal(finding.healed, stored.as_ref()).await?;
                self.found(Finding { healed, ..finding });
            }
            (row, judgement.look) = (again, second.look);
        }
        match (row, judgement.look) {
            (Some(row), Some(Look::Content { expected, suspicious })) => {
                let (sample, taken) = sample;
                if suspicious || sample.takes(row.id, *taken) {
                    *taken = taken.saturating_add(1);
                    self.content(&row, &expected).await?;
                }
            }
            (Some(row), Some(Look::Traces { suspicious })) => {
                let (sample, taken) = sample;
                if suspicious || sample.takes(row.id, sample.at_least().max(*taken)) {
                    self.traces(&row).await?;
                }
            }
            (Some(_) | None, None) | (None, Some(_)) => {}
        }
        Ok(())
    }

    /// Reads an object and compares it with what was stored.
    async fn content(&mut self, row: &Row, expected: &Expected) -> Result<(), ReconcileError> {
        let compared = self.compared;
        self.reached.counts.verified += 1;
        let seen = hash(&compared.objects, expected).await?;
        let Some(finding) = judge_checksum(row, expected, (seen.0, &seen.1)) else { return Ok(()) };
        // It may have been destroyed while it was read.
        let now = compared.store.recording(row.id).await?;
        if now.is_some_and(|now| now.state == State::Stored.word()) {
            self.found(finding);
        }
        Ok(())
    }

    /// Lists every version, delete marker, unfinished upload and segment of a removed recording.
    async fn traces(&mut self, row: &Row) -> Result<(), ReconcileError> {
        self.reached.counts.traced += 1;
        let left = traces_of(&self.compared.objects, row).await?;
        let Some(finding) = judge_traces(row, &left) else { return Ok(()) };
        let stored = self.compared.store.recording(row.id).await?;
        let healed = self.heal(finding.healed, stored.as_ref()).await?;
        self.found(Finding { healed, ..finding });
        Ok(())
    }

    /// Makes the job again that mends it. There is one of a kind and subject at most.
    async fn heal(
        &self,
        heal: Option<Heal>,
        row: Option<&RecordingRow>,
    ) -> Result<Option<Heal>, ReconcileError> {
        let (Some(heal), Some(row)) = (heal, row) else { return Ok(None) };
        let kind = match heal {
            Heal::Upload if row.format == "opus" && row.encoded_at.is_none() && row.state == "finished" => {
                JobKind::Encode
            }
            Heal::Upload => JobKind::Upload,
            Heal::Destroy => JobKind::Destroy,
            Heal::Rescue => JobKind::Rescue,
        };
        let now = self.compared.clock.now();
        let (subject, spool) = (row.id.to_string(), row.spool.clone());
        let again = JobChange::Enqueue { kind, subject, spool, due: now, at: now };
        self.compared.store.commit(vec![Change::Job(again)]).await?;
        tracing::warn!(recording = %row.id, job = kind.word(), "a job that was missing is made again");
        Ok(Some(heal))
    }
}

/// Judges a call once more, on what is stored now: it may have ended between the two pages it was read from.
pub(super) async fn call_again(store: &Store, call: &SeenCall) -> Result<Verdict, StoreError> {
    let Some(detail) = store.call(call.id).await? else { return Ok(judge_call(call)) };
    let mut recordings = Vec::new();
    for row in &detail.recordings {
        let state = State::from_word(&row.state);
        let state = state.ok_or(StoreError::Corrupt { table: "recordings", column: "state" })?;
        recordings.push((state, row.salvaged));
    }
    Ok(judge_call(&SeenCall {
        id: call.id,
        ended: detail.call.ended_at.is_some(),
        connected: detail.call.connected_at.is_some(),
        basis: detail.call.basis,
        detail: detail.call.basis_detail,
        told_failed: detail.events.iter().any(|event| event.kind == "recording-failed"),
        recordings,
    }))
}

/// What lies in the spool of these.
async fn local(compared: &Compared, ids: Vec<RecordingId>) -> Result<Vec<Local>, ReconcileError> {
    let dir = compared.spool.dir.clone();
    let path = dir.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let there = |id: RecordingId, end: &str| dir.join(format!("{id}.{end}")).try_exists();
        ids.into_iter()
            .map(|id| {
                Ok(match (there(id, "rec")?, there(id, "part")?) {
                    (true, _) => Local::Whole,
                    (false, true) => Local::Part,
                    (false, false) => Local::Nothing,
                })
            })
            .collect::<io::Result<Vec<Local>>>()
    });
    let looked = looked.await.map_err(io::Error::other).and_then(|looked| looked);
    looked.map_err(|source| ReconcileError::Spool { path, source: source.into() })
}

/// The names of the spool's files, one after the other. A spool that is not there has none.
pub(super) fn spool_names(dir: &Path) -> mpsc::Receiver<io::Result<String>> {
    let (names, receiver) = mpsc::channel(NAMES);
    let dir = dir.to_owned();
    tokio::task::spawn_blocking(move || {
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                // Nobody reads any more: the run was given up.
                let _ = names.blocking_send(Err(error));
                return;
            }
        };
        for entry in entries {
            let name = entry.map(|entry| entry.file_name().to_string_lossy().into_owned());
            if names.blocking_send(name).is_err() {
                return;
            }
        }
    });
    receiver
}

/// All objects of one recording, as they are listed now.
async fn objects_of(objects: &Objects, id: RecordingId) -> Result<Group, ObjectError> {
    let prefix = format!("{}{id}", folder_of(Day::of(id)));
    let mut group = Group::empty(id);
    let mut after: Option<String> = None;
    loop {
        let page = objects.list(&prefix, after.as_deref(), AGAIN).await?;
        after = page.objects.last().map(|object| object.name.clone());
        for object in page.objects {
            match Name::parse(&object.name) {
                Name::Whole(_) => group.add(seen(object), false),
                Name::Segment(_) => group.add(seen(object), true),
                Name::Strange => {}
            }
        }
        if !page.more || after.is_none() {
            return Ok(group);
        }
    }
}

/// What a store still holds of a recording, under every name that it can have had.
pub(super) async fn traces_of(objects: &Objects, row: &Row) -> Result<Vec<String>, ObjectError> {
    let stem = format!("{}{}", folder_of(Day::of(row.id)), row.id);
    let mut names: Vec<String> = [".rec", ".wav", ".ogg"].iter().map(|end| format!("{stem}{end}")).collect();
    if let Some(own) = row.object.as_ref().filter(|own| !names.contains(&own.name)) {
        names.push(own.name.clone());
    }
    let segments = format!("{stem}.seg");
    let targets = names.iter().map(|name| Target::Name(name)).chain([Target::Below(&segments)]);
    let mut left = Vec::new();
    for target in targets {
        let traces = objects.traces(&target).await?;
        left.extend(traces.into_iter().map(|trace| {
            let kind = match trace.kind {
                TraceKind::Version => "version",
                TraceKind::DeleteMarker => "delete marker",
                TraceKind::Upload => "upload",
                TraceKind::File => "file",
            };
            format!("{} ({kind})", trace.name)
        }));
    }
    Ok(left)
}

/// Size and SHA-256 (hex) of what an object holds, at most of a byte more than it should: what was cut off while it
/// was read is an error, and what is not there has none.
async fn hash(objects: &Objects, expected: &Expected) -> Result<(u64, String), ObjectError> {
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut bytes = 0;
    if expected.bytes > 0 {
        let mut stream = match objects.get(&expected.name, 0..expected.bytes).await {
            Ok(stream) => stream,
            Err(ObjectError::NotFound { .. }) => return Ok((0, "none: it is not there any more".to_owned())),
            Err(error) => return Err(error),
        };
        while let Some(part) = stream.next().await {
            let part = part?;
            bytes += u64::try_from(part.len()).unwrap_or(0);
            hash.update(&part);
        }
    }
    let sha256 = hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, sha256))
}

/// For messages: which report.
pub(super) fn shown(id: ReconciliationId) -> String {
    format!("`sayso reconcile show {id}`")
}
