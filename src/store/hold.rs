//! Legal holds: recordings, calls and people held back from removal (domain rule 14).

use super::error::StoreError;
use super::writer::Work;

/// See [`Change::Hold`](super::Change::Hold).
#[derive(Debug)]
pub enum HoldChange {}

impl Work<'_> {
    #[expect(clippy::unused_async)]
    pub(super) async fn holds(&mut self, change: &HoldChange) -> Result<(), StoreError> {
        match *change {}
    }
}
