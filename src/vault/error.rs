//! What can go wrong in the vault: what, where, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use super::keys::{KekId, KmsError};
use crate::ids::RecordingId;

/// A fault of the vault. Paths and ids hold no personal data.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Others than the owner may read the key-encryption key.
    #[error("key file {} has mode {mode:04o}, others can reach it: chmod 600 it, and replace the key if someone did",
        path.display())]
    KeyExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There are recordings, but the key file is gone. A new key would not open them.
    #[error("key file {} is missing but there are recordings sealed with it: restore it from its backup",
        path.display())]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The key file holds something else.
    #[error("line {line} of key file {} is no key: 64 hexadecimal digits are expected, each key once; restore the \
        file from its backup", path.display())]
    KeyInvalid {
        /// The key file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// The key file does not hold a key-encryption key that is in use.
    #[error("key file {} does not hold the key-encryption key {kek}, which recordings in the database are sealed with: \
        restore the file from its backup (with several servers on one database, all need the same key file)",
        path.display())]
    KeyLacking {
        /// The key file.
        path: PathBuf,
        /// Which key.
        kek: KekId,
    },
    /// The signing key is gone, though there are certificates signed with it.
    #[error("the signing key {} is missing, but there are certificates that it signed: restore it from its backup",
        path.display())]
    SigningKeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The database knows keys, but none that new recordings may be sealed with.
    #[error("the database names no current key-encryption key: restore it from its backup")]
    NoCurrentKey,
    /// AWS KMS holds a key, and the configuration does not say so.
    #[error(
        "key-encryption key {0} is held by AWS KMS, but there is no [vault.kms] in the configuration: put it back"
    )]
    KmsNotConfigured(KekId),
    /// AWS KMS did not do it.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// The wrapped key names a key-encryption key that is not held here.
    #[error(
        "the key of recording {recording} is wrapped with the key-encryption key {kek}, which is not held here: it \
        was retired, or belongs to another installation"
    )]
    KekNotHeld {
        /// Whose wrapped key.
        recording: RecordingId,
        /// Which key-encryption key.
        kek: KekId,
    },
    /// The wrapped key is not this recording's, or was wrapped with another key-encryption key.
    #[error("the wrapped key does not open for recording {0}: it belongs to another recording or key file")]
    WrongKey(RecordingId),
    /// No file of that name.
    #[error("recording {0} is not in this vault")]
    NotFound(RecordingId),
    /// It is being written, by this process or another.
    #[error("recording {0} is being written: wait for its end")]
    InUse(RecordingId),
    /// It is in the spool, not ended.
    #[error("recording {0} was not ended: salvage it first")]
    Unfinished(RecordingId),
    /// The id was used before.
    #[error("recording {0} exists already: draw a new id")]
    Exists(RecordingId),
    /// The file does not begin as a recording of a known version does.
    #[error("{} is no recording of a version known here; it was left as it is", path.display())]
    NotARecording {
        /// The file.
        path: PathBuf,
    },
    /// The file's name and its header disagree.
    #[error("{} holds recording {found}, not {id}; it was left as it is", path.display())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// Whose name it bears.
        id: RecordingId,
        /// Whose it is.
        found: RecordingId,
    },
    /// A chunk (or the header) is not what was written there: changed, swapped or damaged.
    #[error("recording {id} was changed or damaged: chunk {chunk} at byte {at} does not verify")]
    Tampered {
        /// Which recording.
        id: RecordingId,
        /// Which chunk, from 0. The header is verified with each.
        chunk: u32,
        /// Where it begins.
        at: u64,
    },
    /// The file ends before the last chunk.
    #[error("recording {id} is cut short: it ends at byte {at} without its last chunk")]
    Truncated {
        /// Which recording.
        id: RecordingId,
        /// Where what is whole ends.
        at: u64,
    },
    /// Something follows the last chunk.
    #[error("recording {id} has bytes after its end at byte {at}: it was changed")]
    Trailing {
        /// Which recording.
        id: RecordingId,
        /// Where its end is.
        at: u64,
    },
    /// Everything verifies, but length and metadata disagree: a bug of the writer.
    #[error("recording {id} holds {found} samples but says {said}: please report this")]
    Inconsistent {
        /// Which recording.
        id: RecordingId,
        /// Samples per channel in its chunks.
        found: u64,
        /// Samples per channel in its metadata.
        said: u64,
    },
    /// Nothing of it opens.
    #[error(
        "recording {0} opens nowhere with its key: it was sealed with another one, or its header was changed"
    )]
    WrongDataKey(RecordingId),
    /// More than a WAV file can hold (4 GiB, 37 hours).
    #[error("recording {0} is too long for a WAV file (37 hours)")]
    TooLong(RecordingId),
    /// Its metadata does not agree with its database row.
    #[error(
        "recording {id} has {found} samples but the database says {said}: it is not the file that was stored"
    )]
    NotAsStored {
        /// Which recording.
        id: RecordingId,
        /// Samples per channel, by the file.
        found: u64,
        /// Samples per channel, by the database.
        said: u64,
    },
    /// The disk is down to its reserve.
    #[error(
        "the spool's disk has {free} bytes left, and {reserve} are its reserve: make room, or record less"
    )]
    NoRoom {
        /// Bytes that are free.
        free: u64,
        /// Bytes that recordings leave free.
        reserve: u64,
    },
    /// Another process has the vault folder.
    #[error("the vault folder is in use by {}, which holds {}: stop that one first, or give each server a folder of \
        its own", owner(*pid), path.display())]
    Owned {
        /// The file that it has locked.
        path: PathBuf,
        /// Its process id, if it could be read.
        pid: Option<u32>,
    },
    /// The disk neither writes nor says no.
    #[error(
        "recording {0} is given up: the spool's disk stands still; look at the disk. What was written, if anything, \
        is kept for salvage"
    )]
    Still(RecordingId),
    /// `spool.id` holds something else.
    #[error("{} holds no ULID: restore it; if nothing waits in the spool, remove it", path.display())]
    SpoolId {
        /// The file.
        path: PathBuf,
    },
    /// Who asked for it wants it no more.
    #[error("work on recording {0} was stopped; it can be done again")]
    Stopped(RecordingId),
    /// The codec refused.
    #[error("recording {id} cannot be encoded: {why}")]
    Codec {
        /// Which recording.
        id: RecordingId,
        /// Its words.
        why: String,
    },
    /// The object store.
    #[error(transparent)]
    Object(#[from] super::objects::ObjectError),
    /// Writing failed while the call went on.
    #[error(
        "recording {id} stopped after {samples} samples: {source}; what was written, if anything, is kept for salvage"
    )]
    WriteFailed {
        /// Which recording.
        id: RecordingId,
        /// Samples per channel that were written.
        samples: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// Its sink was dropped without an end.
    #[error(
        "recording {id} was given up after {samples} samples; what was written, if anything, is kept for salvage"
    )]
    Abandoned {
        /// Which recording.
        id: RecordingId,
        /// Samples per channel that were written.
        samples: u64,
    },
    /// It was destroyed before it ended.
    #[error("recording {0} was destroyed")]
    Destroyed(RecordingId),
    /// A copy is still there after destruction.
    #[error("recording {id} is still at {} after it was removed: remove what puts it back, then destroy it again",
        path.display())]
    StillThere {
        /// Which recording.
        id: RecordingId,
        /// Where.
        path: PathBuf,
    },
    /// The vault was closed.
    #[error("the vault is closed; what was written of recording {0}, if anything, is kept for salvage")]
    Closed(RecordingId),
}

