//! Key-encryption keys: which there are, which wraps new recordings' keys, and when one is no longer needed.

use crate::audit::{Actor, words};
use crate::ids::{RecordingId, Redacted};
use crate::time::Timestamp;

use super::Store;
use super::error::StoreError;
use super::rows::RecordingRow;
use super::writer::Work;

words!(
    /// Who keeps a key-encryption key.
    KekProvider {
        /// The key file.
        File = "file",
        /// AWS KMS; the row holds it wrapped.
        Kms = "kms",
    }
);

words!(
    /// What a key-encryption key is for.
    KekState {
        /// It wraps new recordings' keys. There is one.
        Current = "current",
        /// It still opens what it wrapped.
        Retiring = "retiring",
        /// It wraps nothing any more.
        Retired = "retired",
    }
);

/// What becomes of a key-encryption key.
#[derive(Clone, Debug)]
pub enum KekChange {
    /// It is made: it is current, and the one before it retires. No effect when it is known already and not retired.
    /// [`StoreError::Conflict`] when another node made one at the same moment: look again.
    Made {
        /// 16 hex digits.
        id: String,
        /// Who keeps it.
        provider: KekProvider,
        /// As KMS wrapped it.
        wrapped: Option<Vec<u8>>,
        /// When.
        at: Timestamp,
        /// Who made it.
        by: Actor,
    },
    /// It wraps nothing any more; what KMS wrapped of it is forgotten. [`StoreError::State`] while it is current, or a
    /// recording's key is wrapped by it or by an unnamed one. No effect when it is retired already.
    Retired {
        /// Which one.
        id: String,
        /// When.
        at: Timestamp,
        /// Who retired it.
        by: Actor,
    },
}

/// A key-encryption key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KekRow {
    /// 16 hex digits.
    pub id: String,
    /// Who keeps it.
    pub provider: KekProvider,
    /// What it is for.
    pub state: KekState,
    /// As KMS wrapped it; none once it is retired.
    pub wrapped: Option<Redacted<Vec<u8>>>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it was retired.
    pub retired_at: Option<Timestamp>,
}

impl Work<'_> {
    /// Writes what becomes of a key-encryption key.
    pub(super) async fn kek(&mut self, change: &KekChange) -> Result<(), StoreError> {
        unimplemented!("{change:?}")
    }

    /// Makes sure that a key-encryption key is current or retiring, and stays so until the transaction ends.
    pub(super) async fn kek_wraps(&mut self, kek: &str, wanted: &'static str) -> Result<(), StoreError> {
        unimplemented!("{kek} {wanted}")
    }
}

impl Store {
    /// The key-encryption keys, the oldest first. A handful of rows: cheap enough to ask every second.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn keks(&self) -> Result<Vec<KekRow>, StoreError> {
        unimplemented!("keks")
    }

    /// Recordings whose key this one wrapped (`None`: rows of an older Sayso, which do not say), by id, from `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings_wrapped_by(
        &self,
        kek: Option<&str>,
        after: Option<RecordingId>,
        limit: u32,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        unimplemented!("{kek:?} {after:?} {limit}")
    }

    /// How many those are.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn count_wrapped_by(&self, kek: Option<&str>) -> Result<u64, StoreError> {
        unimplemented!("{kek:?}")
    }
}
