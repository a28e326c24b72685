//! The counts of a report. They add up, so that a run that was cut off goes on from where it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Finding, Verdict};

/// How many of what a run has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Counts {
    /// Calls that were judged; the four that follow add up to it.
    pub calls: u64,
    /// Recorded.
    pub recorded: u64,
    /// Lawfully not recorded.
    pub not_recorded: u64,
    /// Failed.
    pub failed: u64,
    /// They go on: the next run judges them.
    pub open: u64,
    /// Why calls were lawfully not recorded.
    pub lawful: BTreeMap<String, u64>,
    /// Rows of recordings.
    pub recordings: u64,
    /// Listed objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that were read and hashed.
    pub verified: u64,
    /// Destroyed recordings that were looked for in every version.
    pub traced: u64,
    /// Rows whose file would be in another node's spool.
    pub elsewhere: u64,
    /// Findings by kind.
    pub findings: BTreeMap<String, u64>,
    /// Of those, what was mended.
    pub healed: u64,
    /// Findings that tell of lost audio.
    pub losses: u64,
    /// Calls that failed since the last whole run.
    pub failed_lately: u64,
}

impl Counts {
    /// Reads the counts of a report; what another version of Sayso counted otherwise is none.
    #[must_use]
    pub fn from_json(json: serde_json::Value) -> Self {
        serde_json::from_value(json).unwrap_or_default()
    }

    /// Counts a call.
    pub fn call(&mut self, verdict: &Verdict) {
        self.calls += 1;
        match verdict {
            Verdict::Recorded => self.recorded += 1,
            Verdict::NotRecorded(why) => {
                self.not_recorded += 1;
                *self.lawful.entry(why.word().to_owned()).or_default() += 1;
            }
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Open => self.open += 1,
        }
    }

    /// Counts a finding.
    pub fn finding(&mut self, finding: &Finding) {
        *self.findings.entry(finding.kind.word().to_owned()).or_default() += 1;
        self.healed += u64::from(finding.healed.is_some());
        self.losses += u64::from(finding.kind.is_loss());
    }

    /// All findings together.
    #[must_use]
    pub fn all_findings(&self) -> u64 {
        self.findings.values().sum()
    }

    /// Findings of one kind.
    #[must_use]
    pub fn of(&self, kind: super::FindingKind) -> u64 {
        self.findings.get(kind.word()).copied().unwrap_or(0)
    }

    /// Findings that somebody must look at: all but calls that failed before the last whole run, which nobody
    /// can mend and which were told of then.
    #[must_use]
    pub fn to_look_at(&self) -> u64 {
        let failed = self.of(super::FindingKind::CallFailed);
        self.all_findings() - failed + self.failed_lately.min(failed)
    }
}
