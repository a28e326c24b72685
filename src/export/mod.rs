//! Recordings on their way out of the vault, to people who are allowed to take them: audio in the clear with a signed
//! manifest beside it, or a vCon. What goes out holds personal data by design; who asks for it has been asked for the
//! right, and the audit log has its row before the first byte.

mod audio;
mod der;
mod jws;
mod manifest;
mod party;
mod peaks;
mod plain;
pub mod report;
#[cfg(test)]
mod tests;
pub mod vcon;
mod zip;

pub use self::zip::{Feed, Zip};
pub use audio::{Audio, AudioError, extension};
pub use jws::{JwsError, Signed, open, verify};
pub use manifest::{AudioFile, Manifest, ManifestError};
pub use peaks::{Peaks, peaks};

use crate::store::{CallDetail, RecordingRow};
use crate::time::Timestamp;

/// Who signs what goes out: Ed25519 (RFC 8032).
#[derive(Clone, Copy)]
pub struct Signing<'a> {
    /// The public key.
    pub public: [u8; 32],
    /// Signs a message.
    pub sign: &'a dyn Fn(&[u8]) -> [u8; 64],
}

/// What is known of a recording when it goes out.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its row.
    pub recording: RecordingRow,
    /// Its call: who spoke, and what was answered.
    pub call: CallDetail,
    /// When it goes out.
    pub at: Timestamp,
    /// Who takes it, as the audit log names them.
    pub by: String,
    /// The place in the audit log that tells of it.
    pub audit: Option<AuditPlace>,
}

/// A row of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPlace {
    /// Its number.
    pub n: u64,
    /// Its hash, in hex: the chain up to it.
    pub hash: String,
}
