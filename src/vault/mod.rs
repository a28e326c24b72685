//! Recordings at rest: keys, encrypted spool, salvage, export. No plaintext audio touches the disk;
//! a recording without its wrapped key (which lives in the database) is noise.

use std::path::{Path, PathBuf};

use tokio::sync::oneshot;

use crate::consent::{DataKey, RecordingPermit};
use crate::ids::RecordingId;
use crate::media::tap::{Chunk, ChunkSink, End, Gap};
use crate::time::{Clock, Timestamp};

/// Where the vault lives.
#[derive(Clone, Debug)]
pub struct VaultConfig {
    /// Holds `spool/` (being written) and `recordings/yyyy/mm/dd/` (finished).
    pub dir: PathBuf,
    /// The key-encryption key; made at first start, mode 0600.
    pub key_file: PathBuf,
}

/// A data key sealed with the key-encryption key; bound to its recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey(pub Vec<u8>);

/// A recording that is whole and in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Which.
    pub id: RecordingId,
    /// When it was in its place.
    pub at: Timestamp,
    /// Length of each channel, in samples at 8 kHz.
    pub samples: u64,
    /// Size of the sealed file.
    pub bytes: u64,
    /// SHA-256 (hex) of the sealed file.
    pub sha256: String,
    /// Stretches of silence that nobody spoke. Empty when salvaged: unknown.
    pub gaps: Vec<Gap>,
    /// Silent samples not listed in `gaps`.
    pub unlisted: u64,
    /// Bytes of a torn tail that were cut off; `None`: it ended in order. When `Some`, how much
    /// audio is lost cannot be told from the file.
    pub salvaged: Option<u64>,
}

/// A recording that was written out in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Length of each channel, in samples at 8 kHz.
    pub samples: u64,
    /// Size of the WAV file.
    pub bytes: u64,
    /// Stretches of silence that nobody spoke.
    pub gaps: Vec<Gap>,
    /// It was cut short by a crash and salvaged.
    pub salvaged: bool,
}

/// What can go wrong in the vault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// To be filled.
    #[error("recording {0} is not here")]
    NotFound(RecordingId),
}

/// The vault: one per server.
pub struct Vault {
    config: VaultConfig,
    clock: Clock,
}

/// Takes one recording's chunks to the writer thread.
pub struct Spool {}

impl ChunkSink for Spool {
    fn buffer(&mut self) -> Vec<i16> {
        Vec::new()
    }
    fn put(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        Err(chunk)
    }
    fn finish(self: Box<Self>, _end: End) {}
}

#[allow(clippy::missing_errors_doc, unused_variables, clippy::todo)]
impl Vault {
    /// Opens it: makes directories and key file at first start, and starts its threads.
    pub fn open(config: VaultConfig, clock: Clock) -> Result<Self, VaultError> {
        Ok(Self { config, clock })
    }

    /// A fresh data key.
    #[must_use]
    pub fn draw_key(&self) -> DataKey {
        todo!("coming within the hour")
    }

    /// The permit's data key, sealed, for the database.
    #[must_use]
    pub fn wrap(&self, permit: &RecordingPermit) -> WrappedKey {
        todo!("coming within the hour")
    }

    /// Opens the spool file. The receiver tells how the recording ended.
    #[allow(clippy::type_complexity)]
    pub fn begin(
        &self,
        permit: &RecordingPermit,
    ) -> Result<(Spool, oneshot::Receiver<Result<Finished, VaultError>>), VaultError> {
        todo!("coming within the hour")
    }

    /// Removes every local copy. Doing it again does no harm.
    pub fn destroy(&self, id: RecordingId) -> Result<(), VaultError> {
        todo!("coming within the hour")
    }

    /// Recordings that a crash left in the spool.
    pub fn leftovers(&self) -> Result<Vec<RecordingId>, VaultError> {
        todo!("coming within the hour")
    }

    /// Verifies a leftover, cuts its torn tail, ends it and puts it in its place.
    pub fn salvage(&self, id: RecordingId, key: &WrappedKey) -> Result<Finished, VaultError> {
        todo!("coming within the hour")
    }

    /// Writes a recording as stereo WAV (PCM16, 8 kHz); `progress` gets bytes done and in all.
    pub fn export(
        &self,
        id: RecordingId,
        key: &WrappedKey,
        out: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Exported, VaultError> {
        todo!("coming within the hour")
    }

    /// Both channels of a (short) recording, in memory.
    pub fn read_pcm(&self, id: RecordingId, key: &WrappedKey) -> Result<(Vec<i16>, Vec<i16>), VaultError> {
        todo!("coming within the hour")
    }
}
