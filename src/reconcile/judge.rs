//! What is wrong with one recording, job, upload or file, given all that is known of it.

use std::time::Duration;

use crate::ids::RecordingId;
use crate::time::Timestamp;

use super::{
    Expected, Finding, FindingKind, Group, Heal, KeyState, Local, Row, Rules, SeenObject, Segments, State,
};

/// What is wrong with a recording, and what should be looked into before that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What is wrong. [`Finding::healed`] says what may be done; it is done when the finding is believed.
    pub findings: Vec<Finding>,
    /// What only a closer look can tell.
    pub look: Option<Look>,
}

/// See [`Judgement::look`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Read the object and compare its SHA-256: see [`judge_checksum`].
    Content {
        /// The object.
        expected: Expected,
        /// `true`: in any case; `false`: when it is in the sample.
        suspicious: bool,
    },
    /// List every version, delete marker, upload and segment: see [`judge_traces`].
    Traces {
        /// `true`: in any case; `false`: when it is in the sample.
        suspicious: bool,
    },
}

/// Judges one recording by its row and its objects; either may be missing.
#[must_use]
pub fn judge(row: Option<&Row>, group: &Group, rules: &Rules, now: Timestamp) -> Judgement {
    match row {
        Some(row) => Judge { row, group, rules, now, judgement: Judgement::default() }.run(),
        None => Judgement { findings: orphans(group), look: None },
    }
}

/// An object with a name that we do not give.
#[must_use]
pub fn stray(object: &SeenObject) -> Finding {
    Finding {
        kind: FindingKind::Orphan,
        subject: object.name.clone(),
        recording: None,
        call: None,
        detail: format!("{} bytes, with a name that no recording has", object.bytes),
        healed: None,
    }
}

/// Compares what was read of an object with what its row says. `seen`: bytes and SHA-256 (hex).
#[must_use]
pub fn judge_checksum(row: &Row, expected: &Expected, seen: (u64, &str)) -> Option<Finding> {
    let (bytes, sha256) = seen;
    let (kind, detail) = if bytes != expected.bytes {
        (FindingKind::WrongSize, format!("{bytes} bytes were read, {} were stored", expected.bytes))
    } else if sha256.eq_ignore_ascii_case(&expected.sha256) {
        return None;
    } else {
        let detail = format!("its SHA-256 is {sha256}, what was stored has {}", expected.sha256);
        (FindingKind::WrongContent, detail)
    };
    Some(of_row(row, kind, expected.name.clone(), detail))
}

/// Judges what every version of a destroyed recording's names was listed for.
#[must_use]
pub fn judge_traces(row: &Row, traces: &[String]) -> Option<Finding> {
    let first = traces.first()?;
    let detail = format!("{} versions, markers or uploads are left, the first of {first}", traces.len());
    Some(not_gone(row, detail))
}

/// A job, as far as its age goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenJob {
    /// Its number.
    pub id: String,
    /// Its kind, in a word.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// Since when it waits.
    pub created: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong the last time.
    pub error: Option<String>,
}

/// Judges a job by its age.
#[must_use]
pub fn judge_job(job: &SeenJob, rules: &Rules, now: Timestamp) -> Option<Finding> {
    let age = now.since(job.created);
    if age < rules.alarm_after {
        return None;
    }
    let error = job.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
    let waits = age.as_secs();
    Some(Finding {
        kind: FindingKind::LateJob,
        subject: job.id.clone(),
        recording: job.subject.parse().ok(),
        call: None,
        detail: format!(
            "{} {} waits for {waits} s, tried {} times{error}",
            job.kind, job.subject, job.attempts
        ),
        healed: None,
    })
}

/// Judges a multipart upload that has not ended.
#[must_use]
pub fn judge_upload(name: &str, begun: Timestamp, rules: &Rules, now: Timestamp) -> Option<Finding> {
    let age = now.since(begun);
    (age >= rules.unfinished).then(|| Finding {
        kind: FindingKind::UnfinishedUpload,
        subject: name.to_owned(),
        recording: match super::Name::parse(name) {
            super::Name::Whole(id) | super::Name::Segment(id) => Some(id),
            super::Name::Strange => None,
        },
        call: None,
        detail: format!("a multipart upload was begun {} hours ago and never ended", age.as_secs() / 3_600),
        healed: None,
    })
}

/// Judges a file in the spool that has no row: `name` is the file's, `id` what it says.
#[must_use]
pub fn judge_spool_file(name: &str, id: Option<RecordingId>, has_row: bool) -> Option<Finding> {
    let detail = match (id, has_row) {
        (Some(_), true) => return None,
        (Some(_), false) => "no row knows this recording: without its key it is noise".to_owned(),
        (None, _) => "a name that no recording has".to_owned(),
    };
    Some(Finding {
        kind: FindingKind::SpoolOrphan,
        subject: name.to_owned(),
        recording: id,
        call: None,
        detail,
        healed: None,
    })
}

