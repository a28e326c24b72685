//! The steps in the life of a recording, and what it is made of.

use serde::{Deserialize, Serialize};

use crate::audit::Actor;
use crate::consent::Basis;
use crate::ids::{CallId, RecordingId};
use crate::time::Timestamp;

/// The rule of a recording whose consent the caller took back in the call. No hold keeps it, and it may be said again of
/// what is gone.
pub const WITHDRAWAL: &str = "withdrawal";

/// A step in the life of a recording: armed, started, finished (or salvaged after a crash), perhaps encoded, stored;
/// or discarded when nothing was captured; or failed. What exists can be destroyed, and is removed then.
#[derive(Debug, Clone)]
pub enum RecordingChange {
    /// Its key is drawn and wrapped; nothing is captured yet. Refused with
    /// [`StoreError::State`](super::StoreError::State) under a key-encryption key that is not known or retired.
    Armed {
        /// The recording.
        id: RecordingId,
        /// Its call.
        call: CallId,
        /// Why it may be made.
        basis: Basis,
        /// Its data key, wrapped.
        wrapped_key: Vec<u8>,
        /// The key-encryption key that wrapped it.
        kek: String,
        /// The spool its file will lie in.
        spool: String,
        /// What it is to be: `pcm16`, `ulaw`, `alaw` or `opus`.
        format: String,
        /// When.
        at: Timestamp,
    },
    /// The first sample may come.
    Started {
        /// The recording.
        id: RecordingId,
        /// When.
        at: Timestamp,
    },
    /// It is whole and sealed in the spool, from `recording`, or from `armed` when its start could not be stored. The
    /// job `encode` (format `opus`) or `upload` follows.
    Finished {
        /// The recording.
        id: RecordingId,
        /// When.
        at: Timestamp,
        /// What it is.
        file: RecordedFile,
    },
    /// It was left by a crash and put right, from `armed`, `recording` or `failed`; or from `finished`, when its file was
    /// lost and made anew. The same jobs follow.
    Salvaged {
        /// The recording.
        id: RecordingId,
        /// When.
        at: Timestamp,
        /// What could be saved.
        file: RecordedFile,
        /// What was done, in words.
        why: String,
    },
    /// The finished file was made smaller. The job `upload` follows.
    Encoded {
        /// The recording.
        id: RecordingId,
        /// When.
        at: Timestamp,
        /// What the spool holds now.
        file: RecordedFile,
    },
    /// It is verified in the object store. Said again of the same object, it has no effect.
    Stored {
        /// The recording.
        id: RecordingId,
        /// When.
        at: Timestamp,
        /// Where it is.
        object: StoredObject,
    },
    /// Armed, never started: the key is destroyed.
    Discarded {
        /// The recording.
        id: RecordingId,
        /// When.
        at: Timestamp,
    },
    /// It broke; what exists stays, with its key.
    Failed {
        /// The recording.
        id: RecordingId,
        /// When.
        at: Timestamp,
        /// Why, in words.
        why: String,
    },
    /// Its key is destroyed, whatever it was but discarded. Its open jobs are gone, except those that a runner holds
    /// (they can be renewed no more); the job `destroy` follows, which waits for them. By [`WITHDRAWAL`] it has no effect
    /// on what is gone already.
    Destroyed {
        /// The recording.
        id: RecordingId,
        /// When.
        at: Timestamp,
        /// By which rule, in a word: [`WITHDRAWAL`], `operator`, …
        rule: String,
        /// Why, in words. Personal in the audit log where a person wrote it.
        why: String,
        /// Who did it.
        by: Actor,
    },
    /// No copy of a destroyed one is left, as the certificate says.
    Removed {
        /// The recording.
        id: RecordingId,
        /// When.
        at: Timestamp,
        /// The signed deletion certificate (JSON).
        certificate: String,
    },
    /// Its key is wrapped by another key-encryption key; not audited one by one. Refused with
    /// [`StoreError::State`](super::StoreError::State) when `from_kek` does not have it any more: wrapped again
    /// or destroyed meanwhile.
    Rewrapped {
        /// The recording.
        id: RecordingId,
        /// What wrapped it; `None`: a row of an older Sayso, which does not say.
        from_kek: Option<String>,
        /// What wraps it now.
        kek: String,
        /// Its data key, wrapped.
        wrapped_key: Vec<u8>,
    },
}

/// A sealed recording file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFile {
    /// Samples per channel at 8 kHz.
    pub samples: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// SHA-256 (hex) of the bytes on disk.
    pub sha256: String,
    /// Where silence stands for something: pauses, lost audio.
    pub gaps: Vec<RecordedGap>,
    /// Silent samples, both channels together, that `gaps` does not list.
    pub unlisted: u64,
}

/// Silence in a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedGap {
    /// First sample of it, counted per channel from the start.
    pub start: u64,
    /// Samples per channel.
    pub len: u64,
    /// Channel 0 (caller) or 1 (agent); `None`: both.
    pub channel: Option<u8>,
    /// In a word: `paused`, `lost`, ...
    pub why: String,
}

/// A recording in the object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Which store it was put into, as [`Objects::place`](crate::vault::objects::Objects::place) names it.
    pub place: String,
    /// Its whole name.
    pub name: String,
    /// Its version, where the store keeps versions.
    pub version: Option<String>,
    /// How long it is.
    pub bytes: u64,
    /// SHA-256 (hex) of the whole object as it lies there, sealed or plain: who reads a plain one has nothing else
    /// to compare it with.
    pub checksum: String,
    /// `sealed` (by us) or `store` (plain, left to the store's own encryption).
    pub encryption: String,
}
