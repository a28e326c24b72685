//! Writing a recording out in the clear, as a WAV or Ogg file. It can be interrupted and goes on.

use std::path::Path;

use super::{Info, Reader, VaultError};

/// A recording that was written out in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// What it is, its size among it.
    pub info: Info,
    /// SHA-256 (hex) of the file in the clear.
    pub sha256: String,
}

impl Reader {
    /// Writes it in the clear to `out`, mode 0600, verifying every chunk. `out` appears only when all of it is right, and
    /// is replaced if it is there. What an interrupted export of the same recording left is verified and used.
    /// `progress` gets bytes of the file, done and in all.
    ///
    /// # Errors
    /// When a chunk does not verify or cannot be read, or `out` cannot be written.
    pub async fn export(
        &self,
        out: &Path,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Exported, VaultError> {
        let _ = (out, progress, self.chunk(), self.ahead());
        unimplemented!("export")
    }
}
