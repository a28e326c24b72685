//! What queries answer, ready for listings and JSON.

use serde::{Serialize, Serializer};

use crate::ids::{AgentId, CallId, QueueId, RecordingId, Redacted, TrunkId};
use crate::queue::AgentState;
use crate::time::Timestamp;

use super::change::LegQuality;
use super::recorded::{RecordedGap, StoredObject};

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRow {
    /// Its id.
    pub id: CallId,
    /// When it was answered.
    #[serde(serialize_with = "rfc3339")]
    pub arrived_at: Timestamp,
    /// The caller's number (E.164); `None`: withheld.
    pub from: Option<Redacted<String>>,
    /// What was dialled.
    pub dialled: String,
    /// By which trunk.
    pub trunk: Option<TrunkId>,
    /// The first queue: its recording settings hold.
    pub first_queue: QueueId,
    /// The queue it was in last.
    pub queue: QueueId,
    /// The language of its prompts.
    pub language: String,
    /// Why it is recorded or not, in a word; `None`: not decided.
    pub basis: Option<String>,
    /// What belongs to that word: a time, a law, an answer, an agent.
    pub basis_detail: Option<String>,
    /// When it began to wait.
    #[serde(serialize_with = "optional_rfc3339")]
    pub queued_at: Option<Timestamp>,
    /// When it was first connected.
    #[serde(serialize_with = "optional_rfc3339")]
    pub connected_at: Option<Timestamp>,
    /// Who spoke with the caller last.
    pub agent: Option<AgentId>,
    /// When it ended; `None`: it goes on, or the server died.
    #[serde(serialize_with = "optional_rfc3339")]
    pub ended_at: Option<Timestamp>,
    /// Why it ended, in a word.
    pub end_cause: Option<String>,
    /// When it lost what is personal (domain rules 12, 19).
    #[serde(serialize_with = "optional_rfc3339")]
    pub anonymised_at: Option<Timestamp>,
    /// When it was restricted (domain rule 20).
    #[serde(serialize_with = "optional_rfc3339")]
    pub restricted_at: Option<Timestamp>,
}

/// A call with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallDetail {
    /// The call.
    pub call: CallRow,
    /// Its legs, the caller's first.
    pub legs: Vec<LegRow>,
    /// What happened, in order.
    pub events: Vec<CallEventRow>,
    /// The caller's answers in it, newest first.
    pub consents: Vec<ConsentRow>,
    /// Its recordings, newest first.
    pub recordings: Vec<RecordingRow>,
}

/// A leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LegRow {
    /// Its number within the call; 0 is the caller's.
    pub n: u16,
    /// The agent; `None`: the caller, or somebody outside.
    pub agent: Option<AgentId>,
    /// `in`: they called us; `out`: we called them.
    pub direction: String,
    /// The trunk we called somebody outside by.
    pub trunk: Option<TrunkId>,
    /// The number we called there (E.164).
    pub outside: Option<Redacted<String>>,
    /// When it was dialled (the caller's: answered).
    #[serde(serialize_with = "rfc3339")]
    pub dialled_at: Timestamp,
    /// When it was connected.
    #[serde(serialize_with = "optional_rfc3339")]
    pub connected_at: Option<Timestamp>,
    /// When it ended.
    #[serde(serialize_with = "optional_rfc3339")]
    pub ended_at: Option<Timestamp>,
    /// Why it ended, in a word.
    pub cause: Option<String>,
    /// How its media was.
    pub quality: Option<LegQuality>,
}

/// Something that happened in a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallEventRow {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    /// What: `decided`, `queued`, `overridden`, `paused`, `resumed`, `recording-failed`,
    /// `consulted`, `transferred`, `returned`, `replaced`.
    pub kind: String,
    /// The agent it concerns.
    pub agent: Option<AgentId>,
    /// The queue it concerns.
    pub queue: Option<QueueId>,
    /// The number outside it concerns (E.164).
    pub outside: Option<Redacted<String>>,
    /// More of it.
    pub detail: Option<String>,
    /// Someone's free text.
    pub note: Option<Redacted<String>>,
}