fn orphans(group: &Group) -> Vec<Finding> {
    let orphan = |name: &str, detail: String| Finding {
        kind: FindingKind::Orphan,
        subject: name.to_owned(),
        recording: Some(group.id),
        call: None,
        detail,
        healed: None,
    };
    let whole = group.whole.iter();
    let mut found: Vec<_> = whole
        .map(|object| orphan(&object.name, format!("{} bytes, and no row knows the recording", object.bytes)))
        .collect();
    if let Some(Segments { count, bytes, first }) = &group.segments {
        let detail = format!("{count} segments, {bytes} bytes, and no row knows the recording");
        found.push(orphan(segments_name(first), detail));
    }
    found
}

/// The folder of segments: a name of one without its number.
fn segments_name(first: &str) -> &str {
    first.rfind('/').map_or(first, |slash| &first[..=slash])
}

fn of_row(row: &Row, kind: FindingKind, subject: String, detail: String) -> Finding {
    Finding { kind, subject, recording: Some(row.id), call: Some(row.call), detail, healed: None }
}

fn not_gone(row: &Row, detail: String) -> Finding {
    Finding { healed: Some(Heal::Destroy), ..of_row(row, FindingKind::NotGone, row.id.to_string(), detail) }
}

struct Judge<'a> {
    row: &'a Row,
    group: &'a Group,
    rules: &'a Rules,
    now: Timestamp,
    judgement: Judgement,
}