impl VaultError {
    /// Whether trying again later can succeed without a person doing something to the recording.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Object(error) => error.passes(),
            Self::Io { .. }
            | Self::Kms(_)
            | Self::InUse(_)
            | Self::NoRoom { .. }
            | Self::Owned { .. }
            | Self::Still(_)
            | Self::Stopped(_)
            | Self::Closed(_)
            | Self::WriteFailed { .. } => true,
            Self::KeyExposed { .. }
            | Self::KeyMissing { .. }
            | Self::KeyInvalid { .. }
            | Self::KeyLacking { .. }
            | Self::SigningKeyMissing { .. }
            | Self::NoCurrentKey
            | Self::KmsNotConfigured(_)
            | Self::KekNotHeld { .. }
            | Self::WrongKey(_)
            | Self::NotFound(_)
            | Self::Unfinished(_)
            | Self::Exists(_)
            | Self::NotARecording { .. }
            | Self::Misplaced { .. }
            | Self::Tampered { .. }
            | Self::Truncated { .. }
            | Self::Trailing { .. }
            | Self::Inconsistent { .. }
            | Self::NotAsStored { .. }
            | Self::WrongDataKey(_)
            | Self::TooLong(_)
            | Self::SpoolId { .. }
            | Self::Codec { .. }
            | Self::Abandoned { .. }
            | Self::Destroyed(_)
            | Self::StillThere { .. } => false,
        }
    }

    /// For `map_err`: names what was tried on which path.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    /// The same, except that an error of this `kind` means `meaning`.
    pub(super) fn io_or(
        kind: io::ErrorKind,
        meaning: Self,
        what: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| if source.kind() == kind { meaning } else { Self::io(what, path)(source) }
    }
}

/// Who has the vault folder, in words.
fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