/// An answer to the consent question, or a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsentRow {
    /// In which call.
    pub call: CallId,
    /// The caller's number (E.164); `None`: withheld.
    pub from: Option<Redacted<String>>,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    /// The queue that asked.
    pub queue: QueueId,
    /// `yes`, `no`, `wrong-keys`, `silence`, `hung-up` or `withdrawn`.
    pub answer: String,
    /// Whether it allows recording.
    pub agreed: bool,
    /// The key.
    pub digit: Option<String>,
    /// How the key came: `rfc4733` or `info`.
    pub channel: Option<String>,
    /// SHA-256 (hex) of the question as it was played.
    pub question_sha256: Option<String>,
    /// Its language.
    pub language: Option<String>,
    /// Since when it counts no more for later calls: it was reset (domain rule 21); `None`: it was not.
    #[serde(serialize_with = "optional_rfc3339", skip_serializing_if = "Option::is_none")]
    pub reset: Option<Timestamp>,
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordingRow {
    /// Its id.
    pub id: RecordingId,
    /// Its call.
    pub call: CallId,
    /// The call's first queue.
    pub queue: QueueId,
    /// `armed`, `recording`, `finished`, `stored`, `discarded`, `failed`, `destroyed` or `removed`.
    pub state: String,
    /// Why it may be made, in a word.
    pub basis: String,
    /// What belongs to that word.
    pub basis_detail: Option<String>,
    /// Its data key, wrapped; `None`: destroyed.
    #[serde(skip)]
    pub wrapped_key: Option<Redacted<Vec<u8>>>,
    /// The key-encryption key that wrapped it; `None`: it is destroyed, or the row is of an older Sayso.
    pub kek: Option<String>,
    /// The spool its file lies or lay in; `None`: the row is of an older Sayso.
    pub spool: Option<String>,
    /// What it is or is to be: `pcm16`, `ulaw`, `alaw` or `opus`.
    pub format: String,
    /// When its key was drawn.
    #[serde(serialize_with = "rfc3339")]
    pub armed_at: Timestamp,
    /// When capture began.
    #[serde(serialize_with = "optional_rfc3339")]
    pub started_at: Option<Timestamp>,
    /// When capture ended.
    #[serde(serialize_with = "optional_rfc3339")]
    pub ended_at: Option<Timestamp>,
    /// Whether it was put right after a crash.
    pub salvaged: bool,
    /// When it was encoded.
    #[serde(serialize_with = "optional_rfc3339")]
    pub encoded_at: Option<Timestamp>,
    /// When it was verified in the object store.
    #[serde(serialize_with = "optional_rfc3339")]
    pub stored_at: Option<Timestamp>,
    /// Where it is or was in the object store.
    pub object: Option<StoredObject>,
    /// When its key was destroyed.
    #[serde(serialize_with = "optional_rfc3339")]
    pub destroyed_at: Option<Timestamp>,
    /// By which rule, in a word.
    pub rule: Option<String>,
    /// By whom: `system`, `user ada`.
    pub destroyed_by: Option<String>,
    /// When the last copy was seen to be gone.
    #[serde(serialize_with = "optional_rfc3339")]
    pub removed_at: Option<Timestamp>,
    /// Samples per channel at 8 kHz.
    pub samples: Option<u64>,
    /// Bytes on disk.
    pub bytes: Option<u64>,
    /// SHA-256 (hex) of the bytes on disk.
    pub sha256: Option<String>,
    /// Where silence stands for something.
    pub gaps: Vec<RecordedGap>,
    /// Silent samples, both channels together, that `gaps` does not list.
    pub unlisted: Option<u64>,
    /// The reason of its last change, where it has one.
    pub why: Option<String>,
}

/// A deletion certificate, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateRow {
    /// Of which recording.
    pub recording: RecordingId,
    /// When it was written.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    /// SHA-256 (hex) of its text, as the audit log has it.
    pub sha256: String,
}

/// An agent's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentRow {
    /// Who.
    pub agent: AgentId,
    /// The state.
    pub state: AgentState,
    /// Since when.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
}

/// A call as one of its agents sees it afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCallRow {
    /// The call.
    pub call: CallRow,
    /// When the agent's phone was first called, or called in.
    pub dialled_at: Timestamp,
    /// Its recordings, the oldest first.
    pub recordings: Vec<OwnRecordingRow>,
    /// Its notes, the oldest first.
    pub notes: Vec<NoteRow>,
}

/// See [`OwnCallRow::recordings`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnRecordingRow {
    /// Its id.
    pub id: RecordingId,
    /// As in [`RecordingRow::state`].
    pub state: String,
    /// How long it is, once it is stored.
    pub seconds: Option<u64>,
}

/// A note on a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoteRow {
    /// When it was written.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    /// The user who wrote it.
    pub by: String,
    /// What it says.
    pub text: Redacted<String>,
}

/// A row of the listening log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListenedRow {
    /// Its number.
    #[serde(skip)]
    pub n: i64,
    /// When listening began.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    /// The user.
    pub who: String,
    /// The call.
    pub call: Option<CallId>,
    /// The recording; `None`: live.
    pub recording: Option<RecordingId>,
    /// `recording` or `live`.
    pub kind: String,
    /// Of live listening: `listen`, `whisper` or `barge`.
    pub mode: Option<String>,
    /// Why, in the user's words.
    pub reason: Option<Redacted<String>>,
}

pub(super) fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

pub(super) fn optional_rfc3339<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}