impl Judge<'_> {
    fn run(mut self) -> Judgement {
        match self.row.state {
            State::Armed | State::Recording => self.unfinished(),
            State::Finished => self.finished(),
            State::Stored => self.stored(),
            State::Failed => self.failed(),
            State::Discarded => self.discarded(),
            State::Destroyed | State::Removed => self.destroyed(),
        }
        self.judgement
    }

    fn found(&mut self, kind: FindingKind, subject: &str, detail: String) {
        self.judgement.findings.push(of_row(self.row, kind, subject.to_owned(), detail));
    }

    fn about_id(&mut self, kind: FindingKind, detail: String) {
        self.found(kind, &self.row.id.to_string(), detail);
    }

    /// Audio that is there must be one that can be opened.
    fn key(&mut self) {
        match &self.row.key {
            KeyState::Known => {}
            KeyState::Unknown(kek) => {
                let detail = format!("its key is wrapped by {kek}, which is retired or was never here");
                self.about_id(FindingKind::UnknownKek, detail);
            }
            KeyState::Gone => {
                let detail = format!("it is {} and has no key", self.row.state.word());
                self.about_id(FindingKind::UnknownKek, detail);
            }
        }
    }

    fn unfinished(&mut self) {
        let age = self.now.since(self.row.armed_at);
        if age >= self.rules.unfinished {
            let state = self.row.state.word();
            self.about_id(FindingKind::Stuck, format!("{state} for {} hours", age.as_secs() / 3_600));
        }
        self.key();
        self.extra(None);
    }

    fn finished(&mut self) {
        match (self.row.local, self.row.upload_open) {
            (Local::Whole, true) | (Local::Elsewhere, true) => {}
            (Local::Whole, false) => {
                let detail = "it is whole in the spool, and no job takes it to the store".to_owned();
                self.about_id(FindingKind::NoJob, detail);
                self.heal(Heal::Upload);
            }
            (Local::Elsewhere, false) => {
                let detail = "no job takes it from its node's spool to the store".to_owned();
                self.about_id(FindingKind::NoJob, detail);
                self.heal(Heal::Upload);
            }
            (Local::Nothing | Local::Part, _) => {
                let there = if self.group.segments.is_some() { "segments" } else { "nothing" };
                let detail = format!("its file is not in the spool; {there} of it in the store");
                self.about_id(FindingKind::SpoolLost, detail);
            }
        }
        self.key();
        // Whole objects are no orphans: an upload that was cut off between the object and the row leaves one, and
        // the job goes on from there.
    }

    /// It broke. What there is of it, in the spool or in segments, is to become a recording.
    fn failed(&mut self) {
        self.key();
        if self.row.upload_open {
            return;
        }
        if self.has_local() {
            let detail =
                "it failed, its file is still in the spool, and no job makes a recording of it".to_owned();
            self.about_id(FindingKind::SpoolLeft, detail);
            self.heal(Heal::Rescue);
        }
        if let Some(Segments { count, first, .. }) = &self.group.segments {
            let (subject, detail) =
                (segments_name(first), format!("{count} segments of what failed, and no job takes them up"));
            self.found(FindingKind::SegmentsLeft, subject, detail);
            self.heal(Heal::Rescue);
        }
        for object in &self.group.whole {
            let detail = format!("{} bytes, and the recording failed", object.bytes);
            let orphan = of_row(self.row, FindingKind::Orphan, object.name.clone(), detail);
            self.judgement.findings.push(orphan);
        }
    }

    fn stored(&mut self) {
        self.key();
        let Some(expected) = self.row.object.clone() else {
            let detail = "it is stored, and the row does not say where".to_owned();
            return self.about_id(FindingKind::Lost, detail);
        };
        self.extra(Some(&expected.name));
        match self.row.local {
            Local::Whole | Local::Part if !self.row.upload_open => {
                let detail = "it is stored, and its file is still in the spool".to_owned();
                self.about_id(FindingKind::SpoolLeft, detail);
                self.heal(Heal::Upload);
            }
            Local::Whole | Local::Part | Local::Nothing | Local::Elsewhere => {}
        }
        if let Some(Segments { count, first, .. }) = &self.group.segments
            && !self.row.upload_open
        {
            let (subject, detail) =
                (segments_name(first), format!("{count} segments of what is stored whole"));
            self.found(FindingKind::SegmentsLeft, subject, detail);
            self.heal(Heal::Upload);
        }
        let Some(object) = self.group.whole.iter().find(|object| object.name == expected.name) else {
            let detail = format!("{} bytes were stored, and the object is not there", expected.bytes);
            return self.found(FindingKind::Lost, &expected.name, detail);
        };
        if object.bytes != expected.bytes {
            let detail = format!("{} bytes are there, {} were stored", object.bytes, expected.bytes);
            return self.found(FindingKind::WrongSize, &expected.name, detail);
        }
        let stored = self.row.stored_at.unwrap_or(self.row.armed_at);
        let suspicious = object.modified.since(stored) > self.rules.skew;
        self.judgement.look = Some(Look::Content { expected, suspicious });
    }

    fn discarded(&mut self) {
        if !self.group.whole.is_empty() || self.group.segments.is_some() || self.has_local() {
            let detail = format!("nothing was captured, and there is something: {}", self.what_is_there());
            self.about_id(FindingKind::NotGone, detail);
        }
    }

    fn destroyed(&mut self) {
        if self.row.key != KeyState::Gone {
            let detail = "it is destroyed, and its key is still in the database".to_owned();
            self.about_id(FindingKind::NotGone, detail);
            self.heal(Heal::Destroy);
            return;
        }
        // The job that is on its way removes what is there, and is late by itself if it cannot.
        if self.row.destroy_open {
            return;
        }
        let there = !self.group.whole.is_empty() || self.group.segments.is_some() || self.has_local();
        let removed = self.row.state == State::Removed;
        if there || !removed {
            let state = self.row.state.word();
            let detail = format!("it is {state}, no job removes it: {}", self.what_is_there());
            return self.judgement.findings.push(not_gone(self.row, detail));
        }
        let age = self.row.removed_at.map_or(Duration::ZERO, |at| self.now.since(at));
        self.judgement.look = Some(Look::Traces { suspicious: age < self.rules.removed_lately });
    }

    fn has_local(&self) -> bool {
        matches!(self.row.local, Local::Whole | Local::Part)
    }

    fn what_is_there(&self) -> String {
        let mut words: Vec<String> = self.group.whole.iter().map(|object| object.name.clone()).collect();
        if let Some(segments) = &self.group.segments {
            words.push(format!("{} segments", segments.count));
        }
        if self.has_local() {
            words.push("a file in the spool".to_owned());
        }
        if words.is_empty() { "nothing is listed".to_owned() } else { words.join(", ") }
    }

    /// Whole objects the row does not speak of: orphans, though they bear a recording's name.
    fn extra(&mut self, own: Option<&str>) {
        let extra: Vec<_> =
            self.group.whole.iter().filter(|object| own != Some(&*object.name)).cloned().collect();
        for object in extra {
            let detail = match own {
                Some(own) => format!("{} bytes beside {own}, which is the recording's", object.bytes),
                None => format!("{} bytes, and the recording has not ended", object.bytes),
            };
            self.found(FindingKind::Orphan, &object.name, detail);
        }
    }

    fn heal(&mut self, heal: Heal) {
        if let Some(finding) = self.judgement.findings.last_mut() {
            finding.healed = Some(heal);
        }
    }
}
