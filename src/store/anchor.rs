//! Where the audit log's head was anchored, and when.

use super::error::StoreError;
use super::writer::Work;

/// See [`Change::Anchor`](super::Change::Anchor).
#[derive(Debug)]
pub enum AnchorChange {}

impl Work<'_> {
    #[expect(clippy::unused_async)]
    pub(super) async fn anchor(&mut self, change: &AnchorChange) -> Result<(), StoreError> {
        match *change {}
    }
}
