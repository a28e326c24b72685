//! Reconciliation: what the database says of calls and recordings against what really lies in the object store
//! and in the spool. Pure: it is fed rows and listed objects in name order, a page at a time, and answers what
//! to look at next and what it found.
//!
//! ```text
//! rows of recordings ──┐
//!                      ├─> Merge ─> Step::Recording ─> judge ─> findings, what to heal, what to look into
//! listed objects ──────┘
//! rows of calls, with their recordings ─> judge_call ─> recorded | lawfully not recorded | failed
//! ```
//!
//! Who calls it reads both sides at different moments while servers work, so a finding is believed only
//! when the recording, read anew, is judged in the same way (`jobs/reconcile.rs` does that).

mod call;
mod counts;
mod day;
mod finding;
mod judge;
mod merge;
mod name;
mod sample;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::ids::{CallId, RecordingId};
use crate::time::Timestamp;

pub use call::{Failure, LawfulReason, SeenCall, Verdict, judge_call};
pub use counts::Counts;
pub use day::Day;
pub use finding::{Finding, FindingKind, Heal};
pub use judge::{
    Judgement, Look, SeenJob, judge, judge_checksum, judge_job, judge_spool_file, judge_traces, judge_upload,
    stray,
};
pub use merge::{Group, Merge, Segments, Step};
pub use name::{Name, RECORDINGS, folder_of};
pub use sample::Sample;

/// What counts as too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// A job that waits longer than this is late (`vault.alarm-after`).
    pub alarm_after: Duration,
    /// A multipart upload, or a recording that has not ended, that is older than this is left over.
    pub unfinished: Duration,
    /// What was removed so recently is looked for in every version; older by sample.
    pub removed_lately: Duration,
    /// The most a store's clock may differ from ours. An object that changed later than that after it was
    /// stored is suspicious.
    pub skew: Duration,
}

impl Rules {
    /// As production runs them.
    #[must_use]
    pub const fn new(alarm_after: Duration) -> Self {
        Self {
            alarm_after,
            unfinished: Duration::from_secs(24 * 3_600),
            removed_lately: Duration::from_secs(48 * 3_600),
            skew: Duration::from_secs(15 * 60),
        }
    }
}

/// The state of a recording's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its key is drawn.
    Armed,
    /// It runs.
    Recording,
    /// Whole, in the spool.
    Finished,
    /// Whole, in the object store.
    Stored,
    /// Nothing was captured.
    Discarded,
    /// It broke.
    Failed,
    /// Its key is gone, its copies are being removed.
    Destroyed,
    /// Verified gone.
    Removed,
}

impl State {
    /// From the word in the database; `None` for a word this program does not know.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [
            Self::Armed,
            Self::Recording,
            Self::Finished,
            Self::Stored,
            Self::Discarded,
            Self::Failed,
            Self::Destroyed,
            Self::Removed,
        ];
        all.into_iter().find(|state| state.word() == word)
    }

    /// The word in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Recording => "recording",
            Self::Finished => "finished",
            Self::Stored => "stored",
            Self::Discarded => "discarded",
            Self::Failed => "failed",
            Self::Destroyed => "destroyed",
            Self::Removed => "removed",
        }
    }
}

/// What is known of a recording besides its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub id: RecordingId,
    /// Of which call.
    pub call: CallId,
    /// Its state.
    pub state: State,
    /// When its key was drawn.
    pub armed_at: Timestamp,
    /// When it was stored, if it was.
    pub stored_at: Option<Timestamp>,
    /// When it was verified gone, if it was.
    pub removed_at: Option<Timestamp>,
    /// The object it was stored as.
    pub object: Option<Expected>,
    /// Whether who holds today's key-encryption keys can open its data key.
    pub key: KeyState,
    /// What lies in the spool.
    pub local: Local,
    /// A job that will take it to the object store (`encode`, `upload`) is open.
    pub upload_open: bool,
    /// A job that will remove its copies is open.
    pub destroy_open: bool,
}

/// The object a row speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its name, without the bucket's prefix.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the whole, hex.
    pub sha256: String,
}

/// See [`Row::key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It can be opened.
    Known,
    /// It is wrapped by a key-encryption key (its id) that is retired or was never here.
    Unknown(String),
    /// There is none.
    Gone,
}

/// See [`Row::local`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    /// The spool it belongs to is another node's: it cannot be seen from here.
    Elsewhere,
    /// Nothing.
    Nothing,
    /// What is being written, or was left by a crash.
    Part,
    /// The whole.
    Whole,
}

/// An object as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenObject {
    /// Its name, without the bucket's prefix.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written, by the store's clock.
    pub modified: Timestamp,
}
